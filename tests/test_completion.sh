#!/bin/sh
# test_completion.sh - completion for bash, zsh and fish
# SPDX-License-Identifier: MIT
. tests/common.sh
need bash

# offered WORD...: what bash offers for the last of these words
offered() {
    # shellcheck disable=SC2016
    bash -c '. examples/keepalive.bash
        COMP_WORDS=("$COMMAND" "$@") COMP_CWORD=$#
        _keepalive
        printf "%s\n" "${COMPREPLY[@]}"' bash "$@" | sort -u | tr "\n" " " |
        sed "s/ *$//"
}
flags=$("$COMMAND" --help | sed -n 's/^  -., \(--[a-z-]*\).*/\1/p' | sort |
    xargs)
expect 'every flag of --help, and no other' \
    "$flags" "$(offered --)"
if command -v zsh >/dev/null; then
    cat >"$tmp/flags.zsh" <<'END'
_call_program() { shift; "$@" }
_arguments() { print -rl -- "$@" }
words=($COMMAND)
complete_it() { . ./examples/keepalive.zsh }
complete_it
END
    zsh -f "$tmp/flags.zsh" >"$tmp/specs"
    expect 'every flag, zsh' "$flags" \
        "$(sed -n 's/.*)\(--[a-z-]*\).*/\1/p' "$tmp/specs" | sort | xargs)"
    expect 'zsh: an argument' '(-t --idle)--idle=[idle time before a probe]:TIME:
(-g --global)--global=[the whole machine]:on|off|status:(on off status)' \
        "$(grep -e ')--idle' -e ')--global' "$tmp/specs")"
fi
# in_fish WORDS: what fish offers for the last of these words
in_fish() {
    HOME=$tmp PATH=${COMMAND%/*}:$PATH fish --no-config -c \
        "source examples/keepalive.fish; complete -C '$1'" |
        cut -f 1 | sort -u | xargs
}
if command -v fish >/dev/null; then
    expect 'every flag, fish' "$flags" "$(in_fish 'keepalive --')"
    expect 'fish: the machine' 'off on status' "$(in_fish 'keepalive --global ')"
    expect 'fish: behind a number' --off "$(in_fish 'keepalive -t 5 --of')"
    expect 'fish: behind a process' --idle "$(in_fish 'keepalive -p 1 --id')"
    expect 'fish: a file for the command' README "$(in_fish 'keepalive cat REA')"
fi
expect 'a flag' '--idle --interval' "$(offered --off --i)"
for flag in $("$COMMAND" --help |
    sed -n '/ --cgroup /d; s/^  -.*\(--[a-z]*\) [A-Z][A-Z]*  .*/\1/p'); do
    expect "nothing for the number of $flag" '' "$(offered "$flag" '')"
    expect "behind it, $flag" '--off' "$(offered "$flag" 5 --of)"
done
expect 'the machine' 'off on' "$(offered --global o)"
expect 'the machine, by =' 'off on' "$(offered --global = o)"
expect 'behind --idle=60: flags' '--off' "$(offered --idle = 60 --of)"
expect 'behind --idle=60: a command' 'test' "$(offered --idle = 60 tes |
    tr ' ' '\n' | grep -x test)"
expect 'nothing for the number behind --idle=' '' "$(offered --idle = 6)"
expect 'flags behind --all' '--missing' "$(offered --all --mis)"
expect 'a command' 'test' "$(offered -t 60 --off tes | tr ' ' '\n' |
    grep -x test)"
expect 'a process' "$$" "$(offered -t 60 -p 1 $$ | tr ' ' '\n' |
    grep -x $$)"
cp "$(command -v sleep)" "$tmp/sleepy"
"$tmp/sleepy" 600 &
sleeper=$!
at_exit="kill $sleeper"
is_named() { [ "$(ps -o comm= -p "$1")" = "$2" ]; }
wait_until is_named $sleeper sleepy
expect 'a process by name' sleepy "$(offered -p sleepy)"
# A name is not expanded, and a quote in it spoils no other.
# shellcheck disable=SC2016
for name in '$(echo evil)' "an 'odd"; do
    cp "$tmp/sleepy" "$tmp/$name"
    "$tmp/$name" 600 &
    sleeper="$sleeper $!"
    at_exit="kill $sleeper"
    wait_until is_named $! "$name"
done
expect 'the name of a process is no command' '' "$(offered -p evil)"
expect 'a name that needs quotes' '\$\(echo\ evil\)' "$(offered -p '\$\(ec')"
expect 'beside a name with a quote' sleepy "$(offered -p sleepy)"
# shellcheck disable=SC2086
kill $sleeper
at_exit=:
expect 'flags behind a process' '--idle' "$(offered -p 1 --id)"
mkdir "$tmp/directory"
expect 'a cgroup' "$tmp/directory" "$(offered -t 60 --cgroup "$tmp/d")"
expect 'behind it' '--off' "$(offered --cgroup "$tmp" --of)"
touch "$tmp/directory/file"
expect 'the arguments of the command' "$tmp/directory/file" \
    "$(offered -t 60 cat -p "$tmp/directory/f")"
finish
