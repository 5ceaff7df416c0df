/*
 * process.h - finds the sockets of running processes
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_SOCKETS_PROCESS_H
#define KEEPALIVE_SOCKETS_PROCESS_H

#include "sockets/table.h"

/* Adds the sockets of every process, or of every one of a name. Returns how
 * many processes there were. */
int add_processes(struct scan *scan, const char *name);

/* Adds the sockets of the process or processes that an operand names. */
void add_operand(struct scan *scan, const char *operand);

/* Why a process is out of reach, for an error of the kernel. */
const char *explain_reach(int error);

#endif
