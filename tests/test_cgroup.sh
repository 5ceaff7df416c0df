#!/bin/sh
# test_cgroup.sh - `keepalive --cgroup`: every program of a cgroup
# SPDX-License-Identifier: MIT
. tests/common.sh
. tests/cgroup.sh
need setpriv ss

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

flags='-t 222 -i 33 -c 11 -u 44'
ours='KEEPALIVE=1 KEEPCNT=11 KEEPIDLE=222 KEEPINTVL=33 KEEPTIMEOUT=44000'
own='KEEPCNT=5 KEEPIDLE=60 KEEPINTVL=6 KEEPTIMEOUT=7000'
none=$(for value in probes time intvl; do
    cat "/proc/sys/net/ipv4/tcp_keepalive_$value"
done | xargs printf 'KEEPALIVE=0 KEEPCNT=%s KEEPIDLE=%s KEEPINTVL=%s')
both() { printf 'client: %s\naccepted: %s' "$1" "$1"; }

# The programs: dynamic, static, of musl where its compiler is there
flavours=
for compiler in 'musl-gcc -static' "${CC:-cc}" "${CC:-cc} -static"; do
    command -v "${compiler%% *}" >/dev/null || continue
    flavour "$compiler"
    flavours="$flavours ${traffic##*/}"
done

expect 'nothing at first' "nothing is in force in $cgroup
status 1" "$(said --cgroup "$cgroup")"
expect 'nothing to take away' 'status 0' "$(said --off --cgroup "$cgroup")"

# A listener from before
starts "$traffic" listener "$tmp/listener"

# The name is a directory, or a path below the mount.
# shellcheck disable=SC2086
expect 'set' "$head
on 222 33 11 44 $cgroup
status 0" "$(said $flags --cgroup "${cgroup#"$mount"/}")"
expect 'shown' "$head
on 222 33 11 44 $cgroup
status 0" "$(said --cgroup "$cgroup")"
expect 'the trial leaves nothing' 'cgroup inner' \
    "$(cd "$outer" && echo */ cgroup/*/ | sed 's,cgroup/i,i,; s,/,,g')"
goes_on
expect 'a listener from before' "ready
$(both "$ours")" "$(cat "$tmp/listener")"
for flavour in $flavours; do
    expect "$flavour" "$(both "$ours")
$(both "$ours")" "$(inside "$cgroup" "$tmp/$flavour" connections)"
    expect "$flavour, which only asks for keepalive" "$(both "$ours")" \
        "$(inside "$cgroup" "$tmp/$flavour" asks)"
    expect "$flavour, an idle time of its own" \
        "$(both "$(echo "$ours" | sed 's/=222/=60/')")" \
        "$(inside "$cgroup" "$tmp/$flavour" some)"
    expect "$flavour, a timeout of its own" \
        "$(both "$(echo "$ours" | sed 's/=44000/=7000/')")" \
        "$(inside "$cgroup" "$tmp/$flavour" timeout)"
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

# What the system has is that of the command's network, too; programs in another
# network keep what they have there, without force.
idle=/proc/sys/net/ipv4/tcp_keepalive_time
usual=$(cat $idle)
asks() { inside "$cgroup" "$traffic" asks | sed 's/.*IDLE=//; s/ .*//; q'; }
asks_elsewhere() {
    # shellcheck disable=SC2016
    inside "$cgroup" unshare -n sh -c 'ip link set lo up; echo 400 >"$0"
        "$1" asks' $idle "$traffic" | sed 's/.*IDLE=//; s/ .*//; q'
}
echo 300 >$idle
put -t 222 --cgroup "$cgroup"
expect "the values of the command's network" 222 "$(asks)"
expect 'those of another network' 400 "$(asks_elsewhere)"
echo "$usual" >$idle
put -f -t 222 --cgroup "$cgroup"
expect 'those of another network, force' 222 "$(asks_elsewhere)"
# shellcheck disable=SC2086
put $flags --cgroup "$cgroup"

# Multipath TCP: the subflows have the timer, and the program does not see it.
starts "$traffic" multipath "$tmp/multipath"
if grep -q ready "$tmp/multipath"; then
    expect 'Multipath TCP, what the program sees' "$(both "$none")" \
        "$(head -n 2 "$tmp/multipath")"
    expect 'Multipath TCP, its subflows' 2 \
        "$(ss -Htno state established | grep -c 'timer:(keepalive,3min')"
else
    echo 'no Multipath TCP here: left out'
fi
goes_on

# Go, whose programs set values of their own: 15 and 15 seconds
if command -v go >/dev/null; then
    HOME=$tmp GOFLAGS='' go build -o "$tmp/go" tests/traffic.go ||
        fail 'tests/traffic.go'
    expect 'Go, no values of its own' "$(both "$ours")" \
        "$(inside "$cgroup" "$tmp/go" plain)"
    drop "$cgroup"
    its_own=$(inside "$cgroup" "$tmp/go" default)
    # shellcheck disable=SC2086
    put $flags --cgroup "$cgroup"
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
# What was connected before force can have keepalive, and a listener what it
# likes: its connections get the values of the cgroup.
drop "$cgroup"
starts "$traffic" open "$tmp/open"
# shellcheck disable=SC2086
put --force $flags --cgroup "$cgroup"
expect '-p, and force' "3 another value stays, as --force for a cgroup makes it; \
see keepalive --cgroup ${cgroup#"$mount/"}" "$("$COMMAND" -t 61 \
    -p "$(cat "$cgroup/cgroup.procs")" 2>&1 >"$tmp/out" |
    sed -n 's/.* cannot be set: /3 /p')"
can_unshare -C &&
    expect '-p, and force, in a cgroup namespace of its own' \
        'see keepalive --cgroup DIR' \
        "$(inside "$cgroup" unshare -C "$COMMAND" -t 61 \
            -p "$(cat "$cgroup/cgroup.procs")" 2>&1 >"$tmp/out" |
            grep -o 'see keepalive.*')"
goes_on
expect 'force, and what was connected before' "ready
listener: KEEPALIVE=1 $own
$(both "$(echo "$none" | sed 's/=0/=1/') KEEPTIMEOUT=0")" "$(cat "$tmp/open")"
put --force -t 222 --cgroup "$cgroup"
expect 'force, what is not given' \
    "$(both 'KEEPALIVE=1 KEEPCNT=5 KEEPIDLE=222 KEEPINTVL=6 KEEPTIMEOUT=7000')" \
    "$(inside "$cgroup" "$traffic" after)"
expect 'without force the second program goes' '1' \
    "$("$COMMAND" -t 222 --cgroup "$cgroup" >"$tmp/out"; attached | wc -l)"

# The command may itself have the library.
expect 'with the library' 'status 0' "$(KEEPIDLE=60 LD_PRELOAD=$LIBKEEPALIVE \
    said -t 222 --cgroup "$inner" | tail -n 1)"
drop "$inner"
# A signal takes effect when all is done, and nothing else is left.
"$COMMAND" -t 222 --cgroup "$inner" >"$tmp/out" 2>&1 &
setter=$!
for _ in $(seq 2000); do
    [ ! -d "$cgroup/keepalive-trial" ] || break
done
kill -QUIT "$setter"
wait "$setter"
expect 'a signal: no trial is left' "$inner/" "$(ls -d "$cgroup"/*/)"
drop "$inner"
# Anybody can lock the directory, or a file that others can open: neither is
# waited for. A run that has not ended is.
flock "$inner" sleep 100 &
holders=$!
touch /run/keepalive.lock
chmod 644 /run/keepalive.lock
flock /run/keepalive.lock sleep 100 &
holders="$holders $!"
expect 'a lock of others' 'status 0' "$(said -t 222 --cgroup "$inner" | tail -n 1)"
# shellcheck disable=SC2086
kill $holders
# holds COMMAND...: what has the lock as a run has it, while the command runs
holds() { (umask 077 && exec flock /run/keepalive.lock "$@"); }
holds sh -c 'echo locked >"$0"; sleep 1; echo ended >"$0"' "$tmp/holder" &
until [ -s "$tmp/holder" ]; do sleep 0.1; done
expect 'a run that has not ended' 'status 0, ended' \
    "$(said -t 222 --cgroup "$inner" | tail -n 1), $(cat "$tmp/holder")"
drop "$inner"
odd=$cgroup/$(printf 'x\033y')
mkdir "$odd"
put -t 222 --cgroup "$cgroup"
expect 'an odd name' "keepalive: $cgroup/x?y: it has no values of its own now, \
but those of $cgroup are in force
status 2" "$(said --off --cgroup "$odd")"
drop "$cgroup"
rmdir "$odd"

# Replaced under load: no connection has neither the old nor the new values.
put -t 111 --cgroup "$cgroup"
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
drop "$cgroup"

# Each call of bpf(2) refused in turn: nothing has changed, and it is said.
put -t 111 --cgroup "$inner"
strace -f -o "$tmp/trace" -e trace=bpf "$COMMAND" -f -t 222 --cgroup "$inner" \
    >"$tmp/out"
calls=$(grep -c 'bpf(' "$tmp/trace")
[ "$calls" -gt 8 ] || fail "only $calls calls of bpf(2)"
put -t 111 --cgroup "$inner"
before=$(attached "$inner" | wc -l)
for call in $(seq "$calls"); do
    strace -o "$tmp/trace" -e trace=bpf -e inject="bpf:error=EPERM:when=$call" \
        "$COMMAND" -f -t 222 --cgroup "$inner" >"$tmp/out" 2>"$tmp/err"
    expect "call $call of bpf(2) is refused" "125 1 line, in force: 111 $before" \
        "$? $(wc -l <"$tmp/err") line, in force: $("$COMMAND" \
            --cgroup "$inner" | awk 'NR == 2 { print $2 }') $(attached \
            "$inner" | wc -l)"
done
# The cgroup is gone from a call on: that is said, and nothing else.
for call in $(seq "$calls"); do
    put -t 111 --cgroup "$inner"
    strace -o "$tmp/trace" -e trace=bpf -e inject="bpf:error=ENOENT:when=$call+" \
        "$COMMAND" -f -t 222 --cgroup "$inner" >"$tmp/out" 2>"$tmp/err"
    expect "gone at call $call of bpf(2)" "125 keepalive: $inner: the cgroup was \
removed meanwhile" "$? $(cat "$tmp/err")"
done
put -t 111 --cgroup "$inner"
refused() {
    strace -o "$tmp/trace" -f -e trace="${1%%:*}" -e inject="$1" "$COMMAND" \
        -t 222 --cgroup "$inner" 2>&1
    echo "status $?"
}
while read -r error reason; do
    expect "$error" "keepalive: $inner: $reason
status 125" "$(refused "bpf:error=$error:when=1")"
done <<'END'
EPERM the kernel does not permit bpf(2) here, perhaps because this is a container or a user namespace
ENOSYS this kernel is older than Linux 5.9, or was built without CONFIG_CGROUP_BPF
EINVAL this kernel is older than Linux 5.9, or was built without CONFIG_CGROUP_BPF
E2BIG this kernel is older than Linux 5.9, or was built without CONFIG_CGROUP_BPF
ENOMEM Cannot allocate memory
END
# A program that the kernel does not load: its reasons, where they are wanted
strace -o "$tmp/trace" -e trace=bpf "$COMMAND" -t 111 --cgroup "$inner" \
    >"$tmp/out"
first=$(grep 'bpf(' "$tmp/trace" | grep -n -m 1 BPF_PROG_LOAD | cut -d : -f 1)
expect 'the log of the verifier' 1 "$(KEEPALIVE_VERIFIER=1 \
    refused "bpf:error=EINVAL:when=$first" | grep -c '^processed [0-9]* insns')"
expect 'a kernel that does not set the options' "keepalive: $inner: a \
test connection there has KEEPALIVE=0: this needs Linux 6.1, or 5.9 with \
--force; nothing was changed
status 125" "$(refused getsockopt:retval=0)"
while read -r call reason; do
    expect "no connection can be tried: $call" "keepalive: $inner: no connection \
could be tried there: $reason; nothing was changed
status 125" "$(refused "$call")"
done <<'END'
bind:error=EADDRINUSE Address already in use
mkdirat:error=ENOSPC No space left on device
write:error=EINVAL:when=1 Invalid argument
clone,?fork:error=EAGAIN a limit is reached: cgroup.max.descendants, cgroup.max.depth or pids.max
END
expect 'no lock' 'keepalive: /run/keepalive.lock: No locks available
status 125' "$(refused flock:error=ENOLCK)"
expect 'what was there is back' '111' "$("$COMMAND" --cgroup "$inner" |
    awk 'NR == 2 { print $2 }')"
mkdir "$cgroup/keepalive-trial" "$inner/keepalive-trial"
put -t 112 --cgroup "$inner"
expect 'trials that were left over' "$inner/" "$(ls -d "$cgroup"/*/ "$inner"/*/ \
    2>/dev/null)"
drop "$inner"
rmdir "$inner"

# Each reason by its name, and nothing is changed
mkdir "$inner"
put -t 111 --cgroup "$inner"
refuses() {
    expect "$1" "keepalive: $2: $3
status 125" "$(said -t 222 --cgroup "$2")"
}
untried='no connection could be tried there:'
frozen() { echo "$1" >"$cgroup/cgroup.freeze"; }
frozen 1
refuses 'a frozen cgroup' "$inner" \
    "$untried the cgroup is frozen; nothing was changed"
frozen 0
echo 0 >"$cgroup/cgroup.max.descendants"
refuses 'no more cgroups' "$inner" "$untried a limit is reached: cgroup.max.descendants, \
cgroup.max.depth or pids.max; nothing was changed"
echo max >"$cgroup/cgroup.max.descendants"
mkdir "$cgroup/keepalive-trial"
sleep 1000 &
sleeper=$!
echo "$sleeper" >"$cgroup/keepalive-trial/cgroup.procs"
refuses 'a process in the trial' "$inner" \
    "$untried a process is in keepalive-trial there or beside it; nothing was changed"
kill "$sleeper"
wait "$sleeper" 2>/dev/null
for _ in $(seq 64); do "$tmp/attach" beside other "$outer"; done
refuses '64 programs' "$outer" \
    "64 programs, the kernel's limit, are attached there already"
for _ in $(seq 64); do "$tmp/attach" detach setter "$outer"; done
expect 'what was there is there' '111' "$("$COMMAND" --cgroup "$inner" |
    awk 'NR == 2 { print $2 }')"
expect 'a cgroup that is removed while it is shown' "keepalive: $inner: the \
cgroup was removed meanwhile" "$(strace -o "$tmp/trace" -P "$inner" \
    -e trace=openat -e inject=openat:error=ENOENT:when=2 "$COMMAND" \
    --cgroup "$inner" 2>&1)"
put --off --cgroup "$inner"
# Its directory is open, but the cgroup is gone when it is its turn.
mkfifo "$tmp/turn"
holds sh -c 'echo locked >"$0"; cat "$1"' "$tmp/holder" "$tmp/turn" >"$tmp/out" &
exec 5>"$tmp/turn"
until grep -q locked "$tmp/holder"; do sleep 0.1; done
"$COMMAND" -t 222 --cgroup "$inner" >"$tmp/said" 2>&1 5>&- &
setter=$!
has_opened() { readlink "/proc/$1/fd"/* | grep -qx "$inner"; }
wait_until has_opened $setter || fail "$inner is never opened"
rmdir "$inner"
exec 5>&-
wait "$setter"
expect 'a cgroup that is removed' "125 keepalive: $inner: the cgroup was removed \
meanwhile" "$? $(cat "$tmp/said")"
mkdir "$inner"
echo threaded >"$inner/cgroup.type"
refuses 'a threaded cgroup' "$inner" \
    "$untried the cgroup is threaded; nothing was changed"
rmdir "$inner"
mkdir "$inner"
# A path of somebody else's does not reach the terminal as it is.
strange=$tmp/$(printf 'x\302\233y')
mkdir "$strange"
# shellcheck disable=SC2016
expect 'control characters of a mount' "keepalive: 'no' is not a cgroup of \
version 2, and there is none of that name below $tmp/x?y" "$(unshare -m sh -c '
    mount --bind "$1" "$2" && umount -l "$1" && "$0" --cgroup no' \
    "$COMMAND" "$mount" "$strange" 2>&1)"
expect 'a hint at the values' 1 "$("$COMMAND" -t 1 --cgroup "$inner" 2>&1 |
    grep -c 'below the interval')"
expect 'no hint' '' "$("$COMMAND" -q -t 1 --cgroup "$inner" 2>&1)"
drop "$inner"

# The cgroup of the command itself; .control is systemd's, within it.
mkdir "$inner/.control" "$inner/self"
for at in "$inner" "$inner/.control"; do
    expect "self, in $at" "$head
on 111 - - - $inner
status 0" "$(inside "$at" "$COMMAND" -t 111 --cgroup self 2>/dev/null | columns
        echo "status $?")"
    drop "$inner"
done
expect 'a directory called self' "nothing is in force in $inner/self
status 1" "$(cd "$inner" && said --cgroup ./self)"
# A cgroup of version 1 may have what introduces the line of version 2 in its name.
printf '1:name=x:/0::/\n0::%s\n' "${inner#"$mount"}" >"$tmp/own"
# shellcheck disable=SC2016
expect 'self, and an odd name' "nothing is in force in $inner" "$(unshare -m sh -c \
    'mount --bind "$1" /proc/$$/cgroup && exec "$0" --cgroup self' \
    "$COMMAND" "$tmp/own")"
if [ ! -e "$mount/cgroup.type" ]; then
    expect 'self, not the whole machine' "keepalive: self: this process is in \
no cgroup below the mount of version 2; give the mount point if you mean the \
whole machine" \
        "$(inside "$mount" "$COMMAND" --cgroup self 2>&1)"
fi
rmdir "$inner/.control" "$inner/self"

# What is shown is so at one moment, also while it is being replaced.
is_stopped() {
    shower=$(pgrep -P "$tracer") &&
        grep -q '^State:.*[Tt] ' "/proc/$shower/status" &&
        grep -q -- '--- stopped' "$tmp/trace"
}
put -t 111 --cgroup "$inner"
strace -o "$tmp/trace" -e trace=bpf "$COMMAND" --cgroup "$inner" >"$tmp/out"
for call in $(seq "$(grep -c '^bpf(' "$tmp/trace")"); do
    strace -o "$tmp/trace" -e trace=bpf -e inject="bpf:signal=STOP:when=$call" \
        "$COMMAND" --cgroup "$inner" >"$tmp/shown" 2>&1 &
    tracer=$!
    wait_until is_stopped || fail "call $call of those that show: no stop"
    put -t 222 --cgroup "$inner"
    put -t "$call" --cgroup "$inner"
    kill -CONT "$shower"
    wait "$tracer"
    case $(columns <"$tmp/shown") in
    "$head
on $call - - - $inner" | "$head
on 111 - - - $inner") ;;
    *) fail "replaced at call $call of those that show: $(cat "$tmp/shown")" ;;
    esac
    put -t 111 --cgroup "$inner"
done
# A run that does not wait, as /run is its own, while values are tried
strace -o "$tmp/trace" -e trace=bpf "$COMMAND" -t 222 --cgroup "$inner" \
    >"$tmp/out"
call=$(grep '^bpf(' "$tmp/trace" | grep -n -m 1 BPF_PROG_LOAD | cut -d : -f 1)
strace -o "$tmp/trace" -e trace=bpf -e inject="bpf:signal=STOP:when=$call" \
    "$COMMAND" -t 222 --cgroup "$inner" >"$tmp/shown" 2>&1 &
tracer=$!
wait_until is_stopped || fail 'a run that loads programs: no stop'
# shellcheck disable=SC2016
unshare -m sh -c 'mount -t tmpfs none /run && "$0" -q -t 333 --cgroup "$1"' \
    "$COMMAND" "$inner" || fail 'a run that does not wait'
kill -CONT "$shower"
wait "$tracer"
expect 'replaced during the trial' "0 on 222 - - - $inner, 1 program" \
    "$? $(columns <"$tmp/shown" | tail -n 1), $(attached "$inner" | wc -l) program"
drop "$inner"

# No right
while read -r capability word; do
    expect "without $word" "keepalive: --cgroup needs root: $word is missing
status 125" "$(setpriv --inh-caps="-$capability" \
        --bounding-set="-$capability" "$COMMAND" -t 1 --cgroup "$cgroup" 2>&1
        echo "status $?")"
done <<'END'
net_admin CAP_NET_ADMIN
sys_admin CAP_SYS_ADMIN
END
expect 'another user' "keepalive: --cgroup needs root: CAP_NET_ADMIN is missing
status 125" "$(setpriv --reuid=65534 --regid=65534 --clear-groups "$COMMAND" \
    -t 1 --cgroup "$cgroup" 2>&1; echo "status $?")"

# What is no cgroup, and flags that do not count
for other in "$tmp" no/such "$cgroup/cgroup.procs"; do
    expect "no cgroup: $other" "keepalive: '$other' is not a cgroup of version 2, \
and there is none of that name below $mount
status 125" "$(said -t 1 --cgroup "$other")"
done
# These would be the whole machine, so nothing is set here.
for other in '' . / .. "${outer##*/}/.."; do
    expect "not the whole machine: '$other'" "keepalive: '$other' is not a cgroup \
of version 2, and there is none of that name below $mount
status 125" "$(cd "$tmp" && said --cgroup "$other")"
done
first=$(awk '$3 == "cgroup" { print $2; exit }' /proc/mounts)
if [ -n "$first" ]; then
    expect 'version 1' "keepalive: '$first' is not a cgroup of version 2, and \
there is none of that name below $mount
status 125" "$(said -t 1 --cgroup "$first")"
fi
while IFS='|' read -r words reason; do
    # shellcheck disable=SC2086
    expect "$words" "keepalive: $reason
status 125" "$(said --cgroup "$cgroup" $words)"
done <<'END'
--off -t 5|--idle cannot be used with --off
--off -f -c 5|--count cannot be used with --off
-q -j|--quiet cannot be used with --json
word|--cgroup: unexpected argument 'word'
END
expect 'nothing is left' '' "$(attached)"

# What the DaemonSet runs, with its node below $outer, in the cgroup namespace of
# this process; then on a node where there are no pods, and where nothing works.
script=$(sed -n '/^ *- |$/,/securityContext:/{s/^ \{14\}//p;}' \
    examples/daemonset.yaml | sed "s,/node,$outer,; s,  keepalive ,  $COMMAND ,")
on_node() {
    nsenter -t $$ -C sh -c "$script" >"$tmp/said" 2>&1
    status=$?
    columns <"$tmp/said"
    echo "status $status"
}
expect 'the DaemonSet, no pods' "no cgroup of pods in /sys/fs/cgroup
status 0" "$(on_node)"
mkdir "$outer/kubepods"
expect 'the DaemonSet' "$head
on 120 30 5 - $outer/kubepods
status 0" "$(on_node)"
script=$(echo "$script" | sed 's/-t 120 -i 30 -c 5/--off/')
put -t 222 --cgroup "$outer"
expect 'the DaemonSet, --off' "keepalive: $outer/kubepods: it has no values of its \
own now, but those of $outer are in force
exit status 2
status 0" "$(on_node)"
finish
