/* Opening, closing, clearing and copying logs, and what is known of them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "event.h"

#include <winternl.h>

static HANDLE refuse(DWORD error)
{
    SetLastError(error);
    return NULL;
}

/* ---- opening ---- */

/* The file is made now: Windows has one as soon as there is a log. */
HANDLE WINAPI OpenEventLogW(const WCHAR *server, const WCHAR *name)
{
    WCHAR log[EVENT_NAME_LIMIT];
    struct event_file *file;
    DWORD error;

    if (!name)
        return refuse(ERROR_INVALID_PARAMETER);
    if (!event_is_local(server))
        return refuse(RPC_S_SERVER_UNAVAILABLE);
    event_find_log(name, log);
    if ((error = event_file_of_log(log, &file)))
        return refuse(error);
    if ((error = event_file_lock(file))) {
        event_file_close(file);
        return refuse(error);
    }
    event_file_unlock(file);
    return event_handle_new(EVENT_LOG_HANDLE, name, file);
}

HANDLE WINAPI OpenEventLogA(const char *server, const char *name)
{
    WCHAR *wide_server = event_wide(server), *wide_name = event_wide(name);
    HANDLE handle = OpenEventLogW(wide_server, wide_name);

    event_release(wide_server);
    event_release(wide_name);
    return handle;
}

HANDLE WINAPI OpenBackupEventLogW(const WCHAR *server, const WCHAR *path)
{
    struct event_file *file;
    DWORD error;

    if (!path)
        return refuse(ERROR_INVALID_PARAMETER);
    if (!event_is_local(server))
        return refuse(RPC_S_SERVER_UNAVAILABLE);
    if ((error = event_file_of_backup(path, &file)))
        return refuse(error);
    return event_handle_new(EVENT_BACKUP_HANDLE, L"", file);
}

HANDLE WINAPI OpenBackupEventLogA(const char *server, const char *path)
{
    WCHAR *wide_server = event_wide(server), *wide_path = event_wide(path);
    HANDLE handle = OpenBackupEventLogW(wide_server, wide_path);

    event_release(wide_server);
    event_release(wide_path);
    return handle;
}

BOOL WINAPI CloseEventLog(HANDLE handle)
{
    return event_handle_close(handle, EVENT_ANY);
}

/* ---- what is known of one ---- */

static BOOL read_header(HANDLE handle, struct event_header *header)
{
    struct event_handle *used = event_handle_use(handle, EVENT_ANY);
    DWORD error;

    if (!used)
        return FALSE;
    if (!(error = event_file_lock(used->file))) {
        *header = used->file->header;
        event_file_unlock(used->file);
    }
    event_handle_done(used);
    return event_succeeded(error);
}

BOOL WINAPI GetNumberOfEventLogRecords(HANDLE handle, DWORD *number)
{
    struct event_header header;

    if (!number)
        return event_succeeded(ERROR_INVALID_PARAMETER);
    if (!read_header(handle, &header))
        return FALSE;
    *number = header.oldest ? header.next - header.oldest : 0;
    return TRUE;
}

BOOL WINAPI GetOldestEventLogRecord(HANDLE handle, DWORD *oldest)
{
    struct event_header header;

    if (!oldest)
        return event_succeeded(ERROR_INVALID_PARAMETER);
    if (!read_header(handle, &header))
        return FALSE;
    *oldest = header.oldest;
    return TRUE;
}

BOOL WINAPI GetEventLogInformation(HANDLE handle, DWORD level, void *buffer, DWORD size, DWORD *needed)
{
    EVENTLOG_FULL_INFORMATION *information = buffer;
    struct event_header header;

    if (level != EVENTLOG_FULL_INFO)
        return event_succeeded(ERROR_INVALID_LEVEL);
    if (!read_header(handle, &header))
        return FALSE;
    if (!buffer || !needed)
        return event_succeeded(RPC_X_NULL_REF_POINTER);
    *needed = sizeof(*information);
    if (size < sizeof(*information))
        return event_succeeded(ERROR_INSUFFICIENT_BUFFER);
    information->dwFull = !!(header.flags & EVENT_FULL);
    return TRUE;
}

/* ---- copies ---- */

static DWORD save(struct event_handle *handle, const WCHAR *path)
{
    DWORD error = event_file_snapshot(handle->file, &handle->snapshot);

    return error ? error : event_file_save(path, &handle->snapshot);
}

BOOL WINAPI BackupEventLogW(HANDLE handle, const WCHAR *path)
{
    struct event_handle *used;
    DWORD error;

    if (!path)
        return event_succeeded(ERROR_INVALID_PARAMETER);
    if (!(used = event_handle_use(handle, EVENT_ANY)))
        return FALSE;
    if (!(error = event_file_lock(used->file))) {
        error = save(used, path);
        event_file_unlock(used->file);
    }
    event_handle_done(used);
    return event_succeeded(error);
}

BOOL WINAPI BackupEventLogA(HANDLE handle, const char *path)
{
    WCHAR *wide = event_wide(path);
    BOOL done = BackupEventLogW(handle, wide);

    event_release(wide);
    return done;
}

/* Nothing is lost in between: both happen while nobody else writes. */
BOOL WINAPI ClearEventLogW(HANDLE handle, const WCHAR *path)
{
    struct event_handle *used = event_handle_use(handle, EVENT_WRITABLE);
    DWORD error;

    if (!used)
        return FALSE;
    if (!(error = event_file_lock(used->file))) {
        error = path ? save(used, path) : ERROR_SUCCESS;
        if (!error)
            error = event_file_clear(used->file);
        event_file_unlock(used->file);
    }
    event_handle_done(used);
    return event_succeeded(error);
}

BOOL WINAPI ClearEventLogA(HANDLE handle, const char *path)
{
    WCHAR *wide = event_wide(path);
    BOOL done = ClearEventLogW(handle, wide);

    event_release(wide);
    return done;
}

/* ---- notification ---- */

BOOL WINAPI NotifyChangeEventLog(HANDLE handle, HANDLE event)
{
    struct event_handle *used = event_handle_use(handle, EVENT_WRITABLE);
    DWORD error;

    if (!used)
        return FALSE;
    error = event_watch_start(used, event);
    event_handle_done(used);
    return event_succeeded(error);
}
