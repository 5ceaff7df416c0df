#!/bin/sh
# matrix.sh - which values real programs end up with, and who set them
# SPDX-License-Identifier: MIT
#
#     matrix.sh          prints the matrix of the programs that are here
#     matrix.sh fetch    unpacks the others' Debian packages into $UNPACKED
#
# Nothing is installed and no service started by it. A row that is not as
# programs.sh recorded it is marked. Servers that want a user need root.
. tests/common.sh
export UNPACKED="$BUILD/matrix"
packages='mariadb-client-core mosquitto-clients mosquitto lftp tnftp rsync
    openssl gnutls-bin telnet ncat w3m lynx aria2 axel bind9-dnsutils
    ldap-utils freetds-bin iperf3 gdb php-cli ruby tcl hey
    redis-server memcached nginx-light apache2-bin lighttpd haproxy tinyproxy
    stunnel4 vsftpd openssh-server postgresql libkeepalive0 libdontdie0'

fetch() {
    need apt-get dpkg
    mkdir -p "$UNPACKED/archives/partial"
    # shellcheck disable=SC2086
    apt-get install -y --no-install-recommends --download-only \
        -o Dir::Cache::archives="$UNPACKED/archives" $packages || exit 1
    for archive in "$UNPACKED"/archives/*.deb; do
        dpkg -x "$archive" "$UNPACKED" || exit 1
    done
    # What the packages' own scripts would have linked, and a relative link.
    ln -sf "$(command -v redis-check-rdb)" "$UNPACKED/usr/bin/redis-server"
    ln -sf inetutils-telnet "$UNPACKED/usr/bin/telnet"
    for php in "$UNPACKED"/usr/bin/php[0-9].[0-9]; do
        ln -sf "${php##*/}" "$UNPACKED/usr/bin/php"
    done
}

# The library of a Debian package, installed or unpacked.
library_of() {
    { dpkg -L "$1"; find "$UNPACKED" -type f -o -type l; } 2>/dev/null |
        grep "/${1%0}\.so\.0\$" | head -n 1
}

# The version that a program tells, else that of its package.
version_of() {
    case $1 in
    ssh | sshd) option=-V ;;
    nginx | apache2 | dig) option=-v ;;
    ldapsearch) option=-VV ;;
    java) option=-version ;;
    mosquitto) option=-h ;;
    openssl) option=version ;;
    tsql) option=-C ;;
    *) option=--version ;;
    esac
    told=$(timeout 5 "$1" $option </dev/null 2>&1 |
        sed 's/Ver .* Distrib//' |
        grep -Eo '[0-9]+(\.[0-9]+)+[a-z0-9]*' | head -n 1)
    if [ -z "$told" ]; then
        # With or without /usr, as the package has it.
        file=$(readlink -f "$(command -v "$1")")
        package=$(dpkg -S "*${file#/usr}" | cut -d : -f 1 | head -n 1)
        told=$(dpkg-query -W -f '${Version}' "$package" ||
            basename "$UNPACKED/archives/$1"_* | cut -d _ -f 2)
    fi 2>/dev/null
    told=${told%%[-+]*}
    echo "${told:--}"
}

# What was unpacked is found behind what is installed.
extend_paths() {
    PATH=$PATH:/usr/sbin:$UNPACKED/usr/bin:$UNPACKED/usr/sbin
    for directory in /usr/lib/postgresql/*/bin \
        "$UNPACKED"/usr/lib/postgresql/*/bin; do
        PATH=$PATH:$directory
    done
    for directory in "$UNPACKED"/usr/lib/*-linux-gnu; do
        LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$directory
    done
    RUBYLIB=$(echo "$UNPACKED"/usr/lib/ruby/[0-9]* \
        "$UNPACKED"/usr/lib/*-linux-gnu/ruby/[0-9]* | tr ' ' :)
    export PATH LD_LIBRARY_PATH RUBYLIB
}

# One row of one library's pass.
row() {
    # shellcheck disable=SC2254
    case $(echo "$3" | sort -u) in
    $2) mark= ;;
    *) mark='*' ;;
    esac
    printf '%s\t%s\t%s\t%s\n' "$1" "$(echo "$3" | grep -c .)" \
        "$(echo "$3" | sort -u | paste -sd ';')" "$mark"
}

# The table with the library $PASS, or with none: runs in a network of its own
# and, where $CGROUP is set, in that cgroup.
pass() {
    in_namespace -n -m -i
    if [ -n "${CGROUP-}" ]; then
        echo $$ >"$CGROUP/cgroup.procs" || exit 1
    fi
    . tests/field/programs.sh
    # shellcheck disable=SC2034 # launch() uses it
    library=${PASS#none}
    common_programs
    overriding_programs
    more_programs
    [ -z "$missing" ] || printf 'missing\t%s\n' "$missing"
}

# join_passes VERSIONS NONE LIBKEEPALIVE0 LIBDONTDIE0 FORCE CGROUP
#     FORCED_CGROUP OURS
join_passes() {
    awk -F '\t' '
        function line(a, b, c, d, e, f, g, h, i, j, k) {
            sub(/ +$/, "", k)
            printf "%-25s %-11s %3s %-12s %-30s %-12s %-12s %-12s %-14s %-12s %s\n",
                a, b, c, d, e, f, g, h, i, j, k
        }
        BEGIN {
            split("keepalive count idle interval", field, " ")
            split("1 11 222 33", ours, " ")
            line("program", "version", "fds", "libkeepalive", "set by",
                "force", "cgroup", "cgroup -f", "libkeepalive0", "libdontdie0", "no library")
        }
        FNR == 1 { file++ }
        file == 1 { version[$1] = $2; next }
        $1 == "missing" { missing = $2; next }
        NF < 4 { next }
        file < 8 {
            other[file, $1] = $3 (file >= 5 ? $4 : "")
            wrong += file >= 5 && $4 != ""
            in_all[file] += $3 == "1 11 222 33"
            next
        }
        {
            own = ""
            split($3, value, " ")
            for (i = 1; i <= 4; i++)
                if (value[i] != ours[i])
                    own = own (own ? ", " : "") field[i]
            by = own ? "program: " own : "library"
            if ($2 == 0)
                by = "-"
            else if (own)
                others = others (others ? ", " : "") $1
            else
                in_force++
            wrong += $4 != ""
            rows++
            program = $1
            sub(/ .*/, "", program)
            line($1 $4, version[program], $2, $3, by, other[5, $1],
                other[6, $1], other[7, $1], other[3, $1], other[4, $1],
                other[2, $1])
        }
        END {
            print "\nall four values in force: " in_force " of " rows
            print "others: " others
            print "with KEEPALIVE=force: " in_all[5] " of " rows
            print "with --cgroup, no library: " in_all[6] + 0 " of " rows
            print "with --force --cgroup, no library: " in_all[7] + 0 " of " rows
            if (missing)
                print "not on this machine:" missing
            if (wrong) {
                print "* not as tests/field/programs.sh recorded: " wrong
            }
        }' "$@"
}

if [ -n "${PASS-}" ]; then
    pass
    exit
elif [ "${1-}" = fetch ]; then
    fetch
    exit
fi

# One pass a library, side by side.
need unshare
extend_paths
passes=
number=0
group=
at_exit='kill $passes 2>/dev/null; [ -z "$group" ] || remove_group "$group"'
# One cgroup for each of the two passes, in one of this script
make_groups() {
    mount=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
    group=${mount:?no cgroup2}/$group_name
    mkdir "$group" "$group/cgroup" "$group/cgroup-force" &&
        "$COMMAND" -c 11 -t 222 -i 33 --cgroup "$group/cgroup" &&
        "$COMMAND" --force -c 11 -t 222 -i 33 --cgroup "$group/cgroup-force"
}
for library in none "$(library_of libkeepalive0)" "$(library_of libdontdie0)" \
    "$LIBKEEPALIVE" none none "$LIBKEEPALIVE"; do
    number=$((number + 1))
    mode=on
    case $number in
    4) mode=force ;;
    5) mode=cgroup && make_groups >/dev/null || library= ;;
    6) mode=cgroup-force && [ -d "$group/$mode" ] || library= ;;
    esac
    if [ -z "$library" ]; then
        echo 'not here' >"$tmp/$number"
        continue
    fi
    [ "${mode#cgroup}" != "$mode" ] && CGROUP=$group/$mode || CGROUP=
    PASS=$library MODE=$mode CGROUP=$CGROUP sh tests/field/matrix.sh \
        >"$tmp/$number" 2>"$tmp/errors.$number" &
    passes="$passes $!"
done
for pass in $passes; do
    wait "$pass" && continue
    fail "a pass ended with status $?"
    grep -h skipped "$tmp"/[1-7]
    cat "$tmp"/errors.*
done
cut -f 1 "$tmp/7" | cut -d ' ' -f 1 | sort -u | while read -r program; do
    [ "$program" = missing ] ||
        printf '%s\t%s\n' "$program" "$(version_of "$program")"
done >"$tmp/versions"

mkdir -p "$BUILD"
{
    echo 'SO_KEEPALIVE TCP_KEEPCNT TCP_KEEPIDLE TCP_KEEPINTVL of the sockets' \
        'of real programs'
    echo "Asked for: 1 11 222 33. $(date +%F), Linux $(uname -r | cut -d . -f 1,2)," \
        "$(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release)"
    echo
    join_passes "$tmp/versions" "$tmp/1" "$tmp/2" "$tmp/3" "$tmp/4" "$tmp/5" \
        "$tmp/6" "$tmp/7"
} >"$BUILD/matrix.txt" || fail 'the rows that are marked'
cat "$BUILD/matrix.txt"
finish
