/* agent.exe: the one program that acts for winesilo inside the Windows host.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Every operation takes the payload of a request, may fill a reply and returns a status: 0, or an
 * NTSTATUS (silo, hive, key and process list operations) or a Win32 code (the others). */

#ifndef WINESILO_GUEST_AGENT_H
#define WINESILO_GUEST_AGENT_H

#include "nt.h"

#define PROTOCOL_VERSION 1

/* Cursor over the payload of a request; reading past the end clears `ok`. */
struct reader {
    const BYTE *at;
    DWORD left;
    BOOL ok;
};

DWORD read_u32(struct reader *r);
const char *read_string(struct reader *r);

/* Payload of a reply, grown as needed; running out of memory clears `ok`. */
struct buffer {
    BYTE *data;
    DWORD size;
    DWORD capacity;
    BOOL ok;
};

BYTE *buffer_extend(struct buffer *b, DWORD size);
void buffer_put(struct buffer *b, const void *data, DWORD size);
void buffer_put_u32(struct buffer *b, DWORD value);
void buffer_free(struct buffer *b);

void *mem_alloc(SIZE_T size);
void mem_free(void *p);

/* UTF-8 to a NUL-terminated UTF-16 string with its NT header; free with mem_free(u->Buffer). */
NTSTATUS unicode_from_utf8(UNICODE_STRING *u, const char *text);
NTSTATUS unicode_with_id(UNICODE_STRING *u, const char *before, DWORD id, const char *after);
void put_utf8(struct buffer *b, const WCHAR *text, DWORD bytes);

/* objects.c */
void objects_init(void);
DWORD op_silo_open(struct reader *in, struct buffer *out);
DWORD op_silo_close(struct reader *in, struct buffer *out);
DWORD op_wait_scm(struct reader *in, struct buffer *out);

/* registry.c */
DWORD op_hive_load(struct reader *in, struct buffer *out);
DWORD op_hive_save(struct reader *in, struct buffer *out);
DWORD op_hive_unload(struct reader *in, struct buffer *out);
DWORD op_key_get(struct reader *in, struct buffer *out);
DWORD op_key_set(struct reader *in, struct buffer *out);

/* pipes.c */
void pipes_init(void);
DWORD op_pipe_open(struct reader *in, struct buffer *out);
DWORD op_pipe_write_read(struct reader *in, struct buffer *out);
DWORD op_pipe_write(struct reader *in, struct buffer *out);
DWORD op_pipe_read(struct reader *in, struct buffer *out);
DWORD op_pipe_close(struct reader *in, struct buffer *out);

/* processes.c */
DWORD op_processes(struct reader *in, struct buffer *out);
DWORD op_terminate(struct reader *in, struct buffer *out);
DWORD op_process_wait(struct reader *in, struct buffer *out);

/* handles.c */
DWORD op_handles(struct reader *in, struct buffer *out);

#endif
