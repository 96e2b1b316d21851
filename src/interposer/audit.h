/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The record of rendezvous: which names a silo's processes have asked for, and what was decided about each
 * (docs/design/audit.md). It lies in a file that they share; the daemon makes it before each boot and reads it
 * (src/winesilo/interposer/record.py has the same offsets). A set without locks: an entry is claimed with its hash,
 * filled, and never changed or removed. The set touches nothing but its arguments, so it is tested and fuzzed without Wine. */
#ifndef WINESILO_AUDIT_H
#define WINESILO_AUDIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AUDIT_MAGIC "WAUDT\0\0\1"

enum {
    AUDIT_ENTRIES = 1 << 16, /* a power of two */
    AUDIT_TEXT = 6 << 20,    /* bytes */
    AUDIT_RULES = 28672,     /* bytes */
    AUDIT_NAME_MAX = 2048,   /* bytes of a name; what is longer is cut and marked */
    AUDIT_PROBES = 256,      /* entries looked at before a name counts as lost */
    AUDIT_SIZE = 8 << 20,
};

/* what kind of name it is, and so what the bytes of the name are */
enum audit_space {
    AUDIT_OBJECT = 1, /* UTF-16, as the program wrote it: absolute, or below the directory of the parent entry */
    AUDIT_PIPE,       /* UTF-16, below the device */
    AUDIT_MAILSLOT,   /* the same */
    AUDIT_KEY,        /* UTF-16, absolute */
    AUDIT_FILE,       /* the same */
    AUDIT_BIND,       /* struct audit_address */
    AUDIT_CONNECT,    /* the same */
    AUDIT_PROCESS,    /* UTF-16, the image; as a process id: 4 bytes */
    AUDIT_THREAD,     /* its id, 4 bytes */
    AUDIT_WINDOW,     /* its handle, 4 bytes */
    AUDIT_DESKTOP,    /* UTF-16 */
    AUDIT_ATOM,       /* UTF-16 */
    AUDIT_DRIVER,     /* UTF-16 */
    AUDIT_SPACES
};

enum audit_class {
    AUDIT_PRIVATE = 1, /* the silo's own */
    AUDIT_SHARED,      /* the host's, as a rule says */
    AUDIT_REFUSED,     /* kept from the silo */
    AUDIT_UNDECLARED,  /* the host's, and no rule says why */
    AUDIT_CLASSES
};

enum { AUDIT_OPENED = 1, AUDIT_CREATED = 2 }; /* asked to be */
enum { AUDIT_CUT = 1 };                       /* flags: the name is longer */

struct audit_address {
    uint8_t stream, family; /* 4 or 6 */
    uint16_t port;          /* network order */
    uint8_t addr[16];
};

struct audit_entry {
    _Atomic uint64_t hash; /* 0: free */
    _Atomic uint32_t text; /* where the name is, from 1; 0: being written; AUDIT_NO_TEXT: there was no room */
    uint16_t bytes, rule;  /* rule: a line of the rules, from 1; from AUDIT_CATALOGUE on: of the configuration's devices */
    uint8_t space, class, flags;
    _Atomic uint8_t how;
    uint32_t parent; /* an entry's number, from 1; 0: none, or it is not known */
};
#define AUDIT_NO_TEXT 0xffffffffu
enum { AUDIT_CATALOGUE = 0x8000 };

struct audit {
    char magic[8];
    _Atomic uint64_t lost;      /* 8: names that found no room */
    uint64_t seed;              /* 16: of the hashes, from the daemon */
    _Atomic uint32_t text_n;    /* 24: bytes of text in use */
    _Atomic uint32_t rules_n;   /* 28: bytes of the rules, once they are there */
    _Atomic uint32_t entries_n; /* 32: entries in use */
    uint8_t pad[4096 - 36];
    char rules[AUDIT_RULES];    /* 4096: a line each: class, kind of name, pattern or nothing, reason; tabs between */
    struct audit_entry entries[AUDIT_ENTRIES]; /* 32768 */
    uint8_t text[AUDIT_TEXT];
};

_Static_assert(sizeof(struct audit_entry) == 24, "known to the daemon");
_Static_assert(offsetof(struct audit, rules) == 4096 && offsetof(struct audit, entries) == 32768, "known to the daemon");
_Static_assert(sizeof(struct audit) <= AUDIT_SIZE, "fits the file");

/* what is noted; all fields but how tell one note from another */
struct audit_note {
    enum audit_space space;
    enum audit_class class;
    unsigned int rule, how;
    uint32_t parent;
};

/* Note a name. Reads it before anything is changed, so it may be a caller's memory. Returns the entry's number, from
 * 1; 0: there was no room, which is counted. */
uint32_t audit_add(struct audit *audit, const struct audit_note *note, const void *name, size_t bytes);

/* ---- this process' silo ---- */

/* the rules that are not rows of names.def, by name; see rules.def */
enum audit_rule {
    RULE_NONE,
    RULE_NAMES_END = 0
#define NAME(class, path, reason) +1
#define NOTE(class, path, reason)
#include "names.def"
#undef NAME
#undef NOTE
    ,
#define RULE(name, class, kind, reason) RULE_##name,
#include "rules.def"
#undef RULE
    RULES_END
};

extern struct audit *audit; /* NULL: this is no silo */

void audit_write_rules(struct audit *to); /* unless they are there */

static inline uint32_t audit_name(enum audit_space space, enum audit_class class, unsigned int rule, unsigned int how,
                                  const void *name, size_t bytes)
{
    const struct audit_note note = { space, class, rule, how, 0 };

    return audit ? audit_add(audit, &note, name, bytes) : 0;
}

/* the same by a rule of rules.def, which has the class */
extern const uint8_t audit_rule_class[];
static inline void audit_by_rule(enum audit_space space, enum audit_rule rule, unsigned int how, const void *name, size_t bytes)
{
    audit_name(space, (enum audit_class)audit_rule_class[rule - RULE_NAMES_END - 1], rule, how, name, bytes);
}

#endif
