/* A client of the Windows Installer: makes a package and installs it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * installer install {CODE} NAME    makes C:\NAME.msi, whose product has that code, and installs it
 * installer remove {CODE}          uninstalls it
 * installer list                   prints the codes of all products, one a line */

#include <windows.h>

#include <msi.h>
#include <msiquery.h>
#include <stdio.h>
#include <string.h>

#define TEXT_COLUMN(name) "`" name "` CHAR(255) NOT NULL"

/* The tables of a package that has one component, a registry value; {CODE} and {NAME} are replaced. */
static const char *const statements[] = {
    "CREATE TABLE `Property` (" TEXT_COLUMN("Property") ", " TEXT_COLUMN("Value") " PRIMARY KEY `Property`)",
    "INSERT INTO `Property` (`Property`, `Value`) VALUES ('ProductCode', '{CODE}')",
    "INSERT INTO `Property` (`Property`, `Value`) VALUES ('ProductName', '{NAME}')",
    "INSERT INTO `Property` (`Property`, `Value`) VALUES ('ProductVersion', '1.0.0')",
    "INSERT INTO `Property` (`Property`, `Value`) VALUES ('ProductLanguage', '1033')",
    "INSERT INTO `Property` (`Property`, `Value`) VALUES ('Manufacturer', 'winesilo')",
    "INSERT INTO `Property` (`Property`, `Value`) VALUES ('ALLUSERS', '1')",
    "CREATE TABLE `Directory` (" TEXT_COLUMN("Directory") ", `Directory_Parent` CHAR(255), "
    TEXT_COLUMN("DefaultDir") " PRIMARY KEY `Directory`)",
    "INSERT INTO `Directory` (`Directory`, `DefaultDir`) VALUES ('TARGETDIR', 'SourceDir')",
    "CREATE TABLE `Component` (" TEXT_COLUMN("Component") ", `ComponentId` CHAR(38), "
    TEXT_COLUMN("Directory_") ", `Attributes` SHORT NOT NULL, `Condition` CHAR(255), `KeyPath` CHAR(72) "
    "PRIMARY KEY `Component`)",
    "INSERT INTO `Component` (`Component`, `ComponentId`, `Directory_`, `Attributes`, `KeyPath`) "
    "VALUES ('main', '{7A6D6A0C-5D3B-4B57-9E28-0C6A5C1F7B01}', 'TARGETDIR', 260, 'value')",
    "CREATE TABLE `Feature` (" TEXT_COLUMN("Feature") ", `Feature_Parent` CHAR(38), `Title` CHAR(64), "
    "`Description` CHAR(255), `Display` SHORT, `Level` SHORT NOT NULL, `Directory_` CHAR(72), "
    "`Attributes` SHORT NOT NULL PRIMARY KEY `Feature`)",
    "INSERT INTO `Feature` (`Feature`, `Display`, `Level`, `Attributes`) VALUES ('all', 1, 1, 0)",
    "CREATE TABLE `FeatureComponents` (" TEXT_COLUMN("Feature_") ", " TEXT_COLUMN("Component_")
    " PRIMARY KEY `Feature_`, `Component_`)",
    "INSERT INTO `FeatureComponents` (`Feature_`, `Component_`) VALUES ('all', 'main')",
    "CREATE TABLE `Registry` (" TEXT_COLUMN("Registry") ", `Root` SHORT NOT NULL, " TEXT_COLUMN("Key")
    ", `Name` CHAR(255), `Value` CHAR(0), " TEXT_COLUMN("Component_") " PRIMARY KEY `Registry`)",
    "INSERT INTO `Registry` (`Registry`, `Root`, `Key`, `Name`, `Value`, `Component_`) "
    "VALUES ('value', 2, 'Software\\winesilo msi', 'product', '{NAME}', 'main')",
    "CREATE TABLE `Media` (`DiskId` SHORT NOT NULL, `LastSequence` LONG NOT NULL, `DiskPrompt` CHAR(64), "
    "`Cabinet` CHAR(255), `VolumeLabel` CHAR(32), `Source` CHAR(72) PRIMARY KEY `DiskId`)",
    "INSERT INTO `Media` (`DiskId`, `LastSequence`) VALUES (1, 0)",
    "CREATE TABLE `InstallExecuteSequence` (" TEXT_COLUMN("Action")
    ", `Condition` CHAR(255), `Sequence` SHORT PRIMARY KEY `Action`)",
};
/* Their order is that of the sequence numbers, 100 apart. */
static const char *const actions[] = {
    "CostInitialize",       "FileCost",        "CostFinalize",    "InstallValidate", "InstallInitialize",
    "ProcessComponents",    "UnpublishFeatures", "RemoveRegistryValues", "WriteRegistryValues", "RegisterProduct",
    "PublishFeatures",      "PublishProduct",  "InstallFinalize",
};

static UINT execute(MSIHANDLE database, const char *text)
{
    MSIHANDLE view;
    UINT error = MsiDatabaseOpenViewA(database, text, &view);

    if (!error) {
        error = MsiViewExecute(view, 0);
        MsiViewClose(view);
        MsiCloseHandle(view);
    }
    if (error)
        fprintf(stderr, "error %u: %s\n", error, text);
    return error;
}

/* Put `value` in place of the first `mark`. */
static void fill(char *text, size_t size, const char *mark, const char *value)
{
    char *found = strstr(text, mark), rest[1024];

    if (found) {
        strcpy(rest, found + strlen(mark));
        snprintf(found, size - (size_t)(found - text), "%s%s", value, rest);
    }
}

static UINT make(const char *file, const char *code, const char *name)
{
    MSIHANDLE database, summary;
    char text[1024];
    UINT error = MsiOpenDatabaseA(file, MSIDBOPEN_CREATE, &database);

    for (size_t i = 0; !error && i < ARRAYSIZE(statements); i++) {
        strcpy(text, statements[i]);
        fill(text, sizeof(text), "{CODE}", code);
        fill(text, sizeof(text), "{NAME}", name);
        error = execute(database, text);
    }
    for (size_t i = 0; !error && i < ARRAYSIZE(actions); i++) {
        snprintf(text, sizeof(text), "INSERT INTO `InstallExecuteSequence` (`Action`, `Sequence`) VALUES ('%s', %u)",
                 actions[i], (unsigned)(i + 1) * 100);
        error = execute(database, text);
    }
    if (!error)
        error = MsiGetSummaryInformationA(database, NULL, 4, &summary);
    if (!error) {
        MsiSummaryInfoSetPropertyA(summary, 7 /* template */, VT_LPSTR, 0, NULL, "x64;1033");
        MsiSummaryInfoSetPropertyA(summary, 9 /* package code */, VT_LPSTR, 0, NULL, code);
        MsiSummaryInfoSetPropertyA(summary, 14 /* least version of the installer */, VT_I4, 200, NULL, NULL);
        MsiSummaryInfoSetPropertyA(summary, 15 /* long names, uncompressed */, VT_I4, 0, NULL, NULL);
        error = MsiSummaryInfoPersist(summary);
        MsiCloseHandle(summary);
    }
    if (!error)
        error = MsiDatabaseCommit(database);
    MsiCloseHandle(database);
    return error;
}

static UINT list(void)
{
    char code[39];

    for (DWORD i = 0; !MsiEnumProductsA(i, code); i++)
        printf("%s\n", code);
    return 0;
}

int main(int argc, char **argv)
{
    UINT error;
    char file[MAX_PATH];

    MsiSetInternalUI(INSTALLUILEVEL_NONE, NULL);
    if (argc == 4 && !strcmp(argv[1], "install")) {
        snprintf(file, sizeof(file), "C:\\%s.msi", argv[3]);
        error = make(file, argv[2], argv[3]);
        if (!error)
            error = MsiInstallProductA(file, "");
    } else if (argc == 3 && !strcmp(argv[1], "remove")) {
        error = MsiConfigureProductA(argv[2], INSTALLLEVEL_DEFAULT, INSTALLSTATE_ABSENT);
    } else {
        error = list();
    }
    if (error)
        fprintf(stderr, "failed: error %u\n", error);
    return error != 0;
}
