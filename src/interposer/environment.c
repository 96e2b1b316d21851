/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "environment.h"

#include <string.h>

/* Wine's own ones that it does not hide itself (dlls/ntdll/unix/env.c), and ours */
static const char *const names[] = { "LD_PRELOAD",  "WINESILO_CONFIG", "WINEPREFIX",
                                     "WINEDLLPATH", "WINEDEBUG",       "WINEARCH",   ENVIRONMENT_FIRST };

static bool is_named(const char *entry, const char *name, size_t n)
{
    return !strncmp(entry, name, n) && entry[n] == '=';
}

static bool is_hidden(const char *entry)
{
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (is_named(entry, names[i], strlen(names[i]))) return true;
    return false;
}

void environment_hide(struct hidden_environment *hidden, char **env)
{
    char **kept = env;

    for (hidden->n = 0; *env; env++)
        if (hidden->n < ENVIRONMENT_HIDDEN && is_hidden(*env)) hidden->entries[hidden->n++] = *env;
        else *kept++ = *env;
    *kept = NULL;
}

char *environment_hidden(const struct hidden_environment *hidden, const char *name)
{
    size_t n, i;

    if ((name[0] != 'W' && name[0] != 'L') || !(n = strlen(name))) return NULL;
    for (i = 0; i < hidden->n; i++)
        if (is_named(hidden->entries[i], name, n)) return hidden->entries[i] + n + 1;
    return NULL;
}

void environment_forget(struct hidden_environment *hidden, const char *name)
{
    size_t n = strlen(name), kept = 0, i;

    for (i = 0; i < hidden->n; i++)
        if (!is_named(hidden->entries[i], name, n)) hidden->entries[kept++] = hidden->entries[i];
    hidden->n = kept;
}

size_t environment_size(const struct hidden_environment *hidden, char *const env[])
{
    size_t n = 0;

    while (env && env[n]) n++;
    return hidden->n + n + 1;
}

void environment_whole(const struct hidden_environment *hidden, char *const env[], char **out)
{
    size_t i;

    for (i = 0; i < hidden->n; i++) *out++ = hidden->entries[i];
    for (; env && *env; env++)
        if (!is_hidden(*env)) *out++ = *env;
    *out = NULL;
}
