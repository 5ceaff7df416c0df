#!/bin/sh
# long_kernels.sh - the library and the command on other kernels
# SPDX-License-Identifier: MIT
#
# Debian's user-mode-linux, a kernel that is a program, of several releases, and
# gVisor. Each runs with the C library of its own release, and has the files of
# this machine: what is tested is what was built here, by tests/kernel.sh. The
# packages come from the mirror of this machine's apt; they are unpacked below
# $BUILD/kernels, not installed, and kept. KERNELS names those to run.
. tests/common.sh
need_root
in_namespace -m -p -f --kill-child --mount-proc
need apt-get dpkg-deb chroot timeout python3 ip setcap
. tests/system.sh
here=$BUILD/kernels started='' missing=''

# fetch NAME SUITE PACKAGE...: unpacks them into $here/NAME
fetch() {
    root=$here/$1 suite=$2
    shift 2
    [ ! -d "$root" ] || return 0
    rm -rf "${root:?}.new"
    mkdir -p "$root.new/debs" "$root.new/usr/lib" "$root.new/usr/lib64" \
        "$root.new/host" "$root.new/proc" "$root.new/tmp" &&
        ln -s usr/lib usr/lib64 "$root.new" &&
        apt_of "$suite" update &&
        (cd "$root.new/debs" && apt_of "$suite" download "$@") || return
    for package in "$root.new"/debs/*.deb; do
        dpkg-deb --fsys-tarfile "$package" |
            tar -x --keep-directory-symlink --no-same-owner -C "$root.new" ||
            return
    done
    rm -rf "${root:?}.new/debs"
    find "$root.new/usr/lib" -name '*.ko' ! -name ipv6.ko ! -name crc-ccitt.ko \
        -delete
    mv "$root.new" "$root"
}

# What the kernels run: a program that connects, and an installation
prepare() {
    mkdir -p "$here" &&
        ${CC:-cc} -static -std=c11 -D_GNU_SOURCE -Iinclude -o "$here/traffic" \
            tests/traffic.c &&
        make -s BUILD="$here/build" prefix=/run/keepalive \
            DESTDIR="$here/installed" install
}

# boot SUITE CGROUP THREADS
boot() {
    modules=$(find "$here/$1/usr/lib/uml" -name crc-ccitt.ko -o -name ipv6.ko |
        sort | paste -s -d ,)
    # shellcheck disable=SC2016
    timeout -k 10 600 unshare -m sh -c '
        mount --rbind / "$1/host" && mount -t proc proc "$1/proc" &&
            mount -t tmpfs tmpfs "$1/tmp" || exit
        shift
        exec chroot "$@"' sh "$here/$1" "$here/$1" /usr/bin/linux.uml \
        rootfstype=hostfs rootflags=/host ro mem=256M con=null con0=fd:0,fd:1 \
        quiet loglevel=0 uml_dir=/tmp TREE="$PWD" BUILD="$BUILD" \
        COMMAND="$COMMAND" LIBKEEPALIVE="$LIBKEEPALIVE" \
        TRAFFIC="$here/traffic" INSTALLED="$here/installed" CGROUP="$2" \
        THREADS="$3" MODULES="$modules" init=/bin/sh -- "$PWD/tests/kernel.sh" \
        </dev/null
}

# gVisor runs one program, and whatever that starts.
visor() {
    timeout -k 10 600 "$here/gvisor/usr/bin/runsc" --root="$tmp/runsc" \
        --network=none --ignore-cgroups --platform=ptrace "do" env TREE="$PWD" \
        BUILD="$BUILD" COMMAND="$COMMAND" LIBKEEPALIVE="$LIBKEEPALIVE" \
        sh "$PWD/tests/kernel.sh" gvisor
}

prepare >"$tmp/log" 2>&1 || fail "$(cat "$tmp/log")"
# The kernel; whether --cgroup works without --force, from Linux 6.1 on; whether
# a pidfd can be that of a thread, from 6.9 on.
while read -r name cgroup threads; do
    case " ${KERNELS-$name} " in
    *" $name "*) ;;
    *) continue ;;
    esac
    case $name in
    gvisor) set -- trixie runsc ;;
    *) set -- "$name" user-mode-linux libc6 ;;
    esac
    started="$started $name"
    if ! fetch "$name" "$@" >"$tmp/$name" 2>&1; then
        continue
    elif [ "$name" = gvisor ]; then
        visor >"$tmp/$name" 2>&1 &
    else
        boot "$name" "$cgroup" "$threads" >"$tmp/$name" 2>&1 &
    fi
done <<'END'
bullseye no no
bookworm yes no
trixie yes yes
sid yes yes
gvisor - -
END
wait
for name in $started; do
    tr -d '\r' <"$tmp/$name" | sed -n '/^Linux /,/^done/p' >"$tmp/log"
    if [ ! -s "$tmp/log" ]; then
        missing="$missing $name"
        tail -n 20 "$tmp/$name" >"$tmp/log"
    elif [ "$(tail -n 1 "$tmp/log")" != 'done, status 0' ]; then
        fail "$name"
    fi
    sed "s/^/$name: /" "$tmp/log"
done
[ -z "$missing" ] || {
    finish
    skip "not to be had here:$missing"
}
finish
