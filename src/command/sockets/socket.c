/*
 * socket.c - reads and sets one socket
 * SPDX-License-Identifier: MIT
 */
#include "sockets/socket.h"

#include "sockets/timer.h"

#include <errno.h>
#include <string.h>

enum {
    /* the kernel's include/net/tcp_states.h */
    UNKNOWN = 0,
    SYN_SENT = 2,
    CLOSED = 7,
    LISTEN = 10,
    STATES = 12,
    HOUR = 3600,
};

/* Reads the addresses; the remote one only of a connection. False if the local
 * one is not of IPv4 or IPv6. */
static bool read_addresses(struct socket_row *row, int socket)
{
    socklen_t size = sizeof(row->local);

    if (getsockname(socket, &row->local.any, &size) < 0 ||
        (row->local.any.sa_family != AF_INET &&
         row->local.any.sa_family != AF_INET6))
        return false;
    /* getpeername(2) tells nothing before the connection is established. */
    if (row->state == LISTEN || row->state == CLOSED ||
        getsockopt(socket, SOL_SOCKET, SO_PEERNAME, &row->remote, &size) < 0)
        row->remote.any.sa_family = AF_UNSPEC;
    return true;
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

    if (wanted == NO_VALUE || value == NO_VALUE)
        return false;
    if (option == KEEPALIVE_SWITCH)
        return value == 0;
    if (option == KEEPALIVE_TIMEOUT && (value == 0 || wanted == 0))
        return value != wanted;
    return value > wanted;
}

static bool lacks_any(const struct socket_row *row, const struct wanted *wanted)
{
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++)
        if (lacks(row, i, i == KEEPALIVE_SWITCH ? 1 : wanted->values[i]))
            return true;
    return false;
}

/* Counts a connection, and whether it is one that --missing asks for; reads no
 * more of the others than that takes. */
static bool is_missing(struct socket_table *table, struct socket_row *row,
                       int socket)
{
    const struct wanted *wanted = &table->request->wanted;
    bool missing;

    if (row->remote.any.sa_family == AF_UNSPEC ||
        (is_loopback(&row->local) && is_loopback(&row->remote)))
        return false;
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++)
        row->before[i] = i == KEEPALIVE_SWITCH || i == KEEPALIVE_IDLE ||
                                 wanted->values[i] != NO_VALUE
                             ? read_value(socket, i)
                             : NO_VALUE;
    missing = lacks_any(row, wanted);
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
    const struct socket_request *request = table->request;
    bool keep = request->missing && row->before[KEEPALIVE_SWITCH] == 1;
    int errors[KEEPALIVE_OPTIONS] = {0};
    int wanted[KEEPALIVE_OPTIONS];

    for (int i = 0; i < KEEPALIVE_OPTIONS; i++) {
        wanted[i] = request->wanted.values[i];
        if (keep && !lacks(row, i, wanted[i]))
            wanted[i] = NO_VALUE;
        if (wanted[i] == NO_VALUE)
            continue;
        if (!request->dry_run)
            errors[i] = -set_value(socket, i, wanted[i]);
        else if (row->before[i] != NO_VALUE)
            row->after[i] = wanted[i];
        else
            errors[i] = ENOPROTOOPT;
    }
    if (!request->dry_run)
        read_values(socket, row->after);
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++)
        if (wanted[i] != NO_VALUE && row->after[i] != wanted[i])
            add_refusal(table, row, i, errors[i]);
}

/* Is this a TCP socket? Reads its state and TCP_INFO; Multipath TCP has none
 * before Linux 5.16. */
static bool read_state(struct socket_row *row, int socket,
                       struct tcp_info *info)
{
    socklen_t size = sizeof(*info);

    if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, info, &size) < 0)
        return read_option(socket, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_MPTCP;
    if (info->tcpi_state < STATES)
        row->state = info->tcpi_state;
    return true;
}

void add_socket(struct socket_table *table, struct socket_row *row, int socket)
{
    struct tcp_info info = {0};

    row->shown = read_state(row, socket, &info) &&
                 read_addresses(row, socket) &&
                 (!table->request->missing || is_missing(table, row, socket));
    if (row->shown) {
        table->shown++;
        read_values(socket, row->before);
        memcpy(row->after, row->before, sizeof(row->after));
        if (is_wanted(&table->request->wanted))
            set_values(table, row, socket);
        if (row->after[KEEPALIVE_SWITCH] == 1 && row->state != UNKNOWN &&
            row->state != SYN_SENT && row->remote.any.sa_family != AF_UNSPEC)
            row->next = find_next_probe(row, socket, &info);
    }
    add_row(table, row);
}
