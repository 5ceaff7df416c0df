/*
 * socket.c - reads and sets one socket
 * SPDX-License-Identifier: MIT
 */
#include "sockets/socket.h"

#include "exit_status.h"

#include <arpa/inet.h>
#include <err.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    NETWORK_OF_SOCKET = 0x894c, /* SIOCGSKNS */
    NETWORK_COOKIE = 71,        /* SO_NETNS_COOKIE, Linux 5.14 */
    LISTEN = 10,                /* the kernel's include/net/tcp_states.h */
    CLOSED = 7,
};

/* What tells the network namespace of a socket; 0 if the kernel does not. */
static uint64_t cookie_of(int socket)
{
    uint64_t cookie = 0;
    socklen_t size = sizeof(cookie);

    return getsockopt(socket, SOL_SOCKET, NETWORK_COOKIE, &cookie, &size) < 0
               ? 0
               : cookie;
}

/* Is the socket certainly of the network namespace of this process? */
static bool is_of_our_network(int fd)
{
    static uint64_t ours;

    if (ours == 0) {
        int own = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        ours = cookie_of(own);
        close(own);
    }
    return ours != 0 && cookie_of(fd) == ours;
}

typedef int name_call(int fd, struct sockaddr *address, socklen_t *size);

/* Writes the address that getsockname(2) or getpeername(2) gives, or "".
 * Returns its family, and whether it is a loopback address. */
static int read_address(int fd, name_call *name, char text[ADDRESS],
                        bool *loopback)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof(address);
    char host[INET6_ADDRSTRLEN];

    text[0] = '\0';
    *loopback = false;
    if (name(fd, (struct sockaddr *)&address, &size) < 0)
        return AF_UNSPEC;
    if (address.ss_family == AF_INET) {
        const struct sockaddr_in *inet = (const struct sockaddr_in *)&address;

        *loopback = ntohl(inet->sin_addr.s_addr) >> 24 == 127;
        inet_ntop(AF_INET, &inet->sin_addr, host, sizeof(host));
        snprintf(text, ADDRESS, "%s:%d", host, ntohs(inet->sin_port));
    } else if (address.ss_family == AF_INET6) {
        const struct sockaddr_in6 *inet6 =
            (const struct sockaddr_in6 *)&address;
        char scope[IF_NAMESIZE + 1] = "";

        *loopback = IN6_IS_ADDR_LOOPBACK(&inet6->sin6_addr) ||
                    (IN6_IS_ADDR_V4MAPPED(&inet6->sin6_addr) &&
                     inet6->sin6_addr.s6_addr[12] == 127);
        inet_ntop(AF_INET6, &inet6->sin6_addr, host, sizeof(host));
        /* The name of an interface of another network is not known here. */
        if (inet6->sin6_scope_id != 0 &&
            (!is_of_our_network(fd) ||
             if_indextoname(inet6->sin6_scope_id, scope + 1) == NULL))
            snprintf(scope + 1, IF_NAMESIZE, "%u", inet6->sin6_scope_id);
        if (inet6->sin6_scope_id != 0)
            scope[0] = '%';
        snprintf(text, ADDRESS, "[%s%s]:%d", host, scope,
                 ntohs(inet6->sin6_port));
    }
    return address.ss_family;
}

static unsigned char state_of(int fd)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof(info);

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0 ||
        info.tcpi_state >= SOCKET_STATES)
        return 0;
    return info.tcpi_state;
}

/* Sets what is wanted, or with --dry-run only says so. */
static void set_values(struct scan *scan, struct socket_row *row, int socket)
{
    const struct socket_request *request = scan->request;
    const int *wanted = request->wanted.values;

    for (int i = 0; i < KEEPALIVE_OPTIONS; i++)
        if (wanted[i] != NO_VALUE && !request->dry_run)
            set_value(socket, i, wanted[i]);
    if (is_wanted(&request->wanted) && !request->dry_run)
        read_values(socket, row->after);
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++) {
        if (wanted[i] == NO_VALUE)
            continue;
        if (request->dry_run && row->before[i] != NO_VALUE)
            row->after[i] = wanted[i];
        if (row->after[i] != wanted[i])
            worsen(scan, PROCESS_REFUSED);
    }
}

/* Finds the network namespace of a socket, which need not be the process's. */
static size_t find_network(struct scan *scan, int socket, int pid)
{
    struct network network = {cookie_of(socket), -1, pid, false};
    struct network *list;

    for (size_t i = 0; i < scan->network_count; i++)
        if (network.cookie != 0 ? scan->networks[i].cookie == network.cookie
                                : scan->networks[i].pid == pid)
            return i;
    network.fd = ioctl(socket, NETWORK_OF_SOCKET);
    list = realloc(scan->networks,
                   (scan->network_count + 1) * sizeof(*scan->networks));
    if (list == NULL)
        err(STATUS_FAILED, NULL);
    scan->networks = list;
    scan->networks[scan->network_count] = network;
    return scan->network_count++;
}

static bool is_asked_for(const struct scan *scan, const struct socket_row *row)
{
    return !scan->request->missing ||
           (row->connection && row->before[KEEPALIVE_SWITCH] == 0);
}

void visit_socket(struct scan *scan, struct socket_row *row, int socket)
{
    int protocol = read_option(socket, SOL_SOCKET, SO_PROTOCOL);
    bool near = false;
    bool far = false;
    int family = AF_UNSPEC;

    if ((protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP) &&
        read_option(socket, SOL_SOCKET, SO_TYPE) == SOCK_STREAM)
        family = read_address(socket, getsockname, row->local, &near);
    if (family == AF_INET || family == AF_INET6) {
        row->state = state_of(socket);
        row->remote[0] = '\0';
        if (row->state != LISTEN && row->state != CLOSED)
            read_address(socket, getpeername, row->remote, &far);
        read_values(socket, row->before);
        memcpy(row->after, row->before, sizeof(row->after));
        row->connection = row->remote[0] != '\0' && !(near && far);
        scan->table->connections += row->connection;
        scan->table->missing +=
            row->connection && row->before[KEEPALIVE_SWITCH] == 0;
        row->shown = is_asked_for(scan, row);
        if (row->shown)
            set_values(scan, row, socket);
        if (row->shown && row->after[KEEPALIVE_SWITCH] == 1 &&
            row->remote[0] != '\0') {
            row->network = find_network(scan, socket, row->pid);
            scan->networks[row->network].busy = true;
            row->timed = true;
        }
        scan->table->shown += row->shown;
    }
    add_row(scan, row);
}
