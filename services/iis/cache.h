/* Files that were sent a moment ago, in memory.
 *
 * As W3SVC of IIS 6 has it: files of up to 256 KB (MaxCachedFileSize, "Global IIS Caching Registry Entries"). Nothing is
 * trusted for a time, however: what is kept counts for one time of writing and one size of the file, which the caller
 * has just read.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WINESILO_IIS_CACHE_H
#define WINESILO_IIS_CACHE_H

#include <winsock2.h>
#include <windows.h>

enum { CACHED_MAX = 256 << 10 }; /* bytes of a file */

struct cached;

/* The file as it was written at stamp (a FILETIME), or NULL. To be released. */
struct cached *cache_find(const WCHAR *path, ULONGLONG stamp, ULONGLONG size);
const char *cached_data(const struct cached *file);
void cache_release(struct cached *file);

/* Keep a file's content. Not if it was written a moment ago: another change could have the same time. */
void cache_keep(const WCHAR *path, ULONGLONG stamp, const char *data, DWORD size);

/* Forget everything. */
void cache_clear(void);

#endif
