# programs.sh - real programs with silent connections; read with `.`
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2154
#
# The table of programs, and what runs a row of it: a client connects to a
# server that says nothing, and a server gets a client that says nothing. Then
# the options of the connected socket are read from outside. The script that
# reads this defines `row NAME EXPECTED GOT`; GOT has a line for each socket,
# see peek.c. Only behind common.sh and `in_namespace -n`.
need ip socat setsid ps ss
# end_others() would end the whole machine.
here=$(ps -o netns= $$)
[ "$here" != "$(ps -o netns= $PPID)" ] || skip 'no network of its own'
ip link set lo up
user_home=$HOME
export HOME="$tmp"
unset http_proxy https_proxy ALL_PROXY all_proxy

ours='1 11 222 33'
library=$LIBKEEPALIVE # may be set to another, or to nothing
mode=${MODE:-on}      # or force, cgroup, cgroup-force: these without a library
missing=

# The library and four values for one command. It may go on reading.
launch() {
    LD_PRELOAD=$library KEEPALIVE=$mode KEEPCNT=11 KEEPIDLE=222 KEEPINTVL=33 \
        DD_TCP_KEEPALIVE_PROBES=11 DD_TCP_KEEPALIVE_TIME=222 \
        DD_TCP_KEEPALIVE_INTVL=33 exec setsid "$@" </dev/null >"$tmp/log" 2>&1
}

# Ends all of this network namespace but the script and the processes PID...:
# some servers leave their session.
end_others() {
    # shellcheck disable=SC2046
    kill -9 $(ps -eo pid=,netns= | awk -v kept=" $$ $* " -v here="$here" \
        '$2 == here + 0 && !index(kept, " " $1 " ") { print $1 }') 2>/dev/null
}
# shellcheck disable=SC2034 # common.sh runs it
at_exit=end_others

listens() { # PORT
    ss -Htln "sport = :$1" | grep -q .
}

# The connected sockets of the program that has the one that ss(8) selects.
sockets() {
    # shellcheck disable=SC2046
    "$BUILD/tests/peek" $(ss -Htnp state established "$1" |
        grep -o 'pid=[0-9]*' | cut -d = -f 2 | sort -u)
}

has_sockets() {
    [ -n "$(sockets "$1")" ]
}

# measure NAME EXPECTED FILTER: waits for a socket
measure() {
    wait_until has_sockets "$3"
    # Once more: some programs set their own values when they are connected.
    sleep 0.3
    row "$1" "$2" "$(sockets "$3")"
    # shellcheck disable=SC2086
    end_others $silent
}

have() {
    command -v "$1" >/dev/null && return
    missing="$missing $1"
    return 1
}

# With force every program has our values, but those out of reach of a library;
# in a cgroup without it they keep what they set.
expect_in_mode() {
    name=$1 expected=$2
    case $mode/$name in
    force/hey) ;;
    force/* | cgroup-force/*) expected=$ours ;;
    esac
}

# client NAME EXPECTED COMMAND...; the first word of NAME is the program
client() {
    expect_in_mode "$1" "$2"
    shift 2
    have "${name%% *}" || return
    (launch "$@") &
    measure "$name" "$expected" 'dport = :7000'
}

# server NAME EXPECTED PORT COMMAND...
server() {
    expect_in_mode "$1" "$2"
    port=$3
    shift 3
    have "${name%% *}" || return
    (launch "$@") &
    wait_until listens "$port"
    setsid socat -u "TCP:127.0.0.1:$port" - </dev/null >/dev/null 2>&1 &
    measure "$name (server)" "$expected" "sport = :$port"
}

setsid socat -u TCP6-LISTEN:7000,ipv6only=0,fork,reuseaddr OPEN:/dev/null \
    </dev/null 2>/dev/null &
silent=$!
wait_until listens 7000

# Those of the tests' own packages. An expected value may be a `*`.
common_programs() {
    client wget "$ours" wget -q -O - http://127.0.0.1:7000/
    client nc "$ours" nc 127.0.0.1 7000
    client socat "$ours" socat -u TCP:127.0.0.1:7000 -
    # -F none: in a user namespace the system's file has a foreign owner.
    client ssh "$ours" ssh -F none -o StrictHostKeyChecking=no -p 7000 127.0.0.1 true
    client 'ssh TCPKeepAlive=no' "$ours" ssh -F none -o TCPKeepAlive=no \
        -o StrictHostKeyChecking=no -p 7000 127.0.0.1 true
    client psql "$ours" psql -w -h 127.0.0.1 -p 7000 -U nobody nothing
    client python3 "$ours" python3 -c 'import socket
socket.create_connection(("127.0.0.1", 7000)).recv(1)'
    client perl "$ours" perl -MIO::Socket::INET -e '
        $s = IO::Socket::INET->new("127.0.0.1:7000"); <$s>'
    client bash "$ours" bash -c 'exec 3<>/dev/tcp/127.0.0.1/7000; read -u 3'
    client node "$ours" node -e 'require("net").connect(7000, "127.0.0.1")'

    if command -v javac >/dev/null; then
        cat >"$tmp/Client.java" <<'END'
public class Client {
    public static void main(String[] arguments) throws Exception {
        new java.net.Socket("127.0.0.1", 7000).getInputStream().read();
    }
}
END
        javac -d "$tmp" "$tmp/Client.java"
        client java "$ours" java -cp "$tmp" Client
    else
        echo 'java: not on this machine'
    fi

    server socat "$ours" 7001 socat -u \
        TCP-LISTEN:7001,reuseaddr -
    server python3 "$ours" 7002 python3 -m http.server -b 127.0.0.1 7002
}

# These put values of their own over ours, without force: curl (and git with it)
# the idle time and the interval, node's HTTP client all three, redis-cli the
# idle time and what it computes from it. They are recorded, not approved.
overriding_programs() {
    client curl '1 11 60 60' curl -s http://127.0.0.1:7000/
    client git '1 11 60 60' git ls-remote http://127.0.0.1:7000/nothing
    client redis-cli '1 * 15 *' redis-cli -h 127.0.0.1 -p 7000 ping
    # Node.js has had it since version 18.
    ! command -v node >/dev/null || ! node -e fetch 2>/dev/null ||
        client 'node fetch' '1 * 60 *' node -e 'fetch("http://127.0.0.1:7000/")'
    client 'node http.get' '1 * 1 *' \
        node -e 'require("http").get("http://127.0.0.1:7000/")'

    # The server is the same file as this tool of it, which Debian packages
    # without a service. It sets an idle time of 300 s of its own.
    server redis-check-rdb '1 * 300 *' 7003 bash -c \
        'exec -a redis-server redis-check-rdb --port 7003 --save "" \
            --dir "$0"' "$tmp"
}

# Programs of other packages, for the matrix. Some need a file first.
more_programs() {
    client mysql "$ours" mysql -h 127.0.0.1 -P 7000 -u nobody
    client mosquitto_sub "$ours" mosquitto_sub -h 127.0.0.1 -p 7000 -t topic
    client lftp "$ours" lftp -c 'open ftp://127.0.0.1:7000; ls'
    client tnftp "$ours" tnftp -n -A 127.0.0.1 7000
    client rsync "$ours" rsync rsync://127.0.0.1:7000/module
    client openssl "$ours" openssl s_client -connect 127.0.0.1:7000
    client gnutls-cli "$ours" gnutls-cli -p 7000 127.0.0.1
    client telnet "$ours" sh -c 'sleep 60 | telnet 127.0.0.1 7000'
    client ncat "$ours" ncat --recv-only 127.0.0.1 7000
    client w3m "$ours" w3m -dump http://127.0.0.1:7000/
    client lynx "$ours" lynx -cfg=/dev/null -dump http://127.0.0.1:7000/
    client aria2c "$ours" aria2c -d "$tmp" http://127.0.0.1:7000/file
    client axel "$ours" axel -o "$tmp/axel" http://127.0.0.1:7000/file
    client apt-get "$ours" /usr/lib/apt/apt-helper download-file \
        http://127.0.0.1:7000/file "$tmp/apt"
    client dig "$ours" dig +tcp +time=30 @127.0.0.1 -p 7000 example.org
    client ldapsearch "$ours" ldapsearch -x -H ldap://127.0.0.1:7000
    # FreeTDS has an idle time and an interval of its own.
    client tsql '1 11 40 2' sh -c 'sleep 60 |
        TDSVER=7.4 tsql -H 127.0.0.1 -p 7000 -U nobody -P nothing'
    client iperf3 "$ours" iperf3 -c 127.0.0.1 -p 7000
    client gdb "$ours" gdb -nx -batch -ex 'set remotetimeout 60' \
        -ex 'target remote 127.0.0.1:7000'
    client php "$ours" php -r 'fgets(fsockopen("127.0.0.1", 7000));'
    client ruby "$ours" ruby -rsocket -e 'TCPSocket.new("127.0.0.1", 7000).read'
    client tclsh "$ours" sh -c 'echo "gets [socket 127.0.0.1 7000]" | tclsh'
    command -v rustc >/dev/null &&
        echo 'use std::io::Read;
            fn main() {
                let s = std::net::TcpStream::connect("127.0.0.1:7000");
                let _ = s.unwrap().read(&mut [0]);
            }' | HOME=$user_home rustc -o "$tmp/rust" - 2>/dev/null
    client rustc "$ours" "$tmp/rust"
    # Go does not call the C library: the library cannot reach it. These are
    # Go's own values.
    client hey '1 * 15 15' hey -n 1 -c 1 http://127.0.0.1:7000/

    openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -days 2 \
        -keyout "$tmp/key" -out "$tmp/certificate" 2>/dev/null
    cat "$tmp/key" "$tmp/certificate" >"$tmp/pem"
    server openssl "$ours" 7010 openssl s_server -accept 7010 -quiet \
        -key "$tmp/key" -cert "$tmp/certificate"
    server ncat "$ours" 7011 sh -c 'sleep 60 | ncat -l 127.0.0.1 7011'
    server php "$ours" 7012 php -S 127.0.0.1:7012 -t "$tmp"
    server redis-server '1 * 300 *' 7013 redis-server --port 7013 --save '' \
        --dir "$tmp"
    server memcached "$ours" 7014 memcached -u root -l 127.0.0.1 -p 7014
    server iperf3 "$ours" 7015 iperf3 -s -B 127.0.0.1 -p 7015

    cat >"$tmp/nginx" <<END
daemon off;
error_log stderr;
pid $tmp/nginx.pid;
events { }
http {
    $(nginx_http)
    server { listen 127.0.0.1:7020; root $tmp; }
}
END
    server nginx "$ours" 7020 nginx -e stderr -c "$tmp/nginx"

    modules=/usr/lib/apache2/modules
    [ -d $modules ] || modules=$UNPACKED$modules
    cat >"$tmp/apache" <<END
ServerRoot $tmp
ServerName localhost
DefaultRuntimeDir $tmp
PidFile $tmp/apache.pid
ErrorLog $tmp/apache.log
Listen 127.0.0.1:7021
User nobody
Group nogroup
AcceptFilter http none
LoadModule mpm_event_module $modules/mod_mpm_event.so
LoadModule authz_core_module $modules/mod_authz_core.so
END
    server apache2 "$ours" 7021 apache2 -DFOREGROUND -f "$tmp/apache"

    cat >"$tmp/lighttpd" <<END
server.document-root = "$tmp"
server.bind = "127.0.0.1"
server.port = 7022
END
    server lighttpd "$ours" 7022 lighttpd -D -f "$tmp/lighttpd"

    cat >"$tmp/haproxy" <<END
defaults
    timeout connect 1m
    timeout client 1m
    timeout server 1m
listen proxy
    bind 127.0.0.1:7023
    server silent 127.0.0.1:7000
END
    server haproxy "$ours" 7023 haproxy -db -f "$tmp/haproxy"

    printf 'Port 7024\nListen 127.0.0.1\nTimeout 600\nMaxClients 9\n' \
        >"$tmp/tinyproxy"
    server tinyproxy "$ours" 7024 tinyproxy -d -c "$tmp/tinyproxy"

    cat >"$tmp/stunnel" <<END
foreground = yes
pid =
[proxy]
accept = 127.0.0.1:7025
connect = 127.0.0.1:7000
cert = $tmp/pem
END
    server stunnel "$ours" 7025 stunnel "$tmp/stunnel"

    printf 'listener 7026 127.0.0.1\nuser root\n' >"$tmp/mosquitto"
    server mosquitto "$ours" 7026 mosquitto -c "$tmp/mosquitto"

    printf 'use chroot = no\n' >"$tmp/rsyncd"
    server rsync "$ours" 7027 rsync --daemon --no-detach --port=7027 \
        --address=127.0.0.1 --config="$tmp/rsyncd"

    cat >"$tmp/vsftpd" <<END
listen=YES
background=NO
listen_address=127.0.0.1
listen_port=7028
secure_chroot_dir=$tmp/empty
ftp_username=nobody
END
    mkdir "$tmp/empty"
    server vsftpd "$ours" 7028 vsftpd "$tmp/vsftpd"

    # The server wants its own absolute path, a user called sshd and /run/sshd.
    mount -t tmpfs none /run && mkdir -m 755 /run/sshd
    sed '$a\sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin' /etc/passwd \
        >"$tmp/passwd"
    grep -q ^sshd: /etc/passwd || mount --bind "$tmp/passwd" /etc/passwd
    ssh-keygen -q -t ed25519 -N '' -f "$tmp/hostkey"
    server sshd "$ours" 7030 "$(command -v sshd)" -D -e -f /dev/null -p 7030 \
        -h "$tmp/hostkey" -o ListenAddress=127.0.0.1 -o PidFile=none

    # It refuses to run as root.
    mkdir "$tmp/postgres"
    chown nobody "$tmp/postgres"
    as_nobody='setpriv --reuid=nobody --clear-groups'
    $as_nobody initdb -D "$tmp/postgres" >/dev/null 2>&1
    # shellcheck disable=SC2086
    server postgres "$ours" 7031 $as_nobody postgres -D "$tmp/postgres" \
        -h 127.0.0.1 -p 7031 -k "$tmp/postgres"
}
