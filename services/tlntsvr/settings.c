/* See settings.h.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "settings.h"

#include "service.h"

static const WCHAR key[] = L"SOFTWARE\\Microsoft\\TelnetServer\\1.0";

void settings_read(struct settings *settings)
{
    settings->port = setting_dword(key, L"TelnetPort", 23);
    settings->connections = setting_dword(key, L"MaxConnections", 2);
    if (settings->connections > CONNECTIONS_MAX)
        settings->connections = CONNECTIONS_MAX;
    settings->failed_logins = setting_dword(key, L"MaxFailedLogins", 3);
    settings->idle_s = setting_dword(key, L"IdleSessionTimeOut", 3600);
    if (!setting_text(key, L"Password", settings->password, PASSWORD_MAX))
        settings->password[0] = 0;
    if (!setting_text(key, L"DefaultShell", settings->shell, SHELL_MAX))
        GetSystemDirectoryW(settings->shell, SHELL_MAX - 16), lstrcatW(settings->shell, L"\\cmd.exe");
}
