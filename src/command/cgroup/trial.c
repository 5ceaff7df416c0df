/*
 * trial.c - a connection that is tried in a cgroup
 * SPDX-License-Identifier: MIT
 */
#include "cgroup/trial.h"

#include "child.h"
#include "syscall.h"
#include "text.h"
#include "values.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
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
static void run_trial(const void *cgroup, int answer)
{
    struct trial trial = {.error = 0};
    int processes = openat(*(const int *)cgroup, TRIAL "/cgroup.procs",
                           O_WRONLY | O_CLOEXEC);
    bool done;

    done = processes >= 0 && write(processes, "0", 1) == 1;
    if (done) {
        leave_network();
        done = connect_trial(&trial);
    }
    if (!done)
        trial.error = errno;
    _exit(write(answer, &trial, sizeof(trial)) != sizeof(trial));
}

/*
 * Makes a connection in a cgroup below this one that is gone at the end, so
 * that no process here is touched. One that was left over is used again.
 */
static void make_trial(int cgroup, struct trial *trial)
{
    enum { SECONDS = 10, PAUSES = 1000, PAUSE = 10000 }; /* microseconds */
    size_t length;

    if ((mkdirat(cgroup, TRIAL, 0755) < 0 && errno != EEXIST) ||
        run_child(run_trial, &cgroup, SECONDS, trial, sizeof(*trial), &length) <
            0)
        trial->error = errno;
    else if (length != sizeof(*trial))
        trial->error = ETIMEDOUT;
    for (int i = 0; i < PAUSES && unlinkat(cgroup, TRIAL, AT_REMOVEDIR) < 0 &&
                    errno == EBUSY;
         i++)
        usleep(PAUSE);
}

/* Does one of the two ends lack a value? Stores what it has. */
static bool lacks(const struct trial *trial, int row, int wanted, int *got)
{
    for (int end = 0; end < 2; end++)
        if (trial->values[end][row] != wanted) {
            *got = trial->values[end][row];
            return true;
        }
    return false;
}

bool passes_trial(const char *path, int cgroup, const struct wanted *wanted)
{
    struct trial trial = {.error = 0};
    char printable[PRINTABLE];

    make_trial(cgroup, &trial);
    if (trial.error != 0) {
        warnx("%s: no connection could be tried there: %s; nothing was changed",
              make_printable(printable, path), strerror(trial.error));
        return false;
    }
    for (int row = 0; row < KEEPALIVE_OPTIONS; row++) {
        int got;

        if (wanted->values[row] == NO_VALUE ||
            !lacks(&trial, row, wanted->values[row], &got))
            continue;
        if (row == KEEPALIVE_SWITCH)
            warnx("%s: a connection that was tried there has no keepalive; it "
                  "takes Linux 6.1, or 5.9 with --force; nothing was changed",
                  make_printable(printable, path));
        else
            warnx("%s: a connection that was tried there has %s=%d, perhaps by "
                  "--force for a cgroup above; nothing was changed",
                  make_printable(printable, path),
                  keepalive_options[row].variable,
                  got / keepalive_options[row].scale);
        return false;
    }
    return true;
}
