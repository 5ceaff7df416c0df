/*
 * place.h - where a cgroup is
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_CGROUP_PLACE_H
#define KEEPALIVE_CGROUP_PLACE_H

#include <limits.h>
#include <stdbool.h>

/* Is this the directory of a cgroup of version 2? */
bool is_cgroup(const char *path);

/*
 * The path of a cgroup: a directory, a path below the mount, or "self" for the
 * one that this process is in. False, with a line on standard error, where
 * there is none.
 */
bool find_cgroup(const char *name, char path[PATH_MAX]);

#endif
