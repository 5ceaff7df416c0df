/*
 * check.h - what would stop the library from serving the whole machine
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_MACHINE_CHECK_H
#define KEEPALIVE_MACHINE_CHECK_H

#include "machine/trial.h"

#include <stdbool.h>

/*
 * Each finds nothing, and returns NULL, or returns one sentence, which stays
 * until the next. The last one starts programs: as the machine is where the
 * file has the entry, else with LD_PRELOAD.
 */
struct check {
    const char *name;
    const char *(*find)(const struct machine *machine);
    bool note; /* good to know; nothing is refused for it */
};
extern const struct check checks[];
extern const int check_count;

#endif
