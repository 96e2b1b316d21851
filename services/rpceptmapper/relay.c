/* See relay.h.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Both directions go on at once, so that neither a client that does not read nor a mapper that does not can block the other:
 * nothing here waits but for all of the events together. */
#include "relay.h"

#include <stdlib.h>

#include "pdu.h"

enum {
    BUSY_MS = 5000,   /* for the mapper to take a client */
    MISSING_MS = 500, /* for it to be there */
    AGAIN_MS = 10,    /* until the pipe is tried again */
    PART_MS = 30000,  /* for the rest of a PDU of which something has come */
    ANSWER_MS = 2000, /* for the answer to the first PDU of a client that has gone */
};

static const WCHAR pipe_name[] = L"\\\\.\\pipe\\epmapper";

struct half {
    OVERLAPPED operation; /* on the pipe */
    BOOL pending;
    DWORD size, done;     /* octets in data; of these, that were sent to the client */
    BYTE data[PDU_MAX];
};

struct relay {
    SOCKET client;
    HANDLE pipe, stop, socket_event;
    struct half in, out; /* from the client, from the pipe */
    BOOL answered;       /* something came from the pipe */
    ULONGLONG since;     /* when the PDU that is not whole began, 0: there is none */
};

/* What is written is a message, as the pipe is of that kind; what is read is a stream, as the client gets one. Between two
 * clients RpcSs may have no free pipe, or for a moment none at all. */
static HANDLE open_pipe(HANDLE stop)
{
    ULONGLONG begin = GetTickCount64();
    HANDLE pipe;
    DWORD limit;

    do {
        pipe = CreateFileW(pipe_name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, FILE_FLAG_OVERLAPPED, NULL);
        if (pipe != INVALID_HANDLE_VALUE)
            return pipe;
        limit = GetLastError() == ERROR_PIPE_BUSY ? BUSY_MS : GetLastError() == ERROR_FILE_NOT_FOUND ? MISSING_MS : 0;
    } while (GetTickCount64() - begin < limit && WaitForSingleObject(stop, AGAIN_MS) == WAIT_TIMEOUT);
    return INVALID_HANDLE_VALUE;
}

/* An operation on the pipe was begun, or could not be: the mapper has gone. */
static BOOL begun(struct half *half, BOOL good)
{
    return half->pending = good || GetLastError() == ERROR_IO_PENDING;
}

/* It has ended, or goes on. FALSE: the mapper has gone. */
static BOOL settle(struct relay *self, struct half *half, DWORD *n)
{
    if (!HasOverlappedIoCompleted(&half->operation))
        return TRUE;
    half->pending = FALSE;
    return GetOverlappedResult(self->pipe, &half->operation, n, FALSE);
}

/* ---- from the client to the pipe: a PDU is a message ---- */

/* The pipe is opened for the first PDU, not before: Wine's RpcSs (rpcrt4, rpc_transport.c: a pipe that can't be listened on is
 * given up) loses its only listening pipe to who opens it and goes before it has noticed. */
static BOOL send_on(struct relay *self)
{
    struct half *in = &self->in;

    if (self->pipe == INVALID_HANDLE_VALUE && (self->pipe = open_pipe(self->stop)) == INVALID_HANDLE_VALUE)
        return FALSE;
    self->since = 0;
    return begun(in, WriteFile(self->pipe, in->data, in->size, NULL, &in->operation));
}

/* No more than one PDU is taken from the socket at a time: its head, then the rest of it. */
static BOOL take_in(struct relay *self)
{
    struct half *in = &self->in;
    DWORD n;

    for (;;) {
        long whole;
        int got;

        if (in->pending) {
            if (!settle(self, in, &n))
                return FALSE;
            if (in->pending)
                return TRUE;
            in->size = 0;
        }
        if ((whole = pdu_size(in->data, in->size)) < 0)
            return FALSE;
        if (whole && in->size == (DWORD)whole) {
            if (!send_on(self))
                return FALSE;
            continue;
        }
        got = recv(self->client, (char *)in->data + in->size, (int)((whole ? (DWORD)whole : PDU_HEAD) - in->size), 0);
        if (got <= 0)
            return got < 0 && WSAGetLastError() == WSAEWOULDBLOCK;
        if (!in->size)
            self->since = GetTickCount64();
        in->size += (DWORD)got;
    }
}

/* ---- from the pipe to the client ---- */

static BOOL give_out(struct relay *self)
{
    struct half *out = &self->out;

    while (self->pipe != INVALID_HANDLE_VALUE) {
        int sent;

        if (out->pending) {
            if (!settle(self, out, &out->size))
                return FALSE;
            if (out->pending)
                return TRUE;
            out->done = 0;
            self->answered = TRUE;
        }
        while (out->done < out->size) {
            sent = send(self->client, (char *)out->data + out->done, (int)(out->size - out->done), 0);
            if (sent < 0)
                return WSAGetLastError() == WSAEWOULDBLOCK;
            out->done += (DWORD)sent;
        }
        if (!begun(out, ReadFile(self->pipe, out->data, sizeof(out->data), NULL, &out->operation)))
            return FALSE;
    }
    return TRUE;
}

/* ---- both ---- */

/* FALSE: it is over. */
static BOOL await(struct relay *self)
{
    HANDLE handles[4] = {self->stop, self->socket_event};
    ULONGLONG waited = self->since ? GetTickCount64() - self->since : 0;
    WSANETWORKEVENTS events;
    DWORD count = 2, woken;

    if (waited >= PART_MS)
        return FALSE;
    if (self->in.pending) /* the event of an operation that has ended stays set */
        handles[count++] = self->in.operation.hEvent;
    if (self->out.pending)
        handles[count++] = self->out.operation.hEvent;
    woken = WaitForMultipleObjects(count, handles, FALSE, self->since ? (DWORD)(PART_MS - waited) : INFINITE);
    if (woken == WAIT_OBJECT_0 || woken == WAIT_FAILED)
        return FALSE;
    /* A client that has gone ends it, also where something of it is left to read: nobody waits for the answer. */
    return !WSAEnumNetworkEvents(self->client, self->socket_event, &events) && !(events.lNetworkEvents & FD_CLOSE);
}

/* The memory is ours only once nothing goes on there. */
static void end_operation(struct relay *self, struct half *half)
{
    DWORD n;

    if (half->pending) {
        CancelIoEx(self->pipe, &half->operation);
        GetOverlappedResult(self->pipe, &half->operation, &n, TRUE);
    }
}

/* What was sent is answered first: see send_on(). */
static void close_pipe(struct relay *self)
{
    if (self->pipe == INVALID_HANDLE_VALUE)
        return;
    if (!self->answered && !self->out.pending)
        begun(&self->out, ReadFile(self->pipe, self->out.data, sizeof(self->out.data), NULL, &self->out.operation));
    if (!self->answered && self->out.pending)
        WaitForSingleObject(self->out.operation.hEvent, ANSWER_MS);
    end_operation(self, &self->in);
    end_operation(self, &self->out);
    CloseHandle(self->pipe);
}

void relay(SOCKET client, HANDLE stop)
{
    struct relay *self = calloc(1, sizeof(*self));

    if (!self)
        return;
    self->client = client;
    self->stop = stop;
    self->pipe = INVALID_HANDLE_VALUE;
    self->socket_event = WSACreateEvent();
    self->in.operation.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
    self->out.operation.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (self->socket_event && self->in.operation.hEvent && self->out.operation.hEvent &&
        !WSAEventSelect(client, self->socket_event, FD_READ | FD_WRITE | FD_CLOSE))
        while (take_in(self) && give_out(self) && await(self))
            ;
    close_pipe(self);
    if (self->out.operation.hEvent)
        CloseHandle(self->out.operation.hEvent);
    if (self->in.operation.hEvent)
        CloseHandle(self->in.operation.hEvent);
    if (self->socket_event)
        WSACloseEvent(self->socket_event);
    free(self);
}
