/*
 * reach.c - can the loader help this program?
 * SPDX-License-Identifier: MIT
 *
 * Looks at files only, and starts nothing. When in doubt it says nothing: a
 * program that cannot be read, or a script that cannot be followed, is taken
 * for one that the loader can help.
 */
#include "run/reach.h"

#include "elf.h"
#include "run/launchers.h"
#include "text.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { SCRIPTS = 5 }; /* interpreters that are scripts again, see execve(2) */

#define OUTSIDE                                                                \
    "set its sockets with 'keepalive -p PID', or its cgroup's with "           \
    "'keepalive --cgroup'"
#define SYSTEM "sysctl net.ipv4.tcp_keepalive_time if it asks for keepalive"

/* Does the kernel give no more rights: by no_new_privs, or in a user namespace
 * that does not know the owner? See execve(2). */
static bool keeps_rights(const struct stat *status)
{
    enum { OVERFLOW_ID = 65534 }; /* of one that has no number here */
    unsigned first = 0;
    unsigned outside = 0;
    unsigned count = 0;
    FILE *map;

    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
        return true;
    if (status->st_uid != OVERFLOW_ID)
        return false;
    map = fopen("/proc/self/uid_map", "re");
    if (map == NULL)
        return false;
    /* a cast is no conversion that can fail here: the kernel wrote it */
    if (fscanf(map, "%u %u %u", &first, &outside, &count) != 3) /* NOLINT */
        count = UINT32_MAX;
    fclose(map);
    return count != UINT32_MAX;
}

/* Will the kernel set AT_SECURE? See "Secure-execution mode" in ld.so(8). */
static bool is_privileged(int fd, const struct stat *status)
{
    struct statvfs mount;

    if (fstatvfs(fd, &mount) < 0 || (mount.f_flag & ST_NOSUID) != 0 ||
        keeps_rights(status))
        return false;
    if ((status->st_mode & S_ISUID) != 0 && status->st_uid != getuid())
        return true;
    if ((status->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
        status->st_gid != getgid())
        return true;
    return getuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0;
}

/* The loader itself is static, and what it starts need not be. */
static bool is_loader(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;

    return strncmp(name, "ld", 2) == 0 && strstr(name, ".so") != NULL;
}

static const char *judge_elf(int fd, const char *path,
                             const struct stat *status,
                             const struct library *library)
{
    unsigned kind = elf_kind_of(fd);
    char loader[PATH_MAX];
    struct elf elf;

    if (kind != library->kind && kind != library->twin_kind)
        return "is of another class (32-bit, 64-bit) or machine than the "
               "library; " OUTSIDE ", or use " SYSTEM;
    if (!read_elf_header(fd, &elf))
        return NULL;
    if (is_go_program(fd, &elf))
        return "is written in Go, which makes its system calls past the "
               "library (dynamic programs that it starts are in "
               "reach); " OUTSIDE;
    if (!find_elf_loader(fd, &elf, loader) && !is_loader(path))
        return "is statically linked, out of the library's reach (dynamic "
               "programs that it starts are not); " OUTSIDE;
    if (is_privileged(fd, status))
        return "runs with more rights than yours (set-user-ID or file "
               "capabilities), where LD_PRELOAD is ignored; " OUTSIDE
               " as root, or see 'keepalive --global'";
    return NULL;
}

/* Opens the file of a command; -1 where it cannot be looked into. */
static int open_program(const char *name, char path[PATH_MAX],
                        struct stat *status)
{
    int fd;

    if (!find_in_path(name, path))
        return -1;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && (fstat(fd, status) < 0 || !S_ISREG(status->st_mode))) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Is one of the words the command that this is? It sets the variables anew. */
static bool runs_keepalive(char *const *command)
{
    for (; *command != NULL; command++)
        if (is_named(*command, "keepalive"))
            return true;
    return false;
}

bool program_obstacle(char text[OBSTACLE], char *const command[],
                      const struct library *library)
{
    char *const *program = command;
    struct words script;
    struct words strings;
    char path[PATH_MAX];

    for (int i = 0; i < SCRIPTS && command != NULL; i++) {
        const char *reason = NULL;
        const struct launcher *launcher;
        struct stat status;
        bool clean = false;
        int fd = open_program(command[0], path, &status);

        if (fd < 0)
            return false;
        launcher = find_launcher(path);
        if (elf_kind_of(fd) != 0) {
            command = launcher == NULL ? NULL
                                       : follow_launcher(launcher, command,
                                                         &strings, &clean);
            if (clean && runs_keepalive(program))
                command = NULL;
            else if (clean)
                reason = "removes LD_PRELOAD from the environment, so this has "
                         "no effect; let it run keepalive, as in "
                         "'sudo keepalive ... COMMAND'";
            else
                reason = judge_elf(fd, path, &status, library);
        } else if (read_script(fd, &script)) {
            command = script.list;
        } else {
            reason = "is neither an ELF file nor a script with #!, so that "
                     "the library may have no effect; look with "
                     "'keepalive -p PID'";
        }
        close(fd);
        if (reason != NULL) {
            snprintf(text, OBSTACLE, "%s %s", path, reason);
            return true;
        }
    }
    return false;
}

/* What is wrong with a file that is there but cannot be started. */
static const char *find_fault(const char *path, int error,
                              char detail[PATH_MAX])
{
    struct words script;
    struct elf elf;
    int fd;

    detail[0] = '\0';
    if (error == EACCES && access(path, X_OK) < 0)
        return "the file has no execute permission";
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return NULL;
    if (elf_kind_of(fd) != 0) {
        if (read_elf_header(fd, &elf))
            find_elf_loader(fd, &elf, detail);
    } else if (read_script(fd, &script)) {
        snprintf(detail, PATH_MAX, "%s", script.list[0]);
    }
    close(fd);
    if (detail[0] == '\0' || access(detail, X_OK) == 0)
        return NULL;
    return detail[strlen(detail) - 1] == '\r'
               ? "a carriage return follows its interpreter (dos2unix helps):"
               : "its interpreter cannot be run:";
}

void warn_not_started(const char *name, int error)
{
    char path[PATH_MAX];
    char detail[PATH_MAX];
    struct stat status;
    char printable[PRINTABLE];
    const char *fault = NULL;

    if ((error == ENOENT || error == EACCES) &&
        (strchr(name, '/') != NULL || find_in_path(name, path))) {
        if (strchr(name, '/') != NULL)
            snprintf(path, sizeof(path), "%s", name);
        if (stat(path, &status) == 0 && S_ISREG(status.st_mode))
            fault = find_fault(path, error, detail);
    }
    if (fault == NULL)
        warnx("%s: %s", make_printable(printable, name), strerror(error));
    else
        warnx("%s: %s%s%s", name, fault, detail[0] != '\0' ? " " : "",
              make_printable(printable, detail));
}
