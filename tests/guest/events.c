/* The event log: each function, what it refuses, what becomes of a full log and of one whose writer was killed.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *     events silo                        checks
 *     events report SOURCE TYPE ID TEXT  writes one event
 *     events flood SOURCE COUNT MARK     writes events whose string is MARK and a number
 *     events count LOG                   prints how many there are
 *     events list LOG                    prints number, source, event, type and first string of each */

#include "events.h"

#define KEY "System\\CurrentControlSet\\Services\\EventLog\\"
#define FORWARDS (EVENTLOG_SEQUENTIAL_READ | EVENTLOG_FORWARDS_READ)
#define BACKWARDS (EVENTLOG_SEQUENTIAL_READ | EVENTLOG_BACKWARDS_READ)
#define SEEK (EVENTLOG_SEEK_READ | EVENTLOG_FORWARDS_READ)
#define SMALLEST_LOG 0x10000
#define PATIENCE_MS 20000

static BYTE buffer[0x40000];

static BOOL report(const char *source, WORD type, DWORD id, const char *text)
{
    HANDLE handle = pRegisterEventSourceA(NULL, source);
    BOOL done = handle && pReportEventA(handle, type, 0, id, NULL, 1, 0, &text, NULL);

    if (handle)
        pDeregisterEventSource(handle);
    return done;
}

static int flood(const char *source, DWORD count, const char *mark)
{
    HANDLE handle = pRegisterEventSourceA(NULL, source);
    char text[64];
    const char *texts[] = {text};

    for (DWORD i = 0; i < count; i++) {
        snprintf(text, sizeof(text), "%s %lu", mark, i);
        if (!pReportEventA(handle, EVENTLOG_INFORMATION_TYPE, 0, i, NULL, 1, 0, texts, NULL)) {
            printf("event %lu: error %lu\n", i, GetLastError());
            return 1;
        }
    }
    return !pDeregisterEventSource(handle);
}

static void set_number(const char *log, const char *name, DWORD value)
{
    char path[256];
    HKEY key;

    snprintf(path, sizeof(path), KEY "%s", log);
    if (!RegCreateKeyA(HKEY_LOCAL_MACHINE, path, &key)) {
        RegSetValueExA(key, name, 0, REG_DWORD, (BYTE *)&value, sizeof(value));
        RegCloseKey(key);
    }
}

static void add_source(const char *log, const char *source)
{
    char path[256];
    HKEY key;

    snprintf(path, sizeof(path), KEY "%s\\%s", log, source);
    if (!RegCreateKeyA(HKEY_LOCAL_MACHINE, path, &key))
        RegCloseKey(key);
}

static void set_text(const char *log, const char *name, const char *text)
{
    char path[256];
    HKEY key;

    snprintf(path, sizeof(path), KEY "%s", log);
    if (!RegCreateKeyA(HKEY_LOCAL_MACHINE, path, &key)) {
        RegSetValueExA(key, name, 0, REG_EXPAND_SZ, (const BYTE *)text, (DWORD)strlen(text) + 1);
        RegCloseKey(key);
    }
}

/* An empty log of that name, with a source that has the same name. */
static HANDLE new_log(const char *name)
{
    HANDLE log;

    add_source(name, name);
    log = pOpenEventLogA(NULL, name);
    pClearEventLogA(log, NULL);
    return log;
}

/* How many records follow each other without a gap, to the end of the log. */
static DWORD whole_records(HANDLE log)
{
    DWORD read, needed, total = 0, number = oldest_of(log);

    for (DWORD flags = SEEK; pReadEventLogW(log, flags, number, buffer, sizeof(buffer), &read, &needed);
         flags = FORWARDS)
        for (DWORD at = 0; at < read; at += ((EVENTLOGRECORD *)(buffer + at))->Length, total++)
            if (((EVENTLOGRECORD *)(buffer + at))->RecordNumber != number + total)
                return 0;
    return GetLastError() == ERROR_HANDLE_EOF ? total : 0;
}

/* ---- checks ---- */

static void bad_arguments(void)
{
    DWORD value = 0xdead, read = 0xdead, needed = 0xdead;
    EVENTLOG_FULL_INFORMATION full;
    HANDLE log = pOpenEventLogA(NULL, "Application");
    HANDLE kernel = CreateEventA(NULL, TRUE, FALSE, NULL);
    const char *text = "text";

    CHECK_ERROR("register without a source", !pRegisterEventSourceA(NULL, NULL), ERROR_INVALID_PARAMETER);
    CHECK_ERROR("register with an empty source", !pRegisterEventSourceW(NULL, L""), ERROR_INVALID_PARAMETER);
    CHECK_ERROR("register elsewhere", !pRegisterEventSourceA("IDontExist", "x"), RPC_S_SERVER_UNAVAILABLE);
    CHECK_ERROR("only the system writes to Security", !pRegisterEventSourceA(NULL, "Security"), ERROR_ACCESS_DENIED);
    CHECK_ERROR("open without a name", !pOpenEventLogA(NULL, NULL), ERROR_INVALID_PARAMETER);
    CHECK_ERROR("open elsewhere", !pOpenEventLogA("IDontExist", "Application"), RPC_S_SERVER_UNAVAILABLE);
    CHECK_ERROR("open no copy", !pOpenBackupEventLogA(NULL, NULL), ERROR_INVALID_PARAMETER);
    CHECK_ERROR("open a copy that is not there", !pOpenBackupEventLogA(NULL, "C:\\none.evt"), ERROR_FILE_NOT_FOUND);
    CHECK_ERROR("close nothing", !pCloseEventLog(NULL), ERROR_INVALID_HANDLE);
    CHECK_ERROR("close a handle of the kernel", !pCloseEventLog(kernel), ERROR_INVALID_HANDLE);
    CHECK_ERROR("deregister nothing", !pDeregisterEventSource(NULL), ERROR_INVALID_HANDLE);
    CHECK_ERROR("the kernel does not know ours", !CloseHandle(log), ERROR_INVALID_HANDLE);
    CHECK_ERROR("report to nothing", !pReportEventA(NULL, 4, 0, 1, NULL, 1, 0, &text, NULL), ERROR_INVALID_HANDLE);
    CHECK_ERROR("report strings that are not there", !pReportEventA(log, 4, 0, 1, NULL, 1, 0, NULL, NULL),
                ERROR_INVALID_PARAMETER);
    CHECK_ERROR("report too much data", !pReportEventA(log, 4, 0, 1, NULL, 0, 61441, NULL, buffer),
                ERROR_INVALID_PARAMETER);
    CHECK_ERROR("report a SID that is none", !pReportEventA(log, 4, 0, 1, buffer, 0, 0, NULL, NULL),
                ERROR_INVALID_PARAMETER);
    CHECK_ERROR("count without a place", !pGetNumberOfEventLogRecords(log, NULL), ERROR_INVALID_PARAMETER);
    CHECK_ERROR("count of nothing", !pGetNumberOfEventLogRecords(NULL, &value), ERROR_INVALID_HANDLE);
    CHECK_ERROR("oldest without a place", !pGetOldestEventLogRecord(log, NULL), ERROR_INVALID_PARAMETER);
    CHECK_ERROR("oldest of nothing", !pGetOldestEventLogRecord(NULL, &value), ERROR_INVALID_HANDLE);
    CHECK("nothing is written then", value == 0xdead);
    CHECK_ERROR("another level", !pGetEventLogInformation(NULL, 1, NULL, 0, NULL), ERROR_INVALID_LEVEL);
    CHECK_ERROR("information on nothing", !pGetEventLogInformation(NULL, 0, NULL, 0, NULL), ERROR_INVALID_HANDLE);
    CHECK_ERROR("information nowhere", !pGetEventLogInformation(log, 0, NULL, 0, &value), RPC_X_NULL_REF_POINTER);
    CHECK_ERROR("too little room for it", !pGetEventLogInformation(log, 0, &full, 0, &value),
                ERROR_INSUFFICIENT_BUFFER);
    CHECK("that says how much", value == sizeof(full));
    CHECK_ERROR("read in no way", !pReadEventLogA(log, 0, 0, buffer, 100, &read, &needed), ERROR_INVALID_PARAMETER);
    CHECK_ERROR("read both ways", !pReadEventLogA(log, FORWARDS | BACKWARDS, 0, buffer, 100, &read, &needed),
                ERROR_INVALID_PARAMETER);
    CHECK_ERROR("read nowhere", !pReadEventLogA(log, FORWARDS, 0, NULL, 100, &read, &needed), ERROR_INVALID_PARAMETER);
    CHECK_ERROR("read nothing", !pReadEventLogA(NULL, FORWARDS, 0, buffer, 100, &read, &needed), ERROR_INVALID_HANDLE);
    CHECK("nothing is written then either", read == 0xdead && needed == 0xdead);
    CHECK_ERROR("clear nothing", !pClearEventLogA(NULL, NULL), ERROR_INVALID_HANDLE);
    CHECK_ERROR("copy without a name", !pBackupEventLogA(log, NULL), ERROR_INVALID_PARAMETER);
    CHECK_ERROR("copy nothing", !pBackupEventLogA(NULL, "C:\\none.evt"), ERROR_INVALID_HANDLE);
    CHECK_ERROR("watch nothing", !pNotifyChangeEventLog(NULL, kernel), ERROR_INVALID_HANDLE);
    CHECK_ERROR("watch without an event", !pNotifyChangeEventLog(log, NULL), ERROR_INVALID_HANDLE);
    CHECK("close", pCloseEventLog(log));
    CHECK_ERROR("close twice", !pCloseEventLog(log), ERROR_INVALID_HANDLE);
    log = pOpenEventLogA("", "Application");
    CHECK("an empty server is this one", log && pCloseEventLog(log));
    log = pOpenEventLogW(L"\\\\.", L"no such log");
    CHECK("an unknown log is Application", log && pCloseEventLog(log));
    CloseHandle(kernel);
}

static void check_record(const EVENTLOGRECORD *record)
{
    const WCHAR *source = (const WCHAR *)(record + 1), *computer = source + wcslen(source) + 1;
    WCHAR name[MAX_COMPUTERNAME_LENGTH + 1];
    DWORD size = MAX_COMPUTERNAME_LENGTH + 1;

    GetComputerNameW(name, &size);
    CHECK("its signature", record->Reserved == 0x654c664c && record->Length % 4 == 0);
    CHECK("its number", record->RecordNumber == 1);
    CHECK("its id and category", record->EventID == 0xc0001234 && record->EventCategory == 7);
    CHECK("its type", record->EventType == EVENTLOG_WARNING_TYPE);
    CHECK("its source", same_text(source, L"winesilo test"));
    CHECK("its computer", same_text(computer, name));
    CHECK("its strings", record->NumStrings == 2 && same_text(first_string(record), L"gr\u00fcn") &&
                             same_text(first_string(record) + 5, L"second"));
    CHECK("its SID", record->UserSidLength == 12 && record->UserSidOffset % 4 == 0 &&
                         EqualSid((PSID)((BYTE *)record + record->UserSidOffset), (PSID)(buffer + 0x20000)));
    CHECK("its data", record->DataLength == 3 && !memcmp((BYTE *)record + record->DataOffset, "xyz", 3));
    CHECK("the length at its end", *(DWORD *)((BYTE *)record + record->Length - 4) == record->Length);
}

static void write_and_read(void)
{
    SID_IDENTIFIER_AUTHORITY authority = SECURITY_NT_AUTHORITY;
    const WCHAR *texts[] = {L"gr\u00fcn", L"second"};
    HANDLE log = new_log("Winesilo"), source;
    PSID sid = buffer + 0x20000;
    DWORD read, needed, before, length;
    HANDLE application = pOpenEventLogA(NULL, "Application");

    InitializeSid(sid, &authority, 1);
    *GetSidSubAuthority(sid, 0) = SECURITY_INTERACTIVE_RID;
    add_source("Winesilo", "winesilo test");
    before = count_of(application);
    CHECK("a new log is empty", count_of(log) == 0 && oldest_of(log) == 0);
    CHECK_ERROR("and at its end", !pReadEventLogW(log, FORWARDS, 0, buffer, 1000, &read, &needed), ERROR_HANDLE_EOF);
    source = pRegisterEventSourceW(NULL, L"winesilo test");
    CHECK("report", pReportEventW(source, EVENTLOG_WARNING_TYPE, 7, 0xc0001234, sid, 2, 3, texts, "xyz"));
    CHECK("its log is the one of its key", count_of(log) == 1 && count_of(source) == 1);
    CHECK("and not Application", count_of(application) == before);
    CHECK("the oldest", oldest_of(log) == 1);
    CHECK_ERROR("too little room", !pReadEventLogW(log, FORWARDS, 0, buffer, 56, &read, &needed),
                ERROR_INSUFFICIENT_BUFFER);
    CHECK("nothing is read then", read == 0 && needed > sizeof(EVENTLOGRECORD));
    length = needed;
    CHECK("read", pReadEventLogW(log, FORWARDS, 0, buffer, length, &read, &needed) && read == length && !needed);
    check_record((EVENTLOGRECORD *)buffer);
    CHECK_ERROR("no more", !pReadEventLogW(log, FORWARDS, 0, buffer, 1000, &read, &needed), ERROR_HANDLE_EOF);
    CHECK("read with texts of the code page", pReadEventLogA(log, SEEK, 1, buffer, 1000, &read, &needed));
    CHECK("is a shorter record", read < length && ((EVENTLOGRECORD *)buffer)->Length == read &&
                                     !strcmp((char *)buffer + sizeof(EVENTLOGRECORD), "winesilo test"));
    CHECK("report to a log without a source", pReportEventW(log, EVENTLOG_SUCCESS, 0, 2, NULL, 0, 0, NULL, NULL));
    CHECK("read both", pReadEventLogW(log, SEEK, 1, buffer, sizeof(buffer), &read, &needed) &&
                           ((EVENTLOGRECORD *)(buffer + length))->RecordNumber == 2);
    CHECK("read back", pReadEventLogW(log, BACKWARDS, 0, buffer, sizeof(buffer), &read, &needed) &&
                           ((EVENTLOGRECORD *)buffer)->RecordNumber == 1);
    CHECK_ERROR("seek beyond", !pReadEventLogW(log, SEEK, 3, buffer, 1000, &read, &needed), ERROR_INVALID_PARAMETER);
    CHECK("deregister", pDeregisterEventSource(source));
    CHECK_ERROR("report afterwards", !pReportEventW(source, 4, 0, 1, NULL, 0, 0, NULL, NULL), ERROR_INVALID_HANDLE);
    pCloseEventLog(application);
    pCloseEventLog(log);
}

static void copies(void)
{
    HANDLE log = new_log("Winesilo"), copy, second;
    char folder[MAX_PATH], path[MAX_PATH], other[MAX_PATH];
    DWORD read, needed;

    GetTempPathA(sizeof(folder), folder);
    snprintf(path, sizeof(path), "%sevents-copy.evt", folder);
    snprintf(other, sizeof(other), "%sevents-copy2.evt", folder);
    DeleteFileA(path);
    DeleteFileA(other);
    report("Winesilo", EVENTLOG_ERROR_TYPE, 5, "kept");
    CHECK("copy", pBackupEventLogA(log, path));
    CHECK_ERROR("copy over another file", !pBackupEventLogA(log, path), ERROR_ALREADY_EXISTS);
    CHECK_ERROR("clear with a copy over another file", !pClearEventLogA(log, path), ERROR_ALREADY_EXISTS);
    CHECK("nothing is lost then", count_of(log) == 1);
    copy = pOpenBackupEventLogA(NULL, path);
    second = pOpenBackupEventLogA(NULL, path);
    CHECK("open the copy, twice", copy && second && copy != second);
    CHECK("what is in it", count_of(copy) == 1 && oldest_of(copy) == 1);
    CHECK("read it", pReadEventLogW(copy, FORWARDS, 0, buffer, 1000, &read, &needed) &&
                         same_text(first_string((EVENTLOGRECORD *)buffer), L"kept"));
    CHECK("copy the copy", pBackupEventLogA(copy, other));
    CHECK_ERROR("a copy can't be cleared", !pClearEventLogA(copy, NULL), ERROR_INVALID_HANDLE);
    CHECK_ERROR("nor written", !pReportEventA(copy, 4, 0, 1, NULL, 0, 0, NULL, NULL), ERROR_INVALID_HANDLE);
    CHECK_ERROR("nor watched", !pNotifyChangeEventLog(copy, GetCurrentProcess()), ERROR_INVALID_HANDLE);
    CHECK("close the copies", pCloseEventLog(copy) && pCloseEventLog(second));
    CHECK("their files are free", DeleteFileA(path) && DeleteFileA(other));
    CHECK("clear with a copy", pClearEventLogA(log, path) && count_of(log) == 0);
    CHECK("which has what was there", (copy = pOpenBackupEventLogA(NULL, path)) && count_of(copy) == 1);
    pCloseEventLog(copy);
    DeleteFileA(path);
    pCloseEventLog(log);
}

static void write_file(const char *path, const void *bytes, DWORD size)
{
    HANDLE file = CreateFileA(path, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    DWORD written;

    WriteFile(file, bytes, size, &written, NULL);
    CloseHandle(file);
}

static void no_logs(void)
{
    char folder[MAX_PATH], path[MAX_PATH];

    GetTempPathA(sizeof(folder), folder);
    snprintf(path, sizeof(path), "%sevents-none.evt", folder);
    write_file(path, "", 0);
    CHECK_ERROR("an empty file", !pOpenBackupEventLogA(NULL, path), ERROR_EVENTLOG_FILE_CORRUPT);
    write_file(path, "Just some text", 14);
    CHECK_ERROR("some text", !pOpenBackupEventLogA(NULL, path), ERROR_EVENTLOG_FILE_CORRUPT);
    memset(buffer, 0x30, 4096);
    write_file(path, buffer, 4096);
    CHECK_ERROR("more text", !pOpenBackupEventLogA(NULL, path), ERROR_EVENTLOG_FILE_CORRUPT);
    DeleteFileA(path);
}

/* Its key names the file, in folders that are not there. */
static void elsewhere(void)
{
    HANDLE log;

    set_text("WinesiloFile", "File", "%SystemRoot%\\winesilo-events\\deep\\own.evt");
    log = new_log("WinesiloFile");
    CHECK("report to a log with a file of its own", report("WinesiloFile", EVENTLOG_ERROR_TYPE, 1, "there"));
    CHECK("it is in that log", count_of(log) == 1);
    CHECK("and in that file", GetFileAttributesA("C:\\windows\\winesilo-events\\deep\\own.evt") !=
                                  INVALID_FILE_ATTRIBUTES);
    pCloseEventLog(log);
}

/* ---- a full log ---- */

static void circle(void)
{
    HANDLE log;
    DWORD oldest, count, read, needed;

    set_number("WinesiloRing", "MaxSize", SMALLEST_LOG);
    set_number("WinesiloRing", "Retention", 0);
    log = new_log("WinesiloRing");
    CHECK("write more than fits", !flood("WinesiloRing", 2000, "round and round"));
    oldest = oldest_of(log);
    count = count_of(log);
    CHECK("the oldest are gone", oldest > 1 && count < 2000 && oldest + count == 2001);
    CHECK("the others are whole", whole_records(log) == count);
    CHECK("the last one is the last", pReadEventLogW(log, SEEK, 2000, buffer, sizeof(buffer), &read, &needed) &&
                                          same_text(first_string((EVENTLOGRECORD *)buffer), L"round and round 1999"));
    CHECK_ERROR("the first one is gone", !pReadEventLogW(log, SEEK, 1, buffer, sizeof(buffer), &read, &needed),
                ERROR_INVALID_PARAMETER);
    CHECK("clear", pClearEventLogA(log, NULL) && count_of(log) == 0);
    CHECK_ERROR("who has read notices", !pReadEventLogW(log, FORWARDS, 0, buffer, 1000, &read, &needed),
                ERROR_EVENTLOG_FILE_CHANGED);
    pCloseEventLog(log);
}

static void full(void)
{
    EVENTLOG_FULL_INFORMATION information = {0xdead};
    HANDLE log;
    DWORD needed, count;

    set_number("WinesiloFull", "MaxSize", SMALLEST_LOG);
    set_number("WinesiloFull", "Retention", MAXDWORD);
    log = new_log("WinesiloFull");
    CHECK("a log that has room", pGetEventLogInformation(log, 0, &information, sizeof(information), &needed) &&
                                     !information.dwFull);
    CHECK("fill it", flood("WinesiloFull", 5000, "never forgotten"));
    count = count_of(log);
    CHECK("the oldest stay", oldest_of(log) == 1 && count > 100 && whole_records(log) == count);
    CHECK_ERROR("no more", !pReportEventA(log, 4, 0, 1, NULL, 0, 0, NULL, NULL), ERROR_LOG_FILE_FULL);
    CHECK("it says that it is full", pGetEventLogInformation(log, 0, &information, sizeof(information), &needed) &&
                                         information.dwFull == 1);
    set_number("WinesiloFull", "Retention", 0);
    CHECK("until its key says otherwise", pReportEventA(log, 4, 0, 1, NULL, 0, 0, NULL, NULL) && oldest_of(log) > 1);
    CHECK("it is not full any more", pGetEventLogInformation(log, 0, &information, sizeof(information), &needed) &&
                                         !information.dwFull);
    pCloseEventLog(log);
}

/* ---- several processes ---- */

static void together(void)
{
    HANDLE log = new_log("Winesilo");
    PROCESS_INFORMATION first, second;

    CHECK("two processes", run("flood Winesilo 300 one", 0, NULL, &first) &&
                               run("flood Winesilo 300 two", 0, NULL, &second));
    CHECK("both come to their end", end_of(&first) == 0 && end_of(&second) == 0);
    CHECK("nothing is lost", count_of(log) == 600 && whole_records(log) == 600);
    pCloseEventLog(log);
}

/* Ended at any time, a writer leaves a log in which all is whole; and the next one can write at once. */
static void killed(void)
{
    PROCESS_INFORMATION writer;
    HANDLE log;
    DWORD good = 0;

    set_number("WinesiloRing", "MaxSize", SMALLEST_LOG);
    log = new_log("WinesiloRing");
    for (DWORD i = 0; i < 20; i++) {
        DWORD before = oldest_of(log) + count_of(log), wanted = before + 3 + i * 7;
        ULONGLONG deadline = GetTickCount64() + PATIENCE_MS;

        run("flood WinesiloRing 1000000 killed", 0, NULL, &writer);
        while (oldest_of(log) + count_of(log) < wanted && GetTickCount64() < deadline)
            SwitchToThread();
        TerminateProcess(writer.hProcess, 1);
        end_of(&writer);
        good += whole_records(log) == count_of(log) && oldest_of(log) + count_of(log) >= wanted &&
                report("WinesiloRing", 4, 1, "after that");
    }
    check(good == 20, "writers are killed", "%lu of 20 times all was whole", good);
    pCloseEventLog(log);
}

static BOOL patch(const char *path, DWORD at, DWORD value)
{
    HANDLE file = CreateFileA(path, GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                              OPEN_EXISTING, 0, NULL);
    OVERLAPPED place = {.Offset = at};
    DWORD written;
    BOOL done = WriteFile(file, &value, sizeof(value), &written, &place);

    CloseHandle(file);
    return done;
}

static DWORD peek(const char *path, DWORD at)
{
    HANDLE file = CreateFileA(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                              OPEN_EXISTING, 0, NULL);
    OVERLAPPED place = {.Offset = at};
    DWORD value = 0, read;

    ReadFile(file, &value, sizeof(value), &read, &place);
    CloseHandle(file);
    return value;
}

/* What a killed writer leaves, made by hand: the flag, and a header that is behind. */
static void dirty(void)
{
    HANDLE log = new_log("Winesilo");
    char path[MAX_PATH];
    void *redirection;
    BOOL off = Wow64DisableWow64FsRedirection(&redirection);

    GetSystemDirectoryA(path, sizeof(path));
    strcat(path, "\\config\\Winesilo.Evt");
    flood("Winesilo", 3, "before");
    CHECK("set the dirty flag, and a wrong header", patch(path, 36, 1) && patch(path, 20, 0x30) && patch(path, 24, 1));
    CHECK("it is put right", count_of(log) == 3 && whole_records(log) == 3);
    CHECK("set it, and destroy the mark of the end", patch(path, peek(path, 20), 0) && patch(path, 36, 1));
    CHECK("it is put right again", count_of(log) == 3 && whole_records(log) == 3);
    CHECK("and can be written", report("Winesilo", 4, 9, "after") && count_of(log) == 4);
    CHECK("destroy the header", patch(path, 4, 0));
    CHECK("a new log begins", report("Winesilo", 4, 9, "new") && count_of(log) == 1);
    if (off)
        Wow64RevertWow64FsRedirection(redirection);
    pCloseEventLog(log);
}

static DWORD WINAPI write_until(void *stop)
{
    do
        report("Winesilo", 4, 77, "look here");
    while (WaitForSingleObject(stop, 20) == WAIT_TIMEOUT);
    return 0;
}

static void watch(void)
{
    HANDLE log = new_log("Winesilo"), event = CreateEventA(NULL, FALSE, FALSE, NULL);
    HANDLE stop = CreateEventA(NULL, TRUE, FALSE, NULL), thread;

    CHECK("watch", pNotifyChangeEventLog(log, event));
    thread = CreateThread(NULL, 0, write_until, stop, 0, NULL); /* a pulse is for those who wait already */
    CHECK("it is told", WaitForSingleObject(event, PATIENCE_MS) == WAIT_OBJECT_0);
    SetEvent(stop);
    CHECK("that one ends", WaitForSingleObject(thread, PATIENCE_MS) == WAIT_OBJECT_0);
    CHECK("close what is watched", pCloseEventLog(log));
    CloseHandle(thread);
    CloseHandle(stop);
    CloseHandle(event);
}

static int list(const char *name)
{
    HANDLE log = pOpenEventLogA(NULL, name);
    DWORD read, needed;

    while (pReadEventLogW(log, FORWARDS, 0, buffer, sizeof(buffer), &read, &needed))
        for (DWORD at = 0; at < read; at += ((EVENTLOGRECORD *)(buffer + at))->Length) {
            const EVENTLOGRECORD *record = (EVENTLOGRECORD *)(buffer + at);

            printf("%lu|%ls|%lu|%u|%ls\n", record->RecordNumber, (const WCHAR *)(record + 1),
                   record->EventID & 0xffff, record->EventType, record->NumStrings ? first_string(record) : L"");
        }
    return GetLastError() != ERROR_HANDLE_EOF;
}

static int checks(void)
{
    bad_arguments();
    write_and_read();
    copies();
    no_logs();
    elsewhere();
    circle();
    full();
    together();
    killed();
    dirty();
    watch();
    return finish();
}

int main(int argc, char **argv)
{
    GetModuleFileNameA(NULL, self, sizeof(self));
    find_functions();
    if (argc == 2 && !strcmp(argv[1], "silo"))
        return checks();
    if (argc == 6 && !strcmp(argv[1], "report"))
        return !report(argv[2], (WORD)atoi(argv[3]), strtoul(argv[4], NULL, 0), argv[5]);
    if (argc == 5 && !strcmp(argv[1], "flood"))
        return flood(argv[2], strtoul(argv[3], NULL, 0), argv[4]);
    if (argc == 3 && !strcmp(argv[1], "count")) {
        printf("%lu\n", count_of(pOpenEventLogA(NULL, argv[2])));
        return 0;
    }
    if (argc == 3 && !strcmp(argv[1], "list"))
        return list(argv[2]);
    usage("events silo | report SOURCE TYPE ID TEXT | flood SOURCE COUNT MARK | count LOG | list LOG");
}
