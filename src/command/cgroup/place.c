/*
 * place.c - where a cgroup is
 * SPDX-License-Identifier: MIT
 */
#include "cgroup/place.h"

#include "proc.h"
#include "text.h"

#include <err.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Is the directory of this file system? */
static bool is_of(const char *path, long magic)
{
    struct stat status;
    struct statfs system;

    return stat(path, &status) == 0 && S_ISDIR(status.st_mode) &&
           statfs(path, &system) == 0 && (long)system.f_type == magic;
}

bool is_cgroup(const char *path)
{
    return is_of(path, CGROUP2_SUPER_MAGIC);
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

/*
 * The cgroup of this process, see cgroups(7). systemd runs what comes before a
 * service that has Delegate= in a cgroup of its own below the service's.
 */
static bool find_own(const char *mount, char path[PATH_MAX])
{
    static const char control[] = "/.control";
    char *text = read_below(AT_FDCWD, "/proc/self/cgroup");
    char *line = text == NULL || strncmp(text, "0::", 3) == 0
                     ? text
                     : strstr(text, "\n0::");
    char below[PATH_MAX];
    char file[PATH_MAX + sizeof("/cgroup.type")];
    size_t length;
    bool done = false;

    if (line != NULL) {
        line = strstr(line, "::") + strlen("::");
        line[strcspn(line, "\n")] = '\0';
        length = strlen(line);
        if (length >= strlen(control) &&
            strcmp(line + length - strlen(control), control) == 0)
            line[length - strlen(control)] = '\0';
        done = snprintf(below, PATH_MAX, "%s%s", mount, line) < PATH_MAX &&
               strstr(line, "/..") == NULL && realpath(below, path) != NULL &&
               is_cgroup(path);
    }
    free(text);
    if (!done) {
        warnx("self: the cgroup of this process is not below the mount of "
              "cgroup version 2");
        return false;
    }
    /* Only the root has no such file. */
    snprintf(file, sizeof(file), "%s/cgroup.type", path);
    if (access(file, F_OK) == 0)
        return true;
    warnx("self: this process is in the root cgroup, the whole machine; give "
          "the mount point if you mean that");
    return false;
}

bool find_cgroup(const char *name, char path[PATH_MAX])
{
    char printable[PRINTABLE];
    char its[PRINTABLE];
    char mount[PATH_MAX] = "";
    char below[PATH_MAX];
    bool mounted = find_mount(mount);
    size_t length = strlen(mount);

    if (mounted && strcmp(name, "self") == 0)
        return find_own(mount, path);
    if (realpath(name, path) != NULL && is_cgroup(path))
        return true;
    /* Below, not the mount itself: "" or "." must not be the whole machine. */
    if (mounted && snprintf(below, PATH_MAX, "%s/%s", mount, name) < PATH_MAX &&
        realpath(below, path) != NULL && is_cgroup(path) &&
        strncmp(path, mount, length) == 0 && path[length] == '/')
        return true;
    make_printable(printable, name);
    make_printable(its, mount);
    if (is_of(name, CGROUP_SUPER_MAGIC))
        warnx("%s: a cgroup of version 1; this needs version 2%s%s", printable,
              mounted ? ", which is mounted at " : "", its);
    else if (mounted)
        warnx("'%s' is not a cgroup of version 2, and there is none of that "
              "name below %s",
              printable, its);
    else
        warnx("%s: no cgroup of version 2 is mounted here", printable);
    return false;
}
