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

# The suite with the real client, of the version whose ways the runner knows.
check-claude: cc-run-experiments
	npm install --silent --no-fund --no-audit --prefix .cache/claude @anthropic-ai/claude-code@2.1.330
	CHECK_PLAIN=tests/real-claude.bats CHECK_SANITIZED= sh tests/check

check-platforms:
	sh tests/platforms

check-lines:
	sh tests/gcov

check-mutants:
	sh tests/mutants

check-crash: cc-run-experiments
	sh tests/crash ./cc-run-experiments KILL
	sh tests/crash ./cc-run-experiments TERM
	sh tests/crash ./cc-run-experiments INT
	sh tests/crash ./cc-run-experiments fsync=EIO
	sh tests/crash ./cc-run-experiments write=ENOSPC
	sh tests/crash ./cc-run-experiments renameat=EIO
	sh tests/crash ./cc-run-experiments mkdir=ENOSPC
	sh tests/crash ./cc-run-experiments clone3=EAGAIN
	sh tests/crash ./cc-run-experiments openat=EMFILE 23

fuzz:
	sh tests/fuzz

demo: cc-run-experiments
	sh contrib/demo ./cc-run-experiments

bench: cc-run-experiments
	sh tests/bench ./cc-run-experiments

lint:
	sh tests/lint

# A helper that is there is removed before it is copied: a shell may be reading it.
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

.PHONY: all check check-claude check-platforms check-lines check-mutants check-crash fuzz demo bench lint install uninstall clean
