/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Start: read the configuration, wait for Wine to load ntdll.so, swap its table. Without
 * WINESILO_CONFIG the library does nothing. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absent.h"
#include "audit.h"
#include "environment.h"
#include "heap.h"
#include "network.h"
#include "regtree.h"
#include "silo.h"
#include "startup.h"

#define EXPORT __attribute__((visibility("default")))

enum { EXIT_CANNOT_RUN = 125 };

static bool active, installed, windows_installed;
static void *(*current_teb)(void); /* of the ntdll.so whose table was swapped */
static to_wide *unix_to_wide;      /* the same */
static struct hidden_environment hidden;
static struct {
    dev_t device;
    ino_t inode;
} loaders[CONFIG_LOADERS];

static __attribute__((noreturn, format(printf, 1, 2))) void fail(const char *format, ...)
{
    va_list args;

    fputs("winesilo: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    _exit(EXIT_CANNOT_RUN);
}

static void read_config(const char *path)
{
    char text[65536];
    const char *wrong;
    size_t size = 0;
    ssize_t n;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) fail("cannot open the configuration %s: %s", path, strerror(errno));
    while (size < sizeof(text) && (n = read(fd, text + size, sizeof(text) - size)) > 0) size += (size_t)n;
    close(fd);
    if (size == sizeof(text)) fail("the configuration %s is too long", path);
    if ((wrong = config_parse(&config, text, size))) fail("the configuration %s is wrong: %s", path, wrong);
}

static void *map_file(const char *path, off_t size, const char *magic, const char *what)
{
    struct stat st;
    void *map;
    int fd = open(path, O_RDWR | O_CLOEXEC);

    if (fd < 0) fail("cannot open %s: %s", path, strerror(errno));
    if (fstat(fd, &st) || st.st_size < size) fail("%s is too short", path);
    map = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map == MAP_FAILED) fail("cannot map %s: %s", path, strerror(errno));
    if (memcmp(map, magic, 8)) fail("%s is not %s", path, what);
    return map;
}

static void find_loaders(void)
{
    struct stat st;
    size_t i;

    for (i = 0; i < config.loaders; i++) {
        if (stat(config.loader_paths[i], &st)) fail("no Wine loader at %s: %s", config.loader_paths[i], strerror(errno));
        loaders[i].device = st.st_dev;
        loaders[i].inode = st.st_ino;
    }
}

__attribute__((constructor)) static void start(void)
{
    const char *path = getenv("WINESILO_CONFIG"), *prefix = getenv("WINEPREFIX");
    char drive[PATH_MAX];

    if (!path) return;
    if (prefix && snprintf(drive, sizeof(drive), "%s/dosdevices/c:", prefix) < (int)sizeof(drive)) absent_init(drive);
    heap_keep_away();
    read_config(path);
    names_init(&names, config.id);
    shared = map_file(config.shared_path, SHARED_SIZE, SHARED_MAGIC, "a silo's shared memory");
    slots_watch(shared);
    network = map_file(config.network_path, NETWORK_SIZE, NETWORK_MAGIC, "a silo's network");
    audit = map_file(config.audit_path, AUDIT_SIZE, AUDIT_MAGIC, "a silo's record");
    audit_write_rules(audit);
    find_loaders();
    if (config.trace_path[0]) trace_fd = open(config.trace_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (!regtree_init()) fail("cannot lock %s: %s", config.shared_path, strerror(errno));
    environment_hide(&hidden, environ);
    active = true;
}

/* Programs load Wine's own DLLs from the folder that holds x86_64-unix/ntdll.so; they may read it. */
static void add_wine_folder(const char *ntdll)
{
    char path[PATH_MAX], *end;

    if (!realpath(ntdll, path) || !(end = strrchr(path, '/'))) return;
    *end = 0;
    if ((end = strrchr(path, '/')) && strstr(end, "-unix")) *end = 0;
    config_add_folder(&config, path, strlen(path));
}

/* ---- what Wine calls ---- */

EXPORT void *dlopen(const char *path, int flags)
{
    static void *(*real)(const char *, int);
    const char *name, *wrong;
    void *handle;

    if (!real) real = (void *(*)(const char *, int))dlsym(RTLD_NEXT, "dlopen");
    handle = real(path, flags);
    if (!handle || !path || (installed && (windows_installed || !active))) return handle;
    name = (name = strrchr(path, '/')) ? name + 1 : path;
    if (!installed && !strcmp(name, "ntdll.so")) {
        if ((wrong = table_install(handle, active))) fail("%s: %s", path, wrong);
        if (active) add_wine_folder(path);
        current_teb = (void *(*)(void))dlsym(handle, "NtCurrentTeb");
        if (!current_teb) fail("%s: this Wine has no NtCurrentTeb", path);
        unix_to_wide = (to_wide *)dlsym(handle, "ntdll_umbstowcs");
        if (!unix_to_wide) fail("%s: this Wine has no ntdll_umbstowcs", path);
        installed = true;
    }
    else if (installed && !strcmp(name, "win32u.so")) {
        if ((wrong = table_install_windows(handle))) fail("%s: %s", path, wrong);
        windows_installed = true;
    }
    return handle;
}

/* Wine sets its handler of faults when the process is complete, just before its Windows code starts. */
EXPORT int sigaction(int number, const struct sigaction *action, struct sigaction *old)
{
    static int (*real)(int, const struct sigaction *, struct sigaction *);
    static bool ready;

    if (!real) real = (int (*)(int, const struct sigaction *, struct sigaction *))dlsym(RTLD_NEXT, "sigaction");
    if (number == SIGSEGV && action && installed && active && !ready) {
        ready = true;
        startup_ready(current_teb());
        if (environment_hidden(&hidden, ENVIRONMENT_FIRST)) startup_variables(current_teb(), unix_to_wide);
        environment_forget(&hidden, ENVIRONMENT_FIRST);
    }
    return real(number, action, old);
}

/* The only programs a silo's process may become are Wine's loaders; all others, Unix programs and
 * loaders that could not load this library, would run outside the silo. */
static bool may_exec(const char *path)
{
    struct stat st;
    size_t i;

    if (!active) return true;
    if (!path || stat(path, &st)) return true; /* the real call reports it */
    for (i = 0; i < config.loaders; i++)
        if (loaders[i].device == st.st_dev && loaders[i].inode == st.st_ino) return true;
    errno = EACCES;
    return false;
}

#define NEXT(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

/* what is hidden from Windows programs steers Wine in this process and in its children */
EXPORT char *getenv(const char *name)
{
    NEXT(getenv);
    char *value = environment_hidden(&hidden, name);

    return value ? value : real(name);
}

static int exec_whole(const char *path, char *const argv[], char *const envp[])
{
    NEXT(execve);
    char *whole[environment_size(&hidden, envp)];

    if (!may_exec(path)) return -1;
    if (!hidden.n) return real(path, argv, envp);
    environment_whole(&hidden, envp, whole);
    return real(path, argv, whole);
}

EXPORT int execv(const char *path, char *const argv[])
{
    return exec_whole(path, argv, environ);
}

EXPORT int execve(const char *path, char *const argv[], char *const envp[])
{
    return exec_whole(path, argv, envp);
}

/* Searching PATH finds Unix programs only. */
EXPORT int execvp(const char *file, char *const argv[])
{
    NEXT(execvp);
    if (!active) return real(file, argv);
    errno = EACCES;
    return -1;
}

/* Wine starts its loaders with fork and exec, Unix programs (the wineserver, ntlm_auth) also with these. */
#define SPAWN(name)                                                                                      \
    EXPORT int name(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,             \
                    const posix_spawnattr_t *attr, char *const argv[], char *const envp[])               \
    {                                                                                                    \
        NEXT(name);                                                                                      \
        return active ? EACCES : real(pid, file, actions, attr, argv, envp);                             \
    }

SPAWN(posix_spawn)
SPAWN(posix_spawnp)
