/*
 * descriptors.h - the sockets of one process
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_SOCKETS_DESCRIPTORS_H
#define KEEPALIVE_SOCKETS_DESCRIPTORS_H

#include "sockets/table.h"

/*
 * Adds the sockets of a process, by its pidfd and its directory in /proc, with
 * those of its threads that have descriptors of their own. Descriptors may move
 * meanwhile: it looks until nothing does. Says what could not be looked at.
 */
void add_sockets(struct socket_table *table, int pid, int pidfd, int directory);

/* Notes that a process has ended; with --all that is not worth a message. */
void note_gone(struct socket_table *table, int pid);

/* Notes that a process is out of reach, and why, by an error of the kernel. */
void note_forbidden(struct socket_table *table, int pid, int error);

/* Has the process of a pidfd ended? */
bool has_ended(int pidfd);

/*
 * Reads the name of a process, which may hold newlines, from a file below a
 * directory of /proc; without the newline that the kernel adds.
 */
bool read_name(int directory, const char *file, char name[COMM + 2]);

/* What to do about an error of the kernel. */
const char *explain_reach(int error);

#endif
