/* What a program finds already set when it starts, from the registry.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "check.h"

#define OPTIONS "Software\\Microsoft\\Windows NT\\CurrentVersion\\Image File Execution Options\\startup.exe"

ULONG WINAPI RtlGetNtGlobalFlags(void);

static int run_self(const char *what)
{
    char path[MAX_PATH], line[MAX_PATH + 16];
    STARTUPINFOA startup = { .cb = sizeof(startup) };
    PROCESS_INFORMATION process;
    DWORD code = (DWORD)-1;

    GetModuleFileNameA(NULL, path, sizeof(path));
    snprintf(line, sizeof(line), "\"%s\" %s", path, what);
    if (!CreateProcessA(NULL, line, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &process)) return -1;
    WaitForSingleObject(process.hProcess, 30000);
    GetExitCodeProcess(process.hProcess, &code);
    CloseHandle(process.hThread);
    CloseHandle(process.hProcess);
    return (int)code;
}

static void check_global_flag(void)
{
    const DWORD flag = 0x40; /* checks of free blocks at the end */
    HKEY key;

    check(run_self("flags") == 0, "no-global-flag", "got %#x", run_self("flags"));
    if (!CHECK("options-key", !RegCreateKeyA(HKEY_LOCAL_MACHINE, OPTIONS, &key))) return;
    RegSetValueExA(key, "GlobalFlag", 0, REG_DWORD, (const BYTE *)&flag, sizeof(flag));
    check(run_self("flags") == (int)flag, "global-flag", "got %#x", run_self("flags"));
    RegCloseKey(key);
    CHECK("options-key-deleted", !RegDeleteKeyA(HKEY_LOCAL_MACHINE, OPTIONS));
    check(run_self("flags") == 0, "no-global-flag-again", "got %#x", run_self("flags"));
}

/* This program uses advapi32.dll, and none of its functions that lead there in a silo. */
static void check_no_other_dll(void)
{
    CHECK("no-winesilo", GetModuleHandleA("advapi32.dll") && !GetModuleHandleA("winesilo.dll"));
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "flags")) return (int)RtlGetNtGlobalFlags();
    check_global_flag();
    check_no_other_dll();
    return finish();
}
