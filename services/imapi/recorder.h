/* What the service and its client have in common: the class, and its methods.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WINESILO_IMAPI_RECORDER_H
#define WINESILO_IMAPI_RECORDER_H

#include <initguid.h>

/* {6E1C7A34-52B0-4D0B-9B43-8C1B5D0E7A11}; its one interface is IDispatch, whose marshaling Windows brings along */
DEFINE_GUID(CLSID_Recorders, 0x6e1c7a34, 0x52b0, 0x4d0b, 0x9b, 0x43, 0x8c, 0x1b, 0x5d, 0x0e, 0x7a, 0x11);

/* Recorders are numbered from 0; the last one is the image recorder, the others are CD drives. */
enum {
    RECORDER_COUNT = 1, /* -> I4 */
    RECORDER_NAME,      /* I4 recorder -> BSTR */
    RECORDER_PATH,      /* I4 recorder -> BSTR: a drive, or the folder of the images */
    RECORDER_BURN,      /* I4 recorder, BSTR folder, BSTR volume -> BSTR: the image that was written */
};

#endif
