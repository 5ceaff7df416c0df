/*
 * refuse.c - a library whose socket() always fails, to be preloaded as well
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <sys/socket.h>

__attribute__((visibility("default"))) int socket(int family, int type,
                                                  int protocol)
{
    (void)family, (void)type, (void)protocol;
    errno = EPROTO;
    return -1;
}
