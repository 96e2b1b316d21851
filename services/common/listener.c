/* See listener.h.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "listener.h"

DWORD listener_open(struct listener *self, DWORD port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((u_short)port)};
    BOOL alone = TRUE;

    self->socket = INVALID_SOCKET;
    if (!(self->arrived = WSACreateEvent()))
        return (DWORD)WSAGetLastError();
    self->socket = WSASocketW(AF_INET, SOCK_STREAM, 0, NULL, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    if (self->socket == INVALID_SOCKET)
        return (DWORD)WSAGetLastError();
    setsockopt(self->socket, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (char *)&alone, sizeof(alone));
    if (bind(self->socket, (struct sockaddr *)&address, sizeof(address)) || listen(self->socket, SOMAXCONN) ||
        WSAEventSelect(self->socket, self->arrived, FD_ACCEPT))
        return (DWORD)WSAGetLastError();
    return NO_ERROR;
}

void listener_close(struct listener *self)
{
    if (self->socket != INVALID_SOCKET)
        closesocket(self->socket);
    if (self->arrived)
        WSACloseEvent(self->arrived);
}
