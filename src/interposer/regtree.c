/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "regtree.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_MAX_CHARS = 32000, LINK_DEPTH = 16 };

static const WCHAR symbolic_link_value[] = { 'S', 'y', 'm', 'b', 'o', 'l', 'i', 'c', 'L', 'i',
                                             'n', 'k', 'V', 'a', 'l', 'u', 'e' };

#define CLEANUP(f) __attribute__((cleanup(f)))

static void close_handle(HANDLE *handle)
{
    if (*handle) real_NtClose(*handle);
}

static void free_memory(void *p)
{
    free(*(void **)p);
}

static HANDLE steal(HANDLE *handle)
{
    HANDLE h = *handle;

    *handle = NULL;
    return h;
}

/* ---- paths ---- */

void regpath_free(struct regpath *path)
{
    if (path->s && path->s != path->small) free(path->s);
    path->s = NULL;
    path->n = 0;
}

bool regpath_join(struct regpath *path, struct span a, struct span b)
{
    size_t n = a.n + b.n;
    WCHAR *s = path->small;

    if (n > PATH_MAX_CHARS) return false;
    if (n > sizeof(path->small) / sizeof(path->small[0]) && !(s = malloc(n * sizeof(WCHAR)))) return false;
    memmove(s, a.s, a.n * sizeof(WCHAR));
    memcpy(s + a.n, b.s, b.n * sizeof(WCHAR));
    path->s = s;
    path->n = n;
    return true;
}

static struct span path_span(const struct regpath *path)
{
    return (struct span){ path->s, path->n };
}

static struct span hive_span(void)
{
    return (struct span){ names.hive_root, names.hive_root_n };
}

NTSTATUS regtree_name(HANDLE key, struct regpath *path)
{
    struct {
        KEY_NAME_INFORMATION info;
        WCHAR more[400];
    } buffer;
    KEY_NAME_INFORMATION *info = &buffer.info;
    CLEANUP(free_memory) void *big = NULL;
    struct span none = { NULL, 0 };
    NTSTATUS status;
    ULONG need = 0;

    path->s = NULL;
    status = real_NtQueryKey(key, KeyNameInformation, info, sizeof(buffer), &need);
    if (status == STATUS_BUFFER_OVERFLOW) {
        if (!(info = big = malloc(need))) return STATUS_NO_MEMORY;
        status = real_NtQueryKey(key, KeyNameInformation, info, need, &need);
    }
    if (status) return status;
    return regpath_join(path, (struct span){ info->Name, info->NameLength / sizeof(WCHAR) }, none) ? STATUS_SUCCESS
                                                                                                  : STATUS_NO_MEMORY;
}

bool regtree_is_private(struct span full_name)
{
    return span_has_prefix(full_name, names.hive_root, names.hive_root_n);
}

bool regtree_logical(struct span full_name, struct span *logical)
{
    struct name_edit edit;
    size_t cut;

    if (regtree_is_private(full_name)) cut = names.hive_root_n;
    else if (classify_key(full_name, &edit) == NAME_MOVED) cut = edit.tail;
    else return false;
    logical->s = full_name.s + cut;
    logical->n = full_name.n - cut;
    while (logical->n && logical->s[logical->n - 1] == '\\') logical->n--;
    return logical->n > 1;
}

/* ---- small wrappers ---- */

static void set_attr(OBJECT_ATTRIBUTES *attr, UNICODE_STRING *us, HANDLE root, struct span name, ULONG flags)
{
    us->Buffer = (WCHAR *)name.s;
    us->Length = us->MaximumLength = (uint16_t)(name.n * sizeof(WCHAR));
    memset(attr, 0, sizeof(*attr));
    attr->Length = sizeof(*attr);
    attr->RootDirectory = root;
    attr->ObjectName = us;
    attr->Attributes = flags | OBJ_CASE_INSENSITIVE;
}

static NTSTATUS open_at(HANDLE root, struct span name, ULONG flags, ACCESS_MASK access, HANDLE *key)
{
    OBJECT_ATTRIBUTES attr;
    UNICODE_STRING us;
    NTSTATUS status;

    set_attr(&attr, &us, root, name, flags);
    status = real_NtOpenKeyEx(key, access, &attr, 0);
    if (status) *key = NULL;
    return status;
}

static NTSTATUS create_at(HANDLE root, struct span name, ULONG options, struct span class_name, HANDLE *key)
{
    UNICODE_STRING us, class_us = { (uint16_t)(class_name.n * sizeof(WCHAR)), (uint16_t)(class_name.n * sizeof(WCHAR)),
                                    (WCHAR *)class_name.s };
    OBJECT_ATTRIBUTES attr;
    NTSTATUS status;

    set_attr(&attr, &us, root, name, 0);
    status = real_NtCreateKey(key, KEY_ALL_ACCESS, &attr, 0, class_name.n ? &class_us : NULL, options, NULL);
    if (status) *key = NULL;
    return status;
}

bool regtree_read_link(HANDLE key, struct regpath *target)
{
    UNICODE_STRING name = { sizeof(symbolic_link_value), sizeof(symbolic_link_value), (WCHAR *)symbolic_link_value };
    struct span none = { NULL, 0 };
    struct {
        KEY_VALUE_PARTIAL_INFORMATION info;
        uint8_t more[1024];
    } buffer;
    KEY_VALUE_PARTIAL_INFORMATION *info = &buffer.info;
    CLEANUP(free_memory) void *big = NULL;
    NTSTATUS status;
    ULONG need = 0;

    target->s = NULL;
    status = real_NtQueryValueKey(key, &name, KeyValuePartialInformation, info, sizeof(buffer), &need);
    if (status == STATUS_BUFFER_OVERFLOW) {
        if (!(info = big = malloc(need))) return false;
        status = real_NtQueryValueKey(key, &name, KeyValuePartialInformation, info, need, &need);
    }
    if (status || info->Type != REG_LINK) return false;
    return regpath_join(target, (struct span){ (const WCHAR *)info->Data, info->DataLength / sizeof(WCHAR) }, none);
}

NTSTATUS regtree_open(struct span logical, ACCESS_MASK access, HANDLE *key)
{
    CLEANUP(regpath_free) struct regpath full = { 0 };

    if (!regpath_join(&full, hive_span(), logical)) return STATUS_NO_MEMORY;
    return open_at(NULL, path_span(&full), 0, access, key);
}

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

static NTSTATUS make_link(HANDLE parent, struct span name, struct span class_name, ULONG options, struct span target)
{
    UNICODE_STRING value = { sizeof(symbolic_link_value), sizeof(symbolic_link_value), (WCHAR *)symbolic_link_value };
    CLEANUP(close_handle) HANDLE link = NULL;
    NTSTATUS status;

    if ((status = create_at(parent, name, options | REG_OPTION_CREATE_LINK, class_name, &link))) return status;
    return real_NtSetValueKey(link, &value, 0, REG_LINK, target.s, (ULONG)(target.n * sizeof(WCHAR)));
}

/* run a query that may need a larger buffer; *buffer is malloc()ed and grows */
struct growing {
    void *data;
    ULONG size;
};

static bool grow(struct growing *g, ULONG need)
{
    void *data;

    if (need < 4096) need = 4096;
    if (!(data = realloc(g->data, need))) return false;
    g->data = data;
    g->size = need;
    return true;
}

static NTSTATUS copy_values(HANDLE from, HANDLE to)
{
    CLEANUP(free_memory) void *owner = NULL;
    struct growing g = { 0 };
    NTSTATUS status;
    ULONG index = 0, need;

    for (;;) {
        KEY_VALUE_FULL_INFORMATION *info;
        UNICODE_STRING name;

        if (!g.data && !grow(&g, 4096)) return STATUS_NO_MEMORY;
        owner = g.data;
        status = real_NtEnumerateValueKey(from, index, KeyValueFullInformation, g.data, g.size, &need);
        if (status == STATUS_BUFFER_OVERFLOW) {
            if (!grow(&g, need)) return STATUS_NO_MEMORY;
            owner = g.data;
            continue;
        }
        if (status == STATUS_NO_MORE_ENTRIES) return STATUS_SUCCESS;
        if (status) return status;
        info = g.data;
        name.Buffer = info->Name;
        name.Length = name.MaximumLength = (uint16_t)info->NameLength;
        status = real_NtSetValueKey(to, &name, 0, info->Type, (uint8_t *)info + info->DataOffset, info->DataLength);
        if (status) return status;
        index++;
    }
}

enum { TREE_DEPTH = 512 }; /* of a registry tree ([MS-RRP] 2.2.1.1 has no number; Windows allows 512 levels) */

struct child_name {
    struct growing g;
    struct span name, class_name;
};

/* The subkey at index, into *child (whose memory the caller frees). */
static NTSTATUS nth_child(HANDLE key, ULONG index, struct child_name *child)
{
    KEY_NODE_INFORMATION *info;
    NTSTATUS status;
    ULONG need;

    if (!child->g.data && !grow(&child->g, 4096)) return STATUS_NO_MEMORY;
    status = real_NtEnumerateKey(key, index, KeyNodeInformation, child->g.data, child->g.size, &need);
    if (status == STATUS_BUFFER_OVERFLOW) {
        if (!grow(&child->g, need)) return STATUS_NO_MEMORY;
        status = real_NtEnumerateKey(key, index, KeyNodeInformation, child->g.data, child->g.size, &need);
    }
    if (status) return status;
    info = child->g.data;
    child->name = (struct span){ info->Name, info->NameLength / sizeof(WCHAR) };
    child->class_name = (struct span){ NULL, 0 };
    if (info->ClassLength && info->ClassOffset != (ULONG)-1)
        child->class_name = (struct span){ (WCHAR *)((uint8_t *)info + info->ClassOffset), info->ClassLength / sizeof(WCHAR) };
    return STATUS_SUCCESS;
}

static void free_child(struct child_name *child)
{
    free(child->g.data);
}

/* Delete a key with everything below it, links themselves and not what they lead to. */
static bool delete_tree(HANDLE key, int depth)
{
    CLEANUP(free_child) struct child_name child = { 0 };

    while (!nth_child(key, 0, &child)) {
        CLEANUP(close_handle) HANDLE entry = NULL;

        if (depth > TREE_DEPTH || open_at(key, child.name, OBJ_OPENLINK, KEY_ALL_ACCESS, &entry)) return false;
        if (!delete_tree(entry, depth + 1)) return false;
    }
    return !real_NtDeleteKey(key);
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

static void read_class(HANDLE key, struct growing *g, struct span *class_name)
{
    KEY_FULL_INFORMATION *info;
    ULONG need = 0;

    *class_name = (struct span){ NULL, 0 };
    if (!grow(g, 4096)) return;
    if (real_NtQueryKey(key, KeyFullInformation, g->data, g->size, &need) == STATUS_BUFFER_OVERFLOW) {
        if (!grow(g, need) || real_NtQueryKey(key, KeyFullInformation, g->data, g->size, &need)) return;
    }
    info = g->data;
    if (info->ClassLength && info->ClassOffset != (ULONG)-1)
        *class_name = (struct span){ (WCHAR *)((uint8_t *)info + info->ClassOffset), info->ClassLength / sizeof(WCHAR) };
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

static struct span last_component(struct span path)
{
    size_t i = path.n;

    while (i && path.s[i - 1] != '\\') i--;
    return (struct span){ path.s + i, path.n - i };
}

static struct span parent_path(struct span path)
{
    size_t i = path.n;

    while (i && path.s[i - 1] != '\\') i--;
    return (struct span){ path.s, i ? i - 1 : 0 };
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
    if ((status = regtree_name(base, &base_name)) || (status = regtree_name(link, &link_name))) return status;
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
        if (!regtree_open(parent_path(logical), KEY_ALL_ACCESS, &parent)) {
            if (!open_at(parent, last_component(logical), OBJ_OPENLINK, KEY_ALL_ACCESS, &key) &&
                !regtree_read_link(key, &unused)) {
                delete_tree(key, 0);
            }
            make_link(parent, last_component(logical), none, 0, target);
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
        if (!regtree_read_link(child, &target)) next = steal(&child);
        else if (regtree_is_private(path_span(&target))) {
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

    return !regtree_open(logical, KEY_READ_ACCESS, &key) && !regtree_name(key, &name) &&
           regtree_is_private(path_span(&name));
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
        if (regtree_read_link(entry, &target)) {
            if (regtree_is_private(path_span(&target))) continue;
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
    if (!status && regtree_read_link(entry, &target) && !regtree_is_private(path_span(&target)) &&
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
