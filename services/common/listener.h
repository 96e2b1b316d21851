/* A TCP port that a service has to itself.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WINESILO_LISTENER_H
#define WINESILO_LISTENER_H

#include <winsock2.h>
#include <windows.h>

struct listener {
    SOCKET socket;
    HANDLE arrived; /* the event of who comes; accepted sockets inherit it */
};

/* Returns a Windows error code; to be closed in any case. Winsock is begun by the caller. */
DWORD listener_open(struct listener *self, DWORD port);

void listener_close(struct listener *self);

#endif
