/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Any head of a request: what goes on is a whole head with one Host, one way to tell the body's length, and no line more than
 * came in besides those of ours. */
#define _GNU_SOURCE
#include "fuzz.h"
#include "head.h"

const char *const fuzz_words[] = { "\r\n", "\r\n\r\n", "Host: a", "Content-Length: 1", "Transfer-Encoding: chunked", "Connection: close", "GET / HTTP/1.1\r\n", " ", "\t", NULL };

static unsigned int count(const char *text, size_t size, const char *word)
{
    unsigned int n = 0;
    const char *at = text, *end = text + size;

    while ((at = memmem(at, (size_t)(end - at), word, strlen(word)))) n++, at++;
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *in = exact_copy(data, size), *out = allocate(HEAD_MAX + HEAD_MORE);
    size_t n = head_size(in, size), written;
    struct head head;

    if (n && n <= HEAD_MAX) {
        REQUIRE(!memcmp(in + n - 4, "\r\n\r\n", 4));
        if ((written = head_request(&head, in, n, 47080, "1.2.3.4", out))) {
            REQUIRE(written <= HEAD_MAX + HEAD_MORE);
            REQUIRE(count(out, written, "\r\nHost: ") == 1);
            REQUIRE(count(out, written, "\r\nX-Forwarded-For: ") == 1);
            REQUIRE(count(out, written, "\r\nContent-Length: ") == !head.chunked);
            REQUIRE(count(out, written, "\r\n\r\n") == !head.chunked);
            REQUIRE(count(out, written, "\n") <= count(in, n, "\n") + 3);
        }
        head_response(&head, in, n, false, out);
    }
    free(out);
    free(in);
    return 0;
}
