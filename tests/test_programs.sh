#!/bin/sh
# test_programs.sh - real programs, and what the kernel holds of their sockets
# SPDX-License-Identifier: MIT
#
# The programs and how they are run stand in programs.sh.
. tests/common.sh
in_namespace -n
. tests/field/programs.sh

row() {
    got=$(echo "${3:-none}" | sort -u)
    printf '%-22s %s\n' "$1" "$got"
    # shellcheck disable=SC2254
    case $got in
    $2) ;;
    *) expect "$1" "$2" "$got" ;;
    esac
}

echo 'program                keepalive count idle interval'
common_programs
overriding_programs
echo 'with KEEPALIVE=force:'
mode=force
overriding_programs

[ -z "$missing" ] || {
    finish
    skip "not on this machine:$missing"
}
finish
