/*
 * sockets.h - which sockets count
 * SPDX-License-Identifier: MIT
 */
#ifndef SOCKETS_H
#define SOCKETS_H

#include "contract.h"

static const struct socket_case {
    const char *label;
    int family, type, protocol;
    bool counts;
} socket_cases[] = {
    {"IPv4 stream", AF_INET, SOCK_STREAM, 0, true},
    {"IPv4 stream TCP", AF_INET, SOCK_STREAM, IPPROTO_TCP, true},
    {"IPv6 stream", AF_INET6, SOCK_STREAM, 0, true},
    {"IPv6 stream TCP", AF_INET6, SOCK_STREAM, IPPROTO_TCP, true},
    {"IPv4 cloexec", AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0, true},
    {"IPv4 nonblock", AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0, true},
    {"IPv6 both flags", AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
     IPPROTO_TCP, true},
    {"IPv4 MPTCP", AF_INET, SOCK_STREAM, IPPROTO_MPTCP, true},
    {"IPv6 MPTCP cloexec", AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP,
     true},
    {"IPv4 SCTP stream", AF_INET, SOCK_STREAM, IPPROTO_SCTP, false},
    {"IPv4 stream UDP", AF_INET, SOCK_STREAM, IPPROTO_UDP, false},
    {"IPv4 datagram", AF_INET, SOCK_DGRAM, 0, false},
    {"IPv6 datagram", AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0, false},
    {"IPv4 ping", AF_INET, SOCK_DGRAM, IPPROTO_ICMP, false},
    {"IPv4 raw", AF_INET, SOCK_RAW, IPPROTO_ICMP, false},
    {"IPv4 raw TCP", AF_INET, SOCK_RAW, IPPROTO_TCP, false},
    {"IPv6 raw", AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6, false},
    {"IPv4 seqpacket", AF_INET, SOCK_SEQPACKET, 0, false},
    {"IPv4 unknown flag", AF_INET, SOCK_STREAM | 0x100, 0, false},
    {"IPv4 negative type", AF_INET, -1, 0, false},
    {"local stream", AF_UNIX, SOCK_STREAM, 0, false},
    {"local seqpacket", AF_UNIX, SOCK_SEQPACKET, 0, false},
    {"local datagram", AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, false},
    {"netlink", AF_NETLINK, SOCK_RAW, 0, false},
    {"packet", AF_PACKET, SOCK_RAW, 0, false},
    {"vsock stream", AF_VSOCK, SOCK_STREAM, 0, false},
    {"no such family", 9999, SOCK_STREAM, 0, false},
};

#endif
