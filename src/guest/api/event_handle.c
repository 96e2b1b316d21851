/* Handles of the event log: numbers of a table, which no other function knows.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A number is made of the place in the table and of how often that was used, so that a handle which was closed stays
 * invalid. Handles of the kernel are multiples of four and much smaller. */

#include "event.h"

#define HANDLE_MARK 0x60000001u
#define USES 0xfffu
#define PLACES 0x10000u

struct place {
    struct event_handle *handle;
    DWORD uses;
};

static SRWLOCK lock = SRWLOCK_INIT;
static struct place *places;
static DWORD count;

static HANDLE handle_at(DWORD place)
{
    return (HANDLE)(ULONG_PTR)(HANDLE_MARK | (places[place].uses & USES) << 17 | place << 1);
}

/* The place in the table; the caller holds the lock. */
static struct place *find(HANDLE handle, unsigned kinds)
{
    ULONG_PTR number = (ULONG_PTR)handle;
    DWORD place = (number >> 1) & (PLACES - 1);

    if (number > MAXDWORD || place >= count || !places[place].handle || handle_at(place) != handle ||
        !(places[place].handle->kind & kinds))
        return NULL;
    return &places[place];
}

static void let_go(struct event_handle *handle)
{
    if (InterlockedDecrement(&handle->refs))
        return;
    event_file_close(handle->file);
    event_snapshot_free(&handle->snapshot);
    event_release(handle->source);
    DeleteCriticalSection(&handle->lock);
    event_release(handle);
}

/* A free place; the caller holds the lock. FALSE if there is none. */
static BOOL find_free(DWORD *place)
{
    struct place *more;

    for (*place = 0; *place < count; ++*place)
        if (!places[*place].handle)
            return TRUE;
    if (count == PLACES || !(more = event_allocate((count ? count * 2 : 16) * sizeof(*more))))
        return FALSE;
    if (count)
        memcpy(more, places, count * sizeof(*more));
    event_release(places);
    places = more;
    count = count ? count * 2 : 16;
    return TRUE;
}

HANDLE event_handle_new(enum event_kind kind, const WCHAR *source, struct event_file *file)
{
    struct event_handle *handle = event_allocate(sizeof(*handle));
    HANDLE made = NULL;
    DWORD place;

    if (!handle || !(handle->source = event_copy_text(source))) {
        event_release(handle);
        event_file_close(file);
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
        return NULL;
    }
    handle->refs = 1;
    handle->kind = kind;
    handle->file = file;
    InitializeCriticalSection(&handle->lock);
    AcquireSRWLockExclusive(&lock);
    if (find_free(&place)) {
        places[place].handle = handle;
        places[place].uses++;
        made = handle_at(place);
    }
    ReleaseSRWLockExclusive(&lock);
    if (!made) {
        let_go(handle);
        SetLastError(ERROR_NO_MORE_USER_HANDLES);
    }
    return made;
}

struct event_handle *event_handle_use(HANDLE handle, unsigned kinds)
{
    struct event_handle *found = NULL;
    struct place *place;

    AcquireSRWLockShared(&lock);
    if ((place = find(handle, kinds))) {
        found = place->handle;
        InterlockedIncrement(&found->refs);
    }
    ReleaseSRWLockShared(&lock);
    if (found)
        EnterCriticalSection(&found->lock);
    else
        SetLastError(ERROR_INVALID_HANDLE);
    return found;
}

void event_handle_done(struct event_handle *handle)
{
    LeaveCriticalSection(&handle->lock);
    let_go(handle);
}

BOOL event_handle_close(HANDLE handle, unsigned kinds)
{
    struct event_handle *found = NULL;
    struct event_watch *watch;
    struct place *place;

    AcquireSRWLockExclusive(&lock);
    if ((place = find(handle, kinds))) {
        found = place->handle;
        place->handle = NULL;
    }
    ReleaseSRWLockExclusive(&lock);
    if (!found)
        return event_succeeded(ERROR_INVALID_HANDLE);
    EnterCriticalSection(&found->lock);
    watch = found->watch;
    found->watch = NULL;
    LeaveCriticalSection(&found->lock);
    event_watch_stop(watch);
    let_go(found);
    return TRUE;
}
