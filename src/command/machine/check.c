/*
 * check.c - what would stop the library from serving the whole machine
 * SPDX-License-Identifier: MIT
 */
#include "machine/check.h"

#include <endian.h>
#include <errno.h>
#include <glob.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

static const char *check_file(const struct machine *machine)
{
    return machine->library.fault == NULL
               ? NULL
               : sentence("%s: %s", machine->library.path,
                          machine->library.fault);
}

/*
 * Does an access control list deny a user or a group what others may do? See
 * acl(5); the layout is that of <linux/posix_acl_xattr.h>, which musl's
 * compilers do not find. The mask is the group's part of the mode.
 */
static bool is_denied_by_acl(const char *path, unsigned needed)
{
    enum { USER = 0x02, GROUP_OBJ = 0x04, GROUP = 0x08 };
    static struct {
        uint32_t version;
        struct {
            uint16_t tag, permissions;
            uint32_t id;
        } entries[8191]; /* XATTR_SIZE_MAX bytes in all */
    } list;
    ssize_t size =
        getxattr(path, "system.posix_acl_access", &list, sizeof(list));
    ssize_t count = (size - 4) / 8;

    for (int i = 0; i < count; i++)
        if ((le16toh(list.entries[i].tag) & (USER | GROUP_OBJ | GROUP)) != 0 &&
            (le16toh(list.entries[i].permissions) & needed) == 0)
            return true;
    return false;
}

/*
 * What is wrong with one file or directory of a path, or NULL: only root may
 * change it, and everybody may read it, or search the directory. The mode of a
 * link says nothing.
 */
static const char *find_path_fault(const char *name, const struct stat *status)
{
    bool directory = S_ISDIR(status->st_mode);
    mode_t needed = directory ? S_IXOTH : S_IROTH;

    if (status->st_uid != 0)
        return "does not belong to root";
    if (S_ISLNK(status->st_mode))
        return NULL;
    /* In a sticky directory only the owner may rename and remove. */
    if ((status->st_mode & (S_IWGRP | S_IWOTH)) != 0 &&
        !(directory && (status->st_mode & S_ISVTX) != 0))
        return "can be written by users other than root";
    /* Whoever belongs to the group has its permissions, not those of others. */
    if ((status->st_mode & status->st_mode >> 3 & needed) == 0)
        return "is not accessible to all users";
    if (is_denied_by_acl(name, needed))
        return "is not accessible to all users, see getfacl(1)";
    return NULL;
}

/*
 * Checks a path, all directories above it, and in the same way what each link
 * leads to: whoever owns one link of a chain decides where it ends.
 */
static const char *check_owner(const char *name)
{
    char path[PATH_MAX];
    char target[PATH_MAX];
    char next[2 * PATH_MAX];
    struct stat status;
    char *slash;

    /* Not so where links lead in a circle. */
    if (stat(name, &status) < 0)
        return sentence("%s: %s", name, strerror(errno));
    snprintf(path, sizeof(path), "%s", name);
    do {
        const char *here = path[0] != '\0' ? path : "/";
        const char *fault = lstat(here, &status) < 0
                                ? strerror(errno)
                                : find_path_fault(here, &status);
        ssize_t length = readlink(here, target, sizeof(target) - 1);

        if (fault != NULL)
            return sentence("%s %s", here, fault);
        slash = strrchr(path, '/');
        if (slash != NULL)
            *slash = '\0';
        if (length > 0) {
            target[length] = '\0';
            snprintf(next, sizeof(next), "%s/%s", path, target);
            fault = check_owner(target[0] == '/' ? target : next);
            if (fault != NULL)
                return fault;
        }
    } while (slash != NULL);
    return NULL;
}

static const char *check_owners(const struct machine *machine)
{
    const char *reason = check_owner(machine->library.path);

    return reason != NULL || machine->library.twin[0] == '\0'
               ? reason
               : check_owner(machine->library.twin);
}

/* Programs of users who cannot read it start without the library. */
static const char *check_preload_file(const struct machine *machine)
{
    return machine->file.text != NULL ? check_owner(PRELOAD_FILE) : NULL;
}

/*
 * Another copy of the library, or an entry that cannot be loaded: then every
 * program prints a line. glibc's loader: "ERROR: ld.so: object 'PATH' from
 * /etc/ld.so.preload cannot be preloaded (REASON): ignored."
 */
static const char *check_others(const struct machine *machine)
{
    const struct library *library = &machine->library;
    const char *object = machine->probe.said;
    size_t length;
    const char *other =
        find_word(&machine->file, library, library_is_other, &length);

    if (other != NULL)
        return sentence("%s names another copy of the library: %.*s",
                        PRELOAD_FILE, (int)length, other);
    while ((object = strstr(object, " object '")) != NULL) {
        object += strlen(" object '");
        if (!library_is(library, object, strcspn(object, "'")))
            return sentence("another entry is broken: '%.*s",
                            (int)strcspn(object, "\n"), object);
    }
    return NULL;
}

static const char *check_mount(const struct machine *machine)
{
    struct statvfs mount;

    return statvfs(machine->library.path, &mount) < 0 ||
                   (mount.f_flag & ST_NOEXEC) == 0
               ? NULL
               : sentence("%s is on a file system mounted noexec",
                          machine->library.path);
}

/* Does a file have a line, not a comment of a shell or of systemd, with both
 * texts in it? */
static bool has_line(const char *path, const char *text, const char *other)
{
    FILE *file = fopen(path, "re");
    char line[PATH_MAX];
    bool found = false;

    while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL)
        found = strchr("#;", line[0]) == NULL && strstr(line, text) != NULL &&
                strstr(line, other) != NULL;
    if (file != NULL)
        fclose(file);
    return found;
}

#define PROFILES "/sys/kernel/security/apparmor/profiles"

/* The profiles' abstractions/base admits libraries below these. */
static const char *check_apparmor(const struct machine *machine)
{
    return strncmp(machine->library.path, "/usr/lib", 8) == 0 ||
                   strncmp(machine->library.path, "/lib", 4) == 0 ||
                   !has_line(PROFILES, "(enforce)", "")
               ? NULL
               : sentence("%s is out of reach for the programs that AppArmor "
                          "confines; install it below /usr/lib",
                          machine->library.path);
}

static const char *check_narrow(const struct machine *machine)
{
    return machine->narrow == NULL || machine->library.twin[0] != '\0'
               ? NULL
               : sentence("%s is a 32-bit program, and there is no library for "
                          "it",
                          machine->narrow);
}

/* Its seccomp filter kills it at setsockopt(SO_KEEPALIVE) if it uses NTS. */
static const char *note_chronyd(const struct machine *machine)
{
    static const char *const places[] = {
        "/etc/systemd/system/chrony*.service",
        "/etc/systemd/system/chrony*.service.d/*.conf",
        "/usr/local/lib/systemd/system/chrony*.service.d/*.conf",
        "/usr/lib/systemd/system/chrony*.service.d/*.conf",
        "/lib/systemd/system/chrony*.service.d/*.conf",
        "/etc/default/chrony*",
        "/etc/sysconfig/chrony*",
    };
    char path[PATH_MAX];
    glob_t files = {0};
    bool exempt = !find_installed("chronyd", false, path);

    (void)machine;
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
        glob(places[i], i > 0 ? GLOB_APPEND : 0, NULL, &files);
    for (size_t i = 0; i < files.gl_pathc && !exempt; i++)
        exempt = has_line(files.gl_pathv[i], "KEEPALIVE=off", "");
    globfree(&files);
    return exempt ? NULL
                  : sentence("%s is killed by its own seccomp filter when it "
                             "uses NTS, unless its unit has "
                             "Environment=KEEPALIVE=off",
                             path);
}

/* The profile of snap-confine lists the libraries that it may load. */
static const char *note_snaps(const struct machine *machine)
{
    (void)machine;
    return has_line(PROFILES, "(enforce)", "snap-confine")
               ? "AppArmor keeps snap-confine from the library: snaps run "
                 "without it, and each prints that it cannot be preloaded"
               : NULL;
}

static const char *check_start(const struct machine *machine)
{
    bool there = has_entry(&machine->file, &machine->library);

    return start_programs(machine, there ? NULL : machine->library.entry);
}

const struct check checks[] = {
    {"file", check_file, false},
    {"owner and mode", check_owners, false},
    {PRELOAD_FILE, check_preload_file, false},
    {"other entries", check_others, false},
    {"mount", check_mount, false},
    {"AppArmor", check_apparmor, false},
    {"32-bit programs", check_narrow, false},
    {"chronyd", note_chronyd, true},
    {"snaps", note_snaps, true},
    {"programs start with it", check_start, false},
};
const int check_count = sizeof(checks) / sizeof(*checks);
