/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The silo's registry tree: a private hive whose keys hold all their values, and a registry link to the
 * base for every child that is not private itself (docs/design/registry.md). What is here changes the
 * tree; hook_registry.c decides when. */
#ifndef WINESILO_REGTREE_H
#define WINESILO_REGTREE_H

#include "silo.h"

/* A registry path of our own: the full name, or the logical one ("\Machine\Software\X"). */
struct regpath {
    WCHAR *s;
    size_t n;
    WCHAR small[300];
};

void regpath_free(struct regpath *path);
/* path = a + b; false: no memory or longer than a name may be */
bool regpath_join(struct regpath *path, struct span a, struct span b);

/* the full name of a key, as the wineserver knows it */
NTSTATUS regtree_name(HANDLE key, struct regpath *path);
/* is this full name in the silo's own hive? */
bool regtree_is_private(struct span full_name);
/* full name -> logical path ("\Machine\..."); false: not below Machine or User */
bool regtree_logical(struct span full_name, struct span *logical);

/* logical path -> handle of what the silo sees there */
NTSTATUS regtree_open(struct span logical, ACCESS_MASK access, HANDLE *key);

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

/* The target of a registry link, if key (opened with OBJ_OPENLINK) is one. */
bool regtree_read_link(HANDLE key, struct regpath *target);

void regtree_init(void);

#endif
