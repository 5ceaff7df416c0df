#!/bin/sh
# test_early.sh - sockets that are made before main()
# SPDX-License-Identifier: MIT
. tests/common.sh
cc=${CC:-cc}

# build NAME FLAGS...
build() {
    name=$1
    shift
    # shellcheck disable=SC2086
    $cc -o "$tmp/$name" tests/before.c "$@" 2>"$tmp/log" ||
        fail "$name: does not build: $(cat "$tmp/log")"
}

# early NAME: makes its early socket, and the user's values hold in main()
early() {
    name=$1
    set -- "LD_LIBRARY_PATH=$tmp" "LD_PRELOAD=$LIBKEEPALIVE"
    system=$(cat /proc/sys/net/ipv4/tcp_keepalive_time)
    env "$@" KEEPALIVE=off "$tmp/$name" >"$tmp/out" 2>&1
    expect "$name, off: status" 0 $?
    grep -q '^early [01] ' "$tmp/out" || fail "$name, off: $(cat "$tmp/out")"
    expect "$name, off" 'main 0 60' "$(grep main "$tmp/out")"
    env "$@" KEEPIDLE=222 "$tmp/$name" >"$tmp/out" 2>&1
    grep -qE "^early 1 ($system|222) 3 probes$" "$tmp/out" ||
        fail "$name: $(cat "$tmp/out")"
    expect "$name: calls that fail" 'socket -1 errno 22
setsockopt -1 errno 9' "$(grep errno "$tmp/out")"
    expect "$name" 'main 1 60' "$(grep main "$tmp/out")"
    expect "$name, force" 'main 1 222' "$(env "$@" KEEPIDLE=222 \
        KEEPALIVE=force "$tmp/$name" 2>&1 | grep main)"
    expect "$name: one report" 1 "$(env "$@" KEEPIDLE=5M "$tmp/$name" 2>&1 |
        grep -c '^libkeepalive: KEEPIDLE')"
}

build preinit -DWHEN=PREINIT
early preinit
# Some compilers and C libraries have no IFUNC symbols.
if echo 'static int f(void) { return 0; }
static int (*r(void))(void) { return f; }
int g(void) __attribute__((ifunc("r")));
int main(void) { return g(); }' | $cc -o "$tmp/ifunc" -x c - 2>"$tmp/log" &&
    "$tmp/ifunc"; then
    build resolver -DWHEN=RESOLVER -Wl,-z,lazy
    early resolver
    build libbefore.so -DWHEN=LIBRARY -shared -fPIC -Wl,-z,lazy
    build needs-resolver -DWHEN=PROGRAM "$tmp/libbefore.so"
    early needs-resolver
else
    echo "no IFUNC symbols here: $(cat "$tmp/log")"
fi
mkdir "$tmp/first"
build first/libbefore.so -DWHEN=LIBRARY -DINITFIRST -shared -fPIC \
    -Wl,-z,initfirst
build first/needs-initfirst -DWHEN=PROGRAM "$tmp/first/libbefore.so" \
    "-Wl,-rpath,$tmp/first"
early first/needs-initfirst

# Compiled into a static program, where there is no next function: the
# plain system calls are made.
if echo 'int main(void) { return 0; }' |
    $cc -static-pie -o "$tmp/static" -x c - 2>"$tmp/log"; then
    build static -DWHEN=PREINIT -static-pie -std=c11 -D_GNU_SOURCE -Iinclude \
        src/library/*.c
    early static
else
    echo "no static programs here: $(cat "$tmp/log")"
fi

# A constructor that loads a plugin holds the loader's lock. The plugin's thread
# is served all the same, and by the next library in line.
for part in PLUGIN LOADER; do
    $cc -D$part -shared -fPIC -pthread -o "$tmp/$part.so" tests/plugin.c -ldl ||
        fail "$part: does not build"
done
# company WORD LIBRARY...: with this KEEPALIVE, in this order
company() {
    word=$1
    shift
    timeout 20 env KEEPALIVE="$word" KEEPIDLE=222 PLUGIN="$tmp/PLUGIN.so" \
        LD_PRELOAD="$(echo "$*" | tr ' ' :)" "$show" 2>&1 | sed '/^TCP\|^SO/d'
}
expect 'a thread while the loader is locked' 'constructor: idle 222
message: kept
thread of the plugin: idle 222' \
    "$(company force "$LIBKEEPALIVE" "$tmp/LOADER.so")"
expect 'and without force' 'constructor: idle 60
message: kept
thread of the plugin: idle 60' "$(company on "$LIBKEEPALIVE" "$tmp/LOADER.so")"
expect 'it does not pass by the next library' 'constructor: errno 71
message: kept
thread of the plugin: errno 71
socket: Protocol error' \
    "$(company on "$LIBKEEPALIVE" "$tmp/LOADER.so" "$BUILD/tests/refuse.so")"

# A library that forwards the call, in both orders and with either table of
# symbols, sees it once.
for style in gnu sysv; do
    $cc -DFORWARD -D_GNU_SOURCE -shared -fPIC "-Wl,--hash-style=$style" \
        -o "$tmp/$style.so" tests/plugin.c -ldl || fail "$style: does not build"
    forward=$tmp/$style.so
    for order in "$LIBKEEPALIVE:$forward" "$forward:$LIBKEEPALIVE"; do
        expect "forwarded, $order" 'forwarded
SO_KEEPALIVE is ON' "$(LD_PRELOAD=$order "$show" 2>&1 | head -n 2)"
    done
    expect "what it has not, $style" "$("$probe" set)" \
        "$(LD_PRELOAD=$LIBKEEPALIVE:$forward "$probe" set)"
done

# The last symbols of an old table
$cc -shared -nostartfiles -fPIC -Wl,--hash-style=sysv -o "$tmp/refuse.so" \
    tests/refuse.c || fail 'refuse.c does not build'
for call in one: 'set: -1'; do
    expect "an old table, $call" "$call errno 71" \
        "$(LD_PRELOAD=$LIBKEEPALIVE:$tmp/refuse.so "$probe" "${call%%:*}" 2>&1)"
done

# Two copies: the options are set once, and a bad value is reported once.
cp "$LIBKEEPALIVE" "$tmp/copy.so"
expect 'two copies: one report' 1 "$(KEEPIDLE=5M \
    LD_PRELOAD=$LIBKEEPALIVE:$tmp/copy.so "$show" 2>&1 | grep -c ^libkeep)"
if command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null; then
    strace -o "$tmp/trace" -E LD_PRELOAD="$LIBKEEPALIVE:$tmp/copy.so" \
        -E KEEPIDLE=222 "$show" >"$tmp/out"
    expect 'two copies: each option once' 'SO_KEEPALIVE TCP_KEEPIDLE' \
        "$(sed -n 's/^setsockopt([^,]*, [^,]*, \([A-Z_]*\).*/\1/p' \
            "$tmp/trace" | xargs)"
fi
finish
