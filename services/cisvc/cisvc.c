/* The indexing service: starts a worker per catalogue, watches the folders for changes, serves queries.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>

#include "pipe.h"
#include "service.h"

enum { RESTART_MS = 1000, END_MS = 10000, CHANGES = 4096 };

struct watch {
    struct served *catalog;
    HANDLE folder;
    OVERLAPPED overlapped;
    BYTE changes[CHANGES]; /* what has changed is of no interest: the worker looks */
};

struct indexer {
    HANDLE stop, worker_stop, job;
    struct served catalogs[CATALOGS_MAX];
    HANDLE workers[CATALOGS_MAX], sections[CATALOGS_MAX];
    DWORD count, watch_count;
    struct watch watches[CATALOGS_MAX * SCOPES_MAX];
};

/* ---- workers ---- */

static HANDLE start_worker(struct indexer *indexer, DWORD i)
{
    STARTUPINFOW startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION process;
    WCHAR command[MAX_PATH + 256], *name;

    GetModuleFileNameW(NULL, command, MAX_PATH);
    if (!(name = wcsrchr(command, '\\')))
        return NULL;
    swprintf(name + 1, 255, L"cidaemon.exe \"%ls\" %llu %llu %llu", indexer->catalogs[i].catalog.name,
             (unsigned long long)(uintptr_t)indexer->catalogs[i].scan, (unsigned long long)(uintptr_t)indexer->worker_stop,
             (unsigned long long)(uintptr_t)indexer->sections[i]);
    if (!CreateProcessW(NULL, command, NULL, NULL, TRUE, CREATE_SUSPENDED | DETACHED_PROCESS | BELOW_NORMAL_PRIORITY_CLASS, NULL,
                        NULL, &startup, &process))
        return NULL;
    AssignProcessToJobObject(indexer->job, process.hProcess);
    ResumeThread(process.hThread);
    CloseHandle(process.hThread);
    return process.hProcess;
}

static DWORD open_workers(struct indexer *indexer)
{
    SECURITY_ATTRIBUTES inherit = {sizeof(inherit), NULL, TRUE};
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {0};
    DWORD i;

    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    indexer->job = CreateJobObjectW(NULL, NULL);
    indexer->worker_stop = CreateEventW(&inherit, TRUE, FALSE, NULL);
    if (!indexer->job || !indexer->worker_stop ||
        !SetInformationJobObject(indexer->job, JobObjectExtendedLimitInformation, &limits, sizeof(limits)))
        return GetLastError();
    for (i = 0; i < indexer->count; i++) {
        struct served *served = &indexer->catalogs[i];

        served->scan = CreateEventW(&inherit, FALSE, FALSE, NULL);
        indexer->sections[i] = CreateFileMappingW(INVALID_HANDLE_VALUE, &inherit, PAGE_READWRITE, 0, sizeof(struct worker_state), NULL);
        if (!served->scan || !indexer->sections[i] ||
            !(served->state = MapViewOfFile(indexer->sections[i], FILE_MAP_WRITE, 0, 0, sizeof(struct worker_state))))
            return GetLastError();
        served->state->scanning = 1;
        if (!(indexer->workers[i] = start_worker(indexer, i)))
            return GetLastError();
    }
    return NO_ERROR;
}

static void close_workers(struct indexer *indexer)
{
    DWORD i;

    SetEvent(indexer->worker_stop);
    if (indexer->count && WaitForMultipleObjects(indexer->count, indexer->workers, TRUE, END_MS) == WAIT_TIMEOUT)
        TerminateJobObject(indexer->job, 1);
    for (i = 0; i < indexer->count; i++) {
        CloseHandle(indexer->workers[i]);
        UnmapViewOfFile(indexer->catalogs[i].state);
        CloseHandle(indexer->sections[i]);
        CloseHandle(indexer->catalogs[i].scan);
    }
    CloseHandle(indexer->worker_stop);
    CloseHandle(indexer->job);
}

/* ---- changes ---- */

static BOOL wait_for_change(struct watch *watch)
{
    return ReadDirectoryChangesW(watch->folder, watch->changes, CHANGES, TRUE,
                                 FILE_NOTIFY_CHANGE_FILE_NAME | FILE_NOTIFY_CHANGE_DIR_NAME | FILE_NOTIFY_CHANGE_SIZE |
                                     FILE_NOTIFY_CHANGE_LAST_WRITE,
                                 NULL, &watch->overlapped, NULL);
}

/* A folder that does not exist is looked for at the next start; scans find it before. */
static void open_watch(struct indexer *indexer, struct served *served, const struct scope *scope)
{
    struct watch *watch = &indexer->watches[indexer->watch_count];

    watch->catalog = served;
    watch->folder = CreateFileW(scope->path, FILE_LIST_DIRECTORY, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                                OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OVERLAPPED, NULL);
    if (watch->folder == INVALID_HANDLE_VALUE)
        return;
    watch->overlapped.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (watch->overlapped.hEvent && wait_for_change(watch)) {
        indexer->watch_count++;
        return;
    }
    if (watch->overlapped.hEvent)
        CloseHandle(watch->overlapped.hEvent);
    CloseHandle(watch->folder);
}

static void open_watches(struct indexer *indexer)
{
    DWORD i, k;

    for (i = 0; i < indexer->count; i++)
        for (k = 0; k < indexer->catalogs[i].catalog.scope_count; k++)
            if (indexer->catalogs[i].catalog.scopes[k].included)
                open_watch(indexer, &indexer->catalogs[i], &indexer->catalogs[i].catalog.scopes[k]);
}

static void close_watches(struct indexer *indexer)
{
    DWORD i, n;

    for (i = 0; i < indexer->watch_count; i++) {
        struct watch *watch = &indexer->watches[i];

        CancelIo(watch->folder);
        GetOverlappedResult(watch->folder, &watch->overlapped, &n, TRUE);
        CloseHandle(watch->folder);
        CloseHandle(watch->overlapped.hEvent);
    }
}

static void changed(struct watch *watch)
{
    InterlockedExchange(&watch->catalog->state->scanning, 1);
    ResetEvent(watch->overlapped.hEvent);
    SetEvent(watch->catalog->scan);
    wait_for_change(watch);
}

/* Wait for changes and for workers that end, one after the other, until the service stops. */
static DWORD WINAPI look_after(void *context)
{
    struct indexer *indexer = context;
    HANDLE handles[MAXIMUM_WAIT_OBJECTS];

    for (;;) {
        DWORD n = 1, i, woken;

        handles[0] = indexer->stop;
        for (i = 0; i < indexer->count; i++)
            handles[n++] = indexer->workers[i];
        for (i = 0; i < indexer->watch_count; i++)
            handles[n++] = indexer->watches[i].overlapped.hEvent;
        woken = WaitForMultipleObjects(n, handles, FALSE, INFINITE) - WAIT_OBJECT_0;
        if (!woken || woken >= n)
            return 0;
        if (woken > indexer->count)
            changed(&indexer->watches[woken - 1 - indexer->count]);
        else if (WaitForSingleObject(indexer->stop, RESTART_MS) == WAIT_TIMEOUT) { /* a worker died */
            HANDLE worker = start_worker(indexer, woken - 1);

            if (worker) {
                CloseHandle(indexer->workers[woken - 1]);
                indexer->workers[woken - 1] = worker;
            }
        }
    }
}

/* ---- the service ---- */

static DWORD body(struct service *service, DWORD argc, WCHAR **argv)
{
    static struct catalog catalogs[CATALOGS_MAX];
    struct indexer *indexer = calloc(1, sizeof(*indexer));
    HANDLE thread = NULL;
    DWORD error, i;

    (void)argc;
    (void)argv;
    if (!indexer)
        return ERROR_OUTOFMEMORY;
    indexer->stop = service->stop;
    indexer->count = catalogs_read(catalogs, NULL);
    for (i = 0; i < indexer->count; i++)
        indexer->catalogs[i].catalog = catalogs[i];
    error = pipe_begin();
    if (!error && !(error = open_workers(indexer))) {
        open_watches(indexer);
        if ((thread = CreateThread(NULL, 0, look_after, indexer, 0, NULL))) {
            service_ready(service);
            error = pipe_serve(indexer->catalogs, indexer->count, service->stop);
            SetEvent(service->stop);
            WaitForSingleObject(thread, INFINITE);
            CloseHandle(thread);
        }
        close_watches(indexer);
    }
    close_workers(indexer);
    free(indexer);
    return error;
}

int wmain(void)
{
    return service_program(SERVICE_WIN32_SHARE_PROCESS, L"CiSvc", body, L"cisvc.exe is a service: start it with: sc start CiSvc");
}
