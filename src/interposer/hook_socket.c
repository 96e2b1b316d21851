/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Ioctls. Sockets are files of \Device\Afd; Winsock's calls are ioctls on them. Wildcard and loopback addresses of
 * a silo become its own (addresses.h), and names read back show what the program expects.
 *
 * A TCP socket bound to the wildcard with port 0 is bound late: a client (ConnectEx wants a bound socket)
 * must not be tied to a loopback address if it then connects to another machine, a server must. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addresses.h"
#include "silo.h"

/* AFD ioctl codes of Wine 8 to 10 */
enum {
    AFD_BIND = 0x12003,
    AFD_LISTEN = 0x1200b,
    AFD_GETSOCKNAME = 0x1202f,
    AFD_CONNECT = 0x12032c,
    AFD_RECVMSG = 0x120334,
    AFD_SENDMSG = 0x120338,
    AFD_GETPEERNAME = 0x120360,
};

#define STATUS_INVALID_ADDRESS_COMPONENT STATUS(0xc0000207)
#define STATUS_ADDRESS_ALREADY_ASSOCIATED STATUS(0xc0000238)
#define STATUS_CONNECTION_REFUSED STATUS(0xc0000236)

/* AFD's codes are of the form 0x12xxx or 0x12xxxx */
static inline bool is_afd(ULONG code)
{
    return code >> 12 == 0x12 || code >> 16 == 0x12;
}

/* of a socket's slot: state is the address_kind it was bound to */
enum { SOCKET_BIND_PENDING = 1, SOCKET_CONNECTED = 2, SOCKET_V6_ONLY = 4 };

struct bind_params {
    int32_t unknown;
    struct ws_sockaddr addr;
};

struct connect_params {
    int32_t addr_len, synchronous;
    /* the address, then data to send */
};

struct sendmsg_params {
    uint64_t addr;
    uint32_t addr_len;
    uint8_t rest[20];
};

struct recvmsg_params {
    uint64_t control, addr, addr_len;
    uint8_t rest[24];
};

static struct silo_addresses ours(void)
{
    return (struct silo_addresses){ config.address, config.twin };
}

/* ---- the Unix socket behind a handle ---- */

static int unix_socket(HANDLE handle)
{
    int fd;

    return real_wine_server_handle_to_fd(handle, 0, &fd, NULL) ? -1 : fd;
}

struct socket_facts {
    bool stream, v6_only;
};

/* With mapped set an IPv6 socket is also allowed IPv4-mapped addresses, which the stand-ins are; v6_only then says
 * what it was the first time. */
static struct socket_facts look_at(HANDLE handle, bool mapped)
{
    struct socket_facts facts = { true, false };
    int fd = unix_socket(handle), value;
    socklen_t size = sizeof(value);

    if (fd < 0) return facts;
    if (!getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &size)) facts.stream = value == SOCK_STREAM;
    size = sizeof(value);
    if (mapped && !getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &value, &size)) {
        facts.v6_only = value != 0;
        value = 0;
        if (facts.v6_only) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &value, sizeof(value));
    }
    close(fd);
    return facts;
}

/* ---- which IPv6 ports are dual stack, for connections to ::1 ---- */

static void set_dual(bool stream, uint16_t port, bool dual)
{
    _Atomic uint8_t *byte = &shared->dual_stack[stream ? 0 : 1][ntohs(port) / 8];
    uint8_t bit = (uint8_t)(1u << (ntohs(port) % 8));

    if (dual) atomic_fetch_or(byte, bit);
    else atomic_fetch_and(byte, (uint8_t)~bit);
}

static bool is_dual(bool stream, uint16_t port)
{
    return atomic_load(&shared->dual_stack[stream ? 0 : 1][ntohs(port) / 8]) & (1u << (ntohs(port) % 8));
}

/* ---- binding ---- */

static size_t addr_size(const struct ws_sockaddr *addr)
{
    return addr->family == WS_AF_INET6 ? 28 : 16;
}

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

static void show(HANDLE handle, void *addr, size_t size, enum address_kind bound)
{
    const struct slot *slot = slot_of(handle);
    struct silo_addresses a = ours();

    if (slot && slot->kind == SLOT_SOCKET && (slot->flags & SOCKET_V6_ONLY)) address_show_v6_only(&a, addr, size, bound);
    else address_show(&a, addr, size, bound);
}

static bool is_bound(HANDLE handle)
{
    struct ws_sockaddr name;
    IO_STATUS_BLOCK io;

    return !real_NtDeviceIoControlFile(handle, NULL, NULL, NULL, &io, AFD_GETSOCKNAME, NULL, 0, &name, sizeof(name));
}

static NTSTATUS bind_late(HANDLE handle, bool to_silo)
{
    struct slot *slot = slot_of(handle);
    bool v6 = atomic_load(&slot->state) != ADDRESS_ANY;
    struct bind_params params = { 0 };
    struct ws_sockaddr bound;
    IO_STATUS_BLOCK io;
    NTSTATUS status;

    slot->flags &= (uint16_t)~SOCKET_BIND_PENDING;
    params.addr.family = v6 ? WS_AF_INET6 : WS_AF_INET;
    if (to_silo) address_set(&params.addr, slot->flags & SOCKET_V6_ONLY ? config.twin : config.address);
    status = real_NtDeviceIoControlFile(handle, NULL, NULL, NULL, &io, AFD_BIND, &params,
                                        (ULONG)(4 + addr_size(&params.addr)), &bound, (ULONG)addr_size(&params.addr));
    if (!status && v6) set_dual(true, bound.port, !(slot->flags & SOCKET_V6_ONLY));
    return status;
}

static bool bind_is_pending(HANDLE handle)
{
    const struct slot *slot = slot_of(handle);

    return slot && slot->kind == SLOT_SOCKET && (slot->flags & SOCKET_BIND_PENDING);
}

static void note_bound(HANDLE handle, enum address_kind kind, unsigned int flags)
{
    struct slot *slot = slot_of(handle);

    slot_set(handle, SLOT_SOCKET, kind, 0);
    if (slot) slot->flags = (uint16_t)flags;
}

static NTSTATUS do_bind(const struct ioctl *c)
{
    struct bind_params params;
    struct silo_addresses a = ours();
    struct socket_facts facts;
    enum address_kind kind;
    bool is_dual_stack = false;
    uint16_t dual_port = 0;
    NTSTATUS status;
    ULONG in_size;
    size_t size;

    if (!c->in || c->in_size < 4 + 8) return pass(c, c->in, c->in_size);
    memset(&params, 0, sizeof(params));
    in_size = c->in_size < sizeof(params) ? c->in_size : (ULONG)sizeof(params); /* SOCKADDR_STORAGE is longer */
    memcpy(&params, c->in, in_size);
    size = in_size - 4;
    kind = address_kind(&a, &params.addr, size);
    if (kind == ADDRESS_OTHER) return pass(c, c->in, c->in_size);
    if (kind == ADDRESS_FOREIGN) {
        TRACE("bind", "refused", ((struct span){ NULL, 0 }));
        return STATUS_INVALID_ADDRESS_COMPONENT;
    }
    facts = look_at(c->handle, params.addr.family == WS_AF_INET6);
    if (address_is_wildcard(kind) && !params.addr.port) {
        if (!facts.stream) {
            note_bound(c->handle, kind, facts.v6_only ? SOCKET_V6_ONLY : 0);
            return pass(c, c->in, c->in_size);
        }
        if (bind_is_pending(c->handle)) return STATUS_ADDRESS_ALREADY_ASSOCIATED;
        if (slot_make(c->handle) && !c->apc && c->out_size >= addr_size(&params.addr)) {
            /* a second bind is an error that the real call reports */
            if (is_bound(c->handle)) return pass(c, c->in, c->in_size);
            note_bound(c->handle, kind, facts.v6_only ? SOCKET_BIND_PENDING | SOCKET_V6_ONLY : SOCKET_BIND_PENDING);
            memcpy(c->out, &params.addr, addr_size(&params.addr));
            c->io->Status = STATUS_SUCCESS;
            c->io->Information = addr_size(&params.addr);
            return STATUS_SUCCESS;
        }
    }
    TRACE("bind", "socket", ((struct span){ NULL, 0 }));
    if (kind != ADDRESS_OWN) {
        bool dual = kind == ADDRESS_ANY6 && !facts.v6_only;
        bool twin = (kind == ADDRESS_ANY6 && facts.v6_only) || kind == ADDRESS_LOOPBACK6;

        address_set(&params.addr, twin ? config.twin : config.address);
        dual_port = params.addr.family == WS_AF_INET6 ? params.addr.port : 0;
        is_dual_stack = dual;
    }
    status = pass(c, &params, in_size);
    if (!NT_SUCCESS(status)) return status;
    if (dual_port) set_dual(facts.stream, dual_port, is_dual_stack);
    note_bound(c->handle, kind, facts.v6_only ? SOCKET_V6_ONLY : 0);
    if (status == STATUS_SUCCESS && c->out && c->out_size >= 16) {
        if (kind == ADDRESS_ANY6 && !facts.v6_only && !params.addr.port)
            set_dual(facts.stream, ((struct ws_sockaddr *)c->out)->port, true);
        show(c->handle, c->out, c->out_size, kind);
    }
    return status;
}

/* ---- destinations ---- */

/* A sender whose address Linux would choose would come from 127.0.0.1: give it one of the silo's. */
static void choose_source(HANDLE handle, uint16_t family, bool v6_only)
{
    struct bind_params params = { 0 };
    struct ws_sockaddr bound;
    IO_STATUS_BLOCK io;

    if (bind_is_pending(handle) || is_bound(handle)) return;
    if (v6_only) note_bound(handle, ADDRESS_OTHER, SOCKET_V6_ONLY);
    params.addr.family = family;
    address_set(&params.addr, family == WS_AF_INET6 ? config.twin : config.address);
    real_NtDeviceIoControlFile(handle, NULL, NULL, NULL, &io, AFD_BIND, &params, (ULONG)(4 + addr_size(&params.addr)), &bound,
                               (ULONG)addr_size(&params.addr));
}

/* Change an address a program sends to. False: no silo may reach it. */
static bool redirect(HANDLE handle, struct ws_sockaddr *addr, size_t size, bool *changed)
{
    struct silo_addresses a = ours();
    enum address_kind kind = address_kind(&a, addr, size);

    *changed = false;
    if (kind == ADDRESS_FOREIGN) return false;
    if (kind == ADDRESS_OTHER || kind == ADDRESS_OWN) return true;
    *changed = true;
    if (addr->family == WS_AF_INET6) {
        struct socket_facts facts = look_at(handle, true);
        bool v6 = kind == ADDRESS_LOOPBACK6 || kind == ADDRESS_ANY6;

        if (v6) choose_source(handle, WS_AF_INET6, facts.v6_only);
        address_set(addr, v6 && !is_dual(facts.stream, addr->port) ? config.twin : config.address);
    }
    else address_set(addr, config.address);
    return true;
}

static NTSTATUS do_connect(const struct ioctl *c)
{
    const struct connect_params *params = c->in;
    struct slot *slot = slot_of(c->handle);
    struct ws_sockaddr addr;
    uint8_t *own;
    bool changed, heap;
    int32_t size;
    NTSTATUS status;

    if (!c->in || c->in_size < sizeof(*params) || (size = params->addr_len) < 8 ||
        (uint32_t)size > c->in_size - sizeof(*params))
        return pass(c, c->in, c->in_size);
    memset(&addr, 0, sizeof(addr));
    memcpy(&addr, params + 1, (size_t)size < sizeof(addr) ? (size_t)size : sizeof(addr));
    if (!redirect(c->handle, &addr, (size_t)size, &changed)) {
        TRACE("connect", "refused", ((struct span){ NULL, 0 }));
        return STATUS_CONNECTION_REFUSED;
    }
    if (slot && slot->kind == SLOT_SOCKET) {
        if ((slot->flags & SOCKET_BIND_PENDING) && (status = bind_late(c->handle, changed))) return status;
        slot->flags |= SOCKET_CONNECTED;
    }
    if (!changed) return pass(c, c->in, c->in_size);
    /* a connected datagram socket gets answers to its own address only */
    if (addr.family == WS_AF_INET && !look_at(c->handle, false).stream) choose_source(c->handle, WS_AF_INET, false);
    TRACE("connect", "socket", ((struct span){ NULL, 0 }));
    heap = c->in_size > THREAD_BUFFER;
    if (!(own = heap ? malloc(c->in_size) : thread_buffer(1))) return STATUS_NO_MEMORY;
    memcpy(own, c->in, c->in_size);
    memcpy(own + sizeof(*params), &addr, (size_t)size < sizeof(addr) ? (size_t)size : sizeof(addr));
    status = pass(c, own, c->in_size);
    if (heap) free(own);
    return status;
}

/* A send that does not end at once keeps the address's place: it must outlive the call. */
static struct ws_sockaddr *lasting_address(void)
{
    static struct ws_sockaddr ring[512];
    static _Atomic unsigned int next;

    return &ring[atomic_fetch_add(&next, 1) % (sizeof(ring) / sizeof(ring[0]))];
}

static NTSTATUS do_send(const struct ioctl *c)
{
    struct sendmsg_params params;
    struct ws_sockaddr *addr;
    bool changed;

    if (!c->in || c->in_size != sizeof(params)) return pass(c, c->in, c->in_size);
    memcpy(&params, c->in, sizeof(params));
    if (!params.addr || params.addr_len < 8) return pass(c, c->in, c->in_size);
    addr = lasting_address();
    memset(addr, 0, sizeof(*addr));
    memcpy(addr, (const void *)(uintptr_t)params.addr, params.addr_len < sizeof(*addr) ? params.addr_len : sizeof(*addr));
    if (!redirect(c->handle, addr, params.addr_len, &changed)) return STATUS_CONNECTION_REFUSED;
    if (!changed) return pass(c, c->in, c->in_size);
    TRACE("sendto", "socket", ((struct span){ NULL, 0 }));
    params.addr = (uint64_t)(uintptr_t)addr;
    if (params.addr_len > sizeof(*addr)) params.addr_len = sizeof(*addr);
    return pass(c, &params, sizeof(params));
}

/* ---- names read back ---- */

static NTSTATUS do_getsockname(const struct ioctl *c)
{
    const struct slot *slot = slot_of(c->handle);
    enum address_kind bound = ADDRESS_OTHER;
    NTSTATUS status = pass(c, c->in, c->in_size);

    if (status || !c->out) return status;
    if (slot && slot->kind == SLOT_SOCKET && !(slot->flags & SOCKET_CONNECTED)) bound = slot->state;
    show(c->handle, c->out, c->out_size, bound);
    return status;
}

static NTSTATUS do_getpeername(const struct ioctl *c)
{
    NTSTATUS status = pass(c, c->in, c->in_size);

    if (!status && c->out) show(c->handle, c->out, c->out_size, ADDRESS_OTHER);
    return status;
}

static NTSTATUS do_recv(const struct ioctl *c)
{
    struct recvmsg_params params = { 0 };
    NTSTATUS status;

    if (c->in && c->in_size == sizeof(params)) memcpy(&params, c->in, sizeof(params));
    status = pass(c, c->in, c->in_size);
    if (!status && params.addr && params.addr_len) {
        int32_t size = *(int32_t *)(uintptr_t)params.addr_len;

        if (size >= 8) show(c->handle, (void *)(uintptr_t)params.addr, (size_t)size, ADDRESS_OTHER);
    }
    return status;
}

#define IOCTL_CONDRV_BIND_PID 0x5000ccu /* wine/condrv.h: use the console of the process with this id */

NTSTATUS hook_NtDeviceIoControlFile(HANDLE handle, HANDLE event, PIO_APC_ROUTINE apc, void *apc_context,
                                    IO_STATUS_BLOCK *io, ULONG code, void *in, ULONG in_size, void *out, ULONG out_size)
{
    const struct ioctl c = { handle, event, apc, apc_context, io, code, in, in_size, out, out_size };

    if (code == IOCTL_CONDRV_BIND_PID && !console_is_ours(in, in_size)) return STATUS_INVALID_CID;
    if (code >> 16 == MOUNT_MANAGER)
        return mount_manager_control(handle, event, apc, apc_context, io, code, in, in_size, out, out_size);
    if (!is_afd(code)) return pass(&c, in, in_size);
    if (code == AFD_BIND) return do_bind(&c);
    if (code == AFD_CONNECT) return do_connect(&c);
    switch (code) {
    case AFD_LISTEN:
    case AFD_SENDMSG:
    case AFD_RECVMSG:
    case AFD_GETSOCKNAME:
        if (bind_is_pending(handle)) bind_late(handle, true);
    }
    switch (code) {
    case AFD_SENDMSG: return do_send(&c);
    case AFD_RECVMSG: return do_recv(&c);
    case AFD_GETSOCKNAME: return do_getsockname(&c);
    case AFD_GETPEERNAME: return do_getpeername(&c);
    default: return pass(&c, in, in_size);
    }
}
