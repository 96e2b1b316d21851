/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WINESILO_STARTUP_H
#define WINESILO_STARTUP_H

#include <stdbool.h>

#include "names.h"
#include "nt.h"

/* ntdll.so's: from the Unix character set to UTF-16; returns how many characters it has written */
typedef uint32_t to_wide(const char *text, uint32_t n, WCHAR *out, uint32_t max);

/* a text of ours, for names of keys and values */
static inline struct span span_of(const WCHAR *text)
{
    size_t n = 0;

    while (text[n]) n++;
    return (struct span){ text, n };
}

/* This process, from startup_ready() on: its block, and whether it runs a 32-bit program. */
extern const uint8_t *own_peb;
extern bool own_is_32bit;

/* To be called once, when Wine has set the process up and before its Windows code runs. */
void startup_ready(const void *teb);
/* The same, for a process that no Windows program has started. */
void startup_variables(const void *teb, to_wide *to_wide);

#endif
