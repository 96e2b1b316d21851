/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Binding a socket. The wildcard and loopback addresses of a silo become its own; see docs/design/sockets.md.
 *
 * A TCP socket bound to the wildcard with port 0 is bound late: a client (ConnectEx wants a bound socket)
 * must not be tied to a loopback address if it then connects to another machine, a server must. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "socket.h"

void note_address(enum audit_space space, enum audit_rule rule, bool stream, const struct ws_sockaddr *addr)
{
    const bool v6 = addr->family == WS_AF_INET6;
    struct audit_address a = { stream, v6 ? 6 : 4, addr->port, { 0 } };

    if (v6) memcpy(a.addr, addr->v6.addr, sizeof(addr->v6.addr));
    else memcpy(a.addr, addr->v4.addr, sizeof(addr->v4.addr));
    if (rule == RULE_NONE) audit_name(space, AUDIT_UNDECLARED, rule, AUDIT_CREATED, &a, sizeof(a));
    else audit_by_rule(space, rule, space == AUDIT_BIND ? AUDIT_CREATED : AUDIT_OPENED, &a, sizeof(a));
}

struct bind_params {
    int32_t unknown;
    struct ws_sockaddr addr;
};

/* ---- the Unix socket behind a handle ---- */

int unix_socket(HANDLE handle)
{
    int fd;

    return real_wine_server_handle_to_fd(handle, 0, &fd, NULL) ? -1 : fd;
}

static int int_option(int fd, int level, int option)
{
    int value = 0;
    socklen_t size = sizeof(value);

    return getsockopt(fd, level, option, &value, &size) ? 0 : value;
}

bool is_connected(HANDLE handle)
{
    int fd = unix_socket(handle);
    struct sockaddr_storage peer;
    socklen_t size = sizeof(peer);
    bool connected;

    if (fd < 0) return false;
    connected = !getpeername(fd, (struct sockaddr *)&peer, &size);
    close(fd);
    return connected;
}

static bool is_known(const struct slot *slot)
{
    const enum slot_kind kind = slot ? atomic_load_explicit(&slot->kind, memory_order_acquire) : SLOT_NONE;

    return kind == SLOT_SOCKET || kind == SLOT_NEW_SOCKET;
}

struct socket_facts look_at(HANDLE handle, bool mapped)
{
    const struct slot *slot = slot_of(handle);
    struct socket_facts facts = { .stream = true };
    int fd, no = 0;

    if (!mapped && is_known(slot))
        return (struct socket_facts){ .stream = !(slot->flags & SOCKET_DATAGRAM), .v6_only = slot->flags & SOCKET_V6_ONLY,
                                      .udp = slot->flags & SOCKET_UDP };
    if ((fd = unix_socket(handle)) < 0) return facts;
    facts.stream = int_option(fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM;
    facts.udp = !facts.stream && int_option(fd, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_UDP;
    if (mapped && int_option(fd, IPPROTO_IPV6, IPV6_V6ONLY)) {
        facts.v6_only = true;
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
    }
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

struct slot *socket_slot(HANDLE handle)
{
    struct slot *slot = slot_of(handle);

    return slot && atomic_load_explicit(&slot->kind, memory_order_acquire) == SLOT_SOCKET ? slot : NULL;
}

bool bind_is_pending(HANDLE handle)
{
    const struct slot *slot = socket_slot(handle);

    return slot && (slot->flags & SOCKET_BIND_PENDING);
}

void note_socket(HANDLE handle, enum address_kind kind, unsigned int flags)
{
    struct slot *slot;

    slot_set(handle, SLOT_SOCKET, kind, 0);
    if ((slot = slot_of(handle))) slot->flags = (uint16_t)flags;
}

unsigned int flags_of(const struct socket_facts *facts)
{
    return (facts->v6_only ? SOCKET_V6_ONLY : 0) | (facts->stream ? 0 : SOCKET_DATAGRAM) | (facts->udp ? SOCKET_UDP : 0);
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

/* ---- sockets that were bound here ---- */

static bool is_untold(HANDLE handle)
{
    const struct slot *slot = socket_slot(handle);

    return slot && (slot->flags & SOCKET_UNTOLD);
}

/* For a send on a datagram socket that it takes for unbound the server binds it, fails because the socket is bound, and
 * asks for its address. What is sent is nowhere, so that nothing is if the server knows already. */
static void make_known(HANDLE handle)
{
    struct {
        uint32_t size, address32;
        uint64_t address;
    } nowhere = { 1, 1, 1 }; /* a WSABUF of 64 bits, and of 32 */
    struct sendmsg_params params = { .count = 1, .buffers = (uintptr_t)&nowhere };

    own_ioctl(handle, AFD_SENDMSG, &params, sizeof(params), NULL, 0);
}

void tell_bound(HANDLE handle)
{
    if (!is_untold(handle)) return;
    socket_slot(handle)->flags &= (uint16_t)~SOCKET_UNTOLD;
    make_known(handle);
}

/* what Linux says of an IPv4 datagram socket; false: it is another one, or not bound */
static bool datagram_name(HANDLE handle, struct sockaddr_in *name)
{
    int fd = unix_socket(handle);
    socklen_t size = sizeof(*name);
    bool bound;

    if (fd < 0) return false;
    bound = int_option(fd, SOL_SOCKET, SO_TYPE) == SOCK_DGRAM && !getsockname(fd, (struct sockaddr *)name, &size) &&
            name->sin_family == AF_INET && name->sin_port;
    close(fd);
    return bound;
}

/* Another process may have bound it, or this one by another handle. */
bool tell_if_bound(HANDLE handle)
{
    struct sockaddr_in name;

    if (socket_slot(handle) || !datagram_name(handle, &name)) return false;
    make_known(handle);
    return true;
}

bool is_bound(HANDLE handle)
{
    struct ws_sockaddr name;

    return is_untold(handle) || !own_ioctl(handle, AFD_GETSOCKNAME, NULL, 0, &name, sizeof(name)) || tell_if_bound(handle);
}

/* The name of a socket as the server would say it, who is not told for its sake. */
bool answer_name(const struct ioctl *c, NTSTATUS *status)
{
    struct ws_sockaddr addr = { 0 };
    struct sockaddr_in name;

    if (!is_untold(c->handle) || c->event || c->apc || c->apc_context || c->out_size < sizeof(name) ||
        !is_writable(c->out, c->out_size) || !datagram_name(c->handle, &name))
        return false;
    address_from_unix(&addr, (const struct sockaddr_storage *)&name, sizeof(name));
    memcpy(c->out, &addr, sizeof(name));
    c->io->Status = *status = STATUS_SUCCESS;
    c->io->Information = sizeof(name);
    return true;
}

static const struct {
    int error;
    NTSTATUS status;
} bind_errors[] = {
    { EADDRINUSE, STATUS_SHARING_VIOLATION }, { EACCES, STATUS_ACCESS_DENIED },
    { EADDRNOTAVAIL, STATUS_INVALID_ADDRESS_COMPONENT }, { ENOBUFS, STATUS_NO_MEMORY },
};

/* Wine 8's server binds an IPv4 datagram socket to the wildcard when the address is that of no interface, and any does if
 * it is one's, where a port is published. So it is bound here, and the server is to be told. */
static NTSTATUS bind_here(HANDLE handle, const struct ws_sockaddr *addr, struct ws_sockaddr *bound)
{
    struct sockaddr_storage name = { 0 };
    socklen_t size = sizeof(name);
    int fd, result, error;
    bool has_name;
    size_t i;

    if ((fd = unix_socket(handle)) < 0) return STATUS_INVALID_HANDLE;
    address_to_unix(&name, addr);
    result = bind(fd, (struct sockaddr *)&name, sizeof(struct sockaddr_in));
    error = errno;
    has_name = !getsockname(fd, (struct sockaddr *)&name, &size);
    close(fd);
    /* the server is not asked whether it was bound before: Linux knows, for then it had a port */
    if (result && error == EINVAL && has_name && ((const struct sockaddr_in *)&name)->sin_port)
        return STATUS_ADDRESS_ALREADY_ASSOCIATED;
    if (!result) {
        address_from_unix(bound, &name, sizeof(struct sockaddr_in));
        return STATUS_SUCCESS;
    }
    for (i = 0; i < sizeof(bind_errors) / sizeof(bind_errors[0]); i++)
        if (bind_errors[i].error == error) return bind_errors[i].status;
    return STATUS_INVALID_PARAMETER;
}

static bool binds_here(const struct socket_facts *facts, const struct ws_sockaddr *addr)
{
    return facts->udp && addr->family == WS_AF_INET && !(config.server_binds && addr->v4.addr[0] == 127);
}

NTSTATUS bind_quietly(HANDLE handle, const struct socket_facts *facts, uint16_t family, const uint8_t *v4,
                      enum address_kind kind)
{
    struct bind_params params = { 0 };
    struct ws_sockaddr bound = { 0 };
    NTSTATUS status;

    params.addr.family = family;
    if (v4) address_set(&params.addr, v4);
    if (!binds_here(facts, &params.addr))
        status = own_ioctl(handle, AFD_BIND, &params, (ULONG)(4 + address_size(&params.addr)), &bound,
                           (ULONG)address_size(&params.addr));
    else if (!(status = bind_here(handle, &params.addr, &bound))) make_known(handle);
    if (!status) note_bound(handle, facts, &bound, kind, 0);
    return status;
}

NTSTATUS bind_late(HANDLE handle, bool to_silo)
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
    struct ws_sockaddr asked;
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

/* Before an ioctl is answered here: the errors that the real one would give for the handles and buffers of the caller. A
 * name that there is not yet is asked for in the place of what the call is. */
static NTSTATUS check_call(const struct ioctl *c)
{
    uint32_t io32[2];
    IO_STATUS_BLOCK io = { .Pointer = io32 };
    NTSTATUS status = real_NtDeviceIoControlFile(c->handle, c->event, NULL, NULL, &io, AFD_GETSOCKNAME, NULL, 0, c->out,
                                                 c->out_size);

    if (NT_SUCCESS(status)) return STATUS_ADDRESS_ALREADY_ASSOCIATED;
    return status == STATUS_INVALID_PARAMETER ? STATUS_SUCCESS : status;
}

/* The same with fewer requests: of a socket that this process made it is known what its handle may, and so it is of an event
 * that stood in such a call before: Winsock's, one for each thread. */
static NTSTATUS check_datagram_call(const struct ioctl *c)
{
    NTSTATUS status;

    if (slot_kind(c->handle) == SLOT_NEW_SOCKET && (!c->event || slot_kind(c->event) == SLOT_EVENT) &&
        is_writable(c->out, c->out_size))
        return STATUS_SUCCESS;
    status = check_call(c);
    if (!status && c->event && slot_kind(c->event) == SLOT_NONE) slot_set(c->event, SLOT_EVENT, 0, 0);
    return status;
}

static NTSTATUS bind_at(const struct ioctl *c, struct binding *b)
{
    struct ws_sockaddr bound;
    NTSTATUS status;

    if (!binds_here(&b->facts, &b->params.addr)) return pass(c, &b->params, b->in_size);
    if ((status = check_datagram_call(c)) || (status = bind_here(c->handle, &b->params.addr, &bound))) return status;
    memcpy(c->out, &bound, 16);
    c->io->Status = STATUS_SUCCESS;
    c->io->Information = 16;
    return c->event ? real_NtSetEvent(c->event, NULL) : status;
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
    note_address(AUDIT_BIND, port.published ? RULE_BIND_PUBLISHED : RULE_BIND_LOW, b->facts.stream, &b->asked);
    TRACE("bind", port.published ? "published" : "low port", NO_NAME);
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

    return !own_ioctl(handle, AFD_GET_SO_EXCLUSIVEADDRUSE, NULL, 0, &value, sizeof(value)) && value;
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
    TRACE("bind", "beside", NO_NAME);
    address_set(&b->params.addr, config.twin);
    b->beside = true;
    return pass(c, &b->params, b->in_size);
}

static void note_bind(const struct ioctl *c, const struct binding *b, const struct ws_sockaddr *bound)
{
    struct slot *slot;

    note_bound(c->handle, &b->facts, bound, b->kind, (b->exclusive ? BOUND_EXCLUSIVE : 0) | (b->beside ? BOUND_BESIDE : 0));
    slot = socket_slot(c->handle);
    if (binds_here(&b->facts, &b->params.addr)) {
        if (slot) slot->flags |= SOCKET_UNTOLD;
        else make_known(c->handle);
    }
    if (!b->beside || !slot) return;
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
        TRACE("bind", "socket", NO_NAME);
        note_address(AUDIT_BIND, RULE_BIND_OWN, b->facts.stream, &b->asked);
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

    note_address(AUDIT_BIND, RULE_BIND_CLIENT, b->facts.stream, &b->asked);
    if (b->facts.stream && slot_make(c->handle) && !c->apc) {
        if ((status = check_call(c))) return status;
        memcpy(c->out, &b->params.addr, size);
        c->io->Status = STATUS_SUCCESS;
        c->io->Information = size;
        note_socket(c->handle, b->kind, flags_of(&b->facts) | SOCKET_BIND_PENDING);
        if (c->event) real_NtSetEvent(c->event, NULL);
        return STATUS_SUCCESS;
    }
    status = pass(c, c->in, c->in_size);
    if (status) return status;
    memcpy(&bound, c->out, size);
    note_bound(c->handle, &b->facts, &bound, b->kind, 0);
    return status;
}

enum { V4_SIZE = 16, V6_OLD_SIZE = 24 };

/* What the wineserver refuses: less than an address, or less room for the answer. */
static bool is_wrong_length(const struct ioctl *c)
{
    return c->in_size < 4 + V4_SIZE || c->out_size < c->in_size - 4;
}

/* An address of the machine's that is not loopback, and so everybody's; others can't be bound. */
static NTSTATUS bind_unmoved(const struct ioctl *c, const struct ws_sockaddr *addr)
{
    NTSTATUS status = pass(c, c->in, c->in_size);

    if (!status && (addr->family == WS_AF_INET || addr->family == WS_AF_INET6))
        note_address(AUDIT_BIND, RULE_NONE, look_at(c->handle, false).stream, addr);
    return status;
}

NTSTATUS do_bind(const struct ioctl *c)
{
    struct reach here = network_here(true);
    struct binding b;

    memset(&b, 0, sizeof(b));
    b.in_size = c->in_size < sizeof(b.params) ? c->in_size : (ULONG)sizeof(b.params); /* SOCKADDR_STORAGE is longer */
    if (is_wrong_length(c) || !capture(&b.params, c->in, b.in_size)) return pass(c, c->in, c->in_size);
    if (b.params.addr.family == WS_AF_INET6 && c->in_size < 4 + V6_OLD_SIZE) return pass(c, c->in, c->in_size);
    b.kind = address_kind(&here.silo, &b.params.addr, b.in_size - 4);
    b.asked = b.params.addr;
    if (b.kind == ADDRESS_OTHER) return bind_unmoved(c, &b.asked);
    if (b.kind == ADDRESS_FOREIGN) {
        TRACE("bind", "refused", NO_NAME);
        note_address(AUDIT_BIND, RULE_BIND_FOREIGN, true, &b.asked);
        return STATUS_INVALID_ADDRESS_COMPONENT;
    }
    b.facts = look_at(c->handle, b.params.addr.family == WS_AF_INET6);
    b.twin = (b.kind == ADDRESS_ANY6 && b.facts.v6_only) || b.kind == ADDRESS_LOOPBACK6;
    if (bind_is_pending(c->handle)) return STATUS_ADDRESS_ALREADY_ASSOCIATED;
    if (address_is_wildcard(b.kind) && !b.params.addr.port && c->out && c->out_size >= address_size(&b.params.addr))
        return do_bind_any(c, &b);
    return do_bind_now(c, &b);
}
