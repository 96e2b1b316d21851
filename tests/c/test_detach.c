/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * detach.c: the folder is another one, and what is in it the same. (That it then can be renamed on overlayfs is
 * checked as an ordinary user, by the guest program filenames.) */
#define _GNU_SOURCE
#include "detach.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "check.h"

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) abort();
    close(fd);
}

static bool holds(const char *path, const char *text)
{
    char got[64] = "";
    int fd = open(path, O_RDONLY);
    bool same = fd >= 0 && read(fd, got, sizeof(got) - 1) >= 0 && !strcmp(got, text);

    if (fd >= 0) close(fd);
    return same;
}

int main(void)
{
    static const struct timespec times[2] = { { 1000000000, 5 }, { 1100000000, 7 } };
    char root[] = "/tmp/winesilo-detach-XXXXXX", path[300], value[8];
    struct stat before, after, inner, inner_after;
    bool attributes;
    int i;

    if (!mkdtemp(root) || chdir(root) || mkdir("folder", 0750) || mkdir("folder/inner", 0700)) abort();
    write_file("folder/inner/deep", "deep");
    for (i = 0; i < 300; i++) {
        snprintf(path, sizeof(path), "folder/%d", i);
        write_file(path, path);
    }
    attributes = !setxattr("folder", "user.test", "0x2", 3, 0);
    if (symlink("nowhere", "folder/link") || utimensat(AT_FDCWD, "folder", times, 0)) abort();
    if (stat("folder", &before) || stat("folder/inner", &inner)) abort();

    snprintf(path, sizeof(path), "%s/folder", root);
    CHECK(folder_detach(path));
    CHECK(!stat("folder", &after) && after.st_ino != before.st_ino);
    CHECK(after.st_mode == before.st_mode && after.st_mtim.tv_sec == 1100000000 && after.st_mtim.tv_nsec == 7);
    CHECK(!attributes || (getxattr("folder", "user.test", value, sizeof(value)) == 3 && !memcmp(value, "0x2", 3)));
    CHECK(!stat("folder/inner", &inner_after) && inner_after.st_ino == inner.st_ino); /* what can move, moves */
    CHECK(holds("folder/inner/deep", "deep"));
    for (i = 0; i < 300; i++) {
        snprintf(path, sizeof(path), "folder/%d", i);
        CHECK(holds(path, path));
        unlink(path);
    }
    CHECK(readlink("folder/link", path, sizeof(path)) == 7);

    /* no folder, a file, a link: nothing is done */
    snprintf(path, sizeof(path), "%s/none", root);
    CHECK(!folder_detach(path));
    snprintf(path, sizeof(path), "%s/folder/inner/deep", root);
    CHECK(!folder_detach(path) && holds(path, "deep"));
    snprintf(path, sizeof(path), "%s/folder/link", root);
    CHECK(!folder_detach(path));
    CHECK(!folder_detach("relative") && !folder_detach("/"));

    CHECK(!unlink("folder/link") && !unlink("folder/inner/deep") && !rmdir("folder/inner") && !rmdir("folder"));
    CHECK(!chdir("/") && !rmdir(root)); /* nothing else was left behind */
    return failed != 0;
}
