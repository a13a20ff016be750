# The command line: what is accepted, what is refused and how, what is printed,
# and with which status the program ends (design, sections 2, 11 and 12).
# shellcheck disable=SC2016 # what is in single quotes is for other shells
# shellcheck disable=SC2030,SC2031 # each test is a subshell, and meant to be
# shellcheck disable=SC2154 # run assigns status, output and stderr
load helper

# ---- helpers ----------------------------------------------------------------

# snapshot: every file of the test's world, its mode, time and checksum, but for
# what the test itself writes down in log/.
LOG=$BATS_TEST_TMPDIR/log
snapshot() {
	find "$BATS_TEST_TMPDIR" -mindepth 1 -path "$LOG" -prune -o \
	    -type f -printf '%p %m %T@\n' -exec cksum {} + -o \
	    -printf '%p %y %m %l\n'
}

# rejects STATUS WORD EXPECTED COMMAND...: the command ends with STATUS and with
# one line on stderr that holds WORD and matches the pattern EXPECTED, whatever
# the case; stdout is empty, and not a file of the test's world has changed. A
# test that does nothing else in between sets world=same, which spares half of
# the snapshots.
rejects() {
	local status=$1 word=$2 expected=$3 before said='' got=0
	local -x REHEARSAL=rate-limit	# if it is not refused it ends soon

	shift 3
	[ -d "$LOG" ] || mkdir "$LOG"
	before=${world:+${after-}}
	before=${before:-$(snapshot)}
	"$@" > "$LOG/stdout" 2> "$LOG/stderr" 3>&- || got=$?
	after=$(snapshot)
	IFS= read -r -d '' said < "$LOG/stderr" || true
	printf 'expected status %s, "%s" and /%s/ of: %s\nstatus %s: %s' \
	    "$status" "$word" "$expected" "${*@Q}" "$got" "$said"
	[[ $said == *$'\n' ]] || return
	said=${said%$'\n'}
	said=${said//cc-run-experiments/}	# its name holds -r, -e and exp
	[ "$got" -eq "$status" ] && [[ -n $said && $said != *$'\n'* ]] &&
	    [[ $said == *"${word//cc-run-experiments/}"* ]] &&
	    [[ ${said,,} =~ ${expected,,} ]] && [ ! -s "$LOG/stdout" ] && {
		[ "$before" = "$after" ] ||
		    diff <(echo "$before") <(echo "$after")
	}
}

# with NAME=VALUE COMMAND...: the command with this in its environment.
with() {
	local -x "$1"
	shift
	"$@"
}

# without NAME COMMAND...: the command without that in its environment.
without() (
	unset "$1"
	shift
	"$@"
)

# at DIRECTORY COMMAND...: the command, typed in that directory.
at() (
	cd "$1" || exit
	shift
	"$@"
)

# plugged OPTION...: one iteration of "exp" on the project, with the plugin.
plugged() {
	ccre -r 1 -i 1 -o "$OUT" "$@" "$PROJECT" exp
}

# setting KEY: what experiment.csv says of it (a plain value).
setting() {
	sed -n "s/^$1,//p" "$OUT/${EXPERIMENT:-exp}--experiment.csv"
}

# as_long KEY SECONDS: is that setting so long?
as_long() {
	[ -n "$(setting "$1")" ]
	awk -v got="$(setting "$1")" -v want="$2" \
	    'BEGIN { exit !(got + 0 == want) }'
}

# recorder: a claude that writes down its arguments and its stdin, then plays.
recorder() {
	cat > bin/recorder <<-'X'
		#!/bin/sh
		[ "${1-}" != --version ] || exec claude --version
		printf '%s\n' "$@" > "$BATS_TEST_TMPDIR/arguments"
		cat > "$BATS_TEST_TMPDIR/stdin"
		exec claude "$@" < "$BATS_TEST_TMPDIR/stdin"
	X
	chmod +x bin/recorder
	export BATS_TEST_TMPDIR CC_CLAUDE=$BATS_TEST_TMPDIR/bin/recorder
}

# awkward: move the project to a directory whose name needs quotes.
awkward() {
	mv "$PROJECT" "$BATS_TEST_TMPDIR/it's a \$HOME"
	PROJECT="$BATS_TEST_TMPDIR/it's a \$HOME"
}

# table RUN COLUMN: that cell of the final table, which is in the file stdout.
table() {
	awk -v run="$1" -v column="$2" '
	    { gsub(/^ +/, ""); n = split($0, cell, /  +/) }
	    NR == 1 { for (i = 1; i <= n; i++) if (cell[i] == column) at = i }
	    NR > 1 && cell[1] == run { print cell[at]; exit }' stdout
}

# leave_root: from here on ccre is run by a user who is not root and owns the
# files of this test. It skips the test where that is not possible.
leave_root() {
	[ "$(id -u)" -eq 0 ] || return 0
	command -v setpriv > /dev/null || skip 'no setpriv'
	chmod o+x "$BATS_RUN_TMPDIR"		# bats makes it 0700
	rm bin/claude
	cp "$CCRE_ROOT/contrib/rehearsal-claude" bin/claude
	chown -R 65534:65534 "$BATS_TEST_TMPDIR"
	ccre() {
		CC_TEST_ID=$BATS_TEST_TMPDIR setpriv --reuid=65534 \
		    --regid=65534 --clear-groups -- "$CCRE" "$@"
	}
	ccre --version > /dev/null ||
	    skip "another user cannot run $CCRE"
}

# ---- options that are accepted ----------------------------------------------

@test "options work in their short form, also without a space and bundled" {
	echo 'Short prompt.' > prompt
	ccre -r 1 -i 2 -t 90m -p prompt -b 'a=echo runtime: 1ms' -o out -q \
	    --no-plugin "$PROJECT" exp
	[ "$(setting runs)" = 1 ]
	[ "$(setting iterations)" = 2 ]
	as_long timeout 5400
	grep -q '^prompt,"Short prompt\.$' out/exp--experiment.csv
	[ "$(setting benchmark)" = 'a=echo runtime: 1ms' ]
	ccre -qr2 -i1 -t90m -pprompt -b'a=echo runtime: 1ms' -oout --no-plugin \
	    "$PROJECT" exp2
	EXPERIMENT=exp2
	[ "$(setting runs)" = 2 ]
	[ "$(setting iterations)" = 1 ]
	as_long timeout 5400
	[ "$(setting benchmark)" = 'a=echo runtime: 1ms' ]
}

# all_asked: what the three tests below ask for has reached the settings.
all_asked() {
	[ "$(setting runs)" = 1 ]
	[ "$(setting iterations)" = 1 ]
	as_long timeout 5400
	as_long iteration_timeout 45
	as_long idle_timeout 90
	[ "$(setting retries)" = 4 ]
	grep -q '^prompt,"Long prompt\.$' out/exp--experiment.csv
	[ -z "$(setting plugin_directory)" ]
	[ "$(setting benchmark)" = 'a=echo runtime: 1ms' ]
	[ "$(setting build)" = 'echo built' ]
	as_long benchmark_timeout 7
	[ "$(setting samples)" = 3 ]
	[ "$(wc -l < out/exp--run-1--iteration-1--a.csv)" = 4 ]
	[ "$(setting every_iteration)" = 1 ]
	[ "$(setting protect)" = bench ]
}

@test "options work in their long form" {
	echo 'Long prompt.' > prompt
	ccre --quiet --runs 1 --iterations 1 --timeout 90m \
	    --iteration-timeout 45s --idle-timeout 1.5m --retries 4 \
	    --prompt prompt --no-plugin --benchmark 'a=echo runtime: 1ms' \
	    --build 'echo built' --benchmark-timeout 7 --samples 3 \
	    --every-iteration --protect bench --output out "$PROJECT" exp
	all_asked
}

@test "options work in the form --long=value" {
	echo 'Long prompt.' > prompt
	ccre --quiet --runs=1 --iterations=1 --timeout=90m \
	    --iteration-timeout=45s --idle-timeout=1.5m --retries=4 \
	    --prompt=prompt --no-plugin --benchmark='a=echo runtime: 1ms' \
	    --build='echo built' --benchmark-timeout=7 --samples=3 \
	    --every-iteration --protect=bench --output=out "$PROJECT" exp
	all_asked
}

@test "long options may be abbreviated, as long as they stay unique" {
	echo 'Long prompt.' > prompt
	ccre --qui --runs=1 --iterations 1 --ti 90m --iteration-t=45s \
	    --idle 1.5m --ret 4 --prom prompt --no-pl \
	    --benchmark 'a=echo runtime: 1ms' --bu 'echo built' \
	    --benchmark-t 7 --sa=3 --ev --prot=bench --outp out "$PROJECT" exp
	all_asked
	ccre --no-plugin --dry "$PROJECT" exp2 | grep -q exp2-run-5-iteration-10
	ccre --no-plugin --verb -r 1 -i 1 "$PROJECT" exp3 2>&1 |
	    grep -q '^git -C .* checkout'
	ccre --hel | grep -q '^usage:'
	ccre --vers | grep -q '^cc-run-experiments '
}

@test "of an option that is given twice the last one counts" {
	experiment -q --runs 4 -i 1 -r 2 --retries 7 --retries 0
	[ "$(setting runs)" = 2 ]
	[ "$(setting retries)" = 0 ]
	[ "$(calls)" = 2 ]
}

@test "--benchmark and --protect may be repeated" {
	experiment -q -r 1 -i 1 -b 'a=echo runtime: 1ms' -b 'b=echo runtime: 2ms' \
	    --protect bench --protect main.py
	[ "$(setting benchmark)" = $'a=echo runtime: 1ms\nb=echo runtime: 2ms' ]
	[ "$(setting protect)" = $'bench\nmain.py' ]
	[ "$(tail -n 1 "$OUT/exp--run-1--iteration-1--b.csv")" = exp,1,1,1,2000 ]
}

@test "options may stand before, between and after the operands" {
	git -C "$PROJECT" branch elsewhere
	ccre -q --no-plugin "$PROJECT" -r 1 exp -i 2 elsewhere -o "$OUT"
	[ "$(setting runs)" = 1 ]
	[ "$(setting iterations)" = 2 ]
	[ "$(setting baseline)" = elsewhere ]
	[ "$(setting directory)" = "$PROJECT" ]
	ccre "$PROJECT" exp2 -r 1 -i 1 -q --no-plugin -o "$OUT"
	EXPERIMENT=exp2
	[ "$(setting baseline)" = main ]
}

@test "everything after the first -- is handed to claude unchanged" {
	recorder
	ccre -q --no-plugin -o "$OUT" -r 1 -i 1 "$PROJECT" exp -- \
	    --model 'op us' -r 7 --help '' -- x
	[ "$(setting runs)" = 1 ]
	[ "$(tail -n 8 arguments)" = $'--model\nop us\n-r\n7\n--help\n\n--\nx' ]
	[ "$(sed -n 1p arguments)" = --dangerously-skip-permissions ]
	ccre -q --no-plugin -o "$OUT" -r 1 -i 1 "$PROJECT" exp2 --
	[ "$(tail -n 1 arguments)" = --verbose ]
}

@test "a TIME is a number with an optional s, m, h or d" {
	experiment -q -r 1 -i 1 -t 90 --iteration-timeout 90s \
	    --idle-timeout 1.5m --benchmark-timeout 2h
	as_long timeout 90
	as_long iteration_timeout 90
	as_long idle_timeout 90
	as_long benchmark_timeout 7200
	ccre -q -r 1 -i 1 -t 0.1d --iteration-timeout 1.5m --idle-timeout 0 \
	    --benchmark-timeout 0.5h --no-plugin -o "$OUT" "$PROJECT" exp2
	EXPERIMENT=exp2
	as_long timeout 8640
	as_long iteration_timeout 90
	as_long idle_timeout 0
	as_long benchmark_timeout 1800
}

# ---- words that are refused -------------------------------------------------

@test "an unknown option is refused in one line that names it" {
	local world=same
	rejects 2 --bogus 'unknown|--help' experiment --bogus
	rejects 2 --bogus=1 'unknown|--help' experiment --bogus=1
	rejects 2 -x 'unknown|--help' experiment -x
	rejects 2 -z 'unknown|--help' experiment -qz
	rejects 2 -x 'unknown|--help' ccre --no-plugin "$PROJECT" exp -x
	rejects 2 -Z 'unknown|--help' ccre --no-plugin "$PROJECT" -Zx
}

@test "a bad number of jobs, range of runs or seed is refused" {
	local world=same
	rejects 2 --jobs 'whole number' experiment -j 0
	rejects 2 --jobs 'from 1 to 64' experiment -j 65
	rejects 2 --run 'range of them' experiment --run 0
	rejects 2 --run 'range of them' experiment --run 2-
	rejects 2 --run 'range of them' experiment --run=3-2
	rejects 2 --run 'at most --runs, 5' experiment --run 6
	rejects 2 --seed 'whole number' experiment --seed x
	rejects 2 --benchmark-only 'expected --benchmark' experiment --benchmark-only
}

@test "an abbreviation that fits two options is refused" {
	local world=same
	rejects 2 --bench 'unknown|ambiguous|short|--help' experiment --bench 5
	rejects 2 --b 'unknown|ambiguous|short|--help' experiment --b x
	rejects 2 --it 'unknown|ambiguous|short|--help' experiment --it=2
	rejects 2 --ver 'unknown|ambiguous|short|--help' experiment --ver
	rejects 2 --ru 'unknown|ambiguous|short|--help' experiment --ru 2
}

@test "a value for an option that takes none is refused and the option named" {
	local world=same
	rejects 2 --no-plugin 'no value|--help' experiment --no-plugin=1
	rejects 2 --every-iteration 'no value|--help' experiment --every-iteration=yes
	rejects 2 --quiet 'no value|--help' experiment --quiet=1
	rejects 2 --dry-run 'no value|--help' experiment --dry-run=1
	rejects 2 --help 'no value|--help' experiment --help=1
}

@test "an option without its value is refused and named" {
	local world=same
	local option
	for option in -r -i -t -p -b -o --runs --iterations --timeout \
	    --iteration-timeout --idle-timeout --retries --prompt --benchmark \
	    --build --benchmark-timeout --samples --protect --output; do
		rejects 2 "$option" 'missing|expected|value' \
		    ccre --no-plugin "$PROJECT" exp "$option"
	done
	rejects 2 --runs 'missing|expected|value' \
	    ccre --no-plugin "$PROJECT" exp --runs -- 2
}

@test "a number that is none, or too small or large, is refused" {
	local world=same
	local option value
	for option in --runs --iterations --samples; do
		rejects 2 "$option 0" expected experiment "$option" 0
		rejects 2 "$option 99999999999" expected \
		    experiment "$option" 99999999999
	done
	for value in -1 1x x 1.5 ' 1' 0x10 1e3; do
		rejects 2 "$value" expected experiment --runs="$value"
	done
	rejects 2 1x expected experiment -r 1x
	rejects 2 --runs expected experiment --runs ''
	rejects 2 -1 expected experiment -i -1
	rejects 2 -1 expected experiment --retries -1
	rejects 2 1x expected experiment --retries=1x
	rejects 2 --retries expected experiment --retries ''
	rejects 2 99999999999 expected experiment --retries 99999999999
}

@test "a TIME that is none, or is no time, is refused" {
	local world=same
	local option value
	for value in x 5w 1.2.3 -1 nan inf 0x10 1e3 1mm 5S ' 5' '5 m' . m \
	    99999999999d; do
		rejects 2 "$value" expected experiment -t "$value"
	done
	rejects 2 --timeout expected experiment --timeout ''
	for option in --iteration-timeout --idle-timeout --benchmark-timeout; do
		rejects 2 "$option" expected experiment "$option" ''
		rejects 2 "$option inf" expected experiment "$option=inf"
	done
}

@test "a benchmark that is not NAME=COMMAND is refused" {
	local world=same
	local value
	for value in name =true a= 'a b=true' a/b=true ../a=true; do
		rejects 2 "$value" 'NAME=COMMAND' experiment -b "$value"
	done
	rejects 2 --benchmark NAME=COMMAND experiment -b ''
	rejects 2 a 'twice|another' experiment -b a=true -b a=false
}

@test "too few and too many operands are refused" {
	local world=same
	rejects 2 directory expected ccre
	rejects 2 directory expected ccre --no-plugin -q
	rejects 2 prefix expected ccre --no-plugin "$PROJECT"
	rejects 2 prefix expected ccre --no-plugin "$PROJECT" -- exp main
	rejects 2 excess expected ccre --no-plugin "$PROJECT" exp main excess
	rejects 2 excess expected ccre "$PROJECT" exp main excess another -r 2
}

# ---- places that are refused ------------------------------------------------

@test "a directory that is no work tree is refused" {
	local world=same
	git init -q --bare bare.git
	rejects 2 nowhere expected ccre --no-plugin nowhere exp
	rejects 2 main.py expected ccre --no-plugin "$PROJECT/main.py" exp
	rejects 2 "$HOME" expected ccre --no-plugin "$HOME" exp
	rejects 2 bare.git expected ccre --no-plugin bare.git exp
	rejects 2 .git expected ccre --no-plugin "$PROJECT/.git" exp
	rejects 2 refs expected ccre --no-plugin "$PROJECT/.git/refs" exp
}

@test "an empty directory operand does not mean the current directory" {
	rejects 2 directory expected at "$PROJECT" ccre --no-plugin '' exp
}

@test "a directory below the top and a link to it mean the whole work tree" {
	ln -s "$PROJECT/bench" link
	ccre -q --no-plugin -o "$OUT" -r 1 -i 1 "$PROJECT/bench" exp
	[ "$(setting directory)" = "$PROJECT" ]
	git -C "$PROJECT" cat-file -e exp-run-1-iteration-1:rehearsal.txt
	ccre -q --no-plugin -o "$OUT" -r 1 -i 1 link exp2
	git -C "$PROJECT" cat-file -e exp2-run-1-iteration-1:rehearsal.txt
	at "$PROJECT" ccre -q --no-plugin -o "$OUT" -r 1 -i 1 . exp3
	git -C "$PROJECT" cat-file -e exp3-run-1-iteration-1:rehearsal.txt
	house_is_clean
}

@test "git and claude that are not found end with 127" {
	mkdir nothing gitonly
	ln -s "$(command -v git)" gitonly/git
	rejects 127 git 'not found|PATH' with "PATH=$PWD/nothing" experiment
	rejects 127 claude 'not found|PATH' with "PATH=$PWD/gitonly" experiment
	rejects 127 claude 'not found|PATH' with "PATH=bin::$PWD/gitonly:." experiment
	rejects 127 no-such-claude 'not found' with CC_CLAUDE=no-such-claude experiment
	rejects 127 /no/such 'not found' with CC_CLAUDE=/no/such experiment
}

@test "git and claude that cannot be executed end with 126" {
	mkdir flat flat/dir
	echo 'echo hello' > flat/git
	rejects 126 git 'execut' with "PATH=$PWD/flat" experiment
	rejects 126 flat/git 'execut' with CC_CLAUDE=flat/git experiment
	rejects 126 flat/dir 'execut' with CC_CLAUDE=flat/dir experiment
	ln -s "$(command -v git)" nogit
	echo 'echo hello' > flat/claude
	rm flat/git
	ln -s "$(command -v git)" flat/git
	rejects 126 claude 'execut' with "PATH=$PWD/flat" experiment
}

@test "CC_CLAUDE is a name on PATH or a path, from where the command is typed" {
	recorder
	with CC_CLAUDE=recorder experiment -q -r 1 -i 1
	[ "$(setting claude_path)" = "$PWD/bin/recorder" ]
	mv bin/recorder home/wrapper
	at home with CC_CLAUDE=./wrapper \
	    ccre -q --no-plugin -o "$OUT" -r 1 -i 1 "$PROJECT" exp2
	[ "$(grep -c '' < arguments)" -gt 3 ]
	[ "$(calls)" = 2 ]
}

@test "a tree with uncommitted changes is refused and the file is named" {
	echo more >> "$PROJECT/main.py"
	rejects 2 main.py 'uncommitted|commit' experiment
	git -C "$PROJECT" add main.py
	rejects 2 main.py 'uncommitted|commit' experiment
	git -C "$PROJECT" reset -q --hard
	rm "$PROJECT/bench/run.sh"
	rejects 2 run.sh 'uncommitted|commit' experiment
	git -C "$PROJECT" reset -q --hard
	echo new > "$PROJECT/notes.txt"
	rejects 2 notes.txt 'uncommitted|commit' experiment
	git -C "$PROJECT" add -N notes.txt
	rejects 2 notes.txt 'uncommitted|commit' experiment
	git -C "$PROJECT" reset -q
	rm "$PROJECT/notes.txt"
	git init -q "$PROJECT/nested"
	rejects 2 nested 'uncommitted|commit' ccre --no-plugin "$PROJECT/bench" exp
}

@test "an untracked file is seen also where git status is told to hide it" {
	git -C "$PROJECT" config status.showUntrackedFiles no
	echo precious > "$PROJECT/notes.txt"
	rejects 2 notes.txt 'uncommitted|commit' experiment
}

@test "a change is seen also where the index is told to hide it" {
	git -C "$PROJECT" update-index --assume-unchanged main.py
	echo precious > "$PROJECT/main.py"
	rejects 2 main.py 'uncommitted|commit' experiment
}

@test "ignored files are no changes and stay as they are" {
	echo mine > "$PROJECT/mine.o"
	experiment -q -r 1 -i 2
	[ "$(cat "$PROJECT/mine.o")" = mine ]
	house_is_clean
}

@test "a merge, rebase, bisect or the like in progress is refused" {
	git -C "$PROJECT" switch -q -c side
	git -C "$PROJECT" commit -q --allow-empty -m side
	git -C "$PROJECT" switch -q main
	git -C "$PROJECT" commit -q --allow-empty -m main
	git -C "$PROJECT" merge -q -s ours --no-commit side
	rejects 2 MERGE_HEAD 'finish|abort|expected' experiment
	git -C "$PROJECT" merge --abort
	GIT_SEQUENCE_EDITOR='sed -i s/^pick/edit/' \
	    git -C "$PROJECT" rebase -q -i --keep-empty HEAD~ 2>&1
	rejects 2 rebase 'finish|abort|expected' experiment
	git -C "$PROJECT" rebase --abort
	git -C "$PROJECT" bisect start
	rejects 2 BISECT 'finish|abort|expected' experiment
	git -C "$PROJECT" bisect reset
	run -1 git -C "$PROJECT" cherry-pick side
	rejects 2 CHERRY_PICK_HEAD 'finish|abort|expected' experiment
	git -C "$PROJECT" cherry-pick --abort
	touch "$PROJECT/.git/index.lock"
	rejects 2 index.lock 'finish|abort|expected' experiment
	rm "$PROJECT/.git/index.lock"
	experiment -q -r 1 -i 1
}

@test "a baseline that is no commit is refused, and a HEAD that is none" {
	rejects 2 nosuch expected ccre --no-plugin "$PROJECT" exp nosuch
	rejects 2 main:main.py expected ccre --no-plugin "$PROJECT" exp main:main.py
	rejects 2 baseline expected ccre --no-plugin "$PROJECT" exp ''
	rejects 2 'main@{99}' expected ccre --no-plugin "$PROJECT" exp 'main@{99}'
	git -C "$PROJECT" switch -q --orphan new
	rejects 2 HEAD 'commit' experiment
	git init -q fresh
	rejects 2 main expected ccre --no-plugin fresh exp
}

@test "a baseline may be a branch, a tag or any other name of a commit" {
	local baseline
	git -C "$PROJECT" tag -a -m v1 v1
	git -C "$PROJECT" commit -q --allow-empty -m 'not the baseline'
	git -C "$PROJECT" branch -q upstream main~1
	git -C "$PROJECT" branch -q -u upstream main
	for baseline in v1 "${BASE:0:9}" main~1 'main@{u}'; do
		ccre -q --no-plugin -o "$OUT" -r 1 -i 1 "$PROJECT" \
		    "exp-${#baseline}" "$baseline"
		EXPERIMENT=exp-${#baseline}
		[ "$(setting baseline)" = "$baseline" ]
		[ "$(setting baseline_commit)" = "$BASE" ]
		[ "$(git -C "$PROJECT" rev-parse \
		    "$EXPERIMENT-run-1-iteration-1~1")" = "$BASE" ]
	done
	[ "$(git -C "$PROJECT" symbolic-ref HEAD)" = refs/heads/main ]
}

# ---- prefixes ---------------------------------------------------------------

@test "a prefix that cannot begin branch names or cells is refused" {
	local world=same
	local prefix
	for prefix in 'a b' a..b =1+2 +7 .a a/.b a//b a/ 'a~1' 'a*b' 'a@{b' \
	    "$(printf 'a%.0s' {1..300})"; do
		rejects 2 "$prefix" 'expected|unknown' \
		    ccre --no-plugin -o "$OUT" "$PROJECT" "$prefix"
	done
	rejects 2 prefix expected ccre --no-plugin -o "$OUT" "$PROJECT" ''
}

@test "a prefix that ends in .lock is refused, as git refuses it" {
	rejects 2 a.lock expected ccre --no-plugin -o "$OUT" "$PROJECT" a.lock
	rejects 2 a.lock/b expected ccre --no-plugin -o "$OUT" "$PROJECT" a.lock/b
}

@test "a word with a newline is named within one line" {
	local world=same
	rejects 2 prefix expected ccre --no-plugin -o "$OUT" "$PROJECT" $'a\nb'
	rejects 2 prefix expected ccre --no-plugin -o "$OUT" "$PROJECT" $'a\tb'
	rejects 2 --runs expected experiment --runs $'1\n2'
}

@test "prefixes with digits, underscores, dots, commas and slashes work" {
	local prefix
	for prefix in _A.b-9 a/c/d 'a,"b'; do
		ccre -q --no-plugin -o "$OUT" -r 1 -i 1 "$PROJECT" "$prefix"
		git -C "$PROJECT" rev-parse -q --verify \
		    "refs/heads/$prefix-run-1-iteration-1"
		[ -s "$OUT/$prefix--iterations.csv" ]
	done
	[ -d "$OUT/a/c" ]
	house_is_clean
}

@test "a long prefix is refused or works" {
	local length prefix status accepted=0
	for length in 100 150 225; do
		prefix=$(printf "%0${length}d" 1) status=0
		ccre -q --no-plugin -o "$OUT" -r 1 -i 1 \
		    -b "$(printf 'b%.0s' {1..30})=true" "$PROJECT" "$prefix" || status=$?
		echo "length $length: status $status"
		if [ "$status" -eq 0 ]; then
			accepted=$length
			[ -s "$OUT/$prefix--iterations.csv" ]
		else
			[ "$status" -eq 2 ]
			run ! git -C "$PROJECT" show-ref "$prefix-run-1-iteration-1"
		fi
	done
	[ "$accepted" -ge 100 ]
	house_is_clean
}

@test "a prefix that is in use is refused" {
	local kind
	git -C "$PROJECT" branch exp-run-3-iteration-2
	rejects 2 exp-run-3-iteration-2 'exists|another' experiment
	git -C "$PROJECT" pack-refs --all
	rejects 2 exp-run-3-iteration-2 'exists|another' experiment
	git -C "$PROJECT" branch -q -D exp-run-3-iteration-2
	git -C "$PROJECT" update-ref \
	    refs/cc-run-experiments/exp/run-1/iteration-1/attempt-1 "$BASE"
	rejects 2 refs/cc-run-experiments/exp 'exists|another' experiment
	git -C "$PROJECT" update-ref -d \
	    refs/cc-run-experiments/exp/run-1/iteration-1/attempt-1
	mkdir "$OUT"
	for kind in experiment iterations diffstats; do
		echo mine > "$OUT/exp--$kind.csv"
		rejects 2 "exp--$kind.csv" 'exists|another' experiment
		rm "$OUT/exp--$kind.csv"
	done
	git -C "$PROJECT" branch exp
	git -C "$PROJECT" branch exper-run-1-iteration-1
	experiment -q -r 1 -i 1
}

@test "a prefix whose branches clash with the name of another is refused" {
	git -C "$PROJECT" branch a
	rejects 2 a 'branch|another' ccre --no-plugin -o "$OUT" "$PROJECT" a/b
	rejects 2 a/b/c 'branch|another' ccre --no-plugin -o "$OUT" "$PROJECT" a/b/c
	git -C "$PROJECT" pack-refs --all
	rejects 2 a 'branch|another' ccre --no-plugin -o "$OUT" "$PROJECT" a/b
}

@test "a branch below the name of an iteration's branch is refused" {
	git -C "$PROJECT" branch exp-run-1-iteration-2/mine
	rejects 2 exp-run-1-iteration-2 'exists|branch|another' experiment
}

# ---- the plugin, the prompt and the output directory ------------------------

@test "a plugin directory that is none is refused" {
	local world=same
	mkdir -p empty few/inside
	touch file
	rejects 2 CC_PLUGIN_DIR expected plugged
	rejects 2 CC_PLUGIN_DIR expected with CC_PLUGIN_DIR= plugged
	rejects 2 /no/such expected with CC_PLUGIN_DIR=/no/such plugged
	rejects 2 file expected with CC_PLUGIN_DIR=file plugged
	rejects 2 empty expected with CC_PLUGIN_DIR=empty plugged
	rejects 2 CC_PLUGIN_DIR no-plugin plugged -q
	rejects 2 few expected with CC_PLUGIN_DIR=few plugged
}

@test "a plugin with a manifest is handed to claude by its absolute path" {
	recorder
	mkdir -p plug/.claude-plugin
	echo '{ "version": "1", "name": "other" }' > plug/.claude-plugin/plugin.json
	with CC_PLUGIN_DIR=plug plugged -q
	[ "$(grep -A1 -x -e --plugin-dir arguments | tail -n 1)" = "$PWD/plug" ]
	[ "$(setting plugin_directory)" = "$PWD/plug" ]
	grep -qi plugin stdin
}

@test "a plugin that is only skills is accepted" {
	mkdir -p plug/skills/fast
	echo 'Be fast.' > plug/skills/fast/SKILL.md
	with "CC_PLUGIN_DIR=$PWD/plug" plugged -q
	[ "$(ledger outcome)" = success ]
}

@test "a directory of plugins is accepted" {
	mkdir -p plugs/one/.claude-plugin plugs/two/.claude-plugin
	echo '{"name":"one"}' > plugs/one/.claude-plugin/plugin.json
	echo '{"name":"two"}' > plugs/two/.claude-plugin/plugin.json
	scene each <<-'X'
		printf '{"type":"system","subtype":"init","session_id":"s","plugins":['
		printf '{"name":"one","path":"%s/one","source":"one@inline"},' "$plugin"
		printf '{"name":"two","path":"%s/two","source":"two@inline"}]}\n' "$plugin"
		edit
		result false success 'Done.'
	X
	with REHEARSAL="$SCENE/each" with CC_PLUGIN_DIR=plugs plugged -q
	[ "$(ledger outcome)" = success ]
}

@test "with --no-plugin the plugin directory does not matter" {
	recorder
	with CC_PLUGIN_DIR=/no/such experiment -q -r 1 -i 1
	run ! grep -q -e plugin-dir arguments
	run ! grep -qiE 'plugin|skill' stdin
}

@test "a prompt file that has no text is refused" {
	local world=same
	mkdir dir
	: > empty
	printf ' \n\t\r\n' > blank
	rejects 2 nowhere expected experiment -p nowhere
	rejects 2 dir expected experiment --prompt dir
	rejects 2 empty expected experiment --prompt=empty
	rejects 2 blank expected experiment --prompt blank
	rejects 2 --prompt expected experiment --prompt ''
}

@test "a prompt file reaches claude's stdin to the byte" {
	recorder
	printf 'Do  this: %%s \\n "it'\''s" $HOME `id`\n\tand \303\244.\n' > prompt
	experiment -q -r 1 -i 1 -p prompt
	cmp -n "$(wc -c < prompt)" prompt stdin
	grep -q 'iteration 1 of 1' stdin
}

@test "an output directory that is none is refused" {
	touch file
	chmod +x file
	rejects 2 file expected ccre --no-plugin -o file "$PROJECT" exp
	rejects 2 file/below expected ccre --no-plugin -o file/below "$PROJECT" exp
}

@test "an output directory that cannot be written is refused" {
	mkdir shut
	chmod 555 shut
	leave_root
	rejects 2 shut expected ccre --no-plugin -o shut "$PROJECT" exp
	rejects 2 shut/in expected ccre --no-plugin -o shut/in "$PROJECT" exp
}

@test "the top of the work tree and committed files are no place for output" {
	local world=same
	ln -s "$PROJECT" link
	rejects 2 --output expected ccre --no-plugin -o "$PROJECT" "$PROJECT" exp
	rejects 2 --output expected ccre --no-plugin -o link "$PROJECT" exp
	rejects 2 --output expected \
	    at "$PROJECT" ccre --no-plugin -o . "$PROJECT/bench" exp
	rejects 2 bench/run.sh expected \
	    ccre --no-plugin -o "$PROJECT/bench" "$PROJECT" exp
	rejects 2 bench/run.sh expected at "$PROJECT/bench" \
	    ccre --no-plugin -o ../bench "$PROJECT" exp
}

@test "the output directory is made where the command is typed" {
	at home ccre -q --no-plugin -r 1 -i 1 "$PROJECT" exp
	[ -s home/benchmark-results/exp--iterations.csv ]
	at home ccre -q --no-plugin -r 1 -i 1 -o ../new/ "$PROJECT/bench" exp2
	[ -s new/exp2--iterations.csv ]
	at "$PROJECT" ccre -q --no-plugin -r 1 -i 1 . exp3
	[ -s "$PROJECT/benchmark-results/exp3--iterations.csv" ]
	[ -z "$(git -C "$PROJECT" status --porcelain)" ]
	[ "$(git -C "$PROJECT" ls-tree -r --name-only exp3-run-1-iteration-1)" = \
	    "$(printf '.gitignore\nbench/run.sh\nmain.py\nrehearsal.txt')" ]
}

@test "a baseline with submodules is refused" {
	git init -q lib
	git -C lib commit -q --allow-empty -m lib
	git -C "$PROJECT" -c protocol.file.allow=always \
	    submodule --quiet add "$PWD/lib" lib
	git -C "$PROJECT" commit -q -m 'with a submodule'
	rejects 2 lib submodule experiment
}

@test "a baseline with a nested repository is refused, for it is a submodule" {
	git init -q "$PROJECT/lib"
	git -C "$PROJECT/lib" commit -q --allow-empty -m lib
	git -C "$PROJECT" add lib 2>&1
	git -C "$PROJECT" commit -q -m 'a submodule without .gitmodules'
	rejects 2 lib submodule experiment
}

@test "root is refused without IS_SANDBOX=1, as claude refuses it" {
	[ "$(id -u)" -eq 0 ] || skip 'not root'
	rejects 2 IS_SANDBOX root without IS_SANDBOX experiment
	rejects 2 IS_SANDBOX root with IS_SANDBOX=true experiment
	rejects 2 IS_SANDBOX root with IS_SANDBOX= experiment
	with IS_SANDBOX=1 experiment -q -r 1 -i 1
}

@test "a user who is not root needs no IS_SANDBOX" {
	leave_root
	without IS_SANDBOX experiment -q -r 1 -i 1
	[ "$(ledger outcome)" = success ]
}

# ---- --help, --version, --dry-run -------------------------------------------

# help_of LONG-OPTION: what --help says of it.
help_of() {
	"$CCRE" --help | awk -v option="$1" '
	    /^ *(-., *)?--[a-z]/ { on = $0 ~ "(^|[ ,])" option "([ =,[]|$)" }
	    /^[^ ]/ || /^$/ { on = 0 }
	    on'
}

# seconds: the times in the text on stdin, one a line, as seconds.
seconds() {
	grep -oE '[0-9.]+ ?[smhd][a-z]*([0-9]+ ?[smhd])*' |
	    sed -E 's/([0-9.]+) ?([smhd])[a-z]*/\1 \2 /g' |
	    awk 'BEGIN { each["s"] = 1; each["m"] = 60; each["h"] = 3600; each["d"] = 86400 }
	    { t = 0; for (i = 1; i < NF; i += 2) t += $i * each[$(i + 1)]; print t }'
}

@test "--help lists every option with its default on stdout" {
	local option
	ccre --help > stdout 2> stderr
	[ ! -s stderr ]
	grep -qE '^usage: cc-run-experiments \[options\] directory prefix' stdout
	for option in -r,--runs -i,--iterations -t,--timeout \
	    --iteration-timeout --idle-timeout --retries -p,--prompt \
	    --no-plugin -b,--benchmark --build --benchmark-timeout --samples \
	    --every-iteration --protect -o,--output -n,--dry-run -q,--quiet \
	    -v,--verbose -h,--help -V,--version; do
		echo "$option"
		grep -qE -e "^ +${option/,/, }([ =]|$)" stdout
	done
	help_of --runs | grep -qw 5
	help_of --iterations | grep -qw 10
	[ "$(help_of --timeout | seconds)" = 7200 ]
	[ "$(help_of --iteration-timeout | seconds)" = 1800 ]
	[ "$(help_of --idle-timeout | seconds)" = 1200 ]
	help_of --retries | grep -qw 2
	help_of --prompt | grep -q 'built in'
	[ "$(help_of --benchmark-timeout | seconds)" = 600 ]
	help_of --samples | grep -qw 1
	help_of --output | grep -q benchmark-results
	grep -i baseline stdout | grep -qw main
}

@test "--help fits a terminal of 80 columns" {
	ccre --help > stdout
	run ! grep -E '.{81}' stdout
}

@test "--help and --version win over words that would be refused, and change nothing" {
	mkdir "$LOG"
	snapshot > "$LOG/before"
	ccre --help > stdout
	ccre -h | cmp - stdout
	ccre /no/such --help | cmp - stdout
	ccre -V > stdout
	ccre --version | cmp - stdout
	[ "$(wc -l < stdout)" -eq 1 ]
	grep -qE '^cc-run-experiments [0-9]' stdout
	rm stdout
	snapshot > "$LOG/after"
	diff "$LOG/before" "$LOG/after"
}

@test "--help tells the defaults, whatever else is on the command line" {
	ccre --help > stdout
	ccre -r 7 -t 5m -o elsewhere --help | diff stdout -
	ccre --help -r 7 | diff stdout -
}

@test "every default is a constant at the top of the source" {
	# The first section is changed, and nothing else.
	awk '/^\/\* ---- / { section++ } { print section == 1 ? "1" $0 : "0" $0 }' \
	    "$CCRE_ROOT/cc-run-experiments.c" | sed -E '
	    /^0/b
	    s/(\bRUNS =) 5,/\1 21,/; s/(\bITERATIONS =) 10,/\1 22,/
	    s/(\bTIMEOUT_S =) [^,]*,/\1 23,/
	    s/(\bITERATION_TIMEOUT_S =) [^,]*,/\1 24,/
	    s/(\bIDLE_TIMEOUT_S =) [^,]*,/\1 25,/; s/(\bRETRIES =) 2,/\1 26,/
	    s/(\bBENCHMARK_TIMEOUT_S =) [^,]*,/\1 27,/
	    s/(\bSAMPLES =) 1,/\1 28,/; s/"benchmark-results"/"elsewhere"/
	    s/"main"/"trunk"/' | sed 's/^.//' > changed.c
	build changed.c changed
	CCRE=$PWD/changed
	help_of --runs | grep -qw 21
	help_of --iterations | grep -qw 22
	[ "$(help_of --timeout | seconds)" = 23 ]
	[ "$(help_of --iteration-timeout | seconds)" = 24 ]
	[ "$(help_of --idle-timeout | seconds)" = 25 ]
	help_of --retries | grep -qw 26
	[ "$(help_of --benchmark-timeout | seconds)" = 27 ]
	help_of --samples | grep -qw 28
	help_of --output | grep -q elsewhere
	ccre --help | grep -i baseline | grep -qw trunk
}

@test "output that cannot be written is an error with status 1" {
	[ -c /dev/full ] || skip 'no /dev/full'
	local words status
	for words in --help --version "--no-plugin -n $PROJECT exp" \
	    "-r1 -i1 --no-plugin -o $OUT $PROJECT exp"; do
		status=0
		# shellcheck disable=SC2086
		ccre $words > /dev/full 2> stderr || status=$?
		echo "$words: status $status"
		[ "$status" -eq 1 ]
		grep -qE 'output|write|space' stderr
	done
}

@test "--dry-run prints every branch and command and touches nothing" {
	local run iteration
	mkdir "$LOG"
	snapshot > "$LOG/before"
	experiment -n -r 2 -i 3 > "$LOG/stdout" 2> "$LOG/stderr"
	snapshot > "$LOG/after"
	diff "$LOG/before" "$LOG/after"
	[ ! -s "$LOG/stderr" ]
	[ "$(calls)" = 0 ]
	for run in 1 2; do
		for iteration in 1 2 3; do
			grep -qE "^git .* exp-run-$run-iteration-$iteration( |\$)" "$LOG/stdout"
		done
	done
	[ "$(grep -c -e ' --output-format stream-json --verbose$' "$LOG/stdout")" = 6 ]
	[ "$(grep -c '^git .* commit ' "$LOG/stdout")" = 6 ]
}

@test "--dry-run shows the build, the benchmarks and the protected paths" {
	mkdir "$LOG"
	snapshot > "$LOG/before"
	experiment -n -r 2 -i 3 --build 'make all' -b 'a=it'\''s $1' -b b=two \
	    --protect bench > "$LOG/stdout" 2> "$LOG/stderr"
	cat "$LOG/stderr"
	snapshot > "$LOG/after"
	diff "$LOG/before" "$LOG/after"
	[ ! -s "$LOG/stderr" ]
	[ "$(grep -c -e "sh -c 'make all'\$" "$LOG/stdout")" = 4 ]
	[ "$(grep -c -e "sh -c two\$" "$LOG/stdout")" = 4 ]
	[ "$(grep -cF -e "sh -c 'it'\\''s \$1'" "$LOG/stdout")" = 4 ]
	[ "$(grep -c -e '-- bench$' "$LOG/stdout")" = 4 ]
	experiment -n -r 2 -i 3 -b b=two --every-iteration > "$LOG/stdout"
	[ "$(grep -c -e "sh -c two\$" "$LOG/stdout")" = 8 ]
}

@test "a printed git checkout and a printed claude command can be pasted" {
	awkward
	recorder
	printf 'Say %%s \\n "it'\''s" $HOME `id` \\\\ done.\n' > prompt
	ccre -n --no-plugin -p prompt -o "$OUT" -r 1 -i 2 "$PROJECT" exp -- \
	    --model "it's" > plan
	grep " -B exp-run-1-iteration-1 " plan | head -n 1 | sh
	[ "$(git -C "$PROJECT" symbolic-ref HEAD)" = refs/heads/exp-run-1-iteration-1 ]
	sed -n "/ -B exp-run-1/,/recorder/p" plan | sed '1d;/recorder/q' | sh > transcript
	grep -q '"type":"result"' transcript
	cmp -n "$(wc -c < prompt)" prompt stdin
	[ "$(tail -n 2 arguments)" = $'--model\nit\'s' ]
	[ -s "$PROJECT/rehearsal.txt" ]
}

@test "the whole plan of --dry-run can be pasted and does what a real run does" {
	awkward
	ccre -n --no-plugin -o "$OUT" -r 2 -i 2 "$PROJECT" exp > plan
	sh -e plan > transcripts
	[ "$(calls)" = 4 ]
	[ "$(git -C "$PROJECT" branch --list 'exp-run-*' | wc -l)" = 4 ]
	[ "$(git -C "$PROJECT" show exp-run-2-iteration-2:rehearsal.txt)" = \
	    $'call 3\ncall 4' ]
	run -2 -- ccre --no-plugin -o "$OUT" "$PROJECT" exp	# the names are taken
	[ "$(git -C "$PROJECT" symbolic-ref HEAD)" = refs/heads/main ]
}

# steps: checkouts, calls and commands of those printed, ids and names of commits alike.
steps() {
	grep -E '^git .* checkout |--verbose$|sh -c ' | sed -E 's/ [^ ]*\^0/ COMMIT/'
}

@test "--dry-run prints the steps that a run takes, no more and no less" {
	local line words
	for line in "" "-b b=true" "--build true -b b=true --every-iteration"; do
		read -ra words <<< "$line"
		rm -rf "$OUT"
		project for-each-ref --format='delete %(refname)' \
		    'refs/heads/exp-run-*' refs/cc-run-experiments/ | project update-ref --stdin
		experiment -n -r 2 -i 2 "${words[@]}" | steps > plan
		experiment -v -q -r 2 -i 2 "${words[@]}" 2>&1 | steps > taken
		[ "$(grep -c -e '--verbose$' plan)" = 4 ]
		diff plan taken
	done
}

@test "--dry-run names branches of a long prefix whole" {
	local long
	long=$(printf 'p%.0s' {1..140})
	ccre -n --no-plugin -o "$OUT" -r 1 -i 3 -b b=true "$PROJECT" "$long" > plan
	grep -F -e " -B $long-run-1-iteration-3 '$long-run-1-iteration-2^0' --" plan
	grep -F -e " -B $long-run-1-iteration-3 '$long-run-1-iteration-3^0' --" plan
}

# worst OPTION...: the hours of the worst case, as --dry-run tells them.
worst() {
	experiment -n -r 3 -i 4 -t 2h --iteration-timeout 1h --retries 1 "$@" |
	    grep -oE '[0-9]+(\.[0-9]+)? hours' | head -n 1
}

@test "--dry-run tells the worst case in hours" {
	# 3 runs of 2 h, and in each of 12 iterations one attempt of 1 h that
	# times out and is not charged.
	[ "$(worst)" = '18.0 hours' ]
	[ "$(worst --retries 0)" = '6.0 hours' ]
	[ "$(worst --retries 2)" = '30.0 hours' ]
	[ "$(worst -r 1)" = '6.0 hours' ]
}

@test "--dry-run counts the benchmarks in the worst case" {
	# Each run has two points; each is a build and five samples of two
	# benchmarks, of 10 minutes at most: 3 * 2 * 11 / 6 = 11 hours.
	[ "$(worst --build true -b a=true -b b=true --samples 5)" = '29.0 hours' ]
	[ "$(worst --build true -b a=true -b b=true --samples 5 \
	    --benchmark-timeout 30m)" = '51.0 hours' ]
	# With --every-iteration five points a run: 3 * 5 * 11 / 6.
	[ "$(worst --build true -b a=true -b b=true --samples 5 \
	    --every-iteration)" = '45.5 hours' ]
}

@test "--dry-run refuses what a real run would refuse" {
	echo new > "$PROJECT/notes.txt"
	rejects 2 notes.txt 'uncommitted|commit' experiment -n
	rm "$PROJECT/notes.txt"
	rejects 2 CC_PLUGIN_DIR expected plugged --dry-run
	rejects 2 nosuch expected ccre -n --no-plugin "$PROJECT" exp nosuch
}

@test "--dry-run of an experiment that has begun refuses other settings and changes nothing" {
	mkdir "$LOG"
	REHEARSAL='success rate-limit' run -75 experiment -r 1 -i 2
	snapshot > "$LOG/before"
	experiment -n -r 1 -i 2 > "$LOG/stdout"
	[ "$(grep -c -e ' --output-format stream-json --verbose$' "$LOG/stdout")" = 2 ]
	rejects 2 iterations=2 'another prefix' experiment -n -r 1 -i 3
	snapshot > "$LOG/after"
	diff "$LOG/before" "$LOG/after"
	[ "$(calls)" = 2 ]
}

@test "--dry-run with --benchmark-only prints what is to be measured, and only that" {
	mkdir "$LOG"
	experiment -r 2 -i 2
	snapshot > "$LOG/before"
	experiment -n -r 2 -i 2 --benchmark-only -b b=two > "$LOG/stdout"
	cat "$LOG/stdout"
	snapshot > "$LOG/after"
	diff "$LOG/before" "$LOG/after"
	# Of two runs iteration 0 and the last one.
	[ "$(grep -c -e "sh -c two\$" "$LOG/stdout")" = 4 ]
	[ "$(grep -cE 'checkout .* exp-run-[12]-iteration-2( |$)' "$LOG/stdout")" -ge 2 ]
	run ! grep -e '--output-format' "$LOG/stdout"
	[ "$(calls)" = 4 ]
}

# ---- what a person sees -----------------------------------------------------

@test "--verbose prints each command before it runs, as it can be pasted" {
	export WATCHED=$BATS_TEST_TMPDIR/stderr SEEN=$BATS_TEST_TMPDIR/seen
	scene look <<-'X'
		{
			grep -cE ' checkout .*exp-run-1-iteration-1( |$)' "$WATCHED"
			grep -c ' --verbose --model ' "$WATCHED"
			grep -c '^git .* commit ' "$WATCHED"
		} > "$SEEN"
		init; edit; result false success 'Done.'
	X
	awkward
	REHEARSAL=$SCENE/look ccre -v --no-plugin -o "$OUT" -r 1 -i 1 \
	    -b 'a=grep -c "it.s printed" "$WATCHED"; echo "it'\''s printed"' \
	    "$PROJECT" exp -- --model "it's" > stdout 2> stderr
	[ "$(cat seen)" = $'1\n1\n0' ]
	grep -q '^git .* commit ' stderr
	[ "$(head -n 1 "$OUT/exp--run-1--iteration-0--a.log")" = 1 ]
	[ "$(head -n 1 "$OUT/exp--run-1--iteration-1--a.log")" = 2 ]
	grep 'sh -c ' stderr | head -n 1 | sh > pasted
	[ "$(tail -n 1 pasted)" = "it's printed" ]
	grep -E '^git .* (status|diff-tree) ' stderr > commands
	[ "$(wc -l < commands)" -ge 2 ]
	sh -e commands > /dev/null
	grep -q '^run  *success' stdout
}

@test "--quiet is silent when all is well" {
	experiment -q -r 2 -i 2 -b 'a=echo runtime: 1ms' --build 'echo built' \
	    --protect bench > stdout 2> stderr
	[ "$(calls)" = 4 ]
	[ ! -s stdout ]
	[ ! -s stderr ]
}

@test "--quiet does not hide why an experiment stopped" {
	REHEARSAL=rate-limit run -75 --separate-stderr experiment -q
	[[ $stderr == *'rate limit'* ]]
	[ -z "$output" ]
	REHEARSAL=denied run -77 --separate-stderr \
	    ccre -q --no-plugin -o "$OUT" "$PROJECT" b
	[[ $stderr == *denied* ]]
	REHEARSAL=crash run -3 --separate-stderr \
	    ccre -q --no-plugin -o "$OUT" "$PROJECT" c
	[[ $stderr == *'failures in a row'* ]]
}

@test "--quiet does not hide a benchmark that failed" {
	experiment -q -r 1 -i 1 -b a=false 2> stderr
	grep -q 'run 1 iteration 0: .*failed' stderr
	grep -q 'run 1 iteration 1: .*failed' stderr
}

@test "--quiet does not hide a failed iteration that is skipped" {
	REHEARSAL='crash success' experiment -q -r 1 -i 2 2> stderr
	[ "$(ledger outcome)" = $'failure\nsuccess' ]
	grep -q 'iteration 1.*failure' stderr
}

@test "each event is a line with run, iteration, outcome, time, lines and cost" {
	REHEARSAL_EDIT='printf "a\nb\nc\n" > main.py' \
	    REHEARSAL='success crash success rate-limit' \
	    run -75 --separate-stderr experiment -r 2 -i 3
	printf '%s\n' "$stderr" > events
	cat events
	[ "$(grep -cE 'run 1.*iteration 1.*success.* [0-9.]+s.*\+3.*-1.*\$0\.01' events)" = 1 ]
	[ "$(grep -cE 'run 1.*iteration 2.*failure.* [0-9.]+s.*something is broken' events)" = 1 ]
	[ "$(grep -cE 'run 1.*iteration 3.*success.* [0-9.]+s.*\+0.*-0.*\$0\.01' events)" = 1 ]
	[ "$(grep -cE 'run 2.*iteration 1.*rate limit.* [0-9.]+s' events)" = 1 ]
	grep -q 'stopped.*rate limit' events
	run ! grep -q "$(printf '[\r\033]')" events
}

@test "the final table counts iterations by outcome, cost, time and speed-up" {
	REHEARSAL_EDIT='echo fast > speed; echo "$call" >> main.py' \
	    REHEARSAL='success crash success success capped success success success' \
	    experiment -r 2 -i 4 \
	    -b 'a=if [ -e speed ]; then echo runtime: 40ms; else echo runtime: 100ms; fi' \
	    -b 'longname=if [ -e speed ]; then echo runtime: 2s; else echo runtime: 1s; fi' \
	    > stdout
	cat stdout
	[ "$(table 1 success)" = 3 ]
	[ "$(table 1 failure)" = 1 ]
	[ "$(table 1 capped)" = 0 ]
	[ "$(table 2 success)" = 3 ]
	[ "$(table 2 capped)" = 1 ]
	[[ $(table 1 cost) =~ ^'$'?0\.04$ ]]		# three times 0.0125
	[[ $(table 2 cost) =~ ^'$'?0\.05$ ]]
	[[ $(table 1 'agent time') =~ ^[0-9.]+s$ ]]
	[ "$(table 1 a)" = 2.50x ]
	[ "$(table 2 a)" = 2.50x ]
	[ "$(table 1 longname)" = 0.50x ]
}

@test "the final table names the branches and a command that compares them" {
	awkward
	ccre --no-plugin -o "$OUT" -r 2 -i 2 "$PROJECT" exp > stdout
	grep -q exp-run-1-iteration-2 stdout
	grep -q exp-run-2-iteration-2 stdout
	grep -E '^ *git ' stdout > commands
	[ "$(wc -l < commands)" -ge 1 ]
	sh -e commands > compared
	grep -q 'rehearsal.txt.*2' compared
}

@test "an experiment that stops early shows its table, too" {
	REHEARSAL='success rate-limit' run -75 --separate-stderr experiment -r 2 -i 2
	printf '%s\n' "$output" > stdout
	[ "$(table 1 success)" = 1 ]
	[ "$(table 1 'rate limit')" = 1 ]
	grep -E '^ *git ' stdout > commands
	sh -e commands > compared
}

# ---- exit statuses ----------------------------------------------------------

@test "the exit status tells how it ended: 0, 1, 3, 75, 77 and 124" {
	mkdir -p plug/skills
	scene loaded <<-'X'
		printf '{"type":"system","subtype":"init","plugins":[{"name":"plug","path":"%s/plug"}]}\n' "$BATS_TEST_TMPDIR"
		result false success 'Done.'
	X
	export BATS_TEST_TMPDIR
	REHEARSAL=success run -0 ccre --no-plugin -o "$OUT" -r 1 -i 1 "$PROJECT" a
	REHEARSAL=$SCENE/loaded CC_PLUGIN_DIR=plug \
	    run -1 ccre --no-plugin -o "$OUT" "$PROJECT" b
	[[ $output == *plugin* ]]
	REHEARSAL='success crash' run -3 ccre --no-plugin -o "$OUT" "$PROJECT" c
	REHEARSAL='success rate-limit' run -75 ccre --no-plugin -o "$OUT" "$PROJECT" d
	REHEARSAL='success denied' run -77 ccre --no-plugin -o "$OUT" "$PROJECT" e
	CCRE=$CCRE_QUICK REHEARSAL=hang run -124 ccre --no-plugin -o "$OUT" \
	    --iteration-timeout 1 --retries 0 "$PROJECT" f
	house_is_clean
}

@test "a claude that cannot be executed after all ends with 126 or 127" {
	local status=0
	no_emulator "what posix_spawn tells"
	printf 'echo no interpreter\n' > bin/plain
	printf '#!/no/such/interpreter\n' > bin/orphan
	chmod +x bin/plain bin/orphan
	CC_CLAUDE=plain run -126 ccre --no-plugin -o "$OUT" "$PROJECT" a
	[[ $output == *plain* ]]
	CC_CLAUDE=orphan ccre --no-plugin -o "$OUT" "$PROJECT" b 2> stderr || status=$?
	[ "$status" -eq 126 ] || [ "$status" -eq 127 ]
	grep -q orphan stderr
	house_is_clean
}

@test "an experiment that a signal ended dies by it, with status 128 + n" {
	local signal number status
	command -v perl > /dev/null || skip 'no perl, which tells 143 from TERM'
	for signal in TERM=15 INT=2; do
		number=${signal#*=} signal=${signal%=*} status=0
		rm -f "$REHEARSAL_STATE" pid
		# Its exit status: the number of the signal that ended ccre.
		CC_TEST_ID=$BATS_TEST_TMPDIR REHEARSAL=hang perl -e '
		    $SIG{$_} = "DEFAULT" for qw(INT HUP TERM);
		    defined($pid = fork) or die; exec @ARGV if !$pid;
		    open F, ">pid"; print F $pid; close F;
		    waitpid $pid, 0; exit($? & 127)' "$CCRE" --no-plugin \
		    -o "$OUT" "$PROJECT" "exp$number" > stdout 2> stderr 3>&- &
		wait_until 20 test -s "$REHEARSAL_STATE" -a -s pid
		kill "-$signal" "$(cat pid)"
		wait "$!" || status=$?
		echo "$signal: $status"
		[ "$status" -eq "$number" ]
		house_is_clean
	done
}

# ---- cron -------------------------------------------------------------------

@test "it works from cron's bare environment, and says nothing under -q" {
	env -i PATH=/usr/bin:/bin HOME="$HOME" IS_SANDBOX=1 \
	    CC_CLAUDE="$CCRE_ROOT/contrib/rehearsal-claude" \
	    CC_TEST_ID="$BATS_TEST_TMPDIR" \
	    "$CCRE" -q --no-plugin -r 2 -i 2 -o "$OUT" "$PROJECT" exp \
	    > mail 2>&1 < /dev/null
	[ ! -s mail ]
	[ "$(ledger outcome)" = $'success\nsuccess\nsuccess\nsuccess' ]
	house_is_clean
}

@test "it works without HOME and without a git identity" {
	env -i PATH=/usr/bin:/bin TMPDIR="$TMPDIR" IS_SANDBOX=1 \
	    CC_CLAUDE="$CCRE_ROOT/contrib/rehearsal-claude" \
	    CC_TEST_ID="$BATS_TEST_TMPDIR" \
	    "$CCRE" -q --no-plugin -r 1 -i 1 -o "$OUT" "$PROJECT" exp \
	    > mail 2>&1 < /dev/null
	[ ! -s mail ]
	[ "$(git -C "$PROJECT" log -1 --format=%an:%cn exp-run-1-iteration-1)" = \
	    cc-run-experiments:cc-run-experiments ]
	house_is_clean
}

@test "it works in an environment that has nothing but the way to claude" {
	env -i IS_SANDBOX=1 CC_TEST_ID="$BATS_TEST_TMPDIR" TMPDIR="$TMPDIR" \
	    CC_CLAUDE="$CCRE_ROOT/contrib/rehearsal-claude" \
	    "$CCRE" --no-plugin -r 1 -i 1 -o "$OUT" "$PROJECT" exp
	[ "$(ledger outcome)" = success ]
	house_is_clean
}

@test "--dry-run beside a runner says who is at work, and disturbs nobody" {
	export GO=$BATS_TEST_TMPDIR/go STARTED=$BATS_TEST_TMPDIR/started
	scene waits <<-'END'
	init; edit; : > "$STARTED"
	until [ -e "$GO" ]; do sleep 0.05; done
	result false success Done.
	END
	REHEARSAL=$SCENE/waits experiment -q -r 1 -i 1 > table &
	local pid=$!
	wait_until 30 test -e "$STARTED"
	run -75 experiment -n -r 1 -i 1
	echo "$output"
	[[ $output == *"another runner is at work, process "*": type it again later" ]]
	[ "${#lines[@]}" = 1 ]
	: > "$GO"
	ended 0 "$pid"
	run -0 experiment -n -r 1 -i 1
	house_is_clean
}

@test "a finished experiment shows its table again" {
	experiment -r 2 -i 1 -b b='echo runtime: 1ms' > table 2> /dev/null
	grep -q '^  1 ' table
	grep -q '2.00x is twice as fast' table
	experiment -r 2 -i 1 -b b='echo runtime: 1ms' > again 2> said
	cmp table again
	grep -q 'all runs are finished (2)' said
	experiment -q -r 2 -i 1 -b b='echo runtime: 1ms' > quiet
	[ ! -s quiet ]
	house_is_clean
}

@test "results are not put into the git directory" {
	rejects 2 --output "git's own" ccre --no-plugin -o "$PROJECT/.git/results" "$PROJECT" exp
	rejects 2 --output "git's own" ccre --no-plugin -o "$PROJECT/.git/info" "$PROJECT" exp
	[ ! -e "$PROJECT/.git/results" ]
}

@test "no control character of claude's reaches the terminal, C1 in UTF-8 neither" {
	scene controls <<-'END'
	init; edit
	printf '{"type":"result","subtype":"success","is_error":true,"num_turns":2,"result":"a\302\2332Jb \\u009b2Jc \303\251\302\251"}\n'
	END
	REHEARSAL=$SCENE/controls run experiment -r 1 -i 1
	echo "$output" | od -c | head -n 20
	[[ $output == *$'a??2Jb ??2Jc \303\251\302\251'* ]]
}

@test "a committed file that is in the way is named with its baseline, however many there are" {
	mkdir "$PROJECT/many" "$PROJECT/zz"
	(cd "$PROJECT/many" && touch $(seq 80))
	echo old > "$PROJECT/zz/x.log"
	project add .
	project commit -qm old
	project branch old
	project rm -rqf --cached zz
	echo zz/ >> "$PROJECT/.gitignore"
	project add .gitignore
	project commit -qm 'ignored now'
	run -2 ccre --no-plugin -o "$OUT" "$PROJECT" exp old
	[[ $output == *'baseline old: zz/x.log: expected no committed file where git ignores one now'* ]]
}
