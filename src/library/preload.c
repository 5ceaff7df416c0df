/*
 * preload.c - the interposed calls of libkeepalive.so
 * SPDX-License-Identifier: MIT
 *
 * This source file alone has state and exported symbols. The state is written
 * once, by the constructor, published by one number and made read-only. There
 * are no locks: the calls stay async-signal-safe and usable after vfork(2) and
 * in a child forked by one of many threads.
 *
 * A call may come before the constructor: from another library's constructor,
 * from its threads, from an allocator, or while the loader still relocates this
 * library. It gets a state of its own, on its stack, publishes nothing, and
 * goes to the system past all other libraries.
 */
#include "keepalive.h"
#include "syscall.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define COLD __attribute__((cold, noinline))

/*
 * The environment as the C library has it: a program may have a variable of
 * its own called environ, empty before main(). Weak, so that its address, which
 * the loader fills in, can be tested: it is null until this library has been
 * relocated. Until then nothing of the C library can be used.
 */
#pragma weak __environ
#ifndef __GLIBC__
extern char **__environ; /* it is there, but not declared */
#endif

/*
 * Before glibc 2.34 dlsym(3) is in libdl, which not every program has loaded.
 * gnu_get_libc_version(3) tells glibc from other C libraries.
 */
#pragma weak dlsym
#pragma weak gnu_get_libc_version
extern const char *gnu_get_libc_version(void);

/*
 * 32-bit programs built for 64-bit times (_TIME_BITS, see
 * feature_test_macros(7)) call setsockopt(2) by another name. Only glibc 2.34
 * and newer for 32-bit architectures has it. __getsockopt64 came with it and
 * tells whether it is there: dlsym(3) would leave a message for dlerror(3).
 */
#if __SIZEOF_LONG__ == 4 && defined(__GLIBC__) && !defined(__x86_64__)
#define SETSOCKOPT64 "__setsockopt64"
#pragma weak __getsockopt64
extern int __getsockopt64(void);
#endif

typedef int socket_call(int family, int type, int protocol);
typedef int setsockopt_call(int fd, int level, int option, const void *value,
                            socklen_t size);

/* The names of setsockopt(2). */
enum {
    PLAIN,
#ifdef SETSOCKOPT64
    TIME64,
#endif
    NAMES
};

/* All that the interposed calls need. */
struct state {
    struct keepalive settings;
    socket_call *next_socket;
    setsockopt_call *next_setsockopt[NAMES];
};

static struct state loaded;

/* What the calls do with it; EARLY until it is complete. In this order one
 * comparison tells a setsockopt() that is only passed on. */
enum { EARLY, FORCE, OFF, ON };
static atomic_int phase;

/* The interposed calls; exported at the end of this file. */
static socket_call own_socket;
static setsockopt_call own_setsockopt;
#ifdef SETSOCKOPT64
static setsockopt_call own_setsockopt64;
#endif

COLD static bool is_relocated(void)
{
    return &__environ != NULL;
}

/* The system calls themselves, used when no other library defines them. */
COLD static int result(long returned)
{
    if (returned >= 0)
        return (int)returned;
    if (is_relocated())
        errno = (int)-returned;
    return -1;
}

static int plain_socket(int family, int type, int protocol)
{
    return result(
        keepalive_socket_call(KEEPALIVE_SOCKET, family, type, protocol, 0, 0));
}

static int plain_setsockopt(int fd, int level, int option, const void *value,
                            socklen_t size)
{
    return result(keepalive_socket_call(KEEPALIVE_SETSOCKOPT, fd, level, option,
                                        (long)value, (long)size));
}

static void set_plain(struct state *s)
{
    socket_call *make = plain_socket;
    setsockopt_call *set = plain_setsockopt;

    /* Computed one by one: a compiler may load both at once from a constant
     * that the loader has not relocated yet. */
    __asm__("" : "+r"(make), "+r"(set));
    s->next_socket = make;
    for (int name = PLAIN; name < NAMES; name++)
        /* cppcheck-suppress AssignmentAddressToInteger; it is a pointer */
        s->next_setsockopt[name] = set;
}

/*
 * Puts the next function of that name into its place. If there is none, or if a
 * library that interposes dlsym(3) has found our own, the place is left alone.
 * ISO C has no conversion from a pointer to void; POSIX guarantees that the
 * representation is the same.
 */
static void find_next(void *place, const char *name, uintptr_t own)
{
    void *found = dlsym(RTLD_NEXT, name);

    if (found != NULL && (uintptr_t)found != own)
        memcpy(place, &found, sizeof(found));
}

static void set_next(struct state *s)
{
    set_plain(s);
    if (dlsym == NULL)
        return;
    find_next(&s->next_socket, "socket", (uintptr_t)own_socket);
    find_next(&s->next_setsockopt[PLAIN], "setsockopt",
              (uintptr_t)own_setsockopt);
#ifdef SETSOCKOPT64
    s->next_setsockopt[TIME64] = s->next_setsockopt[PLAIN];
    if (__getsockopt64 != NULL)
        find_next(&s->next_setsockopt[TIME64], SETSOCKOPT64,
                  (uintptr_t)own_setsockopt64);
#endif
}

/* A program with more rights than its caller ignores its environment. */
static bool read_settings(struct keepalive *settings,
                          const char *bad[KEEPALIVE_OPTIONS])
{
    return keepalive_settings(settings, __environ, bad) &&
           (getauxval(AT_SECURE) == 0 ||
            keepalive_settings(settings, NULL, bad));
}

/* Can standard error be a socket other than a local one? Then the line would go
 * to a peer, in the middle of a protocol, with a value of the environment in
 * it. */
COLD static bool is_remote(void)
{
    int domain = AF_UNSPEC;
    socklen_t size = sizeof(domain);

    return keepalive_socket_call(KEEPALIVE_GETSOCKOPT, STDERR_FILENO,
                                 SOL_SOCKET, SO_DOMAIN, (long)&domain,
                                 (long)&size) != -ENOTSOCK &&
           domain != AF_UNIX;
}

/* A pipe that is full would stop the program. */
COLD static bool is_ready(void)
{
    struct pollfd standard_error = {STDERR_FILENO, POLLOUT, 0};
    struct timespec now = {0, 0};

    return keepalive_call(SYS_ppoll, (long)&standard_error, 1, (long)&now, 0,
                          0) == 1 &&
           standard_error.revents == POLLOUT;
}

/* Signals that a write can raise: no reader, a file that may not grow, a
 * terminal that stops jobs in the background. In the kernel's form: 64 bits, on
 * MIPS 128. */
enum { WORD = 8 * sizeof(unsigned long) };
struct signals {
    unsigned long words[_NSIG / WORD];
};

COLD static void add_signal(struct signals *signals, int number)
{
    signals->words[(number - 1) / WORD] |= 1UL << (number - 1) % WORD;
}

COLD static bool is_pending(const struct signals *signals)
{
    struct signals pending = {{0}};
    unsigned long common = 0;

    keepalive_call(SYS_rt_sigpending, (long)&pending, sizeof(pending), 0, 0, 0);
    for (size_t i = 0; i < sizeof(pending.words) / sizeof(*pending.words); i++)
        common |= pending.words[i] & signals->words[i];
    return common != 0;
}

/*
 * Writes without a signal to the program: signals are blocked, the one that a
 * write raises when it fails is removed, and the mask is restored. If one is
 * pending already, nothing is written: the two could not be told apart. A
 * blocked SIGTTOU lets the write go on, see termios(3).
 */
COLD static void write_quietly(const char *line, size_t size)
{
    struct signals raised = {{0}}, mask = {{0}};
    struct timespec now = {0, 0};

    add_signal(&raised, SIGPIPE);
    add_signal(&raised, SIGTTOU);
    add_signal(&raised, SIGXFSZ);
    if (keepalive_call(SYS_rt_sigprocmask, SIG_BLOCK, (long)&raised,
                       (long)&mask, sizeof(raised), 0) != 0)
        return;
    if (!is_pending(&raised) &&
        keepalive_call(SYS_write, STDERR_FILENO, (long)line, (long)size, 0, 0) <
            0)
        keepalive_call(SYS_rt_sigtimedwait, (long)&raised, 0, (long)&now,
                       sizeof(raised), 0);
    keepalive_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&mask, 0,
                   sizeof(mask), 0);
}

COLD static void report(const char *const bad[KEEPALIVE_OPTIONS])
{
    char line[KEEPALIVE_COMPLAINT];

    for (int i = 0; i < KEEPALIVE_OPTIONS; i++)
        if (bad[i] != NULL && is_ready() && !is_remote())
            write_quietly(line, keepalive_complaint(line, i, bad[i]));
}

/* What the loader calls. The linker puts it first in the writable segment. */
static void load(void);
static void (*const constructor)(void)
    __attribute__((section(".init_array"), used)) = load;

/*
 * Makes the data of this library read-only: it is part of every set-user-ID
 * program, and nothing in it that points to code may be writable. All that does
 * lies between the constructor's address and the end of the state. These pages
 * hold nothing else: the segment begins on a page of its own, for the largest
 * pages of the architecture. Only with glibc: musl gives the rest of the last
 * page to malloc(3). And only in the library: a program that this is compiled
 * into, as in some tests, has data of its own there.
 */
static void seal(void)
{
#ifdef KEEPALIVE_SEAL
    uintptr_t begin, end = (uintptr_t)(&loaded + 1);

    if (gnu_get_libc_version == NULL)
        return;
    begin = (uintptr_t)&constructor & ~(getauxval(AT_PAGESZ) - 1);
    keepalive_call(SYS_mprotect, (long)begin, (long)(end - begin), PROT_READ, 0,
                   0);
#endif
}

static void load(void)
{
    const char *bad[KEEPALIVE_OPTIONS];

    set_next(&loaded);
    if (read_settings(&loaded.settings, bad))
        report(bad);
    atomic_store_explicit(&phase,
                          loaded.settings.count == 0 ? OFF
                          : loaded.settings.force    ? FORCE
                                                     : ON,
                          memory_order_release);
    seal();
}

/*
 * Makes the state for a call that comes before the constructor. It has no
 * dlsym(3), which takes the loader's lock: another thread may hold that for as
 * long as constructors run. Nor is dlsym(3) safe in a signal handler or in an
 * allocator, and it clears the message of dlerror(3).
 */
COLD static void make_early_state(struct state *own)
{
    const char *bad[KEEPALIVE_OPTIONS];

    set_plain(own);
    if (is_relocated())
        read_settings(&own->settings, bad);
    else
        keepalive_settings(&own->settings, NULL, bad);
}

static inline int get_phase(void)
{
    return atomic_load_explicit(&phase, memory_order_acquire);
}

/* Not inline, so that other sockets do not pay for its stack frame. */
__attribute__((noinline)) static int
tcp_socket(int family, int type, int protocol, const struct state *s)
{
    int fd = s->next_socket(family, type, protocol);

    if (fd >= 0)
        keepalive_apply(&s->settings, fd);
    return fd;
}

COLD static int early_socket(int family, int type, int protocol)
{
    struct state own;

    make_early_state(&own);
    return keepalive_is_tcp(family, type, protocol)
               ? tcp_socket(family, type, protocol, &own)
               : own.next_socket(family, type, protocol);
}

static int own_socket(int family, int type, int protocol)
{
    int now = get_phase();

    if (now == EARLY)
        return early_socket(family, type, protocol);
    if (now == OFF || !keepalive_is_tcp(family, type, protocol))
        return loaded.next_socket(family, type, protocol);
    return tcp_socket(family, type, protocol, &loaded);
}

EXPORT socket_call socket __attribute__((alias("own_socket")));

/*
 * Makes the program's own call, as it is, so that the kernel judges its
 * arguments, and then sets the user's values again.
 */
COLD static int set_and_restore(int fd, int level, int option,
                                const void *value, socklen_t size,
                                const struct state *s, int name)
{
    int done = s->next_setsockopt[name](fd, level, option, value, size);

    if (done == 0)
        keepalive_restore(&s->settings, fd, level);
    return done;
}

/* Not inline, so that calls without `force` do not pay for its registers. */
__attribute__((noinline)) static int
forced_setsockopt(int fd, int level, int option, const void *value,
                  socklen_t size, const struct state *s, int name)
{
    if (keepalive_sets(&s->settings, level, option))
        return set_and_restore(fd, level, option, value, size, s, name);
    return s->next_setsockopt[name](fd, level, option, value, size);
}

COLD static int early_setsockopt(int fd, int level, int option,
                                 const void *value, socklen_t size, int name)
{
    struct state own;

    make_early_state(&own);
    return own.settings.force
               ? forced_setsockopt(fd, level, option, value, size, &own, name)
               : own.next_setsockopt[name](fd, level, option, value, size);
}

static inline int any_setsockopt(int fd, int level, int option,
                                 const void *value, socklen_t size, int name)
{
    int now = get_phase();

    if (now > FORCE)
        return loaded.next_setsockopt[name](fd, level, option, value, size);
    if (now == FORCE)
        return forced_setsockopt(fd, level, option, value, size, &loaded, name);
    return early_setsockopt(fd, level, option, value, size, name);
}

static int own_setsockopt(int fd, int level, int option, const void *value,
                          socklen_t size)
{
    return any_setsockopt(fd, level, option, value, size, PLAIN);
}

/*
 * By its assembler name: with _TIME_BITS=64 <sys/socket.h> makes the C name
 * stand for the other symbol.
 */
EXPORT setsockopt_call exported_setsockopt __asm__("setsockopt")
    __attribute__((alias("own_setsockopt")));

#ifdef SETSOCKOPT64
static int own_setsockopt64(int fd, int level, int option, const void *value,
                            socklen_t size)
{
    return any_setsockopt(fd, level, option, value, size, TIME64);
}

EXPORT setsockopt_call exported_setsockopt64 __asm__(SETSOCKOPT64)
    __attribute__((alias("own_setsockopt64")));
#endif
