#!/bin/sh
# test_network.sh - keepalive against a NAT that forgets and peers that are gone
# SPDX-License-Identifier: MIT
#
# Each case is a function. It runs the same programs without and with the
# library and asserts both. All cases run side by side, over IPv4, IPv6 and
# Multipath TCP; a new one is a function and a word in the list at the end.
# No case fails because the machine is busy: what takes long is waited for.
. tests/common.sh
in_namespace -n -m
need python3 socat
. tests/network.sh
make_network

# What a case has: $over (IPv4, IPv6, MPTCP), $version and $protocol of it, $far
# and $near, the server behind the NAT and beside it, $out, a name for files,
# two halves and a port for each:
halves='without with'
port() { [ "$1" = without ] && echo "$base" || echo $((base + 1)); }

# use without|with NODE COMMAND...
use() {
    library=$1 where=$2
    shift 2
    [ "$library" = without ] || set -- env LD_PRELOAD="$LIBKEEPALIVE" "$@"
    on "$where" "$@"
}

# serve without|with PORT ADDRESS: a server that writes to a socat address
serve() {
    use "$1" server socat -u \
        "TCP$version-LISTEN:$2,prototype=$protocol,fork,linger=0" "$3" &
    wait_until listening "$2" || fail "no server on port $2"
}

# Connects, reads, and prints what the read ended with; with `speak` it sends a
# byte before that, when its input says so.
reader='
import errno, socket, sys
version, protocol, host, port = sys.argv[1:5]
family = {"4": socket.AF_INET, "6": socket.AF_INET6}[version]
with socket.socket(family, socket.SOCK_STREAM, int(protocol)) as s:
    try:
        s.connect((host.strip("[]"), int(port)))
        if sys.argv[5:] == ["speak"]:
            sys.stdin.readline()
            s.send(b"x")
        print("data" if s.recv(1) else "end")
    except OSError as e:
        print(errno.errorcode[e.errno])'

# read_from without|with PORT: a client that waits for data which never comes;
# what ends its waiting is written to $out.HALF
read_from() {
    use "$1" client python3 -c "$reader" "$version" "$protocol" "$near" "$2" \
        >"$out.$1" 2>&1 &
    wait_until connected "$2" || fail "no connection to port $2"
}

# Ends the server of a port; `linger=0` leaves nothing of its connections. One
# that is in the listener's queue has no process: it may get one just when the
# others are ended, so they are looked for until the port is free.
crash() {
    wait_until is_crashed "$1" || fail "port $1 is still in use"
}
is_crashed() {
    used=$(on server ss -Htanp "sport = :$1")
    # shellcheck disable=SC2046
    kill -9 $(echo "$used" | grep -o 'pid=[0-9]*' | cut -d = -f 2 |
        sort -u) 2>/dev/null
    [ -z "$used" ]
}

# waits_still: the reader without the library has noticed nothing
waits_still() {
    expect 'without: the read' '' "$(cat "$out.without")"
    expect 'without: connections' 1 "$(connections client "$(port without)")"
}

# The client is idle for longer than the NAT remembers and then speaks again.
nat() {
    export KEEPIDLE=2 KEEPINTVL=1 KEEPCNT=9
    for half in $halves; do
        port=$(port "$half")
        serve without "$port" "OPEN:$out.$half,creat,append"
        use "$half" client sh -c '
            { echo one; sleep "$0"; echo two; sleep 20; } |
                socat -u - "$1"' $((memory + 3)) \
            "TCP$version:$far:$port,prototype=$protocol" &
    done
    wait_until grep -qs two "$out.with"
    sleep 3
    expect 'with: what arrived' 'one two' "$(xargs <"$out.with")"
    expect 'without: what arrived' one "$(xargs <"$out.without")"
}

# The server's host vanishes without a word while the client reads.
dead_peer() {
    export KEEPIDLE=1 KEEPINTVL=1 KEEPCNT=3
    for half in $halves; do
        port=$(port "$half")
        serve without "$port" OPEN:/dev/null
        read_from "$half" "$port"
    done
    start=$(date +%s)
    power off "$(port without)"
    power off "$(port with)"
    wait_until test -s "$out.with"
    took=$(($(date +%s) - start))
    expect 'with: the read' "$timed_out" "$(cat "$out.with")"
    [ $took -ge 2 ] || fail "with: 4 s were expected, and it took $took s"
    waits_still
}

# The server's host comes back, knows nothing and answers the probe with RST.
rebooted_peer() {
    export KEEPIDLE=2 KEEPINTVL=2 KEEPCNT=99
    for half in $halves; do
        port=$(port "$half")
        serve without "$port" OPEN:/dev/null
        read_from "$half" "$port"
        power off "$port"
        crash "$port"
        power on "$port"
    done
    wait_until test -s "$out.with"
    expect 'with: the read' "$reset" "$(cat "$out.with")"
    waits_still
}

# Three clients vanish; the server gets rid of their connections.
server() {
    export KEEPIDLE=1 KEEPINTVL=1 KEEPCNT=3
    for half in $halves; do
        port=$(port "$half")
        serve "$half" "$port" OPEN:/dev/null
        for _ in 1 2 3; do
            use without client socat -u \
                "TCP$version:$near:$port,prototype=$protocol" OPEN:/dev/null &
        done
        wait_until connected "$port" 3 || fail "no 3 clients on port $port"
        power off "$port"
    done
    wait_until disconnected server "$(port with)"
    expect 'with: connections' 0 "$(connections server "$(port with)")"
    expect 'without: connections' 3 "$(connections server "$(port without)")"
}

# probes PORT: what the client sent there after the first second of silence: how
# long nothing was on the wire before it, long (about 6 s) or short (about 2),
# and the bytes that it carries. A probe that the sending machine itself drops, in
# a queue that is full, is sent again after half a second and not counted
# (TCP_RESOURCE_PROBE_INTERVAL in net/ipv4/tcp_timer.c).
probes() {
    awk -v port="$1" '
        $0 !~ "[.]" port "[ :]" { next }
        { gap = before ? $1 - before : 0; before = $1 }
        $5 == server ":" && (gap >= 1 || seen) {
            seen = 1
            if (gap > 0.45 && gap < 0.75) next
            word = gap < 1 || gap >= 14 ? gap : gap < 4 ? "short" : "long"
            print word, (/Flags \[R/ ? "reset" : $NF)
        }' server="$(echo "$near" | tr -d '[]').$1" "$out.wire"
}
seen() { # PORT NUMBER
    [ "$(probes "$1" | wc -l)" -ge "$2" ]
}

# expect_probes HALF head|tail EXPECTED: of the first or last packets
expect_probes() {
    expect "$1: the packets" "$3" \
        "$(probes "$(port "$1")" | "$2" -n 5 | xargs)"
}

capture() {
    on client tcpdump -l -n -tt --immediate-mode -i direct \
        "portrange $(port without)-$(port with)" \
        >"$out.wire" 2>"$out.tcpdump" &
    wait_until grep -qs listening "$out.tcpdump" ||
        fail "no capture: $(cat "$out.tcpdump")"
}

# What is on the wire: a probe after KEEPIDLE, and another after each answer;
# without an answer they come every KEEPINTVL.
wire() {
    export KEEPIDLE=6 KEEPINTVL=2 KEEPCNT=3
    capture
    for half in $halves; do
        port=$(port "$half")
        serve without "$port" OPEN:/dev/null
        read_from "$half" "$port"
    done
    wait_until seen "$(port with)" 1 || fail 'with: no probe'
    power off "$(port with)"
    wait_until test -s "$out.with"
    expect_probes with tail 'long 0 long 0 short 0 short 0 short reset'
    expect_probes without head ''
}

# After a probe the kernel looks again when KEEPINTVL is over, not earlier, even
# if it was answered. So KEEPIDLE alone does not make probes more frequent than
# every 75 s, the system's interval.
long_interval() {
    export KEEPIDLE=2 KEEPINTVL=6 KEEPCNT=3
    capture
    serve without "$(port with)" OPEN:/dev/null
    read_from with "$(port with)"
    wait_until seen "$(port with)" 5
    expect_probes with head 'short 0 long 0 long 0 long 0 long 0'
}

# Which outage is survived if it begins at the worst moment, before a first probe:
# one that is over when the last of KEEPCNT probes is sent, which is
# (KEEPCNT - 1) x KEEPINTVL seconds after the first. It is too late afterwards,
# long before KEEPCNT x KEEPINTVL are over. Both halves have the library; the
# outage of one ends after two probes of three, that of the other after three.
outage() {
    export KEEPIDLE=2 KEEPINTVL=2 KEEPCNT=3
    [ "$protocol" = 6 ] || return 0 # Multipath TCP notices later
    capture
    for half in $halves; do
        lost=2
        [ "$half" = without ] || lost=3
        port=$(port "$half")
        serve without "$port" OPEN:/dev/null
        use with client python3 -c "$reader" "$version" "$protocol" "$near" \
            "$port" >"$out.$half" 2>&1 &
        wait_until connected "$port" || fail "no connection to port $port"
        on server nft add rule inet power input tcp dport "$port" \
            limit rate 1/day burst $lost packets drop
    done
    wait_until test -s "$out.with"
    expect 'after three probes: the read' ETIMEDOUT "$(cat "$out.with")"
    port=$(port without)
    wait_until survived "$port" || fail "port $port: no answer after the outage"
    expect 'after two probes: the read' '' "$(cat "$out.without")"
    expect 'after two probes: connections' 1 "$(connections client "$port")"
}
# Of three probes in a row the last is answered.
survived() { # PORT
    awk -v port="$1" '
        $0 !~ "[.]" port "[ :]" { next }
        { gap = before ? $1 - before : 0; before = $1 }
        $5 != server ":" { over = over || run == 3; run = 0; next }
        gap >= 1 { run++ }
        END { exit !over }' server="$(echo "$near" | tr -d '[]').$1" "$out.wire"
}

# The peer is gone while data is on its way. Keepalive does not run then: with
# it alone the client waits on, long after a dead peer would have been noticed;
# with KEEPTIMEOUT it does not. Both halves have the library.
in_flight() {
    export KEEPIDLE=1 KEEPINTVL=1 KEEPCNT=3
    [ "$protocol" = 6 ] || return 0 # Multipath TCP has no such timeout
    start=$(date +%s)
    for half in $halves; do
        port=$(port "$half")
        [ "$half" = without ] || export KEEPTIMEOUT=5
        serve without "$port" OPEN:/dev/null
        mkfifo "$out.$half.go"
        use with client python3 -c "$reader" "$version" "$protocol" "$near" \
            "$port" speak <"$out.$half.go" >"$out.$half" 2>&1 &
        # shellcheck disable=SC2094 # the client waits for this line
        { wait_until connected "$port" || fail "no connection to port $port"
            power off "$port"
            echo; } >"$out.$half.go"
    done
    wait_until test -s "$out.with"
    took=$(($(date +%s) - start))
    expect 'with: the read' ETIMEDOUT "$(cat "$out.with")"
    [ $took -ge 3 ] || fail "with: 5 s were expected, and it took $took s"
    waits_still
}

# The first probe is lost, and the peer is there all the time. Of KEEPTIMEOUT the
# kernel counts from the last byte received and looks when the second probe is
# due: at KEEPIDLE + KEEPINTVL the connection ends, above it goes on. Both halves
# have the library; "without" is the half with the timeout at that bound.
passed() { # PORT NUMBER: have that many packets come to the port?
    [ "$(on server nft list chain inet power input |
        sed -n "s/.*dport $1 counter packets \([0-9]*\).*/\1/p")" -ge "$2" ]
}
lost_probe() {
    export KEEPIDLE=2 KEEPINTVL=2 KEEPCNT=9 KEEPTIMEOUT=4
    [ "$protocol" = 6 ] || return 0
    for half in $halves; do
        port=$(port "$half")
        [ "$half" = without ] || KEEPTIMEOUT=6
        serve without "$port" OPEN:/dev/null
        # After the two packets of the handshake the first is the probe.
        on server nft add rule inet power input tcp dport "$port" counter
        on server nft add rule inet power input tcp dport "$port" \
            numgen inc mod 1000 == 2 drop
        use with client python3 -c "$reader" "$version" "$protocol" "$near" \
            "$port" >"$out.$half" 2>&1 &
    done
    wait_until test -s "$out.without"
    expect 'at the bound: the read' ETIMEDOUT "$(cat "$out.without")"
    wait_until passed "$(port with)" 6
    expect 'above the bound: the read' '' "$(cat "$out.with")"
    expect 'above the bound: connections' 1 \
        "$(connections client "$(port with)")"
}

# What KEEPTIMEOUT does beside that. A peer that is alive and pauses reading
# counts as gone; without the timeout all the data arrives later. Both halves
# have the library, and the server at the far end sends.
sender='
import errno, socket, sys
family = {"4": socket.AF_INET, "6": socket.AF_INET6}[sys.argv[1]]
with socket.create_server(("", int(sys.argv[2])), family=family) as listener:
    s, _ = listener.accept()
    try:
        s.sendall(bytes(20000000))
        print("sent")
    except OSError as e:
        print(errno.errorcode[e.errno])'
pausing_reader='
import socket, sys
with socket.create_connection((sys.argv[1].strip("[]"), int(sys.argv[2]))) as s:
    sys.stdin.readline()
    count = 0
    try:
        while piece := s.recv(1000000):
            count += len(piece)
    except OSError:
        pass
    print("all" if count == 20000000 else "cut")'
paused() {
    [ "$protocol" = 6 ] || return 0
    for half in $halves; do
        port=$(port "$half")
        [ "$half" = without ] || export KEEPTIMEOUT=2
        use with server python3 -c "$sender" "$version" "$port" \
            >"$out.$half.sent" 2>&1 &
        wait_until listening "$port" || fail "no server on port $port"
        mkfifo "$out.$half.go"
        on client python3 -c "$pausing_reader" "$near" "$port" \
            <"$out.$half.go" >"$out.$half" 2>&1 &
        eval "exec $([ "$half" = with ] && echo 4 || echo 3)>'$out.$half.go'"
    done
    wait_until test -s "$out.with.sent"
    echo >&3
    echo >&4
    wait_until test -s "$out.without"
    wait_until test -s "$out.with"
    expect 'with: the sender' ETIMEDOUT "$(cat "$out.with.sent")"
    expect 'with: the reader' cut "$(cat "$out.with")"
    expect 'without: the sender' sent "$(cat "$out.without.sent")"
    expect 'without: the reader' all "$(cat "$out.without")"
}

# It bounds connect(), too, which otherwise waits for minutes.
connecting() {
    [ "$protocol" = 6 ] || return 0
    for half in $halves; do
        port=$(port "$half")
        [ "$half" = without ] || export KEEPTIMEOUT=2
        power off "$port"
        use with client python3 -c "$reader" "$version" "$protocol" "$near" \
            "$port" >"$out.$half" 2>&1 &
    done
    wait_until test -s "$out.with"
    expect 'with: connecting' ETIMEDOUT "$(cat "$out.with")"
    expect 'without: still connecting' '' "$(cat "$out.without")"
}

# Multipath TCP keeps its connection when the last path is gone, for
# net.mptcp.close_timeout seconds, and the error of the path is lost on the way.
multipath=MPTCP
[ -e /proc/net/if_inet6 ] && families='IPv4 IPv6' || families='IPv4'
python3 -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)' 2>/dev/null || {
    multipath=
    echo 'no Multipath TCP that takes TCP_KEEPIDLE in this kernel'
}
for node in client server; do
    [ -z "$multipath" ] || on $node sysctl -qw net.mptcp.close_timeout=1
done

cases=
end_cases() {
    for case in $cases; do
        kill "${case%:*}" 2>/dev/null
    done
    end_network
}
at_exit=end_cases

base=7000
for name in nat dead_peer rebooted_peer server wire long_interval outage \
    in_flight lost_probe paused connecting; do
    for over in $families $multipath; do
        base=$((base + 10))
        (
            version=4 protocol=6 far=$far4 near=$near4
            timed_out=ETIMEDOUT reset=ECONNRESET
            case $over in
            IPv6) version=6 far=$far6 near=$near6 ;;
            MPTCP) protocol=262 timed_out=ENOTCONN ;;
            esac
            out=$tmp/$name.$over
            $name
            finish
        ) >"$tmp/$name.$over.log" 2>&1 &
        cases="$cases $!:$name.$over"
    done
done

for case in $cases; do
    wait "${case%:*}" && continue
    fail "${case#*:}"
    cat "$tmp/${case#*:}.log"
done
finish
