/* Texts of HTTP headers: dates, ranges, entity tags, types (RFC 9110). Touches nothing but its arguments.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WINESILO_IIS_TEXT_H
#define WINESILO_IIS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TEXT_DATE = 30 };

/* Seconds since 1970, of which none are before. "Sun, 06 Nov 1994 08:49:37 GMT" */
void text_date(char out[TEXT_DATE], int64_t seconds);

/* The same back, also from the two obsolete forms; -1: no date */
int64_t text_parse_date(const char *text);

enum range_result { RANGE_NONE, RANGE_GOOD, RANGE_OUTSIDE };

/* "bytes=5-9", "bytes=5-", "bytes=-5" of a body; NONE: the whole is to be sent (several ranges, another unit, nonsense). */
enum range_result text_range(const char *text, uint64_t size, uint64_t *first, uint64_t *length);

/* Is this entity tag in an If-None-Match header's list? "*" is any; W/ does not matter. */
bool text_has_tag(const char *list, const char *tag);

/* The media type of a file, by the extension of its name. */
const char *text_type(const char *name);

#endif
