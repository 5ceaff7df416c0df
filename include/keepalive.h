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

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262 /* glibc before 2.32 lacks it */
#endif

enum {
    KEEPALIVE_OPTIONS = 5,     /* rows of the table */
    KEEPALIVE_COMPLAINT = 192, /* bytes of the longest complaint, newline too */
};

/* One row of the table: a variable and the socket option that it sets. */
struct keepalive_option {
    char variable[12]; /* KEEP...; no pointer, which would be relocated */
    int level;         /* level and option as in setsockopt(2) */
    int option;
    int least; /* range of the value: seconds, or a number of probes */
    int most;
    int scale; /* the kernel's units in one of the variable's */
};

/*
 * The table, in the order in which the options are set. Row 0 is the switch,
 * KEEPALIVE; its values are words, the others' are numbers. Ranges: tcp(7),
 * MAX_TCP_KEEPIDLE and its like in the kernel's include/net/tcp.h.
 */
extern const struct keepalive_option keepalive_options[KEEPALIVE_OPTIONS];

/* The switch's values. */
enum { KEEPALIVE_OFF, KEEPALIVE_ON, KEEPALIVE_FORCE };

/* What to do to a socket: the first `count` values, in order; none if off. */
struct keepalive {
    bool force; /* the program cannot change them afterwards */
    int count;
    struct keepalive_value {
        int level;
        int option;
        int value; /* in the kernel's unit */
    } values[KEEPALIVE_OPTIONS];
};

/*
 * Reads one value. text is the whole value of a variable, not NULL. Returns
 * true and stores it, in the variable's unit, in *value (for the switch one of
 * KEEPALIVE_OFF and its like); false,
 * with *value as it was, where the text is not a value of this option.
 */
bool keepalive_parse(const struct keepalive_option *option, const char *text,
                     int *value);

/*
 * Makes the settings of an environment: a vector like environ(7), or NULL for
 * an empty one. It is passed over once; of two equal names the first counts,
 * as with getenv(3). An unset, empty or bad variable leaves its option alone;
 * the switch is on then. Returns true where any of the variables was there;
 * then bad[row] is the text of a value that could not be used, or NULL.
 */
bool keepalive_settings(struct keepalive *settings, char *const *environment,
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
 * TCP, over IPv4 or IPv6, and for Multipath TCP. Inline, so that a socket that
 * does not count costs nothing but the comparisons.
 */
static inline bool keepalive_is_tcp(int family, int type, int protocol)
{
    if (family != AF_INET && family != AF_INET6)
        return false;
    /* Equal, not a bit test: SOCK_RAW (3) and SOCK_SEQPACKET (5) hold the bit
     * of SOCK_STREAM (1). */
    if ((type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != SOCK_STREAM)
        return false;
    return protocol == 0 || protocol == IPPROTO_TCP ||
           protocol == IPPROTO_MPTCP;
}

/*
 * The system call itself: returns what the kernel returned, an error as its
 * negative number, see syscall(2). errno is not touched, and no wrapper of the
 * C library or of another preloaded library comes in between. Inline, and by
 * the instruction where it is known, so that a call costs what it must and the
 * loader has one symbol less to look up at each start of a program.
 */
static inline long keepalive_call(long number, long a, long b, long c, long d,
                                  long e)
{
#if defined(__x86_64__) && !defined(__ILP32__)
    register long fourth __asm__("r10") = d;
    register long fifth __asm__("r8") = e;

    __asm__ volatile("syscall"
                     : "+a"(number)
                     : "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth)
                     : "rcx", "r11", "memory");
    return number;
#elif defined(__aarch64__)
    register long call __asm__("x8") = number;
    register long first __asm__("x0") = a;
    register long second __asm__("x1") = b;
    register long third __asm__("x2") = c;
    register long fourth __asm__("x3") = d;
    register long fifth __asm__("x4") = e;

    __asm__ volatile("svc 0"
                     : "+r"(first)
                     : "r"(call), "r"(second), "r"(third), "r"(fourth),
                       "r"(fifth)
                     : "memory");
    return first;
#else
    int saved = errno;
    long result = syscall(number, a, b, c, d, e);

    if (result == -1)
        result = -errno;
    errno = saved;
    return result;
#endif
}

/* setsockopt(2) and getsockopt(2) in that way, and socket(2). */
enum keepalive_socket_call {
    KEEPALIVE_SOCKET = 1, /* the numbers of socketcall(2) */
    KEEPALIVE_SETSOCKOPT = 14,
    KEEPALIVE_GETSOCKOPT = 15,
};

static inline long keepalive_socket_call(enum keepalive_socket_call call,
                                         long a, long b, long c, long d, long e)
{
#ifdef SYS_socketcall
    /* i386 and its like have had calls of these names only since Linux 4.3,
     * and a seccomp filter there may know this one alone. */
    long arguments[] = {a, b, c, d, e};

    return keepalive_call(SYS_socketcall, call, (long)arguments, 0, 0, 0);
#else
    return keepalive_call(call == KEEPALIVE_SOCKET       ? SYS_socket
                          : call == KEEPALIVE_SETSOCKOPT ? SYS_setsockopt
                                                         : SYS_getsockopt,
                          a, b, c, d, e);
#endif
}

/*
 * Sets the options on descriptor fd, each on its own: one that the kernel
 * refuses does not stop the next. errno is kept. One setsockopt(2) an option,
 * no other system call; async-signal-safe. Refusals are none of the
 * program's business: an older kernel has EOPNOTSUPP for Multipath TCP, a
 * seccomp filter EPERM.
 */
void keepalive_apply(const struct keepalive *settings, int fd);

/*
 * The same, but only where the settings hold this option of setsockopt(2) and
 * fd is a TCP socket.
 */
void keepalive_restore(const struct keepalive *settings, int fd, int level,
                       int option);

#endif
