#!/bin/sh
# clean.sh - README's commands on minimal Debian systems: clean.sh SUITE...
# SPDX-License-Identifier: MIT
#
# Five times on each system: word for word as root in namespaces, as a container
# has them, with CI set, so that no test may be skipped; with the capabilities
# that Docker gives by default; in a plain chroot, whose mounts keep their
# propagation; then `make check` as an ordinary user, in the namespaces and in
# the chroot, where that user can make none. Prints a table. Needs root and
# debootstrap; the packages come from the mirror of this machine's apt. The
# systems are made once and kept below $BUILD/clean with the packages that they
# fetched. What a run changes lies in memory and in a mount namespace of its own,
# gone however the script ends.
set -u
BUILD=${BUILD:-$PWD/build}
stop() {
    echo "clean.sh: $*"
    exit 1
}
[ $# != 0 ] || stop 'usage: clean.sh SUITE...'
[ "$(id -u)" = 0 ] || stop 'needs root'
command -v debootstrap >/dev/null || stop 'no debootstrap on this machine'
if [ "${INSIDE-}" != "$(readlink /proc/self/ns/mnt)" ]; then
    # shellcheck disable=SC2016
    exec unshare -m -p -f --kill-child --mount-proc --propagation private \
        sh -c 'INSIDE=$(readlink /proc/self/ns/mnt) exec sh "$@"' sh "$0" "$@"
fi

tree=$PWD here=$BUILD/clean
. tests/system.sh
[ -n "$mirror" ] || stop 'this machine has no Debian mirror'
demo=$(sed -n 's/^    \(.*make demo\)$/\1/p' README)
check=$(sed -n 's/^    \(apt-get update && .*make check\)$/\1/p' README)
[ -n "$demo" ] || stop 'README has no command with make demo'
[ -n "$check" ] || stop 'README has no command with make check'
mkdir -p "$here" || exit 1

# Sets $root: the system with a layer in memory above it. It is no mount itself,
# as in most chroots.
open_system() {
    root=/mnt/root/$1
    mkdir -p "$here/$1.debs/partial"
    mount -t tmpfs -o mode=755 clean /mnt &&
        mkdir /mnt/new /mnt/work /mnt/root &&
        mount -t overlay overlay /mnt/root \
            -o "lowerdir=$here,upperdir=/mnt/new,workdir=/mnt/work" &&
        mount --rbind /dev "$root/dev" &&
        mount --rbind /sys "$root/sys" &&
        mount -t proc proc "$root/proc" &&
        mount --bind "$here/$1.debs" "$root/var/cache/apt/archives" || return
    cp -L /etc/resolv.conf "$root/etc/resolv.conf"
    mkdir -p "$root/root/libkeepalive"
    chmod 700 "$root/root"
    tar -C "$tree" --exclude=./build --exclude=./.git -cf - . |
        tar -C "$root/root/libkeepalive" -xf -
}

close_system() {
    umount -R -l /mnt
}

path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# in_container COMMAND: in namespaces, with $root as its root directory. Not by
# chroot(2), after which no user namespace can be made.
in_container() {
    # shellcheck disable=SC2016
    unshare -m -p -i -u -f --kill-child --propagation private sh -c '
        mount --bind "$1" "$1" && cd "$1" && mount -t proc proc proc &&
            mount --rbind /dev dev && mount --rbind /sys sys &&
            mount --bind "$2" var/cache/apt/archives &&
            pivot_root . mnt && cd / && umount -l /mnt || exit 125
        exec env -i HOME=/root LC_ALL=C.UTF-8 PATH="$3" \
            DEBIAN_FRONTEND=noninteractive sh -c "$4"' \
        sh "$root" "$here/$suite.debs" "$path" "$1" </dev/null
}

# in_docker COMMAND: with the capabilities that docker run leaves to root
in_docker() {
    in_container "exec setpriv --bounding-set=-all,+chown,+dac_override,+fsetid,\
+fowner,+mknod,+net_raw,+setgid,+setuid,+setfcap,+setpcap,+net_bind_service,\
+sys_chroot,+kill,+audit_write sh -c '$1'"
}

# in_chroot COMMAND
in_chroot() {
    chroot "$root" env -i HOME=/root LC_ALL=C.UTF-8 PATH="$path" \
        DEBIAN_FRONTEND=noninteractive sh -c "$1" </dev/null
}

row() {
    printf '%-9s %-6s %-14s %-11s %7s %7s %7s %8s\n' "$@"
}

failures=0
# trial WHO COMMAND...: runs it, prints a row, and what was skipped or failed
trial() {
    who=$1
    shift
    log=$here/$suite-$who.log
    begin=$(date +%s)
    "$@" >"$log" 2>&1
    status=$?
    # shellcheck disable=SC2046
    set -- $(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed\(, \([0-9]*\).*\)\{0,1\}$/\1 \2 \4/p' \
        "$log" | tail -n 1)
    row "$suite" "$glibc" "$compiler" "$who" "${1--}" "${2--}" "${3-0}" \
        "$(($(date +%s) - begin))"
    if [ $status != 0 ] || [ "${2-}" != 0 ]; then
        failures=$((failures + 1))
        grep -qE '^FAILED' "$log" || tail -n 20 "$log"
    fi
    awk '/^(passed|skipped|FAILED)/ { show = !/^passed/ }
        show && !/^[0-9]+ passed/ { print "    " $0 }' "$log"
}

row suite glibc compiler who passed failed skipped seconds
for suite; do
    if ! make_system "$suite" || ! open_system "$suite"; then
        echo "$suite: no system"
        failures=$((failures + 1))
        close_system 2>/dev/null
        continue
    fi
    glibc=$(in_chroot 'dpkg-query -W -f "\${Version}" libc6' | sed 's/-.*//')
    compiler=-
    if ! in_container "cd /root/libkeepalive && $demo" \
        >"$here/$suite-demo.log" 2>&1 ||
        ! grep -qx 'TCP_KEEPIDLE  = 180' "$here/$suite-demo.log"; then
        echo "$suite: $demo"
        tail -n 20 "$here/$suite-demo.log"
        failures=$((failures + 1))
    fi
    compiler="gcc $(in_chroot 'gcc -dumpfullversion')"
    trial root in_container "cd /root/libkeepalive && export CI=true && $check"
    trial docker in_docker "cd /root/libkeepalive && $check"
    trial root-chroot in_chroot "cd /root/libkeepalive && $check"
    in_chroot 'useradd -m tester && cp -R /root/libkeepalive /home/tester &&
        rm -rf /home/tester/libkeepalive/build &&
        chown -R tester: /home/tester' || exit 1
    user='cd /home/tester/libkeepalive && exec setpriv --reuid=tester \
        --regid=tester --init-groups env HOME=/home/tester make check'
    trial user in_container "$user"
    trial user-chroot in_chroot "$user"
    close_system || exit 1
done
[ "$failures" = 0 ]
