/* Changes the registry of a silo as a list says, all of it or nothing; writes the list that takes it back.
 *
 *   register.exe LIST UNDO
 *
 * A list is a text of UTF-8 lines; fields are separated by tabs. Keys begin with HKLM\ or HKCU\.
 *
 *   set     KEY NAME TYPE HEX    give a value its type (a number) and its data (hexadecimal); makes the key
 *   append  KEY NAME TEXT        add a text to a REG_MULTI_SZ value, unless it has it; makes key and value
 *   unset   KEY NAME             remove a value
 *   drop    KEY NAME TEXT        take a text out of a REG_MULTI_SZ value, and remove the value if that was all
 *   unmake  KEY                  remove a key if it has neither values nor keys
 *
 * The last three take back what the first two did; what is gone already is fine there. Exit code 0, or 1
 * after a line on standard output that says what failed.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <windows.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIELDS = 5 };

/* the lines that take back what was done, the last one first */
struct undo {
    struct undo *before;
    char line[];
};

static struct undo *undo;

static void remember(const char *format, ...)
{
    va_list args;
    int n;
    struct undo *entry;

    va_start(args, format);
    n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (!(entry = malloc(sizeof(*entry) + (size_t)n + 1)))
        exit(1);
    va_start(args, format);
    vsnprintf(entry->line, (size_t)n + 1, format, args);
    va_end(args);
    entry->before = undo;
    undo = entry;
}

static WCHAR *wide(const char *text)
{
    int n = MultiByteToWideChar(CP_UTF8, 0, text, -1, NULL, 0);
    WCHAR *result = malloc((size_t)n * sizeof(WCHAR));

    if (!result)
        exit(1);
    MultiByteToWideChar(CP_UTF8, 0, text, -1, result, n);
    return result;
}

/* the root that a key's name begins with, and what is below it */
static HKEY root_of(const char *key, const char **below)
{
    HKEY root = !strncmp(key, "HKLM\\", 5) ? HKEY_LOCAL_MACHINE : !strncmp(key, "HKCU\\", 5) ? HKEY_CURRENT_USER : NULL;

    *below = key + 5;
    return root;
}

static LONG open_key(const char *name, HKEY *key)
{
    const char *below;
    HKEY root = root_of(name, &below);
    WCHAR *path;
    LONG error;

    if (!root)
        return ERROR_INVALID_PARAMETER;
    path = wide(below);
    error = RegOpenKeyExW(root, path, 0, KEY_READ | KEY_WRITE, key);
    free(path);
    return error;
}

/* Make a key, level by level, so that each new one is known. */
static LONG make_key(const char *name, HKEY *key)
{
    char *part = strdup(name);
    LONG error = 0;
    size_t i, n = strlen(name);

    *key = NULL;
    for (i = 5; i <= n && !error && n > 5; i++) {
        const char *below;
        HKEY root;
        DWORD made;
        WCHAR *path;

        if (name[i] && name[i] != '\\')
            continue;
        part[i] = 0;
        if (!(root = root_of(part, &below)))
            error = ERROR_INVALID_PARAMETER;
        else {
            if (*key)
                RegCloseKey(*key);
            path = wide(below);
            error = RegCreateKeyExW(root, path, 0, NULL, 0, KEY_READ | KEY_WRITE, NULL, key, &made);
            free(path);
            if (!error && made == REG_CREATED_NEW_KEY)
                remember("unmake\t%s", part);
        }
        part[i] = name[i];
    }
    free(part);
    return *key || error ? error : ERROR_INVALID_PARAMETER;
}

/* a value's data; NULL with size 0 where it is missing */
static BYTE *get_value(HKEY key, const WCHAR *name, DWORD *type, DWORD *size)
{
    BYTE *data;

    *size = 0;
    if (RegQueryValueExW(key, name, NULL, type, NULL, size))
        return NULL;
    data = calloc(1, *size + 2 * sizeof(WCHAR));
    if (!data || RegQueryValueExW(key, name, NULL, type, data, size)) {
        free(data);
        return NULL;
    }
    return data;
}

static void remember_value(const char *key, const char *name, DWORD type, const BYTE *data, DWORD size)
{
    char *hex = calloc(1, 2 * (size_t)size + 1);
    DWORD i;

    for (i = 0; hex && i < size; i++)
        sprintf(hex + 2 * i, "%02x", data[i]);
    remember("set\t%s\t%s\t%lu\t%s", key, name, type, hex ? hex : "");
    free(hex);
}

static LONG set_value(char **field)
{
    DWORD type, old_type, old_size, size = (DWORD)strlen(field[4]) / 2, i;
    BYTE *old, *data = malloc(size + 1);
    WCHAR *name;
    HKEY key;
    LONG error;

    if (!data || (error = make_key(field[1], &key))) {
        free(data);
        return data ? error : ERROR_OUTOFMEMORY;
    }
    name = wide(field[2]);
    type = strtoul(field[3], NULL, 10);
    for (i = 0; i < size; i++) {
        const char pair[3] = {field[4][2 * i], field[4][2 * i + 1], 0};

        data[i] = (BYTE)strtoul(pair, NULL, 16);
    }
    old = get_value(key, name, &old_type, &old_size);
    if (!(error = RegSetValueExW(key, name, 0, type, data, size))) {
        if (old)
            remember_value(field[1], field[2], old_type, old, old_size);
        else
            remember("unset\t%s\t%s", field[1], field[2]);
    }
    free(old);
    free(name);
    free(data);
    RegCloseKey(key);
    return error;
}

/* where a text stands in a REG_MULTI_SZ value; *end is its last zero */
static WCHAR *find_text(WCHAR *all, const WCHAR *text, WCHAR **end)
{
    WCHAR *found = NULL;

    for (; *all; all += lstrlenW(all) + 1)
        if (!lstrcmpiW(all, text))
            found = all;
    *end = all;
    return found;
}

static LONG append_text(char **field)
{
    DWORD type = REG_MULTI_SZ, size;
    WCHAR *all, *more, *end, *name, *text;
    HKEY key;
    LONG error = make_key(field[1], &key);

    if (error)
        return error;
    name = wide(field[2]);
    text = wide(field[3]);
    all = (WCHAR *)get_value(key, name, &type, &size);
    more = calloc((all ? size : 0) / sizeof(WCHAR) + (size_t)lstrlenW(text) + 4, sizeof(WCHAR));
    if (!more || type != REG_MULTI_SZ)
        error = more ? ERROR_INVALID_DATATYPE : ERROR_OUTOFMEMORY;
    else {
        if (all)
            memcpy(more, all, size);
        if (!find_text(more, text, &end)) {
            lstrcpyW(end, text);
            end += lstrlenW(text) + 2;
            error = RegSetValueExW(key, name, 0, REG_MULTI_SZ, (BYTE *)more, (DWORD)((end - more) * (int)sizeof(WCHAR)));
            if (!error)
                remember("drop\t%s\t%s\t%s", field[1], field[2], field[3]);
        }
    }
    free(more);
    free(all);
    free(text);
    free(name);
    RegCloseKey(key);
    return error;
}

static LONG drop_text(char **field)
{
    DWORD type = 0, size;
    WCHAR *all, *end, *found, *name, *text;
    HKEY key;
    LONG error = open_key(field[1], &key);

    if (error)
        return error == ERROR_FILE_NOT_FOUND ? 0 : error;
    name = wide(field[2]);
    text = wide(field[3]);
    all = (WCHAR *)get_value(key, name, &type, &size);
    if (all && type == REG_MULTI_SZ && (found = find_text(all, text, &end))) {
        size_t n = (size_t)lstrlenW(found) + 1;

        memmove(found, found + n, (size_t)(end - found - (ptrdiff_t)n + 1) * sizeof(WCHAR));
        end -= n;
        error = end == all ? RegDeleteValueW(key, name)
                           : RegSetValueExW(key, name, 0, REG_MULTI_SZ, (BYTE *)all,
                                            (DWORD)((end - all + 1) * (int)sizeof(WCHAR)));
        if (!error)
            remember("append\t%s\t%s\t%s", field[1], field[2], field[3]);
    }
    free(all);
    free(text);
    free(name);
    RegCloseKey(key);
    return error;
}

static LONG unset_value(char **field)
{
    DWORD type, size;
    WCHAR *name;
    BYTE *old;
    HKEY key;
    LONG error = open_key(field[1], &key);

    if (error)
        return error == ERROR_FILE_NOT_FOUND ? 0 : error;
    name = wide(field[2]);
    if ((old = get_value(key, name, &type, &size)) && !(error = RegDeleteValueW(key, name)))
        remember_value(field[1], field[2], type, old, size);
    free(old);
    free(name);
    RegCloseKey(key);
    return error;
}

static LONG unmake_key(char **field)
{
    DWORD keys = 1, values = 1;
    const char *below;
    HKEY key, root = root_of(field[1], &below);
    WCHAR *path;
    LONG error = open_key(field[1], &key);

    if (error)
        return error == ERROR_FILE_NOT_FOUND ? 0 : error;
    error = RegQueryInfoKeyW(key, NULL, NULL, NULL, &keys, NULL, NULL, &values, NULL, NULL, NULL, NULL);
    RegCloseKey(key);
    if (error || keys || values)
        return error;
    path = wide(below);
    error = RegDeleteKeyW(root, path);
    free(path);
    return error;
}

static const struct {
    const char *word;
    int fields;
    LONG (*run)(char **field);
} commands[] = {
    {"set", 5, set_value},     {"append", 4, append_text}, {"drop", 4, drop_text},
    {"unset", 3, unset_value}, {"unmake", 2, unmake_key},
};

static LONG run_line(char *line)
{
    char *field[FIELDS] = {0};
    int n = 0;
    size_t i;

    while (n < FIELDS) {
        char *tab = strchr(line, '\t');

        field[n++] = line;
        if (!tab)
            break;
        *tab = 0;
        line = tab + 1;
    }
    for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (!strcmp(field[0], commands[i].word) && n == commands[i].fields)
            return commands[i].run(field);
    return ERROR_INVALID_DATA;
}

/* Run a list, in place; 0, or the number of the line that failed. */
static int run_list(char *text, LONG *error)
{
    int number = 0;

    while (*text) {
        char *end = strchr(text, '\n'), *next = end ? end + 1 : text + strlen(text);

        number++;
        if (end)
            *end = 0;
        if (*text && (*error = run_line(text)))
            return number;
        text = next;
    }
    return 0;
}

static char *read_all(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    long size;

    if (file && !fseek(file, 0, SEEK_END) && (size = ftell(file)) >= 0 && !fseek(file, 0, SEEK_SET) &&
        (text = calloc(1, (size_t)size + 1)) && fread(text, 1, (size_t)size, file) != (size_t)size) {
        free(text);
        text = NULL;
    }
    if (file)
        fclose(file);
    return text;
}

static BOOL write_undo(const char *path)
{
    FILE *file = fopen(path, "wb");
    struct undo *entry;
    BOOL good = file != NULL;

    for (entry = undo; good && entry; entry = entry->before)
        good = fprintf(file, "%s\n", entry->line) > 0;
    if (file)
        good = !fclose(file) && good;
    return good;
}

static void take_back(void)
{
    struct undo *entry = undo;
    LONG error;

    for (undo = NULL; entry; entry = entry->before)
        if ((error = run_line(entry->line)))
            printf("taking back failed with error %ld\n", error);
}

int main(int argc, char **argv)
{
    char *list;
    LONG error = 0;
    int line;

    if (argc != 3 || !(list = read_all(argv[1]))) {
        printf("usage: register.exe LIST UNDO\n");
        return 1;
    }
    if ((line = run_list(list, &error)))
        printf("line %d failed with error %ld\n", line, error);
    else if (write_undo(argv[2]))
        return 0;
    else
        printf("cannot write %s\n", argv[2]);
    take_back();
    return 1;
}
