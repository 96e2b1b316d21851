/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The mount manager, a driver of the host: a silo sees of its drives what is C:'s, and changes nothing. Codes and
 * layouts: the Windows driver documentation, ddk/mountmgr.h. */
#include <string.h>

#include "silo.h"

enum {
    MOUNTMGR_QUERY_POINTS = 0x6d0008,
    MOUNTMGR_QUERY_UNIX_DRIVE = 0x6d4084, /* Wine's own */
    UNIX_DRIVE_LETTER = 24,               /* its place in the input */
};

struct mount_point {
    ULONG link, link_bytes, id, id_bytes, device, device_bytes; /* offset and length; 16 bits of a length are used */
};

struct mount_points {
    ULONG size, count;
    struct mount_point points[];
};

/* functions that make or remove drives, mount points and shell folders: what they make shows in the base */
static bool is_refused(ULONG code)
{
    ULONG function = code >> 2 & 0xfff;

    return (code >> 14 & 2) && (function <= 9 || function == 32 || function == 34);
}

/* the device that the host's C: leads to */
static bool device_of_c(UNICODE_STRING *device)
{
    static WCHAR text[] = { '\\', '?', '?', '\\', 'C', ':' };
    UNICODE_STRING name = { sizeof(text), sizeof(text), text };
    const OBJECT_ATTRIBUTES attr = { .Length = sizeof(attr), .ObjectName = &name, .Attributes = OBJ_CASE_INSENSITIVE };
    HANDLE link;
    NTSTATUS status;

    if (real_NtOpenSymbolicLinkObject(&link, SYMBOLIC_LINK_QUERY, &attr)) return false;
    status = real_NtQuerySymbolicLinkObject(link, device, NULL);
    real_NtClose(link);
    return !status;
}

/* leave the mount points of C:'s device in an answer */
static void filter(struct mount_points *answer, size_t bytes)
{
    WCHAR text[128];
    UNICODE_STRING device = { 0, sizeof(text), text };
    ULONG i, kept = 0;

    if (!device_of_c(&device)) device.Length = 0;
    for (i = 0; i < answer->count && (size_t)((uint8_t *)&answer->points[i + 1] - (uint8_t *)answer) <= bytes; i++) {
        const struct mount_point *point = &answer->points[i];
        ULONG n = point->device_bytes & 0xffff;

        if (n != device.Length || point->device > bytes || n > bytes - point->device) continue;
        if (memcmp((uint8_t *)answer + point->device, text, n)) continue;
        answer->points[kept++] = *point;
    }
    answer->count = kept;
}

NTSTATUS mount_manager_control(HANDLE handle, HANDLE event, PIO_APC_ROUTINE apc, void *apc_context, IO_STATUS_BLOCK *io,
                               ULONG code, void *in, ULONG in_size, void *out, ULONG out_size)
{
    static const WCHAR manager[] = { '\\', 'D', 'e', 'v', 'i', 'c', 'e', '\\', 'M', 'o', 'u', 'n', 't', 'P', 'o', 'i', 'n', 't', 'M', 'a', 'n', 'a', 'g', 'e', 'r' };
    WCHAR drive[2] = { 0, ':' };
    NTSTATUS status;

    if (is_refused(code)) {
        TRACE("NtDeviceIoControlFile", "refused", ((struct span){ NULL, 0 }));
        audit_by_rule(AUDIT_OBJECT, RULE_MOUNT_MANAGER, AUDIT_OPENED, manager, sizeof(manager));
        return STATUS_ACCESS_DENIED;
    }
    if (code == MOUNTMGR_QUERY_UNIX_DRIVE && in_size >= UNIX_DRIVE_LETTER + sizeof(WCHAR) &&
        capture(drive, (uint8_t *)in + UNIX_DRIVE_LETTER, sizeof(WCHAR)) && is_foreign_drive((struct span){ drive, 2 }))
        return STATUS_NO_SUCH_DEVICE;
    status = real_NtDeviceIoControlFile(handle, event, apc, apc_context, io, code, in, in_size, out, out_size);
    if (code == MOUNTMGR_QUERY_POINTS && !status && out && out_size >= sizeof(struct mount_points)) filter(out, out_size);
    return status;
}
