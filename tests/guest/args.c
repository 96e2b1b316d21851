/* Prints its arguments, one per line, as UTF-8: what a program in a silo is really given.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <windows.h>

#include <shellapi.h>
#include <stdio.h>

int main(void)
{
    char text[4096];
    int count, size;
    WCHAR **words = CommandLineToArgvW(GetCommandLineW(), &count);

    if (!words) return 1;
    for (int i = 1; i < count; i++) {
        size = WideCharToMultiByte(CP_UTF8, 0, words[i], -1, text, sizeof(text), NULL, NULL);
        if (!size) return 1;
        printf("%s\n", text);
    }
    return 0;
}
