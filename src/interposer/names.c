/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "names.h"

#include <string.h>

#include "audit.h"

static size_t append_ascii(WCHAR *out, size_t pos, const char *text)
{
    while (*text) out[pos++] = (unsigned char)*text++;
    return pos;
}

static size_t append_number(WCHAR *out, size_t pos, unsigned int number)
{
    char digits[12];
    int n = 0;

    do digits[n++] = (char)('0' + number % 10);
    while ((number /= 10));
    while (n) out[pos++] = (unsigned char)digits[--n];
    return pos;
}

void names_init(struct silo_names *names, unsigned int id)
{
    size_t n;

    memset(names, 0, sizeof(*names));
    n = append_ascii(names->object_root, 0, "\\winesilo\\");
    names->object_root_n = append_number(names->object_root, n, id);
    memcpy(names->device_root, names->object_root, sizeof(names->object_root));
    names->device_root_n = append_ascii(names->device_root, names->object_root_n, "\\??");
    n = append_ascii(names->pipe_prefix, 0, "winesilo\\");
    n = append_number(names->pipe_prefix, n, id);
    names->pipe_prefix_n = append_ascii(names->pipe_prefix, n, "\\");
    n = append_ascii(names->hive_root, 0, "\\REGISTRY\\User\\winesilo-");
    names->hive_root_n = append_number(names->hive_root, n, id);
}

bool span_equal_ascii(struct span a, const char *b)
{
    size_t i;

    for (i = 0; i < a.n; i++)
        if (!b[i] || fold(a.s[i]) != fold((unsigned char)b[i])) return false;
    return !b[i];
}

/* length of b if a starts with it, whatever follows; 0 if not */
static size_t starts_with(struct span a, const char *b)
{
    size_t i;

    for (i = 0; b[i]; i++)
        if (i >= a.n || fold(a.s[i]) != fold((unsigned char)b[i])) return 0;
    return i;
}

static bool boundary(struct span a, size_t at)
{
    return at == a.n || a.s[at] == '\\';
}

bool span_has_prefix_ascii(struct span a, const char *b)
{
    size_t n = starts_with(a, b);

    return n && boundary(a, n);
}

bool span_has_prefix(struct span a, const WCHAR *b, size_t bn)
{
    size_t i;

    if (a.n < bn) return false;
    for (i = 0; i < bn; i++)
        if (fold(a.s[i]) != fold(b[i])) return false;
    return boundary(a, bn);
}

static size_t component_end(struct span a, size_t at)
{
    while (at < a.n && a.s[at] != '\\') at++;
    return at;
}

static struct span rest(struct span a, size_t at)
{
    return (struct span){ a.s + at, a.n - at };
}

/* \?? or \DosDevices, and behind it any number of \Global, which lead to the same place.
 * Returns how many characters they take, 0: there is none. */
static size_t skip_devices(struct span name)
{
    size_t at = 0;

    if (span_has_prefix_ascii(name, "\\??")) at = sizeof("\\??") - 1;
    else if (span_has_prefix_ascii(name, "\\DosDevices")) at = sizeof("\\DosDevices") - 1;
    while (at && span_has_prefix_ascii(rest(name, at), "\\Global")) at += sizeof("\\Global") - 1;
    return at;
}

/* skip the ways of saying "the root": \??\GLOBALROOT\X is \X. Returns how many characters they take. */
static size_t skip_globalroot(struct span name)
{
    size_t at = 0, devices;

    for (;;) {
        devices = skip_devices(rest(name, at));
        if (!devices || !span_has_prefix_ascii(rest(name, at + devices), "\\GLOBALROOT")) return at;
        at += devices + sizeof("\\GLOBALROOT") - 1;
    }
}

bool is_foreign_drive(struct span name)
{
    WCHAR letter;

    if (name.n != 2 || name.s[1] != ':') return false;
    letter = fold(name.s[0]);
    return letter >= 'a' && letter <= 'z' && letter != 'c';
}

/* rows of names.def */
struct name_row {
    enum name_class class;
    bool listed;
    const char *path;
};

static const struct name_row rows[] = {
#define PRIVATE NAME_MOVED, false
#define SHARED NAME_SHARED, false
#define MERGED NAME_MERGED, false
#define CATALOGUE NAME_SHARED, true
#define NAME(class, path, reason) { class, path },
#define NOTE(class, path, reason)
#include "names.def"
#undef NAME
#undef NOTE
#undef PRIVATE
#undef SHARED
#undef MERGED
#undef CATALOGUE
};

static bool is_letter(WCHAR c)
{
    return fold(c) >= 'a' && fold(c) <= 'z';
}

/* how much of name the pattern of a row takes, which is at least a backslash; 0: it does not fit */
static size_t match(struct span name, const char *pattern)
{
    size_t at = 0, end;

    for (; *pattern; pattern++) {
        if (*pattern == '*') {
            if ((end = component_end(name, at)) == at) return 0;
            at = end;
            continue;
        }
        if (at >= name.n) return 0;
        if (*pattern == '@' ? !is_letter(name.s[at]) : fold(name.s[at]) != fold((unsigned char)*pattern)) return 0;
        at++;
    }
    return at == name.n || name.s[at] == '\\' ? at : 0;
}

static const char devices[] = "\\??";

/* The name's class, where path is what follows \?? of a device, or the whole name of any other object. */
static enum name_class look_up(struct span path, struct name_edit *edit)
{
    const bool device = edit->device;
    size_t i, taken;

    edit->listed = false;
    edit->rule = RULE_OBJECT_ROOT;

    if (path.n && path.s[path.n - 1] == '\\') path.n--; /* a directory may be written so */
    if (!path.n && !device) return NAME_MERGED;           /* the root */
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *pattern = rows[i].path;

        if (!strncmp(pattern, devices, sizeof(devices) - 1) != device) continue;
        if (device) {
            pattern += sizeof(devices) - 1;
            if (!*pattern && path.n) continue; /* \?? itself */
            taken = match(path, pattern);
            if (!taken && *pattern) continue;
        }
        else if (!(taken = match(path, pattern))) continue;
        if (rows[i].class == NAME_MERGED && taken != path.n) continue;
        edit->listed = rows[i].listed;
        edit->rule = rows[i].listed ? RULE_NONE : (uint16_t)(i + 1);
        return rows[i].class;
    }
    edit->rule = RULE_OBJECT_PRIVATE;
    return NAME_MOVED;
}

enum name_class classify_object(struct span name, struct name_edit *edit)
{
    size_t start = skip_globalroot(name), devices = skip_devices(rest(name, start));

    edit->head = 0;
    edit->tail = start + devices;
    edit->device = devices > 0;
    return look_up(rest(name, edit->tail), edit);
}

bool object_fits(struct span name, const struct name_edit *edit, const char *pattern)
{
    if (!strncmp(pattern, devices, sizeof(devices) - 1) != edit->device) return false;
    return match(rest(name, edit->tail), pattern + (edit->device ? sizeof(devices) - 1 : 0));
}

size_t object_entry(struct span name, const struct name_edit *edit)
{
    size_t at = edit->tail;

    if (at < name.n) at = component_end(name, at + 1); /* X of \??\X, Device of \Device\X */
    if (!edit->device && at < name.n) at = component_end(name, at + 1);
    return at;
}

/* after a device that holds pipes or mailslots: its root, or a name below it */
static enum name_class below_device(struct span name, size_t device_end, struct name_edit *edit)
{
    size_t at = device_end;

    while (at < name.n && name.s[at] == '\\') at++;
    edit->head = edit->tail = at;
    return at >= name.n ? NAME_PIPE_ROOT : NAME_MOVED;
}

/* \??\X:\..., what nearly all names of files are: Wine looks drives up by itself, among those of the silo */
static bool is_drive_path(struct span name)
{
    static const char start[] = "\\??\\";
    size_t i;

    if (name.n < sizeof(start) + 2 || name.s[5] != ':' || name.s[6] != '\\') return false;
    for (i = 0; i < sizeof(start) - 1; i++)
        if (name.s[i] != (unsigned char)start[i]) return false;
    return true;
}

bool is_drive_root(struct span name)
{
    return is_drive_path(name) && name.n == sizeof("\\??\\C:\\") - 1;
}

enum name_class classify_file(struct span name, struct name_edit *edit)
{
    static const char *const devices[] = { "\\Device\\NamedPipe", "\\Device\\MailSlot" };
    static const char *const links[] = { "pipe", "mailslot" };
    size_t start, n, i;
    struct span path;

    if (is_drive_path(name)) return NAME_UNCHANGED;
    start = skip_globalroot(name);
    path = rest(name, start);
    for (i = 0; i < 2; i++)
        if (span_has_prefix_ascii(path, devices[i])) return below_device(name, start + starts_with(path, devices[i]), edit);
    if (!(n = skip_devices(path))) return NAME_OBJECT;
    while (n < path.n && path.s[n] == '\\') n++;
    for (i = 0; i < 2; i++)
        if (span_has_prefix_ascii(rest(path, n), links[i]))
            return below_device(name, start + n + starts_with(rest(path, n), links[i]), edit);
    /* Wine takes a slash too behind this one */
    if (span_has_prefix_ascii(rest(path, n), "unix") || starts_with(rest(path, n), "unix/")) return NAME_REFUSED;
    return NAME_OBJECT;
}

enum name_class classify_key(struct span name, struct name_edit *edit)
{
    size_t start = skip_globalroot(name);

    edit->head = 0;
    edit->tail = start + sizeof("\\Registry") - 1;
    return span_has_prefix_ascii(rest(name, start), "\\Registry") ? NAME_MOVED : NAME_UNCHANGED;
}

uint64_t pipe_hash(struct span name)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
    size_t i;

    for (i = 0; i < name.n; i++) hash = (hash ^ fold(name.s[i])) * 0x100000001b3u;
    return hash;
}

void pipe_alias(uint64_t hash, WCHAR alias[PIPE_ALIAS])
{
    unsigned int i;

    alias[0] = '~';
    for (i = 1; i < PIPE_ALIAS; i++, hash <<= 4) alias[i] = (unsigned char)"0123456789abcdef"[hash >> 60];
}

bool pipe_alias_hash(struct span name, uint64_t *hash)
{
    size_t i;

    if (name.n != PIPE_ALIAS || name.s[0] != '~') return false;
    for (*hash = 0, i = 1; i < PIPE_ALIAS; i++) {
        WCHAR c = name.s[i];

        if (c >= '0' && c <= '9') *hash = *hash << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f') *hash = *hash << 4 | (uint64_t)(c - 'a' + 10);
        else return false;
    }
    return true;
}

size_t strip_object(const struct silo_names *names, struct span name)
{
    if (!span_has_prefix(name, names->object_root, names->object_root_n)) return 0;
    return name.n > names->object_root_n ? names->object_root_n : 0;
}

size_t strip_pipe(const struct silo_names *names, struct span name, size_t *keep)
{
    static const char *const devices[] = { "\\Device\\NamedPipe\\", "\\Device\\MailSlot\\", "\\" };
    size_t i, n;

    for (i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
        struct span below;

        if (!(n = starts_with(name, devices[i]))) continue;
        below = rest(name, n);
        /* the prefix ends in a backslash: its last character is the boundary */
        if (below.n > names->pipe_prefix_n && span_has_prefix(below, names->pipe_prefix, names->pipe_prefix_n - 1)) {
            *keep = n;
            return names->pipe_prefix_n;
        }
    }
    return 0;
}

size_t strip_key(const struct silo_names *names, struct span name, size_t *keep)
{
    if (!span_has_prefix(name, names->hive_root, names->hive_root_n)) return 0;
    *keep = sizeof("\\REGISTRY") - 1;
    return names->hive_root_n - *keep;
}

/* is c what stands between the parts of a Unix path here? */
static bool separates(WCHAR c)
{
    return c == '\\' || c == '/';
}

size_t collapse_path(WCHAR *text, size_t n)
{
    size_t out = 0, at = 0, end;

    if (!n || !separates(text[0])) return n; /* there would be no room for what it begins with */
    while (at < n) {
        if (separates(text[at])) {
            at++;
            continue;
        }
        for (end = at; end < n && !separates(text[end]);) end++;
        if (end - at == 2 && text[at] == '.' && text[at + 1] == '.') {
            while (out && text[--out] != '\\') continue;
        }
        else if (end - at != 1 || text[at] != '.') {
            text[out++] = '\\';
            while (at < end) text[out++] = text[at++];
        }
        at = end;
    }
    return out;
}

bool is_in_unix_folder(struct span name, const char *folder)
{
    size_t at = skip_globalroot(name), n, i;

    if (!(n = skip_devices(rest(name, at)))) return false;
    at += n;
    while (at < name.n && name.s[at] == '\\') at++;
    if (!(n = starts_with(rest(name, at), "unix"))) return false;
    at += n;
    for (i = 0; folder[i]; i++, at++)
        if (at >= name.n || (folder[i] == '/' ? !separates(name.s[at]) : name.s[at] != (unsigned char)folder[i]))
            return false;
    return at == name.n || separates(name.s[at]);
}
