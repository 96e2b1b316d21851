/* services.exe of a silo: reads the database, opens its pipes, starts what is to start.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "scm.h"

#include "extra.h"

#define DEFAULT_PIPE_TIMEOUT_MS 10000
#define DEFAULT_KILL_TIMEOUT_MS 20000

static void read_parameters(void)
{
    HKEY key;

    pipe_timeout = DEFAULT_PIPE_TIMEOUT_MS;
    kill_timeout = DEFAULT_KILL_TIMEOUT_MS;
    if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, L"System\\CurrentControlSet\\Control", 0, KEY_READ, &key))
        return;
    pipe_timeout = read_milliseconds(key, L"ServicesPipeTimeout", pipe_timeout);
    kill_timeout = read_milliseconds(key, L"WaitToKillServiceTimeout", kill_timeout);
    RegCloseKey(key);
}

static DWORD listen_for_calls(void)
{
    WCHAR transport[] = L"ncacn_np", endpoint[] = L"\\pipe\\svcctl";
    RPC_STATUS status = RpcServerRegisterIf(svcctl_v2_0_s_ifspec, NULL, NULL);

    if (!status)
        status = RpcServerRegisterIf(scmextra_v1_0_s_ifspec, NULL, NULL);
    if (!status) /* last, as it is what clients wait for */
        status = RpcServerUseProtseqEpW(transport, 0, endpoint, NULL);
    if (!status)
        status = RpcServerListen(1, RPC_C_LISTEN_MAX_CALLS_DEFAULT, TRUE);
    return status;
}

/* What must work for a silo to start; `silo start` shows the last line of the log if it does not. */
static void start(void)
{
    static const struct {
        DWORD (*begin)(void);
        const char *failure;
    } steps[] = {
        {database_open, "can't read the services, error"},
        {listen_for_processes, "can't make the pipe for services, error"},
        {listen_for_calls, "can't make the pipe for calls, error"},
    };

    for (unsigned i = 0; i < COUNT(steps); i++) {
        DWORD error = steps[i].begin();

        if (error) {
            say(steps[i].failure, L"services.exe", error);
            TerminateProcess(GetCurrentProcess(), error);
        }
    }
}

void scm_entry(void)
{
    InitializeCriticalSection(&scm_lock);
    read_parameters();
    start();
    start_automatic_services();
    serve_connections();
}
