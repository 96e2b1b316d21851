/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Wine's system-service table: finding it, swapping its entries, calling the real functions. */
#ifndef WINESILO_TABLE_H
#define WINESILO_TABLE_H

#include <stdbool.h>

#include "nt.h"

#define MS_ABI __attribute__((ms_abi))

/* The real function stands in the pointer whose convention it has, the other one is NULL. Two pointers, not
 * one cast both ways: gcc 12 takes calls through one pointer in two conventions for the same call. */
#define REAL(name, params, args)                                                                             \
    extern NTSTATUS(MS_ABI *real_ms_##name) params;                                                          \
    extern NTSTATUS (*real_sysv_##name) params;                                                              \
    static inline __attribute__((unused)) NTSTATUS real_##name params                                        \
    {                                                                                                        \
        if (real_ms_##name) return real_ms_##name args;                                                      \
        return real_sysv_##name args;                                                                        \
    }
#define IMPORT(name, params, args) REAL(name, params, args)
#define SYSCALL(need, name, params, args) REAL(name, params, args) NTSTATUS hook_##name params;
#include "syscalls.def"
#undef SYSCALL
#undef IMPORT
#undef REAL

/* win32u's calls (windows.def): integers and pointers, as many as the row says */
typedef uintptr_t W;
#define PARAMS_0 (void)
#define PARAMS_1 (W a0)
#define PARAMS_2 (W a0, W a1)
#define PARAMS_3 (W a0, W a1, W a2)
#define PARAMS_4 (W a0, W a1, W a2, W a3)
#define PARAMS_5 (W a0, W a1, W a2, W a3, W a4)
#define PARAMS_6 (W a0, W a1, W a2, W a3, W a4, W a5)
#define PARAMS_7 (W a0, W a1, W a2, W a3, W a4, W a5, W a6)
#define PARAMS_8 (W a0, W a1, W a2, W a3, W a4, W a5, W a6, W a7)
#define PARAMS_10 (W a0, W a1, W a2, W a3, W a4, W a5, W a6, W a7, W a8, W a9)
#define PARAMS_17                                                                                            \
    (W a0, W a1, W a2, W a3, W a4, W a5, W a6, W a7, W a8, W a9, W a10, W a11, W a12, W a13, W a14, W a15, W a16)
#define ARGS_0 ()
#define ARGS_1 (a0)
#define ARGS_2 (a0, a1)
#define ARGS_3 (a0, a1, a2)
#define ARGS_4 (a0, a1, a2, a3)
#define ARGS_5 (a0, a1, a2, a3, a4)
#define ARGS_6 (a0, a1, a2, a3, a4, a5)
#define ARGS_7 (a0, a1, a2, a3, a4, a5, a6)
#define ARGS_8 (a0, a1, a2, a3, a4, a5, a6, a7)
#define ARGS_10 (a0, a1, a2, a3, a4, a5, a6, a7, a8, a9)
#define ARGS_17 (a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16)

#define PLAIN(name, n)                                                                                       \
    extern W(MS_ABI *real_ms_##name) PARAMS_##n;                                                             \
    extern W (*real_sysv_##name) PARAMS_##n;                                                                 \
    static inline __attribute__((unused)) W real_##name PARAMS_##n                                           \
    {                                                                                                        \
        if (real_ms_##name) return real_ms_##name ARGS_##n;                                                  \
        return real_sysv_##name ARGS_##n;                                                                    \
    }
#define HOOKED(need, name, n) PLAIN(name, n) W hook_##name PARAMS_##n;
#define CHECKED(need, name, n, checks) HOOKED(need, name, n)
#include "windows.def"
#undef CHECKED
#undef HOOKED
#undef PLAIN

/* does this Wine have an OPTIONAL call? */
#define HAS(name) (real_ms_##name || real_sysv_##name)

/* Swap the table of the ntdll.so behind a dlopen() handle. With hooks false the ELF symbols
 * this library exports lead to the real functions and the table stays as it is.
 * Returns NULL, or what is wrong as a text for the user. */
const char *table_install(void *ntdll, bool hooks);

/* The same for win32u's table, once ntdll.so's is swapped. */
const char *table_install_windows(void *win32u);

#endif
