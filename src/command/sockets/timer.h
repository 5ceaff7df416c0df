/*
 * timer.h - the time to the next probe
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_SOCKETS_TIMER_H
#define KEEPALIVE_SOCKETS_TIMER_H

#include "sockets/table.h"

/* Fills in the time to the next probe of each row. */
void add_timers(struct scan *scan);

#endif
