/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See docs/design/table-swap.md. */
#define _GNU_SOURCE
#include "table.h"

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* what a row needs: the function, its place in the table, an ELF symbol that leads to the hook */
enum { NEEDED = 1, IN_TABLE = 2, FROM_UNIX = 4 };
#define REQUIRED (NEEDED | IN_TABLE | FROM_UNIX)
#define OPTIONAL (IN_TABLE | FROM_UNIX)
#define WINDOWS_SIDE (NEEDED | IN_TABLE)
#define ANYWHERE (NEEDED | FROM_UNIX)

#define REAL(name, params)                                                                                   \
    NTSTATUS(MS_ABI *real_ms_##name) params;                                                                 \
    NTSTATUS (*real_sysv_##name) params;

/* per call: the real function, where the exported ELF symbol leads, the hook in Microsoft's convention */
#define SYSCALL(need, name, params, args)                                                                    \
    REAL(name, params)                                                                                       \
    __attribute__((used)) void *elf_ptr_##name;                                                              \
    static NTSTATUS MS_ABI ms_##name params { return hook_##name args; }                                     \
    __asm__(".pushsection .text\n\t.globl " #name "\n\t.type " #name ",@function\n" #name                    \
            ":\n\tjmp *elf_ptr_" #name "(%rip)\n\t.size " #name ", .-" #name "\n\t.popsection");
#define IMPORT(name, params, args) REAL(name, params)
#include "syscalls.def"
#undef SYSCALL
#undef IMPORT

#define PLAIN(name, n)                          \
    W(MS_ABI *real_ms_##name) PARAMS_##n;       \
    W (*real_sysv_##name) PARAMS_##n;
#define HOOKED(need, name, n)                   \
    PLAIN(name, n)                              \
    static W MS_ABI ms_##name PARAMS_##n { return hook_##name ARGS_##n; }
#define CHECKED(need, name, n, checks) HOOKED(need, name, n)
#include "windows.def"
#undef CHECKED
#undef HOOKED
#undef PLAIN

/* where a real function goes, by its convention */
struct real {
    void **ms, **sysv;
};
#define REAL_OF(name) { (void **)&real_ms_##name, (void **)&real_sysv_##name }

struct import {
    const char *name;
    struct real real;
};

static const struct import imports[] = {
#define SYSCALL(need, name, params, args)
#define IMPORT(name, params, args) { #name, REAL_OF(name) },
#include "syscalls.def"
#undef SYSCALL
#undef IMPORT
};

static const struct import window_imports[] = {
#define CHECKED(need, name, n, checks)
#define HOOKED(need, name, n)
#define PLAIN(name, n) { #name, REAL_OF(name) },
#include "windows.def"
#undef CHECKED
#undef HOOKED
#undef PLAIN
};

struct entry {
    const char *name;
    struct real real;
    void **elf;
    void *ms, *sysv;
    unsigned int need;
    void *found; /* the real function */
    unsigned int slots;
};

static struct entry entries[] = {
#define SYSCALL(need, name, params, args)                                                                    \
    { #name, REAL_OF(name), &elf_ptr_##name, (void *)ms_##name, (void *)hook_##name, need, NULL, 0 },
#include "syscalls.def"
#undef SYSCALL
};

static struct entry window_entries[] = {
#define HOOKED(need, name, n) { #name, REAL_OF(name), NULL, (void *)ms_##name, (void *)hook_##name, need, NULL, 0 },
#define CHECKED(need, name, n, checks) HOOKED(need, name, n)
#define PLAIN(name, n)
#include "windows.def"
#undef CHECKED
#undef HOOKED
#undef PLAIN
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
enum { ENTRIES = COUNT(entries), WINDOW_ENTRIES = COUNT(window_entries) };
static bool ms_table; /* the convention, which both tables share */

struct image {
    uintptr_t base;
    const char *path;
    const void *dynamic;
    struct { uintptr_t start, end; } data[4], text[4];
    unsigned int data_n, text_n;
    uintptr_t relro_start, relro_end;
};

static char problem[256];

static const char *complain(const char *format, const char *detail)
{
    snprintf(problem, sizeof(problem), format, detail);
    return problem;
}

static int find_image(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct image *image = arg;
    bool found = false;
    int i;

    (void)size;
    for (i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
            found = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr == (uintptr_t)image->dynamic;
    if (!found) return 0;
    for (i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + ph->p_vaddr;

        if (ph->p_type == PT_GNU_RELRO) {
            image->relro_start = start;
            image->relro_end = start + ph->p_memsz;
        }
        if (ph->p_type != PT_LOAD) continue;
        if ((ph->p_flags & PF_W) && image->data_n < 4) {
            image->data[image->data_n].start = start;
            image->data[image->data_n++].end = start + ph->p_filesz; /* the table is not in what starts as zeros */
        }
        if ((ph->p_flags & PF_X) && image->text_n < 4) {
            image->text[image->text_n].start = start;
            image->text[image->text_n++].end = start + ph->p_memsz;
        }
    }
    return 1;
}

/* The dispatcher of a System V table moves the arguments over before it calls:
 * mov %r10,%rdi; mov %r11,%rsi; mov %r8,%rdx; mov %r9,%rcx. */
static bool dispatches_ms_abi(const struct image *image)
{
    static const unsigned char sysv[] = { 0x4c, 0x89, 0xd7, 0x4c, 0x89, 0xde, 0x4c, 0x89, 0xc2, 0x4c, 0x89, 0xc9 };
    unsigned int i;

    for (i = 0; i < image->text_n; i++)
        if (memmem((void *)image->text[i].start, image->text[i].end - image->text[i].start, sysv, sizeof(sysv)))
            return false;
    return true;
}

static int by_address(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t)(*(struct entry *const *)a)->found, y = (uintptr_t)(*(struct entry *const *)b)->found;

    return x < y ? -1 : x > y;
}

static struct entry *entry_at(struct entry **sorted, unsigned int n, uintptr_t address)
{
    unsigned int lo = 0, hi = n;

    if (!n || address < (uintptr_t)sorted[0]->found || address > (uintptr_t)sorted[n - 1]->found) return NULL;
    while (lo < hi) {
        unsigned int mid = (lo + hi) / 2;
        uintptr_t at = (uintptr_t)sorted[mid]->found;

        if (at == address) return sorted[mid];
        if (at < address) lo = mid + 1;
        else hi = mid;
    }
    return NULL;
}

static bool protect(uintptr_t start, uintptr_t end, int protection)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = start & ~(page - 1);

    return !mprotect((void *)from, ((end + page - 1) & ~(page - 1)) - from, protection);
}

static const char *swap_table(const struct image *image, struct entry **sorted, unsigned int n, bool ms)
{
    uintptr_t first = 0, last = 0, *slot;
    unsigned int i;

    for (i = 0; i < image->data_n; i++)
        for (slot = (uintptr_t *)((image->data[i].start + 7) & ~(uintptr_t)7);
             (uintptr_t)(slot + 1) <= image->data[i].end; slot++) {
            struct entry *entry = entry_at(sorted, n, *slot);

            if (!entry) continue;
            entry->slots++;
            if (!first) first = (uintptr_t)slot;
            last = (uintptr_t)(slot + 1);
        }
    for (i = 0; i < n; i++)
        if (sorted[i]->slots != 1 && (sorted[i]->slots || (sorted[i]->need & IN_TABLE)))
            return complain("this Wine's system-service table is not as expected (%s is not in it once)",
                            sorted[i]->name);
    if (!protect(first, last, PROT_READ | PROT_WRITE))
        return complain("cannot write to the system-service table%s", "");
    for (slot = (uintptr_t *)first; (uintptr_t)slot < last; slot++) {
        struct entry *entry = entry_at(sorted, n, *slot);

        if (entry) *slot = (uintptr_t)(ms ? entry->ms : entry->sysv);
    }
    if (first >= image->relro_start && last <= image->relro_end) protect(first, last, PROT_READ);
    return NULL;
}

static void set_real(const struct real *real, void *function, bool ms)
{
    *real->ms = ms ? function : NULL;
    *real->sysv = ms ? NULL : function;
}

static const char *look_up(struct entry *list, unsigned int n, const struct import *more, unsigned int more_n,
                           void *library)
{
    unsigned int i;

    for (i = 0; i < n; i++) {
        if (list[i].found) set_real(&list[i].real, list[i].found, ms_table);
        else if (list[i].need & NEEDED) return complain("this Wine has no %s", list[i].name);
    }
    for (i = 0; i < more_n; i++) {
        void *function = dlsym(library, more[i].name);

        if (!function) return complain("this Wine has no %s", more[i].name);
        set_real(&more[i].real, function, ms_table);
    }
    return NULL;
}

static unsigned int find_entries(struct entry *list, unsigned int n, void *library, struct entry **sorted)
{
    unsigned int i, found = 0;

    for (i = 0; i < n; i++)
        if ((list[i].found = dlsym(library, list[i].name))) sorted[found++] = &list[i];
    qsort(sorted, found, sizeof(sorted[0]), by_address);
    return found;
}

static const char *open_image(void *library, struct image *image)
{
    struct link_map *map;

    if (dlinfo(library, RTLD_DI_LINKMAP, &map)) return complain("dlinfo: %s", dlerror());
    image->dynamic = map->l_ld;
    if (!dl_iterate_phdr(find_image, image)) return complain("cannot find %s in memory", map->l_name);
    return NULL;
}

const char *table_install(void *ntdll, bool hooks)
{
    struct entry *sorted[ENTRIES];
    struct image image = { 0 };
    unsigned int i, n = find_entries(entries, ENTRIES, ntdll, sorted);
    const char *wrong;

    for (i = 0; i < n; i++) *sorted[i]->elf = sorted[i]->found;
    if (!hooks) return NULL;
    if ((wrong = open_image(ntdll, &image))) return wrong;
    ms_table = dispatches_ms_abi(&image);
    if ((wrong = look_up(entries, ENTRIES, imports, COUNT(imports), ntdll))) return wrong;
    if ((wrong = swap_table(&image, sorted, n, ms_table))) return wrong;
    for (i = 0; i < n; i++)
        if (sorted[i]->need & FROM_UNIX) *sorted[i]->elf = ms_table ? sorted[i]->ms : sorted[i]->sysv;
    return NULL;
}

const char *table_install_windows(void *win32u)
{
    struct entry *sorted[WINDOW_ENTRIES];
    struct image image = { 0 };
    unsigned int n = find_entries(window_entries, WINDOW_ENTRIES, win32u, sorted);
    const char *wrong;

    if ((wrong = open_image(win32u, &image))) return wrong;
    if ((wrong = look_up(window_entries, WINDOW_ENTRIES, window_imports, COUNT(window_imports), win32u))) return wrong;
    return swap_table(&image, sorted, n, ms_table);
}
