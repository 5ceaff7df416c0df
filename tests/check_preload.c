/*
 * check_preload.c - the laws of libkeepalive.so, as a program meets them
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
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BYTES = 8192 };

static char preload[BYTES], probe[BYTES];

/* The values of an environment, NULL for one that is not set. */
struct environment {
    const char *values[ROWS(option_cases)];
};

static const struct environment environments[] = {
    {{NULL}},
    {{"on"}},
    {{NULL, "11"}},
    {{NULL, NULL, "222"}},
    {{NULL, NULL, NULL, "33"}},
    {{NULL, NULL, NULL, NULL, "44"}},
    {{NULL, "11", "222", "33", "44"}},
    {{"ON", "127", "1", "32767", "2147483"}},
    {{"force", "11", "222", "33", "44"}},
    {{"", "", "", "", ""}},
    {{"off"}},
    {{"Off", "11", "222", "33", "44"}},
};

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
    static char entries[ROWS(option_cases)][64];
    char *envp[ROWS(option_cases) + 2] = {preload};
    int count = 1;

    for (int i = 0; i < ROWS(option_cases); i++)
        if (with->values[i] != NULL) {
            snprintf(entries[i], sizeof(entries[i]), "%s=%s",
                     option_cases[i].variable, with->values[i]);
            envp[count++] = entries[i];
        }
    run(output, envp, command, 3);
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
    for (int i = 0; fd >= 0 && i < ROWS(option_cases); i++) {
        const char *given = with->values[i];
        bool off =
            with->values[0] != NULL && strcasecmp(with->values[0], "off") == 0;
        int value = option_of(fd, i);

        if (counts && !off && i == 0)
            value = 1;
        /* Multipath TCP has no timeout: it stays unknown. */
        else if (counts && !off && given != NULL && *given != '\0' &&
                 value >= 0)
            value = atoi(given) * option_cases[i].scale;
        end += sprintf(end, " %d", value);
    }
    sprintf(end, "\n");
    close(fd);
}

START_TEST(sockets_follow_the_truth_table)
{
    const struct environment *with = &environments[_i];
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
    const struct environment *with = &environments[_i];
    static struct output output;
    char expected[BYTES] = "";

    expect(expected, with, "accepted IPv4", AF_INET, SOCK_STREAM, 0, true);
    expect(expected, with, "accepted IPv6", AF_INET6, SOCK_STREAM, 0, true);
    run_with(&output, with, "accept");
    ck_assert_str_eq(output.out, expected);
    ck_assert_str_eq(output.err, "");
}
END_TEST

static const struct environment all = {{NULL, "11", "222", "33", "44"}};

START_TEST(settings_are_read_once_before_main)
{
    static struct output output;

    run_with(&output, &all, "late");
    ck_assert_str_eq(output.out, "late: 1 11 222 33 44000\n");
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
    char *envp[] = {preload, (char *)"KEEPIDLE=5m", NULL};
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

static const struct report_case {
    struct environment with;
    struct environment instead; /* what it comes down to */
    const char *report;
} report_cases[] = {
    {{{NULL, NULL, "5m"}},
     {{NULL}},
     "libkeepalive: KEEPIDLE: '5m' is not a whole number from 1 to 32767; "
     "using the system's value\n"},
    {{{NULL, "0", "222", "99999", "44"}},
     {{NULL, NULL, "222", NULL, "44"}},
     "libkeepalive: KEEPCNT: '0' is not a whole number from 1 to 127; "
     "using the system's value\n"
     "libkeepalive: KEEPINTVL: '99999' is not a whole number from 1 to 32767; "
     "using the system's value\n"},
    {{{"60", "11", NULL, "33"}},
     {{NULL, "11", NULL, "33"}},
     "libkeepalive: KEEPALIVE: '60' is not on, off or force; using on\n"},
    {{{"skip", NULL, " 60", NULL, "2147484"}},
     {{NULL}},
     "libkeepalive: KEEPALIVE: 'skip' is not on, off or force; using on\n"
     "libkeepalive: KEEPIDLE: ' 60' is not a whole number from 1 to 32767; "
     "using the system's value\n"
     "libkeepalive: KEEPTIMEOUT: '2147484' is not a whole number from 1 to "
     "2147483; using the system's value\n"},
    {{{"off", "x"}},
     {{"off"}},
     "libkeepalive: KEEPCNT: 'x' is not a whole number from 1 to 127; "
     "using the system's value\n"},
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
    static const struct environment with[] = {
        {{"on", "11", "222", "33", "44"}},
        {{"force"}},
        {{"force", "11", "222", "33", "44"}},
        {{"off"}},
    };
    char *none[] = {NULL};
    static struct output without, output;

    run(&without, none, "calls", 3);
    run_with(&output, &with[_i], "calls");
    ck_assert_str_eq(output.out, without.out);
    ck_assert_str_eq(output.err, without.err);
}
END_TEST

/* The program sets 0, 5, 60, 6 and 7000 ms in its turn. */
static const struct force_case {
    struct environment with;
    const char *tcp; /* what a TCP socket has in the end */
} force_cases[] = {
    {{{NULL, "11", "222", "33", "44"}}, "0 5 60 6 7000"},
    {{{"off", "11", "222", "33", "44"}}, "0 5 60 6 7000"},
    {{{"force"}}, "1 5 60 6 7000"},
    {{{"force", "11"}}, "1 11 60 6 7000"},
    {{{"force", NULL, "222"}}, "1 5 222 6 7000"},
    {{{"force", NULL, NULL, "33"}}, "1 5 60 33 7000"},
    {{{"force", NULL, NULL, NULL, "44"}}, "1 5 60 6 44000"},
    {{{"FORCE", "11", "222", "33", "44"}}, "1 11 222 33 44000"},
};

START_TEST(force_keeps_what_was_given_and_nothing_else)
{
    const struct force_case *c = &force_cases[_i];
    static struct output output;
    char expected[BYTES];

    snprintf(expected, sizeof(expected),
             "IPv4: %s\nIPv6: %s\naccepted: %s\n"
             "datagram: 0 -1 -1 -1 -1\nraw: 0 -1 -1 -1 -1\n"
             "local: 0 -1 -1 -1 -1\n",
             c->tcp, c->tcp, c->tcp);
    run_with(&output, &c->with, "override");
    ck_assert_str_eq(output.out, expected);
    ck_assert_str_eq(output.err, "");
}
END_TEST

/* A program is neither stopped by a full pipe nor ended by a broken one. */
START_TEST(report_never_stops_the_program)
{
    char *envp[] = {preload, (char *)"KEEPIDLE=5m", NULL};
    char *argv[] = {(char *)"true", NULL};
    int err[2], status;
    pid_t child;

    ck_assert_int_eq(pipe2(err, O_CLOEXEC), 0);
    if (_i == 0) { /* nobody reads */
        close(err[0]);
    } else if (_i == 1) { /* a file that may not grow */
        err[1] = fileno(tmpfile());
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
    const char *threads; /* of early.so */
    const char *command;
    const char *out;
} stack_cases[] = {
    {"", "early.so", "EARLY=64", "closed", "early: 3200 of 3200\n"},
    {"early.so", "", "EARLY=64", "closed", "early: 3200 of 3200\n"},
    /* each sees the calls of those before it */
    {"", "refuse.so", "", "one", "one: errno 71\n"},
    {"refuse.so", "", "", "one", "one: errno 71\n"},
    {"", "refuse.so", "", "set", "set: -1 errno 71\n"},
    {"refuse.so", "", "", "set", "set: -1 errno 71\n"},
    {"", "refuse.so early.so", "EARLY=1", "one",
     "early: 0 of 50\none: errno 71\n"},
};

START_TEST(other_libraries_stack)
{
    const struct stack_case *c = &stack_cases[_i];
    static char list[2 * BYTES], path[2 * BYTES];
    char *envp[] = {list,
                    path,
                    (char *)"KEEPIDLE=222",
                    (char *)"KEEPCNT=bad",
                    (char *)c->threads,
                    NULL};
    static struct output output;

    snprintf(list, sizeof(list), "LD_PRELOAD=%s %s %s", c->before,
             preload + strlen("LD_PRELOAD="), c->behind);
    snprintf(path, sizeof(path), "LD_LIBRARY_PATH=%s/tests", getenv("BUILD"));
    run(&output, envp, c->command, 3);
    ck_assert_str_eq(output.out, c->out);
    ck_assert_str_eq(output.err,
                     "libkeepalive: KEEPCNT: 'bad' is not a whole number from "
                     "1 to 127; using the system's value\n");
}
END_TEST

int main(void)
{
    TCase *laws = tcase_create("laws");
    const char *library = getenv("LIBKEEPALIVE"), *build = getenv("BUILD");

    if (library == NULL || build == NULL) {
        fprintf(stderr, "LIBKEEPALIVE and BUILD are not set: make check\n");
        return EXIT_FAILURE;
    }
    snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", library);
    snprintf(probe, sizeof(probe), "%s/tests/probe", build);

    tcase_set_timeout(laws, 60);
    tcase_add_loop_test(laws, sockets_follow_the_truth_table, 0,
                        ROWS(environments));
    tcase_add_loop_test(laws, accepted_sockets_inherit, 0, ROWS(environments));
    tcase_add_test(laws, settings_are_read_once_before_main);
    tcase_add_test(laws, message_of_the_loader_stays);
    tcase_add_test(laws, no_descriptor_left_comes_through);
    tcase_add_test(laws, closed_standard_descriptors_are_served);
    tcase_add_test(laws, no_arguments_are_served);
    tcase_add_loop_test(laws, bad_value_is_one_line_and_the_others_count, 0,
                        ROWS(report_cases));
    tcase_add_loop_test(laws, setsockopt_returns_what_it_would, 0, 4);
    tcase_add_loop_test(laws, force_keeps_what_was_given_and_nothing_else, 0,
                        ROWS(force_cases));
    tcase_add_loop_test(laws, report_never_stops_the_program, 0, 3);
    tcase_add_loop_test(laws, other_libraries_stack, 0, ROWS(stack_cases));
    return run_suite("preload", laws);
}
