/*
 * apply.c - is this a TCP stream socket? settings to setsockopt on it
 * SPDX-License-Identifier: MIT
 */
#include "keepalive.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262 /* glibc before 2.32 lacks it */
#endif

bool keepalive_is_tcp(int family, int type, int protocol)
{
    if (family != AF_INET && family != AF_INET6)
        return false;
    /* Equal, not a bit test: SOCK_RAW (3) and SOCK_SEQPACKET (5) hold the bit
     * of SOCK_STREAM (1). */
    if ((type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != SOCK_STREAM)
        return false;
    return protocol == 0 || protocol == IPPROTO_TCP ||
           protocol == IPPROTO_MPTCP;
}

void keepalive_apply(const struct keepalive *settings, int fd)
{
    int saved = errno;
    const struct keepalive_call *call = settings->calls;
    const struct keepalive_call *end = call + settings->count;

    /* Refusals are none of the program's business: an older kernel has
     * EOPNOTSUPP for Multipath TCP, a seccomp filter EPERM. */
    for (; call < end; call++)
        setsockopt(fd, call->level, call->option, &call->value,
                   sizeof(call->value));
    errno = saved;
}
