#!/bin/sh
# test_completion.sh - completion for bash, zsh and fish
# SPDX-License-Identifier: MIT
. tests/common.sh
need bash

# offered WORD...: what bash offers for the last of these words
offered() {
    # shellcheck disable=SC2016
    bash -c '. examples/keepalive.bash
        COMP_WORDS=(keepalive "$@") COMP_CWORD=$#
        _keepalive
        printf "%s\n" "${COMPREPLY[@]}"' bash "$@" | sort -u | xargs
}
flags=$("$COMMAND" --help | sed -n 's/^  -., \(--[a-z-]*\).*/\1/p' | sort |
    xargs)
expect 'every flag of --help, and no other' \
    "$flags" "$(offered --)"
expect 'every flag, zsh' "$flags" \
    "$(sed -n 's/.*{-.+*,\(--[a-z-]*\)=*}.*/\1/p' examples/keepalive.zsh | sort |
        xargs)"
expect 'every flag, fish' "$flags" \
    "$(sed -n 's/.* -s . -l \([a-z-]*\) .*/--\1/p' examples/keepalive.fish | sort |
        xargs)"
expect 'a flag' '--idle --interval' "$(offered --off --i)"
for flag in $("$COMMAND" --help | sed -n 's/^  -.*\(--[a-z]*\) [TP][A-Z].*/\1/p')
do
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
expect 'flags behind a process' '--idle' "$(offered -p 1 --id)"
mkdir "$tmp/directory"
expect 'a cgroup' "$tmp/directory" "$(offered -t 60 --cgroup "$tmp/d")"
expect 'behind it' '--off' "$(offered --cgroup "$tmp" --of)"
touch "$tmp/directory/file"
expect 'the arguments of the command' "$tmp/directory/file" \
    "$(offered -t 60 cat -p "$tmp/directory/f")"
finish
