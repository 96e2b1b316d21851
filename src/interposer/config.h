/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The silo this process belongs to: read once at start from the file named by WINESILO_CONFIG
 * (format: docs/design/interposer-config.md), never again. */
#ifndef WINESILO_CONFIG_H
#define WINESILO_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "names.h"

enum { CONFIG_LOADERS = 8, CONFIG_FOLDERS = 32, CONFIG_PATHS = 64, CONFIG_DEVICES = 512 };

/* a logical registry path, "machine\software\x", lower case */
struct config_path {
    WCHAR text[256];
    size_t n;
};

/* names of devices and drivers, and what the catalogue says of them (docs/design/audit.md) */
enum device_class { DEVICE_SHARED, DEVICE_PRIVATE, DEVICE_REFUSED, DEVICE_UNDECLARED /* the host's, as if not listed */ };
struct config_device {
    uint8_t class;
    char pattern[95]; /* as in names.def */
};

struct config {
    unsigned int id;
    uint8_t address[4], twin[4]; /* network order */
    bool server_binds; /* datagram sockets, to these addresses (docs/design/sockets.md) */
    char shared_path[4096], network_path[4096], audit_path[4096], trace_path[4096];
    char loader_paths[CONFIG_LOADERS][256];
    size_t loaders;
    char folders[CONFIG_FOLDERS][512]; /* of Wine's own files, absolute */
    size_t folders_n;
    struct config_device devices[CONFIG_DEVICES]; /* the first that fits decides */
    size_t devices_n;
    struct config_path volatiles[CONFIG_PATHS];
    size_t volatiles_n;
    struct {
        struct config_path from, to;
    } links[CONFIG_PATHS];
    size_t links_n;
};

/* Parse the text of a configuration file. Returns NULL, or what is wrong (a constant text). Pure. */
const char *config_parse(struct config *config, const char *text, size_t size);

/* Take another folder of Wine's own files. False: it is no usable path, or there are too many. */
bool config_add_folder(struct config *config, const char *path, size_t n);

#endif
