/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A Windows environment in the making: NAME=VALUE entries in UTF-16, put together as Wine does it for a process
 * without a parent. Pure but for its own memory. */
#ifndef WINESILO_VARIABLES_H
#define WINESILO_VARIABLES_H

#include "names.h"

/* all zero is an empty one */
struct variables {
    WCHAR *text; /* entries, each with a 0 at its end; from malloc */
    size_t n, room;
    bool failed; /* there was no memory: what is here is not complete */
};

/* what Wine does with an entry of a first process's Unix environment */
enum variable_kind {
    VARIABLE_PLAIN,   /* a variable for Windows programs too */
    VARIABLE_OF_UNIX, /* means something else to Windows programs (PATH, HOME ...): left out */
    VARIABLE_RENAMED, /* stands for one of those: WINEPATH, WINEHOME ... */
    VARIABLE_OF_WINE, /* made anew for each process: left out */
};
enum { RENAMED_PREFIX = 4 }; /* so much of a renamed entry goes away */

enum variable_kind variable_kind(const char *entry);
/* Does an entry that begins with this name come from Wine itself, not from the registry or the Unix environment? */
bool variable_is_wines(struct span entry);

/* the value; s is NULL where there is none */
struct span variables_get(const struct variables *v, struct span name);
/* Set a variable; a value without s takes it away. */
void variables_set(struct variables *v, struct span name, struct span value);
/* Set one as a value of the registry says: data as it is there, perhaps with a 0 at its end. References (%NAME%) in
 * values that have them are replaced, a PATH is put behind the one that is there, an empty value changes nothing. */
void variables_set_registry(struct variables *v, struct span name, bool references, struct span data);
/* text with references replaced, in memory of the caller's to free; s is NULL: no memory */
struct span variables_expand(const struct variables *v, struct span text);
void variables_free(struct variables *v);

#endif
