/*
 * socket.h - reads and sets one socket
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_SOCKETS_SOCKET_H
#define KEEPALIVE_SOCKETS_SOCKET_H

#include "sockets/table.h"

/*
 * Reads a socket, sets it, and makes it a row; pid, fd, name and inode are
 * there already. One that is no TCP socket or is not asked for is remembered,
 * so that it is not fetched again.
 */
void add_socket(struct socket_table *table, struct socket_row *row, int socket);

#endif
