/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * heap.c: where a page stops the heap before it comes to 0x7ffe0000. */
#include "heap.h"

#include "check.h"

#define SHARED ((uintptr_t)0x7ffe0000)

int main(void)
{
    CHECK(!heap_stop(0));
    CHECK(!heap_stop(0x555555559000));
    CHECK(!heap_stop(SHARED + HEAP_PAGE));
    CHECK(!heap_stop(0x7b000000));
    CHECK(heap_stop(0x7d005000) == SHARED - HEAP_PAGE);
    CHECK(heap_stop(SHARED - 2 * HEAP_PAGE) == SHARED - HEAP_PAGE);
    CHECK(heap_stop(SHARED - HEAP_PAGE) == SHARED - HEAP_PAGE);
    CHECK(heap_stop(SHARED - 16) == SHARED + HEAP_PAGE);
    CHECK(heap_stop(SHARED) == SHARED + HEAP_PAGE);
    return failed != 0;
}
