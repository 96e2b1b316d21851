/* Functions of the protocol that Wine's SCM has not got either: Wine's clients call none of them.
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
ABSENT(RChangeServiceConfigA)
ABSENT(RCreateServiceA)
ABSENT(REnumDependentServicesA)
ABSENT(REnumServicesStatusA)
ABSENT(ROpenSCManagerA)
ABSENT(ROpenServiceA)
ABSENT(RQueryServiceConfigA)
ABSENT(RQueryServiceLockStatusA)
ABSENT(RStartServiceA)
ABSENT(RGetServiceDisplayNameA)
ABSENT(RGetServiceKeyNameA)
ABSENT(ScGetCurrentGroupStateW)
ABSENT(RChangeServiceConfig2A)
ABSENT(RQueryServiceConfig2A)
ABSENT(REnumServicesStatusExA)
ABSENT(Opnum43)
ABSENT(RCreateServiceWOW64A)
ABSENT(Opnum46)
ABSENT(RControlServiceExA)
ABSENT(Opnum52)
ABSENT(Opnum53)
ABSENT(Opnum54)
ABSENT(Opnum55)
ABSENT(RQueryServiceConfigEx)
