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

#include "cgroup/show.h"
#include "cgroup/trial.h"
#include "exit_status.h"
#include "lock.h"
#include "proc.h"
#include "text.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <unistd.h>

#define LOCK_FILE "/run/keepalive.lock"

static const int none[PROGRAMS] = {ABSENT, ABSENT};

/*
 * Does the command run with the capabilities that this takes? Says so if not.
 * CAP_SYS_ADMIN, which includes CAP_BPF, is needed to open a program that is
 * attached already, so it is asked for before anything is changed.
 */
static bool is_capable(void)
{
    const char *missing = !has_capability(CAP_NET_ADMIN)   ? "CAP_NET_ADMIN"
                          : !has_capability(CAP_SYS_ADMIN) ? "CAP_SYS_ADMIN"
                                                           : NULL;

    if (missing != NULL)
        complain("--cgroup needs root: %s is missing", missing);
    return missing == NULL;
}

/* Opens the directory of a cgroup of version 2; false if it is none. */
static bool open_cgroup(struct cgroup *cgroup, const char *path)
{
    struct statfs system;

    if (realpath(path, cgroup->path) == NULL)
        return false;
    cgroup->fd = open_below(AT_FDCWD, cgroup->path, O_DIRECTORY);
    if (cgroup->fd >= 0 && fstatfs(cgroup->fd, &system) == 0 &&
        system.f_type == CGROUP2_SUPER_MAGIC)
        return true;
    if (cgroup->fd >= 0)
        close(cgroup->fd);
    return false;
}

/* Opens one by its path below the mount. */
static bool open_mounted(struct cgroup *cgroup, const char *mount,
                         const char *path)
{
    char *whole;
    bool done;

    if (asprintf(&whole, "%s/%s", mount, path) < 0)
        return false;
    done = open_cgroup(cgroup, whole);
    free(whole);
    return done;
}

/*
 * Opens the cgroup of this process, see cgroups(7). systemd runs what comes
 * before a service that has Delegate= in a cgroup of its own below the
 * service's.
 */
static bool open_own(struct cgroup *cgroup, const char *mount)
{
    char *text = read_below(AT_FDCWD, "/proc/self/cgroup");
    char *line = text == NULL || strncmp(text, "0::", 3) == 0
                     ? text
                     : strstr(text, "\n0::");
    bool done = false;

    if (line != NULL) {
        line = strstr(line, "::") + strlen("::");
        line[strcspn(line, "\n")] = '\0';
        if (is_named(line, ".control"))
            *strrchr(line, '/') = '\0';
        done = strstr(line, "/..") == NULL && open_mounted(cgroup, mount, line);
    }
    free(text);
    if (!done)
        complain("self: the cgroup of this process is not below the mount of "
                 "cgroup version 2");
    /* Only the root has no such file. */
    else if (faccessat(cgroup->fd, "cgroup.type", F_OK, 0) == 0)
        return true;
    else
        complain("self: this process is in the root cgroup, the whole machine; "
                 "give the mount point if you mean that");
    return false;
}

/* Where is cgroup2 mounted? NULL: it is not. */
static const char *find_mount(void)
{
    static char mount[PATH_MAX];
    FILE *mounts = setmntent("/proc/self/mounts", "r");
    const struct mntent *entry;

    while (mount[0] == '\0' && mounts != NULL &&
           (entry = getmntent(mounts)) != NULL)
        if (strcmp(entry->mnt_type, "cgroup2") == 0)
            snprintf(mount, sizeof(mount), "%s", entry->mnt_dir);
    if (mounts != NULL)
        endmntent(mounts);
    return mount[0] == '\0' ? NULL : mount;
}

/* Opens a cgroup: a directory, a path below the mount, or "self". */
static bool find_cgroup(struct cgroup *cgroup, const char *name)
{
    const char *mount = find_mount();
    size_t length = mount == NULL ? 0 : strlen(mount);

    if (mount != NULL && strcmp(name, "self") == 0)
        return open_own(cgroup, mount);
    if (open_cgroup(cgroup, name))
        return true;
    /* Below, not the mount itself: "" or "." must not be the whole machine. */
    if (mount != NULL && open_mounted(cgroup, mount, name) &&
        strncmp(cgroup->path, mount, length) == 0 &&
        cgroup->path[length] == '/')
        return true;
    if (mount == NULL)
        complain("%s: no cgroup of version 2 is mounted here", name);
    else
        complain("'%s' is not a cgroup of version 2, and there is none of that "
                 "name below %s",
                 name, mount);
    return false;
}

/* Ours that are attached to the cgroup itself; the first of each kind. */
static void find_own(const struct cgroup *cgroup,
                     const struct programs *programs, int own[PROGRAMS])
{
    own[SETTER] = own[GUARD] = ABSENT;
    for (int i = programs->count - 1; i >= 0; i--)
        if (strcmp(programs->list[i].path, cgroup->path) == 0)
            own[programs->list[i].kind] = programs->list[i].fd;
}

static void put_back(const struct cgroup *cgroup, const int new[PROGRAMS],
                     const int old[PROGRAMS])
{
    if (!put_programs(cgroup, old, new))
        complain("%s: what was there could not be put back", cgroup->path);
}

/*
 * Replaces ours there by new ones, or removes them, and looks what is in force
 * then. If it fails, nothing has changed.
 */
static bool replace(const struct cgroup *cgroup, const int new[PROGRAMS],
                    const int old[PROGRAMS], struct programs *programs)
{
    if (!put_programs(cgroup, new, old))
        return false;
    if (find_programs(cgroup, programs))
        return true;
    put_back(cgroup, new, old);
    return false;
}

/*
 * Loads programs and puts them there. They are tried before, in a cgroup beside
 * this one or, where none can be made there, afterwards in one below.
 */
static bool put_values(const struct cgroup *cgroup, const struct wanted *wanted,
                       bool beside, struct programs *programs)
{
    int new[PROGRAMS];
    int old[PROGRAMS];

    find_own(cgroup, programs, old);
    if (!has_room(cgroup, wanted->force) || !load_programs(cgroup, wanted, new))
        return false;
    if ((beside && !passes_trial(cgroup, TRIAL_BESIDE, new, wanted)) ||
        !replace(cgroup, new, old, programs))
        return false;
    if (beside || passes_trial(cgroup, TRIAL_BELOW, none, wanted))
        return true;
    put_back(cgroup, new, old);
    return false;
}

/* Removes ours: several, if those who put them there did not wait. */
static bool remove_programs(const struct cgroup *cgroup,
                            struct programs *programs)
{
    int old[PROGRAMS];

    for (;;) {
        find_own(cgroup, programs, old);
        if (old[SETTER] < 0 && old[GUARD] < 0)
            return true;
        if (!replace(cgroup, none, old, programs))
            return false;
    }
}

/*
 * Puts values in force, or removes what is there if `wanted` is NULL: one
 * command at a time, undisturbed, and completely or not at all.
 */
static bool make_change(const struct cgroup *cgroup,
                        const struct wanted *wanted, struct programs *programs)
{
    /* Before 5.11 maps and programs counted as locked memory. */
    struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
    /* Is its parent a cgroup in which one can be made? */
    bool beside = faccessat(cgroup->fd, "../cgroup.procs", W_OK, 0) == 0;
    struct lock lock;
    bool done;

    if (!take_lock(&lock, LOCK_FILE))
        return false;
    setrlimit(RLIMIT_MEMLOCK, &unlimited);
    done = find_programs(cgroup, programs) &&
           (wanted == NULL ? remove_programs(cgroup, programs)
                           : put_values(cgroup, wanted, beside, programs));
    remove_trial(cgroup, TRIAL_BELOW); /* that of a run that was killed */
    if (beside)
        remove_trial(cgroup, TRIAL_BESIDE);
    release_lock(&lock);
    return done;
}

int switch_cgroup(const struct request *request)
{
    struct wanted wanted = request->wanted;
    bool off = wanted.values[KEEPALIVE_SWITCH] == 0;
    bool remove = off && !wanted.force;
    bool quiet = request->given['q'] != NULL;
    struct programs programs = {NULL, 0};
    struct cgroup cgroup;
    int status = 0;

    wanted.force = wanted.force && !off; /* that exempts, and refuses nothing */
    if (!find_cgroup(&cgroup, request->given['G']) || !is_capable() ||
        !(is_wanted(&wanted)
              ? make_change(&cgroup, remove ? NULL : &wanted, &programs)
              : find_programs(&cgroup, &programs)))
        return STATUS_FAILED;
    if (!remove) {
        status = show_programs(cgroup.path, &programs,
                               request->given['j'] != NULL, quiet);
    } else if (programs.count > 0) {
        complain("%s: it has no values of its own now, but those of %s are in "
                 "force",
                 cgroup.path, programs.list[0].path);
        status = CGROUP_HALF;
    }
    if (is_wanted(&wanted) && !quiet)
        hint_at_new_sockets(wanted.values);
    return status;
}
