/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the files that change the silo's registry tree share: regindex.c (its lock, paths, the index), regtree.c (keys are
 * copied up, made and deleted) and regmove.c (renamed and saved). All but the lock itself is used while it is held. */
#ifndef WINESILO_REGWORK_H
#define WINESILO_REGWORK_H

#include "regtree.h"

#define INDEX (&shared->keys)

extern const struct span nothing;
/* A name that no program gives: as a subkey, a link to nowhere, it says that the base's subkeys do not show;
 * as a value that the key's copy is not complete. */
extern const struct span mark;
extern const struct span aside; /* a key that is made, used and deleted while the lock is held */

void lock_tree(struct quiet *q);
void unlock_tree(struct quiet *q);
void next_generation(void); /* handles of keys of the base may mean others now */

/* ---- paths and nodes ---- */

bool join(struct regpath *path, struct span parent, struct span name);
struct span take_component(struct span *rest); /* the next one of a path; *rest is what follows it */
uint32_t node_of(struct span logical);         /* 0: some component is not in the index */
uint32_t child_of(uint32_t node, struct span name);
enum key_kind kind_of(uint32_t node);
bool holds_keys(enum key_kind kind); /* can keys be made below such a node? */
/* STATUS_SUCCESS, or STATUS_PREDEFINED_HANDLE for a key of performance data: the base has a key there. */
NTSTATUS ask_base(struct span logical);
bool base_has(struct span logical);
/* take what the hive has at a path into the index; parent is the key above, and its node */
void scan_child(HANDLE parent, struct span logical, uint32_t parent_node, int depth);

/* ---- changes ---- */

bool is_volatile(struct span logical); /* does the configuration say so? */
/* What the silo changes in its tree for its own sake does not show in a key's last-write time. */
void keep_time(HANDLE key, uint32_t node, int64_t before);
/* Make all keys on a path private. *node: the last one. */
NTSTATUS copy_path(struct span logical, uint32_t *node);
/* Make all keys below a private one private too. */
NTSTATUS copy_below(uint32_t node, struct span logical, int depth);
/* Subkeys of the base must not show below a private key. */
NTSTATUS make_opaque(HANDLE key, uint32_t node);
/* Put a mark for a deleted key of the base into the place of logical, whose parent is private. */
NTSTATUS hide(struct span logical, uint32_t parent_node);

struct visitor {
    /* node: the child's, 0 if it has none */
    NTSTATUS (*visit)(struct visitor *visitor, struct span logical, struct span name, uint32_t node);
    uint32_t parent;
    HANDLE to;
    int depth;
};

/* Visit the base's children of a key that show in the silo and are not private. */
NTSTATUS visit_base_children(struct span logical, struct visitor *visitor);

#endif
