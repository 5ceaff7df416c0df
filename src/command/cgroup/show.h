/*
 * show.h - shows what is in force in a cgroup
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_CGROUP_SHOW_H
#define KEEPALIVE_CGROUP_SHOW_H

#include "cgroup/bpf.h"

enum {
    CGROUP_OFF = 1, /* nothing is in force */
    /* One of two programs is missing, or there are those of several runs; or
     * what was there is removed, but what a cgroup above has is in force. */
    CGROUP_HALF = 2,
};

/*
 * Shows what is in force: a table, JSON or, with `quiet`, nothing, and a line
 * on standard error for what is not as it should be. Returns the exit status.
 */
int show_programs(const char *path, const struct programs *programs, bool json,
                  bool quiet);

#endif
