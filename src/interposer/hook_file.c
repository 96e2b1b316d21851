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

static size_t strip_file_name(struct span name, size_t *keep)
{
    return strip_pipe(&names, name, keep);
}

/* FILE_NAME_INFORMATION of a pipe is \winesilo\N\X: show \X */
static NTSTATUS query_file_name(HANDLE handle, IO_STATUS_BLOCK *io, void *info, ULONG size, ULONG info_class,
                                size_t offset)
{
    uint8_t *own = thread_buffer(0);
    FILE_NAME_INFORMATION *name_info;
    IO_STATUS_BLOCK own_io;
    size_t cut, keep, total, n;
    struct span name;
    uint8_t *out = info;

    if (!own || real_NtQueryInformationFile(handle, &own_io, own, THREAD_BUFFER, info_class))
        return real_NtQueryInformationFile(handle, io, info, size, info_class);
    name_info = (FILE_NAME_INFORMATION *)(own + offset);
    name.s = name_info->FileName;
    name.n = name_info->FileNameLength / sizeof(WCHAR);
    if (!(cut = strip_file_name(name, &keep))) return real_NtQueryInformationFile(handle, io, info, size, info_class);
    n = name.n - cut;
    memmove(name_info->FileName + keep, name_info->FileName + keep + cut, (n - keep) * sizeof(WCHAR));
    name_info->FileNameLength = (ULONG)(n * sizeof(WCHAR));
    total = offset + sizeof(ULONG) + n * sizeof(WCHAR);
    if (size < offset + sizeof(FILE_NAME_INFORMATION)) return real_NtQueryInformationFile(handle, io, info, size, info_class);
    memcpy(out, own, total < size ? total : size);
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
