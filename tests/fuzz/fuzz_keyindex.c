/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The index of keys: an input is a list of changes, three bytes each (what, which key, which name). After each the
 * index must say of every path what a plain table of paths says. */
#include "fuzz.h"
#include "keyindex.h"

const char *const fuzz_words[] = { "\1\1\1", "\2\2\2", "\3\1\2", "\4\3\4", NULL };

enum { KEYS = 64, NAMES = 6, STEPS = 200 };

/* what the index should say; key 0 is the root, a key's parent comes before it */
static struct {
    int parent; /* -1: not there */
    int name;
    enum key_kind kind;
    bool was_deleted;
    uint32_t node;
} model[KEYS];

static const char *const names[NAMES] = { "a", "B", "Abc", "wow6432nodE", "x y", "a-longer-name-than-thirty-two-characters" };
static struct key_index *indexes;

static struct span wide(const char *text, WCHAR *out)
{
    size_t n = strlen(text), i;

    for (i = 0; i < n; i++) out[i] = (unsigned char)text[i];
    return (struct span){ out, n };
}

static int model_child(int parent, int name)
{
    int i;

    for (i = 1; i < KEYS; i++)
        if (model[i].parent == parent && model[i].name == name) return i;
    return -1;
}

static bool has_children(int key)
{
    int i;

    for (i = 1; i < KEYS; i++)
        if (model[i].parent == key) return true;
    return false;
}

static size_t model_path(int key, WCHAR *out)
{
    size_t n = key && model[key].parent >= 0 ? model_path(model[key].parent, out) : 0;

    if (!key) return 0;
    out[n++] = '\\';
    return n + wide(names[model[key].name], out + n).n;
}

static enum key_place model_place(int key)
{
    enum key_kind kind = model[key].kind;

    if (is_private_kind(kind)) return PLACE_PRIVATE;
    while (kind == KIND_NONE && key) kind = model[key = model[key].parent].kind;
    return kind == KIND_MERGED || kind == KIND_NONE ? PLACE_BASE : PLACE_ABSENT;
}

/* was the base's key, or one above it, deleted? */
static bool model_left(int key)
{
    return key && (model[key].was_deleted || model_left(model[key].parent));
}

static void check_key(int key)
{
    WCHAR want[2000], got[2000], upper[2000];
    size_t n = model_path(key, want), i;
    struct key_path path = { .start = INDEX_ROOT, .serial = indexes->nodes[INDEX_ROOT].serial };
    struct key_trail trail;
    struct key_walk walk;

    for (i = 0; i < n; i++) upper[i] = want[i] >= 'a' && want[i] <= 'z' ? (WCHAR)(want[i] - 32) : want[i];
    path.name = (struct span){ upper, n };
    REQUIRE(index_walk(indexes, &path, WALK_OPEN_LINK, &walk, got, 2000));
    REQUIRE(walk.exact && walk.node == model[key].node && walk.place == model_place(key));
    REQUIRE((indexes->nodes[walk.node].flags & KEY_WAS_DELETED) == model[key].was_deleted);
    REQUIRE(index_trail(indexes, path.name, &trail));
    REQUIRE(trail.left == model_left(key) && (trail.left || (trail.exact && trail.node == model[key].node)));
    REQUIRE(walk.path_fits && walk.path_n == n && !memcmp(got, want, n * sizeof(WCHAR)));
    upper[n] = '\\', upper[n + 1] = 'q';
    path.name.n = n + 2;
    REQUIRE(index_walk(indexes, &path, 0, &walk, got, 2000));
    REQUIRE(!walk.exact && walk.node == model[key].node && walk.rest.n == 1 && walk.tail_n == 2);
}

/* where the model has room for another key; -1: nowhere */
static int free_key(int parent)
{
    int i;

    for (i = parent + 1; i < KEYS; i++)
        if (model[i].parent < 0) return i;
    return -1;
}

static void add(int parent, int name)
{
    WCHAR text[64];
    int key = model_child(parent, name);
    uint32_t node = index_add(indexes, model[parent].node, wide(names[name], text));

    REQUIRE(node);
    if (key < 0) key = free_key(parent);
    if (key < 0) { /* no room in the model */
        index_drop(indexes, node);
        return;
    }
    if (model[key].parent >= 0) REQUIRE(node == model[key].node);
    else {
        model[key].kind = KIND_NONE;
        model[key].was_deleted = false;
    }
    model[key].parent = parent;
    model[key].name = name;
    model[key].node = node;
}

static void set_kind(int key, int kind)
{
    static const enum key_kind kinds[] = { KIND_MERGED, KIND_OPAQUE, KIND_OWN, KIND_HIDDEN };
    uint32_t serial = indexes->nodes[model[key].node].serial;

    if (!key) return;
    model[key].kind = kinds[kind % 4];
    index_set_kind(indexes, model[key].node, model[key].kind);
    if (model[key].kind == KIND_HIDDEN) {
        model[key].was_deleted = true;
        REQUIRE(indexes->nodes[model[key].node].serial != serial);
    }
}

static void drop(int key)
{
    if (!key) return;
    index_drop(indexes, model[key].node);
    model[key].kind = KIND_NONE;
    if (!has_children(key) && !model[key].was_deleted) model[key].parent = -1;
}

static void forget_tree(int key)
{
    int i;

    for (i = 1; i < KEYS; i++)
        if (model[i].parent == key) forget_tree(i);
    model[key].parent = -1;
}

static void rename_key(int key, int name)
{
    WCHAR text[64];
    const int from = model[key].name, parent = model[key].parent;
    const bool deleted = model[key].was_deleted;
    int other;

    if (!key || (deleted && free_key(parent) < 0)) return;
    other = model_child(model[key].parent, name);
    if (other != key) model[key].was_deleted = other >= 0 && model[other].was_deleted;
    if (other >= 0 && other != key) forget_tree(other);
    REQUIRE(index_rename(indexes, model[key].node, wide(names[name], text)));
    model[key].name = name;
    if (other == key || !deleted) return;
    add(parent, from); /* what became of the base's key stays known where it was */
    model[model_child(parent, from)].was_deleted = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t at;
    int i;

    if (!indexes) indexes = calloc(1, sizeof(*indexes));
    if (!indexes) return 0;
    index_reset(indexes);
    for (i = 0; i < KEYS; i++) model[i].parent = -1;
    model[0].node = INDEX_ROOT;
    model[0].kind = KIND_MERGED;
    model[0].was_deleted = false;
    for (at = 0; at + 3 <= size && at < 3 * STEPS; at += 3) {
        int key = data[at + 1] % KEYS, name = data[at + 2] % NAMES;

        if (key && model[key].parent < 0) key = 0;
        switch (data[at] % 5) {
        case 0:
        case 1: add(key, name); break;
        case 2: set_kind(key, name); break;
        case 3: drop(key); break;
        case 4: rename_key(key, name); break;
        }
        for (i = 0; i < KEYS; i++)
            if (!i || model[i].parent >= 0) check_key(i);
    }
    return 0;
}
