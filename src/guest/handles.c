/* The handles of other processes: what they lead to, where that has a name.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "agent.h"

#define SYSTEM_EXTENDED_HANDLES 64
#define OBJECT_NAME 1
#define OBJECT_TYPE 2
#define INFO_SIZE 0x20000
#define AFD_GETSOCKNAME 0x1202f
#define AFD_NAME L"\\Device\\Afd"

/* SYSTEM_HANDLE_INFORMATION_EX, 64-bit layout */
struct handle_entry {
    void *object;
    ULONG_PTR pid, handle;
    ULONG access;
    USHORT trace, type;
    ULONG attributes, reserved;
};
struct handle_list {
    ULONG_PTR count, reserved;
    struct handle_entry entries[];
};

static NTSTATUS query_handles(struct handle_list **list)
{
    ULONG size = 1 << 20, needed = 0;
    NTSTATUS status;

    do {
        if (!(*list = mem_alloc(size)))
            return ST_NO_MEMORY;
        status = NtQuerySystemInformation((SYSTEM_INFORMATION_CLASS)SYSTEM_EXTENDED_HANDLES, *list, size, &needed);
        if (status >= 0)
            return status;
        mem_free(*list);
        size = max(size * 2, needed + 65536);
    } while (status == ST_INFO_LENGTH_MISMATCH && size < (256u << 20));
    return status;
}

static BOOL wanted(const struct reader *pids, ULONG_PTR pid)
{
    const DWORD *list = (const DWORD *)pids->at;
    DWORD i;

    for (i = 0; i < pids->left / sizeof(DWORD); i++)
        if (list[i] == pid)
            return TRUE;
    return FALSE;
}

static BOOL is(const UNICODE_STRING *text, const WCHAR *wanted)
{
    return CompareStringOrdinal(text->Buffer, text->Length / sizeof(WCHAR), wanted, -1, FALSE) == CSTR_EQUAL;
}

static void put_number(struct buffer *out, DWORD number)
{
    WCHAR digits[11], *digit = digits + ARRAYSIZE(digits);
    DWORD size;

    do
        *--digit = (WCHAR)(L'0' + number % 10);
    while (number /= 10);
    size = (DWORD)((BYTE *)(digits + ARRAYSIZE(digits)) - (BYTE *)digit);
    put_utf8(out, digit, size);
}

/* A socket's own address, as the wineserver knows it: " " and the bytes of the sockaddr in hexadecimal digits. */
static void put_socket(struct buffer *out, const UNICODE_STRING *name, HANDLE own)
{
    WCHAR text[sizeof(AFD_NAME) + 2 * 28 + 2];
    BYTE address[28];
    IO_STATUS_BLOCK io = {0};
    int n = lstrlenW(AFD_NAME), i;

    if (NtDeviceIoControlFile(own, NULL, NULL, NULL, &io, AFD_GETSOCKNAME, NULL, 0, address, sizeof(address)) != 0 ||
        io.Information > sizeof(address)) {
        put_utf8(out, name->Buffer, name->Length);
        return;
    }
    lstrcpyW(text, AFD_NAME);
    text[n++] = ' ';
    for (i = 0; i < (int)io.Information; i++) {
        text[n++] = L"0123456789abcdef"[address[i] >> 4];
        text[n++] = L"0123456789abcdef"[address[i] & 15];
    }
    put_utf8(out, text, (DWORD)n * sizeof(WCHAR));
}

/* Wine keeps an ended process's id as long as somebody has a handle; it may be another one's by then: 0 stands for it. */
static DWORD live_process(HANDLE own)
{
    DWORD code;

    return GetExitCodeProcess(own, &code) && code != STILL_ACTIVE ? 0 : GetProcessId(own);
}

static DWORD process_of_live_thread(HANDLE own)
{
    DWORD code;

    return GetExitCodeThread(own, &code) && code != STILL_ACTIVE ? 0 : GetProcessIdOfThread(own);
}

/* One handle, duplicated into this process; info has INFO_SIZE bytes for the type and as many for the name. */
static void put_handle(struct buffer *out, const struct handle_entry *entry, HANDLE own, BYTE *info)
{
    UNICODE_STRING *type = (UNICODE_STRING *)info, *name = (UNICODE_STRING *)(info + INFO_SIZE);
    BOOL process, thread;

    if (NtQueryObject(own, (OBJECT_INFORMATION_CLASS)OBJECT_TYPE, type, INFO_SIZE, NULL) < 0)
        return;
    process = is(type, L"Process");
    thread = is(type, L"Thread");
    if (!process && !thread &&
        (NtQueryObject(own, (OBJECT_INFORMATION_CLASS)OBJECT_NAME, name, INFO_SIZE, NULL) < 0 || !name->Length))
        return;
    buffer_put_u32(out, (DWORD)entry->pid);
    buffer_put_u32(out, (DWORD)entry->handle);
    buffer_put_u32(out, entry->access);
    put_utf8(out, type->Buffer, type->Length);
    if (process)
        put_number(out, live_process(own));
    else if (thread)
        put_number(out, process_of_live_thread(own));
    else if (is(name, AFD_NAME))
        put_socket(out, name, own);
    else
        put_utf8(out, name->Buffer, name->Length);
}

DWORD op_handles(struct reader *in, struct buffer *out)
{
    HANDLE process = NULL, own;
    ULONG_PTR pid = 0, i;
    struct handle_list *list = NULL;
    BYTE *info = mem_alloc(2 * INFO_SIZE);
    NTSTATUS status = info ? query_handles(&list) : ST_NO_MEMORY;

    for (i = 0; status >= 0 && i < list->count; i++) {
        const struct handle_entry *entry = &list->entries[i];

        if (!wanted(in, entry->pid))
            continue;
        if (entry->pid != pid || !process) {
            if (process)
                CloseHandle(process);
            pid = entry->pid;
            process = OpenProcess(PROCESS_DUP_HANDLE, FALSE, (DWORD)pid);
        }
        if (!process || !DuplicateHandle(process, (HANDLE)entry->handle, GetCurrentProcess(), &own, 0, FALSE,
                                         DUPLICATE_SAME_ACCESS))
            continue; /* it has ended, or closed the handle */
        put_handle(out, entry, own, info);
        CloseHandle(own);
    }
    if (process)
        CloseHandle(process);
    if (status >= 0)
        mem_free(list);
    mem_free(info);
    return status < 0 ? (DWORD)status : 0;
}
