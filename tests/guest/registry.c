/* The registry: values, enumeration, deletion, handles, links, notification.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   registry host|silo            checks; they undo what they change
 *   registry set KEY NAME TEXT    set a string below HKLM, making the key
 *   registry get KEY NAME         print `value TEXT` or `absent`
 *   registry delete KEY           delete a key below HKLM with all below it
 *   registry keys KEY             print `key NAME` for each subkey */

#include "check.h"

NTSYSAPI NTSTATUS NTAPI NtQueryKey(HANDLE, int, void *, ULONG, ULONG *);
NTSYSAPI NTSTATUS NTAPI NtOpenKey(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *);
NTSYSAPI NTSTATUS NTAPI NtCreateKey(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, ULONG, const UNICODE_STRING *,
                                    ULONG, ULONG *);

/* Keys that every prefix made by Wine has. */
#define BASE_KEY L"Software\\Microsoft\\Windows NT\\CurrentVersion"
#define BASE_VALUE L"CurrentVersion"
#define SPARE_KEY L"Software\\Classes\\.chm" /* deleted and put back */

/* Like CHECK for functions that return their error. */
#define CHECK_RESULT(name, expression, wanted) \
    do { \
        LSTATUS result_ = (expression); \
        check(result_ == (wanted), name, "%s is %ld, not %ld", #expression, result_, (long)(wanted)); \
    } while (0)

static LSTATUS create(HKEY root, const WCHAR *path, HKEY *key)
{
    return RegCreateKeyExW(root, path, 0, NULL, 0, KEY_ALL_ACCESS, NULL, key, NULL);
}

static LSTATUS open(HKEY root, const WCHAR *path, HKEY *key)
{
    return RegOpenKeyExW(root, path, 0, KEY_ALL_ACCESS, key);
}

static LSTATUS set_text(HKEY key, const WCHAR *name, const WCHAR *text)
{
    return RegSetValueExW(key, name, 0, REG_SZ, (const BYTE *)text, (DWORD)((wcslen(text) + 1) * 2));
}

static const WCHAR *get_text(HKEY key, const WCHAR *name)
{
    static WCHAR text[512];
    DWORD size = sizeof(text) - sizeof(WCHAR), type;

    memset(text, 0, sizeof(text));
    return RegQueryValueExW(key, name, NULL, &type, (BYTE *)text, &size) ? L"(none)" : text;
}

/* Count the subkeys one by one; checks that they are sorted and unlike each other. */
static int count_subkeys(HKEY key, const WCHAR *look_for, BOOL *found, BOOL *sorted)
{
    WCHAR name[256], before[256] = L"";
    int count = 0;

    *found = FALSE;
    *sorted = TRUE;
    for (;; count++) {
        DWORD length = 256;

        if (RegEnumKeyExW(key, (DWORD)count, name, &length, NULL, NULL, NULL, NULL))
            return count;
        if (count && _wcsicmp(before, name) >= 0)
            *sorted = FALSE;
        if (look_for && same_text(name, look_for))
            *found = TRUE;
        wcscpy(before, name);
    }
}

static BOOL is_subkey(HKEY key, const WCHAR *name)
{
    BOOL found, sorted;

    count_subkeys(key, name, &found, &sorted);
    return found;
}

static const WCHAR *key_name(HKEY key)
{
    static struct {
        ULONG length;
        WCHAR name[1024];
    } info;
    ULONG size;

    memset(&info, 0, sizeof(info));
    if (NtQueryKey(key, 3 /* KeyNameInformation */, &info, sizeof(info) - sizeof(WCHAR), &size) < 0)
        return L"?";
    return info.name;
}

static void check_values(const char *what, HKEY root)
{
    static BYTE big[100000], back[100000];
    DWORD number = 7, type = 0, size = sizeof(back);
    char title[64];
    HKEY key;

#define TITLE(text) (snprintf(title, sizeof(title), "%s-" text, what), title)
    RegDeleteTreeW(root, L"Software\\wst");
    CHECK_RESULT(TITLE("create"), create(root, L"Software\\wst", &key), 0);
    CHECK_RESULT(TITLE("set"), set_text(key, L"Text", L"h\x00e9llo"), 0);
    check(!wcscmp(get_text(key, L"TEXT"), L"h\x00e9llo"), TITLE("get"), "got %ls", get_text(key, L"TEXT"));
    CHECK_RESULT(TITLE("set-number"), RegSetValueExW(key, L"n", 0, REG_DWORD, (BYTE *)&number, 4), 0);
    memset(big, 0x5a, sizeof(big));
    CHECK_RESULT(TITLE("set-big"), RegSetValueExW(key, L"big", 0, REG_BINARY, big, sizeof(big)), 0);
    CHECK_RESULT(TITLE("get-big"), RegQueryValueExW(key, L"big", NULL, &type, back, &size), 0);
    CHECK(TITLE("same-big"), type == REG_BINARY && size == sizeof(big) && !memcmp(big, back, size));
    CHECK_RESULT(TITLE("delete-value"), RegDeleteValueW(key, L"n"), 0);
    CHECK_RESULT(TITLE("value-gone"), RegQueryValueExW(key, L"n", NULL, NULL, NULL, NULL), ERROR_FILE_NOT_FOUND);
    RegCloseKey(key);
    CHECK_RESULT(TITLE("open-again"), open(root, L"SOFTWARE\\WST", &key), 0);
    check(!wcscmp(get_text(key, L"text"), L"h\x00e9llo"), TITLE("get-again"), "got %ls", get_text(key, L"text"));
    RegCloseKey(key);
    CHECK_RESULT(TITLE("delete"), RegDeleteKeyW(root, L"Software\\wst"), 0);
    CHECK_RESULT(TITLE("gone"), open(root, L"Software\\wst", &key), ERROR_FILE_NOT_FOUND);
#undef TITLE
}

/* A subkey made below a key that the base has: the enumeration shows both kinds once, sorted. */
static void check_merged(void)
{
    BOOL found, sorted;
    DWORD counted = 0;
    int before, after;
    HKEY base, reader, key;

    CHECK_RESULT("merged-open", open(HKEY_LOCAL_MACHINE, BASE_KEY, &base), 0);
    CHECK_RESULT("merged-open-reader", RegOpenKeyExW(HKEY_LOCAL_MACHINE, BASE_KEY, 0, KEY_READ, &reader), 0);
    RegDeleteKeyW(base, L"mmm-wst");
    before = count_subkeys(base, NULL, &found, &sorted);
    CHECK("merged-has-subkeys", before > 3 && sorted);
    CHECK_RESULT("merged-create", create(base, L"mmm-wst", &key), 0);
    after = count_subkeys(base, L"mmm-wst", &found, &sorted);
    CHECK("merged-one-more", after == before + 1 && found && sorted);
    after = count_subkeys(reader, L"mmm-wst", &found, &sorted);
    CHECK("merged-old-handle", after == before + 1 && found && sorted);
    RegQueryInfoKeyW(base, NULL, NULL, NULL, &counted, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
    check(counted == (DWORD)after, "merged-count", "count %lu, enumerated %d", counted, after);
    CHECK("merged-keeps-values", wcscmp(get_text(base, BASE_VALUE), L"(none)"));
    CHECK_RESULT("merged-delete", RegDeleteKeyW(base, L"mmm-wst"), 0);
    CHECK("merged-as-before", count_subkeys(base, L"mmm-wst", &found, &sorted) == before && !found);
    RegCloseKey(key), RegCloseKey(base), RegCloseKey(reader);
}

/* A handle opened before the first change must see what another handle writes, and the other way. */
static void check_old_handles(void)
{
    HKEY reader, parent, writer;
    WCHAR original[512];

    CHECK_RESULT("old-open", RegOpenKeyExW(HKEY_LOCAL_MACHINE, BASE_KEY, 0, KEY_READ, &reader), 0);
    CHECK_RESULT("old-parent", RegOpenKeyExW(HKEY_LOCAL_MACHINE, L"Software\\Microsoft\\Windows NT", 0, KEY_READ,
                                             &parent), 0);
    wcscpy(original, get_text(reader, BASE_VALUE));
    CHECK_RESULT("old-writer", open(HKEY_LOCAL_MACHINE, BASE_KEY, &writer), 0);
    CHECK_RESULT("old-write", set_text(writer, L"wst-new", L"x"), 0);
    check(!wcscmp(get_text(reader, L"wst-new"), L"x"), "old-sees-new", "got %ls", get_text(reader, L"wst-new"));
    CHECK("old-keeps-others", !wcscmp(get_text(reader, BASE_VALUE), original));
    RegCloseKey(writer);
    CHECK_RESULT("old-relative", open(parent, L"CurrentVersion", &writer), 0);
    check(!wcscmp(get_text(writer, L"wst-new"), L"x"), "old-relative-sees", "got %ls",
          get_text(writer, L"wst-new"));
    CHECK_RESULT("old-write-access", set_text(reader, L"wst-new", L"y"), ERROR_ACCESS_DENIED);
    CHECK_RESULT("old-delete", RegDeleteValueW(writer, L"wst-new"), 0);
    CHECK_RESULT("old-sees-delete", RegQueryValueExW(reader, L"wst-new", NULL, NULL, NULL, NULL),
                 ERROR_FILE_NOT_FOUND);
    RegCloseKey(writer), RegCloseKey(reader), RegCloseKey(parent);
}

/* A key of the base: deleted, missing, made again empty, put back. */
static void check_base_deletion(void)
{
    BOOL found, sorted;
    HKEY classes, key, old;
    WCHAR original[512];
    DWORD values = 99, subkeys = 99, disposition = 0;
    int before;

    CHECK_RESULT("base-parent", open(HKEY_LOCAL_MACHINE, L"Software\\Classes", &classes), 0);
    CHECK_RESULT("base-open", open(HKEY_LOCAL_MACHINE, SPARE_KEY, &old), 0);
    before = count_subkeys(classes, NULL, &found, &sorted);
    wcscpy(original, get_text(old, L""));
    CHECK_RESULT("base-delete", RegDeleteTreeW(classes, L".chm"), 0);
    CHECK_RESULT("base-gone", open(HKEY_LOCAL_MACHINE, SPARE_KEY, &key), ERROR_FILE_NOT_FOUND);
    CHECK("base-not-listed", count_subkeys(classes, L".chm", &found, &sorted) == before - 1 && !found);
    CHECK_RESULT("base-old-handle", RegQueryValueExW(old, L"", NULL, NULL, NULL, NULL), ERROR_KEY_DELETED);
    CHECK_RESULT("base-create", RegCreateKeyExW(classes, L".chm", 0, NULL, 0, KEY_ALL_ACCESS, NULL, &key,
                                                &disposition), 0);
    CHECK("base-created-new", disposition == REG_CREATED_NEW_KEY);
    RegQueryInfoKeyW(key, NULL, NULL, NULL, &subkeys, NULL, NULL, &values, NULL, NULL, NULL, NULL);
    check(!values && !subkeys, "base-created-empty", "%lu values, %lu subkeys", values, subkeys);
    CHECK_RESULT("base-old-handle-still", RegQueryValueExW(old, L"", NULL, NULL, NULL, NULL), ERROR_KEY_DELETED);
    CHECK_RESULT("base-restore", set_text(key, NULL, original), 0);
    CHECK("base-listed-once", count_subkeys(classes, L".chm", &found, &sorted) == before && found && sorted);
    RegCloseKey(key), RegCloseKey(old), RegCloseKey(classes);
}

static void check_rules(void)
{
    HKEY top, key, child;

    create(HKEY_LOCAL_MACHINE, L"Software\\wst-rules", &top);
    CHECK_RESULT("rules-deep", create(top, L"a\\b\\c", &key), 0);
    CHECK_RESULT("rules-delete-parent", RegDeleteKeyW(top, L"a"), ERROR_ACCESS_DENIED);
    CHECK_RESULT("rules-delete-tree", RegDeleteTreeW(top, L"a"), 0);
    CHECK_RESULT("rules-deleted-handle", set_text(key, L"x", L"y"), ERROR_KEY_DELETED);
    RegCloseKey(key);
    CHECK_RESULT("rules-volatile", RegCreateKeyExW(top, L"v", 0, NULL, REG_OPTION_VOLATILE, KEY_ALL_ACCESS, NULL,
                                                   &key, NULL), 0);
    CHECK_RESULT("rules-volatile-child", create(key, L"x", &child), ERROR_CHILD_MUST_BE_VOLATILE);
    CHECK_RESULT("rules-empty-name", RegOpenKeyExW(key, L"", 0, KEY_READ, &child), 0);
    CHECK_RESULT("rules-bad-handle", RegQueryValueExW((HKEY)0x1234, L"", NULL, NULL, NULL, NULL),
                 ERROR_INVALID_HANDLE);
    RegCloseKey(key), RegCloseKey(child);
    CHECK_RESULT("rules-delete-all", RegDeleteTreeW(HKEY_LOCAL_MACHINE, L"Software\\wst-rules"), 0);
    RegCloseKey(top);
}

static void check_names(void)
{
    HKEY key, users;
    BOOL found, sorted;
    WCHAR name[256];

    create(HKEY_LOCAL_MACHINE, L"Software\\wst-Name", &key);
    check(same_text(key_name(key), L"\\Registry\\Machine\\Software\\wst-Name"), "name-private", "the name is %ls",
          key_name(key));
    CHECK_NAME("object-name-private", key, L"\\Registry\\Machine\\Software\\wst-Name");
    RegDeleteKeyW(HKEY_LOCAL_MACHINE, L"Software\\wst-Name");
    RegCloseKey(key);
    open(HKEY_LOCAL_MACHINE, BASE_KEY, &key);
    check(same_text(key_name(key), L"\\Registry\\Machine\\" BASE_KEY), "name-base", "the name is %ls",
          key_name(key));
    RegCloseKey(key);
    create(HKEY_CURRENT_USER, L"Software\\wst-Name", &key);
    check(begins_with(key_name(key), L"\\Registry\\User\\S-1-5-21-"), "name-user", "the name is %ls",
          key_name(key));
    RegDeleteKeyW(HKEY_CURRENT_USER, L"Software\\wst-Name");
    RegCloseKey(key);
    RegOpenKeyExW(HKEY_USERS, NULL, 0, KEY_READ, &users);
    found = FALSE;
    for (DWORD i = 0, n = 256; !RegEnumKeyExW(users, i, name, &n, NULL, NULL, NULL, NULL); i++, n = 256)
        found |= begins_with(name, L"winesilo");
    CHECK("users-without-hives", !found);
    CHECK("users-listed", count_subkeys(users, L".Default", &found, &sorted) >= 2 && found);
    RegCloseKey(users);
}

/* The same keys by other names: HKCR, the 32-bit view, native absolute names, CurrentControlSet. */
static void check_views(void)
{
    UNICODE_STRING name = nt_string(L"\\Registry\\Machine\\Software\\wst-native");
    OBJECT_ATTRIBUTES attr;
    HANDLE native;
    HKEY key, other;

    create(HKEY_LOCAL_MACHINE, L"Software\\Classes\\wst-class", &key);
    CHECK_RESULT("view-classes-root", open(HKEY_CLASSES_ROOT, L"wst-class", &other), 0);
    CHECK_RESULT("view-classes-write", set_text(other, L"v", L"1"), 0);
    CHECK("view-classes-read", !wcscmp(get_text(key, L"v"), L"1"));
    RegCloseKey(key), RegCloseKey(other);
    RegDeleteKeyW(HKEY_LOCAL_MACHINE, L"Software\\Classes\\wst-class");

    CHECK_RESULT("view-32-create", RegCreateKeyExW(HKEY_LOCAL_MACHINE, L"Software\\wst-32", 0, NULL, 0,
                                                   KEY_ALL_ACCESS | KEY_WOW64_32KEY, NULL, &key, NULL), 0);
    CHECK_RESULT("view-32-not-64", open(HKEY_LOCAL_MACHINE, L"Software\\wst-32", &other), ERROR_FILE_NOT_FOUND);
    CHECK_RESULT("view-32-node", open(HKEY_LOCAL_MACHINE, L"Software\\Wow6432Node\\wst-32", &other), 0);
    RegCloseKey(key), RegCloseKey(other);
    CHECK_RESULT("view-32-delete", RegDeleteKeyExW(HKEY_LOCAL_MACHINE, L"Software\\wst-32", KEY_WOW64_32KEY, 0), 0);

    InitializeObjectAttributes(&attr, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    CHECK_STATUS("view-native-missing", NtOpenKey(&native, KEY_READ, &attr), 0xC0000034);
    CHECK_STATUS("view-native-create", NtCreateKey(&native, KEY_ALL_ACCESS, &attr, 0, NULL, 0, NULL), 0);
    CHECK_RESULT("view-native-open", open(HKEY_LOCAL_MACHINE, L"Software\\wst-native", &key), 0);
    CloseHandle(native), RegCloseKey(key);
    RegDeleteKeyW(HKEY_LOCAL_MACHINE, L"Software\\wst-native");

    CHECK_RESULT("view-control-create", create(HKEY_LOCAL_MACHINE, L"System\\CurrentControlSet\\wst", &key), 0);
    CHECK_RESULT("view-control-set", set_text(key, L"v", L"2"), 0);
    CHECK_RESULT("view-control-open", open(HKEY_LOCAL_MACHINE, L"SYSTEM\\CurrentControlSet\\wst", &other), 0);
    CHECK("view-control-get", !wcscmp(get_text(other, L"v"), L"2"));
    RegCloseKey(key), RegCloseKey(other);
    CHECK_RESULT("view-control-delete", RegDeleteKeyW(HKEY_LOCAL_MACHINE, L"System\\CurrentControlSet\\wst"), 0);
}

static void check_notification(void)
{
    HANDLE event = CreateEventW(NULL, FALSE, FALSE, NULL);
    HKEY watched, writer;

    CHECK_RESULT("notify-open", RegOpenKeyExW(HKEY_LOCAL_MACHINE, BASE_KEY, 0, KEY_READ | KEY_NOTIFY, &watched), 0);
    CHECK_RESULT("notify-arm", RegNotifyChangeKeyValue(watched, TRUE, REG_NOTIFY_CHANGE_LAST_SET
                                                       | REG_NOTIFY_CHANGE_NAME, event, TRUE), 0);
    CHECK("notify-quiet", WaitForSingleObject(event, 0) == WAIT_TIMEOUT);
    open(HKEY_LOCAL_MACHINE, BASE_KEY, &writer);
    set_text(writer, L"wst-notify", L"x");
    CHECK("notify-value", WaitForSingleObject(event, 2000) == WAIT_OBJECT_0);
    RegDeleteValueW(writer, L"wst-notify");
    RegCloseKey(writer), RegCloseKey(watched), CloseHandle(event);
}

static void check_times(void)
{
    FILETIME before, after;
    HKEY key, child;

    create(HKEY_LOCAL_MACHINE, L"Software\\wst-times", &key);
    RegQueryInfoKeyW(key, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, &before);
    Sleep(20);
    set_text(key, L"v", L"1");
    RegQueryInfoKeyW(key, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, &after);
    CHECK("times-value", CompareFileTime(&after, &before) > 0);
    before = after;
    Sleep(20);
    create(key, L"child", &child);
    RegQueryInfoKeyW(key, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, &after);
    CHECK("times-child", CompareFileTime(&after, &before) > 0);
    CHECK("times-child-listed", is_subkey(key, L"child"));
    RegCloseKey(child), RegCloseKey(key);
    RegDeleteTreeW(HKEY_LOCAL_MACHINE, L"Software\\wst-times");
}

static int run_checks(void)
{
    check_values("machine", HKEY_LOCAL_MACHINE);
    check_values("user", HKEY_CURRENT_USER);
    check_merged();
    check_old_handles();
    check_base_deletion();
    check_rules();
    check_names();
    check_views();
    check_notification();
    check_times();
    return finish();
}

static int run_command(int argc, char **argv)
{
    WCHAR *path = wide(argv[2]), name[256];
    HKEY key;

    if (!strcmp(argv[1], "delete"))
        return (int)RegDeleteTreeW(HKEY_LOCAL_MACHINE, path);
    if (argc == 5 && !strcmp(argv[1], "set"))
        return create(HKEY_LOCAL_MACHINE, path, &key) || set_text(key, wide(argv[3]), wide(argv[4]));
    if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, path, 0, KEY_READ, &key)) {
        printf("absent\n");
        return 0;
    }
    if (argc == 4 && !strcmp(argv[1], "get")) {
        const WCHAR *text = get_text(key, wide(argv[3]));

        printf(wcscmp(text, L"(none)") ? "value %ls\n" : "absent\n", text);
    } else if (!strcmp(argv[1], "keys")) {
        for (DWORD i = 0, n = 256; !RegEnumKeyExW(key, i, name, &n, NULL, NULL, NULL, NULL); i++, n = 256)
            printf("key %ls\n", name);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && (!strcmp(argv[1], "host") || !strcmp(argv[1], "silo")))
        return run_checks();
    if (argc < 3)
        usage("registry host|silo | set KEY NAME TEXT | get KEY NAME | delete KEY | keys KEY");
    return run_command(argc, argv);
}
