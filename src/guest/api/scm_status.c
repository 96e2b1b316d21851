/* What a service calls: RegisterServiceCtrlHandler, SetServiceStatus.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "scm_services.h"

#include <string.h>

/* The name of the only one is not looked at, as documented for a process of its own ("SERVICE_TABLE_ENTRY"). */
struct scm_service *scm_find_service(const WCHAR *name)
{
    for (DWORD i = 0; i < scm_service_count; i++)
        if (CompareStringOrdinal(name, -1, scm_services[i].name, -1, TRUE) == CSTR_EQUAL)
            return &scm_services[i];
    return scm_service_count == 1 ? scm_services : NULL;
}

static SERVICE_STATUS_HANDLE add_handler(const WCHAR *name, LPHANDLER_FUNCTION plain, LPHANDLER_FUNCTION_EX handler,
                                         void *context)
{
    SC_HANDLE handle = NULL;
    struct scm_service *service;

    if (!name) {
        SetLastError(ERROR_INVALID_PARAMETER);
        return NULL;
    }
    AcquireSRWLockExclusive(&scm_services_lock);
    service = scm_find_service(name);
    if (service && service->handle) {
        service->plain = plain;
        service->handler = handler;
        service->context = context;
        handle = service->handle;
    }
    ReleaseSRWLockExclusive(&scm_services_lock);
    if (!handle)
        SetLastError(ERROR_SERVICE_NOT_IN_EXE);
    return (SERVICE_STATUS_HANDLE)handle;
}

static SERVICE_STATUS_HANDLE add_handler_a(const char *name, LPHANDLER_FUNCTION plain, LPHANDLER_FUNCTION_EX handler,
                                           void *context)
{
    SERVICE_STATUS_HANDLE added;
    WCHAR *wide;
    DWORD error;

    if (!scm_done(scm_wide(name, &wide)))
        return NULL;
    added = add_handler(wide, plain, handler, context);
    error = GetLastError();
    scm_release(wide);
    SetLastError(error);
    return added;
}

SERVICE_STATUS_HANDLE WINAPI RegisterServiceCtrlHandlerW(LPCWSTR name, LPHANDLER_FUNCTION handler)
{
    return add_handler(name, handler, NULL, NULL);
}

SERVICE_STATUS_HANDLE WINAPI RegisterServiceCtrlHandlerA(LPCSTR name, LPHANDLER_FUNCTION handler)
{
    return add_handler_a(name, handler, NULL, NULL);
}

SERVICE_STATUS_HANDLE WINAPI RegisterServiceCtrlHandlerExW(LPCWSTR name, LPHANDLER_FUNCTION_EX handler, LPVOID context)
{
    return add_handler(name, NULL, handler, context);
}

SERVICE_STATUS_HANDLE WINAPI RegisterServiceCtrlHandlerExA(LPCSTR name, LPHANDLER_FUNCTION_EX handler, LPVOID context)
{
    return add_handler_a(name, NULL, handler, context);
}

BOOL WINAPI SetServiceStatus(SERVICE_STATUS_HANDLE handle, LPSERVICE_STATUS status)
{
    rpc_status wire;
    DWORD error;

    if (!status)
        return scm_done(ERROR_INVALID_ADDRESS);
    if (!scm_ready(handle))
        return FALSE;
    memcpy(&wire, status, sizeof(wire));
    error = RSetServiceStatus((SC_RPC_HANDLE)handle, &wire);
    AcquireSRWLockExclusive(&scm_services_lock);
    for (DWORD i = 0; !error && i < scm_service_count; i++)
        if (scm_services[i].handle == (SC_HANDLE)handle)
            scm_services[i].accepts = wire.state == SERVICE_STOPPED ? 0 : wire.controls;
    ReleaseSRWLockExclusive(&scm_services_lock);
    return scm_done(error);
}
