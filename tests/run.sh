#!/bin/sh
# run.sh - runs the tests named as arguments, one after the other
# SPDX-License-Identifier: MIT
#
# A test exits with 0 for passed, 77 for skipped (its output says why), else it
# failed and its output is shown. Where CI is set a skipped test has failed. One
# that takes longer than TIMEOUT seconds is told to end, with all that it runs,
# and cleans up. The last line is the count.
passed=0 failed=0 skipped=0 running=
TIMEOUT=${TIMEOUT:-1800}
output=$(mktemp) || exit 1
trap 'rm -f "$output"' EXIT
# timeout(1) passes it on.
trap '[ -z "$running" ] || kill "$running"; wait; exit 1' HUP INT TERM

for test; do
    name=$(basename "$test" .sh)
    begin=$(date +%s)
    case $test in
    *.sh) set -- sh "$test" ;;
    *) set -- "$test" ;;
    esac
    timeout -k 60 "$TIMEOUT" "$@" </dev/null >"$output" 2>&1 &
    running=$!
    wait "$running"
    status=$?
    running=
    seconds=$(($(date +%s) - begin))
    if [ $status = 77 ] && [ -n "$CI" ]; then
        echo "FAILED $name: skipped, and CI is set, $seconds s"
        failed=$((failed + 1))
    elif [ $status = 77 ]; then
        echo "skipped $name, $seconds s"
        skipped=$((skipped + 1))
    elif [ $status = 0 ]; then
        echo "passed $name, $seconds s"
        passed=$((passed + 1))
    elif [ $seconds -ge "$TIMEOUT" ]; then
        echo "FAILED $name: still running after $TIMEOUT s"
        failed=$((failed + 1))
    else
        echo "FAILED $name: status $status, $seconds s"
        failed=$((failed + 1))
    fi
    sed 's/^/    /' "$output"
done
count="$passed passed, $failed failed"
[ $skipped = 0 ] || count="$count, $skipped skipped"
echo "$count"
[ $failed = 0 ]
