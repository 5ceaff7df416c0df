#!/bin/sh
# long_upgrade.sh - upgrade and removal while programs are being started
# SPDX-License-Identifier: MIT
#
# Two loops start programs that open sockets; the library is installed over the
# live file 500 times and then removed as the manual has it. Each program ends
# with status 0 and prints what it should, so none died of SIGBUS.
. tests/common.sh
in_namespace -m -p -f --kill-child=TERM --mount-proc
private_etc
INSTALLS=${INSTALLS:-500}

run_make() {
    make -s BUILD="$BUILD" prefix="$tmp/usr" libdir="$tmp/usr/lib" "$@" 2>&1
}

# Starts programs until $tmp/stop is there, and prints a line for each that is
# not as it should be. In between there are only the shell's own commands.
starts=$tmp/starts
start_programs() {
    count=0
    while [ ! -e "$tmp/stop" ]; do
        out=$("$show" 2>&1) status=$?
        count=$((count + 1))
        case $status:$out in
        "0:$on"*) [ -e "$tmp/removed" ] && echo 'on once it is removed' ;;
        '0:SO_KEEPALIVE is OFF')
            [ -e "$tmp/removing" ] || echo 'off before it is removed'
            ;;
        *) echo "status $status, and it prints: $out" ;;
        esac
    done
    echo "$count" >>"$starts"
}

on='SO_KEEPALIVE is ON
TCP_KEEPCNT '
run_make install >"$tmp/log" || fail "install: $(cat "$tmp/log")"
echo "$tmp/usr/lib/libkeepalive.so" >"$preload_file"
start_programs >"$tmp/first" 2>&1 &
start_programs >"$tmp/second" 2>&1 &

for round in $(seq "$INSTALLS"); do
    run_make install >>"$tmp/log" || fail "install $round"
done

: >"$tmp/removing"
sed -i '/libkeepalive\.so$/d' "$preload_file"
sleep 1
run_make uninstall >>"$tmp/log" || fail 'uninstall'
: >"$tmp/removed"
sleep 1
: >"$tmp/stop"
wait

expect 'programs that were not well' '' "$(cat "$tmp/first" "$tmp/second")"
expect 'what the installations print' '' "$(cat "$tmp/log")"
expect 'the loops have ended well' 2 "$(wc -l <"$starts")"
echo "$INSTALLS installations while" \
    "$(awk '{ all += $1 } END { print all }' "$starts") programs were started"
finish
