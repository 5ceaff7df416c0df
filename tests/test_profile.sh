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
    expect "$shell: nothing before" "$library 240" "$(after $shell '' 1)"
    expect "$shell: read twice" "$library 240" "$(after $shell '' 2)"
    expect "$shell: another before" "$library:$other 240" \
        "$(after $shell "$other" 3)"
    expect "$shell: already there, parted by a colon" \
        "$other:$library 240" "$(after $shell "$other:$library" 1)"
    expect "$shell: already there, parted by blanks" \
        "$other $library 240" "$(after $shell "$other $library" 1)"
    expect "$shell: the user's own value stays" "$library 60" \
        "$(KEEPIDLE=60 after $shell '' 1)"
done
# shellcheck disable=SC2016
expect 'a program started from there' 'SO_KEEPALIVE is ON TCP_KEEPIDLE = 240' \
    "$(KEEPALIVE_LIBRARY=$library sh -c '. examples/profile.sh; exec "$0"' \
        "$show" | grep -E 'SO_|IDLE' | xargs)"

rm "$library"
for shell in sh bash dash; do
    command -v "$shell" >/dev/null || continue
    expect "$shell: no such file" 'unset unset' "$(after $shell '' 1)"
    expect "$shell: no such file, another before" "$other unset" \
        "$(after $shell "$other" 1)"
done
finish
