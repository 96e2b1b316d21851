/* Where a PDU of connection-oriented RPC ends.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * [C706] 12.6.3.1, the fields that all PDUs begin with: u8 rpc_vers (5), u8 rpc_vers_minor (0 or 1), u8 PTYPE, u8 pfc_flags,
 * u8 packed_drep[4], u16 frag_length at offset 8, u16 auth_length, u32 call_id. frag_length counts all octets of the PDU,
 * these 16 included. Its order of bytes is the sender's: [C706] 14.1, the high half of drep[0] is 0 (big) or 1 (little). */
#ifndef WINESILO_PDU_H
#define WINESILO_PDU_H

#include <stddef.h>
#include <stdint.h>

enum { PDU_HEAD = 16, PDU_MAX = 0xffff };

/* The size of the PDU that data begin with; 0 while there are fewer than PDU_HEAD octets, -1 if it is none. */
long pdu_size(const uint8_t *data, size_t size);

#endif
