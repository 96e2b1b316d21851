/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * addresses.c: what an address means, and what the silo sees of its own. */
#include "addresses.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include "check.h"

static const uint8_t own[4] = { 127, 7, 0, 7 }, twin[4] = { 127, 135, 0, 7 };
static const struct silo_addresses silo = { own, twin };

/* the address written as text, with port 4660; returns its size on Windows */
static size_t make(struct ws_sockaddr *addr, const char *text)
{
    memset(addr, 0, sizeof(*addr));
    addr->port = htons(4660);
    if (inet_pton(AF_INET, text, addr->v4.addr) == 1) {
        addr->family = WS_AF_INET;
        return 16;
    }
    CHECK_ROW(text, inet_pton(AF_INET6, text, addr->v6.addr) == 1);
    addr->family = WS_AF_INET6;
    return 28;
}

static const char *text_of(const struct ws_sockaddr *addr)
{
    static char text[INET6_ADDRSTRLEN];

    if (addr->family == WS_AF_INET) return inet_ntop(AF_INET, addr->v4.addr, text, sizeof(text));
    return inet_ntop(AF_INET6, addr->v6.addr, text, sizeof(text));
}

static void test_kinds(void)
{
    static const struct {
        const char *text;
        enum address_kind kind;
    } rows[] = {
        { "0.0.0.0", ADDRESS_ANY },
        { "127.0.0.1", ADDRESS_LOOPBACK },
        { "127.7.0.7", ADDRESS_OWN },
        { "127.135.0.7", ADDRESS_OWN },
        { "127.7.0.8", ADDRESS_FOREIGN },
        { "127.0.0.2", ADDRESS_FOREIGN },
        { "127.12.34.56", ADDRESS_ALIAS },
        { "::ffff:127.12.34.56", ADDRESS_ALIAS },
        { "127.255.255.255", ADDRESS_FOREIGN },
        { "126.7.0.7", ADDRESS_OTHER },
        { "192.0.2.1", ADDRESS_OTHER },
        { "255.255.255.255", ADDRESS_OTHER },
        { "::", ADDRESS_ANY6 },
        { "::1", ADDRESS_LOOPBACK6 },
        { "::2", ADDRESS_OTHER },
        { "2001:db8::1", ADDRESS_OTHER },
        { "::ffff:0.0.0.0", ADDRESS_MAPPED_ANY },
        { "::ffff:127.0.0.1", ADDRESS_MAPPED_LOOPBACK },
        { "::ffff:127.7.0.7", ADDRESS_OWN },
        { "::ffff:127.135.0.7", ADDRESS_OWN },
        { "::ffff:127.7.0.8", ADDRESS_FOREIGN },
        { "::ffff:192.0.2.1", ADDRESS_OTHER },
    };
    size_t i, size;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ws_sockaddr addr;
        enum address_kind kind;

        size = make(&addr, rows[i].text);
        kind = address_kind(&silo, &addr, size);
        CHECK_ROW(rows[i].text, kind == rows[i].kind);
        CHECK_ROW(rows[i].text, address_is_wildcard(kind) == (kind == ADDRESS_ANY || kind == ADDRESS_ANY6 ||
                                                              kind == ADDRESS_MAPPED_ANY));
        CHECK_ROW(rows[i].text, address_kind(&silo, &addr, 7) == ADDRESS_OTHER);
        if (size == 28) CHECK_ROW(rows[i].text, address_kind(&silo, &addr, 23) == ADDRESS_OTHER);
    }
}

static void test_show(void)
{
    static const struct {
        const char *real;
        enum address_kind bound;
        const char *shown, *shown_v6_only; /* the same where NULL */
    } rows[] = {
        { "127.7.0.7", ADDRESS_ANY, "0.0.0.0", NULL },
        { "127.7.0.7", ADDRESS_LOOPBACK, "127.0.0.1", NULL },
        { "127.7.0.7", ADDRESS_OTHER, "127.0.0.1", NULL },
        { "127.7.0.8", ADDRESS_OTHER, "127.7.0.8", NULL },
        { "127.7.0.7", ADDRESS_OWN, "127.7.0.7", NULL },
        { "::ffff:127.7.0.7", ADDRESS_OWN, "::ffff:127.7.0.7", NULL },
        { "192.0.2.1", ADDRESS_ANY, "192.0.2.1", NULL },
        { "::ffff:127.7.0.7", ADDRESS_ANY6, "::", NULL },
        { "::ffff:127.7.0.7", ADDRESS_LOOPBACK6, "::1", NULL },
        { "::ffff:127.7.0.7", ADDRESS_MAPPED_ANY, "::ffff:0.0.0.0", NULL },
        { "::ffff:127.7.0.7", ADDRESS_OTHER, "::ffff:127.0.0.1", "::1" },
        { "::ffff:127.135.0.7", ADDRESS_OTHER, "::1", NULL },
        { "::ffff:127.135.0.7", ADDRESS_ANY6, "::", NULL },
        { "::ffff:127.0.0.1", ADDRESS_OTHER, "::ffff:127.0.0.1", "::1" },
        { "2001:db8::1", ADDRESS_ANY6, "2001:db8::1", NULL },
    };
    size_t i, size;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ws_sockaddr addr;
        const char *v6_only = rows[i].shown_v6_only ? rows[i].shown_v6_only : rows[i].shown;

        size = make(&addr, rows[i].real);
        CHECK_ROW(rows[i].real, address_show(&silo, &addr, size, rows[i].bound) == !!strcmp(rows[i].real, rows[i].shown));
        CHECK_ROW(rows[i].real, !strcmp(text_of(&addr), rows[i].shown));
        CHECK_ROW(rows[i].real, addr.port == htons(4660));
        size = make(&addr, rows[i].real);
        CHECK_ROW(rows[i].real, address_show_v6_only(&silo, &addr, size, rows[i].bound) == !!strcmp(rows[i].real, v6_only));
        CHECK_ROW(rows[i].real, !strcmp(text_of(&addr), v6_only));
    }
}

/* programs give buffers of any size: SOCKADDR_STORAGE has 128 bytes, some have 256 */
static void test_sizes(void)
{
    size_t size;

    for (size = 16; size <= 300; size++) {
        uint8_t *buffer = malloc(size);
        struct ws_sockaddr addr;
        bool untouched = true;
        size_t used = make(&addr, "127.7.0.7"), i;

        if (!buffer) abort();
        memset(buffer, 0xa5, size);
        memcpy(buffer, &addr, used);
        CHECK(address_kind(&silo, buffer, size) == ADDRESS_OWN);
        CHECK(address_show(&silo, buffer, size, ADDRESS_OTHER));
        memcpy(&addr, buffer, used);
        CHECK(!strcmp(text_of(&addr), "127.0.0.1"));
        for (i = used; i < size; i++) untouched &= buffer[i] == 0xa5;
        CHECK(untouched);
        free(buffer);
    }
}

static void test_set(void)
{
    struct ws_sockaddr addr;

    make(&addr, "0.0.0.0");
    address_set(&addr, own);
    CHECK(!strcmp(text_of(&addr), "127.7.0.7") && addr.port == htons(4660));
    make(&addr, "fe80::1");
    addr.v6.scope = 3;
    address_set(&addr, twin);
    CHECK(!strcmp(text_of(&addr), "::ffff:127.135.0.7") && addr.port == htons(4660) && !addr.v6.scope);
}

/* Linux' form and back */
static void test_unix(void)
{
    static const char *const texts[] = { "127.7.0.7", "192.0.2.1", "::1", "::ffff:127.7.0.7", "2001:db8::1" };
    struct ws_sockaddr addr, back;
    struct sockaddr_storage linux_addr;
    size_t i;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        size_t size = make(&addr, texts[i]);

        memset(&linux_addr, 0, sizeof(linux_addr));
        CHECK_ROW(texts[i], address_size(&addr) == size);
        address_to_unix(&linux_addr, &addr);
        CHECK_ROW(texts[i], linux_addr.ss_family == (size == 16 ? AF_INET : AF_INET6));
        CHECK_ROW(texts[i], address_from_unix(&back, &linux_addr, size) && !memcmp(&addr, &back, size));
        CHECK_ROW(texts[i], !address_from_unix(&back, &linux_addr, size == 16 ? 7 : 23));
    }
    linux_addr.ss_family = AF_UNIX;
    CHECK(!address_from_unix(&back, &linux_addr, sizeof(linux_addr)));
    make(&addr, "::ffff:127.7.0.7");
    CHECK(address_is_mapped(&addr) && !memcmp(address_v4(&addr), own, 4));
    make(&addr, "::1");
    CHECK(!address_is_mapped(&addr) && !address_v4(&addr));
    make(&addr, "127.7.0.7");
    CHECK(!address_is_mapped(&addr) && !memcmp(address_v4(&addr), own, 4));
}

int main(void)
{
    test_kinds();
    test_show();
    test_sizes();
    test_set();
    test_unix();
    return failed != 0;
}
