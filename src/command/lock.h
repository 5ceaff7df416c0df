/*
 * lock.h - one run at a time, which no signal ends halfway
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_LOCK_H
#define KEEPALIVE_LOCK_H

#include <signal.h>
#include <stdbool.h>

struct lock {
    const char *path;
    int fd;
    sigset_t before; /* the caller's signals */
};

/*
 * Waits, half a minute at most, until no other run holds a lock on this file,
 * and makes it. From then on all signals are blocked; they take effect while a
 * run waits. A file that others than root can open, and so hold, is replaced.
 * False, with a line on standard error.
 */
bool take_lock(struct lock *lock, const char *path);

/* Removes the file. Signals that have come take effect now. */
void release_lock(const struct lock *lock);

#endif
