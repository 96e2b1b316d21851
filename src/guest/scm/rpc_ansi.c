/* The calls with text in the ANSI code page, which end in A: each is the one that ends in W, with its texts converted.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Programs that use the API never make them, as Wine's sechost.dll converts by itself; clients of the protocol do.
 * [MS-SCMR] 3.1.4.22 to 47. */

#include "scm.h"

#include <string.h>
#include <wchar.h>

/* ---- texts ---- */

/* To be released; NULL stays NULL. */
static WCHAR *widen_bytes(const char *text, DWORD bytes, DWORD *characters)
{
    WCHAR *wide;

    *characters = 0;
    if (!text)
        return NULL;
    if (bytes)
        *characters = (DWORD)MultiByteToWideChar(CP_ACP, 0, text, (int)bytes, NULL, 0);
    wide = allocate((*characters + 1) * sizeof(*wide));
    if (*characters)
        MultiByteToWideChar(CP_ACP, 0, text, (int)bytes, wide, (int)*characters);
    return wide;
}

static WCHAR *widen(const char *text)
{
    DWORD characters;

    return widen_bytes(text, text ? (DWORD)strlen(text) : 0, &characters);
}

static DWORD ansi_size(const WCHAR *text)
{
    return (DWORD)WideCharToMultiByte(CP_ACP, 0, text ? text : L"", -1, NULL, 0, NULL, NULL);
}

static DWORD put_ansi(char *place, DWORD room, const WCHAR *text)
{
    return (DWORD)WideCharToMultiByte(CP_ACP, 0, text ? text : L"", -1, place, (int)room, NULL, NULL);
}

/* A text that the stub sends and frees. */
static char *answer_ansi(const WCHAR *text)
{
    DWORD size = ansi_size(text);
    char *copy = midl_user_allocate(size);

    if (copy)
        put_ansi(copy, size, text);
    return copy;
}

/* ---- the manager ---- */

u32_t ROpenSCManagerA(char *machine, char *database, u32_t access, SC_RPC_HANDLE *manager)
{
    WCHAR *wide = widen(database);
    DWORD error = ROpenSCManagerW(NULL, wide, access, manager);

    (void)machine;
    release(wide);
    return error;
}

u32_t ROpenServiceA(SC_RPC_HANDLE manager, char *name, u32_t access, SC_RPC_HANDLE *service)
{
    WCHAR *wide = widen(name);
    DWORD error = ROpenServiceW(manager, wide, access, service);

    release(wide);
    return error;
}

struct texts {
    WCHAR *name, *display, *image, *group, *account, *dependencies;
    DWORD dependencies_size; /* in bytes, as the wide calls have it */
};

static void widen_texts(struct texts *wide, const char *name, const char *display, const char *image, const char *group,
                        const char *account, const byte_t *dependencies, u32_t dependencies_size)
{
    wide->name = widen(name);
    wide->display = widen(display);
    wide->image = widen(image);
    wide->group = widen(group);
    wide->account = widen(account);
    wide->dependencies = widen_bytes((const char *)dependencies, dependencies_size, &wide->dependencies_size);
    wide->dependencies_size *= sizeof(WCHAR);
}

static void release_texts(struct texts *wide)
{
    release(wide->name);
    release(wide->display);
    release(wide->image);
    release(wide->group);
    release(wide->account);
    release(wide->dependencies);
}

u32_t RCreateServiceA(SC_RPC_HANDLE manager, char *name, char *display, u32_t access, u32_t type, u32_t start,
                      u32_t error, char *image, char *group, u32_t *tag, byte_t *dependencies, u32_t dependencies_size,
                      char *account, byte_t *password, u32_t password_size, SC_RPC_HANDLE *service)
{
    struct texts wide;
    DWORD result;

    widen_texts(&wide, name, display, image, group, account, dependencies, dependencies_size);
    result = RCreateServiceW(manager, wide.name, wide.display, access, type, start, error, wide.image, wide.group, tag,
                             (byte_t *)wide.dependencies, wide.dependencies_size, wide.account, password, password_size,
                             service);
    release_texts(&wide);
    return result;
}

u32_t RCreateServiceWOW64A(SC_RPC_HANDLE manager, char *name, char *display, u32_t access, u32_t type, u32_t start,
                           u32_t error, char *image, char *group, u32_t *tag, byte_t *dependencies,
                           u32_t dependencies_size, char *account, byte_t *password, u32_t password_size,
                           SC_RPC_HANDLE *service)
{
    struct texts wide;
    DWORD result;

    widen_texts(&wide, name, display, image, group, account, dependencies, dependencies_size);
    result = RCreateServiceWOW64W(manager, wide.name, wide.display, access, type, start, error, wide.image, wide.group,
                                  tag, (byte_t *)wide.dependencies, wide.dependencies_size, wide.account, password,
                                  password_size, service);
    release_texts(&wide);
    return result;
}

u32_t RChangeServiceConfigA(SC_RPC_HANDLE handle, u32_t type, u32_t start, u32_t error, char *image, char *group,
                            u32_t *tag, byte_t *dependencies, u32_t dependencies_size, char *account, byte_t *password,
                            u32_t password_size, char *display)
{
    struct texts wide;
    DWORD result;

    widen_texts(&wide, NULL, display, image, group, account, dependencies, dependencies_size);
    result = RChangeServiceConfigW(handle, type, start, error, wide.image, wide.group, tag, (byte_t *)wide.dependencies,
                                   wide.dependencies_size, wide.account, password, password_size, wide.display);
    release_texts(&wide);
    return result;
}

/* ---- names ---- */

/* Where it fits the size stays as it came: it is that of the array that is sent, which has a NUL more than the name. That
 * is what Wine's tests see on Windows; the document would have the name's. */
static DWORD give_ansi_name(DWORD error, const WCHAR *name, char *buffer, u32_t *size)
{
    DWORD needed = ansi_size(name);

    *buffer = 0;
    if (error)
        return error;
    if (needed > *size) {
        *size = needed - 1;
        return ERROR_INSUFFICIENT_BUFFER;
    }
    put_ansi(buffer, *size, name);
    return ERROR_SUCCESS;
}

#define WIDE_ROOM 0x8000 /* characters: more than any name that a client can ask for here */

u32_t RGetServiceDisplayNameA(SC_RPC_HANDLE manager, char *name, char buffer[], u32_t *size)
{
    WCHAR *wide = widen(name), *answer = allocate((WIDE_ROOM + 1) * sizeof(*answer));
    u32_t room = WIDE_ROOM;
    DWORD error = give_ansi_name(RGetServiceDisplayNameW(manager, wide, answer, &room), answer, buffer, size);

    release(answer);
    release(wide);
    return error;
}

u32_t RGetServiceKeyNameA(SC_RPC_HANDLE manager, char *display, char buffer[], u32_t *size)
{
    WCHAR *wide = widen(display), *answer = allocate((WIDE_ROOM + 1) * sizeof(*answer));
    u32_t room = WIDE_ROOM;
    DWORD error = give_ansi_name(RGetServiceKeyNameW(manager, wide, answer, &room), answer, buffer, size);

    release(answer);
    release(wide);
    return error;
}

/* ---- lists ---- */

struct names { /* in front of each row */
    DWORD name, display;
};

struct listing {
    BYTE *wide;
    u32_t size, needed, returned;
};

/* Whether to ask once more, with the room that the answer says is needed. */
static BOOL more(struct listing *listing, DWORD error)
{
    if (error != ERROR_MORE_DATA)
        return FALSE;
    release(listing->wide);
    listing->size = listing->needed;
    listing->wide = allocate(listing->size);
    return TRUE;
}

static DWORD give_rows(struct listing *listing, DWORD error, DWORD row_size, BYTE *buffer, u32_t size, u32_t *needed,
                       u32_t *returned)
{
    DWORD offset = listing->returned * row_size;

    *returned = 0;
    *needed = 0;
    memset(buffer, 0, size);
    if (!error) {
        *needed = offset;
        for (DWORD i = 0; i < listing->returned; i++) {
            const struct names *names = (const struct names *)(listing->wide + i * row_size);

            *needed += ansi_size((const WCHAR *)(listing->wide + names->name));
            *needed += ansi_size((const WCHAR *)(listing->wide + names->display));
        }
        if (*needed > size)
            error = ERROR_MORE_DATA;
    }
    for (DWORD i = 0; !error && i < listing->returned; i++) {
        const struct names *from = (const struct names *)(listing->wide + i * row_size);
        struct names *to = (struct names *)(buffer + i * row_size);

        memcpy(to, from, row_size);
        to->name = offset;
        offset += put_ansi((char *)buffer + offset, size - offset, (const WCHAR *)(listing->wide + from->name));
        to->display = offset;
        offset += put_ansi((char *)buffer + offset, size - offset, (const WCHAR *)(listing->wide + from->display));
    }
    if (!error) {
        *returned = listing->returned;
        *needed = 0;
    }
    release(listing->wide);
    return error;
}

#define ROW_SIZE (sizeof(struct names) + sizeof(rpc_status))
#define PROCESS_ROW_SIZE (sizeof(struct names) + sizeof(rpc_status_process))

u32_t REnumDependentServicesA(SC_RPC_HANDLE handle, u32_t states, byte_t *buffer, u32_t size, u32_t *needed,
                              u32_t *returned)
{
    struct listing all = {0};
    DWORD error;

    do
        error = REnumDependentServicesW(handle, states, all.wide, all.size, &all.needed, &all.returned);
    while (more(&all, error));
    return give_rows(&all, error, ROW_SIZE, buffer, size, needed, returned);
}

u32_t REnumServicesStatusA(SC_RPC_HANDLE manager, u32_t types, u32_t states, byte_t *buffer, u32_t size, u32_t *needed,
                           u32_t *returned, u32_t *resume)
{
    struct listing all = {0};
    DWORD error;

    do
        error = REnumServicesStatusW(manager, types, states, all.wide, all.size, &all.needed, &all.returned, resume);
    while (more(&all, error));
    return give_rows(&all, error, ROW_SIZE, buffer, size, needed, returned);
}

u32_t REnumServicesStatusExA(SC_RPC_HANDLE manager, unsigned short level, u32_t types, u32_t states, byte_t *buffer,
                             u32_t size, u32_t *needed, u32_t *returned, u32_t *resume, char *group)
{
    WCHAR *wide = widen(group);
    struct listing all = {0};
    DWORD error;

    do
        error = REnumServicesStatusExW(manager, level, types, states, all.wide, all.size, &all.needed, &all.returned,
                                       resume, wide);
    while (more(&all, error));
    release(wide);
    return give_rows(&all, error, PROCESS_ROW_SIZE, buffer, size, needed, returned);
}

/* ---- configuration ---- */

u32_t RQueryServiceConfigA(SC_RPC_HANDLE handle, rpc_config_a *answer, u32_t size, u32_t *needed)
{
    rpc_config wide;
    DWORD error = RQueryServiceConfigW(handle, &wide, MAXDWORD, needed);
    size_t dependencies = wide.dependencies ? wcslen(wide.dependencies) : 0;

    memset(answer, 0, sizeof(*answer));
    if (error)
        return error;
    if (dependencies)
        wide.dependencies[dependencies - 1] = 0; /* the slash stands between the names here */
    *needed = (u32_t)(sizeof(QUERY_SERVICE_CONFIGA) + ansi_size(wide.image) + ansi_size(wide.group) +
                      ansi_size(wide.dependencies) + ansi_size(wide.account) + ansi_size(wide.display));
    if (*needed > size) {
        error = ERROR_INSUFFICIENT_BUFFER;
    } else {
        answer->type = wide.type;
        answer->start = wide.start;
        answer->error = wide.error;
        answer->tag = wide.tag;
        answer->image = answer_ansi(wide.image);
        answer->group = answer_ansi(wide.group);
        answer->dependencies = answer_ansi(wide.dependencies);
        answer->account = answer_ansi(wide.account);
        answer->display = answer_ansi(wide.display);
    }
    midl_user_free(wide.image);
    midl_user_free(wide.group);
    midl_user_free(wide.dependencies);
    midl_user_free(wide.account);
    midl_user_free(wide.display);
    return error;
}

u32_t RChangeServiceConfig2A(SC_RPC_HANDLE handle, rpc_config_info_a info)
{
    rpc_config_info wide = {.level = info.level};
    rpc_description description = {0};
    rpc_failure_actions actions = {0};
    rpc_bytes privileges = {0};
    WCHAR *first = NULL, *second = NULL;
    DWORD error;

    wide.u.description = (rpc_description *)info.u.description; /* all levels without text are the same */
    if (!info.u.description) {
        /* RChangeServiceConfig2W() says what is wrong */
    } else if (info.level == SERVICE_CONFIG_DESCRIPTION) {
        description.text = first = widen(info.u.description->text);
        wide.u.description = &description;
    } else if (info.level == SERVICE_CONFIG_FAILURE_ACTIONS) {
        actions.reset_period = info.u.failure_actions->reset_period;
        actions.reboot_message = first = widen(info.u.failure_actions->reboot_message);
        actions.command = second = widen(info.u.failure_actions->command);
        actions.count = info.u.failure_actions->count;
        actions.actions = info.u.failure_actions->actions;
        wide.u.failure_actions = &actions;
    } else if (info.level == SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO) {
        first = widen_bytes((const char *)info.u.privileges->bytes, info.u.privileges->size, &privileges.size);
        privileges.size *= sizeof(WCHAR);
        privileges.bytes = (byte_t *)first;
        wide.u.privileges = &privileges;
    }
    error = RChangeServiceConfig2W(handle, wide);
    release(first);
    release(second);
    return error;
}

u32_t RQueryServiceConfig2A(SC_RPC_HANDLE handle, u32_t level, byte_t *buffer, u32_t size, u32_t *needed)
{
    return query_level(handle, level, TRUE, buffer, size, needed);
}

/* ---- the rest ---- */

u32_t RStartServiceA(SC_RPC_HANDLE handle, u32_t count, char **arguments)
{
    WCHAR **wide = arguments ? allocate((count + 1) * sizeof(*wide)) : NULL;
    DWORD error;

    for (u32_t i = 0; wide && i < count; i++)
        wide[i] = widen(arguments[i]);
    error = RStartServiceW(handle, count, wide);
    for (u32_t i = 0; wide && i < count; i++)
        release(wide[i]);
    release(wide);
    return error;
}

u32_t RControlServiceExA(SC_RPC_HANDLE handle, u32_t code, u32_t level, rpc_control_in_a *in, rpc_control_out *out)
{
    rpc_reason reason = {in->reason ? in->reason->reason : 0, NULL}; /* the SCM has no use for the comment */
    rpc_control_in wide = {in->level, in->reason ? &reason : NULL};

    return RControlServiceExW(handle, code, level, &wide, out);
}

u32_t RQueryServiceLockStatusA(SC_RPC_HANDLE manager, rpc_lock_status_a *answer, u32_t size, u32_t *needed)
{
    rpc_lock_status wide;
    DWORD error = RQueryServiceLockStatusW(manager, &wide, size, needed);

    answer->locked = wide.locked;
    answer->seconds = wide.seconds;
    answer->owner = error ? NULL : answer_ansi(wide.owner);
    midl_user_free(wide.owner);
    return error;
}
