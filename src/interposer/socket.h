/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the hooks on sockets share: hook_socket.c, socket_bind.c, socket_tables.c. */
#ifndef WINESILO_SOCKET_H
#define WINESILO_SOCKET_H

#include "network.h"
#include "silo.h"

/* AFD ioctl codes of Wine 8 to 10 */
enum {
    AFD_BIND = 0x12003,
    AFD_LISTEN = 0x1200b,
    AFD_GETSOCKNAME = 0x1202f,
    AFD_CREATE = 0x120320,
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

/* of a socket's slot: state is the address_kind it was bound to; of a new one only the type of its data is known */
enum {
    SOCKET_BIND_PENDING = 1,
    SOCKET_CONNECTED = 2,
    SOCKET_V6_ONLY = 4, /* the program made it IPv6 only; for Linux it is not, or it could not use the stand-ins */
    SOCKET_DATAGRAM = 8,
    SOCKET_BESIDE = 16, /* see bind_beside; slot->extra is the port */
    SOCKET_UDP = 32,
    SOCKET_UNTOLD = 64, /* bound here, and the wineserver does not know it yet */
};

/* wine/afd.h: struct afd_sendmsg_params */
struct sendmsg_params {
    uint64_t addr;
    uint32_t addr_len, flags;
    int32_t force_async;
    uint32_t count;
    uint64_t buffers;
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

static inline NTSTATUS pass(const struct ioctl *c, void *in, ULONG in_size)
{
    return real_NtDeviceIoControlFile(c->handle, c->event, c->apc, c->apc_context, c->io, c->code, in, in_size, c->out,
                                      c->out_size);
}

/* for the record: an address as the program gave it */
void note_address(enum audit_space space, enum audit_rule rule, bool stream, const struct ws_sockaddr *addr);

#define NO_NAME ((struct span){ NULL, 0 })

/* An ioctl that no program asked for. For a 32-bit one, Wine looks for an IO_STATUS_BLOCK of its own behind the Pointer
 * of this one. */
static inline NTSTATUS own_ioctl(HANDLE handle, ULONG code, void *in, ULONG in_size, void *out, ULONG out_size)
{
    uint32_t io32[2];
    IO_STATUS_BLOCK io = { .Pointer = io32 };

    return real_NtDeviceIoControlFile(handle, NULL, NULL, NULL, &io, code, in, in_size, out, out_size);
}

/* ---- the Unix socket behind a handle ---- */

struct socket_facts {
    bool stream, v6_only, udp;
};

int unix_socket(HANDLE handle); /* a descriptor to close; -1: none */
bool is_connected(HANDLE handle);
/* The descriptor, which has to come from the wineserver, is only asked for what this process does not know. With mapped set an IPv6 socket is also allowed IPv4-mapped addresses, which the stand-ins are; v6_only then says
 * what it was the first time. */
struct socket_facts look_at(HANDLE handle, bool mapped);

/* ---- what is known of a socket ---- */

struct slot *socket_slot(HANDLE handle); /* NULL: nothing */
bool bind_is_pending(HANDLE handle);
void note_socket(HANDLE handle, enum address_kind kind, unsigned int flags);
unsigned int flags_of(const struct socket_facts *facts);

/* ---- binding ---- */

bool is_bound(HANDLE handle);
/* A datagram socket that was bound here: the wineserver is told when it has to know. */
void tell_bound(HANDLE handle);
bool tell_if_bound(HANDLE handle); /* the same for a socket of which nothing is known; false: it is not bound */
bool answer_name(const struct ioctl *c, NTSTATUS *status); /* false: the wineserver has to */
/* Bind without the program's doing: what it is to see is the wildcard, or the silo's own address. */
NTSTATUS bind_quietly(HANDLE handle, const struct socket_facts *facts, uint16_t family, const uint8_t *v4,
                      enum address_kind kind);
NTSTATUS bind_late(HANDLE handle, bool to_silo);
NTSTATUS do_bind(const struct ioctl *c);

/* ---- tables of interfaces and sockets ---- */

NTSTATUS do_tables(const struct ioctl *c);
NTSTATUS do_row(const struct ioctl *c);

#endif
