/* What a program is told of the Windows version, through every door: a line per answer, NAME VALUE.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "check.h"

#define CURRENT L"Software\\Microsoft\\Windows NT\\CurrentVersion"
#define CURRENT_9X L"Software\\Microsoft\\Windows\\CurrentVersion"
#define CONTROL L"System\\CurrentControlSet\\Control\\"

NTSTATUS WINAPI RtlGetVersion(OSVERSIONINFOEXW *info);
void WINAPI RtlGetNtVersionNumbers(DWORD *major, DWORD *minor, DWORD *build);
BOOLEAN WINAPI RtlGetNtProductType(DWORD *type);
NTSTATUS WINAPI RtlVerifyVersionInfo(const OSVERSIONINFOEXW *info, DWORD mask, DWORDLONG conditions);

static void print_text(const char *name, HKEY root, const WCHAR *path, const WCHAR *value)
{
    WCHAR text[256] = L"";
    DWORD size = sizeof(text) - sizeof(WCHAR), type = 0, error;
    HKEY key;

    if ((error = RegOpenKeyExW(root, path, 0, KEY_QUERY_VALUE, &key))) {
        printf("%s: no key, error %lu\n", name, error);
        return;
    }
    error = RegQueryValueExW(key, value, NULL, &type, (BYTE *)text, &size);
    if (error) printf("%s: none\n", name);
    else if (type == REG_DWORD) printf("%s: %lu\n", name, *(DWORD *)text);
    else printf("%s: '%ls'\n", name, text);
    RegCloseKey(key);
}

/* Whether this is at least the version; the native call, which knows nothing of manifests. */
static BOOL at_least(DWORD major, DWORD minor)
{
    OSVERSIONINFOEXW wanted = { .dwOSVersionInfoSize = sizeof(wanted), .dwMajorVersion = major, .dwMinorVersion = minor };
    DWORDLONG mask = VerSetConditionMask(0, VER_MAJORVERSION, VER_GREATER_EQUAL);

    mask = VerSetConditionMask(mask, VER_MINORVERSION, VER_GREATER_EQUAL);
    return !RtlVerifyVersionInfo(&wanted, VER_MAJORVERSION | VER_MINORVERSION, mask);
}

static BOOL is_server(void)
{
    OSVERSIONINFOEXW wanted = { .dwOSVersionInfoSize = sizeof(wanted), .wProductType = VER_NT_WORKSTATION };

    return !VerifyVersionInfoW(&wanted, VER_PRODUCT_TYPE, VerSetConditionMask(0, VER_PRODUCT_TYPE, VER_EQUAL));
}

static void print_native(void)
{
    OSVERSIONINFOEXW info = { .dwOSVersionInfoSize = sizeof(info) };
    DWORD major, minor, build, type = 0;

    RtlGetVersion(&info);
    printf("RtlGetVersion: %lu.%lu.%lu platform %lu '%ls' %u.%u type %u\n", info.dwMajorVersion, info.dwMinorVersion,
           info.dwBuildNumber, info.dwPlatformId, info.szCSDVersion, info.wServicePackMajor,
           info.wServicePackMinor, info.wProductType);
    RtlGetNtVersionNumbers(&major, &minor, &build);
    printf("RtlGetNtVersionNumbers: %lu.%lu.%lu\n", major, minor, build & 0x0fffffff);
    RtlGetNtProductType(&type);
    printf("RtlGetNtProductType: %lu\n", type);
    printf("at least:%s%s%s%s%s\n", at_least(4, 0) ? " 4.0" : "", at_least(5, 1) ? " 5.1" : "",
           at_least(6, 0) ? " 6.0" : "", at_least(6, 1) ? " 6.1" : "", at_least(10, 0) ? " 10.0" : "");
}

static void print_win32(void)
{
    OSVERSIONINFOW info = { .dwOSVersionInfoSize = sizeof(info) };
    BOOL (WINAPI *product_info)(DWORD, DWORD, DWORD, DWORD, DWORD *);
    DWORD product = 0;

    GetVersionExW(&info);
    printf("GetVersionEx: %lu.%lu.%lu platform %lu '%ls'\n", info.dwMajorVersion, info.dwMinorVersion,
           info.dwBuildNumber, info.dwPlatformId, info.szCSDVersion);
    product_info = (void *)GetProcAddress(GetModuleHandleA("kernel32"), "GetProductInfo");
    product_info(6, 1, 0, 0, &product);
    printf("GetProductInfo: %lu\n", product);
    printf("server: %d\n", is_server());
}

/* Where 64-bit and 32-bit programs find the version in the process environment block. */
static void print_block(void)
{
#ifdef _WIN64
    const char *block = (const char *)NtCurrentTeb()->ProcessEnvironmentBlock + 0x118;
    const DWORD platform = *(const DWORD *)(block + 12);
#else
    const char *block = (const char *)NtCurrentTeb()->ProcessEnvironmentBlock + 0xa4;
    const DWORD platform = *(const DWORD *)(block + 12);
#endif
    const char *shared = (const char *)0x7ffe0000;

    printf("PEB: %lu.%lu.%u platform %lu\n", *(const DWORD *)block, *(const DWORD *)(block + 4),
           *(const WORD *)(block + 8), platform);
    printf("shared page: %lu.%lu.%lu type %lu\n", *(const DWORD *)(shared + 0x26c), *(const DWORD *)(shared + 0x270),
           *(const DWORD *)(shared + 0x260), *(const DWORD *)(shared + 0x264));
}

static void print_registry(void)
{
    print_text("CurrentVersion", HKEY_LOCAL_MACHINE, CURRENT, L"CurrentVersion");
    print_text("CurrentMajorVersionNumber", HKEY_LOCAL_MACHINE, CURRENT, L"CurrentMajorVersionNumber");
    print_text("CurrentMinorVersionNumber", HKEY_LOCAL_MACHINE, CURRENT, L"CurrentMinorVersionNumber");
    print_text("CurrentBuild", HKEY_LOCAL_MACHINE, CURRENT, L"CurrentBuild");
    print_text("CurrentBuildNumber", HKEY_LOCAL_MACHINE, CURRENT, L"CurrentBuildNumber");
    print_text("CSDVersion", HKEY_LOCAL_MACHINE, CURRENT, L"CSDVersion");
    print_text("ProductName", HKEY_LOCAL_MACHINE, CURRENT, L"ProductName");
    print_text("ProductType", HKEY_LOCAL_MACHINE, CONTROL L"ProductOptions", L"ProductType");
    print_text("service pack", HKEY_LOCAL_MACHINE, CONTROL L"Windows", L"CSDVersion");
    print_text("OS", HKEY_LOCAL_MACHINE, CONTROL L"Session Manager\\Environment", L"OS");
    print_text("VersionNumber", HKEY_LOCAL_MACHINE, CURRENT_9X, L"VersionNumber");
    print_text("SubVersionNumber", HKEY_LOCAL_MACHINE, CURRENT_9X, L"SubVersionNumber");
    print_text("9x ProductName", HKEY_LOCAL_MACHINE, CURRENT_9X, L"ProductName");
    print_text("Wine", HKEY_CURRENT_USER, L"Software\\Wine", L"Version");
}

int main(int argc, char **argv)
{
    printf("bits: %u\n", (unsigned)(8 * sizeof(void *)));
    print_native();
    print_win32();
    print_block();
    print_registry();
    if (argc > 1 && !strcmp(argv[1], "hold")) hold();
    return 0;
}
