/* Reaches for names in every namespace, as a program does that looks for others on the machine.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   reach PID     reach, PID being a process of the host's; then hold what was got
 *   reach device  open \\.\PhysicalDrive0 only, and hold it
 *   reach many    ask for more names than a record has room for */

#include "check.h"

enum { MANY = 70000 }; /* AUDIT_ENTRIES is 65536 */

NTSYSAPI NTSTATUS NTAPI NtOpenEvent(HANDLE *, ACCESS_MASK, const OBJECT_ATTRIBUTES *);
NTSYSAPI NTSTATUS NTAPI NtLoadDriver(const UNICODE_STRING *);

static HANDLE open_event(const WCHAR *name)
{
    UNICODE_STRING text = nt_string(name);
    OBJECT_ATTRIBUTES attr;
    HANDLE handle = NULL;

    InitializeObjectAttributes(&attr, &text, OBJ_CASE_INSENSITIVE, NULL, NULL);
    NtOpenEvent(&handle, SYNCHRONIZE, &attr);
    return handle;
}

static NTSTATUS open_file(const WCHAR *name, HANDLE *handle)
{
    UNICODE_STRING text = nt_string(name);
    OBJECT_ATTRIBUTES attr;
    IO_STATUS_BLOCK io;

    InitializeObjectAttributes(&attr, &text, OBJ_CASE_INSENSITIVE, NULL, NULL);
    return NtOpenFile(handle, GENERIC_READ | SYNCHRONIZE, &attr, &io, FILE_SHARE_READ | FILE_SHARE_WRITE,
                      FILE_SYNCHRONOUS_IO_NONALERT);
}

static void reach_objects(void)
{
    CHECK("event", CreateEventA(NULL, TRUE, FALSE, "Global\\wst-event") != NULL);
    CHECK("mutex", CreateMutexA(NULL, FALSE, "Local\\wst-mutex") != NULL);
    CHECK("section", CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 4096, "wst-section") != NULL);
    CHECK("condition", open_event(L"\\KernelObjects\\LowMemoryCondition") != NULL);
    CHECK("atom", GlobalAddAtomA("wst-atom"));
    CHECK("station", CreateWindowStationA("wst-station", 0, WINSTA_ALL_ACCESS, NULL) != NULL);
    CHECK("desktop", CreateDesktopA("wst-desktop", NULL, NULL, 0, GENERIC_ALL, NULL) != NULL);
}

static HANDLE make_pipe(const char *name)
{
    return CreateNamedPipeA(name, PIPE_ACCESS_DUPLEX, 0, 1, 512, 512, 0, NULL);
}

static void reach_pipes(void)
{
    CHECK("pipe", make_pipe("\\\\.\\pipe\\wst-pipe") != INVALID_HANDLE_VALUE);
    CHECK("endpoint", make_pipe("\\\\.\\pipe\\lrpc\\wst-endpoint") != INVALID_HANDLE_VALUE);
    CHECK("class", make_pipe("\\\\.\\pipe\\{01234567-89AB-CDEF-0123-456789ABCDEF}") != INVALID_HANDLE_VALUE);
    CHECK("mailslot", CreateMailslotA("\\\\.\\mailslot\\wst-slot", 0, 0, NULL) != INVALID_HANDLE_VALUE);
}

static void reach_files(void)
{
    HANDLE file = CreateFileA("C:\\wst-reach.txt", GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    HKEY key;

    CHECK("file", file != INVALID_HANDLE_VALUE);
    CloseHandle(file);
    CHECK("unix-path", open_file(L"\\??\\unix\\etc\\passwd", &file) < 0);
    CHECK("null", open_file(L"\\Device\\Null", &file) >= 0);
    CHECK("disk", open_file(L"\\??\\PhysicalDrive0", &file) >= 0);
    CHECK("nothing", open_file(L"\\??\\wst-no-such-device", &file) < 0);
    CHECK("key", !RegCreateKeyA(HKEY_LOCAL_MACHINE, "Software\\wst-reach\\below", &key));
}

static SOCKET bind_to(const char *address, unsigned short port, int *error)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};
    SOCKET s = socket(AF_INET, SOCK_STREAM, 0);

    addr.sin_addr.s_addr = inet_addr(address);
    *error = bind(s, (struct sockaddr *)&addr, sizeof(addr)) ? WSAGetLastError() : 0;
    if (!*error)
        listen(s, 1);
    return s;
}

static void reach_sockets(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(7391)};
    SOCKET s = socket(AF_INET, SOCK_STREAM, 0);
    int error;

    bind_to("0.0.0.0", 7391, &error);
    CHECK("bind", !error);
    bind_to("127.255.1.1", 7392, &error);
    CHECK("bind-foreign", error);
    addr.sin_addr.s_addr = inet_addr("127.0.0.1");
    CHECK("connect", !connect(s, (struct sockaddr *)&addr, sizeof(addr)));
    s = socket(AF_INET, SOCK_STREAM, 0);
    addr.sin_addr.s_addr = inet_addr("127.255.1.1");
    CHECK("connect-foreign", connect(s, (struct sockaddr *)&addr, sizeof(addr)));
}

static void reach_others(DWORD pid)
{
    UNICODE_STRING driver = nt_string(L"\\Registry\\Machine\\System\\CurrentControlSet\\Services\\wst-driver");
    SC_HANDLE scm = OpenSCManagerA(NULL, NULL, SC_MANAGER_ALL_ACCESS);

    CHECK("foreign-process", !OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, pid));
    CHECK("own-process", OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, GetCurrentProcessId()) != NULL);
    CHECK("driver", NtLoadDriver(&driver) < 0);
    CHECK("service", CreateServiceA(scm, "wst-reach", NULL, SERVICE_ALL_ACCESS, SERVICE_WIN32_OWN_PROCESS,
                                    SERVICE_DEMAND_START, SERVICE_ERROR_NORMAL, "C:\\wst.exe", NULL, NULL, NULL,
                                    NULL, NULL) != NULL);
}

static void reach_many(void)
{
    char name[32];
    int i, found = 0;

    for (i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "wst-many-%d", i);
        found += OpenEventA(SYNCHRONIZE, FALSE, name) != NULL;
    }
    check(!found, "many", "%d events", found);
}

int main(int argc, char **argv)
{
    WSADATA data;
    HANDLE disk;

    if (argc != 2)
        usage("reach PID|device|many");
    WSAStartup(MAKEWORD(2, 2), &data);
    if (!strcmp(argv[1], "device"))
        CHECK("disk", open_file(L"\\??\\PhysicalDrive0", &disk) >= 0);
    else if (!strcmp(argv[1], "many"))
        reach_many();
    else {
        reach_objects();
        reach_pipes();
        reach_files();
        reach_sockets();
        reach_others((DWORD)atoi(argv[1]));
    }
    hold();
    return finish();
}
