/*
 * main.c - the command line of keepalive; runs a command
 * SPDX-License-Identifier: MIT
 *
 * The flags that set a value become "VARIABLE=value", which is the environment
 * of a command and, through keepalive_settings(), what is done to the sockets
 * of a running process. A new one is a row in the table of flags.
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

static const struct flag {
    char letter;
    const char *name;
    const char *argument; /* what --help calls it; NULL: takes none */
    const char *variable; /* what it sets: a row of keepalive_options */
    const char *value;    /* what it sets it to, where it takes no argument */
    const char *help;
} flags[] = {
    {'t', "idle", "SECONDS", "KEEPIDLE", NULL, "idle time before a probe"},
    {'i', "interval", "SECONDS", "KEEPINTVL", NULL, "from probe to probe"},
    {'c', "count", "PROBES", "KEEPCNT", NULL, "probes without an answer"},
    {'u', "timeout", "SECONDS", "KEEPTIMEOUT", NULL, "data without an answer"},
    {'o', "off", NULL, "KEEPALIVE", "off", "no keepalive"},
    {'f', "force", NULL, "KEEPALIVE", "force", "the command cannot change it"},
    {'p', "pid", NULL, NULL, NULL, "the sockets of running processes"},
    {'g', "global", "on|off|status", NULL, NULL, "the whole machine"},
    {'j', "json", NULL, NULL, NULL, "with -p: print JSON"},
    {'q', "quiet", NULL, NULL, NULL, "no word on commands out of reach"},
    {'h', "help", NULL, NULL, NULL, "print this"},
    {'V', "version", NULL, NULL, NULL, "print the version"},
};

enum { FLAGS = sizeof(flags) / sizeof(*flags) };

/* What the command line asks for. */
struct request {
    const char *global;
    bool processes;
    bool json;
    bool quiet;
    bool help;
    bool version;
    char *settings[KEEPALIVE_OPTIONS]; /* "VARIABLE=value", or NULL */
    char **operands;
    int count;
};

static int row_of(const char *variable)
{
    int row = 0;

    while (strcmp(keepalive_options[row].variable, variable) != 0)
        row++;
    return row;
}

/* Takes the value of a flag where it is one. */
static bool set(struct request *request, const struct flag *flag,
                const char *value)
{
    int row = row_of(flag->variable);
    const struct keepalive_option *option = &keepalive_options[row];
    int number;

    if (!keepalive_parse(option, value, &number)) {
        warnx("--%s: '%s' is not a whole number from %d to %d", flag->name,
              value, option->least, option->most);
        return false;
    }
    free(request->settings[row]);
    if (asprintf(&request->settings[row], "%s=%s", flag->variable, value) < 0) {
        request->settings[row] = NULL;
        warn(NULL);
        return false;
    }
    return true;
}

static const struct flag *flag_of(int letter)
{
    for (int i = 0; i < FLAGS; i++)
        if (flags[i].letter == letter)
            return &flags[i];
    return NULL;
}

static bool take(struct request *request, const struct flag *flag)
{
    if (flag->variable != NULL)
        return set(request, flag, flag->value != NULL ? flag->value : optarg);
    switch (flag->letter) {
    case 'p':
        request->processes = true;
        break;
    case 'g':
        request->global = optarg;
        break;
    case 'j':
        request->json = true;
        break;
    case 'q':
        request->quiet = true;
        break;
    case 'h':
        request->help = true;
        break;
    default:
        request->version = true;
    }
    return true;
}

/* Reads the flags; false, with a line on standard error, at a bad one. */
static bool read_flags(struct request *request, int argc, char *argv[])
{
    struct option longs[FLAGS + 1] = {0};
    char shorts[2 * FLAGS + 2] = "+"; /* stop at the command */
    char *end = shorts + 1;

    for (int i = 0; i < FLAGS; i++) {
        int takes = flags[i].argument != NULL ? required_argument : no_argument;

        longs[i] = (struct option){flags[i].name, takes, NULL, flags[i].letter};
        *end++ = flags[i].letter;
        if (takes == required_argument)
            *end++ = ':';
    }
    for (;;) {
        int letter = getopt_long(argc, argv, shorts, longs, NULL);

        if (letter == '?')
            return false;
        if (letter != -1) {
            if (!take(request, flag_of(letter)))
                return false;
            continue;
        }
        /* Flags may stand behind the number of a process, but those behind a
         * command are its own. What is over with is room for operands. */
        while (optind < argc && (!request->processes || *argv[optind] != '-' ||
                                 argv[optind][1] == '\0'))
            request->operands[request->count++] = argv[optind++];
        if (optind == argc)
            break;
    }
    request->operands[request->count] = NULL;
    return true;
}

static bool is_off(const struct request *request)
{
    const char *setting = request->settings[0];

    return setting != NULL && strcmp(setting, "KEEPALIVE=off") == 0;
}

/* Puts the library in front of LD_PRELOAD, once; the rest stays. */
static bool preload(const struct library *library)
{
    const char *old = getenv("LD_PRELOAD");
    const char *word = old != NULL ? old : "";
    char *list = malloc(strlen(library->entry) + strlen(word) + 2);
    char *end;
    bool done;

    if (list == NULL)
        return false;
    end = stpcpy(list, library->entry);
    for (word += strspn(word, " :"); *word != '\0';
         word += strspn(word, " :")) {
        size_t length = strcspn(word, " :");

        if ((strncmp(word, library->entry, length) != 0 ||
             library->entry[length] != '\0') &&
            (strncmp(word, library->path, length) != 0 ||
             library->path[length] != '\0')) {
            *end++ = ':';
            end = mempcpy(end, word, length);
        }
        word += length;
    }
    *end = '\0';
    done = setenv("LD_PRELOAD", list, 1) == 0;
    free(list);
    return done;
}

/* A KEEPALIVE=off of the environment is not meant for this command. */
static bool switch_on(void)
{
    const char *old = getenv("KEEPALIVE");
    int value = KEEPALIVE_ON;

    if (old != NULL)
        keepalive_parse(&keepalive_options[0], old, &value);
    return value == KEEPALIVE_FORCE || setenv("KEEPALIVE", "on", 1) == 0;
}

/* Becomes the command. Returns only where that fails. */
static int run(struct request *request)
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
        if (!request->quiet && program_obstacle(obstacle, command, &library))
            warnx("%s", obstacle);
        if (!preload(&library) || !switch_on()) {
            warn(NULL);
            return STATUS_FAILED;
        }
    }
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++)
        if (request->settings[i] != NULL)
            putenv(request->settings[i]);
    execvp(command[0], command);
    status = errno == ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_RUN;
    warn("%s", command[0]);
    return status;
}

static int settings_given(const struct request *request)
{
    int given = 0;

    for (int i = 0; i < KEEPALIVE_OPTIONS; i++)
        given += request->settings[i] != NULL;
    return given;
}

/* What the flags do to a socket that is there already. */
static struct keepalive wanted(struct request *request)
{
    struct keepalive settings = {.count = 0};
    const char *bad[KEEPALIVE_OPTIONS];
    char *environment[KEEPALIVE_OPTIONS + 1] = {NULL};
    int count = 0;

    for (int i = 0; i < KEEPALIVE_OPTIONS; i++)
        if (request->settings[i] != NULL)
            environment[count++] = request->settings[i];
    if (is_off(request)) /* for a new socket this is to do nothing */
        settings = (struct keepalive){
            .count = 1, .values = {{SOL_SOCKET, SO_KEEPALIVE, 0}}};
    else if (count > 0)
        keepalive_settings(&settings, environment, bad);
    return settings;
}

static void print_help(void)
{
    puts("usage: keepalive [FLAG...] COMMAND [ARGUMENT...]\n"
         "       keepalive [FLAG...] -p PID...\n"
         "       keepalive --global on|off|status\n"
         "Runs a command with TCP keepalive, or shows, and with values sets, "
         "that of the\nsockets of running processes.\n");
    for (int i = 0; i < FLAGS; i++) {
        const struct flag *flag = &flags[i];
        int width = printf("  -%c, --%s", flag->letter, flag->name);

        if (flag->argument != NULL)
            width += printf(" %s", flag->argument);
        printf("%*s%s", 30 - width, "", flag->help);
        if (flag->argument != NULL && flag->variable != NULL) {
            const struct keepalive_option *option =
                &keepalive_options[row_of(flag->variable)];

            printf(", %d to %d", option->least, option->most);
        }
        putchar('\n');
    }
    puts("\nSee keepalive(1).");
}

static int answer(struct request *request)
{
    struct keepalive settings;

    if (request->help || request->version) {
        if (request->help)
            print_help();
        else
            puts("keepalive " KEEPALIVE_VERSION);
        return 0;
    }
    if (request->global != NULL) {
        if (request->count == 0 && !request->processes)
            return global(request->global);
        warnx("--global stands alone");
        return STATUS_FAILED;
    }
    if (request->json && !request->processes) {
        warnx("--json goes with -p");
        return STATUS_FAILED;
    }
    if (request->count == 0) {
        warnx("no %s given; see keepalive --help",
              request->processes ? "process" : "command");
        return STATUS_FAILED;
    }
    if (!request->processes)
        return run(request);
    settings = wanted(request);
    if (is_off(request) && settings_given(request) > 1) {
        warnx("--off stands alone with -p");
        return STATUS_FAILED;
    }
    if (settings.force) {
        warnx("--force goes with a command: a running process is not held");
        return STATUS_FAILED;
    }
    return processes(request->operands, request->count, &settings,
                     request->json);
}

int main(int argc, char *argv[])
{
    struct request request = {.operands = argv + 1};
    int status;

    if (argc == 1 && strcmp(argv[0], PROBE) == 0)
        return probe();
    if (argc == 0 || !read_flags(&request, argc, argv))
        return STATUS_FAILED;
    status = answer(&request);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        warn("standard output");
        return STATUS_FAILED;
    }
    return status;
}
