/* See pipe.h. Each client has a thread; its queries are its own.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pipe.h"

#include <stdlib.h>
#include <string.h>

#include "index.h"
#include "protocol.h"

enum { CURSORS_MAX = 16 };

struct cursor {
    uint32_t id, count, at;
    struct index index;
    void *data;
    uint32_t *rows;
};

struct client {
    HANDLE pipe, stop, done;
    struct served *catalogs, *catalog;
    DWORD count;
    struct cursor cursors[CURSORS_MAX];
    uint32_t next_id;
};

/* one message in, one out */
struct exchange {
    struct ci_header in;
    const uint8_t *body;
    DWORD body_size;
    uint8_t *out; /* of CI_MESSAGE_MAX bytes, after the header */
    DWORD out_size;
};

static HANDLE next_instance = INVALID_HANDLE_VALUE;
static volatile LONG clients = 1; /* and the server itself */
static HANDLE all_gone;

static HANDLE make_instance(BOOL first)
{
    return CreateNamedPipeW(CI_PIPE, PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | (first ? FILE_FLAG_FIRST_PIPE_INSTANCE : 0),
                            PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE, PIPE_UNLIMITED_INSTANCES, CI_MESSAGE_MAX, CI_MESSAGE_MAX, 0, NULL);
}

DWORD pipe_begin(void)
{
    all_gone = CreateEventW(NULL, TRUE, FALSE, NULL);
    next_instance = make_instance(TRUE);
    return !all_gone || next_instance == INVALID_HANDLE_VALUE ? GetLastError() : NO_ERROR;
}

/* ---- queries ---- */

static void *read_index(const struct catalog *catalog, DWORD *size)
{
    WCHAR path[MAX_PATH + 16];
    LARGE_INTEGER length;
    void *data = NULL;
    HANDLE file;

    catalog_file(catalog, L"index", path);
    file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING, 0, NULL);
    if (file == INVALID_HANDLE_VALUE)
        return NULL;
    if (GetFileSizeEx(file, &length) && length.QuadPart < MAXLONG && (data = malloc((size_t)length.QuadPart + 1)) &&
        !ReadFile(file, data, (DWORD)length.QuadPart, size, NULL)) {
        free(data);
        data = NULL;
    }
    CloseHandle(file);
    return data;
}

static void free_cursor(struct cursor *cursor)
{
    free(cursor->data);
    free(cursor->rows);
    memset(cursor, 0, sizeof(*cursor));
}

static struct cursor *cursor_of(struct client *client, uint32_t id)
{
    struct cursor *cursor;

    for (cursor = client->cursors; cursor < client->cursors + CURSORS_MAX; cursor++)
        if (cursor->id == id)
            return cursor;
    return NULL;
}

/* A text in UTF-16 with its zero. */
static const WCHAR *text_of(const struct exchange *x)
{
    size_t units = x->body_size / sizeof(WCHAR);

    return units && units <= CI_TEXT_MAX && !((const WCHAR *)x->body)[units - 1] ? (const WCHAR *)x->body : NULL;
}

static HRESULT run_query(struct cursor *cursor, const WCHAR *text)
{
    char query[CI_TEXT_MAX * 3];
    uint8_t *found;
    uint32_t i, n = 0;

    if (!WideCharToMultiByte(CP_UTF8, 0, text, -1, query, sizeof(query), NULL, NULL))
        return E_INVALIDARG;
    found = malloc(cursor->index.documents + 1);
    cursor->rows = malloc(((size_t)cursor->index.documents + 1) * sizeof(*cursor->rows));
    if (!found || !cursor->rows) {
        free(found);
        return E_OUTOFMEMORY;
    }
    cursor->count = index_query(&cursor->index, query, found);
    for (i = 0; i < cursor->index.documents; i++)
        if (found[i])
            cursor->rows[n++] = i;
    free(found);
    return S_OK;
}

static HRESULT create_query(struct client *client, struct exchange *x)
{
    struct cursor *cursor = cursor_of(client, 0);
    const WCHAR *text = text_of(x);
    HRESULT result;
    DWORD size = 0;

    if (!client->catalog)
        return E_UNEXPECTED;
    if (!text)
        return E_INVALIDARG;
    if (!cursor)
        return HRESULT_FROM_WIN32(ERROR_TOO_MANY_OPEN_FILES);
    cursor->data = read_index(&client->catalog->catalog, &size);
    if (!cursor->data || !index_open(&cursor->index, cursor->data, size)) {
        free_cursor(cursor);
        return HRESULT_FROM_WIN32(ERROR_NOT_READY);
    }
    if ((result = run_query(cursor, text))) {
        free_cursor(cursor);
        return result;
    }
    cursor->id = ++client->next_id;
    memcpy(x->out, &cursor->id, 4);
    memcpy(x->out + 4, &cursor->count, 4);
    x->out_size = 8;
    return S_OK;
}

static HRESULT get_rows(struct client *client, struct exchange *x)
{
    uint32_t id, max, n = 0;
    struct cursor *cursor;
    DWORD at = 4;

    if (x->body_size != 8)
        return E_INVALIDARG;
    memcpy(&id, x->body, 4);
    memcpy(&max, x->body + 4, 4);
    if (!id || !(cursor = cursor_of(client, id)))
        return E_HANDLE;
    for (; n < max && cursor->at < cursor->count; n++, cursor->at++) {
        const struct index_document document = index_document(&cursor->index, cursor->rows[cursor->at]);
        struct ci_row row = {document.size, document.written, 0, 0};
        int room = (int)(CI_MESSAGE_MAX - sizeof(struct ci_header) - at - sizeof(row)) / (int)sizeof(WCHAR);

        row.path_units = room > 0 ? (uint32_t)MultiByteToWideChar(CP_UTF8, 0, document.path, (int)document.path_size,
                                                                  (WCHAR *)(x->out + at + sizeof(row)), room) : 0;
        if (!row.path_units)
            break; /* in the next message */
        memcpy(x->out + at, &row, sizeof(row));
        at += (DWORD)(sizeof(row) + row.path_units * sizeof(WCHAR));
    }
    memcpy(x->out, &n, 4);
    x->out_size = at;
    return S_OK;
}

static HRESULT connect_catalog(struct client *client, struct exchange *x)
{
    const WCHAR *name = text_of(x);
    const uint32_t version = CI_VERSION;
    DWORD i;

    if (!name)
        return E_INVALIDARG;
    for (i = 0; i < client->count; i++)
        if (!name[0] || !lstrcmpiW(name, client->catalogs[i].catalog.name)) {
            client->catalog = &client->catalogs[i];
            memcpy(x->out, &version, x->out_size = 4);
            return S_OK;
        }
    return HRESULT_FROM_WIN32(ERROR_FILE_NOT_FOUND);
}

static HRESULT tell_state(struct client *client, struct exchange *x)
{
    struct ci_state state = {0};
    struct index index;
    DWORD size = 0;
    void *data;

    if (!client->catalog)
        return E_UNEXPECTED;
    state.scanning = (uint32_t)client->catalog->state->scanning;
    state.scans = (uint32_t)client->catalog->state->scans;
    if ((data = read_index(&client->catalog->catalog, &size)) && index_open(&index, data, size)) {
        state.documents = index.documents;
        state.words = index.words;
    }
    free(data);
    memcpy(x->out, &state, x->out_size = sizeof(state));
    return S_OK;
}

static HRESULT rescan(struct client *client)
{
    if (!client->catalog)
        return E_UNEXPECTED;
    InterlockedExchange(&client->catalog->state->scanning, 1);
    SetEvent(client->catalog->scan);
    return S_OK;
}

static HRESULT free_query(struct client *client, struct exchange *x)
{
    struct cursor *cursor;
    uint32_t id;

    if (x->body_size != 4)
        return E_INVALIDARG;
    memcpy(&id, x->body, 4);
    if (!id || !(cursor = cursor_of(client, id)))
        return E_HANDLE;
    free_cursor(cursor);
    return S_OK;
}

static HRESULT answer(struct client *client, struct exchange *x)
{
    switch (x->in.message) {
    case CI_CONNECT:
        return connect_catalog(client, x);
    case CI_CREATE_QUERY:
        return create_query(client, x);
    case CI_GET_ROWS:
        return get_rows(client, x);
    case CI_FREE_CURSOR:
        return free_query(client, x);
    case CI_STATE:
        return tell_state(client, x);
    case CI_RESCAN:
        return rescan(client);
    default:
        return E_NOTIMPL;
    }
}

/* ---- clients ---- */

/* Wait for a call on the pipe; false if it failed or the service stops. */
static BOOL finish(struct client *client, OVERLAPPED *overlapped, BOOL done, DWORD *n)
{
    const HANDLE handles[] = {client->stop, overlapped->hEvent};

    if (!done && GetLastError() != ERROR_IO_PENDING)
        return FALSE;
    if (!done && WaitForMultipleObjects(2, handles, FALSE, INFINITE) == WAIT_OBJECT_0) {
        CancelIo(client->pipe);
        GetOverlappedResult(client->pipe, overlapped, n, TRUE);
        return FALSE;
    }
    return GetOverlappedResult(client->pipe, overlapped, n, TRUE);
}

static void converse(struct client *client)
{
    static const struct ci_header none;
    union {
        struct ci_header header;
        uint64_t aligned;
        uint8_t bytes[CI_MESSAGE_MAX];
    } *in = malloc(sizeof(*in)), *out = malloc(sizeof(*out));
    OVERLAPPED overlapped = {.hEvent = client->done};
    DWORD n;

    while (in && out && finish(client, &overlapped, ReadFile(client->pipe, in, sizeof(*in), NULL, &overlapped), &n)) {
        struct exchange x = {none, in->bytes + sizeof(in->header), 0, out->bytes + sizeof(out->header), 0};
        HRESULT result;

        if (n < sizeof(x.in) || in->header.message == CI_DISCONNECT)
            break;
        x.in = in->header;
        x.body_size = n - (DWORD)sizeof(x.in);
        result = answer(client, &x);
        out->header = (struct ci_header){x.in.message, (uint32_t)result, 0, 0};
        if (FAILED(result))
            x.out_size = 0;
        if (!finish(client, &overlapped, WriteFile(client->pipe, out, (DWORD)sizeof(x.in) + x.out_size, NULL, &overlapped), &n))
            break;
    }
    free(in);
    free(out);
}

static void client_gone(void)
{
    if (!InterlockedDecrement(&clients))
        SetEvent(all_gone);
}

static DWORD WINAPI serve_client(void *context)
{
    struct client *client = context;
    struct cursor *cursor;

    converse(client);
    for (cursor = client->cursors; cursor < client->cursors + CURSORS_MAX; cursor++)
        free_cursor(cursor);
    FlushFileBuffers(client->pipe);
    DisconnectNamedPipe(client->pipe);
    CloseHandle(client->pipe);
    CloseHandle(client->done);
    free(client);
    client_gone();
    return 0;
}

static void start_client(struct served *catalogs, DWORD count, HANDLE stop, HANDLE pipe)
{
    struct client *client = calloc(1, sizeof(*client));
    HANDLE thread;

    if (client) {
        *client = (struct client){.pipe = pipe, .stop = stop, .catalogs = catalogs, .count = count};
        client->done = CreateEventW(NULL, TRUE, FALSE, NULL);
        InterlockedIncrement(&clients);
        if (client->done && (thread = CreateThread(NULL, 0, serve_client, client, 0, NULL))) {
            CloseHandle(thread);
            return;
        }
        client_gone();
        free(client);
    }
    CloseHandle(pipe);
}

DWORD pipe_serve(struct served *catalogs, DWORD count, HANDLE stop)
{
    OVERLAPPED overlapped = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
    const HANDLE handles[] = {stop, overlapped.hEvent};
    DWORD error = NO_ERROR, n;

    while (!error && overlapped.hEvent) {
        HANDLE pipe = next_instance;
        BOOL connected = ConnectNamedPipe(pipe, &overlapped) || GetLastError() == ERROR_PIPE_CONNECTED;

        if (!connected && GetLastError() == ERROR_IO_PENDING) {
            if (WaitForMultipleObjects(2, handles, FALSE, INFINITE) == WAIT_OBJECT_0) {
                CancelIo(pipe);
                GetOverlappedResult(pipe, &overlapped, &n, TRUE);
                break;
            }
            connected = GetOverlappedResult(pipe, &overlapped, &n, TRUE);
        }
        next_instance = make_instance(FALSE);
        if (next_instance == INVALID_HANDLE_VALUE)
            error = GetLastError();
        if (connected)
            start_client(catalogs, count, stop, pipe);
        else
            CloseHandle(pipe);
    }
    if (next_instance != INVALID_HANDLE_VALUE)
        CloseHandle(next_instance);
    SetEvent(stop);
    client_gone();
    WaitForSingleObject(all_gone, INFINITE); /* they use what is freed next */
    CloseHandle(overlapped.hEvent);
    return error;
}
