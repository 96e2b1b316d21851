/* The services there are, in memory and in the registry.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "scm.h"

#include <wchar.h>

struct service *services;
static HKEY root;

HKEY open_service_key(const WCHAR *name, REGSAM access)
{
    HKEY key;

    return RegOpenKeyExW(root, name, 0, access, &key) ? NULL : key;
}

static struct service *append_service(const WCHAR *name, struct config *config)
{
    struct service **end = &services, *service = allocate(sizeof(*service));

    while (*end)
        end = &(*end)->next;
    service->name = copy_string(name);
    service->config = *config;
    memset(config, 0, sizeof(*config)); /* its strings are the service's now */
    service->status.dwServiceType = service->config.type;
    service->status.dwCurrentState = SERVICE_STOPPED;
    service->status.dwWin32ExitCode = ERROR_SERVICE_NEVER_STARTED;
    *end = service;
    return service;
}

DWORD database_open(void)
{
    DWORD error = RegCreateKeyExW(HKEY_LOCAL_MACHINE, L"System\\CurrentControlSet\\Services", 0, NULL,
                                  REG_OPTION_NON_VOLATILE, KEY_READ | KEY_WRITE, NULL, &root, NULL);
    WCHAR name[NAME_LIMIT + 1];

    if (error)
        return error;
    for (DWORD i = 0; (error = RegEnumKeyW(root, i, name, COUNT(name))) != ERROR_NO_MORE_ITEMS; i++) {
        struct config config;
        HKEY key;

        if (error == ERROR_MORE_DATA)
            continue; /* no service can have such a name */
        if (error)
            return error;
        if (!(key = open_service_key(name, KEY_READ)))
            continue;
        if (!load_config(key, &config)) {
            if (read_number(key, L"DeleteFlag", 0)) {
                free_config(&config);
                RegCloseKey(key);
                if (!RegDeleteTreeW(root, name))
                    i--;
                continue;
            }
            append_service(name, &config);
        }
        RegCloseKey(key);
    }
    return ERROR_SUCCESS;
}

/* The service of a process that drivers run in: marked for deletion from the start, so that it goes with its process.
 * The configuration is the service's afterwards. */
struct service *add_driver_host(const WCHAR *name, struct config *config)
{
    struct service *service = append_service(name, config);

    service->driver_host = TRUE;
    service->deleted = TRUE;
    return service;
}

struct service *find_service(const WCHAR *name)
{
    struct service *service = services;

    while (service && !same(service->name, name))
        service = service->next;
    return service;
}

const WCHAR *display_of(const struct service *service)
{
    return service->config.display ? service->config.display : service->name;
}

struct service *find_display(const WCHAR *display)
{
    struct service *service = services;

    while (service && !(service->config.display && same(service->config.display, display)))
        service = service->next;
    return service;
}

DWORD add_service(const WCHAR *name, struct config *config, struct service **added)
{
    HKEY key;
    DWORD error = RegCreateKeyExW(root, name, 0, NULL, REG_OPTION_NON_VOLATILE, KEY_READ | KEY_WRITE, NULL, &key, NULL);

    if (error)
        return error;
    RegCloseKey(key);
    if ((error = save_config(name, config))) {
        RegDeleteTreeW(root, name);
        return error;
    }
    *added = append_service(name, config);
    notify_database(name, SERVICE_NOTIFY_CREATED);
    return ERROR_SUCCESS;
}

/* ---- deletion: marked at once, done when nobody holds it and it does not run ---- */

static void remove_service(struct service *service)
{
    struct service **link = &services;

    while (*link && *link != service)
        link = &(*link)->next;
    if (*link)
        *link = service->next;
    service->gone = TRUE;
    if (!service->driver_host) { /* that has no key, and came without a word */
        RegDeleteTreeW(root, service->name);
        notify_database(service->name, SERVICE_NOTIFY_DELETED);
    }
    changed();
}

struct service *hold(struct service *service)
{
    service->refs++;
    return service;
}

void let_go(struct service *service)
{
    if (--service->refs || !service->deleted)
        return;
    if (service->status.dwCurrentState != SERVICE_STOPPED && service->process)
        return; /* its report, or its death, brings it here again */
    if (!service->gone)
        remove_service(service);
    leave_process(service);
    free_config(&service->config);
    release(service->name);
    release(service);
}

void mark_deleted(struct service *service)
{
    HKEY key = open_service_key(service->name, KEY_WRITE);

    service->deleted = TRUE;
    if (key) { /* for the next boot, if this one ends before */
        write_number(key, L"DeleteFlag", 1);
        write_number(key, L"Start", SERVICE_DISABLED);
        RegCloseKey(key);
    }
}
