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

# The lines for zsh and fish, which do not read /etc/profile.d: once, and once
# more in a shell that the first starts.
sed "s,/usr/local/lib/libkeepalive.so,$library,g; s,/etc/profile.d,$tmp,g" \
    examples/profile.sh >"$tmp/keepalive.sh"

# in_shell BEFORE SEPARATOR SHELL FLAGS...: what programs have in the end
in_shell() {
    before=$1 separator=$2
    shift 2
    command -v "$1" >/dev/null || return 0
    lines=$(awk -v start="^# For $1,|For $1, in" '
        /^#     / && begun { print substr($0, 7); some = 1; next }
        some { exit }
        $0 ~ start { begun = 1 }' "$tmp/keepalive.sh")
    # shellcheck disable=SC2016
    expect "$1, LD_PRELOAD=$before" \
        "$library${before:+$separator$before} 120 SO_KEEPALIVE is ON" \
        "$(HOME=$tmp SHOW=$show INNER="$lines
            sh -c 'echo \"\$LD_PRELOAD \$KEEPIDLE \$(\$SHOW | head -n 1)\"'" \
            env ${before:+"LD_PRELOAD=$before"} "$@" "$lines
            $* \"\$INNER\"" 2>&1)"
    # shellcheck disable=SC2016
    expect "$1, the user's own value" 60 "$(HOME=$tmp KEEPIDLE=60 "$@" "$lines
        sh -c 'echo \"\$KEEPIDLE\"'" 2>&1)"
}
for before in '' "$other"; do
    in_shell "$before" : zsh -fc
    in_shell "$before" ' ' fish --no-config -c
done

rm "$library"
for shell in sh bash dash; do
    command -v "$shell" >/dev/null || continue
    expect "$shell: no such file" 'unset unset' "$(after $shell '' 1)"
    expect "$shell: no such file, another before" "$other unset" \
        "$(after $shell "$other" 1)"
done
finish
