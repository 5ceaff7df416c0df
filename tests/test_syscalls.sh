#!/bin/sh
# test_syscalls.sh - the system calls that the library makes, and no others
# SPDX-License-Identifier: MIT
. tests/common.sh
need strace
need_strace

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
timeout='setsockopt(IPPROTO_TCP, TCP_USER_TIMEOUT, [5000], 4)'

expect 'nothing set' "$socket
$on" "$(calls tcp)"
expect 'all set: the order of the HOWTO' "$socket
$on
$count
$idle
$interval" "$(calls tcp KEEPINTVL=60 KEEPIDLE=180 KEEPCNT=20)"
expect 'and the timeout' "$socket
$on
$timeout" "$(calls tcp KEEPTIMEOUT=5)"
expect 'force: no more than that' "$socket
$on
$idle" "$(calls tcp KEEPIDLE=180 KEEPALIVE=force)"
expect 'KEEPIDLE alone' "$socket
$on
$idle" "$(calls tcp KEEPIDLE=180)"
expect 'a socket that the next library refuses' '' \
    "$(calls tcp LD_PRELOAD="$LIBKEEPALIVE:$BUILD/tests/refuse.so")"
expect 'off' "$socket" "$(calls tcp KEEPALIVE=off KEEPIDLE=180)"

# With force: nothing after a call that failed, and getsockopt() only where the
# option does not tell that it is a TCP socket.
expect 'force: what the program sets' 'setsockopt(IPPROTO_TCP, TCP_KEEPIDLE, [0], 4)
setsockopt(IPPROTO_TCP, TCP_KEEPIDLE, [60], 4)
setsockopt(SOL_SOCKET, SO_KEEPALIVE, [1], 4)
setsockopt(IPPROTO_TCP, TCP_KEEPIDLE, [180], 4)
setsockopt(SOL_SOCKET, SO_KEEPALIVE, [0], 4)
getsockopt
getsockopt
getsockopt
setsockopt(SOL_SOCKET, SO_KEEPALIVE, [1], 4)
setsockopt(IPPROTO_TCP, TCP_KEEPIDLE, [180], 4)' \
    "$(calls again KEEPIDLE=180 KEEPALIVE=force |
        sed 's/^getsockopt.*/getsockopt/')"

# The program's own calls of setsockopt(): the same, whatever is set, but with
# force. From the start of the program to its end. Before glibc 2.34 dlsym(3) takes
# memory when it is first called.
memory='mmap|mprotect|munmap'
case $(getconf GNU_LIBC_VERSION 2>/dev/null) in
*' 2.'[0-9] | *' 2.'[12]? | *' 2.3'[0-3]) memory="$memory|brk|futex" ;;
esac
names() {
    library=$1
    shift
    set -- -o "$tmp/trace" -e raw=setsockopt -E LD_PRELOAD="$library" "$@"
    strace "$@" >"$tmp/out"
    grep -v '^execve' "$tmp/trace" | sed 's/(.*//' |
        grep -vxE "$memory"
}
expect 'no call beside those of the program' \
    "$(names "$BUILD/tests/empty.so" "$probe" calls)" \
    "$(names "$LIBKEEPALIVE" -E KEEPALIVE=off -E KEEPIDLE=180 "$probe" calls)"

# Sockets that do not count: the same calls as with an empty library, from the
# start of the program to its end. Only the loading of a file is left out, as
# it depends on the file's segments.
expect 'no call for other sockets' \
    "$(names "$BUILD/tests/empty.so" "$probe" others)" \
    "$(names "$LIBKEEPALIVE" -E KEEPIDLE=180 "$probe" others)"

# What a report calls, also when the file may not grow: the manual names it all,
# for those who have a seccomp filter.
called() {
    strace -o "$tmp/trace" -E LD_PRELOAD="$LIBKEEPALIVE" -E "$1" \
        prlimit --fsize=0 "$probe" variables 2>"$tmp/file" | cat >"$tmp/out"
    sed 's/(.*//' "$tmp/trace" | sort
}
called KEEPIDLE=5 >"$tmp/good"
called KEEPIDLE=5M >"$tmp/bad"
expect 'what a report calls' \
    'getsockopt ppoll rt_sigpending rt_sigprocmask rt_sigtimedwait write' \
    "$(comm -13 "$tmp/good" "$tmp/bad" | uniq | xargs)"
for call in $(comm -13 "$tmp/good" "$tmp/bad" | uniq); do
    sed -n '/^\.Sh CAVEATS/,/^\.Sh SEC/p' man/libkeepalive.7 |
        grep -q "^\.Xr $call 2" || fail "libkeepalive(7), CAVEATS: lacks $call"
done

# Sockets that other threads make while the constructor runs: it is held up
# there, at the report, for as long as they need.
expect 'sockets while another thread loads' 'early: all kept alive' \
    "$(strace -f -qq -o /dev/null -e trace=ppoll \
        -e inject=ppoll:delay_enter=400000 -E EARLY=64 \
        -E KEEPCNT=bad -E KEEPIDLE=222 -E LD_PRELOAD="$LIBKEEPALIVE:$BUILD/tests/early.so" \
        "$probe" closed 2>/dev/null)"
finish
