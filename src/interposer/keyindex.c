/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keyindex.h"

#include <string.h>

const uint16_t *key_case_table;

/* ---- names ---- */

static inline WCHAR lower(WCHAR c)
{
    const uint16_t *table = key_case_table;

    if (c < 0x80 || !table) return fold(c);
    return (WCHAR)(c + table[table[table[c >> 8] + ((c >> 4) & 0xf)] + (c & 0xf)]);
}

int key_compare(struct span a, struct span b)
{
    size_t n = a.n < b.n ? a.n : b.n, i;

    for (i = 0; i < n; i++) {
        int difference = a.s[i] == b.s[i] ? 0 : lower(a.s[i]) - lower(b.s[i]);

        if (difference) return difference;
    }
    return (a.n > b.n) - (a.n < b.n);
}

static bool same_name(struct span a, struct span b)
{
    size_t i;

    if (a.n != b.n) return false;
    for (i = 0; i < a.n; i++)
        if (a.s[i] != b.s[i] && lower(a.s[i]) != lower(b.s[i])) return false;
    return true;
}

bool is_silo_hive(uint32_t parent, struct span name)
{
    static const WCHAR text[] = { 'w', 'i', 'n', 'e', 's', 'i', 'l', 'o', '-' };
    const struct span begin = { text, sizeof(text) / sizeof(WCHAR) };

    return parent == INDEX_USER && name.n > begin.n && !key_compare((struct span){ name.s, begin.n }, begin);
}

static struct span first_component(struct span name)
{
    size_t n = 0;

    while (n < name.n && name.s[n] != '\\') n++;
    return (struct span){ name.s, n };
}

static struct span skip(struct span name, size_t n)
{
    while (n < name.n && name.s[n] == '\\') n++;
    return (struct span){ name.s + n, name.n - n };
}

/* The same for all spellings of a name, with the table or without it. */
static uint32_t hash_name(uint32_t parent, struct span name)
{
    uint32_t h = 2166136261u ^ (parent * 2654435761u);
    size_t i;

    for (i = 0; i < name.n; i++) {
        WCHAR c = lower(name.s[i]);

        h = (h ^ (c < 0x80 ? c : 0x80)) * 16777619u;
    }
    return (h ^ (h >> 15)) % INDEX_HEADS;
}

/* ---- what a reader sees while a writer is at work can be anything: it must only end ---- */

static const struct key_node *node_at(const struct key_index *index, uint32_t node)
{
    return &index->nodes[node < INDEX_NODES ? node : 0];
}

static struct span text_at(const struct key_index *index, uint32_t at, uint16_t n)
{
    if (at > (uint32_t)INDEX_TEXT - n) return (struct span){ index->text, 0 };
    return (struct span){ index->text + at, n };
}

struct span index_name(const struct key_index *index, uint32_t node)
{
    const struct key_node *n = node_at(index, node);

    return text_at(index, n->name, n->name_n);
}

uint32_t index_find(const struct key_index *index, uint32_t parent, struct span name)
{
    uint32_t node = index->heads[hash_name(parent, name)], left = INDEX_NODES;

    while (node && node < INDEX_NODES && left--) {
        const struct key_node *n = &index->nodes[node];

        if (n->parent == parent && n->name_n == name.n && same_name(index_name(index, node), name)) return node;
        node = n->next;
    }
    return 0;
}

bool index_path(const struct key_index *index, uint32_t node, WCHAR *out, size_t max, size_t *n)
{
    uint32_t chain[INDEX_DEPTH], depth = 0;
    size_t at = 0;

    for (; node > INDEX_ROOT && node < INDEX_NODES; node = node_at(index, node)->parent) {
        if (depth == INDEX_DEPTH) return false;
        chain[depth++] = node;
    }
    while (depth) {
        struct span name = index_name(index, chain[--depth]);

        if (at + name.n + 1 > max) return false;
        out[at++] = '\\';
        memcpy(out + at, name.s, name.n * sizeof(WCHAR));
        at += name.n;
    }
    *n = at;
    return true;
}

/* ---- walking ---- */

static const WCHAR wow_name[] = { 'W', 'o', 'w', '6', '4', '3', '2', 'N', 'o', 'd', 'e' };
static const struct span wow = { wow_name, sizeof(wow_name) / sizeof(WCHAR) };

static bool is_wow(struct span name)
{
    return span_equal_ascii(name, "Wow6432Node");
}

/* What hides or shows the base's keys below node: the nearest ancestor that says so. */
static enum key_kind cover_of(const struct key_index *index, uint32_t node)
{
    uint32_t left = INDEX_NODES;

    while (node && left--) {
        enum key_kind kind = node_at(index, node)->kind;

        if (kind != KIND_NONE) return kind;
        node = node_at(index, node)->parent;
    }
    return KIND_MERGED;
}

static bool is_there(const struct key_index *index, uint32_t node)
{
    return node && node_at(index, node)->kind != KIND_HIDDEN &&
           !(node_at(index, node)->kind == KIND_NONE && (node_at(index, node)->flags & KEY_WAS_DELETED));
}

static bool is_link(enum key_kind kind)
{
    return kind == KIND_LINK || kind == KIND_BASE_LINK;
}

/* Software\Classes: its Wow6432Node holds what differs for 32-bit programs, and all else is shared. */
static bool is_shared_parent(const struct key_index *index, uint32_t node)
{
    static const char *const path[] = { "Classes", "Software", "Machine" };
    size_t i;

    for (i = 0; i < 3; i++) {
        if (!span_equal_ascii(index_name(index, node), path[i])) return false;
        node = node_at(index, node)->parent;
    }
    return node == INDEX_ROOT;
}

static bool is_share(const struct key_index *index, uint32_t node)
{
    return is_wow(index_name(index, node)) && is_shared_parent(index, node_at(index, node)->parent);
}

/* The Wow6432Node that a 32-bit program means by a key; 0: none. */
static uint32_t view_of(const struct key_index *index, uint32_t node)
{
    uint32_t view = index_find(index, node, wow);

    return is_there(index, view) ? view : 0;
}

struct step {
    uint32_t at;
    struct span name; /* what is left */
    bool ask_base, redirected;
};

/* The child that a component names, for a 32-bit program; 0: the walk ends here. */
static uint32_t child_32bit(const struct key_index *index, struct step *step, struct span component)
{
    uint32_t child = index_find(index, step->at, component);

    if (is_there(index, child) || !is_share(index, step->at)) return child;
    if (!child && cover_of(index, step->at) == KIND_MERGED) {
        step->ask_base = true;
        return 0;
    }
    step->at = node_at(index, step->at)->parent; /* what is not in the share is next to it */
    step->redirected = true;
    return index_find(index, step->at, component);
}

/* After a component: is a view meant instead of the key that was found? */
static void enter_view(const struct key_index *index, struct step *step, bool plain_end)
{
    uint32_t view;

    if (plain_end) { /* a link led to the share itself: that is the key above */
        if (step->name.n || !is_share(index, step->at)) return;
        step->at = node_at(index, step->at)->parent;
        step->redirected = true;
        return;
    }
    if (is_wow(index_name(index, step->at)) || is_wow(first_component(step->name))) return;
    if (!(view = view_of(index, step->at)) || (!step->name.n && is_share(index, view))) return;
    step->at = view;
    step->redirected = true;
}

static struct step walk_names(const struct key_index *index, const struct key_path *path, unsigned int *how)
{
    struct step step = { .at = path->start, .name = skip(path->name, 0) };
    uint32_t child, view;

    if (!step.name.n) *how |= WALK_OPEN_LINK; /* the key itself */
    if ((*how & WALK_32BIT) && !(*how & WALK_NOT_HERE) && !path->plain && step.name.n && is_shared_parent(index, step.at) &&
        !is_wow(first_component(step.name)) && (view = view_of(index, step.at))) {
        step.at = view;
        step.redirected = true;
    }
    while (step.name.n) {
        struct span component = first_component(step.name);
        size_t done = (size_t)(step.name.s - path->name.s);
        bool views = *how & WALK_32BIT;

        if (is_link(node_at(index, step.at)->kind)) break;
        child = views && done >= path->plain ? child_32bit(index, &step, component) : index_find(index, step.at, component);
        if (!child) break;
        step.at = child;
        step.name = skip(step.name, component.n);
        if (is_link(node_at(index, child)->kind) && (step.name.n || !(*how & WALK_OPEN_LINK))) break;
        if (views && done + component.n >= path->plain) enter_view(index, &step, done < path->plain);
    }
    return step;
}

static void walk_once(const struct key_index *index, const struct key_path *path, unsigned int how, struct key_walk *walk)
{
    struct step step = walk_names(index, path, &how);
    const struct key_node *node = node_at(index, step.at);
    enum key_kind kind = node->kind;

    walk->node = step.at;
    walk->serial = node->serial;
    walk->rest = step.name;
    walk->tail_n = step.name.n ? step.name.n + 1 : 0;
    walk->exact = !step.name.n;
    walk->redirected = step.redirected;
    walk->ask_base = step.ask_base;
    if (is_link(kind) && (step.name.n || !(how & WALK_OPEN_LINK))) walk->place = PLACE_LINK;
    else if (walk->exact && is_private_kind(kind)) walk->place = PLACE_PRIVATE;
    else if (walk->exact && kind == KIND_BASE_LINK) walk->place = PLACE_BASE;
    else {
        kind = cover_of(index, step.at);
        walk->place = kind == KIND_MERGED || kind == KIND_HOLDER || kind == KIND_BASE_LINK ? PLACE_BASE : PLACE_ABSENT;
    }
    /* the hives of silos are no part of what a silo sees */
    if ((walk->to_hive = is_silo_hive(step.at, first_component(step.name)))) walk->place = PLACE_ABSENT;
}

/* Run something that reads and say whether nothing moved meanwhile. */
#define STEADILY(index, ...)                                                                        \
    do {                                                                                            \
        uint32_t before_ = atomic_load_explicit(&(index)->sequence, memory_order_acquire);          \
        if (before_ & 1) return false;                                                              \
        __VA_ARGS__;                                                                                \
        atomic_thread_fence(memory_order_acquire);                                                  \
        if (atomic_load_explicit(&(index)->sequence, memory_order_relaxed) != before_) return false; \
    } while (0)

static bool needs_path(const struct key_walk *walk, unsigned int how)
{
    if (walk->redirected || walk->ask_base) return true;
    if (walk->place == PLACE_BASE) return !(how & WALK_NO_BASE_PATH);
    return (walk->place != PLACE_PRIVATE && walk->place != PLACE_ABSENT) || !(how & WALK_NO_PRIVATE_PATH);
}

bool index_walk(const struct key_index *index, const struct key_path *path, unsigned int how, struct key_walk *walk,
                WCHAR *out, size_t max)
{
    STEADILY(index, {
        memset(walk, 0, sizeof(*walk));
        if (node_at(index, path->start)->serial != path->serial) walk->place = PLACE_LOST;
        else {
            walk_once(index, path, how, walk);
            walk->path_fits = !needs_path(walk, how) || index_path(index, walk->node, out, max, &walk->path_n);
        }
    });
    return true;
}

static void trail_once(const struct key_index *index, struct span path, struct key_trail *trail)
{
    uint32_t at = INDEX_ROOT, child;

    for (path = skip(path, 0); path.n; path = skip(path, first_component(path).n)) {
        const struct key_node *node;

        if (!(child = index_find(index, at, first_component(path)))) break;
        node = node_at(index, at = child);
        if (!(node->flags & KEY_WAS_DELETED)) continue;
        trail->left = true;
        at = node->moved;
        if (!at || node_at(index, at)->serial != node->moved_serial) return;
    }
    trail->exact = !path.n;
    trail->node = at;
    trail->serial = node_at(index, at)->serial;
}

bool index_trail(const struct key_index *index, struct span path, struct key_trail *trail)
{
    STEADILY(index, {
        memset(trail, 0, sizeof(*trail));
        trail_once(index, path, trail);
    });
    return true;
}

bool index_target(const struct key_index *index, uint32_t node, uint32_t serial, WCHAR *out, size_t max, size_t *n)
{
    const struct key_node *at = node_at(index, node);
    struct span target;

    STEADILY(index, {
        target = text_at(index, at->target, at->target_n);
        if (at->serial != serial || !is_link(at->kind) || !target.n || target.n > max) return false;
        memcpy(out, target.s, target.n * sizeof(WCHAR));
        *n = target.n;
    });
    return true;
}

bool index_peek(const struct key_index *index, uint32_t node, uint32_t serial, struct key_node *out)
{
    STEADILY(index, *out = *node_at(index, node));
    return out->serial == serial;
}

/* ---- writing ---- */

static void begin(struct key_index *index)
{
    atomic_fetch_add_explicit(&index->sequence, 1, memory_order_acq_rel);
    atomic_thread_fence(memory_order_release);
}

static void end(struct key_index *index)
{
    atomic_fetch_add_explicit(&index->sequence, 1, memory_order_release);
}

bool index_torn(const struct key_index *index)
{
    return atomic_load(&index->sequence) & 1;
}

/* Put text at *at, which has room for *max; false: no room. */
static bool put_text(struct key_index *index, uint32_t *at, uint16_t *n, uint16_t *max, struct span text)
{
    size_t room = (text.n + 31) & ~(size_t)31;

    if (text.n > *max) {
        if (room > UINT16_MAX || room > INDEX_TEXT - index->text_n) return false;
        *at = index->text_n;
        *max = (uint16_t)room;
        index->text_n += (uint32_t)room;
    }
    if (text.n) memcpy(index->text + *at, text.s, text.n * sizeof(WCHAR));
    *n = (uint16_t)text.n;
    return true;
}

static void link_node(struct key_index *index, uint32_t node)
{
    struct key_node *n = &index->nodes[node], *parent = &index->nodes[n->parent];
    uint32_t *head = &index->heads[hash_name(n->parent, index_name(index, node))];

    n->next = *head;
    *head = node;
    n->previous_sibling = 0;
    n->next_sibling = parent->first_child;
    if (n->next_sibling) index->nodes[n->next_sibling].previous_sibling = node;
    parent->first_child = node;
    parent->children++;
}

static void unlink_node(struct key_index *index, uint32_t node)
{
    struct key_node *n = &index->nodes[node], *parent = &index->nodes[n->parent];
    uint32_t *at = &index->heads[hash_name(n->parent, index_name(index, node))];

    while (*at && *at != node) at = &index->nodes[*at].next;
    if (*at) *at = n->next;
    if (n->next_sibling) index->nodes[n->next_sibling].previous_sibling = n->previous_sibling;
    if (n->previous_sibling) index->nodes[n->previous_sibling].next_sibling = n->next_sibling;
    else parent->first_child = n->next_sibling;
    parent->children++;
}

static uint32_t add(struct key_index *index, uint32_t parent, struct span name)
{
    uint32_t node = index->free;
    struct key_node *n, kept;

    if (!node && index->nodes_n >= INDEX_NODES) return 0;
    if (node) index->free = index->nodes[node].next;
    else node = index->nodes_n++;
    n = &index->nodes[node];
    kept = *n;
    memset(n, 0, sizeof(*n));
    n->name = kept.name; /* its text is used again */
    n->name_max = kept.name_max;
    n->target = kept.target;
    n->target_max = kept.target_max;
    n->serial = ++index->serials;
    n->parent = parent;
    if (!put_text(index, &n->name, &n->name_n, &n->name_max, name)) {
        n->next = index->free;
        index->free = node;
        return 0;
    }
    if (parent) link_node(index, node);
    return node;
}

uint32_t index_add(struct key_index *index, uint32_t parent, struct span name)
{
    uint32_t node = index_find(index, parent, name);

    if (name.n > INDEX_NAME_MAX || (node && is_there(index, node))) return node;
    begin(index);
    if (!node) node = add(index, parent, name);
    else memcpy(index->text + index->nodes[node].name, name.s, name.n * sizeof(WCHAR)); /* the same, maybe in other letters */
    end(index);
    return node;
}

void index_reset(struct key_index *index)
{
    static const WCHAR machine[] = { 'M', 'a', 'c', 'h', 'i', 'n', 'e' }, user[] = { 'U', 's', 'e', 'r' };

    if (!index_torn(index)) begin(index);
    memset(index->heads, 0, sizeof(index->heads));
    memset(index->nodes, 0, (size_t)index->nodes_n * sizeof(index->nodes[0]));
    index->nodes_n = 1; /* node 0 means none */
    index->free = index->text_n = 0;
    add(index, 0, (struct span){ NULL, 0 });
    add(index, INDEX_ROOT, (struct span){ machine, 7 });
    add(index, INDEX_ROOT, (struct span){ user, 4 });
    index->nodes[INDEX_ROOT].kind = KIND_MERGED;
    end(index);
}

void index_set_kind(struct key_index *index, uint32_t node, enum key_kind kind)
{
    struct key_node *n = &index->nodes[node];

    begin(index);
    n->kind = (uint8_t)kind;
    if (kind == KIND_HIDDEN) {
        n->flags |= KEY_WAS_DELETED;
        n->serial = ++index->serials; /* what handles knew of it is over */
    }
    index->nodes[n->parent].children++;
    n->children++; /* what shows below it may be other keys */
    end(index);
}

bool index_set_target(struct key_index *index, uint32_t node, struct span target)
{
    struct key_node *n = &index->nodes[node];
    bool fits;

    begin(index);
    fits = put_text(index, &n->target, &n->target_n, &n->target_max, target);
    end(index);
    return fits;
}

/* If the node is given to another key at this very moment, that one is taken for written: an audit shows one too many. */
void index_note_written(struct key_index *index, uint32_t node, uint32_t serial)
{
    struct key_node *n;

    if (node >= INDEX_NODES) return;
    n = &index->nodes[node];
    if (n->serial == serial && !atomic_load_explicit(&n->written, memory_order_relaxed))
        atomic_store_explicit(&n->written, 1, memory_order_relaxed);
}

void index_set_times(struct key_index *index, uint32_t node, int64_t touched, int64_t shown)
{
    begin(index);
    index->nodes[node].touched = touched;
    index->nodes[node].shown = shown;
    end(index);
}

static void free_node(struct key_index *index, uint32_t node)
{
    struct key_node *n = &index->nodes[node];

    unlink_node(index, node);
    n->serial = ++index->serials;
    n->parent = 0;
    n->kind = KIND_NONE;
    n->next = index->free;
    index->free = node;
}

static void free_tree(struct key_index *index, uint32_t top)
{
    uint32_t node = top, parent;

    for (;;) {
        while (index->nodes[node].first_child) node = index->nodes[node].first_child;
        parent = index->nodes[node].parent;
        free_node(index, node);
        if (node == top) return;
        node = parent;
    }
}

/* What became of the base's key is told by the place, not by the key that is there now. */
static void take_place(struct key_node *node, const struct key_node *place)
{
    node->flags = place->flags;
    node->moved = place->moved;
    node->moved_serial = place->moved_serial;
}

bool index_rename(struct key_index *index, uint32_t node, struct span name)
{
    struct key_node *n = &index->nodes[node], *left;
    const struct key_node from = *n;
    WCHAR old[INDEX_NAME_MAX];
    uint32_t other, place;
    bool fits;

    if (name.n > INDEX_NAME_MAX) return false;
    other = index_find(index, n->parent, name);
    memcpy(old, index_name(index, node).s, from.name_n * sizeof(WCHAR));
    begin(index);
    if (other != node) take_place(n, &index->nodes[other]);
    if (other && other != node) free_tree(index, other);
    unlink_node(index, node);
    fits = put_text(index, &n->name, &n->name_n, &n->name_max, name);
    link_node(index, node);
    if (other != node && (from.flags & KEY_WAS_DELETED) && (place = add(index, from.parent, (struct span){ old, from.name_n }))) {
        left = &index->nodes[place];
        take_place(left, &from);
    }
    end(index);
    return fits;
}

void index_set_moved(struct key_index *index, uint32_t node, uint32_t to)
{
    struct key_node *n = &index->nodes[node];

    if (n->flags & KEY_WAS_DELETED) return;
    begin(index);
    n->flags |= KEY_WAS_DELETED;
    n->moved = to;
    n->moved_serial = index->nodes[to].serial;
    end(index);
}

void index_drop(struct key_index *index, uint32_t node)
{
    struct key_node *n = &index->nodes[node];

    if (node <= INDEX_USER) return;
    begin(index);
    n->kind = KIND_NONE;
    n->touched = n->shown = 0;
    n->serial = ++index->serials;
    n->children++;
    index->nodes[n->parent].children++;
    if (!n->first_child && !(n->flags & KEY_WAS_DELETED)) free_node(index, node);
    end(index);
}
