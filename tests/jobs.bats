# Several runs at once, several runners at once, locks and signals: design,
# sections 5, 7, 8 and 9.

# Each test is a process of its own (2030, 2031); scripts are for the agent to
# expand (2016); run sets output, status and lines (2154).
# shellcheck disable=SC2016,SC2030,SC2031,SC2154

load helper

ROWS=$BATS_TEST_TMPDIR/out/exp--iterations.csv
export MARKS=$BATS_TEST_TMPDIR/marks
mkdir -p "$MARKS"

# rows: run, iteration and outcome of each row, by run.
rows() {
	awk -F, 'NR > 1 { print $2 "/" $3, $5 }' "$ROWS" | sort | paste -sd ,
}

# begin ARGUMENT...: the program in the background, without the plugin and with
# what it says in the file said. $runner is its process id.
begin() {
	CC_TEST_ID=$BATS_TEST_TMPDIR "$CCRE" --no-plugin -o "$OUT" "$@" > said 2>&1 3>&- &
	runner=$!
}

# The scene "waits" makes marks/run-N when run N calls it, and works until
# marks/go is there.
waits() {
	scene waits <<-'END'
		init; edit; echo $$ > "$MARKS/run-$CC_RUN_EXPERIMENTS_RUN"
		until [ -e "$MARKS/go" ]; do sleep 0.1; done
		result false success Done.
	END
	export REHEARSAL=$SCENE/waits
}

# marks N: so many runs are at work.
marks() {
	local mark n=0
	for mark in marks/run-*; do
		[ ! -s "$mark" ] || n=$((n + 1))
	done
	[ $n = "$1" ]
}

# gone: nothing of ours is in TMPDIR but the lock of measurements.
gone() {
	[ "$(cd "$TMPDIR" && find . -type f)" = "./cc-run-experiments-$(id -u)/measure" ]
	[ -z "$(find "$TMPDIR"/cc-run-experiments-*/ -mindepth 1 -type d)" ]
}

# ---- many runs at once ----------------------------------------------------------

# picture PREFIX: what does not depend on times and ids.
picture() {
	project for-each-ref --format='%(refname) %(tree) %(subject)' "refs/heads/$1-*" \
	    "refs/cc-run-experiments/$1/run-*" | sed "s/$1/exp/"
	cut -d, -f2-7,13-23,25- "$OUT/$1--iterations.csv" | sort
	cut -d, -f2- "$OUT/$1--diffstats.csv" | sort
	(cd "$OUT" && ls) | sed -n "s/^$1--/exp--/p"
}

@test "the results of many at once are those of one after the other" {
	scene works <<-'END'
		case $prompt in
		*'iteration 1 of 2 in run 2'*) edit; api_error 529 Overloaded ;;
		esac
		init; echo "$prompt" | tail -n 4 >> work; result false success Done.
	END
	export REHEARSAL=$SCENE/works REHEARSAL_EDIT='echo x > work'
	ccre -q --no-plugin -o "$OUT" -j 1 -r 2 -i 2 "$PROJECT" alpha
	ccre -q --no-plugin -o "$OUT" -j 2 -r 2 -i 2 "$PROJECT" beta
	diff <(picture alpha) <(picture beta)
	[ "$(picture alpha | wc -l)" -gt 20 ]
}

@test "the first stop gives the exit status" {
	scene plays <<-'END'
		case $CC_RUN_EXPERIMENTS_RUN in
		1) until [ -e "$MARKS/two" ]; do sleep 0.1; done; api_error 401 'Invalid API key' ;;
		esac
		: > "$MARKS/two"; until grep -q denied "$OUT/exp--iterations.csv"; do sleep 0.1; done
		api_error 429 'Request rejected (429)'
	END
	REHEARSAL=$SCENE/plays run -77 experiment -j 2 -r 2 -i 3
	[ "$(rows)" = '1/1 denied,2/1 rate limit' ]
}

@test "a run that waits for a limit ends when another is denied" {
	scene plays <<-'END'
		case $CC_RUN_EXPERIMENTS_RUN in
		1) init; limit rejected 3600; result true success Limit ',"api_error_status":429'; exit 1 ;;
		esac
		until grep -q 'waiting for' "$MARKS/../said"; do sleep 0.1; done
		api_error 401 'Invalid API key'
	END
	export REHEARSAL=$SCENE/plays
	begin -w -j 2 -r 2 -i 1 "$PROJECT" exp
	ended 77 $runner
	[ "$(rows)" = '1/1 rate limit,2/1 denied' ]
}

# overlap: of the lines "agent+", "agent-", "bench+" and "bench-" in the file
# events, prints the most agents at once, and 1 if a benchmark had company.
overlap() {
	awk '
	    $1 == "agent+" { agents++; if (benches) bad = 1; if (agents > most) most = agents }
	    $1 == "agent-" { agents-- }
	    $1 == "bench+" { if (agents || benches) bad = 1; benches++ }
	    $1 == "bench-" { benches-- }
	    END { print most + 0, bad + 0 }' events
}

# events: the scene "works" and the benchmark $bench write them.
events() {
	export EVENTS=$BATS_TEST_TMPDIR/events
	bench='b=echo bench+ >> "$EVENTS"; sleep 0.05; echo bench- >> "$EVENTS"; echo runtime: 1ms'
	scene works <<-'END'
		init; echo agent+ >> "$EVENTS"; sleep 0.2; edit
		echo agent- >> "$EVENTS"; result false success Done.
	END
	export REHEARSAL=$SCENE/works
}

@test "no benchmark is measured while an agent of the experiment works" {
	events
	run -0 experiment -j 2 -r 2 -i 2 --every-iteration -b "$bench"
	[ "$(overlap)" = "2 0" ]
	[ "$(grep -c bench+ events)" = 6 ]
}

@test "no benchmark is measured while an agent of another experiment works" {
	events
	begin -r 1 -i 2 --every-iteration -b "$bench" "$PROJECT" one
	run -0 ccre --no-plugin -o "$OUT" -r 1 -i 2 --every-iteration -b "$bench" "$PROJECT" two
	ended 0 $runner
	[[ $(overlap) =~ \ 0$ ]]
	[ "$(grep -c bench+ events)" = 6 ]
}

# ---- --run and --benchmark-only ----------------------------------------------------

@test "--benchmark-only measures what lacks results, in the same random order each time" {
	local b='cat rehearsal.txt 2> /dev/null >> "$MARKS/order" || echo none >> "$MARKS/order"; echo runtime: 1ms'
	experiment -q -r 3 -i 1
	run -0 experiment --benchmark-only -r 3 -i 1 -b b="$b"
	[ "$(find "$OUT" -name '*--b.csv' | wc -l)" = 6 ]
	mv marks/order first
	rm "$OUT"/*--b.csv
	run -0 experiment --benchmark-only -r 3 -i 1 -b b="$b"
	cmp first marks/order
	[ "$(paste -sd , first)" != 'none,call 1,none,call 2,none,call 3' ]
	[ "$(calls)" = 3 ]
}

@test "--benchmark-only of nothing is refused" {
	run -2 experiment --benchmark-only -r 1 -i 1 --time b=true
	[[ $output == *exp* ]]
	[ ! -e "$ROWS" ]
}

@test "--benchmark-only without a benchmark is refused" {
	run -2 experiment --benchmark-only -r 1 -i 1
	[[ $output == *--time* ]]
	[ ! -e "$OUT" ]
}

# ---- who may work beside whom -----------------------------------------------------

# refused ARGUMENT...: another runner is at work, $runner or its child.
refused() {
	run -75 ccre --no-plugin "$@"
	[[ $output =~ process\ ([0-9]+) ]]
	[ "${BASH_REMATCH[1]}" = "$runner" ] || [ "$(ps -o ppid= -p "${BASH_REMATCH[1]}" | tr -d ' ')" = "$runner" ]
	[ "${#lines[@]}" = 1 ]
}

@test "a second start of the same prefix ends with 75 and names the process" {
	project worktree add -q --detach ../linked
	snapshot
	waits
	begin -r 1 -i 1 "$PROJECT" exp
	wait_until 20 marks 1
	refused -o "$OUT" -r 1 -i 1 "$PROJECT" exp	# the same command
	refused -o other -r 1 -i 1 "$PROJECT" exp	# another output directory
	refused -o other -r 1 -i 1 linked exp		# another work tree
	[ ! -e other ]
	: > marks/go
	ended 0 $runner
	[ "$(rows)" = '1/1 success' ]
	[ -f "$PROJECT/.git/cc-run-experiments.lock" ]
	[ ! -s "$PROJECT/.git/cc-run-experiments.lock" ]
}

@test "the same command twice at the same moment: one works, the other ends with 75" {
	waits
	local first one two going
	for first in 0 3; do
		begin -r 2 -j 2 -i 1 "$PROJECT" exp
		one=0 two=0
		[ "$first" = 0 ] || sleep "0.0$first"
		{ sleep 0.5; : > marks/go; } 3>&- &
		going=$!
		experiment -r 2 -j 2 -i 1 > other 2>&1 || two=$?
		wait $runner || one=$?
		wait $going
		echo "$one $two"
		cat said other
		[ "$((one + two))" = 75 ]
		[ "$(rows)" = '1/1 success,2/1 success' ]
		forget
		rm marks/*
	done
}

@test "other runs, other prefixes and other repositories work beside a runner, the same run does not" {
	git clone -q "$PROJECT" twin
	waits
	begin --run 1 -r 3 -i 1 "$PROJECT" exp
	wait_until 20 marks 1
	refused -o "$OUT" --run 1 -r 3 -i 1 "$PROJECT" exp
	refused -o "$OUT" -r 3 -i 1 "$PROJECT" exp
	export REHEARSAL=success
	run -0 experiment --run 2-3 -r 3 -i 1
	run -0 ccre --no-plugin -o "$OUT" -r 1 -i 1 "$PROJECT" other
	run -0 ccre --no-plugin -o twin-results -r 1 -i 1 twin exp
	: > marks/go
	ended 0 $runner
	[ "$(rows)" = '1/1 success,2/1 success,3/1 success' ]
	[ "$(wc -l < "$OUT/exp--diffstats.csv")" = 4 ]
}

@test "four processes can each make a run of one experiment at the same time" {
	local n pids=()
	for n in 1 2 3 4; do
		CC_TEST_ID=$BATS_TEST_TMPDIR "$CCRE" -q --no-plugin -o "$OUT" -r 4 -i 1 --run $n \
		    -b b='echo runtime: 1ms' "$PROJECT" exp > "said-$n" 2>&1 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
	cat said-*
	[ "$(ledger outcome | grep -c success)" = 4 ]
	[ "$(grep -c ^experiment_id "$ROWS")" = 1 ]
	[ "$(find "$OUT" -name '*--b.csv' | wc -l)" = 8 ]
	[ "$(wc -l < "$OUT/exp--diffstats.csv")" = 5 ]
	run -0 experiment -r 4 -i 1 -b b='echo runtime: 1ms'
	gone
}

# ---- killed with KILL --------------------------------------------------------------

@test "the parent killed with KILL: its children end their calls, and the next start waits for them" {
	waits
	sed -i '1s/^/trap "" INT; /' "$SCENE/waits"	# claude takes two seconds to end
	begin -j 2 -r 2 -i 1 "$PROJECT" exp
	wait_until 20 marks 2
	kill -KILL $runner
	wait $runner || :
	REHEARSAL=success run -0 experiment -j 2 -r 2 -i 1
	echo "$output"
	run ! alive "$(cat marks/run-1)"
	run ! alive "$(cat marks/run-2)"
	[ "$(rows)" = '1/1 interrupted,1/1 success,2/1 interrupted,2/1 success' ]
	gone
}

@test "a child killed with KILL ends the experiment with 1, and the other run counts" {
	waits
	begin -j 2 -r 2 -i 1 "$PROJECT" exp
	wait_until 20 marks 2
	kill -KILL "$(awk '{ print $4 }' "/proc/$(cat marks/run-1)/stat")"
	wait_until 20 grep -q '1.*kill\|kill.*1\|signal 9' said
	: > marks/go
	ended 1 $runner
	cat said
	[ "$(rows)" = '2/1 success' ]
	REHEARSAL=success run -0 experiment -j 2 -r 2 -i 1
	[ "$(rows)" = '1/1 interrupted,1/1 success,2/1 success' ]
	gone
}

@test "parent and child killed with KILL: the next start ends their agent and removes their copy" {
	waits
	begin -r 1 -i 1 "$PROJECT" exp
	wait_until 20 marks 1
	local child agent dir
	agent=$(cat marks/run-1)
	dir=$(readlink "/proc/$agent/cwd")
	child=$(awk '{ print $4 }' "/proc/$agent/stat")
	kill -STOP "$child"
	kill -KILL $runner "$child"
	wait $runner || :
	: > "$dir/left.txt"
	REHEARSAL=commit run -0 experiment -r 1 -i 1
	run ! alive "$agent"
	[ "$(rows)" = '1/1 interrupted,1/1 success' ]
	run ! project cat-file -e exp-run-1-iteration-1:left.txt
	gone
}

# ---- signals ---------------------------------------------------------------------

@test "a signal ends all runs, keeps their work apart, and the last line says how to go on" {
	waits
	begin -j 2 -r 3 -i 2 "$PROJECT" exp
	wait_until 20 marks 2
	kill -HUP $runner
	ended 129 $runner
	cat said
	[[ $(grep -v '^$' said | tail -n 1) == *'interrupted: repeat the command to continue'* ]]
	[ "$(rows)" = '1/1 interrupted,2/1 interrupted' ]
	[ "$(project show refs/cc-run-experiments/exp/run-2/iteration-1/attempt-1:rehearsal.txt | wc -l)" = 1 ]
	gone
}

@test "TERM ends a wait for a rate limit" {
	export REHEARSAL=rate-limit
	begin -w -r 1 -i 1 "$PROJECT" exp
	wait_until 20 grep -q 'waiting for' said
	kill -TERM $runner
	ended 143 $runner
	[ "$(rows)" = '1/1 rate limit' ]
	gone
}

@test "TERM ends a wait for an agent that works elsewhere" {
	waits
	begin -r 1 -i 1 "$PROJECT" exp
	wait_until 20 marks 1
	local first=$runner
	mv said first
	begin -r 1 -i 1 -b b='echo runtime: 1ms' "$PROJECT" two
	wait_until 20 grep -q wait said
	kill -TERM $runner
	ended 143 $runner
	: > marks/go
	ended 0 $first
}
