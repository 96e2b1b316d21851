/* A client of the print spooler.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * printers add NAME    adds a driver and a printer with it
 * printers list        prints the names of the local printers, one a line */

#include <windows.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <winspool.h>

static char driver[] = "winesilo test", environment[] = "Windows x64", processor[] = "WinPrint",
            data_type[] = "RAW", port[] = "LPT1:";

static int fail(const char *what)
{
    fprintf(stderr, "%s: error %lu\n", what, GetLastError());
    return 1;
}

static int add(char *name)
{
    char file[] = "wineps.drv", folder[MAX_PATH], data[MAX_PATH + 16];
    DRIVER_INFO_3A info = { .cVersion = 3, .pName = driver, .pEnvironment = environment, .pDriverPath = file,
                            .pDataFile = data, .pConfigFile = file, .pDefaultDataType = data_type };
    PRINTER_INFO_2A printer = { .pPrinterName = name, .pDriverName = driver, .pPortName = port,
                                .pPrintProcessor = processor, .pDatatype = data_type,
                                .Attributes = PRINTER_ATTRIBUTE_LOCAL };
    DWORD size;
    HANDLE handle;
    FILE *stream;

    if (!GetPrinterDriverDirectoryA(NULL, NULL, 1, (BYTE *)folder, sizeof(folder), &size))
        return fail("GetPrinterDriverDirectory");
    snprintf(data, sizeof(data), "%s\\test.ppd", folder);
    if (!(stream = fopen(data, "w")))
        return fail("fopen");
    fputs("*PPD-Adobe: \"4.3\"\n", stream);
    fclose(stream);
    if (!AddPrinterDriverExA(NULL, 3, (BYTE *)&info, APD_COPY_NEW_FILES | APD_COPY_FROM_DIRECTORY) &&
        GetLastError() != ERROR_PRINTER_DRIVER_ALREADY_INSTALLED)
        return fail("AddPrinterDriverEx");
    if (!(handle = AddPrinterA(NULL, 2, (BYTE *)&printer)))
        return fail("AddPrinter");
    ClosePrinter(handle);
    return 0;
}

static int list(void)
{
    DWORD size = 0, count = 0;
    PRINTER_INFO_2A *found;

    EnumPrintersA(PRINTER_ENUM_LOCAL, NULL, 2, NULL, 0, &size, &count);
    found = malloc(size + 1);
    if (!EnumPrintersA(PRINTER_ENUM_LOCAL, NULL, 2, (BYTE *)found, size, &size, &count))
        return fail("EnumPrinters");
    for (DWORD i = 0; i < count; i++)
        printf("%s\n", found[i].pPrinterName);
    free(found);
    return 0;
}

int main(int argc, char **argv)
{
    return argc == 3 && !strcmp(argv[1], "add") ? add(argv[2]) : list();
}
