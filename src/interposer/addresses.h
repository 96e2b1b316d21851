/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pure helpers on Windows socket addresses: which become the silo's own, and what the silo sees instead.
 *
 * A silo has an IPv4 loopback address (127.x.y.z). Its wildcard and 127.0.0.1 become that one. For IPv6,
 * where Linux has a single loopback address, it has stand-ins, IPv4-mapped: dual-stack sockets use the
 * address itself (::ffff:127.x.y.z), IPv6-only ones its twin, so that both can have the same port. */
#ifndef WINESILO_ADDRESSES_H
#define WINESILO_ADDRESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WS_AF_INET = 2, WS_AF_INET6 = 23 };

/* SOCKADDR_IN and SOCKADDR_IN6 as Windows has them (ws2def.h, ws2ipdef.h) */
struct ws_sockaddr {
    uint16_t family;
    uint16_t port; /* network order */
    union {
        struct {
            uint8_t addr[4];
            uint8_t zero[8];
        } v4;
        struct {
            uint32_t flowinfo;
            uint8_t addr[16];
            uint32_t scope;
        } v6;
    };
};

/* what an address a program gives means */
enum address_kind {
    ADDRESS_OTHER,    /* another machine's, or one of this machine's that is not loopback */
    ADDRESS_ANY,      /* 0.0.0.0 */
    ADDRESS_LOOPBACK, /* 127.0.0.1 */
    ADDRESS_OWN,      /* the silo's own */
    ADDRESS_FOREIGN,  /* any other loopback address: other silos' and the host's */
    ADDRESS_ANY6,     /* :: */
    ADDRESS_LOOPBACK6, /* ::1 */
    ADDRESS_MAPPED_ANY, /* ::ffff:0.0.0.0 */
    ADDRESS_MAPPED_LOOPBACK, /* ::ffff:127.0.0.1 */
    ADDRESS_ALIAS, /* what Wine's gethostbyname says where the machine's name leads to a loopback address */
};

struct silo_addresses {
    const uint8_t *own, *twin; /* 4 bytes each */
};

enum address_kind address_kind(const struct silo_addresses *silo, const void *addr, size_t size);
bool address_is_wildcard(enum address_kind kind);
/* Linux' sockaddr and back: only the numbers of the families differ. False: neither IPv4 nor IPv6. */
bool address_from_unix(struct ws_sockaddr *addr, const void *unix_addr, size_t size);
void address_to_unix(void *unix_addr, const struct ws_sockaddr *addr);
size_t address_size(const struct ws_sockaddr *addr);
/* write an address into *addr, whose family stays: for IPv6 the IPv4-mapped form */
void address_set(struct ws_sockaddr *addr, const uint8_t v4[4]);
bool address_is_mapped(const struct ws_sockaddr *addr); /* IPv4 in IPv6 */
/* the 4 bytes of an IPv4 address, also of a mapped one; NULL: it is neither */
const uint8_t *address_v4(const struct ws_sockaddr *addr);

/* What the silo sees in place of its own address: loopback, or the wildcard if the socket was bound to that.
 * A program that bound the silo's own address (ADDRESS_OWN) knows it and sees it. Changes *addr if it is the
 * silo's own, or its twin, and says whether it did. */
bool address_show(const struct silo_addresses *silo, void *addr, size_t size, enum address_kind bound);

/* The same for a socket that the program made IPv6 only: it knows no IPv4-mapped loopback. */
bool address_show_v6_only(const struct silo_addresses *silo, void *addr, size_t size, enum address_kind bound);

#endif
