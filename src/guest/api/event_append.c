/* A record more in a log's file.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * First the header says that somebody writes, and no longer counts what will be overwritten; then come the record and the
 * mark of the end; then the header says where that is. Whoever is killed in between leaves the dirty flag, and a header
 * whose first record still is one. */

#include "event.h"

#define NEVER_OVERWRITE MAXDWORD

DWORD event_time(void)
{
    static const ULONGLONG ticks_1601_to_1970 = 116444736000000000ull;
    ULARGE_INTEGER time;
    FILETIME now;

    GetSystemTimeAsFileTime(&now);
    time.LowPart = now.dwLowDateTime;
    time.HighPart = now.dwHighDateTime;
    return (DWORD)((time.QuadPart - ticks_1601_to_1970) / 10000000);
}

/* Takes the oldest record out, unless it is to be kept: 0 always overwrites, and a number of seconds keeps for that long. */
static DWORD drop_oldest(struct event_file *file)
{
    struct event_header *header = &file->header;
    DWORD place = event_place(header->start, header->max_size), error;
    struct event_record oldest;

    if ((error = event_file_read(file, place, &oldest, sizeof(oldest))))
        return error;
    if (oldest.signature != EVENT_SIGNATURE || oldest.number != header->oldest ||
        oldest.length < EVENT_LEAST_RECORD ||
        oldest.length > event_used(header, header->max_size))
        return ERROR_EVENTLOG_FILE_CORRUPT;
    if (header->retention == NEVER_OVERWRITE ||
        (header->retention && event_time() - oldest.written < header->retention))
        return ERROR_LOG_FILE_FULL;
    header->start = event_place(event_advance(place, oldest.length, header->max_size), header->max_size);
    if (++header->oldest == header->next) {
        header->oldest = 0;
        header->start = header->end = EVENT_HEADER_SIZE;
    }
    return ERROR_SUCCESS;
}

/* What has to be there behind the end: what is left of the ring if the record can't begin there, it, and the mark. */
static DWORD room_for(const struct event_header *header, DWORD length)
{
    DWORD place = event_place(header->end, header->max_size);

    return (place == header->end ? 0 : header->max_size - header->end) + length + EVENT_END_SIZE;
}

static BOOL fits_before_end(const struct event_header *header, DWORD length)
{
    return header->start <= header->end && header->end + length + EVENT_END_SIZE <= header->max_size;
}

/* What the key says now counts as long as the ring has not been closed; it may grow, but shrinks only when cleared. */
static void apply_settings(struct event_file *file)
{
    struct event_settings settings;

    event_settings_of(file->log, &settings);
    file->header.retention = settings.retention;
    if (file->header.start <= file->header.end)
        file->header.max_size = settings.max_size > file->size ? settings.max_size : file->size;
}

static DWORD make_room(struct event_file *file, DWORD length)
{
    struct event_header *header = &file->header;
    DWORD error = ERROR_SUCCESS;

    if (fits_before_end(header, length))
        return ERROR_SUCCESS;
    apply_settings(file);
    if (length + EVENT_END_SIZE > header->max_size - EVENT_HEADER_SIZE)
        return ERROR_LOG_FILE_FULL;
    while (!error && !fits_before_end(header, length) &&
           header->max_size - EVENT_HEADER_SIZE - event_used(header, header->max_size) < room_for(header, length))
        error = drop_oldest(file);
    if (!error && !fits_before_end(header, length)) {
        header->flags |= EVENT_WRAPPED;
        error = event_file_grow(file, header->max_size);
    }
    return error;
}

static DWORD fill(struct event_file *file, DWORD from, DWORD to)
{
    static const DWORD filler = EVENT_FILLER;
    DWORD error = ERROR_SUCCESS;

    for (; !error && from < to; from += sizeof(filler))
        error = event_file_write(file, from, &filler, sizeof(filler));
    return error;
}

static DWORD refuse_full(struct event_file *file)
{
    if (!(file->header.flags & EVENT_FULL)) {
        file->header.flags |= EVENT_FULL;
        event_file_write_header(file);
    }
    return ERROR_LOG_FILE_FULL;
}

/* The record, and the mark of the end behind it. */
static DWORD write_record(struct event_file *file, const struct event_record *record, DWORD place)
{
    struct event_end end = event_end_of(&file->header);
    BYTE *bytes = event_allocate(record->length + sizeof(end));
    DWORD error;

    if (!bytes)
        return ERROR_NOT_ENOUGH_MEMORY;
    memcpy(bytes, record, record->length);
    memcpy(bytes + record->length, &end, sizeof(end));
    error = event_file_write(file, place, bytes, record->length + sizeof(end));
    event_release(bytes);
    return error;
}

DWORD event_file_append(struct event_file *file, struct event_record *record)
{
    struct event_header *header = &file->header, before = *header;
    DWORD place, old_end, error = make_room(file, record->length);

    if (error == ERROR_EVENTLOG_FILE_CORRUPT) {
        *header = before;
        if (!(error = event_file_recover(file))) {
            before = *header;
            error = make_room(file, record->length);
        }
    }
    if (error) {
        *header = before;
        return error == ERROR_LOG_FILE_FULL ? refuse_full(file) : error;
    }
    header->flags = (header->flags & ~(EVENT_FULL | EVENT_ARCHIVE)) | EVENT_DIRTY;
    if ((error = event_file_write_header(file)))
        return error;
    old_end = header->end;
    place = event_place(old_end, header->max_size);
    if (place != old_end)
        error = fill(file, old_end, header->max_size);
    record->number = header->next++;
    record->written = event_time();
    if (!header->oldest) {
        header->oldest = record->number;
        header->start = place;
    }
    header->end = event_advance(place, record->length, header->max_size);
    if (!error)
        error = write_record(file, record, place);
    if (error)
        return error; /* who comes next puts it right */
    header->flags &= ~(uint32_t)(EVENT_DIRTY | EVENT_WRAPPED);
    if (header->start > header->end)
        header->flags |= EVENT_WRAPPED;
    return event_file_write_header(file);
}
