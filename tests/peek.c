/*
 * peek.c - prints the TCP sockets of running processes, as the kernel has them
 * SPDX-License-Identifier: MIT
 *
 *     peek PID...
 *
 * A line for each connected TCP socket: SO_KEEPALIVE, TCP_KEEPCNT,
 * TCP_KEEPIDLE and TCP_KEEPINTVL. The descriptors come from pidfd_getfd(2), so
 * this is not what the program says of itself. A process that is gone, or
 * whose descriptors are closed meanwhile, prints nothing.
 */
#include "sockets.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Debian 11 lacks them. */
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

enum { DESCRIPTORS = 256, ESTABLISHED = 1 };

static void peek(pid_t pid)
{
    int process = (int)syscall(SYS_pidfd_open, pid, 0);

    for (int number = 0; process >= 0 && number < DESCRIPTORS; number++) {
        int fd = (int)syscall(SYS_pidfd_getfd, process, number, 0);
        struct tcp_info info = {0};
        socklen_t size = sizeof(info);

        if (fd < 0)
            continue;
        if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
            info.tcpi_state == ESTABLISHED)
            printf("%d %d %d %d\n", option_of(fd, KEEPALIVE_SWITCH),
                   option_of(fd, KEEPALIVE_COUNT),
                   option_of(fd, KEEPALIVE_IDLE),
                   option_of(fd, KEEPALIVE_INTERVAL));
        close(fd);
    }
    close(process);
}

int main(int argc, char *argv[])
{
    for (int i = 1; i < argc; i++)
        peek(atoi(argv[i]));
    return 0;
}
