/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Disc images: each entry is found by both kinds of names, and by the path tables; sizes and places fit. */
#include "check.h"
#include "iso.h"

enum { COUNT = 400 };

static const struct iso_time now = { 2024, 2, 29, 1, 2, 3 };
static const uint8_t *image;
static size_t image_size;

static uint32_t le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void set_name(struct iso_entry *entry, const char *name)
{
    size_t i;

    for (i = 0; name[i]; i++) entry->name[i] = (unsigned char)name[i];
}

/* Walk a tree of records; counts what is in it, and checks each record. */
static unsigned int walk(const struct iso_entry *entries, uint32_t sector, uint32_t size, uint32_t up, bool joliet, int depth)
{
    uint32_t at, index = 0;
    unsigned int found = 0;

    CHECK(depth <= ISO_DEPTH && size % ISO_SECTOR == 0 && ((size_t)sector * ISO_SECTOR + size) <= image_size);
    for (at = 0; at < size;) {
        const uint8_t *p = image + (size_t)sector * ISO_SECTOR + at;

        if (!p[0]) {
            at += ISO_SECTOR - at % ISO_SECTOR;
            continue;
        }
        CHECK(at % ISO_SECTOR + p[0] <= ISO_SECTOR && p[0] >= 33 + p[32] && p[0] % 2 == 0);
        CHECK(p[18] == 124 && p[19] == 2 && p[20] == 29);
        if (index == 0) CHECK(le32(p + 2) == sector && le32(p + 10) == size && p[32] == 1 && p[33] == 0);
        else if (index == 1) CHECK(le32(p + 2) == up && p[32] == 1 && p[33] == 1);
        else {
            found++;
            if (p[25] & 2) found += walk(entries, le32(p + 2), le32(p + 10), sector, joliet, depth + 1);
            else {
                uint32_t i;

                for (i = 0; i < COUNT && (entries[i].folder || entries[i].extent != le32(p + 2) || entries[i].size != le32(p + 10)); i++) continue;
                CHECK(i < COUNT);
                if (!joliet) CHECK(p[32] >= 3 && !memcmp(p + 33 + p[32] - 2, ";1", 2));
            }
        }
        index++;
        at += p[0];
    }
    CHECK(index >= 2);
    return found;
}

static unsigned int table_entries(const uint8_t *volume)
{
    const uint8_t *table = image + (size_t)le32(volume + 140) * ISO_SECTOR;
    uint32_t size = le32(volume + 132), at, n = 0;

    for (at = 0; at < size; at += 8 + table[at] + table[at] % 2u) {
        const uint8_t *folder = image + (size_t)le32(table + at + 2) * ISO_SECTOR;

        CHECK(le32(folder + 2) == le32(table + at + 2));
        n++;
    }
    CHECK(at == size);
    return n;
}

int main(void)
{
    static struct iso_entry entries[COUNT];
    char name[ISO_NAME + 1];
    uint32_t i, sectors = 0, folders = 1, tree;
    void *start;

    entries[0].folder = true;
    for (i = 1; i < COUNT; i++) { /* every tenth is a folder of the one before; names that are the same in capitals */
        entries[i].folder = i % 10 == 0 && i < 70;
        folders += entries[i].folder;
        entries[i].parent = i < 70 ? i / 10 * 10 - (entries[i].folder ? 10 : 0) : i % 7 * 10;
        entries[i].size = entries[i].folder ? 0 : i * 37 % 5000;
        snprintf(name, sizeof(name), "some Name with blanks %u.text", i);
        set_name(&entries[i], name);
    }
    start = iso_layout(entries, COUNT, "Volume", &now, &image_size, &sectors);
    CHECK(start != NULL);
    image = start;
    for (tree = 0; start && tree < 2; tree++) {
        const uint8_t *volume = image + (16 + tree) * ISO_SECTOR;

        CHECK(volume[0] == tree + 1 && !memcmp(volume + 1, "CD001\1", 6));
        CHECK(le32(volume + 80) == sectors && le32(volume + 156 + 2) * (size_t)ISO_SECTOR < image_size);
        CHECK(walk(entries, le32(volume + 156 + 2), le32(volume + 156 + 10), le32(volume + 156 + 2), tree, 1) == COUNT - 1);
        CHECK(table_entries(volume) == folders);
    }
    for (i = 1; i < COUNT; i++) /* data lie one behind the other, after the start */
        if (!entries[i].folder) CHECK((size_t)entries[i].extent * ISO_SECTOR >= image_size && entries[i].extent <= sectors);
    free(start);
    start = iso_layout(entries, 1, "", &now, &image_size, &sectors);
    CHECK(start != NULL && image_size == (size_t)sectors * ISO_SECTOR);
    free(start);
    for (i = 1; i < 20; i++) { /* too deep */
        entries[i].folder = true;
        entries[i].parent = i - 1;
    }
    CHECK(!iso_layout(entries, 20, "", &now, &image_size, &sectors));
    entries[1].parent = 1;
    CHECK(!iso_layout(entries, 2, "", &now, &image_size, &sectors));
    return failed != 0;
}
