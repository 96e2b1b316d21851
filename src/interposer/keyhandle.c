/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keyhandle.h"

#include <pthread.h>
#include <string.h>

#include "startup.h"
#include "teb.h"

#define NO_SERIAL 0xffffffffu

/* ---- this process ---- */

/* The wineserver's table of lower-case letters, in a file of Wine's: an offset, the upper-case letters, which begin with
 * their size, and the lower-case ones. ntdll.dll of a 64-bit program maps it while the process starts; before that it
 * is mapped here only if it is needed. */
static void find_case_table(bool needed)
{
    enum { NLS_CASE_MAP = 10 };
    void *table = NULL;
    uintptr_t size = 0;

    if (own_peb) memcpy(&table, own_peb + PEB_CASE_TABLE, sizeof(table));
    if (!table && (!needed || real_NtGetNlsSectionPtr(NLS_CASE_MAP, 0, NULL, &table, &size) || !table)) return;
    key_case_table = (const uint16_t *)table + 1 + ((const uint16_t *)table)[1] + 1;
}

static bool is_ascii(struct span name)
{
    size_t i;

    for (i = 0; i < name.n; i++)
        if (name.s[i] >= 0x80) return false;
    return true;
}

void keys_get_table(struct span name)
{
    if (__builtin_expect(!key_case_table, 0)) find_case_table(!is_ascii(name) || own_is_32bit);
}

/* Before ntdll.dll has begun there is no use in asking the wineserver for what it knows of the process. */
static bool windows_code_runs(void)
{
    void *loader_data = NULL;

    if (own_peb) memcpy(&loader_data, own_peb + PEB_LOADER_DATA, sizeof(loader_data));
    return loader_data;
}

void keys_get_ready(void)
{
    regtree_ready();
    if (__builtin_expect(!atomic_load_explicit(&own_pid, memory_order_relaxed), 0) && windows_code_runs())
        process_register_self();
}

/* ---- handles ---- */

/* The slot is filled for whoever looks at it without a lock: the state last. */
static void fill_slot(HANDLE key, enum key_state state, uint32_t generation, uint32_t node, uint32_t serial, HANDLE twin)
{
    struct slot *slot;

    slot_set(key, SLOT_KEY, KEY_BASE, generation - 1);
    if (!(slot = slot_of(key))) return;
    slot->node = node;
    slot->serial = serial;
    atomic_store_explicit(&slot->twin, (uint32_t)(uintptr_t)twin, memory_order_relaxed);
    atomic_store_explicit(&slot->generation, generation, memory_order_release);
    atomic_store_explicit(&slot->state, (uint8_t)state, memory_order_release);
}

void key_note(HANDLE key, enum key_state state, uint32_t generation, uint32_t node, uint32_t serial)
{
    fill_slot(key, state, generation, node, serial, NULL);
}

void walk_logical(struct span logical, struct key_walk *walk)
{
    for (;;) {
        const struct key_path path = from_root(logical);

        if (index_walk(INDEX, &path, WALK_OPEN_LINK, walk, NULL, 0)) return;
        regtree_wait();
    }
}

/* the private key at a path, opened for whoever has the handle key */
static NTSTATUS open_twin(HANDLE key, struct span logical, HANDLE *twin)
{
    NTSTATUS status = private_open(logical, granted_access(key), twin);

    return status == STATUS_OBJECT_NAME_NOT_FOUND ? STATUS_KEY_DELETED : status;
}

NTSTATUS key_is_gone(HANDLE key)
{
    HANDLE deleted = NULL;
    NTSTATUS status = regtree_deleted_key(granted_access(key), &deleted);

    if (!status) fill_slot(key, KEY_PRIVATE, regtree_generation(), 0, NO_SERIAL, deleted);
    return status;
}

/* A handle of a key of the base that was renamed, or deleted, or is below such a key: everything below a renamed key is
 * private. */
static NTSTATUS resolve_moved(HANDLE key, const struct key_trail *trail, uint32_t generation)
{
    CLEANUP(regpath_free) struct regpath path = { 0 };
    struct key_node node;
    HANDLE twin = NULL;

    if (!trail->exact || !index_peek(INDEX, trail->node, trail->serial, &node) || !is_private_kind(node.kind) ||
        !regtree_path(trail->node, trail->serial, &path) || open_twin(key, path_span(&path), &twin))
        return key_is_gone(key);
    fill_slot(key, KEY_PRIVATE, generation, trail->node, trail->serial, twin);
    return STATUS_SUCCESS;
}

/* A handle of the base's key: what is it in the silo? */
static NTSTATUS resolve_base(HANDLE key, struct span logical, const struct key_walk *walk, uint32_t generation)
{
    struct key_trail trail;
    HANDLE twin = NULL;
    NTSTATUS status;

    while (!index_trail(INDEX, logical, &trail)) regtree_wait();
    if (trail.left) return resolve_moved(key, &trail, generation);
    if (walk->place == PLACE_ABSENT) return key_is_gone(key);
    if (walk->place != PLACE_PRIVATE) {
        key_note(key, KEY_BASE, generation, walk->exact ? walk->node : 0, walk->exact ? walk->serial : 0);
        return STATUS_SUCCESS;
    }
    if ((status = open_twin(key, logical, &twin))) return status;
    fill_slot(key, KEY_PRIVATE, generation, walk->node, walk->serial, twin);
    return STATUS_SUCCESS;
}

static NTSTATUS resolve_locked(HANDLE key)
{
    CLEANUP(regpath_free) struct regpath name = { 0 };
    uint32_t generation = regtree_generation();
    struct key_walk walk;
    struct span logical;
    int tries;

    if (regkey_name(key, &name)) return STATUS_SUCCESS; /* not a key, or deleted: the real call says so */
    if (!regkey_logical(path_span(&name), &logical)) {
        key_note(key, KEY_FOREIGN, generation, 0, 0);
        return STATUS_SUCCESS;
    }
    for (tries = 0; tries < 2; tries++) {
        walk_logical(logical, &walk);
        if (!regkey_is_private(path_span(&name))) return resolve_base(key, logical, &walk, generation);
        if (walk.place == PLACE_PRIVATE && walk.exact) {
            key_note(key, KEY_PRIVATE, generation, walk.node, walk.serial);
            return STATUS_SUCCESS;
        }
        regtree_wait(); /* it is being made */
    }
    key_note(key, KEY_FOREIGN, generation, 0, 0);
    return STATUS_SUCCESS;
}

/* Which key does this handle mean now? Fills the slot. */
static NTSTATUS resolve(HANDLE key)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    NTSTATUS status = STATUS_SUCCESS;
    const struct slot *slot;
    struct quiet q;

    keys_get_ready();
    quiet_begin(&q);
    pthread_mutex_lock(&lock);
    slot = slot_of(key);
    /* another thread may have done it */
    if (!slot || slot->kind != SLOT_KEY || (slot->state == KEY_BASE && slot->generation != regtree_generation()))
        status = resolve_locked(key);
    pthread_mutex_unlock(&lock);
    quiet_end(&q);
    return status;
}

static inline HANDLE twin_or_self(const struct slot *slot, HANDLE key)
{
    uint32_t twin = atomic_load_explicit(&slot->twin, memory_order_relaxed);

    return twin ? (HANDLE)(uintptr_t)twin : key;
}

NTSTATUS key_for_reading(HANDLE *key, struct slot **slot)
{
    struct slot *s = *slot = slot_of(*key);
    NTSTATUS status;

    switch (s ? atomic_load_explicit(&s->kind, memory_order_acquire) : SLOT_NONE) {
    case SLOT_KEY:
        switch (atomic_load_explicit(&s->state, memory_order_acquire)) {
        case KEY_PRIVATE: *key = twin_or_self(s, *key); return STATUS_SUCCESS;
        case KEY_FOREIGN: return STATUS_SUCCESS;
        default:
            if (atomic_load_explicit(&s->generation, memory_order_relaxed) == regtree_generation()) return STATUS_SUCCESS;
        }
        break;
    case SLOT_NONE: break; /* inherited or duplicated from elsewhere */
    default: *slot = NULL; return STATUS_SUCCESS;
    }
    if ((status = resolve(*key))) return status;
    *slot = s = slot_of(*key);
    if (s && s->kind == SLOT_KEY) *key = twin_or_self(s, *key);
    else *slot = NULL;
    return STATUS_SUCCESS;
}

NTSTATUS key_own(HANDLE *key, ACCESS_MASK need)
{
    struct slot *slot;
    HANDLE original = *key;
    NTSTATUS status;
    int tries;

    for (tries = 0; tries < 4; tries++) {
        CLEANUP(regpath_free) struct regpath name = { 0 };
        struct span logical;

        *key = original;
        if ((status = key_for_reading(key, &slot))) return status;
        if (!slot || slot->state != KEY_BASE) return STATUS_SUCCESS;
        if (!(granted_access(original) & need)) return STATUS_SUCCESS;
        if ((status = regkey_name(original, &name))) return status;
        if (!regkey_logical(path_span(&name), &logical)) return STATUS_SUCCESS;
        TRACE("copy-up", "key", logical);
        status = regtree_copy_up(logical);
        if (status == STATUS_PREDEFINED_HANDLE) return STATUS_SUCCESS; /* the real call refuses to write to it */
        if (status) return status == STATUS_OBJECT_NAME_NOT_FOUND ? STATUS_KEY_DELETED : status;
    }
    return STATUS_ACCESS_DENIED; /* copied up and yet not private: never write to the base */
}

NTSTATUS key_for_writing(HANDLE *key, ACCESS_MASK need)
{
    HANDLE original = *key;
    NTSTATUS status = key_own(key, need);
    const struct slot *slot = slot_of(original);

    if (!status && slot && slot->kind == SLOT_KEY && slot->state == KEY_PRIVATE) regtree_written();
    return status;
}

HANDLE key_lower(struct slot *slot, const struct key_node *node)
{
    uint32_t lower = atomic_load_explicit(&slot->lower, memory_order_acquire), none = 0;
    CLEANUP(regpath_free) struct regpath path = { 0 };
    HANDLE opened = NULL;

    if (node->kind != KIND_MERGED) return NULL; /* it may have been merged before a rename */
    if (lower) return lower == SLOT_NO_LOWER ? NULL : (HANDLE)(uintptr_t)lower;
    if (!regtree_path(slot->node, slot->serial, &path) || base_open(path_span(&path), KEY_READ_ACCESS, &opened))
        opened = NULL;
    lower = opened ? (uint32_t)(uintptr_t)opened : SLOT_NO_LOWER;
    if (!atomic_compare_exchange_strong(&slot->lower, &none, lower)) {
        if (opened) real_NtClose(opened);
        lower = none;
    }
    return lower == SLOT_NO_LOWER ? NULL : (HANDLE)(uintptr_t)lower;
}

HANDLE key_target(HANDLE key)
{
    HANDLE use = key;
    struct slot *slot;

    return key_for_reading(&use, &slot) ? key : use;
}

HANDLE key_target_writable(HANDLE key)
{
    HANDLE use = key;

    return key_for_writing(&use, ~0u) ? key : use;
}
