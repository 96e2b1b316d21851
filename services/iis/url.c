/* See url.h.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "url.h"

#include <string.h>

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Resolve %XX once, into out; the new size, or -1. */
static long decode(const char *path, size_t size, char *out)
{
    size_t i, n = 0;

    for (i = 0; i < size; i++) {
        char c = path[i];

        if (c == '%') {
            int high = i + 2 < size ? digit(path[i + 1]) : -1, low = i + 2 < size ? digit(path[i + 2]) : -1;

            if (high < 0 || low < 0)
                return -1;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (!c)
            return -1;
        out[n++] = c;
    }
    out[n] = 0;
    return (long)n;
}

/* UTF-8 without longer forms than needed, surrogates and what is above U+10FFFF */
static int is_utf8(const unsigned char *p)
{
    while (*p) {
        unsigned int more = *p < 0x80 ? 0 : *p >= 0xc2 && *p < 0xe0 ? 1 : *p >= 0xe0 && *p < 0xf0 ? 2 : *p >= 0xf0 && *p < 0xf5 ? 3 : 4;
        unsigned char first = *p++, i;

        if (more == 4)
            return 0;
        if ((first == 0xe0 && *p < 0xa0) || (first == 0xed && *p >= 0xa0) || (first == 0xf0 && *p < 0x90) || (first == 0xf4 && *p >= 0x90))
            return 0;
        for (i = 0; i < more; i++, p++)
            if ((*p & 0xc0) != 0x80)
                return 0;
    }
    return 1;
}

static int same(const char *a, size_t n, const char *b)
{
    size_t i;

    for (i = 0; i < n; i++)
        if (!b[i] || ((a[i] >= 'A' && a[i] <= 'Z' ? a[i] | 0x20 : a[i]) != b[i]))
            return 0;
    return !b[n];
}

/* names of devices, with any extension */
static int is_device(const char *name, size_t n)
{
    static const char *const devices[] = {"con", "prn", "aux", "nul", "conin$", "conout$", "clock$"};
    size_t i, stem = 0;

    while (stem < n && name[stem] != '.')
        stem++;
    while (stem && name[stem - 1] == ' ')
        stem--;
    for (i = 0; i < sizeof(devices) / sizeof(devices[0]); i++)
        if (same(name, stem, devices[i]))
            return 1;
    return stem == 4 && (same(name, 3, "com") || same(name, 3, "lpt")) && name[3] >= '0' && name[3] <= '9';
}

/* Windows drops dots and blanks at the end of a name, reads a colon as a stream, and "~1" may be a short name. */
static int is_plain(const char *name, size_t n)
{
    size_t i;

    if (name[n - 1] == '.' || name[n - 1] == ' ' || is_device(name, n))
        return 0;
    for (i = 0; i < n; i++)
        if ((unsigned char)name[i] < ' ' || strchr("\\:*?\"<>|", name[i]) || (name[i] == '~' && i + 1 < n && digit(name[i + 1]) >= 0))
            return 0;
    return 1;
}

enum url_result url_file(const char *path, size_t size, char *out, int *folder)
{
    size_t at, end, n = 0;
    long length;

    for (end = 0; end < size && path[end] != '?' && path[end] != '#'; end++)
        ;
    if (!end || path[0] != '/' || (length = decode(path, end, out)) < 0 || !is_utf8((const unsigned char *)out))
        return URL_BAD;
    *folder = 1;
    for (at = 1; at <= (size_t)length; at = end + 1) { /* the result is never longer than what was read: in place */
        const char *part = out + at;
        size_t size_of_part;

        for (end = at; end < (size_t)length && out[end] != '/'; end++)
            ;
        size_of_part = end - at;
        *folder = end < (size_t)length || !size_of_part;
        if (!size_of_part)
            continue;
        if (size_of_part <= 2 && part[0] == '.' && (size_of_part == 1 || part[1] == '.')) {
            *folder = 1;
            if (size_of_part == 1)
                continue;
            if (!n)
                return URL_NOWHERE;
            while (n && out[--n] != '\\')
                ;
            continue;
        }
        if (!is_plain(part, size_of_part))
            return URL_NOWHERE;
        if (n)
            out[n++] = '\\';
        memmove(out + n, part, size_of_part);
        n += size_of_part;
    }
    out[n] = 0;
    return URL_GOOD;
}
