# system.sh - minimal Debian systems; read with `.`
# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# Kept below $BUILD/clean. Needs root and debootstrap; the packages come from the
# mirror of this machine's apt.
systems=$BUILD/clean
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
    'Origin: Debian' 'Label: Debian' 2>/dev/null | head -n 1)

# make_system SUITE: under another name first, so that half of one is never taken
# for one.
make_system() {
    [ ! -d "$systems/$1" ] || return 0
    mkdir -p "$systems" && rm -rf "${systems:?}/$1.new" || return
    debootstrap --variant=minbase "$1" "$systems/$1.new" "$mirror" \
        >"$systems/$1.log" 2>&1 || {
        tail -n 5 "$systems/$1.log"
        return 1
    }
    # A snapshot of sid may be older than its Release file admits.
    echo 'Acquire::Check-Valid-Until "false";' \
        >"$systems/$1.new/etc/apt/apt.conf.d/99clean"
    mv "$systems/$1.new" "$systems/$1"
}
