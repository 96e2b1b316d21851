/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A stream of octets, cut into PDUs as they arrive: more octets never change what fewer have said. */
#include "fuzz.h"
#include "pdu.h"

const char *const fuzz_words[] = { "\x05\x01\x0b\x03\x10\x01\x01\x01\x48", "\x05\x01", "\x10", "\xff\xff", NULL };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = (uint8_t *)exact_copy(data, size);
    size_t at = 0, have;
    long length = 0;

    while (at < size && length >= 0) {
        for (have = 0, length = 0; !length && have <= size - at; have++) {
            length = pdu_size(copy + at, have);
            REQUIRE(length <= PDU_MAX && (length <= 0 || (have == PDU_HEAD && length >= PDU_HEAD)));
        }
        if (length <= 0) break;
        REQUIRE(pdu_size(copy + at, size - at) == length);
        at += (size_t)length;
    }
    free(copy);
    return 0;
}
