/* Memory and text of the services' API.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "scm_api.h"

#include <string.h>
#include <wchar.h>

void *scm_allocate(SIZE_T size)
{
    return HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, size);
}

void scm_release(void *memory)
{
    if (memory)
        HeapFree(GetProcessHeap(), 0, memory);
}

/* the stubs' memory */
void *__RPC_USER midl_user_allocate(size_t size)
{
    return scm_allocate(size);
}

void __RPC_USER midl_user_free(void *memory)
{
    scm_release(memory);
}

BOOL scm_done(DWORD error)
{
    if (error)
        SetLastError(error);
    return !error;
}

/* ---- from bytes ---- */

static DWORD widen(const char *text, int size, WCHAR **wide)
{
    int length = MultiByteToWideChar(CP_ACP, 0, text, size, NULL, 0);

    if (!(*wide = scm_allocate((length + 1) * sizeof(**wide))))
        return ERROR_NOT_ENOUGH_MEMORY;
    MultiByteToWideChar(CP_ACP, 0, text, size, *wide, length);
    return ERROR_SUCCESS;
}

DWORD scm_wide(const char *text, WCHAR **wide)
{
    *wide = NULL;
    return text ? widen(text, -1, wide) : ERROR_SUCCESS;
}

DWORD scm_wide_list(const char *list, WCHAR **wide)
{
    const char *end = list;

    *wide = NULL;
    if (!list)
        return ERROR_SUCCESS;
    while (*end)
        end += strlen(end) + 1;
    return widen(list, (int)(end - list) + 1, wide);
}

SIZE_T scm_list_length(const WCHAR *list)
{
    const WCHAR *end = list;

    if (!list)
        return 0;
    while (*end)
        end += wcslen(end) + 1;
    return end - list + 1;
}

/* ---- to the caller ---- */

DWORD scm_text_size(BOOL ansi, const WCHAR *text, SIZE_T length)
{
    DWORD size = (DWORD)(length * sizeof(*text));
    DWORD bytes = ansi && length ? WideCharToMultiByte(CP_ACP, 0, text, (int)length, NULL, 0, NULL, NULL) : 0;

    return bytes > size ? bytes : size; /* a code page may need three bytes for what is two in UTF-16 */
}

void *scm_put_text(struct scm_answer *answer, const WCHAR *text, SIZE_T length)
{
    BYTE *place = answer->end;

    if (!length)
        return NULL;
    if (answer->ansi) {
        answer->end += WideCharToMultiByte(CP_ACP, 0, text, (int)length, (char *)place,
                                           (int)(answer->limit - place), NULL, NULL);
    } else {
        memcpy(place, text, length * sizeof(*text));
        answer->end += length * sizeof(*text);
    }
    return place;
}
