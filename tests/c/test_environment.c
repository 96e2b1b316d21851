/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * environment.c: what is kept from Windows programs, and that children get all of it. */
#include "check.h"
#include "environment.h"

static bool holds(char *const env[], const char *entry)
{
    for (; *env; env++)
        if (!strcmp(*env, entry)) return true;
    return false;
}

static void test_hide(void)
{
    char *env[] = { (char *)"A=1",          (char *)"LD_PRELOAD=/l.so",  (char *)"LD_PRELOADED=2",
                    (char *)"WINEPREFIX=/p", (char *)"WINEPATH=C:\\x",   (char *)"WINESILO_CONFIG=/c",
                    (char *)"WINEDEBUG",     (char *)"Z=",               NULL };
    char *whole[16];
    struct hidden_environment hidden;

    environment_hide(&hidden, env);
    CHECK(hidden.n == 3);
    CHECK(!strcmp(env[0], "A=1") && !strcmp(env[1], "LD_PRELOADED=2") && !strcmp(env[2], "WINEPATH=C:\\x"));
    CHECK(!strcmp(env[3], "WINEDEBUG") && !strcmp(env[4], "Z=") && !env[5]);
    CHECK(!strcmp(environment_hidden(&hidden, "LD_PRELOAD"), "/l.so"));
    CHECK(!strcmp(environment_hidden(&hidden, "WINEPREFIX"), "/p"));
    CHECK(!environment_hidden(&hidden, "WINE") && !environment_hidden(&hidden, "") && !environment_hidden(&hidden, "A"));

    CHECK(environment_size(&hidden, env) == 9);
    environment_whole(&hidden, env, whole);
    CHECK(!whole[8] && holds(whole, "LD_PRELOAD=/l.so") && holds(whole, "WINESILO_CONFIG=/c") && holds(whole, "Z="));
}

/* a program that names these variables for its child does not change them */
static void test_override(void)
{
    char *env[] = { (char *)"LD_PRELOAD=/l.so", NULL };
    char *const asked[] = { (char *)"LD_PRELOAD=/other.so", (char *)"B=2", NULL };
    char *whole[4];
    struct hidden_environment hidden;

    environment_hide(&hidden, env);
    CHECK(!env[0] && environment_size(&hidden, asked) == 4);
    environment_whole(&hidden, asked, whole);
    CHECK(holds(whole, "LD_PRELOAD=/l.so") && holds(whole, "B=2") && !whole[2]);
    environment_whole(&hidden, NULL, whole);
    CHECK(holds(whole, "LD_PRELOAD=/l.so") && !whole[1] && environment_size(&hidden, NULL) == 2);
}

/* more of them than there is room for: the rest stays where it is */
static void test_full(void)
{
    char *env[ENVIRONMENT_HIDDEN + 2];
    struct hidden_environment hidden;
    size_t i;

    for (i = 0; i <= ENVIRONMENT_HIDDEN; i++) env[i] = (char *)"WINEDEBUG=x";
    env[i] = NULL;
    environment_hide(&hidden, env);
    CHECK(hidden.n == ENVIRONMENT_HIDDEN && env[0] && !env[1]);
}

/* what is for this process alone goes to the program it becomes, but not to its children */
static void test_forget(void)
{
    char *env[] = { (char *)ENVIRONMENT_FIRST "=1", (char *)"LD_PRELOAD=/l.so", NULL };
    char *whole[4];
    struct hidden_environment hidden;

    environment_hide(&hidden, env);
    environment_whole(&hidden, env, whole);
    CHECK(!env[0] && holds(whole, ENVIRONMENT_FIRST "=1") && holds(whole, "LD_PRELOAD=/l.so"));
    environment_forget(&hidden, ENVIRONMENT_FIRST);
    environment_whole(&hidden, env, whole);
    CHECK(!environment_hidden(&hidden, ENVIRONMENT_FIRST) && holds(whole, "LD_PRELOAD=/l.so") && !whole[1]);
}

int main(void)
{
    test_hide();
    test_forget();
    test_override();
    test_full();
    return failed != 0;
}
