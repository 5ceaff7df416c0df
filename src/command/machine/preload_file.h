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
    FILE_SIZE = 65536, /* bytes; a file that is larger is something else */
    FILE_CHANGED = -1, /* it is not the one that was read */
};

struct file {
    bool there;
    struct stat status; /* as of a new file where it is not there */
    size_t length;
    char bytes[FILE_SIZE];
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

/*
 * Adds a line for the library, and no final newline where there was none: so
 * remove_entries() knows. False if the file would be too large.
 */
bool add_entry(struct file *file, const struct library *library);

/* Reads the file, as the loader would. NULL, or a reason not to edit it. */
const char *read_file(struct file *file);

/* Is the file still the one that was read or written? */
bool is_unchanged(const struct file *file);

/*
 * Replaces the file by the edited one and stores the new file's status in that.
 * Returns 0, FILE_CHANGED if the file is no longer `old`, or STATUS_FAILED,
 * with a line on standard error; in both cases the file is left as it is.
 */
int replace_file(const struct file *old, struct file *edited);

#endif
