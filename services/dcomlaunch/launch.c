/* DcomLaunch: launches the servers of COM classes when the first client asks for one. See docs/design/com-activation.md.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#define COBJMACROS
#undef _WIN32_WINNT
#define _WIN32_WINNT 0x0602 /* CoIncrementMTAUsage */
#include <winsock2.h>
#include <windows.h>
#include <objbase.h>

#include <stdlib.h>

#include "service.h"

enum { CLASSES_MAX = 1024, GUID_TEXT = 40, LOOK_MS = 200 };

/* A class that is launched by this service. Clients get this factory; the server's own is used behind it. */
struct launched {
    IClassFactory factory;
    CLSID class;
    SRWLOCK lock;
    DWORD cookie;  /* of the registration, 0: none */
    BOOL listed;   /* it was there when the registry was looked at last */
};

static struct launched *classes[CLASSES_MAX];
static DWORD count;

/* ---- launching ---- */

static HRESULT register_class(struct launched *self)
{
    HRESULT result = CoRegisterClassObject(&self->class, (IUnknown *)&self->factory, CLSCTX_LOCAL_SERVER, REGCLS_MULTIPLEUSE, &self->cookie);

    if (FAILED(result))
        self->cookie = 0;
    return result;
}

static void revoke_class(struct launched *self)
{
    if (self->cookie)
        CoRevokeClassObject(self->cookie);
    self->cookie = 0;
}

/* The server's own factory. While ours is not registered, COM in this process does what it does for any client: it looks for
 * a server that runs, and else starts the program, as a child of this process. Registered again, ours stands behind
 * the server's, and is found again when that one has gone. */
static HRESULT launch(struct launched *self, IClassFactory **factory)
{
    HRESULT result;

    AcquireSRWLockExclusive(&self->lock);
    revoke_class(self);
    result = CoGetClassObject(&self->class, CLSCTX_LOCAL_SERVER, NULL, &IID_IClassFactory, (void **)factory);
    if (self->listed)
        register_class(self);
    ReleaseSRWLockExclusive(&self->lock);
    return result;
}

/* ---- the factory that clients get ---- */

static HRESULT WINAPI factory_QueryInterface(IClassFactory *iface, REFIID iid, void **out)
{
    *out = IsEqualIID(iid, &IID_IUnknown) || IsEqualIID(iid, &IID_IClassFactory) ? iface : NULL;
    return *out ? S_OK : E_NOINTERFACE;
}

/* Classes live as long as the process: a client may hold the factory of one that was taken out of the registry. */
static ULONG WINAPI factory_AddRef(IClassFactory *iface)
{
    (void)iface;
    return 2;
}

static ULONG WINAPI factory_Release(IClassFactory *iface)
{
    (void)iface;
    return 1;
}

static HRESULT WINAPI factory_CreateInstance(IClassFactory *iface, IUnknown *outer, REFIID iid, void **out)
{
    IClassFactory *real;
    HRESULT result;

    *out = NULL;
    if (outer)
        return CLASS_E_NOAGGREGATION;
    if (FAILED(result = launch((struct launched *)iface, &real)))
        return result;
    result = IClassFactory_CreateInstance(real, NULL, iid, out);
    IClassFactory_Release(real);
    return result;
}

static HRESULT WINAPI factory_LockServer(IClassFactory *iface, BOOL lock)
{
    IClassFactory *real;
    HRESULT result = launch((struct launched *)iface, &real);

    if (SUCCEEDED(result)) {
        result = IClassFactory_LockServer(real, lock);
        IClassFactory_Release(real);
    }
    return result;
}

static const IClassFactoryVtbl factory_vtable = {
    factory_QueryInterface, factory_AddRef, factory_Release, factory_CreateInstance, factory_LockServer,
};

/* ---- which classes there are ---- */

/* Has it a program as its server, which no service is? */
static BOOL is_launched(HKEY all, const WCHAR *name)
{
    WCHAR key[GUID_TEXT + 32], appid[GUID_TEXT];
    DWORD size = 0;

    lstrcpyW(key, name);
    lstrcatW(key, L"\\LocalServer32");
    if (RegGetValueW(all, key, NULL, RRF_RT_REG_SZ, NULL, NULL, &size) || size <= sizeof(WCHAR))
        return FALSE;
    size = sizeof(appid);
    if (RegGetValueW(all, name, L"AppID", RRF_RT_REG_SZ, NULL, appid, &size))
        return TRUE;
    lstrcpyW(key, L"AppID\\");
    lstrcatW(key, appid);
    return RegGetValueW(HKEY_CLASSES_ROOT, key, L"LocalService", RRF_RT_REG_SZ, NULL, NULL, &size) != NO_ERROR;
}

static struct launched *class_of(const CLSID *class)
{
    DWORD i;

    for (i = 0; i < count; i++)
        if (IsEqualCLSID(&classes[i]->class, class))
            return classes[i];
    if (count == CLASSES_MAX || !(classes[count] = calloc(1, sizeof(**classes))))
        return NULL;
    classes[count]->factory.lpVtbl = (IClassFactoryVtbl *)&factory_vtable;
    classes[count]->class = *class;
    InitializeSRWLock(&classes[count]->lock);
    return classes[count++];
}

/* Take up classes that are new, and let go of those that have gone. */
static void update_classes(HKEY all)
{
    WCHAR name[GUID_TEXT];
    struct launched *class;
    BOOL *seen = calloc(CLASSES_MAX, sizeof(*seen));
    CLSID id;
    DWORD i, n;
    LONG error;

    for (i = 0; seen; i++) {
        n = GUID_TEXT;
        error = RegEnumKeyExW(all, i, name, &n, NULL, NULL, NULL, NULL);
        if (error == ERROR_MORE_DATA)
            continue;
        if (error)
            break;
        if (n != 38 || FAILED(CLSIDFromString(name, &id)) || !is_launched(all, name) || !(class = class_of(&id)))
            continue;
        for (n = 0; classes[n] != class; n++)
            ;
        seen[n] = TRUE;
    }
    for (i = 0; seen && i < count; i++) {
        AcquireSRWLockExclusive(&classes[i]->lock);
        classes[i]->listed = seen[i];
        if (seen[i] && !classes[i]->cookie)
            register_class(classes[i]);
        else if (!seen[i])
            revoke_class(classes[i]);
        ReleaseSRWLockExclusive(&classes[i]->lock);
    }
    free(seen);
}

/* registered: whether RpcSs has them, so that they have to be revoked. */
static void forget_classes(BOOL registered)
{
    DWORD i;

    for (i = 0; i < count; i++) {
        AcquireSRWLockExclusive(&classes[i]->lock);
        classes[i]->listed = FALSE;
        if (registered)
            revoke_class(classes[i]);
        else
            classes[i]->cookie = 0;
        ReleaseSRWLockExclusive(&classes[i]->lock);
    }
}

/* ---- the service ---- */

/* Until it runs or, if this is told, the service stops. Whether it runs. */
static BOOL rpcss_runs(HANDLE stop)
{
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
    SC_HANDLE service = manager ? OpenServiceW(manager, L"RpcSs", SERVICE_QUERY_STATUS) : NULL;
    SERVICE_STATUS status = {0};
    BOOL runs = FALSE;

    if (service)
        do
            runs = QueryServiceStatus(service, &status) && status.dwCurrentState == SERVICE_RUNNING;
        while (!runs && stop && WaitForSingleObject(stop, LOOK_MS) == WAIT_TIMEOUT);
    if (service)
        CloseServiceHandle(service);
    if (manager)
        CloseServiceHandle(manager);
    return runs;
}

static DWORD look_after_classes(HANDLE stop)
{
    HANDLE changed = CreateEventW(NULL, FALSE, FALSE, NULL);
    const HANDLE handles[] = {stop, changed};
    LONG error;
    HKEY all;

    if (!changed || (error = RegOpenKeyExW(HKEY_LOCAL_MACHINE, L"Software\\Classes\\CLSID", 0, KEY_READ | KEY_NOTIFY, &all)))
        return ERROR_OUTOFMEMORY;
    do {
        error = RegNotifyChangeKeyValue(all, TRUE, REG_NOTIFY_CHANGE_NAME | REG_NOTIFY_CHANGE_LAST_SET, changed, TRUE);
        if (!error)
            update_classes(all);
    } while (!error && WaitForMultipleObjects(2, handles, FALSE, INFINITE) == WAIT_OBJECT_0 + 1);
    RegCloseKey(all);
    CloseHandle(changed);
    return (DWORD)error;
}

static CO_MTA_USAGE_COOKIE kept; /* of the classes that RpcSs, stopped before, need not be told about */

static DWORD body(struct service *service, DWORD argc, WCHAR **argv)
{
    BOOL registered;
    DWORD error;

    (void)argc;
    (void)argv;
    service_ready(service);
    if (!rpcss_runs(service->stop))  /* it keeps the list of classes, and starts later, as it depends on this service */
        return NO_ERROR;
    if (FAILED(CoInitializeEx(NULL, COINIT_MULTITHREADED)))
        return ERROR_OUTOFMEMORY;
    error = look_after_classes(service->stop);
    /* RpcSs stops before this service does. To revoke a class Wine's COM would start it again, and this service with
     * it, so the apartment with its classes is kept for as long as the process lives: see DllMain. */
    registered = rpcss_runs(NULL);
    if (!registered && !kept)
        CoIncrementMTAUsage(&kept);
    forget_classes(registered);
    CoUninitialize();
    return error;
}

void WINAPI ServiceMain(DWORD argc, WCHAR **argv)
{
    service_run(SERVICE_WIN32_SHARE_PROCESS, body, argc, argv);
}

BOOL WINAPI DllMain(HINSTANCE instance, DWORD reason, void *ending)
{
    (void)instance;
    /* This DLL needs COM's and so goes first: the process ends before COM revokes what was kept. */
    if (reason == DLL_PROCESS_DETACH && ending && kept)
        TerminateProcess(GetCurrentProcess(), NO_ERROR);
    return TRUE;
}
