/* A COM server in a program of its own, and its client.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   comserver register     makes the class known
 *   comserver -Embedding   the server, as COM starts it; it ends when its last object goes
 *   comserver activate     makes an object; prints the ids of the server and of its parent; keeps it until its input ends */

#include <initguid.h>
#include "comfactory.h"

#include <stdio.h>
#include <string.h>

/* {0B9C5B0E-7A56-4F0B-8C0E-5D2B7C4F1E21} */
DEFINE_GUID(CLSID_Server, 0x0b9c5b0e, 0x7a56, 0x4f0b, 0x8c, 0x0e, 0x5d, 0x2b, 0x7c, 0x4f, 0x1e, 0x21);
#define CLASS_KEY "Software\\Classes\\CLSID\\{0B9C5B0E-7A56-4F0B-8C0E-5D2B7C4F1E21}"

static HANDLE done;

static void last_released(void)
{
    SetEvent(done);
}

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
