/*
 * switch.h - switches the whole machine on and off
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_MACHINE_SWITCH_H
#define KEEPALIVE_MACHINE_SWITCH_H

#include <stdbool.h>

/*
 * Does `keepalive --global on`, `off` or `status`. Returns the exit status: 0,
 * one of those in status.h, or STATUS_FAILED with the file as it was.
 */
int switch_machine(const char *what, bool quiet, bool json);

#endif
