#!/bin/sh
# test_report.sh - where the report of a bad value goes, and where it does not
# SPDX-License-Identifier: MIT
. tests/common.sh
need python3
cat >"$tmp/report.py" <<'END'
# report.py KIND PROGRAM - starts it with standard error of that kind; prints
# its status and what arrives there
import fcntl, os, pty, signal, socket, subprocess, sys, termios, time

kind, program = sys.argv[1:]
values = dict(os.environ, KEEPIDLE="5M", LD_PRELOAD=os.environ["LIBKEEPALIVE"])

def start(stderr, **more):
    child = subprocess.Popen([program, "sockets"], env=values, stderr=stderr,
                             stdout=subprocess.DEVNULL, **more)
    return child.wait(timeout=60)

def pair(family, address):
    with socket.create_server(address, family=family) as listener:
        one = socket.create_connection(listener.getsockname()[:2])
        return one, listener.accept()[0]

def netlink():
    # a socket that is neither local nor of the internet
    one, other = (socket.socket(socket.AF_NETLINK, socket.SOCK_RAW,
                                socket.NETLINK_USERSOCK) for _ in range(2))
    other.bind((0, 0))
    other.settimeout(1)
    one.connect((other.getsockname()[0], 0))
    return one, other

def on_terminal():
    # In the background of a terminal with tostop, by a process group of its own
    me, terminal = pty.openpty()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
        settings = termios.tcgetattr(terminal)
        settings[3] |= termios.TOSTOP
        termios.tcsetattr(terminal, termios.TCSANOW, settings)
        child = os.fork()
        if child == 0:
            os.setpgid(0, 0)
            os.dup2(terminal, 2)
            null = os.open("/dev/null", os.O_WRONLY)
            os.dup2(null, 1)
            os.execve(program, [program, "sockets"], values)
        for _ in range(500):
            ended, status = os.waitpid(child, os.WNOHANG | os.WUNTRACED)
            if ended:
                break
            time.sleep(0.1)
        if os.WIFSTOPPED(status):
            os.kill(child, signal.SIGKILL)
        os._exit(0 if status == 0 else 1)
    status = os.waitpid(pid, 0)[1]
    os.set_blocking(me, False)
    try:
        return status, os.read(me, 9999)
    except OSError:
        return status, b""

if kind == "terminal":
    status, got = on_terminal()
else:
    if kind == "tcp":
        one, other = pair(socket.AF_INET, ("127.0.0.1", 0))
    elif kind == "tcp6":
        one, other = pair(socket.AF_INET6, ("::1", 0))
    elif kind == "netlink":
        one, other = netlink()
    else:
        one, other = socket.socketpair()
    if kind == "half-closed":
        one.shutdown(socket.SHUT_WR)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    status = start(one, restore_signals=True)
    one.close()
    try:
        got = other.recv(9999)
    except socket.timeout:
        got = b""
print(status, got.decode().strip())
END
report='libkeepalive: KEEPIDLE: .5M. is not .*'
while read -r kind status said; do
    got=$(LIBKEEPALIVE=$LIBKEEPALIVE timeout 60 python3 "$tmp/report.py" \
        "$kind" "$probe" 2>&1)
    printf '%s\n' "$got" | grep -qx "$status $said" ||
        fail "standard error, $kind: $got"
done <<END
unix 0 $report
terminal 0 $report
half-closed 0
tcp 0
tcp6 0
netlink 0
END

# Where a filter refuses to tell what standard error is, it may be such a socket.
if command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null; then
    expect 'standard error, not known' '' \
        "$(strace -o /dev/null -e inject=getsockopt:error=EPERM \
            -E KEEPIDLE=5M -E LD_PRELOAD="$LIBKEEPALIVE" true 2>&1)"
fi

# Nothing is left of it: no signal pending, the mask as it was.
# shellcheck disable=SC2016
expect 'signals after a report' \
    "$(sh -c 'grep "^S[ih][gd][QPBIC]" /proc/self/status' | grep -v SigQ)" \
    "$(KEEPIDLE=5M LD_PRELOAD=$LIBKEEPALIVE \
        sh -c 'grep "^S[ih][gd][QPBIC]" /proc/self/status' 2>/dev/null |
        grep -v SigQ)"
# A signal that was pending before it is still pending, of the thread or of the
# process as it was, and no other; standard error is a file that may not grow.
while read -r signal send pending; do
    expect "a $signal that came before, by $send" "$pending" "$(KEEPIDLE=5M \
        LIBKEEPALIVE=$LIBKEEPALIVE python3 -c '
import os, resource, signal, sys, threading
number = getattr(signal, sys.argv[1])
signal.pthread_sigmask(signal.SIG_BLOCK, [number])
signal.signal(number, signal.SIG_DFL)
if sys.argv[2] == "kill":
    os.kill(os.getpid(), number)
else:
    signal.pthread_kill(threading.get_ident(), number)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
os.environ["LD_PRELOAD"] = os.environ["LIBKEEPALIVE"]
os.execlp("grep", "grep", "Pnd", "/proc/self/status")' "$signal" "$send" \
        2>"$tmp/file" | awk '{ print $2 }' | xargs)"
done <<END
SIGPIPE kill 0000000000000000 0000000000001000
SIGPIPE pthread_kill 0000000000001000 0000000000000000
SIGXFSZ kill 0000000000000000 0000000001000000
SIGXFSZ pthread_kill 0000000001000000 0000000000000000
END
expect 'beside a signal that no write raises' 1 "$(KEEPIDLE=5M \
    LIBKEEPALIVE=$LIBKEEPALIVE python3 -c '
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
os.kill(os.getpid(), signal.SIGUSR1)
os.environ["LD_PRELOAD"] = os.environ["LIBKEEPALIVE"]
os.execlp("true", "true")' 2>&1 | grep -c ^libkeepalive)"
finish
