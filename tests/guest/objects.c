/* Named objects: events, mutexes, semaphores, sections, timers, jobs; directories and links.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   objects host|silo     checks
 *   objects hold NAME     make objects called NAME in Local\ and Global\, say ready, wait
 *   objects probe NAME    print `found KIND PREFIX` or `absent KIND PREFIX` for each of them
 *   objects leave NAME    make permanent objects called NAME, in directories in directories, and a permanent pipe
 *   objects left NAME     print `found KIND` or `absent KIND` for each kind of them
 *   objects list DIRECTORY  print the names in a directory */

#include "check.h"

NTSYSAPI NTSTATUS NTAPI NtCreateEvent(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, ULONG, BOOLEAN);
NTSYSAPI NTSTATUS NTAPI NtOpenDirectoryObject(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *);
NTSYSAPI NTSTATUS NTAPI NtQueryDirectoryObject(HANDLE, void *, ULONG, BOOLEAN, BOOLEAN, ULONG *, ULONG *);
NTSYSAPI NTSTATUS NTAPI NtOpenSymbolicLinkObject(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *);
NTSYSAPI NTSTATUS NTAPI NtQuerySymbolicLinkObject(HANDLE, UNICODE_STRING *, ULONG *);
NTSYSAPI NTSTATUS NTAPI NtMakeTemporaryObject(HANDLE);

#define LOCAL_ROOT L"\\Sessions\\1\\BaseNamedObjects"
#define GLOBAL_ROOT L"\\BaseNamedObjects"

static HANDLE make_event(const WCHAR *name) { return CreateEventW(NULL, TRUE, FALSE, name); }
static HANDLE make_mutex(const WCHAR *name) { return CreateMutexW(NULL, FALSE, name); }
static HANDLE make_semaphore(const WCHAR *name) { return CreateSemaphoreW(NULL, 1, 2, name); }
static HANDLE make_timer(const WCHAR *name) { return CreateWaitableTimerW(NULL, TRUE, name); }
static HANDLE make_job(const WCHAR *name) { return CreateJobObjectW(NULL, name); }
static HANDLE make_section(const WCHAR *name)
{
    return CreateFileMappingW(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 4096, name);
}

static HANDLE get_event(const WCHAR *name) { return OpenEventW(EVENT_ALL_ACCESS, FALSE, name); }
static HANDLE get_mutex(const WCHAR *name) { return OpenMutexW(MUTEX_ALL_ACCESS, FALSE, name); }
static HANDLE get_semaphore(const WCHAR *name) { return OpenSemaphoreW(SEMAPHORE_ALL_ACCESS, FALSE, name); }
static HANDLE get_timer(const WCHAR *name) { return OpenWaitableTimerW(TIMER_ALL_ACCESS, FALSE, name); }
static HANDLE get_job(const WCHAR *name) { return OpenJobObjectW(JOB_OBJECT_ALL_ACCESS, FALSE, name); }
static HANDLE get_section(const WCHAR *name) { return OpenFileMappingW(FILE_MAP_WRITE, FALSE, name); }

static const struct kind {
    const char *name;
    HANDLE (*create)(const WCHAR *name);
    HANDLE (*open)(const WCHAR *name);
} kinds[] = {
    {"event", make_event, get_event},          {"mutex", make_mutex, get_mutex},
    {"semaphore", make_semaphore, get_semaphore}, {"timer", make_timer, get_timer},
    {"job", make_job, get_job},                {"section", make_section, get_section},
};

static const WCHAR *const prefixes[] = {L"Local\\", L"Global\\"};

static const WCHAR *joined(const WCHAR *a, const WCHAR *b, const WCHAR *c)
{
    static WCHAR text[512];

    swprintf(text, 512, L"%ls%ls%ls", a, b, c);
    return text;
}

/* PREFIX KIND-NAME: one name per kind, because all kinds share a name space. */
static const WCHAR *object_of(const WCHAR *prefix, const WCHAR *kind, const WCHAR *name)
{
    static WCHAR text[512];

    swprintf(text, 512, L"%ls%ls-%ls", prefix, kind, name);
    return text;
}

static void close(HANDLE handle)
{
    if (handle)
        CloseHandle(handle);
}

static BOOL can_open(const struct kind *kind, const WCHAR *name)
{
    HANDLE handle = kind->open(name);
    DWORD error = GetLastError();

    close(handle);
    SetLastError(error);
    return handle != NULL;
}

/* One kind of object through every way to write its name. */
static void check_kind(const struct kind *kind)
{
    WCHAR *name = wide(kind->name);
    char title[80];
    HANDLE local, global, again;

#define TITLE(text) (snprintf(title, sizeof(title), "%s-" text, kind->name), title)
    local = kind->create(joined(L"wst-", name, L""));
    CHECK(TITLE("create"), local != NULL);
    CHECK_NAME(TITLE("name"), local, joined(LOCAL_ROOT L"\\wst-", name, L""));
    CHECK(TITLE("open-plain"), can_open(kind, joined(L"wst-", name, L"")));
    CHECK(TITLE("open-local"), can_open(kind, joined(L"Local\\wst-", name, L"")));
    CHECK(TITLE("open-session"), can_open(kind, joined(L"Session\\1\\wst-", name, L"")));
    CHECK_ERROR(TITLE("not-global"), !can_open(kind, joined(L"Global\\wst-", name, L"")),
                ERROR_FILE_NOT_FOUND);
    global = kind->create(joined(L"Global\\wst-", name, L""));
    CHECK(TITLE("create-global"), global && GetLastError() != ERROR_ALREADY_EXISTS);
    CHECK_NAME(TITLE("global-name"), global, joined(GLOBAL_ROOT L"\\wst-", name, L""));
    CHECK(TITLE("open-session-0"), can_open(kind, joined(L"Session\\0\\wst-", name, L"")));
    CHECK_ERROR(TITLE("exists"), !(again = kind->create(joined(L"Local\\wst-", name, L""))) || TRUE,
                ERROR_ALREADY_EXISTS);
    close(again);
    close(local);
    CHECK_ERROR(TITLE("gone"), !can_open(kind, joined(L"wst-", name, L"")), ERROR_FILE_NOT_FOUND);
    close(global);
#undef TITLE
    free(name);
}

static void check_sharing(void)
{
    HANDLE a = make_event(L"Global\\wst-shared"), b = get_event(L"Global\\wst-shared");
    HANDLE one = make_section(L"wst-memory"), two = get_section(L"Local\\wst-memory");
    HANDLE mutex = make_mutex(L"wst-type");
    int *first = MapViewOfFile(one, FILE_MAP_WRITE, 0, 0, 0);
    int *second = MapViewOfFile(two, FILE_MAP_WRITE, 0, 0, 0);

    SetEvent(a);
    CHECK("event-same-object", WaitForSingleObject(b, 0) == WAIT_OBJECT_0);
    if (CHECK("section-map", first && second)) {
        *first = 12345;
        CHECK("section-same-memory", *second == 12345);
    }
    CHECK_ERROR("wrong-type", !make_event(L"wst-type"), ERROR_INVALID_HANDLE);
    CHECK_ERROR("bad-path", !make_event(L"wst-no-directory\\x"), ERROR_PATH_NOT_FOUND);
    CHECK_ERROR("bad-session", !make_event(L"Session\\77\\x"), ERROR_PATH_NOT_FOUND);
    close(a), close(b), close(one), close(two), close(mutex);
}

static NTSTATUS nt_event(HANDLE root, const WCHAR *name, HANDLE *handle)
{
    UNICODE_STRING text = nt_string(name);
    OBJECT_ATTRIBUTES attr;

    InitializeObjectAttributes(&attr, &text, OBJ_CASE_INSENSITIVE, root, NULL);
    return NtCreateEvent(handle, EVENT_ALL_ACCESS, &attr, 0, FALSE);
}

static NTSTATUS open_directory(const WCHAR *name, HANDLE *handle)
{
    UNICODE_STRING text = nt_string(name);
    OBJECT_ATTRIBUTES attr;

    InitializeObjectAttributes(&attr, &text, OBJ_CASE_INSENSITIVE, NULL, NULL);
    return NtOpenDirectoryObject(handle, 3 /* query, traverse */, &attr);
}

/* Look for a name in a directory; counts the entries. */
static BOOL listed(HANDLE directory, const WCHAR *name, const WCHAR *type, int *count)
{
    struct {
        UNICODE_STRING name, type;
        WCHAR text[512];
    } entry;
    BOOL found = FALSE;
    ULONG context = 0, size;

    for (*count = 0; NtQueryDirectoryObject(directory, &entry, sizeof(entry), TRUE, !*count, &context,
                                            &size) >= 0; ++*count)
        if (same_text(entry.name.Buffer, name) && same_text(entry.type.Buffer, type))
            found = TRUE;
    return found;
}

static void check_directories(void)
{
    HANDLE local, global, event, relative, absolute;
    int count;

    CHECK_STATUS("directory-open-local", open_directory(LOCAL_ROOT, &local), 0);
    CHECK_STATUS("directory-open-global", open_directory(GLOBAL_ROOT, &global), 0);
    CHECK_NAME("directory-local-name", local, LOCAL_ROOT);
    CHECK_NAME("directory-global-name", global, GLOBAL_ROOT);
    event = make_event(L"wst-listed");
    CHECK("directory-lists", listed(local, L"wst-listed", L"Event", &count));
    CHECK("directory-lists-links", listed(local, L"Global", L"SymbolicLink", &count));
    CHECK("directory-lists-its-own", !listed(global, L"wst-listed", L"Event", &count));
    CHECK_STATUS("relative-create", nt_event(global, L"wst-relative", &relative), 0);
    CHECK_NAME("relative-name", relative, GLOBAL_ROOT L"\\wst-relative");
    CHECK("relative-open", can_open(&kinds[0], L"Global\\wst-relative"));
    CHECK_STATUS("absolute-create", nt_event(NULL, GLOBAL_ROOT L"\\wst-absolute", &absolute), 0);
    CHECK("absolute-open", can_open(&kinds[0], L"Global\\wst-absolute"));
    CloseHandle(absolute);
    CHECK_STATUS("absolute-case", nt_event(NULL, L"\\basenamedobjects\\wst-absolute", &absolute), 0);
    CHECK_NAME("absolute-name", absolute, GLOBAL_ROOT L"\\wst-absolute");
    CHECK_STATUS("directory-missing", open_directory(L"\\wst-none", &event), 0xC0000034);
    close(local), close(global), close(relative), close(absolute);
}

static void check_link(const char *title, const WCHAR *name, const WCHAR *wanted)
{
    WCHAR target[512] = L"";
    UNICODE_STRING text = nt_string(name), out = {0, sizeof(target) - sizeof(WCHAR), target};
    OBJECT_ATTRIBUTES attr;
    HANDLE link;
    NTSTATUS status;

    InitializeObjectAttributes(&attr, &text, OBJ_CASE_INSENSITIVE, NULL, NULL);
    status = NtOpenSymbolicLinkObject(&link, 1 /* query */, &attr);
    if (status >= 0) {
        status = NtQuerySymbolicLinkObject(link, &out, NULL);
        target[out.Length / sizeof(WCHAR)] = 0;
        CloseHandle(link);
    }
    check(status >= 0 && same_text(target, wanted), title, "status %08lx, target %ls, not %ls", (ULONG)status,
          target, wanted);
}

/* By way of directories above, and of GLOBALROOT, one comes to the same objects. */
static void check_roundabout(void)
{
    static const struct {
        const char *title;
        const WCHAR *directory, *relative, *found_as;
    } ways[] = {
        {"root", L"\\", L"BaseNamedObjects\\wst-roundabout-a", L"Global\\wst-roundabout-a"},
        {"sessions", L"\\Sessions", L"1\\BaseNamedObjects\\wst-roundabout-b", L"Local\\wst-roundabout-b"},
        {"globalroot", L"\\??", L"GLOBALROOT\\BaseNamedObjects\\wst-roundabout-c", L"Global\\wst-roundabout-c"},
    };

    for (size_t i = 0; i < ARRAYSIZE(ways); i++) {
        OBJECT_ATTRIBUTES attr;
        UNICODE_STRING name;
        HANDLE directory, event;
        char title[80];

        RtlInitUnicodeString(&name, ways[i].directory);
        InitializeObjectAttributes(&attr, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
        snprintf(title, sizeof(title), "roundabout-%s-directory", ways[i].title);
        CHECK_STATUS(title, NtOpenDirectoryObject(&directory, 3, &attr), 0);
        RtlInitUnicodeString(&name, ways[i].relative);
        InitializeObjectAttributes(&attr, &name, OBJ_CASE_INSENSITIVE, directory, NULL);
        snprintf(title, sizeof(title), "roundabout-%s-create", ways[i].title);
        CHECK_STATUS(title, NtCreateEvent(&event, EVENT_ALL_ACCESS, &attr, 0, FALSE), 0);
        snprintf(title, sizeof(title), "roundabout-%s-found", ways[i].title);
        CHECK(title, can_open(&kinds[0], ways[i].found_as));
        close(event);
        close(directory);
    }
}

/* Wine's own DUPLICATE_MAKE_GLOBAL: a handle for all processes, and a crash of its server where more access is asked for. */
static void check_no_global_handles(void)
{
    const DWORD make_global = 0x80000000;
    HANDLE event = CreateEventW(NULL, FALSE, FALSE, NULL), weak, made = NULL;

    CHECK("global-weak", DuplicateHandle(GetCurrentProcess(), event, GetCurrentProcess(), &weak, SYNCHRONIZE, FALSE, 0));
    CHECK("global-handle", DuplicateHandle(GetCurrentProcess(), weak, GetCurrentProcess(), &made, EVENT_ALL_ACCESS, FALSE,
                                           make_global));
    CHECK("global-is-not", (ULONG_PTR)made < 0x10000 && SetEvent(made));
    CHECK("global-close", CloseHandle(made));
    close(weak);
    close(event);
}

static int run_checks(BOOL in_silo)
{
    for (size_t i = 0; i < ARRAYSIZE(kinds); i++)
        check_kind(&kinds[i]);
    check_sharing();
    check_directories();
    check_link("link-global", LOCAL_ROOT L"\\Global", GLOBAL_ROOT);
    check_link("link-local", LOCAL_ROOT L"\\Local", LOCAL_ROOT);
    check_link("link-session", LOCAL_ROOT L"\\Session", L"\\Sessions\\BNOLINKS");
    check_link("link-session-1", L"\\Sessions\\BNOLINKS\\1", LOCAL_ROOT);
    check_roundabout();
    if (in_silo) check_no_global_handles(); /* elsewhere it ends the server */
    return finish();
}

static int run_hold(const WCHAR *name)
{
    for (size_t i = 0; i < ARRAYSIZE(kinds); i++)
        for (size_t j = 0; j < ARRAYSIZE(prefixes); j++) {
            WCHAR *kind = wide(kinds[i].name);

            if (!kinds[i].create(object_of(prefixes[j], kind, name)))
                printf("not ok %s: error %lu\n", kinds[i].name, GetLastError());
            free(kind);
        }
    hold();
    return 0;
}

/* ---- what outlives the programs that made it ---- */

#define PERMANENT_ROOT L"\\BaseNamedObjects"
enum { PERMANENT = 0x10, DEEP = 90, LONG_NAME = 20000 };

NTSYSAPI NTSTATUS NTAPI NtCreateDirectoryObject(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *);
NTSYSAPI NTSTATUS NTAPI NtCreateDebugObject(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, ULONG);
NTSYSAPI NTSTATUS NTAPI NtCreateMutant(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, BOOLEAN);
NTSYSAPI NTSTATUS NTAPI NtOpenEvent(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *);
NTSYSAPI NTSTATUS NTAPI NtOpenMutant(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *);
NTSYSAPI NTSTATUS NTAPI NtCreateNamedPipeFile(HANDLE *, ULONG, OBJECT_ATTRIBUTES *, IO_STATUS_BLOCK *, ULONG, ULONG, ULONG, ULONG,
                                              ULONG, ULONG, ULONG, ULONG, ULONG, LARGE_INTEGER *);

static NTSTATUS event_in(HANDLE root, const WCHAR *name, ULONG attributes, BOOL create)
{
    UNICODE_STRING us = nt_string(name);
    OBJECT_ATTRIBUTES attr;
    HANDLE event = NULL;
    NTSTATUS status;

    InitializeObjectAttributes(&attr, &us, OBJ_CASE_INSENSITIVE | attributes, root, NULL);
    status = create ? NtCreateEvent(&event, EVENT_ALL_ACCESS, &attr, 0, FALSE) : NtOpenEvent(&event, EVENT_ALL_ACCESS, &attr);
    close(event);
    return status;
}

static const WCHAR *long_name(const WCHAR *name)
{
    static WCHAR text[LONG_NAME + 1];
    size_t n = (size_t)swprintf(text, LONG_NAME, L"%ls\\%ls-", PERMANENT_ROOT, name);

    wmemset(text + n, L'x', LONG_NAME - n);
    return text;
}

static NTSTATUS directories_in(const WCHAR *name, BOOL create)
{
    const WCHAR *path = joined(PERMANENT_ROOT L"\\", name, L"-directory");
    UNICODE_STRING us = nt_string(path);
    OBJECT_ATTRIBUTES attr;
    HANDLE outer = NULL, inner;
    NTSTATUS status = 0;
    int i;

    for (i = 0; i < DEEP && !status; i++) {
        InitializeObjectAttributes(&attr, &us, OBJ_CASE_INSENSITIVE | (create ? PERMANENT : 0), outer, NULL);
        status = create ? NtCreateDirectoryObject(&inner, 0xf000f, &attr) : NtOpenDirectoryObject(&inner, 3, &attr);
        if (status) break;
        if (create && i) event_in(inner, L"beside", PERMANENT, TRUE);
        close(outer);
        outer = inner;
        us = nt_string(L"middle");
    }
    if (!status) status = event_in(outer, L"innermost", PERMANENT, create);
    close(outer);
    return status;
}

static NTSTATUS debug_object(const WCHAR *name, BOOL create)
{
    UNICODE_STRING us = nt_string(joined(PERMANENT_ROOT L"\\", name, L"-debug"));
    OBJECT_ATTRIBUTES attr;
    HANDLE handle = NULL;
    NTSTATUS status;

    InitializeObjectAttributes(&attr, &us, OBJ_CASE_INSENSITIVE | (create ? PERMANENT : 0), NULL, NULL);
    status = NtCreateDebugObject(&handle, 0x1f000f, &attr, 0);
    close(handle);
    if (create) return status;
    return status == (NTSTATUS)0xc0000035 ? 0 : (NTSTATUS)0xc0000034; /* one may be made: there was none */
}

static NTSTATUS mutant(const WCHAR *name, BOOL create)
{
    UNICODE_STRING us = nt_string(joined(PERMANENT_ROOT L"\\", name, L"-mutant"));
    OBJECT_ATTRIBUTES attr;
    HANDLE handle = NULL;
    NTSTATUS status;

    InitializeObjectAttributes(&attr, &us, OBJ_CASE_INSENSITIVE | (create ? PERMANENT : 0), NULL, NULL);
    status = create ? NtCreateMutant(&handle, MUTEX_ALL_ACCESS, &attr, FALSE) : NtOpenMutant(&handle, MUTEX_ALL_ACCESS, &attr);
    close(handle);
    return status;
}

static NTSTATUS long_event(const WCHAR *name, BOOL create)
{
    return event_in(NULL, long_name(name), PERMANENT, create);
}

/* A pipe is a file: it ends with its last handle, permanent or not. */
static NTSTATUS pipe(const WCHAR *name, BOOL create)
{
    UNICODE_STRING us = nt_string(joined(L"\\??\\pipe\\", name, L"-pipe"));
    LARGE_INTEGER timeout = { .QuadPart = -10000 };
    OBJECT_ATTRIBUTES attr;
    IO_STATUS_BLOCK io;
    HANDLE handle = NULL;
    NTSTATUS status;

    InitializeObjectAttributes(&attr, &us, OBJ_CASE_INSENSITIVE | PERMANENT, NULL, NULL);
    if (!create) {
        if (WaitNamedPipeW(joined(L"\\\\.\\pipe\\", name, L"-pipe"), 1)) return 0;
        return GetLastError() == ERROR_FILE_NOT_FOUND ? (NTSTATUS)0xc0000034 : 0;
    }
    status = NtCreateNamedPipeFile(&handle, GENERIC_READ | SYNCHRONIZE, &attr, &io, FILE_SHARE_READ | FILE_SHARE_WRITE, 2, 0, 0, 0, 0,
                                   1, 512, 512, &timeout);
    close(handle);
    return status;
}

static const struct {
    const char *name;
    NTSTATUS (*reach)(const WCHAR *name, BOOL create);
} permanent[] = {
    { "directories", directories_in }, { "debug-object", debug_object }, { "long-name", long_event },
    { "mutant", mutant },              { "pipe", pipe },
};

static int run_left(const WCHAR *name, BOOL create)
{
    size_t i;

    for (i = 0; i < sizeof(permanent) / sizeof(permanent[0]); i++) {
        NTSTATUS status = permanent[i].reach(name, create);

        if (!status) printf("%s %s\n", create ? "made" : "found", permanent[i].name);
        else if (status == (NTSTATUS)0xc0000034 || status == (NTSTATUS)0xc000003a) printf("absent %s\n", permanent[i].name);
        else printf("error %s %lx\n", permanent[i].name, status);
    }
    return 0;
}

static int run_list(const WCHAR *directory)
{
    static BYTE buffer[0x20000];
    UNICODE_STRING us = nt_string(directory);
    OBJECT_ATTRIBUTES attr;
    ULONG index = 0, size;
    HANDLE handle;

    InitializeObjectAttributes(&attr, &us, OBJ_CASE_INSENSITIVE, NULL, NULL);
    if (NtOpenDirectoryObject(&handle, 3, &attr)) return 1;
    while (!NtQueryDirectoryObject(handle, buffer, sizeof(buffer), TRUE, FALSE, &index, &size))
        printf("%ls\n", ((UNICODE_STRING *)buffer)->Buffer);
    close(handle);
    return 0;
}

static int run_probe(const WCHAR *name)
{
    for (size_t i = 0; i < ARRAYSIZE(kinds); i++)
        for (size_t j = 0; j < ARRAYSIZE(prefixes); j++) {
            WCHAR *kind = wide(kinds[i].name);
            BOOL found = can_open(&kinds[i], object_of(prefixes[j], kind, name));

            printf("%s %s %ls\n", found ? "found" : "absent", kinds[i].name, prefixes[j]);
            free(kind);
        }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && (!strcmp(argv[1], "host") || !strcmp(argv[1], "silo")))
        return run_checks(!strcmp(argv[1], "silo"));
    if (argc == 3 && !strcmp(argv[1], "hold"))
        return run_hold(wide(argv[2]));
    if (argc == 3 && !strcmp(argv[1], "probe"))
        return run_probe(wide(argv[2]));
    if (argc == 3 && (!strcmp(argv[1], "leave") || !strcmp(argv[1], "left")))
        return run_left(wide(argv[2]), !strcmp(argv[1], "leave"));
    if (argc == 3 && !strcmp(argv[1], "list"))
        return run_list(wide(argv[2]));
    usage("objects host|silo | hold NAME | probe NAME | leave NAME | left NAME | list DIRECTORY");
}
