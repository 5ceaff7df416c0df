/*
 * hints.h - values that together do what few expect
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_HINTS_H
#define KEEPALIVE_HINTS_H

#include "keepalive.h"

/* A bit for each hint. */
enum { HINT_INTERVAL = 1, HINT_TIMEOUT = 2 };

/*
 * Looks at the values that a socket has, and says on standard error, in a line
 * each, where
 * - the idle time is below the interval: the kernel's timer runs for the
 *   interval after every probe, so only the first one comes when it should,
 * - the timeout is not above idle time plus interval: one lost probe ends the
 *   connection. To survive n lost probes it must be longer than the idle time
 *   plus n intervals, see tcp_keepalive_timer() in the kernel's
 *   net/ipv4/tcp_timer.c.
 * `given` are the values that were asked for: others are not judged. Both are
 * in the kernel's units, NO_VALUE where there is none. `said` has a bit for
 * each hint that is not to be repeated. Returns it with those given now.
 */
unsigned hint_at_values(const int given[KEEPALIVE_OPTIONS],
                        const int values[KEEPALIVE_OPTIONS], unsigned said);

/* The same for sockets that are yet to be made: they have the system's values
 * where none is given. */
void hint_at_new_sockets(const int given[KEEPALIVE_OPTIONS]);

#endif
