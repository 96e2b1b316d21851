/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Calls that need no redirection: nothing of them may show in a silo. */
#include "bench.h"

static HANDLE event, mutex, pipe_read, pipe_write;
static void *page;

static void set_up_plain(void)
{
    event = CreateEventW(NULL, TRUE, TRUE, NULL);
    mutex = CreateMutexW(NULL, FALSE, NULL);
    page = VirtualAlloc(NULL, 65536, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    if (!event || !mutex || !page || !CreatePipe(&pipe_read, &pipe_write, NULL, 4096)) die("set-up");
}

static void event_nameless(void)
{
    CloseHandle(CreateEventW(NULL, TRUE, FALSE, NULL));
}

static void mutex_nameless(void)
{
    CloseHandle(CreateMutexW(NULL, FALSE, NULL));
}

static void section_nameless(void)
{
    CloseHandle(CreateFileMappingW(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 4096, NULL));
}

static void event_set(void)
{
    SetEvent(event);
}

static void event_wait(void)
{
    if (WaitForSingleObject(event, 0)) die("WaitForSingleObject");
}

static void mutex_take(void)
{
    if (WaitForSingleObject(mutex, INFINITE) || !ReleaseMutex(mutex)) die("mutex");
}

static void counter(void)
{
    LARGE_INTEGER now;

    QueryPerformanceCounter(&now);
}

static void ticks(void)
{
    (void)*(volatile DWORD *)&(DWORD){ GetTickCount() };
}

static void system_time(void)
{
    FILETIME now;

    GetSystemTimeAsFileTime(&now);
}

static void memory_allocate(void)
{
    void *p = VirtualAlloc(NULL, 65536, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);

    if (!p || !VirtualFree(p, 0, MEM_RELEASE)) die("VirtualAlloc");
}

static void memory_protect(void)
{
    DWORD before;

    if (!VirtualProtect(page, 4096, PAGE_READONLY, &before) || !VirtualProtect(page, 4096, PAGE_READWRITE, &before))
        die("VirtualProtect");
}

static void memory_query(void)
{
    MEMORY_BASIC_INFORMATION info;

    if (!VirtualQuery(page, &info, sizeof(info))) die("VirtualQuery");
}

static void pipe_nameless(void)
{
    char byte = 0;
    DWORD n;

    if (!WriteFile(pipe_write, &byte, 1, &n, NULL) || !ReadFile(pipe_read, &byte, 1, &n, NULL)) die("pipe");
}

static void thread_yield(void)
{
    SwitchToThread();
}

static DWORD WINAPI nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void thread_start(void)
{
    HANDLE thread = CreateThread(NULL, 0, nothing, NULL, 0, NULL);

    if (!thread || WaitForSingleObject(thread, INFINITE)) die("CreateThread");
    CloseHandle(thread);
}

static void process_times(void)
{
    FILETIME t[4];

    if (!GetProcessTimes(GetCurrentProcess(), &t[0], &t[1], &t[2], &t[3])) die("GetProcessTimes");
}

static void close_nothing(void)
{
    CloseHandle((HANDLE)(ULONG_PTR)0xbadbad0);
}

const struct row plain_rows[] = {
    { PLAIN, "event_nameless", event_nameless, NULL },
    { PLAIN, "mutex_nameless", mutex_nameless, NULL },
    { PLAIN, "section_nameless", section_nameless, NULL },
    { PLAIN, "event_set", event_set, set_up_plain },
    { PLAIN, "event_wait", event_wait, set_up_plain },
    { PLAIN, "mutex_take_release", mutex_take, set_up_plain },
    { PLAIN, "close_nothing", close_nothing, NULL },
    { PLAIN, "pipe_nameless", pipe_nameless, set_up_plain },
    { PLAIN, "memory_allocate_free", memory_allocate, NULL },
    { PLAIN, "memory_protect", memory_protect, set_up_plain },
    { PLAIN, "memory_query", memory_query, set_up_plain },
    { PLAIN, "performance_counter", counter, NULL },
    { PLAIN, "tick_count", ticks, NULL },
    { PLAIN, "system_time", system_time, NULL },
    { PLAIN, "thread_yield", thread_yield, NULL },
    { PLAIN, "thread_start", thread_start, NULL },
    { PLAIN, "process_times", process_times, NULL },
    { 0 },
};
