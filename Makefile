# Makefile - builds, tests and installs libkeepalive
# SPDX-License-Identifier: MIT
#
# CC CFLAGS CPPFLAGS LDFLAGS prefix exec_prefix bindir libdir mandir DESTDIR are
# yours to set; what the library cannot do without stands in variables of its own.

VERSION = 1.0

prefix = /usr/local
exec_prefix = $(prefix)
bindir = $(exec_prefix)/bin
libdir = $(exec_prefix)/lib
mandir = $(prefix)/share/man

CFLAGS = -O2 -g
BUILD = build

warnings = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
	-Wmissing-prototypes
# The compiler notes the control-flow protection of the architecture in the
# library: a library without the note switches it off in every program. So would
# the atomics of libgcc, which have no note and import another symbol. A compiler
# that does not know a flag, or not together with CFLAGS, goes without it.
accepts = $(shell echo "int f(void) { return 0; }" | $(CC) $(CPPFLAGS) $(CFLAGS) -Werror $(1) -c -x c \
	-o /dev/null - 2>/dev/null && echo '$(1)')
protection := $(call accepts,-fcf-protection) \
	$(call accepts,-mbranch-protection=standard) \
	$(call accepts,-mno-outline-atomics)
cflags = -std=c11 -D_GNU_SOURCE -Iinclude -MMD -MP $(warnings)
library_cflags = -fPIC -fvisibility=hidden $(protection)
# No start files: they would import symbols that need a look-up at each start
# of a program. All symbols are bound at once and the segments are not separate:
# preload.c makes the one page of data read-only when it is complete, which
# protects more than RELRO would and takes two pages less.
library_ldflags = -shared -nostartfiles -Wl,-soname,libkeepalive.so \
	-Wl,--hash-style=gnu,-z,defs,-z,now,-z,norelro,-z,text,-z,noexecstack \
	-Wl,-z,noseparate-code
command_cflags = -DKEEPALIVE_VERSION='"$(VERSION)"' \
	-DKEEPALIVE_LIBRARY='"$(libdir)/libkeepalive.so"'

library = $(BUILD)/libkeepalive.so
library_objects = $(patsubst src/%.c,$(BUILD)/%.o,$(wildcard src/library/*.c))
command = $(BUILD)/keepalive
command_objects = $(patsubst src/%.c,$(BUILD)/%.o,$(wildcard src/command/*.c))
# What the library and the command share
shared_objects = $(BUILD)/library/settings.o $(BUILD)/library/apply.o

suites = $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/check_*.c))
scripts = $(sort $(wildcard tests/test_*.sh))
long_scripts = $(sort $(wildcard tests/long_*.sh))
helpers = $(BUILD)/tests/probe $(BUILD)/tests/peek $(BUILD)/tests/hostile \
	$(BUILD)/tests/starts $(BUILD)/tests/early.so $(BUILD)/tests/empty.so \
	$(BUILD)/tests/refuse.so

all: $(library) $(command)

# What the library asks of the C library it asks by name alone, without a symbol
# version: the loader has less to compare at each start of a program, and that
# of a modern dlsym() is unknown to the systems before 2021. The linker takes the
# names from a stand-in. A C library that is not glibc, which leaves the last
# word of this as it is, has no versions.
last := $(lastword $(shell printf '\043include <features.h>\n__GLIBC__\n' | \
	$(CC) -E -P -x c -))
standin = $(if $(filter __GLIBC__,$(last)),,$(BUILD)/stand-in/libc.so.6)

# Packed relocations are unknown to glibc before 2.36, and without a version it
# would not even refuse them.
comma := ,
own_ldflags = $(subst $(comma)pack-relative,$(comma)nopack-relative,$(LDFLAGS))

$(library): $(library_objects) $(standin)
	$(CC) $(library_ldflags) $(CFLAGS) $(own_ldflags) -o $@ $(library_objects) $(standin)

# syscall only where the instruction for a system call is not known; the next two
# where CFLAGS has a stack protector, the rest where the compiler calls them
# of its own accord.
$(BUILD)/stand-in/libc.so.6: Makefile
	@mkdir -p $(@D)
	{ echo 'char **__environ;'; for name in dl_iterate_phdr getauxval __errno_location \
		syscall __stack_chk_fail __stack_chk_guard memcpy memmove memset \
		memcmp; do echo "void $$name(void) {}"; done; } | \
	$(CC) $(CFLAGS) -fno-lto -fno-builtin -fno-stack-protector -fPIC \
		-shared -nostdlib -Wl,-soname,$(@F) -o $@ -x c -

$(library_objects): $(BUILD)/%.o: src/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(cflags) $(library_cflags) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(command): $(command_objects) $(shared_objects)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

$(command_objects): $(BUILD)/%.o: src/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(cflags) $(command_cflags) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# The command holds the path of the library, so it is made anew for another.
$(BUILD)/command/locate.o: $(BUILD)/path
$(BUILD)/path: force
	@mkdir -p $(@D)
	@echo '$(libdir)' | cmp -s - $@ || echo '$(libdir)' >$@

# The HOWTO's example: its test program without and with the library.
demo: $(library) $(BUILD)/examples/show
	$(BUILD)/examples/show
	LD_PRELOAD=$(abspath $(library)) KEEPCNT=20 KEEPIDLE=180 KEEPINTVL=60 \
		$(BUILD)/examples/show

$(BUILD)/examples/%: examples/%.c
	@mkdir -p $(@D)
	$(CC) $(cflags) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $<

# Tests. CHECKED is the library that they load, COMMAND the command.
CHECKED = $(library)
COMMAND = $(command)
run_tests = LIBKEEPALIVE=$(abspath $(CHECKED)) COMMAND=$(abspath $(COMMAND)) \
	BUILD=$(abspath $(BUILD)) CC='$(CC)' MAKE='$(MAKE)' sh tests/run.sh

check: all check-programs
	+$(run_tests) $(suites) $(scripts)

# What takes minutes, or needs more tools than README's command installs.
check-long: all check-programs
	+$(run_tests) $(long_scripts)

check-programs: $(suites) $(helpers) $(BUILD)/examples/show

$(BUILD)/tests/check_%: tests/check_%.c $(shared_objects)
	@mkdir -p $(@D)
	$(CC) $(cflags) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< \
		$(filter %.o,$^) $$(pkg-config --cflags --libs check)

# With the flags of the library, so that the two can be compared.
$(BUILD)/tests/empty.so: tests/empty.c
	@mkdir -p $(@D)
	$(CC) $(cflags) $(library_cflags) $(CPPFLAGS) $(CFLAGS) \
		$(library_ldflags) $(LDFLAGS) -o $@ $<

$(BUILD)/tests/%.so: tests/%.c
	@mkdir -p $(@D)
	$(CC) $(cflags) $(library_cflags) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) \
		-shared -o $@ $<

$(BUILD)/tests/%: tests/%.c
	@mkdir -p $(@D)
	$(CC) $(cflags) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $< -ldl

# What it costs, beside its peers (libkeepalive0 and libdontdie0 where they are
# installed) and the floor.
bench: all $(BUILD)/tests/field/bench $(BUILD)/tests/empty.so
	LIBKEEPALIVE=$(abspath $(library)) BUILD=$(abspath $(BUILD)) \
		sh tests/field/bench.sh | tee $(BUILD)/bench.txt

# An idle connection behind a NAT, told as it happens; as root.
demo-nat: all
	LIBKEEPALIVE=$(abspath $(CHECKED)) BUILD=$(abspath $(BUILD)) \
		sh tests/field/demo_nat.sh

# Real programs: what the kernel has of their sockets, in build/matrix.txt. The
# second unpacks the Debian packages of those that are not installed.
matrix: all $(helpers)
	LIBKEEPALIVE=$(abspath $(CHECKED)) BUILD=$(abspath $(BUILD)) \
		sh tests/field/matrix.sh

matrix-programs:
	BUILD=$(abspath $(BUILD)) sh tests/field/matrix.sh fetch

# Installing. The new file is written beside the old one and renamed over it:
# who writes into a mapped library ends every process that uses it.
define put
	new='$(DESTDIR)$(3)/.$(notdir $(1)).new' && \
	cp '$(1)' "$$new" && chmod $(2) "$$new" && sync "$$new" && \
	mv -f "$$new" '$(DESTDIR)$(3)/$(notdir $(1))'
endef

install: all install-library
	umask 022 && mkdir -p '$(DESTDIR)$(bindir)' '$(DESTDIR)$(mandir)/man1' \
		'$(DESTDIR)$(mandir)/man7'
	$(call put,$(command),755,$(bindir))
	$(call put,man/keepalive.1,644,$(mandir)/man1)
	$(call put,man/libkeepalive.7,644,$(mandir)/man7)

# All that 32-bit programs need beside the rest, see README.
install-library: $(library)
	umask 022 && mkdir -p '$(DESTDIR)$(libdir)'
	$(call put,$(library),644,$(libdir))

# A line in ld.so.preload without its file is a message from every program. It
# may name the file by its path, with or without /usr, by $LIB, or barely.
preload = $(DESTDIR)/etc/ld.so.preload
words = sed 's/\#.*//' '$(preload)' 2>/dev/null | tr -s ' \t:/' '\n\n\n/' | \
	sed 's,^/usr/,/,'

uninstall:
	@if $(words) | grep -Fxq -e libkeepalive.so \
			-e '$(patsubst /usr/%,/%,$(libdir))/libkeepalive.so' || \
		$(words) | grep -q '[$$].*/libkeepalive\.so$$'; then \
		echo 'not uninstalled: $(preload) still names libkeepalive.so;' \
			'run keepalive --global off first' >&2; \
		exit 1; \
	fi
	rm -f '$(DESTDIR)$(libdir)/libkeepalive.so' '$(DESTDIR)$(bindir)/keepalive'
	rm -f '$(DESTDIR)$(mandir)/man1/keepalive.1'
	rm -f '$(DESTDIR)$(mandir)/man7/libkeepalive.7'

# A command in DESTDIR runs programs with a library that is not there yet.
installcheck: check-programs
	+$(run_tests) $(BUILD)/tests/check_preload tests/test_elf.sh \
		tests/test_demo.sh tests/test_syscalls.sh tests/test_process.sh \
		$(if $(DESTDIR),,tests/test_command.sh)
installcheck: CHECKED = $(DESTDIR)$(libdir)/libkeepalive.so
installcheck: COMMAND = $(DESTDIR)$(bindir)/keepalive

# Stricter checks, for those who change the code.
sources = src/*/*.[ch] include/*.h tests/*.[ch] tests/field/*.c examples/*.c
lint:
	clang-format --dry-run -Werror $(sources)
	clang-tidy --quiet src/*/*.c tests/fuzz_settings.c -- $(cflags) \
		$(command_cflags)
	cppcheck --quiet --error-exitcode=1 --enable=warning,portability \
		--inline-suppr -Iinclude '-DElfW(type)=Elf64_\#\#type' src
	shellcheck tests/*.sh tests/field/*.sh examples/*.sh examples/*.bash .ci/run
	mandoc -T lint -W warning man/*

# The suites that link the sources, with address and undefined-behaviour
# checks; then threads that make the first sockets before the constructor has
# run, in a program that holds the library instead of preloading it; last,
# valgrind, which sees what the others cannot.
sanitize:
	$(MAKE) BUILD=$(BUILD)/asan CFLAGS='-O1 -g -fno-sanitize-recover=all \
		-fsanitize=address,undefined' \
		$(BUILD)/asan/tests/check_settings $(BUILD)/asan/tests/check_apply
	$(BUILD)/asan/tests/check_settings
	$(BUILD)/asan/tests/check_apply
	@mkdir -p $(BUILD)/tsan
	$(CC) $(cflags) -MF $(BUILD)/tsan/early.d -O1 -g -fsanitize=thread -fPIE \
		-pie -pthread -o $(BUILD)/tsan/early \
		$(patsubst $(BUILD)/%.o,src/%.c,$(library_objects)) tests/early.c tests/probe.c
	KEEPIDLE=222 $(BUILD)/tsan/early accept >$(BUILD)/tsan/out
	grep -qx 'early: 3200 of 3200' $(BUILD)/tsan/out
	$(MAKE) $(suites)
	CK_FORK=no valgrind -q --error-exitcode=1 $(BUILD)/tests/check_settings
	CK_FORK=no valgrind -q --error-exitcode=1 $(BUILD)/tests/check_apply
	$(MAKE) $(library) $(BUILD)/tests/probe
	LD_PRELOAD=$(abspath $(library)) KEEPIDLE=5m valgrind -q \
		--error-exitcode=1 $(BUILD)/tests/probe sockets >$(BUILD)/valgrind.out

FUZZ_LIMIT = -max_total_time=30
fuzz:
	@mkdir -p $(BUILD)/fuzz/corpus
	clang $(cflags) -MF $(BUILD)/fuzz/fuzz.d $(CPPFLAGS) -O1 -g \
		-fno-sanitize-recover=all -fsanitize=fuzzer,address,undefined \
		-o $(BUILD)/fuzz/settings tests/fuzz_settings.c src/library/settings.c
	$(BUILD)/fuzz/settings $(FUZZ_LIMIT) -print_final_stats=1 \
		-artifact_prefix=$(BUILD)/fuzz/ -dict=tests/fuzz.dict \
		$(BUILD)/fuzz/corpus tests/corpus

# A release, and the proof that it builds, passes and goes away again.
release = libkeepalive-$(VERSION)
files = Makefile README COPYING src include tests examples man .ci \
	.clang-format .clang-tidy .editorconfig .gitignore .shellcheckrc
dist:
	@mkdir -p $(BUILD)
	tar -czf $(BUILD)/$(release).tar.gz --sort=name --owner=0 --group=0 \
		--numeric-owner --transform='s,^,$(release)/,' $(files)

distcheck: dist
	rm -rf $(BUILD)/distcheck
	mkdir -p $(BUILD)/distcheck
	tar -xzf $(BUILD)/$(release).tar.gz -C $(BUILD)/distcheck
	cd $(BUILD)/distcheck/$(release) && \
		$(MAKE) BUILD=build check && \
		$(MAKE) BUILD=build DESTDIR='$(abspath $(BUILD))/distcheck/root' install && \
		$(MAKE) BUILD=build DESTDIR='$(abspath $(BUILD))/distcheck/root' \
			installcheck uninstall && \
		$(MAKE) BUILD=build dist clean
	test -z "$$(find $(BUILD)/distcheck/root -type f)"

clean:
	rm -rf $(BUILD)

force:

.PHONY: all demo demo-nat check check-long check-programs bench matrix \
	matrix-programs install install-library uninstall installcheck lint \
	sanitize fuzz dist distcheck clean force

-include $(wildcard $(BUILD)/*/*.d $(BUILD)/tests/field/*.d)
