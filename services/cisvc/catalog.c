/* See catalog.h.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "catalog.h"

#include <stdio.h>

#include "service.h"

static const WCHAR key_name[] = L"SYSTEM\\CurrentControlSet\\Control\\ContentIndex";

static void cut_backslash(WCHAR *path)
{
    size_t n = wcslen(path);

    if (n > 3 && path[n - 1] == '\\')
        path[n - 1] = 0;
}

/* A scope is a value: its name is the folder, its data has the flags after the last comma; bit 0: included. */
static void read_scopes(struct catalog *catalog, HKEY key)
{
    HKEY scopes;
    DWORD i;

    if (RegOpenKeyExW(key, L"Scopes", 0, KEY_READ, &scopes))
        return;
    for (i = 0; catalog->scope_count < SCOPES_MAX; i++) {
        struct scope *scope = &catalog->scopes[catalog->scope_count];
        DWORD n = MAX_PATH, type, size;
        WCHAR data[64] = {0}, *comma;

        size = sizeof(data) - sizeof(WCHAR);
        if (RegEnumValueW(scopes, i, scope->path, &n, NULL, &type, (BYTE *)data, &size))
            break;
        if (type != REG_SZ || n < 3)
            continue;
        comma = wcsrchr(data, ',');
        scope->included = !comma || !comma[1] || (wcstoul(comma + 1, NULL, 10) & 1);
        cut_backslash(scope->path);
        catalog->scope_count++;
    }
    RegCloseKey(scopes);
}

static BOOL read_catalog(struct catalog *catalog, HKEY parent)
{
    WCHAR location[MAX_PATH - 16];
    DWORD size = sizeof(location);
    BOOL good = FALSE;
    HKEY key;

    catalog->scope_count = 0;
    if (RegOpenKeyExW(parent, catalog->name, 0, KEY_READ, &key))
        return FALSE;
    if (!RegGetValueW(key, NULL, L"Location", RRF_RT_REG_SZ, NULL, location, &size) && location[0]) {
        cut_backslash(location);
        swprintf(catalog->folder, MAX_PATH, L"%ls\\catalog.wci", location);
        read_scopes(catalog, key);
        good = TRUE;
    }
    RegCloseKey(key);
    return good;
}

DWORD catalogs_read(struct catalog catalogs[CATALOGS_MAX], const WCHAR *only)
{
    WCHAR name[96];
    DWORD count = 0, i, n;
    HKEY key;

    swprintf(name, 96, L"%ls\\Catalogs", key_name);
    if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, name, 0, KEY_READ, &key))
        return 0;
    for (i = 0; count < CATALOGS_MAX; i++) {
        LONG error;

        n = NAME_MAX_CI;
        error = RegEnumKeyExW(key, i, catalogs[count].name, &n, NULL, NULL, NULL, NULL);
        if (error == ERROR_MORE_DATA)
            continue;
        if (error)
            break;
        if ((!only || !lstrcmpiW(only, catalogs[count].name)) && read_catalog(&catalogs[count], key))
            count++;
    }
    RegCloseKey(key);
    return count;
}

DWORD catalog_interval(void)
{
    return setting_dword(key_name, L"ForcedNetPathScanInterval", 120);
}

DWORD catalog_largest(void)
{
    return setting_dword(key_name, L"MaxTextFilterBytes", 25600000);
}

void catalog_file(const struct catalog *catalog, const WCHAR *name, WCHAR path[MAX_PATH + 16])
{
    swprintf(path, MAX_PATH + 16, L"%ls\\%ls", catalog->folder, name);
}
