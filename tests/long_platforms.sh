#!/bin/sh
# long_platforms.sh - other classes, C libraries and releases
# SPDX-License-Identifier: MIT
#
# Builds for i386, musl, aarch64, MIPS, where the kernel's sets of signals are
# longer, and Alpha, where the C library has another name; and the old and the
# newest Debian. The packages of the latter come from the mirror that this
# machine's apt uses and are kept below $BUILD; the systems are unpacked, not
# installed, and gone at the end.
. tests/common.sh
in_namespace -m
need apt-get dpkg-deb chroot tar python3
. tests/system.sh
. tests/processes.sh
missing=

on='SO_KEEPALIVE is ON
TCP_KEEPCNT   = 20
TCP_KEEPIDLE  = 180
TCP_KEEPINTVL = 60'
export KEEPCNT=20 KEEPIDLE=180 KEEPINTVL=60

# elf LABEL LIBRARY
elf() {
    sh tests/test_elf.sh "$2" >"$tmp/log" 2>&1 ||
        fail "$1: ELF gate: $(cat "$tmp/log")"
}

# build LABEL CC [CPPFLAGS]: all and the example, in $tmp/LABEL
build() {
    command -v "${2%% *}" >/dev/null || return
    make -s BUILD="$tmp/$1" CC="$2" CPPFLAGS="${3-}" all \
        "$tmp/$1/examples/show" >"$tmp/log" 2>&1
    expect "$1: the build prints nothing" '' "$(cat "$tmp/log")"
    [ -e "$tmp/$1/libkeepalive.so" ]
}

# same_table DIRECTORY: its command shows what ours does; a list of descriptors
# is read in the kernel's own form.
start python3 -c 'import socket, time
kept = socket.create_server(("127.0.0.1", 0))
print("ready", flush=True)
time.sleep(100000)'
same_table() {
    expect "$1: -p" "$("$COMMAND" -p "$pid")" \
        "$(timeout 60 "$tmp/$1/keepalive" -p "$pid" 2>&1)"
}

asm="-idirafter /usr/include/$(${CC:-cc} -print-multiarch)"
if build i386 'gcc -m32' "$asm"; then
    elf i386 "$tmp/i386/libkeepalive.so"
    ! "$tmp/i386/keepalive" -V >/dev/null 2>&1 || same_table i386
    expect 'i386' "$on" \
        "$(LD_PRELOAD=$tmp/i386/libkeepalive.so "$tmp/i386/examples/show" 2>&1)"
    {
        make -s BUILD="$tmp/i386" CC='gcc -m32' CPPFLAGS="$asm" \
            "$tmp/i386/tests/probe" "$tmp/i386/tests/early.so" \
            "$tmp/i386/tests/refuse.so" &&
            BUILD=$tmp/i386 LIBKEEPALIVE=$tmp/i386/libkeepalive.so \
                CC="gcc -m32 $asm" sh tests/test_early.sh
    } >"$tmp/log" 2>&1 ||
        fail "test_early.sh with 32-bit programs: $(cat "$tmp/log")"
    # all of it, with both classes behind one line
    MULTILIB=1 IN_NAMESPACE='' sh tests/test_system.sh >"$tmp/log" 2>&1 ||
        fail "test_system.sh with 32-bit programs: $(cat "$tmp/log")"
else
    missing="$missing i386"
fi

# A compiler for musl does not see the kernel's headers by itself.
no_cgroup="keepalive: --cgroup was left out of this build, whose kernel headers \
are older than Linux 5.6 or missing
status 125"
# The status is that of --cgroup, which needs no root to say this.
cgroup_of() { "$1/keepalive" --cgroup /no 2>&1; echo "status $?"; }
mkdir -p "$tmp/old/linux"
echo '#define BPF_F_QUERY_EFFECTIVE 1' >"$tmp/old/linux/bpf.h"
build old "${CC:-cc}" "-I$tmp/old" || fail 'no build with old headers'
expect 'old kernel headers' "$no_cgroup" "$(cgroup_of "$tmp/old")"

if build musl musl-gcc "$asm -idirafter /usr/include"; then
    [ "$(cgroup_of "$tmp/musl")" != "$no_cgroup" ] ||
        fail 'musl: --cgroup was left out'
    same_table musl
    for library in "$tmp/musl/libkeepalive.so" "$LIBKEEPALIVE"; do
        expect "a program of musl with $library" "$on" \
            "$(LD_PRELOAD=$library "$tmp/musl/examples/show" 2>&1)"
    done
else
    missing="$missing musl"
fi

# A bad value, too: a report takes more than the rest of the library
for target in aarch64-linux-gnu mips64el-linux-gnuabi64 alpha-linux-gnu; do
    machine=${target%%-*}
    if build "$machine" "$target-gcc" &&
        command -v "qemu-$machine" >/dev/null; then
        elf "$machine" "$tmp/$machine/libkeepalive.so"
        run="qemu-$machine -L /usr/$target"
        expect "$machine, without" 'SO_KEEPALIVE is OFF' \
            "$($run "$tmp/$machine/examples/show" 2>&1)"
        expect "$machine" "libkeepalive: KEEPTIMEOUT: '?' is not a whole number \
of seconds from 0 to 2147483 (5m is 300); using none
$on" "$($run -E LD_PRELOAD="$tmp/$machine/libkeepalive.so" \
            -E KEEPTIMEOUT='?' "$tmp/$machine/examples/show" 2>&1)"
    else
        missing="$missing $machine"
    fi
done

# unpack SUITE: what it takes to build and to run the example, below $root
unpack() {
    cache=$BUILD/debian/$1 root=$tmp/$1
    [ -n "$mirror" ] || return
    mkdir -p "$root/usr"
    { apt_of "$1" update && apt_of "$1" autoclean &&
        apt_of "$1" install --download-only gcc libc6-dev make dash \
            coreutils; } >"$tmp/log" 2>&1 || return
    for directory in bin sbin lib lib32 lib64; do
        mkdir "$root/usr/$directory"
        ln -s "usr/$directory" "$root/$directory"
    done
    for package in "$cache"/debs/*.deb; do
        dpkg-deb --fsys-tarfile "$package" |
            tar -x --keep-directory-symlink --no-same-owner -C "$root" ||
            return
    done
    [ -e "$root/bin/sh" ] || ln -s dash "$root/bin/sh"
    mkdir -p "$root/dev" "$root/tmp" "$root/etc"
    : >"$root/dev/null"
    mount --bind /dev/null "$root/dev/null"
    at_exit="umount -l '$root/dev/null'; $at_exit"
    cp -R Makefile src include examples tests "$root/tmp"
    cp "$LIBKEEPALIVE" "$root/tmp/here.so"
}

# inside COMMAND...: runs it in the system below $root
inside() {
    chroot "$root" "$@" 2>&1
}

for suite in bullseye sid; do
    unpack $suite || {
        cat "$tmp/log"
        missing="$missing Debian-$suite"
        continue
    }
    # A program without libdl, which is what dlsym() lies in before glibc 2.34,
    # and one with it.
    inside make -s -C /tmp CC=gcc build/libkeepalive.so build/examples/show \
        >"$tmp/log"
    expect "$suite: the build prints nothing" '' "$(cat "$tmp/log")"
    inside gcc -Wl,--no-as-needed -o /tmp/show-dl /tmp/examples/show.c -ldl
    for library in build/libkeepalive.so here.so; do
        for program in build/examples/show show-dl; do
            expect "$suite: $program with $library" "$on" \
                "$(inside env LD_PRELOAD=/tmp/$library /tmp/$program)"
        done
        echo "/tmp/$library" >"$root/etc/ld.so.preload"
        expect "$suite: a shell prints nothing of $library" hello \
            "$(inside sh -c 'echo hello')"
        rm "$root/etc/ld.so.preload"
    done
    elf "$suite" "$root/tmp/build/libkeepalive.so"
    expect "the library of $suite works here" "$on" \
        "$(LD_PRELOAD=$root/tmp/build/libkeepalive.so "$show" 2>&1)"
    echo "$suite: glibc $(basename "$cache"/debs/libc6_*.deb .deb)"
done

[ -z "$missing" ] || {
    finish
    skip "not to be had here:$missing"
}
finish
