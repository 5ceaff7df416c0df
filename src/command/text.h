/*
 * text.h - text from outside, for a terminal and as JSON
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_TEXT_H
#define KEEPALIVE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/*
 * Print one line, as printf(3) does, on standard output and as a message on
 * standard error; a newline follows. Control characters and bytes that are not
 * UTF-8 become ?: paths and the names of processes and cgroups may be given as
 * they are, no escape sequence of theirs reaches the terminal.
 */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Writes a text without what could harm a terminal, as say() does, or without
 * what would end or break a string in JSON, as print_json_text() does.
 */
void put_text(FILE *out, const char *text, size_t length, bool json);

/*
 * Prints a string in JSON (RFC 8259). UTF-8 stays as it is; control characters
 * and bytes that are not UTF-8 are escaped by their number.
 */
void print_json_text(const char *text, size_t length);

/* The name of the file, without its directory. */
const char *base_name(const char *path);

/* Is this the path, or the name of the file? */
bool is_named(const char *path, const char *name);

/*
 * Writes a number in decimal, in at most 12 bytes, and returns its end, as
 * stpcpy(3) does: for long tables, where the time of snprintf(3) counts.
 */
char *write_number(char *text, int number);

#endif
