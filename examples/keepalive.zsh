#compdef keepalive
# keepalive.zsh - completion of the keepalive command for zsh
# SPDX-License-Identifier: MIT
#
# `make install` puts it where zsh looks; by hand, copy it to a directory of
# $fpath as _keepalive. The flags are those of `keepalive --help`.
setopt localoptions extendedglob
local curcontext=$curcontext context state state_descr line
local help flag does argument values
local -A opt_args
local -a flags match mbegin mend

for help in ${(f)"$(_call_program flags ${(Q)words[1]} --help 2>/dev/null)"}; do
    # "  -t, --idle TIME    idle time before a probe"
    [[ $help == (#b)'  -'(?)', --'([a-z-]##)([^' ']#)(' '[^' ']##|)' '##(*) ]] ||
        continue
    flag="(-$match[1] --$match[2])" does="[$match[5]]" argument=${match[4]# }
    case $argument in
    *'|'*) values="(${argument//|/ })" ;;
    DIR) values=_directories ;;
    *) values= ;;
    esac
    if [[ -z $argument ]]; then
        flags+=($flag{-$match[1],--$match[2]}$does)
    else
        flags+=($flag{-$match[1]+,--$match[2]=}$does:$argument:$values)
    fi
done

# Flags end at the command; those of processes may follow a number or a name.
_arguments -C -s -S -A '-*' $flags '*::command:->operands' && return
[[ $state == operands ]] || return 1
if (( ! ${+opt_args[-p]} && ! ${+opt_args[--pid]} && ! ${+opt_args[-a]} &&
    ! ${+opt_args[--all]} )); then
    _normal
elif [[ $PREFIX == -* ]]; then
    words=(keepalive $words)
    (( CURRENT++ ))
    _arguments -s -S $flags '*:process:_pids'
else
    _pids
fi
