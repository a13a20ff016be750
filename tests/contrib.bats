# contrib/: each file is executed as it is, by the program that it is for.

# Each test is a process of its own (2030, 2031); other programs expand the scripts
# (2016); SCENE is from helper (2153).
# shellcheck disable=SC2030,SC2031,SC2016,SC2153

load helper

# plays SCENE...: make ./claude, which plays these scenes and needs no environment.
plays() {
	printf '#!/bin/sh\nREHEARSAL="%s" REHEARSAL_STATE=%s exec %s "$@"\n' \
	    "$*" "$REHEARSAL_STATE" "$CCRE_ROOT/contrib/rehearsal-claude" > claude
	chmod +x claude
}

# rows: run, iteration and outcome of each row of the ledger.
rows() {
	awk -F, 'NR > 1 { print $2 "/" $3, $5 }' "$OUT/exp--iterations.csv"
}

# unit SETTING: its values in the service, one per line.
unit() {
	sed -n "s/^$1=//p" "$CCRE_ROOT/contrib/cc-run-experiments.service"
}

# ---- systemd ----------------------------------------------------------------

@test "systemd accepts the service and the timer without a message" {
	command -v systemd-analyze > /dev/null || skip 'no systemd-analyze'
	mkdir -p "$HOME/.local/bin" runtime
	cp "$CCRE" "$HOME/.local/bin/cc-run-experiments"
	XDG_RUNTIME_DIR=$PWD/runtime run -0 systemd-analyze verify --user --man=no \
	    "$CCRE_ROOT"/contrib/cc-run-experiments.service \
	    "$CCRE_ROOT"/contrib/cc-run-experiments.timer
	[ -z "$output" ]
	systemd-analyze calendar "$(sed -n 's/^OnCalendar=//p' \
	    "$CCRE_ROOT/contrib/cc-run-experiments.timer")"
}

@test "the service's command continues an experiment after a rate limit, which is a success" {
	local words settings
	plays success rate-limit success
	[ "$(unit SuccessExitStatus)" = 75 ]
	words=$(unit ExecStart | sed -e "s|%h/\.local/bin/cc-run-experiments|$CCRE|" \
	    -e "s|%h/results|$OUT|" -e "s|%h/project|$PROJECT|" \
	    -e 's|-r 5 -i 10|-r 1 -i 2|' -e 's| week$| exp|')
	settings=$(unit Environment | sed -e "s|%h/\.local/bin/claude|$PWD/claude|")
	[[ $words != *%h* ]]
	settings+=" CC_TEST_ID=$BATS_TEST_TMPDIR IS_SANDBOX=1 HOME=$HOME TMPDIR=$TMPDIR"
	# shellcheck disable=SC2086 # words are words here, as in systemd
	run -75 env -i $settings $words
	# shellcheck disable=SC2086
	run -0 env -i $settings $words
	[ -z "$output" ]
	[ "$(rows)" = $'1/1 success\n1/2 rate limit\n1/2 success' ]
}

# ---- alternate --------------------------------------------------------------

# turns STATUS: three runs of two arms by contrib/alternate.
turns() {
	mkdir -p plugin/skills
	CC_PLUGIN_DIR=$BATS_TEST_TMPDIR/plugin CC_TEST_ID=$BATS_TEST_TMPDIR run "-$1" \
	    "$CCRE_ROOT/contrib/alternate" 3 a b "$CCRE" -q -r 3 -i 1 -o "$OUT" \
	    "$PROJECT" @ -- --model 'two words'
	echo "$output"
}

# calls_of PREFIX: the numbers of the calls of claude for that arm.
calls_of() {
	grep -ho 'call [0-9]*' "$OUT/$1"--*.jsonl | tr -dc '0-9\n' | xargs
}

@test "alternate makes the runs of two arms in turn" {
	turns 0
	[ "$(calls_of a)" = '1 4 5' ]		# A1 B1 B2 A2 A3 B3
	[ "$(calls_of b)" = '2 3 6' ]
}

@test "alternate stops at a rate limit, and the same command continues there" {
	REHEARSAL='success success success rate-limit' turns 75
	turns 0
	[ "$(calls_of a)" = '1 5 6' ]
	[ "$(calls_of b)" = '2 3 7' ]
}

@test "alternate passes the words on, with the prefix for @" {
	turns 0
	grep -h -e '--model' "$OUT"/a--experiment.csv "$OUT"/b--experiment.csv | sort -u |
	    diff - <(echo "claude_arguments,--model 'two words'")
}

@test "alternate refuses equal prefixes and a number of runs that is none" {
	run -2 "$CCRE_ROOT/contrib/alternate" 3 a a "$CCRE" "$PROJECT" @
	run -2 "$CCRE_ROOT/contrib/alternate" x a b "$CCRE" "$PROJECT" @
}

# ---- several processes ------------------------------------------------------

@test "GNU parallel makes the runs, and --resume-failed the ones that a limit stopped" {
	command -v parallel > /dev/null || skip 'no GNU parallel'
	runs() {
		CC_TEST_ID=$BATS_TEST_TMPDIR parallel --will-cite -j 2 --joblog log "$@" \
		    "$CCRE" -q --no-plugin -r 4 -i 1 -o "$OUT" --run '{}' "$PROJECT" exp ::: 1 2 3 4
	}
	REHEARSAL='success rate-limit success' run -1 runs
	echo "$output"
	[ "$(sed 1d log | cut -f 7 | sort -n | xargs)" = '0 0 0 75' ]
	run -0 runs --resume-failed
	[ "$(rows | grep -c success)" = 4 ]
	[ "$(calls)" = 5 ]
	rm -rf "$HOME/.parallel"
}

# slurm STATUS [WORD=VALUE...]: execute slurm.sh as a task does; what it asks of
# scontrol is appended to asked.
slurm() {
	local want=$1
	shift
	printf '#!/bin/sh\necho "$@" >> %s/asked\n' "$BATS_TEST_TMPDIR" > bin/scontrol
	chmod +x bin/scontrol
	ln -sf "$CCRE" bin/cc-run-experiments
	cat > settings <<-END
		project='$PROJECT' prefix=exp runs=2 agents='--no-plugin --iterations 1'
		both="--output '$OUT' --samples 2" measure="-b 'w=echo runtime: 1ms'"
	END
	run "-$want" env EXPERIMENT_SETTINGS="$BATS_TEST_TMPDIR/settings" SLURM_JOB_ID=7 \
	    CC_TEST_ID="$BATS_TEST_TMPDIR" "$@" "$CCRE_ROOT/contrib/slurm.sh"
	echo "$output"
}

@test "a Slurm task makes its run" {
	slurm 0 SLURM_ARRAY_JOB_ID=6 SLURM_ARRAY_TASK_ID=2
	[ "$(rows)" = '2/1 success' ]
	[ ! -e asked ]
}

@test "a Slurm task returns to the queue after a rate limit" {
	REHEARSAL=rate-limit slurm 0 SLURM_ARRAY_JOB_ID=6 SLURM_ARRAY_TASK_ID=1
	[ "$(cat asked)" = $'requeue 6_1\nupdate JobId=6_1 StartTime=now+15minutes' ]
}

@test "a Slurm job that is no task measures all runs" {
	slurm 0 SLURM_ARRAY_JOB_ID=6 SLURM_ARRAY_TASK_ID=1
	slurm 0 SLURM_ARRAY_JOB_ID=6 SLURM_ARRAY_TASK_ID=2
	REHEARSAL=denied slurm 0
	[ "$(cat "$OUT"/*--w.csv | grep -c ^exp,)" = 8 ]
}

@test "a Slurm task whose time limit is near ends claude and returns to the queue" {
	scene working <<-'END'
		init; edit; : > "$WORKING"; exec sleep 1000
	END
	export WORKING=$BATS_TEST_TMPDIR/working
	(
		wait_until 20 test -e working
		kill -TERM "$(cat script)"
	) 3>&- &
	REHEARSAL=$SCENE/working slurm 0 SLURM_ARRAY_JOB_ID=6 SLURM_ARRAY_TASK_ID=1 \
	    sh -c 'echo $$ > script; exec sh "$@"' sh
	[ "$(cat asked)" = $'requeue 6_1\nupdate JobId=6_1 StartTime=now+0minutes' ]
	[ "$(rows)" = '1/1 interrupted' ]
}

# ---- completions ------------------------------------------------------------

# offered WORD...: what bash offers for the last word.
offered() {
	bash -c '. "$1"; shift; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
	    _cc_run_experiments; printf "%s\n" "${COMPREPLY[@]}"' - \
	    "$CCRE_ROOT/contrib/completions/cc-run-experiments.bash" cc-run-experiments "$@"
}

@test "bash completes options, directories and files" {
	mkdir -p here/sub
	[ "$(offered --bench | sort)" = $'--benchmark\n--benchmark-only\n--benchmark-timeout' ]
	[ "$(offered -o here/)" = here/sub ]
	[ "$(offered -p bin/cl)" = bin/claude ]
	[ "$(offered here/)" = here/sub ]
}

@test "bash completes nothing for a number, and nothing after --" {
	[ -z "$(offered --runs '')" ]
	[ -z "$(offered . x -- --)" ]
}

@test "zsh reads its completions" {
	command -v zsh > /dev/null || skip 'no zsh'
	zsh -n "$CCRE_ROOT/contrib/completions/_cc-run-experiments"
}

@test "fish completes options" {
	command -v fish > /dev/null || skip 'no fish'
	run -0 fish -c 'source $argv[1]; complete -C "cc-run-experiments --bench"' \
	    "$CCRE_ROOT/contrib/completions/cc-run-experiments.fish"
	[ "$(cut -f 1 <<< "$output" | sort)" = $'--benchmark\n--benchmark-only\n--benchmark-timeout' ]
}

# ---- examples ---------------------------------------------------------------

# demo: run it without an experiment that costs money, and remove its directory.
demo() {
	CC_TEST_ID=$BATS_TEST_TMPDIR "$CCRE_ROOT/contrib/demo" "$CCRE" > demo.out 2> demo.err
	cat demo.out demo.err
}

@test "the demo shows both arms and their comparison" {
	run -0 demo
	[ "$(grep -cE '^ *[*]?[1-4]  ' demo.out)" = 8 ]
	grep -q '%' <(sed -n '/contrib.compare/,$p' demo.out)
	grep -q '^total ' demo.out
	rm -r "$TMPDIR"/demo.*
}

@test "each command at the end of the demo works as it is written" {
	run -0 demo
	ln -s "$CCRE" bin/cc-run-experiments
	sed -n '/still there/,$p' demo.out | grep '^  ' > commands
	[ "$(wc -l < commands)" = 5 ]
	run -0 sh -eux -c "cd '$PROJECT'; . $PWD/commands"
	echo "$output"
	[[ $output == *'calls of claude: at most'* ]]
	[ -z "$(find "$TMPDIR" -name 'demo.*')" ]
}

@test "the worked example shows a difference between the arms, and draws it" {
	export EXAMPLE_RUNS=4 EXAMPLE_ITERATIONS=2 CC_TEST_ID=$BATS_TEST_TMPDIR
	run -0 "$CCRE_ROOT/contrib/example/run" example "$CCRE"
	echo "$output"
	[[ $output == *'$ contrib/alternate 4 with without cc-run-experiments -q '*"-b 'work=sh benchmark.sh'"* ]]
	[[ $output == *'With the plugin the code is '* ]]
	[ "$(cat example/results/*--iterations.csv | grep -c ',success,')" = 16 ]
	command -v gnuplot > /dev/null || skip 'no gnuplot'
	grep -q '</svg>' example/work.svg
	[[ $output == *'with (median)'* ]]
}

@test "the worked example with -a shows no difference" {
	export EXAMPLE_RUNS=4 EXAMPLE_ITERATIONS=1 CC_TEST_ID=$BATS_TEST_TMPDIR
	run -0 "$CCRE_ROOT/contrib/example/run" -a example "$CCRE"
	echo "$output"
	[[ $output == *'No difference is shown'* ]]
	[[ $output =~ plugin\ +none\ +none ]]
	[[ $output == *'The arms differ in nothing.'* ]]
}

@test "the worked example refuses a directory that exists" {
	run -2 "$CCRE_ROOT/contrib/example/run" . "$CCRE"
	[ "$output" = 'usage: run [-a] DIRECTORY [cc-run-experiments]; DIRECTORY must not exist' ]
	run -2 "$CCRE_ROOT/contrib/example/run"
}

@test "each script prints its usage for --help" {
	local script
	for script in alternate compare demo export plot rehearsal-claude claude-bwrap claude-container example/run; do
		run -0 --separate-stderr "$CCRE_ROOT/contrib/$script" --help
		echo "$script: $output"
		[[ $output == "usage: ${script##*/}"* ]]
	done
}

@test "demo and worked example name a program that is not found" {
	run -127 "$CCRE_ROOT/contrib/demo" ./nowhere
	[ "$output" = "demo: $PWD/nowhere: not found: give the path of cc-run-experiments as the argument" ]
	run -127 "$CCRE_ROOT/contrib/example/run" other ./nowhere
	[ "$output" = "run: $PWD/nowhere: not found: give the path of cc-run-experiments as the last argument" ]
	[ ! -e other ]
}

@test "calls of the rehearsal claude at the same time have different numbers" {
	local n pids=()
	for n in $(seq 10); do
		REHEARSAL_STATE=$PWD/numbers "$CCRE_ROOT/contrib/rehearsal-claude" <<< prompt > "said-$n" &
		pids+=($!)
	done
	wait "${pids[@]}"
	[ "$(grep -ho '"session_id":"[^"]*' said-* | sort -u | wc -l)" = 10 ]
}

@test "each event of the rehearsal claude is a JSON object" {
	needs jq
	local scene
	mkdir here
	cd here || return
	for scene in success commit capped rate-limit denied overloaded unasked; do
		REHEARSAL=$scene "$CCRE_ROOT/contrib/rehearsal-claude" --plugin-dir /a/plugin <<< prompt || :
	done > said
	[ "$(jq -s 'map(objects) | length' said)" = "$(wc -l < said)" ]
	[ "$(jq -r 'select(.subtype == "init") | .plugins[0].source' said | sort -u)" = plugin@inline ]
}
