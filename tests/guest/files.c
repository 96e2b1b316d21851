/* Files: the drives, reading and writing, names, and what is closed to a silo.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   files host|silo           checks; a silo's also change a file of the base (in its own layer)
 *   files write PATH TEXT     write a file
 *   files read PATH           print `text TEXT` or `absent` */

#include "check.h"

#define FOLDER L"C:\\wst-files"

static BOOL opened(HANDLE handle)
{
    return handle && handle != INVALID_HANDLE_VALUE;
}

static HANDLE open_file(const WCHAR *path, DWORD access, DWORD how)
{
    return CreateFileW(path, access, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, how,
                       FILE_FLAG_BACKUP_SEMANTICS, NULL);
}

static BOOL write_text(const WCHAR *path, const char *text)
{
    HANDLE file = open_file(path, GENERIC_WRITE, CREATE_ALWAYS);
    DWORD done = 0;
    BOOL ok = opened(file) && WriteFile(file, text, (DWORD)strlen(text), &done, NULL);

    if (opened(file))
        CloseHandle(file);
    return ok;
}

/* The beginning of a file; NULL if it can't be read. */
static const char *read_text(const WCHAR *path)
{
    static char text[65536];
    HANDLE file = open_file(path, GENERIC_READ, OPEN_EXISTING);
    DWORD got = 0;
    BOOL ok;

    if (!opened(file))
        return NULL;
    ok = ReadFile(file, text, sizeof(text) - 1, &got, NULL);
    text[got] = 0;
    CloseHandle(file);
    return ok ? text : NULL;
}

static NTSTATUS nt_open(const WCHAR *path, ACCESS_MASK access, HANDLE *file)
{
    UNICODE_STRING name = nt_string(path);
    OBJECT_ATTRIBUTES attr;
    IO_STATUS_BLOCK io;

    InitializeObjectAttributes(&attr, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    return NtOpenFile(file, access | SYNCHRONIZE, &attr, &io, FILE_SHARE_READ | FILE_SHARE_WRITE,
                      FILE_SYNCHRONOUS_IO_NONALERT);
}

static BOOL in_folder(const WCHAR *pattern, const WCHAR *name)
{
    WIN32_FIND_DATAW data;
    HANDLE find = FindFirstFileW(pattern, &data);
    BOOL found = FALSE;

    if (!opened(find))
        return FALSE;
    do
        found |= same_text(data.cFileName, name);
    while (FindNextFileW(find, &data));
    FindClose(find);
    return found;
}

static BOOL same_as(const char *text, const char *wanted)
{
    return text && !strcmp(text, wanted);
}

static void check_basics(void)
{
    WCHAR path[MAX_PATH];
    HANDLE file;

    RemoveDirectoryW(FOLDER);
    CHECK("folder", CreateDirectoryW(FOLDER, NULL));
    CHECK("write", write_text(FOLDER L"\\One.txt", "one"));
    CHECK("read-other-case", same_as(read_text(L"c:\\WST-FILES\\ONE.TXT"), "one"));
    CHECK("listed", in_folder(FOLDER L"\\*", L"One.txt"));
    file = open_file(FOLDER L"\\one.txt", GENERIC_READ, OPEN_EXISTING);
    CHECK("final-path", GetFinalPathNameByHandleW(file, path, MAX_PATH, 0)
                            && same_text(path, L"\\\\?\\C:\\wst-files\\One.txt"));
    CloseHandle(file);
    CHECK("rename", MoveFileW(FOLDER L"\\one.txt", FOLDER L"\\two.txt"));
    CHECK("copy", CopyFileW(FOLDER L"\\two.txt", FOLDER L"\\three.txt", TRUE));
    CHECK_ERROR("renamed-away", !opened(open_file(FOLDER L"\\one.txt", GENERIC_READ, OPEN_EXISTING)),
                ERROR_FILE_NOT_FOUND);
    CHECK_ERROR("folder-not-empty", !RemoveDirectoryW(FOLDER), ERROR_DIR_NOT_EMPTY);
    CHECK("delete", DeleteFileW(FOLDER L"\\two.txt") && DeleteFileW(FOLDER L"\\three.txt"));
    CHECK("folder-removed", RemoveDirectoryW(FOLDER));
}

static void check_windows_folder(void)
{
    WCHAR path[MAX_PATH];

    CHECK("windows", GetWindowsDirectoryW(path, MAX_PATH) && same_text(path, L"C:\\windows"));
    CHECK("kernel32", GetFileAttributesW(L"C:\\windows\\system32\\kernel32.dll") != INVALID_FILE_ATTRIBUTES);
    CHECK("drivers", in_folder(L"C:\\windows\\system32\\drivers\\*", L"http.sys"));
    CHECK("temp", GetTempPathW(MAX_PATH, path) && GetTempFileNameW(path, L"wst", 0, path) && DeleteFileW(path));
    CHECK("drive-type", GetDriveTypeW(L"C:\\") == DRIVE_FIXED);
    CHECK("free-space", GetDiskFreeSpaceExW(L"C:\\", NULL, NULL, NULL));
}

/* In a silo the base's files can be changed, in the silo's own layer; not to be tried on a host. */
static void check_base_file(void)
{
    static char original[65536];
    const WCHAR *path = L"C:\\windows\\win.ini", *other = L"C:\\windows\\system.ini";
    const char *text = read_text(path);

    if (!check(text != NULL, "base-read", "error %lu", GetLastError()))
        return;
    strcpy(original, text);
    CHECK("base-write", write_text(path, "; changed"));
    CHECK("base-changed", same_as(read_text(path), "; changed"));
    CHECK("base-rename", MoveFileW(path, L"C:\\windows\\wst.ini"));
    CHECK_ERROR("base-renamed-away", !opened(open_file(path, GENERIC_READ, OPEN_EXISTING)), ERROR_FILE_NOT_FOUND);
    CHECK("base-delete", DeleteFileW(L"C:\\windows\\wst.ini"));
    CHECK("base-write-again", write_text(path, original));
    CHECK("base-as-before", same_as(read_text(path), original));
    CHECK("base-folder-rename", MoveFileW(L"C:\\windows\\help", L"C:\\windows\\wst-help")
                                    || GetLastError() == ERROR_FILE_NOT_FOUND);
    MoveFileW(L"C:\\windows\\wst-help", L"C:\\windows\\help");
    CHECK("base-other", GetFileAttributesW(other) != INVALID_FILE_ATTRIBUTES || read_text(path) != NULL);
}

static DWORD run_program(const WCHAR *path)
{
    STARTUPINFOW startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION info;
    DWORD code = 0xffffffff;

    if (!CreateProcessW(path, NULL, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &info))
        return 0xffffffff;
    WaitForSingleObject(info.hProcess, 10000);
    GetExitCodeProcess(info.hProcess, &code);
    CloseHandle(info.hThread);
    CloseHandle(info.hProcess);
    return code;
}

/* Everything outside drive C: is there on a host and must not be in a silo. */
static void check_outside(BOOL silo)
{
    static const struct {
        const char *title;
        const WCHAR *path;
    } paths[] = {
        {"unix-path", L"\\\\?\\unix\\etc\\passwd"},
        {"drive-z", L"Z:\\etc\\passwd"},
        {"drive-z-device", L"\\\\.\\Z:\\etc\\passwd"},
    };
    static const WCHAR *const native[] = {L"\\??\\unix\\etc\\passwd", L"\\DosDevices\\Z:\\etc\\passwd",
                                          L"\\??\\Z:\\etc\\passwd"};
    DWORD drives = GetLogicalDrives();
    char title[64];
    HANDLE file;

    check(silo ? drives == 1u << 2 : (drives & (1u << 2 | 1u << 25)) == (1u << 2 | 1u << 25), "drives",
          "the drives are %08lx", drives);
    for (size_t i = 0; i < ARRAYSIZE(paths); i++) {
        BOOL there = opened(file = open_file(paths[i].path, GENERIC_READ, OPEN_EXISTING));

        check(there == !silo, paths[i].title, "open gave %d, error %lu", there, GetLastError());
        if (there)
            CloseHandle(file);
        snprintf(title, sizeof(title), "%s-attributes", paths[i].title);
        there = GetFileAttributesW(paths[i].path) != INVALID_FILE_ATTRIBUTES;
        check(there == !silo, title, "attributes gave %d, error %lu", there, GetLastError());
    }
    for (size_t i = 0; i < ARRAYSIZE(native); i++) {
        NTSTATUS status = nt_open(native[i], FILE_READ_DATA, &file);

        snprintf(title, sizeof(title), "native-%u", (unsigned)i);
        check((status >= 0) == !silo, title, "%ls gave %08lx", native[i], (ULONG)status);
        if (status >= 0)
            CloseHandle(file);
    }
    CHECK_ERROR("drive-q", !opened(open_file(L"Q:\\x", GENERIC_READ, OPEN_EXISTING)), ERROR_FILE_NOT_FOUND);
    CHECK_ERROR("no-way-up", !opened(open_file(L"C:\\..\\..\\..\\etc\\passwd", GENERIC_READ, OPEN_EXISTING)),
                ERROR_PATH_NOT_FOUND);
    if (silo) {
        check(run_program(L"\\\\?\\unix\\bin\\false") == 0xffffffff, "unix-program", "it ran");
        check(run_program(L"Z:\\bin\\false") == 0xffffffff, "unix-program-z", "it ran");
        CHECK("no-write-outside", !write_text(L"\\\\?\\unix\\tmp\\wst-escaped", "x"));
    }
}

/* Programs find Wine's own DLLs through a variable; they can be read, and in a silo nothing beside them. */
static void check_wine_folder(BOOL silo)
{
    WCHAR folder[MAX_PATH], path[MAX_PATH * 2];
    NTSTATUS status;
    HANDLE file;

    if (!CHECK("wine-folder", GetEnvironmentVariableW(L"WINEDLLDIR0", folder, MAX_PATH)))
        return;
    swprintf(path, ARRAYSIZE(path), L"%ls\\x86_64-windows\\kernel32.dll", folder);
    CHECK_STATUS("wine-dll", nt_open(path, FILE_READ_DATA, &file), 0);
    CloseHandle(file);
    CHECK("wine-dll-attributes", begins_with(path, L"\\??\\")
                                     && (path[1] = '\\', GetFileAttributesW(path)) != INVALID_FILE_ATTRIBUTES);
    path[1] = '?';
    CHECK_STATUS("wine-folder-list", nt_open(folder, FILE_LIST_DIRECTORY, &file), 0);
    CloseHandle(file);
    if (!silo)
        return;
    CHECK_STATUS("wine-dll-write", nt_open(path, FILE_WRITE_DATA, &file), 0xc000003a);
    CHECK_STATUS("wine-dll-delete", nt_open(path, DELETE, &file), 0xc000003a);
    CHECK_STATUS("wine-dll-all", nt_open(path, MAXIMUM_ALLOWED, &file), 0xc000003a);
    swprintf(path, ARRAYSIZE(path), L"%ls\\x86_64-windows\\..\\..\\..\\..\\..\\..\\etc\\passwd", folder);
    status = nt_open(path, FILE_READ_DATA, &file);
    check(status < 0, "wine-folder-up", "%ls gave %08lx", path, (ULONG)status);
    swprintf(path, ARRAYSIZE(path), L"%ls/../../../../etc/passwd", folder);
    status = nt_open(path, FILE_READ_DATA, &file);
    check(status < 0, "wine-folder-up-slash", "%ls gave %08lx", path, (ULONG)status);
}

static int CALLBACK count_font(const LOGFONTW *font, const TEXTMETRICW *metric, DWORD type, LPARAM count)
{
    (void)font, (void)metric, (void)type;
    ++*(int *)count;
    return 1;
}

/* Wine notes the system's fonts in the registry; where there are any, text can be drawn. */
static void check_fonts(void)
{
    const WCHAR *key = L"Software\\Wine\\Fonts\\External Fonts";
    LOGFONTW any = {.lfCharSet = DEFAULT_CHARSET};
    HDC dc = CreateCompatibleDC(NULL);
    DWORD known = 0;
    int count = 0;
    HKEY fonts;

    EnumFontFamiliesExW(dc, &any, count_font, (LPARAM)&count, 0);
    DeleteDC(dc);
    if (!RegOpenKeyExW(HKEY_CURRENT_USER, key, 0, KEY_READ, &fonts)) {
        RegQueryInfoKeyW(fonts, NULL, NULL, NULL, NULL, NULL, NULL, &known, NULL, NULL, NULL, NULL);
        RegCloseKey(fonts);
    }
    check(!known || count, "fonts", "%d of %lu fonts can be used", count, known);
}

static int run_checks(BOOL silo)
{
    check_basics();
    check_windows_folder();
    check_outside(silo);
    check_wine_folder(silo);
    check_fonts();
    if (silo)
        check_base_file();
    return finish();
}

int main(int argc, char **argv)
{
    if (argc == 2 && (!strcmp(argv[1], "host") || !strcmp(argv[1], "silo")))
        return run_checks(!strcmp(argv[1], "silo"));
    if (argc == 4 && !strcmp(argv[1], "write"))
        return !write_text(wide(argv[2]), argv[3]);
    if (argc == 3 && !strcmp(argv[1], "read")) {
        const char *text = read_text(wide(argv[2]));

        printf(text ? "text %s\n" : "absent\n", text);
        return 0;
    }
    usage("files host|silo | write PATH TEXT | read PATH");
}
