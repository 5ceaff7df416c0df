#!/bin/sh
# test_process.sh - `keepalive -p`: the sockets of running processes
# SPDX-License-Identifier: MIT
#
# The processes are in a network namespace of their own. What was set is read
# by another program, tests/peek.
. tests/common.sh
. tests/processes.sh
in_namespace -n
need python3 ip ss ps prlimit
need_strace
ip link set lo up
peek=$BUILD/tests/peek

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
# Names the same inode as 26, on a lower descriptor, but is not the socket
os.open("/proc/self/fd/26", os.O_PATH)
print("ready", flush=True)
time.sleep(1000)
END
start python3 "$tmp/hold.py"
expect 'the process with sockets' ready "$line"
holder=$pid

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
expect 'no timeout any more' "9000->0" "$("$COMMAND" -u 0 -p "$holder" |
    columns 21 timeout)"
expect 'off' 'on->off -' "$("$COMMAND" --off -p "$holder" |
    columns 21 keepalive next)"
expect 'the kernel has that too' 0 \
    "$("$peek" "$holder" | cut -d' ' -f1 | sort -u)"

# A value that the kernel refuses is named; many of a kind in one line.
refuse() {
    strace -qq -o "$tmp/trace" -e inject=setsockopt:error=EPERM:when="$1" \
        "$COMMAND" -t 60 -i 60 -p "$holder" 2>"$tmp/err" >"$tmp/out"
    status=$?
    cat "$tmp/err"
    echo "status $status rows $(grep -c "^$holder " "$tmp/out")"
}
expect 'values are refused' "keepalive: $holder: interval of descriptor 20, and \
of 5 more sockets, cannot be set: Operation not permitted
status 3 rows 6" "$(refuse 3+3)"
expect 'a value is refused' "keepalive: $holder: interval of descriptor 20 \
cannot be set: Operation not permitted
status 3 rows 6" "$(refuse 3)"

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

# With fewer a process would look like one that is not there.
expect 'too few descriptors' "keepalive: 12 free descriptors are needed \
(ulimit -n): Too many open files
status 125" "$(prlimit --nofile=8:8 "$COMMAND" -p "$pid" 2>&1; echo "status $?")"
expect 'too few descriptors beside those that are inherited' 125 "$(python3 -c '
import os, resource, sys
for fd in range(3, 18):
    os.dup2(0, fd)
resource.setrlimit(resource.RLIMIT_NOFILE, (19, 19))
os.execv(sys.argv[1], sys.argv[1:])' "$COMMAND" -p python3 2>/dev/null
    echo $?)"
expect 'few descriptors, and a limit that can be raised' 3000 \
    "$(prlimit --nofile=8:64 "$COMMAND" -p "$pid" | grep -c "^$pid ")"

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
    refused="keepalive: $pid: timeout of descriptor 3, and of 1 more socket, \
cannot be set: Protocol not available
3"
    expect 'Multipath TCP has no timeout' "$refused" \
        "$("$COMMAND" -u 30 -p "$pid" 2>&1 >/dev/null; echo $?)"
    expect 'Multipath TCP, dry run' '- 3' \
        "$(echo "$("$COMMAND" -n -u 30 -p "$pid" 2>"$tmp/err"
            echo $? >"$tmp/status")" |
            columns '*' timeout | sort -u) $(cat "$tmp/status")"
else
    echo 'no Multipath TCP here: left out'
fi

# -p with a name, with = and without a blank; a thread's number is its process's
for words in "-p$holder" "--pid=$holder" "-p $holder"; do
    # shellcheck disable=SC2086
    expect "$words" 6 "$("$COMMAND" $words | grep -c "^$holder ")"
done
# Names of this run, as others may run beside it
name=name-$$ word=word-$$
cp "$(command -v sleep)" "$tmp/$name"
"$tmp/$name" 1000 &
started="$started $!"
is_named() { [ "$(ps -o comm= -p "$1")" = "$2" ]; }
wait_until is_named $! "$name"
expect 'a name' 'keepalive: no TCP socket' "$("$COMMAND" -p "$name" 2>&1)"
expect 'a name is not that of -j' "keepalive: -pj: only a number may follow \
-p directly; write -p NAME
status 125" "$("$COMMAND" --all -pj "$holder" 2>&1; echo "status $?")"
expect 'behind --pid= a name can' 'keepalive: no TCP socket' \
    "$("$COMMAND" --pid="$name" 2>&1)"
# Also that of the executable, and the first word of the command line: Node.js
# calls itself MainThread.
start python3 -c 'import os, sys
print("ready", flush=True)
os.execv(sys.argv[1], ["/some/where/" + sys.argv[2], "1000"])' "$tmp/$name" "$word"
has_word() { grep -qa "^/some/where/$word" "/proc/$pid/cmdline"; }
wait_until has_word
expect 'a name of the command line' 'keepalive: no TCP socket' \
    "$("$COMMAND" -p "$word" 2>&1)"
expect 'the whole path' 'keepalive: no TCP socket' \
    "$("$COMMAND" -p "/some/where/$word" 2>&1)"
expect 'a part of the path' "keepalive: where/$word: no process has this name" \
    "$("$COMMAND" -p "where/$word" 2>&1)"
rm "$tmp/$name"
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
python=$(basename "$(readlink "/proc/$pid/exe")")
expect 'the name of the executable' 1 \
    "$("$COMMAND" -p "$python" | grep -c "^$pid ")"
named 'né"2'"$(printf '\302\233')"
expect 'UTF-8 in a name, and a control character' 'né"2? né"2\u009b' \
    "$("$COMMAND" -p "$pid" | columns '*' name) $("$COMMAND" -j -p "$pid" |
        python3 -c 'import json, sys
text = sys.stdin.buffer.read()
name = json.loads(text)[0]["name"]
assert name.replace("\x9b", "\\u009b").replace("\"", "\\\"").encode() in text
sys.stdout.buffer.write(name.replace("\x9b", "\\u009b").encode())')"
expect 'such a name is as wide as its characters' True \
    "$("$COMMAND" -p "$pid" | python3 -c 'import sys
head, row = sys.stdin.buffer.read().decode().splitlines()
print(head.index("local") == row.index("0.0.0.0"))')"
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
"$COMMAND" -u 60 -p "$holder" >/dev/null 2>&1
expect 'no hint without a value that concerns it' 0 "$(hint "$lost" -c 3)"
"$COMMAND" -u 0 -i 5 -p "$holder" >/dev/null
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

# /proc of another pid namespace: a number is two processes
if can_unshare -p -f; then
    expect 'another pid namespace' \
        'keepalive: /proc is that of another pid namespace' \
        "$(unshare -p -f "$COMMAND" -p 1 2>&1 | cut -d ';' -f 1)"
else
    leave_out "$why"
fi

# The scope of a link-local address, by its number: its name may be another in
# the network of the socket. Such connections are bound to their interface: the
# first are fetched again for it, those after them asked for with it at once.
if ip link add scope0 type veth peer name scope1 2>/dev/null &&
    ip link set scope0 up && ip link set scope1 up &&
    ip addr add fe80::5/64 dev scope0 nodad 2>/dev/null; then
    start python3 -c 'import socket, time
address = "fe80::5", 7700, 0, socket.if_nametoindex("scope0")
server = socket.socket(socket.AF_INET6)
server.bind(address)
server.listen(40)
clients = [socket.socket(socket.AF_INET6) for _ in range(40)]
for client in clients:
    client.connect(address)
print("ready", flush=True)
time.sleep(1000)'
    scope=$(ip -o link show scope0 | cut -d: -f1)
    expect 'the scope of an address' "[fe80::5%$scope]:7700" \
        "$("$COMMAND" -p "$pid" | columns 3 local)"
    expect 'bound to an interface' "40 [fe80::5%$scope]:7700 established next, \
fetched again: 15" \
        "$(strace -qq -o "$tmp/trace" -e trace=pidfd_getfd \
            "$COMMAND" -t 600 -p "$pid" | columns '*' remote state next |
            sed -n '2,$s/ [0-9][0-9.]*$/ next/p' | sort | uniq -c |
            xargs), fetched again: $(($(grep -c getfd "$tmp/trace") - 41))"
else
    echo 'no link-local address here: left out'
fi

# The traffic class that cgroup v1 gives to sockets stays as it is when they are
# looked at; where the group cannot be joined they are left out. The group is the
# script's own, and holds nobody else.
cat >"$tmp/class.sh" <<'END'
. tests/common.sh
holder=
ip link set lo up
# Two hierarchies, as each process then has two lines of them, net_prio first
controllers='net_cls net_prio'
hierarchies() { awk '/^net_(cls|prio)\t/ { print $2 }' /proc/cgroups | xargs; }
open_groups() {
    mountpoint -q "$1" || mount -t cgroup -o "${1##*/}" none "$1" 2>/dev/null
}
# close_groups BEFORE TRIES: a hierarchy stays unless its last group is gone when
# it is unmounted.
close_groups() {
    for try in $(seq "$2"); do
        for name in $controllers; do
            open_groups "$place/$name" || continue
            remove_dead_groups "$place/$name"
            rmdir "$place/$name/$group_name" 2>/dev/null
            umount "$place/$name"
        done
        [ "$(hierarchies)" = "$1" ] && break
        sleep 0.1
    done
}
end() {
    kill $holder 2>/dev/null
    wait
    close_groups "$before" 100
}
place=$2
for name in $controllers; do mkdir -p "$place/$name"; done
# What a killed run has left, unless somebody has these hierarchies
case $(hierarchies) in *[1-9]*) close_groups '0 0' 10 ;; esac
before=$(hierarchies)
at_exit=end
for name in $controllers; do
    open_groups "$place/$name" || exit 77
    mkdir "$place/$name/$group_name" || exit 77
done
group=$place/net_cls/$group_name
echo 0x100001 >"$group/net_cls.classid" || exit 77
sh -c 'echo $$ >"$0/cgroup.procs" && echo $$ >"$1/cgroup.procs" &&
exec python3 -c "
import socket, time
kept = [socket.create_server((\"127.0.0.1\", 7800))]
kept += [socket.create_connection((\"127.0.0.1\", 7800))]
print(\"ready\", flush=True)
time.sleep(600)"' "$group" "$place/net_prio/$group_name" >"$2/ready" &
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
umount "$place/net_cls"
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
    [ "$failures" = 0 ] || cat "$tmp/err"
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
    echo "status $?, $(grep -c 'needs root' "$tmp/err") line")"
finish
