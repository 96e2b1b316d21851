/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What bench/run.py needs to measure the registry of silos besides single calls:
 *   microbench hives keys half|rest|whole   make subkeys of a key: every second of 1,000, the others, or all of another key
 *   microbench hives list half|whole        print the nanoseconds that listing them takes, the median of several times
 *   microbench hives change N               change ten keys, the Nth set of them; 0: none
 *   microbench hives load FILE COUNT        load a hive so many times, below HKEY_USERS
 *   microbench hives prepare                prepare the base for the rows: a key that those of rows_registry.c
 *                                           share, and a driver with which windows need no display */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUBKEYS = 1000 };

static HKEY open_keys(const char *which)
{
    HKEY parent;

    if (RegCreateKeyExA(HKEY_LOCAL_MACHINE, !strcmp(which, "whole") ? "Software\\WinesiloBenchWhole" : "Software\\WinesiloBench",
                        0, NULL, 0, KEY_ALL_ACCESS, NULL, &parent, NULL)) die("RegCreateKeyEx");
    return parent;
}

static int make_keys(const char *which)
{
    HKEY parent = open_keys(which), child;
    char name[32];
    int i;

    for (i = !strcmp(which, "rest"); i < SUBKEYS; i += 1 + !!strcmp(which, "whole")) {
        snprintf(name, sizeof(name), "subkey-%04d", i);
        if (RegCreateKeyExA(parent, name, 0, NULL, 0, KEY_ALL_ACCESS, NULL, &child, NULL)) die("RegCreateKeyEx");
        RegCloseKey(child);
    }
    return 0;
}

static void list_keys(HKEY key)
{
    WCHAR name[64];
    DWORD i, n = 64;

    for (i = 0; !RegEnumKeyExW(key, i, name, &n, NULL, NULL, NULL, NULL); i++, n = 64) continue;
    if (i != SUBKEYS) die("listing");
}

/* Five keys that the base has, among many others, and five new ones in several places. */
static int change_keys(int number)
{
    static const WCHAR *const parents[] = { L"Software", L"System\\CurrentControlSet\\Services", L"Software\\Microsoft\\Windows\\CurrentVersion\\Run",
                                            L"Software\\Classes", L"Software\\Classes\\CLSID" };
    WCHAR name[256], new_name[64];
    DWORD n = 256;
    HKEY parent, child;
    int i;

    for (i = 0; number && i < 5; i++) {
        swprintf(new_name, 64, L"WinesiloBench-%d", number);
        if (RegCreateKeyExW(HKEY_LOCAL_MACHINE, parents[i], 0, NULL, 0, KEY_ALL_ACCESS, NULL, &parent, NULL)) die("RegCreateKeyEx");
        if (RegCreateKeyExW(parent, new_name, 0, NULL, 0, KEY_ALL_ACCESS, NULL, &child, NULL)) die("RegCreateKeyEx");
        if (RegSetValueExW(child, L"Name", 0, REG_SZ, (const BYTE *)L"value", 12)) die("RegSetValueEx");
        RegCloseKey(child), RegCloseKey(parent);
    }
    if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, L"Software\\Classes\\CLSID", 0, KEY_READ, &parent)) die("RegOpenKeyEx");
    for (i = 0; number && i < 5; i++) {
        n = 256;
        if (RegEnumKeyExW(parent, (DWORD)(50 + 90 * i + number), name, &n, NULL, NULL, NULL, NULL)) die("RegEnumKeyEx");
        if (RegOpenKeyExW(parent, name, 0, KEY_ALL_ACCESS, &child)) die("RegOpenKeyEx");
        if (RegSetValueExW(child, L"Winesilo", 0, REG_SZ, (const BYTE *)L"value", 12)) die("RegSetValueEx");
        RegCloseKey(child);
    }
    return 0;
}

static int load_hives(const char *file, int count)
{
    TOKEN_PRIVILEGES privilege = { 1, { { { 0, 0 }, SE_PRIVILEGE_ENABLED } } };
    char name[32];
    HANDLE token;

    OpenProcessToken(GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES, &token);
    LookupPrivilegeValueW(NULL, L"SeRestorePrivilege", &privilege.Privileges[0].Luid);
    AdjustTokenPrivileges(token, FALSE, &privilege, 0, NULL, NULL);
    while (count--) {
        snprintf(name, sizeof(name), "winesilo-bench-%d", count);
        if (RegLoadKeyA(HKEY_USERS, name, file)) die("RegLoadKey");
    }
    return 0;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static int list(const char *which)
{
    enum { TIMES = 9 };
    HKEY key = open_keys(which);
    double times[TIMES], start;
    int i;

    list_keys(key);
    for (i = 0; i < TIMES; i++) {
        start = now_ns();
        list_keys(key);
        times[i] = now_ns() - start;
    }
    qsort(times, TIMES, sizeof(times[0]), compare);
    printf("%.0f\n", times[TIMES / 2]);
    return 0;
}

static int prepare(void)
{
    HKEY key, child;
    char name[32];
    DWORD i;

    if (RegCreateKeyExA(HKEY_CURRENT_USER, "Software\\Wine\\Drivers", 0, NULL, 0, KEY_SET_VALUE, NULL, &key, NULL) ||
        RegSetValueExA(key, "Graphics", 0, REG_SZ, (const BYTE *)"null", sizeof("null")))
        die("setting the driver");
    RegCloseKey(key);

    if (RegCreateKeyExA(HKEY_LOCAL_MACHINE, "Software\\WinesiloBenchShared", 0, NULL, 0, KEY_ALL_ACCESS, NULL, &key, NULL))
        die("RegCreateKeyEx");
    for (i = 0; i < 8; i++) {
        snprintf(name, sizeof(name), "value-%lu", i);
        if (RegSetValueExA(key, name, 0, REG_DWORD, (const BYTE *)&i, sizeof(i))) die("RegSetValueEx");
        snprintf(name, sizeof(name), "subkey-%lu", i);
        if (RegCreateKeyExA(key, name, 0, NULL, 0, KEY_ALL_ACCESS, NULL, &child, NULL)) die("RegCreateKeyEx");
        RegCloseKey(child);
    }
    return 0;
}

int hives_main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[0], "keys")) return make_keys(argv[1]);
    if (argc == 2 && !strcmp(argv[0], "list")) return list(argv[1]);
    if (argc == 2 && !strcmp(argv[0], "change")) return change_keys(atoi(argv[1]));
    if (argc == 3 && !strcmp(argv[0], "load")) return load_hives(argv[1], atoi(argv[2]));
    if (argc == 1 && !strcmp(argv[0], "prepare")) return prepare();
    fprintf(stderr, "usage: microbench hives keys|list|change|load|prepare ...\n");
    return 2;
}
