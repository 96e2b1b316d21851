/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Memory that all processes of a silo share: a sparse file that the host's daemon makes
 * before each boot of the silo (src/winesilo/interposer/config.py has the same offsets). */
#ifndef WINESILO_SHARED_H
#define WINESILO_SHARED_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "keyindex.h"

#define SHARED_MAGIC "WSILO\0\0\1"

enum {
    SHARED_SIZE = 64 << 20,
    SHARED_PROCESSES = 65536,
    SHARED_CHANGES = 512,
    SHARED_LONG_NAMES = 16,
    SHARED_USER_HANDLES = 32744, /* windows and hooks of a wineserver: indices of 0x20, 0x22 ... 0xffee */
    SHARED_ATOMS = 16384,        /* from 0xc000 */
};

struct shared_process {
    _Atomic uint32_t pid;       /* Windows process id, 0: free */
    _Atomic uint32_t unix_pid;  /* in the host's pid namespace; 0 until the process runs */
    _Atomic uint64_t created;   /* creation time, 100 ns since 1601 */
};

/* a name that another one, made of its hash, stands for */
struct shared_name {
    _Atomic uint64_t hash; /* 0: being written */
    uint32_t n;
    WCHAR text[32768];
};

struct shared {
    char magic[8];
    uint64_t reserved;
    _Atomic uint64_t registry_writes; /* 16: the daemon saves the hive when this moves */
    _Atomic uint32_t generation;      /* 24: moves when a base key becomes private or hidden in the silo */
    _Atomic uint32_t lock_state;      /* 28: how far the lock is made, see regtree.c */
    pthread_mutex_t tree_lock;        /* robust, shared between processes */
    _Atomic uint32_t definitions; /* names made in the silo where it sees the host's too; 0: don't look there */
    _Atomic uint32_t long_names;  /* so far */
    uint8_t pad[20480 - 40 - sizeof(pthread_mutex_t)];
    _Atomic uint32_t handle_changes; /* 20480: how many entries were made in changed_handles */
    uint32_t pad2[15];
    struct {
        _Atomic uint32_t number;   /* of the change, from 1, once it is written */
        _Atomic uint32_t pid, handle;
    } changed_handles[SHARED_CHANGES];
    uint8_t pad3[32768 - 4096 - 16384 - 64 - 12 * SHARED_CHANGES];
    struct shared_process processes[SHARED_PROCESSES]; /* 32768: index (pid >> 2) % 65536 */
    struct shared_name long_name[SHARED_LONG_NAMES]; /* of pipes and mailslots, the last ones */
    _Atomic uint32_t user_handles[SHARED_USER_HANDLES]; /* whole handles that are known to be the silo's */
    _Atomic uint32_t atoms[SHARED_ATOMS];               /* how often the silo has added each; hook_atom.c */
    struct key_index keys;
};

_Static_assert(offsetof(struct shared, registry_writes) == 16, "known to the daemon");
_Static_assert(offsetof(struct shared, processes) == 32768, "known to the daemon");
_Static_assert(offsetof(struct shared, keys) == 2326688, "known to the daemon");
_Static_assert(sizeof(struct shared) <= SHARED_SIZE, "fits the file");

#endif
