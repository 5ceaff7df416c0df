/*
 * keepalive.h - the settings, and the functions that share them
 * SPDX-License-Identifier: MIT
 *
 * The data goes one way:
 *
 *     environment --settings.c--> struct keepalive --apply.c--> socket
 *
 * None of these functions keeps state, allocates, locks or prints.
 */
#ifndef KEEPALIVE_H
#define KEEPALIVE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262 /* glibc before 2.32 lacks it */
#endif

/* The rows of the table of options, in the order in which they are set. */
enum {
    KEEPALIVE_SWITCH,
    KEEPALIVE_COUNT,
    KEEPALIVE_IDLE,
    KEEPALIVE_INTERVAL,
    KEEPALIVE_TIMEOUT,
    KEEPALIVE_OPTIONS
};

/* One row: a variable and the socket option that it sets. */
struct keepalive_option {
    char variable[12]; /* no pointers: the loader would have to relocate them */
    char unit[8];      /* what a value counts: "seconds", "probes", or "" */
    int level;         /* level and option as for setsockopt(2) */
    int option;
    int least; /* the range of a value, in its unit */
    int most;
    int scale; /* the kernel's units in one of ours */
};

/*
 * The values of row KEEPALIVE_SWITCH are words, those of the other rows are
 * numbers; a timeout of 0 is none. For the ranges see tcp(7), and
 * MAX_TCP_KEEPIDLE and its neighbours in the kernel's include/net/tcp.h.
 */
extern const struct keepalive_option keepalive_options[KEEPALIVE_OPTIONS];

/* The values of row KEEPALIVE_SWITCH. */
enum { KEEPALIVE_OFF, KEEPALIVE_ON, KEEPALIVE_FORCE };

/* What to set on a socket: the first `count` values, in order; none if off. */
struct keepalive {
    bool force; /* the program cannot change them with setsockopt(3) */
    int count;
    struct keepalive_value {
        int level;
        int option;
        int value; /* in the kernel's unit */
    } values[KEEPALIVE_OPTIONS];
};

/*
 * Parses the value of one row. `text` is the whole value, not NULL. A number is
 * decimal digits; one of seconds may have s, m or h (times 1, 60, 3600) behind
 * them. On success stores the value, in the unit of the row, in *value and
 * returns true; for KEEPALIVE_SWITCH it is KEEPALIVE_OFF, _ON or _FORCE.
 * Otherwise returns false and leaves *value alone.
 */
bool keepalive_parse(int row, const char *text, int *value);

/*
 * Makes the settings from an environment: a vector as in environ(7), or NULL
 * for an empty one. If a name occurs twice, the first counts, as for getenv(3).
 * A variable that is unset, empty, bad or the number 0 leaves its option alone;
 * KEEPALIVE_SWITCH is on then. Returns true if any of the variables is there;
 * only then bad[row] is set, to the text that could not be used or to NULL.
 */
bool keepalive_settings(struct keepalive *settings, char *const *environment,
                        const char *bad[KEEPALIVE_OPTIONS]);

enum { KEEPALIVE_COMPLAINT = 224 }; /* bytes of the longest complaint */

/*
 * Writes what is wrong with a bad value: "'5M' is not a whole number of ...",
 * with no NUL at the end. At most 64 bytes of the text are shown, and ? for
 * whatever is not printable ASCII. Returns the number of bytes, less than
 * KEEPALIVE_COMPLAINT.
 */
size_t keepalive_refusal(char line[KEEPALIVE_COMPLAINT], int row,
                         const char *text);

/*
 * Writes the library's one line about a bad value: the variable, what is wrong
 * and what happens now. It ends with a newline, without a NUL.
 * Returns the number of bytes, at most KEEPALIVE_COMPLAINT.
 */
size_t keepalive_complaint(char line[KEEPALIVE_COMPLAINT], int row,
                           const char *text);

/*
 * Would socket(2) with these arguments make a TCP socket? True for TCP, over
 * IPv4 or IPv6, and for Multipath TCP. Inline, so that other sockets cost no
 * more than the comparisons.
 */
static inline bool keepalive_is_tcp(int family, int type, int protocol)
{
    if (family != AF_INET && family != AF_INET6)
        return false;
    /* Compare; do not test a bit: SOCK_RAW (3) and SOCK_SEQPACKET (5) include
     * the bit of SOCK_STREAM (1). */
    if ((type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != SOCK_STREAM)
        return false;
    return protocol == 0 || protocol == IPPROTO_TCP ||
           protocol == IPPROTO_MPTCP;
}

/*
 * Sets the options on descriptor fd, by one setsockopt(2) each and no other
 * system call. Async-signal-safe; errno is kept. An option that the kernel
 * refuses does not stop the next, and the caller is not told: an older kernel
 * answers EOPNOTSUPP for Multipath TCP, a seccomp filter EPERM.
 */
void keepalive_apply(const struct keepalive *settings, int fd);

/*
 * Do the settings include this option of setsockopt(2)? Inline, so that other
 * options of the program cost no more than the comparisons.
 */
static inline bool keepalive_sets(const struct keepalive *settings, int level,
                                  int option)
{
    const struct keepalive_value *v = settings->values;

    for (int left = settings->count; left > 0; left--, v++)
        if (v->option == option && v->level == level)
            return true;
    return false;
}

/*
 * Does the same as keepalive_apply(), if fd is a TCP socket, after the program
 * has set one of these options, of this level, with success.
 */
void keepalive_restore(const struct keepalive *settings, int fd, int level);

#endif
