/* A service with good and bad manners, chosen by its command line: testsvc.exe MODE.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   normal      starts and stops as it should
 *   slow        starts and stops in steps, with checkpoints and wait hints (about 2 s each)
 *   dies        exits with 3 before it talks to the SCM
 *   dies-late   reports START_PENDING, then exits with 4
 *   crashes     starts, then exits with 5 without a report a little later
 *   fails       reports STOPPED with the service-specific error 42 while it starts
 *   never       runs, but never talks to the SCM
 *   silent      connects to the SCM, but never reports a state
 *   hangs       reports START_PENDING with a wait hint of 1 s, and no progress
 *   stays       accepts no stop
 *   lingers     reports STOP_PENDING when asked to stop, and does not stop
 *   undead      reports STOPPED when asked to stop, and its process goes on
 *   pauses      can be paused
 *   preshutdown wants to know before a shutdown
 *   fails-late  starts, then stops with error 42 a little later
 *   deaf        its handler comes back from the control 129 only when the file C:\deaf.txt is there
 *   prints FILE writes a file of up to 64 KiB to its standard output at once, then starts
 *   shared N... has the services N... in one process
 *
 * It writes the arguments of its main function, one per line, to C:\testsvc-NAME.txt, and what happens to all of
 * them to C:\testsvc.log: "begin NAME", "run NAME", "stop NAME", "control CODE NAME". The user-defined control 128 makes
 * it exit with 6, without a report.
 *
 * With `gone FILE` it is no service, but waits up to 30 s until no process runs FILE any more, as installers do
 * before they delete the program of a service that they have stopped. */

#include <windows.h>

#include <stdio.h>
#include <string.h>

#define MAX_SHARED 8

static const char *mode = "normal";

/* one service; the variables of the thread that is its main function */
struct instance {
    WCHAR name[260];
    SERVICE_STATUS_HANDLE status_handle;
    HANDLE stop_event;
    DWORD checkpoint;
} instances[MAX_SHARED];
static __thread struct instance *self;
static LONG instance_count;

static BOOL is(const char *name)
{
    return !strcmp(mode, name);
}

/* A line in the log of all services; the file is opened for appending, so lines do not mix. */
static void note(const char *what, const WCHAR *name)
{
    char line[400];
    DWORD written;
    int size = snprintf(line, sizeof(line), "%s %ls\n", what, name);
    HANDLE file = CreateFileW(L"C:\\testsvc.log", FILE_APPEND_DATA, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL,
                              OPEN_ALWAYS, 0, NULL);

    WriteFile(file, line, size, &written, NULL);
    CloseHandle(file);
}

static void report(DWORD state, DWORD hint)
{
    SERVICE_STATUS status = {.dwServiceType = SERVICE_WIN32_OWN_PROCESS, .dwCurrentState = state};

    if ((state == SERVICE_RUNNING || state == SERVICE_PAUSED) && !is("stays"))
        status.dwControlsAccepted = SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_SHUTDOWN;
    if (status.dwControlsAccepted && is("pauses"))
        status.dwControlsAccepted |= SERVICE_ACCEPT_PAUSE_CONTINUE;
    if (status.dwControlsAccepted && is("preshutdown"))
        status.dwControlsAccepted |= SERVICE_ACCEPT_PRESHUTDOWN;
    if (state == SERVICE_STOPPED && is("fails-late"))
        status.dwWin32ExitCode = 42;
    if (state == SERVICE_RUNNING && !hint)
        note("run", self->name);
    if (state == SERVICE_STOPPED)
        note("stop", self->name);
    if (state != SERVICE_RUNNING && state != SERVICE_STOPPED)
        status.dwCheckPoint = ++self->checkpoint;
    if (state == SERVICE_STOPPED && is("fails")) {
        status.dwWin32ExitCode = ERROR_SERVICE_SPECIFIC_ERROR;
        status.dwServiceSpecificExitCode = 42;
    }
    status.dwWaitHint = hint;
    SetServiceStatus(self->status_handle, &status);
}

/* A pending state in steps. */
static void creep(DWORD state)
{
    for (int i = 0; i < 8; i++) {
        report(state, 1000);
        Sleep(250);
    }
}

/* Nothing tells of a file but looking. */
static void await_file(void)
{
    while (GetFileAttributesW(L"C:\\deaf.txt") == INVALID_FILE_ATTRIBUTES)
        Sleep(20);
}

static DWORD WINAPI control(DWORD code, DWORD type, void *data, void *context)
{
    char what[40];

    (void)type;
    (void)data;
    self = context;
    snprintf(what, sizeof(what), "control %lu", code);
    note(what, self->name);
    if (code == 128)
        ExitProcess(6);
    if (code == 129 && is("deaf"))
        await_file();
    if (code == SERVICE_CONTROL_PAUSE)
        report(SERVICE_PAUSED, 0);
    if (code == SERVICE_CONTROL_CONTINUE)
        report(SERVICE_RUNNING, 1);
    if (code == SERVICE_CONTROL_STOP || code == SERVICE_CONTROL_SHUTDOWN || code == SERVICE_CONTROL_PRESHUTDOWN) {
        report(SERVICE_STOP_PENDING, 1000);
        SetEvent(self->stop_event);
    }
    return NO_ERROR;
}

static void write_arguments(DWORD argc, WCHAR **argv)
{
    WCHAR path[MAX_PATH];
    FILE *file;

    swprintf(path, MAX_PATH, L"C:\\testsvc-%ls.txt", argv[0]);
    if (!(file = _wfopen(path, L"w")))
        return;
    for (DWORD i = 0; i < argc; i++)
        fprintf(file, "%ls\n", argv[i]);
    fclose(file);
}

static void start(void)
{
    if (is("silent"))
        Sleep(INFINITE);
    report(SERVICE_START_PENDING, 1000);
    if (is("dies-late"))
        ExitProcess(4);
    if (is("hangs"))
        Sleep(INFINITE);
    if (is("slow"))
        creep(SERVICE_START_PENDING);
}

static void WINAPI service_main(DWORD argc, WCHAR **argv)
{
    self = &instances[(InterlockedIncrement(&instance_count) - 1) % MAX_SHARED];
    memset(self, 0, sizeof(*self));
    wcscpy(self->name, argv[0]);
    self->stop_event = CreateEventW(NULL, TRUE, FALSE, NULL);
    write_arguments(argc, argv);
    self->status_handle = RegisterServiceCtrlHandlerExW(argv[0], control, self);
    note("begin", self->name);
    start();
    if (is("fails")) {
        report(SERVICE_STOPPED, 0);
        return;
    }
    report(SERVICE_RUNNING, 0);
    if (is("crashes")) {
        Sleep(300);
        ExitProcess(5);
    }
    WaitForSingleObject(self->stop_event, is("fails-late") ? 300 : INFINITE);
    if (is("lingers"))
        Sleep(INFINITE);
    if (is("slow"))
        creep(SERVICE_STOP_PENDING);
    report(SERVICE_STOPPED, 0);
}

/* A program that runs can't be opened for writing; nothing tells when it can be. */
static int wait_gone(const char *path)
{
    const DWORD all = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

    for (int i = 0; i < 3000; i++) {
        HANDLE file = CreateFileA(path, GENERIC_WRITE, all, NULL, OPEN_EXISTING, 0, NULL);

        if (file != INVALID_HANDLE_VALUE) {
            CloseHandle(file);
            return 0;
        }
        if (GetLastError() != ERROR_SHARING_VIOLATION)
            break;
        Sleep(10);
    }
    return 1;
}

static BOOL print_at_once(const char *path)
{
    static char text[65536];
    FILE *file = fopen(path, "rb");
    DWORD size = file ? (DWORD)fread(text, 1, sizeof(text), file) : 0, written = 0;

    if (file)
        fclose(file);
    return size && WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), text, size, &written, NULL) && written == size;
}

int main(int argc, char **argv)
{
    WCHAR names[MAX_SHARED][64] = {L""};
    SERVICE_TABLE_ENTRYW table[MAX_SHARED + 1] = {{names[0], service_main}};

    if (argc > 2 && !strcmp(argv[1], "gone"))
        return wait_gone(argv[2]);
    if (argc > 1)
        mode = argv[1];
    for (int i = 2; is("shared") && i < argc && i - 2 < MAX_SHARED; i++) {
        swprintf(names[i - 2], 64, L"%hs", argv[i]);
        table[i - 2] = (SERVICE_TABLE_ENTRYW){names[i - 2], service_main};
    }
    if (is("dies") || (is("prints") && !(argc > 2 && print_at_once(argv[2]))))
        return 3;
    if (is("never"))
        Sleep(INFINITE);
    if (!StartServiceCtrlDispatcherW(table)) {
        printf("not a service: error %lu\n", GetLastError());
        return 1;
    }
    if (is("undead"))
        Sleep(INFINITE);
    return 0;
}
