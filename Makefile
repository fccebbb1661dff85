# c1d: the Thesys C1 backend behind nginx. `make help` lists what there is to type.
#
## make                 build/c1d, optimised
## make web             the chat page, build/web: what make demo and make install take along; needs node and npm, a minute at first
## make pictures        docs/pictures, of the page; make lighthouse: what Lighthouse says of it, on this machine as busy as it is
## make demo            installs what is missing, builds, starts everything on this machine: ready http://127.0.0.1:PORT/;
##                      STORE=mongodb|postgresql|redis|firestore starts that server, too
## make test            everything that is promised, checked, under sanitizers; T=NAME narrows
## make test-unit       the part of it that needs no web server: unit tests, and the contract on each store
## make test-debian13   test-unit in a Debian 13 of its own, which debootstrap makes in .cache/ (as root)
## make test-docker     the steps of packaging/docker/Dockerfile in folders of .cache/, and what comes out of them started (as root)
## make check           what CI refuses: layers, format, warnings (gcc and clang), circles, hardening, clang-tidy, cppcheck, shellcheck
## make fuzz            every fuzz target for 30 s; T=NAME one of them, S=SECONDS each; `tests/fuzz/run keep` keeps what was found
## make schemathesis     /api/openapi.json against the program, longer than make test does; EXAMPLES=N
## make coverage        the lines and branches that the tests reach; PARTS=unit,corpora runs a part of them
## make torture          2,000 trials with faults at random moments; TRIALS=N, SEED=N
## make torture-alloc   each allocation on each route's way fails once; T=ROUTE narrows
## make bench           the figures of the README, measured on this machine
## make bench-peers     c1d beside the same service in Rust, Go, Node and Python (those whose tools are here) and nginx alone;
##                      PARTS="busy calm slow one first crud many ten clean" N=rounds; BRIEF=1: 20 minutes, QUICK=1: two; adds to build/bench-peers.json
## make bench-peers-docs  docs/performance.md, its pictures and README's figures, of what bench-peers, -kept and -stores have measured
## make bench-stores    what each route costs on each store, small and large; STORES="sqlite postgresql" THREADS=N MESSAGES=N SECONDS=N
## make bench-kept      what 20,000 kept answers cost a chat's first byte and a delete
## make bench-copy      100,000 conversations copied from store to store, interrupted, and compared; THREADS=N
## make docs            docs/reference, of the program's own tables
## make install         PREFIX=/usr/local DESTDIR= ; make uninstall takes away exactly that
## make format          clang-format over all C files
## make clean           removes build/ (the test database's binary stays in .cache/)

BUILD   ?= build
PREFIX  ?= /usr/local
DESTDIR ?=
CC      ?= gcc
CLANG   ?= clang-14
PYTHON  ?= /usr/bin/python3
T       ?=
S       ?= 30

PACKAGES = libcurl libnghttp2 libcjson libmongoc-1.0 sqlite3 libpq libssl libcrypto hiredis libseccomp
WARN     = -std=c17 -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wvla -Wwrite-strings \
           -Wpointer-arith -Wformat=2 -Werror
# $(call known,FLAG): the flag, where the compiler knows it; CET is x86's, and clang 14 zeroes only when asked twice.
known    = $(shell echo 'int x;' | $(CC) $(1) -Werror -x c -c -o /dev/null - 2>/dev/null && echo '$(1)')
comma   := ,
HARDEN  := -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fPIE $(call known,-fstack-clash-protection) \
           $(call known,-fcf-protection=full) $(call known,-mbranch-protection=standard) \
           $(call known,-ftrivial-auto-var-init=zero)
OPT      = -O2 -g
CPPFLAGS = -Iinclude -D_GNU_SOURCE $(DEFS) -DFCGI_VERSION=$(shell pkg-config --modversion fcgi 2>/dev/null) \
           -DPQ_VERSION=$(shell pkg-config --modversion libpq 2>/dev/null) $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
CFLAGS  ?= $(OPT) $(if $(findstring -fsanitize,$(OPT)),-fPIE,$(HARDEN))
# The C library's start files on Debian 12 are without CET's marks, and one object without them takes them from the program.
MARKS    = $(if $(findstring -fcf-protection,$(HARDEN)),-Wl$(comma)-z$(comma)ibt$(comma)-z$(comma)shstk)
LDFLAGS ?= -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code $(MARKS) $(filter -fsanitize%,$(OPT))
LIBS     = -lfcgi $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) -lpthread -lm

SRC      = $(sort $(wildcard src/*/*.c src/*/*/*.c))
OBJ      = $(SRC:%.c=$(BUILD)/%.o)
UNIT     = $(sort $(wildcard tests/unit/*_test.c))
CONTRACT = $(sort $(wildcard tests/contract/*_test.c))
TESTBINS = $(UNIT:%.c=$(BUILD)/%) $(CONTRACT:%.c=$(BUILD)/%) $(BUILD)/tests/differential/token_says $(BUILD)/tests/drivers/firestore_asks $(BUILD)/tests/drivers/h2_asks \
           $(BUILD)/tests/drivers/h2_hosts $(BUILD)/tests/docs/tables
FUZZ     = $(sort $(patsubst %.c,$(BUILD)/%,$(wildcard tests/fuzz/*_fuzz.c)))
BENCH    = $(sort $(patsubst %.c,$(BUILD)/%,$(wildcard tests/bench/*.c))) $(BUILD)/tests/bench/upstream $(BUILD)/tests/bench/load $(BUILD)/tests/bench/store_stub
MOCK     = $(sort $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/bench/mock/*.c)))
CLIENT   = $(sort $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/bench/client/*.c)))
STUB     = $(sort $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/bench/stub/*.c)))
C_FILES  = $(sort $(wildcard src/*.c src/*/*.[ch] src/*/*/*.[ch] include/*/*.h tests/unit/*.[ch] tests/contract/*.[ch] tests/differential/*.c tests/drivers/*.c tests/docs/*.c tests/fuzz/*.[ch] tests/torture/*.c tests/bench/*.c tests/bench/*/*.[ch]))
SCRIPTS  = $(sort $(wildcard examples/curl/chat.sh tests/deps tests/circles tests/hardening tests/debian13 tests/go_build tests/mongod/start tests/mongod_java/start .ci/run))

all:
	@sh tests/deps build
	@$(MAKE) --no-print-directory $(BUILD)/c1d

help:
	@sed -n 's/^## //p' Makefile

$(BUILD)/c1d: $(BUILD)/src/main.o $(BUILD)/libc1d.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

# The same, but our own code's allocations can be made to fail.
WRAPPED = malloc calloc realloc strdup strndup
$(BUILD)/c1d-scarce: $(BUILD)/src/main.o $(BUILD)/tests/torture/scarce.o $(BUILD)/libc1d.a
	$(CC) $(LDFLAGS) $(WRAPPED:%=-Wl,--wrap=%) -o $@ $^ $(LIBS)

$(BUILD)/libc1d.a: $(OBJ)
	@rm -f $@
	@ar rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(WARN) $(CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/tests/%_test: $(BUILD)/tests/%_test.o $(BUILD)/libc1d.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS) -lcmocka

$(BUILD)/tests/differential/%: $(BUILD)/tests/differential/%.o $(BUILD)/libc1d.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/tests/drivers/%: $(BUILD)/tests/drivers/%.o $(BUILD)/libc1d.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/tests/docs/%: $(BUILD)/tests/docs/%.o $(BUILD)/libc1d.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

# With libFuzzer's main where that is asked for (make fuzz), else with one that replays files.
FUZZ_MAIN = $(BUILD)/tests/fuzz/replay.o

$(BUILD)/tests/fuzz/%_fuzz: $(BUILD)/tests/fuzz/%_fuzz.o $(FUZZ_MAIN) $(BUILD)/libc1d.a
	$(CC) $(LDFLAGS) $(FUZZ_LINK) -o $@ $^ $(LIBS)

$(BUILD)/tests/bench/%: $(BUILD)/tests/bench/%.o
	$(CC) $(LDFLAGS) -o $@ $<

$(BUILD)/tests/bench/upstream: $(MOCK)
	$(CC) $(LDFLAGS) -o $@ $^ -lnghttp2 -lssl -lcrypto

$(BUILD)/tests/bench/load: $(CLIENT)
	$(CC) $(LDFLAGS) -o $@ $^

$(BUILD)/tests/bench/store_stub: $(STUB)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

test-programs: $(TESTBINS)

fuzz-programs: $(FUZZ)

SAN_FLAGS = -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
TSAN_FLAGS = -O1 -g -fno-omit-frame-pointer -fsanitize=thread

test:
	@sh tests/deps test
	@$(MAKE) --no-print-directory -s BUILD=$(BUILD)/san DEFS=-DC1D_CRASHPOINTS OPT="$(SAN_FLAGS)" test-programs fuzz-programs $(BUILD)/san/c1d \
		$(BUILD)/san/c1d-scarce
	@$(MAKE) --no-print-directory -s BUILD=$(BUILD)/tsan OPT="$(TSAN_FLAGS)" $(BUILD)/tsan/c1d
	@$(PYTHON) tests/run --build $(BUILD)/san --tsan $(BUILD)/tsan $(if $(T),-k "$(T)")

test-unit:
	@sh tests/deps unit
	@$(MAKE) --no-print-directory -s BUILD=$(BUILD)/san DEFS=-DC1D_CRASHPOINTS OPT="$(SAN_FLAGS)" test-programs
	@$(PYTHON) tests/run --build $(BUILD)/san --parts unit,contract $(if $(T),-k "$(T)")

test-debian13:
	@sh tests/debian13; code=$$?; [ $$code = 77 ] || exit $$code

test-docker:
	@sh tests/deps debian13
	@$(PYTHON) tests/docker/run; code=$$?; [ $$code = 77 ] || exit $$code

FUZZ_FLAGS = -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined

fuzz:
	@sh tests/deps fuzz
	@$(MAKE) --no-print-directory -s BUILD=$(BUILD)/fuzz CC=$(CLANG) OPT="$(FUZZ_FLAGS)" FUZZ_MAIN= FUZZ_LINK=-fsanitize=fuzzer \
		fuzz-programs
	@$(PYTHON) tests/fuzz/run --build $(BUILD)/fuzz --seconds $(S) $(T)

# The page: made again when something of it has changed. Without node, or without npm's registry, the demo has the plain one.
WEB_SOURCES = $(sort $(wildcard web/*.json web/*.ts web/*.html web/.npmrc web/src/* web/public/*))

web:
	@sh tests/deps web
	@$(MAKE) --no-print-directory -s $(BUILD)/web/index.html

web/node_modules/.c1d: web/package-lock.json
	@cd web && npm ci --ignore-scripts --silent
	@sha256sum $< | cut -c 1-64 | tr -d '\n' >$@

$(BUILD)/web/index.html: $(WEB_SOURCES) web/node_modules/.c1d
	@cd web && OUT=$(abspath $(BUILD))/web node node_modules/vite/bin/vite.js build --logLevel error

pictures lighthouse:
	@sh tests/deps test
	@$(MAKE) --no-print-directory -s all
	@C1D_BIN=$(abspath $(BUILD))/c1d $(PYTHON) tests/page/show $(if $(filter pictures,$@),pictures,scores)

demo:
	@sh tests/deps demo
	@[ -x $(BUILD)/c1d ] || echo "Building $(BUILD)/c1d"
	@$(MAKE) --no-print-directory -s -j$$(nproc) all
	@if command -v npm >/dev/null && ! $(MAKE) -q $(BUILD)/web/index.html 2>/dev/null; then \
		echo "Building the page, which takes about a minute the first time"; \
		$(MAKE) --no-print-directory -s $(BUILD)/web/index.html || echo "The page could not be built: the demo has the plain one"; fi
	@exec $(PYTHON) tests/demo/run $(BUILD)/c1d

docs:
	@sh tests/deps build
	@$(MAKE) --no-print-directory -s $(BUILD)/c1d $(BUILD)/tests/docs/tables
	@BUILD=$(abspath $(BUILD)) $(PYTHON) tests/docs/reference

schemathesis:
	@sh tests/deps test
	@$(MAKE) --no-print-directory -s BUILD=$(BUILD)/san DEFS=-DC1D_CRASHPOINTS OPT="$(SAN_FLAGS)" $(BUILD)/san/c1d
	@C1D_BIN=$(BUILD)/san/c1d EXAMPLES=$(or $(EXAMPLES),100) $(PYTHON) -m pytest -q -p no:cacheprovider tests/integration/test_schemathesis.py

torture:
	@sh tests/deps test
	@$(MAKE) --no-print-directory -s BUILD=$(BUILD)/san DEFS=-DC1D_CRASHPOINTS OPT="$(SAN_FLAGS)" $(BUILD)/san/c1d
	@C1D_BIN=$(BUILD)/san/c1d $(PYTHON) tests/torture/run $(if $(TRIALS),--trials $(TRIALS)) $(if $(SEED),--seed $(SEED))

COVERAGE_FLAGS = -O1 -g -fprofile-instr-generate -fcoverage-mapping -mllvm -runtime-counter-relocation

coverage:
	@sh tests/deps coverage
	@$(MAKE) --no-print-directory -s BUILD=$(BUILD)/coverage CC=$(CLANG) DEFS=-DC1D_CRASHPOINTS HARDEN=-fPIE OPT="$(COVERAGE_FLAGS)" \
		LDFLAGS="-pie -fprofile-instr-generate" test-programs fuzz-programs $(BUILD)/coverage/c1d
	@$(PYTHON) tests/coverage --build $(BUILD)/coverage $(if $(PARTS),--parts $(PARTS))

torture-alloc:
	@sh tests/deps test
	@$(MAKE) --no-print-directory -s BUILD=$(BUILD)/san DEFS=-DC1D_CRASHPOINTS OPT="$(SAN_FLAGS)" $(BUILD)/san/c1d-scarce
	@$(PYTHON) tests/torture/allocations --program $(BUILD)/san/c1d-scarce $(if $(T),-k "$(T)")

bench:
	@sh tests/deps test
	@$(MAKE) --no-print-directory -s all $(BENCH)
	@BUILD=$(abspath $(BUILD)) $(PYTHON) tests/bench/run

bench-peers:
	@sh tests/deps test
	@$(MAKE) --no-print-directory -s all $(BENCH)
	@BUILD=$(abspath $(BUILD)) $(PYTHON) tests/bench/peers/run $(if $(PARTS),--parts $(subst $() ,$(comma),$(strip $(PARTS)))) \
		$(if $(N),--rounds $(N)) $(if $(BRIEF),--brief --fresh) $(if $(QUICK),--quick)

bench-peers-docs:
	@BUILD=$(abspath $(BUILD)) $(PYTHON) tests/bench/peers/docs

bench-stores:
	@sh tests/deps test
	@$(MAKE) --no-print-directory -s all $(BENCH)
	@BUILD=$(abspath $(BUILD)) STORES="$(STORES)" THREADS="$(THREADS)" MESSAGES="$(MESSAGES)" SECONDS="$(SECONDS)" $(PYTHON) tests/bench/stores

bench-kept:
	@sh tests/deps test
	@$(MAKE) --no-print-directory -s all $(BENCH)
	@BUILD=$(abspath $(BUILD)) $(PYTHON) tests/bench/kept

bench-copy:
	@sh tests/deps test
	@$(MAKE) --no-print-directory -s all
	@BUILD=$(abspath $(BUILD)) $(PYTHON) tests/bench/copy $(if $(THREADS),--threads $(THREADS))

check: check-needs check-layers check-format check-warnings check-circles check-hardening check-tidy check-cppcheck check-scripts
	@echo "check: all good"

check-needs:
	@sh tests/deps check

check-layers:
	@tests/layers

check-format:
	@clang-format-14 --dry-run -Werror $(C_FILES)

check-warnings:
	@$(MAKE) --no-print-directory -s BUILD=$(BUILD)/gcc CC=gcc test-programs fuzz-programs $(BENCH:$(BUILD)/%=$(BUILD)/gcc/%) $(BUILD)/gcc/c1d
	@$(MAKE) --no-print-directory -s BUILD=$(BUILD)/clang CC=$(CLANG) test-programs fuzz-programs $(BENCH:$(BUILD)/%=$(BUILD)/clang/%) $(BUILD)/clang/c1d

# Of the objects that check-warnings makes anyway.
check-circles: check-warnings
	@tests/circles $(SRC:%.c=$(BUILD)/gcc/%.o)

check-hardening: check-warnings
	@tests/hardening $(BUILD)/gcc/c1d

check-tidy:
	@printf '%s\n' $(SRC) src/main.c | xargs -P 2 -n 8 sh -c 'clang-tidy-14 --quiet "$$@" -- $(CPPFLAGS) -std=c17 2>/dev/null' tidy

check-cppcheck:
	@cppcheck --quiet --enable=warning,performance,portability --std=c11 --error-exitcode=1 --inline-suppr \
		--suppress=missingIncludeSystem -D_GNU_SOURCE -D__linux__ -Iinclude src

check-scripts:
	@shellcheck $(SCRIPTS)

format:
	@clang-format-14 -i $(C_FILES)

# What belongs to whom is in the lists below, so that uninstall takes away what install put there and nothing else.
# The settings file is the administrator's: never overwritten, and taken away only while it is as it came.
NGINX_FILES = $(sort $(wildcard nginx/*.conf))
FIRESTORE   = packaging/firestore/firestore.indexes.json
UNITS       = systemd/c1d.service systemd/c1d.socket
DOCS        = $(wildcard README.md LICENSE docs/*.md docs/*.svg docs/*/*.md docs/*/*.svg) web/src/c1d.ts $(EXAMPLES)
# Without what npm and the tests leave there.
EXAMPLES    = $(filter-out %/c1d.ts,$(sort $(shell find examples -name node_modules -prune -o -name .next -prune -o -type f -print)))
PICTURES    = $(wildcard docs/pictures/*.png)
DOC_FOLDERS = $(sort $(dir $(filter docs/% web/% examples/%,$(DOCS)) $(PICTURES)))
SHARE       = $(DESTDIR)$(PREFIX)/share/c1d
DOC         = $(DESTDIR)$(PREFIX)/share/doc/c1d
LIB         = $(DESTDIR)$(PREFIX)/lib
SETTINGS    = $(DESTDIR)/etc/c1d/c1d.conf
# $(call put,FILE,TO): a copy that names PREFIX where the file names the default one.
put         = sed 's|/usr/local|$(PREFIX)|g' $(1) >$(2).new && chmod 644 $(2).new && mv $(2).new $(2)

install: all
	@umask 022; mkdir -p $(DESTDIR)$(PREFIX)/bin $(SHARE)/nginx $(DOC_FOLDERS:%=$(DOC)/%) $(LIB)/systemd/system \
		$(LIB)/sysusers.d $(LIB)/tmpfiles.d $(dir $(SETTINGS))
	@install -m 755 $(BUILD)/c1d $(DESTDIR)$(PREFIX)/bin/c1d
	@$(foreach f,$(NGINX_FILES),$(call put,$(f),$(SHARE)/nginx/$(notdir $(f))) &&) :
	@$(foreach f,$(UNITS),$(call put,$(f),$(LIB)/systemd/system/$(notdir $(f))) &&) :
	@$(call put,systemd/c1d.sysusers,$(LIB)/sysusers.d/c1d.conf)
	@$(call put,systemd/c1d.tmpfiles,$(LIB)/tmpfiles.d/c1d.conf)
	@install -m 644 systemd/c1d.conf $(SHARE)/c1d.conf
	@install -m 644 $(FIRESTORE) $(SHARE)/$(notdir $(FIRESTORE))
	@install -m 644 web/src/c1d.ts $(SHARE)/c1d.ts
	@[ ! -e $(BUILD)/web/index.html ] || { rm -rf $(SHARE)/web && cp -R $(BUILD)/web $(SHARE)/web && chmod -R u=rwX,go=rX $(SHARE)/web; }
	@$(foreach f,$(DOCS),$(call put,$(f),$(DOC)/$(f)) &&) :
	@$(foreach f,$(PICTURES),install -m 644 $(f) $(DOC)/$(f) &&) :
	@[ -e $(SETTINGS) ] || install -m 640 systemd/c1d.conf $(SETTINGS)
ifeq ($(DESTDIR),)
	@echo "c1d is in $(PREFIX). Next, as root:"
	@echo "  systemd-sysusers && systemd-tmpfiles --create && systemctl daemon-reload"
	@echo "  put the key into /etc/c1d/c1d.conf, c1d check, then: systemctl enable --now c1d.socket c1d.service"
	@echo "  copy from $(PREFIX)/share/c1d/nginx/site.conf what your site lacks, then: nginx -t && systemctl reload nginx"
endif

# Links of enabled units would point at nothing, so they come off first.
uninstall:
	@for link in $(DESTDIR)/etc/systemd/system/*.wants/c1d.service $(DESTDIR)/etc/systemd/system/*.wants/c1d.socket; do \
		if [ -L $$link ]; then \
			echo "c1d is enabled ($$link). First: systemctl disable --now c1d.socket c1d.service" >&2; exit 1; fi; done
	@rm -f $(DESTDIR)$(PREFIX)/bin/c1d $(UNITS:systemd/%=$(LIB)/systemd/system/%) $(LIB)/sysusers.d/c1d.conf \
		$(LIB)/tmpfiles.d/c1d.conf $(NGINX_FILES:%=$(SHARE)/%) $(DOCS:%=$(DOC)/%) $(PICTURES:%=$(DOC)/%)
	@if cmp -s $(SHARE)/c1d.conf $(SETTINGS); then rm -f $(SETTINGS); \
		elif [ -e $(SETTINGS) ]; then echo "$(SETTINGS) was changed and stays"; fi
	@rm -rf $(SHARE)/web
	@rm -f $(SHARE)/c1d.conf $(SHARE)/$(notdir $(FIRESTORE)) $(SHARE)/c1d.ts
	@[ ! -d $(DOC) ] || find $(DOC) -depth -type d -empty -delete
	@for dir in $(SHARE)/nginx $(SHARE) $(dir $(SETTINGS)); do \
		[ ! -d $$dir ] || rmdir --ignore-fail-on-non-empty $$dir; done
	@echo "What stays is yours: /var/lib/c1d (conversations), the user c1d, keys in /etc/credstore. Take the two"
	@echo "includes out of nginx's files: it does not start with them any more. docs/how-to/uninstall.md tells of each."

clean:
	@rm -rf $(BUILD)

.PHONY: all help web docs test test-unit test-debian13 test-docker test-programs fuzz fuzz-programs demo schemathesis coverage torture torture-alloc bench bench-peers bench-peers-docs bench-stores bench-kept bench-copy check check-needs check-layers check-format check-warnings check-circles check-hardening check-tidy \
	check-cppcheck check-scripts format install uninstall clean
.SECONDARY:
-include $(OBJ:.o=.d) $(BUILD)/src/main.d $(TESTBINS:%=%.d) $(FUZZ:%=%.d) $(MOCK:.o=.d) $(CLIENT:.o=.d) $(STUB:.o=.d) $(BENCH:%=%.d)
