/* Calls of the service control manager.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The stubs' runtime raises exceptions where a call does not succeed: for a handle that is none, for a manager that
 * is gone. A function of the API returns an error instead. So all calls of the stubs go through one frame with a
 * handler, which makes the exception's code the result of the call: all our calls return an error. rpcrt4.dll is loaded
 * with the first call, as Wine's sechost.dll does it: few programs that load advapi32.dll call a service. */

#include "scm_api.h"

#define HANDLE_SIZE 64 /* at most, of what is behind a context handle */
#define STATUS_FIRST 0x10000 /* errors of RPC and Win32 are below, codes of NT above */

SC_HANDLE(WINAPI *wine_OpenSCManagerW)(LPCWSTR, LPCWSTR, DWORD);
SC_HANDLE(WINAPI *wine_OpenServiceW)(SC_HANDLE, LPCWSTR, DWORD);
SC_HANDLE(WINAPI *wine_CreateServiceW)(SC_HANDLE, LPCWSTR, LPCWSTR, DWORD, DWORD, DWORD, DWORD, LPCWSTR, LPCWSTR,
                                       LPDWORD, LPCWSTR, LPCWSTR, LPCWSTR);
BOOL(WINAPI *wine_CloseServiceHandle)(SC_HANDLE);
FARPROC scm_ndr_client_call; /* NdrClientCall2 */

BOOL scm_load(void)
{
    static const struct {
        const char *dll, *name;
        void *pointer;
    } rows[] = {
        {"sechost.dll", "OpenSCManagerW", &wine_OpenSCManagerW},
        {"sechost.dll", "OpenServiceW", &wine_OpenServiceW},
        {"sechost.dll", "CreateServiceW", &wine_CreateServiceW},
        {"sechost.dll", "CloseServiceHandle", &wine_CloseServiceHandle},
        {"rpcrt4.dll", "NdrClientCall2", &scm_ndr_client_call}, /* last: it says that all are there */
    };

    if (*(FARPROC volatile *)&scm_ndr_client_call)
        return TRUE;
    for (unsigned i = 0; i < COUNT(rows); i++) {
        HMODULE dll = LoadLibraryA(rows[i].dll); /* stays: functions of it are in use from now on */
        FARPROC function = dll ? GetProcAddress(dll, rows[i].name) : NULL;

        if (!function)
            return FALSE;
        InterlockedExchangePointer(rows[i].pointer, (void *)function);
    }
    return TRUE;
}

/* Whatever else is wrong with a handle the runtime finds out; but it reads what is behind it under a lock, and would
 * never give that back where there is nothing. */
BOOL scm_ready(const void *handle)
{
    MEMORY_BASIC_INFORMATION memory;

    if (!scm_load())
        return FALSE;
    if (VirtualQuery(handle, &memory, sizeof(memory)) == sizeof(memory) && memory.State == MEM_COMMIT &&
        !(memory.Protect & (PAGE_NOACCESS | PAGE_GUARD)) &&
        (BYTE *)memory.BaseAddress + memory.RegionSize - (const BYTE *)handle >= HANDLE_SIZE)
        return TRUE;
    return scm_done(ERROR_INVALID_HANDLE);
}

/* ---- exceptions ---- */

/* What Windows' functions answer: their documentation under "Return value". */
static DWORD error_of(DWORD code)
{
    switch (code) {
    case RPC_X_NULL_REF_POINTER:
        return ERROR_INVALID_ADDRESS;
    case RPC_X_ENUM_VALUE_OUT_OF_RANGE:
    case RPC_X_BYTE_COUNT_TOO_SMALL:
        return ERROR_INVALID_PARAMETER;
    case RPC_S_INVALID_BINDING:
    case RPC_X_SS_IN_NULL_CONTEXT:
    case RPC_X_SS_CONTEXT_MISMATCH:
        return ERROR_INVALID_HANDLE;
    }
    return code;
}

static BOOL is_ours(const EXCEPTION_RECORD *record)
{
    if (record->ExceptionFlags & (EXCEPTION_UNWINDING | EXCEPTION_EXIT_UNWIND))
        return FALSE;
    return record->ExceptionCode < STATUS_FIRST;
}

#ifdef __x86_64__

/* The frame: the same call with what may be arguments on the stack, of which RCreateServiceW has most. What is called
 * takes its arguments where they lie. The nop is for the unwinder, which would take a call right before an epilogue for
 * a part of it. */
__asm__(".text\n"
        ".globl scm_ndr_call\n"
        ".seh_proc scm_ndr_call\n"
        "scm_ndr_call:\n\t"
        "pushq %rsi\n\t"
        ".seh_pushreg %rsi\n\t"
        "pushq %rdi\n\t"
        ".seh_pushreg %rdi\n\t"
        "subq $0xc8, %rsp\n\t"
        ".seh_stackalloc 0xc8\n\t"
        ".seh_handler scm_ndr_handler, @except\n\t"
        ".seh_endprologue\n\t"
        "movq %rcx, %rax\n\t"
        "leaq 0x100(%rsp), %rsi\n\t" /* the caller's fifth argument: 0xc8, two registers, our return, 0x20 */
        "leaq 0x20(%rsp), %rdi\n\t"
        "movl $20, %ecx\n\t"
        "rep movsq\n\t"
        "movq %rax, %rcx\n\t"
        "call *scm_ndr_client_call(%rip)\n\t"
        "nop\n"
        "scm_ndr_return:\n\t"
        "addq $0xc8, %rsp\n\t"
        "popq %rdi\n\t"
        "popq %rsi\n\t"
        "ret\n\t"
        ".seh_endproc\n");
extern char scm_ndr_return[];

EXCEPTION_DISPOSITION scm_ndr_handler(EXCEPTION_RECORD *record, void *frame, CONTEXT *context,
                                      DISPATCHER_CONTEXT *dispatcher);

EXCEPTION_DISPOSITION scm_ndr_handler(EXCEPTION_RECORD *record, void *frame, CONTEXT *context,
                                      DISPATCHER_CONTEXT *dispatcher)
{
    (void)context;
    if (is_ours(record))
        RtlUnwindEx(frame, scm_ndr_return, record, (void *)(ULONG_PTR)error_of(record->ExceptionCode),
                    dispatcher->ContextRecord, dispatcher->HistoryTable);
    return ExceptionContinueSearch;
}

#else

/* The same for 32 bits, where the stubs pass a pointer to the arguments, and handlers are a list on the stack. */
__asm__(".text\n"
        ".globl _scm_ndr_call\n"
        "_scm_ndr_call:\n\t"
        "pushl %ebp\n\t"
        "movl %esp, %ebp\n\t"
        "pushl %ebx\n\t"
        "pushl %esi\n\t"
        "pushl %edi\n\t"
        "pushl $_scm_ndr_handler\n\t"
        "pushl %fs:0\n\t"
        "movl %esp, %fs:0\n\t"
        "pushl 16(%ebp)\n\t"
        "pushl 12(%ebp)\n\t"
        "pushl 8(%ebp)\n\t"
        "call *_scm_ndr_client_call\n\t"
        "addl $12, %esp\n"
        "scm_ndr_leave:\n\t"
        "popl %fs:0\n\t"
        "addl $4, %esp\n\t"
        "popl %edi\n\t"
        "popl %esi\n\t"
        "popl %ebx\n\t"
        "popl %ebp\n\t"
        "ret\n"
        ".globl _scm_ndr_resume\n"
        "_scm_ndr_resume:\n\t" /* (frame, error) */
        "movl 8(%esp), %eax\n\t"
        "movl 4(%esp), %esp\n\t"
        "leal 20(%esp), %ebp\n\t"
        "jmp scm_ndr_leave\n");
void __attribute__((noreturn)) scm_ndr_resume(void *frame, DWORD error);

EXCEPTION_DISPOSITION __cdecl scm_ndr_handler(EXCEPTION_RECORD *record, void *frame, CONTEXT *context,
                                              void *dispatcher);

EXCEPTION_DISPOSITION __cdecl scm_ndr_handler(EXCEPTION_RECORD *record, void *frame, CONTEXT *context,
                                              void *dispatcher)
{
    DWORD error = error_of(record->ExceptionCode);

    (void)context;
    (void)dispatcher;
    if (!is_ours(record))
        return ExceptionContinueSearch;
    RtlUnwind(frame, NULL, record, NULL);
    scm_ndr_resume(frame, error);
}

#endif
