/* Services in a DLL for svchost; what one does, the beginning of its name says.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   Good...     runs until it is asked to stop; its main function returns at once
 *   Crash...    reports that it runs, and then accesses memory that is not there
 *   Never...    never reports anything
 *   Deaf...     runs; its handler comes back from the control 128 only when the file C:\deaf.txt is there */

#include <windows.h>

#include <stdio.h>
#include <wchar.h>

struct instance {
    SERVICE_STATUS_HANDLE handle;
};

/* Nothing tells of a file but looking. */
static void await_file(void)
{
    while (GetFileAttributesW(L"C:\\deaf.txt") == INVALID_FILE_ATTRIBUTES)
        Sleep(20);
}

static void report(struct instance *self, DWORD state)
{
    SERVICE_STATUS status = {.dwServiceType = SERVICE_WIN32_SHARE_PROCESS, .dwCurrentState = state};

    if (state == SERVICE_RUNNING)
        status.dwControlsAccepted = SERVICE_ACCEPT_STOP;
    SetServiceStatus(self->handle, &status);
}

static DWORD WINAPI control(DWORD code, DWORD type, void *data, void *context)
{
    (void)type;
    (void)data;
    if (code == 128)
        await_file();
    if (code == SERVICE_CONTROL_STOP)
        report(context, SERVICE_STOPPED);
    return NO_ERROR;
}

__declspec(dllexport) void WINAPI ServiceMain(DWORD argc, WCHAR **argv)
{
    struct instance *self = calloc(1, sizeof(*self));
    volatile int *nowhere = NULL;

    (void)argc;
    if (!wcsncmp(argv[0], L"Never", 5))
        Sleep(INFINITE);
    self->handle = RegisterServiceCtrlHandlerExW(argv[0], control, self);
    report(self, SERVICE_RUNNING);
    if (!wcsncmp(argv[0], L"Crash", 5))
        *nowhere = 1;
}
