# keepalive.fish - completion of the keepalive command for fish
# SPDX-License-Identifier: MIT
#
# `make install` puts it where fish looks; by hand, copy it to
# ~/.config/fish/completions. The flags are those of `keepalive --help`.

# "  -t, --idle TIME    idle time before a probe", as four lines
set -l pattern '^  -(.), --([a-z-]+)(\[\S+\])?( \S+)?  +(.*)$'
set -g __keepalive_specs
for line in (keepalive --help 2>/dev/null | string match -r -- '^  -., --.*')
    set -l letter (string replace -r $pattern '$1' -- $line)
    set -l name (string replace -r $pattern '$2' -- $line)
    set -l argument (string replace -r $pattern '$4' -- $line | string trim)
    set -l flag -c keepalive -n '__keepalive_expects flags' -s $letter \
        -l $name -d (string replace -r $pattern '$5' -- $line)
    set -l values
    switch $argument
        case ''
            complete $flag
            set -a __keepalive_specs $letter/$name
            continue
        case '*|*'
            set values -a (string replace -a '|' ' ' -- $argument)
        case DIR
            set values -a '(__fish_complete_directories)'
    end
    complete $flag -x $values
    set -a __keepalive_specs $letter/$name=
end

# Reads the flags: is this what the line is for?
#     pid       processes, by -p
#     flags     a flag may come next, or a value of one
#     command   a command; prints it and its arguments
function __keepalive_expects --argument-names what
    set -l words (commandline -opc) (commandline -ct)
    argparse -s $__keepalive_specs -- $words[2..-1] 2>/dev/null
    or set argv
    set -q argv[1]
    and not string match -q -- '-*' $argv[1]
    and set -l operands $argv
    switch $what
        case pid
            set -q _flag_pid
        case flags
            set -q _flag_pid
            or set -q _flag_all
            or not set -q operands[2]
        case command
            set -q _flag_pid
            or set -q _flag_all
            or set -q _flag_global
            or set -q _flag_cgroup
            and return 1
            printf '%s\0' $operands
    end
end

function __keepalive_complete_command
    set -l words (__keepalive_expects command | string split0)
    __fish_complete_subcommand --commandline $words
end

complete -c keepalive -f
complete -c keepalive -n '__keepalive_expects command >/dev/null' \
    -a '(__keepalive_complete_command)'
complete -c keepalive -n '__keepalive_expects pid' \
    -a '(__fish_complete_pids)'
