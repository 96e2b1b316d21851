/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The silo's registry tree: its private keys, in a hive of its own, and the index of them in shared memory
 * (docs/design/registry.md). What is here changes the tree; hook_registry.c decides when, keylist.c lists it.
 * Paths are logical ones ("\Machine\Software\X") with no links left in them. */
#ifndef WINESILO_REGTREE_H
#define WINESILO_REGTREE_H

#include "regkey.h"

/* Make the lock of the tree, unless that was done; false: errno says why not. */
bool regtree_init(void);
/* Build the index if no process of the silo has done so yet. */
void regtree_ready(void);
/* until no change is under way; mends what a process left that died in the middle of one */
void regtree_wait(void);
static inline uint32_t regtree_generation(void)
{
    return atomic_load_explicit(&shared->generation, memory_order_acquire);
}
void regtree_written(void); /* the hive must be saved */

/* A key in the index, as long as it is there. */
struct key_id {
    uint32_t node, serial;
};

/* the path of a key in the index; false: it is not there any more */
bool regtree_path(uint32_t node, uint32_t serial, struct regpath *path);
/* Make the key at a path private, with all its ancestors. */
NTSTATUS regtree_copy_up(struct span logical);
/* Before a key is created at a path: make its parent private, and take away what says that the base's was deleted. */
NTSTATUS regtree_prepare_create(struct span logical);
void regtree_not_created(struct span logical); /* after it, if there was an error */
/* After it: take the new key, or link, into the index; key is a handle of it, to undo it with. above: the key it is below,
 * if that is known. */
NTSTATUS regtree_publish(struct span logical, struct key_id above, HANDLE key, bool link, struct key_id *id);
/* A hive was loaded: take its keys into the index. */
void regtree_scan(struct span logical);
/* A private link leads somewhere else. */
void regtree_note_target(struct span logical);
/* Take a key of the base out of the silo's view. */
NTSTATUS regtree_hide(struct span logical, bool with_subkeys);
/* A handle of a key that was deleted: what is done with it fails as it must. */
NTSTATUS regtree_deleted_key(ACCESS_MASK access, HANDLE *key);
/* Delete a private key through a handle of it. */
NTSTATUS regtree_delete(struct key_id id, HANDLE key);
/* A hive was unloaded: forget its keys. */
void regtree_forget(struct span logical);
/* Rename the private key at a path through a handle of it. */
NTSTATUS regtree_rename(struct span logical, HANDLE key, struct span name);
/* Save what the silo sees below a path to a file, as NtSaveKey does. */
NTSTATUS regtree_save(struct span logical, HANDLE key, HANDLE file);

#endif
