/* Jobs, and how processes begin and end.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   jobs host|silo     checks
 *   jobs child CODE    exit with CODE
 *   jobs crash         end by an access violation
 *   jobs parent        start `jobs wait`, print its id, wait too
 *   jobs wait          wait to be ended
 *   jobs echo          copy standard input to standard output */

#include "child.h"

#include <tlhelp32.h>

static BOOL set_limits(HANDLE job, DWORD flags)
{
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {0};

    limits.BasicLimitInformation.LimitFlags = flags;
    return SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof(limits));
}

/* whether a message arrives on the port for this process (0: any) */
static BOOL message(HANDLE port, DWORD wanted, DWORD pid)
{
    OVERLAPPED *value;
    ULONG_PTR key;
    DWORD got;

    while (GetQueuedCompletionStatus(port, &got, &key, &value, 10000))
        if (got == wanted && key == 77 && (!pid || (DWORD)(ULONG_PTR)value == pid))
            return TRUE;
    return FALSE;
}

static void check_job(void)
{
    JOBOBJECT_ASSOCIATE_COMPLETION_PORT association = {(void *)77, NULL};
    JOBOBJECT_BASIC_ACCOUNTING_INFORMATION accounting;
    union {
        JOBOBJECT_BASIC_PROCESS_ID_LIST list;
        BYTE room[256];
    } ids;
    PROCESS_INFORMATION info;
    HANDLE job = CreateJobObjectA(NULL, "winesilo test job"), again, port;
    BOOL in_job = FALSE;

    CHECK("job-created", job != NULL && GetLastError() == 0);
    CHECK_ERROR("job-exists", (again = CreateJobObjectA(NULL, "winesilo test job")) != NULL, ERROR_ALREADY_EXISTS);
    CloseHandle(again);
    again = OpenJobObjectA(JOB_OBJECT_ALL_ACCESS, FALSE, "winesilo test job");
    CHECK("job-opened", again != NULL);
    CloseHandle(again);
    CHECK_ERROR("job-not-there", !OpenJobObjectA(JOB_OBJECT_ALL_ACCESS, FALSE, "winesilo no job"), ERROR_FILE_NOT_FOUND);
    association.CompletionPort = port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 1);
    CHECK("job-port", SetInformationJobObject(job, JobObjectAssociateCompletionPortInformation, &association,
                                              sizeof(association)));
    CHECK("child-suspended", run("child 5", CREATE_SUSPENDED, NULL, &info));
    CHECK("job-assign", AssignProcessToJobObject(job, info.hProcess));
    CHECK("job-message-new", message(port, JOB_OBJECT_MSG_NEW_PROCESS, info.dwProcessId));
    CHECK("job-holds-child", IsProcessInJob(info.hProcess, job, &in_job) && in_job);
    CHECK("job-not-me", IsProcessInJob(GetCurrentProcess(), job, &in_job) && !in_job);
    CHECK("job-ids", QueryInformationJobObject(job, JobObjectBasicProcessIdList, &ids, sizeof(ids), NULL) &&
                         ids.list.NumberOfProcessIdsInList == 1 && ids.list.ProcessIdList[0] == info.dwProcessId);
    ResumeThread(info.hThread);
    CHECK("job-child-code", end_of(&info) == 5);
    CHECK("job-message-exit", message(port, JOB_OBJECT_MSG_EXIT_PROCESS, 0));
    CHECK("job-message-empty", message(port, JOB_OBJECT_MSG_ACTIVE_PROCESS_ZERO, 0));
    CHECK("job-accounting", QueryInformationJobObject(job, JobObjectBasicAccountingInformation, &accounting,
                                                      sizeof(accounting), NULL) &&
                                accounting.TotalProcesses == 1 && accounting.ActiveProcesses == 0);
    CloseHandle(port);
    CloseHandle(job);
}

static void check_job_ends(void)
{
    HANDLE job = CreateJobObjectA(NULL, NULL), inner = CreateJobObjectA(NULL, NULL);
    PROCESS_INFORMATION info;

    run("wait", 0, NULL, &info);
    AssignProcessToJobObject(job, info.hProcess);
    CHECK("job-nested", AssignProcessToJobObject(inner, info.hProcess));
    CHECK("job-terminate", TerminateJobObject(inner, 9));
    CHECK("job-terminated", end_of(&info) == 9);
    CHECK("job-kill-on-close", set_limits(job, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE));
    run("wait", 0, NULL, &info);
    AssignProcessToJobObject(job, info.hProcess);
    CloseHandle(job);
    CHECK("job-closed", WaitForSingleObject(info.hProcess, 20000) == WAIT_OBJECT_0);
    end_of(&info);
    CloseHandle(inner);
}

static void check_codes(void)
{
    static const struct {
        const char *arguments;
        DWORD code;
    } rows[] = {
        {"child 0", 0},
        {"child 259", STILL_ACTIVE},
        {"child 0x80000001", 0x80000001},
        {"child 4294967295", 0xffffffff},
        {"crash", STATUS_ACCESS_VIOLATION},
    };
    PROCESS_INFORMATION info;
    char name[64];

    for (size_t i = 0; i < ARRAYSIZE(rows); i++) {
        DWORD code;

        snprintf(name, sizeof(name), "code-of-%s", rows[i].arguments);
        name[strcspn(name, " ")] = '-';
        run(rows[i].arguments, 0, NULL, &info);
        code = end_of(&info);
        check(code == rows[i].code, name, "%08lx", code);
    }
}

static void check_refusals(void)
{
    static STARTUPINFOA startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION info;
    char missing[] = "C:\\no\\such.exe", nowhere[] = "no-such-program", folder[] = "C:\\windows",
         text[] = "C:\\windows\\not-a-program.exe";
    HANDLE file = CreateFileA(text, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    DWORD size;

    WriteFile(file, "hello", 5, &size, NULL);
    CloseHandle(file);
    CHECK("create-missing", !CreateProcessA(NULL, missing, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &info) &&
                                (GetLastError() == ERROR_FILE_NOT_FOUND || GetLastError() == ERROR_PATH_NOT_FOUND));
    CHECK_ERROR("create-nowhere", !CreateProcessA(NULL, nowhere, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &info),
                ERROR_FILE_NOT_FOUND);
    CHECK("create-folder", !CreateProcessA(NULL, folder, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &info));
    CHECK_ERROR("create-text", !CreateProcessA(NULL, text, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &info),
                ERROR_BAD_EXE_FORMAT);
    CHECK_ERROR("create-bad-folder",
                !CreateProcessA(self, NULL, NULL, NULL, FALSE, 0, NULL, "C:\\no\\such", &startup, &info),
                ERROR_DIRECTORY);
    DeleteFileA(text);
}

/* standard handles through pipes; a handle that is not in the list is not inherited */
static void check_handles(BOOL listed)
{
    SECURITY_ATTRIBUTES inherit = {sizeof(inherit), NULL, TRUE};
    STARTUPINFOEXA startup = {.StartupInfo = {.cb = sizeof(startup), .dwFlags = STARTF_USESTDHANDLES}};
    HANDLE in_read, in_write, out_read, out_write, list[2];
    PROCESS_INFORMATION info;
    char buffer[16] = "";
    SIZE_T size = 0;
    DWORD n = 0;

    CreatePipe(&in_read, &in_write, &inherit, 0);
    CreatePipe(&out_read, &out_write, &inherit, 0);
    if (!listed)
        SetHandleInformation(in_write, HANDLE_FLAG_INHERIT, 0);
    startup.StartupInfo.hStdInput = list[0] = in_read;
    startup.StartupInfo.hStdOutput = startup.StartupInfo.hStdError = list[1] = out_write;
    InitializeProcThreadAttributeList(NULL, 1, 0, &size);
    startup.lpAttributeList = malloc(size);
    InitializeProcThreadAttributeList(startup.lpAttributeList, 1, 0, &size);
    UpdateProcThreadAttribute(startup.lpAttributeList, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, list, sizeof(list), NULL,
                              NULL);
    CHECK(listed ? "listed-handles-start" : "handles-start",
          run("echo", listed ? EXTENDED_STARTUPINFO_PRESENT : DETACHED_PROCESS, &startup.StartupInfo, &info));
    CloseHandle(in_read);
    CloseHandle(out_write);
    WriteFile(in_write, "through", 7, &n, NULL);
    CloseHandle(in_write); /* the end of the child's input, if it did not inherit this one */
    CHECK(listed ? "listed-handles-echo" : "handles-echo",
          ReadFile(out_read, buffer, sizeof(buffer), &n, NULL) && n == 7 && !memcmp(buffer, "through", 7));
    CHECK(listed ? "listed-handles-end" : "handles-end", end_of(&info) == 0);
    CloseHandle(out_read);
    free(startup.lpAttributeList);
}

static DWORD parent_of(DWORD pid)
{
    HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
    PROCESSENTRY32 entry = {.dwSize = sizeof(entry)};
    BOOL more = Process32First(snapshot, &entry);

    while (more && entry.th32ProcessID != pid)
        more = Process32Next(snapshot, &entry);
    CloseHandle(snapshot);
    return more ? entry.th32ParentProcessID : 0;
}

/* a process may be given another parent */
static void check_parent(void)
{
    STARTUPINFOEXA startup = {.StartupInfo = {.cb = sizeof(startup)}};
    PROCESS_INFORMATION parent, info;
    SIZE_T size = 0;

    run("wait", 0, NULL, &parent);
    InitializeProcThreadAttributeList(NULL, 1, 0, &size);
    startup.lpAttributeList = malloc(size);
    InitializeProcThreadAttributeList(startup.lpAttributeList, 1, 0, &size);
    UpdateProcThreadAttribute(startup.lpAttributeList, 0, PROC_THREAD_ATTRIBUTE_PARENT_PROCESS, &parent.hProcess,
                              sizeof(HANDLE), NULL, NULL);
    CHECK("other-parent", run("wait", EXTENDED_STARTUPINFO_PRESENT, &startup.StartupInfo, &info));
    CHECK("other-parent-listed", parent_of(info.dwProcessId) == parent.dwProcessId);
    TerminateProcess(info.hProcess, 3);
    CHECK("other-parent-end", end_of(&info) == 3);
    TerminateProcess(parent.hProcess, 4);
    end_of(&parent);
    free(startup.lpAttributeList);
}

/* without asking the debugger of the registry */
static LONG WINAPI end_quietly(EXCEPTION_POINTERS *pointers)
{
    (void)pointers;
    return EXCEPTION_EXECUTE_HANDLER;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    GetModuleFileNameA(NULL, self, sizeof(self));
    if (!strcmp(what, "host") || !strcmp(what, "silo")) {
        check_job();
        check_job_ends();
        check_codes();
        check_refusals();
        check_handles(FALSE);
        check_handles(TRUE);
        check_parent();
        return finish();
    }
    if (argc == 3 && !strcmp(what, "child"))
        ExitProcess(strtoul(argv[2], NULL, 0));
    if (!strcmp(what, "crash")) {
        SetUnhandledExceptionFilter(end_quietly);
        *(volatile int *)0 = 1;
    }
    if (!strcmp(what, "parent")) {
        PROCESS_INFORMATION info;

        run("wait", 0, NULL, &info);
        printf("child %lu\n", info.dwProcessId);
        fflush(stdout);
    }
    if (!strcmp(what, "wait") || !strcmp(what, "parent"))
        Sleep(INFINITE);
    if (!strcmp(what, "echo")) {
        HANDLE in = GetStdHandle(STD_INPUT_HANDLE), out = GetStdHandle(STD_OUTPUT_HANDLE);
        char buffer[256];
        DWORD n;

        while (ReadFile(in, buffer, sizeof(buffer), &n, NULL) && n)
            WriteFile(out, buffer, n, &n, NULL);
        return 0;
    }
    usage("jobs host|silo | child CODE | crash | parent | wait | echo");
}
