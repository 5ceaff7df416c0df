/*
 * trial.h - a connection that is tried in a cgroup
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_CGROUP_TRIAL_H
#define KEEPALIVE_CGROUP_TRIAL_H

#include "values.h"

#include <stdbool.h>

/* The cgroup that is made for it; it is gone at the end. */
#define TRIAL "keepalive-trial"

/*
 * Makes the cgroup in `parent` and opens it; -1, with a line about `path` on
 * standard error, where that fails.
 */
int open_trial(const char *path, int parent);

/* Makes a connection there. Do both ends get what is wanted? Says so if not. */
bool passes_trial(const char *path, int cgroup, const struct wanted *wanted);

/* Removes it, or what a run left that was killed; false, with errno. */
bool remove_trial(int parent);

#endif
