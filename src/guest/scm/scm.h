/* The service control manager of a silo.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One lock guards everything; one condition variable tells of every change. Whoever waits for a state, a process or a
 * pipe waits for that. Nothing blocks while it holds the lock but in wait_change(), which gives it up meanwhile.
 * docs/design/scm.md says how the parts work together. */
#ifndef SCM_H
#define SCM_H

#include <windows.h>
#include <winsvc.h>

#include "svcctl.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NAME_LIMIT 256 /* characters of a service's name, [MS-SCMR] 3.1.4.12 */
#define SERVICE_SET_STATUS 0x8000 /* Wine's right to report a status, which winsvc.h does not have */

/* A list of strings as REG_MULTI_SZ has it; NULL is an empty one. */
typedef WCHAR *multi_sz;

struct config {
    DWORD type, start, error, tag;
    WCHAR *image, *group, *account, *display, *description;
    multi_sz need_services, need_groups;
    BOOL wow64, delayed;
    BOOL hosts; /* a driver that runs on the host */
    DWORD preshutdown_timeout;
};

struct failure_actions {
    DWORD reset_period;
    WCHAR *reboot_message, *command;
    DWORD count;
    SC_ACTION *actions;
};

struct process {
    struct process *next;
    LONG refs;
    DWORD pid;
    HANDLE handle, pipe, event;
    WCHAR *image;      /* the command line, by which shared processes are found */
    unsigned services; /* that are not stopped in it */
    unsigned replies;  /* that it owes us, after a time-out */
    BOOL shared, busy, ended, leaving;
    DWORD exit_code;
    PTP_WAIT death;
    PTP_TIMER reaper;
    ULONGLONG end_at;
};

struct service {
    struct service *next;
    LONG refs; /* handles and calls in progress */
    WCHAR *name;
    struct config config;
    SERVICE_STATUS status;
    struct process *process;
    BOOL deleted;         /* marked for deletion */
    BOOL gone;            /* and out of the database */
    BOOL starting;        /* somebody is in start_service() with it */
    BOOL driver_host;     /* made for a process that drivers run in */
    DWORD changes;        /* of its status */
    DWORD pid_seen;       /* of its last process */
    BOOL died;            /* that one ended without a report */
    DWORD process_exit;   /* and this was its exit code */
    DWORD failures;       /* in the reset period */
    ULONGLONG last_failure;
    struct notify *notifies;
    struct handle *handles;
    int mark;             /* for walks over dependencies */
};

extern CRITICAL_SECTION scm_lock;
extern struct service *services;
extern BOOL stopping_all;

/* util.c */
void *allocate(size_t size); /* zeroed; ends the process when there is no memory */
void release(void *memory);
WCHAR *copy_string(const WCHAR *text);
WCHAR *join(const WCHAR *first, const WCHAR *second, const WCHAR *third);
size_t multi_sz_size(const WCHAR *strings); /* in characters, with the last NUL; 0 for NULL */
multi_sz copy_multi_sz(const WCHAR *strings);
BOOL same(const WCHAR *a, const WCHAR *b);
BOOL begins(const WCHAR *text, const WCHAR *with);
void append(WCHAR **text, const WCHAR *more);
void append_number(WCHAR **text, DWORD number);
ULONGLONG now(void);
void lock(void);
void unlock(void);
void changed(void);
BOOL wait_change(ULONGLONG deadline); /* FALSE when that has passed */

/* database.c */
DWORD database_open(void);
struct service *find_service(const WCHAR *name);
struct service *find_display(const WCHAR *display);
const WCHAR *display_of(const struct service *service);
struct service *hold(struct service *service);
void let_go(struct service *service);
DWORD add_service(const WCHAR *name, struct config *config, struct service **added);
void mark_deleted(struct service *service);
struct service *add_driver_host(const WCHAR *name, struct config *config);
HKEY open_service_key(const WCHAR *name, REGSAM access);

/* config.c */
DWORD check_config(const struct config *config);
DWORD load_config(HKEY key, struct config *config);
DWORD save_config(const WCHAR *name, const struct config *config);
void free_config(struct config *config);
DWORD parse_dependencies(const WCHAR *strings, DWORD bytes, struct config *config);
BOOL is_multi_sz(const WCHAR *strings, DWORD bytes);
WCHAR *read_string(HKEY key, const WCHAR *name);
multi_sz read_strings(HKEY key, const WCHAR *name);
DWORD read_number(HKEY key, const WCHAR *name, DWORD otherwise);
DWORD write_string(HKEY key, const WCHAR *name, const WCHAR *text);
DWORD write_strings(HKEY key, const WCHAR *name, const WCHAR *strings);
DWORD write_number(HKEY key, const WCHAR *name, DWORD number);
DWORD read_milliseconds(HKEY key, const WCHAR *name, DWORD otherwise);

/* config2.c */
DWORD query_level(SC_RPC_HANDLE handle, u32_t level, BOOL ansi, byte_t *buffer, u32_t size, u32_t *needed);

/* process.c */
extern DWORD pipe_timeout, kill_timeout;
DWORD listen_for_processes(void); /* makes the pipe; */
void serve_connections(void);     /* and never returns */
DWORD get_process(struct service *service, struct process **process);
WCHAR *command_of(const struct service *service);
void leave_process(struct service *service);
void retire_process(struct process *process);
void hold_process(struct process *process);
void let_go_process(struct process *process);
DWORD send_command(struct process *process, const WCHAR *name, DWORD control, const WCHAR *data, DWORD bytes,
                   ULONGLONG deadline, DWORD *result);
DWORD await_connection(struct process *process, ULONGLONG deadline);
void end_process(struct process *process, DWORD code);

/* output.c */
void say(const char *what, const WCHAR *name, DWORD number); /* a line of the log, about a service */
HANDLE open_output(struct process *process);
void drain_outputs(void);

/* start.c */
DWORD start_service(struct service *service, DWORD count, WCHAR **arguments);
DWORD start_one(struct service *service, DWORD count, WCHAR **arguments);
void start_later(struct service *service, unsigned *pending);
BOOL await_settled(struct service *service, DWORD pending, ULONGLONG limit);
void set_status(struct service *service, const SERVICE_STATUS *status);
void set_stopped(struct service *service, DWORD exit_code);

/* depend.c */
DWORD check_needed(struct service *service);
unsigned collect_dependents(struct service *service, DWORD states, struct service ***list);
BOOL state_matches(const struct service *service, DWORD states);
DWORD group_position(const WCHAR *group);
DWORD tag_position(const WCHAR *group, DWORD tag);
DWORD new_tag(const WCHAR *group);
void forget_groups(void);
BOOL in_group(const struct service *service, const WCHAR *group);
BOOL is_driver(const struct service *service);
BOOL is_hosts_driver(const struct service *service);

/* driver.c */
DWORD get_driver_process(struct service *driver, struct process **process);
DWORD load_driver(struct service *driver, struct process *process, ULONGLONG deadline);
void driver_failed(struct service *driver, struct process *process, DWORD error);
DWORD control_driver(struct service *service, DWORD control, ULONGLONG deadline);
void end_driver_hosts(void);

/* boot.c */
void start_automatic_services(void);

/* control.c */
DWORD control_service(struct service *service, DWORD control, ULONGLONG deadline, SERVICE_STATUS *status);

/* shutdown.c */
void stop_all(DWORD timeout, WCHAR **outcome);

/* failure.c */
void read_failure_actions(const WCHAR *name, struct failure_actions *actions);
DWORD write_failure_actions(const WCHAR *name, const struct failure_actions *actions);
void free_failure_actions(struct failure_actions *actions);
void service_failed(struct service *service);
DWORD failures_now(const struct service *service);

/* event.c: what is written to the System log; the caller holds the lock */
void report_state(const struct service *service, DWORD before);
void report_start_failed(const struct service *service, DWORD error);
void report_no_connection(const struct service *service, DWORD milliseconds);
void report_needed_failed(const struct service *service, const struct service *needed, DWORD error);
void report_crash(const struct service *service, const SC_ACTION *action);
void report_installed(const struct service *service);
void await_reports(ULONGLONG deadline); /* and here does not */

/* notify.c */
void notify_status(struct service *service);
void notify_database(const WCHAR *name, DWORD bit);
void drop_notifies(struct handle *handle);

/* handles.c */
enum handle_kind { /* the first field of all contexts: a client may send one for another */
    HANDLE_MANAGER = 0x4d,
    HANDLE_SERVICE = 0x53,
    HANDLE_NOTIFY = 0x4e,
    HANDLE_LOCK = 0x4c,
};
struct handle {
    enum handle_kind kind;
    DWORD access;
    struct service *service;
    struct notify *notify; /* that was asked for with this handle */
    BOOL told;             /* of the service's present state */
    struct backlog *backlog; /* what a manager's handle has not been told of */
    struct handle *next;     /* of the same service, or of those of the manager */
};
extern struct handle *managers;
DWORD new_handle(enum handle_kind kind, struct service *service, DWORD access, SC_RPC_HANDLE *made);
DWORD check_handle(SC_RPC_HANDLE handle, enum handle_kind kind, DWORD access, struct service **service);
BOOL is_handle(const void *context, enum handle_kind kind);
void close_handle(struct handle *handle);

#endif
