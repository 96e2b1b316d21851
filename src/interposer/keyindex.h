/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The index of a silo's private registry keys, in memory that its processes share: a tree of the keys that
 * are private, hidden or links, so that one look says where a path leads (docs/design/registry.md). It touches
 * nothing but its arguments, so it is tested and fuzzed without Wine.
 *
 * Writers hold the lock of the tree (regtree.c); readers take no lock and look again when something moved. */
#ifndef WINESILO_KEYINDEX_H
#define WINESILO_KEYINDEX_H

#include <stdatomic.h>

#include "names.h"

enum key_kind {
    KIND_NONE,      /* nothing here: as in the base, unless an ancestor hides that */
    KIND_BASE_LINK, /* a registry link of the base */
    KIND_MERGED,    /* a private key: its values are complete, subkeys come from the base as well */
    KIND_OPAQUE,    /* a private key that hides the base's subkeys, maybe with marks among its own */
    KIND_OWN,       /* a private key where the base has none, or below such: all its subkeys are its own */
    KIND_LINK,      /* a private registry link */
    KIND_HOLDER,    /* a private key that only holds others: itself it is the base's, one for performance data */
    KIND_HIDDEN,    /* a key of the base that is deleted in the silo */
};

enum {
    INDEX_NODES = 1 << 18,
    INDEX_HEADS = 1 << 17,
    INDEX_TEXT = 12 << 20,
    INDEX_NAME_MAX = 256,
    INDEX_PATH_MAX = 32000,
    INDEX_DEPTH = 512, /* levels of a registry tree, as on Windows */
    INDEX_ROOT = 1, /* \Registry */
    INDEX_MACHINE,
    INDEX_USER,
};

enum { KEY_WAS_DELETED = 1 }; /* flags: the key of the base is not here any more, so a handle of it is another key's, or a deleted one's */

struct key_node {
    uint32_t parent, next; /* next: of the same hash, or of the free nodes */
    uint32_t first_child, next_sibling, previous_sibling;
    uint32_t serial;   /* changes when the node is used for another key */
    uint32_t children; /* changes with the set of children */
    uint32_t name, target;
    uint16_t name_n, name_max, target_n, target_max;
    uint8_t kind, flags;
    _Atomic uint8_t written; /* its values were changed; set without the lock, for an audit */
    uint32_t moved, moved_serial; /* with KEY_WAS_DELETED: the key of the base was renamed, and this node's is what it became */
    /* the key's last-write time as the wineserver has it since the key was copied up, and what it was before */
    int64_t touched, shown;
};

/* memory full of zeroes is an index that was not built */
struct key_index {
    _Atomic uint32_t sequence; /* odd while something changes */
    _Atomic uint32_t built; /* 1: it says what the silo's hive holds */
    uint32_t nodes_n, free, text_n, serials;
    uint32_t heads[INDEX_HEADS];
    struct key_node nodes[INDEX_NODES];
    WCHAR text[INDEX_TEXT];
};

_Static_assert(offsetof(struct key_index, nodes_n) == 8 && offsetof(struct key_index, nodes) == 524312 &&
                   offsetof(struct key_index, text) == 19398680, "known to the daemon");
_Static_assert(sizeof(struct key_node) == 72 && offsetof(struct key_node, name) == 28 && offsetof(struct key_node, name_n) == 36 &&
                   offsetof(struct key_node, kind) == 44 && offsetof(struct key_node, written) == 46, "known to the daemon");

static inline bool is_private_kind(enum key_kind kind)
{
    return kind == KIND_MERGED || kind == KIND_OPAQUE || kind == KIND_OWN || kind == KIND_LINK;
}

/* Letters that are one to the wineserver: its table of lower-case letters, NULL before Wine has it (ASCII only). */
extern const uint16_t *key_case_table;
int key_compare(struct span a, struct span b); /* the order of subkeys */
/* The hives of silos are the base's keys \Registry\User\winesilo-N. They are not there for programs: is name, a subkey
 * of the key at node parent, one? */
bool is_silo_hive(uint32_t parent, struct span name);

/* ---- writing; the lock is held ---- */

void index_reset(struct key_index *index); /* empty but for the root, Machine and User */
/* the child, made if it is not there; 0: no room */
uint32_t index_add(struct key_index *index, uint32_t parent, struct span name);
void index_set_kind(struct key_index *index, uint32_t node, enum key_kind kind);
bool index_set_target(struct key_index *index, uint32_t node, struct span target);
void index_note_written(struct key_index *index, uint32_t node, uint32_t serial); /* no lock is needed */
void index_set_times(struct key_index *index, uint32_t node, int64_t touched, int64_t shown);
/* Give a node another name; a node that has the name already goes with all below it. What became of the base's keys at
 * both names stays known. */
bool index_rename(struct key_index *index, uint32_t node, struct span name);
/* The base's key is not at node any more: it is to's (0: deleted), unless that was known before. */
void index_set_moved(struct key_index *index, uint32_t node, uint32_t to);
/* Nothing is private at node any more; what handles knew of it is over. */
void index_drop(struct key_index *index, uint32_t node);
bool index_torn(const struct key_index *index); /* a writer died in the middle of a change: build it anew */

/* ---- reading ---- */

uint32_t index_find(const struct key_index *index, uint32_t parent, struct span name); /* 0: none */
struct span index_name(const struct key_index *index, uint32_t node);
/* The path from the root to node, with a backslash before each component; false: longer than max. */
bool index_path(const struct key_index *index, uint32_t node, WCHAR *out, size_t max, size_t *n);

enum key_place {
    PLACE_BASE,    /* what the base has there */
    PLACE_PRIVATE, /* a private key */
    PLACE_ABSENT,  /* nothing, whatever the base has */
    PLACE_LINK,    /* the link at node must be followed, with rest behind its target */
    PLACE_LOST,    /* the node to start from is not what it was */
};

struct key_walk {
    enum key_place place;
    uint32_t node, serial; /* the last node on the path */
    struct span rest;      /* what is left of the name behind it */
    bool to_hive;          /* the path leads to the hive of a silo, or below it */
    size_t tail_n;         /* the length of the same with the backslash before it */
    bool exact;            /* nothing is left */
    bool redirected;       /* a 32-bit view was entered: the path is not the one that the name says */
    bool ask_base;         /* rest is to be looked for in the base's 32-bit view here, and else in the key above */
    bool path_fits;        /* the path of the node was put into the caller's buffer, or is of no use */
    size_t path_n;
};

enum {
    WALK_OPEN_LINK = 1,
    WALK_32BIT = 2,   /* Wow6432Node keys take the place of those that have one, as the wineserver does it */
    WALK_NOT_HERE = 4, /* but not of the key to start from */
    WALK_NO_BASE_PATH = 8,   /* the path is of no use where the base's key is meant, */
    WALK_NO_PRIVATE_PATH = 16 /* where a private one is, or none: unless it is not the one that the name says */
};

/* what to walk: a name from a node on. Its first plain characters are the target of a link, which has no views. */
struct key_path {
    uint32_t start, serial;
    struct span name;
    size_t plain;
};

/* Where does it lead? The path of the last node goes to out, if it fits and is of use. False: the index is being changed, ask again. */
bool index_walk(const struct key_index *index, const struct key_path *path, unsigned int how, struct key_walk *walk,
                WCHAR *out, size_t max);
/* Where a link leads; false: it is none. */
bool index_target(const struct key_index *index, uint32_t node, uint32_t serial, WCHAR *out, size_t max, size_t *n);

struct key_trail {
    bool left;             /* the key of the base, or one above it, is not where it was */
    bool exact;            /* node is where the key itself is now */
    uint32_t node, serial; /* 0: it is deleted */
};

/* Where is the base's key of that path now? Renamed keys are followed, whatever took their old names. */
bool index_trail(const struct key_index *index, struct span path, struct key_trail *trail);
/* What is known of a node that may be given to another key at any time; false: it was. */
bool index_peek(const struct key_index *index, uint32_t node, uint32_t serial, struct key_node *out);

#endif
