/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keyplace.h"

#include <string.h>
#include <time.h>

#include "startup.h"

enum { LINK_DEPTH = 32, NAME_CHARS = 0x7ffe };

/* ---- names ---- */

/* The index has the letters of a key that is not there any more: one that is made in its place gets those of the name. */
static void spell_as_asked(struct span written, struct span asked)
{
    struct span old = last_component(written), name;
    WCHAR text[INDEX_NAME_MAX]; /* the name may be the program's memory */

    while (asked.n && asked.s[asked.n - 1] == '\\') asked.n--;
    name = last_component(asked);
    if (name.n != old.n || name.n > INDEX_NAME_MAX) return;
    memcpy(text, name.s, name.n * sizeof(WCHAR));
    if (!key_compare((struct span){ text, name.n }, old)) memcpy((WCHAR *)old.s, text, name.n * sizeof(WCHAR));
}

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
    if (walk->exact && walk->place == PLACE_ABSENT && !walk->redirected && walk->path_n == n)
        spell_as_asked(place->logical, path->name);
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
    place->attr.Attributes &= ~OBJ_KEY_WOW64;
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
    bool in_base;  /* relative to a handle of the base's key */
    bool captured; /* the name is our own copy */
    HANDLE root;   /* the handle to use */
    HANDLE lower;  /* of a private key: a handle of the base's key that shows through, if there is one already */
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

/* Names below a private key that programs keep open, HKEY_LOCAL_MACHINE for one, mostly lead to the base: a handle of
 * the base's key, which they are relative to there, pays after some of them. */
static HANDLE lower_of(struct slot *slot)
{
    enum { WORTH_IT = 4 };
    uint32_t lower = atomic_load_explicit(&slot->lower, memory_order_acquire);
    struct key_node node;

    if (lower == SLOT_NO_LOWER) return NULL;
    if (!lower && slot->extra < WORTH_IT) {
        slot->extra++;
        return NULL;
    }
    return index_peek(INDEX, slot->node, slot->serial, &node) ? key_lower(slot, &node) : NULL;
}

/* Where does the walk begin? False: the name does not lead into the registry's tree, or *status says why not. */
static bool find_origin(struct place *place, const OBJECT_ATTRIBUTES *attr, struct origin *origin, bool whole, NTSTATUS *status)
{
    const UNICODE_STRING us = *attr->ObjectName;
    struct span name = { us.Buffer, us.Length / sizeof(WCHAR) };
    struct name_edit edit;
    struct slot *slot;

    *origin = (struct origin){ .root = attr->RootDirectory };
    if (us.Length & 1) return false; /* an error that the real call reports */
    if (whole && ((uintptr_t)us.Buffer & 1)) *status = STATUS_DATATYPE_MISALIGNMENT; /* opening does not mind */
    if (*status) return false;
    if (us.Length <= sizeof(place->asked)) {
        memcpy(place->asked, us.Buffer, us.Length);
        place->asked_length = us.Length;
        name.s = place->asked;
        origin->captured = true;
    }
    origin->path.name = name;
    keys_get_table(name);
    if (!attr->RootDirectory) {
        if (!name.n || name.s[0] != '\\') return false;
        if (classify_key(name, &edit) != NAME_MOVED) {
            note_stranger(attr, name);
            return false;
        }
        keys_get_ready();
        origin->path = from_root((struct span){ name.s + edit.tail, name.n - edit.tail });
        return true;
    }
    if ((*status = key_for_reading(&origin->root, &slot)) || !slot) return false;
    if (slot->state == KEY_FOREIGN || (name.n && name.s[0] == '\\')) return false;
    if (slot->state == KEY_BASE && !slot->node) return whole && base_origin(origin, status);
    origin->path.start = slot->node;
    origin->path.serial = slot->serial;
    origin->in_base = slot->state == KEY_BASE;
    if (origin->captured && !origin->in_base && !whole) origin->lower = lower_of(slot);
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
    place->attr.Attributes &= ~OBJ_KEY_WOW64;
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

/* The component that is left of a path behind the last node that the index knows; none if there are more or none. */
static struct span one_below(const struct place *place)
{
    size_t at = place->walk.path_n + 1, i;

    if (place->walk.exact || place->logical.n <= at) return (struct span){ NULL, 0 };
    for (i = at; i < place->logical.n; i++)
        if (place->logical.s[i] == '\\') return (struct span){ NULL, 0 };
    return (struct span){ place->logical.s + at, place->logical.n - at };
}

struct key_id place_above(const struct place *place)
{
    struct key_node above;

    if (!one_below(place).n || !index_peek(INDEX, place->walk.node, place->walk.serial, &above) ||
        (above.kind != KIND_MERGED && above.kind != KIND_OPAQUE && above.kind != KIND_OWN))
        return (struct key_id){ 0 };
    return (struct key_id){ place->walk.node, place->walk.serial };
}

/* ---- what the base does not have ---- */

/* Programs look for a key and make it if it is not there: what this thread has just heard of the base is not asked
 * again. Only a place below a private key, where the index knows all that the silo itself does, is remembered. */
enum { ABSENT_NAME = 64, ABSENT_MS = 20 };

static __thread struct {
    uint32_t node, serial; /* of the key above */
    int64_t when;
    size_t n;
    WCHAR name[ABSENT_NAME];
} absent;

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void place_note_absent(const struct place *place)
{
    struct span name;

    if (!place->ours || place->walk.place != PLACE_BASE || !place_above(place).node) return;
    name = one_below(place);
    if (name.n > ABSENT_NAME) return;
    absent.node = place->walk.node;
    absent.serial = place->walk.serial;
    absent.when = now_ms();
    absent.n = name.n;
    memcpy(absent.name, name.s, name.n * sizeof(WCHAR));
}

bool place_is_absent(const struct place *place)
{
    struct span name = one_below(place);

    return name.n && absent.n == name.n && absent.node == place->walk.node && absent.serial == place->walk.serial &&
           !memcmp(absent.name, name.s, name.n * sizeof(WCHAR)) && now_ms() - absent.when < ABSENT_MS;
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

/* Can the name be used as it is, relative to the handle, or absolute? Then nobody needs the path. */
static unsigned int paths_of_use(const OBJECT_ATTRIBUTES *asked, const struct origin *origin)
{
    if (!asked->RootDirectory) return WALK_NO_BASE_PATH;
    if (!origin->captured) return 0;
    if (origin->in_base) return WALK_NO_BASE_PATH;
    return WALK_NO_PRIVATE_PATH | (origin->lower ? WALK_NO_BASE_PATH : 0);
}

/* Walk the name, through links. Like place_find(). */
static NTSTATUS find_path(struct place *place, const OBJECT_ATTRIBUTES *asked, struct origin *origin, unsigned int flags,
                          unsigned int how)
{
    NTSTATUS status = STATUS_SUCCESS;
    const unsigned int paths_unused = WALK_NO_BASE_PATH | WALK_NO_PRIVATE_PATH;
    int links = 0, tries = 0;
    bool elsewhere = false;

    place->ours = find_origin(place, asked, origin, flags & PLACE_WHOLE, &status);
    if (!(flags & PLACE_WHOLE) && trace_fd < 0) how |= paths_of_use(asked, origin);
    while (place->ours) {
        if (!walk_and_write(place, &origin->path, how)) return STATUS_OBJECT_NAME_INVALID;
        if (place->walk.place == PLACE_LINK) {
            if (++links > LINK_DEPTH) return STATUS_INVALID_PARAMETER;
            if ((status = follow(&place->walk, links, &origin->path))) return status;
            how &= ~(WALK_NOT_HERE | paths_unused); /* the path is another one now */
        }
        else if (place->walk.place == PLACE_LOST) { /* the key was deleted: the real call says so */
            how &= ~paths_unused;
            place->ours = !links && !tries++ && find_node_again(asked->RootDirectory, origin->root) &&
                          find_origin(place, asked, origin, flags & PLACE_WHOLE, &status);
        }
        else if (place->walk.ask_base && !elsewhere && is_elsewhere(place, &origin->path)) {
            how = (how | WALK_NOT_HERE) & ~paths_unused;
            elsewhere = true;
        }
        else break;
    }
    place->direct = !links && !elsewhere && !place->walk.redirected;
    return status;
}

/* Below a private key the name is as good as the path, and shorter: relative to the key itself, or to the base's that
 * shows through. False: it is not. */
static bool use_relative(struct place *place, const OBJECT_ATTRIBUTES **attr, const struct origin *origin)
{
    HANDLE root = place->walk.place == PLACE_BASE ? origin->lower : origin->root;

    if (!place->direct || !origin->captured || origin->in_base || !(*attr)->RootDirectory || !root) return false;
    place->by_lower = place->walk.place == PLACE_BASE;
    place->attr = **attr;
    place->attr.Attributes &= ~OBJ_KEY_WOW64;
    place->attr.RootDirectory = root;
    place->attr.ObjectName = &place->name;
    place->name = (UNICODE_STRING){ place->asked_length, place->asked_length, place->asked };
    *attr = &place->attr;
    return true;
}

NTSTATUS place_find(struct place *place, const OBJECT_ATTRIBUTES **attr, ACCESS_MASK *access, unsigned int flags,
                    const char *call)
{
    unsigned int how = flags & PLACE_OPEN_LINK ? WALK_OPEN_LINK : 0;
    const OBJECT_ATTRIBUTES *asked = *attr;
    struct origin origin;
    NTSTATUS status;

    place->ours = place->by_lower = false;
    memset(&place->walk, 0, sizeof(place->walk));
    if (!asked || asked->Length != sizeof(*asked) || !asked->ObjectName) return STATUS_SUCCESS;
    if ((own_is_32bit && !(*access & KEY_WOW64_64KEY)) || (asked->Attributes & OBJ_KEY_WOW64)) how |= WALK_32BIT;
    if ((status = find_path(place, asked, &origin, flags, how))) return status;
    if (!place->ours) {
        if (origin.root == asked->RootDirectory) return STATUS_SUCCESS;
        place->attr = *asked;
        place->attr.RootDirectory = origin.root;
        *attr = &place->attr;
        return STATUS_SUCCESS;
    }
    if (__builtin_expect(place->walk.to_hive, 0))
        return flags & PLACE_WHOLE ? STATUS_ACCESS_DENIED : STATUS_OBJECT_NAME_NOT_FOUND;
    TRACE(call, place->walk.place == PLACE_BASE ? "base" : "private", place->logical);
    if (how & WALK_32BIT) *access |= KEY_WOW64_64KEY; /* the wineserver must not do it again */
    if (place->walk.place == PLACE_BASE && place->direct && (!asked->RootDirectory || origin.in_base)) return STATUS_SUCCESS;
    if (!use_relative(place, attr, &origin) &&
        !write_attr(place, attr, place->walk.place == PLACE_BASE ? base_span() : hive_span()))
        return STATUS_OBJECT_NAME_INVALID;
    /* links were followed above; marks of deleted keys are links too */
    if (place->walk.place == PLACE_PRIVATE) place->attr.Attributes |= OBJ_OPENLINK;
    if (place->walk.place == PLACE_ABSENT) place->attr.Attributes &= ~OBJ_OPENLINK;
    return STATUS_SUCCESS;
}

bool place_is_base(struct span path)
{
    UNICODE_STRING name = { (uint16_t)(path.n * sizeof(WCHAR)), (uint16_t)(path.n * sizeof(WCHAR)), (WCHAR *)path.s };
    const OBJECT_ATTRIBUTES asked = { sizeof(asked), NULL, &name, OBJ_CASE_INSENSITIVE, NULL, NULL }, *attr = &asked;
    ACCESS_MASK access = KEY_READ_ACCESS | KEY_WOW64_64KEY;
    struct place place;

    return !place_find(&place, &attr, &access, 0, "startup") && (!place.ours || place.walk.place == PLACE_BASE);
}

void place_note(const struct place *place, HANDLE key, uint32_t generation)
{
    const struct key_walk *walk = &place->walk;

    if (!place->ours) key_note(key, KEY_BASE, generation, 0, 0);
    else if (walk->place == PLACE_PRIVATE) key_note(key, KEY_PRIVATE, generation, walk->node, walk->serial);
    else key_note(key, KEY_BASE, generation, walk->exact ? walk->node : 0, walk->exact ? walk->serial : 0);
}
