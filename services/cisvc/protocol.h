/* Messages on \\.\pipe\ci_skads, the pipe's name in [MS-WSP]. A message is a header and a body, little endian; the
 * header and the numbers of messages are those of [MS-WSP] 2.2.2 and 2.2.3.1 where it has a like message, the bodies
 * are ours: README.md has them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WINESILO_CI_PROTOCOL_H
#define WINESILO_CI_PROTOCOL_H

#include <stdint.h>

#define CI_PIPE L"\\\\.\\pipe\\ci_skads"

enum { CI_VERSION = 1, CI_MESSAGE_MAX = 16384, CI_TEXT_MAX = 4096 };

enum {
    CI_CONNECT = 0xc8,
    CI_DISCONNECT = 0xc9,
    CI_CREATE_QUERY = 0xca,
    CI_FREE_CURSOR = 0xcb,
    CI_GET_ROWS = 0xcc,
    CI_STATE = 0xd9,
    CI_RESCAN = 0x1001, /* not in [MS-WSP] */
};

struct ci_header {
    uint32_t message, status, checksum, reserved; /* status: an HRESULT; checksum: 0, not used */
};

/* reply to CI_STATE */
struct ci_state {
    uint32_t documents, words, scanning, scans;
};

/* a row of the reply to CI_GET_ROWS, after the number of rows; its path follows, in UTF-16 */
struct ci_row {
    uint64_t size, written;
    uint32_t path_units, pad;
};

#endif
