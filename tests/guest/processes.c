/* Processes: what a program sees of others.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   processes host|silo     checks
 *   processes hold          print `pid N tid M`, say ready, wait
 *   processes probe PID     print `found HOW` or `absent HOW` for each way to reach the process
 *   processes console PID   print whether the process's console can be used
 *   processes list          print `process PID PARENT NAME` for each process of a snapshot
 *   processes bits          print `N bits`, and whether it is emulated
 *   processes child CODE    exit with CODE */

#include "check.h"

#include <tlhelp32.h>

NTSYSAPI NTSTATUS NTAPI NtOpenProcess(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, CLIENT_ID *);
NTSYSAPI NTSTATUS NTAPI NtOpenThread(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, CLIENT_ID *);

#define MAX_PROCESSES 512

static PROCESSENTRY32W processes[MAX_PROCESSES];
static int process_count;

static void take_snapshot(void)
{
    HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
    PROCESSENTRY32W entry = {.dwSize = sizeof(entry)};
    BOOL more = Process32FirstW(snapshot, &entry);

    for (process_count = 0; more && process_count < MAX_PROCESSES; more = Process32NextW(snapshot, &entry))
        processes[process_count++] = entry;
    CloseHandle(snapshot);
}

static const PROCESSENTRY32W *in_snapshot(DWORD pid)
{
    for (int i = 0; i < process_count; i++)
        if (processes[i].th32ProcessID == pid)
            return &processes[i];
    return NULL;
}

static int named(const WCHAR *name)
{
    int count = 0;

    for (int i = 0; i < process_count; i++)
        count += same_text(processes[i].szExeFile, name);
    return count;
}

/* Whether the snapshot's threads belong to the snapshot's processes, and whether `pid` has one. */
static BOOL threads_fit(DWORD pid, BOOL *has_thread)
{
    HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
    THREADENTRY32 entry = {.dwSize = sizeof(entry)};
    BOOL more = Thread32First(snapshot, &entry), fit = TRUE;

    for (*has_thread = FALSE; more; more = Thread32Next(snapshot, &entry)) {
        if (!in_snapshot(entry.th32OwnerProcessID))
            fit = FALSE;
        if (entry.th32OwnerProcessID == pid)
            *has_thread = TRUE;
    }
    CloseHandle(snapshot);
    return fit;
}

static HANDLE run_child(const char *arguments, DWORD *pid)
{
    STARTUPINFOA startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION info;
    char self[MAX_PATH], line[2 * MAX_PATH];

    GetModuleFileNameA(NULL, self, sizeof(self));
    snprintf(line, sizeof(line), "\"%s\" %s", self, arguments);
    if (!CreateProcessA(NULL, line, NULL, NULL, FALSE, CREATE_SUSPENDED, NULL, NULL, &startup, &info))
        return NULL;
    *pid = info.dwProcessId;
    take_snapshot();
    ResumeThread(info.hThread);
    CloseHandle(info.hThread);
    return info.hProcess;
}

static BOOL has_handles(DWORD pid)
{
    static struct {
        ULONG_PTR count, reserved;
        struct {
            ULONG_PTR object, pid;
            BYTE rest[24];
        } entries[65536];
    } list;
    ULONG size;

    if (NtQuerySystemInformation((SYSTEM_INFORMATION_CLASS)64 /* SystemExtendedHandleInformation */, &list, sizeof(list),
                                 &size))
        return FALSE;
    for (ULONG_PTR i = 0; i < list.count; i++)
        if (list.entries[i].pid == pid)
            return TRUE;
    return FALSE;
}

static void check_child(void)
{
    HANDLE child, again;
    DWORD pid = 0, code = 0;
    WCHAR path[MAX_PATH];
    DWORD size = MAX_PATH;

    child = run_child("child 42", &pid);
    CHECK("child-starts", child != NULL);
    CHECK("child-in-snapshot", in_snapshot(pid) && in_snapshot(pid)->th32ParentProcessID == GetCurrentProcessId());
    again = OpenProcess(PROCESS_ALL_ACCESS, FALSE, pid);
    CHECK("child-opens", again != NULL);
    CHECK("child-id", GetProcessId(again) == pid);
    CHECK("child-ends", WaitForSingleObject(again, 10000) == WAIT_OBJECT_0);
    CHECK("child-exit-code", GetExitCodeProcess(child, &code) && code == 42);
    CloseHandle(again);
    CloseHandle(child);
    child = run_child("hold", &pid);
    again = OpenProcess(PROCESS_TERMINATE | SYNCHRONIZE, FALSE, pid);
    CHECK("child-terminate", TerminateProcess(again, 7));
    CHECK("child-terminated", WaitForSingleObject(again, 10000) == WAIT_OBJECT_0);
    CHECK("child-code", GetExitCodeProcess(child, &code) && code == 7);
    CHECK("child-image", QueryFullProcessImageNameW(GetCurrentProcess(), 0, path, &size)
                             && begins_with(path, L"C:\\") && ends_with(path, L"processes.exe"));
    CloseHandle(again);
    CloseHandle(child);
}

static void check_self(void)
{
    HANDLE self = OpenProcess(PROCESS_ALL_ACCESS, FALSE, GetCurrentProcessId());
    HANDLE thread = OpenThread(THREAD_ALL_ACCESS, FALSE, GetCurrentThreadId());
    BOOL has_thread;

    CHECK("self-opens", self != NULL);
    CHECK("self-has-handles", has_handles(GetCurrentProcessId()));
    CHECK("own-thread-opens", thread != NULL);
    take_snapshot();
    CHECK("self-in-snapshot", in_snapshot(GetCurrentProcessId()) != NULL);
    CHECK("threads-fit", threads_fit(GetCurrentProcessId(), &has_thread));
    CHECK("self-has-thread", has_thread);
    CHECK_ERROR("open-nothing", !OpenProcess(PROCESS_ALL_ACCESS, FALSE, 0x7ffffff0), ERROR_INVALID_PARAMETER);
    CHECK_ERROR("open-no-thread", !OpenThread(THREAD_ALL_ACCESS, FALSE, 0x7ffffff0), ERROR_INVALID_PARAMETER);
    CloseHandle(self);
    CloseHandle(thread);
}

static int run_checks(BOOL silo)
{
    check_self();
    check_child();
    take_snapshot();
    CHECK("one-scm", named(L"services.exe") == 1);
    if (silo) {
        CHECK("agent-hidden", named(L"agent.exe") == 0);
        CHECK("drivers-hidden", named(L"winedevice.exe") == 0);
    }
    return finish();
}

static NTSTATUS native_open(DWORD pid, HANDLE *handle)
{
    CLIENT_ID id = {(HANDLE)(ULONG_PTR)pid, NULL};
    OBJECT_ATTRIBUTES attr;

    InitializeObjectAttributes(&attr, NULL, 0, NULL, NULL);
    return NtOpenProcess(handle, PROCESS_ALL_ACCESS, &attr, &id);
}

static int run_probe(DWORD pid, DWORD tid)
{
    BOOL has_thread;
    HANDLE handle;

    take_snapshot();
    threads_fit(pid, &has_thread);
    printf("%s snapshot\n", in_snapshot(pid) ? "found" : "absent");
    printf("%s threads\n", has_thread ? "found" : "absent");
    printf("%s open\n", OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, pid) ? "found" : "absent");
    printf("%s open-to-end\n", OpenProcess(PROCESS_TERMINATE, FALSE, pid) ? "found" : "absent");
    printf("%s native-open\n", native_open(pid, &handle) >= 0 ? "found" : "absent");
    printf("%s handles\n", has_handles(pid) ? "found" : "absent");
    printf("%s debug\n", DebugActiveProcess(pid) ? "found" : "absent");
    DebugActiveProcessStop(pid);
    if (tid)
        printf("%s open-thread\n", OpenThread(THREAD_SUSPEND_RESUME, FALSE, tid) ? "found" : "absent");
    return 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    if (!strcmp(what, "host") || !strcmp(what, "silo"))
        return run_checks(!strcmp(what, "silo"));
    if (argc >= 3 && !strcmp(what, "probe"))
        return run_probe(strtoul(argv[2], NULL, 10), argc > 3 ? strtoul(argv[3], NULL, 10) : 0);
    if (argc == 3 && !strcmp(what, "child"))
        return atoi(argv[2]);
    if (!strcmp(what, "hold")) {
        printf("pid %lu tid %lu\n", GetCurrentProcessId(), GetCurrentThreadId());
        hold();
        return 0;
    }
    if (argc == 3 && !strcmp(what, "console")) {
        FreeConsole();
        if (AttachConsole(strtoul(argv[2], NULL, 10)))
            printf("found console\n");
        else
            printf("absent console %lu\n", GetLastError());
        return 0;
    }
    if (!strcmp(what, "bits")) {
        BOOL emulated = FALSE;

        IsWow64Process(GetCurrentProcess(), &emulated);
        printf("%d bits%s\n", (int)sizeof(void *) * 8, emulated ? ", emulated" : "");
        return 0;
    }
    if (!strcmp(what, "list")) {
        take_snapshot();
        for (int i = 0; i < process_count; i++)
            printf("process %lu %lu %ls\n", processes[i].th32ProcessID, processes[i].th32ParentProcessID,
                   processes[i].szExeFile);
        return 0;
    }
    usage("processes host|silo | hold | probe PID [TID] | console PID | list | bits | child CODE");
}
