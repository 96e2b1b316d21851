/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The silo's registry tree: a private hive whose keys hold all their values, and a registry link to the
 * base for every child that is not private itself (docs/design/registry.md). What is here changes the
 * tree; hook_registry.c decides when. */
#ifndef WINESILO_REGTREE_H
#define WINESILO_REGTREE_H

#include "regkey.h"

/* Make the key at a logical path private, with all its ancestors. */
NTSTATUS regtree_copy_up(struct span logical);
/* The same with everything below it. */
NTSTATUS regtree_copy_up_all(struct span logical);
/* Save what the silo sees below a key to a file, as NtSaveKey does. */
NTSTATUS regtree_save(HANDLE key, HANDLE file);
/* Make the parent of a logical path private and, if what stands at the path is a link to a base key that is
 * gone, take the link away, so that a key can be created there. */
NTSTATUS regtree_prepare_child(struct span logical);
/* Take a base key that has no subkeys out of the silo's view. */
NTSTATUS regtree_hide(struct span logical);

uint32_t regtree_generation(void);
void regtree_wait(void); /* until no copy-up is under way */
void regtree_written(void);

void regtree_init(void);

#endif
