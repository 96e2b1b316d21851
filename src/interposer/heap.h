/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The heap, out of the way of Windows' user shared data.
 *
 * That page is at 0x7ffe0000 in every process. Wine 8's loader is linked at 0x7d000000, and Linux begins the heap of a
 * program that is not position-independent anywhere up to 1 GiB behind it (arch/x86/kernel/process.c: arch_randomize_brk):
 * of 8,000 processes one has its heap there, and ends at once with exit code 1 (ntdll/unix/virtual.c:
 * virtual_alloc_first_teb). A page that nobody may touch stops the heap before it; malloc() then does without. */
#ifndef WINESILO_HEAP_H
#define WINESILO_HEAP_H

#include <stdint.h>

enum { HEAP_PAGE = 4096 };

/* Where to put that page; 0: the heap, which begins at brk and has nothing in it yet, does not come there. */
uintptr_t heap_stop(uintptr_t brk);
/* To be called before the first malloc(). */
void heap_keep_away(void);

#endif
