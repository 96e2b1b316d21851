/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "regkey.h"

#include <stdlib.h>
#include <string.h>

enum { PATH_MAX_CHARS = 32000 };

static const WCHAR symbolic_link_value[] = { 'S', 'y', 'm', 'b', 'o', 'l', 'i', 'c', 'L', 'i',
                                             'n', 'k', 'V', 'a', 'l', 'u', 'e' };

void close_handle(HANDLE *handle)
{
    if (*handle) real_NtClose(*handle);
}

void free_memory(void *p)
{
    free(*(void **)p);
}

HANDLE steal(HANDLE *handle)
{
    HANDLE h = *handle;

    *handle = NULL;
    return h;
}

/* ---- paths ---- */

void regpath_free(struct regpath *path)
{
    if (path->s && path->s != path->small) free(path->s);
    path->s = NULL;
    path->n = 0;
}

bool regpath_join(struct regpath *path, struct span a, struct span b)
{
    size_t n = a.n + b.n;
    WCHAR *s = path->small;

    if (n > PATH_MAX_CHARS) return false;
    if (n > sizeof(path->small) / sizeof(path->small[0]) && !(s = malloc(n * sizeof(WCHAR)))) return false;
    memmove(s, a.s, a.n * sizeof(WCHAR));
    memcpy(s + a.n, b.s, b.n * sizeof(WCHAR));
    path->s = s;
    path->n = n;
    return true;
}

struct span path_span(const struct regpath *path)
{
    return (struct span){ path->s, path->n };
}

struct span hive_span(void)
{
    return (struct span){ names.hive_root, names.hive_root_n };
}

struct span base_span(void)
{
    static const WCHAR registry[] = { '\\', 'R', 'E', 'G', 'I', 'S', 'T', 'R', 'Y' };

    return (struct span){ registry, sizeof(registry) / sizeof(WCHAR) };
}

/* The keys that performance data is read through have no KeyNameInformation, but a name. */
static NTSTATUS object_name(HANDLE key, struct regpath *path)
{
    struct {
        OBJECT_NAME_INFORMATION info;
        WCHAR text[400];
    } buffer;
    NTSTATUS status = real_NtQueryObject(key, ObjectNameInformation, &buffer, sizeof(buffer), NULL);
    struct span none = { NULL, 0 };

    if (status) return status;
    return regpath_join(path, (struct span){ buffer.info.Name.Buffer, buffer.info.Name.Length / sizeof(WCHAR) }, none)
               ? STATUS_SUCCESS
               : STATUS_NO_MEMORY;
}

NTSTATUS regkey_name(HANDLE key, struct regpath *path)
{
    struct {
        KEY_NAME_INFORMATION info;
        WCHAR more[400];
    } buffer;
    KEY_NAME_INFORMATION *info = &buffer.info;
    CLEANUP(free_memory) void *big = NULL;
    struct span none = { NULL, 0 };
    NTSTATUS status;
    ULONG need = 0;

    path->s = NULL;
    status = real_NtQueryKey(key, KeyNameInformation, info, sizeof(buffer), &need);
    if (status == STATUS_BUFFER_OVERFLOW) {
        if (!(info = big = malloc(need))) return STATUS_NO_MEMORY;
        status = real_NtQueryKey(key, KeyNameInformation, info, need, &need);
    }
    if (status == STATUS_INVALID_HANDLE) return object_name(key, path);
    if (status) return status;
    return regpath_join(path, (struct span){ info->Name, info->NameLength / sizeof(WCHAR) }, none) ? STATUS_SUCCESS
                                                                                                  : STATUS_NO_MEMORY;
}

bool regkey_is_private(struct span full_name)
{
    return span_has_prefix(full_name, names.hive_root, names.hive_root_n);
}

bool regkey_logical(struct span full_name, struct span *logical)
{
    struct name_edit edit;
    size_t cut;

    if (regkey_is_private(full_name)) cut = names.hive_root_n;
    else if (classify_key(full_name, &edit) == NAME_MOVED) cut = edit.tail;
    else return false;
    logical->s = full_name.s + cut;
    logical->n = full_name.n - cut;
    while (logical->n && logical->s[logical->n - 1] == '\\') logical->n--;
    return true;
}

/* ---- small wrappers ---- */

static void set_attr(OBJECT_ATTRIBUTES *attr, UNICODE_STRING *us, HANDLE root, struct span name, ULONG flags)
{
    us->Buffer = (WCHAR *)name.s;
    us->Length = us->MaximumLength = (uint16_t)(name.n * sizeof(WCHAR));
    memset(attr, 0, sizeof(*attr));
    attr->Length = sizeof(*attr);
    attr->RootDirectory = root;
    attr->ObjectName = us;
    attr->Attributes = flags | OBJ_CASE_INSENSITIVE;
}

NTSTATUS open_at(HANDLE root, struct span name, ULONG flags, ACCESS_MASK access, HANDLE *key)
{
    OBJECT_ATTRIBUTES attr;
    UNICODE_STRING us;
    NTSTATUS status;

    set_attr(&attr, &us, root, name, flags);
    status = real_NtOpenKeyEx(key, access | KEY_WOW64_64KEY, &attr, 0);
    if (status == STATUS_PREDEFINED_HANDLE) real_NtClose(*key); /* a key of performance data: never copied */
    if (status) *key = NULL;
    return status;
}

NTSTATUS create_at(HANDLE root, struct span name, ULONG options, struct span class_name, HANDLE *key, ULONG *disposition)
{
    UNICODE_STRING us, class_us = { (uint16_t)(class_name.n * sizeof(WCHAR)), (uint16_t)(class_name.n * sizeof(WCHAR)),
                                    (WCHAR *)class_name.s };
    OBJECT_ATTRIBUTES attr;
    NTSTATUS status;

    for (;;) {
        set_attr(&attr, &us, root, name, 0);
        status = real_NtCreateKey(key, KEY_ALL_ACCESS | KEY_WOW64_64KEY, &attr, 0, class_name.n ? &class_us : NULL, options, disposition);
        if (status != STATUS_CHILD_MUST_BE_VOLATILE || (options & REG_OPTION_VOLATILE)) break;
        options |= REG_OPTION_VOLATILE;
    }
    if (status) *key = NULL;
    return status;
}

bool regkey_read_link(HANDLE key, struct regpath *target)
{
    UNICODE_STRING name = { sizeof(symbolic_link_value), sizeof(symbolic_link_value), (WCHAR *)symbolic_link_value };
    struct span none = { NULL, 0 };
    struct {
        KEY_VALUE_PARTIAL_INFORMATION info;
        uint8_t more[1024];
    } buffer;
    KEY_VALUE_PARTIAL_INFORMATION *info = &buffer.info;
    CLEANUP(free_memory) void *big = NULL;
    NTSTATUS status;
    ULONG need = 0;

    target->s = NULL;
    status = real_NtQueryValueKey(key, &name, KeyValuePartialInformation, info, sizeof(buffer), &need);
    if (status == STATUS_BUFFER_OVERFLOW) {
        if (!(info = big = malloc(need))) return false;
        status = real_NtQueryValueKey(key, &name, KeyValuePartialInformation, info, need, &need);
    }
    if (status || info->Type != REG_LINK) return false;
    return regpath_join(target, (struct span){ (const WCHAR *)info->Data, info->DataLength / sizeof(WCHAR) }, none);
}

static NTSTATUS open_below(struct span top, struct span logical, ACCESS_MASK access, HANDLE *key)
{
    CLEANUP(regpath_free) struct regpath full = { 0 };

    if (!regpath_join(&full, top, logical)) return STATUS_NO_MEMORY;
    return open_at(NULL, path_span(&full), OBJ_OPENLINK, access, key);
}

NTSTATUS private_open(struct span logical, ACCESS_MASK access, HANDLE *key)
{
    return open_below(hive_span(), logical, access, key);
}

NTSTATUS base_open(struct span logical, ACCESS_MASK access, HANDLE *key)
{
    return open_below(base_span(), logical, access, key);
}

NTSTATUS make_link(HANDLE parent, struct span name, struct span target)
{
    UNICODE_STRING value = { sizeof(symbolic_link_value), sizeof(symbolic_link_value), (WCHAR *)symbolic_link_value };
    CLEANUP(close_handle) HANDLE link = NULL;
    struct span none = { NULL, 0 };
    NTSTATUS status;

    if ((status = create_at(parent, name, REG_OPTION_CREATE_LINK, none, &link, NULL)) || !target.n) return status;
    return real_NtSetValueKey(link, &value, 0, REG_LINK, target.s, (ULONG)(target.n * sizeof(WCHAR)));
}

/* run a query that may need a larger buffer; *buffer is malloc()ed and grows */
bool grow(struct growing *g, ULONG need)
{
    void *data;

    if (need < 4096) need = 4096;
    if (!(data = realloc(g->data, need))) return false;
    g->data = data;
    g->size = need;
    return true;
}

NTSTATUS copy_values(HANDLE from, HANDLE to)
{
    CLEANUP(free_memory) void *owner = NULL;
    struct growing g = { 0 };
    NTSTATUS status;
    ULONG index = 0, need;

    for (;;) {
        KEY_VALUE_FULL_INFORMATION *info;
        UNICODE_STRING name;

        if (!g.data && !grow(&g, 4096)) return STATUS_NO_MEMORY;
        owner = g.data;
        status = real_NtEnumerateValueKey(from, index, KeyValueFullInformation, g.data, g.size, &need);
        if (status == STATUS_BUFFER_OVERFLOW) {
            if (!grow(&g, need)) return STATUS_NO_MEMORY;
            owner = g.data;
            continue;
        }
        if (status == STATUS_NO_MORE_ENTRIES) return STATUS_SUCCESS;
        if (status) return status;
        info = g.data;
        name.Buffer = info->Name;
        name.Length = name.MaximumLength = (uint16_t)info->NameLength;
        status = real_NtSetValueKey(to, &name, 0, info->Type, (uint8_t *)info + info->DataOffset, info->DataLength);
        if (status) return status;
        index++;
    }
}

static void read_node(struct child_name *child)
{
    KEY_NODE_INFORMATION *info = child->g.data;

    child->name = (struct span){ info->Name, info->NameLength / sizeof(WCHAR) };
    child->class_name = (struct span){ NULL, 0 };
    child->modified = info->LastWriteTime;
    if (info->ClassLength && info->ClassOffset != (ULONG)-1)
        child->class_name = (struct span){ (WCHAR *)((uint8_t *)info + info->ClassOffset), info->ClassLength / sizeof(WCHAR) };
}

/* The subkey at index, into *child (whose memory the caller frees). */
NTSTATUS nth_child(HANDLE key, ULONG index, struct child_name *child)
{
    NTSTATUS status;
    ULONG need;

    if (!child->g.data && !grow(&child->g, 4096)) return STATUS_NO_MEMORY;
    status = real_NtEnumerateKey(key, index, KeyNodeInformation, child->g.data, child->g.size, &need);
    if (status == STATUS_BUFFER_OVERFLOW) {
        if (!grow(&child->g, need)) return STATUS_NO_MEMORY;
        status = real_NtEnumerateKey(key, index, KeyNodeInformation, child->g.data, child->g.size, &need);
    }
    if (!status) read_node(child);
    return status;
}

NTSTATUS describe_key(HANDLE key, struct child_name *own)
{
    NTSTATUS status;
    ULONG need;

    if (!own->g.data && !grow(&own->g, 4096)) return STATUS_NO_MEMORY;
    status = real_NtQueryKey(key, KeyNodeInformation, own->g.data, own->g.size, &need);
    if (status == STATUS_BUFFER_OVERFLOW) {
        if (!grow(&own->g, need)) return STATUS_NO_MEMORY;
        status = real_NtQueryKey(key, KeyNodeInformation, own->g.data, own->g.size, &need);
    }
    if (!status) read_node(own);
    return status;
}

ACCESS_MASK granted_access(HANDLE key)
{
    OBJECT_BASIC_INFORMATION info;

    return real_NtQueryObject(key, ObjectBasicInformation, &info, sizeof(info), NULL) ? 0 : info.GrantedAccess;
}

int64_t last_write(HANDLE key)
{
    struct {
        KEY_NODE_INFORMATION info;
        WCHAR more[300];
    } buffer;
    ULONG need;
    NTSTATUS status = real_NtQueryKey(key, KeyNodeInformation, &buffer.info, sizeof(buffer), &need);

    return status && status != STATUS_BUFFER_OVERFLOW ? 0 : buffer.info.LastWriteTime;
}

/* Most keys have the default of their type. */
void copy_security(HANDLE from, HANDLE to)
{
    const ULONG owner_group_access = 7;
    uint8_t own[1024], there[sizeof(own)];
    ULONG size, there_size;

    if (real_NtQuerySecurityObject(from, owner_group_access, own, sizeof(own), &size)) return;
    if (!real_NtQuerySecurityObject(to, owner_group_access, there, sizeof(there), &there_size) && size == there_size &&
        !memcmp(own, there, size))
        return;
    real_NtSetSecurityObject(to, owner_group_access, own);
}

void free_child(struct child_name *child)
{
    free(child->g.data);
}

/* Delete a key with everything below it, links themselves and not what they lead to. */
bool delete_tree(HANDLE key, int depth)
{
    CLEANUP(free_child) struct child_name child = { 0 };

    while (!nth_child(key, 0, &child)) {
        CLEANUP(close_handle) HANDLE entry = NULL;

        if (depth > TREE_DEPTH || open_at(key, child.name, OBJ_OPENLINK, KEY_ALL_ACCESS, &entry)) return false;
        if (!delete_tree(entry, depth + 1)) return false;
    }
    return !real_NtDeleteKey(key);
}

struct span last_component(struct span path)
{
    size_t i = path.n;

    while (i && path.s[i - 1] != '\\') i--;
    return (struct span){ path.s + i, path.n - i };
}

struct span parent_path(struct span path)
{
    size_t i = path.n;

    while (i && path.s[i - 1] != '\\') i--;
    return (struct span){ path.s, i ? i - 1 : 0 };
}
