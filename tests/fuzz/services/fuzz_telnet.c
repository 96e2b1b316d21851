/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A telnet client that sends anything, into the protocol and the editing of lines: nothing outside of their memory is
 * touched, each answer is three bytes, the echo has room. */
#include "edit.h"
#include "fuzz.h"
#include "telnet.h"

const char *const fuzz_words[] = { "\xff\xfd\x01", "\xff\xfe\x01", "\xff\xfb\x1f", "\xff\xfa\x1f", "\xff\xf0", "\xff\xff", "\r\n", "\x1b", "\b", NULL };

static struct edit edit;
static size_t answers;

static void on_send(void *context, const uint8_t *data, size_t size)
{
    (void)context;
    REQUIRE(size == 3 && data[0] == TELNET_IAC && data[1] >= TELNET_WILL && data[1] <= TELNET_DONT);
    answers++;
}

static void on_data(void *context, uint8_t byte)
{
    static char echo[EDIT_ECHO_MAX];
    enum edit_result result;
    size_t n;

    (void)context;
    result = edit_type(&edit, byte, echo, &n);
    REQUIRE(n <= sizeof(echo) && edit.size <= EDIT_MAX + 2);
    REQUIRE((result == EDIT_LINE) == (byte == '\n'));
    if (result == EDIT_LINE) {
        REQUIRE(edit.size >= 2 && !memcmp(edit.text + edit.size - 2, "\r\n", 2));
        edit.size = 0;
    }
}

static void on_command(void *context, uint8_t command)
{
    (void)context;
    REQUIRE(command >= TELNET_BRK && command <= TELNET_EL);
}

static void on_window(void *context, unsigned int columns, unsigned int rows)
{
    (void)context;
    REQUIRE(columns < 65536 && rows < 65536);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct telnet_sink sink = { NULL, on_send, on_data, on_command, on_window };
    uint8_t *in = exact_copy(data, size), *out = allocate(2 * size), last = 0;
    struct telnet telnet;
    size_t i, n;

    edit.size = 0;
    telnet_begin(&telnet, &sink);
    answers = 0;
    telnet_receive(&telnet, in, size);
    REQUIRE(answers <= size / 2);
    n = telnet_escape(in, size, &last, out);
    REQUIRE(n >= size && n <= 2 * size);
    for (i = 0; i + 1 < n; i++) REQUIRE(out[i] != TELNET_IAC || out[++i] == TELNET_IAC);
    free(out);
    free(in);
    return 0;
}
