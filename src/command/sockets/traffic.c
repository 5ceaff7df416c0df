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
    char *kept = text == NULL ? NULL : calloc(1, strlen(text) + 2);
    char *end = kept;
    char *rest = NULL;

    for (char *line = kept == NULL ? NULL : strtok_r(text, "\n", &rest);
         line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        const char *path = strchr(line, ':');

        path = path == NULL ? NULL : strchr(path + 1, ':');
        if (path != NULL &&
            (memmem(line, (size_t)(path - line), "net_cls", 7) != NULL ||
             memmem(line, (size_t)(path - line), "net_prio", 8) != NULL))
            end = stpcpy(stpcpy(end, line), "\n");
    }
    free(text);
    return kept;
}

/* Joins the group in such a line, where its hierarchy is mounted. */
static void join_group(char *line)
{
    FILE *mounts = setmntent("/proc/self/mounts", "re");
    char *rest = NULL;
    const struct mntent *entry;
    const char *controller;
    const char *group;

    strtok_r(line, ":", &rest);
    controller = strtok_r(NULL, ",:", &rest);
    group = strchr(rest, '/');
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
    char *theirs;
    char *lines;
    char *rest = NULL;
    bool same;

    if (ours == NULL)
        ours = read_groups(AT_FDCWD, "/proc/self/cgroup");
    if (ours == NULL || *ours == '\0')
        return true;
    theirs = read_groups(directory, "cgroup");
    same = theirs != NULL && strcmp(ours, theirs) == 0;
    if (theirs != NULL && !same) {
        lines = strdup(theirs);
        for (char *line = lines == NULL ? NULL : strtok_r(lines, "\n", &rest);
             line != NULL; line = strtok_r(NULL, "\n", &rest))
            join_group(line);
        free(lines);
        free(ours);
        ours = read_groups(AT_FDCWD, "/proc/self/cgroup");
        same = ours != NULL && strcmp(ours, theirs) == 0;
    }
    free(theirs);
    return same;
}
