/*
 * command.h - what the rooms of the `keepalive` command share
 * SPDX-License-Identifier: MIT
 *
 *     command.c    the command line; runs a command
 *     library.c    where the library is, and what the loader is to be told
 *     program.c    can the loader help this program?
 *     process.c    the sockets of running processes
 */
#ifndef COMMAND_H
#define COMMAND_H

#include "keepalive.h"

#include <limits.h>

/* Exit statuses, as env(1) and stdbuf(1) have them. */
enum {
    STATUS_FAILED = 125,     /* the command line, or keepalive itself */
    STATUS_CANNOT_RUN = 126, /* the command is there, but does not run */
    STATUS_NOT_FOUND = 127,
};

/* The installed library, or that of the build tree. */
struct library {
    char path[PATH_MAX];  /* its file */
    char entry[PATH_MAX]; /* how the loader is to be told of it */
    unsigned kind;        /* of the file, see elf_kind() */
    unsigned twin;        /* of the one for 32-bit programs; 0 without one */
    bool installed;       /* not that of a build tree */
};

/*
 * Finds the library: beside the command, as in a build tree, else at the path
 * that was fixed when the command was built. The current directory and the
 * environment have no say. False, with a line on standard error, where it
 * cannot be used.
 */
bool library_find(struct library *library);

/* Machine, byte order and class of an ELF file; 0 where it is none. */
unsigned elf_kind(const char *path);

enum { OBSTACLE = PATH_MAX + 256 };

/*
 * Would the library have no effect on this command, given as for execvp(3)?
 * Then true, with one sentence on the reason and on what to do. Scripts and
 * env(1) are followed; what cannot be read is not judged.
 */
bool program_obstacle(char text[OBSTACLE], char *const command[],
                      const struct library *library);

/*
 * Prints the TCP sockets of the processes, having done the calls of `wanted` on
 * each; with `json` for programs, else for people. Returns the exit status, one
 * of these; the highest where several hold.
 */
enum {
    PROCESS_GONE = 1,      /* no such process, or it ended meanwhile */
    PROCESS_FORBIDDEN = 2, /* its descriptors are out of reach */
    PROCESS_REFUSED = 3,   /* the kernel did not take a value */
};
int processes(char *const pids[], int count, const struct keepalive *wanted,
              bool json);

#endif
