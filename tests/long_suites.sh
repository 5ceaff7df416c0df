#!/bin/sh
# long_suites.sh - CPython's tests of sockets, without the library and with it
# SPDX-License-Identifier: MIT
#
# The others take too long: see `make check-suites`.
. tests/common.sh
need python3
PATH=/usr/bin:$PATH
python3 -c 'import test.test_socket' 2>/dev/null ||
    skip 'python3 has no tests here (libpython3.N-testsuite)'
SUITES=test_socket sh tests/field/suites.sh
