/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The index of a catalogue: words, queries, incremental building, damage. */
#include "check.h"
#include "index.h"

static const struct {
    const char *path, *text;
} documents[] = {
    { "C:\\a.txt", "The quick brown fox" },
    { "C:\\b.txt", "the LAZY dog; e-mail to fox@example" },
    { "C:\\c.txt", "gr\xc3\xbc\xc3\x9f" "e quickly" },
    { "C:\\d.txt", "" },
};
enum { DOCUMENTS = sizeof(documents) / sizeof(documents[0]) };

static void *write_all(const struct index *old, const uint32_t *to, unsigned int fresh, size_t *size)
{
    struct index_builder *builder = index_new();
    void *data;
    unsigned int i;

    for (i = 0; i < DOCUMENTS; i++) {
        const struct index_document document = { 10 + i, 20 + i, documents[i].path, (uint32_t)strlen(documents[i].path) };

        CHECK(index_add(builder, &document));
        if (fresh >> i & 1) CHECK(index_add_text(builder, documents[i].text, strlen(documents[i].text)));
    }
    if (old) CHECK(index_take_over(builder, old, to));
    data = index_write(builder, size);
    index_free(builder);
    return data;
}

/* which documents fit, as bits */
static unsigned int fits(const struct index *index, const char *query)
{
    uint8_t found[DOCUMENTS];
    unsigned int bits = 0, i, count = 0;
    uint32_t told = index_query(index, query, found);

    for (i = 0; i < DOCUMENTS; i++) {
        bits |= (unsigned int)found[i] << i;
        count += found[i];
    }
    CHECK_ROW(query, told == count);
    return bits;
}

static const struct {
    const char *query;
    unsigned int bits;
} queries[] = {
    { "the", 3 }, { "THE", 3 }, { "the fox", 3 }, { "quick", 1 }, { "quick*", 5 }, { "q*", 5 }, { "fox -dog", 1 },
    { "-dog", 0 }, { "", 0 }, { "  ", 0 }, { "nothing", 0 }, { "the nothing", 0 }, { "e-mail", 2 }, { "gr\xc3\xbc\xc3\x9f" "e", 4 },
    { "fox -th*", 0 }, { "*", 0 }, { "-", 0 }, { "\tdog\tfox ", 2 }, { "txt", 0 },
};

static void check_queries(const struct index *index)
{
    size_t i;

    for (i = 0; i < sizeof(queries) / sizeof(queries[0]); i++)
        CHECK_ROW(queries[i].query, fits(index, queries[i].query) == queries[i].bits);
}

static void test_incremental(const struct index *index, const void *data, size_t size)
{
    const uint32_t to[DOCUMENTS] = { 0, UINT32_MAX, 2, 3 };
    size_t again_size;
    void *again = write_all(index, to, 2, &again_size);

    CHECK(again_size == size && !memcmp(again, data, size)); /* the same as if all had been read anew */
    free(again);
}

static void test_damage(const uint8_t *data, size_t size)
{
    struct index index;
    size_t i;

    for (i = 0; i < size; i++) {
        uint8_t *bad = malloc(size);

        memcpy(bad, data, size);
        bad[i] ^= 0x10;
        CHECK(!index_open(&index, bad, size));
        free(bad);
    }
    for (i = 0; i < size; i++) {
        uint8_t *cut = malloc(i ? i : 1);

        memcpy(cut, data, i);
        CHECK(!index_open(&index, cut, i));
        free(cut);
    }
}

static void test_words(void)
{
    char text[200], word[INDEX_WORD_MAX];
    size_t at = 0;

    memset(text, 'a', sizeof(text));
    text[150] = ' ';
    CHECK(index_word(text, sizeof(text), &at, word) == INDEX_WORD_MAX && at == 150);
    CHECK(index_word(text, sizeof(text), &at, word) == 49);
    CHECK(index_word(text, sizeof(text), &at, word) == 0);
}

static void test_empty(void)
{
    struct index_builder *builder = index_new();
    struct index index;
    size_t size;
    void *data = index_write(builder, &size);
    uint8_t none;

    CHECK(index_open(&index, data, size) && !index.documents && !index.words);
    CHECK(!index_query(&index, "word", &none));
    index_free(builder);
    free(data);
}

int main(void)
{
    struct index index;
    size_t size;
    void *data = write_all(NULL, NULL, ~0u, &size);
    uint32_t i;

    CHECK(index_open(&index, data, size));
    CHECK(index.documents == DOCUMENTS);
    for (i = 0; i < DOCUMENTS; i++) {
        const struct index_document document = index_document(&index, i);

        CHECK(document.size == 10 + i && document.written == 20 + i);
        CHECK(index_find(&index, documents[i].path, (uint32_t)strlen(documents[i].path)) == i);
    }
    CHECK(index_find(&index, "C:\\aa", 5) == UINT32_MAX);
    check_queries(&index);
    test_incremental(&index, data, size);
    test_damage(data, size);
    test_words();
    free(data);
    test_empty();
    return failed != 0;
}
