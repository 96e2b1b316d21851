/* Carries the PDUs of one client to the endpoint mapper's pipe, and its answers back.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WINESILO_RELAY_H
#define WINESILO_RELAY_H

#include <winsock2.h>
#include <windows.h>

/* Until the client or the mapper has gone, the client sends what is no PDU, or stop is set. The socket does not block; it
 * is the caller's to close. */
void relay(SOCKET client, HANDLE stop);

#endif
