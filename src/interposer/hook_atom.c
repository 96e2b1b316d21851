/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Global atoms. A wineserver has one table of them, which window classes, messages and clipboard formats use as
 * well: a name has the same number for everybody. A silo sees the atoms it added itself, with its own count, and
 * the names of its window classes and of the properties it lists. */
#include <stddef.h>

#include "silo.h"

enum { FIRST_ATOM = 0xc000, NO_ATOM = 0xffff, AtomBasicInformation = 0 };
#define ATOM_IN_USE 0x80000000u /* beside the count */

/* ATOM_BASIC_INFORMATION */
struct atom_information {
    uint16_t count, pinned, name_size;
    WCHAR name[1];
};

/* Numbers are no names. */
static void note_atom(const WCHAR *name, ULONG size, unsigned int how)
{
    if ((uintptr_t)name >> 16) audit_by_rule(AUDIT_ATOM, RULE_ATOM, how, name, size & ~1u);
}

static _Atomic uint32_t *atom_count(uint16_t atom)
{
    return &shared->atoms[atom - FIRST_ATOM];
}

bool atom_is_ours(uint16_t atom)
{
    return atom < FIRST_ATOM || atomic_load_explicit(atom_count(atom), memory_order_relaxed);
}

void atom_is_used(uint16_t atom)
{
    if (atom >= FIRST_ATOM) atomic_fetch_or(atom_count(atom), ATOM_IN_USE);
}

/* one reference less; false: the silo has none */
static bool drop_reference(uint16_t atom)
{
    uint32_t count = atomic_load(atom_count(atom));

    do {
        if (!(count & ~ATOM_IN_USE)) return false;
    } while (!atomic_compare_exchange_weak(atom_count(atom), &count, count - 1));
    return true;
}

NTSTATUS hook_NtAddAtom(const WCHAR *name, ULONG size, uint16_t *atom)
{
    NTSTATUS status = real_NtAddAtom(name, size, atom);
    uint16_t added;

    if (!status && (added = *atom) >= FIRST_ATOM) {
        atomic_fetch_add(atom_count(added), 1);
        note_atom(name, size, AUDIT_CREATED);
    }
    return status;
}

NTSTATUS hook_NtFindAtom(const WCHAR *name, ULONG size, uint16_t *atom)
{
    NTSTATUS status = real_NtFindAtom(name, size, atom);

    if (status) return status;
    if (atom_is_ours(*atom)) {
        note_atom(name, size, AUDIT_OPENED);
        return status;
    }
    *atom = 0;
    return STATUS_OBJECT_NAME_NOT_FOUND;
}

NTSTATUS hook_NtDeleteAtom(uint16_t atom)
{
    if (atom >= FIRST_ATOM && !drop_reference(atom)) return STATUS_INVALID_HANDLE;
    return real_NtDeleteAtom(atom);
}

NTSTATUS hook_NtQueryInformationAtom(uint16_t atom, ULONG info_class, void *info, ULONG size, ULONG *used)
{
    struct atom_information *basic = info;
    NTSTATUS status;

    if (!atom_is_ours(atom)) atom = NO_ATOM;
    status = real_NtQueryInformationAtom(atom, info_class, info, size, used);
    if (!status && info_class == AtomBasicInformation && atom >= FIRST_ATOM)
        basic->count = (uint16_t)(atomic_load(atom_count(atom)) & ~ATOM_IN_USE);
    return status;
}
