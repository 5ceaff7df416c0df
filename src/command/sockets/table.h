/*
 * table.h - the table of sockets, and what is known while it is filled
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_SOCKETS_TABLE_H
#define KEEPALIVE_SOCKETS_TABLE_H

#include "values.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What is asked about sockets. */
struct socket_request {
    struct wanted wanted; /* to be set */
    bool all;             /* every process */
    bool missing;         /* only connections without keepalive */
    bool dry_run;         /* say what would be set */
    bool json;
};

enum {
    /* an IPv6 address, its scope, brackets and a port */
    ADDRESS = INET6_ADDRSTRLEN + 16 + sizeof("[%]:65535"),
    COMM = 15,          /* bytes of a process's name, see proc_pid_comm(5) */
    SOCKET_STATES = 12, /* of TCP */
};

/* A socket. */
struct socket_row {
    int pid; /* the first process found that has it */
    int fd;
    char name[COMM + 2];
    int others;   /* processes that have it as well */
    int last_pid; /* the last of them */
    ino_t inode;
    bool shown;      /* is a TCP socket, and asked for */
    bool connection; /* to another machine, not a listener */
    bool timed;      /* can have a keepalive timer, in this network */
    size_t network;
    unsigned char state;
    char local[ADDRESS];
    char remote[ADDRESS]; /* empty: not connected */
    int before[KEEPALIVE_OPTIONS];
    int after[KEEPALIVE_OPTIONS];
    long next; /* ticks to the next probe, or NO_VALUE */
};

struct socket_table {
    struct socket_row *rows;
    size_t count;
    size_t capacity;
    size_t shown;
    size_t connections; /* see socket_row */
    size_t missing;     /* of these, without keepalive before */
};

/*
 * Shows, and sets if values are wanted, the TCP sockets of the processes that
 * the operands name, by number or name, or of all. Returns the exit status: 0,
 * one of these, the highest if several hold, or STATUS_FAILED.
 */
enum {
    PROCESS_GONE = 1,      /* no such process, or it ended meanwhile */
    PROCESS_FORBIDDEN = 2, /* descriptors are out of reach */
    PROCESS_REFUSED = 3,   /* the kernel did not take a value */
    SOCKETS_MISSING = 4,   /* connections are not kept alive */
};
int show_sockets(const struct socket_request *request, char *const operands[],
                 int count);

/* A network namespace, and the keepalive timers that run in it. */
struct network {
    uint64_t cookie; /* 0: the kernel does not tell */
    int fd;          /* the namespace, or -1: only by the process */
    int pid;         /* a process in it */
    bool busy;       /* a socket there can have a timer */
};

struct scan {
    const struct socket_request *request;
    struct socket_table *table;
    size_t *slots; /* of rows by inode, plus one; 0: empty */
    size_t slot_count;
    struct network *networks;
    size_t network_count;
    int *pids; /* visited, without --all */
    size_t pid_count;
    int out_of_reach; /* processes, with --all */
    int status;
    bool kcmp_missing;
    int kcmp_refused; /* the process of which that was said last */
};

/* The exit status becomes this one, unless it is a higher one already. */
void worsen(struct scan *scan, int status);

/* The row of a socket; NULL: there is none yet. */
struct socket_row *find_row(const struct scan *scan, ino_t inode);

void add_row(struct scan *scan, const struct socket_row *row);

#endif
