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

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <link.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* The descriptor on which the probe answers */
enum { ANSWER = STDERR_FILENO + 1 };

/* Where programs are */
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
    enum { NOBODY = 65534 };

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
                           program->preload == NULL ? NULL : preload, NULL};
    int nowhere[2];

    snprintf(preload, sizeof(preload), "LD_PRELOAD=%s",
             program->preload == NULL ? "" : program->preload);
    /* A root may be without /dev/null. */
    if (pipe2(nowhere, O_CLOEXEC | O_NONBLOCK) < 0)
        _exit(STATUS_FAILED);
    dup2(nowhere[0], STDIN_FILENO);
    dup2(nowhere[1], STDOUT_FILENO);
    dup2(standard_error, STDERR_FILENO);
    if (program->pipe > 0) {
        dup2(program->pipe, ANSWER);
        fcntl(ANSWER, F_SETFD, 0);
    }
    if (program->nobody)
        become_nobody();
    execve(program->path, (char *const *)program->arguments, environment);
    _exit(errno == ENOEXEC ? STATUS_CANNOT_RUN : STATUS_NOT_FOUND);
}

/* Runs a program to its end. */
static void run_program(struct program *program)
{
    enum { SECONDS_EACH = 10 };
    size_t length;

    program->status =
        run_child(become_program, program, SECONDS_EACH, program->said,
                  sizeof(program->said) - 1, &length);
    program->said[length] = '\0';
}

/* How a program ended, with the first line that it printed. */
static const char *describe_end(const struct program *program)
{
    int status = program->status;
    bool killed = WIFSIGNALED(status);

    if (status == -1)
        return sentence("no program can be started: %s", strerror(errno));
    return sentence("with the library %s%s %s %d%s%.*s", program->path,
                    program->nobody ? ", run by a user other than root," : "",
                    killed ? "is killed by signal" : "exits with status",
                    killed ? WTERMSIG(status) : WEXITSTATUS(status),
                    program->said[0] != '\0' ? " and prints: " : "",
                    (int)strcspn(program->said, "\n"), program->said);
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

    if (program->preload == NULL)
        return WIFEXITED(program->status) &&
               WEXITSTATUS(program->status) != STATUS_NOT_FOUND &&
               program->said[0] != '\0' &&
               strstr(program->said, "ld.so") == NULL &&
               strstr(program->said, "libkeepalive") == NULL;
    without.preload = NULL;
    run_program(&without);
    return without.status != 0 || without.said[0] != '\0';
}

/* NULL, or a sentence if it does not end well or prints on standard error, and
 * not so without the library. */
static const char *try_program(struct program *program)
{
    run_program(program);
    return (program->status == 0 && program->said[0] == '\0') ||
                   fails_anyway(program)
               ? NULL
               : describe_end(program);
}

/* Finds a program that asks for this loader. */
static const char *find_program_of(const char *loader)
{
    char pattern[PATH_MAX];
    struct elf its;
    glob_t files = {0};
    const char *found = NULL;

    for (int i = 0; i < DIRECTORIES; i++) {
        snprintf(pattern, sizeof(pattern), "%s/*", directories[i]);
        glob(pattern, i > 0 ? GLOB_APPEND : 0, NULL, &files);
    }
    for (size_t i = 0; i < files.gl_pathc && found == NULL; i++)
        if (read_elf(files.gl_pathv[i], &its) != 0 &&
            strcmp(its.loader, loader) == 0)
            found = strdup(files.gl_pathv[i]);
    globfree(&files);
    return found;
}

void find_narrow(struct machine *machine)
{
    static const char *const loaders[] = {
        "/lib/ld-linux.so.2", "/lib/ld-linux-armhf.so.3", "/lib/ld-linux.so.3"};

    /* Most machines have no such loader: no need to look through all. */
    for (size_t i = 0; i < sizeof(loaders) / sizeof(*loaders); i++) {
        struct program help = {.path = loaders[i],
                               .arguments = {"ld.so", "--help"}};
        unsigned kind = read_elf(loaders[i], NULL);

        if (kind == 0 || kind == machine->library.kind ||
            machine->narrow != NULL)
            continue;
        /* Some kernels cannot run them. */
        run_program(&help);
        if (WIFEXITED(help.status) &&
            WEXITSTATUS(help.status) == STATUS_CANNOT_RUN)
            continue;
        machine->narrow_loader = loaders[i];
        machine->narrow = find_program_of(loaders[i]);
    }
}

bool run_probe(struct program *probe)
{
    struct answer *answer = &probe->answer;
    int ends[2];
    bool answered;

    probe->path = "/proc/self/exe";
    probe->arguments[0] = TRIAL_PROBE;
    probe->status = -1;
    probe->said[0] = '\0';
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return false;
    probe->pipe = ends[1];
    run_program(probe);
    answered = read(ends[0], answer, sizeof(*answer)) == sizeof(*answer) &&
               memcmp(answer->mark, TRIAL_PROBE, sizeof(TRIAL_PROBE)) == 0;
    close(ends[0]);
    close(ends[1]);
    return answered;
}

static const char *try_probe(const struct library *library, const char *preload,
                             bool nobody)
{
    const char *whose = nobody ? " of a user other than root" : "";
    struct program probe = {.preload = preload, .nobody = nobody};
    const struct answer *answer = &probe.answer;

    if (!run_probe(&probe)) {
        if (probe.status == 0 && nobody)
            return NULL; /* there is no such user */
        if (WIFEXITED(probe.status) && WEXITSTATUS(probe.status) <= 1)
            return "a library that is loaded closes the pipe on which a "
                   "program would answer";
        probe.path = "a program";
        return describe_end(&probe);
    }
    if (!answer->library || answer->others)
        return sentence("a program%s has loaded %s, not %s", whose,
                        answer->loaded[0] != '\0' ? answer->loaded : "nothing",
                        library->path);
    return answer->kept_alive
               ? NULL
               : sentence("the socket of a program%s is not kept alive", whose);
}

const char *start_programs(const struct machine *machine, const char *preload)
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
    /* By the loader alone: nobody knows what the program would do. */
    if (reason == NULL && machine->narrow != NULL)
        reason = try_program(&(struct program){
            .path = machine->narrow_loader,
            .arguments = {machine->narrow_loader, "--list", machine->narrow},
            .preload = preload});
    for (int i = 0; reason == NULL && i < users; i++)
        reason = try_probe(&machine->library, preload, i);
    return reason;
}

/* What the probe knows of itself */
struct self {
    struct library library;
    struct answer answer;
};

/* Notes an object that is loaded here, if it is the library or another of that
 * name, which a version may follow. */
static int note_loaded(struct dl_phdr_info *object, size_t size, void *data)
{
    struct self *self = data;
    struct answer *answer = &self->answer;
    const char *path = object->dlpi_name;
    bool is = library_is(&self->library, path, strlen(path));
    const char *rest = strstr(path, "/libkeepalive.so");
    size_t length = strlen(answer->loaded);

    (void)size;
    if (rest != NULL)
        rest += strlen("/libkeepalive.so");
    if (!is && (rest == NULL || rest[strspn(rest, ".0123456789")] != '\0'))
        return 0;
    answer->library = answer->library || is;
    answer->others = answer->others || !is;
    snprintf(answer->loaded + length, sizeof(answer->loaded) - length, "%s%s",
             length > 0 ? " " : "", path);
    return 0;
}

int be_probe(void)
{
    static struct self self = {.answer.mark = TRIAL_PROBE};
    struct answer *answer = &self.answer;
    int value = 0;
    socklen_t size = sizeof(value);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    /* A service may be denied what other programs have. */
    if (fd < 0) {
        warn("socket");
        return STATUS_FAILED;
    }
    answer->kept_alive =
        getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &size) == 0 &&
        value == 1;
    close(fd); /* which has the number of the pipe if that was closed */
    library_find(&self.library);
    dl_iterate_phdr(note_loaded, &self);
    if (answer->kept_alive && answer->loaded[0] == '\0')
        strcpy(answer->loaded, "a library that switches keepalive on");
    return write(ANSWER, answer, sizeof(*answer)) != sizeof(*answer);
}
