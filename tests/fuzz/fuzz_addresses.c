/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Socket addresses: an input is how the socket was bound, then a SOCKADDR of any size. Whatever it is, no
 * byte outside of it is touched, only the silo's own address is changed, and none of it is left to see. */
#include "addresses.h"
#include "fuzz.h"

const char *const fuzz_words[] = { "\x02", "\x17", "\x7f\x07", "\xff\xff\x7f\x07", "\xff\xff\x7f\x87", NULL };

static const uint8_t own[4] = { 127, 7, 0, 7 }, twin[4] = { 127, 135, 0, 7 };
static const struct silo_addresses silo = { own, twin };

enum { V4_START = 4, V4_END = 8, V6_START = 8, V6_END = 24 };

static bool is_v4(const uint8_t *addr)
{
    return addr[0] == WS_AF_INET && !addr[1];
}

/* did nothing but the address itself change? */
static bool only_address_changed(const uint8_t *before, const uint8_t *after, size_t size)
{
    size_t start = is_v4(before) ? V4_START : V6_START, end = is_v4(before) ? V4_END : V6_END;

    return !memcmp(before, after, start) && !memcmp(before + end, after + end, size - end);
}

static void check_show(const uint8_t *data, size_t size, enum address_kind bound, bool v6_only)
{
    uint8_t *addr = exact_copy(data, size);
    enum address_kind before = address_kind(&silo, addr, size), after;
    bool shown = v6_only ? address_show_v6_only(&silo, addr, size, bound) : address_show(&silo, addr, size, bound);

    if (size < V4_END || (!is_v4(data) && size < V6_END)) REQUIRE(before == ADDRESS_OTHER);
    after = address_kind(&silo, addr, size);
    REQUIRE(after != ADDRESS_OWN || bound == ADDRESS_OWN);
    REQUIRE(shown || !memcmp(addr, data, size));
    REQUIRE(!shown || only_address_changed(data, addr, size));
    if (bound == ADDRESS_OWN) REQUIRE(!shown);
    else if (before == ADDRESS_OWN) REQUIRE(shown);
    else REQUIRE(shown == (v6_only && before == ADDRESS_MAPPED_LOOPBACK));
    if (v6_only && bound != ADDRESS_OWN) REQUIRE(after != ADDRESS_MAPPED_LOOPBACK);
    free(addr);
}

static void check_set(const uint8_t *data, size_t size, const uint8_t *to)
{
    struct ws_sockaddr addr;

    if (size < sizeof(addr)) return;
    memcpy(&addr, data, sizeof(addr));
    if (addr.family != WS_AF_INET && addr.family != WS_AF_INET6) return;
    address_set(&addr, to);
    REQUIRE(address_kind(&silo, &addr, sizeof(addr)) == ADDRESS_OWN);
    REQUIRE(!memcmp(&addr, data, 4)); /* family and port */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum address_kind bound;

    if (!size) return 0;
    bound = (enum address_kind)(data[0] % (ADDRESS_MAPPED_LOOPBACK + 1));
    check_show(data + 1, size - 1, bound, false);
    check_show(data + 1, size - 1, bound, true);
    check_set(data + 1, size - 1, own);
    check_set(data + 1, size - 1, twin);
    return 0;
}
