/*
 * values.c - the values of the options of a socket, by row of the table
 * SPDX-License-Identifier: MIT
 */
#include "values.h"

#include "syscall.h"
#include "text.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int read_option(int fd, int level, int option)
{
    int value = 0;
    socklen_t size = sizeof(value);

    return getsockopt(fd, level, option, &value, &size) == 0 ? value : NO_VALUE;
}

int read_value(int fd, int row)
{
    return read_option(fd, keepalive_options[row].level,
                       keepalive_options[row].option);
}

void read_values(int fd, int values[KEEPALIVE_OPTIONS])
{
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++)
        values[i] = read_value(fd, i);
}

int set_value(int fd, int row, int value)
{
    return (int)keepalive_socket_call(
        KEEPALIVE_SETSOCKOPT, fd, keepalive_options[row].level,
        keepalive_options[row].option, (long)&value, sizeof(value));
}

int make_socket(void)
{
    return (int)keepalive_socket_call(KEEPALIVE_SOCKET, AF_INET,
                                      SOCK_STREAM | SOCK_CLOEXEC, 0, 0, 0);
}

void read_system(int values[KEEPALIVE_OPTIONS])
{
    int fd = make_socket();

    read_values(fd, values);
    if (fd >= 0)
        close(fd);
}

void write_value(char *text, int row, int value, bool json)
{
    static const char *const words[2][2] = {{"off", "on"}, {"false", "true"}};
    int scale = keepalive_options[row].scale;

    if (value == NO_VALUE)
        stpcpy(text, json ? "null" : "-");
    else if (row == KEEPALIVE_SWITCH)
        stpcpy(text, words[json][value != 0]);
    else if (value % scale == 0)
        write_number(text, value / scale);
    else
        snprintf(text, VALUE_SIZE, "%.3f", (double)value / scale);
}

void hint_at_values(const int given[KEEPALIVE_OPTIONS],
                    const int values[KEEPALIVE_OPTIONS])
{
    static bool interval_said, timeout_said;
    int idle = values[KEEPALIVE_IDLE];
    int interval = values[KEEPALIVE_INTERVAL];
    int timeout = values[KEEPALIVE_TIMEOUT];
    int scale = keepalive_options[KEEPALIVE_TIMEOUT].scale;
    bool idle_given = given[KEEPALIVE_IDLE] != NO_VALUE;
    bool interval_given = given[KEEPALIVE_INTERVAL] != NO_VALUE;
    bool timeout_given = given[KEEPALIVE_TIMEOUT] != NO_VALUE;

    if (!interval_said && idle_given && !interval_given && idle < interval) {
        complain("the idle time, %d s, is below the interval: after the first, "
                 "probes come every %d s; set the interval as well (-i, %s)",
                 idle, interval,
                 keepalive_options[KEEPALIVE_INTERVAL].variable);
        interval_said = true;
    }
    if (!timeout_said && (idle_given || interval_given || timeout_given) &&
        timeout > 0 && timeout <= ((long long)idle + interval) * scale) {
        complain("one lost probe ends an idle connection: the timeout, %.*f s, "
                 "is not above idle time plus interval, %d + %d s (-u, %s)",
                 timeout % scale == 0 ? 0 : 3, (double)timeout / scale, idle,
                 interval, keepalive_options[KEEPALIVE_TIMEOUT].variable);
        timeout_said = true;
    }
}

void hint_at_new_sockets(const int given[KEEPALIVE_OPTIONS])
{
    int values[KEEPALIVE_OPTIONS];

    read_system(values);
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++)
        if (given[i] != NO_VALUE)
            values[i] = given[i];
    hint_at_values(given, values);
}
