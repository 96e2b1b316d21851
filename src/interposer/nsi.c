/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "nsi.h"

#include <string.h>

/* ---- which table ---- */

/* netiodef.h: {eb004aXX-9b1a-11d4-9123-0050047759bc} */
static const uint8_t module_head[3] = { 0x4a, 0x00, 0xeb };
static const uint8_t module_tail[12] = { 0x1a, 0x9b, 0xd4, 0x11, 0x91, 0x23, 0x00, 0x50, 0x04, 0x77, 0x59, 0xbc };
enum { MODULE_IPV4 = 0x00, MODULE_UDP = 0x02, MODULE_TCP = 0x03 };

enum { SOCKADDR_SIZE = 28, TCP_STATE_LISTEN = 2 };

static const struct {
    uint8_t module;
    uint32_t table;
    enum nsi_table is;
    uint32_t key_size;
} tables[] = {
    { MODULE_IPV4, 10, NSI_UNICAST4, 16 },
    { MODULE_TCP, 3, NSI_TCP, 2 * SOCKADDR_SIZE }, { MODULE_TCP, 4, NSI_TCP, 2 * SOCKADDR_SIZE },
    { MODULE_TCP, 5, NSI_TCP, 2 * SOCKADDR_SIZE }, { MODULE_UDP, 1, NSI_UDP, SOCKADDR_SIZE },
};

static enum nsi_table find_table(const uint8_t *m, uint32_t table, uint32_t key_size)
{
    size_t i;

    if (memcmp(m + 1, module_head, 3) || memcmp(m + 4, module_tail, 12)) return NSI_OTHER;
    for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        if (tables[i].module == m[0] && tables[i].table == table && tables[i].key_size == key_size)
            return tables[i].is;
    return NSI_OTHER;
}

enum nsi_table nsi_table(const struct nsi_request *request)
{
    return find_table(request->module, request->table, request->key_size);
}

uint32_t nsi_static_size(enum nsi_table table)
{
    return table == NSI_TCP || table == NSI_UDP ? 32 : 0;
}

/* where in that column the process id is */
static uint32_t pid_offset(enum nsi_table table)
{
    return table == NSI_TCP ? 12 : 0;
}

/* ---- rows ---- */

struct table {
    enum nsi_table is;
    const struct nsi_request *request;
    uint8_t *column[4];
    uint32_t size[4];
};
enum { KEY, RW, DYNAMIC, STATIC };

static uint8_t *cell(const struct table *t, int column, uint32_t row)
{
    return t->column[column] + (size_t)t->size[column] * row;
}

static void copy_row(struct table *t, uint32_t to, uint32_t from)
{
    int c;

    if (to == from) return;
    for (c = KEY; c <= STATIC; c++)
        if (t->size[c]) memcpy(cell(t, c, to), cell(t, c, from), t->size[c]);
}

uint64_t nsi_size(const struct nsi_request *r)
{
    uint64_t row = (uint64_t)r->key_size + r->rw_size + r->dynamic_size + r->static_size;

    return row > 0x10000 || r->count > 0x100000 ? 0 : sizeof(uint32_t) + row * r->count;
}

/* ---- addresses of interfaces ---- */

/* The silo's address is a network of its own: with the 8 bits of loopback addresses, Windows programs would take it for
 * one of these and the machine for one without a network (NetBIOS does). */
enum { LUID_SIZE = 8, ON_LINK_PREFIX = 16, SILO_PREFIX = 32 };

static void show_prefix(uint8_t *rw, uint32_t size)
{
    const uint32_t prefix = SILO_PREFIX;

    if (size >= ON_LINK_PREFIX + sizeof(prefix)) memcpy(rw + ON_LINK_PREFIX, &prefix, sizeof(prefix));
}

/* Loopback addresses stay; the first other IPv4 address becomes the silo's, and if there is none the silo's is one
 * more of the first interface. */
static uint32_t filter_unicast(struct table *t, const struct nsi_view *view, uint32_t rows)
{
    uint32_t from, to = 0, silos = rows;

    for (from = 0; from < rows; from++) {
        bool loopback = cell(t, KEY, from)[LUID_SIZE] == 127;

        if (!loopback && silos < rows) continue;
        if (!loopback) silos = to;
        copy_row(t, to++, from);
    }
    if (silos == rows) {
        if (!to || to == t->request->count) return to;
        silos = to++;
        copy_row(t, silos, 0);
    }
    memcpy(cell(t, KEY, silos) + LUID_SIZE, view->silo.own, 4);
    show_prefix(cell(t, RW, silos), t->size[RW]);
    return to;
}

bool nsi_asks_address(const struct nsi_row_request *row, struct nsi_request *keys)
{
    if (find_table(row->module, row->table, row->key_size) != NSI_UNICAST4) return false;
    *keys = (struct nsi_request){ .module_size = row->module_size, .module_type = row->module_type, .first = 1,
                                  .table = row->table, .key_size = NSI_ADDRESS_KEY, .count = NSI_ADDRESSES };
    memcpy(keys->module, row->module, sizeof(keys->module));
    return true;
}

bool nsi_host_key(const uint8_t own[4], const uint8_t *out, const uint8_t *key, uint8_t *host_key)
{
    const uint8_t *keys = out + sizeof(uint32_t), *shown = keys;
    uint32_t rows, i;

    memcpy(&rows, out, sizeof(rows));
    if (memcmp(key + LUID_SIZE, own, 4) || !rows || rows > NSI_ADDRESSES) return false;
    for (i = 0; i < rows; i++) {
        shown = keys + (size_t)NSI_ADDRESS_KEY * i;
        if (shown[LUID_SIZE] != 127) break;
    }
    if (i == rows) shown = keys;
    if (memcmp(shown, key, LUID_SIZE)) return false;
    memcpy(host_key, shown, NSI_ADDRESS_KEY);
    return true;
}

void nsi_show_address(const struct nsi_row_request *row, uint8_t *out)
{
    show_prefix(out, row->rw_size);
}

/* ---- sockets ---- */

/* Listening on the machine's addresses, and of no Windows process: a service of Linux, which the host's Wine shows too. */
static bool is_the_machines(const struct table *t, const struct ws_sockaddr *local, uint32_t pid, uint32_t state)
{
    const uint8_t *v4 = address_v4(local);

    return !pid && (t->is == NSI_UDP || state == TCP_STATE_LISTEN) && (!v4 || v4[0] != 127);
}

/* Sockets of the silo's processes and of its addresses, as the server holds some that no process has open. */
static bool show_socket(const struct table *t, const struct nsi_view *view, uint32_t row)
{
    struct reach here = view->here(t->is == NSI_TCP);
    uint8_t *key = cell(t, KEY, row);
    enum address_kind kind = ADDRESS_OTHER;
    struct network_port port;
    struct ws_sockaddr local, remote = { 0 };
    enum place place, peer;
    unsigned int bound;
    uint32_t pid, state = 0;
    bool moved;

    memcpy(&local, key, sizeof(local));
    memcpy(&pid, cell(t, STATIC, row) + pid_offset(t->is), sizeof(pid));
    if (t->is == NSI_TCP && t->size[DYNAMIC] >= 4) memcpy(&state, cell(t, DYNAMIC, row), sizeof(state));
    if (t->is == NSI_TCP) memcpy(&remote, key + SOCKADDR_SIZE, sizeof(remote));
    place = address_place(&view->silo, &local);
    peer = address_place(&view->silo, &remote);
    moved = network_port_at(here.network, here.stream, &local, view->silo.own, true, &port) && (port.published || place < PLACE_ANY);
    if (!(pid && view->is_ours(pid)) && place != PLACE_OWN && place != PLACE_TWIN && peer != PLACE_OWN &&
        peer != PLACE_TWIN && !moved)
        return is_the_machines(t, &local, pid, state);
    bound = network_bound_as(here.network, here.stream, place, local.port);
    if (t->is == NSI_UDP || state == TCP_STATE_LISTEN) kind = bound & BOUND_KNOWN ? bound & BOUND_KIND : ADDRESS_LOOPBACK;
    network_show(&here, key, SOCKADDR_SIZE, true, bound, kind);
    if (t->is == NSI_TCP && state != TCP_STATE_LISTEN)
        network_show(&here, key + SOCKADDR_SIZE, SOCKADDR_SIZE, false, bound, ADDRESS_OTHER);
    return true;
}

static uint32_t filter_sockets(struct table *t, const struct nsi_view *view, uint32_t rows)
{
    uint32_t from, to = 0;

    for (from = 0; from < rows; from++)
        if (show_socket(t, view, from)) copy_row(t, to++, from);
    return to;
}

void nsi_filter(const struct nsi_view *view, enum nsi_table table, const struct nsi_request *r, uint8_t *out)
{
    struct table t = { .is = table, .request = r, .size = { r->key_size, r->rw_size, r->dynamic_size, r->static_size } };
    uint8_t *at = out + sizeof(uint32_t);
    uint32_t rows;
    int c;

    for (c = KEY; c <= STATIC; c++) {
        t.column[c] = at;
        at += (size_t)t.size[c] * r->count;
    }
    memcpy(&rows, out, sizeof(rows));
    if (rows > r->count) return; /* they do not fit: the program asks again */
    if (table == NSI_UNICAST4) rows = filter_unicast(&t, view, rows);
    else if (t.size[STATIC] == nsi_static_size(table)) rows = filter_sockets(&t, view, rows);
    memcpy(out, &rows, sizeof(rows));
}
