/* The factory of the object in comobject.h, for COM servers of every kind.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COMFACTORY_H
#define COMFACTORY_H

#include "comobject.h"

static LONG locks;

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
    (void)self;
    lock ? InterlockedIncrement(&locks) : InterlockedDecrement(&locks);
    return S_OK;
}

static IClassFactoryVtbl factory_vtable = {factory_QueryInterface, factory_count, factory_count, factory_CreateInstance, factory_LockServer};
static IClassFactory factory = {&factory_vtable};

#endif
