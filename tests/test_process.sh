#!/bin/sh
# test_process.sh - `keepalive -p`: the sockets of running processes
# SPDX-License-Identifier: MIT
#
# The processes are in a network namespace of their own. What was set is read
# by another program, tests/peek.
. tests/common.sh
in_namespace -n
need python3 ip ss ps prlimit
need_strace
ip link set lo up
peek=$BUILD/tests/peek

started=
# shellcheck disable=SC2016
at_exit='kill $started 2>/dev/null'
# start COMMAND...: in the background; waits for its first line, in $line
start() {
    mkfifo "$tmp/fifo"
    "$@" >"$tmp/fifo" 2>&1 &
    pid=$!
    started="$started $pid"
    read -r line <"$tmp/fifo"
    rm "$tmp/fifo"
}

# A process with sockets of all kinds, at descriptors of our choice
cat >"$tmp/hold.py" <<'END'
import os, socket, sys, time
kept = []
def keep(fd, made):
    os.dup2(made.fileno(), fd)
    made.detach()
    kept.append(socket.socket(fileno=fd))
    return kept[-1]
listener = keep(20, socket.create_server(("127.0.0.1", 7100)))
client = keep(21, socket.create_connection(("127.0.0.1", 7100)))
keep(22, listener.accept()[0])
listener = keep(23, socket.create_server(("::1", 7200),
                                         family=socket.AF_INET6))
keep(24, socket.create_connection(("::1", 7200)))
os.dup2(24, 25)
keep(26, socket.socket(socket.AF_INET, socket.SOCK_STREAM))
keep(30, socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
keep(31, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
keep(32, socket.socket(socket.AF_NETLINK, socket.SOCK_RAW))
client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 9000500)
for fd in range(3, 20):
    try:
        os.close(fd)
    except OSError:
        pass
print("ready", flush=True)
time.sleep(1000)
END
start python3 "$tmp/hold.py"
expect 'the process with sockets' ready "$line"
holder=$pid

# columns FD NAME...: of the table in the input, by the names in its head; FD is
# that of a row, or * for all
columns() {
    wanted=$1
    shift
    awk -v wanted="$wanted" -v names="$*" '
        NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; split(names, name) }
        NR > 1 && (wanted == "*" || $at["fd"] == wanted) {
            line = $at[name[1]]
            for (i = 2; i in name; i++) line = line " " $at[name[i]]
            print line
        }'
}

# rows FLAGS...: the rows of the JSON, short, and the status
rows() {
    "$COMMAND" --json "$@" >"$tmp/json" 2>"$tmp/err"
    status=$?
    python3 - "$tmp/json" <<'END'
import json, sys
for row in json.load(open(sys.argv[1])):
    print(row["fd"], row["state"],
          *[row[name] for name in
            ("keepalive", "idle", "interval", "count", "timeout")],
          "next" if row["next"] is not None and 0 < row["next"] <= 9999
          else row["next"], *[row["before"]] if "before" in row else [])
END
    cat "$tmp/err"
    [ $status = 0 ] || echo "status $status"
}
system=$(for name in time intvl probes; do
    cat "/proc/sys/net/ipv4/tcp_keepalive_$name"
done | xargs)

expect 'every TCP socket, and no other' "20 listen False $system 0 None
21 established False $system 9000.5 None
22 established False $system 0 None
23 listen False $system 0 None
24 established False $system 0 None
26 closed False $system 0 None" "$(rows -p "$holder")"
port=$(ss -Htn 'dst 127.0.0.1:7100' | awk '{ sub(/.*:/, "", $4); print $4 }')
port6=$(ss -Htn 'dst [::1]:7200' | awk '{ sub(/.*:/, "", $4); print $4 }')
"$COMMAND" -p "$holder" >"$tmp/table"
expect 'addresses' "20 127.0.0.1:7100 -
21 127.0.0.1:$port 127.0.0.1:7100
22 127.0.0.1:7100 127.0.0.1:$port
23 [::1]:7200 -
24 [::1]:$port6 [::1]:7200
26 0.0.0.0:0 -" "$(columns '*' fd local remote <"$tmp/table")"
expect 'addresses in JSON' '127.0.0.1:7100 None' \
    "$(python3 -c 'import json, sys
row = json.load(open(sys.argv[1]))[0]
print(row["local"], row["remote"])' "$tmp/json")"
expect 'the table is aligned' '' "$(awk '
    NR == 1 { for (i = 2; i <= NF; i++) at[i] = index($0, " " $i); next }
    { for (i in at) if (substr($0, at[i], 2) !~ /^ [^ ]/) print i ": " $0 }' \
    "$tmp/table")"
expect 'a row of it' "$holder python3 21 127.0.0.1:$port 127.0.0.1:7100 \
established off $system 9000.500 -" "$(columns 21 pid name fd local remote state \
    keepalive idle interval count timeout next <"$tmp/table")"
expect 'looking sets nothing' \
    "0 $(echo "$system" | awk '{ print $3, $1, $2 }')" \
    "$("$peek" "$holder" | sort -u)"

# Setting: what changed is told, and the kernel has it
before="{'keepalive': False, 'idle': ${system%% *}, 'count': ${system##* }}"
interval=$(echo "$system" | awk '{ print $2 }')
expect 'set' "20 listen True 600 $interval 3 0 None $before
21 established True 600 $interval 3 9000.5 next $before
22 established True 600 $interval 3 0 next $before
23 listen True 600 $interval 3 0 None $before
24 established True 600 $interval 3 0 next $before
26 closed True 600 $interval 3 0 None $before" \
    "$(rows -p "$holder" -t 600 --count=3)"
expect 'the kernel has it' "1 3 600 $interval" \
    "$("$peek" "$holder" | sort -u)"
expect 'and its timer runs' 3 \
    "$(ss -Htno state established | grep -c 'timer:(keepalive')"
expect 'the table tells what changed' \
    "established on 600->700 $interval 3->4 9000.500" \
    "$("$COMMAND" -t 700 -c 4 -p "$holder" |
        columns 21 state keepalive idle interval count timeout)"
expect 'the timeout too' "on 9000.500->9000" "$("$COMMAND" -u 9000 -p "$holder" |
    columns 21 keepalive timeout)"
"$COMMAND" -u 9000 -p "$holder" >"$tmp/out"
expect 'nothing changed' "established on 700 $interval 4 9000" \
    "$("$COMMAND" -t 700 -p "$holder" |
        columns 21 state keepalive idle interval count timeout)"
expect 'off' 'on->off -' "$("$COMMAND" --off -p "$holder" |
    columns 21 keepalive next)"
expect 'the kernel has that too' 0 \
    "$("$peek" "$holder" | cut -d' ' -f1 | sort -u)"

# A value that the kernel refuses; a descriptor that is closed, and a process
# that ends, just when its turn comes
inject() {
    what=$1
    shift
    strace -o "$tmp/trace" -e trace=readlinkat,pidfd_getfd,setsockopt \
        -e inject="$what" "$@" 2>"$tmp/err" >"$tmp/out"
    status=$?
    cat "$tmp/err"
    echo "status $status rows $(grep -c "^$holder " "$tmp/out")"
}
expect 'a value is refused' 'status 3 rows 6' \
    "$(inject setsockopt:error=EPERM:when=3 "$COMMAND" -t 60 -i 60 -p "$holder")"
expect 'a descriptor is closed meanwhile' 'status 0 rows 5' \
    "$(inject pidfd_getfd:error=EBADF:when=3 "$COMMAND" -p "$holder")"
expect 'the process ends meanwhile' "keepalive: $holder: the process has ended
status 1 rows 2" \
    "$(inject pidfd_getfd:error=ESRCH:when=3 "$COMMAND" -p "$holder")"
expect 'no permission to see what the descriptors are' 'status 2 rows 0' \
    "$(inject readlinkat:error=EACCES -e inject=pidfd_getfd:error=EPERM \
        "$COMMAND" -p "$holder" | grep -v '^keepalive: ')"
expect 'no permission for the descriptor' 'status 2 rows 0' \
    "$(inject pidfd_getfd:error=EPERM "$COMMAND" -p "$holder" |
        grep -v '^keepalive: ')"

# One that ends, and is waited for, when its directory is open: the command is
# stopped there.
sleep 100 &
victim=$!
strace -qq -o "$tmp/trace" -P "/proc/$victim" -e trace=openat \
    -e inject=openat:signal=STOP "$COMMAND" -p "$victim" >"$tmp/out" 2>&1 &
looker=$!
is_open() {
    looking=$(ps -o pid= --ppid "$looker" | tr -d ' ')
    [ -n "$(find "/proc/$looking/fd" -lname "/proc/$victim" 2>/dev/null)" ]
}
wait_until is_open || fail "/proc/$victim is never opened"
kill "$victim"
wait "$victim" 2>/dev/null
kill -CONT "$looking"
wait "$looker"
expect 'a process that is gone meanwhile' \
    "1 keepalive: $victim: the process has ended" "$? $(cat "$tmp/out")"

# Processes that are not there
(exit 0) &
ended=$!
wait "$ended"
while IFS='|' read -r number expected; do
    said=$("$COMMAND" -p "$number" 2>&1)
    echo "status $?" >>"$tmp/said"
    expect "-p $number" "$expected" "$said|$(tail -n 1 "$tmp/said")"
done <<END
$ended|keepalive: $ended: No such process|status 1
99999999|keepalive: 99999999: No such process|status 1
0|keepalive: '0' is not the number of a process|status 125
1x|keepalive: 1x: no process has this name|status 1
-|keepalive: -: no process has this name|status 1
99999999999999999999|keepalive: '99999999999999999999' is not the number of a \
process|status 125
END
expect 'no number' 'keepalive: no process given; see keepalive --help' \
    "$("$COMMAND" -p 2>&1)"
sh -c 'true & exec sleep 1000' &
pid=$!
started="$started $pid"
find_zombie() {
    zombie=$(ps -o stat=,pid= --ppid "$pid" | sed -n 's/^Z[^ ]* *//p')
    [ -n "$zombie" ]
}
wait_until find_zombie || fail 'no process has ended'
expect 'a process that has ended and is still listed' \
    "keepalive: $zombie: the process has ended" \
    "$("$COMMAND" -p "$zombie" 2>&1)"
expect 'no TCP sockets' 'keepalive: no TCP socket
status 0' "$("$COMMAND" -p "$pid" 2>&1; echo "status $?")"
expect 'no TCP sockets, JSON' '[]' \
    "$("$COMMAND" -j -p "$pid" 2>/dev/null | python3 -c 'import json, sys
print(json.load(sys.stdin))')"
expect 'several processes: the others are still shown, the worst status' \
    "6 status 1" "$("$COMMAND" -p "$ended" "$holder" "$pid" >"$tmp/out" \
        2>/dev/null; echo "$(grep -c "^$holder " "$tmp/out") status $?")"
expect 'a full disk' 125 \
    "$("$COMMAND" -p "$holder" >/dev/full 2>/dev/null; echo $?)"

# Thousands of sockets, with few descriptors of our own
start prlimit --nofile=4096 python3 -c 'import socket, time
kept = [socket.socket() for _ in range(3000)]
print("ready", flush=True)
time.sleep(1000)'
expect 'thousands of sockets' "$line 3000 status 0" \
    "$line $(prlimit --nofile=32 "$COMMAND" -t 60 -i 60 -p "$pid" >"$tmp/out"
        status=$?
        echo "$(grep -c 'off->on' "$tmp/out") status $status")"

# A connection that the process closes is closed, though it was looked at.
start python3 -c 'import socket, sys
server = socket.create_server(("127.0.0.1", 7300))
print("ready", flush=True)
peer = server.accept()[0]
sys.exit(0 if peer.recv(1) == b"" else 1)'
server=$pid
start python3 -c 'import socket, subprocess, sys, os, time
kept = socket.create_connection(("127.0.0.1", 7300))
subprocess.run(sys.argv[1:] + [str(os.getpid())], stdout=sys.stderr)
kept.close()
print("closed", flush=True)
time.sleep(1000)' "$COMMAND" -t 60 -i 60 -p
wait "$server"
expect 'the peer sees the end' 0 $?

# A static program, in another network namespace than ours
cat >"$tmp/static.c" <<'END'
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
int main(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    puts(listen(fd, 1) == 0 ? "ready" : "no");
    fflush(stdout);
    return pause();
}
END
${CC:-cc} -static -o "$tmp/static" "$tmp/static.c"
if can_unshare -n; then
    start unshare -n "$tmp/static"
    expect 'a static program, another network namespace' \
        "listen off->on ${system%% *}->60" \
        "$("$COMMAND" -t 60 -i 60 -p "$pid" | columns '*' state keepalive idle)"
    # Its timer is in the list of its own network.
    start unshare -n sh -c "ip link set lo up; exec python3 '$tmp/hold.py'"
    expect 'the timers of another network namespace' "$line 3" \
        "$line $("$COMMAND" -t 60 -p "$pid" 2>/dev/null |
            columns '*' next | grep -c '^[0-9]')"
else
    leave_out "$why"
fi

# Multipath TCP; the kernel does not tell its user timeout
start python3 -c 'import socket, time
server = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
server.bind(("127.0.0.1", 7400))
server.listen()
client = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
client.connect(("127.0.0.1", 7400))
print("ready", flush=True)
time.sleep(1000)'
if [ "$line" = ready ]; then
    expect 'Multipath TCP' '127.0.0.1:7400 established on - next' \
        "$("$COMMAND" -t 60 -i 60 -p "$pid" >/dev/null
        "$COMMAND" -p "$pid" | columns '*' remote state keepalive timeout next |
            sed -n '2s/ [0-9][0-9.]*$/ next/p')"
    # A value that it does not take and that nobody can see was not set.
    expect 'Multipath TCP has no timeout' 3 \
        "$("$COMMAND" -u 30 -p "$pid" >/dev/null; echo $?)"
    expect 'Multipath TCP, dry run' '- 3' \
        "$(echo "$("$COMMAND" -n -u 30 -p "$pid"; echo $? >"$tmp/status")" |
            columns '*' timeout | sort -u) $(cat "$tmp/status")"
else
    echo 'no Multipath TCP here: left out'
fi

# -p with a name, with = and without a blank; a thread's number is its process's
for words in "-p$holder" "--pid=$holder" "-p $holder"; do
    # shellcheck disable=SC2086
    expect "$words" 6 "$("$COMMAND" $words | grep -c "^$holder ")"
done
cp "$(command -v sleep)" "$tmp/a_name" # nobody else's
"$tmp/a_name" 1000 &
started="$started $!"
is_named() { [ "$(ps -o comm= -p "$1")" = "$2" ]; }
wait_until is_named $! a_name
expect 'a name' 'keepalive: no TCP socket' "$("$COMMAND" -p a_name 2>&1)"
# A name may hold anything: a newline is part of it, and none is shown as -.
named() {
    start python3 -c 'import ctypes, socket, sys, time
ctypes.CDLL(None).prctl(15, sys.argv[1].replace("N", chr(10)).encode())
kept = socket.socket()
print("ready", flush=True)
time.sleep(1000)' "$1"
}
named keepNtest
expect 'a name with a newline' "keep?test keepalive: keep: no process has this name" \
    "$("$COMMAND" -p "$pid" | columns '*' name) $("$COMMAND" -p keep 2>&1)"
named ''
expect 'no name' - "$("$COMMAND" -p "$pid" | columns '*' name)"
expect 'an operand twice' "6 0" "$("$COMMAND" -p "$holder" "$pid" "$holder" |
    columns '*' pid | grep -c "^$holder\$") \
$("$COMMAND" -p "$holder" "$pid" "$holder" | grep -c '+')"
expect 'no such name' 'keepalive: no?such: no process has this name
status 1' "$("$COMMAND" -p "$(printf 'no\033such')" 2>&1; echo "status $?")"

# A hint where the interval is longer than the idle time, and where the timeout
# does not outlast a lost probe: one for all sockets
hint() {
    words=$1
    shift
    "$COMMAND" "$@" -n -p "$holder" 2>&1 >/dev/null | grep -c "$words"
}
below='below the interval' lost='one lost probe'
expect 'a hint at the interval' '1 0 0' \
    "$(hint "$below" -t 5) $(hint "$below" -t 5 -i 5) $(hint "$below" -t 9h)"
for case in '1 -t 5 -i 2 -u 6' '1 -t 5 -i 2 -u 7' '0 -t 5 -i 2 -u 8' '1 -u 60'; do
    # shellcheck disable=SC2086
    expect "a hint at the timeout: $case" "${case%% *}" \
        "$(hint "$lost" ${case#* })"
done
expect 'no hint without a value that concerns it' 0 "$(hint "$lost" -c 3)"
"$COMMAND" -i 5 -p "$holder" >/dev/null
expect 'a hint at the interval of the sockets' '0' "$(hint "$below" -t 5)"
"$COMMAND" -i 75 -p "$holder" >/dev/null
expect 'flags end at --' "keepalive: -t: no process has this name
status 1" "$("$COMMAND" -p -- -t 2>&1; echo "status $?")"
"$COMMAND" --off -p "$holder" >/dev/null

# What would be set, and only that
expect 'dry run' 'off->on 60->77' "$("$COMMAND" -n -t 77 -i 7 -p "$holder" |
    columns 22 keepalive idle)"
expect 'dry run: nothing is set' 0 "$("$peek" "$holder" | cut -d' ' -f1 | sort -u)"
expect 'dry run without values' 125 \
    "$("$COMMAND" -n -p "$holder" 2>/dev/null; echo $?)"

# Threads with descriptors of their own, and a main thread that has ended
cat >"$tmp/threads.c" <<'END'
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
static const char *mode;
static void *work(void *unused)
{
    if (strcmp(mode, "own") == 0 && unshare(CLONE_FILES) < 0)
        return NULL;
    if (listen(socket(AF_INET, SOCK_STREAM, 0), 1) == 0)
        puts("ready");
    fflush(stdout);
    pause();
    return unused;
}
int main(int argc, char *argv[])
{
    pthread_t threads[2];
    mode = argv[argc - 1];
    pthread_create(&threads[0], NULL, work, NULL);
    if (strcmp(mode, "ended") == 0)
        pthread_exit(NULL);
    pause();
}
END
${CC:-cc} -pthread -o "$tmp/threads" "$tmp/threads.c"
for mode in own ended shared; do
    start "$tmp/threads" $mode
    case $("$COMMAND" -p "$pid" 2>&1) in
    *' listen '*) ;;
    *'takes Linux 6.9'*) echo 'descriptors of threads: this kernel is too old' ;;
    *) fail "threads, $mode: $("$COMMAND" -p "$pid" 2>&1)" ;;
    esac
    thread=$(find "/proc/$pid/task" -mindepth 1 -maxdepth 1 | sed 's,.*/,,' |
        grep -vx "$pid")
    expect "threads, $mode: the number of one" "$pid" \
        "$("$COMMAND" -p "$thread" 2>/dev/null | columns '*' pid)"
done

# Where it cannot be known whether threads share descriptors, that is said.
start python3 -c 'import threading, time
threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
print("ready", flush=True)
time.sleep(1000)'
for error in EPERM ENOSYS; do
    expect "kcmp: $error" 'status 2 1' "$(strace -qq -o "$tmp/trace" \
        -e inject=kcmp:error=$error "$COMMAND" -p "$pid" >"$tmp/out" 2>&1
        echo "status $? $(grep -c "^keepalive: [$pid]\|left out" "$tmp/out")")"
done

# All processes, each socket once; in a pid namespace of its own, where no others
# are. A second one holds the first one's sockets.
cat >"$tmp/all.sh" <<'END'
ip link set lo up
ip addr add 192.0.2.1/32 dev lo
ip addr add 192.0.2.2/32 dev lo
python3 -c '
import os, socket, sys, time
server = socket.create_server(("192.0.2.1", 7500))
kept = [socket.create_connection(("192.0.2.1", 7500), 9, ("192.0.2.2", 0))
        for _ in range(4)]
kept += [server.accept()[0] for _ in range(4)]
kept[0].setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
kept[0].setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 99)
near = socket.create_server(("127.0.0.1", 7600))
kept.append(socket.create_connection(("127.0.0.1", 7600)))
if os.fork() == 0:
    time.sleep(1000)
print("ready", flush=True)
time.sleep(1000)' >"$1/ready" &
for _ in $(seq 600); do
    grep -q ready "$1/ready" && break
    sleep 0.1
done
say() { echo "== $*"; "$COMMAND" "$@" 2>&1; echo "status $?"; }
say -a -j >"$1/json"
say -a -m
say -a -m -n -t 240
say -a -m -t 240
say -a -m
say -a | grep -c ' 99 '
say -a extra
END
if can_unshare -p -n -f --mount-proc; then
    COMMAND=$COMMAND unshare -p -n -f --kill-child --mount-proc \
        sh "$tmp/all.sh" "$tmp" >"$tmp/said" 2>&1
    expect 'all: every socket once' '11 {1}' \
        "$(sed '1d; /^status/d' "$tmp/json" | python3 -c 'import json, sys
rows = json.load(sys.stdin)
print(len(rows), {row["others"] for row in rows})')"
    expect 'all, missing: the exit statuses' \
        'status 4 status 4 status 0 status 0 status 125' \
        "$(grep -a '^status' "$tmp/said" | xargs)"
    expect 'all, missing: the last line' '7 of 8 connections are not kept alive
7 of 8 connections are not kept alive
7 of 8 connections were not kept alive
0 of 8 connections are not kept alive' \
        "$(sed -n 's/^keepalive: \([0-9].*\)/\1/p' "$tmp/said")"
    expect 'all, missing: what a program has set stays' 1 \
        "$(sed -n '/^== -a$/,/^==/p; /^[0-9]*$/p' "$tmp/said" | grep -cx 1)"
else
    leave_out "$why"
fi

# /proc of another pid namespace: a number is two processes
if can_unshare -p -f; then
    expect 'another pid namespace' \
        'keepalive: /proc is that of another pid namespace' \
        "$(unshare -p -f "$COMMAND" -p 1 2>&1 | cut -d ';' -f 1)"
else
    leave_out "$why"
fi

# The scope of a link-local address
ip link add scope0 type dummy 2>/dev/null && ip link set scope0 up &&
    ip addr add fe80::5/64 dev scope0 nodad 2>/dev/null &&
    start python3 -c 'import socket, time
server = socket.create_server(("fe80::5%scope0", 7700), family=socket.AF_INET6)
print("ready", flush=True)
time.sleep(1000)' &&
    expect 'the scope of an address' '[fe80::5%scope0]:7700' \
        "$("$COMMAND" -p "$pid" | columns '*' local)" &&
    expect 'the scope, from another network' '[fe80::5%NUMBER]:7700' \
        "$(unshare -n "$COMMAND" -p "$pid" | columns '*' local |
            sed 's/%[0-9]*]/%NUMBER]/')"
scope=$(printf 'e"\033b')
ip link set scope0 down 2>/dev/null && ip link set scope0 name "$scope" &&
    ip link set "$scope" up && ip addr replace fe80::5/64 dev "$scope" nodad &&
    expect 'a scope of odd bytes' "[fe80::5%e\"?b]:7700 [fe80::5%$scope]:7700" \
        "$("$COMMAND" -p "$pid" | columns '*' local) \
$("$COMMAND" -j -p "$pid" | python3 -c 'import json, sys
print(json.load(sys.stdin)[0]["local"])')"

# The traffic class that cgroup v1 gives to sockets stays as it is when they are
# looked at; where the group cannot be joined they are left out. The group is the
# script's own, and holds nobody else.
cat >"$tmp/class.sh" <<'END'
. tests/common.sh
place=$2/net_cls group=$place/$group_name holder=
ip link set lo up
mkdir -p "$place"
hierarchy() { awk '$1 == "net_cls" { print $2 }' /proc/cgroups; }
before=$(hierarchy)
open_groups() { mount -t cgroup -o net_cls none "$place" 2>/dev/null; }
open_groups || exit 77
# A hierarchy stays unless its last group is gone when it is unmounted.
end() {
    kill $holder 2>/dev/null
    wait
    for try in $(seq 100); do
        mountpoint -q "$place" || open_groups
        rmdir "$group" 2>/dev/null
        [ -d "$group" ] && left=yes || left=no
        umount "$place"
        [ "$left $(hierarchy)" = "no $before" ] && break
        sleep 0.1
    done
}
at_exit=end
remove_dead_groups "$place"
mkdir "$group" && echo 0x100001 >"$group/net_cls.classid" || exit 77
sh -c 'echo $$ >"$0/cgroup.procs" && exec python3 -c "
import socket, time
kept = [socket.create_server((\"127.0.0.1\", 7800))]
kept += [socket.create_connection((\"127.0.0.1\", 7800))]
print(\"ready\", flush=True)
time.sleep(600)"' "$group" >"$2/ready" &
holder=$!
for try in $(seq 600); do
    grep -q ready "$2/ready" && break
    sleep 0.1
done
look() {
    "$1" -p $holder >"$2/rows"
    echo "status $?, $(grep -c 7800 "$2/rows") rows, $(ss -Htn --tos dport = :7800 |
        grep -o 'class_id:[^ ]*')"
}
look true "$2"
look "$1" "$2"
umount "$place"
look "$1" "$2"
END
if ! can_unshare -n -m; then
    leave_out "$why"
elif said=$(unshare -n -m sh "$tmp/class.sh" "$COMMAND" "$tmp" \
    2>"$tmp/err"); then
    expect 'the traffic class' 'status 0, 0 rows, class_id:0x100001
status 0, 2 rows, class_id:0x100001
status 2, 0 rows, class_id:0x100001' "$said"
    expect 'the traffic class: why it is left out' 1 \
        "$(grep -c 'left out.*net_cls' "$tmp/err")"
else
    echo 'no net_cls of cgroup v1 here: left out'
fi

# Somebody else's process
cp "$COMMAND" "$tmp/keepalive" # another user need not reach the tree
if ! setpriv --reuid=65534 --regid=65534 --clear-groups \
    "$tmp/keepalive" --version >/dev/null 2>&1; then
    finish
    skip 'the rest needs root that can become another user'
fi
expect "somebody else's process" 'status 2, 1 line' \
    "$(setpriv --reuid=65534 --regid=65534 --clear-groups "$tmp/keepalive" -t 60 \
        -p "$holder" 2>"$tmp/err" >"$tmp/out"
    echo "status $?, $(grep -c 'ptrace.*or root\|takes root' "$tmp/err") line")"
finish
