/*
 * values.h - the values of the options of a socket, by row of the table
 * SPDX-License-Identifier: MIT
 *
 * Arrays of KEEPALIVE_OPTIONS numbers, each in the kernel's unit, in the order
 * of keepalive_options.
 */
#ifndef KEEPALIVE_VALUES_H
#define KEEPALIVE_VALUES_H

#include "keepalive.h"

#include <stdbool.h>

enum {
    NO_VALUE = -1, /* the kernel reports none, or none is wanted */
    VALUE_SIZE = sizeof("-2147483.647"),
};

/* What the flags ask for. */
struct wanted {
    /* Row KEEPALIVE_SWITCH: 0 for --off, 1 if any other is given. */
    int values[KEEPALIVE_OPTIONS];
    bool force;
};

/* Is anything wanted? */
static inline bool is_wanted(const struct wanted *wanted)
{
    return wanted->values[KEEPALIVE_SWITCH] != NO_VALUE;
}

/* An option of a socket, by getsockopt(2); NO_VALUE if it does not have it. */
int read_option(int fd, int level, int option);

/* The same, by its row, and of all rows. */
int read_value(int fd, int row);
void read_values(int fd, int values[KEEPALIVE_OPTIONS]);

/*
 * Sets one option of a socket. Returns 0, or the error as a negative number.
 * Neither the C library nor a preloaded library sees the call.
 */
int set_value(int fd, int row, int value);

/*
 * Makes a TCP socket of IPv4 that has the system's values: no preloaded library
 * sees the call. This command may itself be running with one.
 */
int make_socket(void);

/* The values of such a socket; all NO_VALUE where none can be made. */
void read_system(int values[KEEPALIVE_OPTIONS]);

/*
 * Writes a value as it is shown, in the unit of its row: "-", "on", "off" or a
 * number; in JSON null, true, false or a number. It takes at most VALUE_SIZE
 * bytes.
 */
void write_value(char *text, int row, int value, bool json);

/*
 * Says on standard error, once each, where the values that a socket has do what
 * few expect: the idle time is below the interval, for which the kernel's timer
 * runs after every probe; or one lost probe ends the connection. See
 * tcp_keepalive_timer() in the kernel's net/ipv4/tcp_timer.c. `given` are the
 * values that were asked for: others are not judged.
 */
void hint_at_values(const int given[KEEPALIVE_OPTIONS],
                    const int values[KEEPALIVE_OPTIONS]);

/* The same for sockets that are yet to be made: they have the system's values
 * where none is given. */
void hint_at_new_sockets(const int given[KEEPALIVE_OPTIONS]);

#endif
