/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Checks of the services' pure parts: a failed one prints where and what, and the program ends with 1. */
#ifndef WINESILO_SERVICES_CHECK_H
#define WINESILO_SERVICES_CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failed;

#define CHECK(condition)                                                            \
    do {                                                                            \
        if (!(condition)) {                                                         \
            failed++;                                                               \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
        }                                                                           \
    } while (0)

#define CHECK_ROW(label, condition)                                                            \
    do {                                                                                       \
        if (!(condition)) {                                                                    \
            failed++;                                                                          \
            fprintf(stderr, "%s:%d: %s: not so: %s\n", __FILE__, __LINE__, label, #condition); \
        }                                                                                      \
    } while (0)

#endif
