#!/bin/sh
# long_programs.sh - every program of the machine, without and with the library
# SPDX-License-Identifier: MIT
#
# Each ELF program is run with --version and with --help: twice without the
# library, to find what is not repeatable, and once with it, by
# /etc/ld.so.preload. Output, standard error and exit status are equal.
#
# They run in namespaces of their own, as nobody where this is root, on file
# systems that are read-only but for a scratch home. What they leave running
# ends with this script, which is process 1 there.
. tests/common.sh
need timeout xargs setpriv prlimit diff
in_namespace -m -n -p -i -u -f --kill-child=TERM --mount-proc
private_etc
exec 2>&1 # not a file on what becomes read-only
prlimit --core=0 --pid=$$

# Not run, although they could do no harm here.
excluded() {
    case $1 in
    halt | poweroff | reboot | shutdown) reason='stops the machine' ;;
    init | telinit | runlevel) reason='speaks to process 1' ;;
    killall5) reason='ends every process, this script too' ;;
    unix_chkpwd | unix_update) reason='sleeps where PAM has not started it' ;;
    jconsole) reason='waits for a display' ;;
    llvm-PerfectShuffle*) reason='knows no options, computes for minutes' ;;
    *) return 1 ;;
    esac
    echo "not run: $1: $reason" >&2
}

find_programs() {
    for directory in $(readlink -f /usr/bin /bin /usr/sbin /sbin | sort -u); do
        for file in "$directory"/*; do
            [ -f "$file" ] && [ -x "$file" ] &&
                [ "$(head -c 4 "$file" | tail -c 3)" = ELF ] &&
                ! excluded "${file##*/}" && echo "$file"
        done
    done
}

# sh -c "$once" DIRECTORY PROGRAM...: both runs of each, to the directory
# shellcheck disable=SC2016
once='
cd "$HOME" || exit 1
for program; do
    directory=${program%/*}
    for option in version help; do
        out=$0/${directory##*/}.${program##*/}.$option
        timeout -s KILL "$LIMIT" "$program" "--$option" \
            </dev/null >"$out.out" 2>"$out.err"
        echo $? >"$out.status"
    done
done'

# run DIRECTORY: what $tmp/programs names, two at a time, in a new home
run() {
    rm -rf "${tmp:?}/home" "${tmp:?}/$1"
    mkdir -m 777 "$tmp/home" "$tmp/$1"
    # shellcheck disable=SC2086
    xargs -P 2 -n 20 $as_nobody sh -c "$once" "$tmp/$1" <"$tmp/programs"
}

run_with_library() {
    echo "$tmp/libkeepalive.so" >"$preload_file"
    grep -q "$tmp/libkeepalive.so" /proc/self/maps || fail 'it is loaded'
    run "$1"
    rm "$preload_file"
}

# differing A B: the programs that did not behave the same in both
differing() {
    diff -rq "$tmp/$1" "$tmp/$2" |
        sed -E "s,^Files $tmp/$1/(.*)\.(version|help)\.[a-z]+ and .*,\1," |
        awk -F/ 'NR == FNR { differ[$0]; next } $(NF - 1) "." $NF in differ' \
            - "$tmp/all"
}

as_nobody='setpriv --reuid=65534 --regid=65534 --clear-groups'
$as_nobody true 2>/dev/null || as_nobody=
export HOME="$tmp/home" TMPDIR="$tmp/home" LIMIT=10 # seconds
cp "$LIBKEEPALIVE" "$tmp/libkeepalive.so"
chmod 755 "$tmp/libkeepalive.so"
mount --bind "$tmp" "$tmp"
at_exit="umount -l /etc; mount -o remount,bind,rw /; umount -l '$tmp'"
awk '$5 != "/proc" && $5 != "/etc" { print $5 }' /proc/self/mountinfo |
    sort -u | while read -r place; do
    [ "$place" = "$tmp" ] || mount -o remount,bind,ro "$place"
done
if touch "/tmp/${tmp##*/}.test" 2>/dev/null; then
    rm -f "/tmp/${tmp##*/}.test"
    skip 'no read-only file system'
fi

find_programs >"$tmp/programs"
cp "$tmp/programs" "$tmp/all"
run without
run again
run_with_library with
differing without again >"$tmp/unsteady"
differing without with | grep -vxFf "$tmp/unsteady" >"$tmp/suspects"

# What differs with the library only may do so by chance: then it does without
# the library as well, sooner or later. More than a few are no chance.
[ "$(wc -l <"$tmp/suspects")" -lt 10 ] && rounds=40 || rounds=1
while read -r program; do
    echo "$program" >"$tmp/programs"
    name=${program%/*}
    name=${name##*/}.${program##*/}
    rm -rf "$tmp/first"
    mkdir "$tmp/first"
    cp "$tmp/without/$name".version.* "$tmp/without/$name".help.* "$tmp/first"
    unsteady=
    for _ in $(seq "$rounds"); do
        run again
        unsteady=$(differing first again)
        [ -z "$unsteady" ] || break
    done
    if [ -z "$unsteady" ]; then
        fail "$program behaves the same"
        cp "$tmp/with/$name".version.* "$tmp/with/$name".help.* "$tmp/again"
        diff -r "$tmp/first" "$tmp/again"
    else
        echo "$program" >>"$tmp/unsteady"
    fi
done <"$tmp/suspects"

programs=$(wc -l <"$tmp/all") unsteady=$(wc -l <"$tmp/unsteady")
echo "$programs programs, $((programs - unsteady)) compared," \
    "$unsteady not repeatable, $failures different"
echo "not repeatable: $(sed 's,.*/,,' "$tmp/unsteady" | xargs)"
finish
