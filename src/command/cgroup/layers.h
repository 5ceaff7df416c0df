/*
 * layers.h - what is in force in a cgroup
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_CGROUP_LAYERS_H
#define KEEPALIVE_CGROUP_LAYERS_H

#include "cgroup/bpf.h"

#include <limits.h>
#include <stdbool.h>

enum {
    CGROUP_OFF = 1,   /* shown: nothing is in force */
    CGROUP_STILL = 2, /* removed, but what a cgroup above has is in force */
};

/* The settings that a cgroup has from the path itself or from one above. */
struct layer {
    char path[PATH_MAX];
    struct settings settings;
};

/* In the order in which the kernel runs them. */
struct layers {
    struct layer *list;
    int count;
};

/* Finds the settings that are in force; false, with errno. */
bool find_layers(const char *path, int cgroup, struct layers *layers);

/* Shows what is in force; with `off`, says so only if something still is. */
int show_layers(const char *path, const struct layers *layers, bool off);

#endif
