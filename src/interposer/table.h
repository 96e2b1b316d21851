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

/* Swap the table of the ntdll.so behind a dlopen() handle. With hooks false the ELF symbols
 * this library exports lead to the real functions and the table stays as it is.
 * Returns NULL, or what is wrong as a text for the user. */
const char *table_install(void *ntdll, bool hooks);

#endif
