/* Those who want to be told of a service's states, or of services that come and go: [MS-SCMR] 3.1.4.43 to 45.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Each handle has at most one notification open. It is told once; a state that the handle has been told of is not told
 * again until it changes. A handle of the manager is told of services that were made and of those that are gone, each
 * by a notification with its name; what comes between two of them is kept for the next. */

#include "scm.h"

#include <wchar.h>

#define DATABASE_BITS (SERVICE_NOTIFY_CREATED | SERVICE_NOTIFY_DELETED) /* for a handle of the manager */
#define SERVICE_BITS (0x7f | SERVICE_NOTIFY_DELETE_PENDING)            /* for one of a service */
#define BACKLOG_LIMIT 1024
#define ERROR_CLIENT_LAGGING 1294 /* [MS-ERREF] 2.2, ERROR_SERVICE_NOTIFY_CLIENT_LAGGING */

struct event {
    struct event *next;
    DWORD bit;
    WCHAR name[];
};

struct backlog {
    struct event *first, **last;
    DWORD mask, count;
    BOOL lagging; /* there were too many */
};

struct notify {
    enum handle_kind kind;
    LONG refs;
    struct handle *asked_with; /* NULL when it is told, or that is closed */
    DWORD mask, level;
    DWORD triggered;
    rpc_status_process status;
    WCHAR *name; /* of the service that was made, with a slash in front, or that is gone */
    BOOL done;
};

static void let_go_notify(struct notify *notify)
{
    if (--notify->refs)
        return;
    release(notify->name);
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

/* ---- the manager's ---- */

static void tell_event(struct notify *notify, DWORD bit, const WCHAR *name)
{
    notify->name = join(bit == SERVICE_NOTIFY_CREATED ? L"/" : L"", name, L"");
    notify->triggered = bit;
    finish(notify);
}

static void keep_event(struct backlog *backlog, DWORD bit, const WCHAR *name)
{
    size_t size = (wcslen(name) + 1) * sizeof(*name);
    struct event *event;

    if (backlog->count == BACKLOG_LIMIT) {
        backlog->lagging = TRUE;
        return;
    }
    event = allocate(sizeof(*event) + size);
    event->bit = bit;
    memcpy(event->name, name, size);
    *backlog->last = event;
    backlog->last = &event->next;
    backlog->count++;
}

static void drop_event(struct backlog *backlog)
{
    struct event *event = backlog->first;

    if (!(backlog->first = event->next))
        backlog->last = &backlog->first;
    backlog->count--;
    release(event);
}

/* A service was made, or is gone. The caller holds the lock. */
void notify_database(const WCHAR *name, DWORD bit)
{
    for (struct handle *handle = managers; handle; handle = handle->next) {
        if (!handle->backlog || !(handle->backlog->mask & bit))
            continue;
        if (handle->notify)
            tell_event(handle->notify, bit, name);
        else
            keep_event(handle->backlog, bit, name);
    }
}

/* The oldest event that the client wants, at once if there is one; those that it does not want any more are dropped. */
static void watch_database(struct handle *handle, DWORD mask)
{
    struct backlog *backlog = handle->backlog;

    if (!backlog) {
        backlog = handle->backlog = allocate(sizeof(*backlog));
        backlog->last = &backlog->first;
    }
    backlog->mask = mask;
    while (backlog->first && !(backlog->first->bit & mask))
        drop_event(backlog);
    if (backlog->first) {
        tell_event(handle->notify, backlog->first->bit, backlog->first->name);
        drop_event(backlog);
    }
}

void drop_notifies(struct handle *handle)
{
    if (handle->notify)
        finish(handle->notify);
    while (handle->backlog && handle->backlog->first)
        drop_event(handle->backlog);
    release(handle->backlog);
    handle->backlog = NULL;
}

/* ---- the calls ---- */

static DWORD check_request(struct handle *handle, const rpc_notify *parameters, struct service **service)
{
    BOOL manager = is_handle(handle, HANDLE_MANAGER);
    DWORD error = manager ? check_handle(handle, HANDLE_MANAGER, SC_MANAGER_ENUMERATE_SERVICE, NULL)
                          : check_handle(handle, HANDLE_SERVICE, SERVICE_QUERY_STATUS, service);

    if (error)
        return error;
    if ((parameters->level != 1 && parameters->level != 2) || !parameters->u.one)
        return ERROR_INVALID_LEVEL;
    if (manager && parameters->level == 1) /* that has no room for a name */
        return ERROR_INVALID_LEVEL;
    /* the mask is at the same place in both forms */
    return parameters->u.one->mask & ~(DWORD)(manager ? DATABASE_BITS : SERVICE_BITS) ? ERROR_INVALID_PARAMETER
                                                                                       : ERROR_SUCCESS;
}

u32_t RNotifyServiceStatusChange(SC_RPC_HANDLE context, rpc_notify parameters, rpc_guid *client, rpc_guid *manager,
                                 u32_t *create_queue, SC_NOTIFY_RPC_HANDLE *made)
{
    struct handle *handle = context;
    struct service *service = NULL;
    struct notify *notify;
    DWORD error, bit;

    (void)client;
    memset(manager, 0, sizeof(*manager));
    *create_queue = FALSE;
    *made = NULL;
    if ((error = check_request(handle, &parameters, &service)))
        return error;
    lock();
    if (handle->notify)
        error = ERROR_ALREADY_REGISTERED;
    else if (handle->backlog && handle->backlog->lagging) /* it has to begin anew, with another handle */
        error = ERROR_CLIENT_LAGGING;
    if (error) {
        unlock();
        return error;
    }
    notify = allocate(sizeof(*notify));
    notify->kind = HANDLE_NOTIFY;
    notify->mask = parameters.u.one->mask;
    notify->level = parameters.level;
    notify->refs = 2; /* the asker's handle and the one we give out */
    notify->asked_with = handle;
    handle->notify = notify;
    bit = service ? bit_of(service) & notify->mask : 0;
    if (!service) {
        watch_database(handle, notify->mask);
    } else if (!handle->told && bit) {
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
    size_t size = notify->name ? (wcslen(notify->name) + 1) * sizeof(*notify->name) : 0;
    WCHAR *name = size ? midl_user_allocate(size) : NULL;

    if (!list || !item || (size && !name)) {
        midl_user_free(list);
        midl_user_free(item);
        midl_user_free(name);
        return NULL;
    }
    if (name)
        item->names = memcpy(name, notify->name, size);
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

    *list = NULL;
    if (!is_handle(context, HANDLE_NOTIFY))
        return ERROR_INVALID_HANDLE;
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
    *fired = FALSE;
    if (!is_handle(*context, HANDLE_NOTIFY))
        return ERROR_INVALID_HANDLE;
    *fired = ((struct notify *)*context)->done;
    SC_NOTIFY_RPC_HANDLE_rundown(*context);
    *context = NULL;
    return ERROR_SUCCESS;
}
