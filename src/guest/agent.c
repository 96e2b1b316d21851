/* Frame loop of agent.exe: requests on standard input, replies on standard output.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Request: u32 length of what follows, u32 tag, u32 op, payload.
 * Reply:   u32 length of what follows, u32 tag, u32 status, payload.  Little endian. */

#include "agent.h"

#define MAX_FRAME (64u << 20)
#define WORKER_STACK (128 * 1024)
#define MAX_IDLE 8 /* threads kept for the next blocking request: making one costs a millisecond */

struct operation {
    DWORD (*run)(struct reader *in, struct buffer *out);
    BOOL may_block; /* runs on a thread of its own; the others run in the order they arrive */
};

/* Indexed by the op number of a request; 0 is HELLO, which only the agent sends. */
static const struct operation operations[] = {
    [1] = {op_silo_open, FALSE},
    [2] = {op_silo_close, FALSE},
    [3] = {op_hive_load, FALSE},
    [4] = {op_hive_save, FALSE},
    [5] = {op_hive_unload, FALSE},
    [6] = {op_wait_scm, TRUE},
    [7] = {op_pipe_open, TRUE},
    [8] = {op_pipe_write_read, TRUE},
    [9] = {op_pipe_write, TRUE},
    [10] = {op_pipe_read, TRUE},
    [11] = {op_pipe_close, FALSE},
    [12] = {op_processes, FALSE},
    [13] = {op_terminate, FALSE},
    [14] = {op_process_wait, TRUE},
    [15] = {op_key_get, FALSE},
    [16] = {op_key_set, FALSE},
    [17] = {op_handles, TRUE},
};

struct request {
    struct request *next;
    DWORD tag;
    const struct operation *op;
    DWORD size;
    BYTE payload[];
};

static HANDLE in_handle, out_handle;
static CRITICAL_SECTION out_lock;

static struct request *handed_over; /* requests that an idle worker was woken for */
static DWORD idle_workers;
static HANDLE work; /* semaphore: the number of requests in handed_over */
static CRITICAL_SECTION work_lock;

void *mem_alloc(SIZE_T size)
{
    return HeapAlloc(GetProcessHeap(), 0, size);
}

void mem_free(void *p)
{
    HeapFree(GetProcessHeap(), 0, p);
}

DWORD read_u32(struct reader *r)
{
    DWORD value;

    if (!r->ok || r->left < sizeof(value)) {
        r->ok = FALSE;
        return 0;
    }
    CopyMemory(&value, r->at, sizeof(value));
    r->at += sizeof(value);
    r->left -= sizeof(value);
    return value;
}

/* A NUL-terminated string; points into the request. */
const char *read_string(struct reader *r)
{
    const char *text = (const char *)r->at;
    DWORD i;

    for (i = 0; r->ok && i < r->left; i++) {
        if (text[i])
            continue;
        r->at += i + 1;
        r->left -= i + 1;
        return text;
    }
    r->ok = FALSE;
    return "";
}

BYTE *buffer_extend(struct buffer *b, DWORD size)
{
    DWORD needed = b->size + size;

    if (!b->ok || needed < size)
        return NULL;
    if (needed > b->capacity) {
        DWORD capacity = max(needed, b->capacity * 2);
        BYTE *data = b->data ? HeapReAlloc(GetProcessHeap(), 0, b->data, capacity) : mem_alloc(capacity);

        if (!data) {
            b->ok = FALSE;
            return NULL;
        }
        b->data = data;
        b->capacity = capacity;
    }
    b->size = needed;
    return b->data + needed - size;
}

void buffer_put(struct buffer *b, const void *data, DWORD size)
{
    BYTE *at = buffer_extend(b, size);

    if (at)
        CopyMemory(at, data, size);
}

void buffer_put_u32(struct buffer *b, DWORD value)
{
    buffer_put(b, &value, sizeof(value));
}

void buffer_free(struct buffer *b)
{
    if (b->data)
        mem_free(b->data);
}

NTSTATUS unicode_from_utf8(UNICODE_STRING *u, const char *text)
{
    int chars = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, NULL, 0);

    u->Buffer = NULL;
    if (chars <= 0 || chars > 0x7fff)
        return ST_OBJECT_NAME_INVALID;
    if (!(u->Buffer = mem_alloc(chars * sizeof(WCHAR))))
        return ST_NO_MEMORY;
    MultiByteToWideChar(CP_UTF8, 0, text, -1, u->Buffer, chars);
    u->MaximumLength = (USHORT)(chars * sizeof(WCHAR));
    u->Length = (USHORT)(u->MaximumLength - sizeof(WCHAR));
    return ST_SUCCESS;
}

/* `before`, the decimal `id` and `after`; all short constants of ours. */
NTSTATUS unicode_with_id(UNICODE_STRING *u, const char *before, DWORD id, const char *after)
{
    char digits[11], *digit = digits + sizeof(digits) - 1;
    NTSTATUS status;
    char *text;

    for (*digit = 0; id || !*digit; id /= 10)
        *--digit = (char)('0' + id % 10);
    u->Buffer = NULL;
    if (!(text = mem_alloc((SIZE_T)(lstrlenA(before) + lstrlenA(digit) + lstrlenA(after) + 1))))
        return ST_NO_MEMORY;
    lstrcpyA(text, before);
    lstrcatA(text, digit);
    lstrcatA(text, after);
    status = unicode_from_utf8(u, text);
    mem_free(text);
    return status;
}

/* Append UTF-16 text as UTF-8 with a terminating NUL. */
void put_utf8(struct buffer *b, const WCHAR *text, DWORD bytes)
{
    int chars = (int)(bytes / sizeof(WCHAR));
    int size = chars ? WideCharToMultiByte(CP_UTF8, 0, text, chars, NULL, 0, NULL, NULL) : 0;
    BYTE *at = buffer_extend(b, (DWORD)size + 1);

    if (!at)
        return;
    if (size)
        WideCharToMultiByte(CP_UTF8, 0, text, chars, (char *)at, size, NULL, NULL);
    at[size] = 0;
}

static BOOL read_all(void *data, DWORD size)
{
    BYTE *at = data;
    DWORD got;

    for (; size; at += got, size -= got)
        if (!ReadFile(in_handle, at, size, &got, NULL) || !got)
            return FALSE;
    return TRUE;
}

static void write_all(const void *data, DWORD size)
{
    const BYTE *at = data;
    DWORD done;

    for (; size; at += done, size -= done)
        if (!WriteFile(out_handle, at, size, &done, NULL) || !done)
            ExitProcess(0); /* nobody listens any more */
}

static void reply(DWORD tag, DWORD status, const struct buffer *out)
{
    DWORD head[3] = {8 + out->size, tag, status};

    EnterCriticalSection(&out_lock);
    write_all(head, sizeof(head));
    write_all(out->data, out->size);
    LeaveCriticalSection(&out_lock);
}

static void perform(struct request *request)
{
    struct reader in = {request->payload, request->size, TRUE};
    struct buffer out = {NULL, 0, 0, TRUE};
    DWORD status = request->op->run(&in, &out);

    if (!out.ok) {
        status = (DWORD)ST_NO_MEMORY;
        out.size = 0;
    }
    reply(request->tag, status, &out);
    buffer_free(&out);
    mem_free(request);
}

/* Wait for another request; NULL if enough threads are idle already. */
static struct request *next_request(void)
{
    struct request *request = NULL;
    BOOL stay;

    EnterCriticalSection(&work_lock);
    if ((stay = idle_workers < MAX_IDLE))
        idle_workers++;
    LeaveCriticalSection(&work_lock);
    if (!stay)
        return NULL;
    WaitForSingleObject(work, INFINITE);
    EnterCriticalSection(&work_lock);
    request = handed_over;
    handed_over = request->next;
    LeaveCriticalSection(&work_lock);
    return request;
}

static DWORD WINAPI worker(void *first)
{
    struct request *request;

    for (request = first; request; request = next_request())
        perform(request);
    return 0;
}

/* Give the request to an idle worker, if there is one. */
static BOOL hand_over(struct request *request)
{
    BOOL done;

    EnterCriticalSection(&work_lock);
    if ((done = idle_workers > 0)) {
        idle_workers--;
        request->next = handed_over;
        handed_over = request;
    }
    LeaveCriticalSection(&work_lock);
    if (done)
        ReleaseSemaphore(work, 1, NULL);
    return done;
}

static void dispatch(struct request *request)
{
    HANDLE thread;

    if (!request->op->may_block) {
        perform(request);
        return;
    }
    if (hand_over(request))
        return;
    thread = CreateThread(NULL, WORKER_STACK, worker, request, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    if (thread) {
        CloseHandle(thread);
        return;
    }
    reply(request->tag, (DWORD)ST_NO_MEMORY, &(struct buffer){0});
    mem_free(request);
}

/* Read requests until the other end closes or breaks the protocol. */
static void serve(void)
{
    DWORD head[3];

    while (read_all(head, sizeof(head))) {
        DWORD size = head[0] - 8;
        struct request *request;

        if (head[0] < 8 || head[0] > MAX_FRAME)
            return;
        if (!(request = mem_alloc(sizeof(*request) + size)))
            return;
        request->tag = head[1];
        request->size = size;
        if (!read_all(request->payload, size))
            return;
        if (head[2] < ARRAYSIZE(operations) && operations[head[2]].run) {
            request->op = &operations[head[2]];
            dispatch(request);
        } else {
            reply(request->tag, (DWORD)ST_NOT_IMPLEMENTED, &(struct buffer){0});
            mem_free(request);
        }
    }
}

static void say_hello(void)
{
    struct buffer out = {NULL, 0, 0, TRUE};
    DWORD session = 0;

    ProcessIdToSessionId(GetCurrentProcessId(), &session);
    buffer_put_u32(&out, PROTOCOL_VERSION);
    buffer_put_u32(&out, session);
    reply(0, 0, &out);
    buffer_free(&out);
}

/* The program's entry point: no C runtime is linked in. */
void WINAPI agent_entry(void)
{
    BOOLEAN was_enabled;

    in_handle = GetStdHandle(STD_INPUT_HANDLE);
    out_handle = GetStdHandle(STD_OUTPUT_HANDLE);
    InitializeCriticalSection(&out_lock);
    InitializeCriticalSection(&work_lock);
    work = CreateSemaphoreW(NULL, 0, MAXLONG, NULL);
    RtlAdjustPrivilege(SE_BACKUP, TRUE, FALSE, &was_enabled);
    RtlAdjustPrivilege(SE_RESTORE, TRUE, FALSE, &was_enabled);
    objects_init();
    pipes_init();
    say_hello();
    serve();
    ExitProcess(0);
}
