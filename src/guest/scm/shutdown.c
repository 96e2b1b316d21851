/* The end of the silo: all services stop, dependents first, RPC's last.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "scm.h"

#define ENDING_MS 5000 /* for a process to be gone that was ended */
#define RPC_SERVICE L"RpcSs" /* everything may use it without saying so */

struct stop {
    struct service *service;
    struct process *process;
    ULONGLONG began, deadline;
    DWORD took;
    const WCHAR *how; /* NULL while it is going on */
    BOOL queued;
};

static BOOL active(const struct service *service)
{
    return !is_driver(service) && !service->driver_host && service->status.dwCurrentState != SERVICE_STOPPED;
}

static DWORD last_word(const struct service *service)
{
    DWORD accepted = service->status.dwControlsAccepted;

    if (accepted & SERVICE_ACCEPT_PRESHUTDOWN)
        return SERVICE_CONTROL_PRESHUTDOWN;
    if (accepted & SERVICE_ACCEPT_STOP)
        return SERVICE_CONTROL_STOP;
    return accepted & SERVICE_ACCEPT_SHUTDOWN ? SERVICE_CONTROL_SHUTDOWN : 0;
}

/* Preshutdown has a time of its own, within all of it. */
static ULONGLONG limit_of(const struct stop *stop, DWORD control)
{
    ULONGLONG own = now() + stop->service->config.preshutdown_timeout;

    return control == SERVICE_CONTROL_PRESHUTDOWN && own < stop->deadline ? own : stop->deadline;
}

static void ask(struct stop *stop)
{
    struct service *service = stop->service;
    SERVICE_STATUS status;
    DWORD control;

    while (service->starting && active(service) && wait_change(stop->deadline))
        ;
    await_settled(service, SERVICE_START_PENDING, stop->deadline);
    if (!(control = last_word(service)))
        return;
    if (!control_service(service, control, stop->deadline, &status)) {
        ULONGLONG limit = limit_of(stop, control);

        while (active(service) && wait_change(limit))
            if (service->status.dwCurrentState == SERVICE_STOP_PENDING &&
                !await_settled(service, SERVICE_STOP_PENDING, limit))
                break;
    }
    if (active(service) && control == SERVICE_CONTROL_PRESHUTDOWN && last_word(service) &&
        !control_service(service, SERVICE_CONTROL_STOP, stop->deadline, &status))
        await_settled(service, SERVICE_STOP_PENDING, stop->deadline);
}

static DWORD WINAPI stop_worker(void *context)
{
    struct stop *stop = context;
    struct process *process = stop->process;

    lock();
    ask(stop);
    stop->how = active(stop->service) ? L"ended" : L"stopped";
    if (process) {
        if (!active(stop->service))
            while (!process->ended && !process->services && wait_change(stop->deadline))
                ;
        if (!process->ended && (!process->services || active(stop->service))) {
            ULONGLONG limit = now() + ENDING_MS;

            stop->how = L"ended";
            end_process(process, ERROR_PROCESS_ABORTED);
            while (!process->ended && wait_change(limit))
                ;
        }
    }
    if (stop->service->died)
        stop->how = L"dead";
    stop->took = (DWORD)(now() - stop->began);
    stop->deadline = 0;
    changed();
    unlock();
    return 0;
}

/* Nothing that depends on it is active. */
static BOOL is_its_turn(struct stop *stop, unsigned left)
{
    struct service **dependents;
    unsigned count;

    if (same(stop->service->name, RPC_SERVICE))
        return left == 1;
    count = collect_dependents(stop->service, SERVICE_ACTIVE, &dependents);
    release(dependents);
    return !count;
}

static unsigned collect_active(struct stop **list, DWORD timeout)
{
    unsigned count = 0;

    for (struct service *service = services; service; service = service->next)
        count += active(service);
    *list = allocate((count + 1) * sizeof(**list));
    count = 0;
    for (struct service *service = services; service; service = service->next) {
        struct stop *stop = &(*list)[count];

        if (!active(service))
            continue;
        stop->service = hold(service);
        if ((stop->process = service->process))
            hold_process(stop->process);
        stop->deadline = now() + timeout;
        count++;
    }
    return count;
}

/* Starts what may stop now; how many are not done. A circle of dependents stops all at once. */
static unsigned advance(struct stop *list, unsigned count)
{
    unsigned left = 0, going = 0, started = 0;

    for (unsigned i = 0; i < count; i++) {
        left += list[i].deadline != 0;
        going += list[i].deadline && list[i].queued;
    }
    for (int forced = 0; left && forced < 2 && !(forced && (going || started)); forced++) {
        for (unsigned i = 0; i < count; i++) {
            if (list[i].queued || !(forced || is_its_turn(&list[i], left)))
                continue;
            list[i].queued = TRUE;
            list[i].began = now();
            if (!QueueUserWorkItem(stop_worker, &list[i], WT_EXECUTELONGFUNCTION))
                list[i].deadline = 0;
            started++;
        }
    }
    return left;
}

/* What became of each as text: name, how, milliseconds. The caller holds the lock. */
void stop_all(DWORD timeout, WCHAR **outcome)
{
    struct stop *list;
    unsigned count;

    stopping_all = TRUE;
    count = collect_active(&list, timeout);
    while (advance(list, count))
        wait_change(MAXULONGLONG);
    end_driver_hosts();
    drain_outputs();
    for (unsigned i = 0; i < count; i++) {
        append(outcome, list[i].service->name);
        append(outcome, L"\t");
        append(outcome, list[i].how ? list[i].how : L"failed");
        append(outcome, L"\t");
        append_number(outcome, list[i].took);
        append(outcome, L"\n");
        if (list[i].process)
            let_go_process(list[i].process);
        let_go(list[i].service);
    }
    release(list);
    if (!*outcome)
        append(outcome, L"");
}
