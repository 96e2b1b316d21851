/* Layout of a disc image: ISO 9660 with Joliet names (ECMA-119; Joliet specification of 1995). Makes all that comes before the
 * files' data; touches nothing but its arguments.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WINESILO_ISO_H
#define WINESILO_ISO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ISO_SECTOR = 2048, ISO_NAME = 64, ISO_DEPTH = 8 };

/* What an image is to hold. Entry 0 is the root; a folder comes before what is in it. */
struct iso_entry {
    uint16_t name[ISO_NAME + 1]; /* UTF-16, ended by a zero; longer ones must be cut */
    uint32_t parent;             /* number of its folder */
    bool folder;
    uint32_t size;
    /* set by iso_layout */
    uint32_t extent;             /* first sector of a file's data */
};

/* The time of the recording, UTC. */
struct iso_time {
    unsigned int year, month, day, hour, minute, second;
};

/* The start of the image, *size bytes, to be freed by the caller; files follow, each at its extent, filled up to a sector.
 * *sectors: of the whole image. NULL: no memory, too deep, too many folders, or too large. */
void *iso_layout(struct iso_entry *entries, uint32_t count, const char *volume, const struct iso_time *time, size_t *size,
                 uint32_t *sectors);

#endif
