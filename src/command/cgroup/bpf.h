/*
 * bpf.h - the BPF programs at a cgroup: by bpf(2), whatever they do
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_CGROUP_BPF_H
#define KEEPALIVE_CGROUP_BPF_H

#include "values.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A cgroup of version 2, and what is wanted there: 1 in row KEEPALIVE_SWITCH
 * or, to exempt it from what is set above, 0 and nothing else. */
struct cgroup {
    char path[PATH_MAX];
    int fd;
    struct wanted wanted;
};

/* The two programs of ours: BPF_CGROUP_SOCK_OPS and BPF_CGROUP_SETSOCKOPT. */
enum { SETTER, GUARD, PROGRAMS };

enum { ABSENT = -1 }; /* instead of a descriptor */

#define OWNER "libkeepalive"

/* How a program sets values: all, unless keepalive is on already; or each where
 * the socket has the system's, see code.c. */
enum { RULE_1_1 = 0, RULE = 1 };

/*
 * What our programs have in their map. It lives as long as they do, which may
 * be longer than the version that made it: later versions read it, and earlier
 * ones may meet it. So fields stay where they are. A version with more options
 * has longer records, with more values; one that has fewer reads those that it
 * knows.
 */
enum { MOST_VALUES = 256 };
struct record {
    char owner[16]; /* OWNER */
    uint8_t force;
    uint8_t rule;      /* in 1.1, which did not set it, this and */
    uint8_t unused[2]; /* these hold whatever was on its stack */
    uint32_t count;    /* of values */
    /* One for each option of the version that wrote it; with room for more. */
    struct keepalive_value values[MOST_VALUES];
};

_Static_assert(offsetof(struct record, values) == 24 &&
                   sizeof(struct keepalive_value) == 12,
               "a record is what it was in 1.1");

/* The value of a row in a record. In row KEEPALIVE_SWITCH 0 exempts. */
int find_value(const struct record *record, int row);

/* A program of ours that is run for a cgroup. */
struct program {
    int kind;
    uint32_t map;        /* those of one run share it */
    char path[PATH_MAX]; /* of the cgroup that has it, or "above" the mount */
    struct record record;
};

/* Setters, then guards, each in the order in which the kernel runs them: from
 * the nearest cgroup on. */
struct programs {
    struct program *list;
    int count;
    int own[PROGRAMS]; /* open: the first of each kind at the cgroup itself */
};

/* These return false, with a line on standard error, if they fail. */

/* Finds our programs that are run for a cgroup, as they are at one moment. */
bool find_programs(const struct cgroup *cgroup, struct programs *programs);

/* Can ours stand beside the programs of others? */
bool has_room(const struct cgroup *cgroup);

/* Loads a setter and, with force, a guard. If that fails, the verifier's log is
 * printed, too, where KEEPALIVE_VERIFIER is in the environment. */
bool load_programs(const struct cgroup *cgroup, int programs[PROGRAMS]);

/* Says why a call, or a trial, failed: from errno. Returns false. */
bool explain(const struct cgroup *cgroup, bool trial);

/* Replaces the old programs by the new ones: both, or none. False with errno:
 * ENOENT if the cgroup, or an old one, is gone. */
bool put_programs(int cgroup, const int new[PROGRAMS], const int old[PROGRAMS]);

#endif
