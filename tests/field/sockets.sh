#!/bin/sh
# sockets.sh - what `keepalive -p` and `-a` cost, beside ss and lsof
# SPDX-License-Identifier: MIT
#
# The processor time of ROUNDS in turn, the least of each, and ratios; the
# sockets are kept alive, so that each has a next probe to be looked up. In
# network and pid namespaces of its own, where nobody else has sockets or
# processes. Nothing here fails for being slow. Where a process may not have
# 20,000 descriptors, fewer are made.
. tests/common.sh
in_namespace -n -m -p -f --kill-child --mount-proc
need python3 ip ss lsof strace
ip link set lo up
ROUNDS=${ROUNDS:-9}
export LC_ALL=C

cat >"$tmp/hold.py" <<'END'
"""hold.py SOCKETS: both ends of connections that are kept alive"""
import resource, signal, socket, sys
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
ends = []
with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
    for _ in range(int(sys.argv[1]) // 2):
        ends.append(socket.create_connection(listener.getsockname()))
        ends.append(listener.accept()[0])
for end in ends:
    end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
print("ready", flush=True)
signal.pause()
END
cat >"$tmp/compare.py" <<'END'
"""compare.py ROUNDS COMMAND...: the least processor time of each, in ms"""
import resource, subprocess, sys
least = [1e9 for _ in sys.argv[2:]]
for _ in range(int(sys.argv[1])):
    for i, command in enumerate(sys.argv[2:]):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command.split(), stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        least[i] = min(least[i], after.ru_utime - before.ru_utime +
                       after.ru_stime - before.ru_stime)
print(*(round(1000 * time, 1) for time in least))
END

mkfifo "$tmp/ready"
holders=
# hold PROCESSES SOCKETS [COMMAND...]: adds to $holders; the processes are run
# by a command, unshare(1) for example
hold() {
    processes=$1 sockets=$2
    shift 2
    for _ in $(seq "$processes"); do
        "$@" python3 "$tmp/hold.py" "$sockets" >"$tmp/ready" &
        holders="$holders $!"
        said=
        read -r said <"$tmp/ready"
        [ "$said" = ready ] || skip "no $sockets sockets can be made here"
    done
}
release() {
    # shellcheck disable=SC2086
    kill $holders
    wait
    holders=
}
most=$(python3 -c 'import resource
print(min(20000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 100))')

row() {
    printf '%-44s %10s %10s %10s %12s\n' "$@"
}
# compare LABEL KEEPALIVE-FLAGS LSOF-FLAGS
compare() {
    # shellcheck disable=SC2046
    set -- "$1" $(python3 "$tmp/compare.py" "$ROUNDS" "$COMMAND $2" \
        'ss -tnopi' "lsof -nP $3")
    row "$@" "$(awk "BEGIN { printf \"%.2f\", $2 / $3 }")"
}
row "processor time, ms, least of $ROUNDS" keepalive 'ss -tnopi' lsof \
    keepalive/ss
hold 1 "$most"
compare "$most sockets of one process" "-p$holders" "-p$holders"
release
hold 1 2
compare '2 sockets of one process' "-p$holders" "-p$holders"
alone=${holders# }
hold 2 9000
compare '2 sockets of one process, beside 18000' "-p $alone" "-p $alone"
strace -f -o "$tmp/trace" "$COMMAND" -p "$alone" >/dev/null
calls=$(wc -l <"$tmp/trace")
release
hold 10 2000
compare '20000 sockets in 10 processes' -a -iTCP
compare 'the same, -m' '-a -m' -iTCP
release
# ss sees the sockets of one network only.
for processes in 50 150; do # 50, then 200
    hold $processes 10 unshare -n sh -c 'ip link set lo up; exec "$@"' -
    row "$(echo "$holders" | wc -w) networks of 10 sockets" \
        "$(python3 "$tmp/compare.py" "$ROUNDS" "$COMMAND -a")" - - -
done
release

printf '\nsystem calls, -p of 2 sockets beside 18000: %s\n' "$calls"

# The start of a command: exact, from the first instruction to its execve(2).
command -v valgrind >/dev/null || exit 0
instructions() {
    env -i PATH=/usr/bin:/bin LC_ALL=C "$(command -v valgrind)" --tool=callgrind \
        --callgrind-out-file="$tmp/out" --dump-before='execve*' "$@" true \
        >/dev/null 2>&1
    # the dump before the call has the instructions that lead to it
    sed -n 's/^totals: //p; s/^summary: //p' "$tmp"/out* | sort -n | tail -n 1
    rm "$tmp"/out*
}
printf '\ninstructions before execve(2)\n'
row 'keepalive -t 120 true, stdbuf -oL true' \
    "$(instructions "$COMMAND" -t 120)" "$(instructions stdbuf -oL)" '' ''
