# common.sh - what the test scripts share; read with `.`
# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# Sets LIBKEEPALIVE and BUILD where make did not, and makes $tmp, a directory
# that is removed at the end, however the script ends.
set -u
BUILD=${BUILD:-$PWD/build}
LIBKEEPALIVE=${LIBKEEPALIVE:-$BUILD/libkeepalive.so}
COMMAND=${COMMAND:-$BUILD/keepalive}
export BUILD LIBKEEPALIVE COMMAND
# shellcheck disable=SC2034 # the scripts use them
probe=$BUILD/tests/probe show=$BUILD/examples/show
unset LD_PRELOAD
for variable in $("$probe" variables); do unset "$variable"; done
# What a script builds by itself inherits nothing of the make that runs it.
unset MAKEFLAGS MAKEOVERRIDES MFLAGS MAKELEVEL

tmp=$(mktemp -d) || exit 1
chmod 755 "$tmp"
at_exit=: # commands that undo what the script has done besides
clean_up() {
    status=$?
    trap '' HUP INT PIPE TERM
    eval "$at_exit"
    # What loaders say, in the script's own tools, of a file that is broken on
    # purpose; see private_etc.
    [ ! -e "$tmp/stderr" ] || grep -v '^ERROR: ld.so: object' "$tmp/stderr"
    rm -rf "$tmp"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 1' HUP INT PIPE TERM

skip() {
    echo "skipped: $*"
    exit 77
}

# leave_out REASON...: skips one part; the script goes on, and `finish` tells
# that not all of it was tried.
left_out=0
leave_out() {
    echo "skipped: $*"
    left_out=1
}

failures=0
fail() {
    echo "not so: $*"
    failures=$((failures + 1))
}

# expect LABEL EXPECTED ACTUAL
expect() {
    [ "$2" = "$3" ] && return
    fail "$1"
    printf 'expected: %s\nbut it is: %s\n' "$2" "$3"
}

# The last line of a script: finish
finish() {
    [ "$failures" = 0 ] || exit 1
    [ "$left_out" = 0 ] || exit 77
}

need() {
    for tool; do
        command -v "$tool" >/dev/null || skip "no $tool on this machine"
    done
}

need_strace() {
    need strace
    strace -o /dev/null true 2>/dev/null || skip 'strace may not trace here'
}

# can_unshare FLAGS...: whether namespaces can be made, by flags of unshare(1);
# if not, $why holds what it said. A container has no permission for it, and in
# a chroot the propagation of mounts cannot be changed.
can_unshare() {
    command -v unshare >/dev/null || {
        why='no unshare on this machine'
        return 1
    }
    why=$(unshare "$@" true 2>&1) && return
    why="unshare $*: $(echo "${why#unshare: }" | head -n 1)"
    return 1
}

# wait_until COMMAND...: repeats it until it succeeds; false after a minute, or
# longer on a busy machine.
wait_until() {
    tries=600
    while ! "$@"; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        sleep 0.1
    done
}

# remove_group CGROUP: and those below it, with the processes in them
remove_group() {
    for _ in $(seq 100); do
        [ -d "$1" ] || break
        # A process of another pid namespace is 0, which kill takes for its own.
        # shellcheck disable=SC2046
        kill -9 $(find "$1" -name cgroup.procs -exec cat {} + 2>/dev/null |
            grep -vx 0) 2>/dev/null
        find "$1" -depth -type d -exec rmdir {} \; 2>/dev/null
        [ ! -d "$1" ] || sleep 0.1
    done
}

# The name of a script's own cgroup has the number of its process and that of the
# pid namespace in which this is a number.
group_name=keepalive-test-$(readlink /proc/self/ns/pid | tr -dc 0-9)-$$
# remove_dead_groups PARENT: what was left by scripts that were killed
remove_dead_groups() {
    for group in "$1/${group_name%-*}"-*; do
        [ -e "/proc/${group##*-}" ] || remove_group "$group"
    done
}

# Sets $emulator to what a 32-bit program of this machine needs to run: nothing,
# where the kernel can, else qemu-i386. That may have the library, too: it is off
# there, and not in what it runs. False if there is neither. $1 is one.
find_emulator() {
    emulator=
    [ -n "${EMULATE-}" ] || ! "$1" >/dev/null 2>&1 || return 0
    command -v qemu-i386 >/dev/null || return
    emulator='env KEEPALIVE=off qemu-i386 -U KEEPALIVE'
    $emulator "$1" >/dev/null 2>&1
}

# Root of a container or a user namespace may have one user id only.
need_root() {
    [ "$(id -u)" = 0 ] || skip 'needs root'
    need setpriv
    setpriv --reuid=65534 --regid=65534 --clear-groups true 2>/dev/null ||
        skip 'root cannot become another user here'
}

own_mounts() {
    case ${IN_NAMESPACE-} in
    "$(readlink /proc/self/ns/mnt)") ;;
    'mnt:['*) return 0 ;;
    esac
    echo 'no mount namespace of its own; nothing was done'
    return 1
}

# Goes on in namespaces of its own (flags of unshare(1)) or skips. Mounts and
# networks that are made there die with the script.
in_namespace() {
    mounts=$(readlink /proc/self/ns/mnt)
    if [ -n "${IN_NAMESPACE-}" ]; then
        # It holds the mount namespace outside: never take that for our own.
        case " $* " in
        *' -m '*) own_mounts || exit 1 ;;
        esac
        return 0
    fi
    flags=$*
    [ "$(id -u)" = 0 ] || flags="-Ur $flags"
    # shellcheck disable=SC2086
    can_unshare $flags || skip "$why"
    rm -rf "$tmp"
    # `unshare -f` of util-linux 2.36 leaves these ignored in what it starts, and
    # a shell cannot undo that.
    signals='env --default-signal=INT,TERM'
    $signals true 2>/dev/null || signals=
    # shellcheck disable=SC2086
    IN_NAMESPACE=$mounts exec unshare $flags $signals sh "$0"
}

# Puts a private copy over /etc, so that /etc/ld.so.preload can be written. Only
# behind `in_namespace -m`. $preload_file is its name; a script that writes to
# it by that name cannot hit the machine's own: the variable is not set before.
private_etc() {
    own_mounts || exit 1
    cp -a /etc "$tmp/etc"
    if ! mount --make-rprivate / || ! mount --bind "$tmp/etc" /etc; then
        skip 'no private /etc'
    fi
    exec 2>"$tmp/stderr" # shown at the end
    preload_file=/etc/ld.so.preload
    rm -f "$preload_file"
    at_exit='umount -l /etc'
}

# private_usr: the same for /usr, behind private_etc
private_usr() {
    mkdir "$tmp/usr"
    at_exit="umount -l /usr '$tmp/usr' /etc 2>/dev/null"
    if ! mount -t tmpfs none "$tmp/usr" || ! mkdir "$tmp/usr/new" "$tmp/usr/work" ||
        ! mount -t overlay none /usr \
            -o "lowerdir=/usr,upperdir=$tmp/usr/new,workdir=$tmp/usr/work"; then
        skip 'no private /usr'
    fi
}

# nginx_http: the first lines of http { } in a configuration of nginx that
# writes to $tmp only
nginx_http() {
    echo 'access_log off;'
    for module in client_body proxy fastcgi uwsgi scgi; do
        echo "${module}_temp_path $tmp/$module;"
    done
}
