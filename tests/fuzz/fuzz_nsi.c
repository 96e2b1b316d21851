/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tables of the network store interface: an input is a request, then the table it brings, of whatever size it says.
 * No byte outside of the table is touched, no row is made but one, and no address of another silo's is left. */
#include "fuzz.h"
#include "nsi.h"

const char *const fuzz_words[] = { "\x4a\x01\x01", "\x7f\x07", "\xff\xff\x7f\x07", "\x02\x01\x01\x01", "\x17\x01", NULL };

static const uint8_t own[4] = { 127, 7, 0, 7 }, twin[4] = { 127, 135, 0, 7 };
static struct network net;

static struct network *network_of(uint32_t id)
{
    (void)id;
    return NULL;
}

static struct reach here(bool stream)
{
    return (struct reach){ { own, twin }, &net, network_of, stream, false };
}

static bool is_ours(uint32_t pid)
{
    return pid & 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct nsi_view view = { &net, { own, twin }, is_ours, here };
    struct nsi_request request;
    enum nsi_table table;
    uint32_t before, after;
    uint64_t needed;
    uint8_t *out;

    if (size < sizeof(request)) return 0;
    memcpy(&request, data, sizeof(request));
    data += sizeof(request);
    size -= sizeof(request);
    if (request.count > 64) request.count = 64;
    table = nsi_table(&request);
    needed = nsi_size(&request);
    if (table == NSI_OTHER || !needed || needed < sizeof(uint32_t)) return 0;
    out = allocate(needed);
    memset(out, 0, needed);
    memcpy(out, data, size < needed ? size : needed);
    memcpy(&before, out, sizeof(before));
    nsi_filter(&view, table, &request, out);
    memcpy(&after, out, sizeof(after));
    if (before > request.count) REQUIRE(after == before);
    else REQUIRE(after <= before + (table == NSI_UNICAST4) && after <= request.count);
    free(out);
    return 0;
}
