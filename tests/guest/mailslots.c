/* Mailslots.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   mailslots host|silo     checks
 *   mailslots hold NAME     make a mailslot called NAME, say ready, wait
 *   mailslots probe NAME    print `found` or `absent` */

#include "check.h"

static HANDLE dial(const WCHAR *path)
{
    return CreateFileW(path, GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
}

static BOOL opened(HANDLE handle)
{
    return handle && handle != INVALID_HANDLE_VALUE;
}

static NTSTATUS nt_open(const WCHAR *path, HANDLE *handle)
{
    UNICODE_STRING name = nt_string(path);
    OBJECT_ATTRIBUTES attr;
    IO_STATUS_BLOCK io;

    InitializeObjectAttributes(&attr, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    return NtOpenFile(handle, GENERIC_WRITE | SYNCHRONIZE, &attr, &io, FILE_SHARE_READ | FILE_SHARE_WRITE,
                      FILE_SYNCHRONOUS_IO_NONALERT);
}

static int run_checks(void)
{
    const WCHAR *path = L"\\\\.\\mailslot\\wst\\Slot";
    DWORD next = 0, count = 0, done = 0;
    HANDLE slot, client, device;
    char text[32] = "";

    CHECK_ERROR("open-missing", !opened(dial(path)), ERROR_FILE_NOT_FOUND);
    slot = CreateMailslotW(path, 0, 100, NULL);
    CHECK("create", opened(slot));
    CHECK_NAME("object-name", slot, L"\\Device\\MailSlot\\wst\\Slot");
    CHECK_ERROR("exists", !opened(CreateMailslotW(path, 0, 0, NULL)), ERROR_ALREADY_EXISTS);
    client = dial(L"\\\\.\\MAILSLOT\\WST\\slot");
    CHECK("open-other-case", opened(client));
    CHECK("write", WriteFile(client, "one", 4, &done, NULL) && done == 4);
    CHECK_STATUS("native-device", nt_open(L"\\Device\\MailSlot\\wst\\Slot", &device), 0);
    CHECK("write-device", WriteFile(device, "three", 6, &done, NULL) && done == 6);
    CHECK("info", GetMailslotInfo(slot, NULL, &next, &count, NULL) && next == 4 && count >= 1);
    CHECK("read", ReadFile(slot, text, sizeof(text), &done, NULL) && !strcmp(text, "one"));
    CHECK("read-device", ReadFile(slot, text, sizeof(text), &done, NULL) && !strcmp(text, "three"));
    CHECK_ERROR("read-empty", !ReadFile(slot, text, sizeof(text), &done, NULL), ERROR_SEM_TIMEOUT);
    CloseHandle(device);
    CloseHandle(client);
    CloseHandle(slot);
    CHECK_ERROR("gone", !opened(dial(path)), ERROR_FILE_NOT_FOUND);
    return finish();
}

int main(int argc, char **argv)
{
    WCHAR path[512];

    if (argc == 2 && (!strcmp(argv[1], "host") || !strcmp(argv[1], "silo")))
        return run_checks();
    if (argc != 3)
        usage("mailslots host|silo | hold NAME | probe NAME");
    swprintf(path, 512, L"\\\\.\\mailslot\\%hs", argv[2]);
    if (!strcmp(argv[1], "probe")) {
        printf("%s\n", opened(dial(path)) ? "found" : "absent");
        return 0;
    }
    if (!opened(CreateMailslotW(path, 0, 0, NULL)))
        return 1;
    hold();
    return 0;
}
