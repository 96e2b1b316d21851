/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Registry calls on more than a key: watching, renaming, saving, and hives that programs load. hook_registry.c has
 * the others. */
#include <string.h>

#include "keyplace.h"

/* ---- watching ---- */

struct watch {
    HANDLE event;
    PIO_APC_ROUTINE apc;
    void *apc_context;
    IO_STATUS_BLOCK *io;
    ULONG filter;
    BOOLEAN subtree;
    void *buffer;
    ULONG size;
};

static NTSTATUS watch_one(HANDLE key, const struct watch *w, HANDLE event, BOOLEAN async)
{
    return real_NtNotifyChangeKey(key, event, w->apc, w->apc_context, w->io, w->filter, w->subtree, w->buffer, w->size,
                                  async);
}

/* The base's \User has the hives of all silos: their changes are nobody's to notice. */
static bool holds_hives(const struct slot *slot, BOOLEAN subtree)
{
    return slot->node == INDEX_USER || (slot->node == INDEX_ROOT && subtree);
}

/* A key is watched in both trees, or changes after its copy-up would not be noticed, or those of the base below it. */
static NTSTATUS watch(HANDLE key, const struct watch *w, BOOLEAN async)
{
    struct key_node node;
    HANDLE use = key, event, lower;
    NTSTATUS status = key_own(&use, KEY_NOTIFY);

    if (status) return status;
    if (!key_peek(slot_of(key), &node) || node.kind != KIND_MERGED || holds_hives(slot_of(key), w->subtree) ||
        !(lower = key_lower(slot_of(key), &node)))
        return watch_one(use, w, w->event, async);
    if (async) {
        status = watch_one(use, w, w->event, async);
        if (status == STATUS_PENDING) watch_one(lower, w, w->event, async);
        return status;
    }
    if ((status = real_NtCreateEvent(&event, EVENT_ALL_ACCESS, NULL, SynchronizationEvent, false))) return status;
    status = watch_one(use, w, event, true);
    if (status == STATUS_PENDING) {
        watch_one(lower, w, event, true);
        status = real_NtWaitForSingleObject(event, false, NULL);
    }
    real_NtClose(event);
    return status;
}

NTSTATUS hook_NtNotifyChangeKey(HANDLE key, HANDLE event, PIO_APC_ROUTINE apc, void *apc_context, IO_STATUS_BLOCK *io,
                                ULONG filter, BOOLEAN subtree, void *buffer, ULONG size, BOOLEAN async)
{
    const struct watch w = { event, apc, apc_context, io, filter, subtree, buffer, size };

    return watch(key, &w, async);
}

NTSTATUS hook_NtNotifyChangeMultipleKeys(HANDLE key, ULONG count, OBJECT_ATTRIBUTES *attr, HANDLE event,
                                         PIO_APC_ROUTINE apc, void *apc_context, IO_STATUS_BLOCK *io, ULONG filter,
                                         BOOLEAN subtree, void *buffer, ULONG size, BOOLEAN async)
{
    const struct watch w = { event, apc, apc_context, io, filter, subtree, buffer, size };

    (void)count, (void)attr; /* Wine does not look at more than one key */
    return watch(key, &w, async);
}

/* ---- renaming and saving ---- */

NTSTATUS hook_NtRenameKey(HANDLE key, UNICODE_STRING *name)
{
    const ACCESS_MASK rights = KEY_SET_VALUE | KEY_CREATE_SUB_KEY;
    CLEANUP(regpath_free) struct regpath path = { 0 };
    WCHAR text[INDEX_NAME_MAX];
    struct key_node node;
    HANDLE use = key;
    size_t n, i;
    NTSTATUS status;

    if (!name || !name->Buffer || name->Length < sizeof(WCHAR) || name->Length > sizeof(text)) {
        status = key_for_writing(&use, 0); /* for its errors only */
        return status ? status : real_NtRenameKey(use, name);
    }
    n = name->Length / sizeof(WCHAR); /* the wineserver takes half a character away, too */
    memcpy(text, name->Buffer, n * sizeof(WCHAR));
    for (i = 0; i < n && text[i] != '\\'; i++) continue;
    if ((status = key_for_writing(&use, rights))) return status;
    if (i < n || (granted_access(use) & rights) != rights || !key_peek(slot_of(key), &node) ||
        !regtree_path(slot_of(key)->node, slot_of(key)->serial, &path) || !parent_path(path_span(&path)).n)
        return real_NtRenameKey(use, name);
    return regtree_rename(path_span(&path), use, (struct span){ text, n });
}

NTSTATUS hook_NtSaveKey(HANDLE key, HANDLE file)
{
    CLEANUP(regpath_free) struct regpath path = { 0 };
    struct slot *slot;
    NTSTATUS status = key_for_reading(&key, &slot);

    if (status) return status;
    if (!slot || !slot->node || !regtree_path(slot->node, slot->serial, &path)) return real_NtSaveKey(key, file);
    return regtree_save(path_span(&path), key, file);
}

/* ---- hives that programs load ---- */

/* These calls compare the first component as it is, unless told otherwise: what fails on the host must fail. */
static bool is_spelled_right(const OBJECT_ATTRIBUTES *attr, ULONG attributes)
{
    const UNICODE_STRING *us = attr->ObjectName;
    struct span root = base_span();

    return attr->RootDirectory || (attributes & OBJ_CASE_INSENSITIVE) || us->Length < root.n * sizeof(WCHAR) ||
           !memcmp(us->Buffer, root.s, root.n * sizeof(WCHAR));
}

/* Wine opens the file first: what is wrong with that is said before anything else is looked at. The key that it is to
 * be loaded at here is none, of which the wineserver speaks last. */
static NTSTATUS try_file(OBJECT_ATTRIBUTES *file)
{
    UNICODE_STRING none = { 0, 0, NULL };
    const OBJECT_ATTRIBUTES nowhere = { .Length = sizeof(nowhere), .RootDirectory = (HANDLE)(intptr_t)-1, .ObjectName = &none };
    NTSTATUS status = real_NtLoadKey(&nowhere, file);

    return status == STATUS_OBJECT_TYPE_MISMATCH || status == STATUS_PRIVILEGE_NOT_HELD ? STATUS_SUCCESS : status;
}

/* Where the hive goes: into the silo's tree. *ours false: the call is not about the registry's tree. */
static NTSTATUS prepare_load(struct place *place, const OBJECT_ATTRIBUTES **attr, HANDLE *parent)
{
    ACCESS_MASK access = KEY_ALL_ACCESS;
    NTSTATUS status;

    *parent = NULL;
    place->ours = false;
    if (!*attr || (*attr)->Length != sizeof(**attr) || !(*attr)->ObjectName || !is_spelled_right(*attr, 0)) return STATUS_SUCCESS;
    if ((status = place_find(place, attr, &access, PLACE_WHOLE, "NtLoadKey")) || !place->ours) return status;
    if (place->walk.place == PLACE_BASE) status = regtree_copy_up(place->logical);
    if (place->walk.place == PLACE_ABSENT || status == STATUS_OBJECT_NAME_NOT_FOUND)
        status = regtree_prepare_create(place->logical);
    if (!status) status = place_in_hive(place, attr, parent);
    return status;
}

#define LOADING(name, params, args)                                            \
    NTSTATUS hook_##name params                                                \
    {                                                                          \
        struct place place;                                                    \
        HANDLE parent;                                                         \
        NTSTATUS status = try_file(file);                                      \
        if (status || (status = prepare_load(&place, &attr, &parent))) return status; \
        status = real_##name args;                                             \
        if (parent) real_NtClose(parent);                                      \
        if (status && place.ours) regtree_not_created(place.logical);          \
        if (!status && place.ours) regtree_scan(place.logical);                \
        return status;                                                         \
    }

LOADING(NtLoadKey, (const OBJECT_ATTRIBUTES *attr, OBJECT_ATTRIBUTES *file), (attr, file))
LOADING(NtLoadKey2, (const OBJECT_ATTRIBUTES *attr, OBJECT_ATTRIBUTES *file, ULONG flags), (attr, file, flags))
LOADING(NtLoadKeyEx,
        (const OBJECT_ATTRIBUTES *attr, OBJECT_ATTRIBUTES *file, ULONG flags, HANDLE trust, HANDLE event,
         ACCESS_MASK access, HANDLE *root, IO_STATUS_BLOCK *io),
        (attr, file, flags, trust, event, access, root, io))

static bool may_unload(void)
{
    UNICODE_STRING none = { 0, 0, NULL };
    OBJECT_ATTRIBUTES nowhere = { .Length = sizeof(nowhere), .RootDirectory = (HANDLE)(intptr_t)-1, .ObjectName = &none };

    return real_NtUnloadKey(&nowhere) != STATUS_PRIVILEGE_NOT_HELD;
}

/* The machine's and the users' hives, which the wineserver loads itself. It refuses to unload them; Wine 8's takes them
 * away, for good, which nobody can want in a silo. */
static NTSTATUS may_unload_hive(struct span logical)
{
    static const WCHAR text[] = { '\\', 'U', 's', 'e', 'r' };
    const struct span users = { text, sizeof(text) / sizeof(WCHAR) };
    OBJECT_BASIC_INFORMATION info = { 0 };
    HANDLE key;

    if (parent_path(logical).n && key_compare(parent_path(logical), users)) return STATUS_SUCCESS;
    if (base_open(logical, KEY_QUERY_VALUE, &key)) return STATUS_SUCCESS;
    real_NtClose(key);
    if (private_open(logical, KEY_QUERY_VALUE, &key)) return STATUS_ACCESS_DENIED;
    real_NtQueryObject(key, ObjectBasicInformation, &info, sizeof(info), NULL);
    real_NtClose(key);
    return info.HandleCount > 1 ? STATUS_CANNOT_DELETE : STATUS_ACCESS_DENIED;
}

NTSTATUS hook_NtUnloadKey(OBJECT_ATTRIBUTES *asked)
{
    const OBJECT_ATTRIBUTES *attr = asked;
    ACCESS_MASK access = KEY_ALL_ACCESS;
    struct place place;
    HANDLE parent;
    NTSTATUS status;

    if (!asked || asked->Length != sizeof(*asked) || !asked->ObjectName || !is_spelled_right(asked, asked->Attributes))
        return real_NtUnloadKey(asked);
    if ((status = place_find(&place, &attr, &access, PLACE_WHOLE, "NtUnloadKey")))
        return may_unload() ? status : STATUS_PRIVILEGE_NOT_HELD;
    if (!place.ours) return real_NtUnloadKey((OBJECT_ATTRIBUTES *)attr);
    if (may_unload() && (status = may_unload_hive(place.logical))) return status;
    if ((status = place_in_hive(&place, &attr, &parent))) return status;
    status = real_NtUnloadKey((OBJECT_ATTRIBUTES *)attr);
    if (parent) real_NtClose(parent);
    /* the wineserver takes any key for a hive */
    if (place.walk.place == PLACE_BASE && status == STATUS_OBJECT_NAME_NOT_FOUND) return regtree_hide(place.logical, true);
    if (!status) regtree_forget(place.logical);
    return status;
}
