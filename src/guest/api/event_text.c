/* Memory and texts of the event log.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "event.h"

void *event_allocate(SIZE_T size)
{
    return HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, size);
}

void event_release(void *memory)
{
    if (memory)
        HeapFree(GetProcessHeap(), 0, memory);
}

SIZE_T event_length(const WCHAR *text)
{
    SIZE_T length = 0;

    while (text[length])
        length++;
    return length;
}

WCHAR *event_copy_text(const WCHAR *text)
{
    SIZE_T size = (event_length(text) + 1) * sizeof(*text);
    WCHAR *copy = event_allocate(size);

    if (copy)
        memcpy(copy, text, size);
    return copy;
}

WCHAR *event_wide(const char *text)
{
    int size = text ? MultiByteToWideChar(CP_ACP, 0, text, -1, NULL, 0) : 0;
    WCHAR *wide = size ? event_allocate(size * sizeof(*wide)) : NULL;

    if (wide)
        MultiByteToWideChar(CP_ACP, 0, text, -1, wide, size);
    return wide;
}

BOOL event_succeeded(DWORD error)
{
    if (error)
        SetLastError(error);
    return !error;
}
