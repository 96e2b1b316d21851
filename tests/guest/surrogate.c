/* A COM class in a DLL that is served by a surrogate, and its client.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   surrogate register DLL    makes the class known to programs of this one's width
 *   surrogate activate        makes an object; prints its process, the program of that and the parent; keeps it until the input ends
 *   surrogate look            whether the class is known: prints the result of asking for an object, which must fail */

#include <initguid.h>
#include "comobject.h"

#include <stdio.h>
#include <string.h>

#include <psapi.h>

/* {0B9C5B0E-7A56-4F0B-8C0E-5D2B7C4F1E22}; the AppID is the same */
DEFINE_GUID(CLSID_InDll, 0x0b9c5b0e, 0x7a56, 0x4f0b, 0x8c, 0x0e, 0x5d, 0x2b, 0x7c, 0x4f, 0x1e, 0x22);
#define ID "{0B9C5B0E-7A56-4F0B-8C0E-5D2B7C4F1E22}"
#define CLASSES "Software\\Classes\\"

static void last_released(void)
{
}

static BOOL set(const char *key, const char *name, const char *text)
{
    return !RegSetKeyValueA(HKEY_LOCAL_MACHINE, key, name, REG_SZ, text, (DWORD)strlen(text) + 1);
}

static int make_known(const char *dll)
{
    return !(set(CLASSES "CLSID\\" ID, "AppID", ID) && set(CLASSES "CLSID\\" ID "\\InprocServer32", NULL, dll) &&
             set(CLASSES "CLSID\\" ID "\\InprocServer32", "ThreadingModel", "Both") && set(CLASSES "AppID\\" ID, "DllSurrogate", ""));
}

static const char *program_of(DWORD pid)
{
    static char path[MAX_PATH];
    HANDLE process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, pid);
    DWORD size = sizeof(path);
    BOOL wow64 = FALSE;

    if (!QueryFullProcessImageNameA(process, 0, path, &size))
        strcpy(path, "unknown");
    IsWow64Process(process, &wow64);
    CloseHandle(process);
    printf("bits %d\n", wow64 ? 32 : 64);
    return strrchr(path, '\\') ? strrchr(path, '\\') + 1 : path;
}

static int activate(void)
{
    IDispatch *server;
    HRESULT result = CoCreateInstance(&CLSID_InDll, NULL, CLSCTX_LOCAL_SERVER, &IID_IDispatch, (void **)&server);
    LONG pid;

    if (FAILED(result)) {
        printf("failed %08lx\n", (unsigned long)result);
        return 1;
    }
    pid = ask(server, 1);
    printf("server %ld\nparent %ld\nown %lu\nprogram %s\nready\n", pid, ask(server, 2), GetCurrentProcessId(), program_of((DWORD)pid));
    fflush(stdout);
    while (getchar() != EOF)
        ;
    IDispatch_Release(server);
    return 0;
}

static int look(void)
{
    IDispatch *server;

    printf("%08lx\n", (unsigned long)CoCreateInstance(&CLSID_InDll, NULL, CLSCTX_LOCAL_SERVER, &IID_IDispatch, (void **)&server));
    return 0;
}

int main(int argc, char **argv)
{
    int code = 2;

    CoInitializeEx(NULL, COINIT_MULTITHREADED);
    if (argc == 3 && !strcmp(argv[1], "register"))
        code = make_known(argv[2]);
    else if (argc == 2 && !strcmp(argv[1], "activate"))
        code = activate();
    else if (argc == 2 && !strcmp(argv[1], "look"))
        code = look();
    CoUninitialize();
    return code;
}
