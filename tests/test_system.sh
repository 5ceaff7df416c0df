#!/bin/sh
# test_system.sh - /etc/ld.so.preload, in a mount namespace of its own
# SPDX-License-Identifier: MIT
. tests/common.sh
in_namespace -m
private_etc

# A directory like /usr, with the library wherever $LIB may point.
for directory in lib lib64 lib32 "lib/$(${CC:-cc} -print-multiarch)"; do
    mkdir -p "$tmp/usr/$directory"
    cp "$LIBKEEPALIVE" "$tmp/usr/$directory/libkeepalive.so"
done
chmod -R a+rX "$tmp"

on='SO_KEEPALIVE is ON'
for entry in "$tmp/usr/lib/libkeepalive.so" "$tmp"'/usr/$LIB/libkeepalive.so'
do
    echo "$entry" >/etc/ld.so.preload
    expect "$entry" "$on" "$("$show" 2>&1 | head -n 1)"
    expect "$entry: values" '180' "$(KEEPIDLE=180 "$show" 2>&1 |
        sed -n 's/TCP_KEEPIDLE *= //p')"
    expect "$entry: off" 'SO_KEEPALIVE is OFF' "$(KEEPALIVE=off "$show" 2>&1)"
    expect "$entry: empty environment" "$on" \
        "$(env -i "$show" 2>&1 | head -n 1)"
    expect "$entry: a shell prints nothing of it" 'hello' \
        "$(sh -c 'echo hello' 2>&1)"
    expect "$entry: and LD_PRELOAD as well" "$on" \
        "$(LD_PRELOAD=$LIBKEEPALIVE "$show" 2>&1 | head -n 1)"
    # without /proc, in a mount namespace below this one
    # shellcheck disable=SC2016
    expect "$entry: no /proc" "$on" \
        "$(unshare -m sh -c 'umount -l /proc; exec "$0" 2>&1' "$show" |
            head -n 1)"
done

finish
