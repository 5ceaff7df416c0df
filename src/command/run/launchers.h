/*
 * launchers.h - commands that run another, and scripts
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_RUN_LAUNCHERS_H
#define KEEPALIVE_RUN_LAUNCHERS_H

#include <limits.h>
#include <stdbool.h>

enum { WORDS = 64 }; /* words of a line, and a null pointer */
/* The words of a line, and the bytes that they are made of. */
struct words {
    char text[4096];
    char *list[WORDS]; /* a null pointer follows the last */
};

struct launcher;

/* The launcher of this name, in whatever directory; NULL if it is none. */
const struct launcher *find_launcher(const char *path);

/*
 * Finds the command that a launcher will run, NULL if there is none or it
 * cannot be told. `words` is for those of `env -S`. Stores in *clean whether
 * the environment is cleaned on the way.
 */
char *const *follow_launcher(const struct launcher *launcher,
                             char *const *command, struct words *words,
                             bool *clean);

/* Reads `#!interpreter argument`; all the rest of the line is one argument. */
bool read_script(int fd, struct words *words);

/* Finds a command as execvp(3) does. */
bool find_in_path(const char *name, char path[PATH_MAX]);

#endif
