#!/bin/sh
# run.sh - runs the tests named as arguments, one after the other
# SPDX-License-Identifier: MIT
#
# A test exits with 0 for passed, 77 for skipped (its output says why), else it
# failed and its output is shown. Where CI is set a skipped test has failed.
# The last line is the count.
passed=0 failed=0 skipped=0
output=$(mktemp) || exit 1
trap 'rm -f "$output"' EXIT
trap 'exit 1' HUP INT TERM

for test; do
    name=$(basename "$test" .sh)
    case $test in
    *.sh) sh "$test" ;;
    *) "$test" ;;
    esac </dev/null >"$output" 2>&1
    status=$?
    if [ $status = 77 ] && [ -n "$CI" ]; then
        echo "FAILED $name: skipped, and CI is set"
        failed=$((failed + 1))
    elif [ $status = 77 ]; then
        echo "skipped $name"
        skipped=$((skipped + 1))
    elif [ $status = 0 ]; then
        echo "passed $name"
        passed=$((passed + 1))
    else
        echo "FAILED $name: status $status"
        failed=$((failed + 1))
    fi
    sed 's/^/    /' "$output"
done
count="$passed passed, $failed failed"
[ $skipped = 0 ] || count="$count, $skipped skipped"
echo "$count"
[ $failed = 0 ]
