/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Names on C: that were looked for in vain. Wine looks for what is not there in any letter case, which takes a listing
 * of the folder, and programs ask for the same missing names again and again (.htaccess files, DLLs). While a folder is
 * as it was, so is that answer. See docs/design/files.md. */
#ifndef WINESILO_ABSENT_H
#define WINESILO_ABSENT_H

#include <stdbool.h>
#include <stdint.h>

#include "names.h"

/* one question; name 0: not one that is remembered */
struct lookup {
    uint64_t name, folder;
    size_t folder_n; /* of path, if there is one */
    char path[512];
};

/* Once, before any question: the folder that is C:, without a slash at its end. One that is too long, or not there, turns this off. */
void absent_init(const char *drive);

/* Was name, an NT path, absent the last time, asked for in this way (access, options ...), and is its folder the same,
 * unchanged? If not, make the real call and tell absent_note what it said. */
bool absent_still(struct lookup *l, struct span name, uint64_t how);
void absent_note(const struct lookup *l, bool absent);

#endif
