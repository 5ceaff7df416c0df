/*
 * text.h - text from outside, for a terminal and as JSON
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_TEXT_H
#define KEEPALIVE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { PRINTABLE = 256 }; /* bytes of a text that is made printable */

/*
 * Writes the text with ? for control characters (C0, DEL, C1) and for bytes
 * that are not UTF-8, cut at 252 bytes. Returns `printable`. For paths and the
 * names of processes and cgroups: no escape sequence of theirs may reach the
 * terminal.
 */
const char *make_printable(char printable[PRINTABLE], const char *text);

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

/* Is this that name? */
bool is_named(const char *path, const char *name);

#endif
