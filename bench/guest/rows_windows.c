/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Windows and messages: a silo has a window station of its own, and handles are checked. */
#include "bench.h"

static HWND window, child;

static LRESULT CALLBACK procedure(HWND which, UINT message, WPARAM w, LPARAM l)
{
    return message == WM_APP ? (LRESULT)w : DefWindowProcW(which, message, w, l);
}

/* message windows: they work without a display */
static void set_up_window(void)
{
    WNDCLASSW class = { .lpfnWndProc = procedure, .hInstance = GetModuleHandleW(NULL), .lpszClassName = L"winesilo-bench" };

    if (!RegisterClassW(&class)) die("RegisterClass");
    window = CreateWindowExW(0, L"winesilo-bench", L"bench", WS_POPUP, 0, 0, 9, 9, HWND_MESSAGE, NULL, class.hInstance, NULL);
    child = CreateWindowExW(0, L"winesilo-bench", L"child", WS_CHILD, 0, 0, 9, 9, window, NULL, class.hInstance, NULL);
    if (!window || !child) die("CreateWindowEx");
}

static void window_create(void)
{
    HWND made = CreateWindowExW(0, L"winesilo-bench", L"made", WS_POPUP, 0, 0, 9, 9, HWND_MESSAGE, NULL, GetModuleHandleW(NULL), NULL);

    if (!made || !DestroyWindow(made)) die("CreateWindowEx");
}

static void message_send(void)
{
    if (SendMessageW(window, WM_APP, 1, 0) != 1) die("SendMessage");
}

static void message_peek(void)
{
    MSG message;

    if (PeekMessageW(&message, NULL, 0, 0, PM_REMOVE)) DispatchMessageW(&message);
}

static void message_post_get(void)
{
    MSG message;

    if (!PostMessageW(window, WM_APP, 1, 0) || GetMessageW(&message, NULL, 0, 0) <= 0 || message.message != WM_APP) die("GetMessage");
    DispatchMessageW(&message);
}

static void message_post_thread(void)
{
    MSG message;

    if (!PostThreadMessageW(GetCurrentThreadId(), WM_APP, 1, 0) || GetMessageW(&message, NULL, 0, 0) <= 0) die("GetMessage");
}

static void window_text(void)
{
    WCHAR text[64];

    if (!GetWindowTextW(window, text, 64)) die("GetWindowText");
}

static void window_thread(void)
{
    if (!GetWindowThreadProcessId(window, NULL)) die("GetWindowThreadProcessId");
}

static void window_parent(void)
{
    if (GetAncestor(child, GA_PARENT) != window) die("GetAncestor");
}

static void window_find(void)
{
    if (!FindWindowExW(HWND_MESSAGE, NULL, L"winesilo-bench", NULL)) die("FindWindow");
}

static void window_prop(void)
{
    if (!SetPropW(window, L"winesilo-bench", (HANDLE)1) || !GetPropW(window, L"winesilo-bench")) die("SetProp");
}

static void window_long(void)
{
    SetWindowLongPtrW(window, GWLP_USERDATA, 1);
}

static void window_timer(void)
{
    if (!SetTimer(window, 1, 1000000, NULL) || !KillTimer(window, 1)) die("SetTimer");
}

const struct row window_rows[] = {
    { HOOKED, "window_create_destroy", window_create, set_up_window },
    { HOOKED, "window_text", window_text, set_up_window },
    { HOOKED, "window_thread", window_thread, set_up_window },
    { HOOKED, "window_parent", window_parent, set_up_window },
    { HOOKED, "window_find", window_find, set_up_window },
    { HOOKED, "window_prop", window_prop, set_up_window },
    { HOOKED, "window_long", window_long, set_up_window },
    { HOOKED, "window_timer", window_timer, set_up_window },
    { HOOKED, "message_send", message_send, set_up_window },
    { HOOKED, "message_peek_empty", message_peek, set_up_window },
    { HOOKED, "message_post_get", message_post_get, set_up_window },
    { HOOKED, "message_post_thread", message_post_thread, set_up_window },
    { 0 },
};
