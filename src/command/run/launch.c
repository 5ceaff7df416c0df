/*
 * launch.c - runs a command with the library
 * SPDX-License-Identifier: MIT
 */
#include "run/launch.h"

#include "locate.h"
#include "run/reach.h"
#include "text.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Sets a variable, or removes all of that name. */
static bool set_variable(const char *name, const char *value)
{
    unsetenv(name);
    return value == NULL || setenv(name, value, 1) == 0;
}

/* Puts the library in front of LD_PRELOAD, once; the rest stays. Of two
 * variables of that name the loader obeys the last. */
static bool preload_library(const struct library *library)
{
    char none[] = "";
    char *old = none;
    size_t length = strlen(library->entry);
    char *list;
    bool done;

    for (char **variable = environ; *variable != NULL; variable++)
        if (strncmp(*variable, "LD_PRELOAD=", 11) == 0)
            old = *variable + 11;
    list = malloc(length + strlen(old) + 2);
    if (list == NULL)
        return false;
    memcpy(list, library->entry, length + 1);
    for (char *word = strtok(old, " :"); word != NULL;
         word = strtok(NULL, " :"))
        if (!library_is(library, word, strlen(word)))
            stpcpy(stpcpy(strchr(list, '\0'), ":"), word);
    done = set_variable("LD_PRELOAD", list);
    free(list);
    return done;
}

/*
 * Puts the values into the environment, and stores which the command will have
 * there. A timeout of 0 is none. A KEEPALIVE=off or 0 that was there is not
 * meant for this command; any other value may be another program's, and
 * keepalive is on with it.
 */
static bool export_values(const struct wanted *wanted,
                          int values[KEEPALIVE_OPTIONS])
{
    const char *name = keepalive_options[KEEPALIVE_SWITCH].variable;
    const char *old = getenv(name);
    const char *word = wanted->values[KEEPALIVE_SWITCH] == 0 ? "off"
                       : wanted->force                       ? "force"
                                                             : NULL;
    int value = KEEPALIVE_ON;
    bool done = true;

    if (old != NULL)
        keepalive_parse(KEEPALIVE_SWITCH, old, &value);
    if (word != NULL || value == KEEPALIVE_OFF)
        done = set_variable(name, word);
    for (int i = KEEPALIVE_SWITCH + 1; i < KEEPALIVE_OPTIONS; i++) {
        const struct keepalive_option *option = &keepalive_options[i];
        char number[16];

        old = getenv(option->variable);
        values[i] = wanted->values[i];
        if (values[i] != NO_VALUE) {
            snprintf(number, sizeof(number), "%d", values[i] / option->scale);
            done = set_variable(option->variable,
                                values[i] == 0 ? NULL : number) &&
                   done;
        } else if (old != NULL && keepalive_parse(i, old, &values[i])) {
            values[i] *= option->scale;
        }
    }
    return done;
}

/* Says why execvp(3) could not start a command, and returns the status. */
static int explain_start(const char *name)
{
    int error = errno;
    const char *reason = strerror(error);
    struct stat status;

    if (strchr(name, '/') != NULL && stat(name, &status) == 0) {
        if (error == EACCES && (status.st_mode & 0111) == 0)
            reason = "the file has no execute permission";
        else if (error == ENOENT)
            reason = "the interpreter or loader that it needs was not found";
    }
    complain("%s: %s", *name == '\0' ? "''" : name, reason);
    return error == ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_RUN;
}

int run_command(const struct request *request)
{
    const struct wanted *wanted = &request->wanted;
    char *const *command = request->operands;
    bool off = wanted->values[KEEPALIVE_SWITCH] == 0;
    int values[KEEPALIVE_OPTIONS] = {NO_VALUE};
    struct library library;

    library_find(&library);
    if (!off && library.fault != NULL) {
        complain("%s: %s", library.path, library.fault);
        return STATUS_FAILED;
    }
    if ((!off && !preload_library(&library)) || !export_values(wanted, values))
        err(STATUS_FAILED, NULL);
    if (request->given['q'] == NULL && check_reach(command, &library, wanted) &&
        !off)
        hint_at_new_sockets(values);
    execvp(command[0], command);
    return explain_start(command[0]);
}
