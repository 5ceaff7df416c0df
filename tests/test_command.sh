#!/bin/sh
# test_command.sh - `keepalive COMMAND`: what the command gets, and what is said
# SPDX-License-Identifier: MIT
. tests/common.sh
need objcopy readelf python3

# The flags and what they stand for
# shellcheck disable=SC2016
settings='echo "${KEEPALIVE-} ${KEEPCNT-} ${KEEPIDLE-} ${KEEPINTVL-}" \
    ${KEEPTIMEOUT-}'
while IFS='|' read -r flags expected; do
    # shellcheck disable=SC2086
    expect "keepalive $flags" "$expected" \
        "$("$COMMAND" -q $flags sh -c "$settings" 2>&1)"
done <<'END'
|   
-t 60|  60 
-t60 -i 7 -c 3| 3 60 7
--idle 60 --interval 7 --count 3| 3 60 7
--idle=32767 --interval=1 --count=127| 127 32767 1
-t 60 -t 61|  61 
-u 5|    5
-t 4m -i 30s -u 1h|  240 30 3600
--timeout 2147483|    2147483
-f|force   
--force -t 60|force  60 
-o|off   
-t 60 --|  60 
END
expect 'a long number' 60 "$("$COMMAND" -q -t "$(printf %099d 60)" "$show" |
    sed -n 's/TCP_KEEPIDLE *= //p')"
expect 'the environment has the rest, but not its KEEPALIVE=off' ' 5 60 ' \
    "$(KEEPALIVE=off KEEPCNT=5 KEEPIDLE=9 "$COMMAND" -q -t 60 \
        sh -c "$settings")"
expect 'nor a KEEPALIVE=0' '   ' \
    "$(KEEPALIVE=0 "$COMMAND" -q sh -c "$settings")"
expect 'the environment has force' 'FORCE   ' \
    "$(KEEPALIVE=FORCE "$COMMAND" sh -c "$settings")"
expect "another program's KEEPALIVE" '65   ' \
    "$(KEEPALIVE=65 "$COMMAND" sh -c "$settings")"
expect 'the command has flags of its own' '-t 5 --off' \
    "$("$COMMAND" echo -t 5 --off)"
expect 'its sockets' 'SO_KEEPALIVE is ON
TCP_KEEPCNT   = 3
TCP_KEEPIDLE  = 60
TCP_KEEPINTVL = 7' "$("$COMMAND" -t 60 -i 7 -c 3 "$show" 2>&1)"
expect 'its sockets, off' 'SO_KEEPALIVE is OFF' "$("$COMMAND" --off "$show")"

# Values that together do what few expect: a hint each, and the command runs.
# What is not given is the system's.
system=$(cat /proc/sys/net/ipv4/tcp_keepalive_intvl)
interval="keepalive: the idle time, 1 s, is below the interval: after the first, \
probes come every $system s; set the interval as well (-i, KEEPINTVL)"
[ "$system" -gt 1 ] || interval=
lost='keepalive: one lost probe ends an idle connection: the timeout,'
above='is not above idle time plus interval, 5 + 2 s (-u, KEEPTIMEOUT)'
# hint EXPECTED [VARIABLE=VALUE...] [FLAG...]
hint() {
    expected=$1
    shift
    expect "$*" "${expected:+$expected
}it runs" "$(env -- "$@" echo 'it runs' 2>&1)"
}
hint "$interval" "$COMMAND" -t 1
hint "$interval" KEEPIDLE=1 "$COMMAND"
hint '' "$COMMAND" -t 1 -i 2
hint '' KEEPINTVL=2 "$COMMAND" -t 1
hint '' "$COMMAND" -t 32767
hint "$lost 6 s, $above" "$COMMAND" -t 5 -i 2 -u 6
hint "$lost 7 s, $above" "$COMMAND" -t 5 -i 2 -u 7
hint "$lost 7 s, $above" KEEPIDLE=5 KEEPINTVL=2 KEEPTIMEOUT=7 "$COMMAND"
hint "$lost 7 s, $above" KEEPIDLE=9 KEEPTIMEOUT=7 "$COMMAND" -t 5 -i 2
hint '' "$COMMAND" -t 5 -i 2 -u 8
hint '' KEEPIDLE=5 KEEPINTVL=2 KEEPTIMEOUT=7 "$COMMAND" --quiet
hint '' KEEPIDLE=5 KEEPINTVL=2 KEEPTIMEOUT=7 "$COMMAND" --off

# What is wrong with a command line: status 125, one line, nothing is run
while IFS='|' read -r flags expected; do
    # shellcheck disable=SC2086
    said=$("$COMMAND" $flags touch "$tmp/run" 2>&1)
    expect "keepalive $flags: status" 125 $?
    expect "keepalive $flags" "keepalive: $expected" "$said"
    [ ! -e "$tmp/run" ] || fail "keepalive $flags: runs the command"
    rm -f "$tmp/run"
done <<'END'
-t 5M|--idle: '5M' is not a whole number of seconds from 1 to 32767 (5m is 300)
-t 0|--idle: '0' is not a whole number of seconds from 1 to 32767 (5m is 300)
--idle=32768|--idle: '32768' is not a whole number of seconds from 1 to 32767 (5m is 300)
-t 10h|--idle: '10h' is not a whole number of seconds from 1 to 32767 (5m is 300)
-i -1|--interval: '-1' is not a whole number of seconds from 1 to 32767 (5m is 300)
-c 128|--count: '128' is not a whole number of probes from 1 to 127
-c 5m|--count: '5m' is not a whole number of probes from 1 to 127
--count=|--count: '' is not a whole number of probes from 1 to 127
-u 2147484|--timeout: '2147484' is not a whole number of seconds from 0 to 2147483 (5m is 300)
--force -p 1|--force cannot be used with --pid
-q -p 1|--quiet cannot be used with --pid
-o -t 5 -p 1|--idle cannot be used with --off
-o -c 5 true|--count cannot be used with --off
-o -f true|--force cannot be used with --off
-f -o true|--force cannot be used with --off
-a -m -o|--missing cannot be used with --off
-a -p 1|--all cannot be used with --pid
-m -t 5|--missing needs --pid or --all
--json|--json needs --pid or --all or --global or --cgroup
-g status -p|--global cannot be used with --pid
-Z|invalid option -- 'Z'
-:|invalid option -- ':'
--json=1|option '--json=1' doesn't allow an argument
-o -f -p 1|--force cannot be used with --pid
-f -o --cgroup self|--cgroup: unexpected argument 'touch'
--nonsense|unrecognized option '--nonsense'
END
expect 'no argument' "keepalive: option '--idle' requires an argument
keepalive: option '-qt' requires an argument
125" "$("$COMMAND" --idle 2>&1; "$COMMAND" -qt 2>&1; echo $?)"
expect 'an escape sequence in a flag' \
    "keepalive: unrecognized option '--?[31m'" \
    "$("$COMMAND" "$(printf -- '--\033[31m')" 2>&1)"
expect 'an escape sequence as a flag' "keepalive: invalid option -- '?'" \
    "$("$COMMAND" "$(printf -- '-q\033[31m')" 2>&1)"
# A message is one write(2): of a packet each there is one.
expect 'a long message' 1 "$(python3 -c 'import socket, subprocess, sys
ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
subprocess.run([sys.argv[1], "--global", 12000 * "x"], stderr=its)
its.close()
print(len(list(iter(lambda: ours.recv(65536), b""))))' "$COMMAND")"
expect 'no command' \
    'keepalive: no command given; see keepalive --help
125' "$("$COMMAND" 2>&1; echo $?)"
expect 'a full disk' '125' \
    "$("$COMMAND" --help >/dev/full 2>/dev/null; echo $?)"
expect 'the version' "keepalive $(sed -n 's/^VERSION = //p' Makefile)" \
    "$("$COMMAND" --version)"

# LD_PRELOAD: in front, once, the rest in its order
other=$BUILD/tests/empty.so
after() {
    # shellcheck disable=SC2016
    LD_PRELOAD=$1 "$COMMAND" sh -c 'echo "$LD_PRELOAD"'
}
while IFS='|' read -r before expected; do
    expect "LD_PRELOAD=$before" "$expected" "$(after "$before")"
done <<END
 |$LIBKEEPALIVE
$other|$LIBKEEPALIVE:$other
$LIBKEEPALIVE|$LIBKEEPALIVE
$LIBKEEPALIVE:$other|$LIBKEEPALIVE:$other
$other:$LIBKEEPALIVE|$LIBKEEPALIVE:$other
:$other: ${LIBKEEPALIVE} $LIBKEEPALIVE:|$LIBKEEPALIVE:$other
$other:libc.so.6|$LIBKEEPALIVE:$other:libc.so.6
END
ln -s "$LIBKEEPALIVE" "$tmp/link.so"
expect 'the library by another path' "$LIBKEEPALIVE:$other" \
    "$(after "$tmp/link.so:$other:$(dirname "$LIBKEEPALIVE")//libkeepalive.so")"
# shellcheck disable=SC2016
expect 'LD_PRELOAD with --off' "$other off" "$(LD_PRELOAD=$other "$COMMAND" \
    --off sh -c 'echo "$LD_PRELOAD $KEEPALIVE"')"

# Of two variables of one name, which python3 makes here, the loader obeys the
# last, and so do some programs.
if command -v python3 >/dev/null; then
    cat >"$tmp/twice.py" <<'END'
import ctypes, sys
def vector(words):
    return (ctypes.c_char_p * (len(words) + 1))(*words, None)
words = [word.encode() for word in sys.argv[1:]]
ctypes.CDLL(None).execve(words[0], vector(words), vector([
    b"LD_PRELOAD=", b"KEEPIDLE=11", b"PATH=/usr/bin:/bin", b"LD_PRELOAD=libc.so.6",
    b"KEEPIDLE=22"]))
END
    expect 'variables that are there twice' "KEEPIDLE=60
LD_PRELOAD=$LIBKEEPALIVE:libc.so.6" "$(python3 "$tmp/twice.py" "$COMMAND" -qt 60 \
        cat /proc/self/environ | tr '\0' '\n' | grep '^KEEP\|^LD_' | sort)"
fi

# In place: the same process, with the same signals
# shellcheck disable=SC2016
expect 'the same process' same "$(sh -c 'pid=$$
    exec "$0" sh -c "[ \$\$ = $pid ] && echo same"' "$COMMAND")"
signals() {
    (
        trap '' INT USR1
        exec "$@" grep '^Sig[BIC]' /proc/self/status
    )
}
expect 'the same signals' "$(signals env)" "$(signals "$COMMAND")"

# status EXPECTED COMMAND...
status() {
    expected=$1
    shift
    "$COMMAND" -q "$@" >"$tmp/out" 2>"$tmp/err"
    expect "status of $*" "$expected" $?
}
status 0 true
status 7 sh -c 'exit 7'
# shellcheck disable=SC2016
status 143 sh -c 'kill -TERM $$'
# A directory of PATH that cannot be searched would be the error.
PATH=/usr/bin:/bin status 127 nothing-of-this-name
expect 'said of it' \
    'keepalive: nothing-of-this-name: No such file or directory' \
    "$(cat "$tmp/err")"
status 126 /etc/passwd
status 126 /etc

# Neither the current directory nor one where all may write is searched.
mkdir "$tmp/decoy"
cp "$LIBKEEPALIVE" "$COMMAND" "$tmp/decoy"
expect 'a library in the current directory' "$LIBKEEPALIVE" \
    "$(cd "$tmp/decoy" && PATH=.:$PATH after '')"
chmod 777 "$tmp/decoy"
# shellcheck disable=SC2016
"$tmp/decoy/keepalive" sh -c 'echo "$LD_PRELOAD"' 2>&1 | grep -q decoy &&
    fail 'a library where all may write'
chmod 755 "$tmp/decoy"
# shellcheck disable=SC2016
expect 'a library beside the command, as in a build tree' \
    "$tmp/decoy/libkeepalive.so" \
    "$("$tmp/decoy/keepalive" sh -c 'echo "$LD_PRELOAD"')"
mkdir "$tmp/with blank"
cp "$LIBKEEPALIVE" "$COMMAND" "$tmp/with blank"
"$tmp/with blank/keepalive" true 2>"$tmp/err"
expect 'a path that the loader would take apart' 125 $?
expect 'a path that the loader would take apart: lines' 1 \
    "$(grep -c 'with blank' "$tmp/err")"

# Programs out of reach. "WORD NAME" below: the one line holds WORD; `-`: none
mkdir "$tmp/bin"
cat >"$tmp/main.c" <<'END'
#include <stdio.h>
int main(void) { return puts("it runs") < 0; }
END
${CC:-cc} -o "$tmp/bin/plain" "$tmp/main.c"
${CC:-cc} -static -o "$tmp/bin/static" "$tmp/main.c"
${CC:-cc} -static-pie -o "$tmp/bin/static-pie" "$tmp/main.c" 2>/dev/null ||
    cp "$tmp/bin/static" "$tmp/bin/static-pie"
echo '1234567' >"$tmp/note"
for section in .go.buildinfo .note.go.buildid; do
    objcopy --add-section "$section=$tmp/note" "$tmp/bin/plain" \
        "$tmp/bin/$section"
done
objcopy --add-section ".go.nothing=$tmp/note" "$tmp/bin/plain" \
    "$tmp/bin/not-go"
script() {
    printf '%b\n' "$2" >"$tmp/bin/$1"
    chmod 755 "$tmp/bin/$1"
}
script shell '#!/bin/sh\necho it runs'
script of-static "#! $tmp/bin/static with arguments"
script of-script "#!$tmp/bin/of-static"
script of-env '#!/usr/bin/env static'
script of-env-strings '#!/usr/bin/env -S A=1 static -u'
script of-env-shell '#!/usr/bin/env sh\necho it runs'
script of-env-unknown '#!/usr/bin/env -S -uA static'
# Commands that run others: some clean the environment on the way, and some have
# a different program run it. Each is a stand-in of its name.
for name in sudo pkexec su runuser setpriv systemd-run systemctl \
    supervisorctl postfix docker podman nerdctl snap flatpak tmux screen; do
    cp "$tmp/bin/plain" "$tmp/bin/$name"
done
script doas '#!/bin/sh\necho it runs'
script service '#!/bin/sh\necho it runs'
script invoke-rc.d '#!/bin/sh\necho it runs'
script pg_ctlcluster '#!/usr/bin/env sh\necho it runs'
ln -s snap "$tmp/bin/application"
ln -s systemd-run "$tmp/bin/run0"
# A server of tmux, as far as can be seen
unset TMUX STY
export TMUX_TMPDIR="$tmp/tmux"
socket=$TMUX_TMPDIR/tmux-$(id -u)/default
mkdir -p "${socket%/*}"
python3 -c 'import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(99)
print("ready", flush=True)
time.sleep(600)' "$socket" >"$tmp/ready" &
# shellcheck disable=SC2034 # common.sh runs it
at_exit="kill $!"
until [ -s "$tmp/ready" ]; do
    kill -0 $! || exit 1
    sleep 0.1
done
script no-interpreter 'echo it runs'
script empty-interpreter '#!\necho it runs'
script circle "#!$tmp/bin/circle"
cp "$tmp/bin/static" "$tmp/bin/unreadable"
chmod 111 "$tmp/bin/unreadable"
# The kernel runs these no more than the loader: nothing is known of them. They
# are behind a nice that runs nothing, as a shell would take them for a script.
mkdir "$tmp/stand-in"
printf '#!/bin/sh\n' >"$tmp/stand-in/nice"
chmod 755 "$tmp/stand-in/nice"
for size in 20 64 100 1G; do
    head -c $size "$tmp/bin/static" >"$tmp/bin/first-$size"
    chmod 755 "$tmp/bin/first-$size"
    expect "the first $size bytes of a program" "$([ $size != 1G ] || echo 1)" \
        "$("$COMMAND" "$tmp/stand-in/nice" "$tmp/bin/first-$size" 2>&1 |
            grep -c 'is statically' | grep -vx 0)"
done
PATH=$tmp/bin:$PATH
while read -r expected name; do
    # shellcheck disable=SC2086 # some are several words
    set -- $name
    "$COMMAND" "$@" >"$tmp/out" 2>"$tmp/err"
    grep -v '^keepalive: ' "$tmp/err" >"$tmp/others"
    expect "$name: lines" "$([ "$expected" = - ] || echo 1)" \
        "$(grep -c '^keepalive: .*; .*' "$tmp/err" | grep -v '^0$')"
    [ "$expected" = - ] || grep -q "$expected" "$tmp/err" ||
        fail "$name: $expected: $(cat "$tmp/err")"
    expect "$name: no other words" '' "$(cat "$tmp/others")"
    expect "$name: runs" 'it runs' "$(cat "$tmp/out")"
    expect "$name: quiet" 'it runs' "$("$COMMAND" -q "$@" 2>&1)"
    expect "$name: nothing to do" 'it runs' "$("$COMMAND" --off "$@" 2>&1)"
done <<END
- plain
- not-go
- $tmp/bin/plain
static static
static $tmp/bin/static
static static-pie
Go .go.buildinfo
Go .note.go.buildid
- shell
static of-static
static of-script
static of-env
static of-env-strings
- of-env-shell
static of-env-unknown
static env A=1 B= static
static env env static
static env -u A static
- env plain
static env -- static
static env -C / static
static env -u A -C / B=1 static
static nohup static
static nice static
static nice -n 1 static
static timeout 9 static
static timeout -k 9 -s INT 9 static
static timeout --signal INT 9s static
static setsid -w static
static env nice -n 1 timeout 9 static
- timeout 9 plain
- nice env A=1 plain
sudo.keepalive sudo plain
sudo.keepalive sudo -u nobody plain
sudo.keepalive doas plain
sudo.keepalive pkexec plain
sudo.keepalive env -i $tmp/bin/plain
sudo.keepalive env -u LD_PRELOAD plain
sudo.keepalive env --unset=LD_PRELOAD plain
sudo.keepalive env LD_PRELOAD= plain
sudo.keepalive nice env - $tmp/bin/plain
sudo.keepalive env -iC / $tmp/bin/plain
sudo.keepalive env -iuA $tmp/bin/plain
sudo.keepalive env --ignore-env $tmp/bin/plain
sudo.keepalive env -uLD_PRELOAD plain
static env -S A=1 static
static env -Senv -Senv static
- env -Senv -Senv -Senv -Senv -Senv -Senv -Senv static
- env --chdir=/ plain
- no-interpreter
- empty-interpreter
- env LD_PRELOAD=$LIBKEEPALIVE plain
- env LD_PRELOAD=libc.so.6:$LIBKEEPALIVE plain
sudo.keepalive env LD_PRELOAD=libc.so.6 plain
sudo.keepalive run0 plain
- su nobody
- su -c plain
- su -g login nobody
- su nobody -- -l
sudo.keepalive su -
sudo.keepalive su -l nobody
sudo.keepalive su nobody -l
sudo.keepalive su -c plain --login nobody
sudo.keepalive runuser nobody --login
- runuser -u nobody plain
- setpriv --reuid 65534 --clear-groups plain
static setpriv --reuid 65534 --clear-groups static
sudo.keepalive setpriv --reuid 65534 --clear-groups --reset-env plain
systemd-run.keepalive systemd-run plain
- systemd-run --scope plain
- systemd-run -E LD_PRELOAD=$LIBKEEPALIVE plain
- systemd-run -u static --scope -p A=1 plain
static systemd-run --slice plain --scope static
systemctl.edit systemctl start nginx
service.conf service nginx start
service.conf invoke-rc.d nginx start
supervisord supervisorctl start app
file.environment pg_ctlcluster 15 main start
import_environment postfix start
examples/Dockerfile docker run debian
examples/Dockerfile podman run debian
examples/Dockerfile nerdctl run debian
sandbox snap run application
sandbox application
sandbox $tmp/bin/application
sandbox flatpak run org.example.Application
in.its.window tmux
in.its.window tmux -L default new plain
in.its.window tmux -S $socket ls
- tmux -L other new plain
- tmux -Lother new plain
- tmux -f $tmp/note -L other new plain
- screen
- screen vi -r
static screen -S name static
in.its.window screen -dr
END
server() {
    "$COMMAND" "$@" 2>&1 | grep -c 'server that runs already'
}
expect 'tmux: no server' 0 "$(TMUX_TMPDIR=$tmp server tmux)"
expect 'tmux: its window' 1 "$(TMUX_TMPDIR=$tmp TMUX=$socket,1,0 server tmux)"
expect 'tmux: another server' 0 \
    "$(TMUX=$socket,1,0 server tmux -L other new plain)"
# One that accepts nothing, and whose queue is full, is not waited for.
mkdir -p "$tmp/full/tmux-$(id -u)"
expect 'tmux: a server that hangs' 1 "$(python3 -c 'import socket, subprocess, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(0)
clients = []
try:
    while True:
        clients.append(socket.socket(socket.AF_UNIX))
        clients[-1].setblocking(False)
        clients[-1].connect(sys.argv[1])
except BlockingIOError:
    subprocess.run(sys.argv[2:], timeout=60)' "$tmp/full/tmux-$(id -u)/default" \
    env TMUX_TMPDIR="$tmp/full" "$COMMAND" tmux 2>&1 |
    grep -c 'server that runs already')"
expect 'screen: its window' 1 "$(STY=1.pts server screen)"
expect 'screen: a server of its own' 0 "$(STY=1.pts server screen -dm)"
expect "a program of one's own" 'it runs' \
    "$(cd "$tmp" && "$COMMAND" bin/service 2>&1)"
expect 'systemd-run of keepalive itself' 'it runs' \
    "$("$COMMAND" systemd-run keepalive plain 2>&1)"
expect 'a word of a program' 1 \
    "$("$COMMAND" static keepalive 2>&1 | grep -c 'statically linked')"
# No escape sequence of a path reaches the terminal.
escape=$(printf 'static\033[31m')
cp "$tmp/bin/static" "$tmp/bin/$escape"
expect 'the path of a program' 1 "$("$COMMAND" "$escape" 2>&1 |
    grep -c "^keepalive: $tmp/bin/static?\[31m is statically linked")"
script of-escape "#!$tmp/bin/static\\033[31m"
expect 'the path of an interpreter' 1 "$("$COMMAND" of-escape 2>&1 |
    grep -c "^keepalive: $tmp/bin/static?\[31m is statically linked")"
expect 'more words than are looked at' 'it runs' \
    "$("$COMMAND" env -S "$(printf 'A=%d ' $(seq 90)) plain" 2>&1)"
expect 'sudo of keepalive itself' 'it runs' "$("$COMMAND" sudo keepalive plain 2>&1)"
# The loader has no loader, and yet what it starts can be helped.
loader=$(readelf -lW "$tmp/bin/plain" |
    sed -n 's/.*program interpreter: \(.*\)]/\1/p')
expect 'the loader as the command' 'it runs' \
    "$("$COMMAND" "$loader" "$tmp/bin/plain" 2>&1)"
# Why a command does not start: what execvp(3) says of it, and two causes
script missing '#!/no/such/interpreter\n'
script no-permission '#!/bin/sh\n'
chmod 644 "$tmp/bin/no-permission"
expect 'no such interpreter' \
    "keepalive: $tmp/bin/missing: the interpreter or loader that it needs was \
not found
127" "$("$COMMAND" "$tmp/bin/missing" 2>&1; echo $?)"
expect 'an empty name' "keepalive: '': No such file or directory" \
    "$("$COMMAND" '' 2>&1)"
expect 'no permission' \
    "keepalive: $tmp/bin/no-permission: the file has no execute permission" \
    "$("$COMMAND" "$tmp/bin/no-permission" 2>&1)"

expect 'a circle of scripts' '126' \
    "$("$COMMAND" "$tmp/bin/circle" 2>/dev/null; echo $?)"

# Another class: the file is not run here, so what the kernel says is cut off.
other_class() {
    python3 -c 'import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[4] = 3 - data[4]
open(sys.argv[2], "wb").write(data)' "$1" "$2"
    chmod 755 "$2"
}
other_class "$tmp/bin/plain" "$tmp/bin/other"
expect 'another class' 1 \
    "$("$COMMAND" "$tmp/bin/other" 2>&1 | grep -ac '^keepalive: .*another word size')"

# With a library for it in the directory that $LIB stands for there, one entry
# serves both.
mkdir -p "$tmp/usr/lib64" "$tmp/usr/lib"
cp "$LIBKEEPALIVE" "$COMMAND" "$tmp/usr/lib64"
# shellcheck disable=SC2016
entry='echo "$LD_PRELOAD"'
expect 'no twin' "$tmp/usr/lib64/libkeepalive.so" \
    "$("$tmp/usr/lib64/keepalive" sh -c "$entry" 2>/dev/null)"
cp "$LIBKEEPALIVE" "$tmp/usr/lib"
expect 'no twin, but one of the same class' "$tmp/usr/lib64/libkeepalive.so" \
    "$("$tmp/usr/lib64/keepalive" sh -c "$entry" 2>/dev/null)"
other_class "$LIBKEEPALIVE" "$tmp/usr/lib/libkeepalive.so"
# shellcheck disable=SC2016
expect 'a twin' "$tmp"'/usr/$LIB/libkeepalive.so' \
    "$("$tmp/usr/lib64/keepalive" sh -c "$entry" 2>/dev/null)"
# shellcheck disable=SC2016
expect 'a twin, LD_PRELOAD has its path' "$tmp"'/usr/$LIB/libkeepalive.so' \
    "$(LD_PRELOAD=$tmp/usr/lib64/libkeepalive.so "$tmp/usr/lib64/keepalive" \
        sh -c "$entry" 2>/dev/null)"
expect 'another class, a twin' 0 \
    "$("$tmp/usr/lib64/keepalive" "$tmp/bin/other" 2>&1 |
        grep -ac '^keepalive: .*another word size')"

# More rights than the caller's, and files that cannot be read. Another user
# need not reach the tree, so the command is one in $tmp.
if [ "$(id -u)" != 0 ] || ! command -v setpriv >/dev/null; then
    finish
    skip 'the rest needs root and setpriv'
fi
rm "$tmp/bin/setpriv"
chmod 755 "$tmp/decoy"/*
reachable=$tmp/decoy/keepalive
rights() {
    cp "$tmp/bin/plain" "$tmp/bin/$1"
}
rights set-user-id && chmod 4755 "$tmp/bin/set-user-id"
rights set-group-id && chmod 2755 "$tmp/bin/set-group-id"
rights locking && chmod 2745 "$tmp/bin/locking"
rights capable && python3 -c 'import os, sys
os.setxattr(sys.argv[1], "security.capability",
            bytes.fromhex("01000002" "00040000" "00000000" + "00" * 8))' \
    "$tmp/bin/capable"
# capabilities NAME FLAGS SETS: some give none, as empty and inheritable sets
capabilities() {
    rights "$1" && python3 -c 'import os, sys
os.setxattr(sys.argv[1], "security.capability",
            bytes.fromhex((sys.argv[2] + "000002" + sys.argv[3]).ljust(40, "0")))' \
        "$tmp/bin/$1" "$2" "$3"
}
capabilities no-sets 00 0
capabilities inheritable 00 0000000000200000
capabilities permitted 00 0020000000000000
capabilities high 00 000000000000000020000000
capabilities effective 01 0
rights own && chown 65534:65534 "$tmp/bin/own" && chmod 6755 "$tmp/bin/own"
as_nobody() {
    setpriv --reuid=65534 --regid=65534 --clear-groups "$@" 2>&1
}
while read -r expected name; do
    expect "$name, as nobody" "$expected" "$(as_nobody "$reachable" \
        "$tmp/bin/$name" | grep -c 'more rights')"
    expect "$name, as root" "$([ "$name" = own ] && echo 1 || echo 0)" \
        "$("$COMMAND" "$tmp/bin/$name" 2>&1 | grep -c 'more rights')"
done <<'END'
1 set-user-id
1 set-group-id
1 capable
1 permitted
1 high
1 effective
0 no-sets
0 inheritable
0 own
0 plain
END
if can_unshare -m; then
    # shellcheck disable=SC2016
    expect 'set-user-ID on a file system that is mounted nosuid' 'it runs' \
        "$(unshare -m sh -c 'mount --bind "$2" "$2" &&
            mount -o remount,bind,nosuid "$2" &&
            exec setpriv --reuid=65534 --regid=65534 --clear-groups \
                "$1" "$2/set-user-id"' sh "$reachable" "$tmp/bin" 2>&1)"
    # shellcheck disable=SC2016
    expect 'a file system that is mounted noexec' \
        "keepalive: $tmp/bin/plain: Permission denied" \
        "$(unshare -m sh -c 'mount --make-rprivate / &&
            mount --bind "$2" "$2" && mount -o remount,bind,noexec "$2" &&
            exec "$1" "$2/plain"' sh "$reachable" "$tmp/bin" 2>&1)"
else
    leave_out "$why"
fi
# Where the kernel gives no rights the library is loaded.
expect 'set-user-ID under no_new_privs' 'it runs' \
    "$(as_nobody --no-new-privs "$reachable" "$tmp/bin/set-user-id")"
if as_nobody unshare -r true >/dev/null; then
    expect 'set-user-ID in a user namespace that does not know root' 'it runs' \
        "$(as_nobody unshare -r "$reachable" "$tmp/bin/set-user-id")"
else
    leave_out 'no user namespaces for users'
fi
expect 'a set-group-ID file that is not executable by the group' 'it runs' \
    "$("$COMMAND" "$tmp/bin/locking" 2>&1)"
expect 'a program that cannot be read' 'it runs' \
    "$(as_nobody "$reachable" "$tmp/bin/unreadable")"
finish
