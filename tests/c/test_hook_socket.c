/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * hook_socket.c before a pretended Wine that notes the address it is given: programs pass addresses in
 * buffers of any size, and none may get past the silo's address. */
#include <arpa/inet.h>

#include "addresses.h"
#include "check.h"
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

enum { AFD_BIND = 0x12003, AFD_CONNECT = 0x12032c, AFD_SENDMSG = 0x120338, PORT = 4660 };

static const HANDLE handle = (HANDLE)(uintptr_t)0x44;
static struct ws_sockaddr given;
static int calls;

/* where in the input of a call its address is */
static const void *address_in(ULONG code, const void *in)
{
    uint64_t pointer;

    if (code == AFD_BIND) return (const uint8_t *)in + 4;
    if (code == AFD_CONNECT) return (const uint8_t *)in + 8;
    memcpy(&pointer, in, sizeof(pointer));
    return (const void *)(uintptr_t)pointer;
}

static NTSTATUS fake_ioctl(HANDLE h, HANDLE event, PIO_APC_ROUTINE apc, void *apc_context, IO_STATUS_BLOCK *io,
                           ULONG code, void *in, ULONG in_size, void *out, ULONG out_size)
{
    (void)h, (void)event, (void)apc, (void)apc_context, (void)io, (void)in_size, (void)out, (void)out_size;
    if (code == AFD_BIND || code == AFD_CONNECT || code == AFD_SENDMSG) {
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

static NTSTATUS send_to(const char *text, size_t size)
{
    uint8_t *addr = make_input(0, size, text), in[32] = { 0 };
    uint64_t pointer = (uintptr_t)addr;
    uint32_t length = (uint32_t)size;
    NTSTATUS status;

    memcpy(in, &pointer, sizeof(pointer));
    memcpy(in + 8, &length, sizeof(length));
    status = ioctl_call(AFD_SENDMSG, in, sizeof(in), NULL, 0);
    free(addr);
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
        CHECK_ROW(label, !send_to("127.0.0.1", sizes[i]) && gave("127.7.0.7"));
        CHECK_ROW(label, send_to("127.9.9.9", sizes[i]) && !calls);
    }
}

int main(void)
{
    static const uint8_t own[4] = { 127, 7, 0, 7 }, twin[4] = { 127, 135, 0, 7 };

    memcpy(config.address, own, 4);
    memcpy(config.twin, twin, 4);
    shared = calloc(1, sizeof(*shared));
    if (!shared) abort();
    real_sysv_NtDeviceIoControlFile = fake_ioctl;
    real_sysv_wine_server_handle_to_fd = fake_fd;
    test_sizes();
    free(shared);
    return failed != 0;
}
