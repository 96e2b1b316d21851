/* See cache.h. A slot for each hash of a path; the newest file in it stays.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cache.h"

#include <stdlib.h>

enum { SLOTS = 256 };                    /* 64 MiB at most */
static const ULONGLONG fresh = 20000000; /* 2 s in a FILETIME's units: the coarsest time of writing that file systems have (FAT) */

struct cached {
    volatile LONG users; /* the slot is one */
    DWORD size;
    ULONGLONG stamp;
    WCHAR *path; /* behind data, which ends with it */
    char data[];
};

static SRWLOCK lock = SRWLOCK_INIT; /* of slots, not of what they point to */
static struct cached *slots[SLOTS];

/* FNV-1a */
static struct cached **slot_of(const WCHAR *path)
{
    ULONG hash = 2166136261u;

    for (; *path; path++)
        hash = (hash ^ *path) * 16777619u;
    return &slots[(hash ^ hash >> 16) % SLOTS];
}

struct cached *cache_find(const WCHAR *path, ULONGLONG stamp, ULONGLONG size)
{
    struct cached **slot = slot_of(path), *file;

    AcquireSRWLockShared(&lock);
    file = *slot;
    if (file && (file->stamp != stamp || file->size != size || wcscmp(file->path, path)))
        file = NULL;
    if (file)
        InterlockedIncrement(&file->users);
    ReleaseSRWLockShared(&lock);
    return file;
}

const char *cached_data(const struct cached *file)
{
    return file->data;
}

void cache_release(struct cached *file)
{
    if (file && !InterlockedDecrement(&file->users))
        free(file);
}

static struct cached *swap(struct cached **slot, struct cached *file)
{
    struct cached *old;

    AcquireSRWLockExclusive(&lock);
    old = *slot;
    *slot = file;
    ReleaseSRWLockExclusive(&lock);
    return old;
}

void cache_keep(const WCHAR *path, ULONGLONG stamp, const char *data, DWORD size)
{
    size_t length = (wcslen(path) + 1) * sizeof(WCHAR), room = (size + sizeof(WCHAR) - 1) & ~(sizeof(WCHAR) - 1);
    struct cached *file;
    FILETIME time;

    GetSystemTimeAsFileTime(&time);
    if (size > CACHED_MAX || stamp + fresh > ((ULONGLONG)time.dwHighDateTime << 32 | time.dwLowDateTime))
        return;
    if (!(file = malloc(sizeof(*file) + room + length)))
        return;
    file->users = 1;
    file->size = size;
    file->stamp = stamp;
    file->path = (WCHAR *)(void *)(file->data + room);
    memcpy(file->data, data, size);
    memcpy(file->path, path, length);
    cache_release(swap(slot_of(path), file));
}

void cache_clear(void)
{
    DWORD i;

    for (i = 0; i < SLOTS; i++)
        cache_release(swap(&slots[i], NULL));
}
