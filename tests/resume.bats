# The ledger, the files beside it, and the same command again: design, sections
# 2 and 8.

# Each test is a process of its own (2030, 2031); scripts are for the agent to
# expand (2016); run sets output, status and lines (2154).
# shellcheck disable=SC2016,SC2030,SC2031,SC2154

load helper

LEDGER=experiment_id,run_id,iteration_id,attempt,outcome,finished,exit_status,
LEDGER+=started_at,duration_seconds,charged_seconds,base_commit,commit,
LEDGER+=files_changed,total_added,total_removed,md_added,md_removed,num_turns,
LEDGER+=cost_usd,input_tokens,output_tokens,cache_read_tokens,
LEDGER+=cache_creation_tokens,session_id,model,claude_version,survivors,
LEDGER+=protected_touched
DIFFSTATS=experiment_id,run_id,iteration_id,src_added,src_removed,md_added,
DIFFSTATS+=md_removed,total_added,total_removed
SAMPLES=experiment_id,run_id,iteration_id,outer_iteration_id,runtime_us
ROWS=$BATS_TEST_TMPDIR/out/exp--iterations.csv
SETTINGS=$BATS_TEST_TMPDIR/out/exp--experiment.csv
export VICTIM=$BATS_TEST_TMPDIR/victim

tip() {		# tip RUN ITERATION: its branch
	echo "exp-run-$1-iteration-$2"
}

# rows: run, iteration and outcome of each row.
rows() {
	awk -F, 'NR > 1 { print $2 "/" $3, $5 }' "$ROWS"
}

# stops_at N: an experiment of N iterations that a rate limit has stopped in the
# last one; that attempt has left no work.
stops_at() {
	last=$1
	REHEARSAL="$([ "$1" = 2 ] || echo success) success throttled" run -75 experiment -r 1 -i "$last"
	rm "$REHEARSAL_STATE"
}

# goes_on: the same command again finishes it.
goes_on() {
	run -0 experiment -r 1 -i "$last"
	echo "$output"
}

# ---- the files ----------------------------------------------------------------

@test "the files of an experiment have the promised names, and transcripts and logs are private" {
	(umask 027 && experiment -q -r 1 -i 1 -b fast='echo runtime: 5ms' --build true)
	[ "$(cd "$OUT" && stat -c '%a %n' -- *)" = '640 exp--diffstats.csv
640 exp--experiment.csv
640 exp--iterations.csv
600 exp--run-1--iteration-0--build.log
640 exp--run-1--iteration-0--fast.csv
600 exp--run-1--iteration-0--fast.log
600 exp--run-1--iteration-1--attempt-1.err
600 exp--run-1--iteration-1--attempt-1.jsonl
600 exp--run-1--iteration-1--build.log
640 exp--run-1--iteration-1--fast.csv
600 exp--run-1--iteration-1--fast.log' ]
}

@test "ledger, diffstats and samples are exact, in any time zone and locale" {
	REHEARSAL_EDIT='echo 1 >> a.md; echo 2 >> b' TZ=XYZ+5 LC_ALL=de_DE.UTF-8 experiment -q -r 1 -i 1 -b fast='echo runtime: 5ms'
	[ "$(head -n 1 "$ROWS")" = "$LEDGER" ]
	local row="^exp,1,1,1,success,1,0,20[^,]+Z,[0-9]+\.[0-9]+,[0-9]+\.[0-9]+,$BASE,[0-9a-f]{40},2,2,0,1,0,3,0\.0125,"
	row+='101,42,303,204,00000000-0000-4000-8000-000000000001,rehearsal,2\.1\.[0-9]+,0,$'
	[[ $(tail -n 1 "$ROWS") =~ $row ]]
	[ $(($(date +%s) - $(date -d "$(ledger started_at)" +%s))) -lt 600 ]
	printf '%s\n' "$DIFFSTATS" exp,1,1,1,0,1,0,2,0 | cmp - "$OUT/exp--diffstats.csv"
	printf '%s\n' "$SAMPLES" exp,1,0,1,5000 | cmp - "$OUT/exp--run-1--iteration-0--fast.csv"
}

@test "base_commit and commit are what the branches and the attempt refs are" {
	REHEARSAL='success overloaded success' experiment -q -r 1 -i 3
	[ "$(ledger commit)" = "$(project rev-parse "$(tip 1 1)" \
	    refs/cc-run-experiments/exp/run-1/iteration-2/attempt-1 "$(tip 1 3)")" ]
	[ "$(ledger base_commit)" = "$BASE"$'\n'"$(project rev-parse "$(tip 1 1)" "$(tip 1 2)")" ]
}

@test "diffstats are what the branches hold, and are made from the ledger" {
	REHEARSAL='success overloaded success' experiment -q -r 1 -i 3
	cut -d, -f3,8 "$OUT/exp--diffstats.csv" | sed 1d | paste -sd ' ' | grep -x '1,1 2,0 3,1\|1,1 3,1'
	mv "$OUT/exp--diffstats.csv" before
	experiment -q -r 1 -i 3
	cmp before "$OUT/exp--diffstats.csv"
}

@test "experiment.csv has what defines the experiment" {
	printf 'Be "fast",\nplease.\n' > prompt
	ccre -q --no-plugin -o "$OUT" -r 1 -i 2 -t 90m -p prompt --build 'echo "b, c"' -b b='echo runtime: 1ms' \
	    --protect bench --protect main.py "$PROJECT" exp -- --model 'op us'
	[ "$(head -n 1 "$SETTINGS")" = key,value ]
	local line
	for line in baseline,main "baseline_commit,$BASE" iterations,2 timeout,5400 \
	    'build,"echo ""b, c"""' 'benchmark,b=echo runtime: 1ms' \
	    protect,bench protect,main.py 'prompt,"Be ""fast"",' "claude_arguments,--model 'op us'"; do
		grep -qxF -e "$line" "$SETTINGS" || { echo "$line"; cat "$SETTINGS"; return 1; }
	done
}

@test "a slash in the prefix makes a folder, commas and quotes are quoted and read again" {
	local prefix='arm/a,b"c'
	REHEARSAL='success throttled' run -75 ccre --no-plugin -o "$OUT" -r 1 -i 2 "$PROJECT" "$prefix"
	[ "$(ls "$OUT")" = arm ]
	grep -q '^"arm/a,b""c",1,1,1,success,' "$OUT/$prefix--iterations.csv"
	run -0 ccre --no-plugin -o "$OUT" -r 1 -i 2 "$PROJECT" "$prefix"
	[ "$(wc -l < "$OUT/$prefix--iterations.csv")" = 4 ]
}

# ---- the same command again ------------------------------------------------------

@test "the same command goes on at the first missing iteration, without ignored files of before" {
	REHEARSAL_EDIT='[ ! -e a.o ] && echo $call > work; echo x > a.o' \
	    REHEARSAL='success rate-limit success' run -75 experiment -r 2 -i 2
	REHEARSAL_EDIT='[ ! -e a.o ] && echo $call > work' run -0 experiment -r 2 -i 2
	[ "$(rows | paste -sd ,)" = '1/1 success,1/2 rate limit,1/2 success,2/1 success,2/2 success' ]
	[ "$(ledger attempt | paste -sd ' ')" = '1 1 2 1 1' ]
	[ "$(project rev-parse "$(tip 1 2)^")" = "$(project rev-parse "$(tip 1 1)")" ]
	[ "$(project show "$(tip 1 2):work")" = 3 ]
}

@test "the time that was charged before counts" {
	REHEARSAL='success throttled' run -75 quick -r 1 -i 3 -t 100
	sed -i '2s/\(Z,[^,]*\),[^,]*,/\1,99.500,/' "$ROWS"
	run -0 quick -r 1 -i 3 -t 100
	[ "$(rows | paste -sd ,)" = '1/1 success,1/2 rate limit' ]
	[ "$(calls)" = 2 ]
}

@test "a finished experiment says so, shows its table, calls nothing and is silent under -q" {
	experiment -r 2 -i 1 -b b='echo runtime: 1ms' > table
	cp -a "$OUT" before
	experiment -r 2 -i 1 -b b='echo runtime: 1ms' > again 2> said
	grep -q finished said
	cmp table again
	run -0 experiment -q -r 2 -i 1 -b b='echo runtime: 1ms'
	[ -z "$output" ]
	[ "$(calls)" = 2 ]
	diff -r before "$OUT"
}

@test "benchmarks that have results are not executed again, those that lack them are" {
	local b='echo x >> "$BATS_TEST_TMPDIR/b"; echo runtime: 1ms'
	export BATS_TEST_TMPDIR
	experiment -q -r 1 -i 2 --every-iteration -b b="$b"
	rm "$OUT/exp--run-1--iteration-0--b.csv"
	run -0 experiment -r 1 -i 2 --every-iteration -b b="$b"
	[ "$(wc -l < b)" = 4 ]
	[ "$(wc -l < "$OUT/exp--run-1--iteration-0--b.csv")" = 2 ]
	[ "$(calls)" = 2 ]
}

# ---- settings that must agree ------------------------------------------------------

@test "as long as the ledger has no row a start may correct its settings" {
	run -1 experiment -r 1 -i 3 -b b='exit 1'
	run -0 experiment -r 1 -i 1 -b b='echo runtime: 1ms'
	[ "$(grep -c '^iterations,' "$SETTINGS")" = 1 ]
	grep -qx iterations,1 "$SETTINGS"
	grep -q ,1000 "$OUT/exp--run-1--iteration-0--b.csv"
}

@test "a setting that differs is refused with its key, the old and the new value" {
	experiment -q -r 1 -i 1 -b b='echo runtime: 1ms'
	cp -a "$OUT" before
	local key old new option
	while read -r key old new option; do
		eval "run experiment -r 1 -i 1 -b b='echo runtime: 1ms' $option"
		echo "$option: $status: $output"
		[ "$status" = 2 ]
		[ "${#lines[@]}" = 1 ]
		[[ $output == *exp*"$key"* && $output == *"$old"* && $output == *"$new"* ]]
	done <<-'END'
		iterations 1 2 -i 2
		timeout 7200 10800 -t 3h
		iteration_timeout 1800 60 --iteration-timeout 1m
		idle_timeout 1200 540 --idle-timeout 9m
		benchmark_timeout 600 60 --benchmark-timeout 1m
		samples 1 2 --samples 2
		build build true --build true
		every_iteration 0 1 --every-iteration
		protect protect main.py --protect main.py
	END
	diff -r before "$OUT"
}

@test "another benchmark command, prompt, plugin or argument for claude is refused in one line" {
	mkdir -p plug/skills
	echo 'Be fast.' > prompt
	echo 'Be good.' > other
	REHEARSAL='success throttled' run -75 experiment -r 1 -i 2 -p prompt -b b='echo runtime: 1ms'
	refused() {
		run -2 ccre -o "$OUT" -r 1 -i 2 "${@:2}"
		echo "$output"
		[[ $output == *$1* ]]
		[ "${#lines[@]}" = 1 ]
	}
	refused 'benchmark*1ms*2ms' --no-plugin -p prompt -b b='echo runtime: 2ms' "$PROJECT" exp
	refused 'benchmark*1ms' --no-plugin -p prompt "$PROJECT" exp
	refused 'claude_arguments*--model' --no-plugin -p prompt -b b='echo runtime: 1ms' "$PROJECT" exp -- --model x
	refused 'prompt*Be fast*Be good' --no-plugin -p other -b b='echo runtime: 1ms' "$PROJECT" exp
	CC_PLUGIN_DIR=plug refused 'plugin_directory*plug' -p prompt -b b='echo runtime: 1ms' "$PROJECT" exp
}

@test "runs may grow but not shrink" {
	experiment -q -r 1 -i 1
	run -0 experiment -r 2 -i 1
	[ "$(rows | paste -sd ,)" = '1/1 success,2/1 success' ]
	grep -qx runs,2 "$SETTINGS"
	run -2 experiment -r 1 -i 1
	[[ $output == *runs*2*1* ]]
}

@test "jobs, runs to make, retries, waiting and verbosity may differ" {
	stops_at 2
	run -0 experiment -q -r 1 -i "$last" -j 2 --run 1 --retries 7 -w
}

@test "a baseline that has moved is told, and the recorded commit stays" {
	REHEARSAL='throttled' run -75 experiment -r 1 -i 1
	echo newer > "$PROJECT/main.py"
	project commit -qam newer
	BASE=$(project rev-parse main)
	snapshot
	run -0 experiment -r 1 -i 1
	[[ $output == *main*moved* ]]
	[ "$(project rev-parse "$(tip 1 1)^")" = "$(project rev-parse main^)" ]
}

@test "a plugin whose commit or content has changed is told, with -dirty for what is not committed" {
	mkdir -p plugin/.claude-plugin
	echo '{"name":"rehearsed"}' > plugin/.claude-plugin/plugin.json
	git init -q plugin
	git -C plugin add -A
	git -C plugin commit -qm plugin
	REHEARSAL=throttled CC_PLUGIN_DIR=$PWD/plugin run -75 ccre -o "$OUT" -r 1 -i 1 "$PROJECT" exp
	echo >> plugin/.claude-plugin/plugin.json
	CC_PLUGIN_DIR=$PWD/plugin run -0 ccre -o "$OUT" -r 1 -i 1 "$PROJECT" exp
	local commit
	commit=$(git -C plugin rev-parse HEAD)
	[[ $output == *"plugin_commit $commit, now it is $commit-dirty"* ]]
	grep -x "plugin_commit,$commit" "$SETTINGS"
}

# ---- branches and refs follow the ledger ---------------------------------------------

@test "a branch or an attempt ref of a run's last row that is missing is made" {
	stops_at 3
	local commit ref=refs/cc-run-experiments/exp/run-1/iteration-3/attempt-1
	commit=$(project rev-parse "$(tip 1 2)")
	sed -i '$d' "$ROWS"
	rm "$OUT"/exp--run-1--iteration-3--*
	project update-ref -d "refs/heads/$(tip 1 2)"
	REHEARSAL=rate-limit run -75 experiment -r 1 -i "$last"
	[ "$(project rev-parse "$(tip 1 2)")" = "$commit" ]
	project update-ref -d $ref
	goes_on
	[ "$(project rev-parse $ref)" = "$(ledger commit | sed -n 3p)" ]
}

@test "a branch of the last row that is somewhere else stays there" {
	experiment -q -r 1 -i 1
	local mine
	mine=$(project commit-tree -p "$(tip 1 1)" -m mine 'main^{tree}')
	project update-ref "refs/heads/$(tip 1 1)" "$mine"
	run -0 experiment -r 1 -i 1
	[ "$(project rev-parse "$(tip 1 1)")" = "$mine" ]
}

@test "a branch that somebody makes while its iteration is at work stays there, with a warning" {
	scene busy <<-'END'
		init; git -C "$PROJECT" branch exp-run-1-iteration-1 main; edit
		result false success Done.
	END
	REHEARSAL="$SCENE/busy success" run -0 experiment -r 1 -i 2
	[ "$(project rev-parse "$(tip 1 1)")" = "$BASE" ]
	[[ $output == *"$(tip 1 1)"*"$(ledger commit | head -n 1)"* ]]
	[ "$(project rev-parse "$(tip 1 2)^")" = "$(ledger commit | head -n 1)" ]
}

@test "branches and attempt refs that the user deleted stay deleted" {
	last=3
	REHEARSAL='overloaded success throttled' run -75 experiment -r 1 -i 3
	project update-ref -d "refs/heads/$(tip 1 1)"
	project update-ref -d refs/cc-run-experiments/exp/run-1/iteration-1/attempt-1
	goes_on
	[ "$(project for-each-ref --format='%(refname:lstrip=2)' refs/heads/exp-\* \
	    refs/cc-run-experiments/exp/run-1 | paste -sd ' ')" = \
	    "$(tip 1 2) $(tip 1 3)" ]
}

@test "a run whose last kept commit is missing goes on from the one before, with a warning" {
	stops_at 3
	local commit
	commit=$(project rev-parse "$(tip 1 2)")
	project update-ref -d "refs/heads/$(tip 1 2)"
	rm -f "$PROJECT/.git/objects/${commit:0:2}/${commit:2}"
	goes_on
	[[ $output == *"${commit:0:7}"* ]]
	project merge-base --is-ancestor "$(tip 1 1)" "$(tip 1 3)"
	project fsck --connectivity-only "$(tip 1 3)"
}

@test "a run whose last branch lacks objects goes on from the one before, and the branch is deleted" {
	local what object
	for what in '' '^{tree}' ':rehearsal.txt'; do
		forget
		stops_at 3
		object=$(project rev-parse "$(tip 1 2)$what")
		rm -f "$PROJECT/.git/objects/${object:0:2}/${object:2}"
		goes_on
		project merge-base --is-ancestor "$(tip 1 1)" "$(tip 1 3)"
		project fsck --no-dangling
	done
}

@test "a checked-out branch of a finished iteration is not moved, one of an unfinished iteration is refused" {
	stops_at 2
	project worktree add -q ../beside "$(tip 1 1)" 2> /dev/null
	git -C beside checkout -q --orphan "$(tip 1 2)"
	run -2 experiment -r 1 -i "$last"
	[[ $output == *"$(tip 1 2)"* ]]
	git -C beside checkout -q -f "$(tip 1 1)"
	goes_on
	[ -z "$(git -C beside status --porcelain)" ]
	snapshot
}

@test "branches and refs of the prefix that the ledger does not know are refused" {
	stops_at 2
	local ref
	for ref in "refs/heads/$(tip 1 3)" "refs/heads/$(tip 2 1)" refs/cc-run-experiments/exp/run-1/iteration-1/attempt-9; do
		project update-ref "$ref" main
		run -2 experiment -r 1 -i "$last"
		echo "$output"
		[[ $output == *"${ref#refs/heads/}"*"$OUT"*prefix* ]]
		project update-ref -d "$ref"
	done
	run -2 ccre --no-plugin -o other -r 1 -i "$last" "$PROJECT" exp	# no ledger there
	[[ $output == *exp*other*prefix* ]]
	[ "$(calls)" = 0 ]
	goes_on
}

@test "branches that only look like those of the prefix are in nobody's way" {
	local name
	for name in exp exp-run-x exp-run-1-best exp-run-1-iteration-1x exp-run-1-iteration- exper-run-1-iteration-1; do
		project branch "$name"
	done
	snapshot
	run -0 experiment -r 1 -i 1
	run -0 ccre --no-plugin -o "$OUT" -r 1 -i 1 "$PROJECT" exp-run-2
	run -0 experiment -r 1 -i 1
}

@test "a lock that a killed git left on a ref of ours stops nothing" {
	mkdir -p "$PROJECT/.git/refs/cc-run-experiments/exp"
	: > "$PROJECT/.git/refs/heads/$(tip 1 1).lock"
	: > "$PROJECT/.git/refs/cc-run-experiments/exp/baseline.lock"
	run -0 experiment -r 1 -i 1
	project rev-parse -q --verify refs/cc-run-experiments/exp/baseline
}

# ---- transcripts without a row, torn and foreign ledgers --------------------------------

@test "a transcript without a row gets one: interrupted, with the cost of its result if there is one" {
	stops_at 2
	sed -i '$d' "$ROWS"
	REHEARSAL=throttled run -75 experiment -r 1 -i "$last"
	sed -i '$d' "$ROWS" "$OUT/exp--run-1--iteration-2--attempt-2.jsonl"
	goes_on
	[ "$(rows | head -n 4 | paste -sd ,)" = '1/1 success,1/2 interrupted,1/2 interrupted,1/2 success' ]
	[ "$(ledger cost_usd | sed -n 2,3p | paste -sd ,)" = 0.0125, ]
	[ "$(ledger attempt | paste -sd ' ')" = '1 1 2 3' ]
	[ "$(ledger finished | paste -sd ' ')" = '1 0 0 1' ]
}

@test "a torn last row, or zeros after a power failure, are cut with a word about it" {
	stops_at 3
	cp "$ROWS" whole
	local row cut
	row=$(tail -n 1 whole | wc -c)
	for cut in 1 $((row / 2)) zeros; do
		cp whole "$ROWS"
		if [ "$cut" = zeros ]; then truncate -s +100 "$ROWS"; else truncate -s -"$cut" "$ROWS"; fi
		REHEARSAL=throttled run -75 experiment -r 1 -i "$last"
		echo "$cut: $output"
		[ "$(rows | head -n 2 | paste -sd ,)" = '1/1 success,1/2 success' ]
		[ "$(awk -F, 'NF != 28' "$ROWS" | wc -l) $(tr -cd '\0' < "$ROWS" | wc -c)" = '0 0' ]
		[[ $output == *cut* ]]
	done
}

@test "a row that another runner left incomplete is cut before the next row" {
	rm bin/claude
	cat > bin/claude <<-'END'
	#!/bin/sh
	printf 'exp,1,1' >> "$OUT/exp--iterations.csv"
	exec "$CCRE_ROOT/contrib/rehearsal-claude" "$@"
	END
	chmod +x bin/claude
	run -0 experiment -r 1 -i 2
	[[ $output == *cut* ]]
	[ "$(rows | paste -sd ,)" = '1/1 success,1/2 success' ]
}

@test "a ledger of another kind is refused in one line and left as it is" {
	stops_at 2
	local change
	cp "$ROWS" good
	for change in '1s/attempt,/try,/' 's/$/\r/' '1s/^/\xef\xbb\xbf/' '1s/finished,//' '2s/success/splendid/' \
	    '2s/$/,more/' '2s/^exp,1/exp,x/' '2s/^exp/other/' 2p '2s/^exp,1,1/exp,1,2/' \
	    "2s/,rehearsal,/,$(printf %0300d 1),/"; do
		sed "$change" good > "$ROWS"
		cp "$ROWS" bad
		run -2 experiment -r 1 -i "$last"
		echo "$change: $output"
		[ "${#lines[@]}" = 1 ]
		[[ $output == *"$ROWS"* ]]
		cmp bad "$ROWS"
	done
}

# ---- links and other things in the place of results ---------------------------------------

# in_place KIND FILE: something else is in the place of that file.
in_place() {
	rm -rf "$2"
	case $1 in
	link) ln -s "$VICTIM" "$2" ;;
	nowhere) ln -s "$VICTIM.new" "$2" ;;
	FIFO) mkfifo "$2" ;;
	directory) mkdir "$2"; : > "$2/x" ;;
	esac
}

@test "a ledger or settings that are a link, a FIFO or a directory are refused" {
	local kind file
	stops_at 2
	cp -a "$OUT" before
	cp "$ROWS" victim
	for file in "$ROWS" "$SETTINGS"; do
		for kind in link nowhere FIFO directory; do
			in_place $kind "$file"
			run experiment -r 1 -i "$last"
			echo "$kind $file: $status: $output"
			[ "$status" = 1 ] || [ "$status" = 2 ]
			cmp victim before/exp--iterations.csv
			[ ! -e victim.new ]
			rm -rf "$OUT"
			cp -a before "$OUT"
		done
	done
	[ "$(calls)" = 0 ]
}

@test "a link, a FIFO or a directory in the place of a transcript or log is not written through" {
	export KIND FILE REPLACE=$BATS_TEST_TMPDIR/replace	# dash drops exported functions
	{ declare -f in_place; echo 'in_place "$@" && : > "$REPLACE.done"'; } > "$REPLACE"
	echo precious > victim
	while read -r KIND FILE; do
		FILE=$OUT/exp--run-1--iteration-2--$FILE
		REHEARSAL_EDIT='bash "$REPLACE" $KIND "$FILE"; echo $call > work' run experiment -r 1 -i 2 -b b='echo runtime: 1ms'
		echo "$KIND $FILE: $status: $output"
		rm "$REPLACE.done"
		[ "$status" = 0 ] || [ "$status" = 1 ]
		[ "$(cat victim)" = precious ]
		[ ! -e victim.new ]
		forget
	done <<< $'link attempt-1.jsonl\nnowhere attempt-1.err\nFIFO attempt-1.jsonl\ndirectory b.log'
}

@test "what an agent puts in the place of the samples is replaced, or the runner ends with 1" {
	local what
	echo precious > victim
	export FILE=$OUT/exp--run-1--iteration-1--b.csv
	for what in 'ln -s "$VICTIM" "$FILE"' 'ln -s "$VICTIM.new" "$FILE"' 'mkfifo "$FILE"' 'mkdir -p "$FILE/x"'; do
		REHEARSAL_EDIT="$what; echo x > work" run experiment -r 1 -i 1 -b b='echo runtime: 1ms'
		echo "$what: $status: $output"
		[ "$status" = 1 ] || [ "$(stat -c %F "$FILE") $(tail -n 1 "$FILE")" = 'regular file exp,1,1,1,1000' ]
		[[ $what != mkdir* || $output == *"$FILE"* ]]
		[ "$(cat victim)" = precious ]
		[ ! -e victim.new ]
		forget
	done
}

@test "a FIFO or link that an agent has left as the next transcript does not stop the next start" {
	local kind
	for kind in link nowhere FIFO directory; do
		stops_at 2
		in_place $kind "$OUT/exp--run-1--iteration-2--attempt-2.jsonl"
		goes_on
		[ "$(ledger outcome | paste -sd ,)" = 'success,rate limit,interrupted,success' ]
		forget
	done
}

@test "the row of a transcript that is no file has nothing of the transcript before it" {
	stops_at 2
	sed -i '$d' "$ROWS"
	in_place FIFO "$OUT/exp--run-1--iteration-2--attempt-2.jsonl"
	goes_on
	[ "$(ledger outcome | paste -sd ,)" = 'success,interrupted,interrupted,success' ]
	[ -n "$(ledger session_id | sed -n 2p)" ]
	[ -z "$(ledger session_id | sed -n 3p)" ]
}

@test "an output directory or a ledger that was replaced is noticed at the end" {
	local what
	for what in 'mv "$OUT" "$OUT.away"; mkdir "$OUT"' 'mv "$OUT" "$OUT.away"; ln -s "$OUT.away" "$OUT"' \
	    'cp "$OUT/exp--iterations.csv" x; mv x "$OUT/exp--iterations.csv"' 'ln -sf "$VICTIM" "$OUT/exp--iterations.csv"'; do
		REHEARSAL_EDIT="[ \$call = 1 ] || { $what; }; echo \$call > work" run -1 experiment -r 1 -i 2
		echo "$what: $output"
		[[ $output == *"$OUT"* ]]
		[ ! -e victim ]
		forget
		rm -rf "$OUT.away"
	done
}

@test "a folder of the prefix that becomes a link leads no result elsewhere" {
	mkdir away
	REHEARSAL_EDIT='mv "$OUT/a" "$OUT/b"; ln -s "$BATS_TEST_TMPDIR/away" "$OUT/a"; echo $call > work' \
	    BATS_TEST_TMPDIR=$BATS_TEST_TMPDIR run -1 ccre --no-plugin -o "$OUT" -r 1 -i 2 -b b='echo runtime: 1ms' "$PROJECT" a/exp
	[ -z "$(ls -A away)" ]
}

@test "a disk that is full is told, ends with 1, and leaves no half row" {
	local prefix program=$CCRE
	prefix=$(printf %0120d 1)
	printf '#!/bin/sh\nulimit -f 4\nexec "%s" "$@"\n' "$CCRE" > limit
	chmod +x limit
	CCRE=$PWD/limit REHEARSAL=nothing run -1 ccre --no-plugin -o "$OUT" -r 1 -i 7 "$PROJECT" "$prefix"
	echo "$output"
	[ "$(awk -F, 'NF != 28' "$OUT/$prefix--iterations.csv" | wc -l)" = 0 ]
	[ -z "$(tail -c 1 "$OUT/$prefix--iterations.csv")" ]
	CCRE=$program REHEARSAL=nothing run -0 ccre --no-plugin -o "$OUT" -r 1 -i 7 "$PROJECT" "$prefix"
	[ "$(grep -c success "$OUT/$prefix--iterations.csv")" = 7 ]
}

# ---- killed with KILL -----------------------------------------------------------------

# disturbed: what follows starts the program by a script that notes its process
# id, and the Nth process of git or claude that KILL_AT names kills it.
disturbed() {
	local real
	real=$(command -v git)
	export MARKS=$BATS_TEST_TMPDIR/marks
	mkdir -p "$MARKS"
	printf '#!/bin/sh\necho $$ > "$MARKS/pid"\n echo 0 > "$MARKS/count"\nexec "%s" "$@"\n' "$CCRE" > disturbed
	printf '#!/bin/sh\n. "%s"\nexec %s "$@"\n' "$PWD/count" "$real" > bin/git
	printf '#!/bin/sh\n[ "$1" = --version ] || . "%s"\nexec sh "%s" "$@"\n' "$PWD/count" \
	    "$CCRE_ROOT/contrib/rehearsal-claude" > claude.new
	rm bin/claude
	mv claude.new bin/claude
	cat > count <<-'END'
		read n < "$MARKS/count"; n=$((n + 1)); echo $n > "$MARKS/count"
		[ $n != "${KILL_AT-}" ] || kill -KILL "$(cat "$MARKS/pid")"
	END
	chmod +x disturbed bin/git bin/claude
	CCRE=$PWD/disturbed
	scene plays <<-'END'
		case $prompt in
		*'iteration 1 of 2'*) echo bad > work; api_error 529 Overloaded ;;
		esac
		init; echo x >> work; result false success Done.
	END
}

# two: the experiment that is disturbed.
two() {
	REHEARSAL=$SCENE/plays experiment -r 1 -i 2 -b b='echo runtime: 1ms' > said 2>&1
}

# picture: what must be the same, whatever happened.
picture() {
	project for-each-ref --format='%(refname) %(tree)' 'refs/heads/exp-*'
	cut -d, -f2,3,5,6,7,13-23,26- "$ROWS" | grep -v ,interrupted,
	cat "$OUT/exp--diffstats.csv" "$OUT"/*--b.csv
}

@test "killed with KILL at any moment, the same command comes to the same rows" {
	local all at
	disturbed
	two
	all=$(cat marks/count)
	picture > expected
	for at in 2 4 6; do
		at=$((all * at / 7))
		forget
		KILL_AT=$at two || [ $? = 137 ]
		two || { cat said; return 1; }
		picture | diff expected - || { echo "killed at $at of $all"; cat said "$ROWS"; return 1; }
	done
}

@test "killed with KILL between a row and its branch, the branch is made at the next start" {
	disturbed
	cat > bin/git <<-END
		#!/bin/sh
		case " \$* " in
		*' update-ref '*) [ ! -e "$ROWS" ] || [ "\$(wc -l < "$ROWS")" != 2 ] || [ -n "\${CALM-}" ] || {
			kill -KILL "\$(cat "\$MARKS/pid")" \$PPID; exit 1; } ;;
		esac
		exec $(PATH=${PATH#*:} command -v git) "\$@"
	END
	run -137 experiment -r 1 -i 2
	[ -z "$(project branch --list 'exp-*')" ]
	CALM=1 run -0 experiment -r 1 -i 2
	[ "$(ledger commit)" = "$(project rev-parse "$(tip 1 1)" "$(tip 1 2)")" ]
	[ "$(calls)" = 2 ]
}

# ---- waiting for a rate limit -------------------------------------------------------------

@test "with --wait a limit is slept out, and the same iteration attempted again" {
	REHEARSAL='success rate-limit success' REHEARSAL_RESET=1 run -0 quick -w -r 1 -i 2
	[[ $output == *'waiting for'* ]]
	[ "$(rows | paste -sd ,)" = '1/1 success,1/2 rate limit,1/2 success' ]
	[ "$(ledger charged_seconds | sed -n 2p)" = 0.000 ]
}

@test "with --wait a limit that has ended by our clock is waited for all the same" {
	REHEARSAL='rate-limit success' REHEARSAL_RESET=-3600 run -0 quick -w -r 1 -i 1
	[[ $output == *'waiting for 1s'* ]]
	[ "$(rows | paste -sd ,)" = '1/1 rate limit,1/1 success' ]
}

@test "with --wait a limit of more than a day is not waited for" {
	REHEARSAL=rate-limit REHEARSAL_RESET=90000 run -75 quick -w -r 1 -i 1
	[ "$(calls)" = 1 ]
}
