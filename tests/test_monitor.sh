#!/bin/sh
# test_monitor.sh - check_keepalive and keepalive_textfile
# SPDX-License-Identifier: MIT
#
# Each is run with the command, on processes that nobody else has, and with
# stand-ins of it that answer what it cannot be brought to here.
. tests/common.sh
in_namespace -n -m -p -f --kill-child --mount-proc
need ip python3

# use COMMAND: makes the two as they are installed, with this command
use() {
    for name in check_keepalive keepalive_textfile; do
        sed "s|/usr/local/bin/keepalive|$1|" examples/$name >"$tmp/$name"
    done
}
# plugin EXPECTED [SECONDS]: its line and its status
plugin() {
    expected=$1
    shift
    said=$(sh "$tmp/check_keepalive" "$@" 2>&1)
    expect "check_keepalive $*" "$expected" "$said $?"
}
# textfile EXPECTED [SECONDS]: its metrics
textfile() {
    expected=$1
    shift
    sh "$tmp/keepalive_textfile" "$tmp/node.prom" "$@" || fail 'textfile: status'
    expect "keepalive_textfile $*" "$expected" \
        "$(grep -v '^#' "$tmp/node.prom" | xargs)"
    expect 'textfile: each metric has a type' "$(grep -c '^[^#]' "$tmp/node.prom")" \
        "$(grep -c '^# TYPE keepalive_[a-z]* gauge$' "$tmp/node.prom")"
    expect 'textfile: nothing else is left' node.prom "$(cd "$tmp" && echo node*)"
}

# A connection to another machine, as far as its addresses tell, and the
# server's end of it, which has keepalive
ip link set lo up
ip addr add 192.0.2.1/32 dev lo
cat >"$tmp/hold.py" <<'END'
import socket, sys, time
server = socket.create_server(("192.0.2.1", 7000))
server.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
server.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 100)
client = socket.create_connection(("192.0.2.1", 7000))
accepted = server.accept()[0]
for line in sys.stdin:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, int(line))
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 100)
    print("set", flush=True)
END
mkfifo "$tmp/ask" "$tmp/answer"
python3 "$tmp/hold.py" <"$tmp/ask" >"$tmp/answer" &
exec 3>"$tmp/ask" 4<"$tmp/answer"
# keepalive 0|1: of the client's socket
keepalive() {
    echo "$1" >&3
    read -r line <&4
    [ "$line" = set ] || fail "the process with the connection: $line"
}
use "$COMMAND"
keepalive 0
# line FLAG...: the last one of the command
line() {
    "$COMMAND" -a -m "$@" 2>&1 >/dev/null | sed -n '$s/^keepalive: //p'
}
plugin "KEEPALIVE WARNING - $(line) | missing=1;0;;0;2 1"
textfile 'keepalive_missing 1 keepalive_connections 2 keepalive_status 4'
plugin "KEEPALIVE WARNING - $(line -n -t 120) | missing=1;0;;0;2 1" 120
textfile 'keepalive_missing 1 keepalive_connections 2 keepalive_status 4' 120
keepalive 1
plugin 'KEEPALIVE OK - 0 of 2 connections are not kept alive | missing=0;0;;0;2 0'
textfile 'keepalive_missing 0 keepalive_connections 2 keepalive_status 0'
# Both have 100 seconds.
plugin "KEEPALIVE OK - $(line -n -t 100) | missing=0;0;;0;2 0" 100
plugin "KEEPALIVE WARNING - $(line -n -t 99) | missing=2;0;;0;2 1" 99
textfile 'keepalive_missing 2 keepalive_connections 2 keepalive_status 4' 99
plugin "KEEPALIVE UNKNOWN - --idle: '5M' is not a whole number of seconds from 1 \
to 32767 (5m is 300) 3" 5M
textfile 'keepalive_status 125' 5M
plugin 'KEEPALIVE UNKNOWN - usage: check_keepalive [SECONDS] 3' 100 200

# answer STATUS LINE...: a command that says this
answer() {
    status=$1
    shift
    {
        printf '#!/bin/sh\necho a table\n'
        for line; do echo "echo 'keepalive: $line' >&2"; done
        echo "exit $status"
    } >"$tmp/keepalive"
    chmod 755 "$tmp/keepalive"
}
use "$tmp/keepalive"
answer 2 '2 processes are out of reach; run it as root' \
    '0 of 7 connections are not kept alive'
plugin 'KEEPALIVE UNKNOWN - 2 processes are out of reach; run it as root | missing=0;0;;0;7 3'
textfile 'keepalive_missing 0 keepalive_connections 7 keepalive_status 2'
answer 1 '17: the process has ended' '0 of 7 connections are not kept alive'
plugin 'KEEPALIVE UNKNOWN - 17: the process has ended | missing=0;0;;0;7 3'
answer 4 '3 of 7 connections lack what is asked'
plugin 'KEEPALIVE WARNING - 3 of 7 connections lack what is asked | missing=3;0;;0;7 1' 300
answer 0 '0 of 0 connections are not kept alive'
plugin 'KEEPALIVE OK - 0 of 0 connections are not kept alive | missing=0;0;;0;0 0'
use "$tmp/no-such-command"
expect 'check_keepalive without the command: what it lacks' 1 \
    "$(sh "$tmp/check_keepalive" 2>&1 |
        grep -c '^KEEPALIVE UNKNOWN - .*no-such-command')"
textfile 'keepalive_status 127'
sh "$tmp/keepalive_textfile" /proc/no/file 2>/dev/null &&
    fail 'textfile: a file that cannot be written'
finish
