# system.sh - minimal Debian systems; read with `.`
# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# The packages come from the mirror of this machine's apt.
systems=$BUILD/clean
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
    'Origin: Debian' 'Label: Debian' 2>/dev/null | head -n 1)

# apt_of SUITE COMMAND...: apt-get for a system of its own that has nothing
# installed, with files below $BUILD/debian/SUITE
apt_of() {
    cache=$BUILD/debian/$1
    mkdir -p "$cache/lists/partial" "$cache/debs/partial"
    echo "deb $mirror $1 main" >"$cache/sources.list"
    shift
    apt-get -qy -o Dir::Etc::SourceList="$cache/sources.list" \
        -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$cache/lists" \
        -o Dir::State::status=/dev/null -o Dir::Cache::Archives="$cache/debs" \
        -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
        -o APT::Install-Recommends=false -o APT::Sandbox::User=root "$@"
}

# make_system SUITE: below $BUILD/clean, by debootstrap, as root. Under another
# name first, so that half of one is never taken for one.
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
