/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "regwork.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

static const WCHAR backslash_text[] = { '\\' };
static const WCHAR mark_text[] = { 0xffff, 'w', 'i', 'n', 'e', 's', 'i', 'l', 'o' };
static const WCHAR aside_text[] = { 0xffff, 'w', 'i', 'n', 'e', 's', 'i', 'l', 'o', '-', 'a', 's', 'i', 'd', 'e' };
static const struct span backslash = { backslash_text, 1 };
const struct span nothing = { NULL, 0 }, mark = { mark_text, 9 }, aside = { aside_text, 15 };

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

void lock_tree(struct quiet *q)
{
    quiet_begin(q);
    if (pthread_mutex_lock(&shared->tree_lock) == EOWNERDEAD) pthread_mutex_consistent(&shared->tree_lock);
    if (!atomic_load(&INDEX->built) || index_torn(INDEX)) build_index();
}

void unlock_tree(struct quiet *q)
{
    pthread_mutex_unlock(&shared->tree_lock);
    quiet_end(q);
}

void next_generation(void)
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

bool join(struct regpath *path, struct span parent, struct span name)
{
    CLEANUP(regpath_free) struct regpath below = { 0 };

    return regpath_join(&below, parent, backslash) && regpath_join(path, path_span(&below), name);
}

uint32_t child_of(uint32_t node, struct span name)
{
    return node ? index_find(INDEX, node, name) : 0;
}

enum key_kind kind_of(uint32_t node)
{
    return node ? INDEX->nodes[node].kind : KIND_NONE;
}

/* the next component of a path; *rest is what follows it */
struct span take_component(struct span *rest)
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
uint32_t node_of(struct span logical)
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
bool holds_keys(enum key_kind kind)
{
    return is_private_kind(kind) || kind == KIND_HOLDER;
}

/* STATUS_SUCCESS, or STATUS_PREDEFINED_HANDLE for a key of performance data: the base has a key there. */
NTSTATUS ask_base(struct span logical)
{
    CLEANUP(close_handle) HANDLE base = NULL;

    return base_open(logical, KEY_QUERY_VALUE, &base);
}

bool base_has(struct span logical)
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

void scan_child(HANDLE parent, struct span logical, uint32_t parent_node, int depth)
{
    struct span name = last_component(logical);
    CLEANUP(regpath_free) struct regpath target = { 0 };
    CLEANUP(close_handle) HANDLE key = NULL;
    uint32_t node;

    if (is_silo_hive(parent_node, name) || open_at(parent, name, OBJ_OPENLINK, KEY_ALL_ACCESS, &key)) return;
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

/* The lock is held. \User is private from the start: what is listed of it is merged then, without the hives of silos. */
static void build_index(void)
{
    static const WCHAR text[] = { '\\', 'U', 's', 'e', 'r' };
    const struct span user = { text, sizeof(text) / sizeof(WCHAR) };
    CLEANUP(close_handle) HANDLE hive = NULL;
    uint32_t node;

    index_reset(INDEX);
    add_base_links();
    if (open_at(NULL, hive_span(), 0, KEY_ALL_ACCESS, &hive)) return;
    scan_below(hive, nothing, INDEX_ROOT, 0);
    if (copy_path(user, &node)) return;
    atomic_store(&INDEX->built, 1);
    next_generation();
}
