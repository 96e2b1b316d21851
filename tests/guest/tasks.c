/* A client of the task scheduler, over COM and, from there, RPC to the service.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * tasks register NAME...    registers tasks
 * tasks look NAME...        prints those of the names that are tasks, one a line */

#define COBJMACROS
#define INITGUID
#include <windows.h>

#include <objbase.h>
#include <oleauto.h>
#include <stdio.h>
#include <string.h>
#include <taskschd.h>

/* The ids of the type library taskschd.tlb; not every mingw has them in its uuid library. */
DEFINE_GUID(class_scheduler, 0x0f87369f, 0xa4e5, 0x4cfc, 0xbd, 0x3e, 0x73, 0xe6, 0x15, 0x45, 0x72, 0xdd);
DEFINE_GUID(iid_service, 0x2faba4c7, 0x4da9, 0x4013, 0x96, 0x97, 0x20, 0xcc, 0x3f, 0xd4, 0x0f, 0x85);

static const WCHAR xml[] =
    L"<?xml version=\"1.0\"?>"
    L"<Task version=\"1.2\" xmlns=\"http://schemas.microsoft.com/windows/2004/02/mit/task\">"
    L"<RegistrationInfo><Author>winesilo</Author></RegistrationInfo>"
    L"<Settings><Enabled>false</Enabled></Settings>"
    L"<Actions><Exec><Command>cmd.exe</Command></Exec></Actions>"
    L"</Task>";

static HRESULT add(ITaskFolder *folder, const char *name)
{
    WCHAR path[128];
    VARIANT empty = { 0 };
    IRegisteredTask *task = NULL;
    BSTR text, where;
    HRESULT hr;

    swprintf(path, ARRAYSIZE(path), L"\\%hs", name);
    text = SysAllocString(xml);
    where = SysAllocString(path);
    hr = ITaskFolder_RegisterTask(folder, where, text, TASK_CREATE_OR_UPDATE, empty, empty, TASK_LOGON_NONE,
                                  empty, &task);
    if (task)
        IRegisteredTask_Release(task);
    SysFreeString(where);
    SysFreeString(text);
    return hr;
}

/* Print the name if there is such a task. Wine has no list of all of them. */
static HRESULT look(ITaskFolder *folder, const char *name)
{
    WCHAR wide[128];
    IRegisteredTask *task = NULL;
    BSTR path;
    HRESULT hr;

    swprintf(wide, ARRAYSIZE(wide), L"%hs", name);
    path = SysAllocString(wide);
    hr = ITaskFolder_GetTask(folder, path, &task);
    SysFreeString(path);
    if (SUCCEEDED(hr)) {
        printf("%s\n", name);
        IRegisteredTask_Release(task);
    }
    return hr == HRESULT_FROM_WIN32(ERROR_FILE_NOT_FOUND) ? S_OK : hr;
}

int main(int argc, char **argv)
{
    ITaskService *service = NULL;
    ITaskFolder *folder = NULL;
    VARIANT empty = { 0 };
    BSTR root;
    HRESULT hr;

    CoInitializeEx(NULL, COINIT_MULTITHREADED);
    hr = CoCreateInstance(&class_scheduler, NULL, CLSCTX_INPROC_SERVER, &iid_service, (void **)&service);
    if (SUCCEEDED(hr))
        hr = ITaskService_Connect(service, empty, empty, empty, empty);
    root = SysAllocString(L"\\");
    if (SUCCEEDED(hr))
        hr = ITaskService_GetFolder(service, root, &folder);
    for (int i = 2; SUCCEEDED(hr) && i < argc; i++)
        hr = !strcmp(argv[1], "register") ? add(folder, argv[i]) : look(folder, argv[i]);
    if (FAILED(hr))
        fprintf(stderr, "failed: %08lx\n", hr);
    return FAILED(hr);
}
