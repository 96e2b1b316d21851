/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit.h"

#include <string.h>

struct audit *audit;

/* ---- the rules, as text ---- */

static const char rules[] =
#define NAME(class, path, reason) #class "\tobject\t" path "\t" reason "\n"
#define NOTE(class, path, reason)
#include "names.def"
#undef NAME
#undef NOTE
#define RULE(name, class, kind, reason) #class "\t" kind "\t\t" reason "\n"
#include "rules.def"
#undef RULE
    ;
_Static_assert(sizeof(rules) - 1 <= AUDIT_RULES, "the rules fit");

const uint8_t audit_rule_class[] = {
#define RULE(name, class, kind, reason) AUDIT_##class,
#include "rules.def"
#undef RULE
};

/* Several processes may do this at once: they write the same. */
void audit_write_rules(struct audit *to)
{
    if (atomic_load(&to->rules_n) == sizeof(rules) - 1) return;
    memcpy(to->rules, rules, sizeof(rules) - 1);
    atomic_store(&to->rules_n, sizeof(rules) - 1);
}

/* ---- the set ---- */

static uint64_t stir(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

/* Names are compared by their hash alone: the seed is the daemon's secret, and 64 bits are many. */
static uint64_t hash_of(uint64_t seed, const struct audit_note *note, const void *name, size_t bytes)
{
    const uint8_t *p = name;
    uint64_t hash = stir(seed, (uint64_t)note->space << 56 | (uint64_t)note->class << 48 | (uint64_t)note->rule << 32 | note->parent);
    uint64_t word;
    size_t left;

    for (left = bytes; left >= sizeof(word); left -= sizeof(word), p += sizeof(word)) {
        memcpy(&word, p, sizeof(word));
        hash = stir(hash, word);
    }
    word = 0;
    if (left) memcpy(&word, p, left);
    hash = stir(stir(hash, word), bytes);
    return hash ? hash : 1;
}

static uint32_t take_text(struct audit *audit, const void *name, size_t bytes)
{
    const uint32_t room = (uint32_t)(bytes + 1) & ~1u;
    uint32_t at = atomic_load_explicit(&audit->text_n, memory_order_relaxed);

    do {
        if (at > AUDIT_TEXT || room > AUDIT_TEXT - at) return AUDIT_NO_TEXT;
    } while (!atomic_compare_exchange_weak(&audit->text_n, &at, at + room));
    memcpy(audit->text + at, name, bytes);
    return at + 1;
}

/* An entry was claimed: nobody else fills it. */
static bool fill(struct audit *audit, struct audit_entry *entry, const struct audit_note *note, const void *name,
                 size_t bytes, bool cut)
{
    uint32_t text = take_text(audit, name, bytes);

    entry->bytes = (uint16_t)bytes;
    entry->rule = (uint16_t)note->rule;
    entry->space = (uint8_t)note->space;
    entry->class = (uint8_t)note->class;
    entry->flags = cut ? AUDIT_CUT : 0;
    entry->parent = note->parent;
    atomic_fetch_or(&entry->how, (uint8_t)note->how);
    atomic_store_explicit(&entry->text, text, memory_order_release);
    atomic_fetch_add_explicit(&audit->entries_n, 1, memory_order_relaxed);
    return text != AUDIT_NO_TEXT;
}

static uint32_t known(struct audit *audit, uint32_t at, unsigned int how)
{
    struct audit_entry *entry = &audit->entries[at];

    if ((atomic_load_explicit(&entry->how, memory_order_relaxed) & how) != how) atomic_fetch_or(&entry->how, (uint8_t)how);
    return at + 1;
}

/* The slow part: the name is new. It is copied first, as reading it may end the system call. */
static __attribute__((noinline)) uint32_t insert(struct audit *audit, const struct audit_note *note, const void *name,
                                                 size_t bytes)
{
    uint8_t copy[AUDIT_NAME_MAX];
    const bool cut = bytes > sizeof(copy);
    const size_t kept = cut ? sizeof(copy) : bytes;
    uint64_t hash, found;
    unsigned int probe;

    if (kept) memcpy(copy, name, kept);
    hash = cut ? hash_of(audit->seed, note, name, bytes) : hash_of(audit->seed, note, copy, bytes);
    for (probe = 0; probe < AUDIT_PROBES; probe++) {
        const uint32_t at = (uint32_t)(hash + probe) % AUDIT_ENTRIES;

        found = 0;
        if (atomic_compare_exchange_strong(&audit->entries[at].hash, &found, hash)) {
            if (!fill(audit, &audit->entries[at], note, copy, kept, cut)) atomic_fetch_add(&audit->lost, 1);
            return at + 1;
        }
        if (found == hash) return known(audit, at, note->how);
    }
    atomic_fetch_add(&audit->lost, 1);
    return 0;
}

uint32_t audit_add(struct audit *audit, const struct audit_note *note, const void *name, size_t bytes)
{
    const uint64_t hash = hash_of(audit->seed, note, name, bytes);
    unsigned int probe;

    for (probe = 0; probe < AUDIT_PROBES; probe++) {
        const uint32_t at = (uint32_t)(hash + probe) % AUDIT_ENTRIES;
        const uint64_t found = atomic_load_explicit(&audit->entries[at].hash, memory_order_relaxed);

        if (found == hash) return known(audit, at, note->how);
        if (!found) break;
    }
    return insert(audit, note, name, bytes);
}
