#!/bin/sh
# test_install.sh - make install, uninstall, installcheck
# SPDX-License-Identifier: MIT
. tests/common.sh

BUILD=$tmp/build # other directories are another build

# The version number stands in the Makefile; the packages carry it as well.
version=$(sed -n 's/^VERSION = //p' Makefile)
expect 'the versions of the packages, and the last change' \
    "$version $version $version" \
    "$(sed -n '1s/.*(\(.*\)-.*/\1/p' examples/packaging/debian/changelog) \
$(sed -n 's/^Version: *//p' examples/packaging/keepalive.spec) \
$(sed -n '/^CHANGES/,/^[0-9]/s/^\([0-9.]*\) .*/\1/p' README)"

root="$tmp/an 'odd' & \\ root"
libdir=/usr/lib/x/keepalive
library="$root$libdir/libkeepalive.so"
built_make() {
    make -s BUILD="$BUILD" prefix=/usr libdir=$libdir DESTDIR="$root" "$@" \
        2>&1
}
# Other directories would be another build; where the command is not run what is
# there will do.
run_make() { built_make -o "$BUILD/how" "$@"; }

# In a tree of somebody else, what is built already stays as it is.
state() { find "$BUILD" -printf '%p %u %T@ %C@\n' | sort; }
built_make all >"$tmp/log" || fail "make: $(cat "$tmp/log")"
state >"$tmp/before"
expect 'install prints nothing' '' "$(umask 077; built_make install)"
expect 'install writes nothing into the tree' '' \
    "$(state | diff "$tmp/before" -)"
expect 'what is installed' './usr/bin/keepalive 755
./usr/lib/systemd/system/chrony.service.d/keepalive.conf 644
./usr/lib/systemd/system/chronyd.service.d/keepalive.conf 644
./usr/lib/x/keepalive/libkeepalive.so 644
./usr/share/bash-completion/completions/keepalive 644
./usr/share/doc/keepalive/COPYING 644
./usr/share/doc/keepalive/README 644
@examples
./usr/share/doc/keepalive/examples/check_keepalive 755
./usr/share/doc/keepalive/examples/keepalive_textfile 755
./usr/share/fish/vendor_completions.d/keepalive.fish 644
./usr/share/man/man1/keepalive.1 644
./usr/share/man/man7/libkeepalive.7 644
./usr/share/zsh/site-functions/_keepalive 644' \
    "$(cd "$root" && find . -type f -printf '%p %m\n' |
        sed '\,/doc/keepalive/examples/, { s,/[^/]* 644$,, }' |
        LC_ALL=C sort -u |
        sed 's,.*/doc/keepalive/examples$,@examples,')"
for file in examples/*; do
    case $file in
    */packaging | */keepalive.*) continue ;;
    esac
    expect "$file, installed" "$(sed "s,/usr/local/lib,$libdir,g
        s,/usr/local/bin/keepalive,/usr/bin/keepalive,g" "$file")" \
        "$(cat "$root/usr/share/doc/keepalive/$file")"
done
expect 'no text names another place' '' \
    "$(grep -r '/usr/local/\(lib\|bin/keepalive\|share\)' "$root/usr/share")"
expect 'the drop-in for chronyd' 'Environment=KEEPALIVE=off' \
    "$(grep ^Env "$root/usr/lib/systemd/system/chronyd.service.d/keepalive.conf")"
expect 'directories can be entered' '' \
    "$(find "$root/usr" -type d ! -perm -755)"
cmp -s "$BUILD/libkeepalive.so" "$library" || fail 'the file is the built one'
expect 'the installed file works' 'SO_KEEPALIVE is ON' \
    "$(mkdir -p "$tmp/plain" && cp "$library" "$tmp/plain" &&
        LD_PRELOAD=$tmp/plain/libkeepalive.so "$show" | head -n 1)"

# The command has the path of the library from the last make, not from its own
# directory.
built_make prefix="$tmp/p" libdir="$tmp/p/lib" DESTDIR= \
    install >"$tmp/log" || fail "install: $(cat "$tmp/log")"
# shellcheck disable=SC2016
expect 'the installed command' "$tmp/p/lib/libkeepalive.so" \
    "$(cd / && "$tmp/p/bin/keepalive" sh -c 'echo "$LD_PRELOAD"')"
built_make prefix="$tmp/p" libdir="$tmp/p/other" DESTDIR= \
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
for entry in $libdir/libkeepalive.so "${libdir#/usr}/libkeepalive.so" \
    '/usr/$LIB/keepalive/libkeepalive.so' \
    '/usr/${LIB}/keepalive/libkeepalive.so' \
    libkeepalive.so "/lib/other.so:$libdir/libkeepalive.so" \
    "$libdir/libkeepalive.so#comment" \
    /usr/lib//x/keepalive//libkeepalive.so \
    "/lib/other.so $libdir/libkeepalive.so /lib/another.so"; do
    printf '/lib/first.so\n%s' "$entry" >"$root/etc/ld.so.preload"
    run_make uninstall >"$tmp/log" && fail "uninstall with $entry"
    grep -q 'etc/ld.so.preload' "$tmp/log" || fail "says why: $entry"
    [ -f "$library" ] || fail "the file is still there: $entry"
done
# shellcheck disable=SC2016
for entry in /lib/other.so $libdir/libkeepalive.so.old \
    /opt/lib/libkeepalive.so $libdir/notlibkeepalive.so \
    /usr/lib/x/libkeepalive.so '/usr/$LIB/other/libkeepalive.so' '[*\\x' \
    "# $libdir/libkeepalive.so"; do
    run_make install-library >"$tmp/log"
    echo "$entry" >"$root/etc/ld.so.preload"
    run_make uninstall >"$tmp/log" ||
        fail "uninstall with $entry: $(cat "$tmp/log")"
    [ ! -e "$library" ] || fail "the file is gone: $entry"
done
rm "$root/etc/ld.so.preload"
expect 'uninstall once more is no error' '' "$(run_make uninstall)"
expect 'only directories of the system are left' './etc
./usr
./usr/bin
./usr/lib
./usr/share
./usr/share/doc
./usr/share/man' "$(cd "$root" && find . -mindepth 1 | LC_ALL=C sort)"

# Paths that would make wrong texts are refused before anything is done.
# shellcheck disable=SC2016
for path in '/a&b' '/a\b' "/a'b" '/a|b' '/a:b' '/a b' '/a%b' '/a"b' '/a$$b' \
    relative ''; do
    for dir in prefix libdir zshdir; do
        run_make "$dir=$path" install >"$tmp/log" && fail "$dir=$path is taken"
        grep -qF "$dir=\"" "$tmp/log" || fail "$dir=$path: $(cat "$tmp/log")"
    done
done
run_make BUILD=/a:b >"$tmp/log" && fail 'BUILD=/a:b is taken'
odd=/opt/a,b~c+d@e
run_make prefix=$odd libdir=$odd install >"$tmp/log" || fail "$(cat "$tmp/log")"
expect 'an odd prefix' "$odd/libkeepalive.so" \
    "$(sed -n 's/^Environment=LD_PRELOAD=//p' \
        "$root$odd/share/doc/keepalive/examples/service.conf")"
run_make prefix=$odd libdir=$odd uninstall >"$tmp/log" || fail "$(cat "$tmp/log")"
[ ! -e "$root/opt" ] || fail "an odd prefix: left: $(find "$root/opt")"
expect 'a BUILD that cannot be written' \
    'Nothing can be written to /proc/no; name a place with BUILD=' \
    "$(built_make BUILD=/proc/no | grep BUILD)"
rm -rf "${root:?}"

expect 'default places' '/usr/local/bin/keepalive
/usr/local/lib/libkeepalive.so
/usr/local/lib/systemd/system/chrony.service.d/keepalive.conf
/usr/local/lib/systemd/system/chronyd.service.d/keepalive.conf
/usr/local/share/bash-completion/completions/keepalive
/usr/local/share/fish/vendor_completions.d/keepalive.fish
/usr/local/share/man/man1/keepalive.1
/usr/local/share/man/man7/libkeepalive.7
/usr/local/share/zsh/site-functions/_keepalive' \
    "$(make -s BUILD="$BUILD" -o "$BUILD/how" DESTDIR="$tmp/default" install &&
        cd "$tmp/default" && find . -type f | grep -v /doc/ | sed 's/^.//' |
        LC_ALL=C sort)"

# A library for 32-bit programs in the directory of the same name makes the
# entry one for both. The command looks at its header only.
lib=$tmp/both/usr/lib
built_make prefix="$tmp/both/usr" libdir="$lib/x86_64-linux-gnu/keepalive" \
    DESTDIR= install >"$tmp/log" ||
    fail "install: $(cat "$tmp/log")"
mkdir -p "$lib/i386-linux-gnu/keepalive"
printf '\177ELF\1\1\1%09d\3%c\3%033d' 0 0 0 | tr 0 '\000' \
    >"$lib/i386-linux-gnu/keepalive/libkeepalive.so"
# shellcheck disable=SC2016
expect 'one entry for both classes' \
    "$tmp/both/usr/"'$LIB/keepalive/libkeepalive.so' \
    "$("$tmp/both/usr/bin/keepalive" sh -c 'echo "$LD_PRELOAD"' 2>/dev/null)"

# What makes the packages is named where it is not installed.
while IFS='|' read -r target tools packages; do
    tool=
    for name in $tools; do
        command -v "$name" >/dev/null || tool=${tool:-$name}
    done
    [ -n "$tool" ] || continue
    expect "make $target" "make $target needs $tool; install $packages" \
        "$(run_make "$target" | grep -v '^make.*\*\*\*')"
done <<'END'
deb|dpkg-buildpackage dh|build-essential and debhelper
rpm|rpmbuild|rpm (Fedora: rpm-build)
END
finish
