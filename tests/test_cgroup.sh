#!/bin/sh
# test_cgroup.sh - `keepalive --cgroup`: every program of a cgroup
# SPDX-License-Identifier: MIT
#
# All of it in a cgroup of its own, which only processes of this script enter;
# it is removed at the end, with whatever is still in it. The programs that
# connect are in a network namespace of their own, too.
. tests/common.sh
in_namespace -n -m
need ip strace setpriv ss
[ "$(id -u)" = 0 ] || skip 'this takes root'
ip link set lo up
mount=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
[ -n "$mount" ] || skip 'no cgroup of version 2 is mounted'
name=keepalive-test-$$
cgroup=$mount/$name
mkdir "$cgroup" || skip 'no cgroup can be made'
# shellcheck disable=SC2016
at_exit='remove_cgroup'
remove_cgroup() {
    for _ in $(seq 100); do
        [ -d "$cgroup" ] || break
        # It is our own: processes of nobody else are in it.
        # shellcheck disable=SC2046
        kill -9 $(cat "$cgroup/cgroup.procs" "$cgroup/inner/cgroup.procs") \
            2>/dev/null
        rmdir "$cgroup"/*/ "$cgroup" 2>/dev/null
        [ ! -d "$cgroup" ] || sleep 0.1
    done
}
case $("$COMMAND" -t 222 --cgroup "$cgroup" 2>&1) in
*'does not permit bpf'* | *'CAP_'*) skip 'bpf(2) is not permitted' ;;
esac
"$COMMAND" --off --cgroup "$cgroup"

flags='-t 222 -i 33 -c 11 -u 44'
ours='KEEPALIVE=1 KEEPCNT=11 KEEPIDLE=222 KEEPINTVL=33 KEEPTIMEOUT=44000'
own='KEEPCNT=5 KEEPIDLE=60 KEEPINTVL=6 KEEPTIMEOUT=7000'
both() { printf 'client: %s\naccepted: %s' "$1" "$1"; }

# inside CGROUP COMMAND...
inside() {
    # shellcheck disable=SC2016
    sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$@"
}
# switch EXPECTED FLAGS...: the status and what is said
switch() {
    expected=$1
    shift
    "$COMMAND" "$@" >"$tmp/said" 2>&1
    expect "keepalive $*" "$expected" "$? $(cat "$tmp/said")"
}
# The table of what is in force, with its blanks squeezed
shown() {
    "$COMMAND" --cgroup "${1:-$cgroup}" 2>&1 | tr -s ' '
}
head='keepalive idle interval count timeout cgroup'

# The programs: dynamic, static, of musl, of Go; the last two where there is a
# compiler.
flavours='dynamic static'
for flavour in dynamic static musl; do
    case $flavour in
    dynamic) set -- "${CC:-cc}" ;;
    static) set -- "${CC:-cc}" -static ;;
    musl)
        command -v musl-gcc >/dev/null || continue
        flavours="$flavours musl"
        set -- musl-gcc -static
        ;;
    esac
    # shellcheck disable=SC2068
    $@ -std=c11 -D_GNU_SOURCE -Iinclude -o "$tmp/$flavour" tests/traffic.c ||
        fail "traffic.c: $flavour"
done
${CC:-cc} -std=c11 -D_GNU_SOURCE -o "$tmp/attach" tests/attach.c ||
    fail 'attach.c'
traffic=$tmp/static

expect 'nothing at first' "nothing is in force in $cgroup" "$(shown)"
"$COMMAND" --cgroup "$cgroup" >"$tmp/said"
expect 'its status' 1 $?
mkfifo "$tmp/fifo"
inside "$cgroup" "$traffic" listener <"$tmp/fifo" >"$tmp/listener" &
listener=$!
exec 3>"$tmp/fifo"
for _ in $(seq 100); do
    grep -q ready "$tmp/listener" && break
    sleep 0.1
done

# What is set. The name is a directory, or a path below the mount.
# shellcheck disable=SC2086
switch "0 $head
on 222 33 11 44 $cgroup" $flags --cgroup "$name" >"$tmp/out"
sed 's/  */ /g' "$tmp/out" # the blanks of the table are not told
