/* See site.h.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "site.h"

#include <stdio.h>
#include <stdlib.h>

#include "cache.h"
#include "service.h"
#include "text.h"
#include "url.h"

static const WCHAR parameters[] = L"SYSTEM\\CurrentControlSet\\Services\\W3SVC\\Parameters";

enum { WHOLE_MAX = 1 << 20, STEP = 1 << 18 }; /* a body that is sent at once, and a part of a longer one */

/* httpapi.dll of Wine 8.0 has no such function */
typedef ULONG WINAPI send_body(HANDLE, HTTP_REQUEST_ID, ULONG, USHORT, HTTP_DATA_CHUNK *, ULONG *, void *, ULONG, OVERLAPPED *, HTTP_LOG_DATA *);

void site_read(struct site *site)
{
    WCHAR list[DOCUMENTS_MAX * 64], *name, *next;
    DWORD i = 0;

    memset(site, 0, sizeof(*site));
    if (!setting_text(parameters, L"Root", site->root, MAX_PATH))
        wcscpy(site->root, L"C:\\inetpub\\wwwroot");
    if (!setting_text(parameters, L"LogFolder", site->logs, MAX_PATH))
        site->logs[0] = 0;
    if (!setting_text(parameters, L"DefaultDocuments", list, DOCUMENTS_MAX * 64))
        wcscpy(list, L"Default.htm,index.htm,index.html,iisstart.htm");
    for (name = list; name && i < DOCUMENTS_MAX; name = next) {
        if ((next = wcschr(name, ',')))
            *next++ = 0;
        if (name[0] && wcslen(name) < 64 && !wcspbrk(name, L"\\/:*?"))
            wcscpy(site->documents[i++], name);
    }
    site->public_port = setting_dword(L"SYSTEM\\CurrentControlSet\\Services\\HTTPFilter\\Parameters", L"Port", 80);
}

/* ---- responses ---- */

struct response {
    HTTP_RESPONSE http;
    HANDLE queue;
    HTTP_REQUEST_ID id;
    char date[TEXT_DATE], tag[40], range[80], length[24], location[2048], page[256];
};

static void set(struct response *r, HTTP_HEADER_ID header, const char *value)
{
    r->http.Headers.KnownHeaders[header].pRawValue = value;
    r->http.Headers.KnownHeaders[header].RawValueLength = (USHORT)strlen(value);
}

static void begin(struct response *r, HANDLE queue, const HTTP_REQUEST *request, USHORT status, const char *reason)
{
    memset(r, 0, sizeof(*r));
    r->queue = queue;
    r->id = request->RequestId;
    r->http.StatusCode = status;
    r->http.pReason = reason;
    r->http.ReasonLength = (USHORT)strlen(reason);
    set(r, HttpHeaderServer, "winesilo-W3SVC");
}

static void finish(struct response *r, const void *body, ULONG size)
{
    HTTP_DATA_CHUNK chunk = {.DataChunkType = HttpDataChunkFromMemory};

    chunk.FromMemory.pBuffer = (void *)body;
    chunk.FromMemory.BufferLength = size;
    if (size) {
        r->http.EntityChunkCount = 1;
        r->http.pEntityChunks = &chunk;
    }
    HttpSendHttpResponse(r->queue, r->id, 0, &r->http, NULL, NULL, NULL, 0, NULL, NULL);
}

/* an error, or a redirection, with a page that says so */
static struct outcome tell(const struct site *site, HANDLE queue, const HTTP_REQUEST *request, USHORT status, const char *reason,
                           DWORD error, const char *location)
{
    struct response r;
    int n;

    (void)site;
    begin(&r, queue, request, status, reason);
    n = snprintf(r.page, sizeof(r.page), "<!DOCTYPE html><title>%u</title><h1>%u %s</h1>\n", status, status, reason);
    set(&r, HttpHeaderContentType, "text/html");
    if (status == 405)
        set(&r, HttpHeaderAllow, "GET, HEAD");
    if (location)
        set(&r, HttpHeaderLocation, location);
    if (request->Verb == HttpVerbHEAD) {
        snprintf(r.length, sizeof(r.length), "%d", n);
        set(&r, HttpHeaderContentLength, r.length);
        n = 0;
    }
    finish(&r, r.page, (ULONG)n);
    return (struct outcome){status, error};
}

/* ---- files ---- */

struct file {
    const WCHAR *path;
    HANDLE handle;         /* INVALID_HANDLE_VALUE: its content is cached */
    struct cached *cached; /* NULL: not yet */
    uint64_t size;
    int64_t changed; /* seconds since 1970 */
    ULONGLONG stamp;
};

static DWORD set_file(struct file *file, DWORD attributes, ULONGLONG stamp, uint64_t size)
{
    if (attributes & FILE_ATTRIBUTE_DIRECTORY)
        return ERROR_DIRECTORY;
    if (attributes & FILE_ATTRIBUTE_HIDDEN)
        return ERROR_FILE_NOT_FOUND;
    file->size = size;
    file->stamp = stamp;
    file->changed = (int64_t)(stamp / 10000000) - 11644473600;
    return NO_ERROR;
}

/* As it is by its handle. Not by GetFileInformationByHandle: Wine asks a driver for the volume's number then. */
static DWORD set_opened(struct file *file)
{
    FILE_STANDARD_INFO standard;
    FILE_BASIC_INFO basic;

    if (!GetFileInformationByHandleEx(file->handle, FileBasicInfo, &basic, sizeof(basic)) ||
        !GetFileInformationByHandleEx(file->handle, FileStandardInfo, &standard, sizeof(standard)))
        return GetLastError();
    return set_file(file, basic.FileAttributes, (ULONGLONG)basic.LastWriteTime.QuadPart, (uint64_t)standard.EndOfFile.QuadPart);
}

/* ERROR_DIRECTORY: it is a folder. The path must live as long as the file. */
static DWORD open_file(const WCHAR *path, struct file *file)
{
    WIN32_FILE_ATTRIBUTE_DATA data;
    DWORD error;

    file->path = path;
    file->handle = INVALID_HANDLE_VALUE;
    if (!GetFileAttributesExW(path, GetFileExInfoStandard, &data))
        return GetLastError();
    if ((error = set_file(file, data.dwFileAttributes, (ULONGLONG)data.ftLastWriteTime.dwHighDateTime << 32 | data.ftLastWriteTime.dwLowDateTime,
                          (uint64_t)data.nFileSizeHigh << 32 | data.nFileSizeLow)))
        return error;
    if ((file->cached = cache_find(path, file->stamp, file->size)))
        return NO_ERROR;
    file->handle = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING,
                               FILE_FLAG_SEQUENTIAL_SCAN, NULL);
    if (file->handle == INVALID_HANDLE_VALUE)
        return GetLastError();
    if ((error = set_opened(file)))
        CloseHandle(file->handle);
    return error;
}

static void close_file(struct file *file)
{
    cache_release(file->cached);
    if (file->handle != INVALID_HANDLE_VALUE)
        CloseHandle(file->handle);
}

/* a header's value with a zero; empty where there is none, or it is too long */
static const char *header(const HTTP_REQUEST *request, HTTP_HEADER_ID id, char *text, size_t size)
{
    const HTTP_KNOWN_HEADER *known = &request->Headers.KnownHeaders[id];

    text[0] = 0;
    if (known->RawValueLength && known->RawValueLength < size) {
        memcpy(text, known->pRawValue, known->RawValueLength);
        text[known->RawValueLength] = 0;
    }
    return text;
}

static BOOL not_modified(const HTTP_REQUEST *request, const struct file *file, const char *tag)
{
    char text[1024];
    int64_t since;

    if (request->Headers.KnownHeaders[HttpHeaderIfNoneMatch].RawValueLength)
        return text_has_tag(header(request, HttpHeaderIfNoneMatch, text, sizeof(text)), tag);
    since = text_parse_date(header(request, HttpHeaderIfModifiedSince, text, sizeof(text)));
    return since >= 0 && file->changed <= since;
}

static enum range_result wanted_range(const HTTP_REQUEST *request, const struct file *file, const struct response *r, uint64_t *first,
                                      uint64_t *length)
{
    char text[256];

    *first = 0;
    *length = file->size;
    header(request, HttpHeaderIfRange, text, sizeof(text));
    if (text[0] && strcmp(text, r->tag) && strcmp(text, r->date))
        return RANGE_NONE;
    header(request, HttpHeaderRange, text, sizeof(text));
    return text[0] ? text_range(text, file->size, first, length) : RANGE_NONE;
}

static BOOL read_at(HANDLE handle, uint64_t at, char *data, DWORD size)
{
    OVERLAPPED place = {.Offset = (DWORD)at, .OffsetHigh = (DWORD)(at >> 32)};
    DWORD n;

    return ReadFile(handle, data, size, &n, &place) && n == size;
}

/* In parts, where Wine can. What fails on the way ends the connection: the length was told. */
static void send_parts(struct response *r, HANDLE handle, uint64_t first, uint64_t length, char *data, send_body *send)
{
    HTTP_DATA_CHUNK chunk = {.DataChunkType = HttpDataChunkFromMemory};

    HttpSendHttpResponse(r->queue, r->id, HTTP_SEND_RESPONSE_FLAG_MORE_DATA, &r->http, NULL, NULL, NULL, 0, NULL, NULL);
    while (length) {
        DWORD n = length < STEP ? (DWORD)length : STEP;

        if (!read_at(handle, first, data, n))
            n = 0;
        chunk.FromMemory.pBuffer = data;
        chunk.FromMemory.BufferLength = n;
        length -= n ? n : length;
        if (send(r->queue, r->id, length ? HTTP_SEND_RESPONSE_FLAG_MORE_DATA : 0, 1, &chunk, NULL, NULL, 0, NULL, NULL))
            return;
        first += n;
    }
}

static struct outcome send_file(const struct site *site, HANDLE queue, const HTTP_REQUEST *request, struct response *r,
                                const struct file *file, uint64_t first, uint64_t length)
{
    send_body *parts = (send_body *)(void *)GetProcAddress(GetModuleHandleW(L"httpapi.dll"), "HttpSendResponseEntityBody");
    BOOL whole = length <= WHOLE_MAX;
    char *data;

    snprintf(r->length, sizeof(r->length), "%llu", (unsigned long long)length);
    set(r, HttpHeaderContentLength, r->length);
    if (request->Verb == HttpVerbHEAD) {
        finish(r, NULL, 0);
        return (struct outcome){r->http.StatusCode, 0};
    }
    if (!whole && !parts)
        return tell(site, queue, request, 500, "Internal Server Error", ERROR_CALL_NOT_IMPLEMENTED, NULL);
    if (file->cached) {
        finish(r, cached_data(file->cached) + first, (ULONG)length);
        return (struct outcome){r->http.StatusCode, 0};
    }
    if (!(data = malloc(whole ? (size_t)length + 1 : STEP)))
        return tell(site, queue, request, 500, "Internal Server Error", ERROR_OUTOFMEMORY, NULL);
    if (whole && length && !read_at(file->handle, first, data, (DWORD)length)) {
        free(data);
        return tell(site, queue, request, 500, "Internal Server Error", ERROR_READ_FAULT, NULL);
    }
    if (whole) {
        finish(r, data, (ULONG)length);
        if (length == file->size)
            cache_keep(file->path, file->stamp, data, (DWORD)length);
    } else
        send_parts(r, file->handle, first, length, data, parts);
    free(data);
    return (struct outcome){r->http.StatusCode, 0};
}

static struct outcome answer_file(const struct site *site, HANDLE queue, const HTTP_REQUEST *request, const char *name, const struct file *file)
{
    struct response r;
    uint64_t first, length;

    begin(&r, queue, request, 200, "OK");
    text_date(r.date, file->changed);
    snprintf(r.tag, sizeof(r.tag), "\"%llx-%llx\"", file->stamp, (unsigned long long)file->size);
    set(&r, HttpHeaderLastModified, r.date);
    set(&r, HttpHeaderEtag, r.tag);
    set(&r, HttpHeaderAcceptRanges, "bytes");
    if (not_modified(request, file, r.tag)) {
        r.http.StatusCode = 304;
        r.http.pReason = "Not Modified";
        r.http.ReasonLength = 12;
        finish(&r, NULL, 0);
        return (struct outcome){304, 0};
    }
    set(&r, HttpHeaderContentType, text_type(name));
    switch (wanted_range(request, file, &r, &first, &length)) {
    case RANGE_GOOD:
        r.http.StatusCode = 206;
        r.http.pReason = "Partial Content";
        r.http.ReasonLength = 15;
        snprintf(r.range, sizeof(r.range), "bytes %llu-%llu/%llu", (unsigned long long)first, (unsigned long long)(first + length - 1),
                 (unsigned long long)file->size);
        set(&r, HttpHeaderContentRange, r.range);
        break;
    case RANGE_OUTSIDE:
        r.http.StatusCode = 416;
        r.http.pReason = "Range Not Satisfiable";
        r.http.ReasonLength = 21;
        snprintf(r.range, sizeof(r.range), "bytes */%llu", (unsigned long long)file->size);
        set(&r, HttpHeaderContentRange, r.range);
        finish(&r, NULL, 0);
        return (struct outcome){416, 0};
    default:
        break;
    }
    return send_file(site, queue, request, &r, file, first, length);
}

/* ---- requests ---- */

static struct outcome failed(const struct site *site, HANDLE queue, const HTTP_REQUEST *request, DWORD error)
{
    if (error == ERROR_ACCESS_DENIED || error == ERROR_SHARING_VIOLATION)
        return tell(site, queue, request, 403, "Forbidden", error, NULL);
    return tell(site, queue, request, 404, "Not Found", error, NULL);
}

/* The first default document of a folder; names are never listed. path has the folder, with a backslash. */
static struct outcome answer_folder(const struct site *site, HANDLE queue, const HTTP_REQUEST *request, WCHAR *path, size_t room)
{
    size_t n = wcslen(path);
    struct outcome outcome;
    struct file file;
    char name[64];
    DWORD i;

    for (i = 0; i < DOCUMENTS_MAX && site->documents[i][0]; i++) {
        if (n + wcslen(site->documents[i]) >= room)
            break;
        wcscpy(path + n, site->documents[i]);
        if (open_file(path, &file))
            continue;
        WideCharToMultiByte(CP_UTF8, 0, site->documents[i], -1, name, sizeof(name), NULL, NULL);
        outcome = answer_file(site, queue, request, name, &file);
        close_file(&file);
        return outcome;
    }
    return tell(site, queue, request, 403, "Forbidden", ERROR_ACCESS_DENIED, NULL);
}

/* "/folder" leads to "/folder/", or links in its pages would lead elsewhere */
static struct outcome redirect(const struct site *site, HANDLE queue, const HTTP_REQUEST *request)
{
    size_t n = 0;
    char location[2048];

    while (n < request->RawUrlLength && request->pRawUrl[n] != '?' && request->pRawUrl[n] != '#')
        n++;
    if (n + 1 >= sizeof(location) || request->pRawUrl[1] == '/') /* "//host" is another server */
        return tell(site, queue, request, 404, "Not Found", ERROR_FILE_NOT_FOUND, NULL);
    memcpy(location, request->pRawUrl, n);
    memcpy(location + n, "/", 2);
    return tell(site, queue, request, 301, "Moved Permanently", 0, location);
}

static struct outcome answer_path(const struct site *site, HANDLE queue, const HTTP_REQUEST *request, const char *name, int folder)
{
    WCHAR path[2048];
    size_t n = wcslen(site->root);
    struct outcome outcome;
    struct file file;
    DWORD attributes, error;

    wcscpy(path, site->root);
    path[n++] = '\\';
    if (!MultiByteToWideChar(CP_UTF8, 0, name, -1, path + n, 2048 - MAX_PATH - 2))
        return tell(site, queue, request, 404, "Not Found", ERROR_FILENAME_EXCED_RANGE, NULL);
    if (folder) {
        attributes = GetFileAttributesW(path);
        if (attributes == INVALID_FILE_ATTRIBUTES)
            return failed(site, queue, request, GetLastError());
        if (!(attributes & FILE_ATTRIBUTE_DIRECTORY))
            return tell(site, queue, request, 404, "Not Found", ERROR_DIRECTORY, NULL);
        if (name[0])
            wcscat(path, L"\\");
        return answer_folder(site, queue, request, path, 2048);
    }
    if ((error = open_file(path, &file)))
        return error == ERROR_DIRECTORY ? redirect(site, queue, request) : failed(site, queue, request, error);
    outcome = answer_file(site, queue, request, name, &file);
    close_file(&file);
    return outcome;
}

/* Wine takes "GE" for GET: the request itself tells. */
static BOOL is_allowed(const HTTP_REQUEST *request)
{
    return request->Verb == HttpVerbGET || request->Verb == HttpVerbHEAD;
}

struct outcome site_answer(const struct site *site, HANDLE queue, const HTTP_REQUEST *request)
{
    char *name = malloc(request->RawUrlLength + 1u);
    struct outcome outcome;
    int folder;

    if (!name)
        return tell(site, queue, request, 500, "Internal Server Error", ERROR_OUTOFMEMORY, NULL);
    if (!is_allowed(request))
        outcome = tell(site, queue, request, 405, "Method Not Allowed", 0, NULL);
    else
        switch (url_file(request->pRawUrl, request->RawUrlLength, name, &folder)) {
        case URL_GOOD:
            outcome = answer_path(site, queue, request, name, folder);
            break;
        case URL_BAD:
            outcome = tell(site, queue, request, 400, "Bad Request", 0, NULL);
            break;
        default:
            outcome = tell(site, queue, request, 404, "Not Found", ERROR_INVALID_NAME, NULL);
            break;
        }
    free(name);
    return outcome;
}
