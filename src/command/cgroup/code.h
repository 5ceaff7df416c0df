/*
 * code.h - the two BPF programs of a cgroup
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_CGROUP_CODE_H
#define KEEPALIVE_CGROUP_CODE_H

#include "cgroup/bpf.h"

/*
 * Loads the programs that put the values in force: the second, the guard, only
 * with force. Stores their descriptors, or ABSENT; false, with errno, where
 * that fails.
 */
bool load_programs(int programs[PROGRAMS], const struct wanted *wanted);

#endif
