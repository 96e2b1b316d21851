/* StartServiceCtrlDispatcher: hosts the services of a process until all of them have stopped.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * As documented ("StartServiceCtrlDispatcher", "Service Entry Point"): handlers run on the thread that has called,
 * main functions on threads of their own; a service runs until it reports that it has stopped, also where its main
 * function has returned. Which ones run only the manager knows: it closes the pipe when none does any more. */

#include "scm_services.h"

#include "../scm/pipe.h"

#include <string.h>
#include <wchar.h>
#include <winternl.h>

#define SERVICE_SET_STATUS 0x8000 /* Wine's right to report a status, which winsvc.h does not have */
#define LARGEST_REQUEST 0x100000
#define LAST_WORDS_MS 2000
/* PROCESSINFOCLASS of Wine's winternl.h, the same in 8.0 and 10.0: the process does not keep Wine alive, and gets an
 * event that is set when no process does any more. */
#define PROCESS_MAKE_SYSTEM 1000

SRWLOCK scm_services_lock = SRWLOCK_INIT;
struct scm_service *scm_services;
DWORD scm_service_count;

struct dispatcher {
    SC_HANDLE manager;
    HANDLE pipe, event;
    HANDLE end; /* of Wine; NULL when the services have been told */
    ULONGLONG deadline;
    BOOL asked; /* the manager has sent something: this is a process of its */
};

/* ---- main functions ---- */

struct call {
    BOOL ansi;
    LPSERVICE_MAIN_FUNCTIONW wide_main;
    LPSERVICE_MAIN_FUNCTIONA ansi_main;
    DWORD count;
    void *arguments[]; /* and NULL, and the texts */
};

/* The arguments are a list, each with a NUL; there may be empty ones, so that it ends with the data. */
static struct call *pack(const struct scm_service *service, const WCHAR *data, DWORD length)
{
    DWORD count = 0, size = length * sizeof(*data);
    struct call *call;
    char *text;

    for (DWORD i = 0; i < length; i++)
        count += !data[i];
    if (service->ansi && length)
        size = WideCharToMultiByte(CP_ACP, 0, data, (int)length, NULL, 0, NULL, NULL);
    if (!(call = scm_allocate(sizeof(*call) + (count + 1) * sizeof(void *) + size)))
        return NULL;
    text = (char *)&call->arguments[count + 1];
    call->ansi = service->ansi;
    call->wide_main = service->main.wide;
    call->ansi_main = service->main.ansi;
    call->count = count;
    if (service->ansi && length)
        WideCharToMultiByte(CP_ACP, 0, data, (int)length, text, (int)size, NULL, NULL);
    else
        memcpy(text, data, size);
    for (DWORD i = 0; i < count; i++) {
        call->arguments[i] = text;
        text += service->ansi ? strlen(text) + 1 : (wcslen((WCHAR *)text) + 1) * sizeof(WCHAR);
    }
    return call;
}

static DWORD WINAPI run_main(void *context)
{
    struct call *call = context;

    if (call->ansi)
        call->ansi_main(call->count, (char **)call->arguments);
    else
        call->wide_main(call->count, (WCHAR **)call->arguments);
    scm_release(call);
    return 0;
}

/* A table with one row takes any service that has its process to itself; one that shares it must be in the table. */
static BOOL takes(const struct scm_service *service, SC_HANDLE handle, const WCHAR *name)
{
    rpc_config config = {0};
    u32_t unused;
    BOOL own;

    if (CompareStringOrdinal(name, -1, service->name, -1, TRUE) == CSTR_EQUAL)
        return TRUE;
    own = !RQueryServiceConfigW(handle, &config, MAXLONG, &unused) && (config.type & SERVICE_WIN32_OWN_PROCESS);
    scm_release(config.image);
    scm_release(config.group);
    scm_release(config.dependencies);
    scm_release(config.account);
    scm_release(config.display);
    return own;
}

static DWORD start(struct dispatcher *dispatcher, struct scm_service *service, const WCHAR *name, const WCHAR *data,
                   DWORD length)
{
    SC_HANDLE handle = wine_OpenServiceW(dispatcher->manager, name, SERVICE_SET_STATUS | SERVICE_QUERY_CONFIG);
    struct call *call;
    HANDLE thread;

    if (!handle)
        return GetLastError();
    if (!takes(service, handle, name)) {
        wine_CloseServiceHandle(handle);
        return ERROR_SERVICE_NOT_IN_EXE;
    }
    AcquireSRWLockExclusive(&scm_services_lock);
    if (!service->handle) { /* it stays the same, for threads of an earlier start */
        service->handle = handle;
        handle = NULL;
    }
    service->plain = NULL;
    service->handler = NULL;
    ReleaseSRWLockExclusive(&scm_services_lock);
    if (handle)
        wine_CloseServiceHandle(handle);
    if (length && !data[length - 1]) /* the list's own NUL */
        length--;
    if (!(call = pack(service, data, length)))
        return ERROR_NOT_ENOUGH_MEMORY;
    if (!(thread = CreateThread(NULL, 0, run_main, call, 0, NULL))) {
        scm_release(call);
        return ERROR_SERVICE_NO_THREAD;
    }
    CloseHandle(thread);
    return ERROR_SUCCESS;
}

/* ---- controls ---- */

static DWORD tell(const struct scm_service *service, DWORD control, void *data)
{
    LPHANDLER_FUNCTION_EX handler;
    LPHANDLER_FUNCTION plain;
    void *context;

    AcquireSRWLockShared(&scm_services_lock);
    handler = service->handler;
    plain = service->plain;
    context = service->context;
    ReleaseSRWLockShared(&scm_services_lock);
    if (handler)
        return handler(control, 0, data, context);
    if (!plain)
        return ERROR_INVALID_SERVICE_CONTROL;
    plain(control);
    return ERROR_SUCCESS;
}

/* Wine ends, and nobody else may be there any more to say so. */
static void say_last_words(struct dispatcher *dispatcher)
{
    dispatcher->deadline = GetTickCount64() + LAST_WORDS_MS;
    dispatcher->end = NULL;
    for (DWORD i = 0; i < scm_service_count; i++) {
        if (scm_services[i].accepts & SERVICE_ACCEPT_PRESHUTDOWN)
            tell(&scm_services[i], SERVICE_CONTROL_PRESHUTDOWN, NULL);
        if (scm_services[i].accepts & SERVICE_ACCEPT_SHUTDOWN)
            tell(&scm_services[i], SERVICE_CONTROL_SHUTDOWN, NULL);
    }
}

static DWORD obey(struct dispatcher *dispatcher, const struct request *request, DWORD size)
{
    const WCHAR *name = (const WCHAR *)request->data, *data = name + request->name_size;
    DWORD length = (DWORD)((size - sizeof(*request)) / sizeof(*name));
    struct scm_service *service;

    if (request->magic != REQUEST_MAGIC || !request->name_size || request->name_size > length ||
        name[request->name_size - 1])
        return ERROR_INVALID_PARAMETER;
    length -= request->name_size;
    if (!(service = scm_find_service(name)))
        return ERROR_SERVICE_NOT_IN_EXE;
    if (request->control == CONTROL_START)
        return start(dispatcher, service, name, data, length);
    return tell(service, request->control, length ? (void *)data : NULL);
}

/* ---- the pipe ---- */

static BOOL settle(struct dispatcher *dispatcher, OVERLAPPED *overlapped, DWORD *size)
{
    for (;;) {
        HANDLE handles[] = {dispatcher->event, dispatcher->end};
        ULONGLONG now = GetTickCount64();
        DWORD timeout = INFINITE, result;

        if (dispatcher->deadline)
            timeout = now < dispatcher->deadline ? (DWORD)(dispatcher->deadline - now) : 0;
        result = WaitForMultipleObjects(dispatcher->end ? 2 : 1, handles, FALSE, timeout);
        if (result == WAIT_OBJECT_0 + 1) {
            say_last_words(dispatcher);
            continue;
        }
        if (result != WAIT_OBJECT_0)
            CancelIoEx(dispatcher->pipe, overlapped);
        return GetOverlappedResult(dispatcher->pipe, overlapped, size, TRUE);
    }
}

static BOOL read_bytes(struct dispatcher *dispatcher, void *to, DWORD size)
{
    for (DWORD done = 0, got; done < size; done += got) {
        OVERLAPPED overlapped = {.hEvent = dispatcher->event};

        ResetEvent(dispatcher->event);
        if (!ReadFile(dispatcher->pipe, (BYTE *)to + done, size - done, NULL, &overlapped) &&
            GetLastError() != ERROR_IO_PENDING)
            return FALSE;
        if (!settle(dispatcher, &overlapped, &got) || !got)
            return FALSE;
    }
    return TRUE;
}

static BOOL write_answer(struct dispatcher *dispatcher, DWORD answer)
{
    OVERLAPPED overlapped = {.hEvent = dispatcher->event};
    DWORD size;

    ResetEvent(dispatcher->event);
    if (!WriteFile(dispatcher->pipe, &answer, sizeof(answer), NULL, &overlapped) && GetLastError() != ERROR_IO_PENDING)
        return FALSE;
    return settle(dispatcher, &overlapped, &size) && size == sizeof(answer);
}

static struct request *read_request(struct dispatcher *dispatcher)
{
    struct request head, *request;

    if (!read_bytes(dispatcher, &head, sizeof(head)) || head.size < sizeof(head) || head.size > LARGEST_REQUEST ||
        !(request = scm_allocate(head.size)))
        return NULL;
    *request = head;
    if (read_bytes(dispatcher, request->data, head.size - sizeof(head)))
        return request;
    scm_release(request);
    return NULL;
}

static void serve(struct dispatcher *dispatcher)
{
    struct request *request;
    BOOL answered = TRUE;

    while (answered && (request = read_request(dispatcher))) {
        dispatcher->asked = TRUE;
        answered = write_answer(dispatcher, obey(dispatcher, request, request->size));
        scm_release(request);
    }
}

static HANDLE connect_pipe(void)
{
    static const WCHAR name[] = PIPE_NAME PIPE_NUMBER_TEXT;
    HANDLE pipe;

    do
        pipe = CreateFileW(name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, FILE_FLAG_OVERLAPPED, NULL);
    while (pipe == INVALID_HANDLE_VALUE && GetLastError() == ERROR_PIPE_BUSY &&
           WaitNamedPipeW(name, NMPWAIT_USE_DEFAULT_WAIT));
    return pipe;
}

/* A process that nobody has started as a service has its connection closed before anything is said. */
static DWORD dispatch(void)
{
    struct dispatcher dispatcher = {.pipe = connect_pipe()};

    if (dispatcher.pipe == INVALID_HANDLE_VALUE)
        return ERROR_FAILED_SERVICE_CONTROLLER_CONNECT;
    dispatcher.event = CreateEventW(NULL, TRUE, FALSE, NULL);
    dispatcher.manager = wine_OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
    if (dispatcher.event && dispatcher.manager) {
        NtSetInformationProcess(GetCurrentProcess(), (PROCESSINFOCLASS)PROCESS_MAKE_SYSTEM, &dispatcher.end,
                                sizeof(dispatcher.end));
        serve(&dispatcher);
    }
    if (dispatcher.deadline)
        ExitProcess(ERROR_SUCCESS);
    if (dispatcher.manager)
        wine_CloseServiceHandle(dispatcher.manager);
    if (dispatcher.event)
        CloseHandle(dispatcher.event);
    CloseHandle(dispatcher.pipe);
    return dispatcher.asked ? ERROR_SUCCESS : ERROR_FAILED_SERVICE_CONTROLLER_CONNECT;
}

/* ---- the table: both forms have the same layout ---- */

static DWORD fill(const SERVICE_TABLE_ENTRYW *table, DWORD count, BOOL ansi)
{
    struct scm_service *services = scm_allocate(count * sizeof(*services));
    DWORD error = services ? ERROR_SUCCESS : ERROR_NOT_ENOUGH_MEMORY;

    for (DWORD i = 0; !error && i < count; i++) {
        const WCHAR *name = table[i].lpServiceName;
        SIZE_T size = ansi ? 0 : (wcslen(name) + 1) * sizeof(*name);

        services[i].ansi = ansi;
        services[i].main.wide = table[i].lpServiceProc;
        if (ansi)
            error = scm_wide((const char *)name, &services[i].name);
        else if ((services[i].name = scm_allocate(size)))
            memcpy(services[i].name, name, size);
        else
            error = ERROR_NOT_ENOUGH_MEMORY;
    }
    if (error)
        return error;
    AcquireSRWLockExclusive(&scm_services_lock);
    scm_services = services;
    scm_service_count = count;
    ReleaseSRWLockExclusive(&scm_services_lock);
    return ERROR_SUCCESS;
}

/* What has been hosted stays in memory: threads of it may go on. */
static BOOL host(const SERVICE_TABLE_ENTRYW *table, BOOL ansi)
{
    static LONG hosting;
    DWORD count = 0, error;

    if (!table)
        return scm_done(ERROR_INVALID_PARAMETER);
    while (table[count].lpServiceName && table[count].lpServiceProc)
        count++;
    if (!count)
        return scm_done(ERROR_INVALID_PARAMETER);
    if (!scm_load())
        return FALSE;
    if (InterlockedExchange(&hosting, TRUE))
        return scm_done(ERROR_SERVICE_ALREADY_RUNNING);
    error = fill(table, count, ansi);
    if (!error)
        error = dispatch();
    if (error) /* it is none, and may try again */
        InterlockedExchange(&hosting, FALSE);
    return scm_done(error);
}

BOOL WINAPI StartServiceCtrlDispatcherW(const SERVICE_TABLE_ENTRYW *table)
{
    return host(table, FALSE);
}

BOOL WINAPI StartServiceCtrlDispatcherA(const SERVICE_TABLE_ENTRYA *table)
{
    return host((const SERVICE_TABLE_ENTRYW *)table, TRUE);
}
