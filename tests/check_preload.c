/*
 * check_preload.c - libkeepalive.so, as a program meets it
 * SPDX-License-Identifier: MIT
 *
 * Each case starts tests/probe.c with an environment of its own and compares
 * what it prints. The suite itself runs without the library, so the sockets
 * that it makes show what the kernel does by itself.
 */
#include "sockets.h"
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BYTES = 8192 };

static char preload[BYTES], probe[BYTES];

/* The values of an environment, NULL for one that is not set. */
struct environment {
    const char *values[KEEPALIVE_OPTIONS];
};

static const struct environment environments[] = {
    {{NULL}},
    {{[KEEPALIVE_SWITCH] = "on"}},
    {{[KEEPALIVE_COUNT] = "11",
      [KEEPALIVE_IDLE] = "222",
      [KEEPALIVE_INTERVAL] = "33",
      [KEEPALIVE_TIMEOUT] = "44"}},
    {{"ON", [KEEPALIVE_COUNT] = "127", [KEEPALIVE_IDLE] = "1",
      [KEEPALIVE_INTERVAL] = "32767", [KEEPALIVE_TIMEOUT] = "2147483"}},
    {{"force", [KEEPALIVE_COUNT] = "11", [KEEPALIVE_IDLE] = "222",
      [KEEPALIVE_TIMEOUT] = "44"}},
    {{"", [KEEPALIVE_COUNT] = "", [KEEPALIVE_IDLE] = "",
      [KEEPALIVE_INTERVAL] = "", [KEEPALIVE_TIMEOUT] = ""}},
    {{"off"}},
    {{"Off", [KEEPALIVE_COUNT] = "11", [KEEPALIVE_IDLE] = "222",
      [KEEPALIVE_INTERVAL] = "33"}},
};

/* The test value of each row, and of one row alone. */
static struct environment all;
static struct environment alone[KEEPALIVE_OPTIONS];

static void make_environments(void)
{
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++)
        all.values[i] = alone[i].values[i] = contract[i].given;
}

/* Those of the table, then each row alone. */
enum { ENVIRONMENTS = ROWS(environments) + KEEPALIVE_OPTIONS };

static const struct environment *environment_of(int i)
{
    return i < ROWS(environments) ? &environments[i]
                                  : &alone[i - ROWS(environments)];
}

struct output {
    char out[BYTES], err[BYTES];
    int status;
};

static void read_all(int fd, char text[BYTES])
{
    size_t size = 0;
    ssize_t got;

    while (size < BYTES - 1 &&
           (got = read(fd, text + size, BYTES - 1 - size)) > 0)
        size += (size_t)got;
    text[size] = '\0';
    close(fd);
}

static void run(struct output *output, char *const envp[], const char *command,
                int first_closed)
{
    char *argv[] = {probe, (char *)command, NULL};
    int out[2], err[2], status;
    pid_t child;

    ck_assert(pipe(out) == 0 && pipe(err) == 0);
    child = fork();
    if (child == 0) {
        dup2(out[1], STDOUT_FILENO);
        dup2(err[1], STDERR_FILENO);
        for (int fd = first_closed; fd < 64; fd++)
            close(fd);
        execve(probe, argv, envp);
        _exit(127);
    }
    close(out[1]);
    close(err[1]);
    read_all(out[0], output->out);
    read_all(err[0], output->err);
    ck_assert(waitpid(child, &status, 0) == child);
    ck_assert_msg(WIFEXITED(status), "%s: signal %d", command,
                  WTERMSIG(status));
    output->status = WEXITSTATUS(status);
}

/* Starts the probe with the library and these values. */
static void run_with(struct output *output, const struct environment *with,
                     const char *command)
{
    static char entries[KEEPALIVE_OPTIONS][64];
    char *envp[KEEPALIVE_OPTIONS + 2] = {preload};
    int count = 1;

    for (int i = 0; i < KEEPALIVE_OPTIONS; i++)
        if (with->values[i] != NULL) {
            snprintf(entries[i], sizeof(entries[i]), "%.11s=%s",
                     contract[i].option.variable, with->values[i]);
            envp[count++] = entries[i];
        }
    run(output, envp, command, 3);
}

static bool is_given(const struct environment *with, int row)
{
    return with->values[row] != NULL && *with->values[row] != '\0';
}

static bool is_off(const struct environment *with)
{
    return is_given(with, KEEPALIVE_SWITCH) &&
           strcasecmp(with->values[KEEPALIVE_SWITCH], "off") == 0;
}

/* What a socket that counts should have in place of this value. */
static int value_with(const struct environment *with, int row, int value)
{
    if (is_off(with))
        return value;
    if (row == KEEPALIVE_SWITCH)
        return 1;
    /* Multipath TCP has no timeout: it stays unknown. */
    if (!is_given(with, row) || value == -1)
        return value;
    return atoi(with->values[row]) * contract[row].option.scale;
}

/* Appends what a socket should print: the kernel's values, or ours. */
static void expect(char text[BYTES], const struct environment *with,
                   const char *label, int family, int type, int protocol,
                   bool counts)
{
    char *end = text + strlen(text);
    int fd = socket(family, type, protocol);

    end += sprintf(end, "%s:", label);
    if (fd < 0)
        end += sprintf(end, " errno %d", errno);
    for (int i = 0; fd >= 0 && i < KEEPALIVE_OPTIONS; i++) {
        int value = option_of(fd, i);

        end = put_option(end, i, counts ? value_with(with, i, value) : value);
    }
    sprintf(end, "\n");
    close(fd);
}

START_TEST(sockets_follow_the_table)
{
    const struct environment *with = environment_of(_i);
    static struct output output;
    char expected[BYTES] = "";

    for (int i = 0; i < ROWS(socket_cases); i++)
        expect(expected, with, socket_cases[i].label, socket_cases[i].family,
               socket_cases[i].type, socket_cases[i].protocol,
               socket_cases[i].counts);
    run_with(&output, with, "sockets");
    ck_assert_str_eq(output.out, expected);
    ck_assert_str_eq(output.err, "");
    ck_assert_int_eq(output.status, 0);
}
END_TEST

START_TEST(accepted_sockets_inherit)
{
    const struct environment *with = environment_of(_i);
    static struct output output;
    char expected[BYTES] = "";

    expect(expected, with, "accepted IPv4", AF_INET, SOCK_STREAM, 0, true);
    expect(expected, with, "accepted IPv6", AF_INET6, SOCK_STREAM, 0, true);
    run_with(&output, with, "accept");
    ck_assert_str_eq(output.out, expected);
    ck_assert_str_eq(output.err, "");
}
END_TEST

START_TEST(settings_are_read_once_before_main)
{
    static struct output output;
    char expected[BYTES] = "";

    expect(expected, &all, "late", AF_INET, SOCK_STREAM, 0, true);
    run_with(&output, &all, "late");
    ck_assert_str_eq(output.out, expected);
}
END_TEST

START_TEST(message_of_the_loader_stays)
{
    static struct output output;

    run_with(&output, &all, "message");
    ck_assert_str_eq(output.out, "message: kept\n");
}
END_TEST

START_TEST(no_descriptor_left_comes_through)
{
    static struct output output;
    char expected[64];

    run_with(&output, &all, "full");
    snprintf(expected, sizeof(expected), "full: errno %d\n", EMFILE);
    ck_assert_str_eq(output.out, expected);
}
END_TEST

START_TEST(closed_standard_descriptors_are_served)
{
    /* the bad value: its report must not end in a descriptor of the program */
    char *envp[] = {preload, (char *)"KEEPIDLE=5M", NULL};
    static struct output output;

    run(&output, envp, "closed", 0);
    ck_assert_int_eq(output.status, 0);
}
END_TEST

START_TEST(no_arguments_are_served)
{
    static struct output with, without;

    run_with(&with, &all, "arguments");
    run_with(&without, &all, "sockets");
    ck_assert_str_eq(with.out, without.out);
    ck_assert_str_eq(with.err, "");
}
END_TEST

#define NUMBER "a whole number of seconds from "
#define SECONDS NUMBER "1 to "
#define SYSTEM " (5m is 300); using the system's value\n"

static const struct report_case {
    struct environment with;
    struct environment instead; /* what it comes down to */
    const char *report;
} report_cases[] = {
    {{{[KEEPALIVE_IDLE] = "5M"}},
     {{NULL}},
     "libkeepalive: KEEPIDLE: '5M' is not " SECONDS "32767" SYSTEM},
    {{{[KEEPALIVE_COUNT] = "0",
       [KEEPALIVE_IDLE] = "222",
       [KEEPALIVE_INTERVAL] = "99999",
       [KEEPALIVE_TIMEOUT] = "44"}},
     {{[KEEPALIVE_IDLE] = "222", [KEEPALIVE_TIMEOUT] = "44"}},
     "libkeepalive: KEEPCNT: '0' is not a whole number of probes from 1 to "
     "127; using the system's value\n"
     "libkeepalive: KEEPINTVL: '99999' is not " SECONDS "32767" SYSTEM},
    {{{"no", [KEEPALIVE_COUNT] = "11", [KEEPALIVE_INTERVAL] = "33"}},
     {{[KEEPALIVE_COUNT] = "11", [KEEPALIVE_INTERVAL] = "33"}},
     "libkeepalive: KEEPALIVE: 'no' is not on, off or force; using on\n"},
    /* another program's variable of this name: not a word about it */
    {{{"65", [KEEPALIVE_COUNT] = "11"}}, {{[KEEPALIVE_COUNT] = "11"}}, ""},
    {{{"00", [KEEPALIVE_COUNT] = "11"}}, {{"off"}}, ""},
    {{{"skip", [KEEPALIVE_IDLE] = " 60", [KEEPALIVE_TIMEOUT] = "2147484"}},
     {{NULL}},
     "libkeepalive: KEEPALIVE: 'skip' is not on, off or force; using on\n"
     "libkeepalive: KEEPIDLE: ' 60' is not " SECONDS "32767" SYSTEM
     "libkeepalive: KEEPTIMEOUT: '2147484' is not " NUMBER
     "0 to 2147483 (5m is 300); using none\n"},
    /* none, and no word about it */
    {{{[KEEPALIVE_IDLE] = "222", [KEEPALIVE_TIMEOUT] = "0"}},
     {{[KEEPALIVE_IDLE] = "222"}},
     ""},
    {{{"off", [KEEPALIVE_COUNT] = "x"}},
     {{"off"}},
     "libkeepalive: KEEPCNT: 'x' is not a whole number of probes from 1 to "
     "127; using the system's value\n"},
};

START_TEST(bad_value_is_one_line_and_the_others_count)
{
    const struct report_case *c = &report_cases[_i];
    static struct output output;
    char expected[BYTES] = "";

    expect(expected, &c->instead, "accepted IPv4", AF_INET, SOCK_STREAM, 0,
           true);
    expect(expected, &c->instead, "accepted IPv6", AF_INET6, SOCK_STREAM, 0,
           true);
    run_with(&output, &c->with, "accept");
    ck_assert_str_eq(output.err, c->report);
    ck_assert_str_eq(output.out, expected);
    ck_assert_int_eq(output.status, 0);
}
END_TEST

/* Of every call of setsockopt() the program gets what the kernel says. */
START_TEST(setsockopt_returns_what_it_would)
{
    static const char *const switches[] = {"on", "force", "force", "off"};
    struct environment with = _i == 1 ? (struct environment){{NULL}} : all;
    char *none[] = {NULL};
    static struct output without, output;

    with.values[KEEPALIVE_SWITCH] = switches[_i];
    run(&without, none, "calls", 3);
    run_with(&output, &with, "calls");
    ck_assert_str_eq(output.out, without.out);
    ck_assert_str_eq(output.err, without.err);
}
END_TEST

/* Appends what a socket prints on which the program has set its own values. */
static void expect_own(char text[BYTES], const struct environment *with,
                       const char *label, bool counts)
{
    bool force = counts && is_given(with, KEEPALIVE_SWITCH) &&
                 strcasecmp(with->values[KEEPALIVE_SWITCH], "force") == 0;
    char *end = text + strlen(text);

    end += sprintf(end, "%s:", label);
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++) {
        int own = contract[i].own;

        /* other sockets than those that count have the switch alone */
        if (counts || i == KEEPALIVE_SWITCH)
            end = put_option(end, i, force ? value_with(with, i, own) : own);
    }
    sprintf(end, "\n");
}

/* With a switch: all rows, then none, then each alone. */
START_TEST(force_keeps_what_was_given_and_nothing_else)
{
    static const char *const switches[] = {"on", "off", "force", "FORCE"};
    static const char *const labels[] = {"IPv4", "IPv6", "accepted"};
    enum { RAW = 1 };
    static const char *const others[] = {"datagram", [RAW] = "raw", "local"};
    int raw = socket(AF_INET, SOCK_RAW, IPPROTO_TCP);
    struct environment with = _i == 4 ? (struct environment){{NULL}}
                              : _i < ROWS(switches) ? all
                                                    : alone[_i - 5];
    static struct output output;
    char expected[BYTES] = "";

    with.values[KEEPALIVE_SWITCH] =
        _i < ROWS(switches) ? switches[_i] : "force";
    for (int i = 0; i < ROWS(labels); i++)
        expect_own(expected, &with, labels[i], true);
    for (int i = 0; i < ROWS(others); i++)
        if (i != RAW || raw >= 0) /* that takes a capability */
            expect_own(expected, &with, others[i], false);
    close(raw);
    run_with(&output, &with, "override");
    ck_assert_str_eq(output.out, expected);
    ck_assert_str_eq(output.err, "");
}
END_TEST

/* A program is neither stopped by a full pipe nor ended by a broken one. */
START_TEST(report_never_stops_the_program)
{
    char *envp[] = {preload, (char *)"KEEPIDLE=5M", NULL};
    char *argv[] = {(char *)"true", NULL};
    int err[2], status;
    pid_t child;

    ck_assert_int_eq(pipe2(err, O_CLOEXEC), 0);
    if (_i == 0) { /* nobody reads */
        close(err[0]);
    } else if (_i == 1) { /* a file that may not grow */
        err[1] = memfd_create("full", 0);
    } else { /* nobody reads, and it is full */
        ck_assert_int_eq(fcntl(err[1], F_SETFL, O_NONBLOCK), 0);
        while (write(err[1], argv, 1) == 1)
            ;
        ck_assert_int_eq(fcntl(err[1], F_SETFL, 0), 0);
    }
    child = fork();
    if (child == 0) {
        dup2(err[1], STDERR_FILENO);
        if (_i == 1)
            setrlimit(RLIMIT_FSIZE, &(struct rlimit){0, 0});
        alarm(20);
        execve("/bin/true", argv, envp);
        _exit(127);
    }
    ck_assert(waitpid(child, &status, 0) == child);
    ck_assert_int_eq(status, 0);
}
END_TEST

/* Other libraries before and behind ours, and what the program then prints. */
static const struct stack_case {
    const char *before, *behind;
    const char *early; /* for early.so */
    const char *command;
    const char *out;
} stack_cases[] = {
    {"", "early.so", "EARLY=64", "closed", "early: all kept alive\n"},
    {"early.so", "", "EARLY=64", "closed", "early: all kept alive\n"},
    /* each sees the calls of those before it */
    {"", "refuse.so", "", "one", "one: errno 71\n"},
    {"refuse.so", "", "", "one", "one: errno 71\n"},
    {"", "refuse.so", "", "set", "set: -1 errno 71\n"},
    {"refuse.so", "", "", "set", "set: -1 errno 71\n"},
    /* but before the constructor the call goes to the system itself */
    {"", "refuse.so early.so", "", "one",
     "early: all kept alive\none: errno 71\n"},
};

START_TEST(other_libraries_stack)
{
    const struct stack_case *c = &stack_cases[_i];
    static char list[2 * BYTES], path[2 * BYTES];
    char *envp[] = {list,
                    path,
                    (char *)"KEEPIDLE=222",
                    (char *)"KEEPCNT=bad",
                    (char *)c->early,
                    NULL};
    static struct output output;

    snprintf(list, sizeof(list), "LD_PRELOAD=%s %s %s", c->before,
             preload + strlen("LD_PRELOAD="), c->behind);
    snprintf(path, sizeof(path), "LD_LIBRARY_PATH=%s/tests", getenv("BUILD"));
    run(&output, envp, c->command, 3);
    ck_assert_str_eq(output.out, c->out);
    ck_assert_str_eq(output.err,
                     "libkeepalive: KEEPCNT: 'bad' is not a whole number of "
                     "probes from 1 to 127; using the system's value\n");
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("cases");
    const char *library = getenv("LIBKEEPALIVE"), *build = getenv("BUILD");

    if (library == NULL || build == NULL) {
        fprintf(stderr, "LIBKEEPALIVE and BUILD are not set: make check\n");
        return EXIT_FAILURE;
    }
    snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", library);
    snprintf(probe, sizeof(probe), "%s/tests/probe", build);

    make_environments();
    tcase_add_loop_test(cases, sockets_follow_the_table, 0, ENVIRONMENTS);
    tcase_add_loop_test(cases, accepted_sockets_inherit, 0, ENVIRONMENTS);
    tcase_add_test(cases, settings_are_read_once_before_main);
    tcase_add_test(cases, message_of_the_loader_stays);
    tcase_add_test(cases, no_descriptor_left_comes_through);
    tcase_add_test(cases, closed_standard_descriptors_are_served);
    tcase_add_test(cases, no_arguments_are_served);
    tcase_add_loop_test(cases, bad_value_is_one_line_and_the_others_count, 0,
                        ROWS(report_cases));
    tcase_add_loop_test(cases, setsockopt_returns_what_it_would, 0, 4);
    tcase_add_loop_test(cases, force_keeps_what_was_given_and_nothing_else, 0,
                        5 + KEEPALIVE_OPTIONS);
    tcase_add_loop_test(cases, report_never_stops_the_program, 0, 3);
    tcase_add_loop_test(cases, other_libraries_stack, 0, ROWS(stack_cases));
    return run_suite("preload", cases);
}
