/* The telnet server's settings: names and defaults as Windows has them, read at each start and for each session.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WINESILO_TELNET_SETTINGS_H
#define WINESILO_TELNET_SETTINGS_H

#include <winsock2.h>
#include <windows.h>

enum { PASSWORD_MAX = 128, SHELL_MAX = 1024, CONNECTIONS_MAX = 60 };

struct settings {
    DWORD port;              /* TelnetPort, 23 */
    DWORD connections;       /* MaxConnections, 2; at most CONNECTIONS_MAX */
    DWORD failed_logins;     /* MaxFailedLogins, 3 */
    DWORD idle_s;            /* IdleSessionTimeOut, 3600 s; 0: none */
    WCHAR password[PASSWORD_MAX]; /* Password, not one of Windows; empty: none is asked for */
    WCHAR shell[SHELL_MAX];  /* DefaultShell, %COMSPEC% */
};

void settings_read(struct settings *settings);

#endif
