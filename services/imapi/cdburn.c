/* Uses ImapiService.
 *
 *   cdburn.exe -list                        recorders: number, name, path
 *   cdburn.exe -burn RECORDER FOLDER VOLUME record a folder; prints the path of the image
 *   cdburn.exe -hold                        keep an object until standard input ends
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#define COBJMACROS
#include <windows.h>
#include <oleauto.h>

#include <stdio.h>

#include "recorder.h"

static int failed(const char *what, HRESULT result)
{
    fprintf(stderr, "%s failed: %08lx\n", what, (unsigned long)result);
    return 1;
}

static HRESULT call(IDispatch *recorders, DISPID id, VARIANT *arguments, UINT count, VARIANT *result)
{
    DISPPARAMS given = {arguments, NULL, count, 0};

    VariantInit(result);
    return IDispatch_Invoke(recorders, id, &IID_NULL, LOCALE_NEUTRAL, DISPATCH_METHOD, &given, result, NULL, NULL);
}

static VARIANT number(LONG value)
{
    VARIANT v;

    V_VT(&v) = VT_I4;
    V_I4(&v) = value;
    return v;
}

static VARIANT text(const WCHAR *value)
{
    VARIANT v;

    V_VT(&v) = VT_BSTR;
    V_BSTR(&v) = SysAllocString(value);
    return v;
}

static int list(IDispatch *recorders)
{
    VARIANT count, name, path, index;
    HRESULT result = call(recorders, RECORDER_COUNT, NULL, 0, &count);
    LONG i;

    if (FAILED(result))
        return failed("RecorderCount", result);
    for (i = 0; i < V_I4(&count); i++) {
        index = number(i);
        if (FAILED(result = call(recorders, RECORDER_NAME, &index, 1, &name)) || FAILED(result = call(recorders, RECORDER_PATH, &index, 1, &path)))
            return failed("RecorderName", result);
        printf("%ld %ls %ls\n", i, V_BSTR(&name), V_BSTR(&path));
        VariantClear(&name);
        VariantClear(&path);
    }
    return 0;
}

static int burn(IDispatch *recorders, WCHAR **words)
{
    VARIANT arguments[] = {text(words[2]), text(words[1]), number(_wtol(words[0]))}, image; /* the last comes first */
    HRESULT result = call(recorders, RECORDER_BURN, arguments, 3, &image);

    if (FAILED(result))
        return failed("Burn", result);
    printf("%ls\n", V_BSTR(&image));
    return 0;
}

static int hold(void)
{
    printf("holding\n");
    fflush(stdout);
    while (getchar() != EOF)
        ;
    return 0;
}

int wmain(int argc, WCHAR **argv)
{
    IDispatch *recorders;
    HRESULT result;
    int code = 2;

    if (argc < 2) {
        fprintf(stderr, "usage: cdburn.exe -list | -burn RECORDER FOLDER VOLUME | -hold\n");
        return code;
    }
    CoInitializeEx(NULL, COINIT_MULTITHREADED);
    if (FAILED(result = CoCreateInstance(&CLSID_Recorders, NULL, CLSCTX_LOCAL_SERVER, &IID_IDispatch, (void **)&recorders)))
        return failed("activation", result);
    if (!wcscmp(argv[1], L"-list"))
        code = list(recorders);
    else if (!wcscmp(argv[1], L"-burn") && argc == 5)
        code = burn(recorders, argv + 2);
    else if (!wcscmp(argv[1], L"-hold"))
        code = hold();
    IDispatch_Release(recorders);
    CoUninitialize();
    return code;
}
