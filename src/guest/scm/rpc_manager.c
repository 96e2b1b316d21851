/* Calls on the manager: opening, creating, names, lists, its lock.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A list's rows have offsets into the buffer for the two names, then the status: both in [MS-SCMR] and in Wine. */

#include "scm.h"

#include <wchar.h>

struct row {
    DWORD name, display;
    SERVICE_STATUS status;
};
struct row_process {
    DWORD name, display;
    rpc_status_process status;
};

u32_t ROpenSCManagerW(wchar_t *machine, wchar_t *database, u32_t access, SC_RPC_HANDLE *manager)
{
    DWORD error;

    (void)machine;
    if (database && *database) {
        if (same(database, SERVICES_FAILED_DATABASEW))
            return ERROR_DATABASE_DOES_NOT_EXIST;
        if (!same(database, SERVICES_ACTIVE_DATABASEW))
            return ERROR_INVALID_NAME;
    }
    lock();
    error = new_handle(HANDLE_MANAGER, NULL, access, manager);
    unlock();
    return error;
}

/* ---- services ---- */

static BOOL is_name(const WCHAR *name)
{
    size_t size = wcslen(name);

    return size && size <= NAME_LIMIT && !wcspbrk(name, L"/\\");
}

u32_t ROpenServiceW(SC_RPC_HANDLE manager, wchar_t *name, u32_t access, SC_RPC_HANDLE *made)
{
    DWORD error = check_handle(manager, HANDLE_MANAGER, 0, NULL);
    struct service *service;

    if (error)
        return error;
    if (!is_name(name))
        return ERROR_INVALID_NAME;
    lock();
    service = find_service(name);
    error = service ? new_handle(HANDLE_SERVICE, service, access, made) : ERROR_SERVICE_DOES_NOT_EXIST;
    unlock();
    return error;
}

struct creation {
    SC_RPC_HANDLE manager;
    WCHAR *name, *display, *image, *group, *account;
    DWORD access, type, start, error;
    u32_t *tag;
    WCHAR *dependencies;
    DWORD dependencies_size;
};

static DWORD check_creation(const struct creation *new, struct config *config)
{
    DWORD error = check_handle(new->manager, HANDLE_MANAGER, SC_MANAGER_CREATE_SERVICE, NULL);

    if (error)
        return error;
    if (!is_name(new->name) || (new->display && wcslen(new->display) > NAME_LIMIT))
        return ERROR_INVALID_NAME;
    if (!*new->image || (new->tag && (!new->group || !*new->group)))
        return ERROR_INVALID_PARAMETER;
    if ((error = parse_dependencies(new->dependencies, new->dependencies_size, config)))
        return error;
    config->type = new->type;
    config->start = new->start;
    config->error = new->error;
    config->image = copy_string(new->image);
    config->group = copy_string(new->group);
    config->display = copy_string(new->display);
    config->account = copy_string(new->account);
    config->preshutdown_timeout = 180000;
    if ((error = check_config(config)))
        return error;
    if (!config->account && (config->type & SERVICE_WIN32))
        config->account = copy_string(L"LocalSystem");
    return ERROR_SUCCESS;
}

/* Neither the name nor the name for people may be another service's. */
static DWORD check_unique(const struct creation *new)
{
    struct service *found = find_service(new->name);
    const WCHAR *display = new->display ? new->display : new->name;

    if (found)
        return found->deleted ? ERROR_SERVICE_MARKED_FOR_DELETE : ERROR_SERVICE_EXISTS;
    if (find_display(display) || find_service(display))
        return ERROR_DUPLICATE_SERVICE_NAME;
    return ERROR_SUCCESS;
}

static u32_t create(const struct creation *new, BOOL wow64, SC_RPC_HANDLE *made)
{
    struct config config = {0};
    struct service *service;
    DWORD error = check_creation(new, &config);

    config.wow64 = wow64;
    lock();
    if (!error)
        error = check_unique(new);
    if (!error && new->tag)
        *new->tag = config.tag = new_tag(config.group);
    if (!error && !(error = add_service(new->name, &config, &service))) {
        report_installed(service);
        error = new_handle(HANDLE_SERVICE, service, new->access, made);
    }
    unlock();
    free_config(&config);
    return error;
}

u32_t RCreateServiceW(SC_RPC_HANDLE manager, wchar_t *name, wchar_t *display, u32_t access, u32_t type, u32_t start,
                      u32_t error, wchar_t *image, wchar_t *group, u32_t *tag, byte_t *dependencies,
                      u32_t dependencies_size, wchar_t *account, byte_t *password, u32_t password_size,
                      SC_RPC_HANDLE *service)
{
    struct creation new = {manager, name,  display, image, group, account, access,
                           type,    start, error,   tag,   (WCHAR *)dependencies, dependencies_size};

    (void)password; /* every account is the one user that Wine has */
    (void)password_size;
    return create(&new, FALSE, service);
}

u32_t RCreateServiceWOW64W(SC_RPC_HANDLE manager, wchar_t *name, wchar_t *display, u32_t access, u32_t type,
                           u32_t start, u32_t error, wchar_t *image, wchar_t *group, u32_t *tag, byte_t *dependencies,
                           u32_t dependencies_size, wchar_t *account, byte_t *password, u32_t password_size,
                           SC_RPC_HANDLE *service)
{
    struct creation new = {manager, name,  display, image, group, account, access,
                           type,    start, error,   tag,   (WCHAR *)dependencies, dependencies_size};

    (void)password;
    (void)password_size;
    return create(&new, TRUE, service);
}

/* ---- names ---- */

static DWORD give_name(const WCHAR *name, WCHAR *buffer, u32_t *size)
{
    DWORD length, room = *size;

    *buffer = 0;
    if (!name)
        return ERROR_SERVICE_DOES_NOT_EXIST;
    length = (DWORD)wcslen(name);
    *size = length;
    if (length > room)
        return ERROR_INSUFFICIENT_BUFFER;
    memcpy(buffer, name, (length + 1) * sizeof(*name));
    return ERROR_SUCCESS;
}

u32_t RGetServiceDisplayNameW(SC_RPC_HANDLE manager, wchar_t *name, wchar_t buffer[], u32_t *size)
{
    DWORD error = check_handle(manager, HANDLE_MANAGER, 0, NULL);
    struct service *service;

    *buffer = 0;
    if (error)
        return error;
    lock();
    service = find_service(name);
    error = give_name(service ? display_of(service) : NULL, buffer, size);
    unlock();
    return error;
}

u32_t RGetServiceKeyNameW(SC_RPC_HANDLE manager, wchar_t *display, wchar_t buffer[], u32_t *size)
{
    DWORD error = check_handle(manager, HANDLE_MANAGER, 0, NULL);
    struct service *service;

    *buffer = 0;
    if (error)
        return error;
    lock();
    service = find_display(display);
    error = give_name(service ? service->name : NULL, buffer, size);
    unlock();
    return error;
}

/* ---- lists ---- */

struct wanted {
    DWORD types, states;
    const WCHAR *group;
    BOOL with_process;
    struct service **from; /* instead of the whole database */
    unsigned from_count;
};

static BOOL matches(const struct service *service, const struct wanted *wanted)
{
    const WCHAR *group = service->config.group;

    if (!(service->config.type & wanted->types) || !state_matches(service, wanted->states))
        return FALSE;
    return !wanted->group || (!*wanted->group && (!group || !*group)) || in_group(service, wanted->group);
}

static unsigned select_services(const struct wanted *wanted, struct service ***list)
{
    unsigned total = 0, count = 0;

    for (struct service *service = services; service; service = service->next)
        total++;
    *list = allocate((total + wanted->from_count + 1) * sizeof(**list));
    for (unsigned i = 0; i < wanted->from_count; i++)
        if (matches(wanted->from[i], wanted))
            (*list)[count++] = wanted->from[i];
    for (struct service *service = wanted->from ? NULL : services; service; service = service->next)
        if (matches(service, wanted))
            (*list)[count++] = service;
    return count;
}

static DWORD put_text(BYTE *buffer, DWORD *offset, const WCHAR *text)
{
    DWORD place = *offset, size = (DWORD)((wcslen(text) + 1) * sizeof(*text));

    memcpy(buffer + place, text, size);
    *offset += size;
    return place;
}

static void fill_process(rpc_status_process *status, const struct service *service)
{
    memcpy(&status->status, &service->status, sizeof(status->status));
    status->pid = service->process ? service->process->pid : 0;
    status->flags = 0;
}

/* All that fits not is one answer too much: the caller comes again with what is needed. */
static DWORD enumerate(const struct wanted *wanted, BYTE *buffer, u32_t size, u32_t *needed, u32_t *returned)
{
    DWORD row_size = wanted->with_process ? sizeof(struct row_process) : sizeof(struct row), offset;
    struct service **list;
    unsigned count;

    *returned = 0;
    memset(buffer, 0, size);
    count = select_services(wanted, &list);
    *needed = offset = count * row_size;
    for (unsigned i = 0; i < count; i++)
        *needed += (u32_t)((wcslen(list[i]->name) + wcslen(display_of(list[i])) + 2) * sizeof(WCHAR));
    if (*needed > size) {
        release(list);
        return ERROR_MORE_DATA;
    }
    for (unsigned i = 0; i < count; i++) {
        struct row *row = (struct row *)(buffer + i * row_size);

        row->name = put_text(buffer, &offset, list[i]->name);
        row->display = put_text(buffer, &offset, display_of(list[i]));
        if (wanted->with_process)
            fill_process(&((struct row_process *)row)->status, list[i]);
        else
            row->status = list[i]->status;
    }
    release(list);
    *needed = 0;
    *returned = count;
    return ERROR_SUCCESS;
}

static DWORD enumerate_all(SC_RPC_HANDLE manager, const struct wanted *wanted, BYTE *buffer, u32_t size, u32_t *needed,
                           u32_t *returned, u32_t *resume)
{
    DWORD error = check_handle(manager, HANDLE_MANAGER, SC_MANAGER_ENUMERATE_SERVICE, NULL);
    BOOL group_exists = !wanted->group || !*wanted->group;

    *needed = *returned = 0;
    if (!wanted->types || !wanted->states) /* Windows looks at these first */
        error = ERROR_INVALID_PARAMETER;
    if (error) {
        memset(buffer, 0, size);
        return error;
    }
    lock();
    for (struct service *service = services; service && !group_exists; service = service->next)
        group_exists = in_group(service, wanted->group);
    if (group_exists) {
        error = enumerate(wanted, buffer, size, needed, returned);
    } else {
        memset(buffer, 0, size);
        error = ERROR_SERVICE_DOES_NOT_EXIST;
    }
    unlock();
    if (resume)
        *resume = 0;
    return error;
}

u32_t REnumServicesStatusW(SC_RPC_HANDLE manager, u32_t types, u32_t states, byte_t *buffer, u32_t size, u32_t *needed,
                           u32_t *returned, u32_t *resume)
{
    struct wanted wanted = {.types = types, .states = states};

    return enumerate_all(manager, &wanted, buffer, size, needed, returned, resume);
}

u32_t REnumServiceGroupW(SC_RPC_HANDLE manager, u32_t types, u32_t states, byte_t *buffer, u32_t size, u32_t *needed,
                         u32_t *returned, u32_t *resume, wchar_t *group)
{
    struct wanted wanted = {.types = types, .states = states, .group = group};

    return enumerate_all(manager, &wanted, buffer, size, needed, returned, resume);
}

u32_t REnumServicesStatusExW(SC_RPC_HANDLE manager, unsigned short level, u32_t types, u32_t states, byte_t *buffer,
                             u32_t size, u32_t *needed, u32_t *returned, u32_t *resume, wchar_t *group)
{
    struct wanted wanted = {.types = types, .states = states, .group = group, .with_process = TRUE};

    if (level == SC_ENUM_PROCESS_INFO)
        return enumerate_all(manager, &wanted, buffer, size, needed, returned, resume);
    memset(buffer, 0, size);
    *needed = *returned = 0;
    return ERROR_INVALID_LEVEL;
}

u32_t REnumDependentServicesW(SC_RPC_HANDLE handle, u32_t states, byte_t *buffer, u32_t size, u32_t *needed,
                              u32_t *returned)
{
    struct wanted wanted = {.types = SERVICE_WIN32 | SERVICE_DRIVER, .states = states};
    struct service *service;
    DWORD error = check_handle(handle, HANDLE_SERVICE, SERVICE_ENUMERATE_DEPENDENTS, &service);

    *needed = *returned = 0;
    if (!error && (!states || (states & ~(u32_t)SERVICE_STATE_ALL)))
        error = ERROR_INVALID_PARAMETER;
    if (error) {
        memset(buffer, 0, size);
        return error;
    }
    lock();
    wanted.from_count = collect_dependents(service, states, &wanted.from);
    error = enumerate(&wanted, buffer, size, needed, returned);
    release(wanted.from);
    unlock();
    return error;
}

/* ---- the lock: since Windows Vista it keeps nobody from anything ---- */

static struct {
    enum handle_kind kind;
    BOOL taken;
    ULONGLONG since;
} database_lock = {HANDLE_LOCK, FALSE, 0};

u32_t RLockServiceDatabase(SC_RPC_HANDLE manager, SC_RPC_LOCK *made)
{
    DWORD error = check_handle(manager, HANDLE_MANAGER, SC_MANAGER_LOCK, NULL);

    *made = NULL;
    if (error)
        return error;
    lock();
    database_lock.taken = TRUE;
    database_lock.since = now();
    *made = &database_lock;
    unlock();
    return ERROR_SUCCESS;
}

void __RPC_USER SC_RPC_LOCK_rundown(SC_RPC_LOCK context)
{
    (void)context;
    lock();
    database_lock.taken = FALSE;
    unlock();
}

u32_t RUnlockServiceDatabase(SC_RPC_LOCK *context)
{
    if (!is_handle(*context, HANDLE_LOCK))
        return ERROR_INVALID_SERVICE_LOCK;
    SC_RPC_LOCK_rundown(*context);
    *context = NULL;
    return ERROR_SUCCESS;
}

u32_t RQueryServiceLockStatusW(SC_RPC_HANDLE manager, rpc_lock_status *status, u32_t size, u32_t *needed)
{
    DWORD error = check_handle(manager, HANDLE_MANAGER, SC_MANAGER_QUERY_LOCK_STATUS, NULL);

    (void)size;
    memset(status, 0, sizeof(*status));
    *needed = 0;
    if (error)
        return error;
    lock();
    status->locked = database_lock.taken;
    status->seconds = database_lock.taken ? (u32_t)((now() - database_lock.since) / 1000) : 0;
    unlock();
    if ((status->owner = midl_user_allocate(sizeof(WCHAR))))
        *status->owner = 0;
    return ERROR_SUCCESS;
}

u32_t RNotifyBootConfigStatus(wchar_t *machine, u32_t acceptable)
{
    (void)machine;
    (void)acceptable; /* there is one configuration, and the silo has booted with it */
    return ERROR_SUCCESS;
}
