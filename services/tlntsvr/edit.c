/* See edit.h.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "edit.h"

#include <string.h>

enum { CTRL_C = 3, BELL = 7, BACKSPACE = 8, TAB = 9, CTRL_U = 21, CTRL_Z = 26, ESCAPE = 27, DEL = 127 };

static size_t put(char *echo, size_t at, const char *text)
{
    size_t n = strlen(text);

    memcpy(echo + at, text, n);
    return at + n;
}

/* how wide a byte is on the screen: a tab is shown as a blank, other control characters as ^X, the later bytes of a
 * UTF-8 character not at all */
static size_t width(uint8_t byte)
{
    if ((byte & 0xc0) == 0x80)
        return 0;
    return byte < ' ' && byte != TAB ? 2 : 1;
}

static size_t take_back(struct edit *edit, char *echo, size_t at)
{
    uint8_t byte;
    size_t i;

    do
        byte = (uint8_t)edit->text[--edit->size];
    while ((byte & 0xc0) == 0x80 && edit->size);
    for (i = width(byte); i; i--)
        at = put(echo, at, "\b \b");
    return at;
}

enum edit_result edit_type(struct edit *edit, uint8_t byte, char *echo, size_t *echo_size)
{
    enum edit_result result = EDIT_MORE;
    size_t n = 0;

    switch (byte) {
    case '\n':
        n = put(echo, n, "\r\n");
        memcpy(edit->text + edit->size, "\r\n", 3);
        edit->size += 2;
        result = EDIT_LINE;
        break;
    case CTRL_C:
        n = put(echo, n, "^C\r\n");
        edit->size = 0;
        result = EDIT_BREAK;
        break;
    case BACKSPACE:
    case DEL:
        if (edit->size)
            n = take_back(edit, echo, n);
        break;
    case CTRL_U:
    case ESCAPE:
        while (edit->size)
            n = take_back(edit, echo, n);
        break;
    default:
        if (byte < ' ' && byte != TAB && byte != CTRL_Z)
            break;
        if (edit->size == EDIT_MAX) {
            echo[n++] = BELL;
            break;
        }
        edit->text[edit->size++] = (char)byte;
        if (byte < ' ' && byte != TAB) {
            echo[n++] = '^';
            echo[n++] = (char)(byte + '@');
        }
        else
            echo[n++] = byte == TAB ? ' ' : (char)byte;
        break;
    }
    *echo_size = n;
    return result;
}
