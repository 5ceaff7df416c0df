#!/bin/sh
# test_cgroup.sh - `keepalive --cgroup`: every program of a cgroup
# SPDX-License-Identifier: MIT
#
# All of it in a cgroup of its own, which only processes of this script enter;
# it is removed at the end, with whatever is still in it. The programs that
# connect are in a network namespace of their own, too.
. tests/common.sh
in_namespace -n -m
need ip setpriv ss
need_strace
[ "$(id -u)" = 0 ] || skip 'needs root'
ip link set lo up
mount=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
[ -n "$mount" ] || skip 'no cgroup of version 2 is mounted'
name=$group_name
cgroup=$mount/$name
inner=$cgroup/inner
mkdir "$cgroup" 2>/dev/null || skip 'no cgroup can be made'
at_exit='remove_group "$cgroup"'

# What a killed run has left goes, and nothing else.
(exit 0) &
wait $!
dead=$mount/${group_name%-*}-$!
mkdir "$dead" "$dead/inner"
sleep 1000 &
sleeper=$!
echo $sleeper >"$dead/inner/cgroup.procs"
remove_dead_groups "$mount"
expect 'a cgroup of a run that was killed' 'gone with its process' \
    "$([ -d "$dead" ] || kill $sleeper 2>/dev/null || echo gone with its process)"
[ -d "$cgroup" ] || fail 'the cgroup of a run that lives is removed'
mkdir "$inner"
case $("$COMMAND" -t 222 --cgroup "$cgroup" 2>&1) in
*'does not permit bpf'* | *CAP_*) skip 'bpf(2) is not permitted' ;;
esac
"$COMMAND" --off --cgroup "$cgroup"

flags='-t 222 -i 33 -c 11 -u 44'
ours='KEEPALIVE=1 KEEPCNT=11 KEEPIDLE=222 KEEPINTVL=33 KEEPTIMEOUT=44000'
own='KEEPCNT=5 KEEPIDLE=60 KEEPINTVL=6 KEEPTIMEOUT=7000'
none=$(for value in probes time intvl; do
    cat "/proc/sys/net/ipv4/tcp_keepalive_$value"
done | xargs printf 'KEEPALIVE=0 KEEPCNT=%s KEEPIDLE=%s KEEPINTVL=%s')
both() { printf 'client: %s\naccepted: %s' "$1" "$1"; }

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
# said FLAGS...: what the command says, and its status
said() {
    status=0
    "$COMMAND" "$@" >"$tmp/said" 2>&1 || status=$?
    columns <"$tmp/said"
    echo "status $status"
}
attached() { "$tmp/attach" list "${1:-$cgroup}"; }

# The programs: dynamic, static, of musl where its compiler is there
flavours=
for compiler in "${CC:-cc}" "${CC:-cc} -static" 'musl-gcc -static'; do
    command -v "${compiler%% *}" >/dev/null || continue
    flavour=$(echo "$compiler" | tr ' ' '_')
    # shellcheck disable=SC2086
    $compiler -std=c11 -D_GNU_SOURCE -Iinclude -o "$tmp/$flavour" \
        tests/traffic.c || fail "$compiler tests/traffic.c"
    flavours="$flavours $flavour"
done
${CC:-cc} -std=c11 -D_GNU_SOURCE -iquote src/command -Iinclude \
    -o "$tmp/attach" tests/attach.c ||
    fail 'tests/attach.c'
traffic=$tmp/$(echo "${CC:-cc}" | tr ' ' '_')_-static

expect 'nothing at first' "nothing is in force in $cgroup
status 1" "$(said --cgroup "$cgroup")"
expect 'nothing to take away' 'status 0' "$(said --off --cgroup "$cgroup")"

# A listener from before
mkfifo "$tmp/fifo"
inside "$cgroup" "$traffic" listener <"$tmp/fifo" >"$tmp/listener" &
listener=$!
exec 3>"$tmp/fifo"
wait_until grep -qs ready "$tmp/listener" || fail 'the listener is not ready'

# The name is a directory, or a path below the mount.
# shellcheck disable=SC2086
expect 'set' "$head
on 222 33 11 44 $cgroup
status 0" "$(said $flags --cgroup "$name")"
expect 'shown' "$head
on 222 33 11 44 $cgroup
status 0" "$(said --cgroup "$cgroup")"
expect 'the trial leaves nothing' inner "$(basename "$cgroup"/*/)"
echo >&3
wait "$listener"
expect 'a listener from before' "ready
$(both "$ours")" "$(cat "$tmp/listener")"
for flavour in $flavours; do
    expect "$flavour" "$(both "$ours")
$(both "$ours")" "$(inside "$cgroup" "$tmp/$flavour" connections)"
    expect "$flavour, its own values before" "$(both "KEEPALIVE=1 $own")" \
        "$(inside "$cgroup" "$tmp/$flavour" before)"
    expect "$flavour, its own values after" "$(both "KEEPALIVE=0 $own")" \
        "$(inside "$cgroup" "$tmp/$flavour" after)"
done
expect 'outside of it' "$(both "$none KEEPTIMEOUT=0")" \
    "$("$traffic" connections | head -n 2)"
# shellcheck disable=SC2016
expect 'the preload inside' "$(both 'KEEPALIVE=1 KEEPCNT=11 KEEPIDLE=77')" \
    "$(KEEPIDLE=77 KEEPCNT=11 LD_PRELOAD=$LIBKEEPALIVE inside "$cgroup" \
        "$tmp/${CC:-cc}" connections | head -n 2 | cut -d ' ' -f 1-4)"

# Multipath TCP: the subflows have the timer, and the program does not see it.
inside "$cgroup" "$traffic" multipath <"$tmp/fifo" >"$tmp/multipath" 2>&1 &
multipath=$!
exec 4>"$tmp/fifo"
has_begun() {
    grep -qs ready "$tmp/multipath" || ! kill -0 "$multipath" 2>/dev/null
}
wait_until has_begun || fail 'Multipath TCP: the program neither says ready nor ends'
if grep -q ready "$tmp/multipath"; then
    expect 'Multipath TCP, what the program sees' "$(both "$none")" \
        "$(head -n 2 "$tmp/multipath")"
    expect 'Multipath TCP, its subflows' 2 \
        "$(ss -Htno state established | grep -c 'timer:(keepalive,3min')"
else
    echo 'no Multipath TCP here: left out'
fi
echo >&4
wait "$multipath"
exec 3>&- 4>&-

# Go, whose programs set values of their own: 15 and 15 seconds
if command -v go >/dev/null; then
    HOME=$tmp GOFLAGS='' go build -o "$tmp/go" tests/traffic.go ||
        fail 'tests/traffic.go'
    expect 'Go, no values of its own' "$(both "$ours")" \
        "$(inside "$cgroup" "$tmp/go" plain)"
    "$COMMAND" --off --cgroup "$cgroup"
    its_own=$(inside "$cgroup" "$tmp/go" default)
    # shellcheck disable=SC2086
    "$COMMAND" $flags --cgroup "$cgroup" >"$tmp/out"
    expect 'Go, its own values' \
        "$(echo "$its_own" | sed 's/TIMEOUT=0/TIMEOUT=44000/')" \
        "$(inside "$cgroup" "$tmp/go" default | sed 's/CNT=11/CNT=9/')"
fi

# Force: the program's own calls succeed, without effect.
# shellcheck disable=SC2086
expect 'force' "$head
force 222 33 11 44 $cgroup
status 0" "$(said --force $flags --cgroup "$cgroup")"
for flavour in $flavours; do
    for when in before after; do
        expect "force, $flavour, its own values $when" "$(both "$ours")" \
            "$(inside "$cgroup" "$tmp/$flavour" "$when" 2>&1)"
    done
    expect "force, $flavour, other sockets" 'UDP: KEEPALIVE=1
local: KEEPALIVE=1' "$(inside "$cgroup" "$tmp/$flavour" others)"
done
if [ -e "$tmp/go" ]; then
    expect 'force, Go' "$(both "$ours")" "$(inside "$cgroup" "$tmp/go" default)"
fi
"$COMMAND" --force -t 222 --cgroup "$cgroup" >"$tmp/out"
expect 'force, what is not given' \
    "$(both 'KEEPALIVE=1 KEEPCNT=5 KEEPIDLE=222 KEEPINTVL=6 KEEPTIMEOUT=7000')" \
    "$(inside "$cgroup" "$traffic" after)"
expect 'without force the second program goes' '1' \
    "$("$COMMAND" -t 222 --cgroup "$cgroup" >"$tmp/out"; attached | wc -l)"

# Two cgroups, one in the other: the nearest counts, unless one above has force.
"$COMMAND" -t 99 -c 7 --cgroup "$inner" >"$tmp/out"
expect 'the nearest' "$head
on 99 - 7 - $inner
status 0" "$(said --cgroup "$inner")"
expect 'its connections' 'client: KEEPALIVE=1 KEEPCNT=7 KEEPIDLE=99' \
    "$(inside "$inner" "$traffic" connections | head -n 1 | cut -d' ' -f 1-4)"
"$COMMAND" --force -t 222 --cgroup "$cgroup" >"$tmp/out"
expect 'force above' "$head
- - - 7 - $inner
force 222 - - - $cgroup
status 0" "$(said --cgroup "$inner")"
expect 'its connections' 'client: KEEPALIVE=1 KEEPCNT=7 KEEPIDLE=222' \
    "$(inside "$inner" "$traffic" connections | head -n 1 | cut -d' ' -f 1-4)"
before=$(attached "$inner")
# Nobody reads the reason: what was there is back all the same.
(trap - PIPE; "$COMMAND" -t 98 --cgroup "$inner" 2>&1; echo $? >"$tmp/status") | :
expect 'refused, and nobody is told' "$before" "$(attached "$inner")"
expect 'what would not count is refused' "keepalive: $inner: a connection that \
was tried there has KEEPIDLE=222, perhaps by --force for a cgroup above; \
nothing was changed
status 125" "$(said -t 98 --cgroup "$inner")"
expect 'and what was there is back' "$before" "$(attached "$inner")"
expect 'off, but not above' "keepalive: $inner: nothing of its own is in force, \
but what is set in $cgroup still is
status 2" "$(said --off --cgroup "$inner")"
expect 'it comes from above' "$head
force 222 - - - $cgroup
status 0" "$(said --cgroup "$inner")"
expect 'off' 'status 0' "$(said --off --cgroup "$cgroup")"
expect 'nothing is left' '' "$(attached)$(attached "$inner")"
expect 'off counts for new connections' "$(both "$none KEEPTIMEOUT=0")" \
    "$(inside "$cgroup" "$traffic" connections | head -n 2)"

# The command may itself have the library.
expect 'with the library' 'status 0' "$(KEEPIDLE=60 LD_PRELOAD=$LIBKEEPALIVE \
    said -t 222 --cgroup "$inner" | tail -n 1)"
"$COMMAND" --off --cgroup "$inner"
# A signal takes effect when all is done, and nothing else is left.
"$COMMAND" -t 222 --cgroup "$inner" >"$tmp/out" 2>&1 &
setter=$!
for _ in $(seq 2000); do
    [ ! -d "$inner/keepalive-trial" ] || break
done
kill -QUIT "$setter"
wait "$setter"
expect 'a signal: no trial is left' '' "$(ls -d "$inner"/*/ 2>/dev/null)"
"$COMMAND" --off --cgroup "$inner"
# Others can lock the directory, but not for ever.
flock "$inner" sleep 1 &
expect 'a lock of others' 'status 0' "$(said -t 222 --cgroup "$inner" | tail -n 1)"
"$COMMAND" --off --cgroup "$inner"
odd=$cgroup/$(printf 'x\033y')
mkdir "$odd"
"$COMMAND" -t 222 --cgroup "$cgroup" >"$tmp/out"
expect 'an odd name' "keepalive: $cgroup/x?y: nothing of its own is in force, \
but what is set in $cgroup still is
status 2" "$(said --off --cgroup "$odd")"
"$COMMAND" --off --cgroup "$cgroup"
rmdir "$odd"

# Replaced under load: no connection has neither the old nor the new values.
"$COMMAND" -t 111 --cgroup "$cgroup" >"$tmp/out"
inside "$cgroup" "$traffic" many 10000 111 222 >"$tmp/many" &
many=$!
replaced=0
while kill -0 "$many" 2>/dev/null && [ "$replaced" -lt 10000 ]; do
    for idle in 222 111; do
        "$COMMAND" -t "$idle" --cgroup "$cgroup" >"$tmp/out" ||
            fail "replaced by $idle"
        replaced=$((replaced + 1))
    done
done
wait "$many"
read -r old new neither <"$tmp/many"
expect 'replaced under 10,000 connections' '20000, 0 with neither' \
    "$((old + new)), $neither with neither"
if [ "$old" = 0 ] || [ "$new" = 0 ]; then
    fail "replaced $replaced times, but $old ends have old, $new new values"
fi
running=
for idle in 1 2 3 4 5 6; do
    "$COMMAND" -t "$idle" --cgroup "$cgroup" >>"$tmp/out" 2>&1 &
    running="$running $!"
done
for pid in $running; do
    wait "$pid" || fail 'one of several at once'
done
expect 'several at once' 1 "$(attached | wc -l)"
"$COMMAND" --off --cgroup "$cgroup"

# Programs of others stay, also one of the same name.
"$tmp/attach" beside other "$cgroup"
"$tmp/attach" beside keepalive "$cgroup"
others=$(attached)
expect "others' programs are not ours" "nothing is in force in $cgroup
status 1" "$(said --cgroup "$cgroup")"
"$COMMAND" --force -t 222 --cgroup "$cgroup" >"$tmp/out"
"$COMMAND" --force -t 223 --cgroup "$cgroup" >"$tmp/out"
expect 'beside them' "$others" "$(attached | head -n 2)"
expect 'ours, once' 4 "$(attached | wc -l)"
"$COMMAND" --off --cgroup "$cgroup"
expect 'they stay' "$others" "$(attached)"

# What a version with fewer options, or with more, has left there is ours.
for options in 2 12; do
    "$tmp/attach" record $options "$inner"
    expect "a record of $options options" "$head
on 99 - - - $inner" "$("$COMMAND" --cgroup "$inner" 2>&1 | columns |
        grep -v '^keepalive:')"
    expect "a record of $options options is replaced" 1 \
        "$("$COMMAND" -t 98 --cgroup "$inner" >"$tmp/out"; attached "$inner" |
        wc -l)"
    "$tmp/attach" record $options "$cgroup"
    "$COMMAND" --off --cgroup "$inner" 2>"$tmp/err"
    expect "a record of $options options is removed" 'status 0' \
        "$(said --off --cgroup "$cgroup")"
done

# Each call of bpf(2) refused in turn: nothing has changed, and it is said.
"$COMMAND" -t 111 --cgroup "$inner" >"$tmp/out"
strace -f -o "$tmp/trace" -e trace=bpf "$COMMAND" -f -t 222 --cgroup "$inner" \
    >"$tmp/out"
calls=$(grep -c 'bpf(' "$tmp/trace")
first=$(grep 'bpf(' "$tmp/trace" | grep -n -m 1 BPF_PROG_LOAD | cut -d : -f 1)
[ "$calls" -gt 8 ] || fail "only $calls calls of bpf(2)"
"$COMMAND" -t 111 --cgroup "$inner" >"$tmp/out"
before=$(attached "$inner" | wc -l)
for call in $(seq "$calls"); do
    strace -o "$tmp/trace" -e trace=bpf -e inject="bpf:error=EPERM:when=$call" \
        "$COMMAND" -f -t 222 --cgroup "$inner" >"$tmp/out" 2>"$tmp/err"
    expect "call $call of bpf(2) is refused" "125 1 line, in force: 111 $before" \
        "$? $(wc -l <"$tmp/err") line, in force: $("$COMMAND" \
            --cgroup "$inner" | awk 'NR == 2 { print $2 }') $(attached \
            "$inner" | wc -l)"
done
refused() {
    strace -o "$tmp/trace" -f -e trace="${1%%:*}" -e inject="$1" "$COMMAND" \
        -t 222 --cgroup "$inner" 2>&1
    echo "status $?"
}
while read -r error reason; do
    expect "$error" "keepalive: $inner: $reason
status 125" "$(refused "bpf:error=$error:when=1")"
done <<'END'
EPERM the kernel does not permit bpf(2) here, in a container or a user namespace perhaps
ENOSYS this kernel is older than Linux 5.9, or was built without CONFIG_CGROUP_BPF
EINVAL this kernel is older than Linux 5.9, or was built without CONFIG_CGROUP_BPF
E2BIG this kernel is older than Linux 5.9, or was built without CONFIG_CGROUP_BPF
ENOMEM Cannot allocate memory
END
# A program that the kernel does not load: its reasons, where they are wanted
expect 'the log of the verifier' 1 "$(KEEPALIVE_VERIFIER=1 \
    refused "bpf:error=EINVAL:when=$first" | grep -c '^processed [0-9]* insns')"
expect 'a kernel that does not set the options' "keepalive: $inner: a \
connection that was tried there has no keepalive; it takes Linux 6.1, or 5.9 \
with --force; nothing was changed
status 125" "$(refused getsockopt:retval=0)"
expect 'no connection can be tried' "keepalive: $inner: no connection could be \
tried there: Address already in use; nothing was changed
status 125" "$(refused bind:error=EADDRINUSE)"
expect 'what was there is back' '111' "$("$COMMAND" --cgroup "$inner" |
    awk 'NR == 2 { print $2 }')"
mkdir "$inner/keepalive-trial"
"$COMMAND" -t 112 --cgroup "$inner" >"$tmp/out" || fail 'a trial was left over'
[ ! -d "$inner/keepalive-trial" ] || fail 'the trial is still there'
"$COMMAND" --off --cgroup "$inner"
rmdir "$inner"

# A program beside which no other can stand, at the cgroup or above it
mkdir "$inner"
"$tmp/attach" alone lonely "$inner"
mkdir "$inner/deeper"
for at in "$inner" "$inner/deeper"; do
    expect "a program that stands alone, from $at" "keepalive: $at: another \
program is attached to $inner and lets none stand beside it
status 125" "$(said -t 222 --cgroup "$at")"
done
rmdir "$inner/deeper"

# No right
while read -r capability word; do
    expect "without $word" "keepalive: --cgroup takes root: $word is missing
status 125" "$(setpriv --inh-caps="-$capability" \
        --bounding-set="-$capability" "$COMMAND" -t 1 --cgroup "$cgroup" 2>&1
        echo "status $?")"
done <<'END'
net_admin CAP_NET_ADMIN
sys_admin CAP_SYS_ADMIN
END
expect 'another user' "keepalive: --cgroup takes root: CAP_NET_ADMIN is missing
status 125" "$(setpriv --reuid=65534 --regid=65534 --clear-groups "$COMMAND" \
    -t 1 --cgroup "$cgroup" 2>&1; echo "status $?")"

# What is no cgroup, and flags that do not count
for other in "$tmp" no/such "$cgroup/cgroup.procs"; do
    expect "no cgroup: $other" "keepalive: '$other' is not a cgroup of version 2, \
and there is none of that name below $mount
status 125" "$(said -t 1 --cgroup "$other")"
done
# These would be the whole machine, so nothing is set here.
for other in '' . / .. "$name/.."; do
    expect "not the whole machine: '$other'" "keepalive: '$other' is not a cgroup \
of version 2, and there is none of that name below $mount
status 125" "$(cd "$tmp" && said --cgroup "$other")"
done
first=$(awk '$3 == "cgroup" { print $2; exit }' /proc/mounts)
if [ -n "$first" ]; then
    expect 'version 1' "keepalive: $first: a cgroup of version 1; this takes \
version 2, which is mounted at $mount
status 125" "$(said -t 1 --cgroup "$first")"
fi
while IFS='|' read -r words reason; do
    # shellcheck disable=SC2086
    expect "$words" "keepalive: $reason
status 125" "$(said --cgroup "$cgroup" $words)"
done <<'END'
--off -t 5|--off cannot be used with --idle
-q|--quiet cannot be used with --cgroup
word|--cgroup: unexpected argument 'word'
END
expect 'nothing of ours is left' "$others" "$(attached)"

# The command line of the DaemonSet, on this cgroup; the process whose cgroup
# namespace it enters is this one.
command=$(sed -n 's/^ *command: \[\(.*keepalive.*\)\]$/\1/p' \
    examples/daemonset.yaml | tr -d '",')
case $command in
'nsenter '*) ;;
*) fail "no command in examples/daemonset.yaml: $command" ;;
esac
command=$(echo "$command" |
    sed "s, -t 1 -C keepalive , -t $$ -C $COMMAND ,
        s,/node/kubepods.slice,$cgroup,")
# shellcheck disable=SC2086
expect 'the DaemonSet' "$head
on 120 30 5 - $cgroup" "$($command 2>&1 | columns)"
finish
