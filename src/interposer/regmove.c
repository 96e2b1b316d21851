/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "regwork.h"

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
    bool merged = kind_of(parent) == KIND_MERGED, copied = kind_of(node) != KIND_OWN;
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
        merged = merged && base_has(logical);
        if (copied && (merged || kind_of(parent) != KIND_MERGED) && (old = index_add(INDEX, parent, last_component(logical))))
            index_set_moved(INDEX, old, node);
        if (merged) hide(logical, parent);
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
    else if (is_silo_hive(INDEX->nodes[node].parent, name)) status = STATUS_ACCESS_DENIED;
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
