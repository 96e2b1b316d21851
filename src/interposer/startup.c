/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What ntdll.so reads by itself while a process starts, without going through its table: read it again, from
 * the silo's registry, before the first Windows code runs. */
#define _GNU_SOURCE
#include "startup.h"

#include <stddef.h>
#include <string.h>

#include "keyplace.h"
#include "teb.h"

const uint8_t *own_peb;
bool own_is_32bit;

#define KEY(name) u"\\Registry\\Machine\\" name

static const WCHAR session_key[] = KEY(u"System\\CurrentControlSet\\Control\\Session Manager");
static const WCHAR image_key[] =
    KEY(u"Software\\Microsoft\\Windows NT\\CurrentVersion\\Image File Execution Options");

enum { PARAMETERS_IMAGE = 0x60 /* in process parameters */, IMAGE_NAME_MAX = 260 };

/* the process-wide settings of the session manager's key: where they go, how wide, times what */
static const struct setting {
    const WCHAR *name;
    size_t offset, size;
    int64_t scale;
} settings[] = {
    { u"CriticalSectionTimeout", 0xc0, 8, -10000000 },
    { u"HeapSegmentReserve", 0xc8, 8, 1 },
    { u"HeapSegmentCommit", 0xd0, 8, 1 },
    { u"HeapDeCommitTotalFreeThreshold", 0xd8, 8, 1 },
    { u"HeapDeCommitFreeBlockThreshold", 0xe0, 8, 1 },
};

static UNICODE_STRING text_of(const WCHAR *text)
{
    const uint16_t size = (uint16_t)(span_of(text).n * sizeof(WCHAR));

    return (UNICODE_STRING){ size, size, (WCHAR *)text };
}

static HANDLE open_key(HANDLE root, UNICODE_STRING name)
{
    OBJECT_ATTRIBUTES attr = { sizeof(attr), root, &name, OBJ_CASE_INSENSITIVE, NULL, NULL };
    HANDLE key;

    return hook_NtOpenKey(&key, KEY_QUERY_VALUE, &attr) ? NULL : key;
}

static bool read_number(HANDLE key, const WCHAR *name, uint32_t *number)
{
    UNICODE_STRING text = text_of(name);
    union {
        KEY_VALUE_PARTIAL_INFORMATION info;
        char room[64];
    } value;
    ULONG used;

    if (hook_NtQueryValueKey(key, &text, KeyValuePartialInformation, &value, sizeof(value), &used)) return false;
    if (value.info.Type != REG_DWORD || value.info.DataLength != sizeof(*number)) return false;
    memcpy(number, value.info.Data, sizeof(*number));
    return true;
}

/* the last component of the program's name */
static UNICODE_STRING image_name(const char *peb)
{
    const char *parameters = *(char *const *)(peb + PEB_PARAMETERS);
    UNICODE_STRING name = *(const UNICODE_STRING *)(parameters + PARAMETERS_IMAGE);
    size_t n = name.Length / sizeof(WCHAR), i = n;

    while (i && name.Buffer[i - 1] != '\\') i--;
    name.Buffer += i;
    name.Length = name.MaximumLength = (uint16_t)((n - i) * sizeof(WCHAR));
    return name;
}

static void apply_settings(char *peb, HANDLE key)
{
    uint32_t number;
    size_t i;

    for (i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        const struct setting *s = &settings[i];
        int64_t value;

        if (!read_number(key, s->name, &number)) continue;
        value = number * s->scale;
        memcpy(peb + s->offset, &value, s->size);
    }
}

/* Has ntdll.so read the right keys, because the silo has none of its own there? */
static bool read_from_base(const UNICODE_STRING *program)
{
    enum { KEY_N = sizeof(image_key) / sizeof(WCHAR) - 1 };
    WCHAR text[KEY_N + 1 + IMAGE_NAME_MAX];
    const size_t n = program->Length / sizeof(WCHAR);

    if (n > IMAGE_NAME_MAX || !place_is_base(span_of(session_key))) return false;
    memcpy(text, image_key, KEY_N * sizeof(WCHAR));
    text[KEY_N] = '\\';
    memcpy(text + KEY_N + 1, program->Buffer, n * sizeof(WCHAR));
    return place_is_base((struct span){ text, KEY_N + 1 + n });
}

static void read_again(char *peb, UNICODE_STRING program)
{
    HANDLE key, image;
    uint32_t flags = 0;

    if ((key = open_key(NULL, text_of(session_key)))) {
        read_number(key, u"GlobalFlag", &flags);
        apply_settings(peb, key);
        hook_NtClose(key);
    }
    if ((key = open_key(NULL, text_of(image_key)))) {
        if ((image = open_key(key, program))) {
            read_number(image, u"GlobalFlag", &flags);
            hook_NtClose(image);
        }
        hook_NtClose(key);
    }
    memcpy(peb + PEB_GLOBAL_FLAG, &flags, sizeof(flags));
}

void startup_ready(const void *teb)
{
    char *peb = (char *)peb_of(teb);
    const UNICODE_STRING program = image_name(peb);

    own_peb = (const uint8_t *)peb;
    own_is_32bit = wow_teb(teb);
    drivers_run_here = span_equal_ascii((struct span){ program.Buffer, program.Length / sizeof(WCHAR) }, "winedevice.exe");
    if (!read_from_base(&program)) read_again(peb, program);
}
