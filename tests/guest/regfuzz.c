/* A random but repeatable sequence of registry calls, by two processes, with all that they answer on standard output.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   regfuzz prepare SEED        make the keys that are there before
 *   regfuzz run SEED STEPS      print a line per call: the same on the host, after the same preparation, as in a silo
 *   regfuzz prepare-again SEED  ... and those that this needs:
 *   regfuzz again SEED          the same of handles of keys whose names lead to other keys by now
 *   regfuzz clean SEED          delete them
 *   regfuzz worker SEED         a process of a run: takes numbers of steps on standard input */

#include "check.h"

#include <fcntl.h>
#include <io.h>

NTSYSAPI NTSTATUS NTAPI NtCreateKey(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, ULONG, const UNICODE_STRING *, ULONG, ULONG *);
NTSYSAPI NTSTATUS NTAPI NtOpenKey(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *);
NTSYSAPI NTSTATUS NTAPI NtDeleteKey(HANDLE);
NTSYSAPI NTSTATUS NTAPI NtRenameKey(HANDLE, UNICODE_STRING *);
NTSYSAPI NTSTATUS NTAPI NtQueryKey(HANDLE, int, void *, ULONG, ULONG *);
NTSYSAPI NTSTATUS NTAPI NtEnumerateKey(HANDLE, ULONG, int, void *, ULONG, ULONG *);
NTSYSAPI NTSTATUS NTAPI NtSetValueKey(HANDLE, const UNICODE_STRING *, ULONG, ULONG, const void *, ULONG);
NTSYSAPI NTSTATUS NTAPI NtQueryValueKey(HANDLE, const UNICODE_STRING *, int, void *, ULONG, ULONG *);
NTSYSAPI NTSTATUS NTAPI NtEnumerateValueKey(HANDLE, ULONG, int, void *, ULONG, ULONG *);
NTSYSAPI NTSTATUS NTAPI NtDeleteValueKey(HANDLE, const UNICODE_STRING *);
NTSYSAPI NTSTATUS NTAPI NtDuplicateObject(HANDLE, HANDLE, HANDLE, HANDLE *, ACCESS_MASK, ULONG, ULONG);

/* Keys of a seed: below a key of its own, so that seeds do not meet. */
static WCHAR top[64], below_machine[64];

static void choose_seed(unsigned int seed)
{
    swprintf(below_machine, 64, L"Software\\wst-fuzz-%u", seed);
    swprintf(top, 64, L"\\Registry\\Machine\\%ls\\top", below_machine);
}

#define OPENLINK 0x100
#define CREATE_LINK 2

/* ---- numbers: each step has its own, so that processes need not agree on more than its number ---- */

static unsigned long long state;

static void start_step(unsigned int seed, unsigned int step)
{
    state = seed * 0x9e3779b97f4a7c15ull + (step + 1) * 0xbf58476d1ce4e5b9ull;
}

static unsigned int pick(unsigned int n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned int)((state >> 11) % n);
}

/* ---- output ---- */

static char out[1 << 20];
static size_t out_n;

static void say(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (out_n < sizeof(out) - 4096) out_n += (size_t)vsnprintf(out + out_n, sizeof(out) - out_n, format, args);
    va_end(args);
}

static void say_text(const WCHAR *text, size_t n)
{
    size_t i;

    say(" \"");
    for (i = 0; i < n; i++) say(text[i] > 31 && text[i] < 127 ? "%c" : "\\%x", text[i]);
    say("\"");
}

static unsigned int hash(const void *data, size_t size)
{
    const unsigned char *bytes = data;
    unsigned int h = 2166136261u;

    while (size--) h = (h ^ *bytes++) * 16777619u;
    return h;
}

/* Last-write times differ from run to run; that one changed since it was last seen does not. */
static void say_time(const WCHAR *name, size_t n, LONGLONG time)
{
    static struct {
        unsigned int name;
        LONGLONG time;
    } seen[4096];
    unsigned int h = hash(name, n * sizeof(WCHAR)), i = h % 4096;

    say(seen[i].name != h ? " new" : seen[i].time == time ? " same" : " changed");
    seen[i].name = h;
    seen[i].time = time;
}

/* ---- names ---- */

static const WCHAR *const parts[] = { L"a", L"B", L"cc", L"\xc4\xe9", L"Delta", L"e_e", L"a-long-name-that-is-longer" };
enum { PARTS = sizeof(parts) / sizeof(parts[0]) };

static void append_part(WCHAR *path)
{
    const WCHAR *part = parts[pick(PARTS)];
    WCHAR *at = path + wcslen(path);

    wcscpy(at, part);
    switch (pick(6)) {
    case 0: CharUpperW(at); break;
    case 1: CharLowerW(at); break;
    }
}

static void relative_name(WCHAR *path, unsigned int depth)
{
    *path = 0;
    while (depth--) {
        append_part(path);
        if (depth || !pick(12)) wcscat(path, L"\\");
    }
}

/* ---- the steps ---- */

enum { HANDLES = 12 };
static HANDLE handles[HANDLES];

static HANDLE *some_handle(void)
{
    unsigned int i = pick(HANDLES), tries;

    for (tries = 0; tries < HANDLES && !handles[i]; tries++) i = (i + 1) % HANDLES;
    say(" #%u", i);
    return &handles[i];
}

static void put_handle(HANDLE handle)
{
    unsigned int i = pick(HANDLES);

    if (handles[i]) NtClose(handles[i]);
    handles[i] = handle;
    say(" -> #%u", i);
}

static ACCESS_MASK some_access(void)
{
    static const ACCESS_MASK access[] = { KEY_READ, KEY_ALL_ACCESS, KEY_ALL_ACCESS, KEY_ALL_ACCESS, MAXIMUM_ALLOWED,
                                          KEY_SET_VALUE, KEY_QUERY_VALUE, KEY_ENUMERATE_SUB_KEYS, KEY_WRITE, DELETE };

    return access[pick(sizeof(access) / sizeof(access[0]))];
}

struct named {
    OBJECT_ATTRIBUTES attr;
    UNICODE_STRING name;
    WCHAR text[512];
};

static void some_name(struct named *n, unsigned int min_depth, unsigned int max_depth)
{
    HANDLE root = NULL;
    WCHAR *text = n->text;

    if (pick(3)) root = *some_handle();
    if (root) relative_name(text, pick(10) ? 1 + pick(max_depth) : min_depth);
    else {
        wcscpy(text, top);
        if (pick(8)) {
            wcscat(text, L"\\");
            relative_name(text + wcslen(text), 1 + pick(max_depth));
        }
    }
    n->name = nt_string(text);
    InitializeObjectAttributes(&n->attr, &n->name, OBJ_CASE_INSENSITIVE | (pick(8) ? 0 : OPENLINK), root, NULL);
    say_text(text, wcslen(text));
    if (n->attr.Attributes & OPENLINK) say(" link");
}

static void step_open(void)
{
    ACCESS_MASK access = some_access();
    struct named n;
    HANDLE key;
    NTSTATUS status;

    say("open %lx", access);
    some_name(&n, 0, 3);
    status = NtOpenKey(&key, access, &n.attr);
    say(" %lx", status);
    if (!status) put_handle(key);
}

static void step_create(void)
{
    UNICODE_STRING class_name = nt_string(pick(2) ? L"Class" : L"Other class");
    ULONG options = !pick(8) ? REG_OPTION_VOLATILE : 0, disposition = 0;
    ACCESS_MASK access = some_access();
    BOOL with_class = !pick(5);
    struct named n;
    HANDLE key;
    NTSTATUS status;

    if (!pick(16)) options |= CREATE_LINK;
    say("create %lx %lx%s", access, options, with_class ? " class" : "");
    some_name(&n, 1, 3); /* with no name Wine says of an existing key that it is new */
    status = NtCreateKey(&key, access, &n.attr, 0, with_class ? &class_name : NULL, options, &disposition);
    say(" %lx %lu", status, disposition);
    if (!status) put_handle(key);
}

static void step_close(void)
{
    HANDLE *key;

    say("close");
    key = some_handle();
    if (*key) say(" %lx", NtClose(*key));
    *key = NULL;
}

static void step_duplicate(void)
{
    ACCESS_MASK access = some_access();
    HANDLE *key, copy = NULL;
    NTSTATUS status;

    say("duplicate");
    key = some_handle();
    status = NtDuplicateObject(GetCurrentProcess(), *key, GetCurrentProcess(), &copy, access, 0,
                               pick(2) ? DUPLICATE_SAME_ACCESS : 0);
    say(" %lx", status);
    if (!status) put_handle(copy);
}

static void some_value_name(UNICODE_STRING *name)
{
    static const WCHAR *const names[] = { L"", L"v", L"V", L"value", L"SymbolicLinkValue", L"\xe4w", L"other" };

    *name = nt_string(names[pick(7)]);
    say_text(name->Buffer, name->Length / sizeof(WCHAR));
}

static void step_set_value(void)
{
    static const ULONG types[] = { REG_SZ, REG_DWORD, REG_BINARY, REG_LINK, 0x1234 };
    static BYTE data[5000];
    ULONG size = pick(4) ? pick(40) : pick(sizeof(data)), type = types[pick(5)];
    UNICODE_STRING name;
    HANDLE *key;

    memset(data, (int)pick(3), sizeof(data));
    say("set %lu %lu", type, size);
    key = some_handle();
    some_value_name(&name);
    say(" %lx", NtSetValueKey(*key, &name, 0, type, data, size));
}

/* Targets lie below the same key, and are not always there. */
static void step_set_link(void)
{
    UNICODE_STRING name = nt_string(L"SymbolicLinkValue");
    WCHAR target[256];
    HANDLE *key;

    say("set-link");
    key = some_handle();
    swprintf(target, 256, L"%ls\\", top);
    relative_name(target + wcslen(target), 1 + pick(2));
    if (target[wcslen(target) - 1] == '\\') target[wcslen(target) - 1] = 0;
    say_text(target, wcslen(target));
    say(" %lx", NtSetValueKey(*key, &name, 0, REG_LINK, target, (ULONG)(wcslen(target) * sizeof(WCHAR))));
}

static void step_delete_value(void)
{
    UNICODE_STRING name;
    HANDLE *key;

    say("delete-value");
    key = some_handle();
    some_value_name(&name);
    say(" %lx", NtDeleteValueKey(*key, &name));
}

static ULONG some_size(ULONG max)
{
    return pick(3) ? max : pick(100);
}

static void step_query_value(void)
{
    static const ULONG heads[] = { 12, 20, 12 };
    static BYTE info[8192];
    ULONG size = some_size(sizeof(info)), need = 0, class = pick(3);
    UNICODE_STRING name;
    HANDLE *key;
    NTSTATUS status;

    memset(info, 0xcc, sizeof(info));
    say("query-value %lu %lu", class, size);
    key = some_handle();
    some_value_name(&name);
    status = NtQueryValueKey(*key, &name, (int)class, info, size, &need);
    say(" %lx", status);
    if (!status || status == (NTSTATUS)0x80000005)
        say(" %lu %x", need, hash(info, size < need ? size < heads[class] ? 0 : size : need));
}

static void step_list_value(void)
{
    static BYTE info[8192];
    ULONG size = some_size(sizeof(info)), need = 0, class = pick(3), index = pick(5);
    HANDLE *key;
    NTSTATUS status;

    memset(info, 0xcc, sizeof(info));
    say("list-value %lu %lu %lu", class, size, index);
    key = some_handle();
    status = NtEnumerateValueKey(*key, index, (int)class, info, size, &need);
    say(" %lx", status);
    if (!status) say(" %lu %x", need, hash(info, need));
}

/* What NtQueryKey or NtEnumerateKey answered. */
static void say_key(int class, const BYTE *info, ULONG size, ULONG need, NTSTATUS status)
{
    const ULONG *n = (const ULONG *)info;
    LONGLONG time;

    say(" %lx", status);
    if (status && status != (NTSTATUS)0x80000005) return;
    say(" %lu", need);
    if (status) return;
    memcpy(&time, info, sizeof(time));
    switch (class) {
    case 0: say_text((const WCHAR *)(n + 4), n[3] / 2); break;
    case 1:
        say_text((const WCHAR *)(n + 6), n[5] / 2);
        if (n[4]) say_text((const WCHAR *)(info + n[3]), n[4] / 2);
        break;
    case 2:
        say(" subkeys %lu max %lu %lu values %lu max %lu %lu", n[5], n[6], n[7], n[8], n[9], n[10]);
        if (n[4]) say_text((const WCHAR *)(info + n[3]), n[4] / 2);
        break;
    case 3: say_text((const WCHAR *)(n + 1), n[0] / 2); break;
    case 4: say(" subkeys %lu max %lu values %lu max %lu %lu name %lu", n[3], n[4], n[5], n[6], n[7], n[8]); break;
    }
    (void)size;
}

static const WCHAR *name_of(HANDLE key, size_t *n)
{
    static struct {
        ULONG length;
        WCHAR name[2000];
    } info;
    ULONG need;

    if (NtQueryKey(key, 3, &info, sizeof(info) - sizeof(WCHAR), &need)) info.length = 0;
    info.name[info.length / 2] = 0;
    CharUpperBuffW(info.name, info.length / 2);
    *n = info.length / 2;
    return info.name;
}

static void step_query_key(void)
{
    static BYTE info[8192];
    ULONG size = some_size(sizeof(info)), need = 0;
    int class = (int)pick(5);
    const WCHAR *name;
    NTSTATUS status;
    LONGLONG time;
    HANDLE *key;
    size_t n;

    say("query-key %d %lu", class, size);
    key = some_handle();
    status = NtQueryKey(*key, class, info, size, &need);
    say_key(class, info, size, need, status);
    memcpy(&time, info, sizeof(time));
    name = name_of(*key, &n);
    if (!status && class != 3) say_time(name, n, time);
}

static void step_list_key(void)
{
    static BYTE info[8192];
    ULONG size = some_size(sizeof(info)), need = 0, index = pick(6);
    int class = (int)pick(5);
    HANDLE *key;
    NTSTATUS status;

    if (class == 3) class = 0;
    say("list-key %d %lu %lu", class, size, index);
    key = some_handle();
    status = NtEnumerateKey(*key, index, class, info, size, &need);
    say_key(class, info, size, need, status);
}

static void step_delete_key(void)
{
    HANDLE *key;

    say("delete-key");
    key = some_handle();
    say(" %lx", NtDeleteKey(*key));
}

static void step_rename(void)
{
    WCHAR text[256] = L"";
    UNICODE_STRING name;
    const WCHAR *old;
    HANDLE *key;
    size_t n;

    say("rename");
    key = some_handle();
    append_part(text);
    if (!pick(20)) wcscat(text, L"\\x");
    old = name_of(*key, &n);
    while (n && old[n - 1] != '\\') n--;
    /* wineserver loses a key when one is renamed to a name that follows it at once: only to names before it */
    if (_wcsicmp(text, old + n) >= 0) return;
    name = nt_string(text);
    say_text(text, wcslen(text));
    say(" %lx", NtRenameKey(*key, &name));
}

static void dump(HANDLE key, int depth)
{
    BYTE *info = malloc(8192);
    const WCHAR *name;
    LONGLONG time;
    ULONG need, i;
    size_t n;
    NTSTATUS status = NtQueryKey(key, 1, info, 8192, &need);

    say("\n%*s", depth * 2, "");
    say_key(1, info, 8192, need, status);
    memcpy(&time, info, sizeof(time));
    name = name_of(key, &n);
    if (!status) say_time(name, n, time);
    status = NtQueryKey(key, 2, info, 8192, &need);
    say_key(2, info, 8192, need, status);
    for (i = 0; !NtEnumerateValueKey(key, i, 1, info, 8192, &need); i++) say(" %x", hash(info, need));
    for (i = 0; !(status = NtEnumerateKey(key, i, 0, info, 8192, &need)); i++) {
        UNICODE_STRING child_name = { (USHORT)((ULONG *)info)[3], (USHORT)((ULONG *)info)[3], (WCHAR *)(info + 16) };
        OBJECT_ATTRIBUTES attr;
        HANDLE child;

        InitializeObjectAttributes(&attr, &child_name, OBJ_CASE_INSENSITIVE | OPENLINK, key, NULL);
        if ((status = NtOpenKey(&child, KEY_READ, &attr))) say("\n%*s open %lx", depth * 2, "", status);
        else if (depth < 8) {
            dump(child, depth + 1);
            NtClose(child);
        }
    }
    say(" %lx", status);
    free(info);
}

static void step_dump(void)
{
    UNICODE_STRING name = nt_string(top);
    OBJECT_ATTRIBUTES attr;
    NTSTATUS status;
    HANDLE key;

    InitializeObjectAttributes(&attr, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    status = NtOpenKey(&key, KEY_READ, &attr);
    say("dump %lx", status);
    if (status) return;
    dump(key, 1);
    NtClose(key);
}

static const struct {
    void (*run)(void);
    unsigned int weight;
} steps[] = {
    { step_open, 10 },        { step_create, 8 },    { step_close, 2 },      { step_duplicate, 2 },
    { step_set_value, 6 },    { step_set_link, 1 },  { step_delete_value, 2 }, { step_query_value, 4 },
    { step_list_value, 2 },   { step_query_key, 6 }, { step_list_key, 8 },   { step_delete_key, 4 },
    { step_rename, 2 },       { step_dump, 1 },
};

static void run_step(unsigned int seed, unsigned int step)
{
    unsigned int total = 0, i, at;

    start_step(seed, step);
    pick(2); /* which process */
    for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) total += steps[i].weight;
    at = pick(total);
    for (i = 0; at >= steps[i].weight; i++) at -= steps[i].weight;
    steps[i].run();
    say("\n");
}

/* ---- processes ---- */

static int worker(unsigned int seed)
{
    unsigned int step;

    _setmode(0, O_BINARY);
    _setmode(1, O_BINARY);
    while (fread(&step, sizeof(step), 1, stdin) == 1) {
        unsigned int n;

        out_n = 0;
        run_step(seed, step);
        n = (unsigned int)out_n;
        fwrite(&n, sizeof(n), 1, stdout);
        fwrite(out, 1, n, stdout);
        fflush(stdout);
    }
    return 0;
}

struct other {
    HANDLE to, from;
};

static struct other start_worker(const char *program, const char *seed)
{
    SECURITY_ATTRIBUTES inherit = { sizeof(inherit), NULL, TRUE };
    STARTUPINFOA startup = { .cb = sizeof(startup), .dwFlags = STARTF_USESTDHANDLES };
    PROCESS_INFORMATION info;
    struct other other;
    char line[512];

    CreatePipe(&startup.hStdInput, &other.to, &inherit, 0);
    CreatePipe(&other.from, &startup.hStdOutput, &inherit, 1 << 20);
    SetHandleInformation(other.to, HANDLE_FLAG_INHERIT, 0);
    SetHandleInformation(other.from, HANDLE_FLAG_INHERIT, 0);
    startup.hStdError = GetStdHandle(STD_ERROR_HANDLE);
    snprintf(line, sizeof(line), "\"%s\" worker %s", program, seed);
    if (!CreateProcessA(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &info)) exit(3);
    CloseHandle(startup.hStdInput), CloseHandle(startup.hStdOutput);
    CloseHandle(info.hThread), CloseHandle(info.hProcess);
    return other;
}

static void read_all(HANDLE from, void *data, DWORD size)
{
    DWORD got;

    for (; size; size -= got, data = (char *)data + got)
        if (!ReadFile(from, data, size, &got, NULL) || !got) exit(4);
}

static int run(const char *program, const char *seed_text, unsigned int count)
{
    struct other other = start_worker(program, seed_text);
    unsigned int seed = (unsigned int)atoi(seed_text), step, n;
    DWORD wrote;

    for (step = 0; step < count; step++) {
        start_step(seed, step);
        out_n = 0;
        if (pick(2)) run_step(seed, step);
        else {
            WriteFile(other.to, &step, sizeof(step), &wrote, NULL);
            read_all(other.from, &n, sizeof(n));
            read_all(other.from, out, n);
            out_n = n;
            printf("other ");
        }
        printf("%u: %.*s", step, (int)out_n, out);
    }
    CloseHandle(other.to);
    printf("done\n");
    return 0;
}

/* No classes: NtCreateKey without a class takes away an existing key's in Wine, but not the base's in a silo. */
static void prepare_below(HANDLE parent, int depth)
{
    unsigned int i;

    for (i = 0; i < PARTS; i++) {
        UNICODE_STRING name = nt_string(parts[i]), value = nt_string(L"v");
        OBJECT_ATTRIBUTES attr;
        HANDLE key;

        if (pick(3)) continue;
        InitializeObjectAttributes(&attr, &name, OBJ_CASE_INSENSITIVE, parent, NULL);
        if (NtCreateKey(&key, KEY_ALL_ACCESS, &attr, 0, NULL, 0, NULL)) continue;
        if (pick(2)) NtSetValueKey(key, &value, 0, REG_SZ, L"base", 10);
        if (depth < 4) prepare_below(key, depth + 1);
        NtClose(key);
    }
}

static int clean(void);

static int prepare(unsigned int seed)
{
    HKEY parent, key;

    if (clean()) return 1;
    if (RegCreateKeyExW(HKEY_LOCAL_MACHINE, below_machine, 0, NULL, 0, KEY_ALL_ACCESS, NULL, &parent, NULL)) return 1;
    if (RegCreateKeyExW(parent, L"top", 0, NULL, 0, KEY_ALL_ACCESS, NULL, &key, NULL)) return 1;
    RegCloseKey(parent);
    start_step(seed, 0xffffffu);
    prepare_below(key, 0);
    RegCloseKey(key);
    return 0;
}

/* ---- handles of keys that were there before, and are elsewhere ---- */

static HANDLE key_at(HANDLE root, const WCHAR *text)
{
    UNICODE_STRING name = nt_string(text);
    OBJECT_ATTRIBUTES attr;
    NTSTATUS status;
    HANDLE key = NULL;

    InitializeObjectAttributes(&attr, &name, OBJ_CASE_INSENSITIVE, root, NULL);
    status = NtCreateKey(&key, KEY_ALL_ACCESS, &attr, 0, NULL, 0, NULL);
    if (status) printf("create %ls %lx\n", text, status);
    return key;
}

static void rename_to(HANDLE key, const WCHAR *text)
{
    UNICODE_STRING name = nt_string(text);

    printf("rename %ls %lx\n", text, NtRenameKey(key, &name));
}

/* what a handle means: its name, and the first of its subkeys and values */
static void print_key(const char *what, HANDLE key)
{
    struct {
        ULONG length;
        WCHAR name[500];
    } info = { 0 };
    BYTE first[2048];
    ULONG need;
    NTSTATUS status = NtQueryKey(key, 3, &info, sizeof(info) - sizeof(WCHAR), &need);

    printf("%s %lx %ls", what, status, status ? L"" : wcsrchr(info.name, 't'));
    status = NtEnumerateKey(key, 0, 0, first, sizeof(first), &need);
    printf(" subkey %lx %.*ls", status, status ? 0 : (int)((ULONG *)first)[3] / 2, (WCHAR *)(first + 16));
    status = NtEnumerateValueKey(key, 0, 0, first, sizeof(first), &need);
    printf(" value %lx\n", status);
}

enum { CHAIN = 3 };
static const WCHAR *const chain_names[CHAIN] = { L"one", L"one\\two", L"one\\two\\three" };

/* Names are taken by other keys, by the same in other letters, and the keys below renamed ones move and go, too. Each time
 * handles are asked that were not used since before, and such that were. */
static int again(void)
{
    HANDLE parent = key_at(NULL, top), old[4][CHAIN], one, two, three;
    int i, j;

    for (j = 0; j < 4; j++)
        for (i = 0; i < CHAIN; i++) old[j][i] = key_at(parent, chain_names[i]);
#define PRINT(which, what) \
    for (i = 0; i < CHAIN; i++) print_key(what, old[which][i])
    one = key_at(parent, L"ONE");
    rename_to(one, L"aaa");
    CloseHandle(one), one = key_at(parent, L"ONE"); /* the name again */
    print_key("made-again", one);
    print_key("parent", parent);
    PRINT(0, "renamed");
    two = key_at(one, L"two"), three = key_at(two, L"THREE");
    print_key("parent", two);
    PRINT(0, "renamed-before");
    PRINT(1, "renamed-filled");
    rename_to(one, L"abc"); /* the new one goes away as well */
    PRINT(2, "both-renamed");
    NtClose(one), NtClose(two), NtClose(three);
    two = key_at(parent, L"aaa\\two");
    rename_to(two, L"aaa"); /* below the renamed one */
    NtClose(two), two = key_at(parent, L"aaa\\TWO");
    PRINT(1, "below-renamed");
    three = key_at(parent, L"aaa\\aaa\\three");
    printf("delete %lx\n", NtDeleteKey(three));
    NtClose(three), three = key_at(parent, L"aaa\\aaa\\Three");
    PRINT(3, "deleted-there");
    PRINT(0, "deleted-there");
    print_key("two", two);
    print_key("three", three);
#undef PRINT
    printf("done\n");
    return 0;
}

static int prepare_chain(void)
{
    HANDLE parent = key_at(NULL, top), key;
    UNICODE_STRING value = nt_string(L"v");
    int i;

    for (i = 0; i < CHAIN; i++) {
        key = key_at(parent, chain_names[i]);
        NtSetValueKey(key, &value, 0, REG_SZ, L"base", 10);
        NtClose(key);
    }
    return 0;
}

/* links themselves, and not what they lead to */
static void delete_below(HANDLE key)
{
    static BYTE info[2048];
    ULONG need, i = 0;

    while (!NtEnumerateKey(key, i, 0, info, sizeof(info), &need)) {
        UNICODE_STRING name = { (USHORT)((ULONG *)info)[3], (USHORT)((ULONG *)info)[3], (WCHAR *)(info + 16) };
        OBJECT_ATTRIBUTES attr;
        HANDLE child;

        InitializeObjectAttributes(&attr, &name, OBJ_CASE_INSENSITIVE | OPENLINK, key, NULL);
        if (NtOpenKey(&child, KEY_ALL_ACCESS, &attr)) i++;
        else {
            delete_below(child);
            if (NtDeleteKey(child)) i++;
            NtClose(child);
        }
    }
}

static int clean(void)
{
    HKEY parent;

    if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, below_machine, 0, KEY_ALL_ACCESS, &parent)) return 0;
    delete_below(parent);
    RegCloseKey(parent);
    return RegDeleteKeyW(HKEY_LOCAL_MACHINE, below_machine) ? 1 : 0;
}

int main(int argc, char **argv)
{
    if (argc < 3) usage("regfuzz prepare SEED | run SEED STEPS | clean SEED");
    choose_seed((unsigned int)atoi(argv[2]));
    if (!strcmp(argv[1], "prepare")) return prepare((unsigned int)atoi(argv[2]));
    if (!strcmp(argv[1], "prepare-again")) return prepare((unsigned int)atoi(argv[2])) || prepare_chain();
    if (!strcmp(argv[1], "run") && argc == 4) return run(argv[0], argv[2], (unsigned int)atoi(argv[3]));
    if (!strcmp(argv[1], "worker")) return worker((unsigned int)atoi(argv[2]));
    if (!strcmp(argv[1], "again")) return again();
    return strcmp(argv[1], "clean") ? 2 : clean();
}
