/* What the SCM reports to the System log: source "Service Control Manager", ids and inserted strings as in netevent.h of
 * the Windows SDK. The texts are in messages.mc.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A worker of the thread pool writes them, in order: nobody waits for a file, least of all who holds the lock. The
 * functions are looked up then, so that a silo in which nothing happens does not load them. */

#include "scm.h"

#include <wchar.h>

#include "messages.h"

#define SOURCE L"Service Control Manager"
#define SOURCES_KEY L"System\\CurrentControlSet\\Services\\EventLog\\System\\"
#define SOURCE_KEY SOURCES_KEY SOURCE
#define MOST_STRINGS 5

struct report {
    struct report *next;
    WORD type;
    DWORD id;
    unsigned count;
    WCHAR *strings[MOST_STRINGS], *data;
};

static SRWLOCK queue_lock = SRWLOCK_INIT;
static CONDITION_VARIABLE queue_empty = CONDITION_VARIABLE_INIT;
static struct report *first, **last = &first;
static BOOL writing;

/* ---- written ---- */

static HANDLE(WINAPI *register_source)(const WCHAR *, const WCHAR *);
static BOOL(WINAPI *report_event)(HANDLE, WORD, WORD, DWORD, PSID, WORD, DWORD, const WCHAR **, void *);

/* Where the texts are, and which types there are: "Event Sources" in the Windows SDK. The event log's own source is one
 * of the System log too, as on Windows: without its key it would be taken for an unknown one, of the Application log. */
static void describe_source(void)
{
    static const WCHAR file[] = L"%SystemRoot%\\system32\\services.exe";
    static const DWORD types = EVENTLOG_ERROR_TYPE | EVENTLOG_WARNING_TYPE | EVENTLOG_INFORMATION_TYPE;
    DWORD disposition;
    HKEY key;

    if (RegCreateKeyExW(HKEY_LOCAL_MACHINE, SOURCE_KEY, 0, NULL, REG_OPTION_NON_VOLATILE, KEY_SET_VALUE, NULL, &key,
                        &disposition))
        return;
    if (disposition == REG_CREATED_NEW_KEY) {
        HKEY other;

        if (!RegCreateKeyExW(HKEY_LOCAL_MACHINE, SOURCES_KEY L"EventLog", 0, NULL, REG_OPTION_NON_VOLATILE,
                             KEY_SET_VALUE, NULL, &other, NULL))
            RegCloseKey(other);
        RegSetValueExW(key, L"EventMessageFile", 0, REG_EXPAND_SZ, (const BYTE *)file, sizeof(file));
        RegSetValueExW(key, L"TypesSupported", 0, REG_DWORD, (const BYTE *)&types, sizeof(types));
    }
    RegCloseKey(key);
}

static HANDLE open_source(void)
{
    HMODULE advapi32 = GetModuleHandleW(L"advapi32.dll");

    register_source = (void *)GetProcAddress(advapi32, "RegisterEventSourceW");
    report_event = (void *)GetProcAddress(advapi32, "ReportEventW");
    if (!register_source || !report_event)
        return NULL;
    describe_source();
    return register_source(NULL, SOURCE);
}

static struct report *next_report(void)
{
    struct report *report;

    AcquireSRWLockExclusive(&queue_lock);
    if ((report = first)) {
        if (!(first = report->next))
            last = &first;
    } else {
        writing = FALSE;
        WakeAllConditionVariable(&queue_empty);
    }
    ReleaseSRWLockExclusive(&queue_lock);
    return report;
}

static DWORD WINAPI write_reports(void *context)
{
    static HANDLE source; /* one worker runs at a time */
    static BOOL tried;
    struct report *report;

    (void)context;
    if (!tried) {
        tried = TRUE;
        source = open_source();
    }
    while ((report = next_report())) {
        if (source)
            report_event(source, report->type, 0, report->id, NULL, (WORD)report->count,
                         (DWORD)((wcslen(report->data) + 1) * sizeof(WCHAR)), (const WCHAR **)report->strings,
                         report->data);
        for (unsigned i = 0; i < report->count; i++)
            release(report->strings[i]);
        release(report->data);
        release(report);
    }
    return 0;
}

/* What is still to be written is, before the silo ends. */
void await_reports(ULONGLONG deadline)
{
    AcquireSRWLockExclusive(&queue_lock);
    while (writing && now() < deadline)
        SleepConditionVariableSRW(&queue_empty, &queue_lock, (DWORD)(deadline - now()), 0);
    ReleaseSRWLockExclusive(&queue_lock);
}

/* ---- reported ---- */

/* The severity is in the two highest bits of an id: "Event Identifiers" in the Windows SDK. */
static WORD type_of(DWORD id)
{
    static const WORD types[] = {EVENTLOG_INFORMATION_TYPE, EVENTLOG_INFORMATION_TYPE, EVENTLOG_WARNING_TYPE,
                                 EVENTLOG_ERROR_TYPE};

    return types[id >> 30];
}

static WCHAR *number_text(const WCHAR *prefix, DWORD number)
{
    WCHAR *text = NULL;

    append(&text, prefix);
    append_number(&text, number);
    return text;
}

/* Takes the strings. The data say which service it is about, and in which state, as those of Windows' event 7036 do:
 * what is inserted into a text is a name for people. */
static void enqueue(const struct service *service, DWORD id, unsigned count, WCHAR *const *strings)
{
    struct report *report = allocate(sizeof(*report));
    BOOL start;

    report->type = type_of(id);
    report->id = id;
    report->count = count;
    report->data = copy_string(service->name);
    append(&report->data, L"/");
    append_number(&report->data, service->status.dwCurrentState);
    memcpy(report->strings, strings, count * sizeof(*strings));
    AcquireSRWLockExclusive(&queue_lock);
    *last = report;
    last = &report->next;
    start = !writing;
    writing = TRUE;
    ReleaseSRWLockExclusive(&queue_lock);
    if (start && !QueueUserWorkItem(write_reports, NULL, WT_EXECUTELONGFUNCTION)) {
        AcquireSRWLockExclusive(&queue_lock);
        writing = FALSE;
        ReleaseSRWLockExclusive(&queue_lock);
    }
}

/* Errors are named as %%N, which stands for the system's text. */
static WCHAR *error_text(DWORD error)
{
    return number_text(L"%%", error);
}

static WCHAR *name_of(const struct service *service)
{
    return copy_string(display_of(service));
}

/* Windows says nothing of the states of drivers. */
void report_state(const struct service *service, DWORD before)
{
    static const WCHAR *const states[] = {
        [SERVICE_STOPPED] = L"stopped", [SERVICE_RUNNING] = L"running", [SERVICE_PAUSED] = L"paused"};
    DWORD state = service->status.dwCurrentState, error = service->status.dwWin32ExitCode;

    if (state == before || state >= COUNT(states) || !states[state] || is_driver(service) || service->driver_host)
        return;
    if (state == SERVICE_STOPPED && error == ERROR_SERVICE_SPECIFIC_ERROR)
        enqueue(service, EVENT_SERVICE_EXIT_FAILED_SPECIFIC, 2,
                (WCHAR *[]){name_of(service), number_text(L"", service->status.dwServiceSpecificExitCode)});
    else if (state == SERVICE_STOPPED && error && error != ERROR_SERVICE_NEVER_STARTED)
        enqueue(service, EVENT_SERVICE_EXIT_FAILED, 2, (WCHAR *[]){name_of(service), error_text(error)});
    enqueue(service, EVENT_SERVICE_STATUS_SUCCESS, 2, (WCHAR *[]){name_of(service), copy_string(states[state])});
}

void report_start_failed(const struct service *service, DWORD error)
{
    enqueue(service, EVENT_SERVICE_START_FAILED, 2, (WCHAR *[]){name_of(service), error_text(error)});
}

void report_no_connection(const struct service *service, DWORD milliseconds)
{
    enqueue(service, EVENT_CONNECTION_TIMEOUT, 2, (WCHAR *[]){number_text(L"", milliseconds), name_of(service)});
}

void report_needed_failed(const struct service *service, const struct service *needed, DWORD error)
{
    enqueue(service, EVENT_SERVICE_START_FAILED_II, 3, (WCHAR *[]){name_of(service), name_of(needed), error_text(error)});
}

/* The action is NULL if there is none. */
void report_crash(const struct service *service, const SC_ACTION *action)
{
    static const WCHAR *const texts[] = {
        [SC_ACTION_NONE] = L"Take no action",
        [SC_ACTION_RESTART] = L"Restart the service",
        [SC_ACTION_REBOOT] = L"Restart the computer",
        [SC_ACTION_RUN_COMMAND] = L"Run the configured recovery program",
    };
    WCHAR *failures = number_text(L"", service->failures);

    if (!action || action->Type == SC_ACTION_NONE || (DWORD)action->Type >= COUNT(texts))
        enqueue(service, EVENT_SERVICE_CRASH_NO_ACTION, 2, (WCHAR *[]){name_of(service), failures});
    else
        enqueue(service, EVENT_SERVICE_CRASH, 5,
                (WCHAR *[]){name_of(service), failures, number_text(L"", action->Delay),
                            number_text(L"", action->Type), copy_string(texts[action->Type])});
}

void report_installed(const struct service *service)
{
    static const WCHAR *const starts[] = {L"boot start", L"system start", L"auto start", L"demand start", L"disabled"};
    const struct config *config = &service->config;
    const WCHAR *kind = config->type & SERVICE_FILE_SYSTEM_DRIVER ? L"file system driver"
                        : is_driver(service)                      ? L"kernel mode driver"
                                                                  : L"user mode service";

    enqueue(service, EVENT_SERVICE_INSTALLED, 5,
            (WCHAR *[]){copy_string(service->name), copy_string(config->image ? config->image : L""),
                        copy_string(kind), copy_string(config->start < COUNT(starts) ? starts[config->start] : L""),
                        copy_string(config->account && !is_driver(service) ? config->account : L"")});
}
