/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What ntdll.so's sockets ask of the C library, in this process: the places where addresses pass at the moment
 * that an operation is done, also one that was pending. No hooked system call sees that moment, and programs
 * look at the results without any (HasOverlappedIoCompleted). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "network.h"
#include "silo.h"
#include "socket.h"

#define EXPORT __attribute__((visibility("default")))
#define NEXT(name)                   \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

/* ---- the files of linked silos ---- */

static struct {
    _Atomic uint32_t id;
    struct network *_Atomic map;
} others[NETWORK_LINKS];

static struct network *map_other(uint32_t id)
{
    const char *slash = strrchr(config.network_path, '/');
    char path[sizeof(config.network_path) + 12];
    void *map = MAP_FAILED;
    struct stat st;
    int fd;

    if (!slash) return NULL;
    snprintf(path, sizeof(path), "%.*s/%u", (int)(slash - config.network_path), config.network_path, id);
    if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0) return NULL;
    if (!fstat(fd, &st) && st.st_size >= NETWORK_SIZE) map = mmap(NULL, NETWORK_SIZE, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    return map == MAP_FAILED ? NULL : map;
}

static struct network *network_of(uint32_t id)
{
    struct network *map;
    unsigned int i;

    for (i = 0; i < NETWORK_LINKS; i++) {
        uint32_t expected = 0;

        if (atomic_load(&others[i].id) == id && (map = atomic_load(&others[i].map))) return map;
        if (atomic_load(&others[i].id)) continue;
        if (!(map = map_other(id))) return NULL;
        if (atomic_compare_exchange_strong(&others[i].id, &expected, id)) {
            atomic_store(&others[i].map, map);
            return map;
        }
        munmap(map, NETWORK_SIZE);
        if (expected == id) i--; /* another thread does the same */
    }
    return NULL;
}

struct reach network_here(bool stream)
{
    return (struct reach){ { config.address, config.twin }, network, network_of, stream, false };
}

/* Ports that are given to clients, by Linux or Windows, from this one on: noted as one, or the record would fill up. */
enum { FIRST_CLIENT_PORT = 32768 };

void note_destination(enum verdict verdict, bool stream, const struct ws_sockaddr *addr)
{
    static const enum audit_rule rules[] = {
        [REACH_UNCHANGED] = RULE_CONNECT_OUT, [REACH_REFUSED] = RULE_CONNECT_FOREIGN, [REACH_OWN] = RULE_CONNECT_OWN,
        [REACH_TWIN] = RULE_CONNECT_OWN, [REACH_LINKED] = RULE_CONNECT_LINKED,
    };

    struct ws_sockaddr noted = *addr;

    if (addr->family != WS_AF_INET && addr->family != WS_AF_INET6) return;
    if (ntohs(addr->port) >= FIRST_CLIENT_PORT) {
        noted.port = 0;
        /* a server answers any number of others */
        if (verdict == REACH_UNCHANGED && !stream) noted = (struct ws_sockaddr){ .family = addr->family };
    }
    note_address(AUDIT_CONNECT, rules[verdict], stream, &noted);
}

/* ---- datagrams ---- */

union name {
    struct sockaddr generic;
    struct sockaddr_in6 in6;
};

/* The socket's own address; false: it has none. */
static bool own_address(int fd, struct ws_sockaddr *addr)
{
    union name name;
    socklen_t size = sizeof(name);

    return !getsockname(fd, &name.generic, &size) && address_from_unix(addr, &name, size);
}

static unsigned int bound_as(const struct reach *r, const struct ws_sockaddr *local)
{
    enum place place = address_place(&r->silo, local);
    unsigned int bound = network_bound_as(network, r->stream, place, local->port);

    return place == PLACE_TWIN ? bound | BOUND_V6_ONLY : bound; /* the stand-in for ::1 knows no IPv4 */
}

/* The stand-ins of IPv6 are IPv4 for Linux, and so is what it tells of a datagram. */
static void show_as_v6(struct cmsghdr *c)
{
    int value = 0;

    if (c->cmsg_type == IP_TTL) memcpy(&value, CMSG_DATA(c), sizeof(value));
    else if (c->cmsg_type == IP_TOS) value = *(const uint8_t *)CMSG_DATA(c);
    else return;
    c->cmsg_type = c->cmsg_type == IP_TTL ? IPV6_HOPLIMIT : IPV6_TCLASS;
    c->cmsg_level = IPPROTO_IPV6;
    c->cmsg_len = CMSG_LEN(sizeof(value)); /* there is room: data is aligned to 8 bytes */
    memcpy(CMSG_DATA(c), &value, sizeof(value));
}

/* the address at which a datagram arrived */
static void show_arrival(const struct reach *r, struct msghdr *m, unsigned int bound, bool v6)
{
    struct cmsghdr *c;

    for (c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        struct ws_sockaddr addr = { 0 };

        if (v6 && c->cmsg_level == IPPROTO_IP) show_as_v6(c);
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo *info = (struct in_pktinfo *)CMSG_DATA(c);

            addr.family = WS_AF_INET;
            memcpy(addr.v4.addr, &info->ipi_addr, 4);
            if (network_show(r, &addr, sizeof(addr), true, bound, ADDRESS_OTHER)) memcpy(&info->ipi_addr, addr.v4.addr, 4);
        }
        else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo *info = (struct in6_pktinfo *)CMSG_DATA(c);

            addr.family = WS_AF_INET6;
            memcpy(addr.v6.addr, &info->ipi6_addr, 16);
            if (network_show(r, &addr, sizeof(addr), true, bound, ADDRESS_OTHER)) memcpy(&info->ipi6_addr, addr.v6.addr, 16);
        }
    }
}

/* Wine gets its file descriptors from the wineserver in such messages. */
static bool passes_files(struct msghdr *m)
{
    const struct cmsghdr *c = CMSG_FIRSTHDR(m);

    return c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS;
}

static void show_sender(int fd, struct msghdr *m)
{
    struct reach r = network_here(false);
    struct ws_sockaddr from, local;
    bool named = m->msg_name && address_from_unix(&from, m->msg_name, m->msg_namelen);
    unsigned int bound;

    if (!named && (!m->msg_controllen || passes_files(m))) return;
    if (!own_address(fd, &local)) return;
    bound = bound_as(&r, &local);
    if (named && network_show(&r, &from, address_size(&from), false, bound, ADDRESS_OTHER)) address_to_unix(m->msg_name, &from);
    show_arrival(&r, m, bound, local.family == WS_AF_INET6);
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
    ssize_t got;
    int error;
    NEXT(recvmsg);

    got = real(fd, m, flags);
    if (got < 0 || !network || (!m->msg_namelen && !m->msg_controllen)) return got;
    error = errno;
    show_sender(fd, m);
    errno = error;
    return got;
}

/* Room for one control message with a sender's address. */
union source_control {
    struct cmsghdr header;
    uint8_t bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
};

/* Send from this address: the silo's, or with 0.0.0.0 one that Linux finds for the destination. */
static void set_source(struct msghdr *m, union source_control *control, const uint8_t v4[4])
{
    struct in_pktinfo info = { 0 };

    if (m->msg_controllen) return;
    memcpy(&info.ipi_spec_dst, v4, 4);
    memset(control, 0, sizeof(*control));
    control->header.cmsg_level = IPPROTO_IP;
    control->header.cmsg_type = IP_PKTINFO;
    control->header.cmsg_len = CMSG_LEN(sizeof(info));
    memcpy(CMSG_DATA(&control->header), &info, sizeof(info));
    m->msg_control = control;
    m->msg_controllen = sizeof(*control);
}

static bool is_udp(int fd)
{
    int protocol = 0;
    socklen_t size = sizeof(protocol);

    return !getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) && protocol == IPPROTO_UDP;
}

/* What a program sends to its own addresses, and what it sends to others from a port of the silo's address, which
 * only leads to this machine. False: no silo may send there. */
static bool redirect_datagram(int fd, struct msghdr *m, union name *name, union source_control *control)
{
    static const uint8_t any[4] = { 0, 0, 0, 0 };
    struct reach r = network_here(false);
    struct ws_sockaddr to, local, asked;
    enum verdict verdict;
    enum place place;
    bool explicit;

    if (!address_from_unix(&to, m->msg_name, m->msg_namelen)) return true;
    r.answers = true;
    asked = to;
    verdict = network_reach(&r, &to, address_size(&to), &explicit);
    note_destination(verdict, false, &asked);
    if (verdict == REACH_REFUSED) return false;
    if (verdict != REACH_UNCHANGED && !is_udp(fd)) return true; /* echo requests: any loopback address answers */
    if (!own_address(fd, &local)) return true;
    place = address_place(&r.silo, &local);
    if (verdict == REACH_UNCHANGED) {
        unsigned int bound = bound_as(&r, &local);

        if ((place == PLACE_OWN || place == PLACE_TWIN) && address_v4(&to) && address_is_wildcard(bound & BOUND_KIND))
            set_source(m, control, any);
        return true;
    }
    if (place == PLACE_ANY && address_v4(&to)) {
        set_source(m, control, verdict == REACH_TWIN ? config.twin : config.address);
        if (explicit) network_note_bound(network, false, place, local.port, ADDRESS_OWN, 0);
    }
    address_to_unix(name, &to);
    m->msg_name = name;
    m->msg_namelen = to.family == WS_AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    return true;
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
    union source_control control;
    union name name;
    struct msghdr own;
    NEXT(sendmsg);

    if (!network || !m->msg_name) return real(fd, m, flags);
    own = *m;
    if (!redirect_datagram(fd, &own, &name, &control)) {
        TRACE("sendto", "refused", ((struct span){ NULL, 0 }));
        errno = ECONNREFUSED;
        return -1;
    }
    if (own.msg_name == &name) TRACE("sendto", "socket", ((struct span){ NULL, 0 }));
    return real(fd, &own, flags);
}

/* ---- AcceptEx ----
 *
 * Its data and two addresses come from the wineserver in one piece when the operation completes, read straight into
 * the program's buffer by one of its threads, before anything tells the program. Pending ones stand in sets by
 * buffer; a full set forgets its oldest. What an operation that was cancelled leaves behind is only used if a reply
 * of that size comes to that buffer with the silo's address in those places. */

enum { ACCEPT_SETS = 256, ACCEPT_WAYS = 8 };

struct accept {
    uint32_t size, recv_size, local_size;
};

static struct accept_set {
    _Atomic uintptr_t out[ACCEPT_WAYS];
    struct accept accept[ACCEPT_WAYS];
    _Atomic unsigned int next;
} accept_sets[ACCEPT_SETS];
/* A bit for each size that was noted, so that nearly no other read looks for its buffer; all of them once a reply came
 * in pieces. */
static _Atomic uint64_t accept_sizes;

/* a reply that comes in several pieces */
static __thread struct {
    uint8_t *out, *next;
    struct accept accept;
} accept_part;

static uint64_t accept_size_bit(size_t size)
{
    return UINT64_C(1) << size % 64;
}

static struct accept_set *accept_set_of(uintptr_t out)
{
    return &accept_sets[(out >> 4 ^ out >> 12) % ACCEPT_SETS];
}

void accept_note(void *out, uint32_t size, uint32_t recv_size, uint32_t local_size)
{
    struct accept_set *set = accept_set_of((uintptr_t)out);
    unsigned int way;

    if ((uint64_t)recv_size + local_size > size) return;
    for (way = 0; way < ACCEPT_WAYS; way++)
        if (atomic_load(&set->out[way]) == (uintptr_t)out) break;
    for (; way == ACCEPT_WAYS;) {
        for (way = 0; way < ACCEPT_WAYS; way++)
            if (!atomic_load(&set->out[way])) break;
        if (way == ACCEPT_WAYS) way = atomic_fetch_add(&set->next, 1) % ACCEPT_WAYS;
    }
    set->accept[way] = (struct accept){ size, recv_size, local_size };
    atomic_store(&set->out[way], (uintptr_t)out);
    atomic_fetch_or(&accept_sizes, accept_size_bit(size));
}

/* {int length, address}, length bytes of it there; the silo's own is shown as the program knows it */
static void show_accepted(uint8_t *at, uint32_t room, bool local, unsigned int bound)
{
    struct reach r = network_here(true);
    int32_t length;

    if (room < sizeof(length)) return;
    memcpy(&length, at, sizeof(length));
    if ((length != 16 && length != 28) || (uint32_t)length > room - sizeof(length)) return;
    network_show(&r, at + sizeof(length), (size_t)length, local, bound, ADDRESS_OTHER);
}

static void show_accept(uint8_t *out, const struct accept *accept)
{
    uint8_t *local = out + accept->recv_size, *remote = local + accept->local_size;
    struct reach r = network_here(true);
    struct ws_sockaddr addr;
    unsigned int bound = 0;

    if (accept->local_size >= 4 + 16) {
        memset(&addr, 0, sizeof(addr));
        memcpy(&addr, local + 4, accept->local_size - 4 < sizeof(addr) ? accept->local_size - 4 : sizeof(addr));
        bound = bound_as(&r, &addr);
    }
    show_accepted(local, accept->local_size, true, bound);
    show_accepted(remote, accept->size - accept->recv_size - accept->local_size, false, bound);
}

static void accept_read(uint8_t *buffer, size_t wanted, size_t got)
{
    struct accept_set *set = accept_set_of((uintptr_t)buffer);
    unsigned int way;

    if (accept_part.next && buffer == accept_part.next) {
        accept_part.next += got;
        if (accept_part.next < accept_part.out + accept_part.accept.size) return;
        accept_part.next = NULL;
        show_accept(accept_part.out, &accept_part.accept);
        return;
    }
    for (way = 0; way < ACCEPT_WAYS; way++) {
        struct accept accept;
        uintptr_t out = (uintptr_t)buffer;

        if (atomic_load_explicit(&set->out[way], memory_order_acquire) != out) continue;
        accept = set->accept[way];
        if (accept.size != wanted || !atomic_compare_exchange_strong(&set->out[way], &out, 0)) continue;
        if (got == wanted) show_accept(buffer, &accept);
        else {
            accept_part.out = buffer;
            accept_part.next = buffer + got;
            accept_part.accept = accept;
            atomic_store(&accept_sizes, UINT64_MAX);
        }
        return;
    }
}

EXPORT ssize_t read(int fd, void *buffer, size_t size)
{
    ssize_t got;
    NEXT(read);

    got = real(fd, buffer, size);
    if (__builtin_expect(atomic_load_explicit(&accept_sizes, memory_order_relaxed) & accept_size_bit(size), 0) && got > 0)
        accept_read(buffer, size, (size_t)got);
    return got;
}
