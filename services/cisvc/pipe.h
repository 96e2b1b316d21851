/* The query interface: the server of \\.\pipe\ci_skads.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WINESILO_CI_PIPE_H
#define WINESILO_CI_PIPE_H

#include "catalog.h"

struct served {
    struct catalog catalog;
    HANDLE scan;                /* set: the worker scans */
    struct worker_state *state;
};

/* Serve until stop is set; returns a Windows error code. catalogs stay as they are meanwhile. */
DWORD pipe_serve(struct served *catalogs, DWORD count, HANDLE stop);

/* Make the pipe's first instance, before the service says that it runs. */
DWORD pipe_begin(void);

#endif
