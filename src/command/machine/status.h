/*
 * status.h - shows whether the whole machine has the library
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_MACHINE_STATUS_H
#define KEEPALIVE_MACHINE_STATUS_H

#include <stdbool.h>

enum {
    MACHINE_OFF = 1,   /* status: it is off */
    MACHINE_DOUBT = 2, /* status: not well, or not known; off: likewise */
};

/* Does `keepalive --global status`. Returns 0 or one of these. */
int show_status(bool json);

#endif
