/* Starting a service, after what it needs; states and how they change.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "scm.h"

#include <wchar.h>

#define PATIENCE_MS 10000 /* for the next progress of a service that gives no wait hint, or a shorter one */
#define RETRY_MS 10

BOOL stopping_all;

/* ---- states ---- */

static void apply(struct service *service, const SERVICE_STATUS *status)
{
    DWORD type = service->status.dwServiceType;
    BOOL stopped = status->dwCurrentState == SERVICE_STOPPED;
    BOOL was_stopped = service->status.dwCurrentState == SERVICE_STOPPED;

    service->status = *status;
    service->status.dwServiceType = type;
    service->changes++;
    if (stopped)
        leave_process(service);
    if (!(stopped && was_stopped))
        notify_status(service);
    changed();
}

/* What a service reports of itself. */
void set_status(struct service *service, const SERVICE_STATUS *status)
{
    DWORD before = service->status.dwCurrentState;

    apply(service, status);
    report_state(service, before);
}

/* What others find out. */
void set_stopped(struct service *service, DWORD exit_code)
{
    SERVICE_STATUS status = {.dwCurrentState = SERVICE_STOPPED, .dwWin32ExitCode = exit_code};

    apply(service, &status);
}

/* Waits until it leaves a pending state, as long as it makes progress: within its wait hint comes a new checkpoint. */
BOOL await_settled(struct service *service, DWORD pending, ULONGLONG limit)
{
    ULONGLONG progress = now();
    DWORD changes = service->changes;

    while (service->status.dwCurrentState == pending) {
        DWORD hint = service->status.dwWaitHint;
        ULONGLONG deadline = progress + (hint > PATIENCE_MS ? hint : PATIENCE_MS);

        if (!wait_change(deadline < limit ? deadline : limit))
            return FALSE;
        if (service->changes != changes) {
            changes = service->changes;
            progress = now();
        }
    }
    return TRUE;
}

/* ---- one service ---- */

static WCHAR *pack_arguments(const WCHAR *name, DWORD count, WCHAR **arguments, DWORD *bytes)
{
    size_t size = wcslen(name) + 2;
    WCHAR *packed, *end;

    for (DWORD i = 0; i < count; i++)
        size += (arguments[i] ? wcslen(arguments[i]) : 0) + 1;
    end = packed = allocate(size * sizeof(*packed));
    wcscpy(end, name);
    end += wcslen(end) + 1;
    for (DWORD i = 0; i < count; i++) {
        wcscpy(end, arguments[i] ? arguments[i] : L"");
        end += wcslen(end) + 1;
    }
    *bytes = (DWORD)(size * sizeof(*packed));
    return packed;
}

/* The process may not have seen yet that the service's last thread has ended: it says that it runs. */
static DWORD send_start(struct service *service, struct process *process, DWORD count, WCHAR **arguments,
                        ULONGLONG deadline)
{
    DWORD bytes, error, result;
    WCHAR *packed = pack_arguments(service->name, count, arguments, &bytes);

    for (;;) {
        ULONGLONG retry;

        error = send_command(process, service->name, 0, packed, bytes, deadline, &result);
        if (error || result != ERROR_SERVICE_ALREADY_RUNNING || now() >= deadline)
            break;
        for (retry = now() + RETRY_MS; wait_change(retry);)
            ;
    }
    release(packed);
    if (error)
        return error;
    return result == ERROR_INVALID_PARAMETER ? ERROR_SERVICE_NOT_IN_EXE : result;
}

static DWORD await_report(struct service *service, DWORD changes, ULONGLONG deadline)
{
    while (service->changes == changes)
        if (!wait_change(deadline))
            return ERROR_SERVICE_REQUEST_TIMEOUT;
    return service->died || service->status.dwCurrentState == SERVICE_STOPPED ? ERROR_SERVICE_REQUEST_TIMEOUT
                                                                              : ERROR_SUCCESS;
}

static DWORD find_process(struct service *service, struct process **process)
{
    return is_driver(service) ? get_driver_process(service, process) : get_process(service, process);
}

/* A process that does not answer is of no use, unless others live in it. */
static void give_up(struct service *service, struct process *process, DWORD error)
{
    if (is_driver(service)) {
        driver_failed(service, process, error);
        return;
    }
    if (service->process != process)
        return; /* it has stopped or died by itself, and says so */
    if (process->services == 1)
        end_process(process, ERROR_PROCESS_ABORTED);
    set_stopped(service, error);
}

DWORD start_one(struct service *service, DWORD count, WCHAR **arguments)
{
    SERVICE_STATUS pending = {.dwCurrentState = SERVICE_START_PENDING, .dwWaitHint = 2000};
    ULONGLONG deadline = now() + pipe_timeout;
    struct process *process = NULL;
    DWORD error, changes;

    service->died = FALSE;
    apply(service, &pending);
    changes = service->changes;
    error = find_process(service, &process);
    if (!error && (error = await_connection(process, deadline)) == ERROR_SERVICE_REQUEST_TIMEOUT)
        report_no_connection(service, pipe_timeout);
    if (!error)
        error = is_driver(service) ? load_driver(service, process, deadline)
                                   : send_start(service, process, count, arguments, deadline);
    if (!error)
        error = await_report(service, changes, deadline);
    if (error == ERROR_PROCESS_ABORTED)
        error = ERROR_SERVICE_REQUEST_TIMEOUT; /* the status says 1067 */
    if (error) {
        give_up(service, process, error);
        say("did not start, error", service->name, error);
        report_start_failed(service, error);
    }
    if (process)
        let_go_process(process);
    return error;
}

/* ---- with what it needs ---- */

static DWORD start_needed(struct service *service);

static BOOL runs(const struct service *service)
{
    DWORD state = service->status.dwCurrentState;

    return state == SERVICE_RUNNING || state == SERVICE_PAUSED || state == SERVICE_PAUSE_PENDING ||
           state == SERVICE_CONTINUE_PENDING;
}

static DWORD ensure_running(struct service *service)
{
    if (is_hosts_driver(service) || runs(service))
        return ERROR_SUCCESS;
    while (service->starting) /* somebody else does it */
        wait_change(now() + PATIENCE_MS);
    if (service->status.dwCurrentState == SERVICE_STOP_PENDING &&
        !await_settled(service, SERVICE_STOP_PENDING, MAXULONGLONG))
        return ERROR_SERVICE_REQUEST_TIMEOUT;
    if (service->status.dwCurrentState == SERVICE_STOPPED) {
        DWORD error = ERROR_SUCCESS;

        if (stopping_all)
            return ERROR_SHUTDOWN_IN_PROGRESS;
        if (service->deleted)
            return ERROR_SERVICE_MARKED_FOR_DELETE;
        if (service->config.start == SERVICE_DISABLED)
            return ERROR_SERVICE_DISABLED;
        service->starting = TRUE;
        if (!(error = start_needed(service)))
            error = start_one(service, 0, NULL);
        service->starting = FALSE;
        changed();
        if (error)
            return error;
    }
    if (!await_settled(service, SERVICE_START_PENDING, MAXULONGLONG))
        return ERROR_SERVICE_REQUEST_TIMEOUT;
    return runs(service) ? ERROR_SUCCESS : ERROR_SERVICE_NOT_ACTIVE;
}

/* A group will do when at least one of its members runs after all were tried. */
static DWORD ensure_group(const WCHAR *group)
{
    unsigned total = 0, members = 0, running = 0;
    struct service **list, *service;

    for (service = services; service; service = service->next)
        total += in_group(service, group);
    list = allocate((total + 1) * sizeof(*list));
    for (service = services; service; service = service->next)
        if (in_group(service, group))
            list[members++] = hold(service);
    for (unsigned i = 0; i < members; i++) {
        running += !ensure_running(list[i]);
        let_go(list[i]);
    }
    release(list);
    return members && !running ? ERROR_SERVICE_DEPENDENCY_FAIL : ERROR_SUCCESS;
}

/* Copies of the names, as others may change the configuration while we wait. */
static DWORD start_needed(struct service *service)
{
    multi_sz names = copy_multi_sz(service->config.need_services);
    multi_sz groups = copy_multi_sz(service->config.need_groups);
    DWORD error = ERROR_SUCCESS;

    for (WCHAR *name = names; name && *name && !error; name += wcslen(name) + 1) {
        struct service *needed = find_service(name);

        if (!needed)
            continue; /* part of Wine: check_needed() has seen to it */
        hold(needed);
        if ((error = ensure_running(needed))) {
            report_needed_failed(service, needed, error);
            say("is not started, it needs a service that does not run:", service->name, 0);
            error = ERROR_SERVICE_DEPENDENCY_FAIL;
        }
        let_go(needed);
    }
    for (WCHAR *group = groups; group && *group && !error; group += wcslen(group) + 1)
        error = ensure_group(group);
    release(names);
    release(groups);
    if (error)
        set_stopped(service, error);
    return error;
}

/* The caller holds the lock, which is given up meanwhile, and the service. */
DWORD start_service(struct service *service, DWORD count, WCHAR **arguments)
{
    DWORD error;

    if (stopping_all)
        return ERROR_SHUTDOWN_IN_PROGRESS;
    if (service->deleted)
        return ERROR_SERVICE_MARKED_FOR_DELETE;
    if (service->starting || service->status.dwCurrentState != SERVICE_STOPPED)
        return ERROR_SERVICE_ALREADY_RUNNING;
    if (service->config.start == SERVICE_DISABLED)
        return ERROR_SERVICE_DISABLED;
    if ((error = check_needed(service)))
        return error;
    service->starting = TRUE;
    if (!(error = start_needed(service)))
        error = start_one(service, count, arguments);
    service->starting = FALSE;
    changed();
    return error;
}

struct job {
    struct service *service;
    unsigned *pending;
};

static void finish_job(struct job *job)
{
    if (job->pending)
        --*job->pending;
    let_go(job->service);
    release(job);
    changed();
}

static DWORD WINAPI start_worker(void *context)
{
    struct job *job = context;

    lock();
    start_service(job->service, 0, NULL);
    finish_job(job);
    unlock();
    return 0;
}

/* Starts it on a thread of its own; what becomes of it shows in its status. *pending counts those that are not done.
 * The caller holds the lock. */
void start_later(struct service *service, unsigned *pending)
{
    struct job *job = allocate(sizeof(*job));

    job->service = hold(service);
    job->pending = pending;
    if (pending)
        ++*pending;
    if (!QueueUserWorkItem(start_worker, job, WT_EXECUTELONGFUNCTION))
        finish_job(job);
}
