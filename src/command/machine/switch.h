/*
 * switch.h - switches the whole machine on and off, and shows its state
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_MACHINE_SWITCH_H
#define KEEPALIVE_MACHINE_SWITCH_H

#include "flags.h"

/*
 * Does `keepalive --global on`, `off` or `status`. Returns the exit status: 0;
 * 1 if it is off, for status; 2 if it is not well, or not known; or
 * STATUS_FAILED with the file as it was.
 */
int switch_machine(const struct request *request);

#endif
