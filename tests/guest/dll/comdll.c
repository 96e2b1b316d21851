/* A COM class in a DLL, for a surrogate to serve: see surrogate.c.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../comfactory.h"

static void last_released(void)
{
}

__declspec(dllexport) HRESULT WINAPI DllGetClassObject(REFCLSID class, REFIID iid, void **out)
{
    (void)class;
    return IClassFactory_QueryInterface(&factory, iid, out);
}

__declspec(dllexport) HRESULT WINAPI DllCanUnloadNow(void)
{
    return references || locks ? S_FALSE : S_OK;
}
