#!/bin/sh
# long_machine.sh - `keepalive --global on` and `off`, killed at each system call
# SPDX-License-Identifier: MIT
#
# After each kill ld.so.preload is the old file or the new one, to the byte, and
# the next run does its work and leaves nothing behind. Last, programs that do not
# end are ended, and a run that waits for another gives up, in 30 seconds. All of it in a mount namespace with an /etc of
# its own.
. tests/common.sh
need_root
in_namespace -m
private_etc
need strace flock timeout
strace -o /dev/null true 2>/dev/null || skip 'strace may not trace here'

keepalive=$tmp/usr/bin/keepalive
library=$tmp/usr/lib/x/libkeepalive.so
make -s BUILD="$tmp/build" prefix="$tmp/usr" libdir="${library%/*}" install \
    >"$tmp/log" 2>&1 || fail "install: $(cat "$tmp/log")"
cp "$BUILD/tests/empty.so" "$tmp/other.so"
printf '# of others\n%s\n' "$tmp/other.so" >"$tmp/without"
cp "$tmp/without" "$tmp/with"
echo "$library" >>"$tmp/with"

# A loader of 32-bit programs would make each run look through all programs, by
# thousands of the same three system calls. It lies in a directory of its own.
narrow=$(readlink -f /lib/ld-linux.so.2)
case $narrow in
*/lib32/* | */i386-linux-gnu/*)
    mount -t tmpfs none "${narrow%/*}" || skip 'no file system in memory'
    ;;
esac

# beside: what lies beside the file
beside() {
    find /etc -maxdepth 1 -name '.ld.so.preload*'
}

# What a killed run has left.
state() {
    cat "$preload_file"
    find /etc -maxdepth 1 -name '.ld.so.preload*' -printf '%m %s %n\n'
}

# kill_at WORD BEFORE AFTER: kills `--global WORD` at each system call from the
# lock on; those before it read only. The next run follows once for each state
# that a kill has left.
kill_at() {
    word=$1
    cp "$2" "$preload_file"
    strace -qq -o "$tmp/trace" "$keepalive" --global "$word" >"$tmp/log" 2>&1
    cmp -s "$preload_file" "$3" || fail "$word, not killed"
    # "CALL NUMBER": the calls, and which of its kind each is
    sed -n 's/^\([a-z0-9_]*\)(.*/\1/p' "$tmp/trace" |
        awk '{ count[$1]++ }
            $1 == "flock" { locked = 1 }
            locked && $1 !~ /^exit/ { print $1, count[$1] }' >"$tmp/calls"
    kills=0 next_runs=0
    : >"$tmp/states"
    while read -r call number; do
        cp "$2" "$preload_file"
        strace -qq -o /dev/null -e inject="$call:signal=KILL:when=$number" \
            "$keepalive" --global "$word" >"$tmp/log" 2>&1
        [ $? = 137 ] && kills=$((kills + 1))
        cmp -s "$preload_file" "$2" || cmp -s "$preload_file" "$3" ||
            fail "$word, killed at $call $number: $(cat "$preload_file")"
        left=$(state | cksum)
        grep -qxF "$left" "$tmp/states" && continue
        echo "$left" >>"$tmp/states"
        next_runs=$((next_runs + 1))
        "$keepalive" --global "$word" >"$tmp/log" 2>&1 ||
            fail "$word, after a kill at $call $number: $(cat "$tmp/log")"
        cmp -s "$preload_file" "$3" ||
            fail "$word, after a kill at $call $number: $(cat "$preload_file")"
        expect "$word, after a kill at $call $number: beside it" '' "$(beside)"
    done <"$tmp/calls"
    echo "$word: $kills kills at $(wc -l <"$tmp/calls") system calls," \
        "$next_runs next runs"
    [ "$kills" -gt 20 ] || fail "$word: $kills kills"
    [ "$next_runs" -gt 2 ] || fail "$word: $next_runs next runs"
}
kill_at on "$tmp/without" "$tmp/with"
kill_at off "$tmp/with" "$tmp/without"

# A program that does not end is ended, even if it ignores the alarm and closes
# its pipe.
cat >"$tmp/true" <<'END'
#!/bin/sh
[ -n "${LD_PRELOAD-}" ] || exit 0
trap '' ALRM
exec sleep 100 2>&-
END
chmod 755 "$tmp/true"
cp "$tmp/without" "$preload_file"
mount --bind "$tmp/true" /usr/bin/true
expect 'a program that does not end' "keepalive: with the library \
/usr/bin/true is killed by signal 9
125" "$(timeout 60 "$keepalive" --global on 2>&1; echo $?)"
umount /usr/bin/true
cmp -s "$preload_file" "$tmp/without" || fail 'a program that does not end'

# Waiting has an end.
cp "$tmp/without" "$preload_file"
(umask 077; exec flock -o /etc/.ld.so.preload.keepalive sleep 100) &
holder=$!
at_exit="kill $holder 2>/dev/null; $at_exit"
sleep 1
expect 'a run that waits' 125 \
    "$(timeout 35 "$keepalive" --global on >"$tmp/log" 2>&1; echo $?)"
grep -q 'another run has held' "$tmp/log" || fail "waiting: $(cat "$tmp/log")"
cmp -s "$preload_file" "$tmp/without" || fail 'waiting: the file'
kill "$holder"
finish
