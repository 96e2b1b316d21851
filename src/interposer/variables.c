/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See variables.h. What is done, and in which order, is what Wine does in dlls/ntdll/unix/env.c. */
#include "variables.h"

#include <stdlib.h>
#include <string.h>

#include "keyindex.h"

static const struct span path_name = { u"PATH", 4 };

/* ---- the Unix environment ---- */

static bool begins(const char *text, const char *with)
{
    return !strncmp(text, with, strlen(with));
}

static bool is_of_unix(const char *entry)
{
    static const char *const names[] = { "PATH=", "PWD=", "HOME=", "TEMP=", "TMP=", "QT_", "VK_" };
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (begins(entry, names[i])) return true;
    return false;
}

/* made by Wine for each process; WINEDLLDIR has a number behind it */
static const char *const of_wine[] = {
    "WINEDLLOVERRIDES=", "WINEDATADIR=",    "WINEHOMEDIR=",        "WINEBUILDDIR=",     "WINECONFIGDIR=",
    "WINELOADER=",       "WINEDLLDIR",      "WINESYSTEMDLLPATH=",  "WINEUNIXCP=",       "WINEUSERLOCALE=",
    "WINEUSERNAME=",     "SystemDrive=",    "SystemRoot=",         "WINELOADERNOEXEC=", "WINEPRELOADRESERVE=",
    "WINESERVERSOCKET=",
};

enum variable_kind variable_kind(const char *entry)
{
    size_t i;

    if (begins(entry, "WINE") && is_of_unix(entry + RENAMED_PREFIX)) return VARIABLE_RENAMED;
    if (is_of_unix(entry)) return VARIABLE_OF_UNIX;
    for (i = 0; i < sizeof(of_wine) / sizeof(of_wine[0]); i++)
        if (begins(entry, "WINE") && begins(entry, of_wine[i])) return VARIABLE_OF_WINE;
    return VARIABLE_PLAIN;
}

bool variable_is_wines(struct span entry)
{
    size_t i, k;

    for (i = 0; i < sizeof(of_wine) / sizeof(of_wine[0]); i++) {
        for (k = 0; of_wine[i][k]; k++)
            if (k >= entry.n || entry.s[k] != (unsigned char)of_wine[i][k]) break;
        if (!of_wine[i][k]) return true;
    }
    return false;
}

/* ---- entries ---- */

static size_t length(const WCHAR *text)
{
    size_t n = 0;

    while (text[n]) n++;
    return n;
}

/* where the entry begins; v->n: there is none */
static size_t find(const struct variables *v, struct span name)
{
    size_t at = 0, n;

    for (; at < v->n; at += n + 1) {
        n = length(v->text + at);
        if (n > name.n && v->text[at + name.n] == '=' &&
            !key_compare((struct span){ v->text + at, name.n }, name))
            break;
    }
    return at;
}

struct span variables_get(const struct variables *v, struct span name)
{
    size_t at = find(v, name);

    if (at == v->n) return (struct span){ NULL, 0 };
    at += name.n + 1;
    return (struct span){ v->text + at, length(v->text + at) };
}

static bool make_room(struct variables *v, size_t n)
{
    size_t room = v->room ? v->room : 1024;
    WCHAR *text;

    while (room - v->n < n) room *= 2;
    if (room == v->room) return true;
    if (!(text = realloc(v->text, room * sizeof(WCHAR)))) {
        v->failed = true;
        return false;
    }
    v->text = text;
    v->room = room;
    return true;
}

void variables_set(struct variables *v, struct span name, struct span value)
{
    size_t at = find(v, name), n;
    WCHAR *end;

    if (value.s && !make_room(v, name.n + value.n + 2)) return;
    if (at < v->n) {
        n = length(v->text + at) + 1;
        memmove(v->text + at, v->text + at + n, (v->n - at - n) * sizeof(WCHAR));
        v->n -= n;
    }
    if (!value.s) return;
    end = v->text + v->n;
    memcpy(end, name.s, name.n * sizeof(WCHAR));
    end[name.n] = '=';
    memcpy(end + name.n + 1, value.s, value.n * sizeof(WCHAR));
    end[name.n + 1 + value.n] = 0;
    v->n += name.n + value.n + 2;
}

/* ---- values of the registry ---- */

/* One step: what stands at the beginning of *text, which is taken away from it. */
static struct span next_part(const struct variables *v, struct span *text)
{
    struct span part = *text, value;
    size_t n = text->s[0] == '%';

    while (n < text->n && text->s[n] != '%') n++;
    if (text->s[0] == '%' && n < text->n) {
        value = variables_get(v, (struct span){ text->s + 1, n - 1 });
        n++;
        part = value.s ? value : (struct span){ text->s, n };
    }
    else part.n = n;
    text->s += n;
    text->n -= n;
    return part;
}

struct span variables_expand(const struct variables *v, struct span text)
{
    struct span rest, part;
    size_t n = 0;
    WCHAR *out;

    for (rest = text; rest.n;) n += next_part(v, &rest).n;
    if (!(out = malloc((n + 1) * sizeof(WCHAR)))) return (struct span){ NULL, 0 };
    for (rest = text, n = 0; rest.n; n += part.n) {
        part = next_part(v, &rest);
        memcpy(out + n, part.s, part.n * sizeof(WCHAR));
    }
    return (struct span){ out, n };
}

static void append_path(struct variables *v, struct span old, struct span value)
{
    size_t n = old.n + 1 + value.n;
    WCHAR *joined = malloc(n * sizeof(WCHAR));

    if (!joined) {
        v->failed = true;
        return;
    }
    memcpy(joined, old.s, old.n * sizeof(WCHAR));
    joined[old.n] = ';';
    memcpy(joined + old.n + 1, value.s, value.n * sizeof(WCHAR));
    variables_set(v, path_name, (struct span){ joined, n });
    free(joined);
}

void variables_set_registry(struct variables *v, struct span name, bool references, struct span data)
{
    struct span value = data, old = { NULL, 0 };
    size_t n;

    if (value.n && !value.s[value.n - 1]) value.n--;
    if (!value.n) return;
    if (references) value = variables_expand(v, value);
    if (!value.s) {
        v->failed = true;
        return;
    }
    for (n = 0; n < value.n && value.s[n]; n++) continue; /* an entry ends with the first 0 */
    if (!key_compare(name, path_name)) old = variables_get(v, path_name);
    if (old.s) append_path(v, old, (struct span){ value.s, n });
    else variables_set(v, name, (struct span){ value.s, n });
    if (references) free((void *)value.s);
}

void variables_free(struct variables *v)
{
    free(v->text);
    *v = (struct variables){ 0 };
}
