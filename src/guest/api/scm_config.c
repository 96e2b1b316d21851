/* The configuration of a service: QueryServiceConfig, CreateService.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "scm_api.h"

#include <wchar.h>

/* The list comes as one string: a slash behind each name, which no name has in it (scm/rpc_service.c). */
static WCHAR *list_of(const WCHAR *names)
{
    size_t length = wcslen(names);
    WCHAR *list = scm_allocate((length + 2) * sizeof(*list));

    for (size_t i = 0; list && i < length; i++)
        list[i] = names[i] == '/' ? 0 : names[i];
    return list;
}

static void free_config(rpc_config *config)
{
    scm_release(config->image);
    scm_release(config->group);
    scm_release(config->dependencies);
    scm_release(config->account);
    scm_release(config->display);
}

/* The structures of both forms have the same layout. */
static DWORD give_config(const rpc_config *config, const WCHAR *list, QUERY_SERVICE_CONFIGW *to, DWORD size,
                         DWORD *needed, BOOL ansi)
{
    const WCHAR *texts[] = {config->image, config->group, list, config->account, config->display};
    SIZE_T lengths[COUNT(texts)];
    void *places[COUNT(texts)];
    struct scm_answer answer = {ansi, (BYTE *)(to + 1), (BYTE *)to + size};

    *needed = sizeof(*to);
    for (unsigned i = 0; i < COUNT(texts); i++) {
        texts[i] = texts[i] ? texts[i] : L"";
        lengths[i] = texts[i] == list ? scm_list_length(list) : wcslen(texts[i]) + 1;
        *needed += scm_text_size(ansi, texts[i], lengths[i]);
    }
    if (*needed > size)
        return ERROR_INSUFFICIENT_BUFFER;
    for (unsigned i = 0; i < COUNT(texts); i++)
        places[i] = scm_put_text(&answer, texts[i], lengths[i]);
    to->dwServiceType = config->type;
    to->dwStartType = config->start;
    to->dwErrorControl = config->error;
    to->dwTagId = config->tag;
    to->lpBinaryPathName = places[0];
    to->lpLoadOrderGroup = places[1];
    to->lpDependencies = places[2];
    to->lpServiceStartName = places[3];
    to->lpDisplayName = places[4];
    return ERROR_SUCCESS;
}

static BOOL query_config(SC_HANDLE service, QUERY_SERVICE_CONFIGW *to, DWORD size, DWORD *needed, BOOL ansi)
{
    rpc_config config = {0};
    WCHAR *list;
    u32_t unused;
    DWORD error;

    if (!needed || (!to && size))
        return scm_done(ERROR_INVALID_ADDRESS);
    if (!scm_ready(service))
        return FALSE;
    error = RQueryServiceConfigW(service, &config, MAXLONG, &unused); /* we have room for all */
    if (!error) {
        list = list_of(config.dependencies ? config.dependencies : L"");
        error = list ? give_config(&config, list, to, size, needed, ansi) : ERROR_NOT_ENOUGH_MEMORY;
        scm_release(list);
    }
    free_config(&config);
    return scm_done(error);
}

BOOL WINAPI QueryServiceConfigW(SC_HANDLE service, LPQUERY_SERVICE_CONFIGW config, DWORD size, LPDWORD needed)
{
    return query_config(service, config, size, needed, FALSE);
}

BOOL WINAPI QueryServiceConfigA(SC_HANDLE service, LPQUERY_SERVICE_CONFIGA config, DWORD size, LPDWORD needed)
{
    return query_config(service, (QUERY_SERVICE_CONFIGW *)config, size, needed, TRUE);
}

/* Wine 8.0 takes the list of dependencies for one string. */
SC_HANDLE WINAPI CreateServiceA(SC_HANDLE manager, LPCSTR name, LPCSTR display, DWORD access, DWORD type, DWORD start,
                                DWORD error_control, LPCSTR image, LPCSTR group, LPDWORD tag, LPCSTR dependencies,
                                LPCSTR account, LPCSTR password)
{
    const char *texts[] = {name, display, image, group, account, password};
    WCHAR *wide[COUNT(texts)] = {NULL}, *list = NULL;
    SC_HANDLE made = NULL;
    DWORD error;

    if (!scm_ready(manager))
        return NULL;
    error = scm_wide_list(dependencies, &list);
    for (unsigned i = 0; !error && i < COUNT(texts); i++)
        error = scm_wide(texts[i], &wide[i]);
    if (scm_done(error))
        made = wine_CreateServiceW(manager, wide[0], wide[1], access, type, start, error_control, wide[2], wide[3],
                                   tag, list, wide[4], wide[5]);
    error = GetLastError();
    scm_release(list);
    for (unsigned i = 0; i < COUNT(wide); i++)
        scm_release(wide[i]);
    SetLastError(error);
    return made;
}
