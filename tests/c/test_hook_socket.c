/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * hook_socket.c and socket_unix.c before a pretended Wine that notes the address it is given: programs pass
 * addresses in buffers of any size, and none may get past the silo's address. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addresses.h"
#include "check.h"
#include "network.h"
#include "silo.h"

/* the real functions, as table.c has them */
#define REAL(name, params)                   \
    NTSTATUS(MS_ABI *real_ms_##name) params; \
    NTSTATUS (*real_sysv_##name) params;
#define SYSCALL(need, name, params, args) REAL(name, params)
#define IMPORT(name, params, args) REAL(name, params)
#include "syscalls.def"
#undef SYSCALL
#undef IMPORT

enum { AFD_BIND = 0x12003, AFD_CONNECT = 0x12032c, PORT = 4660 };

static const HANDLE handle = (HANDLE)(uintptr_t)0x44;
static struct ws_sockaddr given;
static int calls;

/* where in the input of a call its address is */
static const void *address_in(ULONG code, const void *in)
{
    return (const uint8_t *)in + (code == AFD_BIND ? 4 : 8);
}

static NTSTATUS fake_ioctl(HANDLE h, HANDLE event, PIO_APC_ROUTINE apc, void *apc_context, IO_STATUS_BLOCK *io,
                           ULONG code, void *in, ULONG in_size, void *out, ULONG out_size)
{
    (void)h, (void)event, (void)apc, (void)apc_context, (void)io, (void)in_size, (void)out, (void)out_size;
    if (code == AFD_BIND || code == AFD_CONNECT) {
        calls++;
        memset(&given, 0, sizeof(given));
        memcpy(&given, address_in(code, in), 16);
        return STATUS_SUCCESS;
    }
    return STATUS_INVALID_PARAMETER; /* AFD_GETSOCKNAME: not bound */
}

static NTSTATUS fake_fd(HANDLE h, unsigned int access, int *fd, unsigned int *options)
{
    (void)h, (void)access, (void)fd, (void)options;
    return STATUS_INVALID_HANDLE;
}

bool console_is_ours(const void *in, ULONG size) /* hook_process.c */
{
    (void)in, (void)size;
    return true;
}

/* an IPv4 address and what follows it, to size bytes, after head others */
static uint8_t *make_input(size_t head, size_t size, const char *text)
{
    uint8_t *in = calloc(1, head + size);
    struct ws_sockaddr addr = { .family = WS_AF_INET, .port = htons(PORT) };

    if (!in) abort();
    CHECK_ROW(text, inet_pton(AF_INET, text, addr.v4.addr) == 1);
    memcpy(in + head, &addr, 16);
    return in;
}

static NTSTATUS ioctl_call(ULONG code, void *in, size_t in_size, void *out, size_t out_size)
{
    IO_STATUS_BLOCK io = { 0 };

    calls = 0;
    return hook_NtDeviceIoControlFile(handle, NULL, NULL, NULL, &io, code, in, (ULONG)in_size, out, (ULONG)out_size);
}

static NTSTATUS bind_to(const char *text, size_t size)
{
    uint8_t *in = make_input(4, size, text), *out = calloc(1, size);
    NTSTATUS status = ioctl_call(AFD_BIND, in, 4 + size, out, size);

    free(in);
    free(out);
    slot_clear(handle);
    return status;
}

static NTSTATUS connect_to(const char *text, size_t size)
{
    uint8_t *in = make_input(8, size, text);
    int32_t length = (int32_t)size;
    NTSTATUS status;

    memcpy(in, &length, sizeof(length));
    status = ioctl_call(AFD_CONNECT, in, 8 + size, NULL, 0);
    free(in);
    return status;
}


static bool gave(const char *text)
{
    uint8_t addr[4];

    return calls == 1 && inet_pton(AF_INET, text, addr) == 1 && !memcmp(given.v4.addr, addr, 4) &&
           given.port == htons(PORT);
}

static void test_sizes(void)
{
    static const size_t sizes[] = { 16, 20, 28, 29, 127, 128, 129, 200, 4096 };
    size_t i;

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        char label[24];

        snprintf(label, sizeof(label), "%zu bytes", sizes[i]);
        CHECK_ROW(label, !bind_to("0.0.0.0", sizes[i]) && gave("127.7.0.7"));
        CHECK_ROW(label, !bind_to("127.0.0.1", sizes[i]) && gave("127.7.0.7"));
        CHECK_ROW(label, !bind_to("192.0.2.1", sizes[i]) && gave("192.0.2.1"));
        CHECK_ROW(label, bind_to("127.9.9.9", sizes[i]) && !calls);
        CHECK_ROW(label, !connect_to("127.0.0.1", sizes[i]) && gave("127.7.0.7"));
        CHECK_ROW(label, !connect_to("192.0.2.1", sizes[i]) && gave("192.0.2.1"));
        CHECK_ROW(label, connect_to("127.9.9.9", sizes[i]) && !calls);
    }
}

/* ---- the record ---- */

static struct audit_entry *noted(enum audit_space space, const char *text)
{
    size_t i;

    for (i = 0; i < AUDIT_ENTRIES; i++) {
        struct audit_entry *e = &audit->entries[i];
        struct audit_address a;
        uint8_t v4[4];

        if (!e->hash || e->space != space) continue;
        memcpy(&a, audit->text + e->text - 1, sizeof(a));
        if (inet_pton(AF_INET, text, v4) == 1 && !memcmp(a.addr, v4, 4)) return e;
    }
    return NULL;
}

/* An address that leaves the silo as the program gave it is noted as undeclared; nobody has to think of it. */
static void test_record(void)
{
    const struct {
        enum audit_space space;
        const char *address;
        enum audit_class class;
        unsigned int rule;
    } rows[] = {
        { AUDIT_BIND, "0.0.0.0", AUDIT_PRIVATE, RULE_BIND_OWN },
        { AUDIT_BIND, "192.0.2.1", AUDIT_UNDECLARED, RULE_NONE },
        { AUDIT_BIND, "127.9.9.9", AUDIT_REFUSED, RULE_BIND_FOREIGN },
        { AUDIT_CONNECT, "127.0.0.1", AUDIT_PRIVATE, RULE_CONNECT_OWN },
        { AUDIT_CONNECT, "192.0.2.1", AUDIT_SHARED, RULE_CONNECT_OUT },
        { AUDIT_CONNECT, "127.9.9.9", AUDIT_REFUSED, RULE_CONNECT_FOREIGN },
    };
    size_t i;

    if (!(audit = calloc(1, sizeof(*audit)))) abort();
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct audit_entry *e;

        if (rows[i].space == AUDIT_BIND) bind_to(rows[i].address, 16);
        else connect_to(rows[i].address, 16);
        e = noted(rows[i].space, rows[i].address);
        CHECK_ROW(rows[i].address, e && e->class == rows[i].class && e->rule == rows[i].rule);
    }
    CHECK(audit->entries_n == sizeof(rows) / sizeof(rows[0]));
    free(audit);
    audit = NULL;
}

/* ---- datagrams, between sockets of this process ---- */

static int socket_at(const char *address, struct sockaddr_in *name)
{
    socklen_t size = sizeof(*name);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    memset(name, 0, sizeof(*name));
    name->sin_family = AF_INET;
    CHECK_ROW(address, inet_pton(AF_INET, address, &name->sin_addr) == 1);
    CHECK_ROW(address, fd >= 0 && !bind(fd, (struct sockaddr *)name, size));
    CHECK_ROW(address, !getsockname(fd, (struct sockaddr *)name, &size));
    return fd;
}

static ssize_t send_text(int fd, const char *to, uint16_t port)
{
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = port };
    struct iovec text = { (void *)"hi", 2 };
    struct msghdr m = { .msg_name = &name, .msg_namelen = sizeof(name), .msg_iov = &text, .msg_iovlen = 1 };
    ssize_t sent;

    inet_pton(AF_INET, to, &name.sin_addr);
    sent = sendmsg(fd, &m, 0);
    CHECK_ROW(to, m.msg_name == &name && name.sin_port == port); /* the caller's stays as it is */
    return sent;
}

/* what a program sees of the sender and of the address that was sent to */
static bool received(int fd, const char *from, const char *at)
{
    struct sockaddr_in name = { 0 };
    char buffer[8], shown[INET_ADDRSTRLEN], control[64];
    struct iovec text = { buffer, sizeof(buffer) };
    struct msghdr m = { .msg_name = &name, .msg_namelen = sizeof(name), .msg_iov = &text, .msg_iovlen = 1,
                        .msg_control = control, .msg_controllen = sizeof(control) };
    struct cmsghdr *c;

    if (recvmsg(fd, &m, MSG_DONTWAIT) != 2) return false;
    if (strcmp(inet_ntop(AF_INET, &name.sin_addr, shown, sizeof(shown)), from)) return false;
    c = CMSG_FIRSTHDR(&m);
    return c && c->cmsg_type == IP_PKTINFO &&
           !strcmp(inet_ntop(AF_INET, &((struct in_pktinfo *)CMSG_DATA(c))->ipi_addr, shown, sizeof(shown)), at);
}

static void test_datagrams(void)
{
    struct sockaddr_in server_name, client_name;
    int server = socket_at("127.7.0.7", &server_name), client = socket_at("0.0.0.0", &client_name), yes = 1;

    setsockopt(server, IPPROTO_IP, IP_PKTINFO, &yes, sizeof(yes));
    setsockopt(client, IPPROTO_IP, IP_PKTINFO, &yes, sizeof(yes));
    network_note_bound(network, false, PLACE_OWN, server_name.sin_port, ADDRESS_ANY, 0);
    CHECK(send_text(client, "127.0.0.1", server_name.sin_port) == 2);
    CHECK(received(server, "127.0.0.1", "127.0.0.1"));
    CHECK(send_text(server, "127.0.0.1", client_name.sin_port) == 2);
    CHECK(received(client, "127.0.0.1", "127.0.0.1"));
    /* other silos and the host's other loopback addresses are out of reach, others are not its business */
    CHECK(send_text(client, "127.9.9.9", server_name.sin_port) < 0 && errno == ECONNREFUSED);
    CHECK(!received(server, "127.0.0.1", "127.0.0.1"));
    /* who bound the silo's own address knows it */
    network_note_bound(network, false, PLACE_OWN, server_name.sin_port, ADDRESS_OWN, 0);
    CHECK(send_text(client, "127.7.0.7", server_name.sin_port) == 2);
    CHECK(received(server, "127.7.0.7", "127.7.0.7"));
    close(server);
    close(client);
}

/* ---- AcceptEx: a reply that comes through a pipe, whole or in pieces ---- */

enum { DATA = 8, ROOM = 32, REPLY = DATA + 2 * ROOM };

static void make_reply(uint8_t reply[REPLY])
{
    struct ws_sockaddr addr = { .family = WS_AF_INET, .port = htons(PORT) };
    int32_t length = 16, i;

    memset(reply, 0x5a, REPLY);
    memcpy(addr.v4.addr, config.address, 4);
    for (i = 0; i < 2; i++) {
        memcpy(reply + DATA + i * ROOM, &length, sizeof(length));
        memcpy(reply + DATA + i * ROOM + sizeof(length), &addr, 16);
    }
}

static bool shows(const uint8_t *buffer, const char *address)
{
    char text[INET_ADDRSTRLEN];
    int i;

    for (i = 0; i < 2; i++)
        if (strcmp(inet_ntop(AF_INET, buffer + DATA + i * ROOM + 8, text, sizeof(text)), address)) return false;
    return true;
}

static void pass_through(int pipe_fds[2], const uint8_t *reply, uint8_t *buffer, size_t piece)
{
    size_t at;

    for (at = 0; at < REPLY; at += piece) {
        size_t n = REPLY - at < piece ? REPLY - at : piece;

        CHECK(write(pipe_fds[1], reply + at, n) == (ssize_t)n);
        CHECK(read(pipe_fds[0], buffer + at, REPLY - at) == (ssize_t)n);
    }
}

static void test_accept(void)
{
    uint8_t reply[REPLY], *buffer = malloc(REPLY);
    int pipe_fds[2], i;

    if (!buffer || pipe(pipe_fds)) abort();
    make_reply(reply);
    pass_through(pipe_fds, reply, buffer, REPLY);
    CHECK(shows(buffer, "127.7.0.7")); /* any other data is left alone */
    accept_note(buffer, REPLY, DATA, ROOM);
    pass_through(pipe_fds, reply, buffer, REPLY);
    CHECK(shows(buffer, "127.0.0.1"));
    pass_through(pipe_fds, reply, buffer, REPLY);
    CHECK(shows(buffer, "127.7.0.7")); /* once */
    for (i = 1; i < REPLY; i += 13) {
        accept_note(buffer, REPLY, DATA, ROOM);
        pass_through(pipe_fds, reply, buffer, (size_t)i);
        CHECK(shows(buffer, "127.0.0.1"));
    }
    for (i = 0; i < 100000; i++) accept_note((void *)(uintptr_t)(0x10000 + 16 * i), REPLY, DATA, ROOM);
    accept_note(buffer, REPLY, DATA, ROOM);
    pass_through(pipe_fds, reply, buffer, REPLY);
    CHECK(shows(buffer, "127.0.0.1"));
    accept_note(buffer, 8, UINT32_MAX, 16); /* no sizes get past the buffer */
    accept_note(buffer, REPLY, REPLY - 3, 3);
    pass_through(pipe_fds, reply, buffer, REPLY);
    free(buffer);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

int main(void)
{
    static const uint8_t own[4] = { 127, 7, 0, 7 }, twin[4] = { 127, 135, 0, 7 };

    memcpy(config.address, own, 4);
    memcpy(config.twin, twin, 4);
    shared = calloc(1, sizeof(*shared));
    network = calloc(1, sizeof(*network));
    if (!shared || !network) abort();
    real_sysv_NtDeviceIoControlFile = fake_ioctl;
    real_sysv_wine_server_handle_to_fd = fake_fd;
    test_sizes();
    test_record();
    test_datagrams();
    test_accept();
    free(network);
    free(shared);
    return failed != 0;
}
