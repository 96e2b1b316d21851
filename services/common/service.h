/* What every service program here has in common: reporting to the Service Control Manager, settings.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WINESILO_SERVICE_H
#define WINESILO_SERVICE_H

#include <winsock2.h>
#include <windows.h>

enum { SERVICE_SETTINGS_CHANGED = 128 }; /* a control of ours */

/* One service while it runs, from its ServiceMain to its end. */
struct service {
    SERVICE_STATUS_HANDLE handle;
    DWORD type;         /* SERVICE_WIN32_OWN_PROCESS or SERVICE_WIN32_SHARE_PROCESS */
    DWORD state;        /* last reported */
    HANDLE stop;        /* set when the service must stop */
    HANDLE changed;     /* set by the control SERVICE_SETTINGS_CHANGED; reset by waiting for it */
    BOOL pausable;      /* set by the body before service_ready(): it looks at paused */
    volatile LONG paused;
};

/* The service itself. It calls service_ready() once it can serve, and returns when self->stop is set, or earlier
 * where it can't go on. Returns a Windows error code, which the SCM shows as its exit code. */
typedef DWORD service_body(struct service *self, DWORD argc, WCHAR **argv);

/* What a ServiceMain does: report, run the body, report the end. */
void service_run(DWORD type, service_body *body, DWORD argc, WCHAR **argv);

/* What the main function of a program with one service does and returns; the hint is for who starts it by hand. */
int service_program(DWORD type, const WCHAR *name, service_body *body, const WCHAR *hint);

void service_ready(struct service *self);

/* A setting below HKEY_LOCAL_MACHINE; fallback where there is none of that type. */
DWORD setting_dword(const WCHAR *key, const WCHAR *name, DWORD fallback);

/* The same for a text, with variables expanded; false where it is missing, empty or too long. */
BOOL setting_text(const WCHAR *key, const WCHAR *name, WCHAR *text, DWORD size);

#endif
