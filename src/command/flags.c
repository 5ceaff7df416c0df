/*
 * flags.c - the command line: flags, help, and what goes with what
 * SPDX-License-Identifier: MIT
 */
#include "flags.h"

#include "text.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

/* Modes in which values can be given, all of them, and a mark: the flag asks
 * for its mode. */
enum { VALUED = RUN | SOCKETS | CGROUP, ANY = VALUED | MACHINE, ASKS = 16 };

enum { NONE = -1, OPERAND = 1 };

/*
 * The flags. One that has a row of keepalive_options sets its value: to the
 * argument or, where it takes none, to its own name. The first ones, one for
 * each row but KEEPALIVE_SWITCH, are also the columns of tables and JSON; these
 * begin with that of KEEPALIVE_SWITCH.
 */
static const struct flag {
    int row;
    char letter;
    const char *name;
    const char *argument; /* as --help shows it; "": takes none */
    const char *help;
    unsigned modes; /* in which it has a meaning */
} flags[] = {
    {KEEPALIVE_IDLE, 't', "idle", " TIME", "idle time before a probe", VALUED},
    {KEEPALIVE_INTERVAL, 'i', "interval", " TIME", "time between probes",
     VALUED},
    {KEEPALIVE_COUNT, 'c', "count", " PROBES",
     "unanswered probes before giving up", VALUED},
    {KEEPALIVE_TIMEOUT, 'u', "timeout", " TIME",
     "time without acknowledgement of data", VALUED},
    {KEEPALIVE_SWITCH, 'o', "off", "", "turn keepalive off", VALUED},
    {KEEPALIVE_SWITCH, 'f', "force", "", "programs cannot change the values",
     RUN | CGROUP},
    {NONE, 'p', "pid", "[=PID]", "the sockets of processes, by number or name",
     ASKS | SOCKETS},
    {NONE, 'a', "all", "", "the sockets of all processes", ASKS | SOCKETS},
    {NONE, 'm', "missing", "",
     "only connections that lack keepalive or a value", SOCKETS},
    {NONE, 'n', "dry-run", "", "only show what would be set", SOCKETS},
    {NONE, 'g', "global", " on|off|status", "the whole machine",
     ASKS | MACHINE},
    {NONE, 'G', "cgroup", " DIR|self", "every program of a cgroup",
     ASKS | CGROUP},
    {NONE, 'j', "json", "", "print JSON", SOCKETS | MACHINE | CGROUP},
    {NONE, 'q', "quiet", "", "no warning about the command",
     RUN | MACHINE | CGROUP},
    {NONE, 'h', "help", "", "print this", ANY},
    {NONE, 'V', "version", "", "print the version", ANY},
};

enum { FLAGS = sizeof(flags) / sizeof(*flags) };

int find_column(int column, const char **name)
{
    *name = column == 0 ? "keepalive" : flags[column - 1].name;
    return column == 0 ? KEEPALIVE_SWITCH : flags[column - 1].row;
}

/* Notes the value that a flag sets; false, with what the library would say of
 * it, if it is bad. */
static bool note_value(struct wanted *wanted, const struct flag *flag,
                       const char *text)
{
    const struct keepalive_option *option = &keepalive_options[flag->row];
    int *on = &wanted->values[KEEPALIVE_SWITCH];
    char line[KEEPALIVE_COMPLAINT];
    int value;

    if (!keepalive_parse(flag->row, text, &value)) {
        complain("--%s: %.*s", flag->name,
                 (int)keepalive_refusal(line, flag->row, text), line);
        return false;
    }
    if (flag->row != KEEPALIVE_SWITCH)
        wanted->values[flag->row] = value * option->scale;
    wanted->force = wanted->force || flag->letter == 'f';
    *on = *on != 0 && flag->letter != 'o';
    return true;
}

/* Notes a flag or an operand. False, with a line on standard error, if its
 * value is bad. */
static bool note_flag(struct request *request, int letter, bool is_short)
{
    const struct flag *flag = flags;

    if (letter == 'p' && is_short && optarg != NULL &&
        optarg[strspn(optarg, "0123456789")] != '\0') {
        /* `-pj 17` would take j for the name of a process */
        complain("-p%s: only a number may follow -p directly; write -p NAME",
                 optarg);
        return false;
    }
    if (letter == OPERAND || (letter == 'p' && optarg != NULL))
        request->operands[request->count++] = optarg;
    if (letter == OPERAND)
        return true;
    while (flag->letter != letter)
        flag++;
    request->given[letter] = optarg != NULL ? optarg : flag->name;
    if ((flag->modes & ASKS) != 0) {
        request->mode = flag->modes & ANY;
        request->asked = flag->name;
    }
    return flag->row == NONE ||
           note_value(&request->wanted, flag, request->given[letter]);
}

/* Says what is wrong with a word, as getopt_long(3) does, whose own messages
 * pass on escape sequences. */
static bool refuse_flag(int letter, const char *word, const char *shorts)
{
    if (letter == ':')
        complain("option '%s' requires an argument", word);
    else if (optopt == 0)
        complain("unrecognized option '%s'", word);
    else if (optopt != ':' && strchr(shorts, optopt) != NULL)
        complain("option '%s' doesn't allow an argument", word);
    else
        complain("invalid option -- '%c'", optopt);
    return false;
}

/* The table of flags for getopt_long(3). */
static void make_options(struct option longs[FLAGS + 1], char *shorts)
{
    memcpy(shorts, "-:", 2); /* operands in their place, and no messages */
    shorts += 2;
    for (int i = 0; i < FLAGS; i++) {
        int takes = flags[i].argument[0] == '\0'  ? no_argument
                    : flags[i].argument[0] == '[' ? optional_argument
                                                  : required_argument;

        longs[i] = (struct option){flags[i].name, takes, NULL, flags[i].letter};
        *shorts++ = flags[i].letter;
        memcpy(shorts, "::", (size_t)takes);
        shorts += takes;
    }
    longs[FLAGS] = (struct option){0};
    *shorts = '\0';
}

/* Says what a flag needs that was given with nothing that it goes with. */
static void explain_need(const struct flag *flag)
{
    char words[64];
    int length = 0;

    for (int i = 0; i < FLAGS; i++)
        if ((flags[i].modes & ASKS) != 0 &&
            (flags[i].modes & flag->modes & ANY) != 0)
            length += sprintf(words + length, "%s--%s",
                              length == 0 ? "" : " or ", flags[i].name);
    complain("--%s needs %s", flag->name, words);
}

/*
 * A flag that would have no effect is refused. Values for the whole machine are
 * the kernel's settings, and last if they are in a file, see sysctl.d(5).
 */
static bool check_flag(const struct request *request, const struct flag *flag)
{
    static const char *const settings[KEEPALIVE_OPTIONS] = {
        [KEEPALIVE_COUNT] = "probes",
        [KEEPALIVE_IDLE] = "time",
        [KEEPALIVE_INTERVAL] = "intvl"};
    const char *const *given = request->given;
    const char *other = NULL;

    if ((flag->modes & request->mode) == 0)
        other = request->asked;
    else if (given['o'] != NULL && flag->letter != 'o' &&
             (flag->letter != 'f' || request->mode != CGROUP) &&
             (flag->row != NONE || flag->letter == 'm'))
        other = "off";
    else if (flag->letter == 'q' && request->mode == CGROUP &&
             given['j'] != NULL)
        other = "json";
    else if (flag->letter == 'a' && given['p'] != NULL)
        other = "pid";
    else
        return true;
    if (other == NULL)
        explain_need(flag);
    else if (request->mode == MACHINE && flag->row != NONE &&
             settings[flag->row] != NULL)
        complain("--%s cannot be used with --%s: run 'sysctl -w net.ipv4."
                 "tcp_keepalive_%s=%d', and for the next boot put that into a "
                 "file in /etc/sysctl.d/",
                 flag->name, other, settings[flag->row],
                 request->wanted.values[flag->row]);
    else
        complain("--%s cannot be used with --%s", flag->name, other);
    return false;
}

/* Can the request be answered? False, with a line, where something is missing,
 * or has no effect together with the rest. */
static bool check_request(const struct request *request)
{
    const char *const *given = request->given;
    bool sockets = request->mode == SOCKETS;
    bool needed = sockets ? given['a'] == NULL : request->mode == RUN;
    bool good = true;

    for (int i = 0; i < FLAGS; i++)
        if (given[(int)flags[i].letter] != NULL)
            good = check_flag(request, &flags[i]) && good;
    if (!good)
        return false;
    if (!needed && request->count > 0)
        complain("--%s: unexpected argument '%s'", request->asked,
                 request->operands[0]);
    else if (needed && request->count == 0)
        complain("no %s given; see keepalive --help",
                 sockets ? "process" : "command");
    else if (given['n'] != NULL && !is_wanted(&request->wanted))
        complain("--dry-run cannot be used without values");
    else
        return true;
    return false;
}

/*
 * Flags may follow the number of a process, but what follows a command is its
 * own. Entries of argv that have been read are reused for operands.
 */
bool read_request(struct request *request, int argc, char *argv[])
{
    struct option longs[FLAGS + 1];
    char shorts[3 * FLAGS + 3];
    int index = NONE; /* of a long flag */
    int letter;

    make_options(longs, shorts);
    *request = (struct request){.mode = RUN, .operands = argv + 1};
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++)
        request->wanted.values[i] = NO_VALUE;
    while ((letter = getopt_long(argc, argv, shorts, longs, &index)) != -1) {
        if (letter == '?' || letter == ':')
            return refuse_flag(letter, argv[optind - 1], shorts + 2);
        if (!note_flag(request, letter, index == NONE))
            return false;
        if (letter == OPERAND && request->mode != SOCKETS)
            break;
        index = NONE;
    }
    while (optind < argc)
        request->operands[request->count++] = argv[optind++];
    request->operands[request->count] = NULL;
    return request->given['h'] != NULL || request->given['V'] != NULL ||
           check_request(request);
}

void print_help(void)
{
    puts("usage: keepalive [FLAG...] COMMAND [ARGUMENT...]\n"
         "       keepalive [FLAG...] -p PID|NAME... | -a\n"
         "       keepalive --global on|off|status\n"
         "       keepalive [FLAG...] --cgroup DIR|self\n"
         "Runs a command with TCP keepalive, or shows, and with values sets, "
         "that of the\nsockets of running processes.\n");
    for (const struct flag *flag = flags; flag < flags + FLAGS; flag++) {
        const struct keepalive_option *option = keepalive_options;
        int width =
            printf("  -%c, --%s%s", flag->letter, flag->name, flag->argument);

        printf("%*s%s\n", 30 - width, "", flag->help);
        if (flag->argument[0] == '\0' || flag->row == NONE)
            continue;
        option += flag->row;
        printf("%30s%s, %d to %d%s%s\n", "", option->variable, option->least,
               option->most, option->unit[0] != '\0' ? " " : "", option->unit);
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
