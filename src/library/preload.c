/*
 * preload.c - the interposed calls of libkeepalive.so
 * SPDX-License-Identifier: MIT
 *
 * The only room with state, the loader and exported symbols. The state is
 * written once, normally by the constructor, and published by one pointer.
 * There are no locks: both calls stay async-signal-safe and usable after
 * vfork(2) and in a child forked by one of many threads.
 */
#include "keepalive.h"
#include "syscall.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define COLD __attribute__((cold, noinline))

/*
 * Before glibc 2.34 dlsym() is in libdl, which not every program has; weak, it
 * is null there. The Makefile sees to it that no version is asked for: that of
 * a modern system would end every program of an older one. It is needed at each
 * start, so it is not called by way of a table that is filled later.
 */
#pragma weak dlsym
#if defined(__GNUC__) && !defined(__clang__)
extern __typeof__(dlsym) dlsym __attribute__((noplt));
#endif

#ifndef __GLIBC__
extern char **__environ; /* it is there, but not declared */
#endif

typedef int socket_call(int family, int type, int protocol);
typedef int setsockopt_call(int fd, int level, int option, const void *value,
                            socklen_t size);

/* All that the interposed calls need, published by one pointer. */
struct state {
    struct keepalive settings;
    socket_call *next_socket;
    setsockopt_call *next_setsockopt;
};

static socket_call early_socket;
static setsockopt_call early_setsockopt;

/* Off, and the next call is the one that loads the settings. */
static const struct state early = {
    {.count = 0}, early_socket, early_setsockopt};
static struct state loaded;
static _Atomic(const struct state *) state = &early;

/* The system calls themselves, for want of a next library. */
COLD static int result(long returned)
{
    if (returned >= 0)
        return (int)returned;
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

/* Puts the next function of that name in its place, where there is one: a
 * pointer to a function, which POSIX has dlsym() give as one to void. */
static void find_next(const char *name, void *place)
{
    void *found = dlsym != NULL ? dlsym(RTLD_NEXT, name) : NULL;

    if (found != NULL)
        memcpy(place, &found, sizeof(found));
}

/*
 * A program that runs with more rights than its caller takes no advice. Not
 * environ: a program may have a variable of that name, empty before main().
 */
static bool read_settings(struct keepalive *settings,
                          const char *bad[KEEPALIVE_OPTIONS])
{
    return keepalive_settings(settings, __environ, bad) &&
           (getauxval(AT_SECURE) == 0 ||
            keepalive_settings(settings, NULL, bad));
}

COLD static void report(int row, const char *text)
{
    struct pollfd standard_error = {STDERR_FILENO, POLLOUT, 0};
    struct timespec now = {0, 0};
    uint64_t limit[] = {UINT64_MAX, UINT64_MAX}; /* of both: infinite */
    char line[KEEPALIVE_COMPLAINT];
    size_t size = keepalive_complaint(line, row, text);

    /* A pipe that is full would stop the program here, one that has no reader
     * would end it with SIGPIPE, a file that may not grow with SIGXFSZ: then
     * rather no report. */
    if (keepalive_call(SYS_ppoll, (long)&standard_error, 1, (long)&now, 0, 0) !=
            1 ||
        standard_error.revents != POLLOUT)
        return;
    keepalive_call(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, (long)limit, 0);
    if (limit[0] == UINT64_MAX)
        keepalive_call(SYS_write, STDERR_FILENO, (long)line, (long)size, 0, 0);
}

/* Once: reads the settings, reports, finds the next functions. */
__attribute__((constructor)) static void load(void)
{
    static atomic_flag begun = ATOMIC_FLAG_INIT;
    const char *bad[KEEPALIVE_OPTIONS];

    if (atomic_flag_test_and_set(&begun))
        return;
    if (read_settings(&loaded.settings, bad))
        for (int i = 0; i < KEEPALIVE_OPTIONS; i++)
            if (bad[i] != NULL)
                report(i, bad[i]);
    loaded.next_socket = plain_socket;
    loaded.next_setsockopt = plain_setsockopt;
    find_next("socket", &loaded.next_socket);
    find_next("setsockopt", &loaded.next_setsockopt);
    atomic_store_explicit(&state, &loaded, memory_order_release);
}

/*
 * For a call that comes before the constructor: from another library's. While
 * one thread loads, the others, and an allocator that dlsym() calls, are
 * served with settings of their own and the plain system call.
 */
COLD static const struct state *early_state(struct state *own)
{
    const char *bad[KEEPALIVE_OPTIONS];
    const struct state *now;

    load();
    now = atomic_load_explicit(&state, memory_order_acquire);
    if (now != &early)
        return now;
    read_settings(&own->settings, bad);
    own->next_socket = plain_socket;
    own->next_setsockopt = plain_setsockopt;
    return own;
}

/* Apart from the others, so that they are spared its stack frame. */
__attribute__((noinline)) static int
tcp_socket(int family, int type, int protocol, const struct state *s)
{
    int fd = s->next_socket(family, type, protocol);

    if (fd >= 0)
        keepalive_apply(&s->settings, fd);
    return fd;
}

/* Where it is off, or the socket does not count: nothing but the next call. */
static inline int make_socket(int family, int type, int protocol,
                              const struct state *s)
{
    if (s->settings.count == 0 || !keepalive_is_tcp(family, type, protocol))
        return s->next_socket(family, type, protocol);
    return tcp_socket(family, type, protocol, s);
}

COLD static int early_socket(int family, int type, int protocol)
{
    struct state own;

    return make_socket(family, type, protocol, early_state(&own));
}

EXPORT int socket(int family, int type, int protocol)
{
    return make_socket(family, type, protocol,
                       atomic_load_explicit(&state, memory_order_acquire));
}

/*
 * With `force`: the program's own call, as it is, so that the kernel judges its
 * arguments, and then the user's values again.
 */
COLD static int forced_setsockopt(int fd, int level, int option,
                                  const void *value, socklen_t size,
                                  const struct state *s)
{
    int done = s->next_setsockopt(fd, level, option, value, size);

    if (done == 0)
        keepalive_restore(&s->settings, fd, level, option);
    return done;
}

static inline int set_option(int fd, int level, int option, const void *value,
                             socklen_t size, const struct state *s)
{
    if (s->settings.force)
        return forced_setsockopt(fd, level, option, value, size, s);
    return s->next_setsockopt(fd, level, option, value, size);
}

COLD static int early_setsockopt(int fd, int level, int option,
                                 const void *value, socklen_t size)
{
    struct state own;

    return set_option(fd, level, option, value, size, early_state(&own));
}

EXPORT int setsockopt(int fd, int level, int option, const void *value,
                      socklen_t size)
{
    return set_option(fd, level, option, value, size,
                      atomic_load_explicit(&state, memory_order_acquire));
}
