# The loop of design section 5: what follows each outcome, what is kept and what
# is discarded, and what claude is told.

# shellcheck disable=SC2154 # run assigns output and stderr

load helper

# Where scenes and the recorder leave what they saw.
export SEEN=$BATS_TEST_TMPDIR

# attempts: the ledger as "run.iteration.attempt outcome", one line each.
attempts() {
	awk -F, 'NR > 1 { print $2 "." $3 "." $4 " " $5 }' "$OUT/exp--iterations.csv"
}

# tip RUN ITERATION: the commit of that iteration's branch.
tip() {
	project rev-parse -q --verify "refs/heads/exp-run-$1-iteration-$2"
}

# discarded RUN ITERATION ATTEMPT: the commit of that attempt's discarded work.
discarded() {
	project rev-parse -q --verify \
	    "refs/cc-run-experiments/exp/run-$1/iteration-$2/attempt-$3"
}

# work COMMIT: the calls of claude whose work is in a commit, on one line.
work() {
	project show "$1:rehearsal.txt" | sed 's/call //' | paste -sd' '
}

# trailer NAME COMMIT: the value of that trailer.
trailer() {
	project log -1 --format="%(trailers:only,valueonly,key=$1)" "$2" | sed '/^$/d'
}

# with_plugin [OPTION...] [-- ARGUMENT...]: the plugin arm of experiment "exp".
with_plugin() {
	mkdir -p plugin/.claude-plugin
	echo '{"name":"rehearsed"}' > plugin/.claude-plugin/plugin.json
	CC_PLUGIN_DIR=${PLUGIN-$PWD/plugin} ccre -o "$OUT" "$PROJECT" exp "$@"
}

# recorder: from now on call N of claude leaves its arguments, its prompt and
# the kind of file that its stdin is in arguments.N, prompt.N and stdin.N.
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
	stat -L -c '%F %h' /dev/stdin > "$SEEN/stdin.$n"
	cat > "$SEEN/prompt.$n"
	exec "$CCRE_ROOT/contrib/rehearsal-claude" "$@" < "$SEEN/prompt.$n"
	END
	chmod +x bin/claude
}

# slow: the scene of a call that has edited and says that it timed out.
slow() {
	scene slow <<-'END'
	edit; exit 124
	END
}

# looks: the scene of a call that notes what it finds, and then edits.
looks() {
	scene look <<-'END'
	{ git rev-parse HEAD; git status --porcelain; ls; } > "$SEEN/look.$call"
	init; edit; result false success Done.
	END
}

# ---- runs and iterations ---------------------------------------------------

@test "two runs of three successes end with status 0 and six branches" {
	experiment -r 2 -i 3
	[ "$(calls)" = 6 ]
	[ "$(project branch --list 'exp-run-*' | wc -l)" = 6 ]
	[ "$(ledger outcome | sort -u)" = success ]
}

@test "each iteration builds on the commit of the one before" {
	experiment -r 1 -i 3
	[ "$(project rev-parse "$(tip 1 1)^")" = "$BASE" ]
	[ "$(project rev-parse "$(tip 1 2)^")" = "$(tip 1 1)" ]
	[ "$(project rev-parse "$(tip 1 3)^")" = "$(tip 1 2)" ]
	[ "$(work "$(tip 1 3)")" = '1 2 3' ]
	[ "$(ledger base_commit | paste -sd' ')" = "$BASE $(tip 1 1) $(tip 1 2)" ]
	[ "$(ledger commit | paste -sd' ')" = "$(tip 1 1) $(tip 1 2) $(tip 1 3)" ]
}

@test "each run starts from the tree of the baseline" {
	looks
	REHEARSAL=$SCENE/look experiment -r 2 -i 2
	[ "$(cat look.1)" = "$(printf '%s\nbench\nmain.py' "$BASE")" ]
	cmp look.1 look.3
	[ "$(cat look.2)" = "$(printf '%s\nbench\nmain.py\nrehearsal.txt' "$(tip 1 1)")" ]
	[ "$(project rev-parse "$(tip 2 1)^")" = "$BASE" ]
	[ "$(work "$(tip 2 2)")" = '3 4' ]
}

@test "a run sees its own branch and the baseline's, no other run and no prefix" {
	scene refs <<-'END'
	git for-each-ref --format='%(refname)' > "$SEEN/refs.$call"
	git log --all --format=%B > "$SEEN/log.$call"; pwd >> "$SEEN/log.$call"
	init; edit; result false success Done.
	END
	REHEARSAL=$SCENE/refs ccre --no-plugin -r 2 -i 2 -o "$OUT" "$PROJECT" secret
	[ "$(cat refs.4)" = $'refs/heads/main\nrefs/heads/run-2-iteration-2' ]
	[ "$(grep -c '^run 2, iteration 1: success$' log.4)" = 1 ]
	run ! grep -E 'run 1|secret' log.4
}

@test "the experiment works beside uncommitted changes on another branch" {
	git -C "$PROJECT" switch -qc work
	echo mine > "$PROJECT/mine.txt"
	echo mine >> "$PROJECT/main.py"
	git -C "$PROJECT" add mine.txt
	snapshot
	experiment -r 1 -i 2
	[ "$(project rev-parse "$(tip 1 1)^")" = "$BASE" ]
	run ! project cat-file -e "$(tip 1 2):mine.txt"
}

# ---- the commit ------------------------------------------------------------

@test "a success is a commit with claude's work, its summary and the trailers" {
	REHEARSAL_EDIT='echo faster > main.py; echo new > new.txt' experiment -r 1 -i 2
	project log -1 --format=%B "$(tip 1 2)" | sed '/^$/d' > message
	diff - message <<-'END'
	run 1, iteration 2: success
	Improved it a little (call 2).
	Run: 1
	Iteration: 2
	Attempt: 1
	Outcome: success
	Session: 00000000-0000-4000-8000-000000000002
	END
	[ "$(project show "$(tip 1 1):main.py" "$(tip 1 1):new.txt")" = $'faster\nnew' ]
}

@test "a summary with rules, hashes and trailers of its own leaves the trailers whole" {
	scene tricky <<-'END'
	init; edit
	result false success '# Summary\n\n---\n\nFaster.\n\nOutcome: failure\nRun: 99\nCo-Authored-By: Claude <c@example.org>\n\n'
	END
	REHEARSAL=$SCENE/tricky experiment -r 1 -i 1
	run -0 project log -1 --format=%B "$(tip 1 1)"
	[[ $output == *$'\n# Summary\n\n---\n\nFaster.\n\nOutcome: failure\n'* ]]
	[ "$(trailer Outcome "$(tip 1 1)")" = success ]
	[ "$(trailer Run "$(tip 1 1)")" = 1 ]
	[ "$(project log -1 --format='%(trailers:only)' "$(tip 1 1)" | grep -c :)" = 5 ]
}

@test "a claude that committed everything itself gets a commit of the runner's on top" {
	REHEARSAL=commit experiment -r 1 -i 1
	[ "$(project log --format=%s "$BASE..$(tip 1 1)")" = \
	    $'run 1, iteration 1: success\nclaude: call 1' ]
	project diff --quiet "$(tip 1 1)^" "$(tip 1 1)"
}

@test "a claude that changed nothing gets an empty commit with its summary" {
	REHEARSAL=nothing experiment -r 1 -i 1
	[ "$(project rev-parse "$(tip 1 1)^")" = "$BASE" ]
	project diff --quiet "$BASE" "$(tip 1 1)"
	[[ $(project log -1 --format=%B "$(tip 1 1)") == *'There was nothing to improve.'* ]]
}

# ---- rate limit, timeout, denied -------------------------------------------

@test "a rate limit discards the work and stops everything with status 75" {
	REHEARSAL="success rate-limit" run -75 experiment -r 2 -i 3
	[ "$(attempts)" = $'1.1.1 success\n1.2.1 rate limit' ]
	[ "$(calls)" = 2 ]
	[ "$(work "$(discarded 1 2 1)")" = '1 2' ]
	[ "$(ledger commit)" = "$(tip 1 1; discarded 1 2 1)" ]
}

@test "an iteration has no branch before it is finished" {
	REHEARSAL="success rate-limit" run -75 experiment -r 2 -i 3
	[ "$(project branch --list 'exp-*' --format='%(refname:short)')" = exp-run-1-iteration-1 ]
	run -0 experiment -r 2 -i 3
	[ "$(project branch --list 'exp-*' | wc -l)" = 6 ]
}

@test "an attempt without work leaves no commit and no ref" {
	scene idle <<-'END'
	init; result true success limit ',"api_error_status":429'; exit 1
	END
	REHEARSAL=$SCENE/idle run -75 experiment -r 1 -i 1
	[ "$(ledger outcome)" = 'rate limit' ]
	[ -z "$(ledger commit)" ]
	run ! discarded 1 1 1
}

@test "a denied claude stops everything with status 77" {
	REHEARSAL="success denied" run -77 experiment -r 2 -i 3
	[ "$(attempts)" = $'1.1.1 success\n1.2.1 denied' ]
	run ! tip 1 2
}

@test "a timed-out attempt is discarded and attempted again from the same commit" {
	REHEARSAL="hang success" quick --iteration-timeout 1 -r 1 -i 1
	[ "$(attempts)" = $'1.1.1 timeout\n1.1.2 success' ]
	[ "$(project rev-parse "$(tip 1 1)^")" = "$BASE" ]
	[ "$(work "$(tip 1 1)")" = 2 ]
	[ "$(work "$(discarded 1 1 1)")" = 1 ]
}

@test "a timed-out attempt is not charged to the run, the one that worked is" {
	slow
	REHEARSAL="$SCENE/slow success" experiment -r 1 -i 1
	[ "$(attempts)" = $'1.1.1 timeout\n1.1.2 success' ]
	ledger charged_seconds > charged
	ledger duration_seconds > taken
	awk 'NR == 1 && $1 + 0 != 0 { exit 1 } NR == 2 && $1 <= 0 { exit 1 }' charged
	awk '$1 <= 0 { exit 1 }' taken
	[ "$(sed -n 2p charged)" = "$(sed -n 2p taken)" ]
}

@test "a timeout of the last retry stops everything with status 124" {
	slow
	REHEARSAL="success $SCENE/slow" run -124 experiment --retries 1 -r 2 -i 3
	[ "$(attempts)" = $'1.1.1 success\n1.2.1 timeout\n1.2.2 timeout' ]
	[ "$(work "$(discarded 1 2 1)")" = '1 2' ]
	[ "$(work "$(discarded 1 2 2)")" = '1 3' ]
}

@test "a timed-out attempt has two retries by default, and none with --retries 0" {
	slow
	REHEARSAL=$SCENE/slow run -124 experiment -r 1 -i 2
	[ "$(calls)" = 3 ]
	forget
	REHEARSAL=$SCENE/slow run -124 experiment --retries 0 -r 1 -i 2
	[ "$(calls)" = 1 ]
}

@test "each iteration has its own retries" {
	slow
	REHEARSAL="$SCENE/slow success $SCENE/slow success" experiment --retries 1 -r 1 -i 2
	[ "$(ledger outcome | paste -sd' ')" = 'timeout success timeout success' ]
}

@test "retries count from zero at each start" {
	slow
	REHEARSAL="$SCENE/slow" run -124 experiment --retries 1 -r 1 -i 1
	REHEARSAL="$SCENE/slow $SCENE/slow $SCENE/slow success" run -0 experiment --retries 1 -r 1 -i 1
	[ "$(ledger attempt | paste -sd' ')" = '1 2 3 4' ]
	[ "$(work "$(tip 1 1)")" = 4 ]
}

# ---- the time of a run, caps -----------------------------------------------

@test "a call that the limit of its run ended is kept, and the next run starts" {
	REHEARSAL="hang success" quick -t 2 -r 2 -i 2
	[ "$(attempts | head -n 2)" = $'1.1.1 out of time\n2.1.1 success' ]
	[ "$(work "$(tip 1 1)")" = 1 ]
	[ "$(trailer Outcome "$(tip 1 1)")" = 'out of time' ]
	run ! tip 1 2
	run ! discarded 1 1 1
}

@test "less than a minute left ends the run, and the next run has its own time" {
	experiment -t 60 -r 2 -i 3
	[ "$(attempts)" = $'1.1.1 success\n2.1.1 success' ]
	run ! tip 1 2
}

@test "the time of a failure is charged to the run" {
	REHEARSAL="die success" experiment -t 60 -r 1 -i 3
	[ "$(attempts)" = '1.1.1 failure' ]
}

@test "a call that reached the user's turn or money limit is kept, and the run goes on" {
	REHEARSAL="capped budget success" experiment -r 1 -i 3
	[ "$(ledger outcome | paste -sd' ')" = 'capped capped success' ]
	[ "$(work "$(tip 1 3)")" = '1 2 3' ]
	[ "$(trailer Outcome "$(tip 1 1)")" = capped ]
}

# ---- failures --------------------------------------------------------------

@test "a single failure is skipped: its branch is at the last good commit" {
	REHEARSAL="success die success" experiment -r 1 -i 3
	[ "$(ledger outcome | paste -sd' ')" = 'success failure success' ]
	[ "$(tip 1 2)" = "$(tip 1 1)" ]
	[ "$(project rev-parse "$(tip 1 3)^")" = "$(tip 1 1)" ]
	[ "$(work "$(tip 1 3)")" = '1 3' ]
	[ "$(work "$(discarded 1 2 1)")" = '1 2' ]
}

@test "two failures in a row stop everything with status 3" {
	REHEARSAL="success die overloaded success" run -3 experiment -r 2 -i 4
	[ "$(attempts)" = $'1.1.1 success\n1.2.1 failure\n1.3.1 failure' ]
}

@test "the iteration of the failure that stopped is tried again at the next start" {
	REHEARSAL="die die" run -3 experiment -r 1 -i 3
	[ "$(tip 1 1)" = "$BASE" ]
	run ! tip 1 2
	REHEARSAL=success run -0 experiment -r 1 -i 3
	[ "$(attempts | tail -n 2)" = $'1.2.2 success\n1.3.1 success' ]
}

@test "failures with a kept attempt between them do not stop the experiment" {
	REHEARSAL="die success die capped die success" experiment -r 1 -i 6
	[ "$(ledger outcome | paste -sd' ')" = 'failure success failure capped failure success' ]
	[ "$(work "$(tip 1 6)")" = '2 4 6' ]
}

@test "failures in a row are counted over all runs" {
	REHEARSAL="success die die success" run -3 experiment -r 3 -i 2
	[ "$(attempts)" = $'1.1.1 success\n1.2.1 failure\n2.1.1 failure' ]
}

@test "failures in a row count from zero at each start" {
	REHEARSAL="die rate-limit" run -75 experiment -r 1 -i 3
	REHEARSAL="die die die success" run -0 experiment -r 1 -i 3
	[ "$(attempts | tail -n 2)" = $'1.2.2 failure\n1.3.1 success' ]
}

# ---- the next attempt ------------------------------------------------------

@test "the next attempt starts from the same commit with a clean tree and index" {
	scene messy <<-'END'
	echo broken > main.py; echo new > new.txt; git add new.txt; touch ignored.o
	rm -r bench; mkdir -p a/b; touch a/b/c; git commit -qm own; exit 124
	END
	looks
	REHEARSAL="$SCENE/messy $SCENE/look" experiment -r 1 -i 1
	[ "$(cat look.2)" = "$(printf '%s\nbench\nmain.py' "$BASE")" ]
	project show "$(discarded 1 1 1):main.py" | grep -qx broken
	run ! project cat-file -e "$(discarded 1 1 1):bench/run.sh"
}

@test "after a skipped failure the next iteration starts with a clean tree and index" {
	scene messy <<-'END'
	init; echo broken > main.py; echo new > new.txt; git add new.txt; exit 1
	END
	looks
	REHEARSAL="$SCENE/messy $SCENE/look" experiment -r 1 -i 2
	[ "$(cat look.2)" = "$(printf '%s\nbench\nmain.py' "$BASE")" ]
}

@test "discarded work is whole: the agent's commits, and changed, staged and new files" {
	scene leave <<-'END'
	init
	echo one > own.txt; git add own.txt; git commit -qm 'claude: own commit'
	git rev-parse HEAD > "$SEEN/own"
	echo two > untracked.txt; echo three >> main.py
	echo four > staged.txt; git add staged.txt; git rm -q bench/run.sh; exit 1
	END
	REHEARSAL="$SCENE/leave success" experiment -r 1 -i 2
	[ "$(project rev-parse "$(discarded 1 1 1)^")" = "$(cat own)" ]
	project ls-tree -r --name-only "$(discarded 1 1 1)" |
	    diff - <(printf '%s\n' .gitignore main.py own.txt staged.txt untracked.txt)
	[ "$(project show "$(discarded 1 1 1):main.py")" = $'print("hello")\nthree' ]
	[ -z "$(project branch -a --contains "$(cat own)")" ]
}

@test "a row is in the ledger before the next attempt and the next iteration start" {
	slow
	scene look <<-'END'
	cut -d, -f1-6 "$OUT/exp--iterations.csv" | sed 1d > "$SEEN/ledger.$call"
	init; edit; result false success Done.
	END
	REHEARSAL="$SCENE/slow $SCENE/look $SCENE/look" experiment -r 1 -i 2
	[ "$(cat ledger.2)" = exp,1,1,1,timeout,0 ]
	[ "$(cat ledger.3)" = $'exp,1,1,1,timeout,0\nexp,1,1,2,success,1' ]
}

@test "finished is 1 in the row that ends its iteration" {
	slow
	REHEARSAL="die $SCENE/slow capped rate-limit" run -75 experiment -r 1 -i 3
	[ "$(ledger outcome | paste -d: - <(ledger finished))" = \
	    $'failure:1\ntimeout:0\ncapped:1\nrate limit:0' ]
	forget
	REHEARSAL="die die" run -3 experiment -r 1 -i 3
	[ "$(ledger finished | paste -sd' ')" = '1 0' ]
}

# ---- several jobs ----------------------------------------------------------

@test "with -j 2 two runs are at work at once, and both are complete" {
	scene meet <<-'END'
	init; edit; touch "$SEEN/run.$CC_RUN_EXPERIMENTS_RUN"
	n=0; until [ -e "$SEEN/run.1" ] && [ -e "$SEEN/run.2" ]; do sleep 0.05; n=$((n + 1)); [ $n -lt 400 ] || exit 1; done
	result false success Done.
	END
	REHEARSAL=$SCENE/meet experiment -j 2 -r 2 -i 2
	[ "$(ledger outcome | paste -sd' ')" = 'success success success success' ]
	[ "$(project show "$(tip 2 2):rehearsal.txt" | wc -l)" = 2 ]
}

@test "with -j 2 a stop lets the call at work end, counts it, and begins no other" {
	scene two <<-'END'
	if [ "$CC_RUN_EXPERIMENTS_RUN" = 1 ]; then
		until [ -e "$SEEN/began" ]; do sleep 0.05; done; api_error 401 no
	fi
	touch "$SEEN/began"; init; edit
	until grep -q ,denied, "$OUT/exp--iterations.csv"; do sleep 0.05; done
	result false success Done.
	END
	REHEARSAL=$SCENE/two run -77 experiment -j 2 -r 3 -i 2
	[ "$(attempts)" = $'1.1.1 denied\n2.1.1 success' ]
	[ "$(project rev-parse "$(tip 2 1)^")" = "$BASE" ]
}

# ---- what claude is told ---------------------------------------------------

@test "the prompt names iteration and run, and asks for a commit" {
	recorder
	echo 'The base of it all.' > base.txt
	experiment -r 2 -i 2 -p base.txt
	for n in 1 2 3 4; do
		[ "$(head -n 1 "prompt.$n")" = 'The base of it all.' ]
		grep -qi "iteration $(((n - 1) % 2 + 1)) of 2" "prompt.$n"
		grep -qi "run $(((n - 1) / 2 + 1))\b" "prompt.$n"
		grep -qi 'commit.*descriptive.*message' <(tr '\n' ' ' < "prompt.$n")
	done
}

@test "from the second iteration on the prompt says to build on the previous ones" {
	recorder
	experiment -r 1 -i 3
	run ! grep -qiE 'build on|previous' prompt.1
	grep -qi 'build on the improvements of the previous' prompt.2
	grep -qi 'build on the improvements of the previous' prompt.3
}

@test "the prompt of the last iteration says that it is the last, also of a single one" {
	recorder
	experiment -r 1 -i 2
	run ! grep -qi 'last iteration' prompt.1
	grep -qi 'last iteration' prompt.2
	forget
	experiment -r 1 -i 1
	grep -qi 'last iteration' prompt.1
	run ! grep -qiE 'build on|previous' prompt.1
}

@test "an attempt that is made again gets the same prompt" {
	recorder
	slow
	REHEARSAL="$SCENE/slow success" experiment -r 1 -i 2
	cmp prompt.1 prompt.2
	run ! cmp -s prompt.2 prompt.3
}

@test "the built-in prompt without the plugin never mentions a plugin or a skill" {
	recorder
	experiment -r 1 -i 2
	run ! grep -iE 'plugin|skill' prompt.1 prompt.2
	grep -qi 'one performance improvement' <(tr '\n' ' ' < prompt.1)
}

@test "the built-in prompt with the plugin mentions it" {
	recorder
	with_plugin -r 1 -i 1
	grep -qiE 'plugin|skill' prompt.1
	grep -qi 'one performance improvement' <(tr '\n' ' ' < prompt.1)
}

@test "a prompt of 200 KB arrives byte for byte on stdin, from a nameless file" {
	recorder
	# shellcheck disable=SC2016 # nothing of it is to be expanded
	{ printf -- '--help %%s $(date) `date` "quoted" \\n\tGrüße\r\n'
	yes 'a line of the long prompt' | head -c 200000; } > long.txt
	experiment -r 1 -i 1 --prompt long.txt
	head -c "$(wc -c < long.txt)" prompt.1 | cmp - long.txt
	grep -qi 'iteration 1 of 1' prompt.1
	[ "$(cat stdin.1)" = 'regular file 0' ]
	run ! grep -q 'line of the long prompt' arguments.1
}

@test "without the plugin claude gets exactly the documented command line" {
	recorder
	experiment -r 1 -i 1
	printf '<%s>\n' --dangerously-skip-permissions -p --output-format stream-json \
	    --verbose --setting-sources project \
	    --disallowedTools=ListAgents,SendMessage,EnterWorktree | diff - arguments.1
}

@test "the plugin's absolute directory and the arguments after -- reach claude unchanged" {
	recorder
	PLUGIN=./plugin with_plugin -r 1 -i 1 -- --model opus '' 'two  words' "it's" '*' $'a\nb' -- --runs 7
	printf '<%s>\n' --plugin-dir "$(realpath plugin)" \
	    --model opus '' 'two  words' "it's" '*' $'a\nb' -- --runs 7 > expected
	tail -n "$(wc -l < expected)" arguments.1 | diff expected -
	[ "$(ledger outcome)" = success ]
	[ "$(ledger model)" = opus ]
}
