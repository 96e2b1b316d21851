/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See detach.h. */
#define _GNU_SOURCE
#include "detach.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { ATTEMPTS = 100 };

static void close_fd(int *fd)
{
    if (*fd >= 0) close(*fd);
}

static void close_dir(DIR **dir)
{
    if (*dir) closedir(*dir);
}

#define CLEANUP(function) __attribute__((cleanup(function)))

static int open_folder(int parent, const char *name)
{
    return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* a folder beside the one to replace, under a name nobody has */
static bool make_new(int parent, char *name, size_t size)
{
    int i;

    for (i = 0; i < ATTEMPTS; i++) {
        snprintf(name, size, ".winesilo-%d-%d", (int)getpid(), i);
        if (!mkdirat(parent, name, 0700)) return true;
        if (errno != EEXIST) return false;
    }
    return false;
}

static bool detach_at(int parent, const char *name);

/* Move one entry; a folder that stays where it is is replaced first. */
static bool move_entry(int from, int to, const char *name)
{
    if (!renameat(from, name, to, name)) return true;
    return errno == EXDEV && detach_at(from, name) && !renameat(from, name, to, name);
}

/* Move all entries, until none is left. Going through a folder while it empties may pass some over. */
static bool move_all(int from, int to)
{
    for (;;) {
        CLEANUP(close_dir) DIR *dir = NULL;
        struct dirent *entry;
        bool any = false;
        int again = open_folder(from, ".");

        if (again < 0 || !(dir = fdopendir(again))) return false;
        while ((entry = readdir(dir))) {
            if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
            if (!move_entry(from, to, entry->d_name)) return false;
            any = true;
        }
        if (!any) return true;
    }
}

/* what programs can see of a folder: Wine keeps DOS attributes and the like in attributes of the user */
static bool copy_attributes(int from, int to)
{
    char names[4096], value[4096], *name;
    struct stat st;
    ssize_t size = flistxattr(from, names, sizeof(names)), n;

    if (size < 0 && errno != ENOTSUP) return false;
    for (name = names; size > 0 && name < names + size; name += strlen(name) + 1) {
        if (strncmp(name, "user.", 5)) continue;
        if ((n = fgetxattr(from, name, value, sizeof(value))) < 0 || fsetxattr(to, name, value, (size_t)n, 0))
            return false;
    }
    return !fstat(from, &st) && !fchmod(to, st.st_mode & 07777);
}

static bool detach_at(int parent, const char *name)
{
    char new_name[64];
    CLEANUP(close_fd) int old = open_folder(parent, name);
    CLEANUP(close_fd) int new = -1;
    struct timespec times[2];
    struct stat st;

    if (old < 0 || fstat(old, &st) || !make_new(parent, new_name, sizeof(new_name))) return false;
    times[0] = st.st_atim;
    times[1] = st.st_mtim;
    if ((new = open_folder(parent, new_name)) >= 0 && copy_attributes(old, new) && move_all(old, new)) {
        futimens(new, times);
        if (!unlinkat(parent, name, AT_REMOVEDIR)) {
            if (!renameat(parent, new_name, parent, name)) return true;
            if (mkdirat(parent, name, st.st_mode & 07777)) return false; /* the content is in the new folder */
            close(old);
            if ((old = open_folder(parent, name)) >= 0) copy_attributes(new, old);
        }
    }
    if (new >= 0 && old >= 0) {
        move_all(new, old);
        futimens(old, times);
    }
    unlinkat(parent, new_name, AT_REMOVEDIR);
    return false;
}

bool folder_detach(const char *path)
{
    const char *name = strrchr(path, '/');
    CLEANUP(close_fd) int parent = -1;
    char *above;

    if (path[0] != '/' || !name[1]) return false;
    if (!(above = strndup(path, name > path ? (size_t)(name - path) : 1))) return false;
    parent = open_folder(AT_FDCWD, above);
    free(above);
    return parent >= 0 && detach_at(parent, name + 1);
}
