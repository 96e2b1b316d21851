/* A COM server in a program of its own, and its client.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   comserver register     makes the class known
 *   comserver -Embedding   the server, as COM starts it; it ends when its last object goes
 *   comserver activate     makes an object; prints the ids of the server and of its parent; keeps it until its input ends */

#define COBJMACROS
#include <initguid.h>
#include <windows.h>
#include <oleauto.h>
#include <tlhelp32.h>

#include <stdio.h>
#include <string.h>

/* {0B9C5B0E-7A56-4F0B-8C0E-5D2B7C4F1E21} */
DEFINE_GUID(CLSID_Server, 0x0b9c5b0e, 0x7a56, 0x4f0b, 0x8c, 0x0e, 0x5d, 0x2b, 0x7c, 0x4f, 0x1e, 0x21);
#define CLASS_KEY "Software\\Classes\\CLSID\\{0B9C5B0E-7A56-4F0B-8C0E-5D2B7C4F1E21}"

static const GUID no_interface;
static HANDLE done;
static LONG references;

static DWORD parent_of(DWORD pid)
{
    HANDLE list = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
    PROCESSENTRY32 entry = {.dwSize = sizeof(entry)};
    DWORD parent = 0;
    BOOL more;

    for (more = Process32First(list, &entry); more; more = Process32Next(list, &entry))
        if (entry.th32ProcessID == pid)
            parent = entry.th32ParentProcessID;
    CloseHandle(list);
    return parent;
}

static HRESULT WINAPI object_QueryInterface(IDispatch *self, REFIID iid, void **out)
{
    *out = IsEqualIID(iid, &IID_IUnknown) || IsEqualIID(iid, &IID_IDispatch) ? self : NULL;
    if (*out)
        IDispatch_AddRef(self);
    return *out ? S_OK : E_NOINTERFACE;
}

static ULONG WINAPI object_AddRef(IDispatch *self)
{
    (void)self;
    return (ULONG)InterlockedIncrement(&references);
}

static ULONG WINAPI object_Release(IDispatch *self)
{
    LONG left = InterlockedDecrement(&references);

    (void)self;
    if (!left)
        SetEvent(done);
    return (ULONG)left;
}

static HRESULT WINAPI object_none(IDispatch *self, UINT *count)
{
    (void)self;
    *count = 0;
    return S_OK;
}

static HRESULT WINAPI object_info(IDispatch *self, UINT index, LCID lcid, ITypeInfo **info)
{
    (void)self, (void)index, (void)lcid, (void)info;
    return E_NOTIMPL;
}

static HRESULT WINAPI object_names(IDispatch *self, REFIID iid, LPOLESTR *names, UINT count, LCID lcid, DISPID *ids)
{
    (void)self, (void)iid, (void)names, (void)count, (void)lcid, (void)ids;
    return E_NOTIMPL;
}

/* 1: the server's id, 2: its parent's */
static HRESULT WINAPI object_Invoke(IDispatch *self, DISPID id, REFIID iid, LCID lcid, WORD flags, DISPPARAMS *given, VARIANT *result,
                                    EXCEPINFO *exception, UINT *wrong)
{
    (void)self, (void)iid, (void)lcid, (void)flags, (void)given, (void)exception, (void)wrong;
    V_VT(result) = VT_I4;
    V_I4(result) = (LONG)(id == 1 ? GetCurrentProcessId() : parent_of(GetCurrentProcessId()));
    return S_OK;
}

static IDispatchVtbl object_vtable = {object_QueryInterface, object_AddRef, object_Release, object_none, object_info, object_names, object_Invoke};
static IDispatch object = {&object_vtable};

static HRESULT WINAPI factory_QueryInterface(IClassFactory *self, REFIID iid, void **out)
{
    *out = IsEqualIID(iid, &IID_IUnknown) || IsEqualIID(iid, &IID_IClassFactory) ? self : NULL;
    return *out ? S_OK : E_NOINTERFACE;
}

static ULONG WINAPI factory_count(IClassFactory *self)
{
    (void)self;
    return 2;
}

static HRESULT WINAPI factory_CreateInstance(IClassFactory *self, IUnknown *outer, REFIID iid, void **out)
{
    (void)self, (void)outer;
    return IDispatch_QueryInterface(&object, iid, out);
}

static HRESULT WINAPI factory_LockServer(IClassFactory *self, BOOL lock)
{
    (void)self, (void)lock;
    return S_OK;
}

static IClassFactoryVtbl factory_vtable = {factory_QueryInterface, factory_count, factory_count, factory_CreateInstance, factory_LockServer};
static IClassFactory factory = {&factory_vtable};

static int serve(void)
{
    DWORD cookie;

    done = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (FAILED(CoRegisterClassObject(&CLSID_Server, (IUnknown *)&factory, CLSCTX_LOCAL_SERVER, REGCLS_MULTIPLEUSE, &cookie)))
        return 1;
    WaitForSingleObject(done, 60000);
    CoRevokeClassObject(cookie);
    return 0;
}

static LONG ask(IDispatch *server, DISPID id)
{
    DISPPARAMS none = {0};
    VARIANT result;

    VariantInit(&result);
    if (FAILED(IDispatch_Invoke(server, id, &no_interface, 0, DISPATCH_METHOD, &none, &result, NULL, NULL)))
        return -1;
    return V_I4(&result);
}

static int activate(void)
{
    IDispatch *server;
    HRESULT result = CoCreateInstance(&CLSID_Server, NULL, CLSCTX_LOCAL_SERVER, &IID_IDispatch, (void **)&server);

    if (FAILED(result)) {
        printf("failed %08lx\n", (unsigned long)result);
        return 1;
    }
    printf("server %ld\nparent %ld\nready\n", ask(server, 1), ask(server, 2));
    fflush(stdout);
    while (getchar() != EOF)
        ;
    IDispatch_Release(server);
    return 0;
}

static int make_known(void)
{
    char path[MAX_PATH];
    DWORD n = GetModuleFileNameA(NULL, path, sizeof(path));

    return RegSetKeyValueA(HKEY_LOCAL_MACHINE, CLASS_KEY "\\LocalServer32", NULL, REG_SZ, path, n + 1) != 0;
}

int main(int argc, char **argv)
{
    int code = 2;

    CoInitializeEx(NULL, COINIT_MULTITHREADED);
    if (argc == 2 && !strcmp(argv[1], "register"))
        code = make_known();
    else if (argc == 2 && !strcmp(argv[1], "-Embedding"))
        code = serve();
    else if (argc == 2 && !strcmp(argv[1], "activate"))
        code = activate();
    CoUninitialize();
    return code;
}
