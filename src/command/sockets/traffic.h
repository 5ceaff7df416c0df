/*
 * traffic.h - the traffic class of the sockets that are fetched
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_SOCKETS_TRAFFIC_H
#define KEEPALIVE_SOCKETS_TRAFFIC_H

#include <stdbool.h>

/*
 * Makes our traffic groups those of a process, by the directory of its threads.
 * False if one of them cannot be joined.
 */
bool join_groups(int directory);

#endif
