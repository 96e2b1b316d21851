/* Named pipes: names, waiting, listing, messages.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   pipes host|silo     checks
 *   pipes hold NAME     serve a pipe called NAME (one instance), say ready, wait
 *   pipes probe NAME    print `found` or `absent` for opening, waiting and listing (if Wine can), one line each
 *   pipes list          print the names of all pipes */

#include "check.h"

static HANDLE serve(const WCHAR *path, DWORD instances)
{
    return CreateNamedPipeW(path, PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED,
                            PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE | PIPE_WAIT, instances, 4096, 4096, 100,
                            NULL);
}

static HANDLE dial(const WCHAR *path)
{
    return CreateFileW(path, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
}

static BOOL opened(HANDLE handle)
{
    return handle && handle != INVALID_HANDLE_VALUE;
}

/* Names of pipes in the listing, by FindFirstFile. */
static BOOL in_listing(const WCHAR *name, const WCHAR *bad_prefix, BOOL print)
{
    WIN32_FIND_DATAW data;
    HANDLE find = FindFirstFileW(L"\\\\.\\pipe\\*", &data);
    BOOL found = FALSE;

    if (!opened(find))
        return FALSE;
    do {
        if (print)
            printf("pipe %ls\n", data.cFileName);
        if (name && same_text(data.cFileName, name))
            found = TRUE;
        if (bad_prefix && begins_with(data.cFileName, bad_prefix))
            found = TRUE;
    } while (FindNextFileW(find, &data));
    FindClose(find);
    return found;
}

/* Wine up to 10.0 can't list pipes; when it can, a silo must see its own and no others. */
static BOOL listing_works(void)
{
    WIN32_FIND_DATAW data;
    HANDLE find = FindFirstFileW(L"\\\\.\\pipe\\*", &data);

    if (opened(find))
        FindClose(find);
    return opened(find) || GetLastError() != ERROR_BAD_DEV_TYPE;
}

static void check_file_name(const char *title, HANDLE handle, const WCHAR *wanted)
{
    struct {
        DWORD length;
        WCHAR name[512];
    } info = {0, L""};
    BOOL ok = GetFileInformationByHandleEx(handle, FileNameInfo, &info, sizeof(info) - sizeof(WCHAR));

    info.name[info.length / sizeof(WCHAR)] = 0;
    check(ok && same_text(info.name, wanted), title, "name %ls, not %ls, error %lu", info.name, wanted,
          GetLastError());
}

/* What has a file's name besides other things is not there for pipes; if it is, some day, the name must be the pipe's. */
static void check_all_information(HANDLE pipe, const WCHAR *wanted)
{
    struct {
        BYTE other[96]; /* what comes before the name in FILE_ALL_INFORMATION */
        DWORD length;
        WCHAR name[512];
    } info = {0};
    IO_STATUS_BLOCK io;

    if (NtQueryInformationFile(pipe, &io, &info, sizeof(info) - sizeof(WCHAR), (FILE_INFORMATION_CLASS)18) >= 0)
        check(same_text(info.name, wanted), "all-information-name", "%ls", info.name);
}

static void talk(const char *title, HANDLE from, HANDLE to)
{
    char text[16] = "";
    DWORD done;
    BOOL ok = WriteFile(from, "hello", 6, &done, NULL) && ReadFile(to, text, sizeof(text), &done, NULL);

    check(ok && !strcmp(text, "hello"), title, "read %s, error %lu", text, GetLastError());
}

static void check_one_pipe(void)
{
    const WCHAR *path = L"\\\\.\\pipe\\wst-Pipe";
    HANDLE server, client;

    CHECK_ERROR("open-missing", !opened(dial(path)), ERROR_FILE_NOT_FOUND);
    CHECK_ERROR("wait-missing", !WaitNamedPipeW(path, 50), ERROR_FILE_NOT_FOUND);
    server = serve(path, 1);
    CHECK("create", opened(server));
    CHECK_NAME("server-object-name", server, L"\\Device\\NamedPipe\\wst-Pipe");
    check_file_name("server-file-name", server, L"\\wst-Pipe");
    check_all_information(server, L"\\wst-Pipe");
    CHECK("wait-free", WaitNamedPipeW(path, 50));
    if (listing_works())
        CHECK("listed", in_listing(L"wst-Pipe", NULL, FALSE));
    else
        CHECK("not-listed", !in_listing(L"wst-Pipe", NULL, FALSE));
    CHECK_ERROR("too-many-instances", !opened(serve(path, 1)), ERROR_PIPE_BUSY);
    client = dial(L"\\\\.\\PIPE\\WST-pipe");
    CHECK("open-other-case", opened(client));
    CHECK_NAME("client-object-name", client, L"\\Device\\NamedPipe\\wst-Pipe");
    check_file_name("client-file-name", client, L"\\wst-Pipe");
    talk("client-to-server", client, server);
    talk("server-to-client", server, client);
    CHECK_ERROR("busy", !opened(dial(path)), ERROR_PIPE_BUSY);
    CHECK_ERROR("wait-busy", !WaitNamedPipeW(path, 50), ERROR_SEM_TIMEOUT);
    CloseHandle(client);
    CloseHandle(server);
    CHECK_ERROR("gone", !opened(dial(path)), ERROR_FILE_NOT_FOUND);
}

static DWORD WINAPI wait_for_pipe(void *path)
{
    return WaitNamedPipeW(path, 5000) ? 1 : 0;
}

/* A client that waits is woken by a new instance. */
static void check_waiting(void)
{
    static WCHAR path[] = L"\\\\.\\pipe\\wst-wait";
    HANDLE first = serve(path, 2), client = dial(path), second, thread;
    DWORD result = 99;

    thread = CreateThread(NULL, 0, wait_for_pipe, path, 0, NULL);
    CHECK("wait-blocks", WaitForSingleObject(thread, 50) == WAIT_TIMEOUT);
    second = serve(path, 2);
    CHECK("wait-wakes", WaitForSingleObject(thread, 4000) == WAIT_OBJECT_0);
    GetExitCodeThread(thread, &result);
    CHECK("wait-result", result == 1);
    CloseHandle(thread), CloseHandle(first), CloseHandle(client), CloseHandle(second);
}

static DWORD WINAPI answer(void *server)
{
    char text[64];
    DWORD got, done;

    ConnectNamedPipe(server, NULL);
    if (ReadFile(server, text, sizeof(text), &got, NULL))
        WriteFile(server, text, got, &done, NULL);
    return 0;
}

static void check_calls(void)
{
    const WCHAR *path = L"\\\\.\\pipe\\wst\\with\\path";
    HANDLE server = CreateNamedPipeW(path, PIPE_ACCESS_DUPLEX, PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE, 1,
                                     4096, 4096, 0, NULL);
    HANDLE thread = CreateThread(NULL, 0, answer, server, 0, NULL);
    char reply[64] = "";
    DWORD got = 0;

    CHECK_NAME("deep-object-name", server, L"\\Device\\NamedPipe\\wst\\with\\path");
    check_file_name("deep-file-name", server, L"\\wst\\with\\path");
    CHECK("call", CallNamedPipeW(path, (void *)"echo", 5, reply, sizeof(reply), &got, 2000));
    CHECK("call-reply", got == 5 && !strcmp(reply, "echo"));
    WaitForSingleObject(thread, 2000);
    CloseHandle(thread), CloseHandle(server);
}

static NTSTATUS nt_open(const WCHAR *path, HANDLE root, HANDLE *handle)
{
    UNICODE_STRING name = nt_string(path);
    OBJECT_ATTRIBUTES attr;
    IO_STATUS_BLOCK io;

    InitializeObjectAttributes(&attr, &name, OBJ_CASE_INSENSITIVE, root, NULL);
    return NtOpenFile(handle, GENERIC_READ | GENERIC_WRITE | SYNCHRONIZE, &attr, &io,
                      FILE_SHARE_READ | FILE_SHARE_WRITE, FILE_SYNCHRONOUS_IO_NONALERT);
}

/* The same pipe by its native names. */
static void check_native(void)
{
    static const struct {
        const char *title;
        const WCHAR *path;
    } names[] = {
        {"native-device", L"\\Device\\NamedPipe\\wst-native"},
        {"native-dos", L"\\??\\pipe\\wst-native"},
        {"native-dosdevices", L"\\DosDevices\\pipe\\wst-native"},
    };
    HANDLE root, client;

    for (size_t i = 0; i < ARRAYSIZE(names); i++) {
        HANDLE server = serve(L"\\\\.\\pipe\\wst-native", 1);

        CHECK_STATUS(names[i].title, nt_open(names[i].path, NULL, &client), 0);
        CloseHandle(client), CloseHandle(server);
    }
    CHECK_STATUS("native-root", nt_open(L"\\??\\pipe\\", NULL, &root), 0);
    check(begins_with(object_name(root), L"\\Device\\NamedPipe"), "native-root-name", "the name is %ls",
          object_name(root)); /* with a backslash at its end in Wine 10 */
    CloseHandle(root);
}

static void check_ids(void)
{
    HANDLE server = serve(L"\\\\.\\pipe\\wst-ids", 1), client = dial(L"\\\\.\\pipe\\wst-ids");
    DWORD flags = 0, instances = 0, most = 0;
    char peeked[8];

    CHECK("info", GetNamedPipeInfo(client, &flags, NULL, NULL, &most) && most == 1);
    CHECK("state", GetNamedPipeHandleStateW(server, NULL, &instances, NULL, NULL, NULL, 0) && instances == 1);
    talk("before-peek", server, client);
    CHECK("peek-empty", PeekNamedPipe(client, peeked, sizeof(peeked), NULL, NULL, NULL));
    CHECK("disconnect", DisconnectNamedPipe(server));
    CloseHandle(client), CloseHandle(server);
}

static int run_checks(BOOL silo)
{
    check_one_pipe();
    check_waiting();
    check_calls();
    check_native();
    check_ids();
    CHECK("own-scm-pipe", WaitNamedPipeW(L"\\\\.\\pipe\\svcctl", 1000));
    if (silo) {
        CHECK("lists-only-its-own", !in_listing(NULL, L"winesilo", FALSE));
        CHECK_ERROR("no-way-around", !opened(dial(L"\\\\.\\pipe\\winesilo\\1\\svcctl")), ERROR_FILE_NOT_FOUND);
    }
    return finish();
}

static int run_probe(const WCHAR *name)
{
    WCHAR path[512];

    swprintf(path, 512, L"\\\\.\\pipe\\%ls", name);
    printf("%s wait\n", WaitNamedPipeW(path, 10) ? "found" : "absent");
    if (listing_works())
        printf("%s list\n", in_listing(name, NULL, FALSE) ? "found" : "absent");
    printf("%s open\n", opened(dial(path)) ? "found" : "absent");
    return 0;
}

static int run_hold(const WCHAR *name)
{
    WCHAR path[512];

    swprintf(path, 512, L"\\\\.\\pipe\\%ls", name);
    if (!opened(serve(path, 1))) {
        printf("not ok create: error %lu\n", GetLastError());
        return 1;
    }
    hold();
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && (!strcmp(argv[1], "host") || !strcmp(argv[1], "silo")))
        return run_checks(!strcmp(argv[1], "silo"));
    if (argc == 2 && !strcmp(argv[1], "list"))
        return in_listing(NULL, NULL, TRUE);
    if (argc == 3 && !strcmp(argv[1], "hold"))
        return run_hold(wide(argv[2]));
    if (argc == 3 && !strcmp(argv[1], "probe"))
        return run_probe(wide(argv[2]));
    usage("pipes host|silo | list | hold NAME | probe NAME");
}
