#!/bin/sh
# test_manual.sh - the manuals, README and --help have every option and flag
# SPDX-License-Identifier: MIT
. tests/common.sh

# entry NAME MANUAL: the text of one .It, on one line
entry() {
    awk -v name="$1" '
        /^\.It |^\.El/ { here = 0 }
        /^\.It / && index($0 " ", name " ") { here = 1 }
        here { printf "%s ", $0 }' "$2"
}

# has LABEL TEXT WORDS
has() {
    case $2 in
    *"$3"*) ;;
    *) fail "$1 lacks: $3" ;;
    esac
}

help=$("$COMMAND" --help | tr -s ' \n' ' ')
"$probe" ranges >"$tmp/ranges"
while read -r variable range; do
    numbers=${range% [ps]*}
    has "libkeepalive(7), the entry of $variable" \
        "$(entry "Ev $variable" man/libkeepalive.7 | tr -s ' ')" "$numbers"
    has "README, the table" "$(grep "^    .*$variable " README | tr -s ' ')" \
        " $variable $range "
    has 'keepalive --help' "$help" " $variable, $range "
    "$COMMAND" --help | grep -B1 "^ *$variable, " |
        sed -n 's/^  -\(.\), --\([a-z]*\) .*/\1 \2/p' >"$tmp/flag"
    read -r letter name <"$tmp/flag" || fail "no flag for $variable"
    has "keepalive(1), the entry of --$name" \
        "$(entry "Fl $letter , Fl Fl $name" man/keepalive.1)" "$numbers"
done <"$tmp/ranges"
for variable in $("$probe" variables); do
    has 'keepalive(1), ENVIRONMENT' \
        "$(sed -n '/^\.Sh ENVIRONMENT/,/^\.Sh FILES/p' man/keepalive.1)" \
        "$variable"
done

# Each flag has an entry in keepalive(1).
"$COMMAND" --help | sed -n 's/^  -\(.\), --\([a-z-]*\).*/\1 \2/p' >"$tmp/flags"
[ -s "$tmp/flags" ] || fail 'no flags in --help'
while read -r letter name; do
    has 'keepalive(1)' "$(entry "Fl $letter , Fl Fl $name" man/keepalive.1)" \
        "Fl Fl $name"
done <"$tmp/flags"
finish
