/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * keyindex.c: where paths lead. (fuzz_keyindex.c compares it with a model.) */
#include "check.h"
#include "keyindex.h"

enum { PATH_CHARS = 512 };

static struct key_index *keys;

static uint32_t add(uint32_t parent, const char *name, enum key_kind kind)
{
    struct span text = wide(name);
    uint32_t node = index_add(keys, parent, text);

    if (kind != KIND_NONE) index_set_kind(keys, node, kind);
    free_span(text);
    return node;
}

/* the place of a path, its last node's path and what is left: "place path|rest" */
static const char *where(const char *path, unsigned int how)
{
    static const char *const places[] = { "base", "private", "absent", "link", "lost" };
    static char text[PATH_CHARS];
    WCHAR out[PATH_CHARS];
    const struct key_path start = { .start = INDEX_ROOT, .serial = keys->nodes[INDEX_ROOT].serial, .name = wide(path) };
    struct key_walk walk;
    size_t i, n;

    if (!index_walk(keys, &start, how, &walk, out, PATH_CHARS)) return "moved";
    n = (size_t)snprintf(text, sizeof(text), "%s ", places[walk.place]);
    for (i = 0; i < walk.path_n; i++) text[n++] = (char)out[i];
    text[n++] = '|';
    for (i = 0; i < walk.rest.n; i++) text[n++] = (char)walk.rest.s[i];
    text[n] = 0;
    free_span(start.name);
    return text;
}

static const struct {
    const char *path;
    unsigned int how;
    const char *leads_to;
} rows[] = {
    { "", 0, "private |" },
    { "Machine", 0, "private \\Machine|" },
    { "\\MACHINE\\\\Software\\", 0, "private \\Machine\\Software|" },
    { "Machine\\System\\X", 0, "base \\Machine|System\\X" },
    { "Machine\\Software\\Own\\X", 0, "absent \\Machine\\Software\\Own|X" },
    { "Machine\\Software\\Gone", 0, "absent \\Machine\\Software\\Gone|" },
    { "Machine\\Software\\Gone\\X", 0, "absent \\Machine\\Software\\Gone|X" },
    { "Machine\\Software\\Link", 0, "link \\Machine\\Software\\Link|" },
    { "Machine\\Software\\Link", WALK_OPEN_LINK, "private \\Machine\\Software\\Link|" },
    { "Machine\\Software\\Link\\X\\Y", WALK_OPEN_LINK, "link \\Machine\\Software\\Link|X\\Y" },
    { "Machine\\Software\\Wow6432Node\\Base", WALK_OPEN_LINK, "base \\Machine\\Software\\Wow6432Node\\Base|" },
    { "Machine\\Software\\Wow6432Node\\Base\\X", 0, "link \\Machine\\Software\\Wow6432Node\\Base|X" },
    { "Machine\\Software\\Wow6432Node\\Other", 0, "base \\Machine\\Software\\Wow6432Node|Other" },
    { "User\\winesilo-3", 0, "absent \\User|winesilo-3" },
    { "User\\WINESILO-3\\Machine", 0, "absent \\User|WINESILO-3\\Machine" },
    { "User\\winesilo-3", WALK_OPEN_LINK, "absent \\User|winesilo-3" },
    { "Machine\\winesilo-3", 0, "base \\Machine|winesilo-3" },
    { "User\\winesilo", 0, "base \\User|winesilo" },
    { "Machine\\Software\\Own", WALK_32BIT, "base \\Machine\\Software\\Wow6432Node|Own" },
    { "Machine\\Software", WALK_32BIT, "base \\Machine\\Software\\Wow6432Node|" },
    { "Machine\\Software\\Wow6432Node\\Other", WALK_32BIT, "base \\Machine\\Software\\Wow6432Node|Other" },
    { "Machine\\System\\X", WALK_NO_BASE_PATH, "base |System\\X" },
    { "Machine\\System\\X", WALK_NO_PRIVATE_PATH, "base \\Machine|System\\X" },
    { "Machine\\Software", WALK_NO_BASE_PATH, "private \\Machine\\Software|" },
    { "Machine\\Software", WALK_NO_PRIVATE_PATH, "private |" },
    { "Machine\\Software\\Gone\\X", WALK_NO_PRIVATE_PATH, "absent |X" },
    { "Machine\\Software\\Link", WALK_NO_BASE_PATH | WALK_NO_PRIVATE_PATH, "link \\Machine\\Software\\Link|" },
    { "Machine\\Software\\Own", WALK_32BIT | WALK_NO_BASE_PATH, "base \\Machine\\Software\\Wow6432Node|Own" },
};

static void check_walks(void)
{
    uint32_t software, wow, link;
    struct span target = wide("\\Registry\\Machine\\X");
    WCHAR out[PATH_CHARS];
    size_t i, n = 0;

    index_set_kind(keys, INDEX_MACHINE, KIND_MERGED);
    index_set_kind(keys, INDEX_USER, KIND_MERGED);
    software = add(INDEX_MACHINE, "Software", KIND_MERGED);
    add(software, "Own", KIND_OWN);
    add(software, "Gone", KIND_HIDDEN);
    link = add(software, "Link", KIND_LINK);
    wow = add(software, "Wow6432Node", KIND_NONE);
    add(wow, "Base", KIND_BASE_LINK);
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *got = where(rows[i].path, rows[i].how);

        if (strcmp(got, rows[i].leads_to)) fprintf(stderr, "%s: %s\n", rows[i].path, got);
        CHECK_ROW(rows[i].path, !strcmp(got, rows[i].leads_to));
    }
    CHECK(!index_target(keys, link, keys->nodes[link].serial, out, PATH_CHARS, &n));
    CHECK(index_set_target(keys, link, target));
    CHECK(index_target(keys, link, keys->nodes[link].serial, out, PATH_CHARS, &n) && n == target.n);
    CHECK(!index_target(keys, link, keys->nodes[link].serial, out, target.n - 1, &n));
    free_span(target);
}

/* Letters beyond ASCII are one by the table, and are found whether a process has it yet or not. */
static void check_case(void)
{
    static uint16_t table[256 + 16 * 2 + 16 * 2];
    const WCHAR lower[] = { 0xe4, 'x' }, upper[] = { 0xc4, 'X' };
    uint32_t node;
    size_t i;

    for (i = 0; i < 256; i++) table[i] = 256;             /* high byte -> 16 entries */
    for (i = 0; i < 16; i++) table[256 + i] = 256 + 32;   /* middle -> a row of zeroes */
    table[256 + 0xc] = 256 + 48;                          /* 0xc0..0xcf: 0x20 more */
    for (i = 0; i < 16; i++) table[256 + 48 + i] = 0x20;
    node = index_add(keys, INDEX_MACHINE, (struct span){ lower, 2 });
    CHECK(!index_find(keys, INDEX_MACHINE, (struct span){ upper, 2 }));
    CHECK(key_compare((struct span){ lower, 2 }, (struct span){ upper, 2 }) > 0);
    key_case_table = table;
    CHECK(index_find(keys, INDEX_MACHINE, (struct span){ upper, 2 }) == node);
    CHECK(!key_compare((struct span){ lower, 2 }, (struct span){ upper, 2 }));
    CHECK(key_compare((struct span){ lower, 1 }, (struct span){ upper, 2 }) < 0);
    key_case_table = NULL;
}

static void check_limits(void)
{
    static const WCHAR text[INDEX_NAME_MAX + 1] = { 'x' };
    uint32_t node = add(INDEX_USER, "short", KIND_OWN), again;
    struct key_node peeked;
    struct key_path path;
    struct key_walk walk;
    WCHAR out[8];

    CHECK(!index_add(keys, INDEX_USER, (struct span){ text, INDEX_NAME_MAX + 1 }));
    CHECK(index_add(keys, INDEX_USER, (struct span){ text, INDEX_NAME_MAX }));
    path = (struct key_path){ .start = node, .serial = keys->nodes[node].serial };
    CHECK(index_walk(keys, &path, 0, &walk, out, 8) && !walk.path_fits);
    CHECK(index_peek(keys, node, keys->nodes[node].serial, &peeked) && peeked.kind == KIND_OWN);
    index_drop(keys, node);
    CHECK(!index_peek(keys, node, peeked.serial, &peeked));
    again = add(INDEX_USER, "other", KIND_OWN);
    CHECK(again == node); /* used again, for another key */
    CHECK(index_walk(keys, &path, 0, &walk, out, 8) && walk.place == PLACE_LOST);
}

/* A writer that died leaves the index torn: readers are told, and a new start mends it. */
static void check_torn(void)
{
    const struct key_path root = { .start = INDEX_ROOT };
    struct key_walk walk;

    CHECK(!index_torn(keys));
    atomic_fetch_add(&keys->sequence, 1);
    CHECK(index_torn(keys));
    CHECK(!index_walk(keys, &root, 0, &walk, NULL, 0));
    index_reset(keys);
    CHECK(!index_torn(keys));
    CHECK(!strcmp(where("Machine\\Software\\Own", 0), "base \\Machine|Software\\Own"));
}

int main(void)
{
    if (!(keys = calloc(1, sizeof(*keys)))) return 1;
    index_reset(keys);
    check_walks();
    check_case();
    check_limits();
    check_torn();
    free(keys);
    return failed ? 1 : 0;
}
