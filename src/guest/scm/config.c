/* What the registry says of a service, read and written.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Names and types of the values: "HKLM\SYSTEM\CurrentControlSet\Services Registry Tree" of the Windows driver
 * documentation, and [MS-SCMR] 3.1.1. */

#include "scm.h"

#include <wchar.h>

#define DEFAULT_PRESHUTDOWN_MS 180000
static const WCHAR local_system[] = L"LocalSystem";

/* The bytes of a value with two NULs behind them. */
static void *read_value(HKEY key, const WCHAR *name, DWORD *type, DWORD *size)
{
    BYTE *data = NULL;
    LSTATUS status;

    *size = 0;
    do { /* it may grow in between */
        release(data);
        data = allocate(*size + 2 * sizeof(WCHAR));
        status = RegQueryValueExW(key, name, NULL, type, data, size);
    } while (status == ERROR_MORE_DATA);
    if (!status && !*size)
        memset(data, 0, 2 * sizeof(WCHAR));
    if (!status) {
        memset(data + *size, 0, 2 * sizeof(WCHAR));
        return data;
    }
    release(data);
    return NULL;
}

/* As it stands there: what is in it is expanded where it is used. */
WCHAR *read_string(HKEY key, const WCHAR *name)
{
    DWORD type, size;
    WCHAR *text = read_value(key, name, &type, &size);

    if (text && (type == REG_SZ || type == REG_EXPAND_SZ))
        return text;
    release(text);
    return NULL;
}

multi_sz read_strings(HKEY key, const WCHAR *name)
{
    DWORD type, size;
    WCHAR *strings = read_value(key, name, &type, &size);

    if (strings && (type == REG_MULTI_SZ || type == REG_SZ) && *strings)
        return strings;
    release(strings);
    return NULL;
}

DWORD read_number(HKEY key, const WCHAR *name, DWORD otherwise)
{
    DWORD type, size;
    BYTE *data = read_value(key, name, &type, &size);

    if (data && (type == REG_DWORD || type == REG_BINARY) && size == sizeof(DWORD))
        memcpy(&otherwise, data, sizeof(otherwise));
    release(data);
    return otherwise;
}

/* A time that Windows keeps as a number and Wine as text. */
DWORD read_milliseconds(HKEY key, const WCHAR *name, DWORD otherwise)
{
    WCHAR *text = read_string(key, name);
    DWORD number = text ? 0 : read_number(key, name, 0);

    for (const WCHAR *digit = text; digit && *digit >= '0' && *digit <= '9' && number < 100000000; digit++)
        number = number * 10 + (*digit - '0');
    release(text);
    return number ? number : otherwise;
}

static DWORD delete_value(HKEY key, const WCHAR *name)
{
    LSTATUS status = RegDeleteValueW(key, name);

    return status == ERROR_FILE_NOT_FOUND ? ERROR_SUCCESS : status;
}

DWORD write_string(HKEY key, const WCHAR *name, const WCHAR *text)
{
    DWORD type = text && wcschr(text, '%') && same(name, L"ImagePath") ? REG_EXPAND_SZ : REG_SZ;

    if (!text)
        return delete_value(key, name);
    return RegSetValueExW(key, name, 0, type, (const BYTE *)text, (DWORD)(wcslen(text) + 1) * sizeof(*text));
}

DWORD write_strings(HKEY key, const WCHAR *name, const WCHAR *strings)
{
    if (!strings)
        return delete_value(key, name);
    return RegSetValueExW(key, name, 0, REG_MULTI_SZ, (const BYTE *)strings,
                          (DWORD)(multi_sz_size(strings) * sizeof(*strings)));
}

DWORD write_number(HKEY key, const WCHAR *name, DWORD number)
{
    return RegSetValueExW(key, name, 0, REG_DWORD, (const BYTE *)&number, sizeof(number));
}

static DWORD write_number_unless(HKEY key, const WCHAR *name, DWORD number, DWORD absent)
{
    return number == absent ? delete_value(key, name) : write_number(key, name, number);
}

/* ---- the whole ---- */

static BOOL valid_type(DWORD type)
{
    switch (type & ~(DWORD)SERVICE_INTERACTIVE_PROCESS) {
    case SERVICE_KERNEL_DRIVER:
    case SERVICE_FILE_SYSTEM_DRIVER:
        return !(type & SERVICE_INTERACTIVE_PROCESS);
    case SERVICE_WIN32_OWN_PROCESS:
    case SERVICE_WIN32_SHARE_PROCESS:
        return TRUE;
    }
    return FALSE;
}

DWORD check_config(const struct config *config)
{
    BOOL win32 = !!(config->type & SERVICE_WIN32);

    if (!valid_type(config->type) || config->start > SERVICE_DISABLED || config->error > SERVICE_ERROR_CRITICAL)
        return ERROR_INVALID_PARAMETER;
    if (win32 && (!config->image || !*config->image))
        return ERROR_INVALID_PARAMETER;
    if (win32 && config->start < SERVICE_AUTO_START)
        return ERROR_INVALID_PARAMETER;
    if ((config->type & SERVICE_INTERACTIVE_PROCESS) && config->account && !same(config->account, local_system))
        return ERROR_INVALID_PARAMETER;
    return ERROR_SUCCESS;
}

DWORD load_config(HKEY key, struct config *config)
{
    memset(config, 0, sizeof(*config));
    config->type = read_number(key, L"Type", 0);
    if (!config->type) /* a program has put something of its own there */
        return ERROR_INVALID_DATA;
    config->start = read_number(key, L"Start", SERVICE_DEMAND_START);
    config->error = read_number(key, L"ErrorControl", SERVICE_ERROR_IGNORE);
    config->tag = read_number(key, L"Tag", 0);
    config->image = read_string(key, L"ImagePath");
    config->group = read_string(key, L"Group");
    config->account = read_string(key, L"ObjectName");
    config->display = read_string(key, L"DisplayName");
    config->description = read_string(key, L"Description");
    config->need_services = read_strings(key, L"DependOnService");
    config->need_groups = read_strings(key, L"DependOnGroup");
    config->wow64 = read_number(key, L"WOW64", 0) == 1;
    config->delayed = read_number(key, L"DelayedAutoStart", 0) == 1;
    config->hosts = read_number(key, L"HostDriver", 0) == 1; /* src/winesilo/host/template.py */
    config->preshutdown_timeout = read_number(key, L"PreshutdownTimeout", DEFAULT_PRESHUTDOWN_MS);
    if (!config->account && (config->type & SERVICE_WIN32))
        config->account = copy_string(local_system);
    if (!check_config(config))
        return ERROR_SUCCESS;
    free_config(config);
    return ERROR_INVALID_DATA;
}

DWORD save_config(const WCHAR *name, const struct config *config)
{
    HKEY key = open_service_key(name, KEY_READ | KEY_WRITE);
    DWORD error;

    if (!key)
        return ERROR_SERVICE_MARKED_FOR_DELETE;
    (void)((error = write_number(key, L"Type", config->type)) || (error = write_number(key, L"Start", config->start)) ||
           (error = write_number(key, L"ErrorControl", config->error)) ||
           (error = write_number_unless(key, L"Tag", config->tag, 0)) ||
           (error = write_string(key, L"ImagePath", config->image)) ||
           (error = write_string(key, L"Group", config->group)) ||
           (error = write_string(key, L"ObjectName", config->account)) ||
           (error = write_string(key, L"DisplayName", config->display)) ||
           (error = write_string(key, L"Description", config->description)) ||
           (error = write_strings(key, L"DependOnService", config->need_services)) ||
           (error = write_strings(key, L"DependOnGroup", config->need_groups)) ||
           (error = write_number_unless(key, L"WOW64", config->wow64, 0)) ||
           (error = write_number_unless(key, L"DelayedAutoStart", config->delayed, 0)) ||
           (error = write_number_unless(key, L"PreshutdownTimeout", config->preshutdown_timeout,
                                        DEFAULT_PRESHUTDOWN_MS)));
    RegCloseKey(key);
    return error;
}

void free_config(struct config *config)
{
    release(config->image);
    release(config->group);
    release(config->account);
    release(config->display);
    release(config->description);
    release(config->need_services);
    release(config->need_groups);
    memset(config, 0, sizeof(*config));
}

/* ---- dependencies as the API has them: services, and groups behind a plus sign ---- */

BOOL is_multi_sz(const WCHAR *strings, DWORD bytes)
{
    if (!strings || !bytes || (bytes == sizeof(*strings) && !*strings))
        return TRUE;
    if (bytes % sizeof(*strings) || bytes < 2 * sizeof(*strings))
        return FALSE;
    return !strings[bytes / sizeof(*strings) - 1] && !strings[bytes / sizeof(*strings) - 2];
}

DWORD parse_dependencies(const WCHAR *strings, DWORD bytes, struct config *config)
{
    size_t size;
    WCHAR *service, *group;

    if (!is_multi_sz(strings, bytes))
        return ERROR_INVALID_PARAMETER;
    release(config->need_services);
    release(config->need_groups);
    config->need_services = config->need_groups = NULL;
    if (!strings || !bytes || !*strings)
        return ERROR_SUCCESS;
    size = multi_sz_size(strings) * sizeof(*strings);
    service = config->need_services = allocate(size);
    group = config->need_groups = allocate(size);
    for (; *strings; strings += wcslen(strings) + 1) {
        BOOL is_group = strings[0] == SC_GROUP_IDENTIFIERW && strings[1];
        WCHAR **end = is_group ? &group : &service;

        wcscpy(*end, strings + is_group);
        *end += wcslen(*end) + 1;
    }
    if (!*config->need_services) {
        release(config->need_services);
        config->need_services = NULL;
    }
    if (!*config->need_groups) {
        release(config->need_groups);
        config->need_groups = NULL;
    }
    return ERROR_SUCCESS;
}
