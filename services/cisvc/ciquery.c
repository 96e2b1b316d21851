/* Asks the indexing service.
 *
 *   ciquery.exe [-c CATALOG] WORD...     the paths of the documents that have all the words
 *   ciquery.exe [-c CATALOG] -state      documents, words, whether a scan is going on, how many there were
 *   ciquery.exe [-c CATALOG] -rescan     look for changes now
 *
 * A word may end with "*"; "-word" is one that must not be there. Exit code 0: found or done, 1: nothing found, 2: failed.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <winsock2.h>
#include <windows.h>

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "protocol.h"

enum { FOUND, NOTHING, FAILED_TO_ASK, WAIT_MS = 5000 };

static union {
    struct ci_header header;
    uint8_t bytes[CI_MESSAGE_MAX];
} message;

static HANDLE connect_pipe(void)
{
    DWORD mode = PIPE_READMODE_MESSAGE;
    HANDLE pipe;

    for (;;) {
        pipe = CreateFileW(CI_PIPE, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
        if (pipe != INVALID_HANDLE_VALUE)
            break;
        if (GetLastError() != ERROR_PIPE_BUSY || !WaitNamedPipeW(CI_PIPE, WAIT_MS))
            return NULL;
    }
    SetNamedPipeHandleState(pipe, &mode, NULL, NULL);
    return pipe;
}

/* Ask; the reply is in message, *size bytes after the header. */
static BOOL ask(HANDLE pipe, uint32_t number, const void *body, DWORD body_size, DWORD *size)
{
    DWORD n;

    message.header = (struct ci_header){number, 0, 0, 0};
    memcpy(message.bytes + sizeof(message.header), body, body_size);
    if (!WriteFile(pipe, &message, (DWORD)sizeof(message.header) + body_size, &n, NULL) ||
        !ReadFile(pipe, &message, sizeof(message), &n, NULL) || n < sizeof(message.header)) {
        fprintf(stderr, "the indexing service does not answer: error %lu\n", GetLastError());
        return FALSE;
    }
    *size = n - (DWORD)sizeof(message.header);
    if (message.header.status) {
        fprintf(stderr, "the indexing service refuses: %08x\n", message.header.status);
        return FALSE;
    }
    return TRUE;
}

static void print_path(const WCHAR *path, uint32_t units)
{
    char text[CI_MESSAGE_MAX * 2];
    int n = WideCharToMultiByte(CP_UTF8, 0, path, (int)units, text, sizeof(text), NULL, NULL);

    printf("%.*s\n", n, text);
}

static int query(HANDLE pipe, const WCHAR *text)
{
    uint32_t request[2] = {0, 100}, count, n, i;
    DWORD size;

    if (!ask(pipe, CI_CREATE_QUERY, text, (DWORD)((wcslen(text) + 1) * sizeof(WCHAR)), &size))
        return FAILED_TO_ASK;
    memcpy(&request[0], message.bytes + sizeof(message.header), 4);
    memcpy(&count, message.bytes + sizeof(message.header) + 4, 4);
    do {
        const uint8_t *p = message.bytes + sizeof(message.header) + 4;

        if (!ask(pipe, CI_GET_ROWS, request, sizeof(request), &size))
            return FAILED_TO_ASK;
        memcpy(&n, p - 4, 4);
        for (i = 0; i < n; i++) {
            struct ci_row row;

            memcpy(&row, p, sizeof(row));
            print_path((const WCHAR *)(p + sizeof(row)), row.path_units);
            p += sizeof(row) + row.path_units * sizeof(WCHAR);
        }
    } while (n);
    return count ? FOUND : NOTHING;
}

static int state(HANDLE pipe)
{
    struct ci_state state;
    DWORD size;

    if (!ask(pipe, CI_STATE, NULL, 0, &size) || size != sizeof(state))
        return FAILED_TO_ASK;
    memcpy(&state, message.bytes + sizeof(message.header), sizeof(state));
    printf("documents %u\nwords %u\nscanning %u\nscans %u\n", state.documents, state.words, state.scanning, state.scans);
    return FOUND;
}

static int run(int argc, WCHAR **argv, int first, const WCHAR *catalog)
{
    HANDLE pipe = connect_pipe();
    WCHAR text[CI_TEXT_MAX] = L"";
    DWORD size;
    int i;

    if (!pipe) {
        fprintf(stderr, "the indexing service does not run: error %lu\n", GetLastError());
        return FAILED_TO_ASK;
    }
    if (!ask(pipe, CI_CONNECT, catalog, (DWORD)((wcslen(catalog) + 1) * sizeof(WCHAR)), &size))
        return FAILED_TO_ASK;
    if (!wcscmp(argv[first], L"-state"))
        return state(pipe);
    if (!wcscmp(argv[first], L"-rescan"))
        return ask(pipe, CI_RESCAN, NULL, 0, &size) ? FOUND : FAILED_TO_ASK;
    for (i = first; i < argc; i++) {
        if (wcslen(text) + wcslen(argv[i]) + 2 > CI_TEXT_MAX)
            return FAILED_TO_ASK;
        wcscat(text, argv[i]);
        wcscat(text, L" ");
    }
    return query(pipe, text);
}

int wmain(int argc, WCHAR **argv)
{
    BOOL named = argc > 2 && !wcscmp(argv[1], L"-c");
    int first = named ? 3 : 1;

    if (first >= argc) {
        fprintf(stderr, "usage: ciquery.exe [-c CATALOG] WORD... | -state | -rescan\n");
        return FAILED_TO_ASK;
    }
    return run(argc, argv, first, named && wcslen(argv[2]) < CI_TEXT_MAX ? argv[2] : L"");
}
