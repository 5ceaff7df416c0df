/*
 * status.h - does the whole machine have it?
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_MACHINE_STATUS_H
#define KEEPALIVE_MACHINE_STATUS_H

#include "locate.h"

#include <stdbool.h>

enum {
    MACHINE_OFF = 1, /* status: it is off */
    MACHINE_BROKEN =
        2, /* it is on, but something is wrong; after off: still on */
};

/* Does `keepalive --global status`. Returns 0, one of these, or STATUS_FAILED.
 */
int show_status(const struct library *library, bool json);

#endif
