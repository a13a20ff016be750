# The command line: what is accepted, what is refused, what is printed, and the
# exit statuses: design, sections 3, 11 and 12.

# Scripts are for other shells to expand (2016); each test is a process of its
# own (2030, 2031); run sets output, status and stderr (2154).
# shellcheck disable=SC2016,SC2030,SC2031,SC2154

load helper

LOG=$BATS_TEST_TMPDIR/log
A='a=echo runtime: 1ms'

# world: every file of this test with mode, time and checksum, except those in
# log/, the empty lock file and the directory for copies.
world() {
	find "$BATS_TEST_TMPDIR" -mindepth 1 -path "$LOG" -prune -o \
	    -name cc-run-experiments.lock -empty -o -path "$TMPDIR/cc-run-experiments-*" -prune -o \
	    -type f -printf '%p %m %T@\n' -exec cksum {} + -o -printf '%p %y %m %l\n'
}

# unchanged COMMAND...: the command changes no file of this test.
unchanged() {
	mkdir -p "$LOG"
	world > "$LOG/before"
	"$@" > "$LOG/stdout" 2> "$LOG/stderr"
	world | diff "$LOG/before" -
}

# rejects STATUS: reads lines "WORD % COMMAND". Each COMMAND must end with
# STATUS, print one line on stderr that has WORD, nothing on stdout, and change
# no file.
rejects() {
	local status=$1 word command got said bad=0
	local -x REHEARSAL=throttled	# if the command is accepted it ends soon
	mkdir -p "$LOG"
	world > "$LOG/before"
	while IFS=% read -r word command; do
		got=0
		eval "$command" > "$LOG/stdout" 2> "$LOG/stderr" 3>&- < /dev/null || got=$?
		mapfile -t said < "$LOG/stderr"
		eval "word=${word% }"
		if [ "$got" != "$status" ] || [ "${#said[@]}" != 1 ] || [ -s "$LOG/stdout" ] ||
		    [[ ${said[0]#cc-run-experiments:} != *"$word"* ]]; then
			echo "expected status $status and '$word' of:$command"
			printf '%s\n' "status $got:" "${said[@]}"
			bad=1
		fi
	done
	world | diff "$LOG/before" - || bad=1
	return $bad
}

# with NAME=VALUE COMMAND...: the command with that in its environment.
with() {
	local -x "$1"
	shift
	"$@"
}

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

# named PREFIX [BASELINE]: one iteration under that prefix.
named() {
	ccre -q --no-plugin -o "$OUT" -r 1 -i 1 "$PROJECT" "$@"
}

# setting KEY: what experiment.csv says of it (a plain value).
setting() {
	sed -n "s/^$1,//p" "$OUT/${EXPERIMENT:-exp}--experiment.csv"
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

# table RUN COLUMN: that cell of the final table, which is in the file stdout.
table() {
	awk -v run="$1" -v column="$2" '
	    { gsub(/^ +\*?/, ""); n = split($0, cell, /  +/) }
	    !at { for (i = 1; i <= n; i++) if (cell[i] == column) at = i }
	    cell[1] == run { print cell[at]; exit }' stdout
}

# unprivileged: file modes apply to the program although the user is root.
unprivileged() {
	[ "$(id -u)" = 0 ] || return 0
	printf '#!/bin/sh\nexec setpriv --inh-caps=-all --bounding-set=-all "%s" "$@"\n' "$CCRE" > unprivileged
	chmod +x unprivileged
	CCRE=$PWD/unprivileged
}

# ---- options that are accepted ----------------------------------------------

@test "options work in their short form, also without a space and bundled" {
	local line
	echo 'Short prompt.' > prompt
	for line in '-r 1 -i 2 -t 90m -p prompt -b "$A" -q' '-qr1 -i2 -t90m -pprompt -b"$A"'; do
		eval "REHEARSAL=throttled run -75 ccre $line -o out --no-plugin \"\$PROJECT\" exp"
		[ "$(setting runs) $(setting iterations) $(setting timeout) $(setting benchmark)" = "1 2 5400 $A" ]
		grep -q '^prompt,"*Short prompt\.' out/exp--experiment.csv
		forget
	done
}

@test "options work in their long form, with = and abbreviated" {
	local line
	echo 'Long prompt.' > prompt
	for line in '--quiet --runs=1 --iterations 2 --timeout 90m --iteration-timeout=45s --idle-timeout 1.5m
	    --retries=4 --benchmark="$A" --build true --benchmark-timeout 7 --samples 2 --every-iteration
	    --protect bench --prompt prompt --jobs 1 --run 1 --verbose' \
	    '--qui --runs=1 --iterations 2 --timeo 90m --iteration-t=45s --idle 1.5m --ret 4 --benchmark "$A"
	    --bui true --benchmark-t 7 --sa=2 --ev --prot=bench --prom prompt --j 1'; do
		eval "REHEARSAL=throttled run -75 ccre ${line//$'\n'/ } --output out --no-plugin \"\$PROJECT\" exp"
		[ "$(setting runs) $(setting iterations) $(setting timeout) $(setting iteration_timeout)" = '1 2 5400 45' ]
		[ "$(setting idle_timeout) $(setting benchmark_timeout) $(setting samples)" = '90 7 2' ]
		[ "$(setting every_iteration) $(setting benchmark) $(setting build) $(setting protect)" = "1 $A true bench" ]
		forget
	done
}

@test "options may stand anywhere, of a repeated one the last counts, benchmarks and paths add up" {
	project branch elsewhere
	snapshot
	REHEARSAL=throttled run -75 ccre -q -r 7 --no-plugin "$PROJECT" -r 1 exp -i 2 elsewhere -o "$OUT" \
	    -b "$A" -b 'b=echo runtime: 2ms' --protect bench --protect main.py
	[ "$(setting runs) $(setting iterations) $(setting baseline)" = '1 2 elsewhere' ]
	[ "$(setting benchmark)" = "$A"$'\nb=echo runtime: 2ms' ]
	[ "$(setting protect)" = $'bench\nmain.py' ]
}

# ---- words that are refused -------------------------------------------------

@test "a bad option is refused and named" {
	rejects 2 <<-'END'
		--bogus % experiment --bogus
		--bogus % experiment --bogus=1
		z % experiment -qz
		x % ccre --no-plugin "$PROJECT" exp -x
		--isolate % experiment --isolate
		--seed % experiment --seed 1
		--bench % experiment --bench 5
		--ver % experiment --ver
		--no-plugin % experiment --no-plugin=1
		--dry-run % experiment --dry-run=1
		--help % experiment --help=1
	END
}

@test "an option without its value is refused and named" {
	local option
	for option in -r -i -t -p -b -o -j --runs --iterations --timeout --iteration-timeout \
	    --idle-timeout --retries --prompt --benchmark --build --benchmark-timeout --samples \
	    --protect --output --jobs --run; do
		echo "$option % ccre --no-plugin \"\$PROJECT\" exp $option"
	done > options
	rejects 2 < options
}

@test "a bad number is refused and named" {
	rejects 2 <<-'END'
		--runs % experiment --runs 0
		--samples % experiment --samples 0
		99999999999 % experiment --retries 99999999999
		-1 % experiment --runs=-1
		1x % experiment -r 1x
		1.5 % experiment -i 1.5
		" 1" % experiment -r ' 1'
		0x10 % experiment -r 0x10
		--runs % experiment -r ''
		-1 % experiment --retries -1
		--jobs % experiment -j 0
		--run % experiment --run 0
		--run % experiment --run 2-
		--run % experiment --run=3-2
		--run % experiment --run 1-6
		x % experiment --run x
	END
}

@test "a bad TIME is refused and named" {
	local value
	for value in x 5w 1.2.3 -1 nan inf 0x10 1e3 1mm 5S '5 m' . m 99999999999d ''; do
		echo "'${value:---timeout}' % experiment --timeout='$value'"
	done > time-list
	cat >> time-list <<-'END'
		--iteration-timeout % experiment --iteration-timeout x
		--idle-timeout % experiment --idle-timeout inf
		--benchmark-timeout % experiment --benchmark-timeout ''
	END
	rejects 2 < time-list
}

@test "too few and too many operands are refused" {
	rejects 2 <<-'END'
		directory % ccre
		prefix % ccre --no-plugin "$PROJECT"
		prefix % ccre --no-plugin "$PROJECT" -- exp main
		excess % ccre --no-plugin "$PROJECT" exp main excess
		directory % at "$PROJECT" ccre --no-plugin '' exp
	END
}

# ---- directory, prefix and baseline ------------------------------------------

@test "a directory that is no work tree and a baseline that is no commit are refused" {
	git init -q fresh
	rejects 2 <<-'END'
		nowhere % ccre --no-plugin nowhere exp
		main.py % ccre --no-plugin "$PROJECT/main.py" exp
		"$HOME" % ccre --no-plugin "$HOME" exp
		.git % ccre --no-plugin "$PROJECT/.git" exp
		nosuch % ccre --no-plugin "$PROJECT" exp nosuch
		main:main.py % ccre --no-plugin "$PROJECT" exp main:main.py
		baseline % ccre --no-plugin "$PROJECT" exp ''
		main % ccre --no-plugin fresh exp
	END
}

@test "a link to a directory below the top means the whole work tree" {
	ln -s "$PROJECT/bench" link
	at link ccre -q --no-plugin -o "$OUT" -r 1 -i 1 . exp
	[ "$(setting directory)" = "$PROJECT" ]
	project cat-file -e exp-run-1-iteration-1:rehearsal.txt
}

@test "if there is no main the message names the branches that exist" {
	project branch -m trunk
	project branch other
	snapshot
	rejects 2 <<-'END'
		trunk % experiment
		other % experiment
		main % experiment
	END
	run -0 named exp trunk
}

@test "a baseline may be a tag, an id or any other name of a commit, and a branch goes before a tag" {
	project tag -a -m v1 v1
	project tag main "$BASE"
	echo newer >> "$PROJECT/main.py"
	project commit -qam newer
	snapshot
	local baseline
	for baseline in v1 "${BASE:0:9}" 'main@{1}' refs/tags/main; do
		run -0 ccre -n --no-plugin -o "$OUT" "$PROJECT" exp "$baseline"
		[[ $output == *"${BASE:0:9}"* ]]
	done
	named exp
	[ "$(project rev-parse exp-run-1-iteration-1^)" = "$(project rev-parse refs/heads/main)" ]
}

@test "a prefix that cannot begin branch names, files or cells is refused" {
	local prefix
	for prefix in 'a b' a..b =1 +7 .a a//b a/ /a 'a~1' 'a*b' a.lock/b; do
		echo "'$prefix' % named '$prefix'"
	done > prefixes
	cat >> prefixes <<-'END'
		prefix % named ''
		prefix % named "$(printf %0300d 1)"
		prefix % named "$(printf 'a\nb')"
	END
	rejects 2 < prefixes
}

@test "prefixes with digits, underscores, dots and slashes and of 100 characters work" {
	local prefix
	for prefix in _A.b-9/c "$(printf %0100d 1)"; do
		named "$prefix"
		project rev-parse -q --verify "refs/heads/$prefix-run-1-iteration-1"
		[ -s "$OUT/$prefix--iterations.csv" ]
	done
}

@test "a prefix whose branches clash with another branch's name is refused" {
	project branch a
	project branch exp-run-1-iteration-2/mine
	project pack-refs --all
	snapshot
	rejects 2 <<-'END'
		a % named a/b
		exp-run-1-iteration-2 % experiment
	END
}

@test "a branch of a run with a negative number is refused" {
	project branch exp-run--900000000-iteration-1
	snapshot
	rejects 2 <<-'END'
		exp-run--900000000-iteration-1 % experiment
	END
}

@test "a start with more runs that is refused changes no setting" {
	experiment -q -r 1 -i 1
	project branch exp-run-2-iteration-1
	snapshot
	rejects 2 <<-'END'
		exp-run-2-iteration-1 % experiment -r 2 -i 1
	END
	[ "$(setting runs)" = 1 ]
}

# ---- programs and places ------------------------------------------------------

@test "CC_CLAUDE is a name on PATH or a path from where the command is typed" {
	recorder
	with CC_CLAUDE=recorder experiment -q -r 1 -i 1
	[ "$(setting claude_path)" = "$PWD/bin/recorder" ]
	mv bin/recorder home/wrapper
	at home with CC_CLAUDE=./wrapper ccre -q --no-plugin -o "$OUT" -r 1 -i 1 "$PROJECT" two
	[ "$(calls)" = 2 ]
}

@test "a plugin directory that is none is refused" {
	touch file
	rejects 2 <<-'END'
		CC_PLUGIN_DIR % plugged
		--no-plugin % plugged
		CC_PLUGIN_DIR % with CC_PLUGIN_DIR= plugged
		/no/such % with CC_PLUGIN_DIR=/no/such plugged
		file % with CC_PLUGIN_DIR=file plugged
	END
}

@test "a prompt file that has no text is refused" {
	mkdir dir
	: > empty
	printf ' \n\t\r\n' > blank
	rejects 2 <<-'END'
		nowhere % experiment -p nowhere
		dir % experiment --prompt dir
		empty % experiment --prompt=empty
		blank % experiment --prompt blank
		--prompt % experiment --prompt ''
	END
}

@test "an output directory that is none or not writable is refused" {
	touch file
	mkdir shut
	chmod 555 shut
	unprivileged
	rejects 2 <<-'END'
		file % ccre --no-plugin -o file "$PROJECT" exp
		file/below % ccre --no-plugin -o file/below "$PROJECT" exp
		shut % ccre --no-plugin -o shut "$PROJECT" exp
		shut/in % ccre --no-plugin -o shut/in "$PROJECT" exp
	END
}

@test "a TMPDIR that is no directory or is inside the project is refused" {
	mkdir "$PROJECT/tmp"
	rejects 2 <<-'END'
		inside % with TMPDIR="$PROJECT/tmp" experiment -r 1 -i 1
	END
	rejects 1 <<-'END'
		TMPDIR % with TMPDIR=/no/such experiment -r 1 -i 1
		TMPDIR % with TMPDIR="$PROJECT/main.py" experiment -r 1 -i 1
	END
	rmdir "$PROJECT/tmp"
}

@test "the output directory is made where the command is typed, and results are in no commit" {
	at home ccre -q --no-plugin -r 1 -i 1 -o ../new/ "$PROJECT/bench" exp
	[ -s new/exp--iterations.csv ]
	at "$PROJECT" ccre -q --no-plugin -r 1 -i 2 . two
	[ -s "$PROJECT/benchmark-results/two--iterations.csv" ]
	[ "$(project ls-tree --name-only two-run-1-iteration-2 | paste -sd ' ')" = '.gitignore bench main.py rehearsal.txt' ]
	rm -r "$PROJECT/benchmark-results"
	snapshot
}

@test "root is refused without IS_SANDBOX=1, as claude refuses root" {
	[ "$(id -u)" -eq 0 ] || skip 'not root'
	rejects 2 <<-'END'
		IS_SANDBOX % with IS_SANDBOX=true experiment
		IS_SANDBOX % with IS_SANDBOX= experiment
		IS_SANDBOX % (unset IS_SANDBOX; experiment)
	END
}

# ---- --help, --version, --dry-run -------------------------------------------

@test "--help lists every option with its default in 80 columns" {
	local option
	ccre --help > stdout 2> stderr
	[ ! -s stderr ]
	run ! grep -E '.{81}' stdout
	for option in -r,--runs -i,--iterations -t,--timeout --iteration-timeout --idle-timeout --retries -p,--prompt \
	    --no-plugin -b,--benchmark --build --benchmark-timeout --samples --every-iteration --protect --benchmark-only \
	    -o,--output --run -j,--jobs -w,--wait -n,--dry-run -q,--quiet -v,--verbose -h,--help -V,--version; do
		grep -qE -e "^ +${option/,/, }([ =]|\$)" stdout || { echo "$option"; return 1; }
	done
	for option in 'runs.*5' 'iterations.*10' ' --timeout.*2h' 'iteration-timeout.*30m' 'idle-timeout.*20m' 'retries.*2' \
	    'benchmark-timeout.*10m' 'samples.*1' 'output.*benchmark-results'; do
		grep -qE -e "$option" stdout || { echo "$option"; return 1; }
	done
}

@test "--help and --version win over words that would be refused, and change nothing" {
	local words
	for words in --help -h '/no/such --help' '-r 7 -t 5m --help'; do
		eval "unchanged ccre $words"
		grep -q '^usage: cc-run-experiments' "$LOG/stdout"
	done
	unchanged ccre -V
	grep -qE '^cc-run-experiments [0-9]' "$LOG/stdout"
}

@test "output that cannot be written is an error with status 1" {
	[ -c /dev/full ] || skip 'no /dev/full'
	local words status
	for words in --help --version "--no-plugin -n $PROJECT exp" "-r1 -i1 --no-plugin -o $OUT $PROJECT exp"; do
		status=0
		eval "ccre $words" > /dev/full 2> stderr || status=$?
		echo "$words: status $status"
		[ "$status" -eq 1 ]
		[ -s stderr ]
	done
}

@test "--dry-run changes nothing and tells iterations, calls and hours at most, branches and commands" {
	unchanged experiment -n -r 2 -i 3 -t 2h --iteration-timeout 1h --retries 1 --build 'make all' -b 'a=first $1' -b b=second
	[ ! -s "$LOG/stderr" ]
	head -n 1 "$LOG/stdout" | grep -w 6
	head -n 2 "$LOG/stdout" | grep -w 12
	# Agent time: two runs of two hours, and six attempts of one hour that time
	# out. Measurements: two of each run, each of three commands of ten minutes.
	head -n 3 "$LOG/stdout" | grep -w '12\.0'
	[[ $(< "$LOG/stdout") == *exp-run-1-iteration-1*exp-run-2-iteration-3*'make all'*'first $1'*second* ]]
}

@test "--dry-run counts a setup for each measurement and each call" {
	# 4 measurements and 12 calls: 20 commands of ten minutes at most.
	experiment -n -r 2 -i 3 -t 2h --iteration-timeout 1h --retries 1 --setup 'make deps' -b b=second > plan
	grep -q 'hours: at most 13\.3: .* 3\.3 of measurements and setups' plan
}

@test "--dry-run tells what claude's --max-budget-usd allows all calls at most" {
	local words
	for words in '--max-budget-usd 0.5' --max-budget-usd=0.5; do
		# shellcheck disable=SC2086
		ccre -n --no-plugin -r 2 -i 3 --retries 1 "$PROJECT" exp -- $words > plan
		grep -q '^cost: at most about \$6\.00,' plan
	done
}

@test "--dry-run --benchmark-only tells nothing of claude and branches" {
	experiment -q -r 1 -i 3 -b "$A"
	run -0 experiment -n --benchmark-only -r 2 -i 3 -b "$A" -b b=second
	[[ $output == *second* ]]
	[[ $output != *claude* && $output != *exp-run* ]]
}

@test "--dry-run prints claude's command once, as it can be pasted, and the first prompt" {
	recorder
	ccre -n --no-plugin -r 2 -i 3 -o "$OUT" "$PROJECT" exp -- --model "it's" > plan
	[ "$(grep -c -e '--output-format stream-json' plan)" = 1 ]
	grep -q 'iteration 1 of 3 in run 1' plan
	sed -n '/--output-format stream-json/s/^[^/]*//p' plan > pasted
	echo hello > prompt
	sh pasted > transcript
	grep -q '"type":"result"' transcript
	[ "$(tail -n 2 arguments)" = $'--model\nit\'s' ]
	rm -f rehearsal.txt
}

@test "--dry-run refuses what a start would refuse" {
	REHEARSAL='success throttled' run -75 experiment -r 1 -i 2
	unchanged experiment -n -r 1 -i 2
	rejects 2 <<-'END'
		nosuch % ccre -n --no-plugin "$PROJECT" exp nosuch
		CC_PLUGIN_DIR % plugged --dry-run
		a..b % ccre -n --no-plugin "$PROJECT" a..b
		iterations % experiment -n -r 1 -i 3
		output % ccre -n --no-plugin --benchmark-only -b "$A" -o other "$PROJECT" exp
	END
}

# ---- what a person sees -----------------------------------------------------

@test "--verbose prints each command before it runs, as it can be pasted" {
	ccre -v --no-plugin -o "$OUT" -r 1 -i 1 --time 'a=echo "it'\''s printed"' "$PROJECT" exp -- --model "it's" > stdout 2> stderr
	grep -q ' commit-tree ' stderr
	grep -q -e "--model 'it'\\\\''s'" stderr
	sed -n 's/^+ \(.*sh -c\)/\1/p' stderr | head -n 1 | sh > pasted
	[ "$(tail -n 1 pasted)" = "it's printed" ]
}

@test "--quiet is silent when all is well" {
	run -0 experiment -q -r 1 -i 2 -b "$A" --build 'echo built' --protect bench
	[ -z "$output" ]
}

@test "--quiet hides neither why an experiment stopped nor a failure that is skipped" {
	REHEARSAL='crash rate-limit' run -75 --separate-stderr experiment -q -r 1 -i 2
	[[ $stderr == *'iteration 1'*failure*'rate limit'* ]]
	[ -z "$output" ]
}

@test "each event is a line with run, iteration, outcome, time, lines and cost" {
	REHEARSAL_EDIT='printf "a\nb\nc\n" > main.py' REHEARSAL='success crash rate-limit' \
	    run -75 --separate-stderr experiment -r 1 -i 3
	echo "$stderr"
	[[ $stderr =~ 'run 1/1 iteration 1/3: success after '[0-9.]+'s, 1 file +3 -1, $0.01' ]]
	[[ $stderr =~ 'run 1/1 iteration 2/3: failure after '[0-9.]+'s, '.*'something is broken' ]]
	[[ $stderr =~ 'run 1/1 iteration 3/3: rate limit after '[0-9.]+s ]]
	[[ $stderr != *[$'\r\e']* ]]
}

@test "the final table counts outcomes and has cost and speed-up of each run" {
	REHEARSAL_EDIT='echo fast > speed' REHEARSAL='success crash capped success' \
	    experiment -r 2 -i 2 -b 'a=if [ -e speed ]; then echo runtime: 40ms; else echo runtime: 100ms; fi' > stdout
	cat stdout
	[ "$(table 1 success) $(table 1 failure) $(table 2 success) $(table 2 capped)" = '1 1 1 1' ]
	[[ $(table 2 cost) =~ ^'$'?0\.0[23] ]]
	[[ $(table 1 a) =~ ^2\.50x ]]
}

@test "the final table names commands that show a run, as they can be pasted" {
	mv "$PROJECT" "it's a \$HOME"
	PROJECT=$PWD/"it's a \$HOME"
	snapshot
	experiment -r 1 -i 2 > stdout
	grep -oE '\bgit .*' stdout > commands
	sh -e commands > compared
	grep -q 'rehearsal.txt' compared
}

@test "no control character of claude's reaches the terminal, C1 in UTF-8 neither" {
	scene controls <<-'END'
	init; edit
	printf '{"type":"result","subtype":"success","is_error":true,"num_turns":2,"result":"a\302\2332Jb \\u009b2Jc \303\251\302\251"}\n'
	END
	REHEARSAL=$SCENE/controls run experiment -r 1 -i 1
	[[ $output == *$'a??2Jb ??2Jc \303\251\302\251'* ]]
}

# ---- exit statuses ----------------------------------------------------------

# ---- cron -------------------------------------------------------------------

@test "it works from cron's bare environment, and says nothing under -q" {
	run -0 env -i PATH=/usr/bin:/bin HOME="$HOME" IS_SANDBOX=1 TMPDIR="$TMPDIR" \
	    CC_CLAUDE="$CCRE_ROOT/contrib/rehearsal-claude" \
	    CC_TEST_ID="$BATS_TEST_TMPDIR" "$CCRE" -q --no-plugin -r 1 -i 1 -o "$OUT" "$PROJECT" exp < /dev/null
	[ -z "$output" ]
	[ "$(ledger outcome)" = success ]
}

@test "it works without PATH and HOME, and its commits have a name" {
	run -0 env -i IS_SANDBOX=1 CC_TEST_ID="$BATS_TEST_TMPDIR" TMPDIR="$TMPDIR" CC_CLAUDE="$CCRE_ROOT/contrib/rehearsal-claude" \
	    "$CCRE" -q --no-plugin -r 1 -i 1 -o "$OUT" "$PROJECT" exp
	[ "$(project log -1 --format=%an:%cn exp-run-1-iteration-1)" = cc-run-experiments:cc-run-experiments ]
}
