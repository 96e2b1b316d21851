/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Devices that a driver makes in the silo. Wine runs drivers in winedevice.exe, whose ntoskrnl.exe asks the wineserver
 * for a device by a request of its own: no system call passes the table. What goes to the wineserver passes the C
 * library, however: a request with data is one writev of ntdll.so. In a process that runs drivers the name in such a
 * request is moved into the silo. See docs/design/drivers.md. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>
#include <sys/uio.h>

#include "silo.h"

#define EXPORT __attribute__((visibility("default")))

bool drivers_run_here;

/* create_device, as all of Wine 8.0 to 10.0 send it; other requests have an access mask where rootdir is, or end before
 * the manager. */
struct create_device {
    uint32_t code, size, reply_max, rootdir;
    uint64_t user_ptr;
    uint32_t manager, pad[9];
};
_Static_assert(sizeof(struct create_device) == 64, "the fixed part of a request");

enum { DEVICE_NAME = 512 }; /* characters of a device's name with the silo's prefix */

static bool creates_device(const struct create_device *request, const struct iovec *name)
{
    const struct span text = { name->iov_base, name->iov_len / sizeof(WCHAR) };

    return !request->rootdir && request->user_ptr && request->manager && !request->reply_max &&
           request->size == name->iov_len && !(name->iov_len & 1) && span_has_prefix_ascii(text, "\\Device");
}

/* Wine names a device that has no name by a number. */
static bool is_number(struct span name, size_t from)
{
    size_t i;

    for (i = from; i < name.n; i++)
        if (!((name.s[i] >= '0' && name.s[i] <= '9') || (fold(name.s[i]) >= 'a' && fold(name.s[i]) <= 'f'))) return false;
    return name.n == from + 8;
}

/* May it be the silo's? What the catalogue shares or refuses may not, what it does not know if the host has no such device. */
static bool is_own(struct span name, struct name_edit *edit)
{
    UNICODE_STRING text = { (uint16_t)(name.n * sizeof(WCHAR)), (uint16_t)(name.n * sizeof(WCHAR)), (WCHAR *)name.s };
    const OBJECT_ATTRIBUTES attr = { .Length = sizeof(attr), .ObjectName = &text, .Attributes = OBJ_CASE_INSENSITIVE };
    enum name_class class = judge_object(name, edit);

    if (class == NAME_MOVED || is_number(name, 8)) return true;
    if (class != NAME_SHARED || edit->rule != RULE_NONE || !claim_shared(&attr, name, edit)) return false;
    edit->rule = RULE_OBJECT_PRIVATE;
    return true;
}

/* The name in the silo; one that the host's drivers have is none that the wineserver takes. */
static size_t move_device(struct span name, WCHAR moved[DEVICE_NAME])
{
    static const WCHAR refused[] = { '\\', '\\' };
    struct name_edit edit;

    if (names.object_root_n + name.n <= DEVICE_NAME && is_own(name, &edit)) {
        memcpy(moved, names.object_root, names.object_root_n * sizeof(WCHAR));
        memcpy(moved + names.object_root_n, name.s, name.n * sizeof(WCHAR));
        TRACE("create_device", "object", name);
        audit_name(AUDIT_OBJECT, AUDIT_PRIVATE, edit.rule, AUDIT_CREATED, name.s, name.n * sizeof(WCHAR));
        return names.object_root_n + name.n;
    }
    TRACE("create_device", "refused", name);
    audit_by_rule(AUDIT_DRIVER, RULE_DRIVER, AUDIT_CREATED, name.s, name.n * sizeof(WCHAR));
    memcpy(moved, refused, sizeof(refused));
    return sizeof(refused) / sizeof(WCHAR);
}

/* Wine's caller wants to have sent as much as it gave. */
EXPORT ssize_t writev(int fd, const struct iovec *parts, int count)
{
    static ssize_t (*real)(int, const struct iovec *, int);
    struct create_device request;
    WCHAR name[DEVICE_NAME];
    struct iovec moved[2];
    ssize_t sent;

    if (!real) real = (ssize_t(*)(int, const struct iovec *, int))dlsym(RTLD_NEXT, "writev");
    if (!drivers_run_here || count != 2 || parts[0].iov_len != sizeof(request)) return real(fd, parts, count);
    memcpy(&request, parts[0].iov_base, sizeof(request));
    if (!creates_device(&request, &parts[1])) return real(fd, parts, count);
    request.size = (uint32_t)(move_device((struct span){ parts[1].iov_base, parts[1].iov_len / sizeof(WCHAR) }, name) * sizeof(WCHAR));
    moved[0] = (struct iovec){ &request, sizeof(request) };
    moved[1] = (struct iovec){ name, request.size };
    sent = real(fd, moved, 2);
    return sent == (ssize_t)(sizeof(request) + request.size) ? (ssize_t)(parts[0].iov_len + parts[1].iov_len) : sent;
}
