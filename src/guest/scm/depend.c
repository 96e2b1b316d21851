/* What depends on what, and in which order groups are loaded.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "scm.h"

#include <wchar.h>

/* Parts of a Windows kernel and of its security subsystem that services name as dependencies. Wine has them in the
 * wineserver and its libraries, and neither driver nor service in the database: they always run. */
static const WCHAR *const built_in[] = {L"Tcpip",    L"Tcpip6",  L"Afd",  L"NetBT", L"Tdx", L"NSI",
                                        L"nsiproxy", L"KSecDD",  L"Npfs", L"Msfs",  L"Mup", L"NDIS",
                                        L"RDBSS",    L"MRxSmb",  L"SamSS", L"NTLMSSP"};

BOOL is_driver(const struct service *service)
{
    return !(service->config.type & SERVICE_WIN32);
}

/* The drivers that a silo shares are marked, and disabled in it: they run on the host. */
BOOL is_hosts_driver(const struct service *service)
{
    return is_driver(service) && service->config.hosts && service->config.start == SERVICE_DISABLED;
}

static BOOL is_built_in(const WCHAR *name)
{
    for (unsigned i = 0; i < COUNT(built_in); i++)
        if (same(name, built_in[i]))
            return TRUE;
    return FALSE;
}

BOOL in_group(const struct service *service, const WCHAR *group)
{
    return service->config.group && same(service->config.group, group);
}

/* ---- is it possible at all? ---- */

enum mark { NOT_SEEN, ON_THE_WAY, SEEN };

static DWORD visit(struct service *service)
{
    DWORD error = ERROR_SUCCESS;

    if (service->mark == ON_THE_WAY)
        return ERROR_CIRCULAR_DEPENDENCY;
    if (service->mark == SEEN || is_hosts_driver(service))
        return ERROR_SUCCESS;
    service->mark = ON_THE_WAY;
    for (WCHAR *name = service->config.need_services; !error && name && *name; name += wcslen(name) + 1) {
        struct service *needed = find_service(name);

        if (needed)
            error = needed->deleted ? ERROR_SERVICE_DEPENDENCY_DELETED : visit(needed);
        else if (!is_built_in(name))
            error = ERROR_SERVICE_DEPENDENCY_DELETED;
    }
    for (WCHAR *group = service->config.need_groups; !error && group && *group; group += wcslen(group) + 1)
        for (struct service *member = services; member && !error; member = member->next)
            if (in_group(member, group))
                error = visit(member);
    service->mark = SEEN;
    return error;
}

/* Whether all that it needs is there, and not in a circle: 0, 1059 or 1075. */
DWORD check_needed(struct service *service)
{
    for (struct service *other = services; other; other = other->next)
        other->mark = NOT_SEEN;
    return visit(service);
}

/* ---- dependents ---- */

static BOOL needs(const struct service *service, const struct service *needed)
{
    for (WCHAR *name = service->config.need_services; name && *name; name += wcslen(name) + 1)
        if (same(name, needed->name))
            return TRUE;
    return FALSE;
}

/* A group's dependents need one of its members: the last one that is active can't stop. */
static BOOL needs_group(const struct service *service, const struct service *needed)
{
    const WCHAR *group = needed->config.group;
    BOOL named = FALSE;

    if (!group || !*group)
        return FALSE;
    for (WCHAR *name = service->config.need_groups; name && *name; name += wcslen(name) + 1)
        named |= same(name, group);
    for (struct service *other = services; named && other; other = other->next)
        if (other != needed && in_group(other, group) && other->status.dwCurrentState != SERVICE_STOPPED)
            return FALSE;
    return named;
}

BOOL state_matches(const struct service *service, DWORD states)
{
    return !!(states & (service->status.dwCurrentState == SERVICE_STOPPED ? SERVICE_INACTIVE : SERVICE_ACTIVE));
}

/* Those that depend on it, directly or not, the outermost first, as EnumDependentServices orders them: the reverse of
 * the order in which they start. The list is to be released. */
unsigned collect_dependents(struct service *service, DWORD states, struct service ***list)
{
    struct service **found = NULL;
    unsigned total = 0, count = 0, next = 0;

    for (struct service *other = services; other; other = other->next) {
        other->mark = NOT_SEEN;
        total++;
    }
    found = allocate((total + 1) * sizeof(*found));
    service->mark = SEEN;
    for (struct service *target = service; target; target = next < count ? found[next++] : NULL)
        for (struct service *other = services; other; other = other->next)
            if (other->mark == NOT_SEEN && (needs(other, target) || needs_group(other, target))) {
                other->mark = SEEN;
                found[count++] = other;
            }
    for (unsigned i = 0; i < count / 2; i++) {
        struct service *swap = found[i];

        found[i] = found[count - 1 - i];
        found[count - 1 - i] = swap;
    }
    total = 0;
    for (unsigned i = 0; i < count; i++)
        if (state_matches(found[i], states))
            found[total++] = found[i];
    *list = found;
    return total;
}

/* ---- load order ---- */

static multi_sz group_order;

/* The registry is asked anew at each boot only; the lists are Windows' documented ones. */
static multi_sz read_list(const WCHAR *path, const WCHAR *name, DWORD *bytes)
{
    multi_sz list = NULL;
    DWORD type, size = 0;
    HKEY key;

    *bytes = 0;
    if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, path, 0, KEY_READ, &key))
        return NULL;
    if (!RegQueryValueExW(key, name, NULL, &type, NULL, &size) && size) {
        list = allocate(size + 2 * sizeof(*list));
        if (RegQueryValueExW(key, name, NULL, &type, (BYTE *)list, &size))
            size = 0;
        *bytes = size;
    }
    RegCloseKey(key);
    return list;
}

void forget_groups(void)
{
    release(group_order);
    group_order = NULL;
}

/* The group's place in ServiceGroupOrder\List; those that are not in it come last. */
DWORD group_position(const WCHAR *group)
{
    DWORD position = 0, bytes;
    WCHAR *name;

    if (!group || !*group)
        return MAXDWORD;
    if (!group_order)
        group_order = read_list(L"System\\CurrentControlSet\\Control\\ServiceGroupOrder", L"List", &bytes);
    for (name = group_order; name && *name; name += wcslen(name) + 1, position++)
        if (same(name, group))
            return position;
    return MAXDWORD - 1;
}

/* One that no service of the group has: [MS-SCMR] 3.1.4.12, lpdwTagId. */
DWORD new_tag(const WCHAR *group)
{
    DWORD highest = 0;

    for (struct service *service = services; service; service = service->next)
        if (in_group(service, group) && service->config.tag > highest)
            highest = service->config.tag;
    return highest + 1;
}

/* The tag's place in GroupOrderList\GROUP, a REG_BINARY of u32: how many, and the tags in order. */
DWORD tag_position(const WCHAR *group, DWORD tag)
{
    DWORD bytes, position = MAXDWORD, *tags;

    if (!group || !tag)
        return position;
    tags = (DWORD *)read_list(L"System\\CurrentControlSet\\Control\\GroupOrderList", group, &bytes);
    for (DWORD i = 1; tags && i < bytes / sizeof(*tags) && i <= tags[0]; i++)
        if (tags[i] == tag && position == MAXDWORD)
            position = i;
    release(tags);
    return position == MAXDWORD ? MAXDWORD - 1 : position;
}
