/*
 * trial.h - a connection that is tried in a cgroup
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_CGROUP_TRIAL_H
#define KEEPALIVE_CGROUP_TRIAL_H

#include "values.h"

#include <stdbool.h>

#define TRIAL "keepalive-trial"

/* Are the values in force? Says so if not. */
bool passes_trial(const char *path, int cgroup, const struct wanted *wanted);

#endif
