/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Names and interfaces: what ws2_32.so and ntdll.so ask of the C library. The machine's name leads to the silo's
 * address, and the name of a linked silo to that one's; the interfaces are lo with 127.0.0.1 and another one,
 * which has the silo's address. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "network.h"
#include "silo.h"

#define EXPORT __attribute__((visibility("default")))
#define NEXT(name)                   \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

enum { NAME_MAX_SIZE = 256 };

static int real_gethostname(char *name, size_t size)
{
    NEXT(gethostname);

    return real(name, size);
}

/* What Wine's gethostbyname (ws2_32's protocol.c, 8 to 10) has for the machine's name. If that is the name asked for,
 * Windows code lists the interfaces itself and puts an address of Wine's own in place of the silo's. With a final dot
 * it is the same name, and leads to the function below. */
enum { GETHOSTBYNAME_ROOM = 100 };

EXPORT int gethostname(char *name, size_t size)
{
    int result = real_gethostname(name, size);
    size_t n;

    if (!network || result || size != GETHOSTBYNAME_ROOM) return result;
    n = strnlen(name, size);
    if (n && n + 1 < size && name[n - 1] != '.') memcpy(name + n, ".", 2);
    return result;
}

/* ---- names to addresses ---- */

/* is name the machine's, with or without its domain? */
static bool is_host_name(const char *name)
{
    char host[NAME_MAX_SIZE];
    size_t n = strlen(name), first;

    if (real_gethostname(host, sizeof(host))) return false;
    host[sizeof(host) - 1] = 0;
    if (n && name[n - 1] == '.') n--;
    if (n == strlen(host) && !strncasecmp(name, host, n)) return true;
    first = strcspn(host, ".");
    return n == first && !strncasecmp(name, host, first);
}

/* the address of a name that is the silo's business */
static bool address_of_name(const char *name, uint8_t v4[4])
{
    if (!network || !name || !*name) return false;
    if (!is_host_name(name)) return network_link_named(network, name, v4);
    memcpy(v4, config.address, 4);
    return true;
}

/* the name of an address that is the silo's business */
static bool name_of_address(const uint8_t v4[4], char name[NAME_MAX_SIZE])
{
    if (!memcmp(v4, config.address, 4)) return !real_gethostname(name, NAME_MAX_SIZE);
    return network_link_name(network, v4, name);
}

/* the canonical name of a numeric address is its text: give it the name instead */
static void set_canonical_name(struct addrinfo *list, const char *name)
{
    char *copy;

    if (!list->ai_canonname || !(copy = strdup(name))) return;
    free(list->ai_canonname);
    list->ai_canonname = copy;
}

EXPORT int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **list)
{
    struct addrinfo numeric = { .ai_flags = AI_V4MAPPED | AI_ADDRCONFIG };
    char text[INET6_ADDRSTRLEN];
    uint8_t v4[4];
    int result;
    NEXT(getaddrinfo);

    if (!address_of_name(node, v4)) return real(node, service, hints, list);
    inet_ntop(AF_INET, v4, text, sizeof(text));
    if (hints) {
        numeric = *hints;
        /* an IPv6 name for the silo itself only */
        if (hints->ai_family == AF_INET6 && !(hints->ai_flags & AI_V4MAPPED) && !memcmp(v4, config.address, 4))
            strcpy(text, "::1");
    }
    numeric.ai_flags &= ~AI_ADDRCONFIG;
    if (!(numeric.ai_flags & AI_NUMERICHOST)) result = real(text, service, &numeric, list);
    else result = real(node, service, hints, list);
    if (!result) set_canonical_name(*list, node);
    return result;
}

/* ---- the older functions ---- */

/* Lay out a struct hostent with one name and one address in a buffer; false: it is too small. */
static bool make_hostent(struct hostent *host, char *buffer, size_t size, const char *name, const uint8_t v4[4])
{
    struct {
        char *aliases[1], *addresses[2];
        uint8_t addr[4];
    } *out;
    size_t skip = -(uintptr_t)buffer % sizeof(void *), n = strlen(name) + 1;

    if (size < skip + sizeof(*out) + n) return false;
    out = (void *)(buffer + skip);
    memcpy(out->addr, v4, 4);
    out->aliases[0] = NULL;
    out->addresses[0] = (char *)out->addr;
    out->addresses[1] = NULL;
    memcpy(out + 1, name, n);
    *host = (struct hostent){ (char *)(out + 1), out->aliases, AF_INET, 4, out->addresses };
    return true;
}

EXPORT int gethostbyname_r(const char *name, struct hostent *host, char *buffer, size_t size, struct hostent **result,
                           int *error)
{
    uint8_t v4[4];
    NEXT(gethostbyname_r);

    if (!address_of_name(name, v4)) return real(name, host, buffer, size, result, error);
    *result = NULL;
    *error = NETDB_INTERNAL;
    if (!make_hostent(host, buffer, size, name, v4)) return ERANGE;
    *error = NETDB_SUCCESS;
    *result = host;
    return 0;
}

EXPORT struct hostent *gethostbyname(const char *name)
{
    static struct hostent host;
    static char buffer[NAME_MAX_SIZE + 64];
    uint8_t v4[4];
    NEXT(gethostbyname);

    if (!address_of_name(name, v4) || !make_hostent(&host, buffer, sizeof(buffer), name, v4)) return real(name);
    return &host;
}

EXPORT int gethostbyaddr_r(const void *addr, socklen_t addr_size, int family, struct hostent *host, char *buffer,
                           size_t size, struct hostent **result, int *error)
{
    char name[NAME_MAX_SIZE];
    NEXT(gethostbyaddr_r);

    if (!network || family != AF_INET || addr_size != 4 || !name_of_address(addr, name))
        return real(addr, addr_size, family, host, buffer, size, result, error);
    *result = NULL;
    *error = NETDB_INTERNAL;
    if (!make_hostent(host, buffer, size, name, addr)) return ERANGE;
    *error = NETDB_SUCCESS;
    *result = host;
    return 0;
}

EXPORT int getnameinfo(const struct sockaddr *addr, socklen_t addr_size, char *host, socklen_t host_size, char *service,
                       socklen_t service_size, int flags)
{
    const uint8_t *v4 = (const uint8_t *)&((const struct sockaddr_in *)addr)->sin_addr;
    char name[NAME_MAX_SIZE];
    NEXT(getnameinfo);

    if (!network || !host || !host_size || (flags & NI_NUMERICHOST) || addr_size < sizeof(struct sockaddr_in) ||
        addr->sa_family != AF_INET || !name_of_address(v4, name))
        return real(addr, addr_size, host, host_size, service, service_size, flags);
    if (strlen(name) >= host_size) return EAI_OVERFLOW;
    strcpy(host, name);
    return service && service_size ? real(addr, addr_size, NULL, 0, service, service_size, flags) : 0;
}

/* ---- interfaces ---- */

static bool is_loopback4(const struct ifaddrs *i)
{
    return ((const uint8_t *)&((const struct sockaddr_in *)i->ifa_addr)->sin_addr)[0] == 127;
}

static bool is_v4(const struct ifaddrs *i)
{
    return i->ifa_addr && i->ifa_addr->sa_family == AF_INET;
}

static void set_v4(struct sockaddr *addr, const uint8_t v4[4])
{
    struct sockaddr_in *in = (struct sockaddr_in *)addr;

    if (!addr) return;
    memset(in, 0, sizeof(*in));
    in->sin_family = AF_INET;
    memcpy(&in->sin_addr, v4, 4);
}

/* The entry that gets the silo's address: another interface's IPv4 address, else the packet-level entry of one that
 * is up, which has the room. */
static struct ifaddrs *entry_to_change(struct ifaddrs *list)
{
    struct ifaddrs *i;

    for (i = list; i; i = i->ifa_next)
        if (is_v4(i) && !is_loopback4(i)) return i;
    for (i = list; i; i = i->ifa_next)
        if (i->ifa_addr && i->ifa_addr->sa_family == AF_PACKET && (i->ifa_flags & IFF_UP)) return i;
    return NULL;
}

EXPORT int getifaddrs(struct ifaddrs **list)
{
    static const uint8_t mask[4] = { 255, 255, 255, 255 }; /* as SILO_PREFIX */
    struct ifaddrs *ours, **link;
    int result;
    NEXT(getifaddrs);

    result = real(list);
    if (result || !network || !*list || !(ours = entry_to_change(*list))) return result;
    if (ours->ifa_addr->sa_family == AF_PACKET) {
        /* its broadcast address has room for the mask */
        ours->ifa_netmask = ours->ifa_broadaddr;
        ours->ifa_broadaddr = NULL;
        ours->ifa_flags &= ~(unsigned int)IFF_BROADCAST;
        ours->ifa_data = NULL;
    }
    set_v4(ours->ifa_addr, config.address);
    set_v4(ours->ifa_netmask, mask);
    /* the first entry is what freeifaddrs frees: it is never unlinked; glibc lists packet-level entries first */
    for (link = &(*list)->ifa_next; *link;) {
        struct ifaddrs *i = *link;
        bool keep = i == ours || !is_v4(i) || (i->ifa_flags & IFF_LOOPBACK);

        if (keep) link = &i->ifa_next;
        else *link = i->ifa_next;
    }
    return result;
}
