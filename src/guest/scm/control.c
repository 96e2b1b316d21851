/* Control codes, from those who may send them to the service's handler.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "scm.h"

/* Which bit of the accepted controls a code needs: winsvc.h, "SERVICE_STATUS". */
static BOOL accepts(const struct service *service, DWORD control)
{
    static const struct {
        DWORD control, bit;
    } rows[] = {
        {SERVICE_CONTROL_STOP, SERVICE_ACCEPT_STOP},
        {SERVICE_CONTROL_PAUSE, SERVICE_ACCEPT_PAUSE_CONTINUE},
        {SERVICE_CONTROL_CONTINUE, SERVICE_ACCEPT_PAUSE_CONTINUE},
        {SERVICE_CONTROL_SHUTDOWN, SERVICE_ACCEPT_SHUTDOWN},
        {SERVICE_CONTROL_PRESHUTDOWN, SERVICE_ACCEPT_PRESHUTDOWN},
        {SERVICE_CONTROL_PARAMCHANGE, SERVICE_ACCEPT_PARAMCHANGE},
        {SERVICE_CONTROL_NETBINDADD, SERVICE_ACCEPT_NETBINDCHANGE},
        {SERVICE_CONTROL_NETBINDREMOVE, SERVICE_ACCEPT_NETBINDCHANGE},
        {SERVICE_CONTROL_NETBINDENABLE, SERVICE_ACCEPT_NETBINDCHANGE},
        {SERVICE_CONTROL_NETBINDDISABLE, SERVICE_ACCEPT_NETBINDCHANGE},
    };

    for (unsigned i = 0; i < COUNT(rows); i++)
        if (rows[i].control == control)
            return !!(service->status.dwControlsAccepted & rows[i].bit);
    return TRUE; /* interrogate, and those of the service's own making */
}

static DWORD check_state(struct service *service, DWORD control)
{
    struct service **dependents;
    unsigned count;

    switch (service->status.dwCurrentState) {
    case SERVICE_STOPPED:
        return ERROR_SERVICE_NOT_ACTIVE;
    case SERVICE_STOP_PENDING:
        return ERROR_SERVICE_CANNOT_ACCEPT_CTRL;
    case SERVICE_START_PENDING:
        if (control != SERVICE_CONTROL_STOP)
            return ERROR_SERVICE_CANNOT_ACCEPT_CTRL;
    }
    if (!accepts(service, control))
        return ERROR_INVALID_SERVICE_CONTROL;
    if (control != SERVICE_CONTROL_STOP || stopping_all)
        return ERROR_SUCCESS;
    count = collect_dependents(service, SERVICE_ACTIVE, &dependents);
    release(dependents);
    return count ? ERROR_DEPENDENT_SERVICES_RUNNING : ERROR_SUCCESS;
}

/* The caller holds the lock, which is given up meanwhile, and the service. The status is filled in where Windows does:
 * also when the control comes at a wrong time. */
DWORD control_service(struct service *service, DWORD control, ULONGLONG deadline, SERVICE_STATUS *status)
{
    struct process *process = service->process;
    DWORD error = check_state(service, control), result = ERROR_SUCCESS;

    if (!error && !process)
        error = ERROR_SERVICE_CANNOT_ACCEPT_CTRL;
    if (!error && (is_driver(service) || service->driver_host)) {
        error = control_driver(service, control, deadline);
    } else if (!error) {
        hold_process(process);
        error = send_command(process, service->name, control, NULL, 0, deadline, &result);
        let_go_process(process);
        if (error == ERROR_PROCESS_ABORTED) /* the handler's last act; its death shows in the status */
            error = ERROR_SUCCESS;
    }
    *status = service->status;
    return error; /* what the handler answers is for controls of the system's only, as Windows has it */
}
