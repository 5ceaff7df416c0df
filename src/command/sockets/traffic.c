/*
 * traffic.c - the traffic class of the sockets that are fetched
 * SPDX-License-Identifier: MIT
 *
 * A socket that is fetched gets the class of the process that fetches it, by
 * its groups of net_cls and net_prio (cgroup v1), see pidfd_getfd(2). So the
 * groups of its own process are joined before.
 */
#include "sockets/traffic.h"

#include "proc.h"

#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The lines of net_cls and net_prio in a file such as /proc/PID/cgroup, which
 * are "ID:CONTROLLERS:PATH". The caller frees them; NULL: they cannot be read.
 */
static char *read_groups(int directory, const char *name)
{
    char *text = read_below(directory, name);
    char *rest = text;
    char *end = text;
    char *line;

    while ((line = strsep(&rest, "\n")) != NULL) {
        char controllers[64] = "";
        size_t length = strlen(line);

        sscanf(line, "%*d:%63[^:]", controllers);
        if (strstr(controllers, "net_cls") == NULL &&
            strstr(controllers, "net_prio") == NULL)
            continue;
        memmove(end, line, length);
        end += length;
        *end++ = '\n';
    }
    if (text != NULL)
        *end = '\0';
    return text;
}

/* Joins the group in such a line, where its hierarchy is mounted. */
static void join_group(char *line)
{
    FILE *mounts = setmntent("/proc/self/mounts", "re");
    const char *group = strchr(line, '/');
    const struct mntent *entry;
    const char *controller;

    strsep(&line, ":");
    controller = strsep(&line, ",:");
    while (mounts != NULL && group != NULL &&
           (entry = getmntent(mounts)) != NULL) {
        char path[2 * PATH_MAX];
        int fd;

        if (strcmp(entry->mnt_type, "cgroup") != 0 ||
            hasmntopt(entry, controller) == NULL)
            continue;
        snprintf(path, sizeof(path), "%s%s/cgroup.procs", entry->mnt_dir,
                 group);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd >= 0) {
            (void)!write(fd, "0", 1); /* the caller sees whether it is so */
            close(fd);
        }
    }
    if (mounts != NULL)
        endmntent(mounts);
}

bool join_groups(int directory)
{
    static char *ours;
    bool same = false;

    for (int i = 0; i < 2 && !same; i++) {
        char *theirs;
        char *rest;
        char *line;

        if (ours == NULL)
            ours = read_groups(AT_FDCWD, "/proc/self/cgroup");
        if (ours == NULL || *ours == '\0')
            return true;
        rest = theirs = read_groups(directory, "../cgroup");
        same = theirs != NULL && strcmp(ours, theirs) == 0;
        while (!same && i == 0 && (line = strsep(&rest, "\n")) != NULL)
            join_group(line);
        if (!same) { /* to be read again */
            free(ours);
            ours = NULL;
        }
        free(theirs);
    }
    return same;
}
