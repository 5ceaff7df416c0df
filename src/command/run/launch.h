/*
 * launch.h - runs a command with the library
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_RUN_LAUNCH_H
#define KEEPALIVE_RUN_LAUNCH_H

#include "flags.h"

/* Becomes the command. Returns, with a status, only if that fails. */
int run_command(const struct request *request);

#endif
