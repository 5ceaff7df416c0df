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
#include "child.h"
#include "flags.h"
#include "lock.h"
#include "proc.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <mntent.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

/* The cgroup in which a connection is tried, from the one in question. */
#define BELOW "keepalive-trial"
#define BESIDE "../" BELOW

static const int none[PROGRAMS] = {ABSENT, ABSENT};

/*
 * Does the command run with the capabilities that this takes? Says so if not.
 * CAP_SYS_ADMIN, which includes CAP_BPF, is needed to open a program that is
 * attached already, so it is asked for before anything is changed.
 */
static bool is_capable(void)
{
    bool net = has_capability(CAP_NET_ADMIN);

    if (net && has_capability(CAP_SYS_ADMIN))
        return true;
    complain("--cgroup needs root: %s is missing",
             net ? "CAP_SYS_ADMIN" : "CAP_NET_ADMIN");
    return false;
}

/* Opens the directory of a cgroup of version 2; false if it is none. */
static bool open_cgroup(struct cgroup *cgroup, const char *path)
{
    struct statfs system;

    if (realpath(path, cgroup->path) == NULL)
        return false;
    cgroup->fd = open_below(AT_FDCWD, cgroup->path, O_DIRECTORY);
    return fstatfs(cgroup->fd, &system) == 0 &&
           system.f_type == CGROUP2_SUPER_MAGIC;
}

/* Opens the cgroup of this process, see cgroups(7). systemd runs what comes
 * before a service that has Delegate= in one below the service's, .control. */
static bool open_own(struct cgroup *cgroup, const char *mount)
{
    char *text = read_below(AT_FDCWD, "/proc/self/cgroup");
    char *line = text == NULL || strncmp(text, "0::", 3) == 0
                     ? text
                     : strstr(text, "\n0::");
    char path[2 * PATH_MAX];
    bool done = false;

    if (line != NULL) {
        line = strstr(line, "::") + strlen("::");
        line[strcspn(line, "\n")] = '\0';
        if (is_named(line, ".control"))
            *strrchr(line, '/') = '\0';
        snprintf(path, sizeof(path), "%s%s", mount, line);
        /* Only the root has no such file. */
        done = strstr(line, "/..") == NULL && open_cgroup(cgroup, path) &&
               faccessat(cgroup->fd, "cgroup.type", F_OK, 0) == 0;
    }
    free(text);
    if (!done)
        complain("self: this process is in no cgroup below the mount of "
                 "version 2; give the mount point if you mean the whole "
                 "machine");
    return done;
}

/* Opens a cgroup: a directory, a path below the mount, or "self". */
static bool find_cgroup(struct cgroup *cgroup, const char *name)
{
    FILE *mounts = setmntent("/proc/self/mounts", "r");
    const struct mntent *entry = NULL;
    char path[2 * PATH_MAX]; /* one that is cut is too long, and not found */

    while (mounts != NULL && (entry = getmntent(mounts)) != NULL &&
           strcmp(entry->mnt_type, "cgroup2") != 0)
        ;
    if (mounts != NULL)
        endmntent(mounts); /* the entry stays */
    if (entry != NULL && strcmp(name, "self") == 0)
        return open_own(cgroup, entry->mnt_dir);
    if (open_cgroup(cgroup, name))
        return true;
    if (entry != NULL) {
        snprintf(path, sizeof(path), "%s/%s", entry->mnt_dir, name);
        /* Not the mount: "" or "." must not be the whole machine. */
        if (open_cgroup(cgroup, path) &&
            strncmp(cgroup->path, path, strlen(entry->mnt_dir) + 1) == 0)
            return true;
    }
    complain("'%s' is not a cgroup of version 2, and %s%s", name,
             entry == NULL ? "none is mounted here"
                           : "there is none of that name below ",
             entry == NULL ? "" : entry->mnt_dir);
    return false;
}

/* A network of its own, where no firewall and no other program is. */
static void leave_network(void)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int fd = unshare(CLONE_NEWNET) < 0 ? -1 : make_socket();

    ioctl(fd, SIOCSIFFLAGS, &request);
    close(fd);
}

/* Has the socket what is wanted? Says so if not. */
static bool has_wanted(const struct cgroup *cgroup, int fd)
{
    const int *wanted = cgroup->wanted.values;

    for (int row = 0; row < KEEPALIVE_OPTIONS; row++) {
        int got = read_value(fd, row);

        if (wanted[row] == NO_VALUE || got == wanted[row])
            continue;
        complain("%s: a test connection there has %s=%d: %s; nothing was "
                 "changed",
                 cgroup->path, keepalive_options[row].variable,
                 got / keepalive_options[row].scale,
                 row == KEEPALIVE_SWITCH && got == 0
                     ? "this needs Linux 6.1, or 5.9 with --force"
                     : "perhaps a cgroup above has --force, or values that "
                       "keepalive 1.1 set");
        return false;
    }
    return true;
}

/*
 * The child's part: goes into the cgroup, makes a connection over loopback, and
 * looks at both ends. One has keepalive on by itself, as in a program that only
 * asks for that; but not where the cgroup is to be exempt.
 */
static void run_trial(const void *argument, int answer)
{
    const struct cgroup *cgroup = argument;
    struct sockaddr_in name = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(name);
    int processes = openat(cgroup->fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);
    int listener;
    int client;
    int accepted;

    (void)answer;
    if (processes >= 0 && write(processes, "0", 1) == 1) {
        leave_network();
        listener = make_socket();
        client = make_socket();
        set_value(listener, KEEPALIVE_SWITCH,
                  cgroup->wanted.values[KEEPALIVE_SWITCH]);
        if (bind(listener, (struct sockaddr *)&name, size) == 0 &&
            listen(listener, 1) == 0 &&
            getsockname(listener, (struct sockaddr *)&name, &size) == 0 &&
            connect(client, (struct sockaddr *)&name, size) == 0 &&
            (accepted = accept(listener, NULL, NULL)) >= 0)
            _exit(!has_wanted(cgroup, client) || !has_wanted(cgroup, accepted));
    }
    explain(cgroup, true);
}

/* Removes the trial, or what a run left that was killed. */
static void remove_trial(const struct cgroup *cgroup, const char *name)
{
    int tries = 100;

    /* A process that was killed is gone only after a while. */
    while (tries-- > 0 && unlinkat(cgroup->fd, name, AT_REMOVEDIR) < 0 &&
           errno == EBUSY)
        usleep(10000);
}

/* Is it frozen, by one above? No process would go on there. */
static bool is_frozen(int cgroup)
{
    char *events = read_below(cgroup, "cgroup.events");
    bool frozen = events != NULL && find_number(events, "frozen ") == 1;

    free(events);
    errno = EDEADLK; /* for explain() */
    return frozen;
}

/* Makes a connection in a cgroup with these programs. Do both ends get what is
 * wanted? Says so if not. */
static bool passes_trial(const struct cgroup *cgroup, const char *name,
                         const int programs[PROGRAMS])
{
    enum { SECONDS = 10 };
    struct cgroup trial = *cgroup; /* in messages it has the same path */
    int status = -1;
    size_t length;

    remove_trial(cgroup, name);
    trial.fd = mkdirat(cgroup->fd, name, 0755) < 0
                   ? -1
                   : open_below(cgroup->fd, name, O_DIRECTORY);
    if (trial.fd < 0 || is_frozen(trial.fd)) {
        explain(cgroup, true);
    } else if (!put_programs(trial.fd, programs, none)) {
        explain(cgroup, false);
    } else {
        status = run_child(run_trial, &trial, SECONDS, NULL, 0, &length);
        if (WIFSIGNALED(status))
            errno = ETIMEDOUT;
        if (!WIFEXITED(status))
            explain(cgroup, true);
    }
    close(trial.fd);
    remove_trial(cgroup, name);
    return status == 0;
}

/*
 * Replaces ours there by new ones, or removes them; tries those that were not
 * tried before; and looks what is in force. If it fails, nothing has changed.
 */
static bool replace(const struct cgroup *cgroup, const int new[PROGRAMS],
                    bool tried, struct programs *programs)
{
    const int old[PROGRAMS] = {programs->own[SETTER], programs->own[GUARD]};

    if (!put_programs(cgroup->fd, new, old))
        return explain(cgroup, false);
    if ((tried || passes_trial(cgroup, BELOW, none)) &&
        find_programs(cgroup, programs))
        return true;
    if (!put_programs(cgroup->fd, old, new) && errno != ENOENT)
        complain("%s: what was there could not be put back", cgroup->path);
    return false;
}

/*
 * Puts values in force, or removes what is there: one command at a time,
 * undisturbed, and completely or not at all. Values are tried before, in a
 * cgroup beside this one or, where none can be made there, afterwards.
 */
static bool make_change(const struct cgroup *cgroup, bool remove,
                        struct programs *programs)
{
    /* Before 5.11 maps and programs counted as locked memory. */
    struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
    bool beside = faccessat(cgroup->fd, "../cgroup.procs", W_OK, 0) == 0;
    struct lock lock;
    int new[PROGRAMS] = {ABSENT, ABSENT};
    bool done;

    if (!take_lock(&lock, "/run/keepalive.lock"))
        return false;
    setrlimit(RLIMIT_MEMLOCK, &unlimited);
    /* Ours are found last: runs that do not share the lock go on meanwhile. */
    done = (remove || (has_room(cgroup) && load_programs(cgroup, new) &&
                       (!beside || passes_trial(cgroup, BESIDE, new)))) &&
           find_programs(cgroup, programs);
    do /* several are removed, if those who put them there did not wait */
        done = done && replace(cgroup, new, remove || beside, programs);
    while (done && remove &&
           (programs->own[SETTER] >= 0 || programs->own[GUARD] >= 0));
    remove_trial(cgroup, BELOW); /* that of a run that was killed */
    if (beside)
        remove_trial(cgroup, BESIDE);
    release_lock(&lock);
    return done;
}

int switch_cgroup(const struct request *request)
{
    struct cgroup cgroup = {.wanted = request->wanted};
    bool asked = is_wanted(&request->wanted);
    bool off = cgroup.wanted.values[KEEPALIVE_SWITCH] == 0;
    bool remove = off && !cgroup.wanted.force;
    bool quiet = request->given['q'] != NULL;
    struct programs programs = {.count = 0};
    int status = 0;

    if (off) /* with force it exempts, and refuses nothing */
        cgroup.wanted.force = false;
    if (!find_cgroup(&cgroup, request->given['G']) || !is_capable() ||
        !(asked ? make_change(&cgroup, remove, &programs)
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
    if (asked && !quiet)
        hint_at_new_sockets(cgroup.wanted.values);
    return status;
}
