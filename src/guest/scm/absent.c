/* Functions of the protocol that are not documented, and one for service triggers, which nothing has.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "scm.h"

#define ABSENT(name)                                                                                                    \
    u32_t name(void)                                                                                                    \
    {                                                                                                                   \
        return ERROR_CALL_NOT_IMPLEMENTED;                                                                              \
    }

ABSENT(ScSetServiceBitsW)
ABSENT(ScSetServiceBitsA)
ABSENT(ScGetCurrentGroupStateW)
ABSENT(Opnum43)
ABSENT(Opnum46)
ABSENT(Opnum52)
ABSENT(Opnum53)
ABSENT(Opnum54)
ABSENT(Opnum55)
ABSENT(RQueryServiceConfigEx)
