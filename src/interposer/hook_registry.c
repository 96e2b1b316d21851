/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Registry calls. A name leads to the silo's own key or to the base's (keyplace.c); a key of the base is copied up
 * at the first write through a handle of it (regtree.c), and a handle opened before that sees the private key after
 * it. A private key's subkeys are its own and the base's (keylist.c). See docs/design/registry.md. */
#include <stdlib.h>
#include <string.h>

#include "keylist.h"
#include "keyplace.h"

/* the names of links, and what else an attribute says about them */
static unsigned int link_flags(const OBJECT_ATTRIBUTES *attr)
{
    return attr && (attr->Attributes & OBJ_OPENLINK) ? PLACE_OPEN_LINK : 0;
}

/* ---- opening ---- */

static NTSTATUS open_key(HANDLE *key, ACCESS_MASK access, const OBJECT_ATTRIBUTES *asked, ULONG options, const char *call)
{
    unsigned int flags;
    NTSTATUS status;

    *key = NULL; /* before the attributes are looked at, which may not be there */
    flags = link_flags(asked);
    for (;;) {
        const OBJECT_ATTRIBUTES *attr = asked;
        uint32_t generation = regtree_generation();
        ACCESS_MASK rights = access;
        struct place place;

        if ((status = place_find(&place, &attr, &rights, flags, call))) return status;
        status = real_NtOpenKeyEx(key, rights, attr, options);
        if (NT_SUCCESS(status)) {
            place_note(&place, *key, generation);
            return status;
        }
        if (status == STATUS_OBJECT_NAME_NOT_FOUND) place_note_absent(&place);
        if (status == STATUS_KEY_DELETED && place.by_lower) { /* the host made its key anew */
            flags |= PLACE_WHOLE;
            continue;
        }
        if (regtree_generation() == generation) return status;
    }
}

NTSTATUS hook_NtOpenKey(HANDLE *key, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr)
{
    return open_key(key, access, attr, 0, "NtOpenKey");
}

NTSTATUS hook_NtOpenKeyEx(HANDLE *key, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr, ULONG options)
{
    return open_key(key, access, attr, options, "NtOpenKeyEx");
}

/* Wine 8 has no transactions; later ones open the key as if there were none, but by a call that no hook sees. */
static NTSTATUS open_transacted(HANDLE *key, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr, ULONG options,
                                const char *call)
{
    const OBJECT_ATTRIBUTES none = { .Length = 0 };
    HANDLE handle;
    NTSTATUS status = real_NtOpenKeyTransactedEx(&handle, 0, &none, 0, NULL);

    return status == STATUS_NOT_IMPLEMENTED ? status : open_key(key, access, attr, options, call);
}

NTSTATUS hook_NtOpenKeyTransacted(HANDLE *key, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr, HANDLE transaction)
{
    (void)transaction;
    return open_transacted(key, access, attr, 0, "NtOpenKeyTransacted");
}

NTSTATUS hook_NtOpenKeyTransactedEx(HANDLE *key, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr, ULONG options,
                                    HANDLE transaction)
{
    (void)transaction;
    return open_transacted(key, access, attr, options, "NtOpenKeyTransactedEx");
}

/* ---- creating ---- */

struct creation {
    HANDLE *key;
    ACCESS_MASK access;
    const OBJECT_ATTRIBUTES *attr;
    ULONG index;
    const UNICODE_STRING *class_name;
    ULONG options, disposition;
};

static NTSTATUS create(struct creation *c, const OBJECT_ATTRIBUTES *attr, ACCESS_MASK access)
{
    return real_NtCreateKey(c->key, access, attr, c->index, c->class_name, c->options, &c->disposition);
}

static bool has_class(const struct creation *c)
{
    return c->class_name && c->class_name->Length && c->class_name->Buffer;
}

/* The base's key at a place. STATUS_OBJECT_NAME_NOT_FOUND: there is none; STATUS_RETRY: it was copied up. */
static NTSTATUS open_existing(struct creation *c, const struct place *place, const OBJECT_ATTRIBUTES *attr,
                              ACCESS_MASK access, uint32_t generation)
{
    NTSTATUS status;
    HANDLE key;

    if (c->options & REG_OPTION_CREATE_LINK) {
        status = base_open(place->logical, KEY_QUERY_VALUE, &key);
        if (!status) real_NtClose(key);
        return status ? status : STATUS_OBJECT_NAME_COLLISION;
    }
    if (place_is_absent(place)) return STATUS_OBJECT_NAME_NOT_FOUND;
    status = real_NtOpenKeyEx(&key, access, attr, 0);
    if (status == STATUS_OBJECT_NAME_NOT_FOUND) place_note_absent(place);
    if (!NT_SUCCESS(status)) return status;
    if (!status && has_class(c)) { /* which changes the key's class */
        real_NtClose(key);
        status = regtree_copy_up(place->logical);
        return status ? status : STATUS_RETRY;
    }
    place_note(place, key, generation);
    *c->key = key;
    c->disposition = c->attr->ObjectName->Length ? REG_OPENED_EXISTING_KEY : REG_CREATED_NEW_KEY; /* as Wine has it */
    return status;
}

/* Before the silo's tree is changed for a new key: what is wrong with the class or the security descriptor. The key is to
 * be made below none, of which the wineserver speaks last. */
static NTSTATUS rehearse(const struct creation *c)
{
    UNICODE_STRING none = { 0, 0, NULL };
    OBJECT_ATTRIBUTES nowhere = *c->attr;
    ULONG disposition;
    NTSTATUS status;
    HANDLE key;

    if (!(c->class_name && c->class_name->Length) && !nowhere.SecurityDescriptor) return STATUS_SUCCESS;
    nowhere.RootDirectory = (HANDLE)(intptr_t)-1;
    nowhere.ObjectName = &none;
    status = real_NtCreateKey(&key, c->access, &nowhere, c->index, c->class_name, c->options, &disposition);
    return status == STATUS_OBJECT_TYPE_MISMATCH ? STATUS_SUCCESS : status;
}

static NTSTATUS create_in_hive(struct creation *c, struct place *place, ACCESS_MASK access)
{
    const OBJECT_ATTRIBUTES *attr = c->attr;
    HANDLE parent = NULL;
    NTSTATUS status = place_in_hive(place, &attr, &parent);

    if (status) return status;
    status = create(c, attr, access);
    if (parent) real_NtClose(parent);
    return status;
}

/* There is no key at the place: make one. */
static NTSTATUS create_new(struct creation *c, struct place *place, ACCESS_MASK access, uint32_t generation)
{
    struct key_id above, id;
    NTSTATUS status;

    TRACE("NtCreateKey", "create", place->logical);
    if ((status = rehearse(c))) return status;
    above = place_above(place);
    status = above.node ? create_in_hive(c, place, access) : STATUS_RETRY; /* what failed is tried with care */
    if (status) {
        if ((status = regtree_prepare_create(place->logical))) return status;
        if ((status = create_in_hive(c, place, access))) regtree_not_created(place->logical);
        if (status) return status;
    }
    if ((status = regtree_publish(place->logical, above, *c->key, c->options & REG_OPTION_CREATE_LINK, &id))) {
        real_NtClose(*c->key);
        *c->key = NULL;
        return status;
    }
    key_note(*c->key, KEY_PRIVATE, generation, id.node, id.serial);
    return STATUS_SUCCESS;
}

static NTSTATUS create_key(struct creation *c)
{
    const unsigned int flags = PLACE_WHOLE | link_flags(c->attr) | (c->options & REG_OPTION_CREATE_LINK ? PLACE_OPEN_LINK : 0);
    NTSTATUS status;

    do {
        const OBJECT_ATTRIBUTES *attr = c->attr;
        uint32_t generation = regtree_generation();
        ACCESS_MASK access = c->access;
        struct place place;

        if ((status = place_find(&place, &attr, &access, flags, "NtCreateKey"))) return status;
        if (!place.ours) return create(c, attr, access);
        if (place.walk.place == PLACE_PRIVATE) {
            if ((status = create(c, attr, access))) return status;
            place_note(&place, *c->key, generation);
            if (has_class(c) || c->disposition != REG_OPENED_EXISTING_KEY) regtree_written();
            return STATUS_SUCCESS;
        }
        status = place.walk.place == PLACE_ABSENT ? STATUS_OBJECT_NAME_NOT_FOUND
                                                  : open_existing(c, &place, attr, access, generation);
        if (status == STATUS_OBJECT_NAME_NOT_FOUND) return create_new(c, &place, access, generation);
    } while (status == STATUS_RETRY);
    return status;
}

NTSTATUS hook_NtCreateKey(HANDLE *key, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr, ULONG index,
                          const UNICODE_STRING *class_name, ULONG options, ULONG *disposition)
{
    struct creation c = { key, access, attr, index, class_name, options, 0 };
    NTSTATUS status;

    *key = NULL;
    if (attr->Length != sizeof(*attr) || (!attr->ObjectName->Length && !attr->RootDirectory))
        return real_NtCreateKey(key, access, attr, index, class_name, options, disposition);
    status = create_key(&c);
    if (c.disposition && disposition) *disposition = c.disposition;
    return status;
}

/* ---- deleting ---- */

static NTSTATUS delete_base_key(HANDLE key)
{
    CLEANUP(regpath_free) struct regpath name = { 0 };
    struct span logical;
    NTSTATUS status;

    if (!(granted_access(key) & DELETE_ACCESS)) return STATUS_ACCESS_DENIED;
    if ((status = regkey_name(key, &name))) return status;
    if (!regkey_logical(path_span(&name), &logical) || !logical.n) return STATUS_ACCESS_DENIED;
    TRACE("NtDeleteKey", "hide", logical);
    status = regtree_hide(logical, false);
    if (status == STATUS_PREDEFINED_HANDLE) return STATUS_INVALID_HANDLE;
    return status ? status : key_is_gone(key);
}

NTSTATUS hook_NtDeleteKey(HANDLE key)
{
    struct slot *slot;
    int tries;

    for (tries = 0; tries < 4; tries++) {
        HANDLE use = key;
        NTSTATUS status = key_for_reading(&use, &slot);

        if (status) return status;
        if (!slot || slot->state == KEY_FOREIGN) return real_NtDeleteKey(use);
        if (slot->state == KEY_BASE) status = delete_base_key(key);
        else status = regtree_delete((struct key_id){ slot->node, slot->serial }, use);
        if (status != STATUS_KEY_DELETED) return status;
    }
    return STATUS_KEY_DELETED;
}

/* ---- what is said of a key ---- */

/* The name of a private key without the prefix, as an answer to KeyNameInformation; own: what the wineserver said. */
static NTSTATUS give_name(const KEY_NAME_INFORMATION *own, KEY_NAME_INFORMATION *info, ULONG size, ULONG *needed)
{
    const size_t head = offsetof(KEY_NAME_INFORMATION, Name);
    struct span full = { own->Name, own->NameLength / sizeof(WCHAR) };
    size_t keep = 0, cut = strip_key(&names, full, &keep), i, room;

    *needed = (ULONG)(head + (full.n - cut) * sizeof(WCHAR));
    if (size < head) return STATUS_BUFFER_TOO_SMALL;
    room = (size - head) / sizeof(WCHAR);
    info->NameLength = (ULONG)((full.n - cut) * sizeof(WCHAR));
    for (i = 0; i < full.n - cut && i < room; i++) info->Name[i] = full.s[i < keep ? i : i + cut];
    return i == full.n - cut ? STATUS_SUCCESS : STATUS_BUFFER_OVERFLOW;
}

static NTSTATUS query_name(HANDLE key, void *info, ULONG size, ULONG *needed)
{
    KEY_NAME_INFORMATION *own = thread_buffer(0);

    if (!own || real_NtQueryKey(key, KeyNameInformation, own, THREAD_BUFFER, needed) ||
        !regkey_is_private((struct span){ own->Name, own->NameLength / sizeof(WCHAR) }))
        return real_NtQueryKey(key, KeyNameInformation, info, size, needed);
    return give_name(own, info, size, needed);
}

/* A key that was copied up keeps the last-write time it had, until it is written to. All answers begin with it. */
static void show_time(const struct key_node *node, void *info, ULONG size)
{
    int64_t time;

    if (!node->shown || size < sizeof(time)) return;
    memcpy(&time, info, sizeof(time));
    if (time == node->touched) memcpy(info, &node->shown, sizeof(time));
}

static void put_at(void *info, ULONG size, size_t at, ULONG value)
{
    if (size >= at + sizeof(value)) memcpy((uint8_t *)info + at, &value, sizeof(value));
}

/* the numbers of KeyFullInformation and KeyCachedInformation, with the base's subkeys */
static NTSTATUS show_totals(const struct listed_key *list, ULONG info_class, void *info, ULONG size)
{
    struct list_totals totals;
    NTSTATUS status = list_totals(list, &totals);
    ULONG max_class;

    if (status) return status;
    if (info_class == KeyCachedInformation) {
        put_at(info, size, offsetof(KEY_CACHED_INFORMATION, SubKeys), totals.subkeys);
        put_at(info, size, offsetof(KEY_CACHED_INFORMATION, MaxNameLen), totals.max_name);
        return STATUS_SUCCESS;
    }
    put_at(info, size, offsetof(KEY_FULL_INFORMATION, SubKeys), totals.subkeys);
    put_at(info, size, offsetof(KEY_FULL_INFORMATION, MaxNameLen), totals.max_name);
    if (size < offsetof(KEY_FULL_INFORMATION, MaxClassLen) + sizeof(max_class)) return STATUS_SUCCESS;
    memcpy(&max_class, (uint8_t *)info + offsetof(KEY_FULL_INFORMATION, MaxClassLen), sizeof(max_class));
    if (totals.max_class > max_class) put_at(info, size, offsetof(KEY_FULL_INFORMATION, MaxClassLen), totals.max_class);
    return STATUS_SUCCESS;
}

NTSTATUS hook_NtQueryKey(HANDLE key, ULONG info_class, void *info, ULONG size, ULONG *needed)
{
    HANDLE use = key, lower;
    struct key_node node;
    struct slot *slot;
    NTSTATUS status = key_for_reading(&use, &slot), merged;

    if (status) return status;
    if (info_class == KeyNameInformation) return query_name(use, info, size, needed);
    if (!key_peek(slot, &node)) return real_NtQueryKey(use, info_class, info, size, needed);
    /* the hive's own name is no name for \Registry */
    if (slot->node == INDEX_ROOT && info_class <= KeyNodeInformation && (lower = key_lower(slot, &node))) use = lower;
    status = real_NtQueryKey(use, info_class, info, size, needed);
    if (status && status != STATUS_BUFFER_OVERFLOW && status != STATUS_BUFFER_TOO_SMALL) return status;
    show_time(&node, info, size);
    if ((node.kind == KIND_MERGED || node.kind == KIND_OPAQUE) &&
        (info_class == KeyFullInformation || info_class == KeyCachedInformation)) {
        const struct listed_key list = { use, key_lower(slot, &node), slot->node, slot->serial };

        if ((merged = show_totals(&list, info_class, info, size))) return merged;
    }
    return status;
}

/* ---- listing ---- */

/* A complete KEY_NODE_INFORMATION as an answer. False: it does not fit, the real call has to say how. */
static bool give_node(const KEY_NODE_INFORMATION *own, ULONG own_size, ULONG info_class, void *info, ULONG size, ULONG *needed)
{
    const size_t node_head = offsetof(KEY_NODE_INFORMATION, Name), head = offsetof(KEY_BASIC_INFORMATION, Name);
    KEY_BASIC_INFORMATION basic = { own->LastWriteTime, own->TitleIndex, own->NameLength, { 0 } };

    if (info_class == KeyNodeInformation) {
        if (size < own_size) return false;
        memcpy(info, own, own_size);
        *needed = own_size;
        return true;
    }
    if (info_class != KeyBasicInformation || size < head + own->NameLength) return false;
    memcpy(info, &basic, head);
    memcpy((uint8_t *)info + head, (const uint8_t *)own + node_head, own->NameLength);
    *needed = (ULONG)(head + own->NameLength);
    return true;
}

union node_info {
    KEY_NODE_INFORMATION info;
    uint8_t bytes[LIST_INFO_MAX];
};

/* A private child that is not where it was looked for, or that more is asked of than its name. */
static NTSTATUS query_child(const struct listed_key *list, const struct key_node *child, ULONG info_class, void *info,
                            ULONG size, ULONG *needed)
{
    WCHAR text[INDEX_NAME_MAX];
    struct span name = { text, child->name_n };
    void *own = thread_buffer(0);
    ULONG used = 0, n = size < THREAD_BUFFER ? size : THREAD_BUFFER;
    NTSTATUS status;
    HANDLE key;

    if (!own || child->name_n > INDEX_NAME_MAX || child->name > INDEX_TEXT - INDEX_NAME_MAX) return STATUS_NO_MEMORY;
    memcpy(text, INDEX->text + child->name, name.n * sizeof(WCHAR));
    if ((status = open_at(list->key, name, OBJ_OPENLINK, KEY_QUERY_VALUE, &key))) return status;
    status = hook_NtQueryKey(key, info_class, own, n, &used);
    hook_NtClose(key);
    *needed = used;
    if (!status || status == STATUS_BUFFER_OVERFLOW) memcpy(info, own, used < n ? used : n);
    return status;
}

static NTSTATUS give_private(const struct listed_key *list, const struct list_item *item, ULONG info_class, void *info,
                             ULONG size, ULONG *needed)
{
    union node_info own;
    struct key_node child;
    struct span name;
    ULONG used = 0;
    NTSTATUS status;

    while (!index_peek(INDEX, item->node, INDEX->nodes[item->node].serial, &child)) regtree_wait();
    if (info_class > KeyNodeInformation) return query_child(list, &child, info_class, info, size, needed);
    status = real_NtEnumerateKey(list->key, item->position, KeyNodeInformation, &own, sizeof(own), &used);
    name = (struct span){ own.info.Name, own.info.NameLength / sizeof(WCHAR) };
    if (status || name.n != child.name_n || child.name > INDEX_TEXT - INDEX_NAME_MAX ||
        key_compare(name, (struct span){ INDEX->text + child.name, name.n }))
        return status == STATUS_ACCESS_DENIED || status == STATUS_KEY_DELETED || status == STATUS_INVALID_HANDLE
                   ? status
                   : query_child(list, &child, info_class, info, size, needed);
    show_time(&child, &own, sizeof(own));
    if (give_node(&own.info, used, info_class, info, size, needed)) return STATUS_SUCCESS;
    status = real_NtEnumerateKey(list->key, item->position, info_class, info, size, needed);
    show_time(&child, info, size);
    return status;
}

/* The base's part of a list is read through a handle of ours: the right to do so must be the program's. */
static bool may_list(HANDLE key, struct slot *slot)
{
    enum { CHECKED = 1 };

    if (slot->flags & CHECKED) return true;
    if (!(granted_access(key) & KEY_ENUMERATE_SUB_KEYS)) return false;
    slot->flags |= CHECKED;
    return true;
}

static NTSTATUS enumerate_merged(const struct listed_key *list, ULONG index, ULONG info_class, void *info, ULONG size,
                                 ULONG *needed)
{
    struct list_item item;
    union node_info own;
    NTSTATUS status = list_item(list, index, &item, &own);

    if (status) return status;
    if (!item.in_base) return give_private(list, &item, info_class, info, size, needed);
    if (item.info_size && give_node(&own.info, item.info_size, info_class, info, size, needed)) return STATUS_SUCCESS;
    return real_NtEnumerateKey(list->lower, item.position, info_class, info, size, needed);
}

NTSTATUS hook_NtEnumerateKey(HANDLE key, ULONG index, ULONG info_class, void *info, ULONG size, ULONG *needed)
{
    HANDLE use = key;
    struct key_node node;
    struct slot *slot;
    NTSTATUS status = key_for_reading(&use, &slot);

    if (status) return status;
    if (index == (ULONG)-1 || info_class > KeyCachedInformation || !key_peek(slot, &node))
        return real_NtEnumerateKey(use, index, info_class, info, size, needed);
    if (node.kind == KIND_MERGED || node.kind == KIND_OPAQUE) {
        const struct listed_key list = { use, key_lower(slot, &node), slot->node, slot->serial };

        return may_list(use, slot) ? enumerate_merged(&list, index, info_class, info, size, needed) : STATUS_ACCESS_DENIED;
    }
    if (info_class == KeyNameInformation) {
        KEY_NAME_INFORMATION *own = thread_buffer(0);

        if (!own) return STATUS_NO_MEMORY;
        status = real_NtEnumerateKey(use, index, info_class, own, THREAD_BUFFER, needed);
        return status ? status : give_name(own, info, size, needed);
    }
    return real_NtEnumerateKey(use, index, info_class, info, size, needed);
}

/* ---- values ---- */

#define READING(name, params, args)                                    \
    NTSTATUS hook_##name params                                        \
    {                                                                  \
        struct slot *slot;                                             \
        NTSTATUS status = key_for_reading(&key, &slot);                \
        return status ? status : real_##name args;                     \
    }

#define WRITING(need, name, params, args)                              \
    NTSTATUS hook_##name params                                        \
    {                                                                  \
        NTSTATUS status = key_for_writing(&key, need);                 \
        return status ? status : real_##name args;                     \
    }

READING(NtQueryValueKey,
        (HANDLE key, const UNICODE_STRING *name, ULONG info_class, void *info, ULONG size, ULONG *needed),
        (key, name, info_class, info, size, needed))
READING(NtEnumerateValueKey, (HANDLE key, ULONG index, ULONG info_class, void *info, ULONG size, ULONG *needed),
        (key, index, info_class, info, size, needed))
READING(NtQueryMultipleValueKey, (HANDLE key, void *entries, ULONG count, void *buffer, ULONG size, ULONG *needed),
        (key, entries, count, buffer, size, needed))
READING(NtFlushKey, (HANDLE key), (key))
WRITING(KEY_SET_VALUE, NtSetInformationKey, (HANDLE key, ULONG info_class, void *info, ULONG size),
        (key, info_class, info, size))
WRITING(KEY_SET_VALUE, NtRestoreKey, (HANDLE key, HANDLE file, ULONG flags), (key, file, flags))
WRITING(KEY_SET_VALUE, NtReplaceKey, (OBJECT_ATTRIBUTES *attr, HANDLE key, OBJECT_ATTRIBUTES *replace),
        (attr, key, replace))

/* A value of a key has changed. */
static void note_written(HANDLE key)
{
    const struct slot *slot = slot_of(key);

    if (slot && slot->kind == SLOT_KEY && slot->state == KEY_PRIVATE) index_note_written(INDEX, slot->node, slot->serial);
}

/* The value of a private link has changed: the index must know where it leads. */
static void note_link(HANDLE key)
{
    CLEANUP(regpath_free) struct regpath path = { 0 };
    struct slot *slot = slot_of(key);
    struct key_node node;

    if (key_peek(slot, &node) && node.kind == KIND_LINK && regtree_path(slot->node, slot->serial, &path))
        regtree_note_target(path_span(&path));
}

NTSTATUS hook_NtSetValueKey(HANDLE key, const UNICODE_STRING *name, ULONG index, ULONG type, const void *data, ULONG size)
{
    HANDLE use = key;
    NTSTATUS status = key_for_writing(&use, KEY_SET_VALUE);

    if (status) return status;
    status = real_NtSetValueKey(use, name, index, type, data, size);
    if (!status) note_written(key);
    if (!status && __builtin_expect(type == REG_LINK, 0)) note_link(key);
    return status;
}

NTSTATUS hook_NtDeleteValueKey(HANDLE key, const UNICODE_STRING *name)
{
    HANDLE use = key;
    NTSTATUS status = key_for_writing(&use, KEY_SET_VALUE);

    if (status) return status;
    status = real_NtDeleteValueKey(use, name);
    if (!status) note_written(key);
    if (!status && __builtin_expect(name->Length == 34, 0)) note_link(key); /* as long as SymbolicLinkValue */
    return status;
}
