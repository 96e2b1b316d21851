/* HTTPFilter: the filter between the network and http.sys. Connections of clients end here; their requests go on to http.sys
 * as it can read them (head.h), its responses back.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <winsock2.h>
#include <ws2tcpip.h>
#include <http.h>

#include <stdio.h>
#include <stdlib.h>

#include "head.h"
#include "listener.h"
#include "service.h"

enum { CHUNK = 65536, IDLE_MS = 120000, BODY_MAX = 30000000 };

static const WCHAR parameters[] = L"SYSTEM\\CurrentControlSet\\Services\\HTTPFilter\\Parameters";

struct filter {
    HANDLE stop, idle;
    struct listener listener;
    CRITICAL_SECTION lock;
    struct connection *first;
    DWORD backend;
};

/* One client, with the connection to http.sys that serves it. Each has what it has read too much of. */
struct side {
    SOCKET socket;
    size_t size;
    char data[HEAD_MAX + CHUNK];
};

struct connection {
    struct connection *next, *before;
    struct filter *filter;
    struct side client, server;
    char peer[INET_ADDRSTRLEN];
    char head[HEAD_MAX + HEAD_MORE];
};

/* ---- streams ---- */

static BOOL send_all(SOCKET socket, const char *data, size_t size)
{
    while (size) {
        int n = send(socket, data, (int)(size < CHUNK ? size : CHUNK), 0);

        if (n <= 0)
            return FALSE;
        data += n;
        size -= (size_t)n;
    }
    return TRUE;
}

static BOOL receive_more(struct side *side)
{
    int n = recv(side->socket, side->data + side->size, (int)(sizeof(side->data) - side->size), 0);

    if (n <= 0)
        return FALSE;
    side->size += (size_t)n;
    return TRUE;
}

static void take(struct side *side, size_t n)
{
    memmove(side->data, side->data + n, side->size -= n);
}

/* The size of the head at the front; 0: it does not come, or is too long. */
static size_t receive_head(struct side *side)
{
    size_t n;

    while (!(n = head_size(side->data, side->size)))
        if (side->size >= HEAD_MAX || !receive_more(side))
            return 0;
    return n <= HEAD_MAX ? n : 0;
}

static BOOL pass_on(struct side *from, SOCKET to, uint64_t size)
{
    while (size) {
        size_t n = from->size < size ? from->size : (size_t)size;

        if (n && !send_all(to, from->data, n))
            return FALSE;
        take(from, n);
        size -= n;
        if (size && !receive_more(from))
            return FALSE;
    }
    return TRUE;
}

/* ---- requests ---- */

static BOOL connect_server(struct connection *c)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((u_short)c->filter->backend)};
    BOOL now = TRUE;

    if (c->server.socket != INVALID_SOCKET)
        return TRUE;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->server.size = 0;
    c->server.socket = socket(AF_INET, SOCK_STREAM, 0);
    if (c->server.socket == INVALID_SOCKET || connect(c->server.socket, (struct sockaddr *)&address, sizeof(address)))
        return FALSE;
    setsockopt(c->server.socket, IPPROTO_TCP, TCP_NODELAY, (char *)&now, sizeof(now));
    return TRUE;
}

static void refuse(struct connection *c, const char *status)
{
    char text[160];
    int n = snprintf(text, sizeof(text), "HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status);

    send_all(c->client.socket, text, (size_t)n);
}

/* a line of a chunked body: its size in *value, taken from the front */
static BOOL take_line(struct side *side, uint64_t *value)
{
    char *end;

    while (!(end = memchr(side->data, '\n', side->size)))
        if (side->size >= 4096 || !receive_more(side))
            return FALSE;
    *end = 0;
    *value = _strtoui64(side->data, NULL, 16);
    take(side, (size_t)(end - side->data) + 1);
    return TRUE;
}

/* The whole of a chunked body; NULL: it is too long, or wrong. */
static char *receive_chunks(struct side *side, size_t *size)
{
    char *body = NULL, *more;
    uint64_t n, none;

    for (*size = 0; take_line(side, &n); *size += (size_t)n) {
        if (!n)
            return take_line(side, &none) ? body ? body : calloc(1, 1) : (free(body), NULL);
        if (n > BODY_MAX - *size || !(more = realloc(body, *size + (size_t)n)))
            break;
        body = more;
        while (side->size < n && side->size < CHUNK && receive_more(side))
            ;
        for (uint64_t got = 0; got < n;) {
            size_t part = side->size < n - got ? side->size : (size_t)(n - got);

            memcpy(body + *size + got, side->data, part);
            take(side, part);
            got += part;
            if (got < n && !receive_more(side)) {
                free(body);
                return NULL;
            }
        }
        if (!take_line(side, &none))
            break;
    }
    free(body);
    return NULL;
}

/* The collected body behind the head, which lacks its length: in one piece, as Wine's http.sys may take a head that
 * comes in several for a wrong one. */
static BOOL send_collected(struct connection *c, size_t size, const char *body, size_t n)
{
    enum { LENGTH = 64 };
    char *whole = malloc(size + LENGTH + n);
    size_t at = size;
    BOOL good;

    if (!whole)
        return FALSE;
    memcpy(whole, c->head, size);
    at += (size_t)snprintf(whole + at, LENGTH, "Content-Length: %llu\r\n\r\n", (unsigned long long)n);
    memcpy(whole + at, body, n);
    good = send_all(c->server.socket, whole, at + n);
    free(whole);
    return good;
}

static BOOL send_request(struct connection *c, const struct head *request, size_t size)
{
    char *body;
    size_t n;
    BOOL good;

    if (request->expects && !send_all(c->client.socket, "HTTP/1.1 100 Continue\r\n\r\n", 25))
        return FALSE;
    if (!request->chunked)
        return send_all(c->server.socket, c->head, size) && pass_on(&c->client, c->server.socket, request->length);
    if (!(body = receive_chunks(&c->client, &n)))
        return FALSE;
    good = send_collected(c, size, body, n);
    free(body);
    return good;
}

/* Bring the response; false where the connection can't go on. */
static BOOL bring_response(struct connection *c, const struct head *request)
{
    struct head response;
    size_t n = receive_head(&c->server), size;

    if (!n || !(size = head_response(&response, c->server.data, n, request->close, c->head))) {
        refuse(c, "502 Bad Gateway");
        return FALSE;
    }
    take(&c->server, n);
    if (!send_all(c->client.socket, c->head, size))
        return FALSE;
    if (!request->no_body && response.status != 304 && response.status != 204 && !pass_on(&c->server, c->client.socket, response.length))
        return FALSE;
    return !request->close;
}

static BOOL serve_one(struct connection *c)
{
    size_t n = receive_head(&c->client), size;
    struct head request;

    if (!n) {
        if (c->client.size)
            refuse(c, c->client.size >= HEAD_MAX ? "431 Request Header Fields Too Large" : "400 Bad Request");
        return FALSE;
    }
    if (!(size = head_request(&request, c->client.data, n, c->filter->backend, c->peer, c->head))) {
        refuse(c, "400 Bad Request");
        return FALSE;
    }
    if (request.length > BODY_MAX) { /* http.sys reads a request whole before anybody sees it */
        refuse(c, "413 Content Too Large");
        return FALSE;
    }
    take(&c->client, n);
    if (!connect_server(c)) {
        refuse(c, "503 Service Unavailable");
        return FALSE;
    }
    return send_request(c, &request, size) && bring_response(c, &request);
}

/* ---- connections ---- */

static void forget(struct connection *c)
{
    struct filter *filter = c->filter;

    EnterCriticalSection(&filter->lock);
    if (c->next)
        c->next->before = c->before;
    if (c->before)
        c->before->next = c->next;
    else
        filter->first = c->next;
    if (c->server.socket != INVALID_SOCKET)
        closesocket(c->server.socket);
    closesocket(c->client.socket);
    free(c);
    if (!filter->first)
        SetEvent(filter->idle);
    LeaveCriticalSection(&filter->lock);
}

static DWORD WINAPI serve(void *context)
{
    struct connection *c = context;

    while (serve_one(c))
        ;
    shutdown(c->client.socket, SD_SEND);
    forget(c);
    return 0;
}

static void accept_one(struct filter *filter)
{
    struct sockaddr_in address;
    int n = sizeof(address);
    DWORD limit = IDLE_MS;
    BOOL now = TRUE;
    u_long blocking = 0;
    struct connection *c;
    HANDLE thread;
    SOCKET client = accept(filter->listener.socket, (struct sockaddr *)&address, &n);

    if (client == INVALID_SOCKET)
        return;
    if (!(c = calloc(1, sizeof(*c)))) {
        closesocket(client);
        return;
    }
    WSAEventSelect(client, NULL, 0);
    ioctlsocket(client, FIONBIO, &blocking);
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, (char *)&now, sizeof(now));
    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, (char *)&limit, sizeof(limit));
    c->filter = filter;
    c->client.socket = client;
    c->server.socket = INVALID_SOCKET;
    inet_ntop(AF_INET, &address.sin_addr, c->peer, sizeof(c->peer));
    EnterCriticalSection(&filter->lock);
    if ((c->next = filter->first))
        c->next->before = c;
    filter->first = c;
    ResetEvent(filter->idle);
    LeaveCriticalSection(&filter->lock);
    if ((thread = CreateThread(NULL, 256 * 1024, serve, c, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL)))
        CloseHandle(thread);
    else
        forget(c);
}

/* Connections end as their sockets do; their threads clean up. */
static void end_connections(struct filter *filter)
{
    struct connection *c;

    EnterCriticalSection(&filter->lock);
    for (c = filter->first; c; c = c->next) {
        shutdown(c->client.socket, SD_BOTH);
        if (c->server.socket != INVALID_SOCKET)
            shutdown(c->server.socket, SD_BOTH);
    }
    LeaveCriticalSection(&filter->lock);
    WaitForSingleObject(filter->idle, 10000);
}

/* ---- the service ---- */

static void accept_all(struct filter *filter)
{
    const HANDLE handles[] = {filter->stop, filter->listener.arrived};
    WSANETWORKEVENTS events;

    while (WaitForMultipleObjects(2, handles, FALSE, INFINITE) == WAIT_OBJECT_0 + 1) {
        WSAEnumNetworkEvents(filter->listener.socket, filter->listener.arrived, &events);
        accept_one(filter);
    }
}

static DWORD body(struct service *service, DWORD argc, WCHAR **argv)
{
    const HTTPAPI_VERSION version = HTTPAPI_VERSION_2;
    static struct filter filter; /* threads may outlive a stop that takes too long */
    WSADATA data;
    DWORD error;

    (void)argc;
    (void)argv;
    if ((error = HttpInitialize(version, HTTP_INITIALIZE_SERVER, NULL))) /* http.sys runs from here on */
        return error;
    WSAStartup(MAKEWORD(2, 2), &data);
    InitializeCriticalSection(&filter.lock);
    filter.stop = service->stop;
    filter.backend = setting_dword(parameters, L"BackendPort", 47080);
    if (!(error = listener_open(&filter.listener, setting_dword(parameters, L"Port", 80))) &&
        !(filter.idle = CreateEventW(NULL, TRUE, TRUE, NULL)))
        error = ERROR_OUTOFMEMORY;
    if (!error) {
        service_ready(service);
        accept_all(&filter);
    }
    listener_close(&filter.listener);
    if (!error)
        end_connections(&filter);
    HttpTerminate(HTTP_INITIALIZE_SERVER, NULL);
    WSACleanup();
    return error;
}

void WINAPI ServiceMain(DWORD argc, WCHAR **argv)
{
    service_run(SERVICE_WIN32_SHARE_PROCESS, body, argc, argv);
}
