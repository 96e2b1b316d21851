/* Names of objects outside of BaseNamedObjects, very long ones, lists of directories, what handles tell.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   names host|silo     checks
 *   names hold NAME     make objects called NAME in several directories, say ready, wait
 *   names heir A B      what check_inherited asks of a child with two inherited handles
 *   names probe NAME    print `found PLACE` or `absent PLACE` for each of them */

#include "check.h"

#define NT(name, ...) NTSYSAPI NTSTATUS NTAPI name(__VA_ARGS__)
NT(NtCreateEvent, HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, ULONG, BOOLEAN);
NT(NtOpenEvent, HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *);
NT(NtCreateMutant, HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, BOOLEAN);
NT(NtCreateKeyedEvent, HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, ULONG);
NT(NtOpenKeyedEvent, HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *);
NT(NtCreateIoCompletion, HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, ULONG);
NT(NtOpenIoCompletion, HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *);
NT(NtCreateDebugObject, HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, ULONG);
NT(NtCreateDirectoryObject, HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *);
NT(NtOpenDirectoryObject, HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *);
NT(NtQueryDirectoryObject, HANDLE, void *, ULONG, BOOLEAN, BOOLEAN, ULONG *, ULONG *);
NT(NtOpenSymbolicLinkObject, HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *);
NT(NtCreateSymbolicLinkObject, HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, UNICODE_STRING *);
NT(NtCreateNamedPipeFile, HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, IO_STATUS_BLOCK *, ULONG, ULONG, ULONG, ULONG,
   ULONG, ULONG, ULONG, ULONG, ULONG, LARGE_INTEGER *);
NT(NtCreateMailslotFile, HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, IO_STATUS_BLOCK *, ULONG, ULONG, ULONG,
   LARGE_INTEGER *);
NT(NtQueryInformationFile, HANDLE, IO_STATUS_BLOCK *, void *, ULONG, FILE_INFORMATION_CLASS);

enum { LONGEST = 0x7ffe, HAS = 0xc0000035, ABSENT = 0xc0000034, NO_PATH = 0xc000003a, BAD_NAME = 0xc0000033 };

static OBJECT_ATTRIBUTES *named(HANDLE root, const WCHAR *name)
{
    static OBJECT_ATTRIBUTES attr;
    static UNICODE_STRING text;

    text = nt_string(name);
    InitializeObjectAttributes(&attr, &text, OBJ_CASE_INSENSITIVE, root, NULL);
    return &attr;
}

static OBJECT_ATTRIBUTES *open_if(const WCHAR *name)
{
    OBJECT_ATTRIBUTES *attr = named(NULL, name);

    attr->Attributes |= OBJ_OPENIF;
    return attr;
}

static HANDLE new_event(HANDLE root, const WCHAR *name)
{
    HANDLE handle = NULL;

    NtCreateEvent(&handle, EVENT_ALL_ACCESS, named(root, name), 0, FALSE);
    return handle;
}

static NTSTATUS find_event(HANDLE root, const WCHAR *name)
{
    HANDLE handle;
    NTSTATUS status = NtOpenEvent(&handle, EVENT_ALL_ACCESS, named(root, name));

    if (status >= 0)
        CloseHandle(handle);
    return status;
}

static HANDLE directory(const WCHAR *name)
{
    HANDLE handle = NULL;

    NtOpenDirectoryObject(&handle, 3 /* query, traverse */, named(NULL, name));
    return handle;
}

/* ---- lists ---- */

struct entry {
    UNICODE_STRING name, type;
};

static BYTE list[65536];

/* how often a directory has an entry; NULL: all that it has */
static int times(HANDLE handle, const WCHAR *name, const WCHAR *type)
{
    struct entry *entry = (struct entry *)list;
    ULONG context = 0, size;
    int found = 0, first = TRUE;

    for (; NtQueryDirectoryObject(handle, list, sizeof(list), TRUE, first, &context, &size) == 0; first = FALSE)
        found += (!name || same_text(entry->name.Buffer, name)) && (!type || same_text(entry->type.Buffer, type));
    return found;
}

static void check_root_list(BOOL in_silo)
{
    static const struct {
        const char *title;
        const WCHAR *name, *type;
    } wanted[] = {
        {"list-devices", L"??", L"Directory"},
        {"list-dosdevices", L"DosDevices", L"SymbolicLink"},
        {"list-device", L"Device", L"Directory"},
        {"list-driver", L"Driver", L"Directory"},
        {"list-kernel", L"KernelObjects", L"Directory"},
        {"list-types", L"ObjectTypes", L"Directory"},
        {"list-nls", L"NLS", L"Directory"},
        {"list-sessions", L"Sessions", L"Directory"},
        {"list-named", L"BaseNamedObjects", L"Directory"},
        {"list-registry", L"REGISTRY", L"Key"},
    };
    HANDLE root = directory(L"\\"), event = new_event(NULL, L"\\wst-listed");

    for (size_t i = 0; i < ARRAYSIZE(wanted); i++)
        CHECK(wanted[i].title, times(root, wanted[i].name, wanted[i].type) == 1);
    CHECK("list-new", times(root, L"wst-listed", L"Event") == 1);
    if (in_silo)
        CHECK("list-no-silos", !times(root, L"winesilo", NULL));
    CloseHandle(event);
    CHECK("list-gone", !times(root, L"wst-listed", NULL));
    CloseHandle(root);
}

/* All entries at once, which Wine 8 can't give; buffers that are too small; starting again. */
static void check_list_sizes(const char *title, const WCHAR *name)
{
    HANDLE handle = directory(name);
    struct entry *entries = (struct entry *)list;
    ULONG context = 0, size = 0, again;
    int count = times(handle, NULL, NULL), many = 0;
    char text[80];
    NTSTATUS status;

#define TITLE(what) (snprintf(text, sizeof(text), "%s-" what, title), text)
    status = NtQueryDirectoryObject(handle, list, sizeof(list), FALSE, TRUE, &context, &size);
    if (status != (NTSTATUS)0xc0000002) {
        CHECK_STATUS(TITLE("all"), status, 0);
        while (entries[many].name.Buffer)
            many++;
        CHECK(TITLE("all-count"), many == count);
        CHECK_STATUS(TITLE("all-end"), NtQueryDirectoryObject(handle, list, sizeof(list), FALSE, FALSE, &context, &again),
                     0x8000001a);
        CHECK_STATUS(TITLE("part"), NtQueryDirectoryObject(handle, list, size - 2, FALSE, TRUE, &context, &again), 0x105);
        many = 0;
        while (entries[many].name.Buffer)
            many++;
        CHECK(TITLE("part-count"), many == count - 1);
    }
    CHECK_STATUS(TITLE("first"), NtQueryDirectoryObject(handle, list, sizeof(list), TRUE, TRUE, &context, &size), 0);
    CHECK(TITLE("first-empty-end"), !entries[1].name.Buffer && !entries[1].type.Buffer);
    context = 0;
    CHECK_STATUS(TITLE("too-small"), NtQueryDirectoryObject(handle, list, size - 2, TRUE, TRUE, &context, &again),
                 0xc0000023);
    CHECK(TITLE("too-small-needs"), again == size && context == 0);
    context = 100000;
    CHECK_STATUS(TITLE("beyond"), NtQueryDirectoryObject(handle, list, sizeof(list), TRUE, FALSE, &context, &size),
                 0x8000001a);
    CloseHandle(handle);
#undef TITLE
}

/* ---- places ---- */

static void check_place(const char *title, const WCHAR *parent)
{
    WCHAR path[128], upper[128];
    HANDLE above = directory(*parent ? parent : L"\\"), event, relative;
    char text[80];

#define TITLE(what) (snprintf(text, sizeof(text), "%s-" what, title), text)
    swprintf(path, ARRAYSIZE(path), L"%ls\\wst-place", parent);
    CHECK_STATUS(TITLE("not-there"), find_event(NULL, path), ABSENT);
    CHECK(TITLE("create"), (event = new_event(NULL, path)) != NULL);
    CHECK_NAME(TITLE("name"), event, path);
    CHECK_STATUS(TITLE("collision"), NtCreateEvent(&relative, EVENT_ALL_ACCESS, named(NULL, path), 0, 0), HAS);
    CHECK_STATUS(TITLE("exists"), NtCreateEvent(&relative, EVENT_ALL_ACCESS, open_if(path), 0, 0), 0x40000000);
    CloseHandle(relative);
    CHECK_STATUS(TITLE("open"), find_event(NULL, path), 0);
    CHECK_STATUS(TITLE("open-upper"), find_event(NULL, _wcsupr(wcscpy(upper, path))), 0);
    CHECK_STATUS(TITLE("open-relative"), find_event(above, L"wst-place"), 0);
    CHECK(TITLE("listed"), times(above, L"wst-place", L"Event") == 1);
    CloseHandle(event);
    CHECK_STATUS(TITLE("gone"), find_event(NULL, path), ABSENT);
    CHECK(TITLE("create-relative"), (event = new_event(above, L"wst-place")) != NULL);
    CHECK_NAME(TITLE("relative-name"), event, path);
    CHECK_STATUS(TITLE("relative-open"), find_event(NULL, path), 0);
    CloseHandle(event);
    CloseHandle(above);
#undef TITLE
}

static void check_directory(void)
{
    HANDLE made = NULL, inner = NULL, event, again;

    CHECK_STATUS("directory-create", NtCreateDirectoryObject(&made, 0xf000f, named(NULL, L"\\wst-directory")), 0);
    CHECK_NAME("directory-name", made, L"\\wst-directory");
    CHECK_STATUS("directory-inner", NtCreateDirectoryObject(&inner, 0xf000f, named(made, L"inner")), 0);
    CHECK("directory-event", (event = new_event(inner, L"event")) != NULL);
    CHECK_NAME("directory-event-name", event, L"\\wst-directory\\inner\\event");
    CHECK_STATUS("directory-open", find_event(NULL, L"\\wst-directory\\inner\\event"), 0);
    CHECK("directory-list", times(inner, L"event", L"Event") == 1 && times(inner, NULL, NULL) == 1);
    CHECK_STATUS("directory-exists", NtCreateDirectoryObject(&again, 0xf000f, named(NULL, L"\\wst-directory")), HAS);
    CHECK_STATUS("directory-of-system", NtCreateDirectoryObject(&again, 0xf000f, named(NULL, L"\\KernelObjects")), HAS);
    CHECK_STATUS("directory-no-parent", NtCreateDirectoryObject(&again, 0xf000f, named(NULL, L"\\wst-none\\x")), NO_PATH);
    CloseHandle(event);
    CloseHandle(inner);
    CloseHandle(made);
}

static void check_system_names(void)
{
    static const WCHAR memory[] = L"\\KernelObjects\\LowMemoryCondition";
    HANDLE handle, link, kernel = directory(L"\\KernelObjects");
    UNICODE_STRING target = nt_string(memory);

    CHECK_STATUS("system-open", find_event(NULL, memory), 0);
    CHECK_STATUS("system-open-relative", find_event(kernel, L"LowMemoryCondition"), 0);
    CHECK_STATUS("system-collision", NtCreateEvent(&handle, EVENT_ALL_ACCESS, named(NULL, memory), 0, FALSE), HAS);
    CHECK_STATUS("system-exists", NtCreateEvent(&handle, EVENT_ALL_ACCESS, open_if(memory), 0, FALSE), 0x40000000);
    CHECK_NAME("system-name", handle, memory);
    CloseHandle(handle);
    CHECK_STATUS("system-type", NtCreateMutant(&handle, MUTEX_ALL_ACCESS, open_if(memory), FALSE), 0xc0000024);
    CHECK("system-listed", times(kernel, L"LowMemoryCondition", L"Event") == 1);
    CHECK_NAME("system-directory-name", kernel, L"\\KernelObjects");
    CHECK_STATUS("system-below", NtCreateMutant(&handle, MUTEX_ALL_ACCESS, named(NULL, L"\\??\\PIPE\\wst"), FALSE), 0xc0000024);
    CHECK_STATUS("link-to-system", NtCreateSymbolicLinkObject(&link, 0xf0001, named(NULL, L"\\wst-link"), &target), 0);
    CHECK_STATUS("link-to-system-open", find_event(NULL, L"\\wst-link"), 0);
    CHECK_NAME("link-name", link, L"\\wst-link");
    CloseHandle(link);
    CloseHandle(kernel);
}

static void check_other_types(void)
{
    HANDLE handle = NULL, again;

    CHECK_STATUS("keyed-create", NtCreateKeyedEvent(&handle, 0xf0003, named(NULL, L"\\BaseNamedObjects\\wst-k"), 0), 0);
    CHECK_NAME("keyed-name", handle, L"\\BaseNamedObjects\\wst-k");
    CHECK_STATUS("keyed-open", NtOpenKeyedEvent(&again, 0xf0003, named(NULL, L"\\BaseNamedObjects\\wst-k")), 0);
    CloseHandle(again);
    CloseHandle(handle);
    CHECK_STATUS("completion-create", NtCreateIoCompletion(&handle, 0x1f0003, named(NULL, L"\\BaseNamedObjects\\wst-c"), 0), 0);
    CHECK_NAME("completion-name", handle, L"\\BaseNamedObjects\\wst-c");
    CHECK_STATUS("completion-open", NtOpenIoCompletion(&again, 0x1f0003, named(NULL, L"\\BaseNamedObjects\\wst-c")), 0);
    CloseHandle(again);
    CloseHandle(handle);
    CHECK_STATUS("debug-create", NtCreateDebugObject(&handle, 0x1f000f, named(NULL, L"\\BaseNamedObjects\\wst-d"), 0), 0);
    CHECK_NAME("debug-name", handle, L"\\BaseNamedObjects\\wst-d");
    CHECK_STATUS("debug-collision", NtCreateDebugObject(&again, 0x1f000f, named(NULL, L"\\BaseNamedObjects\\wst-d"), 0), HAS);
    CloseHandle(handle);
}

/* ---- handles ---- */

static const WCHAR *type_of(HANDLE handle)
{
    static union {
        UNICODE_STRING name;
        BYTE bytes[512];
    } info;

    return NtQueryObject(handle, (OBJECT_INFORMATION_CLASS)2, &info, sizeof(info), NULL) < 0 ? L"?" : info.name.Buffer;
}

static ULONG access_of(HANDLE handle)
{
    ULONG info[14] = {0}; /* OBJECT_BASIC_INFORMATION: attributes, access, ... */

    return NtQueryObject(handle, (OBJECT_INFORMATION_CLASS)0, info, sizeof(info), NULL) < 0 ? 0 : info[1];
}

static void check_handles(void)
{
    HANDLE self = GetCurrentProcess(), root = directory(L"\\"), copy = NULL, event, file;
    DWORD flags = 0;
    HKEY key;

    CHECK("duplicate-root", DuplicateHandle(self, root, self, &copy, 0, TRUE, DUPLICATE_SAME_ACCESS));
    CHECK("duplicate-used", (event = new_event(copy, L"BaseNamedObjects\\wst-dup")) != NULL);
    CHECK_NAME("duplicate-name", event, L"\\BaseNamedObjects\\wst-dup");
    CHECK_STATUS("duplicate-found", find_event(NULL, L"\\BaseNamedObjects\\wst-dup"), 0);
    CHECK("duplicate-list", times(copy, L"BaseNamedObjects", L"Directory") == 1);
    CHECK("duplicate-inherited", GetHandleInformation(copy, &flags) && flags == HANDLE_FLAG_INHERIT);
    CHECK("type-event", same_text(type_of(event), L"Event"));
    CHECK("type-directory", same_text(type_of(copy), L"Directory"));
    CHECK("access-directory", access_of(copy) == 3);
    CloseHandle(event);
    CloseHandle(copy);
    CloseHandle(root);

    CHECK("key-open", !RegCreateKeyExW(HKEY_LOCAL_MACHINE, L"Software\\Microsoft\\Windows", 0, NULL, 0, KEY_ALL_ACCESS,
                                       NULL, &key, NULL));
    CHECK("key-inherit", SetHandleInformation(key, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT));
    CHECK("key-write", !RegSetValueExW(key, L"wst-names", 0, REG_SZ, (BYTE *)L"x", 4));
    CHECK("key-flags", GetHandleInformation(key, &flags) && flags == HANDLE_FLAG_INHERIT);
    CHECK("key-type", same_text(type_of(key), L"Key"));
    CHECK("key-access", access_of(key) == KEY_ALL_ACCESS);
    CHECK_NAME("key-name", (HANDLE)key, L"\\REGISTRY\\MACHINE\\Software\\Microsoft\\Windows");
    RegDeleteValueW(key, L"wst-names");
    RegCloseKey(key);

    file = CreateFileW(L"C:\\windows\\win.ini", GENERIC_READ, 7, NULL, OPEN_EXISTING, 0, NULL);
    CHECK("file-type", same_text(type_of(file), L"File"));
    CHECK_NAME("file-name", file, L"\\??\\C:\\windows\\win.ini");
    CloseHandle(file);
}

/* ---- long names ---- */

static WCHAR long_text[LONGEST + 2];

/* start and then so many letters that it is n characters in all */
static const WCHAR *long_name(const WCHAR *start, size_t n)
{
    wcscpy(long_text, start);
    for (size_t i = wcslen(start); i < n; i++)
        long_text[i] = L'a' + i % 23;
    long_text[n] = 0;
    return long_text;
}

static void check_long_objects(void)
{
    static const WCHAR start[] = L"\\BaseNamedObjects\\";
    static BYTE info[sizeof(UNICODE_STRING) + 2 * (LONGEST + 2)];
    HANDLE event, base = directory(L"\\BaseNamedObjects"), more = NULL;
    const WCHAR *name = long_name(start, LONGEST), *shown;

    CHECK("long-event", (event = new_event(NULL, name)) != NULL);
    CHECK_STATUS("long-event-open", find_event(NULL, name), 0);
    CHECK_STATUS("long-event-relative", find_event(base, name + wcslen(start)), 0);
    shown = NtQueryObject(event, (OBJECT_INFORMATION_CLASS)1, info, sizeof(info), NULL) < 0 ? L"" : ((UNICODE_STRING *)info)->Buffer;
    CHECK("long-event-name", !wcscmp(shown, name));
    long_text[LONGEST - 1] ^= 1;
    CHECK_STATUS("long-event-other", find_event(NULL, name), ABSENT);
    CHECK_STATUS("long-event-too-long", NtCreateEvent(&more, EVENT_ALL_ACCESS, named(NULL, long_name(start, LONGEST + 1)), 0, 0), BAD_NAME);
    CloseHandle(event);
    CloseHandle(base);
}

static NTSTATUS new_pipe(const WCHAR *name, HANDLE *handle)
{
    LARGE_INTEGER timeout = {.QuadPart = -10000000};
    IO_STATUS_BLOCK io;

    return NtCreateNamedPipeFile(handle, GENERIC_READ | GENERIC_WRITE | SYNCHRONIZE, named(NULL, name), &io, 3, FILE_CREATE,
                                 FILE_SYNCHRONOUS_IO_NONALERT, 0, 0, 0, 1, 256, 256, &timeout);
}

static NTSTATUS dial(const WCHAR *name)
{
    IO_STATUS_BLOCK io;
    HANDLE handle;
    NTSTATUS status = NtOpenFile(&handle, GENERIC_READ | SYNCHRONIZE, named(NULL, name), &io, 3, FILE_SYNCHRONOUS_IO_NONALERT);

    if (status >= 0)
        CloseHandle(handle);
    return status;
}

static void check_long_pipe(const char *title, size_t n)
{
    static struct {
        ULONG bytes;
        WCHAR text[LONGEST + 2];
    } shown;
    const WCHAR *name = long_name(L"\\??\\pipe\\", n);
    HANDLE pipe = NULL;
    IO_STATUS_BLOCK io;
    char text[80];

#define TITLE(what) (snprintf(text, sizeof(text), "%s-" what, title), text)
    CHECK_STATUS(TITLE("create"), new_pipe(name, &pipe), 0);
    CHECK_STATUS(TITLE("read-back"), NtQueryInformationFile(pipe, &io, &shown, sizeof(shown), (FILE_INFORMATION_CLASS)9), 0);
    CHECK(TITLE("bytes"), shown.bytes == (n - 8) * sizeof(WCHAR));
    CHECK(TITLE("name"), shown.text[0] == '\\' && !memcmp(shown.text + 1, name + 9, (n - 9) * sizeof(WCHAR)));
    long_text[n - 1] ^= 1;
    CHECK_STATUS(TITLE("other"), dial(name), ABSENT);
    long_text[n - 1] ^= 1;
    CHECK_STATUS(TITLE("open"), dial(name), 0);
    CloseHandle(pipe);
    CHECK_STATUS(TITLE("gone"), dial(name), ABSENT);
#undef TITLE
}

static void check_long_files(void)
{
    LARGE_INTEGER forever = {.QuadPart = -1};
    IO_STATUS_BLOCK io;
    HANDLE slot = NULL;

    check_long_pipe("long-pipe", LONGEST);
    check_long_pipe("pipe-31990", 31990);
    check_long_pipe("pipe-32100", 32100);
    CHECK_STATUS("long-pipe-too-long", new_pipe(long_name(L"\\??\\pipe\\", LONGEST + 1), &slot), BAD_NAME);
    CHECK_STATUS("long-slot-create",
                 NtCreateMailslotFile(&slot, GENERIC_READ | SYNCHRONIZE, named(NULL, long_name(L"\\??\\mailslot\\", LONGEST)),
                                      &io, 0, 0, 0, &forever), 0);
    CHECK_STATUS("long-slot-again",
                 NtCreateMailslotFile(&(HANDLE){NULL}, GENERIC_READ | SYNCHRONIZE, named(NULL, long_text), &io, 0, 0, 0,
                                      &forever), HAS);
    CloseHandle(slot);
}

/* ---- a child's handles ---- */

static NTSTATUS open_file(HANDLE root, const WCHAR *name, HANDLE *handle)
{
    IO_STATUS_BLOCK io;

    return NtOpenFile(handle, GENERIC_READ | SYNCHRONIZE, named(root, name), &io, 3, FILE_SYNCHRONOUS_IO_NONALERT);
}

/* Names relative to handles that were inherited: of the root of pipes, of the root of objects. The exit code says
 * what is there. */
static int run_heir(HANDLE pipes, HANDLE root)
{
    HANDLE pipe;

    return (open_file(pipes, L"wst-heir", &pipe) >= 0) | (find_event(root, L"BaseNamedObjects\\wst-heir") >= 0) << 1;
}

static void check_inherited(void)
{
    SECURITY_ATTRIBUTES inherit = {sizeof(inherit), NULL, TRUE};
    PROCESS_INFORMATION child;
    STARTUPINFOW startup = {.cb = sizeof(startup)};
    HANDLE event = new_event(NULL, L"\\BaseNamedObjects\\wst-heir"), root = directory(L"\\"), pipe = NULL, pipes = NULL;
    WCHAR path[MAX_PATH], command[MAX_PATH + 64];
    HANDLE client;
    DWORD code = 99;
    BOOL found;

    CHECK_STATUS("heir-pipe", new_pipe(L"\\??\\pipe\\wst-heir", &pipe), 0);
    CHECK_STATUS("heir-root-of-pipes", open_file(NULL, L"\\??\\pipe\\", &pipes), 0);
    if ((found = open_file(pipes, L"wst-heir", &client) >= 0)) { /* the only instance: make another one */
        CloseHandle(client);
        CloseHandle(pipe);
        CHECK_STATUS("heir-pipe-again", new_pipe(L"\\??\\pipe\\wst-heir", &pipe), 0);
    }
    SetHandleInformation(pipes, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
    SetHandleInformation(root, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
    GetModuleFileNameW(NULL, path, ARRAYSIZE(path));
    swprintf(command, ARRAYSIZE(command), L"\"%ls\" heir %u %u", path, (UINT)(UINT_PTR)pipes, (UINT)(UINT_PTR)root);
    if (CHECK("heir-start", CreateProcessW(path, command, &inherit, &inherit, TRUE, 0, NULL, NULL, &startup, &child))) {
        WaitForSingleObject(child.hProcess, 30000);
        GetExitCodeProcess(child.hProcess, &code);
        CloseHandle(child.hProcess);
        CloseHandle(child.hThread);
    }
    /* Wine 8 knows no names relative to the root of pipes: a child finds what its parent finds */
    CHECK("heir-pipe-found", code != 99 && (code & 1) == (DWORD)found);
    CHECK("heir-event-found", code != 99 && (code & 2));
    CloseHandle(pipe);
    CloseHandle(pipes);
    CloseHandle(event);
    CloseHandle(root);
}

static int run_checks(BOOL in_silo)
{
    check_root_list(in_silo);
    check_list_sizes("sizes-root", L"\\");
    check_list_sizes("sizes-devices", L"\\??");
    check_list_sizes("sizes-named", L"\\BaseNamedObjects");
    check_place("root", L"");
    check_place("kernel", L"\\KernelObjects");
    check_place("device", L"\\Device");
    check_place("devices", L"\\??");
    check_place("sessions", L"\\Sessions");
    check_directory();
    check_system_names();
    check_other_types();
    check_handles();
    check_inherited();
    check_long_objects();
    check_long_files();
    return finish();
}

/* ---- two silos ---- */

static const struct {
    const char *title;
    const WCHAR *start;
} places[] = {
    {"root", L"\\"},
    {"kernel objects", L"\\KernelObjects\\"},
    {"device", L"\\Device\\"},
    {"device names", L"\\??\\"},
    {"sessions", L"\\Sessions\\1\\"},
};

static const WCHAR *path_of(size_t i, const WCHAR *name)
{
    static WCHAR path[256];

    swprintf(path, ARRAYSIZE(path), L"%ls%ls", places[i].start, name);
    return path;
}

static int run_hold(const WCHAR *name)
{
    HANDLE pipe;

    for (size_t i = 0; i < ARRAYSIZE(places); i++)
        if (!new_event(NULL, path_of(i, name)))
            printf("not ok %s\n", places[i].title);
    if (!new_event(NULL, long_name(L"\\BaseNamedObjects\\", LONGEST)) || new_pipe(long_name(L"\\??\\pipe\\", LONGEST), &pipe))
        printf("not ok long names\n");
    hold();
    return 0;
}

static int run_probe(const WCHAR *name)
{
    for (size_t i = 0; i < ARRAYSIZE(places); i++)
        printf("%s %s\n", find_event(NULL, path_of(i, name)) >= 0 ? "found" : "absent", places[i].title);
    printf("%s long event\n", find_event(NULL, long_name(L"\\BaseNamedObjects\\", LONGEST)) >= 0 ? "found" : "absent");
    printf("%s long pipe\n", dial(long_name(L"\\??\\pipe\\", LONGEST)) >= 0 ? "found" : "absent");
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && (!strcmp(argv[1], "host") || !strcmp(argv[1], "silo")))
        return run_checks(!strcmp(argv[1], "silo"));
    if (argc == 4 && !strcmp(argv[1], "heir"))
        return run_heir((HANDLE)(UINT_PTR)strtoul(argv[2], NULL, 10), (HANDLE)(UINT_PTR)strtoul(argv[3], NULL, 10));
    if (argc == 3 && !strcmp(argv[1], "hold"))
        return run_hold(wide(argv[2]));
    if (argc == 3 && !strcmp(argv[1], "probe"))
        return run_probe(wide(argv[2]));
    usage("names host|silo | hold NAME | probe NAME");
}
