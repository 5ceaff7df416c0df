#!/bin/sh
# switches.sh - requests through nginx while the values of its cgroup change
# SPDX-License-Identifier: MIT
#
# ab(1) asks a proxy, which asks a server, each request by new connections. All
# are in one cgroup, which meanwhile gets values, force, an exemption and
# nothing, again and again. Prints what ab counted; fails if a request failed.
. tests/common.sh
. tests/cgroup.sh
PATH=$PATH:/usr/sbin
need nginx ab
requests=${REQUESTS:-100000}

mkdir "$tmp/root"
echo hello >"$tmp/root/file"
cat >"$tmp/nginx" <<EOF
daemon off;
error_log stderr;
pid $tmp/nginx.pid;
user root;
events { }
http {
    $(nginx_http)
    server { listen 127.0.0.1:7001; root $tmp/root; }
    server { listen 127.0.0.1:7000; location / { proxy_pass http://127.0.0.1:7001; } }
}
EOF
inside "$cgroup" nginx -e stderr -c "$tmp/nginx" 2>"$tmp/log" &
for _ in $(seq 100); do
    ! ss -Htln 'sport = :7000' | grep -q . || break
    sleep 0.1
done
inside "$cgroup" ab -q -n "$requests" -c 32 http://127.0.0.1:7000/file \
    >"$tmp/ab" 2>&1 &
client=$!
switches=0
while kill -0 "$client" 2>/dev/null; do
    for flags in '-t 111' '-f -t 222' '-f -t 111' '--off -f' '--off'; do
        # shellcheck disable=SC2086
        put $flags --cgroup "$cgroup"
        switches=$((switches + 1))
    done
done
wait "$client"
echo "$switches switches of the values, $requests requests, failed:" \
    "$(sed -n 's/^Failed requests: *//p' "$tmp/ab")"
expect 'complete' "$requests" "$(sed -n 's/^Complete requests: *//p' "$tmp/ab")"
expect 'failed' 0 "$(sed -n 's/^Failed requests: *//p' "$tmp/ab")"
expect 'nginx complains' '' "$(grep -v 'signal' "$tmp/log")"
finish
