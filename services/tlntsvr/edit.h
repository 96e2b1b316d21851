/* Editing of a line that is being typed, with its echo. Touches nothing but its arguments.
 *
 * Backspace and DEL take back a character (of several bytes, if it is UTF-8), Escape and Ctrl-U the line.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WINESILO_EDIT_H
#define WINESILO_EDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EDIT_MAX = 8191 }; /* characters of a line, as cmd.exe has it */

enum edit_result {
    EDIT_MORE,  /* the line goes on */
    EDIT_LINE,  /* it is complete, with its end: CR LF */
    EDIT_BREAK, /* Ctrl-C: the line was dropped */
};

struct edit {
    char text[EDIT_MAX + 3];
    size_t size;
};

enum { EDIT_ECHO_MAX = 6 * EDIT_MAX }; /* a line of ^X taken back */

/* A typed byte. *echo_size bytes of echo, which has room for EDIT_ECHO_MAX, are to be shown, unless the line is
 * secret. After EDIT_LINE the caller takes the text and sets size to 0. */
enum edit_result edit_type(struct edit *edit, uint8_t byte, char *echo, size_t *echo_size);

#endif
