/* ReadEventLog: records of a log or of a copy of one, as they are in the file or with texts of the code page.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "event.h"

#define WAYS (EVENTLOG_SEQUENTIAL_READ | EVENTLOG_SEEK_READ)
#define DIRECTIONS (EVENTLOG_FORWARDS_READ | EVENTLOG_BACKWARDS_READ)

static BOOL flags_ok(DWORD flags)
{
    return ((flags & WAYS) == EVENTLOG_SEQUENTIAL_READ || (flags & WAYS) == EVENTLOG_SEEK_READ) &&
           ((flags & DIRECTIONS) == EVENTLOG_FORWARDS_READ || (flags & DIRECTIONS) == EVENTLOG_BACKWARDS_READ);
}

/* ---- texts of the code page ---- */

static DWORD narrow(const WCHAR *text, BYTE *to)
{
    return (DWORD)WideCharToMultiByte(CP_ACP, 0, text, -1, (char *)to, to ? MAXSHORT * 4 : 0, NULL, NULL);
}

/* Converts so many strings in a row; how long they are. With NULL it only counts. */
static DWORD narrow_all(const WCHAR *text, DWORD count, BYTE *to)
{
    DWORD size = 0;

    for (; count; count--, text += event_length(text) + 1)
        size += narrow(text, to ? to + size : NULL);
    return size;
}

/* The same record with other texts; how long it is. With NULL it only counts. */
static DWORD convert(const struct event_record *record, BYTE *to)
{
    const BYTE *from = (const BYTE *)record;
    DWORD names = narrow_all((const WCHAR *)(from + EVENT_RECORD_SIZE), 2, to ? to + EVENT_RECORD_SIZE : NULL);
    DWORD sid_at = ((EVENT_RECORD_SIZE + names) / 4 + 1) * 4, strings_at = sid_at + record->sid_length;
    DWORD data_at = strings_at + narrow_all((const WCHAR *)(from + record->string_offset), record->strings,
                                            to ? to + strings_at : NULL);
    DWORD length = (data_at + record->data_length + 3) / 4 * 4 + 4;
    struct event_record *head = (struct event_record *)to;

    if (!to)
        return length;
    memset(to + EVENT_RECORD_SIZE + names, 0, sid_at - EVENT_RECORD_SIZE - names);
    memset(to + data_at + record->data_length, 0, length - data_at - record->data_length);
    memcpy(to + sid_at, from + record->sid_offset, record->sid_length);
    memcpy(to + data_at, from + record->data_offset, record->data_length);
    *head = *record;
    head->length = length;
    head->string_offset = strings_at;
    head->sid_offset = sid_at;
    head->data_offset = data_at;
    memcpy(to + length - 4, &length, 4);
    return length;
}

static DWORD copy(const struct event_record *record, BYTE *to)
{
    if (to)
        memcpy(to, record, record->length);
    return record->length;
}

/* ---- which records ---- */

/* The number of the first record to read. A log with fewer records than were read has been cleared since. */
static DWORD first_number(struct event_handle *handle, DWORD flags, DWORD wanted, DWORD *number)
{
    const struct event_snapshot *snapshot = &handle->snapshot;
    DWORD oldest = snapshot->header.oldest, next = oldest + snapshot->count;
    BOOL forwards = !!(flags & EVENTLOG_FORWARDS_READ);

    if (flags & EVENTLOG_SEEK_READ) {
        *number = wanted;
        return snapshot->count && wanted >= oldest && wanted < next ? ERROR_SUCCESS : ERROR_INVALID_PARAMETER;
    }
    if (handle->read && handle->last >= snapshot->header.next)
        return ERROR_EVENTLOG_FILE_CHANGED;
    if (!snapshot->count)
        return ERROR_HANDLE_EOF;
    *number = handle->read ? forwards ? handle->last + 1 : handle->last - 1 : forwards ? oldest : next - 1;
    if (forwards && *number < oldest)
        *number = oldest; /* those in between are overwritten */
    return *number >= oldest && *number < next ? ERROR_SUCCESS : ERROR_HANDLE_EOF;
}

static DWORD read_records(struct event_handle *handle, DWORD flags, DWORD number, BOOL ansi, BYTE *buffer, DWORD size,
                          DWORD *read, DWORD *needed)
{
    DWORD (*give)(const struct event_record *, BYTE *) = ansi ? convert : copy;
    const struct event_snapshot *snapshot = &handle->snapshot;
    DWORD step = flags & EVENTLOG_FORWARDS_READ ? 1 : MAXDWORD;

    for (DWORD at = number - snapshot->header.oldest; at < snapshot->count; at += step) {
        const struct event_record *record =
            (const struct event_record *)(snapshot->records + snapshot->offsets[at]);
        DWORD length;

        if (!event_record_sound(record))
            return *read ? ERROR_SUCCESS : ERROR_EVENTLOG_FILE_CORRUPT;
        if ((length = give(record, NULL)) > size - *read) {
            if (*read)
                return ERROR_SUCCESS;
            *needed = length;
            return ERROR_INSUFFICIENT_BUFFER;
        }
        *read += give(record, buffer + *read);
        handle->read = TRUE;
        handle->last = record->number;
    }
    return ERROR_SUCCESS;
}

static DWORD refresh(struct event_handle *handle)
{
    DWORD error = event_file_lock(handle->file);

    if (error)
        return error;
    error = event_file_snapshot(handle->file, &handle->snapshot);
    event_file_unlock(handle->file);
    return error;
}

static BOOL read_log(HANDLE handle, DWORD flags, DWORD wanted, BOOL ansi, void *buffer, DWORD size, DWORD *read,
                     DWORD *needed)
{
    struct event_handle *used;
    DWORD error, number;

    if (!flags_ok(flags) || !buffer || !read || !needed)
        return event_succeeded(ERROR_INVALID_PARAMETER);
    if (!(used = event_handle_use(handle, EVENT_ANY)))
        return FALSE;
    *read = *needed = 0;
    if (!(error = refresh(used)) && !(error = first_number(used, flags, wanted, &number)))
        error = read_records(used, flags, number, ansi, buffer, size, read, needed);
    event_handle_done(used);
    return event_succeeded(error);
}

BOOL WINAPI ReadEventLogW(HANDLE handle, DWORD flags, DWORD number, void *buffer, DWORD size, DWORD *read,
                          DWORD *needed)
{
    return read_log(handle, flags, number, FALSE, buffer, size, read, needed);
}

BOOL WINAPI ReadEventLogA(HANDLE handle, DWORD flags, DWORD number, void *buffer, DWORD size, DWORD *read,
                          DWORD *needed)
{
    return read_log(handle, flags, number, TRUE, buffer, size, read, needed);
}
