# What a user does before the first experiment: build the one file with any
# compiler, install it, and read about options that are really there.
# shellcheck disable=SC2016 # what is in single quotes is for other programs
# shellcheck disable=SC2154 # run assigns status, output and stderr
load helper

# ---- helpers ----------------------------------------------------------------

SOURCE=$CCRE_ROOT/cc-run-experiments.c
MANUAL=$CCRE_ROOT/cc-run-experiments.1
STRICT='-std=c99 -pedantic -Wall -Wextra -Wshadow -Wstrict-prototypes
    -Wmissing-prototypes -Wwrite-strings -Wconversion -O2'

# need COMMAND...: skip the test where one of them is not installed.
need() {
	local command
	for command in "$@"; do
		command -v "$command" > /dev/null || skip "$command is not installed"
	done
}

# silent COMMAND...: it succeeds and prints nothing at all.
silent() {
	"$@" > said 2>&1 || { cat said; return 1; }
	cat said
	[ ! -s said ]
}

# works PROGRAM: this build runs an experiment, with options in all places.
works() {
	local CCRE=$1
	ccre --no-pl "$PROJECT" exp --runs=2 -i 2 -b 'a=echo runtime: 1.5ms' \
	    --outp "$OUT" > stdout 2> stderr
	[ "$(ledger outcome)" = $'success\nsuccess\nsuccess\nsuccess' ]
	[ "$(tail -n 1 "$OUT/exp--run-2--iteration-2--a.csv")" = exp,2,2,1,1500 ]
	[ "$(git -C "$PROJECT" branch --list 'exp-run-*' | wc -l)" = 4 ]
	grep -q 'git -C .* exp-run-2-iteration-2' stdout
	house_is_clean
	run -2 --separate-stderr ccre --no-plugin -r x "$PROJECT" exp2
	[[ $stderr == *'--runs x'* ]]
}

# copy: the source tree in copy/, without what is built and without .git.
copy() {
	mkdir copy
	(cd "$CCRE_ROOT" && tar -cf - --exclude=./.git --exclude=./cc-run-experiments .) |
	    tar -xf - -C copy
}

# The options, one a line as "-r, --runs N" or "--retries N", sorted.

options_of_help() {
	"$CCRE" --help | sed -nE \
	    's/^ +((-[A-Za-z], )?--[a-z-]+( [A-Z][A-Z=]*(\[[^]]*\])?)?) .*/\1/p' |
	    sort
}

options_of_manual() {
	sed -nE '/^\.It Fl /{ s/^\.It //; s/Fl Fl /--/g; s/Fl /-/g; s/ Ns //g
	    s/Ar //g; s/ , /, /g; p; }' "$MANUAL" | sort
}

options_of_source() {	# the rows of its table, but for reserved names
	awk '/settings\[\] = \{/ { on = 1; next } /^};/ { on = 0 } on' "$SOURCE" |
	    tr -d '\n' | sed 's/},/},\n/g' | grep -v 'LATER' | sed -nE '
	    s/^.*\{ (.[a-zA-Z].|[0-9]+), "([a-z-]+)", ("[^"]*"|NULL), .*/\1, --\2 \3/
	    t ok
	    b
	    :ok
	    s/^[0-9]+, //; s/^.([a-zA-Z])., /-\1, /; s/ NULL$//; s/"//g; p' | sort
}

# defaults_of_help: "--runs 5" and the like, one a line.
defaults_of_help() {
	"$CCRE" --help | sed -nE \
	    's/^ +(-[A-Za-z], )?(--[a-z-]+) .*\(([^()]*)\)$/\2 \3/p' | sort
}

defaults_of_manual() {
	awk '/^\.It Fl / { sub(/.*Fl Fl /, ""); sub(/ .*/, ""); name = "--" $0; print ""; printf "%s ", name; next }
	    /^\.(El|S[hs])/ { name = "" }
	    name != "" { sub(/^\.[A-Z][a-z] /, ""); printf "%s ", $0 }' "$MANUAL" |
	    sed -nE 's/^(--[a-z-]+) .*The default is ([^.;]*[^.; ]).*/\1 \2/p' | sort
}

# mentioned FILE: the long options in its command lines of cc-run-experiments,
# and in its `code`; what stands after -- is claude's.
mentioned() {
	sed -E 's/\\e$/\\/; s/\\-/-/g' "$1" | sed -e :a -e '/\\$/{ N; s/\\\n//; ba
	    }' > joined
	{
		sed -nE 's/ -- .*//; s/(^|.*[ /])cc-run-experiments:? //p' joined
		grep -oE '`-[^`]*`' joined | grep -v '^`-- ' | sed 's/ -- .*//'
	} | grep -oE -e '--[a-z][a-z-]+' | sort -u
}

# known: the long options of cc-run-experiments, and those that it gives claude.
known() {
	{
		"$CCRE" --help | grep -oE -e '--[a-z][a-z-]+'
		sed -n '/claude_command\[\] = {/,/};/p' "$SOURCE" |
		    grep -oE -e '--[a-z][a-z-]+'
		echo --plugin-dir
	} | sort -u
}

# ---- compilers --------------------------------------------------------------

@test "gcc without a flag builds it and says nothing" {
	need gcc
	silent gcc -o program "$SOURCE"
	works "$PWD/program"
}

@test "clang without a flag builds it and says nothing" {
	need clang
	silent clang -o program "$SOURCE"
	works "$PWD/program"
}

@test "tcc without a flag builds it and says nothing, and it works" {
	need tcc
	silent tcc -o program "$SOURCE"
	works "$PWD/program"
}

@test "musl-gcc without a flag builds it and says nothing, and it works" {
	need musl-gcc
	silent musl-gcc -o program "$SOURCE"
	silent musl-gcc -static -o static "$SOURCE"
	works "$PWD/static"
}

@test "gcc has nothing to say with all its warnings" {
	need gcc
	# shellcheck disable=SC2086
	silent gcc $STRICT -o program "$SOURCE"
}

@test "clang has nothing to say with all its warnings" {
	need clang
	# shellcheck disable=SC2086
	silent clang $STRICT -o program "$SOURCE"
}

@test "it builds and works without what only Linux has" {
	# shellcheck disable=SC2086
	silent ${CC:-cc} -U__linux__ -o program "$SOURCE"
	works "$PWD/program"
}

@test "it includes headers of libc alone, and the one of Linux only there" {
	local header posix=' aio arpa/inet assert complex cpio ctype dirent dlfcn
	    errno fcntl fenv float fmtmsg fnmatch ftw glob grp iconv inttypes
	    iso646 langinfo libgen limits locale math monetary mqueue ndbm
	    net/if netdb netinet/in netinet/tcp nl_types poll pthread pwd regex
	    sched search semaphore setjmp signal spawn stdarg stdbool stddef
	    stdint stdio stdlib string strings sys/ipc sys/mman sys/msg
	    sys/resource sys/select sys/sem sys/shm sys/socket sys/stat
	    sys/statvfs sys/time sys/times sys/types sys/uio sys/un sys/utsname
	    sys/wait syslog tar termios tgmath time unistd utime utmpx wchar
	    wctype wordexp '
	local libc=' getopt sys/ioctl '		# in every libc, if not in POSIX
	posix=${posix//[[:space:]]/ }
	sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*//p' "$SOURCE" > includes
	[ "$(wc -l < includes)" -ge 10 ]
	while read -r header; do
		echo "$header"
		[[ $header == '<'*'.h>' ]]
		header=${header#<}
		header=${header%.h>}
		[ "$header" = sys/prctl ] || [[ "$posix$libc" == *" $header "* ]]
	done < includes
	${CC:-cc} -M "$SOURCE" > with
	${CC:-cc} -M -U__linux__ "$SOURCE" > without
	grep -q sys/prctl.h with
	run ! grep -q sys/prctl.h without
}

@test "main is the only name that the program exports" {
	need nm
	${CC:-cc} -c -o program.o "$SOURCE"
	[ "$(nm -g --defined-only program.o | awk '{ print $NF }')" = main ]
}

# ---- make -------------------------------------------------------------------

@test "make builds the program with the compiler and the flags that it is told" {
	need make
	copy
	make -s -C copy
	copy/cc-run-experiments --version
	make -s -C copy clean
	[ ! -e copy/cc-run-experiments ]
	make -C copy CC="${CC:-cc} -DTOLD" CFLAGS=-O0 LDFLAGS=-g > said
	grep -q -e '-DTOLD -O0 -g ' said
}

# modes DIRECTORY: of its files; 755 for those that can be executed, or else 644.
modes() {
	(cd "$1" && find . -type f -perm -100 -printf '755 %p\n' -o -type f -printf '644 %p\n' | sort)
}

@test "make install puts program, manual and helpers below DESTDIR and PREFIX" {
	need make
	copy
	local share=root/opt/tools/share/cc-run-experiments
	(umask 077 && make -s -C copy install DESTDIR="$PWD/root" PREFIX=/opt/tools)
	[ "$(cd root && find . ! -type d ! -path '*/contrib/*' | sort)" = "$(printf '%s\n' \
	    ./opt/tools/bin/cc-run-experiments \
	    ./opt/tools/share/man/man1/cc-run-experiments.1)" ]
	diff -r copy/contrib $share/contrib
	[ "$(ls -A $share)" = contrib ]
	[ -x $share/contrib/compare ]
	[ -f $share/contrib/completions/_cc-run-experiments ]
	modes copy/contrib | diff - <(cd $share/contrib && find . -type f -printf '%m %p\n' | sort)
	[ "$(find $share -type d -printf '%m\n' | sort -u)" = 755 ]
	[ "$(stat -c %a root/opt/tools/bin/cc-run-experiments)" = 755 ]
	[ "$(stat -c %a root/opt/tools/share/man/man1/cc-run-experiments.1)" = 644 ]
	cmp "$MANUAL" root/opt/tools/share/man/man1/cc-run-experiments.1
	root/opt/tools/bin/cc-run-experiments --version
	make -s -C copy install DESTDIR="$PWD/other"
	[ -x other/usr/local/bin/cc-run-experiments ]
	make -s -C copy install PREFIX="$PWD/third"
	[ -x third/bin/cc-run-experiments ]
	# Again, over what is there: a shell that reads the old file goes on with it.
	ln third/share/cc-run-experiments/contrib/alternate old
	: > copy/contrib/alternate
	chmod -x copy/contrib/alternate
	make -s -C copy install PREFIX="$PWD/third"
	cmp old "$CCRE_ROOT/contrib/alternate"
	[ "$(stat -c '%a %s' third/share/cc-run-experiments/contrib/alternate)" = '644 0' ]
}

@test "what make install has installed finds its parts, and the program on PATH" {
	need make
	copy
	make -s -C copy install PREFIX="$PWD/tools"
	rm -r copy
	local contrib=$PWD/tools/share/cc-run-experiments/contrib
	export CC_TEST_ID=$BATS_TEST_TMPDIR
	PATH=$PWD/tools/bin:$PATH run -0 "$contrib/demo"
	[[ $output == *'That was a rehearsal'* ]]
	PATH=$PWD/tools/bin:$PATH run -0 "$contrib/example/run" example
	[[ $output == *'$ contrib/compare -o ../results with without'*'work: 5 against 5 runs'* ]]
	run -0 "$contrib/export" -o example/results ministat with work
	[ "${#lines[@]}" = 5 ]
	SANDBOX_PROGRAM=nowhere run -1 "$contrib/claude-bwrap"
	[[ $output == 'claude-bwrap: '* && $output != *sandbox.sh* ]]
	run -127 "$contrib/demo" ./nowhere
	[ "$output" = "demo: $PWD/nowhere: not found: give the path of cc-run-experiments as the argument" ]
	run -127 "$contrib/example/run" other ./nowhere
	[ "$output" = "run: $PWD/nowhere: not found: give the path of cc-run-experiments as the last argument" ]
	[ ! -e other ]
}

@test "make uninstall removes what make install has installed, and no more" {
	need make
	copy
	mkdir -p root/usr/local/bin
	echo mine > root/usr/local/bin/other
	make -s -C copy install DESTDIR="$PWD/root"
	make -s -C copy uninstall DESTDIR="$PWD/root"
	[ "$(cd root && find . ! -type d)" = ./usr/local/bin/other ]
	[ ! -e root/usr/local/share/cc-run-experiments ]
	make -s -C copy uninstall DESTDIR="$PWD/root"
	make -s -C copy install DESTDIR="$PWD/root"
	echo mine > root/usr/local/share/cc-run-experiments/contrib/example/mine
	make -s -C copy uninstall DESTDIR="$PWD/root"
	[ "$(cd root/usr/local/share/cc-run-experiments && find . ! -type d)" = ./contrib/example/mine ]
}

@test "make demo shows an experiment and leaves nothing behind" {
	need make
	copy
	make -s -C copy
	find copy "$HOME" "$TMPDIR" | sort > before
	make -s -C copy demo CC_TEST_ID="$BATS_TEST_TMPDIR" > stdout
	grep -qE '^run +success' stdout
	[ "$(grep -cE '^ +[12]  ' stdout)" = 2 ]
	find copy "$HOME" "$TMPDIR" | sort | diff before -
}

# ---- options in the source, in --help, in the manual and in the README ------

@test "the source, --help and the manual know the same options" {
	[ "$(options_of_help | wc -l)" -ge 20 ]
	diff <(options_of_source) <(options_of_help)
	diff <(options_of_help) <(options_of_manual)
}

@test "every option that the manual or the README names is an option" {
	local file
	[ -s "$MANUAL" ]
	for file in "$MANUAL" "$CCRE_ROOT/README.md"; do
		mentioned "$file" > named
		echo "$file:"
		cat named
		[ "$(wc -l < named)" -ge 3 ]
		[ -z "$(comm -13 <(known) named)" ]
	done
	# In the manual's own markup: Fl Fl runs, Fl r.
	grep -oE 'Fl Fl [a-z][a-z-]*' "$MANUAL" | sed 's/Fl Fl /--/' | sort -u > named
	[ -z "$(comm -13 <(known) named)" ]
	grep -oE '(^\.| )Fl [A-Za-z0-9]( |$)' "$MANUAL" | sed -E 's/.*Fl (.).*/-\1/' |
	    sort -u > named
	"$CCRE" --help | grep -oE '^ +-[A-Za-z],' | tr -d ' ,' | sort -u > letters
	[ -z "$(comm -13 letters named)" ]
}

@test "--help and the manual tell the same defaults" {
	[ "$(defaults_of_help | wc -l)" -ge 9 ]
	diff <(defaults_of_help) <(defaults_of_manual)
}

@test "every message in the manual's DIAGNOSTICS is one of the source" {
	command -v python3 > /dev/null || skip "python3 is absent"
	run -0 python3 - "$CCRE_ROOT" <<-'END'
		import re, sys
		source = open(sys.argv[1] + "/cc-run-experiments.c").read()
		source = re.sub(r'"\s*\n\s*"', "", source).replace('\\"', '"')
		composed = ["leftover killed", "was started without", "another runner is at work on run"]
		manual = open(sys.argv[1] + "/cc-run-experiments.1").read()
		messages = manual.split(".Sh DIAGNOSTICS")[1].split("\n.Sh ")[0]
		messages = re.findall(r"^\.It (.*)", messages, re.M)
		for message in messages:
		    message = message.replace(r"\-", "-").replace(r"\(dq", '"').replace(r"\e", "\\")
		    for words in re.split(r"[^ ]*\b[A-Z]+\b[^ ]*|[^ ]*\d[^ ]*|[:,] |/", message):
		        words = words.strip()
		        if len(words) > 7 and words not in source and words not in composed:
		            print("not in the source:", words, "of:", message)
		print(len(messages) > 100)
	END
	echo "$output"
	[ "$output" = True ]
}

@test "the defaults that --help tells can be typed" {
	local option value words=()
	while read -r option value; do
		case $option in
		--prompt) ;;		# built in
		--jobs) ;;		# typed, it implies --isolate
		*) words+=("$option" "$value") ;;
		esac
	done < <(defaults_of_help)
	[ "${#words[@]}" -ge 16 ]
	echo "${words[@]}"
	ccre -n --no-plugin "$PROJECT" exp > plan
	ccre -n --no-plugin "$PROJECT" exp "${words[@]}" | cmp - plan
}

# ---- the manual -------------------------------------------------------------

SYNOPSIS='cc-run-experiments [options] directory prefix [baseline-branch] [-- claude-argument ...]'

@test "the synopsis is the same in the source and in --help" {
	local header help
	header=$(sed -n '/^ \*[[:space:]]*cc-run-experiments \[/,/^ \*$/p' "$SOURCE" |
	    tr -s '*\t\n ' ' ')
	help=$("$CCRE" --help | sed -n '/^usage: /,/^$/p' | sed 's/^usage: //' |
	    tr -s '\n ' ' ')
	[ "${header# }" = "$SYNOPSIS " ]
	[ "$help" = "$SYNOPSIS " ]
}

@test "the synopsis of the manual is the same, too" {
	need mandoc
	manual=$(mandoc -Tascii "$MANUAL" | sed 's/.\x08//g' |
	    sed -n '/^SYNOPSIS/,/^DESCRIPTION/p' | sed '1d;$d' | tr -s '\n ' ' ')
	[ "$manual" = " $SYNOPSIS " ]
}

@test "mandoc has nothing to say about the manual" {
	need mandoc
	silent mandoc -Tlint "$MANUAL"
}

@test "at the top there is nothing but what belongs there" {
	git -C "$CCRE_ROOT" rev-parse -q --git-dir > /dev/null || skip 'no repository'
	[ "$(git -C "$CCRE_ROOT" ls-files | sed 's|/.*||' | sort -u | grep -v '^\.' | xargs)" = \
	    'Makefile README.md cc-run-experiments.1 cc-run-experiments.c contrib tests' ]
}
