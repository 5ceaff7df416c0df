/*
 * reach.h - can the loader help this program?
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_RUN_REACH_H
#define KEEPALIVE_RUN_REACH_H

#include "locate.h"

#include <limits.h>
#include <stdbool.h>

enum { OBSTACLE = PATH_MAX + 256 };

/* Says why a command could not be started, for the error of execvp(3). */
void warn_not_started(const char *name, int error);

/*
 * Would the library have no effect on this command, given as for execvp(3)?
 * Then true, with one sentence on the reason and on what to do. Scripts and
 * env(1) are followed; what cannot be read is not judged.
 */
bool program_obstacle(char text[OBSTACLE], char *const command[],
                      const struct library *library);

#endif
