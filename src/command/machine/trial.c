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
#include "flags.h"

#include <endian.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <link.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

enum {
    ANSWER = STDERR_FILENO + 1, /* the descriptor on which the probe does */
    NOBODY = 65534,
    NO_OTHER_USER = 77, /* the probe's exit status */
    SECONDS_EACH = 10,
};

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

/*
 * Does an access control list deny a user or a group what others may do? See
 * acl(5); the layout is that of <linux/posix_acl_xattr.h>, which musl's
 * compilers do not find: the version, then four words an entry, the tag, the
 * permissions and an ID. The mask is the group's part of the mode.
 */
static bool is_denied_by_acl(const char *path, unsigned needed)
{
    enum { USER = 0x02, GROUP_OBJ = 0x04, GROUP = 0x08 };
    static uint16_t list[32768]; /* XATTR_SIZE_MAX bytes */
    ssize_t size =
        getxattr(path, "system.posix_acl_access", list, sizeof(list));

    for (ssize_t i = 2; i < size / 2; i += 4)
        if ((le16toh(list[i]) & (USER | GROUP_OBJ | GROUP)) != 0 &&
            (le16toh(list[i + 1]) & needed) == 0)
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
    if ((status->st_mode & status->st_mode >> 3 & needed) == 0 ||
        is_denied_by_acl(name, needed))
        return "is not accessible to all users, see getfacl(1)";
    return NULL;
}

const char *check_path(const char *name)
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
            fault = check_path(target[0] == '/' ? target : next);
            if (fault != NULL)
                return fault;
        }
    } while (slash != NULL);
    return NULL;
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

/* Becomes the program, with standard error on the pipe. */
static void become_program(const void *argument, int standard_error)
{
    const struct program *program = argument;
    char preload[PATH_MAX + sizeof("LD_PRELOAD=")];
    char *environment[] = {"PATH=/usr/bin:/usr/sbin:/bin:/sbin", "LC_ALL=C",
                           preload, NULL};
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
    /* Another user, so that a set-user-ID program gains rights, and what only
     * root may read cannot be read. Where there can be none, all pass. */
    if (program->nobody &&
        (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
         setresuid(NOBODY, NOBODY, NOBODY) < 0))
        _exit(program->pipe > 0 ? NO_OTHER_USER : 0);
    execve(program->path, (char *const *)program->arguments, environment);
    _exit(errno == ENOEXEC ? STATUS_CANNOT_RUN : STATUS_NOT_FOUND);
}

/* Runs a program to its end. */
static void run_program(struct program *program)
{
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

static bool ends_well(const struct program *program)
{
    return program->status == 0 && program->said[0] == '\0';
}

/*
 * NULL, or a sentence if it does not end well with the library, but without it:
 * some do not know their arguments, or cannot be run here. If the whole machine
 * has the library already, that is a program that says what is wrong, and names
 * neither the loader nor the library.
 */
static const char *try_program(struct program *program)
{
    struct program without = *program;

    run_program(program);
    if (ends_well(program))
        return NULL;
    if (program->preload != NULL) {
        without.preload = NULL;
        run_program(&without);
        return ends_well(&without) ? describe_end(program) : NULL;
    }
    return WIFEXITED(program->status) &&
                   WEXITSTATUS(program->status) != STATUS_NOT_FOUND &&
                   program->said[0] != '\0' &&
                   strstr(program->said, "ld.so") == NULL &&
                   strstr(program->said, "libkeepalive") == NULL
               ? NULL
               : describe_end(program);
}

void find_narrow(struct machine *machine)
{
    static const char i386[] = "/lib/ld-linux.so.2";
    static const char arm[] = "/lib/ld-linux-armhf.so.3";
    const char *loader = access(i386, X_OK) == 0 ? i386 : arm;
    struct program help = {.path = loader, .arguments = {"ld.so", "--help"}};
    unsigned kind = read_elf(loader, NULL);
    glob_t files = {0};
    char pattern[64];
    struct elf elf;

    /* Most machines have no such loader: no need to look through all. */
    if (kind == 0 || kind == machine->library.kind ||
        machine->narrow.path != NULL)
        return;
    /* Some kernels cannot run it. */
    run_program(&help);
    if (WIFEXITED(help.status) && WEXITSTATUS(help.status) == STATUS_CANNOT_RUN)
        return;
    for (int i = 0; i < DIRECTORIES; i++) {
        snprintf(pattern, sizeof(pattern), "%s/*", directories[i]);
        glob(pattern, i > 0 ? GLOB_APPEND : 0, NULL, &files);
    }
    for (size_t i = 0; i < files.gl_pathc && machine->narrow.path == NULL; i++)
        if (read_elf(files.gl_pathv[i], &elf) != 0 &&
            strcmp(elf.loader, loader) == 0)
            machine->narrow = (struct program){
                .path = loader,
                .arguments = {loader, "--list", strdup(files.gl_pathv[i])}};
    globfree(&files);
}

const char *run_probe(struct program *probe)
{
    struct answer *answer = &probe->answer;
    bool answered;
    int ends[2];

    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return strerror(errno);
    probe->path = "/proc/self/exe";
    probe->arguments[0] = TRIAL_PROBE;
    probe->pipe = ends[1];
    run_program(probe);
    answered = read(ends[0], answer, sizeof(*answer)) == sizeof(*answer) &&
               memcmp(answer->mark, TRIAL_PROBE, sizeof(TRIAL_PROBE)) == 0;
    close(ends[0]);
    close(ends[1]);
    return answered ? NULL
                    : "no program can be started or make a socket, or a "
                      "library keeps it from answering";
}

static const char *try_probe(const struct library *library, const char *preload,
                             bool nobody)
{
    const char *whose = nobody ? " of a user other than root" : "";
    struct program probe = {.preload = preload, .nobody = nobody, .status = -1};
    const struct answer *answer = &probe.answer;
    const char *reason = run_probe(&probe);

    if (WIFEXITED(probe.status) && WEXITSTATUS(probe.status) == NO_OTHER_USER)
        return NULL;
    if (reason != NULL)
        return reason;
    if (!answer->library)
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
    struct program narrow = machine->narrow;
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
    narrow.preload = preload;
    if (reason == NULL && narrow.path != NULL)
        reason = try_program(&narrow);
    for (int i = 0; reason == NULL && i < users; i++)
        reason = try_probe(&machine->library, preload, i);
    return reason;
}

/* Notes an object that is loaded here, if it is the library or another of that
 * name, which a version may follow. */
static int note_loaded(struct dl_phdr_info *object, size_t size, void *data)
{
    struct machine *self = data;
    struct answer *answer = &self->probe.answer;
    const char *path = object->dlpi_name;
    bool is = library_is(&self->library, path, strlen(path));
    const char *rest = strstr(path, "/libkeepalive.so");
    size_t length = strlen(answer->loaded);

    (void)size;
    if (rest != NULL)
        rest += strlen("/libkeepalive.so");
    if (!is && (rest == NULL || rest[strspn(rest, ".0123456789")] != '\0'))
        return 0;
    answer->library = is && length == 0;
    snprintf(answer->loaded + length, sizeof(answer->loaded) - length, "%s%s",
             length > 0 ? " " : "", path);
    return 0;
}

int be_probe(void)
{
    static struct machine self = {.probe.answer.mark = TRIAL_PROBE};
    struct answer *answer = &self.probe.answer;
    int value = 0;
    socklen_t size = sizeof(value);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    /* A service may be denied what other programs have. */
    if (fd < 0)
        err(STATUS_FAILED, "socket");
    getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &size);
    answer->kept_alive = value == 1;
    close(fd); /* which has the number of the pipe if that was closed */
    library_find(&self.library);
    dl_iterate_phdr(note_loaded, &self);
    if (answer->kept_alive && answer->loaded[0] == '\0')
        strcpy(answer->loaded, "a library that switches keepalive on");
    return write(ANSWER, answer, sizeof(*answer)) != sizeof(*answer);
}
