# cgroup.sh - what the tests of --cgroup share; read with `.` after common.sh
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2154
#
# Makes cgroups that only processes of the script enter: $inner in $cgroup in
# one of a name of this process, so that the parent of each is its own, too.
# They are removed at the end, with whatever is still in them. The programs
# that connect are in a network namespace of their own, and /run is private: there
# the command has its lock, which another run of the tests may hold just now.
in_namespace -n -m
need ip
need_strace
[ "$(id -u)" = 0 ] || skip 'needs root'
ip link set lo up
mount -t tmpfs -o mode=755 none /run || skip 'no mounts here'
mount=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
[ -n "$mount" ] || skip 'no cgroup of version 2 is mounted'
outer=$mount/$group_name
cgroup=$outer/cgroup
inner=$cgroup/inner
mkdir "$outer" 2>/dev/null || skip 'no cgroup can be made'
# shellcheck disable=SC2034 # common.sh uses it
at_exit='remove_group "$outer"'
mkdir "$cgroup" "$inner"
case $("$COMMAND" -t 222 --cgroup "$cgroup" 2>&1) in
*'does not permit bpf'* | *CAP_* | *'was left out'*) skip 'no bpf(2)' ;;
esac
"$COMMAND" --off --cgroup "$cgroup"

# inside CGROUP COMMAND...
inside() {
    # shellcheck disable=SC2016
    sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$@"
}
head='keepalive idle interval count timeout cgroup'
# These columns of a table, and all that is none; the blanks squeezed
columns() {
    tr -s ' ' | awk -v head="$head" '
        $1 == "keepalive" { fields = NF
            for (i = 1; i <= NF; i++) kept[i] = index(" " head " ", " " $i " ") }
        NF == fields { line = ""
            for (i = 1; i <= NF; i++) if (kept[i]) line = line " " $i
            $0 = substr(line, 2) }
        { print }'
}
# said FLAGS...: what the command says, without hints at values, and its status
said() {
    status=0
    "$COMMAND" "$@" >"$tmp/said" 2>&1 || status=$?
    grep -Ev '^keepalive: (the idle time|one lost probe)' "$tmp/said" | columns
    echo "status $status"
}
# put FLAGS...: what has to succeed
put() { "$COMMAND" "$@" >"$tmp/out" 2>&1 || fail "$*: $(cat "$tmp/out")"; }
# drop CGROUP...: removes ours, whatever is set above
drop() {
    for at; do
        "$COMMAND" --off --cgroup "$at" 2>"$tmp/out" || [ $? = 2 ] ||
            fail "--off $at: $(cat "$tmp/out")"
    done
}
attached() { "$tmp/attach" list "${1:-$cgroup}"; }

# flavour COMPILER: builds the program that connects
flavour() {
    traffic=$tmp/$(echo "$1" | tr ' ' '_')
    # shellcheck disable=SC2086
    $1 -std=c11 -D_GNU_SOURCE -Iinclude -o "$traffic" tests/traffic.c ||
        fail "$1 tests/traffic.c"
}
${CC:-cc} -std=c11 -D_GNU_SOURCE -iquote src/command -Iinclude \
    -o "$tmp/attach" tests/attach.c || fail 'tests/attach.c'
flavour "${CC:-cc} -static"

# starts PROGRAM MODE OUTPUT: a program of the cgroup that waits for a line on
# descriptor 3 when it has said that it is ready; $pid is its number
mkfifo "$tmp/fifo"
starts() {
    inside "$cgroup" "$1" "$2" <"$tmp/fifo" >"$3" 2>&1 3>&- &
    pid=$!
    exec 3>"$tmp/fifo"
    wait_until has_begun "$3" || fail "$2: it does not begin"
}
has_begun() {
    grep -q ready "$1" || ! kill -0 "$pid" 2>/dev/null
}
goes_on() {
    echo >&3
    wait "$pid"
    exec 3>&-
}
