/* Lists of services: EnumDependentServices, EnumServiceGroup.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The manager's rows have offsets of 32 bits for the two names ([MS-SCMR] 2.2.10). */

#include "scm_api.h"

#include <wchar.h>

#define FIRST_SIZE 4096

struct row {
    DWORD name, display;
    SERVICE_STATUS status;
};

struct list {
    BYTE *data;
    DWORD size;
    u32_t count;
};

struct request {
    SC_HANDLE handle;
    DWORD types, states;
    const WCHAR *group;
    BOOL dependents; /* of the service that the handle is of; else the members of a group */
};

/* ---- from the manager ---- */

static DWORD ask(const struct request *request, struct list *list)
{
    u32_t needed = FIRST_SIZE, resume = 0;
    DWORD error;

    do { /* there may be more of them in between */
        scm_release(list->data);
        list->size += needed;
        if (!(list->data = scm_allocate(list->size + 2 * sizeof(WCHAR))))
            return ERROR_NOT_ENOUGH_MEMORY;
        if (request->dependents)
            error = REnumDependentServicesW(request->handle, request->states, list->data, list->size, &needed,
                                            &list->count);
        else
            error = REnumServiceGroupW(request->handle, request->types, request->states, list->data, list->size,
                                       &needed, &list->count, &resume, (WCHAR *)request->group);
    } while (error == ERROR_MORE_DATA && needed);
    if (!error && list->count > list->size / sizeof(struct row))
        error = ERROR_INVALID_DATA;
    return error;
}

static const WCHAR *text_at(const struct list *list, DWORD offset)
{
    return offset < list->size ? (const WCHAR *)(list->data + offset) : L"";
}

/* ---- to the caller: the structures of both forms have the same layout ---- */

static DWORD give(const struct list *list, ENUM_SERVICE_STATUSW *to, DWORD size, DWORD *needed, DWORD *returned,
                  BOOL ansi)
{
    const struct row *rows = (const struct row *)list->data;
    struct scm_answer answer = {ansi, (BYTE *)(to + list->count), (BYTE *)to + size};
    DWORD total = list->count * sizeof(*to);

    for (u32_t i = 0; i < list->count; i++) {
        const WCHAR *name = text_at(list, rows[i].name), *display = text_at(list, rows[i].display);

        total += scm_text_size(ansi, name, wcslen(name) + 1) + scm_text_size(ansi, display, wcslen(display) + 1);
    }
    if (total > size) {
        *needed = total;
        return ERROR_MORE_DATA;
    }
    for (u32_t i = 0; i < list->count; i++) {
        const WCHAR *name = text_at(list, rows[i].name), *display = text_at(list, rows[i].display);

        to[i].lpServiceName = scm_put_text(&answer, name, wcslen(name) + 1);
        to[i].lpDisplayName = scm_put_text(&answer, display, wcslen(display) + 1);
        to[i].ServiceStatus = rows[i].status;
    }
    *returned = list->count;
    return ERROR_SUCCESS;
}

static BOOL enumerate(const struct request *request, ENUM_SERVICE_STATUSW *to, DWORD size, DWORD *needed,
                      DWORD *returned, BOOL ansi)
{
    struct list list = {0};
    DWORD error;

    if (!needed || !returned || (!to && size))
        return scm_done(ERROR_INVALID_ADDRESS);
    *needed = *returned = 0;
    if (!scm_ready(request->handle))
        return FALSE;
    error = ask(request, &list);
    if (!error)
        error = give(&list, to, size, needed, returned, ansi);
    scm_release(list.data);
    return scm_done(error);
}

BOOL WINAPI EnumDependentServicesW(SC_HANDLE service, DWORD states, LPENUM_SERVICE_STATUSW to, DWORD size,
                                   LPDWORD needed, LPDWORD returned)
{
    struct request request = {.handle = service, .states = states, .dependents = TRUE};

    return enumerate(&request, to, size, needed, returned, FALSE);
}

BOOL WINAPI EnumDependentServicesA(SC_HANDLE service, DWORD states, LPENUM_SERVICE_STATUSA to, DWORD size,
                                   LPDWORD needed, LPDWORD returned)
{
    struct request request = {.handle = service, .states = states, .dependents = TRUE};

    return enumerate(&request, (ENUM_SERVICE_STATUSW *)to, size, needed, returned, TRUE);
}

/* No header has it any more: EnumServicesStatus, of one group. All come at once, so that there is nothing to resume. */
BOOL WINAPI EnumServiceGroupW(SC_HANDLE manager, DWORD types, DWORD states, LPENUM_SERVICE_STATUSW to, DWORD size,
                              LPDWORD needed, LPDWORD returned, LPDWORD resume, LPCWSTR group);
BOOL WINAPI EnumServiceGroupA(SC_HANDLE manager, DWORD types, DWORD states, LPENUM_SERVICE_STATUSA to, DWORD size,
                              LPDWORD needed, LPDWORD returned, LPDWORD resume, LPCSTR group);

BOOL WINAPI EnumServiceGroupW(SC_HANDLE manager, DWORD types, DWORD states, LPENUM_SERVICE_STATUSW to, DWORD size,
                              LPDWORD needed, LPDWORD returned, LPDWORD resume, LPCWSTR group)
{
    struct request request = {.handle = manager, .types = types, .states = states, .group = group};

    if (resume)
        *resume = 0;
    return enumerate(&request, to, size, needed, returned, FALSE);
}

BOOL WINAPI EnumServiceGroupA(SC_HANDLE manager, DWORD types, DWORD states, LPENUM_SERVICE_STATUSA to, DWORD size,
                              LPDWORD needed, LPDWORD returned, LPDWORD resume, LPCSTR group)
{
    struct request request = {.handle = manager, .types = types, .states = states};
    WCHAR *wide;
    BOOL listed;
    DWORD error;

    if (!scm_done(scm_wide(group, &wide)))
        return FALSE;
    request.group = wide;
    if (resume)
        *resume = 0;
    listed = enumerate(&request, (ENUM_SERVICE_STATUSW *)to, size, needed, returned, TRUE);
    error = GetLastError();
    scm_release(wide);
    SetLastError(error);
    return listed;
}
