.POSIX:

CC = cc
CFLAGS = -O2
PREFIX = /usr/local
BINDIR = $(PREFIX)/bin
MANDIR = $(PREFIX)/share/man

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

install: cc-run-experiments
	mkdir -p $(DESTDIR)$(BINDIR) $(DESTDIR)$(MANDIR)/man1
	cp cc-run-experiments $(DESTDIR)$(BINDIR)/cc-run-experiments
	chmod 755 $(DESTDIR)$(BINDIR)/cc-run-experiments
	cp cc-run-experiments.1 $(DESTDIR)$(MANDIR)/man1/cc-run-experiments.1
	chmod 644 $(DESTDIR)$(MANDIR)/man1/cc-run-experiments.1

uninstall:
	rm -f $(DESTDIR)$(BINDIR)/cc-run-experiments
	rm -f $(DESTDIR)$(MANDIR)/man1/cc-run-experiments.1

clean:
	rm -f cc-run-experiments

.PHONY: all check demo bench lint install uninstall clean
