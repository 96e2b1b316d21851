/* The telnet protocol, without sockets: bytes of a client in, data and commands out (RFC 854, 855), with the
 * options ECHO (RFC 857), SUPPRESS-GO-AHEAD (RFC 858) and NAWS (RFC 1073). Touches nothing but its arguments.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WINESILO_TELNET_H
#define WINESILO_TELNET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TELNET_SE = 240,
    TELNET_NOP,
    TELNET_DM,
    TELNET_BRK,
    TELNET_IP,
    TELNET_AO,
    TELNET_AYT,
    TELNET_EC,
    TELNET_EL,
    TELNET_GA,
    TELNET_SB,
    TELNET_WILL,
    TELNET_WONT,
    TELNET_DO,
    TELNET_DONT,
    TELNET_IAC,
};

enum { TELNET_ECHO = 1, TELNET_SGA = 3, TELNET_NAWS = 31 };

/* What the session does with what a client sends. */
struct telnet_sink {
    void *context;
    /* bytes to be sent to the client, as they are */
    void (*send)(void *context, const uint8_t *data, size_t size);
    /* a byte that was typed; the end of a line is one '\n' */
    void (*data)(void *context, uint8_t byte);
    /* one of TELNET_BRK, _IP, _AO, _AYT, _EC, _EL */
    void (*command)(void *context, uint8_t command);
    /* the client's window has this size now, in characters; 0 is unknown */
    void (*window)(void *context, unsigned int columns, unsigned int rows);
};

/* whether one side uses an option (RFC 1143, of which no queue is needed: nothing is ever asked twice) */
enum telnet_use { TELNET_OFF, TELNET_ASKED, TELNET_ON };

struct telnet {
    struct telnet_sink sink;
    uint8_t state, verb;
    bool after_cr;
    uint8_t ours[32], theirs[32]; /* enum telnet_use, by option */
    uint8_t sub[16];              /* a subnegotiation, cut after as much as is used */
    size_t sub_size;
};

/* Begin, and offer what this side does: it echoes, needs no go-ahead, and would like to know the window's size. */
void telnet_begin(struct telnet *telnet, const struct telnet_sink *sink);

void telnet_receive(struct telnet *telnet, const uint8_t *data, size_t size);

/* Data for the client: IAC is doubled, a lone LF becomes CR LF, a lone CR is followed by NUL. *last is the byte before
 * (0 at first). out has room for twice the size; returns how much was put there. */
size_t telnet_escape(const uint8_t *data, size_t size, uint8_t *last, uint8_t *out);

/* Does this side echo? The client may have refused that. */
bool telnet_echoes(const struct telnet *telnet);

#endif
