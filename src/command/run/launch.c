/*
 * launch.c - runs a command with the library
 * SPDX-License-Identifier: MIT
 */
#include "run/launch.h"

#include "exit_status.h"
#include "flags.h"
#include "hints.h"
#include "locate.h"
#include "run/reach.h"
#include "text.h"
#include "values.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
    memcpy(list, library->entry, strlen(library->entry));
    end = list + strlen(library->entry);
    for (word += strspn(word, " :"); *word != '\0';
         word += strspn(word, " :")) {
        size_t length = strcspn(word, " :");

        if (!library_is(library, word, length)) {
            *end++ = ':';
            memcpy(end, word, length);
            end += length;
        }
        word += length;
    }
    *end = '\0';
    unsetenv("LD_PRELOAD");
    done = setenv("LD_PRELOAD", list, 1) == 0;
    free(list);
    return done;
}

/* A KEEPALIVE=off or 0 in the environment is not meant for this command. Any
 * other value may be another program's, and keepalive is on with it. */
static void enable_keepalive(void)
{
    const char *old = getenv("KEEPALIVE");
    int value = KEEPALIVE_ON;

    if (old != NULL && keepalive_parse(KEEPALIVE_SWITCH, old, &value) &&
        value == KEEPALIVE_OFF)
        unsetenv("KEEPALIVE");
}

/* Sets a variable, or removes all of that name. */
static bool set_variable(const char *name, const char *value)
{
    unsetenv(name);
    return value == NULL || setenv(name, value, 1) == 0;
}

/* Puts the values into the environment. A timeout of 0 is none. */
static bool export_values(const struct wanted *wanted)
{
    const char *word = wanted->values[KEEPALIVE_SWITCH] == 0 ? "off"
                       : wanted->force                       ? "force"
                                                             : NULL;
    bool done =
        word == NULL ||
        set_variable(keepalive_options[KEEPALIVE_SWITCH].variable, word);

    for (int i = 0; done && i < KEEPALIVE_OPTIONS; i++) {
        char number[16];

        if (i == KEEPALIVE_SWITCH || wanted->values[i] == NO_VALUE)
            continue;
        snprintf(number, sizeof(number), "%d",
                 wanted->values[i] / keepalive_options[i].scale);
        done = set_variable(keepalive_options[i].variable,
                            wanted->values[i] == 0 ? NULL : number);
    }
    return done;
}

/* Hints at values of the environment that the command will have. */
static void hint_at_environment(void)
{
    int given[KEEPALIVE_OPTIONS];

    for (int i = 0; i < KEEPALIVE_OPTIONS; i++) {
        const char *text = getenv(keepalive_options[i].variable);

        given[i] = NO_VALUE;
        if (text != NULL && keepalive_parse(i, text, &given[i]))
            given[i] *= keepalive_options[i].scale;
    }
    hint_at_new_sockets(given);
}

/* Why a command could not be started, for the error of execvp(3). */
static void warn_not_started(const char *name, int error)
{
    char printable[PRINTABLE];
    struct stat status;
    const char *reason = strerror(error);

    if (strchr(name, '/') != NULL && stat(name, &status) == 0 &&
        S_ISREG(status.st_mode)) {
        if (error == EACCES && (status.st_mode & 0111) == 0)
            reason = "the file has no execute permission";
        else if (error == ENOENT)
            reason = "the interpreter or loader that it needs was not found";
    }
    warnx("%s: %s", *name == '\0' ? "''" : make_printable(printable, name),
          reason);
}

int run_command(const struct request *request)
{
    char *const *command = request->operands;
    bool off = request->wanted.values[KEEPALIVE_SWITCH] == 0;
    char printable[PRINTABLE];
    struct library library;
    int error;

    library_find(&library);
    if (!off && library.fault != NULL) {
        warnx("%s: %s", make_printable(printable, library.path), library.fault);
        return STATUS_FAILED;
    }
    if (!off)
        enable_keepalive();
    if ((!off && !preload_library(&library)) ||
        !export_values(&request->wanted)) {
        warn(NULL);
        return STATUS_FAILED;
    }
    if (request->given['q'] == NULL &&
        check_reach(command, &library, &request->wanted) && !off)
        hint_at_environment();
    execvp(command[0], command);
    error = errno;
    warn_not_started(command[0], error);
    return error == ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_RUN;
}
