/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * network.c: what a silo may reach, ports that are bound elsewhere, what programs see of both. */
#include "network.h"

#include <arpa/inet.h>

#include "check.h"

static const uint8_t own[4] = { 127, 7, 0, 7 }, twin[4] = { 127, 135, 0, 7 };
static struct network *net, *other_net;

static struct network *network_of(uint32_t id)
{
    return id == 8 ? other_net : NULL;
}

static struct reach here(bool stream)
{
    return (struct reach){ { own, twin }, net, network_of, stream, false };
}

static size_t make(struct ws_sockaddr *addr, const char *text, uint16_t port)
{
    memset(addr, 0, sizeof(*addr));
    addr->port = htons(port);
    if (inet_pton(AF_INET, text, addr->v4.addr) == 1) {
        addr->family = WS_AF_INET;
        return 16;
    }
    CHECK_ROW(text, inet_pton(AF_INET6, text, addr->v6.addr) == 1);
    addr->family = WS_AF_INET6;
    return 28;
}

static bool is(const struct ws_sockaddr *addr, const char *text, uint16_t port)
{
    struct ws_sockaddr wanted;
    size_t size = make(&wanted, text, port);

    return addr->family == wanted.family && addr->port == wanted.port &&
           !memcmp(size == 16 ? addr->v4.addr : addr->v6.addr, size == 16 ? wanted.v4.addr : wanted.v6.addr, size == 16 ? 4 : 16);
}

static void link_with(const char *address, uint32_t flags, uint32_t id, const char *name)
{
    struct network_link *link = &net->links[net->links_n++];

    inet_pton(AF_INET, address, link->addr);
    link->flags = flags;
    link->id = id;
    strcpy(link->name, name);
}

static void bind_port(struct network *n, bool stream, uint16_t port, const char *address, uint16_t real_port, bool published)
{
    struct network_port wanted = { .stream = stream, .kind = ADDRESS_ANY, .port = htons(port),
                                   .real_port = htons(real_port), .published = published }, copy;
    struct ws_sockaddr addr;
    bool fresh;

    make(&addr, address, 0);
    wanted.v6 = addr.family == WS_AF_INET6;
    memcpy(wanted.addr, wanted.v6 ? addr.v6.addr : addr.v4.addr, wanted.v6 ? 16 : 4);
    CHECK_ROW(address, network_port_reserve(n, &wanted, &copy, &fresh) && fresh && copy.real_port == htons(real_port));
}

static void reset(void)
{
    memset(net, 0, sizeof(*net));
    memset(other_net, 0, sizeof(*other_net));
    link_with("127.7.0.8", LINK_TO, 8, "db1");
    link_with("127.7.0.9", LINK_FROM, 9, "web");
    bind_port(net, true, 80, "127.7.0.7", 10080, false);
    bind_port(net, true, 443, "192.0.2.1", 8443, true);
    bind_port(net, true, 25, "0.0.0.0", 2525, true);
    bind_port(net, true, 110, "::1", 1110, true);
    bind_port(other_net, true, 3306, "192.0.2.1", 13306, true);
    bind_port(other_net, true, 25, "0.0.0.0", 2525, true);
    network_note_bound(net, true, PLACE_OWN, htons(1000), ADDRESS_ANY6, 0);
    network_note_bound(net, true, PLACE_TWIN, htons(1001), ADDRESS_ANY6, BOUND_V6_ONLY);
}

static void test_reach(void)
{
    static const struct {
        const char *to;
        uint16_t port;
        enum verdict verdict;
        bool explicit;
        const char *address; /* where it leads; NULL: as it is */
        uint16_t real_port;
    } rows[] = {
        { "192.0.2.9", 80, REACH_UNCHANGED, false, NULL, 0 },
        { "2001:db8::1", 80, REACH_UNCHANGED, false, NULL, 0 },
        { "127.0.0.1", 99, REACH_OWN, false, "127.7.0.7", 99 },
        { "0.0.0.0", 99, REACH_OWN, false, "127.7.0.7", 99 },
        { "127.7.0.7", 99, REACH_OWN, true, NULL, 0 },
        { "127.12.34.56", 99, REACH_OWN, false, "127.7.0.7", 99 },
        { "127.0.0.1", 80, REACH_OWN, false, "127.7.0.7", 10080 },
        { "127.7.0.7", 80, REACH_OWN, true, "127.7.0.7", 10080 },
        { "127.0.0.1", 443, REACH_OWN, false, "192.0.2.1", 8443 },
        { "127.0.0.1", 25, REACH_OWN, false, "127.7.0.7", 2525 },
        { "::1", 99, REACH_TWIN, false, "::ffff:127.135.0.7", 99 },
        { "::1", 1000, REACH_TWIN, false, "::ffff:127.7.0.7", 1000 },
        { "::1", 1001, REACH_TWIN, false, "::ffff:127.135.0.7", 1001 },
        { "::ffff:127.0.0.1", 80, REACH_OWN, false, "::ffff:127.7.0.7", 10080 },
        { "127.0.0.2", 80, REACH_REFUSED, false, NULL, 0 },
        { "127.7.0.10", 80, REACH_REFUSED, false, NULL, 0 },
        { "::ffff:127.7.0.10", 80, REACH_REFUSED, false, NULL, 0 },
        { "127.7.0.8", 99, REACH_LINKED, false, NULL, 0 },
        { "::ffff:127.7.0.8", 99, REACH_LINKED, false, NULL, 0 },
        { "127.7.0.8", 3306, REACH_LINKED, false, "192.0.2.1", 13306 },
        { "127.7.0.8", 25, REACH_LINKED, false, "127.7.0.8", 2525 },
        { "127.7.0.9", 99, REACH_REFUSED, false, NULL, 0 }, /* it may reach us, not we it */
    };
    size_t i;

    reset();
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct reach r = here(true);
        struct ws_sockaddr addr, given;
        bool explicit = !rows[i].explicit;
        size_t size = make(&addr, rows[i].to, rows[i].port);

        given = addr;
        CHECK_ROW(rows[i].to, network_reach(&r, &addr, size, &explicit) == rows[i].verdict);
        CHECK_ROW(rows[i].to, explicit == rows[i].explicit);
        if (rows[i].address) CHECK_ROW(rows[i].to, is(&addr, rows[i].address, rows[i].real_port));
        else CHECK_ROW(rows[i].to, !memcmp(&addr, &given, sizeof(addr)));
    }
}

/* An answer to who may send to us is no connection. */
static void test_answers(void)
{
    struct reach r = here(false);
    struct ws_sockaddr addr;
    bool explicit;

    reset();
    r.answers = true;
    CHECK(network_reach(&r, &addr, make(&addr, "127.7.0.9", 99), &explicit) == REACH_LINKED);
    CHECK(network_reach(&r, &addr, make(&addr, "127.7.0.10", 99), &explicit) == REACH_REFUSED);
}

static void test_show(void)
{
    static const struct {
        const char *real;
        uint16_t real_port;
        bool local;
        enum address_kind kind;
        unsigned int bound;
        const char *shown;
        uint16_t port;
    } rows[] = {
        { "127.7.0.7", 99, true, ADDRESS_ANY, 0, "0.0.0.0", 99 },
        { "127.7.0.7", 99, true, ADDRESS_OTHER, BOUND_KNOWN | ADDRESS_ANY, "127.0.0.1", 99 },
        { "127.7.0.7", 99, true, ADDRESS_OTHER, BOUND_KNOWN | ADDRESS_OWN, "127.7.0.7", 99 },
        { "127.7.0.7", 99, false, ADDRESS_OTHER, 0, "127.0.0.1", 99 },
        { "127.7.0.7", 10080, true, ADDRESS_ANY, 0, "0.0.0.0", 80 },
        { "127.7.0.7", 10080, true, ADDRESS_OTHER, 0, "127.0.0.1", 80 },
        { "127.7.0.7", 10080, false, ADDRESS_OTHER, 0, "127.0.0.1", 80 },
        { "127.7.0.7", 99, true, ADDRESS_ALIAS, 0, "127.12.34.56", 99 },
        { "192.0.2.1", 8443, true, ADDRESS_ANY, 0, "0.0.0.0", 443 },
        { "192.0.2.1", 8443, true, ADDRESS_OTHER, 0, "192.0.2.1", 443 }, /* the end of a connection from outside */
        { "192.0.2.1", 8443, false, ADDRESS_OTHER, 0, "127.0.0.1", 443 },
        { "192.0.2.1", 8444, false, ADDRESS_OTHER, 0, "192.0.2.1", 8444 },
        { "0.0.0.0", 2525, true, ADDRESS_ANY, 0, "0.0.0.0", 25 },
        { "192.0.2.5", 2525, true, ADDRESS_OTHER, 0, "192.0.2.5", 25 },
        { "192.0.2.5", 2525, false, ADDRESS_OTHER, 0, "192.0.2.5", 2525 }, /* another machine's */
        { "127.7.0.8", 2525, false, ADDRESS_OTHER, 0, "127.7.0.8", 2525 },
        { "127.7.0.7", 2525, false, ADDRESS_OTHER, 0, "127.0.0.1", 25 },
        { "::1", 1110, false, ADDRESS_OTHER, 0, "::1", 110 },
        { "::ffff:127.7.0.7", 99, false, ADDRESS_OTHER, BOUND_KNOWN | ADDRESS_ANY6 | BOUND_V6_ONLY, "::1", 99 },
    };
    size_t i;

    reset();
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct reach r = here(true);
        struct ws_sockaddr addr, given;
        size_t size = make(&addr, rows[i].real, rows[i].real_port);
        bool changed;

        given = addr;
        changed = network_show(&r, &addr, size, rows[i].local, rows[i].bound, rows[i].kind);
        CHECK_ROW(rows[i].real, is(&addr, rows[i].shown, rows[i].port));
        if (!changed) CHECK_ROW(rows[i].real, !memcmp(&addr, &given, sizeof(addr)));
        CHECK_ROW(rows[i].real, !network_show(&r, &addr, 7, rows[i].local, rows[i].bound, rows[i].kind));
    }
}

static void test_ports(void)
{
    struct network_port wanted = { .stream = 1, .kind = ADDRESS_LOOPBACK, .port = htons(80), .real_port = htons(20000) }, copy;
    unsigned int i;
    bool fresh;

    reset();
    memcpy(wanted.addr, own, 4);
    CHECK(network_port_reserve(net, &wanted, &copy, &fresh) && !fresh && copy.real_port == htons(10080));
    CHECK(network_port_of(net, true, false, htons(80), &copy) && copy.kind == ADDRESS_LOOPBACK);
    CHECK(!network_port_of(net, false, false, htons(80), &copy) && !network_port_of(net, true, true, htons(80), &copy));
    network_port_moved(net, &wanted, htons(30000));
    CHECK(network_port_of(net, true, false, htons(80), &copy) && copy.real_port == htons(30000));
    /* a rule that came, changed or went since */
    wanted.published = 1;
    CHECK(network_port_reserve(net, &wanted, &copy, &fresh) && fresh && copy.published && copy.real_port == htons(20000));
    wanted.real_port = htons(20001);
    CHECK(network_port_reserve(net, &wanted, &copy, &fresh) && fresh && copy.real_port == htons(20001));
    CHECK(network_port_reserve(net, &wanted, &copy, &fresh) && !fresh);
    network_port_forget(net, &wanted);
    CHECK(!network_port_of(net, true, false, htons(80), &copy));
    /* no more than there is room for */
    for (i = 0; i < 2 * NETWORK_PORTS; i++) {
        wanted.port = htons((uint16_t)(2000 + i));
        if (!network_port_reserve(net, &wanted, &copy, &fresh)) break;
    }
    CHECK(i == NETWORK_PORTS - 3 && net->ports_n == NETWORK_PORTS);
}

static void test_rules(void)
{
    struct network_rule rule;
    char name[NETWORK_NAME];
    uint8_t v4[4];
    uint32_t id;

    reset();
    net->rules[0] = (struct network_rule){ .stream = 1, .port = htons(80), .real_port = htons(8080), .addr = { 192, 0, 2, 1 } };
    net->rules[1] = (struct network_rule){ .stream = 0, .v6 = 1, .port = htons(80), .real_port = htons(8081) };
    CHECK(!network_rule_for(net, true, false, false, htons(80), &rule)); /* not counted yet */
    net->rules_n = 2;
    CHECK(network_rule_for(net, true, false, false, htons(80), &rule) && rule.real_port == htons(8080));
    CHECK(network_rule_for(net, true, true, false, htons(80), &rule));   /* a dual-stack socket takes IPv4 */
    CHECK(!network_rule_for(net, true, true, true, htons(80), &rule));   /* an IPv6-only one does not */
    CHECK(network_rule_for(net, false, true, true, htons(80), &rule) && rule.real_port == htons(8081));
    CHECK(!network_rule_for(net, false, false, false, htons(80), &rule));
    CHECK(!network_rule_for(net, true, false, false, htons(81), &rule));
    CHECK(network_link_named(net, "DB1", v4) && v4[3] == 8);
    CHECK(!network_link_named(net, "web", v4)); /* may reach us */
    CHECK(!network_link_named(net, "db", v4) && !network_link_named(net, "", v4));
    CHECK(network_link_name(net, net->links[1].addr, name) && !strcmp(name, "web"));
    CHECK(network_link_to(net, net->links[0].addr, LINK_TO, &id) && id == 8);
    /* while the daemon writes, nothing is believed */
    net->rules_version = 1;
    CHECK(!network_link_to(net, net->links[0].addr, LINK_TO, &id));
    net->rules_version = 2;
    net->links_n = UINT32_MAX;
    net->rules_n = UINT32_MAX;
    CHECK(!network_link_named(net, "no", v4) && !network_rule_for(net, true, false, false, htons(81), &rule));
}

static void test_bound(void)
{
    const struct silo_addresses silo = { own, twin };
    struct ws_sockaddr addr;

    reset();
    make(&addr, "127.7.0.7", 1);
    CHECK(address_place(&silo, &addr) == PLACE_OWN);
    make(&addr, "::ffff:127.135.0.7", 1);
    CHECK(address_place(&silo, &addr) == PLACE_TWIN);
    make(&addr, "::", 1);
    CHECK(address_place(&silo, &addr) == PLACE_ANY);
    make(&addr, "192.0.2.1", 1);
    CHECK(address_place(&silo, &addr) == PLACES);
    CHECK(!network_bound_as(net, true, PLACES, htons(1)) && !network_bound_as(net, true, PLACE_OWN, htons(65535)));
    network_note_bound(net, true, PLACES, htons(1), ADDRESS_ANY, 0);
    network_note_bound(net, true, PLACE_ANY, htons(65535), ADDRESS_MAPPED_LOOPBACK, BOUND_V6_ONLY);
    CHECK(network_bound_as(net, true, PLACE_ANY, htons(65535)) == (BOUND_KNOWN | BOUND_V6_ONLY | ADDRESS_MAPPED_LOOPBACK));
    CHECK(!net->own_bound);
    network_note_bound(net, false, PLACE_OWN, htons(5), ADDRESS_OWN, 0);
    CHECK(net->own_bound);
    /* an IPv6-only socket follows a dual-stack one at its port */
    CHECK(network_bound_as(net, true, PLACE_OWN, htons(1000)));
    network_note_bound(net, true, PLACE_TWIN, htons(1000), ADDRESS_ANY6, BOUND_V6_ONLY);
    CHECK(!network_bound_as(net, true, PLACE_OWN, htons(1000)));
}

/* two sockets at one port: which one a connection to 127.0.0.1, or to ::1, gets */
static void test_beside(void)
{
    static const struct {
        enum address_kind first, beside;
        const char *v4, *v6;
    } rows[] = {
        { ADDRESS_ANY, ADDRESS_LOOPBACK, "127.135.0.7", "::ffff:127.135.0.7" },
        { ADDRESS_ANY6, ADDRESS_LOOPBACK, "127.135.0.7", "::ffff:127.7.0.7" },
        { ADDRESS_LOOPBACK, ADDRESS_ANY, "127.7.0.7", "::ffff:127.135.0.7" },
        { ADDRESS_ANY6, ADDRESS_ANY, "127.135.0.7", "::ffff:127.7.0.7" },
        { ADDRESS_ANY, ADDRESS_ANY6, "127.7.0.7", "::ffff:127.135.0.7" },
    };
    struct reach r = here(true);
    struct ws_sockaddr addr;
    bool explicit;
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        reset();
        network_note_bound(net, true, PLACE_OWN, htons(7), rows[i].first, 0);
        network_note_bound(net, true, PLACE_TWIN, htons(7), rows[i].beside, BOUND_BESIDE);
        network_reach(&r, &addr, make(&addr, "127.0.0.1", 7), &explicit);
        CHECK_ROW(rows[i].v4, is(&addr, rows[i].v4, 7));
        network_reach(&r, &addr, make(&addr, "::1", 7), &explicit);
        CHECK_ROW(rows[i].v6, is(&addr, rows[i].v6, 7));
        network_reach(&r, &addr, make(&addr, "127.7.0.7", 7), &explicit);
        CHECK_ROW(rows[i].v4, is(&addr, "127.7.0.7", 7));
        network_note_closed(net, true, htons(7));
        network_reach(&r, &addr, make(&addr, "127.0.0.1", 7), &explicit);
        CHECK_ROW(rows[i].v4, is(&addr, "127.7.0.7", 7));
    }
}

int main(void)
{
    net = calloc(1, sizeof(*net));
    other_net = calloc(1, sizeof(*other_net));
    if (!net || !other_net) abort();
    test_reach();
    test_answers();
    test_show();
    test_ports();
    test_rules();
    test_bound();
    test_beside();
    free(net);
    free(other_net);
    return failed != 0;
}
