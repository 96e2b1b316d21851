/* A client of the background transfer service: activates it through COM and has it fetch a file.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * bits URL FILE    fetches the URL to the file, which must not be there; the service is started if need be */

#define COBJMACROS
#define INITGUID
#include <windows.h>

#include <bits.h>
#include <objbase.h>
#include <stdio.h>

/* The ids of bits.idl; not every mingw has them in its uuid library. */
DEFINE_GUID(class_manager, 0x4991d34b, 0x80a1, 0x4291, 0x83, 0xb6, 0x33, 0x28, 0x36, 0x6b, 0x90, 0x97);
DEFINE_GUID(iid_manager, 0x5ce34c0d, 0x0dc9, 0x4c1f, 0x89, 0x7c, 0xda, 0xa1, 0xb7, 0x8c, 0xee, 0x7c);

enum { LOOK_MS = 50, LIMIT_MS = 60000 };

static HRESULT fetch(IBackgroundCopyManager *manager, const WCHAR *url, const WCHAR *file)
{
    IBackgroundCopyJob *job = NULL;
    BG_JOB_STATE state = BG_JOB_STATE_QUEUED;
    GUID id;
    HRESULT hr = IBackgroundCopyManager_CreateJob(manager, L"winesilo", BG_JOB_TYPE_DOWNLOAD, &id, &job);

    if (SUCCEEDED(hr))
        hr = IBackgroundCopyJob_AddFile(job, url, file);
    if (SUCCEEDED(hr))
        hr = IBackgroundCopyJob_Resume(job);
    /* Wine does not call the job's notify interface. */
    for (int waited = 0; SUCCEEDED(hr) && waited < LIMIT_MS; waited += LOOK_MS) {
        hr = IBackgroundCopyJob_GetState(job, &state);
        if (state == BG_JOB_STATE_TRANSFERRED || state == BG_JOB_STATE_ERROR)
            break;
        Sleep(LOOK_MS);
    }
    if (SUCCEEDED(hr) && state != BG_JOB_STATE_TRANSFERRED) {
        fprintf(stderr, "the job's state is %d\n", state);
        hr = E_FAIL;
    }
    return SUCCEEDED(hr) ? IBackgroundCopyJob_Complete(job) : hr;
}

int wmain(int argc, WCHAR **argv)
{
    IBackgroundCopyManager *manager = NULL;
    HRESULT hr;

    if (argc != 3)
        return 2;
    CoInitializeEx(NULL, COINIT_MULTITHREADED);
    hr = CoCreateInstance(&class_manager, NULL, CLSCTX_LOCAL_SERVER, &iid_manager, (void **)&manager);
    if (SUCCEEDED(hr))
        hr = fetch(manager, argv[1], argv[2]);
    if (FAILED(hr))
        fprintf(stderr, "failed: %08lx\n", hr);
    return FAILED(hr);
}

int main(void)
{
    int argc;
    WCHAR **argv = CommandLineToArgvW(GetCommandLineW(), &argc);

    return wmain(argc, argv);
}
