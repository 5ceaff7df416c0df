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

for part in PLUGIN LOADER FORWARD REFUSE ALLOCATOR NAIVE AUDIT; do
    $cc -D$part -D_GNU_SOURCE -shared -fPIC -pthread -o "$tmp/$part.so" \
        tests/plugin.c -ldl || fail "$part: does not build"
done

# A constructor that loads a plugin holds the loader's lock. The plugin's thread
# is served all the same, by the system itself.
# company WORD LIBRARY...: with this KEEPALIVE, in this order
company() {
    word=$1
    shift
    timeout 120 env KEEPALIVE="$word" KEEPIDLE=222 PLUGIN="$tmp/PLUGIN.so" \
        LD_PRELOAD="$(echo "$*" | tr ' ' :)" "$show" 2>&1 | sed '/^TCP\|^SO/d'
}
expect 'a thread while the loader is locked' 'constructor: idle 222
message: kept
thread of the plugin: idle 222' \
    "$(company force "$LIBKEEPALIVE" "$tmp/LOADER.so")"
expect 'and without force' 'constructor: idle 60
message: kept
thread of the plugin: idle 60' "$(company on "$LIBKEEPALIVE" "$tmp/LOADER.so")"
expect 'until the constructor it passes by the next library' \
    'constructor: idle 60
message: kept
thread of the plugin: idle 60
socket: Protocol error' \
    "$(company on "$LIBKEEPALIVE" "$tmp/LOADER.so" "$BUILD/tests/refuse.so")"

# An allocator that makes a socket for each block, also for dlsym(3)'s own
expect 'an allocator that makes sockets' 'SO_KEEPALIVE is ON' \
    "$(timeout 120 env KEEPIDLE=222 \
        LD_PRELOAD="$LIBKEEPALIVE:$tmp/ALLOCATOR.so" "$show" 2>&1 | head -n 1)"

# A library that forwards the call sees it once, in both orders.
forward=$tmp/FORWARD.so
for order in "$LIBKEEPALIVE:$forward" "$forward:$LIBKEEPALIVE"; do
    expect "forwarded, $order" 'forwarded
SO_KEEPALIVE is ON' "$(LD_PRELOAD=$order "$show" 2>&1 | head -n 2)"
done
# It has no setsockopt(): that is the one of the library behind it.
expect 'a next library that has socket() alone' 'forwarded
one: errno 71
set: -1 errno 71' "$(for call in one set; do
    LD_PRELOAD=$LIBKEEPALIVE:$forward:$BUILD/tests/refuse.so "$probe" $call 2>&1
done)"

# What the loader takes for a definition, and what it does not: a resolver's
# function, and a symbol that is hidden
if [ -x "$tmp/ifunc" ]; then
    $cc -DREFUSE -DIFUNC -shared -fPIC -o "$tmp/ifunc.so" tests/plugin.c ||
        fail 'REFUSE with IFUNC does not build'
    expect 'a next socket() that is an IFUNC symbol' 'one: errno 71' \
        "$(LD_PRELOAD=$LIBKEEPALIVE:$tmp/ifunc.so "$probe" one)"
fi
$cc -DREFUSE -fvisibility=hidden -shared -fPIC -o "$tmp/hidden.so" \
    tests/plugin.c || fail 'REFUSE, hidden, does not build'
expect 'a hidden socket()' "$(LD_PRELOAD=$LIBKEEPALIVE "$probe" one)" \
    "$(LD_PRELOAD=$LIBKEEPALIVE:$tmp/hidden.so "$probe" one)"

# A library that is mapped below its own addresses, as vDSOs are under some
# kernels: the difference wraps around.
if $cc -DREFUSE -shared -fPIC -Wl,-Ttext-segment=0xffffffff00000000 \
    -o "$tmp/below.so" tests/plugin.c 2>"$tmp/log"; then
    expect 'a library below its addresses' 'one: errno 71' \
        "$(LD_PRELOAD=$LIBKEEPALIVE:$tmp/below.so "$probe" one 2>&1)"
else
    echo "no such addresses here: $(head -n 1 "$tmp/log")"
fi

# A library that interposes dlsym(3) finds our own functions. They must not call
# themselves: the system calls are made.
naive=$LIBKEEPALIVE:$tmp/NAIVE.so
expect 'a dlsym() that finds the first definition' "$("$probe" set)
SO_KEEPALIVE is ON" "$(timeout 120 env LD_PRELOAD="$naive" "$probe" set 2>&1
    timeout 120 env LD_PRELOAD="$naive" "$show" 2>&1 | head -n 1)"

# Threads make sockets while the constructor waits for that dlsym(), and then
# while it reads an environment of 20,000 variables.
# shellcheck disable=SC2046
expect 'while the constructor is at work' 'early: all kept alive' \
    "$(timeout 120 env $(seq -f 'KEEPALIVE%.0f=' 20000) EARLY=64 KEEPIDLE=222 \
        LD_PRELOAD="$naive:$BUILD/tests/early.so" "$probe" closed)"

# Linked after the C library it finds nothing, and dlerror(3) says so.
$cc -D_GNU_SOURCE -Iinclude -o "$tmp/linked" tests/probe.c \
    -Wl,--no-as-needed -ldl -lc "$LIBKEEPALIVE" || fail 'linked: does not build'
expect 'linked after the C library' 'message: left at the start
message: kept' "$(LD_LIBRARY_PATH=$(dirname "$LIBKEEPALIVE") \
    "$tmp/linked" message 2>&1)"

# An auditor sees the look-ups; there is one more with 32 bits.
expect 'what an auditor sees' 'setsockopt socket' \
    "$(LD_AUDIT=$tmp/AUDIT.so LD_PRELOAD=$LIBKEEPALIVE "$probe" variables |
        sed -n 's/^dlsym: \([^_]\)/\1/p' | sort | xargs)"

# Two copies in two files are two libraries: each sets the options and reports.
# The second is found in programs that have dlsym(3), as the probe always has.
cp "$LIBKEEPALIVE" "$tmp/copy.so"
expect 'two copies: a report of each' 2 "$(KEEPIDLE=5M \
    LD_PRELOAD=$LIBKEEPALIVE:$tmp/copy.so "$show" 2>&1 | grep -c ^libkeep)"
if command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null; then
    strace -o "$tmp/trace" -E LD_PRELOAD="$LIBKEEPALIVE:$tmp/copy.so" \
        -E KEEPIDLE=222 "$probe" tcp >"$tmp/out"
    expect 'two copies: the options of each' \
        'SO_KEEPALIVE TCP_KEEPIDLE SO_KEEPALIVE TCP_KEEPIDLE' \
        "$(sed -n 's/^setsockopt([^,]*, [^,]*, \([A-Z_]*\).*/\1/p' \
            "$tmp/trace" | xargs)"
fi
finish
