/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * names.c: which name goes where, and that what is shown is what was asked for. */
#include "check.h"

enum { OBJECT, FILE_NAME, KEY };

/* what becomes of a name in silo 7; NULL: it stays as it is */
static const struct {
    int namespace;
    const char *name;
    enum name_class class;
    const char *moved;
} rows[] = {
    { OBJECT, "\\BaseNamedObjects", NAME_MOVED, "\\winesilo\\7\\BaseNamedObjects" },
    { OBJECT, "\\basenamedobjects\\X", NAME_MOVED, "\\winesilo\\7\\basenamedobjects\\X" },
    { OBJECT, "\\BaseNamedObjectsX", NAME_MOVED, "\\winesilo\\7\\BaseNamedObjectsX" },
    { OBJECT, "\\Sessions\\1\\BaseNamedObjects\\X", NAME_MOVED, "\\winesilo\\7\\Sessions\\1\\BaseNamedObjects\\X" },
    { OBJECT, "\\Sessions\\BNOLINKS\\1", NAME_MOVED, "\\winesilo\\7\\Sessions\\BNOLINKS\\1" },
    { OBJECT, "\\Sessions\\1\\Windows\\WindowStations", NAME_MOVED, "\\winesilo\\7\\Sessions\\1\\Windows\\WindowStations" },
    { OBJECT, "\\Sessions\\0\\Windows", NAME_MOVED, "\\winesilo\\7\\Sessions\\0\\Windows" },
    { OBJECT, "\\Windows\\WindowStations\\X", NAME_MOVED, "\\winesilo\\7\\Windows\\WindowStations\\X" },
    { OBJECT, "\\Sessions", NAME_MOVED, "\\winesilo\\7\\Sessions" },
    { OBJECT, "\\Sessions\\", NAME_MOVED, "\\winesilo\\7\\Sessions\\" },
    { OBJECT, "\\RPC Control\\epmapper", NAME_MOVED, "\\winesilo\\7\\RPC Control\\epmapper" },
    { OBJECT, "\\winesilo\\8\\BaseNamedObjects\\X", NAME_MOVED, "\\winesilo\\7\\winesilo\\8\\BaseNamedObjects\\X" },
    { OBJECT, "\\??\\GLOBALROOT\\BaseNamedObjects\\X", NAME_MOVED, "\\winesilo\\7\\BaseNamedObjects\\X" },
    { OBJECT, "\\??\\GLOBALROOT\\??\\GLOBALROOT\\BaseNamedObjects", NAME_MOVED, "\\winesilo\\7\\BaseNamedObjects" },
    { OBJECT, "\\??\\Global\\GLOBALROOT\\BaseNamedObjects\\X", NAME_MOVED, "\\winesilo\\7\\BaseNamedObjects\\X" },
    { OBJECT, "\\DosDevices\\Global\\Global\\globalroot\\BaseNamedObjects", NAME_MOVED,
      "\\winesilo\\7\\BaseNamedObjects" },
    { OBJECT, "\\??\\C:", NAME_SHARED, "\\winesilo\\7\\??\\C:" },
    { OBJECT, "\\??\\Z:", NAME_MOVED, "\\winesilo\\7\\??\\Z:" },
    { OBJECT, "\\DosDevices\\d:", NAME_MOVED, "\\winesilo\\7\\??\\d:" },
    { OBJECT, "\\??\\Global\\Z:", NAME_MOVED, "\\winesilo\\7\\??\\Z:" },
    { OBJECT, "\\KernelObjects\\LowMemoryCondition", NAME_SHARED, NULL },
    { OBJECT, "\\", NAME_MERGED, NULL },
    { OBJECT, "", NAME_MERGED, NULL },
    { OBJECT, "\\KernelObjects\\X", NAME_MOVED, "\\winesilo\\7\\KernelObjects\\X" },
    { OBJECT, "\\KernelObjects", NAME_MERGED, NULL },
    { OBJECT, "\\KernelObjects\\", NAME_MERGED, NULL },
    { OBJECT, "\\??", NAME_MERGED, NULL },
    { OBJECT, "\\DosDevices\\Global\\", NAME_MERGED, NULL },
    { OBJECT, "\\??\\GLOBALROOT", NAME_MERGED, NULL },
    { OBJECT, "\\??\\COM1", NAME_SHARED, "\\winesilo\\7\\??\\COM1" },
    { OBJECT, "\\??\\ab:", NAME_SHARED, NULL },
    { OBJECT, "\\??\\1:", NAME_SHARED, NULL },
    { OBJECT, "\\???\\C:", NAME_MOVED, "\\winesilo\\7\\???\\C:" },
    { OBJECT, "\\Device\\X\\Y", NAME_SHARED, NULL },
    { OBJECT, "\\Device\\\\Y", NAME_MOVED, "\\winesilo\\7\\Device\\\\Y" },
    { OBJECT, "\\X", NAME_MOVED, "\\winesilo\\7\\X" },
    { FILE_NAME, "\\??\\C:\\windows", NAME_UNCHANGED, NULL },
    { FILE_NAME, "\\??\\Z:\\", NAME_UNCHANGED, NULL },
    { FILE_NAME, "\\??\\Z:", NAME_OBJECT, NULL },
    { FILE_NAME, "\\??\\NUL", NAME_OBJECT, NULL },
    { FILE_NAME, "\\X", NAME_OBJECT, NULL },
    { FILE_NAME, "\\??\\pipe\\X", NAME_MOVED, "\\??\\pipe\\winesilo\\7\\X" },
    { FILE_NAME, "\\??\\PIPE\\a\\b", NAME_MOVED, "\\??\\PIPE\\winesilo\\7\\a\\b" },
    { FILE_NAME, "\\??\\Global\\mailslot\\X", NAME_MOVED, "\\??\\Global\\mailslot\\winesilo\\7\\X" },
    { FILE_NAME, "\\Device\\NamedPipe\\X", NAME_MOVED, "\\Device\\NamedPipe\\winesilo\\7\\X" },
    { FILE_NAME, "\\??\\GLOBALROOT\\Device\\NamedPipe\\X", NAME_MOVED,
      "\\??\\GLOBALROOT\\Device\\NamedPipe\\winesilo\\7\\X" },
    { FILE_NAME, "\\??\\Global\\GLOBALROOT\\Device\\MailSlot\\X", NAME_MOVED,
      "\\??\\Global\\GLOBALROOT\\Device\\MailSlot\\winesilo\\7\\X" },
    { FILE_NAME, "\\??\\pipe", NAME_PIPE_ROOT, NULL },
    { FILE_NAME, "\\Device\\NamedPipe\\", NAME_PIPE_ROOT, NULL },
    { FILE_NAME, "\\??\\pipes\\X", NAME_OBJECT, NULL },
    { FILE_NAME, "\\??\\unix\\etc\\passwd", NAME_REFUSED, NULL },
    { FILE_NAME, "\\??\\unix/etc/passwd", NAME_REFUSED, NULL },
    { FILE_NAME, "\\??\\UNIX", NAME_REFUSED, NULL },
    { FILE_NAME, "\\??\\GLOBALROOT\\??\\unix\\etc", NAME_REFUSED, NULL },
    { FILE_NAME, "\\??\\C:\\pipe\\X", NAME_UNCHANGED, NULL },
    { FILE_NAME, "\\??\\C:\\unix\\X", NAME_UNCHANGED, NULL },
    { FILE_NAME, "\\??\\unixes\\X", NAME_OBJECT, NULL },
    { FILE_NAME, "\\??", NAME_OBJECT, NULL },
    { KEY, "\\Registry\\Machine\\Software", NAME_MOVED, "\\REGISTRY\\User\\winesilo-7\\Machine\\Software" },
    { KEY, "\\REGISTRY\\USER", NAME_MOVED, "\\REGISTRY\\User\\winesilo-7\\USER" },
    { KEY, "\\Registry\\User\\winesilo-8\\Machine", NAME_MOVED,
      "\\REGISTRY\\User\\winesilo-7\\User\\winesilo-8\\Machine" },
    { KEY, "\\Registry\\\\Machine\\Software", NAME_MOVED, "\\REGISTRY\\User\\winesilo-7\\\\Machine\\Software" },
    { KEY, "\\Registry", NAME_MOVED, "\\REGISTRY\\User\\winesilo-7" },
    { KEY, "\\??\\GLOBALROOT\\Registry\\Machine\\Software", NAME_MOVED,
      "\\REGISTRY\\User\\winesilo-7\\Machine\\Software" },
    { KEY, "\\Registries\\Machine", NAME_UNCHANGED, NULL },
    { KEY, "Machine", NAME_UNCHANGED, NULL },
};

static enum name_class classify(int namespace, struct span name, struct name_edit *edit)
{
    switch (namespace) {
    case OBJECT: return classify_object(name, edit);
    case FILE_NAME: return classify_file(name, edit);
    default: return classify_key(name, edit);
    }
}

static struct span prefix_of(const struct silo_names *names, int namespace, struct name_edit edit)
{
    switch (namespace) {
    case OBJECT:
        if (edit.device) return (struct span){ names->device_root, names->device_root_n };
        return (struct span){ names->object_root, names->object_root_n };
    case FILE_NAME: return (struct span){ names->pipe_prefix, names->pipe_prefix_n };
    default: return (struct span){ names->hive_root, names->hive_root_n };
    }
}

static bool same(struct span a, const char *b)
{
    size_t i;

    for (i = 0; i < a.n; i++)
        if (!b[i] || a.s[i] != (unsigned char)b[i]) return false;
    return !b[i];
}

static struct span edited(struct span name, struct name_edit edit, struct span prefix)
{
    size_t n = edit.head + prefix.n + name.n - edit.tail;
    WCHAR *s = malloc(n * sizeof(WCHAR));

    if (!s) abort();
    memcpy(s, name.s, edit.head * sizeof(WCHAR));
    memcpy(s + edit.head, prefix.s, prefix.n * sizeof(WCHAR));
    memcpy(s + edit.head + prefix.n, name.s + edit.tail, (name.n - edit.tail) * sizeof(WCHAR));
    return (struct span){ s, n };
}

static void test_classes(void)
{
    struct silo_names names;
    size_t i;

    names_init(&names, 7);
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct span name = wide(rows[i].name), moved;
        struct name_edit edit = { 0 };
        enum name_class class = classify(rows[i].namespace, name, &edit);

        CHECK_ROW(rows[i].name, class == rows[i].class);
        if (rows[i].moved) {
            moved = edited(name, edit, prefix_of(&names, rows[i].namespace, edit));
            CHECK_ROW(rows[i].name, same(moved, rows[i].moved));
            free_span(moved);
        }
        free_span(name);
    }
}

/* the rows that only explain agree with those that decide */
static void test_notes(void)
{
    enum { PRIVATE = NAME_MOVED, SHARED = NAME_SHARED, MERGED = NAME_MERGED };
    static const struct {
        const char *name;
        int class;
    } notes[] = {
#define NAME(class, path, reason)
#define NOTE(class, path, reason) { path, class },
#include "names.def"
#undef NAME
#undef NOTE
    };
    struct name_edit edit;
    size_t i;

    for (i = 0; i < sizeof(notes) / sizeof(notes[0]); i++) {
        struct span name = wide(notes[i].name);

        CHECK_ROW(notes[i].name, (int)classify_object(name, &edit) == notes[i].class);
        free_span(name);
    }
}

static void test_entry(void)
{
    static const struct {
        const char *name;
        size_t n;
    } entries[] = { { "\\??\\X\\Y", 5 }, { "\\DosDevices\\Global\\X\\Y", 20 }, { "\\??\\X", 5 },
                    { "\\Device\\X\\Y", 9 }, { "\\Device\\X", 9 }, { "\\Device", 7 }, { "\\??", 3 }, { "\\", 1 } };
    struct name_edit edit;
    size_t i;

    for (i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
        struct span name = wide(entries[i].name);

        classify_object(name, &edit);
        CHECK_ROW(entries[i].name, object_entry(name, &edit) == entries[i].n);
        free_span(name);
    }
}

static void test_alias(void)
{
    struct span name = wide("A long name"), same_name = wide("a LONG name"), other = wide("a long nam");
    WCHAR text[PIPE_ALIAS];
    struct span alias = { text, PIPE_ALIAS };
    uint64_t hash = pipe_hash(name), back;

    CHECK(hash == pipe_hash(same_name) && hash != pipe_hash(other));
    pipe_alias(0x0123456789abcdefu, text);
    CHECK(same(alias, "~0123456789abcdef"));
    CHECK(pipe_alias_hash(alias, &back) && back == 0x0123456789abcdefu);
    text[PIPE_ALIAS - 1] = 'g';
    CHECK(!pipe_alias_hash(alias, &back));
    text[0] = 'x';
    CHECK(!pipe_alias_hash(alias, &back) && !pipe_alias_hash(name, &back));
    free_span(name);
    free_span(same_name);
    free_span(other);
}

static void test_root(void)
{
    static const struct {
        const char *name;
        bool root;
    } roots[] = { { "\\??\\C:\\", true }, { "\\??\\z:\\", true }, { "\\??\\C:", false }, { "\\??\\C:\\x", false },
                  { "\\DosDevices\\C:\\", false }, { "", false } };
    size_t i;

    for (i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
        struct span name = wide(roots[i].name);

        CHECK_ROW(roots[i].name, is_drive_root(name) == roots[i].root);
        free_span(name);
    }
}

static void test_init(void)
{
    struct silo_names names;

    names_init(&names, 1);
    CHECK(same((struct span){ names.object_root, names.object_root_n }, "\\winesilo\\1"));
    CHECK(same((struct span){ names.pipe_prefix, names.pipe_prefix_n }, "winesilo\\1\\"));
    CHECK(same((struct span){ names.hive_root, names.hive_root_n }, "\\REGISTRY\\User\\winesilo-1"));
    names_init(&names, 4294967295u); /* the longest number there is fits */
    CHECK(same((struct span){ names.object_root, names.object_root_n }, "\\winesilo\\4294967295"));
    CHECK(same((struct span){ names.hive_root, names.hive_root_n }, "\\REGISTRY\\User\\winesilo-4294967295"));
}

static void test_strip(void)
{
    static const struct {
        const char *name;
        size_t object, pipe, pipe_keep, key;
    } strips[] = {
        { "\\winesilo\\7\\BaseNamedObjects", 11, 11, 1, 0 },
        { "\\winesilo\\7", 0, 0, 0, 0 },
        { "\\winesilo\\70\\X", 0, 0, 0, 0 },
        { "\\winesilo\\8\\X", 0, 0, 0, 0 },
        { "\\Device\\NamedPipe\\winesilo\\7\\X", 0, 11, 18, 0 },
        { "\\Device\\MailSlot\\winesilo\\7\\X", 0, 11, 17, 0 },
        { "\\Device\\NamedPipe\\winesilo\\70\\X", 0, 0, 0, 0 },
        { "\\Device\\NamedPipe\\winesilo\\7\\", 0, 0, 0, 0 },
        { "\\REGISTRY\\User\\winesilo-7", 0, 0, 0, 16 },
        { "\\Registry\\user\\winesilo-7\\Machine", 0, 0, 0, 16 },
        { "\\REGISTRY\\User\\winesilo-77\\Machine", 0, 0, 0, 0 },
        { "", 0, 0, 0, 0 },
    };
    struct silo_names names;
    size_t i, keep;

    names_init(&names, 7);
    for (i = 0; i < sizeof(strips) / sizeof(strips[0]); i++) {
        struct span name = wide(strips[i].name);

        CHECK_ROW(strips[i].name, strip_object(&names, name) == strips[i].object);
        keep = 0;
        CHECK_ROW(strips[i].name, strip_pipe(&names, name, &keep) == strips[i].pipe);
        CHECK_ROW(strips[i].name, keep == strips[i].pipe_keep);
        keep = 0;
        CHECK_ROW(strips[i].name, strip_key(&names, name, &keep) == strips[i].key);
        CHECK_ROW(strips[i].name, keep == (strips[i].key ? 9u : 0u));
        free_span(name);
    }
}

static void test_drives(void)
{
    static const struct {
        const char *name;
        bool foreign;
    } drives[] = { { "C:", false }, { "c:", false }, { "D:", true }, { "z:", true }, { "1:", false },
                   { "D", false },  { "D:\\", false }, { "", false }, { "@:", false }, { "[:", false } };
    size_t i;

    for (i = 0; i < sizeof(drives) / sizeof(drives[0]); i++) {
        struct span name = wide(drives[i].name);

        CHECK_ROW(drives[i].name, is_foreign_drive(name) == drives[i].foreign);
        free_span(name);
    }
}

static void test_unix_folder(void)
{
    static const struct {
        const char *name;
        bool inside;
    } paths[] = {
        { "\\??\\unix\\usr\\lib\\wine", true },
        { "\\??\\unix\\usr\\lib\\wine\\", true },
        { "\\??\\unix\\usr\\lib\\wine\\x86_64-windows\\a.dll", true },
        { "\\??\\unix/usr/lib/wine/a.dll", true },
        { "\\DosDevices\\Global\\UNIX\\usr\\lib\\wine\\..a\\b..", true },
        { "\\??\\GLOBALROOT\\??\\unix\\usr\\lib\\wine\\a", true },
        { "\\??\\unix\\usr\\lib\\wine\\..", false },
        { "\\??\\unix\\usr\\lib\\wine\\a/../../b", false },
        { "\\??\\unix\\usr\\lib\\wine/..\\etc", false },
        { "\\??\\unix\\usr\\share\\wine\\../../lib/wine/./fonts/", true },
        { "\\??\\unix\\..\\..\\..\\usr\\lib\\wine", false },
        { "\\??\\unix\\usr\\lib\\winery", false },
        { "\\??\\unix\\usr\\lib\\Wine\\a", false },
        { "\\??\\unix\\usr\\lib", false },
        { "\\??\\unix", false },
        { "\\??\\C:\\usr\\lib\\wine\\a", false },
        { "\\usr\\lib\\wine\\a", false },
        { "", false },
    };
    size_t i;

    for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct span name = wide(paths[i].name);

        name.n = collapse_path((WCHAR *)name.s, name.n);
        CHECK_ROW(paths[i].name, is_in_unix_folder(name, "/usr/lib/wine") == paths[i].inside);
        free_span(name);
    }
}

static void test_collapse(void)
{
    static const char *const paths[][2] = {
        { "", "" },
        { "\\", "" },
        { "\\a", "\\a" },
        { "a/../b", "a/../b" },
        { "/a/b", "\\a\\b" },
        { "\\a\\..", "" },
        { "\\..\\a", "\\a" },
        { "\\a\\\\b//c", "\\a\\b\\c" },
        { "\\a\\.\\b\\.", "\\a\\b" },
        { "\\a\\b/../c", "\\a\\c" },
        { "\\...\\..a", "\\...\\..a" },
        { "\\../../x", "\\x" },
    };
    size_t i;

    for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        WCHAR text[64];
        struct span name = wide(paths[i][0]);

        memcpy(text, name.s, name.n * sizeof(WCHAR));
        CHECK_ROW(paths[i][0], same((struct span){ text, collapse_path(text, name.n) }, paths[i][1]));
        free_span(name);
    }
}

static void test_compare(void)
{
    struct span name = wide("Global\\x");

    CHECK(span_has_prefix_ascii(name, "GLOBAL"));
    CHECK(!span_has_prefix_ascii(name, "Glob"));
    CHECK(!span_has_prefix_ascii(name, "Global\\x\\y"));
    CHECK(span_equal_ascii(name, "gLOBAL\\X"));
    CHECK(!span_equal_ascii(name, "Global\\"));
    CHECK(!span_equal_ascii(name, "Global\\xy"));
    CHECK(fold('A') == 'a' && fold('Z') == 'z' && fold('@') == '@' && fold('[') == '[');
    CHECK(fold(0x212a) == 0x212a); /* the wineserver does not take the Kelvin sign for a k */
    free_span(name);
}

/* patterns of the catalogue, which are for the whole of a name or for what is above it */
static void test_catalogue(void)
{
    static const struct {
        const char *name, *pattern;
        bool fits;
    } rows[] = {
        { "\\??\\NUL", "\\??\\NUL", true },
        { "\\DosDevices\\Global\\nul", "\\??\\NUL", true },
        { "\\??\\GLOBALROOT\\Device\\Null", "\\Device\\Null", true },
        { "\\Device\\Http\\ReqQueue", "\\Device\\Http", true },
        { "\\Device\\Http2", "\\Device\\Http", false },
        { "\\??\\COM12", "\\??\\COM*", true },
        { "\\??\\COM", "\\??\\COM*", false },
        { "\\??\\Null", "\\Device\\Null", false },
        { "\\Device\\NUL", "\\??\\NUL", false },
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct span name = wide(rows[i].name);
        struct name_edit edit;

        classify_object(name, &edit);
        CHECK_ROW(rows[i].name, edit.listed && !edit.rule);
        CHECK_ROW(rows[i].name, object_fits(name, &edit, rows[i].pattern) == rows[i].fits);
        free_span(name);
    }
}

int main(void)
{
    test_catalogue();
    test_init();
    test_classes();
    test_notes();
    test_entry();
    test_alias();
    test_root();
    test_strip();
    test_drives();
    test_unix_folder();
    test_collapse();
    test_compare();
    return failed != 0;
}
