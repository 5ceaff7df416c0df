/*
 * place.h - where a cgroup is
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_CGROUP_PLACE_H
#define KEEPALIVE_CGROUP_PLACE_H

#include <limits.h>
#include <stdbool.h>

enum {
    CGROUP_V1 = 0x27e0eb, /* CGROUP_SUPER_MAGIC */
    CGROUP_V2 = 0x63677270,
};

/* Of which file system is the directory? 0 where there is none. */
long kind_of(const char *path);

/* The path of a cgroup: a directory, or a path below the mount. False, with a
 * line on standard error, where there is none. */
bool find_cgroup(const char *name, char path[PATH_MAX]);

#endif
