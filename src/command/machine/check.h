/*
 * check.h - what would stop the library from serving the whole machine
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_MACHINE_CHECK_H
#define KEEPALIVE_MACHINE_CHECK_H

#include "machine/trial.h"

#include <stdbool.h>

/*
 * What would stop the library from serving the whole machine. Each check
 * returns true, or false and writes one sentence.
 */
struct check {
    const char *name;
    bool (*passes)(const struct library *library, char reason[REASON]);
};
extern const struct check checks[];
extern const int check_count;

#endif
