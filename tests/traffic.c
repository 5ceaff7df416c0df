/*
 * traffic.c - a program that connects and accepts, and prints what it got
 * SPDX-License-Identifier: MIT
 *
 *     traffic connections     both ends of a connection over IPv4 and IPv6
 *     traffic listener        prints "ready" when it listens, reads a line,
 *                             and then is the same over IPv4
 *     traffic asks            the same, and both have only switched keepalive
 *                             on: the client before it connects, the listener
 *                             before it listens
 *     traffic some            the same, and both have an idle time of 60
 *     traffic timeout         the same, with keepalive off and a timeout of
 *                             their own
 *     traffic before          the same, with values of their own for all
 *     traffic after           the same, both ends set their own when connected
 *     traffic open            prints "ready" when connected, reads a line, and
 *                             sets its own values on the client, with a length
 *                             of 8192 bytes, and the listener
 *     traffic others          sockets that are not TCP, with keepalive set by a
 *                             length of 8192 bytes
 *     traffic multipath       both ends of a connection of Multipath TCP, then
 *                             waits for a line
 *     traffic many COUNT A B  COUNT connections: how many ends have an idle
 *                             time of A, how many of B, how many neither
 *
 * Values are printed as by probe.c. A static program can be made of it.
 */
#include "contract.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The options that test_cgroup.sh names: the first of the table. */
enum { OPTIONS = KEEPALIVE_TIMEOUT + 1 };

static void print_values(const char *label, int fd)
{
    char text[64];

    printf("%s:", label);
    for (int i = 0; i < OPTIONS; i++) {
        put_option(text, i, option_of(fd, i))[0] = '\0';
        fputs(text, stdout);
    }
    putchar('\n');
}

/* Sets an option, of so many bytes. */
static void set_option(int fd, int row, int value, size_t length)
{
    const struct keepalive_option *option = &contract[row].option;
    int values[2048] = {value};

    if (setsockopt(fd, option->level, option->option, values,
                   (socklen_t)length) < 0)
        perror(option->variable);
}

static void set_own(int fd, int on, size_t length)
{
    for (int i = 0; i < OPTIONS; i++)
        set_option(fd, i, i == KEEPALIVE_SWITCH ? on : contract[i].own, length);
}

struct ends {
    int listener;
    int client;
    int accepted;
    struct sockaddr_storage name;
    socklen_t size;
};

static void stop(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static void make_listener(struct ends *ends, int family, int protocol)
{
    struct sockaddr_in *inet = (struct sockaddr_in *)&ends->name;
    struct sockaddr_in6 *inet6 = (struct sockaddr_in6 *)&ends->name;

    memset(ends, 0, sizeof(*ends));
    ends->name.ss_family = (sa_family_t)family;
    ends->size = family == AF_INET ? sizeof(*inet) : sizeof(*inet6);
    if (family == AF_INET)
        inet->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        inet6->sin6_addr = in6addr_loopback;
    ends->listener = socket(family, SOCK_STREAM, protocol);
    ends->client = socket(family, SOCK_STREAM, protocol);
}

static void start_listener(struct ends *ends)
{
    if (bind(ends->listener, (struct sockaddr *)&ends->name, ends->size) < 0 ||
        listen(ends->listener, 16) < 0 ||
        getsockname(ends->listener, (struct sockaddr *)&ends->name,
                    &ends->size) < 0)
        stop("listen");
}

static void connect_ends(struct ends *ends)
{
    if (connect(ends->client, (struct sockaddr *)&ends->name, ends->size) < 0)
        stop("connect");
    ends->accepted = accept(ends->listener, NULL, NULL);
    if (ends->accepted < 0)
        stop("accept");
}

static void print_ends(const struct ends *ends)
{
    print_values("client", ends->client);
    print_values("accepted", ends->accepted);
}

static void wait_for_line(void)
{
    puts("ready");
    fflush(stdout);
    getchar();
}

/* What the program sets before there is a connection. */
static void set_before(const struct ends *ends, const char *what)
{
    const int fds[] = {ends->listener, ends->client};

    for (int i = 0; i < 2; i++) {
        if (strcmp(what, "asks") == 0 || strcmp(what, "some") == 0)
            set_option(fds[i], KEEPALIVE_SWITCH, 1, sizeof(int));
        if (strcmp(what, "some") == 0)
            set_option(fds[i], KEEPALIVE_IDLE, 60, sizeof(int));
        if (strcmp(what, "timeout") == 0)
            set_option(fds[i], KEEPALIVE_TIMEOUT,
                       contract[KEEPALIVE_TIMEOUT].own, sizeof(int));
        if (strcmp(what, "before") == 0)
            set_own(fds[i], 1, sizeof(int));
    }
}

static void make_many(long count, int a, int b)
{
    struct linger reset = {1, 0}; /* no connection is left in TIME_WAIT */
    int found[3] = {0};
    struct ends ends;

    make_listener(&ends, AF_INET, 0);
    close(ends.client);
    start_listener(&ends);
    for (long i = 0; i < count; i++) {
        ends.client = socket(AF_INET, SOCK_STREAM, 0);
        connect_ends(&ends);
        for (int end = 0; end < 2; end++) {
            int fd = end == 0 ? ends.client : ends.accepted;
            int idle = option_of(fd, KEEPALIVE_IDLE);

            if (option_of(fd, KEEPALIVE_SWITCH) != 1)
                idle = -1;
            found[idle == a ? 0 : idle == b ? 1 : 2]++;
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
            close(fd);
        }
    }
    printf("%d %d %d\n", found[0], found[1], found[2]);
}

static void print_others(void)
{
    static const int families[] = {AF_INET, AF_UNIX};

    for (int i = 0; i < 2; i++) {
        int fd = socket(families[i], SOCK_DGRAM, 0);

        set_option(fd, KEEPALIVE_SWITCH, 1, 8192);
        print_values(i == 0 ? "UDP" : "local", fd);
    }
}

int main(int argc, char *argv[])
{
    const char *what = argc > 1 ? argv[1] : "";
    bool multipath = strcmp(what, "multipath") == 0;
    struct ends ends;

    if (strcmp(what, "others") == 0) {
        print_others();
        return 0;
    }
    if (argc == 5 && strcmp(what, "many") == 0) {
        make_many(atol(argv[2]), atoi(argv[3]), atoi(argv[4]));
        return 0;
    }
    make_listener(&ends, AF_INET, multipath ? IPPROTO_MPTCP : 0);
    set_before(&ends, what);
    start_listener(&ends);
    if (strcmp(what, "listener") == 0)
        wait_for_line();
    connect_ends(&ends);
    if (strcmp(what, "after") == 0) {
        set_own(ends.client, 0, sizeof(int));
        set_own(ends.accepted, 0, sizeof(int));
    }
    if (strcmp(what, "open") == 0) {
        wait_for_line();
        set_own(ends.client, 1, 8192);
        set_own(ends.listener, 1, sizeof(int));
        print_values("listener", ends.listener);
    }
    print_ends(&ends);
    if (multipath)
        wait_for_line();
    if (strcmp(what, "connections") == 0) {
        make_listener(&ends, AF_INET6, 0);
        start_listener(&ends);
        connect_ends(&ends);
        print_ends(&ends);
    }
    return 0;
}
