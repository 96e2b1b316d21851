/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The Unix environment: what steers Wine and this library is kept from Windows programs. Pure. */
#ifndef WINESILO_ENVIRONMENT_H
#define WINESILO_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

enum { ENVIRONMENT_HIDDEN = 8 };

/* set for a process that no Windows program has started, and kept from those that it starts itself */
#define ENVIRONMENT_FIRST "WINESILO_FIRST"

struct hidden_environment {
    char *entries[ENVIRONMENT_HIDDEN];
    size_t n;
};

/* Take the variables that Windows programs must not see out of env and remember them. */
void environment_hide(struct hidden_environment *hidden, char **env);
/* the value of a hidden variable, or NULL */
char *environment_hidden(const struct hidden_environment *hidden, const char *name);
/* Children do not get it any more. */
void environment_forget(struct hidden_environment *hidden, const char *name);
/* how many pointers environment_whole writes */
size_t environment_size(const struct hidden_environment *hidden, char *const env[]);
/* env and what was hidden from it, for a program that is to become a process of the silo */
void environment_whole(const struct hidden_environment *hidden, char *const env[], char **out);

#endif
