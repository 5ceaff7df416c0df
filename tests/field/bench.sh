#!/bin/sh
# bench.sh - what the library costs, beside its peers and the floor
# SPDX-License-Identifier: MIT
#
# The floor of a socket is a program that sets the four options itself; of a
# start, an empty library with the same flags. Instruction counts are exact,
# for one C library; times are medians of rounds in turn, and noisy all the
# same. Nothing here fails for being slow.
. tests/common.sh
need valgrind strace
bench=$BUILD/tests/field/bench
ROUNDS=${ROUNDS:-15}
STARTS=${STARTS:-2000}

# Paths of one length, as the loader copies them about.
ours=$tmp/ours../lib.so empty=$tmp/empty./lib.so
classic=$tmp/classic/lib.so dontdie=$tmp/dontdie/lib.so
peer() {
    for path in "/usr/lib/$3" /usr/lib/*/"$3"; do
        [ -e "$path" ] || continue
        cp "$path" "$1"
        return
    done
    echo "missing: $2 (apt-get install $2); its column is -"
}
mkdir "$tmp/ours.." "$tmp/empty." "$tmp/classic" "$tmp/dontdie"
strip -o "$ours" "$LIBKEEPALIVE"
strip -o "$empty" "$BUILD/tests/empty.so"
peer "$classic" libkeepalive0 libkeepalive.so.0
peer "$dontdie" libdontdie0 libdontdie.so.0
sync

echo "libkeepalive: what it costs, $(date +%Y-%m-%d)"
echo "Linux $(uname -r | cut -d . -f 1,2) $(uname -m), $(getconf GNU_LIBC_VERSION), $(nproc) processors," \
    "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)"
echo

four='KEEPALIVE=on KEEPCNT=5 KEEPIDLE=240 KEEPINTVL=30'
four="$four DD_TCP_KEEPALIVE_PROBES=5 DD_TCP_KEEPALIVE_TIME=240"
four="$four DD_TCP_KEEPALIVE_INTVL=30"

# instructions LIBRARY|- VARIABLES COMMAND...: of the whole process
instructions() {
    library=$1 variables=$2
    shift 2
    [ "$library" = - ] || variables="$variables LD_PRELOAD=$library"
    # shellcheck disable=SC2086
    env -i $variables "$(command -v valgrind)" --tool=callgrind \
        --callgrind-out-file=/dev/null "$@" 2>&1 >/dev/null |
        sed -n 's/.*Collected : //p'
}

# each_make LIBRARY KIND [VARIABLES]: instructions for one socket()+close()
each_make() {
    [ "$1" = - ] || [ -e "$1" ] || { echo -; return; }
    less=$(instructions "$1" "${3-}" "$bench" make "$2" 100)
    more=$(instructions "$1" "${3-}" "$bench" make "$2" 1100)
    echo $(((more - less) / 1000))
}

heading() {
    printf '\n%-34s %8s %8s %8s %8s %8s\n' "$@"
}
row() {
    printf '%-34s %8s %8s %8s %8s %8s\n' "$@"
}

heading 'instructions, socket()+close()' bare floor ours dontdie classic
# make_row LABEL KIND FLOOR-KIND VARIABLES
make_row() {
    row "$1" "$(each_make - "$2")" "$(each_make - "$3")" \
        "$(each_make "$ours" "$2" "$4")" "$(each_make "$dontdie" "$2" "$4")" \
        "$(each_make "$classic" "$2" "$4")"
}
make_row 'TCP, four options' tcp own "$four"
make_row 'TCP, KEEPALIVE=off' tcp tcp KEEPALIVE=off
make_row 'UDP' udp udp "$four"
make_row 'local' local local "$four"
make_row "and the program's setsockopt()" set set KEEPALIVE=off
make_row 'and that with KEEPALIVE=force' set set "$four KEEPALIVE=force"

heading 'system calls, socket() alone' bare floor ours dontdie classic
# calls LIBRARY KIND
calls() {
    [ "$1" = - ] || [ -e "$1" ] || { echo -; return; }
    # shellcheck disable=SC2086
    if [ "$1" = - ]; then
        strace -qq -e trace='!close' -o "$tmp/trace" "$bench" make "$2" 1
    else
        env $four strace -qq -e trace='!close' -o "$tmp/trace" \
            -E "LD_PRELOAD=$1" "$bench" make "$2" 1
    fi
    sed -n '/^socket(/,/exit_group/p' "$tmp/trace" |
        grep -cv exit_group
}
row 'TCP, four options' "$(calls - tcp)" "$(calls - own)" \
    "$(calls "$ours" tcp)" "$(calls "$dontdie" tcp)" "$(calls "$classic" tcp)"

heading 'instructions, start of a program' bare empty ours dontdie classic
# start_row LABEL VARIABLES: bare and the empty one in full, the others over it
start_row() {
    bare=$(instructions - "$2" /bin/true)
    base=$(instructions "$empty" "$2" /bin/true)
    set -- "$1" "$2" "$ours" "$dontdie" "$classic"
    over=
    for library in "$3" "$4" "$5"; do
        if [ -e "$library" ]; then
            full=$(instructions "$library" "$2" /bin/true)
            over="$over +$((full - base))"
        else
            over="$over -"
        fi
    done
    # shellcheck disable=SC2086
    row "$1" "$bare" "$base" $over
}
others=$(seq 10 | sed 's/.*/VARIABLE&=value&/' | xargs)
start_row 'true, 10 variables' "$(echo "$others" | cut -d' ' -f1-9)"
start_row 'true, KEEPIDLE among the 10' \
    "KEEPIDLE=240 $(echo "$others" | cut -d' ' -f1-8)"
start_row 'true, the four among the 10' \
    "$four $(echo "$others" | cut -d' ' -f1-2)"
others=$(seq 299 | sed 's/.*/VARIABLE&=value&/' | xargs)
start_row 'true, 300 variables' "$others"

# As `make deb` builds it.
if command -v dpkg-buildflags >/dev/null; then
    export DEB_BUILD_MAINT_OPTIONS=hardening=+all
    make -s BUILD="$tmp/packaged" CFLAGS="$(dpkg-buildflags --get CFLAGS)" \
        CPPFLAGS="$(dpkg-buildflags --get CPPFLAGS)" \
        LDFLAGS="$(dpkg-buildflags --get LDFLAGS)" \
        "$tmp/packaged/libkeepalive.so"
    strip -o "$tmp/ours../lib.so" "$tmp/packaged/libkeepalive.so"
    start_row 'true, 10 variables, as packaged' \
        "$(seq 9 | sed 's/.*/VARIABLE&=value&/' | xargs)"
    strip -o "$ours" "$LIBKEEPALIVE"
fi

heading "time, start of true, $STARTS rounds, us" bare empty ours dontdie \
    classic
set -- - "$empty" "$ours"
for library in "$dontdie" "$classic"; do
    [ ! -e "$library" ] || set -- "$@" "$library"
done
"$bench" start "$STARTS" "$@" >"$tmp/starts"
awk '{ t[NR] = $1 }
    END {
        printf "%-34s", "median"
        for (i = 1; i <= NR; i++) printf " %8.1f", t[i] / 1000
        printf "\n%-34s %8s", "over bare", ""
        for (i = 2; i <= NR; i++) printf " %8.1f", (t[i] - t[1]) / 1000
        printf "\n%-34s %8s %8s", "of the empty one over bare", "", "1.00"
        for (i = 3; i <= NR; i++)
            printf " %8.2f", (t[i] - t[1]) / (t[2] - t[1])
        print ""
    }' "$tmp/starts"

heading 'memory and file, KiB' '' '' ours dontdie classic
# memory LIBRARY FIELD: the library's part of a process, see proc(5)
memory() {
    [ -e "$1" ] || { echo -; return; }
    sync "$1" # the pages of a file just written are dirty themselves
    env LD_PRELOAD="$1" cat /proc/self/smaps |
        awk -v library="$1" -v field="$2:" '
            /^[0-9a-f]+-[0-9a-f]+ / { ours = $NF == library }
            ours && $1 == field { sum += $2 }
            END { print sum + 0 }'
}
row 'private dirty memory' '' '' "$(memory "$ours" Private_Dirty)" \
    "$(memory "$dontdie" Private_Dirty)" "$(memory "$classic" Private_Dirty)"
row 'mapped' '' '' "$(memory "$ours" Size)" "$(memory "$dontdie" Size)" \
    "$(memory "$classic" Size)"
kib() {
    [ -e "$1" ] || { echo -; return; }
    stat -c %s "$1" | awk '{ printf "%.1f\n", $1 / 1024 }'
}
row 'file, stripped' '' '' "$(kib "$ours")" "$(kib "$dontdie")" \
    "$(kib "$classic")"

median() {
    sort -n "$1" | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] }'
}
# in_turn COMMAND-OF-FLOOR... -- COMMAND-OF-OURS...: medians of both
in_turn() {
    : >"$tmp/floor"
    : >"$tmp/with"
    for _ in $(seq "$ROUNDS"); do
        # shellcheck disable=SC2086
        "$bench" $1 >>"$tmp/floor"
        # shellcheck disable=SC2086
        env $four LD_PRELOAD="$ours" "$bench" $2 >>"$tmp/with"
    done
    floor=$(median "$tmp/floor") with=$(median "$tmp/with")
    row "$3" '' "$floor" "$with" '' \
        "$(awk "BEGIN { printf \"%.2f\", $floor / $with }")"
}
heading "time, $ROUNDS rounds in turn, ns" '' floor ours '' 'floor/ours'
for width in 1 2 4 8; do
    in_turn "threads own $width 20000" "threads tcp $width 20000" \
        "socket()+close(), $width threads"
done
in_turn 'requests 1000' 'requests 1000' 'connect, accept, send, receive'

# The same in a cgroup of its own, without and with `keepalive --cgroup` there
cgroup=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)/bench-$$
at_exit='rmdir "$cgroup" 2>/dev/null || { sleep 1; rmdir "$cgroup"; }'
in_cgroup() {
    # shellcheck disable=SC2016
    sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$cgroup" "$bench" \
        requests 1000
}
if ! mkdir "$cgroup" 2>/dev/null; then
    at_exit=:
    echo 'no cgroup of version 2 can be made here'
    exit
fi
for flags in '' --force; do
    : >"$tmp/floor"
    : >"$tmp/with"
    for _ in $(seq "$ROUNDS"); do
        "$COMMAND" --off --cgroup "$cgroup"
        in_cgroup >>"$tmp/floor"
        # shellcheck disable=SC2086
        "$COMMAND" $flags -t 240 -i 30 -c 5 --cgroup "$cgroup" >/dev/null
        in_cgroup >>"$tmp/with"
    done
    floor=$(median "$tmp/floor") with=$(median "$tmp/with")
    row "the same, --cgroup $flags" '' "$floor" "$with" '' \
        "$(awk "BEGIN { printf \"%.2f\", $floor / $with }")"
done
