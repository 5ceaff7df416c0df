# keepalive.bash - completion of the keepalive command for bash
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Copy it to /usr/share/bash-completion/completions/keepalive, or read it with
# `.` from ~/.bashrc. The flags are those of `keepalive --help`.
_keepalive() {
    local help flags with_value
    local word=${COMP_WORDS[COMP_CWORD]} mode=run at=1 name

    COMPREPLY=()
    help=$("${COMP_WORDS[0]}" --help 2>/dev/null)
    flags=$(sed -n 's/^  -., \(--[a-z-]*\).*/\1/p' <<<"$help")
    with_value=$(sed -n 's/^  \(-.\), \(--[a-z-]*\) [A-Z].*/ \1 \2 /p' <<<"$help")
    # bash splits --idle=60 into three words
    if [[ $word == = ]]; then
        word=
    fi
    # Before the word: flags, perhaps -p, then a command
    while ((at < COMP_CWORD)); do
        if [[ ${COMP_WORDS[at + 1]-} == = ]]; then
            ((at + 2 < COMP_CWORD)) || {
                [[ ${COMP_WORDS[at]} != --global ]] ||
                    mapfile -t COMPREPLY < <(compgen -W 'on off status' -- \
                        "$word")
                return
            }
            [[ ${COMP_WORDS[at]} != --pid ]] || mode=processes
            ((at += 2))
        elif [[ ${COMP_WORDS[at]} == @(-g|--global) ]]; then
            mapfile -t COMPREPLY < <(compgen -W 'on off status' -- "$word")
            return
        elif [[ ${COMP_WORDS[at]} == @(-G|--cgroup) ]]; then
            if ((++at == COMP_CWORD)); then
                mapfile -t COMPREPLY < <(compgen -d -- "$word")
                return
            fi
        elif [[ $with_value == *" ${COMP_WORDS[at]} "* ]]; then
            ((++at < COMP_CWORD)) || return
        elif [[ ${COMP_WORDS[at]} == @(-p*|--pid|-a|--all) ]]; then
            mode=processes
        elif [[ ${COMP_WORDS[at]} != -* && $mode == run ]]; then
            break
        fi
        ((at++))
    done
    if ((at < COMP_CWORD)); then
        # The command's own completion, where bash-completion is there
        if declare -F _command_offset >/dev/null; then
            _command_offset "$at"
        else
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
        fi
    elif [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$word")
    elif [[ $mode == processes ]]; then
        # compgen would expand the names, which are chosen by others.
        while IFS= read -r name; do
            printf -v name %q "$name"
            [[ $name != "$word"* ]] || COMPREPLY+=("$name")
        done < <(cd /proc && printf '%s\n' [0-9]* &&
            cat [0-9]*/comm 2>/dev/null | sort -u)
    else
        mapfile -t COMPREPLY < <(compgen -c -- "$word")
    fi
}
complete -F _keepalive keepalive
