/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tables of interfaces and sockets: ioctls of nsiproxy, whose results are changed as nsi.c says. */
#define _GNU_SOURCE
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "nsi.h"
#include "socket.h"

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
    uint8_t *buffer;
    NTSTATUS status;
    uint64_t size;

    request->static_size = nsi_static_size(table);
    size = nsi_size(request);
    if (!size || !(buffer = allocate(size))) return STATUS_NO_MEMORY;
    status = own_ioctl(c->handle, c->code, request, sizeof(*request), buffer, (ULONG)size);
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

NTSTATUS do_tables(const struct ioctl *c)
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
NTSTATUS do_row(const struct ioctl *c)
{
    struct {
        struct nsi_row_request head;
        uint8_t key[NSI_ADDRESS_KEY];
    } asked;
    struct nsi_request all;
    NTSTATUS status;
    uint8_t *keys;
    bool silos;

    if (!c->in || c->in_size != sizeof(asked)) return pass(c, c->in, c->in_size);
    memcpy(&asked, c->in, sizeof(asked));
    if (!nsi_asks_address(&asked.head, &all) || memcmp(asked.key + 8, config.address, 4)) return pass(c, c->in, c->in_size);
    if (c->apc || c->event || !c->out || c->out_size < asked.head.rw_size) return pass(c, c->in, c->in_size);
    if (!(keys = allocate(nsi_size(&all)))) return STATUS_NO_MEMORY;
    status = own_ioctl(c->handle, NSI_ENUMERATE_ALL, &all, sizeof(all), keys, (ULONG)nsi_size(&all));
    silos = !status && nsi_host_key(config.address, keys, asked.key, asked.key);
    release(keys);
    status = pass(c, &asked, sizeof(asked));
    if (silos && !NT_ERROR(status)) nsi_show_address(&asked.head, c->out);
    return status;
}
