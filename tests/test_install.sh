#!/bin/sh
# test_install.sh - make install, uninstall, installcheck
# SPDX-License-Identifier: MIT
. tests/common.sh

root="$tmp/a root"
library="$root/usr/lib/x/libkeepalive.so"
run_make() {
    make -s BUILD="$BUILD" prefix=/usr libdir=/usr/lib/x DESTDIR="$root" "$@" \
        2>&1
}

expect 'install prints nothing' '' "$(umask 077; run_make install)"
expect 'what is installed' './usr/bin/keepalive 755
./usr/lib/x/libkeepalive.so 644
./usr/share/man/man1/keepalive.1 644
./usr/share/man/man7/libkeepalive.7 644' \
    "$(cd "$root" && find . -type f -printf '%p %m\n' | sort)"
expect 'directories can be entered' '' \
    "$(find "$root/usr" -type d ! -perm -755)"
cmp -s "$BUILD/libkeepalive.so" "$library" || fail 'the file is the built one'
expect 'the installed file works' 'SO_KEEPALIVE is ON' \
    "$(mkdir -p "$tmp/plain" && cp "$library" "$tmp/plain" &&
        LD_PRELOAD=$tmp/plain/libkeepalive.so "$show" | head -n 1)"

# The command has the path of the library from the last make, not from its own
# directory.
run_make prefix="$tmp/p" libdir="$tmp/p/lib" DESTDIR= BUILD="$tmp/build" \
    install >"$tmp/log" || fail "install: $(cat "$tmp/log")"
# shellcheck disable=SC2016
expect 'the installed command' "$tmp/p/lib/libkeepalive.so" \
    "$(cd / && "$tmp/p/bin/keepalive" sh -c 'echo "$LD_PRELOAD"')"
run_make prefix="$tmp/p" libdir="$tmp/p/other" DESTDIR= BUILD="$tmp/build" \
    install >"$tmp/log" || fail "install: $(cat "$tmp/log")"
# shellcheck disable=SC2016
expect 'the installed command, for another libdir' \
    "$tmp/p/other/libkeepalive.so" \
    "$(cd / && "$tmp/p/bin/keepalive" sh -c 'echo "$LD_PRELOAD"')"
rm "$tmp/p/other/libkeepalive.so"
expect 'the installed command without its library' \
    "keepalive: $tmp/p/other/libkeepalive.so: No such file or directory
125" "$("$tmp/p/bin/keepalive" true 2>&1; echo $?)"

# A file that a running program has mapped is replaced, never written to.
before=$(stat -c %i "$library")
exec 9<"$library"
printf 'an older version' >"$library"
run_make install >"$tmp/log" || fail "install: $(cat "$tmp/log")"
[ "$before" != "$(stat -c %i "$library")" ] || fail 'a new file, renamed'
expect 'the open file is the old one' 'an older version' "$(cat <&9)"
exec 9<&-
expect 'nothing is left beside it' 'libkeepalive.so' \
    "$(ls -A "$(dirname "$library")")"

# uninstall stops where /etc/ld.so.preload still names the file
mkdir -p "$root/etc"
# shellcheck disable=SC2016
for entry in /usr/lib/x/libkeepalive.so /lib/x/libkeepalive.so \
    '/usr/$LIB/libkeepalive.so' '/usr/${LIB}/libkeepalive.so' \
    libkeepalive.so '/lib/other.so:/usr/lib/x/libkeepalive.so' \
    '/usr/lib/x/libkeepalive.so#comment' /usr/lib//x/libkeepalive.so \
    '/lib/other.so /usr/lib/x/libkeepalive.so /lib/another.so'; do
    printf '/lib/first.so\n%s' "$entry" >"$root/etc/ld.so.preload"
    run_make uninstall >"$tmp/log" && fail "uninstall with $entry"
    grep -q 'etc/ld.so.preload' "$tmp/log" || fail "says why: $entry"
    [ -f "$library" ] || fail "the file is still there: $entry"
done
for entry in /lib/other.so /usr/lib/x/libkeepalive.so.old \
    /opt/lib/libkeepalive.so /usr/lib/x/notlibkeepalive.so \
    '# /usr/lib/x/libkeepalive.so'; do
    run_make install >"$tmp/log"
    echo "$entry" >"$root/etc/ld.so.preload"
    run_make uninstall >"$tmp/log" ||
        fail "uninstall with $entry: $(cat "$tmp/log")"
    [ ! -e "$library" ] || fail "the file is gone: $entry"
done
rm "$root/etc/ld.so.preload"
expect 'uninstall once more is no error' '' "$(run_make uninstall)"
expect 'nothing is left' '' "$(find "$root" -type f)"

expect 'default places' '/usr/local/bin/keepalive
/usr/local/lib/libkeepalive.so
/usr/local/share/man/man1/keepalive.1
/usr/local/share/man/man7/libkeepalive.7' \
    "$(make -s BUILD="$BUILD" DESTDIR="$tmp/default" install &&
        cd "$tmp/default" && find . -type f | sed 's/^.//' | sort)"
finish
