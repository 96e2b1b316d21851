/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The subkeys of a private key, as a program lists them: its own and the base's, sorted as the wineserver sorts
 * them. Lists are kept per process, and looked at again when something changed. */
#ifndef WINESILO_KEYLIST_H
#define WINESILO_KEYLIST_H

#include "regkey.h"

/* A key to be listed: its handle, its place in the index, and a handle of the base's key that shows through
 * (NULL: none does). */
struct listed_key {
    HANDLE key, lower;
    uint32_t node, serial;
};

/* What is known of the child at an index. */
struct list_item {
    bool in_base;       /* the base's: position counts in lower's list */
    ULONG position;     /* private: where the wineserver should have it in key's list */
    uint32_t node;      /* private: in the index */
    ULONG info_size;    /* of the KEY_NODE_INFORMATION put into info; 0: none was read */
};

enum { LIST_INFO_MAX = 2048 };

NTSTATUS list_item(const struct listed_key *key, ULONG index, struct list_item *item, void *info);

struct list_totals {
    ULONG subkeys, max_name, max_class; /* max_class: of the base's */
};

NTSTATUS list_totals(const struct listed_key *key, struct list_totals *totals);

#endif
