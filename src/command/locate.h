/*
 * locate.h - where the library is, and its name for the loader
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_LOCATE_H
#define KEEPALIVE_LOCATE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* The installed library, or that of the build tree. */
struct library {
    char path[PATH_MAX];  /* its file */
    char entry[PATH_MAX]; /* what the loader is given for it */
    unsigned kind;        /* of the file, see read_elf() */
    char twin[PATH_MAX];  /* the file for 32-bit programs; "" without one */
    unsigned twin_kind;
    bool installed;    /* not that of a build tree */
    const char *fault; /* why it cannot be used, or NULL */
};

/*
 * Finds the library: beside the command, as in a build tree, else at the path
 * that was fixed when the command was built. The current directory and the
 * environment do not count.
 */
void library_find(struct library *library);

/* Is this word of /etc/ld.so.preload the library, however it is written? */
bool library_is(const struct library *library, const char *word, size_t length);

/* Is it another file of the same name? */
bool library_is_other(const struct library *library, const char *word,
                      size_t length);

#endif
