/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Editing of a typed line and its echo. */
#include "check.h"
#include "edit.h"

static struct edit edit;
static char echo[EDIT_ECHO_MAX], shown[EDIT_ECHO_MAX];

static const struct {
    const char *label, *typed, *line, *echo;
} rows[] = {
    { "a line", "dir\n", "dir\r\n", "dir\r\n" },
    { "backspace", "dix\br\n", "dir\r\n", "dix\b \br\r\n" },
    { "DEL", "dix\x7fr\n", "dir\r\n", "dix\b \br\r\n" },
    { "backspace at the beginning", "\b\b\n", "\r\n", "\r\n" },
    { "backspace over UTF-8", "\xc3\xa4\ba\n", "a\r\n", "\xc3\xa4\b \ba\r\n" },
    { "escape", "dir\x1b" "cd\n", "cd\r\n", "dir\b \b\b \b\b \bcd\r\n" },
    { "Ctrl-U", "d\x15\n", "\r\n", "d\b \b\r\n" },
    { "Ctrl-Z is kept, and shown", "\x1a\b\x1a\n", "\x1a\r\n", "^Z\b \b\b \b^Z\r\n" },
    { "tab", "\ta\n", "\ta\r\n", " a\r\n" },
    { "other control characters are not", "a\x01\x02" "b\n", "ab\r\n", "ab\r\n" },
};

static enum edit_result type(const char *text, size_t *shown_n)
{
    enum edit_result result = EDIT_MORE;

    *shown_n = 0;
    for (; *text; text++) {
        size_t n;

        result = edit_type(&edit, (uint8_t)*text, echo, &n);
        memcpy(shown + *shown_n, echo, n);
        *shown_n += n;
    }
    return result;
}

int main(void)
{
    size_t i, n;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        edit.size = 0;
        CHECK_ROW(rows[i].label, type(rows[i].typed, &n) == EDIT_LINE);
        CHECK_ROW(rows[i].label, edit.size == strlen(rows[i].line) && !memcmp(edit.text, rows[i].line, edit.size));
        CHECK_ROW(rows[i].label, n == strlen(rows[i].echo) && !memcmp(shown, rows[i].echo, n));
    }
    edit.size = 0;
    CHECK(type("abc\x03", &n) == EDIT_BREAK && !edit.size);
    CHECK(n == 7 && !memcmp(shown, "abc^C\r\n", n));
    for (i = 0; i < EDIT_MAX; i++) edit_type(&edit, 26, echo, &n);
    edit_type(&edit, 'x', echo, &n);
    CHECK(edit.size == EDIT_MAX && n == 1 && echo[0] == 7);
    edit_type(&edit, 27, echo, &n);
    CHECK(!edit.size && n == EDIT_ECHO_MAX);
    return failed != 0;
}
