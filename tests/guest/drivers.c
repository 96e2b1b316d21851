/* Drivers: a silo can't load one into the host, runs those of its own that it may have, and has no devices of others.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   drivers host|silo     checks */

#include "check.h"

NTSYSAPI NTSTATUS NTAPI NtLoadDriver(const UNICODE_STRING *);
NTSYSAPI NTSTATUS NTAPI NtUnloadDriver(const UNICODE_STRING *);

static const WCHAR driver_key[] = L"\\Registry\\Machine\\System\\CurrentControlSet\\Services\\HTTP";

/* Start a service; the error, 0 if it started. */
static DWORD start_service(SC_HANDLE scm, const WCHAR *name)
{
    SC_HANDLE service = OpenServiceW(scm, name, SERVICE_ALL_ACCESS);
    DWORD error = 0;

    if (!service)
        return GetLastError();
    if (!StartServiceW(service, 0, NULL))
        error = GetLastError();
    CloseServiceHandle(service);
    return error;
}

/* Wine hosts the driver of a 32-bit program in a 32-bit process, which can't load one of 64 bits. */
static const DWORD refusal = sizeof(void *) == 8 ? ERROR_PRIVILEGE_NOT_HELD : ERROR_DLL_INIT_FAILED;

/* A driver service of one's own, for a device that is the host's; the error of making or starting it. */
static DWORD own_driver(SC_HANDLE scm)
{
    SC_HANDLE service = CreateServiceW(scm, L"wst-driver", NULL, SERVICE_ALL_ACCESS, SERVICE_KERNEL_DRIVER,
                                       SERVICE_DEMAND_START, SERVICE_ERROR_NORMAL,
                                       L"C:\\windows\\system32\\drivers\\mountmgr.sys", NULL, NULL, NULL, NULL, NULL);
    DWORD error = 0;

    if (!service)
        return GetLastError();
    if (!StartServiceW(service, 0, NULL))
        error = GetLastError();
    DeleteService(service);
    CloseServiceHandle(service);
    return error;
}

/* Stop a service; the error, also if it does not say that it has stopped. */
static DWORD stop_service(SC_HANDLE scm, const WCHAR *name)
{
    SC_HANDLE service = OpenServiceW(scm, name, SERVICE_ALL_ACCESS);
    SERVICE_STATUS status;
    DWORD error = 0;

    if (!service)
        return GetLastError();
    if (!ControlService(service, SERVICE_CONTROL_STOP, &status))
        error = GetLastError();
    else if (!QueryServiceStatus(service, &status) || status.dwCurrentState != SERVICE_STOPPED)
        error = ERROR_SERVICE_CANNOT_ACCEPT_CTRL;
    CloseServiceHandle(service);
    return error;
}

static BOOL device_opens(const WCHAR *path)
{
    UNICODE_STRING name = nt_string(path);
    OBJECT_ATTRIBUTES attr = {.Length = sizeof(attr), .ObjectName = &name, .Attributes = OBJ_CASE_INSENSITIVE};
    IO_STATUS_BLOCK io;
    HANDLE handle;

    if (NtCreateFile(&handle, 0, &attr, &io, NULL, 0, 0, FILE_OPEN, FILE_NON_DIRECTORY_FILE, NULL, 0))
        return FALSE;
    CloseHandle(handle);
    return TRUE;
}

int main(int argc, char **argv)
{
    BOOL silo = argc == 2 && !strcmp(argv[1], "silo");
    UNICODE_STRING key = nt_string(driver_key);
    SC_HANDLE scm;
    DWORD error;

    if (argc != 2 || (!silo && strcmp(argv[1], "host")))
        usage("drivers host|silo");
    scm = OpenSCManagerW(NULL, NULL, SC_MANAGER_ALL_ACCESS);
    CHECK("open-scm", scm != NULL);
    if (silo) {
        NTSTATUS status = NtLoadDriver(&key);

        check(status < 0, "load-refused", "NtLoadDriver gave %08lx", (ULONG)status);
        status = NtUnloadDriver(&key);
        check(status < 0, "unload-refused", "NtUnloadDriver gave %08lx", (ULONG)status);
        error = own_driver(scm);
        check(error == refusal, "own-driver-refused", "error %lu", error);
    }
    if (silo) {
        error = start_service(scm, L"MountMgr");
        check(error == ERROR_SERVICE_DISABLED, "service-disabled", "error %lu", error);
    }
    error = start_service(scm, L"HTTP");
    check(!error || error == ERROR_SERVICE_ALREADY_RUNNING, "service-starts", "error %lu", error);
    CHECK("device", device_opens(L"\\Device\\Http\\ReqQueue"));
    if (silo) { /* Wine's SCM does not end a driver that hangs when it is unloaded */
        error = stop_service(scm, L"HTTP");
        check(!error, "service-stops", "error %lu", error);
        CHECK("device-gone", !device_opens(L"\\Device\\Http\\ReqQueue"));
        error = start_service(scm, L"HTTP");
        check(!error, "service-starts-again", "error %lu", error);
        CHECK("device-again", device_opens(L"\\Device\\Http\\ReqQueue"));
    }
    CloseServiceHandle(scm);
    return finish();
}
