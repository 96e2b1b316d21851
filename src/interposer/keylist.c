/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "keylist.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define INDEX (&shared->keys)

enum {
    LISTS = 8,
    FROM_BASE = 1, /* lowest bit of an entry; a private one has its place in the sorted names */
    FRESH_MS = 20, /* how long a change of the base may go unnoticed while a list is read on */
};

/* a private child: sorted, the marks of deleted keys among them, because the wineserver counts those */
struct own_child {
    uint32_t node;
    bool shown;
    struct span name;
};

struct list {
    uint32_t node, serial, children;
    int64_t base_time;
    ULONG base_subkeys;
    int64_t checked; /* ms */
    uint64_t used;
    struct own_child *own;
    WCHAR *own_text;
    size_t own_n, own_at; /* own_at: the next to be merged */
    uint32_t *entries;
    size_t entries_n, entries_max;
    ULONG base_at; /* the next of the base's to be read */
    bool base_end, head;
    ULONG head_size;
    struct list_totals totals;
    union {
        KEY_NODE_INFORMATION info;
        uint8_t bytes[LIST_INFO_MAX];
    } node_info; /* head: of base_at; else of base_at - 1 */
};

static struct list lists[LISTS];
static uint64_t clock_used;
static pthread_mutex_t lists_lock = PTHREAD_MUTEX_INITIALIZER;

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- the private side ---- */

static int compare_own(const void *a, const void *b)
{
    return key_compare(((const struct own_child *)a)->name, ((const struct own_child *)b)->name);
}

static bool is_listed(enum key_kind kind, bool *shown)
{
    *shown = is_private_kind(kind);
    return *shown || kind == KIND_HIDDEN;
}

/* The private children, from the index; false: it is being changed, or there is no memory. */
static bool take_own(struct list *list, uint32_t node, uint32_t serial)
{
    uint32_t before = atomic_load_explicit(&INDEX->sequence, memory_order_acquire), child, left = INDEX_NODES;
    size_t n = 0, text = 0;
    struct key_node key;

    if ((before & 1) || !index_peek(INDEX, node, serial, &key)) return false;
    for (child = key.first_child; child && child < INDEX_NODES && left--; child = INDEX->nodes[child].next_sibling) n++;
    free(list->own);
    free(list->own_text);
    list->own = malloc((n + 1) * sizeof(*list->own));
    list->own_text = malloc((n + 1) * INDEX_NAME_MAX * sizeof(WCHAR));
    list->own_n = list->own_at = 0;
    if (!list->own || !list->own_text) return false;
    for (child = key.first_child; child && child < INDEX_NODES && list->own_n < n; child = INDEX->nodes[child].next_sibling) {
        struct own_child *own = &list->own[list->own_n];
        struct span name = index_name(INDEX, child);

        if (name.n > INDEX_NAME_MAX || !is_listed(INDEX->nodes[child].kind, &own->shown)) continue;
        memcpy(list->own_text + text, name.s, name.n * sizeof(WCHAR));
        own->name = (struct span){ list->own_text + text, name.n };
        own->node = child;
        text += name.n;
        list->own_n++;
    }
    atomic_thread_fence(memory_order_acquire);
    if (atomic_load(&INDEX->sequence) != before) return false;
    list->children = key.children;
    qsort(list->own, list->own_n, sizeof(*list->own), compare_own);
    return true;
}

/* ---- the base's side ---- */

static void read_base_state(HANDLE lower, int64_t *time, ULONG *subkeys)
{
    struct {
        KEY_FULL_INFORMATION info;
        WCHAR more[64];
    } full;
    ULONG need;
    NTSTATUS status = lower ? real_NtQueryKey(lower, KeyFullInformation, &full, sizeof(full), &need) : STATUS_INVALID_HANDLE;

    *time = 0;
    *subkeys = 0;
    if (status && status != STATUS_BUFFER_OVERFLOW) return;
    *time = full.info.LastWriteTime;
    *subkeys = full.info.SubKeys;
}

static struct span head_name(const struct list *list)
{
    return (struct span){ list->node_info.info.Name, list->node_info.info.NameLength / sizeof(WCHAR) };
}

/* does this child of the base show? */
static bool shows(const struct list *list, struct span name)
{
    const struct own_child wanted = { .name = name };

    return !is_silo_hive(list->node, name) && !bsearch(&wanted, list->own, list->own_n, sizeof(wanted), compare_own);
}

/* Read the base's next child that shows. */
static void read_head(struct list *list, HANDLE lower)
{
    ULONG need = 0;

    while (!list->head && !list->base_end) {
        NTSTATUS status = lower ? real_NtEnumerateKey(lower, list->base_at, KeyNodeInformation, &list->node_info,
                                                      sizeof(list->node_info), &need)
                                : STATUS_NO_MORE_ENTRIES;

        if (status && status != STATUS_BUFFER_OVERFLOW) list->base_end = true;
        else if (!shows(list, head_name(list))) list->base_at++;
        else {
            list->head = true;
            list->head_size = status ? 0 : need; /* a long class was cut off */
        }
    }
}

/* ---- merging ---- */

static void max_of(ULONG *max, ULONG n)
{
    if (n > *max) *max = n;
}

static bool push(struct list *list, uint32_t entry)
{
    if (list->entries_n == list->entries_max) {
        size_t max = list->entries_max ? list->entries_max * 2 : 64;
        uint32_t *entries = realloc(list->entries, max * sizeof(*entries));

        if (!entries) return false;
        list->entries = entries;
        list->entries_max = max;
    }
    list->entries[list->entries_n++] = entry;
    return true;
}

/* One more entry. STATUS_NO_MORE_ENTRIES: the list is complete. */
static NTSTATUS step(struct list *list, HANDLE lower)
{
    const struct own_child *own;

    while (list->own_at < list->own_n && !list->own[list->own_at].shown) list->own_at++;
    own = list->own_at < list->own_n ? &list->own[list->own_at] : NULL;
    read_head(list, lower);
    if (!own && !list->head) return STATUS_NO_MORE_ENTRIES;
    if (own && (!list->head || key_compare(own->name, head_name(list)) < 0)) {
        if (!push(list, (uint32_t)(list->own_at << 1))) return STATUS_NO_MEMORY;
        max_of(&list->totals.max_name, (ULONG)(own->name.n * sizeof(WCHAR)));
        list->own_at++;
        return STATUS_SUCCESS;
    }
    if (!push(list, list->base_at << 1 | FROM_BASE)) return STATUS_NO_MEMORY;
    max_of(&list->totals.max_name, list->node_info.info.NameLength);
    max_of(&list->totals.max_class, list->node_info.info.ClassLength);
    list->head = false;
    list->base_at++;
    return STATUS_SUCCESS;
}

static bool start_list(struct list *list, const struct listed_key *key)
{
    int tries;

    list->node = key->node;
    list->serial = key->serial;
    list->entries_n = 0;
    list->base_at = 0;
    list->base_end = list->head = false;
    list->totals = (struct list_totals){ 0 };
    read_base_state(key->lower, &list->base_time, &list->base_subkeys);
    list->checked = now_ms();
    for (tries = 0; tries < 100; tries++)
        if (take_own(list, key->node, key->serial)) return true;
    list->node = 0;
    return false;
}

static bool is_current(struct list *list, const struct listed_key *key, bool from_start)
{
    struct key_node node;
    int64_t time, now;
    ULONG subkeys;

    if (!index_peek(INDEX, key->node, key->serial, &node) || node.children != list->children) return false;
    now = now_ms();
    if (!from_start && now - list->checked < FRESH_MS) return true;
    read_base_state(key->lower, &time, &subkeys);
    list->checked = now;
    return time == list->base_time && subkeys == list->base_subkeys;
}

/* The list of a key, right now; lists_lock is held. NULL: no memory. */
static struct list *list_of(const struct listed_key *key, bool from_start)
{
    struct list *oldest = &lists[0];
    size_t i;

    for (i = 0; i < LISTS; i++) {
        if (lists[i].node == key->node && lists[i].serial == key->serial) {
            lists[i].used = ++clock_used;
            return is_current(&lists[i], key, from_start) || start_list(&lists[i], key) ? &lists[i] : NULL;
        }
        if (lists[i].used < oldest->used) oldest = &lists[i];
    }
    oldest->used = ++clock_used;
    return start_list(oldest, key) ? oldest : NULL;
}

static NTSTATUS item_of(struct list *list, const struct listed_key *key, ULONG index, struct list_item *item, void *info)
{
    uint32_t entry;
    NTSTATUS status;

    while (list->entries_n <= index)
        if ((status = step(list, key->lower))) return status;
    entry = list->entries[index];
    item->in_base = entry & FROM_BASE;
    item->position = entry >> 1;
    item->node = item->in_base ? 0 : list->own[entry >> 1].node;
    item->info_size = 0;
    if (item->in_base && !list->head && !list->base_end && item->position + 1 == list->base_at) {
        item->info_size = list->head_size; /* just read: not again, but this once */
        memcpy(info, &list->node_info, list->head_size);
        list->head_size = 0;
    }
    return STATUS_SUCCESS;
}

NTSTATUS list_item(const struct listed_key *key, ULONG index, struct list_item *item, void *info)
{
    NTSTATUS status = STATUS_NO_MEMORY;
    struct list *list;
    struct quiet q;

    quiet_begin(&q);
    pthread_mutex_lock(&lists_lock);
    if ((list = list_of(key, index == 0))) status = item_of(list, key, index, item, info);
    pthread_mutex_unlock(&lists_lock);
    quiet_end(&q);
    return status;
}

/* ---- totals, for those that ask again: without the lock, and so without system calls ---- */

enum { KNOWN = 16 };
static struct {
    _Atomic uint32_t sequence; /* odd while it is written, which lists_lock is held for */
    uint32_t node, serial, children;
    int64_t checked;
    struct list_totals totals;
} known_totals[KNOWN];

static bool totals_are_known(const struct listed_key *key, struct list_totals *totals)
{
    uint32_t i = key->node % KNOWN, sequence = atomic_load_explicit(&known_totals[i].sequence, memory_order_acquire);
    uint32_t children = known_totals[i].children;
    int64_t checked = known_totals[i].checked;
    struct key_node node;
    bool same = known_totals[i].node == key->node && known_totals[i].serial == key->serial;

    *totals = known_totals[i].totals;
    atomic_thread_fence(memory_order_acquire);
    if (!same || (sequence & 1) || atomic_load_explicit(&known_totals[i].sequence, memory_order_relaxed) != sequence) return false;
    return index_peek(INDEX, key->node, key->serial, &node) && node.children == children && now_ms() - checked < FRESH_MS;
}

static void note_totals(const struct list *list, const struct list_totals *totals)
{
    uint32_t i = list->node % KNOWN;

    atomic_fetch_add_explicit(&known_totals[i].sequence, 1, memory_order_acq_rel);
    atomic_thread_fence(memory_order_release);
    known_totals[i].node = list->node;
    known_totals[i].serial = list->serial;
    known_totals[i].children = list->children;
    known_totals[i].checked = list->checked;
    known_totals[i].totals = *totals;
    atomic_fetch_add_explicit(&known_totals[i].sequence, 1, memory_order_release);
}

NTSTATUS list_totals(const struct listed_key *key, struct list_totals *totals)
{
    NTSTATUS status = STATUS_NO_MEMORY;
    struct list *list;
    struct quiet q;

    if (totals_are_known(key, totals)) return STATUS_SUCCESS;
    quiet_begin(&q);
    pthread_mutex_lock(&lists_lock);
    if ((list = list_of(key, false))) {
        while (!(status = step(list, key->lower))) continue;
        if (status == STATUS_NO_MORE_ENTRIES) status = STATUS_SUCCESS;
        *totals = list->totals;
        totals->subkeys = (ULONG)list->entries_n;
        if (!status) note_totals(list, totals);
    }
    pthread_mutex_unlock(&lists_lock);
    quiet_end(&q);
    return status;
}
