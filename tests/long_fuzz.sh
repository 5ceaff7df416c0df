#!/bin/sh
# long_fuzz.sh - random environments, for the parser
# SPDX-License-Identifier: MIT
. tests/common.sh
need clang
# Ten million runs of the parser, in two halves side by side.
runs=5000000

at_exit='kill $halves 2>/dev/null'
halves=
for half in 1 2; do
    make fuzz BUILD="$tmp/$half" FUZZ_LIMIT="-runs=$runs -seed=$half" \
        >"$tmp/log.$half" 2>&1 &
    halves="$halves $!"
done
wait
for half in 1 2; do
    grep "^Done $runs runs" "$tmp/log.$half" ||
        fail "the parser: $(tail -n 50 "$tmp/log.$half")"
done
finish
