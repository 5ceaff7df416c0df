#!/bin/sh
# test_run.sh - run.sh: what it counts, and how it ends a test that hangs
# SPDX-License-Identifier: MIT
. tests/common.sh

script() {
    echo "$2" >"$tmp/$1.sh"
    set -- "$tmp/$1.sh"
}
script good 'echo a note'
script bad 'exit 3'
script absent 'echo "skipped: no tool"; exit 77'
# In the foreground and beside it: neither is left running, and it cleans up.
script hangs "$(cat <<END
echo \$\$ >'$tmp/pid'
trap 'echo cleaned up' EXIT
trap 'exit 1' TERM
sleep 1000 & echo \$! >>'$tmp/pid'
sleep 1000
END
)"
run() {
    env -u CI "$@" sh tests/run.sh "$tmp/good.sh" "$tmp/absent.sh" \
        "$tmp/bad.sh" 2>&1
    echo "status $?"
}
untimed() { sed 's/, [0-9]* s$//'; }
expect 'passed, skipped and failed' 'passed good
    a note
skipped absent
    skipped: no tool
FAILED bad: status 3
1 passed, 1 failed, 1 skipped
status 1' "$(run TIMEOUT=60 | untimed)"
expect 'skipped, and CI is set' 'FAILED absent: skipped, and CI is set' \
    "$(run CI=true TIMEOUT=60 | untimed | sed -n 3p)"

has_ended() {
    while read -r pid; do
        ! grep -qsv '^[0-9]* ([^)]*) Z' "/proc/$pid/stat" || return 1
    done <"$tmp/pid"
}
expect 'one that hangs, and the next' 'FAILED hangs: still running after 5 s
    cleaned up
passed good
    a note
1 passed, 1 failed' "$(TIMEOUT=5 sh tests/run.sh "$tmp/hangs.sh" \
    "$tmp/good.sh" 2>&1 | untimed | grep -v Terminated)"
wait_until has_ended || fail 'what hung is still running'

# Ended itself, it ends the test.
rm "$tmp/pid"
sh tests/run.sh "$tmp/hangs.sh" >"$tmp/out" 2>&1 &
runner=$!
has_two() { [ "$(wc -l 2>/dev/null <"$tmp/pid")" = 2 ]; }
wait_until has_two 2>/dev/null || fail 'the test has not begun'
kill "$runner"
wait "$runner"
expect 'the runner is ended' 1 $?
wait_until has_ended || fail 'the runner is gone, the test is still running'
finish
