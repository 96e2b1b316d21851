/* Debuggers, and handles that one process makes or closes in another one.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   debugging host|silo                 checks
 *   debugging child CODE                exit with CODE
 *   debugging wait                      wait to be ended
 *   debugging swap PID HANDLE           close the process's handle, give it one of another key; exit with that */

#include "child.h"

NTSYSAPI NTSTATUS NTAPI NtCreateDebugObject(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, ULONG);
NTSYSAPI NTSTATUS NTAPI NtDebugActiveProcess(HANDLE, HANDLE);
NTSYSAPI NTSTATUS NTAPI NtRemoveProcessDebug(HANDLE, HANDLE);

#define BASE_KEY "Software\\Microsoft\\Windows\\CurrentVersion\\Policies\\System" /* of every prefix */
#define PRIVATE_KEY "Software\\winesilo handles"
#define READY "winesilo debugging ready"

/* Handle events until `wanted` arrives; `seen` collects the codes as bits. */
static BOOL debug_until(DWORD wanted, DWORD pid, DWORD *seen, DEBUG_EVENT *event)
{
    while (WaitForDebugEvent(event, 20000)) {
        DWORD how = DBG_CONTINUE;

        if (event->dwProcessId != pid)
            return FALSE;
        *seen |= 1u << event->dwDebugEventCode;
        if (event->dwDebugEventCode == CREATE_PROCESS_DEBUG_EVENT)
            CloseHandle(event->u.CreateProcessInfo.hFile);
        if (event->dwDebugEventCode == LOAD_DLL_DEBUG_EVENT)
            CloseHandle(event->u.LoadDll.hFile);
        if (event->dwDebugEventCode == EXCEPTION_DEBUG_EVENT &&
            event->u.Exception.ExceptionRecord.ExceptionCode != EXCEPTION_BREAKPOINT)
            how = DBG_EXCEPTION_NOT_HANDLED;
        if (!ContinueDebugEvent(event->dwProcessId, event->dwThreadId, how))
            return FALSE;
        if (event->dwDebugEventCode == wanted)
            return TRUE;
    }
    return FALSE;
}

static void check_debugged_child(void)
{
    PROCESS_INFORMATION info;
    DEBUG_EVENT event;
    DWORD seen = 0;

    CHECK("debug-start", run("child 6", DEBUG_ONLY_THIS_PROCESS, NULL, &info));
    CHECK("debug-events", debug_until(EXIT_PROCESS_DEBUG_EVENT, info.dwProcessId, &seen, &event));
    CHECK("debug-exit", event.u.ExitProcess.dwExitCode == 6);
    check((seen & (1u << CREATE_PROCESS_DEBUG_EVENT)) && (seen & (1u << LOAD_DLL_DEBUG_EVENT)) &&
              (seen & (1u << EXCEPTION_DEBUG_EVENT)),
          "debug-kinds", "%lx", seen);
    CHECK("debug-code", end_of(&info) == 6);
}

/* Where a debugger comes while the process is being made, Wine may lose a breakpoint. */
static void run_waiting(PROCESS_INFORMATION *info)
{
    HANDLE ready = CreateEventA(NULL, TRUE, FALSE, READY);

    run("wait", 0, NULL, info);
    CHECK("waits", WaitForSingleObject(ready, 20000) == WAIT_OBJECT_0);
    CloseHandle(ready);
}

static int wait_to_be_ended(void)
{
    HANDLE ready = OpenEventA(EVENT_MODIFY_STATE, FALSE, READY);

    SetEvent(ready);
    CloseHandle(ready);
    Sleep(INFINITE);
    return 0;
}

static void check_attach(void)
{
    PROCESS_INFORMATION info;
    DEBUG_EVENT event;
    DWORD seen = 0;
    BOOL present = FALSE;

    run_waiting(&info);
    CHECK("attach", DebugActiveProcess(info.dwProcessId));
    DebugSetProcessKillOnExit(FALSE);
    CHECK("attach-breakpoint", debug_until(EXCEPTION_DEBUG_EVENT, info.dwProcessId, &seen, &event));
    CHECK("attach-present", CheckRemoteDebuggerPresent(info.hProcess, &present) && present);
    CHECK("attach-break", DebugBreakProcess(info.hProcess));
    CHECK("attach-broken", debug_until(EXCEPTION_DEBUG_EVENT, info.dwProcessId, &seen, &event));
    CHECK("detach", DebugActiveProcessStop(info.dwProcessId));
    CHECK("detached", CheckRemoteDebuggerPresent(info.hProcess, &present) && !present);
    CHECK_ERROR("attach-nothing", !DebugActiveProcess(0x7ffffff0), ERROR_INVALID_PARAMETER);
    TerminateProcess(info.hProcess, 1);
    end_of(&info);
}

static void check_native(void)
{
    PROCESS_INFORMATION info;
    OBJECT_ATTRIBUTES attr;
    HANDLE debug = NULL;

    InitializeObjectAttributes(&attr, NULL, 0, NULL, NULL);
    run_waiting(&info);
    CHECK_STATUS("debug-object", NtCreateDebugObject(&debug, 0x1f000f, &attr, 0), 0);
    CHECK_STATUS("native-attach", NtDebugActiveProcess(info.hProcess, debug), 0);
    CHECK_STATUS("native-detach", NtRemoveProcessDebug(info.hProcess, debug), 0);
    CloseHandle(debug);
    TerminateProcess(info.hProcess, 1);
    end_of(&info);
}

/* A handle's number comes back for another key, closed and made by another process. */
static void check_swapped_handles(void)
{
    HKEY base, again, key;
    PROCESS_INFORMATION info;
    char line[128], text[32] = "";
    DWORD size = sizeof(text), number = 5;

    RegOpenKeyExA(HKEY_LOCAL_MACHINE, BASE_KEY, 0, KEY_ALL_ACCESS, &base);
    RegOpenKeyExA(HKEY_LOCAL_MACHINE, BASE_KEY, 0, KEY_ALL_ACCESS, &again);
    RegSetValueExA(again, "number", 0, REG_DWORD, (BYTE *)&number, sizeof(number));
    RegCreateKeyA(HKEY_CURRENT_USER, PRIVATE_KEY, &key);
    RegSetValueExA(key, "text", 0, REG_SZ, (const BYTE *)"right", 6);
    size = sizeof(number);
    CHECK("swap-before", !RegQueryValueExA(base, "number", NULL, NULL, (BYTE *)&number, &size));
    snprintf(line, sizeof(line), "swap %lu %lu", GetCurrentProcessId(), (DWORD)(ULONG_PTR)base);
    CHECK("swap-start", run(line, 0, NULL, &info));
    CHECK("swap-same-handle", end_of(&info) == (DWORD)(ULONG_PTR)base);
    size = sizeof(text);
    CHECK("swap-reads-new-key", !RegQueryValueExA(base, "text", NULL, NULL, (BYTE *)text, &size));
    CHECK("swap-not-the-old-one",
          RegQueryValueExA(base, "number", NULL, NULL, NULL, NULL) == ERROR_FILE_NOT_FOUND);
    CHECK("swap-name", ends_with(object_name(base), L"winesilo handles"));
    RegCloseKey(base);
    RegDeleteValueA(again, "number");
    RegCloseKey(again);
    RegCloseKey(key);
    RegDeleteKeyA(HKEY_CURRENT_USER, PRIVATE_KEY);
}

static int swap(DWORD pid, DWORD number)
{
    HANDLE process = OpenProcess(PROCESS_DUP_HANDLE, FALSE, pid), made = NULL, taken;
    HKEY key;

    RegOpenKeyA(HKEY_CURRENT_USER, PRIVATE_KEY, &key);
    DuplicateHandle(process, (HANDLE)(ULONG_PTR)number, GetCurrentProcess(), &taken, 0, FALSE,
                    DUPLICATE_CLOSE_SOURCE | DUPLICATE_SAME_ACCESS);
    for (int i = 0; i < 256 && made != (HANDLE)(ULONG_PTR)number; i++) /* fill lower gaps in its handles */
        DuplicateHandle(GetCurrentProcess(), key, process, &made, 0, FALSE, DUPLICATE_SAME_ACCESS);
    return (int)(ULONG_PTR)made;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    GetModuleFileNameA(NULL, self, sizeof(self));
    if (!strcmp(what, "host") || !strcmp(what, "silo")) {
        check_debugged_child();
        check_attach();
        check_native();
        check_swapped_handles();
        return finish();
    }
    if (argc == 3 && !strcmp(what, "child"))
        return atoi(argv[2]);
    if (argc == 4 && !strcmp(what, "swap"))
        return swap(strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10));
    if (!strcmp(what, "wait"))
        return wait_to_be_ended();
    usage("debugging host|silo | child CODE | wait | swap PID HANDLE");
}
