/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Keys as programs name and hold them: where a name leads in the silo, and which key a handle means by now.
 * hook_registry.c is written in these terms. */
#ifndef WINESILO_KEYPLACE_H
#define WINESILO_KEYPLACE_H

#include "regtree.h"

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

enum { PLACE_TEXT = 400, PLACE_PREFIX = 64, PLACE_NAME = 200 };

/* Where a name leads. */
struct place {
    bool ours;          /* else: not in the registry's tree, or below a key of the base with nothing private there */
    bool direct;        /* the name is the path below the handle it is relative to */
    struct key_walk walk;
    struct span logical; /* the path, if it is ours */
    OBJECT_ATTRIBUTES attr;
    UNICODE_STRING name;
    bool by_lower;      /* attr is relative to a handle of the base's key that was opened before */
    WCHAR *text;
    uint16_t asked_length;
    WCHAR asked[PLACE_NAME]; /* the name as it was given, if it is not longer */
    WCHAR small[PLACE_TEXT];
};

enum { PLACE_OPEN_LINK = 1, PLACE_WHOLE = 2 }; /* a link is meant itself; the path is wanted in any case */

/* Find it. *attr becomes the attributes to open it with; *access may change as well. */
NTSTATUS place_find(struct place *place, const OBJECT_ATTRIBUTES **attr, ACCESS_MASK *access, unsigned int flags,
                    const char *call);
/* Is the key above it private, and nothing known of the place itself, so that a key can be made there at once? */
bool place_is_ready(const struct place *place);
/* Remember for a moment that the base has no key there; was that so? */
void place_note_absent(const struct place *place);
bool place_is_absent(const struct place *place);
/* Make *attr name the private key there, whether it is there or not. It is relative to a handle if *attr was: the
 * wineserver does not treat absolute names alike. *parent: a handle to be closed after use, or NULL. */
NTSTATUS place_in_hive(struct place *place, const OBJECT_ATTRIBUTES **attr, HANDLE *parent);
/* Note what a new handle of what the path is now is. */
void place_note_private(const struct place *place, HANDLE key, uint32_t generation);
/* Note what a new handle of the key there is. */
void place_note(const struct place *place, HANDLE key, uint32_t generation);
void key_note(HANDLE key, enum key_state state, uint32_t generation, uint32_t node, uint32_t serial);

#endif
