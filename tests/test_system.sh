#!/bin/sh
# test_system.sh - /etc/ld.so.preload, as the manual has it done
# SPDX-License-Identifier: MIT
#
# The commands are those of the manual's section on the whole machine. They run
# in a mount namespace with an /etc and a /usr of its own. 32-bit programs are
# tested where the compiler makes them; with MULTILIB=1 it has to. Where the
# kernel does not run them qemu-i386 does: it reads the same file.
. tests/common.sh
need_root
in_namespace -m
private_etc
multiarch=$(${CC:-cc} -print-multiarch)
[ -n "$multiarch" ] || skip 'no directory for each architecture here'
private_usr
library=/usr/lib/$multiarch/keepalive/libkeepalive.so
broken=/usr/lib/libbroken.so
narrow=$tmp/narrow loader=/lib/ld-linux.so.2

# The commands, one a line; each stands behind a `#` there.
sed -n '/^\.Ss The whole machine/,/^\.S[hs] [A-Z][A-Z]/p' man/libkeepalive.7 |
    sed -e :join -e '/\\e$/{ N; s/\\e\n *//; b join' -e '}' |
    sed -n 's/^\.Dl # //p; s/^# //p' |
    sed "s/\\\\e/\\\\/g; s/x86_64-linux-gnu/$multiarch/" >"$tmp/commands"

# manual WORDS: runs the command of the manual that begins with these
manual() {
    command=$(grep "^$1" "$tmp/commands")
    expect "the manual has: $1" 1 "$(printf '%s\n' "$command" | grep -c .)"
    eval "$command" >"$tmp/out" 2>&1 ||
        fail "$command: status $?: $(cat "$tmp/out")"
}

# The manual's make is run on what is built. Debian's package that makes
# `gcc -m32` find <asm/...> excludes cross compilers; this is without it.
asm="-idirafter /usr/include/$multiarch"
make() {
    case $* in
    *build32*)
        set -- "$@" BUILD="$tmp/build32" CPPFLAGS="$asm" \
            libdir="/usr/$($emulator "$loader" --list-diagnostics |
                sed -n 's/^dl_dst_lib="\(.*\)"/\1/p')/keepalive"
        ;;
    *) set -- "$@" BUILD="$BUILD" ;;
    esac
    command make -s "$@"
}

first_line() {
    "$@" 2>&1 | head -n 1
}

on='SO_KEEPALIVE is ON'
ignored='cannot be preloaded'

# expect_on LABEL: what holds when it is enabled
expect_on() {
    expect "$1" "$on" "$(first_line "$show")"
    expect "$1: values" '180' "$(KEEPIDLE=180 "$show" 2>&1 |
        sed -n 's/TCP_KEEPIDLE *= //p')"
    expect "$1: off" 'SO_KEEPALIVE is OFF' "$(KEEPALIVE=off "$show" 2>&1)"
    expect "$1: empty environment" "$on" "$(first_line env -i "$show")"
    expect "$1: a shell prints nothing of it" 'hello' \
        "$(sh -c 'echo hello' 2>&1)"
    expect "$1: and LD_PRELOAD as well" "$on" \
        "$(LD_PRELOAD=$LIBKEEPALIVE first_line "$show")"
    # without /proc, in a mount namespace below this one
    # shellcheck disable=SC2016
    expect "$1: no /proc" "$on" \
        "$(unshare -m sh -c 'umount -l /proc; exec "$0" 2>&1' "$show" |
            head -n 1)"
}

# Enable, verify.
manual 'make install'
manual LD_PRELOAD=
expect 'the trial prints nothing' '' "$(cat "$tmp/out")"
manual printf
manual 'grep libkeepalive'
grep -q "$library" "$tmp/out" || fail 'the manual shows it in a program'
expect_on 'by $LIB'

# 32-bit programs, with the same line.
# shellcheck disable=SC2086
if "${CC:-cc}" -m32 $asm -o "$narrow" examples/show.c 2>/dev/null &&
    find_emulator "$narrow"; then
    first_line $emulator "$narrow" | grep -q "$ignored" ||
        fail 'no 32-bit library: says so'
    expect 'no 32-bit library: the program runs' 'SO_KEEPALIVE is OFF' \
        "$($emulator "$narrow" 2>/dev/null)"
    manual "make CC='gcc -m32'"
    expect '32-bit, by the same line' "$on" "$(first_line $emulator "$narrow")"
    expect '64-bit, by the same line' "$on" "$(first_line "$show")"
    echo "$library" >"$preload_file"
    first_line $emulator "$narrow" | grep -q "$ignored" || fail 'wrong class: says so'
    expect 'wrong class: the program runs' 'SO_KEEPALIVE is OFF' \
        "$($emulator "$narrow" 2>/dev/null)"
elif [ -n "${MULTILIB-}" ]; then
    skip 'no 32-bit compiler, or neither the kernel nor qemu-i386 runs it'
fi

echo "$library" >"$preload_file"
expect_on 'by its path'

# Broken entries: a file that is missing, of another class, or that ends before
# its headers do is a message, here of each tool of the script as well; the
# program runs without it.
exec 3>&2 2>/dev/null
echo "/usr/lib/nothing.so:$library" >"$preload_file"
first_line "$show" | grep -q "$ignored" || fail 'missing file beside: says so'
expect 'missing file beside it' "$on" "$("$show" 2>/dev/null | head -n 1)"

broken_entry() {
    echo "$broken" >"$preload_file"
    first_line "$show" | grep -q "$ignored" || fail "$1: the loader says so"
    expect "$1: the program runs" 'SO_KEEPALIVE is OFF' \
        "$("$show" 2>/dev/null)"
}
broken_entry 'missing file'
for size in 0 10 64; do
    rm -f "$broken"
    head -c "$size" "$library" >"$broken"
    broken_entry "file of $size bytes"
done
class=$(od -An -tu1 -j4 -N1 "$library")
{
    head -c 4 "$library"
    # shellcheck disable=SC2059
    printf "\\00$((3 - class))"
    tail -c +6 "$library"
} >"$broken.new"
mv "$broken.new" "$broken"
broken_entry 'wrong class'

# One that ends within what is mapped ends every program. Up to the recovery
# only the shell's own commands are left.
head -c 2000 "$library" >"$broken.new"
mv "$broken.new" "$broken"
echo "$broken" >"$preload_file"
dead=no runs=no
/bin/true 2>/dev/null || dead=yes
while read -r command; do
    case $command in
    ': '*) eval "$command" ;;
    esac
done <"$tmp/commands"
/bin/true && runs=yes
exec 2>&3 3>&-
expect 'truncated file: no program starts' yes "$dead"
expect 'recovered by the shell alone' yes "$runs"
expect 'and the file is empty' '' "$(cat "$preload_file")"

# Which entries are this library's, and which those of another copy above it
# shellcheck disable=SC2016
for entry in '/usr/$LIB/keepalive/libkeepalive.so' "$library" \
    '/lib${LIB}/libkeepalive.so' '/usr/$LIB/libkeepalive.so' \
    '/usr/$PLATFORM/keepalive/libkeepalive.so'; do
    case $entry in
    *'$LIB/keepalive/'* | "$library") left= ;;
    *) left=$entry ;;
    esac
    echo "$entry" >"$preload_file"
    /usr/bin/keepalive --global off >"$tmp/out" 2>&1
    expect "off, with $entry" "$left" "$(cat "$preload_file" 2>/dev/null)"
done

# Remove.
manual printf
make uninstall prefix=/usr libdir="${library%/*}" >"$tmp/out" 2>&1 &&
    fail 'uninstall stops while the line is there'
manual 'sed -i'
expect 'the line is gone' '' "$(cat "$preload_file")"
expect 'a program started now' 'SO_KEEPALIVE is OFF' "$("$show" 2>&1)"
manual 'make uninstall'
expect 'the file is gone' '' "$(ls "$library" 2>/dev/null)"
expect 'the shell starts programs and prints nothing' '' "$(sh -c true 2>&1)"

# The HOWTO's own way: the loader finds the library by its bare name. ldconfig
# has a cache in /etc, and one of its own.
rm -f "$preload_file" "$broken"
if [ -d /var/cache/ldconfig ]; then
    mount -t tmpfs none /var/cache/ldconfig || skip 'no private /var/cache'
    at_exit="umount -l /var/cache/ldconfig; $at_exit"
fi
bare_name() { (cd / && LD_PRELOAD=libkeepalive.so first_line "$show"); }
case $(bare_name) in
*"$ignored"*) other= ;;
*) other=yes ;;
esac
if [ -n "$other" ]; then
    leave_out 'another libkeepalive.so is installed'
elif PATH=$PATH:/sbin:/usr/sbin ldconfig -N -X -v 2>/dev/null |
    grep -q ^/usr/local/lib:; then
    for target in install install-library; do
        command make -s BUILD="$tmp/build" $target || fail "make $target"
        expect "make $target: by its bare name" "$on" "$(bare_name)"
        command make -s BUILD="$tmp/build" uninstall || fail 'make uninstall'
        case $(bare_name) in
        *"$ignored"*) ;;
        *) fail "make uninstall: by its bare name: $(bare_name)" ;;
        esac
        PATH=$PATH:/sbin:/usr/sbin ldconfig -p | grep libkeepalive.so &&
            fail 'make uninstall: the cache still has it'
    done
else
    leave_out 'ldconfig does not look into /usr/local/lib here'
fi
finish
