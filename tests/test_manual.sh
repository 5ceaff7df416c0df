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
    numbers=${range% *} # without the unit
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

# section NAME MANUAL
section() { sed -n "/^\.Sh $1/,/^\.Sh /{ /^\.Sh /d; p; }" "$2"; }
lines() { tr ', ' '\n' | grep .; }

# SYNOPSIS: of the command every flag, by its letter or name, and no other; of
# the library every variable.
expect 'keepalive(1), SYNOPSIS' "$(cut -d ' ' -f 1 "$tmp/flags" | sort | xargs)" \
    "$(section SYNOPSIS man/keepalive.1 | grep -o 'Fl [a-zA-Z]*\( [a-z-]*\)\{0,1\}' |
        while read -r _ letters name; do
            [ "$letters" = Fl ] || { echo "$letters" | grep -o .; continue; }
            sed -n "s/ $name\$//p" "$tmp/flags"
        done | sort -u | xargs)"
expect 'libkeepalive(7), SYNOPSIS' "$("$probe" variables | sort | xargs)" \
    "$(section SYNOPSIS man/libkeepalive.7 | sed -n 's/.*Ev \(KEEP[A-Z]*\) .*/\1/p' |
        sort | xargs)"

# The order in which the options are set: that of the table, whose names README
# has.
expect 'libkeepalive(7), the order of the options' \
    "$(for variable in $("$probe" variables); do
        sed -n "s/^    .* $variable .* \([A-Z_]*\)\$/\1/p" README
    done | xargs)" \
    "$(sed -n '/^The options are set in the order/,/^with one/s/^\.Dv //p' \
        man/libkeepalive.7 | lines | xargs)"

# The columns of the table, in their order
need python3
# shellcheck disable=SC2016
columns=$(python3 -c 'import os, socket, subprocess, sys
kept = socket.socket()
subprocess.run([sys.argv[1], "-p", str(os.getpid())])' "$COMMAND" 2>/dev/null |
    head -n 1 | xargs)
if [ -n "$columns" ]; then
    expect 'keepalive(1), the columns' "$columns" \
        "$(sed -n '/^\.Ss What -p and -a show/,/^\.El/s/^\.It //p' \
            man/keepalive.1 | lines | xargs)"
else
    leave_out 'no process can be looked at here'
fi

[ "$(wc -l <README)" -le 200 ] || fail 'README has more than 200 lines'
finish
