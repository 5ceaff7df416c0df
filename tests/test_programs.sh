#!/bin/sh
# test_programs.sh - real programs, and what the kernel holds of their sockets
# SPDX-License-Identifier: MIT
#
# The programs and how they are run: field/programs.sh.
. tests/common.sh
in_namespace -n
. tests/field/programs.sh

# What programs set by themselves depends on their versions: it is printed. That
# keepalive is on does not, nor that force wins.
row() {
    got=$(echo "${3:-none}" | sort -u)
    printf '%-22s %s\n' "$1" "$got"
    case $mode:$got in
    on:'1 '* | force:"$ours") ;;
    *) fail "$1, KEEPALIVE=$mode" ;;
    esac
}

echo 'program                keepalive count idle interval'
for mode in on force; do
    echo "KEEPALIVE=$mode:"
    common_programs
    overriding_programs
done

[ -z "$missing" ] || {
    finish
    skip "not on this machine:$missing"
}
finish
