/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "silo.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
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

void slot_set(HANDLE handle, enum slot_kind kind, unsigned int state, uint32_t generation)
{
    struct slot *slot = slot_make(handle);
    uint32_t twin;

    if (!slot) return;
    twin = atomic_exchange(&slot->twin, 0); /* left over from a handle that was closed behind our back */
    atomic_store(&slot->generation, generation);
    atomic_store(&slot->state, (uint8_t)state);
    slot->flags = 0;
    slot->extra = 0;
    atomic_store_explicit(&slot->kind, (uint8_t)kind, memory_order_release);
    if (twin) real_NtClose((HANDLE)(uintptr_t)twin);
}

void slot_clear(HANDLE handle)
{
    struct slot *slot = slot_of(handle);
    uint32_t twin;

    if (!slot || !atomic_load_explicit(&slot->kind, memory_order_relaxed)) return;
    atomic_store(&slot->kind, SLOT_NONE);
    twin = atomic_exchange(&slot->twin, 0);
    if (twin) real_NtClose((HANDLE)(uintptr_t)twin);
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

/* What is known of a key or directory can be asked again at any time; of a socket it can't. */
static void forget_all(void)
{
    unsigned int i, j;

    for (i = 0; i < SLOT_CHUNKS; i++) {
        struct slot *chunk = atomic_load(&slot_chunks[i]);

        for (j = 0; chunk && j < SLOT_CHUNK; j++)
            if (chunk[j].kind == SLOT_KEY || chunk[j].kind == SLOT_DIRECTORY)
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

/* ---- names ---- */

/* m->attr = attr with name[0..head) + prefix + name[tail..). False: the name does not fit an UNICODE_STRING. */
static bool move_name(struct moved *m, const OBJECT_ATTRIBUTES *attr, struct span name, struct name_edit edit,
                      const WCHAR *prefix, size_t prefix_n, unsigned int buffer)
{
    size_t n = edit.head + prefix_n + (name.n - edit.tail);
    WCHAR *out = m->text;

    if (n > 0x7ffe) return false;
    if (n > sizeof(m->text) / sizeof(m->text[0]) && !(out = thread_buffer(buffer))) return false;
    memcpy(out, name.s, edit.head * sizeof(WCHAR));
    memcpy(out + edit.head, prefix, prefix_n * sizeof(WCHAR));
    memcpy(out + edit.head + prefix_n, name.s + edit.tail, (name.n - edit.tail) * sizeof(WCHAR));
    m->attr = *attr;
    m->attr.ObjectName = &m->name;
    m->name.Buffer = out;
    m->name.Length = m->name.MaximumLength = (uint16_t)(n * sizeof(WCHAR));
    return true;
}

/* the name in attr, if there is one that could be absolute or relative; reads the caller's memory */
static bool name_of(const OBJECT_ATTRIBUTES *attr, struct span *name)
{
    const UNICODE_STRING *us;

    if (!attr || attr->Length != sizeof(*attr) || !(us = attr->ObjectName)) return false;
    if (!us->Buffer || us->Length < sizeof(WCHAR)) return false;
    if ((us->Length | (uintptr_t)us->Buffer) & 1) return false; /* an error that the real call reports */
    name->s = us->Buffer;
    name->n = us->Length / sizeof(WCHAR);
    return true;
}

/* Where a handle that names are relative to lies. Object calls ask for what they do not know; a file call's
 * root is nearly always a folder, and no directory object is opened unseen. */
static unsigned int directory_state(HANDLE root, bool ask)
{
    OBJECT_NAME_INFORMATION *info;
    struct slot *slot = slot_of(root);
    struct span name;
    unsigned int state = DIRECTORY_OF_HOST;

    if (slot && slot->kind != SLOT_NONE) return slot->kind == SLOT_DIRECTORY ? slot->state : DIRECTORY_OF_SILO;
    if (!ask || !(info = thread_buffer(1))) return DIRECTORY_OF_SILO;
    if (real_NtQueryObject(root, ObjectNameInformation, info, THREAD_BUFFER, NULL)) return DIRECTORY_OF_SILO;
    name = (struct span){ info->Name.Buffer, info->Name.Length / sizeof(WCHAR) };
    if (span_has_prefix(name, names.object_root, names.object_root_n)) state = DIRECTORY_OF_SILO;
    slot_set(root, SLOT_DIRECTORY, state, 0);
    return state;
}

/* The absolute name that attr means, if it is absolute or relative to a directory of the host (then it is put
 * together in a buffer of the thread). Reads the caller's memory. */
static bool absolute_name(const OBJECT_ATTRIBUTES *attr, bool ask, struct span *name)
{
    OBJECT_NAME_INFORMATION *info;
    WCHAR *out;
    size_t n;

    if (!name_of(attr, name)) return false;
    if (!attr->RootDirectory) return name->s[0] == '\\';
    if (directory_state(attr->RootDirectory, ask) != DIRECTORY_OF_HOST) return false;
    if (name->s[0] == '\\' || !(info = thread_buffer(1))) return false;
    if (real_NtQueryObject(attr->RootDirectory, ObjectNameInformation, info, THREAD_BUFFER / 2, NULL)) return false;
    out = (WCHAR *)(info + 1);
    n = info->Name.Length / sizeof(WCHAR);
    if (n && info->Name.Buffer != out) return false;
    if (!n || out[n - 1] != '\\') out[n++] = '\\';
    if ((n + name->n) * sizeof(WCHAR) > THREAD_BUFFER - sizeof(*info)) return false;
    memcpy(out + n, name->s, name->n * sizeof(WCHAR));
    *name = (struct span){ out, n + name->n };
    return true;
}

static const OBJECT_ATTRIBUTES *move_object_in(struct moved *m, const OBJECT_ATTRIBUTES *attr, const char *call,
                                               unsigned int buffer)
{
    struct name_edit edit;
    struct span name;

    if (!absolute_name(attr, true, &name)) return attr;
    if (classify_object(name, &edit) != NAME_MOVED) return attr;
    if (!move_name(m, attr, name, edit, names.object_root, names.object_root_n, buffer)) return attr;
    m->attr.RootDirectory = NULL;
    TRACE(call, "object", name);
    return &m->attr;
}

const OBJECT_ATTRIBUTES *move_object(struct moved *m, const OBJECT_ATTRIBUTES *attr, const char *call)
{
    return move_object_in(m, attr, call, 0);
}

UNICODE_STRING *move_target(struct moved *m, UNICODE_STRING *target, const char *call)
{
    const OBJECT_ATTRIBUTES attr = { .Length = sizeof(attr), .ObjectName = target };
    const OBJECT_ATTRIBUTES *moved = move_object_in(m, &attr, call, 1);

    return moved->ObjectName;
}

bool object_is_refused(const OBJECT_ATTRIBUTES *attr, const char *call)
{
    struct name_edit edit;
    struct span name;

    if (!absolute_name(attr, true, &name) || classify_object(name, &edit) != NAME_REFUSED) return false;
    TRACE(call, "refused", name);
    return true;
}

bool object_is_device(const OBJECT_ATTRIBUTES *attr, const char *call)
{
    struct span name;

    if (!absolute_name(attr, true, &name) || !is_device_name(name)) return false;
    TRACE(call, "refused", name);
    return true;
}

const OBJECT_ATTRIBUTES *move_file(struct moved *m, const OBJECT_ATTRIBUTES *attr, const char *call,
                                   enum name_class *class_out, NTSTATUS *status)
{
    struct name_edit edit = { 0, 0 };
    struct span name;
    enum name_class class;

    *class_out = NAME_UNCHANGED;
    if (attr && attr->RootDirectory && slot_kind(attr->RootDirectory) == SLOT_PIPE_ROOT) {
        if (!name_of(attr, &name)) return attr;
        class = NAME_MOVED;
    }
    else {
        if (!absolute_name(attr, false, &name)) return attr;
        class = classify_file(name, &edit);
        /* a link or device among the named objects can be opened like a file */
        if (class == NAME_UNCHANGED && classify_object(name, &edit) == NAME_MOVED)
            return move_object(m, attr, call);
    }
    *class_out = class;
    if (class == NAME_UNCHANGED || class == NAME_PIPE_ROOT) return attr;
    if (class == NAME_REFUSED) {
        TRACE(call, "refused", name);
        *status = STATUS_OBJECT_PATH_NOT_FOUND;
        return NULL;
    }
    if (!move_name(m, attr, name, edit, names.pipe_prefix, names.pipe_prefix_n, 0)) {
        *status = STATUS_OBJECT_NAME_INVALID;
        return NULL;
    }
    if (edit.head) m->attr.RootDirectory = NULL; /* else it is the pipe device, whose names are relative */
    TRACE(call, "pipe", name);
    return &m->attr;
}

const OBJECT_ATTRIBUTES *move_key(struct moved *m, const OBJECT_ATTRIBUTES *attr, const char *call)
{
    struct name_edit edit;
    struct span name;

    if (!name_of(attr, &name) || attr->RootDirectory || name.s[0] != '\\') return attr;
    if (classify_key(name, &edit) != NAME_MOVED) return attr;
    if (!move_name(m, attr, name, edit, names.hive_root, names.hive_root_n, 0)) return attr;
    TRACE(call, "key", name);
    return &m->attr;
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
