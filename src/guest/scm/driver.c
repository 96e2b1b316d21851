/* Drivers of the silo's own, and the processes that they run in.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Wine runs drivers in winedevice.exe, a service process like any other, but that it loads and unloads drivers when it
 * gets a control with a flag in it: its data are the driver's name, its answer a Windows error (programs/winedevice and
 * process_send_control in programs/services of Wine, the same in 8.0 and 10.0). The driver's status is reported by
 * ntoskrnl.exe there. Drivers of one load order group share a process. Its service is in no registry: it is made when a
 * driver starts, and goes with the process. */

#include "scm.h"

#include "pipe.h"

#include <wchar.h>

#define CONTROL_FORWARD 0x80000000u
#define UNLOAD_MS 3000 /* for a driver to unload: it frees memory and closes files */
#define GONE_MS 5000   /* for a process to be gone that was ended */

/* ---- hosts ---- */

static BOOL is_32bit(const struct service *driver)
{
    WCHAR *path;
    DWORD type;
    BOOL known;

    if (!driver->config.image)
        return driver->config.wow64;
    path = command_of(driver);
    known = GetBinaryTypeW(path, &type);
    release(path);
    return known ? type == SCS_32BIT_BINARY : driver->config.wow64;
}

static BOOL usable(const struct service *host)
{
    DWORD state = host->status.dwCurrentState;

    return host->driver_host && (state == SERVICE_RUNNING || state == SERVICE_START_PENDING) &&
           !(host->process && (host->process->ended || host->process->leaving));
}

static struct service *find_host(const struct service *driver, BOOL wow64)
{
    const WCHAR *group = driver->config.group;
    struct service *host = services;

    if (!group || !*group)
        return NULL;
    while (host && !(usable(host) && host->config.wow64 == wow64 && in_group(host, group)))
        host = host->next;
    return host;
}

static struct service *make_host(const struct service *driver, BOOL wow64)
{
    static DWORD last;
    struct config config = {.type = SERVICE_WIN32_OWN_PROCESS, .start = SERVICE_DEMAND_START, .wow64 = wow64};
    WCHAR system[MAX_PATH], *name = NULL;

    do {
        release(name);
        name = NULL;
        append(&name, L"Winedevice");
        append_number(&name, ++last);
    } while (find_service(name));
    GetSystemDirectoryW(system, COUNT(system));
    config.image = join(system, L"\\winedevice.exe", L"");
    config.account = copy_string(L"LocalSystem");
    config.display = copy_string(name);
    config.group = copy_string(driver->config.group);
    return add_driver_host(name, &config);
}

/* Puts the driver's service into a process that hosts drivers. The caller holds the lock, which is given up meanwhile;
 * *process is to be let go. */
DWORD get_driver_process(struct service *driver, struct process **process)
{
    BOOL wow64 = is_32bit(driver);
    struct service *host = find_host(driver, wow64);
    DWORD error = ERROR_SUCCESS;

    if (host) {
        hold(host);
        while (host->starting)
            wait_change(MAXULONGLONG);
    } else {
        host = hold(make_host(driver, wow64));
        host->starting = TRUE;
        error = start_one(host, 0, NULL);
        host->starting = FALSE;
        changed();
    }
    if (!error && !(host->process && usable(host)))
        error = ERROR_SERVICE_REQUEST_TIMEOUT;
    if (!error) {
        *process = host->process;
        hold_process(*process); /* the driver's */
        hold_process(*process); /* the caller's */
        (*process)->services++;
        driver->process = *process;
        driver->pid_seen = (*process)->pid;
    }
    let_go(host);
    return error;
}

static struct service *host_of(const struct process *process)
{
    struct service *host = services;

    while (host && !(host->driver_host && host->process == process))
        host = host->next;
    return host;
}

/* All in it have stopped, whether they know it or not: a driver that hangs can't be asked. */
static void end_host(struct process *process)
{
    hold_process(process);
    for (struct service *service = services; service;) {
        if (service->process != process) {
            service = service->next;
            continue;
        }
        hold(service);
        set_stopped(service, ERROR_SUCCESS);
        let_go(service);
        service = services; /* the host's may be gone */
    }
    end_process(process, ERROR_SUCCESS);
    let_go_process(process);
}

/* A host without drivers is of no use. */
static void drop_host(struct process *process)
{
    struct service *host = host_of(process);
    DWORD result;

    if (!host || process->services != 1 || process->leaving || process->ended)
        return;
    hold(host);
    retire_process(process); /* now, so that no other driver gets into it */
    if (send_command(process, host->name, SERVICE_CONTROL_STOP, NULL, 0, now() + UNLOAD_MS, &result) ==
        ERROR_SERVICE_REQUEST_TIMEOUT)
        end_host(process);
    let_go(host);
}

/* ---- drivers ---- */

static DWORD forward(struct process *process, const struct service *driver, DWORD control, ULONGLONG deadline)
{
    DWORD result = ERROR_SUCCESS;
    DWORD error = send_command(process, L"", control | CONTROL_FORWARD, driver->name,
                               (DWORD)((wcslen(driver->name) + 1) * sizeof(WCHAR)), deadline, &result);

    return error ? error : result;
}

/* The interposer makes the name of a device invalid that is the host's (hook_device.c), and the driver passes on what
 * IoCreateDevice gave it: it has no right to that device. */
DWORD load_driver(struct service *driver, struct process *process, ULONGLONG deadline)
{
    DWORD error = forward(process, driver, CONTROL_START, deadline);

    return error == ERROR_INVALID_NAME ? ERROR_PRIVILEGE_NOT_HELD : error;
}

/* It could not be loaded; or hangs in that, which only the end of its process helps against. The process is NULL if there
 * is none. */
void driver_failed(struct service *driver, struct process *process, DWORD error)
{
    if (process && driver->process == process && error == ERROR_SERVICE_REQUEST_TIMEOUT && process->services == 2)
        end_host(process);
    if (!driver->died) /* else the status says so */
        set_stopped(driver, error);
    if (process)
        drop_host(process);
}

static DWORD stop_driver(struct service *driver, ULONGLONG deadline)
{
    struct process *process = driver->process;
    ULONGLONG limit = now() + UNLOAD_MS;
    DWORD error;

    hold_process(process);
    error = forward(process, driver, SERVICE_CONTROL_STOP, limit < deadline ? limit : deadline);
    if (error == ERROR_SERVICE_REQUEST_TIMEOUT && driver->process == process && process->services == 2) {
        say("does not unload: its process is ended; milliseconds:", driver->name, UNLOAD_MS);
        end_host(process);
        error = ERROR_SUCCESS;
    }
    if (error == ERROR_PROCESS_ABORTED) /* its death shows in the status */
        error = ERROR_SUCCESS;
    if (!error)
        drop_host(process);
    let_go_process(process);
    return error;
}

/* Stopping a host stops its drivers, with the last of which it goes. */
static DWORD stop_host(struct service *host, ULONGLONG deadline)
{
    struct process *process = host->process;
    SERVICE_STATUS status;
    DWORD error = ERROR_SUCCESS;

    hold_process(process);
    for (struct service *driver = services; driver && !error;) {
        if (driver == host || driver->process != process) {
            driver = driver->next;
            continue;
        }
        hold(driver);
        error = control_service(driver, SERVICE_CONTROL_STOP, deadline, &status);
        if (!error && driver->process == process)
            error = ERROR_SERVICE_CANNOT_ACCEPT_CTRL; /* one that can't be unloaded */
        let_go(driver);
        driver = services;
    }
    if (!error)
        drop_host(process);
    let_go_process(process);
    return error;
}

/* Drivers know one control only. The caller holds the lock, which is given up meanwhile, and the service. */
DWORD control_driver(struct service *service, DWORD control, ULONGLONG deadline)
{
    if (control == SERVICE_CONTROL_INTERROGATE)
        return ERROR_SUCCESS;
    if (control != SERVICE_CONTROL_STOP)
        return ERROR_INVALID_SERVICE_CONTROL;
    return service->driver_host ? stop_host(service, deadline) : stop_driver(service, deadline);
}

/* At the end of the silo drivers are not unloaded, as on Windows: nobody uses them any more. */
void end_driver_hosts(void)
{
    ULONGLONG limit = now() + GONE_MS;
    struct service *host = services;

    while (host) {
        struct process *process = host->driver_host ? host->process : NULL;

        if (!process) {
            host = host->next;
            continue;
        }
        hold_process(process);
        end_host(process);
        while (!process->ended && wait_change(limit))
            ;
        let_go_process(process);
        host = services;
    }
}
