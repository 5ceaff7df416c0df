/*
 * timer.c - the time to the next probe
 * SPDX-License-Identifier: MIT
 *
 * The timer comes from sock_diag(7), which finds one socket by its addresses,
 * however many others there are: in its own network namespace, so that is
 * entered for a moment where it is not this one.
 */
#include "sockets/timer.h"

#include "exit_status.h"

#include <err.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    NETWORK_OF_SOCKET = 0x894c, /* SIOCGSKNS */
    BOUND_INTERFACE = 62,       /* SO_BINDTOIFINDEX */
    KEEPALIVE_TIMER = 2,        /* idiag_timer, see inet_sk_diag_fill() */
};

struct question {
    struct nlmsghdr header;
    struct inet_diag_req_v2 body;
};

/* Writes an address and its port, as the kernel has them. */
static void write_end(__be16 *port, __be32 host[4], const union address *end)
{
    bool inet = end->any.sa_family == AF_INET;

    *port = inet ? end->inet.sin_port : end->inet6.sin6_port;
    if (inet)
        host[0] = end->inet.sin_addr.s_addr;
    else
        memcpy(host, &end->inet6.sin6_addr, sizeof(end->inet6.sin6_addr));
}

static void write_question(struct question *question,
                           const struct socket_row *row)
{
    *question = (struct question){
        .header = {.nlmsg_len = sizeof(*question),
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST},
        .body = {.sdiag_family = (unsigned char)row->local.any.sa_family,
                 .sdiag_protocol = IPPROTO_TCP,
                 .idiag_states = ~0u,
                 .id.idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}},
    };
    write_end(&question->body.id.idiag_sport, question->body.id.idiag_src,
              &row->local);
    write_end(&question->body.id.idiag_dport, question->body.id.idiag_dst,
              &row->remote);
}

/* Asks in one network. The inode tells whether the answer is about this socket,
 * and not one with the same addresses in another network. */
static bool ask(int diag, const struct question *question, ino_t inode,
                struct inet_diag_msg *answer)
{
    char buffer[1024];
    const struct nlmsghdr *header = (const struct nlmsghdr *)buffer;
    ssize_t length;

    if (send(diag, question, sizeof(*question), 0) < 0)
        return false;
    length = recv(diag, buffer, sizeof(buffer), MSG_DONTWAIT);
    if (length < (ssize_t)(NLMSG_HDRLEN + sizeof(*answer)) ||
        header->nlmsg_type != SOCK_DIAG_BY_FAMILY)
        return false;
    memcpy(answer, buffer + NLMSG_HDRLEN, sizeof(*answer));
    return answer->idiag_inode == inode;
}

/* The same for a socket that may be bound to an interface. */
static bool ask_both(int diag, struct question *question, ino_t inode,
                     int socket, struct inet_diag_msg *answer)
{
    int interface;

    question->body.id.idiag_if = 0;
    if (diag < 0)
        return false;
    if (ask(diag, question, inode, answer))
        return true;
    interface = read_option(socket, SOL_SOCKET, BOUND_INTERFACE);
    question->body.id.idiag_if = (unsigned)interface;
    return interface > 0 && ask(diag, question, inode, answer);
}

/* Opens a socket for questions about the network of this one; about our own,
 * where that is not permitted. -1 if it cannot be entered. */
static int open_diag(int fd)
{
    static int own = -1;
    int network = ioctl(fd, NETWORK_OF_SOCKET);
    int diag = -1;

    if (own < 0)
        own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (network < 0 || own < 0 || setns(network, CLONE_NEWNET) == 0)
        diag = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (network >= 0) {
        close(network);
        if (own >= 0 && setns(own, CLONE_NEWNET) < 0 && diag >= 0)
            err(STATUS_FAILED, "cannot return to its network namespace");
    }
    return diag;
}

/* Finds the socket, in the network of the one before or in another. */
static bool find_socket(const struct socket_row *row, int socket,
                        struct inet_diag_msg *answer)
{
    enum { UNANSWERED = 64 };
    static int diag = -1;
    static int unanswered; /* before the first answer */
    struct question question;
    bool found;

    /* Each question loads the kernel's module, where it is not there. */
    if (unanswered == UNANSWERED)
        return false;
    write_question(&question, row);
    found = ask_both(diag, &question, row->inode, socket, answer);
    if (!found) {
        if (diag >= 0)
            close(diag);
        diag = open_diag(socket);
        found = ask_both(diag, &question, row->inode, socket, answer);
    }
    unanswered = found || unanswered < 0 ? -1 : unanswered + 1;
    return found;
}

long long find_next_probe(const struct socket_row *row, int socket,
                          const struct tcp_info *info)
{
    struct inet_diag_msg answer;
    unsigned silent = info->tcpi_last_ack_recv < info->tcpi_last_data_recv
                          ? info->tcpi_last_ack_recv
                          : info->tcpi_last_data_recv;
    long long idle = row->after[KEEPALIVE_IDLE] * 1000LL - silent;
    long long timer;

    if (info->tcpi_unacked > 0 || info->tcpi_notsent_bytes > 0 ||
        info->tcpi_probes > 0 || !find_socket(row, socket, &answer) ||
        answer.idiag_timer != KEEPALIVE_TIMER)
        return NO_VALUE;
    timer = (int)answer.idiag_expires;
    if (timer < idle)
        timer = idle;
    return timer < 0 ? 0 : timer;
}
