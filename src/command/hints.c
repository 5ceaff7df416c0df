/*
 * hints.c - values that together do what few expect
 * SPDX-License-Identifier: MIT
 */
#include "hints.h"

#include "values.h"

#include <err.h>
#include <stdbool.h>

unsigned hint_at_values(const int given[KEEPALIVE_OPTIONS],
                        const int values[KEEPALIVE_OPTIONS], unsigned said)
{
    int idle = values[KEEPALIVE_IDLE];
    int interval = values[KEEPALIVE_INTERVAL];
    int timeout = values[KEEPALIVE_TIMEOUT];
    int scale = keepalive_options[KEEPALIVE_TIMEOUT].scale;
    bool idle_given = given[KEEPALIVE_IDLE] != NO_VALUE;
    bool interval_given = given[KEEPALIVE_INTERVAL] != NO_VALUE;

    if (idle == NO_VALUE || interval == NO_VALUE)
        return said;
    if ((said & HINT_INTERVAL) == 0 && idle_given && !interval_given &&
        idle < interval) {
        warnx("the idle time, %d s, is below the interval: after the first, "
              "probes come every %d s; set the interval as well (-i, %s)",
              idle, interval, keepalive_options[KEEPALIVE_INTERVAL].variable);
        said |= HINT_INTERVAL;
    }
    if ((said & HINT_TIMEOUT) == 0 && timeout > 0 &&
        (idle_given || interval_given ||
         given[KEEPALIVE_TIMEOUT] != NO_VALUE) &&
        timeout <= ((long long)idle + interval) * scale) {
        warnx("one lost probe ends an idle connection: the timeout, %.*f s, is "
              "not above idle time plus interval, %d + %d s (-u, %s)",
              timeout % scale == 0 ? 0 : 3, (double)timeout / scale, idle,
              interval, keepalive_options[KEEPALIVE_TIMEOUT].variable);
        said |= HINT_TIMEOUT;
    }
    return said;
}

void hint_at_new_sockets(const int given[KEEPALIVE_OPTIONS])
{
    int values[KEEPALIVE_OPTIONS];

    read_system(values);
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++)
        if (given[i] != NO_VALUE)
            values[i] = given[i];
    hint_at_values(given, values, 0);
}
