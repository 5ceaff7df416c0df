/*
 * child.c - something that is done in a child process, within a time limit
 * SPDX-License-Identifier: MIT
 */
#include "child.h"

#include "exit_status.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
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

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Where an answer is stored. */
struct answer {
    char *bytes;
    size_t size;
    size_t length;
};

/* Reads what there is within so many milliseconds. False at the end. */
static bool read_answer(int fd, int milliseconds, struct answer *answer)
{
    struct pollfd end = {fd, POLLIN, 0};
    char bytes[1024];
    ssize_t got;

    if (poll(&end, 1, milliseconds) <= 0)
        return true;
    got = read(fd, bytes, sizeof(bytes));
    if (got <= 0)
        return false;
    if ((size_t)got > answer->size - answer->length)
        got = (ssize_t)(answer->size - answer->length);
    memcpy(answer->bytes + answer->length, bytes, (size_t)got);
    answer->length += (size_t)got;
    return true;
}

/*
 * Waits for the child. What it has started may hold the pipe open for longer,
 * and it may itself close the pipe and go on.
 */
static int wait_for_child(pid_t child, int fd, unsigned seconds,
                          struct answer *answer)
{
    enum { MOMENT = 50, LAST_READS = 64 }; /* milliseconds; a full pipe */
    double end = now() + seconds + 1;      /* the alarm comes first */
    bool open = true;
    int pause = 1;
    int status;
    pid_t ended;

    while ((ended = waitpid(child, &status, WNOHANG)) == 0 && now() < end) {
        if (open) {
            open = read_answer(fd, MOMENT, answer);
        } else {
            poll(NULL, 0, pause);
            pause = pause < MOMENT ? 2 * pause : MOMENT;
        }
    }
    for (int i = 0; open && i < LAST_READS; i++) {
        size_t before = answer->length;

        open = read_answer(fd, 0, answer) && answer->length > before;
    }
    if (ended == 0 && kill(child, SIGKILL) == 0)
        while ((ended = waitpid(child, &status, 0)) < 0 && errno == EINTR)
            ;
    if (ended == child)
        return status;
    errno = ETIMEDOUT;
    return -1;
}

int run_child(child_part *part, const void *argument, unsigned seconds,
              void *answer, size_t size, size_t *length)
{
    struct answer stored = {.bytes = answer, .size = size};
    int ends[2];
    int status = -1;
    pid_t child;

    *length = 0;
    signal(SIGCHLD, SIG_DFL); /* ignored, it would leave nothing to wait for */
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    child = fork();
    if (child == 0)
        start_child(part, argument, seconds, ends[1]);
    close(ends[1]);
    if (child > 0)
        status = wait_for_child(child, ends[0], seconds, &stored);
    close(ends[0]);
    *length = stored.length;
    return status;
}
