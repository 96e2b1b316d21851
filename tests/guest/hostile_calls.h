/* The calls that hostile.c makes: from the rows that the hooks are made from, with a good value for each parameter.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#ifndef WINESILO_TEST_HOSTILE_CALLS_H
#define WINESILO_TEST_HOSTILE_CALLS_H

#include "hostile.h"

NTSYSAPI NTSTATUS NTAPI NtCreateKey(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, ULONG, const UNICODE_STRING *, ULONG,
                                    ULONG *);
NTSYSAPI NTSTATUS NTAPI NtCreateDirectoryObject(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *);
NTSYSAPI NTSTATUS NTAPI NtCreateEvent(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, ULONG, BOOLEAN);
NTSYSAPI NTSTATUS NTAPI NtCreateSymbolicLinkObject(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, UNICODE_STRING *);

enum { CANARY = 0xcc };

#define SCRATCH_KEY L"\\Registry\\Machine\\Software\\WstHostile"
#define SCRATCH_FILE L"\\??\\C:\\hostile.tmp"
#define SCRATCH_OBJECT L"\\BaseNamedObjects\\hostile"

/* ---- the rows ---- */

struct row {
    const char *name, *params; /* "(HANDLE handle, ULONG size)"; of win32u's calls none */
    int count;
    const char *checks, *need;
};

static const struct row rows[] = {
#define SYSCALL(need, name, params, args) { #name, #params, 0, "", #need },
#include "../../src/interposer/syscalls.def"
#undef SYSCALL
#define CHECKED(need, name, n, checks) { #name, NULL, n, #checks, #need },
#define HOOKED(need, name, n) { #name, NULL, n, "", #need },
#define PLAIN(name, n)
#include "../../src/interposer/windows.def"
#undef PLAIN
#undef HOOKED
#undef CHECKED
};

enum { ROWS = sizeof(rows) / sizeof(*rows) };

/* Calls that mean different things by their code: each is driven with all of these. */
static const struct scene {
    const char *call, *name;
    ULONG code;
    enum { ON_FILE, ON_SOCKET, ON_DATAGRAM, ON_PIPES, ON_MOUNTS } on;
    ULONG in_size;
} scenes[] = {
    { "NtDeviceIoControlFile", "bind", 0x12003, ON_SOCKET, 20 },
    { "NtDeviceIoControlFile", "bind-datagram", 0x12003, ON_DATAGRAM, 20 },
    { "NtDeviceIoControlFile", "any-bind", 0x12003, ON_SOCKET, 20 },
    { "NtDeviceIoControlFile", "listen", 0x1200b, ON_SOCKET, 12 },
    { "NtDeviceIoControlFile", "getsockname", 0x1202f, ON_SOCKET, 32 },
    { "NtDeviceIoControlFile", "getpeername", 0x120360, ON_SOCKET, 32 },
    { "NtDeviceIoControlFile", "accept", 0x120324, ON_SOCKET, 32 },
    { "NtDeviceIoControlFile", "accept-into", 0x120328, ON_SOCKET, 12 },
    { "NtDeviceIoControlFile", "connect", 0x12032c, ON_SOCKET, 24 },
    { "NtDeviceIoControlFile", "recv", 0x120334, ON_DATAGRAM, 32 },
    { "NtDeviceIoControlFile", "send", 0x120338, ON_DATAGRAM, 32 },
    { "NtDeviceIoControlFile", "membership", 0x1203bc, ON_DATAGRAM, 8 },
    { "NtDeviceIoControlFile", "multicast", 0x1203e4, ON_DATAGRAM, 4 },
    { "NtDeviceIoControlFile", "v6-only", 0x12045c, ON_SOCKET, 32 },
    { "NtDeviceIoControlFile", "hop-limit", 0x12047c, ON_DATAGRAM, 4 },
    { "NtDeviceIoControlFile", "not-a-socket", 0x12003, ON_FILE, 32 },
    { "NtDeviceIoControlFile", "console", 0x5000cc, ON_FILE, 4 },
    { "NtDeviceIoControlFile", "mount-points", 0x6d0008, ON_MOUNTS, 32 },
    { "NtDeviceIoControlFile", "unix-drive", 0x6d4084, ON_MOUNTS, 32 },
    { "NtFsControlFile", "pipe-wait", 0x110018, ON_PIPES, 32 },
};

enum { SCENES = sizeof(scenes) / sizeof(*scenes) };

/* ---- what the calls work on; made anew for each ---- */

static HANDLE scratch_key, scratch_file, scratch_directory, scratch_link, scratch_socket, scratch_other;

static HANDLE open_named(const WCHAR *name, NTSTATUS (*open)(HANDLE *, OBJECT_ATTRIBUTES *))
{
    UNICODE_STRING us = nt_string(name);
    OBJECT_ATTRIBUTES attr;
    HANDLE handle = NULL;

    InitializeObjectAttributes(&attr, &us, OBJ_CASE_INSENSITIVE, NULL, NULL);
    open(&handle, &attr);
    return handle;
}

static NTSTATUS make_key(HANDLE *key, OBJECT_ATTRIBUTES *attr)
{
    return NtCreateKey(key, KEY_ALL_ACCESS, attr, 0, NULL, 0, NULL);
}

static NTSTATUS make_file(HANDLE *file, OBJECT_ATTRIBUTES *attr)
{
    IO_STATUS_BLOCK io;

    return NtCreateFile(file, FILE_ALL_ACCESS, attr, &io, NULL, FILE_ATTRIBUTE_NORMAL, 7, FILE_OPEN_IF,
                        FILE_SYNCHRONOUS_IO_NONALERT | FILE_NON_DIRECTORY_FILE, NULL, 0);
}

static NTSTATUS open_device(HANDLE *file, OBJECT_ATTRIBUTES *attr)
{
    IO_STATUS_BLOCK io;

    return NtOpenFile(file, GENERIC_READ | SYNCHRONIZE, attr, &io, 7, FILE_SYNCHRONOUS_IO_NONALERT);
}

static NTSTATUS make_directory(HANDLE *directory, OBJECT_ATTRIBUTES *attr)
{
    return NtCreateDirectoryObject(directory, 0xf000f, attr);
}

static NTSTATUS make_event(HANDLE *event, OBJECT_ATTRIBUTES *attr)
{
    return NtCreateEvent(event, EVENT_ALL_ACCESS, attr, 0, FALSE);
}

static HANDLE scratch_members[2];

/* One that has the same in it on the host and in a silo. */
static HANDLE directory_of_two(void)
{
    scratch_directory = open_named(SCRATCH_OBJECT L"directory", make_directory);
    scratch_members[0] = open_named(SCRATCH_OBJECT L"directory\\one", make_event);
    scratch_members[1] = open_named(SCRATCH_OBJECT L"directory\\two", make_event);
    return scratch_directory;
}

static NTSTATUS make_link(HANDLE *link, OBJECT_ATTRIBUTES *attr)
{
    UNICODE_STRING target = nt_string(SCRATCH_OBJECT L"2");

    return NtCreateSymbolicLinkObject(link, 0xf0001, attr, &target);
}

static HANDLE make_socket(int type)
{
    return (HANDLE)WSASocketW(AF_INET, type, 0, NULL, 0, WSA_FLAG_OVERLAPPED);
}

static void close_one(HANDLE *handle)
{
    if (*handle) NtClose(*handle);
    *handle = NULL;
}

static BOOL has(const char *name, const char *part)
{
    return strstr(name, part) != NULL;
}

/* The good value of a call's handle. */
static HANDLE good_handle(const char *call, const char *param, const struct scene *scene)
{
    if (has(param, "process")) return GetCurrentProcess();
    if (!strcmp(param, "event") || !strcmp(param, "transaction") || !strcmp(param, "trust")) return NULL;
    if (scene && scene->on == ON_SOCKET) return scratch_socket = make_socket(SOCK_STREAM);
    if (scene && scene->on == ON_DATAGRAM) return scratch_socket = make_socket(SOCK_DGRAM);
    if (scene && scene->on == ON_PIPES) return scratch_other = open_named(L"\\??\\pipe\\", open_device);
    if (scene && scene->on == ON_MOUNTS) return scratch_other = open_named(L"\\??\\MountPointManager", open_device);
    if (!strcmp(param, "key")) return scratch_key = open_named(SCRATCH_KEY L"\\key", make_key);
    if (has(call, "DirectoryObject")) return directory_of_two();
    if (has(call, "SymbolicLink") || has(call, "Temporary")) return scratch_link = open_named(SCRATCH_OBJECT L"link", make_link);
    if (!strcmp(call, "NtCreateSection")) return NULL;
    if (has(call, "File") || !strcmp(param, "file")) return scratch_file = open_named(SCRATCH_FILE, make_file);
    return scratch_other = CreateEventW(NULL, FALSE, FALSE, NULL);
}

static void close_scratch(void)
{
    if (scratch_socket) closesocket((SOCKET)scratch_socket);
    scratch_socket = NULL;
    close_one(&scratch_key);
    close_one(&scratch_file);
    close_one(&scratch_members[0]);
    close_one(&scratch_members[1]);
    close_one(&scratch_directory);
    close_one(&scratch_link);
    close_one(&scratch_other);
    close_one(&other_type);
    close_one(&other_file);
}

/* The name that a call's attributes have, if all is well. */
static const WCHAR *good_name(const char *call, const char *param)
{
    if (!strcmp(param, "file") || !strcmp(param, "replace")) return L"\\??\\C:\\hostile.hiv";
    if (!strcmp(param, "class_name") || !strcmp(param, "name")) return L"hostile";
    if (!strcmp(param, "target")) return SCRATCH_OBJECT L"3";
    if (has(call, "Key") && !has(call, "KeyedEvent")) return SCRATCH_KEY L"\\made";
    if (has(call, "NamedPipe")) return L"\\??\\pipe\\hostile";
    if (has(call, "Mailslot")) return L"\\??\\mailslot\\hostile";
    if (has(call, "DeleteFile")) return L"\\??\\C:\\hostile.del";
    if (has(call, "File")) return SCRATCH_FILE;
    if (has(call, "WindowStation")) return L"\\Sessions\\1\\Windows\\WindowStations\\hostile";
    return SCRATCH_OBJECT;
}

static ULONG good_number(const char *call, const char *param, const struct scene *scene)
{
    static const struct {
        const char *call, *param;
        ULONG value;
    } values[] = {
        { "", "access", MAXIMUM_ALLOWED }, { "NtOpenFile", "options", FILE_SYNCHRONOUS_IO_NONALERT },
        { "NtCreateFile", "options", FILE_SYNCHRONOUS_IO_NONALERT }, { "", "sharing", 7 }, { "", "disposition", FILE_OPEN_IF },
        { "", "instances", 4 }, { "NtDuplicateObject", "options", DUPLICATE_SAME_ACCESS },
        { "NtCreateKey", "options", 0 }, { "", "ea_size", 0 }, { "NtAddAtom", "size", 22 }, { "NtFindAtom", "size", 22 },
        { "", "size", COPY }, { "", "in_size", 32 }, { "", "out_size", 32 }, { "", "filter", 15 }, { "", "async", 1 },
        { "", "information", DACL_SECURITY_INFORMATION }, { "NtCreateSection", "protect", PAGE_READWRITE },
        { "NtCreateSection", "flags", SEC_COMMIT }, { "NtCreateSemaphore", "initial", 1 }, { "NtCreateSemaphore", "max", 1 },
        { "", "atom", 0xfff1 }, { "", "message_size", 0 },
    };
    size_t i;

    if (scene && !strcmp(param, "code")) return scene->code;
    if (scene && !strcmp(param, "in_size")) return scene->in_size;
    for (i = 0; i < sizeof(values) / sizeof(*values); i++)
        if (!strcmp(values[i].param, param) && (!values[i].call[0] || !strcmp(values[i].call, call))) return values[i].value;
    return 0;
}

/* ---- from a row to a call ---- */

static enum kind kind_of(const char *type, int stars)
{
    if (!stars) return !strcmp(type, "HANDLE") ? IS_HANDLE : IS_NUMBER;
    if (!strcmp(type, "OBJECT_ATTRIBUTES")) return IS_ATTR;
    if (!strcmp(type, "UNICODE_STRING")) return IS_STRING;
    if (!strcmp(type, "IO_STATUS_BLOCK")) return IS_IO;
    if (!strcmp(type, "HANDLE") || !strcmp(type, "ULONG") || !strcmp(type, "uint16_t")) return IS_OUT;
    return IS_BUFFER;
}

/* "(const WCHAR *name, ULONG size)" */
static void read_params(struct call *call, const char *text)
{
    char type[32];

    for (text++; *text && *text != ')'; call->count++) {
        struct param *param = &call->params[call->count];
        int stars = 0, n = 0;

        text += strspn(text, ", \n");
        if (!strncmp(text, "const ", 6)) text += 6;
        n = (int)strcspn(text, " *");
        snprintf(type, sizeof(type), "%.*s", n, text);
        for (text += n; *text == ' ' || *text == '*'; text++) stars += *text == '*';
        n = (int)strcspn(text, ",)");
        snprintf(param->name, sizeof(param->name), "%.*s", n, text);
        text += n;
        param->kind = strcmp(param->name, "apc_context") ? kind_of(type, stars) : IS_NUMBER;
        param->is_handle = param->kind == IS_OUT && !strcmp(type, "HANDLE");
        param->out_size = !strcmp(type, "HANDLE") ? sizeof(HANDLE) : !strcmp(type, "ULONG") ? 4 : 2;
    }
}

static void window_params(struct call *call, const struct row *row)
{
    int i;

    for (i = 0; i < row->count; i++) {
        snprintf(call->params[i].name, sizeof(call->params[i].name), "a%d", i);
        call->params[i].kind = IS_WINDOW;
    }
    call->count = row->count;
}

/* a name for which 16 bits are as good as 32 would mean a window that may be there: this one is none */
enum { NO_WINDOW = 0x1fff0 };

static void fill_buffer(struct call *call, int p)
{
    BYTE *at = call->memory[p];
    const char *name = call->params[p].name;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

    if (!strcmp(name, "id")) ((ULONG_PTR *)at)[has(call->name, "Thread")] = has(call->name, "Thread") ? GetCurrentThreadId() : GetCurrentProcessId();
    if (!strcmp(call->name, "NtCreateSection")) at[1] = 0x10;
    if (!strcmp(name, "attributes")) *(SIZE_T *)at = sizeof(SIZE_T);
    if (has(call->name, "Atom")) memcpy(at, L"hostileatom", 22);
    if (strcmp(name, "in") || !call->scene) return;
    if (!strcmp(call->scene, "any-bind")) address.sin_addr.s_addr = INADDR_ANY;
    if (has(call->scene, "bind")) memcpy(at + 4, &address, sizeof(address));
    if (!strcmp(call->scene, "connect")) {
        *(int *)at = sizeof(address);
        memcpy(at + 8, &address, sizeof(address));
    }
    if (!strcmp(call->scene, "pipe-wait")) {
        *(ULONG *)(at + 8) = 14;
        memcpy(at + 14, L"hostile", 14);
    }
}

/* Good values for all arguments. */
static void prepare(struct call *call, const struct row *row, const struct scene *scene)
{
    int p;

    other_type = CreateEventW(NULL, FALSE, FALSE, NULL);
    other_file = open_named(SCRATCH_FILE L"2", make_file);
    for (p = 0; p < call->count; p++) {
        struct param *param = &call->params[p];
        struct attributes *a = (struct attributes *)call->memory[p];
        char check[16];

        memset(call->memory[p], 0, MEMORY);
        call->args[p] = (ULONG_PTR)call->memory[p];
        switch (param->kind) {
        case IS_NUMBER: call->args[p] = good_number(call->name, param->name, scene); break;
        case IS_HANDLE: call->args[p] = (ULONG_PTR)good_handle(call->name, param->name, scene); break;
        case IS_OUT: memset(call->memory[p], strcmp(param->name, "context") ? CANARY : 0, 16); break;
        case IS_IO: memset(call->memory[p], CANARY, 32); break;
        case IS_BUFFER: fill_buffer(call, p); break;
        case IS_STRING:
            put_name(&a->name, a->text, good_name(call->name, param->name));
            if (has(call->name, "NtQuery") && !strcmp(param->name, "target")) a->name.MaximumLength = 512;
            call->args[p] = (ULONG_PTR)&a->name;
            break;
        case IS_ATTR:
            put_name(&a->name, a->text, good_name(call->name, param->name));
            InitializeObjectAttributes(&a->attr, &a->name, OBJ_CASE_INSENSITIVE, NULL, NULL);
            if (has(call->name, "Process") || has(call->name, "Thread")) a->attr.ObjectName = NULL;
            break;
        case IS_WINDOW:
            snprintf(check, sizeof(check), "WINDOW(a%d)", p);
            call->args[p] = has(row->checks, check) ? NO_WINDOW : 0;
            break;
        }
    }
}

#endif
