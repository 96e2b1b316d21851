/* What winesilo asks beyond [MS-SCMR]; see extra.idl.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "scm.h"

#include "extra.h"

#include <wchar.h>

#define REPORTS_MS 2000

static void fill(const struct service *service, extra_status *status)
{
    memcpy(status, &service->status, sizeof(service->status));
    status->pid = service->process ? service->process->pid : 0;
    status->changes = service->changes;
    status->died = service->died;
    status->process_exit = service->process_exit;
    status->failures = failures_now(service);
}

u32_t ExtraWait(wchar_t *name, u32_t changes, u32_t timeout, extra_status *status)
{
    ULONGLONG deadline = now() + timeout;
    struct service *service;
    DWORD error = ERROR_SUCCESS;

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

/* Puts the text into the caller's buffer, and releases it. */
static DWORD give(WCHAR *text, DWORD error, BYTE *buffer, u32_t size, u32_t *needed)
{
    *needed = (u32_t)((wcslen(text) + 1) * sizeof(*text));
    memset(buffer, 0, size);
    if (!error && *needed > size)
        error = ERROR_INSUFFICIENT_BUFFER;
    if (!error)
        memcpy(buffer, text, *needed);
    release(text);
    return error;
}

u32_t ExtraShutdown(u32_t timeout, byte_t *buffer, u32_t size, u32_t *needed)
{
    WCHAR *text = NULL;

    lock();
    stop_all(timeout, &text);
    unlock();
    await_reports(now() + REPORTS_MS);
    return give(text, ERROR_SUCCESS, buffer, size, needed);
}

static void terminate(struct process *process, WCHAR **text)
{
    hold_process(process);
    for (struct service *service = services; service;) {
        if (service->process != process) {
            service = service->next;
            continue;
        }
        append(text, service->name);
        append(text, L"\n");
        hold(service);
        set_stopped(service, ERROR_SERVICE_REQUEST_TIMEOUT);
        let_go(service);
        service = services; /* it may be gone, if it was marked for deletion */
    }
    end_process(process, ERROR_PROCESS_ABORTED);
    let_go_process(process);
}

u32_t ExtraTerminate(wchar_t *name, byte_t *buffer, u32_t size, u32_t *needed)
{
    struct service *service;
    WCHAR *text = NULL;
    DWORD error = ERROR_SUCCESS;

    append(&text, L"");
    lock();
    if (!(service = find_service(name)))
        error = ERROR_SERVICE_DOES_NOT_EXIST;
    else if (!service->process)
        error = ERROR_SERVICE_NOT_ACTIVE;
    else
        terminate(service->process, &text);
    unlock();
    return give(text, error, buffer, size, needed);
}
