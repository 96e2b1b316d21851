/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Checks of the C unit tests: a failed one prints where and what, and the program ends with 1. */
#ifndef WINESILO_TEST_C_CHECK_H
#define WINESILO_TEST_C_CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"

static int failed;

enum { REPORTS = 20 };

#define CHECK(condition)                                                              \
    do {                                                                              \
        if (!(condition)) {                                                           \
            if (failed++ < REPORTS)                                                   \
                fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
        }                                                                             \
    } while (0)

/* the same for a row of a table: label says which one */
#define CHECK_ROW(label, condition)                                                             \
    do {                                                                                        \
        if (!(condition)) {                                                                     \
            if (failed++ < REPORTS)                                                             \
                fprintf(stderr, "%s:%d: %s: not so: %s\n", __FILE__, __LINE__, label, #condition); \
        }                                                                                       \
    } while (0)

/* A heap copy of exactly the text, in UTF-16: a sanitizer sees each read outside of it. */
static inline __attribute__((unused)) struct span wide(const char *text)
{
    size_t n = strlen(text), i;
    WCHAR *s = malloc(n ? n * sizeof(WCHAR) : 1);

    if (!s) abort();
    for (i = 0; i < n; i++) s[i] = (unsigned char)text[i];
    return (struct span){ s, n };
}

static inline __attribute__((unused)) void free_span(struct span span)
{
    free((void *)span.s);
}

#endif
