/* IISADMIN: looks after the settings of the web services. When they change, it has W3SVC read them again.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "service.h"

static void tell(const WCHAR *name)
{
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
    SC_HANDLE service = manager ? OpenServiceW(manager, name, SERVICE_USER_DEFINED_CONTROL) : NULL;
    SERVICE_STATUS status;

    if (service) {
        ControlService(service, SERVICE_SETTINGS_CHANGED, &status); /* one that does not run reads them when it starts */
        CloseServiceHandle(service);
    }
    if (manager)
        CloseServiceHandle(manager);
}

static DWORD body(struct service *service, DWORD argc, WCHAR **argv)
{
    HANDLE changed = CreateEventW(NULL, FALSE, FALSE, NULL);
    const HANDLE handles[] = {service->stop, changed};
    LONG error;
    HKEY key;

    (void)argc;
    (void)argv;
    error = RegCreateKeyExW(HKEY_LOCAL_MACHINE, L"SYSTEM\\CurrentControlSet\\Services\\W3SVC\\Parameters", 0, NULL, 0,
                            KEY_READ | KEY_NOTIFY | KEY_CREATE_SUB_KEY, NULL, &key, NULL);
    if (error)
        return (DWORD)error;
    service_ready(service);
    while (!(error = RegNotifyChangeKeyValue(key, TRUE, REG_NOTIFY_CHANGE_LAST_SET | REG_NOTIFY_CHANGE_NAME, changed, TRUE)) &&
           WaitForMultipleObjects(2, handles, FALSE, INFINITE) == WAIT_OBJECT_0 + 1)
        tell(L"W3SVC");
    RegCloseKey(key);
    CloseHandle(changed);
    return (DWORD)error;
}

int wmain(void)
{
    return service_program(SERVICE_WIN32_SHARE_PROCESS, L"IISADMIN", body,
                           L"inetinfo.exe is a service: start it with: sc start IISADMIN");
}
