/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "regtree.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum { LINK_DEPTH = 16 };

/* ---- the lock of the tree ---- */

void regtree_init(void)
{
    uint32_t expected = 0;
    pthread_mutexattr_t attr;

    if (atomic_compare_exchange_strong(&shared->lock_state, &expected, 1)) {
        pthread_mutexattr_init(&attr);
        pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
        pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
        pthread_mutex_init(&shared->copy_up_lock, &attr);
        pthread_mutexattr_destroy(&attr);
        atomic_store(&shared->lock_state, 2);
    }
    while (atomic_load(&shared->lock_state) != 2) sched_yield();
}

static void undo_half_done(void);

static void lock_tree(struct quiet *q)
{
    quiet_begin(q);
    if (pthread_mutex_lock(&shared->copy_up_lock) == EOWNERDEAD) {
        pthread_mutex_consistent(&shared->copy_up_lock);
        undo_half_done();
    }
}

static void unlock_tree(struct quiet *q)
{
    pthread_mutex_unlock(&shared->copy_up_lock);
    quiet_end(q);
}

uint32_t regtree_generation(void)
{
    return atomic_load_explicit(&shared->generation, memory_order_acquire);
}

void regtree_wait(void)
{
    struct quiet q;

    lock_tree(&q);
    unlock_tree(&q);
}

void regtree_written(void)
{
    atomic_fetch_add_explicit(&shared->registry_writes, 1, memory_order_relaxed);
}

/* ---- copying a key up ---- */

static bool listed(const struct config_path *path, struct span logical)
{
    /* the configuration has no leading backslash */
    return logical.n == path->n + 1 &&
           span_has_prefix((struct span){ logical.s + 1, logical.n - 1 }, path->text, path->n);
}

static bool is_volatile(struct span logical)
{
    size_t i;

    for (i = 0; i < config.volatiles_n; i++)
        if (listed(&config.volatiles[i], logical)) return true;
    return false;
}

/* where the link for a base child leads: to the base, unless the base has a registry link there itself, whose
 * target must be looked up in the silo's tree */
static bool child_target(struct regpath *target, struct span base, struct span child, struct span logical)
{
    static const WCHAR backslash[] = { '\\' };
    CLEANUP(regpath_free) struct regpath parent = { 0 };
    size_t i;

    for (i = 0; i < config.links_n; i++)
        if (listed(&config.links[i].from, logical)) {
            if (!regpath_join(&parent, hive_span(), (struct span){ backslash, 1 })) return false;
            return regpath_join(target, path_span(&parent),
                                (struct span){ config.links[i].to.text, config.links[i].to.n });
        }
    if (!regpath_join(&parent, base, (struct span){ backslash, 1 })) return false;
    return regpath_join(target, path_span(&parent), child);
}

static NTSTATUS link_children(HANDLE from, HANDLE to, struct span base, struct span logical, ULONG options)
{
    static const WCHAR backslash[] = { '\\' };
    CLEANUP(regpath_free) struct regpath below = { 0 };
    CLEANUP(free_child) struct child_name child = { 0 };
    NTSTATUS status;
    ULONG index;

    if (!regpath_join(&below, logical, (struct span){ backslash, 1 })) return STATUS_NO_MEMORY;
    for (index = 0; !(status = nth_child(from, index, &child)); index++) {
        CLEANUP(regpath_free) struct regpath path = { 0 }, target = { 0 };

        /* a silo's own hives are not part of what a silo sees */
        if (span_equal_ascii(logical, "\\User") && child.name.n > 9 &&
            span_equal_ascii((struct span){ child.name.s, 9 }, "winesilo-"))
            continue;
        if (!regpath_join(&path, path_span(&below), child.name) ||
            !child_target(&target, base, child.name, path_span(&path)))
            return STATUS_NO_MEMORY;
        if ((status = make_link(to, child.name, child.class_name, options, path_span(&target)))) return status;
    }
    return status == STATUS_NO_MORE_ENTRIES ? STATUS_SUCCESS : status;
}

static void journal_begin(struct span logical, struct span target)
{
    shared->journal_n = 0;
    if (logical.n + target.n + 1 > SHARED_JOURNAL_MAX) return;
    memcpy(shared->journal, logical.s, logical.n * sizeof(WCHAR));
    shared->journal[logical.n] = 0;
    memcpy(shared->journal + logical.n + 1, target.s, target.n * sizeof(WCHAR));
    atomic_thread_fence(memory_order_seq_cst);
    shared->journal_n = (uint32_t)(logical.n + 1 + target.n);
}

/* Replace link, a child of parent that leads to a base key, by a private copy of that key. */
static NTSTATUS replace_link(HANDLE parent, HANDLE link, struct span logical, struct span target, HANDLE *copy)
{
    CLEANUP(regpath_free) struct regpath link_name = { 0 }, base_name = { 0 };
    CLEANUP(close_handle) HANDLE base = NULL, new = NULL;
    CLEANUP(free_memory) void *owner = NULL;
    struct growing g = { 0 };
    struct span class_name;
    ULONG options = is_volatile(logical) ? REG_OPTION_VOLATILE : 0;
    NTSTATUS status;

    if ((status = open_at(NULL, target, 0, KEY_READ_ACCESS, &base))) return status;
    if ((status = regkey_name(base, &base_name)) || (status = regkey_name(link, &link_name))) return status;
    read_class(base, &g, &class_name);
    owner = g.data;
    journal_begin(logical, target);
    atomic_fetch_add(&shared->generation, 1);
    status = real_NtDeleteKey(link);
    if (!status) {
        status = create_at(parent, last_component(path_span(&link_name)), options, class_name, &new);
        if (status == STATUS_CHILD_MUST_BE_VOLATILE)
            status = create_at(parent, last_component(path_span(&link_name)), options = REG_OPTION_VOLATILE, class_name, &new);
        if (!status) status = copy_values(base, new);
        if (!status) status = link_children(base, new, path_span(&base_name), logical, options);
    }
    if (status) undo_half_done();
    else {
        shared->journal_n = 0;
        atomic_fetch_add(&shared->generation, 1);
        regtree_written();
        *copy = steal(&new);
    }
    return status;
}

/* After a copy-up that did not come to its end: put the link back. The lock is held. */
static void undo_half_done(void)
{
    CLEANUP(close_handle) HANDLE key = NULL, parent = NULL;
    CLEANUP(regpath_free) struct regpath journal = { 0 }, unused = { 0 };
    struct span all = { shared->journal, shared->journal_n }, logical, target, none = { NULL, 0 };
    size_t i = 0;

    if (all.n && all.n <= SHARED_JOURNAL_MAX && regpath_join(&journal, all, none)) {
        while (i < journal.n && journal.s[i]) i++;
        logical = (struct span){ journal.s, i };
        target = (struct span){ journal.s + i + 1, journal.n > i ? journal.n - i - 1 : 0 };
        if (!regkey_open(parent_path(logical), KEY_ALL_ACCESS, &parent)) {
            if (!open_at(parent, last_component(logical), OBJ_OPENLINK, KEY_ALL_ACCESS, &key) &&
                !regkey_read_link(key, &unused)) {
                delete_tree(key, 0);
            }
            if (make_link(parent, last_component(logical), none, 0, target) == STATUS_CHILD_MUST_BE_VOLATILE)
                make_link(parent, last_component(logical), none, REG_OPTION_VOLATILE, target);
        }
    }
    shared->journal_n = 0;
    if (regtree_generation() & 1) atomic_fetch_add(&shared->generation, 1);
}

/* Walk down a logical path and make each key on it private; the lock is held. *key: the last one. */
static NTSTATUS walk(struct span logical, HANDLE *key)
{
    CLEANUP(regpath_free) struct regpath path = { 0 };
    CLEANUP(close_handle) HANDLE at = NULL;
    struct span none = { NULL, 0 };
    NTSTATUS status;
    size_t pos = 0;
    int depth = 0;

    if (!regpath_join(&path, logical, none)) return STATUS_NO_MEMORY;
    if ((status = open_at(NULL, hive_span(), 0, KEY_ALL_ACCESS, &at))) return status;
    while (pos < path.n) {
        CLEANUP(regpath_free) struct regpath target = { 0 };
        CLEANUP(close_handle) HANDLE child = NULL;
        struct span name, upto;
        HANDLE next;

        while (pos < path.n && path.s[pos] == '\\') pos++;
        if (pos == path.n) break;
        name.s = path.s + pos;
        while (pos < path.n && path.s[pos] != '\\') pos++;
        name.n = (size_t)(path.s + pos - name.s);
        upto = (struct span){ path.s, pos };
        if ((status = open_at(at, name, OBJ_OPENLINK, KEY_ALL_ACCESS, &child))) return status;
        if (!regkey_read_link(child, &target)) next = steal(&child);
        else if (regkey_is_private(path_span(&target))) {
            struct regpath again = { 0 };
            struct span rest = { path.s + pos, path.n - pos },
                        to = { target.s + names.hive_root_n, target.n - names.hive_root_n };

            if (++depth > LINK_DEPTH) return STATUS_OBJECT_NAME_NOT_FOUND;
            if (!regpath_join(&again, to, rest)) return STATUS_NO_MEMORY;
            regpath_free(&path);
            if (!regpath_join(&path, path_span(&again), none)) {
                regpath_free(&again);
                return STATUS_NO_MEMORY;
            }
            regpath_free(&again);
            pos = 0;
            if ((status = open_at(NULL, hive_span(), 0, KEY_ALL_ACCESS, &next))) return status;
        }
        else if ((status = replace_link(at, child, upto, path_span(&target), &next))) return status;
        real_NtClose(at);
        at = next;
    }
    *key = steal(&at);
    return STATUS_SUCCESS;
}

/* a cheap look before the walk: is it private already? */
static bool is_private_already(struct span logical)
{
    CLEANUP(regpath_free) struct regpath name = { 0 };
    CLEANUP(close_handle) HANDLE key = NULL;

    return !regkey_open(logical, KEY_READ_ACCESS, &key) && !regkey_name(key, &name) &&
           regkey_is_private(path_span(&name));
}

NTSTATUS regtree_copy_up(struct span logical)
{
    CLEANUP(close_handle) HANDLE key = NULL;
    struct quiet q;
    NTSTATUS status;

    lock_tree(&q);
    status = is_private_already(logical) ? STATUS_SUCCESS : walk(logical, &key);
    unlock_tree(&q);
    return status;
}

/* Make all keys below key, which is private, private too; the lock is held. */
static NTSTATUS walk_below(HANDLE key, struct span logical, int depth)
{
    static const WCHAR backslash[] = { '\\' };
    CLEANUP(regpath_free) struct regpath below = { 0 };
    CLEANUP(free_child) struct child_name child = { 0 };
    NTSTATUS status;
    ULONG index;

    if (depth > TREE_DEPTH) return STATUS_INVALID_PARAMETER;
    if (!regpath_join(&below, logical, (struct span){ backslash, 1 })) return STATUS_NO_MEMORY;
    for (index = 0; !(status = nth_child(key, index, &child)); index++) {
        CLEANUP(regpath_free) struct regpath path = { 0 }, target = { 0 };
        CLEANUP(close_handle) HANDLE entry = NULL, copy = NULL;

        if (!regpath_join(&path, path_span(&below), child.name)) return STATUS_NO_MEMORY;
        if ((status = open_at(key, child.name, OBJ_OPENLINK, KEY_ALL_ACCESS, &entry))) return status;
        if (regkey_read_link(entry, &target)) {
            if (regkey_is_private(path_span(&target))) continue;
            status = replace_link(key, entry, path_span(&path), path_span(&target), &copy);
            if (status == STATUS_OBJECT_NAME_NOT_FOUND) continue; /* its base key is gone */
            if (status) return status;
        }
        if ((status = walk_below(copy ? copy : entry, path_span(&path), depth + 1))) return status;
    }
    return status == STATUS_NO_MORE_ENTRIES ? STATUS_SUCCESS : status;
}

NTSTATUS regtree_copy_up_all(struct span logical)
{
    CLEANUP(close_handle) HANDLE key = NULL;
    struct quiet q;
    NTSTATUS status;

    lock_tree(&q);
    if (!(status = walk(logical, &key))) status = walk_below(key, logical, 0);
    unlock_tree(&q);
    return status;
}

/* ---- saving ---- */

/* Copy what is seen below from, links followed, into to. */
static NTSTATUS copy_tree(HANDLE from, HANDLE to, int depth)
{
    CLEANUP(free_child) struct child_name child = { 0 };
    NTSTATUS status;
    ULONG index;

    if (depth > TREE_DEPTH) return STATUS_INVALID_PARAMETER;
    if ((status = copy_values(from, to))) return status;
    for (index = 0; !(status = nth_child(from, index, &child)); index++) {
        CLEANUP(close_handle) HANDLE source = NULL, copy = NULL;

        status = open_at(from, child.name, 0, KEY_READ_ACCESS, &source);
        if (status == STATUS_OBJECT_NAME_NOT_FOUND) continue;
        if (status || (status = create_at(to, child.name, 0, child.class_name, &copy))) return status;
        if ((status = copy_tree(source, copy, depth + 1))) return status;
    }
    return status == STATUS_NO_MORE_ENTRIES ? STATUS_SUCCESS : status;
}

/* A key with links is copied aside first: the wineserver would save the links. */
NTSTATUS regtree_save(HANDLE key, HANDLE file)
{
    static const WCHAR name[] = { 'S', 'a', 'v', 'e' };
    const struct span save = { name, 4 }, none = { NULL, 0 };
    CLEANUP(close_handle) HANDLE hive = NULL, old = NULL, copy = NULL;
    struct quiet q;
    NTSTATUS status;

    if ((status = open_at(NULL, hive_span(), 0, KEY_ALL_ACCESS, &hive))) return status;
    lock_tree(&q);
    if (!open_at(hive, save, 0, KEY_ALL_ACCESS, &old)) delete_tree(old, 0); /* of a process that died here */
    if (!(status = create_at(hive, save, 0, none, &copy))) {
        status = copy_tree(key, copy, 0);
        if (!status) status = real_NtSaveKey(copy, file);
        delete_tree(copy, 0);
    }
    unlock_tree(&q);
    return status;
}

/* the parent of logical, made private, and what stands at logical; the lock is held */
static NTSTATUS open_entry(struct span logical, HANDLE *parent, HANDLE *entry)
{
    NTSTATUS status = walk(parent_path(logical), parent);

    return status ? status : open_at(*parent, last_component(logical), OBJ_OPENLINK, KEY_ALL_ACCESS, entry);
}

NTSTATUS regtree_prepare_child(struct span logical)
{
    CLEANUP(close_handle) HANDLE parent = NULL, entry = NULL, base = NULL;
    CLEANUP(regpath_free) struct regpath target = { 0 };
    struct quiet q;
    NTSTATUS status;

    lock_tree(&q);
    status = open_entry(logical, &parent, &entry);
    if (!status && regkey_read_link(entry, &target) && !regkey_is_private(path_span(&target)) &&
        open_at(NULL, path_span(&target), 0, KEY_READ_ACCESS, &base) == STATUS_OBJECT_NAME_NOT_FOUND)
        real_NtDeleteKey(entry);
    if (status == STATUS_OBJECT_NAME_NOT_FOUND && parent) status = STATUS_SUCCESS;
    unlock_tree(&q);
    return status;
}

NTSTATUS regtree_hide(struct span logical)
{
    CLEANUP(close_handle) HANDLE parent = NULL, entry = NULL;
    struct quiet q;
    NTSTATUS status;

    lock_tree(&q);
    status = open_entry(logical, &parent, &entry);
    if (!status) {
        atomic_fetch_add(&shared->generation, 1);
        status = real_NtDeleteKey(entry);
        atomic_fetch_add(&shared->generation, 1);
        regtree_written();
    }
    unlock_tree(&q);
    return status;
}
