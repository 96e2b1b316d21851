/* The host's processes: list, wait, end.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "agent.h"

/* All process records in one allocation, grown until the answer fits. */
static NTSTATUS query_processes(BYTE **records)
{
    ULONG size = 256 * 1024, needed = 0;
    NTSTATUS status;

    do {
        if (!(*records = mem_alloc(size)))
            return ST_NO_MEMORY;
        status = NtQuerySystemInformation(SystemProcessInformation, *records, size, &needed);
        if (status >= 0)
            return status;
        mem_free(*records);
        size = max(size * 2, needed + 65536);
    } while (status == ST_INFO_LENGTH_MISMATCH && size < (256u << 20));
    return status;
}

static void put_process(struct buffer *out, const struct process_record *record)
{
    ULONGLONG cpu = (ULONGLONG)(record->user_time.QuadPart + record->kernel_time.QuadPart);
    ULONGLONG working_set = record->working_set;

    buffer_put_u32(out, (DWORD)(ULONG_PTR)record->pid);
    buffer_put_u32(out, (DWORD)(ULONG_PTR)record->parent_pid);
    buffer_put_u32(out, record->threads);
    buffer_put(out, &record->created, sizeof(record->created));
    buffer_put(out, &cpu, sizeof(cpu));
    buffer_put(out, &working_set, sizeof(working_set));
    put_utf8(out, record->name.Buffer, record->name.Length);
}

DWORD op_processes(struct reader *in, struct buffer *out)
{
    const struct process_record *record;
    BYTE *records;
    NTSTATUS status = query_processes(&records);

    (void)in;
    if (status < 0)
        return (DWORD)status;
    record = (const struct process_record *)records;
    for (;;) {
        put_process(out, record);
        if (!record->next_offset)
            break;
        record = (const struct process_record *)((const BYTE *)record + record->next_offset);
    }
    mem_free(records);
    return 0;
}

DWORD op_terminate(struct reader *in, struct buffer *out)
{
    DWORD pid = read_u32(in), code = read_u32(in), error;
    HANDLE process;

    (void)out;
    if (!in->ok)
        return ERROR_INVALID_PARAMETER;
    if (!(process = OpenProcess(PROCESS_TERMINATE, FALSE, pid)))
        return GetLastError();
    error = TerminateProcess(process, code) ? 0 : GetLastError();
    CloseHandle(process);
    return error;
}

/* Wait for a process to end; the reply is u32 exit code.  A process that has ended can still be
 * opened while somebody (the SCM) holds a handle to it. */
DWORD op_process_wait(struct reader *in, struct buffer *out)
{
    DWORD pid = read_u32(in), timeout = read_u32(in), error, code = 0;
    HANDLE process;

    if (!in->ok)
        return ERROR_INVALID_PARAMETER;
    if (!(process = OpenProcess(SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION, FALSE, pid)))
        return GetLastError();
    error = WaitForSingleObject(process, timeout);
    if (!error && !GetExitCodeProcess(process, &code))
        error = GetLastError();
    CloseHandle(process);
    if (!error)
        buffer_put_u32(out, code);
    return error;
}
