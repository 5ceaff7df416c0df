# processes.sh - processes with sockets, and what -p shows; read with `.`
# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# After common.sh.
started=
# shellcheck disable=SC2016,SC2034
at_exit='kill $started 2>/dev/null'
# start COMMAND...: in the background; waits for its first line, in $line
start() {
    # shellcheck disable=SC2154
    mkfifo "$tmp/fifo"
    "$@" >"$tmp/fifo" 2>&1 &
    pid=$!
    started="$started $pid"
    # shellcheck disable=SC2034
    read -r line <"$tmp/fifo"
    rm "$tmp/fifo"
}

# columns FD NAME...: of the table in the input, by the names in its head; FD is
# that of a row, or * for all
columns() {
    wanted=$1
    shift
    awk -v wanted="$wanted" -v names="$*" '
        NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; split(names, name) }
        NR > 1 && (wanted == "*" || $at["fd"] == wanted) {
            line = $at[name[1]]
            for (i = 2; i in name; i++) line = line " " $at[name[i]]
            print line
        }'
}
