/*
 * show.h - shows, and sets, the sockets of running processes
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_SOCKETS_SHOW_H
#define KEEPALIVE_SOCKETS_SHOW_H

#include "flags.h"

/*
 * Shows, and sets if values are wanted, the TCP sockets of the processes that
 * the operands name, by number or name, or of all. Returns the exit status: 0,
 * one of those in table.h, the highest if several hold, or STATUS_FAILED.
 */
int show_sockets(const struct request *request);

#endif
