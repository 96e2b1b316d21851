/* What starts with the silo: group by group, in each by tag, the delayed ones later.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "scm.h"

#define DEFAULT_DELAY_MS 120000

static void sort(struct service **list, unsigned count)
{
    for (unsigned i = 1; i < count; i++) {
        struct service *service = list[i];
        DWORD group = group_position(service->config.group);
        DWORD tag = tag_position(service->config.group, service->config.tag);
        unsigned at = i;

        for (; at; at--) {
            DWORD other = group_position(list[at - 1]->config.group);

            if (other < group ||
                (other == group && tag_position(list[at - 1]->config.group, list[at - 1]->config.tag) <= tag))
                break;
            list[at] = list[at - 1];
        }
        list[at] = service;
    }
}

static unsigned collect(DWORD start, BOOL delayed, struct service ***list)
{
    unsigned count = 0;

    for (struct service *service = services; service; service = service->next)
        count++;
    *list = allocate((count + 1) * sizeof(**list));
    count = 0;
    for (struct service *service = services; service; service = service->next)
        if (service->config.start == start && service->config.delayed == delayed)
            (*list)[count++] = hold(service);
    sort(*list, count);
    return count;
}

/* Those of a group with a tag start one after the other, the others side by side; a group is done when each of its
 * members has reported or failed. */
static void start_group(struct service **list, unsigned count)
{
    unsigned pending = 0;

    for (unsigned i = 0; i < count; i++) {
        if (list[i]->config.tag)
            start_service(list[i], 0, NULL);
        else
            start_later(list[i], &pending);
    }
    while (pending)
        wait_change(MAXULONGLONG);
}

static void start_all(struct service **list, unsigned count)
{
    unsigned first = 0;

    while (first < count) {
        DWORD group = group_position(list[first]->config.group);
        unsigned end = first + 1;

        while (end < count && group_position(list[end]->config.group) == group)
            end++;
        start_group(list + first, end - first);
        first = end;
    }
    for (unsigned i = 0; i < count; i++)
        let_go(list[i]);
    release(list);
    forget_groups();
}

/* In milliseconds, as Wine's SCM has it. */
static DWORD delay(void)
{
    DWORD delay = DEFAULT_DELAY_MS;
    HKEY key;

    if (!RegOpenKeyExW(HKEY_LOCAL_MACHINE, L"System\\CurrentControlSet\\Control", 0, KEY_READ, &key)) {
        delay = read_number(key, L"AutoStartDelay", delay);
        RegCloseKey(key);
    }
    return delay;
}

/* Windows programs, wineboot among them, wait for one or the other. */
static void tell_started(void)
{
    static const WCHAR *const names[] = {L"__wine_SvcctlStarted", L"Global\\SvcctrlStartEvent_A3752DX"};

    for (unsigned i = 0; i < COUNT(names); i++) {
        HANDLE event = CreateEventW(NULL, TRUE, FALSE, names[i]); /* it stays as long as we do */

        if (event) /* somebody who waits may have made it */
            SetEvent(event);
    }
}

static DWORD WINAPI boot(void *context)
{
    struct service **first, **later;
    unsigned first_count, later_count;

    (void)context;
    lock();
    later_count = collect(SERVICE_AUTO_START, TRUE, &later);
    for (DWORD start = SERVICE_BOOT_START; start <= SERVICE_AUTO_START; start++) { /* drivers have the earlier ones */
        first_count = collect(start, FALSE, &first);
        start_all(first, first_count);
    }
    tell_started();
    if (later_count)
        for (ULONGLONG until = now() + delay(); !stopping_all && wait_change(until);)
            ;
    start_all(later, later_count);
    unlock();
    return 0;
}

void start_automatic_services(void)
{
    HANDLE thread = CreateThread(NULL, 0, boot, NULL, 0, NULL);

    if (thread)
        CloseHandle(thread);
}
