/* W3SVC: serves files through the HTTP Server API, with several threads on one request queue.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>

#include "cache.h"
#include "service.h"
#include "site.h"

enum { THREADS_MAX = 16, REQUEST = 49152 };

static const WCHAR parameters[] = L"SYSTEM\\CurrentControlSet\\Services\\W3SVC\\Parameters";

struct server {
    struct service *service;
    HTTP_SERVER_SESSION_ID session;
    HTTP_URL_GROUP_ID group;
    HANDLE queue;
    HANDLE lost;        /* set when the queue is gone, with http.sys for example */
    volatile LONG loss; /* the error that said so */
    SRWLOCK lock;       /* of site */
    struct site site;
};

/* ---- workers ---- */

static void answer(struct server *server, const HTTP_REQUEST *request)
{
    struct outcome outcome;
    struct site site;

    AcquireSRWLockShared(&server->lock);
    site = server->site;
    ReleaseSRWLockShared(&server->lock);
    outcome = site_answer(&site, server->queue, request);
    log_request(&site, request, outcome);
}

/* Wait for a request, or for the service's stop. NO_ERROR, or why there is none: ERROR_MORE_DATA with the request's id. */
static DWORD receive(struct server *server, HTTP_REQUEST_ID id, HTTP_REQUEST *request, HANDLE done)
{
    OVERLAPPED overlapped = {.hEvent = done};
    const HANDLE handles[] = {server->service->stop, done};
    DWORD n, error = HttpReceiveHttpRequest(server->queue, id, 0, request, REQUEST, NULL, &overlapped);

    if (error != ERROR_IO_PENDING)
        return error;
    if (WaitForMultipleObjects(2, handles, FALSE, INFINITE) == WAIT_OBJECT_0)
        CancelIoEx(server->queue, &overlapped);
    return GetOverlappedResult(server->queue, &overlapped, &n, TRUE) ? NO_ERROR : GetLastError();
}

/* Its header is larger than all the memory for it. */
static void refuse_large(struct server *server, HTTP_REQUEST_ID id)
{
    static const char reason[] = "Request Header Fields Too Large";
    HTTP_RESPONSE response = {0};

    response.StatusCode = 431;
    response.pReason = reason;
    response.ReasonLength = sizeof(reason) - 1;
    HttpSendHttpResponse(server->queue, id, 0, &response, NULL, NULL, NULL, 0, NULL, NULL);
}

static DWORD WINAPI work(void *context)
{
    struct server *server = context;
    HTTP_REQUEST *request = malloc(REQUEST);
    HANDLE done = CreateEventW(NULL, TRUE, FALSE, NULL);

    while (request && done && WaitForSingleObject(server->service->stop, 0) == WAIT_TIMEOUT) {
        DWORD error;

        memset(request, 0, sizeof(*request));
        error = receive(server, HTTP_NULL_ID, request, done);
        if (!error)
            answer(server, request);
        else if (error == ERROR_MORE_DATA)
            refuse_large(server, request->RequestId);
        else if (error != ERROR_CONNECTION_INVALID && WaitForSingleObject(server->service->stop, 0) == WAIT_TIMEOUT) {
            InterlockedExchange(&server->loss, (LONG)error); /* not the client has gone, but the queue */
            SetEvent(server->lost);
            break;
        }
    }
    CloseHandle(done);
    free(request);
    return 0;
}

/* ---- the service ---- */

static DWORD open_server(struct server *server)
{
    const HTTPAPI_VERSION version = HTTPAPI_VERSION_2;
    HTTP_BINDING_INFO binding = {0};
    WCHAR url[64];
    DWORD error;

    swprintf(url, 64, L"http://+:%lu/", setting_dword(parameters, L"UrlPort", 47080));
    if ((error = HttpCreateServerSession(version, &server->session, 0)) || (error = HttpCreateUrlGroup(server->session, &server->group, 0)) ||
        (error = HttpCreateRequestQueue(version, NULL, NULL, 0, &server->queue)))
        return error;
    binding.Flags.Present = 1;
    binding.RequestQueueHandle = server->queue;
    if ((error = HttpSetUrlGroupProperty(server->group, HttpServerBindingProperty, &binding, sizeof(binding))))
        return error;
    return HttpAddUrlToUrlGroup(server->group, url, 0, 0);
}

static void close_server(struct server *server)
{
    if (server->queue)
        HttpCloseRequestQueue(server->queue);
    if (server->group)
        HttpCloseUrlGroup(server->group);
    if (server->session)
        HttpCloseServerSession(server->session);
}

/* Until the stop, or the loss of the queue; changed settings are read again when IISADMIN says so. */
static DWORD run(struct server *server)
{
    const HANDLE handles[] = {server->service->stop, server->service->changed, server->lost};
    DWORD count = setting_dword(parameters, L"Threads", 4), started = 0;
    HANDLE threads[THREADS_MAX];

    count = count < 1 ? 1 : count > THREADS_MAX ? THREADS_MAX : count;
    while (started < count && (threads[started] = CreateThread(NULL, 0, work, server, 0, NULL)))
        started++;
    service_ready(server->service);
    while (WaitForMultipleObjects(3, handles, FALSE, INFINITE) == WAIT_OBJECT_0 + 1) {
        struct site site;

        site_read(&site);
        AcquireSRWLockExclusive(&server->lock);
        server->site = site;
        ReleaseSRWLockExclusive(&server->lock);
        log_close();
    }
    WaitForMultipleObjects(started, threads, TRUE, INFINITE);
    while (started)
        CloseHandle(threads[--started]);
    return (DWORD)server->loss;
}

static DWORD body(struct service *service, DWORD argc, WCHAR **argv)
{
    const HTTPAPI_VERSION version = HTTPAPI_VERSION_2;
    struct server *server = calloc(1, sizeof(*server));
    DWORD error;

    (void)argc;
    (void)argv;
    if (!server)
        return ERROR_OUTOFMEMORY;
    if (!(server->lost = CreateEventW(NULL, TRUE, FALSE, NULL))) {
        free(server);
        return ERROR_OUTOFMEMORY;
    }
    server->service = service;
    InitializeSRWLock(&server->lock);
    site_read(&server->site);
    if (!(error = HttpInitialize(version, HTTP_INITIALIZE_SERVER, NULL))) {
        if (!(error = open_server(server)))
            error = run(server);
        close_server(server);
        HttpTerminate(HTTP_INITIALIZE_SERVER, NULL);
    }
    log_close();
    cache_clear();
    CloseHandle(server->lost);
    free(server);
    return error;
}

void WINAPI ServiceMain(DWORD argc, WCHAR **argv)
{
    service_run(SERVICE_WIN32_SHARE_PROCESS, body, argc, argv);
}
