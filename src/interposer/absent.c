/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "absent.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { PLACES = 512, SETTLED_NS = 1000000000 };

/* A name's place has what it was asked for with, and what its folder was then; both are hashes. The second includes
 * the first, so that a place that is being changed fits no question; 0: to be looked at when it is asked for again. */
static struct place {
    _Atomic uint64_t name, folder;
} places[PLACES];

static char drive[256];
static size_t drive_n;
static dev_t drive_device;

static uint64_t mix(uint64_t hash, uint64_t more)
{
    hash = (hash ^ more) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

void absent_init(const char *path)
{
    struct stat st;

    drive_n = strlen(path);
    if (drive_n >= sizeof(drive) || stat(path, &st)) drive_n = 0;
    else drive_device = st.st_dev;
    memcpy(drive, path, drive_n);
}

static const char root[] = "\\??\\C:"; /* a backslash follows */
enum { PREFIX = sizeof(root) };

static uint64_t hash_of(struct span name, uint64_t how)
{
    uint64_t hash = mix(mix(0, how), name.n), four;
    size_t i;

    for (i = 0; i + 4 <= name.n; i += 4) {
        memcpy(&four, name.s + i, sizeof(four));
        hash = mix(hash, four);
    }
    for (; i < name.n; i++) hash = mix(hash, name.s[i]);
    return mix(hash, 1) | 1;
}

/* Where Linux has it, if all letters have the case that it was asked for with; ASCII only. */
static bool find_path(struct lookup *l, struct span name)
{
    size_t i, n = drive_n;

    if (!drive_n || drive_n + name.n - PREFIX + 2 > sizeof(l->path)) return false;
    memcpy(l->path, drive, drive_n);
    for (i = PREFIX - 1; i < name.n; i++) {
        if (name.s[i] == '\\') l->folder_n = n;
        else if (name.s[i] < ' ' || name.s[i] > '~' || name.s[i] == '/') return false;
        l->path[n++] = name.s[i] == '\\' ? '/' : (char)name.s[i];
    }
    l->path[n] = 0;
    return true;
}

/* What the folder is now; 0 if it is none, or changed so lately that the next change may get the same time. A folder's
 * time of change is set by Linux whenever a name in it comes or goes, and by nobody else; on a file system that a link
 * leads to it may be coarser, or another machine's. */
static uint64_t folder_of(struct lookup *l)
{
    struct timespec now;
    struct stat st;
    int64_t age;
    bool failed;

    l->path[l->folder_n] = 0;
    failed = stat(l->path, &st) || !S_ISDIR(st.st_mode) || st.st_dev != drive_device;
    l->path[l->folder_n] = '/';
    if (failed || clock_gettime(CLOCK_REALTIME_COARSE, &now)) return 0;
    age = (now.tv_sec - st.st_ctim.tv_sec) * INT64_C(1000000000) + (now.tv_nsec - st.st_ctim.tv_nsec);
    if (age < SETTLED_NS) return 0;
    return mix(mix(mix(mix(l->name, st.st_dev), st.st_ino), (uint64_t)st.st_ctim.tv_sec), (uint64_t)st.st_ctim.tv_nsec) | 1;
}

bool absent_still(struct lookup *l, struct span name, uint64_t how)
{
    struct place *place;

    l->name = l->folder = 0;
    if (name.n <= PREFIX || !span_has_prefix_ascii(name, root)) return false;
    l->name = hash_of(name, how);
    place = &places[l->name / 2 % PLACES];
    if (atomic_load_explicit(&place->name, memory_order_relaxed) != l->name || !find_path(l, name)) return false;
    l->folder = folder_of(l);
    return l->folder && l->folder == atomic_load_explicit(&place->folder, memory_order_relaxed);
}

void absent_note(const struct lookup *l, bool absent)
{
    struct place *place = &places[l->name / 2 % PLACES];
    struct stat st;

    if (!l->name) return;
    if (!absent) {
        if (atomic_load_explicit(&place->name, memory_order_relaxed) == l->name) atomic_store(&place->name, 0);
        return;
    }
    /* a link that leads nowhere depends on more than its folder */
    atomic_store(&place->folder, l->folder && lstat(l->path, &st) ? l->folder : 0);
    atomic_store(&place->name, l->name);
}
