/*
 * print.h - sockets as a table and as JSON
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_SOCKETS_PRINT_H
#define KEEPALIVE_SOCKETS_PRINT_H

#include "sockets/table.h"

/* Prints the rows that are shown. */
void print_sockets(const struct socket_table *table);

#endif
