/* The configuration by levels: ChangeServiceConfig2 and QueryServiceConfig2.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Answers are structures with offsets for pointers ([MS-SCMR] 2.2.34 and following). */

#include "scm.h"

#include <wchar.h>

#define LEVEL_PREFERRED_NODE 9
#define LEVEL_LAUNCH_PROTECTED 12

/* Levels that are one number in the service's key. */
static const struct number_level {
    DWORD level, largest;
    const WCHAR *value;
    DWORD otherwise;
} number_levels[] = {
    {SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, 1, L"FailureActionsOnNonCrashFailures", 0},
    {SERVICE_CONFIG_SERVICE_SID_INFO, 3, L"ServiceSidType", 0},
    {LEVEL_LAUNCH_PROTECTED, 3, L"LaunchProtected", 0},
};

static const struct number_level *number_level(DWORD level)
{
    for (unsigned i = 0; i < COUNT(number_levels); i++)
        if (number_levels[i].level == level)
            return &number_levels[i];
    return NULL;
}

/* ---- change ---- */

static DWORD set_number(struct service *service, const struct number_level *level, DWORD number)
{
    HKEY key;
    DWORD error;

    if (number > level->largest || (level->level == SERVICE_CONFIG_SERVICE_SID_INFO && number == 2))
        return ERROR_INVALID_PARAMETER;
    if (!(key = open_service_key(service->name, KEY_WRITE)))
        return ERROR_SERVICE_MARKED_FOR_DELETE;
    error = write_number(key, level->value, number);
    RegCloseKey(key);
    return error;
}

static DWORD set_description(struct service *service, const WCHAR *text)
{
    if (!text) /* stays */
        return ERROR_SUCCESS;
    release(service->config.description);
    service->config.description = *text ? copy_string(text) : NULL;
    return save_config(service->name, &service->config);
}

static void set_text(WCHAR **field, const WCHAR *text)
{
    if (!text)
        return;
    release(*field);
    *field = *text ? copy_string(text) : NULL;
}

/* What is NULL stays; an empty text, or no action in a list that is there, goes. */
static DWORD set_failure_actions(struct service *service, const rpc_failure_actions *new, DWORD access)
{
    struct failure_actions actions;
    DWORD error = ERROR_SUCCESS;

    if (new->count > 1024)
        return ERROR_INVALID_PARAMETER;
    for (DWORD i = 0; new->actions && i < new->count; i++) {
        if (new->actions[i].type > SC_ACTION_RUN_COMMAND)
            return ERROR_INVALID_PARAMETER;
        if (new->actions[i].type == SC_ACTION_RESTART && !(access & SERVICE_START))
            return ERROR_ACCESS_DENIED;
    }
    read_failure_actions(service->name, &actions);
    set_text(&actions.reboot_message, new->reboot_message);
    set_text(&actions.command, new->command);
    if (new->actions) {
        release(actions.actions);
        actions.count = new->count;
        actions.reset_period = new->count ? new->reset_period : 0;
        actions.actions = allocate((new->count + 1) * sizeof(SC_ACTION));
        for (DWORD i = 0; i < new->count; i++) {
            actions.actions[i].Type = (SC_ACTION_TYPE)new->actions[i].type;
            actions.actions[i].Delay = new->actions[i].delay;
        }
    }
    error = write_failure_actions(service->name, &actions);
    free_failure_actions(&actions);
    return error;
}

static DWORD set_delayed(struct service *service, DWORD delayed)
{
    if (delayed > 1)
        return ERROR_INVALID_PARAMETER;
    service->config.delayed = (BOOL)delayed;
    return save_config(service->name, &service->config);
}

static DWORD set_privileges(struct service *service, const rpc_bytes *privileges)
{
    const WCHAR *strings = (const WCHAR *)privileges->bytes;
    HKEY key;
    DWORD error;

    if (!is_multi_sz(strings, privileges->size))
        return ERROR_INVALID_PARAMETER;
    if (!(key = open_service_key(service->name, KEY_WRITE)))
        return ERROR_SERVICE_MARKED_FOR_DELETE;
    error = write_strings(key, L"RequiredPrivileges", strings && privileges->size && *strings ? strings : NULL);
    RegCloseKey(key);
    return error;
}

static DWORD change(struct service *service, const rpc_config_info *info, DWORD access)
{
    const struct number_level *level = number_level(info->level);

    if (!info->u.description) /* no level is without its structure */
        return ERROR_INVALID_PARAMETER;
    if (level)
        return set_number(service, level, info->u.failure_flag->value);
    switch (info->level) {
    case SERVICE_CONFIG_DESCRIPTION:
        return set_description(service, info->u.description->text);
    case SERVICE_CONFIG_FAILURE_ACTIONS:
        return set_failure_actions(service, info->u.failure_actions, access);
    case SERVICE_CONFIG_DELAYED_AUTO_START_INFO:
        return set_delayed(service, info->u.delayed_start->value);
    case SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO:
        return set_privileges(service, info->u.privileges);
    case SERVICE_CONFIG_PRESHUTDOWN_INFO:
        service->config.preshutdown_timeout = info->u.preshutdown->value;
        return save_config(service->name, &service->config);
    }
    return ERROR_INVALID_LEVEL;
}

u32_t RChangeServiceConfig2W(SC_RPC_HANDLE handle, rpc_config_info info)
{
    struct service *service;
    DWORD error = check_handle(handle, HANDLE_SERVICE, SERVICE_CHANGE_CONFIG, &service);

    if (error)
        return error;
    if (info.level < 1 || (info.level > 7 && info.level != LEVEL_PREFERRED_NODE && info.level != LEVEL_LAUNCH_PROTECTED))
        return ERROR_INVALID_LEVEL;
    lock();
    error = service->deleted ? ERROR_SERVICE_MARKED_FOR_DELETE
                             : change(service, &info, ((struct handle *)handle)->access);
    unlock();
    return error;
}

/* ---- query ---- */

struct answer {
    BYTE *buffer;
    DWORD size, used;
    BOOL ansi;
};

/* Memory that is there only if it fits; used counts on. */
static void *take(struct answer *answer, DWORD size)
{
    DWORD at = answer->used;

    answer->used += size;
    return answer->used <= answer->size ? answer->buffer + at : NULL;
}

static void put(struct answer *answer, const void *data, DWORD size)
{
    void *place = take(answer, size);

    if (place)
        memcpy(place, data, size);
}

/* Puts a text, if there is one, and its offset into a field of the structure in front. */
static void put_text(struct answer *answer, DWORD field, const WCHAR *text, size_t characters)
{
    DWORD offset = answer->used, bytes;
    char *ansi;

    if (!text)
        return;
    if (field + sizeof(offset) <= answer->size)
        memcpy(answer->buffer + field, &offset, sizeof(offset));
    if (!answer->ansi) {
        put(answer, text, (DWORD)(characters * sizeof(*text)));
        return;
    }
    bytes = (DWORD)WideCharToMultiByte(CP_ACP, 0, text, (int)characters, NULL, 0, NULL, NULL);
    ansi = allocate(bytes);
    WideCharToMultiByte(CP_ACP, 0, text, (int)characters, ansi, (int)bytes, NULL, NULL);
    put(answer, ansi, bytes);
    release(ansi);
}

static void query_description(const struct service *service, struct answer *answer)
{
    const WCHAR *text = service->config.description;
    DWORD offset = 0;

    put(answer, &offset, sizeof(offset));
    put_text(answer, 0, text, text ? wcslen(text) + 1 : 0);
}

static void query_failure_actions(const struct service *service, struct answer *answer)
{
    struct failure_actions actions;
    DWORD head[5] = {0};

    read_failure_actions(service->name, &actions);
    head[0] = actions.reset_period;
    head[3] = actions.count;
    head[4] = actions.count ? sizeof(head) : 0;
    put(answer, head, sizeof(head));
    put(answer, actions.actions, actions.count * sizeof(SC_ACTION));
    put_text(answer, 4, actions.reboot_message, actions.reboot_message ? wcslen(actions.reboot_message) + 1 : 0);
    put_text(answer, 8, actions.command, actions.command ? wcslen(actions.command) + 1 : 0);
    free_failure_actions(&actions);
}

static void query_privileges(const struct service *service, struct answer *answer)
{
    HKEY key = open_service_key(service->name, KEY_READ);
    multi_sz privileges = key ? read_strings(key, L"RequiredPrivileges") : NULL;
    DWORD offset = 0;

    if (key)
        RegCloseKey(key);
    put(answer, &offset, sizeof(offset));
    put_text(answer, 0, privileges, multi_sz_size(privileges));
    release(privileges);
}

static void query_number(const struct service *service, const struct number_level *level, struct answer *answer)
{
    HKEY key = open_service_key(service->name, KEY_READ);
    DWORD number = level->otherwise;

    if (key) {
        number = read_number(key, level->value, number);
        RegCloseKey(key);
    }
    put(answer, &number, sizeof(number));
}

static DWORD query(const struct service *service, DWORD level, struct answer *answer)
{
    static const DWORD nothing[3];
    const struct number_level *number = number_level(level);

    if (number) {
        query_number(service, number, answer);
        return ERROR_SUCCESS;
    }
    switch (level) {
    case SERVICE_CONFIG_DESCRIPTION:
        query_description(service, answer);
        return ERROR_SUCCESS;
    case SERVICE_CONFIG_FAILURE_ACTIONS:
        query_failure_actions(service, answer);
        return ERROR_SUCCESS;
    case SERVICE_CONFIG_DELAYED_AUTO_START_INFO:
        put(answer, &service->config.delayed, sizeof(DWORD));
        return ERROR_SUCCESS;
    case SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO:
        query_privileges(service, answer);
        return ERROR_SUCCESS;
    case SERVICE_CONFIG_PRESHUTDOWN_INFO:
        put(answer, &service->config.preshutdown_timeout, sizeof(DWORD));
        return ERROR_SUCCESS;
    case SERVICE_CONFIG_TRIGGER_INFO: /* no service has any */
        put(answer, nothing, sizeof(nothing));
        return ERROR_SUCCESS;
    }
    return ERROR_INVALID_LEVEL;
}

DWORD query_level(SC_RPC_HANDLE handle, u32_t level, BOOL ansi, byte_t *buffer, u32_t size, u32_t *needed)
{
    struct answer answer = {buffer, size, 0, ansi};
    struct service *service;
    DWORD error = check_handle(handle, HANDLE_SERVICE, SERVICE_QUERY_CONFIG, &service);

    memset(buffer, 0, size);
    *needed = 0;
    if (error)
        return error;
    lock();
    error = query(service, level, &answer);
    unlock();
    if (error)
        return error;
    *needed = answer.used;
    return answer.used > size ? ERROR_INSUFFICIENT_BUFFER : ERROR_SUCCESS;
}

u32_t RQueryServiceConfig2W(SC_RPC_HANDLE handle, u32_t level, byte_t *buffer, u32_t size, u32_t *needed)
{
    return query_level(handle, level, FALSE, buffer, size, needed);
}
