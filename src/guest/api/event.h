/* The event log: its logs, files and handles. docs/design/events.md says how they work together.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVENT_H
#define EVENT_H

#ifndef _ADVAPI32_
#define _ADVAPI32_ /* the functions are ours: no import */
#endif
#include <windows.h>

#include "event_format.h"

#define EVENT_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define EVENT_NAME_LIMIT 256 /* characters of a log's or a source's name, which are names of keys */

/* ---- event_source.c: what the registry says ---- */

struct event_settings {
    DWORD max_size, retention;
};

/* The log below whose key the source's key lies; "Application" if there is none. A log's own name is a source, too. */
void event_find_log(const WCHAR *source, WCHAR log[EVENT_NAME_LIMIT]);
void event_settings_of(const WCHAR *log, struct event_settings *settings);
/* To be released; NULL without memory. */
WCHAR *event_file_of(const WCHAR *log);
BOOL event_is_local(const WCHAR *server);

/* ---- event_file.c: a log's file, which processes share ---- */

struct event_file {
    WCHAR *path, *log;
    HANDLE file, mutex;
    struct event_header header; /* true while it is locked */
    DWORD size;
    BOOL backup; /* somebody's copy, which nobody writes */
};

struct event_snapshot {
    struct event_header header;
    BYTE *records; /* one behind the other, oldest first */
    DWORD bytes, count, *offsets;
};

DWORD event_file_of_log(const WCHAR *log, struct event_file **made);
DWORD event_file_of_backup(const WCHAR *path, struct event_file **made);
void event_file_close(struct event_file *file);
DWORD event_file_lock(struct event_file *file); /* reads the header, and recovers what a killed writer has left */
void event_file_unlock(struct event_file *file);
/* The caller has it locked. */
DWORD event_file_snapshot(struct event_file *file, struct event_snapshot *snapshot);
DWORD event_file_save(const WCHAR *path, const struct event_snapshot *snapshot);
DWORD event_file_clear(struct event_file *file);
DWORD event_file_recover(struct event_file *file);
/* Reads or writes some bytes of the ring; event_append.c has what becomes of the header. */
DWORD event_file_read(struct event_file *file, DWORD at, void *to, DWORD bytes);
DWORD event_file_write(struct event_file *file, DWORD at, const void *from, DWORD bytes);
DWORD event_file_write_header(struct event_file *file);
DWORD event_file_grow(struct event_file *file, DWORD size);
void event_snapshot_free(struct event_snapshot *snapshot);

/* ---- event_append.c ---- */

/* The record gets its number and the time at which it is written. The caller has the file locked. */
DWORD event_file_append(struct event_file *file, struct event_record *record);
DWORD event_time(void);

/* ---- event_handle.c ---- */

enum event_kind { EVENT_SOURCE_HANDLE = 1, EVENT_LOG_HANDLE = 2, EVENT_BACKUP_HANDLE = 4 };
#define EVENT_WRITABLE (EVENT_SOURCE_HANDLE | EVENT_LOG_HANDLE)
#define EVENT_ANY (EVENT_WRITABLE | EVENT_BACKUP_HANDLE)

struct event_watch;

struct event_handle {
    LONG refs;
    enum event_kind kind;
    WCHAR *source;
    struct event_file *file;
    CRITICAL_SECTION lock; /* guards what follows, and the file's use by threads of this process */
    struct event_snapshot snapshot;
    BOOL read; /* whether a record was read: */
    DWORD last;
    struct event_watch *watch;
};

/* Takes the file; NULL with an error set. */
HANDLE event_handle_new(enum event_kind kind, const WCHAR *source, struct event_file *file);
/* The handle's, locked; NULL with ERROR_INVALID_HANDLE set. */
struct event_handle *event_handle_use(HANDLE handle, unsigned kinds);
void event_handle_done(struct event_handle *handle);
BOOL event_handle_close(HANDLE handle, unsigned kinds);

/* ---- event_watch.c ---- */

DWORD event_watch_start(struct event_handle *handle, HANDLE event);
void event_watch_stop(struct event_watch *watch);

/* ---- event_text.c ---- */

void *event_allocate(SIZE_T size); /* zeroed */
void event_release(void *memory);
WCHAR *event_wide(const char *text); /* to be released; NULL without memory, or for NULL */
WCHAR *event_copy_text(const WCHAR *text);
SIZE_T event_length(const WCHAR *text);
BOOL event_succeeded(DWORD error); /* sets the error unless it is 0 */

#endif
