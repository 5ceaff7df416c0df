/*
 * trial.c - a connection that is tried in a cgroup
 * SPDX-License-Identifier: MIT
 */
#include "cgroup/trial.h"

#include "child.h"
#include "proc.h"
#include "text.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the child found. */
struct finding {
    int error; /* errno; 0: the connection was made */
    int values[2][KEEPALIVE_OPTIONS];
};

/* A network of its own, where no firewall and no other program is. */
static void leave_network(void)
{
    struct ifreq request = {.ifr_name = "lo"};
    int fd;

    if (unshare(CLONE_NEWNET) < 0)
        return;
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    request.ifr_flags = IFF_UP;
    ioctl(fd, SIOCSIFFLAGS, &request);
    close(fd);
}

/*
 * Makes a connection over loopback; false, with errno. One end has keepalive
 * on by itself, as in a program that only asks for that.
 */
static bool try_connection(struct finding *finding)
{
    struct sockaddr_in name = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(name);
    int listener = make_socket();
    int client = make_socket();
    int accepted;

    set_value(listener, KEEPALIVE_SWITCH, 1);
    if (bind(listener, (struct sockaddr *)&name, size) < 0 ||
        listen(listener, 1) < 0 ||
        getsockname(listener, (struct sockaddr *)&name, &size) < 0 ||
        connect(client, (struct sockaddr *)&name, size) < 0 ||
        (accepted = accept(listener, NULL, NULL)) < 0)
        return false;
    read_values(client, finding->values[0]);
    read_values(accepted, finding->values[1]);
    return true;
}

/* The child's part: goes into the cgroup, connects, tells, and ends. */
static void run_trial(const void *cgroup, int answer)
{
    struct finding finding = {.error = 0};
    int processes =
        openat(*(const int *)cgroup, "cgroup.procs", O_WRONLY | O_CLOEXEC);
    bool done = processes >= 0 && write(processes, "0", 1) == 1;

    if (done) {
        leave_network();
        done = try_connection(&finding);
    }
    if (!done)
        finding.error = errno;
    _exit(write(answer, &finding, sizeof(finding)) != sizeof(finding));
}

/* Is the cgroup frozen, itself or by one above? No process goes on there. */
static bool is_frozen(int cgroup)
{
    char *events = read_below(cgroup, "cgroup.events");
    bool frozen = events != NULL && find_number(events, "frozen ") == 1;

    free(events);
    return frozen;
}

/* Makes the connection; false, with errno. */
static bool make_finding(int cgroup, struct finding *finding)
{
    enum { SECONDS = 10 };
    size_t length;

    if (is_frozen(cgroup)) {
        errno = EDEADLK;
        return false;
    }
    if (run_child(run_trial, &cgroup, SECONDS, finding, sizeof(*finding),
                  &length) < 0)
        return false;
    errno = length == sizeof(*finding) ? finding->error : ETIMEDOUT;
    return errno == 0;
}

bool remove_trial(int parent)
{
    enum { PAUSES = 100, PAUSE = 10000 }; /* microseconds */

    /* A process that was killed is gone only after a while. */
    for (int i = 0; i < PAUSES; i++) {
        if (unlinkat(parent, TRIAL, AT_REMOVEDIR) == 0 || errno == ENOENT)
            return true;
        if (errno != EBUSY)
            break;
        usleep(PAUSE);
    }
    return false;
}

/* Says why no connection could be tried, from errno. */
static void explain_trial(const char *path)
{
    int error = errno;
    const char *reason =
        error == EAGAIN       ? "cgroup.max.descendants or cgroup.max.depth "
                                "leave no room for another cgroup"
        : error == EOPNOTSUPP ? "the cgroup is threaded"
        : error == EDEADLK    ? "the cgroup is frozen"
        : error == EBUSY      ? "a process is in " TRIAL " there or beside it"
        : error == ENODEV || error == ENOENT
            ? "the cgroup was removed meanwhile"
            : strerror(error);
    char printable[PRINTABLE];

    warnx("%s: no connection could be tried there: %s; nothing was changed",
          make_printable(printable, path), reason);
}

/* Has a connection what is wanted? Says so if not. */
static bool check_finding(const char *path, const struct finding *finding,
                          const struct wanted *wanted)
{
    bool exempt = wanted->values[KEEPALIVE_SWITCH] == 0;
    char printable[PRINTABLE];

    make_printable(printable, path);
    for (int row = 0; row < KEEPALIVE_OPTIONS; row++) {
        int value = wanted->values[row];
        int got = finding->values[0][row];

        if (got == value && !exempt)
            got = finding->values[1][row];
        if (value == NO_VALUE || got == value)
            continue;
        if (exempt)
            warnx(
                "%s: a test connection there still has keepalive on, perhaps "
                "because a cgroup above has --force, or values that keepalive "
                "1.1 set; nothing was changed",
                printable);
        else if (row == KEEPALIVE_SWITCH)
            warnx("%s: a test connection there has no keepalive; this needs "
                  "Linux 6.1, or 5.9 with --force; nothing was changed",
                  printable);
        else
            warnx("%s: a test connection there has %s=%d, perhaps because a "
                  "cgroup above has --force; nothing was changed",
                  printable, keepalive_options[row].variable,
                  got / keepalive_options[row].scale);
        return false;
    }
    return true;
}

int open_trial(const char *path, int parent)
{
    int cgroup = -1;

    if (remove_trial(parent) && mkdirat(parent, TRIAL, 0755) == 0)
        cgroup = open_below(parent, TRIAL, O_DIRECTORY);
    if (cgroup < 0)
        explain_trial(path);
    return cgroup;
}

bool passes_trial(const char *path, int cgroup, const struct wanted *wanted)
{
    struct finding finding = {.error = 0};

    if (make_finding(cgroup, &finding))
        return check_finding(path, &finding, wanted);
    explain_trial(path);
    return false;
}
