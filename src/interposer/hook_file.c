/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Files need no redirection of data: the silo's C: is a mount of its own. Named pipes and mailslots, which
 * live among the files, get the silo's prefix; Unix paths are refused, but for reading Wine's own files. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absent.h"
#include "detach.h"
#include "silo.h"
#include "startup.h"

/* ---- opening ---- */

/* Files that have been copied up, and when: handles that were opened later need no care. */
enum { COPIED = 256 };
static struct {
    uint64_t inode;
    uint32_t since;
} copied[COPIED];
static uint32_t copied_count = 1;
static pthread_mutex_t copied_lock = PTHREAD_MUTEX_INITIALIZER;

static uint32_t copied_now(void)
{
    return __atomic_load_n(&copied_count, __ATOMIC_ACQUIRE);
}

static bool copied_before(uint64_t inode, uint32_t when)
{
    bool found;

    pthread_mutex_lock(&copied_lock);
    found = copied[inode % COPIED].inode == inode && (int32_t)(when - copied[inode % COPIED].since) > 0;
    pthread_mutex_unlock(&copied_lock);
    return found;
}

static void copied_note(uint64_t inode)
{
    pthread_mutex_lock(&copied_lock);
    copied[inode % COPIED].inode = inode;
    copied[inode % COPIED].since = copied_count;
    __atomic_store_n(&copied_count, copied_count + 1, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&copied_lock);
}

static bool only_reads(ACCESS_MASK access)
{
    return !(access & ~(FILE_READ_DATA | FILE_READ_EA | FILE_EXECUTE | FILE_READ_ATTRIBUTES | READ_CONTROL |
                        SYNCHRONIZE | GENERIC_READ | GENERIC_EXECUTE));
}

/* Whoever can read a file that others may write, and can't write it, has to see what they write (see
 * create_file_section). */
static void opened(HANDLE *handle, enum name_class class, ACCESS_MASK access, ULONG sharing, ULONG options)
{
    if (class == NAME_PIPE_ROOT) slot_set(*handle, SLOT_PIPE_ROOT, 0, 0);
    else if ((sharing & FILE_SHARE_WRITE) && (access & (FILE_READ_DATA | GENERIC_READ)) && only_reads(access) &&
             !(options & FILE_DIRECTORY_FILE))
        slot_set(*handle, SLOT_READER, 0, copied_now());
}

/* What else than the name the answer to an attempt to open depends on, and attempts that are too odd to be remembered. */
static uint64_t how_opened(ACCESS_MASK access, ULONG sharing, ULONG options)
{
    return (uint64_t)access << 32 | (uint64_t)options << 8 | sharing << 1 | 1;
}

static bool is_odd(ULONG attributes, ULONG sharing, ULONG options)
{
    return (attributes & ~FILE_ATTRIBUTE_NORMAL) || sharing > FILE_SHARE_ALL || options >> 24;
}

/* Is the answer known? Not where Wine would look elsewhere. */
static bool known_absent(struct lookup *l, const struct moved *m, const OBJECT_ATTRIBUTES *use,
                         const OBJECT_ATTRIBUTES *attr, enum name_class class, uint64_t how)
{
    struct span name;

    l->name = 0;
    return use == attr && class == NAME_UNCHANGED && !m->host && !own_is_32bit && name_of(attr, &name) &&
           !attr->RootDirectory && (attr->Attributes & ~OBJ_INHERIT) == OBJ_CASE_INSENSITIVE &&
           absent_still(l, name, how);
}

NTSTATUS hook_NtCreateFile(HANDLE *handle, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr, IO_STATUS_BLOCK *io,
                           LARGE_INTEGER *size, ULONG attributes, ULONG sharing, ULONG disposition, ULONG options,
                           void *ea, ULONG ea_size)
{
    const OBJECT_ATTRIBUTES *use;
    struct moved m;
    struct lookup l;
    enum name_class class;
    NTSTATUS status;

    *handle = NULL;
    use = move_file(&m, attr, "NtCreateFile", disposition == FILE_OPEN && only_reads(access) ? TO_READ : TO_OPEN, &class, &status);
    if (status) return status;
    if (disposition != FILE_OPEN || size || ea || is_odd(attributes, sharing, options)) l.name = 0;
    else if (known_absent(&l, &m, use, attr, class, how_opened(access, sharing, options)))
        return io->Status = STATUS_OBJECT_NAME_NOT_FOUND;
    status = real_NtCreateFile(handle, access, use, io, size, attributes, sharing, disposition, options, ea, ea_size);
    absent_note(&l, status == STATUS_OBJECT_NAME_NOT_FOUND);
    if (try_host(&m, status))
        status = real_NtCreateFile(handle, access, m.host, io, size, attributes, sharing, disposition, options, ea,
                                   ea_size);
    if (NT_SUCCESS(status)) opened(handle, class, access, sharing, options);
    return status;
}

NTSTATUS hook_NtOpenFile(HANDLE *handle, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr, IO_STATUS_BLOCK *io,
                         ULONG sharing, ULONG options)
{
    const OBJECT_ATTRIBUTES *use;
    struct moved m;
    struct lookup l;
    enum name_class class;
    NTSTATUS status;

    *handle = NULL;
    use = move_file(&m, attr, "NtOpenFile", only_reads(access) ? TO_READ : TO_OPEN, &class, &status);
    if (status) return status;
    if (is_odd(0, sharing, options)) l.name = 0;
    else if (known_absent(&l, &m, use, attr, class, how_opened(access, sharing, options)))
        return io->Status = STATUS_OBJECT_NAME_NOT_FOUND;
    status = real_NtOpenFile(handle, access, use, io, sharing, options);
    absent_note(&l, status == STATUS_OBJECT_NAME_NOT_FOUND);
    if (try_host(&m, status)) status = real_NtOpenFile(handle, access, m.host, io, sharing, options);
    if (NT_SUCCESS(status)) opened(handle, class, access, sharing, options);
    return status;
}

/* The root of C: is a mount point to Linux, and so a reparse point to Wine where it is asked by name. */
static bool is_root_of_drive(const OBJECT_ATTRIBUTES *attr)
{
    const UNICODE_STRING *us = attr->ObjectName;

    return !attr->RootDirectory && is_drive_root((struct span){ us->Buffer, us->Length / sizeof(WCHAR) });
}

#define QUERY_CALL(name, type)                                                             \
    NTSTATUS hook_##name(const OBJECT_ATTRIBUTES *attr, void *info)                        \
    {                                                                                      \
        const OBJECT_ATTRIBUTES *use;                                                      \
        struct moved m;                                                                    \
        struct lookup l;                                                                   \
        enum name_class class;                                                             \
        NTSTATUS status;                                                                   \
        use = move_file(&m, attr, #name, TO_READ, &class, &status);                        \
        if (status) return status;                                                         \
        if (known_absent(&l, &m, use, attr, class, 0)) return STATUS_OBJECT_NAME_NOT_FOUND; \
        status = real_##name(use, info);                                                   \
        absent_note(&l, status == STATUS_OBJECT_NAME_NOT_FOUND);                           \
        if (try_host(&m, status)) status = real_##name(m.host, info);                      \
        if (!status && (((type *)info)->FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) &&  \
            is_root_of_drive(attr))                                                        \
            ((type *)info)->FileAttributes &= ~FILE_ATTRIBUTE_REPARSE_POINT;               \
        return status;                                                                     \
    }

QUERY_CALL(NtQueryAttributesFile, FILE_BASIC_INFORMATION)
QUERY_CALL(NtQueryFullAttributesFile, FILE_NETWORK_OPEN_INFORMATION)

#define FILE_CALL(name, clear, purpose, params, args)                        \
    NTSTATUS hook_##name params                                              \
    {                                                                        \
        struct moved m;                                                      \
        enum name_class class;                                               \
        NTSTATUS status;                                                     \
        clear;                                                               \
        attr = move_file(&m, attr, #name, purpose, &class, &status);         \
        if (status) return status;                                           \
        status = real_##name args;                                           \
        if (!try_host(&m, status)) return status;                            \
        attr = m.host;                                                       \
        return real_##name args;                                             \
    }

FILE_CALL(NtCreateNamedPipeFile, *handle = NULL, TO_CREATE,
          (HANDLE *handle, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr, IO_STATUS_BLOCK *io, ULONG sharing,
           ULONG disposition, ULONG options, ULONG type, ULONG read_mode, ULONG completion_mode, ULONG instances,
           ULONG in_quota, ULONG out_quota, LARGE_INTEGER *timeout),
          (handle, access, attr, io, sharing, disposition, options, type, read_mode, completion_mode, instances,
           in_quota, out_quota, timeout))
FILE_CALL(NtCreateMailslotFile, *handle = NULL, TO_CREATE,
          (HANDLE *handle, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr, IO_STATUS_BLOCK *io, ULONG options,
           ULONG quota, ULONG message_size, LARGE_INTEGER *timeout),
          (handle, access, attr, io, options, quota, message_size, timeout))
FILE_CALL(NtDeleteFile, , TO_OPEN, (const OBJECT_ATTRIBUTES *attr), (attr))

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

/* FILE_NAME_INFORMATION of a pipe is \winesilo\N\X: show \X. FileAllInformation, which has a name as well, Wine gives of files
 * and folders only (tests/guest/pipes.c checks that). */
static NTSTATUS query_file_name(HANDLE handle, IO_STATUS_BLOCK *io, FILE_NAME_INFORMATION *info, ULONG size)
{
    const size_t head = sizeof(ULONG);
    NTSTATUS status = real_NtQueryInformationFile(handle, io, info, size, FileNameInformation);
    FILE_NAME_INFORMATION *own, *whole;
    size_t total, n;
    struct shown shown;
    struct span name;
    IO_STATUS_BLOCK own_io;

    if ((status && status != STATUS_BUFFER_OVERFLOW) || size < head) return status;
    if (!may_be_silo_pipe(info, size - head)) return status;
    if (!is_silo_pipe(handle) || !(own = thread_buffer(0)) || !(whole = thread_buffer(1))) return status;
    if (real_NtQueryInformationFile(handle, &own_io, own, THREAD_BUFFER, FileNameInformation)) return status;
    name = (struct span){ own->FileName, own->FileNameLength / sizeof(WCHAR) };
    if (!show_pipe(name, &shown)) return status;
    n = (size_t)(put_name(whole->FileName, &shown) - whole->FileName);
    whole->FileNameLength = (ULONG)(n * sizeof(WCHAR));
    total = head + n * sizeof(WCHAR);
    memcpy(info, whole, total < size ? total : size);
    io->Status = total <= size ? STATUS_SUCCESS : STATUS_BUFFER_OVERFLOW;
    io->Information = total < size ? total : size;
    return io->Status;
}

NTSTATUS hook_NtQueryInformationFile(HANDLE handle, IO_STATUS_BLOCK *io, void *info, ULONG size, ULONG info_class)
{
    if (info_class == FileNameInformation) return query_file_name(handle, io, info, size);
    return real_NtQueryInformationFile(handle, io, info, size, info_class);
}

/* ---- what overlayfs does differently ---- */

/* Copy the file of a descriptor up, as opening it for writing does. */
static void copy_up(int fd)
{
    char path[32];
    int again;

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if ((again = open(path, O_WRONLY | O_CLOEXEC)) >= 0) close(again);
}

/* the inode of a handle's file; copies it up if it may have been opened before that happened. The handle is the file's,
 * or that of a section of it (access is then 0). */
static bool prepare(HANDLE file, unsigned int access, uint32_t when, uint64_t *inode)
{
    struct quiet quiet;
    bool needed = false;
    struct stat st;
    int fd;

    quiet_begin(&quiet);
    if (!real_wine_server_handle_to_fd(file, access, &fd, NULL)) {
        if (!fstat(fd, &st) && S_ISREG(st.st_mode) && !copied_before(st.st_ino, when)) {
            copy_up(fd);
            copied_note(st.st_ino);
            *inode = st.st_ino;
            needed = true;
        }
        close(fd);
    }
    quiet_end(&quiet);
    return needed;
}

static bool same_inode(HANDLE file, uint64_t inode)
{
    struct quiet quiet;
    struct stat st = { 0 };
    int fd;

    quiet_begin(&quiet);
    if (!real_wine_server_handle_to_fd(file, FILE_READ_DATA, &fd, NULL)) {
        fstat(fd, &st);
        close(fd);
    }
    quiet_end(&quiet);
    return st.st_ino == inode;
}

/* a handle like file of the file at its name, which was copied up since; file itself if it is not there any more */
static HANDLE open_again(HANDLE file, uint64_t inode)
{
    OBJECT_BASIC_INFORMATION basic;
    OBJECT_NAME_INFORMATION *info;
    OBJECT_ATTRIBUTES attr = { .Length = sizeof(attr), .Attributes = OBJ_CASE_INSENSITIVE };
    IO_STATUS_BLOCK io;
    HANDLE again;

    if (!(info = thread_buffer(1)) || real_NtQueryObject(file, ObjectBasicInformation, &basic, sizeof(basic), NULL) ||
        real_NtQueryObject(file, ObjectNameInformation, info, THREAD_BUFFER, NULL))
        return file;
    attr.ObjectName = &info->Name;
    if (real_NtOpenFile(&again, basic.GrantedAccess, &attr, &io, FILE_SHARE_ALL, 0)) return file;
    if (same_inode(again, inode)) return again;
    real_NtClose(again);
    return file;
}

/* A view of a file of a lower layer is a view of that layer, also after the file was copied up: writes would not
 * show in it. Where writers are possible, the file is copied up first and the view made through a new handle.
 *
 * To know the file takes a descriptor, and so a request to the wineserver. A section's is asked for by whoever maps it
 * anyway, so a section without a name, which nobody else can see, is made first and looked at then. */
NTSTATUS create_file_section(HANDLE *section, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr, const LARGE_INTEGER *size,
                             ULONG protect, ULONG flags, HANDLE file)
{
    bool nameless = !attr || !attr->ObjectName, needed;
    struct slot *slot = slot_of(file);
    HANDLE use = file, made;
    uint64_t inode;
    NTSTATUS status;

    if (slot_kind(file) != SLOT_READER) return real_NtCreateSection(section, access, attr, size, protect, flags, file);
    if (nameless) {
        status = real_NtCreateSection(&made, access, attr, size, protect, flags, file);
        if (!NT_SUCCESS(status)) return status;
        if (!(needed = prepare(made, 0, slot->generation, &inode))) {
            *section = made;
            return status;
        }
        real_NtClose(made);
    }
    else needed = prepare(file, FILE_READ_DATA, slot->generation, &inode);
    if (needed) use = open_again(file, inode);
    status = real_NtCreateSection(section, access, attr, size, protect, flags, use);
    if (use != file) real_NtClose(use);
    return status;
}

/* A folder of the base that can't be renamed as it is, for want of privileges (see detach.h). */
static bool detach(HANDLE handle)
{
    char link[32], path[PATH_MAX];
    struct quiet quiet;
    bool done = false;
    ssize_t n;
    int fd;

    quiet_begin(&quiet);
    if (!real_wine_server_handle_to_fd(handle, 0, &fd, NULL)) {
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlink(link, path, sizeof(path) - 1);
        close(fd);
        if (n > 0) {
            path[n] = 0;
            done = folder_detach(path);
        }
    }
    quiet_end(&quiet);
    return done;
}

NTSTATUS hook_NtSetInformationFile(HANDLE handle, IO_STATUS_BLOCK *io, void *info, ULONG size, ULONG info_class)
{
    const size_t head = offsetof(FILE_RENAME_INFORMATION, FileName);
    const bool renames = info_class == FileRenameInformation || info_class == FileRenameInformationEx;
    FILE_RENAME_INFORMATION *own;
    struct name_edit edit;
    struct span name;
    NTSTATUS status;

    if ((!renames && info_class != FileLinkInformation && info_class != FileLinkInformationEx) ||
        size < sizeof(*own) || !(own = thread_buffer(1)))
        return real_NtSetInformationFile(handle, io, info, size, info_class);
    /* Wine takes the length as 16 bits, whatever the size is */
    memcpy(own, info, head);
    name = (struct span){ own->FileName, (uint16_t)own->FileNameLength / sizeof(WCHAR) };
    memcpy(own->FileName, (char *)info + head, (uint16_t)own->FileNameLength);
    if (name.n && classify_file(name, &edit) == NAME_REFUSED) {
        TRACE("NtSetInformationFile", "refused", name);
        audit_by_rule(AUDIT_FILE, RULE_UNIX_PATH, AUDIT_CREATED, name.s, name.n * sizeof(WCHAR));
        return STATUS_OBJECT_PATH_NOT_FOUND;
    }
    status = real_NtSetInformationFile(handle, io, own, size, info_class);
    if (status == STATUS_NOT_SAME_DEVICE && renames && detach(handle))
        status = real_NtSetInformationFile(handle, io, own, size, info_class);
    return status;
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
    struct pipe_wait *wait, *own;
    const size_t head = offsetof(struct pipe_wait, name);
    struct span name;

    if (code != FSCTL_PIPE_WAIT || in_size < sizeof(*wait) || in_size > THREAD_BUFFER / 2 || !(wait = thread_buffer(0)) ||
        !(own = thread_buffer(1)) || !capture(wait, in, in_size) || wait->name_bytes > in_size - head)
        return real_NtFsControlFile(handle, event, apc, apc_context, io, code, in, in_size, out, out_size);
    memcpy(own, wait, head);
    name = (struct span){ wait->name, wait->name_bytes / sizeof(WCHAR) };
    own->name_bytes = (ULONG)(move_pipe_name(own->name, name, AUDIT_PIPE, TO_OPEN) * sizeof(WCHAR));
    TRACE("NtFsControlFile", "pipe", name);
    return real_NtFsControlFile(handle, event, apc, apc_context, io, code, own, (ULONG)(head + own->name_bytes), out,
                                out_size);
}
