/*
 * flags.h - the command line: flags, help, what goes with what, exit statuses
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_FLAGS_H
#define KEEPALIVE_FLAGS_H

#include "values.h"

#include <stdbool.h>

/* Exit statuses, as env(1) and stdbuf(1) have them. */
enum {
    STATUS_FAILED = 125,     /* the command line, or keepalive itself */
    STATUS_CANNOT_RUN = 126, /* the command is there, but does not run */
    STATUS_NOT_FOUND = 127,
};

/* What keepalive is asked to do; a bit each. */
enum mode { RUN = 1, SOCKETS = 2, MACHINE = 4, CGROUP = 8 };

/* The command line. */
struct request {
    enum mode mode;
    const char *asked;      /* the name of the flag that asks for it, or NULL */
    const char *given[128]; /* by letter: argument or name; NULL: not given */
    struct wanted wanted;
    char **operands;
    int count;
};

/*
 * Reads the command line. False, with a line on standard error, where something
 * is bad or missing, or has no effect together with the rest.
 */
bool read_request(struct request *request, int argc, char *argv[]);

void print_help(void);

/*
 * Which row of keepalive_options is shown in this column, 0 to
 * KEEPALIVE_OPTIONS - 1, of tables and JSON? Stores its name there.
 */
int find_column(int column, const char **name);

#endif
