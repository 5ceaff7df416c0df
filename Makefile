# Makefile - builds, tests and installs libkeepalive
# SPDX-License-Identifier: MIT
#
# CC CFLAGS CPPFLAGS LDFLAGS prefix exec_prefix libdir mandir DESTDIR are yours
# to set; what the library cannot do without stands in variables of its own.

VERSION = 1.0

prefix = /usr/local
exec_prefix = $(prefix)
libdir = $(exec_prefix)/lib
mandir = $(prefix)/share/man

CFLAGS = -O2 -g
BUILD = build

warnings = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
	-Wmissing-prototypes
# The compiler is to note the control-flow protection of the architecture in
# the library; a library without the note switches it off in every program.
# So do the atomics of libgcc, which have no note and import a symbol more.
machine := $(shell $(CC) -dumpmachine)
protection = $(if $(filter x86_64% i386% i486% i586% i686%,$(machine)),\
	-fcf-protection,$(if $(filter aarch64%,$(machine)),\
	-mbranch-protection=standard -mno-outline-atomics))
cflags = -std=c11 -D_GNU_SOURCE -Iinclude -MMD -MP $(warnings)
library_cflags = -fPIC -fvisibility=hidden $(protection)
# No start files: they would import symbols that need a look-up at each start
# of a program. Segments not separate: two pages less in every process.
library_ldflags = -shared -nostartfiles -Wl,-soname,libkeepalive.so \
	-Wl,-z,defs,-z,relro,-z,now,-z,text,-z,noexecstack \
	-Wl,-z,noseparate-code,--as-needed

library = $(BUILD)/libkeepalive.so
rooms = $(BUILD)/settings.o $(BUILD)/apply.o $(BUILD)/preload.o

suites = $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/check_*.c))
scripts = $(sort $(wildcard tests/test_*.sh))
long_scripts = $(sort $(wildcard tests/long_*.sh))
helpers = $(BUILD)/tests/probe $(BUILD)/tests/peek $(BUILD)/tests/hostile \
	$(BUILD)/tests/starts $(BUILD)/tests/early.so $(BUILD)/tests/empty.so

all: $(library)

$(library): $(rooms)
	$(CC) $(library_ldflags) $(CFLAGS) $(LDFLAGS) -o $@ $(rooms)

$(rooms): $(BUILD)/%.o: src/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(cflags) $(library_cflags) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# The HOWTO's example: its test program without and with the library.
demo: $(library) $(BUILD)/examples/show
	$(BUILD)/examples/show
	LD_PRELOAD=$(abspath $(library)) KEEPCNT=20 KEEPIDLE=180 KEEPINTVL=60 \
		$(BUILD)/examples/show

$(BUILD)/examples/%: examples/%.c
	@mkdir -p $(@D)
	$(CC) $(cflags) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $<

# Tests. CHECKED is the library that they load.
CHECKED = $(library)
run_tests = LIBKEEPALIVE=$(abspath $(CHECKED)) BUILD=$(abspath $(BUILD)) \
	CC='$(CC)' MAKE='$(MAKE)' sh tests/run.sh

check: all check-programs
	+$(run_tests) $(suites) $(scripts)

# What takes minutes, or needs more tools than README's command installs.
check-long: all check-programs
	+$(run_tests) $(long_scripts)

check-programs: $(suites) $(helpers) $(BUILD)/examples/show

$(BUILD)/tests/check_%: tests/check_%.c $(BUILD)/settings.o $(BUILD)/apply.o
	@mkdir -p $(@D)
	$(CC) $(cflags) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< \
		$(filter %.o,$^) $$(pkg-config --cflags --libs check)

$(BUILD)/tests/%.so: tests/%.c
	@mkdir -p $(@D)
	$(CC) $(cflags) $(library_cflags) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) \
		-shared -o $@ $<

$(BUILD)/tests/%: tests/%.c
	@mkdir -p $(@D)
	$(CC) $(cflags) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $<

# Installing. The new file is written beside the old one and renamed over it:
# who writes into a mapped library ends every process that uses it.
define put
	new='$(DESTDIR)$(3)/.$(notdir $(1)).new' && \
	cp '$(1)' "$$new" && chmod $(2) "$$new" && sync "$$new" && \
	mv -f "$$new" '$(DESTDIR)$(3)/$(notdir $(1))'
endef

install: all
	umask 022 && mkdir -p '$(DESTDIR)$(libdir)' '$(DESTDIR)$(mandir)/man7'
	$(call put,$(library),644,$(libdir))
	$(call put,man/libkeepalive.7,644,$(mandir)/man7)

# A line in ld.so.preload without its file is a message from every program. It
# may name the file by its path, with or without /usr, by $LIB, or barely.
preload = $(DESTDIR)/etc/ld.so.preload
entry = (^|[[:space:]:])(((/usr)?$(patsubst /usr/%,/%,$(libdir))|[^[:space:]:]*[$$][^[:space:]:]*)/)?libkeepalive\.so([[:space:]:]|$$)

uninstall:
	@if [ -e '$(preload)' ] && grep -Eq '$(entry)' '$(preload)'; then \
		echo 'not uninstalled: $(preload) still names libkeepalive.so;' \
			'take that line out first' >&2; \
		exit 1; \
	fi
	rm -f '$(DESTDIR)$(libdir)/libkeepalive.so'
	rm -f '$(DESTDIR)$(mandir)/man7/libkeepalive.7'

installcheck: check-programs
	+$(run_tests) $(BUILD)/tests/check_preload tests/test_elf.sh \
		tests/test_demo.sh tests/test_syscalls.sh
installcheck: CHECKED = $(DESTDIR)$(libdir)/libkeepalive.so

# Stricter checks, for those who change the code.
sources = src/*.c include/*.h tests/*.[ch] examples/*.c
lint:
	clang-format --dry-run -Werror $(sources)
	clang-tidy --quiet src/*.c tests/fuzz_settings.c -- $(cflags)
	cppcheck --quiet --error-exitcode=1 --enable=warning,portability \
		--inline-suppr -Iinclude src
	shellcheck tests/*.sh examples/*.sh .ci/run
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
		-pie -pthread -o $(BUILD)/tsan/early src/*.c tests/early.c \
		tests/probe.c
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
		-o $(BUILD)/fuzz/settings tests/fuzz_settings.c src/settings.c
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

.PHONY: all demo check check-long check-programs install uninstall \
	installcheck lint sanitize fuzz dist distcheck clean

-include $(wildcard $(BUILD)/*.d $(BUILD)/tests/*.d $(BUILD)/examples/*.d)
