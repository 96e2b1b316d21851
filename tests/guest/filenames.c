/* What programs learn of their files: names read back, links, letter case, ids, times, attributes, volumes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   filenames host|silo       every check holds in both
 *
 * Files of the base are used once each: the first write to one is what a silo does differently inside.  So run
 * it where the Windows folder may be changed. */

#include "check.h"

#include <psapi.h>

#define FOLDER L"C:\\wst-names"
#define SYSTEM L"C:\\windows\\system32\\"
#define PROGRAMS L"C:\\Program Files\\"

static BOOL opened(HANDLE handle)
{
    return handle && handle != INVALID_HANDLE_VALUE;
}

static HANDLE open_as(const WCHAR *path, DWORD access, DWORD how, DWORD flags)
{
    return CreateFileW(path, access, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, how,
                       FILE_FLAG_BACKUP_SEMANTICS | flags, NULL);
}

static HANDLE open_file(const WCHAR *path, DWORD access)
{
    return open_as(path, access, OPEN_EXISTING, 0);
}

static BOOL put(const WCHAR *path, const char *text)
{
    HANDLE file = open_as(path, GENERIC_WRITE, OPEN_ALWAYS, 0);
    DWORD done = 0;
    BOOL ok = opened(file) && WriteFile(file, text, (DWORD)strlen(text), &done, NULL);

    CloseHandle(file);
    return ok;
}

static BOOL holds(const WCHAR *path, const char *text)
{
    HANDLE file = open_file(path, GENERIC_READ);
    char got[64] = "";
    DWORD done = 0;
    BOOL ok = opened(file) && ReadFile(file, got, (DWORD)strlen(text), &done, NULL);

    CloseHandle(file);
    return ok && !strcmp(got, text);
}

static BOOL there(const WCHAR *path)
{
    return GetFileAttributesW(path) != INVALID_FILE_ATTRIBUTES;
}

/* How many entries match, and the name of the last. */
static unsigned int list(const WCHAR *pattern, WCHAR *name)
{
    WIN32_FIND_DATAW data;
    HANDLE find = FindFirstFileW(pattern, &data);
    unsigned int n = 0;

    name[0] = 0;
    if (!opened(find))
        return 0;
    do {
        wcscpy(name, data.cFileName);
        n++;
    } while (FindNextFileW(find, &data));
    FindClose(find);
    return n;
}

static BY_HANDLE_FILE_INFORMATION info_of(const WCHAR *path)
{
    BY_HANDLE_FILE_INFORMATION info = {0};
    HANDLE file = open_file(path, FILE_READ_ATTRIBUTES);

    GetFileInformationByHandle(file, &info);
    CloseHandle(file);
    return info;
}

static BOOL same_file(const BY_HANDLE_FILE_INFORMATION *a, const BY_HANDLE_FILE_INFORMATION *b)
{
    return a->nFileIndexHigh == b->nFileIndexHigh && a->nFileIndexLow == b->nFileIndexLow
           && a->dwVolumeSerialNumber == b->dwVolumeSerialNumber;
}

/* ---- names read back ---- */

static void check_handle_names(const char *title, const WCHAR *path)
{
    HANDLE file = open_file(path, GENERIC_READ);
    WCHAR got[MAX_PATH], wanted[MAX_PATH + 8];
    union {
        FILE_NAME_INFO info;
        BYTE bytes[1024];
    } name;
    char label[64];

    if (!check(opened(file), title, "can't be opened, error %lu", GetLastError()))
        return;
    snprintf(label, sizeof(label), "%s-final-dos", title);
    swprintf(wanted, ARRAYSIZE(wanted), L"\\\\?\\%ls", path);
    CHECK(label, GetFinalPathNameByHandleW(file, got, MAX_PATH, VOLUME_NAME_DOS) && same_text(got, wanted));
    snprintf(label, sizeof(label), "%s-final-none", title);
    CHECK(label, GetFinalPathNameByHandleW(file, got, MAX_PATH, VOLUME_NAME_NONE) && same_text(got, path + 2));
    snprintf(label, sizeof(label), "%s-name-info", title);
    CHECK(label, GetFileInformationByHandleEx(file, FileNameInfo, &name, sizeof(name)));
    name.info.FileName[name.info.FileNameLength / sizeof(WCHAR)] = 0;
    check(same_text(name.info.FileName, path + 2), label, "it is %ls", name.info.FileName);
    snprintf(label, sizeof(label), "%s-object-name", title);
    swprintf(wanted, ARRAYSIZE(wanted), L"\\??\\%ls", path);
    CHECK_NAME(label, file, wanted);
    CloseHandle(file);
}

static void check_process_names(void)
{
    union {
        UNICODE_STRING name;
        BYTE bytes[1024];
    } image;
    WCHAR path[MAX_PATH], again[MAX_PATH];
    DWORD n = MAX_PATH;
    HMODULE module = GetModuleHandleW(L"kernel32.dll");

    CHECK("module", GetModuleFileNameW(module, path, MAX_PATH) && same_text(path, SYSTEM L"kernel32.dll"));
    CHECK("own-image", GetModuleFileNameW(NULL, path, MAX_PATH) && begins_with(path, L"C:\\"));
    CHECK("image-name", QueryFullProcessImageNameW(GetCurrentProcess(), 0, again, &n) && same_text(path, again));
    CHECK_STATUS("image-query", NtQueryInformationProcess(GetCurrentProcess(), 43 /* ProcessImageFileNameWin32 */,
                                                          &image, sizeof(image), NULL), 0);
    image.name.Buffer[image.name.Length / sizeof(WCHAR)] = 0;
    check(same_text(image.name.Buffer, path), "image-win32", "it is %ls", image.name.Buffer);
    CHECK_STATUS("image-device", NtQueryInformationProcess(GetCurrentProcess(), ProcessImageFileName, &image,
                                                           sizeof(image), NULL), 0);
    image.name.Buffer[image.name.Length / sizeof(WCHAR)] = 0;
    check(ends_with(image.name.Buffer, path + 2), "image-device-name", "it is %ls", image.name.Buffer);
}

static void check_mapped_name(const char *title, const WCHAR *path)
{
    HANDLE file = open_file(path, GENERIC_READ);
    HANDLE mapping = CreateFileMappingW(file, NULL, PAGE_READONLY, 0, 0, NULL);
    void *view = MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, 0);
    WCHAR got[MAX_PATH] = L"";

    CHECK(title, view && GetMappedFileNameW(GetCurrentProcess(), view, got, MAX_PATH));
    check(ends_with(got, path + 2), title, "it is %ls", got);
    UnmapViewOfFile(view);
    CloseHandle(mapping);
    CloseHandle(file);
}

static void check_names(void)
{
    CHECK("name-folder", CreateDirectoryW(FOLDER, NULL) && put(FOLDER L"\\New.txt", "new"));
    check_handle_names("new", FOLDER L"\\New.txt");
    check_handle_names("base", SYSTEM L"c_10001.nls");
    CHECK("base-written", put(SYSTEM L"c_10001.nls", "changed"));
    check_handle_names("copied", SYSTEM L"c_10001.nls");
    check_handle_names("folder", L"C:\\windows\\system32");
    check_mapped_name("mapped-new", FOLDER L"\\New.txt");
    check_mapped_name("mapped-base", SYSTEM L"c_10002.nls");
    check_process_names();
    DeleteFileW(FOLDER L"\\New.txt");
    RemoveDirectoryW(FOLDER);
}

/* ---- letter case ---- */

static void check_case(void)
{
    WCHAR name[MAX_PATH];

    CHECK("case-delete", DeleteFileW(SYSTEM L"C_10003.NLS"));
    CHECK_ERROR("case-gone", !there(SYSTEM L"c_10003.nls"), ERROR_FILE_NOT_FOUND);
    CHECK("case-gone-unlisted", !list(SYSTEM L"c_10003.*", name));
    CHECK("case-create", put(SYSTEM L"C_10003.nls", "other case"));
    CHECK("case-lower", holds(SYSTEM L"c_10003.nls", "other case"));
    CHECK("case-one", list(SYSTEM L"c_10003.*", name) == 1 && !wcscmp(name, L"C_10003.nls"));
    CHECK("case-new-name", put(SYSTEM L"C_10004.NLS", "same file"));
    CHECK("case-same", list(SYSTEM L"c_10004.*", name) == 1 && !wcscmp(name, L"c_10004.nls"));
    CHECK("case-rename", MoveFileW(SYSTEM L"c_10005.nls", SYSTEM L"C_10005.Nls"));
    CHECK("case-renamed", list(SYSTEM L"c_10005.*", name) == 1 && same_text(name, L"C_10005.Nls"));
    CHECK_ERROR("case-collision", !CreateDirectoryW(SYSTEM L"C_10005.NLS", NULL), ERROR_ALREADY_EXISTS);
    CHECK_ERROR("case-new-exists", !opened(open_as(SYSTEM L"C_10006.NLS", GENERIC_WRITE, CREATE_NEW, 0)),
                ERROR_FILE_EXISTS);
    CHECK("case-folder-removed", RemoveDirectoryW(L"C:\\windows\\system32\\TASKS"));
    CHECK("case-folder-again", CreateDirectoryW(L"C:\\windows\\system32\\TaskS", NULL));
    CHECK("case-folder-one", list(L"C:\\windows\\system32\\tasks", name) == 1 && !wcscmp(name, L"TaskS"));
}

/* ---- renames ---- */

static void check_renames(void)
{
    WCHAR name[MAX_PATH];
    HANDLE file;

    CHECK("rename-over-self", MoveFileExW(SYSTEM L"c_10007.nls", SYSTEM L"c_10007.nls", 0));
    CHECK_ERROR("rename-no-replace", !MoveFileW(SYSTEM L"c_10007.nls", SYSTEM L"c_10008.nls"),
                ERROR_ALREADY_EXISTS);
    CHECK("rename-replace", MoveFileExW(SYSTEM L"c_10007.nls", SYSTEM L"c_10008.nls", MOVEFILE_REPLACE_EXISTING));
    CHECK("rename-away", !there(SYSTEM L"c_10007.nls") && there(SYSTEM L"c_10008.nls"));
    file = open_file(SYSTEM L"c_10010.nls", GENERIC_READ);
    CHECK_ERROR("rename-replace-open",
                !MoveFileExW(SYSTEM L"c_10008.nls", SYSTEM L"c_10010.nls", MOVEFILE_REPLACE_EXISTING),
                ERROR_ACCESS_DENIED);
    CloseHandle(file);
    CHECK("rename-across", MoveFileW(SYSTEM L"c_10008.nls", L"C:\\windows\\wst.nls"));
    CHECK("replace-file", ReplaceFileW(SYSTEM L"c_10017.nls", L"C:\\windows\\wst.nls", SYSTEM L"wst.bak", 0, NULL,
                                       NULL));
    CHECK("replaced", there(SYSTEM L"c_10017.nls") && there(SYSTEM L"wst.bak") && !there(L"C:\\windows\\wst.nls"));
    DeleteFileW(SYSTEM L"wst.bak");

    /* folders of the base */
    CHECK("rename-base-folder", MoveFileW(PROGRAMS L"Windows NT", PROGRAMS L"Windows XX"));
    CHECK("rename-base-below", there(PROGRAMS L"Windows XX\\Accessories\\wordpad.exe"));
    CHECK_ERROR("rename-base-gone", !there(PROGRAMS L"Windows NT"), ERROR_FILE_NOT_FOUND);
    CHECK_ERROR("rename-base-gone-below", !there(PROGRAMS L"Windows NT\\Accessories\\wordpad.exe"),
                ERROR_PATH_NOT_FOUND);
    CHECK("rename-base-write", put(PROGRAMS L"Windows XX\\Accessories\\new.txt", "new"));
    CHECK("rename-base-list", list(PROGRAMS L"Windows XX\\Accessories\\*", name) >= 4);
    CHECK("rename-base-into", MoveFileW(PROGRAMS L"Windows XX", L"C:\\windows\\moved"));
    CHECK("rename-base-into-below", holds(L"C:\\windows\\moved\\accessories\\NEW.TXT", "new"));
    CHECK("rename-base-in-it", MoveFileW(L"C:\\windows\\moved\\accessories\\wordpad.exe", L"C:\\windows\\moved\\w"));
    CHECK("rename-base-case", MoveFileW(L"C:\\windows\\moved", L"C:\\windows\\Moved"));
    CHECK("rename-base-cased", list(L"C:\\windows\\moved", name) == 1 && same_text(name, L"Moved"));
    CHECK("rename-base-back", MoveFileW(L"C:\\windows\\moved", PROGRAMS L"Windows NT"));
    CHECK_ERROR("rename-folder-over-file", !MoveFileExW(PROGRAMS L"Windows NT", SYSTEM L"c_10010.nls", 0),
                ERROR_ALREADY_EXISTS);
    CHECK_ERROR("rename-folder-over-folder",
                !MoveFileExW(PROGRAMS L"Windows NT", PROGRAMS L"Internet Explorer", MOVEFILE_REPLACE_EXISTING),
                ERROR_ACCESS_DENIED);
    CHECK("rename-restore", MoveFileW(PROGRAMS L"Windows NT\\w", PROGRAMS L"Windows NT\\Accessories\\wordpad.exe"));
}

/* ---- hard links, junctions, alternate names ---- */

static void check_links(void)
{
    BY_HANDLE_FILE_INFORMATION before = info_of(SYSTEM L"c_10021.nls"), after, other;

    check(before.nNumberOfLinks == 1, "link-one", "%lu links", before.nNumberOfLinks);
    CHECK("link", CreateHardLinkW(SYSTEM L"wst-link.nls", SYSTEM L"c_10021.nls", NULL));
    after = info_of(SYSTEM L"c_10021.nls");
    other = info_of(SYSTEM L"wst-link.nls");
    check(after.nNumberOfLinks == 2 && other.nNumberOfLinks == 2, "link-two", "%lu and %lu links",
          after.nNumberOfLinks, other.nNumberOfLinks);
    CHECK("link-same-file", same_file(&before, &after) && same_file(&after, &other));
    CHECK("link-write", put(SYSTEM L"wst-link.nls", "through the link"));
    CHECK("link-read", holds(SYSTEM L"c_10021.nls", "through the link"));
    CHECK("link-unlink", DeleteFileW(SYSTEM L"c_10021.nls") && holds(SYSTEM L"wst-link.nls", "through the link"));
    CHECK("link-back", MoveFileW(SYSTEM L"wst-link.nls", SYSTEM L"c_10021.nls"));
    CHECK_ERROR("link-exists", !CreateHardLinkW(SYSTEM L"c_10029.nls", SYSTEM L"c_10021.nls", NULL),
                ERROR_ALREADY_EXISTS);
    CHECK_ERROR("link-folder", !CreateHardLinkW(SYSTEM L"wst-link", L"C:\\windows\\inf", NULL),
                ERROR_ACCESS_DENIED);
}

static void check_short_names(void)
{
    WCHAR name[MAX_PATH], back[MAX_PATH];

    CHECK("short-name", GetShortPathNameW(L"C:\\Program Files\\Internet Explorer", name, MAX_PATH)
                            && wcslen(name) < wcslen(L"C:\\Program Files\\Internet Explorer"));
    CHECK("short-opens", there(name));
    CHECK("short-back", GetLongPathNameW(name, back, MAX_PATH)
                            && same_text(back, L"C:\\Program Files\\Internet Explorer"));
}

/* ---- ids, times, attributes ---- */

static void check_ids(void)
{
    BY_HANDLE_FILE_INFORMATION before = info_of(SYSTEM L"c_10029.nls"), after;
    BY_HANDLE_FILE_INFORMATION folder = info_of(L"C:\\windows\\help"), folder_after;
    HANDLE file = open_file(SYSTEM L"c_10029.nls", GENERIC_READ);

    CHECK("id-write", put(SYSTEM L"c_10029.nls", "x") && put(L"C:\\windows\\help\\x", "x"));
    after = info_of(SYSTEM L"c_10029.nls");
    folder_after = info_of(L"C:\\windows\\help");
    CHECK("id-stays", same_file(&before, &after));
    GetFileInformationByHandle(file, &after);
    CHECK("id-stays-open", same_file(&before, &after));
    CHECK("id-folder-stays", same_file(&folder, &folder_after));
    check(folder.nNumberOfLinks == folder_after.nNumberOfLinks, "links-folder", "%lu, then %lu",
          folder.nNumberOfLinks, folder_after.nNumberOfLinks);
    CHECK("id-serial", before.dwVolumeSerialNumber == info_of(L"C:\\windows\\win.ini").dwVolumeSerialNumber);
    CloseHandle(file);
    DeleteFileW(L"C:\\windows\\help\\x");
}

static void check_attributes(void)
{
    static const FILETIME wanted = {0x12345600, 0x01c00000};
    const WCHAR *path = SYSTEM L"c_10079.nls";
    BY_HANDLE_FILE_INFORMATION before = info_of(path), after;
    FILETIME made, read, written;
    HANDLE file;

    CHECK("attributes-set", SetFileAttributesW(path, FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM));
    after = info_of(path);
    check((after.dwFileAttributes & (FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM))
              == (FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM),
          "attributes-kept", "they are %lx", after.dwFileAttributes);
    check(!CompareFileTime(&before.ftLastWriteTime, &after.ftLastWriteTime)
              && before.nFileSizeLow == after.nFileSizeLow,
          "attributes-only", "the time or the size changed");
    CHECK("attributes-written", put(path, "x") && (info_of(path).dwFileAttributes & FILE_ATTRIBUTE_HIDDEN));
    CHECK("readonly", SetFileAttributesW(path, FILE_ATTRIBUTE_READONLY));
    CHECK_ERROR("readonly-delete", !DeleteFileW(path), ERROR_ACCESS_DENIED);
    CHECK("readonly-off", SetFileAttributesW(path, FILE_ATTRIBUTE_NORMAL) && put(path, "y"));
    file = open_file(SYSTEM L"c_10081.nls", FILE_WRITE_ATTRIBUTES | GENERIC_READ);
    CHECK("times-set", SetFileTime(file, NULL, NULL, &wanted));
    CHECK("times-kept", GetFileTime(file, &made, &read, &written) && !CompareFileTime(&written, &wanted));
    CloseHandle(file);
    CHECK("folder-attributes", SetFileAttributesW(L"C:\\windows\\performance", FILE_ATTRIBUTE_HIDDEN)
                                   && (GetFileAttributesW(L"C:\\windows\\performance") & FILE_ATTRIBUTE_HIDDEN));
    SetFileAttributesW(L"C:\\windows\\performance", FILE_ATTRIBUTE_NORMAL);
}

static void check_security(void)
{
    static const SECURITY_INFORMATION what = OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION
                                             | DACL_SECURITY_INFORMATION;
    BYTE before[1024], after[1024];
    DWORD n = 0, m = 0;

    CHECK("security", GetFileSecurityW(SYSTEM L"c_1250.nls", what, (void *)before, sizeof(before), &n));
    CHECK("security-write", put(SYSTEM L"c_1250.nls", "x"));
    CHECK("security-again", GetFileSecurityW(SYSTEM L"c_1250.nls", what, (void *)after, sizeof(after), &m));
    CHECK("security-same", n == m && !memcmp(before, after, n));
}

/* ---- sizes ---- */

static void check_sizes(void)
{
    LARGE_INTEGER far_away = {.QuadPart = 5LL << 30}, size;
    HANDLE file = open_as(L"C:\\wst-large", GENERIC_READ | GENERIC_WRITE, CREATE_ALWAYS, FILE_FLAG_DELETE_ON_CLOSE);
    char byte = 'x';
    DWORD done;

    DeviceIoControl(file, FSCTL_SET_SPARSE, NULL, 0, NULL, 0, &done, NULL);
    CHECK("large-seek", SetFilePointerEx(file, far_away, NULL, FILE_BEGIN));
    CHECK("large-write", WriteFile(file, &byte, 1, &done, NULL));
    CHECK("large-size", GetFileSizeEx(file, &size) && size.QuadPart == far_away.QuadPart + 1);
    CHECK("large-read", SetFilePointerEx(file, far_away, NULL, FILE_BEGIN) && ReadFile(file, &byte, 1, &done, NULL)
                            && done == 1 && byte == 'x');
    CHECK("large-truncate", SetFilePointer(file, 3, NULL, FILE_BEGIN) == 3 && SetEndOfFile(file)
                                && GetFileSize(file, NULL) == 3);
    CloseHandle(file);
    CHECK_ERROR("large-deleted", !there(L"C:\\wst-large"), ERROR_FILE_NOT_FOUND);
}

/* ---- volumes and folders ---- */

static void check_volume(void)
{
    WCHAR label[MAX_PATH], kind[MAX_PATH], path[MAX_PATH];
    ULARGE_INTEGER mine, total, all;
    DWORD serial = 0, longest = 0, flags = 0, sectors, bytes, unused, clusters;

    CHECK("volume", GetVolumeInformationW(L"C:\\", label, MAX_PATH, &serial, &longest, &flags, kind, MAX_PATH));
    check(longest == 255 && same_text(kind, L"NTFS"), "volume-kind", "%ls, names of %lu", kind, longest);
    check(!wcscmp(label, L""), "volume-label", "it is %ls", label);
    check(flags & FILE_CASE_PRESERVED_NAMES, "volume-flags", "they are %lx", flags);
    check(info_of(L"C:\\windows").dwVolumeSerialNumber == serial, "volume-serial", "%lx in files, %lx",
          info_of(L"C:\\windows").dwVolumeSerialNumber, serial);
    CHECK("volume-space", GetDiskFreeSpaceExW(L"C:\\", &mine, &total, &all) && mine.QuadPart <= all.QuadPart
                              && all.QuadPart <= total.QuadPart && mine.QuadPart);
    CHECK("volume-clusters", GetDiskFreeSpaceW(L"C:\\windows", &sectors, &bytes, &unused, &clusters)
                                 && bytes == 512 && sectors == 8);
    CHECK("volume-path", GetVolumePathNameW(L"C:\\windows\\system32", path, MAX_PATH) && same_text(path, L"C:\\"));
}

static void check_folders(void)
{
    static const WCHAR *const variables[] = {L"TEMP", L"USERPROFILE", L"APPDATA", L"ProgramData", L"ProgramFiles",
                                             L"PUBLIC", L"SystemRoot", L"LOCALAPPDATA"};
    WCHAR path[MAX_PATH], file[MAX_PATH];
    char title[64];

    for (size_t i = 0; i < ARRAYSIZE(variables); i++) {
        snprintf(title, sizeof(title), "folder-%ls", variables[i]);
        path[0] = 0;
        check(GetEnvironmentVariableW(variables[i], path, MAX_PATH) && begins_with(path, L"C:\\"), title,
              "it is %ls", path);
        swprintf(file, MAX_PATH, L"%ls\\wst.tmp", path);
        snprintf(title, sizeof(title), "write-%ls", variables[i]);
        CHECK(title, put(file, "x") && DeleteFileW(file));
    }
}

/* A handle stays good for its file whatever becomes of the name. */
static void check_handles_after_rename(void)
{
    HANDLE file = open_file(SYSTEM L"c_1251.nls", GENERIC_READ | DELETE);
    WCHAR got[MAX_PATH];
    union {
        FILE_RENAME_INFO info;
        BYTE bytes[512];
    } rename = {.info = {.FileNameLength = 22 * sizeof(WCHAR)}};

    wcscpy(rename.info.FileName, L"C:\\windows\\renamed.nls");
    CHECK("handle-rename", SetFileInformationByHandle(file, FileRenameInfo, &rename, sizeof(rename)));
    CHECK("handle-name", GetFinalPathNameByHandleW(file, got, MAX_PATH, 0)
                             && same_text(got, L"\\\\?\\C:\\windows\\renamed.nls"));
    CHECK("handle-dispose", SetFileInformationByHandle(file, FileDispositionInfo, &(FILE_DISPOSITION_INFO){TRUE},
                                                       sizeof(FILE_DISPOSITION_INFO)));
    CloseHandle(file);
    CHECK_ERROR("handle-deleted", !there(L"C:\\windows\\renamed.nls"), ERROR_FILE_NOT_FOUND);
}

/* ---- what is missing, asked for again and again ---- */

/* Ask as programs that read a file do, natively; what else is in the status block stays as it was. */
static NTSTATUS ask(const WCHAR *path)
{
    WCHAR native[MAX_PATH + 4];
    UNICODE_STRING name;
    OBJECT_ATTRIBUTES attr = {.Length = sizeof(attr), .ObjectName = &name, .Attributes = OBJ_CASE_INSENSITIVE};
    IO_STATUS_BLOCK io = {.Status = 0x5a5a, .Information = 0xa5a5};
    HANDLE file = (HANDLE)0x5a5a;
    NTSTATUS status;

    swprintf(native, ARRAYSIZE(native), L"\\??\\%ls", path);
    name.Buffer = native;
    name.Length = name.MaximumLength = (USHORT)(wcslen(native) * sizeof(WCHAR));
    status = NtCreateFile(&file, GENERIC_READ | SYNCHRONIZE, &attr, &io, NULL, 0, FILE_SHARE_READ, FILE_OPEN,
                          FILE_NON_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0);
    if (!status)
        NtClose(file);
    else if (io.Status != status || io.Information != 0xa5a5 || file)
        return 0x5a5a;
    return status;
}

/* Missing at each of many times, in each way; ten are more than it takes to be remembered. */
static BOOL missing(const WCHAR *path)
{
    for (int i = 0; i < 10; i++)
        if (ask(path) != (NTSTATUS)0xc0000034 || there(path) || opened(open_file(path, GENERIC_READ)))
            return FALSE;
    return TRUE;
}

static BOOL found(const WCHAR *path)
{
    HANDLE file = open_file(path, GENERIC_READ);
    BOOL ok = opened(file);

    CloseHandle(file);
    return ok && !ask(path) && there(path);
}

static BOOL run(const WCHAR *text)
{
    WCHAR command[MAX_PATH];
    STARTUPINFOW start = {.cb = sizeof(start)};
    PROCESS_INFORMATION process;
    DWORD code = 1;

    wcscpy(command, text);
    if (!CreateProcessW(NULL, command, NULL, NULL, FALSE, 0, NULL, NULL, &start, &process))
        return FALSE;
    WaitForSingleObject(process.hProcess, INFINITE);
    GetExitCodeProcess(process.hProcess, &code);
    CloseHandle(process.hThread);
    CloseHandle(process.hProcess);
    return !code;
}

static void check_missing(void)
{
    static const WCHAR *const folders[] = {FOLDER L"\\made", FOLDER L"\\case", FOLDER L"\\moved", FOLDER L"\\linked",
                                           FOLDER L"\\other", FOLDER L"\\aside", FOLDER L"\\full",
                                           FOLDER L"\\late"};

    CreateDirectoryW(FOLDER, NULL);
    for (size_t i = 0; i < ARRAYSIZE(folders); i++)
        CHECK("missing-folder", CreateDirectoryW(folders[i], NULL));
    CHECK("missing-file", put(FOLDER L"\\x", "x") && put(FOLDER L"\\full\\x", "x"));
    Sleep(1200); /* what has just changed may change again at the same time, as far as the file system can tell */
    CHECK("missing-made", missing(FOLDER L"\\made\\x"));
    CHECK("missing-made-found", put(FOLDER L"\\made\\x", "x") && found(FOLDER L"\\made\\x"));
    CHECK("missing-deleted", DeleteFileW(FOLDER L"\\made\\x") && missing(FOLDER L"\\made\\x"));
    CHECK("missing-case", missing(FOLDER L"\\case\\x"));
    CHECK("missing-case-found", put(FOLDER L"\\case\\X", "x") && found(FOLDER L"\\case\\x"));
    CHECK("missing-moved", missing(FOLDER L"\\moved\\x"));
    CHECK("missing-moved-found", MoveFileW(FOLDER L"\\x", FOLDER L"\\moved\\x") && found(FOLDER L"\\moved\\x"));
    CHECK("missing-linked", missing(FOLDER L"\\linked\\x"));
    CHECK("missing-linked-found", CreateHardLinkW(FOLDER L"\\linked\\x", FOLDER L"\\case\\X", NULL)
                                      && found(FOLDER L"\\linked\\x"));
    CHECK("missing-other", missing(FOLDER L"\\other\\x"));
    CHECK("missing-other-found", run(L"cmd /c echo x> " FOLDER L"\\other\\x") && found(FOLDER L"\\other\\x"));
    CHECK("missing-aside", missing(FOLDER L"\\aside\\x"));
    CHECK("missing-aside-found", MoveFileW(FOLDER L"\\aside", FOLDER L"\\away")
                                     && MoveFileW(FOLDER L"\\full", FOLDER L"\\aside") && found(FOLDER L"\\aside\\x"));
    CHECK("missing-late", missing(FOLDER L"\\late\\x") && put(FOLDER L"\\late\\x", "x"));
    Sleep(1200); /* now it is old enough again: does the folder's new time tell? */
    CHECK("missing-late-found", found(FOLDER L"\\late\\x"));
    CHECK("missing-system", missing(SYSTEM L"wst-x.dll"));
    CHECK("missing-system-found", put(SYSTEM L"wst-x.dll", "x") && found(SYSTEM L"wst-x.dll"));
    CHECK("missing-system-deleted", DeleteFileW(SYSTEM L"wst-x.dll") && missing(SYSTEM L"WST-x.dll"));
    CHECK("missing-removed", run(L"cmd /c rmdir /s /q " FOLDER));
}

int main(int argc, char **argv)
{
    if (argc != 2 || (strcmp(argv[1], "host") && strcmp(argv[1], "silo")))
        usage("filenames host|silo");
    check_names();
    check_case();
    check_renames();
    check_links();
    check_short_names();
    check_ids();
    check_attributes();
    check_security();
    check_sizes();
    check_volume();
    check_folders();
    check_handles_after_rename();
    check_missing();
    return finish();
}
