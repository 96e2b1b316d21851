/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What every hook needs: the silo, handle slots, names moved into the silo, tracing. */
#ifndef WINESILO_SILO_H
#define WINESILO_SILO_H

#include <stdatomic.h>
#include <stdbool.h>

#include "audit.h"
#include "config.h"
#include "names.h"
#include "nt.h"
#include "shared.h"
#include "table.h"

extern struct config config;
extern struct silo_names names;
extern struct shared *shared;
extern _Atomic uint32_t own_pid; /* the Windows id of this process; 0 until it is known to be the silo's */

extern bool drivers_run_here; /* this is a winedevice.exe; set before Windows code runs */

/* ---- handle slots: what a hook knows about a handle of this process ---- */

enum slot_kind { SLOT_NONE, SLOT_KEY, SLOT_SOCKET, SLOT_NEW_SOCKET, SLOT_PIPE_ROOT, SLOT_DIRECTORY, SLOT_READER, SLOT_EVENT };

struct slot {
    _Atomic uint8_t kind;
    _Atomic uint8_t state; /* of the kind */
    uint16_t flags;
    _Atomic uint32_t generation; /* keys: when state was found */
    _Atomic uint32_t twin;       /* keys: the private key's handle that is used instead; 0: none */
    uint32_t extra;
    _Atomic uint32_t lower;      /* private keys: a handle of the base's key that shows through; see hook_registry.c */
    uint32_t node, serial;       /* keys: where in the index */
};

#define SLOT_NO_LOWER 0xffffffffu /* nothing shows through */

/* Chunks come into being as they are needed; together they cover every handle of the wineserver (24 bits of index). */
enum { SLOT_CHUNK = 4096, SLOT_CHUNKS = 4096 };
extern struct slot *_Atomic slot_chunks[SLOT_CHUNKS];

/* Handles of this process that another one has closed or made: what is known of them is forgotten. */
extern const _Atomic uint32_t *slots_changes; /* in the shared memory */
extern _Atomic uint32_t slots_seen;
void slots_catch_up(void);
void slots_watch(struct shared *memory);          /* at start */
void slots_tell(uint32_t pid, HANDLE handle);     /* pid 0: any process may be meant */

/* NULL: nothing is known of this handle */
static inline struct slot *slot_of(HANDLE handle)
{
    uintptr_t index = (uintptr_t)handle >> 2;
    struct slot *chunk;

    if (__builtin_expect(atomic_load_explicit(slots_changes, memory_order_acquire) !=
                             atomic_load_explicit(&slots_seen, memory_order_relaxed), 0))
        slots_catch_up();
    if (!index || index >= (uintptr_t)SLOT_CHUNK * SLOT_CHUNKS) return NULL;
    chunk = atomic_load_explicit(&slot_chunks[index / SLOT_CHUNK], memory_order_acquire);
    return chunk ? &chunk[index % SLOT_CHUNK] : NULL;
}

struct slot *slot_make(HANDLE handle); /* NULL: a pseudo handle, or no memory */

static inline enum slot_kind slot_kind(HANDLE handle)
{
    struct slot *slot = slot_of(handle);

    return slot ? (enum slot_kind)atomic_load_explicit(&slot->kind, memory_order_acquire) : SLOT_NONE;
}

void slot_set(HANDLE handle, enum slot_kind kind, unsigned int state, uint32_t generation);
void slot_clear(HANDLE handle); /* also closes the twin and the lower handle */

/* ---- names moved into the silo ---- */

/* of a directory object's slot: where it lies */
enum { DIRECTORY_OF_HOST = 1, DIRECTORY_OF_SILO = 2 };

/* An OBJECT_ATTRIBUTES with a name of our own; long names go to a buffer of the thread. */
struct moved {
    OBJECT_ATTRIBUTES attr;
    UNICODE_STRING name;
    const OBJECT_ATTRIBUTES *host; /* what to try if there is nothing of that name in the silo; NULL: nothing */
    struct span host_name;         /* the same as an absolute name, and what decided about it; for note_host() */
    struct name_edit host_edit;
    uint32_t entry;                /* of the record, see audit.h; 0: none */
    WCHAR text[480];
};

/* TO_READ: a file of Wine's own will do as well, see move_file */
enum purpose { TO_OPEN, TO_CREATE, TO_READ };

/* The attributes to use in place of attr: attr itself, which may be NULL, or m's with the name moved. *status
 * says whether that failed. Reads the caller's memory: hold no lock. */
const OBJECT_ATTRIBUTES *move_object(struct moved *m, const OBJECT_ATTRIBUTES *attr, const char *call,
                                     enum purpose purpose);
/* Was there nothing in the silo, and is m->host to be tried? */
void note_host(struct moved *m);
static inline bool try_host(struct moved *m, NTSTATUS status)
{
    if (!m->host || (status != STATUS_OBJECT_NAME_NOT_FOUND && status != STATUS_OBJECT_PATH_NOT_FOUND)) return false;
    note_host(m);
    return true;
}
/* classify_object, and what the catalogue of devices says */
enum name_class judge_object(struct span name, struct name_edit *edit);
/* Make something in the silo where names are the host's unless the silo has made one. False: the host has that name. */
bool claim_shared(const OBJECT_ATTRIBUTES *attr, struct span name, const struct name_edit *edit);
/* A name that is relative to a handle, for the record. */
void note_relative(const OBJECT_ATTRIBUTES *attr, enum audit_space space, enum audit_rule rule, enum purpose purpose);
/* m->attr = attr with a name in the silo's directory: name, which is attr's or an absolute one made from it, with
 * edit. False: it does not fit. */
bool move_to_silo(struct moved *m, const OBJECT_ATTRIBUTES *attr, struct span name, struct name_edit edit,
                  unsigned int buffer);
/* the name of a link's target, moved; NULL: refused. A long one goes to another buffer than move_object's. */
UNICODE_STRING *move_target(struct moved *m, UNICODE_STRING *target, const char *call);
bool name_of(const OBJECT_ATTRIBUTES *attr, struct span *name); /* false: it has none */
const OBJECT_ATTRIBUTES *move_file(struct moved *m, const OBJECT_ATTRIBUTES *attr, const char *call,
                                   enum purpose purpose, enum name_class *class_out, NTSTATUS *status);
const OBJECT_ATTRIBUTES *move_key(struct moved *m, const OBJECT_ATTRIBUTES *attr, const char *call);
/* the directory of objects that a handle stands for: see the states above; what is none counts as the silo's */
unsigned int directory_state(HANDLE root, bool ask);
bool is_of_type(HANDLE handle, const char *name); /* the type of an object: "Directory" */
/* The name of a pipe or mailslot with the silo's prefix, or what stands for it if it is too long, at out, which
 * has room for PIPE_NAME_LONG + 64 characters. Returns how long that is. */
size_t move_pipe_name(WCHAR *out, struct span name, enum audit_space space, enum purpose purpose);

/* what the silo calls what the host calls name: one after the other; false: the same */
struct shown {
    struct span part[2];
};
bool show_name(struct span name, struct shown *shown);
bool show_pipe(struct span name, struct shown *shown); /* the same, for a name that can only be a pipe's */
WCHAR *put_name(WCHAR *out, const struct shown *shown); /* returns the end */

/* a buffer of this thread for what does not fit on the stack; which is 0 or 1; NULL: no memory */
void *thread_buffer(unsigned int which);
enum { THREAD_BUFFER = 0x20000 };

/* Copy from memory of the caller's that the real call has the wineserver read, so that it fails there and not by a
 * fault; false: leave the call to it. */
bool capture(void *to, const void *from, size_t n);
/* Whether n bytes of the caller's memory can be written; they are, with what they are. False also where that can't be told, or
 * if there are more. */
enum { WRITABLE_MAX = 128 }; /* a SOCKADDR_STORAGE */
bool is_writable(void *at, size_t n);

/* ---- tracing: a line per redirected call, off unless the configuration names a file ---- */

extern int trace_fd;
void trace_line(const char *call, const char *what, struct span name);
#define TRACE(call, what, name) \
    do {                        \
        if (__builtin_expect(trace_fd >= 0, 0)) trace_line(call, what, name); \
    } while (0)

/* ---- critical sections that survive Wine's way of ending and suspending threads ---- */

struct quiet {
    uint64_t mask[16]; /* a sigset_t */
};
void quiet_begin(struct quiet *q); /* no asynchronous signal is handled until quiet_end */
void quiet_end(struct quiet *q);

/* ---- between hook files ---- */

void socket_closed(const struct slot *slot); /* its handle is closed */

HANDLE key_target(HANDLE key);          /* the handle to use for reading through key */
HANDLE key_target_writable(HANDLE key); /* the same for writing: copies the key up first */
/* another process may have made or closed this handle of a process: tell it */
void process_handle_changed(HANDLE process, HANDLE handle);
/* does the argument of IOCTL_CONDRV_BIND_PID name a process of the silo? */
bool console_is_ours(const void *in, ULONG size);
/* NtCreateSection of a file that is no image, with its name moved */
NTSTATUS create_file_section(HANDLE *section, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr, const LARGE_INTEGER *size,
                             ULONG protect, ULONG flags, HANDLE file);
/* NtDeviceIoControlFile with a code of the mount manager's type */
enum { MOUNT_MANAGER = 'm' };
NTSTATUS mount_manager_control(HANDLE handle, HANDLE event, PIO_APC_ROUTINE apc, void *apc_context, IO_STATUS_BLOCK *io,
                               ULONG code, void *in, ULONG in_size, void *out, ULONG out_size);
void process_register_self(void);       /* note this process as the silo's; any time after Wine's start */
bool process_exists(uint32_t pid);      /* for the silo */
bool thread_is_ours(uint32_t tid);
bool atom_is_ours(uint16_t atom);
void atom_is_used(uint16_t atom); /* as the name of a window class or property of the silo */

#endif
