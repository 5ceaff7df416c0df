/*
 * contract.h - the table of options as the manual has it, written a second time
 * SPDX-License-Identifier: MIT
 */
#ifndef CONTRACT_H
#define CONTRACT_H

#include "keepalive.h"

#include <netinet/tcp.h>
#include <stdio.h>

/*
 * Beside each option a value that the tests give it, and one that a program
 * sets by itself, in the kernel's unit. No two are equal, nor the kernel's.
 */
static const struct contract {
    struct keepalive_option option;
    const char *given;
    int own;
} contract[] = {
    [KEEPALIVE_SWITCH] = {{"KEEPALIVE", "", SOL_SOCKET, SO_KEEPALIVE, 0, 2, 1},
                          "on",
                          0},
    [KEEPALIVE_COUNT] =
        {{"KEEPCNT", "probes", IPPROTO_TCP, TCP_KEEPCNT, 1, 127, 1}, "11", 5},
    [KEEPALIVE_IDLE] = {{"KEEPIDLE", "seconds", IPPROTO_TCP, TCP_KEEPIDLE, 1,
                         32767, 1},
                        "222",
                        60},
    [KEEPALIVE_INTERVAL] = {{"KEEPINTVL", "seconds", IPPROTO_TCP, TCP_KEEPINTVL,
                             1, 32767, 1},
                            "33",
                            6},
    [KEEPALIVE_TIMEOUT] = {{"KEEPTIMEOUT", "seconds", IPPROTO_TCP,
                            TCP_USER_TIMEOUT, 0, 2147483, 1000},
                           "44",
                           7000},
};

_Static_assert(sizeof(contract) / sizeof(*contract) == KEEPALIVE_OPTIONS,
               "the last row of keepalive.h has no row here");

/* The value of a row on a socket; -1 where the socket has none. */
static inline int option_of(int fd, int row)
{
    int value = -1;
    socklen_t size = sizeof(value);

    if (getsockopt(fd, contract[row].option.level, contract[row].option.option,
                   &value, &size) < 0)
        return -1;
    return value;
}

/* Writes " VARIABLE=value" for one that the socket has. */
static inline char *put_option(char *end, int row, int value)
{
    if (value == -1)
        return end;
    return end +
           sprintf(end, " %.11s=%d", contract[row].option.variable, value);
}

#endif
