/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * absent.c: what is missing is known to be as long as its folder has not changed, and not a moment longer. The folders
 * are real; Wine's part, the real call, is a look at the file system here. */
#define _GNU_SOURCE
#include "absent.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

/* the place of all folders; mkdtemp puts letters of its own for the X */
static char root[] = "/tmp/winesilo-absent-XXXXXX";

static const char *in_root(const char *name)
{
    static char paths[2][300];
    static int which;

    which = !which;
    snprintf(paths[which], sizeof(paths[which]), "%s/%s", root, name);
    return paths[which];
}

/* the name asked for once; whether the answer was known */
static bool ask(const char *text, uint64_t how, bool absent)
{
    struct span name = wide(text);
    struct lookup l;
    bool known = absent_still(&l, name, how);

    if (!known) absent_note(&l, absent);
    free_span(name);
    return known;
}

/* the answer is known from the third time on: the second one looks at the folder */
static bool learns(const char *text, uint64_t how)
{
    return !ask(text, how, true) && !ask(text, how, true) && ask(text, how, true);
}

/* until a change now has another time than what was there before */
static void settle(void)
{
    const struct timespec time = { 1, 100000000 };

    nanosleep(&time, NULL);
}

static void make(const char *name)
{
    int fd = open(in_root(name), O_WRONLY | O_CREAT | O_EXCL, 0600);

    if (fd < 0) abort();
    close(fd);
}

static void check_what_is_remembered(void)
{
    CHECK(learns("\\??\\C:\\folder\\missing", 1));
    CHECK(ask("\\??\\C:\\folder\\missing", 1, true));
    CHECK(!ask("\\??\\C:\\folder\\missing", 2, true)); /* asked in another way */
    CHECK(!ask("\\??\\C:\\folder\\Missing", 1, true)); /* Wine may know an answer to this one only */
    CHECK(learns("\\??\\c:\\missing", 1));
    CHECK(!learns("\\??\\D:\\missing", 1));
    CHECK(!learns("C:\\missing", 1));
    CHECK(!learns("\\??\\C:\\", 1));
    CHECK(!learns("\\??\\C:\\Folder\\missing", 1));
    CHECK(!learns("\\??\\C:\\file\\missing", 1));
    CHECK(!learns("\\??\\C:\\folder\\dangling", 1));
    CHECK(!learns("\\??\\C:\\folder/missing", 1));
    CHECK(!learns("\\??\\C:\\new\\missing", 1));
    CHECK(!learns("\\??\\C:\\elsewhere\\missing", 1)); /* another file system */
}

static void check_changes(void)
{
    CHECK(learns("\\??\\C:\\made\\x", 1));
    make("made/x");
    CHECK(!ask("\\??\\C:\\made\\x", 1, false));
    unlink(in_root("made/x"));
    CHECK(!learns("\\??\\C:\\made\\x", 1)); /* the folder is too new now */

    CHECK(learns("\\??\\C:\\case\\x", 1));
    make("case/X");
    CHECK(!ask("\\??\\C:\\case\\x", 1, false));

    CHECK(learns("\\??\\C:\\moved\\x", 1));
    if (rename(in_root("file"), in_root("moved/x"))) abort();
    CHECK(!ask("\\??\\C:\\moved\\x", 1, false));

    CHECK(learns("\\??\\C:\\late\\x", 1));
    make("late/x");
    settle(); /* else the folder would be too new for anything to be known of it */
    CHECK(!ask("\\??\\C:\\late\\x", 1, false));

    CHECK(learns("\\??\\C:\\here\\x", 1));
    if (rename(in_root("here"), in_root("there")) || rename(in_root("folder"), in_root("here"))) abort();
    CHECK(!ask("\\??\\C:\\here\\x", 1, false));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *place)
{
    (void)st;
    (void)type;
    (void)place;
    return remove(path);
}

int main(void)
{
    static const char *const folders[] = { "folder", "made", "case", "moved", "late", "here", "new" };
    char long_name[700] = "\\??\\C:\\";
    size_t i;

    if (!mkdtemp(root)) abort();
    for (i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
        if (mkdir(in_root(folders[i]), 0700)) abort();
    make("file");
    if (symlink("nowhere", in_root("folder/dangling")) || symlink("/proc/sys", in_root("elsewhere"))) abort();
    CHECK(!learns("\\??\\C:\\missing", 1)); /* no drive yet */
    absent_init(root);
    settle();
    if (chmod(in_root("new"), 0755)) abort(); /* its time of change is now */
    check_what_is_remembered();
    memset(long_name + 7, 'x', sizeof(long_name) - 8);
    CHECK(!learns(long_name, 1));
    check_changes();
    if (nftw(root, remove_one, 4, FTW_DEPTH | FTW_PHYS)) abort();
    return failed ? 1 : 0;
}
