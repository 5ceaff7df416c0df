# global.sh - `keepalive --global` in a mount namespace of its own; read with `.`
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2154,SC2034
#
# After common.sh. Installs the library and the command below $tmp/usr.
need_root
in_namespace -m
private_etc
need python3 flock

library=$tmp/usr/lib/x-y/libkeepalive.so
keepalive=$tmp/usr/bin/keepalive
file=/etc/ld.so.preload
make -s BUILD="$tmp/build" prefix="$tmp/usr" libdir="${library%/*}" install \
    >"$tmp/log" 2>&1 || fail "install: $(cat "$tmp/log")"
other=$tmp/other.so another=$tmp/another.so
cp "$BUILD/tests/empty.so" "$other"
cp "$BUILD/tests/empty.so" "$another"
cp "$BUILD/tests/empty.so" "$library.old"
mkdir -p "$tmp/elsewhere$library"
rmdir "$tmp/elsewhere$library"
cp "$BUILD/tests/empty.so" "$tmp/elsewhere$library"

# What `on` says of the kernel's idle time
idle="; first probe after $(cat /proc/sys/net/ipv4/tcp_keepalive_time) idle \
seconds: to change that set net.ipv4.tcp_keepalive_time, see sysctl(8)"

# show_programs DIRECTORY: as /usr/local/bin, where programs are looked for
show_programs() {
    [ -d /usr/local/bin ] ||
        { mount -t tmpfs none /usr/local && mkdir /usr/local/bin; }
    mount --bind "$1" /usr/local/bin
}

# global WORD: what it says, and its status
global() {
    "$keepalive" --global "$1" >"$tmp/all" 2>&1
    echo "status $?" >>"$tmp/all"
    # what its own loader has to say of the file
    grep -v '^ERROR: ld.so' "$tmp/all" >"$tmp/said"
    cat "$tmp/said"
}
# put TEXT: into the file; @A, @B and @L stand for three libraries,
# @E and @U for directories
text() {
    printf '%b' "$1" | sed "s,@A,$other,g; s,@B,$another,g; s,@L,$library,g
        s,@E,$tmp/elsewhere,g; s,@U,$tmp/usr,g"
}
put() {
    rm -f "$file"
    text "$1" >"$file"
}
# content WHAT EXPECTED: of the file, `-` where it is not there; nothing beside
content() {
    if [ "$2" = - ]; then
        [ ! -e "$file" ] || fail "$1: the file is there: $(cat "$file")"
    else
        text "$2" >"$tmp/expected"
        cmp -s "$file" "$tmp/expected" ||
            fail "$1: the file holds: $(cat "$file")"
    fi
    expect "$1: beside it" "$([ "$2" = - ] || echo "$file")" \
        "$(find /etc -maxdepth 1 -name '*ld.so.preload*')"
}

# refused WHAT PATTERN: `on` says why, and leaves all as it was
refused() {
    before=$(cat "$file" 2>/dev/null)
    said=$(global on)
    expect "$1" '2 status 125' "$(wc -l <"$tmp/said") $(tail -n 1 "$tmp/said")"
    # shellcheck disable=SC2254
    case $said in
    keepalive:\ *$2*) ;;
    *) expect "$1" "$2" "$said" ;;
    esac
    case $said$2 in
    *'removed again'*'removed again') ;;
    *'removed again'*) fail "$1: it was written first: $said" ;;
    esac
    expect "$1: the file" "$before" "$(cat "$file" 2>/dev/null)"
    expect "$1: beside it" '' \
        "$(find /etc -maxdepth 1 -name '.ld.so.preload*')"
}

# build FLAG... <SOURCE: a library in the place of ours
build() {
    rm -f "$library"
    ${CC:-cc} -shared -fPIC -Iinclude -D_GNU_SOURCE -o "$library" "$@" -x c -
}
