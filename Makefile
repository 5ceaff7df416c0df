# Makefile - builds, tests and installs libkeepalive
# SPDX-License-Identifier: MIT
#
#     make                 the library and the command, in build/
#     make demo            the HOWTO's example, without the library and with it
#     make check           the tests; see README for what they need
#     make install         below $(prefix), or $(DESTDIR)$(prefix)
#     make installcheck    the tests, on what is installed
#     make uninstall clean
#     make deb rpm         packages
#
# CC, CFLAGS, CPPFLAGS, LDFLAGS and the directories below are yours to set, in
# the environment or on the command line; V=1 shows the commands. What those who
# change the code need is in tests/checks.mk.

VERSION = 1.2

prefix = /usr/local
exec_prefix = $(prefix)
bindir = $(exec_prefix)/bin
libdir = $(exec_prefix)/lib
datadir = $(prefix)/share
mandir = $(datadir)/man
docdir = $(datadir)/doc/keepalive
# Where the shells look for completions.
bashdir = $(datadir)/bash-completion/completions
fishdir = $(datadir)/fish/vendor_completions.d
zshdir = $(datadir)/zsh/site-functions
# Where systemd looks for units and their drop-ins
unitdir = $(prefix)/lib/systemd/system

CFLAGS ?= -O2 -g
BUILD = build

all:

# make has no way to name a file with a blank in its path.
ifneq ($(words $(CURDIR) $(BUILD)),2)
$(error The path "$(CURDIR)" or BUILD has a blank in it. Build elsewhere)
endif

# The directories go into the command, which looks for the library at its full
# path, and into manuals, units and scripts. So they hold nothing that the loader,
# systemd, a shell or sed would take for something else.
hash := \#
special = & | ; : ' " ` ( ) < > [ ] { } * ? ! % ^ \ $$ $(hash)
has_special = $(strip $(foreach char,$(special),$(findstring $(char),$(1))))
$(foreach dir,prefix bindir libdir mandir docdir bashdir fishdir zshdir \
	unitdir, \
	$(if $(filter 1/,$(words $($(dir)))$(findstring /,$(filter /%,$($(dir))))), \
		,$(error $(dir)="$($(dir))" is not one absolute path without blanks)) \
	$(if $(call has_special,$($(dir))),$(error $(dir)="$($(dir))": such a path \
		cannot hold any of $(special))))
$(if $(call has_special,$(BUILD)),$(error BUILD="$(BUILD)": such a path cannot \
	hold any of $(special)))

# $(call say,WHAT,FILE) names what is done, in place of the command that $(hide)
# does not show. Neither in `make -s`; the commands with V=1.
hide = $(if $(V),,@)
silent := $(findstring s,$(firstword -$(MAKEFLAGS)))
say = $(if $(V)$(silent),@:,@printf '%-7s %s\n' $(1) $(call quote,$(2)))
quote = '$(subst ','\'',$(1))'

warnings = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
	-Wmissing-prototypes
# The compiler notes the control-flow protection of the architecture in the
# library: a library without the note switches it off in every program. So would
# the atomics of libgcc, which have no note and import another symbol. A compiler
# that does not know a flag, or not together with CFLAGS, goes without it.
accepts = $(shell echo "int f(void) { return 0; }" | $(CC) $(CPPFLAGS) \
	$(CFLAGS) -Werror $(1) -c -x c -o /dev/null - 2>/dev/null && echo '$(1)')
protection := $(call accepts,-fcf-protection) \
	$(call accepts,-mbranch-protection=standard) \
	$(call accepts,-mno-outline-atomics)
# The same bytes wherever the source lies.
paths := $(if $(call accepts,-ffile-prefix-map=a=.), \
	-ffile-prefix-map=$(call quote,$(CURDIR))=.)
cflags = -std=c11 -D_GNU_SOURCE -Iinclude -MMD -MP $(warnings) $(paths)
library_cflags = -fPIC -fvisibility=hidden -DKEEPALIVE_SEAL $(protection)
# No start files: they would import symbols that need a look-up at each start
# of a program. All symbols are bound at once and the segments are not separate:
# preload.c makes the one page of data read-only when it is complete, which
# protects more than RELRO would and takes two pages less. A hash table of the
# old style would cost five times as much at each start.
library_ldflags = -shared -nostartfiles -Wl,-soname,libkeepalive.so \
	-Wl,--hash-style=gnu,-z,defs,-z,now,-z,norelro,-z,text,-z,noexecstack \
	-Wl,-z,noseparate-code
# On 32 bits, too, struct dirent is that of getdents64(2).
command_cflags = -iquote src/command $(protection) -D_FILE_OFFSET_BITS=64 \
	-DKEEPALIVE_VERSION='"$(VERSION)"' \
	-DKEEPALIVE_LIBRARY='"$(libdir)/libkeepalive.so"'

# --cgroup takes the kernel's headers of Linux 5.6 or newer. Where they are
# missing it is left out, and says so.
cgroup := $(shell echo 'int f(void) { return BPF_F_REPLACE; }' | $(CC) \
	$(CPPFLAGS) $(CFLAGS) -include linux/bpf.h -c -x c -o /dev/null - \
	2>/dev/null && echo -DKEEPALIVE_CGROUP)
command_cflags += $(cgroup)

library = $(BUILD)/libkeepalive.so
library_objects = $(patsubst src/%.c,$(BUILD)/%.o,$(wildcard src/library/*.c))
command = $(BUILD)/keepalive
command_objects = $(patsubst src/%.c,$(BUILD)/%.o, \
	$(filter-out $(if $(cgroup),,src/command/cgroup/%), \
	$(wildcard src/command/*.c src/command/*/*.c)))
# What the tests link
shared_objects = $(BUILD)/library/settings.o $(BUILD)/library/apply.o

all: $(library) $(command)

# Whatever is built depends on how: other flags or directories build it again.
how = $(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) $(cflags) $(library_cflags) \
	$(library_ldflags) $(command_cflags)
$(BUILD)/how: force
	@{ [ -f $@ ] && [ "$$(cat $@)" = $(call quote,$(how)) ]; } || \
		{ mkdir -p $(@D) && printf '%s\n' $(call quote,$(how)) >$@; } || { \
		echo 'Nothing can be written to $(@D); name a place with BUILD=' >&2; \
		exit 1; \
	}

# What the library asks of the C library it asks by name alone, without a symbol
# version: the loader has less to compare at each start of a program, and a
# version of a modern system is unknown to an older one. The linker takes the
# names from a stand-in, called as glibc is on this architecture. A C library
# that is not glibc has no versions, and no such name.
libc := $(filter "lib%",$(shell printf '\043include <features.h>\n\
	\043ifdef __GLIBC__\n\043include <gnu/lib-names.h>\nLIBC_SO\n\043endif\n' | \
	$(CC) $(CPPFLAGS) $(CFLAGS) -E -P -x c - 2>/dev/null))
standin = $(if $(libc),$(BUILD)/stand-in/$(patsubst "%",%,$(lastword $(libc))))

# Packed relocations are unknown to glibc before 2.36, and without a version it
# would not even refuse them.
comma := ,
own_ldflags = $(subst $(comma)pack-relative,$(comma)nopack-relative, \
	$(filter-out -pie,$(LDFLAGS)))

$(library): $(library_objects) $(standin)
	$(call say,LINK,$@)
	$(hide)$(CC) $(library_ldflags) $(CFLAGS) $(own_ldflags) -o $@ \
		$(library_objects) $(standin)

# All that the library may import. dlsym is in libc since glibc 2.34, and
# __getsockopt64 only where long has 32 bits; syscall is needed where the
# instruction for a system call is not known, the next two where CFLAGS has a
# stack protector, the rest where the compiler calls them by itself.
$(BUILD)/stand-in/%: $(BUILD)/how
	@mkdir -p $(@D)
	$(hide){ echo 'char **__environ;'; for name in getauxval dlsym \
		gnu_get_libc_version __getsockopt64 __errno_location syscall \
		__stack_chk_fail __stack_chk_guard memcpy memmove memset memcmp; \
		do echo "void $$name(void) {}"; done; } | \
	$(CC) $(CFLAGS) -fno-lto -fno-builtin -fno-stack-protector -fPIC \
		-shared -nostdlib -Wl,-soname,$(@F) -o $@ -x c -

$(BUILD)/library/%.o: src/library/%.c $(BUILD)/how
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(hide)$(CC) $(cflags) $(library_cflags) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(command): $(command_objects) $(BUILD)/library/settings.o
	$(call say,LINK,$@)
	$(hide)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

$(BUILD)/command/%.o: src/command/%.c $(BUILD)/how
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(hide)$(CC) $(cflags) $(command_cflags) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# The HOWTO's example: its test program without and with the library.
demo: $(library) $(BUILD)/examples/show
	$(BUILD)/examples/show
	LD_PRELOAD=$(call quote,$(abspath $(library))) KEEPCNT=20 KEEPIDLE=180 \
		KEEPINTVL=60 $(BUILD)/examples/show | tee $(BUILD)/demo.txt
	@grep -qx 'SO_KEEPALIVE is ON' $(BUILD)/demo.txt || \
		{ echo 'The library was not loaded, or has no effect here.' >&2; exit 1; }

$(BUILD)/examples/%: examples/%.c $(BUILD)/how
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(hide)$(CC) $(cflags) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $<

# What is installed, a word each: FILE:MODE:DIRECTORY, and :NAME where the name
# is another. Texts name the directories that are in use, see $(follow).
exampledir = $(docdir)/examples
completions = examples/keepalive.bash examples/keepalive.fish \
	examples/keepalive.zsh
programs = examples/check_keepalive examples/keepalive_textfile
examples = $(filter-out $(completions) $(programs) examples/packaging, \
	$(wildcard examples/*))
installed_library = $(library):644:$(libdir)
installed = $(installed_library) \
	$(command):755:$(bindir) \
	man/keepalive.1:644:$(mandir)/man1 \
	man/libkeepalive.7:644:$(mandir)/man7 \
	examples/keepalive.bash:644:$(bashdir):keepalive \
	examples/keepalive.fish:644:$(fishdir) \
	examples/keepalive.zsh:644:$(zshdir):_keepalive \
	examples/chrony.conf:644:$(unitdir)/chrony.service.d:keepalive.conf \
	examples/chrony.conf:644:$(unitdir)/chronyd.service.d:keepalive.conf \
	README:644:$(docdir) \
	COPYING:644:$(docdir) \
	$(patsubst %,%:755:$(exampledir),$(programs)) \
	$(patsubst %,%:644:$(exampledir),$(examples))

# The parts of such a word, and the place of the file in the end
part = $(word $(1),$(subst :, ,$(2)))
name = $(or $(call part,4,$(1)),$(notdir $(call part,1,$(1))))
place = $(call part,3,$(1))/$(call name,$(1))
in_root = $(call quote,$(DESTDIR)$(1))

follow = sed 's|/usr/local/lib/systemd/system|$(unitdir)|g; \
	s|/usr/local/lib|$(libdir)|g; s|/usr/local/bin/keepalive|$(bindir)/keepalive|g; \
	s|/usr/local/share/doc/keepalive|$(docdir)|g; \
	s|/usr/local/share/man|$(mandir)|g'

# The new file is written beside the old one and renamed over it: who writes into
# a mapped library ends every process that uses it. What was built is on the disk
# before that.
built = $(filter $(BUILD)/%,$(1))
define put
	$(call say,INSTALL,$(DESTDIR)$(call place,$(1)))
	$(hide)umask 022 && mkdir -p $(call in_root,$(call part,3,$(1))) && \
	new=$(call in_root,$(call part,3,$(1))/.$(call name,$(1)).new) && \
	$(if $(built),cat,$(follow)) $(call part,1,$(1)) >"$$new" && \
	chmod $(call part,2,$(1)) "$$new" && $(if $(built),sync "$$new" &&) \
	mv -f "$$new" $(call in_root,$(call place,$(1)))

endef

# The loader finds a library by its bare name in the directories that ldconfig
# knows, once ldconfig has seen it there. Only root can tell it.
ldconfig = $(if $(DESTDIR),,@PATH=$$PATH:/usr/sbin:/sbin; \
	if [ "$$(id -u)" = 0 ] && command -v ldconfig >/dev/null && \
		ldconfig -N -X -v 2>/dev/null | grep -q '^$(libdir):'; then ldconfig; fi)

install: all
	$(foreach word,$(installed),$(call put,$(word)))
	$(ldconfig)

# All that 32-bit programs need beside the rest, see README.
install-library: $(library)
	$(call put,$(installed_library))
	$(ldconfig)

# A line in ld.so.preload without its file is a message from every program. It
# may name the file by its path, with or without /usr, by $LIB, or barely. The
# words become patterns, and $LIB one for a directory or two.
preload = $(call in_root,/etc/ld.so.preload)
words = sed 's/\#.*//' $(preload) 2>/dev/null | tr -s ' \t:/' '\n\n\n/' | \
	sed 's,^/usr/,/,; s/[][\.*^$$+?(){}|]/\\&/g; \
		s,\\[$$]\(\\{LIB\\}\|LIB\)/,lib[^/]*(/[^/]*)?/,'

define remove
	$(call say,REMOVE,$(DESTDIR)$(call place,$(1)))
	$(hide)rm -f $(call in_root,$(call place,$(1)))

endef

# The directories that a system has anyway stay; the others go where they are
# empty.
standard = /usr /usr/local $(foreach base,/usr /usr/local, \
	$(addprefix $(base)/,bin lib share share/doc share/man))

uninstall:
	@if printf '%s\n' libkeepalive.so \
			'$(patsubst /usr/%,/%,$(libdir))/libkeepalive.so' | \
		grep -Eqx -e "$$($(words))"; then \
		echo 'not uninstalled:' $(preload) 'still names libkeepalive.so;' \
			'run keepalive --global off first' >&2; \
		exit 1; \
	fi
	$(foreach word,$(installed),$(call remove,$(word)))
	$(hide)cd $(call in_root,/) || exit 0; \
	for dir in $(sort $(foreach word,$(installed),$(call part,3,$(word)))); do \
		while case ' $(standard) ' in *" $$dir "*) false ;; esac && \
			rmdir ".$$dir" 2>/dev/null; do dir=$${dir%/*}; done; \
	done
	$(ldconfig)

clean:
	rm -rf $(BUILD)

force:

.PHONY: all demo install install-library uninstall clean force

include tests/checks.mk

-include $(wildcard $(addprefix $(BUILD)/,*/*.d command/*/*.d tests/field/*.d))
