/*
 * trial.c - does the library load and work, and what would stop it?
 * SPDX-License-Identifier: MIT
 *
 * Programs are started with an environment of a few variables, no input, ten
 * seconds of time and standard error on a pipe: one that the library does not
 * suit ends with a status other than 0, or its loader complains there.
 */
#include "command.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS = 10, SAID = 1024 };

/* Where programs are, for a proof and to look for 32-bit ones. */
static const char *const directories[] = {
    "/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/local/bin",
};

enum { DIRECTORIES = sizeof(directories) / sizeof(*directories) };

/* Finds a program, a set-user-ID one where that is wanted. */
static bool find_program(const char *name, bool privileged, char path[PATH_MAX])
{
    for (int i = 0; i < DIRECTORIES; i++) {
        struct stat status;

        snprintf(path, PATH_MAX, "%s/%s", directories[i], name);
        if (stat(path, &status) == 0 && S_ISREG(status.st_mode) &&
            (!privileged || (status.st_mode & S_ISUID) != 0))
            return true;
    }
    return false;
}

/* Becomes the program, in the child. */
static void become_program(const char *path, char *const arguments[],
                           const char *entry, int standard_error)
{
    char preload[PATH_MAX + sizeof("LD_PRELOAD=")];
    char *environment[] = {"PATH=/usr/bin:/usr/sbin:/bin:/sbin", "LC_ALL=C",
                           preload, NULL};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (entry != NULL)
        snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", entry);
    else
        environment[2] = NULL;
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(standard_error, STDERR_FILENO);
    alarm(SECONDS); /* stays across execve(2), and ends the program */
    execve(path, arguments, environment);
    _exit(STATUS_NOT_FOUND);
}

/* Runs a program to its end. Returns the status of waitpid(2). */
static int run_program(const char *path, char *const arguments[],
                       const char *entry, char said[SAID])
{
    size_t length = 0;
    int ends[2];
    int status = -1;
    pid_t child;

    said[0] = '\0';
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    child = fork();
    if (child == 0)
        become_program(path, arguments, entry, ends[1]);
    close(ends[1]);
    while (child > 0) {
        char rest[SAID];
        ssize_t got = read(ends[0], rest, sizeof(rest));

        if (got <= 0)
            break;
        if (length + (size_t)got < SAID) {
            memcpy(said + length, rest, (size_t)got);
            length += (size_t)got;
            said[length] = '\0';
        }
    }
    close(ends[0]);
    if (child > 0 && waitpid(child, &status, 0) != child)
        status = -1;
    return status;
}

/* Does it end well and without a word? */
static bool ends_well(const char *path, char *const arguments[],
                      const char *entry, char reason[REASON])
{
    char said[SAID];
    int status = run_program(path, arguments, entry, said);

    if (status == 0 && said[0] == '\0')
        return true;
    said[strcspn(said, "\n")] = '\0';
    snprintf(reason, REASON, "%s %s %d%s%.900s", path,
             WIFSIGNALED(status) ? "ends by signal" : "has status",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
             said[0] != '\0' ? " and says: " : "", said);
    return false;
}

/*
 * Does it not end well without the library either? Some do not know their
 * arguments. Where the whole machine has it already, a program that says what
 * is wrong, and does not name the loader or the library, is such a one.
 */
static bool fails_anyway(const char *path, char *const arguments[],
                         const char *entry)
{
    char reason[REASON];
    char said[SAID];
    int status;

    if (entry != NULL)
        return !ends_well(path, arguments, NULL, reason);
    status = run_program(path, arguments, NULL, said);
    return WIFEXITED(status) && WEXITSTATUS(status) != STATUS_NOT_FOUND &&
           said[0] != '\0' && strstr(said, "ld.so") == NULL &&
           strstr(said, "libkeepalive") == NULL;
}

/* Programs that every machine has, and what they do in no time. */
static const struct {
    bool privileged; /* only where it is set-user-ID */
    char *arguments[4];
} proofs[] = {
    {false, {"true", NULL}},
    {false, {"sh", "-c", ":", NULL}},
    {true, {"su", "--version", NULL}},
    {true, {"mount", "--version", NULL}},
};

/* A dynamic 32-bit program, where the library is a 64-bit one; not one of a
 * machine that is only emulated. */
static bool find_narrow(const struct library *library, char path[PATH_MAX],
                        char loader[PATH_MAX])
{
    for (int i = 0; i < DIRECTORIES; i++) {
        struct stat status;
        DIR *directory;
        struct dirent *entry;
        bool found = false;

        /* On most systems /bin is a link to /usr/bin. */
        if (lstat(directories[i], &status) < 0 || !S_ISDIR(status.st_mode))
            continue;
        directory = opendir(directories[i]);
        while (directory != NULL && !found &&
               (entry = readdir(directory)) != NULL) {
            unsigned kind;

            snprintf(path, PATH_MAX, "%s/%s", directories[i], entry->d_name);
            kind = elf_kind(path);
            found = (kind & 0xff) == ELFCLASS32 && kind != library->kind &&
                    (kind >> 16 == EM_386 || kind >> 16 == EM_ARM) &&
                    elf_loader(path, loader);
        }
        if (directory != NULL)
            closedir(directory);
        if (found)
            return true;
    }
    return false;
}

/* The loader alone: who knows what the program would do. */
static bool prove_narrow(const struct library *library, const char *entry,
                         char reason[REASON])
{
    char path[PATH_MAX];
    char loader[PATH_MAX];
    char *arguments[] = {loader, "--list", path, NULL};

    return !find_narrow(library, path, loader) ||
           ends_well(loader, arguments, entry, reason);
}

/* What the probe says of itself. */
static bool prove_probe(const struct library *library, const char *entry,
                        char reason[REASON])
{
    char *arguments[] = {TRIAL_PROBE, NULL};
    char path[PATH_MAX];
    char said[SAID];
    int status = run_program("/proc/self/exe", arguments, entry, said);

    said[strcspn(said, "\n")] = '\0';
    if (realpath(library->path, path) == NULL)
        snprintf(path, sizeof(path), "%s", library->path);
    if (status == 0 && strcmp(said, path) == 0)
        return true;
    if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
        snprintf(reason, REASON, "a program does not start: %s", said);
    else if (strcmp(said, path) != 0)
        snprintf(reason, REASON, "a program has loaded, not %s, but: %s", path,
                 said[0] != '\0' ? said : "nothing");
    else
        snprintf(reason, REASON, "the socket of a program is not kept alive");
    return false;
}

bool start_programs(const struct library *library, const char *entry,
                    char reason[REASON])
{
    char path[PATH_MAX];

    for (size_t i = 0; i < sizeof(proofs) / sizeof(*proofs); i++)
        if (find_program(proofs[i].arguments[0], proofs[i].privileged, path) &&
            !ends_well(path, proofs[i].arguments, entry, reason) &&
            !fails_anyway(path, proofs[i].arguments, entry))
            return false;
    return prove_narrow(library, entry, reason) &&
           prove_probe(library, entry, reason);
}

/* Prints the files of that name that are mapped here, on one line. */
static void print_mapped(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char last[PATH_MAX] = "";
    char line[PATH_MAX + 128];

    while (maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
        char *path = strchr(line, '/');

        line[strcspn(line, "\n")] = '\0';
        if (path == NULL || strstr(path, "/libkeepalive.so") == NULL ||
            strcmp(path, last) == 0)
            continue;
        fprintf(stderr, "%s%s", last[0] != '\0' ? " " : "", path);
        snprintf(last, sizeof(last), "%s", path);
    }
    fputc('\n', stderr);
    if (maps != NULL)
        fclose(maps);
}

int run_trial_probe(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int value = 0;
    socklen_t size = sizeof(value);

    print_mapped();
    return getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &size) == 0 &&
                   value == 1
               ? 0
               : 1;
}

static bool check_file(const struct library *library, char reason[REASON])
{
    if (library->fault == NULL)
        return true;
    snprintf(reason, REASON, "%s: %s", library->path, library->fault);
    return false;
}

/* A file or directory that somebody else may change is everybody's. */
static bool check_way(char path[PATH_MAX], char reason[REASON])
{
    mode_t needed = S_IROTH; /* of a directory on the way S_IXOTH */

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

/* The way as it is written, and the way where its links lead. */
static bool check_owner(const char *file, char reason[REASON])
{
    char written[PATH_MAX];
    char path[PATH_MAX];

    snprintf(written, sizeof(written), "%s", file);
    if (realpath(file, path) == NULL) {
        snprintf(reason, REASON, "%s: %s", file, strerror(errno));
        return false;
    }
    return check_way(written, reason) && check_way(path, reason);
}

static bool check_owners(const struct library *library, char reason[REASON])
{
    return check_owner(library->path, reason) &&
           (library->twin[0] == '\0' || check_owner(library->twin, reason));
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
    char path[PATH_MAX];
    char loader[PATH_MAX];

    if (library->twin[0] != '\0' || !find_narrow(library, path, loader))
        return true;
    snprintf(reason, REASON,
             "%s is a 32-bit program, and there is no library for it", path);
    return false;
}

const struct check checks[] = {
    {"file", check_file},
    {"owner and mode", check_owners},
    {"mount", check_mount},
    {"AppArmor", check_apparmor},
    {"32-bit programs", check_narrow},
};
const int check_count = sizeof(checks) / sizeof(*checks);
