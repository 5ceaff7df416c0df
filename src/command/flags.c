/*
 * flags.c - the command line: flags, help, and what goes with what
 * SPDX-License-Identifier: MIT
 */
#include "flags.h"

#include "text.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Modes in which values can be given, and all of them */
enum { WITH_VALUES = RUN | SOCKETS | CGROUP, ANY = WITH_VALUES | MACHINE };

/* The flag that asks for a mode, and how messages call it. */
static const struct mode_name {
    enum mode mode;
    char flag; /* 0: none does */
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
    {KEEPALIVE_IDLE, 't', "idle", "TIME", "idle time before a probe",
     WITH_VALUES},
    {KEEPALIVE_INTERVAL, 'i', "interval", "TIME", "time between probes",
     WITH_VALUES},
    {KEEPALIVE_COUNT, 'c', "count", "PROBES",
     "unanswered probes before giving up", WITH_VALUES},
    {KEEPALIVE_TIMEOUT, 'u', "timeout", "TIME",
     "time without acknowledgement of data", WITH_VALUES},
    {KEEPALIVE_SWITCH, 'o', "off", NULL, "turn keepalive off", WITH_VALUES},
    {KEEPALIVE_SWITCH, 'f', "force", NULL, "programs cannot change the values",
     RUN | CGROUP},
    {NONE, 'p', "pid", "[=PID]", "the sockets of processes, by number or name",
     SOCKETS},
    {NONE, 'a', "all", NULL, "the sockets of all processes", SOCKETS},
    {NONE, 'm', "missing", NULL,
     "only connections that lack keepalive or a value", SOCKETS},
    {NONE, 'n', "dry-run", NULL, "only show what would be set", SOCKETS},
    {NONE, 'g', "global", "on|off|status", "the whole machine", MACHINE},
    {NONE, 'G', "cgroup", "DIR|self", "every program of a cgroup", CGROUP},
    {NONE, 'j', "json", NULL, "print JSON", SOCKETS | MACHINE | CGROUP},
    {NONE, 'q', "quiet", NULL, "no warning about the command",
     RUN | MACHINE | CGROUP},
    {NONE, 'h', "help", NULL, "print this", ANY},
    {NONE, 'V', "version", NULL, "print the version", ANY},
};

enum { FLAGS = sizeof(flags) / sizeof(*flags) };

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

/* Says of a bad value what the library would say. */
static void refuse(const struct flag *flag, const char *value)
{
    char line[KEEPALIVE_COMPLAINT + 1];

    line[keepalive_refusal(line, flag->row, value)] = '\0';
    warnx("--%s: %s", flag->name, line);
}

/* Notes the value that a flag sets. */
static bool note_value(struct wanted *wanted, const struct flag *flag,
                       const char *text)
{
    int *on = &wanted->values[KEEPALIVE_SWITCH];
    int value;

    if (!keepalive_parse(flag->row, text, &value)) {
        refuse(flag, text);
        return false;
    }
    if (flag->row != KEEPALIVE_SWITCH)
        wanted->values[flag->row] = value * keepalive_options[flag->row].scale;
    else if (value == KEEPALIVE_FORCE)
        wanted->force = true;
    if (flag->row == KEEPALIVE_SWITCH && value == KEEPALIVE_OFF)
        *on = 0;
    else if (*on == NO_VALUE)
        *on = 1;
    return true;
}

/* Notes a flag; false, with a line on standard error, if its value is bad. */
static bool note_flag(struct request *request, int letter)
{
    int i = 0;

    while (flags[i].letter != letter)
        i++;
    request->given[letter] = optarg != NULL ? optarg : flags[i].name;
    if (letter == 'p' && optarg != NULL)
        request->operands[request->count++] = optarg;
    return flags[i].row == NONE ||
           note_value(&request->wanted, &flags[i], request->given[letter]);
}

/* `-pj 17` would take j for the name of a process. */
static bool is_number_behind_p(const char *text)
{
    if (text[strspn(text, "0123456789")] == '\0')
        return true;
    complain("-p%s: only a number may follow -p directly; write -p NAME", text);
    return false;
}

/* The table of flags for getopt_long(3). */
static void make_options(struct option longs[FLAGS + 1], char *shorts)
{
    *shorts++ = '+'; /* stop at the command */
    for (int i = 0; i < FLAGS; i++) {
        int takes = flags[i].argument == NULL     ? no_argument
                    : flags[i].argument[0] == '[' ? optional_argument
                                                  : required_argument;

        longs[i] = (struct option){flags[i].name, takes, NULL, flags[i].letter};
        *shorts++ = flags[i].letter;
        if (takes != no_argument)
            *shorts++ = ':';
        if (takes == optional_argument)
            *shorts++ = ':';
    }
    longs[FLAGS] = (struct option){0};
    *shorts = '\0';
}

/* The name of what is asked for. */
static const struct mode_name *find_mode(const struct request *request)
{
    const struct mode_name *mode = mode_names;

    while (mode->flag != 0 && request->given[(int)mode->flag] == NULL)
        mode++;
    return mode;
}

/* Takes operands up to the next flag. Flags may follow the number of a process,
 * but what follows a command is its own. Entries of argv already read are
 * reused for operands. */
static void take_operands(struct request *request, int argc, char *argv[])
{
    bool ended = strcmp(argv[optind - 1], "--") == 0;
    bool mixed = request->given['p'] != NULL || request->given['a'] != NULL;

    while (optind < argc &&
           (ended || !mixed || *argv[optind] != '-' || argv[optind][1] == '\0'))
        request->operands[request->count++] = argv[optind++];
}

bool read_flags(struct request *request, int argc, char *argv[])
{
    struct option longs[FLAGS + 1];
    char shorts[3 * FLAGS + 2];

    make_options(longs, shorts);
    *request = (struct request){.operands = argv + 1};
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++)
        request->wanted.values[i] = NO_VALUE;
    if (strrchr(argv[0], '/') != NULL)
        argv[0] = strrchr(argv[0], '/') + 1; /* as getopt names it */
    do {
        int letter;

        for (int index = NONE; /* of a long flag */
             (letter = getopt_long(argc, argv, shorts, longs, &index)) != -1;
             index = NONE)
            if (letter == '?' ||
                (letter == 'p' && index == NONE && optarg != NULL &&
                 !is_number_behind_p(optarg)) ||
                !note_flag(request, letter))
                return false;
        take_operands(request, argc, argv);
    } while (optind < argc);
    request->operands[request->count] = NULL;
    request->mode = find_mode(request)->mode;
    return true;
}

void print_help(void)
{
    puts("usage: keepalive [FLAG...] COMMAND [ARGUMENT...]\n"
         "       keepalive [FLAG...] -p PID|NAME... | -a\n"
         "       keepalive --global on|off|status\n"
         "       keepalive [FLAG...] --cgroup DIR|self\n"
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
    puts("\nA TIME is a number of seconds, optionally followed by s, m or h.\n"
         "\nExamples:\n"
         "  keepalive -t 2m ssh host      first probe after 2 idle minutes\n"
         "  keepalive -a -m -t 120        every connection whose first probe "
         "comes later\n"
         "\nExit status: the command's own; 125 if keepalive fails, 126 if the "
         "command\ncannot be run, 127 if it is not found. With -p and -a: 1 a "
         "process has ended, 2\none is out of reach, 3 the kernel refused a "
         "value, "
         "4 connections lack what\nis asked (-m). See keepalive(1).");
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
static bool check_flag(const struct request *request, const struct flag *flag)
{
    bool off = request->given['o'] != NULL;

    if ((flag->modes & request->mode) == 0 && request->mode == RUN)
        warn_needs(flag);
    else if ((flag->modes & request->mode) == 0)
        warnx("--%s cannot be used with %s", flag->name,
              find_mode(request)->name);
    else if (off && flag->letter != 'o' &&
             (flag->letter != 'f' || request->mode != CGROUP) &&
             (flag->row != NONE || flag->letter == 'm'))
        warnx("--off cannot be used with --%s", flag->name);
    else if (flag->letter == 'q' && request->mode == CGROUP &&
             request->given['j'] != NULL)
        warnx("--quiet cannot be used with --json");
    else if (request->given['p'] != NULL && flag->letter == 'a')
        warnx("--all cannot be used with -p");
    else
        return true;
    return false;
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
    int length = 0;

    for (int i = 0; i < KEEPALIVE_OPTIONS; i++)
        if (request->wanted.values[i] != NO_VALUE && names[i] != NULL)
            length += snprintf(words + length, sizeof(words) - (size_t)length,
                               " net.ipv4.tcp_keepalive_%s=%d", names[i],
                               request->wanted.values[i]);
    if (length > 0)
        warnx("--global takes no values: run 'sysctl -w%s' for now, and put "
              "%s into a file in /etc/sysctl.d/ for the next boot",
              words,
              strchr(words + 1, ' ') == NULL ? words + 1 : "a line each");
}

/* Are there operands where they are needed, and only there? */
static bool check_operands(const struct request *request)
{
    char printable[PRINTABLE];
    bool needed = request->mode == RUN ||
                  (request->mode == SOCKETS && request->given['a'] == NULL);

    if (!needed && request->count > 0)
        warnx("%s: unexpected argument '%s'", find_mode(request)->name,
              make_printable(printable, request->operands[0]));
    else if (needed && request->count == 0)
        warnx("no %s given; see keepalive --help",
              request->mode == SOCKETS ? "process" : "command");
    else
        return true;
    return false;
}

bool check_request(const struct request *request)
{
    for (int i = 0; i < FLAGS; i++)
        if (request->given[(int)flags[i].letter] != NULL &&
            !check_flag(request, &flags[i])) {
            if (request->mode == MACHINE)
                explain_sysctl(request);
            return false;
        }
    if (!check_operands(request))
        return false;
    if (request->given['n'] != NULL && !is_wanted(&request->wanted)) {
        warnx("--dry-run cannot be used without values");
        return false;
    }
    return true;
}
