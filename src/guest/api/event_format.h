/* The format of event log files, apart from Windows and its files: what is where, and what of it is whole.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Source: "Event Log File Format" of the Windows SDK, ELF_LOGFILE_HEADER, EVENTLOGRECORD and ELF_EOF_RECORD there; the
 * record is also EVENTLOGRECORD of [MS-EVEN] 2.2.3. All numbers are little endian and 32 bits but where it says 16.
 *
 * Behind the header lies a ring: a record that does not fit at its end goes on at its beginning. Where less is left than
 * the fixed part of a record takes, u32 of 0x27 fill the rest. The record that follows the last one marks the end. */
#ifndef EVENT_FORMAT_H
#define EVENT_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#define EVENT_SIGNATURE 0x654c664cu /* "LfLe" */
#define EVENT_FILLER 0x27u
#define EVENT_LEAST_RECORD 60u /* the fixed part and the length at the end */

enum event_flag { EVENT_DIRTY = 1, EVENT_WRAPPED = 2, EVENT_FULL = 4, EVENT_ARCHIVE = 8 };

struct event_header {
    uint32_t size, signature, major, minor;
    uint32_t start, end;   /* offsets of the oldest record, and of the one that marks the end */
    uint32_t next, oldest; /* numbers; oldest is 0 in an empty log */
    uint32_t max_size, flags, retention, end_size;
};

struct event_end {
    uint32_t size, ones, twos, threes, fours;
    uint32_t start, end, next, oldest, end_size;
};

struct event_record {
    uint32_t length, signature, number, generated, written, id;
    uint16_t type, strings, category, flags;
    uint32_t closing, string_offset, sid_length, sid_offset, data_length, data_offset;
};

#define EVENT_HEADER_SIZE ((uint32_t)sizeof(struct event_header))
#define EVENT_END_SIZE ((uint32_t)sizeof(struct event_end))
#define EVENT_RECORD_SIZE ((uint32_t)sizeof(struct event_record))

/* A file in memory; the ring reaches from the header to its size. */
struct event_image {
    const uint8_t *bytes;
    uint32_t size;
};

/* An empty log. */
void event_new_header(struct event_header *header, uint32_t max_size, uint32_t retention);
struct event_end event_end_of(const struct event_header *header);

/* Whether it is a header of this format. */
int event_header_ok(const struct event_header *header);

/* Whether what it says can be so in a file of this size, and nobody was writing. */
int event_header_true(const struct event_header *header, uint32_t file_size);

/* How many bytes of the ring are between its records' beginning and end. */
uint32_t event_used(const struct event_header *header, uint32_t size);

/* The offset that lies some bytes behind another one. */
uint32_t event_advance(uint32_t at, uint32_t bytes, uint32_t size);

/* Where the record begins that follows the one which ends here. */
uint32_t event_place(uint32_t at, uint32_t size);

/* The length of the record there; 0 if there is no whole one of that number. */
uint32_t event_record_at(const struct event_image *image, uint32_t at, uint32_t number);

/* Copies out of the ring. */
void event_copy(const struct event_image *image, uint32_t at, void *to, uint32_t bytes);

/* Copies the records of a clean log, oldest first, until the first that is not whole. The room for them must be that of
 * the image, and there must be an offset for each EVENT_LEAST_RECORD bytes of it. Returns how many there are. */
uint32_t event_unroll(const struct event_image *image, const struct event_header *header, uint8_t *records,
                      uint32_t *bytes, uint32_t *offsets);

/* Finds out what is in a log whose header is of no use, because its writer has been killed or it was copied while
 * somebody wrote: the record that marks the end says it; without one, what lies behind the header's first record.
 * Afterwards the header is true and clean; the record that marks the end is to be written anew. */
void event_recover(const struct event_image *image, struct event_header *header);

/* Whether the texts, the SID and the data lie inside the record: names, strings and their NULs, too. */
int event_record_sound(const struct event_record *record);

#endif
