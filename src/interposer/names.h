/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pure name helpers: which NT name belongs to which namespace, what it is called
 * for the silo and what for the host. They touch nothing but their arguments, so
 * they are tested and fuzzed without Wine. Lengths are in characters. */
#ifndef WINESILO_NAMES_H
#define WINESILO_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nt.h"

/* an unowned run of UTF-16 characters */
struct span {
    const WCHAR *s;
    size_t n;
};

enum name_class {
    NAME_UNCHANGED, /* not in a namespace that is made private */
    NAME_MOVED,     /* goes to the silo: insert a prefix, see struct name_edit */
    NAME_SHARED,    /* the host's, unless the silo has its own, which lies where NAME_MOVED says */
    NAME_MERGED,    /* a directory that the host and the silo both have */
    NAME_REFUSED,   /* no silo may reach this */
    NAME_PIPE_ROOT, /* the pipe or mailslot device itself: relative names need the prefix */
    NAME_OBJECT,    /* a file's name that is looked up among the objects: classify_object says where */
};

/* The name in the host's terms is name[0..head) + prefix + name[tail..n). */
struct name_edit {
    size_t head, tail;
    bool device; /* of an object: name[tail..n) is below \??, the prefix is device_root */
    uint16_t rule; /* of an object: what decided, a rule of audit.h */
    bool listed;   /* of an object: a name that the catalogue of devices decides about */
};

/* names made once from the silo's number */
struct silo_names {
    WCHAR object_root[32];   /* \winesilo\N */
    WCHAR device_root[36];   /* \winesilo\N\?? */
    WCHAR pipe_prefix[32];   /* winesilo\N\ */
    WCHAR hive_root[64];     /* \REGISTRY\User\winesilo-N */
    size_t object_root_n, device_root_n, pipe_prefix_n, hive_root_n;
};

void names_init(struct silo_names *names, unsigned int id);

/* ASCII only: enough for the fixed names compared here */
static inline WCHAR fold(WCHAR c)
{
    return c >= 'A' && c <= 'Z' ? (WCHAR)(c + ('a' - 'A')) : c;
}

bool span_equal_ascii(struct span a, const char *b);
/* does a start with the ASCII text b, ending at a component boundary? */
bool span_has_prefix_ascii(struct span a, const char *b);
bool span_has_prefix(struct span a, const WCHAR *b, size_t bn);

/* the name of a drive ("D:") that a silo does not have: it has C: only */
bool is_foreign_drive(struct span name);

/* the folder \??\X:\ */
bool is_drive_root(struct span name);

/* MOVED, SHARED or MERGED, as names.def has it; with the same edit in all three cases. A name of the catalogue is SHARED. */
enum name_class classify_object(struct span name, struct name_edit *edit);
/* of an absolute name below a directory of objects: how long is the part of it that is the entry of that
 * directory, \??\X of \??\X\Y? */
size_t object_entry(struct span name, const struct name_edit *edit);
/* Does the object's name fit a pattern of the catalogue, which is written as those of names.def? */
bool object_fits(struct span name, const struct name_edit *edit, const char *pattern);
enum name_class classify_file(struct span name, struct name_edit *edit);
enum name_class classify_key(struct span name, struct name_edit *edit);

/* Put an absolute path into its shortest form, in place: \a\b for /a/./x//../b/. Returns its length. */
size_t collapse_path(WCHAR *text, size_t n);
/* Is name, in its shortest form, a Unix path (\??\unix\...) to this folder or something below it? folder: absolute, no slash at the end */
bool is_in_unix_folder(struct span name, const char *folder);
/* The name of a pipe or mailslot that is too long for a prefix: a short one in its place, and back. */
enum { PIPE_NAME_LONG = 32000, PIPE_ALIAS = 17 };
uint64_t pipe_hash(struct span name);
void pipe_alias(uint64_t hash, WCHAR alias[PIPE_ALIAS]);
bool pipe_alias_hash(struct span name, uint64_t *hash);

/* \winesilo\N\X -> \X. Returns how many characters to cut after *keep leading ones, 0 for none. */
size_t strip_object(const struct silo_names *names, struct span name);
/* \Device\NamedPipe\winesilo\N\X or \winesilo\N\X: *keep leading characters stay, the result is cut after them */
size_t strip_pipe(const struct silo_names *names, struct span name, size_t *keep);
/* \REGISTRY\User\winesilo-N\Machine\X -> \REGISTRY\Machine\X */
size_t strip_key(const struct silo_names *names, struct span name, size_t *keep);

#endif
