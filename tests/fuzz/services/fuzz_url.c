/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Any path: what is taken for a file stays below the root, whatever Windows makes of its parts. */
#include "fuzz.h"
#include "text.h"
#include "url.h"

const char *const fuzz_words[] = { "/", "..", "%2e", "%5c", "%2f", "%00", "%", "?", "~1", "con", ":", "%c3%a4", NULL };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *path = exact_copy(data, size), *out = allocate(size + 1), *text = allocate(size + 1), *part, *next;
    uint64_t first, length;
    int folder = -1;

    if (url_file(path, size, out, &folder) == URL_GOOD) {
        REQUIRE(folder == 0 || folder == 1);
        REQUIRE(strlen(out) <= size && !strpbrk(out, "/:*?\"<>|") && out[0] != '\\');
        text_type(out);
        for (part = out; part; part = next) {
            if ((next = strchr(part, '\\'))) *next++ = 0;
            REQUIRE(part[0] || (part == out && !next));
            REQUIRE(strcmp(part, ".") && strcmp(part, ".."));
            if (part[0]) REQUIRE(part[strlen(part) - 1] != '.' && part[strlen(part) - 1] != ' ');
        }
    }
    memcpy(text, data, size);
    text[size] = 0;
    if (text_range(text, 1000, &first, &length) == RANGE_GOOD) REQUIRE(first < 1000 && length && length <= 1000 - first);
    text_parse_date(text);
    text_has_tag(text, "\"a\"");
    free(text);
    free(out);
    free(path);
    return 0;
}
