/* The format of event log files: see event_format.h.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "event_format.h"

#include <string.h>

void event_new_header(struct event_header *header, uint32_t max_size, uint32_t retention)
{
    *header = (struct event_header){
        .size = EVENT_HEADER_SIZE,
        .signature = EVENT_SIGNATURE,
        .major = 1,
        .minor = 1,
        .start = EVENT_HEADER_SIZE,
        .end = EVENT_HEADER_SIZE,
        .next = 1,
        .max_size = max_size,
        .retention = retention,
        .end_size = EVENT_HEADER_SIZE,
    };
}

struct event_end event_end_of(const struct event_header *header)
{
    return (struct event_end){
        .size = EVENT_END_SIZE,
        .ones = 0x11111111,
        .twos = 0x22222222,
        .threes = 0x33333333,
        .fours = 0x44444444,
        .start = header->start,
        .end = header->end,
        .next = header->next,
        .oldest = header->oldest,
        .end_size = EVENT_END_SIZE,
    };
}

static int offset_ok(uint32_t at, uint32_t file_size)
{
    return at >= EVENT_HEADER_SIZE && at <= file_size && at % 4 == 0;
}

int event_header_ok(const struct event_header *header)
{
    return header->size == EVENT_HEADER_SIZE && header->signature == EVENT_SIGNATURE && header->major == 1 &&
           header->minor == 1 && header->end_size == EVENT_HEADER_SIZE;
}

int event_header_true(const struct event_header *header, uint32_t file_size)
{
    return !(header->flags & EVENT_DIRTY) && header->next && offset_ok(header->start, file_size) &&
           offset_ok(header->end, file_size);
}

uint32_t event_used(const struct event_header *header, uint32_t size)
{
    if (!header->oldest)
        return 0;
    return header->start <= header->end ? header->end - header->start
                                        : size - EVENT_HEADER_SIZE - (header->start - header->end);
}

uint32_t event_advance(uint32_t at, uint32_t bytes, uint32_t size)
{
    uint64_t next = (uint64_t)at + bytes;

    return (uint32_t)(next < size ? next : next - size + EVENT_HEADER_SIZE);
}

uint32_t event_place(uint32_t at, uint32_t size)
{
    return size - at < EVENT_RECORD_SIZE ? EVENT_HEADER_SIZE : at;
}

void event_copy(const struct event_image *image, uint32_t at, void *to, uint32_t bytes)
{
    uint32_t first = image->size - at < bytes ? image->size - at : bytes;

    memcpy(to, image->bytes + at, first);
    memcpy((uint8_t *)to + first, image->bytes + EVENT_HEADER_SIZE, bytes - first);
}

uint32_t event_record_at(const struct event_image *image, uint32_t at, uint32_t number)
{
    struct event_record record;
    uint32_t length;

    if (at < EVENT_HEADER_SIZE || at > image->size || image->size - at < EVENT_RECORD_SIZE)
        return 0;
    event_copy(image, at, &record, sizeof(record));
    if (record.signature != EVENT_SIGNATURE || record.number != number || record.length < EVENT_LEAST_RECORD ||
        record.length % 4 || record.length > image->size - EVENT_HEADER_SIZE)
        return 0;
    event_copy(image, event_advance(at, record.length - 4, image->size), &length, sizeof(length));
    return length == record.length ? length : 0;
}

/* How far whole records with successive numbers reach from there. */
struct reach {
    uint32_t end, next, bytes;
};

static struct reach walk(const struct event_image *image, uint32_t at, uint32_t number, uint32_t last)
{
    struct reach reach = {.end = at, .next = number};

    while (reach.next != last) {
        uint32_t place = event_place(reach.end, image->size), length = event_record_at(image, place, reach.next);

        if (!length || length > image->size - EVENT_HEADER_SIZE - reach.bytes)
            break; /* the end, or once around */
        reach.end = event_advance(place, length, image->size);
        reach.bytes += length;
        reach.next++;
    }
    return reach;
}

uint32_t event_unroll(const struct event_image *image, const struct event_header *header, uint8_t *records,
                      uint32_t *bytes, uint32_t *offsets)
{
    uint32_t at = header->start, count = 0;

    *bytes = 0;
    for (uint32_t number = header->oldest; number && number != header->next; number++) {
        uint32_t place = event_place(at, image->size), length = event_record_at(image, place, number);

        if (!length || length > image->size - EVENT_HEADER_SIZE - *bytes)
            break;
        event_copy(image, place, records + *bytes, length);
        offsets[count++] = *bytes;
        *bytes += length;
        at = event_advance(place, length, image->size);
    }
    return count;
}

/* ---- recovery ---- */

static int is_end(const struct event_end *end)
{
    return end->size == EVENT_END_SIZE && end->ones == 0x11111111 && end->twos == 0x22222222 &&
           end->threes == 0x33333333 && end->fours == 0x44444444 && end->end_size == EVENT_END_SIZE;
}

/* The mark of the end with the highest number, of those in front of which all records are whole. */
static int find_end(const struct event_image *image, struct event_end *best)
{
    int found = 0;

    for (uint32_t at = EVENT_HEADER_SIZE; at < image->size && image->size - at >= 4; at += 4) {
        struct event_end end;
        struct reach reach;

        if (image->bytes[at] != EVENT_END_SIZE)
            continue;
        event_copy(image, at, &end, sizeof(end));
        if (!is_end(&end) || end.end != at || !end.next || (found && end.next <= best->next) ||
            !offset_ok(end.start, image->size))
            continue;
        reach = walk(image, end.start, end.oldest, end.next);
        if (end.oldest && (reach.next != end.next || reach.end != at))
            continue;
        *best = end;
        found = 1;
    }
    return found;
}

/* Whether the mark of the end fits between the end and the beginning. */
static int has_room(const struct event_image *image, uint32_t start, uint32_t end)
{
    return end > start ? image->size - EVENT_HEADER_SIZE - (end - start) >= EVENT_END_SIZE
                       : start - end >= EVENT_END_SIZE;
}

static void set_empty(struct event_header *header, uint32_t next)
{
    header->start = header->end = EVENT_HEADER_SIZE;
    header->oldest = 0;
    header->next = next ? next : 1;
}

void event_recover(const struct event_image *image, struct event_header *header)
{
    struct event_record first;
    struct event_end end = {0};
    struct reach reach;

    header->flags &= ~(uint32_t)(EVENT_DIRTY | EVENT_WRAPPED);
    if (image->size < EVENT_HEADER_SIZE + EVENT_END_SIZE) {
        set_empty(header, header->next);
        return;
    }
    if (find_end(image, &end)) {
        header->start = end.start;
        header->end = end.end;
        header->next = end.next;
        header->oldest = end.oldest;
    } else if (header->start >= EVENT_HEADER_SIZE && header->start <= image->size - EVENT_RECORD_SIZE) {
        event_copy(image, header->start, &first, sizeof(first));
        reach = walk(image, header->start, first.number, first.number - 1);
        if (first.number && reach.bytes && has_room(image, header->start, reach.end)) {
            header->end = reach.end;
            header->next = reach.next;
            header->oldest = first.number;
        } else {
            set_empty(header, header->next);
        }
    } else {
        set_empty(header, header->next);
    }
    if (header->start > header->end)
        header->flags |= EVENT_WRAPPED;
}

/* ---- what is in a record ---- */

/* The end of so many UTF-16 strings; 0 if they are not terminated before the limit. */
static uint32_t strings_end(const uint8_t *bytes, uint32_t at, uint32_t limit, uint32_t count)
{
    while (count) {
        if (at > limit || limit - at < 2)
            return 0;
        if (!bytes[at] && !bytes[at + 1])
            count--;
        at += 2;
    }
    return at;
}

static int inside(uint32_t offset, uint32_t length, uint32_t limit)
{
    return offset <= limit && length <= limit - offset;
}

int event_record_sound(const struct event_record *record)
{
    const uint8_t *bytes = (const uint8_t *)record;
    uint32_t limit = record->length - 4;

    return strings_end(bytes, EVENT_RECORD_SIZE, limit, 2) &&
           (!record->strings || (record->string_offset >= EVENT_RECORD_SIZE && record->string_offset % 2 == 0 &&
                                 strings_end(bytes, record->string_offset, limit, record->strings))) &&
           inside(record->sid_offset, record->sid_length, limit) &&
           inside(record->data_offset, record->data_length, limit);
}
