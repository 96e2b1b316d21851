/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Says what the event log's functions find in a file: "none", or the number and length of each record, as they are, or
 * as they are after recovery where the dirty flag is set. */
#include "event_format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t *read_file(const char *path, uint32_t *size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes;
    long length;

    if (!file || fseek(file, 0, SEEK_END) || (length = ftell(file)) < 0 || fseek(file, 0, SEEK_SET)) exit(2);
    bytes = calloc(1, (size_t)length + 1);
    if (!bytes || fread(bytes, 1, (size_t)length, file) != (size_t)length) exit(2);
    fclose(file);
    *size = (uint32_t)length;
    return bytes;
}

/* a heap copy of exactly that size, so that a sanitizer sees each read outside of it */
static uint8_t *exact(const uint8_t *bytes, uint32_t size, uint32_t more)
{
    uint8_t *copy = calloc(1, size + more ? size + more : 1);

    if (!copy) exit(2);
    memcpy(copy, bytes, size);
    return copy;
}

static void show(const char *path)
{
    struct event_image image;
    struct event_header header;
    uint32_t size, bytes, count, *offsets, i;
    uint8_t *file = read_file(path, &size), *records;

    if (size < sizeof(header)) {
        printf("none\n");
        free(file);
        return;
    }
    memcpy(&header, file, sizeof(header));
    if (!event_header_ok(&header)) {
        printf("none\n");
        free(file);
        return;
    }
    image.size = size;
    if (!event_header_true(&header, size)) { /* as event_file_recover() does */
        if (!(header.flags & EVENT_WRAPPED) && header.start <= header.end && size < header.max_size)
            image.size += EVENT_RECORD_SIZE + EVENT_END_SIZE;
        image.bytes = exact(file, size, image.size - size);
        event_recover(&image, &header);
    } else {
        image.bytes = exact(file, size, 0);
    }
    records = calloc(1, image.size);
    offsets = calloc(image.size / EVENT_LEAST_RECORD + 1, sizeof(*offsets));
    if (!records || !offsets) exit(2);
    count = event_unroll(&image, &header, records, &bytes, offsets);
    for (i = 0; i < count; i++) {
        struct event_record *record = calloc(1, EVENT_RECORD_SIZE), *whole;

        memcpy(record, records + offsets[i], EVENT_RECORD_SIZE);
        whole = (struct event_record *)exact(records + offsets[i], record->length, 0);
        printf("%u:%u:%d ", record->number, record->length, event_record_sound(whole));
        free(whole);
        free(record);
    }
    printf("\n");
    free(records);
    free(offsets);
    free((void *)image.bytes);
    free(file);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) show(argv[i]);
    return 0;
}
