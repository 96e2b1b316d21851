/* Message pipes that the Python side opens through the agent.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads and writes run on threads of their own and wait for the I/O or for the pipe's `closing`
 * event, so PIPE_CLOSE ends them. */

#include "agent.h"

#define MAX_MESSAGE (32u << 20)
#define CHUNK 65536u

struct pipe {
    struct pipe *next;
    DWORD number;
    LONG refs;
    HANDLE handle;
    HANDLE closing;
};

static struct pipe *pipes;
static DWORD last_number;
static CRITICAL_SECTION pipes_lock;

void pipes_init(void)
{
    InitializeCriticalSection(&pipes_lock);
}

static void pipe_release(struct pipe *pipe)
{
    if (InterlockedDecrement(&pipe->refs))
        return;
    CloseHandle(pipe->handle);
    CloseHandle(pipe->closing);
    mem_free(pipe);
}

static struct pipe *pipe_grab(DWORD number)
{
    struct pipe *pipe;

    EnterCriticalSection(&pipes_lock);
    for (pipe = pipes; pipe && pipe->number != number; pipe = pipe->next)
        ;
    if (pipe)
        InterlockedIncrement(&pipe->refs);
    LeaveCriticalSection(&pipes_lock);
    return pipe;
}

static struct pipe *pipe_add(HANDLE handle)
{
    struct pipe *pipe = mem_alloc(sizeof(*pipe));

    if (!pipe)
        return NULL;
    pipe->refs = 1;
    pipe->handle = handle;
    if (!(pipe->closing = CreateEventW(NULL, TRUE, FALSE, NULL))) {
        mem_free(pipe);
        return NULL;
    }
    EnterCriticalSection(&pipes_lock);
    pipe->number = ++last_number;
    pipe->next = pipes;
    pipes = pipe;
    LeaveCriticalSection(&pipes_lock);
    return pipe;
}

/* Open `path`, waiting up to `timeout` ms for the pipe to exist and to have a free instance. */
static DWORD open_pipe(const WCHAR *path, DWORD timeout, HANDLE *handle)
{
    const DWORD poll_ms = 10; /* nothing signals that a pipe was created */
    ULONGLONG deadline = GetTickCount64() + timeout;
    DWORD mode = PIPE_READMODE_MESSAGE, error;

    for (;;) {
        ULONGLONG now;

        *handle = CreateFileW(path, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING,
                              FILE_FLAG_OVERLAPPED, NULL);
        if (*handle != INVALID_HANDLE_VALUE)
            break;
        error = GetLastError();
        now = GetTickCount64();
        if (now >= deadline)
            return error;
        if (error == ERROR_PIPE_BUSY)
            WaitNamedPipeW(path, (DWORD)(deadline - now));
        else if (error == ERROR_FILE_NOT_FOUND)
            Sleep(poll_ms);
        else
            return error;
    }
    if (SetNamedPipeHandleState(*handle, &mode, NULL, NULL))
        return 0;
    error = GetLastError();
    CloseHandle(*handle);
    return error;
}

DWORD op_pipe_open(struct reader *in, struct buffer *out)
{
    static const char prefix[] = "\\\\.\\pipe\\";
    DWORD timeout = read_u32(in), error;
    const char *name = read_string(in);
    UNICODE_STRING path;
    struct pipe *pipe;
    HANDLE handle;
    char *text;

    if (!in->ok || !(text = mem_alloc(sizeof(prefix) + lstrlenA(name))))
        return ERROR_INVALID_PARAMETER;
    lstrcpyA(text, prefix);
    lstrcatA(text, name);
    error = unicode_from_utf8(&path, text) < 0 ? ERROR_INVALID_NAME : open_pipe(path.Buffer, timeout, &handle);
    mem_free(path.Buffer);
    mem_free(text);
    if (error)
        return error;
    if (!(pipe = pipe_add(handle))) {
        CloseHandle(handle);
        return ERROR_OUTOFMEMORY;
    }
    buffer_put_u32(out, pipe->number);
    return 0;
}

DWORD op_pipe_close(struct reader *in, struct buffer *out)
{
    DWORD number = read_u32(in);
    struct pipe **link, *pipe = NULL;

    (void)out;
    EnterCriticalSection(&pipes_lock);
    for (link = &pipes; *link; link = &(*link)->next)
        if ((*link)->number == number) {
            pipe = *link;
            *link = pipe->next;
            break;
        }
    LeaveCriticalSection(&pipes_lock);
    if (!pipe)
        return ERROR_INVALID_HANDLE;
    SetEvent(pipe->closing);
    pipe_release(pipe);
    return 0;
}

/* Wait for started I/O; *moved counts the bytes, also of a message that was longer than the buffer. */
static DWORD finish(struct pipe *pipe, BOOL started, OVERLAPPED *io, DWORD *moved)
{
    HANDLE handles[2];

    if (!started && GetLastError() != ERROR_IO_PENDING && GetLastError() != ERROR_MORE_DATA)
        return GetLastError();
    handles[0] = io->hEvent;
    handles[1] = pipe->closing;
    if (WaitForMultipleObjects(2, handles, FALSE, INFINITE) != WAIT_OBJECT_0)
        CancelIoEx(pipe->handle, io);
    return GetOverlappedResult(pipe->handle, io, moved, TRUE) ? 0 : GetLastError();
}

static DWORD write_message(struct pipe *pipe, HANDLE event, const BYTE *data, DWORD size)
{
    OVERLAPPED io = {.hEvent = event};
    DWORD done, error;

    error = finish(pipe, WriteFile(pipe->handle, data, size, NULL, &io), &io, &done);
    return error ? error : done == size ? 0 : ERROR_WRITE_FAULT;
}

/* Read one whole message, however long, up to `limit` bytes; ERROR_MORE_DATA if it is longer. */
static DWORD read_message(struct pipe *pipe, HANDLE event, DWORD limit, struct buffer *out)
{
    DWORD error;

    do {
        OVERLAPPED io = {.hEvent = event};
        DWORD room = min(CHUNK, limit - out->size), before = out->size, got = 0;
        BYTE *at = buffer_extend(out, room);

        if (!at)
            return ERROR_OUTOFMEMORY;
        error = finish(pipe, ReadFile(pipe->handle, at, room, NULL, &io), &io, &got);
        out->size = before + got;
    } while (error == ERROR_MORE_DATA && out->size < limit);
    return error;
}

/* Run a write, a read or both on the pipe whose number the request begins with. */
static DWORD transfer(struct reader *in, struct buffer *out, BOOL writes, DWORD limit, DWORD number)
{
    struct pipe *pipe = pipe_grab(number);
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
    DWORD error = 0;

    if (!pipe)
        error = ERROR_INVALID_HANDLE;
    else if (!event)
        error = ERROR_OUTOFMEMORY;
    if (!error && writes)
        error = write_message(pipe, event, in->at, in->left);
    if (!error && limit)
        error = read_message(pipe, event, limit, out);
    if (event)
        CloseHandle(event);
    if (pipe)
        pipe_release(pipe);
    return error;
}

DWORD op_pipe_write_read(struct reader *in, struct buffer *out)
{
    DWORD number = read_u32(in);

    return in->ok ? transfer(in, out, TRUE, MAX_MESSAGE, number) : ERROR_INVALID_PARAMETER;
}

DWORD op_pipe_write(struct reader *in, struct buffer *out)
{
    DWORD number = read_u32(in);

    return in->ok ? transfer(in, out, TRUE, 0, number) : ERROR_INVALID_PARAMETER;
}

DWORD op_pipe_read(struct reader *in, struct buffer *out)
{
    DWORD number = read_u32(in), limit = read_u32(in);

    if (!in->ok)
        return ERROR_INVALID_PARAMETER;
    return transfer(in, out, FALSE, limit && limit < MAX_MESSAGE ? limit : MAX_MESSAGE, number);
}
