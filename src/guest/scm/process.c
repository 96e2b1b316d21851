/* Processes that services run in: made, connected, spoken to, watched.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is said over the pipe is in pipe.h. A process finds the pipe's number in a volatile key. One number serves all:
 * who has connected, the pipe tells. */

#include "scm.h"

#include "pipe.h"

#include <userenv.h>
#include <wchar.h>
#include <winternl.h>

#define FSCTL_PIPE_GET_CONNECTION_ATTRIBUTE 0x110030

DWORD pipe_timeout, kill_timeout;
static struct process *processes;
static HANDLE listening;

/* ---- life and death ---- */

void hold_process(struct process *process)
{
    process->refs++;
}

void let_go_process(struct process *process)
{
    if (--process->refs)
        return;
    if (process->handle)
        CloseHandle(process->handle);
    if (process->pipe)
        CloseHandle(process->pipe);
    if (process->reaper)
        CloseThreadpoolTimer(process->reaper);
    CloseHandle(process->event);
    release(process->image);
    release(process);
}

static struct process *add_process(const WCHAR *image, BOOL shared)
{
    struct process *process = allocate(sizeof(*process));

    process->event = CreateEventW(NULL, TRUE, FALSE, NULL);
    process->image = copy_string(image);
    process->shared = shared;
    process->refs = 1;
    process->next = processes;
    processes = process;
    return process;
}

/* It has ended, or never began: out of the list. */
static void remove_process(struct process *process)
{
    struct process **link = &processes;

    process->ended = TRUE;
    while (*link && *link != process)
        link = &(*link)->next;
    if (*link)
        *link = process->next;
    changed();
    let_go_process(process);
}

static void bury_services(struct process *process)
{
    for (BOOL found = TRUE; found;) {
        found = FALSE;
        for (struct service *service = services; service && !found; service = service->next) {
            if (service->process != process)
                continue;
            found = TRUE;
            hold(service);
            service->died = TRUE;
            service->process_exit = process->exit_code;
            say("its process ended without a report, exit code", service->name, process->exit_code);
            set_stopped(service, ERROR_PROCESS_ABORTED);
            service_failed(service);
            let_go(service);
        }
    }
}

static void CALLBACK on_end(PTP_CALLBACK_INSTANCE instance, void *context, PTP_WAIT wait, TP_WAIT_RESULT result)
{
    struct process *process = context;

    (void)instance;
    (void)result;
    lock();
    GetExitCodeProcess(process->handle, &process->exit_code);
    process->ended = TRUE;
    bury_services(process);
    remove_process(process);
    unlock();
    CloseThreadpoolWait(wait);
}

/* Processes whose services have stopped, and that go on for too long. */
static void CALLBACK reap(PTP_CALLBACK_INSTANCE instance, void *context, PTP_TIMER timer)
{
    (void)instance;
    (void)context;
    (void)timer;
    lock();
    for (struct process *process = processes; process; process = process->next)
        if (process->leaving && now() >= process->end_at)
            end_process(process, ERROR_PROCESS_ABORTED);
    unlock();
}

static void reap_later(struct process *process)
{
    ULARGE_INTEGER due = {.QuadPart = -((ULONGLONG)kill_timeout + 1) * 10000};
    FILETIME time = {due.LowPart, due.HighPart};

    if (!process->reaper)
        process->reaper = CreateThreadpoolTimer(reap, NULL, NULL);
    process->end_at = now() + kill_timeout;
    if (process->reaper)
        SetThreadpoolTimer(process->reaper, &time, 0, 0);
}

/* The end of the pipe tells the process that none of its services runs any more. What is being said is said first. */
static void hang_up(struct process *process)
{
    if (!process->pipe || process->busy || !process->leaving || process->services)
        return;
    CloseHandle(process->pipe);
    process->pipe = NULL;
}

/* It gets no new services, and has some time to end. */
void retire_process(struct process *process)
{
    process->leaving = TRUE;
    hang_up(process);
    reap_later(process);
}

/* The service has stopped: a process without services has some time to end. */
void leave_process(struct service *service)
{
    struct process *process = service->process;

    if (!process)
        return;
    service->process = NULL;
    if (!--process->services && !process->ended)
        retire_process(process);
    let_go_process(process);
}

void end_process(struct process *process, DWORD code)
{
    if (process->handle && !process->ended)
        TerminateProcess(process->handle, code);
}

/* ---- making one ---- */

/* The system directory of 32-bit programs is another one. */
static WCHAR *redirect(WCHAR *command)
{
    WCHAR system[MAX_PATH], wow[MAX_PATH], *moved;
    UINT size = GetSystemDirectoryW(system, COUNT(system));

    if (!begins(command, system) || !GetSystemWow64DirectoryW(wow, COUNT(wow)))
        return command;
    moved = join(wow, command + size, L"");
    release(command);
    return moved;
}

WCHAR *command_of(const struct service *service)
{
    static const WCHAR system_root[] = L"\\SystemRoot\\", nt[] = L"\\??\\";
    const WCHAR *image = service->config.image;
    WCHAR windows[MAX_PATH], *command, *text;
    DWORD size;

    if (!wcsncmp(image, nt, 4))
        image += 4;
    size = ExpandEnvironmentStringsW(image, NULL, 0);
    command = allocate((size + 1) * sizeof(*command));
    ExpandEnvironmentStringsW(image, command, size);
    if (begins(command, system_root)) {
        GetWindowsDirectoryW(windows, COUNT(windows));
        text = join(windows, command + 11, L"");
        release(command);
        command = text;
    }
    return service->config.wow64 && !is_driver(service) ? redirect(command) : command;
}

/* The registry's environment, with the service's own "Environment", a REG_MULTI_SZ of settings. */
static WCHAR *environment_of(const struct service *service)
{
    HKEY key = open_service_key(service->name, KEY_READ);
    multi_sz own = key ? read_strings(key, L"Environment") : NULL;
    WCHAR *block = NULL;
    HANDLE token;

    if (key)
        RegCloseKey(key);
    if (OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY | TOKEN_DUPLICATE, &token)) {
        if (!CreateEnvironmentBlock((void **)&block, token, FALSE))
            block = NULL;
        CloseHandle(token);
    }
    for (WCHAR *setting = own; block && setting && *setting; setting += wcslen(setting) + 1) {
        WCHAR *name = copy_string(setting), *sign = wcschr(name, '=');
        UNICODE_STRING variable, value;

        if (sign && sign > name) {
            NTSTATUS NTAPI RtlSetEnvironmentVariable(WCHAR **, UNICODE_STRING *, UNICODE_STRING *);

            *sign = 0;
            RtlInitUnicodeString(&variable, name);
            RtlInitUnicodeString(&value, sign + 1);
            RtlSetEnvironmentVariable(&block, &variable, &value);
        }
        release(name);
    }
    release(own);
    return block;
}

/* Nothing is inherited but the handle to write to: not that of another process which is made at the same time. */
static LPPROC_THREAD_ATTRIBUTE_LIST attributes_of(HANDLE *output)
{
    LPPROC_THREAD_ATTRIBUTE_LIST list;
    SIZE_T size = 0;

    InitializeProcThreadAttributeList(NULL, 1, 0, &size);
    list = allocate(size);
    if (InitializeProcThreadAttributeList(list, 1, 0, &size) &&
        UpdateProcThreadAttribute(list, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, output, sizeof(*output), NULL, NULL))
        return list;
    release(list);
    return NULL;
}

static DWORD create(struct process *process, WCHAR *command, WCHAR *environment, BOOL interactive)
{
    static WCHAR desktop[] = L"__wineservice_winstation\\Default";
    HANDLE output = open_output(process);
    STARTUPINFOEXW startup = {
        .StartupInfo = {
            .cb = sizeof(startup),
            .lpDesktop = interactive ? NULL : desktop,
            .dwFlags = STARTF_USESTDHANDLES,
            .hStdOutput = output,
            .hStdError = output,
        },
        .lpAttributeList = output ? attributes_of(&output) : NULL,
    };
    PROCESS_INFORMATION made;
    DWORD error = ERROR_SUCCESS;

    unlock();
    if (!CreateProcessW(NULL, command, NULL, NULL, startup.lpAttributeList != NULL,
                        CREATE_UNICODE_ENVIRONMENT | DETACHED_PROCESS | CREATE_SUSPENDED | EXTENDED_STARTUPINFO_PRESENT,
                        environment, NULL, &startup.StartupInfo, &made))
        error = GetLastError();
    release(startup.lpAttributeList);
    if (output)
        CloseHandle(output);
    lock();
    if (error)
        return error;
    process->handle = made.hProcess;
    process->pid = made.dwProcessId;
    process->death = CreateThreadpoolWait(on_end, process, NULL);
    SetThreadpoolWait(process->death, process->handle, NULL);
    ResumeThread(made.hThread); /* now that its connection can be told */
    CloseHandle(made.hThread);
    changed();
    return ERROR_SUCCESS;
}

static struct process *find_shared(const WCHAR *command)
{
    struct process *process = processes;

    while (process && !(process->shared && !process->ended && !process->leaving && same(process->image, command)))
        process = process->next;
    return process;
}

/* Gives the service a process of its own, or the one that services of the same command line share. The caller holds
 * the lock, which is given up meanwhile; *process is to be let go. */
DWORD get_process(struct service *service, struct process **process)
{
    BOOL shared = !!(service->config.type & SERVICE_WIN32_SHARE_PROCESS);
    BOOL interactive = !!(service->config.type & SERVICE_INTERACTIVE_PROCESS);
    WCHAR *command = command_of(service), *environment;
    struct process *found = shared ? find_shared(command) : NULL;
    BOOL make = !found;
    DWORD error = ERROR_SUCCESS;

    if (make)
        found = add_process(command, shared);
    hold_process(found); /* the service's */
    hold_process(found); /* the caller's */
    service->process = found;
    found->services++;
    if (make) {
        environment = environment_of(service);
        error = create(found, command, environment, interactive);
        if (environment)
            DestroyEnvironmentBlock(environment);
        if (error)
            remove_process(found);
    }
    release(command);
    service->pid_seen = found->pid;
    *process = found;
    return error;
}

/* ---- the pipe ---- */

static HANDLE make_pipe(void)
{
    WCHAR *name = NULL;
    HANDLE pipe;

    append(&name, PIPE_NAME);
    append_number(&name, PIPE_NUMBER);
    pipe = CreateNamedPipeW(name, PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED, PIPE_TYPE_BYTE | PIPE_WAIT,
                            PIPE_UNLIMITED_INSTANCES, 1024, 1024, 10000, NULL);
    release(name);
    return pipe;
}

DWORD listen_for_processes(void)
{
    HKEY key;
    DWORD error = RegCreateKeyExW(HKEY_LOCAL_MACHINE, L"System\\CurrentControlSet\\Control\\ServiceCurrent", 0, NULL,
                                  REG_OPTION_VOLATILE, KEY_SET_VALUE, NULL, &key, NULL);

    if (error)
        return error;
    error = write_number(key, NULL, PIPE_NUMBER);
    RegCloseKey(key);
    listening = make_pipe();
    return listening == INVALID_HANDLE_VALUE ? GetLastError() : error;
}

static DWORD client_of(HANDLE pipe)
{
    static char attribute[] = "ClientProcessId";
    IO_STATUS_BLOCK io;
    DWORD pid = 0;

    if (NtFsControlFile(pipe, NULL, NULL, NULL, &io, FSCTL_PIPE_GET_CONNECTION_ATTRIBUTE, attribute,
                        sizeof(attribute), &pid, sizeof(pid)))
        return 0;
    return pid;
}

/* A program may start the one that is the service: a stranger is taken for the only process that we wait for. */
static void attach(HANDLE pipe)
{
    DWORD pid = client_of(pipe);
    struct process *process = processes, *only = NULL;
    unsigned waiting = 0;

    for (; process && !(pid && process->pid == pid); process = process->next) {
        if (!process->pipe && process->handle && !process->ended && !process->leaving) {
            only = process;
            waiting++;
        }
    }
    if (!process && waiting == 1)
        process = only;
    if (!process || process->pipe || process->ended || process->leaving) {
        CloseHandle(pipe);
        return;
    }
    process->pipe = pipe;
    changed();
}

void serve_connections(void)
{
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);

    for (;;) {
        OVERLAPPED overlapped = {.hEvent = event};
        HANDLE connected = listening;
        DWORD error = ConnectNamedPipe(listening, &overlapped) ? ERROR_PIPE_CONNECTED : GetLastError(), size, failure;

        if (error == ERROR_IO_PENDING && GetOverlappedResult(listening, &overlapped, &size, TRUE))
            error = ERROR_PIPE_CONNECTED;
        listening = make_pipe(); /* first, so that there always is one */
        failure = listening == INVALID_HANDLE_VALUE ? GetLastError() : ERROR_SUCCESS;
        lock();
        if (error == ERROR_PIPE_CONNECTED)
            attach(connected);
        else
            CloseHandle(connected);
        unlock();
        if (failure) {
            say("can't make another pipe for services, error", L"services.exe", failure);
            TerminateProcess(GetCurrentProcess(), failure);
        }
    }
}

DWORD await_connection(struct process *process, ULONGLONG deadline)
{
    while (!process->pipe && !process->ended)
        if (!wait_change(deadline))
            return ERROR_SERVICE_REQUEST_TIMEOUT;
    return process->ended ? ERROR_PROCESS_ABORTED : ERROR_SUCCESS;
}

/* ---- commands ---- */

/* Waits for an operation, but not past the end of the process. */
static DWORD finish(struct process *process, OVERLAPPED *overlapped, DWORD expected, ULONGLONG deadline)
{
    HANDLE handles[] = {process->event, process->handle};
    ULONGLONG time = now();
    DWORD size, result = WaitForMultipleObjects(2, handles, FALSE, time < deadline ? (DWORD)(deadline - time) : 0);

    if (result != WAIT_OBJECT_0)
        CancelIoEx(process->pipe, overlapped);
    if (!GetOverlappedResult(process->pipe, overlapped, &size, TRUE) || size != expected)
        return result == WAIT_TIMEOUT ? ERROR_SERVICE_REQUEST_TIMEOUT : ERROR_PROCESS_ABORTED;
    return ERROR_SUCCESS;
}

static DWORD read_reply(struct process *process, DWORD *reply, ULONGLONG deadline)
{
    OVERLAPPED overlapped = {.hEvent = process->event};

    ResetEvent(process->event);
    if (!ReadFile(process->pipe, reply, sizeof(*reply), NULL, &overlapped) && GetLastError() != ERROR_IO_PENDING)
        return ERROR_PROCESS_ABORTED;
    return finish(process, &overlapped, sizeof(*reply), deadline);
}

static DWORD write_request(struct process *process, const struct request *request, ULONGLONG deadline)
{
    OVERLAPPED overlapped = {.hEvent = process->event};

    ResetEvent(process->event);
    if (!WriteFile(process->pipe, request, request->size, NULL, &overlapped) && GetLastError() != ERROR_IO_PENDING)
        return ERROR_PROCESS_ABORTED;
    return finish(process, &overlapped, request->size, deadline);
}

/* Answers that came too late are still in the pipe, in front of ours. */
static DWORD exchange(struct process *process, const struct request *request, ULONGLONG deadline, DWORD *result)
{
    DWORD error = ERROR_SUCCESS;

    while (!error && process->replies) {
        error = read_reply(process, result, deadline);
        if (!error)
            process->replies--;
    }
    if (error || (error = write_request(process, request, deadline)))
        return error;
    error = read_reply(process, result, deadline);
    if (error == ERROR_SERVICE_REQUEST_TIMEOUT)
        process->replies++;
    return error;
}

/* The caller holds the lock, which is given up meanwhile, and the process. */
DWORD send_command(struct process *process, const WCHAR *name, DWORD control, const WCHAR *data, DWORD bytes,
                   ULONGLONG deadline, DWORD *result)
{
    DWORD name_size = (DWORD)wcslen(name) + 1, error;
    struct request *request;

    while (process->busy && !process->ended)
        if (!wait_change(deadline))
            return ERROR_SERVICE_REQUEST_TIMEOUT;
    if (process->ended || !process->pipe)
        return ERROR_PROCESS_ABORTED;
    request = allocate(sizeof(*request) + name_size * sizeof(*name) + bytes);
    request->magic = REQUEST_MAGIC;
    request->size = (DWORD)(sizeof(*request) + name_size * sizeof(*name) + bytes);
    request->name_size = name_size;
    request->control = control;
    memcpy(request->data, name, name_size * sizeof(*name));
    if (bytes)
        memcpy(request->data + name_size * sizeof(*name), data, bytes);
    process->busy = TRUE;
    unlock();
    error = exchange(process, request, deadline, result);
    lock();
    process->busy = FALSE;
    hang_up(process);
    changed();
    release(request);
    return error;
}
