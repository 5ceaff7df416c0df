#!/bin/sh
# test_global_found.sh - --global answers for what programs have
# SPDX-License-Identifier: MIT
#
# Not for what a file says, not for what a foreign library prints, and not for
# what another run does at the same time.
. tests/common.sh
. tests/global.sh

# json: the fields on and well of the status
json() {
    "$keepalive" -j --global status 2>/dev/null | python3 -c '
import json, sys
status = json.load(sys.stdin)
print(status["on"], status["well"])'
}
# verdict WHAT WORD STATUS JSON: of the status, in words, as status and as JSON
verdict() {
    expect "status, $1" "keepalive is $2 for the whole machine status $3" \
        "$(global status | sed 's/, but see above//' | tail -n 2 | paste -sd ' ')"
    expect "JSON, $1" "$4" "$(json)"
}

# Two runs at once. A program that the run starts, here true(1), waits for the
# test as soon as the file has the entry, and ends as the test says.
mkfifo "$tmp/reached" "$tmp/go"
cat >"$tmp/true" <<END
#!/bin/sh
grep -q libkeepalive $file 2>/dev/null && [ -e $tmp/hold ] || exit 0
rm $tmp/hold
echo >$tmp/reached
read -r status <$tmp/go
exit "\$status"
END
chmod 755 "$tmp/true"
true=/usr/bin/true
[ -e "$true" ] || skip "no $true"
mount --bind "$tmp/true" "$true"
hold() {
    : >"$tmp/hold"
    "$keepalive" --global on >"$tmp/on" 2>&1 &
    held=$!
    timeout 120 cat "$tmp/reached" >/dev/null || fail "$1: nothing was started"
}
release() {
    echo "$1" | timeout 120 tee "$tmp/go" >/dev/null
    wait "$held"
    echo "status $?" >>"$tmp/on"
}
rm -f "$file"
hold 'off beside on'
expect 'off beside on: before' "$library" "$(cat "$file")"
expect 'off waits for the proof of on' 124 \
    "$(timeout 2 "$keepalive" --global off >/dev/null 2>&1; echo $?)"
release 0
expect 'off beside on' "on: programs that are started from now on have \
$library$idle
status 0" "$(cat "$tmp/on")"
content 'off beside on' '@L\n'

# A run undoes only what it did itself.
changed="keepalive: others have changed $file while programs were tried with \
it; it is left as it is now, see 'keepalive --global status'
status 125"
while read -r status content; do
    rm -f "$file"
    hold "changed by others, $status"
    put "$content"
    release "$status"
    expect "changed by others, $status" "$changed" "$(cat "$tmp/on")"
    content "changed by others, $status" "$content"
done <<'END'
0 @B\n
1 @B\n
0 @L\n@B\n
1 @L\n@B\n
END
# A file that others have given away, its text as it was, is not left so.
rm -f "$file"
hold 'given away'
chown 65534 "$file"
release 0
expect 'given away' "keepalive: $file does not belong to root; the entry is \
removed again
status 125" "$(cat "$tmp/on")"
content 'given away' -
# What a run undoes it undoes to the byte.
for before in '' '\n' '# others' '@A' '@A\n'; do
    put "$before"
    chmod 640 "$file"
    chmod o+r "$file"
    hold "undone, $before"
    release 1
    expect "undone, $before" "keepalive: with the library $true exits with status \
1; the entry is removed again
status 125" "$(cat "$tmp/on")"
    content "undone, $before" "$before"
    expect "undone, $before: mode" 644 "$(stat -c %a "$file")"
done
umount "$true"
rm -f "$file"

# The file names the library, and no program has it.
mv "$library" "$library.away"
put '@L\n'
verdict 'no library' off 2 'False False'
: >"$library"
verdict 'an empty library' off 2 'False False'
cp "$other" "$library"
verdict 'another library' off 2 'False False'
rm "$library"
mv "$library.away" "$library"
# What the loader makes of these is seen in a program; a NUL ends what it reads.
as_found() {
    expect "status, $1" "$("$show" 2>/dev/null |
        sed -n 's/SO_KEEPALIVE is ON/on/p; s/SO_KEEPALIVE is OFF/off/p') status $2" \
        "$(global status | tail -n 2 | paste -sd ' ' |
            sed 's/^keepalive is \([a-z]*\).* status/\1 status/')"
}
put 'libkeepalive.so\n'
as_found 'a bare name' 2
printf '%s\0 %s\n' "$other" "$library" >"$file"
as_found 'a NUL' 1
rm "$file"
verdict 'nothing there' off 1 'False False'

# Without /proc no program can be asked.
put '@L\n'
# shellcheck disable=SC2016
expect 'JSON, no /proc' 'None False 2' "$(unshare -m sh -c 'umount -l /proc
    "$0" -j --global status; echo $?' "$keepalive" 2>/dev/null | python3 -c '
import json, sys
*lines, status = sys.stdin
answer = json.loads("".join(lines))
print(answer["on"], answer["well"], status.strip())')"
verdict 'on' on 0 'True True'

# Libraries of others that write, or close, what is not theirs
foreign() {
    ${CC:-cc} -D_GNU_SOURCE -shared -fPIC -o "$tmp/foreign.so" -x c - || fail "$1"
    put "$tmp/foreign.so\n"
}
foreign 'says bye' <<'END'
#include <errno.h>
#include <string.h>
#include <unistd.h>
__attribute__((destructor)) static void f(void)
{
    if (strcmp(program_invocation_short_name, "keepalive-probe") == 0)
        write(2, "bye\n", 4);
}
END
verdict 'one that says bye' off 1 'False False'
expect 'off, one that says bye' 'already off
status 0' "$(global off)"
expect 'on, one that says bye' 'status 0' "$(global on | tail -n 1)"
foreign 'writes everywhere' <<'END'
#include <unistd.h>
__attribute__((constructor)) static void f(void)
{
    for (int fd = 3; fd < 20; fd++)
        write(fd, "x", 1);
}
END
verdict 'one that writes everywhere' 'perhaps on' 2 'None False'
foreign 'closes everything' <<'END'
#include <unistd.h>
__attribute__((constructor)) static void f(void)
{
    for (int fd = 3; fd < 100; fd++)
        close(fd);
}
END
verdict 'one that closes everything' 'perhaps on' 2 'None False'
expect 'off, one that closes everything' 'status 2' \
    "$(global off | tail -n 1)"
refused 'one that closes everything' 'keeps it from answering'
foreign 'ends programs of users' <<'END'
#include <unistd.h>
__attribute__((constructor)) static void f(void)
{
    if (getuid() != 0)
        _exit(0);
}
END
refused 'one that ends programs of users' 'keeps it from answering'

# A user who may not read what root may
put '@L\n'
as_nobody() {
    setpriv --reuid=65534 --regid=65534 --clear-groups "$keepalive" "$@" 2>&1
}
nobody() {
    expect "$1" 'keepalive is perhaps on for the whole machine, but see above
status 2' "$(as_nobody --global status | tail -n 1; echo "status $(
        as_nobody --global status >/dev/null; echo $?)")"
    expect "$1, JSON" 1 "$(as_nobody -j --global status |
        grep -c '"on": null, "well": false')"
}
expect 'a user' 'keepalive is on for the whole machine' \
    "$(as_nobody --global status | tail -n 1)"
chmod 600 "$file"
nobody 'a file that a user cannot read'
chmod 644 "$file"
chmod 600 "$library"
nobody 'a library that a user cannot read'
chmod 644 "$library"

# An access control list keeps one user out.
acl() {
    python3 -c 'import os, struct, sys
path, tag, permissions, mask = sys.argv[1], *map(int, sys.argv[2:])
entries = [(1, 7, -1), (tag, permissions, 5), (4, 5, -1), (16, mask, -1),
           (32, 5, -1)]
entries.sort(key=lambda entry: entry[0])
try:
    os.setxattr(path, "system.posix_acl_access", struct.pack("<I", 2) + b"".join(
        struct.pack("<HHi", *entry) for entry in entries))
except OSError as error:
    sys.exit(error.strerror)' "$@"
}
rm "$file"
if acl "$library" 2 0 5 2>"$tmp/error"; then
    refused 'a list that denies a user' \
        "$library is not accessible to all users, see getfacl(1)"
    acl "$library" 8 0 5
    refused 'a list that denies a group' "$library is not accessible to"
    acl "$library" 2 5 1
    refused 'a mask that takes reading away' "$library is not accessible to"
    acl "$library" 2 4 5
    global on >"$tmp/log"
    expect 'a list that lets a user read' 'status 0' "$(tail -n 1 "$tmp/said")"
    global off >"$tmp/log"
    rm -f "$library.new"
    cp "$library" "$library.new"
    chmod 644 "$library.new"
    mv "$library.new" "$library"
    acl "${library%/*}" 2 4 5
    refused 'a list that lets a user read, not search' \
        "${library%/*} is not accessible to"
    python3 -c 'import os, sys
os.removexattr(sys.argv[1], "system.posix_acl_access")' "${library%/*}"
    chmod 755 "${library%/*}"
else
    leave_out "no access control lists here: $(cat "$tmp/error")"
fi

# The caller's standard descriptors are closed, or there is no /dev/null.
put '@L\n'
for closed in '<&-' '2>&-' '<&- 2>&-'; do
    expect "status $closed" '0 0' "$(eval "$keepalive --global status $closed" \
        >"$tmp/said"; echo $? "$(grep -c '^  NO' "$tmp/said")")"
done
for closed in '<&-' '>&-' '2>&-' '<&- >&- 2>&-'; do
    for word in off on; do
        eval "\"$keepalive\" --global $word $closed" >"$tmp/said" 2>&1
        expect "$word $closed" 0 $?
    done
done
# shellcheck disable=SC2016
expect 'JSON, no /dev/null' 'True True' "$(unshare -m sh -c '
    mount -t tmpfs none /dev && exec "$0" -j --global status' "$keepalive" |
    python3 -c 'import json, sys
status = json.load(sys.stdin)
print(status["on"], status["well"])')"

# The library is a link.
rm "$file"
mv "$library" "$library.1.1"
for name in libkeepalive.so.1.1 real.so; do
    [ -e "${library%/*}/$name" ] || mv "$library.1.1" "${library%/*}/$name"
    ln -sf "$name" "$library"
    expect "on, a link to $name" 'status 0' "$(global on | tail -n 1)"
    verdict "a link to $name" on 0 'True True'
    expect "off, a link to $name" 'status 0' "$(global off | tail -n 1)"
done
mv "${library%/*}/real.so" "$library"

# What is good to know, and refuses nothing
mkdir "$tmp/programs"
printf '#!/bin/sh\n' >"$tmp/programs/chronyd"
chmod 755 "$tmp/programs/chronyd"
show_programs "$tmp/programs"
noted() {
    grep -c 'chronyd is killed by its own seccomp filter .*KEEPALIVE=off' \
        "$tmp/said"
}
for unit in /usr/lib/systemd/system /usr/local/lib/systemd/system; do
    [ ! -e "$unit" ] || mount -t tmpfs none "$unit"
done
rm -rf /etc/systemd/system/chrony* /etc/default/chrony* /etc/sysconfig/chrony*
global on >"$tmp/log"
expect 'on, chronyd' '1 status 0' "$(noted) $(tail -n 1 "$tmp/said")"
global status >"$tmp/log"
expect 'status, chronyd' '1 status 0' "$(noted) $(tail -n 1 "$tmp/said")"
expect 'on, quiet, chronyd' '' "$("$keepalive" -q --global on 2>&1)"
mkdir -p /etc/systemd/system/chrony.service.d
dropin=/etc/systemd/system/chrony.service.d/keepalive.conf
printf '[Service]\n#Environment=KEEPALIVE=off\n;Environment=KEEPALIVE=off\n' \
    >"$dropin"
global on >"$tmp/log"
expect 'a comment in a unit' 1 "$(noted)"
cp examples/chrony.conf "$dropin"
global on >"$tmp/log"
expect 'on, chronyd with the drop-in' 0 "$(noted)"
umount /usr/local/bin
mount -t tmpfs none /sys/kernel
mkdir -p /sys/kernel/security/apparmor
echo '/usr/lib/snapd/snap-confine (enforce)' \
    >/sys/kernel/security/apparmor/profiles
expect 'status, snaps' 1 "$(global status |
    grep -c '^  --  snaps: AppArmor keeps snap-confine from the library')"
umount /sys/kernel
finish
