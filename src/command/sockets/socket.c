/*
 * socket.c - reads and sets one socket, and finds its next probe
 * SPDX-License-Identifier: MIT
 */
#include "sockets/socket.h"

#include "flags.h"
#include "proc.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h> /* in its place, <netinet/tcp.h> would clash */
#include <mntent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438 /* younger than the headers of some systems */
#endif
enum {
    /* the kernel's include/net/tcp_states.h */
    UNKNOWN = 0,
    SYN_SENT = 2,
    CLOSED = 7,
    LISTEN = 10,
    STATES = 12,
    HOUR = 3600,
    NETWORK_OF_SOCKET = 0x894c, /* SIOCGSKNS */
    BOUND_INTERFACE = 62,       /* SO_BINDTOIFINDEX */
    KEEPALIVE_TIMER = 2,        /* idiag_timer, see inet_sk_diag_fill() */
    BATCH = 16,                 /* questions about timers in one message */
    VAIN = 64,                  /* sockets before the first answer */
};

static int diag = -1; /* the socket for questions, in one network */
static int vain;      /* sockets without an answer; -1: there was one */
static bool bound;    /* sockets are bound to interfaces */

static void read_state(struct socket_row *row, int socket)
{
    struct tcp_info info;
    socklen_t size = sizeof(info);

    if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
        info.tcpi_state < STATES)
        row->state = info.tcpi_state;
}

/* Reads the address of the other end, which has this size, if there is one. */
static void read_remote(struct socket_row *row, int socket, socklen_t size)
{
    if (getpeername(socket, &row->remote.any, &size) == 0)
        return;
    /* It tells nothing before the connection is established. */
    read_state(row, socket);
    if (row->state == LISTEN || row->state == CLOSED ||
        getsockopt(socket, SOL_SOCKET, SO_PEERNAME, &row->remote, &size) < 0)
        row->remote.any.sa_family = AF_UNSPEC;
}

static bool is_loopback(const union address *address)
{
    const struct in6_addr *inet6 = &address->inet6.sin6_addr;

    if (address->any.sa_family == AF_INET)
        return ntohl(address->inet.sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(inet6) ||
           (IN6_IS_ADDR_V4MAPPED(inet6) && inet6->s6_addr[12] == 127);
}

/* Is a value of the socket off, or above the one that is wanted? A timeout of 0
 * is none. */
static bool lacks(const struct socket_row *row, int option, int wanted)
{
    int value = row->before[option];

    if (option == KEEPALIVE_SWITCH)
        return value == 0;
    if (wanted == NO_VALUE || value == NO_VALUE)
        return false;
    if (option == KEEPALIVE_TIMEOUT && (value == 0 || wanted == 0))
        return value != wanted;
    return value > wanted;
}

/* Counts a connection, and whether it is one that --missing asks for. */
static bool is_missing(struct socket_table *table, const struct socket_row *row)
{
    bool missing = false;

    if (row->remote.any.sa_family == AF_UNSPEC ||
        (is_loopback(&row->local) && is_loopback(&row->remote)))
        return false;
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++)
        missing |= lacks(row, i, table->request->wanted.values[i]);
    table->connections++;
    table->missing += missing;
    table->late += !missing && row->before[KEEPALIVE_IDLE] > HOUR;
    return missing;
}

/* Sets what is wanted, or with --dry-run only says so. With --missing a program
 * that switched keepalive on keeps what it does not lack. */
static void set_values(struct socket_table *table, struct socket_row *row,
                       int socket)
{
    const struct request *request = table->request;
    bool dry_run = request->given['n'] != NULL;
    bool keep =
        request->given['m'] != NULL && row->before[KEEPALIVE_SWITCH] == 1;
    int wanted[KEEPALIVE_OPTIONS];

    for (int i = 0; i < KEEPALIVE_OPTIONS; i++) {
        wanted[i] = request->wanted.values[i];
        if (keep && !lacks(row, i, wanted[i]))
            wanted[i] = NO_VALUE;
        if (wanted[i] == NO_VALUE)
            continue;
        if (!dry_run)
            row->errors[i] = -set_value(socket, i, wanted[i]);
        else if (row->before[i] != NO_VALUE)
            row->after[i] = wanted[i];
        else
            row->errors[i] = ENOPROTOOPT;
    }
    if (!dry_run)
        read_values(socket, row->after);
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++) {
        if (wanted[i] == NO_VALUE || row->after[i] == wanted[i])
            row->errors[i] = 0;
        else if (row->errors[i] == 0)
            row->errors[i] = STAYS;
        if (row->errors[i] != 0)
            worsen(table, PROCESS_REFUSED);
    }
}

/*
 * Reads the values, with --missing no more than that takes. Returns 0 if it is
 * a TCP socket, ENOPROTOOPT if it is none, or why that is not known. Multipath
 * TCP has no idle time before Linux 5.16.
 */
static int read_before(const struct socket_table *table, struct socket_row *row,
                       int socket)
{
    int error = 0;

    for (int i = 0; i < KEEPALIVE_OPTIONS; i++) {
        bool needed = i == KEEPALIVE_SWITCH || i == KEEPALIVE_IDLE;

        row->before[i] = NO_VALUE;
        if (needed || table->request->given['m'] == NULL ||
            table->request->wanted.values[i] != NO_VALUE)
            row->before[i] = read_value(socket, i);
        if (needed && row->before[i] == NO_VALUE)
            error = errno == EOPNOTSUPP ? ENOPROTOOPT : errno;
    }
    if (error == ENOPROTOOPT &&
        read_option(socket, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_MPTCP)
        error = 0;
    return error;
}

void add_socket(struct socket_table *table, struct socket_row *row, int socket)
{
    socklen_t size = sizeof(row->local);
    int error = getsockname(socket, &row->local.any, &size) < 0 ? errno : 0;
    int family = row->local.any.sa_family;

    if (error == EBADF)
        return;
    if (family == AF_INET || family == AF_INET6)
        error = read_before(table, row, socket);
    else if (error != EPERM && error != EACCES)
        error = ENOPROTOOPT;
    if (error == 0) {
        read_remote(row, socket, size);
        row->shown =
            table->request->given['m'] == NULL || is_missing(table, row);
    }
    if (row->shown) {
        table->shown++;
        if (table->request->given['m'] != NULL)
            read_values(socket, row->before);
        memcpy(row->after, row->before, sizeof(row->after));
        if (is_wanted(&table->request->wanted))
            set_values(table, row, socket);
        row->awaited = row->after[KEEPALIVE_SWITCH] == 1 &&
                       row->remote.any.sa_family != AF_UNSPEC &&
                       row->state != SYN_SENT && vain < VAIN;
        if (!row->awaited)
            read_state(row, socket);
        else if (bound)
            row->interface = read_option(socket, SOL_SOCKET, BOUND_INTERFACE);
    }
    if (error != 0 && error != ENOPROTOOPT) {
        row->refusal = error;
        worsen(table, PROCESS_FORBIDDEN);
    }
    add_row(table, row);
}

struct question {
    struct nlmsghdr header;
    struct inet_diag_req_v2 body;
};

static void write_question(struct question *question,
                           const struct socket_row *row)
{
    struct inet_diag_sockid *id = &question->body.id;

    *question = (struct question){
        .header = {.nlmsg_len = sizeof(*question),
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST},
        .body = {.sdiag_family = (unsigned char)row->local.any.sa_family,
                 .sdiag_protocol = IPPROTO_TCP,
                 .idiag_ext = 1 << (INET_DIAG_INFO - 1),
                 .idiag_states = ~0u,
                 .id = {.idiag_if =
                            row->interface > 0 ? (unsigned)row->interface : 0,
                        .idiag_cookie = {INET_DIAG_NOCOOKIE,
                                         INET_DIAG_NOCOOKIE}}},
    };
    /* The port is in the same place in both families. */
    id->idiag_sport = row->local.inet.sin_port;
    id->idiag_dport = row->remote.inet.sin_port;
    if (row->local.any.sa_family == AF_INET) {
        id->idiag_src[0] = row->local.inet.sin_addr.s_addr;
        id->idiag_dst[0] = row->remote.inet.sin_addr.s_addr;
    } else {
        memcpy(id->idiag_src, &row->local.inet6.sin6_addr,
               sizeof(id->idiag_src));
        memcpy(id->idiag_dst, &row->remote.inet6.sin6_addr,
               sizeof(id->idiag_dst));
    }
}

/*
 * Takes the state and the next probe from the parts of an answer: the later of
 * the timer's end and the idle time since something was received. No probe
 * comes while data is unacknowledged or unsent, or a probe is unanswered.
 */
static void read_answer(struct socket_row *row,
                        const struct inet_diag_msg *body, size_t left)
{
    const struct rtattr *part = (const struct rtattr *)(body + 1);
    const struct tcp_info *info = NULL;
    long long timer = (int)body->idiag_expires;
    long long idle;

    for (; RTA_OK(part, left); part = RTA_NEXT(part, left))
        if (part->rta_type == INET_DIAG_INFO)
            info = RTA_DATA(part);
    row->awaited = false;
    if (body->idiag_state < STATES)
        row->state = body->idiag_state;
    if (info == NULL || body->idiag_timer != KEEPALIVE_TIMER ||
        info->tcpi_unacked > 0 || info->tcpi_notsent_bytes > 0 ||
        info->tcpi_probes > 0)
        return;
    idle = row->after[KEEPALIVE_IDLE] * 1000LL -
           (info->tcpi_last_ack_recv < info->tcpi_last_data_recv
                ? info->tcpi_last_ack_recv
                : info->tcpi_last_data_recv);
    if (timer < idle)
        timer = idle;
    row->next = timer > 0 ? timer : 0;
}

/* Opens a socket for questions about the network of this one; about our own,
 * where that is not permitted, or there is none. -1 if it cannot be entered. */
static int open_diag(int fd)
{
    static int own = -1;
    int network = ioctl(fd, NETWORK_OF_SOCKET);
    int opened = -1;

    if (own < 0)
        own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (network < 0 || own < 0 || setns(network, CLONE_NEWNET) == 0)
        opened =
            socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (network >= 0) {
        close(network);
        if (own >= 0 && setns(own, CLONE_NEWNET) < 0 && opened >= 0)
            err(STATUS_FAILED, "cannot return to its network namespace");
    }
    return opened;
}

/*
 * Asks about the rows from the next on: until one was answered only about that,
 * as each question makes the kernel look for its module, where it is not there.
 * The inode tells whether an answer is about the socket of a row, and not about
 * one with the same addresses in another network.
 */
static void ask(struct socket_table *table)
{
    enum { HEAD = NLMSG_LENGTH(sizeof(struct inet_diag_msg)) };
    struct question questions[BATCH];
    static union {
        struct nlmsghdr header;
        char bytes[1024];
    } answers[BATCH];
    struct iovec buffers[BATCH];
    struct mmsghdr messages[BATCH] = {0};
    unsigned count = 0;
    int answered;

    if (diag < 0)
        diag = open_diag(-1);
    for (size_t i = table->asked;
         i < table->count && count < (vain < 0 ? BATCH : 1); i++) {
        if (!table->rows[i].awaited)
            continue;
        write_question(&questions[count], &table->rows[i]);
        buffers[count] = (struct iovec){&answers[count], sizeof(*answers)};
        messages[count].msg_hdr.msg_iov = &buffers[count];
        messages[count++].msg_hdr.msg_iovlen = 1;
    }
    send(diag, questions, count * sizeof(*questions), 0);
    answered = recvmmsg(diag, messages, count, MSG_DONTWAIT, NULL);
    for (int i = 0; i < answered; i++) {
        const struct inet_diag_msg *body = NLMSG_DATA(&answers[i].header);
        struct socket_row *row = NULL;

        if (messages[i].msg_len >= HEAD &&
            answers[i].header.nlmsg_type == SOCK_DIAG_BY_FAMILY)
            row = find_row(table, body->idiag_inode);
        if (row != NULL && row->awaited) {
            read_answer(row, body, messages[i].msg_len - HEAD);
            vain = -1;
        }
    }
}

/* Joins the group in a line "ID:CONTROLLERS:PATH" of /proc/PID/cgroup, where
 * its hierarchy is mounted. */
static void join_group(char *line)
{
    FILE *mounts = setmntent("/proc/self/mounts", "re");
    const char *group = strchr(line, '/');
    const struct mntent *entry;
    const char *controller;

    strsep(&line, ":");
    controller = strsep(&line, ",:");
    while (mounts != NULL && group != NULL &&
           (entry = getmntent(mounts)) != NULL) {
        char path[2 * PATH_MAX];
        int fd;

        if (strcmp(entry->mnt_type, "cgroup") != 0 ||
            hasmntopt(entry, controller) == NULL)
            continue;
        snprintf(path, sizeof(path), "%s%s/cgroup.procs", entry->mnt_dir,
                 group);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd >= 0) {
            (void)!write(fd, "0", 1); /* the caller sees whether it is so */
            close(fd);
        }
    }
    if (mounts != NULL)
        endmntent(mounts);
}

bool join_groups(int tasks)
{
    static char *ours;
    bool same = false;

    for (int tries = 0; tries < 2 && !same; tries++) {
        char *theirs;
        char *rest;
        char *line;

        if (ours == NULL)
            ours = read_below(AT_FDCWD, "/proc/self/cgroup");
        if (ours == NULL || strstr(ours, "net_") == NULL)
            return true;
        rest = theirs = read_below(tasks, "../cgroup");
        same = theirs != NULL;
        while ((line = strsep(&rest, "\n")) != NULL) {
            const char *found = strstr(ours, line);
            char controllers[64] = "";

            sscanf(line, "%*d:%63[^:]", controllers);
            if (strstr(controllers, "net_") == NULL ||
                (found != NULL && found[strlen(line)] == '\n'))
                continue;
            same = false;
            join_group(line);
        }
        free(theirs);
        if (!same) {
            free(ours);
            ours = NULL;
        }
    }
    return same;
}

int fetch_socket(int pidfd, int fd, ino_t *inode)
{
    int socket = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
    struct stat status;

    *inode =
        socket >= 0 && fstat(socket, &status) == 0 && S_ISSOCK(status.st_mode)
            ? status.st_ino
            : 0;
    return socket;
}

/* Turns to the network of a socket, and its interface, if it is still where it
 * was seen. */
static void turn_to(struct socket_row *row, int pidfd)
{
    ino_t inode;
    int socket = fetch_socket(pidfd, row->last_fd, &inode);

    if (inode == row->inode) {
        if (diag >= 0)
            close(diag);
        diag = open_diag(socket);
        row->interface = read_option(socket, SOL_SOCKET, BOUND_INTERFACE);
        bound |= row->interface > 0;
        read_state(row, socket); /* there may be no answer again */
    }
    if (socket >= 0)
        close(socket);
}

void find_timers(struct socket_table *table, int pidfd, bool all)
{
    if (table->count - table->asked < BATCH && !all)
        return;
    for (; table->asked < table->count; table->asked++) {
        struct socket_row *row = &table->rows[table->asked];

        if (row->awaited)
            ask(table);
        if (row->awaited) {
            turn_to(row, pidfd);
            ask(table);
        }
        if (row->awaited && vain >= 0)
            vain++;
        row->awaited = false;
    }
}
