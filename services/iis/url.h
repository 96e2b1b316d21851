/* Paths of requests. Touches nothing but its arguments.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WINESILO_IIS_URL_H
#define WINESILO_IIS_URL_H

#include <stddef.h>

enum url_result {
    URL_GOOD,
    URL_BAD,     /* 400: no path, a percent sign without two digits, a NUL, no UTF-8 */
    URL_NOWHERE, /* 404: it leads out of the root, or to what is no file of it: a device, a stream, another name of a file */
};

/* The file that a request's path means, relative to the root: "/a%20b/./c" is "a b\c", "/" is "". The path ends at size, or
 * at '?' or '#'. out has room for size + 1 bytes. *folder: it ends with a slash. */
enum url_result url_file(const char *path, size_t size, char *out, int *folder);

#endif
