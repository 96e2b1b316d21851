/* Failure actions: what is done when a service fails.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The value FailureActions is a SERVICE_FAILURE_ACTIONS of a 32-bit program, then the actions: u32 reset period, two
 * u32 that say whether there is a message and a command, u32 how many, u32 where the actions begin, and for each u32
 * type and u32 delay. The texts are values of their own, RebootMessage and FailureCommand. */

#include "scm.h"

#include <wchar.h>

struct stored {
    DWORD reset_period, has_message, has_command, count, offset;
    SC_ACTION actions[];
};

static BYTE *read_stored(HKEY key, DWORD *size)
{
    BYTE *data;
    DWORD type;

    *size = 0;
    if (RegQueryValueExW(key, L"FailureActions", NULL, &type, NULL, size) || *size < sizeof(struct stored))
        return NULL;
    data = allocate(*size);
    if (!RegQueryValueExW(key, L"FailureActions", NULL, &type, data, size) && *size >= sizeof(struct stored))
        return data;
    release(data);
    return NULL;
}

void read_failure_actions(const WCHAR *name, struct failure_actions *actions)
{
    HKEY key = open_service_key(name, KEY_READ);
    struct stored *stored;
    DWORD size, fit;

    memset(actions, 0, sizeof(*actions));
    if (!key)
        return;
    actions->reboot_message = read_string(key, L"RebootMessage");
    actions->command = read_string(key, L"FailureCommand");
    if ((stored = (struct stored *)read_stored(key, &size))) {
        fit = (size - sizeof(*stored)) / sizeof(SC_ACTION);
        actions->reset_period = stored->reset_period;
        actions->count = stored->count < fit ? stored->count : fit;
        actions->actions = allocate((actions->count + 1) * sizeof(SC_ACTION));
        memcpy(actions->actions, stored->actions, actions->count * sizeof(SC_ACTION));
        release(stored);
    }
    RegCloseKey(key);
}

DWORD write_failure_actions(const WCHAR *name, const struct failure_actions *actions)
{
    HKEY key = open_service_key(name, KEY_READ | KEY_WRITE);
    DWORD size = (DWORD)(sizeof(struct stored) + actions->count * sizeof(SC_ACTION)), error;
    struct stored *stored;

    if (!key)
        return ERROR_SERVICE_MARKED_FOR_DELETE;
    stored = allocate(size);
    stored->reset_period = actions->reset_period;
    stored->has_message = !!actions->reboot_message;
    stored->has_command = !!actions->command;
    stored->count = actions->count;
    stored->offset = sizeof(*stored);
    memcpy(stored->actions, actions->actions, actions->count * sizeof(SC_ACTION));
    error = RegSetValueExW(key, L"FailureActions", 0, REG_BINARY, (const BYTE *)stored, size);
    release(stored);
    if (!error)
        error = write_string(key, L"RebootMessage", actions->reboot_message);
    if (!error)
        error = write_string(key, L"FailureCommand", actions->command);
    RegCloseKey(key);
    return error;
}

void free_failure_actions(struct failure_actions *actions)
{
    release(actions->reboot_message);
    release(actions->command);
    release(actions->actions);
}

/* ---- carried out ---- */

struct due {
    struct service *service;
    SC_ACTION_TYPE type;
    DWORD changes; /* of the service's status when it failed: another start makes the action void */
    DWORD failures;
};

/* "%1%" in the command stands for how often the service has failed. */
static WCHAR *command_for(const WCHAR *pattern, DWORD failures)
{
    WCHAR *command = NULL, *copy, *place;
    DWORD size = ExpandEnvironmentStringsW(pattern, NULL, 0);

    copy = allocate((size + 1) * sizeof(*copy));
    ExpandEnvironmentStringsW(pattern, copy, size);
    if ((place = wcsstr(copy, L"%1%"))) {
        *place = 0;
        append(&command, copy);
        append_number(&command, failures);
        append(&command, place + 3);
    } else {
        append(&command, copy);
    }
    release(copy);
    return command;
}

static void run_command(const struct service *service, DWORD failures)
{
    STARTUPINFOW startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION made;
    struct failure_actions actions;
    WCHAR *command;

    read_failure_actions(service->name, &actions);
    if (actions.command && *actions.command) {
        command = command_for(actions.command, failures);
        unlock();
        if (CreateProcessW(NULL, command, NULL, NULL, FALSE, DETACHED_PROCESS, NULL, NULL, &startup, &made)) {
            CloseHandle(made.hThread);
            CloseHandle(made.hProcess);
        } else {
            say("the command for its failure can't run, error", service->name, GetLastError());
        }
        lock();
        release(command);
    }
    free_failure_actions(&actions);
}

static void CALLBACK carry_out(PTP_CALLBACK_INSTANCE instance, void *context, PTP_TIMER timer)
{
    struct due *due = context;
    struct service *service = due->service;

    (void)instance;
    lock();
    if (!stopping_all && !service->deleted) {
        if (due->type == SC_ACTION_RESTART && service->changes == due->changes)
            start_later(service, NULL);
        else if (due->type == SC_ACTION_RUN_COMMAND)
            run_command(service, due->failures);
        else if (due->type == SC_ACTION_REBOOT)
            say("has failed, and asks for a reboot, which a silo does not do; failures:", service->name,
                due->failures);
    }
    let_go(service);
    unlock();
    release(due);
    CloseThreadpoolTimer(timer);
}

static void plan(struct service *service, const SC_ACTION *action)
{
    struct due *due = allocate(sizeof(*due));
    ULARGE_INTEGER when = {.QuadPart = -((ULONGLONG)action->Delay + 1) * 10000};
    FILETIME time = {when.LowPart, when.HighPart};
    PTP_TIMER timer = CreateThreadpoolTimer(carry_out, due, NULL);

    if (!timer) {
        release(due);
        return;
    }
    due->service = hold(service);
    due->type = action->Type;
    due->changes = service->changes;
    due->failures = service->failures;
    SetThreadpoolTimer(timer, &time, 0, 0);
}

/* It has not failed for the whole reset period: its next failure is the first again. Without actions there is no such
 * period, and the count is that since boot. */
static BOOL forgotten(const struct service *service, const struct failure_actions *actions)
{
    return actions->count && actions->reset_period != INFINITE &&
           now() - service->last_failure >= (ULONGLONG)actions->reset_period * 1000;
}

/* How often it has failed within the reset period. The caller holds the lock. */
DWORD failures_now(const struct service *service)
{
    struct failure_actions actions;
    DWORD failures = service->failures;

    if (!failures)
        return 0;
    read_failure_actions(service->name, &actions);
    if (forgotten(service, &actions))
        failures = 0;
    free_failure_actions(&actions);
    return failures;
}

/* The n-th failure within the reset period takes the n-th action, more failures the last one. The caller holds the
 * lock. */
void service_failed(struct service *service)
{
    const SC_ACTION *action = NULL;
    struct failure_actions actions;

    if (stopping_all || service->deleted)
        return;
    read_failure_actions(service->name, &actions);
    if (forgotten(service, &actions))
        service->failures = 0;
    service->failures++;
    service->last_failure = now();
    if (actions.count)
        action = &actions.actions[service->failures < actions.count ? service->failures - 1 : actions.count - 1];
    if (service->died)
        report_crash(service, action);
    if (action)
        plan(service, action);
    free_failure_actions(&actions);
}
