/*
 * layers.h - whose programs are run for a cgroup
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_CGROUP_LAYERS_H
#define KEEPALIVE_CGROUP_LAYERS_H

#include "cgroup/bpf.h"

#include <limits.h>
#include <stdbool.h>

/* Our programs at the cgroup itself or at one above. */
struct layer {
    char path[PATH_MAX];
    bool has[PROGRAMS];
    struct settings settings[PROGRAMS]; /* of each that it has */
};

/* In the order in which the kernel runs them: from the nearest on. */
struct layers {
    struct layer *list; /* the caller frees it */
    int count;
};

/*
 * Finds our programs that are run for a cgroup, as they are at one moment:
 * EAGAIN if they are being replaced all the time. False, with errno.
 */
bool find_layers(const char *path, int cgroup, struct layers *layers);

/*
 * Is there a program at the cgroup or above beside which the kernel lets no
 * other be attached? Then `path` is cut to its cgroup's.
 */
bool stands_alone(char *path);

/*
 * Finds the program of somebody else, attached above by BPF_F_ALLOW_OVERRIDE,
 * that would no longer be run for the cgroup once it has one of this kind.
 * Stores its number, 0 if there is none, and cuts `path` to its cgroup's.
 * False, with errno.
 */
bool find_override(char *path, int kind, uint32_t *id);

#endif
