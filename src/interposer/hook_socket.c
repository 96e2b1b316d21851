/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Ioctls. Sockets are files of \Device\Afd; Winsock's calls are ioctls on them. Wildcard and loopback addresses of
 * a silo become its own (network.h), and names read back show what the program expects. What passes when data does,
 * the addresses of datagrams and AcceptEx' results, is socket_unix.c's.
 *
 * A TCP socket bound to the wildcard with port 0 is bound late: a client (ConnectEx wants a bound socket)
 * must not be tied to a loopback address if it then connects to another machine, a server must. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "network.h"
#include "nsi.h"
#include "silo.h"

/* AFD ioctl codes of Wine 8 to 10 */
enum {
    AFD_BIND = 0x12003,
    AFD_LISTEN = 0x1200b,
    AFD_GETSOCKNAME = 0x1202f,
    AFD_ACCEPT = 0x120324,
    AFD_ACCEPT_INTO = 0x120328,
    AFD_CONNECT = 0x12032c,
    AFD_RECVMSG = 0x120334,
    AFD_SENDMSG = 0x120338,
    AFD_GETPEERNAME = 0x120360,
    AFD_SET_IP_ADD_MEMBERSHIP = 0x1203bc,
    AFD_SET_IP_DROP_MEMBERSHIP = 0x1203d0,
    AFD_SET_IP_MULTICAST_IF = 0x1203e4,
    AFD_GET_IPV6_V6ONLY = 0x12045c,
    AFD_SET_IPV6_RECVHOPLIMIT = 0x12047c,
    AFD_SET_IPV6_RECVTCLASS = 0x12048c,
    AFD_GET_SO_EXCLUSIVEADDRUSE = 0x1204a4,
};

#define STATUS_SHARING_VIOLATION STATUS(0xc0000043)
#define STATUS_INVALID_ADDRESS_COMPONENT STATUS(0xc0000207)
#define STATUS_ADDRESS_ALREADY_EXISTS STATUS(0xc000020a)
#define STATUS_CONNECTION_REFUSED STATUS(0xc0000236)
#define STATUS_ADDRESS_ALREADY_ASSOCIATED STATUS(0xc0000238)

/* AFD's codes are of the form 0x12xxx or 0x12xxxx */
static inline bool is_afd(ULONG code)
{
    return code >> 12 == 0x12 || code >> 16 == 0x12;
}

/* of a socket's slot: state is the address_kind it was bound to */
enum {
    SOCKET_BIND_PENDING = 1,
    SOCKET_CONNECTED = 2,
    SOCKET_V6_ONLY = 4, /* the program made it IPv6 only; for Linux it is not, or it could not use the stand-ins */
    SOCKET_DATAGRAM = 8,
    SOCKET_BESIDE = 16, /* see bind_beside; slot->extra is the port */
};

struct bind_params {
    int32_t unknown;
    struct ws_sockaddr addr;
};

struct connect_params {
    int32_t addr_len, synchronous;
    /* the address, then data to send */
};

struct accept_into_params {
    ULONG handle, recv_len, local_len;
};

struct sendmsg_params {
    uint64_t addr;
    uint32_t addr_len;
    uint8_t rest[20];
};

struct ioctl {
    HANDLE handle, event;
    PIO_APC_ROUTINE apc;
    void *apc_context;
    IO_STATUS_BLOCK *io;
    ULONG code;
    void *in;
    ULONG in_size;
    void *out;
    ULONG out_size;
};

static NTSTATUS pass(const struct ioctl *c, void *in, ULONG in_size)
{
    return real_NtDeviceIoControlFile(c->handle, c->event, c->apc, c->apc_context, c->io, c->code, in, in_size, c->out,
                                      c->out_size);
}

static const struct span no_name = { NULL, 0 };

/* ---- the Unix socket behind a handle ---- */

static int unix_socket(HANDLE handle)
{
    int fd;

    return real_wine_server_handle_to_fd(handle, 0, &fd, NULL) ? -1 : fd;
}

struct socket_facts {
    bool stream, v6_only, connected, udp;
};

static int int_option(int fd, int level, int option)
{
    int value = 0;
    socklen_t size = sizeof(value);

    return getsockopt(fd, level, option, &value, &size) ? 0 : value;
}

/* With mapped set an IPv6 socket is also allowed IPv4-mapped addresses, which the stand-ins are; v6_only then says
 * what it was the first time. */
static struct socket_facts look_at(HANDLE handle, bool mapped)
{
    struct socket_facts facts = { .stream = true };
    int fd = unix_socket(handle), no = 0;
    struct sockaddr_storage peer;
    socklen_t size = sizeof(peer);

    if (fd < 0) return facts;
    facts.stream = int_option(fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM;
    facts.udp = !facts.stream && int_option(fd, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_UDP;
    if (mapped && int_option(fd, IPPROTO_IPV6, IPV6_V6ONLY)) {
        facts.v6_only = true;
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
    }
    facts.connected = !getpeername(fd, (struct sockaddr *)&peer, &size);
    close(fd);
    return facts;
}

static void make_v6_only(HANDLE handle)
{
    int fd = unix_socket(handle), yes = 1;

    if (fd < 0) return;
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes));
    close(fd);
}

/* ---- what is known of a socket ---- */

static struct slot *socket_slot(HANDLE handle)
{
    struct slot *slot = slot_of(handle);

    return slot && atomic_load_explicit(&slot->kind, memory_order_acquire) == SLOT_SOCKET ? slot : NULL;
}

static bool bind_is_pending(HANDLE handle)
{
    const struct slot *slot = socket_slot(handle);

    return slot && (slot->flags & SOCKET_BIND_PENDING);
}

static void note_socket(HANDLE handle, enum address_kind kind, unsigned int flags)
{
    struct slot *slot;

    slot_set(handle, SLOT_SOCKET, kind, 0);
    if ((slot = slot_of(handle))) slot->flags = (uint16_t)flags;
}

static unsigned int flags_of(const struct socket_facts *facts)
{
    return (facts->v6_only ? SOCKET_V6_ONLY : 0) | (facts->stream ? 0 : SOCKET_DATAGRAM);
}

/* A socket was bound; addr is what Linux says. For this process, and for others that inherit the socket. */
static void note_bound(HANDLE handle, const struct socket_facts *facts, const struct ws_sockaddr *addr, enum address_kind kind,
                       unsigned int more)
{
    struct reach here = network_here(facts->stream);

    note_socket(handle, kind, flags_of(facts));
    network_note_bound(network, facts->stream, address_place(&here.silo, addr), addr->port, kind,
                       (facts->v6_only ? BOUND_V6_ONLY : 0) | more);
}

static bool is_bound(HANDLE handle)
{
    struct ws_sockaddr name;
    IO_STATUS_BLOCK io;

    return !real_NtDeviceIoControlFile(handle, NULL, NULL, NULL, &io, AFD_GETSOCKNAME, NULL, 0, &name, sizeof(name));
}

static const struct {
    int error;
    NTSTATUS status;
} bind_errors[] = {
    { EADDRINUSE, STATUS_SHARING_VIOLATION }, { EACCES, STATUS_ACCESS_DENIED },
    { EADDRNOTAVAIL, STATUS_INVALID_ADDRESS_COMPONENT }, { ENOBUFS, STATUS_NO_MEMORY },
};

/* Wine 8's server binds an IPv4 datagram socket to the wildcard when the address is that of no interface. So it is
 * bound here, and the server is told by a send: for one on a socket that it takes for unbound it binds it, fails
 * because the socket is bound, and asks for its address. */
static NTSTATUS bind_here(HANDLE handle, const struct ws_sockaddr *addr, struct ws_sockaddr *bound)
{
    struct sendmsg_params params = { 0 };
    struct sockaddr_storage name = { 0 };
    socklen_t size = sizeof(name);
    IO_STATUS_BLOCK io;
    int fd, result, error;
    size_t i;

    if (is_bound(handle)) return STATUS_ADDRESS_ALREADY_ASSOCIATED;
    if ((fd = unix_socket(handle)) < 0) return STATUS_INVALID_HANDLE;
    address_to_unix(&name, addr);
    result = bind(fd, (struct sockaddr *)&name, sizeof(struct sockaddr_in));
    error = errno;
    if (!result) getsockname(fd, (struct sockaddr *)&name, &size);
    close(fd);
    if (!result) {
        address_from_unix(bound, &name, sizeof(struct sockaddr_in));
        real_NtDeviceIoControlFile(handle, NULL, NULL, NULL, &io, AFD_SENDMSG, &params, sizeof(params), NULL, 0);
        return STATUS_SUCCESS;
    }
    for (i = 0; i < sizeof(bind_errors) / sizeof(bind_errors[0]); i++)
        if (bind_errors[i].error == error) return bind_errors[i].status;
    return STATUS_INVALID_PARAMETER;
}

static bool binds_here(const struct socket_facts *facts, const struct ws_sockaddr *addr)
{
    return facts->udp && addr->family == WS_AF_INET;
}

/* Bind without the program's doing: what it is to see is the wildcard, or the silo's own address. */
static NTSTATUS bind_quietly(HANDLE handle, const struct socket_facts *facts, uint16_t family, const uint8_t *v4,
                             enum address_kind kind)
{
    struct bind_params params = { 0 };
    struct ws_sockaddr bound = { 0 };
    IO_STATUS_BLOCK io;
    NTSTATUS status;

    params.addr.family = family;
    if (v4) address_set(&params.addr, v4);
    if (binds_here(facts, &params.addr)) status = bind_here(handle, &params.addr, &bound);
    else
        status = real_NtDeviceIoControlFile(handle, NULL, NULL, NULL, &io, AFD_BIND, &params,
                                            (ULONG)(4 + address_size(&params.addr)), &bound,
                                            (ULONG)address_size(&params.addr));
    if (!status) note_bound(handle, facts, &bound, kind, 0);
    return status;
}

static NTSTATUS bind_late(HANDLE handle, bool to_silo)
{
    const struct slot *slot = slot_of(handle);
    const struct socket_facts facts = { .stream = true, .v6_only = slot->flags & SOCKET_V6_ONLY };
    enum address_kind kind = atomic_load(&slot->state);
    const uint8_t *v4 = facts.v6_only ? config.twin : config.address;

    return bind_quietly(handle, &facts, kind == ADDRESS_ANY ? WS_AF_INET : WS_AF_INET6, to_silo ? v4 : NULL, kind);
}

/* ---- binding ---- */

struct binding {
    struct bind_params params;
    ULONG in_size;
    enum address_kind kind;
    struct socket_facts facts;
    bool twin, exclusive, beside;
};

/* Is the port to be bound elsewhere: published, or out of reach of a host without privileges? */
static bool goes_elsewhere(const struct binding *b, struct network_port *port)
{
    enum { LOW_PORT_STEP = 10000 };
    unsigned int number = ntohs(b->params.addr.port);
    struct network_rule rule;

    *port = (struct network_port){ .stream = b->facts.stream, .twin = b->twin, .kind = (uint8_t)b->kind,
                                   .port = b->params.addr.port };
    if (network_rule_for(network, b->facts.stream, b->params.addr.family == WS_AF_INET6, b->facts.v6_only, port->port, &rule)) {
        port->published = 1;
        port->v6 = rule.v6;
        port->real_port = rule.real_port;
        memcpy(port->addr, rule.addr, 16);
        return true;
    }
    if (!number || number >= atomic_load_explicit(&network->low_ports, memory_order_relaxed)) return false;
    memcpy(port->addr, b->twin ? config.twin : config.address, 4);
    port->real_port = htons((uint16_t)(number + LOW_PORT_STEP));
    return true;
}

static NTSTATUS bind_at(const struct ioctl *c, struct binding *b)
{
    struct ws_sockaddr bound;
    NTSTATUS status;

    if (!binds_here(&b->facts, &b->params.addr) || !c->out || c->out_size < 16) return pass(c, &b->params, b->in_size);
    if ((status = bind_here(c->handle, &b->params.addr, &bound))) return status;
    memcpy(c->out, &bound, 16);
    c->io->Status = STATUS_SUCCESS;
    c->io->Information = 16;
    return status;
}

static bool is_taken(NTSTATUS status)
{
    return status == STATUS_SHARING_VIOLATION || status == STATUS_ADDRESS_ALREADY_EXISTS || status == STATUS_ACCESS_DENIED;
}

static NTSTATUS bind_elsewhere(const struct ioctl *c, struct binding *b, const struct network_port *wanted)
{
    struct ws_sockaddr *addr = &b->params.addr;
    struct network_port port;
    NTSTATUS status;
    bool fresh;

    if (!network_port_reserve(network, wanted, &port, &fresh)) return STATUS_NO_MEMORY;
    TRACE("bind", port.published ? "published" : "low port", no_name);
    addr->port = port.real_port;
    if (port.v6) memcpy(addr->v6.addr, port.addr, 16);
    else address_set(addr, port.addr);
    if (port.v6 && b->facts.v6_only) make_v6_only(c->handle);
    status = bind_at(c, b);
    if (fresh && !port.published && is_taken(status)) {
        addr->port = 0; /* any that is free */
        status = bind_at(c, b);
        if (!status) network_port_moved(network, &port, ((struct ws_sockaddr *)c->out)->port);
    }
    if (fresh && !NT_SUCCESS(status)) network_port_forget(network, &port);
    return status;
}

static bool is_exclusive(HANDLE handle)
{
    int32_t value = 0;
    IO_STATUS_BLOCK io;

    return !real_NtDeviceIoControlFile(handle, NULL, NULL, NULL, &io, AFD_GET_SO_EXCLUSIVEADDRUSE, NULL, 0, &value,
                                       sizeof(value)) && value;
}

static bool is_v4_kind(enum address_kind kind)
{
    return kind == ADDRESS_ANY || kind == ADDRESS_LOOPBACK || kind == ADDRESS_MAPPED_ANY || kind == ADDRESS_MAPPED_LOOPBACK;
}

/* The wildcard and 127.0.0.1 are two addresses, and so are 0.0.0.0 and a dual-stack ::, that a program may bind to one
 * port; here they are the same. The second one is put at the twin, as the rules of the server for those that exclude
 * others allow it. */
static NTSTATUS bind_beside(const struct ioctl *c, struct binding *b)
{
    unsigned int first = network_bound_as(network, true, PLACE_OWN, b->params.addr.port);
    enum address_kind kind = first & BOUND_KIND;
    bool any = address_is_wildcard(kind), same = any == address_is_wildcard(b->kind);

    if (!(first & BOUND_KNOWN) || kind == ADDRESS_OWN || b->kind == ADDRESS_OWN) return STATUS_SHARING_VIOLATION;
    if (same && (!any || is_v4_kind(kind) == is_v4_kind(b->kind))) return STATUS_SHARING_VIOLATION;
    if (any && (first & BOUND_EXCLUSIVE)) return STATUS_ACCESS_DENIED;
    if (!any && b->exclusive) return STATUS_SHARING_VIOLATION;
    TRACE("bind", "beside", no_name);
    address_set(&b->params.addr, config.twin);
    b->beside = true;
    return pass(c, &b->params, b->in_size);
}

static void note_bind(const struct ioctl *c, const struct binding *b, const struct ws_sockaddr *bound)
{
    struct slot *slot;

    note_bound(c->handle, &b->facts, bound, b->kind, (b->exclusive ? BOUND_EXCLUSIVE : 0) | (b->beside ? BOUND_BESIDE : 0));
    if (!b->beside || !(slot = socket_slot(c->handle))) return;
    slot->flags |= SOCKET_BESIDE;
    slot->extra = bound->port;
}

static NTSTATUS do_bind_now(const struct ioctl *c, struct binding *b)
{
    struct network_port elsewhere;
    struct reach here = network_here(b->facts.stream);
    NTSTATUS status;

    if (goes_elsewhere(b, &elsewhere)) status = bind_elsewhere(c, b, &elsewhere);
    else {
        TRACE("bind", "socket", no_name);
        if (b->kind != ADDRESS_OWN) address_set(&b->params.addr, b->twin ? config.twin : config.address);
        b->exclusive = b->facts.stream && address_is_wildcard(b->kind) && is_exclusive(c->handle);
        status = bind_at(c, b);
        if (status == STATUS_SHARING_VIOLATION && b->facts.stream && !b->twin) status = bind_beside(c, b);
    }
    if (status == STATUS_SUCCESS && c->out && c->out_size >= 16) {
        struct ws_sockaddr bound = { 0 };
        size_t size = c->out_size < sizeof(bound) ? c->out_size : sizeof(bound);

        memcpy(&bound, c->out, size);
        note_bind(c, b, &bound);
        network_show(&here, c->out, c->out_size, true, BOUND_KNOWN | b->kind, b->kind);
    }
    return status;
}

/* Bound to the wildcard, the port chosen by Linux: a client in all likelihood. A stream is bound when it is clear to
 * whom it connects; a datagram socket, which can send anywhere, stays on the wildcard. */
static NTSTATUS do_bind_any(const struct ioctl *c, struct binding *b)
{
    size_t size = address_size(&b->params.addr);
    struct ws_sockaddr bound = { 0 };
    NTSTATUS status;

    if (b->facts.stream && slot_make(c->handle) && !c->apc) {
        /* a second bind is an error that the real call reports */
        if (is_bound(c->handle)) return pass(c, c->in, c->in_size);
        note_socket(c->handle, b->kind, flags_of(&b->facts) | SOCKET_BIND_PENDING);
        memcpy(c->out, &b->params.addr, size);
        c->io->Status = STATUS_SUCCESS;
        c->io->Information = size;
        return STATUS_SUCCESS;
    }
    status = pass(c, c->in, c->in_size);
    if (status) return status;
    memcpy(&bound, c->out, size);
    note_bound(c->handle, &b->facts, &bound, b->kind, 0);
    return status;
}

static NTSTATUS do_bind(const struct ioctl *c)
{
    struct reach here = network_here(true);
    struct binding b;

    if (!c->in || c->in_size < 4 + 8) return pass(c, c->in, c->in_size);
    memset(&b, 0, sizeof(b));
    b.in_size = c->in_size < sizeof(b.params) ? c->in_size : (ULONG)sizeof(b.params); /* SOCKADDR_STORAGE is longer */
    memcpy(&b.params, c->in, b.in_size);
    b.kind = address_kind(&here.silo, &b.params.addr, b.in_size - 4);
    if (b.kind == ADDRESS_OTHER) return pass(c, c->in, c->in_size);
    if (b.kind == ADDRESS_FOREIGN) {
        TRACE("bind", "refused", no_name);
        return STATUS_INVALID_ADDRESS_COMPONENT;
    }
    b.facts = look_at(c->handle, b.params.addr.family == WS_AF_INET6);
    b.twin = (b.kind == ADDRESS_ANY6 && b.facts.v6_only) || b.kind == ADDRESS_LOOPBACK6;
    if (bind_is_pending(c->handle)) return STATUS_ADDRESS_ALREADY_ASSOCIATED;
    if (address_is_wildcard(b.kind) && !b.params.addr.port && c->out && c->out_size >= address_size(&b.params.addr))
        return do_bind_any(c, &b);
    return do_bind_now(c, &b);
}

/* ---- destinations ---- */

/* A sender whose address Linux would choose would come from 127.0.0.1: give it one of the silo's. */
static void choose_source(HANDLE handle, const struct socket_facts *facts, uint16_t family, const uint8_t *v4, bool explicit)
{
    enum address_kind any = family == WS_AF_INET6 ? ADDRESS_ANY6 : ADDRESS_ANY;

    if (bind_is_pending(handle) || is_bound(handle)) return;
    bind_quietly(handle, facts, family, v4, explicit ? ADDRESS_OWN : any);
}

/* Whether Linux would choose an address that gives the sender away, or is lost to the receiver. */
static bool needs_source(enum verdict verdict, bool stream, bool explicit, const struct ws_sockaddr *addr)
{
    const uint8_t *v4 = address_v4(addr);

    if (!v4) return false; /* published at an IPv6 address: none of the silo's leads there */
    return verdict != REACH_OWN || !stream || explicit || memcmp(v4, config.address, 4);
}

/* Change the address in *addr as the silo needs it, and bind the socket if that has to do with it. */
static NTSTATUS prepare_connect(HANDLE handle, struct ws_sockaddr *addr, size_t size, bool *changed)
{
    struct socket_facts facts = look_at(handle, addr->family == WS_AF_INET6);
    struct slot *slot = socket_slot(handle);
    struct reach here = network_here(facts.stream);
    enum verdict verdict;
    NTSTATUS status;
    bool explicit;

    if (slot) facts.v6_only = slot->flags & SOCKET_V6_ONLY;
    verdict = network_reach(&here, addr, size, &explicit);
    if (verdict == REACH_REFUSED) {
        TRACE("connect", "refused", no_name);
        return STATUS_CONNECTION_REFUSED;
    }
    *changed = verdict != REACH_UNCHANGED;
    if (bind_is_pending(handle)) {
        if ((status = bind_late(handle, *changed))) return status;
    }
    else if (*changed && needs_source(verdict, facts.stream, explicit, addr))
        choose_source(handle, &facts, addr->family, verdict == REACH_TWIN ? config.twin : config.address, explicit);
    if (!socket_slot(handle)) note_socket(handle, ADDRESS_OTHER, flags_of(&facts));
    return STATUS_SUCCESS;
}

static NTSTATUS do_connect(const struct ioctl *c)
{
    const struct connect_params *params = c->in;
    struct ws_sockaddr addr;
    struct slot *slot;
    uint8_t *own;
    bool changed, heap;
    int32_t size;
    NTSTATUS status;

    if (!c->in || c->in_size < sizeof(*params) || (size = params->addr_len) < 8 ||
        (uint32_t)size > c->in_size - sizeof(*params))
        return pass(c, c->in, c->in_size);
    memset(&addr, 0, sizeof(addr));
    memcpy(&addr, params + 1, (size_t)size < sizeof(addr) ? (size_t)size : sizeof(addr));
    if ((status = prepare_connect(c->handle, &addr, (size_t)size, &changed))) return status;
    if ((slot = socket_slot(c->handle))) slot->flags |= SOCKET_CONNECTED;
    if (!changed) return pass(c, c->in, c->in_size);
    TRACE("connect", "socket", no_name);
    heap = c->in_size > THREAD_BUFFER;
    if (!(own = heap ? malloc(c->in_size) : thread_buffer(1))) return STATUS_NO_MEMORY;
    memcpy(own, c->in, c->in_size);
    memcpy(own + sizeof(*params), &addr, (size_t)size < sizeof(addr) ? (size_t)size : sizeof(addr));
    status = pass(c, own, c->in_size);
    if (heap) free(own);
    return status;
}

/* Where a datagram goes is decided when it goes (socket_unix.c). Here an IPv6 socket is made fit for the stand-ins,
 * once, and before the wineserver binds it for its first send. */
static NTSTATUS do_send(const struct ioctl *c)
{
    struct sendmsg_params params;
    struct socket_facts facts;
    uint16_t family;

    if (!c->in || c->in_size != sizeof(params)) return pass(c, c->in, c->in_size);
    memcpy(&params, c->in, sizeof(params));
    if (!params.addr || params.addr_len < 28) return pass(c, c->in, c->in_size);
    memcpy(&family, (const void *)(uintptr_t)params.addr, sizeof(family));
    if (family == WS_AF_INET6 && !socket_slot(c->handle)) {
        facts = look_at(c->handle, true);
        if (facts.stream || facts.connected || is_bound(c->handle)) note_socket(c->handle, ADDRESS_OTHER, flags_of(&facts));
        else bind_quietly(c->handle, &facts, WS_AF_INET6, NULL, ADDRESS_ANY6);
    }
    return pass(c, c->in, c->in_size);
}

/* ---- accepted sockets ---- */

/* a connection to a listener: what is known of the one goes for the other */
static void note_accepted(HANDLE listener, HANDLE accepted)
{
    const struct slot *slot = socket_slot(listener);
    unsigned int flags = slot ? slot->flags & SOCKET_V6_ONLY : 0;

    if (slot) note_socket(accepted, slot->state == ADDRESS_OWN ? ADDRESS_OWN : ADDRESS_OTHER, flags | SOCKET_CONNECTED);
}

static NTSTATUS do_accept(const struct ioctl *c)
{
    NTSTATUS status = pass(c, c->in, c->in_size);
    ULONG handle;

    if (status || !c->out || c->out_size < sizeof(handle)) return status;
    memcpy(&handle, c->out, sizeof(handle));
    note_accepted(c->handle, (HANDLE)(uintptr_t)handle);
    return status;
}

static NTSTATUS do_accept_into(const struct ioctl *c)
{
    struct accept_into_params params;

    if (c->in && c->in_size == sizeof(params) && c->out) {
        memcpy(&params, c->in, sizeof(params));
        accept_note(c->out, c->out_size, params.recv_len, params.local_len);
        note_accepted(c->handle, (HANDLE)(uintptr_t)params.handle);
    }
    return pass(c, c->in, c->in_size);
}

/* ---- names read back ---- */

struct known {
    struct reach here;
    unsigned int bound;
    enum address_kind kind;
};

/* What is known of a socket for its names; asks Linux if it came from another process. local: its own address. */
static struct known known_of(HANDLE handle, const struct ws_sockaddr *local)
{
    const struct slot *slot = socket_slot(handle);
    struct known k = { .kind = ADDRESS_OTHER };
    struct socket_facts facts;

    if (slot) {
        k.here = network_here(!(slot->flags & SOCKET_DATAGRAM));
        k.bound = BOUND_KNOWN | slot->state | (slot->flags & SOCKET_V6_ONLY ? BOUND_V6_ONLY : 0);
        if (!(slot->flags & SOCKET_CONNECTED)) k.kind = slot->state;
        return k;
    }
    facts = look_at(handle, false);
    k.here = network_here(facts.stream);
    if (!local) return k;
    k.bound = network_bound_as(network, facts.stream, address_place(&k.here.silo, local), local->port);
    if (!facts.connected && (k.bound & BOUND_KNOWN)) k.kind = k.bound & BOUND_KIND;
    return k;
}

static NTSTATUS do_getname(const struct ioctl *c, bool own)
{
    NTSTATUS status = pass(c, c->in, c->in_size);
    struct ws_sockaddr addr = { 0 };
    struct known k;

    if (status || !c->out || c->out_size < 16) return status;
    memcpy(&addr, c->out, c->out_size < sizeof(addr) ? c->out_size : sizeof(addr));
    k = known_of(c->handle, own ? &addr : NULL);
    network_show(&k.here, c->out, c->out_size, own, k.bound, own ? k.kind : ADDRESS_OTHER);
    return status;
}

static NTSTATUS do_getsockname(const struct ioctl *c)
{
    return do_getname(c, true);
}

static NTSTATUS do_getpeername(const struct ioctl *c)
{
    return do_getname(c, false);
}

static NTSTATUS do_get_v6_only(const struct ioctl *c)
{
    const struct slot *slot = socket_slot(c->handle);
    NTSTATUS status = pass(c, c->in, c->in_size);

    if (!status && slot && (slot->flags & SOCKET_V6_ONLY) && c->out && c->out_size) *(uint8_t *)c->out = 1;
    return status;
}

/* What IPv6 tells of a datagram, the stand-ins' IPv4 tells in other messages (socket_unix.c). */
static NTSTATUS do_receive_option(const struct ioctl *c)
{
    NTSTATUS status = pass(c, c->in, c->in_size);
    int fd, value = 0;

    if (status || !c->in || !c->in_size) return status;
    memcpy(&value, c->in, c->in_size < sizeof(value) ? c->in_size : sizeof(value));
    if ((fd = unix_socket(c->handle)) < 0) return status;
    setsockopt(fd, IPPROTO_IP, c->code == AFD_SET_IPV6_RECVHOPLIMIT ? IP_RECVTTL : IP_RECVTOS, &value, sizeof(value));
    close(fd);
    return status;
}

/* a socket that stood beside another one is closed */
void socket_closed(const struct slot *slot)
{
    if (slot->flags & SOCKET_BESIDE) network_note_closed(network, true, (uint16_t)slot->extra);
}

/* ---- multicast ---- */

/* The interface of an address the silo knows as its own is the one that Linux chooses for the group. */
static NTSTATUS do_multicast(const struct ioctl *c)
{
    const size_t at = c->code == AFD_SET_IP_MULTICAST_IF ? 0 : 4;
    uint8_t own[16];

    if (!c->in || c->in_size < at + 4 || c->in_size > sizeof(own)) return pass(c, c->in, c->in_size);
    memcpy(own, c->in, c->in_size);
    if (memcmp(own + at, config.address, 4)) return pass(c, c->in, c->in_size);
    memset(own + at, 0, 4);
    return pass(c, own, c->in_size);
}

/* ---- tables of interfaces and sockets ---- */

static bool process_is_known(uint32_t pid)
{
    return atomic_load(&shared->processes[(pid >> 2) % SHARED_PROCESSES].pid) == pid;
}

/* The server writes replies to memory that Wine knows only. */
static void *allocate(size_t size)
{
    void *p = NULL;

    return real_NtAllocateVirtualMemory(CURRENT_PROCESS, &p, 0, &size, MEM_COMMIT, PAGE_READWRITE) ? NULL : p;
}

static void release(void *p)
{
    size_t size = 0;

    real_NtFreeVirtualMemory(CURRENT_PROCESS, &p, &size, MEM_RELEASE);
}

/* false instead of a fault */
static bool write_to_caller(void *to, void *from, size_t size)
{
    struct iovec local = { from, size }, remote = { to, size };

    return process_vm_writev(getpid(), &local, 1, &remote, 1, 0) == (ssize_t)size;
}

/* The same with a column that the program did not ask for, and that says whose the sockets are. */
static NTSTATUS do_wider_table(const struct ioctl *c, const struct nsi_view *view, enum nsi_table table,
                               struct nsi_request *request, size_t size_asked)
{
    IO_STATUS_BLOCK io = { 0 };
    uint8_t *buffer;
    NTSTATUS status;
    uint64_t size;

    request->static_size = nsi_static_size(table);
    size = nsi_size(request);
    if (!size || !(buffer = allocate(size))) return STATUS_NO_MEMORY;
    status = real_NtDeviceIoControlFile(c->handle, NULL, NULL, NULL, &io, c->code, request, sizeof(*request), buffer, (ULONG)size);
    if (!NT_ERROR(status)) {
        nsi_filter(view, table, request, buffer);
        /* the column that was added is the last */
        if (!write_to_caller(c->out, buffer, size_asked)) status = STATUS_ACCESS_VIOLATION;
    }
    release(buffer);
    if (NT_ERROR(status)) return status;
    c->io->Status = status;
    c->io->Information = c->out_size;
    return status;
}

static NTSTATUS do_tables(const struct ioctl *c)
{
    const struct nsi_view view = { network, network_here(true).silo, process_is_known, network_here };
    enum nsi_table table = NSI_OTHER;
    struct nsi_request request;
    NTSTATUS status;
    uint64_t size;

    if (c->in && c->in_size == sizeof(request)) {
        memcpy(&request, c->in, sizeof(request));
        table = nsi_table(&request);
    }
    if (table == NSI_OTHER || !request.count || c->apc || c->event) return pass(c, c->in, c->in_size);
    size = nsi_size(&request);
    if (!c->out || !size || c->out_size < size) return pass(c, c->in, c->in_size);
    if (!request.static_size && nsi_static_size(table)) return do_wider_table(c, &view, table, &request, size);
    status = pass(c, c->in, c->in_size);
    if (!NT_ERROR(status)) nsi_filter(&view, table, &request, c->out);
    return status;
}

/* One row, by its key. The driver knows nothing of the silo's address: it is asked for the row that shows it. */
static NTSTATUS do_row(const struct ioctl *c)
{
    struct {
        struct nsi_row_request head;
        uint8_t key[NSI_ADDRESS_KEY];
    } asked;
    struct nsi_request all;
    IO_STATUS_BLOCK io = { 0 };
    NTSTATUS status;
    uint8_t *keys;
    bool silos;

    if (!c->in || c->in_size != sizeof(asked)) return pass(c, c->in, c->in_size);
    memcpy(&asked, c->in, sizeof(asked));
    if (!nsi_asks_address(&asked.head, &all) || memcmp(asked.key + 8, config.address, 4) || c->apc || c->event || !c->out || c->out_size < asked.head.rw_size)
        return pass(c, c->in, c->in_size);
    if (!(keys = allocate(nsi_size(&all)))) return STATUS_NO_MEMORY;
    status = real_NtDeviceIoControlFile(c->handle, NULL, NULL, NULL, &io, NSI_ENUMERATE_ALL, &all, sizeof(all), keys,
                                        (ULONG)nsi_size(&all));
    silos = !status && nsi_host_key(config.address, keys, asked.key, asked.key);
    release(keys);
    status = pass(c, &asked, sizeof(asked));
    if (silos && !NT_ERROR(status)) nsi_show_address(&asked.head, c->out);
    return status;
}

#define IOCTL_CONDRV_BIND_PID 0x5000ccu /* wine/condrv.h: use the console of the process with this id */

/* ---- the call ---- */

static const struct {
    ULONG code;
    bool needs_bind; /* a bind that was put off is due */
    NTSTATUS (*call)(const struct ioctl *c); /* NULL: the real one */
} calls[] = {
    { AFD_RECVMSG, true, NULL },
    { AFD_SENDMSG, true, do_send },
    { AFD_GETSOCKNAME, true, do_getsockname },
    { AFD_GETPEERNAME, false, do_getpeername },
    { AFD_CONNECT, false, do_connect },
    { AFD_BIND, false, do_bind },
    { AFD_LISTEN, true, NULL },
    { AFD_ACCEPT, false, do_accept },
    { AFD_ACCEPT_INTO, false, do_accept_into },
    { AFD_GET_IPV6_V6ONLY, false, do_get_v6_only },
    { AFD_SET_IPV6_RECVHOPLIMIT, false, do_receive_option },
    { AFD_SET_IPV6_RECVTCLASS, false, do_receive_option },
    { AFD_SET_IP_ADD_MEMBERSHIP, false, do_multicast },
    { AFD_SET_IP_DROP_MEMBERSHIP, false, do_multicast },
    { AFD_SET_IP_MULTICAST_IF, false, do_multicast },
    { NSI_ENUMERATE_ALL, false, do_tables },
    { NSI_GET_ALL_PARAMETERS, false, do_row },
};

NTSTATUS hook_NtDeviceIoControlFile(HANDLE handle, HANDLE event, PIO_APC_ROUTINE apc, void *apc_context,
                                    IO_STATUS_BLOCK *io, ULONG code, void *in, ULONG in_size, void *out, ULONG out_size)
{
    const struct ioctl c = { handle, event, apc, apc_context, io, code, in, in_size, out, out_size };
    size_t i;

    if (code == IOCTL_CONDRV_BIND_PID && !console_is_ours(in, in_size)) return STATUS_INVALID_CID;
    if (code >> 16 == MOUNT_MANAGER)
        return mount_manager_control(handle, event, apc, apc_context, io, code, in, in_size, out, out_size);
    if (!is_afd(code)) return pass(&c, in, in_size);
    for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        if (calls[i].code != code) continue;
        if (calls[i].needs_bind && bind_is_pending(handle)) bind_late(handle, true);
        return calls[i].call ? calls[i].call(&c) : pass(&c, in, in_size);
    }
    return pass(&c, in, in_size);
}
