/* NotifyServiceStatusChange: the caller's function is called when a service has a state, or when one comes or goes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A thread of its own waits for the manager's answer; the function runs on the caller's thread, when that waits
 * alertably. A request ends unanswered when its handle is closed. */

#include "scm_api.h"

#include <wchar.h>

#define STACK_SIZE 0x10000
#define FORM 2 /* SERVICE_NOTIFY_STATUS_CHANGE_PARAMS_2, [MS-SCMR] 2.2.33 */

struct request {
    SC_NOTIFY_RPC_HANDLE notify;
    SERVICE_NOTIFYW *buffer; /* the caller's; the other form has the same layout */
    HANDLE thread;           /* the caller's */
    BOOL ansi;
};

/* Names come with a slash in front of one that is new, and a slash between two: [MS-SCMR] 2.2.33. They go to
 * the caller as a list, of which LocalFree is to be called. */
static void *names_for_caller(const WCHAR *names, BOOL ansi)
{
    size_t length = names ? wcslen(names) : 0;
    struct scm_answer answer = {.ansi = ansi};
    WCHAR *list;
    DWORD size;

    if (!length || !(list = scm_allocate((length + 2) * sizeof(*list))))
        return NULL;
    memcpy(list, names, length * sizeof(*list));
    for (WCHAR *slash = list + 1; *slash; slash++)
        if (*slash == '/' && slash[-1]) /* one behind another is the next name's */
            *slash = 0;
    size = scm_text_size(ansi, list, length + 2);
    if ((answer.end = LocalAlloc(LMEM_FIXED, size))) {
        answer.limit = answer.end + size;
        names = scm_put_text(&answer, list, length + 2);
    } else {
        names = NULL;
    }
    scm_release(list);
    return (void *)names;
}

static void answer(struct request *request, const rpc_notify_2 *item, DWORD level)
{
    SERVICE_NOTIFYW *to = request->buffer;

    to->dwNotificationStatus = item->result;
    memcpy(&to->ServiceStatus, &item->status, sizeof(to->ServiceStatus));
    if (to->dwVersion >= SERVICE_NOTIFY_STATUS_CHANGE_2) {
        to->dwNotificationTriggered = item->triggered;
        to->pszServiceNames = level == FORM ? names_for_caller(item->names, request->ansi) : NULL;
    }
    QueueUserAPC((PAPCFUNC)(void (*)(void))to->pfnNotifyCallback, request->thread, (ULONG_PTR)to);
}

static void free_list(rpc_notify_list *list)
{
    for (u32_t i = 0; i < list->count; i++) {
        if (list->items[i].level == FORM && list->items[i].u.two)
            scm_release(list->items[i].u.two->names);
        scm_release(list->items[i].u.two);
    }
    scm_release(list);
}

static DWORD WINAPI wait_for_answer(void *context)
{
    struct request *request = context;
    rpc_notify_list *list = NULL;
    u32_t fired;

    if (!RGetNotifyResults(request->notify, &list) && list && list->count && list->items[0].u.two)
        answer(request, list->items[0].u.two, list->items[0].level);
    if (list)
        free_list(list);
    RCloseNotifyHandle(&request->notify, &fired);
    CloseHandle(request->thread);
    scm_release(request);
    return 0;
}

static void drop(struct request *request)
{
    u32_t fired;

    if (request->notify)
        RCloseNotifyHandle(&request->notify, &fired);
    if (request->thread)
        CloseHandle(request->thread);
    scm_release(request);
}

/* We are not to be unloaded while a thread of ours waits. */
static void stay(void)
{
    HMODULE module;

    GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN, (const WCHAR *)stay,
                       &module);
}

static DWORD notify(SC_HANDLE handle, DWORD mask, SERVICE_NOTIFYW *buffer, BOOL ansi)
{
    rpc_notify_2 form = {.mask = mask};
    rpc_notify parameters = {.level = FORM};
    rpc_guid client = {0}, manager;
    u32_t create_queue;
    struct request *request;
    HANDLE thread;
    DWORD error;

    if (!buffer || !buffer->pfnNotifyCallback ||
        (buffer->dwVersion != SERVICE_NOTIFY_STATUS_CHANGE_1 && buffer->dwVersion != SERVICE_NOTIFY_STATUS_CHANGE_2))
        return ERROR_INVALID_PARAMETER;
    if (!scm_ready(handle))
        return GetLastError();
    if (!(request = scm_allocate(sizeof(*request))))
        return ERROR_NOT_ENOUGH_MEMORY;
    stay();
    request->buffer = buffer;
    request->ansi = ansi;
    parameters.u.two = &form;
    error = DuplicateHandle(GetCurrentProcess(), GetCurrentThread(), GetCurrentProcess(), &request->thread, 0, FALSE,
                            DUPLICATE_SAME_ACCESS)
                ? RNotifyServiceStatusChange(handle, parameters, &client, &manager, &create_queue, &request->notify)
                : GetLastError();
    if (!error) {
        if ((thread = CreateThread(NULL, STACK_SIZE, wait_for_answer, request, STACK_SIZE_PARAM_IS_A_RESERVATION,
                                   NULL))) {
            CloseHandle(thread);
            return ERROR_SUCCESS;
        }
        error = GetLastError();
    }
    drop(request);
    return error;
}

DWORD WINAPI NotifyServiceStatusChangeW(SC_HANDLE handle, DWORD mask, PSERVICE_NOTIFYW buffer)
{
    return notify(handle, mask, buffer, FALSE);
}

DWORD WINAPI NotifyServiceStatusChangeA(SC_HANDLE handle, DWORD mask, PSERVICE_NOTIFYA buffer)
{
    return notify(handle, mask, (SERVICE_NOTIFYW *)buffer, TRUE);
}
