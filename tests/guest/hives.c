/* The hives of silos, which lie below HKEY_USERS on the host: inside a silo there are none, its own or others'.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   hives check NUMBER...   checks for the silos of these numbers; they undo what they change
 *   hives open NUMBER...    print `open` or `absent` for the hive of each */

#include "check.h"

NTSYSAPI NTSTATUS NTAPI NtOpenKey(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *);
NTSYSAPI NTSTATUS NTAPI NtOpenKeyEx(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, ULONG);
NTSYSAPI NTSTATUS NTAPI NtCreateKey(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, ULONG, const UNICODE_STRING *, ULONG,
                                    ULONG *);
NTSYSAPI NTSTATUS NTAPI NtDeleteKey(HANDLE);
NTSYSAPI NTSTATUS NTAPI NtRenameKey(HANDLE, UNICODE_STRING *);
NTSYSAPI NTSTATUS NTAPI NtSetValueKey(HANDLE, const UNICODE_STRING *, ULONG, ULONG, const void *, ULONG);
NTSYSAPI NTSTATUS NTAPI NtQueryKey(HANDLE, int, void *, ULONG, ULONG *);
NTSYSAPI NTSTATUS NTAPI NtLoadKey(const OBJECT_ATTRIBUTES *, OBJECT_ATTRIBUTES *);
NTSYSAPI NTSTATUS NTAPI NtUnloadKey(OBJECT_ATTRIBUTES *);

#define OWN_LINK L"\\Registry\\Machine\\Software\\WstHives"
#define SAVED L"C:\\hives.sav"

static NTSTATUS with_name(NTSTATUS (*call)(OBJECT_ATTRIBUTES *), HANDLE root, const WCHAR *name)
{
    UNICODE_STRING us = nt_string(name);
    OBJECT_ATTRIBUTES attr;

    InitializeObjectAttributes(&attr, &us, OBJ_CASE_INSENSITIVE, root, NULL);
    return call(&attr);
}

static HANDLE opened;

static NTSTATUS do_open(OBJECT_ATTRIBUTES *attr)
{
    NTSTATUS status = NtOpenKey(&opened, KEY_READ, attr);

    if (!status) NtClose(opened);
    return status;
}

static NTSTATUS do_open_itself(OBJECT_ATTRIBUTES *attr)
{
    NTSTATUS status;

    attr->Attributes |= 0x100; /* OBJ_OPENLINK */
    if (!(status = NtOpenKeyEx(&opened, KEY_READ, attr, 0))) NtClose(opened);
    return status;
}

static NTSTATUS do_create(OBJECT_ATTRIBUTES *attr)
{
    NTSTATUS status = NtCreateKey(&opened, KEY_ALL_ACCESS, attr, 0, NULL, 0, NULL);

    if (!status) NtClose(opened);
    return status;
}

static NTSTATUS do_load(OBJECT_ATTRIBUTES *attr)
{
    UNICODE_STRING us = nt_string(L"\\??\\" SAVED);
    OBJECT_ATTRIBUTES file;

    attr->Attributes = 0;
    InitializeObjectAttributes(&file, &us, OBJ_CASE_INSENSITIVE, 0, NULL);
    return NtLoadKey(attr, &file);
}

static NTSTATUS do_unload(OBJECT_ATTRIBUTES *attr)
{
    return NtUnloadKey(attr);
}

static void check_absent(const char *name, HANDLE root, const WCHAR *path)
{
    char title[128];
    NTSTATUS status;

#define TITLE(what) (snprintf(title, sizeof(title), "%s-" what, name), title)
    CHECK_STATUS(TITLE("open"), with_name(do_open, root, path), 0xc0000034);
    CHECK_STATUS(TITLE("open-itself"), with_name(do_open_itself, root, path), 0xc0000034);
    status = with_name(do_create, root, path);
    check(status < 0, TITLE("create"), "it was made");
#undef TITLE
}

static void make_link(const WCHAR *target)
{
    UNICODE_STRING us = nt_string(OWN_LINK), value = nt_string(L"SymbolicLinkValue");
    OBJECT_ATTRIBUTES attr;
    HANDLE link;

    InitializeObjectAttributes(&attr, &us, OBJ_CASE_INSENSITIVE | 0x100, 0, NULL);
    CHECK_STATUS("make-link", NtCreateKey(&link, KEY_ALL_ACCESS, &attr, 0, NULL, REG_OPTION_CREATE_LINK, NULL), 0);
    CHECK_STATUS("set-link", NtSetValueKey(link, &value, 0, REG_LINK, target, (ULONG)(wcslen(target) * sizeof(WCHAR))), 0);
    CHECK_STATUS("behind-link", with_name(do_open, NULL, OWN_LINK), 0xc0000034);
    check_absent("below-link", NULL, OWN_LINK L"\\Machine");
    CHECK_STATUS("delete-link", NtDeleteKey(link), 0);
    NtClose(link);
}

static void check_hive(unsigned int number)
{
    static const WCHAR *const spelled[] = { L"\\Registry\\User\\winesilo-%u%ls", L"\\REGISTRY\\USER\\WINESILO-%u%ls",
                                            L"\\Registry\\User\\\\winesilo-%u%ls",
                                            L"\\??\\GLOBALROOT\\Registry\\User\\winesilo-%u%ls" };
    static const WCHAR *const below[] = { L"", L"\\Machine", L"\\Machine\\Software" };
    WCHAR path[200];
    HANDLE users = HKEY_USERS, root;
    UNICODE_STRING us = nt_string(L"\\Registry\\User");
    OBJECT_ATTRIBUTES attr;
    unsigned int i, j;

    InitializeObjectAttributes(&attr, &us, OBJ_CASE_INSENSITIVE, 0, NULL);
    CHECK_STATUS("open-users", NtOpenKey(&users, KEY_ALL_ACCESS, &attr), 0);
    us = nt_string(L"\\Registry");
    CHECK_STATUS("open-root", NtOpenKey(&root, KEY_ALL_ACCESS, &attr), 0);
    for (j = 0; j < 3; j++) {
        for (i = 0; i < sizeof(spelled) / sizeof(*spelled); i++) {
            swprintf(path, 200, spelled[i], number, below[j]);
            check_absent("absolute", NULL, path);
        }
        swprintf(path, 200, L"winesilo-%u%ls", number, below[j]);
        check_absent("below-users", users, path);
        swprintf(path, 200, L"User\\winesilo-%u%ls", number, below[j]);
        check_absent("below-root", root, path);
    }
    swprintf(path, 200, L"\\Registry\\User\\winesilo-%u", number);
    make_link(path);
    swprintf(path, 200, L"\\REGISTRY\\User\\winesilo-%u", number);
    check(with_name(do_load, NULL, path) < 0, "load", "a hive was loaded there");
    check(with_name(do_unload, NULL, path) < 0, "unload", "it was unloaded");
    us = nt_string(L"\\Registry\\User\\wst");
    CHECK_STATUS("make-other", NtCreateKey(&root, KEY_ALL_ACCESS, &attr, 0, NULL, 0, NULL), 0);
    swprintf(path, 200, L"winesilo-%u", number);
    us = nt_string(path);
    check(NtRenameKey(root, &us) < 0, "rename", "it got the name");
    CHECK_STATUS("delete-other", NtDeleteKey(root), 0);
    NtClose(root);
    NtClose(users);
}

/* What is listed, counted and measured of HKEY_USERS must be the same, and none of it a silo's. */
static void check_list(void)
{
    struct {
        LARGE_INTEGER time;
        ULONG index, class_at, class_n, subkeys, max_name, max_class, values, max_value_name, max_value;
        WCHAR class_name[16];
    } full;
    DWORD count, longest, found = 0, seen = 0, length;
    UNICODE_STRING us = nt_string(L"\\Registry\\User");
    OBJECT_ATTRIBUTES attr;
    WCHAR name[256];
    HANDLE users;
    ULONG size;

    for (count = 0; length = 256, !RegEnumKeyExW(HKEY_USERS, count, name, &length, NULL, NULL, NULL, NULL); count++) {
        if (begins_with(name, L"winesilo")) found++;
        if (length > seen) seen = length;
    }
    check(count && !found, "list", "%lu of %lu keys are silos'", found, count);
    size = 0;
    CHECK("count", !RegQueryInfoKeyW(HKEY_USERS, NULL, NULL, NULL, &size, &longest, NULL, NULL, NULL, NULL, NULL, NULL) &&
                       size == count && longest == seen);
    InitializeObjectAttributes(&attr, &us, OBJ_CASE_INSENSITIVE, 0, NULL);
    CHECK_STATUS("open-list", NtOpenKey(&users, KEY_READ, &attr), 0);
    CHECK_STATUS("full", NtQueryKey(users, 2 /* KeyFullInformation */, &full, sizeof(full), &size), 0);
    NtClose(users);
    check(full.subkeys == count && full.max_name == seen * sizeof(WCHAR), "full-same", "%lu keys, longest %lu, not %lu, %lu",
          full.subkeys, full.max_name, count, seen * 2);
}

static BOOL contains(const char *file, const char *text)
{
    static char data[1 << 20];
    FILE *stream = fopen(file, "rb");
    size_t n, i, length = strlen(text);
    BOOL found = FALSE;

    if (!stream) return TRUE;
    while (!found && (n = fread(data, 1, sizeof(data), stream)) > length) {
        for (i = 0; i + length <= n && !found; i++) found = !memcmp(data + i, text, length);
        if (!feof(stream)) fseek(stream, -(long)length, SEEK_CUR);
    }
    fclose(stream);
    return found;
}

static void check_save(void)
{
    HANDLE token;
    TOKEN_PRIVILEGES privileges = { 1, { { .Attributes = SE_PRIVILEGE_ENABLED } } };
    UNICODE_STRING us = nt_string(L"\\Registry\\User");
    OBJECT_ATTRIBUTES attr;
    HANDLE users;

    OpenProcessToken(GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES, &token);
    LookupPrivilegeValueA(NULL, "SeBackupPrivilege", &privileges.Privileges[0].Luid);
    AdjustTokenPrivileges(token, FALSE, &privileges, 0, NULL, NULL);
    LookupPrivilegeValueA(NULL, "SeRestorePrivilege", &privileges.Privileges[0].Luid);
    AdjustTokenPrivileges(token, FALSE, &privileges, 0, NULL, NULL);
    CloseHandle(token);
    InitializeObjectAttributes(&attr, &us, OBJ_CASE_INSENSITIVE, 0, NULL);
    CHECK_STATUS("save-open", NtOpenKey(&users, KEY_READ, &attr), 0);
    DeleteFileW(SAVED);
    CHECK("save", !RegSaveKeyW((HKEY)users, SAVED, NULL));
    CHECK("saved-users", contains("C:\\hives.sav", "[S-1-5-"));
    CHECK("saved-no-hive", !contains("C:\\hives.sav", "[winesilo-"));
    NtClose(users);
}

int main(int argc, char **argv)
{
    int i;

    if (argc < 3) usage("hives check|open NUMBER...");
    if (!strcmp(argv[1], "open")) {
        for (i = 2; i < argc; i++) {
            WCHAR path[100];

            swprintf(path, 100, L"\\Registry\\User\\winesilo-%u", (unsigned int)atoi(argv[i]));
            printf("%s\n", with_name(do_open, NULL, path) ? "absent" : "open");
        }
        return 0;
    }
    check_list();
    check_save();
    for (i = 2; i < argc; i++) check_hive((unsigned int)atoi(argv[i]));
    check_list();
    DeleteFileW(SAVED);
    return finish();
}
