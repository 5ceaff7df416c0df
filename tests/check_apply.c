/*
 * check_apply.c - what apply.c promises
 * SPDX-License-Identifier: MIT
 */
#include "sockets.h"
#include "suite.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* The test value of each row. */
static struct keepalive make_all(void)
{
    struct keepalive all = {.force = true, .count = KEEPALIVE_OPTIONS};

    for (int i = 0; i < KEEPALIVE_OPTIONS; i++) {
        const struct keepalive_option *option = &contract[i].option;
        int value =
            i == KEEPALIVE_SWITCH ? 1 : atoi(contract[i].given) * option->scale;

        all.values[i] =
            (struct keepalive_value){option->level, option->option, value};
    }
    return all;
}

START_TEST(tcp_stream_sockets_count_and_no_others)
{
    const struct socket_case *c = &socket_cases[_i];

    ck_assert_msg(keepalive_is_tcp(c->family, c->type, c->protocol) ==
                      c->counts,
                  "%s", c->label);
}
END_TEST

START_TEST(each_value_reaches_its_option)
{
    struct keepalive all = make_all();
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    keepalive_apply(&all, fd);
    ck_assert_int_eq(option_of(fd, _i), all.values[_i].value);
    close(fd);
}
END_TEST

/* The contract's range is the kernel's own. */
START_TEST(kernel_takes_the_range_and_no_more)
{
    const struct keepalive_option *option = &contract[_i].option;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int values[] = {option->least - 1, option->least, option->most,
                    option->most + 1};

    for (int i = 0; i < 4; i++) {
        struct keepalive one = {
            .count = 1, .values = {{option->level, option->option, values[i]}}};
        int before = option_of(fd, _i);

        keepalive_apply(&one, fd);
        ck_assert_int_eq(option_of(fd, _i),
                         i == 0 || i == 3 ? before : values[i]);
    }
    close(fd);
}
END_TEST

/* Not so for the timeout: 0 means none, and the end is that of an int. */
START_TEST(kernel_takes_the_longest_timeout)
{
    const struct keepalive_option *option = &contract[KEEPALIVE_TIMEOUT].option;
    int longest = option->most * option->scale;
    struct keepalive one = {
        .count = 1, .values = {{option->level, option->option, longest}}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_eq(longest, 2147483000);
    keepalive_apply(&one, fd);
    ck_assert_int_eq(option_of(fd, KEEPALIVE_TIMEOUT), longest);
    close(fd);
}
END_TEST

START_TEST(restored_is_what_was_given)
{
    const struct contract *c = &contract[_i];
    struct keepalive all = make_all();
    int fd = socket(AF_INET6, SOCK_STREAM, 0);

    keepalive_apply(&all, fd);
    ck_assert(setsockopt(fd, c->option.level, c->option.option, &c->own,
                         sizeof(c->own)) == 0);
    ck_assert_int_eq(option_of(fd, _i), c->own);
    errno = EDOM;
    keepalive_restore(&all, fd, c->option.level);
    ck_assert_int_eq(errno, EDOM);
    ck_assert_int_eq(option_of(fd, _i), all.values[_i].value);
    close(fd);
}
END_TEST

/* The switch and the count are given here, no others. */
START_TEST(settings_include_what_was_given)
{
    const struct keepalive_option *option = &contract[_i].option;
    int other = option->level == SOL_SOCKET ? IPPROTO_TCP : SOL_SOCKET;
    struct keepalive two = make_all();
    bool given = _i <= KEEPALIVE_COUNT;

    two.count = 2;
    ck_assert(keepalive_sets(&two, option->level, option->option) == given);
    ck_assert(!keepalive_sets(&two, other, option->option));
    ck_assert(!keepalive_sets(&two, option->level, TCP_NODELAY));
}
END_TEST

START_TEST(nothing_is_restored_on_other_sockets)
{
    const struct socket_case *c = &socket_cases[_i];
    struct keepalive all = make_all();
    int fd = socket(c->family, c->type, c->protocol);

    if (fd < 0)
        return; /* there is nothing to leave alone */
    keepalive_restore(&all, fd, SOL_SOCKET);
    ck_assert_msg(option_of(fd, KEEPALIVE_SWITCH) == c->counts, "%s", c->label);
    close(fd);
}
END_TEST

START_TEST(refusal_stops_nothing_and_keeps_errno)
{
    struct keepalive refused = make_all();
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    refused.values[KEEPALIVE_SWITCH].option = 9999; /* ENOPROTOOPT */
    refused.values[KEEPALIVE_IDLE].value = 99999;   /* EINVAL */
    errno = EDOM;
    keepalive_apply(&refused, fd);
    ck_assert_int_eq(errno, EDOM);
    ck_assert_int_eq(option_of(fd, KEEPALIVE_SWITCH), 0);
    ck_assert_int_eq(option_of(fd, KEEPALIVE_COUNT),
                     refused.values[KEEPALIVE_COUNT].value);
    ck_assert_int_ne(option_of(fd, KEEPALIVE_IDLE), 222);
    ck_assert_int_eq(option_of(fd, KEEPALIVE_INTERVAL),
                     refused.values[KEEPALIVE_INTERVAL].value);
    close(fd);
}
END_TEST

START_TEST(no_settings_are_no_calls)
{
    const struct keepalive off = {.count = 0};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    keepalive_apply(&off, fd);
    ck_assert_int_eq(option_of(fd, KEEPALIVE_SWITCH), 0);
    close(fd);
}
END_TEST

START_TEST(closed_descriptor_is_harmless)
{
    struct keepalive all = make_all();

    errno = EDOM;
    keepalive_apply(&all, -1);
    ck_assert_int_eq(errno, EDOM);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("cases");

    tcase_add_loop_test(cases, tcp_stream_sockets_count_and_no_others, 0,
                        ROWS(socket_cases));
    tcase_add_loop_test(cases, each_value_reaches_its_option, 0,
                        KEEPALIVE_OPTIONS);
    tcase_add_loop_test(cases, kernel_takes_the_range_and_no_more,
                        KEEPALIVE_COUNT, KEEPALIVE_INTERVAL + 1);
    tcase_add_test(cases, kernel_takes_the_longest_timeout);
    tcase_add_loop_test(cases, restored_is_what_was_given, 0,
                        KEEPALIVE_OPTIONS);
    tcase_add_loop_test(cases, settings_include_what_was_given, 0,
                        KEEPALIVE_OPTIONS);
    tcase_add_loop_test(cases, nothing_is_restored_on_other_sockets, 0,
                        ROWS(socket_cases));
    tcase_add_test(cases, refusal_stops_nothing_and_keeps_errno);
    tcase_add_test(cases, no_settings_are_no_calls);
    tcase_add_test(cases, closed_descriptor_is_harmless);
    return run_suite("apply", cases);
}
