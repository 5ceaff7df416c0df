/*
 * record.h - what a cgroup's programs keep of their settings in the kernel
 * SPDX-License-Identifier: MIT
 *
 * A record lives as long as its programs, which may be longer than the version
 * that made it: later versions read it, and earlier ones may meet it. So fields
 * stay where they are. A version with more options has longer records, with
 * more values; one that has fewer reads those that it knows.
 */
#ifndef KEEPALIVE_CGROUP_RECORD_H
#define KEEPALIVE_CGROUP_RECORD_H

#include "keepalive.h"

#include <stddef.h>
#include <stdint.h>

#define OWNER "libkeepalive"

/* How a program sets values; see code.c. */
enum {
    RULE_1_1 = 0, /* all, unless keepalive is on already */
    RULE = 1,     /* each, where the socket has the system's */
};

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

#endif
