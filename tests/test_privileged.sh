#!/bin/sh
# test_privileged.sh - programs with more rights than their caller
# SPDX-License-Identifier: MIT
#
# Under /etc/ld.so.preload a set-user-ID program and one with file capabilities
# take nothing from the caller's environment and have keepalive on. Others say
# what is wrong with it, and that cannot harm a terminal.
. tests/common.sh
need_root
in_namespace -m
private_etc
need setcap

cp "$LIBKEEPALIVE" "$tmp/libkeepalive.so"
chmod 755 "$tmp/libkeepalive.so"
for name in plain setuid capable; do
    cp "$show" "$tmp/$name"
    chmod 755 "$tmp/$name"
done
mount --bind "$tmp" "$tmp" && mount -o remount,bind,suid,exec "$tmp" &&
    at_exit="umount -l '$tmp' /etc"
chmod 4755 "$tmp/setuid"
setcap cap_net_raw+ep "$tmp/capable" || skip 'no file capabilities'
echo "$tmp/libkeepalive.so" >"$preload_file"

# as_nobody PROGRAM VARIABLE=VALUE...
as_nobody() {
    program=$tmp/$1
    shift
    setpriv --reuid=65534 --regid=65534 --clear-groups env "$@" "$program"
}

# privileged LABEL VARIABLE=VALUE...
privileged() {
    label=$1
    shift
    for name in setuid capable; do
        expect "$name: $label" "$system" "$(as_nobody $name "$@" 2>&1)"
    done
}

# reported LABEL LINES VARIABLE=VALUE...: a clean line for each bad value
reported() {
    label=$1 lines=$2
    shift 2
    expect "plain: $label" "$system" \
        "$(as_nobody plain "$@" 2>"$tmp/report")"
    expect "$label: lines" "$lines" "$(wc -l <"$tmp/report")"
    expect "$label: nothing but printable ASCII" 0 \
        "$(LC_ALL=C grep -ac '[^ -~]' "$tmp/report")"
    expect "$label: nothing but reports, of 64 bytes of a value" '' \
        "$(grep -avE "^libkeepalive: [A-Z]+: '[^']{0,64}(\.\.\.)?' is not " \
            "$tmp/report")"
}

cd /proc/sys/net/ipv4 || exit 1
system="SO_KEEPALIVE is ON
TCP_KEEPCNT   = $(cat tcp_keepalive_probes)
TCP_KEEPIDLE  = $(cat tcp_keepalive_time)
TCP_KEEPINTVL = $(cat tcp_keepalive_intvl)"
expect 'plain: an empty environment' "$system" "$(as_nobody plain -i)"
expect 'plain: its environment has a say' 'SO_KEEPALIVE is OFF' \
    "$(as_nobody plain KEEPALIVE=off)"
privileged 'off' KEEPALIVE=off
privileged 'other values' KEEPCNT=1 KEEPIDLE=1 KEEPINTVL=1
privileged 'bad values' KEEPALIVE=x KEEPCNT=0 KEEPIDLE=5M KEEPINTVL=-1

# Before main() as well: a library whose constructor comes before ours.
cp "$BUILD/tests/early.so" "$tmp/early.so"
printf '%s\n' "$tmp/libkeepalive.so" "$tmp/early.so" >"$preload_file"
for name in plain setuid capable; do
    kept=lost
    [ $name != plain ] || kept='kept alive'
    # The program's line is the last; the shell's own words are enough to see.
    said=$(as_nobody $name KEEPIDLE=222 2>&1)
    case $said in
    *"early: "*" $kept
SO_KEEPALIVE"*) ;;
    *) fail "$name: early sockets with the caller's values: $said" ;;
    esac
done
echo "$tmp/libkeepalive.so" >"$preload_file"

# A megabyte of digits: a string of an environment may have 128 KiB at most
# (MAX_ARG_STRLEN, see execve(2)), so it takes eight.
digits=$(head -c 131000 /dev/zero | tr '\0' 7)
set --
for name in KEEPALIVE KEEPCNT KEEPIDLE KEEPINTVL KEEP K KEEPIDLE2 KEEPALIV; do
    set -- "$@" "$name=$digits"
done
privileged 'a megabyte of digits' "$@"
reported 'a megabyte of digits' 3 "$@"

# Control characters and what is no character at all.
control=$(printf '\033]0;title\007\033[31m\001\t\r\n\177\200\233\377\\end')
privileged 'control characters' KEEPALIVE="$control" KEEPIDLE="$control"
reported 'control characters' 2 KEEPALIVE="$control" KEEPIDLE="$control"

# The command knows that the library is loaded without LD_PRELOAD: what is lost
# with the environment is --off, and the values.
cp "$COMMAND" "$tmp/keepalive"
for name in sudo docker service; do
    cp "$show" "$tmp/$name"
done
# warned EXPECTED FLAG|COMMAND...: the words that are looked for in the warning
warned() {
    words=$1
    shift
    said=$(PATH=$tmp:$PATH setpriv --reuid=65534 --regid=65534 --clear-groups \
        "$tmp/keepalive" "$@" 2>&1 >/dev/null)
    case $said in
    *"$words"*) [ -n "$words" ] || expect "$*" '' "$said" ;;
    *) fail "$*: $words: $said" ;;
    esac
}
stays='cleans the environment, so keepalive stays on, by --global; let it run'
lost='cleans the environment, so keepalive is on, by --global, without these'
warned "$stays" --off sudo
warned "$stays" --off env -i "$tmp/plain"
warned "$stays" --off env -u KEEPALIVE "$tmp/plain"
warned 'more rights' --off "$tmp/setuid"
warned '' -q --off sudo
warned '' --off "$tmp/plain"
warned '' --off env KEEPALIVE=off LD_PRELOAD= "$tmp/plain"
warned '' --off docker
warned '' service docker start
warned '' --off sudo keepalive --off true
warned '' env -i "$tmp/plain"
warned '' env LD_PRELOAD= "$tmp/plain"
warned '' sudo
warned '' "$tmp/setuid"
warned "$lost" -t 240 sudo
warned "$lost" --force env -i "$tmp/plain"
warned '' -t 240 env LD_PRELOAD= "$tmp/plain"
warned 'more rights' -t 240 "$tmp/setuid"
warned 'so this has no effect' docker
: >"$preload_file"
warned '' --off sudo
warned '' --off "$tmp/setuid"
warned 'so this has no effect' env -i "$tmp/plain"
finish
