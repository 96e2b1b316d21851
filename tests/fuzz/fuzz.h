/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the fuzz targets share. A target is one function with libFuzzer's name; with clang it is linked with
 * -fsanitize=fuzzer, with gcc with run.c, which feeds it a corpus and mutations of it. */
#ifndef WINESILO_FUZZ_H
#define WINESILO_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* words of the language of a target's input, for run.c; ends with NULL */
extern const char *const fuzz_words[];

#define REQUIRE(condition)                                                          \
    do {                                                                            \
        if (!(condition)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                \
        }                                                                           \
    } while (0)

static inline __attribute__((unused)) void *allocate(size_t size)
{
    void *p = malloc(size ? size : 1);

    if (!p) abort();
    return p;
}

/* A heap copy of exactly size bytes: a sanitizer sees each read outside of it. */
static inline __attribute__((unused)) void *exact_copy(const void *data, size_t size)
{
    void *p = allocate(size);

    if (size) memcpy(p, data, size);
    return p;
}

#endif
