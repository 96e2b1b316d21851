/* See telnet.h.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "telnet.h"

#include <string.h>

enum state { DATA, COMMAND, OPTION, SUB, SUB_COMMAND };

static void send_option(struct telnet *telnet, uint8_t verb, uint8_t option)
{
    const uint8_t message[] = {TELNET_IAC, verb, option};

    telnet->sink.send(telnet->sink.context, message, sizeof(message));
}

void telnet_begin(struct telnet *telnet, const struct telnet_sink *sink)
{
    memset(telnet, 0, sizeof(*telnet));
    telnet->sink = *sink;
    telnet->ours[TELNET_ECHO] = telnet->ours[TELNET_SGA] = TELNET_ASKED;
    telnet->theirs[TELNET_NAWS] = TELNET_ASKED;
    send_option(telnet, TELNET_WILL, TELNET_ECHO);
    send_option(telnet, TELNET_WILL, TELNET_SGA);
    send_option(telnet, TELNET_DO, TELNET_NAWS);
}

bool telnet_echoes(const struct telnet *telnet)
{
    return telnet->ours[TELNET_ECHO] != TELNET_OFF;
}

static bool may_do(uint8_t option)
{
    return option == TELNET_ECHO || option == TELNET_SGA;
}

static bool client_may_do(uint8_t option)
{
    return option == TELNET_SGA || option == TELNET_NAWS;
}

/* One side's option: on is WILL or DO. An answer to what was asked, and news that are none, are not answered. */
static void negotiate(struct telnet *telnet, uint8_t *use, bool on, bool allowed, uint8_t yes, uint8_t no, uint8_t option)
{
    if (!allowed) {
        if (on)
            send_option(telnet, no, option);
        return;
    }
    if (on && *use == TELNET_OFF)
        send_option(telnet, yes, option);
    if (!on && *use == TELNET_ON)
        send_option(telnet, no, option);
    *use = on ? TELNET_ON : TELNET_OFF;
}

static void receive_option(struct telnet *telnet, uint8_t option)
{
    uint8_t none = TELNET_OFF;
    bool ours = telnet->verb == TELNET_DO || telnet->verb == TELNET_DONT;
    bool on = telnet->verb == TELNET_DO || telnet->verb == TELNET_WILL;

    if (ours)
        negotiate(telnet, option < 32 ? &telnet->ours[option] : &none, on, may_do(option), TELNET_WILL, TELNET_WONT, option);
    else
        negotiate(telnet, option < 32 ? &telnet->theirs[option] : &none, on, client_may_do(option), TELNET_DO, TELNET_DONT, option);
}

static void receive_sub(struct telnet *telnet)
{
    const uint8_t *sub = telnet->sub;

    if (telnet->sub_size == 5 && sub[0] == TELNET_NAWS)
        telnet->sink.window(telnet->sink.context, (unsigned int)sub[1] << 8 | sub[2], (unsigned int)sub[3] << 8 | sub[4]);
}

/* Enter is CR LF or CR NUL (RFC 854); some send CR or LF alone. */
static void receive_data(struct telnet *telnet, uint8_t byte)
{
    bool after_cr = telnet->after_cr;

    telnet->after_cr = byte == '\r';
    if (after_cr && (byte == '\n' || byte == 0))
        return;
    telnet->sink.data(telnet->sink.context, byte == '\r' ? '\n' : byte);
}

static void receive_command(struct telnet *telnet, uint8_t byte)
{
    telnet->state = DATA;
    switch (byte) {
    case TELNET_WILL:
    case TELNET_WONT:
    case TELNET_DO:
    case TELNET_DONT:
        telnet->verb = byte;
        telnet->state = OPTION;
        break;
    case TELNET_SB:
        telnet->sub_size = 0;
        telnet->state = SUB;
        break;
    case TELNET_IAC:
        receive_data(telnet, byte);
        break;
    case TELNET_BRK:
    case TELNET_IP:
    case TELNET_AO:
    case TELNET_AYT:
    case TELNET_EC:
    case TELNET_EL:
        telnet->sink.command(telnet->sink.context, byte);
        break;
    default: /* NOP, DM, GA, and what has no meaning */
        break;
    }
}

/* A longer one than any that is used keeps its beginning, and the length that shows it. */
static void put_sub(struct telnet *telnet, uint8_t byte)
{
    if (telnet->sub_size < sizeof(telnet->sub))
        telnet->sub[telnet->sub_size++] = byte;
}

static void receive_byte(struct telnet *telnet, uint8_t byte)
{
    switch (telnet->state) {
    case DATA:
        if (byte == TELNET_IAC)
            telnet->state = COMMAND;
        else
            receive_data(telnet, byte);
        break;
    case COMMAND:
        receive_command(telnet, byte);
        break;
    case OPTION:
        telnet->state = DATA;
        receive_option(telnet, byte);
        break;
    case SUB:
        if (byte == TELNET_IAC)
            telnet->state = SUB_COMMAND;
        else
            put_sub(telnet, byte);
        break;
    default: /* SUB_COMMAND */
        if (byte == TELNET_IAC) {
            put_sub(telnet, byte);
            telnet->state = SUB;
            break;
        }
        telnet->state = DATA;
        if (byte == TELNET_SE)
            receive_sub(telnet);
        else
            receive_command(telnet, byte); /* the end was lost */
        break;
    }
}

void telnet_receive(struct telnet *telnet, const uint8_t *data, size_t size)
{
    size_t i;

    for (i = 0; i < size; i++)
        receive_byte(telnet, data[i]);
}

size_t telnet_escape(const uint8_t *data, size_t size, uint8_t *last, uint8_t *out)
{
    size_t i, n = 0;

    for (i = 0; i < size; i++) {
        uint8_t byte = data[i];

        if (byte == '\n' && *last != '\r')
            out[n++] = '\r';
        else if (*last == '\r' && byte != '\n')
            out[n++] = 0;
        if (byte == TELNET_IAC)
            out[n++] = byte;
        out[n++] = byte;
        *last = byte;
    }
    return n;
}
