/*
 * main.c - the command line of keepalive; runs a command
 * SPDX-License-Identifier: MIT
 *
 * A flag that sets a value becomes "VARIABLE=value". That is put into the
 * environment of a command or, by keepalive_settings(), set on open sockets.
 */
#include "command.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What keepalive is asked to do; a bit each. */
enum mode {
    RUN = 1,
    SOCKETS = 2,
    MACHINE = 4,
    CGROUP = 8,
    VALUES = RUN | SOCKETS | CGROUP, /* where values can be given */
    ANY = VALUES | MACHINE
};

static const struct mode_name {
    enum mode mode;
    char flag; /* that asks for it; 0: none does */
    const char *name;
} mode_names[] = {
    {SOCKETS, 'p', "-p"},       {SOCKETS, 'a', "-a"},
    {MACHINE, 'g', "--global"}, {CGROUP, 'G', "--cgroup"},
    {RUN, 0, "a command"},
};

enum { NONE = -1 };

/*
 * The flags. One that has a row of keepalive_options sets its value: to the
 * argument or, where it takes none, to its own name. Those that take an
 * argument are also the columns of tables and JSON, in this order, after
 * KEEPALIVE_SWITCH.
 */
static const struct flag {
    int row;
    char letter;
    const char *name;
    const char *argument; /* as --help shows it; NULL: takes none */
    const char *help;
    unsigned modes; /* in which it has a meaning */
} flags[] = {
    {KEEPALIVE_IDLE, 't', "idle", "TIME", "idle time before a probe", VALUES},
    {KEEPALIVE_INTERVAL, 'i', "interval", "TIME", "time between probes",
     VALUES},
    {KEEPALIVE_COUNT, 'c', "count", "PROBES",
     "unanswered probes before giving up", VALUES},
    {KEEPALIVE_TIMEOUT, 'u', "timeout", "TIME",
     "time without acknowledgement of data", VALUES},
    {KEEPALIVE_SWITCH, 'o', "off", NULL, "no keepalive", VALUES},
    {KEEPALIVE_SWITCH, 'f', "force", NULL, "programs cannot change the values",
     RUN | CGROUP},
    {NONE, 'p', "pid", "[=PID]", "the sockets of processes, by number or name",
     SOCKETS},
    {NONE, 'a', "all", NULL, "the sockets of all processes", SOCKETS},
    {NONE, 'm', "missing", NULL, "only connections without keepalive", SOCKETS},
    {NONE, 'n', "dry-run", NULL, "say what would be set", SOCKETS},
    {NONE, 'g', "global", "on|off|status", "the whole machine", MACHINE},
    {NONE, 'G', "cgroup", "DIR", "every program of a cgroup", CGROUP},
    {NONE, 'j', "json", NULL, "print JSON", SOCKETS | MACHINE},
    {NONE, 'q', "quiet", NULL, "no warning if the command is out of reach",
     RUN | MACHINE},
    {NONE, 'h', "help", NULL, "print this", ANY},
    {NONE, 'V', "version", NULL, "print the version", ANY},
};

enum { FLAGS = sizeof(flags) / sizeof(*flags) };

/* The command line. */
struct request {
    const char *given[FLAGS];          /* argument or name; NULL: not given */
    char *settings[KEEPALIVE_OPTIONS]; /* "VARIABLE=value", or NULL */
    char **operands;
    int count;
};

int find_column(int column, const char **name)
{
    *name = "keepalive";
    for (int i = 0; column > 0 && i < FLAGS; i++)
        if (flags[i].row != NONE && flags[i].argument != NULL &&
            --column == 0) {
            *name = flags[i].name;
            return flags[i].row;
        }
    return KEEPALIVE_SWITCH;
}

/* The argument of a flag, or its name; NULL if it was not given. */
static const char *find_given(const struct request *request, char letter)
{
    for (int i = 0; i < FLAGS; i++)
        if (flags[i].letter == letter)
            return request->given[i];
    return NULL;
}

/* Says what the library would say of a bad value, but for what happens then. */
static void complain(const struct flag *flag, const char *value)
{
    char line[KEEPALIVE_COMPLAINT + 1];
    char *words;

    line[keepalive_complaint(line, flag->row, value)] = '\0';
    words = strchr(line, '\'');
    *strrchr(words, ';') = '\0';
    warnx("--%s: %s", flag->name, words);
}

/* Notes the value that a flag sets, if it is one. */
static bool note_setting(struct request *request, const struct flag *flag,
                         const char *value)
{
    char **setting = &request->settings[flag->row];
    int number;

    if (!keepalive_parse(flag->row, value, &number)) {
        complain(flag, value);
        return false;
    }
    free(*setting);
    if (asprintf(setting, "%s=%s", keepalive_options[flag->row].variable,
                 value) < 0) {
        *setting = NULL;
        warn(NULL);
        return false;
    }
    return true;
}

/* Notes a flag; false, with a line on standard error, if its value is bad. */
static bool note_flag(struct request *request, int letter)
{
    int i = 0;

    while (flags[i].letter != letter)
        i++;
    request->given[i] = optarg != NULL ? optarg : flags[i].name;
    if (letter == 'p' && optarg != NULL)
        request->operands[request->count++] = optarg;
    return flags[i].row == NONE ||
           note_setting(request, &flags[i], request->given[i]);
}

/* Reads the flags; false, with a line on standard error, at a bad one. */
static bool read_flags(struct request *request, int argc, char *argv[])
{
    struct option longs[FLAGS + 1] = {0};
    char shorts[3 * FLAGS + 2] = "+"; /* stop at the command */
    char *end = shorts + 1;

    for (int i = 0; i < FLAGS; i++) {
        int takes = flags[i].argument == NULL     ? no_argument
                    : flags[i].argument[0] == '[' ? optional_argument
                                                  : required_argument;

        longs[i] = (struct option){flags[i].name, takes, NULL, flags[i].letter};
        *end++ = flags[i].letter;
        if (takes != no_argument)
            *end++ = ':';
        if (takes == optional_argument)
            *end++ = ':';
    }
    argv[0] = program_invocation_short_name; /* as getopt names it */
    for (bool ended = false;;) {
        int letter = getopt_long(argc, argv, shorts, longs, NULL);

        if (letter == '?')
            return false;
        if (letter != -1) {
            if (!note_flag(request, letter))
                return false;
            continue;
        }
        /* Flags may follow the number of a process, but what follows a command
         * is its own. Entries of argv already read are reused for operands. */
        ended = ended || strcmp(argv[optind - 1], "--") == 0;
        while (optind < argc &&
               (ended ||
                (find_given(request, 'p') == NULL &&
                 find_given(request, 'a') == NULL) ||
                *argv[optind] != '-' || argv[optind][1] == '\0'))
            request->operands[request->count++] = argv[optind++];
        if (optind == argc)
            break;
    }
    request->operands[request->count] = NULL;
    return true;
}

static bool is_off(const struct request *request)
{
    const char *setting = request->settings[KEEPALIVE_SWITCH];

    return setting != NULL && strcmp(setting, "KEEPALIVE=off") == 0;
}

/* The value of LD_PRELOAD, or "". Of two the loader obeys the last. */
static const char *find_preload(void)
{
    const char *value = "";

    for (char **variable = environ; variable != NULL && *variable != NULL;
         variable++)
        if (strncmp(*variable, "LD_PRELOAD=", 11) == 0)
            value = *variable + 11;
    return value;
}

/* Puts the library in front of LD_PRELOAD, once; the rest stays. */
static bool preload_library(const struct library *library)
{
    const char *word = find_preload();
    char *list = malloc(strlen(library->entry) + strlen(word) + 2);
    char *end;
    bool done;

    if (list == NULL)
        return false;
    end = stpcpy(list, library->entry);
    for (word += strspn(word, " :"); *word != '\0';
         word += strspn(word, " :")) {
        size_t length = strcspn(word, " :");

        if (!library_is(library, word, length)) {
            *end++ = ':';
            end = mempcpy(end, word, length);
        }
        word += length;
    }
    *end = '\0';
    unsetenv("LD_PRELOAD");
    done = setenv("LD_PRELOAD", list, 1) == 0;
    free(list);
    return done;
}

/* A KEEPALIVE=off in the environment is not meant for this command. Any other
 * value may be another program's, and keepalive is on with it. */
static void enable_keepalive(void)
{
    const char *old = getenv("KEEPALIVE");
    int value = KEEPALIVE_ON;

    if (old != NULL && keepalive_parse(KEEPALIVE_SWITCH, old, &value) &&
        value == KEEPALIVE_OFF)
        unsetenv("KEEPALIVE");
}

/* Becomes the command. Returns, with a status, only if that fails. */
static int run_command(const struct request *request)
{
    char *const *command = request->operands;
    struct library library;
    char obstacle[OBSTACLE];
    int status;

    if (!is_off(request)) {
        library_find(&library);
        if (library.fault != NULL) {
            warnx("%s: %s", library.path, library.fault);
            return STATUS_FAILED;
        }
        if (find_given(request, 'q') == NULL &&
            program_obstacle(obstacle, command, &library))
            warnx("%s", obstacle);
        if (!preload_library(&library)) {
            warn(NULL);
            return STATUS_FAILED;
        }
        enable_keepalive();
    }
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++)
        if (request->settings[i] != NULL) {
            unsetenv(keepalive_options[i].variable); /* all of that name */
            putenv(request->settings[i]);
        }
    execvp(command[0], command);
    status = errno == ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_RUN;
    warn_not_started(command[0], errno);
    return status;
}

static int count_settings(const struct request *request)
{
    int given = 0;

    for (int i = 0; i < KEEPALIVE_OPTIONS; i++)
        given += request->settings[i] != NULL;
    return given;
}

/* What the flags do to a socket that is open. */
static struct keepalive settings_wanted(const struct request *request)
{
    struct keepalive settings = {.count = 0};
    const char *bad[KEEPALIVE_OPTIONS];
    char *environment[KEEPALIVE_OPTIONS + 1] = {NULL};
    int count = 0;

    for (int i = 0; i < KEEPALIVE_OPTIONS; i++)
        if (request->settings[i] != NULL)
            environment[count++] = request->settings[i];
    if (is_off(request)) /* on a new socket this sets nothing */
        settings = (struct keepalive){
            .count = 1, .values = {{SOL_SOCKET, SO_KEEPALIVE, 0}}};
    else if (count > 0)
        keepalive_settings(&settings, environment, bad);
    return settings;
}

static void print_help(void)
{
    puts("usage: keepalive [FLAG...] COMMAND [ARGUMENT...]\n"
         "       keepalive [FLAG...] -p PID|NAME... | -a\n"
         "       keepalive --global on|off|status\n"
         "       keepalive [FLAG...] --cgroup DIR\n"
         "Runs a command with TCP keepalive, or shows, and with values sets, "
         "that of the\nsockets of running processes.\n");
    for (int i = 0; i < FLAGS; i++) {
        const struct flag *flag = &flags[i];
        int width = printf("  -%c, --%s", flag->letter, flag->name);

        if (flag->argument != NULL)
            width += printf("%s%s", flag->argument[0] == '[' ? "" : " ",
                            flag->argument);
        printf("%*s%s", 30 - width, "", flag->help);
        if (flag->argument != NULL && flag->row != NONE) {
            const struct keepalive_option *option =
                &keepalive_options[flag->row];

            printf("\n%30s%s, %d to %d%s%s", "", option->variable,
                   option->least, option->most,
                   option->unit[0] != '\0' ? " " : "", option->unit);
        }
        putchar('\n');
    }
    puts("\nA TIME is in seconds, or has s, m or h behind it.\n"
         "\nExamples:\n"
         "  keepalive -t 4m ssh host      first probe after 4 idle minutes\n"
         "  keepalive -a -m -t 240        every connection that is not kept "
         "alive"
         "\n"
         "\nExit status: the command's own; 125 if keepalive fails, 126 if the "
         "command\ncannot be run, 127 if it is not found. With -p and -a: 1 a "
         "process has ended, 2\none is out of reach, 3 the kernel refused a "
         "value, "
         "4 connections are not kept\nalive (-m). See keepalive(1).");
}

static const struct mode_name *find_mode(const struct request *request)
{
    const struct mode_name *mode = mode_names;

    while (mode->flag != 0 && find_given(request, mode->flag) == NULL)
        mode++;
    return mode;
}

/* Says what a flag needs that was given with nothing that it goes with. */
static void warn_needs(const struct flag *flag)
{
    char words[64] = "";

    for (const struct mode_name *mode = mode_names; mode->flag != 0; mode++)
        if ((flag->modes & mode->mode) != 0)
            snprintf(words + strlen(words), sizeof(words) - strlen(words),
                     "%s%s", words[0] == '\0' ? "" : " or ", mode->name);
    warnx("--%s needs %s", flag->name, words);
}

/* A flag that would have no effect is refused. */
static bool check_flags(const struct request *request,
                        const struct mode_name *mode)
{
    for (int i = 0; i < FLAGS; i++) {
        const struct flag *flag = &flags[i];

        if (request->given[i] == NULL)
            continue;
        if ((flag->modes & mode->mode) == 0) {
            if (mode->mode == RUN)
                warn_needs(flag);
            else
                warnx("--%s cannot be used with %s", flag->name, mode->name);
            return false;
        }
        if (find_given(request, 'o') != NULL && flag->letter != 'o' &&
            (flag->row != NONE || flag->letter == 'm')) {
            warnx("--off cannot be used with --%s", flag->name);
            return false;
        }
        if (find_given(request, 'p') != NULL && flag->letter == 'a') {
            warnx("--all cannot be used with -p");
            return false;
        }
    }
    return true;
}

/*
 * Values for the whole machine are the kernel's settings, and last if they are
 * in a file, see sysctl.d(5).
 */
static void explain_sysctl(const struct request *request)
{
    static const char *const names[KEEPALIVE_OPTIONS] = {
        [KEEPALIVE_COUNT] = "probes",
        [KEEPALIVE_IDLE] = "time",
        [KEEPALIVE_INTERVAL] = "intvl"};
    char words[256] = "";
    size_t length = 0;

    for (int i = 0; i < KEEPALIVE_OPTIONS; i++) {
        const char *setting = request->settings[i];
        int value = 0;

        if (setting == NULL || names[i] == NULL ||
            !keepalive_parse(i, strchr(setting, '=') + 1, &value))
            continue;
        length +=
            (size_t)snprintf(words + length, sizeof(words) - length,
                             " net.ipv4.tcp_keepalive_%s=%d", names[i], value);
    }
    if (length > 0)
        warnx("--global takes no values: run 'sysctl -w%s' for now, and put "
              "%s into a file in /etc/sysctl.d/ for the next boot",
              words,
              strchr(words + 1, ' ') == NULL ? words + 1 : "a line each");
}

static int answer_request(const struct request *request)
{
    const struct mode_name *mode = find_mode(request);
    struct keepalive settings;

    if (find_given(request, 'h') != NULL) {
        print_help();
        return 0;
    }
    if (find_given(request, 'V') != NULL) {
        puts("keepalive " KEEPALIVE_VERSION);
        return 0;
    }
    if (!check_flags(request, mode)) {
        if (mode->mode == MACHINE)
            explain_sysctl(request);
        return STATUS_FAILED;
    }
    if (((mode->mode & (MACHINE | CGROUP)) != 0 ||
         find_given(request, 'a') != NULL) &&
        request->count > 0) {
        warnx("%s: unexpected argument '%s'", mode->name,
              make_printable(request->operands[0]));
        return STATUS_FAILED;
    }
    if (mode->mode == MACHINE)
        return switch_machine(find_given(request, 'g'),
                              find_given(request, 'q') != NULL,
                              find_given(request, 'j') != NULL);
    settings = settings_wanted(request);
    if (mode->mode == CGROUP) {
        if (is_off(request))
            settings.count = 0;
        return switch_cgroup(find_given(request, 'G'),
                             count_settings(request) > 0 ? &settings : NULL);
    }
    if (request->count == 0 && find_given(request, 'a') == NULL) {
        warnx("no %s given; see keepalive --help",
              mode->mode == SOCKETS ? "process" : "command");
        return STATUS_FAILED;
    }
    if (mode->mode == RUN)
        return run_command(request);
    if (find_given(request, 'n') != NULL && settings.count == 0) {
        warnx("--dry-run cannot be used without values");
        return STATUS_FAILED;
    }
    return show_sockets(
        &(struct socket_request){.wanted = settings,
                                 .all = find_given(request, 'a') != NULL,
                                 .missing = find_given(request, 'm') != NULL,
                                 .dry_run = find_given(request, 'n') != NULL,
                                 .json = find_given(request, 'j') != NULL},
        request->operands, request->count);
}

int main(int argc, char *argv[])
{
    struct request request = {.operands = argv + 1};
    int status;

    if (argc == 1 && strcmp(argv[0], TRIAL_PROBE) == 0)
        return run_trial_probe();
    if (argc == 0 || !read_flags(&request, argc, argv))
        return STATUS_FAILED;
    status = answer_request(&request);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        warn("standard output");
        return STATUS_FAILED;
    }
    return status;
}
