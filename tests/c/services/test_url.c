/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Paths of requests: decoding, and what must not be reached. */
#include "check.h"
#include "url.h"

static const struct {
    const char *path;
    enum url_result result;
    const char *file;
    int folder;
} rows[] = {
    { "/", URL_GOOD, "", 1 },
    { "/a.htm", URL_GOOD, "a.htm", 0 },
    { "/a.htm?x=../..", URL_GOOD, "a.htm", 0 },
    { "/a/b/", URL_GOOD, "a\\b", 1 },
    { "//a///b", URL_GOOD, "a\\b", 0 },
    { "/./a/./b/.", URL_GOOD, "a\\b", 1 },
    { "/a/../b", URL_GOOD, "b", 0 },
    { "/a/b/../../c", URL_GOOD, "c", 0 },
    { "/a/..", URL_GOOD, "", 1 },
    { "/%61%2e%68tm", URL_GOOD, "a.htm", 0 },
    { "/a%20b+c", URL_GOOD, "a b+c", 0 },
    { "/%c3%a4", URL_GOOD, "\xc3\xa4", 0 },
    { "/%2541", URL_GOOD, "%41", 0 }, /* decoded once */
    { "/..", URL_NOWHERE, "", 0 },
    { "/../windows", URL_NOWHERE, "", 0 },
    { "/a/../../windows", URL_NOWHERE, "", 0 },
    { "/%2e%2e/windows", URL_NOWHERE, "", 0 },
    { "/a%2f..%2f..%2fwindows", URL_NOWHERE, "", 0 },
    { "/..%5cwindows", URL_NOWHERE, "", 0 },
    { "/a%5cb", URL_NOWHERE, "", 0 },
    { "/...", URL_NOWHERE, "", 0 },
    { "/a.htm.", URL_NOWHERE, "", 0 },
    { "/a.htm%20", URL_NOWHERE, "", 0 },
    { "/a.htm::$DATA", URL_NOWHERE, "", 0 },
    { "/C:/windows", URL_NOWHERE, "", 0 },
    { "/con", URL_NOWHERE, "", 0 },
    { "/a/NUL.txt", URL_NOWHERE, "", 0 },
    { "/com1", URL_NOWHERE, "", 0 },
    { "/com10", URL_GOOD, "com10", 0 },
    { "/LONGNA~1.HTM", URL_NOWHERE, "", 0 },
    { "/a*", URL_NOWHERE, "", 0 },
    { "/a%01", URL_NOWHERE, "", 0 },
    { "", URL_BAD, "", 0 },
    { "a", URL_BAD, "", 0 },
    { "?", URL_BAD, "", 0 },
    { "/%", URL_BAD, "", 0 },
    { "/%4", URL_BAD, "", 0 },
    { "/%zz", URL_BAD, "", 0 },
    { "/%00", URL_BAD, "", 0 },
    { "/%ff", URL_BAD, "", 0 },
    { "/%c0%af", URL_BAD, "", 0 }, /* a slash, written longer than needed */
    { "/%ed%a0%80", URL_BAD, "", 0 },
    { "/%c3", URL_BAD, "", 0 },
};

int main(void)
{
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t n = strlen(rows[i].path);
        char *path = malloc(n ? n : 1), *out = malloc(n + 1);
        int folder = -1;
        enum url_result result;

        memcpy(path, rows[i].path, n);
        result = url_file(path, n, out, &folder);
        CHECK_ROW(rows[i].path, result == rows[i].result);
        if (result == URL_GOOD && rows[i].result == URL_GOOD)
            CHECK_ROW(rows[i].path, !strcmp(out, rows[i].file) && folder == rows[i].folder);
        free(path);
        free(out);
    }
    return failed != 0;
}
