#!/bin/sh
# long_packages.sh - the packages, built and used as an administrator would
# SPDX-License-Identifier: MIT
#
# For each release: `make deb` and `make rpm` in a clean system, twice, and what
# lintian, rpmlint and hardening-check say; then, in another clean system, a
# client with keepalive, the whole machine, upgrades, removal and purge, while
# programs are being started; the same by `make install`. The systems lie in
# memory above ones that are kept below $BUILD.
. tests/common.sh
[ "$(id -u)" = 0 ] || skip 'needs root'
in_namespace -m -p -f --kill-child=TERM --mount-proc
need debootstrap apt-get chroot ip
SUITES=${SUITES:-bookworm sid}
STARTS=${STARTS:-500}
version=$(sed -n 's/^VERSION = //p' Makefile)
mount --make-rprivate / || skip 'no private mounts'
. tests/system.sh
[ -n "$mirror" ] || skip 'no Debian mirror is known to apt here'
mount -t tmpfs none "$tmp" || skip 'no file system in memory'
at_exit="umount -R -l '$tmp'"

# inside ROOT COMMAND...: in a system, with an environment of its own
inside() {
    (
        root=$1
        shift
        exec chroot "$root" env -i LC_ALL=C HOME=/root \
            PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive \
            "$@"
    ) </dev/null 2>&1
}

# logged WHAT COMMAND...: its output is shown only where it fails
logged() {
    what=$1
    shift
    "$@" >"$tmp/log" 2>&1 && return
    fail "$what: $(tail -n 40 "$tmp/log")"
    return 1
}

# system NAME BASE: a system at $tmp/NAME whose changes to BASE are not kept
system() {
    mkdir -p "$tmp/$1" "$tmp/.$1/new" "$tmp/.$1/work" &&
        mount -t overlay none "$tmp/$1" \
            -o "lowerdir=$2,upperdir=$tmp/.$1/new,workdir=$tmp/.$1/work" &&
        prepare "$tmp/$1"
}
prepare() {
    mount -t proc none "$1/proc" && mount --rbind /dev "$1/dev" &&
        cp -L /etc/resolv.conf "$1/etc/resolv.conf" &&
        printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d" &&
        chmod 755 "$1/usr/sbin/policy-rc.d"
}

# On x86-64: the 32-bit C library, and more packages.
add_narrow() {
    narrowed=$1
    shift
    [ "$(inside "$narrowed" dpkg --print-architecture)" = amd64 ] || return 0
    inside "$narrowed" dpkg --add-architecture i386 &&
        inside "$narrowed" apt-get -qy update &&
        inside "$narrowed" apt-get -qy install --no-install-recommends libc6:i386 "$@"
}

# base SUITE: a minimal system, and one with what it takes to build packages
base() {
    clean=$systems/$1 tools=$systems/$1-packages
    make_system "$1" || return
    [ ! -d "$tools" ] || return 0
    rm -rf "$tools.new"
    cp -a "$clean" "$tools.new" && prepare "$tools.new" &&
        inside "$tools.new" apt-get -qy update &&
        inside "$tools.new" apt-get -qy install --no-install-recommends \
            build-essential debhelper devscripts lintian rpm rpmlint &&
        add_narrow "$tools.new" \
            gcc-i686-linux-gnu libc6-dev-i386-cross &&
        umount -R -l "$tools.new/proc" "$tools.new/dev" &&
        mv "$tools.new" "$tools"
}

# build DIRECTORY VERSION: packages of that version, in the system for it
build() {
    mkdir -p "$builder$1"
    tar -xzf "$tmp/dist/libkeepalive-$version.tar.gz" -C "$builder$1" \
        --strip-components=1
    touch -r "$builder$1/Makefile" "$tmp/released"
    sed -i "s/^VERSION = .*/VERSION = $2/" "$builder$1/Makefile"
    [ "$2" = "$version" ] || # its first version, or dpkg warns
        sed -i "1s/(.*-/($2-/; 2,\${ /^keepalive (/,\$d }" \
            "$builder$1/examples/packaging/debian/changelog"
    sed -i "s/^\(Version: *\).*/\1$2/" "$builder$1/examples/packaging/keepalive.spec"
    touch -r "$tmp/released" "$builder$1/Makefile" # the date of the next tarball
    logged "$suite: make deb" inside "$builder" env "$3" make -C "$1" deb || return
    grep -i warning "$tmp/log" && fail "$suite: make deb: warnings"
    logged "$suite: make rpm" inside "$builder" env "$3" make -C "$1" rpm
}

build_narrow() {
    logged "$suite: the library for 32-bit programs" inside "$builder" env \
        DEB_BUILD_PROFILES='nocheck cross' DEB_BUILD_OPTIONS=nocheck \
        sh -c "cd /root/new/build/packaging/deb/keepalive-$version &&
            dpkg-buildpackage -us -uc -b -d -ai386"
    cp "$builder"/root/new/build/packaging/deb/libkeepalive_*_i386.deb \
        "$user/tmp/$version"
}

# What the linters say, and whether two builds are the same.
judge() {
    for package in "$builder"/root/new/build/*.deb \
        "$builder"/root/new/build/*.rpm; do
        cmp "$package" "$builder/srv/a/longer/path/build/${package##*/}" ||
            fail "$suite: two builds of ${package##*/}"
    done
    # with those for debuggers
    expect "$suite: the packages that make deb leaves in build/" \
        'keepalive keepalive-dbgsym libkeepalive libkeepalive-dbgsym' \
        "$(cd "$builder/root/new/build" && echo ./*.deb | tr ' ' '\n' |
            sed 's,^\./,,; s/_.*//' | sort | xargs)"
    # chrony's drop-ins have no script for other inits; that is chrony's. Newer
    # releases do not have this tag, and would refuse an override of it.
    no_script='package-supports-alternative-init-but-no-init.d-script'
    # Other releases differ on style; only what they call a fault counts.
    level='^[EW]: '
    [ "$suite" != bookworm ] || level='^[EWIPX]: '
    expect "$suite: lintian" '' \
        "$(inside "$builder" sh -c 'lintian -EviIL +pedantic --allow-root \
            /root/new/build/packaging/deb/*.changes ||
            echo "E: status $?"' | grep "$level" | grep -v "$no_script")"
    inside "$builder" sh -c 'cd /root/new && rpmlint \
        -r examples/packaging/keepalive.rpmlintrc \
        build/*keepalive-[0-9]*.rpm examples/packaging/keepalive.spec' >"$tmp/log"
    grep -q '^ *2 packages and 1 specfiles checked' "$tmp/log" ||
        fail "$suite: rpmlint: $(cat "$tmp/log")"
    expect "$suite: rpmlint" '' \
        "$(grep ': [EW]: ' "$tmp/log" | grep -v unused-rpmlintrc-filter)"
    inside "$builder" sh -c 'for package in /root/new/build/*e_*.deb; do
        dpkg-deb -x "$package" /srv/unpacked
    done'
    # A program has the note on control flow only where the C library's start
    # files have it.
    inside "$builder" sh -c 'readelf -n "$(gcc -print-file-name=crt1.o)"' |
        grep -q 'IBT, SHSTK' && crt=--quiet ||
        crt=--nocfprotection
    # The newer hardening-check asks for branch protection, which only arm64 has.
    harmless='(ignored)\|Branch Protection'
    expect "$suite: hardening-check, command" '' \
        "$(inside "$builder" hardening-check "$crt" \
            /srv/unpacked/usr/bin/keepalive |
            grep ': no' | grep -v "$harmless")"
    expect "$suite: hardening-check, library" '' \
        "$(inside "$builder" sh -c 'hardening-check --nopie \
            /srv/unpacked/usr/lib/*/keepalive/libkeepalive.so' |
            grep ': no' | grep -v "$harmless")"
    expect "$suite: what the library depends on" 'libc6 (>= 2.17)' \
        "$(inside "$builder" sh -c 'dpkg-deb -f \
            /root/new/build/libkeepalive_*.deb Depends')"
}

# offline COMMAND...: in the system for use, with a loopback of its own
offline() {
    # shellcheck disable=SC2016
    unshare -n sh -c 'ip link set lo up && exec "$@"' sh \
        chroot "$user" env -i LC_ALL=C HOME=/root DEBIAN_FRONTEND=noninteractive \
        PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@" </dev/null 2>&1
}

# The client of a connection that stays open, and what the kernel has of it.
client() {
    cat >"$user/tmp/client.sh" <<'END'
mkfifo /tmp/words
nc -l 127.0.0.1 4000 >/tmp/heard &
exec 3<>/tmp/words
for try in $(seq 50); do
    keepalive -t 60 nc 127.0.0.1 4000 <&3 2>/tmp/said &
    client=$!
    sleep 0.1
    kill -0 $client 2>/dev/null && break
done
keepalive --json -p $client
kill $client
rm /tmp/words
END
    expect "$1: a client" 'established 60' \
        "$(offline sh /tmp/client.sh | tr -d ' "' | tr ',{}' '\n' |
            sed -n 's/^state:\(.*\)/\1/p; s/^idle://p' | xargs)"
}

# Starts programs until $user/tmp/stop is there, and prints a line for each that
# is not as it should be. In between there are only the shell's own commands.
start_programs() {
    count=0
    while [ ! -e "$user/tmp/stop" ]; do
        [ -e "$user/tmp/removed" ] && removed=yes || removed=
        out=$(chroot "$user" /tmp/show 2>&1) status=$?
        count=$((count + 1))
        case $status:$out in
        '0:SO_KEEPALIVE is ON
TCP_KEEPCNT '*) [ -z "$removed" ] || echo 'on once it is removed' ;;
        '0:SO_KEEPALIVE is OFF')
            [ -e "$user/tmp/removing" ] || echo 'off before it is removed'
            ;;
        *) echo "status $status, and it prints: $out" ;;
        esac
        echo "$count" >"$user/tmp/count"
    done
}

started() { # NUMBER
    [ "$(cat "$user/tmp/count")" -ge "$1" ] 2>/dev/null
}

# The files of the system, but for logs and what package managers keep.
files() {
    inside "$user" find / -xdev ! -path '/proc/*' ! -path '/dev/*' \
        ! -path '/tmp/*' ! -path '/var/log/*' ! -path '/var/cache/*' \
        ! -path '/var/lib/apt/*' | sort
}

# use LABEL: what an administrator does; put VERSION and take do it
use() {
    files >"$tmp/before"
    logged "$1: install" put 1.0 || return
    expect "$1: the version" 'keepalive 1.0' "$(inside "$user" keepalive -V)"
    client "$1"
    expect "$1: nothing is switched on" '' "$(ls "$user/etc/ld.so.preload" 2>&-)"
    expect "$1: on" 'on' "$(offline keepalive --global on | sed 's/:.*//')"
    rm -f "$user"/tmp/stop "$user"/tmp/remov*
    start_programs >"$tmp/starts" 2>&1 &
    starter=$!
    rounds=0 first=$(cat "$user/tmp/count" 2>/dev/null || echo 0)
    while logged "$1: upgrade" put "$version" && rounds=$((rounds + 1)) &&
        [ $(($(cat "$user/tmp/count") - first)) -lt "$STARTS" ]; do
        logged "$1: back" put 1.0 || break
    done
    expect "$1: the version" "keepalive $version" \
        "$(inside "$user" keepalive -V)"
    echo "$1: $(cat "$user/tmp/count") programs during $rounds upgrades"
    : >"$user/tmp/removing"
    logged "$1: remove" take
    : >"$user/tmp/removed"
    wait_until started $(($(cat "$user/tmp/count") + 2)) ||
        fail "$1: no program is started any more"
    : >"$user/tmp/stop"
    wait "$starter"
    expect "$1: the programs" '' "$(sort "$tmp/starts" | uniq -c | head)"
    expect "$1: switched off" '' "$(ls "$user/etc/ld.so.preload" 2>&-)"
    logged "$1: purge" purge
    files >"$tmp/after"
    expect "$1: what is left" '' "$(diff "$tmp/before" "$tmp/after")"
}

# shellcheck disable=SC2317 # use calls them
use_deb() {
    architecture=$(inside "$user" dpkg --print-architecture)
    put() {
        offline sh -c "apt-get -qy --allow-downgrades install \
            /tmp/$1/keepalive_*.deb /tmp/$1/libkeepalive_*$architecture.deb"
    }
    take() {
        offline apt-get -qy remove keepalive libkeepalive
    }
    purge() {
        offline dpkg --purge keepalive libkeepalive
    }
    use "$suite, deb"
}

# The library for 32-bit programs beside the other: one entry for both, and off
# when one of them goes. Where the command is gone the entry has to be taken out
# by hand first.
use_twin() {
    logged "$suite: 32-bit packages" add_narrow "$user"
    logged "$suite: both libraries" offline sh -c "apt-get -qy install \
        /tmp/$version/*e_*.deb" || return
    # shellcheck disable=SC2016
    expect "$suite: one entry for both" \
        'on: programs that are started from now on have /usr/$LIB/keepalive/libkeepalive.so' \
        "$(offline keepalive --global on | sed 's/;.*//')"
    logged "$suite: one of them is removed" offline \
        dpkg --remove libkeepalive:i386
    expect "$suite: off" 'SO_KEEPALIVE is OFF' "$(offline /tmp/show)"
    logged "$suite: the command is removed" offline dpkg --remove keepalive
    echo "/usr/lib/x86_64-linux-gnu/keepalive/libkeepalive.so" \
        >"$user/etc/ld.so.preload"
    offline dpkg --remove libkeepalive >"$tmp/log" 2>&1 &&
        fail "$suite: the library is removed while the file names it"
    grep -q '^not removed: /etc/ld.so.preload' "$tmp/log" ||
        fail "$suite: says why: $(cat "$tmp/log")"
    rm "$user/etc/ld.so.preload"
    logged "$suite: purge" offline dpkg --purge libkeepalive
    echo "$suite, deb: one entry for 64-bit and 32-bit programs"
}

# The system has no rpm of its own, nor the packages of one, so what a package
# requires is not found by its name.
# shellcheck disable=SC2317
use_rpm() {
    put() {
        inside "$builder" sh -c "rpm --root /target -U --nodeps --oldpackage \
            /target/tmp/$1/*.rpm"
    }
    take() {
        inside "$builder" rpm --root /target -e keepalive libkeepalive
    }
    purge() {
        inside "$builder" rm -rf /target/var/lib/rpm /target/root/.rpmdb
    }
    use "$suite, rpm"
}

# shellcheck disable=SC2317
use_make() {
    make_in() {
        inside "$builder" make -s -C "/root/$1" DESTDIR=/target prefix=/usr \
            libdir=/usr/lib/keepalive "$2"
    }
    put() {
        case $1 in
        1.0) make_in old install ;;
        *) make_in new install ;;
        esac
    }
    take() {
        offline keepalive --global off && sleep 1 && make_in new uninstall
    }
    purge() { :; }
    use "$suite, make"
}

make -s BUILD="$tmp/dist" dist >"$tmp/log" 2>&1 ||
    fail "make dist: $(cat "$tmp/log")"
for suite in $SUITES; do
    builder=$tmp/$suite-builder user=$tmp/$suite-user
    base "$suite" >"$tmp/log" 2>&1 || {
        tail "$tmp/log"
        skip "no system of $suite"
    }
    system "$suite-builder" "$tools" || skip 'no overlay file system'
    system "$suite-user" "$clean" || skip 'no overlay file system'
    mkdir "$builder/target"
    mount --rbind "$user" "$builder/target"
    build /root/new "$version" x= || continue
    build /srv/a/longer/path "$version" x= || continue
    build /root/old 1.0 DEB_CFLAGS_APPEND=-O1 || continue
    [ -n "${NOJUDGE-}" ] || judge
    inside "$builder" make -s -C /root/new build/examples/show
    cp "$builder/root/new/build/examples/show" "$user/tmp"
    mkdir "$user/tmp/1.0" "$user/tmp/$version"
    # without the packages for debuggers
    cp "$builder"/root/old/build/*.deb \
        "$builder"/root/old/build/*keepalive-[0-9]*.rpm "$user/tmp/1.0"
    cp "$builder"/root/new/build/*.deb \
        "$builder"/root/new/build/*keepalive-[0-9]*.rpm "$user/tmp/$version"
    [ ! -d "$tools/usr/i686-linux-gnu" ] || build_narrow
    # With the two packages of Debian that have a library of this kind.
    logged "$suite: other packages" inside "$user" apt-get -qy update
    logged "$suite: other packages" inside "$user" apt-get -qy install \
        --no-install-recommends netcat-openbsd libkeepalive0 libdontdie0
    use_deb
    use_rpm
    use_make
    [ ! -e "$user/tmp/$version/libkeepalive_$version-1_i386.deb" ] || use_twin
done
finish
