# The loop of design section 3: what follows each outcome, what is committed,
# what is put back and kept, and what claude is told.

# shellcheck disable=SC2154 # run assigns output and stderr

load helper

# Where scenes and the recorder leave what they saw.
export SEEN=$BATS_TEST_TMPDIR

# attempts: the ledger as "run.iteration.attempt outcome", one line each.
attempts() {
	paste -d'. ' <(ledger run_id) <(ledger iteration_id) |
	    paste -d. - <(ledger attempt) | paste -d' ' - <(ledger outcome)
}

# tip RUN ITERATION: the commit of that iteration's branch.
tip() {
	project rev-parse --verify "refs/heads/exp-run-$1-iteration-$2"
}

# kept RUN ITERATION ATTEMPT: the commit of what that attempt left.
kept() {
	project rev-parse --verify \
	    "refs/cc-run-experiments/exp/run-$1/iteration-$2/attempt-$3"
}

# with_plugin [OPTION...] [-- ARGUMENT...]: the other arm of experiment "exp".
with_plugin() {
	mkdir -p plugin/.claude-plugin
	echo '{"name":"rehearsed"}' > plugin/.claude-plugin/plugin.json
	CC_PLUGIN_DIR=${PLUGIN-$BATS_TEST_TMPDIR/plugin} \
	    ccre -o "$OUT" "$PROJECT" exp "$@"
}

# recorder: from now on call N of claude leaves its arguments, its stdin and
# what kind of file that is in $SEEN, as arguments.N, prompt.N and stdin.N.
recorder() {
	rm bin/claude
	cat > bin/claude <<-'END'
	#!/bin/sh
	if [ "$1" = --version ]; then
		exec "$CCRE_ROOT/contrib/rehearsal-claude" "$@"
	fi
	n=1
	[ ! -e "$REHEARSAL_STATE" ] || n=$(($(wc -l < "$REHEARSAL_STATE") + 1))
	printf '<%s>\n' "$@" > "$SEEN/arguments.$n"
	stat -L -c '%F %a' /dev/stdin > "$SEEN/stdin.$n"
	cat > "$SEEN/prompt.$n"
	exec "$CCRE_ROOT/contrib/rehearsal-claude" "$@" < "$SEEN/prompt.$n"
	END
	chmod +x bin/claude
}

# scenes_of_stops: a scene for each way to stop everything, named after the
# exit status; each has edited the tree, and has a commit of its own.
scenes_of_stops() {
	scene 75 <<-'END'
	init; edit; git add -A; git commit -qm own; edit; touch new
	result true success 'limit' ',"api_error_status":429'; exit 1
	END
	scene 77 <<-'END'
	edit; git add -A; git commit -qm own; edit; touch new
	api_error 401 'Invalid API key'
	END
	scene 124 <<-'END'
	edit; git add -A; git commit -qm own; edit; touch new; exit 124
	END
	scene 3 <<-'END'
	edit; git add -A; git commit -qm own; edit; touch new; exit 9
	END
}

@test "two runs of three successes end with status 0 and six branches" {
	experiment -r 2 -i 3
	[ "$(calls)" = 6 ]
	[ "$(git -C "$PROJECT" branch --list 'exp-run-*' | wc -l)" = 6 ]
	[ "$(ledger outcome | sort | uniq -c | tr -s ' ')" = " 6 success" ]
	house_is_clean
}

@test "each iteration builds on the commit of the one before" {
	experiment -r 1 -i 3
	[ "$(project rev-parse "$(tip 1 1)^")" = "$BASE" ]
	[ "$(project rev-parse "$(tip 1 2)^")" = "$(tip 1 1)" ]
	[ "$(project rev-parse "$(tip 1 3)^")" = "$(tip 1 2)" ]
	[ "$(project show "$(tip 1 3):rehearsal.txt" | wc -l)" = 3 ]
	[ "$(ledger base_commit | paste -sd' ')" = "$BASE $(tip 1 1) $(tip 1 2)" ]
	[ "$(ledger commit | paste -sd' ')" = "$(tip 1 1) $(tip 1 2) $(tip 1 3)" ]
}

@test "runs are independent: the second one starts from the baseline's tree" {
	scene look <<-'END'
	{ git rev-parse HEAD; git status --porcelain; ls; } > "$SEEN/look.$call"
	init; echo "$call" > "made.$call"; mkdir -p deep/er; echo x > deep/er/file
	rm main.py; result false success Done.
	END
	REHEARSAL=$SCENE/look experiment -r 2 -i 2
	[ "$(cat look.1)" = "$(printf '%s\nbench\nmain.py' "$BASE")" ]
	[ "$(cat look.2)" = "$(printf '%s\nbench\ndeep\nmade.1' "$(tip 1 1)")" ]
	cmp look.1 look.3
	[ "$(project rev-parse "$(tip 2 1)^")" = "$BASE" ]
	run ! project cat-file -e "$(tip 2 2):made.1"
	house_is_clean
}

@test "a success leaves a commit with claude's work, its summary and the trailers" {
	REHEARSAL_EDIT='echo faster > main.py; echo new > new.txt' \
	    experiment -r 1 -i 2
	run -0 project log -1 --format=%s "$(tip 1 2)"
	[[ $output =~ [Rr]un\ 1.*[Ii]teration\ 2.*success ]]
	run -0 project log -1 --format=%B "$(tip 1 2)"
	[ "$(grep -c . <<< "$output")" = 11 ]	# subject, summary, trailers
	[ "${lines[1]}" = 'Improved it a little (call 2).' ]
	cat > expected <<-'END'
	Experiment: exp
	Run: 1
	Iteration: 2
	Attempt: 1
	Outcome: success
	Session: 00000000-0000-4000-8000-000000000002
	Seconds: N
	Exit-Status: 0
	Survivors: 0
	END
	project log -1 --format='%(trailers:only,unfold)' "$(tip 1 2)" |
	    sed '/^$/d; s/^\(Seconds: \)[0-9.]*$/\1N/' | diff expected -
	project log -1 --format=%B "$(tip 1 2)" |
	    git interpret-trailers --parse |
	    sed 's/^\(Seconds: \)[0-9.]*$/\1N/' | diff expected -
	[ "$(project show "$(tip 1 1):main.py")" = faster ]
	[ "$(project show "$(tip 1 1):new.txt")" = new ]
}

@test "a summary with rules, hashes and trailers of its own leaves the trailers whole" {
	scene tricky <<-'END'
	init; edit
	result false success '# Summary\n\n---\n\nFaster.\n\nOutcome: failure\nRun: 99\nCo-Authored-By: Claude <c@example.org>\n\n'
	END
	REHEARSAL=$SCENE/tricky experiment -r 1 -i 1
	run -0 project log -1 --format=%B "$(tip 1 1)"
	[[ $output == *$'\n# Summary\n\n---\n\nFaster.\n\nOutcome: failure\n'* ]]
	run -0 project log -1 --format='%(trailers:only,valueonly,key=Outcome)' \
	    "$(tip 1 1)"
	[ "${output//$'\n'/}" = success ]
	run -0 project log -1 --format='%(trailers:only,valueonly,key=Run)' \
	    "$(tip 1 1)"
	[ "${output//$'\n'/}" = 1 ]
	run -0 project log -1 --format='%(trailers:only)' "$(tip 1 1)"
	[ "$(grep -c : <<< "$output")" = 9 ]
}

@test "a claude that committed everything itself gets an empty commit on top" {
	REHEARSAL=commit experiment -r 1 -i 1
	[ "$(project log --format=%s "$BASE..$(tip 1 1)" | wc -l)" = 2 ]
	[ "$(project log -1 --format=%s "$(tip 1 1)^")" = 'claude: call 1' ]
	project diff --quiet "$(tip 1 1)^" "$(tip 1 1)"
	[ "$(project log -1 --format='%(trailers:only,valueonly,key=Outcome)' \
	    "$(tip 1 1)" | head -n 1)" = success ]
	house_is_clean
}

@test "a claude that changed nothing gets an empty commit" {
	REHEARSAL=nothing experiment -r 1 -i 1
	[ "$(project rev-parse "$(tip 1 1)^")" = "$BASE" ]
	project diff --quiet "$BASE" "$(tip 1 1)"
	[[ $(project log -1 --format=%B "$(tip 1 1)") == *'There was nothing to improve.'* ]]
	house_is_clean
}

@test "a rate limit puts back and stops everything with status 75" {
	REHEARSAL="success rate-limit success" run -75 experiment -r 2 -i 3
	[ "$(calls)" = 2 ]
	[ "$(attempts)" = $'1.1.1 success\n1.2.1 rate limit' ]
	[ "$(project show "$(tip 1 1):rehearsal.txt")" = 'call 1' ]
	[ "$(tip 1 2)" = "$(tip 1 1)" ]
	[ "$(project show "$(kept 1 2 1):rehearsal.txt")" = $'call 1\ncall 2' ]
	run ! tip 1 3
	run ! tip 2 1
	house_is_clean
}

@test "a call that takes too long is put back and attempted again" {
	REHEARSAL="hang success" experiment --iteration-timeout 2 -r 1 -i 1
	[ "$(attempts)" = $'1.1.1 timeout\n1.1.2 success' ]
	[ "$(project rev-parse "$(tip 1 1)^")" = "$BASE" ]
	[ "$(project show "$(tip 1 1):rehearsal.txt")" = 'call 2' ]
	[ "$(project show "$(kept 1 1 1):rehearsal.txt")" = 'call 1' ]
	house_is_clean
}

@test "an attempt that timed out is not charged to the run, the one that worked is" {
	scene slow <<-'END'
	exit 124
	END
	REHEARSAL="$SCENE/slow success" experiment -r 1 -i 1
	[ "$(attempts)" = $'1.1.1 timeout\n1.1.2 success' ]
	ledger charged_seconds > charged
	ledger duration_seconds > taken
	awk 'NR == 1 && $1 + 0 != 0 { exit 1 } NR == 2 && $1 <= 0 { exit 1 }' charged
	awk '$1 <= 0 { exit 1 }' taken
	[ "$(sed -n 2p charged)" = "$(sed -n 2p taken)" ]
}

@test "a timeout on the last retry stops everything with status 124" {
	scene slow <<-'END'
	edit; exit 124
	END
	REHEARSAL="success $SCENE/slow" run -124 experiment --retries 1 -r 2 -i 3
	[ "$(attempts)" = $'1.1.1 success\n1.2.1 timeout\n1.2.2 timeout' ]
	[ "$(project show "$(kept 1 2 1):rehearsal.txt")" = $'call 1\ncall 2' ]
	[ "$(project show "$(kept 1 2 2):rehearsal.txt")" = $'call 1\ncall 3' ]
	house_is_clean
}

@test "two new attempts are made by default, and none with --retries 0" {
	scene slow <<-'END'
	exit 124
	END
	REHEARSAL=$SCENE/slow run -124 experiment -r 1 -i 2
	[ "$(calls)" = 3 ]
	REHEARSAL=$SCENE/slow run -124 ccre --no-plugin --retries 0 -i 2 \
	    -o "$OUT" "$PROJECT" again
	[ "$(calls)" = 4 ]
	house_is_clean
}

@test "each iteration has its own retries" {
	scene slow <<-'END'
	exit 124
	END
	REHEARSAL="$SCENE/slow success $SCENE/slow success" \
	    experiment --retries 1 -r 1 -i 2
	[ "$(attempts)" = "$(printf '%s\n' '1.1.1 timeout' '1.1.2 success' \
	    '1.2.1 timeout' '1.2.2 success')" ]
}

@test "a call that the run's own limit ended is committed, and the next run starts" {
	REHEARSAL="hang success" quick -t 2 -r 2 -i 2
	[ "$(attempts | head -n 2)" = $'1.1.1 out of time\n2.1.1 success' ]
	[ "$(project show "$(tip 1 1):rehearsal.txt")" = 'call 1' ]
	[ "$(project log -1 --format='%(trailers:only,valueonly,key=Outcome)' \
	    "$(tip 1 1)" | head -n 1)" = 'out of time' ]
	[ "$(project rev-parse "$(tip 2 1)^")" = "$BASE" ]
	run ! tip 1 2
	run ! kept 1 1 1
	house_is_clean
}

@test "a denied claude stops everything with status 77 and is put back" {
	scenes_of_stops
	REHEARSAL="success $SCENE/77 success" run -77 experiment -r 2 -i 3
	[ "$(attempts)" = $'1.1.1 success\n1.2.1 denied' ]
	[ "$(tip 1 2)" = "$(tip 1 1)" ]
	project cat-file -e "$(kept 1 2 1):new"
	house_is_clean
}

@test "a call that reached the user's turn or money limit is committed, and the run goes on" {
	REHEARSAL="capped budget success" experiment -r 1 -i 3
	[ "$(attempts)" = $'1.1.1 capped\n1.2.1 capped\n1.3.1 success' ]
	[ "$(project show "$(tip 1 3):rehearsal.txt")" = $'call 1\ncall 2\ncall 3' ]
	[ "$(project rev-parse "$(tip 1 3)^")" = "$(tip 1 2)" ]
	[ "$(project log -1 --format='%(trailers:only,valueonly,key=Outcome)' \
	    "$(tip 1 1)" | head -n 1)" = capped ]
	house_is_clean
}

@test "a single failure is skipped: its branch stays on the last good commit" {
	REHEARSAL="success die success" experiment -r 1 -i 3
	[ "$(attempts)" = $'1.1.1 success\n1.2.1 failure\n1.3.1 success' ]
	[ "$(tip 1 2)" = "$(tip 1 1)" ]
	[ "$(project rev-parse "$(tip 1 3)^")" = "$(tip 1 1)" ]
	[ "$(project show "$(tip 1 3):rehearsal.txt")" = $'call 1\ncall 3' ]
	[ "$(project show "$(kept 1 2 1):rehearsal.txt")" = $'call 1\ncall 2' ]
	house_is_clean
}

@test "a failure in the first iteration leaves its branch on the baseline" {
	REHEARSAL="die success" experiment -r 1 -i 2
	[ "$(tip 1 1)" = "$BASE" ]
	[ "$(project rev-parse "$(tip 1 2)^")" = "$BASE" ]
}

@test "two failures in a row stop everything with status 3" {
	REHEARSAL="success die overloaded success" run -3 experiment -r 2 -i 4
	[ "$(attempts)" = $'1.1.1 success\n1.2.1 failure\n1.3.1 failure' ]
	house_is_clean
}

@test "failures with a success between them do not stop the experiment" {
	REHEARSAL="die success die success" experiment -r 1 -i 4
	[ "$(ledger outcome | paste -sd' ')" = 'failure success failure success' ]
	[ "$(project show "$(tip 1 4):rehearsal.txt")" = $'call 2\ncall 4' ]
	house_is_clean
}

@test "failures with a capped call between them do not stop the experiment" {
	REHEARSAL="die capped die success" experiment -r 1 -i 4
	[ "$(ledger outcome | paste -sd' ')" = 'failure capped failure success' ]
}

@test "less than a minute left ends the run, and the next run has its own time" {
	experiment -t 60 -r 2 -i 3
	[ "$(attempts)" = $'1.1.1 success\n2.1.1 success' ]
	run ! tip 1 2
	house_is_clean
}

@test "a minute and more left does not end the run" {
	experiment -t 10m -r 1 -i 3
	[ "$(calls)" = 3 ]
}

@test "the time of a failure is charged to the run" {
	REHEARSAL="die success" experiment -t 60 -r 1 -i 3
	[ "$(attempts)" = '1.1.1 failure' ]
}

@test "the next attempt starts from the same commit with a clean tree and index" {
	scene messy <<-'END'
	echo broken > main.py; echo new > new.txt; git add new.txt
	rm -r bench; mkdir -p a/b; touch a/b/c; exit 124
	END
	scene look <<-'END'
	{ git rev-parse HEAD; git symbolic-ref HEAD; git status --porcelain
	git diff --cached --name-only; ls; } > "$SEEN/look"
	init; edit; result false success Done.
	END
	REHEARSAL="$SCENE/messy $SCENE/look" experiment -r 1 -i 1
	printf '%s\n' "$BASE" refs/heads/exp-run-1-iteration-1 bench main.py |
	    diff - look
	project show "$(kept 1 1 1):main.py" | grep -qx broken
	run ! project cat-file -e "$(kept 1 1 1):bench/run.sh"
}

@test "a failure that took no time at all is charged, and skipped" {
	sed 's|(double)t.tv_nsec / 1e9|&/1e6|' "$CCRE_ROOT/cc-run-experiments.c" > coarse.c
	run ! cmp -s coarse.c "$CCRE_ROOT/cc-run-experiments.c"
	build coarse.c "$PWD/coarse"
	CCRE=$PWD/coarse REHEARSAL='failure success' run -0 experiment -r 1 -i 2
	[ "$(attempts)" = $'1.1.1 failure\n1.2.1 success' ]
	[[ $(ledger charged_seconds | head -n 1) != 0.000 ]]
}

@test "after a skipped failure the next iteration starts with a clean tree and index" {
	scene messy <<-'END'
	init; echo broken > main.py; echo new > new.txt; git add new.txt; exit 1
	END
	scene look <<-'END'
	{ git rev-parse HEAD; git symbolic-ref HEAD; git status --porcelain; ls
	} > "$SEEN/look"
	init; edit; result false success Done.
	END
	REHEARSAL="$SCENE/messy $SCENE/look" experiment -r 1 -i 2
	printf '%s\n' "$BASE" refs/heads/exp-run-1-iteration-2 bench main.py |
	    diff - look
}

@test "what a failed attempt left is kept out of sight: its commits and its files" {
	scene leave <<-'END'
	init
	echo one > own.txt; git add own.txt; git commit -qm 'claude: own commit'
	git rev-parse HEAD > "$SEEN/own"
	echo two > untracked.txt; echo three >> main.py
	echo four > staged.txt; git add staged.txt; git rm -q bench/run.sh
	exit 1
	END
	REHEARSAL="$SCENE/leave success" experiment -r 1 -i 2
	ref=refs/cc-run-experiments/exp/run-1/iteration-1/attempt-1
	project merge-base --is-ancestor "$(cat own)" "$ref"
	[ "$(project show "$ref:own.txt")" = one ]
	[ "$(project show "$ref:untracked.txt")" = two ]
	[ "$(project show "$ref:main.py")" = $'print("hello")\nthree' ]
	[ "$(project show "$ref:staged.txt")" = four ]
	run ! project cat-file -e "$ref:bench/run.sh"
	[ -z "$(project branch -a --contains "$(cat own)")" ]
	project branch -a --format='%(refname:short)' |
	    diff <(printf '%s\n' exp-run-1-iteration-1 exp-run-1-iteration-2 main) -
	house_is_clean
}

@test "commits that a failed attempt amended are kept out of sight too" {
	scene amend <<-'END'
	init
	echo one > own.txt; git add own.txt; git commit -q --amend -m 'amended the baseline'
	git rev-parse HEAD > "$SEEN/own"
	exit 1
	END
	REHEARSAL="$SCENE/amend success" experiment -r 1 -i 2
	[ "$(project show "$(kept 1 1 1):own.txt")" = one ]
	project for-each-ref --contains "$(cat own)" --format='%(refname)' |
	    grep -q ^refs/cc-run-experiments/exp/run-1/iteration-1/
	[ -z "$(project branch -a --contains "$(cat own)")" ]
	house_is_clean
}

@test "each attempt of an iteration is kept under its own number" {
	scene slow <<-'END'
	edit; exit 124
	END
	REHEARSAL="$SCENE/slow $SCENE/slow success" experiment -r 1 -i 1
	[ "$(project show "$(kept 1 1 1):rehearsal.txt")" = 'call 1' ]
	[ "$(project show "$(kept 1 1 2):rehearsal.txt")" = 'call 2' ]
	run ! kept 1 1 3
	[ "$(ledger commit)" = "$(printf '%s\n' "$(kept 1 1 1)" "$(kept 1 1 2)" \
	    "$(tip 1 1)")" ]
}

@test "the user's branch is back at every exit when she was on another than the baseline" {
	scenes_of_stops
	project switch -q -c work
	echo mine > "$PROJECT/mine.txt"
	project add -A
	project commit -qm mine
	mine=$(project rev-parse work)
	for status in 0 75 77 124 3; do
		rm -f "$REHEARSAL_STATE"
		[ "$status" = 0 ] && play=success || play=$SCENE/$status
		REHEARSAL=$play run "-$status" ccre --no-plugin --retries 0 \
		    -r 1 -i 2 -o "$OUT" "$PROJECT" "exp$status"
		[ "$(project symbolic-ref HEAD)" = refs/heads/work ]
		[ "$(project rev-parse work main | paste -sd' ')" = "$mine $BASE" ]
		[ -z "$(project status --porcelain)" ]
		[ "$(cat "$PROJECT/mine.txt")" = mine ]
		[ "$(project rev-parse "exp$status-run-1-iteration-1~0")" != "$mine" ]
		run ! project cat-file -e "exp$status-run-1-iteration-1:mine.txt"
	done
}

@test "a detached HEAD is back at every exit, and is still detached" {
	scenes_of_stops
	echo mine > "$PROJECT/mine.txt"
	project add -A
	project commit -qm mine
	mine=$(project rev-parse HEAD)
	project checkout -q --detach
	project branch -qf main "$BASE"
	for status in 0 75 77 124 3; do
		rm -f "$REHEARSAL_STATE"
		[ "$status" = 0 ] && play=success || play=$SCENE/$status
		REHEARSAL=$play run "-$status" ccre --no-plugin --retries 0 \
		    -r 1 -i 2 -o "$OUT" "$PROJECT" "exp$status"
		run ! project symbolic-ref -q HEAD
		[ "$(project rev-parse HEAD main | paste -sd' ')" = "$mine $BASE" ]
		[ -z "$(project status --porcelain)" ]
		[ "$(cat "$PROJECT/mine.txt")" = mine ]
	done
}

@test "a row is in the ledger before the next attempt and the next iteration start" {
	scene slow <<-'END'
	exit 124
	END
	scene look <<-'END'
	cp "$OUT/exp--iterations.csv" "$SEEN/ledger.$call"
	init; edit; result false success Done.
	END
	REHEARSAL="$SCENE/slow $SCENE/look $SCENE/look" experiment -r 1 -i 2
	[ "$(wc -l < ledger.2)" = 2 ]
	[[ $(tail -n 1 ledger.2) == exp,1,1,1,timeout,* ]]
	[ "$(wc -l < ledger.3)" = 3 ]
	[[ $(tail -n 1 ledger.3) == exp,1,1,2,success,* ]]
}

@test "claude is told which iteration of which run it is, to build on, and what is last" {
	recorder
	echo 'The base of it all.' > base.txt
	experiment -r 2 -i 3 -p base.txt
	for n in 1 2 3 4 5 6; do
		[ "$(head -n 1 "prompt.$n")" = 'The base of it all.' ]
		grep -qi "iteration $(((n - 1) % 3 + 1)) of 3" "prompt.$n"
		grep -qi "run $(((n - 1) / 3 + 1))\b" "prompt.$n"
		grep -qi 'commit.*descriptive.*message' "prompt.$n"
	done
	for n in 1 4; do
		run ! grep -qiE 'build on|previous|last' "prompt.$n"
	done
	for n in 2 5; do
		grep -qi 'build on the improvements of the previous' "prompt.$n"
		run ! grep -qi 'last' "prompt.$n"
	done
	for n in 3 6; do
		grep -qi 'build on the improvements of the previous' "prompt.$n"
		grep -qi 'last iteration' "prompt.$n"
	done
}

@test "an only iteration is the last, and builds on nothing" {
	recorder
	experiment -r 1 -i 1
	grep -qi 'iteration 1 of 1' prompt.1
	grep -qi 'last iteration' prompt.1
	run ! grep -qiE 'build on|previous' prompt.1
}

@test "an attempt that is made again is told the same" {
	recorder
	scene slow <<-'END'
	exit 124
	END
	REHEARSAL="$SCENE/slow success" experiment -r 1 -i 2
	cmp prompt.1 prompt.2
	run ! cmp -s prompt.2 prompt.3
}

@test "the prompt without the plugin never mentions a plugin or a skill" {
	recorder
	experiment -r 2 -i 3
	for n in 1 2 3 4 5 6; do
		[ -s "prompt.$n" ]
		run ! grep -iE 'plugin|skill' "prompt.$n"
		grep -qi 'one performance improvement' <(tr '\n' ' ' < "prompt.$n")
	done
}

@test "the prompt with the plugin is another one" {
	recorder
	with_plugin -r 1 -i 1
	grep -qiE 'plugin|skill' prompt.1
	grep -qi 'one performance improvement' <(tr '\n' ' ' < prompt.1)
}

@test "a prompt of 200 KB arrives byte for byte on stdin, from a private file" {
	recorder
	# shellcheck disable=SC2016	# nothing of it is to be expanded
	{ printf -- '--help %%s $(date) `date` "quoted" \\n\tGrüße\r\n'
	yes 'a line of the long prompt' | head -c 200000; } > long.txt
	experiment -r 1 -i 1 --prompt long.txt
	head -c "$(wc -c < long.txt)" prompt.1 | cmp - long.txt
	grep -qi 'iteration 1 of 1' prompt.1
	[ "$(cat stdin.1)" = 'regular file 600' ]
	run ! grep -q 'line of the long prompt' arguments.1
}

@test "claude is called headless, without a plugin directory in the other arm" {
	recorder
	experiment -r 1 -i 1
	printf '<%s>\n' --dangerously-skip-permissions -p --output-format \
	    stream-json --verbose | sort | diff - <(sort arguments.1)
}

@test "the plugin's directory and the arguments after -- reach claude unchanged" {
	recorder
	with_plugin -r 1 -i 1 -- --model opus '' 'two  words' "it's" '*' $'a\nb' \
	    -- --runs 7
	printf '<%s>\n' --model opus '' 'two  words' "it's" '*' $'a\nb' -- --runs 7 \
	    > expected
	tail -n "$(wc -l < expected)" arguments.1 | diff expected -
	grep -A1 -xF '<--plugin-dir>' arguments.1 |
	    grep -qxF "<$(realpath plugin)>"
	[ "$(ledger outcome)" = success ]
	[ "$(ledger model)" = opus ]
}

@test "a relative plugin directory is handed to claude as an absolute one" {
	recorder
	PLUGIN=./plugin with_plugin -r 1 -i 1
	grep -A1 -xF '<--plugin-dir>' arguments.1 |
	    grep -qxF "<$(realpath plugin)>"
}

@test "a claude that changes its version is told at once, and counted in the table" {
	scene newer <<-'END'
		init | sed 's/2\.1\.330/2.1.331/'; edit
		result false success Done.
	END
	REHEARSAL="success $SCENE/newer success" run -0 --separate-stderr experiment -r 1 -i 3
	echo "$output"
	[[ $stderr == *'run 1 iteration 2: claude is 2.1.331 rehearsal now, it was 2.1.330 rehearsal: '* ]]
	[ "$(grep -c 'attempts of both' <<< "$stderr")" = 1 ]
	[[ $output == *$'\nclaude 2.1.330 rehearsal: 2 attempts\nclaude 2.1.331 rehearsal: 1 attempt\n'* ]]
	[ "$(ledger claude_version)" = $'2.1.330\n2.1.331\n2.1.330' ]
}

@test "a claude that stays as it is gets no word" {
	run -0 --separate-stderr experiment -r 1 -i 2
	[[ $output$stderr != *'claude is'* && $output != *'claude 2.1'* ]]
}

@test "a plugin or a path of claude that changed since the first start is told" {
	local plugin=$BATS_TEST_TMPDIR/changing
	mkdir -p "$plugin/.claude-plugin"
	echo '{"name":"changing"}' > "$plugin/.claude-plugin/plugin.json"
	git -C "$plugin" init -q
	git -C "$plugin" add -A
	git -C "$plugin" commit -qm one
	REHEARSAL='success rate-limit' CC_PLUGIN_DIR=$plugin run -75 ccre -o "$OUT" -r 1 -i 2 "$PROJECT" exp
	echo more > "$plugin/file"
	git -C "$plugin" add -A
	git -C "$plugin" commit -qm two
	cp "$CCRE_ROOT/contrib/rehearsal-claude" other-claude
	CC_CLAUDE=$PWD/other-claude CC_PLUGIN_DIR=$plugin run -0 ccre -o "$OUT" -r 1 -i 2 "$PROJECT" exp
	echo "$output"
	[[ $output == *"prefix exp was started with plugin_commit=$(git -C "$plugin" rev-parse HEAD~1), now it is $(git -C "$plugin" rev-parse HEAD)"* ]]
	[[ $output == *"prefix exp was started with claude_path="*", now it is $PWD/other-claude"* ]]
}
