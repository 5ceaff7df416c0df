#!/bin/sh
# test_hostile.sh - sockets made at the worst moments
# SPDX-License-Identifier: MIT
. tests/common.sh
need prlimit
hostile=$BUILD/tests/hostile
export LIBKEEPALIVE

# status_of MOMENT [VARIABLE=VALUE]...
status_of() {
    moment=$1
    shift
    env LD_PRELOAD="$LIBKEEPALIVE" KEEPCNT=11 KEEPIDLE=222 KEEPINTVL=33 "$@" \
        "$hostile" "$moment" >"$tmp/out" 2>&1
    echo "$? $(cat "$tmp/out")"
}

for moment in signal_handler interrupted vfork_child forked_children \
    options_refused last_descriptor no_memory setenv_meanwhile dlmopen_beside
do
    expect "$moment" '0 ' "$(status_of "$moment")"
done

# A filter that kills is the program's own wish; the manual names the way out.
killed=$(status_of options_killed)
expect 'killed by a filter: SIGSYS' 159 "${killed%% *}"
expect 'off avoids it' '0 ' "$(status_of options_killed KEEPALIVE=off)"

expect 'what the process holds: nothing but the library' \
    "$("$hostile" inventory)" \
    "$(LD_PRELOAD=$LIBKEEPALIVE "$hostile" inventory 2>&1)"

# At the edge of the address space the loader gives up by itself, or the program
# runs and has keepalive on.
runs=0
for kilobytes in $(seq 1600 4 8000); do
    LD_PRELOAD=$LIBKEEPALIVE prlimit --as="$((kilobytes * 1024))" "$show" \
        >"$tmp/out" 2>&1
    status=$?
    case $status:$(head -n 1 "$tmp/out") in
    127:*) runs=0 ;;
    '0:SO_KEEPALIVE is ON') runs=$((runs + 1)) ;;
    *) fail "status $status in $kilobytes kB: $(head -n 2 "$tmp/out")" ;;
    esac
    [ "$runs" -lt 20 ] || break
done
[ "$runs" = 20 ] || fail 'the program does not start in 8000 kB'
finish
