/* Hands messages between standard input and output and a pipe, so that a program on Linux can talk to it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * relay PIPE    for each message: its length as 32 bits, little-endian, and its bytes, written to the pipe; the
 *               answer comes back in the same form. One without bytes is not written: it asks for the next message,
 *               where an answer has several */

#include <fcntl.h>
#include <io.h>
#include <stdint.h>
#include <stdio.h>

#include <windows.h>

static char message[65536];

int main(int argc, char **argv)
{
    DWORD mode = PIPE_READMODE_MESSAGE, size;
    uint32_t length;
    HANDLE pipe;

    if (argc != 2)
        return 2;
    pipe = CreateFileA(argv[1], GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (pipe == INVALID_HANDLE_VALUE || !SetNamedPipeHandleState(pipe, &mode, NULL, NULL)) {
        fprintf(stderr, "no pipe %s: error %lu\n", argv[1], GetLastError());
        return 1;
    }
    _setmode(0, _O_BINARY);
    _setmode(1, _O_BINARY);
    while (fread(&length, sizeof(length), 1, stdin) == 1 && length <= sizeof(message) &&
           fread(message, 1, length, stdin) == length) {
        if (!(length ? TransactNamedPipe(pipe, message, length, message, sizeof(message), &size, NULL)
                     : ReadFile(pipe, message, sizeof(message), &size, NULL)))
            return 1;
        fwrite(&(uint32_t){ size }, sizeof(length), 1, stdout);
        fwrite(message, 1, size, stdout);
        fflush(stdout);
    }
    return 0;
}
