/*
 * process.h - which processes are looked at
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_SOCKETS_PROCESS_H
#define KEEPALIVE_SOCKETS_PROCESS_H

#include "sockets/table.h"

/*
 * Adds the sockets of the processes that the operands name, by number or name,
 * or with --all of every process. Says which cannot be found.
 */
void add_processes(struct socket_table *table, char *const operands[],
                   int count);

#endif
