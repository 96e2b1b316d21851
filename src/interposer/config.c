/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "config.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

struct field {
    const char *s;
    size_t n;
};

static bool is(struct field f, const char *text)
{
    return f.n == strlen(text) && !memcmp(f.s, text, f.n);
}

static bool copy_text(char *out, size_t size, struct field f)
{
    if (!f.n || f.n >= size || memchr(f.s, 0, f.n)) return false;
    memcpy(out, f.s, f.n);
    out[f.n] = 0;
    return true;
}

static bool copy_address(uint8_t out[4], struct field f)
{
    char text[16];

    return copy_text(text, sizeof(text), f) && inet_pton(AF_INET, text, out) == 1;
}

/* registry paths in the configuration are ASCII */
static bool copy_path(struct config_path *out, struct field f)
{
    size_t i;

    if (!f.n || f.n > sizeof(out->text) / sizeof(out->text[0])) return false;
    for (i = 0; i < f.n; i++) {
        if ((unsigned char)f.s[i] < 0x20 || (unsigned char)f.s[i] > 0x7e) return false;
        out->text[i] = fold((unsigned char)f.s[i]);
    }
    out->n = f.n;
    return true;
}

bool config_add_folder(struct config *config, const char *path, size_t n)
{
    if (config->folders_n == CONFIG_FOLDERS || n < 2 || path[0] != '/' || path[n - 1] == '/') return false;
    if (!copy_text(config->folders[config->folders_n], sizeof(config->folders[0]), (struct field){ path, n })) return false;
    config->folders_n++;
    return true;
}

static bool copy_id(unsigned int *out, struct field f)
{
    char text[12], *end;
    unsigned long n;

    if (!copy_text(text, sizeof(text), f) || text[0] < '1' || text[0] > '9') return false;
    n = strtoul(text, &end, 10);
    if (*end || n > 999999999) return false;
    *out = (unsigned int)n;
    return true;
}

static bool copy_device(struct config_device *out, struct field class, struct field pattern)
{
    static const char *const classes[] = { [DEVICE_SHARED] = "shared", [DEVICE_PRIVATE] = "private", [DEVICE_REFUSED] = "refused",
                                           [DEVICE_UNDECLARED] = "undeclared" };
    size_t i;

    if (!copy_text(out->pattern, sizeof(out->pattern), pattern) || pattern.n < 2 || pattern.s[0] != '\\') return false;
    for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        if (!is(class, classes[i])) continue;
        out->class = (uint8_t)i;
        return true;
    }
    return false;
}

static const char *take(struct config *c, struct field key, struct field value, struct field second)
{
    if (is(key, "id")) return copy_id(&c->id, value) ? NULL : "bad id";
    if (is(key, "address")) return copy_address(c->address, value) ? NULL : "bad address";
    if (is(key, "twin")) return copy_address(c->twin, value) ? NULL : "bad twin";
    if (is(key, "datagrams")) return (c->server_binds = is(value, "server")) ? NULL : "bad datagrams";
    if (is(key, "shared")) return copy_text(c->shared_path, sizeof(c->shared_path), value) ? NULL : "bad shared";
    if (is(key, "network")) return copy_text(c->network_path, sizeof(c->network_path), value) ? NULL : "bad network";
    if (is(key, "audit")) return copy_text(c->audit_path, sizeof(c->audit_path), value) ? NULL : "bad audit";
    if (is(key, "trace")) return copy_text(c->trace_path, sizeof(c->trace_path), value) ? NULL : "bad trace";
    if (is(key, "loader")) {
        if (c->loaders == CONFIG_LOADERS) return "too many loader lines";
        return copy_text(c->loader_paths[c->loaders++], sizeof(c->loader_paths[0]), value) ? NULL : "bad loader";
    }
    if (is(key, "device")) {
        if (c->devices_n == CONFIG_DEVICES) return "too many device lines";
        return copy_device(&c->devices[c->devices_n++], value, second) ? NULL : "bad device";
    }
    if (is(key, "folder")) return config_add_folder(c, value.s, value.n) ? NULL : "bad folder";
    if (is(key, "volatile")) {
        if (c->volatiles_n == CONFIG_PATHS) return "too many volatile lines";
        return copy_path(&c->volatiles[c->volatiles_n++], value) ? NULL : "bad volatile";
    }
    if (is(key, "link")) {
        if (c->links_n == CONFIG_PATHS) return "too many link lines";
        if (!copy_path(&c->links[c->links_n].from, value) || !copy_path(&c->links[c->links_n].to, second))
            return "bad link";
        c->links_n++;
        return NULL;
    }
    return "unknown key";
}

const char *config_parse(struct config *config, const char *text, size_t size)
{
    const char *end = text + size, *wrong;
    bool header = false;

    memset(config, 0, sizeof(*config));
    if (size && end[-1] != '\n') return "the last line has no end";
    while (text < end) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));
        struct field f[3] = { { 0 } };
        size_t n = 0;

        if (!line_end) line_end = end;
        while (n < 3) {
            const char *tab = memchr(text, '\t', (size_t)(line_end - text));

            if (!tab || n == 2) tab = line_end;
            f[n].s = text;
            f[n++].n = (size_t)(tab - text);
            if (tab == line_end) break;
            text = tab + 1;
        }
        text = line_end < end ? line_end + 1 : end;
        if (n == 1 && !f[0].n) continue;
        if (!header) {
            if (!is(f[0], "winesilo-interposer") || !is(f[1], "1")) return "not a winesilo-interposer 1 file";
            header = true;
            continue;
        }
        if ((wrong = take(config, f[0], f[1], f[2]))) return wrong;
    }
    if (!header) return "empty";
    if (!config->id || !config->shared_path[0] || !config->network_path[0] || !config->audit_path[0] || !config->loaders || !config->address[0] || !config->twin[0])
        return "id, address, twin, shared, network, audit and loader are needed";
    return NULL;
}
