/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Sockets. */
#include "bench.h"

enum { MESSAGE = 64 };

static SOCKET tcp_client;

static DWORD WINAPI tcp_server(void *arg)
{
    SOCKET listener = (SOCKET)(UINT_PTR)arg, s = accept(listener, NULL, NULL);
    char buffer[MESSAGE];
    int n, one = 1;

    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, (char *)&one, sizeof(one));
    while ((n = recv(s, buffer, sizeof(buffer), 0)) > 0 && send(s, buffer, n, 0) == n) continue;
    closesocket(s);
    return 0;
}

static void tcp_round_trip(void)
{
    char buffer[MESSAGE] = { 0 };

    if (send(tcp_client, buffer, sizeof(buffer), 0) != MESSAGE || recv(tcp_client, buffer, sizeof(buffer), 0) <= 0) die("tcp");
}

static void set_up_winsock(void)
{
    WSADATA data;

    if (WSAStartup(0x202, &data)) die("WSAStartup");
}

static void set_up_tcp(void)
{
    SOCKET listener;
    struct sockaddr_in addr = { 0 };
    int size = sizeof(addr), one = 1;

    set_up_winsock();
    listener = socket(AF_INET, SOCK_STREAM, 0);
    addr.sin_family = AF_INET;
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&addr, sizeof(addr)) || listen(listener, 1) ||
        getsockname(listener, (struct sockaddr *)&addr, &size))
        die("listen");
    CloseHandle(CreateThread(NULL, 0, tcp_server, (void *)(UINT_PTR)listener, 0, NULL));
    tcp_client = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(tcp_client, (struct sockaddr *)&addr, sizeof(addr))) die("connect");
    setsockopt(tcp_client, IPPROTO_TCP, TCP_NODELAY, (char *)&one, sizeof(one));
}

/* ---- calls on sockets that carry addresses ---- */

static SOCKET listening, sender, receiver;
static struct sockaddr_in listening_at, receiving_at;

static void tcp_connect(void)
{
    SOCKET client = socket(AF_INET, SOCK_STREAM, 0), server;
    struct sockaddr_in from;
    int size = sizeof(from);

    if (connect(client, (struct sockaddr *)&listening_at, sizeof(listening_at))) die("connect");
    if ((server = accept(listening, (struct sockaddr *)&from, &size)) == INVALID_SOCKET) die("accept");
    closesocket(client);
    closesocket(server);
}

static void datagram(void)
{
    char buffer[MESSAGE] = { 0 };
    struct sockaddr_in from;
    int size = sizeof(from);

    if (sendto(sender, buffer, sizeof(buffer), 0, (struct sockaddr *)&receiving_at, sizeof(receiving_at)) != MESSAGE) die("sendto");
    if (recvfrom(receiver, buffer, sizeof(buffer), 0, (struct sockaddr *)&from, &size) != MESSAGE) die("recvfrom");
}

static void socket_name(void)
{
    struct sockaddr_in name;
    int size = sizeof(name);

    if (getsockname(listening, (struct sockaddr *)&name, &size)) die("getsockname");
}

static SOCKET bound_socket(int type, struct sockaddr_in *at)
{
    SOCKET s = socket(AF_INET, type, 0);
    int size = sizeof(*at);

    at->sin_family = AF_INET;
    at->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(s, (struct sockaddr *)at, sizeof(*at)) || getsockname(s, (struct sockaddr *)at, &size)) die("bind");
    return s;
}

static void bind_close(void)
{
    struct sockaddr_in at = { 0 };

    closesocket(bound_socket(SOCK_DGRAM, &at));
}

static void socket_close(void)
{
    closesocket(socket(AF_INET, SOCK_DGRAM, 0));
}

static void set_up_addresses(void)
{
    set_up_winsock();
    listening = bound_socket(SOCK_STREAM, &listening_at);
    if (listen(listening, 8)) die("listen");
    receiver = bound_socket(SOCK_DGRAM, &receiving_at);
    sender = socket(AF_INET, SOCK_DGRAM, 0);
}

const struct row network_rows[] = {
    { HOOKED, "tcp_round_trip", tcp_round_trip, set_up_tcp },
    { HOOKED, "tcp_connect", tcp_connect, set_up_addresses },
    { HOOKED, "udp_datagram", datagram, set_up_addresses },
    { HOOKED, "socket_close", socket_close, set_up_addresses },
    { HOOKED, "socket_bind_close", bind_close, set_up_addresses },
    { HOOKED, "socket_name", socket_name, set_up_addresses },
    { 0 },
};
