/*
 * preload_file.h - reads, edits and replaces /etc/ld.so.preload
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_MACHINE_PRELOAD_FILE_H
#define KEEPALIVE_MACHINE_PRELOAD_FILE_H

#include "locate.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#define PRELOAD_FILE "/etc/ld.so.preload"

/* Held by the one run that may change the file; only root can open it. */
#define LOCK_FILE "/etc/.ld.so.preload.keepalive"
#define NEW_FILE LOCK_FILE ".new"

enum {
    MOST = 65536,   /* bytes; a file that is larger is something else */
    PATIENCE = 30,  /* seconds that a run waits for another */
    ATTEMPTS = 5,   /* if others change the file meanwhile */
    VALUE = 65536,  /* XATTR_SIZE_MAX, XATTR_LIST_MAX */
    CHANGED = -1,   /* the file is not the one that was read */
    NOT_THERE = -2, /* the entry to be removed */
};

struct file {
    bool there;
    struct stat status;
    size_t length;
    char bytes[MOST];
};

typedef bool word_test(const struct library *library, const char *word,
                       size_t length);

/*
 * Finds the next word, from *place on, that is not in a comment. Returns its
 * length, 0 at the end.
 */
size_t next_word(const struct file *file, size_t *place);

/* The first word that passes the test, and its length; NULL if none does. */
const char *find_word(const struct file *file, const struct library *library,
                      word_test *test, int *length);

bool has_entry(const struct file *file, const struct library *library);

/*
 * Does /etc/ld.so.preload name this library, or another file of its name? Then
 * a program has it whatever its environment. False where this user cannot read
 * the file: its programs cannot either.
 */
bool is_preloaded(const struct library *library);

/* Removes every entry of the library, and a file that has nothing else. */
void remove_entries(struct file *file, const struct library *library);

/* Adds a line for the library. False if the file would be too large. */
bool add_entry(struct file *file, const struct library *library);

/* Reads the file, as the loader would. NULL, or a reason not to edit it. */
const char *read_file(struct file *file);

/*
 * Replaces the file that was read by the edited one. Returns 0, CHANGED or
 * STATUS_FAILED.
 */
int replace_file(const struct file *old, const struct file *edited);

#endif
