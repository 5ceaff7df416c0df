/*
 * switch.h - keepalive for every program of a cgroup
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_CGROUP_SWITCH_H
#define KEEPALIVE_CGROUP_SWITCH_H

#include "values.h"

/*
 * Puts values in force for every program of a cgroup: a directory, or a path
 * below the mount of cgroup2. Nothing wanted: shows what is in force there;
 * off: removes what was put there. Returns the exit status: 0, one of those in
 * layers.h, or STATUS_FAILED.
 */
int switch_cgroup(const char *name, const struct wanted *wanted);

#endif
