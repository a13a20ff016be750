# Outcomes of whole attempts, claude's environment, and the arm check in an
# experiment. The rules themselves are tables in rules.bats.

# shellcheck disable=SC2016 # what is in single quotes is for other shells
# shellcheck disable=SC2153,SC2154 # run assigns output and stderr

load helper

# Where scenes leave what they saw.
export SEEN=$BATS_TEST_TMPDIR

# play STATUS OUTCOME SCENE [OPTION...]: an experiment of one attempt that plays
# the scene ends with this exit status, and the ledger has this outcome.
play() {
	local expected="$1 $2" played=$3 status=0
	shift 3
	[ ! -e "$OUT" ] || forget
	[ ! -e "scenes/$played" ] || played=$PWD/scenes/$played
	REHEARSAL=$played ${PROGRAM-experiment} -r 1 -i 1 --retries 0 "$@" > said 2>&1 || status=$?
	echo "expected: $expected; got: $status $(ledger outcome): $played"
	[ "$status $(ledger outcome)" = "$expected" ]
}

# kept: the work of call 1 is in the iteration's branch.
kept() {
	project show exp-run-1-iteration-1:rehearsal.txt | grep -qx 'call 1'
}

# message: that of the iteration's commit.
message() {
	project log -1 --format=%B exp-run-1-iteration-1
}

# looks: a scene that leaves its environment in $SEEN/environment.
looks() {
	scene look <<-'END'
	env > "$SEEN/environment"; init; edit; result false success Done.
	END
}

# plugin_arm [OPTION...]: the experiment with the plugin in dir.
plugin_arm() {
	mkdir -p dir/.claude-plugin
	CC_PLUGIN_DIR=$PWD/dir ccre -o "$OUT" "$PROJECT" exp "$@"
}

# init_says FIELDS: a scene "arm" with an init of these fields and good work.
init_says() {
	scene arm <<-END
	printf '%s\n' '{"session_id":"s",$1,"type":"system","subtype":"init"}'
	edit; result false success 'Good work.'
	END
}

# ---- outcomes --------------------------------------------------------------

@test "an outcome that stops everything gives its exit status" {
	play 75 'rate limit' throttled
	play 75 'rate limit' limit-text
	play 77 denied no-credit
	play 0 failure offline
}

@test "a success counts whatever the exit status, which the ledger has" {
	for status in 1 2 124; do
		scene "status$status" <<-END
		init; edit; result false success Done.; exit $status
		END
	done
	REHEARSAL="$SCENE/status1 $SCENE/status2 $SCENE/status124" experiment -r 1 -i 3
	[ "$(ledger outcome | sort -u)" = success ]
	[ "$(ledger exit_status | paste -sd' ')" = '1 2 124' ]
	[ "$(project show exp-run-1-iteration-3:rehearsal.txt | wc -l)" = 3 ]
}

@test "a program without JSON is a claude too, by its exit status" {
	scene plain <<-'END'
	edit; echo 'All done.'; exit 0
	END
	play 0 success plain
	kept
	scene later <<-'END'
	edit; exit 2
	END
	play 75 'rate limit' later
}

@test "cost, turns, tokens, session, model and version of the result are in the ledger" {
	play 0 success success
	[ "$(ledger num_turns) $(ledger cost_usd)" = '3 0.0125' ]
	[ "$(ledger input_tokens) $(ledger output_tokens)" = '101 42' ]
	[ "$(ledger cache_read_tokens) $(ledger cache_creation_tokens)" = '303 204' ]
	[ "$(ledger session_id)" = 00000000-0000-4000-8000-000000000001 ]
	[[ "$(ledger model) $(ledger claude_version)" =~ ^rehearsal\ [0-9.]+$ ]]
}

@test "a timed-out claude that prints a result after INT has its cost in the ledger" {
	scene aborted <<-'END'
	trap 'result true error_during_execution "" ",\"terminal_reason\":\"aborted_tools\""; exit 0' INT
	init; edit; sleep 1000 & wait
	END
	PROGRAM=quick play 124 timeout aborted --iteration-timeout 1
	[ "$(ledger cost_usd)" = 0.0125 ]
	[ "$(ledger exit_status)" = 0 ]
}

@test "a timed-out claude without a result has an unknown cost, also in the table" {
	PROGRAM=quick play 124 timeout hang --iteration-timeout 1
	[ -z "$(ledger cost_usd)$(ledger num_turns)$(ledger input_tokens)" ]
	grep -q '?' said
	run ! grep -F '$0.00 ' said
}

@test "a success that claude prints after INT is a success" {
	scene finishes <<-'END'
	trap 'edit; result false success "In time."; exit 0' INT
	init; sleep 1000 & wait
	END
	PROGRAM=quick play 0 success finishes --iteration-timeout 1
	kept
	[[ $(message) == *'In time.'* ]]
}

@test "claude's stdout and stderr are kept to the byte beside the ledger" {
	scene both <<-'END'
	{ init; echo 'no JSON'; edit; result false success Done.; } | tee "$SEEN/stdout"
	printf 'a warning\nand no newline' >&2
	END
	play 0 success both
	cmp stdout "$OUT/exp--run-1--iteration-1--attempt-1.jsonl"
	printf 'a warning\nand no newline' | cmp - "$OUT/exp--run-1--iteration-1--attempt-1.err"
}

@test "a start that fails at once is told with its line on stderr" {
	play 0 failure crash
	grep -q 'Error: something is broken' said
}

@test "a failure of which nothing is said is told with its exit status" {
	scene mute <<< 'exit 9'
	REHEARSAL=$SCENE/mute run -3 experiment -r 1 -i 2
	[[ $output == *'failure'*'exit status 9'* ]]
}

@test "discarded work is named by its ref, and a stop says how to go on" {
	scene works <<-'END'
	init; edit; result true error_during_execution 'Overloaded'
	END
	REHEARSAL=$SCENE/works run -3 experiment -r 1 -i 4
	[[ $output == *refs/cc-run-experiments/exp/run-1/iteration-2/attempt-2* ]] ||
	    [[ $output == *refs/cc-run-experiments/exp/run-1/iteration-2/attempt-1* ]]
	[[ $output == *Overloaded* ]]
	[[ $output == *'stopped: 2 failures in a row: repeat the command to continue' ]]
}

# ---- long and odd transcripts ----------------------------------------------

@test "a line of 50 MB before the result is passed over" {
	scene long <<-'END'
	init; edit
	printf '{"type":"user","message":{"content":"'
	head -c 50000000 /dev/zero | tr '\0' x
	printf '"}}\n'
	result false success Done.
	END
	play 0 success long
	kept
}

@test "of a transcript that the agent makes a terabyte large the end is read" {
	REHEARSAL_EDIT='echo x > work; truncate -s 1T /proc/self/fd/1' run -0 experiment -r 1 -i 1
	[ "$(ledger outcome) $(ledger cost_usd)" = 'success 0.0125' ]
}

@test "a summary of a megabyte is cut between two characters, and the trailers are whole" {
	scene long <<-'END'
	init; edit
	result false success "Begins $(printf '%*s' "$call" '')$(yes é‰𝄞 | head -n 100000 | tr -d '\n')"
	END
	REHEARSAL=$SCENE/long experiment -r 1 -i 4
	for n in 1 2 3 4; do
		project log -1 --format=%B "exp-run-1-iteration-$n" > words
		[ "$(wc -c < words)" -gt 8000 ]
		[ -z "$(sed 's/é//g; s/‰//g; s/𝄞//g' words | tr -d '\0-\177')" ]
		grep -qx 'Outcome: success' words
	done
}

@test "escapes in the summary arrive in the commit message; half a pair and a NUL do no harm" {
	scene escapes <<-'END'
	init; edit
	if [ "$call" = 1 ]; then
		text='Caf\u00e9 \u4E2d \ud83d\ude80 na\u00EFve \"quoted\" a\\b c\/d\n\ttab \u0041'
	else
		text='one \ud83d two \ude80 three \u0000 four \ud83d\u0041 🚀 five'
	fi
	printf '{"type":"result","is_error":false,"num_turns":1,"result":"%s"}\n' "$text"
	END
	REHEARSAL=$SCENE/escapes experiment -r 1 -i 2
	message | grep -A1 '^Caf' | diff <(printf 'Café 中 🚀 naïve "quoted" a\\b c/d\n\ttab A\n') -
	project log -1 --format=%B exp-run-1-iteration-2 > second
	grep -q '^one .*two .*three .*four .*A 🚀 five$' second
	grep -qx 'Outcome: success' second
}

# ---- the arm ---------------------------------------------------------------

@test "a wrong arm discards the work and stops the experiment with 1 and the reason" {
	init_says '"plugins":[]'
	REHEARSAL="success $SCENE/arm" run -1 plugin_arm -r 2 -i 3
	[ "$(calls)" = 2 ]
	[[ $output == *'has not loaded the plugin'* ]]
	[ "$(ledger outcome | head -n 1)" = success ]
	kept
	run ! project rev-parse -q --verify exp-run-1-iteration-2
}

@test "a plugin in the arm without plugin stops the experiment with 1" {
	init_says '"plugins":[{"name":"x","path":"/home/user/.claude/plugins/x"}]'
	REHEARSAL=$SCENE/arm run -1 experiment -r 2 -i 3
	[ "$(calls)" = 1 ]
	[[ $output == */home/user/.claude/plugins/x* ]]
}

@test "a wrong arm ends claude while it is at work, before more is spent" {
	init_says '"plugins":[]'
	sed -i 's/.*edit; result.*/sleep 1000/' "$SCENE/arm"
	CCRE=$CCRE_QUICK REHEARSAL=$SCENE/arm run -1 plugin_arm -r 1 -i 3
	[[ $output == *'has not loaded the plugin'* ]]
	[ "$(calls)" = 1 ]
}

@test "with -j 2 a wrong arm ends the call of the other run too" {
	init_says '"plugins":[]'
	{ echo 'if [ "$CC_RUN_EXPERIMENTS_RUN" = 2 ]; then init; touch "$SEEN/began"; sleep 1000; fi'
	echo 'until [ -e "$SEEN/began" ]; do sleep 0.05; done'; cat "$SCENE/arm"; } > "$SCENE/two"
	CCRE=$CCRE_QUICK REHEARSAL=$SCENE/two run -1 plugin_arm -j 2 -r 2 -i 3
	[[ $output == *'has not loaded the plugin'* ]]
	[ "$(calls)" = 2 ]
}

@test "a program that tells nothing of plugins is taken at its word" {
	scene wordless <<-'END'
	edit; exit 0
	END
	PROGRAM=plugin_arm play 0 success wordless
	kept
}

@test "--bare and --safe-mode are refused in the plugin arm" {
	for option in --bare --safe-mode; do
		run -2 plugin_arm -- "$option"
		[[ $output == *"$option"* ]]
		[ ! -e "$OUT" ]
	done
}

@test "a claude that changes its version is told" {
	scene newer <<-'END'
	init | sed 's/\("claude_code_version":"\)[^"]*/\19.9.9/'; edit
	result false success Done.
	END
	REHEARSAL="success $SCENE/newer" run -0 --separate-stderr experiment -r 1 -i 2
	[[ $stderr == *9.9.9* ]]
	[ "$(ledger claude_version | tail -n 1)" = 9.9.9 ]
}

# ---- the environment -------------------------------------------------------

@test "what tells of another session, of the arm or of the experiment is not in claude's environment" {
	looks
	export CLAUDECODE=1 CLAUDE_CODE_SESSION_ID=a CLAUDE_CODE_ENTRYPOINT=cli \
	    CLAUDE_CODE_CHILD_SESSION=1 CLAUDE_CODE_PLUGIN_DIRS=/x CLAUDE_CODE_SAFE_MODE=1 \
	    CLAUDE_CODE_SIMPLE=1 CC_PLUGIN_DIR=$PWD OLDPWD=/tmp CC_CLAUDE=$PWD/bin/claude
	play 0 success look
	run ! grep -E '^(CLAUDECODE|CLAUDE_CODE_(SESSION_ID|ENTRYPOINT|CHILD_SESSION|PLUGIN_DIRS|SAFE_MODE|SIMPLE)|CC_PLUGIN_DIR|CC_CLAUDE|OLDPWD)=' environment
}

@test "variables that name a repository lead neither claude nor the runner astray" {
	looks
	git init -q trap
	export GIT_DIR=$PWD/trap/.git GIT_WORK_TREE=$PWD/trap GIT_INDEX_FILE=$PWD/trap/index \
	    GIT_OBJECT_DIRECTORY=$PWD/trap/objects GIT_CEILING_DIRECTORIES=/ GIT_NAMESPACE=trap \
	    GIT_PREFIX=trap/
	REHEARSAL=$SCENE/look experiment -r 1 -i 1
	unset "${!GIT_@}"
	[ "$(ledger outcome)" = success ]
	kept
	run ! grep -E '^GIT_.*trap' environment
	[ -z "$(git -C trap for-each-ref)" ]
}

@test "the user's git configuration in the environment reaches claude and the runner's git" {
	scene look <<-'END'
	git config user.name > "$SEEN/name"; git config a.b >> "$SEEN/name"; init; edit; result false success Done.
	END
	export GIT_CONFIG_PARAMETERS="'user.name=Mine'" \
	    GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=a.b GIT_CONFIG_VALUE_0=c
	REHEARSAL=$SCENE/look experiment -r 1 -i 1
	unset "${!GIT_@}"
	[ "$(cat name)" = $'Mine\nc' ]
	[ "$(project log -1 --format=%an exp-run-1-iteration-1)" = Mine ]
}

@test "everything else in the user's environment reaches claude" {
	looks
	export ANTHROPIC_API_KEY=key CLAUDE_CODE_MAX_RETRIES=3 CLAUDECODER=x MINE='two  words' EMPTY=
	play 0 success look
	for line in ANTHROPIC_API_KEY=key CLAUDE_CODE_MAX_RETRIES=3 CLAUDECODER=x \
	    'MINE=two  words' EMPTY= "HOME=$HOME" "PATH=$PATH"; do
		grep -qxF "$line" environment
	done
}

@test "claude neither updates itself, remembers, nor works in the background, unless the user says so" {
	looks
	play 0 success look
	for name in DISABLE_AUTOUPDATER CLAUDE_CODE_DISABLE_AUTO_MEMORY CLAUDE_CODE_DISABLE_BACKGROUND_TASKS; do
		[ "$(grep "^$name=" environment)" = "$name=1" ]
	done
	export DISABLE_AUTOUPDATER=0 CLAUDE_CODE_DISABLE_AUTO_MEMORY=0 CLAUDE_CODE_DISABLE_BACKGROUND_TASKS=
	play 0 success look
	grep -qx DISABLE_AUTOUPDATER=0 environment
	grep -qx CLAUDE_CODE_DISABLE_AUTO_MEMORY=0 environment
	grep -qx CLAUDE_CODE_DISABLE_BACKGROUND_TASKS= environment
}

@test "claude and benchmarks know the run's number, and PWD is the copy" {
	looks
	ccre --no-plugin -r 2 -i 1 -o "$OUT" --time env=env "$PROJECT" secret
	# shellcheck disable=SC2097,SC2098
	REHEARSAL=$SCENE/look experiment -r 2 -i 1
	grep -qx CC_RUN_EXPERIMENTS_RUN=2 environment
	grep -qx CC_RUN_EXPERIMENTS_RUN=1 "$OUT/secret--run-1--iteration-1--env.log"
	grep -qE "^PWD=$TMPDIR/cc-run-experiments-$UID/[^/]+/run-2/project$" environment
	run ! grep secret "$OUT/secret--run-1--iteration-1--env.log"
}

@test "claude has a private TMPDIR, empty at each call" {
	scene litter <<-'END'
	{ echo "$TMPDIR"; stat -c '%F %a' "$TMPDIR"; ls -A "$TMPDIR"; } > "$SEEN/tmp.$call"
	mkdir -p "$TMPDIR/claude-0/deep"; touch "$TMPDIR/.hidden" "$TMPDIR/claude-0/deep/x"
	chmod 0 "$TMPDIR/claude-0/deep"
	init; edit; result false success Done.
	END
	REHEARSAL=$SCENE/litter experiment -r 1 -i 2
	[[ $(head -n 1 tmp.1) == "$TMPDIR/cc-run-experiments-$UID/"*/run-1/tmp ]]
	cmp tmp.1 tmp.2
	[ "$(sed 1d tmp.2)" = 'directory 700' ]
}

@test "claude's git collects no garbage and signs nothing, and no configuration is written" {
	scene look <<-'END'
	for key in gc.auto maintenance.auto commit.gpgSign tag.gpgSign; do git config --get $key; done > "$SEEN/git"
	init; edit; git add -A; git commit -qm own; result false success Done.
	END
	printf '[commit]\n\tgpgSign = true\n' >> "$HOME/.gitconfig"
	cp "$HOME/.gitconfig" before
	play 0 success look
	[ "$(cat git)" = $'0\nfalse\nfalse\nfalse' ]
	cmp before "$HOME/.gitconfig"
}
