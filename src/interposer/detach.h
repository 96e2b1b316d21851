/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WINESILO_DETACH_H
#define WINESILO_DETACH_H

#include <stdbool.h>

/* Overlayfs without redirect_dir can't rename a folder that has a part in a lower layer (EXDEV). Put a new folder
 * with the same content, which can be renamed, in its place. Content that is already in the uppermost layer only
 * moves; what is not is copied up. False: it could not be done, and all is as before. Pure. */
bool folder_detach(const char *path);

#endif
