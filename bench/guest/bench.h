/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The rows of the measurements: microbench.c runs them, rows_<what>.c have them. */
#ifndef WINESILO_BENCH_H
#define WINESILO_BENCH_H

#include <winsock2.h>
#include <windows.h>

/* What becomes of the call in a silo. */
#define HOOKED "hooked"   /* a hook of the interposer redirects it or looks after it */
#define OVERLAY "overlay" /* no hook does more than look at the name, but C: is an overlay file system (docs/design/files.md) */
#define PLAIN "plain"     /* it needs no redirection */

struct row {
    const char *kind, *name;
    void (*run)(void);    /* the operation that is timed */
    void (*set_up)(void); /* before the first one; NULL: nothing. It may stand in several rows */
};

/* each ends with a row without a name */
extern const struct row registry_rows[], object_rows[], file_rows[], network_rows[], window_rows[], process_rows[], plain_rows[];

extern const char *side; /* "silo" or "host": in names of what each side has of its own */

void die(const char *what) __attribute__((noreturn)); /* with the last error */

/* hives.c: other things than rows, see there; -1: none of them */
int hives_main(int argc, char **argv);
double now_ns(void);

#endif
