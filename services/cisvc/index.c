/* See index.h.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "index.h"

#include <stdlib.h>
#include <string.h>

enum { HEADER = 24, DOCUMENT = 24, WORD = 16 };

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t get64(const uint8_t *p)
{
    return get32(p) | (uint64_t)get32(p + 4) << 32;
}

static void put32(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
    p[2] = (uint8_t)(value >> 16);
    p[3] = (uint8_t)(value >> 24);
}

static void put64(uint8_t *p, uint64_t value)
{
    put32(p, (uint32_t)value);
    put32(p + 4, (uint32_t)(value >> 32));
}

static uint32_t crc32(const uint8_t *data, size_t size)
{
    uint32_t crc = 0xffffffff;
    size_t i;
    int bit;

    for (i = 0; i < size; i++) {
        crc ^= data[i];
        for (bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

/* the order of paths and words: that of their bytes */
static int compare(const char *a, uint32_t an, const char *b, uint32_t bn)
{
    int order = memcmp(a, b, an < bn ? an : bn);

    return order ? order : an < bn ? -1 : an > bn;
}

/* ---- words ---- */

static bool is_word(unsigned char c)
{
    return c > 127 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

uint32_t index_word(const char *text, size_t size, size_t *at, char word[INDEX_WORD_MAX])
{
    uint32_t n = 0;

    while (*at < size && !is_word((unsigned char)text[*at]))
        (*at)++;
    for (; *at < size && is_word((unsigned char)text[*at]); (*at)++) {
        char c = text[*at];

        if (n < INDEX_WORD_MAX)
            word[n++] = c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
    }
    return n;
}

/* ---- reading ---- */

static bool text_is_inside(const struct index *index, const uint8_t *entry)
{
    uint32_t at = get32(entry), n = get32(entry + 4);

    return at <= index->text_size && n <= index->text_size - at;
}

static bool documents_are_good(const struct index *index)
{
    uint32_t i;

    for (i = 0; i < index->documents; i++)
        if (!text_is_inside(index, index->document_table + (size_t)i * DOCUMENT + 16))
            return false;
    return true;
}

static bool words_are_good(const struct index *index)
{
    uint32_t i, k;

    for (i = 0; i < index->words; i++) {
        const uint8_t *word = index->word_table + (size_t)i * WORD;
        uint32_t first = get32(word + 8), n = get32(word + 12);

        if (!text_is_inside(index, word) || first > index->postings || n > index->postings - first)
            return false;
        for (k = 0; k < n; k++)
            if (get32(index->posting_table + 4 * ((size_t)first + k)) >= index->documents)
                return false;
    }
    return true;
}

bool index_open(struct index *index, const void *data, size_t size)
{
    const uint8_t *p = data;
    uint64_t tables;

    if (size < HEADER || memcmp(p, "WCI\1", 4) || get32(p + 4) != size || get32(p + 8) != crc32(p + HEADER - 12, size - HEADER + 12))
        return false;
    index->data = p;
    index->documents = get32(p + 12);
    index->words = get32(p + 16);
    index->text_size = get32(p + 20);
    tables = HEADER + (uint64_t)index->documents * DOCUMENT + (uint64_t)index->words * WORD + index->text_size;
    if (tables > size || (size - tables) % 4)
        return false;
    index->postings = (uint32_t)((size - tables) / 4);
    index->document_table = p + HEADER;
    index->word_table = index->document_table + (size_t)index->documents * DOCUMENT;
    index->posting_table = index->word_table + (size_t)index->words * WORD;
    index->texts = (const char *)index->posting_table + (size_t)index->postings * 4;
    return documents_are_good(index) && words_are_good(index);
}

struct index_document index_document(const struct index *index, uint32_t number)
{
    const uint8_t *p = index->document_table + (size_t)number * DOCUMENT;

    return (struct index_document){get64(p), get64(p + 8), index->texts + get32(p + 16), get32(p + 20)};
}

uint32_t index_find(const struct index *index, const char *path, uint32_t path_size)
{
    uint32_t low = 0, high = index->documents;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        struct index_document document = index_document(index, middle);
        int order = compare(document.path, document.path_size, path, path_size);

        if (!order)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return UINT32_MAX;
}

/* the first word that is not before this one */
static uint32_t word_from(const struct index *index, const char *word, uint32_t size)
{
    uint32_t low = 0, high = index->words;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const uint8_t *p = index->word_table + (size_t)middle * WORD;

        if (compare(index->texts + get32(p), get32(p + 4), word, size) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Set bit in the byte of each document that has the word, or one that begins with it. */
static void mark(const struct index *index, const char *word, uint32_t size, bool prefix, uint8_t *marks, uint8_t bit)
{
    uint32_t i, k;

    for (i = word_from(index, word, size); i < index->words; i++) {
        const uint8_t *p = index->word_table + (size_t)i * WORD;
        uint32_t n = get32(p + 4), first = get32(p + 8), count = get32(p + 12);

        if (n < size || (!prefix && n != size) || memcmp(index->texts + get32(p), word, size))
            break;
        for (k = 0; k < count; k++)
            marks[get32(index->posting_table + 4 * ((size_t)first + k))] |= bit;
    }
}

/* found: bit 0, fits so far; bit 1, has the word at hand */
static void narrow(const struct index *index, uint8_t *found, bool without)
{
    uint32_t i;

    for (i = 0; i < index->documents; i++)
        found[i] = (found[i] & 1) && (found[i] >> 1 != without);
}

uint32_t index_query(const struct index *index, const char *query, uint8_t *found)
{
    const char *end = query + strlen(query);
    uint32_t count = 0, i;
    bool any = false;

    memset(found, 1, index->documents);
    while (query < end) {
        const char *stop;
        char word[INDEX_WORD_MAX];
        bool without, prefix;
        size_t at = 0, size;
        uint32_t n;

        query += strspn(query, " \t");
        stop = query + strcspn(query, " \t");
        without = *query == '-';
        query += without;
        size = (size_t)(stop - query);
        prefix = size && stop[-1] == '*';
        while ((n = index_word(query, size, &at, word))) { /* "e-mail" is two words, both needed */
            mark(index, word, n, prefix && at + 1 >= size, found, 2);
            narrow(index, found, without);
            any |= !without;
        }
        query = stop;
    }
    for (i = 0; i < index->documents; i++)
        count += found[i] = any && found[i];
    return count;
}

/* ---- building ---- */

struct entry {
    struct entry *next; /* in its slot */
    uint32_t *postings;
    uint32_t count, room, size;
    char word[];
};

struct index_builder {
    struct index_document *documents;
    uint32_t count, room;
    struct entry **slots;
    uint32_t slot_count, words;
    uint64_t postings, text_size;
};

struct index_builder *index_new(void)
{
    struct index_builder *builder = calloc(1, sizeof(*builder));

    if (builder && !(builder->slots = calloc(builder->slot_count = 1024, sizeof(*builder->slots)))) {
        free(builder);
        return NULL;
    }
    return builder;
}

void index_free(struct index_builder *builder)
{
    uint32_t i;

    if (!builder)
        return;
    for (i = 0; i < builder->count; i++)
        free((char *)builder->documents[i].path);
    for (i = 0; i < builder->slot_count; i++)
        while (builder->slots[i]) {
            struct entry *entry = builder->slots[i];

            builder->slots[i] = entry->next;
            free(entry->postings);
            free(entry);
        }
    free(builder->documents);
    free(builder->slots);
    free(builder);
}

bool index_add(struct index_builder *builder, const struct index_document *document)
{
    char *path;

    if (builder->count == builder->room) {
        uint32_t room = builder->room ? 2 * builder->room : 256;
        void *more = realloc(builder->documents, (size_t)room * sizeof(*builder->documents));

        if (!more)
            return false;
        builder->documents = more;
        builder->room = room;
    }
    if (!(path = malloc(document->path_size + 1)))
        return false;
    memcpy(path, document->path, document->path_size);
    builder->documents[builder->count] = *document;
    builder->documents[builder->count++].path = path;
    builder->text_size += document->path_size;
    return true;
}

static uint32_t hash(const char *word, uint32_t size)
{
    uint32_t value = 2166136261u, i;

    for (i = 0; i < size; i++)
        value = (value ^ (unsigned char)word[i]) * 16777619u;
    return value;
}

static bool grow(struct index_builder *builder)
{
    uint32_t count = builder->slot_count * 4, i;
    struct entry **slots = calloc(count, sizeof(*slots));

    if (!slots)
        return false;
    for (i = 0; i < builder->slot_count; i++)
        while (builder->slots[i]) {
            struct entry *entry = builder->slots[i], **slot = &slots[hash(entry->word, entry->size) % count];

            builder->slots[i] = entry->next;
            entry->next = *slot;
            *slot = entry;
        }
    free(builder->slots);
    builder->slots = slots;
    builder->slot_count = count;
    return true;
}

static struct entry *entry_of(struct index_builder *builder, const char *word, uint32_t size)
{
    struct entry *entry, **slot;

    if (builder->words >= builder->slot_count * 2 && !grow(builder))
        return NULL;
    slot = &builder->slots[hash(word, size) % builder->slot_count];
    for (entry = *slot; entry; entry = entry->next)
        if (entry->size == size && !memcmp(entry->word, word, size))
            return entry;
    if (!(entry = calloc(1, sizeof(*entry) + size)))
        return NULL;
    entry->size = size;
    memcpy(entry->word, word, size);
    entry->next = *slot;
    *slot = entry;
    builder->words++;
    builder->text_size += size;
    return entry;
}

/* Documents come in order, or out of it where old ones are taken over: index_write() sorts. */
static bool post(struct index_builder *builder, struct entry *entry, uint32_t document)
{
    if (entry->count && entry->postings[entry->count - 1] == document)
        return true;
    if (entry->count == entry->room) {
        uint32_t room = entry->room ? 2 * entry->room : 4;
        void *more = realloc(entry->postings, (size_t)room * sizeof(*entry->postings));

        if (!more)
            return false;
        entry->postings = more;
        entry->room = room;
    }
    entry->postings[entry->count++] = document;
    builder->postings++;
    return true;
}

bool index_add_text(struct index_builder *builder, const char *text, size_t size)
{
    char word[INDEX_WORD_MAX];
    size_t at = 0;
    uint32_t n;

    while ((n = index_word(text, size, &at, word))) {
        struct entry *entry = entry_of(builder, word, n);

        if (!entry || !post(builder, entry, builder->count - 1))
            return false;
    }
    return true;
}

bool index_take_over(struct index_builder *builder, const struct index *old, const uint32_t *to)
{
    uint32_t i, k;

    for (i = 0; i < old->words; i++) {
        const uint8_t *p = old->word_table + (size_t)i * WORD;
        uint32_t first = get32(p + 8), count = get32(p + 12);
        struct entry *entry = NULL;

        for (k = 0; k < count; k++) {
            uint32_t document = to[get32(old->posting_table + 4 * ((size_t)first + k))];

            if (document == UINT32_MAX)
                continue;
            if (!entry && !(entry = entry_of(builder, old->texts + get32(p), get32(p + 4))))
                return false;
            if (!post(builder, entry, document))
                return false;
        }
    }
    return true;
}

static int by_word(const void *a, const void *b)
{
    const struct entry *x = *(struct entry *const *)a, *y = *(struct entry *const *)b;

    return compare(x->word, x->size, y->word, y->size);
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static struct entry **sorted_entries(struct index_builder *builder)
{
    struct entry **list = malloc((builder->words ? builder->words : 1) * sizeof(*list)), *entry;
    uint32_t i, n = 0;

    if (!list)
        return NULL;
    for (i = 0; i < builder->slot_count; i++)
        for (entry = builder->slots[i]; entry; entry = entry->next) {
            qsort(entry->postings, entry->count, sizeof(*entry->postings), by_number);
            list[n++] = entry;
        }
    qsort(list, n, sizeof(*list), by_word);
    return list;
}

/* texts follow each other: where the next one stands */
struct writer {
    uint8_t *document, *word, *posting;
    char *text, *texts;
    uint32_t first;
};

static void write_text(struct writer *w, uint8_t *entry, const char *text, uint32_t size)
{
    put32(entry, (uint32_t)(w->text - w->texts));
    put32(entry + 4, size);
    memcpy(w->text, text, size);
    w->text += size;
}

static void write_tables(struct writer *w, const struct index_builder *builder, struct entry **entries)
{
    uint32_t i, k;

    for (i = 0; i < builder->count; i++, w->document += DOCUMENT) {
        const struct index_document *document = &builder->documents[i];

        put64(w->document, document->size);
        put64(w->document + 8, document->written);
        write_text(w, w->document + 16, document->path, document->path_size);
    }
    for (i = 0; i < builder->words; i++, w->word += WORD) {
        write_text(w, w->word, entries[i]->word, entries[i]->size);
        put32(w->word + 8, w->first);
        put32(w->word + 12, entries[i]->count);
        w->first += entries[i]->count;
        for (k = 0; k < entries[i]->count; k++, w->posting += 4)
            put32(w->posting, entries[i]->postings[k]);
    }
}

void *index_write(struct index_builder *builder, size_t *size)
{
    uint64_t all = HEADER + (uint64_t)builder->count * DOCUMENT + (uint64_t)builder->words * WORD + 4 * builder->postings +
                   builder->text_size;
    struct entry **entries = all <= INT32_MAX ? sorted_entries(builder) : NULL;
    uint8_t *data = entries ? calloc(1, (size_t)all) : NULL;
    struct writer w = {0};

    if (data) {
        w.document = data + HEADER;
        w.word = w.document + (size_t)builder->count * DOCUMENT;
        w.posting = w.word + (size_t)builder->words * WORD;
        w.text = w.texts = (char *)w.posting + 4 * builder->postings;
        write_tables(&w, builder, entries);
        memcpy(data, "WCI\1", 4);
        put32(data + 4, (uint32_t)all);
        put32(data + 12, builder->count);
        put32(data + 16, builder->words);
        put32(data + 20, (uint32_t)builder->text_size);
        put32(data + 8, crc32(data + HEADER - 12, (size_t)all - HEADER + 12));
    }
    free(entries);
    *size = (size_t)all;
    return data;
}
