/* Those who want to be told of a service's states: [MS-SCMR] 3.1.4.43 to 45.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Each handle of a service has at most one notification open. It is told once; a state that the handle has been told of
 * is not told again until it changes. */

#include "scm.h"

#define LONGEST 0x3ff /* all of the SERVICE_NOTIFY_ bits */

struct notify {
    LONG refs;
    struct handle *asked_with; /* NULL when it is told, or that is closed */
    DWORD mask, level;
    DWORD triggered;
    rpc_status_process status;
    BOOL done;
};

static void let_go_notify(struct notify *notify)
{
    if (!--notify->refs)
        release(notify);
}

static void finish(struct notify *notify)
{
    struct handle *handle = notify->asked_with;

    notify->done = TRUE;
    if (handle) {
        handle->notify = NULL;
        notify->asked_with = NULL;
        let_go_notify(notify);
    }
    changed();
}

static void tell(struct notify *notify, const struct service *service, DWORD bit)
{
    memcpy(&notify->status.status, &service->status, sizeof(notify->status.status));
    notify->status.pid = service->process ? service->process->pid : 0;
    notify->triggered = bit;
    finish(notify);
}

static DWORD bit_of(const struct service *service)
{
    return service->deleted ? SERVICE_NOTIFY_DELETE_PENDING | 1u << (service->status.dwCurrentState - 1)
                            : 1u << (service->status.dwCurrentState - 1);
}

/* The service has a new status. The caller holds the lock. */
void notify_status(struct service *service)
{
    for (struct handle *handle = service->handles; handle; handle = handle->next) {
        DWORD bit = handle->notify ? handle->notify->mask & bit_of(service) : 0;

        handle->told = bit != 0;
        if (bit)
            tell(handle->notify, service, bit);
    }
}

void drop_notifies(struct handle *handle)
{
    if (handle->notify)
        finish(handle->notify);
}

u32_t RNotifyServiceStatusChange(SC_RPC_HANDLE context, rpc_notify parameters, rpc_guid *client, rpc_guid *manager,
                                 u32_t *create_queue, SC_NOTIFY_RPC_HANDLE *made)
{
    struct handle *handle = context;
    struct service *service = NULL;
    struct notify *notify;
    DWORD error, mask, bit;

    (void)client;
    memset(manager, 0, sizeof(*manager));
    *create_queue = FALSE;
    *made = NULL;
    if (handle->kind == HANDLE_MANAGER) {
        error = check_handle(context, HANDLE_MANAGER, SC_MANAGER_ENUMERATE_SERVICE, NULL);
        return error ? error : ERROR_CALL_NOT_IMPLEMENTED;
    }
    if ((error = check_handle(context, HANDLE_SERVICE, SERVICE_QUERY_STATUS, &service)))
        return error;
    if ((parameters.level != 1 && parameters.level != 2) || !parameters.u.one)
        return ERROR_INVALID_LEVEL;
    mask = parameters.u.one->mask; /* at the same place in both forms */
    if (mask & ~(DWORD)LONGEST)
        return ERROR_INVALID_PARAMETER;
    lock();
    if (handle->notify) {
        unlock();
        return ERROR_ALREADY_REGISTERED;
    }
    notify = allocate(sizeof(*notify));
    notify->mask = mask;
    notify->level = parameters.level;
    notify->refs = 2; /* the asker's handle and the one we give out */
    notify->asked_with = handle;
    handle->notify = notify;
    bit = bit_of(service) & mask;
    if (!handle->told && bit) {
        handle->told = TRUE;
        tell(notify, service, bit);
    }
    *made = notify;
    unlock();
    return ERROR_SUCCESS;
}

static rpc_notify_list *list_of(const struct notify *notify)
{
    rpc_notify_list *list = midl_user_allocate(sizeof(*list) + sizeof(rpc_notify));
    rpc_notify_2 *item = midl_user_allocate(sizeof(*item));

    if (!list || !item) {
        midl_user_free(list);
        midl_user_free(item);
        return NULL;
    }
    item->mask = notify->mask;
    item->status = notify->status;
    item->triggered = notify->triggered;
    list->count = 1;
    list->items[0].level = notify->level;
    list->items[0].u.two = item; /* the first form is the beginning of the second */
    return list;
}

u32_t RGetNotifyResults(SC_NOTIFY_RPC_HANDLE context, rpc_notify_list **list)
{
    struct notify *notify = context;

    lock();
    notify->refs++;
    while (!notify->done)
        wait_change(MAXULONGLONG);
    *list = notify->triggered ? list_of(notify) : NULL;
    notify->triggered = 0;
    let_go_notify(notify);
    unlock();
    return *list ? ERROR_SUCCESS : ERROR_REQUEST_ABORTED;
}

void __RPC_USER SC_NOTIFY_RPC_HANDLE_rundown(SC_NOTIFY_RPC_HANDLE context)
{
    struct notify *notify = context;

    lock();
    finish(notify);
    let_go_notify(notify);
    unlock();
}

u32_t RCloseNotifyHandle(SC_NOTIFY_RPC_HANDLE *context, u32_t *fired)
{
    *fired = ((struct notify *)*context)->done;
    SC_NOTIFY_RPC_HANDLE_rundown(*context);
    *context = NULL;
    return ERROR_SUCCESS;
}
