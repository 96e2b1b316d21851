/* NotifyChangeEventLog: an event that is pulsed when somebody writes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * No service knows who waits: each process watches the folder of the log's file, and asks the file's header whether there
 * is something new. Nobody who writes needs to know of it, which costs nothing then. */

#include "event.h"

struct event_watch {
    struct event_watch *next; /* of the same log handle */
    HANDLE event, change, wait;
    struct event_file *file;
    DWORD seen; /* the number that the next record will have */
};

static void CALLBACK on_change(void *context, BOOLEAN timed_out)
{
    struct event_watch *watch = context;
    DWORD before = watch->seen;

    (void)timed_out;
    FindNextChangeNotification(watch->change); /* first, so that nothing that follows is missed */
    if (event_file_lock(watch->file))
        return;
    watch->seen = watch->file->header.next;
    event_file_unlock(watch->file);
    if (watch->seen > before || (watch->seen < before && watch->seen > 1))
        PulseEvent(watch->event);
}

void event_watch_stop(struct event_watch *watch)
{
    while (watch) {
        struct event_watch *next = watch->next;

        if (watch->wait)
            UnregisterWaitEx(watch->wait, INVALID_HANDLE_VALUE);
        if (watch->change != INVALID_HANDLE_VALUE)
            FindCloseChangeNotification(watch->change);
        if (watch->event)
            CloseHandle(watch->event);
        event_file_close(watch->file);
        event_release(watch);
        watch = next;
    }
}

static HANDLE watch_folder(const WCHAR *path)
{
    WCHAR *folder = event_copy_text(path);
    HANDLE change = INVALID_HANDLE_VALUE;
    void *redirection = NULL;
    SIZE_T size;
    BOOL off;

    if (!folder)
        return change;
    for (size = event_length(folder); size && folder[size] != '\\'; size--)
        ;
    folder[size] = 0;
    off = Wow64DisableWow64FsRedirection(&redirection);
    change = FindFirstChangeNotificationW(folder, FALSE, FILE_NOTIFY_CHANGE_LAST_WRITE | FILE_NOTIFY_CHANGE_SIZE);
    if (off)
        Wow64RevertWow64FsRedirection(redirection);
    event_release(folder);
    return change;
}

DWORD event_watch_start(struct event_handle *handle, HANDLE event)
{
    struct event_watch *watch = event_allocate(sizeof(*watch));
    DWORD error = ERROR_SUCCESS;

    if (!watch)
        return ERROR_NOT_ENOUGH_MEMORY;
    watch->change = INVALID_HANDLE_VALUE;
    if (!DuplicateHandle(GetCurrentProcess(), event, GetCurrentProcess(), &watch->event, 0, FALSE,
                         DUPLICATE_SAME_ACCESS))
        error = GetLastError();
    if (!error)
        error = event_file_of_log(handle->file->log, &watch->file);
    if (!error && !(error = event_file_lock(watch->file))) {
        watch->change = watch_folder(watch->file->path);
        if (watch->change == INVALID_HANDLE_VALUE)
            error = GetLastError();
        watch->seen = watch->file->header.next;
        event_file_unlock(watch->file);
    }
    if (!error && !RegisterWaitForSingleObject(&watch->wait, watch->change, on_change, watch, INFINITE,
                                               WT_EXECUTELONGFUNCTION))
        error = GetLastError();
    if (error) {
        event_watch_stop(watch);
        return error;
    }
    watch->next = handle->watch;
    handle->watch = watch;
    return ERROR_SUCCESS;
}
