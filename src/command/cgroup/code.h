/*
 * code.h - the two BPF programs of a cgroup
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_CGROUP_CODE_H
#define KEEPALIVE_CGROUP_CODE_H

#include "cgroup/bpf.h"

/*
 * The system's values, unless somebody changed them with sysctl(8): those that
 * a socket has if its program set none.
 */
extern const int usual_values[KEEPALIVE_OPTIONS];

/*
 * Loads the programs that put values in force. `wanted` has 1 in row
 * KEEPALIVE_SWITCH, or 0 there and nothing else: that exempts the cgroup from
 * what is set above. `system` are the system's values in this network. The
 * second program, the guard, is loaded with force only. Stores the descriptors,
 * or ABSENT; false, with errno, where that fails.
 *
 * Without force a program's own values stay: where it switched keepalive on,
 * each that differs from the usual one and from the system's; where it did not,
 * only its timeout.
 */
bool load_programs(int programs[PROGRAMS], const struct wanted *wanted,
                   const int system[KEEPALIVE_OPTIONS]);

#endif
