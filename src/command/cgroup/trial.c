/*
 * trial.c - a connection that is tried in a cgroup
 * SPDX-License-Identifier: MIT
 */
#include "cgroup/trial.h"

#include "child.h"
#include "proc.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the child is to do. */
struct trial {
    struct cgroup cgroup; /* the trial's, by the path of the one in question */
    const struct wanted *wanted;
};

/* Says why no connection could be tried, from errno. */
static void explain_trial(const struct cgroup *cgroup)
{
    const char *reason =
        errno == EAGAIN       ? "cgroup.max.descendants or cgroup.max.depth "
                                "leave no room for another cgroup"
        : errno == EOPNOTSUPP ? "the cgroup is threaded"
        : errno == EDEADLK    ? "the cgroup is frozen"
        : errno == EBUSY      ? "a process is in " TRIAL_BELOW " there or "
                                "beside it"
        : errno == ENODEV || errno == ENOENT
            ? "the cgroup was removed meanwhile"
            : strerror(errno);

    complain("%s: no connection could be tried there: %s; nothing was changed",
             cgroup->path, reason);
}

/* A network of its own, where no firewall and no other program is. */
static void leave_network(void)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int fd;

    if (unshare(CLONE_NEWNET) < 0)
        return;
    fd = make_socket();
    ioctl(fd, SIOCSIFFLAGS, &request);
    close(fd);
}

/*
 * Makes a connection over loopback; false, with errno. One end has keepalive
 * on by itself, as in a program that only asks for that.
 */
static bool make_connection(int *client, int *accepted)
{
    struct sockaddr_in name = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(name);
    int listener = make_socket();

    *client = make_socket();
    set_value(listener, KEEPALIVE_SWITCH, 1);
    return bind(listener, (struct sockaddr *)&name, size) == 0 &&
           listen(listener, 1) == 0 &&
           getsockname(listener, (struct sockaddr *)&name, &size) == 0 &&
           connect(*client, (struct sockaddr *)&name, size) == 0 &&
           (*accepted = accept(listener, NULL, NULL)) >= 0;
}

/* Has the socket what is wanted? Says so if not. */
static bool has_wanted(const struct trial *trial, int fd)
{
    const char *path = trial->cgroup.path;
    const int *values = trial->wanted->values;

    for (int row = 0; row < KEEPALIVE_OPTIONS; row++) {
        int got = read_value(fd, row);

        if (values[row] == NO_VALUE || got == values[row])
            continue;
        if (values[KEEPALIVE_SWITCH] == 0)
            complain("%s: a test connection there still has keepalive on, "
                     "perhaps because a cgroup above has --force, or values "
                     "that keepalive 1.1 set; nothing was changed",
                     path);
        else if (row == KEEPALIVE_SWITCH)
            complain("%s: a test connection there has no keepalive; this needs "
                     "Linux 6.1, or 5.9 with --force; nothing was changed",
                     path);
        else
            complain("%s: a test connection there has %s=%d, perhaps because a "
                     "cgroup above has --force; nothing was changed",
                     path, keepalive_options[row].variable,
                     got / keepalive_options[row].scale);
        return false;
    }
    return true;
}

/* The child's part: goes into the cgroup, connects, and looks. */
static void run_trial(const void *argument, int answer)
{
    const struct trial *trial = argument;
    bool exempt = trial->wanted->values[KEEPALIVE_SWITCH] == 0;
    int processes =
        openat(trial->cgroup.fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);
    int client;
    int accepted;

    (void)answer;
    if (processes >= 0 && write(processes, "0", 1) == 1) {
        leave_network();
        if (make_connection(&client, &accepted))
            _exit(!has_wanted(trial, client) ||
                  !(exempt || has_wanted(trial, accepted)));
    }
    explain_trial(&trial->cgroup);
    _exit(EXIT_FAILURE);
}

bool remove_trial(const struct cgroup *cgroup, const char *name)
{
    enum { PAUSES = 100, PAUSE = 10000 }; /* microseconds */

    /* A process that was killed is gone only after a while. */
    for (int i = 0; unlinkat(cgroup->fd, name, AT_REMOVEDIR) < 0; i++) {
        if (errno != EBUSY || i == PAUSES)
            return errno == ENOENT;
        usleep(PAUSE);
    }
    return true;
}

/* Makes the cgroup and opens it; -1, with errno: EDEADLK if it is frozen. */
static int make_trial(const struct cgroup *cgroup, const char *name)
{
    int trial = -1;
    char *events = NULL;

    if (remove_trial(cgroup, name) && mkdirat(cgroup->fd, name, 0755) == 0)
        trial = open_below(cgroup->fd, name, O_DIRECTORY);
    if (trial >= 0)
        events = read_below(trial, "cgroup.events");
    /* By one above: no process would go on there. */
    if (events != NULL && find_number(events, "frozen ") == 1) {
        close(trial);
        trial = -1;
        errno = EDEADLK;
    }
    free(events);
    return trial;
}

bool passes_trial(const struct cgroup *cgroup, const char *name,
                  const int programs[PROGRAMS], const struct wanted *wanted)
{
    enum { SECONDS = 10 };
    static const int none[PROGRAMS] = {ABSENT, ABSENT};
    struct trial trial = {*cgroup, wanted};
    int status = -1;
    size_t length;

    trial.cgroup.fd = make_trial(cgroup, name);
    if (trial.cgroup.fd < 0) {
        explain_trial(cgroup);
    } else if (put_programs(&trial.cgroup, programs, none)) {
        status = run_child(run_trial, &trial, SECONDS, NULL, 0, &length);
        if (status > 0 && WIFSIGNALED(status))
            errno = ETIMEDOUT;
        if (status < 0 || WIFSIGNALED(status))
            explain_trial(cgroup);
    }
    close(trial.cgroup.fd);
    remove_trial(cgroup, name);
    return status == 0;
}
