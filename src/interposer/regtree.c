/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "regtree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define INDEX (&shared->keys)

static const WCHAR backslash_text[] = { '\\' };
static const struct span backslash = { backslash_text, 1 }, nothing = { NULL, 0 };
/* A name that no program gives: as a subkey, a link to nowhere, it says that the base's subkeys do not show;
 * as a value that the key's copy is not complete. */
static const WCHAR mark_text[] = { 0xffff, 'w', 'i', 'n', 'e', 's', 'i', 'l', 'o' };
static const struct span mark = { mark_text, 9 };
/* a key that is made, used and deleted while the lock is held begins so, too */
static const WCHAR aside_text[] = { 0xffff, 'w', 'i', 'n', 'e', 's', 'i', 'l', 'o', '-', 'a', 's', 'i', 'd', 'e' };
static const struct span aside = { aside_text, 15 };

/* ---- the lock of the tree ---- */

/* The first process makes it, under a lock of the file, which goes with its owner. */
bool regtree_init(void)
{
    pthread_mutexattr_t attr;
    int fd;

    if (atomic_load(&shared->lock_state)) return true;
    if ((fd = open(config.shared_path, O_RDWR | O_CLOEXEC)) < 0) return false;
    if (flock(fd, LOCK_EX)) {
        close(fd);
        return false;
    }
    if (!atomic_load(&shared->lock_state)) {
        pthread_mutexattr_init(&attr);
        pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
        pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
        pthread_mutex_init(&shared->tree_lock, &attr);
        pthread_mutexattr_destroy(&attr);
        atomic_store(&shared->lock_state, 1);
    }
    close(fd);
    return true;
}

static void build_index(void);

static void lock_tree(struct quiet *q)
{
    quiet_begin(q);
    if (pthread_mutex_lock(&shared->tree_lock) == EOWNERDEAD) pthread_mutex_consistent(&shared->tree_lock);
    if (!atomic_load(&INDEX->built) || index_torn(INDEX)) build_index();
}

static void unlock_tree(struct quiet *q)
{
    pthread_mutex_unlock(&shared->tree_lock);
    quiet_end(q);
}

uint32_t regtree_generation(void)
{
    return atomic_load_explicit(&shared->generation, memory_order_acquire);
}

static void next_generation(void)
{
    atomic_fetch_add_explicit(&shared->generation, 1, memory_order_acq_rel);
}

void regtree_wait(void)
{
    struct quiet q;

    lock_tree(&q);
    unlock_tree(&q);
}

void regtree_ready(void)
{
    if (__builtin_expect(!atomic_load_explicit(&INDEX->built, memory_order_acquire), 0)) regtree_wait();
}

void regtree_written(void)
{
    atomic_fetch_add_explicit(&shared->registry_writes, 1, memory_order_relaxed);
}

/* ---- the index, from what the hive holds ---- */

static bool join(struct regpath *path, struct span parent, struct span name)
{
    CLEANUP(regpath_free) struct regpath below = { 0 };

    return regpath_join(&below, parent, backslash) && regpath_join(path, path_span(&below), name);
}

static uint32_t child_of(uint32_t node, struct span name)
{
    return node ? index_find(INDEX, node, name) : 0;
}

static enum key_kind kind_of(uint32_t node)
{
    return node ? INDEX->nodes[node].kind : KIND_NONE;
}

/* the next component of a path; *rest is what follows it */
static struct span take_component(struct span *rest)
{
    struct span name;

    while (rest->n && *rest->s == '\\') rest->s++, rest->n--;
    name = (struct span){ rest->s, 0 };
    while (name.n < rest->n && rest->s[name.n] != '\\') name.n++;
    rest->s += name.n;
    rest->n -= name.n;
    return name;
}

bool regtree_path(uint32_t node, uint32_t serial, struct regpath *path)
{
    const struct key_path itself = { .start = node, .serial = serial };
    WCHAR text[512], *big = NULL;
    struct key_walk walk;
    bool known;

    while (!index_walk(INDEX, &itself, 0, &walk, text, sizeof(text) / sizeof(WCHAR))) regtree_wait();
    if (walk.place == PLACE_LOST) return false;
    if (walk.path_fits) return regpath_join(path, (struct span){ text, walk.path_n }, nothing);
    if (!(big = malloc(INDEX_PATH_MAX * sizeof(WCHAR)))) return false;
    known = index_walk(INDEX, &itself, 0, &walk, big, INDEX_PATH_MAX) && walk.path_fits &&
            regpath_join(path, (struct span){ big, walk.path_n }, nothing);
    free(big);
    return known;
}

/* node 0: some component is not in the index */
static uint32_t node_of(struct span logical)
{
    uint32_t node = INDEX_ROOT;
    struct span name;

    while (node && (name = take_component(&logical)).n) node = child_of(node, name);
    return node;
}

static void add_base_links(void)
{
    size_t i;

    for (i = 0; i < config.links_n; i++) {
        struct span path = { config.links[i].from.text, config.links[i].from.n }, name;
        CLEANUP(regpath_free) struct regpath target = { 0 };
        uint32_t node = INDEX_ROOT;

        while (node && (name = take_component(&path)).n) node = index_add(INDEX, node, name);
        if (!node || !join(&target, base_span(), (struct span){ config.links[i].to.text, config.links[i].to.n }) ||
            !index_set_target(INDEX, node, path_span(&target)))
            continue;
        index_set_kind(INDEX, node, KIND_BASE_LINK);
    }
}

static bool has_value(HANDLE key, struct span name)
{
    UNICODE_STRING us = { (uint16_t)(name.n * sizeof(WCHAR)), (uint16_t)(name.n * sizeof(WCHAR)), (WCHAR *)name.s };
    uint8_t info[64];
    ULONG need;
    NTSTATUS status = real_NtQueryValueKey(key, &us, KeyValuePartialInformation, info, sizeof(info), &need);

    return !status || status == STATUS_BUFFER_OVERFLOW;
}

/* Can it be opened without OBJ_OPENLINK? Links to nowhere can not. */
static bool leads_somewhere(HANDLE parent, struct span name)
{
    CLEANUP(close_handle) HANDLE key = NULL;

    return !open_at(parent, name, 0, KEY_QUERY_VALUE, &key);
}

/* can keys be made below a node? */
static bool holds_keys(enum key_kind kind)
{
    return is_private_kind(kind) || kind == KIND_HOLDER;
}

/* STATUS_SUCCESS, or STATUS_PREDEFINED_HANDLE for a key of performance data: the base has a key there. */
static NTSTATUS ask_base(struct span logical)
{
    CLEANUP(close_handle) HANDLE base = NULL;

    return base_open(logical, KEY_QUERY_VALUE, &base);
}

static bool base_has(struct span logical)
{
    NTSTATUS status = ask_base(logical);

    return !status || status == STATUS_PREDEFINED_HANDLE;
}

/* what a private key is whose parent is of a kind */
static enum key_kind kind_below(enum key_kind parent, struct span logical)
{
    NTSTATUS status = parent == KIND_MERGED || parent == KIND_HOLDER ? ask_base(logical) : STATUS_OBJECT_NAME_NOT_FOUND;

    if (status == STATUS_PREDEFINED_HANDLE) return KIND_HOLDER;
    return status ? KIND_OWN : KIND_MERGED;
}

static void scan_below(HANDLE key, struct span logical, uint32_t node, int depth);

/* a link to nowhere */
static void scan_mark(HANDLE key, uint32_t parent, struct span name)
{
    uint32_t node;

    if (kind_of(parent) == KIND_OWN) real_NtDeleteKey(key); /* there is nothing to hide */
    else if (!key_compare(name, mark)) index_set_kind(INDEX, parent, KIND_OPAQUE);
    else if ((node = index_add(INDEX, parent, name))) index_set_kind(INDEX, node, KIND_HIDDEN);
}

static void scan_child(HANDLE parent, struct span logical, uint32_t parent_node, int depth)
{
    struct span name = last_component(logical);
    CLEANUP(regpath_free) struct regpath target = { 0 };
    CLEANUP(close_handle) HANDLE key = NULL;
    uint32_t node;

    if (open_at(parent, name, OBJ_OPENLINK, KEY_ALL_ACCESS, &key)) return;
    if (!key_compare(name, aside)) delete_tree(key, 0); /* of a process that died */
    else if (!regkey_read_link(key, &target) && !leads_somewhere(parent, name)) scan_mark(key, parent_node, name);
    else if (has_value(key, mark)) delete_tree(key, 0); /* its copy was not finished: the base's key is as it should be */
    else if (!(node = index_add(INDEX, parent_node, name))) return;
    else if (target.n && index_set_target(INDEX, node, path_span(&target))) index_set_kind(INDEX, node, KIND_LINK);
    else {
        index_set_kind(INDEX, node, kind_below(kind_of(parent_node), logical));
        scan_below(key, logical, node, depth + 1);
    }
}

/* Marks come first, so that the kind of a key is known when its subkeys are looked at. */
static void scan_below(HANDLE key, struct span logical, uint32_t node, int depth)
{
    CLEANUP(close_handle) HANDLE opaque = NULL;
    CLEANUP(free_child) struct child_name child = { 0 };
    ULONG i;

    if (depth > TREE_DEPTH) return;
    if (kind_of(node) == KIND_MERGED && !open_at(key, mark, OBJ_OPENLINK, KEY_QUERY_VALUE, &opaque))
        index_set_kind(INDEX, node, KIND_OPAQUE);
    for (i = 0; !nth_child(key, i, &child); i++) {
        CLEANUP(regpath_free) struct regpath path = { 0 };

        if (join(&path, logical, child.name)) scan_child(key, path_span(&path), node, depth);
    }
}

/* The lock is held. */
static void build_index(void)
{
    CLEANUP(close_handle) HANDLE hive = NULL;

    index_reset(INDEX);
    add_base_links();
    if (open_at(NULL, hive_span(), 0, KEY_ALL_ACCESS, &hive)) return;
    scan_below(hive, nothing, INDEX_ROOT, 0);
    atomic_store(&INDEX->built, 1);
    next_generation();
}

/* ---- copying keys up ---- */

static bool is_volatile(struct span logical)
{
    size_t i;

    /* the configuration has no leading backslash */
    for (i = 0; i < config.volatiles_n; i++)
        if (logical.n == config.volatiles[i].n + 1 &&
            span_has_prefix((struct span){ logical.s + 1, logical.n - 1 }, config.volatiles[i].text, config.volatiles[i].n))
            return true;
    return false;
}

/* What the silo changes in its tree for its own sake does not show in a key's last-write time. */
static void keep_time(HANDLE key, uint32_t node, int64_t before)
{
    const struct key_node *n = &INDEX->nodes[node];

    index_set_times(INDEX, node, last_write(key), before == n->touched && n->shown ? n->shown : before);
}

static NTSTATUS mark_copying(HANDLE key, bool on)
{
    UNICODE_STRING name = { sizeof(mark_text), sizeof(mark_text), (WCHAR *)mark_text };

    return on ? real_NtSetValueKey(key, &name, 0, 0, NULL, 0) : real_NtDeleteValueKey(key, &name);
}

/* A key of the base at logical, which is not a link: its values and class into a new key below parent. */
static NTSTATUS copy_key(HANDLE base, const struct child_name *own, HANDLE parent, struct span logical, HANDLE *copy)
{
    CLEANUP(close_handle) HANDLE new = NULL;
    ULONG options = is_volatile(logical) ? REG_OPTION_VOLATILE : 0, disposition = 0;
    NTSTATUS status = create_at(parent, own->name, options, own->class_name, &new, &disposition);

    if (status) return status;
    if (disposition == REG_OPENED_EXISTING_KEY) { /* of a process that died here */
        if (!delete_tree(new, 0)) return STATUS_ACCESS_DENIED;
        close_handle(&new);
        new = NULL;
        if ((status = create_at(parent, own->name, options, own->class_name, &new, NULL))) return status;
    }
    if ((status = mark_copying(new, true)) || (status = copy_values(base, new)) || (status = mark_copying(new, false)))
        delete_tree(new, 0);
    else {
        copy_security(base, new);
        *copy = steal(&new);
    }
    return status;
}

static NTSTATUS make_holder(uint32_t parent_node, struct span logical, uint32_t *node)
{
    CLEANUP(close_handle) HANDLE parent = NULL, holder = NULL;
    struct span name = last_component(logical);
    NTSTATUS status = private_open(parent_path(logical), KEY_ALL_ACCESS, &parent);
    int64_t before;

    if (status) return status;
    before = last_write(parent);
    if ((status = create_at(parent, name, 0, nothing, &holder, NULL))) return status;
    if (!(*node = index_add(INDEX, parent_node, name))) return STATUS_INSUFFICIENT_RESOURCES;
    keep_time(parent, parent_node, before);
    index_set_kind(INDEX, *node, KIND_HOLDER);
    return STATUS_SUCCESS;
}

/* Make the child at logical of a private node private, if the base has it; the lock is held. */
static NTSTATUS copy_child(uint32_t parent_node, struct span logical, uint32_t *node)
{
    CLEANUP(close_handle) HANDLE base = NULL, parent = NULL, copy = NULL;
    CLEANUP(free_child) struct child_name own = { 0 };
    CLEANUP(regpath_free) struct regpath target = { 0 };
    enum key_kind kind = KIND_MERGED;
    int64_t before;
    NTSTATUS status;

    status = base_open(logical, KEY_READ_ACCESS, &base);
    if (status == STATUS_PREDEFINED_HANDLE) return make_holder(parent_node, logical, node);
    if (status || (status = describe_key(base, &own))) return status;
    if ((status = private_open(parent_path(logical), KEY_ALL_ACCESS, &parent))) return status;
    before = last_write(parent);
    if (regkey_read_link(base, &target)) {
        kind = KIND_LINK;
        status = make_link(parent, own.name, path_span(&target));
        if (!status) status = open_at(parent, own.name, OBJ_OPENLINK, KEY_ALL_ACCESS, &copy);
    }
    else status = copy_key(base, &own, parent, logical, &copy);
    if (status) return status;
    if (!(*node = index_add(INDEX, parent_node, own.name)) ||
        (kind == KIND_LINK && !index_set_target(INDEX, *node, path_span(&target)))) {
        real_NtDeleteKey(copy);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    keep_time(parent, parent_node, before);
    index_set_times(INDEX, *node, last_write(copy), own.modified);
    index_set_kind(INDEX, *node, kind);
    next_generation();
    regtree_written();
    return STATUS_SUCCESS;
}

/* The same for all keys on the path. *node: the last one. */
static NTSTATUS copy_path(struct span logical, uint32_t *node)
{
    struct span rest = logical, name;
    NTSTATUS status;

    *node = INDEX_ROOT;
    while ((name = take_component(&rest)).n) {
        uint32_t child = child_of(*node, name);

        switch (kind_of(child)) {
        case KIND_MERGED:
        case KIND_OPAQUE:
        case KIND_OWN:
        case KIND_HOLDER:
        case KIND_LINK: break;
        case KIND_HIDDEN: return STATUS_OBJECT_NAME_NOT_FOUND;
        default:
            if (kind_of(*node) != KIND_MERGED && kind_of(*node) != KIND_HOLDER) return STATUS_OBJECT_NAME_NOT_FOUND;
            status = copy_child(*node, (struct span){ logical.s, (size_t)(name.s + name.n - logical.s) }, &child);
            if (status) return status;
        }
        *node = child;
    }
    return STATUS_SUCCESS;
}

NTSTATUS regtree_copy_up(struct span logical)
{
    struct quiet q;
    uint32_t node;
    NTSTATUS status;

    lock_tree(&q);
    status = copy_path(logical, &node);
    if (!status && kind_of(node) == KIND_HOLDER) status = STATUS_PREDEFINED_HANDLE;
    unlock_tree(&q);
    return status;
}

static NTSTATUS copy_below(uint32_t node, struct span logical, int depth);

struct visitor {
    /* node: the child's, 0 if it has none */
    NTSTATUS (*visit)(struct visitor *visitor, struct span logical, struct span name, uint32_t node);
    uint32_t parent;
    HANDLE to;
    int depth;
};

/* Visit the base's children of a key that show in the silo and are not private; the lock is held. */
static NTSTATUS visit_base_children(struct span logical, struct visitor *visitor)
{
    CLEANUP(free_child) struct child_name child = { 0 };
    CLEANUP(close_handle) HANDLE base = NULL;
    NTSTATUS status = base_open(logical, KEY_READ_ACCESS, &base);
    ULONG i;

    if (status) return status == STATUS_OBJECT_NAME_NOT_FOUND ? STATUS_SUCCESS : status;
    for (i = 0; !(status = nth_child(base, i, &child)); i++) {
        CLEANUP(regpath_free) struct regpath path = { 0 };
        uint32_t node = child_of(visitor->parent, child.name);

        if (is_private_kind(kind_of(node)) || kind_of(node) == KIND_HIDDEN) continue;
        if (!join(&path, logical, child.name)) return STATUS_NO_MEMORY;
        if ((status = visitor->visit(visitor, path_span(&path), child.name, node))) return status;
    }
    return status == STATUS_NO_MORE_ENTRIES ? STATUS_SUCCESS : status;
}

static NTSTATUS copy_one(struct visitor *visitor, struct span logical, struct span name, uint32_t node)
{
    (void)name;
    return copy_child(visitor->parent, logical, &node);
}

/* Make all keys below a private one private too. */
static NTSTATUS copy_below(uint32_t node, struct span logical, int depth)
{
    struct visitor copier = { .visit = copy_one, .parent = node };
    NTSTATUS status = STATUS_SUCCESS;
    uint32_t child;

    if (depth > TREE_DEPTH) return STATUS_INVALID_PARAMETER;
    if (kind_of(node) == KIND_MERGED) status = visit_base_children(logical, &copier);
    for (child = INDEX->nodes[node].first_child; child && !status; child = INDEX->nodes[child].next_sibling) {
        CLEANUP(regpath_free) struct regpath path = { 0 };

        if (!is_private_kind(kind_of(child)) || kind_of(child) == KIND_LINK) continue;
        if (!join(&path, logical, index_name(INDEX, child))) return STATUS_NO_MEMORY;
        status = copy_below(child, path_span(&path), depth + 1);
    }
    return status;
}

/* ---- creating ---- */

NTSTATUS regtree_prepare_create(struct span logical)
{
    CLEANUP(close_handle) HANDLE parent = NULL, hidden = NULL;
    uint32_t parent_node;
    int64_t before;
    struct quiet q;
    NTSTATUS status;

    lock_tree(&q);
    status = copy_path(parent_path(logical), &parent_node);
    if (!status && kind_of(child_of(parent_node, last_component(logical))) == KIND_HIDDEN &&
        !(status = private_open(parent_path(logical), KEY_ALL_ACCESS, &parent)) &&
        !open_at(parent, last_component(logical), OBJ_OPENLINK, KEY_ALL_ACCESS, &hidden)) {
        before = last_write(parent);
        status = real_NtDeleteKey(hidden);
        keep_time(parent, parent_node, before);
    }
    unlock_tree(&q);
    return status;
}

void regtree_not_created(struct span logical)
{
    CLEANUP(close_handle) HANDLE parent = NULL, there = NULL;
    int64_t before;
    struct quiet q;
    uint32_t node;

    lock_tree(&q);
    node = node_of(logical);
    if (kind_of(node) == KIND_HIDDEN && private_open(logical, KEY_QUERY_VALUE, &there) &&
        !private_open(parent_path(logical), KEY_ALL_ACCESS, &parent)) {
        before = last_write(parent);
        make_link(parent, last_component(logical), nothing);
        keep_time(parent, INDEX->nodes[node].parent, before);
    }
    unlock_tree(&q);
}

/* Subkeys of the base must not show below a new key. */
static NTSTATUS make_opaque(HANDLE key, uint32_t node)
{
    int64_t before = last_write(key);
    NTSTATUS status = make_link(key, mark, nothing);

    if (status) return status;
    keep_time(key, node, before);
    index_set_kind(INDEX, node, KIND_OPAQUE);
    return STATUS_SUCCESS;
}

NTSTATUS regtree_publish(struct span logical, HANDLE key, bool link)
{
    NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;
    CLEANUP(close_handle) HANDLE own = NULL;
    struct quiet q;
    uint32_t parent, node;

    lock_tree(&q);
    parent = node_of(parent_path(logical));
    if (holds_keys(kind_of(parent)) && (node = index_add(INDEX, parent, last_component(logical)))) {
        status = STATUS_SUCCESS;
        if (kind_of(node) == KIND_HIDDEN && !link) {
            if (!(status = private_open(logical, KEY_ALL_ACCESS, &own))) status = make_opaque(own, node);
        }
        else if (!is_private_kind(kind_of(node))) index_set_kind(INDEX, node, link ? KIND_LINK : KIND_OWN);
    }
    if (status) real_NtDeleteKey(key);
    unlock_tree(&q);
    regtree_written();
    return status;
}

void regtree_scan(struct span logical)
{
    CLEANUP(close_handle) HANDLE parent = NULL;
    CLEANUP(close_handle) HANDLE key = NULL;
    struct quiet q;
    uint32_t node;
    bool hidden;

    lock_tree(&q);
    node = node_of(parent_path(logical));
    hidden = kind_of(child_of(node, last_component(logical))) == KIND_HIDDEN;
    if (is_private_kind(kind_of(node)) && !private_open(parent_path(logical), KEY_ALL_ACCESS, &parent))
        scan_child(parent, logical, node, 0);
    node = child_of(node, last_component(logical));
    if (hidden && kind_of(node) == KIND_MERGED && !private_open(logical, KEY_ALL_ACCESS, &key)) make_opaque(key, node);
    unlock_tree(&q);
    regtree_written();
}

void regtree_note_target(struct span logical)
{
    CLEANUP(regpath_free) struct regpath target = { 0 };
    CLEANUP(close_handle) HANDLE key = NULL;
    struct quiet q;
    uint32_t node;

    lock_tree(&q);
    if (kind_of(node = node_of(logical)) == KIND_LINK && !private_open(logical, KEY_QUERY_VALUE, &key)) {
        regkey_read_link(key, &target);
        index_set_target(INDEX, node, path_span(&target));
    }
    unlock_tree(&q);
}

/* ---- deleting ---- */

/* Put a mark for a deleted key of the base into the place of logical, whose parent is private. */
static NTSTATUS hide(struct span logical, uint32_t parent_node)
{
    CLEANUP(close_handle) HANDLE parent = NULL;
    struct span name = last_component(logical);
    uint32_t node;
    NTSTATUS status;

    if ((status = private_open(parent_path(logical), KEY_ALL_ACCESS, &parent)) ||
        (status = make_link(parent, name, nothing)))
        return status;
    if (!(node = index_add(INDEX, parent_node, name))) return STATUS_INSUFFICIENT_RESOURCES;
    index_set_times(INDEX, node, 0, 0);
    index_set_kind(INDEX, node, KIND_HIDDEN);
    next_generation();
    regtree_written();
    return STATUS_SUCCESS;
}

NTSTATUS regtree_hide(struct span logical, bool with_subkeys)
{
    CLEANUP(free_child) struct child_name child = { 0 };
    CLEANUP(close_handle) HANDLE base = NULL;
    uint32_t parent, node;
    struct quiet q;
    NTSTATUS status;

    lock_tree(&q);
    node = node_of(logical);
    if (is_private_kind(kind_of(node)) || kind_of(node) == KIND_HIDDEN) status = STATUS_KEY_DELETED; /* meanwhile */
    else status = base_open(logical, KEY_READ_ACCESS, &base);
    if (!status && !with_subkeys && !nth_child(base, 0, &child)) status = STATUS_ACCESS_DENIED;
    if (!status) status = copy_path(parent_path(logical), &parent);
    if (!status) status = hide(logical, parent);
    unlock_tree(&q);
    return status;
}

NTSTATUS regtree_deleted_key(ACCESS_MASK access, HANDLE *key)
{
    CLEANUP(close_handle) HANDLE hive = NULL, made = NULL;
    struct quiet q;
    NTSTATUS status;

    lock_tree(&q);
    status = open_at(NULL, hive_span(), 0, KEY_ALL_ACCESS, &hive);
    if (!status) status = create_at(hive, aside, REG_OPTION_VOLATILE, nothing, &made, NULL);
    if (!status) status = open_at(hive, aside, 0, access, key);
    if (made) real_NtDeleteKey(made);
    unlock_tree(&q);
    return status;
}

static NTSTATUS refuse(struct visitor *visitor, struct span logical, struct span name, uint32_t node)
{
    (void)visitor, (void)logical, (void)name, (void)node;
    return STATUS_ACCESS_DENIED;
}

/* Does the silo see subkeys of a private key? Then STATUS_ACCESS_DENIED. */
static NTSTATUS has_no_subkeys(uint32_t node, struct span logical)
{
    struct visitor refuser = { .visit = refuse, .parent = node };
    uint32_t child;

    for (child = INDEX->nodes[node].first_child; child; child = INDEX->nodes[child].next_sibling)
        if (is_private_kind(kind_of(child))) return STATUS_ACCESS_DENIED;
    return kind_of(node) == KIND_MERGED ? visit_base_children(logical, &refuser) : STATUS_SUCCESS;
}

/* take the marks away that stand in the place of subkeys */
static void delete_marks(struct span logical)
{
    CLEANUP(free_child) struct child_name child = { 0 };
    CLEANUP(close_handle) HANDLE key = NULL;

    if (private_open(logical, KEY_ALL_ACCESS, &key)) return;
    while (!nth_child(key, 0, &child)) {
        CLEANUP(close_handle) HANDLE marked = NULL;

        if (open_at(key, child.name, OBJ_OPENLINK, KEY_ALL_ACCESS, &marked) || real_NtDeleteKey(marked)) return;
    }
}

static void drop_children(uint32_t node)
{
    uint32_t child = INDEX->nodes[node].first_child, next;

    for (; child; child = next) {
        next = INDEX->nodes[child].next_sibling;
        drop_children(child);
        index_drop(INDEX, child);
    }
}

/* The private key of node is gone: so is what the base has there. */
static void forget(struct span logical, uint32_t node)
{
    uint32_t parent = INDEX->nodes[node].parent;
    bool own = kind_of(node) == KIND_OWN || kind_of(parent) != KIND_MERGED;

    drop_children(node);
    if (own || !base_has(logical) || hide(logical, parent)) index_drop(INDEX, node);
    regtree_written();
}

NTSTATUS regtree_delete(struct span logical, HANDLE key)
{
    struct quiet q;
    uint32_t node;
    NTSTATUS status = STATUS_SUCCESS;

    lock_tree(&q);
    node = node_of(logical);
    if (!is_private_kind(kind_of(node))) status = STATUS_KEY_DELETED;
    else if (kind_of(node) == KIND_MERGED || kind_of(node) == KIND_OPAQUE) {
        if (!(granted_access(key) & DELETE_ACCESS)) status = STATUS_ACCESS_DENIED;
        else if (!(status = has_no_subkeys(node, logical))) delete_marks(logical);
    }
    if (!status && !(status = real_NtDeleteKey(key))) forget(logical, node);
    unlock_tree(&q);
    return status;
}

void regtree_forget(struct span logical)
{
    struct quiet q;
    uint32_t node;

    lock_tree(&q);
    if ((node = node_of(logical)) > INDEX_USER) forget(logical, node);
    unlock_tree(&q);
}

/* ---- renaming ---- */

static void set_kind_below(uint32_t node, enum key_kind kind)
{
    uint32_t child;

    if (kind_of(node) == KIND_MERGED) index_set_kind(INDEX, node, kind);
    for (child = INDEX->nodes[node].first_child; child; child = INDEX->nodes[child].next_sibling)
        set_kind_below(child, kind);
}

/* The wineserver loses a subkey when another is renamed to the name that follows it at once: then there must be one
 * in between. */
static NTSTATUS rename_safely(HANDLE parent, HANDLE key, struct span from, UNICODE_STRING *to)
{
    static const WCHAR follows[] = { 1 };
    struct span name = { to->Buffer, to->Length / sizeof(WCHAR) };
    CLEANUP(regpath_free) struct regpath between = { 0 };
    CLEANUP(close_handle) HANDLE spacer = NULL;
    NTSTATUS status;

    if (key_compare(from, name) < 0 && regpath_join(&between, from, (struct span){ follows, 1 }))
        create_at(parent, path_span(&between), 0, nothing, &spacer, NULL);
    status = real_NtRenameKey(key, to);
    if (spacer) real_NtDeleteKey(spacer);
    return status;
}

/* The lock is held and all keys below node are private. */
static NTSTATUS rename_node(uint32_t node, struct span logical, struct span to, HANDLE key, struct span name)
{
    UNICODE_STRING us = { (uint16_t)(name.n * sizeof(WCHAR)), (uint16_t)(name.n * sizeof(WCHAR)), (WCHAR *)name.s };
    uint32_t parent = INDEX->nodes[node].parent, other = child_of(parent, name), old;
    bool followed = !(INDEX->nodes[node].flags & KEY_WAS_DELETED);
    CLEANUP(close_handle) HANDLE parent_key = NULL, hidden = NULL, own = NULL;
    int64_t before;
    NTSTATUS status;

    if ((status = private_open(parent_path(logical), KEY_ALL_ACCESS, &parent_key))) return status;
    before = last_write(parent_key);
    if (kind_of(other) == KIND_HIDDEN &&
        ((status = private_open(to, KEY_ALL_ACCESS, &hidden)) || (status = real_NtDeleteKey(hidden))))
        return status;
    status = rename_safely(parent_key, key, last_component(logical), &us);
    if (status && hidden) make_link(parent_key, name, nothing);
    if (!status && !index_rename(INDEX, node, name)) status = STATUS_INSUFFICIENT_RESOURCES;
    if (!status) {
        next_generation();
        if (kind_of(parent) == KIND_MERGED && base_has(logical) && !hide(logical, parent) && followed &&
            (old = child_of(parent, last_component(logical))))
            index_set_moved(INDEX, old, node);
    }
    keep_time(parent_key, parent, before);
    if (status || kind_of(node) == KIND_LINK) return status;
    if (kind_of(parent) == KIND_MERGED && kind_of(node) != KIND_OPAQUE && base_has(to) &&
        !(status = private_open(to, KEY_ALL_ACCESS, &own)))
        status = make_opaque(own, node);
    set_kind_below(node, KIND_OPAQUE); /* one mark, on the topmost, is enough */
    return status;
}

NTSTATUS regtree_rename(struct span logical, HANDLE key, struct span name)
{
    CLEANUP(regpath_free) struct regpath to = { 0 };
    struct quiet q;
    uint32_t node;
    NTSTATUS status;

    if (!join(&to, parent_path(logical), name)) return STATUS_INVALID_PARAMETER;
    lock_tree(&q);
    node = node_of(logical);
    if (!is_private_kind(kind_of(node))) status = STATUS_KEY_DELETED;
    else if (is_private_kind(kind_of(child_of(INDEX->nodes[node].parent, name))) ||
             (kind_of(child_of(INDEX->nodes[node].parent, name)) != KIND_HIDDEN &&
              kind_of(INDEX->nodes[node].parent) == KIND_MERGED && base_has(path_span(&to))))
        status = STATUS_CANNOT_DELETE; /* there is such a key */
    else if (!(status = copy_below(node, logical, 0))) {
        status = rename_node(node, logical, path_span(&to), key, name);
        regtree_written();
    }
    unlock_tree(&q);
    return status;
}

/* ---- saving ---- */

static NTSTATUS save_copy(uint32_t node, HANDLE from, HANDLE to, struct span logical, int depth);

static NTSTATUS save_child(HANDLE child, HANDLE to, struct span logical, struct span name, uint32_t node, int depth)
{
    CLEANUP(free_child) struct child_name own = { 0 };
    CLEANUP(regpath_free) struct regpath target = { 0 };
    CLEANUP(close_handle) HANDLE copy = NULL;
    NTSTATUS status;

    if (is_volatile(logical)) return STATUS_SUCCESS;
    if (regkey_read_link(child, &target)) return make_link(to, name, path_span(&target));
    if ((status = describe_key(child, &own)) || (status = create_at(to, own.name, 0, own.class_name, &copy, NULL)))
        return status;
    return save_copy(node, child, copy, logical, depth + 1);
}

static NTSTATUS save_base_child(struct visitor *visitor, struct span logical, struct span name, uint32_t node)
{
    CLEANUP(close_handle) HANDLE child = NULL;
    NTSTATUS status = base_open(logical, KEY_READ_ACCESS, &child);

    if (status) return NT_SUCCESS(status) || status == STATUS_OBJECT_NAME_NOT_FOUND ? STATUS_SUCCESS : status;
    return save_child(child, visitor->to, logical, name, node, visitor->depth);
}

/* Copy what the silo sees below from, the key of node or (0) of the base, into to. */
static NTSTATUS save_copy(uint32_t node, HANDLE from, HANDLE to, struct span logical, int depth)
{
    struct visitor saver = { .visit = save_base_child, .parent = node, .to = to, .depth = depth };
    NTSTATUS status = copy_values(from, to);
    uint32_t child;

    if (depth > TREE_DEPTH) return STATUS_INVALID_PARAMETER;
    if (!status && (kind_of(node) == KIND_MERGED || !is_private_kind(kind_of(node))))
        status = visit_base_children(logical, &saver);
    for (child = node ? INDEX->nodes[node].first_child : 0; child && !status; child = INDEX->nodes[child].next_sibling) {
        CLEANUP(regpath_free) struct regpath path = { 0 };
        CLEANUP(close_handle) HANDLE key = NULL;

        if (!is_private_kind(kind_of(child))) continue;
        if (!join(&path, logical, index_name(INDEX, child))) return STATUS_NO_MEMORY;
        if (!(status = private_open(path_span(&path), KEY_READ_ACCESS, &key)))
            status = save_child(key, to, path_span(&path), index_name(INDEX, child), child, depth);
    }
    return status;
}

/* What is merged is copied aside first: the wineserver saves what it has in one place. */
NTSTATUS regtree_save(struct span logical, HANDLE key, HANDLE file)
{
    CLEANUP(close_handle) HANDLE hive = NULL, copy = NULL;
    ULONG disposition = 0;
    struct quiet q;
    uint32_t node;
    NTSTATUS status = real_NtSaveKey(key, NULL);

    if (status == STATUS_PRIVILEGE_NOT_HELD) return status;
    lock_tree(&q);
    node = node_of(logical);
    if ((!is_private_kind(kind_of(node)) && !(node && INDEX->nodes[node].first_child)) ||
        kind_of(node) == KIND_OWN)
        status = real_NtSaveKey(key, file);
    else if (!(status = open_at(NULL, hive_span(), 0, KEY_ALL_ACCESS, &hive))) {
        status = create_at(hive, aside, 0, nothing, &copy, &disposition);
        if (!status && disposition == REG_OPENED_EXISTING_KEY) { /* of a process that died here */
            delete_tree(copy, 0);
            close_handle(&copy);
            status = create_at(hive, aside, 0, nothing, &copy, NULL);
        }
        if (!status) status = save_copy(node, key, copy, logical, 0);
        if (!status) status = real_NtSaveKey(copy, file);
        if (copy) delete_tree(copy, 0);
    }
    unlock_tree(&q);
    return status;
}
