/* Programs that start themselves again, with other arguments.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#ifndef WINESILO_TEST_CHILD_H
#define WINESILO_TEST_CHILD_H

#include "check.h"

static char self[MAX_PATH];

/* With a startup of the caller's, handles are inherited. */
static BOOL run(const char *arguments, DWORD flags, STARTUPINFOA *startup, PROCESS_INFORMATION *info)
{
    static STARTUPINFOA plain = {.cb = sizeof(plain)};
    char line[2 * MAX_PATH];

    snprintf(line, sizeof(line), "\"%s\" %s", self, arguments);
    return CreateProcessA(NULL, line, NULL, NULL, startup != NULL, flags, NULL, NULL, startup ? startup : &plain, info);
}

static DWORD end_of(PROCESS_INFORMATION *info)
{
    DWORD code = 0xdead;

    if (WaitForSingleObject(info->hProcess, 20000) != WAIT_OBJECT_0)
        TerminateProcess(info->hProcess, 0xdead);
    GetExitCodeProcess(info->hProcess, &code);
    CloseHandle(info->hProcess);
    CloseHandle(info->hThread);
    return code;
}

#endif
