/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Registry paths of our own, and the real calls on keys that the silo's tree is made with. Nothing here
 * touches a caller's memory. Memory is allocated: these are not the paths that each call takes. */
#ifndef WINESILO_REGKEY_H
#define WINESILO_REGKEY_H

#include "silo.h"

#define CLEANUP(f) __attribute__((cleanup(f)))

/* A path: the full name, or the logical one ("\Machine\Software\X"). */
struct regpath {
    WCHAR *s;
    size_t n;
    WCHAR small[300];
};

void regpath_free(struct regpath *path);
/* path = a + b; false: no memory or longer than a name may be */
bool regpath_join(struct regpath *path, struct span a, struct span b);
struct span path_span(const struct regpath *path);
struct span hive_span(void); /* \REGISTRY\User\winesilo-N */
struct span base_span(void); /* \REGISTRY */
struct span last_component(struct span path);
struct span parent_path(struct span path);

/* for CLEANUP, and handing over what it would clean up */
void close_handle(HANDLE *handle);
void free_memory(void *p);
HANDLE steal(HANDLE *handle);

/* the full name of a key, as the wineserver knows it */
NTSTATUS regkey_name(HANDLE key, struct regpath *path);
/* is this full name in the silo's own hive? */
bool regkey_is_private(struct span full_name);
/* full name -> logical path ("\Machine\...", empty for \Registry); false: not in the registry */
bool regkey_logical(struct span full_name, struct span *logical);
/* logical path -> handle of the private key, or of the base's (links there are not followed) */
NTSTATUS private_open(struct span logical, ACCESS_MASK access, HANDLE *key);
NTSTATUS base_open(struct span logical, ACCESS_MASK access, HANDLE *key);
/* The target of a registry link, if key (opened with OBJ_OPENLINK) is one. */
bool regkey_read_link(HANDLE key, struct regpath *target);

NTSTATUS open_at(HANDLE root, struct span name, ULONG flags, ACCESS_MASK access, HANDLE *key);
/* *disposition may be NULL; a child of a volatile key is made volatile too */
NTSTATUS create_at(HANDLE root, struct span name, ULONG options, struct span class_name, HANDLE *key, ULONG *disposition);
NTSTATUS make_link(HANDLE parent, struct span name, struct span target); /* no target: it leads nowhere */
NTSTATUS copy_values(HANDLE from, HANDLE to);
void copy_security(HANDLE from, HANDLE to);
int64_t last_write(HANDLE key);
ACCESS_MASK granted_access(HANDLE key);

enum { TREE_DEPTH = INDEX_DEPTH };

/* a malloc()ed buffer for answers of any size */
struct growing {
    void *data;
    ULONG size;
};

bool grow(struct growing *g, ULONG need);

struct child_name {
    struct growing g;
    struct span name, class_name;
    int64_t modified;
};

/* the same of a key itself, in *own */
NTSTATUS describe_key(HANDLE key, struct child_name *own);

/* The subkey at index, into *child; STATUS_NO_MORE_ENTRIES at the end. */
NTSTATUS nth_child(HANDLE key, ULONG index, struct child_name *child);
void free_child(struct child_name *child);
/* Delete a key with everything below it, links themselves and not what they lead to. */
bool delete_tree(HANDLE key, int depth);

#endif
