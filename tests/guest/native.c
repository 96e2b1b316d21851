/* What SECURITY.md says of hostile code: a Windows program can make Linux system calls itself.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   native read PATH     print a Linux file, by openat(2) and read(2)
 *   native list          print the process ids in /proc, by getdents64(2) */

#include <windows.h>

#include <stdio.h>
#include <string.h>

enum { SYS_READ = 0, SYS_GETDENTS64 = 217, SYS_OPENAT = 257, CURRENT_FOLDER = -100 };

static long long linux_call(long long number, long long a, long long b, long long c, long long d)
{
    register long long r10 __asm__("r10") = d;
    long long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                     : "rcx", "r11", "memory");
    return result;
}

static long long linux_open(const char *path)
{
    return linux_call(SYS_OPENAT, CURRENT_FOLDER, (long long)path, 0, 0);
}

static int read_file(const char *path)
{
    char text[4096];
    long long file = linux_open(path), size;

    if (file < 0) {
        printf("refused %lld\n", -file);
        return 1;
    }
    while ((size = linux_call(SYS_READ, file, (long long)text, sizeof(text), 0)) > 0) fwrite(text, 1, (size_t)size, stdout);
    return 0;
}

static int list_processes(void)
{
    static char buffer[65536];
    long long folder = linux_open("/proc"), size, at;

    while ((size = linux_call(SYS_GETDENTS64, folder, (long long)buffer, sizeof(buffer), 0)) > 0) {
        /* struct linux_dirent64: u64 inode, u64 offset, u16 length, u8 type, name */
        for (at = 0; at < size; at += *(unsigned short *)(buffer + at + 16)) {
            const char *name = buffer + at + 19;

            if (*name >= '0' && *name <= '9') printf("%s\n", name);
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "read")) return read_file(argv[2]);
    if (argc == 2 && !strcmp(argv[1], "list")) return list_processes();
    fprintf(stderr, "usage: native read PATH | list\n");
    return 2;
}
