/*
 * exit_status.h - exit statuses of the command
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_EXIT_STATUS_H
#define KEEPALIVE_EXIT_STATUS_H

/* Exit statuses, as env(1) and stdbuf(1) have them. */
enum {
    STATUS_FAILED = 125,     /* the command line, or keepalive itself */
    STATUS_CANNOT_RUN = 126, /* the command is there, but does not run */
    STATUS_NOT_FOUND = 127,
};

#endif
