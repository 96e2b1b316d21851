/* Memory, strings, the lock.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "scm.h"

#include <wchar.h>

CRITICAL_SECTION scm_lock;
static CONDITION_VARIABLE any_change = CONDITION_VARIABLE_INIT;

void *allocate(size_t size)
{
    void *memory = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, size);

    if (!memory)
        TerminateProcess(GetCurrentProcess(), ERROR_NOT_ENOUGH_MEMORY);
    return memory;
}

void release(void *memory)
{
    if (memory)
        HeapFree(GetProcessHeap(), 0, memory);
}

/* the stubs' memory: arguments that are made for us, answers that we make */
void *__RPC_USER midl_user_allocate(SIZE_T size)
{
    return HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, size);
}

void __RPC_USER midl_user_free(void *memory)
{
    release(memory);
}

WCHAR *copy_string(const WCHAR *text)
{
    return text ? join(text, L"", L"") : NULL;
}

WCHAR *join(const WCHAR *first, const WCHAR *second, const WCHAR *third)
{
    size_t a = wcslen(first), b = wcslen(second), c = wcslen(third);
    WCHAR *text = allocate((a + b + c + 1) * sizeof(*text));

    memcpy(text, first, a * sizeof(*text));
    memcpy(text + a, second, b * sizeof(*text));
    memcpy(text + a + b, third, c * sizeof(*text));
    return text;
}

size_t multi_sz_size(const WCHAR *strings)
{
    const WCHAR *end = strings;

    if (!strings)
        return 0;
    while (*end)
        end += wcslen(end) + 1;
    return end - strings + 1;
}

multi_sz copy_multi_sz(const WCHAR *strings)
{
    size_t size = multi_sz_size(strings);
    multi_sz copy;

    if (size <= 1)
        return NULL;
    copy = allocate(size * sizeof(*copy));
    memcpy(copy, strings, size * sizeof(*copy));
    return copy;
}

/* Names of services, groups and values differ by more than case. */
BOOL same(const WCHAR *a, const WCHAR *b)
{
    return CompareStringOrdinal(a, -1, b, -1, TRUE) == CSTR_EQUAL;
}

BOOL begins(const WCHAR *text, const WCHAR *with)
{
    size_t size = wcslen(with);

    return wcslen(text) >= size && CompareStringOrdinal(text, (int)size, with, (int)size, TRUE) == CSTR_EQUAL;
}

void append(WCHAR **text, const WCHAR *more)
{
    WCHAR *longer = join(*text ? *text : L"", more, L"");

    release(*text);
    *text = longer;
}

void append_number(WCHAR **text, DWORD number)
{
    WCHAR digits[12], *first = digits + COUNT(digits) - 1;

    *first = 0;
    do
        *--first = (WCHAR)(L'0' + number % 10);
    while (number /= 10);
    append(text, first);
}

ULONGLONG now(void)
{
    return GetTickCount64();
}

void lock(void)
{
    EnterCriticalSection(&scm_lock);
}

void unlock(void)
{
    LeaveCriticalSection(&scm_lock);
}

void changed(void)
{
    WakeAllConditionVariable(&any_change);
}

BOOL wait_change(ULONGLONG deadline)
{
    ULONGLONG time = now();

    if (time >= deadline)
        return FALSE;
    deadline -= time;
    SleepConditionVariableCS(&any_change, &scm_lock, deadline < INFINITE ? (DWORD)deadline : INFINITE);
    return TRUE;
}
