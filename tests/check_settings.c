/*
 * check_settings.c - what settings.c promises
 * SPDX-License-Identifier: MIT
 */
#include "contract.h"
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

START_TEST(table_is_the_contract)
{
    const struct keepalive_option *ours = &keepalive_options[_i];
    const struct keepalive_option *written = &contract[_i].option;

    ck_assert_msg(written->variable[0] != '\0', "row %d: not in contract.h",
                  _i);
    ck_assert_msg(ours->variable[0] != '\0', "row %d: not in settings.c", _i);
    /* What find_texts() skips, and room for the NUL: a name of 12 letters would
     * compile, without one. */
    ck_assert_msg(strncmp(ours->variable, "KEEP", 4) == 0 &&
                      memchr(ours->variable, '\0', sizeof(ours->variable)),
                  "%.12s: not KEEP and at most seven letters", ours->variable);
    ck_assert_str_eq(ours->variable, written->variable);
    ck_assert_str_eq(ours->unit, written->unit);
    ck_assert_int_eq(ours->level, written->level);
    ck_assert_int_eq(ours->option, written->option);
    ck_assert_int_eq(ours->least, written->least);
    ck_assert_int_eq(ours->most, written->most);
    ck_assert_int_eq(ours->scale, written->scale);
}
END_TEST

/* A text and the value that it stands for; REFUSED for a bad one. */
enum { REFUSED = -1 };

static const struct parse_case {
    int row;
    const char *text;
    int value;
} parse_cases[] = {
    {KEEPALIVE_SWITCH, "on", 1},
    {KEEPALIVE_SWITCH, "ON", 1},
    {KEEPALIVE_SWITCH, "oN", 1},
    {KEEPALIVE_SWITCH, "off", 0},
    {KEEPALIVE_SWITCH, "OFF", 0},
    {KEEPALIVE_SWITCH, "Off", 0},
    {KEEPALIVE_SWITCH, "", REFUSED},
    {KEEPALIVE_SWITCH, "false", REFUSED},
    {KEEPALIVE_SWITCH, "o", REFUSED},
    {KEEPALIVE_SWITCH, "of", REFUSED},
    {KEEPALIVE_SWITCH, "offf", REFUSED},
    {KEEPALIVE_SWITCH, "on ", REFUSED},
    {KEEPALIVE_SWITCH, " on", REFUSED},
    {KEEPALIVE_SWITCH, "off\n", REFUSED},
    /* a number is for somebody else, who wants keepalive, or with 0 does not */
    {KEEPALIVE_SWITCH, "1", 1},
    {KEEPALIVE_SWITCH, "65", 1},
    {KEEPALIVE_SWITCH, "0060", 1},
    {KEEPALIVE_SWITCH, "99999999999999999999999999999999", 1},
    {KEEPALIVE_SWITCH, "0", 0},
    {KEEPALIVE_SWITCH, "00", 0},
    {KEEPALIVE_SWITCH, "0s", REFUSED},
    {KEEPALIVE_SWITCH, "0 ", REFUSED},
    {KEEPALIVE_SWITCH, "-0", REFUSED},
    {KEEPALIVE_SWITCH, "-1", REFUSED},
    {KEEPALIVE_SWITCH, "1s", REFUSED},
    {KEEPALIVE_SWITCH, "1.5", REFUSED},
    {KEEPALIVE_SWITCH, " 1", REFUSED},
    {KEEPALIVE_SWITCH, "1 ", REFUSED},
    {KEEPALIVE_SWITCH, "yes", REFUSED},
    {KEEPALIVE_SWITCH, "no", REFUSED},
    {KEEPALIVE_SWITCH, "skip", REFUSED},
    {KEEPALIVE_SWITCH, "force", 2},
    {KEEPALIVE_SWITCH, "FORCE", 2},
    {KEEPALIVE_SWITCH, "Force", 2},
    {KEEPALIVE_SWITCH, "forced", REFUSED},
    {KEEPALIVE_SWITCH, "forc", REFUSED},
    {KEEPALIVE_SWITCH, "o\xCE", REFUSED}, /* 'N' with the high bit set */
    {KEEPALIVE_COUNT, "1", 1},
    {KEEPALIVE_COUNT, "127", 127},
    {KEEPALIVE_COUNT, "0", REFUSED},
    {KEEPALIVE_COUNT, "128", REFUSED},
    {KEEPALIVE_COUNT, "off", REFUSED},
    {KEEPALIVE_COUNT, "5s", REFUSED},
    {KEEPALIVE_COUNT, "5m", REFUSED},
    {KEEPALIVE_IDLE, "1", 1},
    {KEEPALIVE_IDLE, "180", 180},
    {KEEPALIVE_IDLE, "0180", 180},
    {KEEPALIVE_IDLE, "000000000000000000000000000000000000060", 60},
    {KEEPALIVE_IDLE, "32767", 32767},
    {KEEPALIVE_IDLE, "32768", REFUSED},
    {KEEPALIVE_IDLE, "99999", REFUSED},
    {KEEPALIVE_IDLE, "", REFUSED},
    {KEEPALIVE_IDLE, "0", REFUSED},
    {KEEPALIVE_IDLE, "00", REFUSED},
    {KEEPALIVE_IDLE, "-1", REFUSED},
    {KEEPALIVE_IDLE, "+60", REFUSED},
    {KEEPALIVE_IDLE, " 60", REFUSED},
    {KEEPALIVE_IDLE, "60 ", REFUSED},
    {KEEPALIVE_IDLE, "60\n", REFUSED},
    {KEEPALIVE_IDLE, "\t60", REFUSED},
    {KEEPALIVE_IDLE, "60s", 60},
    {KEEPALIVE_IDLE, "5m", 300},
    {KEEPALIVE_IDLE, "05m", 300},
    {KEEPALIVE_IDLE, "546m", 32760},
    {KEEPALIVE_IDLE, "9h", 32400},
    {KEEPALIVE_IDLE, "547m", REFUSED},
    {KEEPALIVE_IDLE, "10h", REFUSED},
    {KEEPALIVE_IDLE, "40000s", REFUSED},
    {KEEPALIVE_IDLE, "0s", REFUSED},
    {KEEPALIVE_IDLE, "0h", REFUSED},
    {KEEPALIVE_IDLE, "5 m", REFUSED},
    {KEEPALIVE_IDLE, "5M", REFUSED},
    {KEEPALIVE_IDLE, "5mm", REFUSED},
    {KEEPALIVE_IDLE, "5m ", REFUSED},
    {KEEPALIVE_IDLE, "5m0", REFUSED},
    {KEEPALIVE_IDLE, "m", REFUSED},
    {KEEPALIVE_IDLE, "1.5h", REFUSED},
    {KEEPALIVE_IDLE, "-5m", REFUSED},
    {KEEPALIVE_IDLE, "5d", REFUSED},
    {KEEPALIVE_IDLE, "6 0", REFUSED},
    {KEEPALIVE_IDLE, "60.0", REFUSED},
    {KEEPALIVE_IDLE, "1e2", REFUSED},
    {KEEPALIVE_IDLE, "0x3c", REFUSED},
    {KEEPALIVE_IDLE, "/", REFUSED}, /* the neighbours of '0' and '9' */
    {KEEPALIVE_IDLE, ":", REFUSED},
    {KEEPALIVE_IDLE, "\xD9\xA6", REFUSED}, /* an Arabic digit */
    {KEEPALIVE_IDLE, "2147483647", REFUSED},
    {KEEPALIVE_IDLE, "2147483649", REFUSED},
    {KEEPALIVE_IDLE, "4294967296", REFUSED},
    {KEEPALIVE_IDLE, "4294967356", REFUSED},           /* 60 in 32 bits */
    {KEEPALIVE_IDLE, "18446744073709551676", REFUSED}, /* 60 in 64 bits */
    {KEEPALIVE_IDLE, "99999999999999999999999999999999999999", REFUSED},
    {KEEPALIVE_INTERVAL, "1", 1},
    {KEEPALIVE_INTERVAL, "32767", 32767},
    {KEEPALIVE_INTERVAL, "0", REFUSED},
    {KEEPALIVE_INTERVAL, "32768", REFUSED},
    {KEEPALIVE_INTERVAL, "1m", 60},
    {KEEPALIVE_TIMEOUT, "1", 1},
    {KEEPALIVE_TIMEOUT, "2147483", 2147483},
    {KEEPALIVE_TIMEOUT, "0", 0},
    {KEEPALIVE_TIMEOUT, "00", 0},
    {KEEPALIVE_TIMEOUT, "0s", 0},
    {KEEPALIVE_TIMEOUT, "0h", 0},
    {KEEPALIVE_TIMEOUT, "-0", REFUSED},
    {KEEPALIVE_TIMEOUT, "2147484", REFUSED},
    {KEEPALIVE_TIMEOUT, "21474839", REFUSED},
    {KEEPALIVE_TIMEOUT, "5s", 5},
    {KEEPALIVE_TIMEOUT, "35791m", 2147460},
    {KEEPALIVE_TIMEOUT, "35792m", REFUSED},
    {KEEPALIVE_TIMEOUT, "596h", 2145600},
    {KEEPALIVE_TIMEOUT, "597h", REFUSED},
    {KEEPALIVE_TIMEOUT, "1193047h", REFUSED}, /* 1904 in 32 bits */
};

START_TEST(value_is_in_range_or_refused)
{
    const struct parse_case *c = &parse_cases[_i];
    int value = REFUSED;
    bool good = keepalive_parse(c->row, c->text, &value);

    ck_assert_msg(good == (c->value != REFUSED) && value == c->value,
                  "%s='%s': %d, not %d", contract[c->row].option.variable,
                  c->text, value, c->value);
}
END_TEST

/* The variable that sets an option. */
static const char *variable_of(int level, int option)
{
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++)
        if (contract[i].option.level == level &&
            contract[i].option.option == option)
            return contract[i].option.variable;
    return "?";
}

/* The settings as text: the calls in order, then the bad values. */
static const char *settings_of(char *const *environment)
{
    static char text[256];
    struct keepalive settings;
    const char *bad[KEEPALIVE_OPTIONS];
    char *end = text;
    bool found;

    memset(&settings, 0x55, sizeof(settings));
    found = keepalive_settings(&settings, environment, bad);
    *end = '\0';
    if (settings.force)
        end += sprintf(end, "force ");
    for (int i = 0; i < settings.count; i++)
        end += sprintf(
            end, "%s=%d ",
            variable_of(settings.values[i].level, settings.values[i].option),
            settings.values[i].value);
    for (int i = 0; found && i < KEEPALIVE_OPTIONS; i++)
        if (bad[i] != NULL)
            end += sprintf(end, "bad %s='%s' ", contract[i].option.variable,
                           bad[i]);
    return text;
}

#define ON "KEEPALIVE=1 "

/* KEEPTIMEOUT is in milliseconds for the kernel. */
static const struct settings_case {
    char *environment[6];
    const char *settings;
} settings_cases[] = {
    {{NULL}, ON},
    {{"HOME=/root", "PATH=/bin", NULL}, ON},
    {{"KEEPALIVE=on", NULL}, ON},
    {{"KEEPALIVE=", NULL}, ON},
    {{"KEEPALIVE=off", NULL}, ""},
    {{"KEEPALIVE=OFF", "KEEPCNT=2", NULL}, ""},
    {{"KEEPCNT=2", "KEEPALIVE=off", NULL}, ""},
    {{"KEEPCNT=11", NULL}, ON "KEEPCNT=11 "},
    {{"KEEPIDLE=12", NULL}, ON "KEEPIDLE=12 "},
    {{"KEEPINTVL=13", NULL}, ON "KEEPINTVL=13 "},
    {{"KEEPTIMEOUT=14", NULL}, ON "KEEPTIMEOUT=14000 "},
    {{"KEEPIDLE=4m", "KEEPINTVL=30s", "KEEPTIMEOUT=1h", NULL},
     ON "KEEPIDLE=240 KEEPINTVL=30 KEEPTIMEOUT=3600000 "},
    {{"KEEPALIVE=65", "KEEPIDLE=12", NULL}, ON "KEEPIDLE=12 "},
    {{"KEEPALIVE=0", "KEEPIDLE=12", NULL}, ""},
    {{"KEEPTIMEOUT=2147483", NULL}, ON "KEEPTIMEOUT=2147483000 "},
    /* none, as if it was not set, and not a bad value */
    {{"KEEPTIMEOUT=0", NULL}, ON},
    {{"KEEPTIMEOUT=0m", "KEEPIDLE=12", NULL}, ON "KEEPIDLE=12 "},
    {{"KEEPTIMEOUT=14", "KEEPINTVL=13", "KEEPIDLE=12", "KEEPCNT=11",
      "KEEPALIVE=on", NULL},
     ON "KEEPCNT=11 KEEPIDLE=12 KEEPINTVL=13 KEEPTIMEOUT=14000 "},
    {{"KEEPALIVE=force", NULL}, "force " ON},
    {{"KEEPALIVE=FORCE", "KEEPIDLE=12", NULL}, "force " ON "KEEPIDLE=12 "},
    {{"KEEPCNT=", "KEEPIDLE=", "KEEPINTVL=", NULL}, ON},
    /* a bad value leaves the others in force */
    {{"KEEPCNT=11", "KEEPIDLE=5M", "KEEPINTVL=13", NULL},
     ON "KEEPCNT=11 KEEPINTVL=13 bad KEEPIDLE='5M' "},
    {{"KEEPALIVE=maybe", "KEEPIDLE=12", NULL},
     ON "KEEPIDLE=12 bad KEEPALIVE='maybe' "},
    {{"KEEPALIVE=off", "KEEPIDLE=5M", NULL}, "bad KEEPIDLE='5M' "},
    {{"KEEPALIVE=x", "KEEPCNT=y", "KEEPIDLE=z", "KEEPINTVL=0", NULL},
     ON "bad KEEPALIVE='x' bad KEEPCNT='y' bad KEEPIDLE='z' "
        "bad KEEPINTVL='0' "},
    /* names that only look alike */
    {{"KEEPIDL=1", "KEEPIDLE1=1", "XKEEPIDLE=1", "keepidle=1", "KEEPIDLE",
      NULL},
     ON},
    {{"KEEPALIVE_X=off", "KEEPALIV=off", "KEEP=1", "K", "", NULL}, ON},
    /* of two the first counts, as with getenv(3); also where it is empty */
    {{"KEEPIDLE=12", "KEEPIDLE=99", NULL}, ON "KEEPIDLE=12 "},
    {{"KEEPIDLE=", "KEEPIDLE=99", NULL}, ON},
};

START_TEST(settings_follow_the_environment)
{
    const struct settings_case *c = &settings_cases[_i];

    ck_assert_str_eq(settings_of(c->environment), c->settings);
}
END_TEST

START_TEST(no_environment_is_an_empty_one)
{
    ck_assert_str_eq(settings_of(NULL), ON);
}
END_TEST

START_TEST(each_variable_is_read)
{
    const struct contract *c = &contract[_i];
    char entry[64], expected[128];
    char *environment[] = {entry, NULL};

    sprintf(entry, "%s=%s", c->option.variable, c->given);
    strcpy(expected, ON);
    if (_i != KEEPALIVE_SWITCH)
        sprintf(expected + strlen(ON), "%s=%d ", c->option.variable,
                atoi(c->given) * c->option.scale);
    ck_assert_str_eq(settings_of(environment), expected);
}
END_TEST

#define TEN "0123456789"
#define SIXTY TEN TEN TEN TEN TEN TEN

static const struct complaint_case {
    int row;
    const char *text;
    const char *line;
} complaint_cases[] = {
    {KEEPALIVE_IDLE, "5M",
     "libkeepalive: KEEPIDLE: '5M' is not a whole number of seconds from 1 "
     "to 32767 (5m is 300); using the system's value\n"},
    {KEEPALIVE_COUNT, "-1",
     "libkeepalive: KEEPCNT: '-1' is not a whole number of probes from 1 to "
     "127; using the system's value\n"},
    {KEEPALIVE_TIMEOUT, "x",
     "libkeepalive: KEEPTIMEOUT: 'x' is not a whole number of seconds from 0 "
     "to 2147483 (5m is 300); using none\n"},
    {KEEPALIVE_SWITCH, "maybe",
     "libkeepalive: KEEPALIVE: 'maybe' is not on, off or force; using on\n"},
    {KEEPALIVE_SWITCH, "\033[2Ja\tb\r\n\177\200\377c ~",
     "libkeepalive: KEEPALIVE: '?[2Ja?b?????c ~' is not on, off or force; "
     "using on\n"},
    {KEEPALIVE_INTERVAL, SIXTY "0123",
     "libkeepalive: KEEPINTVL: '" SIXTY
     "0123' is not a whole number of seconds "
     "from 1 to 32767 (5m is 300); using the system's value\n"},
    {KEEPALIVE_INTERVAL, SIXTY "01234",
     "libkeepalive: KEEPINTVL: '" SIXTY
     "0123...' is not a whole number of seconds "
     "from 1 to 32767 (5m is 300); using the system's value\n"},
};

START_TEST(complaint_is_one_clean_line)
{
    const struct complaint_case *c = &complaint_cases[_i];
    const char *value = strchr(c->line, '\'');
    char line[KEEPALIVE_COMPLAINT + 1] = {0};
    size_t size = keepalive_complaint(line, c->row, c->text);

    ck_assert_uint_le(size, KEEPALIVE_COMPLAINT);
    ck_assert_uint_eq(size, strlen(c->line));
    ck_assert_str_eq(line, c->line);
    /* The refusal is what stands between the variable and what happens now. */
    size = keepalive_refusal(line, c->row, c->text);
    ck_assert_uint_eq(size, (size_t)(strrchr(c->line, ';') - value));
    ck_assert(memcmp(line, value, size) == 0);
}
END_TEST

START_TEST(million_digits_are_refused_and_cut)
{
    size_t size = 1000000;
    char *text = malloc(size + 1);
    char line[KEEPALIVE_COMPLAINT];
    int value = REFUSED;

    ck_assert_ptr_nonnull(text);
    memset(text, '9', size);
    text[size] = '\0';
    ck_assert(!keepalive_parse(KEEPALIVE_IDLE, text, &value));
    ck_assert_uint_le(keepalive_complaint(line, KEEPALIVE_IDLE, text),
                      KEEPALIVE_COMPLAINT);
    free(text);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("cases");

    tcase_add_loop_test(cases, table_is_the_contract, 0, KEEPALIVE_OPTIONS);
    tcase_add_loop_test(cases, each_variable_is_read, 0, KEEPALIVE_OPTIONS);
    tcase_add_loop_test(cases, value_is_in_range_or_refused, 0,
                        ROWS(parse_cases));
    tcase_add_loop_test(cases, settings_follow_the_environment, 0,
                        ROWS(settings_cases));
    tcase_add_test(cases, no_environment_is_an_empty_one);
    tcase_add_loop_test(cases, complaint_is_one_clean_line, 0,
                        ROWS(complaint_cases));
    tcase_add_test(cases, million_digits_are_refused_and_cut);
    return run_suite("settings", cases);
}
