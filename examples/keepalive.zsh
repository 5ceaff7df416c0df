#compdef keepalive
# keepalive.zsh - completion of the keepalive command for zsh
# SPDX-License-Identifier: MIT
#
# `make install` puts it where zsh looks; by hand, copy it to a directory of
# $fpath as _keepalive.
local curcontext=$curcontext context state state_descr line
local -A opt_args
local -a flags=(
    '(-t --idle)'{-t+,--idle=}'[idle time before a probe]:time'
    '(-i --interval)'{-i+,--interval=}'[time between probes]:time'
    '(-c --count)'{-c+,--count=}'[unanswered probes before giving up]:probes'
    '(-u --timeout)'{-u+,--timeout=}'[time without acknowledgement]:time'
    '(-o --off -f --force)'{-o,--off}'[no keepalive]'
    '(-o --off -f --force)'{-f,--force}'[programs cannot change the values]'
    '(-p --pid)'{-p,--pid}'[the sockets of running processes]'
    '(-a --all)'{-a,--all}'[the sockets of all processes]'
    '(-m --missing)'{-m,--missing}'[only connections without keepalive]'
    '(-n --dry-run)'{-n,--dry-run}'[say what would be set]'
    '(-g --global)'{-g+,--global=}'[the whole machine]:what:(on off status)'
    '(-G --cgroup)'{-G+,--cgroup=}'[every program of a cgroup]:cgroup:_directories'
    '(-j --json)'{-j,--json}'[print JSON]'
    '(-q --quiet)'{-q,--quiet}'[no warning if the command is out of reach]'
    '(- *)'{-h,--help}'[print the flags]'
    '(- *)'{-V,--version}'[print the version]'
)

# Flags end at the command; those of processes may stand behind a number.
_arguments -C -s -S -A '-*' $flags '*::command:->operands' && return
[[ $state == operands ]] || return 1
if (( ! ${+opt_args[-p]} && ! ${+opt_args[--pid]} )); then
    _normal
elif [[ $PREFIX == -* ]]; then
    words=(keepalive $words)
    (( CURRENT++ ))
    _arguments -s -S $flags '*:process:_pids'
else
    _pids
fi
