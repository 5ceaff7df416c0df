/*
 * check_apply.c - the laws of apply.c
 * SPDX-License-Identifier: MIT
 */
#include "keepalive.h"
#include "sockets.h"
#include "suite.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* Four values, none of them another's or the kernel's. */
static const struct keepalive four = {
    4,
    {{SOL_SOCKET, SO_KEEPALIVE, 1},
     {IPPROTO_TCP, TCP_KEEPCNT, 11},
     {IPPROTO_TCP, TCP_KEEPIDLE, 222},
     {IPPROTO_TCP, TCP_KEEPINTVL, 33}},
};

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
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    keepalive_apply(&four, fd);
    for (int i = 0; i < ROWS(option_cases); i++)
        ck_assert_int_eq(option_of(fd, i), four.values[i].value);
    close(fd);
}
END_TEST

/* The range of the contract is the kernel's own. */
START_TEST(kernel_takes_the_range_and_no_more)
{
    const struct keepalive_option *option = &keepalive_options[_i];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int values[] = {option->least - 1, option->least, option->most,
                    option->most + 1};

    for (int i = 0; i < 4; i++) {
        struct keepalive one = {1,
                                {{option->level, option->option, values[i]}}};
        int before = option_of(fd, _i);

        keepalive_apply(&one, fd);
        ck_assert_int_eq(option_of(fd, _i),
                         i == 0 || i == 3 ? before : values[i]);
    }
    close(fd);
}
END_TEST

START_TEST(refusal_stops_nothing_and_keeps_errno)
{
    struct keepalive refused = four;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    refused.values[0].option = 9999; /* ENOPROTOOPT */
    refused.values[2].value = 99999; /* EINVAL */
    errno = EDOM;
    keepalive_apply(&refused, fd);
    ck_assert_int_eq(errno, EDOM);
    ck_assert_int_eq(option_of(fd, 0), 0);
    ck_assert_int_eq(option_of(fd, 1), 11);
    ck_assert_int_ne(option_of(fd, 2), 222);
    ck_assert_int_eq(option_of(fd, 3), 33);
    close(fd);
}
END_TEST

START_TEST(no_settings_are_no_calls)
{
    const struct keepalive off = {.count = 0};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    keepalive_apply(&off, fd);
    ck_assert_int_eq(option_of(fd, 0), 0);
    close(fd);
}
END_TEST

START_TEST(closed_descriptor_is_harmless)
{
    errno = EDOM;
    keepalive_apply(&four, -1);
    ck_assert_int_eq(errno, EDOM);
}
END_TEST

int main(void)
{
    TCase *laws = tcase_create("laws");

    tcase_add_loop_test(laws, tcp_stream_sockets_count_and_no_others, 0,
                        ROWS(socket_cases));
    tcase_add_test(laws, each_value_reaches_its_option);
    tcase_add_loop_test(laws, kernel_takes_the_range_and_no_more, 1,
                        ROWS(option_cases));
    tcase_add_test(laws, refusal_stops_nothing_and_keeps_errno);
    tcase_add_test(laws, no_settings_are_no_calls);
    tcase_add_test(laws, closed_descriptor_is_harmless);
    return run_suite("apply", laws);
}
