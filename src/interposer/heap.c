/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "heap.h"

#include <sys/mman.h>
#include <unistd.h>

#define USER_SHARED_DATA ((uintptr_t)0x7ffe0000)

/* how far the heap can come before Wine maps its page, with much to spare */
enum { REACH = 64 << 20 };

uintptr_t heap_stop(uintptr_t brk)
{
    if (brk >= USER_SHARED_DATA + HEAP_PAGE || brk + REACH <= USER_SHARED_DATA) return 0;
    return brk <= USER_SHARED_DATA - HEAP_PAGE ? USER_SHARED_DATA - HEAP_PAGE : USER_SHARED_DATA + HEAP_PAGE;
}

void heap_keep_away(void)
{
    uintptr_t stop = heap_stop((uintptr_t)sbrk(0));

    if (stop) mmap((void *)stop, HEAP_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
}
