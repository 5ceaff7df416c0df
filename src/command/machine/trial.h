/*
 * trial.h - does the library load and work?
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_MACHINE_TRIAL_H
#define KEEPALIVE_MACHINE_TRIAL_H

#include "locate.h"
#include "text.h"

#include <limits.h>
#include <stdbool.h>

/* Writes a sentence, as printf(3) does, which stays until the next one. */
const char *sentence(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/*
 * Starts programs, a set-user-ID one and a 32-bit one among them, and a probe
 * that looks for the library in itself and at a socket of its own; as root and,
 * if this is root, as nobody. `preload` is their LD_PRELOAD; NULL: as the
 * machine is. NULL, or a sentence on the first that is not as it should be.
 */
const char *start_programs(const struct library *library, const char *preload);

#define TRIAL_PROBE "keepalive-probe"

/* What a program has that is started. It answers with these bytes. */
struct found {
    char mark[sizeof(TRIAL_PROBE)]; /* which nobody else would write */
    bool kept_alive;                /* its sockets are */
    bool library;                   /* it has mapped the library */
    bool others;                    /* it has mapped others of that name */
    char mapped[PATH_MAX];          /* the paths of all these; "" if none */
};

/*
 * Starts a program without LD_PRELOAD. False if there is no answer, for one of
 * the reasons in NO_ANSWER. Where no library of that name has switched
 * keepalive on, `mapped` says that another has.
 */
bool find_out(struct found *found);
#define NO_ANSWER                                                              \
    "no program can be started or make a socket, or a library keeps it from "  \
    "answering"

/* Stores what the loader says of an entry that is not ours; "" if nothing. */
void find_complaint(const struct library *library, char complaint[PRINTABLE]);

/*
 * The part of that program, whose name is TRIAL_PROBE: it answers on the
 * descriptor of this number. Returns its exit status.
 */
int run_trial_probe(const char *descriptor);

/* Stores the path of a program of this machine. False if there is none. */
bool find_installed(const char *name, bool set_user_id, char path[PATH_MAX]);

/*
 * A dynamic 32-bit program of this machine, where the library is a 64-bit one
 * and the kernel runs such. NULL if there is none.
 */
struct narrow {
    char path[PATH_MAX];
    char loader[PATH_MAX];
};
const struct narrow *find_narrow(const struct library *library);

#endif
