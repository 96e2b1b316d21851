/* The one web site: its settings, its files, its log.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WINESILO_IIS_SITE_H
#define WINESILO_IIS_SITE_H

#include <winsock2.h>
#include <windows.h>
#include <http.h>

enum { DOCUMENTS_MAX = 8 };

struct site {
    WCHAR root[MAX_PATH];
    WCHAR documents[DOCUMENTS_MAX][64];
    WCHAR logs[MAX_PATH]; /* empty: no log */
    DWORD public_port;
};

/* what is known of a response when it is sent, for the log */
struct outcome {
    USHORT status;
    DWORD error; /* a Windows error behind the status, 0 */
};

void site_read(struct site *site);

/* Answer a request. The queue takes the response. */
struct outcome site_answer(const struct site *site, HANDLE queue, const HTTP_REQUEST *request);

/* A line in the log of the day (W3C extended log file format). */
void log_request(const struct site *site, const HTTP_REQUEST *request, struct outcome outcome);
void log_close(void);

/* a request's header that Wine does not know, or NULL; not ended, *size bytes */
const char *unknown_header(const HTTP_REQUEST *request, const char *name, USHORT *size);

#endif
