/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Directories of objects. Some the host and the silo both have (MERGED in names.def): a handle of one is the host's,
 * names relative to it are put together with its name first (silo.c), and its list has the host's entries that the
 * silo may see, then the silo's own. */
#include <string.h>

#include "silo.h"

/* where a directory lies that was opened with use in place of attr */
static unsigned int where(const OBJECT_ATTRIBUTES *use, const OBJECT_ATTRIBUTES *attr)
{
    if (use != attr) return DIRECTORY_OF_SILO;
    if (!attr || !attr->RootDirectory) return DIRECTORY_OF_HOST;
    return directory_state(attr->RootDirectory, true); /* names relative to a directory are as private as it is */
}

static void note_directory(HANDLE handle, unsigned int where, uint32_t entry)
{
    struct slot *slot;

    slot_set(handle, SLOT_DIRECTORY, where, 0);
    if ((slot = slot_of(handle))) slot->extra = entry; /* names below it are noted with it */
}

#define DIRECTORY_CALL(name, purpose)                                                                  \
    NTSTATUS hook_##name(HANDLE *handle, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr)            \
    {                                                                                                  \
        struct moved m;                                                                                \
        const OBJECT_ATTRIBUTES *use = (*handle = NULL, move_object(&m, attr, #name, purpose));        \
        NTSTATUS status = real_##name(handle, access, use);                                            \
        if (try_host(&m, status)) status = real_##name(handle, access, use = m.host);                  \
        if (NT_SUCCESS(status)) note_directory(*handle, where(use, attr), m.entry);                    \
        return status;                                                                                 \
    }

DIRECTORY_CALL(NtCreateDirectoryObject, TO_CREATE)
DIRECTORY_CALL(NtOpenDirectoryObject, TO_OPEN)

/* ---- lists ---- */

/* OBJECT_DIRECTORY_INFORMATION; one without a name ends a list */
struct entry {
    UNICODE_STRING name, type;
};

enum { MAX_DIRECTORY = 400, OWN_ENTRIES = 0x40000000 }; /* a context with this bit is an index of the silo's own */

/* a directory of the host, as the silo sees it */
struct merged {
    HANDLE handle, own; /* own: the silo's; NULL: it has none, or it is not open yet */
    WCHAR text[MAX_DIRECTORY];
    size_t n;
};

static bool merged_open(struct merged *d, HANDLE handle)
{
    OBJECT_NAME_INFORMATION *info = thread_buffer(1);

    d->handle = handle;
    d->own = NULL;
    if (!info || real_NtQueryObject(handle, ObjectNameInformation, info, THREAD_BUFFER, NULL)) return false;
    d->n = info->Name.Length / sizeof(WCHAR);
    if (d->n >= MAX_DIRECTORY) return false;
    memcpy(d->text, info->Name.Buffer, d->n * sizeof(WCHAR));
    if (!d->n || d->text[d->n - 1] != '\\') d->text[d->n++] = '\\';
    return true;
}

/* the class of an entry's name: \??\X in \?? */
static enum name_class class_of(const struct merged *d, const UNICODE_STRING *name)
{
    WCHAR *text = thread_buffer(1);
    struct name_edit edit;

    if (!text) return NAME_MOVED;
    memcpy(text, d->text, d->n * sizeof(WCHAR));
    memcpy(text + d->n, name->Buffer, name->Length);
    return judge_object((struct span){ text, d->n + name->Length / sizeof(WCHAR) }, &edit);
}

static HANDLE open_own(struct merged *d)
{
    const struct span name = { d->text, d->n - 1 }; /* without the backslash at the end */
    struct name_edit edit;
    struct moved m;
    const UNICODE_STRING text = { (uint16_t)(name.n * sizeof(WCHAR)), (uint16_t)(name.n * sizeof(WCHAR)), d->text };
    const OBJECT_ATTRIBUTES attr = { .Length = sizeof(attr), .ObjectName = (UNICODE_STRING *)&text,
                                     .Attributes = OBJ_CASE_INSENSITIVE };

    judge_object(name, &edit);
    if (!move_to_silo(&m, &attr, name, edit, 0) || real_NtOpenDirectoryObject(&d->own, DIRECTORY_QUERY, &m.attr))
        d->own = NULL;
    return d->own;
}

static NTSTATUS next_of(HANDLE directory, struct entry *one, ULONG size, ULONG *index, ULONG *needed)
{
    return real_NtQueryDirectoryObject(directory, one, size, 1, 0, index, needed);
}

/* The next entry that the silo sees, as NtQueryDirectoryObject gives a single one. */
static NTSTATUS next_entry(struct merged *d, struct entry *one, ULONG size, ULONG *context, ULONG *needed)
{
    NTSTATUS status = STATUS_NO_MORE_ENTRIES;
    ULONG index;

    while (!(*context & OWN_ENTRIES)) {
        index = *context - 1;
        status = next_of(d->handle, one, size, context, needed);
        if (status == STATUS_NO_MORE_ENTRIES) {
            /* behind the last entry the silo's own follow; farther on, nothing */
            if (*context && next_of(d->handle, one, size, &index, needed) == STATUS_NO_MORE_ENTRIES) return status;
            *context = OWN_ENTRIES;
        }
        else if (!NT_SUCCESS(status) || class_of(d, &one->name) != NAME_MOVED) return status;
    }
    if (!d->own && !open_own(d)) return STATUS_NO_MORE_ENTRIES;
    do {
        index = *context & ~(ULONG)OWN_ENTRIES;
        status = next_of(d->own, one, size, &index, needed);
        *context = index | OWN_ENTRIES;
    } while (NT_SUCCESS(status) && class_of(d, &one->name) == NAME_MERGED);
    return status;
}

static size_t texts_size(const struct entry *entry)
{
    return entry->name.Length + entry->type.Length + 2 * sizeof(WCHAR);
}

static uint8_t *put_text(UNICODE_STRING *to, const UNICODE_STRING *from, uint8_t *at)
{
    memcpy(at, from->Buffer, from->Length);
    to->Buffer = (WCHAR *)at;
    to->Length = from->Length;
    to->MaximumLength = (uint16_t)(from->Length + sizeof(WCHAR));
    to->Buffer[to->Length / sizeof(WCHAR)] = 0;
    return at + to->MaximumLength;
}

/* Entries are collected in a buffer of the thread before the caller's memory is touched, texts from its end. */
struct collected {
    struct entry *entries;
    size_t count, texts; /* bytes */
    bool more;
};

enum { ONE = 0x4000, ROOM = THREAD_BUFFER - ONE };

static NTSTATUS collect(struct merged *d, struct collected *c, ULONG size, ULONG *context)
{
    uint8_t *buffer = thread_buffer(0), *texts;
    struct entry *one = (struct entry *)buffer;
    size_t used = sizeof(*one);
    ULONG at = *context, needed;
    NTSTATUS status;

    if (!buffer) return STATUS_NO_MEMORY;
    memset(c, 0, sizeof(*c));
    c->entries = (struct entry *)(buffer + ONE);
    texts = buffer + THREAD_BUFFER;
    if (size > ROOM) size = ROOM;
    while (NT_SUCCESS(status = next_entry(d, one, ONE, &at, &needed))) {
        if ((c->more = used + sizeof(*one) + texts_size(one) > size)) return STATUS_SUCCESS;
        used += sizeof(*one) + texts_size(one);
        texts -= texts_size(one);
        put_text(&c->entries[c->count].type, &one->type, put_text(&c->entries[c->count].name, &one->name, texts));
        c->texts += texts_size(one);
        c->count++;
        *context = at;
    }
    return status == STATUS_NO_MORE_ENTRIES ? STATUS_SUCCESS : status;
}

/* entries, an empty one, texts */
static NTSTATUS give(const struct collected *c, struct entry *buffer, ULONG size, ULONG *needed)
{
    uint8_t *texts = (uint8_t *)(buffer + c->count + 1);
    size_t i;

    for (i = 0; i < c->count; i++) {
        texts = put_text(&buffer[i].name, &c->entries[i].name, texts);
        texts = put_text(&buffer[i].type, &c->entries[i].type, texts);
    }
    if (size >= sizeof(*buffer)) memset(&buffer[c->count], 0, sizeof(buffer[0]));
    if (needed) *needed = (ULONG)(texts - (uint8_t *)buffer);
    if (c->more) return STATUS_MORE_ENTRIES;
    return c->count ? STATUS_SUCCESS : STATUS_NO_MORE_ENTRIES;
}

/* of one entry that is collected: the status is that of the real call */
static NTSTATUS give_one(HANDLE directory, NTSTATUS status, struct entry *buffer, ULONG size, ULONG need, ULONG *needed)
{
    const struct entry *one = thread_buffer(0);
    struct collected c = { .entries = (struct entry *)one, .count = 1 };

    if (status == STATUS_NO_MORE_ENTRIES) /* which has its own way to say so */
        return next_of(directory, buffer, size, &(ULONG){ OWN_ENTRIES }, needed);
    if (NT_SUCCESS(status)) return give(&c, buffer, size, needed);
    if (needed && status == STATUS_BUFFER_TOO_SMALL) *needed = need;
    return status;
}

NTSTATUS hook_NtQueryDirectoryObject(HANDLE handle, void *buffer, ULONG size, BOOLEAN single, BOOLEAN restart,
                                     ULONG *context, ULONG *needed)
{
    struct merged d;
    struct collected c;
    NTSTATUS status;
    ULONG at, need = 0;

    if (directory_state(handle, true) != DIRECTORY_OF_HOST || !merged_open(&d, handle) || !thread_buffer(0))
        return real_NtQueryDirectoryObject(handle, buffer, size, single, restart, context, needed);
    at = restart ? 0 : *context;
    if (single) {
        status = next_entry(&d, thread_buffer(0), size < THREAD_BUFFER ? size : THREAD_BUFFER, &at, &need);
        if (d.own) real_NtClose(d.own);
        status = give_one(handle, status, buffer, size, need, needed);
    }
    else {
        status = real_NtQueryDirectoryObject(handle, buffer, size, single, restart, context, needed);
        if (!NT_SUCCESS(status) && status != STATUS_NO_MORE_ENTRIES) return status; /* Wine 8 can give but one */
        status = collect(&d, &c, size, &at);
        if (d.own) real_NtClose(d.own);
        if (NT_SUCCESS(status)) status = give(&c, buffer, size, needed);
    }
    if (NT_SUCCESS(status)) *context = at;
    return status;
}
