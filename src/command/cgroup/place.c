/*
 * place.c - where a cgroup is
 * SPDX-License-Identifier: MIT
 */
#include "cgroup/place.h"

#include "text.h"

#include <err.h>
#include <limits.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

long kind_of(const char *path)
{
    struct stat status;
    struct statfs system;

    if (stat(path, &status) < 0 || !S_ISDIR(status.st_mode) ||
        statfs(path, &system) < 0)
        return 0;
    return (long)system.f_type;
}

/* Finds where cgroup2 is mounted; false where it is not. */
static bool find_mount(char mount[PATH_MAX])
{
    FILE *mounts = setmntent("/proc/self/mounts", "r");
    const struct mntent *entry;
    bool found = false;

    while (!found && mounts != NULL && (entry = getmntent(mounts)) != NULL)
        if (strcmp(entry->mnt_type, "cgroup2") == 0) {
            snprintf(mount, PATH_MAX, "%s", entry->mnt_dir);
            found = true;
        }
    if (mounts != NULL)
        endmntent(mounts);
    return found;
}

bool find_cgroup(const char *name, char path[PATH_MAX])
{
    char printable[PRINTABLE];
    char mount[PATH_MAX];
    char below[PATH_MAX];
    bool mounted = find_mount(mount);
    size_t length = mounted ? strlen(mount) : 0;

    if (realpath(name, path) != NULL && kind_of(path) == CGROUP_V2)
        return true;
    /* Below, not the mount itself: "" or "." must not be the whole machine. */
    if (mounted && snprintf(below, PATH_MAX, "%s/%s", mount, name) < PATH_MAX &&
        realpath(below, path) != NULL && kind_of(path) == CGROUP_V2 &&
        strncmp(path, mount, length) == 0 && path[length] == '/')
        return true;
    if (kind_of(name) == CGROUP_V1)
        warnx("%s: a cgroup of version 1; this takes version 2%s%s",
              make_printable(printable, name),
              mounted ? ", which is mounted at " : "", mounted ? mount : "");
    else if (mounted)
        warnx("'%s' is not a cgroup of version 2, and there is none of that "
              "name below %s",
              make_printable(printable, name), mount);
    else
        warnx("%s: no cgroup of version 2 is mounted here",
              make_printable(printable, name));
    return false;
}
