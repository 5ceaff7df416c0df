/*
 * trial.h - a connection that is tried in a cgroup
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_CGROUP_TRIAL_H
#define KEEPALIVE_CGROUP_TRIAL_H

#include "cgroup/bpf.h"

/* The cgroup that is made for it: below another one, or beside it. */
#define TRIAL_BELOW "keepalive-trial"
#define TRIAL_BESIDE "../" TRIAL_BELOW

/*
 * Makes a connection in a cgroup with these programs. Do both ends get what is
 * wanted? False, with a line on standard error, if not.
 */
bool passes_trial(const struct cgroup *cgroup, const char *name,
                  const int programs[PROGRAMS], const struct wanted *wanted);

/* Removes it, or what a run left that was killed; false, with errno. */
bool remove_trial(const struct cgroup *cgroup, const char *name);

#endif
