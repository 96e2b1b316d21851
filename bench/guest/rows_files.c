/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Files: of the base, and of the silo alone. */
#include "bench.h"

static const WCHAR base_file[] = L"C:\\windows\\system32\\ntdll.dll", own_file[] = L"C:\\winesilo-bench.own";
static HANDLE data_file;

static HANDLE open_file(const WCHAR *name, DWORD access, DWORD sharing, DWORD how)
{
    HANDLE file = CreateFileW(name, access, sharing, NULL, how, 0, NULL);

    if (file == INVALID_HANDLE_VALUE) die("CreateFile");
    return file;
}

static void open_base(void)
{
    CloseHandle(open_file(base_file, GENERIC_READ, FILE_SHARE_READ, OPEN_EXISTING));
}

static void open_own(void)
{
    CloseHandle(open_file(own_file, GENERIC_READ | GENERIC_WRITE, 0, OPEN_EXISTING));
}

static void open_absent(void)
{
    if (CreateFileW(L"C:\\windows\\winesilo-absent", GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL) != INVALID_HANDLE_VALUE)
        die("opening nothing");
}

static void create_delete(void)
{
    CloseHandle(open_file(L"C:\\winesilo-bench.new", GENERIC_WRITE, 0, CREATE_NEW));
    if (!DeleteFileW(L"C:\\winesilo-bench.new")) die("DeleteFile");
}

static void set_up_own(void)
{
    DWORD n;
    char page[4096] = { 0 };

    data_file = open_file(own_file, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, CREATE_ALWAYS);
    if (!WriteFile(data_file, page, sizeof(page), &n, NULL)) die("WriteFile");
    CloseHandle(data_file);
}

static void set_up_data(void)
{
    data_file = CreateFileW(L"C:\\winesilo-bench.data", GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS,
                            FILE_FLAG_DELETE_ON_CLOSE, NULL);
    if (data_file == INVALID_HANDLE_VALUE) die("CreateFile");
    CloseHandle(open_file(L"C:\\winesilo-bench.a", GENERIC_WRITE, 0, CREATE_ALWAYS));
}

static void write_page(void)
{
    char buffer[4096] = { 0 };
    DWORD n;

    if (SetFilePointer(data_file, 0, NULL, FILE_BEGIN) || !WriteFile(data_file, buffer, sizeof(buffer), &n, NULL)) die("WriteFile");
}

static void read_page(void)
{
    char buffer[4096];
    DWORD n;

    if (SetFilePointer(data_file, 0, NULL, FILE_BEGIN) || !ReadFile(data_file, buffer, sizeof(buffer), &n, NULL)) die("ReadFile");
}

static void rename_file(void)
{
    if (!MoveFileW(L"C:\\winesilo-bench.a", L"C:\\winesilo-bench.b")) die("MoveFile");
    if (!MoveFileW(L"C:\\winesilo-bench.b", L"C:\\winesilo-bench.a")) die("MoveFile back");
}

static void attributes_base(void)
{
    if (GetFileAttributesW(base_file) == INVALID_FILE_ATTRIBUTES) die("GetFileAttributes");
}

static void attributes_own(void)
{
    if (GetFileAttributesW(own_file) == INVALID_FILE_ATTRIBUTES) die("GetFileAttributes");
}

static void attributes_absent(void)
{
    if (GetFileAttributesW(L"C:\\windows\\winesilo-absent") != INVALID_FILE_ATTRIBUTES) die("asking for nothing");
}

static void query_size(void)
{
    LARGE_INTEGER size;

    if (!GetFileSizeEx(data_file, &size)) die("GetFileSizeEx");
}

static void query_name(void)
{
    WCHAR name[MAX_PATH];

    if (!GetFinalPathNameByHandleW(data_file, name, MAX_PATH, 0)) die("GetFinalPathNameByHandle");
}

static void file_information(void)
{
    BY_HANDLE_FILE_INFORMATION info;

    if (!GetFileInformationByHandle(data_file, &info)) die("GetFileInformationByHandle");
}

/* of a file that others may write: what a silo takes most care of */
static void view_base(void)
{
    HANDLE file = open_file(L"C:\\windows\\win.ini", GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, OPEN_EXISTING);
    HANDLE mapping = CreateFileMappingW(file, NULL, PAGE_READONLY, 0, 0, NULL);
    volatile const char *view = MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, 0);

    if (!view) die("MapViewOfFile");
    (void)*view;
    UnmapViewOfFile((void *)view);
    CloseHandle(mapping);
    CloseHandle(file);
}

static void list_folder(void)
{
    WIN32_FIND_DATAW data;
    HANDLE find = FindFirstFileW(L"C:\\windows\\system32\\*", &data);

    if (find == INVALID_HANDLE_VALUE) die("FindFirstFile");
    while (FindNextFileW(find, &data)) continue;
    FindClose(find);
}

static void find_file(void)
{
    WIN32_FIND_DATAW data;
    HANDLE find = FindFirstFileW(base_file, &data);

    if (find == INVALID_HANDLE_VALUE) die("FindFirstFile");
    FindClose(find);
}

const struct row file_rows[] = {
    { HOOKED, "file_open_base", open_base, NULL },
    { HOOKED, "file_open_own", open_own, set_up_own },
    { HOOKED, "file_view_base", view_base, NULL },
    { HOOKED, "file_query_name", query_name, set_up_data },
    { HOOKED, "file_information", file_information, set_up_data },
    { OVERLAY, "file_open_absent", open_absent, NULL },
    { OVERLAY, "file_attributes_absent", attributes_absent, NULL },
    { OVERLAY, "file_attributes_base", attributes_base, NULL },
    { OVERLAY, "file_attributes_own", attributes_own, set_up_own },
    { OVERLAY, "file_query_size", query_size, set_up_data },
    { OVERLAY, "file_create_delete", create_delete, NULL },
    { OVERLAY, "file_write", write_page, set_up_data },
    { OVERLAY, "file_read", read_page, set_up_data },
    { OVERLAY, "file_rename", rename_file, set_up_data },
    { OVERLAY, "file_find", find_file, NULL },
    { OVERLAY, "folder_list", list_folder, NULL },
    { 0 },
};
