/*
 * child.c - something that is done in a child process, within a time limit
 * SPDX-License-Identifier: MIT
 */
#include "child.h"

#include "flags.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* The child's part, with signals as a program expects them. */
static void start_child(child_part *part, const void *argument,
                        unsigned seconds, int answer)
{
    sigset_t none;

    for (int i = 1; i < NSIG; i++)
        signal(i, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(seconds); /* stays across execve(2) */
    part(argument, answer);
    _exit(STATUS_FAILED);
}

/* Waits for the child, and kills it a second after its alarm. */
static int wait_for_child(pid_t child, unsigned seconds)
{
    enum { MOMENT = 50 }; /* milliseconds */
    int left = (int)(seconds + 1) * 1000;
    int pause = 1;
    int status;
    pid_t ended;

    while ((ended = waitpid(child, &status, WNOHANG)) == 0 && left > 0) {
        poll(NULL, 0, pause);
        left -= pause;
        pause = pause < MOMENT ? 2 * pause : MOMENT;
    }
    if (ended == 0 && kill(child, SIGKILL) == 0)
        ended = waitpid(child, &status, 0);
    if (ended == child)
        return status;
    errno = ETIMEDOUT;
    return -1;
}

int run_child(child_part *part, const void *argument, unsigned seconds,
              void *answer, size_t size, size_t *length)
{
    int ends[2];
    int status = -1;
    ssize_t got = 0;
    pid_t child;

    *length = 0;
    signal(SIGCHLD, SIG_DFL); /* ignored, it would leave nothing to wait for */
    /* Nobody waits for the pipe: what the child has started may hold it. */
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return -1;
    child = fork();
    if (child == 0)
        start_child(part, argument, seconds, ends[1]);
    if (child > 0) {
        status = wait_for_child(child, seconds);
        got = status == -1 ? 0 : read(ends[0], answer, size);
    }
    close(ends[0]);
    close(ends[1]);
    if (got > 0)
        *length = (size_t)got;
    return status;
}
