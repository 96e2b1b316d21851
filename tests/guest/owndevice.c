/* The device of owndriver.sys, a driver of a silo's own.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   owndevice put TEXT    have the driver keep it
 *   owndevice get         print `kept TEXT`; without a device `error N`
 *   owndevice name        print `name NAME` of the device */

#include "check.h"

#include <winioctl.h>

#define IOCTL_OWN CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS)

int main(int argc, char **argv)
{
    HANDLE device = CreateFileW(L"\\\\.\\WstOwn", GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
    struct {
        UNICODE_STRING name;
        WCHAR text[128];
    } info;
    char text[64];
    DWORD n = 0;

    if (device == INVALID_HANDLE_VALUE)
        printf("error %lu\n", GetLastError());
    else if (argc == 3 && !strcmp(argv[1], "put"))
        return !DeviceIoControl(device, IOCTL_OWN, argv[2], (DWORD)strlen(argv[2]), NULL, 0, &n, NULL);
    else if (argc == 2 && !strcmp(argv[1], "get") && DeviceIoControl(device, IOCTL_OWN, NULL, 0, text, sizeof(text), &n, NULL))
        printf("kept %.*s\n", (int)n, text);
    else if (argc == 2 && !strcmp(argv[1], "name") && !NtQueryObject(device, 1 /* ObjectNameInformation */, &info, sizeof(info), NULL))
        printf("name %ls\n", info.name.Buffer);
    else
        usage("owndevice put TEXT | get | name");
    return 0;
}
