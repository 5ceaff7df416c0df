/*
 * trial.h - does the library load and work?
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_MACHINE_TRIAL_H
#define KEEPALIVE_MACHINE_TRIAL_H

#include "locate.h"

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

/* What a program has that is started now, without LD_PRELOAD. */
struct found {
    bool known;            /* it was started, and has answered */
    bool kept_alive;       /* its sockets are */
    bool library;          /* it has loaded the library */
    char mapped[PATH_MAX]; /* that, and others of its name; "" if none */
    char complaint[256];   /* the loader's of an entry of others; "" if none */
};
void find_out(const struct library *library, struct found *found);

/*
 * The name by which main() knows that it is the probe, and the probe's part: it
 * answers on the descriptor of this number. Returns its exit status.
 */
#define TRIAL_PROBE "keepalive-probe"
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
