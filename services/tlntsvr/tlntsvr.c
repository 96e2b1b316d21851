/* The telnet server service: accepts connections, and gives each one a process of its own, tlntsess.exe.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "listener.h"
#include "service.h"
#include "settings.h"

enum { END_MS = 5000 }; /* how long sessions may take to end when the service stops */

struct server {
    struct service *service;
    struct listener listener;
    HANDLE stop, job; /* sessions inherit stop, and end when it is set */
    HANDLE sessions[CONNECTIONS_MAX];
    DWORD count;
};

static void close_server(struct server *server)
{
    listener_close(&server->listener);
    if (server->stop)
        CloseHandle(server->stop);
    if (server->job)
        CloseHandle(server->job);
}

/* Sessions end with this process, however it ends. */
static HANDLE make_job(void)
{
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {0};
    HANDLE job = CreateJobObjectW(NULL, NULL);

    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    if (job)
        SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof(limits));
    return job;
}

static DWORD open_server(struct server *server, DWORD port)
{
    SECURITY_ATTRIBUTES inherit = {sizeof(inherit), NULL, TRUE};

    server->stop = CreateEventW(&inherit, TRUE, FALSE, NULL);
    server->job = make_job();
    return server->stop && server->job ? listener_open(&server->listener, port) : GetLastError();
}

/* tlntsess.exe, in the folder that this program is in */
static BOOL session_command(WCHAR *command, DWORD size, HANDLE stop)
{
    DWORD n = GetModuleFileNameW(NULL, command, size);
    WCHAR *name = wcsrchr(command, '\\');

    if (!n || n == size || !name)
        return FALSE;
    return swprintf(name + 1, size - (size_t)(name + 1 - command), L"tlntsess.exe %llu", (unsigned long long)(uintptr_t)stop) > 0;
}

/* The session gets its socket as WSADuplicateSocket describes it, on its standard input. */
static HANDLE start_session(struct server *server, SOCKET client)
{
    STARTUPINFOW startup = {.cb = sizeof(startup), .dwFlags = STARTF_USESTDHANDLES};
    PROCESS_INFORMATION process;
    WCHAR command[MAX_PATH + 64];
    WSAPROTOCOL_INFOW socket;
    HANDLE write;
    DWORD n;
    BOOL good;

    if (!session_command(command, MAX_PATH + 64, server->stop) || !CreatePipe(&startup.hStdInput, &write, NULL, sizeof(socket)))
        return NULL;
    SetHandleInformation(startup.hStdInput, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
    good = CreateProcessW(NULL, command, NULL, NULL, TRUE, CREATE_SUSPENDED | DETACHED_PROCESS, NULL, NULL, &startup, &process);
    CloseHandle(startup.hStdInput);
    if (good) {
        AssignProcessToJobObject(server->job, process.hProcess);
        good = !WSADuplicateSocketW(client, process.dwProcessId, &socket) && WriteFile(write, &socket, sizeof(socket), &n, NULL);
        if (good)
            ResumeThread(process.hThread);
        else
            TerminateProcess(process.hProcess, 1);
        CloseHandle(process.hThread);
    }
    CloseHandle(write);
    return good ? process.hProcess : NULL;
}

static void refuse(SOCKET client, const char *why)
{
    send(client, why, (int)strlen(why), 0);
    shutdown(client, SD_SEND);
}

static void accept_one(struct server *server)
{
    SOCKET client = accept(server->listener.socket, NULL, NULL);
    struct settings settings;
    u_long blocking = 0;
    HANDLE session;

    if (client == INVALID_SOCKET)
        return;
    WSAEventSelect(client, NULL, 0); /* it has inherited the listener's event */
    ioctlsocket(client, FIONBIO, &blocking);
    settings_read(&settings);
    if (server->service->paused)
        refuse(client, "The telnet server is paused.\r\n");
    else if (server->count >= settings.connections)
        refuse(client, "The maximum number of connections is in use. Please try again later.\r\n");
    else if ((session = start_session(server, client)))
        server->sessions[server->count++] = session;
    else
        refuse(client, "The session could not be started.\r\n");
    closesocket(client);
}

static void end_sessions(struct server *server)
{
    SetEvent(server->stop);
    if (server->count && WaitForMultipleObjects(server->count, server->sessions, TRUE, END_MS) == WAIT_TIMEOUT)
        TerminateJobObject(server->job, 1);
    while (server->count)
        CloseHandle(server->sessions[--server->count]);
}

static void serve(struct server *server)
{
    HANDLE handles[CONNECTIONS_MAX + 2];

    for (;;) {
        DWORD woken;

        handles[0] = server->service->stop;
        handles[1] = server->listener.arrived;
        memcpy(handles + 2, server->sessions, server->count * sizeof(HANDLE));
        woken = WaitForMultipleObjects(server->count + 2, handles, FALSE, INFINITE);
        if (woken == WAIT_OBJECT_0 || woken == WAIT_FAILED)
            return;
        if (woken == WAIT_OBJECT_0 + 1) {
            WSANETWORKEVENTS events;

            WSAEnumNetworkEvents(server->listener.socket, server->listener.arrived, &events);
            accept_one(server);
        }
        else {
            DWORD ended = woken - WAIT_OBJECT_0 - 2;

            CloseHandle(server->sessions[ended]);
            server->sessions[ended] = server->sessions[--server->count];
        }
    }
}

static DWORD body(struct service *service, DWORD argc, WCHAR **argv)
{
    struct server server = {.service = service, .listener.socket = INVALID_SOCKET};
    struct settings settings;
    WSADATA data;
    DWORD error;

    (void)argc;
    (void)argv;
    WSAStartup(MAKEWORD(2, 2), &data);
    settings_read(&settings);
    if (!(error = open_server(&server, settings.port))) {
        service->pausable = TRUE;
        service_ready(service);
        serve(&server);
        end_sessions(&server);
    }
    close_server(&server);
    WSACleanup();
    return error;
}

int wmain(void)
{
    return service_program(SERVICE_WIN32_OWN_PROCESS, L"TlntSvr", body, L"tlntsvr.exe is a service: start it with: sc start TlntSvr");
}
