/*
 * starts.c - starts a program again and again, with random environments
 * SPDX-License-Identifier: MIT
 *
 *     starts KEEPALIVE_COUNT SEED LIBRARY PROBE
 *
 * Each start has the library and random bytes in the variables. None may die,
 * print more than a clean line for each variable, or lose keepalive, unless the
 * switch is off. The random numbers follow from the seed.
 */
#include "keepalive.h"
#include "sockets.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    VARIABLES = KEEPALIVE_OPTIONS,
    ENTRIES = 12,
    SHORT = 12,
    LONG = 100,
    HUGE = 100000, /* the kernel takes 128 KiB for each string */
};

static uint64_t state;

/* xorshift64: good enough for bytes, the same everywhere. */
static unsigned below(unsigned limit)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 32) % limit;
}

/* Writes a value, NUL included, and returns what is behind it. */
static char *put_value(char *end)
{
    static const char *const words[] = {"off", "on", "OFF", "oFf", "off ", ""};
    unsigned kind = below(8);
    unsigned size = below(below(200) == 0 ? HUGE : kind < 4 ? LONG : SHORT);

    if (kind == 7)
        return stpcpy(end, words[below(sizeof(words) / sizeof(*words))]) + 1;
    for (unsigned i = 0; i < size; i++)
        *end++ = (char)(kind < 4 ? 1 + below(255) : '0' + below(10));
    *end++ = '\0';
    return end;
}

/* Fills envp behind its first entry; of equal names the first counts. */
static bool make_environment(char *envp[ENTRIES + 2], char *text)
{
    unsigned count = below(ENTRIES + 1);
    const char *first = NULL;

    for (unsigned i = 1; i <= count; i++) {
        const char *name = contract[below(VARIABLES)].option.variable;
        bool is_switch = name == contract[KEEPALIVE_SWITCH].option.variable;

        envp[i] = text;
        text = stpcpy(text, name);
        if (below(10) != 0) {
            *text++ = '=';
            if (is_switch && first == NULL)
                first = text;
        }
        text = put_value(text);
    }
    envp[count + 1] = NULL;
    return first == NULL || strcasecmp(first, "off") != 0;
}

/* Each line is of another variable and holds nothing but printable ASCII. */
static bool is_clean(char *text)
{
    bool seen[VARIABLES] = {false};
    char *line, *end;

    for (line = text; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        bool known = false;

        for (int i = 0; i < VARIABLES; i++) {
            char start[64];

            snprintf(start, sizeof(start), "libkeepalive: %.11s: '",
                     contract[i].option.variable);
            if (strncmp(line, start, strlen(start)) == 0 && !seen[i])
                known = seen[i] = true;
        }
        for (char *c = line; c < end; c++)
            known = known && *c >= ' ' && *c <= '~';
        if (!known || end - line >= KEEPALIVE_COMPLAINT)
            return false;
    }
    return *line == '\0';
}

/* Starts the program once; standard error to text. Returns its status. */
static int start(char *argv[], char *envp[], char *text, size_t size)
{
    posix_spawn_file_actions_t actions;
    size_t used = 0;
    ssize_t got;
    int err[2], status, error;
    pid_t child;

    if (pipe2(err, O_CLOEXEC) < 0)
        return -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
    error = posix_spawn(&child, argv[0], &actions, NULL, argv, envp);
    posix_spawn_file_actions_destroy(&actions);
    close(err[1]);
    while (used < size - 1 &&
           (got = read(err[0], text + used, size - 1 - used)) > 0)
        used += (size_t)got;
    text[used] = '\0';
    close(err[0]);
    if (error != 0 || waitpid(child, &status, 0) != child)
        return -1;
    return status;
}

int main(int argc, char *argv[])
{
    static char preload[8192], text[ENTRIES * (HUGE + 64)], errors[8192];
    char *envp[ENTRIES + 2] = {preload};
    int count, off = 0, lines = 0;

    if (argc != 5) {
        fprintf(stderr, "usage: see the head of starts.c\n");
        return 2;
    }
    count = atoi(argv[1]);
    state = (uint64_t)atoll(argv[2]) * 2 + 1; /* never 0 */
    snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", argv[3]);
    for (int i = 0; i < count; i++) {
        char *program[] = {argv[4], (char *)"kept", NULL};
        bool on = make_environment(envp, text);
        int status = start(program, envp, errors, sizeof(errors));

        if (!WIFEXITED(status) || WEXITSTATUS(status) != (on ? 0 : 1) ||
            !is_clean(errors)) {
            printf("start %d: wait status %d, keepalive should be %s:\n%s", i,
                   status, on ? "on" : "off", errors);
            return 1;
        }
        off += !on;
        for (char *c = errors; (c = strchr(c, '\n')) != NULL; c++)
            lines++;
    }
    printf("%d starts: %d with keepalive off, %d lines of report\n", count, off,
           lines);
    return 0;
}
