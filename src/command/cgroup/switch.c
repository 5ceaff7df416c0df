/*
 * switch.c - keepalive for every program of a cgroup
 * SPDX-License-Identifier: MIT
 *
 * The kernel itself sets the options, so it does not matter how a program was
 * built: it runs a BPF program when a TCP connection of the cgroup is opened or
 * accepted. With force it runs a second one before each setsockopt(2). Both are
 * attached to the cgroup and last as long as it; there is no process and no
 * file. They share a map that holds the settings: by it they are recognised
 * later, whatever version of this command made them, and the settings read
 * back. See bpf(2), bpf-helpers(7) and cgroups(7).
 */
#include "cgroup/switch.h"

#include "cgroup/bpf.h"
#include "cgroup/code.h"
#include "cgroup/layers.h"
#include "cgroup/place.h"
#include "cgroup/trial.h"
#include "exit_status.h"
#include "proc.h"
#include "text.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

/*
 * Does the command run with the capabilities that this takes? Says so if not.
 * CAP_SYS_ADMIN, which includes CAP_BPF, is needed to open a program that is
 * attached already, so it is asked for before anything is changed.
 */
static bool is_capable(void)
{
    static const struct {
        int number; /* see linux/capability.h */
        const char *name;
    } needed[] = {{12, "CAP_NET_ADMIN"}, {21, "CAP_SYS_ADMIN"}};

    for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++)
        if (!has_capability(needed[i].number)) {
            warnx("--cgroup takes root: %s is missing", needed[i].name);
            return false;
        }
    return true;
}

/*
 * Is there a program, at the cgroup or above, beside which the kernel lets no
 * other be attached? Then its cgroup is left in `path`.
 */
static bool stands_alone(char *path)
{
    for (; kind_of(path) == CGROUP_V2; *strrchr(path, '/') = '\0') {
        int cgroup = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct list list;
        bool alone = false;

        for (int i = 0; i < PROGRAMS && !alone; i++)
            alone =
                list_programs(cgroup, i, false, &list) && !allows_others(&list);
        close(cgroup);
        if (alone)
            return true;
    }
    return false;
}

/* Says why a call of bpf(2) failed: in one line, from errno. */
static void explain(const char *path)
{
    char above[PATH_MAX];
    char printable[PRINTABLE];
    char its[PRINTABLE];
    int error = errno;

    snprintf(above, sizeof(above), "%s", path);
    if (error == EPERM && stands_alone(above))
        warnx("%s: another program is attached to %s and lets none stand "
              "beside it",
              make_printable(printable, path), make_printable(its, above));
    else if (error == EPERM)
        warnx("%s: the kernel does not permit bpf(2) here, in a container or "
              "a user namespace perhaps",
              make_printable(printable, path));
    else if (error == ENOSYS || error == EINVAL || error == E2BIG)
        warnx("%s: this kernel is older than Linux 5.9, or was built without "
              "CONFIG_CGROUP_BPF",
              make_printable(printable, path));
    else
        warnx("%s: %s", make_printable(printable, path), strerror(error));
}

/*
 * Replaces our programs there by programs for these settings, and reads what is
 * in force then. If it fails, nothing has changed.
 */
static bool change(const char *path, int cgroup, const struct wanted *wanted,
                   struct layers *layers)
{
    int new[PROGRAMS] = {ABSENT, ABSENT};
    int old[PROGRAMS] = {ABSENT, ABSENT};
    char printable[PRINTABLE];
    bool off = wanted->values[KEEPALIVE_SWITCH] == 0;
    bool put = (off || load_programs(new, wanted)) &&
               find_programs(cgroup, old) && put_programs(cgroup, new, old);
    bool done = put && find_layers(path, cgroup, layers);

    if (!done)
        explain(path);
    else if (!off)
        done = passes_trial(path, cgroup, wanted);
    if (put && !done && !put_programs(cgroup, old, new))
        warn("%s: what was there could not be put back",
             make_printable(printable, path));
    if (off) /* one that a killed command left */
        unlinkat(cgroup, TRIAL, AT_REMOVEDIR);
    close_programs(new);
    close_programs(old);
    return done;
}

/* Waits for another run, half a minute at most: anybody who can open the
 * directory can lock it. False, with errno. */
static bool lock(int cgroup)
{
    enum { PATIENCE = 300, PAUSE = 100000 }; /* microseconds */

    for (int left = PATIENCE; flock(cgroup, LOCK_EX | LOCK_NB) < 0; left--) {
        if (errno != EWOULDBLOCK || left == 0)
            return false;
        usleep(PAUSE);
    }
    return true;
}

/* Does so undisturbed: one command at a time, and completely or not at all. */
static bool change_alone(const char *path, int cgroup,
                         const struct wanted *wanted, struct layers *layers)
{
    /* Before 5.11 maps and programs counted as locked memory. */
    struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
    sigset_t all;
    sigset_t before;
    char printable[PRINTABLE];
    bool done;

    if (!lock(cgroup)) {
        warn("%s: another has the lock of this directory",
             make_printable(printable, path));
        return false;
    }
    setrlimit(RLIMIT_MEMLOCK, &unlimited);
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    done = change(path, cgroup, wanted, layers);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return done;
}

int switch_cgroup(const char *name, const struct wanted *wanted)
{
    struct layers layers = {NULL, 0};
    char path[PATH_MAX];
    char printable[PRINTABLE];
    int cgroup;
    int status = STATUS_FAILED;

    if (!find_cgroup(name, path) || !is_capable())
        return STATUS_FAILED;
    cgroup = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (cgroup < 0) {
        warn("%s", make_printable(printable, path));
        return STATUS_FAILED;
    }
    if (!is_wanted(wanted) && !find_layers(path, cgroup, &layers))
        explain(path);
    else if (!is_wanted(wanted) || change_alone(path, cgroup, wanted, &layers))
        status =
            show_layers(path, &layers, wanted->values[KEEPALIVE_SWITCH] == 0);
    free(layers.list);
    close(cgroup);
    return status;
}
