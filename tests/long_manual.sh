#!/bin/sh
# long_manual.sh - the command lines of README and of the manuals are run
# SPDX-License-Identifier: MIT
#
# As a reader sees them: the manuals are rendered first. All of it happens in
# namespaces of its own, above a copy of /etc and a layer over /usr. Where a
# line names a program (psql, java, ssh) or a cgroup of a real machine there is
# a stand-in. A command line that is not tried here is an error, as is a line
# that the manuals do not have.
. tests/common.sh
need_root
in_namespace -n -m -p -f --kill-child --mount-proc
private_etc
need mandoc ip ss socat strace
export LC_ALL=C
multiarch=$(${CC:-cc} -print-multiarch)
[ -n "$multiarch" ] || skip 'no directory for each architecture here'
private_usr
source=$PWD

# What is rendered, with a backslash at the end of a line taken in, and without
# what overstrikes.
rendered() {
    mandoc -T ascii -O width=100 "$1" | sed "s/.$(printf '\b')//g"
}
join() { sed -e :join -e '/\\$/{ N; s/\\\n *//; b join' -e '}'; }
{
    for manual in man/*; do
        rendered "$manual" | join | sed -n 's/^ \{5,\}\([#$] \)/\1/p'
    done
    join <README | sed -n 's/^    //p' | sed 's/   *# .*//' | grep -E \
        '^(\$ |apt-get|keepalive |make |LD_PRELOAD=|echo |sysctl |cp |export |install |rm |systemctl )'
} | sed 's/^[#$] //; s/ *$//' | sort -u >"$tmp/commands"

# A line with a # that is neither a prompt nor in the middle of a line would be
# a comment to the reader's shell.
expect 'lines that a shell takes for a comment' '' \
    "$(for manual in man/*; do rendered "$manual"; done | grep '^ *#[^ ]')"

# Programs of the reader's machine. psql and java have a connection each.
mkdir "$tmp/bin" "$tmp/run" "$tmp/here"
ln -s "$BUILD" "$tmp/here/build"
cp "$show" "$tmp/bin/psql"
cp "$show" "$tmp/bin/ssh"
cp "$(command -v socat)" "$tmp/run/psql"
cp "$(command -v socat)" "$tmp/run/java"
PATH=$tmp/bin:$PATH
ip link set lo up
ip addr add 192.0.2.10/32 dev lo
setsid socat -u TCP-LISTEN:5432,fork OPEN:/dev/null 2>/dev/null &
listens() { ss -Htln 'sport = :5432' | grep -q .; }
wait_until listens || fail 'no server'
for program in psql java; do
    setsid "$tmp/run/$program" -u TCP:192.0.2.10:5432 - >/dev/null 2>&1 &
done
connected() { [ "$(ss -Htn state established 'dport = :5432' | wc -l)" = 2 ]; }
wait_until connected || fail 'no connections'

# The manual's make builds beside the tree's own build.
make() { command make -s -C "$source" BUILD="$tmp/build" "$@"; }

: >"$tmp/tried"
# try COMMAND STATUS PATTERN: it is in README or in a manual, ends with this
# status and prints what a pattern of the shell matches
try() {
    grep -Fxq -e "$1" "$tmp/commands" || fail "neither README nor a manual has: $1"
    printf '%s\n' "$1" >>"$tmp/tried"
    command=$(printf '%s\n' "$1" | sed "s/x86_64-linux-gnu/$multiarch/g
        s,system.slice/nginx.service,${cgroup-},; s, DIR\$, ${cgroup-},")
    got=$(cd "$tmp/here" && eval "$command" 2>&1)
    status=$?
    [ "$status" = "$2" ] || fail "$1: status $status, and: $got"
    # shellcheck disable=SC2254
    case $got in
    $3) ;;
    *) fail "$1: it prints: $got" ;;
    esac
}
# tried_by TEST BEGINNING...: another test has what begins with these words
tried_by() {
    [ -e "$1" ] || fail "no $1"
    shift
    for beginning; do
        grep -F -e "$beginning" "$tmp/commands" >>"$tmp/tried" ||
            fail "neither README nor a manual has: $beginning"
    done
}

# README: from the top to "What else the command does".
sample() { # COMMAND: what README shows below it
    join <README | sed -n 's/^    //p' | awk -v command="\$ $1" '
        /^\$ / { here = $0 == command || index($0, command "  ") == 1; next }
        here'
}
for command in build/examples/show \
    'LD_PRELOAD=$PWD/build/libkeepalive.so KEEPCNT=20 KEEPIDLE=180 KEEPINTVL=60 build/examples/show'; do
    try "$command" 0 "$(sample "$command")"
done
LD_PRELOAD=$LIBKEEPALIVE KEEPIDLE=180 setsid socat -u TCP:192.0.2.10:5432 - &
timer() { ss -tno | grep -q 'timer:(keepalive,2min'; }
wait_until timer || fail 'ss shows no timer'
try 'ss -tno' 0 '*ESTAB*timer:(keepalive,2min*'
kill $!
case $(sample 'ss -tno') in
ESTAB*'timer:(keepalive,2min'*) ;;
*) fail "README's sample of ss: $(sample 'ss -tno')" ;;
esac

try 'make install' 0 ''
hash -r
try 'keepalive -t 2m -i 30 -c 5 psql -h db' 0 '*ON*= 5*= 120*= 30'
try 'LD_PRELOAD=/usr/local/lib/libkeepalive.so KEEPIDLE=120 psql -h db' 0 \
    '*ON*= 120*'
try 'keepalive -t 2m psql -h db' 0 '*ON*= 120*'
try 'LD_PRELOAD=/usr/local/lib/libkeepalive.so KEEPIDLE=2m psql -h db' 0 \
    '*ON*= 120*'
try 'strace -f -e trace=socket,setsockopt -E KEEPIDLE=120 -E LD_PRELOAD=/usr/local/lib/libkeepalive.so ssh host' \
    0 '*socket*SO_KEEPALIVE*TCP_KEEPIDLE*120*ON*'
try 'sysctl -w net.ipv4.tcp_keepalive_time=120' 0 '*= 120'
try 'sysctl -w net.ipv4.tcp_keepalive_intvl=30' 0 '*= 30'
try 'sysctl -w net.ipv4.tcp_keepalive_probes=5' 0 '*= 5'
expect 'sysctl alone' 'SO_KEEPALIVE is OFF' "$("$show")"
try 'cp /usr/local/share/doc/keepalive/examples/profile.sh /etc/profile.d/keepalive.sh' 0 ''
case $(sh -c '. /etc/profile.d/keepalive.sh; exec "$0"' "$show") in
*ON*'= 120'*) ;;
*) fail 'the profile has no effect' ;;
esac
try 'export LD_PRELOAD=/usr/local/lib/libkeepalive.so KEEPIDLE=120' 0 ''
expect 'and what is started then' 'SO_KEEPALIVE is ON' \
    "$(export LD_PRELOAD=/usr/local/lib/libkeepalive.so; "$show" | head -n 1)"
try 'install -Dm644 /usr/local/share/doc/keepalive/examples/service.conf /etc/systemd/system/NAME.service.d/keepalive.conf' 0 ''
touch /etc/sysctl.d/keepalive.conf
try 'rm /etc/profile.d/keepalive.sh /etc/sysctl.d/keepalive.conf' 0 ''
try 'rm /etc/systemd/system/NAME.service.d/keepalive.conf' 0 ''

# The sockets of running programs.
try 'keepalive -a -m' 4 '*psql*off*java*off*'
try 'keepalive -p psql' 0 '*psql*off*'
try 'keepalive -t 120 -p psql' 0 '*off->on*120*'
try 'keepalive -t 60 -i 10 -c 6 -p java' 0 '*off->on*60*10*6*'
try 'keepalive -a -m -t 120' 0 '*off->on*'

# A cgroup
mount=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
cgroup=${mount:-/none}/$group_name
if mkdir "$cgroup" 2>/dev/null; then
    at_exit="remove_group '$cgroup'; $at_exit"
    if keepalive -t 5 -i 5 --cgroup "$cgroup" >"$tmp/out" 2>&1; then
        try 'keepalive -t 120 --cgroup system.slice/nginx.service' 0 '*120*'
        try 'keepalive --cgroup system.slice/nginx.service' 0 '*120*'
        try 'keepalive -t 120 -i 30 -c 5 --cgroup system.slice/nginx.service' 0 \
            '*120*30*5*'
        try 'keepalive --off --cgroup DIR' 0 '*'
    else
        echo "--cgroup: $(cat "$tmp/out")"
    fi
fi
if ! grep -q -e --cgroup "$tmp/tried"; then
    tried_by tests/test_cgroup.sh --cgroup
fi

# The whole machine, by the command and by hand. By hand other libraries are
# there, but the command finds its own.
try 'make uninstall' 0 '*'
try 'make install prefix=/usr libdir=/usr/lib/x86_64-linux-gnu/keepalive' 0 ''
hash -r
try 'LD_PRELOAD=/usr/lib/x86_64-linux-gnu/keepalive/libkeepalive.so sh -c true' \
    0 ''
try 'keepalive --global on' 0 '*'
expect 'a program that starts then' 'SO_KEEPALIVE is ON' "$("$show" | head -n 1)"
try 'keepalive --global status' 0 '*'
try 'keepalive --global off' 0 '*'
expect 'a program that starts then' 'SO_KEEPALIVE is OFF' "$("$show")"
for command in \
    'echo /usr/lib/x86_64-linux-gnu/keepalive/libkeepalive.so >>/etc/ld.so.preload' \
    "printf '%s\\n' '/usr/\$LIB/keepalive/libkeepalive.so' >>/etc/ld.so.preload"; do
    try "$command" 0 ''
    expect "$command" 'SO_KEEPALIVE is ON' "$("$show" 2>&1 | head -n 1)"
    try 'grep libkeepalive /proc/self/maps' 0 '*libkeepalive.so*'
    try ': >/etc/ld.so.preload' 0 ''
    expect 'the rescue line' 'SO_KEEPALIVE is OFF' "$("$show" 2>&1)"
    try "$command" 0 ''
    try "sed -i '/libkeepalive\\.so\$/d' /etc/ld.so.preload" 0 ''
    expect 'the line is taken out' '' "$(cat "$preload_file")"
done
try 'sleep 1' 0 ''
try 'make uninstall prefix=/usr libdir=/usr/lib/x86_64-linux-gnu/keepalive' 0 '*'
expect 'nothing is left' '' "$(find /usr -name '*keepalive*' \
    -newer "$tmp/commands" ! -type d 2>/dev/null)"

tried_by tests/clean.sh apt-get
tried_by tests/long_packages.sh 'make deb rpm'
tried_by tests/test_system.sh /lib/ld-linux.so.2 "make CC='gcc -m32'"
# They need a server, or an init, of the machine.
tried_by man/libkeepalive.7 postconf 'tmux new' 'screen -X' systemctl
expect 'command lines that are not tried here' '' \
    "$(sort -u "$tmp/tried" | comm -13 - "$tmp/commands")"
finish
