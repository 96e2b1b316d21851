/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Indexes. An input is a byte that says what it is, and: 0, the tables of an index, which get a right header; else
 * documents, separated by lines, for one to be built. What can be opened can be asked, and taken over; what is built
 * can be opened, and each of its words finds its document. */
#include "fuzz.h"
#include "index.h"

const char *const fuzz_words[] = { "\n", " ", "word", "-", "*", "WCI\1", "\x01\x00\x00\x00", "\xff\xff\xff\xff", NULL };

static void put32(uint8_t *p, uint32_t value)
{
    memcpy(p, &value, sizeof(value)); /* this machine is little endian, too */
}

static void ask(const struct index *index)
{
    uint8_t *found = allocate(index->documents);
    struct index_builder *builder = index_new();
    uint32_t *to = allocate(index->documents * sizeof(*to)), i;

    index_query(index, "word w* -x", found);
    index_query(index, "*a -*", found);
    for (i = 0; i < index->documents; i++) {
        const struct index_document document = index_document(index, i);

        index_find(index, document.path, document.path_size);
        to[i] = i;
        REQUIRE(index_add(builder, &document));
    }
    REQUIRE(index_take_over(builder, index, to));
    index_free(builder);
    free(to);
    free(found);
}

static void open_any(const uint8_t *data, size_t size)
{
    enum { HEADER = 24 };
    struct index index;
    uint8_t *file;
    uint32_t crc = ~0u;
    size_t i;
    int bit;

    if (size < 12) return;
    file = allocate(12 + size);
    memcpy(file + 12, data, size);
    memcpy(file, "WCI\1", 4);
    put32(file + 4, (uint32_t)(12 + size));
    for (i = 12; i < 12 + size; i++)
        for (crc ^= file[i], bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    put32(file + 8, ~crc);
    if (index_open(&index, file, 12 + size)) ask(&index);
    free(file);
}

static void build(const char *text, size_t size)
{
    struct index_builder *builder = index_new();
    struct index index;
    uint32_t count = 0;
    size_t at, end, length;
    void *data;

    for (at = 0; at < size && count < 1000; at = end + 1, count++) {
        char path[8];
        const struct index_document document = { at, count, path, (uint32_t)snprintf(path, sizeof(path), "%04u", count) };

        for (end = at; end < size && text[end] != '\n'; end++) continue;
        REQUIRE(index_add(builder, &document));
        REQUIRE(index_add_text(builder, text + at, end - at));
    }
    REQUIRE((data = index_write(builder, &length)));
    REQUIRE(index_open(&index, data, length) && index.documents == count);
    for (at = 0, count = 0; at < size && count < 50; at = end + 1, count++) {
        char word[INDEX_WORD_MAX + 1];
        uint8_t *found = allocate(index.documents);
        uint32_t n;
        size_t from = 0;

        for (end = at; end < size && text[end] != '\n'; end++) continue;
        if ((n = index_word(text + at, end - at, &from, word))) {
            word[n] = 0;
            REQUIRE(index_query(&index, word, found) && found[count]);
        }
        free(found);
    }
    ask(&index);
    free(data);
    index_free(builder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text;

    if (!size) return 0;
    if (!data[0]) open_any(data + 1, size - 1);
    else {
        text = exact_copy(data + 1, size - 1);
        build(text, size - 1);
        free(text);
    }
    return 0;
}
