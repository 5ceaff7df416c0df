/*
 * apply.c - settings to setsockopt(2) on one descriptor
 * SPDX-License-Identifier: MIT
 */
#include "keepalive.h"
#include "syscall.h"

void keepalive_apply(const struct keepalive *settings, int fd)
{
    const struct keepalive_value *v = settings->values;

    for (int left = settings->count; left > 0; left--, v++)
        keepalive_socket_call(KEEPALIVE_SETSOCKOPT, fd, v->level, v->option,
                              (long)&v->value, sizeof(v->value));
}

/* An option of SOL_SOCKET whose value is an int; -1 if it cannot be read. */
static int socket_option(int fd, int option)
{
    int value = -1;
    socklen_t size = sizeof(value);

    keepalive_socket_call(KEEPALIVE_GETSOCKOPT, fd, SOL_SOCKET, option,
                          (long)&value, (long)&size);
    return value;
}

void keepalive_restore(const struct keepalive *settings, int fd, int level)
{
    /* Only TCP sockets take an option of IPPROTO_TCP, others SO_KEEPALIVE, too.
     * The less is asked, the less a seccomp filter can object to. */
    if (level == IPPROTO_TCP ||
        keepalive_is_tcp(socket_option(fd, SO_DOMAIN),
                         socket_option(fd, SO_TYPE),
                         socket_option(fd, SO_PROTOCOL)))
        keepalive_apply(settings, fd);
}
