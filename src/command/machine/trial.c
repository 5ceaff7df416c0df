/*
 * trial.c - does the library load and work?
 * SPDX-License-Identifier: MIT
 *
 * Programs are started with an environment of a few variables, no input, ten
 * seconds of time and standard error on a pipe: if the library breaks one, it
 * ends with a status other than 0, or its loader complains there.
 */
#include "machine/trial.h"

#include "child.h"
#include "elf.h"
#include "exit_status.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    LIMIT = 10, /* seconds */
    SAID = 1024,
    NOBODY = 65534,
};

/* A program that is started. */
struct trial {
    const char *path;
    char *arguments[4];
    const char *entry; /* its LD_PRELOAD; NULL: none */
    bool nobody;       /* as another user than root */
};

/* Where programs are. */
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

/*
 * Becomes another user, nobody, so that a set-user-ID program gains rights, and
 * what only root may read cannot be read. In a namespace that lacks that user
 * there is nobody to try this for.
 */
static void become_nobody(void)
{
    if (setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
        setresuid(NOBODY, NOBODY, NOBODY) == 0)
        return;
    if (errno == EINVAL)
        _exit(0);
    dprintf(STDERR_FILENO, "cannot become another user: %s\n", strerror(errno));
    _exit(STATUS_FAILED);
}

/* Becomes the program, with standard error on the pipe. */
static void become_program(const void *argument, int standard_error)
{
    const struct trial *trial = argument;
    char preload[PATH_MAX + sizeof("LD_PRELOAD=")];
    char *environment[] = {"PATH=/usr/bin:/usr/sbin:/bin:/sbin", "LC_ALL=C",
                           preload, NULL};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (trial->entry != NULL)
        snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", trial->entry);
    else
        environment[2] = NULL;
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(standard_error, STDERR_FILENO);
    if (trial->nobody)
        become_nobody();
    execve(trial->path, trial->arguments, environment);
    _exit(errno == ENOEXEC ? STATUS_CANNOT_RUN : STATUS_NOT_FOUND);
}

/* Runs a program to its end. Returns the status of waitpid(2), or -1. */
static int run_program(const struct trial *trial, char said[SAID])
{
    size_t length;
    int status =
        run_child(become_program, trial, LIMIT, said, SAID - 1, &length);

    said[length] = '\0';
    return status;
}

/* Does it end well and print nothing on standard error? */
static bool ends_well(const struct trial *trial, char reason[REASON])
{
    char said[SAID];
    int status = run_program(trial, said);

    if (status == 0 && said[0] == '\0')
        return true;
    said[strcspn(said, "\n")] = '\0';
    snprintf(reason, REASON, "%s %s %d%s%s%.900s", trial->path,
             WIFSIGNALED(status) ? "ends by signal" : "has status",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
             trial->nobody ? " for another user than root" : "",
             said[0] != '\0' ? " and says: " : "", said);
    return false;
}

/*
 * Does it fail without the library, too? Some do not know their arguments, or
 * cannot be run here. If the whole machine has the library already, that is a
 * program that says what is wrong, and names neither the loader nor the
 * library.
 */
static bool fails_anyway(const struct trial *trial)
{
    struct trial without = *trial;
    char reason[REASON];
    char said[SAID];
    int status;

    without.entry = NULL;
    if (trial->entry != NULL)
        return !ends_well(&without, reason);
    status = run_program(&without, said);
    return WIFEXITED(status) && WEXITSTATUS(status) != STATUS_NOT_FOUND &&
           said[0] != '\0' && strstr(said, "ld.so") == NULL &&
           strstr(said, "libkeepalive") == NULL;
}

/* Programs that every machine has, with arguments that end them at once. */
static const struct {
    bool privileged; /* only where it is set-user-ID */
    char *arguments[4];
} programs[] = {
    {false, {"true", NULL}},
    {false, {"sh", "-c", ":", NULL}},
    {true, {"su", "--version", NULL}},
    {true, {"mount", "--version", NULL}},
};

/* The loaders of 32-bit programs. Most machines have none. */
static const char *const narrow_loaders[] = {
    "/lib/ld-linux.so.2",
    "/lib/ld-linux-armhf.so.3",
    "/lib/ld-linux.so.3",
};

/* Can the kernel run them? Some are built without. */
static bool has_narrow_loader(void)
{
    for (size_t i = 0; i < sizeof(narrow_loaders) / sizeof(*narrow_loaders);
         i++) {
        struct trial trial = {.path = narrow_loaders[i],
                              .arguments = {"ld.so", "--help", NULL}};
        char said[SAID];
        int status;

        if (access(trial.path, X_OK) < 0)
            continue;
        status = run_program(&trial, said);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != STATUS_CANNOT_RUN)
            return true;
    }
    return false;
}

/* The first dynamic 32-bit program of a directory, not one that is emulated. */
static bool find_narrow_in(const char *directory, unsigned kind,
                           char path[PATH_MAX], char loader[PATH_MAX])
{
    struct dirent *entry;
    DIR *list = opendir(directory);
    bool found = false;

    while (list != NULL && !found && (entry = readdir(list)) != NULL) {
        unsigned its;

        snprintf(path, PATH_MAX, "%s/%s", directory, entry->d_name);
        its = elf_kind(path);
        found = (its & 0xff) == ELFCLASS32 && its != kind &&
                (its >> 16 == EM_386 || its >> 16 == EM_ARM) &&
                elf_loader(path, loader);
    }
    if (list != NULL)
        closedir(list);
    return found;
}

/* A 32-bit program of this machine, where the library is a 64-bit one. It is
 * looked for once. */
bool find_narrow(const struct library *library, const char **path,
                 const char **loader)
{
    static char program[PATH_MAX];
    static char its_loader[PATH_MAX];
    static bool known;
    static bool found;

    if (!known && has_narrow_loader())
        for (int i = 0; i < DIRECTORIES && !found; i++) {
            struct stat status;

            /* On most systems /bin is a link to /usr/bin. */
            if (lstat(directories[i], &status) == 0 && S_ISDIR(status.st_mode))
                found = find_narrow_in(directories[i], library->kind, program,
                                       its_loader);
        }
    known = true;
    *path = program;
    *loader = its_loader;
    return found;
}

/* By the loader alone: nobody knows what the program would do. */
static bool try_narrow(const struct library *library, const char *entry,
                       char reason[REASON])
{
    const char *path;
    const char *loader;
    struct trial trial = {.entry = entry};

    if (!find_narrow(library, &path, &loader))
        return true;
    trial.path = loader;
    trial.arguments[0] = (char *)loader;
    trial.arguments[1] = "--list";
    trial.arguments[2] = (char *)path;
    return ends_well(&trial, reason) || fails_anyway(&trial);
}

/* What the probe says of itself: the files that it has mapped. */
static int run_probe(const char *entry, bool nobody, char said[SAID])
{
    struct trial trial = {.path = "/proc/self/exe",
                          .arguments = {TRIAL_PROBE, NULL},
                          .entry = entry,
                          .nobody = nobody};
    int status = run_program(&trial, said);
    size_t length = strlen(said);

    if (length > 0 && said[length - 1] == '\n')
        said[length - 1] = '\0';
    return status;
}

/* The probe's own line is the last; what the loader says comes before. */
static const char *find_last_line(const char *said)
{
    const char *newline = strrchr(said, '\n');

    return newline == NULL ? said : newline + 1;
}

static bool try_probe(const struct library *library, const char *entry,
                      bool nobody, char reason[REASON])
{
    const char *whose = nobody ? " of another user than root" : "";
    char path[PATH_MAX];
    char said[SAID];
    int status = run_probe(entry, nobody, said);

    if (realpath(library->path, path) == NULL)
        snprintf(path, sizeof(path), "%s", library->path);
    if (status == 0 && (strcmp(said, path) == 0 || (nobody && said[0] == '\0')))
        return true;
    said[strcspn(said, "\n")] = '\0';
    if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
        snprintf(reason, REASON, "a program%s does not start: %s", whose, said);
    else if (strcmp(said, path) != 0)
        snprintf(reason, REASON, "a program%s has loaded, not %s, but: %s",
                 whose, path, said[0] != '\0' ? said : "nothing");
    else
        snprintf(reason, REASON, "the socket of a program%s is not kept alive",
                 whose);
    return false;
}

bool start_programs(const struct library *library, const char *entry,
                    char reason[REASON])
{
    int root = geteuid() == 0;
    char path[PATH_MAX];

    for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++)
        for (int nobody = 0; nobody <= root; nobody++) {
            struct trial trial = {
                .path = path, .entry = entry, .nobody = nobody};

            memcpy(trial.arguments, programs[i].arguments,
                   sizeof(trial.arguments));
            if (find_program(trial.arguments[0], programs[i].privileged,
                             path) &&
                !ends_well(&trial, reason) && !fails_anyway(&trial))
                return false;
        }
    return try_narrow(library, entry, reason) &&
           try_probe(library, entry, false, reason) &&
           (!root || try_probe(library, entry, true, reason));
}

enum answer has_library(char mapped[REASON])
{
    char said[SAID];
    int status = run_probe(NULL, false, said);
    const char *files;

    if (status == -1 || !WIFEXITED(status) || WEXITSTATUS(status) > 1)
        return UNCERTAIN;
    files = find_last_line(said);
    snprintf(mapped, REASON, "%s",
             files[0] != '\0' ? files : "a library that switches keepalive on");
    return files[0] != '\0' || status == 0 ? YES : NO;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text);
    size_t tail = strlen(end);

    return length >= tail && strcmp(text + length - tail, end) == 0;
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
        if (path == NULL || !ends_with(path, "/libkeepalive.so") ||
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
