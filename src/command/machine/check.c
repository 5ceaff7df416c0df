/*
 * check.c - what would stop the library from serving the whole machine
 * SPDX-License-Identifier: MIT
 */
#include "machine/check.h"

#include "machine/preload_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static bool check_file(const struct library *library, char reason[REASON])
{
    if (library->fault == NULL)
        return true;
    snprintf(reason, REASON, "%s: %s", library->path, library->fault);
    return false;
}

/* Can only root change the file and the directories above it, and can everybody
 * read them? */
static bool check_path(char path[PATH_MAX], char reason[REASON])
{
    mode_t needed = S_IROTH; /* for the directories above: S_IXOTH */

    for (;;) {
        struct stat status;
        char *slash = strrchr(path, '/');
        const char *name = path[0] != '\0' ? path : "/";
        bool link;

        if (lstat(name, &status) < 0) {
            snprintf(reason, REASON, "%s: %s", name, strerror(errno));
            return false;
        }
        link = S_ISLNK(status.st_mode); /* its mode says nothing */
        if (status.st_uid != 0)
            snprintf(reason, REASON, "%s does not belong to root", name);
        else if (!link && (status.st_mode & (S_IWGRP | S_IWOTH)) != 0 &&
                 (status.st_mode & S_ISVTX) == 0)
            snprintf(reason, REASON, "%s can be written by others than root",
                     name);
        else if (!link && (status.st_mode & needed) == 0)
            snprintf(reason, REASON, "%s cannot be reached by everybody", name);
        else if (slash == NULL)
            return true;
        else {
            *slash = '\0';
            needed = S_IXOTH;
            continue;
        }
        return false;
    }
}

/* Checks the path as it is written, and the one that its links lead to. */
static bool check_owner(const char *file, char reason[REASON])
{
    char written[PATH_MAX];
    char path[PATH_MAX];

    snprintf(written, sizeof(written), "%s", file);
    if (realpath(file, path) == NULL) {
        snprintf(reason, REASON, "%s: %s", file, strerror(errno));
        return false;
    }
    return check_path(written, reason) && check_path(path, reason);
}

static bool check_owners(const struct library *library, char reason[REASON])
{
    return check_owner(library->path, reason) &&
           (library->twin[0] == '\0' || check_owner(library->twin, reason));
}

/* Programs of users who cannot read it start without the library. */
static bool check_preload_file(const struct library *library,
                               char reason[REASON])
{
    (void)library;
    return access(PRELOAD_FILE, F_OK) < 0 || check_owner(PRELOAD_FILE, reason);
}

static bool check_mount(const struct library *library, char reason[REASON])
{
    struct statvfs mount;

    if (statvfs(library->path, &mount) < 0 || (mount.f_flag & ST_NOEXEC) == 0)
        return true;
    snprintf(reason, REASON, "%s is on a file system mounted noexec",
             library->path);
    return false;
}

/* The profiles' abstractions/base admits libraries below these. */
static bool check_apparmor(const struct library *library, char reason[REASON])
{
    FILE *profiles = fopen("/sys/kernel/security/apparmor/profiles", "re");
    char line[PATH_MAX];
    bool confined = false;

    while (profiles != NULL && fgets(line, sizeof(line), profiles) != NULL)
        confined = confined || strstr(line, "(enforce)") != NULL;
    if (profiles != NULL)
        fclose(profiles);
    if (!confined || strncmp(library->path, "/usr/lib", 8) == 0 ||
        strncmp(library->path, "/lib", 4) == 0)
        return true;
    snprintf(reason, REASON,
             "%s is out of reach for the programs that AppArmor confines; "
             "install it below /usr/lib",
             library->path);
    return false;
}

static bool check_narrow(const struct library *library, char reason[REASON])
{
    const char *path;
    const char *loader;

    if (library->twin[0] != '\0' || !find_narrow(library, &path, &loader))
        return true;
    snprintf(reason, REASON,
             "%s is a 32-bit program, and there is no library for it", path);
    return false;
}

const struct check checks[] = {
    {"file", check_file},
    {"owner and mode", check_owners},
    {PRELOAD_FILE, check_preload_file},
    {"mount", check_mount},
    {"AppArmor", check_apparmor},
    {"32-bit programs", check_narrow},
};
const int check_count = sizeof(checks) / sizeof(*checks);
