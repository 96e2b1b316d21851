/* The file of a log, which all programs of a silo share: opened, locked, read, cleared, put right.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A mutex named after the file guards it: names are a silo's own, as files are. Who finds the dirty flag set while it
 * has the mutex knows that a writer was killed. Positions are given with each call, so that handles need no order. */

#include "event.h"

#define LOCK_PATIENCE_MS 60000

/* ---- bytes ---- */

static DWORD transfer(HANDLE file, DWORD at, void *bytes, DWORD size, BOOL write)
{
    OVERLAPPED place = {.Offset = at};
    DWORD done = 0;
    BOOL ok = write ? WriteFile(file, bytes, size, &done, &place) : ReadFile(file, bytes, size, &done, &place);

    if (!ok)
        return GetLastError();
    return done == size ? ERROR_SUCCESS : write ? ERROR_DISK_FULL : ERROR_HANDLE_EOF;
}

/* In one piece, or in two at the end of the ring. */
static DWORD transfer_ring(struct event_file *file, DWORD at, BYTE *bytes, DWORD size, BOOL write)
{
    DWORD limit = file->header.max_size, first = limit > at && limit - at < size ? limit - at : size, error;

    error = transfer(file->file, at, bytes, first, write);
    if (!error && size > first)
        error = transfer(file->file, EVENT_HEADER_SIZE, bytes + first, size - first, write);
    if (write && !error && at + first > file->size)
        file->size = at + first;
    return error;
}

DWORD event_file_read(struct event_file *file, DWORD at, void *to, DWORD bytes)
{
    return transfer_ring(file, at, to, bytes, FALSE);
}

DWORD event_file_write(struct event_file *file, DWORD at, const void *from, DWORD bytes)
{
    return transfer_ring(file, at, (BYTE *)from, bytes, TRUE);
}

DWORD event_file_write_header(struct event_file *file)
{
    DWORD error = transfer(file->file, 0, &file->header, sizeof(file->header), TRUE);

    if (!error && file->size < EVENT_HEADER_SIZE)
        file->size = EVENT_HEADER_SIZE;
    return error;
}

static DWORD set_size(struct event_file *file, DWORD size)
{
    LARGE_INTEGER place = {.QuadPart = size};

    if (!SetFilePointerEx(file->file, place, NULL, FILE_BEGIN) || !SetEndOfFile(file->file))
        return GetLastError();
    file->size = size;
    return ERROR_SUCCESS;
}

DWORD event_file_grow(struct event_file *file, DWORD size)
{
    return file->size < size ? set_size(file, size) : ERROR_SUCCESS;
}

/* ---- opening ---- */

/* The system directory of 32-bit programs is another one, but the logs are the same. */
static HANDLE open_unredirected(const WCHAR *path, DWORD access, DWORD disposition)
{
    void *redirection = NULL;
    BOOL off = Wow64DisableWow64FsRedirection(&redirection);
    HANDLE file = CreateFileW(path, access, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, disposition,
                              FILE_ATTRIBUTE_NORMAL, NULL);
    DWORD error = GetLastError();

    if (off)
        Wow64RevertWow64FsRedirection(redirection);
    SetLastError(error);
    return file;
}

/* The folder of the log, and those above it: a program may name one that Wine does not have. */
static void make_folders(const WCHAR *path)
{
    WCHAR *folder = event_copy_text(path);
    void *redirection = NULL;
    BOOL off = Wow64DisableWow64FsRedirection(&redirection);

    for (WCHAR *at = folder; at && *at; at++) {
        if (*at != '\\' || at == folder || at[-1] == ':')
            continue;
        *at = 0;
        CreateDirectoryW(folder, NULL); /* or it is there; the file's opening says whether that helped */
        *at = '\\';
    }
    if (off)
        Wow64RevertWow64FsRedirection(redirection);
    event_release(folder);
}

static DWORD open_log_file(struct event_file *file)
{
    DWORD access = GENERIC_READ | GENERIC_WRITE;

    file->file = open_unredirected(file->path, access, OPEN_ALWAYS);
    if (file->file == INVALID_HANDLE_VALUE && GetLastError() == ERROR_PATH_NOT_FOUND) {
        make_folders(file->path);
        file->file = open_unredirected(file->path, access, OPEN_ALWAYS);
    }
    return file->file == INVALID_HANDLE_VALUE ? GetLastError() : ERROR_SUCCESS;
}

static HANDLE make_mutex(const WCHAR *path)
{
    static const WCHAR prefix[] = L"Global\\winesilo-events-";
    WCHAR *name = event_allocate((EVENT_COUNT(prefix) + event_length(path)) * sizeof(*name));
    HANDLE mutex;

    if (!name)
        return NULL;
    lstrcpyW(name, prefix);
    LCMapStringW(LOCALE_INVARIANT, LCMAP_UPPERCASE, path, -1, name + EVENT_COUNT(prefix) - 1,
                 (int)event_length(path) + 1);
    for (WCHAR *at = name + EVENT_COUNT(prefix) - 1; *at; at++)
        if (*at == '\\')
            *at = '/';
    mutex = CreateMutexW(NULL, FALSE, name);
    event_release(name);
    return mutex;
}

static struct event_file *new_file(WCHAR *path, const WCHAR *log)
{
    struct event_file *file = event_allocate(sizeof(*file));

    if (!file || !path || !(file->log = event_copy_text(log))) {
        event_release(file);
        event_release(path);
        return NULL;
    }
    file->path = path;
    file->file = INVALID_HANDLE_VALUE;
    return file;
}

/* Nothing is opened before somebody reads or writes: many a program only registers its source. */
DWORD event_file_of_log(const WCHAR *log, struct event_file **made)
{
    *made = new_file(event_file_of(log), log);
    return *made ? ERROR_SUCCESS : ERROR_NOT_ENOUGH_MEMORY;
}

void event_file_close(struct event_file *file)
{
    if (!file)
        return;
    if (file->file != INVALID_HANDLE_VALUE)
        CloseHandle(file->file);
    if (file->mutex)
        CloseHandle(file->mutex);
    event_release(file->path);
    event_release(file->log);
    event_release(file);
}

/* ---- what is in it ---- */

static DWORD read_size(struct event_file *file)
{
    LARGE_INTEGER size;

    if (!GetFileSizeEx(file->file, &size))
        return GetLastError();
    if (size.QuadPart > MAXLONG)
        return ERROR_EVENTLOG_FILE_CORRUPT;
    file->size = size.LowPart;
    return ERROR_SUCCESS;
}

/* The whole file, and some zeroes. To be released. */
static DWORD read_image(struct event_file *file, DWORD more, struct event_image *image)
{
    DWORD size = file->size + more, error;
    BYTE *bytes = event_allocate(size);

    if (!bytes)
        return ERROR_NOT_ENOUGH_MEMORY;
    error = transfer(file->file, 0, bytes, file->size, FALSE);
    if (error) {
        event_release(bytes);
        return error;
    }
    image->bytes = bytes;
    image->size = size;
    return ERROR_SUCCESS;
}

DWORD event_file_clear(struct event_file *file)
{
    struct event_settings settings;
    struct event_end end;
    DWORD error;

    event_settings_of(file->log, &settings);
    event_new_header(&file->header, settings.max_size, settings.retention);
    end = event_end_of(&file->header);
    error = set_size(file, 0);
    if (!error)
        error = event_file_write_header(file);
    return error ? error : event_file_write(file, file->header.end, &end, sizeof(end));
}

/* As long as nothing has gone beyond its end, the ring does not end with the file. */
DWORD event_file_recover(struct event_file *file)
{
    struct event_header *header = &file->header;
    BOOL open = !(header->flags & EVENT_WRAPPED) && header->start <= header->end && file->size < header->max_size;
    struct event_image image;
    struct event_end end;
    DWORD error = read_image(file, open ? EVENT_RECORD_SIZE + EVENT_END_SIZE : 0, &image);

    if (error)
        return error;
    event_recover(&image, header);
    event_release((void *)image.bytes);
    if (header->start > header->end || header->max_size < file->size)
        header->max_size = file->size;
    if (file->backup)
        return ERROR_SUCCESS;
    end = event_end_of(header);
    error = event_file_write(file, header->end, &end, sizeof(end));
    return error ? error : event_file_write_header(file);
}

/* A file that is none is not kept: a log that can't be written helps nobody. */
static DWORD look(struct event_file *file)
{
    DWORD error = read_size(file);

    if (error)
        return error;
    if (file->size < EVENT_HEADER_SIZE)
        return file->backup ? ERROR_EVENTLOG_FILE_CORRUPT : event_file_clear(file);
    if ((error = transfer(file->file, 0, &file->header, sizeof(file->header), FALSE)))
        return error;
    if (!event_header_ok(&file->header)) {
        if (file->backup)
            return ERROR_EVENTLOG_FILE_CORRUPT;
        return event_file_clear(file);
    }
    if (!event_header_true(&file->header, file->size))
        return event_file_recover(file);
    if (file->header.start > file->header.end)
        file->header.max_size = file->size; /* where the ring ends */
    return ERROR_SUCCESS;
}

DWORD event_file_lock(struct event_file *file)
{
    DWORD error;

    if (file->backup)
        return ERROR_SUCCESS;
    if (!file->mutex && !(file->mutex = make_mutex(file->path)))
        return GetLastError();
    switch (WaitForSingleObject(file->mutex, LOCK_PATIENCE_MS)) {
    case WAIT_OBJECT_0:
    case WAIT_ABANDONED:
        break;
    case WAIT_TIMEOUT:
        return ERROR_TIMEOUT;
    default:
        return GetLastError();
    }
    error = file->file == INVALID_HANDLE_VALUE ? open_log_file(file) : ERROR_SUCCESS;
    if (!error)
        error = look(file);
    if (error)
        ReleaseMutex(file->mutex);
    return error;
}

void event_file_unlock(struct event_file *file)
{
    if (!file->backup)
        ReleaseMutex(file->mutex);
}

DWORD event_file_of_backup(const WCHAR *path, struct event_file **made)
{
    struct event_file *file = new_file(event_copy_text(path), L"");
    DWORD error;

    if (!file)
        return ERROR_NOT_ENOUGH_MEMORY;
    file->backup = TRUE;
    file->file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                             OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, NULL);
    error = file->file == INVALID_HANDLE_VALUE ? GetLastError() : look(file);
    if (error) {
        event_file_close(file);
        return error;
    }
    *made = file;
    return ERROR_SUCCESS;
}

/* ---- snapshots ---- */

void event_snapshot_free(struct event_snapshot *snapshot)
{
    event_release(snapshot->records);
    event_release(snapshot->offsets);
    memset(snapshot, 0, sizeof(*snapshot));
}

/* Nothing is read if it is that of the file as it is. */
DWORD event_file_snapshot(struct event_file *file, struct event_snapshot *snapshot)
{
    struct event_image image;
    DWORD error;

    if (snapshot->records && RtlCompareMemory(&snapshot->header, &file->header, sizeof(file->header)) == sizeof(file->header))
        return ERROR_SUCCESS;
    event_snapshot_free(snapshot);
    if ((error = read_image(file, 0, &image)))
        return error;
    snapshot->header = file->header;
    snapshot->records = event_allocate(image.size);
    snapshot->offsets = event_allocate((image.size / EVENT_LEAST_RECORD + 1) * sizeof(*snapshot->offsets));
    if (snapshot->records && snapshot->offsets)
        snapshot->count =
            event_unroll(&image, &file->header, snapshot->records, (uint32_t *)&snapshot->bytes,
                         (uint32_t *)snapshot->offsets);
    else
        error = ERROR_NOT_ENOUGH_MEMORY;
    event_release((void *)image.bytes);
    if (error)
        event_snapshot_free(snapshot);
    return error;
}

static DWORD write_all(HANDLE file, const struct event_snapshot *snapshot)
{
    struct event_header header;
    struct event_end end;
    DWORD error;

    event_new_header(&header, snapshot->bytes + EVENT_HEADER_SIZE + EVENT_END_SIZE, snapshot->header.retention);
    header.flags = EVENT_ARCHIVE;
    header.oldest = snapshot->count ? snapshot->header.oldest : 0;
    header.next = snapshot->count ? header.oldest + snapshot->count : snapshot->header.next;
    header.end += snapshot->bytes;
    end = event_end_of(&header);
    error = transfer(file, 0, &header, sizeof(header), TRUE);
    if (!error && snapshot->bytes)
        error = transfer(file, EVENT_HEADER_SIZE, snapshot->records, snapshot->bytes, TRUE);
    return error ? error : transfer(file, header.end, &end, sizeof(end), TRUE);
}

DWORD event_file_save(const WCHAR *path, const struct event_snapshot *snapshot)
{
    HANDLE file = CreateFileW(path, GENERIC_WRITE, 0, NULL, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, NULL);
    DWORD error = GetLastError();

    if (file == INVALID_HANDLE_VALUE)
        return error == ERROR_FILE_EXISTS ? ERROR_ALREADY_EXISTS : error;
    error = write_all(file, snapshot);
    CloseHandle(file);
    if (error)
        DeleteFileW(path);
    return error;
}
