/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Texts of HTTP headers. */
#include <stdio.h>
#include <time.h>

#include "check.h"
#include "text.h"

static void test_dates(void)
{
    char text[TEXT_DATE], expected[64];
    int64_t seconds;

    text_date(text, 784111777);
    CHECK(!strcmp(text, "Sun, 06 Nov 1994 08:49:37 GMT"));
    CHECK(text_parse_date("Sun, 06 Nov 1994 08:49:37 GMT") == 784111777);
    CHECK(text_parse_date("Sunday, 06-Nov-94 08:49:37 GMT") == 784111777);
    CHECK(text_parse_date("Sun Nov  6 08:49:37 1994") == 784111777);
    for (seconds = 0; seconds < 8000000000; seconds += 86399 * 37) {
        time_t when = (time_t)seconds;

        text_date(text, seconds);
        strftime(expected, sizeof(expected), "%a, %d %b %Y %H:%M:%S GMT", gmtime(&when));
        CHECK(!strcmp(text, expected));
        CHECK(text_parse_date(text) == seconds);
    }
    CHECK(text_parse_date("") == -1);
    CHECK(text_parse_date("Sun, 06 Xyz 1994 08:49:37 GMT") == -1);
    CHECK(text_parse_date("Sun, 06 anF 1994 08:49:37 GMT") == -1);
    CHECK(text_parse_date("Sun, 46 Nov 1994 08:49:37 GMT") == -1);
}

static const struct {
    const char *text;
    uint64_t size;
    enum range_result result;
    uint64_t first, length;
} ranges[] = {
    { "bytes=0-0", 10, RANGE_GOOD, 0, 1 }, { "bytes=2-5", 10, RANGE_GOOD, 2, 4 }, { "bytes=2-", 10, RANGE_GOOD, 2, 8 },
    { "bytes=2-99", 10, RANGE_GOOD, 2, 8 }, { "bytes=-3", 10, RANGE_GOOD, 7, 3 }, { "bytes=-99", 10, RANGE_GOOD, 0, 10 },
    { "bytes=10-", 10, RANGE_OUTSIDE, 0, 0 }, { "bytes=-0", 10, RANGE_OUTSIDE, 0, 0 }, { "bytes=-1", 0, RANGE_OUTSIDE, 0, 0 },
    { "bytes=0-", 0, RANGE_OUTSIDE, 0, 0 }, { "bytes=5-2", 10, RANGE_NONE, 0, 0 }, { "bytes=0-1,3-4", 10, RANGE_NONE, 0, 0 },
    { "lines=0-1", 10, RANGE_NONE, 0, 0 }, { "bytes=", 10, RANGE_NONE, 0, 0 }, { "bytes=-", 10, RANGE_NONE, 0, 0 },
    { "bytes=a-b", 10, RANGE_NONE, 0, 0 }, { "bytes=99999999999999999999-", 10, RANGE_NONE, 0, 0 },
};

int main(void)
{
    size_t i;

    test_dates();
    for (i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        uint64_t first = 0, length = 0;
        enum range_result result = text_range(ranges[i].text, ranges[i].size, &first, &length);

        CHECK_ROW(ranges[i].text, result == ranges[i].result);
        if (result == RANGE_GOOD) CHECK_ROW(ranges[i].text, first == ranges[i].first && length == ranges[i].length);
    }
    CHECK(text_has_tag("\"a\", W/\"b\"", "\"b\"") && text_has_tag("\"a\", W/\"b\"", "\"a\"") && text_has_tag(" *", "\"c\""));
    CHECK(!text_has_tag("\"a\", W/\"b\"", "\"c\"") && !text_has_tag("\"ab\"", "\"a\"") && !text_has_tag("", "\"a\""));
    CHECK(!strcmp(text_type("a.HTM"), "text/html") && !strcmp(text_type("a.b\\c.png"), "image/png"));
    CHECK(!strcmp(text_type("a.htm\\b"), "application/octet-stream") && !strcmp(text_type(""), "application/octet-stream"));
    return failed != 0;
}
