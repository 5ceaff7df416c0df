#!/bin/sh
# test_programs.sh - real programs, and what the kernel holds of their sockets
# SPDX-License-Identifier: MIT
#
# In a network namespace of its own each client connects to a server that says
# nothing, and each server gets a client that says nothing. What is compared
# are the options of the connected socket, read from outside.
. tests/common.sh
in_namespace -n
need ip socat setsid ps
ip link set lo up
peek=$BUILD/tests/peek
export HOME="$tmp"

ours='1 11 222 33'
missing=

# sockets_of SESSION: what its connected sockets have, waits up to ten seconds
sockets_of() {
    for _ in $(seq 100); do
        # shellcheck disable=SC2046
        found=$("$peek" $(ps -o pid= -s "$1") | sort -u)
        [ -z "$found" ] || break
        sleep 0.1
    done
    # Once more: some programs set their own values when they are connected.
    sleep 0.3
    # shellcheck disable=SC2046
    found=$("$peek" $(ps -o pid= -s "$1") | sort -u)
    echo "${found:-none}"
}

# Ends a session that this script has started.
end() {
    # shellcheck disable=SC2046
    kill $(ps -o pid= -s "$1") 2>/dev/null
    wait "$1" 2>/dev/null
}

# The library and four values for one command.
with_library() {
    LD_PRELOAD=$LIBKEEPALIVE KEEPCNT=11 KEEPIDLE=222 KEEPINTVL=33 \
        exec setsid "$@"
}

# row NAME SESSION EXPECTED; the expected count and interval may be `*`
row() {
    got=$(sockets_of "$2")
    printf '%-22s %s\n' "$1" "$got"
    # shellcheck disable=SC2254
    case $got in
    $3) ;;
    *) expect "$1" "$3" "$got" ;;
    esac
    end "$2"
}

have() {
    command -v "$1" >/dev/null && return
    missing="$missing $1"
    return 1
}

# client NAME EXPECTED COMMAND...
client() {
    name=$1 expected=$2
    shift 2
    have "$name" || return
    (with_library "$@") </dev/null >"$tmp/log" 2>&1 &
    row "$name" $! "$expected"
}

# server NAME EXPECTED PORT COMMAND...
server() {
    name=$1 expected=$2 port=$3
    shift 3
    have "$name" || return
    (with_library "$@") </dev/null >"$tmp/log" 2>&1 &
    session=$!
    for _ in $(seq 100); do
        ss -Htln "sport = :$port" | grep -q . && break
        sleep 0.1
    done
    setsid socat -u "TCP:127.0.0.1:$port" - </dev/null >/dev/null 2>&1 &
    other=$!
    row "$name (server)" "$session" "$expected"
    end "$other"
}

setsid socat -u TCP6-LISTEN:7000,ipv6only=0,fork,reuseaddr OPEN:/dev/null \
    </dev/null 2>/dev/null &
# shellcheck disable=SC2034 # in at_exit
silent=$!
at_exit='end "$silent"'
for _ in $(seq 100); do
    ss -Htln 'sport = :7000' | grep -q . && break
    sleep 0.1
done

echo 'program                keepalive count idle interval'
client wget "$ours" wget -q -O - http://127.0.0.1:7000/
client nc "$ours" nc 127.0.0.1 7000
client socat "$ours" socat -u TCP:127.0.0.1:7000 -
client ssh "$ours" ssh -o StrictHostKeyChecking=no -p 7000 127.0.0.1 true
client psql "$ours" psql -w -h 127.0.0.1 -p 7000 -U nobody nothing
client python3 "$ours" python3 -c 'import socket
socket.create_connection(("127.0.0.1", 7000)).recv(1)'
client perl "$ours" perl -MIO::Socket::INET -e '
    $s = IO::Socket::INET->new("127.0.0.1:7000"); <$s>'
client bash "$ours" bash -c 'exec 3<>/dev/tcp/127.0.0.1/7000; read -u 3'
client node "$ours" node -e 'require("net").connect(7000, "127.0.0.1")'

# These put values of their own over ours: curl (and git with it) the idle time
# and the interval, node's HTTP client all three, redis-cli the idle time and
# what it computes from it. Their own values are recorded, not approved.
client curl '1 11 60 60' curl -s http://127.0.0.1:7000/
client git '1 11 60 60' git ls-remote http://127.0.0.1:7000/nothing
client redis-cli '1 * 15 *' redis-cli -h 127.0.0.1 -p 7000 ping
have node && {
    (with_library node -e 'fetch("http://127.0.0.1:7000/")') \
        </dev/null >"$tmp/log" 2>&1 &
    row 'node fetch' $! '1 * 60 *'
    (with_library node -e 'require("http").get("http://127.0.0.1:7000/")') \
        </dev/null >"$tmp/log" 2>&1 &
    row 'node http.get' $! '1 * 1 *'
}

if command -v javac >/dev/null; then
    cat >"$tmp/Client.java" <<'END'
public class Client {
    public static void main(String[] arguments) throws Exception {
        new java.net.Socket("127.0.0.1", 7000).getInputStream().read();
    }
}
END
    javac -d "$tmp" "$tmp/Client.java"
    (with_library java -cp "$tmp" Client) </dev/null >"$tmp/log" 2>&1 &
    row java $! "$ours"
else
    echo 'java: not on this machine'
fi

server socat "$ours" 7001 socat -u TCP-LISTEN:7001 -
server python3 "$ours" 7002 python3 -m http.server -b 127.0.0.1 7002
# The server is the same file as this tool of it, which Debian packages without
# a service. It sets an idle time of 300 s of its own.
server redis-check-rdb '1 * 300 *' 7003 bash -c \
    'exec -a redis-server redis-check-rdb --port 7003 --save "" --dir "$0"' \
    "$tmp"

[ -z "$missing" ] || {
    finish
    skip "not on this machine:$missing"
}
finish
