/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "regwork.h"

/* ---- copying keys up ---- */

bool is_volatile(struct span logical)
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
void keep_time(HANDLE key, uint32_t node, int64_t before)
{
    const struct key_node *n = &INDEX->nodes[node];

    index_set_times(INDEX, node, last_write(key), before == n->touched && n->shown ? n->shown : before);
}

static NTSTATUS mark_copying(HANDLE key, bool on)
{
    UNICODE_STRING name = { (uint16_t)(mark.n * sizeof(WCHAR)), (uint16_t)(mark.n * sizeof(WCHAR)), (WCHAR *)mark.s };

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
NTSTATUS copy_path(struct span logical, uint32_t *node)
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

/* Visit the base's children of a key that show in the silo and are not private; the lock is held. */
NTSTATUS visit_base_children(struct span logical, struct visitor *visitor)
{
    CLEANUP(free_child) struct child_name child = { 0 };
    CLEANUP(close_handle) HANDLE base = NULL;
    NTSTATUS status = base_open(logical, KEY_READ_ACCESS, &base);
    ULONG i;

    if (status) return status == STATUS_OBJECT_NAME_NOT_FOUND ? STATUS_SUCCESS : status;
    for (i = 0; !(status = nth_child(base, i, &child)); i++) {
        CLEANUP(regpath_free) struct regpath path = { 0 };
        uint32_t node = child_of(visitor->parent, child.name);

        if (is_private_kind(kind_of(node)) || kind_of(node) == KIND_HIDDEN || is_silo_hive(visitor->parent, child.name)) continue;
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
NTSTATUS copy_below(uint32_t node, struct span logical, int depth)
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
NTSTATUS make_opaque(HANDLE key, uint32_t node)
{
    int64_t before = last_write(key);
    NTSTATUS status = make_link(key, mark, nothing);

    if (status) return status;
    keep_time(key, node, before);
    index_set_kind(INDEX, node, KIND_OPAQUE);
    return STATUS_SUCCESS;
}

static bool is_there(struct key_id id)
{
    return id.node && id.node < INDEX_NODES && INDEX->nodes[id.node].serial == id.serial;
}

NTSTATUS regtree_publish(struct span logical, struct key_id above, HANDLE key, bool link, struct key_id *id)
{
    NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;
    CLEANUP(close_handle) HANDLE own = NULL;
    struct quiet q;
    uint32_t parent, node = 0;

    lock_tree(&q);
    parent = is_there(above) ? above.node : node_of(parent_path(logical));
    if (holds_keys(kind_of(parent)) && (node = index_add(INDEX, parent, last_component(logical)))) {
        status = STATUS_SUCCESS;
        if (kind_of(node) == KIND_HIDDEN && !link) {
            if (!(status = private_open(logical, KEY_ALL_ACCESS, &own))) status = make_opaque(own, node);
        }
        else if (!is_private_kind(kind_of(node))) index_set_kind(INDEX, node, link ? KIND_LINK : KIND_OWN);
    }
    if (status) real_NtDeleteKey(key);
    *id = (struct key_id){ node, INDEX->nodes[node].serial };
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
NTSTATUS hide(struct span logical, uint32_t parent_node)
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

/* The base has a key in the place of node's: put a mark there. */
static bool hide_below(uint32_t node)
{
    CLEANUP(regpath_free) struct regpath path = { 0 };

    return regtree_path(node, INDEX->nodes[node].serial, &path) && base_has(path_span(&path)) &&
           !hide(path_span(&path), INDEX->nodes[node].parent);
}

/* The private key of node is gone: so is what the base has there. */
static void forget(uint32_t node)
{
    bool own = kind_of(node) == KIND_OWN || kind_of(INDEX->nodes[node].parent) != KIND_MERGED;

    drop_children(node);
    if (kind_of(node) != KIND_OWN && own) index_set_moved(INDEX, node, 0); /* a copy below a renamed key */
    if (own || !hide_below(node)) index_drop(INDEX, node);
    regtree_written();
}

/* May a key be deleted that the base's keys can show below, and that marks can be below? Then the marks go. */
static NTSTATUS prepare_delete(uint32_t node, HANDLE key)
{
    CLEANUP(regpath_free) struct regpath path = { 0 };
    NTSTATUS status;

    if (kind_of(node) != KIND_MERGED && kind_of(node) != KIND_OPAQUE) return STATUS_SUCCESS;
    if (!(granted_access(key) & DELETE_ACCESS)) return STATUS_ACCESS_DENIED;
    if (!regtree_path(node, INDEX->nodes[node].serial, &path)) return STATUS_NO_MEMORY;
    if (!(status = has_no_subkeys(node, path_span(&path)))) delete_marks(path_span(&path));
    return status;
}

NTSTATUS regtree_delete(struct key_id id, HANDLE key)
{
    struct quiet q;
    NTSTATUS status;

    lock_tree(&q);
    if (!is_there(id)) status = real_NtDeleteKey(key); /* deleted already */
    else if (!is_private_kind(kind_of(id.node))) status = STATUS_KEY_DELETED;
    else if (!(status = prepare_delete(id.node, key)) && !(status = real_NtDeleteKey(key))) forget(id.node);
    unlock_tree(&q);
    return status;
}

void regtree_forget(struct span logical)
{
    struct quiet q;
    uint32_t node;

    lock_tree(&q);
    if ((node = node_of(logical)) > INDEX_USER) forget(node);
    unlock_tree(&q);
}
