/*
 * preload_file.h - reads, edits and replaces /etc/ld.so.preload
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_MACHINE_PRELOAD_FILE_H
#define KEEPALIVE_MACHINE_PRELOAD_FILE_H

#include "locate.h"

#include <stdbool.h>
#include <stddef.h>

#define PRELOAD_FILE "/etc/ld.so.preload"
#define NEW_FILE "/etc/.ld.so.preload.keepalive.new"

/*
 * Moves on from between two words of a text, as the loader takes it apart, to
 * the next. Returns its length, 0 at the end or without a text.
 */
size_t next_word(const char **word);

/* The first word of a text that passes the test; NULL if none does. */
typedef bool word_test(const struct library *library, const char *word,
                       size_t length);
const char *find_word(const char *text, const struct library *library,
                      word_test *test);

/*
 * Does /etc/ld.so.preload name this library, or another file of its name? Then
 * a program has it whatever its environment. False where this user cannot read
 * the file: its programs cannot either.
 */
bool is_preloaded(const struct library *library);

/*
 * The text without any entry of the library, NULL if nothing is left of it; and
 * with a line for the library, without a final newline where there was none: so
 * remove_entries() knows. Both on the heap.
 */
char *remove_entries(const char *text, const struct library *library);
char *add_entry(const char *text, const struct library *library);

/*
 * Reads the file: frees the text, and stores that of the file on the heap, NULL
 * if there is none or it cannot be read. NULL, or a reason not to edit it.
 */
const char *read_file(char **text);

/* Is this still the text of the file, and may it be edited? */
bool is_unchanged(const char *text);

/*
 * Replaces the file by a new one, or removes it. Otherwise it is left as it is:
 * CHANGED if it does not hold the old text, or FAILED, with a line on standard
 * error. (ALREADY is for who finds that the two are the same.)
 */
enum outcome { REPLACED, ALREADY, CHANGED, FAILED };
enum outcome replace_file(const char *old, const char *new);

#endif
