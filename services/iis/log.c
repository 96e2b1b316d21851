/* The log: see site.h. A file per day, exYYMMDD.log, with the fields that IIS 6 logs by default.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "site.h"

static SRWLOCK lock = SRWLOCK_INIT;
static HANDLE file = INVALID_HANDLE_VALUE;
static DWORD day; /* that file is of: year, month and day in one number */

enum { LINE = 8192 };

struct line {
    char text[LINE];
    size_t n;
};

/* A field: no blanks, no control characters; "-" where it is empty; cut where it is very long. */
static void put(struct line *line, const char *text, size_t size)
{
    size_t limit = line->n + 2048 < LINE - 4 ? line->n + 2048 : LINE - 4, i;

    if (!size) {
        text = "-";
        size = 1;
    }
    for (i = 0; i < size && line->n < limit; i++)
        line->text[line->n++] = text[i] == ' ' ? '+' : (unsigned char)text[i] < ' ' || text[i] == 127 ? '?' : text[i];
    line->text[line->n++] = ' ';
}

static void put_number(struct line *line, DWORD number)
{
    char text[12];

    put(line, text, (size_t)snprintf(text, sizeof(text), "%lu", number));
}

static void put_address(struct line *line, const SOCKADDR *address)
{
    const unsigned char *a = (const unsigned char *)&((const SOCKADDR_IN *)address)->sin_addr;
    char text[16];

    put(line, text, address ? (size_t)snprintf(text, sizeof(text), "%u.%u.%u.%u", a[0], a[1], a[2], a[3]) : 0);
}

const char *unknown_header(const HTTP_REQUEST *request, const char *name, USHORT *size)
{
    USHORT i;

    for (i = 0; i < request->Headers.UnknownHeaderCount; i++) {
        const HTTP_UNKNOWN_HEADER *header = &request->Headers.pUnknownHeaders[i];

        if (header->NameLength == strlen(name) && !_strnicmp(header->pName, name, header->NameLength)) {
            *size = header->RawValueLength;
            return header->pRawValue;
        }
    }
    *size = 0;
    return NULL;
}

static void put_verb(struct line *line, const HTTP_REQUEST *request)
{
    static const char *const verbs[] = {"OPTIONS", "GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "CONNECT", "TRACK", "MOVE",
                                        "COPY", "PROPFIND", "PROPPATCH", "MKCOL", "LOCK", "UNLOCK", "SEARCH"};
    DWORD verb = (DWORD)request->Verb - HttpVerbOPTIONS;

    if (verb < sizeof(verbs) / sizeof(verbs[0]))
        put(line, verbs[verb], strlen(verbs[verb]));
    else
        put(line, request->pUnknownVerb, request->UnknownVerbLength);
}

/* date time s-sitename s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) sc-status sc-substatus
 * sc-win32-status */
static void format(struct line *line, const struct site *site, const HTTP_REQUEST *request, struct outcome outcome, const SYSTEMTIME *now)
{
    const HTTP_KNOWN_HEADER *agent = &request->Headers.KnownHeaders[HttpHeaderUserAgent];
    const char *query = memchr(request->pRawUrl, '?', request->RawUrlLength), *peer;
    size_t stem = query ? (size_t)(query - request->pRawUrl) : request->RawUrlLength;
    USHORT n;

    line->n = (size_t)snprintf(line->text, LINE, "%04u-%02u-%02u %02u:%02u:%02u W3SVC1 ", now->wYear, now->wMonth, now->wDay, now->wHour,
                               now->wMinute, now->wSecond);
    put_address(line, request->Address.pLocalAddress);
    put_verb(line, request);
    put(line, request->pRawUrl, stem);
    put(line, query ? query + 1 : NULL, query ? request->RawUrlLength - stem - 1 : 0);
    put_number(line, site->public_port);
    put(line, NULL, 0);
    if ((peer = unknown_header(request, "X-Forwarded-For", &n))) /* HTTPFilter says whom it speaks for */
        put(line, peer, n);
    else
        put_address(line, request->Address.pRemoteAddress);
    put(line, agent->pRawValue, agent->RawValueLength);
    put_number(line, outcome.status);
    put_number(line, 0);
    put_number(line, outcome.error);
    line->text[line->n - 1] = '\r';
    line->text[line->n++] = '\n';
}

static void make_folders(const WCHAR *path)
{
    WCHAR part[MAX_PATH];
    size_t i;

    for (i = 3; i <= wcslen(path); i++)
        if (!path[i] || path[i] == '\\') {
            wcsncpy(part, path, i);
            part[i] = 0;
            CreateDirectoryW(part, NULL);
        }
}

static void begin_file(const struct site *site, const SYSTEMTIME *now)
{
    WCHAR path[MAX_PATH + 32];
    char head[512];
    DWORD n;

    if (file != INVALID_HANDLE_VALUE)
        CloseHandle(file);
    make_folders(site->logs);
    swprintf(path, MAX_PATH + 32, L"%ls\\ex%02u%02u%02u.log", site->logs, now->wYear % 100, now->wMonth, now->wDay);
    file = CreateFileW(path, FILE_APPEND_DATA, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL, OPEN_ALWAYS, 0, NULL);
    if (file == INVALID_HANDLE_VALUE)
        return;
    n = (DWORD)snprintf(head, sizeof(head),
                        "#Software: winesilo W3SVC\r\n#Version: 1.0\r\n#Date: %04u-%02u-%02u %02u:%02u:%02u\r\n#Fields: date time s-sitename "
                        "s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) sc-status sc-substatus "
                        "sc-win32-status\r\n",
                        now->wYear, now->wMonth, now->wDay, now->wHour, now->wMinute, now->wSecond);
    WriteFile(file, head, n, &n, NULL);
}

void log_request(const struct site *site, const HTTP_REQUEST *request, struct outcome outcome)
{
    SYSTEMTIME now;
    struct line line;
    DWORD today, n;

    if (!site->logs[0])
        return;
    GetSystemTime(&now);
    today = ((DWORD)now.wYear * 16 + now.wMonth) * 32 + now.wDay;
    format(&line, site, request, outcome, &now);
    AcquireSRWLockExclusive(&lock);
    if (file == INVALID_HANDLE_VALUE || day != today) {
        begin_file(site, &now);
        day = today;
    }
    if (file != INVALID_HANDLE_VALUE)
        WriteFile(file, line.text, (DWORD)line.n, &n, NULL);
    ReleaseSRWLockExclusive(&lock);
}

void log_close(void)
{
    AcquireSRWLockExclusive(&lock);
    if (file != INVALID_HANDLE_VALUE)
        CloseHandle(file);
    file = INVALID_HANDLE_VALUE;
    ReleaseSRWLockExclusive(&lock);
}
