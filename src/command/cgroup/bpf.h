/*
 * bpf.h - the two BPF programs of a cgroup, and the record of the settings
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_CGROUP_BPF_H
#define KEEPALIVE_CGROUP_BPF_H

#include "keepalive.h"

#include <stdbool.h>
#include <stdint.h>

/* The two programs, in the order in which they are attached. */
enum { SETTER, GUARD, PROGRAMS };

enum { ABSENT = -1, FAILED = -2 }; /* instead of a descriptor */

#define NAME "keepalive"

/* What the map holds. */
struct record {
    char owner[16];
    struct keepalive settings;
};

/* The programs of one kind at a cgroup. */
struct list {
    uint32_t ids[1024];
    uint32_t count;
    uint32_t attach_flags;
};

/* Loads what the settings take; false, with errno, where that fails. */
bool load_programs(int programs[PROGRAMS], const struct keepalive *settings);

/* Opens a program of ours; ABSENT where it is another's; FAILED with errno. */
int open_program(uint32_t id, struct record *record);

/* Those that are attached there or, `effective`, that are run for it. */
bool list_programs(int cgroup, int kind, bool effective, struct list *list);

/* Opens ours that are attached to the cgroup itself; false with errno. */
bool find_programs(int cgroup, int programs[PROGRAMS]);

/* Replaces the old programs by the new ones: both, or none. */
bool put_programs(int cgroup, const int new[PROGRAMS], const int old[PROGRAMS]);

void close_programs(const int programs[PROGRAMS]);

/* Were the programs attached so that others may stand beside them? */
bool allows_others(const struct list *list);

#endif
