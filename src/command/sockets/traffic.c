/*
 * traffic.c - the traffic class of the sockets that are fetched
 * SPDX-License-Identifier: MIT
 */
#include "sockets/traffic.h"

#include "proc.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * The groups of cgroup v1 by which traffic is classed: a socket that is fetched
 * gets the class of the one who fetches it, see pidfd_getfd(2). So the
 * process's groups are joined before.
 */
struct traffic_group {
    char controllers[64];
    char path[PATH_MAX];
};

/* The lines of net_cls and net_prio. Returns their number, at most two. */
static int read_groups(int directory, const char *name,
                       struct traffic_group groups[2])
{
    int fd = open_below(directory, name, 0);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    char line[PATH_MAX + 128];
    int count = 0;

    while (file != NULL && count < 2 &&
           fgets(line, sizeof(line), file) != NULL) {
        char *controllers = strchr(line, ':');
        char *path = controllers == NULL ? NULL : strchr(controllers + 1, ':');

        if (path == NULL || (strstr(controllers, "net_cls") == NULL &&
                             strstr(controllers, "net_prio") == NULL))
            continue;
        *path++ = '\0';
        path[strcspn(path, "\n")] = '\0';
        snprintf(groups[count].controllers, sizeof(groups->controllers), "%s",
                 controllers + 1);
        snprintf(groups[count].path, sizeof(groups->path), "%s", path);
        count++;
    }
    if (file != NULL)
        fclose(file);
    return count;
}

/* Joins a group of this hierarchy. False if it cannot be found or joined. */
static bool join_group(const struct traffic_group *group)
{
    FILE *mounts = fopen("/proc/self/mounts", "re");
    char line[PATH_MAX];
    char path[2 * PATH_MAX];
    bool done = false;

    while (mounts != NULL && !done &&
           fgets(line, sizeof(line), mounts) != NULL) {
        char *rest = line;
        const char *place;
        const char *type;
        const char *options;
        int fd;

        strtok_r(line, " ", &rest);
        place = strtok_r(NULL, " ", &rest);
        type = strtok_r(NULL, " ", &rest);
        options = strtok_r(NULL, " ", &rest);
        if (place == NULL || type == NULL || options == NULL ||
            strcmp(type, "cgroup") != 0 ||
            strstr(options, group->controllers) == NULL)
            continue;
        snprintf(path, sizeof(path), "%s%s/cgroup.procs", place, group->path);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        done = fd >= 0 && write(fd, "0", 1) == 1;
        if (fd >= 0)
            close(fd);
    }
    if (mounts != NULL)
        fclose(mounts);
    return done;
}

/* Makes our traffic groups those of the process. */
bool join_groups(int directory)
{
    static struct traffic_group ours[2];
    static int our_count = -1;
    struct traffic_group theirs[2];
    int count;

    if (our_count < 0)
        our_count = read_groups(AT_FDCWD, "/proc/self/cgroup", ours);
    if (our_count == 0)
        return true;
    count = read_groups(directory, "cgroup", theirs);
    for (int i = 0; i < count && i < our_count; i++) {
        if (strcmp(ours[i].path, theirs[i].path) == 0)
            continue;
        if (!join_group(&theirs[i]))
            return false;
        ours[i] = theirs[i];
    }
    return true;
}
