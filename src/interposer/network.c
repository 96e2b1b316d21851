/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "network.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

struct network *network;

/* ---- rules ---- */

enum { ATTEMPTS = 1000 };

/* The daemon changes the rules seldom and quickly: read, and read again if it did meanwhile. */
#define READ_RULES(n, found, statement)                                                   \
    do {                                                                                  \
        unsigned int attempt_;                                                            \
        for (attempt_ = 0; attempt_ < ATTEMPTS; attempt_++) {                             \
            uint32_t version_ = atomic_load_explicit(&(n)->rules_version, memory_order_acquire); \
            if (version_ & 1) continue;                                                   \
            found = false;                                                                \
            statement;                                                                    \
            atomic_thread_fence(memory_order_acquire);                                    \
            if (atomic_load_explicit(&(n)->rules_version, memory_order_relaxed) == version_) break; \
        }                                                                                 \
        if (attempt_ == ATTEMPTS) found = false;                                          \
    } while (0)

static uint32_t count(const _Atomic uint32_t *n, uint32_t max)
{
    uint32_t value = atomic_load_explicit(n, memory_order_acquire);

    return value < max ? value : max;
}

bool network_link_to(struct network *n, const uint8_t v4[4], uint32_t flags, uint32_t *id)
{
    bool found = false;
    uint32_t i;

    READ_RULES(n, found, {
        for (i = 0; i < count(&n->links_n, NETWORK_LINKS); i++)
            if (!memcmp(n->links[i].addr, v4, 4) && (n->links[i].flags & flags)) {
                found = true;
                *id = n->links[i].id;
            }
    });
    return found;
}

bool network_link_named(struct network *n, const char *name, uint8_t v4[4])
{
    bool found = false;
    uint32_t i;

    READ_RULES(n, found, {
        for (i = 0; i < count(&n->links_n, NETWORK_LINKS); i++)
            if ((n->links[i].flags & LINK_TO) && !strncasecmp(n->links[i].name, name, NETWORK_NAME)) {
                found = true;
                memcpy(v4, n->links[i].addr, 4);
            }
    });
    return found;
}

bool network_link_name(struct network *n, const uint8_t v4[4], char name[NETWORK_NAME])
{
    bool found = false;
    uint32_t i;

    READ_RULES(n, found, {
        for (i = 0; i < count(&n->links_n, NETWORK_LINKS); i++)
            if (!memcmp(n->links[i].addr, v4, 4)) {
                found = true;
                memcpy(name, n->links[i].name, NETWORK_NAME);
            }
    });
    name[NETWORK_NAME - 1] = 0;
    return found;
}

bool network_rule_for(struct network *n, bool stream, bool v6, bool v6_only, uint16_t port, struct network_rule *rule)
{
    bool found = false;
    uint32_t i;

    if (!count(&n->rules_n, NETWORK_RULES)) return false;
    READ_RULES(n, found, {
        for (i = 0; i < count(&n->rules_n, NETWORK_RULES); i++) {
            const struct network_rule *r = &n->rules[i];

            if (r->port != port || !r->stream != !stream || (r->v6 ? !v6 : v6_only)) continue;
            found = true;
            *rule = *r;
        }
    });
    return found;
}

/* ---- ports that are bound elsewhere ---- */

/* all but the state */
static void assign(struct network_port *to, const struct network_port *from)
{
    to->stream = from->stream;
    to->twin = from->twin;
    to->v6 = from->v6;
    to->kind = from->kind;
    to->port = from->port;
    to->real_port = from->real_port;
    to->published = from->published;
    memcpy(to->addr, from->addr, 16);
}

/* a copy of an entry in use that did not change while it was copied */
static bool copy_port(struct network_port *port, struct network_port *copy)
{
    if (atomic_load_explicit(&port->state, memory_order_acquire) != PORT_USED) return false;
    assign(copy, port);
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&port->state, memory_order_relaxed) == PORT_USED;
}

static bool same_port(const struct network_port *a, const struct network_port *b)
{
    return !a->stream == !b->stream && !a->twin == !b->twin && a->port == b->port;
}

static struct network_port *find(struct network *n, const struct network_port *wanted, struct network_port *copy)
{
    uint32_t used = count(&n->ports_n, NETWORK_PORTS), i;

    for (i = 0; i < used; i++)
        if (copy_port(&n->ports[i], copy) && same_port(copy, wanted)) return &n->ports[i];
    return NULL;
}

bool network_port_of(struct network *n, bool stream, bool twin, uint16_t port, struct network_port *copy)
{
    const struct network_port wanted = { .stream = stream, .twin = twin, .port = port };

    return find(n, &wanted, copy) != NULL;
}

static bool is_any(const struct network_port *port)
{
    static const uint8_t any[16];

    return !memcmp(port->addr, any, port->v6 ? 16 : 4);
}

static bool at_address(const struct network_port *port, const struct ws_sockaddr *addr, const uint8_t own[4], bool local)
{
    const uint8_t *v4 = address_v4(addr);

    if (is_any(port)) return local || (v4 && !memcmp(v4, own, 4));
    if (port->v6) return addr->family == WS_AF_INET6 && !memcmp(port->addr, addr->v6.addr, 16);
    return v4 && !memcmp(port->addr, v4, 4);
}

bool network_port_at(struct network *n, bool stream, const struct ws_sockaddr *addr, const uint8_t own[4], bool local,
                     struct network_port *copy)
{
    uint32_t used = count(&n->ports_n, NETWORK_PORTS), i;

    for (i = 0; i < used; i++)
        if (copy_port(&n->ports[i], copy) && !copy->stream == !stream && copy->real_port == addr->port &&
            at_address(copy, addr, own, local))
            return true;
    return false;
}

static void fill(struct network_port *port, const struct network_port *with)
{
    assign(port, with);
    atomic_store_explicit(&port->state, PORT_USED, memory_order_release);
}

bool network_port_reserve(struct network *n, const struct network_port *wanted, struct network_port *copy, bool *fresh)
{
    struct network_port *port = find(n, wanted, copy);
    uint32_t i, state;

    *fresh = false;
    if (port && !copy->published == !wanted->published && (!wanted->published || (copy->real_port == wanted->real_port &&
                                                           !memcmp(copy->addr, wanted->addr, 16)))) {
        port->kind = wanted->kind;
        return true;
    }
    if (port) { /* the rule has changed since */
        state = PORT_USED;
        if (!atomic_compare_exchange_strong(&port->state, &state, PORT_CHANGING)) return false;
        fill(port, wanted);
        *copy = *wanted;
        *fresh = true;
        return true;
    }
    for (i = 0; i < NETWORK_PORTS; i++) {
        uint32_t used;

        state = PORT_FREE;
        if (!atomic_compare_exchange_strong(&n->ports[i].state, &state, PORT_CHANGING)) continue;
        fill(&n->ports[i], wanted);
        used = atomic_load(&n->ports_n);
        while (used <= i && !atomic_compare_exchange_weak(&n->ports_n, &used, i + 1))
            ;
        /* two at once: the first entry counts */
        if (find(n, wanted, copy) != &n->ports[i]) atomic_store(&n->ports[i].state, PORT_FREE);
        else *fresh = true;
        return true;
    }
    return false;
}

void network_port_moved(struct network *n, const struct network_port *port, uint16_t real_port)
{
    struct network_port copy, *entry = find(n, port, &copy);
    uint32_t state = PORT_USED;

    if (!entry || !atomic_compare_exchange_strong(&entry->state, &state, PORT_CHANGING)) return;
    entry->real_port = real_port;
    atomic_store_explicit(&entry->state, PORT_USED, memory_order_release);
}

void network_port_forget(struct network *n, const struct network_port *port)
{
    struct network_port copy, *entry = find(n, port, &copy);

    if (entry) atomic_store(&entry->state, PORT_FREE);
}

void network_port_address(const struct network_port *port, const uint8_t own[4], struct ws_sockaddr *addr)
{
    static const uint8_t loopback6[16] = { [15] = 1 };

    addr->port = port->real_port;
    if (!port->v6) address_set(addr, is_any(port) ? own : port->addr);
    else if (addr->family == WS_AF_INET6) memcpy(addr->v6.addr, is_any(port) ? loopback6 : port->addr, 16);
}

/* ---- how ports were bound ---- */

void network_note_closed(struct network *n, bool stream, uint16_t port)
{
    atomic_store_explicit(&n->bound_as[PLACE_TWIN][stream][ntohs(port)], 0, memory_order_relaxed);
}

enum place address_place(const struct silo_addresses *silo, const struct ws_sockaddr *addr)
{
    enum address_kind kind = address_kind(silo, addr, sizeof(*addr));

    if (address_is_wildcard(kind)) return PLACE_ANY;
    if (kind != ADDRESS_OWN) return PLACES;
    return memcmp(address_v4(addr), silo->own, 4) ? PLACE_TWIN : PLACE_OWN;
}

void network_note_bound(struct network *n, bool stream, enum place place, uint16_t port, enum address_kind kind,
                        unsigned int flags)
{
    unsigned int index = ntohs(port);

    if (place >= PLACES) return;
    if (kind == ADDRESS_OWN) atomic_store_explicit(&n->own_bound, 1, memory_order_relaxed);
    atomic_store_explicit(&n->bound_as[place][stream][index],
                          (uint8_t)(BOUND_KNOWN | (unsigned int)kind | flags), memory_order_relaxed);
    /* an IPv6-only socket: its port is no dual-stack one any more */
    if (place == PLACE_TWIN && (flags & BOUND_V6_ONLY) && (network_bound_as(n, stream, PLACE_OWN, port) & BOUND_KIND) == ADDRESS_ANY6)
        atomic_store_explicit(&n->bound_as[PLACE_OWN][stream][index], 0, memory_order_relaxed);
}

unsigned int network_bound_as(struct network *n, bool stream, enum place place, uint16_t port)
{
    if (place >= PLACES) return 0;
    return atomic_load_explicit(&n->bound_as[place][stream][ntohs(port)], memory_order_relaxed);
}

/* ---- destinations ---- */

/* Does the port that the program knows belong to a dual-stack socket? */
static bool is_dual(const struct reach *r, uint16_t port)
{
    struct network_port elsewhere;
    unsigned int bound;

    if (network_port_of(r->network, r->stream, false, port, &elsewhere)) return elsewhere.kind == ADDRESS_ANY6;
    bound = network_bound_as(r->network, r->stream, PLACE_OWN, port);
    return (bound & (BOUND_KNOWN | BOUND_KIND)) == (BOUND_KNOWN | ADDRESS_ANY6);
}

/* Of two IPv4 sockets at a port, one beside the other, the more special one gets connections to 127.0.0.1. */
static bool is_beside(const struct reach *r, uint16_t port)
{
    unsigned int beside = network_bound_as(r->network, r->stream, PLACE_TWIN, port), first;

    if (!(beside & BOUND_BESIDE)) return false;
    first = network_bound_as(r->network, r->stream, PLACE_OWN, port) & BOUND_KIND;
    switch (beside & BOUND_KIND) {
    case ADDRESS_LOOPBACK:
    case ADDRESS_MAPPED_LOOPBACK: return true;
    case ADDRESS_ANY: return first == ADDRESS_ANY6;
    default: return false;
    }
}

static enum verdict reach_own(const struct reach *r, struct ws_sockaddr *addr, enum address_kind kind)
{
    bool v6 = kind == ADDRESS_LOOPBACK6 || kind == ADDRESS_ANY6;
    bool twin = v6 ? !is_dual(r, addr->port) : kind != ADDRESS_OWN && is_beside(r, addr->port);
    struct network_port elsewhere;

    if (network_port_of(r->network, r->stream, twin, addr->port, &elsewhere) && (!elsewhere.v6 || v6))
        network_port_address(&elsewhere, twin ? r->silo.twin : r->silo.own, addr);
    else if (kind != ADDRESS_OWN) address_set(addr, twin ? r->silo.twin : r->silo.own);
    return v6 ? REACH_TWIN : REACH_OWN;
}

static enum verdict reach_linked(const struct reach *r, struct ws_sockaddr *addr)
{
    struct network_port elsewhere;
    struct network *other;
    uint8_t v4[4];
    uint32_t id;

    memcpy(v4, address_v4(addr), 4);
    if (!network_link_to(r->network, v4, r->answers ? LINK_TO | LINK_FROM : LINK_TO, &id)) return REACH_REFUSED;
    other = r->other(id);
    if (other && network_port_of(other, r->stream, false, addr->port, &elsewhere) && !elsewhere.v6)
        network_port_address(&elsewhere, v4, addr);
    return REACH_LINKED;
}

enum verdict network_reach(const struct reach *r, struct ws_sockaddr *addr, size_t size, bool *explicit)
{
    enum address_kind kind = address_kind(&r->silo, addr, size);

    *explicit = kind == ADDRESS_OWN;
    if (kind == ADDRESS_OTHER) return REACH_UNCHANGED;
    return kind == ADDRESS_FOREIGN ? reach_linked(r, addr) : reach_own(r, addr, kind);
}

/* A port that is bound elsewhere: the program's port and, unless it is the end of a connection from outside, the
 * silo's own address. */
static bool show_port(const struct reach *r, struct ws_sockaddr *a, bool local, enum address_kind *kind)
{
    struct network_port port;

    if (!network_port_at(r->network, r->stream, a, r->silo.own, local, &port)) return false;
    a->port = port.port;
    if (local && *kind == ADDRESS_OTHER) return true;
    if (port.published) address_set(a, port.twin || port.v6 ? r->silo.twin : r->silo.own);
    if (local) *kind = port.kind;
    return true;
}

bool network_show(const struct reach *r, void *addr, size_t size, bool local, unsigned int bound, enum address_kind kind)
{
    struct ws_sockaddr a;
    bool changed = false;

    if (size < 8) return false;
    if ((bound & BOUND_KNOWN) && (bound & BOUND_KIND) == ADDRESS_OWN) kind = ADDRESS_OWN;
    memset(&a, 0, sizeof(a));
    memcpy(&a, addr, size < sizeof(a) ? size : sizeof(a));
    if (atomic_load_explicit(&r->network->ports_n, memory_order_relaxed)) changed = show_port(r, &a, local, &kind);
    if (bound & BOUND_V6_ONLY) changed |= address_show_v6_only(&r->silo, &a, size, kind);
    else changed |= address_show(&r->silo, &a, size, kind);
    if (changed) memcpy(addr, &a, size < sizeof(a) ? size : sizeof(a));
    return changed;
}
