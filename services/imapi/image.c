/* See image.h.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image.h"

#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

#include "iso.h"

enum { PATH = 1024, CHUNK = 65536 };

struct list {
    struct iso_entry *entries;
    WCHAR **paths; /* of files */
    uint32_t count, room;
};

static HRESULT last_error(void)
{
    DWORD error = GetLastError();

    return error ? HRESULT_FROM_WIN32(error) : E_FAIL;
}

static HRESULT add(struct list *list, const WCHAR *name, const WCHAR *path, uint32_t parent, const WIN32_FIND_DATAW *data)
{
    struct iso_entry *entry;

    if (data->nFileSizeHigh || data->nFileSizeLow > 0x7fffffff)
        return HRESULT_FROM_WIN32(ERROR_FILE_TOO_LARGE);
    if (list->count == list->room) {
        uint32_t room = list->room ? 2 * list->room : 64;
        void *entries = realloc(list->entries, room * sizeof(*list->entries)), *paths;

        if (entries)
            list->entries = entries;
        if (!entries || !(paths = realloc(list->paths, room * sizeof(*list->paths))))
            return E_OUTOFMEMORY;
        list->paths = paths;
        list->room = room;
    }
    entry = &list->entries[list->count];
    memset(entry, 0, sizeof(*entry));
    wcsncpy((WCHAR *)entry->name, name, ISO_NAME);
    entry->parent = parent;
    entry->folder = (data->dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
    entry->size = entry->folder ? 0 : data->nFileSizeLow;
    if (!(list->paths[list->count] = _wcsdup(path)))
        return E_OUTOFMEMORY;
    list->count++;
    return S_OK;
}

static HRESULT walk(struct list *list, WCHAR *path, uint32_t parent)
{
    size_t n = wcslen(path);
    WIN32_FIND_DATAW data;
    HRESULT result = S_OK;
    HANDLE find;

    if (n > PATH - 4)
        return HRESULT_FROM_WIN32(ERROR_FILENAME_EXCED_RANGE);
    wcscpy(path + n, L"\\*");
    find = FindFirstFileW(path, &data);
    path[n] = 0;
    if (find == INVALID_HANDLE_VALUE)
        return last_error();
    do {
        if (!wcscmp(data.cFileName, L".") || !wcscmp(data.cFileName, L"..") || (data.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT))
            continue;
        if (n + wcslen(data.cFileName) > PATH - 4) {
            result = HRESULT_FROM_WIN32(ERROR_FILENAME_EXCED_RANGE);
            break;
        }
        path[n] = '\\';
        wcscpy(path + n + 1, data.cFileName);
        result = add(list, data.cFileName, path, parent, &data);
        if (SUCCEEDED(result) && list->entries[list->count - 1].folder)
            result = walk(list, path, list->count - 1);
        path[n] = 0;
    } while (SUCCEEDED(result) && FindNextFileW(find, &data));
    FindClose(find);
    return result;
}

static BOOL put(HANDLE out, const void *data, DWORD size)
{
    DWORD n;

    return WriteFile(out, data, size, &n, NULL) && n == size;
}

/* A file that has become shorter meanwhile is filled up with zeros, one that is longer is cut. */
static HRESULT put_file(HANDLE out, const WCHAR *path, uint32_t size, char *buffer)
{
    HANDLE file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING, 0, NULL);
    uint32_t left = (size + ISO_SECTOR - 1) / ISO_SECTOR * ISO_SECTOR;
    HRESULT result = S_OK;

    if (file == INVALID_HANDLE_VALUE)
        return last_error();
    while (SUCCEEDED(result) && left) {
        DWORD part = left < CHUNK ? left : CHUNK, wanted = size < part ? size : part, n = 0;

        memset(buffer, 0, part);
        if (wanted && !ReadFile(file, buffer, wanted, &n, NULL))
            result = last_error();
        else if (!put(out, buffer, part))
            result = last_error();
        size -= wanted;
        left -= part;
    }
    CloseHandle(file);
    return result;
}

static HRESULT put_all(HANDLE out, struct list *list, const char *volume)
{
    char *buffer = malloc(CHUNK);
    HRESULT result = S_OK;
    struct iso_time time;
    SYSTEMTIME now;
    uint32_t i, sectors;
    size_t size;
    void *start;

    GetSystemTime(&now);
    time = (struct iso_time){now.wYear, now.wMonth, now.wDay, now.wHour, now.wMinute, now.wSecond};
    if (!buffer || !(start = iso_layout(list->entries, list->count, volume, &time, &size, &sectors))) {
        free(buffer);
        return HRESULT_FROM_WIN32(ERROR_NOT_SUPPORTED);
    }
    if (!put(out, start, (DWORD)size))
        result = last_error();
    for (i = 0; SUCCEEDED(result) && i < list->count; i++)
        if (!list->entries[i].folder)
            result = put_file(out, list->paths[i], list->entries[i].size, buffer);
    if (SUCCEEDED(result) && !FlushFileBuffers(out))
        result = last_error();
    free(start);
    free(buffer);
    return result;
}

static HRESULT write_list(struct list *list, const char *volume, const WCHAR *target)
{
    WCHAR fresh[PATH];
    HRESULT result;
    HANDLE out;

    if (wcslen(target) > PATH - 8)
        return HRESULT_FROM_WIN32(ERROR_FILENAME_EXCED_RANGE);
    swprintf(fresh, PATH, L"%ls.new", target);
    out = CreateFileW(fresh, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    if (out == INVALID_HANDLE_VALUE)
        return last_error();
    result = put_all(out, list, volume);
    CloseHandle(out);
    if (SUCCEEDED(result) && !MoveFileW(fresh, target))
        result = last_error();
    if (FAILED(result))
        DeleteFileW(fresh);
    return result;
}

HRESULT image_write(const WCHAR *folder, const char *volume, const WCHAR *target)
{
    const WIN32_FIND_DATAW root = {.dwFileAttributes = FILE_ATTRIBUTE_DIRECTORY};
    struct list list = {0};
    WCHAR path[PATH];
    HRESULT result;

    if (wcslen(folder) > PATH - 8)
        return HRESULT_FROM_WIN32(ERROR_FILENAME_EXCED_RANGE);
    wcscpy(path, folder);
    while (path[0] && path[wcslen(path) - 1] == '\\')
        path[wcslen(path) - 1] = 0;
    result = add(&list, L"", path, 0, &root);
    if (SUCCEEDED(result))
        result = walk(&list, path, 0);
    if (SUCCEEDED(result))
        result = write_list(&list, volume, target);
    while (list.count)
        free(list.paths[--list.count]);
    free(list.paths);
    free(list.entries);
    return result;
}
