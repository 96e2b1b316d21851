/* See pdu.h.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pdu.h"

enum { VERSION = 5, MINOR_MAX = 1, AT_MINOR = 1, AT_DREP = 4, AT_LENGTH = 8, BIG = 0, LITTLE = 1 };

long pdu_size(const uint8_t *data, size_t size)
{
    uint8_t order;
    long length;

    /* What can't become one is refused at its first octets: who sends it may never send more. */
    if ((size > 0 && data[0] != VERSION) || (size > AT_MINOR && data[AT_MINOR] > MINOR_MAX))
        return -1;
    if (size < PDU_HEAD)
        return 0;
    order = data[AT_DREP] >> 4;
    if (order == LITTLE)
        length = data[AT_LENGTH] | data[AT_LENGTH + 1] << 8;
    else if (order == BIG)
        length = data[AT_LENGTH] << 8 | data[AT_LENGTH + 1];
    else
        return -1;
    return length < PDU_HEAD ? -1 : length;
}
