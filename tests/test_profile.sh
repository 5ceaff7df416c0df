#!/bin/sh
# test_profile.sh - the export in a shell profile, as examples/profile.sh has it
# SPDX-License-Identifier: MIT
. tests/common.sh

library=$tmp/libkeepalive.so
cp "$LIBKEEPALIVE" "$library"

# after SHELL BEFORE TIMES: LD_PRELOAD once the profile was read TIMES times
after() {
    # shellcheck disable=SC2016
    env KEEPALIVE_LIBRARY="$library" LD_PRELOAD="$2" "$1" -uc '
        [ -n "$LD_PRELOAD" ] || unset LD_PRELOAD
        for round in $(seq "$1"); do . examples/profile.sh; done
        echo "${LD_PRELOAD-unset} ${KEEPIDLE-unset}"' profile "$3" 2>&1
}

other=$BUILD/tests/empty.so
for shell in sh bash dash; do
    command -v "$shell" >/dev/null || continue
    expect "$shell: nothing before" "$library 120" "$(after $shell '' 1)"
    expect "$shell: read twice" "$library 120" "$(after $shell '' 2)"
    expect "$shell: another before" "$library:$other 120" \
        "$(after $shell "$other" 3)"
    expect "$shell: already there, separated by a colon" \
        "$other:$library 120" "$(after $shell "$other:$library" 1)"
    expect "$shell: already there, separated by blanks" \
        "$other $library 120" "$(after $shell "$other $library" 1)"
    expect "$shell: the user's own value stays" "$library 60" \
        "$(KEEPIDLE=60 after $shell '' 1)"
done
# shellcheck disable=SC2016
expect 'a program started from there' 'SO_KEEPALIVE is ON TCP_KEEPIDLE = 120' \
    "$(KEEPALIVE_LIBRARY=$library sh -c '. examples/profile.sh; exec "$0"' \
        "$show" | grep -E 'SO_|IDLE' | xargs)"

# The lines for the shells that do not read /etc/profile.d.
# lines_of FIRST-WORD SHELL FLAGS
lines_of() {
    lines=$(sed -n "s/^#     \($1 .*\)/\1/p" examples/profile.sh |
        sed "s,/usr/local/lib/libkeepalive.so,$library,")
    shift
    command -v "$1" >/dev/null || return 0
    # shellcheck disable=SC2016
    expect "$1: the two lines" "$library 120" \
        "$(env -u LD_PRELOAD HOME="$tmp" "$@" "$lines
            sh -c 'echo \"\$LD_PRELOAD \$KEEPIDLE\"'" 2>&1)"
    expect "$1: another before" 'SO_KEEPALIVE is ON' \
        "$(HOME=$tmp LD_PRELOAD=$other "$@" "$lines
            $show" 2>&1 | head -n 1)"
}
lines_of export zsh -fc
lines_of export sh -c
lines_of 'set -gx' fish --no-config -c

rm "$library"
for shell in sh bash dash; do
    command -v "$shell" >/dev/null || continue
    expect "$shell: no such file" 'unset unset' "$(after $shell '' 1)"
    expect "$shell: no such file, another before" "$other unset" \
        "$(after $shell "$other" 1)"
done
finish
