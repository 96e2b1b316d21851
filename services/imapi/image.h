/* Recording of a folder: as an ISO image in a file.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WINESILO_IMAPI_IMAGE_H
#define WINESILO_IMAPI_IMAGE_H

#include <windows.h>

/* Write all that is in folder to target, which must not exist; written under another name and renamed when whole. */
HRESULT image_write(const WCHAR *folder, const char *volume, const WCHAR *target);

#endif
