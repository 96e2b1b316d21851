/* The configuration by levels: QueryServiceConfig2 and ChangeServiceConfig2.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The manager answers with structures whose pointers are offsets of 32 bits ([MS-SCMR] 2.2.34 to 2.2.38, 3.1.4.37). */

#include "scm_api.h"

#include <string.h>
#include <wchar.h>

#define FIRST_SIZE 1024
#define LEVEL_PREFERRED_NODE 9
#define LEVEL_LAUNCH_PROTECTED 12

/* What the manager has answered, with NULs behind it. */
struct wire {
    BYTE *data;
    DWORD size;
};

/* Structures of winsvc.h that the cross compiler's header lacks: SERVICE_TRIGGER_INFO, SERVICE_PREFERRED_NODE_INFO. */
struct trigger_info {
    DWORD count;
    void *triggers;
    BYTE *reserved;
};
struct preferred_node_info {
    USHORT node;
    BOOLEAN delete_node;
};

struct wire_failure_actions {
    DWORD reset_period, reboot_message, command, count, actions;
};

static DWORD number_at(const struct wire *wire, DWORD offset)
{
    DWORD number = 0;

    if (offset + sizeof(number) <= wire->size)
        memcpy(&number, wire->data + offset, sizeof(number));
    return number;
}

static const WCHAR *text_at(const struct wire *wire, DWORD offset)
{
    return offset && offset < wire->size ? (const WCHAR *)(wire->data + offset) : NULL;
}

static SIZE_T length_of(const WCHAR *text)
{
    return text ? wcslen(text) + 1 : 0;
}

/* ---- from the manager's form to the API's; each tells what is needed, and fills it in if that is there ---- */

typedef DWORD convert(const struct wire *wire, void *to, DWORD size, BOOL ansi);

static DWORD number(const struct wire *wire, void *to, DWORD size, BOOL ansi)
{
    DWORD value = number_at(wire, 0);

    (void)ansi;
    if (size >= sizeof(value))
        memcpy(to, &value, sizeof(value));
    return sizeof(value);
}

static DWORD one_text(void *to, DWORD size, BOOL ansi, const WCHAR *text, SIZE_T length)
{
    SERVICE_DESCRIPTIONW *description = to;
    struct scm_answer answer = {ansi, (BYTE *)(description + 1), (BYTE *)to + size};
    DWORD needed = sizeof(*description) + scm_text_size(ansi, text, length);

    if (needed <= size)
        description->lpDescription = scm_put_text(&answer, text, length);
    return needed;
}

static DWORD description(const struct wire *wire, void *to, DWORD size, BOOL ansi)
{
    const WCHAR *text = text_at(wire, number_at(wire, 0));

    return one_text(to, size, ansi, text, length_of(text));
}

/* SERVICE_REQUIRED_PRIVILEGES_INFO is one pointer, as SERVICE_DESCRIPTION is. */
static DWORD privileges(const struct wire *wire, void *to, DWORD size, BOOL ansi)
{
    const WCHAR *list = text_at(wire, number_at(wire, 0));

    return one_text(to, size, ansi, list, scm_list_length(list));
}

static DWORD failure_actions(const struct wire *wire, void *to, DWORD size, BOOL ansi)
{
    struct wire_failure_actions from = {0};
    SERVICE_FAILURE_ACTIONSW *actions = to;
    const WCHAR *reboot_message, *command;
    DWORD actions_size, needed;

    if (wire->size >= sizeof(from))
        memcpy(&from, wire->data, sizeof(from));
    if (from.actions > wire->size || from.count > (wire->size - from.actions) / sizeof(SC_ACTION))
        from.count = 0;
    reboot_message = text_at(wire, from.reboot_message);
    command = text_at(wire, from.command);
    actions_size = from.count * sizeof(SC_ACTION);
    needed = sizeof(*actions) + actions_size + scm_text_size(ansi, reboot_message, length_of(reboot_message)) +
             scm_text_size(ansi, command, length_of(command));
    if (needed <= size) {
        struct scm_answer answer = {ansi, (BYTE *)(actions + 1) + actions_size, (BYTE *)to + size};

        actions->dwResetPeriod = from.reset_period;
        actions->cActions = from.count;
        actions->lpsaActions = from.count ? (SC_ACTION *)(actions + 1) : NULL;
        memcpy(actions + 1, wire->data + from.actions, actions_size);
        actions->lpRebootMsg = scm_put_text(&answer, reboot_message, length_of(reboot_message));
        actions->lpCommand = scm_put_text(&answer, command, length_of(command));
    }
    return needed;
}

/* The manager knows no triggers. */
static DWORD triggers(const struct wire *wire, void *to, DWORD size, BOOL ansi)
{
    (void)wire;
    (void)ansi;
    if (size >= sizeof(struct trigger_info))
        memset(to, 0, sizeof(struct trigger_info));
    return sizeof(struct trigger_info);
}

static const struct level {
    DWORD level;
    convert *convert;
} levels[] = {
    {SERVICE_CONFIG_DESCRIPTION, description},
    {SERVICE_CONFIG_FAILURE_ACTIONS, failure_actions},
    {SERVICE_CONFIG_DELAYED_AUTO_START_INFO, number},
    {SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, number},
    {SERVICE_CONFIG_SERVICE_SID_INFO, number},
    {SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO, privileges},
    {SERVICE_CONFIG_PRESHUTDOWN_INFO, number},
    {SERVICE_CONFIG_TRIGGER_INFO, triggers},
    {LEVEL_PREFERRED_NODE, number},
    {LEVEL_LAUNCH_PROTECTED, number},
};

static DWORD ask(SC_HANDLE service, DWORD level, struct wire *wire)
{
    u32_t needed = FIRST_SIZE;
    DWORD error;

    do { /* it may grow in between */
        scm_release(wire->data);
        wire->size = needed;
        if (!(wire->data = scm_allocate(wire->size + 2 * sizeof(WCHAR))))
            return ERROR_NOT_ENOUGH_MEMORY;
        error = RQueryServiceConfig2W(service, level, wire->data, wire->size, &needed);
    } while (error == ERROR_INSUFFICIENT_BUFFER && needed > wire->size);
    if (needed < wire->size)
        wire->size = needed;
    return error;
}

static BOOL query(SC_HANDLE service, DWORD level, BYTE *buffer, DWORD size, DWORD *needed, BOOL ansi)
{
    const struct level *row = levels;
    struct wire wire = {0};
    DWORD error;

    while (row < levels + COUNT(levels) && row->level != level)
        row++;
    if (row == levels + COUNT(levels))
        return scm_done(ERROR_INVALID_LEVEL);
    if (!needed || (!buffer && size))
        return scm_done(ERROR_INVALID_ADDRESS);
    if (!scm_ready(service))
        return FALSE;
    error = ask(service, level, &wire);
    if (!error && (*needed = row->convert(&wire, buffer, size, ansi)) > size)
        error = ERROR_INSUFFICIENT_BUFFER;
    scm_release(wire.data);
    return scm_done(error);
}

BOOL WINAPI QueryServiceConfig2W(SC_HANDLE service, DWORD level, LPBYTE buffer, DWORD size, LPDWORD needed)
{
    return query(service, level, buffer, size, needed, FALSE);
}

BOOL WINAPI QueryServiceConfig2A(SC_HANDLE service, DWORD level, LPBYTE buffer, DWORD size, LPDWORD needed)
{
    return query(service, level, buffer, size, needed, TRUE);
}

/* ---- change ---- */

BOOL WINAPI ChangeServiceConfig2W(SC_HANDLE service, DWORD level, LPVOID info)
{
    const SERVICE_FAILURE_ACTIONSW *actions = info;
    const struct preferred_node_info *preferred = info;
    rpc_config_info wire = {.level = level};
    rpc_failure_actions wire_actions;
    rpc_preferred_node wire_node;
    rpc_bytes wire_bytes;

    if (!scm_ready(service))
        return FALSE;
    if (info && level == SERVICE_CONFIG_FAILURE_ACTIONS) {
        wire_actions = (rpc_failure_actions){actions->dwResetPeriod, actions->lpRebootMsg, actions->lpCommand,
                                             actions->cActions, (rpc_action *)actions->lpsaActions};
        wire.u.failure_actions = &wire_actions;
    } else if (info && level == SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO) {
        wire_bytes.bytes = *(BYTE **)info;
        wire_bytes.size = (u32_t)(scm_list_length(*(WCHAR **)info) * sizeof(WCHAR));
        wire.u.privileges = &wire_bytes;
    } else if (info && level == LEVEL_PREFERRED_NODE) {
        wire_node = (rpc_preferred_node){preferred->node, preferred->delete_node};
        wire.u.preferred_node = &wire_node;
    } else { /* one text, or one number: as the API has it */
        wire.u.description = info;
    }
    return scm_done(RChangeServiceConfig2W(service, wire));
}

BOOL WINAPI ChangeServiceConfig2A(SC_HANDLE service, DWORD level, LPVOID info)
{
    WCHAR *text = NULL, *command = NULL;
    SERVICE_FAILURE_ACTIONSW actions;
    DWORD error = ERROR_SUCCESS;
    void *wide = info;
    BOOL changed;

    if (info && level == SERVICE_CONFIG_DESCRIPTION) {
        error = scm_wide(*(char **)info, &text);
        wide = &text;
    } else if (info && level == SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO) {
        error = scm_wide_list(*(char **)info, &text);
        wide = &text;
    } else if (info && level == SERVICE_CONFIG_FAILURE_ACTIONS) {
        const SERVICE_FAILURE_ACTIONSA *from = info;

        error = scm_wide(from->lpRebootMsg, &text);
        if (!error)
            error = scm_wide(from->lpCommand, &command);
        actions = (SERVICE_FAILURE_ACTIONSW){from->dwResetPeriod, text, command, from->cActions, from->lpsaActions};
        wide = &actions;
    }
    changed = scm_done(error) && ChangeServiceConfig2W(service, level, wide);
    error = GetLastError();
    scm_release(text);
    scm_release(command);
    SetLastError(error);
    return changed;
}
