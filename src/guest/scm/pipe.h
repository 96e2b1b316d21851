/* The pipe over which the service control manager speaks to processes of services, and what is said.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The protocol is that of Wine's sechost.dll (dlls/sechost/service.c, service_control_dispatcher; the same in 8.0 and
 * 10.0), so that its programs that have a client of their own would find us: a request is this head, the name, and data;
 * the answer is one u32, a Windows error. */
#ifndef PIPE_H
#define PIPE_H

#define REQUEST_MAGIC 0x57494e45
#define CONTROL_START 0 /* its data are the arguments, each with a NUL, and one NUL */
#define PIPE_NAME L"\\\\.\\pipe\\net\\NtControlPipe"
#define PIPE_NUMBER 0
#define PIPE_NUMBER_TEXT L"0" /* Wine counts: one number serves all of ours */

struct request {
    DWORD magic, size; /* of it all, in bytes */
    DWORD name_size;   /* in characters, with its NUL */
    DWORD control;
    BYTE data[];
};

#endif
