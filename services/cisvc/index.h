/* The index of a catalogue: which words stand in which documents. Built in memory, written as one file, read as one
 * block; touches nothing but its arguments.
 *
 * The file (little endian, all numbers u32 unless said otherwise):
 *
 *   header   "WCI\1", length of the file, CRC-32 of what follows it, documents, words, bytes of texts
 *   document u64 size, u64 time of last write (FILETIME), text, bytes of the text; sorted by path
 *   word     text, bytes of the text, first posting, postings; sorted by their bytes
 *   postings numbers of documents, ascending within a word
 *   texts    UTF-8, not ended: paths of documents, words
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WINESILO_INDEX_H
#define WINESILO_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { INDEX_WORD_MAX = 64 }; /* bytes of a word; longer ones are cut */

struct index_document {
    uint64_t size, written;
    const char *path; /* UTF-8, path_size bytes */
    uint32_t path_size;
};

/* ---- reading ---- */

struct index {
    const uint8_t *data;
    uint32_t documents, words, postings, text_size;
    const uint8_t *document_table, *word_table, *posting_table;
    const char *texts;
};

/* False if it is no index, or damaged; index points into data then on success. Every offset is checked. */
bool index_open(struct index *index, const void *data, size_t size);

struct index_document index_document(const struct index *index, uint32_t number);

/* the number of a path's document, or UINT32_MAX */
uint32_t index_find(const struct index *index, const char *path, uint32_t path_size);

/* Which documents fit a query? Words are separated by blanks; all must be there; "wor*" is any word that begins so,
 * "-word" one that must not be there. found has a byte per document, set to 1 for those that fit. Returns how many. A
 * query without a word that must be there finds nothing. */
uint32_t index_query(const struct index *index, const char *query, uint8_t *found);

/* ---- building ---- */

struct index_builder;

/* NULL: no memory, as everywhere below where false is returned */
struct index_builder *index_new(void);
void index_free(struct index_builder *builder);

/* Documents are added in the order of their paths' bytes. */
bool index_add(struct index_builder *builder, const struct index_document *document);

/* Words of the document that was added last. text is UTF-8; what is split over two calls is two words. */
bool index_add_text(struct index_builder *builder, const char *text, size_t size);

/* Take over the words of old documents: to[old number] is the new number, or UINT32_MAX for those that are left out. */
bool index_take_over(struct index_builder *builder, const struct index *old, const uint32_t *to);

/* The file, to be freed by the caller. */
void *index_write(struct index_builder *builder, size_t *size);

/* ---- words ---- */

/* The next word in text from *at: letters, digits and all bytes above 127; ASCII letters become small. Returns its
 * size, at most INDEX_WORD_MAX, 0 at the end. */
uint32_t index_word(const char *text, size_t size, size_t *at, char word[INDEX_WORD_MAX]);

#endif
