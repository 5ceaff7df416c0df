/*
 * probe.c - a program that never asks for keepalive, and prints what it got
 * SPDX-License-Identifier: MIT
 *
 *     probe sockets     a line for each row of the table of sockets
 *     probe late        a TCP socket, after it has overwritten its environment
 *     probe accept      an accepted socket, over IPv4 and over IPv6
 *     probe one         one TCP socket
 *     probe full        a socket() when no descriptor is left
 *     probe closed      status 0 where socket() returned descriptor 0, kept
 *                       alive; started with descriptors 0 to 2 closed
 *     probe arguments   runs `probe sockets` with no argument, not even 0
 *     probe set         what setsockopt() returns for what is no socket
 *     probe message     whether there is a message of dlerror(3), and whether
 *                       setsockopt() leaves it alone
 *     probe calls       what setsockopt() returns, for calls good and bad
 *     probe no_delay    sets an option that is none of ours, by the value 9
 *     probe override    sockets on which the program sets values of its own
 *     probe others      sockets that do not count, after a marker
 *     probe tcp         one TCP socket, after a marker
 *     probe again       sets options of one, after a marker: one that fails, an
 *                       option of TCP, SO_KEEPALIVE
 *     probe stream      a stream socket and the protocol that it got
 *     probe greeting    a socket connected to 192.0.2.1, which is nowhere, and
 *                       what the other end says first
 *
 *     probe variables   the names of the variables
 *     probe given       each variable with its value for the tests
 *     probe ranges      each variable and its range, as the manuals have it
 *
 * A socket prints as VARIABLE=value for each option that it has, in the
 * kernel's unit, or as the error of socket().
 */
#include "sockets.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { UNTOUCHED = 4242 }; /* an errno that nobody sets */

static void print_socket(const char *label, int fd)
{
    int error = errno;
    char text[64];

    printf("%s:", label);
    if (fd < 0) {
        printf(" errno %d", error);
    } else {
        for (int i = 0; i < KEEPALIVE_OPTIONS; i++) {
            put_option(text, i, option_of(fd, i))[0] = '\0';
            fputs(text, stdout);
        }
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

/* The accepted end of a connection over loopback; -1 and a message. */
static int accepted(int family)
{
    struct sockaddr_storage address = {.ss_family = (sa_family_t)family};
    struct sockaddr_in6 *inet6 = (struct sockaddr_in6 *)&address;
    struct sockaddr_in *inet = (struct sockaddr_in *)&address;
    socklen_t size = family == AF_INET ? sizeof(*inet) : sizeof(*inet6);
    int listener = socket(family, SOCK_STREAM, 0);
    int client = socket(family, SOCK_STREAM, 0);
    int fd;

    if (family == AF_INET)
        inet->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        inet6->sin6_addr = in6addr_loopback;
    if (bind(listener, (struct sockaddr *)&address, size) < 0 ||
        listen(listener, 1) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) < 0 ||
        connect(client, (struct sockaddr *)&address, size) < 0)
        perror("a connection over loopback");
    fd = accept(listener, NULL, NULL);
    close(client);
    close(listener);
    errno = UNTOUCHED;
    return fd;
}

static int accept_both(void)
{
    print_socket("accepted IPv4", accepted(AF_INET));
    print_socket("accepted IPv6", accepted(AF_INET6));
    return 0;
}

static int one(void)
{
    print_new_socket("one", AF_INET, SOCK_STREAM, 0);
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

    return fd == 0 && option_of(fd, KEEPALIVE_SWITCH) == 1 ? 0 : 1;
}

static int arguments(void)
{
    char *none[] = {NULL};

    setenv("PROBE", "sockets", 1);
    execv("/proc/self/exe", none);
    perror("execv");
    return 1;
}

static void print_call(const char *label, int fd, int level, int option,
                       const void *value, socklen_t size)
{
    int done;

    errno = UNTOUCHED;
    done = setsockopt(fd, level, option, value, size);
    printf("%s: %d errno %d\n", label, done, errno);
}

static int set(void)
{
    print_call("set", 0, SOL_SOCKET, SO_KEEPALIVE, &(int){1}, sizeof(int));
    return 0;
}

static int message(void)
{
    const char *left = dlerror();
    void *nothing;

    if (left != NULL)
        puts("message: left at the start");
    nothing = dlopen("libnothing-of-this-name.so", RTLD_NOW);

    setsockopt(0, SOL_SOCKET, SO_KEEPALIVE, &(int){1}, sizeof(int));
    puts(nothing == NULL && dlerror() != NULL ? "message: kept"
                                              : "message: lost");
    return 0;
}

/*
 * The value stands at the end of readable memory that cannot be written: who
 * reads further, or writes, does not live to print the line.
 */
static int calls(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int *value = (int *)(memory + page) - 1;
    int tcp = socket(AF_INET, SOCK_STREAM, 0);
    int other = socket(AF_UNIX, SOCK_STREAM, 0);
    static const socklen_t sizes[] = {0, 1, 3, 4, 5, 8, 4096, (socklen_t)-1};
    const void *const wild[] = {NULL, (void *)1, memory + page,
                                (char *)value + 2, (void *)-8};

    *value = 9;
    if (mprotect(memory, page, PROT_READ) < 0 ||
        mprotect(memory + page, page, PROT_NONE) < 0)
        perror("mprotect");
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++) {
        const struct keepalive_option *c = &contract[i].option;

        puts(c->variable);
        for (size_t j = 0; j < sizeof(sizes) / sizeof(*sizes); j++)
            print_call("size", tcp, c->level, c->option, value, sizes[j]);
        for (size_t j = 0; j < sizeof(wild) / sizeof(*wild); j++)
            print_call("wild", tcp, c->level, c->option, wild[j], sizeof(int));
        print_call("no descriptor", -1, c->level, c->option, value, 4);
        print_call("no socket", 0, c->level, c->option, value, 4);
        print_call("no TCP", other, c->level, c->option, value, 4);
        print_call("negative", tcp, c->level, c->option, &(int){-1}, 4);
        print_call("zero", tcp, c->level, c->option, &(int){0}, 4);
        print_call("large", tcp, c->level, c->option, &(int){99999}, 4);
    }
    print_call("buffer", tcp, SOL_SOCKET, SO_RCVBUF, value, 4);
    print_call("no delay", tcp, IPPROTO_TCP, TCP_NODELAY, value, 4);
    print_call("linger", tcp, SOL_SOCKET, SO_LINGER, &(struct linger){1, 2},
               sizeof(struct linger));
    print_call("congestion", tcp, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
    print_call("no option", tcp, IPPROTO_TCP, 9999, value, 4);
    print_call("no level", tcp, 9999, TCP_KEEPIDLE, value, 4);
    return 0;
}

/* A value that some libraries refuse and the kernel takes. */
static int no_delay(void)
{
    print_call("no delay", socket(AF_INET, SOCK_STREAM, 0), IPPROTO_TCP,
               TCP_NODELAY, &(int){9}, sizeof(int));
    return 0;
}

/* As curl and its like do, once the socket is theirs. */
static void override(const char *label, int fd)
{
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++)
        setsockopt(fd, contract[i].option.level, contract[i].option.option,
                   &contract[i].own, sizeof(contract[i].own));
    errno = UNTOUCHED;
    print_socket(label, fd);
}

static int override_all(void)
{
    int raw = socket(AF_INET, SOCK_RAW, IPPROTO_TCP);

    override("IPv4", socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
    override("IPv6", socket(AF_INET6, SOCK_STREAM, 0));
    override("accepted", accepted(AF_INET));
    override("datagram", socket(AF_INET, SOCK_DGRAM, 0));
    if (raw >= 0) /* it takes a capability */
        override("raw", raw);
    override("local", socket(AF_UNIX, SOCK_STREAM, 0));
    return 0;
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

static int again(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    marker();
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &(int){0}, sizeof(int));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &(int){60}, sizeof(int));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &(int){0}, sizeof(int));
    marker();
    return 0;
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

static int variables(void)
{
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++)
        puts(contract[i].option.variable);
    return 0;
}

static int given(void)
{
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++)
        printf("%s=%s\n", contract[i].option.variable, contract[i].given);
    return 0;
}

static int ranges(void)
{
    for (int i = KEEPALIVE_COUNT; i < KEEPALIVE_OPTIONS; i++) {
        const struct keepalive_option *option = &contract[i].option;

        printf("%s %d to %d%s%s\n", option->variable, option->least,
               option->most, option->unit[0] != '\0' ? " " : "", option->unit);
    }
    return 0;
}

static const struct command {
    const char *name;
    int (*run)(void);
} commands[] = {
    {"sockets", sockets},
    {"late", late},
    {"accept", accept_both},
    {"one", one},
    {"full", full},
    {"closed", closed},
    {"arguments", arguments},
    {"others", others},
    {"tcp", tcp},
    {"set", set},
    {"message", message},
    {"calls", calls},
    {"no_delay", no_delay},
    {"override", override_all},
    {"stream", stream},
    {"greeting", greeting},
    {"again", again},
    {"variables", variables},
    {"given", given},
    {"ranges", ranges},
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
