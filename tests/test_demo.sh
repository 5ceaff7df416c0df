#!/bin/sh
# test_demo.sh - the example of the HOWTO
# SPDX-License-Identifier: MIT
. tests/common.sh

expect 'without the library' 'SO_KEEPALIVE is OFF' "$("$show")"
expect 'with the library' 'SO_KEEPALIVE is ON
TCP_KEEPCNT   = 20
TCP_KEEPIDLE  = 180
TCP_KEEPINTVL = 60' "$(LD_PRELOAD=$LIBKEEPALIVE KEEPCNT=20 KEEPIDLE=180 \
    KEEPINTVL=60 "$show" 2>&1)"
expect 'make demo' 'SO_KEEPALIVE is OFF
SO_KEEPALIVE is ON
TCP_KEEPCNT   = 20
TCP_KEEPIDLE  = 180
TCP_KEEPINTVL = 60' "$(make -s BUILD="$tmp/build" demo 2>&1)"
expect 'make demo, LDFLAGS=-pie' 'SO_KEEPALIVE is ON' \
    "$(make -s BUILD="$tmp/build" LDFLAGS=-pie demo 2>&1 | sed -n 2p)"

# It fails where the library cannot be loaded: the loader takes a path apart at
# colons.
mkdir "$tmp/a:b" "$tmp/a:b/tests"
cp -R Makefile src include examples "$tmp/a:b"
cp tests/checks.mk "$tmp/a:b/tests"
make -s -C "$tmp/a:b" BUILD=build demo >"$tmp/log" 2>&1 &&
    fail 'make demo succeeds without the library'
grep -q '^The library was not loaded' "$tmp/log" || fail "$(cat "$tmp/log")"
finish
