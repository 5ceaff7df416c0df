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
#include "text.h"

#include <endian.h>
#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { LINES = 6, WORDS = 64, LONG_OPTIONS = 20, OPERAND = 1 };

/* Commands that run another, or have a different program run it. */
static const struct launcher {
    const char *names; /* with a blank before and behind each */
    /* Its options, each followed by a NUL: the letter (- for none), a mark and
     * the long name. With : the option takes an argument; with ! it makes a
     * launcher clean the environment that otherwise does not, or keep it; with
     * . it does neither. */
    const char *options;
    int operands;       /* before the command; WORDS: it has none */
    bool assigns;       /* words with = before it are variables, as in env(1) */
    bool cleans;        /* passes on no environment */
    bool elsewhere;     /* what it starts has a root directory of its own */
    const char *window; /* the variable that is set in a window of its server */
    /* What it does, and what to do instead; NULL: as is said of sudo(8). */
    const char *deed;
    const char *instead;
} launchers[] = {
    {" env ", "u:unset\0C:chdir\0S:split-string\0i!ignore-environment\0",
     .assigns = true},
    {" nohup setsid ", .options = ""},
    {" nice ", .options = "n:adjustment\0"},
    {" timeout ", "k:kill-after\0s:signal\0", .operands = 1},
    {" sudo doas pkexec run0 ", .options = "", .cleans = true},
    {" su runuser ",
     "c:command\0g:group\0G:supp-group\0s:shell\0u:user\0"
     "w:whitelist-environment\0-:session-command\0l!login\0",
     .operands = WORDS},
    {" setpriv ", .options =
                      "-:ambient-caps\0-:inh-caps\0-:bounding-set\0-:groups\0"
                      "-:ruid\0-:euid\0-:reuid\0-:rgid\0-:egid\0-:regid\0"
                      "-:securebits\0-:pdeathsig\0-:selinux-label\0"
                      "-:apparmor-profile\0-:landlock-access\0-:landlock-rule\0"
                      "-:seccomp-filter\0-!reset-env\0"},
    {" systemd-run ",
     "u:unit\0p:property\0E:setenv\0M:machine\0-:slice\0-:description\0"
     "-:uid\0-:gid\0-:nice\0-:working-directory\0-!scope\0",
     .cleans = true,
     .deed = "has systemd start the command, with an environment of its own",
     .instead = "let it run keepalive: 'systemd-run keepalive ... COMMAND'"},
    {" systemctl service invoke-rc.d ", "", .operands = WORDS, .cleans = true,
     .deed = "starts services with an environment of their own",
     .instead = "put the lines of examples/service.conf or cgroup.conf into "
                "the unit, with 'systemctl edit NAME'"},
    {" supervisorctl ", .options = "", .cleans = true,
     .deed = "has supervisord start programs, with its own environment",
     .instead = "let the program's section run 'keepalive ... COMMAND'"},
    {" pg_ctlcluster ", .options = "", .cleans = true,
     .deed = "starts PostgreSQL with an environment of its own",
     .instead = "put the variables into the cluster's file environment, see "
                "libkeepalive(7)"},
    {" postfix ", .options = "", .cleans = true,
     .deed = "cleans the environment of its daemons",
     .instead = "name the variables in import_environment of main.cf, see "
                "libkeepalive(7)"},
    {" docker podman nerdctl ", .options = "", .cleans = true,
     .elsewhere = true,
     .deed = "starts containers with a root directory and an environment of "
             "their own",
     .instead = "put the lines of examples/Dockerfile into the image"},
    {" snap flatpak ", .options = "", .cleans = true, .elsewhere = true,
     .deed = "starts programs in a sandbox that does not have the library",
     .instead = "set their sockets with 'keepalive -p NAME', or see "
                "'keepalive --cgroup'"},
    {" tmux ", "c:\0f:\0L:\0S:\0T:\0", .window = "TMUX",
     .deed = "lets a server that runs already start programs",
     .instead = "run keepalive in its window, or see libkeepalive(7)"},
    {" screen ", "c:\0e:\0h:\0p:\0s:\0S:\0t:\0T:\0m.\0r!\0R!\0x!\0X!\0",
     .window = "STY", .deed = "lets a server that runs already start programs",
     .instead = "run keepalive in its window, or see libkeepalive(7)"},
};

/* What a command is to have, and how far it was followed. */
struct walk {
    const struct library *library;
    bool off;             /* KEEPALIVE=off, else the library */
    bool values;          /* and values of options */
    bool preloaded;       /* /etc/ld.so.preload names the library */
    const char *variable; /* what must stay in the environment, or "" */
    const char *mark;     /* and what its value must contain */
    char *const *command; /* NULL: it ends here */
    char path[PATH_MAX];
    struct stat status;
    struct elf elf;
    struct line { /* of a script, or of `env -S` */
        char text[1024];
        char *words[WORDS]; /* a null pointer follows the last */
    } lines[LINES];
    int lines_read;
};

/* Finds the file of a command as execvp(3) does. */
static bool find_in_path(const char *name, char path[PATH_MAX],
                         struct stat *status)
{
    const char *list = strchr(name, '/') != NULL ? "" : getenv("PATH");

    for (list = list == NULL ? "/bin:/usr/bin" : list;; list++) {
        size_t length = strcspn(list, ":");

        if (length + strlen(name) + 2 <= PATH_MAX) {
            memcpy(path, list, length);
            path[length] = '/';
            /* An empty element is the current directory. */
            memcpy(path + length + (length > 0), name, strlen(name) + 1);
            if (stat(path, status) == 0 && S_ISREG(status->st_mode) &&
                access(path, X_OK) == 0)
                return true;
        }
        list += length;
        if (*list == '\0')
            return false;
    }
}

/*
 * The launcher that is given as this word and was found at this path; NULL if
 * it is none. A relative path such as ./service is a program of the user's own.
 * The files in /snap/bin are links.
 */
static const struct launcher *find_launcher(const char *word, const char *path)
{
    enum { COUNT = sizeof(launchers) / sizeof(*launchers) };
    char target[PATH_MAX];
    char name[PATH_MAX + 2];
    char byte;

    if (word[0] != '/' && strchr(word, '/') != NULL)
        return NULL;
    snprintf(name, sizeof(name), " %s ", base_name(path));
    for (int i = 0; i < COUNT; i++)
        if (strstr(launchers[i].names, name) != NULL)
            return &launchers[i];
    return readlink(path, &byte, 1) > 0 && realpath(path, target) != NULL
               ? find_launcher(target, target)
               : NULL;
}

/* The options of a launcher for getopt_long(3). */
static void list_options(const char *list, char *shorts, struct option *longs)
{
    memcpy(shorts, "-:", 2); /* operands in their place, and no messages */
    shorts += 2;
    for (; *list != '\0'; list += strlen(list) + 1) {
        bool takes = list[1] == ':';

        *longs++ = (struct option){list + 2, takes, NULL, list[0]};
        *shorts++ = list[0];
        if (takes)
            *shorts++ = ':';
    }
    *shorts = '\0';
    *longs = (struct option){0};
}

/* Is there a server already that makes the new window? screen(1) asks it in a
 * window of its own; tmux(1) asks whoever listens at its socket. */
static bool has_server(const char *window, const char *const given[])
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = given['S'];
    const char *directory = getenv("TMUX_TMPDIR");
    bool served;
    int fd;

    if (strcmp(window, "STY") == 0)
        return getenv(window) != NULL && given['m'] == NULL;
    if (path == NULL && given['L'] == NULL)
        path = getenv(window);
    if (path != NULL)
        snprintf(address.sun_path, sizeof(address.sun_path), "%.*s",
                 (int)strcspn(path, ","), path);
    else
        snprintf(address.sun_path, sizeof(address.sun_path), "%s/tmux-%u/%s",
                 directory == NULL ? "/tmp" : directory, (unsigned)geteuid(),
                 given['L'] == NULL ? "default" : given['L']);
    /* EAGAIN: somebody listens, but may never accept. */
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    served =
        connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 ||
        errno == EAGAIN;
    close(fd);
    return served;
}

/* Does this word of env(1), NAME or NAME=VALUE, take the variable away? */
static bool loses(const struct walk *walk, const char *word)
{
    size_t length = strlen(walk->variable);

    return strncmp(word, walk->variable, length) == 0 &&
           (word[length] == '\0' || word[length] == '=') &&
           strstr(word, walk->mark) == NULL;
}

static int count_words(char *const *words)
{
    int count = 0;

    while (words[count] != NULL)
        count++;
    return count;
}

/* Makes the words that stand for those of `env -S`: a first one to be skipped,
 * those of the line, split at its blanks, and the rest. NULL: too many. */
static char *const *split(struct walk *walk, const char *line,
                          char *const *rest)
{
    struct line *its = &walk->lines[walk->lines_read++];
    int count = 1;

    if (walk->lines_read > LINES)
        return NULL;
    snprintf(its->text, sizeof(its->text), "%s", line);
    its->words[0] = its->text;
    for (char *word = strtok(its->text, " \t");
         word != NULL && count < WORDS - 1; word = strtok(NULL, " \t"))
        its->words[count++] = word;
    while (*rest != NULL && count < WORDS - 1)
        its->words[count++] = *rest++;
    its->words[count] = NULL;
    return its->words;
}

/*
 * Goes on to the command that a launcher will run, if it can be told. Returns
 * whether the environment is cleaned on the way, or the variable is lost.
 */
static bool follow(struct walk *walk, const struct launcher *launcher)
{
    struct option longs[LONG_OPTIONS + 1];
    char shorts[2 * LONG_OPTIONS + 3];
    const char *given[128] = {NULL}; /* arguments of options, by letter */
    char *const *words = walk->command;
    int operands = launcher->operands;
    bool clean = launcher->cleans;

    list_options(launcher->options, shorts, longs);
    optind = 0;
    for (walk->command = NULL; words != NULL && walk->command == NULL;) {
        int letter =
            getopt_long(count_words(words), words, shorts, longs, NULL);
        const char *argument = optarg != NULL ? optarg : "";

        if (letter == OPERAND && strcmp(argument, "-") == 0) {
            clean = true; /* env - COMMAND, su - USER */
        } else if (letter == OPERAND) {
            if (launcher->assigns && strchr(argument, '=') != NULL)
                clean = clean || loses(walk, argument);
            else if (operands-- == 0)
                walk->command = words + optind - 1;
        } else if (letter == -1) {
            /* what is behind -- is for the shell of su(1) */
            if (words[optind] == NULL || launcher->operands == WORDS)
                break;
        } else if (letter == 'S' && launcher->assigns) {
            words = split(walk, argument, words + optind);
            optind = 0;
        } else if (optarg == NULL && strchr("m?:", letter) == NULL) {
            clean = !launcher->cleans;
        } else {
            given[letter] = argument;
            if (letter == 'u' && launcher->assigns)
                clean = clean || loses(walk, argument);
            else if (letter == 'E' && strstr(argument, walk->mark) != NULL)
                clean = false;
        }
    }
    return clean ||
           (launcher->window != NULL && has_server(launcher->window, given));
}

enum { HEAD_LINE = 256 }; /* bytes that the kernel reads of a script */

/* Goes on to the interpreter of a script, with all the rest of the line as one
 * argument. A file that is neither that nor ELF is run by sh, see execvp(3). */
static void read_script(struct walk *walk)
{
    struct line *line = &walk->lines[walk->lines_read];
    bool may = walk->elf.kind == 0 && walk->lines_read < LINES;
    FILE *file = may ? fopen(walk->path, "re") : NULL;

    walk->command = NULL;
    if (file == NULL)
        return;
    if (fgets(line->text, HEAD_LINE, file) != NULL &&
        strncmp(line->text, "#!", 2) == 0) {
        walk->lines_read++;
        walk->command = line->words;
        line->words[0] = strtok(line->text + 2, " \t\n");
        line->words[1] = strtok(NULL, "\n");
        if (line->words[1] != NULL)
            line->words[1] += strspn(line->words[1], " \t");
    }
    fclose(file);
}

/*
 * Does the kernel give no more rights: by no_new_privs, or in a user namespace
 * that does not know the owner? See execve(2), and for the number of the first
 * namespace PROC_USER_INIT_INO in the kernel's include/linux/proc_ns.h.
 */
static bool keeps_rights(const struct stat *status)
{
    enum { OVERFLOW_ID = 65534 }; /* of one that has no number here */
    struct stat namespace;

    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ||
           (status->st_uid == OVERFLOW_ID &&
            stat("/proc/self/ns/user", &namespace) == 0 &&
            namespace.st_ino != 0xeffffffd);
}

/*
 * Do the file's capabilities (security.capability, struct vfs_ns_cap_data in
 * <linux/capability.h>) give any right? See cap_bprm_creds_from_file() in the
 * kernel's security/commoncap.c; sets that are empty, or inheritable, do not.
 */
static bool gives_capabilities(const char *path)
{
    enum { FLAGS, PERMITTED, INHERITABLE, HIGH_PERMITTED, ALL = 6 };
    uint32_t data[ALL] = {0};

    return getxattr(path, "security.capability", data, sizeof(data)) > 0 &&
           ((data[FLAGS] & htole32(1)) != 0 || data[PERMITTED] != 0 ||
            data[HIGH_PERMITTED] != 0);
}

/* Will the kernel set AT_SECURE? See "Secure-execution mode" in ld.so(8). */
static bool is_privileged(const char *path, const struct stat *status)
{
    const mode_t group = S_ISGID | S_IXGRP;
    struct statvfs mount;
    bool sets_user =
        (status->st_mode & S_ISUID) != 0 && status->st_uid != getuid();
    bool sets_group =
        (status->st_mode & group) == group && status->st_gid != getgid();

    return (sets_user || sets_group ||
            (getuid() != 0 && gives_capabilities(path))) &&
           statvfs(path, &mount) == 0 && (mount.f_flag & ST_NOSUID) == 0 &&
           !keeps_rights(status);
}

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
static const char *judge_elf(const struct walk *walk)
{
    const struct elf *elf = &walk->elf;
    const char *name = base_name(walk->path);

    if (elf->kind == 0)
        return NULL;
    if (judge_loss(walk, walk->preloaded) != NULL &&
        is_privileged(walk->path, &walk->status))
        return "runs with more rights than yours (set-user-ID or file "
               "capabilities) and ignores its caller's environment";
    if (walk->off)
        return NULL;
    if (elf->kind != walk->library->kind &&
        elf->kind != walk->library->twin_kind)
        return "is built for another word size or architecture than the "
               "library";
    if (elf->go)
        return "is written in Go, which makes its system calls past the "
               "library (dynamic programs that it starts are in reach)";
    /* The loader itself is static, and what it starts need not be. */
    if (elf->loader[0] == '\0' &&
        (strncmp(name, "ld", 2) != 0 || strstr(name, ".so") == NULL))
        return "is statically linked, out of the library's reach (dynamic "
               "programs that it starts are not)";
    return NULL;
}

/* Goes on to what a launcher runs. False, with a line, if the environment that
 * matters does not get there. */
static bool pass_launcher(struct walk *walk, const struct launcher *launcher)
{
    const char *loss =
        judge_loss(walk, walk->preloaded && !launcher->elsewhere);

    if (!follow(walk, launcher) || loss == NULL)
        return true;
    complain("%s %s, so %s; %s", walk->path,
             launcher->deed == NULL ? "cleans the environment" : launcher->deed,
             loss,
             launcher->instead == NULL
                 ? "let it run keepalive, as in 'sudo keepalive ... COMMAND'"
                 : launcher->instead);
    return false;
}

bool check_reach(char *const command[], const struct library *library,
                 const struct wanted *wanted)
{
    static struct walk walk; /* 14 KB, cleared by the loader */
    const char *reason = NULL;

    walk.library = library;
    walk.command = command;
    walk.off = wanted->values[KEEPALIVE_SWITCH] == 0;
    walk.values = wanted->force;
    walk.preloaded = is_preloaded(library);
    walk.variable = walk.off ? "KEEPALIVE" : walk.preloaded ? "" : "LD_PRELOAD";
    walk.mark = walk.off ? "off" : "libkeepalive.so";
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++)
        if (i != KEEPALIVE_SWITCH && wanted->values[i] != NO_VALUE)
            walk.values = true;
    while (reason == NULL && walk.command != NULL && *walk.command != NULL &&
           find_in_path(*walk.command, walk.path, &walk.status)) {
        const struct launcher *launcher =
            find_launcher(*walk.command, walk.path);

        for (char *const *word = walk.command; launcher && *word; word++)
            if (is_named(*word, "keepalive"))
                return true; /* it will look for itself */
        read_elf(walk.path, &walk.elf);
        if (launcher == NULL)
            read_script(&walk);
        else if (!pass_launcher(&walk, launcher))
            return false;
        reason = judge_elf(&walk);
    }
    if (reason != NULL)
        complain("%s %s; set its sockets with 'keepalive -p PID', or its "
                 "cgroup's with 'keepalive --cgroup'",
                 walk.path, reason);
    return reason == NULL;
}
