/* Logs and sources, as the registry has them: HKLM\SYSTEM\CurrentControlSet\Services\EventLog\LOG\SOURCE.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Source: "Eventlog Key" and "Event Sources" of the Windows SDK: the values File, MaxSize and Retention of a log, and
 * what they are if they are not there. */

#include "event.h"

#define SIZE_STEP 0x10000u /* "MaxSize must be a multiple of 64K" */
#define DEFAULT_SIZE 0x100000u
#define LARGEST_SIZE 0x40000000u /* the file is read at once where it must be put right */

static const WCHAR root_path[] = L"System\\CurrentControlSet\\Services\\EventLog";

static BOOL below(HKEY key, const WCHAR *name)
{
    HKEY found;

    if (RegOpenKeyExW(key, name, 0, KEY_READ, &found))
        return FALSE;
    RegCloseKey(found);
    return TRUE;
}

static BOOL log_has(HKEY root, const WCHAR *log, const WCHAR *source)
{
    BOOL found = FALSE;
    HKEY key;

    if (!RegOpenKeyExW(root, log, 0, KEY_READ, &key)) {
        found = below(key, source);
        RegCloseKey(key);
    }
    return found;
}

void event_find_log(const WCHAR *source, WCHAR log[EVENT_NAME_LIMIT])
{
    BOOL found = FALSE;
    HKEY root;

    if (*source && event_length(source) < EVENT_NAME_LIMIT &&
        !RegOpenKeyExW(HKEY_LOCAL_MACHINE, root_path, 0, KEY_READ, &root)) {
        if ((found = below(root, source)))
            lstrcpynW(log, source, EVENT_NAME_LIMIT);
        for (DWORD i = 0, size = EVENT_NAME_LIMIT; !found; i++, size = EVENT_NAME_LIMIT) {
            if (RegEnumKeyExW(root, i, log, &size, NULL, NULL, NULL, NULL))
                break;
            found = log_has(root, log, source);
        }
        RegCloseKey(root);
    }
    if (!found)
        lstrcpynW(log, L"Application", EVENT_NAME_LIMIT);
}

static HKEY open_log(const WCHAR *log)
{
    HKEY root, key = NULL;

    if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, root_path, 0, KEY_READ, &root))
        return NULL;
    if (RegOpenKeyExW(root, log, 0, KEY_READ, &key))
        key = NULL;
    RegCloseKey(root);
    return key;
}

static DWORD number(HKEY key, const WCHAR *name, DWORD otherwise)
{
    DWORD value, type, size = sizeof(value);

    if (!key || RegQueryValueExW(key, name, NULL, &type, (BYTE *)&value, &size) || type != REG_DWORD ||
        size != sizeof(value))
        return otherwise;
    return value;
}

void event_settings_of(const WCHAR *log, struct event_settings *settings)
{
    HKEY key = open_log(log);
    DWORD size = number(key, L"MaxSize", DEFAULT_SIZE);

    size -= size % SIZE_STEP;
    settings->max_size = !size ? SIZE_STEP : size < LARGEST_SIZE ? size : LARGEST_SIZE;
    settings->retention = number(key, L"Retention", 0);
    if (key)
        RegCloseKey(key);
}

static WCHAR *named_file(HKEY key)
{
    DWORD type, size = 0, length;
    WCHAR *text, *path = NULL;

    if (RegQueryValueExW(key, L"File", NULL, &type, NULL, &size) || size < 2 * sizeof(WCHAR) ||
        (type != REG_SZ && type != REG_EXPAND_SZ))
        return NULL;
    text = event_allocate(size + sizeof(WCHAR));
    if (text && !RegQueryValueExW(key, L"File", NULL, &type, (BYTE *)text, &size) &&
        (length = ExpandEnvironmentStringsW(text, NULL, 0)) && (path = event_allocate(length * sizeof(WCHAR))))
        ExpandEnvironmentStringsW(text, path, length);
    event_release(text);
    return path;
}

/* The three logs that Windows has always had are named by eight characters. */
static const WCHAR *short_name(const WCHAR *log)
{
    static const WCHAR *const names[][2] = {
        {L"Application", L"AppEvent"}, {L"System", L"SysEvent"}, {L"Security", L"SecEvent"}};

    for (unsigned i = 0; i < EVENT_COUNT(names); i++)
        if (!lstrcmpiW(log, names[i][0]))
            return names[i][1];
    return log;
}

WCHAR *event_file_of(const WCHAR *log)
{
    static const WCHAR folder[] = L"\\config\\", extension[] = L".Evt";
    HKEY key = open_log(log);
    WCHAR *path = key ? named_file(key) : NULL;
    const WCHAR *name = short_name(log);
    UINT size;

    if (key)
        RegCloseKey(key);
    if (path)
        return path;
    size = GetSystemDirectoryW(NULL, 0);
    path = event_allocate((size + event_length(name) + EVENT_COUNT(folder) + EVENT_COUNT(extension)) * sizeof(*path));
    if (!path)
        return NULL;
    GetSystemDirectoryW(path, size);
    lstrcatW(path, folder);
    lstrcatW(path, name);
    return lstrcatW(path, extension);
}

/* There is no service that would answer for another computer. */
BOOL event_is_local(const WCHAR *server)
{
    WCHAR name[MAX_COMPUTERNAME_LENGTH + 1];
    DWORD size = EVENT_COUNT(name);

    while (server && *server == '\\')
        server++;
    return !server || !*server || !lstrcmpiW(server, L".") || !lstrcmpiW(server, L"localhost") ||
           (GetComputerNameW(name, &size) && !lstrcmpiW(server, name));
}
