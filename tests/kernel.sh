#!/bin/sh
# kernel.sh - the contract, in short, on another kernel; see long_kernels.sh
# SPDX-License-Identifier: MIT
#
#     kernel.sh PART...       runs these functions; the last line has the status
#
# As the first process it runs all but gvisor, after it has made the file systems
# that it needs, in memory, as the root is read-only; it halts the kernel at the
# end. MODULES are loaded; CGROUP is whether --cgroup works without --force, and
# THREADS whether pidfd_open(2) knows PIDFD_THREAD.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

start() {
    mount -t proc proc /proc
    mount -t sysfs sysfs /sys
    mount -t tmpfs -o mode=755 tmpfs /run
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    export TMPDIR=/run TEMP=/run
    python3 - "$MODULES" <<'END'
import ctypes, os, platform, sys
call = {"x86_64": 313, "i686": 350}.get(platform.machine())
for module in filter(None, sys.argv[1].split(",")):
    if ctypes.CDLL(None).syscall(call, os.open(module, os.O_RDONLY), b"", 0):
        print("not loaded:", module)
END
    ip link set lo up
    ip addr add 192.0.2.1/32 dev lo
}

# The HOWTO's example, and the suites that have the rest of the contract
library() {
    expect 'without the library' 'SO_KEEPALIVE is OFF' "$("$show")"
    expect 'with the library' 'SO_KEEPALIVE is ON
TCP_KEEPCNT   = 20
TCP_KEEPIDLE  = 180
TCP_KEEPINTVL = 60' "$(LD_PRELOAD=$LIBKEEPALIVE KEEPCNT=20 KEEPIDLE=180 \
        KEEPINTVL=60 "$show" 2>&1)"
    CI=1 sh tests/run.sh "$BUILD/tests/check_apply" \
        "$BUILD/tests/check_preload" tests/test_privileged.sh >"$tmp/log" 2>&1 ||
        fail "the library's tests: $(cat "$tmp/log")"
    [ -e /proc/net/if_inet6 ] || echo 'no IPv6'
    [ -e /proc/sys/net/mptcp ] || echo 'no Multipath TCP'
}

# hold CODE: a process with a connection to itself that runs it, says something,
# in $line, and waits; its number in $holder
hold() {
    cat >"$tmp/hold.py" <<'END'
import os, socket, sys, time
said = "ready"
server = socket.create_server(("192.0.2.1", 0))
client = socket.create_connection(server.getsockname())
peer = server.accept()[0]
exec(sys.argv[1])
print(said, flush=True)
time.sleep(1000)
END
    mkfifo "$tmp/fifo"
    python3 "$tmp/hold.py" "$1" >"$tmp/fifo" &
    holder=$!
    read -r line <"$tmp/fifo"
    rm "$tmp/fifo"
}
release() {
    kill "$holder"
    wait "$holder" 2>/dev/null
}

# rows FLAGS...: the rows of the JSON, and the status
rows() {
    status=0
    "$COMMAND" -j "$@" >"$tmp/json" 2>"$tmp/err" || status=$?
    python3 - "$tmp/json" <<'END'
import json, sys
for row in json.load(open(sys.argv[1])):
    print(row["state"], *[row[name] for name in
          ("keepalive", "idle", "interval", "count", "timeout")],
          "timer" if 590 < (row["next"] or 0) <= 600 else row["next"])
END
    echo "status $status"
}
processes() {
    hold pass
    expect '-p' 'listen False 7200 75 9 0 None
established False 7200 75 9 0 None
established False 7200 75 9 0 None
status 0' "$(rows -p "$holder")"
    expect '-a -m' 'established False 7200 75 9 0 None
established False 7200 75 9 0 None
status 4' "$(rows -a -m)"
    expect '-a -m, with values' 'established True 600 60 3 90 timer
established True 600 60 3 90 timer
status 0' "$(rows -a -m -t 600 -i 60 -c 3 -u 90)"
    expect '-a' "listen False 7200 75 9 0 None
established True 600 60 3 90 timer
established True 600 60 3 90 timer
status 0" "$(rows -a)"
    expect 'the kernel has it' '1 3 600 60' \
        "$("$BUILD/tests/peek" "$holder" | sort -u)"
    expect '-a -m, and all is done' 'status 0' "$(rows -a -m)"
    expect '-a -m, less than they have' 4 \
        "$("$COMMAND" -a -m -n -t 240 >"$tmp/out" 2>&1; echo $?)"
    expect '-p --off' 'status 0' "$(rows -p "$holder" --off | tail -n 1)"
    expect 'the kernel has that' 0 \
        "$("$BUILD/tests/peek" "$holder" | cut -d' ' -f 1 | sort -u)"
    release

    # A socket that only a thread has
    hold 'import ctypes, threading
own = threading.Event()
def run():
    if ctypes.CDLL(None).unshare(0x400) == 0:  # CLONE_FILES
        global mine
        mine = socket.create_server(("192.0.2.1", 0))
    own.set()
    time.sleep(1000)
thread = threading.Thread(target=run, daemon=True)
thread.start()
own.wait()
PIDFD_THREAD = 128  # O_EXCL
try:
    os.pidfd_open(thread.native_id, PIDFD_THREAD)
    said = "yes"
except OSError:
    said = "no"'
    expect 'PIDFD_THREAD' "$THREADS" "$line"
    said=$("$COMMAND" -p "$holder" 2>&1)
    case "$? $(echo "$said" | grep -c ' listen ') $said" in
    '0 2 '*) echo 'threads with descriptors of their own: seen' ;;
    '2 1 '*'built with kcmp(2)'*)
        echo 'threads with descriptors of their own: this kernel has no kcmp(2)'
        ;;
    '2 1 '*'Linux 6.9'*)
        echo 'threads with descriptors of their own: not before Linux 6.9'
        ;;
    *) fail "threads with descriptors of their own: $said" ;;
    esac
    release
}

# Twice as many processes and sockets take at most twice as many system calls:
# each network is asked once, also where it has no number (before Linux 5.14).
many() {
    for number in 20 40; do
        hold "
(ready, say), (wait, live) = os.pipe(), os.pipe()
for _ in range($number):
    if os.fork() == 0:
        os.close(live)
        own = socket.create_server(('192.0.2.1', 0))
        ends = []
        for _ in range(5):
            ends += [socket.create_connection(own.getsockname()),
                     own.accept()[0]]
        for end in ends:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        os.write(say, b'x')
        os.read(wait, 1)
        os._exit(0)
    os.read(ready, 1)"
        strace -c -f -o "$tmp/trace" "$COMMAND" -a >"$tmp/out" 2>&1
        expect "$number processes, a row for each socket" $((number * 11 + 4)) \
            "$(wc -l <"$tmp/out")"
        calls=$(awk '$NF == "total" { print $4 }' "$tmp/trace")
        release
        [ "$number" != 20 ] || first=$calls
    done
    [ "$calls" -le $((first * 2)) ] ||
        fail "many processes: $first system calls, then $calls"
}

flags='-t 222 -i 33 -c 11 -u 44'
ours='KEEPALIVE=1 KEEPCNT=11 KEEPIDLE=222 KEEPINTVL=33 KEEPTIMEOUT=44000'
own='KEEPALIVE=1 KEEPCNT=5 KEEPIDLE=60 KEEPINTVL=6 KEEPTIMEOUT=7000'
none='KEEPALIVE=0 KEEPCNT=9 KEEPIDLE=7200 KEEPINTVL=75 KEEPTIMEOUT=0'
one=/sys/fs/cgroup/one

# said FLAGS...: what --cgroup says, and its status
said() {
    status=0
    "$COMMAND" "$@" --cgroup "$one" 2>&1 || status=$?
    echo "status $status"
}
# inside COMMAND...: runs it in the cgroup
inside() {
    sh -c 'echo 0 >"$0/cgroup.procs" && exec "$@"' "$one" "$@" 2>&1
}
# traffic LABEL EXPECTED WHEN: both ends of a connection in the cgroup
traffic() {
    expect "--cgroup, $1" "client: $2
accepted: $2" "$(inside "$TRAFFIC" "$3" | head -n 2)"
}
cgroup() {
    mkdir "$one"
    # shellcheck disable=SC2086
    said $flags >"$tmp/said"
    if [ "$CGROUP" = yes ]; then
        grep -q '^status 0$' "$tmp/said" || fail "--cgroup: $(cat "$tmp/said")"
        said | grep -q "^on  *222  *33  *11  *44  *$one\$" ||
            fail "--cgroup, shown: $(said)"
        traffic set "$ours" connections
        traffic 'only switched on' "$ours" asks
        traffic 'its own idle time' "$(echo "$ours" | sed s/222/60/)" some
        traffic 'its own values' "$own" before
        said -t 111 >"$tmp/said"
        traffic replaced 'KEEPALIVE=1 KEEPCNT=9 KEEPIDLE=111 KEEPINTVL=75 KEEPTIMEOUT=0' \
            connections
        said --off --force >"$tmp/said"
        traffic exempt "$none" connections
        expect '--cgroup, off' 'status 0' "$(said --off)"
    else
        case $(cat "$tmp/said") in
        'keepalive: '*'Linux 6.1, '*'
status 125') ;;
        *) fail "--cgroup, refused: $(cat "$tmp/said")" ;;
        esac
        echo '--cgroup without --force: refused'
    fi
    traffic 'nothing in force' "$none" connections
    expect '--cgroup, nothing in force' 'status 1' "$(said | tail -n 1)"
    # shellcheck disable=SC2086
    said --force $flags >"$tmp/said"
    grep -q '^status 0$' "$tmp/said" || fail "--force: $(cat "$tmp/said")"
    said | grep -q "^force  *222  *33  *11  *44  *$one\$" ||
        fail "--force, shown: $(said)"
    for when in connections before after; do
        traffic "--force, $when" "$ours" "$when"
    done
    # Linux 5.8 to 6.3 refuse it if the program does not say that it left it.
    expect '--force, a value longer than a page' '' \
        "$(inside python3 -c 'import socket
socket.socket().setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, bytes(8192))')"
    expect '--force, off' 'status 0' "$(said --off)"
    traffic '--force, off' "$none" connections
    rmdir "$one"
}

# In a writable /etc; the command is that of an installation.
machine() {
    IN_NAMESPACE='mnt:[of another kernel]'
    cp -a "$INSTALLED/run/keepalive" /run
    private_etc
    global=/run/keepalive/bin/keepalive
    expect '--global status' 1 "$($global --global status >"$tmp/said"; echo $?)"
    $global --global on >"$tmp/said" 2>&1 || fail "--global on: $(cat "$tmp/said")"
    expect '--global, a program' 'SO_KEEPALIVE is ON' "$("$show" | head -n 1)"
    expect '--global status' 0 "$($global --global status >"$tmp/said"; echo $?)"
    expect '--global off' 0 "$($global --global off >"$tmp/said" 2>&1; echo $?)"
    [ ! -e "$preload_file" ] || fail '--global off: the file is there'
    expect '--global off, a program' 'SO_KEEPALIVE is OFF' "$("$show")"
}

# gVisor is a kernel of its own, which lacks much of Linux.
gvisor() {
    export LD_PRELOAD="$LIBKEEPALIVE" KEEPIDLE=222 KEEPINTVL=33 KEEPCNT=11
    export KEEPTIMEOUT=44
    expect 'the library' "one: $ours" "$("$probe" one 2>&1)"
    expect 'off' "one: $none" "$(KEEPALIVE=off "$probe" one 2>&1)"
    expect 'force' "IPv4: $ours" \
        "$(KEEPALIVE=force "$probe" override 2>&1 | head -n 1)"
    expect 'its own values' "IPv4: ${own#* }" \
        "$("$probe" override 2>&1 | sed -n '1s/KEEPALIVE=0 //p')"
    "$probe" accept | head -n 1
    unset LD_PRELOAD
    sleep 100 &
    "$COMMAND" -p $! 2>&1
    echo "-p: status $?"
}

if [ "${1-}" != gvisor ]; then
    start
    set -- library processes many cgroup machine
fi
cd "$TREE" || exit
uname -s -r
(
    . tests/common.sh
    for part; do
        $part
    done
    finish
)
echo "done, status $?"
[ "${1-}" = gvisor ] || python3 -c 'import ctypes
ctypes.CDLL(None).reboot(0x4321fedc)'
