/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The record of rendezvous: an input is a list of notes (kind, class, how, length of the name, name). Beside the set a
 * plain list is kept; after all notes both must hold the same. */
#include "audit.h"
#include "fuzz.h"

const char *const fuzz_words[] = { "\1\1\1\3abc", "\2\2\2\1x", "\6\1\1\24", "\1\4\1\0", NULL };

enum { STEPS = 256 };

static struct audit *record;
static struct {
    struct audit_note note;
    const uint8_t *name;
    size_t bytes;
    uint32_t entry;
} model[STEPS];

static bool same_note(const struct audit_note *a, const struct audit_note *b)
{
    return a->space == b->space && a->class == b->class && a->rule == b->rule && a->parent == b->parent;
}

/* the entry of the list with this note and name, or the next free one */
static size_t find(size_t n, const struct audit_note *note, const uint8_t *name, size_t bytes)
{
    size_t i;

    for (i = 0; i < n; i++)
        if (same_note(&model[i].note, note) && model[i].bytes == bytes && (!bytes || !memcmp(model[i].name, name, bytes))) break;
    return i;
}

static void check(size_t n)
{
    size_t i;

    REQUIRE(record->entries_n == n && !record->lost);
    for (i = 0; i < n; i++) {
        const struct audit_entry *e = &record->entries[model[i].entry - 1];

        REQUIRE(e->space == model[i].note.space && e->class == model[i].note.class && e->how == model[i].note.how);
        REQUIRE(e->rule == model[i].note.rule && e->parent == model[i].note.parent && !e->flags);
        REQUIRE(e->bytes == model[i].bytes && !memcmp(record->text + e->text - 1, model[i].name, e->bytes));
    }
}

/* as it was before */
static void empty(size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) memset(&record->entries[model[i].entry - 1], 0, sizeof(record->entries[0]));
    memset(record->text, 0, record->text_n);
    record->text_n = record->entries_n = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = exact_copy(data, size);
    size_t at = 0, n = 0, steps = 0, i;

    if (!record && !(record = calloc(1, sizeof(*record)))) abort();
    record->seed = size ? copy[0] : 0;
    while (at + 4 <= size && steps++ < STEPS) {
        struct audit_note note = { copy[at] % AUDIT_SPACES, copy[at + 1] % AUDIT_CLASSES, copy[at + 1], 1u + copy[at + 2] % 3, copy[at + 2] };
        size_t bytes = copy[at + 3];
        uint32_t entry;

        at += 4;
        if (bytes > size - at) bytes = size - at;
        i = find(n, &note, copy + at, bytes);
        entry = audit_add(record, &note, copy + at, bytes);
        REQUIRE(entry && entry <= AUDIT_ENTRIES);
        if (i == n) {
            model[n].note = note;
            model[n].name = copy + at;
            model[n].bytes = bytes;
            model[n++].entry = entry;
        }
        REQUIRE(model[i].entry == entry);
        model[i].note.how |= note.how;
        at += bytes;
    }
    check(n);
    empty(n);
    free(copy);
    return 0;
}
