/* Context handles, and what they allow.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Access rights: [MS-SCMR] 3.1.4, "Service Security and Access Rights" of the Windows documentation. */

#include "scm.h"

static const GENERIC_MAPPING manager_rights = {
    .GenericRead = STANDARD_RIGHTS_READ | SC_MANAGER_ENUMERATE_SERVICE | SC_MANAGER_QUERY_LOCK_STATUS,
    .GenericWrite = STANDARD_RIGHTS_WRITE | SC_MANAGER_CREATE_SERVICE | SC_MANAGER_MODIFY_BOOT_CONFIG,
    .GenericExecute = STANDARD_RIGHTS_EXECUTE | SC_MANAGER_CONNECT | SC_MANAGER_LOCK,
    .GenericAll = SC_MANAGER_ALL_ACCESS,
};
static const GENERIC_MAPPING service_rights = {
    .GenericRead = STANDARD_RIGHTS_READ | SERVICE_QUERY_CONFIG | SERVICE_QUERY_STATUS | SERVICE_INTERROGATE |
                   SERVICE_ENUMERATE_DEPENDENTS,
    .GenericWrite = STANDARD_RIGHTS_WRITE | SERVICE_CHANGE_CONFIG,
    .GenericExecute = STANDARD_RIGHTS_EXECUTE | SERVICE_START | SERVICE_STOP | SERVICE_PAUSE_CONTINUE |
                      SERVICE_USER_DEFINED_CONTROL,
    .GenericAll = SERVICE_ALL_ACCESS,
};

struct handle *managers;

static struct handle **list_of(const struct handle *handle)
{
    return handle->service ? &handle->service->handles : &managers;
}

static DWORD map_access(DWORD access, const GENERIC_MAPPING *rights)
{
    if (access & MAXIMUM_ALLOWED)
        access |= rights->GenericAll;
    if (access & GENERIC_READ)
        access |= rights->GenericRead;
    if (access & GENERIC_WRITE)
        access |= rights->GenericWrite;
    if (access & GENERIC_EXECUTE)
        access |= rights->GenericExecute;
    if (access & GENERIC_ALL)
        access |= rights->GenericAll;
    return access & ~(DWORD)(GENERIC_READ | GENERIC_WRITE | GENERIC_EXECUTE | GENERIC_ALL | MAXIMUM_ALLOWED);
}

/* The caller holds the lock. */
DWORD new_handle(enum handle_kind kind, struct service *service, DWORD access, SC_RPC_HANDLE *made)
{
    struct handle *handle = allocate(sizeof(*handle));

    handle->kind = kind;
    handle->access = map_access(access, kind == HANDLE_MANAGER ? &manager_rights : &service_rights);
    handle->service = service ? hold(service) : NULL;
    handle->next = *list_of(handle);
    *list_of(handle) = handle;
    *made = handle;
    return ERROR_SUCCESS;
}

BOOL is_handle(const void *context, enum handle_kind kind)
{
    return context && *(const enum handle_kind *)context == kind;
}

/* Which service it is of; *service may be NULL for a handle of the manager. */
DWORD check_handle(SC_RPC_HANDLE context, enum handle_kind kind, DWORD access, struct service **service)
{
    struct handle *handle = context;

    if (!is_handle(context, kind))
        return ERROR_INVALID_HANDLE;
    if ((handle->access & access) != access)
        return ERROR_ACCESS_DENIED;
    if (service)
        *service = handle->service;
    return ERROR_SUCCESS;
}

/* The caller holds the lock. */
void close_handle(struct handle *handle)
{
    struct handle **link = list_of(handle);

    drop_notifies(handle);
    while (*link && *link != handle)
        link = &(*link)->next;
    if (*link)
        *link = handle->next;
    if (handle->service)
        let_go(handle->service);
    release(handle);
}

void __RPC_USER SC_RPC_HANDLE_rundown(SC_RPC_HANDLE handle)
{
    lock();
    close_handle(handle);
    unlock();
}

u32_t RCloseServiceHandle(SC_RPC_HANDLE *handle)
{
    if (!is_handle(*handle, HANDLE_MANAGER) && !is_handle(*handle, HANDLE_SERVICE))
        return ERROR_INVALID_HANDLE;
    SC_RPC_HANDLE_rundown(*handle);
    *handle = NULL;
    return ERROR_SUCCESS;
}
