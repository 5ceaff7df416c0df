/*
 * probe.c - a program that never asks for keepalive, and prints what it got
 * SPDX-License-Identifier: MIT
 *
 *     probe sockets     a line for each row of the truth table
 *     probe late        a TCP socket, after it has overwritten its environment
 *     probe accept      an accepted socket, over IPv4 and over IPv6
 *     probe full        a socket() when no descriptor is left
 *     probe closed      status 0 where socket() returned descriptor 0, kept
 *                       alive; started with descriptors 0 to 2 closed
 *     probe arguments   runs `probe sockets` with no argument, not even 0
 *     probe others      sockets that do not count, after a marker
 *     probe tcp         one TCP socket, after a marker
 *     probe kept        status 0 where a TCP socket has keepalive on, 1 for off
 *     probe stream      a stream socket and the protocol that it got
 *     probe greeting    a socket connected to 192.0.2.1, which is nowhere, and
 *                       what the other end says first
 *
 * A socket prints as the values of its options in the contract's order, or as
 * the error of socket().
 */
#include "sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { UNTOUCHED = 4242 }; /* an errno that nobody sets */

static void print_socket(const char *label, int fd)
{
    int error = errno;

    printf("%s:", label);
    if (fd < 0) {
        printf(" errno %d", error);
    } else {
        for (size_t i = 0; i < sizeof(option_cases) / sizeof(*option_cases);
             i++)
            printf(" %d", option_of(fd, (int)i));
        if (error != UNTOUCHED)
            printf(" errno changed to %d", error);
        close(fd);
    }
    putchar('\n');
}

static void print_new_socket(const char *label, int family, int type,
                             int protocol)
{
    errno = UNTOUCHED;
    print_socket(label, socket(family, type, protocol));
}

static int sockets(void)
{
    for (size_t i = 0; i < sizeof(socket_cases) / sizeof(*socket_cases); i++)
        print_new_socket(socket_cases[i].label, socket_cases[i].family,
                         socket_cases[i].type, socket_cases[i].protocol);
    return 0;
}

/* What setproctitle() does: the strings are gone, then there are new ones. */
static int late(void)
{
    for (char **entry = environ; *entry != NULL; entry++)
        memset(*entry, 'x', strlen(*entry));
    clearenv();
    setenv("KEEPALIVE", "off", 1);
    setenv("KEEPIDLE", "99", 1);
    print_new_socket("late", AF_INET, SOCK_STREAM, 0);
    return 0;
}

static void print_accepted(const char *label, int family)
{
    struct sockaddr_storage address = {.ss_family = (sa_family_t)family};
    struct sockaddr_in6 *inet6 = (struct sockaddr_in6 *)&address;
    struct sockaddr_in *inet = (struct sockaddr_in *)&address;
    socklen_t size = family == AF_INET ? sizeof(*inet) : sizeof(*inet6);
    int listener = socket(family, SOCK_STREAM, 0);
    int client = socket(family, SOCK_STREAM, 0);

    if (family == AF_INET)
        inet->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        inet6->sin6_addr = in6addr_loopback;
    if (bind(listener, (struct sockaddr *)&address, size) < 0 ||
        listen(listener, 1) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) < 0 ||
        connect(client, (struct sockaddr *)&address, size) < 0)
        perror(label);
    errno = UNTOUCHED;
    print_socket(label, accept(listener, NULL, NULL));
    close(client);
    close(listener);
}

static int accept_both(void)
{
    print_accepted("accepted IPv4", AF_INET);
    print_accepted("accepted IPv6", AF_INET6);
    return 0;
}

static int full(void)
{
    struct rlimit none = {0, 0};

    setrlimit(RLIMIT_NOFILE, &none);
    print_new_socket("full", AF_INET, SOCK_STREAM, 0);
    return 0;
}

static int closed(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    return fd == 0 && option_of(fd, 0) == 1 ? 0 : 1;
}

static int arguments(void)
{
    char *none[] = {NULL};

    setenv("PROBE", "sockets", 1);
    execv("/proc/self/exe", none);
    perror("execv");
    return 1;
}

/* strace shows the call as it is, so what comes after it is the program's. */
static void marker(void)
{
    close(-4242);
}

static int others(void)
{
    marker();
    for (size_t i = 0; i < sizeof(socket_cases) / sizeof(*socket_cases); i++)
        if (!socket_cases[i].counts)
            socket(socket_cases[i].family, socket_cases[i].type,
                   socket_cases[i].protocol);
    marker();
    return 0;
}

static int tcp(void)
{
    marker();
    socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
    marker();
    return 0;
}

static int kept(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    return fd < 0 ? 2 : !option_of(fd, 0);
}

static int stream(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), protocol = 0;
    socklen_t size = sizeof(protocol);

    getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size);
    printf("protocol %d, ", protocol);
    errno = UNTOUCHED;
    print_socket("stream", fd);
    return 0;
}

static int greeting(void)
{
    struct sockaddr_in nowhere = {.sin_family = AF_INET, .sin_port = htons(80)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char text[256];
    ssize_t size;

    inet_pton(AF_INET, "192.0.2.1", &nowhere.sin_addr);
    if (connect(fd, (struct sockaddr *)&nowhere, sizeof(nowhere)) < 0 ||
        (size = read(fd, text, sizeof(text))) < 0) {
        perror("greeting");
        return 1;
    }
    printf("%.*s, ", (int)size, text);
    errno = UNTOUCHED;
    print_socket("greeting", fd);
    return 0;
}

static const struct command {
    const char *name;
    int (*run)(void);
} commands[] = {
    {"sockets", sockets},   {"late", late},     {"accept", accept_both},
    {"full", full},         {"closed", closed}, {"arguments", arguments},
    {"others", others},     {"tcp", tcp},       {"stream", stream},
    {"greeting", greeting}, {"kept", kept},
};

int main(int argc, char *argv[])
{
    const char *name = argc > 1 ? argv[1] : getenv("PROBE");

    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
        if (name != NULL && strcmp(name, commands[i].name) == 0)
            return commands[i].run();
    fprintf(stderr, "usage: see the head of probe.c\n");
    return 2;
}
