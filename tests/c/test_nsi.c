/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * nsi.c: the rows that a silo sees of the machine's tables. */
#include "nsi.h"

#include <arpa/inet.h>

#include "check.h"

static const uint8_t own[4] = { 127, 7, 0, 7 }, twin[4] = { 127, 135, 0, 7 };
static struct network *net;

enum { IPV4 = 0, IPV6 = 1, UDP = 2, TCP = 3, OURS = 1234, ROOM = 16 };

static struct network *network_of(uint32_t id)
{
    (void)id;
    return NULL;
}

static struct reach here(bool stream)
{
    return (struct reach){ { own, twin }, net, network_of, stream, false };
}

static bool is_ours(uint32_t pid)
{
    return pid == OURS;
}

static struct nsi_request request_of(uint8_t module, uint32_t table, uint32_t key, uint32_t rw, uint32_t dynamic, uint32_t fixed)
{
    struct nsi_request r = { .module_size = 24, .module_type = 1, .table = table, .key_size = key, .rw_size = rw,
                             .dynamic_size = dynamic, .static_size = fixed, .count = ROOM };
    static const uint8_t guid[16] = { 0, 0x4a, 0x00, 0xeb, 0x1a, 0x9b, 0xd4, 0x11, 0x91, 0x23, 0x00, 0x50, 0x04, 0x77, 0x59, 0xbc };

    memcpy(r.module, guid, 16);
    r.module[0] = module;
    return r;
}

static uint8_t *column(const struct nsi_request *r, uint8_t *out, int which)
{
    const uint32_t sizes[4] = { r->key_size, r->rw_size, r->dynamic_size, r->static_size };
    uint8_t *at = out + 4;
    int i;

    for (i = 0; i < which; i++) at += sizes[i] * r->count;
    return at;
}

static uint32_t filter(const struct nsi_request *r, uint8_t *out, uint32_t rows)
{
    const struct nsi_view view = { net, { own, twin }, is_ours, here };
    uint32_t left;

    memcpy(out, &rows, sizeof(rows));
    nsi_filter(&view, nsi_table(r), r, out);
    memcpy(&left, out, sizeof(left));
    return left;
}

static void put(uint8_t *at, const char *address, uint16_t port)
{
    struct ws_sockaddr addr = { .family = WS_AF_INET, .port = htons(port) };

    CHECK_ROW(address, inet_pton(AF_INET, address, addr.v4.addr) == 1);
    memcpy(at, &addr, sizeof(addr));
}

static bool holds(const uint8_t *at, const char *address, uint16_t port)
{
    struct ws_sockaddr addr;
    char text[INET_ADDRSTRLEN];

    memcpy(&addr, at, sizeof(addr));
    return addr.port == htons(port) && !strcmp(inet_ntop(AF_INET, addr.v4.addr, text, sizeof(text)), address);
}

static void test_which(void)
{
    struct nsi_request r = request_of(TCP, 3, 56, 0, 20, 32);

    CHECK(nsi_table(&r) == NSI_TCP && nsi_size(&r) == 4 + ROOM * 108);
    r.key_size = 57; /* a row that is not as it is known */
    CHECK(nsi_table(&r) == NSI_OTHER);
    r = request_of(UDP, 1, 28, 0, 0, 0);
    CHECK(nsi_table(&r) == NSI_UDP && nsi_static_size(NSI_UDP) == 32);
    r = request_of(IPV4, 16, 56, 0, 0, 0); /* routes */
    CHECK(nsi_table(&r) == NSI_OTHER && !nsi_static_size(NSI_UNICAST4));
    r = request_of(IPV6, 10, 24, 0, 0, 0);
    CHECK(nsi_table(&r) == NSI_OTHER); /* IPv6 is the machine's */
    r.module[15]++;
    CHECK(nsi_table(&r) == NSI_OTHER);
    r = request_of(TCP, 3, 56, UINT32_MAX, UINT32_MAX, UINT32_MAX);
    CHECK(!nsi_size(&r));
    r = request_of(TCP, 3, 56, 0, 0, 0);
    r.count = UINT32_MAX;
    CHECK(!nsi_size(&r));
}

/* {luid, address} */
static void put_unicast(uint8_t *key, uint64_t luid, const char *address)
{
    memcpy(key, &luid, 8);
    CHECK_ROW(address, inet_pton(AF_INET, address, key + 8) == 1);
}

static bool is_unicast(const uint8_t *key, uint64_t luid, const char *address)
{
    char text[INET_ADDRSTRLEN];

    return !memcmp(key, &luid, 8) && !strcmp(inet_ntop(AF_INET, key + 8, text, sizeof(text)), address);
}

static void test_unicast(void)
{
    struct nsi_request r = request_of(IPV4, 10, 16, 28, 0, 8);
    uint8_t *out = calloc(1, nsi_size(&r)), *keys, *rw;
    uint32_t prefix = 24;

    if (!out) abort();
    keys = column(&r, out, 0);
    rw = column(&r, out, 1);
    put_unicast(keys, 1, "127.0.0.1");
    put_unicast(keys + 16, 2, "192.0.2.1");
    put_unicast(keys + 32, 3, "198.51.100.1");
    memcpy(rw + 28 + 16, &prefix, 4);
    CHECK(filter(&r, out, 3) == 2);
    CHECK(is_unicast(keys, 1, "127.0.0.1") && is_unicast(keys + 16, 2, "127.7.0.7"));
    CHECK(rw[28 + 16] == 32);
    /* a machine without another interface */
    put_unicast(keys, 1, "127.0.0.1");
    CHECK(filter(&r, out, 1) == 2);
    CHECK(is_unicast(keys, 1, "127.0.0.1") && is_unicast(keys + 16, 1, "127.7.0.7"));
    r.count = 1; /* and no room for one more */
    CHECK(filter(&r, out, 1) == 1 && is_unicast(keys, 1, "127.0.0.1"));
    CHECK(filter(&r, out, 9) == 9); /* more than fit: they are asked for again */
    free(out);
}

/* One address is asked for as the table shows it. */
static void test_one_address(void)
{
    struct nsi_request table = request_of(IPV4, 10, 16, 20, 0, 0), keys;
    struct nsi_row_request row = { .module_size = 24, .table = 10, .key_size = 16, .rw_size = 20 };
    uint8_t out[4 + 3 * 16] = { 3 }, key[16] = { 9 }, host[16] = { 0 }, rw[20] = { 0 };

    memcpy(row.module, table.module, sizeof(row.module));
    CHECK(nsi_asks_address(&row, &keys) && nsi_table(&keys) == NSI_UNICAST4 && nsi_size(&keys) == 4 + 16 * NSI_ADDRESSES);
    row.table = 3;
    CHECK(!nsi_asks_address(&row, &keys));

    out[4] = 1;
    inet_pton(AF_INET, "127.0.0.1", out + 4 + 8);
    out[4 + 16] = 9;
    inet_pton(AF_INET, "192.0.2.1", out + 4 + 16 + 8);
    out[4 + 32] = 9;
    inet_pton(AF_INET, "192.0.2.2", out + 4 + 32 + 8);
    memcpy(key + 8, own, 4);
    CHECK(nsi_host_key(own, out, key, host) && !memcmp(host, out + 4 + 16, 16));
    key[0] = 1; /* the silo's address is not on that interface */
    CHECK(!nsi_host_key(own, out, key, host));
    out[0] = 1; /* loopback alone: the silo's address is one more of it */
    CHECK(nsi_host_key(own, out, key, host) && !memcmp(host, out + 4, 16));
    inet_pton(AF_INET, "192.0.2.1", key + 8);
    CHECK(!nsi_host_key(own, out, key, host));
    nsi_show_address(&row, rw);
    CHECK(rw[16] == 32);
}

enum { LISTENING = 2, ESTABLISHED = 5 };

static void test_sockets(void)
{
    static const struct {
        const char *local;
        uint16_t port;
        const char *remote;
        uint16_t remote_port;
        uint32_t state, pid;
        const char *shown, *shown_remote; /* NULL: not in the silo's view */
    } rows[] = {
        { "0.0.0.0", 22, "0.0.0.0", 0, LISTENING, 0, "0.0.0.0", "0.0.0.0" }, /* a service of Linux */
        { "0.0.0.0", 23, "0.0.0.0", 0, LISTENING, 99, NULL, NULL },
        { "127.0.0.1", 24, "0.0.0.0", 0, LISTENING, 0, NULL, NULL },
        { "192.0.2.1", 22, "198.51.100.1", 9, ESTABLISHED, 0, NULL, NULL },
        { "127.7.0.7", 80, "0.0.0.0", 0, LISTENING, 0, "0.0.0.0", "0.0.0.0" },
        { "127.7.0.8", 80, "0.0.0.0", 0, LISTENING, 99, NULL, NULL },
        { "127.7.0.7", 80, "127.0.0.1", 4000, ESTABLISHED, OURS, "127.0.0.1", "127.0.0.1" },
        { "127.0.0.1", 4000, "127.7.0.7", 80, ESTABLISHED, 0, "127.0.0.1", "127.0.0.1" },
        { "192.0.2.1", 5000, "198.51.100.1", 443, ESTABLISHED, OURS, "192.0.2.1", "198.51.100.1" },
        { "192.0.2.1", 5001, "198.51.100.1", 443, ESTABLISHED, 99, NULL, NULL },
    };
    struct nsi_request r = request_of(TCP, 3, 56, 0, 20, 32);
    uint8_t *out = calloc(1, nsi_size(&r)), *keys, *states, *owners;
    uint32_t n = sizeof(rows) / sizeof(rows[0]), i, to;

    if (!out) abort();
    network_note_bound(net, true, PLACE_OWN, htons(80), ADDRESS_ANY, 0);
    keys = column(&r, out, 0);
    states = column(&r, out, 2);
    owners = column(&r, out, 3);
    for (i = 0; i < n; i++) {
        put(keys + 56 * i, rows[i].local, rows[i].port);
        put(keys + 56 * i + 28, rows[i].remote, rows[i].remote_port);
        memcpy(states + 20 * i, &rows[i].state, 4);
        memcpy(owners + 32 * i + 12, &rows[i].pid, 4);
    }
    CHECK(filter(&r, out, n) == 5);
    for (i = to = 0; i < n; i++) {
        if (!rows[i].shown) continue;
        CHECK_ROW(rows[i].local, holds(keys + 56 * to, rows[i].shown, rows[i].port));
        CHECK_ROW(rows[i].local, holds(keys + 56 * to + 28, rows[i].shown_remote, rows[i].remote_port));
        CHECK_ROW(rows[i].local, !memcmp(states + 20 * to, &rows[i].state, 4) && !memcmp(owners + 32 * to + 12, &rows[i].pid, 4));
        to++;
    }
    free(out);
}

int main(void)
{
    if (!(net = calloc(1, sizeof(*net)))) abort();
    test_which();
    test_unicast();
    test_one_address();
    test_sockets();
    free(net);
    return failed != 0;
}
