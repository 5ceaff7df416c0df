/*
 * preload.c - the interposed calls of libkeepalive.so
 * SPDX-License-Identifier: MIT
 *
 * The only room with state, the loader and exported symbols. The state is
 * written once, normally by the constructor, and published by the pointer to
 * the next socket(). There are no locks: socket() stays async-signal-safe and
 * usable after vfork(2) and in a child forked by one of many threads.
 */
#include "keepalive.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define COLD __attribute__((cold, noinline))

/*
 * glibc 2.34 moved dlsym() from libdl to libc under a new version, which no
 * older system has; asked for as it stands, it ends every program there. So
 * the version is the one that every glibc of the architecture has, and the
 * reference is weak: before 2.34 it is null where a program has no libdl.
 */
#pragma weak dlsym
#if defined(__GLIBC__)
/* Built there, it can have no version: the linker finds none without libdl. */
#if !__GLIBC_PREREQ(2, 34)
#elif defined(__x86_64__) && !defined(__ILP32__)
__asm__(".symver dlsym, dlsym@GLIBC_2.2.5");
#elif defined(__i386__)
__asm__(".symver dlsym, dlsym@GLIBC_2.0");
#elif defined(__aarch64__) || (defined(__powerpc64__) && _CALL_ELF == 2)
__asm__(".symver dlsym, dlsym@GLIBC_2.17");
#elif defined(__arm__)
__asm__(".symver dlsym, dlsym@GLIBC_2.4");
#elif defined(__s390x__)
__asm__(".symver dlsym, dlsym@GLIBC_2.2");
#elif defined(__riscv) && __riscv_xlen == 64
__asm__(".symver dlsym, dlsym@GLIBC_2.27");
#endif
#endif

typedef int socket_call(int family, int type, int protocol);

static struct keepalive settings;
static atomic_flag loading = ATOMIC_FLAG_INIT;
/* Null until the settings are there. */
static _Atomic(socket_call *) next_socket;

/* The system call itself, for want of a next socket(). */
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

/* A program that runs with more rights than its caller takes no advice. */
static char **trusted_environment(void)
{
    return getauxval(AT_SECURE) != 0 ? NULL : environ;
}

static void report(const char *const bad[KEEPALIVE_OPTIONS])
{
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++) {
        struct pollfd standard_error = {STDERR_FILENO, POLLOUT, 0};
        char line[KEEPALIVE_COMPLAINT];

        if (bad[i] == NULL)
            continue;
        /* A pipe that is full would stop the program here, and one that has
         * no reader would end it with SIGPIPE: then rather no report. */
        if (poll(&standard_error, 1, 0) != 1 ||
            standard_error.revents != POLLOUT)
            return;
        if (write(STDERR_FILENO, line,
                  keepalive_complaint(line, &keepalive_options[i], bad[i])) < 0)
            return;
    }
}

/* Once: reads the settings, reports, finds the next socket(). */
__attribute__((constructor)) static void load(void)
{
    const char *bad[KEEPALIVE_OPTIONS];
    int saved = errno;
    socket_call *next = NULL;

    if (atomic_flag_test_and_set(&loading))
        return;
    keepalive_settings(&settings, trusted_environment(), bad);
    report(bad);
    if (dlsym != NULL) {
        /* POSIX has it that the pointer of dlsym() can be a function's. */
        void *symbol = dlsym(RTLD_NEXT, "socket");

        next = *(socket_call **)&symbol;
    }
    atomic_store_explicit(&next_socket, next != NULL ? next : plain_socket,
                          memory_order_release);
    errno = saved;
}

/* Nothing but the next call where it is off, or the socket does not count. */
static inline int make_socket(socket_call *next, const struct keepalive *wanted,
                              int family, int type, int protocol)
{
    int fd;

    if (wanted->count == 0 || !keepalive_is_tcp(family, type, protocol))
        return next(family, type, protocol);
    fd = next(family, type, protocol);
    if (fd >= 0)
        keepalive_apply(wanted, fd);
    return fd;
}

/*
 * For a call that comes before the constructor: from another library's. While
 * one thread loads, the others, and an allocator that dlsym() calls, are
 * served with settings of their own and the plain system call.
 */
COLD static int early_socket(int family, int type, int protocol)
{
    const char *bad[KEEPALIVE_OPTIONS];
    struct keepalive own;
    socket_call *next;
    int saved = errno;

    load();
    next = atomic_load_explicit(&next_socket, memory_order_acquire);
    if (next != NULL)
        return make_socket(next, &settings, family, type, protocol);
    keepalive_settings(&own, trusted_environment(), bad);
    errno = saved;
    return make_socket(plain_socket, &own, family, type, protocol);
}

EXPORT int socket(int family, int type, int protocol)
{
    socket_call *next =
        atomic_load_explicit(&next_socket, memory_order_acquire);

    if (next == NULL)
        return early_socket(family, type, protocol);
    return make_socket(next, &settings, family, type, protocol);
}
