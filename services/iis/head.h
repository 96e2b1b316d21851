/* Heads of HTTP/1 requests and responses, as the filter reads and rewrites them (RFC 9112). Touches nothing but its
 * arguments.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WINESILO_IIS_HEAD_H
#define WINESILO_IIS_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HEAD_MAX = 32768, HEAD_MORE = 256 }; /* bytes of a head, and what a rewritten one may have besides */

/* How long is the head at the start of data, with its empty line? 0: not complete yet. */
size_t head_size(const char *data, size_t size);

struct head {
    bool close;      /* the connection ends after the response */
    bool no_body;    /* of a request: HEAD, whose response has no body */
    bool chunked, expects; /* Transfer-Encoding: chunked; Expect: 100-continue */
    int status;      /* of a response */
    uint64_t length; /* Content-Length, 0 if there is none */
};

/* Read a request's head and write it anew as Wine's http.sys reads it: names of headers as in RFC 9110, Host with the port
 * of its URL, nothing about the connection. peer is the client's address for X-Forwarded-For. Returns the size of out, which
 * has room for HEAD_MAX + HEAD_MORE, or 0 where the request is wrong (400). */
size_t head_request(struct head *head, const char *data, size_t size, unsigned int port, const char *peer, char *out);

/* Read a response's head and write it anew, with "Connection: close" if the connection ends. 0: it is wrong. */
size_t head_response(struct head *head, const char *data, size_t size, bool close, char *out);

#endif
