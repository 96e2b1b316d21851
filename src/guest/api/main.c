/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * winesilo.dll: functions that Wine's advapi32.dll and sechost.dll have as stubs, or that do less than Windows'. */
#include <windows.h>

BOOL WINAPI DllMain(HINSTANCE instance, DWORD reason, void *reserved)
{
    (void)reserved;
    if (reason == DLL_PROCESS_ATTACH) DisableThreadLibraryCalls(instance);
    return TRUE;
}
