#!/bin/sh
# test_moving.sh - `keepalive -p` while descriptors, threads and processes move
# SPDX-License-Identifier: MIT
#
# No socket may be taken for another or shown twice. None may be missed in
# silence, but for one that is moved on without a pause, so that no look has it.
. tests/common.sh
. tests/processes.sh
in_namespace -n
need python3 ip ss ps
need_strace
ip link set lo up

cat >"$tmp/move.c" <<'MOVE'
/* move.c MODE: two connections, on descriptors 60 and 61, and more that move */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
int main(int argc, char *argv[])
{
    const char *mode = argv[argc - 1];
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(listener, (struct sockaddr *)&address, size);
    listen(listener, 9);
    getsockname(listener, (struct sockaddr *)&address, &size);
    for (int fd = 60; fd < 62; fd++) {
        int made = socket(AF_INET, SOCK_STREAM, 0);
        connect(made, (struct sockaddr *)&address, size);
        dup2(made, fd);
        close(made);
    }
    puts("ready");
    fflush(stdout);
    for (;;)
        if (strcmp(mode, "toggle") == 0) { /* 50 is the one or the other */
            dup2(60, 50);
            dup2(61, 50);
        } else if (strcmp(mode, "swap") == 0) { /* there is no third copy */
            dup2(60, 50);
            dup2(61, 60);
            dup2(50, 61);
            close(50);
        } else if (strcmp(mode, "turns") == 0) { /* on 50 alone, in turn */
            dup2(60, 50);
            close(60);
            dup2(50, 60);
            dup2(61, 50);
            close(61);
            dup2(50, 61);
            close(50);
        } else {
            pause();
        }
}
MOVE
${CC:-cc} -o "$tmp/move" "$tmp/move.c"
# others VALUE: which other idle times the kernel has for the two connections
others() {
    "$BUILD/tests/peek" "$pid" | awk -v value="$1" '$3 != value { print $3 }'
}
# Slowly, so that the process runs in between
slowly() {
    delay=$1
    shift
    strace -qq -o "$tmp/trace" -e trace=readlinkat,pidfd_getfd \
        -e inject=readlinkat,pidfd_getfd:delay_exit="$delay" "$COMMAND" "$@"
}
for mode in toggle swap; do
    start "$tmp/move" $mode
    for idle in $(seq 100 119); do
        slowly "$idle" -t "$idle" -i 5 -p "$pid" >"$tmp/out" 2>"$tmp/err"
        status=$?
        shown=$(grep -c established "$tmp/out")
        case $status,$shown,$(cat "$tmp/err") in
        0,2,*) ;;
        2,*"its descriptors keep changing; a socket may be left out") continue ;;
        *) fail "$mode: status $status, $shown rows, $(cat "$tmp/err")" ;;
        esac
        kill -STOP "$pid" # peek may miss one as well
        expect "$mode: set" '' "$(others "$idle")"
        kill -CONT "$pid"
    done
    kill "$pid"
done
# A descriptor that is closed, a process that ends, a value that is refused,
# just when its turn comes
start "$tmp/move" hold
inject() {
    what=$1
    shift
    strace -o "$tmp/trace" -e trace=%desc,%network,kcmp \
        -e inject="$what" "$@" 2>"$tmp/err" >"$tmp/out"
    status=$?
    cat "$tmp/err"
    echo "status $status rows $(grep -c "^$pid " "$tmp/out")"
}
expect 'a descriptor is closed meanwhile: it is looked at again' \
    'status 0 rows 3' \
    "$(inject pidfd_getfd:error=EBADF:when=1 "$COMMAND" -p "$pid")"
expect 'a thread has ended, not the process: it is looked at again' \
    'status 0 rows 3' \
    "$(inject pidfd_getfd:error=ESRCH:when=1 "$COMMAND" -p "$pid")"
for error in EBADF ESRCH; do
    expect "a table that never holds still: $error" \
        "keepalive: $pid: its descriptors keep changing; a socket may be left out
status 2 rows 0" "$(inject pidfd_getfd:error=$error "$COMMAND" -p "$pid")"
done
expect 'no permission to see what the descriptors are' 'status 2 rows 0' \
    "$(inject readlinkat:error=EACCES "$COMMAND" -p "$pid" |
        grep -v '^keepalive: ')"
for list in task "task/$pid/fd"; do
    expect "what is in $list cannot be listed" \
        "keepalive: $pid: Cannot allocate memory; its sockets cannot be looked at
status 2 rows 0" "$(inject getdents64:error=ENOMEM -P "/proc/$pid/$list" \
            "$COMMAND" -p "$pid")"
done
expect 'processes cannot be listed' "keepalive: /proc: Cannot allocate memory
status 125 rows 0" "$(inject getdents64:error=ENOMEM "$COMMAND" -p nobody)"
expect 'no permission for the descriptor' 'status 2 rows 0' \
    "$(inject pidfd_getfd:error=EPERM "$COMMAND" -p "$pid" |
        grep -v '^keepalive: ')"
# The other sockets are shown.
for refusal in 'getsockname EPERM Operation not permitted' \
    'getsockopt ENOMEM Cannot allocate memory'; do
    call=${refusal%% *} words=${refusal#* }
    error=$call:error=${words%% *} words=${words#* }
    expect "refused once: $error" "keepalive: $pid: descriptor 3 cannot be \
looked at: $words
status 2 rows 2" "$(inject "$error:when=1" "$COMMAND" -p "$pid")"
    expect "refused each time: $error" "keepalive: $pid: descriptor 3, and 2 \
more sockets, cannot be looked at: $words
status 2 rows 0" "$(inject "$error" "$COMMAND" -p "$pid")"
done

# One that moves may hide between two lists of them: before Linux 6.2 the kernel
# does not tell how many there are. A call that blocks has taken a number, too,
# under which there is nothing yet: some more looks, and no message.
if [ "$(stat -c %s /proc/self/fd)" -gt 0 ]; then
    start "$tmp/move" turns
    for _ in $(seq 40); do
        "$COMMAND" -p "$pid" >"$tmp/out" 2>"$tmp/err"
        case $?,$(grep -c established "$tmp/out") in
        0,2 | 2,*) ;;
        *) fail "turns: $(cat "$tmp/out" "$tmp/err")" ;;
        esac
    done
    kill "$pid"
    start python3 -c 'import socket
server = socket.create_server(("127.0.0.1", 0))
print("ready", flush=True)
server.accept()'
    strace -qq -o "$tmp/trace" -P "/proc/$pid/task/$pid/fd" -e trace=openat \
        "$COMMAND" -p "$pid" >"$tmp/out"
    expect 'blocked in accept(2)' 'status 0, 1 row' \
        "status $?, $(grep -c listen "$tmp/out") row"
    looks=$(grep -c openat "$tmp/trace")
    if [ "$looks" -le 5 ] || [ "$looks" -gt 20 ]; then
        fail "blocked in accept(2): $looks looks"
    fi
    start python3 -c 'import socket, threading, time
server = socket.create_server(("127.0.0.1", 0))
for _ in range(100):
    threading.Thread(target=server.accept, daemon=True).start()
print("ready", flush=True)
time.sleep(1000)'
    strace -qq -o "$tmp/trace" -e trace=kcmp "$COMMAND" -p "$pid" >"$tmp/out"
    looks=$(($(grep -c kcmp "$tmp/trace") / 100))
    [ "$looks" -le 4 ] || fail "100 threads blocked in accept(2): $looks looks"
    start python3 -c 'import os, socket
server = socket.create_server(("127.0.0.1", 0))
address = server.getsockname()
if os.fork() == 0:
    server.close()
    while True: # until the server is gone
        with socket.create_connection(address) as client:
            client.sendall(b"x")
            client.recv(1)
print("ready", flush=True)
while True:
    client = server.accept()[0]
    client.recv(1)
    client.sendall(b"x")
    client.close()'
    for _ in $(seq 40); do
        expect 'blocked in accept(2), connection after connection' '' \
            "$("$COMMAND" -p "$pid" 2>&1 >/dev/null)"
    done
    kill "$pid"
else
    echo 'before Linux 6.2: moves that no list shows are left out'
fi

# The look that fetches sockets lists the gaps between them, and what is behind
# the last; only these. It is stopped at the first, and sockets are made in a gap
# and far behind.
start python3 -c 'import os, signal, socket, sys
kept = [socket.socket() for _ in range(1000)]
for gap in range(100, 1000, 100):
    kept[gap].close()
def make(*_):
    kept.append(socket.socket())
    far = socket.socket().detach()
    os.dup2(far, 2000)
    os.close(far)
    open(sys.argv[1], "w").close()
signal.signal(signal.SIGUSR1, make)
print("ready", flush=True)
while True:
    signal.pause()' "$tmp/made"
: >"$tmp/trace"
strace -qq -o "$tmp/trace" -e trace=pidfd_getfd \
    -e inject=pidfd_getfd:signal=STOP:when=1 "$COMMAND" -p "$pid" >"$tmp/out" &
looker=$!
wait_until grep -q 'stopped by SIGSTOP' "$tmp/trace" || fail 'nothing is fetched'
kill -USR1 "$pid"
wait_until [ -e "$tmp/made" ] || fail 'no socket is made'
kill -CONT "$(ps -o pid= --ppid "$looker" | tr -d ' ')"
wait "$looker"
expect 'new in a gap and behind the last' '0 2000 993' "$? $(
    columns '*' fd <"$tmp/out" | sort -n | tail -n 1) $(
    grep -c "^$pid " "$tmp/out")"
strace -qq -o "$tmp/trace" -e trace=pidfd_getfd,getdents64 "$COMMAND" -p "$pid" \
    >"$tmp/out"
expect 'a socket that is fetched is not listed again' yes "$(awk '
    /pidfd_getfd/ { fetches = 1 }
    /getdents64/ && fetches { bytes += $NF }
    END { print bytes < 15000 ? "yes" : bytes }' "$tmp/trace")"

# In another network, which is entered by a socket that may have moved
if can_unshare -n; then
    start unshare -n sh -c "ip link set lo up; exec '$tmp/move' toggle"
    for _ in $(seq 20); do
        slowly 100 -t 60 -i 60 -p "$pid" 2>/dev/null
    done >"$tmp/out"
    expect 'another network: moved' 0 "$(grep -c ' unknown ' "$tmp/out")"
else
    leave_out "$why"
fi

# One that ends, and is waited for, when its directory is open: the command is
# stopped there.
sleep 100 &
victim=$!
strace -qq -o "$tmp/trace" -P "/proc/$victim/task" -e trace=openat \
    -e inject=openat:signal=STOP "$COMMAND" -p "$victim" >"$tmp/out" 2>&1 &
looker=$!
is_open() {
    looking=$(ps -o pid= --ppid "$looker" | tr -d ' ')
    [ -n "$(find "/proc/$looking/fd" -lname "/proc/$victim/task" 2>/dev/null)" ]
}
wait_until is_open || fail "/proc/$victim/task is never opened"
kill "$victim"
wait "$victim" 2>/dev/null
kill -CONT "$looking"
wait "$looker"
expect 'a process that is gone meanwhile' \
    "1 keepalive: $victim: the process has ended" "$? $(cat "$tmp/out")"

# Threads with descriptors of their own, and a main thread that has ended
cat >"$tmp/threads.c" <<'END'
#define _GNU_SOURCE
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
static const char *mode;
/* Has its own descriptors, none of them a socket, for a moment. */
static void *end_soon(void *unused)
{
    unshare(CLONE_FILES);
    usleep(20000 + rand() % 200000);
    return unused;
}
static void *work(void *unused)
{
    if (strcmp(mode, "shared") != 0 && strcmp(mode, "ended") != 0 &&
        unshare(CLONE_FILES) < 0)
        return NULL;
    if (listen(socket(AF_INET, SOCK_STREAM, 0), 1) == 0)
        puts("ready");
    fflush(stdout);
    pause();
    return unused;
}
int main(int argc, char *argv[])
{
    pthread_t threads[301];
    gid_t groups[2000];
    mode = argv[argc - 1];
    for (int i = 0; i < 2000; i++)
        groups[i] = 100000 + i;
    if (strcmp(mode, "groups") == 0 && setgroups(2000, groups) < 0)
        return 1;
    for (int i = 1; i <= 300 && strcmp(mode, "brief") == 0; i++)
        pthread_create(&threads[i], NULL, end_soon, NULL);
    pthread_create(&threads[0], NULL, work, NULL);
    if (strcmp(mode, "ended") == 0)
        pthread_exit(NULL);
    pause();
}
END
${CC:-cc} -pthread -o "$tmp/threads" "$tmp/threads.c"
kernel_shows=yes
for mode in own ended shared groups brief brief brief; do
    start "$tmp/threads" $mode
    [ "$line" = ready ] || {
        leave_out "threads, $mode: not permitted"
        continue
    }
    case $("$COMMAND" -p "$pid" 2>&1) in
    *' listen '*) ;;
    *'need Linux 6.9'* | *'built with kcmp(2)'*)
        echo "threads, $mode: this kernel does not show their descriptors"
        kernel_shows=
        continue
        ;;
    *) fail "threads, $mode: $("$COMMAND" -p "$pid" 2>&1)" ;;
    esac
    [ $mode != brief ] || continue
    thread=$(find "/proc/$pid/task" -mindepth 1 -maxdepth 1 | sed 's,.*/,,' |
        grep -vx "$pid")
    expect "threads, $mode: the number of one" "$pid" \
        "$("$COMMAND" -p "$thread" 2>/dev/null | columns '*' pid)"
done

# A thread with a smaller number than the one before it: the process has the last.
cat >"$tmp/wrapped.sh" <<'END'
last=$(($(cat /proc/sys/kernel/pid_max) - 1))
echo $((last - 1)) >/proc/sys/kernel/ns_last_pid || exit 77
"$1" own >"$2" &
[ $! = $last ] || exit 77
until grep -q ready "$2"; do
    kill -0 $! || exit 77
    sleep 0.1
done
"$COMMAND" -p $! 2>&1
END
if [ -z "$kernel_shows" ]; then
    :
elif ! can_unshare -p -f -m --mount-proc; then
    leave_out "$why"
else
    said=$(unshare -p -f -m --mount-proc --kill-child sh "$tmp/wrapped.sh" \
        "$tmp/threads" "$tmp/ready" 2>"$tmp/err")
    case $?,$said in
    77,*) echo "threads, wrapped: left out: $(cat "$tmp/err")" ;;
    0,*' listen '*) ;;
    *) fail "threads, wrapped: $said" ;;
    esac
fi

# A thread that was seen has ended when the next one is compared with it.
start "$tmp/threads" own
[ -z "$kernel_shows" ] ||
    expect 'the thread that was seen has ended' 'status 0 rows 1' \
        "$(inject kcmp:error=ESRCH:when=1 "$COMMAND" -p "$pid")"

[ -z "$kernel_shows" ] ||
    expect 'where a thread has ended the list is read again' 'status 0 rows 1' \
        "$(inject kcmp:error=ESRCH:when=1..2 "$COMMAND" -p "$pid")"

# Where it cannot be known whether threads share descriptors, that is said.
start python3 -c 'import socket, threading, time
kept = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
print("ready", flush=True)
time.sleep(1000)'
for error in EPERM ENOSYS; do
    expect "kcmp: $error, the rest is shown" 'status 2, 1 line, 1 row' \
        "$(strace -qq -o "$tmp/trace" -e inject=kcmp:error=$error \
            "$COMMAND" -p "$pid" >"$tmp/out" 2>"$tmp/err"
        echo "status $?, $(grep -c "^keepalive: $pid: " "$tmp/err") line,\
 $(grep -c ' listen ' "$tmp/out") row")"
done
finish
