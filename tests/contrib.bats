# What contrib/ hands out is run as it stands there, by what runs it in
# earnest: design.md section 14.

# Each test is a process of its own (2030, 2031); scripts are for claude to
# expand (2016).
# shellcheck disable=SC2030,SC2031,SC2016

load helper

# crontab: cron.example with the paths, the size and the program of this test.
crontab() {
	sed -e "s|/home/me/\.local/bin/claude|$BATS_TEST_TMPDIR/claude|" \
	    -e "s|/home/me/\.local/bin|${CCRE%/*}|" \
	    -e "s|/home/me/results|$OUT|" -e "s|/home/me/project|$PROJECT|" \
	    -e "s|-r 5 -i 10|-r 2 -i 2|" -e "s|\(/project\) week |\1 exp |" \
	    "$CCRE_ROOT/contrib/cron.example" > cron.tab
	run ! grep -E '/home/me|week |-r 5' <(grep -v "^#" cron.tab)
}

# tick: what cron does with each line when its time has come: settings without
# any expansion, the command after five fields of time, up to the first % .
# CC_TEST_ID and IS_SANDBOX are the test's own.
tick() {
	local line settings=()
	while IFS= read -r line; do
		case $line in
		''|'#'*) ;;
		[A-Z]*=*) settings+=("$line") ;;
		*)	line=$(sed -E 's/^([^ ]+ +){5}//' <<< "$line")
			[[ $line != *%* ]] || return 1
			env -i SHELL=/bin/sh PATH=/usr/bin:/bin LOGNAME=me \
			    CC_TEST_ID="$BATS_TEST_TMPDIR" IS_SANDBOX=1 \
			    "${settings[@]}" /bin/sh -c "$line" ;;
		esac
	done < cron.tab
}

# ticks NUMBER: so many; what they print, that is what cron mails.
ticks() {
	local n
	for ((n = 0; n < $1; n++)); do
		tick || :		# cron does not care
	done > mail 2>&1
	cat mail
}

# plays SCENE...: the claude of the crontab; cron hands nothing down to it.
plays() {
	printf '#!/bin/sh\nREHEARSAL="%s" REHEARSAL_STATE=%s exec %s "$@"\n' \
	    "$*" "$REHEARSAL_STATE" "$CCRE_ROOT/contrib/rehearsal-claude" > claude
	chmod +x claude
}

# rows: run, iteration and outcome of each row.
rows() {
	awk -F, 'NR > 1 { print $2 "/" $3, $5 }' "$OUT/exp--iterations.csv"
}

@test "the line for cron brings an experiment over rate limits to its end, and mails nothing" {
	crontab
	plays success rate-limit rate-limit success
	ticks 1
	[ "$(rows)" = $'1/1 success\n1/2 rate limit' ]
	ticks 1
	[ "$(rows | tail -n 1)" = '1/2 rate limit' ]
	[ "$(calls)" = 3 ]
	[ ! -s mail ]
	ticks 1
	[ "$(rows)" = $'1/1 success\n1/2 rate limit\n1/2 rate limit\n1/2 success\n2/1 success\n2/2 success' ]
	[ ! -s mail ]
	house_is_clean
	# All is done: a later tick says nothing, pays nothing, changes nothing.
	cp -a "$OUT" before
	git -C "$PROJECT" for-each-ref > refs
	ticks 2
	[ ! -s mail ]
	[ "$(calls)" = 6 ]
	diff -r before "$OUT"
	git -C "$PROJECT" for-each-ref | diff refs -
	house_is_clean
}

@test "a tick of cron while the last one is at work mails nothing and leaves it alone" {
	crontab
	scene working <<-'END'
		init; : > ../working; until [ -e ../enough ]; do sleep 0.05; done
		edit; result false success Done.
	END
	plays "$SCENE/working"
	tick > first 2>&1 3>&- &
	local pid=$!
	wait_until 20 test -e working
	ticks 2
	[ ! -s mail ]
	[ "$(calls)" = 1 ]
	: > enough
	wait "$pid"
	[ ! -s first ]
	[ "$(rows)" = $'1/1 success\n1/2 success\n2/1 success\n2/2 success' ]
	house_is_clean
}

@test "what a person has to look at is in cron's mail" {
	crontab
	plays crash
	echo dirt > "$PROJECT/dirt.txt"
	ticks 1
	grep -q 'expected no uncommitted changes.*dirt.txt' mail
	[ "$(calls)" = 0 ]
	rm "$PROJECT/dirt.txt"
	ticks 1
	grep -q 'stopped: 2 failures in a row' mail
	plays denied
	ticks 1
	grep -q 'stopped: ' mail
	[ "$(rows | tail -n 1)" = '1/2 denied' ]
	rm claude
	ticks 1
	[ "$(wc -l < mail)" = 1 ]
	grep -q "$BATS_TEST_TMPDIR/claude" mail
	house_is_clean
}

# unit SETTING: its values in the service, one per line.
unit() {
	sed -n "s/^$1=//p" "$CCRE_ROOT/contrib/cc-run-experiments.service"
}

@test "systemd takes the service and the timer without a word" {
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

@test "the service's command brings an experiment over a rate limit, which it calls a success" {
	local words settings
	plays success rate-limit success
	[ "$(unit SuccessExitStatus)" = 75 ]
	words=$(unit ExecStart | sed -e "s|%h/\.local/bin/cc-run-experiments|$CCRE|" \
	    -e "s|%h/results|$OUT|" -e "s|%h/project|$PROJECT|" \
	    -e 's|-r 5 -i 10|-r 1 -i 2|' -e 's| week$| exp|')
	settings=$(unit Environment | sed -e "s|%h/\.local/bin/claude|$PWD/claude|")
	[[ $words != *%h* ]]
	# shellcheck disable=SC2086 # words are words here, as systemd has them
	run -75 env -i CC_TEST_ID="$BATS_TEST_TMPDIR" IS_SANDBOX=1 HOME="$HOME" $settings $words
	# shellcheck disable=SC2086
	run -0 env -i CC_TEST_ID="$BATS_TEST_TMPDIR" IS_SANDBOX=1 HOME="$HOME" $settings $words
	[ -z "$output" ]
	[ "$(rows)" = $'1/1 success\n1/2 rate limit\n1/2 success' ]
	house_is_clean
}

@test "alternate makes the runs of two arms in turn, and passes over what is finished" {
	mkdir -p plugin/skills
	export CC_PLUGIN_DIR=$BATS_TEST_TMPDIR/plugin
	turns() {
		run "$@" "$CCRE_ROOT/contrib/alternate" 3 a b "$CCRE" -q -r 3 -i 1 -o "$OUT" \
		    -b "w=echo 'runtime: 1ms'" "$PROJECT" @ -- --model 'two words'
		echo "$output"
	}
	REHEARSAL='success success success rate-limit' turns -75
	turns -0
	grep -h -e '--model' "$OUT"/a--experiment.csv "$OUT"/b--experiment.csv | sort -u |
	    diff - <(echo "claude_arguments,--model 'two words'")
	# By the number of the call: A1 B1 B2 A2 (limited, then again) A3 B3.
	[ "$(grep -ho 'call [0-9]*' "$OUT"/a--*.jsonl | tr '\n' ' ')" = 'call 1 call 5 call 6 ' ]
	[ "$(grep -ho 'call [0-9]*' "$OUT"/b--*.jsonl | tr '\n' ' ')" = 'call 2 call 3 call 7 ' ]
	turns -0
	[ "$(calls)" = 7 ]
	run -2 "$CCRE_ROOT/contrib/alternate" 3 a a "$CCRE" "$PROJECT" @
	run -2 "$CCRE_ROOT/contrib/alternate" x a b "$CCRE" "$PROJECT" @
}

@test "GNU parallel makes the runs, and --resume-failed those that a limit has stopped" {
	runs() {
		CC_TEST_ID=$BATS_TEST_TMPDIR parallel --will-cite -j 2 --joblog log "$@" \
		    "$CCRE" -q --no-plugin --isolate -r 4 -i 1 -o "$OUT" --run '{}' "$PROJECT" exp ::: 1 2 3 4
	}
	REHEARSAL='success rate-limit success' run -1 runs
	[ "$(sed 1d log | cut -f 7 | sort -n | tr '\n' ' ')" = '0 0 0 75 ' ]
	run -0 runs --resume-failed
	[ "$(rows | grep -c success)" = 4 ]
	[ "$(calls)" = 5 ]
}

# slurm STATUS [WORD=VALUE...]: slurm.sh as a task would run it; what it asks of
# scontrol goes to asked.
slurm() {
	local want=$1
	shift
	printf '#!/bin/sh\necho "$@" >> %s/asked\n' "$BATS_TEST_TMPDIR" > bin/scontrol
	chmod +x bin/scontrol
	ln -sf "$CCRE" bin/cc-run-experiments
	cat > settings <<-END
		project='$PROJECT' prefix=exp runs=2 agents='--no-plugin --iterations 1'
		both="--output '$OUT'" measure="-b 'w=echo runtime: 1ms'"
	END
	run "-$want" env EXPERIMENT_SETTINGS="$BATS_TEST_TMPDIR/settings" SLURM_JOB_ID=7 \
	    CC_TEST_ID="$BATS_TEST_TMPDIR" "$@" "$CCRE_ROOT/contrib/slurm.sh"
	echo "$output"
}

@test "a Slurm task makes its run, and goes back into the queue after a rate limit" {
	local array='SLURM_ARRAY_JOB_ID=6'
	REHEARSAL='success rate-limit success' slurm 0 $array SLURM_ARRAY_TASK_ID=2
	[ "$(rows)" = '2/1 success' ]
	[ ! -e asked ]
	REHEARSAL='success rate-limit success' slurm 0 $array SLURM_ARRAY_TASK_ID=1
	[ "$(cat asked)" = $'requeue 6_1\nupdate JobId=6_1 StartTime=now+15minutes' ]
	REHEARSAL='success rate-limit success' slurm 0 $array SLURM_ARRAY_TASK_ID=1
	REHEARSAL=denied slurm 0
	[ "$(find "$OUT" -name '*--w.csv' | wc -l)" = 4 ]
	sed -i 's/runs=2/runs=3/' settings
	[ "$(wc -l < asked)" = 2 ]
}

@test "a Slurm task that is told of its time limit ends claude and is queued again" {
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

@test "the Kubernetes manifest fits the schema of its kinds" {
	local modules=$CCRE_ROOT/.cache/npm
	[ -d "$modules/node_modules/kubernetes-models" ] || skip 'no schema here: .ci/run installs it'
	run -0 node "$CCRE_ROOT/tests/kubernetes.mjs" "$CCRE_ROOT/contrib/kubernetes.yaml" "$modules"
	[ "$output" = $'Job experiment\nJob experiment-measure' ]
	sed 's/parallelism: 2/parallelism: two/' "$CCRE_ROOT/contrib/kubernetes.yaml" > bad.yaml
	run -1 node "$CCRE_ROOT/tests/kubernetes.mjs" bad.yaml "$modules"
	[[ $output == *'parallelism must be integer'* ]]
}

@test "delete-branches bundles an experiment, deletes it, and the bundle brings it back" {
	REHEARSAL='success rate-limit success' run -75 experiment -r 1 -i 2
	REHEARSAL='success' run -0 experiment -r 1 -i 2
	REHEARSAL='success' run -0 ccre --no-plugin -q -o "$OUT" -r 1 -i 1 "$PROJECT" exp/more
	project branch exp-run-x-iteration-1
	local before delete=$CCRE_ROOT/contrib/delete-branches
	before=$(project for-each-ref)
	run -0 "$delete" -n "$PROJECT" exp
	echo "$output"
	[[ $output == *refs/heads/exp-run-1-iteration-2* && $output == *refs/cc-run-experiments/exp/baseline* && $output != *more* && $output != *run-x* ]]
	[ "$(project for-each-ref)" = "$before" ]
	run -1 "$delete" "$PROJECT" exp <<< n
	[[ $output == *'[y/N]'*'nothing is deleted' ]]
	[ ! -e exp.bundle ]
	[ "$(project for-each-ref)" = "$before" ]
	: > exp.bundle
	run -1 "$delete" -f "$PROJECT" exp
	[[ $output == *"exp.bundle exists: choose another file with -o" ]]
	run -0 "$delete" -o again.bundle "$PROJECT" exp <<< y
	[ "$(project for-each-ref | grep -c 'exp[-/]run-1')" = 0 ]
	[ "$(project for-each-ref | grep -c -e exp/more -e run-x)" -ge 2 ]
	git -C "$PROJECT" fetch -q "$PWD/again.bundle" 'refs/*:refs/*'
	[ "$(project for-each-ref)" = "$before" ]
	run -0 "$delete" -f -o third.bundle "$PROJECT" exp < /dev/null

	[ -z "$output" ]
}

@test "delete-branches refuses what is in use, and what is not there" {
	local delete=$CCRE_ROOT/contrib/delete-branches before
	run -0 experiment -r 1 -i 1
	before=$(project for-each-ref)
	run -1 "$delete" -f "$PROJECT" 'ex.'
	[[ $output == *'has no branch and no attempt of ex.' ]]
	project switch -q exp-run-1-iteration-1
	run -1 "$delete" -f "$PROJECT" exp
	[[ $output == *'refs/heads/exp-run-1-iteration-1 is checked out'* ]]
	project switch -q main
	: > "$PROJECT/.git/cc-run-experiments.note"
	run -1 "$delete" -f "$PROJECT" exp
	[[ $output == *'a runner is at work in'* ]]
	rm "$PROJECT/.git/cc-run-experiments.note"
	run -1 "$delete" -f -o /nowhere/x "$PROJECT" exp
	[[ $output == *'cannot write /nowhere/x: nothing is deleted' ]]
	run -2 "$delete" "$PROJECT"
	[ "$(project for-each-ref)" = "$before" ]
	[ ! -e exp.bundle ]
}

# options_of_help: what --help names, short and long, one a line.
options_of_help() {
	ccre --help | sed -n 's/^  \(-.\), \(--[a-z-]*\).*/\1\n\2/p; s/^      \(--[a-z-]*\).*/\1/p' | sort
}

@test "the completions name the options of --help, and no other" {
	local dir=$CCRE_ROOT/contrib/completions
	[ "$(options_of_help | wc -l)" -ge 35 ]
	# bash: what is offered; short ones only where they take a value
	diff <(options_of_help | grep -e --) <(bash -c '. "$1"
	    COMP_WORDS=(cc-run-experiments -) COMP_CWORD=1
	    _cc_run_experiments; printf "%s\n" "${COMPREPLY[@]}"' - "$dir/cc-run-experiments.bash" | sort)
	diff <(options_of_help) <(grep "^	'" "$dir/_cc-run-experiments" |
	    sed "s/\[[^]]*\].*//" | grep -oE -e '--?[A-Za-z][a-z-]*' | sort -u)
	diff <(options_of_help) <(sed -n 's/^complete -c cc-run-experiments//p' "$dir/cc-run-experiments.fish" |
	    sed "s/ -d .*//" | grep -oE -e '-(s|l) [A-Za-z-]+' |
	    sed 's/^-s /-/; s/^-l /--/' | sort)
}

@test "each shell offers what belongs there" {
	local dir=$CCRE_ROOT/contrib/completions
	mkdir -p here/sub
	offered() {	# offered WORD...: by bash, for the last of them
		bash -c '. "$1"; shift; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		    _cc_run_experiments; printf "%s\n" "${COMPREPLY[@]}"' - "$dir/cc-run-experiments.bash" cc-run-experiments "$@"
	}
	[ "$(offered --bench | sort)" = $'--benchmark\n--benchmark-only\n--benchmark-timeout' ]
	[ "$(offered -o here/)" = here/sub ]
	[ "$(offered -p bin/cl)" = bin/claude ]
	[ -z "$(offered --runs '')" ]
	[ "$(offered here/)" = here/sub ]
	[ -z "$(offered . x -- --)" ]
	if command -v zsh; then
		zsh -n "$dir/_cc-run-experiments"
	fi
	if command -v fish; then
		run -0 fish -c 'source $argv[1]; complete -C "cc-run-experiments --bench"' "$dir/cc-run-experiments.fish"
		[ "$(cut -f 1 <<< "$output" | sort)" = $'--benchmark\n--benchmark-only\n--benchmark-timeout' ]
	fi
}

@test "the worked example finds the difference between the arms, and leaves results and pictures" {
	run -0 "$CCRE_ROOT/contrib/example/run" example "$CCRE"
	echo "$output"
	[[ $output == *'$ contrib/alternate 5 with without cc-run-experiments -q --isolate'*"-b 'work=sh benchmark.sh'"* ]]
	[[ $output == *'runs finished                               5              5'* ]]
	[[ $output == *'%): the treatment is faster'* ]]
	[ "$(grep -c ',success,' example/results/with--iterations.csv)" = 15 ]
	[ "$(grep -c ',success,' example/results/without--iterations.csv)" = 15 ]
	command -v gnuplot > /dev/null || skip 'no gnuplot'
	grep -q '</svg>' example/work.svg
	[[ $output == *'with (median)'* ]]
}

@test "the worked example finds no difference where there is none" {
	run -0 "$CCRE_ROOT/contrib/example/run" -a example "$CCRE"
	echo "$output"
	[[ $output == *'%): no difference is shown'* ]]
	[[ $output == *'plugin                                   none           none'* ]]
	[[ $output != *'arms differ'* ]]
	run -2 "$CCRE_ROOT/contrib/example/run" example "$CCRE"
	[ "$output" = 'run: expected [-a] DIRECTORY [cc-run-experiments]; DIRECTORY must not be there' ]
	run -2 "$CCRE_ROOT/contrib/example/run"
}

@test "rehearsals that are called at one moment play each a scene of its own" {
	local n
	for n in $(seq 30); do
		REHEARSAL_STATE=$PWD/numbers "$CCRE_ROOT/contrib/rehearsal-claude" <<< prompt > "said-$n" &
	done
	wait
	[ "$(grep -ho '"session_id":"[^"]*' said-* | sort -u | wc -l)" = 30 ]
}
