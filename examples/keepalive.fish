# keepalive.fish - completion of the keepalive command for fish
# SPDX-License-Identifier: MIT
#
# `make install` puts it where fish looks; by hand, copy it to
# ~/.config/fish/completions.

# Reads the flags: is this what the line is for?
#     pid       processes, by -p
#     flags     a flag may come next, or a value of one
#     command   a command; prints it and its arguments
function __keepalive_expects --argument-names what
    set -l words (commandline -opc) (commandline -ct)
    argparse -s t/idle= i/interval= c/count= u/timeout= o/off f/force p/pid \
        a/all m/missing n/dry-run g/global= G/cgroup= j/json q/quiet h/help V/version -- $words[2..-1] 2>/dev/null
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
complete -c keepalive -n '__keepalive_expects flags' -x -s t -l idle \
    -d 'Idle time before a probe'
complete -c keepalive -n '__keepalive_expects flags' -x -s i -l interval \
    -d 'Time between probes'
complete -c keepalive -n '__keepalive_expects flags' -x -s c -l count \
    -d 'Unanswered probes before giving up'
complete -c keepalive -n '__keepalive_expects flags' -x -s u -l timeout \
    -d 'Time without acknowledgement of data'
complete -c keepalive -n '__keepalive_expects flags' -s o -l off \
    -d 'No keepalive'
complete -c keepalive -n '__keepalive_expects flags' -s f -l force \
    -d 'Programs cannot change the values'
complete -c keepalive -n '__keepalive_expects flags' -s p -l pid \
    -d 'The sockets of running processes'
complete -c keepalive -n '__keepalive_expects flags' -s a -l all \
    -d 'The sockets of all processes'
complete -c keepalive -n '__keepalive_expects flags' -s m -l missing \
    -d 'Only connections without keepalive'
complete -c keepalive -n '__keepalive_expects flags' -s n -l dry-run \
    -d 'Say what would be set'
complete -c keepalive -n '__keepalive_expects flags' -x -s g -l global \
    -a 'on off status' -d 'The whole machine'
complete -c keepalive -n '__keepalive_expects flags' -x -s G -l cgroup \
    -a '(__fish_complete_directories)' -d 'Every program of a cgroup'
complete -c keepalive -n '__keepalive_expects flags' -s j -l json \
    -d 'Print JSON'
complete -c keepalive -n '__keepalive_expects flags' -s q -l quiet \
    -d 'No warning if the command is out of reach'
complete -c keepalive -n '__keepalive_expects flags' -s h -l help \
    -d 'Print the flags'
complete -c keepalive -n '__keepalive_expects flags' -s V -l version \
    -d 'Print the version'
