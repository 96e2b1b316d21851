/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Keys as programs hold them: which key a handle means by now. */
#ifndef WINESILO_KEYHANDLE_H
#define WINESILO_KEYHANDLE_H

#include "regtree.h"

#define INDEX (&shared->keys)

/* what is known of a key's handle, in its slot */
enum key_state {
    KEY_BASE,    /* a key of the base; right while the generation is the slot's */
    KEY_PRIVATE, /* a private key, by itself or through the slot's twin, which may be deleted */
    KEY_FOREIGN, /* no key of the registry's tree: used as it is */
};

/* Make *key the handle to use for reading; NULL: it is not a key, or nothing is known. */
NTSTATUS key_for_reading(HANDLE *key, struct slot **slot);
/* Make *key a handle of the silo's own key, which is copied up if need be. What is done with it needs one of the
 * rights in need; without it the real call through the unchanged handle gives the error. */
NTSTATUS key_own(HANDLE *key, ACCESS_MASK need);
/* The same for a write, which the hive must be saved after. */
NTSTATUS key_for_writing(HANDLE *key, ACCESS_MASK need);
/* A handle of a key of the base that is deleted in the silo: from now on it is a deleted key's. */
NTSTATUS key_is_gone(HANDLE key);
/* A handle of the base's key that shows through a private one; NULL: none. */
HANDLE key_lower(struct slot *slot, const struct key_node *node);

void key_note(HANDLE key, enum key_state state, uint32_t generation, uint32_t node, uint32_t serial);

/* what the index says of the key of a handle; false: it is no private key, or not there any more */
static inline bool key_peek(const struct slot *slot, struct key_node *node)
{
    return slot && slot->kind == SLOT_KEY && slot->state == KEY_PRIVATE && index_peek(INDEX, slot->node, slot->serial, node);
}

/* ---- for keyplace.c ---- */

void keys_get_ready(void); /* before the first use of the index in this process */
void keys_get_table(struct span name); /* and of the table of letters, before a name is compared with others */
static inline struct key_path from_root(struct span name)
{
    return (struct key_path){ .start = INDEX_ROOT, .serial = INDEX->nodes[INDEX_ROOT].serial, .name = name };
}

/* what the index says of a path without links in it */
void walk_logical(struct span logical, struct key_walk *walk);

#endif
