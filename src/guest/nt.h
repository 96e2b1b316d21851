/* Native API declarations that mingw-w64's import library has and its winternl.h lacks.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#ifndef WINESILO_GUEST_NT_H
#define WINESILO_GUEST_NT_H

#include <windows.h>
#include <winternl.h>

#define ST_SUCCESS              ((NTSTATUS)0x00000000)
#define ST_TIMEOUT              ((NTSTATUS)0x00000102)
#define ST_BUFFER_OVERFLOW      ((NTSTATUS)0x80000005)
#define ST_NOT_IMPLEMENTED      ((NTSTATUS)0xC0000002)
#define ST_INFO_LENGTH_MISMATCH ((NTSTATUS)0xC0000004)
#define ST_INVALID_PARAMETER    ((NTSTATUS)0xC000000D)
#define ST_NO_MEMORY            ((NTSTATUS)0xC0000017)
#define ST_OBJECT_NAME_INVALID  ((NTSTATUS)0xC0000033)
#define ST_OBJECT_NOT_FOUND     ((NTSTATUS)0xC0000034)

#define ST_NOT_REGISTRY_FILE    ((NTSTATUS)0xC000015C)

#define DIRECTORY_ALL 0xf000f
#define SYMLINK_ALL   0xf0001
#define EVENT_ALL     0x1f0003

#define SE_BACKUP  17
#define SE_RESTORE 18

NTSYSAPI NTSTATUS NTAPI NtCreateDirectoryObject(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *);
NTSYSAPI NTSTATUS NTAPI NtCreateSymbolicLinkObject(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *,
                                                   UNICODE_STRING *);
NTSYSAPI NTSTATUS NTAPI NtCreateEvent(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, ULONG, BOOLEAN);
NTSYSAPI NTSTATUS NTAPI NtResetEvent(HANDLE, LONG *);
NTSYSAPI NTSTATUS NTAPI NtOpenKey(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *);
NTSYSAPI NTSTATUS NTAPI NtLoadKey(OBJECT_ATTRIBUTES *, OBJECT_ATTRIBUTES *);
NTSYSAPI NTSTATUS NTAPI NtUnloadKey(OBJECT_ATTRIBUTES *);
NTSYSAPI NTSTATUS NTAPI NtSaveKey(HANDLE, HANDLE);
NTSYSAPI NTSTATUS NTAPI NtQueryValueKey(HANDLE, UNICODE_STRING *, ULONG, void *, ULONG, ULONG *);
NTSYSAPI NTSTATUS NTAPI NtSetValueKey(HANDLE, UNICODE_STRING *, ULONG, ULONG, const void *, ULONG);
NTSYSAPI NTSTATUS NTAPI NtDeleteValueKey(HANDLE, UNICODE_STRING *);
NTSYSAPI NTSTATUS NTAPI RtlAdjustPrivilege(ULONG, BOOLEAN, BOOLEAN, BOOLEAN *);

/* Process record of NtQuerySystemInformation(SystemProcessInformation), 64-bit layout. */
struct process_record {
    ULONG next_offset;
    ULONG threads;
    LARGE_INTEGER reserved[3];
    LARGE_INTEGER created;
    LARGE_INTEGER user_time;
    LARGE_INTEGER kernel_time;
    UNICODE_STRING name;
    LONG base_priority;
    HANDLE pid;
    HANDLE parent_pid;
    ULONG handles;
    ULONG session;
    ULONG_PTR unused;
    SIZE_T peak_virtual_size;
    SIZE_T virtual_size;
    ULONG page_faults;
    SIZE_T peak_working_set;
    SIZE_T working_set;
};

/* KEY_VALUE_PARTIAL_INFORMATION, information class 2 of NtQueryValueKey. */
struct value_partial {
    ULONG title_index;
    ULONG type;
    ULONG size;
    BYTE data[];
};
#define VALUE_PARTIAL_CLASS 2

#endif
