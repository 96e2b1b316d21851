/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * variables.c: the environment of a first process, put together as Wine does it. */
#include "check.h"
#include "variables.h"

static void set(struct variables *v, const char *name, const char *value)
{
    struct span wide_name = wide(name), wide_value = wide(value ? value : "");

    variables_set(v, wide_name, value ? wide_value : (struct span){ NULL, 0 });
    free_span(wide_name);
    free_span(wide_value);
}

static void set_registry(struct variables *v, const char *name, bool references, const char *data, bool terminated)
{
    struct span wide_name = wide(name), wide_data = wide(data);
    size_t n = wide_data.n + terminated;
    WCHAR *copy = calloc(n + 1, sizeof(WCHAR));

    memcpy(copy, wide_data.s, wide_data.n * sizeof(WCHAR));
    variables_set_registry(v, wide_name, references, (struct span){ copy, n });
    free(copy);
    free_span(wide_name);
    free_span(wide_data);
}

static bool is(const struct variables *v, const char *name, const char *value)
{
    struct span wide_name = wide(name), wide_value = wide(value ? value : "");
    struct span found = variables_get(v, wide_name);
    bool same = value ? found.s && found.n == wide_value.n &&
                            !memcmp(found.s, wide_value.s, found.n * sizeof(WCHAR))
                      : !found.s;

    free_span(wide_name);
    free_span(wide_value);
    return same;
}

static void test_set(void)
{
    struct variables v = { 0 };

    CHECK(is(&v, "A", NULL));
    set(&v, "A", "1");
    set(&v, "AB", "");
    set(&v, "Other", "x=y");
    CHECK(is(&v, "a", "1") && is(&v, "AB", "") && is(&v, "OTHER", "x=y") && is(&v, "", NULL) && is(&v, "B", NULL));
    set(&v, "a", "a longer one");
    CHECK(is(&v, "A", "a longer one") && is(&v, "AB", ""));
    set(&v, "ab", NULL);
    set(&v, "absent", NULL);
    CHECK(is(&v, "AB", NULL) && is(&v, "Other", "x=y") && is(&v, "A", "a longer one"));
    variables_free(&v);
    CHECK(is(&v, "A", NULL));
}

static void test_grow(void)
{
    struct variables v = { 0 };
    char name[16], value[300];
    int i;

    memset(value, 'v', sizeof(value) - 1);
    value[sizeof(value) - 1] = 0;
    for (i = 0; i < 200; i++) {
        snprintf(name, sizeof(name), "N%d", i);
        set(&v, name, value);
    }
    CHECK(!v.failed && is(&v, "N0", value) && is(&v, "N199", value));
    variables_free(&v);
}

static void test_references(void)
{
    struct variables v = { 0 };

    set(&v, "SystemRoot", "C:\\windows");
    set(&v, "Empty", "");
    set_registry(&v, "A", true, "%systemroot%\\x;%Empty%;%None%;100%", true);
    CHECK(is(&v, "A", "C:\\windows\\x;;%None%;100%"));
    set_registry(&v, "B", false, "%SystemRoot%", false);
    CHECK(is(&v, "B", "%SystemRoot%"));
    set_registry(&v, "C", true, "%", true);
    CHECK(is(&v, "C", "%"));
    set_registry(&v, "D", true, "%%SystemRoot%%", true);
    CHECK(is(&v, "D", "%%SystemRoot%%")); /* %% is the variable without a name, which is not there */
    set_registry(&v, "B", false, "", true);
    set_registry(&v, "B", false, "", false);
    CHECK(is(&v, "B", "%SystemRoot%"));
    variables_free(&v);
}

static void test_path(void)
{
    struct variables v = { 0 };

    set(&v, "PATHEXT", ".exe");
    set_registry(&v, "Path", false, "C:\\a", true);
    CHECK(is(&v, "PATH", "C:\\a"));
    set_registry(&v, "PATH", true, "%Path%;C:\\b", true);
    CHECK(is(&v, "PATH", "C:\\a;C:\\a;C:\\b"));
    set(&v, "PATH", NULL);
    CHECK(is(&v, "PATHEXT", ".exe"));
    variables_free(&v);
}

/* a 0 within the data ends the value; a number is taken for text, as in Wine */
static void test_other_data(void)
{
    static const WCHAR text[] = { 'a', 0, 'b', 0 }, number[] = { 7, 0 };
    struct variables v = { 0 };
    struct span name = wide("X");

    variables_set_registry(&v, name, true, (struct span){ text, 4 });
    CHECK(is(&v, "X", "a"));
    variables_set_registry(&v, name, false, (struct span){ number, 2 });
    CHECK(is(&v, "X", "\7"));
    free_span(name);
    variables_free(&v);
}

static void test_kinds(void)
{
    struct span wines = wide("WINEDLLDIR12=x"), own = wide("WINETEST=x"), drive = wide("SystemDrive=C:");

    CHECK(variable_kind("A=1") == VARIABLE_PLAIN && variable_kind("PATHEXT=1") == VARIABLE_PLAIN);
    CHECK(variable_kind("PATH=/bin") == VARIABLE_OF_UNIX && variable_kind("QT_X=1") == VARIABLE_OF_UNIX);
    CHECK(variable_kind("WINEPATH=C:\\x") == VARIABLE_RENAMED && variable_kind("WINEQT_X=1") == VARIABLE_RENAMED);
    CHECK(variable_kind("WINEDLLDIR0=x") == VARIABLE_OF_WINE && variable_kind("WINETEST_X=1") == VARIABLE_PLAIN);
    CHECK(variable_kind("WINESERVERSOCKET=5") == VARIABLE_OF_WINE && variable_kind("") == VARIABLE_PLAIN);
    CHECK(variable_is_wines(wines) && variable_is_wines(drive) && !variable_is_wines(own));
    free_span(wines);
    free_span(own);
    free_span(drive);
}

int main(void)
{
    test_set();
    test_grow();
    test_references();
    test_path();
    test_other_data();
    test_kinds();
    return failed != 0;
}
