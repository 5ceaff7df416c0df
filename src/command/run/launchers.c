/*
 * launchers.c - commands that run another, and scripts
 * SPDX-License-Identifier: MIT
 */
#include "run/launchers.h"

#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

bool find_in_path(const char *name, char path[PATH_MAX])
{
    const char *list = getenv("PATH");
    const char *end;

    if (strrchr(name, '/') != NULL)
        return snprintf(path, PATH_MAX, "%s", name) < PATH_MAX;
    for (list = list == NULL ? "/bin:/usr/bin" : list;; list = end + 1) {
        struct stat status;
        size_t length;

        end = strchrnul(list, ':');
        length = (size_t)(end - list);
        if (length + strlen(name) + 2 <= PATH_MAX) {
            memcpy(path, list, length);
            path[length] = '/';
            /* An empty element is the current directory. */
            memcpy(path + length + (length > 0), name, strlen(name) + 1);
            if (stat(path, &status) == 0 && S_ISREG(status.st_mode) &&
                access(path, X_OK) == 0)
                return true;
        }
        if (*end == '\0')
            return false;
    }
}

/*
 * Makes the words that stand for those of `env -S`: a first one to be skipped,
 * those of the line, split at its blanks, and the rest.
 */
static void split(struct words *words, const char *line, char *const *rest)
{
    int count = 0;

    words->list[count++] = words->text;
    snprintf(words->text, sizeof(words->text), "%s", line);
    for (char *word = strtok(words->text, " \t");
         word != NULL && count < WORDS - 1; word = strtok(NULL, " \t"))
        words->list[count++] = word;
    while (*rest != NULL && count < WORDS - 1)
        words->list[count++] = *rest++;
    words->list[count] = NULL;
}

enum { HEAD_LINE = 256 }; /* bytes that the kernel reads of a script */

bool read_script(int fd, struct words *words)
{
    ssize_t length = pread(fd, words->text, HEAD_LINE - 1, 0);
    char *name = words->text + 2;
    char *rest;

    if (length < 2 || memcmp(words->text, "#!", 2) != 0)
        return false;
    words->text[length] = '\0';
    name[strcspn(name, "\n")] = '\0';
    name += strspn(name, " \t");
    rest = name + strcspn(name, " \t");
    if (*rest != '\0')
        *rest++ = '\0';
    rest += strspn(rest, " \t");
    words->list[0] = name;
    words->list[1] = *rest != '\0' ? rest : NULL;
    words->list[2] = NULL;
    return *name != '\0';
}

#define CLEANS(what, advice)                                                   \
    .cleans = true, .operands = NO_COMMAND, .deed = (what), .instead = (advice)
#define SERVICE                                                                \
    CLEANS("starts services with an environment of their own",                 \
           "put the lines of examples/service.conf or cgroup.conf into the "   \
           "unit, with 'systemctl edit NAME'")
#define CONTAINER                                                              \
    CLEANS("starts containers with a root directory and an environment of "    \
           "their own",                                                        \
           "put the lines of examples/Dockerfile into the image"),             \
        .elsewhere = true
#define SANDBOX                                                                \
    CLEANS("starts programs in a sandbox that does not have the library",      \
           "set their sockets with 'keepalive -p NAME', or see "               \
           "'keepalive --cgroup'"),                                            \
        .elsewhere = true
#define SERVER                                                                 \
    .deed = "has a server that runs already start programs, with the "         \
            "server's environment",                                            \
    .instead = "run keepalive in its window, or see libkeepalive(7)"
#define SU                                                                     \
    "c:command g:group G:supp-group s:shell u:user w:whitelist-environment "   \
    "-:session-command l!login"

static const struct launcher launchers[] = {
    {"env", .options = "u:unset C:chdir S:split-string i!ignore-environment",
     .assigns = true},
    {.name = "nohup"},
    {"nice", .options = "n:adjustment"},
    {.name = "setsid"},
    {"timeout", .options = "k:kill-after s:signal", .operands = 1},
    {"sudo", .cleans = true},
    {"doas", .cleans = true},
    {"pkexec", .cleans = true},
    {"run0", .cleans = true},
    {"su", .options = SU, .operands = NO_COMMAND},
    {"runuser", .options = SU, .operands = NO_COMMAND},
    {"setpriv", .options =
                    "-:ambient-caps -:inh-caps -:bounding-set -:groups -:ruid "
                    "-:euid -:reuid -:rgid -:egid -:regid -:securebits "
                    "-:pdeathsig -:selinux-label -:apparmor-profile "
                    "-:landlock-access -:landlock-rule -:seccomp-filter "
                    "-!reset-env"},
    {"systemd-run", .cleans = true,
     .deed = "has systemd start the command, with an environment of its own",
     .instead = "let it run keepalive: 'systemd-run keepalive ... COMMAND'",
     .options = "u:unit p:property E:setenv M:machine -:slice -:description "
                "-:uid -:gid -:nice -:working-directory -!scope"},
    {"systemctl", SERVICE},
    {"service", SERVICE},
    {"invoke-rc.d", SERVICE},
    {"supervisorctl",
     CLEANS("has supervisord start programs, with its own environment",
            "let the program's section run 'keepalive ... COMMAND'")},
    {"pg_ctlcluster", CLEANS("starts PostgreSQL with an environment of its own",
                             "put the variables into the cluster's file "
                             "environment, see libkeepalive(7)")},
    {"postfix", CLEANS("cleans the environment of its daemons",
                       "name the variables in import_environment of main.cf, "
                       "see libkeepalive(7)")},
    {"docker", CONTAINER},
    {"podman", CONTAINER},
    {"nerdctl", CONTAINER},
    {"snap", SANDBOX},
    {"flatpak", SANDBOX},
    {"tmux", SERVER, .operands = NO_COMMAND, .options = "c: f: L: S: T:"},
    {"screen", SERVER, .options = "c: e: h: p: s: S: t: T: r! R! x! X!"},
};

const struct launcher *find_launcher(const char *word, const char *path)
{
    const struct launcher *found = NULL;
    bool named = false; /* its own name counts for more than a link's target */
    char byte;          /* the files in /snap/bin are links */
    char *target = readlink(path, &byte, 1) < 0 ? NULL : realpath(path, NULL);

    for (size_t i = 0; i < sizeof(launchers) / sizeof(*launchers) && !named;
         i++) {
        named = is_named(path, launchers[i].name);
        if ((named ||
             (target != NULL && is_named(target, launchers[i].name))) &&
            (launchers[i].deed == NULL || word[0] == '/' ||
             strchr(word, '/') == NULL))
            found = &launchers[i];
    }
    free(target);
    return found;
}

/* An option of a launcher. */
struct option_word {
    char letter;       /* of one that takes an argument; 0: it does not */
    const char *value; /* its argument, "" if there is none */
    int words;         /* one, or two with the argument */
    bool switches;     /* see struct launcher */
};

/* Looks for an option by its name, which may be shortened, or by its letter if
 * the name is empty. False if it is not known. */
static bool find_option(const struct launcher *launcher, char letter,
                        const char *name, size_t length,
                        struct option_word *option)
{
    const char *list = launcher->options == NULL ? "" : launcher->options;

    for (; *list != '\0'; list += strspn(list, " ")) {
        if (length == 0 ? *list == letter && letter != '-'
                        : strncmp(list + 2, name, length) == 0)
            break;
        list += strcspn(list, " ");
    }
    if (*list == '\0')
        return false;
    if (list[1] == ':')
        option->letter = *list;
    else
        option->switches = true;
    return true;
}

static struct option_word read_option(const struct launcher *launcher,
                                      char *const *command)
{
    struct option_word option = {.value = NULL, .words = 1};
    const char *word = *command + 1;

    if (*word == '-') {
        size_t length = strcspn(++word, "=");

        find_option(launcher, '\0', word, length, &option);
        if (word[length] == '=')
            option.value = word + length + 1;
    } else {
        /* a lone - cleans, as in `env -` and `su -` */
        if (*word == '\0' && !find_option(launcher, 'i', "", 0, &option))
            find_option(launcher, 'l', "", 0, &option);
        for (; *word != '\0' && option.letter == 0; word++)
            find_option(launcher, *word, "", 0, &option);
        if (*word != '\0')
            option.value = word;
    }
    if (option.letter != 0 && option.value == NULL && command[1] != NULL) {
        option.value = command[1];
        option.words = 2;
    }
    if (option.value == NULL)
        option.value = "";
    return option;
}

/* The argument of an option that a launcher has first; NULL without it. */
static const char *find_argument(const struct launcher *launcher,
                                 char *const *command, char letter)
{
    for (command++; *command != NULL && **command == '-';) {
        struct option_word option = read_option(launcher, command);

        if (option.letter == letter)
            return option.value;
        command += option.words;
    }
    return NULL;
}

/*
 * Is there a server already that makes the new window? screen(1) asks it in a
 * window of its own; tmux(1) asks whoever listens at its socket.
 */
static bool has_server(const struct launcher *launcher, char *const *command)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *name = find_argument(launcher, command, 'L');
    const char *path = find_argument(launcher, command, 'S');
    const char *directory = getenv("TMUX_TMPDIR");
    bool served;
    int fd;

    if (strcmp(launcher->name, "tmux") != 0)
        return strcmp(launcher->name, "screen") == 0 && getenv("STY") != NULL;
    if (path == NULL && name == NULL)
        path = getenv("TMUX");
    if (path != NULL)
        snprintf(address.sun_path, sizeof(address.sun_path), "%.*s",
                 (int)strcspn(path, ","), path);
    else
        snprintf(address.sun_path, sizeof(address.sun_path), "%s/tmux-%u/%s",
                 directory == NULL ? "/tmp" : directory, (unsigned)geteuid(),
                 name == NULL ? "default" : name);
    /* EAGAIN: somebody listens, but may never accept. */
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    served = fd >= 0 && (connect(fd, (const struct sockaddr *)&address,
                                 sizeof(address)) == 0 ||
                         errno == EAGAIN);
    if (fd >= 0)
        close(fd);
    return served;
}

/* Does this word of env(1) take the variable away? */
static bool loses(const char *word, const struct variable *variable)
{
    size_t length = strlen(variable->name);

    return length > 0 && strncmp(word, variable->name, length) == 0 &&
           (word[length] == '\0' ||
            (word[length] == '=' && strstr(word, variable->mark) == NULL));
}

char *const *follow_launcher(const struct launcher *launcher,
                             char *const *command,
                             const struct variable *variable,
                             struct words *words, bool *clean)
{
    int operands = launcher->operands;
    bool split_before = command >= words->list && command < words->list + WORDS;

    *clean = launcher->cleans || has_server(launcher, command);
    for (command++; *command != NULL; command++) {
        const char *word = *command;

        if (strcmp(word, "--") == 0) {
            if (operands == NO_COMMAND)
                return NULL;
        } else if (word[0] == '-') {
            struct option_word option = read_option(launcher, command);

            if (option.switches)
                *clean = !launcher->cleans;
            command += option.words - 1;
            if (!launcher->assigns)
                continue;
            if (option.letter == 'u' && loses(option.value, variable))
                *clean = true;
            if (option.letter == 'S') {
                if (split_before)
                    return NULL;
                split(words, option.value, command + 1);
                split_before = true;
                command = words->list;
            }
        } else if (launcher->assigns && strchr(word, '=') != NULL) {
            *clean = *clean || loses(word, variable);
        } else if (operands != NO_COMMAND && operands-- == 0) {
            return command;
        }
    }
    return NULL;
}
