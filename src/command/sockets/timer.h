/*
 * timer.h - the time to the next probe
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_SOCKETS_TIMER_H
#define KEEPALIVE_SOCKETS_TIMER_H

#include "sockets/table.h"

#include <linux/tcp.h> /* in its place, <netinet/tcp.h> would clash */

/*
 * Milliseconds to the next probe of a connection that has keepalive on. The
 * kernel sets its timer again only when it fires: by then less than the idle
 * time may have passed since something was received, and it waits for the rest
 * (tcp_keepalive_timer() in the kernel's net/ipv4/tcp_timer.c). NO_VALUE where
 * no such timer runs, because data is unacknowledged or unsent, a probe is
 * unanswered, or the network of the socket cannot be entered.
 */
long long find_next_probe(const struct socket_row *row, int socket,
                          const struct tcp_info *info);

#endif
