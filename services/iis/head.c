/* See head.h.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "head.h"

#include <stdio.h>
#include <string.h>

struct span {
    const char *s;
    size_t n;
};

struct line {
    struct span name, value;
};

size_t head_size(const char *data, size_t size)
{
    size_t i;

    for (i = 3; i < size; i++)
        if (data[i] == '\n' && !memcmp(data + i - 3, "\r\n\r\n", 4))
            return i + 1;
    return 0;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool is(struct span a, const char *b)
{
    size_t i;

    for (i = 0; i < a.n; i++)
        if (!b[i] || lower(a.s[i]) != lower(b[i]))
            return false;
    return !b[a.n];
}

/* a word in a list that is separated by commas */
static bool has_word(struct span list, const char *word)
{
    size_t at = 0;

    while (at < list.n) {
        struct span part = {list.s + at, 0};

        while (at < list.n && list.s[at] != ',')
            at++, part.n++;
        at++;
        while (part.n && (part.s[0] == ' ' || part.s[0] == '\t'))
            part.s++, part.n--;
        while (part.n && (part.s[part.n - 1] == ' ' || part.s[part.n - 1] == '\t'))
            part.n--;
        if (is(part, word))
            return true;
    }
    return false;
}

static bool is_token(char c)
{
    return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* The next line at *at, without its end; false at the empty one. */
static bool next_line(const char *data, size_t size, size_t *at, struct span *line)
{
    const char *end = *at < size ? memchr(data + *at, '\n', size - *at) : NULL;

    if (!end)
        return false;
    *line = (struct span){data + *at, (size_t)(end - data) - *at};
    *at = (size_t)(end - data) + 1;
    if (line->n && line->s[line->n - 1] == '\r')
        line->n--;
    return line->n != 0;
}

/* "Name: value" without control characters; a line that goes on from the one before is none. */
static bool split_line(struct span text, struct line *line)
{
    size_t i = 0;

    while (i < text.n && is_token(text.s[i]))
        i++;
    line->name = (struct span){text.s, i};
    if (!i || i == text.n || text.s[i] != ':')
        return false;
    for (i++; i < text.n && (text.s[i] == ' ' || text.s[i] == '\t'); i++)
        ;
    line->value = (struct span){text.s + i, text.n - i};
    while (line->value.n && (line->value.s[line->value.n - 1] == ' ' || line->value.s[line->value.n - 1] == '\t'))
        line->value.n--;
    for (i = 0; i < line->value.n; i++)
        if ((unsigned char)line->value.s[i] < ' ' && line->value.s[i] != '\t')
            return false;
    return true;
}

static bool read_number(struct span text, uint64_t *value)
{
    size_t i;

    for (*value = 0, i = 0; i < text.n; i++) {
        if (text.s[i] < '0' || text.s[i] > '9' || i == 18)
            return false;
        *value = *value * 10 + (uint64_t)(text.s[i] - '0');
    }
    return text.n != 0;
}

struct writer {
    char *out;
    size_t n;
    bool full;
};

static void put(struct writer *w, const char *text, size_t n)
{
    w->full |= n > HEAD_MAX + HEAD_MORE - w->n;
    if (w->full)
        return;
    memcpy(w->out + w->n, text, n);
    w->n += n;
}

static void put_text(struct writer *w, const char *text)
{
    put(w, text, strlen(text));
}

static void put_line(struct writer *w, const char *name, struct span value)
{
    put_text(w, name);
    put_text(w, ": ");
    put(w, value.s, value.n);
    put_text(w, "\r\n");
}

/* ---- requests ---- */

/* METHOD SP TARGET SP HTTP/1.x: Wine reads visible characters only. *target is where the target begins. */
static bool check_first(struct head *head, struct span line, size_t *target, size_t *end)
{
    size_t i = 0;

    while (i < line.n && is_token(line.s[i]))
        i++;
    if (!i || i == line.n || line.s[i] != ' ')
        return false;
    head->no_body = is((struct span){line.s, i}, "HEAD");
    *target = ++i;
    while (i < line.n && line.s[i] > ' ' && line.s[i] < 127)
        i++;
    *end = i;
    if (i == *target || line.n - i != 9 || memcmp(line.s + i, " HTTP/1.", 8) || (line.s[i + 8] != '0' && line.s[i + 8] != '1'))
        return false;
    head->close = line.s[i + 8] == '0';
    return line.s[*target] == '/' || (line.s[*target] == '*' && *end - *target == 1);
}

/* how Wine writes the names that it knows */
static const char *const known_names[] = {
    "Cache-Control", "Date", "Pragma", "Via", "Warning", "Content-Type", "Content-Encoding", "Content-Language", "Content-MD5",
    "Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language", "Authorization", "Cookie", "From", "If-Match",
    "If-Modified-Since", "If-None-Match", "If-Range", "If-Unmodified-Since", "Max-Forwards", "Referer", "Range", "User-Agent",
    "Content-Location", "Content-Range", "Expires", "Last-Modified", "Allow", "Proxy-Authorization", "Translate",
    /* these are written by us, or not at all */
    "Host", "Content-Length", "Connection", "Keep-Alive", "Upgrade", "Trailer", "Transfer-Encoding", "Expect",
};

static const char *known_name(struct span name)
{
    size_t i;

    for (i = 0; i < sizeof(known_names) / sizeof(known_names[0]); i++)
        if (is(name, known_names[i]))
            return known_names[i];
    return NULL;
}

/* Wine takes "Ho" for "Host". */
static bool begins_known(struct span name)
{
    size_t i;

    for (i = 0; i < sizeof(known_names) / sizeof(known_names[0]); i++)
        if (!strncmp(name.s, known_names[i], name.n))
            return true;
    return false;
}

struct request {
    struct head *head;
    struct writer *w;
    bool host, length;
    unsigned int port;
};

/* the host without a port, "[::1]" whole; only what a name or an address has */
static bool put_host(struct request *r, struct span value)
{
    char port[16];
    size_t n = 0;

    if (value.n && value.s[0] == '[')
        while (n < value.n && value.s[n++] != ']')
            ;
    else
        while (n < value.n && value.s[n] != ':')
            n++;
    if (!n || r->host || (n < value.n && value.s[n] != ':') || memchr(value.s, ' ', value.n) || memchr(value.s, '/', value.n))
        return false;
    r->host = true;
    snprintf(port, sizeof(port), ":%u\r\n", r->port & 0xffff);
    put_text(r->w, "Host: ");
    put(r->w, value.s, n);
    put_text(r->w, port);
    return true;
}

static bool request_line(struct request *r, const struct line *line)
{
    const char *known;
    uint64_t length;

    if (is(line->name, "Host"))
        return put_host(r, line->value);
    if (is(line->name, "Connection")) {
        if (has_word(line->value, "close"))
            r->head->close = true;
        else if (has_word(line->value, "keep-alive"))
            r->head->close = false;
        return true;
    }
    if (is(line->name, "Content-Length")) {
        if (!read_number(line->value, &length) || (r->length && length != r->head->length))
            return false;
        r->head->length = length;
        r->length = true;
        return true;
    }
    if (is(line->name, "Transfer-Encoding")) {
        r->head->chunked = is(line->value, "chunked");
        return r->head->chunked;
    }
    if (is(line->name, "Expect")) {
        r->head->expects = is(line->value, "100-continue");
        return r->head->expects;
    }
    if (is(line->name, "Keep-Alive") || is(line->name, "Proxy-Connection") || is(line->name, "TE") || is(line->name, "Trailer") ||
        is(line->name, "Upgrade") || is(line->name, "X-Forwarded-For"))
        return true; /* of this connection only, or ours to say */
    if ((known = known_name(line->name)))
        put_line(r->w, known, line->value);
    else if (!begins_known(line->name)) {
        put(r->w, line->name.s, line->name.n);
        put_line(r->w, "", line->value);
    }
    return true;
}

size_t head_request(struct head *head, const char *data, size_t size, unsigned int port, const char *peer, char *out)
{
    struct writer w = {out, 0, false};
    struct request r = {head, &w, false, false, port};
    struct span text;
    size_t at = 0, target, end;
    struct line line;
    char number[48];
    bool http10;

    memset(head, 0, sizeof(*head));
    if (size > HEAD_MAX || !next_line(data, size, &at, &text) || !check_first(head, text, &target, &end))
        return 0;
    http10 = head->close;
    put(&w, text.s, end);
    put_text(&w, " HTTP/1.1\r\n");
    while (next_line(data, size, &at, &text))
        if (!split_line(text, &line) || !request_line(&r, &line))
            return 0;
    if (at != size || (head->chunked && r.length) || (!r.host && !http10))
        return 0;
    if (!r.host && !put_host(&r, (struct span){"localhost", 9}))
        return 0;
    put_line(&w, "X-Forwarded-For", (struct span){peer, strlen(peer)});
    if (!head->chunked) {
        snprintf(number, sizeof(number), "Content-Length: %llu\r\n", (unsigned long long)head->length);
        put_text(&w, number);
        put_text(&w, "\r\n"); /* else the length is not known yet: the caller writes it, and the empty line */
    }
    return w.full ? 0 : w.n;
}

/* ---- responses ---- */

size_t head_response(struct head *head, const char *data, size_t size, bool close, char *out)
{
    struct writer w = {out, 0, false};
    struct span text;
    size_t at = 0;
    struct line line;

    memset(head, 0, sizeof(*head));
    head->close = close;
    if (size > HEAD_MAX || !next_line(data, size, &at, &text) || text.n < 12 || memcmp(text.s, "HTTP/1.1 ", 9) ||
        sscanf(text.s + 9, "%3d", &head->status) != 1 || head->status < 100)
        return 0;
    put(&w, text.s, text.n);
    put_text(&w, "\r\n");
    while (next_line(data, size, &at, &text)) {
        if (!split_line(text, &line) || (is(line.name, "Content-Length") && !read_number(line.value, &head->length)))
            return 0;
        if (is(line.name, "Connection"))
            continue;
        put(&w, text.s, text.n);
        put_text(&w, "\r\n");
    }
    if (at != size)
        return 0;
    put_text(&w, close ? "Connection: close\r\n\r\n" : "\r\n");
    return w.full ? 0 : w.n;
}
