/*
 * socket.h - reads and sets one socket, and finds its next probe
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_SOCKETS_SOCKET_H
#define KEEPALIVE_SOCKETS_SOCKET_H

#include "sockets/table.h"

/*
 * A socket that is fetched gets the traffic class of the process that fetches
 * it, by its groups of net_cls and net_prio (cgroup v1), see pidfd_getfd(2). So
 * our groups become those of its own process, by the directory of its threads.
 * False if one of them cannot be joined.
 */
bool join_groups(int tasks);

/*
 * Fetches a descriptor of the process or thread of a pidfd; -1 and errno if
 * that fails. Stores the inode if it is a socket, else 0.
 */
int fetch_socket(int pidfd, int fd, ino_t *inode);

/*
 * Reads a socket, sets it, and makes it a row; pid, fd, name and inode are
 * there already. One that is no TCP socket, is not asked for, or may not be
 * looked at is remembered, so that it is not fetched again. One of O_PATH is
 * not: it stands for the inode alone, and has no options.
 */
void add_socket(struct socket_table *table, struct socket_row *row, int socket);

/*
 * Finds the next probe of the rows that were added, of the process or thread of
 * a pidfd; with `all` also if there are only few.
 *
 * The kernel sets its timer again only when it fires: by then less than the
 * idle time may have passed since something was received, and it waits for the
 * rest (tcp_keepalive_timer() in the kernel's net/ipv4/tcp_timer.c). So the
 * next probe comes at the later of the two. The timer comes from sock_diag(7),
 * which finds one socket by its addresses, however many others there are: in
 * its own network namespace, so that is entered for a moment where it is not
 * this one.
 */
void find_timers(struct socket_table *table, int pidfd, bool all);

#endif
