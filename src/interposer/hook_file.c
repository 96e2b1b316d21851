/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Files need no redirection of data: the silo's C: is a mount of its own. Named pipes and mailslots,
 * which live among the files, get the silo's prefix; Unix paths are refused. */
#include <string.h>

#include "silo.h"

static void opened(HANDLE *handle, enum name_class class, NTSTATUS status)
{
    if (class == NAME_PIPE_ROOT && NT_SUCCESS(status)) slot_set(*handle, SLOT_PIPE_ROOT, 0, 0);
}

NTSTATUS hook_NtCreateFile(HANDLE *handle, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr, IO_STATUS_BLOCK *io,
                           LARGE_INTEGER *size, ULONG attributes, ULONG sharing, ULONG disposition, ULONG options,
                           void *ea, ULONG ea_size)
{
    struct moved m;
    enum name_class class;
    NTSTATUS status;

    if (!(attr = move_file(&m, attr, "NtCreateFile", &class, &status))) return status;
    status = real_NtCreateFile(handle, access, attr, io, size, attributes, sharing, disposition, options, ea, ea_size);
    opened(handle, class, status);
    return status;
}

NTSTATUS hook_NtOpenFile(HANDLE *handle, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr, IO_STATUS_BLOCK *io,
                         ULONG sharing, ULONG options)
{
    struct moved m;
    enum name_class class;
    NTSTATUS status;

    if (!(attr = move_file(&m, attr, "NtOpenFile", &class, &status))) return status;
    status = real_NtOpenFile(handle, access, attr, io, sharing, options);
    opened(handle, class, status);
    return status;
}

#define FILE_CALL(name, params, args)                                        \
    NTSTATUS hook_##name params                                              \
    {                                                                        \
        struct moved m;                                                      \
        enum name_class class;                                               \
        NTSTATUS status;                                                     \
        if (!(attr = move_file(&m, attr, #name, &class, &status))) return status; \
        return real_##name args;                                             \
    }

FILE_CALL(NtCreateNamedPipeFile,
          (HANDLE *handle, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr, IO_STATUS_BLOCK *io, ULONG sharing,
           ULONG disposition, ULONG options, ULONG type, ULONG read_mode, ULONG completion_mode, ULONG instances,
           ULONG in_quota, ULONG out_quota, LARGE_INTEGER *timeout),
          (handle, access, attr, io, sharing, disposition, options, type, read_mode, completion_mode, instances,
           in_quota, out_quota, timeout))
FILE_CALL(NtCreateMailslotFile,
          (HANDLE *handle, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr, IO_STATUS_BLOCK *io, ULONG options,
           ULONG quota, ULONG message_size, LARGE_INTEGER *timeout),
          (handle, access, attr, io, options, quota, message_size, timeout))
FILE_CALL(NtDeleteFile, (const OBJECT_ATTRIBUTES *attr), (attr))
FILE_CALL(NtQueryAttributesFile, (const OBJECT_ATTRIBUTES *attr, void *info), (attr, info))
FILE_CALL(NtQueryFullAttributesFile, (const OBJECT_ATTRIBUTES *attr, void *info), (attr, info))

/* ---- names read back ---- */

/* A file of the same name on C: is not meant: does the handle lead to a pipe or mailslot of the silo? */
static bool is_silo_pipe(HANDLE handle)
{
    OBJECT_NAME_INFORMATION *info = thread_buffer(1);
    struct span name;
    size_t keep;

    if (!info || real_NtQueryObject(handle, ObjectNameInformation, info, THREAD_BUFFER, NULL)) return false;
    name = (struct span){ info->Name.Buffer, info->Name.Length / sizeof(WCHAR) };
    return span_has_prefix_ascii(name, "\\Device") && strip_pipe(&names, name, &keep);
}

/* the beginning of the answer is enough to see that it is no name of the silo's pipes */
static bool may_be_silo_pipe(const FILE_NAME_INFORMATION *info, size_t room)
{
    size_t n = info->FileNameLength / sizeof(WCHAR), i;

    if (n > room / sizeof(WCHAR)) n = room / sizeof(WCHAR);
    for (i = 0; i < n && i <= names.pipe_prefix_n; i++)
        if (fold(info->FileName[i]) != (i ? fold(names.pipe_prefix[i - 1]) : '\\')) return false;
    return true;
}

/* FILE_NAME_INFORMATION of a pipe is \winesilo\N\X: show \X */
static NTSTATUS query_file_name(HANDLE handle, IO_STATUS_BLOCK *io, void *info, ULONG size, ULONG info_class,
                                size_t offset)
{
    const size_t head = offset + sizeof(ULONG);
    NTSTATUS status = real_NtQueryInformationFile(handle, io, info, size, info_class);
    FILE_NAME_INFORMATION *name_info;
    uint8_t *own;
    size_t cut, keep, total, n;
    struct span name;
    IO_STATUS_BLOCK own_io;

    if ((status && status != STATUS_BUFFER_OVERFLOW) || size < head) return status;
    if (!may_be_silo_pipe((FILE_NAME_INFORMATION *)((uint8_t *)info + offset), size - head)) return status;
    if (!is_silo_pipe(handle) || !(own = thread_buffer(0))) return status;
    if (real_NtQueryInformationFile(handle, &own_io, own, THREAD_BUFFER, info_class)) return status;
    name_info = (FILE_NAME_INFORMATION *)(own + offset);
    name = (struct span){ name_info->FileName, name_info->FileNameLength / sizeof(WCHAR) };
    if (!(cut = strip_pipe(&names, name, &keep))) return status;
    n = name.n - cut;
    memmove(name_info->FileName + keep, name_info->FileName + keep + cut, (n - keep) * sizeof(WCHAR));
    name_info->FileNameLength = (ULONG)(n * sizeof(WCHAR));
    total = head + n * sizeof(WCHAR);
    memcpy(info, own, total < size ? total : size);
    io->Status = total <= size ? STATUS_SUCCESS : STATUS_BUFFER_OVERFLOW;
    io->Information = total < size ? total : size;
    return io->Status;
}

NTSTATUS hook_NtQueryInformationFile(HANDLE handle, IO_STATUS_BLOCK *io, void *info, ULONG size, ULONG info_class)
{
    if (info_class == FileNameInformation) return query_file_name(handle, io, info, size, info_class, 0);
    if (info_class == FileAllInformation)
        return query_file_name(handle, io, info, size, info_class, FILE_ALL_NAME_OFFSET);
    return real_NtQueryInformationFile(handle, io, info, size, info_class);
}

/* ---- WaitNamedPipe ---- */

#define FSCTL_PIPE_WAIT 0x110018u

/* FILE_PIPE_WAIT_FOR_BUFFER ([MS-FSCC] 2.3.49): timeout, name length in bytes, flag, name */
struct pipe_wait {
    LARGE_INTEGER timeout;
    ULONG name_bytes;
    BOOLEAN timeout_given;
    WCHAR name[1];
};

NTSTATUS hook_NtFsControlFile(HANDLE handle, HANDLE event, PIO_APC_ROUTINE apc, void *apc_context,
                              IO_STATUS_BLOCK *io, ULONG code, void *in, ULONG in_size, void *out, ULONG out_size)
{
    const struct pipe_wait *wait = in;
    struct pipe_wait *own;
    size_t prefix = names.pipe_prefix_n * sizeof(WCHAR), head = offsetof(struct pipe_wait, name);
    ULONG bytes;

    if (code != FSCTL_PIPE_WAIT || !in || in_size < head || (bytes = wait->name_bytes) > in_size - head ||
        prefix + bytes > 0xfffe || !(own = thread_buffer(1)))
        return real_NtFsControlFile(handle, event, apc, apc_context, io, code, in, in_size, out, out_size);
    memcpy(own, in, head);
    memcpy(own->name, names.pipe_prefix, prefix);
    memcpy((char *)own->name + prefix, wait->name, bytes);
    own->name_bytes = (ULONG)(prefix + bytes);
    TRACE("NtFsControlFile", "pipe", ((struct span){ wait->name, bytes / sizeof(WCHAR) }));
    return real_NtFsControlFile(handle, event, apc, apc_context, io, code, own, (ULONG)(head + prefix + bytes), out,
                                out_size);
}
