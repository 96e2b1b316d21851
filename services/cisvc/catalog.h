/* Catalogues, as the registry lists them: HKLM\SYSTEM\CurrentControlSet\Control\ContentIndex\Catalogs.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WINESILO_CI_CATALOG_H
#define WINESILO_CI_CATALOG_H

#include <winsock2.h>
#include <windows.h>

enum { CATALOGS_MAX = 8, SCOPES_MAX = 6, NAME_MAX_CI = 64 };

struct scope {
    WCHAR path[MAX_PATH]; /* a folder, without a backslash at the end */
    BOOL included;
};

struct catalog {
    WCHAR name[NAME_MAX_CI];
    WCHAR folder[MAX_PATH]; /* LOCATION\catalog.wci */
    struct scope scopes[SCOPES_MAX];
    DWORD scope_count;
};

/* what a worker tells the service, in a section that both have */
struct worker_state {
    volatile LONG scanning; /* 1 from when a scan is asked for to its end */
    volatile LONG scans;    /* complete ones */
};

/* Reads all, or the one of this name; returns how many. */
DWORD catalogs_read(struct catalog catalogs[CATALOGS_MAX], const WCHAR *only);

/* Minutes between scans that nothing has asked for: ForcedNetPathScanInterval, 120. */
DWORD catalog_interval(void);

/* Bytes of the largest file that is read: MaxTextFilterBytes, 25600000. */
DWORD catalog_largest(void);

/* FOLDER\index of a catalogue */
void catalog_file(const struct catalog *catalog, const WCHAR *name, WCHAR path[MAX_PATH + 16]);

#endif
