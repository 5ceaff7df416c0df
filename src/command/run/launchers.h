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

/* A command that runs another, or has a different program run it. */
struct launcher {
    const char *name;
    /* Options by letter, or -, and name: "u:unset" takes an argument, with
     * "i!ignore-environment" the environment is cleaned or, by one that does
     * so anyway, is not. */
    const char *options;
    int operands;   /* before the command; NO_COMMAND: it cannot be told */
    bool assigns;   /* words with = before it are variables, as in env(1) */
    bool cleans;    /* passes on no environment */
    bool elsewhere; /* what it starts has a root directory of its own */
    /* What it does, and what to do instead; NULL: as is said of sudo(8). */
    const char *deed;
    const char *instead;
};

enum { NO_COMMAND = -1 };

/*
 * The launcher that is given as this word and was found at this path; NULL if
 * it is none. A relative path such as ./service is a program of the user's own.
 */
const struct launcher *find_launcher(const char *word, const char *path);

/* A variable of the environment, and what its value must contain. */
struct variable {
    const char *name; /* "": none is needed */
    const char *mark;
};

/*
 * Finds the command that a launcher will run, NULL if there is none or it
 * cannot be told. `words` is for those of `env -S`. Stores in *clean whether
 * the environment is cleaned on the way, or that variable is lost.
 */
char *const *follow_launcher(const struct launcher *launcher,
                             char *const *command,
                             const struct variable *variable,
                             struct words *words, bool *clean);

/* Reads `#!interpreter argument`; all the rest of the line is one argument. */
bool read_script(int fd, struct words *words);

/* Finds a command as execvp(3) does. */
bool find_in_path(const char *name, char path[PATH_MAX]);

#endif
