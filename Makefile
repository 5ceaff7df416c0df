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
machine := $(shell $(CC) -dumpmachine)
protection = $(if $(filter x86_64% i386% i486% i586% i686%,$(machine)),\
	-fcf-protection,$(if $(filter aarch64%,$(machine)),\
	-mbranch-protection=standard))
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
helpers = $(BUILD)/tests/probe $(BUILD)/tests/peek $(BUILD)/tests/early.so \
	$(BUILD)/tests/empty.so

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
	mkdir -p -m 755 '$(DESTDIR)$(libdir)' '$(DESTDIR)$(mandir)/man7'
	$(call put,$(library),644,$(libdir))
	$(call put,man/libkeepalive.7,644,$(mandir)/man7)

# A line in ld.so.preload without its file is a message from every program.
uninstall:
	sh tests/named.sh '$(DESTDIR)/etc/ld.so.preload' \
		'$(libdir)/libkeepalive.so'
	rm -f '$(DESTDIR)$(libdir)/libkeepalive.so'
	rm -f '$(DESTDIR)$(mandir)/man7/libkeepalive.7'

clean:
	rm -rf $(BUILD)

.PHONY: all demo check check-programs install uninstall clean

-include $(wildcard $(BUILD)/*.d $(BUILD)/tests/*.d $(BUILD)/examples/*.d)
