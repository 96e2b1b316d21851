/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Named objects, global atoms, pipes and mailslots: a silo has its own of each name. */
#include "bench.h"

enum { MESSAGE = 64 };

static void close_made(HANDLE handle, const char *what)
{
    if (!handle || handle == INVALID_HANDLE_VALUE) die(what);
    CloseHandle(handle);
}

static void event_create(void)
{
    close_made(CreateEventW(NULL, TRUE, FALSE, L"winesilo-bench-event"), "CreateEvent");
}

static void event_create_global(void)
{
    close_made(CreateEventW(NULL, TRUE, FALSE, L"Global\\winesilo-bench-global"), "CreateEvent");
}

static void mutex_create(void)
{
    close_made(CreateMutexW(NULL, FALSE, L"winesilo-bench-mutex"), "CreateMutex");
}

static void semaphore_create(void)
{
    close_made(CreateSemaphoreW(NULL, 0, 1, L"winesilo-bench-semaphore"), "CreateSemaphore");
}

static void timer_create(void)
{
    close_made(CreateWaitableTimerW(NULL, TRUE, L"winesilo-bench-timer"), "CreateWaitableTimer");
}

static void section_create(void)
{
    close_made(CreateFileMappingW(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 4096, L"winesilo-bench-section"),
               "CreateFileMapping");
}

static void set_up_kept(void)
{
    if (!CreateMutexW(NULL, FALSE, L"winesilo-bench-kept-mutex")) die("CreateMutex");
    if (!CreateEventW(NULL, FALSE, FALSE, L"winesilo-bench-kept-event")) die("CreateEvent");
    if (!CreateFileMappingW(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 4096, L"winesilo-bench-kept-section"))
        die("CreateFileMapping");
}

static void event_open(void)
{
    close_made(OpenEventW(SYNCHRONIZE, FALSE, L"winesilo-bench-kept-event"), "OpenEvent");
}

static void mutex_open(void)
{
    close_made(OpenMutexW(SYNCHRONIZE, FALSE, L"winesilo-bench-kept-mutex"), "OpenMutex");
}

static void mutex_open_absent(void)
{
    if (OpenMutexW(SYNCHRONIZE, FALSE, L"winesilo-bench-absent")) die("opening nothing");
}

static void section_open(void)
{
    close_made(OpenFileMappingW(FILE_MAP_READ, FALSE, L"winesilo-bench-kept-section"), "OpenFileMapping");
}

static void mailslot_create(void)
{
    close_made(CreateMailslotW(L"\\\\.\\mailslot\\winesilo-bench", 0, 0, NULL), "CreateMailslot");
}

static HANDLE create_pipe(const WCHAR *name)
{
    HANDLE pipe = CreateNamedPipeW(name, PIPE_ACCESS_DUPLEX, PIPE_TYPE_BYTE | PIPE_WAIT, PIPE_UNLIMITED_INSTANCES, 4096,
                                   4096, 0, NULL);

    if (pipe == INVALID_HANDLE_VALUE) die("CreateNamedPipe");
    return pipe;
}

static void pipe_create(void)
{
    CloseHandle(create_pipe(L"\\\\.\\pipe\\winesilo-bench-made"));
}

/* a client and a server that are connected */
static void pipe_connect(void)
{
    HANDLE server = create_pipe(L"\\\\.\\pipe\\winesilo-bench-connect");

    close_made(CreateFileW(L"\\\\.\\pipe\\winesilo-bench-connect", GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0,
                           NULL), "CreateFile of a pipe");
    CloseHandle(server);
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

static void set_up_pipe(void)
{
    HANDLE server = create_pipe(L"\\\\.\\pipe\\winesilo-bench");

    pipe_client = CreateFileW(L"\\\\.\\pipe\\winesilo-bench", GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (pipe_client == INVALID_HANDLE_VALUE) die("CreateFile of a pipe");
    CloseHandle(CreateThread(NULL, 0, pipe_server, server, 0, NULL));
}

static void pipe_round_trip(void)
{
    char buffer[MESSAGE] = { 0 };
    DWORD n;

    if (!WriteFile(pipe_client, buffer, sizeof(buffer), &n, NULL) || !ReadFile(pipe_client, buffer, sizeof(buffer), &n, NULL))
        die("pipe");
}

static void atom_add_delete(void)
{
    ATOM atom = GlobalAddAtomW(L"winesilo-bench-atom");

    if (!atom || GlobalDeleteAtom(atom)) die("atoms");
}

static ATOM kept;

static void set_up_atom(void)
{
    if (!(kept = GlobalAddAtomW(L"winesilo-bench-kept-atom"))) die("GlobalAddAtom");
}

static void atom_find(void)
{
    if (!GlobalFindAtomW(L"winesilo-bench-kept-atom")) die("GlobalFindAtom");
}

static void atom_name(void)
{
    WCHAR name[64];

    if (!GlobalGetAtomNameW(kept, name, 64)) die("GlobalGetAtomName");
}

const struct row object_rows[] = {
    { HOOKED, "event_create_close", event_create, NULL },
    { HOOKED, "event_create_global", event_create_global, NULL },
    { HOOKED, "event_open_close", event_open, set_up_kept },
    { HOOKED, "mutex_create_close", mutex_create, NULL },
    { HOOKED, "mutex_open_close", mutex_open, set_up_kept },
    { HOOKED, "mutex_open_absent", mutex_open_absent, set_up_kept },
    { HOOKED, "semaphore_create_close", semaphore_create, NULL },
    { HOOKED, "timer_create_close", timer_create, NULL },
    { HOOKED, "section_create_close", section_create, NULL },
    { HOOKED, "section_open_close", section_open, set_up_kept },
    { HOOKED, "atom_add_delete", atom_add_delete, NULL },
    { HOOKED, "atom_find", atom_find, set_up_atom },
    { HOOKED, "atom_name", atom_name, set_up_atom },
    { HOOKED, "mailslot_create_close", mailslot_create, NULL },
    { HOOKED, "pipe_create_close", pipe_create, NULL },
    { HOOKED, "pipe_connect", pipe_connect, NULL },
    { HOOKED, "pipe_round_trip", pipe_round_trip, set_up_pipe },
    { 0 },
};
