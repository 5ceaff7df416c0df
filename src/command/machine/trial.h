/*
 * trial.h - does the library load and work?
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_MACHINE_TRIAL_H
#define KEEPALIVE_MACHINE_TRIAL_H

#include "locate.h"

#include <limits.h>
#include <stdbool.h>

enum { REASON = 2 * PATH_MAX }; /* bytes of a sentence */

/*
 * Starts programs, a set-user-ID one and a 32-bit one among them, and a probe
 * that looks for the library in itself and at a socket of its own. `entry` is
 * their LD_PRELOAD; NULL: as the machine is. False, with one sentence, where
 * one of them is not as it should be.
 */
bool start_programs(const struct library *library, const char *entry,
                    char reason[REASON]);

/*
 * Does a program that is started now, without LD_PRELOAD, have keepalive by a
 * library of this name? If so, stores the files that it has mapped. Uncertain
 * if none can be started.
 */
enum answer { NO, YES, UNCERTAIN };
enum answer has_library(char mapped[REASON]);

/* The name by which main() knows that it is that probe, and its part. */
#define TRIAL_PROBE "keepalive-probe"
int run_trial_probe(void);

/*
 * Finds a 32-bit program of this machine, and its loader, where the library is
 * a 64-bit one. False if there is none.
 */
bool find_narrow(const struct library *library, const char **path,
                 const char **loader);

#endif
