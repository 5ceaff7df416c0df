#!/bin/sh
# demo_nat.sh - the story of `make demo-nat`: an idle connection behind a NAT
# SPDX-License-Identifier: MIT
#
# The same client twice, without and with the library, told as it happens from
# the packets on the client's link. Exits with 0 where the story ended as it
# should. The network is that of test_network.sh.
. tests/common.sh
in_namespace -n -m
need bash socat
. tests/network.sh
make_network

halves='without with'
port() { [ "$1" = without ] && echo 7001 || echo 7002; }
pause=9 patience=5 # seconds

# Says something, is silent, says something again and waits for the answer.
client='exec 3<>"/dev/tcp/$0/$1"
echo hello >&3
read -ru 3
sleep "$2"
echo "are you there?" >&3
read -rt "$3" -u 3 && echo "at once" || echo "none in $3 s"'

# tenths SECONDS.FRACTION: since the start, into $now
tenths() {
    now=${1%"${1#*.?}"}
    now=$((${now%.*}${now#*.} - start))
}

# tell HALF WHO MARK WORDS: a line of the timeline, and a mark for the plot
tell() {
    printf '%4d.%d s  %-8s %-7s %s\n' \
        $((now / 10)) $((now % 10)) "$1" "$2" "$4"
    echo "$now $1 $2 $3" >>"$tmp/marks"
}

# narrate HALF: tells of its packets, but for bare acknowledgements of data. A
# probe is a packet without data after a second of silence or more.
narrate() {
    before=0 said='' probed=
    on client tcpdump -l -n -tt --immediate-mode -i to-nat \
        "tcp port $(port "$1")" 2>"$tmp/tcpdump.$1" |
        while read -r time _ from _ _ _ flags rest; do
            tenths "$time"
            idle=$((now - before)) before=$now
            case ${from%.*} in
            "$far4") from=server ;;
            *) from=client ;;
            esac
            sequence=${rest%%,*} bytes=${rest##*length }
            case "$from $flags $bytes" in
            'client [S], 0') tell "$1" client c 'connects' ;;
            'client [P.], '*)
                if [ "$said" = "$sequence" ]; then
                    tell "$1" client r "the same $bytes bytes again"
                else
                    tell "$1" client d "$bytes bytes"
                fi
                said=$sequence ;;
            'server [P.], '*) tell "$1" server d "$bytes bytes" ;;
            'client [.], 0')
                [ $idle -lt 10 ] || {
                    tell "$1" client p 'probe, no data'
                    probed=1
                } ;;
            'server [.], 0')
                [ -z "$probed" ] || tell "$1" server a 'answers the probe'
                probed= ;;
            esac
        done
}

# forgets HALF: tells when the NAT has no entry of the connection any more; of
# one that was closed it keeps an entry for longer than the demonstration takes
forgets() {
    [ -e /proc/net/nf_conntrack ] || return
    while on nat grep -q "dport=$(port "$1") " /proc/net/nf_conntrack \
        2>/dev/null; do
        sleep 0.1
    done
    tenths "$(date +%s.%N)"
    tell "$1" NAT x 'has forgotten the connection'
}

# The packets over time, five columns a second.
plot() {
    awk '
        { mark[$2 $3, int($1 / 2)] = $4; last = $1 > last ? $1 : last }
        END {
            printf "%17s", ""
            for (second = 0; second * 10 <= last; second++)
                printf "%-5d", second
            print ""
            split("without with", halves, " ")
            split("client server NAT", who, " ")
            for (h = 1; h <= 2; h++)
                for (w = 1; w <= 3; w++) {
                    row = sprintf("%-8s %-7s ", halves[h], who[w])
                    for (i = 0; i * 2 <= last; i++) {
                        sign = mark[halves[h] who[w], i]
                        row = row (sign ? sign : ".")
                    }
                    print row
                }
        }' "$tmp/marks"
}

# count HALF MARK: how many marks of the client
count() {
    grep -c " $1 client $2\$" "$tmp/marks"
}

jobs=
end_demo() {
    # shellcheck disable=SC2086
    kill $jobs 2>/dev/null
    end_network
}
at_exit=end_demo

cat <<END
A client and a server, and between them a NAT that forgets a connection which
was idle for $memory s. The client says hello, is silent for $pause s and then
asks "are you there?". It knows nothing of keepalive. Twice at the same time:

    without  CLIENT
    with     LD_PRELOAD=libkeepalive.so KEEPIDLE=2 KEEPINTVL=1 CLIENT

END
start=0
tenths "$(date +%s.%N)"
start=$now
for half in $halves; do
    on server socat "TCP4-LISTEN:$(port "$half")" PIPE &
    wait_until listening "$(port "$half")" || fail "$half: no server"
    narrate "$half" &
    jobs="$jobs $!"
    wait_until grep -qs listening "$tmp/tcpdump.$half" ||
        fail "$half: no capture"
done
clients=
for half in $halves; do
    library=
    [ "$half" = without ] || library=$LIBKEEPALIVE
    on client env ${library:+"LD_PRELOAD=$library"} KEEPIDLE=2 KEEPINTVL=1 \
        bash -c "$client" "$far4" "$(port "$half")" $pause $patience \
        >"$tmp/answer.$half" 2>&1 &
    clients="$clients $!"
    wait_until connected "$(port "$half")" || fail "$half: no connection"
    forgets "$half" &
    jobs="$jobs $!"
done
# shellcheck disable=SC2086
wait $clients

answer_without=$(cat "$tmp/answer.without")
answer_with=$(cat "$tmp/answer.with")
cat <<END

The packets: c connects, d data, r the same data again, p probe, a its answer,
x the NAT forgets. Five columns are a second.

$(plot)

END
row() { printf '%-32s%-14s%s\n' "$@"; }
row '' without 'with libkeepalive'
row 'probes while all was silent' "$(count without p)" "$(count with p)"
row 'times the question was sent' \
    $((1 + $(count without r))) $((1 + $(count with r)))
row 'answer' "$answer_without" "$answer_with"
expect 'answer, without' "none in $patience s" "$answer_without"
expect 'answer, with' 'at once' "$answer_with"
finish
