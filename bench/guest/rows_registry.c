/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Registry calls. A key is the base's, a merged one (the base has it, and the silo has written to it) or one that
 * only the silo has; on the host all are alike. */
#include "bench.h"

#include <stdio.h>

static const WCHAR base_path[] = L"Software\\Microsoft\\Windows\\CurrentVersion";
static HKEY base_key, own_key, merged_key;
static WCHAR own_path[64];

static void set_up_base(void)
{
    if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, base_path, 0, KEY_READ, &base_key)) die("RegOpenKeyEx");
}

static HKEY create(HKEY parent, const WCHAR *name)
{
    HKEY made;

    if (RegCreateKeyExW(parent, name, 0, NULL, 0, KEY_ALL_ACCESS, NULL, &made, NULL)) die("RegCreateKeyEx");
    return made;
}

static void set_value(HKEY to, const WCHAR *name, DWORD value)
{
    if (RegSetValueExW(to, name, 0, REG_DWORD, (const BYTE *)&value, sizeof(value))) die("RegSetValueEx");
}

static void fill(HKEY to)
{
    WCHAR name[32];
    DWORD i;

    for (i = 0; i < 8; i++) {
        swprintf(name, 32, L"value-%lu", i);
        set_value(to, name, i);
        swprintf(name, 32, L"subkey-%lu", i);
        RegCloseKey(create(to, name));
    }
}

/* a key of this side alone: what is below Software is merged in a silo from now on */
static void set_up_own(void)
{
    set_up_base();
    swprintf(own_path, 64, L"Software\\WinesiloBench-%hs", side);
    own_key = create(HKEY_LOCAL_MACHINE, own_path);
    fill(own_key);
}

/* the base has HKLM\Software\WinesiloBenchShared, with values and subkeys: bench/run.py has seen to that */
static void set_up_merged(void)
{
    merged_key = create(HKEY_LOCAL_MACHINE, L"Software\\WinesiloBenchShared");
    set_value(merged_key, L"first", 1);
}

static void open_close(HKEY parent, const WCHAR *path)
{
    HKEY opened;

    if (RegOpenKeyExW(parent, path, 0, KEY_READ, &opened)) die("RegOpenKeyEx");
    RegCloseKey(opened);
}

static void key_open_base(void)
{
    open_close(HKEY_LOCAL_MACHINE, base_path);
}

static void key_open_own(void)
{
    open_close(HKEY_LOCAL_MACHINE, own_path);
}

static void key_open_merged(void)
{
    open_close(HKEY_LOCAL_MACHINE, L"Software\\WinesiloBenchShared");
}

static void key_open_below_base(void)
{
    open_close(base_key, L"Explorer");
}

static void key_open_below_own(void)
{
    open_close(own_key, L"subkey-3");
}

/* of the base, below a merged key */
static void key_open_below_merged(void)
{
    open_close(merged_key, L"subkey-3");
}

static void key_open_absent(void)
{
    HKEY opened;

    if (!RegOpenKeyExW(base_key, L"winesilo-absent", 0, KEY_READ, &opened)) die("opening nothing");
}

static void key_open_absent_own(void)
{
    HKEY opened;

    if (!RegOpenKeyExW(own_key, L"winesilo-absent", 0, KEY_READ, &opened)) die("opening nothing");
}

static void key_open_absent_merged(void)
{
    HKEY opened;

    if (!RegOpenKeyExW(merged_key, L"winesilo-absent", 0, KEY_READ, &opened)) die("opening nothing");
}

static void query_value(HKEY of, const WCHAR *name)
{
    BYTE data[520];
    DWORD size = sizeof(data);

    if (RegQueryValueExW(of, name, NULL, NULL, data, &size)) die("RegQueryValueEx");
}

static void value_query_base(void)
{
    query_value(base_key, L"ProgramFilesDir");
}

static void value_query_own(void)
{
    query_value(own_key, L"value-3");
}

static void value_query_merged(void)
{
    query_value(merged_key, L"value-3");
}

static void value_query_absent(void)
{
    if (!RegQueryValueExW(base_key, L"winesilo-absent", NULL, NULL, NULL, NULL)) die("asking for nothing");
}

static void enumerate_value(HKEY of)
{
    WCHAR name[260];
    DWORD n = 260;

    if (RegEnumValueW(of, 0, name, &n, NULL, NULL, NULL, NULL)) die("RegEnumValue");
}

static void value_enumerate_base(void)
{
    enumerate_value(base_key);
}

static void value_enumerate_own(void)
{
    enumerate_value(own_key);
}

static DWORD number; /* another one each time: writing the same again is less */

static void value_set_own(void)
{
    set_value(own_key, L"number", number++);
}

static void value_set_merged(void)
{
    set_value(merged_key, L"number", number++);
}

static void value_set_delete(void)
{
    set_value(own_key, L"gone", number++);
    if (RegDeleteValueW(own_key, L"gone")) die("RegDeleteValue");
}

static void create_delete(HKEY parent)
{
    RegCloseKey(create(parent, L"made"));
    if (RegDeleteKeyW(parent, L"made")) die("RegDeleteKey");
}

static void key_create_delete_own(void)
{
    create_delete(own_key);
}

static void key_create_delete_merged(void)
{
    create_delete(merged_key);
}

static void key_create_existing_own(void)
{
    RegCloseKey(create(own_key, L"subkey-3"));
}

static void key_create_existing_base(void)
{
    RegCloseKey(create(merged_key, L"subkey-3"));
}

static void query_info(HKEY of)
{
    DWORD n;

    if (RegQueryInfoKeyW(of, NULL, NULL, NULL, &n, NULL, NULL, NULL, NULL, NULL, NULL, NULL)) die("RegQueryInfoKey");
}

static void key_query_base(void)
{
    query_info(base_key);
}

static void key_query_own(void)
{
    query_info(own_key);
}

static void key_query_merged(void)
{
    query_info(merged_key);
}

static void list(HKEY of)
{
    WCHAR name[260];
    DWORD n = 260, i;

    for (i = 0; !RegEnumKeyExW(of, i, name, &n, NULL, NULL, NULL, NULL); i++) n = 260;
}

static void keys_list_base(void)
{
    list(base_key);
}

static void keys_list_own(void)
{
    list(own_key);
}

static void keys_list_merged(void)
{
    list(merged_key);
}

static void watch(HKEY parent, const WCHAR *name)
{
    static HANDLE event;
    HKEY opened;

    if (!event) event = CreateEventW(NULL, FALSE, FALSE, NULL);
    if (RegOpenKeyExW(parent, name, 0, KEY_READ, &opened)) die("RegOpenKeyEx");
    if (RegNotifyChangeKeyValue(opened, FALSE, REG_NOTIFY_CHANGE_LAST_SET, event, TRUE)) die("RegNotifyChangeKeyValue");
    RegCloseKey(opened);
}

static void key_watch_own(void)
{
    watch(own_key, L"subkey-3");
}

const struct row registry_rows[] = {
    { HOOKED, "key_open_base", key_open_base, set_up_base },
    { HOOKED, "key_open_below_base", key_open_below_base, set_up_base },
    { HOOKED, "key_open_absent_base", key_open_absent, set_up_base },
    { HOOKED, "value_query_base", value_query_base, set_up_base },
    { HOOKED, "value_query_absent", value_query_absent, set_up_base },
    { HOOKED, "value_enumerate_base", value_enumerate_base, set_up_base },
    { HOOKED, "key_query_base", key_query_base, set_up_base },
    { HOOKED, "keys_list_base", keys_list_base, set_up_base },
    { HOOKED, "key_open_own", key_open_own, set_up_own },
    { HOOKED, "key_open_below_own", key_open_below_own, set_up_own },
    { HOOKED, "key_open_absent_own", key_open_absent_own, set_up_own },
    { HOOKED, "key_open_base_beside_own", key_open_base, set_up_own },
    { HOOKED, "value_query_own", value_query_own, set_up_own },
    { HOOKED, "value_enumerate_own", value_enumerate_own, set_up_own },
    { HOOKED, "value_set_own", value_set_own, set_up_own },
    { HOOKED, "value_set_delete_own", value_set_delete, set_up_own },
    { HOOKED, "key_query_own", key_query_own, set_up_own },
    { HOOKED, "keys_list_own", keys_list_own, set_up_own },
    { HOOKED, "key_create_existing_own", key_create_existing_own, set_up_own },
    { HOOKED, "key_create_delete_own", key_create_delete_own, set_up_own },
    { HOOKED, "key_watch_own", key_watch_own, set_up_own },
    { HOOKED, "key_open_merged", key_open_merged, set_up_merged },
    { HOOKED, "key_open_below_merged", key_open_below_merged, set_up_merged },
    { HOOKED, "key_open_absent_merged", key_open_absent_merged, set_up_merged },
    { HOOKED, "value_query_merged", value_query_merged, set_up_merged },
    { HOOKED, "value_set_merged", value_set_merged, set_up_merged },
    { HOOKED, "key_query_merged", key_query_merged, set_up_merged },
    { HOOKED, "keys_list_merged", keys_list_merged, set_up_merged },
    { HOOKED, "key_create_existing_base", key_create_existing_base, set_up_merged },
    { HOOKED, "key_create_delete_merged", key_create_delete_merged, set_up_merged },
    { 0 },
};
