/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The NT types and constants the hooks need, as documented by Microsoft
 * ([MS-DTYP], the Windows driver documentation); 64-bit layouts. */
#ifndef WINESILO_NT_H
#define WINESILO_NT_H

#include <stddef.h>
#include <stdint.h>

typedef int32_t NTSTATUS;
typedef void *HANDLE;
typedef uint32_t ULONG;
typedef uint32_t ACCESS_MASK;
typedef uint16_t WCHAR;
typedef uint8_t BOOLEAN;
typedef int64_t LARGE_INTEGER;
typedef void *PIO_APC_ROUTINE;

typedef struct {
    uint16_t Length, MaximumLength; /* bytes */
    WCHAR *Buffer;
} UNICODE_STRING;

typedef struct {
    ULONG Length;
    HANDLE RootDirectory;
    UNICODE_STRING *ObjectName;
    ULONG Attributes;
    void *SecurityDescriptor;
    void *SecurityQualityOfService;
} OBJECT_ATTRIBUTES;

typedef struct {
    union {
        NTSTATUS Status;
        void *Pointer;
    };
    uintptr_t Information;
} IO_STATUS_BLOCK;

typedef struct {
    HANDLE UniqueProcess, UniqueThread;
} CLIENT_ID;

#define NT_SUCCESS(status) ((NTSTATUS)(status) >= 0)
#define NT_ERROR(status) ((uint32_t)(status) >> 30 == 3)
#define STATUS(code) ((NTSTATUS)(code))
#define STATUS_SUCCESS STATUS(0)
#define STATUS_PENDING STATUS(0x00000103)
#define STATUS_MORE_ENTRIES STATUS(0x105)
#define STATUS_PREDEFINED_HANDLE STATUS(0x40000016)
#define STATUS_BUFFER_OVERFLOW STATUS(0x80000005)
#define STATUS_NO_MORE_ENTRIES STATUS(0x8000001a)
#define STATUS_DATATYPE_MISALIGNMENT STATUS(0x80000002)
#define STATUS_NOT_IMPLEMENTED STATUS(0xc0000002)
#define STATUS_ACCESS_VIOLATION STATUS(0xc0000005)
#define STATUS_INFO_LENGTH_MISMATCH STATUS(0xc0000004)
#define STATUS_INVALID_HANDLE STATUS(0xc0000008)
#define STATUS_INVALID_CID STATUS(0xc000000b)
#define STATUS_NO_SUCH_DEVICE STATUS(0xc000000e)
#define STATUS_INVALID_PARAMETER STATUS(0xc000000d)
#define STATUS_ACCESS_DENIED STATUS(0xc0000022)
#define STATUS_BUFFER_TOO_SMALL STATUS(0xc0000023)
#define STATUS_OBJECT_TYPE_MISMATCH STATUS(0xc0000024)
#define STATUS_OBJECT_NAME_INVALID STATUS(0xc0000033)
#define STATUS_OBJECT_NAME_NOT_FOUND STATUS(0xc0000034)
#define STATUS_OBJECT_NAME_COLLISION STATUS(0xc0000035)
#define STATUS_OBJECT_PATH_NOT_FOUND STATUS(0xc000003a)
#define STATUS_NOT_SAME_DEVICE STATUS(0xc00000d4)
#define STATUS_PRIVILEGE_NOT_HELD STATUS(0xc0000061)
#define STATUS_NO_MEMORY STATUS(0xc0000017)
#define STATUS_INSUFFICIENT_RESOURCES STATUS(0xc000009a)
#define STATUS_CANNOT_DELETE STATUS(0xc0000121)
#define STATUS_KEY_DELETED STATUS(0xc000017c)
#define STATUS_RETRY STATUS(0xc000022d)
#define STATUS_CHILD_MUST_BE_VOLATILE STATUS(0xc0000181)

#define OBJ_INHERIT 0x00000002u
#define OBJ_CASE_INSENSITIVE 0x00000040u
#define OBJ_KEY_WOW64 0x100000u /* Wine's own: the view of 32-bit programs, between ntdll.so and the wineserver */
#define OBJ_OPENLINK 0x00000100u
#define OBJ_PERMANENT 0x00000010u

#define DIRECTORY_QUERY 0x0001u
#define DIRECTORY_TRAVERSE 0x0002u
#define SYMBOLIC_LINK_QUERY 0x0001u
#define FILE_ATTRIBUTE_NORMAL 0x00000080u
#define FILE_ATTRIBUTE_REPARSE_POINT 0x0400u
#define DELETE_ACCESS 0x00010000u
#define KEY_QUERY_VALUE 0x0001u
#define KEY_SET_VALUE 0x0002u
#define KEY_CREATE_SUB_KEY 0x0004u
#define KEY_ENUMERATE_SUB_KEYS 0x0008u
#define KEY_NOTIFY 0x0010u
#define KEY_WOW64_64KEY 0x0100u /* also for a 32-bit program: no other key is meant */
#define KEY_READ_ACCESS 0x00020019u
#define KEY_ALL_ACCESS 0x000f003fu

#define REG_OPTION_VOLATILE 0x00000001u
#define REG_OPTION_CREATE_LINK 0x00000002u
#define REG_EXPAND_SZ 2u
#define REG_DWORD 4u
#define REG_LINK 6u
#define REG_CREATED_NEW_KEY 1u
#define REG_OPENED_EXISTING_KEY 2u

#define EVENT_ALL_ACCESS 0x001f0003u
enum { NotificationEvent, SynchronizationEvent };

/* KEY_INFORMATION_CLASS */
enum { KeyBasicInformation, KeyNodeInformation, KeyFullInformation, KeyNameInformation, KeyCachedInformation };
/* KEY_VALUE_INFORMATION_CLASS */
enum { KeyValueBasicInformation, KeyValueFullInformation, KeyValuePartialInformation };

typedef struct {
    LARGE_INTEGER LastWriteTime;
    ULONG TitleIndex, NameLength;
    WCHAR Name[1];
} KEY_BASIC_INFORMATION;

typedef struct {
    LARGE_INTEGER LastWriteTime;
    ULONG TitleIndex, ClassOffset, ClassLength, NameLength;
    WCHAR Name[1];
} KEY_NODE_INFORMATION;

typedef struct {
    LARGE_INTEGER LastWriteTime;
    ULONG TitleIndex, ClassOffset, ClassLength, SubKeys, MaxNameLen, MaxClassLen;
    ULONG Values, MaxValueNameLen, MaxValueDataLen;
    WCHAR Class[1];
} KEY_FULL_INFORMATION;

typedef struct {
    LARGE_INTEGER LastWriteTime;
    ULONG TitleIndex, SubKeys, MaxNameLen, Values, MaxValueNameLen, MaxValueDataLen, NameLength;
} KEY_CACHED_INFORMATION;

typedef struct {
    ULONG NameLength;
    WCHAR Name[1];
} KEY_NAME_INFORMATION;

typedef struct {
    ULONG TitleIndex, Type, DataOffset, DataLength, NameLength;
    WCHAR Name[1];
} KEY_VALUE_FULL_INFORMATION;

typedef struct {
    ULONG TitleIndex, Type, DataLength;
    uint8_t Data[1];
} KEY_VALUE_PARTIAL_INFORMATION;

/* OBJECT_INFORMATION_CLASS */
enum { ObjectBasicInformation, ObjectNameInformation, ObjectTypeInformation };

typedef struct {
    ULONG Attributes;
    ACCESS_MASK GrantedAccess;
    ULONG HandleCount, PointerCount, Reserved[10];
    LARGE_INTEGER CreationTime;
} OBJECT_BASIC_INFORMATION;

typedef struct {
    UNICODE_STRING Name;
} OBJECT_NAME_INFORMATION;

#define FILE_READ_DATA 0x0001u
#define FILE_EXECUTE 0x0020u
#define FILE_READ_EA 0x0008u
#define FILE_READ_ATTRIBUTES 0x0080u
#define FILE_WRITE_DATA 0x0002u
#define FILE_APPEND_DATA 0x0004u
#define READ_CONTROL 0x00020000u
#define SYNCHRONIZE 0x00100000u
#define GENERIC_READ 0x80000000u
#define GENERIC_WRITE 0x40000000u
#define GENERIC_EXECUTE 0x20000000u
#define GENERIC_ALL 0x10000000u
#define FILE_SHARE_WRITE 0x0002u
#define FILE_SHARE_ALL 0x0007u
#define FILE_OPEN 1u
#define FILE_DIRECTORY_FILE 0x0001u
#define SEC_IMAGE 0x01000000u

/* FILE_INFORMATION_CLASS values used */
enum {
    FileNameInformation = 9,
    FileRenameInformation = 10,
    FileLinkInformation = 11,
    FileRenameInformationEx = 65,
    FileLinkInformationEx = 72
};

/* also FILE_LINK_INFORMATION */
typedef struct {
    ULONG Flags;
    HANDLE RootDirectory;
    ULONG FileNameLength;
    WCHAR FileName[1];
} FILE_RENAME_INFORMATION;

typedef struct {
    ULONG FileNameLength;
    WCHAR FileName[1];
} FILE_NAME_INFORMATION;

typedef struct {
    LARGE_INTEGER CreationTime, LastAccessTime, LastWriteTime, ChangeTime;
    ULONG FileAttributes;
} FILE_BASIC_INFORMATION;

typedef struct {
    LARGE_INTEGER CreationTime, LastAccessTime, LastWriteTime, ChangeTime, AllocationSize, EndOfFile;
    ULONG FileAttributes;
} FILE_NETWORK_OPEN_INFORMATION;

#define DUPLICATE_CLOSE_SOURCE 1u

#define CURRENT_PROCESS ((HANDLE) ~(uintptr_t)0)
#define MEM_COMMIT 0x1000u
#define MEM_RELEASE 0x8000u
#define PAGE_READWRITE 4u

/* PROCESSINFOCLASS / THREADINFOCLASS / SYSTEM_INFORMATION_CLASS values used */
enum {
    ProcessBasicInformation = 0,
    ProcessTimes = 4,
    ThreadBasicInformation = 0,
    SystemProcessInformation = 5,
    SystemHandleInformation = 16,
    SystemExtendedProcessInformation = 57,
    SystemExtendedHandleInformation = 64,
    SystemProcessIdInformation = 88
};

typedef struct {
    NTSTATUS ExitStatus;
    void *PebBaseAddress;
    uintptr_t AffinityMask;
    int32_t BasePriority;
    uintptr_t UniqueProcessId, InheritedFromUniqueProcessId;
} PROCESS_BASIC_INFORMATION;

typedef struct {
    LARGE_INTEGER CreateTime, ExitTime, KernelTime, UserTime;
} KERNEL_USER_TIMES;

typedef struct {
    NTSTATUS ExitStatus;
    void *TebBaseAddress;
    CLIENT_ID ClientId;
    uintptr_t AffinityMask;
    int32_t Priority, BasePriority;
} THREAD_BASIC_INFORMATION;

#endif
