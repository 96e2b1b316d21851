/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Named objects: absolute names of the directories that programs meet in go to the silo's own
 * directory \winesilo\N. kernelbase names objects relative to a handle of \Sessions\S\BaseNamedObjects,
 * so redirecting that directory covers every relative name. Also: handles, names read back. */
#include <string.h>

#include "silo.h"

/* A call whose OBJECT_ATTRIBUTES is all there is to change. Like the real ones it clears the handle first: what
 * attr points to may not be readable. */
#define OBJECT_CALL(name, purpose, params, args)      \
    NTSTATUS hook_##name params                       \
    {                                                 \
        struct moved m;                               \
        NTSTATUS status;                              \
        *handle = NULL;                               \
        attr = move_object(&m, attr, #name, purpose); \
        status = real_##name args;                    \
        if (!try_host(&m, status)) return status;     \
        attr = m.host;                                \
        return real_##name args;                      \
    }

#define OPEN_CALL(name)                                                                       \
    OBJECT_CALL(name, TO_OPEN, (HANDLE *handle, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr), \
                (handle, access, attr))
#define CREATE_CALL(name, params, args) OBJECT_CALL(name, TO_CREATE, params, args)

OPEN_CALL(NtOpenEvent)
OPEN_CALL(NtOpenMutant)
OPEN_CALL(NtOpenSemaphore)
OPEN_CALL(NtOpenTimer)
OPEN_CALL(NtOpenKeyedEvent)
OPEN_CALL(NtOpenIoCompletion)
OPEN_CALL(NtOpenJobObject)
OPEN_CALL(NtOpenSymbolicLinkObject)
CREATE_CALL(NtCreateJobObject, (HANDLE *handle, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr),
            (handle, access, attr))
OPEN_CALL(NtOpenSection)
CREATE_CALL(NtCreateEvent,
            (HANDLE *handle, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr, ULONG type, BOOLEAN state),
            (handle, access, attr, type, state))
CREATE_CALL(NtCreateMutant, (HANDLE *handle, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr, BOOLEAN owned),
            (handle, access, attr, owned))
CREATE_CALL(NtCreateSemaphore,
            (HANDLE *handle, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr, int32_t initial, int32_t max),
            (handle, access, attr, initial, max))
CREATE_CALL(NtCreateTimer, (HANDLE *handle, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr, ULONG type),
            (handle, access, attr, type))
CREATE_CALL(NtCreateKeyedEvent, (HANDLE *handle, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr, ULONG flags),
            (handle, access, attr, flags))
CREATE_CALL(NtCreateIoCompletion, (HANDLE *handle, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr, ULONG threads),
            (handle, access, attr, threads))

NTSTATUS hook_NtCreateSection(HANDLE *handle, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr,
                              const LARGE_INTEGER *size, ULONG protect, ULONG flags, HANDLE file)
{
    LARGE_INTEGER own_size;
    struct moved m;

    *handle = NULL;
    if (size) {
        own_size = *size; /* before there is a handle to close */
        size = &own_size;
    }
    attr = move_object(&m, attr, "NtCreateSection", TO_CREATE);
    return file && !(flags & SEC_IMAGE) ? create_file_section(handle, access, attr, size, protect, flags, file)
                                        : real_NtCreateSection(handle, access, attr, size, protect, flags, file);
}

CREATE_CALL(NtCreateDebugObject, (HANDLE *handle, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr, ULONG flags),
            (handle, access, attr, flags))
CREATE_CALL(NtAllocateReserveObject, (HANDLE *handle, const OBJECT_ATTRIBUTES *attr, ULONG type), (handle, attr, type))

/* ---- links ---- */

/* the target is resolved by the wineserver later, so it must name what the silo means */
NTSTATUS hook_NtCreateSymbolicLinkObject(HANDLE *handle, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr,
                                         UNICODE_STRING *target)
{
    struct moved m, mt;

    *handle = NULL;
    if (target && !(target = move_target(&mt, target, "NtCreateSymbolicLinkObject"))) return STATUS_ACCESS_DENIED;
    attr = move_object(&m, attr, "NtCreateSymbolicLinkObject", TO_CREATE);
    return real_NtCreateSymbolicLinkObject(handle, access, attr, target);
}

NTSTATUS hook_NtQuerySymbolicLinkObject(HANDLE handle, UNICODE_STRING *target, ULONG *needed)
{
    UNICODE_STRING own = { 0, 0xfffe, NULL };
    struct shown shown;
    size_t n;
    bool fits;

    if (!target || !(own.Buffer = thread_buffer(0)) || real_NtQuerySymbolicLinkObject(handle, &own, NULL) ||
        !show_name((struct span){ own.Buffer, own.Length / sizeof(WCHAR) }, &shown))
        return real_NtQuerySymbolicLinkObject(handle, target, needed);
    n = (shown.part[0].n + shown.part[1].n) * sizeof(WCHAR);
    fits = target->MaximumLength >= n + sizeof(WCHAR);
    if (fits) {
        *put_name(target->Buffer, &shown) = 0;
        target->Length = (uint16_t)n;
    }
    if (needed) *needed = (ULONG)(n + sizeof(WCHAR));
    return fits ? STATUS_SUCCESS : STATUS_BUFFER_TOO_SMALL;
}

/* An object of the host must not vanish because a silo lets go of it. */
NTSTATUS hook_NtMakeTemporaryObject(HANDLE handle)
{
    OBJECT_NAME_INFORMATION *info = thread_buffer(0);
    struct span name;

    if (info && !real_NtQueryObject(handle, ObjectNameInformation, info, THREAD_BUFFER, NULL) && info->Name.Length) {
        name = (struct span){ info->Name.Buffer, info->Name.Length / sizeof(WCHAR) };
        if (!span_has_prefix(name, names.object_root, names.object_root_n) && !is_of_type(handle, "File")) {
            TRACE("NtMakeTemporaryObject", "refused", name);
            audit_by_rule(AUDIT_OBJECT, RULE_OBJECT_KEPT, AUDIT_OPENED, name.s, name.n * sizeof(WCHAR));
            return STATUS_ACCESS_DENIED;
        }
    }
    return real_NtMakeTemporaryObject(handle);
}

/* ---- handles ---- */

NTSTATUS hook_NtClose(HANDLE handle)
{
    slot_clear(handle);
    return real_NtClose(handle);
}

/* A handle for all processes, which Windows doesn't know, would be one for other silos too; and where it asks for more
 * access, Wine's server crashes. */
#define DUPLICATE_MAKE_GLOBAL 0x80000000u

/* Duplicating a key whose private copy is in use duplicates that; what else is known of a handle is
 * carried over when it stays in this process. */
NTSTATUS hook_NtDuplicateObject(HANDLE source_process, HANDLE source, HANDLE target_process, HANDLE *target,
                                ACCESS_MASK access, ULONG attributes, ULONG options)
{
    const HANDLE self = (HANDLE)(intptr_t)-1;
    enum slot_kind kind = source_process == self ? slot_kind(source) : SLOT_NONE;
    HANDLE use = kind == SLOT_KEY ? key_target(source) : source;
    struct slot *slot = slot_of(source);
    unsigned int state = 0;
    uint16_t flags = 0;
    uint32_t extra = 0;
    NTSTATUS status;

    options &= ~DUPLICATE_MAKE_GLOBAL;
    if (kind != SLOT_NONE && kind != SLOT_KEY) {
        state = slot->state;
        flags = slot->flags;
        extra = slot->extra;
    }
    if (source_process == self && (options & DUPLICATE_CLOSE_SOURCE) && use == source) slot_clear(source);
    status = real_NtDuplicateObject(source_process, use, target_process, target, access, attributes,
                                    use == source ? options : options & ~DUPLICATE_CLOSE_SOURCE);
    if (use != source && (options & DUPLICATE_CLOSE_SOURCE)) hook_NtClose(source);
    if (source_process != self && (options & DUPLICATE_CLOSE_SOURCE)) process_handle_changed(source_process, source);
    if (!status && target && target_process != self) process_handle_changed(target_process, *target);
    if (!status && target && target_process == self) slot_clear(*target); /* left over from before */
    if (!status && target && target_process == self && state + flags + extra + kind && kind != SLOT_KEY) {
        slot_set(*target, kind, state, 0);
        if ((slot = slot_of(*target))) {
            slot->flags = flags;
            slot->extra = extra;
        }
    }
    return status;
}

/* Wine tells the length in 16 bits and ends the text with a zero: a long name has its end farther on. */
static struct span whole_name(const OBJECT_NAME_INFORMATION *info)
{
    size_t n = info->Name.Length / sizeof(WCHAR);

    if (info->Name.Buffer[n]) n += 0x10000 / sizeof(WCHAR);
    return (struct span){ info->Name.Buffer, n };
}

/* Is this answer, in the caller's memory, a name that the silo shows as it is? */
static bool is_as_shown(const OBJECT_NAME_INFORMATION *info)
{
    const UNICODE_STRING name = info->Name;
    struct shown shown;

    return !name.Buffer || !show_name((struct span){ name.Buffer, name.Length / sizeof(WCHAR) }, &shown);
}

static NTSTATUS query_name(HANDLE handle, void *info, ULONG size, ULONG *used)
{
    OBJECT_NAME_INFORMATION *own = thread_buffer(0), *out = info;
    NTSTATUS status = real_NtQueryObject(handle, ObjectNameInformation, info, size, used);
    struct shown shown;
    ULONG need;
    size_t n;

    if (!status && is_as_shown(info)) return status;
    if (!own || real_NtQueryObject(handle, ObjectNameInformation, own, THREAD_BUFFER, NULL) ||
        !own->Name.Buffer || !show_name(whole_name(own), &shown))
        return status;
    n = (shown.part[0].n + shown.part[1].n) * sizeof(WCHAR);
    need = (ULONG)(sizeof(*out) + n + sizeof(WCHAR));
    if (used) *used = need;
    if (size < need) return STATUS_INFO_LENGTH_MISMATCH;
    out->Name.Buffer = (WCHAR *)(out + 1);
    out->Name.Length = (uint16_t)n;
    out->Name.MaximumLength = (uint16_t)(out->Name.Length + sizeof(WCHAR));
    *put_name(out->Name.Buffer, &shown) = 0;
    return STATUS_SUCCESS;
}

NTSTATUS hook_NtQueryObject(HANDLE handle, ULONG info_class, void *info, ULONG size, ULONG *used)
{
    if (info_class == ObjectNameInformation)
        return query_name(slot_kind(handle) == SLOT_KEY ? key_target(handle) : handle, info, size, used);
    return real_NtQueryObject(handle, info_class, info, size, used);
}

NTSTATUS hook_NtQuerySecurityObject(HANDLE handle, ULONG information, void *descriptor, ULONG size, ULONG *needed)
{
    if (slot_kind(handle) == SLOT_KEY) handle = key_target(handle);
    return real_NtQuerySecurityObject(handle, information, descriptor, size, needed);
}

NTSTATUS hook_NtSetSecurityObject(HANDLE handle, ULONG information, void *descriptor)
{
    if (slot_kind(handle) == SLOT_KEY) handle = key_target_writable(handle);
    return real_NtSetSecurityObject(handle, information, descriptor);
}
