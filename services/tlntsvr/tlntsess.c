/* One telnet session: a connection on one side, a shell on pipes on the other. Started by tlntsvr.exe.
 *
 *   tlntsess.exe STOP     an inherited event, as a number: the session ends when it is set
 *
 * Its standard input is a pipe with a WSAPROTOCOL_INFOW: the socket, as WSADuplicateSocket describes it.
 *
 * The shell has a console without a window (a pseudo console) beside its pipes, as large as the client's window. A
 * Ctrl-C ends what it runs.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <winsock2.h>

#include <stdio.h>
#include <stdlib.h>

#include "edit.h"
#include "settings.h"
#include "telnet.h"

#ifndef PROC_THREAD_ATTRIBUTE_PSEUDOCONSOLE
#define PROC_THREAD_ATTRIBUTE_PSEUDOCONSOLE 0x00020016
#endif

enum { CHUNK = 4096 };

typedef HRESULT WINAPI create_console(COORD, HANDLE, HANDLE, DWORD, void **);
typedef HRESULT WINAPI resize_console(void *, COORD);

struct session {
    struct settings settings;
    SOCKET socket;
    HANDLE stop, arrived;
    CRITICAL_SECTION sending;
    struct telnet telnet;
    struct edit edit;
    char echo[EDIT_ECHO_MAX];
    uint8_t last;              /* byte sent to the client, for telnet_escape() */
    BOOL broken;               /* the connection */
    BOOL secret;               /* a password is being typed */
    DWORD failed;              /* passwords */
    HANDLE to_shell, from_shell, shell, job, reader;
    HANDLE keys, screen;       /* our ends of the pseudo console's pipes */
    void *console;
    COORD size;                /* of its screen */
};

/* ---- to the client ---- */

/* The socket does not block: it has an event. Its client may be slow, but not for ever. */
static BOOL wait_writable(SOCKET socket)
{
    struct timeval limit = {30, 0};
    fd_set set;

    FD_ZERO(&set);
    FD_SET(socket, &set);
    return select(0, NULL, &set, NULL, &limit) == 1;
}

static void send_all(void *context, const uint8_t *data, size_t size)
{
    struct session *session = context;

    EnterCriticalSection(&session->sending);
    while (size && !session->broken) {
        int sent = send(session->socket, (const char *)data, (int)size, 0);

        if (sent > 0) {
            data += sent;
            size -= (size_t)sent;
        }
        else if (sent == 0 || WSAGetLastError() != WSAEWOULDBLOCK || !wait_writable(session->socket))
            session->broken = TRUE;
    }
    LeaveCriticalSection(&session->sending);
}

static void show(struct session *session, const char *text, size_t size)
{
    uint8_t out[2 * CHUNK];

    EnterCriticalSection(&session->sending);
    while (size) {
        size_t n = size < CHUNK ? size : CHUNK;

        send_all(session, out, telnet_escape((const uint8_t *)text, n, &session->last, out));
        text += n;
        size -= n;
    }
    LeaveCriticalSection(&session->sending);
}

static void say(struct session *session, const char *text)
{
    show(session, text, strlen(text));
}

/* ---- the shell ---- */

static DWORD WINAPI read_shell(void *context)
{
    struct session *session = context;
    char buffer[CHUNK];
    DWORD n;

    while (ReadFile(session->from_shell, buffer, sizeof(buffer), &n, NULL) && n)
        show(session, buffer, n);
    return 0;
}

/* What the console itself shows (nothing, as its programs write to pipes) must be read. */
static DWORD WINAPI drain(void *context)
{
    char buffer[CHUNK];
    DWORD n;

    while (ReadFile(context, buffer, sizeof(buffer), &n, NULL) && n)
        ;
    CloseHandle(context);
    return 0;
}

static BOOL make_pipe(HANDLE *read, HANDLE *write, HANDLE *inherited)
{
    if (!CreatePipe(read, write, NULL, 0))
        return FALSE;
    return !inherited || SetHandleInformation(*inherited, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
}

/* Without one the session works, too. */
static void make_console(struct session *session)
{
    HMODULE kernel = GetModuleHandleW(L"kernel32.dll");
    create_console *create = (create_console *)(void *)GetProcAddress(kernel, "CreatePseudoConsole");
    HANDLE in, out, thread;

    if (!create || !make_pipe(&in, &session->keys, NULL))
        return;
    if (make_pipe(&session->screen, &out, NULL)) {
        if (create(session->size, in, out, 0, &session->console))
            session->console = NULL;
        CloseHandle(out);
        if ((thread = CreateThread(NULL, 0, drain, session->screen, 0, NULL)))
            CloseHandle(thread);
    }
    CloseHandle(in);
}

static BOOL create_shell(struct session *session, HANDLE in, HANDLE out)
{
    STARTUPINFOEXW startup = {.StartupInfo = {.cb = sizeof(startup), .dwFlags = STARTF_USESTDHANDLES}};
    DWORD flags = EXTENDED_STARTUPINFO_PRESENT | CREATE_SUSPENDED | (session->console ? 0 : CREATE_NO_WINDOW);
    PROCESS_INFORMATION process;
    SIZE_T size = 0;
    BOOL good;

    InitializeProcThreadAttributeList(NULL, 1, 0, &size);
    if (!(startup.lpAttributeList = malloc(size)) || !InitializeProcThreadAttributeList(startup.lpAttributeList, 1, 0, &size))
        return FALSE;
    if (session->console)
        UpdateProcThreadAttribute(startup.lpAttributeList, 0, PROC_THREAD_ATTRIBUTE_PSEUDOCONSOLE, session->console,
                                  sizeof(session->console), NULL, NULL);
    startup.StartupInfo.hStdInput = in;
    startup.StartupInfo.hStdOutput = startup.StartupInfo.hStdError = out;
    good = CreateProcessW(NULL, session->settings.shell, NULL, NULL, TRUE, flags, NULL, NULL, &startup.StartupInfo, &process);
    DeleteProcThreadAttributeList(startup.lpAttributeList);
    free(startup.lpAttributeList);
    if (!good)
        return FALSE;
    AssignProcessToJobObject(session->job, process.hProcess);
    ResumeThread(process.hThread);
    CloseHandle(process.hThread);
    session->shell = process.hProcess;
    return TRUE;
}

static BOOL start_shell(struct session *session)
{
    HANDLE in = NULL, out = NULL;
    BOOL good;

    make_console(session); /* first: its process would inherit the pipes, and keep the shell's output from ending */
    good = make_pipe(&in, &session->to_shell, &in) && make_pipe(&session->from_shell, &out, &out);
    session->job = CreateJobObjectW(NULL, NULL);
    good = good && create_shell(session, in, out);
    if (in)
        CloseHandle(in);
    if (out)
        CloseHandle(out);
    if (good)
        session->reader = CreateThread(NULL, 0, read_shell, session, 0, NULL);
    else
        say(session, "The shell could not be started.\r\n");
    return good && session->reader;
}

/* End the shell and all it has started; its last output still goes out. */
static void end_shell(struct session *session)
{
    if (session->to_shell)
        CloseHandle(session->to_shell);
    if (session->job)
        TerminateJobObject(session->job, 1);
    if (session->reader)
        WaitForSingleObject(session->reader, 5000);
}

/* End what the shell runs. It is not told through the console: Wine's cmd.exe, which is on it too, would end. */
static unsigned int end_programs(struct session *session)
{
    struct {
        DWORD all, listed;
        ULONG_PTR ids[256];
    } list = {0};
    unsigned int ended = 0;
    HANDLE process;
    DWORD i;

    QueryInformationJobObject(session->job, JobObjectBasicProcessIdList, &list, sizeof(list), NULL);
    for (i = 0; i < list.listed; i++) {
        if (list.ids[i] == GetProcessId(session->shell) || !(process = OpenProcess(PROCESS_TERMINATE, FALSE, (DWORD)list.ids[i])))
            continue;
        ended += TerminateProcess(process, (UINT)STATUS_CONTROL_C_EXIT);
        CloseHandle(process);
    }
    return ended;
}

static void interrupt(struct session *session)
{
    DWORD n;

    if (!end_programs(session))
        WriteFile(session->to_shell, "\r\n", 2, &n, NULL); /* for a new prompt */
}

/* ---- from the client ---- */

static void log_in(struct session *session)
{
    WCHAR typed[PASSWORD_MAX * 2];
    int n = MultiByteToWideChar(CP_UTF8, 0, session->edit.text, (int)session->edit.size - 2, typed, PASSWORD_MAX * 2 - 1);

    typed[n] = 0;
    SecureZeroMemory(session->edit.text, session->edit.size);
    if (!wcscmp(typed, session->settings.password)) {
        session->secret = FALSE;
        session->broken |= !start_shell(session);
    }
    else if (++session->failed >= session->settings.failed_logins) {
        say(session, "\r\nLogin failed.\r\n");
        session->broken = TRUE;
    }
    else
        say(session, "\r\nLogin failed.\r\n\r\npassword: ");
    SecureZeroMemory(typed, sizeof(typed));
}

static void typed(void *context, uint8_t byte)
{
    struct session *session = context;
    size_t echo_size;
    enum edit_result result = edit_type(&session->edit, byte, session->echo, &echo_size);
    DWORD n;

    if (session->secret && result != EDIT_MORE)
        say(session, "\r\n");
    else if (!session->secret && telnet_echoes(&session->telnet))
        show(session, session->echo, echo_size);
    if (result == EDIT_BREAK && !session->secret)
        interrupt(session);
    if (result != EDIT_LINE)
        return;
    if (session->secret)
        log_in(session);
    else if (!WriteFile(session->to_shell, session->edit.text, (DWORD)session->edit.size, &n, NULL))
        session->broken = TRUE;
    session->edit.size = 0;
}

static void commanded(void *context, uint8_t command)
{
    struct session *session = context;

    switch (command) {
    case TELNET_AYT:
        say(session, "\r\n[yes]\r\n");
        break;
    case TELNET_IP:
    case TELNET_BRK:
        typed(session, 3);
        break;
    case TELNET_EC:
        typed(session, '\b');
        break;
    case TELNET_EL:
        typed(session, 27);
        break;
    default:
        break;
    }
}

/* Its size is that of the console, where programs ask for one; 0 is unknown. */
static void resized(void *context, unsigned int columns, unsigned int rows)
{
    struct session *session = context;
    HMODULE kernel = GetModuleHandleW(L"kernel32.dll");
    resize_console *resize = (resize_console *)(void *)GetProcAddress(kernel, "ResizePseudoConsole");

    if (columns && columns < 0x8000)
        session->size.X = (SHORT)columns;
    if (rows && rows < 0x8000)
        session->size.Y = (SHORT)rows;
    if (resize && session->console)
        resize(session->console, session->size);
}

static void receive(struct session *session)
{
    uint8_t buffer[CHUNK];
    WSANETWORKEVENTS events;
    int n;

    WSAEnumNetworkEvents(session->socket, session->arrived, &events);
    while (!session->broken && (n = recv(session->socket, (char *)buffer, sizeof(buffer), 0)) != SOCKET_ERROR) {
        if (!n)
            session->broken = TRUE;
        else
            telnet_receive(&session->telnet, buffer, (size_t)n);
    }
    if (!session->broken && WSAGetLastError() != WSAEWOULDBLOCK)
        session->broken = TRUE;
}

static void run(struct session *session)
{
    const DWORD idle_ms = session->settings.idle_s ? session->settings.idle_s * 1000 : INFINITE;

    while (!session->broken) {
        const HANDLE handles[] = {session->stop, session->arrived, session->shell};

        switch (WaitForMultipleObjects(session->shell ? 3 : 2, handles, FALSE, idle_ms)) {
        case WAIT_OBJECT_0:
            say(session, "\r\nThe telnet server is stopping.\r\n");
            return;
        case WAIT_OBJECT_0 + 1:
            receive(session);
            break;
        case WAIT_TIMEOUT:
            say(session, "\r\nThe session was idle for too long.\r\n");
            return;
        default: /* the shell has ended: exit was typed */
            return;
        }
    }
}

static BOOL begin(struct session *session)
{
    const struct telnet_sink sink = {session, send_all, typed, commanded, resized};

    InitializeCriticalSection(&session->sending);
    settings_read(&session->settings);
    SetHandleInformation(session->stop, HANDLE_FLAG_INHERIT, 0);
    session->size = (COORD){80, 25};
    session->arrived = WSACreateEvent();
    if (WSAEventSelect(session->socket, session->arrived, FD_READ | FD_CLOSE))
        return FALSE;
    telnet_begin(&session->telnet, &sink);
    say(session, "winesilo telnet server\r\n\r\n");
    session->secret = session->settings.password[0] != 0;
    if (!session->secret)
        return start_shell(session);
    say(session, "password: ");
    return TRUE;
}

static SOCKET take_socket(void)
{
    HANDLE input = GetStdHandle(STD_INPUT_HANDLE);
    WSAPROTOCOL_INFOW info;
    DWORD n;

    if (!ReadFile(input, &info, sizeof(info), &n, NULL) || n != sizeof(info))
        return INVALID_SOCKET;
    CloseHandle(input);
    return WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0,
                      WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
}

int wmain(int argc, WCHAR **argv)
{
    static struct session session;
    WSADATA data;

    WSAStartup(MAKEWORD(2, 2), &data);
    if (argc != 2 || (session.socket = take_socket()) == INVALID_SOCKET) {
        wprintf(L"tlntsess.exe is started by the telnet server.\n");
        return 1;
    }
    session.stop = (HANDLE)(uintptr_t)_wcstoui64(argv[1], NULL, 10);
    if (begin(&session))
        run(&session);
    end_shell(&session);
    shutdown(session.socket, SD_SEND);
    closesocket(session.socket);
    return 0;
}
