/*
 * check_settings.c - the laws of settings.c
 * SPDX-License-Identifier: MIT
 */
#include "keepalive.h"
#include "suite.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { SWITCH, COUNT, IDLE, INTERVAL, TIMEOUT };

/* The contract's table, written down a second time. */
static const struct keepalive_option contract[] = {
    {"KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE, 0, 2, 1},
    {"KEEPCNT", IPPROTO_TCP, TCP_KEEPCNT, 1, 127, 1},
    {"KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE, 1, 32767, 1},
    {"KEEPINTVL", IPPROTO_TCP, TCP_KEEPINTVL, 1, 32767, 1},
    {"KEEPTIMEOUT", IPPROTO_TCP, TCP_USER_TIMEOUT, 1, 2147483, 1000},
};

START_TEST(table_is_the_contract)
{
    ck_assert_int_eq(KEEPALIVE_OPTIONS, sizeof(contract) / sizeof(contract[0]));
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++) {
        ck_assert_str_eq(keepalive_options[i].variable, contract[i].variable);
        ck_assert_int_eq(keepalive_options[i].level, contract[i].level);
        ck_assert_int_eq(keepalive_options[i].option, contract[i].option);
        ck_assert_int_eq(keepalive_options[i].least, contract[i].least);
        ck_assert_int_eq(keepalive_options[i].most, contract[i].most);
        ck_assert_int_eq(keepalive_options[i].scale, contract[i].scale);
    }
}
END_TEST

/* A text and the value that it stands for; REFUSED for a bad one. */
enum { REFUSED = -1 };

static const struct parse_case {
    int row;
    const char *text;
    int value;
} parse_cases[] = {
    {SWITCH, "on", 1},
    {SWITCH, "ON", 1},
    {SWITCH, "oN", 1},
    {SWITCH, "off", 0},
    {SWITCH, "OFF", 0},
    {SWITCH, "Off", 0},
    {SWITCH, "", REFUSED},
    {SWITCH, "o", REFUSED},
    {SWITCH, "of", REFUSED},
    {SWITCH, "offf", REFUSED},
    {SWITCH, "on ", REFUSED},
    {SWITCH, " on", REFUSED},
    {SWITCH, "off\n", REFUSED},
    {SWITCH, "0", REFUSED},
    {SWITCH, "1", REFUSED},
    {SWITCH, "60", REFUSED},
    {SWITCH, "yes", REFUSED},
    {SWITCH, "no", REFUSED},
    {SWITCH, "skip", REFUSED},
    {SWITCH, "force", 2},
    {SWITCH, "FORCE", 2},
    {SWITCH, "Force", 2},
    {SWITCH, "forced", REFUSED},
    {SWITCH, "forc", REFUSED},
    {SWITCH, "o\xCE", REFUSED}, /* 'N' with the high bit set */
    {COUNT, "1", 1},
    {COUNT, "127", 127},
    {COUNT, "0", REFUSED},
    {COUNT, "128", REFUSED},
    {COUNT, "off", REFUSED},
    {IDLE, "1", 1},
    {IDLE, "180", 180},
    {IDLE, "0180", 180},
    {IDLE, "000000000000000000000000000000000000060", 60},
    {IDLE, "32767", 32767},
    {IDLE, "32768", REFUSED},
    {IDLE, "99999", REFUSED},
    {IDLE, "", REFUSED},
    {IDLE, "0", REFUSED},
    {IDLE, "00", REFUSED},
    {IDLE, "-1", REFUSED},
    {IDLE, "+60", REFUSED},
    {IDLE, " 60", REFUSED},
    {IDLE, "60 ", REFUSED},
    {IDLE, "60\n", REFUSED},
    {IDLE, "\t60", REFUSED},
    {IDLE, "5m", REFUSED},
    {IDLE, "60s", REFUSED},
    {IDLE, "6 0", REFUSED},
    {IDLE, "60.0", REFUSED},
    {IDLE, "1e2", REFUSED},
    {IDLE, "0x3c", REFUSED},
    {IDLE, "/", REFUSED}, /* the neighbours of '0' and '9' */
    {IDLE, ":", REFUSED},
    {IDLE, "\xD9\xA6", REFUSED}, /* an Arabic digit */
    {IDLE, "2147483647", REFUSED},
    {IDLE, "2147483649", REFUSED},
    {IDLE, "4294967296", REFUSED},
    {IDLE, "4294967356", REFUSED},           /* 60 in 32 bits */
    {IDLE, "18446744073709551676", REFUSED}, /* 60 in 64 bits */
    {IDLE, "99999999999999999999999999999999999999", REFUSED},
    {INTERVAL, "1", 1},
    {INTERVAL, "32767", 32767},
    {INTERVAL, "0", REFUSED},
    {INTERVAL, "32768", REFUSED},
    {TIMEOUT, "1", 1},
    {TIMEOUT, "2147483", 2147483},
    {TIMEOUT, "0", REFUSED},
    {TIMEOUT, "2147484", REFUSED},
    {TIMEOUT, "21474839", REFUSED},
    {TIMEOUT, "5s", REFUSED},
};

START_TEST(value_is_digits_in_range_or_refused)
{
    const struct parse_case *c = &parse_cases[_i];
    int value = REFUSED;
    bool good = keepalive_parse(&contract[c->row], c->text, &value);

    ck_assert_msg(good == (c->value != REFUSED) && value == c->value,
                  "%s='%s': %d, not %d", contract[c->row].variable, c->text,
                  value, c->value);
}
END_TEST

/* The settings as text: the calls in order, then the bad ones. */
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
        end += sprintf(end, "%d/%d=%d ", settings.values[i].level,
                       settings.values[i].option, settings.values[i].value);
    for (int i = 0; found && i < KEEPALIVE_OPTIONS; i++)
        if (bad[i] != NULL)
            end += sprintf(end, "bad %s='%s' ", contract[i].variable, bad[i]);
    return text;
}

/* 1/9 is SO_KEEPALIVE; 6/6, 6/4, 6/5, 6/18 are TCP_KEEPCNT, TCP_KEEPIDLE,
 * TCP_KEEPINTVL and TCP_USER_TIMEOUT, the last in milliseconds. */
static const struct settings_case {
    char *environment[6];
    const char *settings;
} settings_cases[] = {
    {{NULL}, "1/9=1 "},
    {{"HOME=/root", "PATH=/bin", NULL}, "1/9=1 "},
    {{"KEEPALIVE=on", NULL}, "1/9=1 "},
    {{"KEEPALIVE=", NULL}, "1/9=1 "},
    {{"KEEPALIVE=off", NULL}, ""},
    {{"KEEPALIVE=OFF", "KEEPCNT=2", NULL}, ""},
    {{"KEEPCNT=2", "KEEPALIVE=off", NULL}, ""},
    {{"KEEPCNT=11", NULL}, "1/9=1 6/6=11 "},
    {{"KEEPIDLE=12", NULL}, "1/9=1 6/4=12 "},
    {{"KEEPINTVL=13", NULL}, "1/9=1 6/5=13 "},
    {{"KEEPTIMEOUT=14", NULL}, "1/9=1 6/18=14000 "},
    {{"KEEPTIMEOUT=2147483", NULL}, "1/9=1 6/18=2147483000 "},
    {{"KEEPTIMEOUT=14", "KEEPINTVL=13", "KEEPIDLE=12", "KEEPCNT=11",
      "KEEPALIVE=on", NULL},
     "1/9=1 6/6=11 6/4=12 6/5=13 6/18=14000 "},
    {{"KEEPALIVE=force", NULL}, "force 1/9=1 "},
    {{"KEEPALIVE=FORCE", "KEEPIDLE=12", NULL}, "force 1/9=1 6/4=12 "},
    {{"KEEPCNT=", "KEEPIDLE=", "KEEPINTVL=", NULL}, "1/9=1 "},
    /* a bad value leaves the others in force */
    {{"KEEPCNT=11", "KEEPIDLE=5m", "KEEPINTVL=13", NULL},
     "1/9=1 6/6=11 6/5=13 bad KEEPIDLE='5m' "},
    {{"KEEPALIVE=maybe", "KEEPIDLE=12", NULL},
     "1/9=1 6/4=12 bad KEEPALIVE='maybe' "},
    {{"KEEPALIVE=off", "KEEPIDLE=5m", NULL}, "bad KEEPIDLE='5m' "},
    {{"KEEPALIVE=x", "KEEPCNT=y", "KEEPIDLE=z", "KEEPINTVL=0", NULL},
     "1/9=1 bad KEEPALIVE='x' bad KEEPCNT='y' bad KEEPIDLE='z' "
     "bad KEEPINTVL='0' "},
    /* names that only look alike */
    {{"KEEPIDL=1", "KEEPIDLE1=1", "XKEEPIDLE=1", "keepidle=1", "KEEPIDLE",
      NULL},
     "1/9=1 "},
    {{"KEEPALIVE_X=off", "KEEPALIV=off", "KEEP=1", "K", "", NULL}, "1/9=1 "},
    /* of two the first counts, as with getenv(3); also where it is empty */
    {{"KEEPIDLE=12", "KEEPIDLE=99", NULL}, "1/9=1 6/4=12 "},
    {{"KEEPIDLE=", "KEEPIDLE=99", NULL}, "1/9=1 "},
};

START_TEST(settings_follow_the_environment)
{
    const struct settings_case *c = &settings_cases[_i];

    ck_assert_str_eq(settings_of(c->environment), c->settings);
}
END_TEST

START_TEST(no_environment_is_an_empty_one)
{
    ck_assert_str_eq(settings_of(NULL), "1/9=1 ");
}
END_TEST

#define TEN "0123456789"
#define SIXTY TEN TEN TEN TEN TEN TEN

static const struct complaint_case {
    int row;
    const char *text;
    const char *line;
} complaint_cases[] = {
    {IDLE, "5m",
     "libkeepalive: KEEPIDLE: '5m' is not a whole number from 1 to 32767; "
     "using the system's value\n"},
    {COUNT, "-1",
     "libkeepalive: KEEPCNT: '-1' is not a whole number from 1 to 127; "
     "using the system's value\n"},
    {SWITCH, "maybe",
     "libkeepalive: KEEPALIVE: 'maybe' is not on, off or force; using on\n"},
    {SWITCH, "\033[2Ja\tb\r\n\177\200\377c ~",
     "libkeepalive: KEEPALIVE: '?[2Ja?b?????c ~' is not on, off or force; "
     "using on\n"},
    {INTERVAL, SIXTY "0123",
     "libkeepalive: KEEPINTVL: '" SIXTY "0123' is not a whole number from 1 "
     "to 32767; using the system's value\n"},
    {INTERVAL, SIXTY "01234",
     "libkeepalive: KEEPINTVL: '" SIXTY "0123...' is not a whole number from "
     "1 to 32767; using the system's value\n"},
};

START_TEST(complaint_is_one_clean_line)
{
    const struct complaint_case *c = &complaint_cases[_i];
    char line[KEEPALIVE_COMPLAINT + 1] = {0};
    size_t size = keepalive_complaint(line, &contract[c->row], c->text);

    ck_assert_uint_le(size, KEEPALIVE_COMPLAINT);
    ck_assert_uint_eq(size, strlen(c->line));
    ck_assert_str_eq(line, c->line);
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
    ck_assert(!keepalive_parse(&contract[IDLE], text, &value));
    ck_assert_uint_le(keepalive_complaint(line, &contract[IDLE], text),
                      KEEPALIVE_COMPLAINT);
    free(text);
}
END_TEST

int main(void)
{
    TCase *laws = tcase_create("laws");

    tcase_add_test(laws, table_is_the_contract);
    tcase_add_loop_test(laws, value_is_digits_in_range_or_refused, 0,
                        ROWS(parse_cases));
    tcase_add_loop_test(laws, settings_follow_the_environment, 0,
                        ROWS(settings_cases));
    tcase_add_test(laws, no_environment_is_an_empty_one);
    tcase_add_loop_test(laws, complaint_is_one_clean_line, 0,
                        ROWS(complaint_cases));
    tcase_add_test(laws, million_digits_are_refused_and_cut);
    return run_suite("settings", laws);
}
