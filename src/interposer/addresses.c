/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "addresses.h"

#include <string.h>
#include <sys/socket.h>

enum { SIZE_V4_USED = 8, SIZE_V6_USED = 24 };

static const uint8_t mapped_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
static const uint8_t loopback4[4] = { 127, 0, 0, 1 }, any4[4] = { 0, 0, 0, 0 };
static const uint8_t alias4[4] = { 127, 12, 34, 56 };
static const uint8_t loopback6[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 }, any6[16] = { 0 };

static enum address_kind kind_of_v4(const struct silo_addresses *silo, const uint8_t *a)
{
    if (!memcmp(a, any4, 4)) return ADDRESS_ANY;
    if (!memcmp(a, loopback4, 4)) return ADDRESS_LOOPBACK;
    if (!memcmp(a, alias4, 4)) return ADDRESS_ALIAS;
    if (!memcmp(a, silo->own, 4) || !memcmp(a, silo->twin, 4)) return ADDRESS_OWN;
    return a[0] == 127 ? ADDRESS_FOREIGN : ADDRESS_OTHER;
}

enum address_kind address_kind(const struct silo_addresses *silo, const void *addr, size_t size)
{
    struct ws_sockaddr a;

    if (size < SIZE_V4_USED) return ADDRESS_OTHER;
    memset(&a, 0, sizeof(a));
    memcpy(&a, addr, size < sizeof(a) ? size : sizeof(a));
    if (a.family == WS_AF_INET) return kind_of_v4(silo, a.v4.addr);
    if (a.family != WS_AF_INET6 || size < SIZE_V6_USED) return ADDRESS_OTHER;
    if (!memcmp(a.v6.addr, any6, 16)) return ADDRESS_ANY6;
    if (!memcmp(a.v6.addr, loopback6, 16)) return ADDRESS_LOOPBACK6;
    if (memcmp(a.v6.addr, mapped_prefix, 12)) return ADDRESS_OTHER;
    switch (kind_of_v4(silo, a.v6.addr + 12)) {
    case ADDRESS_ANY: return ADDRESS_MAPPED_ANY;
    case ADDRESS_LOOPBACK: return ADDRESS_MAPPED_LOOPBACK;
    case ADDRESS_OWN: return ADDRESS_OWN;
    case ADDRESS_FOREIGN: return ADDRESS_FOREIGN;
    case ADDRESS_ALIAS: return ADDRESS_ALIAS;
    default: return ADDRESS_OTHER;
    }
}

bool address_is_wildcard(enum address_kind kind)
{
    return kind == ADDRESS_ANY || kind == ADDRESS_ANY6 || kind == ADDRESS_MAPPED_ANY;
}

bool address_is_mapped(const struct ws_sockaddr *addr)
{
    return addr->family == WS_AF_INET6 && !memcmp(addr->v6.addr, mapped_prefix, 12);
}

const uint8_t *address_v4(const struct ws_sockaddr *addr)
{
    if (addr->family == WS_AF_INET) return addr->v4.addr;
    return address_is_mapped(addr) ? addr->v6.addr + 12 : NULL;
}

size_t address_size(const struct ws_sockaddr *addr)
{
    return addr->family == WS_AF_INET6 ? 28 : 16;
}

bool address_from_unix(struct ws_sockaddr *addr, const void *unix_addr, size_t size)
{
    memset(addr, 0, sizeof(*addr));
    if (size < SIZE_V4_USED) return false;
    memcpy(addr, unix_addr, size < sizeof(*addr) ? size : sizeof(*addr));
    if (addr->family == AF_INET) addr->family = WS_AF_INET;
    else if (addr->family == AF_INET6 && size >= SIZE_V6_USED) addr->family = WS_AF_INET6;
    else return false;
    return true;
}

void address_to_unix(void *unix_addr, const struct ws_sockaddr *addr)
{
    struct ws_sockaddr a = *addr;

    a.family = addr->family == WS_AF_INET6 ? AF_INET6 : AF_INET;
    memcpy(unix_addr, &a, address_size(addr));
}

void address_set(struct ws_sockaddr *addr, const uint8_t v4[4])
{
    if (addr->family == WS_AF_INET) {
        memcpy(addr->v4.addr, v4, 4);
        return;
    }
    memcpy(addr->v6.addr, mapped_prefix, 12);
    memcpy(addr->v6.addr + 12, v4, 4);
    addr->v6.scope = 0;
}

bool address_show(const struct silo_addresses *silo, void *addr, size_t size, enum address_kind bound)
{
    struct ws_sockaddr a;
    bool twin;

    if (bound == ADDRESS_OWN || address_kind(silo, addr, size) != ADDRESS_OWN) return false;
    memset(&a, 0, sizeof(a));
    memcpy(&a, addr, size < sizeof(a) ? size : sizeof(a));
    if (a.family == WS_AF_INET) memcpy(a.v4.addr, bound == ADDRESS_ANY ? any4 : bound == ADDRESS_ALIAS ? alias4 : loopback4, 4);
    else {
        twin = !memcmp(a.v6.addr + 12, silo->twin, 4);
        if (bound == ADDRESS_ANY6) memcpy(a.v6.addr, any6, 16);
        else if (bound == ADDRESS_LOOPBACK6 || (twin && bound == ADDRESS_OTHER)) memcpy(a.v6.addr, loopback6, 16);
        else memcpy(a.v6.addr + 12, bound == ADDRESS_MAPPED_ANY ? any4 : loopback4, 4);
    }
    memcpy(addr, &a, size < sizeof(a) ? size : sizeof(a));
    return true;
}

bool address_show_v6_only(const struct silo_addresses *silo, void *addr, size_t size, enum address_kind bound)
{
    bool shown = address_show(silo, addr, size, bound);
    struct ws_sockaddr a;

    if (bound == ADDRESS_OWN || size < SIZE_V6_USED || address_kind(silo, addr, size) != ADDRESS_MAPPED_LOOPBACK) return shown;
    memset(&a, 0, sizeof(a));
    memcpy(&a, addr, size < sizeof(a) ? size : sizeof(a));
    memcpy(a.v6.addr, loopback6, 16);
    memcpy(addr, &a, size < sizeof(a) ? size : sizeof(a));
    return true;
}
