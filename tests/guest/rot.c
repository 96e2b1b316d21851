/* The running object table.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   rot register NAME FLAGS   registers an object as the item !NAME; prints `ready` and waits for the end of its input
 *   rot look NAME...          for each: NAME, whether it runs, the process its object is in (0: none), how often it is listed */

#include "comobject.h"

#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

static void last_released(void)
{
}

static IMoniker *item(const WCHAR *name)
{
    IMoniker *moniker;

    return SUCCEEDED(CreateItemMoniker(L"!", name, &moniker)) ? moniker : NULL;
}

static int put(IRunningObjectTable *table, const WCHAR *name, DWORD flags)
{
    DWORD cookie;
    HRESULT result = IRunningObjectTable_Register(table, flags, (IUnknown *)&object, item(name), &cookie);

    printf(FAILED(result) ? "failed %08lx\n" : "ready\n", (unsigned long)result);
    fflush(stdout);
    while (getchar() != EOF)
        ;
    return FAILED(IRunningObjectTable_Revoke(table, cookie));
}

static unsigned listed(IRunningObjectTable *table, IMoniker *wanted)
{
    IEnumMoniker *list;
    IMoniker *one;
    unsigned count = 0;

    if (FAILED(IRunningObjectTable_EnumRunning(table, &list)))
        return 99;
    while (IEnumMoniker_Next(list, 1, &one, NULL) == S_OK) {
        count += IMoniker_IsEqual(one, wanted) == S_OK;
        IMoniker_Release(one);
    }
    IEnumMoniker_Release(list);
    return count;
}

static void look(IRunningObjectTable *table, const WCHAR *name)
{
    IMoniker *moniker = item(name);
    IDispatch *dispatch = NULL;
    IUnknown *found = NULL;
    LONG pid = 0;

    if (IRunningObjectTable_GetObject(table, moniker, &found) == S_OK) {
        pid = SUCCEEDED(IUnknown_QueryInterface(found, &IID_IDispatch, (void **)&dispatch)) ? ask(dispatch, 1) : -1;
        if (dispatch)
            IDispatch_Release(dispatch);
        IUnknown_Release(found);
    }
    printf("%ls %d %ld %u\n", name, IRunningObjectTable_IsRunning(table, moniker) == S_OK, pid, listed(table, moniker));
    IMoniker_Release(moniker);
}

int wmain(int argc, WCHAR **argv)
{
    IRunningObjectTable *table;
    int code = 2;

    CoInitializeEx(NULL, COINIT_MULTITHREADED);
    if (FAILED(GetRunningObjectTable(0, &table)))
        return 1;
    if (argc == 4 && !wcscmp(argv[1], L"register"))
        code = put(table, argv[2], wcstoul(argv[3], NULL, 10));
    else if (argc > 2 && !wcscmp(argv[1], L"look"))
        for (code = 0, argv += 2; *argv; argv++)
            look(table, *argv);
    IRunningObjectTable_Release(table);
    CoUninitialize();
    return code;
}
