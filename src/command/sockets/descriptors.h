/*
 * descriptors.h - the sockets of one process
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_SOCKETS_DESCRIPTORS_H
#define KEEPALIVE_SOCKETS_DESCRIPTORS_H

#include "sockets/table.h"

enum { CAP_SYS_PTRACE = 19 }; /* <linux/capability.h> */

/*
 * Adds the sockets of a process, with those of its threads that have
 * descriptors of their own. These may move meanwhile: it looks until nothing
 * does. Says what could not be looked at.
 */
void add_process(struct socket_table *table, int pid);

/*
 * Reads the name of a process or thread, which may hold newlines, below /proc
 * or the directory of threads; without the newline that the kernel adds.
 */
bool read_name(int directory, int pid, char name[COMM + 2]);

/* What to do about an error of the kernel. */
const char *explain_reach(int error);

#endif
