/* Reporting for the Windows test programs: one line per check, a summary, the exit code.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *     ok NAME
 *     not ok NAME: DETAIL
 *     note TEXT
 *     ready                    after which a program that was asked to hold something waits
 *     done N ok M not ok
 *
 * The first argument of a program is what it is to do; `host` and `silo` run its checks, and `silo`
 * expects what only holds inside a silo.  All other behaviour must be the same in both. */

#ifndef WINESILO_TEST_CHECK_H
#define WINESILO_TEST_CHECK_H

#include <winsock2.h>
#include <windows.h>
#include <winternl.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

static int checks_ok, checks_failed;

__attribute__((format(printf, 3, 4), unused)) static BOOL check(BOOL condition, const char *name,
                                                                const char *format, ...)
{
    va_list args;

    if (condition) {
        checks_ok++;
        printf("ok %s\n", name);
    } else {
        checks_failed++;
        printf("not ok %s: ", name);
        va_start(args, format);
        vprintf(format, args);
        va_end(args);
        printf("\n");
    }
    fflush(stdout);
    return condition;
}

/* The detail is the condition's text and the last error. */
#define CHECK(name, condition) \
    ({ \
        BOOL held_ = (condition); \
        DWORD error_ = GetLastError(); \
        check(held_, name, "%s, error %lu", #condition, error_); \
    })

/* Status codes of the native API. */
#define CHECK_STATUS(name, expression, wanted) \
    do { \
        NTSTATUS status_ = (expression); \
        check(status_ == (NTSTATUS)(wanted), name, "%s is %08lx, not %08lx", #expression, (ULONG)status_, \
              (ULONG)(wanted)); \
    } while (0)

/* A call that must fail with one Win32 error. */
#define CHECK_ERROR(name, failed, wanted) \
    do { \
        BOOL failed_ = (SetLastError(0), (failed)); \
        DWORD error_ = GetLastError(); \
        check(failed_ && error_ == (wanted), name, "%s, error %lu, not %d", #failed, error_, (int)(wanted)); \
    } while (0)

__attribute__((unused)) static int finish(void)
{
    printf("done %d ok %d not ok\n", checks_ok, checks_failed);
    fflush(stdout);
    return checks_failed ? 1 : 0;
}

/* Say that everything asked for is there, and wait for the end of standard input. */
__attribute__((unused)) static void hold(void)
{
    char byte;
    DWORD got;

    printf("ready\n");
    fflush(stdout);
    while (ReadFile(GetStdHandle(STD_INPUT_HANDLE), &byte, 1, &got, NULL) && got)
        ;
}

__attribute__((unused)) static WCHAR *wide(const char *text)
{
    int size = MultiByteToWideChar(CP_UTF8, 0, text, -1, NULL, 0);
    WCHAR *out = malloc((size_t)size * sizeof(WCHAR));

    MultiByteToWideChar(CP_UTF8, 0, text, -1, out, size);
    return out;
}

__attribute__((unused)) static UNICODE_STRING nt_string(const WCHAR *text)
{
    UNICODE_STRING u;

    u.Buffer = (WCHAR *)text;
    u.Length = (USHORT)(wcslen(text) * sizeof(WCHAR));
    u.MaximumLength = (USHORT)(u.Length + sizeof(WCHAR));
    return u;
}

/* The object manager's name of a handle, "" if it has none, "?" if the query fails. */
__attribute__((unused)) static const WCHAR *object_name(HANDLE handle)
{
    static union {
        UNICODE_STRING name;
        BYTE bytes[2048];
    } info;
    ULONG size;

    if (NtQueryObject(handle, (OBJECT_INFORMATION_CLASS)1 /* ObjectNameInformation */, &info, sizeof(info),
                      &size) < 0)
        return L"?";
    return info.name.Buffer ? info.name.Buffer : L"";
}

__attribute__((unused)) static BOOL same_text(const WCHAR *a, const WCHAR *b)
{
    return !_wcsicmp(a, b);
}

__attribute__((unused)) static BOOL ends_with(const WCHAR *text, const WCHAR *end)
{
    size_t length = wcslen(text), tail = wcslen(end);

    return length >= tail && same_text(text + length - tail, end);
}

__attribute__((unused)) static BOOL begins_with(const WCHAR *text, const WCHAR *begin)
{
    return !_wcsnicmp(text, begin, wcslen(begin));
}

#define CHECK_NAME(name, handle, wanted) \
    do { \
        const WCHAR *name_ = object_name(handle); \
        check(same_text(name_, wanted), name, "the name is %ls, not %ls", name_, wanted); \
    } while (0)

__attribute__((noreturn, unused)) static void usage(const char *text)
{
    printf("usage: %s\n", text);
    exit(2);
}

#endif
