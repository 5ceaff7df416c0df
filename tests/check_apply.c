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

/* Five values, none of them another's or the kernel's. */
static const struct keepalive five = {
    .force = true,
    .count = 5,
    .values = {{SOL_SOCKET, SO_KEEPALIVE, 1},
               {IPPROTO_TCP, TCP_KEEPCNT, 11},
               {IPPROTO_TCP, TCP_KEEPIDLE, 222},
               {IPPROTO_TCP, TCP_KEEPINTVL, 33},
               {IPPROTO_TCP, TCP_USER_TIMEOUT, 44000}},
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

    keepalive_apply(&five, fd);
    for (int i = 0; i < ROWS(option_cases); i++)
        ck_assert_int_eq(option_of(fd, i), five.values[i].value);
    close(fd);
}
END_TEST

/* The range of the contract is the kernel's own; not so the timeout's, where 0
 * is the kernel's word for none and the end is that of an int. */
START_TEST(kernel_takes_the_range_and_no_more)
{
    const struct keepalive_option *option = &keepalive_options[_i];
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

START_TEST(kernel_takes_the_longest_timeout)
{
    int longest = keepalive_options[4].most * keepalive_options[4].scale;
    struct keepalive one = {
        .count = 1, .values = {{IPPROTO_TCP, TCP_USER_TIMEOUT, longest}}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_eq(longest, 2147483000);
    keepalive_apply(&one, fd);
    ck_assert_int_eq(option_of(fd, 4), longest);
    close(fd);
}
END_TEST

START_TEST(restored_is_what_was_given)
{
    const struct option_case *c = &option_cases[_i];
    int fd = socket(AF_INET6, SOCK_STREAM, 0), other = _i == 0 ? 0 : 9;

    keepalive_apply(&five, fd);
    ck_assert(setsockopt(fd, c->level, c->option, &other, 4) == 0);
    ck_assert_int_eq(option_of(fd, _i), other);
    errno = EDOM;
    keepalive_restore(&five, fd, c->level, c->option);
    ck_assert_int_eq(errno, EDOM);
    ck_assert_int_eq(option_of(fd, _i), five.values[_i].value);
    close(fd);
}
END_TEST

START_TEST(nothing_is_restored_where_it_was_not_given)
{
    struct keepalive two = five;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    two.count = 2;
    keepalive_restore(&two, fd, IPPROTO_TCP, TCP_KEEPIDLE);
    keepalive_restore(&two, fd, SOL_SOCKET, TCP_KEEPCNT);
    keepalive_restore(&two, fd, SOL_SOCKET, SO_RCVBUF);
    ck_assert_int_eq(option_of(fd, 0), 0);
    ck_assert_int_ne(option_of(fd, 1), 11);
    close(fd);
}
END_TEST

START_TEST(nothing_is_restored_on_other_sockets)
{
    const struct socket_case *c = &socket_cases[_i];
    int fd = socket(c->family, c->type, c->protocol);

    if (fd < 0)
        return; /* nothing there to be spared */
    keepalive_restore(&five, fd, SOL_SOCKET, SO_KEEPALIVE);
    ck_assert_msg(option_of(fd, 0) == c->counts, "%s", c->label);
    close(fd);
}
END_TEST

START_TEST(refusal_stops_nothing_and_keeps_errno)
{
    struct keepalive refused = five;
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
    keepalive_apply(&five, -1);
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
                        ROWS(option_cases) - 1);
    tcase_add_test(laws, kernel_takes_the_longest_timeout);
    tcase_add_loop_test(laws, restored_is_what_was_given, 0,
                        ROWS(option_cases));
    tcase_add_test(laws, nothing_is_restored_where_it_was_not_given);
    tcase_add_loop_test(laws, nothing_is_restored_on_other_sockets, 0,
                        ROWS(socket_cases));
    tcase_add_test(laws, refusal_stops_nothing_and_keeps_errno);
    tcase_add_test(laws, no_settings_are_no_calls);
    tcase_add_test(laws, closed_descriptor_is_harmless);
    return run_suite("apply", laws);
}
