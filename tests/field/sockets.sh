#!/bin/sh
# sockets.sh - how long `keepalive -p` and `-a` take, beside ss and lsof
# SPDX-License-Identifier: MIT
#
# Medians of ROUNDS, in turn, and ratios; in network and pid namespaces of its
# own, where nobody else has sockets or processes. Nothing here fails for being
# slow. Where a process may not have 20,000 descriptors, fewer are made.
. tests/common.sh
in_namespace -n -m -p -f --kill-child --mount-proc
need python3 ip ss lsof
ip link set lo up
ROUNDS=${ROUNDS:-5}

cat >"$tmp/hold.py" <<'END'
"""hold.py SOCKETS WORKERS: both ends of connections, shared by processes"""
import os, resource, signal, socket, sys
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
ends = []
with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
    for _ in range(int(sys.argv[1]) // 2):
        ends.append(socket.create_connection(listener.getsockname()))
        ends.append(listener.accept()[0])
for _ in range(int(sys.argv[2]) - 1):
    if os.fork() == 0:
        signal.pause()
print("ready", flush=True)
signal.pause()
END
cat >"$tmp/compare.py" <<'END'
"""compare.py ROUNDS COMMAND...: prints the median of each in milliseconds"""
import statistics, subprocess, sys, time
times = [[] for _ in sys.argv[2:]]
for _ in range(int(sys.argv[1])):
    for command, mine in zip(sys.argv[2:], times):
        begin = time.perf_counter()
        subprocess.run(command, shell=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        mine.append((time.perf_counter() - begin) * 1000)
print(*(round(statistics.median(mine), 1) for mine in times))
END

mkfifo "$tmp/ready"
holders=
# hold SOCKETS WORKERS: adds to $holders
hold() {
    python3 "$tmp/hold.py" "$@" >"$tmp/ready" &
    holders="$holders $!"
    said=
    read -r said <"$tmp/ready"
    [ "$said" = ready ] || skip "no $1 sockets can be made here"
}
# Of this pid namespace, whose only other process is this script.
release() {
    # shellcheck disable=SC2086
    kill $holders
    wait
    pkill -f "$tmp/hold.py"
    holders=
}
most=$(python3 -c 'import resource
print(min(20000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 100))')

row() {
    printf '%-40s %10s %10s %10s %12s\n' "$@"
}
# compare LABEL KEEPALIVE-FLAGS LSOF-FLAGS
compare() {
    # shellcheck disable=SC2046
    set -- "$1" $(python3 "$tmp/compare.py" "$ROUNDS" "'$COMMAND' $2" \
        'ss -tnopi' "lsof -nP $3")
    row "$@" "$(awk "BEGIN { printf \"%.2f\", $2 / $3 }")"
}
row "milliseconds, median of $ROUNDS" keepalive 'ss -tnopi' lsof keepalive/ss
hold "$most" 1
compare "$most sockets of one process" "-p $holders" "-p $holders"
release
hold 4000 160
compare '160 processes that share 4000 sockets' -a -iTCP
release
for sockets in 1000 10000 100000; do
    left=$sockets
    while [ "$left" -gt 0 ]; do
        part=$((left < 10000 ? left : 10000))
        hold "$part" 1
        left=$((left - part))
    done
    compare "$sockets sockets, 10000 a process" -a -iTCP
    release
done
for workers in 10 100 1000; do
    hold 100 "$workers"
    compare "$workers processes that share 100 sockets" -a -iTCP
    release
done

# The start of a command: exact, from the first instruction to its execve(2).
command -v valgrind >/dev/null || exit 0
instructions() {
    valgrind --tool=callgrind --callgrind-out-file="$tmp/out" \
        --dump-before='execve*' "$@" true >/dev/null 2>&1
    # the dump before the call has the instructions that lead to it
    sed -n 's/^totals: //p; s/^summary: //p' "$tmp"/out* | sort -n | tail -n 1
}
printf '\ninstructions before execve(2)\n'
row 'keepalive -t 60 true, stdbuf -oL true' \
    "$(instructions "$COMMAND" -t 60)" "$(instructions stdbuf -oL)" '' ''
