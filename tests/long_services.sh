#!/bin/sh
# long_services.sh - programs that clean the environment, with the lines of the
# manual
# SPDX-License-Identifier: MIT
#
# The lines are those of libkeepalive(7), "Programs that clean the environment".
# Each program that is installed is run without them and with them, in
# namespaces of its own: its processes end with the script, and no job of the
# machine's own cron is run.
. tests/common.sh
need_root
in_namespace -n -m -p -f --kill-child --mount-proc
private_etc
PATH=$PATH:/usr/sbin
need ip python3 ss socat ps
ip link set lo up
mount -t tmpfs none /run || skip 'no private /run'
at_exit='umount -l /etc /run'

# lines PROGRAM: those of its entry in the manual, with our library and values
lines() {
    sed -n "/^\.Ss Programs that clean/,/^\.Ss /{
        /^\.It $1/,/^\.It /{
            s/^\.Dl //p
            /^\.Bd/,/^\.Ed/{ /^\.[BE]d/!p; }
        }
    }" man/libkeepalive.7 | sed "s,/usr/local/lib/libkeepalive.so,$LIBKEEPALIVE,
        s/KEEPIDLE=[0-9]*/KEEPIDLE=222/; s/^[#\$] //" >"$tmp/lines"
    [ -s "$tmp/lines" ] || fail "$1: no lines in the manual"
    cat "$tmp/lines"
}

# with_library COMMAND...: becomes the command, in a session of its own, as some
# of them end their whole process group; use it in a subshell
with_library() {
    export LD_PRELOAD="$LIBKEEPALIVE" KEEPIDLE=222
    exec setsid "$@"
}

listens() { ss -Htln "sport = :$1" | grep -q .; }

# The connections to the server that says nothing.
to_silent() {
    "$COMMAND" -a | awk '$5 ~ /:7000$/ { print $7, $10, $8, $9 }'
}
has_connection() { [ -n "$(to_silent)" ]; }
setsid socat -u TCP-LISTEN:7000,fork,reuseaddr OPEN:/dev/null 2>/dev/null &
wait_until listens 7000

has_child() { ps -o pid= --ppid "$1" >/dev/null; }

get() {
    python3 -c 'import sys, urllib.request
print(urllib.request.urlopen(sys.argv[1], timeout=20).read().decode(), end="")' \
        "$1" 2>&1
}
summary() { xargs | sed 's/SO_KEEPALIVE is //; s/TCP_[A-Z]* = //g'; }

# nginx passes nothing on to the program that replaces it on SIGUSR2. What it
# listens on is inherited, its connections to other servers are new.
nginx_service() {
    cat >"$tmp/nginx" <<END
user root;
error_log stderr;
pid $tmp/nginx.pid;
$1
events { }
http {
    $(nginx_http)
    server {
        listen 127.0.0.1:7001;
        location / { proxy_pass http://127.0.0.1:7000; }
    }
}
END
    (with_library "$(command -v nginx)" -e stderr -c "$tmp/nginx" 2>"$tmp/log")
    # Before it has a worker it would take the signal, but not act on it.
    if ! wait_until test -s "$tmp/nginx.pid" ||
        ! old=$(cat "$tmp/nginx.pid") || ! wait_until has_child "$old" ||
        ! kill -USR2 "$old" || ! wait_until test -s "$tmp/nginx.pid.oldbin" ||
        ! wait_until test -s "$tmp/nginx.pid" || ! kill -QUIT "$old" ||
        ! wait_until test ! -e "/proc/$old"; then
        cat "$tmp/log"
        return
    fi
    python3 -c 'import urllib.request
urllib.request.urlopen("http://127.0.0.1:7001/")' 2>/dev/null &
    wait_until has_connection || cat "$tmp/log"
    to_silent >"$tmp/values"
    kill "$!" "$(cat "$tmp/nginx.pid")"
    wait_until test ! -e "$tmp/nginx.pid"
}

# A program that a PHP script starts. The client is one of FastCGI.
fpm_service() {
    cat >"$tmp/fpm" <<END
[global]
error_log = $tmp/fpm.log
[www]
user = nobody
listen = 127.0.0.1:7002
pm = static
pm.max_children = 1
$1
END
    echo "<?php echo shell_exec('$show');" >"$tmp/script.php"
    # shellcheck disable=SC2154 # see below
    with_library "$fpm" -F -y "$tmp/fpm" 2>"$tmp/log" &
    wait_until listens 7002 || cat "$tmp/log"
    python3 -c 'import socket, struct, sys
def record(kind, content):
    return struct.pack(">BBHHBB", 1, kind, 1, len(content), 0, 0) + content
names = {"SCRIPT_FILENAME": sys.argv[1], "REQUEST_METHOD": "GET"}
pairs = b"".join(bytes([len(n), len(v)]) + (n + v).encode()
                 for n, v in names.items())
with socket.create_connection(("127.0.0.1", 7002), 20) as s:
    s.sendall(record(1, b"\0\1\0\0\0\0\0\0") + record(4, pairs) +
              record(4, b"") + record(5, b""))
    while piece := s.recv(65536):
        sys.stdout.write(piece.decode("latin-1"))' "$tmp/script.php" |
        grep -a -E '^(.*SO_KEEPALIVE|TCP_)' | tr -d '\0' |
        sed 's/.*SO_/SO_/' | summary >"$tmp/values"
    kill "$!"
    wait "$!" 2>/dev/null
}

# A program that Apache starts by CGI.
apache_service() {
    modules=/usr/lib/apache2/modules
    printf '#!/bin/sh\necho Content-type: text/plain\necho\nexec %s\n' \
        "$show" >"$tmp/program"
    chmod 755 "$tmp/program"
    cat >"$tmp/apache" <<END
ServerRoot $tmp
ServerName localhost
DefaultRuntimeDir $tmp
PidFile $tmp/apache.pid
ErrorLog $tmp/apache.log
Listen 127.0.0.1:7003
User nobody
Group nogroup
AcceptFilter http none
LoadModule mpm_prefork_module $modules/mod_mpm_prefork.so
LoadModule authz_core_module $modules/mod_authz_core.so
LoadModule alias_module $modules/mod_alias.so
LoadModule env_module $modules/mod_env.so
LoadModule cgi_module $modules/mod_cgi.so
ScriptAlias /program $tmp/program
$1
END
    with_library apache2 -DFOREGROUND -f "$tmp/apache" 2>"$tmp/log" &
    wait_until listens 7003 || cat "$tmp/log" "$tmp/apache.log"
    get http://127.0.0.1:7003/program | summary >"$tmp/values"
    kill "$!"
    wait "$!" 2>/dev/null
}

tried=
is_there() { # NAME PROGRAM
    if ! command -v "$2" >/dev/null; then
        echo "$1: not installed"
        return 1
    fi
    tried="$tried $1"
}

# service NAME PROGRAM FUNCTION WITHOUT WITH: without the lines, and with them
service() {
    is_there "$1" "$2" || return
    line=$(lines "$1")
    : >"$tmp/values"
    "$3" ''
    expect "$1, without: $line" "$4" "$(cat "$tmp/values")"
    : >"$tmp/values"
    "$3" "$line"
    expect "$1, with: $line" "$5" "$(cat "$tmp/values")"
}

# Jobs of cron, which start with the next minute.
start_cron() {
    mount -t tmpfs none /var/spool/cron || skip 'no private /var/spool/cron'
    at_exit="$at_exit /var/spool/cron"
    mkdir /var/spool/cron/crontabs
    rm -rf /etc/cron* /etc/anacrontab
    mkdir /etc/cron.d
    for half in without with; do
        {
            [ $half = without ] || lines cron
            echo "* * * * * root $show >$tmp/$half; echo end >>$tmp/$half"
        } >"/etc/cron.d/$half"
    done
    with_library cron -f &
}
has_run() { grep -qs end "$tmp/without" && grep -qs end "$tmp/with"; }
! is_there cron cron || start_cron

fpm=$(find /usr/sbin -name 'php-fpm*' 2>/dev/null | sort | head -n 1)
service nginx nginx nginx_service 'off 9 7200 75' 'on 9 222 75'
service Apache apache2 apache_service OFF 'ON 9 222 75'
service PHP-FPM "${fpm:-php-fpm}" fpm_service OFF 'ON 9 222 75'
case $tried in
*cron*)
    wait_until has_run || wait_until has_run || fail 'cron starts no job'
    expect 'cron, without lines' 'OFF end' "$(summary <"$tmp/without")"
    expect 'cron, with lines' 'ON 9 222 75 end' "$(summary <"$tmp/with")"
    ;;
'') skip 'none of these programs is installed' ;;
esac
finish
