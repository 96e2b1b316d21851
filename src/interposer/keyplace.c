/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keyplace.h"

#include <pthread.h>
#include <string.h>

#define INDEX (&shared->keys)

enum { LINK_DEPTH = 32, NAME_CHARS = 0x7ffe };
#define NO_SERIAL 0xffffffffu

/* ---- this process ---- */

/* The wineserver's table of lower-case letters, in a file of Wine's: an offset, the upper-case letters, which begin with
 * their size, and the lower-case ones. */
static void find_case_table(void)
{
    enum { NLS_CASE_MAP = 10 };
    void *table = NULL;
    uintptr_t size = 0;

    if (real_NtGetNlsSectionPtr(NLS_CASE_MAP, 0, NULL, &table, &size) || !table) return;
    key_case_table = (const uint16_t *)table + 1 + ((const uint16_t *)table)[1] + 1;
}

static bool is_32bit(void)
{
    static _Atomic int known; /* 1: no, 2: yes */
    uintptr_t wow64 = 0;

    if (!known) {
        real_NtQueryInformationProcess((HANDLE)(intptr_t)-1, ProcessWow64Information, &wow64, sizeof(wow64), NULL);
        known = wow64 ? 2 : 1;
    }
    return known == 2;
}

static void get_ready(void)
{
    if (__builtin_expect(!key_case_table, 0)) find_case_table();
    regtree_ready();
    if (__builtin_expect(!atomic_load_explicit(&own_pid, memory_order_relaxed), 0)) process_register_self();
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
    atomic_store(&slot->twin, (uint32_t)(uintptr_t)twin);
    atomic_store(&slot->generation, generation);
    atomic_store_explicit(&slot->state, (uint8_t)state, memory_order_release);
}

void key_note(HANDLE key, enum key_state state, uint32_t generation, uint32_t node, uint32_t serial)
{
    fill_slot(key, state, generation, node, serial, NULL);
}

static struct key_path from_root(struct span name)
{
    return (struct key_path){ .start = INDEX_ROOT, .serial = INDEX->nodes[INDEX_ROOT].serial, .name = name };
}

/* what the index says of a path without links in it */
static void walk_logical(struct span logical, struct key_walk *walk)
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

/* A handle of the base's key: what is it in the silo? */
static NTSTATUS resolve_base(HANDLE key, struct span logical, const struct key_walk *walk, uint32_t generation)
{
    CLEANUP(regpath_free) struct regpath moved = { 0 };
    struct key_node node;
    HANDLE twin = NULL;
    NTSTATUS status;

    if (walk->place == PLACE_ABSENT && index_peek(INDEX, walk->node, walk->serial, &node) && node.moved &&
        regtree_path(node.moved, node.moved_serial, &moved)) {
        CLEANUP(regpath_free) struct regpath whole = { 0 };
        struct key_walk there;

        if (!regpath_join(&whole, path_span(&moved), (struct span){ logical.s + logical.n - walk->tail_n, walk->tail_n }))
            return STATUS_NO_MEMORY;
        walk_logical(path_span(&whole), &there);
        if (there.place == PLACE_PRIVATE && there.exact && !open_twin(key, path_span(&whole), &twin)) {
            fill_slot(key, KEY_PRIVATE, generation, there.node, there.serial, twin);
            return STATUS_SUCCESS;
        }
    }
    if (walk->place == PLACE_ABSENT || (walk->exact && walk->was_deleted)) {
        return key_is_gone(key);
    }
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

    get_ready();
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

/* ---- names ---- */

/* Walk, and put the path together behind room for a prefix. False: it is too long. */
static bool walk_and_write(struct place *place, const struct key_path *path, unsigned int how)
{
    struct key_walk *walk = &place->walk;
    size_t room = PLACE_TEXT - PLACE_PREFIX, n;

    place->text = place->small;
    for (;;) {
        if (!index_walk(INDEX, path, how, walk, place->text + PLACE_PREFIX, room)) {
            regtree_wait();
            continue;
        }
        n = walk->path_n + (walk->rest.n ? walk->rest.n + 1 : 0);
        if (walk->place == PLACE_LINK || walk->place == PLACE_LOST) return true;
        if (walk->path_fits && n <= room) break;
        if (place->text != place->small || !(place->text = thread_buffer(0))) return false;
        room = NAME_CHARS - PLACE_PREFIX;
    }
    if (walk->rest.n) {
        place->text[PLACE_PREFIX + walk->path_n] = '\\';
        memcpy(place->text + PLACE_PREFIX + walk->path_n + 1, walk->rest.s, walk->rest.n * sizeof(WCHAR));
    }
    while (n && place->text[PLACE_PREFIX + n - 1] == '\\') n--;
    place->logical = (struct span){ place->text + PLACE_PREFIX, n };
    return true;
}

/* The name behind a link: its target and what is left. Two halves of a buffer take turns. */
static NTSTATUS follow(const struct key_walk *walk, int turn, struct key_path *path)
{
    WCHAR *buffer = thread_buffer(1);
    struct name_edit edit;
    struct span whole;
    size_t n, target_n;

    if (!buffer) return STATUS_NO_MEMORY;
    buffer += (turn & 1) * (THREAD_BUFFER / 2 / sizeof(WCHAR));
    while (!index_target(INDEX, walk->node, walk->serial, buffer, NAME_CHARS, &n)) {
        struct key_node node;

        if (index_peek(INDEX, walk->node, walk->serial, &node)) return STATUS_OBJECT_NAME_NOT_FOUND; /* no target yet */
        if (!(atomic_load(&INDEX->sequence) & 1)) return STATUS_OBJECT_NAME_NOT_FOUND;
        regtree_wait();
    }
    target_n = n;
    if (n + walk->rest.n + 1 > NAME_CHARS) return STATUS_OBJECT_NAME_INVALID;
    if (walk->rest.n) {
        buffer[n++] = '\\';
        memcpy(buffer + n, walk->rest.s, walk->rest.n * sizeof(WCHAR));
        n += walk->rest.n;
    }
    whole = (struct span){ buffer, n };
    if (classify_key(whole, &edit) != NAME_MOVED) return STATUS_OBJECT_NAME_NOT_FOUND;
    *path = from_root((struct span){ buffer + edit.tail, n - edit.tail });
    path->plain = target_n - edit.tail;
    return STATUS_SUCCESS;
}

/* Put the prefix before the path, and make *attr name it. */
static bool write_attr(struct place *place, const OBJECT_ATTRIBUTES **attr, struct span prefix)
{
    WCHAR *begin = place->text + PLACE_PREFIX - prefix.n;
    size_t n = prefix.n + place->logical.n;

    if (n > NAME_CHARS) return false;
    memcpy(begin, prefix.s, prefix.n * sizeof(WCHAR));
    place->attr = **attr;
    place->attr.RootDirectory = NULL;
    place->attr.ObjectName = &place->name;
    place->name = (UNICODE_STRING){ (uint16_t)(n * sizeof(WCHAR)), (uint16_t)(n * sizeof(WCHAR)), begin };
    *attr = &place->attr;
    return true;
}

/* A private key's node was taken for another key: because the key was deleted, or the index was built anew. */
static bool find_node_again(HANDLE key, HANDLE use)
{
    CLEANUP(regpath_free) struct regpath name = { 0 };
    struct slot *slot = slot_of(key);
    struct key_walk walk;
    struct span logical;

    if (!slot || regkey_name(use, &name) || !regkey_logical(path_span(&name), &logical)) return false;
    walk_logical(logical, &walk);
    if (!walk.exact) return false;
    slot->node = walk.node;
    slot->serial = walk.serial;
    return true;
}

struct origin {
    struct key_path path;
    bool in_base; /* relative to a handle of the base's key */
    HANDLE root;  /* the handle to use */
};

/* The name relative to a key of the base, as an absolute one. */
static bool base_origin(struct origin *origin, NTSTATUS *status)
{
    CLEANUP(regpath_free) struct regpath root = { 0 };
    struct span logical, name = origin->path.name;
    WCHAR *text = thread_buffer(1);

    if (!text) *status = STATUS_NO_MEMORY;
    else *status = regkey_name(origin->root, &root);
    if (*status || !regkey_logical(path_span(&root), &logical)) return false;
    if (logical.n + name.n + 1 > NAME_CHARS) {
        *status = STATUS_OBJECT_NAME_INVALID;
        return false;
    }
    memcpy(text, logical.s, logical.n * sizeof(WCHAR));
    text[logical.n] = '\\';
    memcpy(text + logical.n + 1, name.s, name.n * sizeof(WCHAR));
    origin->path = from_root((struct span){ text, logical.n + 1 + name.n });
    origin->path.plain = logical.n; /* the key is what it is: no view takes its place */
    origin->in_base = true;
    return true;
}

/* Nothing outside of \Registry is a key, unless a link leads to one, which no rule knows. */
static void note_stranger(const OBJECT_ATTRIBUTES *attr, struct span name)
{
    HANDLE key;

    if (!NT_SUCCESS(real_NtOpenKeyEx(&key, KEY_QUERY_VALUE, attr, 0))) return;
    real_NtClose(key);
    audit_name(AUDIT_KEY, AUDIT_UNDECLARED, RULE_NONE, AUDIT_OPENED, name.s, name.n * sizeof(WCHAR));
}

/* Where does the walk begin? False: the name does not lead into the registry's tree, or *status says why not. */
static bool find_origin(const OBJECT_ATTRIBUTES *attr, struct origin *origin, bool whole, NTSTATUS *status)
{
    const UNICODE_STRING *us = attr->ObjectName;
    struct span name = { us->Buffer, us->Length / sizeof(WCHAR) };
    struct name_edit edit;
    struct slot *slot;

    *origin = (struct origin){ .root = attr->RootDirectory, .path.name = name };
    if (us->Length & 1) return false;
    if (!attr->RootDirectory) {
        if (!name.n || name.s[0] != '\\') return false;
        if (classify_key(name, &edit) != NAME_MOVED) {
            note_stranger(attr, name);
            return false;
        }
        get_ready();
        origin->path = from_root((struct span){ name.s + edit.tail, name.n - edit.tail });
        return true;
    }
    if ((*status = key_for_reading(&origin->root, &slot)) || !slot) return false;
    if (slot->state == KEY_FOREIGN || (name.n && name.s[0] == '\\')) return false;
    if (slot->state == KEY_BASE && !slot->node) return whole && base_origin(origin, status);
    origin->path.start = slot->node;
    origin->path.serial = slot->serial;
    origin->in_base = slot->state == KEY_BASE;
    return true;
}

NTSTATUS place_in_hive(struct place *place, const OBJECT_ATTRIBUTES **attr, HANDLE *parent)
{
    HANDLE root = (*attr)->RootDirectory;
    struct span name = last_component(place->logical);
    struct slot *slot;
    NTSTATUS status;

    *parent = NULL;
    if (!root) return write_attr(place, attr, hive_span()) ? STATUS_SUCCESS : STATUS_OBJECT_NAME_INVALID;
    if ((status = key_for_reading(&root, &slot))) return status;
    place->attr = **attr;
    if (!place->direct || !slot || slot->state != KEY_PRIVATE) {
        if ((status = private_open(parent_path(place->logical), KEY_ALL_ACCESS, parent))) return status;
        root = *parent;
        place->attr.ObjectName = &place->name;
        place->name = (UNICODE_STRING){ (uint16_t)(name.n * sizeof(WCHAR)), (uint16_t)(name.n * sizeof(WCHAR)),
                                        (WCHAR *)name.s };
    }
    place->attr.RootDirectory = root;
    *attr = &place->attr;
    return STATUS_SUCCESS;
}

/* For a 32-bit program: what is not in the 32-bit part of Software\Classes is next to it. True: look there. */
static bool is_elsewhere(const struct place *place, struct key_path *path)
{
    const struct key_walk *walk = &place->walk;
    struct span upto = { place->text + PLACE_PREFIX, walk->path_n + 1 };
    CLEANUP(close_handle) HANDLE there = NULL;
    struct key_node share, above;
    NTSTATUS status;

    while (upto.n < place->logical.n && upto.s[upto.n] != '\\') upto.n++;
    status = base_open(upto, KEY_QUERY_VALUE, &there);
    if (status != STATUS_OBJECT_NAME_NOT_FOUND || !index_peek(INDEX, walk->node, walk->serial, &share) ||
        !index_peek(INDEX, share.parent, INDEX->nodes[share.parent].serial, &above))
        return false;
    *path = (struct key_path){ .start = share.parent, .serial = above.serial, .name = walk->rest };
    return true;
}

/* Walk the name, through links. Like place_find(). */
static NTSTATUS find_path(struct place *place, const OBJECT_ATTRIBUTES *asked, struct origin *origin, unsigned int flags,
                          unsigned int how)
{
    NTSTATUS status = STATUS_SUCCESS;
    int links = 0, tries = 0;
    bool elsewhere = false;

    place->ours = find_origin(asked, origin, flags & PLACE_WHOLE, &status);
    while (place->ours) {
        if (!walk_and_write(place, &origin->path, how)) return STATUS_OBJECT_NAME_INVALID;
        if (place->walk.place == PLACE_LINK) {
            if (++links > LINK_DEPTH) return STATUS_INVALID_PARAMETER;
            if ((status = follow(&place->walk, links, &origin->path))) return status;
            how &= ~(unsigned int)WALK_NOT_HERE;
        }
        else if (place->walk.place == PLACE_LOST) { /* the key was deleted: the real call says so */
            place->ours = !links && !tries++ && find_node_again(asked->RootDirectory, origin->root) &&
                          find_origin(asked, origin, flags & PLACE_WHOLE, &status);
        }
        else if (place->walk.ask_base && !elsewhere && is_elsewhere(place, &origin->path)) {
            how |= WALK_NOT_HERE;
            elsewhere = true;
        }
        else break;
    }
    place->direct = !links && !elsewhere && !place->walk.redirected;
    return status;
}

NTSTATUS place_find(struct place *place, const OBJECT_ATTRIBUTES **attr, ACCESS_MASK *access, unsigned int flags,
                    const char *call)
{
    unsigned int how = (flags & PLACE_OPEN_LINK ? WALK_OPEN_LINK : 0) | (is_32bit() && !(*access & KEY_WOW64_64KEY) ? WALK_32BIT : 0);
    const OBJECT_ATTRIBUTES *asked = *attr;
    struct origin origin;
    NTSTATUS status;

    place->ours = false;
    memset(&place->walk, 0, sizeof(place->walk));
    if (!asked || asked->Length != sizeof(*asked) || !asked->ObjectName) return STATUS_SUCCESS;
    if ((status = find_path(place, asked, &origin, flags, how))) return status;
    if (!place->ours) {
        if (origin.root == asked->RootDirectory) return STATUS_SUCCESS;
        place->attr = *asked;
        place->attr.RootDirectory = origin.root;
        *attr = &place->attr;
        return STATUS_SUCCESS;
    }
    TRACE(call, place->walk.place == PLACE_BASE ? "base" : "private", place->logical);
    if (how & WALK_32BIT) *access |= KEY_WOW64_64KEY; /* the wineserver must not do it again */
    if (place->walk.place == PLACE_BASE && place->direct && (!asked->RootDirectory || origin.in_base)) return STATUS_SUCCESS;
    if (!write_attr(place, attr, place->walk.place == PLACE_BASE ? base_span() : hive_span())) return STATUS_OBJECT_NAME_INVALID;
    /* links were followed above; marks of deleted keys are links too */
    if (place->walk.place == PLACE_PRIVATE) place->attr.Attributes |= OBJ_OPENLINK;
    if (place->walk.place == PLACE_ABSENT) place->attr.Attributes &= ~OBJ_OPENLINK;
    return STATUS_SUCCESS;
}

void place_note(const struct place *place, HANDLE key, uint32_t generation)
{
    const struct key_walk *walk = &place->walk;

    if (!place->ours) key_note(key, KEY_BASE, generation, 0, 0);
    else if (walk->place == PLACE_PRIVATE) key_note(key, KEY_PRIVATE, generation, walk->node, walk->serial);
    else key_note(key, KEY_BASE, generation, walk->exact ? walk->node : 0, walk->exact ? walk->serial : 0);
}

void place_note_private(const struct place *place, HANDLE key, uint32_t generation)
{
    struct key_walk walk;

    walk_logical(place->logical, &walk);
    if (walk.exact && walk.place == PLACE_PRIVATE) key_note(key, KEY_PRIVATE, generation, walk.node, walk.serial);
}
