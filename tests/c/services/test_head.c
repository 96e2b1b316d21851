/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Heads of requests and responses, as the filter rewrites them. */
#include "check.h"
#include "head.h"

#define TAIL "X-Forwarded-For: 1.2.3.4\r\nContent-Length: 0\r\n\r\n"

/* out NULL: refused */
static const struct {
    const char *in, *out;
    bool close;
} requests[] = {
    { "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a:47080\r\n" TAIL, false },
    { "GET / HTTP/1.1\r\nhost:a:80\r\n\r\n", "GET / HTTP/1.1\r\nHost: a:47080\r\n" TAIL, false },
    { "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET / HTTP/1.1\r\nHost: [::1]:47080\r\n" TAIL, false },
    { "GET / HTTP/1.1\r\nHost: a\r\nUSER-AGENT: x\r\nOrigin: b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a:47080\r\nUser-Agent: x\r\nOrigin: b\r\n" TAIL, false },
    { "GET / HTTP/1.1\r\nHost: a\r\nConnection: foo, Close\r\n\r\n", "GET / HTTP/1.1\r\nHost: a:47080\r\n" TAIL, true },
    { "GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nHost: localhost:47080\r\n" TAIL, true },
    { "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", "GET / HTTP/1.1\r\nHost: a:47080\r\n" TAIL, false },
    { "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 9.9.9.9\r\nHo: b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a:47080\r\n" TAIL, false },
    { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a:47080\r\nX-Forwarded-For: 1.2.3.4\r\nContent-Length: 5\r\n\r\n", false },
    { "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a:47080\r\nX-Forwarded-For: 1.2.3.4\r\n", false },
    { "GET / HTTP/1.1\r\n\r\n", NULL, false },
    { "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", NULL, false },
    { "GET / HTTP/1.1\r\nHost: \r\n\r\n", NULL, false },
    { "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", NULL, false },
    { "GET / HTTP/2.0\r\nHost: a\r\n\r\n", NULL, false },
    { "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", NULL, false },
    { "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", NULL, false },
    { "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", NULL, false },
    { "GET / HTTP/1.1\r\nHost : a\r\n\r\n", NULL, false },
    { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", NULL, false },
    { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", NULL, false },
    { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", NULL, false },
    { "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", NULL, false },
    { "\r\n\r\n", NULL, false },
};

int main(void)
{
    static char out[HEAD_MAX + HEAD_MORE];
    static const char response[] = "HTTP/1.1 206 Partial Content\r\nContent-Length: 7\r\nConnection: x\r\nETag: y\r\n\r\n";
    struct head head;
    size_t i, n;

    for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        const char *in = requests[i].in, *expected = requests[i].out;

        CHECK_ROW(in, head_size(in, strlen(in)) == strlen(in) && !head_size(in, strlen(in) - 1));
        n = head_request(&head, in, strlen(in), 47080, "1.2.3.4", out);
        CHECK_ROW(in, expected ? n == strlen(expected) && !memcmp(out, expected, n) : !n);
        if (expected) CHECK_ROW(in, head.close == requests[i].close);
    }
    n = head_response(&head, response, strlen(response), true, out);
    out[n] = 0;
    CHECK(head.status == 206 && head.length == 7);
    CHECK(!strcmp(out, "HTTP/1.1 206 Partial Content\r\nContent-Length: 7\r\nETag: y\r\nConnection: close\r\n\r\n"));
    CHECK(!head_response(&head, "HTTP/1.1 abc def\r\n\r\n", 20, false, out));
    return failed != 0;
}
