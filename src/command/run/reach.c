/*
 * reach.c - will the command have what it is to have?
 * SPDX-License-Identifier: MIT
 *
 * Looks at files only, and starts nothing. When in doubt it says nothing: a
 * program that cannot be read, or a script that cannot be followed, is taken
 * for one that the loader can help.
 */
#include "run/reach.h"

#include "elf.h"
#include "machine/preload_file.h"
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

/*
 * Do the file's capabilities (security.capability, struct vfs_cap_data in
 * <linux/capability.h>) give any right? See cap_bprm_creds_from_file() in the
 * kernel's security/commoncap.c; sets that are empty, or inheritable, do not.
 */
static bool gives_capabilities(int fd)
{
    enum { EFFECTIVE = 1 };
    struct {
        unsigned char flags[4];
        uint32_t sets[2][2]; /* permitted and inheritable, low and high */
    } data = {{0}, {{0}}};

    return fgetxattr(fd, "security.capability", &data, sizeof(data)) > 0 &&
           ((data.flags[0] & EFFECTIVE) != 0 || data.sets[0][0] != 0 ||
            data.sets[1][0] != 0);
}

/* Will the kernel set AT_SECURE? See "Secure-execution mode" in ld.so(8). */
static bool is_privileged(int fd, const struct stat *status)
{
    struct statvfs mount;
    bool sets_user =
        (status->st_mode & S_ISUID) != 0 && status->st_uid != getuid();
    bool sets_group =
        (status->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
        status->st_gid != getgid();

    return (sets_user || sets_group ||
            (getuid() != 0 && gives_capabilities(fd))) &&
           fstatvfs(fd, &mount) == 0 && (mount.f_flag & ST_NOSUID) == 0 &&
           !keeps_rights(status);
}

/* The loader itself is static, and what it starts need not be. */
static bool is_loader(const char *path)
{
    const char *name = base_name(path);

    return strncmp(name, "ld", 2) == 0 && strstr(name, ".so") != NULL;
}

/* What a command is to have, and how far it was followed. */
struct walk {
    const struct library *library;
    bool off;                     /* KEEPALIVE=off, else the library */
    bool values;                  /* and values of options */
    bool preloaded;               /* /etc/ld.so.preload names the library */
    char *const *command;         /* NULL: it ends here */
    struct words script, strings; /* on the way */
    char path[PATH_MAX];
};

/*
 * What comes of it if the environment is lost on the way, or NULL if nothing
 * does: with --off where /etc/ld.so.preload does not name the library, and
 * without values where it does.
 */
static const char *judge_loss(const struct walk *walk, bool preloaded)
{
    if (walk->off)
        return preloaded ? "keepalive stays on, by --global" : NULL;
    if (!preloaded)
        return "this has no effect";
    return walk->values ? "keepalive is on, by --global, without these values"
                        : NULL;
}

/* Why a program has not what it is to have; NULL if nothing is known. */
static const char *judge_elf(const struct walk *walk, int fd,
                             const struct stat *status)
{
    unsigned kind = elf_kind_of(fd);
    char loader[PATH_MAX];

    if (judge_loss(walk, walk->preloaded) != NULL && is_privileged(fd, status))
        return walk->preloaded
                   ? "runs with more rights than yours (set-user-ID or file "
                     "capabilities) and ignores its caller's environment"
                   : "runs with more rights than yours (set-user-ID or file "
                     "capabilities), where LD_PRELOAD is ignored, but not "
                     "--global";
    if (walk->off)
        return NULL;
    if (kind != walk->library->kind && kind != walk->library->twin_kind)
        return "is built for another word size or architecture than the "
               "library";
    if (is_go_program(fd))
        return "is written in Go, which makes its system calls past the "
               "library (dynamic programs that it starts are in reach)";
    if (!elf_loader_of(fd, loader) && !is_loader(walk->path))
        return "is statically linked, out of the library's reach (dynamic "
               "programs that it starts are not)";
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

/* Is one of the words the command that this is? It looks for itself. */
static bool runs_keepalive(char *const *command)
{
    for (; *command != NULL; command++)
        if (is_named(*command, "keepalive"))
            return true;
    return false;
}

/* Goes on to what a launcher runs. False, with a line, if the environment that
 * matters does not get there. */
static bool pass_launcher(struct walk *walk, const struct launcher *launcher)
{
    struct variable variable = {"LD_PRELOAD", "libkeepalive.so"};
    const char *loss =
        judge_loss(walk, walk->preloaded && !launcher->elsewhere);
    char printable[PRINTABLE];
    bool clean;

    if (walk->off)
        variable = (struct variable){"KEEPALIVE", "off"};
    else if (walk->preloaded)
        variable.name = "";
    walk->command = follow_launcher(launcher, walk->command, &variable,
                                    &walk->strings, &clean);
    if (!clean || loss == NULL)
        return true;
    warnx("%s %s, so %s; %s", make_printable(printable, walk->path),
          launcher->deed == NULL ? "cleans the environment" : launcher->deed,
          loss,
          launcher->instead == NULL
              ? "let it run keepalive, as in 'sudo keepalive ... COMMAND'"
              : launcher->instead);
    return false;
}

/* Looks at a command, and goes on to the one that it runs, if any. False, with
 * a line, at an obstacle. */
static bool take_step(struct walk *walk, int fd, const struct stat *status)
{
    const struct launcher *launcher = find_launcher(*walk->command, walk->path);
    bool is_elf = elf_kind_of(fd) != 0;
    const char *reason;
    char printable[PRINTABLE];

    if (launcher != NULL && (is_elf || launcher->deed != NULL)) {
        if (runs_keepalive(walk->command + 1)) {
            walk->command = NULL;
            return true;
        }
        if (!pass_launcher(walk, launcher))
            return false;
    } else {
        /* execvp(3) has sh run a file that is neither. */
        walk->command = !is_elf && read_script(fd, &walk->script)
                            ? walk->script.list
                            : NULL;
    }
    reason = is_elf ? judge_elf(walk, fd, status) : NULL;
    if (reason != NULL)
        warnx("%s %s; set its sockets with 'keepalive -p PID', or its "
              "cgroup's with 'keepalive --cgroup'",
              make_printable(printable, walk->path), reason);
    return reason == NULL;
}

bool check_reach(char *const command[], const struct library *library,
                 const struct wanted *wanted)
{
    static struct walk walk; /* 13 KB, cleared by the loader */
    bool passed = true;

    walk.library = library;
    walk.off = wanted->values[KEEPALIVE_SWITCH] == 0;
    walk.values = wanted->force;
    walk.preloaded = is_preloaded(library);
    walk.command = command;
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++)
        if (i != KEEPALIVE_SWITCH && wanted->values[i] != NO_VALUE)
            walk.values = true;
    for (int i = 0; i < SCRIPTS && walk.command != NULL && passed; i++) {
        struct stat status;
        int fd = open_program(*walk.command, walk.path, &status);

        if (fd < 0)
            break;
        passed = take_step(&walk, fd, &status);
        close(fd);
    }
    return passed;
}
