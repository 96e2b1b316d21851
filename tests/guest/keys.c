/* The registry, where a silo has to put two trees together: keys that every Wine prefix has are changed, listed, watched,
 * renamed, saved, deleted and made again, through handles of all kinds.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   keys host|silo              checks; what they change they put back
 *   keys open                   open and list everything below HKLM with all rights, change nothing
 *   keys watch KEY              wait until something changes below a key of HKLM
 *   keys race NUMBER VALUES     set values of the racing key, when the event is set
 *   keys inherited HANDLE       use a handle that was inherited */

#include "check.h"

NTSYSAPI NTSTATUS NTAPI NtQueryKey(HANDLE, int, void *, ULONG, ULONG *);
NTSYSAPI NTSTATUS NTAPI NtEnumerateKey(HANDLE, ULONG, int, void *, ULONG, ULONG *);
NTSYSAPI NTSTATUS NTAPI NtDeleteKey(HANDLE);
NTSYSAPI NTSTATUS NTAPI NtOpenKey(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *);
NTSYSAPI NTSTATUS NTAPI NtCreateKey(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, ULONG, const UNICODE_STRING *, ULONG, ULONG *);
NTSYSAPI NTSTATUS NTAPI NtRenameKey(HANDLE, UNICODE_STRING *);
NTSYSAPI NTSTATUS NTAPI NtNotifyChangeKey(HANDLE, HANDLE, void *, void *, IO_STATUS_BLOCK *, ULONG, BOOLEAN, void *, ULONG,
                                          BOOLEAN);

/* Keys that every prefix made by Wine has, each used for one thing. */
#define PARENT L"Software\\Microsoft\\Cryptography\\OID\\EncodingType 1\\CryptDllEncodeObject"
#define RENAMED L"Software\\Microsoft\\Cryptography\\Providers\\Trust"
#define INTERFACES L"Software\\Classes\\Interface"
#define ONE_INTERFACE L"{00000100-0000-0000-C000-000000000046}"
#define RACE L"Software\\Microsoft\\Internet Explorer\\Main\\FeatureControl"
#define WATCHED L"Software\\Microsoft\\Windows\\CurrentVersion\\Telephony"
enum { RACERS = 4, RACE_VALUES = 25 };

#define CHECK_RESULT(name, expression, wanted) \
    do { \
        LSTATUS result_ = (expression); \
        check(result_ == (wanted), name, "%s is %ld, not %ld", #expression, result_, (long)(wanted)); \
    } while (0)

static LSTATUS open(HKEY root, const WCHAR *path, REGSAM access, HKEY *key)
{
    return RegOpenKeyExW(root, path, 0, access, key);
}

static LSTATUS create(HKEY root, const WCHAR *path, HKEY *key)
{
    return RegCreateKeyExW(root, path, 0, NULL, 0, KEY_ALL_ACCESS, NULL, key, NULL);
}

static LSTATUS set(HKEY key, const WCHAR *name, const WCHAR *text)
{
    return RegSetValueExW(key, name, 0, REG_SZ, (const BYTE *)text, (DWORD)((wcslen(text) + 1) * sizeof(WCHAR)));
}

static BOOL has(HKEY key, const WCHAR *name)
{
    return !RegQueryValueExW(key, name, NULL, NULL, NULL, NULL);
}

struct facts {
    DWORD subkeys, longest, values;
    LONGLONG written;
};

static struct facts facts_of(HKEY key)
{
    struct facts facts = { 0 };
    FILETIME time = { 0 };

    RegQueryInfoKeyW(key, NULL, NULL, NULL, &facts.subkeys, &facts.longest, NULL, &facts.values, NULL, NULL, NULL, &time);
    facts.written = (LONGLONG)time.dwHighDateTime << 32 | time.dwLowDateTime;
    return facts;
}

/* ---- what is shown of a key and of its subkeys ---- */

/* Each subkey's own facts, as its parent lists them, are those that it tells itself. */
static void check_children(HKEY parent)
{
    BYTE listed[2048], told[2048];
    WCHAR name[256];
    DWORD i, n = 256;
    ULONG need;
    BOOL same = TRUE;
    HKEY child;

    for (i = 0; !RegEnumKeyExW(parent, i, name, &n, NULL, NULL, NULL, NULL); i++, n = 256) {
        memset(listed, 0, sizeof(listed)), memset(told, 0, sizeof(told));
        if (open(parent, name, KEY_READ, &child)) {
            same = FALSE;
            continue;
        }
        same &= !NtEnumerateKey(parent, i, 2, listed, sizeof(listed), &need);
        same &= !NtQueryKey(child, 2, told, sizeof(told), &need) && !memcmp(listed, told, need);
        same &= !NtEnumerateKey(parent, i, 1, listed, sizeof(listed), &need);
        same &= !NtQueryKey(child, 1, told, sizeof(told), &need) && !memcmp(listed, told, need);
        RegCloseKey(child);
    }
    check(same && i == facts_of(parent).subkeys, "children-as-they-are", "of %lu", i);
}

static void check_facts(void)
{
    struct facts before, after;
    WCHAR name[256], again[256];
    DWORD n = 256, i;
    HKEY parent, child, deep, same;
    BOOL stable = TRUE;

    CHECK_RESULT("facts-open", open(HKEY_LOCAL_MACHINE, PARENT, KEY_ALL_ACCESS, &parent), 0);
    before = facts_of(parent);
    CHECK_RESULT("facts-name", RegEnumKeyExW(parent, 3, name, &n, NULL, NULL, NULL, NULL), 0);
    CHECK_RESULT("facts-child", open(parent, name, KEY_ALL_ACCESS, &child), 0);
    Sleep(20);
    CHECK_RESULT("facts-deep", create(child, L"wst", &deep), 0);
    after = facts_of(parent);
    check(after.written == before.written, "facts-time-kept", "a key two levels below was made, %lld more",
          (long long)(after.written - before.written));
    CHECK("facts-subkeys", after.subkeys == before.subkeys && after.longest == before.longest);
    CHECK("facts-child-time", facts_of(child).written > before.written);
    n = 256;
    RegEnumKeyExW(parent, 3, again, &n, NULL, NULL, NULL, NULL);
    CHECK("facts-index", !wcscmp(name, again));
    check_children(parent);
    CHECK_RESULT("facts-set", set(child, L"wst", L"x"), 0);
    CHECK_RESULT("facts-set-same", set(child, L"wst", L"x"), 0);
    CHECK("facts-time-of-the-parent", facts_of(parent).written == before.written);
    CHECK_RESULT("facts-same-name", open(parent, name, KEY_READ, &same), 0);
    CHECK("facts-same-key", has(same, L"wst") && facts_of(same).written == facts_of(child).written);
    for (i = facts_of(parent).subkeys; i-- > 0;) { /* from the end, as programs do that delete */
        n = 256;
        stable &= !RegEnumKeyExW(parent, i, again, &n, NULL, NULL, NULL, NULL);
    }
    CHECK("facts-backwards", stable);
    RegDeleteValueW(child, L"wst");
    CHECK_RESULT("facts-delete", RegDeleteKeyW(child, L"wst"), 0);
    RegCloseKey(deep), RegCloseKey(same), RegCloseKey(child), RegCloseKey(parent);
}

static void check_class(void)
{
    WCHAR class_name[64];
    DWORD n = 64, how = 0;
    HKEY key;

    CHECK_RESULT("class-create", RegCreateKeyExW(HKEY_LOCAL_MACHINE, PARENT L"\\wst", 0, L"One", 0, KEY_ALL_ACCESS, NULL, &key, &how), 0);
    RegCloseKey(key);
    CHECK_RESULT("class-again", RegCreateKeyExW(HKEY_LOCAL_MACHINE, PARENT L"\\wst", 0, L"Two", 0, KEY_ALL_ACCESS, NULL, &key, &how), 0);
    CHECK("class-opened", how == REG_OPENED_EXISTING_KEY);
    CHECK_RESULT("class-query", RegQueryInfoKeyW(key, class_name, &n, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), 0);
    CHECK("class-changed", !wcscmp(class_name, L"Two"));
    RegCloseKey(key);
    RegDeleteKeyW(HKEY_LOCAL_MACHINE, PARENT L"\\wst");
}

/* ---- handles ---- */

static void check_rights(void)
{
    WCHAR name[256];
    DWORD n = 256;
    HKEY parent, key, made;

    open(HKEY_LOCAL_MACHINE, PARENT, KEY_ALL_ACCESS, &parent);
    create(parent, L"wst", &made); /* now the silo has a key of its own there */
    CHECK_RESULT("rights-query-only", open(HKEY_LOCAL_MACHINE, PARENT, KEY_QUERY_VALUE, &key), 0);
    CHECK_RESULT("rights-no-list", RegEnumKeyExW(key, 0, name, &n, NULL, NULL, NULL, NULL), ERROR_ACCESS_DENIED);
    n = 256;
    CHECK_RESULT("rights-no-list-base", RegEnumKeyExW(key, 1, name, &n, NULL, NULL, NULL, NULL), ERROR_ACCESS_DENIED);
    CHECK_RESULT("rights-no-set", set(key, L"wst", L"x"), ERROR_ACCESS_DENIED);
    RegCloseKey(key);
    CHECK_RESULT("rights-list-only", open(HKEY_LOCAL_MACHINE, PARENT, KEY_ENUMERATE_SUB_KEYS, &key), 0);
    n = 256;
    CHECK_RESULT("rights-list", RegEnumKeyExW(key, 0, name, &n, NULL, NULL, NULL, NULL), 0);
    CHECK_RESULT("rights-no-query", RegQueryValueExW(key, L"x", NULL, NULL, NULL, NULL), ERROR_ACCESS_DENIED);
    RegCloseKey(key), RegCloseKey(made);
    RegDeleteKeyW(parent, L"wst");
    RegCloseKey(parent);
}

static void check_duplicates(const char *program)
{
    HANDLE self = GetCurrentProcess(), copy = NULL, weak = NULL, inherited = NULL;
    STARTUPINFOA startup = { .cb = sizeof(startup) };
    PROCESS_INFORMATION info;
    char line[300];
    DWORD code = 99;
    HKEY reader, writer;

    open(HKEY_LOCAL_MACHINE, PARENT, KEY_ALL_ACCESS, &reader);
    CHECK("duplicate", DuplicateHandle(self, reader, self, &copy, 0, FALSE, DUPLICATE_SAME_ACCESS));
    CHECK("duplicate-weak", DuplicateHandle(self, reader, self, &weak, KEY_QUERY_VALUE, FALSE, 0));
    CHECK("duplicate-inherited", DuplicateHandle(self, reader, self, &inherited, 0, TRUE, DUPLICATE_SAME_ACCESS));
    snprintf(line, sizeof(line), "\"%s\" inherited %lu", program, (unsigned long)(ULONG_PTR)inherited);
    open(HKEY_LOCAL_MACHINE, PARENT, KEY_ALL_ACCESS, &writer);
    CHECK_RESULT("duplicate-write", set(writer, L"wst", L"x"), 0);
    CHECK("duplicate-sees", has(copy, L"wst") && has(weak, L"wst") && has(inherited, L"wst"));
    CHECK_RESULT("duplicate-weak-set", set(weak, L"wst2", L"x"), ERROR_ACCESS_DENIED);
    CHECK_RESULT("duplicate-set", set(copy, L"wst2", L"x"), 0);
    CHECK("duplicate-set-sees", has(reader, L"wst2"));
    if (CreateProcessA(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &info)) {
        WaitForSingleObject(info.hProcess, 30000);
        GetExitCodeProcess(info.hProcess, &code);
    }
    check(code == 0, "inherited", "the program with the inherited handle ended with %lu", code);
    CHECK("inherited-set", has(reader, L"wst3"));
    RegDeleteValueW(writer, L"wst"), RegDeleteValueW(writer, L"wst2"), RegDeleteValueW(writer, L"wst3");
    CloseHandle(copy), CloseHandle(weak), CloseHandle(inherited);
    RegCloseKey(reader), RegCloseKey(writer);
}

/* ---- renaming, saving, links ---- */

static void check_rename(void)
{
    UNICODE_STRING name = nt_string(L"AAA-wst"), back;
    struct facts before;
    HKEY trust, key, old, deep;
    WCHAR first[256];
    DWORD n = 256;

    CHECK_RESULT("rename-open", open(HKEY_LOCAL_MACHINE, RENAMED, KEY_ALL_ACCESS, &trust), 0);
    RegEnumKeyExW(trust, 1, first, &n, NULL, NULL, NULL, NULL);
    open(trust, first, KEY_ALL_ACCESS, &key), open(trust, first, KEY_READ, &old);
    before = facts_of(key);
    CHECK("rename-has-subkeys", before.subkeys > 1);
    CHECK_STATUS("rename", NtRenameKey(key, &name), 0);
    CHECK_RESULT("rename-old-name", open(trust, first, KEY_READ, &deep), ERROR_FILE_NOT_FOUND);
    CHECK_RESULT("rename-new-name", open(trust, L"aaa-WST", KEY_READ, &deep), 0);
    CHECK("rename-subkeys", facts_of(deep).subkeys == before.subkeys && facts_of(old).subkeys == before.subkeys);
    RegCloseKey(deep);
    n = 256;
    RegEnumKeyExW(old, 0, first + 128, &n, NULL, NULL, NULL, NULL);
    CHECK_RESULT("rename-deep", open(old, first + 128, KEY_READ, &deep), 0);
    RegCloseKey(deep);
    back = nt_string(first);
    CHECK_STATUS("rename-taken", NtRenameKey(key, &name), 0xC0000121);
    /* to a name that follows at once: Wine loses the neighbour then, so there must be one in between */
    create(trust, L"AAA-wst-neighbour", &deep);
    CHECK_STATUS("rename-back", NtRenameKey(key, &back), 0);
    CHECK_RESULT("rename-neighbour", RegDeleteKeyW(trust, L"AAA-wst-neighbour"), 0);
    CHECK_RESULT("rename-as-before", open(trust, first, KEY_READ, &old), 0);
    CHECK("rename-all-there", facts_of(old).subkeys == before.subkeys);
    RegCloseKey(deep), RegCloseKey(old), RegCloseKey(key), RegCloseKey(trust);
}

static void enable(const WCHAR *privilege)
{
    TOKEN_PRIVILEGES privileges = { 1, { { { 0, 0 }, SE_PRIVILEGE_ENABLED } } };
    HANDLE token;

    OpenProcessToken(GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES, &token);
    LookupPrivilegeValueW(NULL, privilege, &privileges.Privileges[0].Luid);
    AdjustTokenPrivileges(token, FALSE, &privileges, 0, NULL, NULL);
    CloseHandle(token);
}

/* A key of the base with one of the silo's own below it, saved and loaded again: all of it is there, and no links. */
static void check_save(void)
{
    HKEY interfaces, key, made, loaded, child;
    struct facts before;

    CHECK_RESULT("save-open", open(HKEY_LOCAL_MACHINE, INTERFACES L"\\" ONE_INTERFACE, KEY_ALL_ACCESS, &key), 0);
    before = facts_of(key);
    CHECK("save-has-subkeys", before.subkeys > 0);
    CHECK_RESULT("save-create", create(key, L"wst", &made), 0);
    set(made, L"value", L"text");
    DeleteFileW(L"C:\\wst-saved.reg");
    SetLastError(0);
    CHECK_RESULT("save-privilege", RegSaveKeyW(key, L"C:\\wst-saved.reg", NULL), ERROR_PRIVILEGE_NOT_HELD);
    enable(L"SeBackupPrivilege"), enable(L"SeRestorePrivilege");
    DeleteFileW(L"C:\\wst-saved.reg");
    CHECK_RESULT("save", RegSaveKeyW(key, L"C:\\wst-saved.reg", NULL), 0);
    RegCloseKey(made);
    RegDeleteKeyW(key, L"wst");
    CHECK("save-as-before", facts_of(key).subkeys == before.subkeys);
    CHECK_RESULT("load", RegLoadKeyW(HKEY_LOCAL_MACHINE, L"wst-loaded", L"C:\\wst-saved.reg"), 0);
    CHECK_RESULT("load-open", open(HKEY_LOCAL_MACHINE, L"wst-loaded", KEY_READ, &loaded), 0);
    CHECK("load-subkeys", facts_of(loaded).subkeys == before.subkeys + 1 && facts_of(loaded).values == before.values);
    CHECK_RESULT("load-own", open(loaded, L"wst", KEY_READ, &child), 0);
    CHECK("load-value", has(child, L"value"));
    RegCloseKey(child);
    CHECK_RESULT("load-base", open(loaded, L"ProxyStubClsid32", KEY_READ, &child), 0);
    CHECK("load-base-value", has(child, L""));
    RegCloseKey(child), RegCloseKey(loaded);
    CHECK_RESULT("unload", RegUnLoadKeyW(HKEY_LOCAL_MACHINE, L"wst-loaded"), 0);
    CHECK_RESULT("unload-gone", open(HKEY_LOCAL_MACHINE, L"wst-loaded", KEY_READ, &loaded), ERROR_FILE_NOT_FOUND);
    CHECK_RESULT("save-parent", open(HKEY_LOCAL_MACHINE, INTERFACES, KEY_READ, &interfaces), 0);
    CHECK("save-children", facts_of(interfaces).subkeys > 10);
    RegCloseKey(interfaces), RegCloseKey(key);
    DeleteFileW(L"C:\\wst-saved.reg");
}

/* A link that a program makes leads to keys of the base and to the silo's own alike. */
static void check_link(void)
{
    static const WCHAR target[] = L"\\Registry\\Machine\\" PARENT;
    WCHAR got[256] = L"";
    DWORD size = sizeof(got), type = 0;
    struct facts before;
    HKEY link, key, made;

    open(HKEY_LOCAL_MACHINE, PARENT, KEY_READ, &key);
    before = facts_of(key);
    RegCloseKey(key);
    CHECK_RESULT("link-create", RegCreateKeyExW(HKEY_LOCAL_MACHINE, L"Software\\wst-link", 0, NULL, REG_OPTION_CREATE_LINK,
                                                KEY_ALL_ACCESS, NULL, &link, NULL), 0);
    CHECK_RESULT("link-nowhere", open(HKEY_LOCAL_MACHINE, L"Software\\wst-link", KEY_READ, &key), ERROR_FILE_NOT_FOUND);
    CHECK_RESULT("link-set", RegSetValueExW(link, L"SymbolicLinkValue", 0, REG_LINK, (const BYTE *)target, sizeof(target) - 2), 0);
    CHECK_RESULT("link-get", RegQueryValueExW(link, L"SymbolicLinkValue", NULL, &type, (BYTE *)got, &size), 0);
    CHECK("link-target", type == REG_LINK && size == sizeof(target) - 2 && !memcmp(got, target, size));
    CHECK_RESULT("link-open", open(HKEY_LOCAL_MACHINE, L"Software\\wst-link", KEY_ALL_ACCESS, &key), 0);
    CHECK("link-leads", facts_of(key).subkeys == before.subkeys);
    CHECK_RESULT("link-write", create(key, L"wst", &made), 0);
    RegCloseKey(made);
    CHECK_RESULT("link-behind", open(HKEY_LOCAL_MACHINE, L"Software\\wst-link\\wst", KEY_READ, &made), 0);
    RegCloseKey(made);
    CHECK_RESULT("link-directly", RegDeleteKeyW(HKEY_LOCAL_MACHINE, PARENT L"\\wst"), 0);
    RegCloseKey(key);
    CHECK_STATUS("link-delete", NtDeleteKey(link), 0);
    RegCloseKey(link);
    CHECK_RESULT("link-gone", open(HKEY_LOCAL_MACHINE, L"Software\\wst-link", KEY_READ, &key), ERROR_FILE_NOT_FOUND);
}

/* A key of performance data has a handle that stands for no key, below which keys can be made all the same. */
static void check_performance_data(void)
{
    UNICODE_STRING name = nt_string(L"\\Registry\\Machine\\Software\\Microsoft\\Windows NT\\CurrentVersion\\Perflib\\009");
    UNICODE_STRING below = nt_string(L"wst");
    OBJECT_ATTRIBUTES attr;
    HANDLE key, child, again;
    int i;

    for (i = 0; i < 2; i++) {
        InitializeObjectAttributes(&attr, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
        CHECK_STATUS("performance-open", NtOpenKey(&key, KEY_ALL_ACCESS, &attr), 0x40000016);
        CHECK_RESULT("performance-set", set(key, L"wst", L"x"), ERROR_INVALID_HANDLE);
        InitializeObjectAttributes(&attr, &below, OBJ_CASE_INSENSITIVE, key, NULL);
        CHECK_STATUS("performance-child", NtCreateKey(&child, KEY_ALL_ACCESS, &attr, 0, NULL, 0, NULL), 0);
        CHECK_STATUS("performance-child-opened", NtOpenKey(&again, KEY_READ, &attr), 0);
        CHECK_STATUS("performance-child-deleted", NtDeleteKey(child), 0);
        CHECK_STATUS("performance-child-gone", NtOpenKey(&child, KEY_READ, &attr), 0xC0000034);
        CloseHandle(again), CloseHandle(key);
    }
}

/* ---- watching ---- */

static DWORD WINAPI change_later(void *value)
{
    HKEY key;

    Sleep(300);
    if (open(HKEY_LOCAL_MACHINE, WATCHED, KEY_ALL_ACCESS, &key)) return 1;
    set(key, value, L"x");
    RegDeleteValueW(key, value);
    RegCloseKey(key);
    return 0;
}

static void check_watch(void)
{
    HANDLE event = CreateEventW(NULL, FALSE, FALSE, NULL), thread;
    HKEY watched, deep, made;
    WCHAR name[256];
    DWORD n = 256;

    CHECK_RESULT("watch-open", open(HKEY_LOCAL_MACHINE, WATCHED, KEY_READ, &watched), 0);
    CHECK_RESULT("watch-no-right", open(HKEY_LOCAL_MACHINE, WATCHED, KEY_SET_VALUE, &deep), 0);
    CHECK_RESULT("watch-refused", RegNotifyChangeKeyValue(deep, TRUE, REG_NOTIFY_CHANGE_NAME, event, TRUE), ERROR_ACCESS_DENIED);
    RegCloseKey(deep);
    CHECK_RESULT("watch-arm", RegNotifyChangeKeyValue(watched, TRUE, REG_NOTIFY_CHANGE_NAME | REG_NOTIFY_CHANGE_LAST_SET, event, TRUE), 0);
    CHECK("watch-quiet", WaitForSingleObject(event, 0) == WAIT_TIMEOUT);
    RegEnumKeyExW(watched, 0, name, &n, NULL, NULL, NULL, NULL);
    open(watched, name, KEY_ALL_ACCESS, &deep);
    CHECK("watch-reading", WaitForSingleObject(event, 0) == WAIT_TIMEOUT);
    create(deep, L"wst", &made);
    CHECK("watch-deep", WaitForSingleObject(event, 2000) == WAIT_OBJECT_0);
    CHECK_RESULT("watch-again", RegNotifyChangeKeyValue(watched, TRUE, REG_NOTIFY_CHANGE_NAME | REG_NOTIFY_CHANGE_LAST_SET, event, TRUE), 0);
    set(made, L"v", L"x");
    CHECK("watch-value", WaitForSingleObject(event, 2000) == WAIT_OBJECT_0);
    RegCloseKey(made);
    RegDeleteKeyW(deep, L"wst");
    RegCloseKey(deep);
    RegNotifyChangeKeyValue(watched, TRUE, REG_NOTIFY_CHANGE_NAME, event, TRUE);
    RegCloseKey(watched);
    CHECK("watch-close", WaitForSingleObject(event, 2000) == WAIT_OBJECT_0);
    open(HKEY_LOCAL_MACHINE, WATCHED, KEY_READ, &watched);
    thread = CreateThread(NULL, 0, change_later, (void *)L"wst", 0, NULL);
    CHECK_RESULT("watch-wait", RegNotifyChangeKeyValue(watched, FALSE, REG_NOTIFY_CHANGE_LAST_SET, NULL, FALSE), 0);
    WaitForSingleObject(thread, 5000);
    CloseHandle(thread), CloseHandle(event), RegCloseKey(watched);
}

/* ---- several processes ---- */

static int race(unsigned int number, unsigned int values)
{
    HANDLE start = OpenEventW(SYNCHRONIZE, FALSE, L"wst-race");
    WCHAR name[64];
    HKEY key, made;
    unsigned int i;

    if (open(HKEY_LOCAL_MACHINE, RACE, KEY_ALL_ACCESS, &key)) return 2;
    if (WaitForSingleObject(start, 30000)) return 3;
    for (i = 0; i < values; i++) {
        swprintf(name, 64, L"wst-%u-%u", number, i);
        if (set(key, name, L"x")) return 4;
        if (i % 5) continue;
        if (create(key, name, &made)) return 5;
        RegCloseKey(made);
    }
    return 0;
}

/* All copy the same key up at the same time: nothing of what they write is lost. */
static void check_race(const char *program)
{
    HANDLE start = CreateEventW(NULL, TRUE, FALSE, L"wst-race"), processes[RACERS];
    struct facts before, after;
    char line[300];
    DWORD code, failed = 0;
    WCHAR name[64];
    HKEY key;
    unsigned int i, j;

    CHECK_RESULT("race-open", open(HKEY_LOCAL_MACHINE, RACE, KEY_ALL_ACCESS, &key), 0);
    before = facts_of(key);
    for (i = 0; i < RACERS; i++) {
        STARTUPINFOA startup = { .cb = sizeof(startup) };
        PROCESS_INFORMATION info = { 0 };

        snprintf(line, sizeof(line), "\"%s\" race %u %u", program, i, RACE_VALUES);
        CreateProcessA(NULL, line, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &info);
        CloseHandle(info.hThread);
        processes[i] = info.hProcess;
    }
    Sleep(500);
    SetEvent(start);
    for (i = 0; i < RACERS; i++) {
        code = 99;
        WaitForSingleObject(processes[i], 60000);
        GetExitCodeProcess(processes[i], &code);
        CloseHandle(processes[i]);
        failed += code != 0;
    }
    after = facts_of(key);
    check(!failed, "race-all-done", "%lu failed", failed);
    check(after.values == before.values + RACERS * RACE_VALUES, "race-values", "%lu of %u", after.values - before.values,
          RACERS * RACE_VALUES);
    check(after.subkeys == before.subkeys + RACERS * RACE_VALUES / 5, "race-subkeys", "%lu more", after.subkeys - before.subkeys);
    for (i = 0; i < RACERS; i++)
        for (j = 0; j < RACE_VALUES; j++) {
            swprintf(name, 64, L"wst-%u-%u", i, j);
            RegDeleteValueW(key, name);
            RegDeleteKeyW(key, name);
        }
    after = facts_of(key);
    CHECK("race-as-before", after.values == before.values && after.subkeys == before.subkeys);
    CloseHandle(start), RegCloseKey(key);
}

/* ---- commands ---- */

static int open_all(HKEY parent, int depth)
{
    WCHAR name[256];
    DWORD i, n = 256;
    int count = 1;
    HKEY key;

    facts_of(parent);
    has(parent, L"");
    for (i = 0; depth < 5 && !RegEnumKeyExW(parent, i, name, &n, NULL, NULL, NULL, NULL); i++, n = 256) {
        if (i > 30 || open(parent, name, KEY_ALL_ACCESS, &key)) continue;
        count += open_all(key, depth + 1);
        RegCloseKey(key);
    }
    return count;
}

static int watch_until(const WCHAR *path)
{
    HANDLE event = CreateEventW(NULL, FALSE, FALSE, NULL);
    HKEY key;

    if (open(HKEY_LOCAL_MACHINE, path, KEY_READ, &key)) return 1;
    if (RegNotifyChangeKeyValue(key, TRUE, REG_NOTIFY_CHANGE_NAME | REG_NOTIFY_CHANGE_LAST_SET, event, TRUE)) return 2;
    printf("ready\n");
    fflush(stdout);
    printf(WaitForSingleObject(event, 30000) ? "nothing\n" : "changed\n");
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "open")) {
        HKEY key;

        printf("%d keys\n", open_all(HKEY_LOCAL_MACHINE, 0));
        return open(HKEY_LOCAL_MACHINE, L"Software", MAXIMUM_ALLOWED, &key) != 0;
    }
    if (argc == 3 && !strcmp(argv[1], "watch")) return watch_until(wide(argv[2]));
    if (argc == 4 && !strcmp(argv[1], "race")) return race((unsigned int)atoi(argv[2]), (unsigned int)atoi(argv[3]));
    if (argc == 3 && !strcmp(argv[1], "inherited"))
        return !has((HKEY)(ULONG_PTR)strtoul(argv[2], NULL, 10), L"wst") ||
               set((HKEY)(ULONG_PTR)strtoul(argv[2], NULL, 10), L"wst3", L"x");
    if (argc != 2 || (strcmp(argv[1], "host") && strcmp(argv[1], "silo"))) usage("keys host|silo | open | watch KEY");
    check_facts();
    check_class();
    check_rights();
    check_duplicates(argv[0]);
    check_rename();
    check_save();
    check_link();
    check_performance_data();
    check_watch();
    check_race(argv[0]);
    return finish();
}
