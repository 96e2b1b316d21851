/* Silo hives (\Registry\User\winesilo-N), and reading and writing single values.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See README.md for the text format that the wineserver reads and writes here. */

#include "agent.h"

/* NtLoadKey compares the fixed components of an absolute name case-sensitively. */
static NTSTATUS hive_name(UNICODE_STRING *u, DWORD id)
{
    return unicode_with_id(u, "\\REGISTRY\\User\\winesilo-", id, "");
}

/* An absolute Unix path as the NT name \??\unix\..., the one form that needs no drive letter. */
static NTSTATUS unix_name(UNICODE_STRING *u, const char *path)
{
    static const char prefix[] = "\\??\\unix";
    int length = lstrlenA(path);
    NTSTATUS status;
    char *text;
    int i;

    u->Buffer = NULL;
    if (path[0] != '/')
        return ST_OBJECT_NAME_INVALID;
    if (!(text = mem_alloc(sizeof(prefix) + length)))
        return ST_NO_MEMORY;
    CopyMemory(text, prefix, sizeof(prefix));
    for (i = 0; i <= length; i++)
        text[sizeof(prefix) - 1 + i] = path[i] == '/' ? '\\' : path[i];
    status = unicode_from_utf8(u, text);
    mem_free(text);
    return status;
}

DWORD op_hive_load(struct reader *in, struct buffer *out)
{
    DWORD id = read_u32(in);
    const char *path = read_string(in);
    UNICODE_STRING key = {0}, file = {0};
    OBJECT_ATTRIBUTES key_attr, file_attr;
    NTSTATUS status;

    (void)out;
    if (!in->ok)
        return (DWORD)ST_INVALID_PARAMETER;
    if ((status = hive_name(&key, id)) >= 0 && (status = unix_name(&file, path)) >= 0) {
        InitializeObjectAttributes(&key_attr, &key, 0, NULL, NULL);
        InitializeObjectAttributes(&file_attr, &file, 0, NULL, NULL);
        status = NtLoadKey(&key_attr, &file_attr);
        /* the wineserver makes the key before it looks at the file: leave none behind */
        if (status == ST_NOT_REGISTRY_FILE)
            NtUnloadKey(&key_attr);
    }
    mem_free(key.Buffer);
    mem_free(file.Buffer);
    return (DWORD)status;
}

static NTSTATUS save_to(HANDLE key, const char *path)
{
    UNICODE_STRING name;
    OBJECT_ATTRIBUTES attr;
    IO_STATUS_BLOCK io;
    HANDLE file;
    NTSTATUS status = unix_name(&name, path);

    if (status >= 0) {
        InitializeObjectAttributes(&attr, &name, 0, NULL, NULL);
        /* the wineserver writes from the file's start and does not cut it: begin with an empty one */
        status = NtCreateFile(&file, GENERIC_WRITE | SYNCHRONIZE, &attr, &io, NULL, FILE_ATTRIBUTE_NORMAL, 0,
                              FILE_OVERWRITE_IF, FILE_NON_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT,
                              NULL, 0);
    }
    if (status >= 0) {
        status = NtSaveKey(key, file);
        NtClose(file);
    }
    mem_free(name.Buffer);
    return status;
}

DWORD op_hive_save(struct reader *in, struct buffer *out)
{
    DWORD id = read_u32(in);
    const char *path = read_string(in);
    UNICODE_STRING name = {0};
    OBJECT_ATTRIBUTES attr;
    NTSTATUS status;
    HANDLE key;

    (void)out;
    if (!in->ok)
        return (DWORD)ST_INVALID_PARAMETER;
    if ((status = hive_name(&name, id)) >= 0) {
        InitializeObjectAttributes(&attr, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
        status = NtOpenKey(&key, KEY_READ, &attr);
    }
    if (status >= 0) {
        status = save_to(key, path);
        NtClose(key);
    }
    mem_free(name.Buffer);
    return (DWORD)status;
}

DWORD op_hive_unload(struct reader *in, struct buffer *out)
{
    DWORD id = read_u32(in);
    UNICODE_STRING name = {0};
    OBJECT_ATTRIBUTES attr;
    NTSTATUS status;

    (void)out;
    if (!in->ok)
        return (DWORD)ST_INVALID_PARAMETER;
    if ((status = hive_name(&name, id)) >= 0) {
        InitializeObjectAttributes(&attr, &name, 0, NULL, NULL);
        status = NtUnloadKey(&attr);
    }
    mem_free(name.Buffer);
    return (DWORD)status;
}

static NTSTATUS open_key(const char *path, ACCESS_MASK access, HANDLE *key)
{
    UNICODE_STRING name;
    OBJECT_ATTRIBUTES attr;
    NTSTATUS status = unicode_from_utf8(&name, path);

    if (status >= 0) {
        InitializeObjectAttributes(&attr, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
        status = NtOpenKey(key, access, &attr);
    }
    mem_free(name.Buffer);
    return status;
}

/* Append u32 type and the data of a value. */
static NTSTATUS get_value(HANDLE key, UNICODE_STRING *value, struct buffer *out)
{
    struct value_partial head;
    ULONG size = 0;
    NTSTATUS status = NtQueryValueKey(key, value, VALUE_PARTIAL_CLASS, &head, sizeof(head), &size);
    struct value_partial *info;

    if (status < 0 && status != ST_BUFFER_OVERFLOW)
        return status;
    if (!(info = mem_alloc(size)))
        return ST_NO_MEMORY;
    status = NtQueryValueKey(key, value, VALUE_PARTIAL_CLASS, info, size, &size);
    if (status >= 0) {
        buffer_put_u32(out, info->type);
        buffer_put(out, info->data, info->size);
    }
    mem_free(info);
    return status;
}

DWORD op_key_get(struct reader *in, struct buffer *out)
{
    const char *path = read_string(in), *value = read_string(in);
    UNICODE_STRING name = {0};
    NTSTATUS status;
    HANDLE key;

    if (!in->ok)
        return (DWORD)ST_INVALID_PARAMETER;
    if ((status = open_key(path, KEY_QUERY_VALUE, &key)) < 0)
        return (DWORD)status;
    if ((status = unicode_from_utf8(&name, value)) >= 0)
        status = get_value(key, &name, out);
    mem_free(name.Buffer);
    NtClose(key);
    return (DWORD)status;
}

DWORD op_key_set(struct reader *in, struct buffer *out)
{
    const char *path = read_string(in), *value = read_string(in);
    DWORD type = read_u32(in);
    UNICODE_STRING name = {0};
    NTSTATUS status;
    HANDLE key;

    (void)out;
    if (!in->ok)
        return (DWORD)ST_INVALID_PARAMETER;
    if ((status = open_key(path, KEY_SET_VALUE, &key)) < 0)
        return (DWORD)status;
    if ((status = unicode_from_utf8(&name, value)) >= 0)
        status = NtSetValueKey(key, &name, 0, type, in->at, in->left);
    mem_free(name.Buffer);
    NtClose(key);
    return (DWORD)status;
}
