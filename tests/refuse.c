/*
 * refuse.c - a library whose socket() and setsockopt() always fail, to be
 * preloaded as well
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <sys/socket.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT int socket(int family, int type, int protocol)
{
    (void)family, (void)type, (void)protocol;
    errno = EPROTO;
    return -1;
}

EXPORT int setsockopt(int fd, int level, int option, const void *value,
                      socklen_t size)
{
    (void)fd, (void)level, (void)option, (void)value, (void)size;
    errno = EPROTO;
    return -1;
}
