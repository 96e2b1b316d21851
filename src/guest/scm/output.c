/* What services print: lines in our own standard error, which is the silo's services.log.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Each process writes into a pipe of its own. A line of the log is the time (UTC), the names of the process' services,
 * parted by slashes, which are in no name, and the text, parted by tabs; src/winesilo/vm/printed.py reads it. */

#include "scm.h"

#include <wchar.h>

enum { TEXT = 4096, DRAIN_MS = 500 };

struct output {
    struct output *next;
    struct process *process; /* whose output it is */
    WCHAR *names;            /* of its services, when it last had any */
    HANDLE pipe, event;      /* event: there is something to be taken */
    OVERLAPPED overlapped;
    PTP_WAIT wait;
    DWORD used;
    char text[TEXT]; /* the begin of a line */
};

static struct output *outputs;

/* ---- lines ---- */

static char *put_number(char *at, unsigned number, unsigned digits)
{
    for (unsigned i = digits; i--; number /= 10)
        at[i] = (char)('0' + number % 10);
    return at + digits;
}

/* Everything of a line that stands before the text: its length. */
static DWORD put_head(char *at, DWORD room, const WCHAR *names)
{
    const char *begin = at;
    SYSTEMTIME t;
    int size;

    GetSystemTime(&t);
    at = put_number(at, t.wYear, 4);
    *at++ = '-';
    at = put_number(at, t.wMonth, 2);
    *at++ = '-';
    at = put_number(at, t.wDay, 2);
    *at++ = 'T';
    at = put_number(at, t.wHour, 2);
    *at++ = ':';
    at = put_number(at, t.wMinute, 2);
    *at++ = ':';
    at = put_number(at, t.wSecond, 2);
    *at++ = '.';
    at = put_number(at, t.wMilliseconds, 3);
    *at++ = 'Z';
    *at++ = '\t';
    size = WideCharToMultiByte(CP_UTF8, 0, names, -1, at, (int)(room - (DWORD)(at - begin)) - 1, NULL, NULL);
    at += size > 0 ? size - 1 : 0;
    *at++ = '\t';
    return (DWORD)(at - begin);
}

enum { HEAD = 1024 };

/* One write for all lines, or other processes' lines would come between. */
static void put_lines(const WCHAR *names, const char *text, DWORD size)
{
    char head[HEAD], *lines, *at;
    DWORD head_size = put_head(head, HEAD, names), count = 1, written;

    for (DWORD i = 0; i < size; i++)
        count += text[i] == '\n';
    at = lines = allocate(size + count * (head_size + 1));
    while (size) {
        const char *end = memchr(text, '\n', size);
        DWORD n = end ? (DWORD)(end - text) : size, shown = n && text[n - 1] == '\r' ? n - 1 : n;

        memcpy(at, head, head_size);
        memcpy(at + head_size, text, shown);
        at += head_size + shown;
        *at++ = '\n';
        n += !!end;
        text += n;
        size -= n;
    }
    WriteFile(GetStdHandle(STD_ERROR_HANDLE), lines, (DWORD)(at - lines), &written, NULL);
    release(lines);
}

/* Of ours, about a service. */
void say(const char *what, const WCHAR *name, DWORD number)
{
    char line[256] = "(SCM) ";
    size_t size = strlen(line);
    WCHAR *digits = NULL;

    while (*what && size < sizeof(line) - 20)
        line[size++] = *what++;
    line[size++] = ' ';
    append_number(&digits, number);
    for (const WCHAR *digit = digits; *digit; digit++)
        line[size++] = (char)*digit;
    release(digits);
    put_lines(name, line, (DWORD)size);
}

/* ---- pipes ---- */

static void refresh_names(struct output *output)
{
    WCHAR *names = NULL;

    for (struct service *service = services; service; service = service->next) {
        if (service->process != output->process)
            continue;
        if (names)
            append(&names, L"/");
        append(&names, service->name);
    }
    if (!names)
        return; /* they have ended; this is what they said before */
    release(output->names);
    output->names = names;
}

static void close_output(struct output *output)
{
    struct output **link = &outputs;

    while (*link != output)
        link = &(*link)->next;
    *link = output->next;
    let_go_process(output->process);
    if (output->wait)
        CloseThreadpoolWait(output->wait);
    CloseHandle(output->pipe);
    CloseHandle(output->event);
    release(output->names);
    release(output);
}

/* FALSE: nobody can write any more. */
static BOOL ask_for_more(struct output *output)
{
    return ReadFile(output->pipe, output->text + output->used, TEXT - output->used, NULL, &output->overlapped) ||
           GetLastError() == ERROR_IO_PENDING;
}

/* Lines that are whole, or too long, or the last one. */
static void put_out(struct output *output, BOOL last)
{
    DWORD size = output->used;

    if (!last) {
        while (size && output->text[size - 1] != '\n')
            size--;
        if (!size && output->used == TEXT)
            size = output->text[TEXT - 1] == '\r' ? TEXT - 1 : TEXT; /* what ends a line is not parted */
    }
    if (!size)
        return;
    put_lines(output->names ? output->names : L"", output->text, size);
    output->used -= size;
    memmove(output->text, output->text + size, output->used);
}

static void CALLBACK on_text(PTP_CALLBACK_INSTANCE instance, void *context, PTP_WAIT wait, TP_WAIT_RESULT result)
{
    struct output *output = context;
    DWORD got = 0;
    BOOL more = GetOverlappedResult(output->pipe, &output->overlapped, &got, FALSE);

    (void)instance;
    (void)result;
    output->used += got;
    lock();
    refresh_names(output);
    unlock();
    put_out(output, !more);
    lock();
    if (more && ask_for_more(output))
        SetThreadpoolWait(wait, output->event, NULL);
    else {
        put_out(output, TRUE);
        close_output(output);
    }
    changed();
    unlock();
}

static HANDLE make_ends(HANDLE *write_end)
{
    static DWORD last;
    SECURITY_ATTRIBUTES inherited = {sizeof(inherited), NULL, TRUE};
    WCHAR *name = NULL;
    HANDLE pipe;

    append(&name, L"\\\\.\\pipe\\services-output-");
    append_number(&name, ++last);
    pipe = CreateNamedPipeW(name, PIPE_ACCESS_INBOUND | FILE_FLAG_OVERLAPPED | FILE_FLAG_FIRST_PIPE_INSTANCE,
                            PIPE_TYPE_BYTE | PIPE_WAIT, 1, 0, TEXT, 0, NULL);
    *write_end = CreateFileW(name, GENERIC_WRITE, 0, &inherited, OPEN_EXISTING, 0, NULL);
    release(name);
    return pipe;
}

/* What a process is to write to: inherited by it, and then closed by the caller, who holds the lock. NULL: none. */
HANDLE open_output(struct process *process)
{
    struct output *output = allocate(sizeof(*output));
    HANDLE write_end;

    output->pipe = make_ends(&write_end);
    output->event = output->overlapped.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
    output->wait = CreateThreadpoolWait(on_text, output, NULL);
    output->process = process;
    hold_process(process);
    output->next = outputs;
    outputs = output;
    if (write_end != INVALID_HANDLE_VALUE && output->wait && ask_for_more(output)) {
        SetThreadpoolWait(output->wait, output->event, NULL);
        return write_end;
    }
    say("what it prints is lost, error", process->image, GetLastError());
    if (write_end != INVALID_HANDLE_VALUE)
        CloseHandle(write_end);
    close_output(output);
    return NULL;
}

/* What was printed until now is written, and all of a process that has ended. The caller holds the lock, which is given up
 * meanwhile. */
void drain_outputs(void)
{
    ULONGLONG deadline = now() + DRAIN_MS;
    struct output *output = outputs;

    while (output)
        if (!output->process->ended && WaitForSingleObject(output->event, 0) == WAIT_TIMEOUT)
            output = output->next;
        else if (wait_change(deadline))
            output = outputs;
        else
            return;
}
