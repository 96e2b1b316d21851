/* RegisterEventSource, ReportEvent, DeregisterEventSource.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The limits are those of "ReportEvent" in the Windows SDK and of ElfrReportEventW in [MS-EVEN] 3.1.4.12. */

#include "event.h"

#define MOST_STRINGS 256
#define LONGEST_STRING 31839
#define MOST_DATA 61440
#define COMPUTER_NAME_SIZE (MAX_COMPUTERNAME_LENGTH + 1)

NTSYSAPI BOOLEAN WINAPI RtlValidSid(PSID);
NTSYSAPI ULONG WINAPI RtlLengthSid(PSID);

/* ---- the source ---- */

HANDLE WINAPI RegisterEventSourceW(const WCHAR *server, const WCHAR *source)
{
    WCHAR log[EVENT_NAME_LIMIT];
    struct event_file *file;

    if (!source || !*source) {
        SetLastError(ERROR_INVALID_PARAMETER);
        return NULL;
    }
    if (!event_is_local(server)) {
        SetLastError(RPC_S_SERVER_UNAVAILABLE);
        return NULL;
    }
    event_find_log(source, log);
    if (!lstrcmpiW(log, L"Security") || !lstrcmpiW(source, L"Security")) { /* only the system writes there */
        SetLastError(ERROR_ACCESS_DENIED);
        return NULL;
    }
    if (!event_succeeded(event_file_of_log(log, &file)))
        return NULL;
    return event_handle_new(EVENT_SOURCE_HANDLE, source, file);
}

HANDLE WINAPI RegisterEventSourceA(const char *server, const char *source)
{
    WCHAR *wide_server = event_wide(server), *wide_source = event_wide(source);
    HANDLE handle = RegisterEventSourceW(wide_server, wide_source);

    event_release(wide_server);
    event_release(wide_source);
    return handle;
}

BOOL WINAPI DeregisterEventSource(HANDLE handle)
{
    return event_handle_close(handle, EVENT_WRITABLE);
}

/* ---- the record ---- */

struct report {
    WORD type, category, strings;
    DWORD id, data_size;
    PSID sid;
    const WCHAR **texts;
    const void *data;
};

static DWORD check(const struct report *report)
{
    if (report->strings > MOST_STRINGS || (report->strings && !report->texts) || report->data_size > MOST_DATA ||
        (report->data_size && !report->data) || (report->sid && !RtlValidSid(report->sid)))
        return ERROR_INVALID_PARAMETER;
    for (WORD i = 0; i < report->strings; i++)
        if (report->texts[i] && event_length(report->texts[i]) > LONGEST_STRING)
            return ERROR_INVALID_PARAMETER;
    return ERROR_SUCCESS;
}

static void put(BYTE *record, DWORD *at, const void *bytes, DWORD size)
{
    if (record && size)
        memcpy(record + *at, bytes, size);
    *at += size;
}

static void put_text(BYTE *record, DWORD *at, const WCHAR *text)
{
    put(record, at, text, (DWORD)((event_length(text) + 1) * sizeof(*text)));
}

/* Lays the record out; with record NULL it only counts. Up to Windows XP there are one to four bytes in front of the
 * SID, never none, so that it lies at a multiple of four. */
static DWORD lay_out(BYTE *record, const struct report *report, const WCHAR *source, const WCHAR *computer)
{
    struct event_record *head = (struct event_record *)record;
    DWORD at = EVENT_RECORD_SIZE, sid_at, strings_at, data_at, sid_size = report->sid ? RtlLengthSid(report->sid) : 0;

    put_text(record, &at, source);
    put_text(record, &at, computer);
    sid_at = at = (at / 4 + 1) * 4;
    put(record, &at, report->sid, sid_size);
    strings_at = at;
    for (WORD i = 0; i < report->strings; i++)
        put_text(record, &at, report->texts[i] ? report->texts[i] : L"");
    data_at = at;
    put(record, &at, report->data, report->data_size);
    at = (at + 3) / 4 * 4 + 4;
    if (!record)
        return at;
    *head = (struct event_record){
        .length = at,
        .signature = EVENT_SIGNATURE,
        .generated = event_time(),
        .id = report->id,
        .type = report->type,
        .strings = report->strings,
        .category = report->category,
        .string_offset = strings_at,
        .sid_length = sid_size,
        .sid_offset = sid_at,
        .data_length = report->data_size,
        .data_offset = data_at,
    };
    memcpy(record + at - 4, &at, 4);
    return at;
}

static struct event_record *make_record(const struct report *report, const WCHAR *source)
{
    WCHAR computer[COMPUTER_NAME_SIZE];
    DWORD size = COMPUTER_NAME_SIZE;
    BYTE *record;

    if (!GetComputerNameW(computer, &size))
        *computer = 0;
    if ((record = event_allocate(lay_out(NULL, report, source, computer))))
        lay_out(record, report, source, computer);
    return (struct event_record *)record;
}

static DWORD write_report(struct event_handle *handle, const struct report *report)
{
    struct event_record *record = make_record(report, handle->source);
    DWORD error;

    if (!record)
        return ERROR_NOT_ENOUGH_MEMORY;
    if (!(error = event_file_lock(handle->file))) {
        error = event_file_append(handle->file, record);
        event_file_unlock(handle->file);
    }
    event_release(record);
    return error;
}

BOOL WINAPI ReportEventW(HANDLE handle, WORD type, WORD category, DWORD id, PSID sid, WORD strings, DWORD data_size,
                         const WCHAR **texts, void *data)
{
    struct report report = {.type = type,
                            .category = category,
                            .strings = strings,
                            .id = id,
                            .data_size = data_size,
                            .sid = sid,
                            .texts = texts,
                            .data = data};
    struct event_handle *used = event_handle_use(handle, EVENT_WRITABLE);
    DWORD error;

    if (!used)
        return FALSE;
    error = check(&report);
    if (!error)
        error = write_report(used, &report);
    event_handle_done(used);
    return event_succeeded(error);
}

static void release_texts(WCHAR **texts, WORD count)
{
    for (WORD i = 0; texts && i < count; i++)
        event_release(texts[i]);
    event_release(texts);
}

BOOL WINAPI ReportEventA(HANDLE handle, WORD type, WORD category, DWORD id, PSID sid, WORD strings, DWORD data_size,
                         const char **texts, void *data)
{
    WCHAR **wide = NULL;
    BOOL done;

    if (strings && texts) {
        if (!(wide = event_allocate(strings * sizeof(*wide))))
            return event_succeeded(ERROR_NOT_ENOUGH_MEMORY);
        for (WORD i = 0; i < strings; i++)
            if (texts[i] && !(wide[i] = event_wide(texts[i]))) {
                release_texts(wide, strings);
                return event_succeeded(ERROR_NOT_ENOUGH_MEMORY);
            }
    }
    done = ReportEventW(handle, type, category, id, sid, strings, data_size, (const WCHAR **)wide, data);
    release_texts(wide, strings);
    return done;
}
