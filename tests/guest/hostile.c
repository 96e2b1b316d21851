/* Every system call that winesilo hooks, with bad arguments: pointers, lengths, names, handles, numbers.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   hostile run          each call, with one argument after the other replaced by each bad value of its kind
 *   hostile only TEXT    the same for calls whose name or scene begins with it
 *
 * One line for each call and value: `CALL[SCENE] ARGUMENT=VALUE STATUS OUTPUT...`. The calls and their parameters come
 * from the rows that the hooks are made from, so a new hook is driven as well. The calls are made by a child; a line of
 * one that does not come back is `hangs`, and of one that ends the child `ends`. */

#include "hostile_calls.h"

NTSYSAPI NTSTATUS NTAPI NtCancelIoFile(HANDLE, IO_STATUS_BLOCK *);
NTSYSAPI NTSTATUS NTAPI NtDeleteKey(HANDLE);
NTSYSAPI NTSTATUS NTAPI NtOpenKey(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *);
NTSYSAPI NTSTATUS NTAPI NtEnumerateKey(HANDLE, ULONG, int, void *, ULONG, ULONG *);

enum { HANG_MS = 30000 };

/* ---- making the call ---- */

typedef ULONG_PTR A;
#define F(n, ...) case n: return ((A(NTAPI *)(__VA_ARGS__))function)
#define A4 A, A, A, A

#ifdef __i386__
/* Whoever takes the arguments from the stack: not all calls do it themselves. */
static A invoke(void *function, int count, const A *a)
{
    __asm__ volatile("movl %%esp, %%ebx\n"
                     "1: subl $1, %%ecx\n\t"
                     "jl 2f\n\t"
                     "pushl (%%edx,%%ecx,4)\n\t"
                     "jmp 1b\n"
                     "2: call *%%eax\n\t"
                     "movl %%ebx, %%esp"
                     : "+a"(function), "+c"(count), "+d"(a)
                     :
                     : "ebx", "memory", "cc");
    return (A)function;
}
#else
static A invoke(void *function, int count, const A *a)
{
    switch (count) {
    F(0, void)();
    F(1, A)(a[0]);
    F(2, A, A)(a[0], a[1]);
    F(3, A, A, A)(a[0], a[1], a[2]);
    F(4, A4)(a[0], a[1], a[2], a[3]);
    F(5, A4, A)(a[0], a[1], a[2], a[3], a[4]);
    F(6, A4, A, A)(a[0], a[1], a[2], a[3], a[4], a[5]);
    F(7, A4, A, A, A)(a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
    F(8, A4, A4)(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]);
    F(10, A4, A4, A, A)(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9]);
    F(11, A4, A4, A, A, A)(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10]);
    F(12, A4, A4, A4)(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11]);
    F(14, A4, A4, A4, A, A)(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11], a[12], a[13]);
    F(17, A4, A4, A4, A4, A)
        (a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11], a[12], a[13], a[14], a[15], a[16]);
    default: printf("calls with %d arguments are not known\n", count); exit(3);
    }
}
#endif

static void *resume[5];
static volatile DWORD exception;
static volatile BOOL guarded;

static LONG CALLBACK caught(EXCEPTION_POINTERS *pointers)
{
    if (!guarded) return EXCEPTION_CONTINUE_SEARCH;
    guarded = FALSE;
    exception = pointers->ExceptionRecord->ExceptionCode;
    __builtin_longjmp(resume, 1);
}

static A invoke_guarded(void *function, int count, const A *args)
{
    volatile A result = 0;

    exception = 0;
    if (!__builtin_setjmp(resume)) {
        guarded = TRUE;
        result = invoke(function, count, args);
    }
    guarded = FALSE;
    return result;
}

/* ---- what came of it ---- */

static BOOL is_canary(const BYTE *at, size_t size)
{
    while (size--)
        if (at[size] != CANARY) return FALSE;
    return TRUE;
}

/* Sizes of lists of what the machine has differ from one call to the next. */
static BOOL varies(const char *call)
{
    return has(call, "SystemInformation") || has(call, "Atom");
}

static void print_out(const struct call *call, int p)
{
    const struct param *param = &call->params[p];
    const BYTE *at = call->memory[p];

    if (is_canary(at, param->out_size)) return;
    if (param->out_size == 4 && !param->is_handle && !varies(call->name)) printf(" %s=%lu", param->name, *(const ULONG *)at);
    else printf(" %s=%s", param->name, !memcmp(at, "\0\0\0\0\0\0\0", param->out_size) ? "0" : "set");
}

static void print_outputs(const struct call *call, const BYTE *before)
{
    int p;

    for (p = 0; p < call->count; p++, before += MEMORY) {
        const BYTE *at = call->memory[p];
        const IO_STATUS_BLOCK *io = (const IO_STATUS_BLOCK *)at;

        if (call->params[p].kind == IS_OUT) print_out(call, p);
        else if (call->params[p].kind == IS_IO && !is_canary(at, sizeof(*io)))
            printf(" io=%08lx,%lx", (ULONG)io->Status, (ULONG)io->Information);
        else if (call->params[p].kind == IS_BUFFER && memcmp(at, before, MEMORY)) printf(" %s=written", call->params[p].name);
        else if (call->params[p].kind == IS_STRING && memcmp(at, before, MEMORY))
            printf(" %s=%u", call->params[p].name, ((const struct attributes *)at)->name.Length);
    }
}

static BOOL is_void(const char *call)
{
    return !strcmp(call, "NtUserNotifyIMEStatus") || !strcmp(call, "NtUserNotifyWinEvent");
}

static void print_result(const struct call *call, A result, const BYTE *before)
{
    ULONG status = is_void(call->name) ? 0 : (ULONG)result;

    /* an address that is none at all is another fault in the two registers that stand for the stack */
    if (status == (ULONG)STATUS_STACK_OVERFLOW) status = (ULONG)STATUS_ACCESS_VIOLATION;
    if (exception) printf(" exception %08lx", exception);
    else if (call->params[0].kind != IS_WINDOW || status >> 30 == 3 || status < 2) printf(" %08lx", status);
    else printf(" value");
    if (call->params[0].kind == IS_WINDOW) printf(" error %lu", GetLastError());
    else if (status != STATUS_PENDING) print_outputs(call, before);
    printf("\n");
    fflush(stdout);
}

/* Let go of what a call has made. */
static void clean(const struct call *call, A result)
{
    IO_STATUS_BLOCK io;
    int p;

    if ((ULONG)result == STATUS_PENDING && !exception) {
        NtCancelIoFile((HANDLE)call->args[0], &io);
        WaitForSingleObject((HANDLE)call->args[0], 1000);
    }
    if (!strcmp(call->name, "NtUserSetWindowsHookEx") && result) UnhookWindowsHookEx((HHOOK)result);
    if (!strcmp(call->name, "NtUserSetWinEventHook") && result) UnhookWinEvent((HWINEVENTHOOK)result);
    for (p = 0; p < call->count; p++) {
        HANDLE *out = (HANDLE *)call->memory[p];

        if (call->params[p].is_handle && *out && !is_canary((BYTE *)out, sizeof(*out)))
            NtClose(*out);
    }
    close_scratch();
}

/* ---- the child ---- */

/* where a child begins: units are rows with their scenes, argument -1 is the call with good values only */
struct position {
    int unit, argument, value;
};

/* A value that ends Wine's server, and with it all that is on the host: DUPLICATE_MAKE_GLOBAL, Wine's own. (In a silo
 * it means nothing: objects.c.) */
static BOOL ends_wine(const struct call *call, struct position at)
{
    return !strcmp(call->name, "NtDuplicateObject") && !strcmp(call->params[at.argument].name, "options") &&
           (call->args[at.argument] & 0x80000000);
}

/* Codes that others stand for where Wine ends the caller before it looks at the code. */
static BOOL is_enough(const struct call *call, struct position at)
{
    return call->scene && !has("bind connect pipe-wait", call->scene) && !strcmp(call->params[at.argument].name, "in_size") &&
           call->args[at.argument] >= 0x7fffffff;
}

/* a call that leaves the process unfit for the next ones: the child ends after it */
static BOOL spoils(const char *call)
{
    /* 32 bits: Wine's thunk for links ends the host's program, so only a silo's would keep what it has open */
    if (sizeof(void *) == 4 && has(call, "SymbolicLink")) return TRUE;
    return !strcmp(call, "NtUserInitializeClientPfnArrays");
}

static void *find_function(const struct row *row)
{
    return (void *)GetProcAddress(row->params ? GetModuleHandleA("ntdll.dll") : LoadLibraryA("win32u.dll"), row->name);
}

/* One call. FALSE: the argument has no such value. */
static BOOL run_value(struct call *call, const struct row *row, const struct scene *scene, void *function, struct position at)
{
    static BYTE before[MAX_ARGS * MEMORY];
    const char *label = "good";
    MSG message;
    A result;
    int p;

    prepare(call, row, scene);
    if (at.argument >= 0 && !(label = bad_value(call, at.argument, at.value))) {
        close_scratch();
        return FALSE;
    }
    if (at.argument >= 0 && (ends_wine(call, at) || is_enough(call, at))) {
        close_scratch();
        return TRUE;
    }
    for (p = 0; p < call->count; p++) memcpy(before + p * MEMORY, call->memory[p], MEMORY);
    printf("@ %d %d %d\n%s", at.unit, at.argument, at.value, call->name);
    if (scene) printf("[%s]", scene->name);
    printf(" %s=%s", at.argument < 0 ? "all" : call->params[at.argument].name, label);
    fflush(stdout);
    if (!row->params) { /* what waits for a message gets one */
        while (PeekMessageW(&message, NULL, 0, 0, PM_REMOVE)) continue;
        PostQuitMessage(0);
    }
    SetLastError(0);
    result = invoke_guarded(function, call->count, call->args);
    print_result(call, result, before);
    clean(call, result);
    return TRUE;
}

/* Wine puts something that raises an exception in the place of functions that it does not have. */
static BOOL is_missing(struct call *call, const struct row *row, void *function)
{
    enum { NOT_THERE = 0x80000100 };

    if (row->params || strcmp(row->need, "OPTIONAL")) return FALSE;
    if (sizeof(void *) == 4) return *(const BYTE *)function != 0xb8; /* no system call; raising does not return here */
    prepare(call, row, NULL);
    close_scratch();
    invoke_guarded(function, call->count, call->args);
    return exception == (DWORD)NOT_THERE;
}

static void run_unit(struct position at)
{
    static BYTE memory[MAX_ARGS][MEMORY] __attribute__((aligned(16)));
    const struct row *row = &rows[at.unit / (SCENES + 1)];
    int number = at.unit % (SCENES + 1), i;
    const struct scene *scene = number ? &scenes[number - 1] : NULL;
    struct call call = { .name = row->name, .scene = scene ? scene->name : NULL };
    void *function = find_function(row);

    if (scene && strcmp(scene->call, row->name)) return;
    if (!function) {
        if (at.argument < 0) printf("%s is absent\n", row->name);
        return;
    }
    for (i = 0; i < MAX_ARGS; i++) call.memory[i] = memory[i];
    if (row->params) read_params(&call, row->params);
    else window_params(&call, row);
    if (is_missing(&call, row, function)) {
        if (at.argument < 0) printf("%s is absent\n", row->name);
        return;
    }
    for (; at.argument < call.count; at.argument++, at.value = 0)
        while (run_value(&call, row, scene, function, at) && at.argument >= 0) at.value++;
}

static int child(struct position at, const char *only)
{
    WSADATA data;

    WSAStartup(MAKEWORD(2, 2), &data);
    setvbuf(stdout, NULL, _IOFBF, 4096);
    make_zones();
    AddVectoredExceptionHandler(1, caught);
    CreateWindowExW(0, L"static", L"hostile", 0, 0, 0, 0, 0, HWND_MESSAGE, NULL, NULL, NULL);
    NtClose(open_named(SCRATCH_KEY, make_key));
    for (; at.unit < ROWS * (SCENES + 1); at = (struct position){ at.unit + 1, -1, 0 }) {
        const struct row *row = &rows[at.unit / (SCENES + 1)];

        if (strncmp(row->name, only, strlen(only))) continue;
        run_unit(at);
        if (spoils(row->name) && at.unit % (SCENES + 1) == SCENES) {
            printf("@ %d %d %d\n@again\n", at.unit + 1, -1, -1);
            fflush(stdout);
            ExitProcess(0);
        }
    }
    printf("@done\n");
    fflush(stdout);
    ExitProcess(0);
}

/* ---- its parent ---- */

struct run {
    HANDLE process, output, arrived;
    char line[4096];
    size_t used;
    struct position at;
    volatile BOOL more;
    BOOL again, done;
};

static void end_line(struct run *run)
{
    run->line[run->used] = 0;
    run->used = 0;
    if (!strcmp(run->line, "@again")) run->again = TRUE;
    else if (!strcmp(run->line, "@done")) run->done = TRUE;
    else if (sscanf(run->line, "@ %d %d %d", &run->at.unit, &run->at.argument, &run->at.value) != 3) printf("%s\n", run->line);
}

static DWORD WINAPI read_output(void *arg)
{
    struct run *run = arg;
    char data[4096];
    DWORD got, i;

    while (ReadFile(run->output, data, sizeof(data), &got, NULL) && got) {
        for (i = 0; i < got; i++) {
            if (data[i] == '\n') end_line(run);
            else if (data[i] != '\r' && run->used < sizeof(run->line) - 16) run->line[run->used++] = data[i];
        }
        SetEvent(run->arrived);
    }
    run->more = FALSE;
    SetEvent(run->arrived);
    return 0;
}

static void start_child(struct run *run, const char *only)
{
    SECURITY_ATTRIBUTES inherit = { sizeof(inherit), NULL, TRUE };
    STARTUPINFOA startup = { .cb = sizeof(startup), .dwFlags = STARTF_USESTDHANDLES };
    char path[MAX_PATH], words[MAX_PATH + 100];
    PROCESS_INFORMATION info;

    CreatePipe(&run->output, &startup.hStdOutput, &inherit, 0x10000);
    SetHandleInformation(run->output, HANDLE_FLAG_INHERIT, 0);
    GetModuleFileNameA(NULL, path, sizeof(path));
    snprintf(words, sizeof(words), "\"%s\" child %d %d %d %s", path, run->at.unit, run->at.argument, run->at.value, only);
    if (!CreateProcessA(path, words, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &info)) {
        printf("no child: error %lu\n", GetLastError());
        exit(3);
    }
    CloseHandle(startup.hStdOutput);
    CloseHandle(info.hThread);
    run->process = info.hProcess;
}

/* Run a child to its end, or to where it hangs. FALSE: it did all. */
static BOOL run_child(struct run *run, const char *only)
{
    HANDLE reader;
    BOOL hangs;

    run->more = TRUE;
    run->again = FALSE;
    start_child(run, only);
    reader = CreateThread(NULL, 0, read_output, run, 0, NULL);
    while (run->more && WaitForSingleObject(run->arrived, HANG_MS) == WAIT_OBJECT_0) continue;
    if ((hangs = run->more)) TerminateProcess(run->process, 1);
    WaitForSingleObject(run->process, INFINITE);
    WaitForSingleObject(reader, INFINITE);
    CloseHandle(reader);
    CloseHandle(run->process);
    CloseHandle(run->output);
    if (!run->done && !run->again) {
        run->line[run->used] = 0;
        if (run->used) printf("%s %s\n", run->line, hangs ? "hangs" : "ends"); /* else it is between two calls */
        if (run->used && hangs) run->at = (struct position){ run->at.unit + 1, -1, -1 };
    }
    run->used = 0;
    run->at.value++;
    fflush(stdout);
    return !run->done;
}

/* by native calls: names may have zeroes in them */
static NTSTATUS delete_tree(HANDLE key)
{
    struct {
        LARGE_INTEGER time;
        ULONG index, name_bytes;
        WCHAR name[300];
    } info;
    UNICODE_STRING us = { .Buffer = info.name };
    OBJECT_ATTRIBUTES attr;
    NTSTATUS status;
    ULONG size;
    HANDLE child;

    InitializeObjectAttributes(&attr, &us, OBJ_CASE_INSENSITIVE, key, NULL);
    while (!NtEnumerateKey(key, 0, 0 /* KeyBasicInformation */, &info, sizeof(info), &size)) {
        us.Length = us.MaximumLength = (USHORT)info.name_bytes;
        if ((status = NtOpenKey(&child, KEY_ALL_ACCESS, &attr))) return status;
        status = delete_tree(child);
        NtClose(child);
        if (status) return status;
    }
    return NtDeleteKey(key);
}

static void remove_traces(void)
{
    HANDLE search, key = open_named(SCRATCH_KEY, make_key);
    NTSTATUS status;
    WIN32_FIND_DATAW found;
    WCHAR path[MAX_PATH + 10];

    if ((status = delete_tree(key))) printf("not removed: %08lx\n", (ULONG)status);
    NtClose(key);
    search = FindFirstFileW(L"C:\\hos*", &found);
    do {
        swprintf(path, MAX_PATH + 10, L"\\\\?\\C:\\%ls", found.cFileName);
        if (!ends_with(path, L".exe")) DeleteFileW(path);
    } while (FindNextFileW(search, &found));
    FindClose(search);
}

int main(int argc, char **argv)
{
    static struct run run = { .at = { 0, -1, 0 } };
    const char *only = argc > 2 ? argv[2] : "";

    if (argc >= 5 && !strcmp(argv[1], "child"))
        return child((struct position){ atoi(argv[2]), atoi(argv[3]), atoi(argv[4]) }, argc > 5 ? argv[5] : "");
    if (argc < 2 || (strcmp(argv[1], "run") && strcmp(argv[1], "only"))) usage("hostile run|only TEXT");
    remove_traces();
    run.arrived = CreateEventW(NULL, FALSE, FALSE, NULL);
    while (run_child(&run, only)) continue;
    remove_traces();
    printf("done\n");
    return 0;
}
