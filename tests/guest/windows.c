/* Window stations, desktops, windows, messages, hooks, clipboard, atoms and DDE.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *     windows host|silo                   checks, the same in both
 *     windows hold LABEL                  make one of each, named by LABEL; print handles, wait, print what came
 *     windows visit own|foreign LABEL WINDOW CHILD DESKTOP THREAD HOOK ATOM
 *                                         what another program made: of the same silo, or of somebody else
 *     windows stations                    the names of the window stations
 *     windows time WINDOW                 ns per call on windows
 *
 * A foreign handle must answer every call as one does that never existed. */

#include "check.h"
#include <ddeml.h>

#define TITLE L"winesilo window "
#define CLASS L"winesilo class"
#define SERVICE L"winesilo"
#define NEVER ((HWND)(LONG_PTR)0x1234ffee)
#define NEVER_THREAD 0x7ffffff0

static HWND own;
static volatile LONG received;

static LRESULT CALLBACK procedure(HWND window, UINT message, WPARAM w, LPARAM l)
{
    if (message == WM_CHAR || message == WM_HOTKEY || (message >= WM_APP && message < WM_APP + 16)) {
        InterlockedIncrement(&received);
        return 42;
    }
    return DefWindowProcW(window, message, w, l);
}

static WCHAR *labelled(const WCHAR *start, const WCHAR *label)
{
    WCHAR *text = malloc((wcslen(start) + wcslen(label) + 1) * sizeof(WCHAR));

    wcscpy(text, start);
    wcscat(text, label);
    return text;
}

/* There is no display: Wine's null driver lets windows be made without one. */
static void without_display(void)
{
    HKEY key;

    RegCreateKeyExW(HKEY_CURRENT_USER, L"Software\\Wine\\Drivers", 0, NULL, 0, KEY_SET_VALUE, NULL, &key, NULL);
    RegSetValueExW(key, L"Graphics", 0, REG_SZ, (const BYTE *)L"null", sizeof(L"null"));
    RegCloseKey(key);
}

static HWND make_window(const WCHAR *title, HWND parent)
{
    WNDCLASSW class = { .lpfnWndProc = procedure, .lpszClassName = CLASS, .hInstance = GetModuleHandleW(NULL) };

    RegisterClassW(&class);
    return CreateWindowExW(0, CLASS, title, parent && parent != HWND_MESSAGE ? WS_CHILD : WS_POPUP, 1, 2, 30, 40,
                           parent, NULL, class.hInstance, NULL);
}

static void pump(void)
{
    MSG message;

    while (PeekMessageW(&message, NULL, 0, 0, PM_REMOVE)) DispatchMessageW(&message);
}

/* ---- calls on a window, each as one number ---- */

static BOOL CALLBACK count_window(HWND window, LPARAM count)
{
    (void)window;
    ++*(int *)count;
    return TRUE;
}

static int CALLBACK count_property(HWND window, LPWSTR name, HANDLE data, ULONG_PTR count)
{
    (void)window, (void)name, (void)data;
    ++*(int *)count;
    return TRUE;
}

static LONG_PTR owner(HWND w)
{
    DWORD pid = 0, tid = GetWindowThreadProcessId(w, &pid);

    return (LONG_PTR)(tid | pid);
}

static LONG_PTR text(HWND w)
{
    WCHAR buffer[64] = L"";

    return GetWindowTextW(w, buffer, 64) + InternalGetWindowText(w, buffer, 64);
}

static LONG_PTR send_message(HWND w)
{
    DWORD_PTR result = 0;

    return SendMessageTimeoutW(w, WM_APP, 0, 0, 0, 2000, &result) + (LONG_PTR)result;
}

static LONG_PTR class_name(HWND w)
{
    WCHAR buffer[64];

    return GetClassNameW(w, buffer, 64);
}

static LONG_PTR properties(HWND w)
{
    int count = 0;

    EnumPropsExW(w, count_property, (LPARAM)&count);
    return count;
}

static LONG_PTR children(HWND w)
{
    int count = 0;

    EnumChildWindows(w, count_window, (LPARAM)&count);
    return count;
}

static LONG_PTR rectangle(HWND w)
{
    RECT r = { 0, 0, 0, 0 };

    return GetWindowRect(w, &r) + r.right;
}

static LONG_PTR placement(HWND w)
{
    WINDOWPLACEMENT p = { .length = sizeof(p) };

    return GetWindowPlacement(w, &p);
}

static LONG_PTR information(HWND w)
{
    WINDOWINFO i = { .cbSize = sizeof(i) };

    return GetWindowInfo(w, &i);
}

static LONG_PTR context(HWND w)
{
    HDC dc = GetDC(w);
    LONG_PTR got = dc != NULL;

    if (dc) ReleaseDC(w, dc);
    return got;
}

static LONG_PTR translate(HWND w)
{
    MSG m = { .hwnd = w, .message = WM_KEYDOWN, .wParam = 'A', .lParam = 1 };

    return TranslateMessage(&m);
}

static LONG_PTR flash(HWND w)
{
    FLASHWINFO f = { .cbSize = sizeof(f), .hwnd = w, .dwFlags = FLASHW_CAPTION, .uCount = 1 };

    return FlashWindowEx(&f);
}

static LONG_PTR clipboard_owner(HWND w)
{
    LONG_PTR opened = OpenClipboard(w);

    if (opened) CloseClipboard();
    return opened;
}

static LONG_PTR child_of(HWND w)
{
    HWND child = make_window(L"", w);
    LONG_PTR made = child != NULL;

    if (child) DestroyWindow(child);
    return made;
}

static LONG_PTR own_to(HWND w)
{
    HWND child = make_window(L"", own);
    LONG_PTR moved = SetParent(child, w) != NULL;

    DestroyWindow(child);
    return moved;
}

static LONG_PTR owned_by(HWND w)
{
    HWND window = make_window(L"", NULL);
    LONG_PTR moved;

    SetLastError(0);
    SetWindowLongPtrW(window, GWLP_HWNDPARENT, (LONG_PTR)w);
    moved = GetWindow(window, GW_OWNER) != NULL;
    DestroyWindow(window);
    return moved;
}

#define EXPRESSION(name, expression) \
    static LONG_PTR call_##name(HWND w) { return (LONG_PTR)(expression); }
#define EXPRESSIONS(X) \
    X(is_window, IsWindow(w)) X(text_length, GetWindowTextLengthW(w)) X(post, PostMessageW(w, WM_APP, 0, 0)) \
    X(notify, SendNotifyMessageW(w, WM_APP, 0, 0)) X(set_text, SendMessageW(w, WM_SETTEXT, 0, (LPARAM)L"x")) \
    X(callback, SendMessageCallbackW(w, WM_APP, 0, 0, NULL, 0)) X(style, GetWindowLongPtrW(w, GWL_STYLE)) \
    X(set_long, SetWindowLongW(w, GWL_STYLE, 0)) X(class_long, GetClassLongPtrW(w, GCL_STYLE)) \
    X(get_property, GetPropW(w, L"winesilo")) X(set_property, SetPropW(w, L"other", own)) \
    X(remove_property, RemovePropW(w, L"winesilo")) X(parent, GetParent(w)) X(ancestor, GetAncestor(w, GA_ROOT)) \
    X(next, GetWindow(w, GW_CHILD)) X(visible, IsWindowVisible(w)) \
    X(enabled, IsWindowEnabled(w)) X(show, ShowWindow(w, SW_SHOW)) X(show_async, ShowWindowAsync(w, SW_SHOW)) \
    X(set_pos, SetWindowPos(w, HWND_TOP, 5, 5, 5, 5, SWP_NOACTIVATE)) X(behind, SetWindowPos(own, w, 0, 0, 9, 9, 0)) \
    X(move, MoveWindow(w, 1, 1, 9, 9, TRUE)) X(parent_own, SetParent(w, own)) X(destroy, DestroyWindow(w)) \
    X(focus, SetFocus(w)) X(active, SetActiveWindow(w)) X(foreground, SetForegroundWindow(w)) \
    X(capture, SetCapture(w)) X(enable, EnableWindow(w, FALSE)) X(unicode, IsWindowUnicode(w)) \
    X(popup, GetLastActivePopup(w) != w) X(hung, IsHungAppWindow(w)) X(invalidate, InvalidateRect(w, NULL, TRUE)) \
    X(redraw, RedrawWindow(w, NULL, NULL, RDW_INVALIDATE)) X(kill_timer, KillTimer(w, 7)) \
    X(set_timer, SetTimer(w, 7, 10, NULL)) X(find_child, FindWindowExW(w, NULL, CLASS, NULL)) \
    X(menu, GetMenu(w)) X(system_menu, GetSystemMenu(w, FALSE)) X(listener, AddClipboardFormatListener(w)) \
    X(hot_key, RegisterHotKey(w, 1, MOD_ALT, 'Q')) X(viewer, ChangeClipboardChain(w, own)) \
    X(scroll, GetScrollPos(w, SB_VERT)) X(region, SetWindowRgn(w, NULL, FALSE))
EXPRESSIONS(EXPRESSION)

#define ROW(name, expression) { #name, call_##name },
static const struct {
    const char *name;
    LONG_PTR (*call)(HWND);
} calls[] = {
    EXPRESSIONS(ROW)
    { "owner", owner }, { "text", text }, { "send", send_message }, { "class-name", class_name },
    { "properties", properties }, { "children", children }, { "rectangle", rectangle }, { "placement", placement },
    { "information", information }, { "context", context }, { "translate", translate }, { "flash", flash },
    { "clipboard-owner", clipboard_owner }, { "child-of", child_of }, { "own-to", own_to },
    { "owned-by", owned_by },
};

struct outcome {
    LONG_PTR result;
    DWORD error;
};

#define OUTCOME(expression) \
    ({ \
        LONG_PTR result_ = (SetLastError(0xbeef), (expression)); \
        (struct outcome){ result_, GetLastError() }; \
    })

/* With something named, a difference is a failed check. */
static BOOL differs(struct outcome got, struct outcome wanted, const char *what, const char *call)
{
    BOOL same = got.result == wanted.result && got.error == wanted.error;
    char name[64];

    if (what) {
        snprintf(name, sizeof(name), "%s-%s", what, call);
        check(same, name, "%#llx, error %lu, not %#llx, error %lu", (long long)got.result, got.error,
              (long long)wanted.result, wanted.error);
    }
    return !same;
}

/* The number of calls that tell w from a window that never was. With a name they are failed checks. */
static unsigned compare_window(HWND w, const char *what)
{
    unsigned i, different = 0;

    for (i = 0; i < ARRAYSIZE(calls); i++) {
        struct outcome wanted = OUTCOME(calls[i].call(NEVER));

        different += differs(OUTCOME(calls[i].call(w)), wanted, what, calls[i].name);
    }
    return different;
}

/* ---- calls on a thread ---- */

static BOOL CALLBACK count_thread_window(HWND window, LPARAM count)
{
    return count_window(window, count);
}

static LONG_PTR thread_post(DWORD t) { return PostThreadMessageW(t, WM_APP, 0, 0); }
static LONG_PTR thread_attach(DWORD t) { return AttachThreadInput(GetCurrentThreadId(), t, TRUE); }
static LONG_PTR thread_attached(DWORD t) { return AttachThreadInput(t, GetCurrentThreadId(), TRUE); }
static LONG_PTR thread_desktop(DWORD t) { return (LONG_PTR)GetThreadDesktop(t); }

static LONG_PTR thread_gui(DWORD t)
{
    GUITHREADINFO info = { .cbSize = sizeof(info) };

    return GetGUIThreadInfo(t, &info);
}

static LONG_PTR thread_hook(DWORD t)
{
    HMODULE module = GetModuleHandleW(L"user32.dll");
    HHOOK hook = SetWindowsHookExW(WH_KEYBOARD, (HOOKPROC)GetProcAddress(module, "DefWindowProcW"), module, t);

    if (hook) UnhookWindowsHookEx(hook);
    return hook != NULL;
}

static LONG_PTR thread_windows(DWORD t)
{
    int count = 0;

    EnumThreadWindows(t, count_thread_window, (LPARAM)&count);
    return count;
}

static LONG_PTR thread_events(DWORD t)
{
    HWINEVENTHOOK hook = SetWinEventHook(EVENT_MIN, EVENT_MAX, NULL, (WINEVENTPROC)(void *)procedure, 0, t, 0);

    if (hook) UnhookWinEvent(hook);
    return hook != NULL;
}

static const struct {
    const char *name;
    LONG_PTR (*call)(DWORD);
} thread_calls[] = {
    { "post", thread_post }, { "attach", thread_attach }, { "attached", thread_attached },
    { "desktop", thread_desktop }, { "gui", thread_gui }, { "hook", thread_hook }, { "windows", thread_windows },
    { "events", thread_events },
};

static unsigned compare_thread(DWORD t, const char *what)
{
    unsigned i, different = 0;

    for (i = 0; i < ARRAYSIZE(thread_calls); i++) {
        struct outcome wanted = OUTCOME(thread_calls[i].call(NEVER_THREAD));

        different += differs(OUTCOME(thread_calls[i].call(t)), wanted, what, thread_calls[i].name);
    }
    return different;
}

/* ---- lists ---- */

struct search {
    const WCHAR *name;
    HWND window;
    int found, all;
    BOOL print;
};

static BOOL CALLBACK find_name(LPWSTR name, LPARAM arg)
{
    struct search *s = (struct search *)arg;

    s->all++;
    if (s->print) printf("station %ls\n", name);
    if (s->name && same_text(name, s->name)) s->found++;
    return TRUE;
}

static BOOL CALLBACK find_window(HWND window, LPARAM arg)
{
    struct search *s = (struct search *)arg;

    s->found += window == s->window;
    return TRUE;
}

static int stations_named(const WCHAR *name)
{
    struct search s = { .name = name };

    EnumWindowStationsW(find_name, (LPARAM)&s);
    return s.found;
}

static int windows_like(HWND window)
{
    struct search s = { .window = window };

    EnumWindows(find_window, (LPARAM)&s);
    return s.found;
}

/* ---- clipboard and DDE ---- */

static BOOL put_clipboard(const WCHAR *text)
{
    size_t size = (wcslen(text) + 1) * sizeof(WCHAR);
    HGLOBAL memory = GlobalAlloc(GMEM_MOVEABLE, size);
    BOOL done;

    memcpy(GlobalLock(memory), text, size);
    GlobalUnlock(memory);
    if (!OpenClipboard(own)) return FALSE;
    EmptyClipboard();
    done = SetClipboardData(CF_UNICODETEXT, memory) != NULL;
    CloseClipboard();
    return done;
}

static BOOL clipboard_has(const WCHAR *text)
{
    BOOL same = FALSE;
    HANDLE memory;

    if (!OpenClipboard(own)) return FALSE;
    if ((memory = GetClipboardData(CF_UNICODETEXT))) {
        same = !wcscmp(GlobalLock(memory), text);
        GlobalUnlock(memory);
    }
    CloseClipboard();
    return same;
}

static DWORD dde;
static WCHAR *dde_answer; /* what the server says */

static HDDEDATA CALLBACK serve(UINT type, UINT format, HCONV conversation, HSZ topic, HSZ item, HDDEDATA data,
                               ULONG_PTR more, ULONG_PTR yet_more)
{
    (void)conversation, (void)topic, (void)data, (void)more, (void)yet_more;
    if (type == XTYP_CONNECT) return (HDDEDATA)1;
    if (type == XTYP_REQUEST && dde_answer)
        return DdeCreateDataHandle(dde, (BYTE *)dde_answer, (DWORD)((wcslen(dde_answer) + 1) * sizeof(WCHAR)), 0, item,
                                   format, 0);
    return NULL;
}

static BOOL start_server(WCHAR *answer)
{
    dde_answer = answer;
    if (DdeInitializeW(&dde, serve, APPCLASS_STANDARD, 0)) return FALSE;
    return DdeNameService(dde, DdeCreateStringHandleW(dde, SERVICE, CP_WINUNICODE), NULL, DNS_REGISTER) != NULL;
}

/* what the server of the service says, "" if there is none */
static const WCHAR *ask_server(void)
{
    static WCHAR answer[64];
    HSZ service, item;
    HCONV conversation;
    HDDEDATA data;

    answer[0] = 0;
    if (DdeInitializeW(&dde, serve, APPCMD_CLIENTONLY, 0)) return L"?";
    service = DdeCreateStringHandleW(dde, SERVICE, CP_WINUNICODE);
    item = DdeCreateStringHandleW(dde, L"label", CP_WINUNICODE);
    if ((conversation = DdeConnect(dde, service, service, NULL))) {
        if ((data = DdeClientTransaction(NULL, 0, conversation, item, CF_UNICODETEXT, XTYP_REQUEST, 5000, NULL)))
            DdeGetData(data, (BYTE *)answer, sizeof(answer) - sizeof(WCHAR), 0);
        DdeDisconnect(conversation);
    }
    DdeUninitialize(dde);
    return answer;
}

/* ---- the modes ---- */

static DWORD WINAPI wait_for_end(void *thread)
{
    char byte;
    DWORD got;

    while (ReadFile(GetStdHandle(STD_INPUT_HANDLE), &byte, 1, &got, NULL) && got)
        ;
    PostThreadMessageW((DWORD)(DWORD_PTR)thread, WM_QUIT, 0, 0);
    return 0;
}

static LRESULT CALLBACK idle_hook(int code, WPARAM w, LPARAM l)
{
    return CallNextHookEx(NULL, code, w, l);
}

static int hold_windows(WCHAR *label)
{
    HWND child;
    HHOOK hook;
    ATOM atom;
    MSG message;

    own = make_window(labelled(TITLE, label), NULL);
    child = make_window(label, own);
    hook = SetWindowsHookExW(WH_KEYBOARD, idle_hook, NULL, GetCurrentThreadId());
    atom = GlobalAddAtomW(labelled(L"winesilo atom ", label));
    SetPropW(own, L"winesilo", own);
    if (!own || !child || !hook || !atom || !put_clipboard(label) || !start_server(label) ||
        !CreateWindowStationW(labelled(L"winesilo-", label), 0, WINSTA_ALL_ACCESS, NULL)) {
        printf("not ok hold: %p %p %p %x, error %lu\n", own, child, hook, atom, GetLastError());
        return 1;
    }
    CreateThread(NULL, 0, wait_for_end, (void *)(DWORD_PTR)GetCurrentThreadId(), 0, NULL);
    printf("handles %p %p %p %lx %p %x\nready\n", own, child, GetDesktopWindow(), GetCurrentThreadId(), hook, atom);
    fflush(stdout);
    while (GetMessageW(&message, NULL, 0, 0)) {
        if (!message.hwnd && message.message >= WM_APP) InterlockedIncrement(&received);
        DispatchMessageW(&message);
    }
    printf("received %ld\nhook %d\n", received, UnhookWindowsHookEx(hook));
    return 0;
}

static HANDLE handle_of(const char *text)
{
    return (HANDLE)(ULONG_PTR)strtoull(text, NULL, 16);
}

static int visit(BOOL foreign, char **arg)
{
    WCHAR *label = wide(arg[0]), *title = labelled(TITLE, label), *station = labelled(L"winesilo-", label);
    HWND window = handle_of(arg[1]), child = handle_of(arg[2]), desktop = handle_of(arg[3]);
    DWORD thread = (DWORD)(DWORD_PTR)handle_of(arg[4]);
    HHOOK hook = handle_of(arg[5]);
    ATOM atom = (ATOM)(DWORD_PTR)handle_of(arg[6]);
    WCHAR buffer[64];
    unsigned different;

    own = make_window(L"visitor", NULL);
    CHECK("find", (FindWindowW(CLASS, title) == (foreign ? NULL : window)));
    CHECK("enumerated", windows_like(window) == !foreign);
    CHECK("clipboard", clipboard_has(label) == !foreign);
    CHECK("atom", GlobalFindAtomW(labelled(L"winesilo atom ", label)) == (foreign ? 0 : atom));
    CHECK("atom-name", (GlobalGetAtomNameW(atom, buffer, 64) == 0) == foreign);
    CHECK("format-name", (GetClipboardFormatNameW(atom, buffer, 64) == 0) == foreign);
    CHECK("station", (OpenWindowStationW(station, FALSE, WINSTA_ENUMDESKTOPS) == NULL) == foreign);
    CHECK("stations", stations_named(station) == !foreign);
    CHECK("dde", (wcscmp(ask_server(), label) != 0) == foreign);
    if (!foreign) {
        CHECK("window", IsWindow(window) && GetParent(child) == window && desktop == GetDesktopWindow());
        CHECK("send", SendMessageW(window, WM_APP, 0, 0) == 42);
        CHECK("post", PostMessageW(window, WM_APP + 1, 0, 0));
        CHECK("post-thread", PostThreadMessageW(thread, WM_APP, 0, 0));
        CHECK("text", text(window) > 0);
        CHECK("children", children(window) == 1);
        CHECK("properties", properties(window) == 1);
        different = compare_thread(thread, NULL);
        check(different >= 4, "thread-calls", "only %u see it", different);
        return finish();
    }
    compare_window(window, "window");
    compare_window(child, "child");
    compare_window((HWND)((ULONG_PTR)window & 0xffff), "short");
    if (desktop != GetDesktopWindow()) compare_window(desktop, "desktop");
    compare_thread(thread, "thread");
    CHECK_ERROR("unhook", !UnhookWindowsHookEx(hook), ERROR_INVALID_HOOK_HANDLE);
    CHECK_ERROR("delete-atom", GlobalDeleteAtom(atom), ERROR_INVALID_HANDLE);
    SendNotifyMessageW(HWND_BROADCAST, WM_APP, 0, 0);
    PostMessageW(HWND_BROADCAST, WM_APP, 0, 0);
    return finish();
}

static int list_stations(void)
{
    struct search s = { .print = TRUE };

    EnumWindowStationsW(find_name, (LPARAM)&s);
    return 0;
}

/* ---- checks ---- */

static void check_windows(void)
{
    HWND window = make_window(TITLE, NULL), child = make_window(L"child", window), gone;
    HWND quiet = make_window(L"message", HWND_MESSAGE);
    unsigned different;

    own = window;
    CHECK("window", window && child && quiet);
    CHECK("desktop", IsWindow(GetDesktopWindow()) && rectangle(GetDesktopWindow()));
    CHECK("ancestor", GetAncestor(window, GA_PARENT) == GetDesktopWindow() && GetAncestor(child, GA_ROOT) == window);
    CHECK("message-window", IsWindow(quiet) && FindWindowExW(HWND_MESSAGE, NULL, CLASS, L"message") == quiet);
    CHECK("find-window", FindWindowW(CLASS, TITLE) == window && windows_like(window) == 1);
    CHECK("find-child", FindWindowExW(window, NULL, CLASS, NULL) == child && children(window) == 1);
    CHECK("short-handle", IsWindow((HWND)((ULONG_PTR)window & 0xffff)));
    CHECK("send-own", send_message(window) == 43);
    CHECK("post-own", PostMessageW(window, WM_APP, 0, 0) && (received = 0, pump(), received == 1));
    CHECK("post-thread-own", PostThreadMessageW(GetCurrentThreadId(), WM_APP, 0, 0));
    CHECK("property", SetPropW(window, L"a", window) && GetPropW(window, L"a") == window);
    check(properties(window) == 1, "properties", "%lld", (long long)properties(window));
    CHECK("owner-pid", (owner(window) & 0xffff) != 0);
    SetPropW(window, L"winesilo", window);
    different = compare_window(make_window(L"other", NULL), NULL);
    check(different > 20, "differs", "only %u calls tell a window from none", different);
    pump();
    gone = make_window(L"gone", NULL);
    DestroyWindow(gone);
    CHECK("destroyed", !IsWindow(gone));
    CHECK_ERROR("post-destroyed", !PostMessageW(gone, WM_APP, 0, 0), ERROR_INVALID_WINDOW_HANDLE);
    CHECK_ERROR("post-never", !PostMessageW(NEVER, WM_APP, 0, 0), ERROR_INVALID_WINDOW_HANDLE);
    CHECK("popup-never", GetLastActivePopup(NEVER) == NEVER);
    CHECK("thread-never", !PostThreadMessageW(NEVER_THREAD, WM_APP, 0, 0));
    CHECK("broadcast", SendNotifyMessageW(HWND_BROADCAST, WM_APP, 0, 0) && PostMessageW(HWND_BROADCAST, WM_APP, 0, 0));
    DestroyWindow(window);
    own = make_window(L"own", NULL);
}

static DWORD WINAPI on_desktop(void *desktop)
{
    HWND window;
    BOOL found = FALSE;

    if (!SetThreadDesktop(desktop)) return 1;
    if ((window = make_window(L"elsewhere", HWND_MESSAGE))) found = IsWindow(window) && IsWindow(GetDesktopWindow());
    return window && found && FindWindowExW(HWND_MESSAGE, NULL, CLASS, L"elsewhere") == window ? 0 : 2;
}

/* What a query gives as a window is room for the answer. */
static void check_mouse_query(void)
{
    TRACKMOUSEEVENT query = { sizeof(query), TME_QUERY, (HWND)0xdeadbeef, 0xdeadbeef };

    CHECK("mouse-query", TrackMouseEvent(&query));
    CHECK("mouse-query-filled", query.hwndTrack != (HWND)0xdeadbeef && query.dwHoverTime != 0xdeadbeef);
}

static void check_stations(BOOL silo)
{
    HWINSTA station = GetProcessWindowStation(), made;
    HDESK desktop;
    HANDLE thread;
    DWORD result = 99, needed;
    WCHAR name[64] = L"";
    struct search s = { .name = L"winesilo desktop" };

    CHECK("station-name", GetUserObjectInformationW(station, UOI_NAME, name, sizeof(name), &needed) &&
                              same_text(name, L"WinSta0"));
    CHECK_NAME("station-path", station, L"\\Sessions\\1\\Windows\\WindowStations\\WinSta0");
    CHECK_NAME("desktop-path", GetThreadDesktop(GetCurrentThreadId()), L"\\Default");
    CHECK("make-station", (made = CreateWindowStationW(L"winesilo-made", 0, WINSTA_ALL_ACCESS, NULL)) != NULL);
    CHECK_NAME("made-path", made, L"\\Sessions\\1\\Windows\\WindowStations\\winesilo-made");
    CHECK("open-station", OpenWindowStationW(L"WINESILO-made", FALSE, WINSTA_ENUMDESKTOPS) != NULL);
    CHECK_ERROR("no-station", !OpenWindowStationW(L"winesilo-none", FALSE, WINSTA_ENUMDESKTOPS), ERROR_FILE_NOT_FOUND);
    CHECK("stations-made", stations_named(L"winesilo-made") == 1);
    if (silo) CHECK("stations-own", stations_named(L"WinSta0") == 1);
    CHECK("make-desktop", (desktop = CreateDesktopW(s.name, NULL, NULL, 0, GENERIC_ALL, NULL)) != NULL);
    CHECK("open-desktop", OpenDesktopW(s.name, 0, FALSE, GENERIC_ALL) != NULL);
    CHECK("desktops", EnumDesktopsW(station, find_name, (LPARAM)&s) && s.found == 1 && s.all == 2);
    thread = CreateThread(NULL, 0, on_desktop, desktop, 0, NULL);
    WaitForSingleObject(thread, 60000);
    GetExitCodeThread(thread, &result);
    check(!result, "other-desktop", "%lu", result);
    CHECK("set-station", SetProcessWindowStation(made) && GetProcessWindowStation() == made &&
                             SetProcessWindowStation(station));
}

/* ATOM_BASIC_INFORMATION's count, 0 if there is no such atom */
static unsigned references(ATOM atom)
{
    static NTSTATUS(NTAPI * query)(ATOM, ULONG, void *, ULONG, ULONG *);
    struct {
        USHORT count, pinned, size;
        WCHAR name[300];
    } info;

    if (!query) query = (void *)GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "NtQueryInformationAtom");
    return query(atom, 0, &info, sizeof(info), NULL) ? 0 : info.count;
}

static void check_atoms(void)
{
    WCHAR name[256], back[256];
    ATOM atom, again, format;
    UINT message;
    size_t i;

    for (i = 0; i < 255; i++) name[i] = (WCHAR)('a' + i % 26);
    name[255] = 0;
    atom = GlobalAddAtomW(name);
    again = GlobalAddAtomW(name);
    CHECK("atom", atom >= 0xc000 && again == atom && GlobalFindAtomW(name) == atom);
    CHECK("atom-count", references(atom) == 2);
    CHECK("atom-name", GlobalGetAtomNameW(atom, back, 256) == 255 && !wcscmp(back, name));
    CHECK("atom-delete", !GlobalDeleteAtom(atom) && references(atom) == 1 && !GlobalDeleteAtom(atom));
    CHECK_ERROR("atom-gone", !GlobalFindAtomW(name), ERROR_FILE_NOT_FOUND);
    CHECK_ERROR("atom-gone-delete", GlobalDeleteAtom(atom), ERROR_INVALID_HANDLE);
    CHECK("atom-integer", GlobalAddAtomW(L"#123") == 123 && GlobalFindAtomW((WCHAR *)(ULONG_PTR)77) == 77);
    message = RegisterWindowMessageW(L"winesilo message");
    CHECK("message", message >= 0xc000 && RegisterWindowMessageA("winesilo message") == message);
    format = (ATOM)RegisterClipboardFormatW(L"winesilo format");
    CHECK("format", GetClipboardFormatNameW(format, back, 256) == 15 && !wcscmp(back, L"winesilo format"));
    CHECK("class-atom", GetClassInfoW(GetModuleHandleW(NULL), CLASS, &(WNDCLASSW){ 0 }));
}

static void check_hooks(void)
{
    HHOOK hook = SetWindowsHookExW(WH_GETMESSAGE, idle_hook, NULL, GetCurrentThreadId());
    HWINEVENTHOOK events = SetWinEventHook(EVENT_MIN, EVENT_MAX, NULL, (WINEVENTPROC)(void *)procedure,
                                           GetCurrentProcessId(), 0, WINEVENT_OUTOFCONTEXT);

    CHECK("hook", hook && UnhookWindowsHookEx(hook));
    CHECK_ERROR("unhook-again", !UnhookWindowsHookEx(hook), ERROR_INVALID_HOOK_HANDLE);
    CHECK("event-hook", events && UnhookWinEvent(events));
    CHECK("unhook-event-again", !UnhookWinEvent(events));
    CHECK("global-hook", (hook = SetWindowsHookExW(WH_KEYBOARD_LL, idle_hook, GetModuleHandleW(NULL), 0)) != NULL);
    UnhookWindowsHookEx(hook);
}

static void check_other_process(const char *program)
{
    char command[512];
    STARTUPINFOA startup = { .cb = sizeof(startup), .dwFlags = STARTF_USESTDHANDLES };
    PROCESS_INFORMATION process;
    HWND child;
    HHOOK hook;
    DWORD code = 99;
    WCHAR label[] = L"checks";

    own = make_window(labelled(TITLE, label), NULL);
    child = make_window(label, own);
    hook = SetWindowsHookExW(WH_KEYBOARD, idle_hook, NULL, GetCurrentThreadId());
    SetPropW(own, L"winesilo", own);
    CHECK("clipboard", put_clipboard(label) && clipboard_has(label));
    CHECK("dde", start_server(label));
    CHECK("label-station", CreateWindowStationW(L"winesilo-checks", 0, WINSTA_ALL_ACCESS, NULL) != NULL);
    snprintf(command, sizeof(command), "\"%s\" visit own checks %p %p %p %lx %p %x", program, own, child,
             GetDesktopWindow(), GetCurrentThreadId(), hook, GlobalAddAtomW(L"winesilo atom checks"));
    startup.hStdOutput = startup.hStdError = GetStdHandle(STD_OUTPUT_HANDLE);
    SetHandleInformation(startup.hStdOutput, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
    if (!CHECK("visitor", CreateProcessA(NULL, command, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &process))) return;
    while (MsgWaitForMultipleObjects(1, &process.hProcess, FALSE, 60000, QS_ALLINPUT) == WAIT_OBJECT_0 + 1) pump();
    GetExitCodeProcess(process.hProcess, &code);
    check(!code, "visitor-result", "exit code %lu", code);
}

/* ---- speed ---- */

#define TIME(name, count, call) \
    do { \
        LARGE_INTEGER start_, end_, rate_; \
        int i_; \
        QueryPerformanceFrequency(&rate_); \
        QueryPerformanceCounter(&start_); \
        for (i_ = 0; i_ < (count); i_++) call; \
        QueryPerformanceCounter(&end_); \
        printf("%s %.1f\n", name, (double)(end_.QuadPart - start_.QuadPart) * 1e9 / (double)rate_.QuadPart / (count)); \
    } while (0)

static int measure(void)
{
    MSG message;
    DWORD tid = GetCurrentThreadId();
    ATOM atom;

    own = make_window(TITLE, NULL);
    SetPropW(own, L"a", own);
    TIME("get-window-long", 2000000, GetWindowLongPtrW(own, GWL_STYLE));
    TIME("is-window", 2000000, IsWindow(own));
    TIME("send-own", 500000, SendMessageW(own, WM_APP, 0, 0));
    TIME("peek-empty", 200000, PeekMessageW(&message, NULL, 0, 0, PM_REMOVE));
    TIME("get-property", 100000, GetPropW(own, L"a"));
    TIME("post-and-get", 50000, (PostMessageW(own, WM_APP, 0, 0), PeekMessageW(&message, own, 0, 0, PM_REMOVE)));
    TIME("post-thread-and-get", 50000, (PostThreadMessageW(tid, WM_APP, 0, 0), PeekMessageW(&message, NULL, 0, 0, PM_REMOVE)));
    TIME("create-and-destroy", 5000, DestroyWindow(make_window(TITLE, own)));
    TIME("atom-add-find-delete", 20000, (atom = GlobalAddAtomW(L"winesilo time"), GlobalFindAtomW(L"winesilo time"), GlobalDeleteAtom(atom)));
    return 0;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    without_display();
    if (argc == 3 && !strcmp(argv[1], "hold")) return hold_windows(wide(argv[2]));
    if (argc == 10 && !strcmp(argv[1], "visit")) return visit(!strcmp(argv[2], "foreign"), argv + 3);
    if (argc == 2 && !strcmp(argv[1], "stations")) return list_stations();
    if (argc == 2 && !strcmp(argv[1], "time")) return measure();
    if (argc != 2 || (strcmp(argv[1], "host") && strcmp(argv[1], "silo")))
        usage("windows host|silo | hold LABEL | visit own|foreign LABEL HANDLE... | stations | time");
    check_stations(!strcmp(argv[1], "silo"));
    check_atoms();
    check_windows();
    check_mouse_query();
    check_hooks();
    check_other_process(argv[0]);
    return finish();
}
