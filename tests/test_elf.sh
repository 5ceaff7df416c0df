#!/bin/sh
# test_elf.sh - what the loader demands of the library, however it was built
# SPDX-License-Identifier: MIT
#
# With arguments: only these libraries, perhaps of other systems, are tested.
. tests/common.sh
need readelf nm

# What the library may ask of libc: syscall where the instruction for a system
# call is not known, the rest as the Makefile's stand-in has it. No stdio, no
# malloc, no locks.
allowed=' __environ dl_iterate_phdr getauxval __errno_location syscall'
allowed="$allowed __stack_chk_fail __stack_chk_guard memcpy memmove memset"
allowed="$allowed memcmp "

# not_in LABEL PATTERN TEXT
not_in() {
    ! printf '%s\n' "$3" | grep -Eq "$2" ||
        fail "$1: $(printf '%s\n' "$3" | grep -E "$2")"
}

# Prints those versions in the input that are above 2.17.
newer() {
    grep -o 'GLIBC_[0-9A-Z_.]*' | sort -u | while read -r version; do
        case $version in
        GLIBC_[0-9]*)
            highest=$(printf 'GLIBC_2.17\n%s\n' "$version" | sort -V | tail -1)
            [ "$highest" = GLIBC_2.17 ] || echo "$version"
            ;;
        *) echo "$version" ;; # GLIBC_PRIVATE, GLIBC_ABI_DT_RELR
        esac
    done
}

gate() {
    library=$1 how=$2
    dynamic=$(readelf -dW "$library")
    symbols=$(nm -D "$library")
    segments=$(readelf -lW "$library")

    expect "$how: needed libraries" 'libc.so.6' "$(printf '%s\n' "$dynamic" |
        sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')"
    expect "$how: soname" 'libkeepalive.so' "$(printf '%s\n' "$dynamic" |
        sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')"
    case $(readelf -hW "$library") in
    *ELF32*) exports='__setsockopt64 setsockopt socket' ;;
    *) exports='setsockopt socket' ;;
    esac
    expect "$how: exports" "$exports" \
        "$(nm -D --defined-only "$library" | awk '{ print $NF }' | xargs)"
    expect "$how: newer symbol versions" '' \
        "$(readelf -VW "$library" | newer | xargs)"
    for symbol in $(nm -D --undefined-only "$library" |
        awk '{ sub(/@.*/, "", $NF); print $NF }'); do
        case $allowed in
        *" $symbol "*) ;;
        *) fail "$how: import of $symbol" ;;
        esac
    done
    case $(printf '%s\n' "$symbols" | awk '$NF == "__environ" { print $1 }') in
    [vw]) ;;
    *) fail "$how: __environ is not weak" ;;
    esac
    # That of the constructor. What else had one would be wrong in a call before
    # the loader has relocated the library.
    expect "$how: relative relocations" 1 "$(readelf -rW "$library" |
        grep -c '_RELATIVE')"
    not_in "$how: imports" '_chk@|__isoc23_' "$symbols"
    not_in "$how: dynamic section" 'TEXTREL|RELR|RPATH|RUNPATH|VERDEF' \
        "$dynamic"
    not_in "$how: segments" '^ *TLS|GNU_STACK.*RWE|LOAD.*RWE' "$segments"
    case $(readelf -hW "$library") in
    *X86-64* | *80386*) note='IBT, SHSTK' ;;
    *AArch64*) note='BTI, PAC' ;;
    *) note= ;;
    esac
    readelf -nW "$library" 2>/dev/null | grep -q "$note" ||
        fail "$how: no control-flow note"
}

if [ $# != 0 ]; then
    for library; do
        gate "$library" "$library"
    done
    finish
    exit
fi
gate "$LIBKEEPALIVE" "$LIBKEEPALIVE"

# What is loaded into every program: each object by itself, before it is linked.
for source in src/library/*.c; do
    object=$BUILD/library/$(basename "$source" .c).o
    for symbol in $(nm --undefined-only "$object" | awk '{ print $NF }'); do
        case $allowed$(nm --defined-only "$BUILD"/library/*.o |
            awk 'NF == 3 { printf "%s ", $3 }') in
        *" $symbol "*) ;;
        *) [ "$symbol" = _DYNAMIC ] || [ "$symbol" = _GLOBAL_OFFSET_TABLE_ ] ||
            fail "$object: needs $symbol" ;;
        esac
    done
done

# Nothing writable that points into code, once it is loaded: the count of such
# words, and the count of writable pages.
if command -v python3 >/dev/null; then
    expect 'writable words that point into code' '0 0' \
        "$(LD_PRELOAD=$LIBKEEPALIVE python3 -c '
import struct
maps = [line.split() for line in open("/proc/self/maps")]
def span(row):
    return [int(part, 16) for part in row[0].split("-")]
code = [span(row) for row in maps if "x" in row[1]]
ours = [span(row) for row in maps
        if row[-1].endswith("libkeepalive.so") and "w" in row[1]]
words = pages = 0
with open("/proc/self/mem", "rb") as memory:
    for begin, end in ours:
        pages += (end - begin) // 4096
        memory.seek(begin)
        for (word,) in struct.iter_unpack("N", memory.read(end - begin)):
            words += any(low <= word < high for low, high in code)
print(words, pages)')"
fi

# build LABEL FLAGS...: builds once more with the flags and tests that.
build() {
    how=$1
    shift
    make -s BUILD="$tmp/build" "$@" "$tmp/build/libkeepalive.so" \
        >"$tmp/log" 2>&1 || fail "$how: does not build: $(cat "$tmp/log")"
    [ ! -s "$tmp/log" ] || fail "$how: the build prints $(cat "$tmp/log")"
    gate "$tmp/build/libkeepalive.so" "$how"
    expect "$how: the demo" 'SO_KEEPALIVE is ON' \
        "$(LD_PRELOAD=$tmp/build/libkeepalive.so "$show" | head -n 1)"
    rm -rf "$tmp/build"
}

# Who points LD_LIBRARY_PATH at the build does not get the linker's stand-in.
make -s BUILD="$tmp/build" "$tmp/build/libkeepalive.so" >"$tmp/log" 2>&1
LD_LIBRARY_PATH=$tmp/build "$probe" variables >/dev/null 2>"$tmp/log" ||
    fail "the build directory in LD_LIBRARY_PATH: $(cat "$tmp/log")"

# Flags that do not go together with control-flow protection, where the compiler
# has them: the library is built without the note.
cc=${CC:-cc}
for flag in -mindirect-branch=thunk '-m32 -march=i486'; do
    # shellcheck disable=SC2086
    echo '#include <sys/socket.h>' |
        $cc $flag -c -o /dev/null -x c - 2>/dev/null || continue
    rm -rf "$tmp/build"
    make -s BUILD="$tmp/build" CC="$cc" CFLAGS="-O2 $flag" \
        "$tmp/build/libkeepalive.so" >"$tmp/log" 2>&1 ||
        fail "$flag: does not build: $(cat "$tmp/log")"
done
rm -rf "$tmp/build"

if command -v gcc >/dev/null; then
    build 'gcc -flto' CC=gcc CFLAGS='-O2 -flto'
    build 'gcc -O0' CC=gcc CFLAGS=-O0
    build 'gcc -O3 -flto' CC=gcc CFLAGS='-O3 -flto -fno-semantic-interposition'
    ! ld --help | grep -q pack-relative-relocs ||
        build 'gcc, packed relocations' CC=gcc LDFLAGS='-Wl,-O1 -Wl,-z,relro \
            -Wl,-z,now -Wl,-z,pack-relative-relocs'
    build 'gcc, stack protector everywhere' CC=gcc \
        CFLAGS='-O2 -fstack-protector-all'
    build 'gcc, hardened' CC=gcc CPPFLAGS='-D_FORTIFY_SOURCE=2 -Wdate-time' \
        CFLAGS='-O2 -g -fstack-protector-strong -fstack-clash-protection' \
        LDFLAGS='-Wl,-z,relro -Wl,-z,now -Wl,-Bsymbolic-functions'
fi
if command -v gcc >/dev/null && command -v dpkg-buildflags >/dev/null; then
    # the flags are those of gcc
    export DEB_BUILD_MAINT_OPTIONS=hardening=+all
    build 'dpkg-buildflags' CC=gcc CFLAGS="$(dpkg-buildflags --get CFLAGS)" \
        CPPFLAGS="$(dpkg-buildflags --get CPPFLAGS)" \
        LDFLAGS="$(dpkg-buildflags --get LDFLAGS)"
    export DEB_BUILD_MAINT_OPTIONS='hardening=+all optimize=+lto'
    build 'dpkg-buildflags with lto' CC=gcc \
        CFLAGS="$(dpkg-buildflags --get CFLAGS)" \
        CPPFLAGS="$(dpkg-buildflags --get CPPFLAGS)" \
        LDFLAGS="$(dpkg-buildflags --get LDFLAGS)"
fi
if command -v clang >/dev/null; then
    build 'clang' CC=clang
    build 'clang -O0' CC=clang CFLAGS=-O0
fi
finish
