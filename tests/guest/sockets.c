/* Sockets: a silo's own address behind the addresses that programs expect.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   sockets host|silo               checks
 *   sockets serve ADDRESS PORT NAME   listen, print `listening ADDRESS PORT`, say ready; greet every client
 *                                   with `hello from NAME`, until standard input ends
 *   sockets connect ADDRESS PORT    print `connected TEXT`, or `refused ERROR` */

#include "address.h"

/* One family: how the wildcard and the loopback address are written. */
struct family {
    const char *name;
    int af;
    const char *any;
    const char *loopback;
};

static const struct family v4 = {"v4", AF_INET, "0.0.0.0", "127.0.0.1"};
static const struct family v6 = {"v6", AF_INET6, "::", "::1"};

static const char *title(const char *family, const char *what)
{
    static char text[4][80];
    static int next;

    next = (next + 1) % 4;
    snprintf(text[next], sizeof(text[next]), "%s-%s", family, what);
    return text[next];
}

/* Bind, listen, connect, accept, and every address that can be read back. */
static void check_stream(const struct family *f, const char *bind_to, const char *what)
{
    SOCKET server = listening(f->af, bind_to, 0), client, other;
    struct sockaddr_storage from = {0};
    int port;

#define NAME(text) title(f->name, title(what, text))
    if (!CHECK_WSA(NAME("listen"), server != INVALID_SOCKET))
        return;
    port = own_port(server);
    check_own_name(NAME("listener-name"), server, bind_to, port);
    client = connected(f->af, f->loopback, port);
    CHECK_WSA(NAME("connect"), client != INVALID_SOCKET);
    other = accepted(server, &from);
    CHECK_WSA(NAME("accept"), other != INVALID_SOCKET);
    check_own_name(NAME("client-name"), client, f->loopback, 0);
    check_peer_name(NAME("client-peer"), client, f->loopback, port);
    check_own_name(NAME("server-name"), other, f->loopback, port);
    check_peer_name(NAME("server-peer"), other, f->loopback, own_port(client));
    check_address(NAME("accepted-from"), &from, f->loopback, own_port(client));
    CHECK_WSA(NAME("talk"), can_send(client, other) && can_send(other, client));
    CHECK_WSA(NAME("port-taken"), bound(f->af, SOCK_STREAM, bind_to, port) == INVALID_SOCKET
                                      && WSAGetLastError() == WSAEADDRINUSE);
    closesocket(client), closesocket(other), closesocket(server);
    CHECK_WSA(NAME("refused"), connected(f->af, f->loopback, port) == INVALID_SOCKET
                                   && WSAGetLastError() == WSAECONNREFUSED);
}

/* AcceptEx and ConnectEx, with data and the addresses that AcceptEx returns. */
static void check_extended(const struct family *f)
{
    SOCKET server = listening(f->af, f->any, 0), client = bound(f->af, SOCK_STREAM, f->any, 0);
    SOCKET other = socket(f->af, SOCK_STREAM, 0);
    LPFN_ACCEPTEX accept_ex = (LPFN_ACCEPTEX)extension(server, (GUID)WSAID_ACCEPTEX);
    LPFN_CONNECTEX connect_ex = (LPFN_CONNECTEX)extension(client, (GUID)WSAID_CONNECTEX);
    LPFN_GETACCEPTEXSOCKADDRS addresses =
        (LPFN_GETACCEPTEXSOCKADDRS)extension(server, (GUID)WSAID_GETACCEPTEXSOCKADDRS);
    OVERLAPPED accepting = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
    OVERLAPPED connecting = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
    const DWORD room = sizeof(struct sockaddr_storage) + 16;
    struct sockaddr *local, *remote;
    struct sockaddr_storage to;
    int local_size, remote_size, port = own_port(server), size = make_address(&to, f->af, f->loopback, port);
    BYTE buffer[512] = {0};
    DWORD done;
    BOOL ok;

    CHECK_WSA(title(f->name, "extensions"), accept_ex && connect_ex && addresses);
    ok = accept_ex(server, other, buffer, 16, room, room, &done, &accepting);
    CHECK_WSA(title(f->name, "accept-ex"), ok || WSAGetLastError() == ERROR_IO_PENDING);
    ok = connect_ex(client, (struct sockaddr *)&to, size, (void *)"first", 6, &done, &connecting);
    CHECK_WSA(title(f->name, "connect-ex"), ok || WSAGetLastError() == ERROR_IO_PENDING);
    CHECK_WSA(title(f->name, "connect-ex-done"), finished(client, &connecting));
    CHECK_WSA(title(f->name, "accept-ex-done"), finished(server, &accepting));
    CHECK_WSA(title(f->name, "accept-ex-data"), !strcmp((char *)buffer, "first"));
    setsockopt(other, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (char *)&server, sizeof(server));
    setsockopt(client, SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, NULL, 0);
    addresses(buffer, 16, room, room, &local, &local_size, &remote, &remote_size);
    check_address(title(f->name, "accept-ex-local"), (struct sockaddr_storage *)local, f->loopback, port);
    check_address(title(f->name, "accept-ex-remote"), (struct sockaddr_storage *)remote, f->loopback,
                  own_port(client));
    check_own_name(title(f->name, "connect-ex-name"), client, f->loopback, 0);
    check_peer_name(title(f->name, "connect-ex-peer"), client, f->loopback, port);
    check_peer_name(title(f->name, "accept-ex-peer"), other, f->loopback, own_port(client));
    CHECK_WSA(title(f->name, "extended-talk"), can_send(other, client));
    CloseHandle(accepting.hEvent), CloseHandle(connecting.hEvent);
    closesocket(server), closesocket(client), closesocket(other);
}

/* Datagrams: sendto and recvfrom, also before anything was bound, and with overlapped I/O. */
static void check_datagrams(const struct family *f)
{
    SOCKET server = bound(f->af, SOCK_DGRAM, f->any, 0), client = socket(f->af, SOCK_DGRAM, 0);
    struct sockaddr_storage to, from = {0};
    int port = own_port(server), size = make_address(&to, f->af, f->loopback, port), from_size = sizeof(from);
    OVERLAPPED io = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
    char text[16] = "";
    WSABUF wide_buffer = {sizeof(text), text};
    DWORD got, flags = 0;

    check_own_name(title(f->name, "datagram-name"), server, f->any, port);
    CHECK_WSA(title(f->name, "sendto"), sendto(client, "one", 4, 0, (struct sockaddr *)&to, size) == 4);
    CHECK_WSA(title(f->name, "recvfrom"), received_from(server, text, sizeof(text), &from) == 4);
    check_address(title(f->name, "recvfrom-address"), &from, f->loopback, own_port(client));
    CHECK_WSA(title(f->name, "reply"), sendto(server, "two", 4, 0, (struct sockaddr *)&from, from_size) == 4);
    CHECK_WSA(title(f->name, "reply-received"), received_from(client, text, sizeof(text), &from) == 4);
    check_address(title(f->name, "reply-address"), &from, f->loopback, port);
    from_size = sizeof(from);
    memset(&from, 0, sizeof(from));
    WSARecvFrom(server, &wide_buffer, 1, NULL, &flags, (struct sockaddr *)&from, &from_size, &io, NULL);
    CHECK_WSA(title(f->name, "connect-datagram"), !connect(client, (struct sockaddr *)&to, size));
    check_peer_name(title(f->name, "datagram-peer"), client, f->loopback, port);
    CHECK_WSA(title(f->name, "send"), send(client, "three", 6, 0) == 6);
    CHECK_WSA(title(f->name, "overlapped-recvfrom"), finished(server, &io)
                                                         && WSAGetOverlappedResult(server, &io, &got, FALSE, &flags)
                                                         && !strcmp(text, "three"));
    check_address(title(f->name, "overlapped-address"), &from, f->loopback, own_port(client));
    CloseHandle(io.hEvent), closesocket(server), closesocket(client);
}

/* A socket of IPv6 that also takes IPv4. */
static void check_dual_stack(void)
{
    SOCKET server = socket(AF_INET6, SOCK_STREAM, 0), client, other;
    struct sockaddr_storage any, from = {0};
    DWORD only = 0;
    int size = make_address(&any, AF_INET6, "::", 0), port;

    setsockopt(server, IPPROTO_IPV6, IPV6_V6ONLY, (char *)&only, sizeof(only));
    CHECK_WSA("dual-listen", !bind(server, (struct sockaddr *)&any, size) && !listen(server, 8));
    port = own_port(server);
    check_own_name("dual-listener-name", server, "::", port);
    client = connected(AF_INET, "127.0.0.1", port);
    if (CHECK_WSA("dual-connect-v4", client != INVALID_SOCKET)) {
        other = accepted(server, &from);
        check_address("dual-from-v4", &from, "::ffff:127.0.0.1", own_port(client));
        check_own_name("dual-name-v4", other, "::ffff:127.0.0.1", port);
        CHECK_WSA("dual-talk-v4", can_send(client, other));
        closesocket(client), closesocket(other);
    }
    client = connected(AF_INET6, "::1", port);
    if (CHECK_WSA("dual-connect-v6", client != INVALID_SOCKET)) {
        other = accepted(server, &from);
        check_address("dual-from-v6", &from, "::1", own_port(client));
        CHECK_WSA("dual-talk-v6", can_send(client, other));
        closesocket(client), closesocket(other);
    }
    closesocket(server);
}

static void check_lookups(void)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list = NULL;
    SOCKET server = listening(AF_INET, "127.0.0.1", 0), client = INVALID_SOCKET;
    char port[16], name[256] = "";

    snprintf(port, sizeof(port), "%d", own_port(server));
    CHECK_WSA("localhost-found", !getaddrinfo("localhost", port, &hints, &list));
    if (list) {
        check_address("localhost-address", (struct sockaddr_storage *)list->ai_addr, "127.0.0.1", own_port(server));
        client = socket(list->ai_family, list->ai_socktype, 0);
        CHECK_WSA("localhost-connect", !connect(client, list->ai_addr, (int)list->ai_addrlen));
        freeaddrinfo(list);
    }
    CHECK_WSA("hostname", !gethostname(name, sizeof(name)) && name[0]);
    closesocket(server), closesocket(client);
}

/* A connect that does not block, awaited with select. */
static void check_nonblocking(void)
{
    SOCKET server = listening(AF_INET, "0.0.0.0", 0), client = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_storage to;
    int size = make_address(&to, AF_INET, "127.0.0.1", own_port(server));
    struct timeval limit = {5, 0};
    u_long on = 1;
    fd_set writable;

    ioctlsocket(client, FIONBIO, &on);
    CHECK_WSA("nonblocking-connect", !connect(client, (struct sockaddr *)&to, size)
                                         || WSAGetLastError() == WSAEWOULDBLOCK);
    FD_ZERO(&writable);
    FD_SET(client, &writable);
    CHECK_WSA("nonblocking-select", select(0, NULL, &writable, NULL, &limit) == 1);
    check_peer_name("nonblocking-peer", client, "127.0.0.1", own_port(server));
    closesocket(client), closesocket(server);
}

static BOOL have_v6(void)
{
    SOCKET s = bound(AF_INET6, SOCK_STREAM, "::1", 0);

    if (s == INVALID_SOCKET)
        return FALSE;
    closesocket(s);
    return TRUE;
}

static int run_checks(BOOL silo)
{
    check_stream(&v4, v4.any, "any");
    check_stream(&v4, v4.loopback, "loopback");
    check_extended(&v4);
    check_datagrams(&v4);
    check_lookups();
    check_nonblocking();
    if (!silo && !have_v6()) {
        printf("note this machine has no IPv6 loopback address; a silo needs none\n");
        return finish();
    }
    check_stream(&v6, v6.any, "any");
    check_stream(&v6, v6.loopback, "loopback");
    check_extended(&v6);
    check_datagrams(&v6);
    check_dual_stack();
    return finish();
}

static DWORD WINAPI greet(void *text)
{
    SOCKET server = *(SOCKET *)((char **)text)[0], client;
    char line[256];

    snprintf(line, sizeof(line), "hello from %s\n", ((char **)text)[1]);
    while ((client = accept(server, NULL, NULL)) != INVALID_SOCKET) {
        send(client, line, (int)strlen(line), 0);
        shutdown(client, SD_SEND);
        closesocket(client);
    }
    return 0;
}

static int run_serve(const char *address, int port, char *name)
{
    static SOCKET server;
    static void *arguments[2];

    server = listening(strchr(address, ':') ? AF_INET6 : AF_INET, address, port);
    if (server == INVALID_SOCKET) {
        printf("not ok serve: error %d\n", WSAGetLastError());
        return 1;
    }
    printf("listening %s %d\n", address, own_port(server));
    arguments[0] = &server;
    arguments[1] = name;
    CloseHandle(CreateThread(NULL, 0, greet, arguments, 0, NULL));
    hold();
    return 0;
}

static int run_connect(const char *address, int port)
{
    SOCKET s = connected(strchr(address, ':') ? AF_INET6 : AF_INET, address, port);
    char text[256];
    int got;

    if (s == INVALID_SOCKET) {
        printf("refused %d\n", WSAGetLastError());
        return 0;
    }
    got = recv(s, text, sizeof(text) - 1, 0);
    text[got > 0 ? got : 0] = 0;
    printf("connected %s", got > 0 ? text : "\n");
    return 0;
}

int main(int argc, char **argv)
{
    WSADATA data;

    WSAStartup(MAKEWORD(2, 2), &data);
    if (argc == 2 && (!strcmp(argv[1], "host") || !strcmp(argv[1], "silo")))
        return run_checks(!strcmp(argv[1], "silo"));
    if (argc == 5 && !strcmp(argv[1], "serve"))
        return run_serve(argv[2], atoi(argv[3]), argv[4]);
    if (argc == 4 && !strcmp(argv[1], "connect"))
        return run_connect(argv[2], atoi(argv[3]));
    usage("sockets host|silo | serve ADDRESS PORT NAME | connect ADDRESS PORT");
}
