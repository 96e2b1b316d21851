/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Windows. A silo has window stations of its own (names.c), and with them desktops, clipboard and hooks. Handles of
 * windows and ids of threads are the wineserver's, the same for all: a call that names one of somebody else's is
 * made with one that does not exist in its place, so it fails as it fails on the host. See docs/design/windows.md. */
#define _GNU_SOURCE
#include <string.h>

#include "silo.h"
#include "teb.h"

enum {
    FIRST_USER_HANDLE = 0x20,
    NO_WINDOW = 0x7fffffee, /* the wineserver's last index, and a generation it will hardly come to */
    NO_THREAD = 0x7ffffffc,
    NO_ATOM = 0xffff,
    GWLP_HWNDPARENT = -8,
    WM_KEYFIRST = 0x100,
    WM_KEYLAST = 0x109
};

enum { CLIENT_INFO_SIZE = 62 * 8, PEB_SESSION = 0x2c0 };

/* ---- requests to the wineserver ---- */

/* As Wine's Unix side hands them over: the first 64 bytes are sent, and replaced by the reply; then what is sent and
 * received besides. */
struct request {
    union {
        struct {
            uint32_t code, size, reply_max, args[13];
        };
        struct {
            uint32_t status, reply_size, results[14];
        };
    };
    uint32_t data_count, pad;
    void *reply_data;
    uint64_t data[16];
};

/* Requests that Wine 8.0's user32 makes without a system call of win32u. Their numbers differ from version to
 * version, so win32u's own calls are made once and watched: each number is that of such a call's request, or a
 * little more. Later versions of user32 make none. */
enum { WINDOW_INFO, WINDOW_CHILDREN, WINDOW_PROPERTIES, WINDOW_HUNG, ENUM_STATIONS, REQUESTS };
static struct {
    uint32_t code; /* 0: not known */
    uint32_t window; /* which argument is one */
} requests[REQUESTS] = { [WINDOW_CHILDREN] = { 0, 1 } };
static uint32_t first_code, codes; /* the range they are in */

static __thread uint32_t *listener; /* gets the number of this thread's next request */

/* ---- whose is it? ---- */

enum ours { NOBODYS, OURS, FOREIGN };

static _Atomic uint32_t *handle_entry(uint32_t handle)
{
    unsigned int index = ((handle & 0xffff) - FIRST_USER_HANDLE) / 2;

    return (handle & 0xffff) >= FIRST_USER_HANDLE && index < SHARED_USER_HANDLES ? &shared->user_handles[index] : NULL;
}

static bool handle_is_known(uint32_t handle)
{
    _Atomic uint32_t *entry = handle_entry(handle);

    return entry && atomic_load_explicit(entry, memory_order_relaxed) == handle;
}

static W note_handle(W handle)
{
    _Atomic uint32_t *entry = handle_entry((uint32_t)handle);

    if (entry && handle) atomic_store_explicit(entry, (uint32_t)handle, memory_order_relaxed);
    return handle;
}

/* *pid is 0 for a desktop's window that no thread owns. False: no such window, as far as can be known. */
static bool window_owner(uint32_t window, uint32_t *pid)
{
    struct request r;

    if (HAS(NtUserQueryWindow)) {
        enum { WindowProcess = 0, WindowThread = 2 };
        *pid = real_NtUserQueryWindow(window, WindowThread) ? (uint32_t)real_NtUserQueryWindow(window, WindowProcess) : 0;
        return true;
    }
    if (!requests[WINDOW_INFO].code) return true;
    memset(&r, 0, sizeof(r));
    r.code = requests[WINDOW_INFO].code;
    r.args[0] = window;
    if (real_wine_server_call(&r)) return false;
    *pid = r.results[2]; /* behind the whole handle and the last active popup */
    return true;
}

/* Wine keeps the windows of the thread's desktop in the thread environment block. */
static bool in_client_info(uint32_t window)
{
    const uint32_t *info = (const uint32_t *)(teb() + TEB_CLIENT_INFO);
    size_t i;

    for (i = 0; i < CLIENT_INFO_SIZE / sizeof(*info); i++)
        if (info[i] == window) return true;
    return false;
}

static enum ours whose_window(uint32_t window)
{
    uint32_t pid = 0;

    if (!window_owner(window, &pid)) return NOBODYS;
    if (pid) return pid == teb_dword(TEB_PROCESS) || process_exists(pid) ? OURS : FOREIGN;
    if (in_client_info(window)) return OURS;
    real_NtUserFindWindowEx(0, NO_WINDOW, 0, 0, 0); /* makes Wine look the desktop's windows up */
    return in_client_info(window) ? OURS : FOREIGN;
}

static enum ours judge_window(uint32_t window)
{
    const struct last_error error = last_error_save();
    enum ours ours = whose_window(window);

    last_error_restore(error);
    /* 16 bits of a handle are as good as 32 to Wine, but say nothing about the next window in its place */
    if (ours == OURS && window >> 16 && window >> 16 != 0xffff) note_handle(window);
    if (ours == FOREIGN) {
        TRACE("window", "refused", ((struct span){ NULL, 0 }));
        audit_by_rule(AUDIT_WINDOW, RULE_WINDOW_FOREIGN, AUDIT_OPENED, &window, sizeof(window));
    }
    return ours;
}

static inline W checked_window(W handle)
{
    _Atomic uint32_t *entry = handle_entry((uint32_t)handle);

    if (!entry || atomic_load_explicit(entry, memory_order_relaxed) == (uint32_t)handle) return handle;
    return judge_window((uint32_t)handle) == FOREIGN ? NO_WINDOW : handle;
}

/* the structure to use in the place of the caller's: a copy if the window in it is a stranger's */
static W checked_in(W pointer, void *copy, size_t size, size_t offset)
{
    W handle = *(W *)(pointer + offset), checked;

    if ((checked = checked_window(handle)) == handle) return pointer;
    memcpy(copy, (void *)pointer, size);
    *(W *)((uint8_t *)copy + offset) = checked;
    return (W)copy;
}

static W checked_thread(W id)
{
    uint32_t tid = (uint32_t)id;

    if (!tid || tid == teb_dword(TEB_THREAD) || thread_is_ours(tid)) return id;
    audit_by_rule(AUDIT_THREAD, RULE_THREAD_FOREIGN, AUDIT_OPENED, &tid, sizeof(tid));
    return NO_THREAD;
}

static W checked_process(W id)
{
    uint32_t pid = (uint32_t)id;

    return !pid || pid == teb_dword(TEB_PROCESS) || process_exists(pid) ? id : NO_THREAD;
}

/* ---- the calls of the table ---- */

/* MSG begins with the window, FLASHWINFO and TRACKMOUSEEVENT have it second */
typedef struct {
    W window;
    uint32_t message;
    uint8_t rest[36];
} MSG;
typedef struct {
    uint64_t size;
    W window;
    uint64_t rest[2];
} FLASHWINFO;
typedef struct {
    uint32_t size, flags;
    W window;
    uint64_t rest;
} TRACKMOUSEEVENT;

/* Whether it names a window. A query is to be filled, whatever is in it (winuser.h). The size is looked at alone, as Wine
 * does it: where that is wrong, there may be no flags. */
static bool tracks(const TRACKMOUSEEVENT *in)
{
    enum { TME_QUERY = 0x40000000 };
    const volatile uint32_t *size = &in->size, *flags = &in->flags;

    return *size == sizeof(*in) && !(*flags & TME_QUERY);
}

#define WINDOW(a) a = checked_window(a);
#define WINDOW_IN(a, type, matters)               \
    type copy_;                                   \
    const type *in = (const type *)a;             \
    if (in && (matters)) a = checked_in(a, &copy_, sizeof(copy_), offsetof(type, window));
#define OWNER(index, a) \
    if ((int32_t)(index) == GWLP_HWNDPARENT) a = checked_window(a);
#define THREAD(a) a = checked_thread(a);
#define HOOK(a) a = !a || handle_is_known((uint32_t)a) ? a : NO_WINDOW;
#define ATOM(a) a |= atom_is_ours((uint16_t)a) ? 0 : NO_ATOM;

#define CHECKED(need, name, n, checks) \
    W hook_##name PARAMS_##n           \
    {                                  \
        checks return real_##name ARGS_##n; \
    }
#define HOOKED(need, name, n)
#define PLAIN(name, n)
#include "windows.def"
#undef CHECKED

/* some answer with the handle they were asked about */
W hook_NtUserCallHwnd(W window, W code)
{
    W used = checked_window(window), result = real_NtUserCallHwnd(used, code);

    return used != window && result == used ? window : result;
}

W hook_NtUserCreateWindowEx PARAMS_17
{
    a9 = checked_window(a9);
    return note_handle(real_NtUserCreateWindowEx ARGS_17);
}

W hook_NtUserSetWindowsHookEx PARAMS_6
{
    a2 = checked_thread(a2);
    return note_handle(real_NtUserSetWindowsHookEx ARGS_6);
}

W hook_NtUserSetWinEventHook PARAMS_8
{
    a5 = checked_process(a5);
    a6 = checked_thread(a6);
    return note_handle(real_NtUserSetWinEventHook ARGS_8);
}

/* Wine's GlobalFindAtom knows the names of classes */
W hook_NtUserRegisterClassExWOW PARAMS_7
{
    W atom = real_NtUserRegisterClassExWOW ARGS_7;

    atom_is_used((uint16_t)atom);
    return atom;
}

/* user32 asks for the names of the atoms it is told here */
W hook_NtUserBuildPropList(W window, W max, W list, W count)
{
    const struct {
        uint64_t data;
        uint16_t atom;
    } *properties = (void *)list;
    W status = real_NtUserBuildPropList(checked_window(window), max, list, count);
    ULONG i;

    for (i = 0; !status && i < *(ULONG *)count; i++) atom_is_used(properties[i].atom);
    return status;
}

/* ---- window stations ---- */

W hook_NtUserCreateWindowStation PARAMS_7
{
    struct moved m;

    a0 = (W)move_object(&m, (const OBJECT_ATTRIBUTES *)a0, "NtUserCreateWindowStation", TO_CREATE);
    if (a0 == (W)&m.attr) m.attr.Attributes &= ~OBJ_PERMANENT; /* it ends with its last handle, as in Windows */
    return real_NtUserCreateWindowStation ARGS_7;
}

W hook_NtUserOpenWindowStation PARAMS_2
{
    struct moved m;

    a0 = (W)move_object(&m, (const OBJECT_ATTRIBUTES *)a0, "NtUserOpenWindowStation", TO_OPEN);
    return real_NtUserOpenWindowStation ARGS_2;
}

/* Desktops are named below a window station, which is the silo's. */
W hook_NtUserCreateDesktopEx PARAMS_6
{
    note_relative((const OBJECT_ATTRIBUTES *)a0, AUDIT_DESKTOP, RULE_DESKTOP, TO_CREATE);
    return real_NtUserCreateDesktopEx ARGS_6;
}

W hook_NtUserOpenDesktop PARAMS_3
{
    note_relative((const OBJECT_ATTRIBUTES *)a0, AUDIT_DESKTOP, RULE_DESKTOP, TO_OPEN);
    return real_NtUserOpenDesktop ARGS_3;
}

/* OBJECT_DIRECTORY_INFORMATION */
struct directory_entry {
    UNICODE_STRING name, type;
};

static HANDLE open_stations(void)
{
    static const char below[] = "\\Sessions\\?\\Windows\\WindowStations";
    WCHAR text[96];
    UNICODE_STRING name = { 0, sizeof(text), text };
    OBJECT_ATTRIBUTES attr = { .Length = sizeof(attr), .ObjectName = &name, .Attributes = OBJ_CASE_INSENSITIVE };
    uint32_t session = *(uint32_t *)(peb_of(teb()) + PEB_SESSION);
    HANDLE handle;
    size_t i, n = names.object_root_n;

    memcpy(text, names.object_root, n * sizeof(WCHAR));
    for (i = 0; below[i]; i++) text[n++] = below[i] == '?' ? (WCHAR)('0' + session % 10) : (WCHAR)below[i];
    name.Length = (uint16_t)(n * sizeof(WCHAR));
    return real_NtOpenDirectoryObject(&handle, DIRECTORY_QUERY, &attr) ? NULL : handle;
}

/* The station at *index of the silo's directory or behind it; *index is then the one after it. Uses buffer. */
static struct directory_entry *next_station(HANDLE stations, ULONG *index, void *buffer)
{
    struct directory_entry *entry = buffer;

    while (!real_NtQueryDirectoryObject(stations, buffer, THREAD_BUFFER, 1, 0, index, NULL))
        if (span_equal_ascii((struct span){ entry->type.Buffer, entry->type.Length / sizeof(WCHAR) }, "WindowStation"))
            return entry;
    return NULL;
}

/* Wine 10: size, count and names of all stations, or of a station's desktops */
W hook_NtUserBuildNameList(W station, W max, W list, W needed)
{
    struct {
        uint32_t size, count;
        WCHAR names[1];
    } *out = (void *)list;
    const ULONG head = 2 * sizeof(uint32_t) + sizeof(WCHAR);
    WCHAR *all = thread_buffer(1);
    void *buffer = thread_buffer(0);
    struct directory_entry *entry;
    ULONG index = 0, count = 0, total = 0, used = 0, room = (ULONG)max - head;
    HANDLE stations;

    if (station || (ULONG)max <= head || !all || !buffer || !(stations = open_stations()))
        return real_NtUserBuildNameList(station, max, list, needed);
    while ((entry = next_station(stations, &index, buffer)) && total + entry->name.Length < THREAD_BUFFER - 2) {
        memcpy((uint8_t *)all + total, entry->name.Buffer, entry->name.Length);
        total += entry->name.Length + (ULONG)sizeof(WCHAR);
        all[total / sizeof(WCHAR) - 1] = 0;
        if (total <= room) used = total;
        count++;
    }
    real_NtClose(stations);
    out->size = head + used;
    out->count = count;
    memcpy(out->names, all, used);
    out->names[used / sizeof(WCHAR)] = 0;
    *(ULONG *)needed = head + total;
    return total <= room ? STATUS_SUCCESS : (uint32_t)STATUS_BUFFER_TOO_SMALL;
}

/* Wine 8.0: one name for each request */
static NTSTATUS answer_station(struct request *r)
{
    void *buffer = thread_buffer(0), *to = r->reply_data;
    HANDLE stations = buffer ? open_stations() : NULL;
    struct directory_entry *entry;
    ULONG index = r->args[0], max = r->reply_max, size = 0;

    if (!stations) return STATUS_NO_MEMORY;
    entry = next_station(stations, &index, buffer);
    real_NtClose(stations);
    memset(r, 0, 64);
    if (!entry) return (NTSTATUS)(r->status = (uint32_t)STATUS_NO_MORE_ENTRIES);
    size = entry->name.Length < max ? entry->name.Length : max;
    r->reply_size = size;
    r->results[0] = index;
    memcpy(to, entry->name.Buffer, size);
    return STATUS_SUCCESS;
}

/* ---- user32's own requests ---- */

/* see NtUserBuildPropList, which later versions have for it */
static NTSTATUS answer_properties(struct request *r)
{
    const struct {
        uint32_t atom, string;
        uint64_t data;
    } *properties = r->reply_data;
    NTSTATUS status;
    size_t i;

    r->args[0] = (uint32_t)checked_window(r->args[0]);
    status = real_wine_server_call(r);
    for (i = 0; !status && i < r->reply_size / sizeof(*properties); i++) atom_is_used((uint16_t)properties[i].atom);
    return status;
}

NTSTATUS hook_wine_server_call(void *request)
{
    struct request *r = request;
    uint32_t code = r->code;
    unsigned int i;

    if (__builtin_expect(listener != NULL, 0)) {
        if (!*listener) *listener = code;
    }
    else if (code - first_code < codes) {
        if (code == requests[ENUM_STATIONS].code) return answer_station(r);
        if (code == requests[WINDOW_PROPERTIES].code) return answer_properties(r);
        for (i = 0; i < ENUM_STATIONS; i++)
            if (code == requests[i].code) {
                uint32_t *window = &r->args[requests[i].window];

                *window = (uint32_t)checked_window(*window);
            }
    }
    return real_wine_server_call(request);
}

/* the number of the request that a call makes first */
#define LISTEN(call) ({ uint32_t code_ = 0; listener = &code_; call; listener = NULL; code_; })

static void learn_requests(void)
{
    static const WCHAR some_atom = 1;
    const struct last_error error = last_error_save();
    uint32_t count, last;
    unsigned int i;

    requests[WINDOW_INFO].code = LISTEN(real_NtUserPostMessage(NO_WINDOW, 0, 0, 0));
    requests[WINDOW_CHILDREN].code = LISTEN(real_NtUserBuildHwndList(NO_WINDOW, 0, 0, 0, 0, 0, 0, (W)&count));
    requests[WINDOW_PROPERTIES].code = LISTEN(real_NtUserGetProp(NO_WINDOW, some_atom)) + 1;
    requests[WINDOW_HUNG].code = LISTEN(real_NtUserKillTimer(NO_WINDOW, 1)) + 1;
    requests[ENUM_STATIONS].code = LISTEN(real_NtUserGetProcessWindowStation()) + 2;
    last_error_restore(error);
    first_code = last = requests[0].code;
    for (i = 1; i < REQUESTS; i++) {
        if (requests[i].code < first_code) first_code = requests[i].code;
        if (requests[i].code > last) last = requests[i].code;
    }
    codes = last - first_code + 1;
}

/* user32 calls this once, before anything else */
W hook_NtUserInitializeClientPfnArrays PARAMS_4
{
    W status = real_NtUserInitializeClientPfnArrays ARGS_4;

    if (!status && (!HAS(NtUserQueryWindow) || !HAS(NtUserBuildPropList) || !HAS(NtUserBuildNameList)))
        learn_requests();
    return status;
}
