.POSIX:

CC = cc
CFLAGS = -O2
PREFIX = /usr/local
BINDIR = $(PREFIX)/bin
MANDIR = $(PREFIX)/share/man
DATADIR = $(PREFIX)/share/cc-run-experiments

all: cc-run-experiments

cc-run-experiments: cc-run-experiments.c
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ cc-run-experiments.c

check: cc-run-experiments
	sh tests/check

demo: cc-run-experiments
	sh contrib/demo ./cc-run-experiments

bench: cc-run-experiments
	sh tests/bench ./cc-run-experiments

lint:
	sh tests/lint

# Slow checks. .ci/run runs check-claude and check-stress.

# The real client against a scripted API on loopback.
check-claude: cc-run-experiments
	npm install --silent --no-fund --no-audit --prefix .cache/claude @anthropic-ai/claude-code@latest
	CHECK_FILES=tests/real-claude.bats BATS_TEST_TIMEOUT=180 sh tests/check

# The suite with AddressSanitizer and UndefinedBehaviorSanitizer.
check-sanitized:
	CHECK_CFLAGS='-g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer' \
	    BATS_TEST_TIMEOUT=180 sh tests/check

# Many runs at once, killed at random moments, while the user works beside them.
check-stress: cc-run-experiments
	sh tests/stress ./cc-run-experiments

# A full disk at each stage, and a ledger cut at each byte of its last row.
check-disk: cc-run-experiments
	sh tests/full
	sh tests/torn ./cc-run-experiments

# Other compilers, C libraries and processors. FILES names the test files.
check-platforms:
	sh tests/platforms

# The loop under valgrind.
check-valgrind:
	sh tests/valgrind

# The runner is killed, or a system call fails, at each point of an experiment.
check-crash: cc-run-experiments
	sh tests/crash ./cc-run-experiments KILL
	CRASH=caller sh tests/crash ./cc-run-experiments KILL
	sh tests/crash ./cc-run-experiments TERM
	OPTIONS=--in-place sh tests/crash ./cc-run-experiments KILL
	OPTIONS=--in-place CRASH=caller sh tests/crash ./cc-run-experiments KILL
	OPTIONS=--in-place sh tests/crash ./cc-run-experiments INT
	sh tests/crash ./cc-run-experiments fsync=EIO
	sh tests/crash ./cc-run-experiments write=ENOSPC
	sh tests/crash ./cc-run-experiments renameat=EIO
	sh tests/crash ./cc-run-experiments mkdir=ENOSPC
	sh tests/crash ./cc-run-experiments clone3=EAGAIN

# The lines of the program that the suite executes.
check-lines:
	sh tests/gcov

# The suite notices each broken decision.
check-mutants:
	sh tests/mutants

fuzz:
	sh tests/fuzz

# Remove a script before it is copied: a shell may be reading the old one.
install: cc-run-experiments
	mkdir -p $(DESTDIR)$(BINDIR) $(DESTDIR)$(MANDIR)/man1
	cp cc-run-experiments $(DESTDIR)$(BINDIR)/cc-run-experiments
	chmod 755 $(DESTDIR)$(BINDIR)/cc-run-experiments
	cp cc-run-experiments.1 $(DESTDIR)$(MANDIR)/man1/cc-run-experiments.1
	chmod 644 $(DESTDIR)$(MANDIR)/man1/cc-run-experiments.1
	umask 022 && for d in $$(find contrib -type d); do mkdir -p $(DESTDIR)$(DATADIR)/$$d || exit; done
	for f in $$(find contrib -type f); do \
	    rm -f $(DESTDIR)$(DATADIR)/$$f && cp $$f $(DESTDIR)$(DATADIR)/$$f && \
	    chmod u=rwX,go=rX $(DESTDIR)$(DATADIR)/$$f || exit; \
	done

uninstall:
	rm -f $(DESTDIR)$(BINDIR)/cc-run-experiments
	rm -f $(DESTDIR)$(MANDIR)/man1/cc-run-experiments.1
	for f in $$(find contrib -type f); do rm -f $(DESTDIR)$(DATADIR)/$$f || exit; done
	for d in $$(find contrib -depth -type d) ''; do \
	    rmdir $(DESTDIR)$(DATADIR)/$$d 2> /dev/null || :; \
	done

clean:
	rm -f cc-run-experiments

.PHONY: all check demo bench lint install uninstall clean check-claude check-disk \
    check-sanitized check-stress check-platforms check-valgrind check-crash \
    check-lines check-mutants fuzz
