/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Keys as programs name them: where a name leads in the silo. */
#ifndef WINESILO_KEYPLACE_H
#define WINESILO_KEYPLACE_H

#include "keyhandle.h"

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

/* Find it; the hives of silos are not there and can't be made. *attr becomes the attributes to open it with; *access may change as well. */
NTSTATUS place_find(struct place *place, const OBJECT_ATTRIBUTES **attr, ACCESS_MASK *access, unsigned int flags,
                    const char *call);
/* Has the silo at this path (of a 64-bit program) just what the base has there? Asks nobody. */
bool place_is_base(struct span path);
/* Is the key above it private, and nothing known of the place itself, so that a key can be made there at once? Which one
 * it is; node 0: no. */
struct key_id place_above(const struct place *place);
/* Remember for a moment that the base has no key there; was that so? */
void place_note_absent(const struct place *place);
bool place_is_absent(const struct place *place);
/* Make *attr name the private key there, whether it is there or not. It is relative to a handle if *attr was: the
 * wineserver does not treat absolute names alike. *parent: a handle to be closed after use, or NULL. */
NTSTATUS place_in_hive(struct place *place, const OBJECT_ATTRIBUTES **attr, HANDLE *parent);
/* Note what a new handle of the key there is. */
void place_note(const struct place *place, HANDLE key, uint32_t generation);

#endif
