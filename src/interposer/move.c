/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Names moved into the silo: OBJECT_ATTRIBUTES with a name of our own, and names shown back. Which name goes where:
 * names.c. */
#include <string.h>
#include <unistd.h>

#include "silo.h"

enum { UNICODE_STRING_MAX = 0x7ffe }; /* characters that the wineserver takes */

/* m->attr = attr with name[0..head) + prefix + name[tail..). False: the name does not fit an UNICODE_STRING. */
static bool move_name(struct moved *m, const OBJECT_ATTRIBUTES *attr, struct span name, struct name_edit edit,
                      const WCHAR *prefix, size_t prefix_n, unsigned int buffer)
{
    size_t n = edit.head + prefix_n + (name.n - edit.tail);
    WCHAR *out = m->text;

    if (n > UNICODE_STRING_MAX) return false;
    if (n > sizeof(m->text) / sizeof(m->text[0]) && !(out = thread_buffer(buffer))) return false;
    memcpy(out, name.s, edit.head * sizeof(WCHAR));
    memcpy(out + edit.head, prefix, prefix_n * sizeof(WCHAR));
    memcpy(out + edit.head + prefix_n, name.s + edit.tail, (name.n - edit.tail) * sizeof(WCHAR));
    m->attr = *attr;
    m->attr.ObjectName = &m->name;
    m->name.Buffer = out;
    m->name.Length = m->name.MaximumLength = (uint16_t)(n * sizeof(WCHAR));
    return true;
}

/* the name in attr, if there is one that could be absolute or relative; reads the caller's memory */
bool name_of(const OBJECT_ATTRIBUTES *attr, struct span *name)
{
    const UNICODE_STRING *us;

    if (!attr || attr->Length != sizeof(*attr) || !(us = attr->ObjectName)) return false;
    if (!us->Buffer || us->Length < sizeof(WCHAR)) return false;
    if ((us->Length | (uintptr_t)us->Buffer) & 1) return false; /* an error that the real call reports */
    name->s = us->Buffer;
    name->n = us->Length / sizeof(WCHAR);
    return true;
}

bool is_of_type(HANDLE handle, const char *name)
{
    struct {
        UNICODE_STRING name; /* OBJECT_TYPE_INFORMATION begins with it */
        uint8_t more[512];
    } type;

    return !real_NtQueryObject(handle, ObjectTypeInformation, &type, sizeof(type), NULL) &&
           span_equal_ascii((struct span){ type.name.Buffer, type.name.Length / sizeof(WCHAR) }, name);
}

/* Where a handle that names are relative to lies. Object calls ask for what they do not know; a file call's
 * root is nearly always a folder, and no directory object is opened unseen. */
unsigned int directory_state(HANDLE root, bool ask)
{
    OBJECT_NAME_INFORMATION *info;
    struct slot *slot = slot_of(root);
    struct span name;
    unsigned int state = DIRECTORY_OF_HOST;

    if (slot && slot->kind != SLOT_NONE) return slot->kind == SLOT_DIRECTORY ? slot->state : DIRECTORY_OF_SILO;
    if (!ask || !is_of_type(root, "Directory") || !(info = thread_buffer(1))) return DIRECTORY_OF_SILO;
    if (real_NtQueryObject(root, ObjectNameInformation, info, THREAD_BUFFER, NULL)) return DIRECTORY_OF_SILO;
    name = (struct span){ info->Name.Buffer, info->Name.Length / sizeof(WCHAR) };
    if (span_has_prefix(name, names.object_root, names.object_root_n)) state = DIRECTORY_OF_SILO;
    slot_set(root, SLOT_DIRECTORY, state, 0);
    return state;
}

/* The absolute name that attr means, if it is absolute or relative to a directory of the host (then it is put
 * together in a buffer of the thread). Reads the caller's memory. */
static bool absolute_name(const OBJECT_ATTRIBUTES *attr, bool ask, struct span *name)
{
    OBJECT_NAME_INFORMATION *info;
    WCHAR *out;
    size_t n;

    if (!name_of(attr, name)) return false;
    if (!attr->RootDirectory) return name->s[0] == '\\';
    if (directory_state(attr->RootDirectory, ask) != DIRECTORY_OF_HOST) return false;
    if (name->s[0] == '\\' || !(info = thread_buffer(1))) return false;
    if (real_NtQueryObject(attr->RootDirectory, ObjectNameInformation, info, THREAD_BUFFER / 2, NULL)) return false;
    out = (WCHAR *)(info + 1);
    n = info->Name.Length / sizeof(WCHAR);
    if (n && info->Name.Buffer != out) return false;
    if (!n || out[n - 1] != '\\') out[n++] = '\\';
    if ((n + name->n) * sizeof(WCHAR) > THREAD_BUFFER - sizeof(*info)) return false;
    memcpy(out + n, name->s, name->n * sizeof(WCHAR));
    *name = (struct span){ out, n + name->n };
    return true;
}

/* A handle of the silo's directory, for names that have no room for a prefix. It is kept; the program may have
 * closed it meanwhile. */
static HANDLE silo_directory(void)
{
    static _Atomic(HANDLE) kept;
    UNICODE_STRING name = { (uint16_t)(names.object_root_n * sizeof(WCHAR)), sizeof(names.object_root), names.object_root };
    OBJECT_ATTRIBUTES attr = { .Length = sizeof(attr), .ObjectName = &name, .Attributes = OBJ_CASE_INSENSITIVE };
    OBJECT_NAME_INFORMATION *info = thread_buffer(1);
    HANDLE handle = atomic_load(&kept);

    if (handle && info && !real_NtQueryObject(handle, ObjectNameInformation, info, THREAD_BUFFER, NULL) &&
        info->Name.Length == name.Length && !memcmp(info->Name.Buffer, name.Buffer, name.Length))
        return handle;
    if (real_NtOpenDirectoryObject(&handle, DIRECTORY_TRAVERSE, &attr)) return NULL;
    atomic_store(&kept, handle);
    return handle;
}

bool move_to_silo(struct moved *m, const OBJECT_ATTRIBUTES *attr, struct span name, struct name_edit edit,
                  unsigned int buffer)
{
    const WCHAR *root = edit.device ? names.device_root : names.object_root;
    size_t root_n = edit.device ? names.device_root_n : names.object_root_n;

    if (!move_name(m, attr, name, edit, root, root_n, buffer)) {
        /* relative to the silo's directory it is not longer than it was: without the backslash it begins with */
        if (!move_name(m, attr, name, edit, root + names.object_root_n, root_n - names.object_root_n, buffer)) return false;
        m->name.Buffer++;
        m->name.Length = m->name.MaximumLength = (uint16_t)(m->name.Length - sizeof(WCHAR));
        m->attr.RootDirectory = silo_directory();
        return m->attr.RootDirectory;
    }
    m->attr.RootDirectory = NULL;
    return true;
}

/* Is there something of that name on the host? */
static bool host_has(const OBJECT_ATTRIBUTES *attr)
{
    HANDLE handle;
    NTSTATUS status = real_NtOpenSymbolicLinkObject(&handle, 0, attr);

    if (NT_SUCCESS(status)) real_NtClose(handle);
    return NT_SUCCESS(status) || status == STATUS_OBJECT_TYPE_MISMATCH || status == STATUS_ACCESS_DENIED;
}

/* the name of the entry of a shared directory that name begins with */
static OBJECT_ATTRIBUTES entry_of(struct span name, const struct name_edit *edit, UNICODE_STRING *text)
{
    text->Buffer = (WCHAR *)name.s;
    text->Length = text->MaximumLength = (uint16_t)(object_entry(name, edit) * sizeof(WCHAR));
    return (OBJECT_ATTRIBUTES){ .Length = sizeof(OBJECT_ATTRIBUTES), .ObjectName = text, .Attributes = OBJ_CASE_INSENSITIVE };
}

/* Is something to be made below an entry of the host's that is no directory? It can't be, there or in the silo. */
static bool is_below_leaf(struct span name, const struct name_edit *edit)
{
    UNICODE_STRING text;
    const OBJECT_ATTRIBUTES attr = entry_of(name, edit, &text);
    HANDLE handle;
    NTSTATUS status;

    if (object_entry(name, edit) == name.n) return false;
    status = real_NtOpenDirectoryObject(&handle, 0, &attr);
    if (NT_SUCCESS(status)) real_NtClose(handle);
    return status == STATUS_OBJECT_TYPE_MISMATCH;
}

bool claim_shared(const OBJECT_ATTRIBUTES *attr, struct span name, const struct name_edit *edit)
{
    if (host_has(attr) || is_below_leaf(name, edit)) return false;
    atomic_fetch_add(&shared->definitions, 1); /* from now on the silo is asked first */
    return true;
}

/* ---- the record ---- */

static unsigned int how(enum purpose purpose)
{
    return purpose == TO_CREATE ? AUDIT_CREATED : AUDIT_OPENED;
}

enum name_class judge_object(struct span name, struct name_edit *edit)
{
    enum name_class class = classify_object(name, edit);
    size_t i;

    if (!edit->listed) return class;
    for (i = 0; i < config.devices_n; i++) {
        if (!object_fits(name, edit, config.devices[i].pattern)) continue;
        if (config.devices[i].class == DEVICE_UNDECLARED) break;
        edit->rule = (uint16_t)(AUDIT_CATALOGUE + i);
        return config.devices[i].class == DEVICE_SHARED ? class : NAME_MOVED;
    }
    return class;
}

/* Note the name of an object. One that is the host's without a rule that says why is noted so, if it exists. */
static uint32_t note_object(enum audit_class class, struct span name, const struct name_edit *edit, unsigned int how)
{
    UNICODE_STRING text;

    if (edit->rule >= AUDIT_CATALOGUE && config.devices[edit->rule - AUDIT_CATALOGUE].class == DEVICE_REFUSED)
        class = AUDIT_REFUSED;
    if (class == AUDIT_SHARED && edit->rule == RULE_NONE) {
        const OBJECT_ATTRIBUTES attr = entry_of(name, edit, &text);

        class = AUDIT_UNDECLARED;
        if (!host_has(&attr)) return 0;
    }
    return audit_name(AUDIT_OBJECT, class, class == AUDIT_PRIVATE && !edit->rule ? RULE_OBJECT_PRIVATE : edit->rule, how,
                      name.s, name.n * sizeof(WCHAR));
}

static uint32_t add_relative(const OBJECT_ATTRIBUTES *attr, enum audit_space space, enum audit_rule rule, enum purpose purpose)
{
    struct audit_note note = { space, AUDIT_PRIVATE, rule, how(purpose), 0 };
    const struct slot *slot;
    struct span name;

    if (!audit || !name_of(attr, &name) || !attr->RootDirectory || name.s[0] == '\\') return 0;
    slot = slot_of(attr->RootDirectory);
    if (slot && slot->kind == SLOT_DIRECTORY) note.parent = slot->extra;
    return audit_add(audit, &note, name.s, name.n * sizeof(WCHAR));
}

void note_relative(const OBJECT_ATTRIBUTES *attr, enum audit_space space, enum audit_rule rule, enum purpose purpose)
{
    add_relative(attr, space, rule, purpose);
}

/* what to use for a name of this class; attr: the host's */
static const OBJECT_ATTRIBUTES *choose(struct moved *m, const OBJECT_ATTRIBUTES *attr, struct span name,
                                       enum name_class class, struct name_edit edit, const char *call,
                                       enum purpose purpose)
{
    m->host = NULL;
    if (class == NAME_MERGED) {
        m->entry = note_object(AUDIT_SHARED, name, &edit, how(purpose));
        return attr;
    }
    if (class == NAME_SHARED) {
        bool of_host = false;

        if (purpose == TO_CREATE) of_host = !claim_shared(attr, name, &edit);
        else of_host = !atomic_load_explicit(&shared->definitions, memory_order_relaxed);
        if (of_host) {
            m->entry = note_object(AUDIT_SHARED, name, &edit, how(purpose));
            return attr;
        }
    }
    if (!move_to_silo(m, attr, name, edit, 0)) {
        static WCHAR nothing[] = { '\\', '\\', '\\' }; /* STATUS_OBJECT_NAME_INVALID, never the host's object */

        m->attr = *attr;
        m->attr.RootDirectory = NULL;
        m->attr.ObjectName = &m->name;
        m->name = (UNICODE_STRING){ sizeof(nothing), sizeof(nothing), nothing };
        return &m->attr;
    }
    if (class == NAME_SHARED && purpose == TO_OPEN) {
        m->host = attr;
        m->host_name = name;
        m->host_edit = edit;
    }
    else m->entry = note_object(AUDIT_PRIVATE, name, &edit, how(purpose));
    TRACE(call, "object", name);
    return &m->attr;
}

void note_host(struct moved *m)
{
    m->entry = note_object(AUDIT_SHARED, m->host_name, &m->host_edit, AUDIT_OPENED);
}

const OBJECT_ATTRIBUTES *move_object(struct moved *m, const OBJECT_ATTRIBUTES *attr, const char *call,
                                     enum purpose purpose)
{
    struct name_edit edit;
    struct span name;
    enum name_class class;

    m->host = NULL;
    m->entry = 0;
    if (!absolute_name(attr, true, &name)) {
        m->entry = add_relative(attr, AUDIT_OBJECT, RULE_OBJECT_BELOW, purpose);
        return attr;
    }
    class = judge_object(name, &edit);
    return choose(m, attr, name, class, edit, call, purpose);
}

/* Does the entry of a shared directory that name begins with exist on the host, and not in the silo? */
static bool target_is_of_host(struct moved *m, struct span name, struct name_edit edit)
{
    UNICODE_STRING text;
    const OBJECT_ATTRIBUTES attr = entry_of(name, &edit, &text);
    const struct span entry = { text.Buffer, text.Length / sizeof(WCHAR) };

    if (atomic_load(&shared->definitions) && move_to_silo(m, &attr, entry, edit, 1) && host_has(&m->attr)) return false;
    return host_has(&attr);
}

UNICODE_STRING *move_target(struct moved *m, UNICODE_STRING *target, const char *call)
{
    const OBJECT_ATTRIBUTES attr = { .Length = sizeof(attr), .ObjectName = target };
    struct name_edit edit;
    struct span name;
    enum name_class class;

    if (!name_of(&attr, &name) || name.s[0] != '\\') return target;
    class = classify_file(name, &edit);
    if (class == NAME_REFUSED || class == NAME_PIPE_ROOT) {
        TRACE(call, "refused", name);
        audit_by_rule(AUDIT_OBJECT, RULE_LINK_TARGET, AUDIT_CREATED, name.s, name.n * sizeof(WCHAR));
        return NULL;
    }
    if (class == NAME_MOVED)
        return move_name(m, &attr, name, edit, names.pipe_prefix, names.pipe_prefix_n, 1) ? &m->name : NULL;
    if (classify_key(name, &edit) == NAME_MOVED)
        return move_name(m, &attr, name, edit, names.hive_root, names.hive_root_n, 1) ? &m->name : NULL;
    class = judge_object(name, &edit);
    if (class == NAME_MERGED || (class == NAME_SHARED && target_is_of_host(m, name, edit))) {
        note_object(AUDIT_SHARED, name, &edit, AUDIT_OPENED);
        return target;
    }
    if (!move_to_silo(m, &attr, name, edit, 1) || m->attr.RootDirectory) return NULL;
    if (!target->MaximumLength) m->name.MaximumLength = 0; /* an error that the real call reports */
    TRACE(call, "object", name);
    return &m->name;
}

/* ---- pipes and mailslots ---- */

/* \Device\NamedPipe\, \??\mailslot\ ...: which device is it? */
static enum audit_space pipe_space(struct span head)
{
    while (head.n && head.s[head.n - 1] == '\\') head.n--;
    return head.n && fold(head.s[head.n - 1]) == 't' ? AUDIT_MAILSLOT : AUDIT_PIPE;
}

/* the long name that another stands for; shown may be NULL */
static bool long_name(uint64_t hash, struct span *shown)
{
    size_t i;

    for (i = 0; i < SHARED_LONG_NAMES; i++) {
        struct shared_name *entry = &shared->long_name[i];

        if (atomic_load(&entry->hash) != hash) continue;
        if (shown) *shown = (struct span){ entry->text, entry->n };
        return true;
    }
    return false;
}

static void put_shown(struct shown *shown, struct span name, size_t keep, size_t cut)
{
    shown->part[0] = (struct span){ name.s, keep };
    shown->part[1] = (struct span){ name.s + keep + cut, name.n - keep - cut };
}

bool show_pipe(struct span name, struct shown *shown)
{
    size_t keep, cut = strip_pipe(&names, name, &keep);
    uint64_t hash;

    if (!cut) return false;
    put_shown(shown, name, keep, cut);
    if (pipe_alias_hash(shown->part[1], &hash)) long_name(hash, &shown->part[1]);
    return true;
}

bool show_name(struct span name, struct shown *shown)
{
    size_t keep = 0, cut;

    if (!(cut = strip_object(&names, name)) && !(cut = strip_key(&names, name, &keep))) return show_pipe(name, shown);
    put_shown(shown, name, keep, cut);
    return true;
}

WCHAR *put_name(WCHAR *out, const struct shown *shown)
{
    unsigned int i;

    for (i = 0; i < 2; i++) {
        memcpy(out, shown->part[i].s, shown->part[i].n * sizeof(WCHAR));
        out += shown->part[i].n;
    }
    return out;
}

/* CreatePipe gives each pipe a number, so the record would fill up with them. */
static void note_pipe(struct span name, enum audit_space space, enum purpose purpose)
{
    static const char unnamed[] = "Win32.Pipes";
    const size_t n = sizeof(unnamed) - 1;
    enum audit_rule rule = space == AUDIT_PIPE ? RULE_PIPE : RULE_MAILSLOT;

    if (name.n > n && name.s[n] == '.' && span_equal_ascii((struct span){ name.s, n }, unnamed)) {
        name.n = n;
        rule = RULE_PIPE_UNNAMED;
    }
    audit_by_rule(space, rule, how(purpose), name.s, name.n * sizeof(WCHAR));
}

size_t move_pipe_name(WCHAR *out, struct span name, enum audit_space space, enum purpose purpose)
{
    struct shared_name *entry;
    uint64_t hash;

    note_pipe(name, space, purpose);
    memcpy(out, names.pipe_prefix, names.pipe_prefix_n * sizeof(WCHAR));
    out += names.pipe_prefix_n;
    if (name.n <= PIPE_NAME_LONG) {
        memcpy(out, name.s, name.n * sizeof(WCHAR));
        return names.pipe_prefix_n + name.n;
    }
    hash = pipe_hash(name);
    pipe_alias(hash, out);
    if (!long_name(hash, NULL)) {
        entry = &shared->long_name[atomic_fetch_add(&shared->long_names, 1) % SHARED_LONG_NAMES];
        atomic_store(&entry->hash, 0);
        entry->n = (uint32_t)name.n;
        memcpy(entry->text, name.s, name.n * sizeof(WCHAR));
        atomic_store(&entry->hash, hash);
    }
    return names.pipe_prefix_n + PIPE_ALIAS;
}

static const OBJECT_ATTRIBUTES *move_pipe(struct moved *m, const OBJECT_ATTRIBUTES *attr, struct span name,
                                          struct name_edit edit, enum purpose purpose)
{
    const struct span below = { name.s + edit.tail, name.n - edit.tail };
    WCHAR *out = m->text;
    size_t n = edit.head;

    if (edit.head + names.pipe_prefix_n + below.n > sizeof(m->text) / sizeof(m->text[0]) && !(out = thread_buffer(0)))
        return NULL;
    memcpy(out, name.s, n * sizeof(WCHAR));
    n += move_pipe_name(out + n, below, pipe_space((struct span){ name.s, edit.head }), purpose);
    m->attr = *attr;
    m->attr.ObjectName = &m->name;
    m->attr.Attributes &= ~OBJ_PERMANENT; /* for Windows it is a file, which ends with its last handle */
    if (edit.head) m->attr.RootDirectory = NULL; /* else it is the pipe device, whose names are relative */
    m->name.Buffer = out;
    if (n > UNICODE_STRING_MAX) n = UNICODE_STRING_MAX + 1; /* much of nothing before it: the real call refuses it */
    m->name.Length = m->name.MaximumLength = (uint16_t)(n * sizeof(WCHAR));
    return &m->attr;
}

/* What a handle is that names of files are relative to. One that came from another process is not known: a folder
 * has a file descriptor, which is quick to see; of another one (pipes, consoles) the name is asked. */
static enum slot_kind root_kind(HANDLE root)
{
    static const char *const devices[] = { "\\Device\\NamedPipe", "\\Device\\MailSlot" };
    OBJECT_NAME_INFORMATION *info;
    enum slot_kind kind = slot_kind(root);
    struct span name;
    int fd;

    if (kind != SLOT_NONE) return kind;
    if (!real_wine_server_handle_to_fd(root, 0, &fd, NULL)) {
        close(fd);
        return SLOT_NONE;
    }
    if (!(info = thread_buffer(1)) || real_NtQueryObject(root, ObjectNameInformation, info, THREAD_BUFFER, NULL))
        return SLOT_NONE;
    name = (struct span){ info->Name.Buffer, info->Name.Length / sizeof(WCHAR) };
    if (name.n && name.s[name.n - 1] == '\\') name.n--;
    if (span_equal_ascii(name, devices[0]) || span_equal_ascii(name, devices[1])) slot_set(root, SLOT_PIPE_ROOT, 0, 0);
    return slot_kind(root);
}

/* The only files outside of C: that a silo's programs can read are Wine's own and fonts, which win32u.so opens
 * by such names. The name is captured and collapsed, so that it is the checked one that is used. NULL: it is none of them. */
static const OBJECT_ATTRIBUTES *wine_file(struct moved *m, const OBJECT_ATTRIBUTES *attr)
{
    const UNICODE_STRING *name = attr->ObjectName;
    size_t n = name->Length / sizeof(WCHAR), i;

    if (attr->RootDirectory || n > sizeof(m->text) / sizeof(m->text[0])) return NULL;
    memcpy(m->text, name->Buffer, n * sizeof(WCHAR));
    n = collapse_path(m->text, n);
    for (i = 0; i < config.folders_n; i++) {
        if (!is_in_unix_folder((struct span){ m->text, n }, config.folders[i])) continue;
        m->attr = *attr;
        m->attr.ObjectName = &m->name;
        m->name.Buffer = m->text;
        m->name.Length = m->name.MaximumLength = (uint16_t)(n * sizeof(WCHAR));
        TRACE("file of Wine", "file", ((struct span){ m->text, n }));
        audit_by_rule(AUDIT_FILE, RULE_WINE_FILE, AUDIT_OPENED, m->text, n * sizeof(WCHAR));
        return &m->attr;
    }
    return NULL;
}

const OBJECT_ATTRIBUTES *move_file(struct moved *m, const OBJECT_ATTRIBUTES *attr, const char *call,
                                   enum purpose purpose, enum name_class *class_out, NTSTATUS *status)
{
    struct name_edit edit = { 0 };
    const OBJECT_ATTRIBUTES *wines;
    struct span name;
    enum name_class class;

    m->host = NULL;
    m->entry = 0;
    *status = STATUS_SUCCESS;
    *class_out = NAME_UNCHANGED;
    if (attr && attr->RootDirectory && root_kind(attr->RootDirectory) == SLOT_PIPE_ROOT) {
        if (!name_of(attr, &name) || name.n > UNICODE_STRING_MAX) return attr;
        class = NAME_MOVED;
    }
    else {
        if (!absolute_name(attr, false, &name)) return attr;
        class = classify_file(name, &edit);
        /* a link or device among the named objects can be opened like a file */
        if (class == NAME_OBJECT) {
            class = judge_object(name, &edit);
            return choose(m, attr, name, class, edit, call, TO_OPEN);
        }
    }
    *class_out = class;
    if (class == NAME_UNCHANGED) return attr;
    if (class == NAME_PIPE_ROOT) {
        audit_by_rule(AUDIT_OBJECT, RULE_PIPE_DEVICE, AUDIT_OPENED, name.s, name.n * sizeof(WCHAR));
        return attr;
    }
    if (class == NAME_REFUSED) {
        if (purpose == TO_READ && (wines = wine_file(m, attr))) return wines;
        TRACE(call, "refused", name);
        audit_by_rule(AUDIT_FILE, RULE_UNIX_PATH, how(purpose), name.s, name.n * sizeof(WCHAR));
        *status = STATUS_OBJECT_PATH_NOT_FOUND;
        return NULL;
    }
    if (name.n > UNICODE_STRING_MAX) return attr; /* the real call refuses it */
    TRACE(call, "pipe", name);
    if (!(attr = move_pipe(m, attr, name, edit, purpose))) *status = STATUS_NO_MEMORY;
    return attr;
}

const OBJECT_ATTRIBUTES *move_key(struct moved *m, const OBJECT_ATTRIBUTES *attr, const char *call)
{
    struct name_edit edit;
    struct span name;

    if (!name_of(attr, &name) || attr->RootDirectory || name.s[0] != '\\') return attr;
    if (classify_key(name, &edit) != NAME_MOVED) return attr;
    if (!move_name(m, attr, name, edit, names.hive_root, names.hive_root_n, 0)) return attr;
    TRACE(call, "key", name);
    return &m->attr;
}
