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
 * Why can no program of this kind be attached to the cgroup? Because the kernel
 * lets none stand beside one of somebody else, here or above; or because one
 * above, attached by BPF_F_ALLOW_OVERRIDE, would no longer be run here. Stores
 * its number, and cuts `path` to its cgroup's.
 */
enum obstacle { NOTHING, ALONE, OVERRIDDEN, UNKNOWN }; /* UNKNOWN: see errno */
enum obstacle find_obstacle(char *path, int kind, uint32_t *id);

#endif
