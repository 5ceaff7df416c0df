#!/bin/sh
# scale.sh - what the probes of many idle connections cost
# SPDX-License-Identifier: MIT
#
# Opens CONNECTIONS over loopback, in a network of its own, and counts for
# SECONDS the probes that the kernel sends (TcpExtTCPKeepAlive, see nstat(8)) and
# the time that all processors are busy (/proc/stat): first without keepalive,
# then with KEEPIDLE=1. Both ends are on this machine, so the difference is what
# both cost together, and what other programs do meanwhile is in it, too.
. tests/common.sh
in_namespace -n
need python3 nstat ip
ip link set lo up
CONNECTIONS=${CONNECTIONS:-50000}
SECONDS_EACH=${SECONDS_EACH:-10}

# A process for each 5,000: by default one may have 20,000 descriptors or fewer.
cat >"$tmp/connect.py" <<'END'
import resource, signal, socket, sys
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
ends = []
with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
    for _ in range(int(sys.argv[1])):
        ends.append(socket.create_connection(listener.getsockname()))
        ends.append(listener.accept()[0])
print("ready", flush=True)
signal.pause()
END
mkfifo "$tmp/ready"
clients=
# shellcheck disable=SC2086 # several numbers
at_exit='kill $clients 2>/dev/null'
for _ in $(seq $((CONNECTIONS / 5000))); do
    python3 "$tmp/connect.py" 5000 >"$tmp/ready" &
    clients="$clients $!"
    said=
    read -r said <"$tmp/ready"
    [ "$said" = ready ] || skip 'the connections cannot be made'
done

# Hundredths of a second in which a processor was not idle
busy() {
    awk '$1 == "cpu" { print $2 + $3 + $4 + $7 + $8 }' /proc/stat
}
probes() {
    nstat -asz TcpExtTCPKeepAlive | awk '/KeepAlive/ { print $2 }'
}
measure() {
    busy=$(busy) probes=$(probes)
    sleep "$SECONDS_EACH"
    busy=$(($(busy) - busy)) probes=$(($(probes) - probes))
    echo "$1: $((probes / SECONDS_EACH)) probes a second," \
        "processors busy for $((busy / SECONDS_EACH)) % of one"
}
echo "$CONNECTIONS connections, $((2 * CONNECTIONS)) sockets"
measure 'without keepalive'
# shellcheck disable=SC2086
"$COMMAND" -t 1 -i 1 -p $clients >/dev/null || fail 'keepalive -p'
sleep 2
measure 'KEEPIDLE=1, both ends'
finish
