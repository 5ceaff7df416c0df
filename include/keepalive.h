/*
 * keepalive.h - the settings, and the functions that the rooms share
 * SPDX-License-Identifier: MIT
 *
 * The data goes one way:
 *
 *     environment --settings.c--> struct keepalive --apply.c--> socket
 *
 * None of these functions has a global state, allocates, locks or prints.
 */
#ifndef KEEPALIVE_H
#define KEEPALIVE_H

#include <stdbool.h>
#include <stddef.h>

enum {
    KEEPALIVE_OPTIONS = 4,     /* rows of the table */
    KEEPALIVE_COMPLAINT = 192, /* bytes of the longest complaint, newline too */
};

/* One row of the table: a variable and the socket option that it sets. */
struct keepalive_option {
    char variable[12]; /* an array, so that the table needs no relocation */
    int level;         /* level and option as in setsockopt(2) */
    int option;
    int least; /* range of the value: seconds, or a number of probes */
    int most;
};

/*
 * The table, in the order in which the options are set. Row 0 is the switch,
 * KEEPALIVE; its values are words, the others' are numbers. Ranges: tcp(7),
 * MAX_TCP_KEEPIDLE and its like in the kernel's include/net/tcp.h.
 */
extern const struct keepalive_option keepalive_options[KEEPALIVE_OPTIONS];

/* What to do to a socket: the first `count` calls, in order; none if off. */
struct keepalive {
    int count;
    struct keepalive_call {
        int level;
        int option;
        int value;
    } calls[KEEPALIVE_OPTIONS];
};

/*
 * Reads one value. text is the whole value of a variable, not NULL. Returns
 * true and stores the number (for the switch: 0 off, 1 on) in *value; false,
 * with *value as it was, where the text is not a value of this option.
 */
bool keepalive_parse(const struct keepalive_option *option, const char *text,
                     int *value);

/*
 * Makes the settings of an environment: a vector like environ(7), or NULL for
 * an empty one. It is passed over once; of two equal names the first counts,
 * as with getenv(3). bad[row] becomes the text of a value that could not be
 * used, else NULL. An unset, empty or bad variable leaves its option alone; the
 * switch is on then.
 */
void keepalive_settings(struct keepalive *settings, char *const *environment,
                        const char *bad[KEEPALIVE_OPTIONS]);

/*
 * Writes the one line for a bad value, newline at its end, no NUL behind it.
 * At most 64 bytes of the text are shown, and only printable ASCII as it is.
 * Returns the number of bytes, at most KEEPALIVE_COMPLAINT.
 */
size_t keepalive_complaint(char line[KEEPALIVE_COMPLAINT],
                           const struct keepalive_option *option,
                           const char *text);

/*
 * Does a socket count that was made with these arguments of socket(2)? True for
 * TCP, over IPv4 or IPv6, and for Multipath TCP.
 */
bool keepalive_is_tcp(int family, int type, int protocol);

/*
 * Sets the options on descriptor fd, each on its own: one that the kernel
 * refuses does not stop the next. errno is kept. One setsockopt(2) an option,
 * no other system call; async-signal-safe.
 */
void keepalive_apply(const struct keepalive *settings, int fd);

#endif
