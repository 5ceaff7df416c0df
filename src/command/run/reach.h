/*
 * reach.h - will the command have what it is to have?
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_RUN_REACH_H
#define KEEPALIVE_RUN_REACH_H

#include "locate.h"
#include "values.h"

#include <stdbool.h>

/*
 * Will the command, given as for execvp(3), have the library and these values,
 * or KEEPALIVE=off? If not so, says why in one line on standard error, and what
 * to do, and returns false. Scripts and commands that run others are followed;
 * what cannot be read is not judged.
 */
bool check_reach(char *const command[], const struct library *library,
                 const struct wanted *wanted);

#endif
