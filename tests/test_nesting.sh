#!/bin/sh
# test_nesting.sh - `keepalive --cgroup` where several programs are attached:
# those of nested cgroups, of others, of another version, or one of two
# SPDX-License-Identifier: MIT
. tests/common.sh
. tests/cgroup.sh
need python3

system=$(for value in probes time intvl; do
    cat "/proc/sys/net/ipv4/tcp_keepalive_$value"
done | xargs printf 'KEEPCNT=%s KEEPIDLE=%s KEEPINTVL=%s')
# client CGROUP MODE: what the client of traffic.c gets there, without timeout
client() {
    inside "$1" "$traffic" "$2" | sed -n '1{s/client: //; s/ KEEPTIMEOUT.*//; p; }'
}

# The nearest cgroup that gives a value counts, also one that gives the
# system's, unless one above has force.
put -t 99 -c 7 --cgroup "$inner"
put -t 222 -i 33 --cgroup "$cgroup"
expect 'value by value' "$head
on 99 - 7 - $inner
- - 33 - - $cgroup
status 0" "$(said --cgroup "$inner")"
expect 'its connections' 'KEEPALIVE=1 KEEPCNT=7 KEEPIDLE=99 KEEPINTVL=33' \
    "$(client "$inner" connections)"
put -t 7200 --cgroup "$inner"
expect "the system's value is one, too" "$head
on 7200 - - - $inner
- - 33 - - $cgroup
status 0" "$(said --cgroup "$inner")"
put -c 7 --cgroup "$inner"
put --force -t 222 --cgroup "$cgroup"
expect 'force above' "$head
- - - 7 - $inner
force 222 - - - $cgroup
status 0" "$(said --cgroup "$inner")"
expect 'its connections' 'KEEPALIVE=1 KEEPCNT=7 KEEPIDLE=222' \
    "$(client "$inner" connections | cut -d ' ' -f 1-3)"
before=$(attached "$inner")
# Nobody reads the reason: what was there is back all the same.
(trap - PIPE; "$COMMAND" -t 98 --cgroup "$inner" 2>&1; echo $? >"$tmp/status") | :
expect 'refused, and nobody is told' "$before" "$(attached "$inner")"
expect 'what would not count is refused' "keepalive: $inner: a test \
connection there has KEEPIDLE=222: perhaps a cgroup above has --force, or \
values that keepalive 1.1 set; nothing was changed
status 125" "$(said -t 98 --cgroup "$inner")"
expect 'an exemption, too' "keepalive: $inner: a test connection there \
has KEEPALIVE=1: perhaps a cgroup above has --force, or values \
that keepalive 1.1 set; nothing was changed
status 125" "$(said --off --force --cgroup "$inner")"
expect 'and what was there stays' "$before" "$(attached "$inner")"
expect 'off, but not above' "keepalive: $inner: it has no values of its own now, \
but those of $cgroup are in force
status 2" "$(said --off --cgroup "$inner")"
expect 'it comes from above' "$head
force 222 - - - $cgroup
status 0" "$(said --cgroup "$inner")"
expect 'JSON' "[('$cgroup', True, True, 222, None)]" \
    "$("$COMMAND" -j --cgroup "$inner" | python3 -c 'import json, sys
print([(it["cgroup"], it["force"], it["keepalive"], it["idle"], it["count"])
       for it in json.load(sys.stdin)])')"
expect 'quiet' '' "$("$COMMAND" -q -t 222 --cgroup "$inner" 2>&1)"
expect 'force is replaced by force' 2 \
    "$(put --force -t 111 --cgroup "$cgroup"; attached | wc -l)"
drop "$inner"
drop "$cgroup"
expect 'nothing is left' '' "$(attached)$(attached "$inner")"
expect 'JSON, nothing' '[] 1' \
    "$("$COMMAND" -j --cgroup "$inner" | tr -d '\n'
        "$COMMAND" -q --cgroup "$inner"; echo " $?")"

# Where no cgroup can be made beside, as for a mount, the trial comes afterwards.
mkdir "$tmp/mounted"
mount --bind "$inner" "$tmp/mounted"
put -t 111 --cgroup "$tmp/mounted"
before=$(attached "$inner")
put --force -t 222 --cgroup "$cgroup"
expect 'a mount, refused' "keepalive: $tmp/mounted: a test connection there \
has KEEPIDLE=222: perhaps a cgroup above has --force, or values that \
keepalive 1.1 set; nothing was changed
status 125" "$(said -t 98 --cgroup "$tmp/mounted")"
expect 'a mount, what was there is back' 1 "$(attached "$inner" | wc -l)"
expect 'a mount, what is above it' "$head
force 222 - - - above
status 0" "$(said --cgroup "$tmp/mounted")"
drop "$cgroup"
expect 'a mount, its own' "$head
on 111 - - - $tmp/mounted
status 0" "$(said --cgroup "$tmp/mounted")"
expect 'a mount, the same program' "$before" "$(attached "$inner")"
drop "$tmp/mounted"
umount "$tmp/mounted"
expect 'no trial is left' '' "$(ls -d "$inner"/*/ 2>/dev/null)"

# Exempt from what is set above, unless that has force
put -t 222 --cgroup "$cgroup"
expect 'exempt' "$head
off - - - - $inner
status 0" "$(said --off --force --cgroup "$inner")"
expect 'exempt: its connections' "KEEPALIVE=0 $system" \
    "$(client "$inner" connections)"
expect 'exempt: what programs ask for' "KEEPALIVE=1 $system" \
    "$(client "$inner" asks)"
mkdir "$inner/deeper"
put -c 7 --cgroup "$inner/deeper"
expect 'below an exempt one' 'KEEPALIVE=1 KEEPCNT=7' \
    "$(client "$inner/deeper" connections | cut -d ' ' -f 1,2)"
put --force -t 111 --cgroup "$cgroup"
expect 'exempt, and force above' "$head
force 111 - - - $cgroup
status 0" "$(said --cgroup "$inner")"
expect 'its connections' 'KEEPALIVE=1 111' "$(client "$inner" connections |
    sed 's/ KEEPCNT.*IDLE=/ /; s/ KEEPINTVL.*//')"
drop "$inner/deeper" "$inner" "$cgroup"
expect 'no longer exempt' '' "$(attached "$inner")"

# At random: three cgroups, one in the other, values among them that equal the
# system's. What is shown, and what programs get that set nothing, that ask for
# keepalive, and that have an idle time of their own, is as the rule says.
cat >"$tmp/nesting.py" <<'PYTHON'
import json, random, subprocess, sys
command, traffic, rounds, *paths = sys.argv[1:]
system = dict(zip(("count", "idle", "interval"), (9, 7200, 75)))
flags = {"idle": "-t", "interval": "-i", "count": "-c"}
layers = [{} for _ in paths]

def run(*words):
    return subprocess.run(words, stdout=subprocess.PIPE, check=False,
                          universal_newlines=True).stdout

def expected(own, on):
    values = {}
    for layer in reversed(layers):
        if layer.get("off"):
            break
        for name in layer:
            values.setdefault(name, layer[name])
    got = {"keepalive": 1 if on or values else 0, **system, **values}
    return {**got, **own}

def told(line):
    names = {"KEEPALIVE": "keepalive", "KEEPCNT": "count", "KEEPIDLE": "idle",
             "KEEPINTVL": "interval"}
    pairs = (word.split("=") for word in line.split(": ")[1].split())
    return {names[a]: int(b) for a, b in pairs if a in names}

random.seed(23)
for turn in range(int(rounds)):
    at = random.randrange(len(paths))
    kind = random.choice(("off", "exempt") + 4 * ("set",))
    if kind == "set":
        layers[at] = {name: random.choice((system[name], random.randint(2, 99)))
                      for name in random.sample(sorted(system), random.randint(1, 3))}
        words = [word for name in layers[at]
                 for word in (flags[name], str(layers[at][name]))]
    else:
        layers[at] = {"off": True} if kind == "exempt" else {}
        words = ["--off"] + (["--force"] if kind == "exempt" else [])
    subprocess.run([command, "-q", *words, "--cgroup", paths[at]],
                   stderr=subprocess.DEVNULL, check=False)
    for mode, own, on in (("connections", {}, False), ("asks", {}, True),
                          ("some", {"idle": 60}, True)):
        lines = run("sh", "-c", 'echo $$ >"$0/cgroup.procs"; exec "$@"',
                    paths[-1], traffic, mode).splitlines()
        for line in lines[:2]:
            if told(line) != expected(own, on):
                sys.exit(f"{turn}: {layers}, {mode}: {line}")
    shown = {name: row[name]
             for row in json.loads(run(command, "-j", "--cgroup", paths[-1]))
             for name in (*system, "keepalive") if row[name] is not None}
    if ({"keepalive": False, **system, **shown} != expected({}, False)):
        sys.exit(f"{turn}: {layers}, shown: {shown}")
print(f"{turn + 1} rounds")
PYTHON
expect 'at random' '40 rounds' "$(python3 "$tmp/nesting.py" "$COMMAND" \
    "$traffic" 40 "$cgroup" "$inner" "$inner/deeper" 2>&1)"
drop "$inner/deeper" "$inner" "$cgroup"
rmdir "$inner/deeper"

# Programs of others stay, also one of the same name.
"$tmp/attach" beside other "$cgroup"
"$tmp/attach" beside keepalive "$cgroup"
others=$(attached)
expect "others' programs are not ours" "nothing is in force in $cgroup
status 1" "$(said --cgroup "$cgroup")"
put --force -t 222 --cgroup "$cgroup"
put --force -t 223 --cgroup "$cgroup"
expect 'beside them' "$others" "$(attached | head -n 2)"
expect 'ours, once' 4 "$(attached | wc -l)"
drop "$cgroup"
expect 'they stay' "$others" "$(attached)"
# One that writes where ours tell one another what they gave
"$tmp/attach" beside spoil "$inner"
put -t 222 --cgroup "$cgroup"
expect 'one that writes -1' 'KEEPALIVE=1 222' "$(client "$inner" connections |
    sed 's/ KEEPCNT.*IDLE=/ /; s/ KEEPINTVL.*//')"
drop "$cgroup"
rmdir "$inner"

# One that would no longer be run is not put out of work, whichever kind it is
# of: this one is of the first, which is attached without force, too.
mkdir "$inner" "$outer/beside" "$outer/beside/below"
"$tmp/attach" override lenient "$outer/beside"
lenient=$("$tmp/attach" list "$outer/beside" | cut -d ' ' -f 1)
for flag in '' -f; do
    # shellcheck disable=SC2086
    expect "a program that could be overridden $flag" "keepalive: $outer/beside/\
below: the program 'lenient' ($lenient) of $outer/beside would no longer be run \
there, since it was attached with BPF_F_ALLOW_OVERRIDE; nothing was changed
status 125" "$(said $flag -t 222 --cgroup "$outer/beside/below")"
done
expect 'it is still there' "$lenient lenient" \
    "$("$tmp/attach" list "$outer/beside")"
# A program beside which no other can stand, at the cgroup or above it
"$tmp/attach" alone lonely "$inner"
lonely=$("$tmp/attach" list "$inner" | cut -d ' ' -f 1)
mkdir "$inner/deeper"
for at in "$inner" "$inner/deeper"; do
    expect "a program that stands alone, from $at" "keepalive: $at: the program \
'lonely' ($lonely) of $inner allows no other beside it; nothing was changed
status 125" "$(said -t 222 --cgroup "$at")"
done
"$tmp/attach" detach setter "$inner"
"$tmp/attach" override lenient "$inner"
lenient=$("$tmp/attach" list "$inner" | cut -d ' ' -f 1)
expect 'one that could be overridden below, at the cgroup itself' "keepalive: \
$inner: the program 'lenient' ($lenient) of $inner allows no other beside it; \
nothing was changed
status 125" "$(said -t 222 --cgroup "$inner")"
rmdir "$inner/deeper" "$inner" "$outer/beside/below" "$outer/beside"
mkdir "$inner"

# What a version with fewer options, or with more, has left there is ours; and
# programs of 1.1 set values by their own rule.
old="keepalive: $inner: set by keepalive 1.1, whose rule still applies: only \
connections with keepalive off get the values; set them again"
for options in 2 12; do
    "$tmp/attach" record $options "$inner"
    expect "a record of $options options" "$head
on 99 - - - $inner
$old" "$("$COMMAND" --cgroup "$inner" 2>&1 | columns | grep -v 'a later version')"
    expect "a record of $options options is replaced" 1 \
        "$(put -t 98 --cgroup "$inner"; attached "$inner" | wc -l)"
    drop "$inner"
    "$tmp/attach" record $options "$inner"
    expect "a record of $options options is removed" 'status 0' \
        "$(said --off --cgroup "$inner")"
done
"$tmp/attach" record 12 "$inner"
expect 'options that this version does not know' 1 "$("$COMMAND" --cgroup \
    "$inner" 2>&1 | grep -c 'a later version of keepalive set 10 more values')"
expect 'by the rule of 1.1' "KEEPALIVE=1 $system" "$(client "$inner" asks)"
put -t 222 -c 7 --cgroup "$cgroup"
expect 'below one of this version' "$head
on 99 - - - $inner
- - - 7 - $cgroup" "$("$COMMAND" --cgroup "$inner" 2>"$tmp/err" | columns)"
expect 'its connections' 'KEEPALIVE=1 KEEPCNT=7 KEEPIDLE=99' \
    "$(client "$inner" connections | cut -d ' ' -f 1-3)"
drop "$cgroup" "$inner"
"$tmp/attach" record 2 "$cgroup"
put -c 7 --cgroup "$inner"
expect 'above one of this version' "$head
on - - 7 - $inner" "$("$COMMAND" --cgroup "$inner" 2>"$tmp/err" | columns)"
expect 'its connections' 'KEEPALIVE=1 KEEPCNT=7 KEEPIDLE=7200' \
    "$(client "$inner" connections | cut -d ' ' -f 1-3)"
drop "$inner"
expect 'no exemption from it' 125 \
    "$(said --off --force --cgroup "$inner" | sed -n 's/^status //p')"
drop "$cgroup"

# Programs of two runs that did not wait for each other, in containers for
# example: one of them would be replaced, and the other might have force.
"$tmp/attach" record 2 "$cgroup"
"$tmp/attach" record 2 "$cgroup"
expect 'programs of two runs' "$head
on 222 - - - $cgroup
keepalive: $cgroup: programs of several runs are attached, which did not wait \
for one another; use --off, and set the values again
status 2" "$(said -t 222 --cgroup "$cgroup" | grep -v 'set by keepalive 1.1')"
# However many, with few descriptors: each is open only while it is looked at.
for _ in $(seq 10); do "$tmp/attach" record 2 "$cgroup"; done
# shellcheck disable=SC3045
expect 'all are removed' "status 0 $others" \
    "$(ulimit -n 40 && said --off --cgroup "$cgroup") $(attached)"

# One of two programs is missing, whoever removed it.
put -f -t 222 --cgroup "$cgroup"
"$tmp/attach" detach guard "$cgroup"
expect 'the guard is missing' "$head
force 222 - - - $cgroup
keepalive: $cgroup: the half of --force that refuses other values is \
missing, or that of an earlier call; set them again
status 2" "$(said --cgroup "$cgroup")"
# The guard is still that of an earlier call: killed at the last of four, of
# which two are those of the trial.
put -f -t 222 --cgroup "$cgroup"
strace -o "$tmp/trace" -e trace=bpf "$COMMAND" -f -t 333 --cgroup "$cgroup" \
    >"$tmp/out"
call=$(grep '^bpf(' "$tmp/trace" | grep -n BPF_PROG_ATTACH | sed -n '4s/:.*//p')
put -f -t 222 --cgroup "$cgroup"
strace -o "$tmp/trace" -e trace=bpf -e inject="bpf:signal=KILL:when=$call" \
    "$COMMAND" -f -t 333 --cgroup "$cgroup" >"$tmp/out" 2>&1
expect 'the guard of an earlier call' "$head
force 333 - - - $cgroup
keepalive: $cgroup: the half of --force that refuses other values is \
missing, or that of an earlier call; set them again
status 2" "$(said --cgroup "$cgroup")"
put -f -t 222 --cgroup "$cgroup"
"$tmp/attach" detach setter "$cgroup"
expect 'only the guard is there' "keepalive: $cgroup: only the half of --force \
that refuses other values is attached, without the one that sets them; set them \
again, or use --off
status 2" "$(said --cgroup "$cgroup")"
expect 'it is removed' 'status 0' "$(said --off --cgroup "$cgroup")"
expect 'nothing of it is left' "$others" "$(attached)"

# A run that is killed at any call that changes something leaves the old values,
# or the new ones, which were tried. A half is seen, and is never the one that
# keeps programs from what nobody sets.
calls=bpf,mkdirat,unlinkat,wait4 # each counts its own
# at_each_call OLD NEW FLAGS...: from -f -t OLD, or -t OLD, to what FLAGS say
at_each_call() {
    old=$1 new=$2
    shift 2
    # shellcheck disable=SC2086
    put $old --cgroup "$cgroup"
    strace -o "$tmp/trace" -e trace=$calls "$COMMAND" "$@" --cgroup "$cgroup" \
        >"$tmp/out" 2>&1
    awk -F '(' '/^[a-z0-9]*\(/ { print $1 ":signal=KILL:when=" ++count[$1] }' \
        "$tmp/trace" >"$tmp/each"
    while read -r call; do
        # shellcheck disable=SC2086
        put $old --cgroup "$cgroup"
        strace -o "$tmp/trace" -e trace=$calls -e inject="$call" \
            "$COMMAND" "$@" --cgroup "$cgroup" >"$tmp/out" 2>&1
        now=$("$COMMAND" --cgroup "$cgroup" 2>"$tmp/err")
        now="$? $(echo "$now" | awk 'NR == 2 { print $2 }') $(grep -c . "$tmp/err")"
        # While it waits for the trial, the old ones are in force.
        case $now,$(grep '^[a-z0-9]*(' "$tmp/trace" | tail -n 1) in
        "0 ${old##* } 0,wait4"* | '1  0,wait4'*) ;;
        *,wait4*) fail "killed at call $call, in the trial: $now" ;;
        esac
        case "$now" in
        "0 ${old##* } 0" | "0 $new 0" | "2 ${old##* } 1" | "2 $new 1") ;;
        '1  0')
            [ "$new" = none ] || [ "$old" = --off ] ||
                fail "killed at call $call: nothing"
            ;;
        *) fail "killed at call $call of keepalive $*: $now" ;;
        esac
        got=$(client "$cgroup" connections | sed 's/.*IDLE=//; s/ .*//')
        case $got,$now in
        "${system#*IDLE=}",1* | *",${now%% *} $got "*) ;;
        *) [ "$now" = '1  0' ] || fail "killed at call $call: $got, shown $now" ;;
        esac
    done <"$tmp/each"
}
at_each_call --off 222 -f -t 222
at_each_call '-t 111' 222 -f -t 222
at_each_call '-f -t 222' 111 -t 111
at_each_call '-f -t 222' 333 -f -t 333
at_each_call '-f -t 222' none --off
drop "$cgroup"
expect 'nothing of killed runs is left' "$others $inner/" \
    "$(attached) $(ls -d "$cgroup"/*/)"
finish
