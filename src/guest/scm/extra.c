/* What winesilo asks beyond [MS-SCMR]; see extra.idl.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "scm.h"

#include "extra.h"

#include <wchar.h>

static void fill(const struct service *service, extra_status *status)
{
    memcpy(status, &service->status, sizeof(service->status));
    status->pid = service->process ? service->process->pid : 0;
    status->changes = service->changes;
    status->died = service->died;
    status->process_exit = service->process_exit;
    status->failures = service->failures;
}

u32_t ExtraWait(handle_t binding, wchar_t *name, u32_t changes, u32_t timeout, extra_status *status)
{
    ULONGLONG deadline = now() + timeout;
    struct service *service;
    DWORD error = ERROR_SUCCESS;

    (void)binding;
    memset(status, 0, sizeof(*status));
    lock();
    if (!(service = find_service(name))) {
        unlock();
        return ERROR_SERVICE_DOES_NOT_EXIST;
    }
    hold(service);
    while (service->changes == changes && !error)
        if (!wait_change(deadline))
            error = WAIT_TIMEOUT;
    fill(service, status);
    let_go(service);
    unlock();
    return error;
}

/* The answer's memory is the stub's. */
static WCHAR *give(WCHAR *text)
{
    size_t size = (wcslen(text) + 1) * sizeof(*text);
    WCHAR *answer = midl_user_allocate(size);

    if (answer)
        memcpy(answer, text, size);
    release(text);
    return answer;
}

u32_t ExtraShutdown(handle_t binding, u32_t timeout, wchar_t **outcome)
{
    WCHAR *text = NULL;

    (void)binding;
    lock();
    stop_all(timeout, &text);
    unlock();
    *outcome = give(text);
    return ERROR_SUCCESS;
}

static void list(WCHAR **text, const WCHAR *kind, const WCHAR *names)
{
    for (; names && *names; names += wcslen(names) + 1) {
        append(text, kind);
        append(text, names);
        append(text, L"\n");
    }
}

u32_t ExtraDependencies(handle_t binding, wchar_t *name, wchar_t **answer)
{
    struct service *service;
    WCHAR *text = NULL;

    (void)binding;
    append(&text, L"");
    lock();
    if ((service = find_service(name))) {
        list(&text, L"D\t", service->config.need_services);
        list(&text, L"G\t", service->config.need_groups);
    }
    unlock();
    *answer = give(text);
    return service ? ERROR_SUCCESS : ERROR_SERVICE_DOES_NOT_EXIST;
}
