/* What hostile.c passes to system calls: memory that can't be read or written, strings and attributes that are wrong,
 * handles that are none. Each kind of parameter has a good value and numbered bad ones.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#ifndef WINESILO_TEST_HOSTILE_H
#define WINESILO_TEST_HOSTILE_H

#include "check.h"

enum { MAX_ARGS = 17, MEMORY = 0x2000, PAGE = 0x1000, LONG_NAME = 32767, COPY = 0x200 };

enum kind { IS_NUMBER, IS_HANDLE, IS_OUT, IS_IO, IS_ATTR, IS_STRING, IS_BUFFER, IS_WINDOW };

struct param {
    enum kind kind;
    char name[32];
    ULONG out_size; /* IS_OUT: of what is written */
    BOOL is_handle; /* IS_OUT: a handle is written */
};

struct call {
    const char *name, *scene;
    int count;
    struct param params[MAX_ARGS];
    ULONG_PTR args[MAX_ARGS];
    BYTE *memory[MAX_ARGS]; /* MEMORY bytes, for what an argument points to */
};

/* ---- memory ---- */

struct zones {
    BYTE *guard;     /* can't be touched; the page before it can */
    BYTE *read_only; /* a page */
};

static struct zones zones;
static WCHAR *long_text; /* room for LONG_NAME characters and some more */

static void make_zones(void)
{
    BYTE *base = VirtualAlloc(NULL, 0x10000, MEM_RESERVE, PAGE_NOACCESS);
    DWORD old;

    VirtualAlloc(base, 3 * PAGE, MEM_COMMIT, PAGE_READWRITE);
    zones.guard = base + PAGE;
    zones.read_only = base + 2 * PAGE;
    VirtualProtect(zones.guard, PAGE, PAGE_NOACCESS, &old);
    VirtualProtect(zones.read_only, PAGE, PAGE_READONLY, &old);
    long_text = VirtualAlloc(NULL, 0x20000, MEM_COMMIT, PAGE_READWRITE);
}

static void *in_read_only(const void *data, size_t size)
{
    DWORD old;

    VirtualProtect(zones.read_only, PAGE, PAGE_READWRITE, &old);
    memcpy(zones.read_only, data, size);
    VirtualProtect(zones.read_only, PAGE, PAGE_READONLY, &old);
    return zones.read_only;
}

/* The first bytes of what is at data, where the rest would be in the guard page. */
static void *at_edge(const void *data, size_t before)
{
    memcpy(zones.guard - before, data, before);
    return zones.guard - before;
}

#define KERNEL ((ULONG_PTR)(sizeof(void *) == 8 ? 0xffff800000001000ull : 0xfffff000u))
#define NOT_CANONICAL ((ULONG_PTR)(sizeof(void *) == 8 ? 0x1234567812345678ull : 0xc0001230u))
#define LOW ((ULONG_PTR)0x1230)

/* Bad pointers, for all kinds of parameters; NULL: there are no more. */
static const char *bad_pointer(int n, const BYTE *memory, ULONG_PTR *arg)
{
    switch (n) {
    case 0: *arg = 0; return "null";
    case 1: *arg = LOW; return "low";
    case 2: *arg = (ULONG_PTR)zones.guard; return "unmapped";
    case 3: *arg = (ULONG_PTR)at_edge(memory, 4); return "edge";
    case 4: *arg = (ULONG_PTR)at_edge(memory, 1); return "last-byte";
    case 5: *arg = (ULONG_PTR)in_read_only(memory, COPY); return "read-only";
    case 6: *arg = KERNEL; return "kernel";
    case 7: *arg = NOT_CANONICAL; return "not-canonical";
    case 8: *arg = ~(ULONG_PTR)0; return "last";
    default: return NULL;
    }
}

enum { BAD_POINTERS = 9 };

/* ---- numbers ---- */

static const ULONG numbers[] = { 0, 1, 2, 3, 5, 0x20, 0x7f, 0xff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff };
static const ULONG sizes[] = { 0, 1, 3, 4, 7, 8, 9, 11, 12, 15, 16, 17, 20, 23, 24, 28, 31, 32, 33, 48, 64, 0x101, MEMORY - 1, 0x7fffffff,
                               0x80000000, 0xfffffff0, 0xffffffff };

static const char *bad_number(int n, const struct param *param, ULONG_PTR *arg)
{
    static char label[32];
    const BOOL is_size = strstr(param->name, "size") != NULL, is_class = !strcmp(param->name, "info_class");
    int count = is_size ? (int)(sizeof(sizes) / sizeof(*sizes)) : (int)(sizeof(numbers) / sizeof(*numbers));

    if (param->kind == IS_WINDOW && n > 4) n += 3; /* such numbers may be somebody's windows or threads */

    if (is_class && n < 80) *arg = (ULONG)n;
    else {
        if (is_class) n -= 80;
        if (is_size && param->name[0] == 'i' && n >= count - 3) n += 2; /* few of those that end the caller */
        if (!strcmp(param->name, "async") && (n++ > 7)) return NULL; /* without it a watch waits for a change */
        if (n >= count) return NULL;
        *arg = is_size ? sizes[n] : numbers[n];
    }
    snprintf(label, sizeof(label), "%lx", (ULONG)*arg);
    return label;
}

/* ---- handles ---- */

static HANDLE closed_handle(void)
{
    HANDLE handle = CreateEventW(NULL, FALSE, FALSE, NULL);

    CloseHandle(handle);
    return handle;
}

static HANDLE other_type; /* of an event and a file: one of them is wrong anywhere */
static HANDLE other_file;

static const char *bad_handle(int n, ULONG_PTR *arg)
{
    ULONG_PTR good = *arg;

    switch (n) {
    case 0: *arg = 0; return "zero";
    case 1: *arg = ~(ULONG_PTR)0; return "minus-one";
    case 2: *arg = ~(ULONG_PTR)1; return "minus-two";
    case 3: *arg = 0x7ffffff0; return "garbage";
    case 4: *arg = (ULONG_PTR)closed_handle(); return "closed";
    case 5: *arg = (ULONG_PTR)other_type; return "event";
    case 6: *arg = (ULONG_PTR)other_file; return "file";
    case 7: *arg = good | 3; return "low-bits";
    case 8: *arg = (ULONG_PTR)((ULONGLONG)good | 0x100000000ull); return "high-bits";
    case 9: *arg = 0x0ffffffc; return "large";
    default: return NULL;
    }
}

/* ---- strings ---- */

/* A long name that begins as the good one does. */
static void lengthen(UNICODE_STRING *us, BOOL whole)
{
    size_t n = whole ? 0 : us->Length / sizeof(WCHAR), i;

    memcpy(long_text, us->Buffer, n * sizeof(WCHAR));
    for (i = n; i < LONG_NAME; i++) long_text[i] = L'a';
    us->Buffer = long_text;
    us->Length = us->MaximumLength = LONG_NAME * sizeof(WCHAR);
}

static const char *bad_string(int n, UNICODE_STRING *us)
{
    switch (n) {
    case 0: us->Buffer = NULL; return "text-null";
    case 1: us->Buffer = (WCHAR *)LOW; return "text-low";
    case 2: us->Buffer = (WCHAR *)at_edge(us->Buffer, 4); return "text-edge";
    case 3: us->Buffer = (WCHAR *)KERNEL; return "text-kernel";
    case 4: us->Buffer = (WCHAR *)NOT_CANONICAL; return "text-not-canonical";
    case 5: us->Length--; return "length-odd";
    case 6: us->Length = 1; return "length-one";
    case 7: lengthen(us, FALSE); return "long";
    case 8: lengthen(us, TRUE); return "long-relative";
    case 9: lengthen(us, FALSE); us->Length = us->MaximumLength = 0xffff; return "length-ffff";
    case 10: us->Buffer[us->Length / 4] = 0; return "zero-inside";
    case 11: us->Buffer[us->Length / 2 - 1] = 0; return "zero-at-end";
    case 12: us->Length = 0; us->Buffer = NULL; return "empty-null";
    case 13: us->Length = 0; return "empty";
    case 14: us->Buffer[0] = us->Buffer[1] = us->Buffer[2] = L'\\'; us->Length = 6; return "backslashes";
    case 15: us->MaximumLength = 0; return "no-room";
    case 16: us->Buffer = (WCHAR *)memmove((BYTE *)us->Buffer + 1, us->Buffer, us->Length); return "unaligned";
    case 17: us->Buffer = (WCHAR *)in_read_only(us->Buffer, us->Length); return "text-read-only";
    case 18: us->Length = us->MaximumLength = 0xfffe; us->Buffer = (WCHAR *)at_edge(us->Buffer, 8); return "long-at-edge";
    case 19: lengthen(us, FALSE); us->Length = us->MaximumLength = 512; return "long-component";
    default: return NULL;
    }
}

/* ---- attributes ---- */

struct attributes {
    OBJECT_ATTRIBUTES attr;
    UNICODE_STRING name;
    BYTE pad[PAGE / 2];
    WCHAR text[512];
};

static void put_name(UNICODE_STRING *us, WCHAR *text, const WCHAR *name)
{
    wcscpy(text, name);
    us->Buffer = text;
    us->Length = (USHORT)(wcslen(name) * sizeof(WCHAR));
    us->MaximumLength = (USHORT)(us->Length + sizeof(WCHAR));
}

static void relative(struct attributes *a, HANDLE root)
{
    a->attr.RootDirectory = root;
    memmove(a->text, L"hostile", sizeof(L"hostile"));
    a->name.Length = 14;
}

static const char *bad_attributes(int n, struct attributes *a)
{
    switch (n) {
    case 0: a->attr.Length = 0; return "length-zero";
    case 1: a->attr.Length -= 4; return "length-short";
    case 2: a->attr.Length = 0xffffffff; return "length-huge";
    case 3: a->attr.ObjectName = NULL; return "name-null";
    case 4: a->attr.ObjectName = (UNICODE_STRING *)LOW; return "name-low";
    case 5: a->attr.ObjectName = (UNICODE_STRING *)at_edge(&a->name, 4); return "name-edge";
    case 6: a->attr.ObjectName = (UNICODE_STRING *)KERNEL; return "name-kernel";
    case 7: relative(a, (HANDLE)(ULONG_PTR)0x7ffffff0); return "root-garbage";
    case 8: relative(a, (HANDLE)~(ULONG_PTR)0); return "root-minus-one";
    case 9: relative(a, closed_handle()); return "root-closed";
    case 10: relative(a, other_type); return "root-event";
    case 11: relative(a, other_file); return "root-file";
    case 12: a->attr.RootDirectory = other_type; return "root-event-absolute";
    case 13: a->attr.RootDirectory = (HANDLE)(ULONG_PTR)0x7ffffff0; return "root-garbage-absolute";
    case 14: relative(a, NULL); return "relative-without-root";
    case 15: a->attr.Attributes = ~OBJ_PERMANENT; return "attributes-all";
    case 16: a->attr.Attributes = 0; return "attributes-none";
    case 17: a->attr.SecurityDescriptor = (void *)LOW; return "descriptor-low";
    case 18: a->attr.SecurityDescriptor = zones.guard - 4; return "descriptor-edge";
    case 19: a->attr.SecurityDescriptor = a->pad; return "descriptor-zeroes";
    case 20: a->attr.SecurityQualityOfService = (void *)LOW; return "service-low";
    default: return bad_string(n - 21, &a->name);
    }
}

/* The n-th bad value of an argument; NULL: there are no more. */
static const char *bad_value(struct call *call, int p, int n)
{
    ULONG_PTR *arg = &call->args[p];

    if (call->params[p].kind == IS_NUMBER) return bad_number(n, &call->params[p], arg);
    if (call->params[p].kind == IS_HANDLE) return bad_handle(n, arg);
    if (call->params[p].kind == IS_WINDOW) {
        if (n < BAD_POINTERS) return bad_pointer(n, call->memory[p], arg);
        n -= BAD_POINTERS;
        if (n == 0) {
            *arg = (ULONG_PTR)call->memory[p];
            return "memory";
        }
        return bad_number(n - 1, &call->params[p], arg);
    }
    if (n < BAD_POINTERS) return bad_pointer(n, (BYTE *)*arg, arg);
    n -= BAD_POINTERS;
    if (call->params[p].kind == IS_ATTR) return bad_attributes(n, (struct attributes *)call->memory[p]);
    if (call->params[p].kind == IS_STRING) return bad_string(n, &((struct attributes *)call->memory[p])->name);
    return NULL;
}

#endif
