#!/bin/sh
# test_stack.sh - other preloaded libraries, before and behind this one
# SPDX-License-Identifier: MIT
#
# Each still does its job, and where it makes a TCP socket that has our values.
. tests/common.sh
in_namespace -n
need ip python3
need_strace
ip link set lo up

# A SOCKS5 server that greets in the name of the address it is asked for.
cat >"$tmp/socks.py" <<'END'
import socket
server = socket.create_server(("127.0.0.1", 9050))
print("ready", flush=True)
while True:
    client = server.accept()[0]
    client.recv(512)
    client.sendall(b"\5\0")
    request = client.recv(512)
    if request[3] == 1:
        address = socket.inet_ntoa(request[4:8])
    else:
        address = request[5:5 + request[4]].decode()
    client.sendall(b"\5\0\0\1\0\0\0\0\0\0" + b"hello from " + address.encode())
    client.close()
END
python3 "$tmp/socks.py" >"$tmp/ready" &
server=$!
# shellcheck disable=SC2064
at_exit="kill $server"
wait_until grep -qs ready "$tmp/ready" || fail 'no proxy'

cat >"$tmp/proxychains.conf" <<'END'
strict_chain
[ProxyList]
socks5 127.0.0.1 9050
END
cat >"$tmp/torsocks.conf" <<'END'
TorAddress 127.0.0.1
TorPort 9050
END
mkdir "$tmp/sockets"
export PROXYCHAINS_CONF_FILE="$tmp/proxychains.conf" PROXYCHAINS_QUIET_MODE=1 \
    TORSOCKS_CONF_FILE="$tmp/torsocks.conf" TORSOCKS_LOG_LEVEL=1 \
    SOCKET_WRAPPER_DIR="$tmp/sockets" SOCKET_WRAPPER_DEFAULT_IFACE=7 \
    FAKETIME='2001-02-03 04:05:06'

# stack LIBRARY EXPECTED COMMAND...: what it prints in both orders; behind a
# library that looks for no next socket() it is $behind instead
behind=
stack() {
    other=$(find "$tmp" /usr/lib /usr/local/lib -name "$1" | head -n 1)
    [ -n "$other" ] || skip "no $1 on this machine"
    name=$1 expected=$2
    shift 2
    for order in "$LIBKEEPALIVE:$other" "$other:$LIBKEEPALIVE"; do
        expect "$name, $*: $order" "$expected" "$(LD_PRELOAD=$order \
            KEEPCNT=11 KEEPIDLE=222 KEEPINTVL=33 "$@" 2>&1)"
        expected=${behind:-$expected}
    done
}

# The options of a stream socket, with the library and without
ours=$(LD_PRELOAD=$LIBKEEPALIVE KEEPCNT=11 KEEPIDLE=222 KEEPINTVL=33 \
    "$probe" stream)
ours=${ours##*: }
case $ours in
'KEEPALIVE=1 KEEPCNT=11 KEEPIDLE=222 KEEPINTVL=33 '*) ;;
*) fail "the library alone: $ours" ;;
esac
system=$("$probe" stream)
system=${system##*: }
# Multipath TCP has no user timeout.
without_timeout() {
    echo "$1" | sed 's/ KEEPTIMEOUT=[0-9]*//'
}
stream="protocol 6, stream: $ours"
greeting='hello from 192.0.2.1, greeting:'

stack libproxychains.so.4 "$greeting $ours" "$probe" greeting

stack libfaketime.so.1 "$stream" "$probe" stream
stack libfaketime.so.1 2001-02-03 date +%F

# shellcheck disable=SC2016
stack libjemalloc.so.2 "$stream
___ Begin jemalloc statistics ___" sh -c '"$0" stream
    MALLOC_CONF=stats_print:true "$0" full 2>&1 | head -n 1' "$probe"

trace="strace -qq -e trace=fsync -o $tmp/trace sync $tmp/trace"
$trace
grep -q fsync "$tmp/trace" || fail 'sync without eatmydata'
# shellcheck disable=SC2016
stack libeatmydata.so "$stream" sh -c '"$0" stream; $1; cat "$2"' \
    "$probe" "$trace" "$tmp/trace"

# It makes local sockets of all.
# shellcheck disable=SC2016
stack libsocket_wrapper.so 'accepted IPv4: KEEPALIVE=0
1 socket' sh -c '"$0" accept 2>/dev/null | sed -n "s/\(IPv4: [A-Z]*=.\).*/\1/p"
    ls "$1" | wc -l | sed "s/$/ socket/"; rm "$1"/*' "$probe" "$tmp/sockets"

# Its setsockopt() refuses a value but 0 and 1 with EINVAL; of a local socket the
# kernel would say EOPNOTSUPP, and of a TCP socket that all is well.
# shellcheck disable=SC2016
stack libsocket_wrapper.so 'no delay: -1 errno 22' sh -c '
    KEEPALIVE=force "$0" no_delay; rm -f "$1"/*' \
    "$probe" "$tmp/sockets"

# These pass by what is behind them: one makes the system call, the other takes
# the socket() of libc.so.6. The manual says so.
behind="protocol 262, stream: $(without_timeout "$system")"
${CC:-cc} -shared -fPIC -o "$tmp/libbypass.so" -x c - <<'END' ||
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
/* as mptcpize does it */
int socket(int family, int type, int protocol)
{
    (void)protocol;
    return (int)syscall(SYS_socket, family, type, 262);
}
END
    fail 'libbypass.so does not build'
if [ -e /proc/sys/net/mptcp ]; then
    stack libbypass.so "protocol 262, stream: $(without_timeout "$ours")" \
        "$probe" stream
else
    echo 'no Multipath TCP here: left out'
fi
behind="$greeting $system"
stack libtorsocks.so "$greeting $ours" "$probe" greeting
finish
