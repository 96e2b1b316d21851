/* dllhost.exe: the process that a COM class of a DLL is served from. See docs/design/com-activation.md.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   dllhost /PROCESSID:{CLSID}     as Wine's COM starts it (combase, rpc.c; 8.0 and 10.0)
 *
 * It ends when nobody has an object of the DLL, or the class's factory, any more. */
#define COBJMACROS
#include <windows.h>
#include <objbase.h>

#include <stdio.h>
#include <wchar.h>

enum { GUID_TEXT = 39, LOOK_MS = 1000, IDLE_LOOKS = 5 };

static const WCHAR option[] = L"/PROCESSID:";

static CLSID class;
static DWORD cookie;        /* of its registration, 0: none */
static LONG holders;        /* factories that clients have, and their locks */
static volatile LONG calls; /* of the factory, ever */
static HRESULT (WINAPI *get_class)(REFCLSID, REFIID, void **); /* the DLL's */

/* ---- the class's factory: the DLL's is asked for each object, and not kept, so that the DLL can tell whether it is in use ---- */

static HRESULT WINAPI connection_QueryInterface(IExternalConnection *, REFIID, void **);
static HRESULT WINAPI factory_QueryInterface(IClassFactory *, REFIID, void **);

static ULONG WINAPI connection_count(IExternalConnection *self)
{
    (void)self;
    return 2;
}

static ULONG WINAPI factory_count(IClassFactory *self)
{
    (void)self;
    return 2;
}

/* COM tells of clients in other processes: one more, */
static DWORD WINAPI add_connection(IExternalConnection *self, DWORD kind, DWORD reserved)
{
    (void)self, (void)reserved;
    InterlockedIncrement(&calls);
    return kind & EXTCONN_STRONG ? (DWORD)InterlockedIncrement(&holders) : 1;
}

/* one less. */
static DWORD WINAPI release_connection(IExternalConnection *self, DWORD kind, DWORD reserved, BOOL last_closes)
{
    (void)self, (void)reserved, (void)last_closes;
    return kind & EXTCONN_STRONG ? (DWORD)InterlockedDecrement(&holders) : 1;
}

static HRESULT WINAPI factory_CreateInstance(IClassFactory *self, IUnknown *outer, REFIID iid, void **out)
{
    IClassFactory *real;
    HRESULT result;

    (void)self;
    *out = NULL;
    InterlockedIncrement(&calls);
    if (outer)
        return CLASS_E_NOAGGREGATION;
    if (FAILED(result = get_class(&class, &IID_IClassFactory, (void **)&real)))
        return result;
    result = IClassFactory_CreateInstance(real, NULL, iid, out);
    IClassFactory_Release(real);
    return result;
}

static HRESULT WINAPI factory_LockServer(IClassFactory *self, BOOL lock)
{
    (void)self;
    if (lock)
        InterlockedIncrement(&holders);
    else
        InterlockedDecrement(&holders);
    return S_OK;
}

static IExternalConnectionVtbl connection_vtable = {
    connection_QueryInterface, connection_count, connection_count, add_connection, release_connection,
};
static IClassFactoryVtbl factory_vtable = {
    factory_QueryInterface, factory_count, factory_count, factory_CreateInstance, factory_LockServer,
};
static IExternalConnection connection = {&connection_vtable};
static IClassFactory factory = {&factory_vtable};

static HRESULT WINAPI factory_QueryInterface(IClassFactory *self, REFIID iid, void **out)
{
    *out = IsEqualIID(iid, &IID_IUnknown) || IsEqualIID(iid, &IID_IClassFactory) ? (void *)self
           : IsEqualIID(iid, &IID_IExternalConnection)                           ? (void *)&connection
                                                                                  : NULL;
    return *out ? S_OK : E_NOINTERFACE;
}

static HRESULT WINAPI connection_QueryInterface(IExternalConnection *self, REFIID iid, void **out)
{
    (void)self;
    return factory_QueryInterface(&factory, iid, out);
}

/* ---- serving ---- */

static HRESULT (WINAPI *can_unload)(void);

/* The DLL stays loaded. COM is not asked for its factory: in this process it would find ours. */
static BOOL load_server(const WCHAR *path)
{
    HMODULE server = LoadLibraryExW(path, NULL, wcspbrk(path, L"\\/") ? LOAD_WITH_ALTERED_SEARCH_PATH : 0);

    if (!server)
        return FALSE;
    get_class = (void *)GetProcAddress(server, "DllGetClassObject");
    can_unload = (void *)GetProcAddress(server, "DllCanUnloadNow");
    return get_class != NULL;
}

static BOOL in_use(void)
{
    return holders > 0 || !can_unload || can_unload() != S_OK;
}

static HRESULT register_class(void)
{
    return CoRegisterClassObject(&class, (IUnknown *)&factory, CLSCTX_LOCAL_SERVER, REGCLS_MULTIPLEUSE, &cookie);
}

/* Until it was not in use for a while. Then no new clients are let in first: one that came just before goes on. */
static void serve(void)
{
    HANDLE never = CreateEventW(NULL, TRUE, FALSE, NULL);
    unsigned idle = 0;

    while (WaitForSingleObject(never, LOOK_MS) == WAIT_TIMEOUT) {
        LONG before = calls;

        idle = in_use() ? 0 : idle + 1;
        if (idle < IDLE_LOOKS)
            continue;
        CoRevokeClassObject(cookie);
        WaitForSingleObject(never, LOOK_MS);
        if (!in_use() && calls == before)
            break;
        if (FAILED(register_class()))
            break;
        idle = 0;
    }
    CloseHandle(never);
}

/* ---- which one serves it ---- */

/* The DLL of the class in the registry that programs of a width see. */
static BOOL dll_of_class(const WCHAR *text, REGSAM view, WCHAR *path, DWORD size)
{
    WCHAR name[GUID_TEXT + 64];
    HKEY key;
    LONG error;

    swprintf(name, GUID_TEXT + 64, L"Software\\Classes\\CLSID\\%ls\\InprocServer32", text);
    if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, name, 0, KEY_READ | view, &key))
        return FALSE;
    error = RegGetValueW(key, NULL, NULL, RRF_RT_REG_SZ, NULL, path, &size);
    RegCloseKey(key);
    return !error && path[0];
}

/* The 32-bit one serves it. This process, which COM watches, goes with it, as long as it goes on. */
static int hand_over(const WCHAR *text)
{
    STARTUPINFOW startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION made;
    WCHAR command[MAX_PATH + 64];
    UINT n = GetSystemWow64DirectoryW(command, MAX_PATH);
    DWORD code = 1;

    if (!n || n >= MAX_PATH)
        return 1;
    swprintf(command + n, 64, L"\\dllhst32.exe %ls%ls", option, text);
    if (!CreateProcessW(NULL, command, NULL, NULL, FALSE, DETACHED_PROCESS, NULL, NULL, &startup, &made))
        return 1;
    CloseHandle(made.hThread);
    WaitForSingleObject(made.hProcess, INFINITE);
    GetExitCodeProcess(made.hProcess, &code);
    CloseHandle(made.hProcess);
    return (int)code;
}

int WINAPI wWinMain(HINSTANCE instance, HINSTANCE before, WCHAR *words, int show)
{
    const REGSAM own = sizeof(void *) == 8 ? KEY_WOW64_64KEY : KEY_WOW64_32KEY;
    WCHAR path[MAX_PATH], text[GUID_TEXT];
    BOOL good;

    (void)instance, (void)before, (void)show;
    if (_wcsnicmp(words, option, wcslen(option)) || FAILED(CLSIDFromString(words + wcslen(option), &class)))
        return 1;
    StringFromGUID2(&class, text, GUID_TEXT);
    if (!dll_of_class(text, own, path, sizeof(path)))
        return sizeof(void *) == 8 && dll_of_class(text, KEY_WOW64_32KEY, path, sizeof(path)) ? hand_over(text) : 1;
    if (FAILED(CoInitializeEx(NULL, COINIT_MULTITHREADED)))
        return 1;
    if ((good = load_server(path) && SUCCEEDED(register_class())))
        serve();
    CoUninitialize();
    return !good;
}
