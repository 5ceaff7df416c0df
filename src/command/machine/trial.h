/*
 * trial.h - does the library load and work?
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_MACHINE_TRIAL_H
#define KEEPALIVE_MACHINE_TRIAL_H

#include "machine/preload_file.h"

#include <limits.h>
#include <stdbool.h>

#define TRIAL_PROBE "keepalive-probe"

/* A program that is started, and what comes of it. */
struct program {
    const char *path;
    const char *arguments[4];
    const char *preload; /* its LD_PRELOAD; NULL: none */
    bool nobody;         /* as another user than root */
    int pipe;            /* for the probe's answer; 0: none */
    int status;          /* of waitpid(2), or -1 */
    char said[1024];     /* on standard error */
    struct answer {
        char mark[sizeof(TRIAL_PROBE)]; /* which nobody else would write */
        bool kept_alive;                /* the probe's sockets are */
        bool library; /* it has loaded the library, and no other of that name */
        char loaded[PATH_MAX]; /* all of that name, or what it has instead */
    } answer;
};

struct machine {
    struct library library;
    char *text;            /* of ld.so.preload, as it was read */
    struct program probe;  /* as it was started then */
    struct program narrow; /* a 32-bit program in its loader, which lists what
                              it loads, for a 64-bit library; or no path */
};

/* Writes a sentence, as printf(3) does, which stays until the next one. */
const char *sentence(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/*
 * Starts a program that looks for the library in itself and at a socket of its
 * own. NULL, with its answer, or why there is none.
 */
const char *run_probe(struct program *probe);

/*
 * Starts programs, a set-user-ID one and a 32-bit one among them, and the
 * probe; as root and, if this is root, as nobody. `preload` is their
 * LD_PRELOAD; NULL: as the machine is. NULL, or a sentence on the first that is
 * not as it should be.
 */
const char *start_programs(const struct machine *machine, const char *preload);

/* What a program of the name TRIAL_PROBE does. Returns its exit status. */
int be_probe(void);

/*
 * Checks a path, all directories above it, and in the same way what each link
 * leads to: whoever owns one link of a chain decides where it ends. NULL, or a
 * sentence on what users other than root can change, or cannot read.
 */
const char *check_path(const char *name);

/* Stores the path of a program of this machine. False if there is none. */
bool find_installed(const char *name, bool set_user_id, char path[PATH_MAX]);

/* Looks for the 32-bit program. */
void find_narrow(struct machine *machine);

#endif
