/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WINESILO_STARTUP_H
#define WINESILO_STARTUP_H

/* To be called once, when Wine has set the process up and before its Windows code runs. */
void startup_ready(const void *teb);

#endif
