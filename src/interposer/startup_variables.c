/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The environment of a process without a parent. ntdll.so puts it together from the Unix environment and from the
 * registry, which it reads by itself and so the base's: where the silo has keys of its own, do it again. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "keyplace.h"
#include "startup.h"
#include "teb.h"
#include "variables.h"

#define MACHINE(name) u"\\Registry\\Machine\\" name
#define USER(name) u"\\Registry\\User\\S-1-5-21-0-0-0-1000\\" name
#define CONTROL(name) MACHINE(u"System\\CurrentControlSet\\Control\\" name)

/* Where things are in process parameters (64 and 32 bits) with their process block. */
static const struct layout {
    size_t pointer, parameters, block, size;
} layout64 = { 8, 0x20, 0x80, 0x3f0 }, layout32 = { 4, 0x10, 0x48, 0x290 };

enum { VALUE_ROOM = 0x10000 };

/* the keys, in Wine's order */
enum { KEY_SYSTEM, KEY_USER, KEY_VOLATILE, KEY_PROFILES, KEY_FOLDERS, KEY_COMPUTER, KEYS };
static const WCHAR *const key_names[KEYS] = {
    CONTROL(u"Session Manager\\Environment"),
    USER(u"Environment"),
    USER(u"Volatile Environment"),
    MACHINE(u"Software\\Microsoft\\Windows NT\\CurrentVersion\\ProfileList"),
    MACHINE(u"Software\\Microsoft\\Windows\\CurrentVersion"),
    CONTROL(u"ComputerName\\ActiveComputerName"),
};

static void open_keys(HANDLE keys[KEYS])
{
    size_t i;

    for (i = 0; i < KEYS; i++) {
        struct span path = span_of(key_names[i]);
        uint16_t size = (uint16_t)(path.n * sizeof(WCHAR));
        UNICODE_STRING name = { size, size, (WCHAR *)path.s };
        OBJECT_ATTRIBUTES attr = { sizeof(attr), NULL, &name, OBJ_CASE_INSENSITIVE, NULL, NULL };

        if (hook_NtOpenKey(&keys[i], KEY_READ_ACCESS | KEY_WOW64_64KEY, &attr)) keys[i] = NULL;
    }
}

/* Does the silo have all of them from the base, as ntdll.so does? */
static bool all_from_base(void)
{
    size_t i;

    for (i = 0; i < KEYS; i++)
        if (!place_is_base(span_of(key_names[i]))) return false;
    return true;
}

/* all values of a key */
static void add_values(struct variables *v, HANDLE key, KEY_VALUE_FULL_INFORMATION *info)
{
    ULONG i, used;
    NTSTATUS status;

    if (!key) return;
    for (i = 0;; i++) {
        struct span name, data;

        status = hook_NtEnumerateValueKey(key, i, KeyValueFullInformation, info, VALUE_ROOM, &used);
        if (status == STATUS_BUFFER_OVERFLOW) continue; /* longer than any variable may be */
        if (status) break;
        name = (struct span){ info->Name, info->NameLength / sizeof(WCHAR) };
        data = (struct span){ (WCHAR *)((char *)info + info->DataOffset), info->DataLength / sizeof(WCHAR) };
        variables_set_registry(v, name, info->Type == REG_EXPAND_SZ, data);
    }
}

/* A variable from a value; false: there is no such value. */
static bool add_value(struct variables *v, HANDLE key, const WCHAR *value, const WCHAR *variable, void *room)
{
    struct span name = span_of(value), data;
    uint16_t size = (uint16_t)(name.n * sizeof(WCHAR));
    UNICODE_STRING text = { size, size, (WCHAR *)value };
    KEY_VALUE_PARTIAL_INFORMATION *info = room;
    ULONG used;

    if (!key || hook_NtQueryValueKey(key, &text, KeyValuePartialInformation, info, VALUE_ROOM, &used)) return false;
    data = (struct span){ (WCHAR *)info->Data, info->DataLength / sizeof(WCHAR) };
    if (!data.n) return false;
    variables_set_registry(v, span_of(variable), info->Type == REG_EXPAND_SZ, data);
    return true;
}

static void add_registry(struct variables *v, HANDLE const keys[KEYS], void *room)
{
    HANDLE folders = keys[KEY_FOLDERS];

    add_values(v, keys[KEY_SYSTEM], room);
    add_values(v, keys[KEY_USER], room);
    add_values(v, keys[KEY_VOLATILE], room);
    add_value(v, keys[KEY_PROFILES], u"ProgramData", u"ALLUSERSPROFILE", room);
    add_value(v, keys[KEY_PROFILES], u"ProgramData", u"ProgramData", room);
    add_value(v, keys[KEY_PROFILES], u"Public", u"PUBLIC", room);
    if (add_value(v, folders, u"ProgramFilesDir (x86)", u"ProgramFiles(x86)", room))
        add_value(v, folders, u"ProgramFilesDir", u"ProgramW6432", room);
    else add_value(v, folders, u"ProgramFilesDir", u"ProgramFiles", room);
    if (add_value(v, folders, u"CommonFilesDir (x86)", u"CommonProgramFiles(x86)", room))
        add_value(v, folders, u"CommonFilesDir", u"CommonProgramW6432", room);
    else add_value(v, folders, u"CommonFilesDir", u"CommonProgramFiles", room);
    add_value(v, keys[KEY_COMPUTER], u"ComputerName", u"COMPUTERNAME", room);
}

/* NAME=VALUE as one entry */
static void add_entry(struct variables *v, struct span entry)
{
    size_t n = 0;

    while (n < entry.n && entry.s[n] != '=') n++;
    if (n < entry.n)
        variables_set(v, (struct span){ entry.s, n }, (struct span){ entry.s + n + 1, entry.n - n - 1 });
}

static void add_unix(struct variables *v, to_wide *to_wide)
{
    char **entry;

    for (entry = environ; *entry; entry++) {
        enum variable_kind kind = variable_kind(*entry);
        const char *text = *entry + (kind == VARIABLE_RENAMED ? RENAMED_PREFIX : 0);
        size_t n = strlen(text);
        WCHAR *wide;

        if (kind == VARIABLE_OF_UNIX || kind == VARIABLE_OF_WINE || n > UINT32_MAX / 4) continue;
        if (!(wide = malloc((n + 1) * sizeof(WCHAR)))) {
            v->failed = true;
            return;
        }
        add_entry(v, (struct span){ wide, to_wide(text, (uint32_t)n, wide, (uint32_t)n) });
        free(wide);
    }
}

/* what Wine has added to its own block, which is right there */
static void add_wines(struct variables *v, const WCHAR *block)
{
    struct span entry;

    for (; *block; block += entry.n + 1) {
        entry = span_of(block);
        if (variable_is_wines(entry)) add_entry(v, entry);
    }
}

static uint64_t read_pointer(const char *at, const struct layout *layout)
{
    uint64_t value = 0;

    memcpy(&value, at, layout->pointer);
    return value;
}

static void write_pointer(char *at, const struct layout *layout, uint64_t value)
{
    memcpy(at, &value, layout->pointer);
}

/* Wine's Windows side copies the block when it starts, and never frees this one. */
static void put_block(char *peb, const struct layout *layout, const void *block, size_t size)
{
    char *parameters = (char *)(uintptr_t)read_pointer(peb + layout->parameters, layout);

    write_pointer(parameters + layout->block, layout, (uintptr_t)block);
    write_pointer(parameters + layout->size, layout, size);
}

static void use(struct variables *v, const char *teb)
{
    size_t size = (v->n + 1) * sizeof(WCHAR);
    const uint8_t *wow = wow_teb(teb);
    WCHAR *block = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

    if (block == MAP_FAILED) return;
    memcpy(block, v->text, v->n * sizeof(WCHAR));
    put_block((char *)peb_of(teb), &layout64, block, size);
    if (wow) put_block((char *)(uintptr_t)read_pointer((const char *)wow + TEB32_PEB, &layout32), &layout32, block, size);
}

/* Wine reads the registry once before it starts wineboot and once after it, with the PATH from before: a reference to
 * a variable that comes later in the list is replaced in the second round. */
static void rebuild(const char *teb, HANDLE const keys[KEYS], to_wide *to_wide, void *room)
{
    const struct span path = span_of(u"PATH");
    const char *peb = (const char *)peb_of(teb);
    const char *parameters = (const char *)(uintptr_t)read_pointer(peb + layout64.parameters, &layout64);
    struct variables v = { 0 };
    struct span old;
    WCHAR *kept = NULL;

    add_unix(&v, to_wide);
    old = variables_get(&v, path);
    if (old.s && (kept = malloc((old.n + 1) * sizeof(WCHAR)))) memcpy(kept, old.s, old.n * sizeof(WCHAR));
    add_wines(&v, (const WCHAR *)(uintptr_t)read_pointer(parameters + layout64.block, &layout64));
    add_registry(&v, keys, room);
    variables_set(&v, path, (struct span){ kept, kept ? old.n : 0 });
    add_registry(&v, keys, room);
    if (!v.failed && v.n) use(&v, teb);
    free(kept);
    variables_free(&v);
}

void startup_variables(const void *teb, to_wide *to_wide)
{
    HANDLE keys[KEYS];
    void *room;
    size_t i;

    if (all_from_base() || !(room = malloc(VALUE_ROOM))) return;
    open_keys(keys);
    rebuild(teb, keys, to_wide, room);
    free(room);
    for (i = 0; i < KEYS; i++)
        if (keys[i]) hook_NtClose(keys[i]);
}
