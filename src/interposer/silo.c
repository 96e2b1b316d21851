/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "silo.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

struct config config;
struct silo_names names;
struct shared *shared;
_Atomic uint32_t own_pid;
int trace_fd = -1;
struct slot *_Atomic slot_chunks[SLOT_CHUNKS];

/* ---- slots ---- */

struct slot *slot_make(HANDLE handle)
{
    uintptr_t index = (uintptr_t)handle >> 2;
    struct slot *chunk, *expected = NULL;

    if (!index || index >= (uintptr_t)SLOT_CHUNK * SLOT_CHUNKS) return NULL;
    if (slot_of(handle)) return slot_of(handle);
    chunk = mmap(NULL, SLOT_CHUNK * sizeof(*chunk), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (chunk == MAP_FAILED) return NULL;
    if (!atomic_compare_exchange_strong(&slot_chunks[index / SLOT_CHUNK], &expected, chunk))
        munmap(chunk, SLOT_CHUNK * sizeof(*chunk));
    return slot_of(handle);
}

/* close the handles that go with a slot's */
static void close_others(struct slot *slot)
{
    uint32_t twin, lower;

    if (!atomic_load_explicit(&slot->twin, memory_order_relaxed) && !atomic_load_explicit(&slot->lower, memory_order_relaxed))
        return;
    twin = atomic_exchange(&slot->twin, 0);
    lower = atomic_exchange(&slot->lower, 0);

    if (twin) real_NtClose((HANDLE)(uintptr_t)twin);
    if (lower && lower != SLOT_NO_LOWER) real_NtClose((HANDLE)(uintptr_t)lower);
}

void slot_set(HANDLE handle, enum slot_kind kind, unsigned int state, uint32_t generation)
{
    struct slot *slot = slot_make(handle);

    if (!slot) return;
    close_others(slot); /* left over from a handle that was closed behind our back */
    atomic_store_explicit(&slot->generation, generation, memory_order_relaxed);
    atomic_store_explicit(&slot->state, (uint8_t)state, memory_order_relaxed);
    slot->flags = 0;
    slot->extra = 0;
    slot->node = slot->serial = 0;
    atomic_store_explicit(&slot->kind, (uint8_t)kind, memory_order_release);
}

void slot_clear(HANDLE handle)
{
    struct slot *slot = slot_of(handle);

    if (!slot || !atomic_load_explicit(&slot->kind, memory_order_relaxed)) return;
    if (atomic_load_explicit(&slot->kind, memory_order_relaxed) == SLOT_SOCKET) socket_closed(slot);
    atomic_store_explicit(&slot->kind, SLOT_NONE, memory_order_release);
    close_others(slot);
}

/* ---- handles that other processes change ---- */

static const _Atomic uint32_t no_changes;
const _Atomic uint32_t *slots_changes = &no_changes;
_Atomic uint32_t slots_seen;

void slots_watch(struct shared *memory)
{
    atomic_store(&slots_seen, atomic_load(&memory->handle_changes));
    slots_changes = &memory->handle_changes;
}

/* The number is written last: a reader that does not find it forgets all it can. */
void slots_tell(uint32_t pid, HANDLE handle)
{
    uint32_t number = atomic_fetch_add(&shared->handle_changes, 1) + 1, i = number % SHARED_CHANGES;

    atomic_store(&shared->changed_handles[i].number, 0);
    atomic_store(&shared->changed_handles[i].pid, pid);
    atomic_store(&shared->changed_handles[i].handle, (uint32_t)(uintptr_t)handle);
    atomic_store(&shared->changed_handles[i].number, number);
}

/* What is known of a socket can't be asked again; of most others it can at any time. */
static bool can_be_asked_again(enum slot_kind kind)
{
    return kind == SLOT_KEY || kind == SLOT_DIRECTORY || kind == SLOT_NEW_SOCKET || kind == SLOT_EVENT;
}

static void forget_all(void)
{
    unsigned int i, j;

    for (i = 0; i < SLOT_CHUNKS; i++) {
        struct slot *chunk = atomic_load(&slot_chunks[i]);

        for (j = 0; chunk && j < SLOT_CHUNK; j++)
            if (can_be_asked_again(chunk[j].kind))
                slot_clear((HANDLE)((uintptr_t)(i * SLOT_CHUNK + j) << 2));
    }
}

void slots_catch_up(void)
{
    uint32_t from = atomic_load(&slots_seen), to = atomic_load(slots_changes), n;
    bool lost = to - from > SHARED_CHANGES / 2 || !atomic_load(&own_pid);

    atomic_store(&slots_seen, to); /* first: clearing a slot looks at slots too */
    for (n = from + 1; !lost && n != to + 1; n++) {
        uint32_t i = n % SHARED_CHANGES, pid, handle;

        pid = atomic_load(&shared->changed_handles[i].pid);
        handle = atomic_load(&shared->changed_handles[i].handle);
        lost = atomic_load(&shared->changed_handles[i].number) != n;
        if (!lost && (!pid || pid == atomic_load(&own_pid))) slot_clear((HANDLE)(uintptr_t)handle);
    }
    if (lost) forget_all();
}

/* ---- buffers of a thread ---- */

static __thread void *buffers[2];
static pthread_key_t buffers_key;
static pthread_once_t buffers_once = PTHREAD_ONCE_INIT;

static void free_buffers(void *arg)
{
    unsigned int i;

    (void)arg;
    for (i = 0; i < 2; i++)
        if (buffers[i]) munmap(buffers[i], THREAD_BUFFER);
    buffers[0] = buffers[1] = NULL;
}

static void make_buffers_key(void)
{
    pthread_key_create(&buffers_key, free_buffers);
}

void *thread_buffer(unsigned int which)
{
    void *p = buffers[which];

    if (p) return p;
    pthread_once(&buffers_once, make_buffers_key);
    p = mmap(NULL, THREAD_BUFFER, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return NULL;
    buffers[which] = p;
    pthread_setspecific(buffers_key, buffers);
    return p;
}

bool capture(void *to, const void *from, size_t n)
{
    const struct iovec own = { to, n }, theirs = { (void *)from, n };
    ssize_t got = process_vm_readv(getpid(), &own, 1, &theirs, 1, 0);

    if (got >= 0 || errno == EFAULT) return got == (ssize_t)n;
    memcpy(to, from, n); /* forbidden in this container */
    return true;
}

bool is_writable(void *at, size_t n)
{
    uint8_t own[WRITABLE_MAX];
    const struct iovec here = { own, n }, there = { at, n };

    return n <= sizeof(own) && capture(own, at, n) && process_vm_writev(getpid(), &here, 1, &there, 1, 0) == (ssize_t)n;
}

/* ---- tracing ---- */

void trace_line(const char *call, const char *what, struct span name)
{
    char line[512];
    size_t n = 0, i;
    uint32_t pid = (uint32_t)getpid();
    char digits[12];
    int d = 0;

    do digits[d++] = (char)('0' + pid % 10);
    while ((pid /= 10));
    while (d) line[n++] = digits[--d];
    line[n++] = '\t';
    while (*call && n < 64) line[n++] = *call++;
    line[n++] = '\t';
    while (*what && n < 96) line[n++] = *what++;
    line[n++] = '\t';
    for (i = 0; i < name.n && n < sizeof(line) - 1; i++)
        line[n++] = name.s[i] >= 0x20 && name.s[i] < 0x7f ? (char)name.s[i] : '?';
    line[n++] = '\n';
    if (write(trace_fd, line, n) < 0) return; /* a full disk must not change what the program sees */
}

/* ---- quiet sections ---- */

void quiet_begin(struct quiet *q)
{
    /* what Wine uses to suspend, end and interrupt threads (its server_block_set and SIGQUIT, SIGTERM) */
    static const int blocked[] = { SIGALRM, SIGIO, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD, SIGQUIT, SIGTERM };
    sigset_t set;
    unsigned int i;

    _Static_assert(sizeof(sigset_t) <= sizeof(q->mask), "a sigset_t fits");
    sigemptyset(&set);
    for (i = 0; i < sizeof(blocked) / sizeof(blocked[0]); i++) sigaddset(&set, blocked[i]);
    pthread_sigmask(SIG_BLOCK, &set, (sigset_t *)q->mask);
}

void quiet_end(struct quiet *q)
{
    pthread_sigmask(SIG_SETMASK, (sigset_t *)q->mask, NULL);
}
