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
 * library. It gets a state of its own, on its stack, and publishes nothing.
 */
#include "keepalive.h"
#include "loader.h"
#include "syscall.h"

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

typedef int socket_call(int family, int type, int protocol);
typedef int setsockopt_call(int fd, int level, int option, const void *value,
                            socklen_t size);

/* All that the interposed calls need. */
struct state {
    struct keepalive settings;
    socket_call *next_socket;
    setsockopt_call *next_setsockopt;
#ifdef SETSOCKOPT64
    setsockopt_call *next_setsockopt64;
#endif
};

static struct state loaded;

/* What the calls do with it; EARLY until it is complete. */
enum { EARLY, OFF, ON, FORCE };
static atomic_int phase;

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

/* Puts a function into its place, if there is one. ISO C has no conversion from
 * a pointer to void; POSIX guarantees that the representation is the same. */
static void set_function(void *place, void *function)
{
    if (function != NULL)
        memcpy(place, &function, sizeof(function));
}

static void set_next(struct state *s, const struct objects *objects)
{
    socket_call *own_socket = plain_socket;
    setsockopt_call *own_setsockopt = plain_setsockopt;

    /* Computed one by one: a compiler may load both at once from a constant
     * that the loader has not relocated yet. */
    __asm__("" : "+r"(own_socket), "+r"(own_setsockopt));
    s->next_socket = own_socket;
    s->next_setsockopt = own_setsockopt;
    set_function(&s->next_socket, objects->next[NEXT_SOCKET]);
    set_function(&s->next_setsockopt, objects->next[NEXT_SETSOCKOPT]);
#ifdef SETSOCKOPT64
    s->next_setsockopt64 = s->next_setsockopt;
    set_function(&s->next_setsockopt64, objects->next[NEXT_SETSOCKOPT64]);
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

/* Is standard error a socket other than a local one? Then the line would go to
 * a peer, in the middle of a protocol, with a value of the environment in it.
 */
COLD static bool is_remote(void)
{
    int domain = keepalive_socket_option(STDERR_FILENO, SO_DOMAIN);

    return domain != -1 && domain != AF_UNIX;
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
 * terminal that stops jobs in the background. In the kernel's form, 64 bits. */
enum { WORD = 8 * sizeof(unsigned long) };
struct signals {
    unsigned long words[64 / WORD];
};

COLD static void add_signal(struct signals *signals, int number)
{
    signals->words[(number - 1) / WORD] |= 1UL << (number - 1) % WORD;
}

/* Writes without a signal to the program: signals are blocked, those that the
 * write has raised are removed, and the mask is restored. */
COLD static void write_quietly(const char *line, size_t size)
{
    struct signals raised = {{0}}, before = {{0}}, mask = {{0}};
    struct timespec now = {0, 0};

    add_signal(&raised, SIGPIPE);
    add_signal(&raised, SIGTTOU);
    add_signal(&raised, SIGXFSZ);
    if (keepalive_call(SYS_rt_sigprocmask, SIG_BLOCK, (long)&raised,
                       (long)&mask, sizeof(raised), 0) != 0)
        return;
    keepalive_call(SYS_rt_sigpending, (long)&before, sizeof(before), 0, 0, 0);
    keepalive_call(SYS_write, STDERR_FILENO, (long)line, (long)size, 0, 0);
    for (size_t i = 0; i < sizeof(raised.words) / sizeof(*raised.words); i++)
        raised.words[i] &= ~before.words[i];
    while (keepalive_call(SYS_rt_sigtimedwait, (long)&raised, 0, (long)&now,
                          sizeof(raised), 0) > 0)
        ;
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

/*
 * Makes the data of this library read-only: it is part of every set-user-ID
 * program, and nothing in it that points to code may be writable. Its pages
 * hold nothing else: the segment begins on a page of its own, for the largest
 * pages of the architecture. Only with glibc: musl gives the rest of the last
 * page to malloc(3).
 */
static void seal(const struct objects *objects)
{
    uintptr_t page = getauxval(AT_PAGESZ);
    uintptr_t begin = objects->data & ~(page - 1);
    uintptr_t end = (objects->data + objects->size + page - 1) & ~(page - 1);

    if (objects->glibc && objects->size > 0)
        keepalive_call(SYS_mprotect, (long)begin, (long)(end - begin),
                       PROT_READ, 0, 0);
}

__attribute__((constructor)) static void load(void)
{
    const char *bad[KEEPALIVE_OPTIONS];
    struct objects objects = {.again = false};

    find_objects(&objects);
    set_next(&loaded, &objects);
    if (read_settings(&loaded.settings, bad) && !objects.again)
        report(bad);
    atomic_store_explicit(&phase,
                          loaded.settings.count == 0 ? OFF
                          : loaded.settings.force    ? FORCE
                                                     : ON,
                          memory_order_release);
    seal(&objects);
}

/* Makes the state for a call that comes before the constructor. */
COLD static void make_early_state(struct state *own)
{
    const char *bad[KEEPALIVE_OPTIONS];
    struct objects objects = {.again = false};

    if (is_relocated()) {
        find_objects(&objects);
        read_settings(&own->settings, bad);
    } else {
        keepalive_settings(&own->settings, NULL, bad);
    }
    set_next(own, &objects);
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

EXPORT int socket(int family, int type, int protocol)
{
    int now = get_phase();

    if (now == EARLY)
        return early_socket(family, type, protocol);
    if (now == OFF || !keepalive_is_tcp(family, type, protocol))
        return loaded.next_socket(family, type, protocol);
    return tcp_socket(family, type, protocol, &loaded);
}

/*
 * With `force`: makes the program's own call, as it is, so that the kernel
 * judges its arguments, and then sets the user's values again.
 */
COLD static int forced_setsockopt(int fd, int level, int option,
                                  const void *value, socklen_t size,
                                  setsockopt_call *next,
                                  const struct keepalive *settings)
{
    int done = next(fd, level, option, value, size);

    if (done == 0 && settings->force)
        keepalive_restore(settings, fd, level, option);
    return done;
}

/*
 * By its assembler name: with _TIME_BITS=64 <sys/socket.h> makes the C name
 * stand for the other symbol.
 */
int interposed_setsockopt(int fd, int level, int option, const void *value,
                          socklen_t size) __asm__("setsockopt");

COLD static int early_setsockopt(int fd, int level, int option,
                                 const void *value, socklen_t size)
{
    struct state own;

    make_early_state(&own);
    return forced_setsockopt(fd, level, option, value, size,
                             own.next_setsockopt, &own.settings);
}

EXPORT int interposed_setsockopt(int fd, int level, int option,
                                 const void *value, socklen_t size)
{
    int now = get_phase();

    if (now == EARLY)
        return early_setsockopt(fd, level, option, value, size);
    if (now == FORCE)
        return forced_setsockopt(fd, level, option, value, size,
                                 loaded.next_setsockopt, &loaded.settings);
    return loaded.next_setsockopt(fd, level, option, value, size);
}

#ifdef SETSOCKOPT64
int interposed_setsockopt64(int fd, int level, int option, const void *value,
                            socklen_t size) __asm__(SETSOCKOPT64);

COLD static int early_setsockopt64(int fd, int level, int option,
                                   const void *value, socklen_t size)
{
    struct state own;

    make_early_state(&own);
    return forced_setsockopt(fd, level, option, value, size,
                             own.next_setsockopt64, &own.settings);
}

EXPORT int interposed_setsockopt64(int fd, int level, int option,
                                   const void *value, socklen_t size)
{
    int now = get_phase();

    if (now == EARLY)
        return early_setsockopt64(fd, level, option, value, size);
    if (now == FORCE)
        return forced_setsockopt(fd, level, option, value, size,
                                 loaded.next_setsockopt64, &loaded.settings);
    return loaded.next_setsockopt64(fd, level, option, value, size);
}
#endif
