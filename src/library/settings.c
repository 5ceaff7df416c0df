/*
 * settings.c - environment to settings: parsing, ranges, complaints
 * SPDX-License-Identifier: MIT
 *
 * Uses nothing from <stdio.h> or <stdlib.h>: this code runs inside every
 * program, before main() and perhaps in a signal handler, and strtol(3) would
 * accept blanks and signs and obey the locale.
 */
#include "keepalive.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define SECONDS "seconds"

const struct keepalive_option keepalive_options[KEEPALIVE_OPTIONS] = {
    [KEEPALIVE_SWITCH] = {"KEEPALIVE", "", SOL_SOCKET, SO_KEEPALIVE,
                          KEEPALIVE_OFF, KEEPALIVE_FORCE, 1},
    [KEEPALIVE_COUNT] = {"KEEPCNT", "probes", IPPROTO_TCP, TCP_KEEPCNT, 1, 127,
                         1},
    [KEEPALIVE_IDLE] = {"KEEPIDLE", SECONDS, IPPROTO_TCP, TCP_KEEPIDLE, 1,
                        32767, 1},
    [KEEPALIVE_INTERVAL] = {"KEEPINTVL", SECONDS, IPPROTO_TCP, TCP_KEEPINTVL, 1,
                            32767, 1},
    [KEEPALIVE_TIMEOUT] = {"KEEPTIMEOUT", SECONDS, IPPROTO_TCP,
                           TCP_USER_TIMEOUT, 0, 2147483, 1000},
};

/* The words for the values of row KEEPALIVE_SWITCH. */
static const char words[][6] = {
    [KEEPALIVE_OFF] = "off",
    [KEEPALIVE_ON] = "on",
    [KEEPALIVE_FORCE] = "force",
};

enum { SHOWN = 64 }; /* bytes of a bad value that a complaint shows */

/* Compares without regard to the case of ASCII letters, in any locale. */
static bool is_word(const char *word, const char *text)
{
    for (; *word != '\0'; word++, text++)
        if (*word != (*text >= 'A' && *text <= 'Z' ? *text + 32 : *text))
            return false;
    return *text == '\0';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/*
 * Other programs have a variable KEEPALIVE, too, with a number of seconds. To
 * them 0 means that keepalive is off, and any other number that it is on.
 */
static bool parse_word(const char *text, int *value)
{
    const char *digit = text;
    int number = KEEPALIVE_OFF;

    for (int i = KEEPALIVE_OFF; i <= KEEPALIVE_FORCE; i++)
        if (is_word(words[i], text)) {
            *value = i;
            return true;
        }
    for (; is_digit(*digit); digit++)
        if (*digit != '0')
            number = KEEPALIVE_ON;
    if (digit == text || *digit != '\0')
        return false;
    *value = number;
    return true;
}

/* The seconds in the unit of time that `text` is; 0 if it is none. */
static int seconds_in(const char *text)
{
    if (text[0] == '\0' || text[1] != '\0')
        return 0;
    return text[0] == 's' ? 1 : text[0] == 'm' ? 60 : text[0] == 'h' ? 3600 : 0;
}

static bool parse_number(const struct keepalive_option *option,
                         const char *text, int *value)
{
    const char *digits = text;
    long long number = 0;
    int factor = 1;

    for (; is_digit(*text); text++) {
        number = 10 * number + (*text - '0');
        /* Checked here, so that a long row of digits does not overflow. */
        if (number > option->most)
            return false;
    }
    if (text == digits)
        return false;
    if (*text != '\0')
        factor = is_word(SECONDS, option->unit) ? seconds_in(text) : 0;
    number *= factor;
    if (factor == 0 || number < option->least || number > option->most)
        return false;
    *value = (int)number;
    return true;
}

bool keepalive_parse(int row, const char *text, int *value)
{
    return row == KEEPALIVE_SWITCH
               ? parse_word(text, value)
               : parse_number(&keepalive_options[row], text, value);
}

/* What follows the prefix in the text; NULL if the text begins otherwise. */
static const char *skip_prefix(const char *prefix, const char *text)
{
    for (; *prefix != '\0'; prefix++, text++)
        if (*prefix != *text)
            return NULL;
    return text;
}

/* Finds the value of each variable, in one pass. False if there is none. */
static bool find_texts(const char *texts[KEEPALIVE_OPTIONS],
                       char *const *environment)
{
    static const char common[] = "KEEP"; /* begins every variable's name */
    bool found = false;

    for (; environment != NULL && *environment != NULL; environment++) {
        const char *rest = skip_prefix(common, *environment);

        for (int i = 0; rest != NULL && i < KEEPALIVE_OPTIONS; i++) {
            const char *name = keepalive_options[i].variable;
            const char *end = skip_prefix(name + sizeof(common) - 1, rest);

            if (texts[i] == NULL && end != NULL && *end == '=') {
                texts[i] = end + 1;
                found = true;
            }
        }
    }
    return found;
}

/* Parses the values. Returns a bit for each row that has one; a number of 0,
 * which the timeout alone can have, is none. */
static unsigned parse_texts(int values[KEEPALIVE_OPTIONS],
                            const char *const texts[KEEPALIVE_OPTIONS],
                            const char *bad[KEEPALIVE_OPTIONS])
{
    unsigned given = 0;

    for (int i = 0; i < KEEPALIVE_OPTIONS; i++) {
        bool empty = texts[i] == NULL || texts[i][0] == '\0';

        bad[i] = NULL;
        if (!empty && keepalive_parse(i, texts[i], &values[i]))
            given |= (unsigned)(values[i] != 0) << i;
        else if (!empty)
            bad[i] = texts[i];
    }
    return given;
}

bool keepalive_settings(struct keepalive *settings, char *const *environment,
                        const char *bad[KEEPALIVE_OPTIONS])
{
    const char *texts[KEEPALIVE_OPTIONS] = {NULL};
    int values[KEEPALIVE_OPTIONS] = {[KEEPALIVE_SWITCH] = KEEPALIVE_ON};
    bool found = find_texts(texts, environment);
    unsigned given = found ? parse_texts(values, texts, bad) : 0;

    settings->count = 0;
    settings->force = values[KEEPALIVE_SWITCH] == KEEPALIVE_FORCE;
    if (values[KEEPALIVE_SWITCH] == KEEPALIVE_OFF)
        return found;
    values[KEEPALIVE_SWITCH] = 1; /* what SO_KEEPALIVE takes for on */
    given |= 1U << KEEPALIVE_SWITCH;
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++)
        if ((given & 1U << i) != 0)
            settings->values[settings->count++] = (struct keepalive_value){
                keepalive_options[i].level, keepalive_options[i].option,
                values[i] * keepalive_options[i].scale};
    return found;
}

__attribute__((cold)) static char *put(char *end, const char *text)
{
    while (*text != '\0')
        *end++ = *text++;
    return end;
}

__attribute__((cold)) static char *put_number(char *end, int number)
{
    if (number > 9)
        end = put_number(end, number / 10);
    *end++ = (char)('0' + number % 10);
    return end;
}

/* The environment is untrusted: no escape sequence may reach the terminal. */
__attribute__((cold)) static char *put_untrusted(char *end, const char *text)
{
    int i = 0;

    for (; i < SHOWN && text[i] != '\0'; i++)
        *end++ = (char)(text[i] >= ' ' && text[i] <= '~' ? text[i] : '?');
    return text[i] == '\0' ? end : put(end, "...");
}

/* "1 to 32767", with what the numbers count. */
__attribute__((cold)) static char *
put_range(char *end, const struct keepalive_option *option)
{
    end = put(end, "a whole number ");
    if (option->unit[0] != '\0')
        end = put(put(put(end, "of "), option->unit), " ");
    end = put_number(put(end, "from "), option->least);
    end = put_number(put(end, " to "), option->most);
    return is_word(SECONDS, option->unit) ? put(end, " (5m is 300)") : end;
}

__attribute__((cold)) static char *put_refusal(char *end, int row,
                                               const char *text)
{
    end = put(put_untrusted(put(end, "'"), text), "' is not ");
    return row == KEEPALIVE_SWITCH ? put(end, "on, off or force")
                                   : put_range(end, &keepalive_options[row]);
}

size_t keepalive_refusal(char line[KEEPALIVE_COMPLAINT], int row,
                         const char *text)
{
    return (size_t)(put_refusal(line, row, text) - line);
}

__attribute__((cold)) size_t keepalive_complaint(char line[KEEPALIVE_COMPLAINT],
                                                 int row, const char *text)
{
    char *end = put(line, "libkeepalive: ");

    end = put(put(end, keepalive_options[row].variable), ": ");
    end = put(put_refusal(end, row, text),
              row == KEEPALIVE_SWITCH    ? "; using on\n"
              : row == KEEPALIVE_TIMEOUT ? "; using none\n"
                                         : "; using the system's value\n");
    return (size_t)(end - line);
}
