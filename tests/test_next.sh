#!/bin/sh
# test_next.sh - `keepalive -p`: when the next probe comes
# SPDX-License-Identifier: MIT
#
# The kernel's timer alone does not tell, nor do the idle time and the time of
# the last packet alone. No test depends on speed: what time has passed is
# measured from before that, and only makes the answer smaller.
. tests/common.sh
in_namespace -n
need python3 ip sysctl
ip link set lo up

cat >"$tmp/next.py" <<'PYTHON'
"""next.py COMMAND: prints what is not as it should be"""
import ctypes, json, os, socket, struct, subprocess, sys, time
TCP = socket.IPPROTO_TCP
listener = socket.create_server(("127.0.0.1", 0))

begun = 0

def begin():
    """From here on the time that passes makes an answer smaller"""
    global begun
    begun = time.monotonic()

def connect():
    begin()
    near = socket.create_connection(listener.getsockname())
    return near, listener.accept()[0]

def keep(near, idle=None, interval=None):
    if idle is not None:
        near.setsockopt(TCP, socket.TCP_KEEPIDLE, idle)
    if interval is not None:
        near.setsockopt(TCP, socket.TCP_KEEPINTVL, interval)
    near.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

def look(near, *flags):
    """What is said of the socket, and the seconds since begin()"""
    said = subprocess.run([sys.argv[1], "-j", *flags, "-p", str(os.getpid())],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    rows = json.loads(said.stdout)
    row, = [row for row in rows if row["fd"] == near.fileno()]
    return row["next"], time.monotonic() - begun

def expect(label, near, least, most, *flags):
    """The next probe, of which the time that passes meanwhile is taken off"""
    seconds, took = look(near, *flags)
    if seconds is None or not least - took - 0.2 <= seconds <= most + 0.2:
        print(f"{label}: {seconds}, not {least} to {most}; {took:.1f} s passed")

def expect_dash(label, near):
    seconds, _ = look(near)
    if seconds is not None:
        print(f"{label}: {seconds}, not a dash")

def info(near, offset, form):
    """A field of TCP_INFO"""
    data = near.getsockopt(TCP, socket.TCP_INFO, 248)
    return struct.unpack_from(form, data, offset)[0]

def sysctl(name, value):
    with open(f"/proc/sys/net/ipv4/tcp_keepalive_{name}", "w") as file:
        file.write(str(value))

def silent(near, seconds):
    """Waits until nothing was received for so long, by tcpi_last_ack_recv"""
    while info(near, 56, "I") < seconds * 1000:
        time.sleep(0.1)
    begin()

near, far = connect()
keep(near, 100)
silent(near, 3)
far.send(b"x")
near.recv(1)
expect("data just received", near, 100, 100)

near, far = connect()
near.setsockopt(TCP, socket.TCP_KEEPIDLE, 100)
silent(near, 3)
keep(near)
expect("switched on later", near, 100, 100)

near, far = connect()
keep(near)
silent(near, 3)
expect("a shorter idle time on a connection that is long idle", near, 90, 97,
       "-t", "100")

# The probe is sent at the next tick. Where that comes before the kernel is asked,
# the next one follows after the interval.
for _ in range(9):
    near, far = connect()
    keep(near)
    silent(near, 1.5)
    seconds, took = look(near, "-t", "1")
    if seconds is not None and seconds <= 0.2:
        break
    if seconds is None or not 75 - took - 0.2 <= seconds <= 75.2:
        print(f"one that has passed already: {seconds}, not 0 or 75")
        break
else:
    print("one that has passed already: never 0")

near, far = connect()
start = time.monotonic()
keep(near, 1, 1000)
# until a probe is answered: the handshake's last packet is older than that
while info(near, 56, "I") / 1000 > time.monotonic() - start - 0.5:
    time.sleep(0.1)
near.setsockopt(TCP, socket.TCP_KEEPINTVL, 5)
expect("the interval is lowered after a probe", near, 900, 1000)

if os.access("/proc/sys/net/ipv4/tcp_keepalive_time", os.W_OK):
    near, far = connect()
    keep(near)
    before = look(near)[0]
    sysctl("time", 240)
    expect("the system's idle time is lowered", near, before, before)
    near, far = connect()
    keep(near)
    sysctl("time", 7200)
    expect("the system's idle time is raised", near, 7200, 7200)
    try:
        sysctl("time", 2592000)  # 30 days: more milliseconds than an int has
    except OSError:
        pass  # the kernel cannot wait so long where its HZ is 1000
    else:
        near, far = connect()
        keep(near)
        expect("30 days", near, 2592000, 2592000)
        said = subprocess.run([sys.argv[1], "-u", "5", "true"],
                              stderr=subprocess.PIPE)
        if b"one lost probe" not in said.stderr:
            print("30 days: no hint at a short timeout")

# The peer does not read; its window is full.
near, far = connect()
keep(near, 100)
near.setblocking(False)
try:
    while True:
        near.send(b"x" * 65536)
except BlockingIOError:
    pass
expect_dash("zero window", near)

# The peer's packets are dropped by a filter that accepts none.
code = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))
drop = struct.pack("HP", 1, ctypes.addressof(code))
near, far = connect()
keep(near, 100)
far.setsockopt(socket.SOL_SOCKET, 26, drop)  # SO_ATTACH_FILTER
near.send(b"x")
expect_dash("data that is not acknowledged", near)
near, far = connect()
keep(near, 1, 1000)
far.setsockopt(socket.SOL_SOCKET, 26, drop)
while info(near, 3, "B") == 0:  # tcpi_probes
    time.sleep(0.1)
expect_dash("a probe that is not answered", near)

# Sockets that the kernel finds by more than their addresses
near = socket.socket(socket.AF_INET6)
near.connect(("::ffff:127.0.0.1", listener.getsockname()[1]))
keep(near, 100)
expect("an IPv4 connection of an IPv6 socket", near, 100, 100)
near = socket.socket()
near.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
near.connect(listener.getsockname())
keep(near, 100)
expect("bound to an interface", near, 100, 100)
PYTHON
expect 'the next probe' '' "$(python3 "$tmp/next.py" "$COMMAND" 2>&1)"
finish
