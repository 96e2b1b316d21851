/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Registry calls. Absolute names below \Registry\Machine and \Registry\User go to the silo's own tree
 * (regtree.h). What is left to do here: a handle may lead to a base key, through a link; it is copied up
 * at the first write through it, and a handle opened before somebody else's copy-up must see the private
 * key after it. See docs/design/registry.md. */
#include "regtree.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* what is known of a key's handle, in its slot */
enum key_state {
    KEY_UNRESOLVED, /* right while the generation is the slot's; whether base or private was not asked */
    KEY_BASE,       /* a key of the base; right while the generation is the slot's */
    KEY_PRIVATE,    /* a private key, by itself or through the slot's twin */
    KEY_GONE,       /* a key of the base that is deleted in the silo */
};

static ACCESS_MASK granted_access(HANDLE key)
{
    OBJECT_BASIC_INFORMATION info;

    return real_NtQueryObject(key, ObjectBasicInformation, &info, sizeof(info), NULL) ? 0 : info.GrantedAccess;
}

static void note(HANDLE key, enum key_state state, uint32_t generation)
{
    /* what was seen during a copy-up is looked at again after it */
    slot_set(key, SLOT_KEY, state, generation & ~1u);
}

/* The slot is filled in one go for whoever looks at it without the lock: the twin first. */
static NTSTATUS use_twin(HANDLE key, struct slot *slot, HANDLE twin, uint32_t generation)
{
    if (!slot) {
        real_NtClose(twin);
        return STATUS_NO_MEMORY;
    }
    note(key, KEY_UNRESOLVED, generation - 2);
    atomic_store(&slot->twin, (uint32_t)(uintptr_t)twin);
    atomic_store_explicit(&slot->state, KEY_PRIVATE, memory_order_release);
    return STATUS_SUCCESS;
}

static NTSTATUS resolve_locked(HANDLE key)
{
    struct slot *slot = slot_make(key);

    for (;;) {
        CLEANUP(regpath_free) struct regpath name = { 0 }, twin_name = { 0 };
        uint32_t generation = regtree_generation();
        struct span logical;
        HANDLE twin = NULL;
        NTSTATUS status;

        if (regkey_name(key, &name)) return STATUS_SUCCESS; /* not a key, or deleted: the real call says so */
        if (regkey_is_private(path_span(&name))) {
            if (generation & 1) regtree_wait(); /* it may be the one that is being made */
            note(key, KEY_PRIVATE, generation);
            return STATUS_SUCCESS;
        }
        if (!regkey_logical(path_span(&name), &logical)) {
            note(key, KEY_PRIVATE, generation); /* \Registry itself and the like: never changes */
            return STATUS_SUCCESS;
        }
        status = regkey_open(logical, granted_access(key), &twin);
        if (!status) status = regkey_name(twin, &twin_name);
        if ((generation & 1) || generation != regtree_generation()) {
            if (twin) real_NtClose(twin);
            regtree_wait();
            continue;
        }
        if (!status && regkey_is_private(path_span(&twin_name))) {
            return use_twin(key, slot, twin, generation);
        }
        if (twin) real_NtClose(twin);
        if (status == STATUS_OBJECT_NAME_NOT_FOUND) {
            note(key, KEY_GONE, generation);
            return STATUS_KEY_DELETED;
        }
        note(key, KEY_BASE, generation);
        return STATUS_SUCCESS;
    }
}

/* Which key does this handle mean now? Fills the slot. */
static NTSTATUS resolve(HANDLE key)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    const struct slot *slot;
    struct quiet q;
    NTSTATUS status;

    quiet_begin(&q);
    pthread_mutex_lock(&lock);
    slot = slot_of(key);
    if (slot && slot->kind == SLOT_KEY && slot->state == KEY_PRIVATE) status = STATUS_SUCCESS; /* another thread did it */
    else status = resolve_locked(key);
    pthread_mutex_unlock(&lock);
    quiet_end(&q);
    return status;
}

static inline HANDLE twin_or_self(const struct slot *slot, HANDLE key)
{
    uint32_t twin = atomic_load_explicit(&slot->twin, memory_order_relaxed);

    return twin ? (HANDLE)(uintptr_t)twin : key;
}

/* Make *key the handle to read through. */
static NTSTATUS for_reading(HANDLE *key)
{
    struct slot *slot = slot_of(*key);
    NTSTATUS status;

    switch (slot ? atomic_load_explicit(&slot->kind, memory_order_acquire) : SLOT_NONE) {
    case SLOT_KEY:
        switch (atomic_load_explicit(&slot->state, memory_order_acquire)) {
        case KEY_PRIVATE: *key = twin_or_self(slot, *key); return STATUS_SUCCESS;
        case KEY_GONE: return STATUS_KEY_DELETED;
        default:
            if (atomic_load_explicit(&slot->generation, memory_order_relaxed) == regtree_generation()) return STATUS_SUCCESS;
        }
        break;
    case SLOT_NONE: break; /* inherited or duplicated from elsewhere */
    default: return STATUS_SUCCESS;
    }
    if ((status = resolve(*key))) return status;
    if ((slot = slot_of(*key))) *key = twin_or_self(slot, *key);
    return STATUS_SUCCESS;
}

/* Make *key a handle of the silo's own key; what is done with it needs one of the rights in need. Without it
 * the real call through the unchanged handle gives the error. */
static NTSTATUS own_key(HANDLE *key, ACCESS_MASK need)
{
    struct slot *slot;
    HANDLE original = *key;
    NTSTATUS status;
    int tries;

    for (tries = 0; tries < 4; tries++) {
        CLEANUP(regpath_free) struct regpath name = { 0 };
        struct span logical;

        *key = original;
        if ((status = for_reading(key))) return status;
        slot = slot_of(original);
        if (!slot || slot->kind != SLOT_KEY) return STATUS_SUCCESS; /* no key: the real call says so */
        if (slot->state == KEY_UNRESOLVED) {
            if ((status = resolve(original))) return status;
            *key = twin_or_self(slot, original);
        }
        if (slot->state == KEY_PRIVATE) return STATUS_SUCCESS;
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

/* The same for a write, which the hive must be saved after. */
static NTSTATUS for_writing(HANDLE *key, ACCESS_MASK need)
{
    HANDLE original = *key;
    NTSTATUS status = own_key(key, need);
    const struct slot *slot = slot_of(original);

    if (!status && slot && slot->kind == SLOT_KEY && slot->state == KEY_PRIVATE) regtree_written();
    return status;
}

HANDLE key_target(HANDLE key)
{
    HANDLE use = key;

    return for_reading(&use) ? key : use;
}

HANDLE key_target_writable(HANDLE key)
{
    HANDLE use = key;

    return for_writing(&use, ~0u) ? key : use;
}

/* ---- opening ---- */

struct key_attr {
    struct moved moved;
    OBJECT_ATTRIBUTES rooted;
};

/* The attributes in the silo's terms. */
static NTSTATUS move_attr(struct key_attr *own, const OBJECT_ATTRIBUTES **attr, const char *call)
{
    const OBJECT_ATTRIBUTES *asked = *attr;
    NTSTATUS status;
    HANDLE root;

    if (!asked || asked->Length != sizeof(*asked)) return STATUS_SUCCESS;
    if (!(root = asked->RootDirectory)) {
        *attr = move_key(&own->moved, asked, call);
        return STATUS_SUCCESS;
    }
    if ((status = for_reading(&root))) return status;
    if (root == asked->RootDirectory) return STATUS_SUCCESS;
    own->rooted = *asked;
    own->rooted.RootDirectory = root;
    *attr = &own->rooted;
    return STATUS_SUCCESS;
}

/* OBJ_OPENLINK opened one of the tree's own links: the program means the base key. */
static NTSTATUS open_past_link(HANDLE *key, ACCESS_MASK access, ULONG attributes)
{
    CLEANUP(regpath_free) struct regpath name = { 0 }, target = { 0 };
    UNICODE_STRING us;
    OBJECT_ATTRIBUTES attr = { .Length = sizeof(attr), .ObjectName = &us, .Attributes = attributes };
    HANDLE opened = *key, past;
    NTSTATUS status;

    if (regkey_name(opened, &name) || !regkey_is_private(path_span(&name)) || !regkey_read_link(opened, &target) ||
        regkey_is_private(path_span(&target)))
        return STATUS_SUCCESS;
    us.Buffer = target.s;
    us.Length = us.MaximumLength = (uint16_t)(target.n * sizeof(WCHAR));
    if ((status = real_NtOpenKeyEx(&past, access, &attr, 0))) return status;
    real_NtClose(opened);
    *key = past;
    return STATUS_SUCCESS;
}

static NTSTATUS open_key(HANDLE *key, ACCESS_MASK access, const OBJECT_ATTRIBUTES *asked, ULONG options, const char *call)
{
    NTSTATUS status;

    if (__builtin_expect(!atomic_load_explicit(&own_pid, memory_order_relaxed), 0)) process_register_self();
    for (;;) {
        const OBJECT_ATTRIBUTES *attr = asked;
        struct key_attr own;
        uint32_t generation;

        if ((status = move_attr(&own, &attr, call))) {
            *key = NULL;
            return status;
        }
        generation = regtree_generation();
        status = real_NtOpenKeyEx(key, access, attr, options);
        if (NT_SUCCESS(status)) {
            if ((generation & 1) || regtree_generation() != generation) regtree_wait();
            if (!status && (attr->Attributes & OBJ_OPENLINK)) status = open_past_link(key, access, attr->Attributes);
            note(*key, KEY_UNRESOLVED, generation);
            return status;
        }
        if (!(generation & 1) && regtree_generation() == generation) return status;
        regtree_wait();
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

/* the logical path that attr means; *whole owns the text */
static NTSTATUS logical_of(const OBJECT_ATTRIBUTES *attr, struct regpath *whole, struct span *logical)
{
    static const WCHAR backslash[] = { '\\' };
    const UNICODE_STRING *us = attr->ObjectName;
    struct span name = { us->Buffer, us->Length / sizeof(WCHAR) }, none = { NULL, 0 };
    CLEANUP(regpath_free) struct regpath root = { 0 }, slashed = { 0 };
    NTSTATUS status;

    if (!attr->RootDirectory) {
        if (!regpath_join(whole, name, none)) return STATUS_NO_MEMORY;
    }
    else {
        HANDLE handle = attr->RootDirectory;

        if ((status = for_reading(&handle)) || (status = regkey_name(handle, &root))) return status;
        if (!regpath_join(&slashed, path_span(&root), (struct span){ backslash, 1 }) ||
            !regpath_join(whole, path_span(&slashed), name))
            return STATUS_NO_MEMORY;
    }
    return regkey_logical(path_span(whole), logical) ? STATUS_SUCCESS : STATUS_OBJECT_PATH_NOT_FOUND;
}

/* A single name below a key that is private, and no link there: the real call can go ahead, nothing of the base
 * is reached. (The wineserver creates the target of a link whose base key is gone.) */
static bool below_private_key(const OBJECT_ATTRIBUTES *attr)
{
    const struct slot *slot = attr->RootDirectory ? slot_of(attr->RootDirectory) : NULL;
    const UNICODE_STRING *us = attr->ObjectName;
    OBJECT_ATTRIBUTES rooted = *attr;
    HANDLE there;
    size_t i;

    if (!slot || slot->kind != SLOT_KEY || slot->state != KEY_PRIVATE || !us->Length) return false;
    for (i = 0; i < us->Length / sizeof(WCHAR); i++)
        if (us->Buffer[i] == '\\') return false;
    rooted.RootDirectory = twin_or_self(slot, rooted.RootDirectory);
    rooted.Attributes |= OBJ_OPENLINK;
    if (real_NtOpenKeyEx(&there, KEY_QUERY_VALUE, &rooted, 0)) return true;
    real_NtClose(there);
    return false;
}

static bool has_text(const UNICODE_STRING *us)
{
    return us && us->Length && us->Buffer;
}

/* Make sure that creating the key attr names changes the silo's tree only. */
static NTSTATUS prepare_create(const OBJECT_ATTRIBUTES *attr, bool exists, bool changes)
{
    CLEANUP(regpath_free) struct regpath whole = { 0 };
    struct span logical;
    NTSTATUS status = logical_of(attr, &whole, &logical);

    if (status == STATUS_OBJECT_PATH_NOT_FOUND) return STATUS_SUCCESS; /* not ours: as it would be on the host */
    if (status) return status;
    TRACE("NtCreateKey", exists ? "change" : "create", logical);
    if (exists) return changes ? regtree_copy_up(logical) : STATUS_SUCCESS;
    status = regtree_prepare_child(logical);
    return status == STATUS_PREDEFINED_HANDLE ? STATUS_ACCESS_DENIED : status;
}

NTSTATUS hook_NtCreateKey(HANDLE *key, ACCESS_MASK access, const OBJECT_ATTRIBUTES *asked, ULONG index,
                          const UNICODE_STRING *class_name, ULONG options, ULONG *disposition)
{
    const OBJECT_ATTRIBUTES *attr = asked;
    struct key_attr own;
    NTSTATUS status;
    ULONG made = 0;
    bool exists = false;
    HANDLE opened;

    *key = NULL;
    if (asked->Length != sizeof(*asked) || !asked->ObjectName) return real_NtCreateKey(key, access, asked, index, class_name, options, disposition);
    if (!asked->ObjectName->Length && !asked->RootDirectory) return real_NtCreateKey(key, access, asked, index, class_name, options, disposition);
    if (!(options & REG_OPTION_CREATE_LINK)) {
        status = open_key(&opened, access, asked, 0, "NtCreateKey");
        if (!status && !has_text(class_name)) {
            *key = opened;
            if (disposition) *disposition = REG_OPENED_EXISTING_KEY;
            return STATUS_SUCCESS;
        }
        if (!status) hook_NtClose(opened);
        else if (status != STATUS_OBJECT_NAME_NOT_FOUND) {
            if (NT_SUCCESS(status)) *key = opened;
            return status;
        }
        exists = !status;
    }
    if (!below_private_key(asked) || exists) {
        if ((status = prepare_create(asked, exists, has_text(class_name)))) return status;
    }
    if ((status = move_attr(&own, &attr, "NtCreateKey"))) return status;
    status = real_NtCreateKey(key, access, attr, index, class_name, options, &made);
    if (status) return status;
    note(*key, KEY_PRIVATE, regtree_generation());
    regtree_written();
    if (disposition) *disposition = made;
    return STATUS_SUCCESS;
}

/* ---- deleting ---- */

static NTSTATUS delete_base_key(HANDLE key)
{
    CLEANUP(regpath_free) struct regpath name = { 0 };
    struct {
        KEY_FULL_INFORMATION info;
        WCHAR class_name[256];
    } full;
    struct span logical;
    NTSTATUS status;
    ULONG need;

    if (!(granted_access(key) & DELETE_ACCESS)) return STATUS_ACCESS_DENIED;
    status = real_NtQueryKey(key, KeyFullInformation, &full, sizeof(full), &need);
    if (status && status != STATUS_BUFFER_OVERFLOW) return status;
    if (full.info.SubKeys) return STATUS_ACCESS_DENIED;
    if ((status = regkey_name(key, &name))) return status;
    if (!regkey_logical(path_span(&name), &logical)) return STATUS_ACCESS_DENIED;
    TRACE("NtDeleteKey", "hide", logical);
    if ((status = regtree_hide(logical))) return status == STATUS_OBJECT_NAME_NOT_FOUND ? STATUS_KEY_DELETED : status;
    note(key, KEY_GONE, regtree_generation());
    return STATUS_SUCCESS;
}

NTSTATUS hook_NtDeleteKey(HANDLE key)
{
    struct slot *slot = slot_of(key);
    HANDLE use = key;
    NTSTATUS status = for_reading(&use);

    if (status) return status;
    if (slot && slot->kind == SLOT_KEY && slot->state == KEY_UNRESOLVED) {
        if ((status = resolve(key))) return status;
        use = twin_or_self(slot, key);
    }
    if (slot && slot->kind == SLOT_KEY && slot->state == KEY_BASE) return delete_base_key(key);
    status = real_NtDeleteKey(use);
    if (!status) regtree_written();
    return status;
}

/* ---- names read back ---- */

static NTSTATUS query_name(HANDLE key, KEY_NAME_INFORMATION *info, ULONG size, ULONG *needed)
{
    CLEANUP(regpath_free) struct regpath name = { 0 };
    const size_t head = offsetof(KEY_NAME_INFORMATION, Name);
    size_t cut, keep, bytes, room;
    struct span full;

    if (regkey_name(key, &name)) return real_NtQueryKey(key, KeyNameInformation, info, size, needed);
    full = path_span(&name);
    if (!(cut = strip_key(&names, full, &keep))) return real_NtQueryKey(key, KeyNameInformation, info, size, needed);
    memmove(name.s + keep, name.s + keep + cut, (name.n - keep - cut) * sizeof(WCHAR));
    bytes = (name.n - cut) * sizeof(WCHAR);
    *needed = (ULONG)(head + bytes);
    if (size < head) return STATUS_BUFFER_TOO_SMALL;
    room = size - head;
    info->NameLength = (ULONG)bytes;
    memcpy(info->Name, name.s, bytes < room ? bytes : room);
    return bytes <= room ? STATUS_SUCCESS : STATUS_BUFFER_OVERFLOW;
}

#define WATCHING(name, params, args)                                   \
    NTSTATUS hook_##name params                                        \
    {                                                                  \
        NTSTATUS status = own_key(&key, KEY_NOTIFY);                   \
        return status ? status : real_##name args;                     \
    }

#define WRITING(need, name, params, args)                              \
    NTSTATUS hook_##name params                                        \
    {                                                                  \
        NTSTATUS status = for_writing(&key, need);                     \
        return status ? status : real_##name args;                     \
    }

/* ---- reading: the handle is all there is to change ---- */

/* Lists of a key being copied up are not complete: ask again when it is done. */
#define READ_LIST(call)                                                              \
    do {                                                                             \
        HANDLE use;                                                                  \
        uint32_t generation;                                                         \
        NTSTATUS status;                                                             \
        for (;;) {                                                                   \
            use = key;                                                               \
            if ((status = for_reading(&use))) return status;                         \
            generation = regtree_generation();                                       \
            status = call;                                                           \
            if (!(generation & 1) && generation == regtree_generation()) return status; \
            regtree_wait();                                                          \
        }                                                                            \
    } while (0)

NTSTATUS hook_NtQueryKey(HANDLE key, ULONG info_class, void *info, ULONG size, ULONG *needed)
{
    if (info_class == KeyNameInformation) {
        NTSTATUS status = for_reading(&key);

        return status ? status : query_name(key, info, size, needed);
    }
    READ_LIST(real_NtQueryKey(use, info_class, info, size, needed));
}

NTSTATUS hook_NtEnumerateKey(HANDLE key, ULONG index, ULONG info_class, void *info, ULONG size, ULONG *needed)
{
    READ_LIST(real_NtEnumerateKey(use, index, info_class, info, size, needed));
}

NTSTATUS hook_NtEnumerateValueKey(HANDLE key, ULONG index, ULONG info_class, void *info, ULONG size, ULONG *needed)
{
    READ_LIST(real_NtEnumerateValueKey(use, index, info_class, info, size, needed));
}

#define READING(name, params, args)                                    \
    NTSTATUS hook_##name params                                        \
    {                                                                  \
        NTSTATUS status = for_reading(&key);                           \
        return status ? status : real_##name args;                     \
    }


/* The target of a link that a program made leads into the silo's tree: show the target it gave. */
static NTSTATUS query_link(HANDLE key, const UNICODE_STRING *name, ULONG info_class, void *info, ULONG size, ULONG *needed)
{
    static const WCHAR registry[] = { '\\', 'R', 'e', 'g', 'i', 's', 't', 'r', 'y' };
    CLEANUP(regpath_free) struct regpath target = { 0 }, shown = { 0 };
    struct span all, below;
    ULONG head, data_size, *length;
    uint8_t *own;
    NTSTATUS status;

    if (info_class == KeyValuePartialInformation) head = offsetof(KEY_VALUE_PARTIAL_INFORMATION, Data);
    else if (info_class == KeyValueFullInformation) head = offsetof(KEY_VALUE_FULL_INFORMATION, Name) + name->Length;
    else return real_NtQueryValueKey(key, name, info_class, info, size, needed);
    if (!regkey_read_link(key, &target) || !regkey_is_private(path_span(&target)) || !(own = thread_buffer(0)) ||
        real_NtQueryValueKey(key, name, info_class, own, THREAD_BUFFER, needed))
        return real_NtQueryValueKey(key, name, info_class, info, size, needed);
    all = path_span(&target);
    below = (struct span){ all.s + names.hive_root_n, all.n - names.hive_root_n };
    if (!regpath_join(&shown, (struct span){ registry, sizeof(registry) / sizeof(WCHAR) }, below)) return STATUS_NO_MEMORY;
    data_size = (ULONG)(shown.n * sizeof(WCHAR));
    length = info_class == KeyValuePartialInformation ? &((KEY_VALUE_PARTIAL_INFORMATION *)own)->DataLength
                                                      : &((KEY_VALUE_FULL_INFORMATION *)own)->DataLength;
    *length = data_size;
    memcpy(own + head, shown.s, data_size);
    *needed = head + data_size;
    status = size < head ? STATUS_BUFFER_TOO_SMALL : size < *needed ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
    memcpy(info, own, size < *needed ? size : *needed);
    return status;
}

NTSTATUS hook_NtQueryValueKey(HANDLE key, const UNICODE_STRING *name, ULONG info_class, void *info, ULONG size,
                              ULONG *needed)
{
    NTSTATUS status = for_reading(&key);

    if (status) return status;
    if (__builtin_expect(name->Length == 34, 0) &&
        span_equal_ascii((struct span){ name->Buffer, 17 }, "SymbolicLinkValue"))
        return query_link(key, name, info_class, info, size, needed);
    return real_NtQueryValueKey(key, name, info_class, info, size, needed);
}

READING(NtQueryMultipleValueKey, (HANDLE key, void *entries, ULONG count, void *buffer, ULONG size, ULONG *needed),
        (key, entries, count, buffer, size, needed))
READING(NtFlushKey, (HANDLE key), (key))
/* What is watched must be the silo's own key, or changes after a copy-up would not be noticed. */
WATCHING(NtNotifyChangeKey,
        (HANDLE key, HANDLE event, PIO_APC_ROUTINE apc, void *apc_context, IO_STATUS_BLOCK *io, ULONG filter,
         BOOLEAN subtree, void *buffer, ULONG size, BOOLEAN async),
        (key, event, apc, apc_context, io, filter, subtree, buffer, size, async))
WATCHING(NtNotifyChangeMultipleKeys,
        (HANDLE key, ULONG count, OBJECT_ATTRIBUTES *attr, HANDLE event, PIO_APC_ROUTINE apc, void *apc_context,
         IO_STATUS_BLOCK *io, ULONG filter, BOOLEAN subtree, void *buffer, ULONG size, BOOLEAN async),
        (key, count, attr, event, apc, apc_context, io, filter, subtree, buffer, size, async))

NTSTATUS hook_NtSaveKey(HANDLE key, HANDLE file)
{
    NTSTATUS status = for_reading(&key);

    return status ? status : regtree_save(key, file);
}

/* ---- writing ---- */

WRITING(KEY_SET_VALUE, NtDeleteValueKey, (HANDLE key, const UNICODE_STRING *name), (key, name))

/* Links below a renamed key would still lead to the base, under its old name. */
NTSTATUS hook_NtRenameKey(HANDLE key, UNICODE_STRING *name)
{
    CLEANUP(regpath_free) struct regpath full = { 0 };
    struct span logical;
    NTSTATUS status;

    if ((status = for_writing(&key, KEY_SET_VALUE | KEY_CREATE_SUB_KEY))) return status;
    if (!regkey_name(key, &full) && regkey_is_private(path_span(&full)) && regkey_logical(path_span(&full), &logical) &&
        (status = regtree_copy_up_all(logical)))
        return status;
    return real_NtRenameKey(key, name);
}
WRITING(KEY_SET_VALUE, NtSetInformationKey, (HANDLE key, ULONG info_class, void *info, ULONG size),
        (key, info_class, info, size))
WRITING(KEY_SET_VALUE, NtRestoreKey, (HANDLE key, HANDLE file, ULONG flags), (key, file, flags))
WRITING(KEY_SET_VALUE, NtReplaceKey, (OBJECT_ATTRIBUTES *attr, HANDLE key, OBJECT_ATTRIBUTES *replace),
        (attr, key, replace))

/* the target of a registry link is looked up by the wineserver: it must lead into the silo's tree */
static NTSTATUS set_link(HANDLE key, const UNICODE_STRING *name, ULONG index, const void *data, ULONG size)
{
    CLEANUP(regpath_free) struct regpath target = { 0 };
    struct span asked = { data, size / sizeof(WCHAR) };
    struct name_edit edit;

    if (classify_key(asked, &edit) != NAME_MOVED) return real_NtSetValueKey(key, name, index, REG_LINK, data, size);
    if (!regpath_join(&target, (struct span){ names.hive_root, names.hive_root_n },
                      (struct span){ asked.s + edit.tail, asked.n - edit.tail }))
        return STATUS_NO_MEMORY;
    return real_NtSetValueKey(key, name, index, REG_LINK, target.s, (ULONG)(target.n * sizeof(WCHAR)));
}

NTSTATUS hook_NtSetValueKey(HANDLE key, const UNICODE_STRING *name, ULONG index, ULONG type, const void *data, ULONG size)
{
    NTSTATUS status = for_writing(&key, KEY_SET_VALUE);

    if (status) return status;
    if (type == REG_LINK && data) return set_link(key, name, index, data, size);
    return real_NtSetValueKey(key, name, index, type, data, size);
}

/* ---- hives that programs load ---- */

static NTSTATUS prepare_hive(struct key_attr *own, const OBJECT_ATTRIBUTES **attr, const char *call)
{
    NTSTATUS status;

    if (!*attr || (*attr)->Length != sizeof(**attr) || !(*attr)->ObjectName) return STATUS_SUCCESS;
    if ((status = prepare_create(*attr, false, true))) return status;
    return move_attr(own, attr, call);
}

#define LOADING(name, params, args)                                            \
    NTSTATUS hook_##name params                                                \
    {                                                                          \
        struct key_attr own;                                                   \
        NTSTATUS status = prepare_hive(&own, &attr, #name);                    \
        if (status) return status;                                             \
        regtree_written();                                                     \
        return real_##name args;                                               \
    }

LOADING(NtLoadKey, (const OBJECT_ATTRIBUTES *attr, OBJECT_ATTRIBUTES *file), (attr, file))
LOADING(NtLoadKey2, (const OBJECT_ATTRIBUTES *attr, OBJECT_ATTRIBUTES *file, ULONG flags), (attr, file, flags))
LOADING(NtLoadKeyEx,
        (const OBJECT_ATTRIBUTES *attr, OBJECT_ATTRIBUTES *file, ULONG flags, HANDLE trust, HANDLE event,
         ACCESS_MASK access, HANDLE *root, IO_STATUS_BLOCK *io),
        (attr, file, flags, trust, event, access, root, io))

NTSTATUS hook_NtUnloadKey(OBJECT_ATTRIBUTES *asked)
{
    const OBJECT_ATTRIBUTES *attr = asked;
    struct key_attr own;
    NTSTATUS status = move_attr(&own, &attr, "NtUnloadKey");

    if (status) return status;
    regtree_written();
    return real_NtUnloadKey((OBJECT_ATTRIBUTES *)attr);
}
