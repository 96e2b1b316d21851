/* The services' API for programs in a silo: what Wine's sechost.dll and advapi32.dll lack.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An SC_HANDLE is an RPC context handle of [MS-SCMR], with Wine's functions and with ours: handles may be mixed. Wine's DLLs
 * have the rest of the API: see exports.def for what leads here. */
#ifndef SCM_API_H
#define SCM_API_H

#include <windows.h>
#include <winsvc.h>

#include "svcctl.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* scm_call.c: calls of the stubs return the error instead of raising it. Before the first one: */
BOOL scm_load(void); /* FALSE, with the last error set, where the RPC runtime is not there */
BOOL scm_ready(const void *handle); /* that, and the handle may be one */

/* Functions of Wine's sechost.dll, which loads us: an import would be a circle. */
extern SC_HANDLE(WINAPI *wine_OpenSCManagerW)(LPCWSTR, LPCWSTR, DWORD);
extern SC_HANDLE(WINAPI *wine_OpenServiceW)(SC_HANDLE, LPCWSTR, DWORD);
extern SC_HANDLE(WINAPI *wine_CreateServiceW)(SC_HANDLE, LPCWSTR, LPCWSTR, DWORD, DWORD, DWORD, DWORD, LPCWSTR,
                                              LPCWSTR, LPDWORD, LPCWSTR, LPCWSTR, LPCWSTR);
extern BOOL(WINAPI *wine_CloseServiceHandle)(SC_HANDLE);

/* scm_text.c */
void *scm_allocate(SIZE_T size); /* zeroed; NULL when there is no memory */
void scm_release(void *memory);
BOOL scm_done(DWORD error); /* sets the last error if there is one; the answer of a function of the API */
DWORD scm_wide(const char *text, WCHAR **wide);      /* NULL gives NULL; to be released */
DWORD scm_wide_list(const char *list, WCHAR **wide); /* each with a NUL, and one more */
SIZE_T scm_list_length(const WCHAR *list);           /* in characters, with its last NUL; 0 for NULL */

/* An answer to a caller: a structure, and behind it the texts that its fields point to. */
struct scm_answer {
    BOOL ansi;
    BYTE *end, *limit;
};
/* How much room a text takes: also for bytes what it takes in UTF-16, as Windows counts it. */
DWORD scm_text_size(BOOL ansi, const WCHAR *text, SIZE_T length);
void *scm_put_text(struct scm_answer *answer, const WCHAR *text, SIZE_T length);

#endif
