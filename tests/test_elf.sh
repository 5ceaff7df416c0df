#!/bin/sh
# test_elf.sh - what the loader demands of the library, however it was built
# SPDX-License-Identifier: MIT
#
# With arguments: only these libraries, perhaps of other systems, are tested.
. tests/common.sh
need readelf nm

# What the library may ask of libc: that which is missing in some C libraries,
# and may be null; syscall where the instruction for a system call is not known;
# the rest as the Makefile's stand-in has it. No stdio, no malloc, no locks.
weak=' __environ dlsym gnu_get_libc_version __getsockopt64 '
allowed="${weak}getauxval __errno_location syscall __stack_chk_fail"
allowed="$allowed __stack_chk_guard memcpy memmove memset memcmp "

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

    case $(readelf -hW "$library") in
    *Alpha*) libc=libc.so.6.1 ;;
    *) libc=libc.so.6 ;;
    esac
    expect "$how: needed libraries" "$libc" "$(printf '%s\n' "$dynamic" |
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
    for symbol in $weak; do
        case $(printf '%s\n' "$symbols" | grep -w "$symbol") in
        '' | *' '[vw]' '*) ;;
        *) fail "$how: $symbol is not weak" ;;
        esac
    done
    case $symbols in
    *' dlsym'*) ;;
    *) fail "$how: does not import dlsym" ;;
    esac
    # That of the constructor. What else had one would be wrong in a call before
    # the loader has relocated the library. MIPS has no such type, and on Alpha
    # all addresses are taken from a table.
    case $(readelf -hW "$library") in
    *MIPS* | *Alpha*) ;;
    *) expect "$how: relative relocations" 1 "$(readelf -rW "$library" |
        grep -c '_RELATIVE')" ;;
    esac
    not_in "$how: imports" '_chk@|__isoc23_' "$symbols"
    not_in "$how: dynamic section" 'TEXTREL|RELR|RPATH|RUNPATH|VERDEF' \
        "$dynamic"
    not_in "$how: segments" '^ *TLS|GNU_STACK.*RWE|LOAD.*RWE' "$segments"
    # What is made read-only begins with the page of the constructor's address.
    page='s/0x0*//; s/...$//'
    expect "$how: the page of the constructor" \
        "$(printf '%s\n' "$segments" |
            awk '$1 == "LOAD" && / RW / { print $3 }' | sed "$page")" \
        "$(printf '%s\n' "$dynamic" |
            awk '/\(INIT_ARRAY\)/ { print $3 }' | sed "$page")"
    case $(readelf -hW "$library") in
    *X86-64* | *80386*) note='IBT, SHSTK' ;;
    *AArch64*) note='BTI, PAC' ;;
    *) return ;; # it has none
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
        *) [ "$symbol" = _GLOBAL_OFFSET_TABLE_ ] ||
            fail "$object: needs $symbol" ;;
        esac
    done
done

# sealed LIBRARY LABEL: once it is loaded nothing of it is writable, no word that
# points into code and no page, and its data cannot be executed.
sealed() {
    command -v python3 >/dev/null || return
    end=$(readelf -lW "$1" | awk '$1 == "LOAD" { print $3, $6 }' | tail -n 1)
    expect "$2: words that point into code, writable pages, code" '0 0 1' \
        "$(LD_PRELOAD=$1 python3 -c '
import struct, sys
maps = [line.split() for line in open("/proc/self/maps")]
def span(row):
    return [int(part, 16) for part in row[0].split("-")]
base = min(span(row)[0] for row in maps
           if row[-1].endswith("/libkeepalive.so"))
end = base + sum(int(number, 16) for number in sys.argv[1:])
code = [span(row) for row in maps if "x" in row[1]]
ours = [row for row in maps if base <= span(row)[0] < end]
words = pages = 0
with open("/proc/self/mem", "rb") as memory:
    for begin, end in (span(row) for row in ours if "w" in row[1]):
        pages += (end - begin) // 4096
        memory.seek(begin)
        for (word,) in struct.iter_unpack("N", memory.read(end - begin)):
            words += any(low <= word < high for low, high in code)
print(words, pages, sum("x" in row[1] for row in ours))' "${end% *}" "${end#* }")"
}
sealed "$LIBKEEPALIVE" "$LIBKEEPALIVE"

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
    sealed "$tmp/build/libkeepalive.so" "$how"
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
        build 'gcc, packed relocations' CC=gcc \
            LDFLAGS='-Wl,-O1,-z,relro,-z,now -Wl,-z,pack-relative-relocs'
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
