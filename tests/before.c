/*
 * before.c - makes a socket before main(), at the time that WHEN names
 * SPDX-License-Identifier: MIT
 *
 *     PREINIT    .preinit_array of the program
 *     RESOLVER   the resolver of an IFUNC symbol in the program
 *     LIBRARY    a library that the program needs: with INITFIRST its
 *                constructor, else the resolver of a local IFUNC symbol
 *     PROGRAM    the program that needs that library
 *
 * The program prints the keepalive settings of the early socket, which it has
 * set to 3 probes, and of one that it makes in main() and then sets to an idle
 * time of 60; and the errors of calls in main() that fail.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define PREINIT 1
#define RESOLVER 2
#define LIBRARY 3
#define PROGRAM 4

#if WHEN != PROGRAM
static int early_socket = -2;

static void make_early_socket(void)
{
    int datagram = socket(AF_INET, SOCK_DGRAM, 0), on = -1;
    socklen_t size = sizeof(on);

    getsockopt(datagram, SOL_SOCKET, SO_KEEPALIVE, &on, &size);
    if (on != 0)
        return;         /* without an early socket the test fails */
    socket(-1, -1, -1); /* one that fails */
    early_socket = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(early_socket, IPPROTO_TCP, TCP_KEEPCNT, &(int){3}, sizeof(int));
}
#endif

#if WHEN == PREINIT
__attribute__((section(".preinit_array"),
               used)) static void (*const preinit)(void) = make_early_socket;
#elif WHEN == LIBRARY && defined(INITFIRST)
__attribute__((constructor)) static void construct(void)
{
    make_early_socket();
}
#elif WHEN == LIBRARY || WHEN == RESOLVER
static int function(void)
{
    return 0;
}

static int (*resolve(void))(void)
{
    make_early_socket();
    return function;
}

static int resolved(void) __attribute__((ifunc("resolve")));
#endif

/* The early socket, from where it was made */
int get_early_socket(void);

#if WHEN == LIBRARY || WHEN == RESOLVER
int get_early_socket(void)
{
#ifdef INITFIRST
    return early_socket;
#else
    /* in this order: what clang 14 makes of it is resolved by the call only */
    int zero = resolved();

    return early_socket + zero;
#endif
}
#elif WHEN == PREINIT
int get_early_socket(void)
{
    return early_socket;
}
#endif

#if WHEN != LIBRARY

static void print(const char *label, int fd)
{
    int on = -1, idle = -1, count = -1;
    socklen_t size = sizeof(on);

    getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, &size);
    getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, &size);
    getsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, &size);
    printf("%s %d %d", label, on, idle);
    printf(count == 3 ? " 3 probes\n" : "\n");
}

int main(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &(int){60}, sizeof(int));
    print("early", get_early_socket());
    print("main", fd);
    printf("socket %d", socket(-1, -1, -1));
    printf(" errno %d\n", errno);
    printf("setsockopt %d", setsockopt(-1, SOL_SOCKET, SO_KEEPALIVE, &fd, 4));
    printf(" errno %d\n", errno);
    return 0;
}
#endif
