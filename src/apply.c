/*
 * apply.c - settings to setsockopt(2) on one descriptor
 * SPDX-License-Identifier: MIT
 */
#include "keepalive.h"

#include <sys/syscall.h>

void keepalive_apply(const struct keepalive *settings, int fd)
{
    const struct keepalive_value *v = settings->values;

    for (int left = settings->count; left > 0; left--, v++)
        keepalive_call(SYS_setsockopt, fd, v->level, v->option, (long)&v->value,
                       sizeof(v->value));
}
