/*
 * table.h - the table of sockets, and what is noted while it is filled
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_SOCKETS_TABLE_H
#define KEEPALIVE_SOCKETS_TABLE_H

#include "flags.h"
#include "values.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

/* Exit statuses of -p and -a; the highest that holds counts. */
enum {
    PROCESS_GONE = 1,      /* no such process, or it ended meanwhile */
    PROCESS_FORBIDDEN = 2, /* sockets are out of reach */
    PROCESS_REFUSED = 3,   /* the kernel did not take a value */
    SOCKETS_MISSING = 4,   /* connections lack what is wanted */
};

enum {
    STAYS = -1,      /* in place of an error: it was taken, another stays */
    COMM = 15,       /* bytes of a process's name, see proc_pid_comm(5) */
    BUCKETS = 65536, /* of rows, by the low bits of their inode */
};

/* An address of IPv4 or IPv6; family AF_UNSPEC for none. */
union address {
    struct sockaddr any;
    struct sockaddr_in inet;
    struct sockaddr_in6 inet6;
};

/* A socket. */
struct socket_row {
    int pid; /* the first process found that has it */
    int fd;
    char name[COMM + 2];
    int others;   /* processes that have it as well */
    int last_pid; /* the last of them, and its descriptor */
    int last_fd;
    ino_t inode;
    size_t chained;      /* the row before it in its bucket, plus one */
    int refusal;         /* why it is not known what it is; or 0 */
    bool shown;          /* is a TCP socket, and asked for */
    bool awaited;        /* its timer is to be asked for */
    int interface;       /* to which it is bound, if above 0 */
    unsigned char state; /* tcpi_state, see tcp(7); 0: unknown */
    union address local;
    union address remote; /* none: not connected */
    int before[KEEPALIVE_OPTIONS];
    int after[KEEPALIVE_OPTIONS];
    int errors[KEEPALIVE_OPTIONS]; /* why a value was not taken; or 0 */
    long long next; /* milliseconds to the next probe, or NO_VALUE */
};

struct socket_table {
    const struct request *request;
    struct socket_row *rows;
    size_t count;
    size_t asked;            /* of these, the kernel was asked about */
    size_t buckets[BUCKETS]; /* the last row of each, plus one */
    size_t shown;
    size_t connections; /* to other machines, not listeners */
    size_t missing;     /* of these, lacked what is wanted */
    size_t late;        /* of these, have their first probe after an hour */
    int out_of_reach;   /* processes, with --all */
    int reach_error;    /* why the last of them is */
    int status;
};

/* The exit status becomes this one, unless it is a higher one already. */
void worsen(struct socket_table *table, int status);

/* Returns the list with room for one more element; exits if memory runs out. */
void *make_room(void *list, size_t count, size_t size);

/* The row of a socket; NULL: there is none yet. */
struct socket_row *find_row(const struct socket_table *table, ino_t inode);

void add_row(struct socket_table *table, const struct socket_row *row);

/* Prints the rows that are shown, as JSON if that is asked for. */
void print_table(const struct socket_table *table);

#endif
