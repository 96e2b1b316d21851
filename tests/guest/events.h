/* The functions of the event log, found by name, so that a test says which DLL they are of.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#ifndef WINESILO_TEST_EVENTS_H
#define WINESILO_TEST_EVENTS_H

#include "child.h"

#define EVENT_FUNCTIONS(X) \
    X(HANDLE, RegisterEventSourceA, (const char *, const char *)) \
    X(HANDLE, RegisterEventSourceW, (const WCHAR *, const WCHAR *)) \
    X(BOOL, DeregisterEventSource, (HANDLE)) \
    X(BOOL, ReportEventA, (HANDLE, WORD, WORD, DWORD, PSID, WORD, DWORD, const char **, void *)) \
    X(BOOL, ReportEventW, (HANDLE, WORD, WORD, DWORD, PSID, WORD, DWORD, const WCHAR **, void *)) \
    X(HANDLE, OpenEventLogA, (const char *, const char *)) \
    X(HANDLE, OpenEventLogW, (const WCHAR *, const WCHAR *)) \
    X(HANDLE, OpenBackupEventLogA, (const char *, const char *)) \
    X(HANDLE, OpenBackupEventLogW, (const WCHAR *, const WCHAR *)) \
    X(BOOL, CloseEventLog, (HANDLE)) \
    X(BOOL, ReadEventLogA, (HANDLE, DWORD, DWORD, void *, DWORD, DWORD *, DWORD *)) \
    X(BOOL, ReadEventLogW, (HANDLE, DWORD, DWORD, void *, DWORD, DWORD *, DWORD *)) \
    X(BOOL, GetNumberOfEventLogRecords, (HANDLE, DWORD *)) \
    X(BOOL, GetOldestEventLogRecord, (HANDLE, DWORD *)) \
    X(BOOL, GetEventLogInformation, (HANDLE, DWORD, void *, DWORD, DWORD *)) \
    X(BOOL, ClearEventLogA, (HANDLE, const char *)) \
    X(BOOL, ClearEventLogW, (HANDLE, const WCHAR *)) \
    X(BOOL, BackupEventLogA, (HANDLE, const char *)) \
    X(BOOL, BackupEventLogW, (HANDLE, const WCHAR *)) \
    X(BOOL, NotifyChangeEventLog, (HANDLE, HANDLE))

#define DECLARE(type, name, arguments) static type(WINAPI *p##name) arguments;
EVENT_FUNCTIONS(DECLARE)
#undef DECLARE

static void find_functions(void)
{
    HMODULE dll = LoadLibraryA("advapi32.dll");

#define FIND(type, name, arguments) \
    p##name = (void *)GetProcAddress(dll, #name); \
    if (!p##name) { \
        printf("not ok " #name ": not found, error %lu\n", GetLastError()); \
        exit(1); \
    }
    EVENT_FUNCTIONS(FIND)
#undef FIND
}

/* The text of a record that comes after the source's and the computer's name. */
static const WCHAR *first_string(const EVENTLOGRECORD *record)
{
    return (const WCHAR *)((const BYTE *)record + record->StringOffset);
}

static DWORD count_of(HANDLE log)
{
    DWORD count = 0xdead;

    return pGetNumberOfEventLogRecords(log, &count) ? count : 0xdead;
}

static DWORD oldest_of(HANDLE log)
{
    DWORD oldest = 0xdead;

    return pGetOldestEventLogRecord(log, &oldest) ? oldest : 0xdead;
}

#endif
