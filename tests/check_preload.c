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
#include <sys/wait.h>
#include <unistd.h>

enum { BYTES = 8192 };

static char preload[BYTES], probe[BYTES], early[BYTES];

/* The four values of an environment, NULL for one that is not set. */
struct environment {
    const char *values[ROWS(option_cases)];
};

static const struct environment environments[] = {
    {{NULL, NULL, NULL, NULL}},    {{"on", NULL, NULL, NULL}},
    {{NULL, "11", NULL, NULL}},    {{NULL, NULL, "222", NULL}},
    {{NULL, NULL, NULL, "33"}},    {{NULL, "11", "222", "33"}},
    {{"ON", "127", "1", "32767"}}, {{"", "", "", ""}},
    {{"off", NULL, NULL, NULL}},   {{"Off", "11", "222", "33"}},
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
        else if (counts && !off && given != NULL && *given != '\0')
            value = atoi(given);
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

static const struct environment all = {{NULL, "11", "222", "33"}};

START_TEST(settings_are_read_once_before_main)
{
    static struct output output;

    run_with(&output, &all, "late");
    ck_assert_str_eq(output.out, "late: 1 11 222 33\n");
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
    const char *report;
    const char *values; /* of the socket; -1 for the system's */
} report_cases[] = {
    {{{NULL, NULL, "5m", NULL}},
     "libkeepalive: KEEPIDLE: '5m' is not a whole number from 1 to 32767; "
     "using the system's value\n",
     "1 -1 -1 -1"},
    {{{NULL, "0", "222", "99999"}},
     "libkeepalive: KEEPCNT: '0' is not a whole number from 1 to 127; "
     "using the system's value\n"
     "libkeepalive: KEEPINTVL: '99999' is not a whole number from 1 to 32767; "
     "using the system's value\n",
     "1 -1 222 -1"},
    {{{"60", "11", NULL, "33"}},
     "libkeepalive: KEEPALIVE: '60' is not on or off; using on\n",
     "1 11 -1 33"},
    {{{"force", NULL, " 60", NULL}},
     "libkeepalive: KEEPALIVE: 'force' is not on or off; using on\n"
     "libkeepalive: KEEPIDLE: ' 60' is not a whole number from 1 to 32767; "
     "using the system's value\n",
     "1 -1 -1 -1"},
    {{{"off", "x", NULL, NULL}},
     "libkeepalive: KEEPCNT: 'x' is not a whole number from 1 to 127; "
     "using the system's value\n",
     "0 -1 -1 -1"},
};

START_TEST(bad_value_is_one_line_and_the_others_count)
{
    const struct report_case *c = &report_cases[_i];
    static struct output output;
    char expected[BYTES] = "accepted IPv4:", *end = expected + strlen(expected);
    int values[ROWS(option_cases)], fd = socket(AF_INET, SOCK_STREAM, 0);

    sscanf(c->values, "%d %d %d %d", &values[0], &values[1], &values[2],
           &values[3]);
    for (int i = 0; i < ROWS(option_cases); i++)
        end +=
            sprintf(end, " %d", values[i] < 0 ? option_of(fd, i) : values[i]);
    strcpy(end, "\n");
    close(fd);
    run_with(&output, &c->with, "accept");
    ck_assert_str_eq(output.err, c->report);
    ck_assert_int_eq(strncmp(output.out, expected, strlen(expected)), 0);
    ck_assert_int_eq(output.status, 0);
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
    } else { /* nobody reads, and it is full */
        ck_assert_int_eq(fcntl(err[1], F_SETFL, O_NONBLOCK), 0);
        while (write(err[1], argv, 1) == 1)
            ;
        ck_assert_int_eq(fcntl(err[1], F_SETFL, 0), 0);
    }
    child = fork();
    if (child == 0) {
        dup2(err[1], STDERR_FILENO);
        alarm(20);
        execve("/bin/true", argv, envp);
        _exit(127);
    }
    ck_assert(waitpid(child, &status, 0) == child);
    ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(early_sockets_are_served)
{
    static const char *const orders[] = {"%s:%s", "%2$s:%1$s"};
    static char both[3 * BYTES] = "LD_PRELOAD=";
    char *envp[] = {both, (char *)"KEEPIDLE=222", (char *)"KEEPCNT=bad", NULL};
    static struct output output;

    sprintf(both + strlen(both), orders[_i], preload + strlen("LD_PRELOAD="),
            early);
    run(&output, envp, "closed", 3);
    ck_assert_str_eq(output.out, "early: 3200 of 3200\n");
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
    snprintf(early, sizeof(early), "%s/tests/early.so", build);

    tcase_set_timeout(laws, 60);
    tcase_add_loop_test(laws, sockets_follow_the_truth_table, 0,
                        ROWS(environments));
    tcase_add_loop_test(laws, accepted_sockets_inherit, 0, ROWS(environments));
    tcase_add_test(laws, settings_are_read_once_before_main);
    tcase_add_test(laws, no_descriptor_left_comes_through);
    tcase_add_test(laws, closed_standard_descriptors_are_served);
    tcase_add_test(laws, no_arguments_are_served);
    tcase_add_loop_test(laws, bad_value_is_one_line_and_the_others_count, 0,
                        ROWS(report_cases));
    tcase_add_loop_test(laws, report_never_stops_the_program, 0, 2);
    tcase_add_loop_test(laws, early_sockets_are_served, 0, 2);
    return run_suite("preload", laws);
}
