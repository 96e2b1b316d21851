/* DOS devices: definitions, drives, volumes, and their names in the object manager.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   devices host|silo     checks
 *   devices hold NAME     define the drive W: and the device NAME, say ready, wait; they stay
 *   devices probe NAME    print `found X` or `absent X` for what hold makes */

#include "check.h"

#include <winioctl.h>

NTSYSAPI NTSTATUS NTAPI NtOpenDirectoryObject(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *);
NTSYSAPI NTSTATUS NTAPI NtQueryDirectoryObject(HANDLE, void *, ULONG, BOOLEAN, BOOLEAN, ULONG *, ULONG *);
NTSYSAPI NTSTATUS NTAPI NtCreateSymbolicLinkObject(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, UNICODE_STRING *);
NTSYSAPI NTSTATUS NTAPI NtOpenSymbolicLinkObject(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *);
NTSYSAPI NTSTATUS NTAPI NtMakeTemporaryObject(HANDLE);

#define DRIVE L"W:"
#define TARGET L"C:\\windows"
#define NT_TARGET L"\\??\\C:\\windows"

/* the device's target, "" if there is none */
static const WCHAR *target_of(const WCHAR *device)
{
    static WCHAR target[1024];

    if (!QueryDosDeviceW(device, target, ARRAYSIZE(target)))
        target[0] = 0;
    return target;
}

/* What DefineDosDevice does; Wine's own has room for names of two characters only. */
static BOOL define(const WCHAR *device, const WCHAR *target)
{
    WCHAR path[128];
    UNICODE_STRING name, to = nt_string(target);
    OBJECT_ATTRIBUTES attr;
    HANDLE link;
    NTSTATUS status;

    swprintf(path, ARRAYSIZE(path), L"\\DosDevices\\%ls", device);
    name = nt_string(path);
    InitializeObjectAttributes(&attr, &name, OBJ_CASE_INSENSITIVE | OBJ_PERMANENT, NULL, NULL);
    if (!(status = NtCreateSymbolicLinkObject(&link, 0xf0001, &attr, &to)))
        CloseHandle(link);
    SetLastError(RtlNtStatusToDosError(status));
    return !status;
}

static BOOL undefine(const WCHAR *device)
{
    WCHAR path[128];
    UNICODE_STRING name;
    OBJECT_ATTRIBUTES attr;
    HANDLE link;
    NTSTATUS status;

    swprintf(path, ARRAYSIZE(path), L"\\DosDevices\\%ls", device);
    name = nt_string(path);
    InitializeObjectAttributes(&attr, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    if (!(status = NtOpenSymbolicLinkObject(&link, DELETE, &attr))) {
        status = NtMakeTemporaryObject(link);
        CloseHandle(link);
    }
    SetLastError(RtlNtStatusToDosError(status));
    return !status;
}

/* how often a device is in the list of all */
static int times_listed(const WCHAR *device)
{
    static WCHAR list[65536];
    DWORD size = QueryDosDeviceW(NULL, list, ARRAYSIZE(list));
    int times = 0;

    for (WCHAR *at = list; size && *at; at += wcslen(at) + 1)
        times += same_text(at, device);
    return times;
}

/* Wine writes to it, and finds that it is one of its devices */
static BOOL is_null_device(const WCHAR *path)
{
    HANDLE file = CreateFileW(path, GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    DWORD written = 0, error = GetLastError();
    BOOL done = file != INVALID_HANDLE_VALUE && WriteFile(file, "x", 1, &written, NULL);

    if (file != INVALID_HANDLE_VALUE)
        CloseHandle(file);
    SetLastError(error);
    return done && written == 1;
}

static void check_drive(BOOL in_silo)
{
    DWORD before = GetLogicalDrives();

    CHECK("drives-have-c", before & 4);
    if (in_silo)
        CHECK("drives-are-c", before == 4);
    CHECK_ERROR("drive-not-there", !*target_of(DRIVE), ERROR_FILE_NOT_FOUND);
    CHECK("drive-define", DefineDosDeviceW(0, DRIVE, TARGET));
    CHECK("drive-target", same_text(target_of(DRIVE), NT_TARGET));
    CHECK("drive-lower-case", same_text(target_of(L"w:"), NT_TARGET));
    CHECK("drive-listed", times_listed(DRIVE) == 1);
    CHECK("drive-in-mask", GetLogicalDrives() == (before | 1 << ('W' - 'A')));
    CHECK("drive-define-again", !DefineDosDeviceW(0, DRIVE, TARGET)); /* Wine 8 and 10 have different errors for it */
    CHECK("drive-remove", DefineDosDeviceW(DDD_REMOVE_DEFINITION, DRIVE, NULL));
    CHECK_ERROR("drive-removed", !*target_of(DRIVE), ERROR_FILE_NOT_FOUND);
    CHECK("drive-not-listed", !times_listed(DRIVE));
    CHECK("drive-not-in-mask", GetLogicalDrives() == before);
    CHECK_ERROR("drive-remove-again", !DefineDosDeviceW(DDD_REMOVE_DEFINITION, DRIVE, NULL), ERROR_FILE_NOT_FOUND);
    CHECK("drive-c-target", begins_with(target_of(L"C:"), L"\\Device\\Harddisk"));
    CHECK_ERROR("drive-c-again", !DefineDosDeviceW(0, L"C:", TARGET), ERROR_ALREADY_EXISTS);
    CHECK("drive-c-no-reparse-point", !(GetFileAttributesW(L"C:\\") & FILE_ATTRIBUTE_REPARSE_POINT));
}

static void check_device(void)
{
    CHECK("null-device", is_null_device(L"\\\\.\\NUL"));
    CHECK_ERROR("device-not-there", !is_null_device(L"\\\\.\\wstdev"), ERROR_FILE_NOT_FOUND);
    CHECK("device-define", define(L"wstdev", L"\\Device\\Null"));
    CHECK("device-target", same_text(target_of(L"wstdev"), L"\\Device\\Null"));
    CHECK("device-open", is_null_device(L"\\\\.\\wstdev"));
    CHECK("device-open-global", is_null_device(L"\\\\.\\Global\\wstdev"));
    CHECK("device-open-globalroot", is_null_device(L"\\\\.\\GLOBALROOT\\DosDevices\\wstdev"));
    CHECK("device-chain", define(L"wstlnk", L"\\??\\wstdev"));
    CHECK("device-chain-target", same_text(target_of(L"wstlnk"), L"\\??\\wstdev"));
    CHECK("device-chain-open", is_null_device(L"\\\\.\\wstlnk"));
    CHECK("device-dangling", define(L"wstdng", L"\\??\\wstnone"));
    CHECK("device-dangling-target", same_text(target_of(L"wstdng"), L"\\??\\wstnone"));
    CHECK("device-dangling-open", !is_null_device(L"\\\\.\\wstdng"));
    CHECK_ERROR("device-of-the-system", !define(L"NUL", L"\\Device\\Null"),
                ERROR_ALREADY_EXISTS);
    CHECK("device-remove", undefine(L"wstdev"));
    CHECK("device-chain-broken", !is_null_device(L"\\\\.\\wstlnk"));
    CHECK("device-chain-remove", undefine(L"wstlnk"));
    CHECK("device-dangling-remove", undefine(L"wstdng"));
    CHECK_ERROR("device-removed", !is_null_device(L"\\\\.\\wstdev"), ERROR_FILE_NOT_FOUND);
    CHECK("device-null-listed", times_listed(L"NUL") == 1);
    CHECK("device-pipe-listed", times_listed(L"PIPE") == 1);
}

/* A link that is no permanent one, through a handle of \?? and by its own name. */
static void check_link(void)
{
    UNICODE_STRING directory_name = nt_string(L"\\??"), name = nt_string(L"wstrel"), target = nt_string(L"\\Device\\Null");
    OBJECT_ATTRIBUTES attr;
    HANDLE directory = NULL, link = NULL, again;

    InitializeObjectAttributes(&attr, &directory_name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    CHECK_STATUS("link-directory", NtOpenDirectoryObject(&directory, 3, &attr), 0);
    CHECK_NAME("link-directory-name", directory, L"\\??");
    InitializeObjectAttributes(&attr, &name, OBJ_CASE_INSENSITIVE, directory, NULL);
    CHECK_STATUS("link-create", NtCreateSymbolicLinkObject(&link, 0xf0001, &attr, &target), 0);
    CHECK_NAME("link-name", link, L"\\??\\wstrel");
    CHECK_STATUS("link-collision", NtCreateSymbolicLinkObject(&again, 0xf0001, &attr, &target), 0xc0000035);
    CHECK_STATUS("link-open", NtOpenSymbolicLinkObject(&again, 1, &attr), 0);
    CloseHandle(again);
    CHECK("link-used", is_null_device(L"\\\\.\\wstrel"));
    CHECK("link-listed", times_listed(L"wstrel") == 1);
    CloseHandle(link);
    CHECK_STATUS("link-gone", NtOpenSymbolicLinkObject(&again, 1, &attr), 0xc0000034);
    CHECK("link-not-listed", !times_listed(L"wstrel"));
    CloseHandle(directory);
}

static void check_volumes(BOOL in_silo)
{
    WCHAR volume[64] = L"", found[64], paths[64] = L"";
    HANDLE search;
    DWORD size = 0, count = 0, own = 0;

    CHECK("volume-of-c", GetVolumeNameForVolumeMountPointW(L"C:\\", volume, ARRAYSIZE(volume)));
    CHECK("volume-paths", GetVolumePathNamesForVolumeNameW(volume, paths, ARRAYSIZE(paths), &size));
    CHECK("volume-path", same_text(paths, L"C:\\"));
    search = FindFirstVolumeW(found, ARRAYSIZE(found));
    if (CHECK("volume-search", search != INVALID_HANDLE_VALUE)) {
        do {
            count++;
            own += same_text(found, volume);
        } while (FindNextVolumeW(search, found, ARRAYSIZE(found)));
        FindVolumeClose(search);
    }
    CHECK("volume-found", own == 1);
    CHECK("drive-type-c", GetDriveTypeW(L"C:\\") == DRIVE_FIXED);
    if (!in_silo)
        return;
    CHECK("volume-no-other", count == 1);
    CHECK("drive-type-z", GetDriveTypeW(L"Z:\\") == DRIVE_NO_ROOT_DIR);
    CHECK_ERROR("volume-of-z", !GetVolumeNameForVolumeMountPointW(L"Z:\\", volume, ARRAYSIZE(volume)),
                ERROR_FILE_NOT_FOUND);
}

/* What leads out of a silo is not for it to change or to make. */
static void check_refused(void)
{
    UNICODE_STRING name = nt_string(L"\\??\\PIPE");
    OBJECT_ATTRIBUTES attr;
    HANDLE link;

    InitializeObjectAttributes(&attr, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    CHECK_STATUS("refused-link-open", NtOpenSymbolicLinkObject(&link, 0x10001, &attr), 0);
    CHECK_STATUS("refused-link-stays", NtMakeTemporaryObject(link), 0xc0000022);
    CloseHandle(link);
    CHECK_ERROR("refused-remove", !undefine(L"NUL"), ERROR_ACCESS_DENIED);
    CHECK_ERROR("refused-unix", !define(L"wstux", L"\\??\\unix\\etc"), ERROR_ACCESS_DENIED);
    CHECK_ERROR("refused-pipes", !define(L"wstpp", L"\\Device\\NamedPipe"),
                ERROR_ACCESS_DENIED);
    CHECK("other-drive-define", define(L"wstz", L"\\??\\Z:"));
    CHECK("other-drive-target", same_text(target_of(L"wstz"), L"\\??\\Z:"));
    CHECK_ERROR("other-drive-open", !is_null_device(L"\\\\.\\wstz"), ERROR_FILE_NOT_FOUND);
    CHECK("other-drive-remove", undefine(L"wstz"));
}

static int run_checks(BOOL in_silo)
{
    check_drive(in_silo);
    check_device();
    check_link();
    check_volumes(in_silo);
    if (in_silo)
        check_refused();
    return finish();
}

static int run_hold(const WCHAR *name)
{
    if (!DefineDosDeviceW(0, DRIVE, TARGET) || !define(name, L"\\Device\\Null"))
        printf("not ok define: error %lu\n", GetLastError());
    hold();
    return 0;
}

static int run_probe(const WCHAR *name)
{
    WCHAR path[128];

    swprintf(path, ARRAYSIZE(path), L"\\\\.\\%ls", name);
    printf("%s drive\n", *target_of(DRIVE) ? "found" : "absent");
    printf("%s drive in the list\n", times_listed(DRIVE) ? "found" : "absent");
    printf("%s drive in the mask\n", GetLogicalDrives() >> ('W' - 'A') & 1 ? "found" : "absent");
    printf("%s device\n", *target_of(name) ? "found" : "absent");
    printf("%s device in the list\n", times_listed(name) ? "found" : "absent");
    printf("%s device to open\n", is_null_device(path) ? "found" : "absent");
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && (!strcmp(argv[1], "host") || !strcmp(argv[1], "silo")))
        return run_checks(!strcmp(argv[1], "silo"));
    if (argc == 3 && !strcmp(argv[1], "hold"))
        return run_hold(wide(argv[2]));
    if (argc == 3 && !strcmp(argv[1], "probe"))
        return run_probe(wide(argv[2]));
    usage("devices host|silo | hold NAME | probe NAME");
}
