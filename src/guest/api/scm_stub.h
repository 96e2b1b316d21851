/* Read in front of the stubs that widl makes: their calls of the RPC runtime go through the frame in scm_call.c.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <windows.h>
#include <rpcndr.h>

CLIENT_CALL_RETURN RPC_VAR_ENTRY scm_ndr_call(PMIDL_STUB_DESC descriptor, PFORMAT_STRING format, ...);
#define NdrClientCall2 scm_ndr_call
