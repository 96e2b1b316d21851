/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Processes: a silo sees and opens its own only. Which those are stands in the shared memory, by process
 * id and creation time: each process writes itself down early in its life, and each parent its child.
 * Loading drivers into the host is refused. */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "silo.h"

#define PROCESS_QUERY_LIMITED_INFORMATION 0x1000u
#define THREAD_QUERY_LIMITED_INFORMATION 0x0800u
#define ATTACH_PARENT_PROCESS 0xffffffffu

static const HANDLE own_process = (HANDLE)(intptr_t)-1;

static struct shared_process *process_entry(uint32_t pid)
{
    return &shared->processes[(pid >> 2) % SHARED_PROCESSES];
}

/* ids of the handle lists come without a creation time */
static bool process_is_listed(uint32_t pid)
{
    return atomic_load(&process_entry(pid)->pid) == (pid & ~3u);
}

static bool process_is_ours(uint32_t pid, uint64_t created)
{
    struct shared_process *p = process_entry(pid);

    return atomic_load(&p->pid) == (pid & ~3u) && atomic_load(&p->created) == created;
}

static void process_register(HANDLE process, uint32_t unix_pid)
{
    PROCESS_BASIC_INFORMATION basic;
    KERNEL_USER_TIMES times;
    struct shared_process *p;
    uint32_t pid, stale;

    if (real_NtQueryInformationProcess(process, ProcessBasicInformation, &basic, sizeof(basic), NULL)) return;
    if (!basic.PebBaseAddress) return; /* Wine has not completed it, so it has no time of creation yet */
    if (real_NtQueryInformationProcess(process, ProcessTimes, &times, sizeof(times), NULL)) return;
    pid = (uint32_t)basic.UniqueProcessId;
    p = process_entry(pid);
    stale = atomic_load(&p->unix_pid);
    if (!process_is_ours(pid, (uint64_t)times.CreateTime)) {
        /* parent and child may be here at the same time: what the child says of itself stays */
        atomic_compare_exchange_strong(&p->unix_pid, &stale, 0);
        atomic_store(&p->created, (uint64_t)times.CreateTime);
        atomic_store(&p->pid, pid);
    }
    if (unix_pid) atomic_store(&p->unix_pid, unix_pid);
    if (process == own_process) atomic_store(&own_pid, pid);
}

void process_register_self(void)
{
    process_register(own_process, (uint32_t)getpid());
}

/* ---- the list of all processes, for what nothing else tells ---- */

/* SYSTEM_PROCESS_INFORMATION, the fields used */
struct process_info {
    ULONG next, threads;
    uint8_t pad[24];
    LARGE_INTEGER created, user, kernel;
    UNICODE_STRING image;
    int32_t priority;
    uintptr_t pid;
    uint8_t pad2[168];
};

/* SYSTEM_THREAD_INFORMATION, the fields used; these follow */
struct thread_info {
    uint8_t pad[40];
    CLIENT_ID id;
    uint8_t pad2[24];
};
_Static_assert(offsetof(struct process_info, created) == 32 && offsetof(struct process_info, pid) == 80 &&
                   sizeof(struct process_info) == 256 && sizeof(struct thread_info) == 80,
               "SYSTEM_PROCESS_INFORMATION, 64 bit");

static bool has_thread(const struct process_info *p, uint32_t tid)
{
    const struct thread_info *thread = (const struct thread_info *)(p + 1);
    ULONG i;

    for (i = 0; i < p->threads; i++)
        if ((uint32_t)(uintptr_t)thread[i].id.UniqueThread == tid) return true;
    return false;
}

/* Is one of the silo's processes this one (pid not 0), or does it have this thread? */
static bool is_in_list(uint32_t pid, uint32_t tid)
{
    ULONG size = 1 << 16, needed;
    const struct process_info *p;
    bool found = false;
    NTSTATUS status;
    void *list;

    for (;; size = needed + (1 << 14)) {
        list = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (list == MAP_FAILED) return false;
        needed = 0;
        status = real_NtQuerySystemInformation(SystemProcessInformation, list, size, &needed);
        if (status != STATUS_INFO_LENGTH_MISMATCH || needed < size) break;
        munmap(list, size);
    }
    for (p = list; !status && !found;) {
        if (process_is_ours((uint32_t)p->pid, (uint64_t)p->created))
            found = pid ? (uint32_t)p->pid == (pid & ~3u) : has_thread(p, tid);
        if (!p->next) break;
        p = (const struct process_info *)((const uint8_t *)p + p->next);
    }
    munmap(list, size);
    return found;
}

static bool process_is_in_list(uint32_t pid)
{
    return pid && is_in_list(pid, 0);
}

static bool thread_is_in_list(uint32_t tid)
{
    return is_in_list(0, tid);
}

/* ---- by id ---- */

/* Is this a process of the silo? By its creation time, asked through the handle, through another handle to the
 * same process, or looked for in the list of processes, where nobody is denied it. */
static bool handle_is_ours(HANDLE process, uint32_t pid)
{
    KERNEL_USER_TIMES times;
    NTSTATUS status = real_NtQueryInformationProcess(process, ProcessTimes, &times, sizeof(times), NULL);
    HANDLE other;

    if (status == STATUS_ACCESS_DENIED &&
        !real_NtDuplicateObject(own_process, process, own_process, &other, PROCESS_QUERY_LIMITED_INFORMATION, 0, 0)) {
        status = real_NtQueryInformationProcess(other, ProcessTimes, &times, sizeof(times), NULL);
        real_NtClose(other);
    }
    if (status) return status == STATUS_ACCESS_DENIED && process_is_in_list(pid);
    return process_is_ours(pid, (uint64_t)times.CreateTime);
}

/* what Wine answers for an id that does not exist */
static NTSTATUS not_there(const char *call, enum audit_rule rule, uint32_t id)
{
    TRACE(call, "refused", ((struct span){ NULL, 0 }));
    audit_by_rule(rule == RULE_THREAD_FOREIGN ? AUDIT_THREAD : AUDIT_PROCESS, rule, AUDIT_OPENED, &id, sizeof(id));
    return STATUS_INVALID_CID;
}

/* Open first, then look whose it is: one call more than on the host, none for ids that are not the silo's. */
static NTSTATUS open_process(HANDLE *handle, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr, uint32_t pid)
{
    CLIENT_ID id = { (HANDLE)(uintptr_t)pid, NULL };
    NTSTATUS status;

    *handle = NULL;
    if (!atomic_load(&own_pid)) process_register_self();
    if (!process_is_listed(pid)) return STATUS_INVALID_CID;
    status = real_NtOpenProcess(handle, access, attr, &id);
    if (status || pid == atomic_load(&own_pid) || handle_is_ours(*handle, pid)) return status;
    real_NtClose(*handle);
    *handle = NULL;
    return STATUS_INVALID_CID;
}

bool process_exists(uint32_t pid)
{
    const OBJECT_ATTRIBUTES attr = { .Length = sizeof(attr) };
    HANDLE handle;
    NTSTATUS status = open_process(&handle, PROCESS_QUERY_LIMITED_INFORMATION, &attr, pid);

    if (!status) real_NtClose(handle);
    return !status || (status == STATUS_ACCESS_DENIED && process_is_in_list(pid));
}

static bool ask_for_thread(uint32_t tid)
{
    const OBJECT_ATTRIBUTES attr = { .Length = sizeof(attr) };
    const CLIENT_ID id = { NULL, (HANDLE)(uintptr_t)tid };
    THREAD_BASIC_INFORMATION basic;
    HANDLE handle;
    NTSTATUS status = real_NtOpenThread(&handle, THREAD_QUERY_LIMITED_INFORMATION, &attr, &id);
    uint32_t pid;

    if (status == STATUS_ACCESS_DENIED) return thread_is_in_list(tid);
    if (status) return false;
    status = real_NtQueryInformationThread(handle, ThreadBasicInformation, &basic, sizeof(basic), NULL);
    real_NtClose(handle);
    pid = (uint32_t)(uintptr_t)basic.ClientId.UniqueProcess;
    return !status && (pid == atomic_load(&own_pid) || process_exists(pid));
}

/* Threads of the silo that were seen lately. A wineserver gives an id to another thread only after some hundred
 * others, so what was true a moment ago still is. */
enum { SEEN = 64, SEEN_MS = 100 };
static _Atomic uint64_t seen[SEEN]; /* id and time */

bool thread_is_ours(uint32_t tid)
{
    _Atomic uint64_t *entry = &seen[tid / 4 % SEEN];
    uint64_t before = atomic_load(entry);
    struct timespec now;
    uint32_t ms;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    ms = (uint32_t)(now.tv_sec * 1000 + now.tv_nsec / 1000000);
    if (tid && before >> 32 == tid && ms - (uint32_t)before < SEEN_MS) return true;
    if (!ask_for_thread(tid)) return false;
    atomic_store(entry, (uint64_t)tid << 32 | ms);
    return true;
}

/* The caller's handle is written last: nothing must be open where a bad pointer ends the call. */
NTSTATUS hook_NtOpenProcess(HANDLE *handle, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr, const CLIENT_ID *id)
{
    CLIENT_ID asked;
    uint32_t pid, tid;
    NTSTATUS status;
    HANDLE own;

    *handle = NULL;
    asked = *id;
    pid = (uint32_t)(uintptr_t)asked.UniqueProcess;
    tid = (uint32_t)(uintptr_t)asked.UniqueThread;
    if (!asked.UniqueProcess) { /* by one of its threads */
        if (!thread_is_ours(tid)) return not_there("NtOpenProcess", RULE_THREAD_FOREIGN, tid);
        return real_NtOpenProcess(handle, access, attr, &asked);
    }
    status = open_process(&own, access, attr, pid);
    if (status == STATUS_INVALID_CID) return not_there("NtOpenProcess", RULE_PROCESS_FOREIGN, pid);
    audit_by_rule(AUDIT_PROCESS, RULE_PROCESS_OWN, AUDIT_OPENED, NULL, 0);
    *handle = own;
    return status;
}

NTSTATUS hook_NtOpenThread(HANDLE *handle, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attr, const CLIENT_ID *id)
{
    CLIENT_ID asked;
    uint32_t tid;

    *handle = NULL;
    asked = *id;
    tid = (uint32_t)(uintptr_t)asked.UniqueThread;
    if (!thread_is_ours(tid)) return not_there("NtOpenThread", RULE_THREAD_FOREIGN, tid);
    return real_NtOpenThread(handle, access, attr, &asked);
}

/* ---- consoles: a process may join that of another one, by its id ---- */

bool console_is_ours(const void *in, ULONG size)
{
    PROCESS_BASIC_INFORMATION basic;
    uint32_t pid;

    if (size != sizeof(pid) || !capture(&pid, in, sizeof(pid))) return true; /* an error that the real call reports */
    if (pid == ATTACH_PARENT_PROCESS) {
        if (real_NtQueryInformationProcess(own_process, ProcessBasicInformation, &basic, sizeof(basic), NULL)) return false;
        pid = (uint32_t)basic.InheritedFromUniqueProcessId;
    }
    return process_exists(pid);
}

/* ---- handles that one process makes or closes in another one ---- */

void process_handle_changed(HANDLE process, HANDLE handle)
{
    PROCESS_BASIC_INFORMATION basic;
    HANDLE other;
    NTSTATUS status = real_NtQueryInformationProcess(process, ProcessBasicInformation, &basic, sizeof(basic), NULL);

    if (status == STATUS_ACCESS_DENIED &&
        !real_NtDuplicateObject(own_process, process, own_process, &other, PROCESS_QUERY_LIMITED_INFORMATION, 0, 0)) {
        status = real_NtQueryInformationProcess(other, ProcessBasicInformation, &basic, sizeof(basic), NULL);
        real_NtClose(other);
    }
    if (!status) slots_tell((uint32_t)basic.UniqueProcessId, handle);
    else if (status == STATUS_ACCESS_DENIED) slots_tell(0, handle);
}

/* the start of RTL_USER_PROCESS_PARAMETERS, 64 bit */
struct process_parameters {
    uint8_t pad[96];
    UNICODE_STRING image;
};

static void note_image(enum audit_rule rule, const struct process_parameters *params)
{
    audit_by_rule(AUDIT_PROCESS, rule, AUDIT_CREATED, params->image.Buffer, params->image.Length & ~1u);
}

NTSTATUS hook_NtCreateUserProcess(HANDLE *process, HANDLE *thread, ACCESS_MASK process_access,
                                  ACCESS_MASK thread_access, OBJECT_ATTRIBUTES *process_attr,
                                  OBJECT_ATTRIBUTES *thread_attr, ULONG process_flags, ULONG thread_flags,
                                  void *params, void *info, void *attributes)
{
    NTSTATUS status = real_NtCreateUserProcess(process, thread, process_access, thread_access, process_attr, thread_attr, process_flags, thread_flags, params, info, attributes);

    if (NT_SUCCESS(status) && process && *process) process_register(*process, 0);
    if (NT_SUCCESS(status) && params) note_image(RULE_PROCESS_OWN, params);
    return status;
}

/* ---- lists ---- */

/* Take foreign processes out of the chain. The buffer is the caller's. */
static void filter_processes(uint8_t *buffer)
{
    struct process_info *p = (struct process_info *)buffer, *kept = NULL;

    for (;;) {
        ULONG next = p->next;

        if (process_is_ours((uint32_t)p->pid, (uint64_t)p->created)) {
            if (kept) kept->next = (ULONG)((uint8_t *)p - (uint8_t *)kept);
            else if ((uint8_t *)p != buffer) {
                /* the first one must stand at the start; its size is bounded by the next one's place or its name's end */
                size_t move = (size_t)((uint8_t *)p - buffer);
                size_t n = next ? next : (size_t)((uint8_t *)p->image.Buffer + p->image.MaximumLength - (uint8_t *)p);

                memmove(buffer, p, n);
                kept = (struct process_info *)buffer;
                if (kept->image.Buffer) kept->image.Buffer = (WCHAR *)((uint8_t *)kept->image.Buffer - move);
                if (!next) break;
                kept->next = 0;
                p = (struct process_info *)(buffer + move + next);
                continue;
            }
            kept = p;
        }
        if (!next) break;
        p = (struct process_info *)((uint8_t *)p + next);
    }
    if (kept) kept->next = 0;
}

/* SYSTEM_HANDLE_INFORMATION: ULONG count at 0, entries of 24 bytes from 8, owner's id (32 bit) first.
 * SYSTEM_HANDLE_INFORMATION_EX: count (64 bit) at 0, entries of 40 bytes from 16, owner's id at 8. */
static void filter_handles(uint8_t *buffer, bool extended, ULONG *needed)
{
    size_t size = extended ? 40 : 24, start = extended ? 16 : 8, owner = extended ? 8 : 0, i, kept = 0, count;

    count = extended ? *(uint64_t *)buffer : *(uint32_t *)buffer;
    for (i = 0; i < count; i++) {
        uint8_t *entry = buffer + start + i * size;

        if (!process_is_listed(*(uint32_t *)(entry + owner))) continue;
        if (i != kept) memmove(buffer + start + kept * size, entry, size);
        kept++;
    }
    if (extended) *(uint64_t *)buffer = kept;
    else *(uint32_t *)buffer = (uint32_t)kept;
    if (needed) *needed = (ULONG)(start + kept * size);
}

struct process_name { /* SYSTEM_PROCESS_ID_INFORMATION */
    uint64_t id;
    UNICODE_STRING name;
};

NTSTATUS hook_NtQuerySystemInformation(ULONG info_class, void *info, ULONG size, ULONG *needed)
{
    NTSTATUS status;

    if (info_class == SystemProcessIdInformation && size >= sizeof(struct process_name)) {
        struct process_name asked;

        if (capture(&asked, info, sizeof(asked)) && !process_exists((uint32_t)asked.id)) {
            not_there("NtQuerySystemInformation", RULE_PROCESS_FOREIGN, (uint32_t)asked.id);
            asked.id = 0; /* the call speaks of everything else first */
            return real_NtQuerySystemInformation(info_class, &asked, sizeof(asked), needed);
        }
    }
    status = real_NtQuerySystemInformation(info_class, info, size, needed);
    if (status) return status;
    if (info_class == SystemProcessInformation || info_class == SystemExtendedProcessInformation)
        filter_processes(info);
    else if (info_class == SystemHandleInformation) filter_handles(info, false, needed);
    else if (info_class == SystemExtendedHandleInformation) filter_handles(info, true, needed);
    return status;
}

/* ---- drivers: the host's are shared; a silo's own run in its own winedevice.exe (hook_device.c) ---- */

enum { DRIVER_KEY = 256 }; /* characters of a driver's key that are noted */

static void note_driver(const char *call, const UNICODE_STRING *name)
{
    UNICODE_STRING given;
    WCHAR key[DRIVER_KEY];

    if (!capture(&given, name, sizeof(given)) || given.Length > sizeof(key) || !capture(key, given.Buffer, given.Length)) return;
    TRACE(call, "refused", ((struct span){ key, given.Length / sizeof(WCHAR) }));
    audit_by_rule(AUDIT_DRIVER, RULE_DRIVER, AUDIT_OPENED, key, given.Length & ~1u);
}

/* Wine 8.0 and 10.0 do not implement it: what they answer stays, whatever the name. */
NTSTATUS hook_NtLoadDriver(const UNICODE_STRING *name)
{
    NTSTATUS status = real_NtLoadDriver(NULL);

    note_driver("NtLoadDriver", name);
    return status == STATUS_NOT_IMPLEMENTED ? status : STATUS_PRIVILEGE_NOT_HELD;
}

NTSTATUS hook_NtUnloadDriver(const UNICODE_STRING *name)
{
    NTSTATUS status = real_NtUnloadDriver(NULL);

    note_driver("NtUnloadDriver", name);
    return status == STATUS_NOT_IMPLEMENTED ? status : STATUS_PRIVILEGE_NOT_HELD;
}
