/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * audit.c: each name once, whoever adds it and however often; what has no room is counted. */
#include <pthread.h>

#include "audit.h"
#include "check.h"

enum { THREADS = 4, NAMES = 3000 };

static struct audit *make(void)
{
    struct audit *a = calloc(1, sizeof(*a));

    if (!a) abort();
    a->seed = 7;
    return a;
}

static uint32_t add(struct audit *a, const char *name, unsigned int how)
{
    const struct audit_note note = { AUDIT_PIPE, AUDIT_PRIVATE, RULE_PIPE, how, 0 };

    return audit_add(a, &note, name, strlen(name));
}

static bool has(const struct audit *a, uint32_t entry, const char *name)
{
    const struct audit_entry *e = &a->entries[entry - 1];

    return e->bytes == strlen(name) && !memcmp(a->text + e->text - 1, name, e->bytes);
}

static void test_once(void)
{
    struct audit *a = make();
    const struct audit_note other = { AUDIT_PIPE, AUDIT_REFUSED, RULE_PIPE, AUDIT_OPENED, 0 };
    uint32_t first = add(a, "one", AUDIT_OPENED), second;

    CHECK(first && has(a, first, "one"));
    CHECK(a->entries[first - 1].how == AUDIT_OPENED && a->entries[first - 1].rule == RULE_PIPE);
    CHECK(add(a, "one", AUDIT_CREATED) == first && a->entries_n == 1);
    CHECK(a->entries[first - 1].how == (AUDIT_OPENED | AUDIT_CREATED));
    second = add(a, "One", AUDIT_OPENED);
    CHECK(second != first && has(a, second, "One") && a->entries_n == 2);
    CHECK(audit_add(a, &other, "one", 3) != first && a->entries_n == 3); /* another class is another entry */
    CHECK(add(a, "", AUDIT_OPENED) && a->entries_n == 4 && !a->lost);
    free(a);
}

static void test_long(void)
{
    struct audit *a = make();
    char *name = malloc(AUDIT_NAME_MAX + 9);
    uint32_t first, second;

    if (!name) abort();
    memset(name, 'x', AUDIT_NAME_MAX + 8);
    name[AUDIT_NAME_MAX + 8] = 0;
    first = add(a, name, AUDIT_OPENED);
    CHECK(first && a->entries[first - 1].bytes == AUDIT_NAME_MAX && a->entries[first - 1].flags == AUDIT_CUT);
    CHECK(add(a, name, AUDIT_OPENED) == first);
    name[AUDIT_NAME_MAX + 4] = 'y'; /* names that differ behind the cut are two */
    second = add(a, name, AUDIT_OPENED);
    CHECK(second && second != first && a->entries_n == 2);
    free(name);
    free(a);
}

static void test_full(void)
{
    struct audit *a = make();
    char name[32], text[AUDIT_NAME_MAX];
    const struct audit_note note = { AUDIT_OBJECT, AUDIT_SHARED, RULE_OBJECT_ROOT, AUDIT_OPENED, 0 };
    unsigned int i, found = 0;

    for (i = 0; i < AUDIT_ENTRIES + 100; i++) {
        snprintf(name, sizeof(name), "%u", i);
        add(a, name, AUDIT_OPENED);
    }
    CHECK(a->lost >= 100 && a->entries_n + a->lost == AUDIT_ENTRIES + 100);
    for (i = 0; i < AUDIT_ENTRIES; i++) found += a->entries[i].hash != 0;
    CHECK(found == a->entries_n);
    free(a);
    a = make();
    memset(text, 'x', sizeof(text));
    for (i = 0; i < AUDIT_TEXT / AUDIT_NAME_MAX + 10; i++) {
        memcpy(text, &i, sizeof(i));
        CHECK(audit_add(a, &note, text, sizeof(text))); /* the entry is there, its name is lost */
    }
    CHECK(a->lost == 10 && a->text_n <= AUDIT_TEXT);
    free(a);
}

static void *add_many(void *arg)
{
    char name[32];
    unsigned int i;

    for (i = 0; i < NAMES; i++) {
        snprintf(name, sizeof(name), "name-%u", i);
        add(arg, name, AUDIT_CREATED);
    }
    return NULL;
}

static void test_threads(void)
{
    struct audit *a = make();
    pthread_t threads[THREADS];
    char name[32];
    unsigned int i;

    for (i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, add_many, a)) abort();
    for (i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    CHECK(a->entries_n == NAMES && !a->lost);
    for (i = 0; i < NAMES; i++) {
        snprintf(name, sizeof(name), "name-%u", i);
        CHECK(has(a, add(a, name, AUDIT_CREATED), name));
    }
    CHECK(a->entries_n == NAMES);
    free(a);
}

static void test_rules(void)
{
    struct audit *a = make();
    unsigned int lines = 0, tabs = 0, i;

    audit_write_rules(a);
    CHECK(a->rules_n && a->rules_n < AUDIT_RULES && a->rules[a->rules_n - 1] == '\n');
    for (i = 0; i < a->rules_n; i++) {
        lines += a->rules[i] == '\n';
        tabs += a->rules[i] == '\t';
    }
    CHECK(lines == RULES_END - 1 && tabs == 3 * lines);
    CHECK(audit_rule_class[RULE_UNIX_PATH - RULE_NAMES_END - 1] == AUDIT_REFUSED);
    free(a);
}

int main(void)
{
    test_once();
    test_long();
    test_full();
    test_threads();
    test_rules();
    return failed != 0;
}
