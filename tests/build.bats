# Compilers, make, and the documentation of the options.
# shellcheck disable=SC2016 # other programs expand what is in single quotes
# shellcheck disable=SC2154 # run assigns status, output and stderr
bats_require_minimum_version 1.5.0
load helper

SOURCE=$CCRE_ROOT/cc-run-experiments.c
MANUAL=$CCRE_ROOT/cc-run-experiments.1
README=$CCRE_ROOT/README.md
STRICT='-std=c99 -pedantic -Wall -Wextra -Wshadow -Wstrict-prototypes
    -Wmissing-prototypes -Wwrite-strings -Wconversion -fsyntax-only'

# Few tests run the program: works calls checks.
teardown() {
	:
}

# need COMMAND: skip the test if the command is not installed.
need() {
	command -v "$1" > /dev/null || skip "$1 is not installed"
}

# silent COMMAND...: the command succeeds and prints nothing.
silent() {
	"$@" > said 2>&1 || { cat said; return 1; }
	cat said
	[ ! -s said ]
}

# works PROGRAM: this build makes an experiment, with options in all places.
works() {
	CCRE=$1 ccre --no-pl "$PROJECT" exp --runs=2 -i 1 -b 'a=echo runtime: 1.5ms' \
	    --outp "$OUT" > stdout
	[ "$(ledger outcome)" = $'success\nsuccess' ]
	[ "$(tail -n 1 "$OUT/exp--run-2--iteration-1--a.csv")" = exp,2,1,1,1500 ]
	[ "$(project branch --list 'exp-run-*' | wc -l)" = 2 ]
	checks
}

# copy: the source tree in copy/, with a program that is already built.
copy() {
	mkdir copy
	cp -R "$CCRE_ROOT"/Makefile "$CCRE_ROOT"/*.[c1] "$CCRE_ROOT"/contrib copy
	cp "$CCRE" copy/cc-run-experiments
}

# ---- compilers --------------------------------------------------------------

# make lint has the warnings that need an optimizer.

@test "gcc prints no warning, with all its warnings" {
	need gcc
	# shellcheck disable=SC2086
	silent gcc $STRICT "$SOURCE"
}

@test "clang prints no warning, with all its warnings" {
	need clang
	# shellcheck disable=SC2086
	silent clang $STRICT "$SOURCE"
}

@test "cc without a flag builds the program and prints nothing" {
	silent cc -o program "$SOURCE"
}

@test "tcc without a flag builds a program that works, and prints nothing" {
	need tcc
	silent tcc -o program "$SOURCE"
	works "$PWD/program"
}

@test "musl-gcc builds a static program that works, and prints nothing" {
	need musl-gcc
	silent musl-gcc -static -o program "$SOURCE"
	works "$PWD/program"
}

@test "without what only Linux has the program builds and works" {
	silent "$(command -v tcc || command -v cc)" -U__linux__ -o program "$SOURCE"
	works "$PWD/program"
}

# macOS has other names for two members, and no CI.
@test "with the struct stat of macOS the program builds" {
	cat > macos.h <<-'END'
		#define _GNU_SOURCE 1
		#define st_mtim st_mtimespec
		#define st_ctim st_ctimespec
		#include <sys/stat.h>
		#undef st_mtim
		#undef st_ctim
	END
	silent cc -D__APPLE__ -include "$PWD/macos.h" -o program "$SOURCE"
}

@test "the program includes headers of POSIX, getopt.h and sys/ioctl.h, and sys/prctl.h on Linux" {
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
	posix=${posix//[[:space:]]/ }
	sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*<(.*)\.h>/\1/p' "$SOURCE" > includes
	[ "$(wc -l < includes)" = "$(grep -c '^[[:space:]]*#[[:space:]]*include' "$SOURCE")" ]
	while read -r header; do
		echo "$header"
		[[ "$posix getopt sys/ioctl sys/prctl " == *" $header "* ]]
	done < includes
	cc -M -U__linux__ "$SOURCE" > without
	run ! grep -q sys/prctl.h without
}

@test "main is the only symbol that the program exports" {
	need nm
	"$(command -v tcc || command -v cc)" -c -o program.o "$SOURCE"
	[ "$(nm -g --defined-only program.o | awk '{ print $NF }')" = main ]
}

@test "the program has at most 30 static objects" {
	need nm
	cc -c -o program.o "$SOURCE"
	nm program.o | awk 'NF == 3 && $2 ~ /^[bdBD]$/ { print $3 }' > objects
	cat objects
	[ "$(wc -l < objects)" -le 30 ]
}

# ---- make -------------------------------------------------------------------

@test "make uses CC, CFLAGS and LDFLAGS" {
	copy
	rm copy/cc-run-experiments
	make -n -C copy CC='mycc -DTOLD' CFLAGS=-O0 LDFLAGS=-g > said
	grep -q -e 'mycc -DTOLD -O0 -g ' said
}

@test "make clean removes the program" {
	copy
	make -s -C copy clean
	[ ! -e copy/cc-run-experiments ]
}

# modes DIRECTORY: the modes that its files must have: 755 for scripts, else 644.
modes() {
	(cd "$1" && find . -type f -perm -100 -printf '755 %p\n' -o -type f -printf '644 %p\n' | sort)
}

@test "make install copies program, manual and contrib below DESTDIR and PREFIX" {
	copy
	local share=root/opt/tools/share/cc-run-experiments
	make -s -C copy install DESTDIR="$PWD/root" PREFIX=/opt/tools
	[ "$(cd root && find . ! -type d ! -path '*/contrib/*' | sort)" = "$(printf '%s\n' \
	    ./opt/tools/bin/cc-run-experiments \
	    ./opt/tools/share/man/man1/cc-run-experiments.1)" ]
	diff -r copy/contrib $share/contrib
	[ "$(ls -A $share)" = contrib ]
}

@test "make install sets modes that do not depend on the umask" {
	copy
	local share=root/usr/local/share/cc-run-experiments
	(umask 077 && make -s -C copy install DESTDIR="$PWD/root")
	modes copy/contrib | diff - <(cd $share/contrib && find . -type f -printf '%m %p\n' | sort)
	[ "$(find $share -type d -printf '%m\n' | sort -u)" = 755 ]
	[ "$(stat -c %a root/usr/local/bin/cc-run-experiments)" = 755 ]
	[ "$(stat -c %a root/usr/local/share/man/man1/cc-run-experiments.1)" = 644 ]
}

@test "make install replaces a script, and a shell that reads the old file goes on" {
	copy
	make -s -C copy install PREFIX="$PWD/root"
	ln root/share/cc-run-experiments/contrib/alternate old
	: > copy/contrib/alternate
	make -s -C copy install PREFIX="$PWD/root"
	cmp old "$CCRE_ROOT/contrib/alternate"
	[ ! -s root/share/cc-run-experiments/contrib/alternate ]
}

@test "an installed demo finds its parts, and the program on PATH" {
	copy
	make -s -C copy install PREFIX="$PWD/tools"
	rm -r copy
	CC_TEST_ID=$BATS_TEST_TMPDIR PATH=$PWD/tools/bin:$PATH run -0 \
	    "$PWD/tools/share/cc-run-experiments/contrib/demo"
	[[ $output == *'still there'* ]]
	rm -rf "$TMPDIR"/demo.*
}

@test "an installed sandbox wrapper finds its shared part" {
	copy
	make -s -C copy install PREFIX="$PWD/tools"
	SANDBOX_PROGRAM=nowhere run -1 "$PWD/tools/share/cc-run-experiments/contrib/claude-bwrap"
	[[ $output == 'claude-bwrap: '* && $output != *sandbox.sh* ]]
}

@test "make uninstall removes what make install has installed, and no more" {
	copy
	mkdir -p root/usr/local/bin
	echo mine > root/usr/local/bin/other
	make -s -C copy install DESTDIR="$PWD/root"
	echo mine > root/usr/local/share/cc-run-experiments/contrib/example/mine
	make -s -C copy uninstall DESTDIR="$PWD/root"
	[ "$(cd root/usr/local && find . ! -type d | sort)" = "$(printf '%s\n' \
	    ./bin/other ./share/cc-run-experiments/contrib/example/mine)" ]
	rm root/usr/local/share/cc-run-experiments/contrib/example/mine
	make -s -C copy uninstall DESTDIR="$PWD/root"
	[ ! -e root/usr/local/share/cc-run-experiments ]
}

# ---- the options in the source, --help, the manual, README and completions --

# Each prints the options, one a line as "-r, --runs N" or "--retries N", sorted.

options_of_source() {
	awk '/settings\[\] = \{/ { on = 1; next } /^};/ { on = 0 } on' "$SOURCE" |
	    tr -d '\n' | sed 's/},/},\n/g' | sed -nE '
	    s/^.*\{ (.[a-zA-Z].|[0-9]+), "([a-z-]+)", ("[^"]*"|NULL), .*/\1, --\2 \3/
	    t ok
	    b
	    :ok
	    s/^[0-9]+, //; s/^.([a-zA-Z])., /-\1, /; s/ NULL$//; s/"//g; p' | sort
}

options_of_help() {
	"$CCRE" --help | sed -nE \
	    's/^ +((-[A-Za-z], )?--[a-z-]+( [A-Z][A-Z=]*(\[[^]]*\])?)?) .*/\1/p' |
	    sort
}

options_of_manual() {
	sed -nE '/^\.It Fl /{ s/^\.It //; s/Fl Fl /--/g; s/Fl /-/g; s/ Ns //g
	    s/Ar //g; s/ , /, /g; p; }' "$MANUAL" | sort
}

# words_of: the short and long options of standard input, one a line, sorted.
words_of() {
	grep -oE -e '(^|[ ,])--?[A-Za-z][a-z-]*' | tr -d ' ,' | sort -u
}

@test "the source has the options of the design" {
	[ "$(options_of_source | wc -l)" -ge 22 ]
	options_of_source | grep -qxF -e '-b, --benchmark NAME=COMMAND'
	options_of_source | grep -qxF -e '--no-plugin'
}

@test "--help lists the options of the source" {
	diff <(options_of_source) <(options_of_help)
}

@test "the manual describes the options of the source" {
	diff <(options_of_source) <(options_of_manual)
}

@test "bash completes the long options of the source" {
	diff <(options_of_source | words_of | grep -e --) \
	    <(bash -c '. "$1"; COMP_WORDS=(cc-run-experiments -) COMP_CWORD=1
	    _cc_run_experiments; printf "%s\n" "${COMPREPLY[@]}"' - \
	    "$CCRE_ROOT/contrib/completions/cc-run-experiments.bash" | sort)
}

@test "zsh completes the options of the source" {
	diff <(options_of_source | words_of) \
	    <(grep "^	'" "$CCRE_ROOT/contrib/completions/_cc-run-experiments" |
	    sed "s/\[[^]]*\].*//" | grep -oE -e '--?[A-Za-z][a-z-]*' | sort -u)
}

@test "fish completes the options of the source" {
	diff <(options_of_source | words_of) \
	    <(sed -n 's/^complete -c cc-run-experiments//p' "$CCRE_ROOT/contrib/completions/cc-run-experiments.fish" |
	    sed "s/ -d .*//" | grep -oE -e '-(s|l) [A-Za-z-]+' |
	    sed 's/^-s /-/; s/^-l /--/' | sort)
}

# mentioned FILE: the long options in its command lines of cc-run-experiments, and
# in its `code`. Words after -- are claude's.
mentioned() {
	sed -E 's/\\e$/\\/; s/\\-/-/g' "$1" | sed -e :a -e '/\\$/{ N; s/\\\n//; ba
	    }' > joined
	{
		sed -nE 's/ -- .*//; s/(^|.*[ /])cc-run-experiments:? //p' joined
		grep -oE '`-[^`]*`' joined | grep -v '^`-- ' | sed 's/ -- .*//'
	} | grep -oE -e '--[a-z][a-z-]+' | sort -u
}

# known: the long options of the program, and the ones that claude gets from it.
known() {
	{
		options_of_source | grep -oE -e '--[a-z][a-z-]+'
		sed -n '/claude_command\[\] = {/,/};/p' "$SOURCE" |
		    grep -oE -e '--[a-z][a-zA-Z-]+'
		echo --plugin-dir
	} | sort -u
}

@test "every option in the manual's command lines exists" {
	mentioned "$MANUAL" > named
	cat named
	[ "$(wc -l < named)" -ge 3 ]
	[ -z "$(comm -13 <(known) named)" ]
}

@test "every option in the README exists" {
	mentioned "$README" > named
	cat named
	[ "$(wc -l < named)" -ge 3 ]
	[ -z "$(comm -13 <(known) named)" ]
}

@test "every option in the manual's markup exists" {
	{
		grep -oE 'Fl Fl [a-z][a-z-]*' "$MANUAL" | sed 's/Fl Fl /--/'
		grep -oE '(^\.| )Fl [A-Za-z0-9]( |$)' "$MANUAL" | sed -E 's/.*Fl (.).*/-\1/'
	} | sort -u > named
	[ -z "$(comm -13 <({ known; options_of_source | words_of; } | sort -u) named)" ]
}

# Each prints the defaults as "--runs 5", one a line, sorted.

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

@test "--help and the manual have the same defaults" {
	[ "$(defaults_of_help | wc -l)" -ge 9 ]
	diff <(defaults_of_help) <(defaults_of_manual)
}

@test "the defaults of --help can be typed and change nothing" {
	local option value words=()
	while read -r option value; do
		[ "$option" = --prompt ] || words+=("$option" "$value")
	done < <(defaults_of_help)
	[ "${#words[@]}" -ge 16 ]
	echo "${words[@]}"
	ccre -n --no-plugin "$PROJECT" exp > plan
	ccre -n --no-plugin "$PROJECT" exp "${words[@]}" | cmp - plan
}

# ---- the manual -------------------------------------------------------------

SYNOPSIS='cc-run-experiments [options] directory prefix [baseline] [-- claude-argument ...]'

@test "the source's header and --help have the same synopsis" {
	local header help
	header=$(sed -n '/^ \*[[:space:]]*cc-run-experiments \[/,/^ \*$/p' "$SOURCE" |
	    tr -s '*\t\n ' ' ')
	help=$("$CCRE" --help | sed -n '/^usage: /,/^$/p' | sed 's/^usage: //' |
	    tr -s '\n ' ' ')
	[ "${header# }" = "$SYNOPSIS " ]
	[ "$help" = "$SYNOPSIS " ]
}

@test "the manual has the same synopsis" {
	need mandoc
	[ "$(mandoc -Tascii "$MANUAL" | sed 's/.\x08//g' |
	    sed -n '/^SYNOPSIS/,/^[A-RT-Z]/p' | sed '1d;$d' | tr -s '\n ' ' ')" = " $SYNOPSIS " ]
}

@test "mandoc has no complaint about the manual" {
	need mandoc
	silent mandoc -Tlint -Wstyle "$MANUAL"
}

@test "the manual has at most 900 lines of 80 columns" {
	need mandoc
	[ "$(mandoc -Tutf8 -O width=80 "$MANUAL" | wc -l)" -le 900 ]
}

@test "the top directory has nothing but what belongs there" {
	git -C "$CCRE_ROOT" rev-parse -q --git-dir > /dev/null || skip 'no repository'
	[ "$(git -C "$CCRE_ROOT" ls-files | sed 's|/.*||' | sort -u | grep -v '^\.' | xargs)" = \
	    'Makefile README.md cc-run-experiments.1 cc-run-experiments.c contrib tests' ]
}
