#!/bin/sh
# test_global.sh - `keepalive --global`, in a mount namespace of its own
# SPDX-License-Identifier: MIT
. tests/common.sh
. tests/global.sh

# There and back
expect 'status: absent' 'is not there
off' "$(global status | sed -n '1s/[^ ]* //p
    s/^keepalive is \([^ ]*\) .*/\1/p')"
expect 'status: absent, off' 'status 1' "$(tail -n 1 "$tmp/said")"
expect 'status: what would stop it' '' "$(grep '^  NO' "$tmp/said")"
expect 'on' "on: programs that are started from now on have $library$idle
status 0" "$(global on)"
content 'on' '@L\n'
expect 'mode and owner of a new file' '644 0 0' \
    "$(umask 077; stat -c '%a %u %g' "$file")"
expect 'every program has it' 'SO_KEEPALIVE is ON' "$("$show" | head -n 1)"
before=$(stat -c '%i %y' "$file")
expect 'on once more' "already on$idle
status 0" "$(global on)"
expect 'the file is the same' "$before" "$(stat -c '%i %y' "$file")"
expect 'status: on' "$file holds
  $library  (this library)
keepalive is on for the whole machine
status 0" "$(global status | grep -v '^  ok\|^/tmp')"
expect 'off' 'off: programs that are started from now on run without it
status 0' "$(global off)"
content 'off' -
expect 'no program has it' 'SO_KEEPALIVE is OFF' "$("$show")"
expect 'off once more' 'already off
status 0' "$(global off)"
content 'off once more' -
expect 'another word' "keepalive: --global: 'no' is not on, off or status
status 125" "$(global no)"
expect 'a command behind it' 'keepalive: --global: unexpected argument '\''true'\''
125' "$("$keepalive" --global on true 2>&1; echo $?)"

# What the file is before `on`, and after; `=` where it stays
while IFS='|' read -r before after; do
    put "$before"
    said=$(global on)
    expect "on, $before" 'status 0' "$(tail -n 1 "$tmp/said")"
    [ "$after" != = ] || after=$before
    content "on, $before: $said" "$after"
    expect "on, $before: works" 'SO_KEEPALIVE is ON' "$("$show" | head -n 1)"
done <<'END'
|@L\n
\n|\n@L\n
@A|@A\n@L
@A\n@B\n|@A\n@B\n@L\n
 @A:@B\t| @A:@B\t\n@L
# @L\n@A\n|# @L\n@A\n@L\n
@A # @L|@A # @L\n@L
@A\n@L|=
# @A\n@L\n|=
  @L\t\n|=
@A:@L:@B\n|=
END
# and before `off`, and after
while IFS='|' read -r before after; do
    put "$before"
    global off >"$tmp/log"
    # Another copy of it stays, and is named.
    [ "$before" = '@E@L\n' ] && status=2 || status=0
    expect "off, $before" "status $status" "$(tail -n 1 "$tmp/said")"
    [ "$after" != = ] || after=$before
    content "off, $before" "$after"
done <<'END'
|=
\n|=
@A\n|=
# @L\n|=
@A # @L|=
@E@L\n|=
@L.old\n|=
@L|-
@L\n|-
@L\n@L\n|-
@L @L:@L\n|-
 \t@L \n|-
\n\n@L\n\n|-
@U/$LIB/libkeepalive.so\n|-
@U/${LIB}/libkeepalive.so\n|-
/usr/$LIB/libkeepalive.so\n|/usr/$LIB/libkeepalive.so\n
libkeepalive.so|-
@L\n@A\n@B\n|@A\n@B\n
@A\n@L\n@B\n|@A\n@B\n
@A\n@B\n@L\n|@A\n@B\n
@A\n@L|@A
@A\n @L|@A
@A\n @L \n\n@B|@A\n\n@B
@L @A\n|@A\n
@A @L @B\n|@A @B\n
@A\t @L\n|@A\n
@A:@L:@B|@A:@B
@A:@L|@A
@A\n@B:@L:@L # @L\n|@A\n@B:# @L\n
# @A\n@L\n|# @A\n
@L# comment\n@A\n|# comment\n@A\n
END

# There and back leaves the bytes that were there.
while read -r before; do
    put "$before"
    global on >"$tmp/log"
    global off >"$tmp/log"
    content "on and off, $before" "$before"
done <<'END'
@A
@A\n
@A\n\n
@A\n@B
@A:@B\t
@A # @L
# of others
# of others\n\n
END

# Mode, owner and extended attributes stay.
put '@A\n'
chmod 444 "$file"
chown 0:65533 "$file"
attribute() {
    python3 -c 'import os, sys
try:
    if sys.argv[2:]:
        os.setxattr(sys.argv[1], "user.test", sys.argv[2].encode())
    print(os.getxattr(sys.argv[1], "user.test").decode())
except OSError as error:
    print(error.strerror)' "$file" "$@"
}
attribute=$(attribute label)
exec 9<"$file"
global on >"$tmp/log"
expect 'the old file was not written to' "$other" "$(cat <&9)"
exec 9<&-
expect 'an extended attribute after on' "$attribute" "$(attribute)"
expect 'mode and owner after on' '444 0 65533' \
    "$(stat -c '%a %u %g' "$file")"
global off >"$tmp/log"
expect 'an extended attribute after off' "$attribute" "$(attribute)"
expect 'mode and owner after off' '444 0 65533' \
    "$(stat -c '%a %u %g' "$file")"

put '@A\n'
mv "$file" /etc/elsewhere
ln -s elsewhere "$file"
refused 'a symbolic link' 'is a symbolic link'
rm "$file"
ln /etc/elsewhere "$file"
refused 'a hard link' 'another hard link'
rm /etc/elsewhere "$file"
mkdir "$file"
refused 'a directory' 'is not a regular file'
rmdir "$file"
put '@A\n@L\n'
if command -v chattr >/dev/null && chattr +i "$file" 2>/dev/null; then
    expect 'off, an immutable file' "keepalive: $file is left as it was: \
Operation not permitted; perhaps it is immutable or append-only, see chattr(1)
status 125" "$(global off)"
    chattr -i "$file"
    put '@A\n'
    chattr +a "$file"
    refused 'an append-only file' 'append-only'
    chattr -a "$file"
else
    echo 'no immutable files here: left out'
fi
put '@A\n'
mount -o remount,bind,ro /etc
refused 'a read-only file system' 'Read-only file system'
mount -o remount,bind,rw /etc
put '@E@L\n'
refused 'another copy' "names another copy of the library: $tmp/elsewhere$library"
put "/nothing.so\n"
refused 'a broken entry of others' "another entry is broken: '/nothing.so' from"
head -c 70000 /dev/zero | tr '\0' '\n' >"$file"
text '@A\n' >>"$file"
cp "$file" "$tmp/large"
expect 'on, a large file' 'status 0' "$(global on | tail -n 1)"
expect 'off, a large file' 'status 0' "$(global off | tail -n 1)"
cmp "$tmp/large" "$file" || fail 'a large file'
printf '\0\n' >"$file"
refused 'a NUL' 'has a NUL byte in it'
rm "$file"
expect 'a build tree' "keepalive: $LIBKEEPALIVE: not installed, but in a \
build tree" "$("$COMMAND" --global on 2>&1)"
expect 'a root that cannot become another user' 'status 0' "$(setpriv \
    --bounding-set=-setuid,-setgid "$keepalive" --global on >"$tmp/log" 2>&1
    echo "status $?")"
rm -f "$file"

# What would stop the library
for mode in 600 604 664 646 1666; do
    chmod "$mode" "$library"
    refused "mode $mode" "$library *users"
    chmod 644 "$library"
    put '@A\n'
    chmod "$mode" "$file"
    refused "mode $mode of the file" "$file *users"
    rm "$file"
done
chown 65534 "$library"
refused 'the owner' "$library does not belong to root"
chown 0 "$library"
chmod 777 "$tmp/usr"
refused 'a directory that all may write' "$tmp/usr can be written by users other"
chmod 755 "$tmp/usr"
mv "$tmp/usr/lib/x-y" "$tmp/usr/lib/real"
ln -s real "$tmp/usr/lib/x-y"
chown -h 65534 "$tmp/usr/lib/x-y"
refused 'a link that another can bend' "$tmp/usr/lib/x-y does not belong to root"
ln -s real "$tmp/usr/lib/step"
chown -h 65534 "$tmp/usr/lib/step"
ln -sfn step "$tmp/usr/lib/x-y"
refused 'a link between two' "$tmp/usr/lib/step does not belong to root"
rm "$tmp/usr/lib/step"
ln -s ../lib/real "$tmp/usr/lib/step"
expect 'a chain of links' 'status 0' "$(global on | tail -n 1)"
global off >"$tmp/log"
ln -sfn x-y "$tmp/usr/lib/step"
refused 'links in a circle' ': Too many levels of symbolic links'
rm "$tmp/usr/lib/x-y" "$tmp/usr/lib/step"
mv "$tmp/usr/lib/real" "$tmp/usr/lib/x-y"
mount --bind "$tmp/usr/lib" "$tmp/usr/lib"
mount -o remount,bind,noexec "$tmp/usr/lib"
refused 'noexec' 'failed to map segment from shared object'
umount "$tmp/usr/lib"
mount -t tmpfs none /sys/kernel
mkdir -p /sys/kernel/security/apparmor
echo 'one (complain)' >/sys/kernel/security/apparmor/profiles
expect 'AppArmor that only complains' '  ok  AppArmor' \
    "$(global status | grep AppArmor)"
echo 'two (enforce)' >>/sys/kernel/security/apparmor/profiles
refused 'AppArmor' 'that AppArmor confines; install it below /usr/lib'
umount /sys/kernel
# A 32-bit program, where the machine has a loader for such, or at least a file
# that looks like one and that the kernel starts.
loader=/lib/ld-linux.so.2
mkdir "$tmp/narrow"
python3 -c 'import struct, sys
open(sys.argv[1], "wb").write(
    b"\x7fELF\1\1\1" + bytes(9)
    + struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, 0, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    + struct.pack("<IIIIIIII", 3, 84, 0, 0, 19, 19, 4, 1) + b"/lib/ld-linux.so.2\0")' \
    "$tmp/narrow/narrow"
show_programs "$tmp/narrow"
if [ -e "$loader" ] && { "$loader" --help >/dev/null 2>&1; [ $? != 126 ]; }; then
    refused '32-bit programs' '/[a-z/]* is a 32-bit program, and there is no library for it'
    # A kernel that does not run 32-bit programs: the loader proves nothing.
    if command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null; then
        expect 'a kernel without 32-bit programs' 'status 0' \
            "$(strace -qq -f -o /dev/null -P "$loader" \
                -e inject=execve:error=ENOEXEC \
                "$keepalive" --global on >/dev/null 2>&1; echo "status $?")"
        rm -f "$file"
    fi
else
    put "@A\n"
    global on >"$tmp/log"
    expect 'no loader for 32-bit programs' 'status 0' "$(tail -n 1 "$tmp/said")"
    rm "$file"
fi
umount /usr/local/bin
mv "$library" "$library.away"
refused 'no library' "$library: No such file or directory"
printf '#!/bin/sh\n' >"$library"
refused 'not a library' "$library: not a library"

# Libraries that load, and do harm: in LD_PRELOAD already, not at all, and only
# where the file names them
cp "$other" "$library"
refused 'a library without effect' 'the socket of a program is not kept alive'
echo '__attribute__((constructor)) void f(void) { __builtin_trap(); }' | build
refused 'programs are killed' '/true is killed by signal'
echo 'void nothing(void); void (*f)(void) = nothing;' | build -Wl,-z,now
refused 'programs do not start' '/true exits with status 127 and prints:'
su=$(command -v su)
if [ -u "$su" ]; then
    echo '#include <errno.h>
#include <string.h>
#include <unistd.h>
__attribute__((constructor)) void f(void)
{ if (strcmp(program_invocation_short_name, "su") == 0) _exit(4); }' | build
    refused 'a set-user-ID program does not start' 'su exits with status 4'
fi
echo '#include <stdlib.h>
#include <unistd.h>
__attribute__((constructor)) void f(void)
{ if (access("/etc/ld.so.preload", F_OK) == 0) _exit(3); }' |
    build src/library/*.c
refused 'programs do not start with the file' \
    '/true exits with status 3; the entry is removed again'

# `off` does not need the library, and `status` tells what is wrong.
rm "$library"
put '@L\n@A\n'
expect 'status: no library' "NO  file: $library: No such file or directory
keepalive is off for the whole machine, but see above
status 2" "$(global status 2>&1 | sed -n '/ file:/s/^ *//p; $p; /^keep/p')"
global off >"$tmp/log" 2>&1
content 'off without the library' '@A\n'
mv "$library.away" "$library"
put '@A\n@L\n'
ln "$file" /etc/elsewhere
expect 'status: a hard link' "$file has another hard link, which replacing it \
would break
  $other
  $library  (this library)" "$(global status | head -n 3)"
expect 'status: a hard link, on' 'status 2' "$(tail -n 1 "$tmp/said")"
expect 'off, a hard link' "keepalive: $file has another hard link, which \
replacing it would break
status 125" "$(global off)"
content 'off, a hard link' '@A\n@L\n'
rm /etc/elsewhere
chmod 666 "$library"
expect 'status: mode' '  NO  owner and mode' \
    "$(global status | sed -n 's/: .*//; /^  NO/p')"
chmod 644 "$library"

# Two at once: `on` waits for the one that has the lock, then looks.
rm "$file"
# shellcheck disable=SC2016
(umask 077; flock -o /etc/.ld.so.preload.keepalive sh -c '
    umask 022
    "$0" --global on >"$1/on" 2>&1 &
    sleep 0.5
    echo "$2" >/etc/ld.so.preload' "$keepalive" "$tmp" "$other")
wait_until test ! -e /etc/.ld.so.preload.keepalive || fail 'on does not end'
content 'two at once' '@A\n@L\n'
expect 'two at once: said' \
    "on: programs that are started from now on have $library$idle" \
    "$(cat "$tmp/on")"
for _ in 1 2 3 4 5 6; do
    "$keepalive" --global on >"$tmp/log" 2>&1 &
done
wait
content 'seven at once' '@A\n@L\n'

# A library for 32-bit programs beside the other: one entry for both.
directory=$(${CC:-cc} -print-multiarch)
if [ -x "$loader" ] && [ -n "$directory" ] &&
    echo 'int main(void) { return 0; }' |
    ${CC:-cc} -m32 -x c -o "$tmp/narrow/narrow" - 2>/dev/null &&
    "$tmp/narrow/narrow" 2>/dev/null; then
    m32="CFLAGS=-m32 CPPFLAGS=-I/usr/include/$directory"
    for words in "libdir=$tmp/usr/lib/$directory install" \
        "libdir=$tmp/usr/lib32 $m32 install-library" \
        "libdir=$tmp/usr/lib/i386-linux-gnu $m32 install-library"; do
        # shellcheck disable=SC2086
        make -s BUILD="$tmp/${words#"${words% *}" }" prefix="$tmp/usr" $words \
            >"$tmp/log" 2>&1 || fail "$words: $(cat "$tmp/log")"
    done
    show_programs "$tmp/narrow"
    rm "$file"
    # shellcheck disable=SC2016
    expect 'both classes' "on: programs that are started from now on have \
$tmp"'/usr/$LIB/libkeepalive.so'"$idle
status 0" "$(global on)"
    expect 'a 32-bit program' '0' \
        "$(/usr/local/bin/narrow 2>&1; echo $?)"
    expect 'status: both classes' 'status 0' "$(global status | tail -n 1)"
    rm "$file"
    for place in "$tmp/usr/lib32" "$tmp/usr/lib/i386-linux-gnu"; do
        head -c 60 "$place/libkeepalive.so" >"$tmp/short"
        cp "$tmp/short" "$place/libkeepalive.so"
    done
    refused 'a 32-bit library that does not load' '/ld-linux.so.2 exits with status'
    umount /usr/local/bin
else
    echo 'no 32-bit programs here: left out'
fi

make -s BUILD="$tmp/build" prefix="$tmp/usr" libdir="${library%/*}" install \
    >"$tmp/log" 2>&1 || fail "install: $(cat "$tmp/log")"

# Read by root alone: other users' programs are without it.
put '@A\n'
chmod 600 "$file"
refused 'a file that root alone can read' "$file is not accessible to all users"
put '@L\n'
chmod 600 "$file"
expect 'on already, for root alone' 'status 125' "$(global on | tail -n 1)"
expect 'status: for root alone' 'status 2' "$(global status | tail -n 1)"
rm "$file"

# The library by other names, and other copies of it.
ln -s "$library" "$tmp/another-name.so"
for entry in "$(echo "$library" | sed 's,/usr/,/usr//,')" \
    "$tmp/another-name.so"; do
    put "$entry\n"
    expect "status: $entry" 'status 0' "$(global status | tail -n 1)"
    expect "on: $entry" "already on$idle
status 0" "$(global on)"
    expect "off: $entry" 'status 0' "$(global off | tail -n 1)"
    content "off: $entry" -
done
mkdir "$tmp/second"
cp "$library" "$tmp/second/libkeepalive.so"
cp "$library" "$tmp/second/third.so"
for copy in libkeepalive third; do
    put "$tmp/second/$copy.so\n"
    expect "off, another copy: $copy" 'status 2' "$(global off | tail -n 1)"
    grep -q 'still has' "$tmp/said" || fail "off, another copy: $(cat "$tmp/said")"
    expect "status, another copy: $copy" 'status 2' \
        "$(global status | tail -n 1)"
done
rm "$file"

# stopped_at CALL WORD: in the background, until its first such system call is
# done; goes_on: to its end, with its status
stopped_at() {
    rm -f "$tmp/trace"
    strace -o "$tmp/trace" -e trace="$1" -e inject="$1:signal=STOP:when=1" \
        "$keepalive" --global "$2" >"$tmp/said" 2>&1 &
    tracer=$!
    wait_until grep -qs -- '--- stopped' "$tmp/trace" || fail "$2: no $1"
}
goes_on() {
    kill -CONT "$(ps -o pid= --ppid "$tracer" | tr -d ' ')"
    wait "$tracer"
}

# A line that others add while the programs are started: none is lost. The
# command is stopped just before it replaces the file.
if command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null; then
    put '@A\n'
    stopped_at fsync on
    [ -e /etc/.ld.so.preload.keepalive.new ] || fail 'no new file yet'
    text '@B\n' >>"$file"
    goes_on
    content 'a line that was added meanwhile' '@A\n@B\n@L\n'
    # The same text, but through a link, which is neither replaced nor followed:
    # its mode is 777.
    put '@A\n'
    stopped_at pipe2 on
    mv "$file" /etc/elsewhere
    ln -s elsewhere "$file"
    goes_on
    expect 'a link that was made meanwhile' \
        "125 keepalive: $file is a symbolic link elsewhere" \
        "$? $(cat "$tmp/said") $(readlink "$file")"
    rm "$file" /etc/elsewhere
    # Others remove it just before `off` does; here it only seems so.
    put '@L\n'
    expect 'off, gone at that moment' 2 "$(strace -qq -o /dev/null \
        -e 'inject=/^unlink(at)?$:error=ENOENT:when=2' \
        "$keepalive" --global off >"$tmp/log" 2>&1; echo $?)"
    rm "$file"
    # NFS refuses to lock what is open for reading only.
    strace -o "$tmp/trace" "$keepalive" -q --global off
    expect 'the lock is open for writing' 1 \
        "$(grep -c 'preload.keepalive", O_RDWR' "$tmp/trace")"
fi

# What cannot be seen is not said.
if command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null; then
    blind() {
        strace -qq -o /dev/null -e inject=clone,clone3,fork,vfork:error=EAGAIN \
            "$keepalive" --global "$1" 2>&1
        echo "status $?"
    }
    put '@L\n'
    expect 'off, no program can be started' "keepalive: the entry is removed, but \
whether it is off is unknown: no program can be started or make a socket, or a \
library keeps it from answering
status 2" "$(blind off)"
    expect 'status, no program can be started' \
        'keepalive is perhaps on for the whole machine, but see above
status 2' "$(blind status | tail -n 2)"
    rm -f "$file"
    stopped_at pipe2 status
    put '@L\n'
    goes_on
    expect 'status, switched on meanwhile' \
        '0 keepalive is on for the whole machine' "$? $(tail -n 1 "$tmp/said")"
    strace -qq -f -o /dev/null -e inject=socket:error=EAFNOSUPPORT \
        "$keepalive" --global status >"$tmp/said" 2>&1
    expect 'status, no socket can be made' \
        '2 keepalive is perhaps on for the whole machine, but see above' \
        "$? $(tail -n 1 "$tmp/said")"
fi

# A program may leave others behind that hold on to standard error.
cat >"$tmp/lingers.c" <<'END'
#include <unistd.h>
__attribute__((constructor)) static void linger(void)
{
    if (fork() == 0) {
        sleep(9);
        _exit(0);
    }
}
END
${CC:-cc} -shared -fPIC -o "$tmp/lingers.so" "$tmp/lingers.c" || fail 'lingers.c'
put "$tmp/lingers.so\n"
expect 'programs that leave others behind' 'status 1' "$(exec 2>&-
    timeout 60 "$keepalive" --global status >"$tmp/said"; echo "status $?")"
rm -f "$file"

# A signal takes effect when all is done: no lock is left, and no entry that was
# not tried.
# It blocks them before it does anything; SIGTERM is 0x4000 of the mask.
blocks_signals() {
    grep -qs '^SigBlk:.*[4-7c-f]...$' "/proc/$running/status" ||
        ! kill -0 "$running" 2>/dev/null
}
for moment in 0 0.1 0.3 1; do
    "$keepalive" --global on >"$tmp/said" 2>&1 &
    running=$!
    wait_until blocks_signals || fail 'signals are not blocked'
    sleep $moment
    kill "$running" 2>/dev/null
    wait "$running" 2>/dev/null
    content "a signal after $moment s" '@L\n'
    "$keepalive" --global off >"$tmp/said"
done

# A lock that another user may hold is none, and waiting has an end.
: >/etc/.ld.so.preload.keepalive
chmod 644 /etc/.ld.so.preload.keepalive
flock -o /etc/.ld.so.preload.keepalive sleep 60 &
holder=$!
at_exit="kill $holder 2>/dev/null; $at_exit"
expect 'a lock that others can hold' 'status 0' "$(global on | tail -n 1)"
kill "$holder"
for mask in 0400 0777; do
    expect "umask $mask" 'status 0' "$(umask $mask; global on | tail -n 1)"
done
: >/etc/.ld.so.preload.keepalive.new
expect 'what a killed run left' 'status 0' "$(global off | tail -n 1)"
rm -f "$file"
: >/etc/.ld.so.preload.keepalive.new
expect 'what a killed run left, off' 'status 0' "$(global off | tail -n 1)"
content 'what a killed run left, off' -
put '@A\n'
: >/etc/.ld.so.preload.keepalive.new
expect 'what a killed run left' 'status 0' "$(global on | tail -n 1)"
content 'what a killed run left' '@A\n@L\n'
rm "$file"

# It is done even if nobody can be told, whatever the caller ignores.
expect 'on, a full disk' 0 \
    "$("$keepalive" --global on >/dev/full 2>/dev/null; echo $?)"
content 'on, a full disk' '@L\n'
for word in on off; do
    expect "$word, a full disk, line by line" 0 "$(stdbuf -oL "$keepalive" \
        --global $word >/dev/full 2>/dev/null; echo $?)"
done
mount -t tmpfs none /proc/sys/net
expect 'on, idle time hidden' "on: programs that are started from now on have \
$library; first probe after the kernel's number of idle seconds: to \
${idle#*: to }
status 0" "$(global on)"
umount /proc/sys/net
rm "$file"
expect 'on, signals' 'status 0' "$(python3 -c '
import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
reader, writer = os.pipe()
os.close(reader)
os.dup2(writer, 1)
os.execv(sys.argv[1], sys.argv[1:])' "$keepalive" --global on >/dev/null 2>&1
    echo "status $?")"
rm "$file"

# For package scripts and monitors
expect 'off, quiet' '0' "$("$keepalive" -q --global off 2>&1; echo $?)"
"$keepalive" --global on >"$tmp/log"
expect 'off, quiet, where it is on' '0' \
    "$("$keepalive" -q --global off 2>&1; echo $?)"
mv "$library" "$library.away"
expect 'off, quiet, without the library' '0' \
    "$("$keepalive" -q --global off 2>&1; echo $?)"
mv "$library.away" "$library"
put '@A\n'
expect 'status, JSON' "False True [] $other" "$("$keepalive" -j -g status |
    python3 -c 'import json, sys
status = json.load(sys.stdin)
print(status["on"], not status["well"],
      [check for check in status["checks"] if not check["passes"]],
      *status["entries"])')"
expect 'on, JSON' "keepalive: --json cannot be used with --global on
125" "$("$keepalive" -j -g on 2>&1; echo $?)"

# Numbers are the kernel's settings.
said=$("$keepalive" -t 4m -c 5 --global on 2>&1)
expect 'numbers' 125 $?
for words in 'sysctl -w net.ipv4' tcp_keepalive_time=240 /etc/sysctl.d/ \
    net.ipv4.tcp_keepalive_probes=5; do
    case $said in
    *"$words"*) ;;
    *) fail "numbers: $words: $said" ;;
    esac
done
content 'numbers' '@A\n'
finish
