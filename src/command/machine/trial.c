/*
 * trial.c - does the library load and work?
 * SPDX-License-Identifier: MIT
 *
 * Programs are started with an environment of a few variables, no input, ten
 * seconds of time and standard error on a pipe: if the library breaks one, it
 * ends with a status other than 0, or its loader complains there. The probe has
 * a pipe of its own to answer on, since any library may write to standard
 * error.
 */
#include "machine/trial.h"

#include "child.h"
#include "elf.h"
#include "exit_status.h"
#include "text.h"

#include <dirent.h>
#include <elf.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS_EACH = 10, SAID = 1024, NOBODY = 65534 };

/* A program that is started. */
struct program {
    const char *path;
    const char *arguments[4];
    const char *preload; /* its LD_PRELOAD; NULL: none */
    bool nobody;         /* as another user than root */
    int answer;          /* the probe's pipe; 0: none */
};

/* Where programs are. */
static const char *const directories[] = {
    "/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/local/bin",
};

enum { DIRECTORIES = sizeof(directories) / sizeof(*directories) };

const char *sentence(const char *format, ...)
{
    static char text[3 * PATH_MAX];
    va_list arguments;

    va_start(arguments, format);
    /* clang-tidy 14 does not see that va_start() initializes */
    vsnprintf(text, sizeof(text), format, arguments); /* NOLINT */
    va_end(arguments);
    return text;
}

bool find_installed(const char *name, bool set_user_id, char path[PATH_MAX])
{
    for (int i = 0; i < DIRECTORIES; i++) {
        struct stat status;

        snprintf(path, PATH_MAX, "%s/%s", directories[i], name);
        if (stat(path, &status) == 0 && S_ISREG(status.st_mode) &&
            (!set_user_id || (status.st_mode & S_ISUID) != 0))
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
    const struct program *program = argument;
    char preload[PATH_MAX + sizeof("LD_PRELOAD=")];
    char *environment[] = {"PATH=/usr/bin:/usr/sbin:/bin:/sbin", "LC_ALL=C",
                           preload, NULL};
    int null[2];

    if (program->preload != NULL)
        snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", program->preload);
    else
        environment[2] = NULL;
    null[0] = null[1] = open("/dev/null", O_RDWR | O_CLOEXEC);
    /* A root without it: a pipe that nobody reads. */
    if (null[0] < 0 && pipe2(null, O_CLOEXEC | O_NONBLOCK) < 0)
        _exit(STATUS_FAILED);
    dup2(null[0], STDIN_FILENO);
    dup2(null[1], STDOUT_FILENO);
    dup2(standard_error, STDERR_FILENO);
    if (program->answer > 0)
        fcntl(program->answer, F_SETFD, 0);
    if (program->nobody)
        become_nobody();
    execve(program->path, (char *const *)program->arguments, environment);
    _exit(errno == ENOEXEC ? STATUS_CANNOT_RUN : STATUS_NOT_FOUND);
}

/* Runs a program to its end. Returns the status of waitpid(2), or -1. */
static int run_program(const struct program *program, char said[SAID])
{
    size_t length;
    int status = run_child(become_program, program, SECONDS_EACH, said,
                           SAID - 1, &length);

    said[length] = '\0';
    return status;
}

/* How a program ended, with the first line that it printed. */
static const char *describe_end(const struct program *program, int status,
                                char said[SAID])
{
    char printable[PRINTABLE];
    bool killed = WIFSIGNALED(status);

    if (status == -1)
        return sentence("no program can be started: %s", strerror(errno));
    said[strcspn(said, "\n")] = '\0';
    return sentence("with the library %s%s %s %d%s%s", program->path,
                    program->nobody ? ", run by a user other than root," : "",
                    killed ? "is killed by signal" : "exits with status",
                    killed ? WTERMSIG(status) : WEXITSTATUS(status),
                    said[0] != '\0' ? " and prints: " : "",
                    make_printable(printable, said));
}

/*
 * Does it fail without the library, too? Some do not know their arguments, or
 * cannot be run here. If the whole machine has the library already, that is a
 * program that says what is wrong, and names neither the loader nor the
 * library.
 */
static bool fails_anyway(const struct program *program)
{
    struct program without = *program;
    char said[SAID];
    int status;

    without.preload = NULL;
    status = run_program(&without, said);
    if (program->preload != NULL)
        return status != 0 || said[0] != '\0';
    return WIFEXITED(status) && WEXITSTATUS(status) != STATUS_NOT_FOUND &&
           said[0] != '\0' && strstr(said, "ld.so") == NULL &&
           strstr(said, "libkeepalive") == NULL;
}

/* NULL, or a sentence if it does not end well or prints on standard error, and
 * not so without the library. */
static const char *try_program(const struct program *program)
{
    char said[SAID];
    int status = run_program(program, said);

    return (status == 0 && said[0] == '\0') || fails_anyway(program)
               ? NULL
               : describe_end(program, status, said);
}

/* The first dynamic 32-bit program of a directory, not one that is emulated. */
static bool find_narrow_in(const char *directory, unsigned kind,
                           struct narrow *narrow)
{
    struct dirent *entry;
    /* On most systems /bin is a link to /usr/bin. */
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    bool found = false;

    while (list != NULL && !found && (entry = readdir(list)) != NULL) {
        struct elf elf;
        unsigned its;

        snprintf(narrow->path, PATH_MAX, "%s/%s", directory, entry->d_name);
        its = read_elf(narrow->path, NULL);
        found = (its & 0xff) == ELFCLASS32 && its != kind &&
                (its >> 16 == EM_386 || its >> 16 == EM_ARM) &&
                read_elf(narrow->path, &elf) != 0 && elf.loader[0] == '/';
        if (found)
            memcpy(narrow->loader, elf.loader, PATH_MAX);
    }
    if (list != NULL)
        closedir(list);
    return found;
}

const struct narrow *find_narrow(const struct library *library)
{
    static struct narrow narrow;
    static bool known;
    static bool found;
    struct program help = {.path = narrow.loader,
                           .arguments = {"ld.so", "--help"}};
    char said[SAID];
    int status;

    /* Most machines have no loader for such: no need to look through all. */
    known = known || (access("/lib/ld-linux.so.2", X_OK) < 0 &&
                      access("/lib/ld-linux-armhf.so.3", X_OK) < 0 &&
                      access("/lib/ld-linux.so.3", X_OK) < 0);
    for (int i = 0; !known && !found && i < DIRECTORIES; i++)
        found = find_narrow_in(directories[i], library->kind, &narrow);
    /* Some kernels cannot run them. */
    if (!known && found) {
        status = run_program(&help, said);
        found = !WIFEXITED(status) || WEXITSTATUS(status) != STATUS_CANNOT_RUN;
    }
    known = true;
    return found ? &narrow : NULL;
}

/* Starts the probe. False if there is no answer. */
static bool run_probe(const char *preload, bool nobody, struct found *found,
                      int *status, char said[SAID])
{
    char number[16];
    struct program program = {.path = "/proc/self/exe",
                              .arguments = {TRIAL_PROBE, number, NULL},
                              .preload = preload,
                              .nobody = nobody};
    int ends[2];
    bool answered;

    *status = -1;
    said[0] = '\0';
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return false;
    program.answer = ends[1];
    snprintf(number, sizeof(number), "%d", ends[1]);
    *status = run_program(&program, said);
    answered = read(ends[0], found, sizeof(*found)) == sizeof(*found) &&
               memcmp(found->mark, TRIAL_PROBE, sizeof(TRIAL_PROBE)) == 0;
    close(ends[0]);
    close(ends[1]);
    return answered;
}

static const char *try_probe(const struct library *library, const char *preload,
                             bool nobody)
{
    const char *whose = nobody ? " of a user other than root" : "";
    struct found found;
    char said[SAID];
    int status;

    if (!run_probe(preload, nobody, &found, &status, said)) {
        if (status == 0 && nobody)
            return NULL; /* there is no such user */
        if (WIFEXITED(status) && WEXITSTATUS(status) <= 1)
            return "a library that is loaded closes the pipe on which a "
                   "program would answer";
        return describe_end(
            &(struct program){.path = "a program", .nobody = nobody}, status,
            said);
    }
    if (!found.library || found.others)
        return sentence("a program%s has loaded %s, not %s", whose,
                        found.mapped[0] != '\0' ? found.mapped : "nothing",
                        library->path);
    return found.kept_alive
               ? NULL
               : sentence("the socket of a program%s is not kept alive", whose);
}

/* By the loader alone: nobody knows what the program would do. */
static const char *try_narrow(const struct library *library,
                              const char *preload)
{
    const struct narrow *narrow = find_narrow(library);

    return narrow == NULL
               ? NULL
               : try_program(&(struct program){
                     .path = narrow->loader,
                     .arguments = {narrow->loader, "--list", narrow->path},
                     .preload = preload});
}

const char *start_programs(const struct library *library, const char *preload)
{
    /* Programs that every machine has, with arguments that end them at once. */
    static const struct {
        bool set_user_id; /* only where it is */
        const char *arguments[4];
    } tried[] = {
        {false, {"true"}},
        {false, {"sh", "-c", ":"}},
        {true, {"su", "--version"}},
        {true, {"mount", "--version"}},
    };
    enum { TRIED = sizeof(tried) / sizeof(*tried) };
    int users = geteuid() == 0 ? 2 : 1;
    const char *reason = NULL;
    char path[PATH_MAX];

    for (int i = 0; reason == NULL && i < users * TRIED; i++) {
        struct program program = {
            .path = path, .preload = preload, .nobody = i % users};

        memcpy(program.arguments, tried[i / users].arguments,
               sizeof(program.arguments));
        if (find_installed(program.arguments[0], tried[i / users].set_user_id,
                           path))
            reason = try_program(&program);
    }
    if (reason == NULL)
        reason = try_narrow(library, preload);
    for (int i = 0; reason == NULL && i < users; i++)
        reason = try_probe(library, preload, i);
    return reason;
}

bool find_out(struct found *found)
{
    char said[SAID];
    int status;

    if (!run_probe(NULL, false, found, &status, said))
        return false;
    if (found->kept_alive && found->mapped[0] == '\0')
        strcpy(found->mapped, "a library that switches keepalive on");
    return true;
}

/* glibc's loader: "ERROR: ld.so: object 'PATH' from /etc/ld.so.preload cannot
 * be preloaded (REASON): ignored." */
void find_complaint(const struct library *library, char complaint[PRINTABLE])
{
    struct found found;
    char said[SAID];
    int status;

    run_probe(NULL, false, &found, &status, said);
    complaint[0] = '\0';
    for (char *path = said; (path = strstr(path, " object '")) != NULL;) {
        path += strlen(" object '");
        if (library_is(library, path, strcspn(path, "'")))
            continue;
        path[strcspn(path, "\n")] = '\0';
        make_printable(complaint, path - 1);
        return;
    }
}

/* Notes a file that is mapped here, if it is the library or another of that
 * name, which a version may follow. */
static void note_mapped(const struct library *library, const char *path,
                        struct found *found)
{
    bool is = library_is(library, path, strlen(path));
    const char *rest = strstr(path, "/libkeepalive.so");
    size_t length = strlen(found->mapped);
    char printable[PRINTABLE];

    if (rest != NULL)
        rest += strlen("/libkeepalive.so");
    if (!is && (rest == NULL || rest[strspn(rest, ".0123456789")] != '\0'))
        return;
    found->library = found->library || is;
    found->others = found->others || !is;
    snprintf(found->mapped + length, sizeof(found->mapped) - length, "%s%s",
             length > 0 ? " " : "", make_printable(printable, path));
}

int run_trial_probe(const char *descriptor)
{
    static struct found found = {.mark = TRIAL_PROBE};
    FILE *maps;
    struct library library;
    char last[PATH_MAX] = "";
    char line[PATH_MAX + 128];
    int value = 0;
    socklen_t size = sizeof(value);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    /* A service may be denied what other programs have. */
    if (fd < 0) {
        warn("socket");
        return STATUS_FAILED;
    }
    found.kept_alive =
        getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &size) == 0 &&
        value == 1;
    library_find(&library);
    maps = fopen("/proc/self/maps", "re");
    while (maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
        const char *path = strchr(line, '/');

        line[strcspn(line, "\n")] = '\0';
        if (path == NULL || strcmp(path, last) == 0)
            continue;
        note_mapped(&library, path, &found);
        snprintf(last, sizeof(last), "%s", path);
    }
    if (maps != NULL)
        fclose(maps);
    fd = (int)strtol(descriptor, NULL, 10);
    return write(fd, &found, sizeof(found)) != sizeof(found);
}
