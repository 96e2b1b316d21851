/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Where PDUs end, as [C706] 12.6.3.1 has it. */
#include "check.h"
#include "pdu.h"

static const struct {
    const char *name;
    uint8_t head[PDU_HEAD];
    size_t size;
    long expected;
} rows[] = {
    { "nothing", { 0 }, 0, 0 },
    { "version only", { 5 }, 1, 0 },
    { "head without its last octet", { 5, 0, 11, 3, 0x10, 0, 0, 0, 72 }, 15, 0 },
    { "little", { 5, 0, 11, 3, 0x10, 0, 0, 0, 0x48, 0x01 }, 16, 0x148 },
    { "big", { 5, 0, 11, 3, 0x00, 0, 0, 0, 0x01, 0x48 }, 16, 0x148 },
    { "EBCDIC and VAX, the low half and other octets", { 5, 1, 0, 3, 0x11, 1, 0, 0, 0x10, 0 }, 16, 16 },
    { "largest", { 5, 0, 0, 3, 0x10, 0, 0, 0, 0xff, 0xff }, 16, PDU_MAX },
    { "shorter than its head", { 5, 0, 0, 3, 0x10, 0, 0, 0, 15, 0 }, 16, -1 },
    { "no length", { 5, 0, 0, 3, 0x10 }, 16, -1 },
    { "order of bytes", { 5, 0, 0, 3, 0x20, 0, 0, 0, 72, 0 }, 16, -1 },
    { "version 4", { 4 }, 1, -1 },
    { "minor 2", { 5, 2 }, 2, -1 },
};

int main(void)
{
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t *exact = malloc(rows[i].size ? rows[i].size : 1);

        memcpy(exact, rows[i].head, rows[i].size);
        CHECK_ROW(rows[i].name, pdu_size(exact, rows[i].size) == rows[i].expected);
        free(exact);
    }
    return failed != 0;
}
