/* See service.h.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service.h"

#include <stdio.h>
#include <stdlib.h>

static void report(struct service *self, DWORD state, DWORD exit_code)
{
    SERVICE_STATUS status = {.dwServiceType = self->type, .dwCurrentState = state, .dwWin32ExitCode = exit_code};

    self->state = state;
    if (state == SERVICE_RUNNING || state == SERVICE_PAUSED)
        status.dwControlsAccepted = SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_SHUTDOWN |
                                    (self->pausable ? SERVICE_ACCEPT_PAUSE_CONTINUE : 0);
    else if (state != SERVICE_STOPPED) {
        status.dwCheckPoint = 1;
        status.dwWaitHint = 30000;
    }
    SetServiceStatus(self->handle, &status);
}

static DWORD WINAPI control(DWORD code, DWORD type, void *data, void *context)
{
    struct service *self = context;

    (void)type;
    (void)data;
    switch (code) {
    case SERVICE_CONTROL_STOP:
    case SERVICE_CONTROL_SHUTDOWN:
        report(self, SERVICE_STOP_PENDING, NO_ERROR);
        SetEvent(self->stop);
        return NO_ERROR;
    case SERVICE_CONTROL_PAUSE:
    case SERVICE_CONTROL_CONTINUE:
        if (!self->pausable)
            return ERROR_CALL_NOT_IMPLEMENTED;
        InterlockedExchange(&self->paused, code == SERVICE_CONTROL_PAUSE);
        report(self, self->paused ? SERVICE_PAUSED : SERVICE_RUNNING, NO_ERROR);
        return NO_ERROR;
    case SERVICE_SETTINGS_CHANGED:
        SetEvent(self->changed);
        return NO_ERROR;
    case SERVICE_CONTROL_INTERROGATE:
        return NO_ERROR;
    default:
        return ERROR_CALL_NOT_IMPLEMENTED;
    }
}

void service_run(DWORD type, service_body *body, DWORD argc, WCHAR **argv)
{
    /* Never freed: a control may be under way while the service ends, and one start costs a few bytes only. */
    struct service *self = calloc(1, sizeof(*self));
    DWORD error;

    if (!self || !(self->stop = CreateEventW(NULL, TRUE, FALSE, NULL)) || !(self->changed = CreateEventW(NULL, FALSE, FALSE, NULL)))
        return;
    self->type = type;
    if (!(self->handle = RegisterServiceCtrlHandlerExW(argv[0], control, self)))
        return;
    report(self, SERVICE_START_PENDING, NO_ERROR);
    error = body(self, argc, argv);
    report(self, SERVICE_STOPPED, error);
}

/* of service_program(): a ServiceMain is told nothing */
static struct {
    DWORD type;
    service_body *body;
} only;

static void WINAPI only_main(DWORD argc, WCHAR **argv)
{
    service_run(only.type, only.body, argc, argv);
}

int service_program(DWORD type, const WCHAR *name, service_body *body, const WCHAR *hint)
{
    const SERVICE_TABLE_ENTRYW table[] = {{(WCHAR *)name, only_main}, {NULL, NULL}};

    only.type = type;
    only.body = body;
    if (StartServiceCtrlDispatcherW(table))
        return 0;
    _putws(hint);
    return 1;
}

void service_ready(struct service *self)
{
    report(self, SERVICE_RUNNING, NO_ERROR);
}

DWORD setting_dword(const WCHAR *key, const WCHAR *name, DWORD fallback)
{
    DWORD value, size = sizeof(value);

    if (RegGetValueW(HKEY_LOCAL_MACHINE, key, name, RRF_RT_REG_DWORD, NULL, &value, &size))
        return fallback;
    return value;
}

BOOL setting_text(const WCHAR *key, const WCHAR *name, WCHAR *text, DWORD size)
{
    DWORD bytes = size * sizeof(*text);

    return !RegGetValueW(HKEY_LOCAL_MACHINE, key, name, RRF_RT_REG_SZ, NULL, text, &bytes) &&
           text[0];
}
