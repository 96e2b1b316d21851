/* ImapiService: a COM local service, started by activation of its class, that stops when nobody has used it for a while.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#define COBJMACROS
#include <winsock2.h>
#include <windows.h>
#include <oleauto.h>

#include <stdio.h>

#include "recorder.h"

#include "image.h"
#include "service.h"

enum { DRIVES_MAX = 26 };

static const WCHAR parameters[] = L"SYSTEM\\CurrentControlSet\\Services\\ImapiService\\Parameters";

static volatile LONG objects; /* what clients hold */
static HANDLE used;           /* set by each call, and when the last object goes */

/* ---- recorders ---- */

/* the CD drives, as letters; returns how many */
static LONG drives(WCHAR letters[DRIVES_MAX])
{
    DWORD mask = GetLogicalDrives(), i;
    LONG n = 0;

    for (i = 0; i < DRIVES_MAX; i++) {
        WCHAR root[] = {(WCHAR)('A' + i), ':', '\\', 0};

        if ((mask >> i & 1) && GetDriveTypeW(root) == DRIVE_CDROM)
            letters[n++] = root[0];
    }
    return n;
}

static void image_folder(WCHAR folder[MAX_PATH])
{
    if (!setting_text(parameters, L"ImageFolder", folder, MAX_PATH))
        wcscpy(folder, L"C:\\images");
}

/* The next free name in the folder of images. */
static BOOL image_path(WCHAR path[MAX_PATH + 32])
{
    WCHAR folder[MAX_PATH];
    unsigned int i;

    image_folder(folder);
    CreateDirectoryW(folder, NULL);
    for (i = 1; i < 10000; i++) {
        swprintf(path, MAX_PATH + 32, L"%ls\\disc%u.iso", folder, i);
        if (GetFileAttributesW(path) == INVALID_FILE_ATTRIBUTES)
            return TRUE;
    }
    return FALSE;
}

static HRESULT burn(const WCHAR *folder, const WCHAR *volume, VARIANT *result)
{
    static SRWLOCK one = SRWLOCK_INIT; /* a recorder records one disc at a time */
    WCHAR path[MAX_PATH + 32];
    char name[33];
    HRESULT status = E_FAIL;

    if (!WideCharToMultiByte(CP_ACP, 0, volume, -1, name, sizeof(name), NULL, NULL))
        return DISP_E_OVERFLOW;
    AcquireSRWLockExclusive(&one);
    if (image_path(path))
        status = image_write(folder, name, path);
    ReleaseSRWLockExclusive(&one);
    if (SUCCEEDED(status)) {
        V_VT(result) = VT_BSTR;
        V_BSTR(result) = SysAllocString(path);
    }
    return status;
}

/* ---- the object ---- */

struct recorders {
    IDispatch dispatch;
    LONG references;
};

static HRESULT WINAPI recorders_QueryInterface(IDispatch *self, REFIID iid, void **out)
{
    if (!IsEqualIID(iid, &IID_IUnknown) && !IsEqualIID(iid, &IID_IDispatch)) {
        *out = NULL;
        return E_NOINTERFACE;
    }
    IDispatch_AddRef(self);
    *out = self;
    return S_OK;
}

static ULONG WINAPI recorders_AddRef(IDispatch *self)
{
    return (ULONG)InterlockedIncrement(&((struct recorders *)self)->references);
}

static ULONG WINAPI recorders_Release(IDispatch *self)
{
    LONG left = InterlockedDecrement(&((struct recorders *)self)->references);

    if (!left) {
        CoTaskMemFree(self);
        InterlockedDecrement(&objects);
        SetEvent(used);
    }
    return (ULONG)left;
}

static HRESULT WINAPI recorders_GetTypeInfoCount(IDispatch *self, UINT *count)
{
    (void)self;
    *count = 0;
    return S_OK;
}

static HRESULT WINAPI recorders_GetTypeInfo(IDispatch *self, UINT index, LCID lcid, ITypeInfo **info)
{
    (void)self;
    (void)index;
    (void)lcid;
    *info = NULL;
    return DISP_E_BADINDEX;
}

static const WCHAR *const method_names[] = {L"RecorderCount", L"RecorderName", L"RecorderPath", L"Burn"};

static HRESULT WINAPI recorders_GetIDsOfNames(IDispatch *self, REFIID iid, LPOLESTR *names, UINT count, LCID lcid, DISPID *ids)
{
    UINT i;

    (void)self;
    (void)iid;
    (void)lcid;
    for (i = 0; i < count; i++)
        ids[i] = DISPID_UNKNOWN;
    for (i = 0; count && i < sizeof(method_names) / sizeof(method_names[0]); i++)
        if (!lstrcmpiW(names[0], method_names[i])) {
            ids[0] = (DISPID)i + 1;
            return count == 1 ? S_OK : DISP_E_UNKNOWNNAME; /* arguments have no names */
        }
    return DISP_E_UNKNOWNNAME;
}

static HRESULT call(DISPID id, const DISPPARAMS *given, VARIANT *result)
{
    static const UINT needed[] = {0, 1, 1, 3};
    WCHAR letters[DRIVES_MAX], text[MAX_PATH];
    LONG count = drives(letters), index;

    if (id < RECORDER_COUNT || id > RECORDER_BURN)
        return DISP_E_MEMBERNOTFOUND;
    if (given->cArgs != needed[id - 1])
        return DISP_E_BADPARAMCOUNT;
    if (id == RECORDER_COUNT) {
        V_VT(result) = VT_I4;
        V_I4(result) = count + 1;
        return S_OK;
    }
    if (V_VT(&given->rgvarg[given->cArgs - 1]) != VT_I4) /* the last is the first */
        return DISP_E_TYPEMISMATCH;
    index = V_I4(&given->rgvarg[given->cArgs - 1]);
    if (index < 0 || index > count)
        return DISP_E_BADINDEX;
    if (id == RECORDER_BURN) {
        if (V_VT(&given->rgvarg[1]) != VT_BSTR || V_VT(&given->rgvarg[0]) != VT_BSTR || !V_BSTR(&given->rgvarg[1]) || !V_BSTR(&given->rgvarg[0]))
            return DISP_E_TYPEMISMATCH;
        if (index < count)
            return HRESULT_FROM_WIN32(ERROR_NOT_SUPPORTED); /* drives are only listed */
        return burn(V_BSTR(&given->rgvarg[1]), V_BSTR(&given->rgvarg[0]), result);
    }
    if (index == count)
        id == RECORDER_NAME ? (void)wcscpy(text, L"ISO image") : image_folder(text);
    else
        swprintf(text, MAX_PATH, id == RECORDER_NAME ? L"CD drive %lc" : L"%lc:\\", letters[index]);
    V_VT(result) = VT_BSTR;
    V_BSTR(result) = SysAllocString(text);
    return S_OK;
}

static HRESULT WINAPI recorders_Invoke(IDispatch *self, DISPID id, REFIID iid, LCID lcid, WORD flags, DISPPARAMS *given, VARIANT *result,
                                       EXCEPINFO *exception, UINT *wrong)
{
    VARIANT none;

    (void)self;
    (void)iid;
    (void)lcid;
    (void)flags;
    (void)exception;
    (void)wrong;
    SetEvent(used);
    if (!result)
        result = &none;
    VariantInit(result);
    return call(id, given, result);
}

static const IDispatchVtbl recorders_vtable = {
    recorders_QueryInterface, recorders_AddRef,        recorders_Release, recorders_GetTypeInfoCount,
    recorders_GetTypeInfo,    recorders_GetIDsOfNames, recorders_Invoke,
};

/* ---- its class ---- */

static HRESULT WINAPI factory_QueryInterface(IClassFactory *self, REFIID iid, void **out)
{
    *out = IsEqualIID(iid, &IID_IUnknown) || IsEqualIID(iid, &IID_IClassFactory) ? self : NULL;
    return *out ? S_OK : E_NOINTERFACE;
}

static ULONG WINAPI factory_AddRef(IClassFactory *self)
{
    (void)self;
    return 2;
}

static ULONG WINAPI factory_Release(IClassFactory *self)
{
    (void)self;
    return 1;
}

static HRESULT WINAPI factory_CreateInstance(IClassFactory *self, IUnknown *outer, REFIID iid, void **out)
{
    struct recorders *object;
    HRESULT result;

    (void)self;
    *out = NULL;
    if (outer)
        return CLASS_E_NOAGGREGATION;
    if (!(object = CoTaskMemAlloc(sizeof(*object))))
        return E_OUTOFMEMORY;
    object->dispatch.lpVtbl = (IDispatchVtbl *)&recorders_vtable;
    object->references = 1;
    InterlockedIncrement(&objects);
    SetEvent(used);
    result = IDispatch_QueryInterface(&object->dispatch, iid, out);
    IDispatch_Release(&object->dispatch);
    return result;
}

static HRESULT WINAPI factory_LockServer(IClassFactory *self, BOOL lock)
{
    (void)self;
    if (lock)
        InterlockedIncrement(&objects);
    else
        InterlockedDecrement(&objects);
    SetEvent(used);
    return S_OK;
}

static const IClassFactoryVtbl factory_vtable = {
    factory_QueryInterface, factory_AddRef, factory_Release, factory_CreateInstance, factory_LockServer,
};
static IClassFactory factory = {(IClassFactoryVtbl *)&factory_vtable};

/* ---- the service ---- */

/* Until the stop, or until nothing has been used for IdleSeconds. */
static void wait_for_end(HANDLE stop)
{
    const HANDLE handles[] = {stop, used};
    DWORD idle_ms = setting_dword(parameters, L"IdleSeconds", 60) * 1000;

    for (;;)
        switch (WaitForMultipleObjects(2, handles, FALSE, idle_ms)) {
        case WAIT_OBJECT_0 + 1:
            break;
        case WAIT_TIMEOUT:
            if (!objects)
                return;
            break;
        default:
            return;
        }
}

static DWORD body(struct service *service, DWORD argc, WCHAR **argv)
{
    DWORD cookie;
    HRESULT result;

    (void)argc;
    (void)argv;
    used = CreateEventW(NULL, FALSE, FALSE, NULL);
    if (!used || FAILED(result = CoInitializeEx(NULL, COINIT_MULTITHREADED)))
        return ERROR_OUTOFMEMORY;
    result = CoRegisterClassObject(&CLSID_Recorders, (IUnknown *)&factory, CLSCTX_LOCAL_SERVER, REGCLS_MULTIPLEUSE, &cookie);
    if (SUCCEEDED(result)) {
        service_ready(service);
        wait_for_end(service->stop);
        CoRevokeClassObject(cookie);
    }
    CoUninitialize();
    return SUCCEEDED(result) ? NO_ERROR : (DWORD)result;
}

int wmain(void)
{
    return service_program(SERVICE_WIN32_OWN_PROCESS, L"ImapiService", body,
                           L"imapi.exe is a service, started when its class is used: see cdburn.exe");
}
