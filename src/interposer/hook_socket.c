/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Ioctls. Sockets are files of \Device\Afd; Winsock's calls are ioctls on them. Wildcard and loopback addresses of
 * a silo become its own (network.h), and names read back show what the program expects. What passes when data does,
 * the addresses of datagrams and AcceptEx' results, is socket_unix.c's.
 * Binding is socket_bind.c's. */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nsi.h"
#include "socket.h"

/* AFD's codes are of the form 0x12xxx or 0x12xxxx */
static inline bool is_afd(ULONG code)
{
    return code >> 12 == 0x12 || code >> 16 == 0x12;
}

struct connect_params {
    int32_t addr_len, synchronous;
    /* the address, then data to send */
};

struct create_params {
    int32_t family, type, protocol; /* in Winsock's numbers */
    uint32_t flags;
};

struct accept_into_params {
    ULONG handle, recv_len, local_len;
};

enum { WS_SOCK_STREAM = 1, WS_SOCK_DGRAM = 2, WS_IPPROTO_UDP = 17 };

/* What kind of socket it is need not be asked again. */
static NTSTATUS do_create(const struct ioctl *c)
{
    NTSTATUS status = pass(c, c->in, c->in_size);
    struct create_params params;
    struct slot *slot;

    if (status || c->in_size != sizeof(params)) return status;
    memcpy(&params, c->in, sizeof(params)); /* the wineserver was sent it, so it can be read */
    if (params.type != WS_SOCK_STREAM && params.type != WS_SOCK_DGRAM) return status;
    slot_set(c->handle, SLOT_NEW_SOCKET, 0, 0);
    if (params.type == WS_SOCK_STREAM || !(slot = slot_of(c->handle))) return status;
    slot->flags = SOCKET_DATAGRAM | (!params.protocol || params.protocol == WS_IPPROTO_UDP ? SOCKET_UDP : 0);
    return status;
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
    struct ws_sockaddr asked;
    enum verdict verdict;
    NTSTATUS status;
    bool explicit;

    if (slot) facts.v6_only = slot->flags & SOCKET_V6_ONLY;
    asked = *addr;
    verdict = network_reach(&here, addr, size, &explicit);
    note_destination(verdict, facts.stream, &asked);
    if (verdict == REACH_REFUSED) {
        TRACE("connect", "refused", NO_NAME);
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
    struct connect_params params;
    struct ws_sockaddr addr;
    struct slot *slot;
    uint8_t *own;
    bool changed, heap;
    size_t size;
    NTSTATUS status;

    if (c->in_size < sizeof(params) || !capture(&params, c->in, sizeof(params)) || params.addr_len < 8 ||
        (size = (uint32_t)params.addr_len) > c->in_size - sizeof(params))
        return pass(c, c->in, c->in_size);
    memset(&addr, 0, sizeof(addr));
    if (!capture(&addr, (uint8_t *)c->in + sizeof(params), size < sizeof(addr) ? size : sizeof(addr)))
        return pass(c, c->in, c->in_size);
    if ((status = prepare_connect(c->handle, &addr, size, &changed))) return status;
    if ((slot = socket_slot(c->handle))) slot->flags |= SOCKET_CONNECTED;
    tell_bound(c->handle);
    if (!changed) return pass(c, c->in, c->in_size);
    TRACE("connect", "socket", NO_NAME);
    heap = c->in_size > THREAD_BUFFER;
    if (!(own = heap ? malloc(c->in_size) : thread_buffer(1))) return STATUS_NO_MEMORY;
    if (capture(own, c->in, c->in_size)) {
        memcpy(own + sizeof(params), &addr, size < sizeof(addr) ? size : sizeof(addr));
        status = pass(c, own, c->in_size);
    }
    else status = STATUS_ACCESS_VIOLATION; /* never the address that was not changed */
    if (heap) free(own);
    return status;
}

/* An IPv6 socket is made fit for the stand-ins, once, and before the wineserver binds it for its first send. */
static void prepare_send(const struct ioctl *c)
{
    struct sendmsg_params params;
    struct socket_facts facts;
    uint16_t family;

    if (!c->in || c->in_size != sizeof(params)) return;
    memcpy(&params, c->in, sizeof(params));
    if (!params.addr || params.addr_len < 28) return;
    memcpy(&family, (const void *)(uintptr_t)params.addr, sizeof(family));
    if (family != WS_AF_INET6 || socket_slot(c->handle)) return;
    facts = look_at(c->handle, true);
    if (facts.stream || is_connected(c->handle) || is_bound(c->handle)) note_socket(c->handle, ADDRESS_OTHER, flags_of(&facts));
    else bind_quietly(c->handle, &facts, WS_AF_INET6, NULL, ADDRESS_ANY6);
}

/* For what the wineserver refuses if the socket is not bound: it may be, by another process or handle. */
static NTSTATUS pass_bound(const struct ioctl *c)
{
    NTSTATUS status;

    tell_bound(c->handle);
    status = pass(c, c->in, c->in_size);
    return status == STATUS_INVALID_PARAMETER && tell_if_bound(c->handle) ? pass(c, c->in, c->in_size) : status;
}

/* Where a datagram goes is decided when it goes (socket_unix.c). */
static NTSTATUS do_send(const struct ioctl *c)
{
    prepare_send(c);
    return pass_bound(c);
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

    if (c->in_size == sizeof(params) && c->out && capture(&params, c->in, sizeof(params))) {
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
    if ((k.bound & BOUND_KNOWN) && !is_connected(handle)) k.kind = k.bound & BOUND_KIND;
    return k;
}

static NTSTATUS do_getname(const struct ioctl *c, bool own)
{
    struct ws_sockaddr addr = { 0 };
    struct known k;
    NTSTATUS status;

    if (!own) status = pass(c, c->in, c->in_size);
    else if (!answer_name(c, &status)) status = pass_bound(c);
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

    if (status || !c->in_size || !capture(&value, c->in, c->in_size < sizeof(value) ? c->in_size : sizeof(value)))
        return status;
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

    if (c->in_size < at + 4 || c->in_size > sizeof(own) || !capture(own, c->in, c->in_size) || memcmp(own + at, config.address, 4))
        return pass(c, c->in, c->in_size);
    memset(own + at, 0, 4);
    return pass(c, own, c->in_size);
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
    { AFD_CREATE, false, do_create },
    { AFD_CONNECT, false, do_connect },
    { AFD_BIND, false, do_bind },
    { AFD_LISTEN, true, pass_bound },
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
    uint32_t nobody = 0x7ffffffc; /* an id that no process comes to */
    size_t i;

    if (code == IOCTL_CONDRV_BIND_PID && !console_is_ours(in, in_size)) return pass(&c, &nobody, sizeof(nobody));
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
