/* An RPC server with a dynamic TCP endpoint, which it registers with the endpoint mapper.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * endpoints UUID    offers an empty interface of that id, version 1.0; prints `ready` and waits */

#include "check.h"

#include <rpc.h>

/* NDR, the one way to put data on the wire that everyone speaks. */
static const RPC_SYNTAX_IDENTIFIER ndr = {
    { 0x8a885d04, 0x1ceb, 0x11c9, { 0x9f, 0xe8, 0x08, 0x00, 0x2b, 0x10, 0x48, 0x60 } }, { 2, 0 }
};

int main(int argc, char **argv)
{
    static RPC_DISPATCH_TABLE dispatch;
    static RPC_SERVER_INTERFACE interface_;
    RPC_BINDING_VECTOR *bindings;
    UUID id;
    RPC_STATUS status;

    if (argc != 2 || UuidFromStringA((RPC_CSTR)argv[1], &id))
        return 2;
    interface_.Length = sizeof(interface_);
    interface_.InterfaceId.SyntaxGUID = id;
    interface_.InterfaceId.SyntaxVersion.MajorVersion = 1;
    interface_.TransferSyntax = ndr;
    interface_.DispatchTable = &dispatch;
    status = RpcServerUseProtseqA((RPC_CSTR) "ncacn_ip_tcp", RPC_C_PROTSEQ_MAX_REQS_DEFAULT, NULL);
    if (!status)
        status = RpcServerRegisterIf(&interface_, NULL, NULL);
    if (!status)
        status = RpcServerInqBindings(&bindings);
    if (!status)
        status = RpcEpRegisterA(&interface_, bindings, NULL, NULL);
    if (!status)
        status = RpcServerListen(1, RPC_C_LISTEN_MAX_CALLS_DEFAULT, TRUE);
    if (status) {
        fprintf(stderr, "failed: %ld\n", status);
        return 1;
    }
    hold();
    return 0;
}
