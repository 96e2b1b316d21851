/* One file, several processes: sharing modes, locks, mappings, notifications, deletion.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   sharing host|silo                     every check holds in both
 *   sharing open PATH ACCESS SHARE        open and close; the exit code is the error
 *   sharing write PATH TEXT               overwrite the beginning; the exit code is the error
 *   sharing truncate|delete PATH
 *   sharing lock PATH                     try an exclusive lock of the first 10 bytes
 *   sharing map PATH TEXT                 write through a mapping
 *   sharing section NAME TEXT             compare the beginning of a named section with TEXT
 *   sharing change FOLDER                 create, write, rename and delete files
 *
 * The files are the base's, each used once: in a silo the first write to one makes the silo's own copy, and
 * nobody who has it open may notice. */

#include "check.h"

#define SYSTEM L"C:\\windows\\system32\\"

enum { ALL = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE };

static BOOL opened(HANDLE handle)
{
    return handle && handle != INVALID_HANDLE_VALUE;
}

static HANDLE open_file(const WCHAR *path, DWORD access, DWORD sharing)
{
    return CreateFileW(path, access, sharing, NULL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
}

/* ---- what the other process does ---- */

static DWORD done_with(HANDLE file, BOOL ok)
{
    DWORD error = opened(file) && ok ? 0 : GetLastError();

    if (opened(file))
        CloseHandle(file);
    return error;
}

static DWORD do_open(char **args)
{
    return done_with(open_file(wide(args[0]), strtoul(args[1], NULL, 16), strtoul(args[2], NULL, 16)), TRUE);
}

static DWORD do_write(char **args)
{
    HANDLE file = open_file(wide(args[0]), GENERIC_WRITE, ALL);
    DWORD n;

    return done_with(file, opened(file) && WriteFile(file, args[1], (DWORD)strlen(args[1]), &n, NULL));
}

static DWORD do_truncate(char **args)
{
    HANDLE file = open_file(wide(args[0]), GENERIC_WRITE, ALL);

    return done_with(file, opened(file) && SetEndOfFile(file));
}

static DWORD do_delete(char **args)
{
    return DeleteFileW(wide(args[0])) ? 0 : GetLastError();
}

static DWORD do_lock(char **args)
{
    HANDLE file = open_file(wide(args[0]), GENERIC_READ | GENERIC_WRITE, ALL);

    return done_with(file, opened(file) && LockFile(file, 0, 0, 10, 0));
}

static DWORD do_map(char **args)
{
    HANDLE file = open_file(wide(args[0]), GENERIC_READ | GENERIC_WRITE, ALL);
    HANDLE mapping = CreateFileMappingW(file, NULL, PAGE_READWRITE, 0, 0, NULL);
    char *view = MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, 0);

    if (view)
        memcpy(view, args[1], strlen(args[1]));
    return done_with(file, view != NULL);
}

static DWORD do_section(char **args)
{
    HANDLE mapping = OpenFileMappingW(FILE_MAP_READ, FALSE, wide(args[0]));
    const char *view = MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, 0);

    return !view ? GetLastError() : memcmp(view, args[1], strlen(args[1])) ? ERROR_INVALID_DATA : 0;
}

static DWORD do_change(char **args)
{
    WCHAR path[MAX_PATH], other[MAX_PATH];
    HANDLE file;
    DWORD n;

    SetCurrentDirectoryW(wide(args[0]));
    file = CreateFileW(L"new.txt", GENERIC_WRITE, 0, NULL, CREATE_NEW, 0, NULL);
    if (!opened(file) || !WriteFile(file, "x", 1, &n, NULL))
        return GetLastError();
    CloseHandle(file);
    swprintf(path, MAX_PATH, L"inner\\renamed.txt");
    swprintf(other, MAX_PATH, L"wine%ls.inf", L"hid");
    if (!MoveFileW(L"new.txt", L"newer.txt") || !DeleteFileW(L"newer.txt"))
        return GetLastError();
    if (!CreateDirectoryW(L"inner", NULL) || !MoveFileW(other, path) || !MoveFileW(path, other))
        return GetLastError();
    if (!SetFileAttributesW(other, FILE_ATTRIBUTE_HIDDEN) || !RemoveDirectoryW(L"inner"))
        return GetLastError();
    return 0;
}

static const struct {
    const char *name;
    DWORD (*run)(char **args);
    int args;
} actions[] = {
    {"open", do_open, 3},         {"write", do_write, 2}, {"truncate", do_truncate, 1}, {"delete", do_delete, 1},
    {"lock", do_lock, 1},         {"map", do_map, 2},     {"section", do_section, 2},   {"change", do_change, 1},
};

/* Run this program again with arguments; its exit code. */
static DWORD other(const WCHAR *arguments)
{
    STARTUPINFOW startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION info;
    WCHAR self[MAX_PATH], line[1024];
    DWORD code = 0xffffffff;

    GetModuleFileNameW(NULL, self, MAX_PATH);
    swprintf(line, ARRAYSIZE(line), L"\"%ls\" %ls", self, arguments);
    if (!CreateProcessW(self, line, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &info))
        return GetLastError();
    WaitForSingleObject(info.hProcess, 30000);
    GetExitCodeProcess(info.hProcess, &code);
    CloseHandle(info.hThread);
    CloseHandle(info.hProcess);
    return code;
}

#define CHECK_OTHER(name, arguments, wanted) \
    do { \
        DWORD code_ = other(arguments); \
        check(code_ == (wanted), name, "%ls: error %lu, not %d", arguments, code_, (int)(wanted)); \
    } while (0)

static BOOL file_holds(HANDLE file, const char *text)
{
    char got[64] = "";
    DWORD n;

    SetFilePointer(file, 0, NULL, FILE_BEGIN);
    return ReadFile(file, got, (DWORD)strlen(text), &n, NULL) && !strcmp(got, text);
}

/* ---- sharing modes ---- */

static void check_sharing(void)
{
    HANDLE file = open_file(SYSTEM L"c_1252.nls", GENERIC_READ, FILE_SHARE_READ);

    CHECK("share-open", opened(file));
    CHECK_OTHER("share-read", L"open " SYSTEM L"c_1252.nls 80000000 7", 0);
    CHECK_OTHER("share-no-write", L"open " SYSTEM L"c_1252.nls 40000000 7", ERROR_SHARING_VIOLATION);
    CHECK_OTHER("share-no-delete", L"delete " SYSTEM L"c_1252.nls", ERROR_SHARING_VIOLATION);
    CHECK_OTHER("share-still-read", L"open " SYSTEM L"c_1252.nls 80000000 7", 0);
    CHECK_OTHER("share-still-no-write", L"open " SYSTEM L"c_1252.nls 40000000 7", ERROR_SHARING_VIOLATION);
    CHECK_OTHER("share-not-shared", L"open " SYSTEM L"c_1252.nls 80000000 0", ERROR_SHARING_VIOLATION);
    CloseHandle(file);
    CHECK_OTHER("share-write", L"open " SYSTEM L"c_1252.nls c0000000 0", 0);

    /* one reader from before the first write, then writers */
    file = open_file(SYSTEM L"c_1253.nls", GENERIC_READ, ALL);
    CHECK_OTHER("reader-write", L"write " SYSTEM L"c_1253.nls first", 0);
    CHECK_OTHER("reader-denied", L"open " SYSTEM L"c_1253.nls 40000000 2", ERROR_SHARING_VIOLATION);
    CHECK("reader-reads", file_holds(file, "first"));
    CHECK_OTHER("reader-map-write", L"map " SYSTEM L"c_1253.nls second", 0);
    CHECK("reader-reads-again", file_holds(file, "second"));
    CHECK_OTHER("reader-truncate", L"truncate " SYSTEM L"c_1253.nls", 0);
    CHECK("reader-size", GetFileSize(file, NULL) == 0);
    CloseHandle(file);
}

static void check_locks(void)
{
    HANDLE file = open_file(SYSTEM L"c_1254.nls", GENERIC_READ, ALL);
    OVERLAPPED at = {.Offset = 0};

    CHECK("lock", LockFileEx(file, LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY, 0, 10, 0, &at));
    CHECK_OTHER("lock-held", L"lock " SYSTEM L"c_1254.nls", ERROR_LOCK_VIOLATION);
    CHECK_OTHER("lock-held-still", L"lock " SYSTEM L"c_1254.nls", ERROR_LOCK_VIOLATION);
    CHECK("unlock", UnlockFileEx(file, 0, 10, 0, &at));
    CHECK_OTHER("lock-free", L"lock " SYSTEM L"c_1254.nls", 0);
    CloseHandle(file);
}

/* ---- mappings ---- */

static void check_mappings(void)
{
    HANDLE file = open_file(SYSTEM L"c_1255.nls", GENERIC_READ, ALL);
    HANDLE mapping = CreateFileMappingW(file, NULL, PAGE_READONLY, 0, 0, NULL);
    char *view = MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, 0);

    CHECK("map-read", view != NULL);
    CHECK_OTHER("map-write", L"write " SYSTEM L"c_1255.nls written", 0);
    check(view && !memcmp(view, "written", 7), "map-sees-write", "it holds %.7s", view ? view : "");
    CHECK_OTHER("map-map", L"map " SYSTEM L"c_1255.nls mapped", 0);
    check(view && !memcmp(view, "mapped", 6), "map-sees-map", "it holds %.6s", view ? view : "");
    CHECK_OTHER("map-no-truncate", L"truncate " SYSTEM L"c_1255.nls", ERROR_USER_MAPPED_FILE);
    UnmapViewOfFile(view);
    CloseHandle(mapping);
    CloseHandle(file);

    /* the handles are closed, the view remains */
    file = open_file(SYSTEM L"c_1256.nls", GENERIC_READ, ALL);
    mapping = CreateFileMappingW(file, NULL, PAGE_READONLY, 0, 0, L"wst-sharing");
    CloseHandle(file);
    view = MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, 0);
    CHECK_OTHER("map-closed-write", L"write " SYSTEM L"c_1256.nls later", 0);
    check(view && !memcmp(view, "later", 5), "map-closed-sees", "it holds %.5s", view ? view : "");
    CHECK_OTHER("map-named", L"section wst-sharing later", 0);
    UnmapViewOfFile(view);
    CloseHandle(mapping);

    /* who shares reading only is not disturbed */
    file = open_file(SYSTEM L"c_1257.nls", GENERIC_READ, FILE_SHARE_READ);
    mapping = CreateFileMappingW(file, NULL, PAGE_READONLY, 0, 0, NULL);
    CHECK_OTHER("map-denied", L"write " SYSTEM L"c_1257.nls x", ERROR_SHARING_VIOLATION);
    CloseHandle(mapping);
    CloseHandle(file);

    file = open_file(SYSTEM L"c_1258.nls", GENERIC_READ | GENERIC_WRITE, ALL);
    mapping = CreateFileMappingW(file, NULL, PAGE_READWRITE, 0, 0, L"wst-sharing");
    view = MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, 0);
    if (view)
        memcpy(view, "shared", 6);
    CHECK_OTHER("map-shared", L"section wst-sharing shared", 0);
    CHECK("map-reads", file_holds(file, "shared"));
    UnmapViewOfFile(view);
    CloseHandle(mapping);
    CloseHandle(file);
}

/* ---- deletion ---- */

static void check_deletion(void)
{
    const WCHAR *path = SYSTEM L"c_1361.nls";
    HANDLE file = CreateFileW(path, GENERIC_READ | DELETE, ALL, NULL, OPEN_EXISTING, FILE_FLAG_DELETE_ON_CLOSE, NULL);

    CHECK("delete-on-close", opened(file));
    CHECK_OTHER("delete-not-yet", L"open " SYSTEM L"c_1361.nls 80000000 7", 0);
    CHECK_OTHER("delete-not-shared", L"open " SYSTEM L"c_1361.nls 80000000 3", ERROR_SHARING_VIOLATION);
    CloseHandle(file);
    CHECK_OTHER("delete-gone", L"open " SYSTEM L"c_1361.nls 80000000 7", ERROR_FILE_NOT_FOUND);

    file = open_file(SYSTEM L"c_20127.nls", GENERIC_READ, ALL);
    CHECK_OTHER("delete-opened", L"delete " SYSTEM L"c_20127.nls", 0);
    CHECK("delete-still-reads", SetFilePointer(file, 0, NULL, FILE_END) > 0);
    CloseHandle(file);
    CHECK_ERROR("delete-opened-gone", !opened(open_file(SYSTEM L"c_20127.nls", GENERIC_READ, ALL)),
                ERROR_FILE_NOT_FOUND);
}

/* ---- notifications ---- */

static const char *const action_names[] = {"?", "added", "removed", "modified", "old", "new"};

static BOOL ends_in(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);

    return length >= tail && !strcmp(text + length - tail, end);
}

/* The next changes as text, until nothing comes for a while. */
static void collect(HANDLE folder, BYTE *buffer, DWORD size, DWORD filter, OVERLAPPED *io, char *out, size_t room)
{
    FILE_NOTIFY_INFORMATION *entry;
    char line[MAX_PATH + 16];
    size_t n = 0;
    DWORD got;

    out[0] = 0;
    while (WaitForSingleObject(io->hEvent, 300) == WAIT_OBJECT_0 && GetOverlappedResult(folder, io, &got, FALSE)) {
        for (entry = (void *)buffer; got; entry = (void *)((BYTE *)entry + entry->NextEntryOffset)) {
            size_t size = (size_t)snprintf(line, sizeof(line), "%s %.*ls, ", action_names[entry->Action],
                                           (int)(entry->FileNameLength / sizeof(WCHAR)), entry->FileName);

            /* whether the same change twice is told twice depends on when Wine looks */
            if (n + size < room && !ends_in(out, line))
                n += (size_t)snprintf(out + n, room - n, "%s", line);
            if (!entry->NextEntryOffset)
                break;
        }
        if (!ReadDirectoryChangesW(folder, buffer, size, TRUE, filter, NULL, io, NULL))
            return;
    }
}

static void check_notifications(void)
{
    const DWORD filter = FILE_NOTIFY_CHANGE_FILE_NAME | FILE_NOTIFY_CHANGE_DIR_NAME | FILE_NOTIFY_CHANGE_ATTRIBUTES
                         | FILE_NOTIFY_CHANGE_SIZE | FILE_NOTIFY_CHANGE_LAST_WRITE;
    OVERLAPPED io = {.hEvent = CreateEventW(NULL, FALSE, FALSE, NULL)};
    HANDLE folder = CreateFileW(L"C:\\windows\\inf", FILE_LIST_DIRECTORY, ALL, NULL, OPEN_EXISTING,
                                FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OVERLAPPED, NULL);
    HANDLE find = FindFirstChangeNotificationW(L"C:\\windows\\inf", FALSE, FILE_NOTIFY_CHANGE_FILE_NAME);
    static DWORD buffer[2048];
    char seen[2048];

    CHECK("notify", ReadDirectoryChangesW(folder, buffer, sizeof(buffer), TRUE, filter, NULL, &io, NULL));
    CHECK_OTHER("notify-write", L"write C:\\windows\\inf\\winebus.inf text", 0);
    collect(folder, (BYTE *)buffer, sizeof(buffer), filter, &io, seen, sizeof(seen));
    check(!strcmp(seen, "modified winebus.inf, "), "notify-written", "seen: %s", seen);
    CHECK_OTHER("notify-map", L"open C:\\windows\\inf\\input.inf c0000000 7", 0);
    collect(folder, (BYTE *)buffer, sizeof(buffer), filter, &io, seen, sizeof(seen));
    check(!strcmp(seen, ""), "notify-opened", "seen: %s", seen);
    check(WaitForSingleObject(find, 0) == WAIT_TIMEOUT, "find-quiet", "a write is no change of names");
    CHECK_OTHER("notify-changes", L"change C:\\windows\\inf", 0);
    collect(folder, (BYTE *)buffer, sizeof(buffer), filter, &io, seen, sizeof(seen));
    check(!strcmp(seen, "added new.txt, modified new.txt, old new.txt, new newer.txt, removed newer.txt, added inner, "
                        "old winehid.inf, new inner\\renamed.txt, old inner\\renamed.txt, new winehid.inf, "
                        "modified winehid.inf, removed inner, "),
          "notify-seen", "seen: %s", seen);
    check(WaitForSingleObject(find, 1000) == WAIT_OBJECT_0, "find", "no notification");
    CancelIo(folder);
    CloseHandle(folder);
    FindCloseChangeNotification(find);
}

int main(int argc, char **argv)
{
    if (argc == 2 && (!strcmp(argv[1], "host") || !strcmp(argv[1], "silo"))) {
        check_sharing();
        check_locks();
        check_mappings();
        check_deletion();
        check_notifications();
        return finish();
    }
    for (size_t i = 0; argc > 1 && i < ARRAYSIZE(actions); i++)
        if (!strcmp(argv[1], actions[i].name) && argc == actions[i].args + 2)
            return (int)actions[i].run(argv + 2);
    usage("sharing host|silo | ACTION ARGUMENTS");
}
