#!/bin/sh
# test_missing.sh - `keepalive -a` and `-m`: connections that lack something
# SPDX-License-Identifier: MIT
#
# In a pid namespace of its own, where nobody else has processes.
. tests/common.sh
. tests/processes.sh
in_namespace -n -m -p -f --kill-child --mount-proc
need python3 ip
ip link set lo up
ip addr add 192.0.2.1/32 dev lo
ip addr add 192.0.2.2/32 dev lo

# say FLAGS...: the rows, short, the lines on standard error, and the status
say() {
    "$COMMAND" "$@" >"$tmp/out" 2>"$tmp/err"
    status=$?
    columns '*' local keepalive idle interval count timeout <"$tmp/out" |
        sed 's/^192.0.2.2://' | sort
    sed '/lost probe/d; s/^keepalive: //' "$tmp/err"
    echo "status $status"
}

# Connections from the ports 7501 and so on, the values of each in a word: idle
# time, interval, count and timeout in milliseconds, or off. A second process
# has them, too. Their other ends are never accepted, so that each counts once.
cat >"$tmp/connect.py" <<'PYTHON'
import os, signal, socket, sys, time
TCP = socket.IPPROTO_TCP
server = socket.create_server(("192.0.2.1", 7500))
kept = []
for port, words in enumerate(sys.argv[1:], 7501):
    end = socket.create_connection(("192.0.2.1", 7500), 9, ("192.0.2.2", port))
    if words != "off":
        idle, interval, count, timeout = map(int, words.split(","))
        end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if idle:
            end.setsockopt(TCP, socket.TCP_KEEPIDLE, idle)
        end.setsockopt(TCP, socket.TCP_KEEPINTVL, interval)
        end.setsockopt(TCP, socket.TCP_KEEPCNT, count)
        end.setsockopt(TCP, socket.TCP_USER_TIMEOUT, timeout)
    kept.append(end)
near = socket.create_server(("127.0.0.1", 7600))
kept.append(socket.create_connection(("127.0.0.1", 7600)))
child = os.fork()
if child == 0:
    time.sleep(1000)
def end(*_):
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os._exit(0)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(1000)
PYTHON
# connect WORDS...: instead of those before
connect() {
    release
    start python3 "$tmp/connect.py" "$@"
}
release() {
    [ -z "$pid" ] || kill "$pid"
    wait
    pid=
}
pid=

# What ssh and psql do: they switch it on, and the first probe is two hours off.
connect 0,75,9,0 0,75,9,0 60,75,9,0 off
expect 'all: every socket once, in two processes' '7 {1}' \
    "$("$COMMAND" -a -j | python3 -c 'import json, sys
rows = json.load(sys.stdin)
print(len(rows), {row["others"] for row in rows})')"
expect 'missing' "7504 off 7200 75 9 0
1 of 4 connections is not kept alive; 2 more have a first probe later than an hour
status 4" "$(say -a -m)"
expect 'missing, what would be set' "7501 on 7200->240 75 9 0
7502 on 7200->240 75 9 0
7504 off->on 7200->240 75 9 0
3 of 4 connections lack what is asked
status 4" "$(say -a -m -n -t 240)"
expect 'missing, set' "7501 on 7200->240 75 9 0
7502 on 7200->240 75 9 0
7504 off->on 7200->240 75 9 0
3 of 4 connections lacked what is asked
status 0" "$(say -a -m -t 240)"
expect 'missing, nothing left' '0 of 4 connections are not kept alive
status 0' "$(say -a -m)"
expect 'missing, nothing lacks that' '0 of 4 connections lack what is asked
status 0' "$(say -a -m -n -t 240)"
expect 'missing: what a program has set stays' 1 \
    "$("$COMMAND" -a | columns '*' idle | grep -cx 60)"
expect 'an argument' 125 "$("$COMMAND" -a extra >/dev/null 2>&1; echo $?)"

# Each value by itself: what is above it lacks it, and only that is set.
connect 100,75,9,0 100,20,9,5000 100,75,3,0 0,75,9,9000 off
expect 'missing: one has its first probe after two hours' \
    '1 of 5 connections is not kept alive; 1 more has a first probe later than an hour' \
    "$(say -a -m | sed -n '/ of /p')"
expect 'missing: the interval' "7501 on 100 75->30 9 0
7503 on 100 75->30 3 0
7504 on 7200 75->30 9 9
7505 off->on 7200 75->30 9 0
4 of 5 connections lack what is asked
status 4" "$(say -a -m -n -i 30)"
expect 'missing: the count' "7501 on 100 75 9->5 0
7502 on 100 20 9->5 5
7504 on 7200 75 9->5 9
7505 off->on 7200 75 9->5 0
4 of 5 connections lack what is asked
status 4" "$(say -a -m -n -c 5)"
expect 'missing: the timeout; none is too long' "7501 on 100 75 9 0->6
7503 on 100 75 3 0->6
7504 on 7200 75 9 9->6
7505 off->on 7200 75 9 0->6
4 of 5 connections lack what is asked
status 4" "$(say -a -m -n -u 6)"
expect 'missing: no timeout' "7502 on 100 20 9 5->0
7504 on 7200 75 9 9->0
7505 off->on 7200 75 9 0
3 of 5 connections lack what is asked
status 4" "$(say -a -m -n -u 0)"
expect 'missing: all of them' "7501 on 100->50 75->30 9->5 0
7502 on 100->50 20 9->5 5
7503 on 100->50 75->30 3 0
7504 on 7200->50 75->30 9->5 9
7505 off->on 7200->50 75->30 9->5 0
5 of 5 connections lacked what is asked
status 0" "$(say -a -m -t 50 -i 30 -c 5)"
expect 'a timeout is taken back' '5->0 9->0' "$("$COMMAND" -a -u 0 |
    columns '*' timeout | grep '>' | sort | xargs)"
release

# A connection that is not established yet: the listener's queue is full.
start python3 -c '
import socket, time
server = socket.socket()
server.bind(("192.0.2.1", 7700))
server.listen(0)
kept = []
for port in 7501, 7502, 7503:
    kept.append(socket.socket())
    kept[-1].bind(("192.0.2.2", port))
    kept[-1].setblocking(False)
    kept[-1].connect_ex(("192.0.2.1", 7700))
print("ready", flush=True)
time.sleep(1000)'
expect 'SYN-SENT: its address, and it counts' '192.0.2.1:7700
1' "$("$COMMAND" -a | awk '/syn-sent/ { print $5 }' | sort -u
    "$COMMAND" -a -m 2>/dev/null | grep -c '7503 .*syn-sent')"
release

# /proc that hides other users' processes, in its own pid namespace: before
# Linux 5.8 the option is of the namespace, not of the mount.
mount -t proc -o hidepid=2 proc /proc || skip '/proc cannot be mounted here'
cp "$COMMAND" "$tmp/keepalive"
other() {
    setpriv --reuid=65534 --regid=65534 --clear-groups "$tmp/keepalive" "$@" 2>&1
    echo "status $?"
}
if [ "$(other --version | tail -n 1)" = 'status 0' ]; then
    hidden='keepalive: /proc hides the processes of other users (hidepid); run it as root'
    expect 'hidden processes: all' "$hidden
keepalive: 0 of 0 connections are not kept alive
status 2" "$(other -a -m)"
    expect 'hidden processes: a name' "$hidden
keepalive: no_such: no process has this name
keepalive: nor_this: no process has this name
status 2" "$(other -p no_such nor_this)"
    expect 'hidden processes: a number' 'status 2, root' \
        "$(other -p $$ >"$tmp/out"
        echo "$(tail -n 1 "$tmp/out"), $(grep -o 'needs root' "$tmp/out" |
            sed 's/needs //')")"
    while read -r count options; do
        mount -t proc -o "$options" proc /proc 2>/dev/null &&
            expect "hidden processes: $options" "$count" \
                "$(other -a | grep -c hidepid)"
    done <<END
0 hidepid=2,gid=65534
1 hidepid=2,gid=65533
1 hidepid=ptraceable,gid=65534
END
    # Process 1 is the command itself, and root has another.
    for option in 0 2; do
        unshare -p -f -m sh -c 'mount -t proc -o "hidepid=$0" proc /proc
            sleep 1000 &
            exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"' \
            $option "$tmp/keepalive" -a -m 2>"$tmp/err"
        echo "$option: status $?, $(head -n 1 "$tmp/err")"
    done >"$tmp/out"
    expect 'hidden processes: process 1 is our own' "\
0: status 2, keepalive: 1 process is out of reach; run it as root
2: status 2, $hidden" "$(cat "$tmp/out")"
    expect 'nothing is hidden from root' 'keepalive: no_such: no process has this name' \
        "$("$COMMAND" -p no_such 2>&1)"
else
    leave_out 'root cannot become another user here'
fi

# No /proc, in which nothing would be found
mount -t tmpfs none /proc
for words in '-a' '-p 1' '-p sh'; do
    # shellcheck disable=SC2086
    expect "no /proc: $words" 'keepalive: /proc cannot be read: it is not mounted
status 125' "$("$COMMAND" $words 2>&1; echo "status $?")"
done
finish
