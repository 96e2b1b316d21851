/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a silo may reach, which ports stand for others, and how its ports were bound: a file per silo that its
 * processes map (docs/design/sockets.md). The daemon writes the rules, also while the silo runs
 * (src/winesilo/interposer/network.py has the same offsets); linked silos read the ports. */
#ifndef WINESILO_NETWORK_H
#define WINESILO_NETWORK_H

#include <stdatomic.h>

#include "addresses.h"

#define NETWORK_MAGIC "WSNET\0\0\1"

enum { NETWORK_LINKS = 128, NETWORK_RULES = 64, NETWORK_PORTS = 128, NETWORK_NAME = 64, NETWORK_SIZE = 512 << 10 };

/* of a link: which way */
enum { LINK_TO = 1, LINK_FROM = 2 };

struct network_link {
    uint8_t addr[4];
    uint32_t flags, id;
    char name[NETWORK_NAME];
};

/* a port of the program that is to be bound elsewhere; ports in network order */
struct network_rule {
    uint8_t stream, v6;
    uint16_t port, real_port, pad;
    uint8_t addr[16]; /* IPv4: the first four */
};

/* a port of the program that is bound elsewhere */
struct network_port {
    _Atomic uint32_t state; /* PORT_FREE ... */
    uint8_t stream, twin, v6, kind;
    uint16_t port, real_port;
    uint8_t addr[16];
    uint32_t published;
};
enum { PORT_FREE, PORT_CHANGING, PORT_USED };

/* Whose address a socket is bound to in Linux: the silo's, its twin, the wildcard, none of them. */
enum place { PLACE_OWN, PLACE_TWIN, PLACE_ANY, PLACES };

/* bound_as: an address_kind, and whether the program made the socket IPv6 only ...; 0: nothing is known */
enum {
    BOUND_KIND = 0x0f,
    BOUND_KNOWN = 0x10,
    BOUND_V6_ONLY = 0x20,
    BOUND_EXCLUSIVE = 0x40, /* SO_EXCLUSIVEADDRUSE */
    BOUND_BESIDE = 0x80,    /* at the twin because another one is at the silo's address (hook_socket.c) */
};

struct network {
    char magic[8];
    _Atomic uint32_t rules_version; /* 8: odd while the daemon changes the rules */
    _Atomic uint32_t low_ports;     /* 12: ports below this one need privileges that the host lacks */
    _Atomic uint32_t links_n, rules_n; /* 16, 20 */
    _Atomic uint32_t ports_n;       /* 24: entries of ports that were ever used */
    _Atomic uint32_t own_bound;     /* 28: has any program bound the silo's address itself? */
    uint8_t pad[4096 - 32];
    struct network_link links[NETWORK_LINKS]; /* 4096 */
    uint8_t pad2[16384 - 4096 - NETWORK_LINKS * sizeof(struct network_link)];
    struct network_rule rules[NETWORK_RULES]; /* 16384 */
    uint8_t pad3[4096 - NETWORK_RULES * sizeof(struct network_rule)];
    struct network_port ports[NETWORK_PORTS]; /* 20480 */
    uint8_t pad4[65536 - 20480 - NETWORK_PORTS * sizeof(struct network_port)];
    _Atomic uint8_t bound_as[PLACES][2][65536]; /* 65536: by place, datagram or stream, port */
};

_Static_assert(offsetof(struct network, links) == 4096, "known to the daemon");
_Static_assert(offsetof(struct network, rules) == 16384, "known to the daemon");
_Static_assert(offsetof(struct network, ports) == 20480, "known to the daemon");
_Static_assert(sizeof(struct network_link) == 76 && sizeof(struct network_rule) == 24 && sizeof(struct network_port) == 32,
               "known to the daemon");
_Static_assert(sizeof(struct network) <= NETWORK_SIZE, "fits the file");

/* ---- rules ---- */

bool network_link_to(struct network *n, const uint8_t v4[4], uint32_t flags, uint32_t *id);
/* the address of a linked silo by its name, any case */
bool network_link_named(struct network *n, const char *name, uint8_t v4[4]);
bool network_link_name(struct network *n, const uint8_t v4[4], char name[NETWORK_NAME]);
/* is a socket of this family that is bound to this port to be bound elsewhere? */
bool network_rule_for(struct network *n, bool stream, bool v6, bool v6_only, uint16_t port, struct network_rule *rule);

/* ---- ports that are bound elsewhere ---- */

/* Where the program's port is bound. */
bool network_port_of(struct network *n, bool stream, bool twin, uint16_t port, struct network_port *copy);
/* Which port of the program is bound at an address. A port bound to the wildcard is at the silo's own; local: at any. */
bool network_port_at(struct network *n, bool stream, const struct ws_sockaddr *addr, const uint8_t own[4], bool local,
                     struct network_port *copy);
/* Note where a port is to be bound, unless that is known. False: no room. *fresh says whether this call did it. */
bool network_port_reserve(struct network *n, const struct network_port *wanted, struct network_port *copy, bool *fresh);
void network_port_forget(struct network *n, const struct network_port *port);
void network_port_moved(struct network *n, const struct network_port *port, uint16_t real_port);
/* what stands in *port, as an address of the family of *addr; 0.0.0.0 becomes own */
void network_port_address(const struct network_port *port, const uint8_t own[4], struct ws_sockaddr *addr);

/* ---- how ports were bound ---- */

enum place address_place(const struct silo_addresses *silo, const struct ws_sockaddr *addr);
void network_note_bound(struct network *n, bool stream, enum place place, uint16_t port, enum address_kind kind,
                        unsigned int flags);
void network_note_closed(struct network *n, bool stream, uint16_t port); /* one beside another */
unsigned int network_bound_as(struct network *n, bool stream, enum place place, uint16_t port);

/* ---- destinations ---- */

enum verdict {
    REACH_UNCHANGED, /* not the silo's business */
    REACH_REFUSED,
    REACH_OWN,       /* the silo itself; *addr has been changed, and the sender's address is the silo's */
    REACH_TWIN,      /* the same, the sender's address is the twin */
    REACH_LINKED,    /* a linked silo; *addr may have been changed, the sender's address is the silo's */
};

/* the file of a linked silo, or NULL */
typedef struct network *network_of_fn(uint32_t id);

struct reach {
    struct silo_addresses silo;
    struct network *network;
    network_of_fn *other;
    bool stream, answers; /* answers: a datagram may also go to silos that link to this one */
};

/* Where *addr leads. explicit is set if the program named the silo's own address. */
enum verdict network_reach(const struct reach *r, struct ws_sockaddr *addr, size_t size, bool *explicit);

/* What the program sees of an address: of its own socket if local, else of a peer. bound is network_bound_as
 * of the socket. kind: what to show for the silo's own address; ADDRESS_OTHER for the ends of a connection.
 * Says whether it changed. */
bool network_show(const struct reach *r, void *addr, size_t size, bool local, unsigned int bound, enum address_kind kind);

/* ---- this process' silo ---- */

extern struct network *network; /* NULL: this is no silo */
/* socket_unix.c: */
struct reach network_here(bool stream);
void note_destination(enum verdict verdict, bool stream, const struct ws_sockaddr *addr); /* for the record */
/* AcceptEx writes two addresses when it completes: note where */
void accept_note(void *out, uint32_t size, uint32_t recv_size, uint32_t local_size);

#endif
