/* See iso.h.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "iso.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PRIMARY, JOLIET, TREES };
enum { RECORD = 33, FOLDERS_MAX = 65535, LAST_FIXED = 19 };

/* one of the two trees of names for the same files */
struct tree {
    uint8_t (*names)[2 * ISO_NAME]; /* by entry */
    uint8_t *lengths;
    uint32_t *order;     /* folders as the path table has them: by level, then by parent, then by name */
    uint32_t *place;     /* by entry: where in order */
    uint32_t *first;     /* by entry: where its children begin in children */
    uint32_t *children;  /* by parent, then by name */
    uint32_t *extents, *sizes; /* of folders, by entry */
    uint32_t table_size, table[2]; /* path table: bytes, sectors of the little- and the big-endian one */
};

struct layout {
    struct iso_entry *entries;
    uint32_t count, folders, next; /* next: sector that is free */
    struct tree trees[TREES];
    const struct iso_time *time;
};

static void le16(uint8_t *p, uint32_t v) { p[0] = (uint8_t)v; p[1] = (uint8_t)(v >> 8); }
static void be16(uint8_t *p, uint32_t v) { p[0] = (uint8_t)(v >> 8); p[1] = (uint8_t)v; }
static void le32(uint8_t *p, uint32_t v) { le16(p, v); le16(p + 2, v >> 16); }
static void be32(uint8_t *p, uint32_t v) { be16(p, v >> 16); be16(p + 2, v); }
static void both16(uint8_t *p, uint32_t v) { le16(p, v); be16(p + 2, v); }
static void both32(uint8_t *p, uint32_t v) { le32(p, v); be32(p + 4, v); }

static uint32_t sectors_of(uint32_t bytes)
{
    return bytes / ISO_SECTOR + (bytes % ISO_SECTOR != 0);
}

/* ---- names ---- */

static char plain(uint16_t c)
{
    if (c >= 'a' && c <= 'z')
        return (char)(c - 'a' + 'A');
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ? (char)c : '_';
}

/* NAME.EXT;1 of what the name has; serial makes it another one */
static uint8_t primary_name(const struct iso_entry *entry, unsigned int serial, uint8_t out[2 * ISO_NAME])
{
    char stem[9] = "", extension[4] = "", number[8] = "", text[32];
    size_t n = 0, i, dot;

    for (i = 0, dot = 0; entry->name[i]; i++)
        if (entry->name[i] == '.')
            dot = i;
    if (entry->folder || !dot)
        dot = i;
    for (i = 0; i < dot && n < 8; i++)
        stem[n++] = plain(entry->name[i]);
    for (n = 0, i = dot; entry->name[i] && entry->name[i + 1] && n < 3; i++)
        extension[n++] = plain(entry->name[i + 1]);
    if (serial)
        snprintf(number, sizeof(number), "%u", serial % 1000000);
    snprintf(text, sizeof(text), "%.*s%s%s%s%s", (int)(8 - strlen(number)), stem, number, entry->folder ? "" : ".", extension,
             entry->folder ? "" : ";1");
    memcpy(out, text, strlen(text));
    return (uint8_t)strlen(text);
}

static uint8_t joliet_name(const struct iso_entry *entry, uint8_t out[2 * ISO_NAME])
{
    uint8_t n = 0;
    size_t i;

    for (i = 0; i < ISO_NAME && entry->name[i]; i++, n += 2)
        be16(out + n, entry->name[i] < ' ' || (entry->name[i] < 128 && strchr("*/:;?\\", entry->name[i])) ? '_' : entry->name[i]);
    return n;
}

/* ---- order ---- */

static int compare_names(const struct tree *tree, uint32_t a, uint32_t b)
{
    uint8_t n = tree->lengths[a] < tree->lengths[b] ? tree->lengths[a] : tree->lengths[b];
    int order = memcmp(tree->names[a], tree->names[b], n);

    return order ? order : tree->lengths[a] - tree->lengths[b];
}

/* sorting with a context, without an extension of the C library: by insertion from halves */
static void sort(const struct tree *tree, const struct iso_entry *entries, uint32_t *list, uint32_t *room, uint32_t n)
{
    uint32_t half = n / 2, i = 0, k = half, at = 0;

    if (n < 2)
        return;
    sort(tree, entries, list, room, half);
    sort(tree, entries, list + half, room, n - half);
    memcpy(room, list, n * sizeof(*list));
    while (i < half || k < n) {
        bool left = k == n;

        if (i < half && k < n) {
            uint32_t a = room[i], b = room[k];
            int order = entries[a].parent < entries[b].parent ? -1 : entries[a].parent > entries[b].parent;

            left = (order ? order : compare_names(tree, a, b)) <= 0;
        }
        list[at++] = left ? room[i++] : room[k++];
    }
}

/* Children by folder and name; in the primary tree names are made different. False: no memory. */
static bool arrange(struct layout *l, struct tree *tree, bool primary)
{
    uint32_t *room = malloc(l->count * sizeof(*room)), i, n = l->count - 1;
    unsigned int serial = 0;

    if (!room)
        return false;
    for (i = 0; i < n; i++)
        tree->children[i] = i + 1;
    sort(tree, l->entries, tree->children, room, n);
    while (primary) {
        bool same = false;

        for (i = 1; i < n; i++) {
            uint32_t a = tree->children[i - 1], b = tree->children[i];

            if (l->entries[a].parent == l->entries[b].parent && !compare_names(tree, a, b)) {
                tree->lengths[b] = primary_name(&l->entries[b], ++serial, tree->names[b]);
                same = true;
            }
        }
        if (!same)
            break;
        sort(tree, l->entries, tree->children, room, n);
    }
    free(room);
    for (i = 0; i < l->count; i++)
        tree->first[i] = n;
    for (i = n; i; i--)
        tree->first[l->entries[tree->children[i - 1]].parent] = i - 1;
    return true;
}

/* ---- folders ---- */

static void walk(const struct layout *l, struct tree *tree)
{
    uint32_t at, i, n = 1;

    tree->order[0] = 0;
    for (at = 0; at < n; at++) {
        uint32_t folder = tree->order[at];

        tree->place[folder] = at;
        for (i = tree->first[folder]; i < l->count - 1 && l->entries[tree->children[i]].parent == folder; i++)
            if (l->entries[tree->children[i]].folder)
                tree->order[n++] = tree->children[i];
    }
}

static uint32_t record_size(uint32_t name)
{
    return RECORD + name + (name % 2 == 0);
}

static uint8_t *put_record(const struct layout *l, uint8_t *p, uint32_t extent, uint32_t size, bool folder, const uint8_t *name, uint8_t n)
{
    p[0] = (uint8_t)record_size(n);
    both32(p + 2, extent);
    both32(p + 10, size);
    p[18] = (uint8_t)(l->time->year - 1900);
    p[19] = (uint8_t)l->time->month;
    p[20] = (uint8_t)l->time->day;
    p[21] = (uint8_t)l->time->hour;
    p[22] = (uint8_t)l->time->minute;
    p[23] = (uint8_t)l->time->second;
    p[25] = folder ? 2 : 0;
    both16(p + 28, 1);
    p[32] = n;
    memcpy(p + RECORD, name, n);
    return p + p[0];
}

/* The records of a folder, none of which lies in two sectors; out NULL: only count. Returns the bytes. */
static uint32_t put_folder(const struct layout *l, const struct tree *tree, uint32_t folder, uint8_t *out)
{
    static const uint8_t self = 0, parent = 1;
    uint32_t at = 2 * record_size(1), i, up = l->entries[folder].parent;

    if (out) {
        uint8_t *p = put_record(l, out, tree->extents[folder], tree->sizes[folder], true, &self, 1);

        put_record(l, p, tree->extents[up], tree->sizes[up], true, &parent, 1);
    }
    for (i = tree->first[folder]; i < l->count - 1 && l->entries[tree->children[i]].parent == folder; i++) {
        uint32_t child = tree->children[i], n = record_size(tree->lengths[child]);
        const struct iso_entry *entry = &l->entries[child];

        if (at % ISO_SECTOR + n > ISO_SECTOR)
            at += ISO_SECTOR - at % ISO_SECTOR;
        if (out)
            put_record(l, out + at, entry->folder ? tree->extents[child] : entry->extent, entry->folder ? tree->sizes[child] : entry->size,
                       entry->folder, tree->names[child], tree->lengths[child]);
        at += n;
    }
    return at + (at % ISO_SECTOR ? ISO_SECTOR - at % ISO_SECTOR : 0);
}

static void put_table(const struct layout *l, const struct tree *tree, uint8_t *out, bool big)
{
    static const uint8_t root = 0;
    uint32_t i;

    for (i = 0; i < l->folders; i++) {
        uint32_t folder = tree->order[i], parent = tree->place[l->entries[folder].parent] + 1;
        uint8_t n = i ? tree->lengths[folder] : 1;

        out[0] = n;
        (big ? be32 : le32)(out + 2, tree->extents[folder]);
        (big ? be16 : le16)(out + 6, parent);
        memcpy(out + 8, i ? tree->names[folder] : &root, n);
        out += 8 + n + n % 2;
    }
}

/* ---- volumes ---- */

static void put_text(uint8_t *p, size_t room, const char *text, bool wide)
{
    size_t i, n = strlen(text);

    for (i = 0; i < room / (wide ? 2 : 1); i++) {
        if (wide)
            be16(p + 2 * i, i < n ? (uint8_t)text[i] : ' ');
        else
            p[i] = (uint8_t)(i < n ? plain((uint8_t)text[i]) : ' ');
    }
}

static void put_long_time(const struct layout *l, uint8_t *p)
{
    char text[32];

    snprintf(text, sizeof(text), "%04u%02u%02u%02u%02u%02u00", l->time->year % 10000, l->time->month % 100, l->time->day % 100,
             l->time->hour % 100, l->time->minute % 100, l->time->second % 100);
    memcpy(p, text, 16);
}

static void put_volume(const struct layout *l, const struct tree *tree, uint8_t *p, bool joliet, const char *volume)
{
    static const uint8_t root = 0;
    size_t i;

    p[0] = joliet ? 2 : 1;
    memcpy(p + 1, "CD001\1", 6);
    put_text(p + 8, 32, "", joliet);
    put_text(p + 40, 32, volume, joliet);
    both32(p + 80, l->next);
    if (joliet)
        memcpy(p + 88, "%/E", 3); /* UCS-2 level 3 */
    both16(p + 120, 1);
    both16(p + 124, 1);
    both16(p + 128, ISO_SECTOR);
    both32(p + 132, tree->table_size);
    le32(p + 140, tree->table[0]);
    be32(p + 148, tree->table[1]);
    put_record(l, p + 156, tree->extents[0], tree->sizes[0], true, &root, 1);
    put_text(p + 190, 128, "", joliet);
    put_text(p + 318, 128, "", joliet);
    put_text(p + 446, 128, "", joliet);
    put_text(p + 574, 128, "WINESILO", joliet);
    put_text(p + 702, 37, "", joliet);
    put_text(p + 739, 37, "", joliet);
    put_text(p + 776, 37, "", joliet);
    put_long_time(l, p + 813);
    put_long_time(l, p + 830);
    for (i = 0; i < 2; i++)
        memset(p + 847 + 17 * i, '0', 16);
    p[881] = 1;
}

/* ---- all of it ---- */

static bool make_tree(struct layout *l, struct tree *tree, bool primary)
{
    uint32_t i, at;

    tree->names = calloc(l->count, sizeof(*tree->names));
    tree->lengths = calloc(l->count, 1);
    tree->order = calloc(l->count, sizeof(uint32_t));
    tree->place = calloc(l->count, sizeof(uint32_t));
    tree->first = calloc(l->count, sizeof(uint32_t));
    tree->children = calloc(l->count, sizeof(uint32_t));
    tree->extents = calloc(l->count, sizeof(uint32_t));
    tree->sizes = calloc(l->count, sizeof(uint32_t));
    if (!tree->names || !tree->lengths || !tree->order || !tree->place || !tree->first || !tree->children || !tree->extents || !tree->sizes)
        return false;
    for (i = 1; i < l->count; i++)
        tree->lengths[i] = primary ? primary_name(&l->entries[i], 0, tree->names[i]) : joliet_name(&l->entries[i], tree->names[i]);
    if (!arrange(l, tree, primary))
        return false;
    walk(l, tree);
    for (i = 0, at = 0; i < l->folders; i++) {
        uint8_t n = i ? tree->lengths[tree->order[i]] : 1;

        at += 8 + n + n % 2u;
    }
    tree->table_size = at;
    for (i = 0; i < 2; i++, l->next += sectors_of(at))
        tree->table[i] = l->next;
    for (i = 0; i < l->folders; i++) {
        uint32_t folder = tree->order[i];

        tree->sizes[folder] = put_folder(l, tree, folder, NULL);
        tree->extents[folder] = l->next;
        l->next += tree->sizes[folder] / ISO_SECTOR;
    }
    return true;
}

static void free_tree(struct tree *tree)
{
    free(tree->names);
    free(tree->lengths);
    free(tree->order);
    free(tree->place);
    free(tree->first);
    free(tree->children);
    free(tree->extents);
    free(tree->sizes);
}

/* folders in folders, up to eight levels with the root */
static bool is_fit(struct layout *l)
{
    uint32_t i, at, depth;

    for (i = 0; i < l->count; i++) {
        const struct iso_entry *entry = &l->entries[i];

        if (i ? entry->parent >= i || !l->entries[entry->parent].folder || !entry->name[0] : !entry->folder || entry->parent)
            return false;
        for (at = i, depth = 1; at; at = l->entries[at].parent)
            depth++;
        if (depth > (uint32_t)ISO_DEPTH + !entry->folder)
            return false;
        l->folders += entry->folder;
    }
    return l->count && l->folders <= FOLDERS_MAX;
}

static bool place_files(struct layout *l)
{
    uint64_t next = l->next;
    uint32_t i;

    for (i = 0; i < l->count; i++)
        if (!l->entries[i].folder) {
            l->entries[i].extent = (uint32_t)next;
            next += sectors_of(l->entries[i].size);
        }
    l->next = (uint32_t)next;
    return next < 0x7fffffff;
}

void *iso_layout(struct iso_entry *entries, uint32_t count, const char *volume, const struct iso_time *time, size_t *size,
                 uint32_t *sectors)
{
    struct layout l = {.entries = entries, .count = count, .next = LAST_FIXED, .time = time};
    uint8_t *image = NULL;
    int i;
    uint32_t k;

    if (is_fit(&l) && make_tree(&l, &l.trees[PRIMARY], true) && make_tree(&l, &l.trees[JOLIET], false)) {
        *size = (size_t)l.next * ISO_SECTOR;
        if (place_files(&l) && (image = calloc(1, *size))) {
            *sectors = l.next;
            for (i = 0; i < TREES; i++) {
                const struct tree *tree = &l.trees[i];

                put_volume(&l, tree, image + (16 + i) * ISO_SECTOR, i == JOLIET, volume);
                put_table(&l, tree, image + (size_t)tree->table[0] * ISO_SECTOR, false);
                put_table(&l, tree, image + (size_t)tree->table[1] * ISO_SECTOR, true);
                for (k = 0; k < l.folders; k++)
                    put_folder(&l, tree, tree->order[k], image + (size_t)tree->extents[tree->order[k]] * ISO_SECTOR);
            }
            memcpy(image + 18 * ISO_SECTOR, "\377CD001\1", 7);
        }
    }
    for (i = 0; i < TREES; i++)
        free_tree(&l.trees[i]);
    return image;
}
