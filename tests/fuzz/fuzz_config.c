/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * config_parse: any bytes are either refused with a reason, or give a configuration that is complete, within
 * its bounds, and the same when it is written down and read again. */
#include <ctype.h>

#include "config.h"
#include "fuzz.h"

const char *const fuzz_words[] = { "winesilo-interposer\t1\n", "id\t",       "address\t127.7.0.7\n", "twin\t127.135.0.7\n",
                                   "shared\t/",                "network\t/", "loader\t/",  "trace\t/",             "volatile\tmachine\\",
                                   "link\tmachine\\",          "999999999\n", "1000000000\n",         "127.255.255.255\n",
                                   NULL };

static struct config config, again;

static bool is_text(const char *text, size_t room)
{
    size_t n = strnlen(text, room);

    return n && n < room;
}

static void check_path(const struct config_path *path)
{
    size_t i;

    REQUIRE(path->n && path->n <= sizeof(path->text) / sizeof(path->text[0]));
    for (i = 0; i < path->n; i++) REQUIRE(path->text[i] >= 0x20 && path->text[i] < 0x7f && !isupper(path->text[i]));
}

static void check(const struct config *c)
{
    size_t i;

    REQUIRE(c->id >= 1 && c->id <= 999999999);
    REQUIRE(c->address[0] && c->twin[0]);
    REQUIRE(is_text(c->shared_path, sizeof(c->shared_path)));
    REQUIRE(is_text(c->network_path, sizeof(c->network_path)));
    REQUIRE(memchr(c->trace_path, 0, sizeof(c->trace_path)));
    REQUIRE(c->loaders && c->loaders <= CONFIG_LOADERS);
    for (i = 0; i < c->loaders; i++) REQUIRE(is_text(c->loader_paths[i], sizeof(c->loader_paths[i])));
    REQUIRE(c->volatiles_n <= CONFIG_PATHS && c->links_n <= CONFIG_PATHS);
    for (i = 0; i < c->volatiles_n; i++) check_path(&c->volatiles[i]);
    for (i = 0; i < c->links_n; i++) {
        check_path(&c->links[i].from);
        check_path(&c->links[i].to);
    }
}

/* what an earlier, longer line of the same key left behind the text */
static void wipe(char *text, size_t room)
{
    size_t n = strlen(text);

    memset(text + n, 0, room - n);
}

static size_t put_path(char *out, const struct config_path *path)
{
    size_t i;

    for (i = 0; i < path->n; i++) out[i] = (char)path->text[i];
    return path->n;
}

static size_t render(char *out, size_t room, const struct config *c)
{
    const uint8_t *a = c->address, *t = c->twin;
    size_t n, i;

    n = (size_t)snprintf(out, room, "winesilo-interposer\t1\nid\t%u\naddress\t%u.%u.%u.%u\ntwin\t%u.%u.%u.%u\nshared\t%s\nnetwork\t%s\n",
                         c->id, a[0], a[1], a[2], a[3], t[0], t[1], t[2], t[3], c->shared_path, c->network_path);
    if (c->trace_path[0]) n += (size_t)snprintf(out + n, room - n, "trace\t%s\n", c->trace_path);
    for (i = 0; i < c->loaders; i++) n += (size_t)snprintf(out + n, room - n, "loader\t%s\n", c->loader_paths[i]);
    for (i = 0; i < c->volatiles_n; i++) {
        n += (size_t)snprintf(out + n, room - n, "volatile\t");
        n += put_path(out + n, &c->volatiles[i]);
        out[n++] = '\n';
    }
    for (i = 0; i < c->links_n; i++) {
        n += (size_t)snprintf(out + n, room - n, "link\t");
        n += put_path(out + n, &c->links[i].from);
        out[n++] = '\t';
        n += put_path(out + n, &c->links[i].to);
        out[n++] = '\n';
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { ROOM = 100000 };
    char *copy = exact_copy(data, size);
    const char *wrong = config_parse(&config, copy, size);

    free(copy);
    if (wrong) REQUIRE(*wrong);
    else {
        check(&config);
        wipe(config.shared_path, sizeof(config.shared_path));
        wipe(config.network_path, sizeof(config.network_path));
        wipe(config.trace_path, sizeof(config.trace_path));
        copy = allocate(ROOM);
        size = render(copy, ROOM, &config);
        REQUIRE(size < ROOM);
        REQUIRE(!config_parse(&again, copy, size));
        REQUIRE(!memcmp(&config, &again, sizeof(config)));
        free(copy);
    }
    return 0;
}
