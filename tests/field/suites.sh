#!/bin/sh
# suites.sh - other projects' test suites, without the library and with it
# SPDX-License-Identifier: MIT
#
# Each suite, or those named in SUITES, runs twice with a library that does
# nothing, to find what is not repeatable, then with libkeepalive, then with
# KEEPALIVE=force, too. The results are compared test by test and printed as a
# table. CPython's tests come from the package libpython3.N-testsuite; the sources
# of the others are fetched with apt-get and kept below $BUILD/suites. They run in
# a network namespace of their own, which has only a loopback.
. tests/common.sh
sources=$BUILD/suites
PATH=/usr/bin:$PATH # the distribution's programs, not others of that name
python='test_socket test_asyncio test_ssl test_httplib test_socketserver
    test_selectors test_ftplib test_smtplib test_xmlrpc test_subprocess
    test_signal test_multiprocessing_fork'
# shellcheck disable=SC2086
set -- ${SUITES:-$python perl libuv1 libevent curl}

# fetch PACKAGE: its source, into $sources/PACKAGE
fetch() {
    package=$1 apt=$sources/apt
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' \
        'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1)
    rm -rf "${sources:?}/$package.new"
    mkdir -p "$apt/lists/partial" "$sources/$package.new" || return
    echo "deb-src $mirror main" >"$apt/sources.list"
    set -- -q -o Dir::Etc::SourceList="$apt/sources.list" \
        -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$apt/lists" \
        -o Dir::Cache::srcpkgcache= -o Dir::Cache::pkgcache= \
        -o APT::Sandbox::User=root
    cd "$sources/$package.new" && apt-get "$@" update &&
        apt-get "$@" source --download-only "$package" &&
        for archive in ./*.orig.tar.*[!c]; do # not .asc, its signature
            tar -xf "$archive" --strip-components=1 || exit
        done &&
        mv "$sources/$package.new" "$sources/$package"
}

# build PACKAGE TARGET
build() {
    cmake -S "$sources/$1" -B "$sources/$1/build.new" \
        -D EVENT__LIBRARY_TYPE=STATIC &&
        make -C "$sources/$1/build.new" -j 2 "$2" &&
        mv "$sources/$1/build.new" "$sources/$1/build"
}

# With what needs no other library.
build_curl() {
    cd "$sources/curl" && ./configure --without-ssl --disable-ldap \
        --without-libpsl --without-brotli --without-zstd --without-zlib \
        --disable-shared && make -j 2 && make -C tests -j 2 && mkdir build
}

if [ -z "${IN_NAMESPACE-}" ]; then
    for suite; do
        case $suite in
        perl | libuv1 | libevent | curl)
            [ -d "$sources/$suite" ] || (fetch "$suite") >"$tmp/log" 2>&1 ||
                cat "$tmp/log"
            ;;
        esac
        case $suite in
        libuv1) target=uv_run_tests_a ;;
        libevent) target=regress ;;
        curl)
            [ -d "$sources/curl/build" ] || (build_curl) >"$tmp/log" 2>&1 ||
                tail "$tmp/log"
            continue
            ;;
        *) continue ;;
        esac
        [ -d "$sources/$suite/build" ] ||
            build "$suite" "$target" >"$tmp/log" 2>&1 || tail "$tmp/log"
    done
fi
in_namespace -n -m -p -f --kill-child --mount-proc
need ip timeout
ip link set lo up
unset http_proxy https_proxy ALL_PROXY all_proxy

# Known differences, and why they are not the library's fault.
explain() { # SUITE TEST
    case $1:$2 in
    *) return 1 ;;
    esac
}

# Each runner prints "NAME RESULT" on descriptor 3, a line for each test.

run_python() {
    timeout 600 python3 -c '
import os, sys, unittest
from test import support
support.use_resources = ["network"]  # here a loopback
report = os.fdopen(3, "w", buffering=1)
own = os.getpid()
def say(test, outcome):
    if os.getpid() == own:
        print(test.id().replace(" ", "_"), outcome, file=report)
class Result(unittest.TestResult):
    def addSuccess(self, test):
        say(test, "ok")
    def addError(self, test, error):
        say(test, "error:" + error[0].__name__)
    def addFailure(self, test, error):
        say(test, "failed")
    def addSkip(self, test, reason):
        say(test, "skipped")
    def addExpectedFailure(self, test, error):
        say(test, "failed,as_expected")
    def addSubTest(self, test, sub, error):
        if error is not None:
            say(test, "failed")
def each(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from each(test)
        elif "VSOCK" not in test.id():  # speaks to the host of this machine
            yield test
if __name__ == "__main__":
    load = unittest.defaultTestLoader.loadTestsFromName
    tests = unittest.TestSuite(each(load("test." + sys.argv[1])))
    tests.run(Result())' "$1"
}

run_perl() {
    for directory in dist/IO cpan/IO-Socket-IP cpan/Socket cpan/HTTP-Tiny \
        cpan/libnet; do
        for test in "$sources/perl/$directory"/t/*.t; do
            (cd "$sources/perl/$directory" &&
                timeout 120 perl -It/lib "t/${test##*/}" 2>/dev/null) |
                sed -n "s,^\(not ok\|ok\) \([0-9]*\).*,${test##*/}:\2 \1,p" |
                sed 's/ not ok$/ failed/' >&3
        done
    done
}

# Not as root: it refuses.
run_libuv1() {
    cp -R "$sources/libuv1/build/uv_run_tests_a" "$sources/libuv1/test" . &&
        chown -R 65534 .
    timeout 900 setpriv --reuid=65534 --regid=65534 --clear-groups \
        ./uv_run_tests_a |
        sed -n 's/^\(not ok\|ok\) [0-9]* - \([a-z0-9_]*\).*/\2 \1/p' |
        sed 's/ not ok$/ failed/' >&3
}

run_libevent() {
    (cd "$sources/libevent/build" && timeout 900 bin/regress) |
        sed -n 's,^\([a-z0-9_/]*\): \(\[forking\] \)\{0\,1\}\([A-Z]*\).*,\1 \3,p' |
        sed 's/ OK$/ ok/' >&3
}

# The first thousand, but for those that need ssh; each has its number. By way of a
# file: the servers may outlive them.
run_curl() {
    (cd "$sources/curl/tests" && USER=$(id -un) timeout 1200 perl runtests.pl \
        -a -n -s '!SSH' '!SCP' '!SFTP' 1 to 1000) >out 2>&1
    sed -n 's/^test 0*\([0-9]*\)\.\.\.OK .*/\1 ok/p
        s/^OK (\([0-9]*\) out of .*/\1 ok/p
        s/^ \([0-9]*\): .*FAILED.*/\1 failed/p' out >&3
}

# prepare SUITE: false, with the reason in $tmp/log, if it cannot run here
prepare() {
    case $1 in
    test_*) python3 -c "import test.$1" 2>"$tmp/log" ;;
    perl) [ -d "$sources/perl" ] ;;
    *) [ -d "$sources/$1/build" ] ;;
    esac
}

# once SUITE PASS LIBRARY MODE
once() {
    (
        export TMPDIR="$tmp/scratch" HOME="$tmp/scratch" LC_ALL=C.UTF-8
        export KEEPIDLE=240 KEEPINTVL=30 KEEPCNT=5 KEEPALIVE="$4"
        export LD_PRELOAD="$3"
        mkdir "$TMPDIR" && cd "$TMPDIR" || exit
        case $1 in
        test_*) run_python "$1" ;;
        *) "run_$1" ;;
        esac
    ) 3>"$tmp/$2" >"$tmp/said" 2>&1 </dev/null
    rm -rf "${tmp:?}/scratch"
    # the same name twice or more: subtests, of which the worst counts
    sort -u "$tmp/$2" | awk '{ all[$1] = all[$1] $2 }
        END { for (name in all) print name, all[name] }' |
        sort >"$tmp/$2.sorted"
}

# differ SUITE PASS: the tests of the pass whose result is not the plain one
differ() {
    join -a 1 -e missing -o 0,1.2,2.2 "$tmp/same" "$tmp/$2.sorted" |
        awk '$2 != $3' >"$tmp/differ"
    unknown=0
    while read -r test plain got; do
        if reason=$(explain "$1" "$test"); then
            echo "    $1, $2: $test: $got, not $plain: $reason"
        else
            unknown=$((unknown + 1))
            fail "$1, $2: $test: $got, not $plain"
        fi
    done <"$tmp/differ" >>"$tmp/notes"
    echo "$unknown"
}

row() {
    printf '%-26s %7s %7s %15s %15s %15s\n' "$@"
}
row suite tests ok 'not repeatable' 'different, on' 'and with force'
: >"$tmp/notes"
for suite; do
    if ! prepare "$suite"; then
        echo "$suite: not to be had here: $(tail -n 1 "$tmp/log")"
        continue
    fi
    once "$suite" plain "$BUILD/tests/empty.so" on
    once "$suite" again "$BUILD/tests/empty.so" on
    once "$suite" on "$LIBKEEPALIVE" on
    once "$suite" force "$LIBKEEPALIVE" force
    comm -12 "$tmp/plain.sorted" "$tmp/again.sorted" >"$tmp/same"
    tests=$(wc -l <"$tmp/plain.sorted")
    [ "$tests" -gt 0 ] || fail "$suite: no test has run: $(tail -n 5 "$tmp/said")"
    row "$suite" "$tests" "$(grep -c ' ok$' "$tmp/same")" \
        $((tests - $(wc -l <"$tmp/same"))) \
        "$(differ "$suite" on)" "$(differ "$suite" force)"
done
cat "$tmp/notes"
grep -q '^not so' "$tmp/notes" && exit 1
finish
