/*
 * settings.c - environment to settings: parsing, ranges, what is wrong
 * SPDX-License-Identifier: MIT
 *
 * Nothing here comes from <stdio.h> or <stdlib.h>: this code runs inside
 * every program, before main() and perhaps inside a signal handler, and
 * strtol(3) would accept blanks and signs and obey a locale.
 */
#include "keepalive.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

const struct keepalive_option keepalive_options[KEEPALIVE_OPTIONS] = {
    {"KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE, KEEPALIVE_OFF, KEEPALIVE_FORCE, 1},
    {"KEEPCNT", IPPROTO_TCP, TCP_KEEPCNT, 1, 127, 1},
    {"KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE, 1, 32767, 1},
    {"KEEPINTVL", IPPROTO_TCP, TCP_KEEPINTVL, 1, 32767, 1},
    {"KEEPTIMEOUT", IPPROTO_TCP, TCP_USER_TIMEOUT, 1, 2147483, 1000},
};

/* The values of the switch, each at the index of its word. */
static const char words[][6] = {"off", "on", "force"};

enum { SHOWN = 64 }; /* bytes of a bad value that a complaint shows */

static bool is_switch(const struct keepalive_option *option)
{
    return option->level == SOL_SOCKET;
}

/* Compares without regard to the case of ASCII letters, in any locale. */
static bool same_word(const char *word, const char *text)
{
    for (; *word != '\0'; word++, text++)
        if (*word != (*text >= 'A' && *text <= 'Z' ? *text + 32 : *text))
            return false;
    return *text == '\0';
}

static bool parse_word(const struct keepalive_option *option, const char *text,
                       int *value)
{
    for (int i = option->least; i <= option->most; i++)
        if (same_word(words[i], text)) {
            *value = i;
            return true;
        }
    return false;
}

static bool parse_number(const struct keepalive_option *option,
                         const char *text, int *value)
{
    int number = 0;

    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        number = 10 * number + (*text - '0');
        /* Here, not behind the loop: a long row of digits must not overflow. */
        if (number > option->most)
            return false;
    }
    if (number < option->least)
        return false;
    *value = number;
    return true;
}

bool keepalive_parse(const struct keepalive_option *option, const char *text,
                     int *value)
{
    return is_switch(option) ? parse_word(option, text, value)
                             : parse_number(option, text, value);
}

/* What stands behind the prefix in the text; NULL where it is not one. */
static const char *behind(const char *prefix, const char *text)
{
    for (; *prefix != '\0'; prefix++, text++)
        if (*prefix != *text)
            return NULL;
    return text;
}

bool keepalive_settings(struct keepalive *settings, char *const *environment,
                        const char *bad[KEEPALIVE_OPTIONS])
{
    static const char common[] = "KEEP"; /* begins every variable's name */
    const char *texts[KEEPALIVE_OPTIONS] = {NULL};
    /* 0 leaves an option alone; the switch is on unless told otherwise. */
    int values[KEEPALIVE_OPTIONS] = {KEEPALIVE_ON};
    bool found = false;

    for (; environment != NULL && *environment != NULL; environment++) {
        const char *rest = behind(common, *environment);

        if (rest == NULL)
            continue;
        for (int i = 0; i < KEEPALIVE_OPTIONS; i++) {
            const char *name = keepalive_options[i].variable;
            const char *end = behind(name + sizeof(common) - 1, rest);

            if (texts[i] == NULL && end != NULL && *end == '=') {
                texts[i] = end + 1;
                found = true;
            }
        }
    }
    for (int i = 0; found && i < KEEPALIVE_OPTIONS; i++) {
        bool given = texts[i] != NULL && texts[i][0] != '\0';

        bad[i] = NULL;
        if (given &&
            !keepalive_parse(&keepalive_options[i], texts[i], &values[i]))
            bad[i] = texts[i];
    }
    settings->force = values[0] == KEEPALIVE_FORCE;
    if (settings->force)
        values[0] = KEEPALIVE_ON;
    settings->count = 0;
    for (int i = 0; values[0] != KEEPALIVE_OFF && i < KEEPALIVE_OPTIONS; i++)
        if (values[i] != 0)
            settings->values[settings->count++] = (struct keepalive_value){
                keepalive_options[i].level, keepalive_options[i].option,
                values[i] * keepalive_options[i].scale};
    return found;
}

static char *put(char *end, const char *text)
{
    while (*text != '\0')
        *end++ = *text++;
    return end;
}

static char *put_number(char *end, int number)
{
    if (number > 9)
        end = put_number(end, number / 10);
    *end++ = (char)('0' + number % 10);
    return end;
}

/* An environment is foreign text: no escape sequence reaches the terminal. */
static char *put_foreign(char *end, const char *text)
{
    int i = 0;

    for (; i < SHOWN && text[i] != '\0'; i++)
        *end++ = (char)(text[i] >= ' ' && text[i] <= '~' ? text[i] : '?');
    return text[i] == '\0' ? end : put(end, "...");
}

size_t keepalive_complaint(char line[KEEPALIVE_COMPLAINT],
                           const struct keepalive_option *option,
                           const char *text)
{
    char *end = put(line, "libkeepalive: ");

    end = put(end, option->variable);
    end = put(end, ": '");
    end = put_foreign(end, text);
    if (is_switch(option)) {
        end = put(end, "' is not on, off or force; using on\n");
    } else {
        end = put(end, "' is not a whole number from ");
        end = put_number(end, option->least);
        end = put(end, " to ");
        end = put_number(end, option->most);
        end = put(end, "; using the system's value\n");
    }
    return (size_t)(end - line);
}
