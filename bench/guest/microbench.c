/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * microbench [ROUNDS]: the time of the calls that winesilo redirects. Prints a line per operation:
 * its name, a tab, and nanoseconds per operation, the median of the rounds.
 *
 * For the registry of silos (bench/run.py says what for):
 *   microbench keys half|rest|whole   make subkeys of a key: every second of 1,000, the others, or all of another key
 *   microbench list half|whole        the time it takes to list them, like the others
 *   microbench change N               change ten keys, the Nth set of them; 0: none
 *   microbench load FILE COUNT        load a hive so many times, below HKEY_USERS */
#include <winsock2.h>
#include <windows.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ROUNDS = 101, MESSAGE = 64 };

static int rounds = 7;

static double now_ns(void)
{
    static LARGE_INTEGER frequency;
    LARGE_INTEGER t;

    if (!frequency.QuadPart) QueryPerformanceFrequency(&frequency);
    QueryPerformanceCounter(&t);
    return (double)t.QuadPart * 1e9 / (double)frequency.QuadPart;
}

static void die(const char *what)
{
    fprintf(stderr, "microbench: %s failed, error %lu\n", what, GetLastError());
    exit(1);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void measure(const char *name, int count, void (*run)(void))
{
    double times[MAX_ROUNDS];
    int round, i;

    run(); /* once to warm up */
    for (round = 0; round < rounds; round++) {
        double start = now_ns();

        for (i = 0; i < count; i++) run();
        times[round] = (now_ns() - start) / count;
    }
    qsort(times, (size_t)rounds, sizeof(times[0]), compare);
    printf("%s\t%.0f\n", name, times[rounds / 2]);
    fflush(stdout);
}

static void event_create_close(void)
{
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, L"winesilo-bench-event");

    if (!event) die("CreateEvent");
    CloseHandle(event);
}

static HKEY key;
static const WCHAR *key_path;

enum { SUBKEYS = 1000 };

static HKEY open_keys(const char *which)
{
    HKEY parent;

    if (RegCreateKeyExA(HKEY_LOCAL_MACHINE, !strcmp(which, "whole") ? "Software\\WinesiloBenchWhole" : "Software\\WinesiloBench",
                        0, NULL, 0, KEY_ALL_ACCESS, NULL, &parent, NULL)) die("RegCreateKeyEx");
    return parent;
}

static int make_keys(const char *which)
{
    HKEY parent = open_keys(which), child;
    char name[32];
    int i;

    for (i = !strcmp(which, "rest"); i < SUBKEYS; i += 1 + !!strcmp(which, "whole")) {
        snprintf(name, sizeof(name), "subkey-%04d", i);
        if (RegCreateKeyExA(parent, name, 0, NULL, 0, KEY_ALL_ACCESS, NULL, &child, NULL)) die("RegCreateKeyEx");
        RegCloseKey(child);
    }
    return 0;
}

static void list_keys(void)
{
    WCHAR name[64];
    DWORD i, n = 64;

    for (i = 0; !RegEnumKeyExW(key, i, name, &n, NULL, NULL, NULL, NULL); i++, n = 64) continue;
    if (i != SUBKEYS) die("listing");
}

/* Five keys that the base has, among many others, and five new ones in several places. */
static int change_keys(int number)
{
    static const WCHAR *const parents[] = { L"Software", L"System\\CurrentControlSet\\Services", L"Software\\Microsoft\\Windows\\CurrentVersion\\Run",
                                            L"Software\\Classes", L"Software\\Classes\\CLSID" };
    WCHAR name[256], new_name[64];
    DWORD n = 256;
    HKEY parent, child;
    int i;

    for (i = 0; number && i < 5; i++) {
        swprintf(new_name, 64, L"WinesiloBench-%d", number);
        if (RegCreateKeyExW(HKEY_LOCAL_MACHINE, parents[i], 0, NULL, 0, KEY_ALL_ACCESS, NULL, &parent, NULL)) die("RegCreateKeyEx");
        if (RegCreateKeyExW(parent, new_name, 0, NULL, 0, KEY_ALL_ACCESS, NULL, &child, NULL)) die("RegCreateKeyEx");
        if (RegSetValueExW(child, L"Name", 0, REG_SZ, (const BYTE *)L"value", 12)) die("RegSetValueEx");
        RegCloseKey(child), RegCloseKey(parent);
    }
    if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, L"Software\\Classes\\CLSID", 0, KEY_READ, &parent)) die("RegOpenKeyEx");
    for (i = 0; number && i < 5; i++) {
        n = 256;
        if (RegEnumKeyExW(parent, (DWORD)(50 + 90 * i + number), name, &n, NULL, NULL, NULL, NULL)) die("RegEnumKeyEx");
        if (RegOpenKeyExW(parent, name, 0, KEY_ALL_ACCESS, &child)) die("RegOpenKeyEx");
        if (RegSetValueExW(child, L"Winesilo", 0, REG_SZ, (const BYTE *)L"value", 12)) die("RegSetValueEx");
        RegCloseKey(child);
    }
    return 0;
}

static int load_hives(const char *file, int count)
{
    TOKEN_PRIVILEGES privilege = { 1, { { { 0, 0 }, SE_PRIVILEGE_ENABLED } } };
    char name[32];
    HANDLE token;

    OpenProcessToken(GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES, &token);
    LookupPrivilegeValueW(NULL, L"SeRestorePrivilege", &privilege.Privileges[0].Luid);
    AdjustTokenPrivileges(token, FALSE, &privilege, 0, NULL, NULL);
    while (count--) {
        snprintf(name, sizeof(name), "winesilo-bench-%d", count);
        if (RegLoadKeyA(HKEY_USERS, name, file)) die("RegLoadKey");
    }
    return 0;
}

static void key_open_close(void)
{
    HKEY opened;

    if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, key_path, 0, KEY_READ, &opened)) die("RegOpenKeyEx");
    RegCloseKey(opened);
}

static void value_query(void)
{
    WCHAR data[260];
    DWORD size = sizeof(data);

    if (RegQueryValueExW(key, L"ProgramFilesDir", NULL, NULL, (BYTE *)data, &size)) die("RegQueryValueEx");
}

static HKEY bench_key;

static void key_write(void)
{
    static DWORD number;

    number++;
    if (RegSetValueExW(bench_key, L"number", 0, REG_DWORD, (const BYTE *)&number, sizeof(number))) die("RegSetValueEx");
}

static void key_create_delete(void)
{
    HKEY made;

    if (RegCreateKeyExW(bench_key, L"made", 0, NULL, 0, KEY_ALL_ACCESS, NULL, &made, NULL)) die("RegCreateKeyEx");
    RegCloseKey(made);
    if (RegDeleteKeyW(bench_key, L"made")) die("RegDeleteKey");
}

static void key_query_info(void)
{
    DWORD n;

    if (RegQueryInfoKeyW(key, NULL, NULL, NULL, &n, NULL, NULL, NULL, NULL, NULL, NULL, NULL)) die("RegQueryInfoKey");
}

/* What is below Software is merged in a silo from now on. */
static void bench_keys(void)
{
    if (RegCreateKeyExW(HKEY_LOCAL_MACHINE, L"Software\\WinesiloBenchKey", 0, NULL, 0, KEY_ALL_ACCESS, NULL, &bench_key, NULL)) die("RegCreateKeyEx");
    measure("key_open_close_beside_own", 5000, key_open_close);
    measure("key_write", 5000, key_write);
    measure("key_create_delete", 2000, key_create_delete);
    measure("key_query_info", 5000, key_query_info);
    RegCloseKey(bench_key);
}

static HANDLE data_file;

static void file_write_read(void)
{
    char buffer[4096] = { 0 };
    DWORD n;

    if (SetFilePointer(data_file, 0, NULL, FILE_BEGIN) || !WriteFile(data_file, buffer, sizeof(buffer), &n, NULL)) die("WriteFile");
    if (SetFilePointer(data_file, 0, NULL, FILE_BEGIN) || !ReadFile(data_file, buffer, sizeof(buffer), &n, NULL)) die("ReadFile");
}

static void file_attributes(void)
{
    if (GetFileAttributesW(L"C:\\windows\\system32\\ntdll.dll") == INVALID_FILE_ATTRIBUTES) die("GetFileAttributes");
}

static void file_rename(void)
{
    if (!MoveFileW(L"C:\\winesilo-bench.a", L"C:\\winesilo-bench.b")) die("MoveFile");
    if (!MoveFileW(L"C:\\winesilo-bench.b", L"C:\\winesilo-bench.a")) die("MoveFile back");
}

/* of a file that others may write: what a silo takes most care of */
static void file_view(void)
{
    HANDLE file = CreateFileW(L"C:\\windows\\win.ini", GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
    HANDLE mapping = CreateFileMappingW(file, NULL, PAGE_READONLY, 0, 0, NULL);
    volatile const char *view = MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, 0);

    if (!view) die("MapViewOfFile");
    (void)*view;
    UnmapViewOfFile((void *)view);
    CloseHandle(mapping);
    CloseHandle(file);
}

static void folder_list(void)
{
    WIN32_FIND_DATAW data;
    HANDLE find = FindFirstFileW(L"C:\\windows\\system32\\*", &data);

    if (find == INVALID_HANDLE_VALUE) die("FindFirstFile");
    while (FindNextFileW(find, &data)) continue;
    FindClose(find);
}

static void bench_files(void)
{
    data_file = CreateFileW(L"C:\\winesilo-bench.data", GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, FILE_FLAG_DELETE_ON_CLOSE, NULL);
    if (data_file == INVALID_HANDLE_VALUE) die("CreateFile");
    measure("file_write_read", 5000, file_write_read);
    CloseHandle(data_file);
    CloseHandle(CreateFileW(L"C:\\winesilo-bench.a", GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL));
    measure("file_rename", 500, file_rename);
    DeleteFileW(L"C:\\winesilo-bench.a");
    measure("file_attributes", 5000, file_attributes);
    measure("file_view", 2000, file_view);
    measure("folder_list", 20, folder_list);
}

static void file_open_close(void)
{
    HANDLE file = CreateFileW(L"C:\\windows\\system32\\ntdll.dll", GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);

    if (file == INVALID_HANDLE_VALUE) die("CreateFile");
    CloseHandle(file);
}

static HANDLE pipe_client;

static DWORD WINAPI pipe_server(void *arg)
{
    HANDLE pipe = arg;
    char buffer[MESSAGE];
    DWORD n;

    while (ReadFile(pipe, buffer, sizeof(buffer), &n, NULL) && WriteFile(pipe, buffer, n, &n, NULL)) continue;
    CloseHandle(pipe);
    return 0;
}

static void pipe_round_trip(void)
{
    char buffer[MESSAGE] = { 0 };
    DWORD n;

    if (!WriteFile(pipe_client, buffer, sizeof(buffer), &n, NULL) || !ReadFile(pipe_client, buffer, sizeof(buffer), &n, NULL))
        die("pipe");
}

static void bench_pipe(void)
{
    HANDLE server = CreateNamedPipeW(L"\\\\.\\pipe\\winesilo-bench", PIPE_ACCESS_DUPLEX, PIPE_TYPE_BYTE | PIPE_WAIT, 1, 4096, 4096, 0, NULL), thread;

    if (server == INVALID_HANDLE_VALUE) die("CreateNamedPipe");
    pipe_client = CreateFileW(L"\\\\.\\pipe\\winesilo-bench", GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (pipe_client == INVALID_HANDLE_VALUE) die("CreateFile of the pipe");
    thread = CreateThread(NULL, 0, pipe_server, server, 0, NULL);
    measure("pipe_round_trip", 2000, pipe_round_trip);
    CloseHandle(pipe_client);
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
}

static SOCKET tcp_client;

static DWORD WINAPI tcp_server(void *arg)
{
    SOCKET listener = (SOCKET)(UINT_PTR)arg, s = accept(listener, NULL, NULL);
    char buffer[MESSAGE];
    int n, one = 1;

    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, (char *)&one, sizeof(one));
    while ((n = recv(s, buffer, sizeof(buffer), 0)) > 0 && send(s, buffer, n, 0) == n) continue;
    closesocket(s);
    return 0;
}

static void tcp_round_trip(void)
{
    char buffer[MESSAGE] = { 0 };

    if (send(tcp_client, buffer, sizeof(buffer), 0) != MESSAGE || recv(tcp_client, buffer, sizeof(buffer), 0) <= 0) die("tcp");
}

static void bench_tcp(void)
{
    SOCKET listener;
    struct sockaddr_in addr = { 0 };
    int size = sizeof(addr), one = 1;
    HANDLE thread;
    WSADATA data;

    if (WSAStartup(0x202, &data)) die("WSAStartup");
    listener = socket(AF_INET, SOCK_STREAM, 0);
    addr.sin_family = AF_INET;
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&addr, sizeof(addr)) || listen(listener, 1) || getsockname(listener, (struct sockaddr *)&addr, &size)) die("listen");
    thread = CreateThread(NULL, 0, tcp_server, (void *)(UINT_PTR)listener, 0, NULL);
    tcp_client = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(tcp_client, (struct sockaddr *)&addr, sizeof(addr))) die("connect");
    setsockopt(tcp_client, IPPROTO_TCP, TCP_NODELAY, (char *)&one, sizeof(one));
    measure("tcp_round_trip", 2000, tcp_round_trip);
    closesocket(tcp_client);
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
    closesocket(listener);
}

/* ---- calls on sockets that carry addresses ---- */

static SOCKET listening, sender, receiver;
static struct sockaddr_in listening_at, receiving_at;

static void tcp_connect(void)
{
    SOCKET client = socket(AF_INET, SOCK_STREAM, 0), server;
    struct sockaddr_in from;
    int size = sizeof(from);

    if (connect(client, (struct sockaddr *)&listening_at, sizeof(listening_at))) die("connect");
    if ((server = accept(listening, (struct sockaddr *)&from, &size)) == INVALID_SOCKET) die("accept");
    closesocket(client);
    closesocket(server);
}

static void datagram(void)
{
    char buffer[MESSAGE] = { 0 };
    struct sockaddr_in from;
    int size = sizeof(from);

    if (sendto(sender, buffer, sizeof(buffer), 0, (struct sockaddr *)&receiving_at, sizeof(receiving_at)) != MESSAGE) die("sendto");
    if (recvfrom(receiver, buffer, sizeof(buffer), 0, (struct sockaddr *)&from, &size) != MESSAGE) die("recvfrom");
}

static void socket_name(void)
{
    struct sockaddr_in name;
    int size = sizeof(name);

    if (getsockname(receiver, (struct sockaddr *)&name, &size)) die("getsockname");
}

static SOCKET bound_socket(int type, struct sockaddr_in *at)
{
    SOCKET s = socket(AF_INET, type, 0);
    int size = sizeof(*at);

    at->sin_family = AF_INET;
    at->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(s, (struct sockaddr *)at, sizeof(*at)) || getsockname(s, (struct sockaddr *)at, &size)) die("bind");
    return s;
}

static void bench_addresses(void)
{
    listening = bound_socket(SOCK_STREAM, &listening_at);
    if (listen(listening, 8)) die("listen");
    receiver = bound_socket(SOCK_DGRAM, &receiving_at);
    sender = socket(AF_INET, SOCK_DGRAM, 0);
    measure("tcp_connect", 500, tcp_connect);
    measure("datagram", 2000, datagram);
    measure("socket_name", 5000, socket_name);
    closesocket(listening);
    closesocket(receiver);
    closesocket(sender);
}

static void process_start(void)
{
    PROCESS_INFORMATION process;
    STARTUPINFOW startup = { .cb = sizeof(startup) };
    WCHAR self[MAX_PATH], command[MAX_PATH + 16];

    GetModuleFileNameW(NULL, self, MAX_PATH);
    swprintf(command, MAX_PATH + 16, L"\"%ls\" nothing", self);
    if (!CreateProcessW(self, command, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &process)) die("CreateProcess");
    WaitForSingleObject(process.hProcess, INFINITE);
    CloseHandle(process.hThread);
    CloseHandle(process.hProcess);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "nothing")) return 0;
    if (argc > 2 && !strcmp(argv[1], "keys")) return make_keys(argv[2]);
    if (argc > 2 && !strcmp(argv[1], "change")) return change_keys(atoi(argv[2]));
    if (argc > 3 && !strcmp(argv[1], "load")) return load_hives(argv[2], atoi(argv[3]));
    if (argc > 2 && !strcmp(argv[1], "list")) {
        key = open_keys(argv[2]);
        measure("list", 5, list_keys);
        return 0;
    }
    if (argc > 1) rounds = atoi(argv[1]);
    if (rounds < 1 || rounds > MAX_ROUNDS) rounds = 7;
    measure("event_create_close", 5000, event_create_close);
    key_path = L"Software\\Microsoft\\Windows\\CurrentVersion";
    if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, key_path, 0, KEY_READ, &key)) die("RegOpenKeyEx");
    measure("key_open_close", 5000, key_open_close);
    measure("value_query", 5000, value_query);
    bench_keys();
    measure("file_open_close", 3000, file_open_close);
    bench_files();
    bench_pipe();
    bench_tcp();
    bench_addresses();
    measure("process_start", 5, process_start);
    return 0;
}
