/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Processes: a silo sees its own. */
#include "bench.h"

#include <stdio.h>

static void process_start(void)
{
    PROCESS_INFORMATION process;
    STARTUPINFOW startup = { .cb = sizeof(startup) };
    WCHAR self[MAX_PATH], command[MAX_PATH + 16];

    GetModuleFileNameW(NULL, self, MAX_PATH);
    swprintf(command, MAX_PATH + 16, L"\"%ls\" nothing", self);
    if (!CreateProcessW(self, command, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &process)) die("CreateProcess");
    WaitForSingleObject(process.hProcess, INFINITE);
    CloseHandle(process.hThread);
    CloseHandle(process.hProcess);
}

static void process_open(void)
{
    HANDLE process = OpenProcess(PROCESS_QUERY_INFORMATION, FALSE, GetCurrentProcessId());

    if (!process) die("OpenProcess");
    CloseHandle(process);
}

static void thread_open(void)
{
    HANDLE thread = OpenThread(THREAD_QUERY_INFORMATION, FALSE, GetCurrentThreadId());

    if (!thread) die("OpenThread");
    CloseHandle(thread);
}

static void handle_duplicate(void)
{
    HANDLE copy;

    if (!DuplicateHandle(GetCurrentProcess(), GetCurrentThread(), GetCurrentProcess(), &copy, 0, FALSE, DUPLICATE_SAME_ACCESS))
        die("DuplicateHandle");
    CloseHandle(copy);
}

static void module_name(void)
{
    WCHAR name[MAX_PATH];

    if (!GetModuleFileNameW(NULL, name, MAX_PATH)) die("GetModuleFileName");
}

static void image_name(void)
{
    WCHAR name[MAX_PATH];
    DWORD n = MAX_PATH;

    if (!QueryFullProcessImageNameW(GetCurrentProcess(), 0, name, &n)) die("QueryFullProcessImageName");
}

const struct row process_rows[] = {
    { HOOKED, "process_start", process_start, NULL },
    { HOOKED, "process_open", process_open, NULL },
    { HOOKED, "thread_open", thread_open, NULL },
    { HOOKED, "handle_duplicate", handle_duplicate, NULL },
    { PLAIN, "module_name", module_name, NULL },
    { PLAIN, "image_name", image_name, NULL },
    { 0 },
};
