#!/bin/sh
# scale.sh - what the probes of many idle connections cost
# SPDX-License-Identifier: MIT
#
# Opens CONNECTIONS over loopback, in a network of its own, and counts for
# SECONDS_EACH the probes that the kernel sends (TcpExtTCPKeepAlive, see
# nstat(8)) and what a busy loop of the lowest priority on each processor loses:
# first without keepalive, then with KEEPIDLE=1. /proc/stat would not do: it is
# sampled at the tick, at which the timers run. Both ends are on this machine, so
# the difference is what both cost together. What other programs do meanwhile is
# in it, too: run it where nothing else runs.
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

cat >"$tmp/loop.c" <<'END'
/* loop SECONDS: the rounds that a loop of the lowest priority makes on each
 * processor, together */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static long count(double seconds)
{
    struct timespec begin, now;
    long rounds = 0;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do {
        for (volatile int i = 0; i < 1000; i++)
            ;
        rounds++;
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((double)(now.tv_sec - begin.tv_sec) +
                 (double)(now.tv_nsec - begin.tv_nsec) / 1e9 <
             seconds);
    return rounds;
}
int main(int argc, char *argv[])
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN), total = 0, rounds;
    int ends[2];
    if (argc < 2 || pipe(ends) < 0)
        return 1;
    for (int i = 0; i < processors; i++)
        if (fork() == 0) {
            cpu_set_t set;
            CPU_ZERO(&set);
            CPU_SET(i, &set);
            sched_setaffinity(0, sizeof(set), &set);
            if (nice(19) == -1)
                return 1;
            rounds = count(atof(argv[1]));
            return write(ends[1], &rounds, sizeof(rounds)) < 0;
        }
    while (wait(NULL) > 0)
        if (read(ends[0], &rounds, sizeof(rounds)) > 0)
            total += rounds;
    printf("%ld\n", total);
}
END
${CC:-cc} -O1 -o "$tmp/loop" "$tmp/loop.c"
probes() {
    nstat -asz TcpExtTCPKeepAlive | awk '/KeepAlive/ { print $2 }'
}
processors=$(getconf _NPROCESSORS_ONLN)
# measure LABEL: also sets $rounds
measure() {
    probes=$(probes)
    rounds=$("$tmp/loop" "$SECONDS_EACH")
    probes=$(($(probes) - probes))
    echo "$1: $((probes / SECONDS_EACH)) probes a second"
}
echo "$CONNECTIONS connections, $((2 * CONNECTIONS)) sockets"
measure 'without keepalive'
idle=$rounds
# shellcheck disable=SC2086
"$COMMAND" -t 1 -i 1 -p $clients >/dev/null || fail 'keepalive -p'
sleep 2
measure 'KEEPIDLE=1, both ends'
awk -v idle="$idle" -v rounds="$rounds" -v processors="$processors" \
    -v probes="$((probes / SECONDS_EACH))" 'BEGIN {
        lost = (idle - rounds) / idle * processors
        printf "they take %.1f %% of one processor, %.1f us a probe\n",
            100 * lost, 1e6 * lost / (probes > 0 ? probes : 1)
    }'
finish
