/*
 * main.c - the command keepalive: reads its command line and does as it says
 * SPDX-License-Identifier: MIT
 *
 *     run/      runs a command with the library
 *     sockets/  shows and sets the sockets of running processes: -p, -a
 *     machine/  switches the whole machine: --global
 *     cgroup/   every program of a cgroup: --cgroup
 *
 * What they stand on, and what uses nothing of them, lies beside this file:
 * flags, values, text, proc, child, lock, elf, and locate for the library.
 */
#include "cgroup/switch.h"
#include "flags.h"
#include "machine/switch.h"
#include "machine/trial.h"
#include "run/launch.h"
#include "sockets/show.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int answer_request(const struct request *request)
{
    switch (request->mode) {
    case RUN:
        return run_command(request);
    case SOCKETS:
        return show_sockets(request);
    case MACHINE:
        return switch_machine(request);
    case CGROUP:
#ifdef KEEPALIVE_CGROUP
        return switch_cgroup(request);
#else
        complain(
            "--cgroup was left out of this build, whose kernel headers are "
            "older than Linux 5.6 or missing");
#endif
    }
    return STATUS_FAILED;
}

int main(int argc, char *argv[])
{
    struct request request;
    int status = 0;

    if (argc == 1 && strcmp(argv[0], TRIAL_PROBE) == 0)
        return be_probe();
    if (argc == 0 || !read_request(&request, argc, argv))
        return STATUS_FAILED;
    if (request.given['h'] != NULL)
        print_help();
    else if (request.given['V'] != NULL)
        puts("keepalive " KEEPALIVE_VERSION);
    else
        status = answer_request(&request);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        complain("standard output: %s", strerror(errno));
        return STATUS_FAILED;
    }
    return status;
}
