/*
 * lock.c - one run at a time, which no signal ends halfway
 * SPDX-License-Identifier: MIT
 */
#include "lock.h"

#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SECONDS_AT_MOST = 30 };

/* Tries once. False, with errno: EWOULDBLOCK if another run has it. */
static bool try_lock(struct lock *lock)
{
    struct stat mine = {.st_mode = 0};
    struct stat there;
    int error = EWOULDBLOCK;

    /* NFS locks no file that is open for reading only, see flock(2). */
    lock->fd =
        open(lock->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (lock->fd < 0)
        return false;
    if (fstat(lock->fd, &mine) == 0 &&
        (mine.st_uid != geteuid() || (mine.st_mode & 077) != 0))
        error = unlink(lock->path) == 0 || errno == ENOENT ? error : errno;
    else if (flock(lock->fd, LOCK_EX | LOCK_NB) < 0)
        error = errno;
    /* The run that had it has removed it. */
    else if (lstat(lock->path, &there) == 0 && mine.st_ino == there.st_ino &&
             mine.st_dev == there.st_dev)
        return true;
    close(lock->fd);
    errno = error;
    return false;
}

bool take_lock(struct lock *lock, const char *path)
{
    const struct timespec pause = {0, 100000000};
    struct timespec now;
    time_t end;
    sigset_t all;

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &lock->before);
    lock->path = path;
    clock_gettime(CLOCK_MONOTONIC, &now);
    end = now.tv_sec + SECONDS_AT_MOST;
    while (!try_lock(lock)) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (errno == EWOULDBLOCK && now.tv_sec < end) {
            ppoll(NULL, 0, &pause, &lock->before);
            continue;
        }
        if (errno == EWOULDBLOCK)
            complain("another run has held %s for %d seconds; nothing was "
                     "changed",
                     path, SECONDS_AT_MOST);
        else
            complain("%s: %s", path, strerror(errno));
        sigprocmask(SIG_SETMASK, &lock->before, NULL);
        return false;
    }
    return true;
}

void release_lock(const struct lock *lock)
{
    unlink(lock->path);
    close(lock->fd);
    sigprocmask(SIG_SETMASK, &lock->before, NULL);
}
