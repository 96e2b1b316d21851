/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tables of the network store interface (nsiproxy), which GetTcpTable, GetAdaptersAddresses and their like are made
 * of: rows that are not the silo's are taken out, addresses shown as programs know them. Pure. */
#ifndef WINESILO_NSI_H
#define WINESILO_NSI_H

#include "network.h"

/* the ioctl that asks for a whole table, and its input (Wine 8 to 10) */
enum { NSI_ENUMERATE_ALL = 0x121000 };

struct nsi_request {
    uint16_t module_size; /* NPI_MODULEID, a GUID */
    uint8_t module_pad[2];
    uint32_t module_type;
    uint8_t module[16];
    uint32_t first, second, table;
    uint32_t key_size, rw_size, dynamic_size, static_size;
    uint32_t count;
};
_Static_assert(sizeof(struct nsi_request) == 56, "as Wine has it");

/* the ioctl that asks for one row, by its key, and its input, which the key follows */
enum { NSI_GET_ALL_PARAMETERS = 0x121004 };

struct nsi_row_request {
    uint16_t module_size;
    uint8_t module_pad[2];
    uint32_t module_type;
    uint8_t module[16];
    uint32_t first, table;
    uint32_t key_size, rw_size, dynamic_size, static_size;
};
_Static_assert(sizeof(struct nsi_row_request) == 48, "as Wine has it");

enum nsi_table { NSI_OTHER, NSI_UNICAST4, NSI_TCP, NSI_UDP };

/* Which table is asked for, and whether the sizes of its rows are those that are known. */
enum nsi_table nsi_table(const struct nsi_request *request);

/* Sockets are told apart by their process: the size of the column that has it */
uint32_t nsi_static_size(enum nsi_table table);

struct nsi_view {
    const struct network *network;
    struct silo_addresses silo;
    bool (*is_ours)(uint32_t pid);
    struct reach (*here)(bool stream);
};

/* Size of what a request brings; 0: too much. */
uint64_t nsi_size(const struct nsi_request *request);

/* Filter the table in *out: {count, keys, rw, dynamic, static}, each column of request->count rows. Writes the new
 * count. rows is what the driver counted, it may be more than fit. */
void nsi_filter(const struct nsi_view *view, enum nsi_table table, const struct nsi_request *request, uint8_t *out);

/* A row of the IPv4 addresses, as programs see it: the request for the whole table's keys ... */
enum { NSI_ADDRESSES = 256, NSI_ADDRESS_KEY = 16 };
bool nsi_asks_address(const struct nsi_row_request *row, struct nsi_request *keys);
/* ... then the key of the host's row that is shown as the silo's address, out of those keys ({count, keys}); false:
 * key does not name the silo's row. */
bool nsi_host_key(const uint8_t own[4], const uint8_t *out, const uint8_t *key, uint8_t *host_key);
/* ... and what the row says, changed like the table's */
void nsi_show_address(const struct nsi_row_request *row, uint8_t *out);

#endif
