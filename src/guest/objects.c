/* The private object directories of each silo, and its SCM-started event.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The layout under \winesilo\N copies what the wineserver makes under \ for its two sessions (0, and
 * 1 where every process of Wine 8 and 10 runs, services.exe included): names that a program reaches
 * through Global\, Local\ and Session\S\ are symbolic links, which hold absolute paths.  Objects
 * live as long as somebody holds a handle, so the agent holds one of each. */

#include "agent.h"

static const char *const directories[] = {
    "",
    /* those that the host has too: what a silo makes there */
#define NAME(class, path, reason) class(path)
#define NOTE(class, path, reason)
#define PRIVATE(path)
#define SHARED(path)
#define CATALOGUE(path)
#define MERGED(path) path,
#include "../interposer/names.def"
#undef NAME
#undef NOTE
#undef PRIVATE
#undef SHARED
#undef CATALOGUE
#undef MERGED
    "\\BaseNamedObjects",
    "\\RPC Control",
    "\\Windows",
    "\\Windows\\WindowStations",
    "\\Sessions",
    "\\Sessions\\BNOLINKS",
    "\\Sessions\\0",
    "\\Sessions\\0\\DosDevices",
    "\\Sessions\\1",
    "\\Sessions\\1\\DosDevices",
    "\\Sessions\\1\\BaseNamedObjects",
    "\\Sessions\\1\\Windows",
    "\\Sessions\\1\\Windows\\WindowStations",
};

static const struct {
    const char *name;
    const char *target;
} links[] = {
    {"\\BaseNamedObjects\\Global", "\\BaseNamedObjects"},
    {"\\BaseNamedObjects\\Local", "\\BaseNamedObjects"},
    {"\\BaseNamedObjects\\Session", "\\Sessions\\BNOLINKS"},
    {"\\Sessions\\0\\BaseNamedObjects", "\\BaseNamedObjects"},
    {"\\Sessions\\0\\Windows", "\\Windows"},
    {"\\Sessions\\1\\BaseNamedObjects\\Global", "\\BaseNamedObjects"},
    {"\\Sessions\\1\\BaseNamedObjects\\Local", "\\Sessions\\1\\BaseNamedObjects"},
    {"\\Sessions\\1\\BaseNamedObjects\\Session", "\\Sessions\\BNOLINKS"},
    {"\\Sessions\\BNOLINKS\\0", "\\BaseNamedObjects"},
    {"\\Sessions\\BNOLINKS\\1", "\\Sessions\\1\\BaseNamedObjects"},
};

/* Name of the event that services.exe sets when its auto-start services run; include/wine/svcctl.idl. */
#define STARTED_EVENT "\\Sessions\\1\\BaseNamedObjects\\__wine_SvcctlStarted"

struct silo {
    struct silo *next;
    DWORD id;
    DWORD count; /* of handles in use; the event is the last */
    HANDLE handles[ARRAYSIZE(directories) + ARRAYSIZE(links) + 1];
};

static struct silo *silos;
static HANDLE root_directory; /* \winesilo, kept for the agent's life */
static CRITICAL_SECTION silos_lock;

void objects_init(void)
{
    InitializeCriticalSection(&silos_lock);
}

static NTSTATUS silo_name(UNICODE_STRING *u, DWORD id, const char *rest)
{
    return unicode_with_id(u, "\\winesilo\\", id, rest);
}

static NTSTATUS make_directory(UNICODE_STRING *name, HANDLE *handle)
{
    OBJECT_ATTRIBUTES attr;

    InitializeObjectAttributes(&attr, name, OBJ_CASE_INSENSITIVE | OBJ_OPENIF, NULL, NULL);
    return NtCreateDirectoryObject(handle, DIRECTORY_ALL, &attr);
}

static NTSTATUS make_link(DWORD id, UNICODE_STRING *name, const char *target, HANDLE *handle)
{
    OBJECT_ATTRIBUTES attr;
    UNICODE_STRING to;
    NTSTATUS status = silo_name(&to, id, target);

    if (status >= 0) {
        InitializeObjectAttributes(&attr, name, OBJ_CASE_INSENSITIVE | OBJ_OPENIF, NULL, NULL);
        status = NtCreateSymbolicLinkObject(handle, SYMLINK_ALL, &attr, &to);
    }
    mem_free(to.Buffer);
    return status;
}

/* The event may live on from an earlier boot in a process that still ends: clear it. */
static NTSTATUS make_event(UNICODE_STRING *name, HANDLE *handle)
{
    OBJECT_ATTRIBUTES attr;
    NTSTATUS status;

    InitializeObjectAttributes(&attr, name, OBJ_CASE_INSENSITIVE | OBJ_OPENIF, NULL, NULL);
    status = NtCreateEvent(handle, EVENT_ALL, &attr, 0 /* NotificationEvent: manual reset */, FALSE);
    if (status >= 0)
        status = NtResetEvent(*handle, NULL);
    return status;
}

enum kind { DIRECTORY, LINK, EVENT };

static NTSTATUS silo_add(struct silo *silo, enum kind kind, const char *rest, const char *target)
{
    HANDLE *handle = &silo->handles[silo->count];
    UNICODE_STRING name;
    NTSTATUS status = silo_name(&name, silo->id, rest);

    if (status >= 0 && kind == DIRECTORY)
        status = make_directory(&name, handle);
    else if (status >= 0 && kind == LINK)
        status = make_link(silo->id, &name, target, handle);
    else if (status >= 0)
        status = make_event(&name, handle);
    if (status >= 0)
        silo->count++;
    mem_free(name.Buffer);
    return status;
}

static NTSTATUS silo_fill(struct silo *silo)
{
    NTSTATUS status = ST_SUCCESS;
    unsigned i;

    for (i = 0; status >= 0 && i < ARRAYSIZE(directories); i++)
        status = silo_add(silo, DIRECTORY, directories[i], NULL);
    for (i = 0; status >= 0 && i < ARRAYSIZE(links); i++)
        status = silo_add(silo, LINK, links[i].name, links[i].target);
    if (status >= 0)
        status = silo_add(silo, EVENT, STARTED_EVENT, NULL);
    return status;
}

static void release_permanent(HANDLE directory);

static void silo_free(struct silo *silo)
{
    if (silo->count)
        release_permanent(silo->handles[0]);
    while (silo->count)
        NtClose(silo->handles[--silo->count]);
    mem_free(silo);
}

/* ---- what programs left: permanent objects, which live on without a handle ---- */

/* There is no call that opens a debug object, but one made under a name that is there is that one. */
static NTSTATUS NTAPI open_debug_object(HANDLE *handle, ACCESS_MASK access, OBJECT_ATTRIBUTES *attr)
{
    OBJECT_ATTRIBUTES existing = *attr;

    existing.Attributes |= OBJ_OPENIF;
    return NtCreateDebugObject(handle, access, &existing, 0);
}

static const struct {
    const WCHAR *name;
    NTSTATUS (NTAPI *open)(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *);
} types[] = {
    {L"Directory", NtOpenDirectoryObject}, {L"SymbolicLink", NtOpenSymbolicLinkObject},
    {L"Event", NtOpenEvent},               {L"Mutant", NtOpenMutant},
    {L"Semaphore", NtOpenSemaphore},       {L"Section", NtOpenSection},
    {L"Timer", NtOpenTimer},               {L"Job", NtOpenJobObject},
    {L"IoCompletion", NtOpenIoCompletion}, {L"KeyedEvent", NtOpenKeyedEvent},
    {L"DebugObject", open_debug_object},
};

/* a directory that is being looked through, inside another one */
struct level {
    struct level *outer;
    HANDLE directory;
    ULONG index; /* of the next entry */
};

struct entry {
    UNICODE_STRING name, type;
    WCHAR text[0x8000 + 64]; /* both, with what Wine puts between them */
};

static BOOL entry_at(const struct level *level, struct entry *entry)
{
    ULONG index = level->index, size;

    return NtQueryDirectoryObject(level->directory, entry, sizeof(*entry), TRUE, FALSE, &index, &size) == ST_SUCCESS;
}

static BOOL open_entry(HANDLE directory, struct entry *entry, HANDLE *handle, BOOL *is_directory)
{
    OBJECT_ATTRIBUTES attr;
    unsigned i;

    InitializeObjectAttributes(&attr, &entry->name, 0, directory, NULL);
    for (i = 0; i < ARRAYSIZE(types) && lstrcmpW(types[i].name, entry->type.Buffer); i++)
        ;
    *is_directory = !i;
    return i < ARRAYSIZE(types) && types[i].open(handle, DELETE | (i ? 0 : DIRECTORY_QUERY), &attr) >= 0;
}

/* Enter the directory, which the level closes in the end. */
static BOOL enter(struct level **level, HANDLE directory)
{
    struct level *inner = mem_alloc(sizeof(*inner));

    if (!inner)
        return FALSE;
    inner->outer = *level;
    inner->directory = directory;
    inner->index = 0;
    *level = inner;
    return TRUE;
}

/* Deal with an entry; one that goes for it makes the next one take its place. */
static void release_entry(struct level **level, struct entry *entry, struct entry *after)
{
    struct level *here = *level;
    BOOL is_directory;
    HANDLE handle;

    if (!open_entry(here->directory, entry, &handle, &is_directory)) {
        here->index++;
        return;
    }
    NtMakeTemporaryObject(handle);
    if (is_directory) {
        here->index++;
        if (enter(level, handle))
            return;
    }
    NtClose(handle);
    if (!is_directory && entry_at(here, after) && !lstrcmpW(after->name.Buffer, entry->name.Buffer))
        here->index++;
}

/* Directories lie in directories as deep as programs like, so this does not call itself. */
static void release_permanent(HANDLE directory)
{
    struct entry *entry = mem_alloc(2 * sizeof(*entry));
    struct level *level = NULL, *left;
    BOOL before;

    if (entry && !enter(&level, directory))
        level = NULL;
    while (entry && level) {
        if (entry_at(level, entry)) {
            release_entry(&level, entry, entry + 1);
            continue;
        }
        left = level;
        level = level->outer;
        if (level) {
            level->index--; /* to the directory that is left */
            before = entry_at(level, entry);
            NtClose(left->directory);
            if (before && entry_at(level, entry + 1) && !lstrcmpW(entry->name.Buffer, entry[1].name.Buffer))
                level->index++;
        }
        mem_free(left);
    }
    mem_free(entry);
}

/* Take a silo out of the list; NULL if it is not open.  The caller holds the lock. */
static struct silo *silo_take(DWORD id)
{
    struct silo **link;

    for (link = &silos; *link; link = &(*link)->next) {
        struct silo *silo = *link;

        if (silo->id == id) {
            *link = silo->next;
            return silo;
        }
    }
    return NULL;
}

static NTSTATUS make_root(void)
{
    UNICODE_STRING name;
    NTSTATUS status = ST_SUCCESS;

    if (root_directory)
        return ST_SUCCESS;
    if ((status = unicode_from_utf8(&name, "\\winesilo")) >= 0)
        status = make_directory(&name, &root_directory);
    mem_free(name.Buffer);
    return status;
}

DWORD op_silo_open(struct reader *in, struct buffer *out)
{
    DWORD id = read_u32(in);
    struct silo *silo, *old;
    NTSTATUS status;

    (void)out;
    if (!in->ok || !id)
        return (DWORD)ST_INVALID_PARAMETER;
    if ((status = make_root()) < 0)
        return (DWORD)status;
    if (!(silo = mem_alloc(sizeof(*silo))))
        return (DWORD)ST_NO_MEMORY;
    silo->id = id;
    silo->count = 0;

    EnterCriticalSection(&silos_lock);
    if ((old = silo_take(id)))
        silo_free(old);
    if ((status = silo_fill(silo)) >= 0) {
        silo->next = silos;
        silos = silo;
    } else {
        silo_free(silo);
    }
    LeaveCriticalSection(&silos_lock);
    return status < 0 ? (DWORD)status : 0; /* "exists already" is a success */
}

DWORD op_silo_close(struct reader *in, struct buffer *out)
{
    DWORD id = read_u32(in);
    struct silo *silo;

    (void)out;
    if (!in->ok)
        return (DWORD)ST_INVALID_PARAMETER;
    EnterCriticalSection(&silos_lock);
    if ((silo = silo_take(id)))
        silo_free(silo);
    LeaveCriticalSection(&silos_lock);
    return silo ? 0 : (DWORD)ST_OBJECT_NOT_FOUND;
}

/* A handle of our own, so that SILO_CLOSE during the wait is harmless. */
static HANDLE started_event(DWORD id)
{
    HANDLE event = NULL;
    struct silo *silo;

    EnterCriticalSection(&silos_lock);
    for (silo = silos; silo && silo->id != id; silo = silo->next)
        ;
    if (silo)
        DuplicateHandle(GetCurrentProcess(), silo->handles[silo->count - 1], GetCurrentProcess(), &event,
                        SYNCHRONIZE, FALSE, 0);
    LeaveCriticalSection(&silos_lock);
    return event;
}

DWORD op_wait_scm(struct reader *in, struct buffer *out)
{
    DWORD id = read_u32(in), timeout = read_u32(in), result;
    HANDLE event;

    (void)out;
    if (!in->ok)
        return ERROR_INVALID_PARAMETER;
    if (!(event = started_event(id)))
        return ERROR_FILE_NOT_FOUND;
    result = WaitForSingleObject(event, timeout);
    CloseHandle(event);
    return result == WAIT_FAILED ? ERROR_INVALID_HANDLE : result; /* 0 or WAIT_TIMEOUT */
}
