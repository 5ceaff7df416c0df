/*
 * trial.c - a connection that is tried in a cgroup
 * SPDX-License-Identifier: MIT
 */
#include "cgroup/trial.h"

#include "syscall.h"
#include "text.h"
#include "values.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the trial found, as the child tells it. */
struct trial {
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

/* A socket that has its values from the cgroup alone: this command may itself
 * be running with the library. */
static int plain_socket(void)
{
    return (int)keepalive_socket_call(KEEPALIVE_SOCKET, AF_INET, SOCK_STREAM, 0,
                                      0, 0);
}

/* Makes a connection over loopback; false, with errno. */
static bool connect_trial(struct trial *trial)
{
    struct sockaddr_in name = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(name);
    int listener = plain_socket();
    int client = plain_socket();
    int accepted;

    if (bind(listener, (struct sockaddr *)&name, size) < 0 ||
        listen(listener, 1) < 0 ||
        getsockname(listener, (struct sockaddr *)&name, &size) < 0 ||
        connect(client, (struct sockaddr *)&name, size) < 0 ||
        (accepted = accept(listener, NULL, NULL)) < 0)
        return false;
    read_values(client, trial->values[0]);
    read_values(accepted, trial->values[1]);
    return true;
}

/* The child's part: goes into the cgroup, connects, tells, and ends. */
static void run_trial(int cgroup, int report)
{
    struct trial trial = {.error = 0};
    int processes = openat(cgroup, TRIAL "/cgroup.procs", O_WRONLY | O_CLOEXEC);
    bool done;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    done = processes >= 0 && write(processes, "0", 1) == 1;
    if (done) {
        leave_network();
        done = connect_trial(&trial);
    }
    if (!done)
        trial.error = errno;
    _exit(write(report, &trial, sizeof(trial)) != sizeof(trial));
}

/*
 * Makes a connection in a cgroup below this one that is gone at the end, so
 * that no process here is touched. One that was left over is used again.
 */
static void make_trial(int cgroup, struct trial *trial)
{
    enum { PATIENCE = 10000, PAUSE = 1000 }; /* milli- and microseconds */
    struct pollfd answer = {.events = POLLIN};
    int pipe_ends[2] = {-1, -1};
    pid_t child;

    trial->error = ETIMEDOUT;
    if ((mkdirat(cgroup, TRIAL, 0755) < 0 && errno != EEXIST) ||
        pipe2(pipe_ends, O_CLOEXEC) < 0 || (child = fork()) < 0) {
        trial->error = errno;
    } else {
        if (child == 0)
            run_trial(cgroup, pipe_ends[1]);
        close(pipe_ends[1]);
        answer.fd = pipe_ends[0];
        if (poll(&answer, 1, PATIENCE) == 1 &&
            read(answer.fd, trial, sizeof(*trial)) != sizeof(*trial))
            trial->error = ECHILD;
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        close(pipe_ends[0]);
    }
    for (int i = 0; i < PATIENCE && unlinkat(cgroup, TRIAL, AT_REMOVEDIR) < 0 &&
                    errno == EBUSY;
         i++)
        usleep(PAUSE);
}

/* The row of a value that one of the two ends does not have; -1: both do. */
static int find_difference(const struct trial *trial,
                           const struct keepalive_value *wanted, int *got)
{
    int row = 0;

    while (keepalive_options[row].level != wanted->level ||
           keepalive_options[row].option != wanted->option)
        row++;
    for (int end = 0; end < 2; end++)
        if (trial->values[end][row] != wanted->value) {
            *got = trial->values[end][row];
            return row;
        }
    return -1;
}

bool passes_trial(const char *path, int cgroup, const struct keepalive *wanted)
{
    struct trial trial = {.error = 0};
    char printable[PRINTABLE];

    make_trial(cgroup, &trial);
    if (trial.error != 0) {
        warnx("%s: no connection could be tried there: %s; nothing was changed",
              make_printable(printable, path), strerror(trial.error));
        return false;
    }
    for (int i = 0; i < wanted->count; i++) {
        int got;
        int row = find_difference(&trial, &wanted->values[i], &got);

        if (row == KEEPALIVE_SWITCH)
            warnx("%s: a connection that was tried there has no keepalive; it "
                  "takes Linux 6.1, or 5.9 with --force; nothing was changed",
                  make_printable(printable, path));
        else if (row >= 0)
            warnx("%s: a connection that was tried there has %s=%d, perhaps by "
                  "--force for a cgroup above; nothing was changed",
                  make_printable(printable, path),
                  keepalive_options[row].variable,
                  got / keepalive_options[row].scale);
        if (row >= 0)
            return false;
    }
    return true;
}
