/* Calls on a service: configuration, status, start, control, deletion, security.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "scm.h"

#include <wchar.h>

#define CONFIG_SIZE 64 /* of QUERY_SERVICE_CONFIGW for a 64-bit client, without its texts */

static WCHAR *answer_string(const WCHAR *text)
{
    size_t size = (wcslen(text ? text : L"") + 1) * sizeof(*text);
    WCHAR *copy = midl_user_allocate(size);

    if (copy)
        memcpy(copy, text ? text : L"", size);
    return copy;
}

static size_t bytes_of(const WCHAR *text)
{
    return (wcslen(text ? text : L"") + 1) * sizeof(*text);
}

/* One string, as it has no other place on the wire: a slash, which no name has in it, behind each. The client makes
 * a list of it. */
static WCHAR *joined_dependencies(const struct config *config)
{
    WCHAR *joined = NULL;

    for (const WCHAR *name = config->need_services; name && *name; name += wcslen(name) + 1) {
        append(&joined, name);
        append(&joined, L"/");
    }
    for (const WCHAR *group = config->need_groups; group && *group; group += wcslen(group) + 1) {
        append(&joined, L"+");
        append(&joined, group);
        append(&joined, L"/");
    }
    return joined;
}

u32_t RQueryServiceConfigW(SC_RPC_HANDLE handle, rpc_config *answer, u32_t size, u32_t *needed)
{
    struct service *service;
    DWORD error = check_handle(handle, HANDLE_SERVICE, SERVICE_QUERY_CONFIG, &service);
    struct config *config;
    WCHAR *dependencies;

    memset(answer, 0, sizeof(*answer));
    *needed = 0;
    if (error)
        return error;
    lock();
    config = &service->config;
    dependencies = joined_dependencies(config);
    *needed = (u32_t)(CONFIG_SIZE + bytes_of(config->image) + bytes_of(config->group) + bytes_of(dependencies) +
                      bytes_of(config->account) + bytes_of(display_of(service)));
    if (*needed > size) {
        unlock();
        release(dependencies);
        return ERROR_INSUFFICIENT_BUFFER;
    }
    answer->type = config->type;
    answer->start = config->start;
    answer->error = config->error;
    answer->tag = config->tag;
    answer->image = answer_string(config->image);
    answer->group = answer_string(config->group);
    answer->dependencies = answer_string(dependencies);
    answer->account = answer_string(config->account);
    answer->display = answer_string(display_of(service));
    unlock();
    release(dependencies);
    return ERROR_SUCCESS;
}

/* ---- change ---- */

struct change {
    u32_t type, start, error;
    WCHAR *image, *group, *account, *display;
    u32_t *tag;
    WCHAR *dependencies;
    u32_t dependencies_size;
};

static void copy_config(struct config *to, const struct config *from)
{
    *to = *from;
    to->image = copy_string(from->image);
    to->group = copy_string(from->group);
    to->account = copy_string(from->account);
    to->display = copy_string(from->display);
    to->description = copy_string(from->description);
    to->need_services = copy_multi_sz(from->need_services);
    to->need_groups = copy_multi_sz(from->need_groups);
}

static void set_string(WCHAR **field, const WCHAR *text)
{
    if (!text)
        return;
    release(*field);
    *field = copy_string(text);
}

/* The configuration after the change, to be saved whole or not at all. */
static DWORD apply_change(struct service *service, const struct change *change, struct config *config)
{
    DWORD error;

    if (change->type != SERVICE_NO_CHANGE)
        config->type = change->type;
    if (change->start != SERVICE_NO_CHANGE)
        config->start = change->start;
    if (change->error != SERVICE_NO_CHANGE)
        config->error = change->error;
    if (change->tag)
        config->tag = *change->tag;
    if (change->image && !*change->image)
        return ERROR_INVALID_PARAMETER;
    set_string(&config->image, change->image);
    set_string(&config->group, change->group);
    set_string(&config->account, change->account);
    set_string(&config->display, change->display);
    if (change->dependencies && (error = parse_dependencies(change->dependencies, change->dependencies_size, config)))
        return error;
    if (change->display) {
        struct service *other = find_display(change->display);

        if (other && other != service)
            return ERROR_DUPLICATE_SERVICE_NAME;
    }
    return check_config(config);
}

u32_t RChangeServiceConfigW(SC_RPC_HANDLE handle, u32_t type, u32_t start, u32_t error_control, wchar_t *image,
                            wchar_t *group, u32_t *tag, byte_t *dependencies, u32_t dependencies_size, wchar_t *account,
                            byte_t *password, u32_t password_size, wchar_t *display)
{
    struct change change = {type, start, error_control, image, group, account, display,
                            tag,  (WCHAR *)dependencies, dependencies_size};
    struct service *service;
    struct config config;
    DWORD error = check_handle(handle, HANDLE_SERVICE, SERVICE_CHANGE_CONFIG, &service);

    (void)password; /* every account is the one user that Wine has */
    (void)password_size;
    if (error)
        return error;
    lock();
    copy_config(&config, &service->config);
    if (service->deleted)
        error = ERROR_SERVICE_MARKED_FOR_DELETE;
    else if (!(error = apply_change(service, &change, &config)) && !(error = save_config(service->name, &config))) {
        struct config old = service->config;

        service->config = config;
        config = old;
        if (service->status.dwCurrentState == SERVICE_STOPPED)
            service->status.dwServiceType = service->config.type;
    }
    free_config(&config);
    unlock();
    return error;
}

u32_t RDeleteService(SC_RPC_HANDLE handle)
{
    struct service *service;
    DWORD error = check_handle(handle, HANDLE_SERVICE, DELETE, &service);

    if (error)
        return error;
    lock();
    if (service->deleted) {
        error = ERROR_SERVICE_MARKED_FOR_DELETE;
    } else {
        mark_deleted(service);
        notify_status(service);
    }
    unlock();
    return error;
}

/* ---- status ---- */

u32_t RQueryServiceStatus(SC_RPC_HANDLE handle, rpc_status *status)
{
    struct service *service;
    DWORD error = check_handle(handle, HANDLE_SERVICE, SERVICE_QUERY_STATUS, &service);

    memset(status, 0, sizeof(*status));
    if (error)
        return error;
    lock();
    memcpy(status, &service->status, sizeof(*status));
    unlock();
    return ERROR_SUCCESS;
}

u32_t RQueryServiceStatusEx(SC_RPC_HANDLE handle, unsigned short level, byte_t *buffer, u32_t size, u32_t *needed)
{
    struct service *service;
    DWORD error = check_handle(handle, HANDLE_SERVICE, SERVICE_QUERY_STATUS, &service);
    rpc_status_process status = {0};

    memset(buffer, 0, size);
    *needed = 0;
    if (error)
        return error;
    if (level != SC_STATUS_PROCESS_INFO)
        return ERROR_INVALID_LEVEL;
    *needed = sizeof(status);
    if (size < sizeof(status))
        return ERROR_INSUFFICIENT_BUFFER;
    lock();
    memcpy(&status.status, &service->status, sizeof(status.status));
    status.pid = service->process ? service->process->pid : 0;
    unlock();
    memcpy(buffer, &status, sizeof(status));
    return ERROR_SUCCESS;
}

/* A stop with an error code is a failure too, if the service's configuration says so. */
static void check_exit(struct service *service, const SERVICE_STATUS *status)
{
    HKEY key = NULL;

    if (status->dwCurrentState != SERVICE_STOPPED || !status->dwWin32ExitCode)
        return;
    if ((key = open_service_key(service->name, KEY_READ))) {
        if (read_number(key, L"FailureActionsOnNonCrashFailures", 0))
            service_failed(service);
        RegCloseKey(key);
    }
}

u32_t RSetServiceStatus(SC_RPC_HANDLE handle, rpc_status *reported)
{
    struct service *service;
    DWORD error = check_handle(handle, HANDLE_SERVICE, SERVICE_SET_STATUS, &service);
    SERVICE_STATUS status;

    if (error)
        return error;
    if (reported->state < SERVICE_STOPPED || reported->state > SERVICE_PAUSED)
        return ERROR_INVALID_DATA;
    memcpy(&status, reported, sizeof(status));
    lock();
    if (service->process) { /* else it was given up, and is late */
        hold(service);
        set_status(service, &status);
        check_exit(service, &status);
        let_go(service);
    }
    unlock();
    return ERROR_SUCCESS;
}

/* ---- start and control ---- */

u32_t RStartServiceW(SC_RPC_HANDLE handle, u32_t count, wchar_t **arguments)
{
    struct service *service;
    DWORD error = check_handle(handle, HANDLE_SERVICE, SERVICE_START, &service);

    if (error)
        return error;
    lock();
    hold(service);
    error = start_service(service, arguments ? count : 0, arguments);
    let_go(service);
    unlock();
    return error;
}

/* The right that a control code needs, 0 for one that nobody may send: [MS-SCMR] 3.1.4.2. */
static DWORD right_for(DWORD control)
{
    switch (control) {
    case SERVICE_CONTROL_STOP:
        return SERVICE_STOP;
    case SERVICE_CONTROL_INTERROGATE:
        return SERVICE_INTERROGATE;
    case SERVICE_CONTROL_PAUSE:
    case SERVICE_CONTROL_CONTINUE:
    case SERVICE_CONTROL_PARAMCHANGE:
    case SERVICE_CONTROL_NETBINDADD:
    case SERVICE_CONTROL_NETBINDREMOVE:
    case SERVICE_CONTROL_NETBINDENABLE:
    case SERVICE_CONTROL_NETBINDDISABLE:
        return SERVICE_PAUSE_CONTINUE;
    }
    return control >= 128 && control <= 255 ? SERVICE_USER_DEFINED_CONTROL : 0;
}

static DWORD control(SC_RPC_HANDLE handle, DWORD code, SERVICE_STATUS *status)
{
    struct service *service;
    DWORD right = right_for(code), error;

    if (!right)
        return ERROR_INVALID_PARAMETER;
    if ((error = check_handle(handle, HANDLE_SERVICE, right, &service)))
        return error;
    lock();
    hold(service);
    error = control_service(service, code, now() + pipe_timeout, status);
    let_go(service);
    unlock();
    return error;
}

u32_t RControlService(SC_RPC_HANDLE handle, u32_t code, rpc_status *answer)
{
    SERVICE_STATUS status = {0};
    DWORD error = control(handle, code, &status);

    memcpy(answer, &status, sizeof(*answer));
    return error;
}

static DWORD pid_of(SC_RPC_HANDLE handle)
{
    struct service *service;
    DWORD pid = 0;

    if (check_handle(handle, HANDLE_SERVICE, 0, &service))
        return 0;
    lock();
    if (service->process)
        pid = service->process->pid;
    unlock();
    return pid;
}

/* Why a service is stopped: one general reason, a major and a minor one, each in its range or in that of programs' own;
 * "SERVICE_CONTROL_STATUS_REASON_PARAMS" of the Windows documentation, winsvc.h. */
static BOOL is_reason(DWORD reason)
{
    DWORD general = reason >> 28, major = reason & 0x00ff0000, minor = reason & 0xffff;
    BOOL custom = general == SERVICE_STOP_REASON_FLAG_CUSTOM >> 28;

    if (!custom && general != SERVICE_STOP_REASON_FLAG_PLANNED >> 28 &&
        general != SERVICE_STOP_REASON_FLAG_UNPLANNED >> 28)
        return FALSE;
    if (!(major > SERVICE_STOP_REASON_MAJOR_MIN && major < SERVICE_STOP_REASON_MAJOR_MAX) &&
        !(major >= SERVICE_STOP_REASON_MAJOR_MIN_CUSTOM && major <= SERVICE_STOP_REASON_MAJOR_MAX_CUSTOM))
        return FALSE;
    return (minor > SERVICE_STOP_REASON_MINOR_MIN && minor < SERVICE_STOP_REASON_MINOR_MAX) ||
           minor >= SERVICE_STOP_REASON_MINOR_MIN_CUSTOM;
}

u32_t RControlServiceExW(SC_RPC_HANDLE handle, u32_t code, u32_t level, u32_t in_level, rpc_reason *in,
                         u32_t *out_level, rpc_status_process **out)
{
    SERVICE_STATUS status = {0};
    rpc_status_process *answer;
    DWORD error;

    *out_level = level;
    *out = NULL;
    if (level != 1 || in_level != level)
        return ERROR_INVALID_LEVEL;
    if (!in || (code == SERVICE_CONTROL_STOP && !is_reason(in->reason)))
        return ERROR_INVALID_PARAMETER;
    error = control(handle, code, &status);
    if ((*out = answer = midl_user_allocate(sizeof(*answer)))) {
        memcpy(&answer->status, &status, sizeof(answer->status));
        answer->pid = pid_of(handle);
    }
    return error;
}
