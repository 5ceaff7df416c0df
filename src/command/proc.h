/*
 * proc.h - what the kernel reports about processes
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_PROC_H
#define KEEPALIVE_PROC_H

#include <stdbool.h>
#include <stddef.h>

/* Opens a directory or file below one of /proc. */
int open_below(int directory, const char *name, int flags);

/* Reads a file below one of /proc, by its name as for printf(3), up to its end
 * or its first NUL: the caller frees it. NULL, with errno, if that fails. */
char *read_below(int directory, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The number that follows a label in such a file; 0 if it is not there. */
int find_number(const char *text, const char *label);

/* Does this process have the capability, by its number in
 * <linux/capability.h>? */
bool has_capability(int number);

#endif
