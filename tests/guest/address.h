/* Socket addresses, for the test programs that use Winsock.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#ifndef WINESILO_TEST_ADDRESS_H
#define WINESILO_TEST_ADDRESS_H

#include "check.h"

#include <mswsock.h>
#include <ws2tcpip.h>

#define UNUSED __attribute__((unused))

UNUSED static int make_address(struct sockaddr_storage *to, int af, const char *address, int port)
{
    memset(to, 0, sizeof(*to));
    to->ss_family = (ADDRESS_FAMILY)af;
    ((struct sockaddr_in *)to)->sin_port = htons((u_short)port); /* at the same place in both */
    if (af == AF_INET) {
        inet_pton(af, address, &((struct sockaddr_in *)to)->sin_addr);
        return sizeof(struct sockaddr_in);
    }
    inet_pton(af, address, &((struct sockaddr_in6 *)to)->sin6_addr);
    return sizeof(struct sockaddr_in6);
}

UNUSED static int port_of(const struct sockaddr_storage *address)
{
    return ntohs(((const struct sockaddr_in *)address)->sin_port);
}

UNUSED static const char *text_of(const struct sockaddr_storage *address)
{
    static char text[INET6_ADDRSTRLEN];
    const void *raw = address->ss_family == AF_INET ? (const void *)&((const struct sockaddr_in *)address)->sin_addr
                                                    : &((const struct sockaddr_in6 *)address)->sin6_addr;

    return inet_ntop(address->ss_family, (void *)raw, text, sizeof(text)) ? text : "?";
}

UNUSED static void check_address(const char *name, const struct sockaddr_storage *address, const char *wanted, int port)
{
    const char *text = text_of(address);

    check(!strcmp(text, wanted) && (!port || port_of(address) == port), name, "%s port %d, not %s port %d", text,
          port_of(address), wanted, port);
}

UNUSED static void check_own_name(const char *name, SOCKET s, const char *wanted, int port)
{
    struct sockaddr_storage address = {0};
    int size = sizeof(address);

    if (getsockname(s, (struct sockaddr *)&address, &size))
        check(FALSE, name, "getsockname: error %d", WSAGetLastError());
    else
        check_address(name, &address, wanted, port);
}

UNUSED static void check_peer_name(const char *name, SOCKET s, const char *wanted, int port)
{
    struct sockaddr_storage address = {0};
    int size = sizeof(address);

    if (getpeername(s, (struct sockaddr *)&address, &size))
        check(FALSE, name, "getpeername: error %d", WSAGetLastError());
    else
        check_address(name, &address, wanted, port);
}

UNUSED static int own_port(SOCKET s)
{
    struct sockaddr_storage address = {0};
    int size = sizeof(address);

    getsockname(s, (struct sockaddr *)&address, &size);
    return port_of(&address);
}

UNUSED static SOCKET bound(int af, int type, const char *address, int port)
{
    struct sockaddr_storage to;
    int size = make_address(&to, af, address, port);
    SOCKET s = socket(af, type, 0);

    if (s != INVALID_SOCKET && bind(s, (struct sockaddr *)&to, size)) {
        int error = WSAGetLastError();

        closesocket(s);
        WSASetLastError(error);
        return INVALID_SOCKET;
    }
    return s;
}

UNUSED static SOCKET listening(int af, const char *address, int port)
{
    SOCKET s = bound(af, SOCK_STREAM, address, port);

    if (s != INVALID_SOCKET)
        listen(s, 8);
    return s;
}

UNUSED static SOCKET connected(int af, const char *address, int port)
{
    struct sockaddr_storage to;
    int size = make_address(&to, af, address, port);
    SOCKET s = socket(af, SOCK_STREAM, 0);

    if (s != INVALID_SOCKET && connect(s, (struct sockaddr *)&to, size)) {
        int error = WSAGetLastError();

        closesocket(s);
        WSASetLastError(error);
        return INVALID_SOCKET;
    }
    return s;
}

#define CHECK_WSA(name, condition) CHECK(name, condition)

/* Wait until there is something to read or to accept, so that a failure does not hang the test. */
UNUSED static BOOL readable(SOCKET s)
{
    struct timeval limit = {5, 0};
    fd_set set;

    FD_ZERO(&set);
    FD_SET(s, &set);
    return select(0, &set, NULL, NULL, &limit) == 1;
}

UNUSED static SOCKET accepted(SOCKET server, struct sockaddr_storage *from)
{
    int size = sizeof(*from);

    return readable(server) ? accept(server, (struct sockaddr *)from, &size) : INVALID_SOCKET;
}

UNUSED static int received_from(SOCKET s, char *text, int room, struct sockaddr_storage *from)
{
    int size = sizeof(*from);

    memset(from, 0, size);
    return readable(s) ? recvfrom(s, text, room, 0, (struct sockaddr *)from, &size) : -1;
}

UNUSED static BOOL can_send(SOCKET from, SOCKET to)
{
    char text[8] = "";

    return send(from, "ping", 5, 0) == 5 && readable(to) && recv(to, text, sizeof(text), 0) == 5 && !strcmp(text, "ping");
}

UNUSED static void *extension(SOCKET s, GUID id)
{
    void *function = NULL;
    DWORD size;

    WSAIoctl(s, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof(id), &function, sizeof(function), &size, NULL, NULL);
    return function;
}

UNUSED static BOOL finished(SOCKET s, OVERLAPPED *io)
{
    DWORD done, flags;

    return WaitForSingleObject(io->hEvent, 5000) == WAIT_OBJECT_0 && WSAGetOverlappedResult(s, io, &done, FALSE, &flags);
}

#endif
