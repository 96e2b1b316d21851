/* A program that hosts several services whose main functions return at once: multisvc.exe wide|ansi NAME...
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * C:\multisvc.log has "main NAME ARGUMENTS...", "control CODE NAME", with "elsewhere" behind it if the handler does not
 * run on the thread of the dispatcher, and at last "end". The first service's handler is one of
 * RegisterServiceCtrlHandler, which has no context, the others' are of RegisterServiceCtrlHandlerEx. */

#include <windows.h>

#include <stdio.h>
#include <string.h>

#define MAX_SERVICES 8

static struct instance {
    char name[64];
    WCHAR wide[64];
    SERVICE_STATUS_HANDLE handle;
} instances[MAX_SERVICES];
static int count;
static DWORD dispatcher;
static BOOL ansi;

static void note(const char *line)
{
    DWORD written;
    HANDLE file = CreateFileA("C:\\multisvc.log", FILE_APPEND_DATA, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL,
                              OPEN_ALWAYS, 0, NULL);

    WriteFile(file, line, (DWORD)strlen(line), &written, NULL);
    CloseHandle(file);
}

static void report(struct instance *self, DWORD state)
{
    SERVICE_STATUS status = {.dwServiceType = SERVICE_WIN32_SHARE_PROCESS, .dwCurrentState = state};

    if (state == SERVICE_RUNNING)
        status.dwControlsAccepted = SERVICE_ACCEPT_STOP;
    if (!SetServiceStatus(self->handle, &status))
        note("no status\n");
}

static DWORD obey(struct instance *self, DWORD code)
{
    char line[200];

    snprintf(line, sizeof(line), "control %lu %s%s\n", code, self->name,
             GetCurrentThreadId() == dispatcher ? "" : " elsewhere");
    note(line);
    if (code == SERVICE_CONTROL_STOP)
        report(self, SERVICE_STOPPED);
    return NO_ERROR;
}

static void WINAPI plain(DWORD code)
{
    obey(&instances[0], code);
}

static DWORD WINAPI extended(DWORD code, DWORD type, void *data, void *context)
{
    (void)type;
    (void)data;
    return obey(context, code);
}

static void run(const char *name, const char *arguments)
{
    struct instance *self = instances;
    char line[300];

    while (self < instances + count && _stricmp(self->name, name))
        self++;
    snprintf(line, sizeof(line), "main %s%s\n", name, arguments);
    note(line);
    if (self == instances)
        self->handle = ansi ? RegisterServiceCtrlHandlerA(name, plain) : RegisterServiceCtrlHandlerW(self->wide, plain);
    else
        self->handle = ansi ? RegisterServiceCtrlHandlerExA(name, extended, self)
                            : RegisterServiceCtrlHandlerExW(self->wide, extended, self);
    if (ansi ? RegisterServiceCtrlHandlerA("NoService", plain) : RegisterServiceCtrlHandlerW(L"NoService", plain))
        note("a handler of no service\n");
    else if (GetLastError() != ERROR_SERVICE_NOT_IN_EXE)
        note("another error\n");
    report(self, SERVICE_RUNNING);
}

static void WINAPI main_a(DWORD argc, char **argv)
{
    char arguments[200] = "";

    for (DWORD i = 1; i < argc; i++)
        snprintf(arguments + strlen(arguments), sizeof(arguments) - strlen(arguments), " <%s>", argv[i]);
    if (argv[argc])
        strcpy(arguments, " and no end");
    run(argv[0], arguments);
}

static void WINAPI main_w(DWORD argc, WCHAR **argv)
{
    char arguments[200] = "", name[64];

    for (DWORD i = 1; i < argc; i++)
        snprintf(arguments + strlen(arguments), sizeof(arguments) - strlen(arguments), " <%ls>", argv[i]);
    if (argv[argc])
        strcpy(arguments, " and no end");
    snprintf(name, sizeof(name), "%ls", argv[0]);
    run(name, arguments);
}

int main(int argc, char **argv)
{
    SERVICE_TABLE_ENTRYA table_a[MAX_SERVICES + 1] = {{NULL, NULL}};
    SERVICE_TABLE_ENTRYW table_w[MAX_SERVICES + 1] = {{NULL, NULL}};

    ansi = argc > 1 && !strcmp(argv[1], "ansi");
    for (int i = 2; i < argc && count < MAX_SERVICES; i++, count++) {
        snprintf(instances[count].name, 64, "%s", argv[i]);
        MultiByteToWideChar(CP_ACP, 0, argv[i], -1, instances[count].wide, 64);
        table_a[count] = (SERVICE_TABLE_ENTRYA){instances[count].name, main_a};
        table_w[count] = (SERVICE_TABLE_ENTRYW){instances[count].wide, main_w};
    }
    dispatcher = GetCurrentThreadId();
    if (!(ansi ? StartServiceCtrlDispatcherA(table_a) : StartServiceCtrlDispatcherW(table_w))) {
        printf("not a service: error %lu\n", GetLastError());
        return 7;
    }
    note("end\n");
    return 0;
}
