#!/bin/sh
# test_syscalls.sh - the system calls that the library makes, and no others
# SPDX-License-Identifier: MIT
. tests/common.sh
need strace
strace -o /dev/null true 2>/dev/null || skip 'strace may not trace here'

# calls COMMAND [VARIABLE=VALUE]...: what the probe does between its markers
calls() {
    command=$1
    shift
    set -- -E LD_PRELOAD="$LIBKEEPALIVE" "$@"
    for setting; do
        shift
        case $setting in
        -E) ;;
        *) set -- "$@" -E "$setting" ;;
        esac
    done
    strace -o "$tmp/trace" "$@" "$probe" "$command"
    sed -n '/^close(-4242)/,/^close(-4242)/p' "$tmp/trace" |
        sed '/^close(-4242)/d; s/(3, /(/; s/ *= .*//; s/SOL_TCP/IPPROTO_TCP/'
}

socket='socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_TCP)'
on='setsockopt(SOL_SOCKET, SO_KEEPALIVE, [1], 4)'
count='setsockopt(IPPROTO_TCP, TCP_KEEPCNT, [20], 4)'
idle='setsockopt(IPPROTO_TCP, TCP_KEEPIDLE, [180], 4)'
interval='setsockopt(IPPROTO_TCP, TCP_KEEPINTVL, [60], 4)'

expect 'nothing set' "$socket
$on" "$(calls tcp)"
expect 'all set: the order of the HOWTO' "$socket
$on
$count
$idle
$interval" "$(calls tcp KEEPINTVL=60 KEEPIDLE=180 KEEPCNT=20)"
expect 'KEEPIDLE alone' "$socket
$on
$idle" "$(calls tcp KEEPIDLE=180)"
expect 'off' "$socket" "$(calls tcp KEEPALIVE=off KEEPIDLE=180)"

# Sockets that do not count: the same calls as with an empty library, from the
# start of the program to its end. Only the loading of a file is left out, as
# it depends on the file's segments.
names() {
    strace -o "$tmp/trace" -E LD_PRELOAD="$1" -E KEEPIDLE=180 "$probe" others
    grep -v '^execve' "$tmp/trace" | sed 's/(.*//' |
        grep -vxE 'mmap|mprotect|munmap'
}
expect 'no call for other sockets' "$(names "$BUILD/tests/empty.so")" \
    "$(names "$LIBKEEPALIVE")"
finish
