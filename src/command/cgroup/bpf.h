/*
 * bpf.h - the BPF programs at a cgroup: by bpf(2), whatever they do
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_CGROUP_BPF_H
#define KEEPALIVE_CGROUP_BPF_H

#include "values.h"

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The two programs of ours: BPF_CGROUP_SOCK_OPS and BPF_CGROUP_SETSOCKOPT. */
enum { SETTER, GUARD, PROGRAMS };

enum { ABSENT = -1, FAILED = -2 }; /* instead of a descriptor */

#define NAME "keepalive" /* of the programs and their map */
#define OWNER "libkeepalive"

/* How a program sets values; see code.c. */
enum {
    RULE_1_1 = 0, /* all, unless keepalive is on already */
    RULE = 1,     /* each, where the socket has the system's */
};

/*
 * What our programs have in their map. It lives as long as they do, which may
 * be longer than the version that made it: later versions read it, and earlier
 * ones may meet it. So fields stay where they are. A version with more options
 * has longer records, with more values; one that has fewer reads those that it
 * knows.
 */
struct record {
    char owner[16]; /* OWNER */
    uint8_t force;
    uint8_t rule; /* 1.1 left a 0 here */
    uint8_t unused[2];
    uint32_t count; /* of values */
    struct {
        int32_t level;
        int32_t option;
        int32_t value; /* in the kernel's unit */
    } values[KEEPALIVE_OPTIONS];
};

_Static_assert(offsetof(struct record, values) == 24 &&
                   sizeof(((struct record *)0)->values[0]) == 12,
               "a record is what it was in 1.1");

/* What a record says. */
struct settings {
    struct wanted wanted; /* in row KEEPALIVE_SWITCH 0 exempts */
    int rule;             /* RULE or RULE_1_1 */
    int unknown;          /* how many values this version does not know */
};

/* The programs of one kind at a cgroup. */
struct list {
    uint32_t ids[1024];
    uint32_t count;
    uint32_t attach_flags;
};

/* Makes a map that holds the record and that nobody can change; or -1. */
int make_map(const struct wanted *wanted);

/*
 * Loads a program. Returns its descriptor, or -1 with errno. If it fails and
 * KEEPALIVE_VERIFIER is in the environment, the verifier's log is printed on
 * standard error.
 */
int load_program(int kind, const struct bpf_insn *code, unsigned length);

/* Opens a program of ours; ABSENT where it is another's; FAILED with errno. */
int open_ours(uint32_t id, struct settings *settings);

/* Those that are attached there or, `effective`, that are run for it. */
bool list_programs(int cgroup, int kind, bool effective, struct list *list);

/* Opens ours that are attached to the cgroup itself; false with errno. */
bool find_programs(int cgroup, int programs[PROGRAMS]);

/* Replaces the old programs by the new ones: both, or none. */
bool put_programs(int cgroup, const int new[PROGRAMS], const int old[PROGRAMS]);

void close_programs(const int programs[PROGRAMS]);

/* The name that a program was loaded with; "" if it is gone. */
enum { PROGRAM_NAME = BPF_OBJ_NAME_LEN };
void name_program(uint32_t id, char name[PROGRAM_NAME]);

#endif
