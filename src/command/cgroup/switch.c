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
#include "cgroup/show.h"
#include "cgroup/trial.h"
#include "exit_status.h"
#include "proc.h"
#include "text.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_FILE "/run/keepalive.lock"

/* A cgroup, and what is to be done to it. */
struct change {
    char path[PATH_MAX];
    int cgroup;
    int parent; /* or -1: no cgroup can be made there */
    struct wanted wanted;
    bool remove;
};

/*
 * Does the command run with the capabilities that this takes? Says so if not.
 * CAP_SYS_ADMIN, which includes CAP_BPF, is needed to open a program that is
 * attached already, so it is asked for before anything is changed.
 */
static bool is_capable(void)
{
    static const struct {
        int number;
        const char *name;
    } needed[] = {{CAP_NET_ADMIN, "CAP_NET_ADMIN"},
                  {CAP_SYS_ADMIN, "CAP_SYS_ADMIN"}};

    for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++)
        if (!has_capability(needed[i].number)) {
            warnx("--cgroup needs root: %s is missing", needed[i].name);
            return false;
        }
    return true;
}

/* Says why a call failed: in one line, from errno. */
static void explain(const char *path)
{
    int error = errno;
    char printable[PRINTABLE];
    const char *reason =
        error == EPERM ? "the kernel does not permit bpf(2) here, perhaps "
                         "because this is a container or a user namespace"
        : error == ENOSYS || error == EINVAL || error == E2BIG
            ? "this kernel is older than Linux 5.9, or was built without "
              "CONFIG_CGROUP_BPF"
        : error == ENOSPC ? "64 programs are attached there already, which is "
                            "the kernel's limit"
        : error == ENOENT || error == ENODEV
            ? "the cgroup was removed meanwhile"
            : strerror(error);

    warnx("%s: %s", make_printable(printable, path), reason);
}

/* Can ours stand beside other owners' programs? Says so if not. */
static bool has_room(const struct change *change)
{
    int kinds = change->wanted.force ? PROGRAMS : GUARD;

    for (int kind = 0; kind < kinds; kind++) {
        char above[PATH_MAX];
        char text[3][PRINTABLE];
        char name[PROGRAM_NAME];
        uint32_t id;
        enum obstacle obstacle;

        snprintf(above, sizeof(above), "%s", change->path);
        obstacle = find_obstacle(above, kind, &id);
        if (obstacle == NOTHING)
            continue;
        if (obstacle == UNKNOWN) {
            explain(change->path);
            return false;
        }
        name_program(id, name);
        make_printable(text[0], change->path);
        make_printable(text[1], name);
        make_printable(text[2], above);
        warnx("%s: the program '%s' (%u) of %s %s; nothing was changed",
              text[0], text[1], id, text[2],
              obstacle == ALONE
                  ? "allows no other beside it"
                  : "would no longer be run there, since it was attached with "
                    "BPF_F_ALLOW_OVERRIDE");
        return false;
    }
    return true;
}

static void put_back(const struct change *change, const int new[PROGRAMS],
                     const int old[PROGRAMS])
{
    char printable[PRINTABLE];

    if (!put_programs(change->cgroup, old, new))
        warn("%s: what was there could not be put back",
             make_printable(printable, change->path));
}

/*
 * Replaces ours there by new ones, or removes them, and looks what is in force
 * then. Opens the old ones. If it fails, nothing has changed.
 */
static bool replace(const struct change *change, const int new[PROGRAMS],
                    int old[PROGRAMS], struct layers *layers)
{
    bool put = find_programs(change->cgroup, old) &&
               put_programs(change->cgroup, new, old);

    if (put && find_layers(change->path, change->cgroup, layers))
        return true;
    explain(change->path);
    if (put)
        put_back(change, new, old);
    return false;
}

/* Tries the programs in a cgroup of their own; NULL: those that are there. */
static bool try_programs(const struct change *change, int parent,
                         const int programs[PROGRAMS])
{
    static const int none[PROGRAMS] = {ABSENT, ABSENT};
    int cgroup = open_trial(change->path, parent);
    bool done = cgroup >= 0;

    if (done && programs != NULL && !put_programs(cgroup, programs, none)) {
        explain(change->path);
        done = false;
    }
    done = done && passes_trial(change->path, cgroup, &change->wanted);
    if (cgroup >= 0)
        close(cgroup);
    remove_trial(parent);
    return done;
}

/* Tries the programs before, or after where no cgroup can be made beside. */
static bool try_and_replace(const struct change *change,
                            const int new[PROGRAMS], struct layers *layers)
{
    int old[PROGRAMS];
    bool before = change->parent >= 0;
    bool done;

    if (before && !try_programs(change, change->parent, new))
        return false;
    done = replace(change, new, old, layers);
    if (done && !before && !try_programs(change, change->cgroup, NULL)) {
        put_back(change, new, old);
        done = false;
    }
    close_programs(old);
    return done;
}

/* Loads the programs, and puts them there. */
static bool put_values(const struct change *change, struct layers *layers)
{
    int new[PROGRAMS];
    int system[KEEPALIVE_OPTIONS];
    bool done;

    if (!has_room(change))
        return false;
    read_system(system);
    done = load_programs(new, &change->wanted, system);
    if (done)
        done = try_and_replace(change, new, layers);
    else
        explain(change->path);
    close_programs(new);
    return done;
}

/* Removes ours: several, if those who put them there did not wait. */
static bool remove_programs(const struct change *change, struct layers *layers)
{
    static const int none[PROGRAMS] = {ABSENT, ABSENT};
    int old[PROGRAMS];
    bool done;
    bool more;

    do {
        done = replace(change, none, old, layers);
        more = old[SETTER] >= 0 || old[GUARD] >= 0;
        close_programs(old);
    } while (done && more);
    return done;
}

/*
 * Waits for another run, half a minute at most. Only root can open the file, so
 * nobody else can hold it. False, with a line on standard error.
 */
static bool wait_for_turn(void)
{
    enum { SECONDS = 30, PAUSES_A_SECOND = 10 };
    int lock = open(LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (lock < 0 || fchmod(lock, 0600) < 0) {
        warn("%s", LOCK_FILE);
        return false;
    }
    for (int left = SECONDS * PAUSES_A_SECOND;
         flock(lock, LOCK_EX | LOCK_NB) < 0; left--) {
        if (errno != EWOULDBLOCK) {
            warn("%s", LOCK_FILE);
            return false;
        }
        if (left == 0) {
            warnx("another run has held %s for %d seconds; nothing was changed",
                  LOCK_FILE, SECONDS);
            return false;
        }
        usleep(1000000 / PAUSES_A_SECOND);
    }
    return true;
}

/* Does so undisturbed: one command at a time, and completely or not at all. */
static bool make_change(const struct change *change, struct layers *layers)
{
    /* Before 5.11 maps and programs counted as locked memory. */
    struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
    sigset_t all;
    sigset_t before;
    bool done;

    if (!wait_for_turn())
        return false;
    setrlimit(RLIMIT_MEMLOCK, &unlimited);
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    done = change->remove ? remove_programs(change, layers)
                          : put_values(change, layers);
    remove_trial(change->cgroup); /* that of a run that was killed */
    if (change->parent >= 0)
        remove_trial(change->parent);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return done;
}

/* Opens the cgroup and, where one can be made in it, its parent. */
static bool open_cgroup(struct change *change)
{
    char parent[PATH_MAX + sizeof("/..")];

    snprintf(parent, sizeof(parent), "%s/..", change->path);
    change->cgroup = open_below(AT_FDCWD, change->path, O_DIRECTORY);
    change->parent = -1;
    if (change->cgroup < 0) {
        explain(change->path);
        return false;
    }
    if (is_cgroup(parent) && access(parent, W_OK) == 0)
        change->parent = open_below(AT_FDCWD, parent, O_DIRECTORY);
    return true;
}

int switch_cgroup(const struct request *request)
{
    struct change change = {.wanted = request->wanted};
    struct layers layers = {NULL, 0};
    bool asked = is_wanted(&request->wanted);
    int status = STATUS_FAILED;

    if (!find_cgroup(request->given['G'], change.path) || !is_capable() ||
        !open_cgroup(&change))
        return STATUS_FAILED;
    change.remove = asked && change.wanted.values[KEEPALIVE_SWITCH] == 0 &&
                    !change.wanted.force;
    if (change.wanted.values[KEEPALIVE_SWITCH] == 0)
        change.wanted.force = false;
    if (!asked && !find_layers(change.path, change.cgroup, &layers))
        explain(change.path);
    else if (!asked || make_change(&change, &layers))
        status = change.remove ? show_rest(change.path, &layers)
                               : show_layers(change.path, &layers,
                                             request->given['j'] != NULL,
                                             request->given['q'] != NULL);
    if (asked && status != STATUS_FAILED && request->given['q'] == NULL)
        hint_at_new_sockets(change.wanted.values);
    free(layers.list);
    close(change.cgroup);
    if (change.parent >= 0)
        close(change.parent);
    return status;
}
