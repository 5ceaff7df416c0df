/*
 * preload.c - the interposed calls of libkeepalive.so
 * SPDX-License-Identifier: MIT
 *
 * The only room with state, the loader and exported symbols. The state is
 * written once, normally by the constructor, and published by one pointer.
 * There are no locks: socket() stays async-signal-safe and
 * usable after vfork(2) and in a child forked by one of many threads.
 */
#include "keepalive.h"

#include <dlfcn.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define COLD __attribute__((cold, noinline))

/*
 * Before glibc 2.34 dlsym() is in libdl, which not every program has; weak, it
 * is null there. The Makefile sees to it that no version is asked for: that of
 * a modern system would end every program of an older one.
 */
#pragma weak dlsym

typedef int socket_call(int family, int type, int protocol);
typedef int setsockopt_call(int fd, int level, int option, const void *value,
                            socklen_t size);

/* All that socket() needs, published by one pointer. */
struct state {
    struct keepalive settings;
    socket_call *next_socket;
};

static socket_call early_socket;
static setsockopt_call early_setsockopt;

/* Off, and the next call is the one that loads the settings. */
static const struct state early = {{.count = 0}, early_socket};
static struct state loaded;
static _Atomic(const struct state *) state = &early;
/* Apart, as it is not looked up before a program calls it. */
static _Atomic(setsockopt_call *) next_setsockopt = early_setsockopt;

/* The system calls themselves, for want of a next library. */
COLD static int plain_socket(int family, int type, int protocol)
{
#ifdef SYS_socketcall
    /* i386 and its like have had a call of this name only since Linux 4.3. */
    long arguments[] = {family, type, protocol};

    return (int)syscall(SYS_socketcall, 1, arguments);
#else
    return (int)syscall(SYS_socket, family, type, protocol);
#endif
}

static int plain_setsockopt(int fd, int level, int option, const void *value,
                            socklen_t size)
{
    return (int)syscall(SYS_setsockopt, fd, level, option, value, size);
}

/* The next function of that name; where it is found errno is as it was. */
static void *next(const char *name)
{
    return dlsym != NULL ? dlsym(RTLD_NEXT, name) : NULL;
}

/* A program that runs with more rights than its caller takes no advice. */
static bool read_settings(struct keepalive *settings,
                          const char *bad[KEEPALIVE_OPTIONS])
{
    return keepalive_settings(settings, environ, bad) &&
           (getauxval(AT_SECURE) == 0 ||
            keepalive_settings(settings, NULL, bad));
}

COLD static void report(const struct keepalive_option *option, const char *text)
{
    struct pollfd standard_error = {STDERR_FILENO, POLLOUT, 0};
    struct timespec now = {0, 0};
    char line[KEEPALIVE_COMPLAINT];
    size_t size = keepalive_complaint(line, option, text);

    /* A pipe that is full would stop the program here, and one that has no
     * reader would end it with SIGPIPE: then rather no report. */
    if (keepalive_call(SYS_ppoll, (long)&standard_error, 1, (long)&now, 0, 0) ==
            1 &&
        standard_error.revents == POLLOUT)
        keepalive_call(SYS_write, STDERR_FILENO, (long)line, (long)size, 0, 0);
}

/* Once: reads the settings, reports, finds the next socket(). */
__attribute__((constructor)) static void load(void)
{
    static atomic_flag begun = ATOMIC_FLAG_INIT;
    const char *bad[KEEPALIVE_OPTIONS];

    if (atomic_flag_test_and_set(&begun))
        return;
    if (read_settings(&loaded.settings, bad))
        for (int i = 0; i < KEEPALIVE_OPTIONS; i++)
            if (bad[i] != NULL)
                report(&keepalive_options[i], bad[i]);
    *(void **)&loaded.next_socket = next("socket");
    if (loaded.next_socket == NULL)
        loaded.next_socket = plain_socket;
    atomic_store_explicit(&state, &loaded, memory_order_release);
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

/*
 * For a call that comes before the constructor: from another library's. While
 * one thread loads, the others, and an allocator that dlsym() calls, are
 * served with settings of their own and the plain system call.
 */
COLD static int early_socket(int family, int type, int protocol)
{
    const char *bad[KEEPALIVE_OPTIONS];
    struct state own = {.next_socket = plain_socket};
    const struct state *now;

    load();
    now = atomic_load_explicit(&state, memory_order_acquire);
    if (now == &early) {
        read_settings(&own.settings, bad);
        now = &own;
    }
    return make_socket(family, type, protocol, now);
}

EXPORT int socket(int family, int type, int protocol)
{
    return make_socket(family, type, protocol,
                       atomic_load_explicit(&state, memory_order_acquire));
}

/*
 * The first call finds the next setsockopt(), later than the next socket(): a
 * look-up at each start is dear, and few programs call it in a signal handler
 * before they have called it elsewhere. Where that is under way in another
 * thread, or dlsym() itself comes back here, the plain system call serves.
 */
COLD static setsockopt_call *find_setsockopt(void)
{
    static atomic_flag begun = ATOMIC_FLAG_INIT;
    setsockopt_call *found = plain_setsockopt;

    if (atomic_flag_test_and_set(&begun))
        return found;
    *(void **)&found = next("setsockopt");
    if (found == NULL)
        found = plain_setsockopt;
    atomic_store_explicit(&next_setsockopt, found, memory_order_release);
    return found;
}

/*
 * With `force`: the program's own call, as it is, so that the kernel judges its
 * arguments, and then the user's values again.
 */
COLD static int forced_setsockopt(int fd, int level, int option,
                                  const void *value, socklen_t size,
                                  setsockopt_call *next_call)
{
    int done = next_call(fd, level, option, value, size);

    if (done == 0)
        keepalive_restore(&loaded.settings, fd, level, option);
    return done;
}

COLD static int early_setsockopt(int fd, int level, int option,
                                 const void *value, socklen_t size)
{
    setsockopt_call *next_call;

    load();
    next_call = find_setsockopt();
    if (atomic_load_explicit(&state, memory_order_acquire)->settings.force)
        return forced_setsockopt(fd, level, option, value, size, next_call);
    return next_call(fd, level, option, value, size);
}

EXPORT int setsockopt(int fd, int level, int option, const void *value,
                      socklen_t size)
{
    setsockopt_call *next_call =
        atomic_load_explicit(&next_setsockopt, memory_order_acquire);

    if (atomic_load_explicit(&state, memory_order_acquire)->settings.force)
        return forced_setsockopt(fd, level, option, value, size, next_call);
    return next_call(fd, level, option, value, size);
}
