/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Where things are in thread and process environment blocks (Microsoft's ntdll.pdb; wine/winternl.h: struct _TEB, TEB32,
 * _PEB). */
#ifndef WINESILO_TEB_H
#define WINESILO_TEB_H

#include <stdint.h>
#include <string.h>

enum {
    TEB_PROCESS = 0x40,
    TEB_THREAD = 0x48,
    TEB_PEB = 0x60,
    TEB_LAST_ERROR = 0x68,
    TEB_CLIENT_INFO = 0x800,
    TEB_WOW = 0x180c, /* WowTebOffset: where a 32-bit program's block is from here, or 0 */
    TEB32_PEB = 0x30,
    TEB32_LAST_ERROR = 0x34,

    PEB_LOADER_DATA = 0x18,
    PEB_PARAMETERS = 0x20,
    PEB_CASE_TABLE = 0xb0,
    PEB_GLOBAL_FLAG = 0xbc,
};

static inline uint8_t *teb(void)
{
    uint8_t *self;

    __asm__("movq %%gs:0x30, %0" : "=r"(self));
    return self;
}

static inline uint8_t *peb_of(const void *teb)
{
    uint8_t *peb;

    memcpy(&peb, (const uint8_t *)teb + TEB_PEB, sizeof(peb));
    return peb;
}

static inline uint32_t teb_dword(size_t offset)
{
    return *(uint32_t *)(teb() + offset);
}

/* a 32-bit program's block beside the 64-bit one; NULL: it is a 64-bit program */
static inline uint8_t *wow_teb(const void *of)
{
    int32_t offset;

    memcpy(&offset, (const uint8_t *)of + TEB_WOW, sizeof(offset));
    return offset ? (uint8_t *)(uintptr_t)of + offset : NULL;
}

/* Wine sets the last error in both blocks: what a call of ours does to it is undone in both. */
struct last_error {
    uint32_t own, wow;
};

static inline struct last_error last_error_save(void)
{
    const uint8_t *wow = wow_teb(teb());

    return (struct last_error){ teb_dword(TEB_LAST_ERROR), wow ? *(const uint32_t *)(wow + TEB32_LAST_ERROR) : 0 };
}

static inline void last_error_restore(struct last_error error)
{
    uint8_t *wow = wow_teb(teb());

    *(uint32_t *)(teb() + TEB_LAST_ERROR) = error.own;
    if (wow) *(uint32_t *)(wow + TEB32_LAST_ERROR) = error.wow;
}

#endif
