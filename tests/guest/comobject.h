/* An object with two numbers, and its client, for COM servers of every kind.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COMOBJECT_H
#define COMOBJECT_H

#define COBJMACROS
#include <windows.h>
#include <oleauto.h>
#include <tlhelp32.h>

static LONG references;

static void last_released(void);

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
        last_released();
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
__attribute__((unused)) static IDispatch object = {&object_vtable};

static inline LONG ask(IDispatch *server, DISPID id)
{
    static const GUID no_interface;
    DISPPARAMS none = {0};
    VARIANT result;

    VariantInit(&result);
    if (FAILED(IDispatch_Invoke(server, id, &no_interface, 0, DISPATCH_METHOD, &none, &result, NULL, NULL)))
        return -1;
    return V_I4(&result);
}

#endif
