/* The worker of one catalogue: finds its documents, reads their words, writes its index. Started by cisvc.exe.
 *
 *   cidaemon.exe CATALOG SCAN STOP STATE     inherited: two events and a section (struct worker_state), as numbers
 *
 * A scan reads only what has changed since the index was written (size or time of last write). A new index takes the
 * old one's place in one step.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>

#include "catalog.h"
#include "index.h"

struct found {
    char *path;
    uint64_t size, written;
};

struct scan {
    const struct catalog *catalog;
    HANDLE stop;
    struct found *found;
    uint32_t count, room;
    BOOL failed;
};

static char *utf8(const WCHAR *text)
{
    int n = WideCharToMultiByte(CP_UTF8, 0, text, -1, NULL, 0, NULL, NULL);
    char *result = malloc((size_t)n);

    if (result)
        WideCharToMultiByte(CP_UTF8, 0, text, -1, result, n, NULL, NULL);
    return result;
}

static uint64_t both(DWORD high, DWORD low)
{
    return (uint64_t)high << 32 | low;
}

/* ---- which documents there are ---- */

static BOOL is_excluded(const struct catalog *catalog, const WCHAR *path)
{
    DWORD i;

    for (i = 0; i < catalog->scope_count; i++)
        if (!catalog->scopes[i].included && !lstrcmpiW(catalog->scopes[i].path, path))
            return TRUE;
    return !lstrcmpiW(catalog->folder, path);
}

static void note_file(struct scan *scan, const WCHAR *path, const WIN32_FIND_DATAW *data)
{
    if (scan->count == scan->room) {
        uint32_t room = scan->room ? 2 * scan->room : 256;
        void *more = realloc(scan->found, room * sizeof(*scan->found));

        if (!more) {
            scan->failed = TRUE;
            return;
        }
        scan->found = more;
        scan->room = room;
    }
    scan->found[scan->count].path = utf8(path);
    scan->found[scan->count].size = both(data->nFileSizeHigh, data->nFileSizeLow);
    scan->found[scan->count].written = both(data->ftLastWriteTime.dwHighDateTime, data->ftLastWriteTime.dwLowDateTime);
    scan->failed |= !scan->found[scan->count++].path;
}

/* path: room for 1024; its first n are the folder. Deeper paths than that are left out. */
static void walk(struct scan *scan, WCHAR *path, size_t n)
{
    WIN32_FIND_DATAW data;
    HANDLE find;

    if (n > 1020 || is_excluded(scan->catalog, path))
        return;
    wcscpy(path + n, L"\\*");
    find = FindFirstFileW(path, &data);
    path[n] = 0;
    if (find == INVALID_HANDLE_VALUE)
        return;
    do {
        size_t length = wcslen(data.cFileName);

        if (!wcscmp(data.cFileName, L".") || !wcscmp(data.cFileName, L"..") || n + 1 + length > 1020 ||
            (data.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT))
            continue;
        path[n] = '\\';
        wcscpy(path + n + 1, data.cFileName);
        if (data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY)
            walk(scan, path, n + 1 + length);
        else
            note_file(scan, path, &data);
        path[n] = 0;
        scan->failed |= WaitForSingleObject(scan->stop, 0) == WAIT_OBJECT_0;
    } while (!scan->failed && FindNextFileW(find, &data));
    FindClose(find);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct found *)a)->path, ((const struct found *)b)->path);
}

/* Scopes may lie within each other. */
static void sort_found(struct scan *scan)
{
    uint32_t i, kept = 0;

    qsort(scan->found, scan->count, sizeof(*scan->found), by_path);
    for (i = 0; i < scan->count; i++) {
        if (kept && !strcmp(scan->found[kept - 1].path, scan->found[i].path))
            free(scan->found[i].path);
        else
            scan->found[kept++] = scan->found[i];
    }
    scan->count = kept;
}

/* ---- their words ---- */

static void *read_file(const WCHAR *path, DWORD largest, DWORD *size)
{
    HANDLE file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING, 0, NULL);
    LARGE_INTEGER length;
    void *data = NULL;

    if (file == INVALID_HANDLE_VALUE)
        return NULL;
    if (GetFileSizeEx(file, &length) && length.QuadPart <= largest && (data = malloc((size_t)length.QuadPart + 1)) &&
        !ReadFile(file, data, (DWORD)length.QuadPart, size, NULL)) {
        free(data);
        data = NULL;
    }
    CloseHandle(file);
    return data;
}

static bool add_utf16(struct index_builder *builder, const WCHAR *text, DWORD units)
{
    int n = WideCharToMultiByte(CP_UTF8, 0, text, (int)units, NULL, 0, NULL, NULL);
    char *converted = malloc((size_t)n + 1);
    bool good = converted != NULL;

    if (good) {
        WideCharToMultiByte(CP_UTF8, 0, text, (int)units, converted, n, NULL, NULL);
        good = index_add_text(builder, converted, (size_t)n);
    }
    free(converted);
    return good;
}

/* Text is UTF-8 (or another one of bytes), or UTF-16 that says so; what has a zero early is something else. Every
 * document is found by the words of its name, too. */
static bool add_words(struct index_builder *builder, const char *path, DWORD largest)
{
    const char *name = strrchr(path, '\\');
    WCHAR wide[1024];
    DWORD size = 0;
    bool good = index_add_text(builder, name ? name : path, strlen(name ? name : path));
    uint8_t *data;

    if (!good || !MultiByteToWideChar(CP_UTF8, 0, path, -1, wide, 1024) || !(data = read_file(wide, largest, &size)))
        return good;
    if (size >= 2 && data[0] == 0xff && data[1] == 0xfe)
        good = add_utf16(builder, (const WCHAR *)(data + 2), (size - 2) / 2);
    else if (!memchr(data, 0, size < 4096 ? size : 4096))
        good = index_add_text(builder, (const char *)data, size);
    free(data);
    return good;
}

/* ---- the index ---- */

/* Add all documents; *changed tells whether any differs from the old index. */
static bool build(struct scan *scan, struct index_builder *builder, const struct index *old, uint32_t *to, BOOL *changed)
{
    DWORD largest = catalog_largest();
    uint32_t i;

    for (i = 0; i < scan->count; i++) {
        const struct found *f = &scan->found[i];
        const struct index_document document = {f->size, f->written, f->path, (uint32_t)strlen(f->path)};
        uint32_t before = index_find(old, document.path, document.path_size);
        bool same = false;

        if (before != UINT32_MAX) {
            const struct index_document was = index_document(old, before);

            same = was.size == document.size && was.written == document.written;
        }
        if (WaitForSingleObject(scan->stop, 0) == WAIT_OBJECT_0 || !index_add(builder, &document))
            return false;
        if (same)
            to[before] = i;
        else if (!add_words(builder, f->path, largest))
            return false;
        *changed |= !same;
    }
    return !(*changed || scan->count != old->documents) || index_take_over(builder, old, to);
}

static BOOL publish(const struct catalog *catalog, const void *data, size_t size)
{
    WCHAR path[MAX_PATH + 16], fresh[MAX_PATH + 16];
    DWORD written = 0;
    BOOL good;
    HANDLE file;

    catalog_file(catalog, L"index", path);
    catalog_file(catalog, L"index.new", fresh);
    file = CreateFileW(fresh, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    if (file == INVALID_HANDLE_VALUE)
        return FALSE;
    good = WriteFile(file, data, (DWORD)size, &written, NULL) && written == size && FlushFileBuffers(file);
    good = CloseHandle(file) && good;
    return good && MoveFileExW(fresh, path, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH);
}

static void update(struct scan *scan)
{
    WCHAR path[MAX_PATH + 16];
    DWORD size = 0;
    struct index old = {0};
    struct index_builder *builder = index_new();
    void *data, *fresh = NULL;
    BOOL changed, known;
    uint32_t *to, i;
    size_t n;

    catalog_file(scan->catalog, L"index", path);
    data = read_file(path, MAXLONG, &size);
    known = data && index_open(&old, data, size);
    if (!known)
        memset(&old, 0, sizeof(old));
    changed = !known;
    to = malloc(((size_t)old.documents + 1) * sizeof(*to));
    for (i = 0; to && i < old.documents; i++)
        to[i] = UINT32_MAX;
    if (builder && to && build(scan, builder, &old, to, &changed) && (changed || scan->count != old.documents) &&
        (fresh = index_write(builder, &n)))
        publish(scan->catalog, fresh, n);
    index_free(builder);
    free(fresh);
    free(to);
    free(data);
}

static void run_scan(const struct catalog *catalog, HANDLE stop)
{
    struct scan scan = {.catalog = catalog, .stop = stop};
    WCHAR path[1024];
    uint32_t i;

    for (i = 0; i < catalog->scope_count; i++)
        if (catalog->scopes[i].included) {
            wcscpy(path, catalog->scopes[i].path);
            walk(&scan, path, wcslen(path) - (path[wcslen(path) - 1] == '\\'));
        }
    if (!scan.failed) {
        sort_found(&scan);
        update(&scan);
    }
    for (i = 0; i < scan.count; i++)
        free(scan.found[i].path);
    free(scan.found);
}

/* ---- the process ---- */

static void make_folders(const WCHAR *folder)
{
    WCHAR part[MAX_PATH];
    size_t i;

    for (i = 3; i <= wcslen(folder); i++)
        if (!folder[i] || folder[i] == '\\') {
            wcsncpy(part, folder, i);
            part[i] = 0;
            CreateDirectoryW(part, NULL);
        }
}

static HANDLE handle_of(const WCHAR *number)
{
    return (HANDLE)(uintptr_t)_wcstoui64(number, NULL, 10);
}

int wmain(int argc, WCHAR **argv)
{
    static struct catalog catalogs[CATALOGS_MAX];
    struct worker_state *state;
    HANDLE scan, stop;

    if (argc != 5 || !catalogs_read(catalogs, argv[1]) ||
        !(state = MapViewOfFile(handle_of(argv[4]), FILE_MAP_WRITE, 0, 0, sizeof(*state)))) {
        wprintf(L"cidaemon.exe is started by the indexing service.\n");
        return 1;
    }
    scan = handle_of(argv[2]);
    stop = handle_of(argv[3]);
    make_folders(catalogs->folder);
    for (;;) {
        const HANDLE handles[] = {stop, scan};

        InterlockedExchange(&state->scanning, 1);
        run_scan(catalogs, stop);
        InterlockedIncrement(&state->scans);
        InterlockedExchange(&state->scanning, 0);
        if (WaitForMultipleObjects(2, handles, FALSE, catalog_interval() * 60000) == WAIT_OBJECT_0)
            return 0;
    }
}
