/* ControlServiceEx, the database's lock, the security of a service.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "scm_api.h"

#include <wchar.h>
#include <winternl.h>

#define FIRST_SIZE 512

/* ---- control ---- */

static DWORD control(SC_HANDLE service, DWORD code, DWORD level, DWORD reason, WCHAR *comment,
                     SERVICE_STATUS_PROCESS *status)
{
    rpc_reason wire = {reason, comment};
    rpc_status_process *answer = NULL;
    u32_t answer_level;
    DWORD error = RControlServiceExW(service, code, level, level, &wire, &answer_level, &answer);

    if (answer)
        memcpy(status, answer, sizeof(*status));
    scm_release(answer);
    return error;
}

BOOL WINAPI ControlServiceExW(SC_HANDLE service, DWORD code, DWORD level, PVOID parameters)
{
    SERVICE_CONTROL_STATUS_REASON_PARAMSW *reason = parameters;

    if (level != SERVICE_CONTROL_STATUS_REASON_INFO)
        return scm_done(ERROR_INVALID_LEVEL);
    if (!reason)
        return scm_done(ERROR_INVALID_PARAMETER);
    return scm_ready(service) && scm_done(control(service, code, level, reason->dwReason, reason->pszComment,
                                           &reason->ServiceStatus));
}

BOOL WINAPI ControlServiceExA(SC_HANDLE service, DWORD code, DWORD level, PVOID parameters)
{
    SERVICE_CONTROL_STATUS_REASON_PARAMSA *reason = parameters;
    WCHAR *comment;
    DWORD error;

    if (level != SERVICE_CONTROL_STATUS_REASON_INFO)
        return scm_done(ERROR_INVALID_LEVEL);
    if (!reason)
        return scm_done(ERROR_INVALID_PARAMETER);
    if (!scm_ready(service) || !scm_done(scm_wide(reason->pszComment, &comment)))
        return FALSE;
    error = control(service, code, level, reason->dwReason, comment, &reason->ServiceStatus);
    scm_release(comment);
    return scm_done(error);
}

/* ---- the lock ---- */

SC_LOCK WINAPI LockServiceDatabase(SC_HANDLE manager)
{
    SC_RPC_LOCK lock = NULL;

    return scm_ready(manager) && scm_done(RLockServiceDatabase(manager, &lock)) ? lock : NULL;
}

BOOL WINAPI UnlockServiceDatabase(SC_LOCK lock)
{
    DWORD error;

    if (!scm_ready(lock))
        return GetLastError() == ERROR_INVALID_HANDLE ? scm_done(ERROR_INVALID_SERVICE_LOCK) : FALSE;
    error = RUnlockServiceDatabase(&lock);
    return scm_done(error == ERROR_INVALID_HANDLE ? ERROR_INVALID_SERVICE_LOCK : error);
}

static BOOL query_lock(SC_HANDLE manager, QUERY_SERVICE_LOCK_STATUSW *to, DWORD size, DWORD *needed, BOOL ansi)
{
    struct scm_answer answer = {ansi, (BYTE *)(to + 1), (BYTE *)to + size};
    rpc_lock_status status = {0};
    u32_t unused;
    DWORD error;

    if (!needed || (!to && size))
        return scm_done(ERROR_INVALID_ADDRESS);
    if (!scm_ready(manager))
        return FALSE;
    error = RQueryServiceLockStatusW(manager, &status, MAXLONG, &unused); /* we have room for all */
    if (!error) {
        const WCHAR *owner = status.owner ? status.owner : L"";

        *needed = sizeof(*to) + scm_text_size(ansi, owner, wcslen(owner) + 1);
        if (*needed > size) {
            error = ERROR_INSUFFICIENT_BUFFER;
        } else {
            to->fIsLocked = status.locked;
            to->dwLockDuration = status.seconds;
            to->lpLockOwner = scm_put_text(&answer, owner, wcslen(owner) + 1);
        }
    }
    scm_release(status.owner);
    return scm_done(error);
}

BOOL WINAPI QueryServiceLockStatusW(SC_HANDLE manager, LPQUERY_SERVICE_LOCK_STATUSW status, DWORD size,
                                    LPDWORD needed)
{
    return query_lock(manager, status, size, needed, FALSE);
}

BOOL WINAPI QueryServiceLockStatusA(SC_HANDLE manager, LPQUERY_SERVICE_LOCK_STATUSA status, DWORD size,
                                    LPDWORD needed)
{
    return query_lock(manager, (QUERY_SERVICE_LOCK_STATUSW *)status, size, needed, TRUE);
}

/* ---- security ---- */

BOOL WINAPI QueryServiceObjectSecurity(SC_HANDLE service, SECURITY_INFORMATION information, PSECURITY_DESCRIPTOR to,
                                       DWORD size, LPDWORD needed)
{
    u32_t wanted = FIRST_SIZE;
    BYTE *buffer = NULL;
    DWORD error, room;

    if (!needed || (!to && size))
        return scm_done(ERROR_INVALID_ADDRESS);
    if (!scm_ready(service))
        return FALSE;
    do { /* it may grow in between */
        scm_release(buffer);
        room = wanted;
        if (!(buffer = scm_allocate(room)))
            return scm_done(ERROR_NOT_ENOUGH_MEMORY);
        error = RQueryServiceObjectSecurity(service, information, buffer, room, &wanted);
    } while (error == ERROR_INSUFFICIENT_BUFFER && wanted > room);
    if (!error && (*needed = wanted) > size)
        error = ERROR_INSUFFICIENT_BUFFER;
    if (!error)
        memcpy(to, buffer, wanted);
    scm_release(buffer);
    return scm_done(error);
}

NTSTATUS NTAPI RtlMakeSelfRelativeSD(PSECURITY_DESCRIPTOR, PSECURITY_DESCRIPTOR, ULONG *);

BOOL WINAPI SetServiceObjectSecurity(SC_HANDLE service, SECURITY_INFORMATION information, PSECURITY_DESCRIPTOR from)
{
    NTSTATUS status;
    ULONG size = 0;
    BYTE *buffer;
    DWORD error;

    if (!from)
        return scm_done(ERROR_INVALID_ADDRESS);
    if (!scm_ready(service))
        return FALSE;
    status = RtlMakeSelfRelativeSD(from, NULL, &size); /* says how long it is */
    if (!size)
        return scm_done(RtlNtStatusToDosError(status));
    if (!(buffer = scm_allocate(size)))
        return scm_done(ERROR_NOT_ENOUGH_MEMORY);
    status = RtlMakeSelfRelativeSD(from, buffer, &size);
    error = status ? RtlNtStatusToDosError(status) : RSetServiceObjectSecurity(service, information, buffer, size);
    scm_release(buffer);
    return scm_done(error);
}
