/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Names: an input is the silo's number (2 bytes), how the text is written (odd: UTF-16, even: a byte per
 * character), then the text. What classify_*() says is compared with a model of how the wineserver looks
 * names up: no name may lead to a namespace that is private and not be moved. Names that are moved and then
 * stripped must be what they were. */
#include "fuzz.h"
#include "names.h"

const char *const fuzz_words[] = { "\\??",        "\\DosDevices", "\\Global",   "\\GLOBALROOT", "\\BaseNamedObjects",
                                   "\\Sessions",  "\\1",          "\\BNOLINKS", "\\Windows",    "\\RPC Control",
                                   "\\winesilo",  "\\Device",     "\\NamedPipe", "\\MailSlot",  "\\pipe",
                                   "\\mailslot",  "\\unix",       "/",          "\\Registry",   "\\Machine",
                                   "\\User",      "\\winesilo-7", "\\Z:",       "\\",           NULL };

/* ---- how the wineserver looks names up (directories and links of server/directory.c, server/named_pipe.c) ---- */

enum place { ROOT, DEVICES, DEVICE, SESSIONS, SESSION, ELSEWHERE, INVALID, OBJECTS, PIPES, KEYS };

static const struct {
    enum place in;
    const char *name; /* NULL: any other */
    enum place leads_to;
} entries[] = {
    { ROOT, "??", DEVICES },
    { ROOT, "DosDevices", DEVICES },
    { ROOT, "Device", DEVICE },
    { ROOT, "Sessions", SESSIONS },
    { ROOT, "BaseNamedObjects", OBJECTS },
    { ROOT, "RPC Control", OBJECTS },
    { ROOT, "Windows", OBJECTS },
    { ROOT, "winesilo", OBJECTS },
    { ROOT, "REGISTRY", KEYS },
    { DEVICES, "GLOBALROOT", ROOT },
    { DEVICES, "Global", DEVICES },
    { DEVICES, "PIPE", PIPES },
    { DEVICES, "MAILSLOT", PIPES },
    { DEVICE, "NamedPipe", PIPES },
    { DEVICE, "MailSlot", PIPES },
    { SESSIONS, "BNOLINKS", OBJECTS },
    { SESSIONS, NULL, SESSION },
    { SESSION, "BaseNamedObjects", OBJECTS },
    { SESSION, "Windows", OBJECTS },
};

static enum place entry(enum place in, struct span component)
{
    size_t i;

    for (i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
        if (entries[i].in == in && (!entries[i].name || span_equal_ascii(component, entries[i].name)))
            return entries[i].leads_to;
    return ELSEWHERE;
}

static enum place look_up(struct span name)
{
    enum place at = ROOT;
    size_t pos = 1, end;

    if (!name.n || name.s[0] != '\\') return INVALID;
    while (pos < name.n && at < ELSEWHERE) {
        for (end = pos; end < name.n && name.s[end] != '\\'; end++) continue;
        if (end == pos) return INVALID; /* directories know no empty names */
        at = entry(at, (struct span){ name.s + pos, end - pos });
        pos = end + 1;
    }
    return at;
}

/* what ntdll makes a Unix path of before the wineserver is asked (nt_to_unix_file_name) */
static bool is_unix_path(struct span name)
{
    static const char *const prefixes[] = { "\\??\\unix", "\\DosDevices\\unix" };
    size_t i, n;

    for (i = 0; i < 2; i++) {
        n = strlen(prefixes[i]);
        if (name.n >= n && span_equal_ascii((struct span){ name.s, n }, prefixes[i]) &&
            (name.n == n || name.s[n] == '\\' || name.s[n] == '/'))
            return true;
    }
    return false;
}

/* ---- moving and stripping ---- */

static struct span join(struct span a, struct span b)
{
    WCHAR *s = allocate((a.n + b.n) * sizeof(WCHAR));

    if (a.n) memcpy(s, a.s, a.n * sizeof(WCHAR));
    if (b.n) memcpy(s + a.n, b.s, b.n * sizeof(WCHAR));
    return (struct span){ s, a.n + b.n };
}

static struct span ascii(const char *text)
{
    size_t n = strlen(text), i;
    WCHAR *s = allocate(n * sizeof(WCHAR));

    for (i = 0; i < n; i++) s[i] = (unsigned char)text[i];
    return (struct span){ s, n };
}

static void release(struct span span)
{
    free((void *)span.s);
}

static bool same(struct span a, struct span b)
{
    return a.n == b.n && (!a.n || !memcmp(a.s, b.s, a.n * sizeof(WCHAR)));
}

static struct span from(struct span a, size_t at)
{
    return (struct span){ a.s + at, a.n - at };
}

static struct span cut_out(struct span a, size_t keep, size_t cut)
{
    return join((struct span){ a.s, keep }, from(a, keep + cut));
}

static void check_object(const struct silo_names *silo, const struct silo_names *other, struct span name)
{
    struct name_edit edit = { 0 }, again;
    enum name_class class = classify_object(name, &edit);
    enum place place = look_up(name);
    struct span moved, root;

    REQUIRE(class == NAME_MOVED || class == NAME_SHARED || class == NAME_MERGED);
    if (place == OBJECTS) REQUIRE(class == NAME_MOVED);
    if (place == ROOT || place == DEVICES || place == DEVICE) REQUIRE(class == NAME_MERGED);
    REQUIRE(!edit.head && edit.tail <= name.n && object_entry(name, &edit) <= name.n);
    if (!name.n || name.s[0] != '\\') return; /* relative: nobody asks */
    REQUIRE(edit.tail == name.n || name.s[edit.tail] == '\\');
    root = edit.device ? (struct span){ silo->device_root, silo->device_root_n }
                       : (struct span){ silo->object_root, silo->object_root_n };
    moved = join(root, from(name, edit.tail));
    if (moved.n > silo->object_root_n) {
        REQUIRE(strip_object(silo, moved) == silo->object_root_n);
        REQUIRE(classify_object(from(moved, silo->object_root_n), &again) == class);
        REQUIRE(again.device == edit.device);
    }
    REQUIRE(!strip_object(other, moved));
    release(moved);
}

static void check_pipe(const struct silo_names *silo, const struct silo_names *other, const char *device, struct span below)
{
    struct span root = ascii(device), shown = join(root, below);
    struct span prefixed = join(root, (struct span){ silo->pipe_prefix, silo->pipe_prefix_n }), moved = join(prefixed, below);
    struct span stripped;
    size_t keep = 0, cut = strip_pipe(silo, moved, &keep);

    REQUIRE(cut == silo->pipe_prefix_n && keep == root.n);
    stripped = cut_out(moved, keep, cut);
    REQUIRE(same(stripped, shown));
    REQUIRE(!strip_pipe(other, moved, &keep));
    release(root);
    release(shown);
    release(prefixed);
    release(moved);
    release(stripped);
}

/* Nothing of a collapsed path leads anywhere else, and it stays as it is when it is collapsed again. */
static void check_collapse(struct span name)
{
    struct span copy = from(name, 0);
    WCHAR *text = malloc(name.n ? name.n * sizeof(WCHAR) : 1);
    size_t n, i;

    if (!text) abort();
    memcpy(text, copy.s, copy.n * sizeof(WCHAR));
    n = collapse_path(text, copy.n);
    REQUIRE(n <= copy.n);
    if (n && text[0] == '\\') {
        REQUIRE(collapse_path(text, n) == n);
        for (i = 0; i < n; i++) {
            REQUIRE(text[i] != '/');
            if (text[i] == '\\') REQUIRE(i + 1 < n && text[i + 1] != '\\');
            if (text[i] == '\\' && n - i > 2 && text[i + 1] == '.' && text[i + 2] == '.')
                REQUIRE(n - i > 3 && text[i + 3] != '\\');
        }
    }
    free(text);
}

static void check_file(const struct silo_names *silo, const struct silo_names *other, struct span name)
{
    struct name_edit edit = { 0 };
    enum name_class class = classify_file(name, &edit);
    enum place place = look_up(name);

    if (place == PIPES) REQUIRE(class == NAME_MOVED || class == NAME_PIPE_ROOT);
    if (is_unix_path(name)) REQUIRE(class == NAME_REFUSED);
    check_collapse(name);
    if (class != NAME_MOVED && class != NAME_PIPE_ROOT) return;
    REQUIRE(place == PIPES || place == INVALID);
    REQUIRE(edit.head == edit.tail && edit.tail <= name.n);
    REQUIRE((edit.tail == name.n) == (class == NAME_PIPE_ROOT));
    if (class == NAME_PIPE_ROOT) return;
    REQUIRE(name.s[edit.tail - 1] == '\\');
    check_pipe(silo, other, "\\Device\\NamedPipe\\", from(name, edit.tail));
    check_pipe(silo, other, "\\Device\\MailSlot\\", from(name, edit.tail));
    check_pipe(silo, other, "\\", from(name, edit.tail));
}

static void check_key(const struct silo_names *silo, const struct silo_names *other, struct span name)
{
    struct name_edit edit = { 0 };
    enum name_class class = classify_key(name, &edit);
    struct span moved, shown, stripped, registry;
    size_t keep = 0, cut;

    REQUIRE((look_up(name) == KEYS) == (class == NAME_MOVED));
    if (class != NAME_MOVED) return;
    REQUIRE(!edit.head && edit.tail <= name.n);
    registry = ascii("\\REGISTRY");
    moved = join((struct span){ silo->hive_root, silo->hive_root_n }, from(name, edit.tail));
    shown = join(registry, from(name, edit.tail));
    cut = strip_key(silo, moved, &keep);
    REQUIRE(cut && keep == registry.n);
    stripped = cut_out(moved, keep, cut);
    REQUIRE(same(stripped, shown));
    REQUIRE(!strip_key(other, moved, &keep));
    release(moved);
    release(shown);
    release(stripped);
    release(registry);
}

/* strip_*() see names that others made, too: they never cut more than there is */
static void check_strip(const struct silo_names *silo, struct span name)
{
    size_t keep = 0, cut = strip_object(silo, name);

    REQUIRE(cut < name.n || !cut);
    cut = strip_pipe(silo, name, &keep);
    REQUIRE(!cut || keep + cut < name.n);
    keep = 0;
    cut = strip_key(silo, name, &keep);
    REQUIRE(!cut || keep + cut <= name.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct silo_names silo, other;
    struct span name;
    unsigned int id;
    WCHAR *s;
    size_t i;

    if (size < 3) return 0;
    id = (unsigned int)(data[0] | data[1] << 8) + 1;
    names_init(&silo, id);
    names_init(&other, id * 10); /* its names start with the ones of the silo */
    if (data[2] & 1) {
        name.n = (size - 3) / sizeof(WCHAR);
        name.s = exact_copy(data + 3, name.n * sizeof(WCHAR));
    }
    else {
        name.n = size - 3;
        s = allocate(name.n * sizeof(WCHAR));
        for (i = 0; i < name.n; i++) s[i] = data[3 + i];
        name.s = s;
    }
    check_object(&silo, &other, name);
    check_file(&silo, &other, name);
    check_key(&silo, &other, name);
    check_strip(&silo, name);
    is_foreign_drive(name);
    is_drive_root(name);
    release(name);
    return 0;
}
