/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * config.c: what is taken, and that whatever is missing, too much or cut off is refused. */
#include "check.h"
#include "config.h"

#define HEADER "winesilo-interposer\t1\n"
#define ID "id\t7\n"
#define ADDRESS "address\t127.7.0.7\n"
#define TWIN "twin\t127.135.0.7\n"
#define SHARED "shared\t/run/shared.mem\n" NETWORK
#define NETWORK "network\t/run/net/7\n" AUDIT
#define AUDIT "audit\t/run/audit.mem\n"
#define LOADER "loader\t/usr/lib/wine/wine64\n"
#define GOOD HEADER ID ADDRESS TWIN SHARED LOADER

static struct config config;

/* from a heap copy of exactly the text */
static const char *parse(const char *text, size_t size)
{
    char *copy = malloc(size ? size : 1);
    const char *wrong;

    if (!copy) abort();
    memcpy(copy, text, size);
    wrong = config_parse(&config, copy, size);
    free(copy);
    return wrong;
}

static bool accepted(const char *text)
{
    return !parse(text, strlen(text));
}

static void test_good(void)
{
    static const uint8_t address[4] = { 127, 7, 0, 7 }, twin[4] = { 127, 135, 0, 7 };

    CHECK(accepted(GOOD "\ntrace\t/tmp/t\nvolatile\tMachine\\Hardware\n"
                        "link\tmachine\\a\tmachine\\b\nloader\t/usr/bin/wine64-preloader\n"));
    CHECK(config.id == 7 && !memcmp(config.address, address, 4) && !memcmp(config.twin, twin, 4));
    CHECK(!strcmp(config.shared_path, "/run/shared.mem") && !strcmp(config.network_path, "/run/net/7"));
    CHECK(!strcmp(config.trace_path, "/tmp/t"));
    CHECK(config.loaders == 2 && !strcmp(config.loader_paths[0], "/usr/lib/wine/wine64") &&
          !strcmp(config.loader_paths[1], "/usr/bin/wine64-preloader"));
    CHECK(config.volatiles_n == 1 && span_equal_ascii((struct span){ config.volatiles[0].text, config.volatiles[0].n },
                                                      "machine\\hardware"));
    CHECK(config.volatiles[0].text[0] == 'm'); /* lower case, whatever was given */
    CHECK(config.links_n == 1 && config.links[0].from.n == 9 && config.links[0].to.n == 9);
    CHECK(!strcmp(config.audit_path, "/run/audit.mem") && !config.devices_n);
    CHECK(accepted(GOOD "device\tshared\t\\??\\NUL\ndevice\trefused\t\\Device\\X*\n"));
    CHECK(config.devices_n == 2 && config.devices[0].class == DEVICE_SHARED && config.devices[1].class == DEVICE_REFUSED);
    CHECK(!strcmp(config.devices[1].pattern, "\\Device\\X*"));
    CHECK(!accepted(GOOD "device\town\t\\??\\NUL\n") && !accepted(GOOD "device\tshared\tNUL\n"));
    CHECK(!accepted(GOOD "device\tshared\n") && !accepted(HEADER ID ADDRESS TWIN "shared\t/s\nnetwork\t/n\n" LOADER));
    CHECK(accepted(GOOD "datagrams\tserver\n") && config.server_binds);
    CHECK(accepted(GOOD) && !config.server_binds);
    CHECK(!config.trace_path[0] && !config.links_n && !config.volatiles_n && config.loaders == 1);
}

static void test_missing(void)
{
    CHECK(parse("", 0) != NULL);
    CHECK(!accepted("\n\n"));
    CHECK(!accepted(HEADER));
    CHECK(!accepted(ID ADDRESS TWIN SHARED LOADER));
    CHECK(!accepted(HEADER ADDRESS TWIN SHARED LOADER));
    CHECK(!accepted(HEADER ID TWIN SHARED LOADER));
    CHECK(!accepted(HEADER ID ADDRESS SHARED LOADER));
    CHECK(!accepted(HEADER ID ADDRESS TWIN LOADER));
    CHECK(!accepted(HEADER ID ADDRESS TWIN SHARED));
    CHECK(!accepted(HEADER ID ADDRESS TWIN NETWORK LOADER));
    CHECK(!accepted(HEADER ID ADDRESS TWIN "shared\t/run/shared.mem\n" LOADER));
}

static void test_wrong(void)
{
    static const char *const wrong[] = {
        "id\t0\n", "id\t-1\n", "id\t07\n", "id\t1000000000\n", "id\t99999999999999999999\n", "id\t7x\n", "id\n", "id\t\n",
        "address\t127.0.0\n", "address\t127.0.0.256\n", "address\tlocalhost\n", "address\t127.0.0.1 \n", "address\t\n",
        "address\t1270.1270.1270.1270\n", "twin\t::1\n", "shared\t\n", "shared\n", "trace\n", "loader\n", "loader\t\n",
        "folder\n", "datagrams\there\n", "datagrams\n", "folder\trelative\n", "folder\t/\n", "folder\t/a/\n",
        "link\ta\n", "link\t\tb\n", "link\ta\t\n", "link\ta\tb\tc\n", "link\t\xc3\xa9\tb\n", "volatile\n", "volatile\t\x01\n",
        "unknown\tx\n", "ID\t7\n", " id\t7\n", "\tid\n", "winesilo-interposer\t2\n",
    };
    char text[1024];
    size_t i;

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        snprintf(text, sizeof(text), "%s%s", GOOD, wrong[i]);
        CHECK_ROW(wrong[i], !accepted(text));
    }
    CHECK(!accepted("winesilo-interposer\t2\n" ID ADDRESS TWIN SHARED LOADER));
    CHECK(!accepted("winesilo-interposer\n" ID ADDRESS TWIN SHARED LOADER));
    CHECK(parse(GOOD "trace\t/a\0b\n", sizeof(GOOD "trace\t/a\0b\n") - 1) != NULL);
}

/* A file cut off anywhere is refused, but at the end of a line after which nothing is needed. */
static void test_truncated(void)
{
    static const char text[] = GOOD "volatile\tmachine\\hardware\nlink\tmachine\\a\tmachine\\b\n";
    size_t needed = strlen(GOOD), n;

    for (n = 0; n < strlen(text); n++)
        CHECK_ROW(text + n, (parse(text, n) == NULL) == (n >= needed && text[n - 1] == '\n'));
}

/* count lines of key with a value of length n */
static bool lines_accepted(const char *key, size_t count, size_t n)
{
    size_t size = strlen(GOOD) + count * (strlen(key) + n + 2) + 1, at = strlen(GOOD), i;
    char *text = malloc(size);
    bool result;

    if (!text) abort();
    memcpy(text, GOOD, at);
    for (i = 0; i < count; i++) {
        at += (size_t)snprintf(text + at, size - at, "%s\t", key);
        memset(text + at, 'x', n);
        text[at] = '/';
        at += n;
        text[at++] = '\n';
    }
    result = !parse(text, at);
    free(text);
    return result;
}

static void test_limits(void)
{
    CHECK(lines_accepted("folder", CONFIG_FOLDERS, 511));
    CHECK(!lines_accepted("folder", CONFIG_FOLDERS + 1, 4));
    CHECK(!lines_accepted("folder", 1, 512));
    CHECK(lines_accepted("loader", CONFIG_LOADERS - 1, 255));
    CHECK(!lines_accepted("loader", CONFIG_LOADERS, 4));
    CHECK(!lines_accepted("loader", 1, 256));
    CHECK(lines_accepted("volatile", CONFIG_PATHS, 256));
    CHECK(!lines_accepted("volatile", CONFIG_PATHS + 1, 4));
    CHECK(!lines_accepted("volatile", 1, 257));
    CHECK(lines_accepted("link\ta", CONFIG_PATHS, 256));
    CHECK(!lines_accepted("link\ta", CONFIG_PATHS + 1, 4));
    CHECK(lines_accepted("shared", 1, 4095));
    CHECK(!lines_accepted("shared", 1, 4096));
    CHECK(lines_accepted("trace", 1, 4095));
    CHECK(!lines_accepted("trace", 1, 4096));
}

int main(void)
{
    test_good();
    test_missing();
    test_wrong();
    test_truncated();
    test_limits();
    return failed != 0;
}
