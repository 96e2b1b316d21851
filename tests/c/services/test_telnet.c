/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The telnet protocol: options, commands, the window's size, line ends, escaping. */
#include "check.h"
#include "telnet.h"

static uint8_t sent[256];
static size_t sent_n;
static char typed[256];
static size_t typed_n;
static uint8_t commands[16];
static size_t commands_n;
static unsigned int columns, rows;

static void on_send(void *context, const uint8_t *data, size_t size)
{
    (void)context;
    memcpy(sent + sent_n, data, size);
    sent_n += size;
}

static void on_data(void *context, uint8_t byte)
{
    (void)context;
    typed[typed_n++] = (char)byte;
}

static void on_command(void *context, uint8_t command)
{
    (void)context;
    commands[commands_n++] = command;
}

static void on_window(void *context, unsigned int c, unsigned int r)
{
    (void)context;
    columns = c;
    rows = r;
}

static struct telnet begin(void)
{
    const struct telnet_sink sink = { NULL, on_send, on_data, on_command, on_window };
    struct telnet telnet;

    telnet_begin(&telnet, &sink);
    sent_n = typed_n = commands_n = 0;
    return telnet;
}

/* what a client sends, and what must be sent back, typed and told then */
#define S(text) text, sizeof(text) - 1
static const struct {
    const char *label;
    const char *in;
    size_t in_n;
    const char *back;
    size_t back_n;
    const char *data;
    const char *commands;
} rows_of[] = {
    { "text", S("abc"), S(""), "abc", "" },
    { "enter as CR LF", S("a\r\nb"), S(""), "a\nb", "" },
    { "enter as CR NUL", S("a\r\0b"), S(""), "a\nb", "" },
    { "enter as CR", S("a\rb"), S(""), "a\nb", "" },
    { "enter as LF", S("a\nb"), S(""), "a\nb", "" },
    { "two enters", S("\r\n\r\n"), S(""), "\n\n", "" },
    { "255 is doubled", S("a\xff\xff" "b"), S(""), "a\xff" "b", "" },
    { "answers to what was asked are not answered", S("\xff\xfd\x01\xff\xfd\x03\xff\xfb\x1f"), S(""), "", "" },
    { "refused echo", S("\xff\xfe\x01"), S(""), "", "" },
    { "unknown option of ours", S("\xff\xfd\x18"), S("\xff\xfc\x18"), "", "" },
    { "unknown option of theirs", S("\xff\xfb\x18"), S("\xff\xfe\x18"), "", "" },
    { "refusal of an unknown option", S("\xff\xfc\x18\xff\xfe\x18"), S(""), "", "" },
    { "an option above 31", S("\xff\xfb\xc8"), S("\xff\xfe\xc8"), "", "" },
    { "client suppresses go-ahead", S("\xff\xfb\x03\xff\xfb\x03"), S("\xff\xfd\x03"), "", "" },
    { "commands", S("\xff\xf4\xff\xf3\xff\xf6\xff\xf7\xff\xf8\xff\xf1"), S(""), "", "\xf4\xf3\xf6\xf7\xf8" },
    { "a subnegotiation that is not known", S("\xff\xfa\x18\x01xyz\xff\xff\xff\xf0ok"), S(""), "ok", "" },
    { "a subnegotiation without end", S("\xff\xfa\x1f\x01\xff\xf4ok"), S(""), "ok", "\xf4" },
};

static void test_rows(void)
{
    size_t i;

    for (i = 0; i < sizeof(rows_of) / sizeof(rows_of[0]); i++) {
        struct telnet telnet = begin();
        size_t k;

        for (k = 0; k < rows_of[i].in_n; k++) telnet_receive(&telnet, (const uint8_t *)rows_of[i].in + k, 1);
        CHECK_ROW(rows_of[i].label, sent_n == rows_of[i].back_n && !memcmp(sent, rows_of[i].back, sent_n));
        CHECK_ROW(rows_of[i].label, typed_n == strlen(rows_of[i].data) && !memcmp(typed, rows_of[i].data, typed_n));
        CHECK_ROW(rows_of[i].label, commands_n == strlen(rows_of[i].commands) && !memcmp(commands, rows_of[i].commands, commands_n));
    }
}

static void test_offers(void)
{
    const struct telnet_sink sink = { NULL, on_send, on_data, on_command, on_window };
    struct telnet telnet;

    sent_n = 0;
    telnet_begin(&telnet, &sink);
    CHECK(sent_n == 9 && !memcmp(sent, "\xff\xfb\x01\xff\xfb\x03\xff\xfd\x1f", 9));
    CHECK(telnet_echoes(&telnet));
    telnet_receive(&telnet, (const uint8_t *)"\xff\xfd\x01", 3);
    CHECK(telnet_echoes(&telnet));
    sent_n = 0;
    telnet_receive(&telnet, (const uint8_t *)"\xff\xfe\x01", 3);
    CHECK(!telnet_echoes(&telnet));
    CHECK(sent_n == 3 && !memcmp(sent, "\xff\xfc\x01", 3));
}

static void test_window(void)
{
    struct telnet telnet = begin();

    telnet_receive(&telnet, (const uint8_t *)"\xff\xfa\x1f\x00\x84\x00\xff\xff\xff\xf0", 10);
    CHECK(columns == 132 && rows == 255);
    columns = rows = 0;
    telnet_receive(&telnet, (const uint8_t *)"\xff\xfa\x1f\x00\x84\x00\xff\xf0", 8);
    telnet_receive(&telnet, (const uint8_t *)"\xff\xfa\x1f\x00\x84\x00\x19\x00\xff\xf0", 10);
    CHECK(!columns && !rows);
}

static void test_escape(void)
{
    static const uint8_t in[] = "a\nb\r\nc\rd\xff";
    uint8_t out[64], last = 0;
    size_t n = telnet_escape(in, sizeof(in) - 1, &last, out);

    CHECK(n == 12 && !memcmp(out, "a\r\nb\r\nc\r\0d\xff\xff", 12));
    last = 0;
    n = telnet_escape((const uint8_t *)"\r", 1, &last, out);
    n += telnet_escape((const uint8_t *)"\n", 1, &last, out + n);
    CHECK(n == 2 && !memcmp(out, "\r\n", 2));
}

int main(void)
{
    test_rows();
    test_offers();
    test_window();
    test_escape();
    return failed != 0;
}
