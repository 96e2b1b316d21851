/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The time of single calls, for bench/run.py.
 *
 *   microbench rows           a line per row: its kind, a tab, its name
 *   microbench serve SIDE     reads lines "NAME COUNT", makes the operation so many times and answers with a line: the
 *                             nanoseconds of one. Two of these, one in a silo and one on the host (SIDE says which), are
 *                             asked in turns
 *   microbench hives ...      see hives.c
 *   microbench nothing        nothing: a process to start */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct row *const groups[] = {
    registry_rows, object_rows, file_rows, network_rows, window_rows, process_rows, plain_rows,
};
enum { GROUPS = sizeof(groups) / sizeof(groups[0]), MAX_SET_UP = 64 };

const char *side = "host";

double now_ns(void)
{
    static LARGE_INTEGER frequency;
    LARGE_INTEGER t;

    if (!frequency.QuadPart) QueryPerformanceFrequency(&frequency);
    QueryPerformanceCounter(&t);
    return (double)t.QuadPart * 1e9 / (double)frequency.QuadPart;
}

void die(const char *what)
{
    fprintf(stderr, "microbench: %s failed, error %lu\n", what, GetLastError());
    exit(1);
}

static const struct row *find(const char *name)
{
    const struct row *row;
    int i;

    for (i = 0; i < GROUPS; i++)
        for (row = groups[i]; row->name; row++)
            if (!strcmp(row->name, name)) return row;
    return NULL;
}

/* once each, though it stands in several rows */
static void set_up(void (*function)(void))
{
    static void (*done[MAX_SET_UP])(void);
    int i;

    for (i = 0; i < MAX_SET_UP && done[i]; i++)
        if (done[i] == function) return;
    if (i == MAX_SET_UP) die("set-up");
    done[i] = function;
    function();
}

static int serve(void)
{
    char line[128], name[96];
    int count, i;

    puts("ready");
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin)) {
        const struct row *row;
        double start;

        if (sscanf(line, "%95s %d", name, &count) != 2 || count < 1 || !(row = find(name))) die(line);
        if (row->set_up) set_up(row->set_up);
        start = now_ns();
        for (i = 0; i < count; i++) row->run();
        printf("%.1f\n", (now_ns() - start) / count);
        fflush(stdout);
    }
    return 0;
}

static int print_rows(void)
{
    const struct row *row;
    int i;

    for (i = 0; i < GROUPS; i++)
        for (row = groups[i]; row->name; row++) printf("%s\t%s\n", row->kind, row->name);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "nothing")) return 0;
    if (argc > 1 && !strcmp(argv[1], "rows")) return print_rows();
    if (argc > 2 && !strcmp(argv[1], "hives")) return hives_main(argc - 2, argv + 2);
    if (argc == 3 && !strcmp(argv[1], "serve")) {
        side = argv[2];
        return serve();
    }
    fprintf(stderr, "usage: microbench rows|serve SIDE|hives ...\n");
    return 2;
}
