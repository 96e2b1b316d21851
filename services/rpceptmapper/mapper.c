/* RpcEptMapper: the endpoint mapper of RpcSs, at TCP port 135. A thread per client, which carries its PDUs: relay.h.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "listener.h"
#include "relay.h"
#include "service.h"

enum {
    PORT = 135, /* [MS-RPCE] 2.1.1.1: ncacn_ip_tcp, the endpoint mapper's well-known endpoint */
    CLIENTS_MAX = 128,
    STACK = 65536,
};

struct client {
    SOCKET socket;
    HANDLE stop;
};

struct server {
    struct service *service;
    struct listener listener;
    DWORD count;
    HANDLE threads[CLIENTS_MAX];
};

static DWORD WINAPI serve_client(void *context)
{
    struct client *client = context;

    relay(client->socket, client->stop);
    closesocket(client->socket);
    free(client);
    return 0;
}

static void forget_gone_clients(struct server *server)
{
    for (DWORD i = server->count; i-- > 0;)
        if (WaitForSingleObject(server->threads[i], 0) == WAIT_OBJECT_0) {
            CloseHandle(server->threads[i]);
            server->threads[i] = server->threads[--server->count];
        }
}

/* Whether it is served: then its socket is its thread's. */
static BOOL start_client(struct server *server, SOCKET socket)
{
    struct client *client;

    if (server->count == CLIENTS_MAX || !(client = malloc(sizeof(*client))))
        return FALSE;
    client->socket = socket;
    client->stop = server->service->stop;
    server->threads[server->count] = CreateThread(NULL, STACK, serve_client, client, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    if (!server->threads[server->count]) {
        free(client);
        return FALSE;
    }
    server->count++;
    return TRUE;
}

static void accept_one(struct server *server)
{
    SOCKET socket = accept(server->listener.socket, NULL, NULL);

    if (socket == INVALID_SOCKET)
        return;
    forget_gone_clients(server);
    if (!start_client(server, socket))
        closesocket(socket);
}

static void serve(struct server *server)
{
    const HANDLE handles[] = {server->service->stop, server->listener.arrived};

    while (WaitForMultipleObjects(2, handles, FALSE, INFINITE) == WAIT_OBJECT_0 + 1) {
        WSANETWORKEVENTS events;

        WSAEnumNetworkEvents(server->listener.socket, server->listener.arrived, &events);
        accept_one(server);
    }
}

/* They all see the stop; their code may be unloaded when this has returned. */
static void await_clients(struct server *server)
{
    while (server->count) {
        HANDLE thread = server->threads[--server->count];

        WaitForSingleObject(thread, INFINITE);
        CloseHandle(thread);
    }
}

static DWORD body(struct service *service, DWORD argc, WCHAR **argv)
{
    struct server *server = calloc(1, sizeof(*server));
    WSADATA data;
    DWORD error;

    (void)argc;
    (void)argv;
    if (!server)
        return ERROR_OUTOFMEMORY;
    server->service = service;
    if (!(error = (DWORD)WSAStartup(MAKEWORD(2, 2), &data))) {
        if (!(error = listener_open(&server->listener, PORT))) {
            service_ready(service);
            serve(server);
        }
        listener_close(&server->listener);
        await_clients(server);
        WSACleanup();
    }
    free(server);
    return error;
}

void WINAPI ServiceMain(DWORD argc, WCHAR **argv)
{
    service_run(SERVICE_WIN32_SHARE_PROCESS, body, argc, argv);
}
