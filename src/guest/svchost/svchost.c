/* svchost.exe of a silo: hosts the services of a group, each of them a DLL.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   svchost.exe -k GROUP [-s SERVICE] [-p]
 *
 * The group is a REG_MULTI_SZ of services under Windows NT\CurrentVersion\Svchost; what a service is, its Parameters
 * key says: ServiceDll, ServiceMain (the name of its main function), ServiceDllUnloadOnStop. A DLL is loaded when its
 * service starts, so that one that can't be loaded stops its own service only. */

#include <windows.h>
#include <winsvc.h>

#include <wchar.h>

#define MAX_SERVICES 128

static WCHAR *group, *single;
static SERVICE_TABLE_ENTRYW table[MAX_SERVICES + 1];

static void *allocate(size_t size)
{
    void *memory = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, size);

    if (!memory)
        ExitProcess(ERROR_NOT_ENOUGH_MEMORY);
    return memory;
}

/* A text or list with two NULs behind it; NULL if there is none. */
static WCHAR *read_text(HKEY key, const WCHAR *name)
{
    DWORD type, size = 0;
    WCHAR *text, *expanded;

    if (RegQueryValueExW(key, name, NULL, &type, NULL, &size) || !size)
        return NULL;
    text = allocate(size + 2 * sizeof(*text));
    if (RegQueryValueExW(key, name, NULL, &type, (BYTE *)text, &size))
        size = 0;
    if (!size || type != REG_EXPAND_SZ)
        return size ? text : NULL;
    size = ExpandEnvironmentStringsW(text, NULL, 0);
    expanded = allocate((size + 2) * sizeof(*expanded));
    ExpandEnvironmentStringsW(text, expanded, size);
    HeapFree(GetProcessHeap(), 0, text);
    return expanded;
}

static BOOL read_flag(HKEY key, const WCHAR *name)
{
    DWORD type, number = 0, size = sizeof(number);

    return !RegQueryValueExW(key, name, NULL, &type, (BYTE *)&number, &size) && type == REG_DWORD && number;
}

/* ---- one service ---- */

struct hosted {
    HMODULE library;
    LPSERVICE_MAIN_FUNCTIONW main;
    BOOL unload;
};

static FARPROC find_main(HMODULE library, const WCHAR *name)
{
    char ascii[128];

    if (!name || !WideCharToMultiByte(CP_ACP, 0, name, -1, ascii, sizeof(ascii), NULL, NULL))
        return GetProcAddress(library, "ServiceMain");
    return GetProcAddress(library, ascii);
}

/* The DLL is named in Parameters, or by old services in the service's key itself. */
static DWORD load(const WCHAR *name, struct hosted *hosted)
{
    static const WCHAR *const places[] = {L"\\Parameters", L""};
    WCHAR path[400], *dll = NULL, *main = NULL;
    DWORD error;

    for (int i = 0; i < 2 && !dll; i++) {
        HKEY key;

        wcscpy(path, L"System\\CurrentControlSet\\Services\\");
        wcscat(path, name); /* at most 256 characters */
        wcscat(path, places[i]);
        if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, path, 0, KEY_READ, &key))
            continue;
        dll = read_text(key, L"ServiceDll");
        main = read_text(key, L"ServiceMain");
        hosted->unload = read_flag(key, L"ServiceDllUnloadOnStop");
        RegCloseKey(key);
    }
    if (!dll)
        return ERROR_FILE_NOT_FOUND;
    if (!(hosted->library = LoadLibraryExW(dll, NULL, LOAD_WITH_ALTERED_SEARCH_PATH)))
        return GetLastError();
    if ((hosted->main = (LPSERVICE_MAIN_FUNCTIONW)(void (*)(void))find_main(hosted->library, main)))
        return ERROR_SUCCESS;
    error = GetLastError();
    FreeLibrary(hosted->library);
    return error;
}

static DWORD WINAPI refuse(DWORD control, DWORD type, void *data, void *context)
{
    (void)control;
    (void)type;
    (void)data;
    (void)context;
    return ERROR_CALL_NOT_IMPLEMENTED;
}

/* The service can't be loaded: it stops, with the reason. */
static void report_failure(const WCHAR *name, DWORD error)
{
    SERVICE_STATUS status = {.dwServiceType = SERVICE_WIN32_SHARE_PROCESS,
                             .dwCurrentState = SERVICE_STOPPED,
                             .dwWin32ExitCode = error};
    SERVICE_STATUS_HANDLE handle = RegisterServiceCtrlHandlerExW(name, refuse, NULL);

    if (handle)
        SetServiceStatus(handle, &status);
}

static void CALLBACK on_stopped(void *notify)
{
    *(BOOL *)((SERVICE_NOTIFYW *)notify)->pContext = TRUE;
}

static void await_stop(const WCHAR *name)
{
    BOOL stopped = FALSE;
    SERVICE_NOTIFYW *notify = allocate(sizeof(*notify));
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
    SC_HANDLE service = manager ? OpenServiceW(manager, name, SERVICE_QUERY_STATUS) : NULL;

    notify->dwVersion = SERVICE_NOTIFY_STATUS_CHANGE;
    notify->pfnNotifyCallback = on_stopped;
    notify->pContext = &stopped;
    if (service && !NotifyServiceStatusChangeW(service, SERVICE_NOTIFY_STOPPED, notify))
        while (!stopped)
            SleepEx(INFINITE, TRUE);
    if (service)
        CloseServiceHandle(service);
    if (manager)
        CloseServiceHandle(manager);
    HeapFree(GetProcessHeap(), 0, notify);
}

static void WINAPI host(DWORD count, WCHAR **arguments)
{
    struct hosted hosted = {0};
    DWORD error = load(arguments[0], &hosted);

    if (error) {
        report_failure(arguments[0], error);
        return;
    }
    hosted.main(count, arguments);
    if (!hosted.unload)
        return;
    await_stop(arguments[0]); /* it may use its DLL until then */
    FreeLibrary(hosted.library);
}

/* ---- the group ---- */

/* The next word of the command line, without its quotes; the end of the words is the end of the line. */
static WCHAR *next_word(WCHAR **line)
{
    WCHAR *word, end = ' ';

    while (**line == ' ' || **line == '\t')
        ++*line;
    if (!**line)
        return NULL;
    if (**line == '"') {
        end = '"';
        ++*line;
    }
    for (word = *line; **line && **line != end; ++*line)
        ;
    if (**line)
        *(*line)++ = 0;
    return word;
}

static void parse(WCHAR *line)
{
    WCHAR *word = next_word(&line); /* ourselves */

    while ((word = next_word(&line))) {
        if (*word != '-' && *word != '/')
            continue;
        if (word[1] == 'k' || word[1] == 'K')
            group = next_word(&line);
        else if (word[1] == 's' || word[1] == 'S')
            single = next_word(&line);
    }
}

static DWORD add(DWORD count, WCHAR *name)
{
    if (count == MAX_SERVICES || (single && lstrcmpiW(single, name)))
        return count;
    table[count].lpServiceName = name;
    table[count].lpServiceProc = host;
    return count + 1;
}

static DWORD fill_table(void)
{
    DWORD count = 0;
    WCHAR *names;
    HKEY key;

    if (!group || RegOpenKeyExW(HKEY_LOCAL_MACHINE, L"Software\\Microsoft\\Windows NT\\CurrentVersion\\Svchost", 0,
                                KEY_READ, &key))
        return 0;
    for (names = read_text(key, group); names && *names; names += wcslen(names) + 1)
        count = add(count, names);
    RegCloseKey(key);
    return count;
}

void svchost_entry(void)
{
    parse(GetCommandLineW());
    if (!fill_table())
        ExitProcess(ERROR_SERVICE_NOT_IN_EXE);
    ExitProcess(StartServiceCtrlDispatcherW(table) ? ERROR_SUCCESS : GetLastError());
}
