#!/bin/sh
# layers.sh - sources include one another in one direction, and stay small
# SPDX-License-Identifier: MIT
#
# Part of `make lint`. Fails if the includes make a circle, or if what the
# folders of src/command stand on includes one of them; main.c alone may. Or if
# a source has more than 500 lines, or a function more than 40, or two functions
# of the command have one name.
set -u
large=$(awk 'FNR == 1 { start = 0 }
    FNR == 501 { print FILENAME ": more than 500 lines" }
    /^{/ { start = FNR }
    /^}/ && start && FNR - start > 41 { print FILENAME ":" start ": large" }
    /^}/ { start = 0 }' src/*/*.[ch] src/*/*/*.[ch])
[ -z "$large" ] || {
    echo "$large"
    exit 1
}
cd src/command || exit 1
pairs=$(for file in *.[ch] */*.[ch]; do
    sed -n 's/^#include "\(.*\)\.h"$/\1/p' "$file" |
        while read -r name; do
            [ ! -e "$name.h" ] || echo "${file%.[ch]} $name"
        done
done | sort -u | awk '$1 != $2')
echo "$pairs" | tsort >/dev/null || exit 1
up=$(echo "$pairs" | awk '$1 !~ "/" && $1 != "main" && $2 ~ "/"')
[ -z "$up" ] || {
    echo "an include that goes up: $up"
    exit 1
}
double=$(grep -hE '^[a-z][a-z_ ]*[ *][a-z_0-9]+\(' ./*.c ./*/*.c | grep -v ';$' |
    sed -E 's/\(.*//; s/.*[ *]//' | sort | uniq -d)
[ -z "$double" ] || {
    echo "names of more than one function: $double"
    exit 1
}
