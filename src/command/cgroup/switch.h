/*
 * switch.h - keepalive for every program of a cgroup
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_CGROUP_SWITCH_H
#define KEEPALIVE_CGROUP_SWITCH_H

#include "flags.h"

/*
 * Puts values in force for every program of a cgroup: a directory, a path below
 * the mount of cgroup2, or "self". Nothing wanted: shows what is in force
 * there; off: removes what was put there; off and force: exempts it from what
 * is set above. Returns the exit status: 0, one of those in show.h, or
 * STATUS_FAILED.
 */
int switch_cgroup(const struct request *request);

#endif
