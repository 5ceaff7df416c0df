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
finish
