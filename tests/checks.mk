# checks.mk - the part of the Makefile for tests, measurements and releases
# SPDX-License-Identifier: MIT

suites = $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/check_*.c))
scripts = $(sort $(wildcard tests/test_*.sh))
long_scripts = $(sort $(wildcard tests/long_*.sh))
helpers = $(addprefix $(BUILD)/tests/,probe peek hostile early.so empty.so \
	refuse.so)

# CHECKED is the library that the tests load, COMMAND the command. The name of
# make is not written out: a line that has it runs in `make -n`, too.
CHECKED = $(library)
COMMAND = $(command)
make = $(MAKE)
# Seconds after which a test is ended
TIMEOUT = 1800
check-long: TIMEOUT = 7200
run_tests = exec env LIBKEEPALIVE='$(abspath $(CHECKED))' \
	COMMAND='$(abspath $(COMMAND))' BUILD='$(abspath $(BUILD))' \
	CC='$(CC)' MAKE='$(make)' TIMEOUT=$(TIMEOUT) sh tests/run.sh

check: all check-programs
	@$(run_tests) $(suites) $(scripts)

# What takes minutes, or needs more tools than README's command installs.
# long_kernels.sh runs all kernels, or those of KERNELS='bullseye sid ...'.
check-long: all check-programs
	@$(run_tests) $(long_scripts)

check-programs: $(suites) $(helpers) $(BUILD)/examples/show

$(BUILD)/tests/check_%: tests/check_%.c $(shared_objects) $(BUILD)/how
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(hide)$(CC) $(cflags) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< \
		$(shared_objects) $$(pkg-config --cflags --libs check)

# With the flags of the library, so that the two can be compared.
$(BUILD)/tests/empty.so: tests/empty.c $(BUILD)/how
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(hide)$(CC) $(cflags) $(library_cflags) $(CPPFLAGS) $(CFLAGS) \
		$(library_ldflags) $(LDFLAGS) -o $@ $<

$(BUILD)/tests/%.so: tests/%.c $(BUILD)/how
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(hide)$(CC) $(cflags) $(library_cflags) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) \
		-shared -pthread -o $@ $<

$(BUILD)/tests/%: tests/%.c $(BUILD)/how
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(hide)$(CC) $(cflags) -Itests $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -pthread \
		-o $@ $< -ldl

# A command in DESTDIR runs programs with a library that is not there yet.
installcheck: check-programs
	@$(run_tests) $(BUILD)/tests/check_preload tests/test_elf.sh \
		tests/test_demo.sh tests/test_syscalls.sh tests/test_process.sh \
		$(if $(DESTDIR),,tests/test_command.sh)
installcheck: CHECKED = $(DESTDIR)$(libdir)/libkeepalive.so
installcheck: COMMAND = $(DESTDIR)$(bindir)/keepalive

# README's commands on minimal Debian systems, as root, as an ordinary user and
# without namespaces; needs debootstrap and root.
SUITES ?= bookworm trixie sid bullseye
check-clean:
	@BUILD=$(abspath $(BUILD)) sh tests/clean.sh $(SUITES)

# What it costs, beside its peers (libkeepalive0 and libdontdie0 where they are
# installed) and the floor.
bench: all $(BUILD)/tests/field/bench $(BUILD)/tests/empty.so
	@export LIBKEEPALIVE=$(abspath $(library)) BUILD=$(abspath $(BUILD)); \
	{ sh tests/field/bench.sh && echo && sh tests/field/sockets.sh; } | \
		tee $(BUILD)/bench.txt

# An idle connection behind a NAT, told as it happens; as root.
demo-nat: all check-programs
	@LIBKEEPALIVE=$(abspath $(CHECKED)) BUILD=$(abspath $(BUILD)) \
		sh tests/field/demo_nat.sh || { [ $$? = 77 ] && [ -z "$$CI" ]; }

# Real programs: what the kernel has of their sockets, in build/matrix.txt. The
# second unpacks the Debian packages of those that are not installed.
matrix: all $(helpers)
	@LIBKEEPALIVE=$(abspath $(CHECKED)) BUILD=$(abspath $(BUILD)) \
		sh tests/field/matrix.sh

matrix-programs: $(helpers)
	@BUILD=$(abspath $(BUILD)) sh tests/field/matrix.sh fetch

# Other projects' test suites, with the library and without.
check-suites: all $(helpers)
	@LIBKEEPALIVE=$(abspath $(CHECKED)) BUILD=$(abspath $(BUILD)) \
		sh tests/field/suites.sh

# Stricter checks, for those who change the code.
sources = $(wildcard src/*/*.[ch] src/*/*/*.[ch]) include/*.h tests/*.[ch] \
	tests/field/*.c examples/*.c
lint:
	clang-format --dry-run -Werror $(sources)
	clang-tidy --quiet $(filter src/%.c,$(sources)) tests/fuzz_settings.c -- \
		$(cflags) $(command_cflags)
	cppcheck --quiet --error-exitcode=1 --enable=warning,portability \
		--inline-suppr -Iinclude src
	sh tests/layers.sh
	$(MAKE) CC=gcc BUILD=$(BUILD)/analyzer CFLAGS='-O2 -g -Werror -fanalyzer' \
		all
	shellcheck tests/*.sh tests/field/*.sh examples/*.sh examples/*.bash \
		$(programs) .ci/run
	mandoc -T lint -W warning man/*

# The suites that link the sources, with address and undefined-behaviour
# checks; then threads that make sockets before, while and after the constructor
# runs, in a program that holds the library instead of preloading it; last,
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
		$(patsubst $(BUILD)/%.o,src/%.c,$(library_objects)) tests/early.c \
		tests/probe.c
	EARLY=64 KEEPIDLE=222 $(BUILD)/tsan/early accept >$(BUILD)/tsan/out
	grep -qx 'early: all kept alive' $(BUILD)/tsan/out
	$(MAKE) $(suites)
	CK_FORK=no valgrind -q --error-exitcode=1 $(BUILD)/tests/check_settings
	CK_FORK=no valgrind -q --error-exitcode=1 $(BUILD)/tests/check_apply
	$(MAKE) $(library) $(BUILD)/tests/probe
	LD_PRELOAD=$(abspath $(library)) KEEPIDLE=5M valgrind -q \
		--error-exitcode=1 $(BUILD)/tests/probe sockets \
		>$(BUILD)/valgrind.out 2>&1 || { cat $(BUILD)/valgrind.out; exit 1; }

# The dictionary has every variable, from the table, and the words.
FUZZ_LIMIT = -max_total_time=30
fuzz: $(BUILD)/tests/probe
	@mkdir -p $(BUILD)/fuzz/corpus
	{ $(BUILD)/tests/probe variables | sed 's/.*/"&="/'; cat tests/fuzz.dict; } \
		>$(BUILD)/fuzz/dict
	$(BUILD)/tests/probe given >$(BUILD)/fuzz/corpus/given
	clang $(cflags) -MF $(BUILD)/fuzz/fuzz.d $(CPPFLAGS) -O1 -g \
		-fno-sanitize-recover=all -fsanitize=fuzzer,address,undefined \
		-o $(BUILD)/fuzz/settings tests/fuzz_settings.c src/library/settings.c
	$(BUILD)/fuzz/settings $(FUZZ_LIMIT) -print_final_stats=1 \
		-artifact_prefix=$(BUILD)/fuzz/ -dict=$(BUILD)/fuzz/dict \
		$(BUILD)/fuzz/corpus tests/corpus

# A release. The same bytes each time: the date is that of the last commit, or
# SOURCE_DATE_EPOCH, or in a release itself that of its Makefile.
release = libkeepalive-$(VERSION)
files = Makefile README COPYING src include tests examples man .ci \
	.clang-format .clang-tidy .editorconfig .gitignore .shellcheckrc
dist:
	@mkdir -p $(BUILD)
	date=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct 2>/dev/null || \
		stat -c %Y Makefile)} && \
	tar -cf - --sort=name --owner=0 --group=0 --numeric-owner \
		--mode=u=rwX,go=rX --mtime="@$$date" --format=ustar \
		--transform='s,^,$(release)/,' $(files) | \
		gzip -n9 >$(BUILD)/$(release).tar.gz

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

# Packages, from the release's tarball and the files in examples/packaging: the
# same bytes each time. $(call tools,TARGET,PACKAGES,COMMAND...)
packaging = $(abspath $(BUILD))/packaging
tools = @for tool in $(3); do command -v $$tool >/dev/null || \
	{ echo "make $(1) needs $$tool; install $(2)" >&2; exit 1; }; done
deb: dist
	$(call tools,deb,build-essential and debhelper,dpkg-buildpackage dh)
	rm -rf '$(packaging)/deb'
	mkdir -p '$(packaging)/deb/keepalive-$(VERSION)'
	cp $(BUILD)/$(release).tar.gz \
		'$(packaging)/deb/keepalive_$(VERSION).orig.tar.gz'
	cd '$(packaging)/deb/keepalive-$(VERSION)' && \
		tar -xzf ../keepalive_$(VERSION).orig.tar.gz --strip-components=1 && \
		cp -R examples/packaging/debian . && \
		DEB_BUILD_PROFILES=nocheck DEB_BUILD_OPTIONS="nocheck $$DEB_BUILD_OPTIONS" \
			dpkg-buildpackage -us -uc
	cp '$(packaging)'/deb/*.*deb $(BUILD)

rpm: dist
	$(call tools,rpm,rpm (Fedora: rpm-build),rpmbuild)
	rm -rf '$(packaging)/rpm'
	mkdir -p '$(packaging)/rpm/SOURCES'
	cp $(BUILD)/$(release).tar.gz '$(packaging)/rpm/SOURCES'
	rpmbuild -bb --nodeps --define '_topdir $(packaging)/rpm' \
		--define 'source_date_epoch_from_changelog 1' \
		--define 'use_source_date_epoch_as_buildtime 1' \
		--define 'clamp_mtime_to_source_date_epoch 1' \
		--define '_buildhost localhost' --define '_build_id_links none' \
		--define '__brp_compress bash %{_rpmconfigdir}/brp-compress' \
		examples/packaging/keepalive.spec
	cp '$(packaging)'/rpm/RPMS/*/*.rpm $(BUILD)

.PHONY: check check-long check-clean check-programs check-suites bench \
	demo-nat matrix matrix-programs installcheck lint sanitize fuzz dist \
	distcheck deb rpm
